/*
 * Scalar floating-point arithmetic, comparisons, selection, moves: Arm ARM C4.1.97 and the instruction pages of C7.2.
 * Single and double precision are IR operations; half precision, and everything while FPCR holds modes outside
 * MXCSR's reach, are helpers (helper-fp.c). A scalar result zeroes the register above it.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/helpers.h"
#include "targets/aarch64/trans-fp.h"

/* --- operands --- */

bool a64_fp_by_helper(const DisasContext *s, unsigned ftype)
{
    return ftype == FTYPE_H || (s->mode & A64_MODE_SOFT_FP);
}

static enum ir_type type_of(unsigned ftype) { return ftype == FTYPE_D ? IR_F64 : IR_F32; }

ir_ref a64_read_fp(DisasContext *s, unsigned ftype, unsigned r)
{
    return b_vlow(s->b, type_of(ftype), a64_read_v(s, r));
}

void a64_write_fp(DisasContext *s, unsigned ftype, unsigned r, ir_ref v)
{
    a64_write_v(s, r, b_vzext(s->b, type_of(ftype), v));
}

ir_ref a64_read_fp_bits(DisasContext *s, unsigned r)
{
    return b_vlow(s->b, IR_I64, a64_read_v(s, r));
}

void a64_write_fp_bits(DisasContext *s, unsigned r, ir_ref v)
{
    a64_write_v(s, r, b_vzext(s->b, IR_I64, v));
}

/* --- arithmetic --- */

static bool arith1(DisasContext *s, arg_FSQRT *a, enum ir_op op, enum a64_fp1 soft)
{
    struct ir_builder *b = s->b;
    if (a64_fp_by_helper(s, a->ftype)) {
        ir_ref x = a64_read_fp_bits(s, a->rn);
        a64_write_fp_bits(s, a->rd, b_callv(b, &a64_helper_fp1, b_i32(b, a64_fp_op(soft, a->ftype)), x));
    } else {
        a64_write_fp(s, a->ftype, a->rd, b_op1(b, op, type_of(a->ftype), a64_read_fp(s, a->ftype, a->rn)));
    }
    return true;
}

bool a64_trans_FSQRT(DisasContext *s, arg_FSQRT *a) { return arith1(s, a, IR_FSQRT, A64_FP_SQRT); }

/* Bits that FNEG and FABS concern. */
static uint64_t sign_bit(unsigned ftype)
{
    return UINT64_C(1) << (ftype == FTYPE_H ? 15 : ftype == FTYPE_S ? 31 : 63);
}

static bool arith2(DisasContext *s, arg_FADD *a, enum ir_op op, enum a64_fp2 soft, bool negate)
{
    struct ir_builder *b = s->b;
    unsigned ftype = a->ftype;
    if (a64_fp_by_helper(s, ftype)) {
        ir_ref x = a64_read_fp_bits(s, a->rn), y = a64_read_fp_bits(s, a->rm);
        ir_ref r = b_callv(b, &a64_helper_fp2, b_i32(b, a64_fp_op(soft, ftype)), x, y);
        a64_write_fp_bits(s, a->rd, negate ? b_xor(b, IR_I64, r, b_i64(b, sign_bit(ftype))) : r);
    } else {
        enum ir_type t = type_of(ftype);
        ir_ref r = b_op2(b, op, t, a64_read_fp(s, ftype, a->rn), a64_read_fp(s, ftype, a->rm));
        a64_write_fp(s, ftype, a->rd, negate ? b_op1(b, IR_FNEG, t, r) : r);
    }
    return true;
}

bool a64_trans_FADD(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FADD, A64_FP_ADD, false); }
bool a64_trans_FSUB(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FSUB, A64_FP_SUB, false); }
bool a64_trans_FMUL(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FMUL, A64_FP_MUL, false); }
bool a64_trans_FNMUL(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FMUL, A64_FP_MUL, true); }
bool a64_trans_FDIV(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FDIV, A64_FP_DIV, false); }
bool a64_trans_FMAX(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FMAX, A64_FP_MAX, false); }
bool a64_trans_FMIN(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FMIN, A64_FP_MIN, false); }
bool a64_trans_FMAXNM(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FMAXNUM, A64_FP_MAXNUM, false); }
bool a64_trans_FMINNM(DisasContext *s, arg_FADD *a) { return arith2(s, a, IR_FMINNUM, A64_FP_MINNUM, false); }

