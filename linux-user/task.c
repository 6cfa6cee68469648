/* The life of a guest thread: its main loop, from the reasons cpu_run() returns to system calls and signals. */
#include "linux-user/task.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/log.h"
#include "exec/debug.h"
#include "exec/dump.h"
#include "exec/exec.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/thread.h"
#include "linux-user/uaccess.h"

struct task *task_new(struct process *p, struct cpu *cpu)
{
    struct task *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->cpu = cpu;
    t->abi = p->abi;
    t->process = p;
    cpu->user = t;
    host_call(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &t->signals.mask, sizeof t->signals.mask);
    pthread_mutex_lock(&p->lock);
    t->next = p->tasks;
    p->tasks = t;
    pthread_mutex_unlock(&p->lock);
    return t;
}

void task_free(struct task *t)
{
    struct process *p = t->process;
    pthread_mutex_lock(&p->lock);
    struct task **at = &p->tasks;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    pthread_mutex_unlock(&p->lock);
    cpu_free(t->cpu);
    free(t);
}

void process_save(struct task *t)
{
    if (!t->process->vfork_child)
        exec_save(t->process->exec, true);
}

/* Stops the thread for good. */
static void __attribute__((noreturn)) park(struct task *t)
{
    uint64_t all = ~UINT64_C(0);
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all);
    __atomic_store_n(&t->parked, true, __ATOMIC_SEQ_CST);
    for (;;)
        host_call(SYS_ppoll, 0, 0, 0, 0, 0);
}

