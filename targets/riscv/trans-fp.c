/*
 * F, D, Zfh and Zfa: arithmetic, comparison, rounding. The fmt field chooses the format, so each handler serves all.
 * Single and double use the IR's ops, which round by MXCSR; static rounding modes, rare in compiled arithmetic, and
 * half precision call softfloat.
 */
#include "targets/riscv/trans-fp.h"

#include "targets/riscv/rv-decode.h"

/* --- values of a format --- */

enum ir_type rv_fp_type(unsigned fmt)
{
    return fmt == RV_FMT_S ? IR_F32 : fmt == RV_FMT_D ? IR_F64 : IR_I64;
}

bool rv_fp_arithmetic(DisasContext *s, unsigned fmt)
{
    return fmt == RV_FMT_S ? HAS(f) : fmt == RV_FMT_D ? HAS(d) : fmt == RV_FMT_H && HAS(zfh);
}

bool rv_fp_moves(DisasContext *s, unsigned fmt)
{
    return rv_fp_arithmetic(s, fmt) || (fmt == RV_FMT_H && HAS(zfhmin));
}

enum { HALF_NAN = 0x7e00 };
#define HALF_BOX (~UINT64_C(0xffff))

ir_ref rv_read_fp(DisasContext *s, unsigned fmt, unsigned r)
{
    struct ir_builder *b = s->b;
    ir_ref v = rv_read_f(s, r);
    if (fmt == RV_FMT_D)
        return v;
    if (fmt == RV_FMT_S)
        return b_op1(b, IR_UNBOX, IR_F32, v);
    ir_ref bits = b_bitcast(b, IR_I64, IR_F64, v);
    return b_selcc(b, IR_I64, CC_GEU, IR_I64, bits, b_i64(b, HALF_BOX), b_ubfx(b, IR_I64, bits, 0, 16),
                   b_i64(b, HALF_NAN));
}

void rv_write_fp(DisasContext *s, unsigned fmt, unsigned r, ir_ref v)
{
    struct ir_builder *b = s->b;
    if (fmt == RV_FMT_S)
        v = b_op1(b, IR_NANBOX, IR_F64, v);
    else if (fmt == RV_FMT_H)
        v = b_bitcast(b, IR_F64, IR_I64, b_or(b, IR_I64, v, b_i64(b, HALF_BOX)));
    rv_write_f(s, r, v);
}

bool rv_rounding(DisasContext *s, unsigned field, unsigned *rm)
{
    unsigned dynamic = s->mode & RV_MODE_FRM;
    if (field == 7)
        field = dynamic;
    *rm = field == dynamic && field != FP_RNA ? IR_RM_DYN : field;
    return field <= FP_RNA;
}

ir_ref rv_fp_bits(DisasContext *s, unsigned fmt, ir_ref v)
{
    if (fmt == RV_FMT_S)
        return b_zext(s->b, b_bitcast(s->b, IR_I32, IR_F32, v));
    return fmt == RV_FMT_D ? b_bitcast(s->b, IR_I64, IR_F64, v) : v;
}

ir_ref rv_fp_value(DisasContext *s, unsigned fmt, ir_ref bits)
{
    if (fmt == RV_FMT_S)
        return b_bitcast(s->b, IR_F32, IR_I32, b_trunc(s->b, bits));
    return fmt == RV_FMT_D ? b_bitcast(s->b, IR_F64, IR_I64, bits) : bits;
}

ir_ref rv_fp_soft(DisasContext *s, enum rv_fp_op op, unsigned fmt, unsigned rm, ir_ref x, ir_ref y, ir_ref z)
{
    struct ir_builder *b = s->b;
    ir_ref none = b_i64(b, 0);
    return b_callv(b, &rv_helper_fp, b_i32(b, RV_FP_REQUEST(op, fmt, rm)), x, y ? y : none, z ? z : none);
}

/* --- arithmetic --- */

/* One operation as the IR and the helper know it. */
struct operation {
    enum ir_op ir;
    enum rv_fp_op soft;
};

