/*
 * The builder: how front ends make IR. Each function appends one instruction and returns its value; constants are
 * folded, identities applied, and guest registers read once (a GET after a PUT or GET of the same slot gives the
 * known value), so front ends write what the manual says without minding cost.
 */
#ifndef TCG_BUILD_H
#define TCG_BUILD_H

#include "tcg/ir.h"

enum { IR_MAX_SLOTS = 256 };

/* What is known of the code at a pc: it has run seldom, often enough to be in a region, or has a hot unit already. */
enum region_heat { HEAT_COLD, HEAT_WARM, HEAT_DONE };

/*
 * Several stretches of guest code: a loop with what is inside (branches, inner loops), or, where a profile says what
 * runs, the rest of a function, whose calls come back into it. The guest code is gone through first to see where jumps
 * lead, then with labels where they arrive; for a function, before that, to see that there is more than a loop.
 */
enum { REGION_TARGETS = 128, REGION_LEFT = 16, MANY_SOURCES = 2 };
struct region {
    bool known;     /* the last time: `target` are the labels */
    bool went_on;   /* behind a terminator */
    unsigned n;
    uint64_t target[REGION_TARGETS], from[REGION_TARGETS];
    bool loop;      /* there is a jump to the start; */
    uint64_t last;  /* pc of the last one */
    uint64_t end;   /* the last time: ends in front of this pc */
    /* Of functions: */
    enum region_heat (*heat)(const void *profile, uint64_t pc); /* NULL: there is no profile, and only loops are found */
    const void *profile;
    /* The 8 bytes at a guest address as they are now; false: they cannot be read. NULL: nothing is guessed. */
    bool (*peek)(const void *profile, uint64_t address, uint64_t *value);
    bool calls;     /* one was met from which the guest comes back */
    bool function;
    unsigned nleft;
    uint64_t left[REGION_LEFT]; /* the last time: heads of loops that have hot units of their own */
    uint8_t sources[REGION_TARGETS]; /* ways that lead to a target: 0, 1, or MANY_SOURCES */
    bool inlines;   /* calls of small functions are made part of the unit */
    /* The value of a 64-bit guest register as the unit is made, in front of it; NULL: nothing is guessed. */
    uint64_t (*slot)(const void *profile, unsigned slot);
};

struct ir_builder {
    struct ir_unit *u;
    ir_ref known[IR_MAX_SLOTS]; /* value each slot is known to hold, or IR_NONE */
    uint32_t last_pc_inst;      /* index of the latest INSN */
    bool pc_needed;             /* something behind it may ask for its pc */
    ir_ref recent[64];          /* recent pure instructions, for merging equal ones (hash) */
    ir_ref last_exit;           /* the exit just built, IR_NONE if it was folded away */
    struct region *region;      /* NULL: the unit is to be a straight line */
    bool (*breaks_at)(const void *breaks, uint64_t pc); /* units end in front of such pcs; NULL: nowhere */
    const void *breaks;
    bool quick;                 /* units end behind their first conditional exit: b_ends_here() */
    uint64_t back;              /* in a function that is made part of the unit: where it returns to; else 0 */
    bool interpreted;           /* nobody asks what is dead at exits */
    bool counted;               /* units end behind any, so that all their instructions are executed; see front ends */
};

void b_init(struct ir_builder *b, struct ir_unit *u);

/* --- generic --- */
ir_ref b_op1(struct ir_builder *b, enum ir_op op, enum ir_type t, ir_ref a);
ir_ref b_op2(struct ir_builder *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y);
ir_ref b_op3(struct ir_builder *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y, ir_ref z);
/* Appends a fully filled instruction (args, imm…), after folding; the way for ops with special fields. Changes *in. */
ir_ref b_emit_at(struct ir_builder *b, struct ir_inst *in);
static inline ir_ref b_emit(struct ir_builder *b, struct ir_inst in)
{
    return b_emit_at(b, &in);
}

/* --- guest registers and instruction starts --- */
/* True if a label stands in front, of which b_exit_dead() may say more. */
bool b_insn(struct ir_builder *b, uint64_t pc, uint64_t bits);
ir_ref b_get(struct ir_builder *b, unsigned slot);
void b_put(struct ir_builder *b, unsigned slot, ir_ref v);
/* Forget what slots hold (after a helper that writes state; b_call does it by itself). */
void b_forget(struct ir_builder *b);

