/*
 * Shapes comparisons for the machine. Of SETCC, SELCC and GOTO_IF:
 *   x & y ==, != 0               becomes  x tsteq, tstne y
 *   (a cc b) !=, == 0            becomes  a cc b, or its negation
 *   zext x, sext x cc constant   becomes  a comparison of the 32-bit x where the constant allows it
 * A comparison of floats moves only if it is not needed otherwise and nothing between can tell (it raises flags).
 */
#include "tcg/passes.h"

#include <stdlib.h>

#include "base/log.h"

struct shaping {
    struct ir_unit *u;
    uint16_t *uses; /* of each value, saturating */
};

static bool is_const(const struct ir_unit *u, ir_ref r, uint64_t *v)
{
    const struct ir_inst *in = &u->inst[r];
    if (in->op != IR_CONST || (in->type != IR_I32 && in->type != IR_I64))
        return false;
    *v = in->imm;
    return true;
}

static void use(struct shaping *s, ir_ref r, int by)
{
    if (s->uses[r] != UINT16_MAX)
        s->uses[r] += by;
}

static void set_args(struct shaping *s, struct ir_inst *in, ir_ref a, ir_ref b)
{
    use(s, a, 1);
    use(s, b, 1);
    use(s, in->arg[0], -1);
    use(s, in->arg[1], -1);
    in->arg[0] = a;
    in->arg[1] = b;
}

/* Is there nothing between the two that reads flags, changes modes or makes the state visible? */
static bool quiet_between(const struct ir_unit *u, ir_ref from, ir_ref to)
{
    for (ir_ref r = from + 1; r < to; r++) {
        const struct ir_inst *in = &u->inst[r];
        if (in->op == IR_FFLAGS || in->op == IR_FSETFLAGS ||
            (ir_props(in) & (IR_P_FAULT | IR_P_CALL | IR_P_SIDE_EXIT)))
            return false;
    }
    return true;
}

/* A constant of the type with the value, if an earlier instruction has it. */
static ir_ref find_const(const struct ir_unit *u, ir_ref before, enum ir_type t, uint64_t v)
{
    for (ir_ref r = before; r-- > 1;)
        if (u->inst[r].op == IR_CONST && u->inst[r].type == t && (uint64_t)u->inst[r].imm == v)
            return r;
    return IR_NONE;
}

static bool shape_set(struct shaping *s, ir_ref r, struct ir_inst *in, ir_ref x)
{
    struct ir_inst *set = &s->u->inst[x];
    bool flags = set->cc >= CC_FOEQ;
    if (flags && (s->uses[x] != 1 || !quiet_between(s->u, x, r)))
        return false;
    in->type2 = set->type2;
    in->cc = in->cc == CC_NE ? set->cc : set->cc ^ 1;
    set_args(s, in, set->arg[0], set->arg[1]);
    if (flags) { /* its flags are raised here now */
        use(s, set->arg[0], -1);
        use(s, set->arg[1], -1);
        *set = (struct ir_inst){.op = IR_NOP};
    }
    return true;
}

/*
 * May `x cc c` in 64 bits, x extended from 32, be decided in 32 bits with the low half of c? Sign extension keeps
 * both orders; zero extension the unsigned one; a bit test needs a mask without the upper half.
 */
static bool narrows(enum ir_op extension, enum ir_cc cc, uint64_t c)
{
    if (cc >= CC_TSTEQ)
        return c <= (extension == IR_ZEXT ? UINT32_MAX : INT32_MAX);
    if (extension == IR_SEXT)
        return (int64_t)c == (int32_t)c;
    return c <= UINT32_MAX && cc < CC_LTS;
}

/* One step; true if something changed. */
static bool shape(struct shaping *s, ir_ref r)
{
    struct ir_unit *u = s->u;
    struct ir_inst *in = &u->inst[r];
    const struct ir_inst *x = &u->inst[in->arg[0]];
    uint64_t c;

    if (in->cc >= CC_FOEQ || !is_const(u, in->arg[1], &c))
        return false;
    bool zero_test = !c && (in->cc == CC_EQ || in->cc == CC_NE), extended = x->op == IR_ZEXT || x->op == IR_SEXT;
    if (zero_test && extended && u->inst[x->arg[0]].op == IR_SETCC && u->inst[x->arg[0]].cc < CC_FOEQ)
        return shape_set(s, r, in, x->arg[0]);
    if (in->type2 == IR_I64 && extended && narrows(x->op, in->cc, c)) {
        ir_ref narrow = find_const(u, r, IR_I32, (uint32_t)c);
        /* The 64-bit constant, if this is its only reader, becomes the narrow one. */
        if (narrow == IR_NONE && s->uses[in->arg[1]] == 1) {
            narrow = in->arg[1];
            u->inst[narrow].type = IR_I32;
            u->inst[narrow].imm = (uint32_t)c;
        }
        if (narrow == IR_NONE)
            return false;
        in->type2 = IR_I32;
        set_args(s, in, x->arg[0], narrow);
        return true;
    }
    if (!zero_test)
        return false;
    if (x->op == IR_SETCC)
        return shape_set(s, r, in, in->arg[0]);
    if (x->op == IR_AND) {
        in->cc = in->cc == CC_EQ ? CC_TSTEQ : CC_TSTNE;
        set_args(s, in, x->arg[0], x->arg[1]);
        return true;
    }
    return false;
}

void ir_pass_compare(struct ir_unit *u)
{
    struct shaping s = {u, calloc(u->n, sizeof *s.uses)};
    CHECK(s.uses);
    for (ir_ref r = 1; r < u->n; r++)
        for (unsigned k = 0, n = ir_nargs(&u->inst[r]); k < n; k++)
            use(&s, u->inst[r].arg[k], 1);
    for (ir_ref r = 1; r < u->n; r++) {
        enum ir_op op = u->inst[r].op;
        if (op == IR_SETCC || op == IR_SELCC || op == IR_GOTO_IF)
            while (shape(&s, r))
                ;
    }
    free(s.uses);
}
