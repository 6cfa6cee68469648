/*
 * What the kernels share: reproducible random numbers and the checksum that each prints. A kernel is one program; its
 * checksum is the same on every processor (bench/run.py compares), so floating-point kernels use no libm function
 * whose last bit may differ and are compiled without contraction.
 */
#ifndef BENCH_H
#define BENCH_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bench_state = 0x9e3779b97f4a7c15;

/* xorshift64 */
static inline uint64_t rnd(void)
{
    bench_state ^= bench_state << 13;
    bench_state ^= bench_state >> 7;
    bench_state ^= bench_state << 17;
    return bench_state;
}

/* Uniform in [0, 1). */
static inline double rnd_unit(void) { return (double)(rnd() >> 11) * 0x1p-53; }

static inline uint64_t mix(uint64_t sum, uint64_t v) { return (sum ^ v) * 0x100000001b3; }

static inline uint64_t mix_double(uint64_t sum, double d)
{
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    return mix(sum, v);
}

static inline int report(uint64_t sum)
{
    printf("%016" PRIx64 "\n", sum);
    return 0;
}

#endif
