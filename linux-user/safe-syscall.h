/* The code range of safe_syscall in which a caught signal must keep the host's call from being made: safe-syscall.S. */
#ifndef LINUX_USER_SAFE_SYSCALL_H
#define LINUX_USER_SAFE_SYSCALL_H

#include <stdint.h>

/* Calls the kernel unless *pending is set: the kernel's result, or -SYS_RESTART. */
int64_t safe_syscall_unless(const uint32_t *pending, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                            uint64_t a4, uint64_t a5);
/* A signal handler that interrupts code at an address in [begin, end) goes on at `interrupted`. */
extern const char safe_syscall_begin[], safe_syscall_end[], safe_syscall_interrupted[];

/* sa_restorer for the host's rt_sigaction, where it needs one. */
void host_sigreturn(void);

#endif
