/*
 * Clocks, sleeping, and what is left of interrupted waits. Clock reads go through the host's vDSO (the C library's
 * clock_gettime), so that they cost no host system call; the layouts are the same on both sides.
 */
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/timeouts.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

int64_t sys_clock_gettime(struct task *t, const uint64_t a[6])
{
    struct timespec ts;
    if (clock_gettime((clockid_t)(int32_t)a[0], &ts))
        return -errno;
    return copy_to_guest(t, a[1], &ts, sizeof ts) ? -EFAULT : 0;
}

int64_t sys_gettimeofday(struct task *t, const uint64_t a[6])
{
    struct timespec ts;
    if (a[0]) {
        clock_gettime(CLOCK_REALTIME, &ts);
        struct timeval tv = {ts.tv_sec, ts.tv_nsec / 1000};
        if (copy_to_guest(t, a[0], &tv, sizeof tv))
            return -EFAULT;
    }
    return a[1] ? host_call(SYS_gettimeofday, 0, a[1]) : 0;
}

static const int64_t SECOND = 1000000000;

struct timespec time_span(const struct timespec *from, const struct timespec *to)
{
    int64_t s = to->tv_sec - from->tv_sec, ns = to->tv_nsec - from->tv_nsec;
    s -= ns < 0;
    ns += ns < 0 ? SECOND : 0;
    return s < 0 ? (struct timespec){0, 0} : (struct timespec){s, ns};
}

void restart_later(struct task *t, int call, const uint64_t a[6], clockid_t clock, const struct timespec *begin,
                   const struct timespec *time)
{
    struct task_restart *r = &t->restart;
    int64_t ns = begin->tv_nsec + time->tv_nsec;
    *r = (struct task_restart){.call = call, .clock = clock, .until.tv_nsec = ns % SECOND};
    memcpy(r->a, a, sizeof r->a);
    if (__builtin_add_overflow(begin->tv_sec, time->tv_sec + ns / SECOND, &r->until.tv_sec))
        r->until.tv_sec = INT64_MAX;
}

struct timespec restart_left(const struct task *t)
{
    struct timespec now;
    clock_gettime(t->restart.clock, &now);
    return time_span(&now, &t->restart.until);
}

/*
 * A sleep that a signal ends has to tell what is left, also when the signal came before the host's call began: then
 * everything is.
 */
static int64_t sleep_for(struct task *t, int call, const uint64_t a[6], clockid_t clock, const struct timespec *time,
                         uint64_t rest)
{
    struct timespec begin = {0}, left = *time;
    clock_gettime(clock, &begin);
    int64_t ret = safe_syscall(t, SYS_clock_nanosleep, (uint64_t)clock, 0, (uintptr_t)time, (uintptr_t)&left, 0, 0);
    if (ret != -EINTR && ret != -SYS_RESTART)
        return ret;
    if (rest && copy_to_guest(t, rest, &left, sizeof left))
        return -EFAULT;
    restart_later(t, call, a, clock, &begin, time);
    return -SYS_RESTART_BLOCK;
}

int64_t sys_nanosleep(struct task *t, const uint64_t a[6])
{
    struct timespec time;
    return copy_from_guest(t, &time, a[0], sizeof time) ? -EFAULT
                                                        : sleep_for(t, CALL_nanosleep, a, CLOCK_MONOTONIC, &time, a[1]);
}

int64_t sys_clock_nanosleep(struct task *t, const uint64_t a[6])
{
    struct timespec time;
    clockid_t clock = (clockid_t)(int32_t)a[0];
    if (!(a[1] & TIMER_ABSTIME) && !copy_from_guest(t, &time, a[2], sizeof time))
        return sleep_for(t, CALL_clock_nanosleep, a, clock, &time, a[3]);
    int64_t ret = safe_syscall(t, SYS_clock_nanosleep, a[0], a[1], a[2], a[3], 0, 0);
    return ret == -EINTR || ret == -SYS_RESTART ? -SYS_RESTART_NOHAND : ret;
}

int64_t sys_restart_syscall(struct task *t, const uint64_t a[6])
{
    const struct task_restart r = t->restart;
    const struct timespec left = restart_left(t);
    t->restart.call = CALL_unknown;
    switch (r.call) {
    case CALL_nanosleep: return sleep_for(t, r.call, r.a, r.clock, &left, r.a[1]);
    case CALL_clock_nanosleep: return sleep_for(t, r.call, r.a, r.clock, &left, r.a[3]);
    case CALL_futex: return futex_wait_for(t, r.a, &left);
    default: return -EINTR;
    }
}
