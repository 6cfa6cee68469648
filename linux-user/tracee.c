/* The traced thread's side of ptrace(2): see tracee.h. A stop is a signal to itself that the host intercepts. */
#include "linux-user/tracee.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>

#include "base/bits.h"
#include "exec/debug.h"
#include "exec/exec.h"
#include "exec/target.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"
#include "linux-user/thread.h"

enum { DEPTH_SHIFT = 16 };
enum { EVENTMSG_SYSCALL_ENTRY = 1, EVENTMSG_SYSCALL_EXIT = 2 }; /* PTRACE_… of <linux/ptrace.h> */

int trace_mark(const struct process *p, int message) { return message + (int)(p->record.depth << DEPTH_SHIFT); }

int trace_message_in(const struct process *p, const siginfo_t *info)
{
    int mark = info->si_code == SI_TIMER ? info->si_value.sival_int : info->si_errno;
    int message = mark - (int)(p->record.depth << DEPTH_SHIFT);
    return info->si_signo == SIGSEGV && (message & ~0xffff) == TRACE_MESSAGE ? message : 0;
}

/* --- stopping --- */

static void tell_tracer(struct task *t, int message)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_errno = trace_mark(t->process, message), .si_code = SI_QUEUE};
    struct tracee *e = &t->tracee;
    e->version = TRACEE_VERSION;
    e->size = sizeof *e;
    e->machine = t->abi->target->elf_machine;
    e->state_size = (uint32_t)t->abi->target->state_size;
    e->cpu = (uintptr_t)t->cpu;
    e->changes = (uintptr_t)&t->process->code_changes;
    e->seccomp = (uintptr_t)&t->seccomp;
    e->dispatch = (uintptr_t)&t->dispatch;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = e;
    /*
     * The host stops the thread here until the tracer has it go on. The signal does not queue: with another message on
     * its way it would be lost.
     */
    uint32_t asked = message == MESSAGE_STOP ? ++e->asked : e->asked;
    do
        host_call(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGSEGV, &info);
    while (message == MESSAGE_STOP && e->active && __atomic_load_n(&e->answered, __ATOMIC_SEQ_CST) != asked);
}

static void forget_changed_code(struct process *p)
{
    struct code_changes *c = &p->code_changes;
    if (__atomic_exchange_n(&c->pending, 0, __ATOMIC_SEQ_CST))
        mm_overwritten(p->mm, c->start, c->end);
}

/* --- hardware breakpoints and watchpoints: the thread runs interpreted while there are some --- */

static bool has_points(const struct tracee *e)
{
    for (unsigned kind = 0; kind < POINT_KINDS; kind++)
        for (unsigned i = 0; i < DEBUG_POINTS; i++)
            if (e->points[kind].point[i].enabled)
                return true;
    return false;
}

/* Which accesses to n bytes at `address` are looked for; *first: the lowest such byte. */
static unsigned looked_for(const struct tracee *e, uint64_t address, uint64_t n, uint64_t *first)
{
    unsigned found = 0;
    for (unsigned i = 0; i < DEBUG_POINTS; i++) {
        const struct debug_point *p = &e->points[WATCHPOINTS].point[i];
        if (!p->enabled || address > p->address + (p->length - 1) || address + (n - 1) < p->address)
            continue;
        uint64_t from = p->address > address ? p->address : address;
        *first = found && *first < from ? *first : from;
        found |= p->access;
    }
    return found;
}

static bool breaks(const struct tracee *e, uint64_t pc)
{
    for (unsigned i = 0; i < DEBUG_POINTS; i++)
        if (e->points[BREAKPOINTS].point[i].enabled && e->points[BREAKPOINTS].point[i].address == pc)
            return true;
    return false;
}

/* What a debugger of the whole process wants, too. */
static bool breaks_at(const void *opaque, uint64_t pc)
{
    const struct task *t = opaque;
    return breaks(&t->tracee, pc) || exec_has_breakpoint(t->process->exec, pc);
}

static unsigned watched(const void *opaque, uint64_t address, uint64_t n, uint64_t *first)
{
    const struct task *t = opaque;
    unsigned own = looked_for(&t->tracee, address, n, first);
    return own ? own : exec_watched(t->process->exec, address, n, first);
}

struct cpu_watcher tracee_watcher(const struct task *t) { return (struct cpu_watcher){t, breaks_at, watched}; }

