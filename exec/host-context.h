/* The host's signal context (ucontext_t): the few places where its layout matters. Linux, per processor. */
#ifndef EXEC_HOST_CONTEXT_H
#define EXEC_HOST_CONTEXT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#if defined(__x86_64__)
static inline uintptr_t context_pc(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_RIP]; }
static inline void context_set_pc(ucontext_t *uc, uintptr_t pc) { uc->uc_mcontext.gregs[REG_RIP] = pc; }
static inline uintptr_t context_sp(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_RSP]; }
static inline void context_set_sp(ucontext_t *uc, uintptr_t sp) { uc->uc_mcontext.gregs[REG_RSP] = sp; }
/* Of a memory fault: bit 1 of the page fault's error code (Intel SDM 3A, 4.7). */
static inline int context_fault_was_write(const ucontext_t *uc) { return uc->uc_mcontext.gregs[REG_ERR] >> 1 & 1; }
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
