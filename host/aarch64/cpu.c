/* arm64: Arm ARM C6 (LDXP, LDAXP, STLXP), D13 (CNTVCT_EL0). */
#include "host/cpu.h"

#include <elf.h>

#include "host/address-bits.h"

const uint32_t host_relative_relocation = R_AARCH64_RELATIVE;

uint64_t host_cycles(void)
{
    uint64_t n;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(n));
    return n;
}

unsigned host_address_bits(void) { return probe_address_bits(47, 36); }

void atomic_check16(const void *p)
{
    uint64_t lo, hi;
    __asm__ volatile("ldxp %0, %1, [%2]" : "=&r"(lo), "=&r"(hi) : "r"(p) : "memory");
}

bool atomic_cas16(void *p, uint64_t old[2], const uint64_t new[2])
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

void atomic_fork_prepare(void) {}
void atomic_fork_done(void) {}
