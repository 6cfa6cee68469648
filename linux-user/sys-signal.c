/* The system calls about signals that the host alone can't answer; the others go straight to it (calls.tbl). */
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

enum { SIGSET_SIZE = 8 };

/* -- dispositions */

/* Flags the kernel keeps (UAPI_SA_FLAGS); others are cleared, which is how programs ask for support. */
#define KNOWN_SA_FLAGS                                                                            \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND)
#define SA_EXPOSE_TAGBITS_FLAG 0x800
#define SA_RESTORER_FLAG 0x04000000

/* The guest's struct has three words, or four with sa_restorer in front of the mask. */
static int get_action(struct task *t, struct linux_sigaction *to, uint64_t from)
{
    uint64_t word[4] = {0};
    bool restorer = t->abi->sa_restorer;
    if (copy_from_guest(t, word, from, restorer ? 32 : 24))
        return -EFAULT;
    uint64_t known = (uint32_t)KNOWN_SA_FLAGS | SA_EXPOSE_TAGBITS_FLAG | (restorer ? SA_RESTORER_FLAG : 0);
    *to = (struct linux_sigaction){word[0], word[1] & known, restorer ? word[2] : 0, word[restorer ? 3 : 2]};
    return 0;
}

static int put_action(struct task *t, uint64_t to, const struct linux_sigaction *a)
{
    uint64_t with[4] = {a->handler, a->flags, a->restorer, a->mask}, without[3] = {a->handler, a->flags, a->mask};
    return t->abi->sa_restorer ? copy_to_guest(t, to, with, sizeof with)
                               : copy_to_guest(t, to, without, sizeof without);
}

int64_t sys_rt_sigaction(struct task *t, const uint64_t a[6])
{
    struct linux_sigaction new, old;
    uint32_t signo = (uint32_t)a[0];
    if (a[3] != SIGSET_SIZE)
        return -EINVAL;
    if (a[1] && get_action(t, &new, a[1]))
        return -EFAULT;
    if (signo < 1 || signo > LINUX_NSIG || (a[1] && (signo == SIGKILL || signo == SIGSTOP)))
        return -EINVAL;
    int64_t ret = signal_set_action(t->process, (int)signo, a[1] ? &new : NULL, &old);
    if (ret)
        return ret;
    return a[2] && put_action(t, a[2], &old) ? -EFAULT : 0;
}

/* -- masks */

int64_t sys_rt_sigprocmask(struct task *t, const uint64_t a[6])
{
    uint64_t set, old = t->signals.mask, new = old;
    if (a[3] != SIGSET_SIZE)
        return -EINVAL;
    if (a[1]) {
        if (get_user(t, set, a[1]))
            return -EFAULT;
        switch ((int)a[0]) {
        case SIG_BLOCK:
            new |= set;
            break;
        case SIG_UNBLOCK:
            new &= ~set;
            break;
        case SIG_SETMASK:
            new = set;
            break;
        default:
            return -EINVAL;
        }
        if (!signal_try_mask(t, new)) {
            if (!t->shown)
                return -SYS_RESTART_ALWAYS;
            signal_set_mask(t, new); /* the handler runs at the end of the call */
        }
    }
    return a[2] && put_user(t, old, a[2]) ? -EFAULT : 0;
}

int64_t sys_rt_sigpending(struct task *t, const uint64_t a[6])
{
    uint64_t host;
    if (a[1] > SIGSET_SIZE)
        return -EINVAL;
    int64_t ret = host_call(SYS_rt_sigpending, &host, SIGSET_SIZE);
    if (ret)
        return ret;
    host = (host | t->signals.held) & t->signals.mask;
    return copy_to_guest(t, a[0], &host, a[1]) ? -EFAULT : 0;
}

int64_t sys_rt_sigsuspend(struct task *t, const uint64_t a[6])
{
    struct task_signals *s = &t->signals;
    uint64_t mask;
    if (a[1] != SIGSET_SIZE)
        return -EINVAL;
    if (get_user(t, mask, a[0]))
        return -EFAULT;
    int64_t ret = -EINTR;
    if (!(s->held & ~mask)) {
        ret = safe_syscall(t, SYS_rt_sigsuspend, (uintptr_t)&mask, SIGSET_SIZE, 0, 0, 0, 0);
        if (ret == -SYS_RESTART || ret == -SYS_RESTART_ALWAYS) /* caught before the mask was in force */
            return -SYS_RESTART_ALWAYS;
    }
    signal_use_mask(t, mask);
    return ret == -EINTR ? -SYS_RESTART_NOHAND : ret;
}

/* -- waiting */

