/* Guest threads under a debugger: stopping, standing still, going on. See debug.h. */
#include "linux-user/debug-internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/eventfd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/own-fds.h"
#include "exec/debug.h"
#include "exec/exec.h"
#include "linux-user/core.h"
#include "linux-user/host.h"
#include "linux-user/trace.h"

enum {
    STAND_TRIES = 200,
    STAND_NS = 500000,
    CALL_TRIES = 40
}; /* 100 ms; after 20 ms a thread in a call counts as standing */

struct gdb_id debug_id(const struct task *t) { return (struct gdb_id){t->process->debug->pid, t->tid}; }

struct debug *debug_new(struct process *p, int connection)
{
    struct debug *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->process = p;
    d->connection = connection;
    d->event = eventfd(0, EFD_CLOEXEC);
    if (d->event >= 0)
        d->event = fd_hide(d->event);
    d->ncalls = -1;
    d->gdb = d->child_fd = -1;
    d->pid = getpid();
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->ends_lock, NULL);
    pthread_cond_init(&d->go, NULL);
    pthread_cond_init(&d->served, NULL);
    return d;
}

void debug_take_manners(struct debug *d, const struct debug *from)
{
    d->session.no_ack = true; /* gdb's connection is another's */
    d->session.processes = from->session.processes;
    d->session.points_told = from->session.points_told;
    d->session.knows = from->session.knows;
    d->pass = from->pass;
    d->ncalls = from->ncalls;
    memcpy(d->calls, from->calls, sizeof d->calls);
}

bool debug_on(const struct process *p) { return p->debug && !__atomic_load_n(&p->debug->detached, __ATOMIC_RELAXED); }

static bool is_on(const struct task *t) { return debug_on(t->process); }

/* --- stopping --- */

/* Out of the guest's code, and out of a call of the host's. */
static void call_out(struct task *t)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_errno = trace_mark(t->process, MESSAGE_WAKE), .si_code = SI_QUEUE};
    cpu_kick(t->cpu);
    if (__atomic_load_n(&t->in_call, __ATOMIC_SEQ_CST))
        host_call(SYS_rt_tgsigqueueinfo, t->process->debug->pid, t->tid, SIGSEGV, &info);
}

static bool stands(const struct task *t, unsigned tries)
{
    const struct task_debug *e = &t->debug;
    return e->standing || e->leaving || !t->tid || __atomic_load_n(&t->parked, __ATOMIC_SEQ_CST) ||
           (tries >= CALL_TRIES && __atomic_load_n(&t->in_call, __ATOMIC_SEQ_CST));
}

/* Threads stand by themselves at debug_wait(), for which the lock is given up. */
void debug_stop_all(struct debug *d)
{
    struct process *p = d->process;
    const struct timespec step = {.tv_nsec = STAND_NS};
    d->stopped = true;
    for (unsigned i = 0; i < STAND_TRIES; i++) {
        bool all = true;
        pthread_mutex_lock(&p->lock);
        for (struct task *t = p->tasks; t; t = t->next)
            if (!stands(t, i)) {
                all = false;
                call_out(t);
            }
        pthread_mutex_unlock(&p->lock);
        if (all)
            return;
        pthread_mutex_unlock(&d->lock);
        nanosleep(&step, NULL);
        pthread_mutex_lock(&d->lock);
    }
}

void debug_release(struct debug *d)
{
    struct process *p = d->process;
    __atomic_store_n(&d->detached, true, __ATOMIC_SEQ_CST);
    if (!d->lender)
        debug_forget_places(d);
    pthread_mutex_lock(&p->lock);
    for (struct task *t = p->tasks; t; t = t->next)
        __atomic_fetch_and(&t->watch, ~WATCH_DEBUG, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&p->lock);
    debug_free_others(d);
    if (!d->lender) { /* else they are closed in the process that they are of */
        pthread_mutex_lock(&d->ends_lock);
        fd_close_own(d->connection);
        fd_close_own(d->gdb);
        d->connection = d->gdb = -1;
        pthread_mutex_unlock(&d->ends_lock);
    }
    d->stopped = d->told = false;
    pthread_cond_broadcast(&d->go);
    pthread_cond_broadcast(&d->served);
}

