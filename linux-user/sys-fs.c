/*
 * Files by path that need more than their description: the sysroot, the parts of /proc that tell about the program
 * itself, and fcntl.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/abi.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/procfs.h"
#include "linux-user/self-file.h"
#include "linux-user/sysroot.h"
#include "linux-user/task.h"
#include "linux-user/text-busy.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

/* Reads a path of the guest; false when the kernel shall refuse the pointer or the length. */
static bool read_path(struct task *t, uint64_t addr, char buf[PATH_MAX])
{
    return addr && strncpy_from_guest(t, buf, addr, PATH_MAX) >= 0;
}

uint64_t host_path(struct task *t, int dirfd, uint64_t addr, enum last_link last, char buf[PATH_MAX])
{
    char path[PATH_MAX], absolute[PATH_MAX];
    const struct process *p = t->process;
    if (!read_path(t, addr, path) || !path[0])
        return addr;
    if (last == LAST_FOLLOWED && procfs_exe(t, dirfd, path, buf))
        return (uintptr_t)buf;
    const char *from_root = path[0] == '/' ? path : sysroot_absolute(p, dirfd, path, absolute) ? absolute : NULL;
    return from_root && sysroot_lookup(p, from_root, last, buf) ? (uintptr_t)buf : addr;
}

/* -- open */

static int64_t open_host(struct task *t, int dirfd, uint64_t path, const struct open_how *how, bool how_given)
{
    if (how_given)
        return begun_syscall(t, SYS_openat2, dirfd, path, (uintptr_t)how, sizeof *how, 0, 0);
    return begun_syscall(t, SYS_openat, dirfd, path, how->flags, how->mode, 0, 0);
}

static enum last_link last_of_open(uint64_t flags)
{
    return flags & O_NOFOLLOW || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ? LAST_ITSELF : LAST_FOLLOWED;
}

static int64_t close_after(int64_t fd, int64_t ret)
{
    close((int)fd);
    return ret;
}

/*
 * A program that runs is not opened for writing. One that may run is not emptied in front of asking whether it does,
 * and not opened twice for that, which others could watch. name: the path; NULL: there is nothing to ask.
 */
static int64_t open_unless_busy(struct task *t, int dirfd, uint64_t path, const char *name, const struct open_how *how,
                                bool how_given)
{
    struct open_how gently = *how;
    bool writes = (how->flags & O_ACCMODE) != O_RDONLY, follow = last_of_open(how->flags) == LAST_FOLLOWED;
    bool empties = name && how->flags & O_TRUNC && text_may_run(dirfd, name, follow);
    if (empties)
        gently.flags &= ~(uint64_t)O_TRUNC;
    int64_t fd = open_host(t, dirfd, path, &gently, how_given);
    if (fd < 0 || !name || !(how->flags & O_TRUNC ? empties : writes))
        return fd;
    if (text_is_busy((int)fd))
        return close_after(fd, -ETXTBSY);
    if (!empties)
        return fd;
    if (!writes)
        return close_after(fd, open_host(t, dirfd, path, how, how_given));
    return ftruncate((int)fd, 0) ? close_after(fd, -errno) : fd;
}

static int64_t open_any(struct task *t, int dirfd, uint64_t addr, const struct open_how *how, bool how_given)
{
    char path[PATH_MAX], found[PATH_MAX];
    bool look = !(how->flags & O_PATH) && read_path(t, addr, path), named = look && procfs_interesting(path);
    uint64_t host = addr;
    if (!how->resolve) /* a path that is not to leave its folder stays as it is */
        host = host_path(t, dirfd, addr, last_of_open(how->flags), found);
    const char *name = !look ? NULL : host != addr ? found : path;
    int64_t fd = open_unless_busy(t, dirfd, host, name, how, how_given);
    if (fd >= 0)
        mm_note_opened(t->process->mm, (int)fd);
    return fd >= 0 && look && (named || procfs_is((int)fd)) /* a link elsewhere may lead there */
               ? procfs_opened(t, (int)fd, dirfd, name, how->flags & O_CLOEXEC)
               : fd;
}

int64_t sys_openat(struct task *t, const uint64_t a[6])
{
    struct open_how how = {.flags = flags_to_host(t->abi->syscalls, SET_open, (uint32_t)a[2]),
                           .mode = (uint32_t)a[3]};
    return open_any(t, (int)a[0], a[1], &how, false);
}

