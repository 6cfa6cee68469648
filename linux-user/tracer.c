/*
 * The tracer's side of ptrace(2) between guests. Waiting, stopping and resuming are the host's ptrace; what a stop is
 * to the guest, and the registers, are read from the traced thread's memory. Stops that mean nothing to the guest are
 * resumed at once: see docs/design/ptrace.rst.
 */
#include "linux-user/tracer.h"

#include <errno.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/bits.h"
#include "base/log.h"
#include "exec/target.h"
#include "linux-user/guest-process.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

enum { SET_USER_DISPATCH = 0x4210, GET_USER_DISPATCH = 0x4211 }; /* PTRACE_…_SYSCALL_USER_DISPATCH_CONFIG */

enum {
    /* Events that the host finds by itself, and what it needs to be told of the guest's options. */
    HOST_OPTIONS = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORKDONE |
                   PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL,
    KNOWN_OPTIONS =
        HOST_OPTIONS | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | TRACE_O_SUSPEND_SECCOMP,
    STOPPED = 0x7f, /* the low byte of a stop's status */
    SYSGOOD = 0x80,
};

static int64_t host_ptrace(int request, pid_t tid, uint64_t addr, uint64_t data)
{
    return host_call(SYS_ptrace, request, tid, addr, data);
}

/* --- the list --- */

static struct tracee_entry *find(struct process *p, pid_t tid)
{
    pthread_mutex_lock(&p->lock);
    struct tracee_entry *e = p->tracees;
    while (e && e->tid != tid)
        e = e->next;
    pthread_mutex_unlock(&p->lock);
    return e;
}

static struct tracee_entry *find_or_add(struct process *p, pid_t tid)
{
    struct tracee_entry *e = find(p, tid);
    if (e || !(e = calloc(1, sizeof *e)))
        return e;
    e->tid = tid;
    pthread_mutex_lock(&p->lock);
    e->next = p->tracees;
    p->tracees = e;
    pthread_mutex_unlock(&p->lock);
    return e;
}

static void forget(struct process *p, pid_t tid)
{
    pthread_mutex_lock(&p->lock);
    for (struct tracee_entry **at = &p->tracees; *at; at = &(*at)->next)
        if ((*at)->tid == tid) {
            struct tracee_entry *gone = *at;
            *at = gone->next;
            free(gone);
            break;
        }
    pthread_mutex_unlock(&p->lock);
}

void tracer_forget_all(struct process *p)
{
    p->tracees = NULL; /* a fork's child leaves its parent's memory alone */
    memset(p->dumped, 0, sizeof p->dumped);
}

#define WRITE(e, field, value) \
    __extension__({ \
        __typeof__((e)->now.field) v = (value); \
        (e)->now.field = v; \
        (e)->at &&remote_write((e)->tid, (e)->at + offsetof(struct tracee, field), &v, sizeof v); \
    })

static void resume_host(pid_t tid, int signo) { host_ptrace(PTRACE_CONT, tid, 0, (uint64_t)signo); }

/* The thread's struct is at `at`. */
static bool read_tracee(struct tracee_entry *e, uint64_t at)
{
    if (!remote_read(e->tid, &e->now, at, sizeof e->now) || e->now.version != TRACEE_VERSION ||
        e->now.size != sizeof e->now)
        return false;
    if (e->at != at) { /* first seen: what was asked for before is told now */
        e->at = at;
        e->seized = e->now.seized;
        if (e->options)
            WRITE(e, options, e->options);
        e->options = e->now.options;
        if (e->resume)
            WRITE(e, resume, e->resume);
        host_ptrace(PTRACE_SETOPTIONS, e->tid, 0, PTRACE_O_TRACEEXEC | (e->options & HOST_OPTIONS));
    }
    return true;
}

/* --- what a stop of the host's is to the guest: the status to show, or HIDDEN after the thread was sent on --- */

enum { HIDDEN = -1 };

static int event_status(unsigned event, int signo) { return (int)(event << 16) | signo << 8 | STOPPED; }

