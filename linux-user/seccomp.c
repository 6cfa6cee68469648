/*
 * Guest seccomp: see seccomp.h.
 *
 * SECCOMP_RET_USER_NOTIF uses the host's mechanism, so that a listener is a real one (poll, SCM_RIGHTS, a supervisor
 * that is another process): the thread gets a host filter that reports calls of numbers no kernel has, and a notified
 * guest call is made under such a number. The supervisor's metic turns what it receives back. A supervisor's "continue"
 * is sent as an error nobody else uses.
 */
#include "linux-user/seccomp.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "base/bits.h"
#include "exec/target.h"
#include "linux-user/bpf.h"
#include "linux-user/dispatch.h"
#include "linux-user/guest-process.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

struct seccomp_filter {
    const struct seccomp_filter *before;
    uint32_t n;
    uint32_t has_listener, logs, killable; /* killable: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */
    struct sock_filter program[];
};

enum {
    MAX_INSNS_PER_PATH = 32768, /* of all filters of a thread, and a penalty for each */
    FILTER_PENALTY = 4,
    NOTIFY_NUMBER = 0x2d000000, /* of the host's calls that stand for notified ones of the guest */
    NOTIFY_MASK = 0x7f000000,
    CONTINUE_ERROR = -4000,
    RESTART_ERROR = -3000, /* added to those of the supervisor's that the kernel has for restarts */
    MAX_ERRNO = 4095,
};

_Static_assert(sizeof(struct seccomp_notif) == 80, "struct seccomp_notif");

uint32_t audit_arch(const struct target *t)
{
    return t->elf_machine | (t->elf_class == ELFCLASS64 ? __AUDIT_ARCH_64BIT : 0) |
           (t->elf_data == ELFDATA2LSB ? __AUDIT_ARCH_LE : 0);
}

/* --- judging --- */

/* SECCOMP_MODE_STRICT. */
static bool strict_allows(const struct task *t, uint64_t number)
{
    static const uint16_t allowed[] = {CALL_read, CALL_write, CALL_exit, CALL_rt_sigreturn};
    const struct syscall_abi *abi = t->abi->syscalls;
    for (unsigned i = 0; i < ARRAY_SIZE(allowed); i++)
        if (number < abi->ncalls && abi->calls[number] == allowed[i])
            return true;
    return false;
}

static int32_t action_of(uint32_t value) { return (int32_t)(value & SECCOMP_RET_ACTION_FULL); }

static siginfo_t sigsys(const struct seccomp_data *d, uint32_t value)
{
    siginfo_t info = {.si_signo = SIGSYS, .si_code = SYS_SECCOMP, .si_errno = (int)(value & SECCOMP_RET_DATA)};
    info.si_call_addr = (void *)(uintptr_t)d->instruction_pointer;
    info.si_syscall = d->nr;
    info.si_arch = d->arch;
    return info;
}

static void kill_thread(struct task *t, const siginfo_t *info)
{
    pthread_mutex_lock(&t->process->lock);
    bool only = t->process->tasks == t && !t->next;
    pthread_mutex_unlock(&t->process->lock);
    if (only)
        signal_die(t, info);
    t->exiting = true;
    t->exit_code = SIGSYS;
}

static bool is_restart(int64_t error) { return error <= -SYS_RESTART && error >= -SYS_RESTART_BLOCK; }

/* The call as the supervisor sees it; it answers in the kernel's place, or lets the call go on. */
static enum seccomp_verdict notify(struct task *t, const struct seccomp_data *d, int64_t *result)
{
    const uint64_t *a = (const uint64_t *)d->args;
    *result = safe_syscall(t, NOTIFY_NUMBER | (d->nr & ~NOTIFY_MASK), a[0], a[1], a[2], a[3], a[4], a[5]);
    if (is_restart(*result - RESTART_ERROR)) { /* to the kernel these say nothing where no signal is pending */
        t->abi->set_result(t->cpu, *result - RESTART_ERROR);
        *result = -SYS_KEEP_REGS;
    }
    return *result == CONTINUE_ERROR ? VERDICT_RUN : VERDICT_DONE;
}

