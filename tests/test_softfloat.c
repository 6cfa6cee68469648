/*
 * The software floating point against the host's SSE, FMA and F16C units, result and flags, on operands that
 * crowd around special values; then by hand what is Arm's and RISC-V's own. Single operations are judged by
 * x86 rules, which share everything but the rule table with the others.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include "base/bits.h"
#include "base/softfloat.h"

/* Operands. */

static uint64_t rng_state = 0x9e3779b97f4a7c15;

static uint64_t rnd(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A fraction of runs of ones and zeros: carries, halfway cases and sticky bits live there. */
static uint64_t rnd_runs(unsigned bits)
{
    uint64_t x = 0;
    for (unsigned i = rnd() % 4; i > 0; i--)
        x ^= ~UINT64_C(0) >> (rnd() & 63);
    if (rnd() & 1)
        x ^= UINT64_C(1) << (rnd() & 63);
    return extract64(x, 0, bits);
}

static uint64_t rnd_operand(const struct fp_format *f)
{
    const unsigned e = f->exp_bits, m = f->frac_bits;
    const uint64_t ones = extract64(~UINT64_C(0), 0, e), bias = ones >> 1;
    uint64_t exp, frac = rnd() & 1 ? rnd_runs(m) : extract64(rnd(), 0, m);
    switch (rnd() % 12) {
    case 0:
        exp = 0, frac = rnd() & 1 ? 0 : frac;
        break;
    case 1:
        exp = ones, frac = rnd() & 1 ? 0 : frac;
        break;
    case 2:
        exp = ones - 1 - rnd() % 3;
        break;
    case 3:
        exp = 1 + rnd() % 3;
        break;
    case 4:
        exp = extract64(rnd(), 0, e);
        break;
    case 5: /* products and quotients near the ends */
        exp = rnd() & 1 ? bias / 2 + rnd() % (m + 4) - m / 2 : ones - bias / 2 - rnd() % (m + 4);
        break;
    case 6: /* small integers and halves */
        exp = bias - 2 + rnd() % 8, frac &= ~UINT64_C(0) << (m - 4);
        break;
    case 7: /* around the integers' limits */
        exp = bias + (rnd() & 1 ? 31 : 63) - rnd() % 3;
        break;
    default:
        exp = bias + rnd() % (2 * m) - m;
    }
    return (rnd() & 1) << (e + m) | (exp & ones) << m | frac;
}

/* Another operand, often close to a. */
static uint64_t rnd_partner(const struct fp_format *f, uint64_t a)
{
    unsigned width = f->exp_bits + f->frac_bits + 1;
    switch (rnd() % 8) {
    case 0:
        return extract64((a + rnd() % 5 - 2) ^ (rnd() & 1) << (width - 1), 0, width);
    case 1: /* a few exponents apart */
        return extract64((a ^ rnd_runs(f->frac_bits)) + ((rnd() % 8 - 4) << f->frac_bits), 0, width);
    default:
        return rnd_operand(f);
    }
}

/* Rounding modes the host has, and MXCSR for them: everything masked. */
static const struct {
    uint8_t round;
    uint32_t mxcsr;
} host_modes[] = {{FP_RNE, 0x1f80}, {FP_RDN, 0x3f80}, {FP_RUP, 0x5f80}, {FP_RTZ, 0x7f80}};

static void check(const char *what, const struct fp_env *env, const uint64_t *in, uint64_t got, uint64_t want,
                  unsigned want_flags)
{
    if (got == want && env->flags == want_flags)
        return;
    cr_assert(false, "%s round %u: %" PRIx64 " %" PRIx64 " %" PRIx64 ": got %" PRIx64 " flags %x, want %" PRIx64
             " flags %x",
             what, env->round, in[0], in[1], in[2], got, env->flags, want, want_flags);
}

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

enum { MXCSR_DAZ = 0x40, MXCSR_FTZ = 0x8000 };

/* MXCSR's flags as ours; DE has no counterpart. */
static unsigned host_flags(uint32_t mxcsr)
{
    return (mxcsr & 1 ? FP_INVALID : 0) | (mxcsr & 4 ? FP_DIVZERO : 0) | (mxcsr & 8 ? FP_OVERFLOW : 0) |
           (mxcsr & 16 ? FP_UNDERFLOW : 0) | (mxcsr & 32 ? FP_INEXACT : 0);
}

/* `insn` under *mxcsr, which receives the flags; the usual control word is put back. */
#define UNDER_MXCSR(insn, mxcsr, ...)                                                             \
    do {                                                                                          \
        uint32_t saved_ = _mm_getcsr();                                                           \
        __asm__ volatile("ldmxcsr %[csr]\n\t" insn "\n\tstmxcsr %[csr]\n\tldmxcsr %[saved]"       \
                         : [csr] "+m"(*(mxcsr)), __VA_ARGS__, [saved] "m"(saved_)                 \
                         : "cc");                                                                 \
    } while (0)

#define HOST2(name, bits)                                                                         \
    static uint64_t host_##name(uint64_t a, uint64_t b, uint32_t *mxcsr)                          \
    {                                                                                             \
        __m128i x = _mm_cvtsi64_si128((int64_t)a), y = _mm_cvtsi64_si128((int64_t)b);             \
        UNDER_MXCSR(#name " %[y], %[x]", mxcsr, [x] "+x"(x) : [y] "x"(y));                        \
        return (bits)_mm_cvtsi128_si64(x);                                                        \
    }
#define HOST2_BOTH(op) HOST2(op##ss, uint32_t) HOST2(op##sd, uint64_t)
HOST2_BOTH(add)
HOST2_BOTH(sub)
HOST2_BOTH(mul)
HOST2_BOTH(div)
HOST2_BOTH(min)
HOST2_BOTH(max)

/* One operand; the second is only there to give the same type. */
#define HOST1(name, insn, bits)                                                                   \
    static uint64_t host_##name(uint64_t a, uint64_t b, uint32_t *mxcsr)                          \
    {                                                                                             \
        __m128i x = _mm_cvtsi64_si128((int64_t)a), y = _mm_setzero_si128();                       \
        (void)b;                                                                                  \
        UNDER_MXCSR(insn, mxcsr, [y] "+x"(y) : [x] "x"(x));                                       \
        return (bits)_mm_cvtsi128_si64(y);                                                        \
    }
HOST1(sqrtss, "sqrtss %[x], %[y]", uint32_t)
HOST1(sqrtsd, "sqrtsd %[x], %[y]", uint64_t)
HOST1(cvtss2sd, "cvtss2sd %[x], %[y]", uint64_t)
HOST1(cvtsd2ss, "cvtsd2ss %[x], %[y]", uint32_t)
HOST1(rintss, "roundss $4, %[x], %[y]", uint32_t)
HOST1(rintsd, "roundsd $4, %[x], %[y]", uint64_t)
HOST1(nearbyss, "roundss $12, %[x], %[y]", uint32_t)
HOST1(nearbysd, "roundsd $12, %[x], %[y]", uint64_t)

#define HOST_TO_INT(name, insn, bits)                                                             \
    static uint64_t host_##name(uint64_t a, uint64_t b, uint32_t *mxcsr)                          \
    {                                                                                             \
        __m128i x = _mm_cvtsi64_si128((int64_t)a);                                                \
        uint64_t r;                                                                               \
        (void)b;                                                                                  \
        UNDER_MXCSR(insn, mxcsr, [r] "=&r"(r) : [x] "x"(x));                                      \
        return (bits)r;                                                                           \
    }
HOST_TO_INT(cvtss2si32, "cvtss2si %[x], %k[r]", uint32_t)
HOST_TO_INT(cvtsd2si32, "cvtsd2si %[x], %k[r]", uint32_t)
HOST_TO_INT(cvtss2si64, "cvtss2siq %[x], %[r]", uint64_t)
HOST_TO_INT(cvtsd2si64, "cvtsd2siq %[x], %[r]", uint64_t)

#define HOST_FROM_INT(name, insn, bits)                                                           \
    static uint64_t host_##name(uint64_t a, uint64_t b, uint32_t *mxcsr)                          \
    {                                                                                             \
        __m128i x = _mm_setzero_si128();                                                          \
        (void)b;                                                                                  \
        UNDER_MXCSR(insn, mxcsr, [x] "+x"(x) : [a] "r"(a));                                       \
        return (bits)_mm_cvtsi128_si64(x);                                                        \
    }
HOST_FROM_INT(cvtsi64ss, "cvtsi2ssq %[a], %[x]", uint32_t)
HOST_FROM_INT(cvtsi64sd, "cvtsi2sdq %[a], %[x]", uint64_t)
HOST_FROM_INT(cvtsi32ss, "cvtsi2ssl %k[a], %[x]", uint32_t)
HOST_FROM_INT(cvtsi32sd, "cvtsi2sdl %k[a], %[x]", uint64_t)

/* ZF, PF and CF of a comparison, as our order. */
static uint64_t order_of(uint8_t unordered, uint8_t equal, uint8_t below)
{
    return (uint64_t)(unordered ? FP_UNORDERED : equal ? FP_EQUAL : below ? FP_LESS : FP_GREATER);
}
#define HOST_COMPARE(name)                                                                        \
    static uint64_t host_##name(uint64_t a, uint64_t b, uint32_t *mxcsr)                          \
    {                                                                                             \
        __m128i x = _mm_cvtsi64_si128((int64_t)a), y = _mm_cvtsi64_si128((int64_t)b);             \
        uint8_t p, z, c;                                                                          \
        UNDER_MXCSR(#name " %[y], %[x]\n\tsetp %[p]\n\tsetz %[z]\n\tsetc %[c]", mxcsr,            \
                    [p] "=&q"(p), [z] "=&q"(z), [c] "=&q"(c) : [x] "x"(x), [y] "x"(y));           \
        return order_of(p, z, c);                                                                 \
    }
HOST_COMPARE(ucomiss)
HOST_COMPARE(ucomisd)
HOST_COMPARE(comiss)
HOST_COMPARE(comisd)

/* Our side under one signature. */
#define SOFT2(name, f)                                                                            \
    static uint64_t soft_##f##_##name(uint64_t a, uint64_t b, struct fp_env *env)                 \
    {                                                                                             \
        return (uint64_t)(int64_t)f##_##name(a, b, env);                                          \
    }
#define SOFT2_BOTH(name) SOFT2(name, f32) SOFT2(name, f64)
SOFT2_BOTH(add)
SOFT2_BOTH(sub)
SOFT2_BOTH(mul)
SOFT2_BOTH(div)
SOFT2_BOTH(min)
SOFT2_BOTH(max)
SOFT2_BOTH(compare)
SOFT2_BOTH(compare_signal)

#define SOFT1(name, expr)                                                                         \
    static uint64_t soft_##name(uint64_t a, uint64_t b, struct fp_env *env)                       \
    {                                                                                             \
        (void)b;                                                                                  \
        return expr;                                                                              \
    }
SOFT1(f32_sqrt, f32_sqrt(a, env))
SOFT1(f64_sqrt, f64_sqrt(a, env))
SOFT1(f32_f64, fp_convert(&fp_f64, &fp_f32, a, env))
SOFT1(f64_f32, fp_convert(&fp_f32, &fp_f64, a, env))
SOFT1(f32_rint, f32_round_int(a, env->round, true, env))
SOFT1(f64_rint, f64_round_int(a, env->round, true, env))
SOFT1(f32_nearby, f32_round_int(a, env->round, false, env))
SOFT1(f64_nearby, f64_round_int(a, env->round, false, env))
SOFT1(f32_i32, (uint32_t)fp_to_sint(&fp_f32, a, 32, 0, env->round, env))
SOFT1(f64_i32, (uint32_t)fp_to_sint(&fp_f64, a, 32, 0, env->round, env))
SOFT1(f32_i64, (uint64_t)fp_to_sint(&fp_f32, a, 64, 0, env->round, env))
SOFT1(f64_i64, (uint64_t)fp_to_sint(&fp_f64, a, 64, 0, env->round, env))
SOFT1(i64_f32, fp_from_sint(&fp_f32, (int64_t)a, 0, env))
SOFT1(i64_f64, fp_from_sint(&fp_f64, (int64_t)a, 0, env))
SOFT1(i32_f32, fp_from_sint(&fp_f32, (int32_t)a, 0, env))
SOFT1(i32_f64, fp_from_sint(&fp_f64, (int32_t)a, 0, env))

static const struct host_case {
    const char *name;
    const struct fp_format *f;
    uint64_t (*soft)(uint64_t a, uint64_t b, struct fp_env *env);
    uint64_t (*host)(uint64_t a, uint64_t b, uint32_t *mxcsr);
} host_cases[] = {
    {"addss", &fp_f32, soft_f32_add, host_addss},
    {"addsd", &fp_f64, soft_f64_add, host_addsd},
    {"subss", &fp_f32, soft_f32_sub, host_subss},
    {"subsd", &fp_f64, soft_f64_sub, host_subsd},
    {"mulss", &fp_f32, soft_f32_mul, host_mulss},
    {"mulsd", &fp_f64, soft_f64_mul, host_mulsd},
    {"divss", &fp_f32, soft_f32_div, host_divss},
    {"divsd", &fp_f64, soft_f64_div, host_divsd},
    {"sqrtss", &fp_f32, soft_f32_sqrt, host_sqrtss},
    {"sqrtsd", &fp_f64, soft_f64_sqrt, host_sqrtsd},
    {"minss", &fp_f32, soft_f32_min, host_minss},
    {"minsd", &fp_f64, soft_f64_min, host_minsd},
    {"maxss", &fp_f32, soft_f32_max, host_maxss},
    {"maxsd", &fp_f64, soft_f64_max, host_maxsd},
    {"ucomiss", &fp_f32, soft_f32_compare, host_ucomiss},
    {"ucomisd", &fp_f64, soft_f64_compare, host_ucomisd},
    {"comiss", &fp_f32, soft_f32_compare_signal, host_comiss},
    {"comisd", &fp_f64, soft_f64_compare_signal, host_comisd},
    {"cvtss2sd", &fp_f32, soft_f32_f64, host_cvtss2sd},
    {"cvtsd2ss", &fp_f64, soft_f64_f32, host_cvtsd2ss},
    {"roundss", &fp_f32, soft_f32_rint, host_rintss},
    {"roundsd", &fp_f64, soft_f64_rint, host_rintsd},
    {"roundss exact", &fp_f32, soft_f32_nearby, host_nearbyss},
    {"roundsd exact", &fp_f64, soft_f64_nearby, host_nearbysd},
    {"cvtss2si 32", &fp_f32, soft_f32_i32, host_cvtss2si32},
    {"cvtsd2si 32", &fp_f64, soft_f64_i32, host_cvtsd2si32},
    {"cvtss2si 64", &fp_f32, soft_f32_i64, host_cvtss2si64},
    {"cvtsd2si 64", &fp_f64, soft_f64_i64, host_cvtsd2si64},
    {"cvtsi2ss 64", NULL, soft_i64_f32, host_cvtsi64ss},
    {"cvtsi2sd 64", NULL, soft_i64_f64, host_cvtsi64sd},
    {"cvtsi2ss 32", NULL, soft_i32_f32, host_cvtsi32ss},
    {"cvtsi2sd 32", NULL, soft_i32_f64, host_cvtsi32sd},
};

enum { ROUNDS = 25000 };

static void run_host_case(const struct host_case *c, unsigned mode, bool daz, bool ftz)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t in[3] = {0};
        in[0] = c->f ? rnd_operand(c->f) : rnd_runs(64) ^ (rnd() & 1 ? rnd() >> (rnd() & 63) : 0);
        in[1] = c->f ? rnd_partner(c->f, in[0]) : 0;
        uint32_t mxcsr = host_modes[mode].mxcsr | (daz ? MXCSR_DAZ : 0) | (ftz ? MXCSR_FTZ : 0);
        struct fp_env env = {.rules = &fp_rules_x86, .round = host_modes[mode].round, .flush_inputs = daz,
                             .flush_outputs = ftz};
        uint64_t want = c->host(in[0], in[1], &mxcsr), got = c->soft(in[0], in[1], &env);
        env.flags &= ~FP_INPUT_DENORMAL;
        check(c->name, &env, in, got, want, host_flags(mxcsr));
    }
}

