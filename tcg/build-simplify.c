/*
 * Identities. One function per op, listed in the table at the end; the law stands above it, x y for values, c d
 * for constants, t for the width. A rule must hold for every operand value, must not raise or lose flags, and
 * must not make a longer dependency than it removes.
 */
#include "tcg/build-internal.h"

typedef ir_ref rule_fn(struct ir_builder *b, struct ir_inst *in);

static const struct ir_inst *def(const struct ir_builder *b, ir_ref r) { return &b->u->inst[r]; }
static bool is_op(const struct ir_builder *b, ir_ref r, enum ir_op op) { return def(b, r)->op == op; }
static unsigned width(enum ir_type t) { return t == IR_I64 ? 64 : 32; }
static uint64_t all_ones(enum ir_type t) { return t == IR_I64 ? ~UINT64_C(0) : UINT32_MAX; }
static bool power_of_2(uint64_t c) { return c && !(c & (c - 1)); }

/* r is `op y, c` in type t; *c gets the constant. */
static bool is_op_const(const struct ir_builder *b, ir_ref r, enum ir_op op, enum ir_type t, uint64_t *c)
{
    return is_op(b, r, op) && def(b, r)->type == t && b_is_const(b, def(b, r)->arg[1], c);
}

/* Is bit 31 of the I32 value r known to be zero? */
static bool clear_bit31(const struct ir_builder *b, ir_ref r)
{
    const struct ir_inst *in = def(b, r);
    uint64_t c;
    switch (in->op) {
    case IR_SETCC:
    case IR_CLZ:
    case IR_CTZ:
    case IR_POPCNT: return true;
    case IR_LD: return (in->mem & MEM_SIZE) < MEM_U32 && !(in->mem & MEM_SIGN);
    case IR_UBFX: return in->imm2 <= 31;
    case IR_SHR: return b_is_const(b, in->arg[1], &c) && (c & 31);
    case IR_AND: return b_is_const(b, in->arg[1], &c) && c <= INT32_MAX;
    default: return false;
    }
}

enum { SEEN_THROUGH = 3 }; /* bitwise ops that the two questions below look through, one behind the other */

static bool upper_zero_at(const struct ir_builder *b, ir_ref r, unsigned depth)
{
    const struct ir_inst *in = def(b, r);
    uint64_t c;
    switch (in->op) {
    case IR_ZEXT: return true;
    case IR_CONST: return (uint64_t)in->imm <= UINT32_MAX;
    case IR_LD: return in->type == IR_I64 && (in->mem & MEM_SIZE) <= MEM_U32 && !(in->mem & MEM_SIGN);
    case IR_UBFX: return in->imm2 <= 32;
    case IR_SHR: return b_is_const(b, in->arg[1], &c) && (c & 63) >= 32;
    case IR_AND:
        return depth && (upper_zero_at(b, in->arg[0], depth - 1) || upper_zero_at(b, in->arg[1], depth - 1));
    case IR_OR:
    case IR_XOR:
        return depth && upper_zero_at(b, in->arg[0], depth - 1) && upper_zero_at(b, in->arg[1], depth - 1);
    case IR_SELCC:
        return depth && upper_zero_at(b, in->arg[2], depth - 1) && upper_zero_at(b, in->arg[3], depth - 1);
    default: return false;
    }
}

/* Are the upper 32 bits of the I64 value r known to be zero? */
static bool upper_zero(const struct ir_builder *b, ir_ref r)
{
    return upper_zero_at(b, r, SEEN_THROUGH);
}

static bool upper_sign_at(const struct ir_builder *b, ir_ref r, unsigned depth)
{
    const struct ir_inst *in = def(b, r);
    uint64_t c;
    switch (in->op) {
    case IR_SEXT: return true;
    case IR_CONST: return in->imm == (int32_t)in->imm;
    case IR_LD: return (in->mem & MEM_SIZE) < MEM_U32 || ((in->mem & MEM_SIZE) == MEM_U32 && (in->mem & MEM_SIGN));
    case IR_SBFX: return in->imm2 <= 32;
    case IR_UBFX: return in->imm2 <= 31;
    case IR_SAR: return b_is_const(b, in->arg[1], &c) && (c & 63) >= 32;
    case IR_SHR: return b_is_const(b, in->arg[1], &c) && (c & 63) > 32;
    case IR_ZEXT: return clear_bit31(b, in->arg[0]);
    case IR_AND:
        if (b_is_const(b, in->arg[1], &c) && c <= INT32_MAX)
            return true;
        /* fall through */
    case IR_OR:
    case IR_XOR:
    case IR_ANDN:
        return depth && upper_sign_at(b, in->arg[0], depth - 1) && upper_sign_at(b, in->arg[1], depth - 1);
    case IR_NOT: return depth && upper_sign_at(b, in->arg[0], depth - 1);
    case IR_SELCC:
        return depth && upper_sign_at(b, in->arg[2], depth - 1) && upper_sign_at(b, in->arg[3], depth - 1);
    default: return false;
    }
}

