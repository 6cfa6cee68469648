/*
 * Compare-and-swap of 1 to 16 bytes in guest memory. Up to 8 bytes the compiler has it; for 16 it would call a
 * library that may lock, which other processes and generated code do not see.
 */
#ifndef TCG_ATOMIC_H
#define TCG_ATOMIC_H

#include "base/bits.h"
#include "host/cpu.h"

/*
 * If the 1 << log2size bytes at p are those of `old`, writes those of `new` and returns true; else `old` gets them.
 * Little-endian, sequentially consistent. Values narrower than 16 bytes are in the first cell, zero-extended.
 * What is compared is loaded from memory, and signed: GCC before 14 forgets to extend it for riscv64 (its PR 114130).
 */
static inline bool atomic_cas_bytes(void *p, unsigned log2size, uint64_t old[2], const uint64_t new[2])
{
#define CAS(type)                                                                                             \
    {                                                                                                         \
        type was = *(const volatile type *)old;                                                               \
        bool done = __atomic_compare_exchange_n((type *)p, &was, (type)new[0], false, __ATOMIC_SEQ_CST,       \
                                                __ATOMIC_SEQ_CST);                                            \
        old[0] = (u##type)was;                                                                                \
        return done;                                                                                          \
    }
    switch (log2size) {
    case 0: CAS(int8_t)
    case 1: CAS(int16_t)
    case 2: CAS(int32_t)
    case 3: CAS(int64_t)
    default: return atomic_cas16(p, old, new);
    }
#undef CAS
}

#endif
