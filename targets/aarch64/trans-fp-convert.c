/*
 * Scalar conversions: between formats, to and from integers and fixed point, rounding to integral. Arm ARM C4.1.97
 * and the instruction pages of C7.2; helpers and IR operations as in trans-fp.c.
 */
#include "base/softfloat.h"
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/helpers.h"
#include "targets/aarch64/trans-fp.h"

/* The bit pattern of 2^n; |n| <= 64. */
static ir_ref power_of_2(DisasContext *s, enum ir_type t, int n)
{
    return b_const(s->b, t, t == IR_F64 ? (uint64_t)(1023 + n) << 52 : (uint64_t)(127 + n) << 23);
}

/* --- between formats --- */

bool a64_trans_FCVT(DisasContext *s, arg_FCVT *a)
{
    struct ir_builder *b = s->b;
    if (a64_fp_by_helper(s, a->ftype) || a64_fp_by_helper(s, a->to)) {
        ir_ref x = a64_read_fp_bits(s, a->rn);
        a64_write_fp_bits(s, a->rd, b_callv(b, &a64_helper_fcvt, b_i32(b, a64_fcvt_op(a->to, a->ftype)), x));
    } else {
        ir_ref x = a64_read_fp(s, a->ftype, a->rn);
        bool up = a->to == FTYPE_D;
        a64_write_fp(s, a->to, a->rd, b_op1(b, up ? IR_FEXT : IR_FTRUNC, up ? IR_F64 : IR_F32, x));
    }
    return true;
}

/* --- to integral --- */

static bool round_int(DisasContext *s, arg_FRINTN *a, unsigned rm, bool exact)
{
    struct ir_builder *b = s->b;
    if (a64_fp_by_helper(s, a->ftype)) {
        ir_ref x = a64_read_fp_bits(s, a->rn);
        a64_write_fp_bits(s, a->rd, b_callv(b, &a64_helper_frint, b_i32(b, a64_frint_op(a->ftype, rm, exact)), x));
    } else {
        enum ir_type t = a->ftype == FTYPE_D ? IR_F64 : IR_F32;
        a64_write_fp(s, a->ftype, a->rd, b_frint(b, t, a64_read_fp(s, a->ftype, a->rn), rm, !exact));
    }
    return true;
}

bool a64_trans_FRINTN(DisasContext *s, arg_FRINTN *a) { return round_int(s, a, FP_RNE, false); }
bool a64_trans_FRINTP(DisasContext *s, arg_FRINTN *a) { return round_int(s, a, FP_RUP, false); }
bool a64_trans_FRINTM(DisasContext *s, arg_FRINTN *a) { return round_int(s, a, FP_RDN, false); }
bool a64_trans_FRINTZ(DisasContext *s, arg_FRINTN *a) { return round_int(s, a, FP_RTZ, false); }
bool a64_trans_FRINTA(DisasContext *s, arg_FRINTN *a) { return round_int(s, a, FP_RNA, false); }
bool a64_trans_FRINTX(DisasContext *s, arg_FRINTN *a) { return round_int(s, a, IR_RM_DYN, true); }
bool a64_trans_FRINTI(DisasContext *s, arg_FRINTN *a) { return round_int(s, a, IR_RM_DYN, false); }

/* --- to integer and fixed point --- */

/*
 * x * 2^fbits without a flag of its own: exact, since single precision is widened first, and since a double that the
 * product would overflow is left alone; it is out of every integer's range already.
 */
static ir_ref scale_up(DisasContext *s, enum ir_type *t, ir_ref x, unsigned fbits)
{
    struct ir_builder *b = s->b;
    ir_ref factor = power_of_2(s, IR_F64, fbits);
    if (*t == IR_F32) {
        *t = IR_F64;
        x = b_op1(b, IR_FEXT, IR_F64, x);
    } else {
        ir_ref limit = b_const(b, IR_F64, UINT64_C(0x5ff) << 52); /* 2^512 */
        factor = b_selcc(b, IR_F64, CC_QOLT, IR_F64, b_op1(b, IR_FABS, IR_F64, x), limit, factor,
                         power_of_2(s, IR_F64, 0));
    }
    return b_op2(b, IR_FMUL, IR_F64, x, factor);
}

