/*
 * Signal contexts on riscv64 (Linux: arch/riscv/include/uapi/asm/ucontext.h). The frame has no word about a fault: what
 * kind of access it was, its instruction tells (unprivileged ISA, chapters "RV32/64G instruction set listings" and
 * "C").
 */
#include "host/context.h"

#include <string.h>

/* In __gregs x0's place holds the pc. */
enum { PC = 0, SP = 2, A0 = 10 };

uintptr_t context_pc(const ucontext_t *uc) { return uc->uc_mcontext.__gregs[PC]; }
void context_set_pc(ucontext_t *uc, uintptr_t pc) { uc->uc_mcontext.__gregs[PC] = pc; }
uintptr_t context_sp(const ucontext_t *uc) { return uc->uc_mcontext.__gregs[SP]; }
void context_set_sp(ucontext_t *uc, uintptr_t sp) { uc->uc_mcontext.__gregs[SP] = sp; }

enum access { NO_ACCESS, LOADS, STORES };

static enum access access_of(const ucontext_t *uc)
{
    uint16_t half[2];
    memcpy(half, (const void *)context_pc(uc), sizeof half[0]);
    if ((half[0] & 3) != 3) { /* C.FLD, C.LW, C.LD, C.FSD, C.SW, C.SD and the same with SP: funct3 and quadrant */
        unsigned funct3 = half[0] >> 13;
        if ((half[0] & 3) == 1 || !(funct3 & 3))
            return NO_ACCESS;
        return funct3 & 4 ? STORES : LOADS;
    }
    memcpy(&half[1], (const char *)context_pc(uc) + 2, sizeof half[1]);
    uint32_t in = half[0] | (uint32_t)half[1] << 16;
    switch (in & 0x7f) {
    case 0x03: /* LOAD */
    case 0x07: return LOADS; /* LOAD-FP */
    case 0x23: /* STORE */
    case 0x27: return STORES; /* STORE-FP */
    case 0x2f: return in >> 27 == 2 ? LOADS : STORES; /* AMO; LR */
    default: return NO_ACCESS;
    }
}

/* Floating point and division never trap. */
bool context_was_fault(const ucontext_t *uc, const siginfo_t *info)
{
    return info->si_signo != SIGFPE && access_of(uc) != NO_ACCESS;
}

bool context_fault_was_write(const ucontext_t *uc) { return access_of(uc) == STORES; }

/*
 * A misaligned access that the machine does not do is a SIGBUS that says so; but atomic_check16() means another
 * address.
 */
bool context_misaligned(const ucontext_t *uc, uint64_t *addr)
{
    static const uint32_t probe = 0x100625af; /* lr.w a1, (a2) */
    if (memcmp((const void *)context_pc(uc), &probe, sizeof probe) != 0)
        return false;
    *addr = uc->uc_mcontext.__gregs[A0];
    return true;
}

void context_registers(const ucontext_t *uc, struct host_registers *r) { memset(r, 0, sizeof *r); }

void context_call(ucontext_t *uc, void (*fn)(void *), void *arg)
{
    context_set_sp(uc, context_sp(uc) & ~(uintptr_t)15);
    uc->uc_mcontext.__gregs[A0] = (uintptr_t)arg;
    context_set_pc(uc, (uintptr_t)fn);
}