void process_ends(struct task *t)
{
    struct process *p = t->process;
    struct task *nobody = NULL;
    if (!__atomic_compare_exchange_n(&p->dying, &nobody, t, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        if (nobody != t)
            park(t);
        return;
    }
    pthread_mutex_lock(&p->lock);
    for (struct task *other = p->tasks; other; other = other->next)
        if (other != t)
            cpu_kick(other->cpu);
    pthread_mutex_unlock(&p->lock);
}

void process_exit(struct task *t, int code)
{
    process_ends(t);
    debug_ended(t, GDB_EXITED, code & 0xff);
    process_save(t);
    if (log_on(LOG_JIT_STATS) && !t->process->vfork_child)
        dump_stats(log_stream(), t->process->exec);
    for (;;)
        host_call(SYS_exit_group, code);
}

/*
 * Calls that wait under a signal mask of their own: where the mask's address is. `indirect`: the argument points at
 * the address.
 */
static const struct {
    uint16_t call;
    uint8_t arg;
    bool indirect;
} masked_waits[] = {
    {CALL_ppoll, 3, false},       {CALL_pselect6, 5, true},     {CALL_epoll_pwait, 4, false},
    {CALL_epoll_pwait2, 4, false}, {CALL_io_pgetevents, 5, true}, {CALL_io_uring_enter, 4, false},
};

enum { URING_EXT_ARG = 8 }; /* IORING_ENTER_EXT_ARG: a struct that begins with the address */

/* Handlers that interrupt such a wait run under its mask and return to the thread's. */
static void use_wait_mask(struct task *t)
{
    uint64_t a[6], mask;
    uint64_t number = t->abi->syscall_args(t->cpu, a);
    const struct syscall_abi *abi = t->abi->syscalls;
    for (unsigned i = 0; number < abi->ncalls && i < ARRAY_SIZE(masked_waits); i++) {
        if (masked_waits[i].call != abi->calls[number])
            continue;
        uint64_t at = a[masked_waits[i].arg];
        bool indirect =
            masked_waits[i].indirect || (masked_waits[i].call == CALL_io_uring_enter && a[3] & URING_EXT_ARG);
        if (indirect && at && get_user(t, at, at))
            at = 0;
        if (at && !get_user(t, mask, at))
            signal_use_mask(t, mask);
    }
}

static void run_syscall(struct task *t)
{
    if (UNLIKELY(t->signals.pending)) {
        /* Caught while the guest's code ran: delivered in front of the call. */
        t->abi->restart_syscall(t->cpu);
        return;
    }
    t->shown = false;
    __atomic_store_n(&t->in_call, true, __ATOMIC_RELAXED);
    int64_t ret = dispatch_syscall(t);
    __atomic_store_n(&t->in_call, false, __ATOMIC_RELAXED);
    if (UNLIKELY(ret <= -SYS_RESTART && ret >= -SYS_RESTART_BLOCK) || t->signals.pending) {
        if (ret == -SYS_RESTART_NOHAND)
            use_wait_mask(t);
        signals_deliver(t, true, ret);
    } else if (ret != -SYS_KEEP_REGS) {
        t->abi->set_result(t->cpu, ret);
    }
}

/* A fault without an address of its own (a non-canonical one, on x86-64) is outside of the guest's space. */
static void raise_fault(struct task *t)
{
    struct cpu *cpu = t->cpu;
    if (cpu->fault_signo == SIGSEGV && cpu->fault_code == SI_KERNEL)
        signal_force(t, SIGSEGV, SEGV_MAPERR, cpu->fault_addr);
    else
        signal_force(t, cpu->fault_signo, cpu->fault_code, cpu->fault_addr);
}

/* Where another thread was just changing the mapping the instruction is fetched again. */
static void raise_fetch_fault(struct task *t)
{
    uint64_t addr = t->cpu->exit_detail;
    if (mm_may_fetch(t->process->mm, addr))
        return;
    t->signals.fault_access = FAULT_MEMORY | FAULT_FETCH;
    signal_force(t, SIGSEGV, mm_protection(t->process->mm, addr) < 0 ? SEGV_MAPERR : SEGV_ACCERR, addr);
}

void task_handle_exit(struct task *t, enum cpu_exit reason)
{
    struct cpu *cpu = t->cpu;
    switch (reason) {
    case EXIT_SYSCALL:
        run_syscall(t);
        break;
    case EXIT_NONE:
    case EXIT_INTERRUPT:
        break;
    case EXIT_FAULT:
        raise_fault(t);
        break;
    case EXIT_FETCH:
        raise_fetch_fault(t);
        break;
    case EXIT_ALIGN:
        t->signals.fault_access = FAULT_MEMORY;
        signal_force(t, SIGBUS, BUS_ADRALN, cpu->exit_detail);
        break;
    case EXIT_ILLEGAL:
        signal_force(t, SIGILL, ILL_ILLOPC, cpu->pc);
        break;
    case EXIT_BREAKPOINT:
        signal_force(t, SIGTRAP, TRAP_BRKPT, cpu->pc);
        break;
    case EXIT_DIV:
        signal_force(t, SIGFPE, FPE_INTDIV, cpu->pc);
        break;
    case EXIT_ICACHE:
        mm_code_changed(t->process->mm, cpu->icache_start, cpu->icache_end);
        break;
    case EXIT_DEBUG:
        if (!tracee_hit(t))
            debug_hit(t);
        break;
    default:
        BUG("guest stopped for reason %d", (int)reason);
    }
}

/* One instruction for the tracer or the debugger. What stopped it otherwise meanwhile counts as the step. */
static void step(struct task *t)
{
    const struct cpu_watcher w = tracee_watcher(t);
    enum cpu_exit reason = t->watch & WATCH_POINTS ? cpu_step_watched(t->cpu, &w) : cpu_step(t->cpu);
    task_handle_exit(t, reason);
    if (t->signals.pending || t->exiting || reason == EXIT_DEBUG)
        return;
    if (t->watch & WATCH_STEP)
        tracee_stepped(t);
    else
        debug_stepped(t);
}

/* As far as somebody looks. */
static void run_looking(struct task *t)
{
    const struct cpu_watcher w = tracee_watcher(t);
    bool points = t->watch & WATCH_POINTS;
    task_handle_exit(t, points || debug_watches(t) ? cpu_run_watched(t->cpu, points ? &w : NULL) : cpu_run(t->cpu));
}

/* As a debugger of the process, or the thread's tracer, wants it. */
static void run_watched(struct task *t)
{
    if (t->watch & WATCH_DEBUG)
        debug_wait(t);
    if (t->watch & WATCH_STEP || debug_steps(t))
        step(t);
    else
        run_looking(t);
}

void task_run(struct task *t)
{
    t->tid = gettid();
    tracee_begin(t);
    if (UNLIKELY(t->signals.pending))
        signals_deliver(t, false, 0);
    while (!t->exiting) {
        if (UNLIKELY(__atomic_load_n(&t->process->dying, __ATOMIC_RELAXED)))
            park(t);
        if (UNLIKELY(t->watch & (WATCH_STEP | WATCH_DEBUG | WATCH_POINTS)))
            run_watched(t);
        else
            task_handle_exit(t, cpu_run(t->cpu));
        if (UNLIKELY(t->signals.pending) && !t->exiting)
            signals_deliver(t, false, 0);
    }
    debug_leave(t);
    tracee_leave(t);
    thread_leave(t);
}
