/*
 * Inside the softfloat files: a value unpacked from any format, and the way back. An operation unpacks, treats NaNs,
 * infinities and zeros by cases, computes finite values exactly or with a sticky last bit, and packs.
 */
#ifndef BASE_SOFTFLOAT_CORE_H
#define BASE_SOFTFLOAT_CORE_H

#include "base/softfloat.h"

typedef unsigned __int128 fp_wide;

enum fp_kind { FP_KIND_ZERO, FP_KIND_FINITE, FP_KIND_INF, FP_KIND_QNAN, FP_KIND_SNAN };

/*
 * A finite value is frac * 2^(exp - 63) with bit 63 of frac set; when it is the result of an operation, bit 0 may be
 * sticky. Zero and infinity have exponents beyond all others, so that magnitudes order by (exp, frac). A NaN's
 * fraction field is left-aligned below bit 63, where other formats find its most significant part.
 */
struct fp_num {
    enum fp_kind kind;
    bool sign;
    int exp;
    uint64_t frac;
};

static inline int fp_bias(const struct fp_format *f) { return (1 << (f->exp_bits - 1)) - 1; }
static inline uint64_t fp_sign_bit(const struct fp_format *f, bool sign)
{
    return (uint64_t)sign << (f->exp_bits + f->frac_bits);
}
static inline bool fp_num_is_nan(struct fp_num n) { return n.kind >= FP_KIND_QNAN; }
static inline struct fp_num fp_finite(bool sign, int exp, uint64_t frac)
{
    return (struct fp_num){FP_KIND_FINITE, sign, exp, frac};
}

struct fp_num fp_unpack_raw(const struct fp_format *f, uint64_t bits);
/* The same, flushing denormals as env says. */
struct fp_num fp_unpack(const struct fp_format *f, uint64_t bits, struct fp_env *env);
/* Rounds and encodes; n is no NaN. */
uint64_t fp_pack(const struct fp_format *f, struct fp_num n, struct fp_env *env);

/* The NaN result for operands of which one at least is a NaN; they stand in the order of preference. */
uint64_t fp_pick_nan(const struct fp_format *f, const struct fp_num *ops, unsigned count, struct fp_env *env);
/* Raises invalid; the default NaN. */
uint64_t fp_invalid(const struct fp_format *f, struct fp_env *env);

/* a * b + c for zero or finite operands, unrounded; env's mode only settles the sign of an exact zero. */
struct fp_num fp_fused(struct fp_num a, struct fp_num b, struct fp_num c, const struct fp_env *env);

/* Whether discarding `rest` below a kept part, of which `odd` is the last bit, rounds the magnitude up. */
bool fp_rounds_up(enum fp_round round, bool sign, bool odd, uint64_t rest, uint64_t half);

#endif
