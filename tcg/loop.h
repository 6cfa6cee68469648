/*
 * Counted loops made loops of vectors, in units of hot code: what the files of this pass share. The loop is one stretch
 * of instructions from a label (or the unit's start) to the jump back, with forward branches around assignments; it
 * reads and writes memory at addresses that advance by a constant, and leaves when a register that does likewise
 * reaches a bound.
 *
 *   loop-read.c    reads the stretch as expressions of one round: struct node
 *   loop-plan.c    what each guest register does from round to round, which expressions lanes of a vector can hold, and
 *                  what has to be tested before
 *   loop-vector.c  makes the loop of vectors in front of the label
 *
 * A round of the new loop is `rounds` of the guest's. All its loads come first, then its stores, then its PUTs, so a
 * fault finds the guest registers of the round's start; it does not reach the guest, but goes on in the guest's own
 * loop, which faults again where it should, or does not (IR_OWN). Everything the new loop cannot do is left to the
 * guest's loop, too.
 */
#ifndef TCG_LOOP_H
#define TCG_LOOP_H

#include "tcg/build.h"

enum {
    LOOP_NODES = 512,
    LOOP_ACCESSES = 24,
    LOOP_TERMS = 4,
    LOOP_SLOTS = IR_MAX_SLOTS,
    LOOP_ADDENDS = 8,
    LOOP_PARTS = 2
};

enum { IMPURE = 0x80, MANY = 64 };
typedef uint16_t node_ref; /* 0: none */

/* An expression of one round: an IR instruction whose arguments are nodes. GET is a register's value at the round's
 * start. */
struct node {
    struct ir_inst in; /* arg[] not used */
    node_ref arg[IR_MAX_ARGS];
    uint16_t uses;
    uint8_t kinds; /* bits: of the registers that it is made of; IMPURE: and of memory */
    uint8_t size;  /* nodes it is made of, those used twice counted twice, at most MANY */
    /* loop-plan.c: */
    uint8_t state;           /* enum node_state */
    bool low;                /* lanes hold the low 32 bits of a value from 0 to 2^32 - 1 */
    int64_t min, max;        /* the value as a signed number is between these */
    ir_ref made[LOOP_PARTS]; /* loop-vector.c: the vector, IR_NONE: not yet */
};

/* c + the sum of by * (slot at the round's start); `step` more in every round. */
struct affine {
    unsigned n;
    struct {
        uint8_t slot;
        int64_t by;
    } term[LOOP_TERMS];
    int64_t c, step;
};

enum access_form {
    ACCESS_ONE,    /* the same address in every round */
    ACCESS_LANES,  /* 16 bytes are the lanes: in each lane a part, all rounds' parts at the same place */
    ACCESS_NARROW, /* a row of elements, narrower than lanes */
    ACCESS_EACH,   /* elements are loaded one by one */
};
struct access {
    node_ref node; /* LD or ST */
    bool store, after_store;
    uint8_t size;  /* bytes */
    uint8_t form;  /* enum access_form */
    uint8_t place; /* LANES: byte inside the lane */
    struct affine at;
    ir_ref row[LOOP_PARTS]; /* loop-vector.c, LANES: the 16 bytes, of the first that shares them */
};

enum slot_kind {
    SLOT_FIXED, /* never written */
    SLOT_STEP,  /* step more in every round; */
    SLOT_SUM,   /* the sum of addends, and of its old value */
    SLOT_SAME,  /* what the SUM `of` becomes, its extension perhaps another one */
    SLOT_LAST,  /* what a round computes without the old value, which may be read, too: it is the former round's */
};
/* Of STEP and SUM: additions of 64 bits, of 32 that are then extended. */
enum slot_width { WIDE, SIGNED_32, UNSIGNED_32 };
struct loop_slot {
    node_ref first, last; /* GET; the value PUT last, 0: none */
    uint8_t kind;         /* enum slot_kind */
    uint8_t width;        /* enum slot_width */
    uint8_t of;
    bool extended; /* SUM: the value that the loop begins with must be, too */
    bool guarded;  /* min to max is expected of the value the loop begins with: */
    int64_t min, max;
    int64_t step;
    unsigned naddends;
    node_ref addend[LOOP_ADDENDS];
};

struct loop {
    const struct ir_unit *u;
    ir_ref head, back; /* the LABEL, or IR_NONE: the unit's start; the jump back */
    uint64_t pc, exit;
    unsigned n; /* nodes, the first is none */
    struct node node[LOOP_NODES];
    unsigned naccesses;
    struct access access[LOOP_ACCESSES];
    struct loop_slot slot[LOOP_SLOTS];
    unsigned nslots; /* those used, in the order of their first use */
    uint8_t used[LOOP_SLOTS];
    /* The jump back: */
    enum ir_cc cc;
    enum ir_type type;
    node_ref compared[2];
    /* loop-plan.c: */
    enum ir_lane lane;
    unsigned rounds, parts; /* parts vectors make all lanes of a value */
    bool strict;            /* what is loaded may not be stored to at all, not even later in the round */
    struct {
        int64_t step; /* of what is compared; */
        bool narrow;  /* by its low 32 bits: */
        bool of_slot; /* the narrow STEP `slot`, */
        uint8_t slot;
        struct affine at;   /* or this */
        node_ref bound;     /* fixed; */
        bool bound_extends; /* it must be the extension of its low half */
        enum ir_cc cc;      /* go on while the former `cc` the latter, */
        enum ir_cc before;  /* which holds now if this does; NE: always */
    } count;
};

/* loop-read.c: false: it is no such loop. `back` is a GOTO_IF. */
bool loop_read(struct loop *l, const struct ir_unit *u, ir_ref back);
/* loop-plan.c: false: vectors cannot do it, or would not be faster. */
bool loop_plan(struct loop *l);
/* Is it the same in all rounds? Does it depend on nothing but registers that are FIXED or STEP? */
bool loop_fixed(const struct loop *l, node_ref n);
bool loop_scalar(const struct loop *l, node_ref n);
bool loop_same_base(const struct affine *x, const struct affine *y);
static inline bool loop_const(const struct loop *l, node_ref n, int64_t *v)
{
    const struct ir_inst *in = &l->node[n].in;
    *v = in->type == IR_I32 ? (int32_t)in->imm : in->imm;
    return in->op == IR_CONST;
}
static inline unsigned loop_lanes(const struct loop *l) { return 16u >> l->lane; }
/* Stores and loads that are this many bytes apart do not meet in a round of the new loop. */
static inline uint64_t loop_reach(const struct loop *l, const struct access *store)
{
    return l->rounds * store->at.step + 16;
}

#endif
