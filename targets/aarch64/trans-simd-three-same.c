/*
 * Advanced SIMD three same and three register extension, integer, vector and scalar: Arm ARM C4.1 "Data Processing --
 * Scalar Floating-Point and Advanced SIMD" and the instruction pages of C7.2.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate-simd.h"

/* `cuts`: lanes above the length must not count (QC), so the operands lose them first. */
static bool three_same(DisasContext *s, arg_ADD_v *a, unsigned sizes, bool cuts, simd_gen *gen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, sizes, a->rd))
        return false;
    v.n = a64_read_v(s, a->rn);
    v.m = a64_read_v(s, a->rm);
    if (cuts) {
        v.n = simd_cut(s->b, v.bytes, v.n);
        v.m = simd_cut(s->b, v.bytes, v.m);
    }
    simd_write(&v, gen(&v));
    return true;
}

#define GEN(NAME, sizes, cuts, expr)                                    \
    static ir_ref gen_##NAME(const struct simd *v) { return expr; }     \
    bool a64_trans_##NAME(DisasContext *s, arg_ADD_v *a)                \
    {                                                                   \
        return three_same(s, a, sizes, cuts, gen_##NAME);               \
    }
#define THREE(NAME, sizes, expr)      GEN(NAME, sizes, false, expr)
#define SATURATING(NAME, sizes, expr) GEN(NAME, sizes, true, expr)
/* An op of the IR as it is */
#define PLAIN(NAME, sizes, op) THREE(NAME, sizes, V2(op, v->n, v->m))

/* --- logical --- */

PLAIN(AND_v, B__, VAND)
PLAIN(BIC_v, B__, VANDN)
PLAIN(ORR_v, B__, VOR)
THREE(ORN_v, B__, V2(VOR, v->n, V1(VNOT, v->m)))
PLAIN(EOR_v, B__, VXOR)
THREE(BSL, B__, V3(VBSL, simd_vd(v), v->n, v->m))
THREE(BIT, B__, V3(VBSL, v->m, v->n, simd_vd(v)))
THREE(BIF, B__, V3(VBSL, v->m, simd_vd(v), v->n))

/* --- addition, multiplication, comparison --- */

PLAIN(ADD_v, BHSD, VADD)
PLAIN(SUB_v, BHSD, VSUB)
PLAIN(MUL_v, BHS, VMUL)
THREE(MLA, BHS, V2(VADD, simd_vd(v), V2(VMUL, v->n, v->m)))
THREE(MLS, BHS, V2(VSUB, simd_vd(v), V2(VMUL, v->n, v->m)))
PLAIN(SMAX, BHS, VSMAX)
PLAIN(SMIN, BHS, VSMIN)
PLAIN(UMAX, BHS, VUMAX)
PLAIN(UMIN, BHS, VUMIN)
PLAIN(SABD, BHS, VABDS)
PLAIN(UABD, BHS, VABDU)
THREE(SABA, BHS, V2(VADD, simd_vd(v), V2(VABDS, v->n, v->m)))
THREE(UABA, BHS, V2(VADD, simd_vd(v), V2(VABDU, v->n, v->m)))
PLAIN(CMGT, BHSD, VCMPGTS)
PLAIN(CMGE, BHSD, VCMPGES)
PLAIN(CMHI, BHSD, VCMPGTU)
PLAIN(CMHS, BHSD, VCMPGEU)
PLAIN(CMEQ, BHSD, VCMPEQ)
THREE(CMTST, BHSD, V1(VNOT, V2(VCMPEQ, V2(VAND, v->n, v->m), b_vconst(v->b, 0, 0))))
THREE(PMUL, B__, simd_call(v, SIMD_PMUL, v->n, v->m, v->n))

/* --- halving: a + b = 2 (a & b) + (a ^ b) = 2 (a | b) - (a ^ b); subtracting is adding ~b with rounding --- */

PLAIN(UHADD, BHS, VUHADD)
PLAIN(URHADD, BHS, VURHADD)
THREE(SHADD, BHS, V2(VADD, V2(VAND, v->n, v->m), VI(VSSHRI, V2(VXOR, v->n, v->m), 1)))
THREE(SRHADD, BHS, V2(VSUB, V2(VOR, v->n, v->m), VI(VSSHRI, V2(VXOR, v->n, v->m), 1)))

static ir_ref halving_sub(const struct simd *v, ir_ref n, ir_ref not_m)
{
    return V2(VSUB, V2(VOR, n, not_m), VI(VSSHRI, V2(VXOR, n, not_m), 1));
}

/* Unsigned numbers less the top bit's weight are signed ones with the same difference. */
static ir_ref biased(const struct simd *v, ir_ref x)
{
    return V2(VXOR, x, simd_splat(v->b, v->e, UINT64_C(1) << (simd_bits(v) - 1)));
}

THREE(SHSUB, BHS, halving_sub(v, v->n, V1(VNOT, v->m)))
THREE(UHSUB, BHS, halving_sub(v, biased(v, v->n), V1(VNOT, biased(v, v->m))))

/* --- saturation --- */

SATURATING(SQADD, BHSD, simd_saturated(v, V2(VSQADD, v->n, v->m), V2(VADD, v->n, v->m)))
SATURATING(UQADD, BHSD, simd_saturated(v, V2(VUQADD, v->n, v->m), V2(VADD, v->n, v->m)))
SATURATING(SQSUB, BHSD, simd_saturated(v, V2(VSQSUB, v->n, v->m), V2(VSUB, v->n, v->m)))
SATURATING(UQSUB, BHSD, simd_saturated(v, V2(VUQSUB, v->n, v->m), V2(VSUB, v->n, v->m)))

/*
 * SQDMULH, SQRDMULH: the upper halves of doubled products. Only min * min overflows; a rounding constant cannot make
 * another sum overflow.
 */
static ir_ref doubled(const struct simd *v, bool rounds, ir_ref n, ir_ref m)
{
    ir_ref p = V2(VSMULL, n, m), r = W2(VSQADD, p, p), exact = W2(VADD, p, p);
    simd_saturated(v, r, exact);
    return rounds ? W2(VSQADD, r, simd_splat(v->b, v->e + 1, UINT64_C(1) << (simd_bits(v) - 1))) : r;
}

static ir_ref doubling_high(const struct simd *v, bool rounds)
{
    ir_ref low = doubled(v, rounds, v->n, v->m);
    ir_ref high = v->bytes < 16 ? low : doubled(v, rounds, V1(VHI64, v->n), V1(VHI64, v->m));
    return V2(VUZP2, low, high);
}

SATURATING(SQDMULH, HS, doubling_high(v, false))
SATURATING(SQRDMULH, HS, doubling_high(v, true))
THREE(SQRDMLAH, HS, simd_call(v, SIMD_SQRDMLAH, v->n, v->m, simd_vd(v)))
THREE(SQRDMLSH, HS, simd_call(v, SIMD_SQRDMLSH, v->n, v->m, simd_vd(v)))

/* --- shifts by register --- */

PLAIN(SSHL, BHSD, VSSHL)
PLAIN(USHL, BHSD, VUSHL)
THREE(SRSHL, BHSD, simd_call(v, SIMD_SRSHL, v->n, v->m, v->n))
THREE(URSHL, BHSD, simd_call(v, SIMD_URSHL, v->n, v->m, v->n))
THREE(SQSHL, BHSD, simd_call(v, SIMD_SQSHL, v->n, v->m, v->n))
THREE(UQSHL, BHSD, simd_call(v, SIMD_UQSHL, v->n, v->m, v->n))
THREE(SQRSHL, BHSD, simd_call(v, SIMD_SQRSHL, v->n, v->m, v->n))
THREE(UQRSHL, BHSD, simd_call(v, SIMD_UQRSHL, v->n, v->m, v->n))

/* --- pairwise: even lanes with odd lanes of the two operands side by side --- */

static ir_ref pairwise(const struct simd *v, enum ir_op op)
{
    ir_ref n = v->n, m = v->m;
    if (v->bytes < 16)
        n = m = V2(VCAT64, n, m);
    return b_v2(v->b, op, v->e, V2(VUZP1, n, m), V2(VUZP2, n, m));
}

THREE(ADDP, BHSD, pairwise(v, IR_VADD))
THREE(SMAXP, BHS, pairwise(v, IR_VSMAX))
THREE(SMINP, BHS, pairwise(v, IR_VSMIN))
THREE(UMAXP, BHS, pairwise(v, IR_VUMAX))
THREE(UMINP, BHS, pairwise(v, IR_VUMIN))

/* --- dot products: of four bytes each, into words --- */

static ir_ref dot(const struct simd *v, enum ir_op mul, enum ir_op sum_pairs)
{
    struct ir_builder *b = v->b;
    ir_ref low = b_v1(b, sum_pairs, LANE_H, b_v2(b, mul, LANE_B, v->n, v->m));
    ir_ref high = low;
    if (v->bytes == 16) {
        ir_ref n = b_v1(b, IR_VHI64, LANE_D, v->n), m = b_v1(b, IR_VHI64, LANE_D, v->m);
        high = b_v1(b, sum_pairs, LANE_H, b_v2(b, mul, LANE_B, n, m));
    }
    return b_v2(b, IR_VADD, LANE_S, simd_vd(v), b_v2(b, IR_VPADD, LANE_S, low, high));
}

THREE(SDOT, S__, dot(v, IR_VSMULL, IR_VSADDLP))
THREE(UDOT, S__, dot(v, IR_VUMULL, IR_VUADDLP))

/* --- x indexed element --- */

/* The element takes the place of every lane of Vm. */
static bool by_element(DisasContext *s, arg_MUL_e *a, unsigned sizes, bool cuts, simd_gen *gen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, sizes, a->rd) || !simd_element(s, a->e, a->h, a->l, a->rm, &v.m))
        return false;
    v.n = a64_read_v(s, a->rn);
    if (cuts) {
        v.n = simd_cut(s->b, v.bytes, v.n);
        v.m = simd_cut(s->b, v.bytes, v.m);
    }
    simd_write(&v, gen(&v));
    return true;
}

#define ELEMENT(NAME, sizes, cuts, like) \
    bool a64_trans_##NAME(DisasContext *s, arg_MUL_e *a) { return by_element(s, a, sizes, cuts, gen_##like); }
ELEMENT(MUL_e, HS, false, MUL_v)
ELEMENT(MLA_e, HS, false, MLA)
ELEMENT(MLS_e, HS, false, MLS)
ELEMENT(SQDMULH_e, HS, true, SQDMULH)
ELEMENT(SQRDMULH_e, HS, true, SQRDMULH)
ELEMENT(SQRDMLAH_e, HS, false, SQRDMLAH)
ELEMENT(SQRDMLSH_e, HS, false, SQRDMLSH)
ELEMENT(SDOT_e, S__, false, SDOT)
ELEMENT(UDOT_e, S__, false, UDOT)
