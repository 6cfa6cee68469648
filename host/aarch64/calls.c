/* rt_sigaction on arm64. */
#define _GNU_SOURCE
#include "host/generic-sigaction.h"

int64_t host_sigaction(int signo, const struct host_sigaction *new, struct host_sigaction *old)
{
    return generic_sigaction(4, signo, new, old);
}
