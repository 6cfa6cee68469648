/*
 * Calling the host kernel for a guest. Results are the kernel's own: a value or -errno; errno is left alone.
 * Guest pointers are handed to the kernel as they are (guest memory is at guest base 0), so the kernel checks them.
 */
#ifndef LINUX_USER_HOST_H
#define LINUX_USER_HOST_H

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux-user/sysroot.h"

struct task;

/* A call that does not block. */
#define host_call(nr, ...)                                                                        \
    __extension__({                                                                               \
        int host_errno = errno;                                                                   \
        long host_result = syscall((nr), ##__VA_ARGS__);                                          \
        host_result = host_result == -1 ? -errno : host_result;                                   \
        errno = host_errno;                                                                       \
        (int64_t)host_result;                                                                     \
    })

/*
 * The path argument, relative to dirfd, at guest address `addr` as the host should see it: the address itself, or buf
 * with the path inside the sysroot. An unreadable string is left for the kernel to refuse.
 */
uint64_t host_path(struct task *t, int dirfd, uint64_t addr, enum last_link last, char buf[PATH_MAX]);

#endif
