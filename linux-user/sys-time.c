/*
 * Clocks and sleeping. Clock reads go through the host's vDSO (the C library's clock_gettime), so that they cost no
 * host system call; the layouts are the same on both sides.
 */
#include <errno.h>
#include <sys/time.h>
#include <time.h>

#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
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

enum { RELATIVE = 0 };

/*
 * A sleep that a signal ends has to tell what is left, also when the signal came before the host's call began (then
 * everything is left). The host writes the rest itself when it is interrupted inside.
 */
static int64_t sleep_result(struct task *t, int64_t ret, uint64_t request, uint64_t rest)
{
    struct timespec ts;
    if (ret == -SYS_RESTART && rest && !copy_from_guest(t, &ts, request, sizeof ts) &&
        copy_to_guest(t, rest, &ts, sizeof ts))
        return -EFAULT;
    return ret;
}

int64_t sys_nanosleep(struct task *t, const uint64_t a[6])
{
    return sleep_result(t, safe_syscall(t, SYS_nanosleep, a[0], a[1], 0, 0, 0, 0), a[0], a[1]);
}

int64_t sys_clock_nanosleep(struct task *t, const uint64_t a[6])
{
    int64_t ret = safe_syscall(t, SYS_clock_nanosleep, a[0], a[1], a[2], a[3], 0, 0);
    if ((int32_t)a[1] == RELATIVE)
        return sleep_result(t, ret, a[2], a[3]);
    return ret == -EINTR || ret == -SYS_RESTART ? -SYS_RESTART_NOHAND : ret;
}
