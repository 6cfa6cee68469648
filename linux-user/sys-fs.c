/*
 * Files by path that need more than their description: the sysroot, the parts of /proc that tell about the program
 * itself, and commands with an argument of many kinds (fcntl, ioctl).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/abi.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/procfs.h"
#include "linux-user/sysroot.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

/* Reads a path of the guest; false when the kernel shall refuse the pointer or the length. */
static bool read_path(struct task *t, uint64_t addr, char buf[PATH_MAX])
{
    return addr && strncpy_from_guest(t, buf, addr, PATH_MAX) >= 0;
}

uint64_t host_path(struct task *t, uint64_t addr, char buf[PATH_MAX])
{
    char path[PATH_MAX];
    if (!read_path(t, addr, path) || path[0] != '/')
        return addr;
    if (procfs_file(path) == PROC_EXE) {
        memcpy(buf, t->process->exe_path, strlen(t->process->exe_path) + 1);
        return (uintptr_t)buf;
    }
    return sysroot_lookup(t->process, path, buf) ? (uintptr_t)buf : addr;
}

/* -- open */

static int64_t open_host(struct task *t, int dirfd, uint64_t path, const struct open_how *how, bool how_given)
{
    if (how_given)
        return safe_syscall(t, SYS_openat2, dirfd, path, (uintptr_t)how, sizeof *how, 0, 0);
    return safe_syscall(t, SYS_openat, dirfd, path, how->flags, how->mode, 0, 0);
}

/*
 * /proc can be reached by other names than its own (a directory descriptor, a symbolic link): when the last component
 * could be one of the substituted files, what was opened decides.
 */
static enum proc_file opened_proc_file(const char *path, int fd)
{
    char link[40], target[PATH_MAX];
    if (!procfs_interesting(path))
        return PROC_OTHER;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int64_t n = host_call(SYS_readlink, link, target, sizeof target - 1);
    if (n <= 0)
        return PROC_OTHER;
    target[n] = 0;
    return procfs_file(target);
}

static int64_t open_any(struct task *t, int dirfd, uint64_t addr, const struct open_how *how, bool how_given)
{
    char path[PATH_MAX], found[PATH_MAX];
    bool readable = read_path(t, addr, path);
    enum proc_file file = readable && !(how->flags & O_PATH) ? procfs_file(path) : PROC_OTHER;
    if (file > PROC_EXE)
        return procfs_open(t, file, (int)how->flags);
    int64_t fd = open_host(t, dirfd, host_path(t, addr, found), how, how_given);
    if (fd < 0 || !readable || how->flags & O_PATH)
        return fd;
    file = opened_proc_file(path, (int)fd);
    if (file > PROC_EXE) {
        host_call(SYS_close, fd);
        fd = procfs_open(t, file, (int)how->flags);
    }
    return fd;
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

int64_t sys_readlinkat(struct task *t, const uint64_t a[6])
{
    char path[PATH_MAX], found[PATH_MAX];
    if (read_path(t, a[1], path) && procfs_file(path) == PROC_EXE) {
        size_t n = strlen(t->process->exe_path);
        if ((int)a[3] <= 0)
            return -EINVAL;
        n = n < a[3] ? n : a[3];
        return copy_to_guest(t, a[2], t->process->exe_path, n) ? -EFAULT : (int64_t)n;
    }
    return host_call(SYS_readlinkat, a[0], host_path(t, a[1], found), a[2], a[3]);
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
        return safe_syscall(t, SYS_fcntl, a[0], a[1], a[2], 0, 0, 0);
    }
}

/* -- ioctl */

/* struct serial and friends aside, what passes is listed: a driver's private command may hold anything. */
static bool ioctl_passes(uint32_t command)
{
    if (ioctl_by_command(command))
        return true;
    for (const uint8_t *f = syscall_ioctl_families; *f; f++)
        if ((command >> 8 & 0xff) == *f)
            return true;
    return false;
}

int64_t sys_ioctl(struct task *t, const uint64_t a[6])
{
    uint32_t command = (uint32_t)a[1];
    const struct ioctl_desc *d = ioctl_by_command(command);
    uint64_t arg = a[2];
    if (!ioctl_passes(command)) {
        int64_t ret = host_call(SYS_fcntl, a[0], F_GETFD);
        if (ret < 0)
            return ret;
        report_unimp("ioctl %#x is not known", command);
        return -ENOTTY;
    }
    if (d && d->arg.kind == KIND_flags)
        arg = flags_to_host(t->abi->syscalls, d->arg.ref, arg);
    return safe_syscall(t, SYS_ioctl, a[0], command, arg, 0, 0, 0);
}
