/*
 * Advanced SIMD element operations that are calls: shifts by register with rounding or saturation, counts, estimates,
 * polynomial products (instruction pages of Arm ARM C7.2). Each is a function of three elements, listed in a table.
 */
#include "base/softfloat.h"
#include "targets/aarch64/helper-simd.h"
#include "targets/aarch64/helpers.h"

typedef __int128 wide;

/* Into `bits` bits; *sat when x does not fit. */
static uint64_t signed_sat(wide x, unsigned bits, bool *sat)
{
    wide max = ((wide)1 << (bits - 1)) - 1, min = -max - 1, r = x > max ? max : x < min ? min : x;
    *sat |= r != x;
    return (uint64_t)r;
}

static uint64_t unsigned_sat(wide x, unsigned bits, bool *sat)
{
    wide max = ((wide)1 << bits) - 1, r = x > max ? max : x < 0 ? 0 : x;
    *sat |= r != x;
    return (uint64_t)r;
}

/*
 * x * 2^n for n from -128 to 127 and |x| < 2^64; to the right rounded down or to nearest. What would leave 128 bits
 * becomes a number as good: beyond every lane, its low 64 bits zero.
 */
static wide shifted(wide x, int n, bool rounds)
{
    if (n > 63)
        return x ? (wide)(x > 0 ? 1 : -1) * ((wide)1 << 100) : 0;
    if (n >= 0)
        return x * ((wide)1 << n);
    n = n > -100 ? -n : 100;
    return (x + (rounds ? (wide)1 << (n - 1) : 0)) >> n;
}

/* n, m, d: elements of `bits` bits, zero-extended; of the result the low bits count. */
typedef uint64_t element_fn(uint64_t n, uint64_t m, uint64_t d, unsigned bits, bool *sat);
#define ELEMENT(name, expr)                                                                                  \
    static uint64_t name(uint64_t n, uint64_t m, uint64_t d, unsigned bits, bool *sat)                       \
    {                                                                                                        \
        __attribute__((unused)) const int64_t sn = sextract64(n, 0, bits), sm = sextract64(m, 0, bits),      \
                                              sd = sextract64(d, 0, bits);                                   \
        (void)sat;                                                                                           \
        return expr;                                                                                         \
    }

static uint64_t leading_zeros(uint64_t x, unsigned bits)
{
    return x ? (unsigned)__builtin_clzll(x) - (64 - bits) : bits;
}

/* The low half; the product fits 64 bits for bytes. */
static uint64_t carryless(uint64_t n, uint64_t m)
{
    uint64_t r = 0;
    for (int i = 0; i < 8; i++)
        if (m >> i & 1)
            r ^= n << i;
    return r;
}

/* UnsignedRecipEstimate, UnsignedRSqrtEstimate (shared pseudocode) */
static uint64_t recip_estimate(uint64_t n)
{
    return n >> 31 ? (uint64_t)arm_recip_estimate(n >> 23) << 23 : UINT32_MAX;
}

static uint64_t rsqrt_estimate(uint64_t n)
{
    return n >> 30 ? (uint64_t)arm_rsqrt_estimate(n >> 23) << 23 : UINT32_MAX;
}

ELEMENT(clz, leading_zeros(n, bits))
ELEMENT(cls, leading_zeros(extract64(sn ^ sn >> 1, 0, bits), bits) - 1)
ELEMENT(pmul, carryless(n, m))
ELEMENT(srshl, (uint64_t)shifted(sn, (int8_t)m, true))
ELEMENT(urshl, (uint64_t)shifted(n, (int8_t)m, true))
ELEMENT(urecpe, recip_estimate(n))
ELEMENT(ursqrte, rsqrt_estimate(n))
ELEMENT(sqshl, signed_sat(shifted(sn, (int8_t)m, false), bits, sat))
ELEMENT(uqshl, unsigned_sat(shifted(n, (int8_t)m, false), bits, sat))
ELEMENT(sqrshl, signed_sat(shifted(sn, (int8_t)m, true), bits, sat))
ELEMENT(uqrshl, unsigned_sat(shifted(n, (int8_t)m, true), bits, sat))
ELEMENT(sqshlu, unsigned_sat(shifted(sn, (int8_t)m, false), bits, sat))
ELEMENT(suqadd, signed_sat((wide)sd + n, bits, sat))
ELEMENT(usqadd, unsigned_sat((wide)d + sn, bits, sat))
ELEMENT(sqrdmlah, signed_sat((((wide)sd << bits) + 2 * (wide)sn * sm + ((wide)1 << (bits - 1))) >> bits, bits, sat))
ELEMENT(sqrdmlsh, signed_sat((((wide)sd << bits) - 2 * (wide)sn * sm + ((wide)1 << (bits - 1))) >> bits, bits, sat))

static element_fn *const element[SIMD_OP_COUNT] = {
    [SIMD_CLZ] = clz,       [SIMD_CLS] = cls,       [SIMD_PMUL] = pmul,         [SIMD_SRSHL] = srshl,
    [SIMD_URSHL] = urshl,   [SIMD_URECPE] = urecpe, [SIMD_URSQRTE] = ursqrte,   [SIMD_SQSHL] = sqshl,
    [SIMD_UQSHL] = uqshl,   [SIMD_SQRSHL] = sqrshl, [SIMD_UQRSHL] = uqrshl,     [SIMD_SQSHLU] = sqshlu,
    [SIMD_SUQADD] = suqadd, [SIMD_USQADD] = usqadd, [SIMD_SQRDMLAH] = sqrdmlah, [SIMD_SQRDMLSH] = sqrdmlsh,
};

static v128 each(uint32_t desc, v128 n, v128 m, v128 d, bool *sat)
{
    union lanes x = {n}, y = {m}, z = {d}, r = {{0}};
    unsigned e = simd_desc_e(desc), count = simd_desc_lanes(desc);
    for (unsigned i = 0; i < count; i++)
        lane_set(&r, e, i, element[simd_desc_op(desc)](lane_get(&x, e, i), lane_get(&y, e, i), lane_get(&z, e, i),
                                                       8 << e, sat));
    return r.v;
}

static v128 a64_simd(uint32_t desc, v128 n, v128 m, v128 d)
{
    bool unused = false;
    return each(desc, n, m, d, &unused);
}

static v128 a64_simd_saturating(struct a64_cpu *cpu, uint32_t desc, v128 n, v128 m, v128 d)
{
    bool sat = false;
    v128 r = each(desc, n, m, d, &sat);
    if (sat)
        cpu->qc = 1;
    return r;
}

static v128 a64_simd_pmull8(v128 n, v128 m)
{
    union lanes x = {n}, y = {m}, r;
    for (int i = 0; i < 8; i++)
        r.h[i] = carryless(x.b[i], y.b[i]);
    return r.v;
}

#define X(name, fn, sig, effects)                                                                                      \
    const struct ir_helper a64_helper_##name = {#name, (void (*)(void))fn, sig, effects};
#include "targets/aarch64/helpers-simd.def"
#undef X
