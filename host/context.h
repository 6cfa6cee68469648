/* The host's signal context (ucontext_t): the few places where its layout matters. host/<processor>/context.c. */
#ifndef HOST_CONTEXT_H
#define HOST_CONTEXT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "host/registers.h"

uintptr_t context_pc(const ucontext_t *uc);
void context_set_pc(ucontext_t *uc, uintptr_t pc);
uintptr_t context_sp(const ucontext_t *uc);
void context_set_sp(ucontext_t *uc, uintptr_t sp);
/*
 * Of a signal with a positive si_code: whether this processor's fault raised it, and no sender (a child's end, a
 * descriptor) with the same number.
 */
bool context_was_fault(const ucontext_t *uc, const siginfo_t *info);
/* Of a memory fault: was it a store? */
bool context_fault_was_write(const ucontext_t *uc);
/*
 * After a fault that does not say so itself: was it an access off its alignment? *addr gets the address. False where
 * such an access is a SIGBUS of its own that tells the address.
 */
bool context_misaligned(const ucontext_t *uc, uint64_t *addr);
/* For the processors that tcg/host compiles for. */
void context_registers(const ucontext_t *uc, struct host_registers *r);
/* Makes the interrupted thread call fn(arg), which must not return, on its stack. */
void context_call(ucontext_t *uc, void (*fn)(void *), void *arg);

#endif
