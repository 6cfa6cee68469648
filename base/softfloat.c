/*
 * Unpacking, rounding, NaN choice, and the arithmetic of IEEE 754-2019 clauses 5.4.1, 5.6, 5.7.2 and 9.6. The rule
 * tables follow the Arm ARM (DDI 0487, shared/functions/float), the RISC-V unprivileged manual ("F" and "Zfa"
 * chapters) and Intel's SDM volume 1, chapters 11 and 14.
 */
#include "base/softfloat-core.h"
#include "base/bits.h"

const struct fp_format fp_f16 = {5, 10, false};
const struct fp_format fp_bf16 = {8, 7, false};
const struct fp_format fp_f32 = {8, 23, false};
const struct fp_format fp_f64 = {11, 52, false};

const struct fp_rules fp_rules_arm = {
    .nan = FP_PICK_SIGNALLING,
    .to_int = FP_TO_INT_ZERO,
    .minmax = FP_MINMAX_2008,
    .tiny_before = true,
    .fma_addend_first = true,
    .fma_inf_zero_invalid = true,
};

const struct fp_rules fp_rules_riscv = {
    .nan = FP_PICK_DEFAULT,
    .to_int = FP_TO_INT_MAX,
    .minmax = FP_MINMAX_2019,
    .fma_inf_zero_invalid = true,
};

const struct fp_rules fp_rules_x86 = {
    .nan = FP_PICK_FIRST,
    .to_int = FP_TO_INT_INDEFINITE,
    .minmax = FP_MINMAX_SECOND,
    .default_nan_sign = true,
    .flush_inexact = true,
};

enum { EXP_BEYOND = 1 << 20 };

static uint64_t shift_right_jam(uint64_t x, unsigned n)
{
    if (n == 0)
        return x;
    if (n > 63)
        return x != 0;
    return x >> n | (x << (64 - n) != 0);
}

static fp_wide wide_shift_right_jam(fp_wide x, unsigned n)
{
    if (n == 0)
        return x;
    if (n > 127)
        return x != 0;
    return x >> n | (x << (128 - n) != 0);
}

/* Constants. */

uint64_t fp_infinity(const struct fp_format *f, bool sign)
{
    return fp_sign_bit(f, sign) | extract64(~UINT64_C(0), 0, f->exp_bits) << f->frac_bits;
}

uint64_t fp_max_normal(const struct fp_format *f, bool sign) { return fp_infinity(f, sign) - 1; }

uint64_t fp_default_nan(const struct fp_format *f, const struct fp_rules *rules)
{
    return fp_infinity(f, rules->default_nan_sign) | UINT64_C(1) << (f->frac_bits - 1);
}

/* Unpacking and packing. */

struct fp_num fp_unpack_raw(const struct fp_format *f, uint64_t bits)
{
    unsigned exp = extract64(bits, f->frac_bits, f->exp_bits);
    uint64_t frac = extract64(bits, 0, f->frac_bits) << (63 - f->frac_bits);
    bool sign = extract64(bits, f->exp_bits + f->frac_bits, 1);

    if (exp == extract64(~UINT64_C(0), 0, f->exp_bits) && !f->no_specials) {
        enum fp_kind kind = !frac ? FP_KIND_INF : frac >> 62 ? FP_KIND_QNAN : FP_KIND_SNAN;
        return (struct fp_num){kind, sign, EXP_BEYOND, frac};
    }
    if (exp)
        return fp_finite(sign, (int)exp - fp_bias(f), frac | UINT64_C(1) << 63);
    if (!frac)
        return (struct fp_num){FP_KIND_ZERO, sign, -EXP_BEYOND, 0};
    unsigned shift = __builtin_clzll(frac);
    return fp_finite(sign, 1 - fp_bias(f) - (int)shift, frac << shift);
}

struct fp_num fp_unpack(const struct fp_format *f, uint64_t bits, struct fp_env *env)
{
    struct fp_num n = fp_unpack_raw(f, bits);
    if (env->flush_inputs && n.kind == FP_KIND_FINITE && n.exp < 1 - fp_bias(f)) {
        if (f != &fp_f16) /* Arm FPUnpackBase: FZ16 leaves no trace */
            env->flags |= FP_INPUT_DENORMAL;
        n = (struct fp_num){FP_KIND_ZERO, n.sign, -EXP_BEYOND, 0};
    }
    return n;
}

