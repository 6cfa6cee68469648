/* clone3, and clone for kernels (and emulators) that have no clone3: see host-clone.h. */
#include "linux-user/host-clone.h"

#include <errno.h>
#include <sched.h>

#include "host/calls.h"

int64_t host_clone_call(const struct host_clone *args, int (*fn)(void *), void *arg)
{
    int64_t result = host_clone3(args, sizeof *args, fn, arg);
    if (result != -ENOSYS || args->flags >> 32 || args->set_tid_size)
        return result;
    pid_t pid = clone(fn, (void *)(uintptr_t)(args->stack + args->stack_size), (int)(args->flags | args->exit_signal),
                      arg, (void *)(uintptr_t)args->parent_tid);
    return pid < 0 ? -errno : pid;
}
