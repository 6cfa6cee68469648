/* Syscall user dispatch: see user-dispatch.h. */
#include "linux-user/user-dispatch.h"

#include <errno.h>
#include <linux/prctl.h>

#include "exec/target.h"
#include "linux-user/guest-process.h"
#include "linux-user/seccomp.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

enum { ALLOWED = 0, BLOCKED = 1 }; /* the selector's: SYSCALL_DISPATCH_FILTER_… */
enum { SYS_USER_DISPATCHED = 2 };  /* si_code */

/* struct ptrace_sud_config of <linux/ptrace.h>. */
struct config {
    uint64_t mode, selector, offset, len;
};

bool user_dispatch_takes(struct task *t, uint64_t number)
{
    const struct task_user_dispatch *d = &t->dispatch;
    uint8_t state = BLOCKED;
    if (!d->on || t->cpu->pc - d->offset < d->len)
        return false;
    if (d->selector && get_user(t, state, d->selector))
        signal_die(t, &(siginfo_t){.si_signo = SIGSEGV, .si_code = SI_KERNEL});
    if (state == ALLOWED)
        return false;
    siginfo_t info = {.si_signo = SIGSYS, .si_code = SYS_USER_DISPATCHED};
    if (state != BLOCKED)
        signal_die(t, &info);
    info.si_call_addr = (void *)(uintptr_t)t->cpu->pc;
    info.si_syscall = (int)number;
    info.si_arch = audit_arch(t->abi->target);
    signal_force_info(t, &info);
    return true;
}

void user_dispatch_watch(struct task *t)
{
    if (t->dispatch.on)
        __atomic_fetch_or(&t->watch, WATCH_DISPATCH, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&t->watch, ~WATCH_DISPATCH, __ATOMIC_SEQ_CST);
}

/* 0 or -errno. */
static int64_t check(const struct task *t, const struct config *c)
{
    if (!t->abi->user_dispatch)
        return -EINVAL;
    if (c->mode == PR_SYS_DISPATCH_OFF)
        return c->selector || c->offset || c->len ? -EINVAL : 0;
    if (c->mode != PR_SYS_DISPATCH_ON || (c->offset && c->offset + c->len <= c->offset))
        return -EINVAL;
    return c->selector >> t->abi->target->address_bits ? -EFAULT : 0;
}

static struct task_user_dispatch state_of(const struct config *c)
{
    return (struct task_user_dispatch){c->mode == PR_SYS_DISPATCH_ON, c->selector, c->offset, c->len};
}

int64_t user_dispatch_prctl(struct task *t, const uint64_t a[6])
{
    const struct config c = {.mode = a[1], .offset = a[2], .len = a[3], .selector = a[4]};
    int64_t ret = check(t, &c);
    if (!ret) {
        t->dispatch = state_of(&c);
        user_dispatch_watch(t);
    }
    return ret;
}

int64_t user_dispatch_ptrace(struct task *t, pid_t pid, uint64_t at, bool set, uint64_t size, uint64_t data)
{
    struct task_user_dispatch d;
    struct config c;
    if (!t->abi->user_dispatch || size != sizeof c)
        return -EINVAL;
    if (!at || !remote_read(pid, &d, at, sizeof d))
        return -EIO;
    if (!set) {
        c = (struct config){d.on ? PR_SYS_DISPATCH_ON : PR_SYS_DISPATCH_OFF, d.selector, d.offset, d.len};
        return put_user(t, c, data);
    }
    if (get_user(t, c, data))
        return -EFAULT;
    int64_t ret = check(t, &c);
    d = state_of(&c);
    return ret ? ret : remote_write(pid, at, &d, sizeof d) ? 0 : -EIO;
}