bool fp_rounds_up(enum fp_round round, bool sign, bool odd, uint64_t rest, uint64_t half)
{
    switch (round) {
    case FP_RNE:
        return rest > half || (rest == half && odd);
    case FP_RTZ:
        return false;
    case FP_RDN:
        return rest && sign;
    case FP_RUP:
        return rest && !sign;
    case FP_RNA:
        return rest >= half;
    case FP_ROD:
        return rest && !odd;
    }
    return false;
}

static uint64_t overflow(const struct fp_format *f, bool sign, struct fp_env *env)
{
    if (f->no_specials) {
        env->flags |= FP_INVALID;
        return fp_sign_bit(f, true) - 1 + fp_sign_bit(f, sign);
    }
    env->flags |= FP_OVERFLOW | FP_INEXACT;
    bool to_inf = env->round == FP_RNE || env->round == FP_RNA || env->round == (sign ? FP_RDN : FP_RUP);
    return to_inf ? fp_infinity(f, sign) : fp_max_normal(f, sign);
}

static uint64_t round_pack(const struct fp_format *f, bool sign, int exp, uint64_t frac, struct fp_env *env)
{
    const int exp_min = 1 - fp_bias(f), exp_max = fp_bias(f) + f->no_specials;
    const unsigned drop = 63 - f->frac_bits;
    const uint64_t half = UINT64_C(1) << (drop - 1);
    bool tiny = exp < exp_min;

    /* After rounding means: rounded to full precision as if the exponent had no bound, it is still too small. */
    if (exp == exp_min - 1 && !env->rules->tiny_before) {
        uint64_t kept = frac >> drop;
        bool all_ones = kept == extract64(~UINT64_C(0), 0, f->frac_bits + 1);
        tiny = !(all_ones && fp_rounds_up(env->round, sign, kept & 1, extract64(frac, 0, drop), half));
    }
    if (tiny && env->flush_outputs) {
        env->flags |= FP_UNDERFLOW | (env->rules->flush_inexact ? FP_INEXACT : 0);
        return fp_sign_bit(f, sign);
    }
    if (exp > exp_max)
        return overflow(f, sign, env);

    unsigned base = exp - exp_min; /* the biased exponent less the one that the leading bit adds below */
    if (exp < exp_min) {
        frac = shift_right_jam(frac, exp_min - exp);
        base = 0;
    }
    uint64_t rest = extract64(frac, 0, drop), kept = frac >> drop;
    kept += fp_rounds_up(env->round, sign, kept & 1, rest, half);
    uint64_t bits = ((uint64_t)base << f->frac_bits) + kept;
    if (bits >> f->frac_bits > (uint64_t)(exp_max - exp_min + 1))
        return overflow(f, sign, env);
    if (rest)
        env->flags |= FP_INEXACT | (tiny ? FP_UNDERFLOW : 0);
    return bits | fp_sign_bit(f, sign);
}

uint64_t fp_pack(const struct fp_format *f, struct fp_num n, struct fp_env *env)
{
    switch (n.kind) {
    case FP_KIND_ZERO:
        return fp_sign_bit(f, n.sign);
    case FP_KIND_FINITE:
        return round_pack(f, n.sign, n.exp, n.frac, env);
    default:
        return fp_infinity(f, n.sign);
    }
}

/* NaNs. */

uint64_t fp_invalid(const struct fp_format *f, struct fp_env *env)
{
    env->flags |= FP_INVALID;
    return fp_default_nan(f, env->rules);
}