/* --- constants --- */
ir_ref b_const(struct ir_builder *b, enum ir_type t, uint64_t v);
ir_ref b_vconst(struct ir_builder *b, uint64_t lo, uint64_t hi);
/* True if r is a constant integer; *v gets it (I32 zero-extended). */
bool b_is_const(const struct ir_builder *b, ir_ref r, uint64_t *v);
static inline ir_ref b_i32(struct ir_builder *b, uint32_t v) { return b_const(b, IR_I32, v); }
static inline ir_ref b_i64(struct ir_builder *b, uint64_t v) { return b_const(b, IR_I64, v); }

/* --- integer, immediate forms fold --- */
ir_ref b_add(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y);
ir_ref b_sub(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y);
ir_ref b_addi(struct ir_builder *b, enum ir_type t, ir_ref x, int64_t i);
ir_ref b_and(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y);
ir_ref b_or(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y);
ir_ref b_xor(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y);
ir_ref b_shl(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y);
ir_ref b_shli(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned n);
ir_ref b_shri(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned n);
ir_ref b_sari(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned n);
ir_ref b_zext(struct ir_builder *b, ir_ref x);  /* I32 to I64 */
ir_ref b_sext(struct ir_builder *b, ir_ref x);
ir_ref b_trunc(struct ir_builder *b, ir_ref x); /* I64 to I32 */
ir_ref b_ubfx(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned pos, unsigned len);
ir_ref b_sbfx(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned pos, unsigned len);
ir_ref b_deposit(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned pos, unsigned len, ir_ref field);
/* x cc y in type t (integer or float). */
ir_ref b_setcc(struct ir_builder *b, enum ir_cc cc, enum ir_type t, ir_ref x, ir_ref y);
/* if x cc y (compared in type tc) then v else w, of type t. */
ir_ref b_selcc(struct ir_builder *b, enum ir_type t, enum ir_cc cc, enum ir_type tc, ir_ref x, ir_ref y, ir_ref v,
               ir_ref w);

/* --- memory: address base + (index << scale) + disp; index may be IR_NONE; with MEM_ALIGN it is the base --- */
ir_ref b_load(struct ir_builder *b, enum ir_type t, unsigned mem, ir_ref base, ir_ref index, unsigned scale,
              int64_t disp);
void b_store(struct ir_builder *b, enum ir_type t, unsigned mem, ir_ref base, ir_ref index, unsigned scale,
             int64_t disp, ir_ref value);
void b_fence(struct ir_builder *b, enum ir_fence kind);
/* op: AXCHG, AADD, …; `mem` gives size and extension. */
ir_ref b_atomic(struct ir_builder *b, enum ir_op op, enum ir_type t, unsigned mem, ir_ref addr, ir_ref v);
/* t may be V128 (16 bytes). */
ir_ref b_cas(struct ir_builder *b, enum ir_type t, unsigned mem, ir_ref addr, ir_ref expected, ir_ref desired);

/* --- leaving --- */
void b_goto(struct ir_builder *b, uint64_t pc);
void b_call_to(struct ir_builder *b, uint64_t pc, uint64_t return_pc);
void b_goto_if(struct ir_builder *b, enum ir_cc cc, enum ir_type t, ir_ref x, ir_ref y, uint64_t pc);
/* The same for what never comes back into this unit: the pc is to be translated on its own. */
void b_leave_if(struct ir_builder *b, enum ir_cc cc, enum ir_type t, ir_ref x, ir_ref y, uint64_t pc);
/* Does a label of the unit stand at the pc? Then no instruction in front of it can be merged with what follows it. */
bool b_is_label(const struct ir_builder *b, uint64_t pc);
/* Says of the exit just built (GOTO, GOTO_IF) that the slot is written before it is read at the target. */
void b_exit_dead(struct ir_builder *b, unsigned slot);
/* kind JUMP_PLAIN, JUMP_CALL (with return_pc) or JUMP_RETURN. */
void b_goto_ind(struct ir_builder *b, ir_ref target, enum ir_jump kind, uint64_t return_pc);
/* Leave to the run loop with pc and a reason of enum cpu_exit (exec/cpu.h). */
void b_trap(struct ir_builder *b, unsigned reason, uint64_t pc, uint64_t detail);