static int show(struct tracee_entry *e, enum tracee_stop kind, int status)
{
    e->now.stop = kind;
    e->stopped = true;
    e->status = status;
    return status;
}

/* A stop that the traced thread made by itself. */
static int own_stop(struct tracee_entry *e, uint64_t at)
{
    if (!read_tracee(e, at)) {
        resume_host(e->tid, 0);
        return HIDDEN;
    }
    WRITE(e, answered, e->now.asked);
    switch (e->now.stop) {
    case STOP_SIGNAL: return show(e, STOP_SIGNAL, e->now.info.si_signo << 8 | STOPPED);
    case STOP_ENTRY:
    case STOP_EXIT:
        return show(e, e->now.stop, (SIGTRAP | (e->options & PTRACE_O_TRACESYSGOOD ? SYSGOOD : 0)) << 8 | STOPPED);
    default:
        e->left = e->now.event == PTRACE_EVENT_EXIT;
        return show(e, STOP_EVENT, event_status(e->now.event, SIGTRAP));
    }
}

static bool forking(const struct tracee_entry *e)
{
    uint32_t yes = false;
    return e->at && remote_read(e->tid, &yes, e->at + offsetof(struct tracee, forking), sizeof yes) && yes;
}

/* The status as wait4 would have it, of a siginfo of waitid's. */
static int status_of(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED: return (info->si_status & 0xff) << 8;
    case CLD_CONTINUED: return 0xffff;
    case CLD_STOPPED:
    case CLD_TRAPPED: return info->si_status << 8 | STOPPED;
    default: return info->si_status;
    }
}

static int look(struct task *t, pid_t tid, int status);

/*
 * Its first stop is the host's affair, and its maker waits for it to begin: it is sent on here, as the guest may be
 * waiting for the maker alone. One that has an entry was seen already.
 */
static void attend_newborn(struct task *t, pid_t tid)
{
    siginfo_t info = {.si_signo = 0};
    if (host_call(SYS_waitid, P_PID, tid, (uintptr_t)&info, WSTOPPED | WEXITED | WNOWAIT | __WALL, 0))
        forget(t->process, tid); /* it has ended, and been waited for */
    else if (info.si_code == CLD_TRAPPED)
        look(t, tid, status_of(&info));
}

static int host_event(struct task *t, struct tracee_entry *e, unsigned event, int signo)
{
    unsigned long message = 0;
    if (event == PTRACE_EVENT_STOP && signo != SIGTRAP) /* a group-stop */
        return show(e, STOP_GROUP, e->seized || !e->at ? event_status(event, signo) : signo << 8 | STOPPED);
    if (event == PTRACE_EVENT_STOP && e->now.stop == STOP_GROUP && e->seized) /* and its end */
        return show(e, STOP_GROUP, event_status(event, signo));
    host_ptrace(PTRACE_GETEVENTMSG, e->tid, 0, (uintptr_t)&message);
    bool vfork = event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_VFORK_DONE;
    if (e->at && (vfork || event == PTRACE_EVENT_EXIT) && e->options >> event & 1 && read_tracee(e, e->at) &&
        (!vfork || forking(e))) {
        e->now.event = event;
        e->now.message = message;
        return show(e, STOP_EVENT, event_status(event, SIGTRAP));
    }
    if (event == PTRACE_EVENT_CLONE) {
        bool seen = find(t->process, (pid_t)message);
        struct tracee_entry *new = find_or_add(t->process, (pid_t)message);
        if (new)
            new->internal = !forking(e); /* a thread of the emulator's own */
        if (new && !seen)
            attend_newborn(t, (pid_t)message);
    }
    if (event == PTRACE_EVENT_EXEC) {
        e->at = 0; /* gone with the old program; the new one shows its own */
        if ((pid_t)message != e->tid) /* of the thread that had another id until now */
            forget(t->process, (pid_t)message);
    }
    resume_host(e->tid, 0);
    return HIDDEN;
}

static bool is_fault(const siginfo_t *info)
{
    return info->si_code > 0 && (info->si_signo == SIGSEGV || info->si_signo == SIGBUS || info->si_signo == SIGFPE);
}

