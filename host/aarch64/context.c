/* Signal contexts on arm64 (Linux: arch/arm64/include/uapi/asm/sigcontext.h; Arm ARM for ESR_EL1). */
#include "host/context.h"

#include <string.h>

uintptr_t context_pc(const ucontext_t *uc) { return uc->uc_mcontext.pc; }
void context_set_pc(ucontext_t *uc, uintptr_t pc) { uc->uc_mcontext.pc = pc; }
uintptr_t context_sp(const ucontext_t *uc) { return uc->uc_mcontext.sp; }
void context_set_sp(ucontext_t *uc, uintptr_t sp) { uc->uc_mcontext.sp = sp; }

bool context_was_fault(const ucontext_t *uc, const siginfo_t *info)
{
    uintptr_t at = info->si_signo == SIGFPE ? context_pc(uc) : uc->uc_mcontext.fault_address;
    return !(((uintptr_t)info->si_addr ^ at) << 8); /* si_addr may lack the tag, bits 56 to 63 */
}

/*
 * ESR_EL1.ISS.WnR (Arm ARM D17.2.37), from the frame's esr_context. Where the frame has none, loads and stores are told
 * apart by the instruction (C4.1, "Loads and Stores"): op0 = x1x0.
 */
bool context_fault_was_write(const ucontext_t *uc)
{
    enum { ESR_CONTEXT = 0x45535201, WNR = 6 };
    const char *at = (const char *)uc->uc_mcontext.__reserved;
    for (const uint32_t *head = (const uint32_t *)at; head[0] && head[1]; head = (const uint32_t *)(at += head[1])) {
        uint64_t esr;
        if (head[0] == ESR_CONTEXT) {
            memcpy(&esr, head + 2, sizeof esr);
            return esr >> WNR & 1;
        }
    }
    uint32_t in = *(const uint32_t *)context_pc(uc);
    if ((in & 0x0a000000) != 0x08000000)
        return false;
    if ((in & 0x3a000000) == 0x28000000 || (in & 0x3f000000) == 0x08000000 || (in & 0xbe000000) == 0x0c000000)
        return !(in >> 22 & 1); /* pairs, exclusive ones, SIMD structures: L */
    if ((in & 0x3b200c00) == 0x38200000)
        return true; /* atomic memory operations */
    return (in & 0x3a000000) == 0x38000000 && (in & 0x04800000) != 0x04800000 && !(in >> 22 & 3); /* opc 0: a store */
}

/* A misaligned access is a SIGBUS that says so. */
bool context_misaligned(const ucontext_t *uc, uint64_t *addr) { return false; }

void context_registers(const ucontext_t *uc, struct host_registers *r) { memset(r, 0, sizeof *r); }

void context_call(ucontext_t *uc, void (*fn)(void *), void *arg)
{
    context_set_sp(uc, context_sp(uc) & ~(uintptr_t)15);
    uc->uc_mcontext.regs[0] = (uintptr_t)arg;
    context_set_pc(uc, (uintptr_t)fn);
}
