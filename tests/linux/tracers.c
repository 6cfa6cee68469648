/*
 * Tracers that end before their tracees, in every kind of stop and in every way, and tracers that are traced:
 * ptrace(2).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum stop { RUNNING, INTERRUPTED, ENTRY, EXIT, SIGNALLED, NOT_WAITED_FOR, STOPS };
enum end { EXITS, IS_KILLED, IS_A_THREAD, ENDS };

static struct {
    volatile unsigned rounds; /* of the tracee */
    volatile unsigned caught; /* SIGUSR1 */
    volatile bool over;
} *shared;

static void pause_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

static bool reaches(const volatile unsigned *what, unsigned value)
{
    for (int i = 0; i < 5000 && *what < value; i++)
        pause_ms(1);
    return *what >= value;
}

static void catch(int signo) { shared->caught++; }

static pid_t start_tracee(void)
{
    shared->rounds = shared->caught = 0;
    shared->over = false;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGUSR1, catch);
        while (!shared->over) {
            syscall(SYS_getppid);
            shared->rounds++;
        }
        _exit(21);
    }
    CHECK(reaches(&shared->rounds, 1));
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
        continue;
    return status;
}

/* The calling thread becomes the tracer and brings the tracee to the stop. */
static bool trace_to(pid_t pid, enum stop stop)
{
    bool good = ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) == 0;
    if (stop == RUNNING)
        return good;
    good = good && ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && wait_for(pid) >> 8 == (SIGTRAP | PTRACE_EVENT_STOP << 8);
    switch (stop) {
    case ENTRY:
    case EXIT:
        for (int i = 0; i < (stop == EXIT ? 2 : 1); i++)
            good = good && ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0 && wait_for(pid) >> 8 == (SIGTRAP | 0x80);
        return good;
    case SIGNALLED:
        good = good && kill(pid, SIGUSR1) == 0 && ptrace(PTRACE_CONT, pid, 0, 0) == 0;
        return good && wait_for(pid) >> 8 == SIGUSR1;
    case NOT_WAITED_FOR:
        good = good && kill(pid, SIGUSR1) == 0 && ptrace(PTRACE_CONT, pid, 0, 0) == 0;
        pause_ms(20);
        return good;
    default: return good;
    }
}

struct tracer {
    pid_t pid;
    enum stop stop;
    bool good;
};

static void *trace_in_thread(void *arg)
{
    struct tracer *t = arg;
    t->good = trace_to(t->pid, t->stop);
    return NULL;
}

static void tracer_ends(enum stop stop, enum end end)
{
    pid_t pid = start_tracee();
    struct tracer tracer = {pid, stop, false};
    if (end == IS_A_THREAD) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, trace_in_thread, &tracer) == 0 && pthread_join(thread, NULL) == 0);
        CHECK(tracer.good);
    } else {
        pid_t process = fork();
        if (process == 0) {
            bool good = trace_to(pid, stop);
            if (good && end == IS_KILLED)
                kill(getpid(), SIGKILL);
            _exit(good ? 0 : 1);
        }
        int status = wait_for(process);
        CHECK(end == IS_KILLED ? WIFSIGNALED(status) : status == 0);
    }
    /* It goes on; a signal that the tracer had not been told of is delivered, another was the tracer's to give. */
    CHECK(reaches(&shared->rounds, shared->rounds + 3));
    if (stop == NOT_WAITED_FOR)
        CHECK(reaches(&shared->caught, 1));
    CHECK(shared->caught == (stop == NOT_WAITED_FOR));
    /* Another can trace it now. */
    CHECK(trace_to(pid, EXIT) && ptrace(PTRACE_DETACH, pid, 0, SIGUSR1) == 0);
    CHECK(reaches(&shared->caught, stop == NOT_WAITED_FOR ? 2 : 1));
    shared->over = true;
    int status = wait_for(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 21);
}

/* -- a tracer that is traced */

enum { CALLS = 20 };

static int traced_calls(void)
{
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    return 3;
}

/* Runs fn in a child that is traced from its first stop on: its status, and how often it began the call. */
static int trace_child(int (*fn)(void), long call, unsigned *begun)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGSTOP))
            _exit(99);
        _exit(fn());
    }
    int status = wait_for(pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
    *begun = 0;
    for (int signo = 0; ptrace(PTRACE_SYSCALL, pid, 0, signo) == 0 && (status = wait_for(pid), WIFSTOPPED(status));) {
        struct __ptrace_syscall_info i = {0};
        bool stopped = status >> 8 == (SIGTRAP | 0x80);
        signo = stopped ? 0 : WSTOPSIG(status);
        if (stopped && ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, &i) > 0)
            *begun += i.op == PTRACE_SYSCALL_INFO_ENTRY && (long)i.entry.nr == call;
    }
    return status;
}

static int trace_another(void)
{
    unsigned begun;
    int status = trace_child(traced_calls, SYS_getppid, &begun);
    return begun == CALLS && WIFEXITED(status) && WEXITSTATUS(status) == 3 && !failures ? 4 : 5;
}

static void tracer_is_traced(void)
{
    unsigned begun;
    int status = trace_child(trace_another, SYS_ptrace, &begun);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4);
    CHECK(begun > 4 * CALLS); /* two stops of each call, sent on from each and one looked at */
}

/* The outer tracer ends, and with it (PTRACE_O_EXITKILL) the inner one: so its tracee does, too. */
static int loop_traced(void)
{
    shared->rounds = (unsigned)getpid();
    for (;;)
        syscall(SYS_getppid);
    return 0;
}

static int trace_loop(void)
{
    unsigned begun;
    shared->caught = (unsigned)getpid();
    return trace_child(loop_traced, -1, &begun);
}

static bool is_gone(pid_t pid)
{
    for (int i = 0; i < 5000; i++, pause_ms(1))
        if (kill(pid, 0) && errno == ESRCH)
            return true;
    return false;
}

static void killed_from_outside(void)
{
    unsigned begun;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    shared->rounds = shared->caught = 0;
    pid_t outer = fork();
    if (outer == 0) {
        trace_child(trace_loop, -1, &begun);
        _exit(0);
    }
    CHECK(reaches(&shared->rounds, 1));
    pid_t inner = (pid_t)shared->caught, tracee = (pid_t)shared->rounds;
    pause_ms(10);
    kill(outer, SIGKILL);
    CHECK(WIFSIGNALED(wait_for(outer)));
    CHECK(WIFSIGNALED(wait_for(inner)) && WIFSIGNALED(wait_for(tracee)));
    CHECK(is_gone(inner) && is_gone(tracee));
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

int main(int argc, char **argv)
{
    alarm(100);
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    for (enum end end = 0; end < ENDS; end++)
        for (enum stop stop = 0; stop < STOPS; stop++) {
            int before = failures;
            tracer_ends(stop, end);
            if (failures > before)
                fprintf(stderr, "in stop %d, end %d\n", (int)stop, (int)end);
        }
    tracer_is_traced();
    killed_from_outside();
    DONE();
}