/* Is the I64 value r known to be the sign extension of its low half? */
static bool upper_sign(const struct ir_builder *b, ir_ref r)
{
    return upper_sign_at(b, r, SEEN_THROUGH);
}

/* x + 0 = x; (x + c) + d = x + (c + d) */
static ir_ref rule_add(struct ir_builder *b, struct ir_inst *in)
{
    ir_ref x = in->arg[0], y = in->arg[1];
    uint64_t c, d;
    if (b_is_const(b, y, &c)) {
        if (!c)
            return x;
        if (is_op_const(b, x, IR_ADD, in->type, &d))
            return b_op2(b, IR_ADD, in->type, def(b, x)->arg[0], b_const(b, in->type, c + d));
    }
    return IR_NONE;
}

/* x - x = 0; x - c = x + -c; 0 - x = -x */
static ir_ref rule_sub(struct ir_builder *b, struct ir_inst *in)
{
    ir_ref x = in->arg[0], y = in->arg[1];
    uint64_t c;
    if (x == y)
        return b_const(b, in->type, 0);
    if (b_is_const(b, y, &c))
        return b_op2(b, IR_ADD, in->type, x, b_const(b, in->type, -c));
    if (b_is_const(b, x, &c) && !c)
        return b_op1(b, IR_NEG, in->type, y);
    return IR_NONE;
}

/* --x = x, ~~x = x, and likewise for every op that is its own inverse */
static ir_ref rule_involution(struct ir_builder *b, struct ir_inst *in)
{
    const struct ir_inst *x = def(b, in->arg[0]);
    return x->op == in->op && x->type == in->type ? x->arg[0] : IR_NONE;
}

/* x * 0 = 0; x * 1 = x; x * 2^n = x << n */
static ir_ref rule_mul(struct ir_builder *b, struct ir_inst *in)
{
    uint64_t c;
    if (!b_is_const(b, in->arg[1], &c))
        return IR_NONE;
    if (!c)
        return in->arg[1];
    return power_of_2(c) ? b_shli(b, in->type, in->arg[0], __builtin_ctzll(c)) : IR_NONE;
}

/* x / 2^n = x >> n, unsigned */
static ir_ref rule_divu(struct ir_builder *b, struct ir_inst *in)
{
    uint64_t c;
    return b_is_const(b, in->arg[1], &c) && power_of_2(c) ? b_shri(b, in->type, in->arg[0], __builtin_ctzll(c))
                                                          : IR_NONE;
}

/* x mod 2^n = x & (2^n - 1), unsigned */
static ir_ref rule_remu(struct ir_builder *b, struct ir_inst *in)
{
    uint64_t c;
    return b_is_const(b, in->arg[1], &c) && power_of_2(c)
               ? b_op2(b, IR_AND, in->type, in->arg[0], b_const(b, in->type, c - 1))
               : IR_NONE;
}

/* x & x = x; x & 0 = 0; x & ~0 = x; x & the low half = zext(trunc x); (x & c) & d = x & (c & d) */
static ir_ref rule_and(struct ir_builder *b, struct ir_inst *in)
{
    ir_ref x = in->arg[0], y = in->arg[1];
    uint64_t c, d;
    if (x == y)
        return x;
    if (!b_is_const(b, y, &c))
        return IR_NONE;
    if (!c)
        return y;
    if (c == all_ones(in->type))
        return x;
    if (in->type == IR_I64 && c == UINT32_MAX)
        return b_zext(b, b_trunc(b, x));
    if (is_op_const(b, x, IR_AND, in->type, &d))
        return b_op2(b, IR_AND, in->type, def(b, x)->arg[0], b_const(b, in->type, c & d));
    return IR_NONE;
}

