/*
 * A host: turns units into machine code. One constant struct per instruction set (tcg/host/<isa>/host.c); hosts
 * without one run the interpreter (interp.c) instead.
 */
#ifndef TCG_HOST_H
#define TCG_HOST_H

#include "base/isa.h"
#include "host/registers.h"
#include "tcg/ir.h"

union ir_value; /* tcg/eval.h */

/* Offset in the guest's state from which 128 bytes before and behind are cheapest to reach for generated code. */
enum { STATE_MIDDLE = 1328 };

/* Where generated code finds what it needs in struct cpu; byte offsets, constant (exec/cpu.h asserts them). */
struct host_layout {
    uint16_t exit_request; /* uint32: non-zero makes backward jumps and indirect jumps leave */
    uint16_t pc;           /* uint64 */
    uint16_t host_sp;      /* void *: C stack while generated code runs */
    uint16_t ret_sp;       /* void *: return-prediction stack pointer while C runs */
    uint16_t ret_stack;    /* void *: the return stack's memory, see exec/cpu.h */
    uint32_t ret_base;     /* offset of the empty stack's top in that memory */
    uint16_t jump_table;   /* struct jump_entry *: by guest pc hash, see exec/code.h */
    uint16_t helpers;      /* void (**)(void): same order as ir_guest.helpers */
    uint16_t mxcsr;        /* uint32: the guest's rounding mode and sticky flags as the host wants them */
    uint16_t mxcsr_c;      /* uint32: what C code runs under */
    uint16_t own;          /* void *[HOST_OWN]: host_entry.own */
    uint16_t budget;       /* int32: compile_ctx.counted */
    uint16_t exit_reason;  /* uint32 */
    uint16_t exit_detail;  /* uint64 */
    uint16_t last_exit;    /* struct code_exit *: the unlinked exit that was taken, or NULL */
    uint16_t spill;        /* 8-byte cells, 16-byte aligned */
    uint16_t nspill;       /* number of cells */
    /* Only of guests whose memory is behind a TLB (compile_ctx.tlb): */
    uint16_t tlb_mask;     /* uint64: (entries - 1) * sizeof(struct tlb_entry) */
    uint16_t tlb_table;    /* struct tlb_entry *: those of the view that loads and stores have now */
    uint16_t slow_access;  /* host_access_fn *: accesses that no entry answers */
};

/*
 * Where a guest's page lies in the host's memory. The entry of an address is number (address >> TLB_PAGE_SHIFT) & mask.
 * An access of n bytes at `address` is answered if address - load (store) <= page size - n; it is then at host + that
 * difference. A page of another number than the entry's stands for "none".
 */
enum { TLB_PAGE_SHIFT = 12 };
struct tlb_entry {
    uint64_t load, store, fetch; /* guest address of the page, if it may be accessed so without asking */
    uint8_t *host;
};

/*
 * An access done by C: `in` is LD, ST or an atomic; its arguments and, if it returns, the result. fault_off names the
 * fault point that recovers the guest's state from the registers.
 */
struct host_access {
    const struct ir_inst *in; /* inside the unit's code */
    union ir_value *arg;      /* IR_MAX_ARGS of them */
    union ir_value *result;
    uint32_t fault_off;
    const struct host_registers *registers;
};
typedef void host_access_fn(void *state, const struct host_access *a);

/* One direct exit of compiled code. `slot` holds the address jumped to: the unlinked stub, or the target block. */
struct code_exit {
    _Atomic(void *) slot; /* host address the exit jumps to */
    void *unlinked;       /* host address of the stub that leaves to the run loop with last_exit = this */
    uint64_t pc;          /* guest target */
    struct code_exit *next_in; /* list of the target block's incoming exits */
};

/* Where guest register `slot` is at a point that may fault. */
enum loc_kind { LOC_GPR, LOC_VEC, LOC_SPILL, LOC_CONST, LOC_NZCV };
struct reg_loc {
    uint8_t slot;
    uint8_t kind;  /* enum loc_kind */
    uint16_t reg;  /* host register or spill cell; LOC_NZCV: op (see host) */
    uint32_t more; /* LOC_CONST: index in consts; LOC_NZCV: host-defined operands; else: host-defined form */
};
struct fault_point {
    uint32_t host_off;  /* offset in the code of the instruction that may fault */
    int32_t pc;         /* of the guest instruction, from the unit's */
    uint16_t first_loc; /* first of nlocs entries in locs */
    uint16_t nlocs;     /* FAULT_GOES_ON: no fault of the guest's, code goes on at offset `pc` */
};
enum { FAULT_GOES_ON = UINT16_MAX };

/* Result of compiling a unit. The arrays are the compiler's memory, until it compiles again. */
struct compiled {
    uint8_t *code;     /* where it was put (executable address) */
    uint32_t size;
    uint32_t nfaults, nlocs, nconsts;
    const struct fault_point *faults; /* by rising host_off */
    const struct reg_loc *locs;
    const uint64_t *consts;
    uint32_t dead_off; /* offset in the code of a stub that sets pc to the unit's and leaves: an invalidated block's
                          entry is overwritten with a jump to it */
    struct code_exit *promote; /* quick units: the exit taken when `counter` has run out; NULL: none */
    int32_t *counter;
    bool too_complex;  /* compile() failed for want of room for values: fewer instructions will do */
};