/* (-)Ra + (-)Rn * Rm; negated operands are negated before anything else, NaNs too (FPNeg). */
static bool multiply_add(DisasContext *s, arg_FMADD *a, bool negate_n, bool negate_a)
{
    struct ir_builder *b = s->b;
    unsigned ftype = a->ftype;
    if (a64_fp_by_helper(s, ftype)) {
        ir_ref sign = b_i64(b, sign_bit(ftype));
        ir_ref x = a64_read_fp_bits(s, a->rn), y = a64_read_fp_bits(s, a->rm), z = a64_read_fp_bits(s, a->ra);
        if (negate_n)
            x = b_xor(b, IR_I64, x, sign);
        if (negate_a)
            z = b_xor(b, IR_I64, z, sign);
        a64_write_fp_bits(s, a->rd, b_callv(b, &a64_helper_fma, b_i32(b, a64_fp_op(0, ftype)), x, y, z));
    } else {
        enum ir_type t = type_of(ftype);
        ir_ref x = a64_read_fp(s, ftype, a->rn), y = a64_read_fp(s, ftype, a->rm), z = a64_read_fp(s, ftype, a->ra);
        if (negate_n)
            x = b_op1(b, IR_FNEG, t, x);
        if (negate_a)
            z = b_op1(b, IR_FNEG, t, z);
        a64_write_fp(s, ftype, a->rd, b_op3(b, IR_FMA, t, x, y, z));
    }
    return true;
}

bool a64_trans_FMADD(DisasContext *s, arg_FMADD *a) { return multiply_add(s, a, false, false); }
bool a64_trans_FMSUB(DisasContext *s, arg_FMADD *a) { return multiply_add(s, a, true, false); }
bool a64_trans_FNMADD(DisasContext *s, arg_FMADD *a) { return multiply_add(s, a, true, true); }
bool a64_trans_FNMSUB(DisasContext *s, arg_FMADD *a) { return multiply_add(s, a, false, true); }

/* --- moves: no flags, no flushing --- */

bool a64_trans_FMOV_reg(DisasContext *s, arg_FMOV_reg *a)
{
    if (a->ftype == FTYPE_H)
        a64_write_v(s, a->rd, b_vzext(s->b, IR_I32, b_vget(s->b, IR_I32, LANE_H, a64_read_v(s, a->rn), 0, false)));
    else
        a64_write_fp(s, a->ftype, a->rd, a64_read_fp(s, a->ftype, a->rn));
    return true;
}

static bool change_sign(DisasContext *s, arg_FMOV_reg *a, enum ir_op op)
{
    struct ir_builder *b = s->b;
    if (a->ftype == FTYPE_H) {
        ir_ref x = b_vget(b, IR_I32, LANE_H, a64_read_v(s, a->rn), 0, false);
        x = op == IR_FNEG ? b_xor(b, IR_I32, x, b_i32(b, 0x8000)) : b_and(b, IR_I32, x, b_i32(b, 0x7fff));
        a64_write_v(s, a->rd, b_vzext(b, IR_I32, x));
    } else {
        a64_write_fp(s, a->ftype, a->rd, b_op1(b, op, type_of(a->ftype), a64_read_fp(s, a->ftype, a->rn)));
    }
    return true;
}

bool a64_trans_FNEG(DisasContext *s, arg_FMOV_reg *a) { return change_sign(s, a, IR_FNEG); }
bool a64_trans_FABS(DisasContext *s, arg_FMOV_reg *a) { return change_sign(s, a, IR_FABS); }

/* VFPExpandImm: sign, exponent NOT(b):b…b:cd, fraction efgh */
bool a64_trans_FMOV_imm(DisasContext *s, arg_FMOV_imm *a)
{
    static const struct {
        uint8_t exp, frac;
    } format[] = {[FTYPE_S] = {8, 23}, [FTYPE_D] = {11, 52}, [FTYPE_H] = {5, 10}};
    unsigned e = format[a->ftype].exp, f = format[a->ftype].frac;
    uint64_t sign = a->imm >> 7, top = a->imm >> 6 & 1;
    uint64_t exp = (top ? (UINT64_C(1) << (e - 3)) - 1 : UINT64_C(1) << (e - 3)) << 2 | (a->imm >> 4 & 3);
    uint64_t bits = sign << (e + f) | exp << f | (uint64_t)(a->imm & 15) << (f - 4);
    a64_write_v(s, a->rd, b_vconst(s->b, bits, 0));
    return true;
}

bool a64_trans_FMOV_to_gen(DisasContext *s, arg_FMOV_to_gen *a)
{
    struct ir_builder *b = s->b;
    ir_ref v = a64_read_v(s, a->rn);
    if (a->ftype == FTYPE_H)
        a64_write(s, false, a->rd, b_vget(b, IR_I32, LANE_H, v, 0, false));
    else
        a64_write(s, a->sf, a->rd, b_vlow(b, a64_type(a->sf), v));
    return true;
}

