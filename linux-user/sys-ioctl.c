/*
 * ioctl by description: syscall-tables/ioctls*.tbl says what the argument of each command is. What is not described
 * there is not passed on: a driver's private command may hold anything.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/procfs.h"
#include "linux-user/seccomp.h"
#include "linux-user/task.h"
#include "linux-user/xlat.h"

/* A program that asks over and over is told of once. */
static bool first_time(struct process *p, uint32_t command)
{
    bool first = true;
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < ARRAY_SIZE(p->unknown_ioctls); i++)
        first = first && p->unknown_ioctls[i] != command;
    if (first)
        p->unknown_ioctls[p->nunknown_ioctls++ % ARRAY_SIZE(p->unknown_ioctls)] = command;
    pthread_mutex_unlock(&p->lock);
    return first;
}

static int64_t refuse(struct task *t, int fd, uint32_t command)
{
    const struct ioctl_refusal *r = ioctl_refusal(command);
    int64_t ret = host_call(SYS_fcntl, fd, F_GETFD);
    if (ret < 0)
        return ret;
    if (log_on(LOG_UNIMP) && first_time(t->process, command))
        report_unimp("ioctl %#x: %s", command, r ? r->why : "not described");
    return r ? -(int64_t)r->error : -ENOTTY;
}

int64_t sys_ioctl(struct task *t, const uint64_t a[6])
{
    uint32_t command = (uint32_t)a[1];
    const struct ioctl_desc *d = ioctl_by_command(command);
    int64_t answer;
    if (seccomp_ioctl(t, (int)a[0], command, a[2], &answer))
        return answer;
    if (!d)
        return refuse(t, (int)a[0], command);
    if (command == (uint32_t)PROCMAP_QUERY_COMMAND)
        return procfs_query(t, (int)a[0], a[2]);
    struct call_desc call = syscall_calls[CALL_ioctl];
    call.arg[2] = d->arg;
    return dispatch_described(t, &call, (uint64_t[6]){a[0], command, a[2]});
}