static int host_signal(struct task *t, struct tracee_entry *e, siginfo_t *info)
{
    const int message = trace_message_in(t->process, info);
    int signo = info->si_signo;
    uint32_t passing = 0;
    if (message) {
        uint64_t at = (uintptr_t)info->si_value.sival_ptr;
        if (message == MESSAGE_STOP)
            return own_stop(e, at);
        if (message == MESSAGE_HELLO) {
            read_tracee(e, at);
            signo = 0;
            if (e->interrupt) {
                info->si_errno = trace_mark(t->process, MESSAGE_INTERRUPT);
                host_ptrace(PTRACE_SETSIGINFO, e->tid, 0, (uintptr_t)info);
                signo = SIGSEGV;
            }
            e->interrupt = false;
        }
        resume_host(e->tid, signo);
        return HIDDEN;
    }
    if (is_fault(info)) {
        resume_host(e->tid, signo);
        return HIDDEN;
    }
    /* Of execve, by a child that has not stopped before; its new image, which is no guest yet, tells the stop. */
    struct guest_record record;
    if (signo == SIGTRAP && !e->at && info->si_code == SI_USER && info->si_pid == e->tid &&
        !guest_record_read(e->tid, &record)) {
        resume_host(e->tid, 0);
        return HIDDEN;
    }
    if (signo == SIGSTOP && info->si_code == SI_USER &&
        !info->si_pid) { /* of a thread attached at its birth, which tells itself */
        resume_host(e->tid, 0);
        return HIDDEN;
    }
    if (e->at && remote_read(e->tid, &passing, e->at + offsetof(struct tracee, passing), sizeof passing) &&
        passing == (uint32_t)signo) {
        WRITE(e, passing, 0);
        resume_host(e->tid, signo);
        return HIDDEN;
    }
    /* It shall become known at a precise point: through the handler of the one signal that is always caught. */
    if (info->si_errno) { /* who sets it has few other fields: rt_sigqueueinfo(2), SIGSYS */
        memcpy((char *)info + REDIRECT_ERRNO_AT, &info->si_errno, sizeof info->si_errno);
        signo |= REDIRECT_ERRNO;
    }
    info->si_signo = SIGSEGV;
    info->si_errno = trace_mark(t->process, MESSAGE_REDIRECT | signo);
    host_ptrace(PTRACE_SETSIGINFO, e->tid, 0, (uintptr_t)info);
    resume_host(e->tid, SIGSEGV);
    return HIDDEN;
}

static int look_at_stop(struct task *t, pid_t tid, int status)
{
    siginfo_t info;
    unsigned event = (unsigned)status >> 16;
    int64_t ret = host_ptrace(PTRACE_GETSIGINFO, tid, 0, (uintptr_t)&info);
    if (ret == -ESRCH) /* not traced: a stop of job control */
        return status;
    struct tracee_entry *e = find_or_add(t->process, tid);
    if (!e)
        return status;
    e->stopped = false;
    if (event)
        return host_event(t, e, event, WSTOPSIG(status));
    return ret ? show(e, STOP_GROUP, status) : host_signal(t, e, &info);
}

static int look_at_end(struct task *t, pid_t tid, int status)
{
    struct tracee_entry *e = find(t->process, tid);
    bool internal = e && e->internal;
    forget(t->process, tid);
    return internal ? HIDDEN : status;
}

/* --- waiting --- */

static int look(struct task *t, pid_t tid, int status)
{
    if (WIFSTOPPED(status))
        return look_at_stop(t, tid, status);
    return LIKELY(!t->process->tracees) || WIFCONTINUED(status) ? status : look_at_end(t, tid, status);
}

/* Whether it left a core file, of which the host knows nothing. reaped: its id may soon be another's. */
static bool has_dumped(struct process *p, pid_t pid, bool reaped)
{
    for (unsigned i = 0; i < ARRAY_SIZE(p->dumped); i++)
        if (__atomic_load_n(&p->dumped[i], __ATOMIC_SEQ_CST) == pid) {
            if (reaped)
                __atomic_store_n(&p->dumped[i], 0, __ATOMIC_SEQ_CST);
            return true;
        }
    return false;
}

