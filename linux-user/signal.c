/*
 * Signals of a guest process: the host handler that catches them, their delivery to the guest, and what the process's
 * dispositions and masks are on the host. See signal.h for the design and signal(7) for the rules.
 *
 * The host is asked by bare system calls: its C library reserves two signals for itself, which belong to the guest
 * here.
 */
#include "linux-user/signal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "exec/exec.h"
#include "host/calls.h"
#include "host/context.h"
#include "linux-user/core.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/trace.h"
#include "linux-user/uaccess.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

_Thread_local struct task *current_task;

enum { HOST_STACK_SIZE = 64 << 10 }; /* the host's frame with the widest vector registers, and the handler */
enum { MASK_SIZE = 8 };              /* the kernel's sigset_t */
enum { SIGRTMIN_KERNEL = 32 };       /* up to SIGRTMIN: the C library's own */
enum { HANDLER_DEFAULT = 0, HANDLER_IGNORE = 1 };
#define LINUX_SA_RESTORER 0x04000000

static const uint8_t sync_signals[SYNC_SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE};
#define SYNC_MASK (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE))
#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
/* Those that programs are ended by without a core file: signal(7). */
#define ENDING_SIGNALS                                                                                       \
    (SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGPIPE) | SIGNAL_BIT(SIGALRM) | SIGNAL_BIT(SIGTERM) | \
     SIGNAL_BIT(SIGUSR1) | SIGNAL_BIT(SIGUSR2))

/* Its place in sync_signals, or -1. */
static int sync_index(int signo)
{
    for (int i = 0; i < SYNC_SIGNALS; i++)
        if (sync_signals[i] == signo)
            return i;
    return -1;
}

static bool is_caught(const struct linux_sigaction *a)
{
    return a->handler != HANDLER_DEFAULT && a->handler != HANDLER_IGNORE;
}

enum { DISGUISED = -0x40000000, MAX_DISGUISED = 0x3fffffff }; /* si_code of what a process sent itself, minus the true one */

bool signal_disguise(int signo, siginfo_t *info)
{
    if (sync_index(signo) < 0 || info->si_code <= 0)
        return false;
    info->si_code = DISGUISED - (info->si_code < MAX_DISGUISED ? info->si_code : MAX_DISGUISED);
    return true;
}

static siginfo_t undisguised(const siginfo_t *info)
{
    siginfo_t i = *info;
    if (i.si_code < DISGUISED && i.si_code >= DISGUISED - MAX_DISGUISED)
        i.si_code = DISGUISED - i.si_code;
    return i;
}

/* --- the host's side --- */

int64_t safe_syscall(struct task *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                     uint64_t a5)
{
    int64_t ret = safe_syscall_unless(&t->signals.pending, nr, a0, a1, a2, a3, a4, a5);
    return ret == -SYS_RESTART_ALWAYS && t->shown ? -SYS_RESTART : ret;
}

/* A call that is late is ended by messages of a timer's: when the first comes, and the time between them. */
enum { LATE_NS = 100000 };

int64_t begun_syscall(struct task *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                      uint64_t a5)
{
    static const uint32_t none = 0;
    const struct itimerspec times = {{.tv_nsec = LATE_NS}, {.tv_nsec = LATE_NS}};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGSEGV};
    int32_t timer;
    int64_t ret = safe_syscall_unless(&t->signals.pending, nr, a0, a1, a2, a3, a4, a5);
    if (LIKELY(ret != -SYS_RESTART_ALWAYS || !t->shown))
        return ret;
    event.sigev_value.sival_int = trace_mark(t->process, MESSAGE_WAKE);
    event.sigev_notify_thread_id = gettid();
    if (host_call(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer))
        return -SYS_RESTART; /* too many timers: it was interrupted, then */
    t->signals.late = true;
    host_call(SYS_timer_settime, timer, 0, &times, 0);
    ret = safe_syscall_unless(&none, nr, a0, a1, a2, a3, a4, a5);
    t->signals.late = false;
    host_call(SYS_timer_delete, timer);
    return ret;
}

