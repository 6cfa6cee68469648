/*
 * The state of one compilation, shared by the parts of this back end:
 *   plan.c       the pass backward before: lifetimes, wanted registers, registers of loops
 *   regalloc.c   the pass forward: where values and guest registers live
 *   quick.c      both, the short way, for quick units of integer ops
 *   isel-int.c   integer ops         isel-mem.c   memory and atomics
 *   isel-fp.c    scalar floats       isel-vec.c   vectors
 *   isel-exit.c  leaving the unit    late.c       flags computed where they are needed
 *   nan.c        NaNs made the guest's where they are seen
 *   abi.c        prologue, helper calls, ops done by C     recover.c   the state at a fault
 *
 * Register use: RBP is the state pointer plus STATE_MIDDLE, RSP the return-prediction stack. `pins` map guest registers
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

enum { NGPR = 16, NXMM = 16, XSCRATCH = 15, REGS = 32, XMM0 = 16, MAX_SLOTS = 256 };

/* Host registers in one numbering: 0 to 15 GPR, 16 to 31 XMM. */
static inline bool is_xmm(int r) { return r >= XMM0; }

/* What the processor has: found once by host_init(). */
struct x86_features {
    bool avx, avx2, fma, bmi1, bmi2, lzcnt, aes, pclmul, sha;
    bool pins, loop_pins, regions, late_nans, vector_loops, functions, guesses, inlined; /* register strategies, to measure what they give: docs/design/host-x86_64.rst */
};
extern struct x86_features x86;

/* How many guest registers have fixed host registers; part of the calling convention of generated code. */
enum { GLOBAL_GPRS = 9, GLOBAL_XMMS = 0 };
extern const int8_t global_gpr[GLOBAL_GPRS];
#define CALLER_SAVED_GPRS \
    (1u << RAX | 1u << RCX | 1u << RDX | 1u << RSI | 1u << RDI | 1u << R8 | 1u << R9 | 1u << R10 | 1u << R11)

/* Floats whose NaN is still the processor's: nan.c. */
enum raw { RAW_NOT, RAW_F64, RAW_F32, RAW_BOXED /* an F32 boxed in an F64 */ };
struct raw_pins {
    uint16_t mask[3]; /* XMM registers, by raw - 1 */
};

struct value {
    ir_ref root;      /* itself, or the value whose register it shares */
    ir_ref result;    /* comparisons, NZCV_SUB: a - b, if an earlier instruction computes it, else IR_NONE */
    uint32_t last;    /* roots: index of the last instruction that needs it or one that shares its register */
    int8_t reg;       /* host register, or NO_REG */
    int8_t hint;      /* register it should be made in, or NO_REG */
    int16_t hint_slot;
    int16_t cell;     /* spill cell that holds it, or -1 */
    int16_t home;     /* slot whose memory holds it, or -1 */
    uint8_t type;     /* enum ir_type of the root's instruction */
    bool late;        /* computed at the exits that need it (late.c) */
    uint8_t raw;      /* enum raw */
    bool clean;       /* F32, F64: the rest of its register is zero */
    bool no_code;     /* nothing is to be done where it stands: it is a constant, shares a register, is late or unread */
    uint8_t unused[7];
};
_Static_assert(sizeof(struct value) == 32, "easy to index");

/* A guest register while the unit is compiled. */
struct slot_state {
    ir_ref cur;   /* slots without pin: the value it holds, IR_NONE: what its memory says */
    ir_ref homed; /* root whose home is this slot's memory, or IR_NONE */
    int8_t pin;   /* host register, or NO_REG */
    bool local;   /* the pin is of this unit only */
    uint8_t raw;  /* enum raw: the pin's */
    uint32_t last_put;
    bool dirty;   /* the memory is behind `cur` */
    bool put;     /* written somewhere in the unit */
    bool used;    /* read or written somewhere in the unit */
    bool touched; /* differs from a fresh one */
    uint32_t uses; /* those in loops count more */
};