/* --- standing --- */

/* The lock is held. */
void debug_stand(struct debug *d, struct task *t)
{
    t->debug.standing = true;
    while (d->stopped || (t->debug.action.how == GDB_STAY && !d->detached))
        pthread_cond_wait(&d->go, &d->lock);
    t->debug.standing = false;
}

void debug_wake_session(struct debug *d)
{
    uint64_t one = 1;
    if (write(d->event, &one, sizeof one) < 0)
        report_error("the debugger's session can't be told of an event");
}

static bool tell(struct task *t, const struct gdb_stop *stop, bool must, int child_fd)
{
    struct debug *d = t->process->debug;
    pthread_mutex_lock(&d->lock);
    bool late = d->stopped && !must;
    while (d->stopped)
        debug_stand(d, t);
    bool tells = !late && !d->detached;
    if (tells) {
        d->stopped = d->told = true;
        d->stop = *stop;
        d->stop.id = debug_id(t);
        d->reporter = t;
        d->child_fd = child_fd;
        debug_wake_session(d);
        debug_stand(d, t);
    } else {
        fd_close_own(child_fd);
    }
    pthread_mutex_unlock(&d->lock);
    return tells;
}

bool debug_report(struct task *t, const struct gdb_stop *stop, bool must) { return tell(t, stop, must, -1); }

void debug_report_child(struct task *t, const struct gdb_stop *stop, int child_fd) { tell(t, stop, true, child_fd); }

/* The debugger gives the thread a signal that it did not stop for. */
static void take_signal(struct task *t)
{
    siginfo_t info = {.si_signo = t->debug.action.signal, .si_code = SI_USER};
    t->debug.action.signal = 0;
    if (!info.si_signo)
        return;
    if (t->debug.restarted.result && t->cpu->pc == t->debug.restarted.pc) { /* it interrupts the call after all */
        t->cpu->pc = t->debug.restarted.behind;
        signal_act_in_call(t, &info, t->debug.restarted.result);
    } else {
        signal_act(t, &info);
    }
}

void debug_wait(struct task *t)
{
    struct debug *d = t->process->debug;
    if (LIKELY(!__atomic_load_n(&d->stopped, __ATOMIC_SEQ_CST) && t->debug.action.how != GDB_STAY &&
               !t->debug.action.signal))
        return;
    pthread_mutex_lock(&d->lock);
    debug_stand(d, t);
    pthread_mutex_unlock(&d->lock);
    take_signal(t);
    t->debug.restarted.result = 0;
}

/* --- what happens --- */

bool debug_steps(const struct task *t)
{
    return is_on(t) && (t->debug.action.how == GDB_STEP || t->debug.action.how == GDB_RANGE);
}

void debug_stepped(struct task *t)
{
    const struct gdb_action *a = &t->debug.action;
    const struct gdb_stop stop = {.kind = GDB_SIGNAL, .number = SIGTRAP};
    if (a->how == GDB_RANGE && t->cpu->pc - a->start < a->end - a->start)
        return;
    t->debug.info = (siginfo_t){.si_signo = SIGTRAP, .si_code = TRAP_TRACE};
    debug_report(t, &stop, false);
}

bool debug_watches(const struct task *t) { return exec_has_watchpoints(t->process->exec); }