/* x << c and x >> (t - c) in type t: the distance of the rotation right that their OR is, else 0. */
static unsigned rotation(const struct ir_builder *b, enum ir_type t, ir_ref left, ir_ref right)
{
    uint64_t c, d;
    bool both = is_op_const(b, left, IR_SHL, t, &c) && is_op_const(b, right, IR_SHR, t, &d) &&
                def(b, left)->arg[0] == def(b, right)->arg[0];
    return both && c + d == width(t) ? d : 0;
}

/*
 * x | x = x; x | 0 = x; x | ~0 = ~0; x << c | x >> (t - c) is a rotation, also of a word that is sign-extended
 * afterwards: RISC-V's SLLIW, SRLIW and OR, where the shift right has been found to have no sign
 */
static ir_ref rule_or(struct ir_builder *b, struct ir_inst *in)
{
    ir_ref x = in->arg[0], y = in->arg[1];
    uint64_t c;
    if (x == y)
        return x;
    if (b_is_const(b, y, &c))
        return !c ? x : c == all_ones(in->type) ? y : IR_NONE;
    for (unsigned k = 0; k < 2; k++) {
        ir_ref left = in->arg[k], right = in->arg[1 - k];
        unsigned n = rotation(b, in->type, left, right);
        if (n)
            return b_op2(b, IR_ROTR, in->type, def(b, left)->arg[0], b_const(b, in->type, n));
        if (!is_op(b, left, IR_SEXT) || !is_op(b, right, IR_ZEXT))
            continue;
        left = def(b, left)->arg[0];
        n = rotation(b, IR_I32, left, def(b, right)->arg[0]);
        if (n)
            return b_sext(b, b_op2(b, IR_ROTR, IR_I32, def(b, left)->arg[0], b_i32(b, n)));
    }
    return IR_NONE;
}

/* x ^ x = 0; x ^ 0 = x; x ^ ~0 = ~x */
static ir_ref rule_xor(struct ir_builder *b, struct ir_inst *in)
{
    ir_ref x = in->arg[0], y = in->arg[1];
    uint64_t c;
    if (x == y)
        return b_const(b, in->type, 0);
    if (!b_is_const(b, y, &c))
        return IR_NONE;
    return !c ? x : c == all_ones(in->type) ? b_op1(b, IR_NOT, in->type, x) : IR_NONE;
}

/* x & ~x = 0; x & ~c = x & (~c); 0 & ~x = 0 */
static ir_ref rule_andn(struct ir_builder *b, struct ir_inst *in)
{
    ir_ref x = in->arg[0], y = in->arg[1];
    uint64_t c;
    if (x == y)
        return b_const(b, in->type, 0);
    if (b_is_const(b, y, &c))
        return b_op2(b, IR_AND, in->type, x, b_const(b, in->type, ~c));
    return b_is_const(b, x, &c) && !c ? x : IR_NONE;
}

/*
 * A shift by 0 is nothing; distances are taken mod t;
 * (x << c) << d = x << (c + d) below t; (x << c) >> d = the field of x at d - c, d >= c, with or without sign;
 * with d < c it is the low field of x << (c - d), which is better where the field is an extension: hosts' addressing
 * modes shift, and RISC-V code without Zba extends and scales so
 */
static ir_ref rule_shift(struct ir_builder *b, struct ir_inst *in)
{
    ir_ref x = in->arg[0];
    unsigned t = width(in->type);
    uint64_t d, c;
    if (b_is_const(b, x, &c) && !c)
        return x;
    if (!b_is_const(b, in->arg[1], &d))
        return IR_NONE;
    d &= t - 1;
    if (!d)
        return x;
    if (in->op != IR_ROTR && is_op_const(b, x, IR_SHL, in->type, &c)) {
        c &= t - 1;
        if (in->op == IR_SHL && c + d < t)
            return b_shli(b, in->type, def(b, x)->arg[0], c + d);
        if (in->op != IR_SHL && d >= c)
            return in->op == IR_SHR ? b_ubfx(b, in->type, def(b, x)->arg[0], d - c, t - d)
                                    : b_sbfx(b, in->type, def(b, x)->arg[0], d - c, t - d);
        unsigned len = t - c;
        if (in->op != IR_SHL && (len == 8 || len == 16 || len == 32)) {
            ir_ref field = in->op == IR_SHR ? b_ubfx(b, in->type, def(b, x)->arg[0], 0, len)
                                            : b_sbfx(b, in->type, def(b, x)->arg[0], 0, len);
            return b_shli(b, in->type, field, c - d);
        }
    }
    in->arg[1] = b_const(b, in->type, d);
    return IR_NONE;
}