bool tracee_hit(struct task *t)
{
    const struct cpu *cpu = t->cpu;
    uint64_t at = cpu->pc, first;
    if (!(t->watch & WATCH_POINTS))
        return false;
    if (cpu->exit_detail == DEBUG_BREAKPOINT ? !breaks(&t->tracee, at)
                                             : !looked_for(&t->tracee, at = cpu->fault_addr, 1, &first))
        return false;
    signal_force(t, SIGTRAP, TRAP_HWBKPT, at);
    return true;
}

/* How the thread goes on is told to the main loop by its watch bits. */
static void obey(struct task *t)
{
    struct tracee *e = &t->tracee;
    e->stop = STOP_NONE;
    if (e->interrupted)
        __atomic_fetch_or(&t->signals.pending, SIGNAL_PENDING_TRACE, __ATOMIC_SEQ_CST);
    forget_changed_code(t->process);
    if (e->mask != t->signals.mask)
        signal_set_mask(t, e->mask);
    if (e->active)
        __atomic_fetch_or(&t->watch, WATCH_TRACE, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&t->watch, ~(WATCH_TRACE | WATCH_STEP), __ATOMIC_SEQ_CST);
    exec_allow_background(t->process->exec, !e->active);
    user_dispatch_watch(t);
    if (has_points(e))
        __atomic_fetch_or(&t->watch, WATCH_POINTS, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&t->watch, ~WATCH_POINTS, __ATOMIC_SEQ_CST);
    if (e->active && e->resume == PTRACE_SINGLESTEP)
        __atomic_fetch_or(&t->watch, WATCH_STEP, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&t->watch, ~WATCH_STEP, __ATOMIC_SEQ_CST);
}

static void stop(struct task *t, enum tracee_stop kind)
{
    struct tracee *e = &t->tracee;
    exec_allow_background(t->process->exec, false); /* SIGSTOP, which nobody can block, would be taken by that thread */
    e->stop = kind;
    e->mask = t->signals.mask;
    e->signal = 0;
    e->resume = PTRACE_CONT;
    tell_tracer(t, MESSAGE_STOP);
    obey(t);
}

/* In front of a call and behind it: a signal that the tracer sends the thread on with comes as one of the kernel's. */
static void stop_at_call(struct task *t, enum tracee_stop kind)
{
    t->tracee.message = kind == STOP_ENTRY ? EVENTMSG_SYSCALL_ENTRY : EVENTMSG_SYSCALL_EXIT;
    stop(t, kind);
    siginfo_t info = {.si_signo = (int)t->tracee.signal, .si_code = SI_KERNEL};
    int signo = info.si_signo;
    if (!signo)
        return;
    signal_disguise(signo, &info);
    host_call(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signo, &info);
}

static void stop_event(struct task *t, unsigned event, uint64_t message)
{
    t->tracee.event = event;
    t->tracee.message = message;
    stop(t, STOP_EVENT);
}

