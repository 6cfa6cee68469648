/* Watched system calls: the order of the kernel's syscall_enter_from_user_mode(): the filters, then the call. */
#include "linux-user/watch.h"

#include <errno.h>

#include "linux-user/dispatch.h"
#include "linux-user/task.h"

int64_t watched_syscall(struct task *t, uint64_t number, uint64_t a[6])
{
    int64_t result;
    if (t->watch & WATCH_SECCOMP) {
        switch (seccomp_judge(t, number, a, &result)) {
        case VERDICT_RUN: break;
        case VERDICT_DONE: return result;
        case VERDICT_TRACE: return -ENOSYS; /* nobody traces */
        }
    }
    return dispatch_number(t, number, a);
}