Test(softfloat, sse)
{
    for (unsigned i = 0; i < ARRAY_SIZE(host_cases); i++) {
        for (unsigned mode = 0; mode < ARRAY_SIZE(host_modes); mode++) {
            for (unsigned flush = 0; flush < 4; flush++)
                run_host_case(&host_cases[i], mode, flush & 1, flush >> 1);
        }
    }
}

/* The 213 form multiplies its second operand by its first: the second is the one whose NaN is preferred. */
__attribute__((target("fma"))) static uint64_t host_fma(bool is_double, const uint64_t *in, uint32_t *mxcsr)
{
    __m128i a = _mm_cvtsi64_si128((int64_t)in[0]), b = _mm_cvtsi64_si128((int64_t)in[1]);
    __m128i c = _mm_cvtsi64_si128((int64_t)in[2]);
    if (is_double)
        UNDER_MXCSR("vfmadd213sd %[c], %[a], %[b]", mxcsr, [b] "+x"(b) : [a] "x"(a), [c] "x"(c));
    else
        UNDER_MXCSR("vfmadd213ss %[c], %[a], %[b]", mxcsr, [b] "+x"(b) : [a] "x"(a), [c] "x"(c));
    uint64_t r = (uint64_t)_mm_cvtsi128_si64(b);
    return is_double ? r : (uint32_t)r;
}

