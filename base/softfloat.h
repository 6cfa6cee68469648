/*
 * IEEE 754-2019 arithmetic in integers: every format through one generic path, bit-exact in result and flags.
 * What the standard leaves open (NaN choice, tininess, out-of-range conversions) is a constant per guest in
 * `struct fp_rules`; what the guest's control register sets at run time is in `struct fp_env`.
 *
 * Values are raw bits in the low end of a uint64_t; bits above the format's width are ignored on input and 0 on
 * output. Typed faces (f16_add, f32_add, f64_add ...) stand at the end. Nothing here touches the host's FP state.
 * bf16 is a row of the format table; a 128-bit format would need `fp_num`'s fraction widened (softfloat-core.h).
 */
#ifndef BASE_SOFTFLOAT_H
#define BASE_SOFTFLOAT_H

#include <stdbool.h>
#include <stdint.h>

/* Rounding modes; the first five are RISC-V's frm encoding. */
enum fp_round {
    FP_RNE, /* nearest, ties to even */
    FP_RTZ, /* toward zero */
    FP_RDN, /* toward minus infinity */
    FP_RUP, /* toward plus infinity */
    FP_RNA, /* nearest, ties away from zero */
    FP_ROD, /* to odd: an inexact result gets its last bit set (Arm FCVTXN) */
};

/* Exception flags, sticky in fp_env.flags; the values are the bits of Arm's FPSR. */
enum fp_flags {
    FP_INVALID = 0x01,
    FP_DIVZERO = 0x02,
    FP_OVERFLOW = 0x04,
    FP_UNDERFLOW = 0x08,
    FP_INEXACT = 0x10,
    FP_INPUT_DENORMAL = 0x80, /* a denormal operand was flushed */
};

enum fp_order { FP_LESS = -1, FP_EQUAL = 0, FP_GREATER = 1, FP_UNORDERED = 2 };

/* In the order of RISC-V's FCLASS, whose result is 1 << class. */
enum fp_class {
    FP_NEG_INF,
    FP_NEG_NORM,
    FP_NEG_DENORM,
    FP_NEG_ZERO,
    FP_POS_ZERO,
    FP_POS_DENORM,
    FP_POS_NORM,
    FP_POS_INF,
    FP_SIGNALLING_NAN,
    FP_QUIET_NAN,
};

struct fp_rules {
    enum {
        FP_PICK_SIGNALLING, /* the first signalling operand, else the first quiet one (Arm FPProcessNaNs) */
        FP_PICK_DEFAULT,    /* always the default NaN (RISC-V) */
        FP_PICK_FIRST,      /* the first NaN operand of either kind (SSE) */
    } nan;
    enum {
        FP_TO_INT_ZERO,       /* NaN gives 0, else saturate (Arm) */
        FP_TO_INT_MAX,        /* NaN gives the greatest integer, else saturate (RISC-V) */
        FP_TO_INT_INDEFINITE, /* all invalid cases give INT_MIN, or all ones when unsigned (x86) */
    } to_int;
    enum {
        FP_MINMAX_2008,   /* minnum/maxnum ignore a quiet NaN only (Arm, IEEE 754-2008) */
        FP_MINMAX_2019,   /* ... and a signalling one, after raising invalid (RISC-V, minimumNumber) */
        FP_MINMAX_SECOND, /* the second operand unless the first is strictly beyond it; any NaN is invalid (SSE) */
    } minmax;
    bool default_nan_sign;
    bool tiny_before;           /* tininess is detected before rounding */
    bool flush_inexact;         /* a flushed result raises inexact besides underflow */
    bool fma_addend_first;      /* the addend comes first in the NaN order, else last */
    bool fma_inf_zero_invalid;  /* inf * 0 + quiet NaN raises invalid and gives the default NaN */
};

extern const struct fp_rules fp_rules_arm, fp_rules_riscv, fp_rules_x86;

struct fp_env {
    const struct fp_rules *rules;
    uint8_t round;      /* enum fp_round */
    uint8_t flags;      /* enum fp_flags, only ever ORed into */
    bool flush_inputs;  /* denormal operands count as zero; raises FP_INPUT_DENORMAL but for f16 (Arm FZ16) */
    bool flush_outputs; /* tiny results become zero */
    bool default_nan;   /* every NaN result is the default NaN */
    bool ahp;           /* conversions take f16 as Arm's alternative half precision (no NaN, no infinity) */
};

struct fp_format {
    uint8_t exp_bits, frac_bits;
    bool no_specials; /* the top exponent is an ordinary one */
};

extern const struct fp_format fp_f16, fp_bf16, fp_f32, fp_f64;

/* Constants of a format. */
uint64_t fp_default_nan(const struct fp_format *f, const struct fp_rules *rules);
uint64_t fp_infinity(const struct fp_format *f, bool sign);
uint64_t fp_max_normal(const struct fp_format *f, bool sign);

