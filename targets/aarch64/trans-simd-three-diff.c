/*
 * Advanced SIMD three different, vector and scalar, and its forms by element: Arm ARM C4.1 "Data Processing -- Scalar
 * Floating-Point and Advanced SIMD" and the instruction pages of C7.2. Long forms read half of a register, wide forms
 * half of the second one; narrow forms write half of one.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate-simd.h"

/* v.e is the narrow element; the generators read the low halves of n and m (n whole where it is wide). */
static bool widening(DisasContext *s, arg_SADDL *a, unsigned sizes, bool n_wide, simd_gen *gen)
{
    struct simd v;
    if (a->e == LANE_D || !simd_shape(&v, s, a->q, a->e, sizes, a->rd))
        return false;
    v.n = n_wide ? a64_read_v(s, a->rn) : simd_half(s, a->q, a->rn);
    v.m = simd_half(s, a->q, a->rm);
    if (a->q == Q_SCALAR) {
        v.n = simd_cut(s->b, v.bytes, v.n);
        v.m = simd_cut(s->b, v.bytes, v.m);
    }
    ir_ref r = gen(&v);
    a64_write_v(s, a->rd, a->q == Q_SCALAR ? simd_cut(s->b, 2 * v.bytes, r) : r);
    return true;
}

#define WIDE(NAME, sizes, n_wide, expr)                                 \
    static ir_ref gen_##NAME(const struct simd *v) { return expr; }     \
    bool a64_trans_##NAME(DisasContext *s, arg_SADDL *a)                \
    {                                                                   \
        return widening(s, a, sizes, n_wide, gen_##NAME);               \
    }
#define LONG(NAME, sizes, expr) WIDE(NAME, sizes, false, expr)

LONG(SADDL, BHS, W2(VADD, V1(VSWIDEN, v->n), V1(VSWIDEN, v->m)))
LONG(UADDL, BHS, W2(VADD, V1(VUWIDEN, v->n), V1(VUWIDEN, v->m)))
LONG(SSUBL, BHS, W2(VSUB, V1(VSWIDEN, v->n), V1(VSWIDEN, v->m)))
LONG(USUBL, BHS, W2(VSUB, V1(VUWIDEN, v->n), V1(VUWIDEN, v->m)))
WIDE(SADDW, BHS, true, W2(VADD, v->n, V1(VSWIDEN, v->m)))
WIDE(UADDW, BHS, true, W2(VADD, v->n, V1(VUWIDEN, v->m)))
WIDE(SSUBW, BHS, true, W2(VSUB, v->n, V1(VSWIDEN, v->m)))
WIDE(USUBW, BHS, true, W2(VSUB, v->n, V1(VUWIDEN, v->m)))
/* A difference fits its element without a sign. */
LONG(SABDL, BHS, V1(VUWIDEN, V2(VABDS, v->n, v->m)))
LONG(UABDL, BHS, V1(VUWIDEN, V2(VABDU, v->n, v->m)))
LONG(SABAL, BHS, W2(VADD, simd_vd(v), V1(VUWIDEN, V2(VABDS, v->n, v->m))))
LONG(UABAL, BHS, W2(VADD, simd_vd(v), V1(VUWIDEN, V2(VABDU, v->n, v->m))))
LONG(SMULL, BHS, V2(VSMULL, v->n, v->m))
LONG(UMULL, BHS, V2(VUMULL, v->n, v->m))
LONG(SMLAL, BHS, W2(VADD, simd_vd(v), V2(VSMULL, v->n, v->m)))
LONG(UMLAL, BHS, W2(VADD, simd_vd(v), V2(VUMULL, v->n, v->m)))
LONG(SMLSL, BHS, W2(VSUB, simd_vd(v), V2(VSMULL, v->n, v->m)))
LONG(UMLSL, BHS, W2(VSUB, simd_vd(v), V2(VUMULL, v->n, v->m)))

/* --- saturating: the product is doubled first; QC is set by either step --- */

static ir_ref doubled(const struct simd *v)
{
    ir_ref p = V2(VSMULL, v->n, v->m);
    return simd_saturated(v, W2(VSQADD, p, p), W2(VADD, p, p));
}

static ir_ref accumulate(const struct simd *v, enum ir_op saturating, enum ir_op exact)
{
    ir_ref p = doubled(v), d = simd_vd(v);
    if (v->bytes < 8) /* scalar */
        d = simd_cut(v->b, 2 * v->bytes, d);
    return simd_saturated(v, b_v2(v->b, saturating, v->e + 1, d, p), b_v2(v->b, exact, v->e + 1, d, p));
}

LONG(SQDMULL, HS, doubled(v))
LONG(SQDMLAL, HS, accumulate(v, IR_VSQADD, IR_VADD))
LONG(SQDMLSL, HS, accumulate(v, IR_VSQSUB, IR_VSUB))

/* --- polynomials: bytes, or 64 bits (FEAT_PMULL) --- */

bool a64_trans_PMULL(DisasContext *s, arg_SADDL *a)
{
    ir_ref n = simd_half(s, a->q, a->rn), m = simd_half(s, a->q, a->rm);
    if (a->e == LANE_D)
        a64_write_v(s, a->rd, b_v2(s->b, IR_CLMUL64, LANE_D, n, m));
    else if (a->e == LANE_B)
        a64_write_v(s, a->rd, b_callv(s->b, &a64_helper_simd_pmull8, n, m));
    else
        return false;
    return true;
}

/* --- narrowing: the upper half of a sum or difference --- */

static bool high_narrow(DisasContext *s, arg_SADDL *a, enum ir_op op, bool rounds)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, BHS, a->rd))
        return false;
    ir_ref x = b_v2(s->b, op, v.e + 1, a64_read_v(s, a->rn), a64_read_v(s, a->rm));
    if (rounds)
        x = b_v2(s->b, IR_VADD, v.e + 1, x, simd_splat(s->b, v.e + 1, UINT64_C(1) << (simd_bits(&v) - 1)));
    simd_write_half(&v, a->q, b_v2(s->b, IR_VUZP2, v.e, x, x));
    return true;
}