int64_t sys_wait4(struct task *t, const uint64_t a[6])
{
    for (;;) {
        int status = 0;
        int64_t ret = begun_syscall(t, SYS_wait4, a[0], (uintptr_t)&status, a[2], a[3], 0, 0);
        if (ret <= 0)
            return ret;
        status = look(t, (pid_t)ret, status);
        if (status != HIDDEN && WIFSIGNALED(status) && has_dumped(t->process, (pid_t)ret, true))
            status |= WCOREFLAG;
        if (status != HIDDEN)
            return a[1] && put_user(t, status, a[1]) ? -EFAULT : ret;
    }
}

/*
 * What a stop that stays to be waited for is; looking may send the thread on, which takes the stop away from the host,
 * too.
 */
static int peek(struct task *t, pid_t tid, int status)
{
    const struct tracee_entry *e = find(t->process, tid);
    return !WIFSTOPPED(status) ? status : e && e->stopped ? e->status : look(t, tid, status);
}

int64_t sys_waitid(struct task *t, const uint64_t a[6])
{
    for (;;) {
        siginfo_t info = {.si_signo = 0};
        int64_t ret = begun_syscall(t, SYS_waitid, a[0], a[1], (uintptr_t)&info, a[3], a[4], 0);
        if (ret < 0)
            return ret;
        if (info.si_pid) {
            int status = (a[3] & WNOWAIT ? peek : look)(t, info.si_pid, status_of(&info));
            if (status == HIDDEN)
                continue;
            if (WIFSTOPPED(status))
                info.si_status = status >> 8;
            if (info.si_code == CLD_KILLED && has_dumped(t->process, info.si_pid, !(a[3] & WNOWAIT)))
                info.si_code = CLD_DUMPED;
        }
        return a[2] ? put_user(t, info, a[2]) : 0;
    }
}

/* False, too, while the lock is taken: who forks holds it while it waits for others. */
static bool nth_tracee(struct process *p, size_t n, pid_t *tid)
{
    if (pthread_mutex_trylock(&p->lock))
        return false;
    struct tracee_entry *e = p->tracees;
    while (e && n--)
        e = e->next;
    if (e)
        *tid = e->tid;
    pthread_mutex_unlock(&p->lock);
    return e;
}

void tracer_attend(void)
{
    struct task *t = current_task;
    pid_t tid;
    for (size_t i = 0; t && nth_tracee(t->process, i, &tid); i++) {
        siginfo_t info = {.si_signo = 0};
        int64_t ret = host_call(SYS_waitid, P_PID, tid, (uintptr_t)&info, WSTOPPED | WNOHANG | WNOWAIT | __WALL, 0);
        if (!ret && info.si_pid)
            peek(t, tid, status_of(&info));
    }
}

/* --- requests --- */

static pid_t process_of(pid_t tid)
{
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/status", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    const char *line = strstr(text, "\nTgid:");
    return line ? (pid_t)atoi(line + strlen("\nTgid:")) : 0;
}

static int64_t send(pid_t pid, pid_t tid, int message, int value)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_errno = message, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    return host_call(SYS_rt_tgsigqueueinfo, pid, tid, SIGSEGV, &info);
}

/* Who lets a thread do without its filters must be without any and could do without. */
static int64_t check_options(const struct task *t, uint64_t options)
{
    if (options & ~(uint64_t)KNOWN_OPTIONS)
        return -EINVAL;
    bool suspends = options & TRACE_O_SUSPEND_SECCOMP;
    return suspends && (!has_capability(CAP_SYS_ADMIN) || t->seccomp.mode || tracee_suspends_seccomp(t)) ? -EPERM : 0;
}

