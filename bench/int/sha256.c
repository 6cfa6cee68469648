/* SHA-256 (FIPS 180-4) of a buffer, many times: rotates, xors, additions. */
#include "../bench.h"

static uint32_t k[64];

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* The first 32 bits of the fraction of p^(1/root), in integers: the largest r with r^root <= p * 2^(32 * root). */
static uint32_t root_bits(unsigned p, int root)
{
    unsigned __int128 r = 0;
    for (int bit = 36; bit >= 0; bit--) {
        unsigned __int128 t = r | (unsigned __int128)1 << bit;
        /* t^3 may need 111 bits; p << 96 needs 105. */
        unsigned __int128 power = root == 2 ? t * t : t * t * t;
        if (power <= (unsigned __int128)p << 32 * root)
            r = t;
    }
    return r;
}

static void block(uint32_t h[8], const uint8_t *p)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t v[8];
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25), ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + s1 + ch + k[i] + w[i];
        uint32_t s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6];
        v[6] = v[5];
        v[5] = v[4];
        v[4] = v[3] + t1;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = v[0];
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

int main(void)
{
    static uint8_t data[1 << 16];
    uint32_t h[8];
    int n = 0;
    for (unsigned p = 2; n < 64; p++) {
        int prime = 1;
        for (unsigned d = 2; d * d <= p; d++)
            prime &= p % d != 0;
        if (!prime)
            continue;
        if (n < 8)
            h[n] = root_bits(p, 2);
        k[n++] = root_bits(p, 3);
    }
    if (h[0] != 0x6a09e667 || k[63] != 0xc67178f2)
        return 1;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = rnd();
    for (int round = 0; round < 1800; round++)
        for (size_t i = 0; i < sizeof data; i += 64)
            block(h, data + i);
    return report((uint64_t)h[0] << 32 | h[7]);
}
