/*
 * The intermediate representation: what a unit of translated guest code is made of.
 *
 * A unit is a straight line of instructions with one entry: conditional exits (GOTO_IF) leave it, the last
 * instruction (a terminator) ends it. The unit of a hot loop may have labels: exits to the guest pc of one
 * stay inside, and terminators may stand in front of one. Every instruction makes at most one value, named by its
 * index; values are assigned once and die with the unit. What lives longer is in guest registers, read by GET and
 * written by PUT in program order; back ends keep them in host registers and write them to the state late, so passes
 * treat GET/PUT as the only mutable variables. A hot region is a list of units whose exits meet other units' entries.
 *
 * Invariants (the verifier's list, verify.c):
 *   1. arguments are earlier instructions that make a value of the type the op table asks for
 *   2. a terminator (IR_P_EXIT) is last; others are followed by a LABEL
 *   3. GET/PUT name a slot of the guest and have its type
 *   4. an instruction that may fault, and a call of a helper that may, follow an INSN
 *   5. imm fields are in the range the op's row gives
 *   6. no argument but a constant is from before the last LABEL
 */
#ifndef TCG_IR_H
#define TCG_IR_H

#include "base/bits.h"
#include "tcg/ops.h"

struct fp_rules; /* base/softfloat.h */

enum ir_type { IR_VOID, IR_I32, IR_I64, IR_F32, IR_F64, IR_V128, IR_TYPE_COUNT };

enum ir_op {
#define X(NAME, result, args, props, meaning) IR_##NAME,
    IR_OPS(X)
#undef X
        IR_OP_COUNT
};

/* Properties of ops: the columns of the op table. */
enum {
    IR_P_PURE = 1 << 0,      /* result depends on arguments only: may be merged, moved, removed */
    IR_P_COMM = 1 << 1,      /* first two arguments may be swapped */
    IR_P_KEEP = 1 << 2,      /* has an effect inside the unit: not removed for lack of readers */
    IR_P_FLAGS = 1 << 3,     /* reads the guest's rounding mode, raises its sticky flags: may be neither merged
                                across a change of mode nor removed */
    IR_P_LATE = 1 << 4,      /* cheap to compute at the exits that need it */
    IR_P_FAULT = 1 << 5,     /* may fault: guest registers must be recoverable */
    IR_P_LOAD = 1 << 6,      /* reads guest memory */
    IR_P_STORE = 1 << 7,     /* writes guest memory */
    IR_P_BARRIER = 1 << 8,   /* orders memory accesses */
    IR_P_CALL = 1 << 9,      /* its helper says what it reads and writes */
    IR_P_SIDE_EXIT = 1 << 10, /* may leave the unit */
    IR_P_EXIT = 1 << 11,     /* leaves the unit: terminator */
    /* What ir_facts adds from the row's other columns: */
    IR_P_TYPED = 1 << 12,    /* T is in the row: the instruction has a type of its own */
    IR_P_VECTOR = 1 << 13,   /* makes a vector, or its first argument is one */
};

/* Conditions of SETCC, SELCC, GOTO_IF. Integer ones first; neighbours (cc ^ 1) are negations. */
enum ir_cc {
    CC_EQ, CC_NE,
    CC_LTU, CC_GEU,
    CC_LEU, CC_GTU,
    CC_LTS, CC_GES,
    CC_LES, CC_GTS,
    CC_TSTEQ, CC_TSTNE, /* a & b == 0, != 0 */
    /* Floating point: O… false on unordered, U… true on unordered. Quiet: invalid only for signalling NaNs, */
    CC_FOEQ, CC_FUNE,
    CC_FORD, CC_FUNO,
    /* signalling: invalid for any NaN. */
    CC_FOLT, CC_FUGE,
    CC_FOLE, CC_FUGT,
    CC_FOGT, CC_FULE,
    CC_FOGE, CC_FULT,
    /* quiet versions of the order comparisons, */
    CC_QOLT, CC_QUGE,
    CC_QOLE, CC_QUGT,
    CC_QOGT, CC_QULE,
    CC_QOGE, CC_QULT,
    CC_COUNT
};

