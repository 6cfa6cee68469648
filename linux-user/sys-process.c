/* Making and ending processes and threads: the calls' arguments. What they do is in thread.c and exec-program.c. */
#include <errno.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "exec/exec.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/self-file.h"
#include "linux-user/task.h"
#include "linux-user/thread.h"
#include "linux-user/uaccess.h"

#define CLONE_CLEAR_SIGHAND_FLAG 0x100000000ULL
#define CLONE_INTO_CGROUP_FLAG 0x200000000ULL

static int64_t create(struct task *t, const struct clone_request *r)
{
    uint64_t f = r->flags;
    /* Flags that need another one, and flags that exclude each other: clone(2). */
    static const struct {
        uint64_t flag, needs, excludes;
    } rules[] = {
        {CLONE_THREAD, CLONE_SIGHAND, CLONE_NEWUSER | CLONE_NEWPID},
        {CLONE_SIGHAND, CLONE_VM, CLONE_CLEAR_SIGHAND_FLAG},
        {CLONE_FS, 0, CLONE_NEWNS | CLONE_NEWUSER},
        {CLONE_SYSVSEM, 0, CLONE_NEWIPC},
        {CLONE_PIDFD, 0, CLONE_DETACHED},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
        if (f & rules[i].flag && ((f & rules[i].needs) != rules[i].needs || f & rules[i].excludes))
            return -EINVAL;
    int32_t word;
    if (f & CLONE_PIDFD && (get_user(t, word, r->pidfd) || put_user(t, word, r->pidfd)))
        return -EFAULT;
    bool forks = !(f & (CLONE_THREAD | CLONE_VM));
    tracee_fork_begin(t);
    if (forks)
        debug_fork_begin(t);
    int64_t ret = f & CLONE_THREAD ? thread_create(t, r)
                  : f & CLONE_VM   ? process_create_sharing(t, r)
                                   : process_fork(t, r);
    tracee_fork_end(t, r, ret);
    if (forks)
        debug_fork_end(t, ret);
    return ret;
}

int64_t sys_landlock_restrict_self(struct task *t, const uint64_t a[6])
{
    self_keep(t->process);
    return host_call(SYS_landlock_restrict_self, a[0], a[1]);
}

/* Both guests have the argument order of CLONE_BACKWARDS: flags, stack, parent_tid, tls, child_tid. */
int64_t sys_clone(struct task *t, const uint64_t a[6])
{
    struct clone_request r = {
        .flags = (uint32_t)a[0] & ~(uint32_t)CSIGNAL,
        .exit_signal = (int)(a[0] & CSIGNAL),
        .stack_pointer = a[1],
        .parent_tid = a[2],
        .pidfd = a[2],
        .tls = a[3],
        .child_tid = a[4],
    };
    if (r.flags & CLONE_PIDFD && r.flags & CLONE_PARENT_SETTID) /* one argument for two */
        return -EINVAL;
    return create(t, &r);
}

/* struct clone_args of <linux/sched.h>. */
struct clone3_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
enum { CLONE3_FIRST_SIZE = 64, CLONE3_LARGEST = 4096 };

/* A longer struct of a newer kernel is accepted when what is new in it is zero. */
static int64_t get_clone3_args(struct task *t, struct clone3_args *c, uint64_t at, uint64_t size)
{
    memset(c, 0, sizeof *c);
    if (size > CLONE3_LARGEST)
        return -E2BIG;
    if (size < CLONE3_FIRST_SIZE)
        return -EINVAL;
    for (uint64_t i = sizeof *c; i < size; i++) {
        uint8_t byte;
        if (get_user(t, byte, at + i))
            return -EFAULT;
        if (byte)
            return -E2BIG;
    }
    return copy_from_guest(t, c, at, size < sizeof *c ? size : sizeof *c);
}

int64_t sys_clone3(struct task *t, const uint64_t a[6])
{
    struct clone3_args c;
    int64_t ret = get_clone3_args(t, &c, a[0], a[1]);
    if (ret)
        return ret;
    const uint64_t known = 0x3ffffffffULL & ~(uint64_t)(CLONE_DETACHED | (CSIGNAL & ~0x80 /* CLONE_NEWTIME */));
    if (c.flags & ~known || c.exit_signal > LINUX_NSIG || !c.stack != !c.stack_size ||
        (c.flags & (CLONE_THREAD | CLONE_PARENT) && c.exit_signal))
        return -EINVAL;
    if (c.set_tid_size > MAX_PID_LEVELS || !c.set_tid != !c.set_tid_size)
        return -EINVAL;
    if (c.flags & CLONE_INTO_CGROUP_FLAG && (c.cgroup > INT_MAX || a[1] < sizeof c))
        return -EINVAL;
    if (c.set_tid_size > 1 && c.flags & CLONE_THREAD) {
        report_unimp("clone3: a thread's id can be chosen in one namespace only");
        return -EPERM;
    }
    struct clone_request r = {
        .flags = c.flags,
        .exit_signal = (int)c.exit_signal,
        .stack_pointer = c.stack ? c.stack + c.stack_size : 0,
        .parent_tid = c.parent_tid,
        .child_tid = c.child_tid,
        .pidfd = c.pidfd,
        .tls = c.tls,
        .cgroup = c.flags & CLONE_INTO_CGROUP_FLAG ? c.cgroup : 0,
        .nset_tid = (uint32_t)c.set_tid_size,
    };
    if (copy_from_guest(t, r.set_tid, c.set_tid, c.set_tid_size * sizeof r.set_tid[0]))
        return -EFAULT;
    return create(t, &r);
}

/*
 * Refused to processes with several threads: ours that compiles does not count. It may be there for a moment after its
 * end.
 */
static int64_t as_one_thread(struct task *t, long nr, uint64_t x, uint64_t y)
{
    enum { TRIES = 100, PAUSE_US = 200 };
    bool stopped = exec_stop_background(t->process->exec);
    int64_t ret = host_call(nr, x, y);
    for (unsigned i = 0; stopped && (ret == -EINVAL || ret == -EUSERS) && i < TRIES; i++) {
        usleep(PAUSE_US);
        ret = host_call(nr, x, y);
    }
    return ret;
}

int64_t sys_unshare(struct task *t, const uint64_t a[6]) { return as_one_thread(t, SYS_unshare, a[0], 0); }
int64_t sys_setns(struct task *t, const uint64_t a[6]) { return as_one_thread(t, SYS_setns, a[0], a[1]); }

/*
 * A parent is given a session only if it has one thread: a guest's has ours for as long as that has work. A refusal for
 * another reason has the same number, and comes half a second late.
 */
int64_t sys_keyctl(struct task *t, const uint64_t a[6])
{
    enum { TRIES = 100, PAUSE_US = 5000 };
    int64_t ret = dispatch_described(t, &syscall_calls[CALL_keyctl], a);
    for (unsigned i = 0; a[0] == KEYCTL_SESSION_TO_PARENT && ret == -EPERM && i < TRIES; i++) {
        usleep(PAUSE_US);
        ret = dispatch_described(t, &syscall_calls[CALL_keyctl], a);
    }
    return ret;
}

int64_t sys_exit(struct task *t, const uint64_t a[6])
{
    t->exit_code = (int)a[0];
    t->exiting = true;
    return 0;
}

int64_t sys_exit_group(struct task *t, const uint64_t a[6])
{
    process_exit(t, (int)a[0]);
}
