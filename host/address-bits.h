/*
 * How far user addresses reach where kernels differ (arm64: 39 to 48 bits, riscv64: 38 or 47): asked by mapping a page.
 */
#ifndef HOST_ADDRESS_BITS_H
#define HOST_ADDRESS_BITS_H

#include <errno.h>
#include <sys/mman.h>

static inline unsigned probe_address_bits(unsigned most, unsigned least)
{
    enum { PAGE = 4096, NOREPLACE = 0x100000 }; /* MAP_FIXED_NOREPLACE */
    unsigned bits = most;
    for (; bits > least; bits--) {
        void *at = (void *)(((uintptr_t)1 << bits) - 2 * PAGE);
        void *p = mmap(at, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | NOREPLACE, -1, 0);
        if (p != MAP_FAILED)
            munmap(p, PAGE);
        if (p == at || (p == MAP_FAILED && errno == EEXIST))
            break;
    }
    return bits;
}

#endif
