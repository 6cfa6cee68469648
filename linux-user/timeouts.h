/* Calls with a relative time-out that a signal interrupts: restart_syscall(2) goes on with what is left. */
#ifndef LINUX_USER_TIMEOUTS_H
#define LINUX_USER_TIMEOUTS_H

#include <stdint.h>
#include <time.h>

struct task;

/* The time from `from` to `to`; 0 if that is past. */
struct timespec time_span(const struct timespec *from, const struct timespec *to);
/* The call, with its arguments, is to be continued until `time` after `begin` by the clock, however long it was stopped. */
void restart_later(struct task *t, int call, const uint64_t a[6], clockid_t clock, const struct timespec *begin,
                   const struct timespec *time);
/* What is left of that. */
struct timespec restart_left(const struct task *t);
/* FUTEX_WAIT of those arguments with another time-out. */
int64_t futex_wait_for(struct task *t, const uint64_t a[6], const struct timespec *time);

#endif