/* Memory access kinds: log2 size, sign extension to the result's type, byte order. */
enum ir_mem {
    MEM_SIZE = 7, /* mask: log2 of the bytes, 0 to 4 */
    MEM_SIGN = 8, /* sign-extend a narrow integer to T (else zero-extend) */
    MEM_BE = 16,  /* big-endian in memory */
    MEM_ACQ = 32, /* load-acquire: later accesses stay later */
    MEM_REL = 64, /* store-release: earlier accesses stay earlier */
    MEM_ALIGN = 128, /* the address must be a multiple of the bytes: else a misaligned access, in front of any other fault */
    MEM_U8 = 0, MEM_U16 = 1, MEM_U32 = 2, MEM_64 = 3, MEM_128 = 4,
    MEM_S8 = MEM_U8 | MEM_SIGN, MEM_S16 = MEM_U16 | MEM_SIGN, MEM_S32 = MEM_U32 | MEM_SIGN,
};

/* `rm` (vectors: imm): the guest's dynamic mode, else enum fp_round of base/softfloat.h; QUIET: VFRINT only. */
enum { IR_RM_DYN = 7, IR_RM_QUIET = 8 };
enum ir_lane { LANE_B, LANE_H, LANE_S, LANE_D };
enum ir_fence { IR_FENCE_FULL, IR_FENCE_LOAD, IR_FENCE_STORE }; /* LOAD: load-load, load-store; STORE: store-store */
/*
 * Added to a guest pc: a place of the unit's own making where the state is that of the pc. A LABEL there is known
 * inside the unit only; accesses behind an INSN there do not fault: they make the unit go on at its LABEL of the pc.
 */
enum { IR_OWN = 1 };
enum ir_jump { JUMP_PLAIN, JUMP_CALL, JUMP_RETURN }; /* kind of exit: hints for return prediction */

typedef uint32_t ir_ref; /* a value: the index of the instruction that makes it */
#define IR_NONE 0        /* no value; instruction 0 of every unit is a NOP */

enum { IR_MAX_ARGS = 4, IR_CALL_ARGS = 6 };

struct ir_inst {
    uint16_t op;   /* enum ir_op */
    uint8_t type;  /* enum ir_type: T of the op table */
    uint8_t type2; /* S of the op table */
    uint8_t cc;    /* enum ir_cc; also sub: small variant number (see the op's row) */
    uint8_t mem;   /* enum ir_mem; lane: enum ir_lane; rm: enum fp_round */
    uint16_t scale_slot; /* LD/ST: log2 scale of the index; GET/PUT: slot number; GOTO/GOTO_IF/LABEL: 1 + the slot whose
                            value is dead at the target (it need not be written for this exit), 0: none */
    ir_ref arg[IR_CALL_ARGS];
    int64_t imm;
    union {
        int64_t imm2;
        const struct ir_helper *helper; /* CALL */
    };
};
/* Names of the shared fields by use. */
#define ir_sub   cc
#define ir_lane_ mem
#define ir_rm    mem
#define ir_slot_ scale_slot
#define ir_scale scale_slot
#define ir_dead  scale_slot

/* A guest register as the code generator sees it. */
struct ir_slot {
    const char *name;
    uint16_t offset; /* bytes from the start of the guest's state (struct cpu) */
    uint8_t type;    /* enum ir_type */
    uint8_t rank;    /* 0: never in a fixed host register; else 1 is the hottest of its class in typical code */
};

/* Helper effects. */
enum {
    HELPER_PURE = 1 << 0,        /* result from arguments only, no faults */
    HELPER_READS_STATE = 1 << 1, /* reads guest registers in struct cpu: all are written there before the call */
    HELPER_WRITES_STATE = 1 << 2, /* writes guest registers: all are read anew after the call */
    HELPER_FAULTS = 1 << 3,      /* may touch guest memory or leave through exec_leave(): implies both above */
    HELPER_FP = 1 << 4,          /* uses the host's floating point under its own MXCSR: the guest's is saved */
};

/*
 * A C function called by generated code. `sig`: result letter (-, i, l, f, d, v), colon, argument letters; an `e`
 * as the first argument is the struct cpu pointer. At most 6 arguments after `e`; f, d, v travel in vector registers.
 */
struct ir_helper {
    const char *name;
    void (*fn)(void); /* cast from its true type */
    const char *sig;
    uint32_t effects;
};

/* What the generator must know about a guest; constant. Part of struct target (exec/target.h). */
struct ir_guest {
    const struct ir_slot *slots;
    unsigned nslots;
    const struct ir_helper *const *helpers; /* every helper the front end may call, in a fixed order */
    unsigned nhelpers;
    const struct fp_rules *fp;
};

/* Guest code at [pc, pc + bytes). */
struct ir_range {
    uint64_t pc;
    uint32_t bytes;
};
enum { IR_MAX_INLINED = 8 };