Test(softfloat, fma)
{
    if (!__builtin_cpu_supports("fma"))
        cr_skip_test("the host has no FMA");
    for (unsigned i = 0; i < 40 * ROUNDS; i++) {
        bool is_double = i & 1, daz = i & 2, ftz = i & 4;
        unsigned mode = i >> 3 & 3;
        const struct fp_format *f = is_double ? &fp_f64 : &fp_f32;
        uint64_t in[3] = {rnd_operand(f)};
        in[1] = rnd_partner(f, in[0]);
        in[2] = rnd_partner(f, in[0]);
        struct fp_env env = {.rules = &fp_rules_x86, .round = host_modes[mode].round, .flush_inputs = daz,
                             .flush_outputs = ftz};
        if (rnd() % 4 == 0) { /* an addend that nearly cancels the product */
            struct fp_env quiet = env;
            in[2] = fp_mul(f, in[0], in[1], &quiet) ^ UINT64_C(1) << (f->exp_bits + f->frac_bits);
        }
        uint32_t mxcsr = host_modes[mode].mxcsr | (daz ? MXCSR_DAZ : 0) | (ftz ? MXCSR_FTZ : 0);
        uint64_t want = host_fma(is_double, in, &mxcsr), got = fp_fma(f, in[0], in[1], in[2], &env);
        env.flags &= ~FP_INPUT_DENORMAL;
        check("fma", &env, in, got, want, host_flags(mxcsr));
    }
}

