/*
 * System calls: from number and arguments to the handler or straight to the host, as syscall-tables/ describes.
 *
 * The main loop calls dispatch_syscall() on EXIT_SYSCALL. A handler gets the six raw argument registers and answers
 * the result as the kernel does inside: a value, -errno, or one of the restart codes below, which never reach the
 * guest: the main loop turns them into a restart or EINTR when it has looked at the pending signals.
 */
#ifndef LINUX_USER_DISPATCH_H
#define LINUX_USER_DISPATCH_H

#include <stdint.h>

#include "syscall-tables/calls.h"

struct call_desc;
struct task;

/* Negative results of the kernel's own convention (include/linux/errno.h). */
enum {
    SYS_RESTART = 512,        /* restart if SA_RESTART or no handler runs, else EINTR */
    SYS_RESTART_ALWAYS = 513, /* restart after any handler */
    SYS_RESTART_NOHAND = 514, /* restart only if no handler runs, else EINTR */
    SYS_RESTART_BLOCK = 516,  /* like NOHAND, but restart_syscall goes on with what is left of the time: task.restart */
    SYS_KEEP_REGS = 600,      /* the handler has set the guest's registers (rt_sigreturn, execve) */
};

typedef int64_t syscall_fn(struct task *t, const uint64_t a[6]);

/* Every call marked `hand` in syscall-tables/calls.tbl has its handler sys_NAME in a sys-*.c (or signal.c, …) file. */
#define X(name) syscall_fn sys_##name;
SYSCALLS_BY_HAND(X)
#undef X

/*
 * Runs the system call that the guest's registers ask for (number and arguments by the task's ABI) and returns its
 * result; stores nothing into the registers. Prints the --strace line.
 */
int64_t dispatch_syscall(struct task *t);

/* The same for a number and its arguments, past those who watch (watch.h). */
int64_t dispatch_number(struct task *t, uint64_t number, const uint64_t a[6]);

/* The same for a known call: row is one of enum syscall_call. For handlers that stand for another call. */
int64_t dispatch_call(struct task *t, int call, const uint64_t a[6]);

/*
 * Makes the host's call as d describes it: paths through the sysroot, flags that differ moved, one struct that differs
 * converted. Restart codes are the host's: safe_syscall's.
 */
int64_t dispatch_described(struct task *t, const struct call_desc *d, const uint64_t a[6]);

#endif