bool a64_trans_FMOV_from_gen(DisasContext *s, arg_FMOV_from_gen *a)
{
    struct ir_builder *b = s->b;
    if (a->ftype == FTYPE_H)
        a64_write_v(s, a->rd, b_vzext(b, IR_I32, b_ubfx(b, IR_I32, a64_read(s, false, a->rn), 0, 16)));
    else
        a64_write_v(s, a->rd, b_vzext(b, a64_type(a->sf), a64_read(s, a->sf, a->rn)));
    return true;
}

bool a64_trans_FMOV_from_top(DisasContext *s, arg_FMOV_from_top *a)
{
    a64_write(s, true, a->rd, b_vget(s->b, IR_I64, LANE_D, a64_read_v(s, a->rn), 1, false));
    return true;
}

bool a64_trans_FMOV_to_top(DisasContext *s, arg_FMOV_to_top *a)
{
    a64_write_v(s, a->rd, b_vset(s->b, LANE_D, a64_read_v(s, a->rd), 1, a64_read(s, true, a->rn)));
    return true;
}

/* --- comparisons and selection --- */

static ir_ref compare_by_helper(DisasContext *s, unsigned ftype, bool signalling, ir_ref x, ir_ref y)
{
    return b_callv(s->b, &a64_helper_fcmp, b_i32(s->b, a64_fp_op(signalling, ftype)), x, y);
}

bool a64_trans_FCMP(DisasContext *s, arg_FCMP *a)
{
    struct ir_builder *b = s->b;
    if (a64_fp_by_helper(s, a->ftype)) {
        ir_ref x = a64_read_fp_bits(s, a->rn), y = a->z ? b_i64(b, 0) : a64_read_fp_bits(s, a->rm);
        a64_set_flags_value(s, compare_by_helper(s, a->ftype, a->e, x, y));
    } else {
        enum ir_type t = type_of(a->ftype);
        ir_ref x = a64_read_fp(s, a->ftype, a->rn), y = a->z ? b_const(b, t, 0) : a64_read_fp(s, a->ftype, a->rm);
        a64_set_flags_fcmp(s, t, x, y, a->e);
    }
    return true;
}

/* Where the condition fails nothing is compared and nothing may be raised: zeros take the operands' place. */
bool a64_trans_FCCMP(DisasContext *s, arg_FCCMP *a)
{
    struct ir_builder *b = s->b;
    bool soft = a64_fp_by_helper(s, a->ftype);
    enum ir_type t = soft ? IR_I64 : type_of(a->ftype);
    ir_ref x = soft ? a64_read_fp_bits(s, a->rn) : a64_read_fp(s, a->ftype, a->rn);
    ir_ref y = soft ? a64_read_fp_bits(s, a->rm) : a64_read_fp(s, a->ftype, a->rm);
    ir_ref chosen = a64_cond_value(s, a->cond), no = b_i32(b, 0), zero = b_const(b, t, 0);
    x = b_selcc(b, t, CC_NE, IR_I32, chosen, no, x, zero);
    y = b_selcc(b, t, CC_NE, IR_I32, chosen, no, y, zero);
    if (soft) {
        ir_ref nzcv = compare_by_helper(s, a->ftype, a->e, x, y);
        a64_set_flags_value(s, b_selcc(b, IR_I32, CC_NE, IR_I32, chosen, no, nzcv, b_i32(b, a->nzcv)));
    } else {
        a64_set_flags_fccmp(s, a->cond, t, x, y, a->e, a->nzcv);
    }
    return true;
}

bool a64_trans_FCSEL(DisasContext *s, arg_FCSEL *a)
{
    struct ir_builder *b = s->b;
    bool half = a->ftype == FTYPE_H;
    enum ir_type t = half ? IR_I32 : type_of(a->ftype);
    ir_ref x = a64_read_v(s, a->rn), y = a64_read_v(s, a->rm);
    x = half ? b_vget(b, t, LANE_H, x, 0, false) : b_vlow(b, t, x);
    y = half ? b_vget(b, t, LANE_H, y, 0, false) : b_vlow(b, t, y);
    if (a->cond < 14) { /* AL, NV: always the first */
        struct cond c = a64_cond(s, a->cond);
        x = b_selcc(b, t, c.cc, c.type, c.x, c.y, x, y);
    }
    a64_write_v(s, a->rd, b_vzext(b, t, x));
    return true;
}
