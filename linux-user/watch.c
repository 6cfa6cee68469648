/* Watched system calls, in the kernel's order (syscall_enter_from_user_mode()): tracer, filters, the call, tracer. */
#include "linux-user/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/dispatch.h"
#include "linux-user/fd-guard.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"

static int call_of(const struct task *t, uint64_t number)
{
    const struct syscall_abi *abi = t->abi->syscalls;
    return number < abi->ncalls ? abi->calls[number] : CALL_unknown;
}

/* The vDSO answers these itself on hardware; here its functions make calls, which nobody is to see. */
bool is_vdso_call(const struct task *t, int call)
{
    static const uint16_t calls[] = {CALL_clock_gettime, CALL_clock_getres, CALL_gettimeofday, CALL_getcpu};
    if (t->cpu->pc - t->process->vdso_start >= t->process->vdso_end - t->process->vdso_start)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        if (call == calls[i])
            return true;
    return false;
}

/* What seccomp says; true: the call is to be made. trap: a signal that it causes; without a number: none. */
static bool judge(struct task *t, uint64_t *number, uint64_t a[6], int64_t *result, siginfo_t *trap)
{
    for (bool asked = false;; asked = true) {
        siginfo_t info;
        enum seccomp_verdict v = seccomp_judge(t, *number, a, result, &info);
        bool skip = false;
        if (v == VERDICT_TRAP)
            *trap = info;
        if (v != VERDICT_TRACE || asked)
            return v != VERDICT_DONE && v != VERDICT_TRAP;
        uint32_t data = (uint32_t)*result;
        *result = -ENOSYS;
        if (!tracee_seccomp(t, data, number, a, &skip))
            return false;
        *result = -SYS_KEEP_REGS;
        if (skip)
            return false;
    }
}

/* --- writes to memory by its files: code that changes so is translated again --- */

void watch_memory_files(struct task *t)
{
    pthread_mutex_lock(&t->process->lock);
    for (struct task *each = t->process->tasks; each; each = each->next)
        __atomic_fetch_or(&each->watch, WATCH_MEMORY, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&t->process->lock);
}

static void note_write(struct task *t, int call, const uint64_t a[6], uint64_t n)
{
    char link[40], name[64], *end;
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", (int)a[0]);
    ssize_t length = readlink(link, name, sizeof name - 1);
    name[length > 0 ? length : 0] = 0;
    pid_t pid = strncmp(name, "/proc/", 6) ? 0 : (pid_t)strtol(name + 6, &end, 10);
    size_t used = strlen(name);
    if (!pid || *end != '/' || used < 4 || strcmp(name + used - 4, "/mem"))
        return;
    off_t behind = call == CALL_write || call == CALL_writev ? lseek((int)a[0], 0, SEEK_CUR) : (off_t)(a[3] + n);
    uint64_t addr = (uint64_t)behind - n;
    if (pid == getpid())
        mm_overwritten(t->process->mm, addr, addr + n);
    else
        tracer_wrote(t, pid, addr, n);
}

static int64_t run(struct task *t, uint64_t number, const uint64_t a[6])
{
    int64_t result = dispatch_number(t, number, a);
    int call = call_of(t, number);
    if (t->watch & WATCH_MEMORY && result > 0 &&
        (call == CALL_write || call == CALL_pwrite64 || call == CALL_writev || call == CALL_pwritev))
        note_write(t, call, a, (uint64_t)result);
    return result;
}

int64_t watched_syscall(struct task *t, uint64_t number, uint64_t a[6])
{
    int64_t result = -SYS_KEEP_REGS;
    uint64_t first = a[0], asked = number;
    bool debugged = t->watch & WATCH_DEBUG;
    siginfo_t trap = {.si_signo = 0};
    if (is_vdso_call(t, call_of(t, number)))
        return dispatch_number(t, number, a);
    if (t->watch & WATCH_DISPATCH && user_dispatch_takes(t, number))
        return result;
    if ((int32_t)number == -1) /* no call: this is the result, unless somebody changes it */
        t->abi->set_result(t->cpu, -ENOSYS);
    if (debugged) {
        t->debug.restarted.result = 0;
        debug_call(t, asked, true);
        number = t->abi->syscall_args(t->cpu, a); /* the debugger may have changed them */
        if (guard_own_fds(call_of(t, number), a, &result))
            return result;
    }
    if ((!(t->watch & WATCH_TRACE) || tracee_enter(t, &number, a)) &&
        (!(t->watch & WATCH_SECCOMP) || tracee_suspends_seccomp(t) || judge(t, &number, a, &result, &trap))) {
        first = a[0];
        result = run(t, number, a);
    }
    if (t->watch & WATCH_TRACE)
        result = tracee_exit(t, result, first);
    if (debugged && !t->exiting)
        result = debug_returned(t, asked, result);
    if (trap.si_signo)
        signal_force_info(t, &trap);
    return result;
}