struct ir_unit {
    const struct ir_guest *guest;
    uint64_t pc;     /* guest address of the entry */
    uint32_t flags;  /* guest mode the translation depends on (part of the key) */
    uint32_t bytes;  /* guest bytes from pc that it was made from */
    uint32_t ninsns; /* guest instructions */
    uint32_t ninlined;
    struct ir_range inlined[IR_MAX_INLINED]; /* functions it calls that are part of it: made from these, too */
    struct ir_inst *inst;
    uint32_t n, cap;
};

struct ir_op_info {
    const char *name; /* as in the table; the text form has it in lower case */
    const char *result, *args, *meaning;
};
extern const struct ir_op_info ir_ops[IR_OP_COUNT];

/* The same rows, for questions asked of every instruction. */
struct ir_fact {
    uint16_t props;
    uint8_t nargs;
    uint8_t result; /* enum ir_type; IR_TYPE_COUNT: the instruction's own */
};
extern const struct ir_fact ir_facts[IR_OP_COUNT];
extern const char *const ir_type_names[IR_TYPE_COUNT]; /* "void", "i32", … */
extern const char *const ir_cc_names[CC_COUNT];        /* "eq", "ne", "ltu", … */

void ir_unit_init(struct ir_unit *u, const struct ir_guest *guest, uint64_t pc, uint32_t flags);
/* The same in the memory of a unit that is not needed any more. */
void ir_unit_restart(struct ir_unit *u, const struct ir_guest *guest, uint64_t pc, uint32_t flags);
void ir_unit_free(struct ir_unit *u);
/* Makes room for at least one more instruction. */
void ir_grow(struct ir_unit *u);
/* Appends an instruction and returns its index. */
static inline ir_ref ir_append(struct ir_unit *u, const struct ir_inst *in)
{
    if (UNLIKELY(u->n == u->cap))
        ir_grow(u);
    u->inst[u->n] = *in;
    return u->n++;
}

/*
 * Properties of an instruction: its row's, but a comparison of floats raises flags, and a CALL of a pure helper is
 * pure.
 */
static inline uint32_t ir_props(const struct ir_inst *in)
{
    uint32_t props = ir_facts[in->op].props;
    if (in->op == IR_CALL && in->helper->effects & HELPER_PURE)
        return props | IR_P_PURE;
    if ((in->op == IR_SETCC || in->op == IR_SELCC) && in->cc >= CC_FOEQ)
        return (props & ~IR_P_PURE) | IR_P_FLAGS;
    return props;
}

/* Number and type of a helper's value arguments and result. */
unsigned ir_helper_nargs(const struct ir_helper *h);
enum ir_type ir_helper_result(const struct ir_helper *h);

/* Number of value arguments of an instruction (calls included). */
static inline unsigned ir_nargs(const struct ir_inst *in)
{
    return LIKELY(in->op != IR_CALL) ? ir_facts[in->op].nargs : ir_helper_nargs(in->helper);
}

/* Result type of an instruction; IR_VOID for none. */
static inline enum ir_type ir_result_type(const struct ir_inst *in)
{
    if (UNLIKELY(in->op == IR_CALL))
        return ir_helper_result(in->helper);
    unsigned type = ir_facts[in->op].result;
    return type == IR_TYPE_COUNT ? in->type : type;
}

/* Type that argument k must have; IR_VOID where argument k is absent (an index that is IR_NONE). */
enum ir_type ir_arg_type(const struct ir_inst *in, unsigned k);

#include <stdio.h>
/* print.c: the text form, one instruction a line; parse.c reads it back (see docs/design/ir.rst). */
void ir_print(FILE *f, const struct ir_unit *u);
void ir_print_inst(FILE *f, const struct ir_unit *u, ir_ref r);
/* Parses text into *u (initialised by the callee). On error returns false and a line in err. */
bool ir_parse(struct ir_unit *u, const struct ir_guest *guest, const char *text, char *err, size_t errlen);
/* verify.c: checks the invariants above; returns NULL or a static/thread-local message naming the instruction. */
const char *ir_verify(const struct ir_unit *u);

/* Passes, each in pass-<name>.c; the pipeline is ir_optimize() in passes.c. */
void ir_optimize(struct ir_unit *u);
/*
 * Counted loops become loops of vectors (loop.h); for hosts that keep LABELs inside, and guest memory at its own
 * addresses.
 */
void ir_vectorize(struct ir_unit *u);

#endif
