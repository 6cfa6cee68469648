/*
 * Conversions among formats, to and from integers and fixed point, and rounding to integral values: IEEE 754-2019
 * clauses 5.3.1, 5.4.1 and 5.4.2, with Arm's fixed-point scales (FPToFixed, FixedToFP, FPConvert, FPToFixedJS).
 */
#include "base/softfloat-core.h"
#include "base/bits.h"

static const struct fp_format alternative_half = {5, 10, true};

uint64_t fp_convert(const struct fp_format *to, const struct fp_format *from, uint64_t a, struct fp_env *env)
{
    struct fp_env half = *env; /* as env, for a side that is f16: it is never flushed */
    half.flush_inputs = half.flush_outputs = false;
    const struct fp_format *const source = from == &fp_f16 && env->ahp ? &alternative_half : from;
    struct fp_num n = fp_unpack(source, a, from == &fp_f16 ? &half : env);

    if (to == &fp_f16 && env->ahp) {
        if (fp_num_is_nan(n)) {
            env->flags |= FP_INVALID;
            return fp_sign_bit(to, n.sign);
        }
        if (n.kind == FP_KIND_INF)
            n = fp_finite(n.sign, fp_bias(to) + 2, UINT64_C(1) << 63); /* too large, as far as this format knows */
        to = &alternative_half;
    }
    if (fp_num_is_nan(n))
        return fp_pick_nan(to, &n, 1, env);
    if (to != &fp_f16 && to != &alternative_half)
        return fp_pack(to, n, env);
    half.flags = 0;
    uint64_t result = fp_pack(to, n, &half);
    env->flags |= half.flags;
    return result;
}

/* |n| as an integer under `round`; *rest becomes nonzero if bits were lost. n is zero, or finite below 2^64. */
static uint64_t integer(struct fp_num n, enum fp_round round, uint64_t *rest)
{
    uint64_t kept = 0;
    *rest = n.kind != FP_KIND_ZERO; /* below one half, unless it proves to be more */
    if (n.exp >= -1) {
        kept = n.exp < 0 ? 0 : n.frac >> (63 - n.exp);
        *rest = n.exp == 63 ? 0 : n.frac << (n.exp + 1);
    }
    return kept + fp_rounds_up(round, n.sign, kept & 1, *rest, UINT64_C(1) << 63);
}

uint64_t fp_round_int(const struct fp_format *f, uint64_t a, enum fp_round round, bool exact, struct fp_env *env)
{
    struct fp_num n = fp_unpack(f, a, env);
    if (fp_num_is_nan(n))
        return fp_pick_nan(f, &n, 1, env);
    if (n.kind != FP_KIND_FINITE || n.exp >= f->frac_bits)
        return fp_pack(f, n, env);

    uint64_t rest, magnitude = integer(n, round, &rest);
    if (rest && exact)
        env->flags |= FP_INEXACT;
    if (!magnitude)
        return fp_sign_bit(f, n.sign);
    unsigned shift = __builtin_clzll(magnitude);
    return fp_pack(f, fp_finite(n.sign, 63 - (int)shift, magnitude << shift), env);
}

/* Two's complement in 64 bits. */
static uint64_t to_int(const struct fp_format *f, uint64_t a, unsigned width, bool is_signed, unsigned fbits,
                       enum fp_round round, struct fp_env *env)
{
    struct fp_num n = fp_unpack(f, a, env);
    const uint64_t max = extract64(~UINT64_C(0), 0, width) >> is_signed;
    const uint64_t min_magnitude = is_signed ? max + 1 : 0;

    n.exp += (int)fbits;
    if (n.kind == FP_KIND_ZERO || (n.kind == FP_KIND_FINITE && n.exp < 64)) {
        uint64_t rest, magnitude = integer(n, round, &rest);
        if (magnitude <= (n.sign ? min_magnitude : max)) {
            if (rest)
                env->flags |= FP_INEXACT;
            return n.sign ? -magnitude : magnitude;
        }
    }
    env->flags |= FP_INVALID;
    if (env->rules->to_int == FP_TO_INT_INDEFINITE)
        return is_signed ? -min_magnitude : max;
    if (fp_num_is_nan(n))
        return env->rules->to_int == FP_TO_INT_MAX ? max : 0;
    return n.sign ? -min_magnitude : max;
}

int64_t fp_to_sint(const struct fp_format *f, uint64_t a, unsigned width, unsigned fbits, enum fp_round round,
                   struct fp_env *env)
{
    return (int64_t)to_int(f, a, width, true, fbits, round, env);
}

uint64_t fp_to_uint(const struct fp_format *f, uint64_t a, unsigned width, unsigned fbits, enum fp_round round,
                    struct fp_env *env)
{
    return to_int(f, a, width, false, fbits, round, env);
}

static uint64_t from_magnitude(const struct fp_format *f, bool sign, uint64_t v, unsigned fbits, struct fp_env *env)
{
    if (!v)
        return 0;
    unsigned shift = __builtin_clzll(v);
    return fp_pack(f, fp_finite(sign, 63 - (int)shift - (int)fbits, v << shift), env);
}

uint64_t fp_from_sint(const struct fp_format *f, int64_t v, unsigned fbits, struct fp_env *env)
{
    return from_magnitude(f, v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v, fbits, env);
}

uint64_t fp_from_uint(const struct fp_format *f, uint64_t v, unsigned fbits, struct fp_env *env)
{
    return from_magnitude(f, false, v, fbits, env);
}

uint32_t f64_to_int32_modular(uint64_t a, bool *exact, struct fp_env *env)
{
    struct fp_num n = fp_unpack(&fp_f64, a, env);
    bool in_range = false, lost = true;
    uint32_t result = 0;

    if (n.kind == FP_KIND_ZERO || (n.kind == FP_KIND_FINITE && n.exp < 64)) {
        uint64_t rest, magnitude = integer(n, FP_RTZ, &rest);
        in_range = magnitude <= (uint64_t)INT32_MAX + n.sign;
        lost = rest != 0;
        result = n.sign ? -(uint32_t)magnitude : (uint32_t)magnitude;
    } else if (n.kind == FP_KIND_FINITE && n.exp < 64 + 32) {
        result = (uint32_t)(n.frac << (n.exp - 63)); /* whole, as 53 bits reach down to 2^11 at least */
        if (n.sign)
            result = -result;
    }
    if (!in_range)
        env->flags |= FP_INVALID;
    else if (lost)
        env->flags |= FP_INEXACT;
    if (exact) /* a flushed denormal and -0 read as zero and are not it */
        *exact = in_range && !lost && !(n.kind == FP_KIND_ZERO && a != 0);
    return result;
}
