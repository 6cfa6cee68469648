/*
 * What a FUSE server reads from its device: requests (linux/fuse.h) that carry a file's open flags in the host kernel's
 * bits. They are the guest's where its architecture has others, as everywhere else.
 */
#include <linux/fuse.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/bits.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/signal.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

enum { DEVICE_MAJOR = 10, DEVICE_MINOR = 229 };

/* Where the word is in a request; 0: it has none. */
static size_t place_of_flags(uint32_t opcode)
{
    size_t at;
    switch (opcode) {
    case FUSE_OPEN:
    case FUSE_OPENDIR:
    case FUSE_CREATE:
    case FUSE_TMPFILE: at = offsetof(struct fuse_open_in, flags); break;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR: at = offsetof(struct fuse_release_in, flags); break;
    case FUSE_READ:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS: at = offsetof(struct fuse_read_in, flags); break;
    case FUSE_WRITE: at = offsetof(struct fuse_write_in, flags); break;
    default: return 0;
    }
    return sizeof(struct fuse_in_header) + at;
}

static bool is_device(int fd)
{
    struct stat st;
    return !fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(DEVICE_MAJOR, DEVICE_MINOR);
}

static bool is_pipe(int fd)
{
    struct stat st;
    return !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

/* n bytes have come to `at`: what looks like a request and is one. */
static void request_came(struct task *t, int fd, uint64_t at, int64_t n)
{
    const bool piped = t->process->fuse_piped;
    struct fuse_in_header in;
    uint32_t flags;
    if (copy_from_guest(t, &in, at, sizeof in) || in.len < (uint64_t)n || (in.len > (uint64_t)n && !piped))
        return;
    const size_t place = place_of_flags(in.opcode);
    if (!place || place + sizeof flags > (size_t)n || !(is_device(fd) || (piped && is_pipe(fd))) ||
        get_user(t, flags, at + place))
        return;
    flags = (uint32_t)flags_to_guest(t->abi->syscalls, SET_open, flags);
    if (put_user(t, flags, at + place))
        return;
}

int64_t sys_read(struct task *t, const uint64_t a[6])
{
    int64_t n = begun_syscall(t, SYS_read, a[0], a[1], a[2], 0, 0, 0);
    if (n > (int64_t)sizeof(struct fuse_in_header) && t->abi->syscalls->sets[SET_open].npairs)
        request_came(t, (int)a[0], a[1], n);
    return n;
}

/* libfuse moves requests into a pipe, and reads that. */
int64_t sys_splice(struct task *t, const uint64_t a[6])
{
    int64_t n = begun_syscall(t, SYS_splice, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (n > 0 && t->abi->syscalls->sets[SET_open].npairs && !t->process->fuse_piped)
        t->process->fuse_piped = is_device((int)a[0]);
    return n;
}