static int64_t attach(struct task *t, pid_t tid, bool seize, uint64_t options)
{
    struct guest_record record;
    int64_t ret = check_options(t, options);
    if (ret)
        return ret;
    pid_t pid = process_of(tid);
    if (!pid)
        return -ESRCH;
    bool guest = guest_record_read(pid, &record) && record.machine == t->abi->target->elf_machine;
    if (guest && !guest_has_thread(pid, &record, tid))
        return -ESRCH;
    ret = host_ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACEEXEC | (options & HOST_OPTIONS));
    if (ret)
        return ret;
    struct tracee_entry *e = NULL;
    forget(t->process, tid); /* a thread that has ended traced it */
    if (guest)
        e = find_or_add(t->process, tid);
    else
        report_unimp("ptrace: process %d is no guest of this architecture", pid);
    if (!e) {
        /* Detaching takes a stopped thread. */
        host_ptrace(PTRACE_INTERRUPT, tid, 0, 0);
        host_call(SYS_wait4, tid, 0, __WALL, 0);
        host_ptrace(PTRACE_DETACH, tid, 0, 0);
        return -EPERM;
    }
    e->seized = seize;
    e->options = (uint32_t)options;
    return send(pid, tid, trace_mark(t->process, MESSAGE_START), seize ? START_SEIZED : START_STOP);
}

/* Sends the thread on. */
static int64_t go_on(struct tracee_entry *e, int request, uint64_t signo)
{
    bool group = e->now.stop == STOP_GROUP;
    if (signo > LINUX_NSIG || (request == PTRACE_LISTEN && (!group || !e->seized)))
        return -EIO;
    e->resume = (uint32_t)request;
    WRITE(e, resume, (uint32_t)request);
    WRITE(e, signal, (uint32_t)signo);
    if (request == PTRACE_DETACH)
        WRITE(e, active, false);
    int64_t ret =
        host_ptrace(request == PTRACE_LISTEN || request == PTRACE_DETACH ? request : PTRACE_CONT, e->tid, 0, 0);
    if (!ret && request != PTRACE_LISTEN)
        e->stopped = false;
    if (!ret && e->left)
        e->at = 0;
    return ret;
}

static int64_t set_options(const struct task *t, struct tracee_entry *e, uint64_t options)
{
    int64_t ret = check_options(t, options);
    if (!ret)
        ret = host_ptrace(PTRACE_SETOPTIONS, e->tid, 0, PTRACE_O_TRACEEXEC | (options & HOST_OPTIONS));
    if (!ret) {
        e->options = (uint32_t)options;
        WRITE(e, options, (uint32_t)options);
    }
    return ret;
}

/* --- registers --- */

/* A copy of the thread's state; freed by the caller. NULL: it can't be read. */
static struct cpu *read_state(struct task *t, const struct tracee_entry *e)
{
    const struct target *target = t->abi->target;
    if (!e->at || e->now.machine != target->elf_machine || e->now.state_size != target->state_size)
        return NULL;
    struct cpu *cpu = aligned_alloc(64, ALIGN_UP(target->state_size, (size_t)64));
    if (cpu && !remote_read(e->tid, cpu, e->now.cpu, target->state_size)) {
        free(cpu);
        cpu = NULL;
    }
    return cpu;
}

/* What is different in `to`; other parts may have been written by the process's other threads meanwhile. */
static bool write_state(struct task *t, const struct tracee_entry *e, const struct cpu *from, const struct cpu *to)
{
    const char *old = (const char *)from, *new = (const char *)to;
    bool ok = true;
    for (size_t at = 0, size = t->abi->target->state_size; at < size;) {
        size_t n = 0;
        while (at + n < size && old[at + n] != new[at + n])
            n++;
        if (n)
            ok = remote_write(e->tid, e->now.cpu + at, new + at, n) && ok;
        at += n + 1;
    }
    return ok;
}

static const struct regset *regset_of(struct task *t, uint64_t note)
{
    const struct regset *r = t->abi->regsets;
    while (r->size && r->note != note)
        r++;
    return r->size ? r : NULL;
}