/* Ends guest code soon, and a call of the host's that has not begun at once: but not one that is late. */
static void leave_for_main_loop(struct task *t, ucontext_t *uc)
{
    cpu_kick(t->cpu);
    uintptr_t begin = (uintptr_t)safe_syscall_begin, restarted = (uintptr_t)safe_syscall_restarted, pc = context_pc(uc);
    if (pc == restarted)
        context_set_pc(uc, (uintptr_t)safe_syscall_interrupted);
    else if (pc - begin < restarted - begin && !t->signals.late)
        context_set_pc(uc, (uintptr_t)safe_syscall_not_begun);
}

/*
 * A signal that isn't the guest's own fault. A sync signal stays unblocked, so it waits in a place of its own; another
 * fills the task's one siginfo and leaves all signals blocked when the handler returns.
 */
void signal_caught(struct task *t, const siginfo_t *info, void *ucontext)
{
    struct task_signals *s = &t->signals;
    ucontext_t *uc = ucontext;
    int signo = info->si_signo, i = sync_index(signo);
    if (i >= 0) {
        if (!(s->held & SIGNAL_BIT(signo)))
            s->held_info[i] = undisguised(info);
        s->held |= SIGNAL_BIT(signo);
        if (s->mask & SIGNAL_BIT(signo))
            return;
        __atomic_fetch_or(&s->pending, SIGNAL_PENDING_HELD, __ATOMIC_SEQ_CST);
    } else {
        uint64_t blocked = ~SYNC_MASK;
        s->info = *info;
        memcpy(&uc->uc_sigmask, &blocked, MASK_SIZE); /* the kernel's set; the C library's type is longer */
        __atomic_fetch_or(&s->pending, SIGNAL_PENDING_INFO, __ATOMIC_SEQ_CST);
    }
    leave_for_main_loop(t, uc);
}

void signal_wake(struct task *t, void *ucontext)
{
    __atomic_fetch_or(&t->signals.pending, SIGNAL_PENDING_TRACE, __ATOMIC_SEQ_CST);
    leave_for_main_loop(t, ucontext);
}

static void set_host_default(int signo)
{
    host_sigaction(signo, &(struct host_sigaction){.handler = HANDLER_DEFAULT}, NULL);
}

static void host_handler(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    struct task *t = current_task;
    int saved_errno = errno;
    if (UNLIKELY(!t && info->si_code <= 0)) {
        /* for a thread of ours that has not become the guest's yet: its next one will do */
    } else if (UNLIKELY(t && trace_message_in(t->process, info))) {
        tracee_message(t, info, uc);
    } else if (sync_index(signo) < 0 || info->si_code <= 0 || !context_was_fault(uc, info)) {
        signal_caught(t, info, uc);
    } else if (!uaccess_host_fault(uc)) {
        t->signals.fault_access = FAULT_MEMORY | (context_fault_was_write(uc) ? FAULT_WRITE : 0);
        if (!cpu_host_fault(t->cpu, signo, info, uc)) {
            extern const char __executable_start[]; /* the linker's: where metic's file begins in memory */
            char text[160];
            int n = snprintf(text, sizeof text,
                             "metic: internal error: fault outside of guest code: signal %d at 0x%llx by metic+0x%llx\n", signo,
                             (unsigned long long)(uintptr_t)info->si_addr,
                             (unsigned long long)(context_pc(uc) - (uintptr_t)__executable_start));
            if (write(STDERR_FILENO, text, (size_t)n) < 0)
                errno = saved_errno;
            set_host_default(signo); /* the instruction runs, and faults, again */
        }
    }
    errno = saved_errno;
}

/* What the host could do by itself comes to metic, to be shown (-strace); stops are the host's. */
static bool is_shown(int signo, const struct linux_sigaction *a)
{
    const uint64_t stops = SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU);
    return log_on(LOG_STRACE) && a->handler == HANDLER_DEFAULT && !(SIGNAL_BIT(signo) & (stops | SIGNAL_BIT(SIGKILL)));
}

/* metic ends the process by itself, at a precise point. */
static bool ends_itself(const struct process *p, int signo, const struct linux_sigaction *a)
{
    return p->actions.ends_itself && a->handler == HANDLER_DEFAULT && ENDING_SIGNALS & SIGNAL_BIT(signo);
}

