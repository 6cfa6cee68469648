/*
 * The state of one compilation, shared by the parts of this back end:
 *   regalloc.c   where values and guest registers live (one pass forward, with a prepass backward)
 *   isel-int.c   integer ops         isel-mem.c   memory and atomics
 *   isel-fp.c    scalar floats       isel-vec.c   vectors
 *   isel-exit.c  leaving the unit, NZCV      abi.c   prologue, helper calls, fault recovery
 *
 * Register use: RBP is the state pointer plus STATE_BIAS, RSP the return-prediction stack. `pins` map guest registers
 * to host registers: global ones are there in every unit, local ones only inside a unit that loops to itself. XMM15
 * is never allocated: scratch inside one instruction.
 *
 * A value's register is found through its root: conversions that change nothing (ZEXT of a value made by a 32-bit
 * instruction, TRUNC) share the root of their argument. A 32-bit root has zeros above in its register.
 */
#ifndef TCG_HOST_X86_64_GEN_H
#define TCG_HOST_X86_64_GEN_H

#include "base/log.h"
#include "tcg/host.h"
#include "tcg/host/x86_64/emit.h"

enum { STATE_BIAS = 128, NGPR = 16, NXMM = 16, XSCRATCH = 15, REGS = 32, XMM0 = 16, MAX_SLOTS = 256 };

/* Host registers in one numbering: 0 to 15 GPR, 16 to 31 XMM. */
static inline bool is_xmm(int r) { return r >= XMM0; }

/* What the processor has: found once by host_init(). */
struct x86_features {
    bool avx, avx2, fma, bmi1, bmi2, lzcnt, movbe, f16c, gfni, avx512vl;
};
extern struct x86_features x86;

/* How many guest registers have fixed host registers; part of the calling convention of generated code. */
enum { GLOBAL_GPRS = 9, GLOBAL_XMMS = 0 };
extern const int8_t global_gpr[GLOBAL_GPRS];
#define CALLER_SAVED_GPRS (1u << RAX | 1u << RCX | 1u << RDX | 1u << RSI | 1u << RDI | 1u << R8 | 1u << R9 | 1u << R10 | 1u << R11)

struct value {
    ir_ref root;      /* itself, or the value whose register it shares */
    uint32_t last;    /* index of the last instruction that needs it (of a root: of all that share it) */
    int8_t reg;       /* host register, or NO_REG */
    int8_t hint;      /* register it should be made in, or NO_REG */
    int16_t cell;     /* spill cell that holds it, or -1 */
    int16_t home;     /* slot whose memory holds it too, or -1 */
    uint8_t type;     /* enum ir_type of the root's instruction */
    bool late;        /* not computed until needed */
};

/* A guest register while the unit is compiled. */
struct slot_state {
    ir_ref cur;  /* value it holds (root not applied), IR_NONE: unknown */
    int8_t pin;  /* host register, or NO_REG */
    bool local;  /* pin of this unit only */
    bool dirty;  /* the state's memory is behind `cur` (slots without pin) */
    bool put;    /* written somewhere in the unit */
    bool used;
};

/* Work postponed to the end of the unit, out of the hot path. */
struct stub {
    enum { STUB_EXIT, STUB_POLL, STUB_UNLINKED, STUB_SLOW, STUB_DIV } kind;
    uint8_t *jump;  /* place of the jump to it (patch_here) */
    uint8_t *back;  /* where to continue (STUB_SLOW, STUB_DIV) */
    uint64_t pc;    /* exits: guest target */
    struct code_exit *exit;
    uint32_t first, n; /* pending stores in g->pending */
    uint32_t inst;     /* STUB_SLOW, STUB_DIV: the instruction */
    int8_t dst, src[3];
};

/* A guest register to be stored, as it was at an exit. */
struct pending {
    uint16_t slot;
    int8_t reg; /* host register, or NO_REG: const, cell or late */
    int16_t cell;
    ir_ref value;
    int8_t arg_reg[4]; /* late: registers (NO_REG: constant or cell) of its operands, then of the nested one */
    int16_t arg_cell[4];
};

struct gen {
    struct asmbuf a;
    const struct ir_unit *u;
    const struct ir_guest *guest;
    const struct compile_ctx *ctx;
    const struct host_layout *l;
    const struct prologue *prologue;

    struct value *val; /* by ir_ref */
    ir_ref held[REGS]; /* root value in each register */
    int16_t pin_of[REGS]; /* slot pinned to each register, -1 */
    uint32_t temps;    /* registers that may be allocated */
    uint32_t locked;   /* in use by the current instruction */
    uint64_t cells;    /* spill cells in use */
    struct slot_state slot[MAX_SLOTS];
    uint32_t i;        /* current instruction */
    uint32_t insn;     /* number of the current guest instruction */
    ir_ref flags_of;   /* value whose comparison with 0 the host flags hold now, or IR_NONE */
    uint8_t *loop;     /* host address (in the buffer) of the loop head behind the preheader, or NULL */
    uint8_t *entry;

    struct stub *stubs;
    uint32_t nstubs, max_stubs;
    struct pending *pending;
    uint32_t npending, max_pending;
    struct fault_point *faults;
    uint32_t nfaults, max_faults;
    struct reg_loc *locs;
    uint32_t nlocs, max_locs;
    uint64_t *consts;
    uint32_t nconsts, max_consts;
    uint64_t *insn_pcs;
    uint32_t ninsns, max_insns;
    bool failed; /* out of exit cells */
};