int64_t sys_openat2(struct task *t, const uint64_t a[6])
{
    struct open_how how;
    if (a[3] < sizeof how)
        return -EINVAL;
    if (a[3] > 4096)
        return -E2BIG;
    for (uint64_t i = sizeof how; i < a[3]; i++) { /* a longer, newer struct is fine when what we don't know is zero */
        char byte;
        if (copy_from_guest(t, &byte, a[2] + i, 1))
            return -EFAULT;
        if (byte)
            return -E2BIG;
    }
    if (copy_from_guest(t, &how, a[2], sizeof how))
        return -EFAULT;
    how.flags = flags_to_host(t->abi->syscalls, SET_open, how.flags);
    return open_any(t, (int)a[0], a[1], &how, true);
}

/* What else the kernel has against it comes first. */
int64_t sys_truncate(struct task *t, const uint64_t a[6])
{
    char path[PATH_MAX];
    bool looks = (int64_t)a[1] >= 0 && read_path(t, a[0], path) && text_may_run(AT_FDCWD, path, true) &&
                 !faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
    int fd = looks ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool busy = fd >= 0 && text_is_busy(fd);
    if (fd >= 0)
        close(fd);
    return busy ? -ETXTBSY : host_call(SYS_truncate, a[0], a[1]);
}

int64_t sys_readlinkat(struct task *t, const uint64_t a[6])
{
    char path[PATH_MAX], found[PATH_MAX];
    if (read_path(t, a[1], path) &&
        (path[0] ? procfs_exe(t, (int)a[0], path, found) : procfs_exe_opened(t, (int)a[0], found))) {
        if ((int)a[3] <= 0)
            return -EINVAL;
        procfs_exe_name(found);
        size_t n = strlen(found);
        n = n < a[3] ? n : a[3];
        return copy_to_guest(t, a[2], found, n) ? -EFAULT : (int64_t)n;
    }
    int64_t n = host_call(SYS_readlinkat, a[0], host_path(t, (int)a[0], a[1], LAST_ITSELF, found), a[2], a[3]);
    if (n <= 0 || n >= PATH_MAX || copy_from_guest(t, found, a[2], (uint64_t)n))
        return n;
    int64_t told = procfs_view_link(found, n);
    return told == n || !copy_to_guest(t, a[2], found, (uint64_t)told) ? told : -EFAULT;
}

/* A folder that is only in the sysroot can be gone to; one that is on the host, too, is the user's. */
int64_t sys_chdir(struct task *t, const uint64_t a[6])
{
    char found[PATH_MAX];
    int64_t ret = host_call(SYS_chdir, a[0]);
    uint64_t host = ret == -ENOENT ? host_path(t, AT_FDCWD, a[0], LAST_FOLLOWED, found) : a[0];
    return host == a[0] ? ret : host_call(SYS_chdir, host);
}

/* -- the root: what may leave the process where no path leads to metic's file */

int64_t sys_chroot(struct task *t, const uint64_t a[6])
{
    self_keep(t->process);
    return host_call(SYS_chroot, a[0]);
}

int64_t sys_pivot_root(struct task *t, const uint64_t a[6])
{
    self_keep(t->process);
    return host_call(SYS_pivot_root, a[0], a[1]);
}

int64_t sys_mount(struct task *t, const uint64_t a[6])
{
    self_keep(t->process);
    return host_call(SYS_mount, a[0], a[1], a[2], a[3], a[4]);
}

int64_t sys_umount2(struct task *t, const uint64_t a[6])
{
    self_keep(t->process);
    return host_call(SYS_umount2, a[0], a[1]);
}

/* -- fcntl */

int64_t sys_fcntl(struct task *t, const uint64_t a[6])
{
    const struct syscall_abi *abi = t->abi->syscalls;
    switch ((int)a[1]) {
    case F_GETFL: {
        int64_t ret = host_call(SYS_fcntl, a[0], F_GETFL);
        return ret < 0 ? ret : (int64_t)flags_to_guest(abi, SET_open, (uint64_t)ret);
    }
    case F_SETFL:
        return host_call(SYS_fcntl, a[0], F_SETFL, flags_to_host(abi, SET_open, a[2]));
    default:
        /* Commands, struct flock and struct f_owner_ex are the same; F_SETLKW and F_OFD_SETLKW wait. */
        return begun_syscall(t, SYS_fcntl, a[0], a[1], a[2], 0, 0, 0);
    }
}