/* The disposition of the host that makes the guest's true; flags about children are the kernel's to keep. */
static int64_t give_host_action(const struct process *p, int signo, const struct linux_sigaction *a)
{
    bool dumps = a->handler == HANDLER_DEFAULT && CORE_SIGNALS & SIGNAL_BIT(signo); /* not the emulator's core */
    bool debugged = a->handler == HANDLER_DEFAULT && debug_catches(p, signo);
    struct host_sigaction h = {.handler = a->handler, .flags = a->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)};
    if (is_caught(a) || dumps || debugged || ends_itself(p, signo, a) || is_shown(signo, a) || sync_index(signo) >= 0) {
        h.handler = (uintptr_t)host_handler;
        /* SA_RESTART: the kernel shows by what it does which calls it would restart (host/calls.h). */
        h.flags |= SA_SIGINFO | SA_ONSTACK | SA_RESTART;
        h.mask = ~SYNC_MASK;
    }
    return host_sigaction(signo, &h, NULL);
}

/*
 * The first process of a pid namespace is spared what it has no handler for: there the kernel has to see that it has
 * none.
 */
static bool may_catch_defaults(const struct process *p) { return getpid() != 1 && !p->actions.leaves_defaults; }

void signals_start(struct process *p)
{
    p->actions.ends_itself = exec_stores(p->exec) && may_catch_defaults(p); /* having stored its translations */
    for (int s = 1; s <= LINUX_NSIG; s++) {
        struct host_sigaction old;
        if (host_sigaction(s, NULL, &old))
            continue;
        p->actions.action[s] = (struct linux_sigaction){.handler = old.handler == HANDLER_IGNORE};
        const struct linux_sigaction *a = &p->actions.action[s];
        if ((SYNC_MASK | CORE_SIGNALS) & SIGNAL_BIT(s) || debug_catches(p, s) || ends_itself(p, s, a) || is_shown(s, a))
            give_host_action(p, s, a);
    }
}

void signals_end_in_order(struct process *p)
{
    if (p->actions.ends_itself || !may_catch_defaults(p))
        return;
    p->actions.ends_itself = true;
    for (int s = 1; s <= LINUX_NSIG; s++)
        if (ENDING_SIGNALS & SIGNAL_BIT(s))
            give_host_action(p, s, &p->actions.action[s]);
}

void signals_leave_defaults(struct process *p)
{
    pthread_mutex_lock(&p->lock);
    bool did = p->actions.ends_itself;
    p->actions.ends_itself = false;
    p->actions.leaves_defaults = true;
    for (int s = 1; s <= LINUX_NSIG; s++)
        if (did && ENDING_SIGNALS & SIGNAL_BIT(s))
            give_host_action(p, s, &p->actions.action[s]);
    pthread_mutex_unlock(&p->lock);
}

void signals_fork_child(struct process *p)
{
    if (p->actions.ends_itself && !may_catch_defaults(p))
        signals_leave_defaults(p);
}

void signals_retake(struct process *p)
{
    pthread_mutex_lock(&p->lock);
    for (int s = SIGRTMIN_KERNEL; s < SIGRTMIN; s++)
        give_host_action(p, s, &p->actions.action[s]);
    pthread_mutex_unlock(&p->lock);
}

int64_t signal_set_action(struct process *p, int signo, const struct linux_sigaction *new, struct linux_sigaction *old)
{
    int64_t ret = 0;
    pthread_mutex_lock(&p->lock);
    struct linux_sigaction *a = &p->actions.action[signo];
    if (old)
        *old = *a;
    if (new) {
        *a = *new;
        a->mask &= ~UNBLOCKABLE;
        ret = give_host_action(p, signo, a);
    }
    pthread_mutex_unlock(&p->lock);
    return ret;
}

bool signal_host_stack_start(struct task *t)
{
    void *p = mmap(NULL, HOST_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (p == MAP_FAILED)
        return false;
    stack_t s = {.ss_sp = p, .ss_size = HOST_STACK_SIZE};
    host_call(SYS_sigaltstack, &s, 0);
    t->signals.host_stack = p;
    return true;
}

void signal_host_stack_end(struct task *t)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    host_call(SYS_sigaltstack, &off, 0);
    munmap(t->signals.host_stack, HOST_STACK_SIZE);
}

void task_signals_forget(struct task *other)
{
    munmap(other->signals.host_stack, HOST_STACK_SIZE);
}

bool task_signals_start(struct task *t)
{
    if (!signal_host_stack_start(t))
        return false;
    current_task = t;
    signal_set_mask(t, t->signals.mask);
    return true;
}

