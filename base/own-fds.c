/* The emulator's own descriptors: see own-fds.h. */
#include "base/own-fds.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HIDDEN = 16 }; /* so many numbers below the usual limit are the first that are taken */

/* A bit for each number; the same for all threads, as descriptors are. */
static atomic_uint_least64_t own[OWN_FDS_END / 64];

static bool is_known(int fd)
{
    return fd >= 0 && fd < OWN_FDS_END;
}

void fd_own(int fd)
{
    if (is_known(fd))
        atomic_fetch_or(&own[fd / 64], UINT64_C(1) << (fd % 64));
}

bool fd_is_own(int fd)
{
    return is_known(fd) && atomic_load(&own[fd / 64]) >> (fd % 64) & 1;
}

int fd_hide(int fd)
{
    struct rlimit limit = {.rlim_cur = OWN_FDS_END};
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t end = limit.rlim_cur < OWN_FDS_END ? limit.rlim_cur : OWN_FDS_END;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, end > 2 * HIDDEN ? (int)(end - HIDDEN) : STDERR_FILENO + 1);
    if (high >= 0)
        fd_close_own(fd);
    else
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    fd_own(high >= 0 ? high : fd);
    return high >= 0 ? high : fd;
}

void fd_disown(int fd)
{
    if (is_known(fd))
        atomic_fetch_and(&own[fd / 64], ~(UINT64_C(1) << (fd % 64)));
}

void fd_close_own(int fd)
{
    fd_disown(fd);
    if (fd >= 0)
        close(fd);
}
