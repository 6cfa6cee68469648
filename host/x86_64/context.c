/* Signal contexts on x86-64 (Linux: arch/x86/include/uapi/asm/sigcontext.h; Intel SDM for what a fault leaves). */
#include "host/context.h"

#include <string.h>

/* Index in gregs of each general register, by its number in encodings. */
static const uint8_t context_greg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                         REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

uintptr_t context_pc(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_RIP]; }
void context_set_pc(ucontext_t *uc, uintptr_t pc) { uc->uc_mcontext.gregs[REG_RIP] = pc; }
uintptr_t context_sp(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_RSP]; }
void context_set_sp(ucontext_t *uc, uintptr_t sp) { uc->uc_mcontext.gregs[REG_RSP] = sp; }

/* The kernel tells a fault's address in the context, too. */
bool context_was_fault(const ucontext_t *uc, const siginfo_t *info)
{
    uintptr_t at = (uintptr_t)info->si_addr;
    if (info->si_signo == SIGFPE)
        return at == context_pc(uc);
    return info->si_code == SI_KERNEL || (info->si_signo == SIGBUS && info->si_code == BUS_ADRALN && !at) ||
           at == (uintptr_t)uc->uc_mcontext.gregs[REG_CR2];
}

/* Bit 1 of the page fault's error code (Intel SDM 3A, 4.7). */
bool context_fault_was_write(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_ERR] >> 1 & 1; }

/*
 * After a general protection fault: was it a 16-byte access (MOVAPS, CMPXCHG16B) off its alignment? The fault itself
 * does not say (Intel SDM vol. 2, 2.1: ModR/M and SIB).
 */
bool context_misaligned(const ucontext_t *uc, uint64_t *addr)
{
    const greg_t *r = uc->uc_mcontext.gregs;
    const uint8_t *p = (const uint8_t *)context_pc(uc);
    p += *p == 0xf0; /* LOCK */
    unsigned rex = (*p & 0xf0) == 0x40 ? *p++ : 0;
    if (p[0] != 0x0f || (p[1] != 0x28 && (p[1] != 0xc7 || (p[2] >> 3 & 7) != 1)))
        return false;
    unsigned mod = p[2] >> 6, rm = p[2] & 7;
    p += 3;
    if (mod == 3 || (mod == 0 && rm == 5))
        return false;
    uint64_t at = 0;
    if (rm == 4) { /* SIB */
        unsigned scale = *p >> 6, index = (*p >> 3 & 7) | (rex & 2 ? 8 : 0);
        rm = *p++ & 7;
        if (index != 4)
            at = (uint64_t)r[context_greg[index]] << scale;
        if (mod == 0 && rm == 5)
            return false;
    }
    at += r[context_greg[rm | (rex & 1 ? 8 : 0)]];
    int32_t disp = 0;
    if (mod == 1)
        disp = (int8_t)*p;
    else if (mod == 2)
        memcpy(&disp, p, 4);
    at += disp;
    if (at & 15)
        *addr = at;
    return at & 15;
}

void context_registers(const ucontext_t *uc, struct host_registers *r)
{
    for (unsigned i = 0; i < 16; i++)
        r->general[i] = uc->uc_mcontext.gregs[context_greg[i]];
    memcpy(r->vector, uc->uc_mcontext.fpregs->_xmm, sizeof r->vector);
}

/* Below the red zone. */
void context_call(ucontext_t *uc, void (*fn)(void *), void *arg)
{
    context_set_sp(uc, ((context_sp(uc) - 128) & ~(uintptr_t)15) - 8);
    uc->uc_mcontext.gregs[REG_RDI] = (uintptr_t)arg;
    context_set_pc(uc, (uintptr_t)fn);
}