/*
 * Compiled code holds no host address: it reaches the prologue through the state (host_layout.own) and may be moved by
 * multiples of 16 bytes if the distances named by these are mended: 32-bit ones that end at `end`, from there.
 */
enum ref_kind {
    REF_JUMP, /* jump through an exit's cell: 6 bytes */
    REF_CALL, /* call through an exit's cell: 6 bytes */
    REF_CELL, /* address of an exit's cell */
    REF_COUNTER, /* decrement of the unit's counter */
    REF_UNIT, /* jump, conditional jump or call to the entry that lookup() gave for pc */
};
struct code_ref {
    uint32_t end;           /* offset in the code */
    uint8_t kind;           /* enum ref_kind */
    struct code_exit *exit; /* but for REF_COUNTER, REF_UNIT */
    uint64_t pc;
};

/* Entry points of the prologue blob, executable addresses. */
enum { HOST_OWN = 6 };
struct host_entry {
    void (*enter)(void *cpu, void *code); /* runs generated code; returns when it leaves */
    void *leave_recovered;                /* leaves without storing guest registers: after recover() */
    void *own[HOST_OWN];                  /* those compiled code goes to: the state holds them */
};

/* What the host asks its surroundings for while compiling. */
struct compile_ctx {
    const struct host_layout *layout;
    void *work; /* new_work()'s memory */
    void *opaque;
    /* Host entry of an already translated block at guest pc with the unit's flags, or NULL. */
    void *(*lookup)(void *opaque, uint64_t pc);
    /*
     * A new exit cell within +-2 GiB of the code, its pc set; the host sets unlinked, and slot unless it is linked
     * already. NULL: none left.
     */
    struct code_exit *(*new_exit)(void *opaque, uint64_t pc);
    /* Told of every distance from the code to something outside; NULL: nobody wants to know. */
    void (*ref)(void *opaque, const struct code_ref *r);
    /* Quick units: a new counter of entries, likewise near the code, or NULL: not counted. */
    int32_t *(*new_counter)(void *opaque);
    bool quick; /* compile fast; the unit counts how often it is entered and leaves through out->promote at less than 0 */
    bool counted; /* a unit takes ninsns off the budget at its entry, or, where there are fewer, leaves with its own pc */
    bool chain; /* false: every exit leaves to the run loop, */
    bool loops; /* but for those of a unit that jumps to itself */
    bool tlb;   /* guest memory is behind a TLB, and direct exits are not linked across pages of TLB_PAGE_SHIFT bits */
};

struct tcg_host {
    const char *name;
    enum isa isa;
    /* Finds what the processor has; fills tables. Called once per process. */
    void (*init)(void);
    /* What init() has found, as a number: code made under another one may not run. */
    uint64_t (*features)(void);
    /* Emits entry/leave trampolines for this guest at `buf` (executable address `exec`); returns bytes used. */
    size_t (*emit_prologue)(uint8_t *buf, uint8_t *exec, const struct ir_guest *g, const struct host_layout *l,
                            struct host_entry *out);
    /* Does compile() keep jumps to LABELs inside the unit? */
    bool (*takes_labels)(void);
    /* Of labels that calls of the unit return to, too? */
    bool (*takes_functions)(void);
    /* Are comparisons with likely targets worth their making in front of indirect jumps? */
    bool (*takes_guesses)(void);
    /* Are small functions worth being made part of units that call them? */
    bool (*takes_inlined)(void);
    /* Are vectors worth their making (ir_vectorize())? */
    bool (*takes_vectors)(void);
    /* Memory that compile() works in, for units of this guest; one for each thread that compiles at a time. */
    void *(*new_work)(const struct ir_guest *g);
    void (*free_work)(void *work);
    /*
     * Compiles u into buf (writable, `room` bytes; it will run at `exec`). Returns false when room is too small, no
     * exit cell is left, or the unit is too complex (out says so).
     */
    bool (*compile)(const struct ir_unit *u, const struct compile_ctx *ctx, uint8_t *buf, uint8_t *exec,
                    size_t room, struct compiled *out);
    /* Writes the guest registers held in host registers at the fault point p of c to the state. */
    void (*recover)(void *cpu, const struct ir_guest *g, const struct compiled *c, const struct fault_point *p,
                    const struct host_registers *r);
    /*
     * Turns the jump or call through a cell that ends at `end` (REF_JUMP, REF_CALL) into one by the distance from
     * there.
     */
    void (*make_direct)(uint8_t *end, enum ref_kind kind, int32_t distance);
    /* Overwrites a block's first bytes (leading nop) at `buf`, running at `exec`, with a jump: one atomic store. */
    void (*patch_entry)(uint8_t *buf, const uint8_t *exec, const uint8_t *target);
};

extern const struct tcg_host tcg_host_x86_64;
/* The host of this machine, or NULL: use the interpreter. */
const struct tcg_host *tcg_host_native(void);

#endif