static int64_t set_registers(struct task *t, struct tracee_entry *e, const struct regset *r, const struct cpu *cpu,
                             char *values, const struct iovec *v)
{
    struct cpu *new = aligned_alloc(64, ALIGN_UP(t->abi->target->state_size, (size_t)64));
    if (!new)
        return -ENOMEM;
    memcpy(new, cpu, t->abi->target->state_size);
    r->get(cpu, values); /* a short vector leaves the rest */
    int64_t ret = copy_from_guest(t, values, (uintptr_t)v->iov_base, v->iov_len) ? -EFAULT
                  : !r->set(new, values)                                         ? -EINVAL
                  : !write_state(t, e, cpu, new)                                 ? -EIO
                                                                                 : 0;
    free(new);
    return ret;
}

static const struct debug_regset *debug_regset_of(struct task *t, uint64_t note)
{
    const struct debug_regset *r = t->abi->debug_regsets;
    while (r && r->size && r->note != note)
        r++;
    return r && r->size ? r : NULL;
}

static int64_t debug_registers(struct task *t, struct tracee_entry *e, const struct debug_regset *r, bool set,
                               struct iovec *v)
{
    char values[REGSET_MAX];
    if (v->iov_len % r->slot)
        return -EINVAL;
    if (!e->at)
        return -EIO;
    v->iov_len = v->iov_len < r->size ? v->iov_len : r->size;
    struct debug_points now = e->now.points[r->kind];
    if (!set) {
        r->get(&now, values);
        return copy_to_guest(t, (uintptr_t)v->iov_base, values, v->iov_len) ? -EFAULT : 0;
    }
    if (copy_from_guest(t, values, (uintptr_t)v->iov_base, v->iov_len))
        return -EFAULT;
    int64_t ret = r->set(&now, values, v->iov_len); /* what stands in front of a bad one is taken */
    return WRITE(e, points[r->kind], now) ? ret : -EIO;
}

/* PTRACE_GETREGSET and PTRACE_SETREGSET: the vector's length becomes what there was to copy. */
static int64_t registers(struct task *t, struct tracee_entry *e, bool set, uint64_t note, uint64_t vector)
{
    struct iovec v;
    char values[REGSET_MAX];
    int64_t ret = 0;
    if (get_user(t, v, vector))
        return -EFAULT;
    if (note == NT_ARM_SYSTEM_CALL && t->abi->call_number_apart) {
        int32_t number = (int32_t)e->now.number;
        v.iov_len = v.iov_len < sizeof number ? v.iov_len : sizeof number;
        if (set ? copy_from_guest(t, &number, (uintptr_t)v.iov_base, v.iov_len)
                : copy_to_guest(t, (uintptr_t)v.iov_base, &number, v.iov_len))
            return -EFAULT;
        if (set)
            WRITE(e, number, (uint32_t)number);
        return put_user(t, v, vector);
    }
    const struct debug_regset *points = debug_regset_of(t, note);
    if (points) {
        ret = debug_registers(t, e, points, set, &v);
        return ret ? ret : put_user(t, v, vector);
    }
    const struct regset *r = regset_of(t, note);
    if (!r || v.iov_len % r->slot)
        return -EINVAL;
    struct cpu *cpu = read_state(t, e);
    if (!cpu)
        return -EIO;
    v.iov_len = v.iov_len < r->size ? v.iov_len : r->size;
    if (set) {
        ret = set_registers(t, e, r, cpu, values, &v);
    } else {
        r->get(cpu, values);
        ret = copy_to_guest(t, (uintptr_t)v.iov_base, values, v.iov_len);
    }
    free(cpu);
    return ret ? ret : put_user(t, v, vector);
}

/* --- what a stop was --- */

static int64_t get_siginfo(struct task *t, const struct tracee_entry *e, uint64_t to)
{
    siginfo_t info = e->now.info;
    if (e->now.stop == STOP_GROUP)
        return -EINVAL;
    if (e->now.stop != STOP_SIGNAL) {
        bool call = e->now.stop == STOP_ENTRY || e->now.stop == STOP_EXIT;
        info = (siginfo_t){.si_signo = SIGTRAP};
        info.si_code = !call                                ? (int)(e->now.event << 8 | SIGTRAP)
                       : e->options & PTRACE_O_TRACESYSGOOD ? SIGTRAP | SYSGOOD
                                                            : SIGTRAP;
        info.si_pid = e->tid;
        info.si_uid = getuid();
    }
    return put_user(t, info, to);
}

