/* Checksums: see sum.h. */
#include "base/sum.h"

#include <string.h>

#include "base/bits.h"

/* Odd, with bits all over: 2^64 divided by the golden ratio, and a prime. */
static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15), last = UINT64_C(0xc2b2ae3d27d4eb4f);

/* One to one in either argument. */
static uint64_t mix(uint64_t h, uint64_t word, uint64_t by)
{
    return ror64((h ^ word) * by, 33);
}

void sum_begin(struct sum *s)
{
    for (unsigned i = 0; i < ARRAY_SIZE(s->lane); i++)
        s->lane[i] = step * (i + 1);
}

void sum_add(struct sum *s, const void *p, size_t bytes)
{
    struct sum now = *s;
    for (const char *at = p, *end = at + bytes; at < end; at += SUM_BLOCK) {
        uint64_t word[SUM_BLOCK / 8];
        memcpy(word, at, sizeof word);
        for (unsigned i = 0; i < ARRAY_SIZE(word); i++)
            now.lane[i] = mix(now.lane[i], word[i], step);
    }
    *s = now;
}

uint64_t sum_end(const struct sum *s)
{
    uint64_t h = last;
    for (unsigned i = 0; i < ARRAY_SIZE(s->lane); i++)
        h = mix(h, s->lane[i], last);
    return h;
}

uint64_t hash_bytes(uint64_t seed, const void *p, size_t bytes)
{
    struct sum s;
    size_t whole = ALIGN_DOWN(bytes, (size_t)SUM_BLOCK);
    char tail[SUM_BLOCK] = {0};
    memcpy(tail, (const char *)p + whole, bytes - whole);
    sum_begin(&s);
    s.lane[0] ^= seed;
    s.lane[1] ^= bytes;
    sum_add(&s, p, whole);
    sum_add(&s, tail, sizeof tail);
    uint64_t h = sum_end(&s);
    h = (h ^ h >> 32) * last;
    return h ^ h >> 29;
}
