/*
 * Futexes go to the kernel as they are: the words lie in memory that other processes and the kernel's own lists
 * (robust, priority inheritance) see at the same address.
 */
#include <errno.h>
#include <linux/futex.h>

#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"

int64_t sys_futex(struct task *t, const uint64_t a[6])
{
    switch (a[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
        int64_t ret = begun_syscall(t, SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
        /* An absolute or no time-out: start again; a relative one would start anew: EINTR when a handler ran. */
        bool relative = (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && a[3];
        return ret == -EINTR || ret == -SYS_RESTART ? relative ? -SYS_RESTART_BLOCK : -SYS_RESTART : ret;
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