static int64_t set_siginfo(struct task *t, struct tracee_entry *e, uint64_t from)
{
    siginfo_t info;
    if (e->now.stop != STOP_SIGNAL)
        return -EINVAL;
    if (get_user(t, info, from))
        return -EFAULT;
    e->now.info = info;
    return remote_write(e->tid, e->at + offsetof(struct tracee, info), &info, sizeof info) ? 0 : -EIO;
}

static int64_t signal_mask(struct task *t, struct tracee_entry *e, bool set, uint64_t size, uint64_t at)
{
    uint64_t mask = e->now.mask;
    if (size != sizeof mask)
        return -EINVAL;
    if (!set)
        return put_user(t, mask, at);
    if (get_user(t, mask, at))
        return -EFAULT;
    return WRITE(e, mask, mask & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))) ? 0 : -EIO;
}

/* struct ptrace_syscall_info of <linux/ptrace.h>; answers how long it is, whatever there is room for. */
static int64_t syscall_info(struct task *t, const struct tracee_entry *e, uint64_t room, uint64_t to)
{
    struct {
        uint8_t op, padding[3];
        uint32_t arch;
        uint64_t ip, sp;
        union {
            struct {
                uint64_t nr, args[6];
                uint32_t ret_data;
            } seccomp; /* and of an entry, without ret_data */
            struct {
                int64_t rval;
                uint8_t is_error;
            } exit;
        };
    } info;
    enum { HEAD = 24, ENTRY = HEAD + 56, EXIT = HEAD + 9, SECCOMP = HEAD + 60, MAX_ERRNO = 4095 };
    const struct target *target = t->abi->target;
    uint64_t n = HEAD;
    struct cpu *cpu = read_state(t, e);
    memset(&info, 0, sizeof info);
    if (!cpu)
        return -EIO;
    info.arch = target->elf_machine | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE;
    info.ip = cpu->pc;
    info.sp = t->abi->stack_pointer(cpu);
    free(cpu);
    bool seccomp = e->now.stop == STOP_EVENT && e->now.event == PTRACE_EVENT_SECCOMP;
    bool good = e->options & PTRACE_O_TRACESYSGOOD; /* else the kernel can't tell the stop from a signal's */
    if ((e->now.stop == STOP_ENTRY && good) || seccomp) {
        info.op = seccomp ? PTRACE_SYSCALL_INFO_SECCOMP : PTRACE_SYSCALL_INFO_ENTRY;
        info.seccomp.nr = (uint32_t)e->now.number;
        memcpy(info.seccomp.args, e->now.args, sizeof info.seccomp.args);
        info.seccomp.ret_data = seccomp ? e->now.seccomp_data : 0;
        n = seccomp ? SECCOMP : ENTRY;
    } else if (e->now.stop == STOP_EXIT && good) {
        info.op = PTRACE_SYSCALL_INFO_EXIT;
        info.exit.rval = e->now.result;
        info.exit.is_error = e->now.result < 0 && e->now.result >= -MAX_ERRNO;
        n = EXIT;
    }
    return copy_to_guest(t, to, &info, room < n ? room : n) ? -EFAULT : (int64_t)n;
}

/* --- memory --- */

static void add_change(pid_t pid, uint64_t changes, uint64_t addr, uint64_t n)
{
    struct code_changes c;
    if (!remote_read(pid, &c, changes, sizeof c))
        return;
    c.start = c.pending && c.start < addr ? c.start : addr;
    c.end = c.pending && c.end > addr + n ? c.end : addr + n;
    remote_write(pid, changes, &c, offsetof(struct code_changes, pending));
    c.pending = true;
    remote_write(pid, changes + offsetof(struct code_changes, pending), &c.pending, sizeof c.pending);
}

