/*
 * riscv64: the unprivileged ISA's RDTIME. There is no 16-byte compare-and-swap in the base that distributions build for
 * (RV64GC), so all of them take turns under one lock.
 */
#include "host/cpu.h"

#include <elf.h>
#include <sched.h>

#include "host/address-bits.h"

const uint32_t host_relative_relocation = R_RISCV_RELATIVE;

unsigned host_address_bits(void) { return probe_address_bits(47, 38); }

uint64_t host_cycles(void)
{
    uint64_t n;
    __asm__ volatile("rdtime %0" : "=r"(n));
    return n;
}

/*
 * Off 16 bytes a load-reserved at an odd address raises what the processor has for misaligned atomics;
 * context_misaligned() knows the instruction, and a0 as the address that is meant.
 */
void atomic_check16(const void *p)
{
    register uintptr_t meant __asm__("a0") = (uintptr_t)p;
    register uintptr_t odd __asm__("a2") = (uintptr_t)p | 1;
    if ((uintptr_t)p & 15)
        __asm__ volatile("lr.w a1, (a2)" : : "r"(meant), "r"(odd) : "a1", "memory");
    const volatile uint64_t *q = p;
    (void)q[0];
    (void)q[1];
}

static uint32_t busy;

void atomic_fork_prepare(void)
{
    while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
        sched_yield();
}

void atomic_fork_done(void)
{
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

bool atomic_cas16(void *p, uint64_t old[2], const uint64_t new[2])
{
    uint64_t *q = p;
    /* A page that can't be written faults here, where the lock is free; both halves lie in one. */
    __atomic_fetch_or(&q[0], 0, __ATOMIC_RELAXED);
    atomic_fork_prepare();
    uint64_t now[2] = {__atomic_load_n(&q[0], __ATOMIC_SEQ_CST), __atomic_load_n(&q[1], __ATOMIC_SEQ_CST)};
    bool done = now[0] == old[0] && now[1] == old[1];
    if (done) {
        __atomic_store_n(&q[0], new[0], __ATOMIC_SEQ_CST);
        __atomic_store_n(&q[1], new[1], __ATOMIC_SEQ_CST);
    }
    atomic_fork_done();
    old[0] = now[0];
    old[1] = now[1];
    return done;
}
