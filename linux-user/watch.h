/* System calls of threads that are watched: by filters of their own (seccomp) or by a tracer. */
#ifndef LINUX_USER_WATCH_H
#define LINUX_USER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct task;

/* task.watch: why. A step is one of the main loop's; memory: the process has a file that is some process's
   memory; debug: the process is debugged (debug.h); points: its tracer has set some; dispatch: user-dispatch.h. */
enum {
    WATCH_SECCOMP = 1,
    WATCH_TRACE = 2,
    WATCH_STEP = 4,
    WATCH_MEMORY = 8,
    WATCH_DEBUG = 16,
    WATCH_POINTS = 32,
    WATCH_DISPATCH = 64,
};

/* Whether the guest's vDSO makes the call (a CALL_…), which on hardware it would not. */
bool is_vdso_call(const struct task *t, int call);
/* The process has opened a /proc/…/mem for writing. */
void watch_memory_files(struct task *t);

/* Makes the call that the registers ask for, as far as those who watch let it. The result is as dispatch_syscall's. */
int64_t watched_syscall(struct task *t, uint64_t number, uint64_t a[6]);

#endif