/* Work postponed to the end of the unit, out of the hot path. */
enum stub_kind { STUB_EXIT, STUB_LEAVE, STUB_SLOW, STUB_OWN, STUB_PROMOTE, STUB_NAN, STUB_UNLINKED, STUB_BUDGET };
struct stub {
    uint8_t kind;   /* enum stub_kind */
    bool loop;      /* STUB_LEAVE: local pins are to be stored too */
    uint8_t own;    /* STUB_OWN: enum own */
    struct code_exit *exit; /* STUB_UNLINKED */
    uint8_t *jump;  /* place of the jump to it (patch_here) */
    uint8_t *back;  /* STUB_SLOW: where to continue; STUB_EXIT: place of a second jump to it */
    uint64_t from, pc; /* exits: guest instruction, guest target */
    uint32_t first, n; /* STUB_EXIT: what to store, in g->pending */
    uint32_t inst;  /* STUB_SLOW, STUB_EXIT: the instruction */
    uint32_t fault_off; /* STUB_SLOW: of a memory access */
    int8_t dst, src[4];
    uint8_t raw[2]; /* STUB_NAN: enum raw of src[0], src[1] */
    struct raw_pins raw_pins; /* STUB_EXIT */
};

/* Where a value is at one moment: register, cell, constant or memory of a slot. */
struct place {
    ir_ref root;
    int8_t reg;
    int16_t cell, home;
};
enum { MAX_LEAVES = 6 };

/* A guest register to be stored at an exit. */
struct pending {
    uint16_t slot;
    bool late;
    uint8_t raw; /* enum raw */
    ir_ref value;
    uint8_t nleaves; /* of a late value; else 1 */
    struct place leaf[MAX_LEAVES];
};

/* A constant behind the code, and the place of the rip-relative displacement that reads it. */
struct pool_use {
    uint8_t *place, *at; /* at: where the constant is */
    uint64_t lo, hi;
    uint8_t size; /* 4, 8, 16 */
    uint8_t tail; /* bytes of the instruction behind the displacement */
};

/* An op done by C: the place of the distance to its instruction, and the return address that counts from. */
struct slow_use {
    uint8_t *place, *from;
    uint32_t inst, fault_off;
};

/* How it stands in the code behind the unit. */
struct slow_inst {
    struct ir_inst in;
    uint32_t fault_off; /* memory accesses: their fault point */
};

/* Where jumps of the unit to guest pc arrive: its head if it is a loop, then its LABELs. */
struct label {
    uint64_t pc;
    uint8_t *at; /* NULL: further on */
    bool inside; /* a LABEL stands for it */
};
struct label_use {
    uint8_t *place; /* of a jump */
    uint64_t pc;
};

/* Fixed code in front of all units: index of its address in the state (host_layout.own). */
enum own {
    OWN_LEAVE,       /* RAX: guest pc */
    OWN_UNLINKED,    /* RAX: struct code_exit */
    OWN_SLOW,        /* pushed: distance from the return address to an ir_inst; operands and result in cells; registers kept */
    OWN_RETURN_MISS, /* RAX: guest pc of a return that was not predicted */
};

enum { PROLOGUE_ROOM = 2048 };

/* Slots and registers at the start of every unit of a guest. */
struct fresh {
    struct slot_state slot[MAX_SLOTS];
    bool is_pin[REGS];
    uint32_t temps;
};

struct gen {
    /* --- zero at the start of every unit --- */
    struct asmbuf a;
    const struct ir_unit *u;
    const struct ir_guest *guest;
    const struct compile_ctx *ctx;
    const struct host_layout *l;