/* All of x: x; low half: extension; up to the top: a shift */
static ir_ref rule_field(struct ir_builder *b, struct ir_inst *in)
{
    unsigned t = width(in->type), pos = in->imm, len = in->imm2;
    bool is_signed = in->op == IR_SBFX;
    ir_ref x = in->arg[0];
    if (len == t)
        return x;
    if (in->type == IR_I64 && !pos && len == 32)
        return is_signed ? b_sext(b, b_trunc(b, x)) : b_zext(b, b_trunc(b, x));
    if (pos + len == t)
        return is_signed ? b_sari(b, in->type, x, pos) : b_shri(b, in->type, x, pos);
    return IR_NONE;
}

/* All of x replaced: y; a field of 0 into x: x & ~mask; a field into 0 up to the top: a shift */
static ir_ref rule_deposit(struct ir_builder *b, struct ir_inst *in)
{
    unsigned t = width(in->type), pos = in->imm, len = in->imm2;
    ir_ref x = in->arg[0], y = in->arg[1];
    uint64_t c;
    if (len == t)
        return y;
    if (b_is_const(b, y, &c) && !extract64(c, 0, len))
        return b_op2(b, IR_AND, in->type, x, b_const(b, in->type, ~deposit64(0, pos, len, ~UINT64_C(0))));
    if (b_is_const(b, x, &c) && !c) {
        if (pos + len == t)
            return b_shli(b, in->type, y, pos);
        if (!pos)
            return b_ubfx(b, in->type, y, 0, len);
    }
    return IR_NONE;
}

/* zext(trunc x) = x if the upper half of x is zero */
static ir_ref rule_zext(struct ir_builder *b, struct ir_inst *in)
{
    const struct ir_inst *x = def(b, in->arg[0]);
    return x->op == IR_TRUNC && upper_zero(b, x->arg[0]) ? x->arg[0] : IR_NONE;
}

/* sext(trunc x) = x if the upper half of x is copies of its bit 31; sext x = zext x if bit 31 is clear */
static ir_ref rule_sext(struct ir_builder *b, struct ir_inst *in)
{
    const struct ir_inst *x = def(b, in->arg[0]);
    if (x->op == IR_TRUNC && upper_sign(b, x->arg[0]))
        return x->arg[0];
    return clear_bit31(b, in->arg[0]) ? b_zext(b, in->arg[0]) : IR_NONE;
}

/* trunc(zext x) = trunc(sext x) = x */
static ir_ref rule_trunc(struct ir_builder *b, struct ir_inst *in)
{
    const struct ir_inst *x = def(b, in->arg[0]);
    return x->op == IR_ZEXT || x->op == IR_SEXT ? x->arg[0] : IR_NONE;
}

static const uint8_t swapped_cc[CC_FOEQ] = {
    [CC_EQ] = CC_EQ,   [CC_NE] = CC_NE,   [CC_LTU] = CC_GTU, [CC_GEU] = CC_LEU,     [CC_LEU] = CC_GEU,     [CC_GTU] = CC_LTU,
    [CC_LTS] = CC_GTS, [CC_GES] = CC_LES, [CC_LES] = CC_GES, [CC_GTS] = CC_LTS, [CC_TSTEQ] = CC_TSTEQ, [CC_TSTNE] = CC_TSTNE,
};

/* x cc x; x <u 0, x >=u 0 */
int b_settle(struct ir_builder *b, struct ir_inst *in)
{
    uint64_t c, d;
    ir_ref x = in->arg[0], y = in->arg[1];
    if (b_is_const(b, x, &c)) {
        if (b_is_const(b, y, &d))
            return ir_int_cc(in->cc, in->type2 == IR_I64, c, d);
        in->arg[0] = y;
        in->arg[1] = x;
        in->cc = swapped_cc[in->cc];
    }
    if (x == y && in->cc < CC_TSTEQ)
        return ir_int_cc(in->cc, false, 0, 0);
    if (b_is_const(b, in->arg[1], &c) && !c && (in->cc == CC_LTU || in->cc == CC_GEU))
        return in->cc == CC_GEU;
    return -1;
}