/* Half precision: conversions against F16C, every half and many singles. */

__attribute__((target("f16c"))) static uint64_t host_cvtph2ps(uint64_t a, uint32_t *mxcsr)
{
    __m128i x = _mm_cvtsi64_si128((int64_t)a);
    UNDER_MXCSR("vcvtph2ps %[x], %[x]", mxcsr, [x] "+x"(x) : [zero] "r"(0));
    return (uint32_t)_mm_cvtsi128_si64(x);
}

__attribute__((target("f16c"))) static uint64_t host_cvtps2ph(uint64_t a, uint32_t *mxcsr)
{
    __m128i x = _mm_cvtsi64_si128((int64_t)a);
    UNDER_MXCSR("vcvtps2ph $4, %[x], %[x]", mxcsr, [x] "+x"(x) : [zero] "r"(0));
    return (uint16_t)_mm_cvtsi128_si64(x);
}

Test(softfloat, half_conversions)
{
    unsigned a, b, c, d; /* by hand, as clang 14's __builtin_cpu_supports doesn't know the name */
    if (!__builtin_cpu_supports("avx") || !__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_F16C))
        cr_skip_test("the host has no F16C");
    for (uint32_t h = 0; h < 0x10000; h++) {
        uint64_t in[3] = {h};
        uint32_t mxcsr = 0x1f80;
        struct fp_env env = {.rules = &fp_rules_x86};
        uint64_t want = host_cvtph2ps(h, &mxcsr);
        check("f16 to f32", &env, in, fp_convert(&fp_f32, &fp_f16, h, &env), want, host_flags(mxcsr));
    }
    for (unsigned i = 0; i < 40 * ROUNDS; i++) {
        uint64_t in[3] = {rnd_operand(&fp_f32)};
        if (rnd() & 1) { /* at and beside halves and their midpoints */
            struct fp_env quiet = {.rules = &fp_rules_x86};
            in[0] = fp_convert(&fp_f32, &fp_f16, rnd_operand(&fp_f16), &quiet);
            in[0] = (uint32_t)(in[0] + (rnd() & 1 ? 0x1000 : 0) + rnd() % 3 - 1);
        }
        uint32_t mxcsr = host_modes[i & 3].mxcsr;
        struct fp_env env = {.rules = &fp_rules_x86, .round = host_modes[i & 3].round};
        uint64_t want = host_cvtps2ph(in[0], &mxcsr);
        check("f32 to f16", &env, in, fp_convert(&fp_f16, &fp_f32, in[0], &env), want, host_flags(mxcsr));
    }
}

/*
 * Half precision arithmetic: the same operation on the host in double, rounded to odd there, then to half. Doubles
 * have over twice the bits of halves, so the second rounding is the only one.
 */
static uint64_t odd_double(uint64_t (*host)(uint64_t, uint64_t, uint32_t *), uint64_t a, uint64_t b, unsigned *flags)
{
    uint32_t mxcsr = 0x7f80;
    uint64_t r = host(a, b, &mxcsr);
    *flags |= host_flags(mxcsr) & (FP_INVALID | FP_DIVZERO);
    return r | (mxcsr & 32 ? 1 : 0);
}

static uint64_t half_judge(unsigned op, const uint64_t *in, struct fp_env *env, unsigned *flags)
{
    uint64_t d[3];
    *flags = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct fp_env exact = {.rules = &fp_rules_x86};
        d[i] = fp_convert(&fp_f64, &fp_f16, in[i], &exact);
    }
    uint64_t (*const host[])(uint64_t, uint64_t, uint32_t *) = {host_addsd, host_subsd, host_mulsd, host_divsd,
                                                               host_sqrtsd};
    uint64_t r;
    if (op == 5)
        r = odd_double(host_addsd, odd_double(host_mulsd, d[0], d[1], flags), d[2], flags);
    else
        r = odd_double(host[op], d[0], d[1], flags);
    if (!(r << 1) && (op == 0 || op == 1 || op == 5)) { /* only RDN differs in the sign of an exact zero */
        uint32_t mxcsr = env->round == FP_RDN ? 0x3f80 : 0x1f80;
        uint64_t p = op == 5 ? host_mulsd(d[0], d[1], &mxcsr) : d[0];
        r = host[op % 5](p, op == 5 ? d[2] : d[1], &mxcsr);
    }
    struct fp_env cv = {.rules = env->rules, .round = env->round};
    r = fp_convert(&fp_f16, &fp_f64, r, &cv);
    *flags |= cv.flags;
    return r;
}

Test(softfloat, half_arithmetic)
{
    for (unsigned i = 0; i < 40 * ROUNDS; i++) {
        uint64_t in[3] = {rnd_operand(&fp_f16), 0, rnd_operand(&fp_f16)};
        in[1] = rnd_partner(&fp_f16, in[0]);
        bool nan = false;
        for (unsigned k = 0; k < 3; k++)
            nan |= fp_classify(&fp_f16, in[k]) >= FP_SIGNALLING_NAN;
        if (nan) /* the rules for NaNs are the same for all formats */
            continue;
        for (unsigned op = 0; op < 6; op++) {
            struct fp_env env = {.rules = &fp_rules_x86, .round = i % 6};
            uint16_t a = in[0], b = in[1], c = in[2];
            uint64_t got = op == 0   ? f16_add(a, b, &env)
                           : op == 1 ? f16_sub(a, b, &env)
                           : op == 2 ? f16_mul(a, b, &env)
                           : op == 3 ? f16_div(a, b, &env)
                           : op == 4 ? f16_sqrt(a, &env)
                                     : f16_fma(a, b, c, &env);
            unsigned flags;
            uint64_t want = half_judge(op, in, &env, &flags);
            check("f16", &env, in, got, want, flags);
        }
    }
}
#endif

/* What is left to the rules and to no host: by hand. */

#define F32_QNAN  0x7fc00000u
#define F32_INF   0x7f800000u
#define F32_ONE   0x3f800000u
#define F32_MAX   0x7f7fffffu
#define SNAN(n)   (0x7f800000u | (n))
#define QNAN(n)   (0x7fc00000u | (n))
#define NEG(x)    ((x) | 0x80000000u)

static struct fp_env arm(uint8_t round) { return (struct fp_env){.rules = &fp_rules_arm, .round = round}; }
static struct fp_env riscv(uint8_t round) { return (struct fp_env){.rules = &fp_rules_riscv, .round = round}; }