/* Arithmetic; env gives rounding and flushing and collects flags. */
uint64_t fp_add(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
uint64_t fp_sub(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
uint64_t fp_mul(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
uint64_t fp_div(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
uint64_t fp_sqrt(const struct fp_format *f, uint64_t a, struct fp_env *env);
/* a * b + c, rounded once. */
uint64_t fp_fma(const struct fp_format *f, uint64_t a, uint64_t b, uint64_t c, struct fp_env *env);

/* -0 is below +0 (but under FP_MINMAX_SECOND). min/max give a NaN for a NaN: Arm FMIN, RISC-V FMINM, SSE MINSD. */
uint64_t fp_min(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
uint64_t fp_max(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
/* minnum/maxnum prefer a number to a NaN: Arm FMINNM, RISC-V FMIN. */
uint64_t fp_minnum(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
uint64_t fp_maxnum(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);

/* fp_compare raises invalid for a signalling NaN, fp_compare_signal for any NaN. */
enum fp_order fp_compare(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
enum fp_order fp_compare_signal(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
enum fp_class fp_classify(const struct fp_format *f, uint64_t a);

/* The nearest integral value under `round`; raises inexact only when `exact` (Arm FRINTX, RISC-V FROUNDNX). */
uint64_t fp_round_int(const struct fp_format *f, uint64_t a, enum fp_round round, bool exact, struct fp_env *env);

/*
 * Between formats, rounding as env says. f16 is never flushed here (Arm FPUnpackCV, FPRoundCV), and is the
 * alternative format when env->ahp.
 */
uint64_t fp_convert(const struct fp_format *to, const struct fp_format *from, uint64_t a, struct fp_env *env);

/*
 * To an integer of `width` bits (1..64), the value first scaled by 2^fbits (0..64). Out of range and NaN raise
 * invalid alone and give what rules->to_int says.
 */
int64_t fp_to_sint(const struct fp_format *f, uint64_t a, unsigned width, unsigned fbits, enum fp_round round,
                   struct fp_env *env);
uint64_t fp_to_uint(const struct fp_format *f, uint64_t a, unsigned width, unsigned fbits, enum fp_round round,
                    struct fp_env *env);
/* v / 2^fbits (0..64), rounded as env says. */
uint64_t fp_from_sint(const struct fp_format *f, int64_t v, unsigned fbits, struct fp_env *env);
uint64_t fp_from_uint(const struct fp_format *f, uint64_t v, unsigned fbits, struct fp_env *env);
/*
 * Truncated modulo 2^32, NaN and infinity to 0; invalid when outside int32_t (Arm FJCVTZS, RISC-V FCVTMOD.W.D).
 * *exact, if given, becomes FJCVTZS's Z flag: the value was an int32_t and not -0.
 */
uint32_t f64_to_int32_modular(uint64_t a, bool *exact, struct fp_env *env);

/* Arm's own: estimates and Newton steps (FRECPE, FRSQRTE, FRECPX, FRECPS, FRSQRTS) and FMULX. Not for bf16. */
uint64_t fp_recip_estimate(const struct fp_format *f, uint64_t a, struct fp_env *env);
uint64_t fp_rsqrt_estimate(const struct fp_format *f, uint64_t a, struct fp_env *env);
uint64_t fp_recip_exponent(const struct fp_format *f, uint64_t a, struct fp_env *env);
uint64_t fp_recip_step(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
uint64_t fp_rsqrt_step(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
uint64_t fp_mulx(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env);
/* The tables under them, also URECPE's and URSQRTE's: a in 256..511 or 128..511, result in 256..511. */
unsigned arm_recip_estimate(unsigned a);
unsigned arm_rsqrt_estimate(unsigned a);

/* The typed faces: f32_add(a, b, env) is fp_add(&fp_f32, a, b, env), and so on for every name below. */
#define FP_TYPED1(t, bits, name)                                                                  \
    static inline bits t##_##name(bits a, struct fp_env *env)                                     \
    {                                                                                             \
        return (bits)fp_##name(&fp_##t, a, env);                                                  \
    }
#define FP_TYPED2(t, bits, name)                                                                  \
    static inline bits t##_##name(bits a, bits b, struct fp_env *env)                             \
    {                                                                                             \
        return (bits)fp_##name(&fp_##t, a, b, env);                                               \
    }
#define FP_TYPED(t, bits)                                                                         \
    FP_TYPED2(t, bits, add)                                                                       \
    FP_TYPED2(t, bits, sub)                                                                       \
    FP_TYPED2(t, bits, mul)                                                                       \
    FP_TYPED2(t, bits, div)                                                                       \
    FP_TYPED2(t, bits, min)                                                                       \
    FP_TYPED2(t, bits, max)                                                                       \
    FP_TYPED2(t, bits, minnum)                                                                    \
    FP_TYPED2(t, bits, maxnum)                                                                    \
    FP_TYPED2(t, bits, recip_step)                                                                \
    FP_TYPED2(t, bits, rsqrt_step)                                                                \
    FP_TYPED2(t, bits, mulx)                                                                      \
    FP_TYPED1(t, bits, sqrt)                                                                      \
    FP_TYPED1(t, bits, recip_estimate)                                                            \
    FP_TYPED1(t, bits, rsqrt_estimate)                                                            \
    FP_TYPED1(t, bits, recip_exponent)                                                            \
    static inline bits t##_fma(bits a, bits b, bits c, struct fp_env *env)                        \
    {                                                                                             \
        return (bits)fp_fma(&fp_##t, a, b, c, env);                                               \
    }                                                                                             \
    static inline enum fp_order t##_compare(bits a, bits b, struct fp_env *env)                   \
    {                                                                                             \
        return fp_compare(&fp_##t, a, b, env);                                                    \
    }                                                                                             \
    static inline enum fp_order t##_compare_signal(bits a, bits b, struct fp_env *env)            \
    {                                                                                             \
        return fp_compare_signal(&fp_##t, a, b, env);                                             \
    }                                                                                             \
    static inline bits t##_round_int(bits a, enum fp_round round, bool exact, struct fp_env *env) \
    {                                                                                             \
        return (bits)fp_round_int(&fp_##t, a, round, exact, env);                                 \
    }
FP_TYPED(f16, uint16_t)
FP_TYPED(f32, uint32_t)
FP_TYPED(f64, uint64_t)

#endif
