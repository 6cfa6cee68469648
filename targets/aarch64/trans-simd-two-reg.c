/*
 * Advanced SIMD two-register miscellaneous, across lanes and scalar pairwise, integer: Arm ARM C4.1 "Data Processing
 * -- Scalar Floating-Point and Advanced SIMD" and the instruction pages of C7.2.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate-simd.h"

static bool two_reg(DisasContext *s, arg_ABS_v *a, unsigned sizes, bool cuts, simd_gen *gen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, sizes, a->rd))
        return false;
    v.n = a64_read_v(s, a->rn);
    if (cuts)
        v.n = simd_cut(s->b, v.bytes, v.n);
    simd_write(&v, gen(&v));
    return true;
}

/* `cuts`: lanes above the length must not count (QC), so the operand loses them first. */
#define GEN(NAME, sizes, cuts, expr)                                    \
    static ir_ref gen_##NAME(const struct simd *v) { return expr; }     \
    bool a64_trans_##NAME(DisasContext *s, arg_ABS_v *a)                \
    {                                                                   \
        return two_reg(s, a, sizes, cuts, gen_##NAME);                  \
    }
#define TWO(NAME, sizes, expr)        GEN(NAME, sizes, false, expr)
#define SATURATING(NAME, sizes, expr) GEN(NAME, sizes, true, expr)

static ir_ref zero(const struct simd *v)
{
    return b_vconst(v->b, 0, 0);
}

/* --- bits and bytes --- */

/* Each nibble reversed by table, then the two swapped. */
static ir_ref reverse_bits(const struct simd *v)
{
    ir_ref low = b_vconst(v->b, UINT64_C(0xe060a020c0408000), UINT64_C(0xf070b030d0509010));
    ir_ref high = b_vconst(v->b, UINT64_C(0x0e060a020c040800), UINT64_C(0x0f070b030d050901));
    ir_ref nibble = V2(VAND, v->n, simd_splat(v->b, LANE_B, 0xf));
    return V2(VOR, V2(VTBL, low, nibble), V2(VTBL, high, b_v1i(v->b, IR_VUSHRI, LANE_B, v->n, 4)));
}

TWO(REV64_v, BHS, VI(VREV, v->n, 8))
TWO(REV32_v, BH_, VI(VREV, v->n, 4))
TWO(REV16_v, B__, VI(VREV, v->n, 2))
TWO(CNT, B__, V1(VCNT, v->n))
TWO(NOT_v, B__, V1(VNOT, v->n))
TWO(RBIT_v, BH_, reverse_bits(v))
TWO(CLZ_v, BHS, simd_call(v, SIMD_CLZ, v->n, v->n, v->n))
TWO(CLS_v, BHS, simd_call(v, SIMD_CLS, v->n, v->n, v->n))

/* --- arithmetic, comparison with zero --- */

TWO(ABS_v, BHSD, V1(VABS, v->n))
TWO(NEG_v, BHSD, V1(VNEG, v->n))
TWO(CMGT_z, BHSD, V2(VCMPGTS, v->n, zero(v)))
TWO(CMGE_z, BHSD, V2(VCMPGES, v->n, zero(v)))
TWO(CMEQ_z, BHSD, V2(VCMPEQ, v->n, zero(v)))
TWO(CMLE_z, BHSD, V2(VCMPGES, zero(v), v->n))
TWO(CMLT_z, BHSD, V2(VCMPGTS, zero(v), v->n))
TWO(URECPE, S__, simd_call(v, SIMD_URECPE, v->n, v->n, v->n))
TWO(URSQRTE, S__, simd_call(v, SIMD_URSQRTE, v->n, v->n, v->n))

/* --- saturation: only the minimum has no negative --- */

SATURATING(SQNEG, BHSD, simd_saturated(v, V2(VSQSUB, zero(v), v->n), V1(VNEG, v->n)))
SATURATING(SQABS, BHSD, simd_saturated(v, V2(VSMAX, v->n, V2(VSQSUB, zero(v), v->n)), V1(VABS, v->n)))
TWO(SUQADD, BHSD, simd_call(v, SIMD_SUQADD, v->n, v->n, simd_vd(v)))
TWO(USQADD, BHSD, simd_call(v, SIMD_USQADD, v->n, v->n, simd_vd(v)))

/* --- narrowing and widening --- */

static bool narrow(DisasContext *s, arg_ABS_v *a, enum ir_op op, enum ir_op widen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, BHS, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn);
    if (a->q == Q_SCALAR)
        n = simd_cut(s->b, 2 * v.bytes, n);
    ir_ref r = b_v2(s->b, op, v.e + 1, n, n);
    if (op != IR_VNARROW)
        simd_saturated(&v, b_v1(s->b, widen, v.e, r), n);
    simd_write_half(&v, a->q, r);
    return true;
}