/* rd = op(x, y, z), values of the format. */
static bool compute(DisasContext *s, unsigned fmt, unsigned rd, struct operation op, unsigned rm, ir_ref x, ir_ref y,
                    ir_ref z)
{
    struct ir_builder *b = s->b;
    ir_ref v;
    if (fmt == RV_FMT_H || rm != IR_RM_DYN) {
        x = rv_fp_bits(s, fmt, x);
        y = y ? rv_fp_bits(s, fmt, y) : IR_NONE;
        z = z ? rv_fp_bits(s, fmt, z) : IR_NONE;
        v = rv_fp_value(s, fmt, rv_fp_soft(s, op.soft, fmt, rm, x, y, z));
    } else {
        enum ir_type t = rv_fp_type(fmt);
        v = z ? b_op3(b, op.ir, t, x, y, z) : y ? b_op2(b, op.ir, t, x, y) : b_op1(b, op.ir, t, x);
    }
    rv_write_fp(s, fmt, rd, v);
    return true;
}

static bool arithmetic(DisasContext *s, const arg_FADD *a, enum ir_op ir, enum rv_fp_op soft)
{
    unsigned rm;
    if (!rv_fp_arithmetic(s, a->fmt) || !rv_rounding(s, a->rm, &rm))
        return false;
    return compute(s, a->fmt, a->rd, (struct operation){ir, soft}, rm, rv_read_fp(s, a->fmt, a->rs1),
                   rv_read_fp(s, a->fmt, a->rs2), IR_NONE);
}

bool rv_trans_FADD(DisasContext *s, arg_FADD *a) { return arithmetic(s, a, IR_FADD, RV_FP_ADD); }
bool rv_trans_FSUB(DisasContext *s, arg_FSUB *a) { return arithmetic(s, a, IR_FSUB, RV_FP_SUB); }
bool rv_trans_FMUL(DisasContext *s, arg_FMUL *a) { return arithmetic(s, a, IR_FMUL, RV_FP_MUL); }
bool rv_trans_FDIV(DisasContext *s, arg_FDIV *a) { return arithmetic(s, a, IR_FDIV, RV_FP_DIV); }

bool rv_trans_FSQRT(DisasContext *s, arg_FSQRT *a)
{
    unsigned rm;
    if (!rv_fp_arithmetic(s, a->fmt) || !rv_rounding(s, a->rm, &rm))
        return false;
    return compute(s, a->fmt, a->rd, (struct operation){IR_FSQRT, RV_FP_SQRT}, rm, rv_read_fp(s, a->fmt, a->rs1),
                   IR_NONE, IR_NONE);
}

static ir_ref negate(DisasContext *s, unsigned fmt, ir_ref v)
{
    if (fmt == RV_FMT_H)
        return b_xor(s->b, IR_I64, v, b_i64(s->b, 0x8000));
    return b_op1(s->b, IR_FNEG, rv_fp_type(fmt), v);
}

/* Signs of the product and of the addend go to the operands: NaN results have no sign to keep. */
static bool multiply_add(DisasContext *s, const arg_FMADD *a, bool negative_product, bool negative_addend)
{
    unsigned rm;
    if (!rv_fp_arithmetic(s, a->fmt) || !rv_rounding(s, a->rm, &rm))
        return false;
    ir_ref x = rv_read_fp(s, a->fmt, a->rs1), z = rv_read_fp(s, a->fmt, a->rs3);
    if (negative_product)
        x = negate(s, a->fmt, x);
    if (negative_addend)
        z = negate(s, a->fmt, z);
    return compute(s, a->fmt, a->rd, (struct operation){IR_FMA, RV_FP_FMA}, rm, x, rv_read_fp(s, a->fmt, a->rs2), z);
}

bool rv_trans_FMADD(DisasContext *s, arg_FMADD *a) { return multiply_add(s, a, false, false); }
bool rv_trans_FMSUB(DisasContext *s, arg_FMSUB *a) { return multiply_add(s, a, false, true); }
bool rv_trans_FNMSUB(DisasContext *s, arg_FNMSUB *a) { return multiply_add(s, a, true, false); }
bool rv_trans_FNMADD(DisasContext *s, arg_FNMADD *a) { return multiply_add(s, a, true, true); }