#define EXPECT(env, expr, value, flag_bits)                                                       \
    do {                                                                                          \
        (env).flags = 0;                                                                          \
        uint64_t got_ = (uint64_t)(expr), want_ = (uint64_t)(value);                              \
        cr_expect(got_ == want_, "%s: %" PRIx64 ", not %" PRIx64, #expr, got_, want_);            \
        cr_expect((env).flags == (flag_bits), "%s: flags %x, not %x", #expr, (env).flags,         \
                  (unsigned)(flag_bits));                                                         \
    } while (0)

Test(softfloat, nans_arm)
{
    struct fp_env e = arm(FP_RNE);
    EXPECT(e, f32_add(QNAN(1), SNAN(2), &e), QNAN(2), FP_INVALID);
    EXPECT(e, f32_add(SNAN(1), SNAN(2), &e), QNAN(1), FP_INVALID);
    EXPECT(e, f32_add(QNAN(1), NEG(QNAN(2)), &e), QNAN(1), 0);
    EXPECT(e, f32_sub(F32_ONE, QNAN(2), &e), QNAN(2), 0);
    EXPECT(e, f32_sub(F32_INF, F32_INF, &e), F32_QNAN, FP_INVALID);
    EXPECT(e, f32_sqrt(NEG(F32_ONE), &e), F32_QNAN, FP_INVALID);
    /* The addend comes first among equals. */
    EXPECT(e, f32_fma(QNAN(1), QNAN(2), QNAN(3), &e), QNAN(3), 0);
    EXPECT(e, f32_fma(SNAN(1), SNAN(2), QNAN(3), &e), QNAN(1), FP_INVALID);
    EXPECT(e, f32_fma(SNAN(1), QNAN(2), SNAN(3), &e), QNAN(3), FP_INVALID);
    EXPECT(e, f32_fma(F32_INF, 0, QNAN(3), &e), F32_QNAN, FP_INVALID);
    EXPECT(e, f32_fma(0, F32_INF, SNAN(3), &e), QNAN(3), FP_INVALID);
    EXPECT(e, f32_fma(0, F32_INF, F32_ONE, &e), F32_QNAN, FP_INVALID);
    EXPECT(e, fp_convert(&fp_f64, &fp_f32, NEG(SNAN(1)), &e), UINT64_C(0xfff8000020000000), FP_INVALID);
    EXPECT(e, fp_convert(&fp_f16, &fp_f32, QNAN(0x2001), &e), 0x7e01, 0);
    e.default_nan = true;
    EXPECT(e, f32_add(NEG(QNAN(1)), F32_ONE, &e), F32_QNAN, 0);
    EXPECT(e, fp_convert(&fp_f64, &fp_f32, NEG(SNAN(1)), &e), UINT64_C(0x7ff8000000000000), FP_INVALID);
}

Test(softfloat, nans_riscv)
{
    struct fp_env e = riscv(FP_RNE);
    EXPECT(e, f32_add(NEG(QNAN(1)), F32_ONE, &e), F32_QNAN, 0);
    EXPECT(e, f32_mul(SNAN(1), QNAN(2), &e), F32_QNAN, FP_INVALID);
    EXPECT(e, f32_fma(F32_INF, 0, QNAN(3), &e), F32_QNAN, FP_INVALID);
    EXPECT(e, f32_fma(F32_ONE, 0, QNAN(3), &e), F32_QNAN, 0);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, UINT64_C(0xfff0000000000001), &e), F32_QNAN, FP_INVALID);
    EXPECT(e, f32_round_int(NEG(QNAN(1)), FP_RNE, true, &e), F32_QNAN, 0);
}

Test(softfloat, minmax)
{
    struct fp_env e = arm(FP_RNE);
    const uint32_t nz = NEG(0u);
    EXPECT(e, f32_max(nz, 0, &e), 0, 0);
    EXPECT(e, f32_max(0, nz, &e), 0, 0);
    EXPECT(e, f32_min(0, nz, &e), nz, 0);
    EXPECT(e, f32_min(nz, 0, &e), nz, 0);
    EXPECT(e, f32_max(NEG(F32_INF), NEG(F32_ONE), &e), NEG(F32_ONE), 0);
    EXPECT(e, f32_max(QNAN(1), F32_ONE, &e), QNAN(1), 0);
    EXPECT(e, f32_maxnum(QNAN(1), F32_ONE, &e), F32_ONE, 0);
    EXPECT(e, f32_minnum(F32_INF, QNAN(1), &e), F32_INF, 0);
    EXPECT(e, f32_minnum(F32_ONE, SNAN(1), &e), QNAN(1), FP_INVALID);
    EXPECT(e, f32_minnum(QNAN(2), SNAN(1), &e), QNAN(1), FP_INVALID);
    EXPECT(e, f32_minnum(QNAN(2), QNAN(1), &e), QNAN(2), 0);

    e = riscv(FP_RNE);
    EXPECT(e, f32_minnum(0, nz, &e), nz, 0);
    EXPECT(e, f32_maxnum(nz, 0, &e), 0, 0);
    EXPECT(e, f32_minnum(SNAN(1), F32_ONE, &e), F32_ONE, FP_INVALID);
    EXPECT(e, f32_minnum(F32_ONE, QNAN(1), &e), F32_ONE, 0);
    EXPECT(e, f32_maxnum(QNAN(1), QNAN(2), &e), F32_QNAN, 0);
    EXPECT(e, f32_maxnum(QNAN(1), SNAN(2), &e), F32_QNAN, FP_INVALID);
    EXPECT(e, f32_min(QNAN(1), F32_ONE, &e), F32_QNAN, 0);
    EXPECT(e, f32_max(F32_ONE, SNAN(1), &e), F32_QNAN, FP_INVALID);
}

Test(softfloat, tininess)
{
    /* (1 - 2^-24) 2^-126: has 24 bits but one too few places below 2^-126, so rounds up to the least normal. */
    const uint32_t a = 0x00ffffff, half = 0x3f000000;
    struct fp_env e = arm(FP_RNE);
    EXPECT(e, f32_mul(a, half, &e), 0x00800000, FP_UNDERFLOW | FP_INEXACT);
    e = riscv(FP_RNE);
    /* Rounded to 24 bits, wherever they lie, it is still below 2^-126: tiny there as well ... */
    EXPECT(e, f32_mul(a, half, &e), 0x00800000, FP_UNDERFLOW | FP_INEXACT);
    /* ... but (1 - 2^-49) 2^-126, which 24 bits round up to it, is tiny before rounding only. */
    const uint64_t product = UINT64_C(0x380ffffffffffff0);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, product, &e), 0x00800000, FP_INEXACT);
    e = arm(FP_RNE);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, product, &e), 0x00800000, FP_UNDERFLOW | FP_INEXACT);
    /* Exact denormals underflow nowhere. */
    EXPECT(e, f32_mul(0x00800000, half, &e), 0x00400000, 0);
}

