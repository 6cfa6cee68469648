/*
 * epoll: x86-64 packs struct epoll_event, the generic ABI does not, so events are copied. Signal masks go to the
 * kernel: the host's mask of a guest thread is the guest's.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/bits.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

int64_t sys_epoll_ctl(struct task *t, const uint64_t a[6])
{
    struct guest_epoll_event guest;
    struct epoll_event host;
    if ((int)a[1] == EPOLL_CTL_DEL)
        return host_call(SYS_epoll_ctl, a[0], a[1], a[2], 0);
    if (copy_from_guest(t, &guest, a[3], sizeof guest))
        return -EFAULT;
    struct_to_host(STRUCT_epoll_event, &host, &guest);
    return host_call(SYS_epoll_ctl, a[0], a[1], a[2], &host);
}

enum { FEW_EVENTS = 64, MAX_EVENTS = INT32_MAX / sizeof(struct guest_epoll_event) };

static int64_t wait_events(struct task *t, long nr, const uint64_t a[6])
{
    struct epoll_event few[FEW_EVENTS], *host = few;
    int max = (int)a[2];
    if (max <= 0 || max > (int)MAX_EVENTS)
        return -EINVAL;
    if (max > FEW_EVENTS) {
        /* Asking for more than the kernel has ready is common; what does not fit now comes with the next call. */
        max = max < 4096 ? max : 4096;
        host = malloc((size_t)max * sizeof *host);
        if (!host)
            return -ENOMEM;
    }
    int64_t n = safe_syscall(t, nr, a[0], (uintptr_t)host, (uint64_t)max, a[3], a[4], a[5]);
    for (int64_t i = 0; i < n; i++) {
        struct guest_epoll_event guest;
        struct_to_guest(STRUCT_epoll_event, &guest, &host[i]);
        if (copy_to_guest(t, a[1] + (uint64_t)i * sizeof guest, &guest, sizeof guest)) {
            n = i ? i : -EFAULT;
            break;
        }
    }
    if (host != few)
        free(host);
    return n;
}

int64_t sys_epoll_pwait(struct task *t, const uint64_t a[6])
{
    return wait_events(t, SYS_epoll_pwait, a);
}

int64_t sys_epoll_pwait2(struct task *t, const uint64_t a[6])
{
    return wait_events(t, SYS_epoll_pwait2, a);
}
