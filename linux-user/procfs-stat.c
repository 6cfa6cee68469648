/*
 * What stat(2), statx(2) and statfs(2) tell of files of /proc that are shown in a guest's view: of a view's descriptor
 * what the kernel tells of the file, and of a folder task/ as many links as the guest has threads. Programs that must
 * have one thread alone count them so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/dispatch.h"
#include "linux-user/guest-process.h"
#include "linux-user/host.h"
#include "linux-user/procfs-internal.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

/* Which file is asked about. */
struct asked {
    int dirfd;
    uint64_t path;  /* as the host has it; 0: the descriptor itself */
    uint64_t flags; /* AT_… */
};

/* What is to be told of it instead. */
struct told {
    unsigned links;          /* of a folder task/; 0: it is none */
    char name[PATH_MAX + 8]; /* of the file that a view shows */
};

enum { OWN_LINKS = 2 }; /* of any folder: its name and "." */

/* Of what stat says, and so cheap: false: the file is none of these. A view has no name, and so no link. */
static bool perhaps_ours(unsigned mode, uint64_t links, uint64_t size)
{
    return (S_ISDIR(mode) && links > OWN_LINKS && !size) || (S_ISREG(mode) && !links);
}

static bool tell(struct task *t, int fd, struct told *is)
{
    char path[PATH_MAX];
    const char *name = path;
    struct guest_record record;
    struct view v = {.t = t};
    is->links = 0;
    if (procfs_view_of(fd, path)) {
        snprintf(is->name, sizeof is->name, "/proc/%s", path);
        return true;
    }
    if (!procfs_name(fd, path) || !procfs_take_process(&name, &v.pid, &v.tid) || strcmp(name, "task") ||
        !view_process(&v, &record) || !view_threads(&v, &is->links))
        return false;
    is->links += OWN_LINKS;
    return true;
}

static bool told_otherwise(struct task *t, const struct asked *q, struct told *is)
{
    if (!q->path)
        return tell(t, q->dirfd, is);
    uint64_t nofollow = q->flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
    int64_t fd = host_call(SYS_openat, q->dirfd, q->path, O_PATH | O_CLOEXEC | nofollow);
    bool found = fd >= 0 && tell(t, (int)fd, is);
    if (fd >= 0)
        close((int)fd);
    return found;
}

/* The path argument at guest address `at`, which buf may become. */
static struct asked asked_by(struct task *t, uint64_t dirfd, uint64_t at, uint64_t flags, char buf[PATH_MAX])
{
    char first;
    struct asked q = {.dirfd = (int)dirfd, .flags = flags};
    bool itself = flags & AT_EMPTY_PATH && (!at || (!copy_from_guest(t, &first, at, 1) && !first));
    if (!itself)
        q.path = host_path(t, q.dirfd, at, flags & AT_SYMLINK_NOFOLLOW ? LAST_ITSELF : LAST_FOLLOWED, buf);
    return q;
}

/* To the guest's struct at `to`, if there is an answer. */
static int64_t give(struct task *t, int64_t ret, struct stat *st, const struct asked *q, uint64_t to)
{
    char guest[2 * sizeof *st];
    struct told is;
    struct stat shown;
    CHECK(syscall_structs[STRUCT_stat].size <= sizeof guest && syscall_structs[STRUCT_stat].host_size == sizeof *st);
    if (ret < 0)
        return ret;
    if (UNLIKELY(perhaps_ours(st->st_mode, st->st_nlink, (uint64_t)st->st_size)) && told_otherwise(t, q, &is)) {
        if (is.links)
            st->st_nlink = is.links;
        else if (!stat(is.name, &shown)) /* else the process is no more */
            *st = shown;
    }
    struct_to_guest(STRUCT_stat, guest, st);
    return copy_to_guest(t, to, guest, syscall_structs[STRUCT_stat].size) ? -EFAULT : 0;
}

int64_t sys_fstat(struct task *t, const uint64_t a[6])
{
    struct stat st;
    struct asked q = {.dirfd = (int)a[0]};
    return give(t, host_call(SYS_fstat, a[0], &st), &st, &q, a[1]);
}

int64_t sys_newfstatat(struct task *t, const uint64_t a[6])
{
    char buf[PATH_MAX];
    struct stat st;
    const uint64_t flags = flags_to_host(t->abi->syscalls, SET_at, a[3]);
    struct asked q = asked_by(t, a[0], a[1], flags, buf);
    return give(t, host_call(SYS_newfstatat, a[0], q.path ? q.path : a[1], &st, flags), &st, &q, a[2]);
}

int64_t sys_statx(struct task *t, const uint64_t a[6])
{
    char buf[PATH_MAX];
    struct statx x;
    struct told is;
    int64_t ret = dispatch_described(t, &syscall_calls[CALL_statx], a);
    if (ret < 0 || copy_from_guest(t, &x, a[4], sizeof x) || LIKELY(!perhaps_ours(x.stx_mode, x.stx_nlink, x.stx_size)))
        return ret;
    struct asked q = asked_by(t, a[0], a[1], flags_to_host(t->abi->syscalls, SET_at_statx, a[2]), buf);
    if (!told_otherwise(t, &q, &is))
        return ret;
    if (!is.links)
        host_call(SYS_statx, AT_FDCWD, is.name, q.flags & ~(uint64_t)AT_EMPTY_PATH, a[3], &x);
    else
        x.stx_nlink = is.links;
    return copy_to_guest(t, a[4], &x, sizeof x) ? -EFAULT : 0;
}

int64_t sys_fstatfs(struct task *t, const uint64_t a[6])
{
    struct told is;
    int file = tell(t, (int)a[0], &is) && !is.links ? open(is.name, O_PATH | O_CLOEXEC) : -1;
    const uint64_t args[6] = {file >= 0 ? (uint64_t)file : a[0], a[1]};
    int64_t ret = dispatch_described(t, &syscall_calls[CALL_fstatfs], args);
    if (file >= 0)
        close(file);
    return ret;
}
