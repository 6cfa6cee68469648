/* rt_sigaction on x86-64: the kernel has no sigreturn of its own to put into frames (sa_restorer). */
#define _GNU_SOURCE
#include "host/calls.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SA_RESTORER_FLAG = 0x04000000 };
void host_sigreturn(void) __attribute__((visibility("hidden"))); /* calls.S */

int64_t host_sigaction(int signo, const struct host_sigaction *new, struct host_sigaction *old)
{
    struct {
        uint64_t handler, flags, restorer, mask;
    } in, out;
    int saved = errno;
    if (new) {
        in.handler = new->handler;
        in.flags = new->flags | SA_RESTORER_FLAG;
        in.restorer = (uintptr_t)host_sigreturn;
        in.mask = new->mask;
    }
    long ret = syscall(SYS_rt_sigaction, signo, new ? &in : NULL, old ? &out : NULL, sizeof in.mask);
    if (!ret && old)
        *old = (struct host_sigaction){.handler = out.handler, .flags = out.flags & ~(uint64_t)SA_RESTORER_FLAG, .mask = out.mask};
    int64_t result = ret ? -errno : 0;
    errno = saved;
    return result;
}
