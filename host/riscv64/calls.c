/* rt_sigaction on riscv64, which never had a sa_restorer. */
#define _GNU_SOURCE
#include "host/generic-sigaction.h"

int64_t host_sigaction(int signo, const struct host_sigaction *new, struct host_sigaction *old)
{
    return generic_sigaction(3, signo, new, old);
}