Test(softfloat, flushing_arm)
{
    struct fp_env e = arm(FP_RNE);
    e.flush_inputs = e.flush_outputs = true;
    EXPECT(e, f32_add(1, F32_ONE, &e), F32_ONE, FP_INPUT_DENORMAL);
    EXPECT(e, f32_add(NEG(1u), NEG(0u), &e), NEG(0u), FP_INPUT_DENORMAL);
    EXPECT(e, f32_add(1, QNAN(1), &e), QNAN(1), FP_INPUT_DENORMAL);
    EXPECT(e, f32_mul(NEG(0x00800000u), 0x3f000000, &e), NEG(0u), FP_UNDERFLOW);
    EXPECT(e, f32_mul(0x00ffffff, 0x3f000000, &e), 0, FP_UNDERFLOW);
    EXPECT(e, f32_div(F32_ONE, 1, &e), F32_INF, FP_DIVZERO | FP_INPUT_DENORMAL);
    EXPECT(e, f32_compare(1, 0, &e), FP_EQUAL, FP_INPUT_DENORMAL);
    EXPECT(e, fp_to_sint(&fp_f32, 1, 32, 0, FP_RUP, &e), 0, FP_INPUT_DENORMAL);
    /* Halves: no input flag; and no flushing at all when converting. */
    EXPECT(e, f16_add(1, 0x3c00, &e), 0x3c00, 0);
    EXPECT(e, f16_mul(0x0400, 0x3800, &e), 0, FP_UNDERFLOW);
    EXPECT(e, fp_convert(&fp_f32, &fp_f16, 1, &e), 0x33800000, 0);
    EXPECT(e, fp_convert(&fp_f16, &fp_f32, 0x33800000, &e), 1, 0);
    EXPECT(e, fp_convert(&fp_f16, &fp_f32, 1, &e), 0, FP_INPUT_DENORMAL);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, UINT64_C(0x3800000000000000), &e), 0, FP_UNDERFLOW);
}

Test(softfloat, rounding_modes)
{
    struct fp_env e = riscv(FP_RNA);
    /* 1 + 2^-24 is halfway; 1 + 2^-25 below. */
    EXPECT(e, f32_add(F32_ONE, 0x33800000, &e), 0x3f800001, FP_INEXACT);
    EXPECT(e, f32_add(F32_ONE, 0x33000000, &e), F32_ONE, FP_INEXACT);
    EXPECT(e, f32_add(NEG(F32_ONE), NEG(0x33800000u), &e), 0xbf800001, FP_INEXACT);
    EXPECT(e, f32_mul(F32_MAX, F32_MAX, &e), F32_INF, FP_OVERFLOW | FP_INEXACT);
    EXPECT(e, f32_round_int(0x40200000, FP_RNA, true, &e), 0x40400000, FP_INEXACT); /* 2.5: 3 */
    EXPECT(e, f32_round_int(0x40200000, FP_RNE, false, &e), 0x40000000, 0);
    EXPECT(e, f32_round_int(0xbf000000, FP_RNA, false, &e), 0xbf800000, 0);
    EXPECT(e, f32_round_int(0xbeffffff, FP_RNA, false, &e), NEG(0u), 0);
    EXPECT(e, fp_to_sint(&fp_f32, 0x40200000, 32, 0, FP_RNA, &e), 3, FP_INEXACT);
    e = arm(FP_ROD);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, UINT64_C(0x3ff0000000000001), &e), 0x3f800001, FP_INEXACT);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, UINT64_C(0x3ff000003fffffff), &e), 0x3f800001, FP_INEXACT);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, UINT64_C(0x3ff0000000000000), &e), 0x3f800000, 0);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, UINT64_C(0x7fe0000000000000), &e), F32_MAX, FP_OVERFLOW | FP_INEXACT);
    EXPECT(e, fp_convert(&fp_f32, &fp_f64, 1, &e), 1, FP_UNDERFLOW | FP_INEXACT);
    /* bfloat16 */
    e = arm(FP_RNE);
    EXPECT(e, fp_convert(&fp_bf16, &fp_f32, 0x3f808000, &e), 0x3f80, FP_INEXACT);
    EXPECT(e, fp_convert(&fp_bf16, &fp_f32, 0x3f818000, &e), 0x3f82, FP_INEXACT);
    EXPECT(e, fp_convert(&fp_bf16, &fp_f32, F32_MAX, &e), 0x7f80, FP_OVERFLOW | FP_INEXACT);
}

Test(softfloat, alternative_half)
{
    struct fp_env e = arm(FP_RNE);
    e.ahp = true;
    EXPECT(e, fp_convert(&fp_f32, &fp_f16, 0x7c00, &e), 0x47800000, 0); /* 65536 */
    EXPECT(e, fp_convert(&fp_f32, &fp_f16, 0xffff, &e), 0xc7ffe000, 0); /* -131008 */
    EXPECT(e, fp_convert(&fp_f16, &fp_f32, 0x47ffe000, &e), 0x7fff, 0);
    EXPECT(e, fp_convert(&fp_f16, &fp_f32, 0x48000000, &e), 0x7fff, FP_INVALID);
    EXPECT(e, fp_convert(&fp_f16, &fp_f32, 0xc7fff000, &e), 0xffff, FP_INVALID); /* rounds to the next power */
    EXPECT(e, fp_convert(&fp_f16, &fp_f32, NEG(F32_INF), &e), 0xffff, FP_INVALID);
    EXPECT(e, fp_convert(&fp_f16, &fp_f32, NEG(QNAN(1)), &e), 0x8000, FP_INVALID);
    EXPECT(e, f16_add(0x7c00, 0x3c00, &e), 0x7c00, 0); /* arithmetic stays IEEE's */
}