void task_signals_end(struct task *t)
{
    struct task_signals *s = &t->signals;
    if (s->pending & SIGNAL_PENDING_INFO && s->info.si_code != SI_TKILL)
        /* It was sent to the process: another thread may take it. */
        host_call(SYS_rt_sigqueueinfo, getpid(), s->info.si_signo, &s->info);
    current_task = NULL;
    signal_host_stack_end(t);
}

/* --- masks --- */

/* False while a signal is pending: the host's mask then stays as it is. */
static bool give_host_mask(struct task *t, uint64_t mask)
{
    mask &= ~SYNC_MASK;
    return safe_syscall(t, SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&mask, 0, MASK_SIZE, 0, 0) == 0;
}

/* A held signal that the mask lets through is to be delivered. */
static void look_at_held(struct task *t)
{
    if (t->signals.held & ~t->signals.mask)
        __atomic_fetch_or(&t->signals.pending, SIGNAL_PENDING_HELD, __ATOMIC_SEQ_CST);
}

void signal_set_mask(struct task *t, uint64_t mask)
{
    t->signals.mask = mask & ~UNBLOCKABLE;
    look_at_held(t);
    give_host_mask(t, t->signals.mask);
}

bool signal_try_mask(struct task *t, uint64_t mask)
{
    mask &= ~UNBLOCKABLE;
    if (!give_host_mask(t, mask))
        return false;
    t->signals.mask = mask;
    look_at_held(t);
    return true;
}

void signal_use_mask(struct task *t, uint64_t mask)
{
    struct task_signals *s = &t->signals;
    if (!s->has_saved_mask)
        s->saved_mask = s->mask;
    s->has_saved_mask = true;
    s->mask = mask & ~UNBLOCKABLE;
    look_at_held(t);
}

bool signal_block_all(struct task *t)
{
    return give_host_mask(t, ~UINT64_C(0));
}

void signal_hold_messages(bool hold)
{
    const uint64_t set = SIGNAL_BIT(SIGSEGV);
    host_call(SYS_rt_sigprocmask, hold ? SIG_BLOCK : SIG_UNBLOCK, &set, 0, MASK_SIZE);
}

/* --- delivery --- */

/* The next signal to deliver, taken off; 0: none. */
static int take_pending(struct task *t, siginfo_t *info)
{
    struct task_signals *s = &t->signals;
    if (__atomic_load_n(&s->pending, __ATOMIC_SEQ_CST) & SIGNAL_PENDING_INFO) {
        *info = s->info;
        __atomic_fetch_and(&s->pending, ~SIGNAL_PENDING_INFO, __ATOMIC_SEQ_CST);
        return info->si_signo;
    }
    __atomic_fetch_and(&s->pending, ~SIGNAL_PENDING_HELD, __ATOMIC_SEQ_CST);
    for (int i = 0; i < SYNC_SIGNALS; i++) {
        uint64_t bit = SIGNAL_BIT(sync_signals[i]);
        if (s->held & ~s->mask & bit) {
            *info = s->held_info[i];
            __atomic_fetch_and(&s->held, ~bit, __ATOMIC_SEQ_CST);
            look_at_held(t);
            return sync_signals[i];
        }
    }
    return 0;
}

/* The action to take now; one-shot handlers are reset. */
static struct linux_sigaction take_action(struct process *p, int signo)
{
    pthread_mutex_lock(&p->lock);
    struct linux_sigaction *now = &p->actions.action[signo], a = *now;
    if (is_caught(&a) && a.flags & SA_RESETHAND) {
        now->handler = HANDLER_DEFAULT;
        give_host_action(p, signo, now);
    }
    pthread_mutex_unlock(&p->lock);
    return a;
}

void signal_die(struct task *t, const siginfo_t *info)
{
    struct rlimit no_core = {0, 0}, limit;
    uint64_t none = 0;
    int signo = info->si_signo;
    process_ends(t);
    if (CORE_SIGNALS & SIGNAL_BIT(signo))
        core_dump(t, info);
    if (log_on(LOG_STRACE))
        trace_killed(t, signo);
    process_save(t);
    /*
     * What the host would dump is the emulator: not to a file, not to a program either. A tracer has to look into the
     * process once more, which only its like may with one that can't be dumped; a limit of 1 keeps programs from it,
     * too.
     */
    if (t->tracee.active && !getrlimit(RLIMIT_CORE, &limit) && limit.rlim_max)
        no_core = (struct rlimit){1, limit.rlim_max};
    else
        host_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    host_call(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, 0);
    set_host_default(signo);
    tracee_pass(t, signo);
    debug_ended(t, GDB_KILLED, signo);
    host_call(SYS_tgkill, getpid(), gettid(), signo);
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, MASK_SIZE);
    process_exit(t, 128 + signo); /* the first process of a container survives its own signals */
}