uint64_t fp_pick_nan(const struct fp_format *f, const struct fp_num *ops, unsigned count, struct fp_env *env)
{
    const struct fp_num *first = NULL, *signalling = NULL;
    for (unsigned i = count; i-- > 0;) {
        if (fp_num_is_nan(ops[i]))
            first = &ops[i];
        if (ops[i].kind == FP_KIND_SNAN)
            signalling = &ops[i];
    }
    if (signalling)
        env->flags |= FP_INVALID;
    if (env->default_nan || env->rules->nan == FP_PICK_DEFAULT)
        return fp_default_nan(f, env->rules);
    if (signalling && env->rules->nan == FP_PICK_SIGNALLING)
        first = signalling;
    return fp_infinity(f, first->sign) | UINT64_C(1) << (f->frac_bits - 1) | first->frac >> (63 - f->frac_bits);
}

/* Sums and products. */

/* Exact: frac * 2^(exp - 126), bit 126 the leading one; or zero. */
struct wide_num {
    bool sign;
    int exp;
    fp_wide frac;
};

static struct wide_num product(struct fp_num a, struct fp_num b)
{
    struct wide_num p = {a.sign ^ b.sign, a.exp + b.exp, (fp_wide)a.frac * b.frac};
    if (p.frac >> 127) {
        p.frac >>= 1; /* exact: operands have at most 53 bits */
        p.exp++;
    }
    return p;
}

static struct wide_num widen(struct fp_num a) { return (struct wide_num){a.sign, a.exp, (fp_wide)a.frac << 63}; }

static struct fp_num narrow(struct wide_num a)
{
    unsigned shift = a.frac >> 64 ? __builtin_clzll(a.frac >> 64) : 64 + __builtin_clzll(a.frac);
    a.frac <<= shift;
    return fp_finite(a.sign, a.exp + 1 - (int)shift, (uint64_t)(a.frac >> 64) | ((uint64_t)a.frac != 0));
}

static struct fp_num sum(struct wide_num a, struct wide_num b, const struct fp_env *env)
{
    if (!a.frac || (b.frac && (a.exp < b.exp || (a.exp == b.exp && a.frac < b.frac)))) {
        struct wide_num t = a;
        a = b;
        b = t;
    }
    if (b.frac) {
        fp_wide aligned = wide_shift_right_jam(b.frac, a.exp - b.exp);
        a.frac += a.sign == b.sign ? aligned : -aligned;
    }
    if (!a.frac) {
        bool sign = a.sign == b.sign ? a.sign : env->round == FP_RDN;
        return (struct fp_num){FP_KIND_ZERO, sign, -EXP_BEYOND, 0};
    }
    return narrow(a);
}

struct fp_num fp_fused(struct fp_num a, struct fp_num b, struct fp_num c, const struct fp_env *env)
{
    return sum(product(a, b), widen(c), env);
}

static uint64_t add(const struct fp_format *f, struct fp_num x, struct fp_num y, struct fp_env *env)
{
    if (x.kind == FP_KIND_INF && y.kind == FP_KIND_INF && x.sign != y.sign)
        return fp_invalid(f, env);
    if (x.kind == FP_KIND_INF || y.kind == FP_KIND_INF)
        return fp_infinity(f, x.kind == FP_KIND_INF ? x.sign : y.sign);
    return fp_pack(f, sum(widen(x), widen(y), env), env);
}

uint64_t fp_add(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    struct fp_num n[] = {fp_unpack(f, a, env), fp_unpack(f, b, env)};
    if (fp_num_is_nan(n[0]) || fp_num_is_nan(n[1]))
        return fp_pick_nan(f, n, 2, env);
    return add(f, n[0], n[1], env);
}

uint64_t fp_sub(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    struct fp_num n[] = {fp_unpack(f, a, env), fp_unpack(f, b, env)};
    if (fp_num_is_nan(n[0]) || fp_num_is_nan(n[1]))
        return fp_pick_nan(f, n, 2, env);
    n[1].sign ^= 1; /* after the NaNs, which keep theirs */
    return add(f, n[0], n[1], env);
}