Test(softfloat, integers)
{
    struct fp_env e = arm(FP_RTZ);
    const uint64_t minus_one = UINT64_C(0xbff0000000000000);
    EXPECT(e, fp_to_sint(&fp_f32, QNAN(1), 32, 0, FP_RTZ, &e), 0, FP_INVALID);
    EXPECT(e, fp_to_sint(&fp_f32, NEG(F32_INF), 32, 0, FP_RTZ, &e), INT32_MIN, FP_INVALID);
    EXPECT(e, fp_to_uint(&fp_f64, minus_one, 64, 0, FP_RTZ, &e), 0, FP_INVALID);
    EXPECT(e, fp_to_uint(&fp_f32, 0xbf7fffff, 64, 0, FP_RTZ, &e), 0, FP_INEXACT);
    EXPECT(e, fp_to_uint(&fp_f32, 0xbf7fffff, 64, 0, FP_RDN, &e), 0, FP_INVALID);
    EXPECT(e, fp_to_uint(&fp_f32, 0x5f800000, 64, 0, FP_RTZ, &e), UINT64_MAX, FP_INVALID); /* 2^64 */
    EXPECT(e, fp_to_uint(&fp_f32, 0x5f7fffff, 64, 0, FP_RTZ, &e), UINT64_C(0xffffff0000000000), 0);
    EXPECT(e, fp_to_sint(&fp_f32, 0xdf000000, 64, 0, FP_RTZ, &e), INT64_MIN, 0);
    EXPECT(e, fp_to_sint(&fp_f32, 0x5f000000, 64, 0, FP_RTZ, &e), INT64_MAX, FP_INVALID);
    EXPECT(e, fp_to_sint(&fp_f16, 0xfbff, 16, 0, FP_RTZ, &e), -32768, FP_INVALID); /* -65504 */
    EXPECT(e, fp_to_sint(&fp_f32, 0x43000000, 8, 0, FP_RTZ, &e), 127, FP_INVALID); /* 128 */
    EXPECT(e, fp_to_sint(&fp_f32, 0xc3000000, 8, 0, FP_RTZ, &e), -128, 0);
    EXPECT(e, fp_to_uint(&fp_f32, 0x437f8000, 8, 0, FP_RNE, &e), 255, FP_INVALID); /* 255.5 */
    EXPECT(e, fp_to_sint(&fp_f64, UINT64_C(0x41dfffffffe00000), 32, 0, FP_RNE, &e), INT32_MAX, FP_INVALID);
    EXPECT(e, fp_to_sint(&fp_f64, UINT64_C(0x41dfffffffe00000), 32, 0, FP_RTZ, &e), INT32_MAX, FP_INEXACT);
    e = riscv(FP_RTZ);
    EXPECT(e, fp_to_sint(&fp_f32, NEG(QNAN(1)), 32, 0, FP_RTZ, &e), INT32_MAX, FP_INVALID);
    EXPECT(e, fp_to_uint(&fp_f32, NEG(QNAN(1)), 64, 0, FP_RTZ, &e), UINT64_MAX, FP_INVALID);
    EXPECT(e, fp_to_uint(&fp_f32, NEG(F32_INF), 32, 0, FP_RTZ, &e), 0, FP_INVALID);

    e = arm(FP_RNE);
    EXPECT(e, fp_from_uint(&fp_f32, UINT64_MAX, 0, &e), 0x5f800000, FP_INEXACT);
    EXPECT(e, fp_from_sint(&fp_f64, INT64_MIN, 0, &e), UINT64_C(0xc3e0000000000000), 0);
    EXPECT(e, fp_from_uint(&fp_f16, 65520, 0, &e), 0x7c00, FP_OVERFLOW | FP_INEXACT);
    /* Fixed point */
    EXPECT(e, fp_from_sint(&fp_f32, -3, 1, &e), 0xbfc00000, 0);
    EXPECT(e, fp_from_uint(&fp_f64, 1, 64, &e), UINT64_C(0x3bf0000000000000), 0);
    EXPECT(e, fp_from_uint(&fp_f16, 1, 25, &e), 0, FP_UNDERFLOW | FP_INEXACT);
    EXPECT(e, fp_to_sint(&fp_f32, 0xbfc00000, 32, 4, FP_RTZ, &e), -24, 0);
    EXPECT(e, fp_to_uint(&fp_f32, F32_ONE, 64, 63, FP_RTZ, &e), UINT64_C(1) << 63, 0);
    EXPECT(e, fp_to_uint(&fp_f32, F32_ONE, 64, 64, FP_RTZ, &e), UINT64_MAX, FP_INVALID);
}

Test(softfloat, modular_integers)
{
    static const struct {
        uint64_t a;
        uint32_t result;
        bool exact;
        unsigned flags;
    } cases[] = {
        {0, 0, true, 0},
        {UINT64_C(0x8000000000000000), 0, false, 0},
        {UINT64_C(0x3ff0000000000000), 1, true, 0},
        {UINT64_C(0xbff8000000000000), (uint32_t)-1, false, FP_INEXACT},
        {UINT64_C(0xc1e0000000000000), 0x80000000, true, 0},           /* -2^31 */
        {UINT64_C(0x41e0000000000000), 0x80000000, false, FP_INVALID}, /* 2^31 */
        {UINT64_C(0x41f0000000100000), 1, false, FP_INVALID},          /* 2^32 + 1 */
        {UINT64_C(0xc1f0000000180000), (uint32_t)-1, false, FP_INVALID}, /* -(2^32 + 1.5) */
        {UINT64_C(0x4340000000000001), 2, false, FP_INVALID},          /* 2^53 + 2 */
        {UINT64_C(0xc3f0000000000001), (uint32_t)-4096, false, FP_INVALID}, /* -(2^64 + 2^12) */
        {UINT64_C(0x4530000000000001), 0, false, FP_INVALID},          /* 2^84 + 2^32 */
        {UINT64_C(0x7ff0000000000000), 0, false, FP_INVALID},
        {UINT64_C(0x7ff8000000000000), 0, false, FP_INVALID},
        {1, 0, false, FP_INEXACT},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fp_env e = arm(FP_RNE);
        bool exact;
        EXPECT(e, f64_to_int32_modular(cases[i].a, &exact, &e), cases[i].result, cases[i].flags);
        cr_expect_eq(exact, cases[i].exact, "case %u", i);
    }
    struct fp_env e = arm(FP_RNE);
    bool exact;
    e.flush_inputs = true;
    EXPECT(e, f64_to_int32_modular(1, &exact, &e), 0, FP_INPUT_DENORMAL);
    cr_expect_not(exact);
}