/* A held signal of the set, taken off: its number, or 0. */
static int take_held(struct task *t, uint64_t set, siginfo_t *info)
{
    for (int i = 0; i < SYNC_SIGNALS; i++) {
        int signo = t->signals.held_info[i].si_signo;
        if (signo && t->signals.held & set & SIGNAL_BIT(signo)) {
            *info = t->signals.held_info[i];
            __atomic_fetch_and(&t->signals.held, ~SIGNAL_BIT(signo), __ATOMIC_SEQ_CST);
            return signo;
        }
    }
    return 0;
}

int64_t sys_rt_sigtimedwait(struct task *t, const uint64_t a[6])
{
    uint64_t set;
    siginfo_t info;
    if (a[3] != SIGSET_SIZE)
        return -EINVAL;
    if (get_user(t, set, a[0]))
        return -EFAULT;
    int signo = take_held(t, set, &info);
    if (signo)
        return a[1] && copy_to_guest(t, a[1], &info, sizeof info) ? -EFAULT : signo;
    int64_t ret = safe_syscall(t, SYS_rt_sigtimedwait, a[0], a[1], a[2], a[3], 0, 0);
    /* A sync signal is not blocked on the host: it interrupted the wait and is held now. */
    if (ret == -EINTR && (signo = take_held(t, set, &info)))
        return a[1] && copy_to_guest(t, a[1], &info, sizeof info) ? -EFAULT : signo;
    return ret;
}

/* -- sending with a siginfo */

/* a[at] is the siginfo's address. */
static int64_t send_info(struct task *t, long nr, const uint64_t a[6], int signo, unsigned at)
{
    siginfo_t info;
    uint64_t b[4] = {a[0], a[1], a[2], a[3]};
    if (!copy_from_guest(t, &info, a[at], sizeof info) && signal_disguise(signo, &info))
        b[at] = (uintptr_t)&info;
    return host_call(nr, b[0], b[1], b[2], b[3]);
}

int64_t sys_rt_sigqueueinfo(struct task *t, const uint64_t a[6])
{
    if ((pid_t)a[0] != getpid())
        return host_call(SYS_rt_sigqueueinfo, a[0], a[1], a[2]);
    return send_info(t, SYS_rt_sigqueueinfo, a, (int)a[1], 2);
}

int64_t sys_rt_tgsigqueueinfo(struct task *t, const uint64_t a[6])
{
    if ((pid_t)a[0] != getpid())
        return host_call(SYS_rt_tgsigqueueinfo, a[0], a[1], a[2], a[3]);
    return send_info(t, SYS_rt_tgsigqueueinfo, a, (int)a[2], 3);
}

/* Whose descriptor it is nobody says; to others than oneself the kernel refuses such a siginfo anyway. */
int64_t sys_pidfd_send_signal(struct task *t, const uint64_t a[6])
{
    siginfo_t info;
    if (a[2] && !copy_from_guest(t, &info, a[2], sizeof info) && signal_disguise((int)a[1], &info))
        return -EPERM;
    return host_call(SYS_pidfd_send_signal, a[0], a[1], a[2], a[3]);
}

/* -- alternate stack, return */

int64_t sys_sigaltstack(struct task *t, const uint64_t a[6])
{
    uint64_t sp = t->abi->stack_pointer(t->cpu);
    struct linux_stack new, old = t->signals.altstack;
    old.flags = (int32_t)((uint32_t)old.flags & SS_AUTODISARM_FLAG) |
                (!old.size ? SS_DISABLE : on_signal_stack(&old, sp) ? SS_ONSTACK : 0);
    if (a[0]) {
        if (get_user(t, new, a[0]))
            return -EFAULT;
        int ret = signal_set_stack(t, &new, sp);
        if (ret)
            return ret;
    }
    return a[1] && put_user(t, old, a[1]) ? -EFAULT : 0;
}

int64_t sys_rt_sigreturn(struct task *t, const uint64_t a[6])
{
    struct signal_frame f;
    if (t->abi->restore_frame(t, &f)) {
        uint64_t at = t->abi->stack_pointer(t->cpu);
        int code = !t->abi->bad_frame_faults            ? SI_KERNEL
                   : mm_ends_behind(t->process->mm, at) ? SEGV_ACCERR
                                                        : SEGV_MAPERR;
        signal_force(t, SIGSEGV, code, at);
        return -SYS_KEEP_REGS;
    }
    signal_set_stack(t, &f.stack, t->abi->stack_pointer(t->cpu)); /* a frame with a bad stack returns all the same */
    signal_set_mask(t, f.mask);
    return -SYS_KEEP_REGS;
}
