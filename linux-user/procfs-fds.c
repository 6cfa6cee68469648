/*
 * Descriptors of views of /proc after they are opened. A view is a memory file named after what it shows; the kernel
 * makes the content of such files when they are read from their beginning, and so it is made again then.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/procfs-internal.h"
#include "linux-user/procfs.h"
#include "linux-user/signal.h"
#include "linux-user/task.h"

/* How the host names the memory file of a view. */
static const char before[] = "/memfd:" VIEW_NAME, behind[] = " (deleted)";

void procfs_note_view(struct process *p, int fd)
{
    if (fd >= 0 && (size_t)fd < 64 * ARRAY_SIZE(p->views))
        __atomic_fetch_or(&p->views[fd / 64], (uint64_t)1 << fd % 64, __ATOMIC_RELAXED);
}

int64_t procfs_view_link(char *link, int64_t n)
{
    const int64_t prefix = (int64_t)strlen(before), suffix = (int64_t)strlen(behind),
                  scheme = (int64_t)strlen("/memfd:");
    if (n < prefix || memcmp(link, before, (size_t)prefix))
        return n;
    if (n >= prefix + suffix && !memcmp(link + n - suffix, behind, (size_t)suffix))
        n -= suffix;
    memmove(link, link + scheme, (size_t)(n - scheme));
    return n - scheme;
}

bool procfs_view_of(int fd, char path[PATH_MAX])
{
    char link[40];
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", fd);
    int64_t n = readlink(link, path, PATH_MAX - 1), shorter = n > 0 ? procfs_view_link(path, n) : n;
    if (shorter == n)
        return false;
    path[shorter] = 0;
    memmove(path, path + strlen(VIEW_NAME), strlen(path + strlen(VIEW_NAME)) + 1);
    return true;
}

/* It is about to be read from its beginning. */
static void begin_again(struct task *t, uint64_t fd)
{
    char path[PATH_MAX];
    const struct process *p = t->process;
    if (fd < 64 * ARRAY_SIZE(p->views) && UNLIKELY(p->views[fd / 64] >> fd % 64 & 1) && procfs_view_of((int)fd, path))
        procfs_rewrite(t, (int)fd, path);
}

int64_t sys_lseek(struct task *t, const uint64_t a[6])
{
    if (!a[1] && (int)a[2] == SEEK_SET)
        begin_again(t, (uint32_t)a[0]);
    return host_call(SYS_lseek, a[0], a[1], a[2]);
}

int64_t sys_pread64(struct task *t, const uint64_t a[6])
{
    if (!a[3])
        begin_again(t, (uint32_t)a[0]);
    return begun_syscall(t, SYS_pread64, a[0], a[1], a[2], a[3], 0, 0);
}