/* The default action of a signal that was caught before its handler was taken away. */
static void default_action(struct task *t, const siginfo_t *info)
{
    int signo = info->si_signo;
    switch (signo) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
        break;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: /* the host's own disposition stops the process as soon as its mask is the guest's */
        tracee_pass(t, signo);
        host_call(SYS_tgkill, getpid(), gettid(), signo);
        break;
    default:
        signal_die(t, info);
    }
}

static uint64_t restart_number(const struct syscall_abi *abi)
{
    uint64_t n = 0;
    while (abi->calls[n] != CALL_restart_syscall)
        n++;
    return n;
}

/* What an interrupted call answers when the handler of `a` is about to run, or (NULL) none is. */
static void finish_call(struct task *t, int64_t result, const struct linux_sigaction *a)
{
    bool restart;
    switch (result) {
    case -SYS_KEEP_REGS:
        return;
    case -SYS_RESTART:
        restart = !a || a->flags & SA_RESTART;
        break;
    case -SYS_RESTART_ALWAYS: restart = true; break;
    case -SYS_RESTART_BLOCK:
        if (a)
            t->restart.call = CALL_unknown;
        else
            t->abi->set_number(t->cpu, restart_number(t->abi->syscalls));
        restart = !a;
        break;
    case -SYS_RESTART_NOHAND: restart = !a; break;
    default:
        t->abi->set_result(t->cpu, result);
        return;
    }
    uint64_t behind = t->cpu->pc;
    if (restart) {
        t->abi->restart_syscall(t->cpu);
        t->debug.restarted.result = result;
        t->debug.restarted.pc = t->cpu->pc;
        t->debug.restarted.behind = behind;
    } else {
        t->abi->set_result(t->cpu, -EINTR);
    }
}

static bool uses_signal_stack(const struct task *t, const struct linux_sigaction *a, uint64_t sp)
{
    const struct linux_stack *s = &t->signals.altstack;
    return a->flags & SA_ONSTACK && !(s->flags & SS_DISABLE) && s->size && !on_signal_stack(s, sp);
}

/* Makes the guest's registers those of its handler's start. */
static void enter_handler(struct task *t, const siginfo_t *info, const struct linux_sigaction *a, uint32_t access)
{
    struct task_signals *s = &t->signals;
    int signo = info->si_signo;
    uint64_t sp = t->abi->stack_pointer(t->cpu);
    struct signal_frame f = {
        .signo = signo,
        .info = info,
        .siginfo = a->flags & SA_SIGINFO,
        .handler = a->handler,
        .restorer = t->abi->sa_restorer && a->flags & LINUX_SA_RESTORER ? a->restorer : t->process->sigreturn,
        .sp = uses_signal_stack(t, a, sp) ? s->altstack.sp + s->altstack.size : sp,
        .mask = s->has_saved_mask ? s->saved_mask : s->mask,
        .stack = s->altstack,
        .fault_access = access,
        .fault_address = access ? (uintptr_t)info->si_addr : 0,
    };
    if (t->abi->setup_frame(t, &f)) {
        if (signo == SIGSEGV)
            signal_die(t, &(siginfo_t){.si_signo = SIGSEGV, .si_code = SI_KERNEL});
        signal_force(t, SIGSEGV, SI_KERNEL, 0);
        return;
    }
    if (s->altstack.flags & (int32_t)SS_AUTODISARM_FLAG)
        s->altstack = (struct linux_stack){.flags = SS_DISABLE};
    s->has_saved_mask = false;
    signal_set_mask(t, s->mask | a->mask | (a->flags & SA_NODEFER ? 0 : SIGNAL_BIT(signo)));
}

static void trace_delivery(struct task *t, const siginfo_t *info)
{
    if (log_on(LOG_STRACE))
        trace_signal(t, info->si_signo, info);
    if (log_on(LOG_INT))
        log_printf("signal %d code %d at pc 0x%llx\n", info->si_signo, info->si_code,
                   (unsigned long long)t->cpu->pc);
}

