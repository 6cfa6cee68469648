/*
 * Futexes go to the kernel as they are: the words lie in memory that other processes and the kernel's own lists
 * (robust, priority inheritance) see at the same address.
 */
#include <errno.h>
#include <linux/futex.h>

#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/timeouts.h"
#include "linux-user/uaccess.h"

/*
 * FUTEX_WAIT with the time-out, as begun_syscall answers. Interrupted it goes on with what is then left, unless a
 * handler runs.
 */
int64_t futex_wait_for(struct task *t, const uint64_t a[6], const struct timespec *time)
{
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    int64_t ret = begun_syscall(t, SYS_futex, a[0], a[1], a[2], (uintptr_t)time, a[4], a[5]);
    if (ret != -EINTR && ret != -SYS_RESTART)
        return ret;
    restart_later(t, CALL_futex, a, CLOCK_MONOTONIC, &begin, time);
    return -SYS_RESTART_BLOCK;
}

int64_t sys_futex(struct task *t, const uint64_t a[6])
{
    struct timespec time;
    switch (a[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
        bool relative = (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && a[3];
        if (relative && !copy_from_guest(t, &time, a[3], sizeof time))
            return futex_wait_for(t, a, &time);
        int64_t ret = begun_syscall(t, SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
        return ret == -EINTR ? -SYS_RESTART : ret; /* an absolute time-out or none: again */
    }
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI: {
        int64_t ret = begun_syscall(t, SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
        return ret == -EINTR || ret == -SYS_RESTART ? -SYS_RESTART_ALWAYS : ret;
    }
    default: /* the others don't wait */
        return host_call(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}