    ir_ref held[REGS];    /* root in each register */
    uint32_t full;        /* registers that hold one */
    bool is_pin[REGS];
    uint32_t temps;       /* registers that may be allocated */
    uint32_t displaced;   /* global pins whose register has another use in this unit */
    uint32_t locked;      /* in use by the current instruction */
    unsigned __int128 cells; /* spill cells in use */
    uint32_t nopen;
    uint32_t i;           /* current instruction */
    uint32_t first_todo;
    uint64_t pc;          /* of the current guest instruction */
    ir_ref flags_of;      /* value by which the flags were set last */
    uint8_t *flags_at;    /* and where in the code */
    uint32_t adc;         /* the last ADC that code was made for */
    int8_t rbx_in;        /* where the pin RBX is, for fault points: CMPXCHG16B needs the register */
    uint8_t *loop;        /* loop head behind the preheader, or NULL: not a loop */
    bool borders;         /* its labels are as the borders between units: calls of the unit return to them */
    uint8_t *entry;
    struct code_exit *promote; /* quick units: see struct compiled */
    int32_t *counter;
    uint32_t nstubs, npending, npool, nslow_uses, nfaults, nlocs, nconsts;
    uint32_t nlabels, nlabel_uses;
    bool simple;          /* planned by quick.c */
    bool unreachable;     /* behind a terminator */
    bool raw;             /* there have been floats whose NaN is the processor's */
    uint8_t *miss;        /* place of the jump where the TLB has no entry for the current access, or NULL */
    int8_t miss_src[IR_MAX_ARGS]; /* and where its operands are; NO_REG: constants */
    bool stop;            /* one of these two: */
    bool failed;          /* out of exit cells */
    bool too_complex;     /* out of spill cells, or of room for fault points' tables */

    /* --- memory kept from unit to unit --- */
    struct slot_state slot[MAX_SLOTS];
    uint16_t open[MAX_SLOTS]; /* slots without pin that may be dirty */
    uint16_t touched[MAX_SLOTS];
    uint32_t ntouched;
    bool all_touched; /* local pins: all slots may differ from fresh ones */
    struct value *val;        /* by ir_ref */
    ir_ref *todo;             /* from first_todo on: the instructions that code is made for, in order */
    struct stub *stubs;
    struct pending *pending;
    struct pool_use *pool;
    struct slow_use *slow_uses;
    struct fault_point *faults;
    struct reg_loc *locs;
    uint64_t *consts;
    struct label *label;
    struct label_use *label_uses;
    int8_t *depth;
    uint32_t max_depth, max_label, max_label_uses, max_val, max_stubs, max_pending, max_pool, max_slow_uses, max_faults,
        max_locs, max_consts;
    struct fresh fresh;
};

/* Grows an array of the state by one element and returns it. */
#define GROW(array, n, max)                                                                       \
    ((n) == (max) ? ((max) = (max) ? 2 * (max) : 32, (array) = x86_grow((array), (max), sizeof *(array))) : (array), \
     &(array)[(n)++])
void *x86_grow(void *p, uint32_t n, size_t size);

/* Spill cells by use: allocated ones, then operands and result of ops done by C. */
enum { NCELLS = 116, CELL_ARG = NCELLS, CELL_LATE = CELL_ARG + 1 /* and each second */, CELL_RESULT = CELL_ARG + 8 };

/* --- operands of memory --- */
static inline struct mem state_mem(unsigned offset) { return MEM(RBP, (int)offset - STATE_MIDDLE); }
static inline void jump_own(struct asmbuf *a, const struct host_layout *l, enum own i)
{
    emit_rm(a, 0xff, 4, state_mem(l->own + 8 * i));
}
static inline struct mem slot_mem(const struct gen *g, unsigned s) { return state_mem(g->guest->slots[s].offset); }
static inline struct mem cell_mem(const struct gen *g, int cell) { return state_mem(g->l->spill + 8 * cell); }

static inline ir_ref root_of(const struct gen *g, ir_ref v) { return g->val[v].root; }
static inline bool is_float_type(unsigned t) { return t == IR_F32 || t == IR_F64; }
/* Is the register of v, a float, zero beyond it? The low half of a double is not clean where the double is. */
static inline bool is_clean(const struct gen *g, ir_ref v)
{
    const struct value *root = &g->val[root_of(g, v)];
    return root->clean && (root->type == IR_F32 || ir_result_type(&g->u->inst[v]) == IR_F64);
}
static inline bool in_xmm(unsigned t) { return t >= IR_F32; }
static inline unsigned type_size(unsigned t)
{
    static const uint8_t size[IR_TYPE_COUNT] = {0, 4, 8, 4, 8, 16};
    return size[t];
}

