/* Core dumps of the guest, in the guest's own format: core(5). */
#ifndef LINUX_USER_CORE_H
#define LINUX_USER_CORE_H

#include <signal.h>

struct task;

/* Signals whose default action is to end the process with a core dump: signal(7). */
#define CORE_SIGNALS                                                                                      \
    (SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGBUS) | \
     SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGXCPU) | SIGNAL_BIT(SIGXFSZ) | SIGNAL_BIT(SIGSYS))

/*
 * The process is about to die by info->si_signo, raised on t's thread (process_ends()): waits until its other threads
 * have stopped and writes the core file if the resource limit and the process's dumpable state allow one. A failure to
 * write is silent, as the kernel's is.
 */
void core_dump(struct task *t, const siginfo_t *info);

#endif
