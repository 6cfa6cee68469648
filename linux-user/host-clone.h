/* clone3(2) with all its arguments, which the C library has no function for. */
#ifndef LINUX_USER_HOST_CLONE_H
#define LINUX_USER_HOST_CLONE_H

#include <stdint.h>

/* struct clone_args of <linux/sched.h>, version 2; pointers are host addresses. */
struct host_clone {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/*
 * Makes a process that runs fn(arg) on args->stack and ends with what it returns. The child's id or -errno; -ENOSYS
 * where the host's kernel has no clone3 and args asks for more than clone(2) can do.
 */
int64_t host_clone_call(const struct host_clone *args, int (*fn)(void *), void *arg);

#endif