bool a64_trans_ADDHN(DisasContext *s, arg_SADDL *a) { return high_narrow(s, a, IR_VADD, false); }
bool a64_trans_SUBHN(DisasContext *s, arg_SADDL *a) { return high_narrow(s, a, IR_VSUB, false); }
bool a64_trans_RADDHN(DisasContext *s, arg_SADDL *a) { return high_narrow(s, a, IR_VADD, true); }
bool a64_trans_RSUBHN(DisasContext *s, arg_SADDL *a) { return high_narrow(s, a, IR_VSUB, true); }

/* --- x indexed element --- */

static bool by_element(DisasContext *s, arg_SMULL_e *a, simd_gen *gen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HS, a->rd) || !simd_element(s, a->e, a->h, a->l, a->rm, &v.m))
        return false;
    v.n = simd_half(s, a->q, a->rn);
    if (a->q == Q_SCALAR) {
        v.n = simd_cut(s->b, v.bytes, v.n);
        v.m = simd_cut(s->b, v.bytes, v.m);
    }
    ir_ref r = gen(&v);
    a64_write_v(s, a->rd, a->q == Q_SCALAR ? simd_cut(s->b, 2 * v.bytes, r) : r);
    return true;
}

#define ELEMENT(NAME) \
    bool a64_trans_##NAME##_e(DisasContext *s, arg_SMULL_e *a) { return by_element(s, a, gen_##NAME); }
ELEMENT(SMULL)
ELEMENT(UMULL)
ELEMENT(SMLAL)
ELEMENT(UMLAL)
ELEMENT(SMLSL)
ELEMENT(UMLSL)
ELEMENT(SQDMULL)
ELEMENT(SQDMLAL)
ELEMENT(SQDMLSL)
