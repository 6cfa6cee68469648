/* Keeps guests from metic's own descriptors: see fd-guard.h. */
#include "linux-user/fd-guard.h"

#include <errno.h>
#include <linux/close_range.h>
#include <sys/syscall.h>

#include "base/own-fds.h"
#include "linux-user/host.h"
#include "syscall-tables/calls.h"

/* The pieces between them. */
static int64_t close_around(uint32_t first, uint32_t last, uint64_t flags)
{
    int64_t result = 0;
    uint32_t from = first;
    for (uint32_t fd = first; fd <= last && fd < OWN_FDS_END && !result; fd++)
        if (fd_is_own((int)fd)) {
            result = from < fd ? host_call(SYS_close_range, from, fd - 1, flags, 0, 0, 0) : 0;
            from = fd + 1;
        }
    return result || from > last ? result : host_call(SYS_close_range, from, last, flags, 0, 0, 0);
}

bool guard_own_fds(int call, const uint64_t a[6], int64_t *result)
{
    switch (call) {
    case CALL_close: *result = -EBADF; return fd_is_own((int)a[0]);
    case CALL_dup3: *result = -EBUSY; return fd_is_own((int)a[1]);
    case CALL_close_range:
        if (a[2] & ~(uint64_t)CLOSE_RANGE_UNSHARE || (uint32_t)a[0] > (uint32_t)a[1])
            return false;
        *result = close_around((uint32_t)a[0], (uint32_t)a[1], a[2]);
        return true;
    default: return false;
    }
}