static ir_ref rule_setcc(struct ir_builder *b, struct ir_inst *in)
{
    int known = b_settle(b, in);
    return known < 0 ? IR_NONE : b_i32(b, known);
}

/* c if true, d if false, x if both are x */
static ir_ref rule_selcc(struct ir_builder *b, struct ir_inst *in)
{
    if (in->arg[2] == in->arg[3])
        return in->arg[2];
    int known = b_settle(b, in);
    return known < 0 ? IR_NONE : in->arg[known ? 2 : 3];
}

/* x + y + 0 = x + y, in value and flags; it carries if less than x is left */
static ir_ref rule_carry(struct ir_builder *b, struct ir_inst *in)
{
    uint64_t c;
    if (!b_is_const(b, in->arg[2], &c) || c)
        return IR_NONE;
    if (in->op == IR_CARRY)
        return b_setcc(b, CC_LTU, in->type, b_add(b, in->type, in->arg[0], in->arg[1]), in->arg[0]);
    return b_op2(b, in->op == IR_ADC ? IR_ADD : IR_NZCV_ADD, in->type, in->arg[0], in->arg[1]);
}

/* The same bits there and back */
static ir_ref rule_bitcast(struct ir_builder *b, struct ir_inst *in)
{
    const struct ir_inst *x = def(b, in->arg[0]);
    if (in->type == in->type2)
        return in->arg[0];
    return x->op == IR_BITCAST && x->type2 == in->type ? x->arg[0] : IR_NONE;
}

/* unbox(nanbox x) = x */
static ir_ref rule_unbox(struct ir_builder *b, struct ir_inst *in)
{
    const struct ir_inst *x = def(b, in->arg[0]);
    return x->op == IR_NANBOX ? x->arg[0] : IR_NONE;
}

/* low(vzext x) = x, cast or cut to the type; the low half of VLO64, VCAT64 is that of their argument */
static ir_ref rule_vlow(struct ir_builder *b, struct ir_inst *in)
{
    const struct ir_inst *x = def(b, in->arg[0]);
    if (x->op == IR_VLO64 || x->op == IR_VCAT64)
        return b_vlow(b, in->type, x->arg[0]);
    if (x->op != IR_VZEXT)
        return IR_NONE;
    enum ir_type from = x->type2;
    ir_ref r = x->arg[0];
    if (from == in->type)
        return r;
    bool wide = in->type == IR_I64 || in->type == IR_F64, from_wide = from == IR_I64 || from == IR_F64;
    if (wide == from_wide)
        return b_bitcast(b, in->type, from, r);
    if (wide) /* zeros above */
        return in->type == IR_I64 ? b_zext(b, from == IR_I32 ? r : b_bitcast(b, IR_I32, from, r)) : IR_NONE;
    return in->type == IR_I32 ? b_trunc(b, from == IR_I64 ? r : b_bitcast(b, IR_I64, from, r)) : IR_NONE;
}

/* Whether the upper half of a vector is known to be zero; looks a few instructions back. */
static bool upper_half_zero(const struct ir_builder *b, ir_ref r, unsigned depth)
{
    const struct ir_inst *x = def(b, r);
    switch (x->op) {
    case IR_CONST: return !x->imm2;
    case IR_VZEXT:
    case IR_VLO64:
    case IR_VHI64:
    case IR_VFTRUNC: return true;
    case IR_VAND:
        return depth && (upper_half_zero(b, x->arg[0], depth - 1) || upper_half_zero(b, x->arg[1], depth - 1));
    case IR_VADD:
    case IR_VSUB:
    case IR_VMUL:
    case IR_VOR:
    case IR_VXOR:
    case IR_VUMIN:
    case IR_VUMAX:
    case IR_VSMIN:
    case IR_VSMAX:
        return depth && upper_half_zero(b, x->arg[0], depth - 1) && upper_half_zero(b, x->arg[1], depth - 1);
    case IR_VANDN:
    case IR_VSHLI:
    case IR_VUSHRI:
    case IR_VSSHRI:
    case IR_VREV:
    case IR_VNEG:
    case IR_VABS:
    case IR_VCNT:
    case IR_VUADDLP:
    case IR_VSADDLP: return depth && upper_half_zero(b, x->arg[0], depth - 1);
    default: return false;
    }
}

/* An operand of which only the low half counts */
static ir_ref low_half(const struct ir_builder *b, ir_ref r)
{
    const struct ir_inst *x = def(b, r);
    return x->op == IR_VLO64 || x->op == IR_VCAT64 ? x->arg[0] : r;
}