static inline void x86_stop(struct gen *g, bool *why) { g->stop = *why = true; }

/* --- plan.c --- */
void x86_plan_fresh(struct fresh *f, const struct ir_guest *guest);
void x86_plan(struct gen *g);
/* Global pins of a guest: host register of each slot, by rank. */
void x86_global_pins(const struct ir_guest *guest, int8_t pin[MAX_SLOTS]);

/* --- quick.c --- */
/* As x86_plan(), for quick units of integer ops; false: the unit has others, and nothing is planned. */
bool x86_quick_plan(struct gen *g);
/* The code of a unit so planned. */
void x86_quick_code(struct gen *g);

/* --- regalloc.c --- */
static inline void ra_hold(struct gen *g, int reg, ir_ref root)
{
    g->held[reg] = root;
    g->full |= 1u << reg;
    g->val[root].reg = reg;
}
static inline void ra_release(struct gen *g, int reg)
{
    ir_ref root = g->held[reg];
    if (root) {
        g->held[reg] = IR_NONE;
        g->full &= ~(1u << reg);
        g->val[root].reg = NO_REG;
    }
}
static inline void ra_touch(struct gen *g, unsigned slot)
{
    if (!g->slot[slot].touched) {
        g->slot[slot].touched = true;
        g->touched[g->ntouched++] = slot;
    }
}
/* Puts the value into a register (loading what is elsewhere) and locks it for this instruction. */
int ra_use(struct gen *g, ir_ref v);
/* The register it is in, locked, or NO_REG. */
static inline int ra_where(struct gen *g, ir_ref v)
{
    int reg = g->val[root_of(g, v)].reg;
    if (reg != NO_REG)
        g->locked |= 1u << reg;
    return reg;
}
static inline bool ra_const(const struct gen *g, ir_ref v, uint64_t *c)
{
    const struct ir_inst *in = &g->u->inst[v];
    if (in->op != IR_CONST || (in->type != IR_I32 && in->type != IR_I64))
        return false;
    *c = in->type == IR_I32 ? (uint32_t)in->imm : (uint64_t)in->imm;
    return true;
}
/* A constant that fits a sign-extended 32-bit immediate of the width. */
bool ra_imm(const struct gen *g, ir_ref v, bool wide, int32_t *imm);
/* The slot whose memory holds the value while no register does; for operands in memory. */
bool ra_in_slot(const struct gen *g, ir_ref v, struct mem *m);
/* Register for the current instruction's result, different from all that are locked. */
int ra_def(struct gen *g);
/* The same, but may be an operand's register: for instructions that read all operands before they write. */
int ra_def_over(struct gen *g);
/* Register for the result that holds a copy of operand v (two-operand instructions). */
int ra_def_copy(struct gen *g, ir_ref v);
/* Makes a given register (taken before) the result's. */
void ra_bind(struct gen *g, int reg);
/* Takes ra_def() back. */
void ra_undef(struct gen *g);
/* A free register for the time of this instruction. */
int ra_temp(struct gen *g, bool xmm);
/* Makes a given temporary register free, for the time of this instruction. */
void ra_take(struct gen *g, int reg);
/* Copies v (wherever it is) into the register, which is free or taken. */
void ra_copy_to(struct gen *g, ir_ref v, int reg);
static inline bool ra_dies(const struct gen *g, ir_ref v) { return g->val[root_of(g, v)].last <= g->i; }
/* After each instruction: unlocks, forgets values that died. */
void ra_step(struct gen *g, const struct ir_inst *in);
void ra_get(struct gen *g, const struct ir_inst *in);
void ra_put(struct gen *g, const struct ir_inst *in);
/* Moves every live value out of the registers of the mask that are not pins. */
void ra_evict(struct gen *g, uint32_t mask);
/* For a call: values that live on are saved, and stay in their registers; then no temporary holds anything. */
void ra_save_all(struct gen *g);
void ra_release_all(struct gen *g);
/* Writes all guest registers to the state; they stay where they are, too. */
void ra_sync(struct gen *g);
/* Before and after a helper that writes guest registers. */
void ra_detach(struct gen *g);
void ra_forget(struct gen *g);
/* The value's spill cell is free: it is elsewhere, and the cell out of date. */
void ra_leave_cell(struct gen *g, ir_ref root);
/* In front of a label: slots without pin go to the state but for `dead` (1 + slot), no register holds a value. */
void ra_settle(struct gen *g, unsigned dead);
/* Nothing gets here: what slots and registers hold is forgotten. */
void ra_abandon(struct gen *g);
struct place ra_place(const struct gen *g, ir_ref v);
/* Snapshot of what must be stored when leaving here; `dead`: 1 + slot not to be stored. Returns first in g->pending. */
uint32_t ra_pending(struct gen *g, unsigned dead, uint32_t *n);

