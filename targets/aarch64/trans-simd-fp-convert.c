/*
 * Advanced SIMD conversions: to integral values, to and from integers and fixed point, between formats; vector and
 * scalar. Arm ARM C4.1 "Data Processing -- Scalar Floating-Point and Advanced SIMD" and the instruction pages of C7.2.
 */
#include "base/softfloat.h"
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/trans-simd-fp.h"

/* --- to integral values --- */

static bool round_integral(DisasContext *s, arg_FABS_v *a, unsigned mode)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn);
    if (simd_fp_by_helper(&v))
        simd_write(&v, simd_fp_call(&v, SIMD_FRINT, mode, n, n, n));
    else
        simd_write(&v, b_v1i(s->b, IR_VFRINT, v.e, simd_cut(s->b, v.bytes, n), mode));
    return true;
}

bool a64_trans_FRINTN_v(DisasContext *s, arg_FABS_v *a) { return round_integral(s, a, FP_RNE | IR_RM_QUIET); }
bool a64_trans_FRINTM_v(DisasContext *s, arg_FABS_v *a) { return round_integral(s, a, FP_RDN | IR_RM_QUIET); }
bool a64_trans_FRINTP_v(DisasContext *s, arg_FABS_v *a) { return round_integral(s, a, FP_RUP | IR_RM_QUIET); }
bool a64_trans_FRINTZ_v(DisasContext *s, arg_FABS_v *a) { return round_integral(s, a, FP_RTZ | IR_RM_QUIET); }
bool a64_trans_FRINTA_v(DisasContext *s, arg_FABS_v *a) { return round_integral(s, a, FP_RNA | IR_RM_QUIET); }
bool a64_trans_FRINTI_v(DisasContext *s, arg_FABS_v *a) { return round_integral(s, a, IR_RM_DYN | IR_RM_QUIET); }
bool a64_trans_FRINTX_v(DisasContext *s, arg_FABS_v *a) { return round_integral(s, a, IR_RM_DYN); }

/* --- to integers --- */

static bool is_scalar(const struct simd *v)
{
    return v->bytes == 1u << v->e;
}

/* The integer type as wide as an element */
static enum ir_type int_type(const struct simd *v)
{
    return v->e == LANE_S ? IR_I32 : IR_I64;
}

static bool to_integer(DisasContext *s, arg_FABS_v *a, bool is_signed, enum fp_round mode)
{
    struct simd v;
    struct ir_builder *b = s->b;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn), r;
    if (simd_fp_by_helper(&v)) {
        r = simd_fp_call(&v, is_signed ? SIMD_FTOS : SIMD_FTOU, mode, n, n, n);
    } else if (is_scalar(&v)) {
        enum ir_type t = int_type(&v), from = simd_fp_type(&v);
        r = b_vzext(b, t, b_ftoi(b, is_signed, t, from, b_vlow(b, from, n), mode));
    } else {
        r = b_v1i(b, is_signed ? IR_VFTOS : IR_VFTOU, v.e, simd_cut(b, v.bytes, n), mode);
    }
    simd_write(&v, r);
    return true;
}

bool a64_trans_FCVTNS_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, true, FP_RNE); }
bool a64_trans_FCVTNU_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, false, FP_RNE); }
bool a64_trans_FCVTMS_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, true, FP_RDN); }
bool a64_trans_FCVTMU_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, false, FP_RDN); }
bool a64_trans_FCVTPS_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, true, FP_RUP); }
bool a64_trans_FCVTPU_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, false, FP_RUP); }
bool a64_trans_FCVTZS_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, true, FP_RTZ); }
bool a64_trans_FCVTZU_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, false, FP_RTZ); }
bool a64_trans_FCVTAS_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, true, FP_RNA); }
bool a64_trans_FCVTAU_v(DisasContext *s, arg_FABS_v *a) { return to_integer(s, a, false, FP_RNA); }

/* --- from integers and fixed point --- */

/* 2^-n as a number of the element's format */
static uint64_t power(const struct simd *v, unsigned n)
{
    return v->e == LANE_S ? (uint64_t)(127 - n) << 23 : (uint64_t)(1023 - n) << 52;
}