bool a64_trans_XTN(DisasContext *s, arg_ABS_v *a) { return narrow(s, a, IR_VNARROW, IR_NOP); }
bool a64_trans_SQXTN(DisasContext *s, arg_ABS_v *a) { return narrow(s, a, IR_VSQNARROW, IR_VSWIDEN); }
bool a64_trans_UQXTN(DisasContext *s, arg_ABS_v *a) { return narrow(s, a, IR_VUQNARROW, IR_VUWIDEN); }
bool a64_trans_SQXTUN(DisasContext *s, arg_ABS_v *a) { return narrow(s, a, IR_VSQNARROWU, IR_VUWIDEN); }

bool a64_trans_SHLL(DisasContext *s, arg_ABS_v *a)
{
    if (a->e == LANE_D)
        return false;
    ir_ref x = b_v1(s->b, IR_VUWIDEN, a->e, simd_half(s, a->q, a->rn));
    a64_write_v(s, a->rd, b_v1i(s->b, IR_VSHLI, a->e + 1, x, 8 << a->e));
    return true;
}

TWO(SADDLP, BHS, V1(VSADDLP, v->n))
TWO(UADDLP, BHS, V1(VUADDLP, v->n))
TWO(SADALP, BHS, W2(VADD, simd_vd(v), V1(VSADDLP, v->n)))
TWO(UADALP, BHS, W2(VADD, simd_vd(v), V1(VUADDLP, v->n)))

/* --- across lanes; with 32-bit elements there are four, never two --- */

static bool across(DisasContext *s, arg_ABS_v *a, unsigned result_bytes, simd_gen *gen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, BHS, a->rd) || (a->e == LANE_S && a->q == Q_64))
        return false;
    v.n = simd_cut(s->b, v.bytes, a64_read_v(s, a->rn));
    a64_write_v(s, a->rd, simd_cut(s->b, result_bytes, gen(&v)));
    return true;
}

/* Neighbours are added into ever wider lanes, up to 64 bits; zeros above the length add nothing. */
static ir_ref sum(const struct simd *v, enum ir_op add_pairs)
{
    ir_ref x = v->n;
    for (unsigned e = v->e; e < LANE_D; e++)
        x = b_v1(v->b, add_pairs, e, x);
    return v->bytes == 16 ? b_v2(v->b, IR_VADD, LANE_D, x, b_v1(v->b, IR_VHI64, LANE_D, x)) : x;
}

/* The halves of what is left are compared until one lane is left. */
static ir_ref extreme(const struct simd *v, enum ir_op op)
{
    ir_ref x = v->n;
    for (unsigned distance = v->bytes / 2; distance >> v->e; distance /= 2)
        x = b_v2(v->b, op, v->e, x, b_v2i(v->b, IR_VEXT, LANE_B, x, x, distance));
    return x;
}

#define ACROSS(NAME, result_bytes, expr)                                \
    static ir_ref gen_##NAME(const struct simd *v) { return expr; }     \
    bool a64_trans_##NAME(DisasContext *s, arg_ABS_v *a)                \
    {                                                                   \
        return across(s, a, result_bytes, gen_##NAME);                  \
    }
ACROSS(SADDLV, 2u << a->e, sum(v, IR_VSADDLP))
ACROSS(UADDLV, 2u << a->e, sum(v, IR_VUADDLP))
ACROSS(ADDV, 1u << a->e, sum(v, IR_VUADDLP))
ACROSS(SMAXV, 1u << a->e, extreme(v, IR_VSMAX))
ACROSS(SMINV, 1u << a->e, extreme(v, IR_VSMIN))
ACROSS(UMAXV, 1u << a->e, extreme(v, IR_VUMAX))
ACROSS(UMINV, 1u << a->e, extreme(v, IR_VUMIN))

/* ADDP (scalar) */
TWO(ADDP_s, 1 << LANE_D, V2(VADD, v->n, V1(VHI64, v->n)))
