/* The host's signal context (ucontext_t): the few places where its layout matters. Linux, per processor. */
#ifndef EXEC_HOST_CONTEXT_H
#define EXEC_HOST_CONTEXT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "tcg/host.h"

#if defined(__x86_64__)
/* Index in gregs of each general register, by its number in encodings. */
static const uint8_t context_greg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                         REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
static inline uintptr_t context_pc(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_RIP]; }
static inline void context_set_pc(ucontext_t *uc, uintptr_t pc) { uc->uc_mcontext.gregs[REG_RIP] = pc; }
static inline uintptr_t context_sp(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_RSP]; }
static inline void context_set_sp(ucontext_t *uc, uintptr_t sp) { uc->uc_mcontext.gregs[REG_RSP] = sp; }
/*
 * Of a signal with a positive si_code: whether this processor's fault raised it, and no sender (a child's end, a
 * descriptor) with the same number. The kernel tells a fault's address in the context, too.
 */
static inline bool context_was_fault(const ucontext_t *uc, const siginfo_t *info)
{
    uintptr_t at = (uintptr_t)info->si_addr;
    if (info->si_signo == SIGFPE)
        return at == context_pc(uc);
    return info->si_code == SI_KERNEL || (info->si_signo == SIGBUS && info->si_code == BUS_ADRALN && !at) ||
           at == (uintptr_t)uc->uc_mcontext.gregs[REG_CR2];
}
/* Of a memory fault: bit 1 of the page fault's error code (Intel SDM 3A, 4.7). */
static inline int context_fault_was_write(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_ERR] >> 1 & 1; }
/*
 * After a general protection fault: was it a 16-byte access (MOVAPS, CMPXCHG16B) off its alignment? The fault itself does
 * not say; *addr gets the address (Intel SDM vol. 2, 2.1: ModR/M and SIB).
 */
static inline bool context_misaligned(const ucontext_t *uc, uint64_t *addr)
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
static inline void context_registers(const ucontext_t *uc, struct host_registers *r)
{
    for (unsigned i = 0; i < 16; i++)
        r->general[i] = uc->uc_mcontext.gregs[context_greg[i]];
    memcpy(r->vector, uc->uc_mcontext.fpregs->_xmm, sizeof r->vector);
}
/* Makes the interrupted thread call fn(arg), which must not return, on its stack below the red zone. */
static inline void context_call(ucontext_t *uc, void (*fn)(void *), void *arg)
{
    context_set_sp(uc, ((context_sp(uc) - 128) & ~(uintptr_t)15) - 8);
    uc->uc_mcontext.gregs[REG_RDI] = (uintptr_t)arg;
    context_set_pc(uc, (uintptr_t)fn);
}
#elif defined(__aarch64__)
static inline uintptr_t context_pc(const ucontext_t *uc) { return uc->uc_mcontext.pc; }
static inline void context_set_pc(ucontext_t *uc, uintptr_t pc) { uc->uc_mcontext.pc = pc; }
static inline uintptr_t context_sp(const ucontext_t *uc) { return uc->uc_mcontext.sp; }
static inline void context_set_sp(ucontext_t *uc, uintptr_t sp) { uc->uc_mcontext.sp = sp; }
static inline bool context_was_fault(const ucontext_t *uc, const siginfo_t *info)
{
    return info->si_signo == SIGFPE || (uintptr_t)info->si_addr == uc->uc_mcontext.fault_address;
}
/* Of a memory fault: ESR_EL1.ISS.WnR (Arm ARM D17.2.37), from the frame's esr_context. */
static inline int context_fault_was_write(const ucontext_t *uc)
{
    enum { ESR_CONTEXT = 0x45535201, WNR = 6 };
    const char *at = (const char *)uc->uc_mcontext.__reserved;
    for (const uint32_t *head = (const uint32_t *)at; head[0]; head = (const uint32_t *)(at += head[1]))
        if (head[0] == ESR_CONTEXT)
            return head[2] >> WNR & 1;
    return 0;
}
/* Here a misaligned access is a SIGBUS that says so. */
static inline bool context_misaligned(const ucontext_t *uc, uint64_t *addr) { return false; }
/* No back end compiles for this processor, so nobody asks. */
static inline void context_registers(const ucontext_t *uc, struct host_registers *r) { memset(r, 0, sizeof *r); }
static inline void context_call(ucontext_t *uc, void (*fn)(void *), void *arg)
{
    context_set_sp(uc, context_sp(uc) & ~(uintptr_t)15);
    uc->uc_mcontext.regs[0] = (uintptr_t)arg;
    context_set_pc(uc, (uintptr_t)fn);
}
#else
#error "exec/host-context.h: describe this processor's signal context here"
#endif

#endif