uint64_t fp_mul(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    struct fp_num n[] = {fp_unpack(f, a, env), fp_unpack(f, b, env)}, x = n[0], y = n[1];
    bool sign = x.sign ^ y.sign;
    if (fp_num_is_nan(x) || fp_num_is_nan(y))
        return fp_pick_nan(f, n, 2, env);
    if (x.kind == FP_KIND_INF || y.kind == FP_KIND_INF) {
        if (x.kind == FP_KIND_ZERO || y.kind == FP_KIND_ZERO)
            return fp_invalid(f, env);
        return fp_infinity(f, sign);
    }
    if (x.kind == FP_KIND_ZERO || y.kind == FP_KIND_ZERO)
        return fp_sign_bit(f, sign);
    return fp_pack(f, narrow(product(x, y)), env);
}

uint64_t fp_fma(const struct fp_format *f, uint64_t a, uint64_t b, uint64_t c, struct fp_env *env)
{
    struct fp_num x = fp_unpack(f, a, env), y = fp_unpack(f, b, env), z = fp_unpack(f, c, env);
    bool inf = x.kind == FP_KIND_INF || y.kind == FP_KIND_INF;
    bool inf_zero = inf && (x.kind == FP_KIND_ZERO || y.kind == FP_KIND_ZERO);
    bool sign = x.sign ^ y.sign;

    if (fp_num_is_nan(x) || fp_num_is_nan(y) || fp_num_is_nan(z)) {
        if (inf_zero && z.kind == FP_KIND_QNAN && env->rules->fma_inf_zero_invalid)
            return fp_invalid(f, env);
        if (env->rules->fma_addend_first)
            return fp_pick_nan(f, (struct fp_num[]){z, x, y}, 3, env);
        return fp_pick_nan(f, (struct fp_num[]){x, y, z}, 3, env);
    }
    if (inf_zero || (inf && z.kind == FP_KIND_INF && z.sign != sign))
        return fp_invalid(f, env);
    if (inf || z.kind == FP_KIND_INF)
        return fp_infinity(f, inf ? sign : z.sign);
    return fp_pack(f, fp_fused(x, y, z, env), env);
}

/* Quotients and roots. */

uint64_t fp_div(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    struct fp_num n[] = {fp_unpack(f, a, env), fp_unpack(f, b, env)}, x = n[0], y = n[1];
    bool sign = x.sign ^ y.sign;
    if (fp_num_is_nan(x) || fp_num_is_nan(y))
        return fp_pick_nan(f, n, 2, env);
    if (x.kind == y.kind && x.kind != FP_KIND_FINITE)
        return fp_invalid(f, env);
    if (x.kind == FP_KIND_INF)
        return fp_infinity(f, sign);
    if (y.kind == FP_KIND_ZERO) {
        env->flags |= FP_DIVZERO;
        return fp_infinity(f, sign);
    }
    if (x.kind == FP_KIND_ZERO || y.kind == FP_KIND_INF)
        return fp_sign_bit(f, sign);

    bool below = x.frac < y.frac;
    fp_wide dividend = (fp_wide)x.frac << (63 + below);
    uint64_t quotient = dividend / y.frac;
    quotient |= (fp_wide)quotient * y.frac != dividend;
    return round_pack(f, sign, x.exp - y.exp - below, quotient, env);
}

uint64_t fp_sqrt(const struct fp_format *f, uint64_t a, struct fp_env *env)
{
    struct fp_num x = fp_unpack(f, a, env);
    if (fp_num_is_nan(x))
        return fp_pick_nan(f, &x, 1, env);
    if (x.kind == FP_KIND_ZERO)
        return fp_sign_bit(f, x.sign);
    if (x.sign)
        return fp_invalid(f, env);
    if (x.kind == FP_KIND_INF)
        return fp_infinity(f, false);

    /* The radicand in [1, 4) as a fixed point number with 126 fraction bits has a root with 63. */
    bool odd = x.exp & 1;
    fp_wide radicand = (fp_wide)x.frac << (63 + odd);
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 63; bit; bit >>= 1) {
        if ((fp_wide)(root | bit) * (root | bit) <= radicand)
            root |= bit;
    }
    root |= (fp_wide)root * root != radicand;
    return round_pack(f, false, (x.exp - odd) / 2, root, env);
}

/* Comparisons. */