static bool to_int(DisasContext *s, unsigned sf, unsigned ftype, unsigned rn, unsigned rd, bool is_signed, unsigned rm,
                   unsigned fbits)
{
    struct ir_builder *b = s->b;
    if (a64_fp_by_helper(s, ftype)) {
        ir_ref op = b_i32(b, a64_fixed_op(ftype, rm, is_signed, sf, fbits));
        a64_write(s, true, rd, b_callv(b, &a64_helper_ftoi, op, a64_read_fp_bits(s, rn)));
    } else {
        enum ir_type t = ftype == FTYPE_D ? IR_F64 : IR_F32;
        ir_ref x = a64_read_fp(s, ftype, rn);
        if (fbits)
            x = scale_up(s, &t, x, fbits);
        a64_write(s, sf, rd, b_ftoi(b, is_signed, a64_type(sf), t, x, rm));
    }
    return true;
}

static const uint8_t rmode[4] = {FP_RNE, FP_RUP, FP_RDN, FP_RTZ};

bool a64_trans_FCVT_S(DisasContext *s, arg_FCVT_S *a)
{
    return to_int(s, a->sf, a->ftype, a->rn, a->rd, true, rmode[a->rm], 0);
}

bool a64_trans_FCVT_U(DisasContext *s, arg_FCVT_U *a)
{
    return to_int(s, a->sf, a->ftype, a->rn, a->rd, false, rmode[a->rm], 0);
}

bool a64_trans_FCVTAS(DisasContext *s, arg_FCVTAS *a)
{
    return to_int(s, a->sf, a->ftype, a->rn, a->rd, true, FP_RNA, 0);
}

bool a64_trans_FCVTAU(DisasContext *s, arg_FCVTAU *a)
{
    return to_int(s, a->sf, a->ftype, a->rn, a->rd, false, FP_RNA, 0);
}

bool a64_trans_FCVTZS_fix(DisasContext *s, arg_FCVTZS_fix *a)
{
    return to_int(s, a->sf, a->ftype, a->rn, a->rd, true, FP_RTZ, 64 - a->fbits);
}

bool a64_trans_FCVTZU_fix(DisasContext *s, arg_FCVTZU_fix *a)
{
    return to_int(s, a->sf, a->ftype, a->rn, a->rd, false, FP_RTZ, 64 - a->fbits);
}

/* Z says that the integer is the double, C, N and V are 0. */
bool a64_trans_FJCVTZS(DisasContext *s, arg_FJCVTZS *a)
{
    struct ir_builder *b = s->b;
    ir_ref r = b_callv(b, &a64_helper_fjcvtzs, a64_read_fp_bits(s, a->rn));
    a64_write(s, false, a->rd, b_trunc(b, r));
    a64_set_flags_value(s, b_shli(b, IR_I32, b_trunc(b, b_shri(b, IR_I64, r, 32)), 2));
    return true;
}

/* --- from integer and fixed point --- */

static bool from_int(DisasContext *s, unsigned sf, unsigned ftype, unsigned rn, unsigned rd, bool is_signed,
                     unsigned fbits)
{
    struct ir_builder *b = s->b;
    if (a64_fp_by_helper(s, ftype)) {
        ir_ref op = b_i32(b, a64_fixed_op(ftype, 0, is_signed, sf, fbits));
        a64_write_fp_bits(s, rd, b_callv(b, &a64_helper_itof, op, a64_read(s, true, rn)));
    } else {
        enum ir_type t = ftype == FTYPE_D ? IR_F64 : IR_F32;
        ir_ref r = b_itof(b, is_signed, t, a64_type(sf), a64_read(s, sf, rn));
        if (fbits) /* exact: the result is no smaller than 2^-64 */
            r = b_op2(b, IR_FMUL, t, r, power_of_2(s, t, -(int)fbits));
        a64_write_fp(s, ftype, rd, r);
    }
    return true;
}

bool a64_trans_SCVTF_int(DisasContext *s, arg_SCVTF_int *a)
{
    return from_int(s, a->sf, a->ftype, a->rn, a->rd, true, 0);
}

bool a64_trans_UCVTF_int(DisasContext *s, arg_UCVTF_int *a)
{
    return from_int(s, a->sf, a->ftype, a->rn, a->rd, false, 0);
}

bool a64_trans_SCVTF_fix(DisasContext *s, arg_SCVTF_fix *a)
{
    return from_int(s, a->sf, a->ftype, a->rn, a->rd, true, 64 - a->fbits);
}

bool a64_trans_UCVTF_fix(DisasContext *s, arg_UCVTF_fix *a)
{
    return from_int(s, a->sf, a->ftype, a->rn, a->rd, false, 64 - a->fbits);
}