/* Fixed code in front of all units; addresses it runs at. */
struct prologue {
    uint8_t *leave;      /* pinned registers to the state, back to C */
    uint8_t *slow;       /* RAX: struct slow_op; operands and result in the state; all registers kept */
    uint8_t *pool;       /* constants, enum pool_offset */
    uint8_t *call;       /* helper call: RAX = function, on the C stack */
};

/* --- operands of memory --- */
static inline struct mem state_mem(unsigned offset) { return MEM(RBP, (int)offset - STATE_BIAS); }
static inline struct mem slot_mem(const struct gen *g, unsigned s) { return state_mem(g->guest->slots[s].offset); }
static inline struct mem cell_mem(const struct gen *g, int cell) { return state_mem(g->l->spill + 8 * cell); }

/* --- regalloc.c --- */
void ra_prepare(struct gen *g);
/* Puts the value into a register (loading constants and spilled values) and locks it for this instruction. */
int ra_use(struct gen *g, ir_ref v);
/* The register if it is in one, else NO_REG. */
int ra_where(const struct gen *g, ir_ref v);
bool ra_const(const struct gen *g, ir_ref v, uint64_t *c);
/* A constant that fits a sign-extended 32-bit immediate of the width. */
bool ra_imm(const struct gen *g, ir_ref v, bool wide, int32_t *imm);
/* Register for the current instruction's result: never one that is locked. */
int ra_def(struct gen *g);
/* The same, but may be the register of operand v (already used) when it dies here; else a copy of v is made in it. */
int ra_def_copy(struct gen *g, ir_ref v);
/* A free register for the time of this instruction, locked. */
int ra_temp(struct gen *g, bool xmm);
/* Frees the given register: its value moves elsewhere. The register is locked. */
void ra_take(struct gen *g, int reg);
/* Copies v (any place) into the register, which must be free or taken; does not change where v lives. */
void ra_copy_to(struct gen *g, ir_ref v, int reg);
/* After each instruction: unlocks, forgets values that died. */
void ra_step(struct gen *g);
bool ra_dies(const struct gen *g, ir_ref v);
/* Moves every live value out of the registers of the mask (to cells or slots). */
void ra_evict(struct gen *g, uint32_t mask);
void ra_put(struct gen *g, unsigned slot, ir_ref v);
void ra_get(struct gen *g, unsigned slot);
/* Records that all state memory is up to date / that it must be read anew. */
void ra_sync(struct gen *g);   /* writes dirty slots to the state now */
void ra_forget(struct gen *g); /* slots are unknown, pins are reloaded */
/* Snapshot of what must be stored when leaving here; `dead`: 1 + slot not to be stored. Returns first in g->pending. */
uint32_t ra_pending(struct gen *g, unsigned dead, uint32_t *n);
/* Registers a fault point for the instruction emitted next. */
void ra_fault_point(struct gen *g);

/* --- helpers shared by the isel files --- */
void x86_move(struct gen *g, int dst, int src);
void x86_load_slot(struct gen *g, int reg, unsigned slot);
void x86_store_slot(struct gen *g, unsigned slot, int reg);
void x86_load_cell(struct gen *g, int reg, int cell, enum ir_type t);
void x86_store_cell(struct gen *g, int cell, int reg, enum ir_type t);
void x86_load_const(struct gen *g, int reg, enum ir_type t, const struct ir_inst *in);

struct stub *x86_stub(struct gen *g, int kind);
/* Emits the postponed parts. */
void x86_emit_stubs(struct gen *g);
/* Code that stores pending slots (in a stub or in line); registers other than pinned ones may be changed after. */
void x86_emit_pending(struct gen *g, uint32_t first, uint32_t n);
/* Compares for a condition: emits cmp/test/ucomis; returns the jump condition. Float conditions that need two jumps are
   answered through *parity: 0 none, 1: also needs no parity (and), 2: or parity. */
enum x86_cc x86_compare(struct gen *g, const struct ir_inst *in, int *parity);
/* NZCV of a LATE instruction into EAX; operands in the given registers or constants. Clobbers RCX without BMI2. */
void x86_nzcv(struct gen *g, const struct ir_inst *in, ir_ref a, int ra, ir_ref b, int rb);

/* Each handles the ops of its file and returns true, or false. */
bool isel_int(struct gen *g, const struct ir_inst *in);
bool isel_mem(struct gen *g, const struct ir_inst *in);
bool isel_exit(struct gen *g, const struct ir_inst *in);
bool isel_fp(struct gen *g, const struct ir_inst *in);
bool isel_vec(struct gen *g, const struct ir_inst *in);
void isel_slow(struct gen *g, const struct ir_inst *in); /* any value op, by the interpreter's functions */
void isel_call(struct gen *g, const struct ir_inst *in);

size_t x86_emit_prologue(uint8_t *buf, uint8_t *exec, const struct ir_guest *guest, const struct host_layout *l,
                         struct host_entry *out);
void x86_recover(void *cpu, const struct ir_guest *guest, const struct compiled *c, const struct fault_point *p,
                 const void *ucontext);
/* Global pins of a guest: slot -> register, by rank. */
void x86_global_pins(const struct ir_guest *guest, int8_t pin[MAX_SLOTS]);

#endif
