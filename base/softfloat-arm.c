/*
 * Arm's reciprocal and reciprocal square root estimates and steps, and FMULX, after the pseudocode of the Arm ARM
 * (DDI 0487, shared/functions/float: FPRecipEstimate, FPRSqrtEstimate, FPRecpX, FPRecipStepFused, FPRSqrtStepFused,
 * FPMulX). Increased-precision estimates (FEAT_RPRES) are not here.
 */
#include "base/softfloat-core.h"
#include "base/bits.h"

unsigned arm_recip_estimate(unsigned a)
{
    unsigned b = (1 << 19) / (a * 2 + 1);
    return (b + 1) / 2;
}

unsigned arm_rsqrt_estimate(unsigned a)
{
    a = a < 256 ? a * 2 + 1 : ((a & ~1u) + 1) * 2;
    unsigned b = 512;
    while (a * (b + 1) * (b + 1) < 1u << 28)
        b++;
    return (b + 1) / 2;
}

static uint64_t division_by_zero(const struct fp_format *f, bool sign, struct fp_env *env)
{
    env->flags |= FP_DIVZERO;
    return fp_infinity(f, sign);
}

/*
 * The manual treats overflow, flushing and denormal results by cases; packing 1 / (m * 2^e) = (2 / m) * 2^(-1 - e)
 * comes to the same, since a nine-bit estimate is exact in every format.
 */
uint64_t fp_recip_estimate(const struct fp_format *f, uint64_t a, struct fp_env *env)
{
    struct fp_num x = fp_unpack(f, a, env);
    if (fp_num_is_nan(x))
        return fp_pick_nan(f, &x, 1, env);
    if (x.kind == FP_KIND_INF)
        return fp_sign_bit(f, x.sign);
    if (x.kind == FP_KIND_ZERO)
        return division_by_zero(f, x.sign, env);
    uint64_t estimate = arm_recip_estimate(x.frac >> 55);
    return fp_pack(f, fp_finite(x.sign, -1 - x.exp, estimate << 55), env);
}

uint64_t fp_rsqrt_estimate(const struct fp_format *f, uint64_t a, struct fp_env *env)
{
    struct fp_num x = fp_unpack(f, a, env);
    if (fp_num_is_nan(x))
        return fp_pick_nan(f, &x, 1, env);
    if (x.kind == FP_KIND_ZERO)
        return division_by_zero(f, x.sign, env);
    if (x.sign)
        return fp_invalid(f, env);
    if (x.kind == FP_KIND_INF)
        return 0;
    bool odd = x.exp & 1;
    uint64_t estimate = arm_rsqrt_estimate(x.frac >> (odd ? 55 : 56));
    return fp_pack(f, fp_finite(false, -(x.exp - odd) / 2 - 1, estimate << 55), env);
}

uint64_t fp_recip_exponent(const struct fp_format *f, uint64_t a, struct fp_env *env)
{
    struct fp_num x = fp_unpack(f, a, env);
    if (fp_num_is_nan(x))
        return fp_pick_nan(f, &x, 1, env);
    uint64_t exp = extract64(a, f->frac_bits, f->exp_bits), ones = extract64(~UINT64_C(0), 0, f->exp_bits);
    return fp_sign_bit(f, x.sign) | (exp ? exp ^ ones : ones - 1) << f->frac_bits;
}

/* (m * 2^1 - a * b) * 2^scale with one rounding, where m is frac read as 1.63 fixed point. */
static uint64_t step(const struct fp_format *f, uint64_t a, uint64_t b, uint64_t frac, int scale, struct fp_env *env)
{
    struct fp_num n[] = {fp_unpack(f, a, env), fp_unpack(f, b, env)};
    struct fp_num start = fp_finite(false, 1, frac);
    n[0].sign ^= 1; /* a NaN's too: the manual negates before it looks */
    if (fp_num_is_nan(n[0]) || fp_num_is_nan(n[1]))
        return fp_pick_nan(f, n, 2, env);
    struct fp_num result = start;
    if (n[0].kind == FP_KIND_INF || n[1].kind == FP_KIND_INF) {
        if (n[0].kind != FP_KIND_ZERO && n[1].kind != FP_KIND_ZERO)
            return fp_infinity(f, n[0].sign ^ n[1].sign);
    } else {
        result = fp_fused(n[0], n[1], start, env);
    }
    result.exp += scale;
    return fp_pack(f, result, env);
}

uint64_t fp_recip_step(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return step(f, a, b, UINT64_C(1) << 63, 0, env); /* 2 - a * b */
}

uint64_t fp_rsqrt_step(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return step(f, a, b, UINT64_C(3) << 62, -1, env); /* (3 - a * b) / 2 */
}

uint64_t fp_mulx(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    struct fp_num x = fp_unpack(f, a, env), y = fp_unpack(f, b, env);
    if ((x.kind == FP_KIND_INF && y.kind == FP_KIND_ZERO) || (x.kind == FP_KIND_ZERO && y.kind == FP_KIND_INF))
        return fp_pack(f, fp_finite(x.sign ^ y.sign, 1, UINT64_C(1) << 63), env);
    return fp_mul(f, a, b, env);
}