/*
 * Functions that are made part of the unit (build-loop.c): straight lines of at most LEAF_BYTES that leave the link
 * register alone and return by it. Is one at a call worth looking for?
 */
enum { LEAF_BYTES = 64 };
static inline bool b_inlines(const struct ir_builder *b)
{
    return b->region && b->region->inlines && !b->back && !b->breaks_at;
}
/*
 * An indirect call by the instruction at pc: what is called, to all appearance? False: not known, or it must not be
 * asked here.
 */
bool b_expects(const struct ir_builder *b, ir_ref target, uint64_t pc, uint64_t *expected);
/* The call of `bytes` of such code at `pc`, which is to come back to `back`: true if the front end goes on at pc. */
bool b_enter_leaf(struct ir_builder *b, uint64_t pc, uint32_t bytes, uint64_t back);
/* A return to `target` from there? Then the front end goes on at *pc, in the caller again. */
bool b_leave_leaf(struct ir_builder *b, ir_ref target, uint64_t *pc);
/* The unit has been left there otherwise: *pc becomes where the caller goes on. Elsewhere nothing happens. */
void b_abandon_leaf(struct ir_builder *b, uint64_t *pc);

/* Should the unit end here, before the guest instruction at pc? */
bool b_ends_here(const struct ir_builder *b, uint64_t pc);
/* Is there a breakpoint? */
bool b_breaks_at(const struct ir_builder *b, uint64_t pc);
/* Behind a terminator: goes the unit on, at *pc or further on? Then *pc says where. */
bool b_goes_on(struct ir_builder *b, uint64_t *pc);
/* In front of an instruction that b_ends_here(), behind the jump there: the same. */
bool b_resumes(struct ir_builder *b, uint64_t *pc);
/* After each time: true if it is to be made once more; b->region is ready for that. */
bool b_find_region(struct ir_builder *b);
/*
 * For the end of a unit: if it jumps back to its own start it is cut behind the last such jump, where the next guest
 * instruction begins; u->bytes may then say too much. True: it was cut, and goes on at *next; b_exit_dead() may follow.
 */
bool b_end_loop(struct ir_builder *b, uint64_t *next);

/* --- helpers: up to 6 arguments, as the signature says (without `e`) --- */
ir_ref b_call(struct ir_builder *b, const struct ir_helper *h, const ir_ref *args);
#define b_callv(b, h, ...) b_call((b), (h), (const ir_ref[]){__VA_ARGS__, 0})
#define b_call0(b, h)      b_call((b), (h), NULL)

/* --- vectors --- */
ir_ref b_v1(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x);
ir_ref b_v2(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x, ir_ref y);
ir_ref b_v3(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x, ir_ref y, ir_ref z);
/* the same with the immediate of the op's row (VFRINT, VFTOS, VFTOU: the rounding mode) */
ir_ref b_v1i(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x, int64_t imm);
ir_ref b_v2i(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x, ir_ref y, int64_t imm);
ir_ref b_vlow(struct ir_builder *b, enum ir_type t, ir_ref x);  /* lane 0 */
ir_ref b_vzext(struct ir_builder *b, enum ir_type from, ir_ref x);
ir_ref b_vdup(struct ir_builder *b, enum ir_lane lane, ir_ref x); /* from I32 (B, H, S) or I64 (D) */
ir_ref b_vget(struct ir_builder *b, enum ir_type t, enum ir_lane lane, ir_ref x, unsigned i, bool sign);
ir_ref b_vset(struct ir_builder *b, enum ir_lane lane, ir_ref x, unsigned i, ir_ref v);

/* --- sticky floating-point flags: I32, bits as in the op's row --- */
ir_ref b_fflags(struct ir_builder *b);
void b_fsetflags(struct ir_builder *b, ir_ref flags);

/* --- conversions with a rounding mode (FP_DYN: the guest's dynamic mode) --- */
ir_ref b_frint(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned rm, bool quiet_inexact);
ir_ref b_ftoi(struct ir_builder *b, bool is_signed, enum ir_type to, enum ir_type from, ir_ref x, unsigned rm);
ir_ref b_itof(struct ir_builder *b, bool is_signed, enum ir_type to, enum ir_type from, ir_ref x);
ir_ref b_bitcast(struct ir_builder *b, enum ir_type to, enum ir_type from, ir_ref x);

#endif