/* --- moves (regalloc.c) --- */
void x86_move(struct gen *g, int dst, int src);
void x86_load_slot(struct gen *g, int reg, unsigned slot, unsigned type);
void x86_store_slot(struct gen *g, unsigned slot, int reg);
void x86_load_cell(struct gen *g, int reg, int cell, unsigned type);
void x86_store_cell(struct gen *g, int cell, int reg, unsigned type);
void x86_load_const(struct gen *g, int reg, ir_ref c);
/* op reg, [constant]: SSE form, or VEX with vvvv. tail: bytes of immediate that follow. */
void x86_pool(struct gen *g, unsigned op, int reg, unsigned size, uint64_t lo, uint64_t hi, unsigned tail);
void x86_pool_vex(struct gen *g, unsigned op, int reg, int vvvv, unsigned size, uint64_t lo, uint64_t hi,
                  unsigned tail);
void x86_pins_store(struct gen *g, uint32_t mask);
void x86_pins_load(struct gen *g, uint32_t mask);
/* Local pins and displaced ones, at the borders of a loop. */
void x86_loop_enter(struct gen *g);
void x86_loop_leave(struct gen *g);

/* --- late.c --- */
/* Is the value (an instruction of the unit) one that can be computed late? */
bool x86_can_be_late(const struct gen *g, ir_ref v);
/* What it needs: at most MAX_LEAVES values. */
unsigned x86_leaves(const struct gen *g, ir_ref v, ir_ref *leaf);
/* Stores the late value to the slot; RAX, RCX, RDX and XMM15 change, after the operands have been read. */
void x86_store_late(struct gen *g, unsigned slot, ir_ref v, const struct place *leaf);
/* NZCV of the current flags into EAX; changes ECX (EDX). invert: the host's carry is the inverse. */
void x86_flags_to_nzcv(struct gen *g, bool invert);
/* NZCV of ucomisd's flags into EAX. */
void x86_fcmp_to_nzcv(struct gen *g);

/* --- nan.c --- */
bool x86_nans_are_late(const struct gen *g);
uint64_t x86_guest_nan(const struct ir_guest *guest, enum raw raw);
/* Make raw ones the guest's, in their registers: what the instruction can't take raw, one value, all pins. */
void x86_settle_operands(struct gen *g, const struct ir_inst *in);
void x86_settle_value(struct gen *g, ir_ref v);
void x86_settle_pins(struct gen *g);
/* For a way out: the raw pins of now, and the code that makes them right there. */
struct raw_pins x86_raw_pins(const struct gen *g);
void x86_fix_pins(struct gen *g, const struct raw_pins *p);
/* Behind the store of a raw value from `reg` to the slot. */
void x86_fix_stored(struct gen *g, unsigned slot, int reg, enum raw raw);
void x86_emit_nan(struct gen *g, const struct stub *s);