/* A call that is in progress (*in_call) is finished in front of a handler. */
static void act(struct task *t, const siginfo_t *info, bool *in_call, int64_t result)
{
    trace_delivery(t, info);
    struct linux_sigaction a = take_action(t->process, info->si_signo);
    if (a.handler == HANDLER_DEFAULT)
        default_action(t, info);
    if (is_caught(&a)) {
        if (*in_call)
            finish_call(t, result, &a);
        *in_call = false;
        enter_handler(t, info, &a, 0);
    }
}

void signal_act(struct task *t, const siginfo_t *info)
{
    bool in_call = false;
    act(t, info, &in_call, 0);
}

void signal_act_in_call(struct task *t, const siginfo_t *info, int64_t result)
{
    bool in_call = true;
    act(t, info, &in_call, result);
    if (in_call)
        finish_call(t, result, NULL);
}

/* The next signal to act on, after the tracer; 0: none. */
static int next_signal(struct task *t, siginfo_t *info)
{
    struct task_signals *s = &t->signals;
    if (__atomic_fetch_and(&s->pending, ~SIGNAL_PENDING_TRACE, __ATOMIC_SEQ_CST) & SIGNAL_PENDING_TRACE &&
        tracee_pending(t, info))
        return info->si_signo;
    int signo;
    while ((signo = take_pending(t, info)) && !(tracee_signal(t, info) && debug_signal(t, info)))
        continue;
    return signo ? info->si_signo : 0;
}

void signals_deliver(struct task *t, bool in_call, int64_t result)
{
    struct task_signals *s = &t->signals;
    siginfo_t info;
    do {
        while (next_signal(t, &info))
            act(t, &info, &in_call, result);
        if (in_call)
            finish_call(t, result, NULL);
        in_call = false;
        if (s->has_saved_mask)
            s->mask = s->saved_mask;
        s->has_saved_mask = false;
        look_at_held(t);
    } while (!give_host_mask(t, s->mask) || s->pending);
}

void signal_force_info(struct task *t, const siginfo_t *info)
{
    uint32_t access = t->signals.fault_access;
    t->signals.fault_access = 0;
    siginfo_t own = *info;
    bool blocked = t->signals.mask & SIGNAL_BIT(info->si_signo);
    if (!tracee_signal(t, &own) || !debug_signal(t, &own))
        return;
    trace_delivery(t, &own);
    struct linux_sigaction a = take_action(t->process, own.si_signo);
    if (own.si_signo != info->si_signo && !is_caught(&a)) {
        if (a.handler == HANDLER_DEFAULT)
            default_action(t, &own);
        return;
    }
    if (!is_caught(&a) || blocked)
        signal_die(t, &own);
    enter_handler(t, &own, &a, access);
}

void signal_force(struct task *t, int signo, int code, uint64_t addr)
{
    siginfo_t info = {.si_signo = signo, .si_code = code};
    if (code != SI_KERNEL)
        info.si_addr = (void *)(uintptr_t)addr;
    signal_force_info(t, &info);
}

int signal_set_stack(struct task *t, const struct linux_stack *s, uint64_t sp)
{
    struct linux_stack *now = &t->signals.altstack;
    uint32_t mode = (uint32_t)s->flags & ~SS_AUTODISARM_FLAG;
    if (on_signal_stack(now, sp))
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        *now = (struct linux_stack){.flags = s->flags};
        return 0;
    }
    if (s->size < t->abi->altstack_min)
        return -ENOMEM;
    *now = *s;
    return 0;
}

/* --- execve --- */

void signals_before_exec(struct task *t)
{
    /* Caught signals are reset by the host's own execve; these are always caught on the host. */
    for (int i = 0; i < SYNC_SIGNALS; i++)
        if (t->process->actions.action[sync_signals[i]].handler == HANDLER_IGNORE)
            host_sigaction(sync_signals[i], &(struct host_sigaction){.handler = HANDLER_IGNORE}, NULL);
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &t->signals.mask, 0, MASK_SIZE);
}

void signals_after_failed_exec(struct task *t)
{
    for (int i = 0; i < SYNC_SIGNALS; i++)
        give_host_action(t->process, sync_signals[i], &t->process->actions.action[sync_signals[i]]);
    signal_set_mask(t, t->signals.mask);
}
