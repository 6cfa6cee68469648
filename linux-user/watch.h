/* System calls of threads that are watched: by filters of their own (seccomp) or by a tracer. */
#ifndef LINUX_USER_WATCH_H
#define LINUX_USER_WATCH_H

#include <stdint.h>

struct task;

enum { WATCH_SECCOMP = 1, WATCH_TRACE = 2 }; /* task.watch: why */

/* Makes the call that the registers ask for, as far as those who watch let it. The result is as dispatch_syscall's. */
int64_t watched_syscall(struct task *t, uint64_t number, uint64_t a[6]);

#endif