static enum fp_order order(struct fp_num x, struct fp_num y)
{
    if (x.kind == FP_KIND_ZERO && y.kind == FP_KIND_ZERO)
        return FP_EQUAL;
    if (x.sign != y.sign)
        return x.sign ? FP_LESS : FP_GREATER;
    if (x.exp == y.exp && x.frac == y.frac)
        return FP_EQUAL;
    bool smaller = x.exp != y.exp ? x.exp < y.exp : x.frac < y.frac;
    return smaller != x.sign ? FP_LESS : FP_GREATER;
}

static enum fp_order compare(const struct fp_format *f, uint64_t a, uint64_t b, bool signal, struct fp_env *env)
{
    struct fp_num x = fp_unpack(f, a, env), y = fp_unpack(f, b, env);
    if (fp_num_is_nan(x) || fp_num_is_nan(y)) {
        if (signal || x.kind == FP_KIND_SNAN || y.kind == FP_KIND_SNAN)
            env->flags |= FP_INVALID;
        return FP_UNORDERED;
    }
    return order(x, y);
}

enum fp_order fp_compare(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return compare(f, a, b, false, env);
}

enum fp_order fp_compare_signal(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return compare(f, a, b, true, env);
}

/* An operand as the result: chosen, not computed, so not flushed unless it was as an input. */
static uint64_t operand(const struct fp_format *f, struct fp_num n, uint64_t bits)
{
    return n.kind == FP_KIND_ZERO ? fp_sign_bit(f, n.sign) : extract64(bits, 0, f->exp_bits + f->frac_bits + 1);
}

static uint64_t minmax(const struct fp_format *f, uint64_t a, uint64_t b, bool max, bool number, struct fp_env *env)
{
    struct fp_num n[] = {fp_unpack(f, a, env), fp_unpack(f, b, env)}, x = n[0], y = n[1];
    enum fp_order beyond = max ? FP_GREATER : FP_LESS;

    if (env->rules->minmax == FP_MINMAX_SECOND) {
        if (fp_num_is_nan(x) || fp_num_is_nan(y)) {
            env->flags |= FP_INVALID;
            return operand(f, y, b);
        }
        return order(x, y) == beyond ? operand(f, x, a) : operand(f, y, b);
    }
    if (fp_num_is_nan(x) || fp_num_is_nan(y)) {
        bool x_is = fp_num_is_nan(x);
        enum fp_kind nan = x_is ? x.kind : y.kind;
        bool ignored = nan == FP_KIND_QNAN || env->rules->minmax == FP_MINMAX_2019;
        if (!number || !ignored || (x_is && fp_num_is_nan(y)))
            return fp_pick_nan(f, n, 2, env);
        if (nan == FP_KIND_SNAN)
            env->flags |= FP_INVALID;
        return x_is ? operand(f, y, b) : operand(f, x, a);
    }
    if (x.kind == FP_KIND_ZERO && y.kind == FP_KIND_ZERO)
        return fp_sign_bit(f, max ? x.sign && y.sign : x.sign || y.sign);
    return order(x, y) == beyond ? operand(f, x, a) : operand(f, y, b);
}

uint64_t fp_min(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return minmax(f, a, b, false, false, env);
}

uint64_t fp_max(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return minmax(f, a, b, true, false, env);
}

uint64_t fp_minnum(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return minmax(f, a, b, false, true, env);
}

uint64_t fp_maxnum(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return minmax(f, a, b, true, true, env);
}

enum fp_class fp_classify(const struct fp_format *f, uint64_t a)
{
    struct fp_num n = fp_unpack_raw(f, a);
    switch (n.kind) {
    case FP_KIND_ZERO:
        return n.sign ? FP_NEG_ZERO : FP_POS_ZERO;
    case FP_KIND_INF:
        return n.sign ? FP_NEG_INF : FP_POS_INF;
    case FP_KIND_QNAN:
        return FP_QUIET_NAN;
    case FP_KIND_SNAN:
        return FP_SIGNALLING_NAN;
    case FP_KIND_FINITE:
        break;
    }
    if (n.exp < 1 - fp_bias(f))
        return n.sign ? FP_NEG_DENORM : FP_POS_DENORM;
    return n.sign ? FP_NEG_NORM : FP_POS_NORM;
}