Test(softfloat, classes)
{
    static const uint32_t members[] = {[FP_NEG_INF] = NEG(F32_INF), [FP_NEG_NORM] = NEG(0x00800000u),
                                       [FP_NEG_DENORM] = 0x807fffff, [FP_NEG_ZERO] = NEG(0u), [FP_POS_ZERO] = 0,
                                       [FP_POS_DENORM] = 1, [FP_POS_NORM] = F32_MAX, [FP_POS_INF] = F32_INF,
                                       [FP_SIGNALLING_NAN] = NEG(SNAN(1)), [FP_QUIET_NAN] = F32_QNAN};
    for (unsigned i = 0; i < ARRAY_SIZE(members); i++)
        cr_expect_eq(fp_classify(&fp_f32, members[i]), (enum fp_class)i, "class %u", i);
}

Test(softfloat, estimates)
{
    struct fp_env e = arm(FP_RNE);
    EXPECT(e, f32_recip_estimate(F32_ONE, &e), 0x3f7f8000, 0);
    EXPECT(e, f32_recip_estimate(0x40000000, &e), 0x3eff8000, 0);
    EXPECT(e, f32_recip_estimate(NEG(0u), &e), NEG(F32_INF), FP_DIVZERO);
    EXPECT(e, f32_recip_estimate(NEG(F32_INF), &e), NEG(0u), 0);
    EXPECT(e, f32_recip_estimate(0x00100000, &e), F32_INF, FP_OVERFLOW | FP_INEXACT);
    EXPECT(e, f32_recip_estimate(0x00200000, &e), 0x7f7f8000, 0); /* 2^-128, the least that has one */
    EXPECT(e, f32_recip_estimate(F32_MAX, &e), 0x00200000, 0);
    EXPECT(e, f16_recip_estimate(0x3c00, &e), 0x3bfc, 0);
    EXPECT(e, f64_recip_estimate(UINT64_C(0x3ff0000000000000), &e), UINT64_C(0x3feff00000000000), 0);
    EXPECT(e, f32_rsqrt_estimate(F32_ONE, &e), 0x3f7f8000, 0);
    EXPECT(e, f32_rsqrt_estimate(0x40800000, &e), 0x3eff8000, 0);
    EXPECT(e, f32_rsqrt_estimate(0, &e), F32_INF, FP_DIVZERO);
    EXPECT(e, f32_rsqrt_estimate(NEG(0u), &e), NEG(F32_INF), FP_DIVZERO);
    EXPECT(e, f32_rsqrt_estimate(NEG(F32_ONE), &e), F32_QNAN, FP_INVALID);
    EXPECT(e, f32_rsqrt_estimate(F32_INF, &e), 0, 0);
    EXPECT(e, f32_rsqrt_estimate(SNAN(1), &e), QNAN(1), FP_INVALID);
    e.round = FP_RTZ;
    EXPECT(e, f32_recip_estimate(0x80100000, &e), NEG(F32_MAX), FP_OVERFLOW | FP_INEXACT);
    e.flush_inputs = e.flush_outputs = true;
    EXPECT(e, f32_recip_estimate(0x7e800000, &e), 0, FP_UNDERFLOW);
    EXPECT(e, f32_recip_estimate(1, &e), F32_INF, FP_DIVZERO | FP_INPUT_DENORMAL);

    /* Within 2^-8 of the truth throughout: |x * r - 1| and |x * r * r - 1| small, for every table entry. */
    e = arm(FP_RNE);
    for (uint32_t x = 0x3f800000; x < 0x40800000; x += 0x1000) {
        uint32_t r = f32_recip_estimate(x, &e), s = f32_rsqrt_estimate(x, &e);
        uint32_t er = f32_fma(x, r, NEG(F32_ONE), &e) & 0x7fffffff;
        uint32_t es = f32_sub(f32_mul(f32_mul(x, s, &e), s, &e), F32_ONE, &e) & 0x7fffffff;
        cr_assert_lt(er, 0x3b800000u, "1 / %x: %x", x, r);
        cr_assert_lt(es, 0x3c000000u, "1 / sqrt %x: %x", x, s);
    }
}

Test(softfloat, steps)
{
    struct fp_env e = arm(FP_RNE);
    const uint32_t two = 0x40000000, three = 0x40400000, one_and_half = 0x3fc00000;
    EXPECT(e, f32_recip_step(F32_ONE, F32_ONE, &e), F32_ONE, 0);
    EXPECT(e, f32_recip_step(two, F32_ONE, &e), 0, 0);
    EXPECT(e, f32_recip_step(0, NEG(F32_INF), &e), two, 0);
    EXPECT(e, f32_recip_step(F32_ONE, F32_INF, &e), NEG(F32_INF), 0);
    EXPECT(e, f32_recip_step(SNAN(1), F32_ONE, &e), NEG(QNAN(1)), FP_INVALID);
    EXPECT(e, f32_recip_step(F32_ONE, QNAN(1), &e), QNAN(1), 0);
    EXPECT(e, f32_recip_step(F32_ONE, 0, &e), two, 0);
    EXPECT(e, f32_rsqrt_step(F32_ONE, F32_ONE, &e), F32_ONE, 0);
    EXPECT(e, f32_rsqrt_step(three, F32_ONE, &e), 0, 0);
    EXPECT(e, f32_rsqrt_step(F32_INF, 0, &e), one_and_half, 0);
    EXPECT(e, f32_rsqrt_step(0, 0, &e), one_and_half, 0);
    EXPECT(e, f32_rsqrt_step(F32_MAX, NEG(two), &e), F32_MAX, FP_INEXACT); /* halved before it is rounded */
    e.round = FP_RDN;
    EXPECT(e, f32_recip_step(two, F32_ONE, &e), NEG(0u), 0);
    e.round = FP_RNE;
    EXPECT(e, f32_mulx(0, NEG(F32_INF), &e), NEG(two), 0);
    EXPECT(e, f32_mulx(F32_INF, F32_ONE, &e), F32_INF, 0);
    EXPECT(e, f32_mulx(QNAN(1), 0, &e), QNAN(1), 0);
    EXPECT(e, f32_recip_exponent(NEG(F32_ONE), &e), 0xc0000000, 0);
    EXPECT(e, f32_recip_exponent(1, &e), 0x7f000000, 0);
    EXPECT(e, f32_recip_exponent(F32_INF, &e), 0, 0);
    EXPECT(e, f32_recip_exponent(SNAN(1), &e), QNAN(1), FP_INVALID);
}
