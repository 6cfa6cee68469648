/* SHA-1 steps (FIPS 180-4) as the instructions of Arm ARM C7.2 divide them: four rounds, or four words. */
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

#define X(name, fn, sig, effects)                                                                                      \
    const struct ir_helper a64_helper_##name = {#name, (void (*)(void))fn, sig, effects};
#include "targets/aarch64/helpers-crypto.def"
#undef X
