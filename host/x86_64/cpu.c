/* x86-64: Intel SDM vol. 2 (RDTSC, CMPXCHG16B). */
#include "host/cpu.h"

#include <elf.h>

const uint32_t host_relative_relocation = R_X86_64_RELATIVE;

uint64_t host_cycles(void) { return __builtin_ia32_rdtsc(); }

/* Without a hint above it the kernel gives no address beyond (LA57). */
unsigned host_address_bits(void) { return 47; }

void atomic_check16(const void *p)
{
    __asm__ volatile("movaps %0, %%xmm0" : : "m"(*(const char(*)[16])p) : "xmm0");
}

bool atomic_cas16(void *p, uint64_t old[2], const uint64_t new[2])
{
    bool done;
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(done), "+m"(*(char(*)[16])p), "+a"(old[0]), "+d"(old[1])
                     : "b"(new[0]), "c"(new[1])
                     : "memory");
    return done;
}

void atomic_fork_prepare(void) {}
void atomic_fork_done(void) {}
