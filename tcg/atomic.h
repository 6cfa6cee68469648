/*
 * Compare-and-swap of 1 to 16 bytes in guest memory. Up to 8 bytes the compiler has it; for 16 it would call a
 * library that may lock, which other processes and generated code do not see.
 */
#ifndef TCG_ATOMIC_H
#define TCG_ATOMIC_H

#include "base/bits.h"

#if defined(__x86_64__)
/* Faults if p is not 16-aligned, before any other fault of it. */
static inline void atomic_check16(const void *p)
{
    __asm__ volatile("movaps %0, %%xmm0" : : "m"(*(const char(*)[16])p) : "xmm0");
}
static inline bool atomic_cas16(void *p, uint64_t old[2], const uint64_t new[2])
{
    bool done;
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(done), "+m"(*(char(*)[16])p), "+a"(old[0]), "+d"(old[1])
                     : "b"(new[0]), "c"(new[1])
                     : "memory");
    return done;
}
#elif defined(__aarch64__)
static inline void atomic_check16(const void *p)
{
    uint64_t lo, hi;
    __asm__ volatile("ldxp %0, %1, [%2]" : "=&r"(lo), "=&r"(hi) : "r"(p) : "memory");
}
static inline bool atomic_cas16(void *p, uint64_t old[2], const uint64_t new[2])
{
    uint64_t lo, hi, x, y;
    uint32_t failed;
    /* The pair was read in one piece only if storing it back succeeds. */
    __asm__ volatile("1: ldaxp %0, %1, [%5]\n\t"
                     "cmp %0, %6\n\t"
                     "ccmp %1, %7, #0, eq\n\t"
                     "csel %2, %8, %0, eq\n\t"
                     "csel %3, %9, %1, eq\n\t"
                     "stlxp %w4, %2, %3, [%5]\n\t"
                     "cbnz %w4, 1b"
                     : "=&r"(lo), "=&r"(hi), "=&r"(x), "=&r"(y), "=&r"(failed)
                     : "r"(p), "r"(old[0]), "r"(old[1]), "r"(new[0]), "r"(new[1])
                     : "cc", "memory");
    bool done = lo == old[0] && hi == old[1];
    old[0] = lo;
    old[1] = hi;
    return done;
}
#else
#error "tcg/atomic.h: describe this processor's 16-byte compare-and-swap here"
#endif

/*
 * If the 1 << log2size bytes at p are those of `old`, writes those of `new` and returns true; else `old` gets them.
 * Little-endian, sequentially consistent. Values narrower than 16 bytes are in the first cell, zero-extended.
 */
static inline bool atomic_cas_bytes(void *p, unsigned log2size, uint64_t old[2], const uint64_t new[2])
{
#define CAS(type)                                                                                             \
    {                                                                                                         \
        type was = old[0];                                                                                    \
        bool done = __atomic_compare_exchange_n((type *)p, &was, (type)new[0], false, __ATOMIC_SEQ_CST,       \
                                                __ATOMIC_SEQ_CST);                                            \
        old[0] = was;                                                                                         \
        return done;                                                                                          \
    }
    switch (log2size) {
    case 0: CAS(uint8_t)
    case 1: CAS(uint16_t)
    case 2: CAS(uint32_t)
    case 3: CAS(uint64_t)
    default: return atomic_cas16(p, old, new);
    }
#undef CAS
}

#endif