static bool minmax(DisasContext *s, const arg_FMIN *a, enum ir_op ir, enum rv_fp_op soft)
{
    return rv_fp_arithmetic(s, a->fmt) &&
           compute(s, a->fmt, a->rd, (struct operation){ir, soft}, IR_RM_DYN, rv_read_fp(s, a->fmt, a->rs1),
                   rv_read_fp(s, a->fmt, a->rs2), IR_NONE);
}

bool rv_trans_FMIN(DisasContext *s, arg_FMIN *a) { return minmax(s, a, IR_FMINNUM, RV_FP_MIN); }
bool rv_trans_FMAX(DisasContext *s, arg_FMAX *a) { return minmax(s, a, IR_FMAXNUM, RV_FP_MAX); }
bool rv_trans_FMINM(DisasContext *s, arg_FMINM *a) { return HAS(zfa) && minmax(s, a, IR_FMIN, RV_FP_MINM); }
bool rv_trans_FMAXM(DisasContext *s, arg_FMAXM *a) { return HAS(zfa) && minmax(s, a, IR_FMAX, RV_FP_MAXM); }

/* --- comparison and classification --- */

static bool compare(DisasContext *s, const arg_FEQ *a, enum ir_cc cc, enum rv_fp_op soft)
{
    struct ir_builder *b = s->b;
    if (!rv_fp_arithmetic(s, a->fmt))
        return false;
    ir_ref x = rv_read_fp(s, a->fmt, a->rs1), y = rv_read_fp(s, a->fmt, a->rs2);
    if (a->fmt == RV_FMT_H)
        rv_write(s, a->rd, rv_fp_soft(s, soft, a->fmt, FP_RNE, x, y, IR_NONE));
    else
        rv_write(s, a->rd, b_zext(b, b_setcc(b, cc, rv_fp_type(a->fmt), x, y)));
    return true;
}

bool rv_trans_FEQ(DisasContext *s, arg_FEQ *a) { return compare(s, a, CC_FOEQ, RV_FP_EQ); }
bool rv_trans_FLT(DisasContext *s, arg_FLT *a) { return compare(s, a, CC_FOLT, RV_FP_LT); }
bool rv_trans_FLE(DisasContext *s, arg_FLE *a) { return compare(s, a, CC_FOLE, RV_FP_LE); }
bool rv_trans_FLTQ(DisasContext *s, arg_FLTQ *a) { return HAS(zfa) && compare(s, a, CC_QOLT, RV_FP_LTQ); }
bool rv_trans_FLEQ(DisasContext *s, arg_FLEQ *a) { return HAS(zfa) && compare(s, a, CC_QOLE, RV_FP_LEQ); }

bool rv_trans_FCLASS(DisasContext *s, arg_FCLASS *a)
{
    if (!rv_fp_arithmetic(s, a->fmt))
        return false;
    ir_ref bits = rv_fp_bits(s, a->fmt, rv_read_fp(s, a->fmt, a->rs1));
    rv_write(s, a->rd, b_callv(s->b, &rv_helper_fclass, b_i32(s->b, a->fmt), bits));
    return true;
}

/* --- Zfa: rounding to an integral value --- */

static bool round_integral(DisasContext *s, const arg_FROUND *a, bool exact)
{
    unsigned rm;
    if (!HAS(zfa) || !rv_fp_arithmetic(s, a->fmt) || !rv_rounding(s, a->rm, &rm))
        return false;
    ir_ref x = rv_read_fp(s, a->fmt, a->rs1);
    ir_ref v = a->fmt == RV_FMT_H
                   ? rv_fp_soft(s, exact ? RV_FP_ROUNDNX : RV_FP_ROUND, a->fmt, rm, x, IR_NONE, IR_NONE)
                   : b_frint(s->b, rv_fp_type(a->fmt), x, rm, !exact);
    rv_write_fp(s, a->fmt, a->rd, v);
    return true;
}

bool rv_trans_FROUND(DisasContext *s, arg_FROUND *a) { return round_integral(s, a, false); }
bool rv_trans_FROUNDNX(DisasContext *s, arg_FROUNDNX *a) { return round_integral(s, a, true); }