enum seccomp_verdict seccomp_judge(struct task *t, uint64_t number, const uint64_t a[6], int64_t *result,
                                   siginfo_t *info)
{
    struct seccomp_data d = {
        .nr = (int)number,
        .arch = audit_arch(t->abi->target),
        .instruction_pointer = t->cpu->pc,
    };
    uint32_t value = SECCOMP_RET_ALLOW;
    const struct seccomp_filter *from = NULL;
    if (__atomic_load_n(&t->seccomp.no_new_privs, __ATOMIC_RELAXED)) {
        t->seccomp.no_new_privs = false;
        host_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
    if (t->seccomp.mode == SECCOMP_MODE_STRICT) {
        if (!strict_allows(t, number))
            signal_die(t, &(siginfo_t){.si_signo = SIGKILL});
        return VERDICT_RUN;
    }
    memcpy(d.args, a, sizeof d.args);
    for (const struct seccomp_filter *f = t->seccomp.filters; f; f = f->before) {
        uint32_t now = bpf_run(f->program, &d);
        if (action_of(now) < action_of(value)) {
            value = now;
            from = f;
        }
    }
    *info = sigsys(&d, value);
    uint32_t data = value & SECCOMP_RET_DATA;
    *result = -SYS_KEEP_REGS;
    switch (value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG: return VERDICT_RUN;
    case SECCOMP_RET_ERRNO: *result = -(int64_t)(data < MAX_ERRNO ? data : MAX_ERRNO); return VERDICT_DONE;
    case SECCOMP_RET_TRACE: *result = data; return VERDICT_TRACE;
    case SECCOMP_RET_USER_NOTIF: *result = -ENOSYS; return from->has_listener ? notify(t, &d, result) : VERDICT_DONE;
    case SECCOMP_RET_TRAP: return VERDICT_TRAP;
    case SECCOMP_RET_KILL_THREAD: kill_thread(t, info); return VERDICT_DONE;
    default: /* SECCOMP_RET_KILL_PROCESS, and what nobody knows */ signal_die(t, info);
    }
}

/* --- installing --- */

unsigned seccomp_count(const struct task *t)
{
    unsigned n = 0;
    for (const struct seccomp_filter *f = t->seccomp.filters; f; f = f->before)
        n++;
    return n;
}

/* no_new_privs, or CAP_SYS_ADMIN in the user namespace. */
static bool may_install(void)
{
    return host_call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || has_capability(CAP_SYS_ADMIN);
}

/* The program at guest address `at`. 0 or -errno. */
static int64_t read_filter(struct task *t, uint64_t at, struct seccomp_filter **out)
{
    struct {
        uint16_t n;
        uint64_t program;
    } prog;
    unsigned total = 0;
    if (get_user(t, prog, at))
        return -EFAULT;
    if (!prog.n || prog.n > BPF_MAXINSNS)
        return -EINVAL;
    if (!may_install())
        return -EACCES;
    for (const struct seccomp_filter *f = t->seccomp.filters; f; f = f->before)
        total += f->n + FILTER_PENALTY;
    struct seccomp_filter *f = malloc(sizeof *f + prog.n * sizeof f->program[0]);
    int64_t ret = !f || total + prog.n > MAX_INSNS_PER_PATH                                     ? -ENOMEM
                  : copy_from_guest(t, f->program, prog.program, prog.n * sizeof f->program[0]) ? -EFAULT
                  : !bpf_is_valid(f->program, prog.n)                                           ? -EINVAL
                                                                                                : 0;
    if (ret) {
        free(f);
        return ret;
    }
    f->before = t->seccomp.filters;
    f->n = prog.n;
    f->has_listener = f->logs = f->killable = false;
    *out = f;
    return 0;
}

/* The host's listener for this thread's notified calls, or -errno. */
static int64_t host_listener(uint64_t flags)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, NOTIFY_MASK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NOTIFY_NUMBER, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {.len = ARRAY_SIZE(program), .filter = program};
    return host_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static void take_filters(struct task *t, const struct seccomp_filter *f)
{
    t->seccomp.filters = f;
    __atomic_store_n(&t->seccomp.mode, SECCOMP_MODE_FILTER, __ATOMIC_RELEASE);
    __atomic_fetch_or(&t->watch, WATCH_SECCOMP, __ATOMIC_SEQ_CST);
}

static bool descends(const struct seccomp_filter *f, const struct seccomp_filter *from)
{
    while (f && f != from)
        f = f->before;
    return f == from;
}

/* What the caller may not gain by execve its threads may not either: each says so to the host before its next call. */
static void share_no_new_privs(struct task *other)
{
    if (host_call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        __atomic_store_n(&other->seccomp.no_new_privs, true, __ATOMIC_SEQ_CST);
}

/* All threads get the newest of t's filters; the id of one that has others of its own, which changes nothing. */
static int32_t synchronize(struct task *t, const struct seccomp_filter *f)
{
    struct process *p = t->process;
    int32_t odd = 0;
    pthread_mutex_lock(&p->lock);
    for (struct task *other = p->tasks; other; other = other->next)
        if (other != t && (other->seccomp.mode == SECCOMP_MODE_STRICT || !descends(f->before, other->seccomp.filters)))
            odd = other->tid;
    for (struct task *other = p->tasks; other && !odd; other = other->next) {
        share_no_new_privs(other);
        take_filters(other, f);
    }
    pthread_mutex_unlock(&p->lock);
    return odd;
}

static int64_t set_filter(struct task *t, uint64_t flags, uint64_t at)
{
    const uint64_t known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
                           SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
                           SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    struct seccomp_filter *f;
    int64_t ret = 0;
    bool listens = flags & SECCOMP_FILTER_FLAG_NEW_LISTENER, syncs = flags & SECCOMP_FILTER_FLAG_TSYNC;
    if (flags & ~known || (listens && syncs && !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH)) ||
        (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !listens))
        return -EINVAL;
    ret = read_filter(t, at, &f);
    if (ret)
        return ret;
    if (t->seccomp.mode == SECCOMP_MODE_STRICT) {
        free(f);
        return -EINVAL;
    }
    f->logs = (flags & SECCOMP_FILTER_FLAG_LOG) != 0;
    if (listens) {
        ret = host_listener(flags & ~(uint64_t)(SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
        f->has_listener = ret >= 0;
        f->killable = ret >= 0 && flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        if (f->killable)
            signals_leave_defaults(t->process);
    }
    if (ret >= 0 && syncs) {
        int32_t odd = synchronize(t, f);
        if (odd && listens)
            host_call(SYS_close, ret);
        if (odd)
            ret = flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : odd;
        if (odd) {
            free(f);
            return ret;
        }
    }
    if (ret < 0)
        free(f);
    else
        take_filters(t, f);
    return ret;
}

static int64_t set_strict(struct task *t)
{
    if (t->seccomp.mode && t->seccomp.mode != SECCOMP_MODE_STRICT)
        return -EINVAL;
    t->seccomp.mode = SECCOMP_MODE_STRICT;
    __atomic_fetch_or(&t->watch, WATCH_SECCOMP, __ATOMIC_SEQ_CST);
    return 0;
}

static int64_t action_available(struct task *t, uint64_t at)
{
    static const uint32_t actions[] = {
        SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
        SECCOMP_RET_USER_NOTIF,   SECCOMP_RET_TRACE,       SECCOMP_RET_LOG,  SECCOMP_RET_ALLOW,
    };
    uint32_t action;
    if (get_user(t, action, at))
        return -EFAULT;
    for (unsigned i = 0; i < ARRAY_SIZE(actions); i++)
        if (actions[i] == action)
            return 0;
    return -EOPNOTSUPP;
}

int64_t sys_seccomp(struct task *t, const uint64_t a[6])
{
    const struct seccomp_notif_sizes sizes = {sizeof(struct seccomp_notif), sizeof(struct seccomp_notif_resp),
                                              sizeof(struct seccomp_data)};
    switch ((uint32_t)a[0]) {
    case SECCOMP_SET_MODE_STRICT: return a[1] || a[2] ? -EINVAL : set_strict(t);
    case SECCOMP_SET_MODE_FILTER: return set_filter(t, (uint32_t)a[1], a[2]);
    case SECCOMP_GET_ACTION_AVAIL: return a[1] ? -EINVAL : action_available(t, a[2]);
    case SECCOMP_GET_NOTIF_SIZES: return a[1] ? -EINVAL : put_user(t, sizes, a[2]);
    default: return -EINVAL;
    }
}

int64_t seccomp_prctl_set(struct task *t, uint64_t mode, uint64_t program)
{
    return mode == SECCOMP_MODE_STRICT   ? set_strict(t)
           : mode == SECCOMP_MODE_FILTER ? set_filter(t, 0, program)
                                         : -EINVAL;
}

int64_t seccomp_prctl_get(const struct task *t) { return t->seccomp.mode; }

/* --- a supervisor's requests --- */

static int64_t receive(struct task *t, int fd, uint64_t arg)
{
    struct seccomp_notif n;
    if (get_user(t, n, arg))
        return -EFAULT;
    int64_t ret = begun_syscall(t, SYS_ioctl, fd, SECCOMP_IOCTL_NOTIF_RECV, (uintptr_t)&n, 0, 0, 0);
    if (ret < 0)
        return ret;
    if ((n.data.nr & NOTIFY_MASK) == NOTIFY_NUMBER) {
        n.data.nr &= ~NOTIFY_MASK;
        n.data.arch = audit_arch(t->abi->target);
    }
    return put_user(t, n, arg);
}

static int64_t answer(struct task *t, int fd, uint64_t arg)
{
    struct seccomp_notif_resp r;
    if (get_user(t, r, arg))
        return -EFAULT;
    if (r.flags == SECCOMP_USER_NOTIF_FLAG_CONTINUE && !r.val && !r.error) {
        r.flags = 0;
        r.error = CONTINUE_ERROR;
    } else if (is_restart(r.error)) {
        r.error += RESTART_ERROR;
    }
    return host_call(SYS_ioctl, fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

bool seccomp_ioctl(struct task *t, int fd, uint32_t command, uint64_t arg, int64_t *result)
{
    switch (command) {
    case (uint32_t)SECCOMP_IOCTL_NOTIF_RECV: *result = receive(t, fd, arg); return true;
    case (uint32_t)SECCOMP_IOCTL_NOTIF_SEND: *result = answer(t, fd, arg); return true;
    case (uint32_t)SECCOMP_IOW(2, __u64): /* SECCOMP_IOCTL_NOTIF_ID_VALID, and with the direction it first had */
    case (uint32_t)SECCOMP_IOR(2, __u64):
    case (uint32_t)SECCOMP_IOW(4, __u64): /* SECCOMP_IOCTL_NOTIF_SET_FLAGS */ break;
    default: /* the struct of this one may grow, and the kernel doesn't look at the direction */
        if ((command ^ SECCOMP_IOCTL_NOTIF_ADDFD) & ~(uint32_t)(IOCSIZE_MASK | IOC_INOUT))
            return false;
    }
    *result = host_call(SYS_ioctl, fd, command, arg);
    return true;
}

/* --- another thread's --- */

/* Its head, without the program; false: none is there, or it can't be read. */
static bool remote_head(pid_t pid, const struct seccomp_filter *at, struct seccomp_filter *head)
{
    return at && remote_read(pid, head, (uintptr_t)at, sizeof *head);
}

unsigned seccomp_remote_count(pid_t pid, const struct task_seccomp *s)
{
    struct seccomp_filter head = {.before = s->filters};
    unsigned n = 0;
    while (n < MAX_INSNS_PER_PATH && remote_head(pid, head.before, &head))
        n++;
    return n;
}

/* The filter of that index, 0 being the oldest: its address and head. 0 or -errno, as the kernel's get_nth_filter(). */
static int64_t nth_filter(pid_t pid, uint64_t at, uint64_t index, const struct seccomp_filter **filter,
                          struct seccomp_filter *head)
{
    struct task_seccomp s;
    if (!has_capability(CAP_SYS_ADMIN))
        return -EACCES;
    if (!at || !remote_read(pid, &s, at, sizeof s))
        return -EIO;
    if (s.mode != SECCOMP_MODE_FILTER)
        return -EINVAL;
    unsigned count = seccomp_remote_count(pid, &s);
    if (index >= count)
        return -ENOENT;
    *filter = s.filters;
    for (uint64_t back = count - index; remote_head(pid, *filter, head) && --back;)
        *filter = head->before;
    return 0;
}

int64_t seccomp_remote_filter(struct task *t, pid_t pid, uint64_t at, uint64_t index, uint64_t to)
{
    const struct seccomp_filter *filter;
    struct seccomp_filter head;
    int64_t ret = t->seccomp.mode ? -EACCES : nth_filter(pid, at, index, &filter, &head);
    if (ret)
        return ret;
    size_t bytes = head.n * sizeof head.program[0];
    struct sock_filter *program = head.n <= BPF_MAXINSNS && to ? malloc(bytes) : NULL;
    if (program &&
        (!remote_read(pid, program, (uintptr_t)filter->program, bytes) || copy_to_guest(t, to, program, bytes)))
        ret = -EFAULT;
    else if (to && !program)
        ret = -ENOMEM;
    free(program);
    return ret ? ret : head.n;
}

int64_t seccomp_remote_metadata(struct task *t, pid_t pid, uint64_t at, uint64_t size, uint64_t to)
{
    const struct seccomp_filter *filter;
    struct seccomp_filter head;
    struct {
        uint64_t filter_off, flags;
    } data = {0, 0};
    if (t->seccomp.mode)
        return -EACCES;
    size = size < sizeof data ? size : sizeof data;
    if (size < sizeof data.filter_off)
        return -EINVAL;
    if (get_user(t, data.filter_off, to))
        return -EFAULT;
    int64_t ret = nth_filter(pid, at, data.filter_off, &filter, &head);
    if (ret)
        return ret;
    data.flags = head.logs ? SECCOMP_FILTER_FLAG_LOG : 0;
    return copy_to_guest(t, to, &data, size) ? -EFAULT : (int64_t)size;
}

/* --- execve --- */

struct saved_filter {
    uint32_t n, has_listener, logs, killable;
};

bool seccomp_save(const struct task *t, FILE *f)
{
    uint32_t head[2] = {(uint32_t)t->seccomp.mode, seccomp_count(t)};
    fwrite(head, sizeof head, 1, f);
    for (uint32_t i = head[1]; i-- > 0;) { /* the oldest first */
        const struct seccomp_filter *s = t->seccomp.filters;
        for (uint32_t skip = 0; skip < i; skip++)
            s = s->before;
        struct saved_filter one = {s->n, s->has_listener, s->logs, s->killable};
        fwrite(&one, sizeof one, 1, f);
        fwrite(s->program, sizeof s->program[0], s->n, f);
    }
    return !ferror(f);
}

bool seccomp_restore(struct task *t, FILE *f)
{
    uint32_t head[2];
    if (fread(head, sizeof head, 1, f) != 1 || head[0] > SECCOMP_MODE_FILTER)
        return false;
    for (uint32_t i = 0; i < head[1]; i++) {
        struct saved_filter one;
        if (fread(&one, sizeof one, 1, f) != 1 || !one.n || one.n > BPF_MAXINSNS)
            return false;
        struct seccomp_filter *s = malloc(sizeof *s + one.n * sizeof s->program[0]);
        if (!s || fread(s->program, sizeof s->program[0], one.n, f) != one.n || !bpf_is_valid(s->program, one.n))
            return false;
        s->before = t->seccomp.filters;
        s->n = one.n;
        s->has_listener = one.has_listener;
        s->logs = one.logs;
        s->killable = one.killable;
        if (s->killable)
            signals_leave_defaults(t->process);
        t->seccomp.filters = s;
    }
    t->seccomp.mode = (int)head[0];
    if (t->seccomp.mode)
        t->watch |= WATCH_SECCOMP;
    return true;
}