/* Reads low halves only */
static ir_ref rule_low_halves(struct ir_builder *b, struct ir_inst *in)
{
    for (unsigned k = 0; k < ir_facts[in->op].nargs; k++)
        in->arg[k] = low_half(b, in->arg[k]);
    return IR_NONE;
}

/*
 * A lane that fills the type has no sign to extend; lane 0 of that size is VLOW; of a smaller size of VZEXT, a field of
 * the number; lanes of the low half stand in what was cut or joined.
 */
static ir_ref rule_vget(struct ir_builder *b, struct ir_inst *in)
{
    const struct ir_inst *x = def(b, in->arg[0]);
    if (in->ir_lane_ == (in->type == IR_I64 ? LANE_D : LANE_S)) {
        in->ir_sub = 0;
        if (in->imm == 0)
            return b_vlow(b, in->type, in->arg[0]);
    } else if (in->imm == 0 && x->op == IR_VZEXT && x->type2 == in->type) {
        return in->ir_sub ? b_sbfx(b, in->type, x->arg[0], 0, 8 << in->ir_lane_)
                          : b_ubfx(b, in->type, x->arg[0], 0, 8 << in->ir_lane_);
    }
    if ((uint64_t)in->imm << in->ir_lane_ < 8)
        in->arg[0] = low_half(b, in->arg[0]);
    return IR_NONE;
}

static ir_ref rule_vlo64(struct ir_builder *b, struct ir_inst *in)
{
    in->arg[0] = low_half(b, in->arg[0]);
    return upper_half_zero(b, in->arg[0], 3) ? in->arg[0] : IR_NONE;
}

/* x & x = x | x = x */
static ir_ref rule_vand_vor(struct ir_builder *b, struct ir_inst *in)
{
    return in->arg[0] == in->arg[1] ? in->arg[0] : IR_NONE;
}

/* x ^ x = x & ~x = 0 */
static ir_ref rule_vzero(struct ir_builder *b, struct ir_inst *in)
{
    return in->arg[0] == in->arg[1] ? b_vconst(b, 0, 0) : IR_NONE;
}

static rule_fn *const rules[IR_OP_COUNT] = {
    [IR_ADD] = rule_add,        [IR_SUB] = rule_sub,        [IR_NEG] = rule_involution,  [IR_NOT] = rule_involution,
    [IR_MUL] = rule_mul,        [IR_DIVU] = rule_divu,      [IR_REMU] = rule_remu,       [IR_AND] = rule_and,
    [IR_OR] = rule_or,          [IR_XOR] = rule_xor,        [IR_ANDN] = rule_andn,       [IR_SHL] = rule_shift,
    [IR_SHR] = rule_shift,      [IR_SAR] = rule_shift,      [IR_ROTR] = rule_shift,      [IR_BSWAP] = rule_involution,
    [IR_UBFX] = rule_field,     [IR_SBFX] = rule_field,     [IR_DEPOSIT] = rule_deposit, [IR_ZEXT] = rule_zext,
    [IR_SEXT] = rule_sext,
    [IR_TRUNC] = rule_trunc,    [IR_SETCC] = rule_setcc,    [IR_SELCC] = rule_selcc,     [IR_ADC] = rule_carry,
    [IR_CARRY] = rule_carry,
    [IR_NZCV_ADC] = rule_carry, [IR_FNEG] = rule_involution, [IR_BITCAST] = rule_bitcast, [IR_UNBOX] = rule_unbox,
    [IR_VLOW] = rule_vlow,      [IR_VGET] = rule_vget,      [IR_VLO64] = rule_vlo64,     [IR_VAND] = rule_vand_vor,
    [IR_VCAT64] = rule_low_halves, [IR_VUWIDEN ... IR_VSWIDEN] = rule_low_halves,
    [IR_VUMULL ... IR_VSMULL] = rule_low_halves, [IR_CLMUL64] = rule_low_halves,
    [IR_VOR] = rule_vand_vor,   [IR_VXOR] = rule_vzero,     [IR_VANDN] = rule_vzero,     [IR_VNOT] = rule_involution,
};

ir_ref b_simplify(struct ir_builder *b, struct ir_inst *in)
{
    return rules[in->op] ? rules[in->op](b, in) : IR_NONE;
}