void debug_hit(struct task *t)
{
    static const enum gdb_stop_kind kinds[] = {[DEBUG_BREAKPOINT] = GDB_BREAKPOINT,
                                               [DEBUG_LOAD] = GDB_READ_WATCH,
                                               [DEBUG_STORE] = GDB_WATCH,
                                               [DEBUG_ACCESS] = GDB_ACCESS_WATCH};
    struct cpu *cpu = t->cpu;
    if (!is_on(t)) {
        task_handle_exit(t, cpu_step(cpu));
        return;
    }
    const struct gdb_stop stop = {.kind = kinds[cpu->exit_detail & DEBUG_ACCESS], .number = cpu->fault_addr};
    t->debug.info = (siginfo_t){.si_signo = SIGTRAP, .si_code = stop.kind == GDB_BREAKPOINT ? TRAP_BRKPT : TRAP_HWBKPT};
    debug_report(t, &stop, false);
}

bool debug_signal(struct task *t, siginfo_t *info)
{
    const struct gdb_stop stop = {.kind = GDB_SIGNAL, .number = (uint64_t)info->si_signo};
    if (!is_on(t) || t->process->debug->pass & SIGNAL_BIT(info->si_signo))
        return true;
    t->debug.info = *info;
    if (!debug_report(t, &stop, true))
        return true; /* nobody debugs any more */
    int signo = t->debug.action.signal;
    t->debug.action.signal = 0;
    if (t->process->debug->detached)
        return true;
    if (signo != info->si_signo)
        *info = (siginfo_t){.si_signo = signo, .si_code = SI_USER};
    return signo;
}

static bool is_caught_call(const struct task *t, uint64_t number)
{
    const struct debug *d = t->process->debug;
    bool caught = is_on(t) && !d->ncalls;
    for (int i = 0; is_on(t) && i < d->ncalls; i++)
        caught |= d->calls[i] == number;
    return caught;
}

void debug_call(struct task *t, uint64_t number, bool begins)
{
    const struct gdb_stop stop = {.kind = begins ? GDB_SYSCALL : GDB_SYSCALL_RETURN, .number = number};
    if (!is_caught_call(t, number))
        return;
    t->debug.info = (siginfo_t){.si_signo = SIGTRAP};
    t->shown = true;
    debug_report(t, &stop, true);
}

/* The registers hold the result while the debugger looks. */
int64_t debug_returned(struct task *t, uint64_t number, int64_t result)
{
    uint64_t a[6];
    bool restarts = result <= -SYS_RESTART && result >= -SYS_RESTART_BLOCK;
    if (restarts || !is_caught_call(t, number))
        return result;
    if (result != -SYS_KEEP_REGS)
        t->abi->set_result(t->cpu, result);
    debug_call(t, number, false);
    t->abi->syscall_args(t->cpu, a);
    return result == -SYS_KEEP_REGS ? result : (int64_t)a[0];
}

/* --- the end --- */

void debug_leave(struct task *t)
{
    struct debug *d = t->process->debug;
    if (!is_on(t))
        return;
    pthread_mutex_lock(&d->lock);
    while (d->stopped)
        debug_stand(d, t);
    t->debug.leaving = true;
    pthread_mutex_unlock(&d->lock);
}

void debug_ended(struct task *t, enum gdb_stop_kind kind, int number)
{
    struct debug *d = t->process->debug;
    if (!is_on(t))
        return;
    pthread_mutex_lock(&d->lock);
    while (d->stopped)
        debug_stand(d, t);
    if (!d->detached) {
        d->stopped = d->told = true;
        d->reporter = t;
        d->stop = (struct gdb_stop){.kind = kind, .id = debug_id(t), .number = (uint64_t)number};
        debug_wake_session(d);
        while (d->told || (d->gdb >= 0 && !d->detached)) /* until gdb knows, it asks the process for this and that */
            pthread_cond_wait(&d->served, &d->lock);
    }
    pthread_mutex_unlock(&d->lock);
}

/* What stops a process, or does nothing to it, stays the host's to do. */
bool debug_catches(const struct process *p, int signo)
{
    const uint64_t others = SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) |
                            SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU) | SIGNAL_BIT(SIGSTOP) |
                            SIGNAL_BIT(SIGKILL);
    return debug_on(p) && !(others & SIGNAL_BIT(signo));
}
