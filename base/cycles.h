/* A counter for measuring code: runs at about the processor's nominal speed, on all processors of a machine alike. */
#ifndef BASE_CYCLES_H
#define BASE_CYCLES_H

#include <stdint.h>

static inline uint64_t host_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t n;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(n));
    return n;
#else
#error "base/cycles.h: read the processor's time counter"
#endif
}

#endif
