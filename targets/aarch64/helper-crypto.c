/* SHA-1 and SHA-256 steps (FIPS 180-4) as the instructions of Arm ARM C7.2 divide them: four rounds, or four words. */
#include "targets/aarch64/helper-simd.h"
#include "targets/aarch64/helpers.h"

static uint32_t rol32(uint32_t x, unsigned n) { return ror32(x, 32 - n); }
static uint32_t choose(uint32_t x, uint32_t y, uint32_t z) { return ((y ^ z) & x) ^ z; }
static uint32_t parity(uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; }
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) | ((x | y) & z); }

/* Four rounds on a, b, c, d in the vector and e; w: words with the round constant added. */
static inline v128 sha1_rounds(v128 abcd, v128 e, v128 w, uint32_t (*f)(uint32_t, uint32_t, uint32_t))
{
    union lanes x = {abcd}, y = {e}, words = {w};
    uint32_t last = y.s[0];
    for (int i = 0; i < 4; i++) {
        uint32_t t = last + rol32(x.s[0], 5) + f(x.s[1], x.s[2], x.s[3]) + words.s[i];
        last = x.s[3];
        x.s[3] = x.s[2];
        x.s[2] = rol32(x.s[1], 30);
        x.s[1] = x.s[0];
        x.s[0] = t;
    }
    return x.v;
}

static v128 a64_sha1c(v128 d, v128 n, v128 m) { return sha1_rounds(d, n, m, choose); }
static v128 a64_sha1p(v128 d, v128 n, v128 m) { return sha1_rounds(d, n, m, parity); }
static v128 a64_sha1m(v128 d, v128 n, v128 m) { return sha1_rounds(d, n, m, majority); }

/* The second half of the message schedule: the last word depends on the first one. */
static v128 a64_sha1su1(v128 d, v128 n)
{
    union lanes x = {d}, y = {n};
    for (int i = 0; i < 4; i++)
        x.s[i] = rol32(x.s[i] ^ (i < 3 ? y.s[i + 1] : 0), 1);
    x.s[3] ^= rol32(x.s[0], 1);
    return x.v;
}

static uint32_t big_sigma0(uint32_t x) { return ror32(x, 2) ^ ror32(x, 13) ^ ror32(x, 22); }
static uint32_t big_sigma1(uint32_t x) { return ror32(x, 6) ^ ror32(x, 11) ^ ror32(x, 25); }
static uint32_t sigma0(uint32_t x) { return ror32(x, 7) ^ ror32(x, 18) ^ x >> 3; }
static uint32_t sigma1(uint32_t x) { return ror32(x, 17) ^ ror32(x, 19) ^ x >> 10; }

/* Four rounds on a..d and e..h. */
static inline void sha256_rounds(union lanes *abcd, union lanes *efgh, const union lanes *w)
{
    uint32_t *x = abcd->s, *y = efgh->s;
    for (int i = 0; i < 4; i++) {
        uint32_t t = y[3] + big_sigma1(y[0]) + choose(y[0], y[1], y[2]) + w->s[i];
        uint32_t a = t + big_sigma0(x[0]) + majority(x[0], x[1], x[2]), e = x[3] + t;
        for (int k = 3; k; k--) {
            x[k] = x[k - 1];
            y[k] = y[k - 1];
        }
        x[0] = a;
        y[0] = e;
    }
}

static v128 a64_sha256h(v128 d, v128 n, v128 m)
{
    union lanes x = {d}, y = {n}, w = {m};
    sha256_rounds(&x, &y, &w);
    return x.v;
}

static v128 a64_sha256h2(v128 d, v128 n, v128 m)
{
    union lanes x = {n}, y = {d}, w = {m};
    sha256_rounds(&x, &y, &w);
    return y.v;
}

static v128 a64_sha256su0(v128 d, v128 n)
{
    union lanes x = {d}, y = {n}, r;
    for (int i = 0; i < 4; i++)
        r.s[i] = x.s[i] + sigma0(i < 3 ? x.s[i + 1] : y.s[0]);
    return r.v;
}

static v128 a64_sha256su1(v128 d, v128 n, v128 m)
{
    union lanes x = {d}, y = {n}, z = {m}, r;
    for (int i = 0; i < 4; i++)
        r.s[i] = x.s[i] + sigma1(i < 2 ? z.s[i + 2] : r.s[i - 2]) + (i < 3 ? y.s[i + 1] : z.s[0]);
    return r.v;
}

#define X(name, fn, sig, effects)                                                                                      \
    const struct ir_helper a64_helper_##name = {#name, (void (*)(void))fn, sig, effects};
#include "targets/aarch64/helpers-crypto.def"
#undef X
