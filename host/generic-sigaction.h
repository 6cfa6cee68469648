/*
 * rt_sigaction where the kernel returns from handlers by its vDSO: nwords is 4 if struct sigaction has a sa_restorer,
 * else 3.
 */
#ifndef HOST_GENERIC_SIGACTION_H
#define HOST_GENERIC_SIGACTION_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/calls.h"

static inline int64_t generic_sigaction(unsigned nwords, int signo, const struct host_sigaction *new,
                                        struct host_sigaction *old)
{
    uint64_t in[4] = {0}, out[4];
    int saved = errno;
    if (new) {
        in[0] = new->handler;
        in[1] = new->flags;
        in[nwords - 1] = new->mask;
    }
    long ret = syscall(SYS_rt_sigaction, signo, new ? in : NULL, old ? out : NULL, sizeof in[0]);
    if (!ret && old)
        *old = (struct host_sigaction){.handler = out[0], .flags = out[1], .mask = out[nwords - 1]};
    int64_t result = ret ? -errno : 0;
    errno = saved;
    return result;
}

#endif