/* --- recover.c --- */
void x86_fault_point(struct gen *g); /* for the instruction emitted next */
void x86_finish_faults(struct gen *g); /* the places are known where code goes on */
void x86_recover(void *cpu, const struct ir_guest *guest, const struct compiled *c, const struct fault_point *p,
                 const struct host_registers *regs);

/* --- isel-exit.c --- */
/* Stores a constant to a slot; changes XMM15 only. */
void x86_store_const(struct gen *g, unsigned slot, const struct ir_inst *c);
struct stub *x86_stub(struct gen *g, enum stub_kind kind);
void x86_emit_stubs(struct gen *g);
/* For the entry of a quick unit: counts down; below 0 it goes through an exit of its own. */
void x86_count_entry(struct gen *g);
void x86_count_insns(struct gen *g);
/* Flags: is RAX's entry of the thread's jump table its own? The entry is at RDX + 8 * RCX. */
void x86_table_lookup(struct asmbuf *a, const struct host_layout *l);
bool isel_exit(struct gen *g, const struct ir_inst *in);
/* The exit of a GOTO_IF, out of the unit, behind its comparison (as of x86_compare()). */
void x86_exit_if(struct gen *g, const struct ir_inst *in, enum x86_cc cc, int parity);
void x86_label(struct gen *g, const struct ir_inst *in);
/* Where in the code the unit's label for the pc is. */
uint32_t x86_label_offset(const struct gen *g, uint64_t pc);

/* --- isel-int.c --- */
/* Compares for SETCC, SELCC, GOTO_IF; returns the condition under which it holds. *parity: 0; 1: and no parity;
   2: or parity (floats). Uses registers, defines none. */
enum x86_cc x86_compare(struct gen *g, const struct ir_inst *in, int *parity);
bool isel_int(struct gen *g, const struct ir_inst *in);
/* --- isel-mem.c, isel-fp.c, isel-vec.c: true if the op was theirs --- */
bool isel_mem(struct gen *g, const struct ir_inst *in);
bool isel_fp(struct gen *g, const struct ir_inst *in);
bool isel_vec(struct gen *g, const struct ir_inst *in);
/* ucomis or comis of two registers. */
void x86_ucomis(struct gen *g, bool wide, bool signalling, int a, int b);
/* Can the op's underflow flag differ from the processor's, by when the guest detects tininess? */
bool x86_tiny_before(const struct gen *g, unsigned op);
/* op of 66/F3/F2 class: dst = a op b, VEX or SSE; dst may be a or b. */
void x86_op3(struct gen *g, unsigned op, int dst, int a, int b);
/* dst = a op constant; dst = op src */
void x86_op3_pool(struct gen *g, unsigned op, int dst, int a, uint64_t lo, uint64_t hi);
void x86_op2(struct gen *g, unsigned op, int dst, int src);
/* Rounding field of ROUNDSD for `rm`; 3: truncation, 4: the dynamic mode; -1: there is none. */
int x86_round_imm(unsigned rm);
void x86_op3_imm(struct gen *g, unsigned op, int dst, int a, int b, unsigned imm);

/* --- abi.c --- */
void isel_slow(struct gen *g, const struct ir_inst *in); /* any value op, by the interpreter's functions */
/* The same out of line for the current instruction: jumped to from `jump`, operands in the registers given, NO_REG for
   constants. Memory accesses stand at the fault point recorded last before the jump. */
void x86_slow_stub(struct gen *g, uint8_t *jump, int dst, const int8_t src[4]);
void x86_emit_slow(struct gen *g, const struct stub *s);
void x86_emit_slow_insts(struct gen *g);
void isel_call(struct gen *g, const struct ir_inst *in);
size_t x86_emit_prologue(uint8_t *buf, uint8_t *exec, const struct ir_guest *guest, const struct host_layout *l,
                         struct host_entry *out);

#endif