void tracer_wrote(struct task *t, pid_t pid, uint64_t addr, uint64_t n)
{
    pthread_mutex_lock(&t->process->lock);
    uint64_t changes = 0;
    for (const struct tracee_entry *e = t->process->tracees; e && !changes; e = e->next)
        if (e->at && (e->tid == pid || process_of(e->tid) == pid))
            changes = e->now.changes;
    pthread_mutex_unlock(&t->process->lock);
    struct guest_record record;
    if (changes) {
        add_change(pid, changes, addr, n);
    } else if (guest_record_read(pid, &record)) {
        add_change(pid, record.changes, addr, n);
        guest_tell(pid, trace_mark(t->process, MESSAGE_CODE), getpid());
    }
}

static int64_t poke(struct tracee_entry *e, uint64_t addr, uint64_t word)
{
    int64_t ret = host_ptrace(PTRACE_POKEDATA, e->tid, addr, word);
    if (!ret && e->at)
        add_change(e->tid, e->now.changes, addr, sizeof word);
    return ret;
}

static int64_t interrupt(struct task *t, struct tracee_entry *e)
{
    if (!e->seized)
        return -EIO;
    if (e->stopped)
        return 0;
    if (!e->at) { /* it is only just told that it is traced */
        e->interrupt = true;
        return 0;
    }
    WRITE(e, interrupted, true); /* should it be about to stop, the message is lost */
    return send(process_of(e->tid), e->tid, trace_mark(t->process, MESSAGE_INTERRUPT), 0);
}

int64_t sys_ptrace(struct task *t, const uint64_t a[6])
{
    int request = (int)a[0];
    pid_t tid = (pid_t)a[1];
    uint64_t addr = a[2], data = a[3];
    if (request == PTRACE_TRACEME)
        return tracee_me(t);
    if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
        return addr && request == PTRACE_SEIZE
                   ? -EIO
                   : attach(t, tid, request == PTRACE_SEIZE, request == PTRACE_SEIZE ? data : 0);
    struct tracee_entry *e = find(t->process, tid);
    if (!e)
        return -ESRCH;
    if (request == PTRACE_KILL)
        return host_call(SYS_tkill, tid, SIGKILL);
    if (request == PTRACE_INTERRUPT)
        return interrupt(t, e);
    if (!e->stopped)
        return -ESRCH;
    switch (request) {
    case PTRACE_SINGLESTEP:
        if (!t->abi->single_steps)
            return -EIO;
        return go_on(e, request, data);
    case PTRACE_CONT:
    case PTRACE_SYSCALL:
    case TRACE_SYSEMU:
    case PTRACE_LISTEN: return go_on(e, request, data);
    case PTRACE_DETACH: {
        int64_t ret = go_on(e, request, data);
        if (!ret)
            forget(t->process, tid);
        return ret;
    }
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA: return host_ptrace(PTRACE_PEEKDATA, tid, addr, data);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA: return poke(e, addr, data);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET: return registers(t, e, request == PTRACE_SETREGSET, addr, data);
    case PTRACE_SETOPTIONS: return set_options(t, e, data);
    case PTRACE_GETEVENTMSG: return put_user(t, e->now.message, data);
    case PTRACE_GETSIGINFO: return get_siginfo(t, e, data);
    case PTRACE_SETSIGINFO: return set_siginfo(t, e, data);
    case PTRACE_PEEKSIGINFO: return host_ptrace(request, tid, addr, data);
    case PTRACE_GETSIGMASK:
    case PTRACE_SETSIGMASK: return signal_mask(t, e, request == PTRACE_SETSIGMASK, addr, data);
    case PTRACE_SECCOMP_GET_FILTER:
        return seccomp_remote_filter(t, tid, e->at ? e->now.seccomp : 0, addr, data);
    case PTRACE_SECCOMP_GET_METADATA:
        return seccomp_remote_metadata(t, tid, e->at ? e->now.seccomp : 0, addr, data);
    case SET_USER_DISPATCH:
    case GET_USER_DISPATCH:
        return user_dispatch_ptrace(t, tid, e->at ? e->now.dispatch : 0, request == SET_USER_DISPATCH, addr, data);
    case PTRACE_GET_SYSCALL_INFO: return syscall_info(t, e, addr, data);
    default: return -EIO; /* as the kernel for requests of other architectures */
    }
}