int64_t tracee_me(struct task *t)
{
    int64_t ret = host_call(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    if (!ret) {
        memset(&t->tracee, 0, sizeof t->tracee);
        t->tracee.active = true;
        __atomic_fetch_or(&t->watch, WATCH_TRACE, __ATOMIC_SEQ_CST);
    }
    return ret;
}

void tracee_message(struct task *t, const siginfo_t *info, void *ucontext)
{
    struct tracee *e = &t->tracee;
    siginfo_t own = *info;
    int message = trace_message_in(t->process, info), signo = message & 0xff;
    switch (message & ~0xff) {
    case MESSAGE_REDIRECT:
        own.si_signo = signo & ~REDIRECT_ERRNO;
        own.si_errno = 0;
        if (signo & REDIRECT_ERRNO) {
            memcpy(&own.si_errno, (char *)&own + REDIRECT_ERRNO_AT, sizeof own.si_errno);
            memset((char *)&own + REDIRECT_ERRNO_AT, 0, sizeof own.si_errno);
        }
        signal_caught(t, &own, ucontext);
        return;
    case MESSAGE_START:
        /* Perhaps in the middle of the stop that another tracer has just let go: what that looks at stays. */
        e->options = e->first = e->interrupted = e->passing = 0;
        e->active = true;
        e->seized = info->si_value.sival_int & START_SEIZED;
        e->attached = info->si_value.sival_int & START_STOP;
        __atomic_fetch_or(&t->watch, WATCH_TRACE, __ATOMIC_SEQ_CST);
        tell_tracer(t, MESSAGE_HELLO);
        if (e->attached)
            signal_wake(t, ucontext);
        return;
    case MESSAGE_INTERRUPT:
        e->interrupted = e->active;
        signal_wake(t, ucontext);
        return;
    case MESSAGE_WAKE: signal_wake(t, ucontext); return;
    case MESSAGE_CODE:
        signal_wake(t, ucontext);
        return;
    case MESSAGE_DUMPED: {
        struct process *p = t->process;
        uint32_t n = __atomic_fetch_add(&p->ndumped, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&p->dumped[n % ARRAY_SIZE(p->dumped)], info->si_pid, __ATOMIC_SEQ_CST);
        return;
    }
    default: /* our own has come back: nobody traces any more */
        e->active = false;
        e->signal = e->stop == STOP_SIGNAL ? (uint32_t)e->info.si_signo : 0;
        return;
    }
}

/* --- signals --- */

bool tracee_signal(struct task *t, siginfo_t *info)
{
    struct tracee *e = &t->tracee;
    if (!e->active)
        return true;
    e->info = *info;
    e->message = 0;
    stop(t, STOP_SIGNAL);
    int signo = (int)e->signal;
    if (!signo)
        return false;
    *info = signo == e->info.si_signo ? e->info : (siginfo_t){.si_signo = signo, .si_code = SI_USER};
    return true;
}

bool tracee_pending(struct task *t, siginfo_t *info)
{
    struct tracee *e = &t->tracee;
    forget_changed_code(t->process);
    if (!e->active)
        return false;
    bool first = e->first, attached = e->attached, interrupted = e->interrupted;
    e->first = e->attached = e->interrupted = false;
    if (e->seized && (first || interrupted))
        stop_event(t, PTRACE_EVENT_STOP, 0);
    if (e->active && !e->seized && (first || attached)) {
        *info = (siginfo_t){.si_signo = SIGSTOP, .si_code = SI_USER};
        return tracee_signal(t, info);
    }
    return false;
}

void tracee_pass(struct task *t, int signo) { t->tracee.passing = (uint32_t)signo; }

void tracee_stepped(struct task *t)
{
    siginfo_t info = {.si_signo = SIGTRAP, .si_code = TRAP_TRACE};
    info.si_addr = (void *)(uintptr_t)t->cpu->pc;
    signal_force_info(t, &info);
}

/* --- system calls --- */

/* What the registers ask for now; the number of the ABI's that keep it apart is changed on its own. */
static void read_call(struct task *t, uint64_t *number, uint64_t a[6])
{
    uint64_t by_registers = t->abi->syscall_args(t->cpu, a);
    *number = t->abi->call_number_apart ? t->tracee.number : by_registers;
}

static void note_call(struct task *t, uint64_t number, const uint64_t a[6])
{
    t->tracee.number = number;
    memcpy(t->tracee.args, a, sizeof t->tracee.args);
}

bool tracee_enter(struct task *t, uint64_t *number, uint64_t a[6])
{
    struct tracee *e = &t->tracee;
    if (!e->active || (e->resume != PTRACE_SYSCALL && e->resume != TRACE_SYSEMU))
        return true;
    bool emulates = e->resume == TRACE_SYSEMU;
    note_call(t, *number, a);
    t->shown = true;
    stop_at_call(t, STOP_ENTRY);
    read_call(t, number, a);
    return !emulates && (int32_t)*number != -1;
}

bool tracee_seccomp(struct task *t, uint32_t data, uint64_t *number, uint64_t a[6], bool *skip)
{
    struct tracee *e = &t->tracee;
    if (!e->active || !(e->options & PTRACE_O_TRACESECCOMP))
        return false;
    note_call(t, *number, a);
    e->seccomp_data = data;
    t->shown = true;
    stop_event(t, PTRACE_EVENT_SECCOMP, data);
    read_call(t, number, a);
    *skip = (int32_t)*number == -1;
    return true;
}

bool tracee_suspends_seccomp(const struct task *t)
{
    return t->tracee.active && t->tracee.options & TRACE_O_SUSPEND_SECCOMP;
}

int64_t tracee_exit(struct task *t, int64_t result, uint64_t first_argument)
{
    struct tracee *e = &t->tracee;
    uint64_t a[6];
    if (!e->active || e->resume != PTRACE_SYSCALL || t->exiting)
        return result;
    if (result != -SYS_KEEP_REGS)
        t->abi->set_result(t->cpu, result);
    t->abi->syscall_args(t->cpu, a);
    e->result = (int64_t)a[0];
    stop_at_call(t, STOP_EXIT);
    if (result == -SYS_KEEP_REGS)
        return result;
    t->abi->syscall_args(t->cpu, a);
    bool restarts = result <= -SYS_RESTART && result >= -SYS_RESTART_BLOCK;
    if (restarts && (int64_t)a[0] == result) {
        t->abi->set_result(t->cpu, (int64_t)first_argument); /* a restart needs it */
        return result;
    }
    return (int64_t)a[0];
}

/* --- children --- */

/* The event that ptrace(2) has for such a child, by its option's bit; as the kernel chooses. */
static unsigned event_of(const struct clone_request *r)
{
    return r->flags & CLONE_VFORK                                 ? PTRACE_EVENT_VFORK
           : r->flags & CLONE_THREAD || r->exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE
                                                                  : PTRACE_EVENT_FORK;
}

static bool wants(const struct task *t, unsigned event) { return t->tracee.active && t->tracee.options >> event & 1; }

void tracee_fork_begin(struct task *t) { t->tracee.forking = true; }

void tracee_fork_pause(struct task *t, bool paused) { t->tracee.forking = !paused; }

void tracee_fork_end(struct task *t, const struct clone_request *r, int64_t result)
{
    t->tracee.forking = false;
    /* For vfork the host's own event serves, which comes while the parent waits. */
    if (result > 0 && !(r->flags & CLONE_VFORK) && wants(t, event_of(r)))
        stop_event(t, event_of(r), (uint64_t)result);
}

void tracee_begin(struct task *t)
{
    if (t->tracee.first)
        __atomic_fetch_or(&t->signals.pending, SIGNAL_PENDING_TRACE, __ATOMIC_SEQ_CST);
}

void tracee_born(struct task *child, const struct task *maker, const struct clone_request *r)
{
    const struct tracee old = maker->tracee;
    struct tracee *e = &child->tracee;
    memset(e, 0, sizeof *e);
    __atomic_fetch_and(&child->watch, ~(WATCH_TRACE | WATCH_STEP | WATCH_POINTS), __ATOMIC_SEQ_CST);
    if (!old.active || r->flags & CLONE_UNTRACED || !(old.options >> event_of(r) & 1 || r->flags & CLONE_PTRACE))
        return;
    e->active = true;
    e->seized = old.seized;
    e->options = old.options;
    e->first = true;
    __atomic_fetch_or(&child->watch, WATCH_TRACE, __ATOMIC_SEQ_CST);
    if (child == maker) /* in a fork's child; threads begin with it */
        tracee_begin(child);
}

void tracee_leave(struct task *t)
{
    if (wants(t, PTRACE_EVENT_EXIT))
        stop_event(t, PTRACE_EVENT_EXIT, (uint64_t)(t->exit_code & 0xff) << 8);
}

/* --- execve --- */

struct saved_tracee {
    uint32_t active, seized, options, resume;
    uint64_t number, message; /* PTRACE_GETEVENTMSG of the exec event: the thread's id until now */
};

bool tracee_save(const struct task *t, FILE *f)
{
    const struct tracee *e = &t->tracee;
    struct saved_tracee s = {e->active, e->seized, e->options, e->resume, e->number, (uint64_t)gettid()};
    return fwrite(&s, sizeof s, 1, f) == 1;
}

bool tracee_restore(struct task *t, FILE *f)
{
    struct saved_tracee s;
    if (fread(&s, sizeof s, 1, f) != 1)
        return false;
    t->tracee = (struct tracee){.active = s.active,
                                .seized = s.seized,
                                .options = s.options,
                                .resume = s.resume,
                                .number = s.number,
                                .message = s.message};
    if (s.active)
        t->watch |= WATCH_TRACE;
    return true;
}

void tracee_started(struct task *t)
{
    struct tracee *e = &t->tracee;
    if (!e->active)
        return;
    t->tid = gettid();
    if (e->options & PTRACE_O_TRACEEXEC) {
        stop_event(t, PTRACE_EVENT_EXEC, e->message);
        tracee_exit(t, -SYS_KEEP_REGS, 0);
    } else if (!e->seized) {
        tracee_exit(t, -SYS_KEEP_REGS, 0);
        siginfo_t info = {.si_signo = SIGTRAP, .si_code = SI_USER};
        info.si_pid = getpid();
        info.si_uid = getuid();
        if (tracee_signal(t, &info))
            signal_act(t, &info);
    } else {
        tracee_exit(t, -SYS_KEEP_REGS, 0);
    }
}
