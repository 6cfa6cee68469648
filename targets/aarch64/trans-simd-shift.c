/*
 * Advanced SIMD shift by immediate, vector and scalar: Arm ARM C4.1 "Data Processing -- Scalar Floating-Point and
 * Advanced SIMD" and the instruction pages of C7.2. Rounding adds the last bit shifted out, so nothing overflows.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate-simd.h"

bool simd_shift_shape(struct simd *v, DisasContext *s, unsigned q, unsigned imm, unsigned sizes, bool right,
                      unsigned rd)
{
    if (imm < 8)
        return false;
    unsigned e = 28 - __builtin_clz(imm);
    if (!simd_shape(v, s, q, e, sizes, rd))
        return false;
    v->shift = right ? (16u << e) - imm : imm - (8u << e);
    return true;
}

/* Scalar forms have 64-bit elements. */
static bool shift(DisasContext *s, arg_SSHR_i *a, bool right, simd_gen *gen)
{
    struct simd v;
    if (!simd_shift_shape(&v, s, a->q, a->imm, a->q == Q_SCALAR ? 1 << LANE_D : BHSD, right, a->rd))
        return false;
    v.n = a64_read_v(s, a->rn);
    simd_write(&v, gen(&v));
    return true;
}

static ir_ref round_bit(const struct simd *v, ir_ref x)
{
    return b_v2(v->b, IR_VAND, v->e, VI(VUSHRI, x, v->shift - 1), simd_splat(v->b, v->e, 1));
}

static ir_ref rounded(const struct simd *v, enum ir_op op)
{
    return V2(VADD, b_v1i(v->b, op, v->e, v->n, v->shift), round_bit(v, v->n));
}

/* An element of ones shifted right by the distance, which may be all its bits */
static uint64_t top_cleared(const struct simd *v)
{
    unsigned left = simd_bits(v) - v->shift;
    return left ? ~UINT64_C(0) >> (64 - left) : 0;
}

/* Bits of Vd where the mask is one, of x elsewhere */
static ir_ref insert(const struct simd *v, uint64_t mask, ir_ref x)
{
    return b_v2(v->b, IR_VOR, v->e, b_v2(v->b, IR_VAND, v->e, simd_vd(v), simd_splat(v->b, v->e, mask)), x);
}

#define SHIFT(NAME, right, expr)                                                                         \
    static ir_ref gen_##NAME(const struct simd *v) { return expr; }                                      \
    bool a64_trans_##NAME(DisasContext *s, arg_SSHR_i *a) { return shift(s, a, right, gen_##NAME); }

SHIFT(SSHR_i, true, VI(VSSHRI, v->n, v->shift))
SHIFT(USHR_i, true, VI(VUSHRI, v->n, v->shift))
SHIFT(SSRA_i, true, V2(VADD, simd_vd(v), VI(VSSHRI, v->n, v->shift)))
SHIFT(USRA_i, true, V2(VADD, simd_vd(v), VI(VUSHRI, v->n, v->shift)))
SHIFT(SRSHR_i, true, rounded(v, IR_VSSHRI))
SHIFT(URSHR_i, true, rounded(v, IR_VUSHRI))
SHIFT(SRSRA_i, true, V2(VADD, simd_vd(v), rounded(v, IR_VSSHRI)))
SHIFT(URSRA_i, true, V2(VADD, simd_vd(v), rounded(v, IR_VUSHRI)))
SHIFT(SHL_i, false, VI(VSHLI, v->n, v->shift))
SHIFT(SLI_i, false, insert(v, (UINT64_C(1) << v->shift) - 1, VI(VSHLI, v->n, v->shift)))
SHIFT(SRI_i, true, insert(v, ~top_cleared(v), VI(VUSHRI, v->n, v->shift)))

static bool saturating(DisasContext *s, arg_SSHR_i *a, enum simd_op op)
{
    struct simd v;
    if (!simd_shift_shape(&v, s, a->q, a->imm, BHSD, false, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn);
    simd_write(&v, simd_call(&v, op, n, simd_splat(s->b, v.e, v.shift), n));
    return true;
}

bool a64_trans_SQSHL_i(DisasContext *s, arg_SSHR_i *a) { return saturating(s, a, SIMD_SQSHL); }
bool a64_trans_UQSHL_i(DisasContext *s, arg_SSHR_i *a) { return saturating(s, a, SIMD_UQSHL); }
bool a64_trans_SQSHLU_i(DisasContext *s, arg_SSHR_i *a) { return saturating(s, a, SIMD_SQSHLU); }

/* --- narrowing: the encoded element size is the result's --- */

/* `saturate`: VNARROW, or a saturating relative with `widen` to compare by. */
static bool narrow(DisasContext *s, arg_SSHR_i *a, enum ir_op right, bool rounds, enum ir_op saturate, enum ir_op widen)
{
    struct simd v;
    if (a->imm >= 64 || !simd_shift_shape(&v, s, a->q, a->imm, BHS, true, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn);
    if (a->q == Q_SCALAR)
        n = simd_cut(s->b, 2 * v.bytes, n);
    ir_ref x = b_v1i(s->b, right, v.e + 1, n, v.shift);
    if (rounds) {
        ir_ref last = b_v1i(s->b, IR_VUSHRI, v.e + 1, n, v.shift - 1);
        x = b_v2(s->b, IR_VADD, v.e + 1, x, b_v2(s->b, IR_VAND, v.e, last, simd_splat(s->b, v.e + 1, 1)));
    }
    ir_ref r = b_v2(s->b, saturate, v.e + 1, x, x);
    if (saturate != IR_VNARROW)
        simd_saturated(&v, b_v1(s->b, widen, v.e, r), x);
    simd_write_half(&v, a->q, r);
    return true;
}

#define NARROW(NAME, right, rounds, saturate, widen)                             \
    bool a64_trans_##NAME(DisasContext *s, arg_SSHR_i *a)                        \
    {                                                                            \
        return narrow(s, a, IR_##right, rounds, IR_##saturate, IR_##widen);      \
    }
NARROW(SHRN, VUSHRI, false, VNARROW, NOP)
NARROW(RSHRN, VUSHRI, true, VNARROW, NOP)
NARROW(SQSHRN, VSSHRI, false, VSQNARROW, VSWIDEN)
NARROW(SQRSHRN, VSSHRI, true, VSQNARROW, VSWIDEN)
NARROW(UQSHRN, VUSHRI, false, VUQNARROW, VUWIDEN)
NARROW(UQRSHRN, VUSHRI, true, VUQNARROW, VUWIDEN)
NARROW(SQSHRUN, VSSHRI, false, VSQNARROWU, VUWIDEN)
NARROW(SQRSHRUN, VSSHRI, true, VSQNARROWU, VUWIDEN)

/* --- widening: SXTL, UXTL are shifts by 0 --- */

static bool widen(DisasContext *s, arg_SSHR_i *a, enum ir_op op)
{
    struct simd v;
    if (a->imm >= 64 || !simd_shift_shape(&v, s, a->q, a->imm, BHS, false, a->rd))
        return false;
    ir_ref x = b_v1(s->b, op, v.e, simd_half(s, a->q, a->rn));
    a64_write_v(s, a->rd, v.shift ? b_v1i(s->b, IR_VSHLI, v.e + 1, x, v.shift) : x);
    return true;
}

bool a64_trans_SSHLL(DisasContext *s, arg_SSHR_i *a) { return widen(s, a, IR_VSWIDEN); }
bool a64_trans_USHLL(DisasContext *s, arg_SSHR_i *a) { return widen(s, a, IR_VUWIDEN); }