/* The conversion rounds; scaling what it gives by a power of two is exact. */
static void from_integer(const struct simd *v, bool is_signed, unsigned fbits, ir_ref n)
{
    struct ir_builder *b = v->b;
    enum ir_type t = simd_fp_type(v);
    ir_ref r;
    if (simd_fp_by_helper(v)) {
        r = simd_fp_call(v, is_signed ? SIMD_STOF : SIMD_UTOF, fbits, n, n, n);
    } else if (is_scalar(v)) {
        r = b_itof(b, is_signed, t, int_type(v), b_vlow(b, int_type(v), n));
        if (fbits)
            r = b_op2(b, IR_FMUL, t, r, b_const(b, t, power(v, fbits)));
        r = b_vzext(b, t, r);
    } else {
        r = b_v1(b, is_signed ? IR_VSTOF : IR_VUTOF, v->e, simd_cut(b, v->bytes, n));
        if (fbits)
            r = b_v2(b, IR_VFMUL, v->e, r, simd_splat(b, v->e, power(v, fbits)));
    }
    simd_write(v, r);
}

static bool from_whole(DisasContext *s, arg_FABS_v *a, bool is_signed)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd))
        return false;
    from_integer(&v, is_signed, 0, a64_read_v(s, a->rn));
    return true;
}

bool a64_trans_SCVTF_v(DisasContext *s, arg_FABS_v *a) { return from_whole(s, a, true); }
bool a64_trans_UCVTF_v(DisasContext *s, arg_FABS_v *a) { return from_whole(s, a, false); }

static bool from_fixed(DisasContext *s, arg_SCVTF_i *a, bool is_signed)
{
    struct simd v;
    if (!simd_shift_shape(&v, s, a->q, a->imm, HSD, true, a->rd))
        return false;
    from_integer(&v, is_signed, v.shift, a64_read_v(s, a->rn));
    return true;
}

bool a64_trans_SCVTF_i(DisasContext *s, arg_SCVTF_i *a) { return from_fixed(s, a, true); }
bool a64_trans_UCVTF_i(DisasContext *s, arg_SCVTF_i *a) { return from_fixed(s, a, false); }

/* To fixed point; scaling first would raise flags of its own. */
static bool to_fixed(DisasContext *s, arg_SCVTF_i *a, enum simd_fp op)
{
    struct simd v;
    if (!simd_shift_shape(&v, s, a->q, a->imm, HSD, true, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn);
    simd_write(&v, simd_fp_call(&v, op, v.shift, n, n, n));
    return true;
}

bool a64_trans_FCVTZS_i(DisasContext *s, arg_SCVTF_i *a) { return to_fixed(s, a, SIMD_FTOS_FIX); }
bool a64_trans_FCVTZU_i(DisasContext *s, arg_SCVTF_i *a) { return to_fixed(s, a, SIMD_FTOU_FIX); }

/* --- between formats; the long form reads half of Vn, the narrow one writes half of Vd --- */

static ir_ref convert(DisasContext *s, unsigned op, unsigned lanes, unsigned from, unsigned to, ir_ref n)
{
    return b_callv(s->b, &a64_helper_simd_fcvt, b_i32(s->b, simd_desc(op, from, lanes << from, to)), n);
}

bool a64_trans_FCVTL(DisasContext *s, arg_FCVTL *a)
{
    ir_ref n = simd_half(s, a->q, a->rn);
    if (a->sz && !(s->mode & A64_MODE_SOFT_FP))
        a64_write_v(s, a->rd, b_v1(s->b, IR_VFEXT, LANE_S, n));
    else
        a64_write_v(s, a->rd, convert(s, SIMD_FCVT, a->sz ? 2 : 4, LANE_H + a->sz, LANE_S + a->sz, n));
    return true;
}

static bool narrow(DisasContext *s, arg_FCVTL *a, bool odd)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, LANE_H + a->sz, HS, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn), r;
    if (!odd && a->sz && !(s->mode & A64_MODE_SOFT_FP)) {
        r = b_v1(s->b, IR_VFTRUNC, LANE_D, n);
    } else {
        unsigned lanes = a->q == Q_SCALAR ? 1 : a->sz ? 2 : 4;
        r = convert(s, odd ? SIMD_FCVT_ODD : SIMD_FCVT, lanes, v.e + 1, v.e, n);
    }
    simd_write_half(&v, a->q, r);
    return true;
}

bool a64_trans_FCVTN(DisasContext *s, arg_FCVTL *a) { return narrow(s, a, false); }
bool a64_trans_FCVTXN(DisasContext *s, arg_FCVTL *a) { return narrow(s, a, true); }
