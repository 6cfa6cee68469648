/*
 * ptrace: stops, registers, memory, breakpoints, steps, signals, events, attaching and letting go. Both sides are this
 * program.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#if defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
struct regs { uint64_t x[31], sp, pc, pstate; };
#define RESULT x[0]
#define PC pc
#define STEPS 1
static const uint32_t breakpoint = 0xd4200000;
enum { BREAK_SIZE = 4, BREAK_AHEAD = 0 };
#elif defined __riscv
#define ARCH AUDIT_ARCH_RISCV64
struct regs { uint64_t pc, x[31]; };
#define RESULT x[9]
#define PC pc
#define STEPS 0
static const uint16_t breakpoint = 0x9002;
enum { BREAK_SIZE = 2, BREAK_AHEAD = 0 };
#else
#define ARCH AUDIT_ARCH_X86_64
#define regs user_regs_struct
#define RESULT rax
#define PC rip
#define STEPS 1
static const uint8_t breakpoint = 0xcc;
enum { BREAK_SIZE = 1, BREAK_AHEAD = 1 };
#endif

static char self[4096];

static int wait_for(pid_t pid)
{
    int status = -1;
    CHECK(waitpid(pid, &status, __WALL) == pid);
    if (failures > 20)
        _exit(1);
    return status;
}

static bool stopped_by(int status, int signo) { return WIFSTOPPED(status) && status >> 8 == signo; }
static bool stopped_at(int status, int event) { return WIFSTOPPED(status) && status >> 8 == (SIGTRAP | event << 8); }

static struct regs get_regs(pid_t pid)
{
    struct regs r;
    memset(&r, 0, sizeof r);
    struct iovec v = {&r, sizeof r};
    CHECK(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) == 0 && v.iov_len == sizeof r);
    return r;
}

static void set_regs(pid_t pid, struct regs *r)
{
    struct iovec v = {r, sizeof *r};
    CHECK(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v) == 0);
}

static void go(int request, pid_t pid, int signo) { CHECK(ptrace(request, pid, 0, (void *)(intptr_t)signo) == 0); }

static void ends(pid_t pid, int code)
{
    int status = wait_for(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

/* A child that is traced and stops before it runs fn. */
static pid_t start(int (*fn)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGSTOP))
            _exit(99);
        _exit(fn());
    }
    CHECK(stopped_by(wait_for(pid), SIGSTOP));
    return pid;
}

/* -- system calls */

static volatile long word = 0x1122334455667788;

static int calls(void) { return syscall(SYS_getppid, 1, 2, 3, 4, 5) == 4242 && word == 77 && syscall(SYS_close, 1000) == -1 ? 5 : 6; }

static struct __ptrace_syscall_info info_of(pid_t pid, long *n)
{
    struct __ptrace_syscall_info info;
    memset(&info, 0, sizeof info);
    *n = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    return info;
}

static void system_calls(void)
{
    long n;
    pid_t pid = start(calls);
    struct __ptrace_syscall_info i = info_of(pid, &n);
    CHECK(i.op == PTRACE_SYSCALL_INFO_NONE && i.arch == ARCH && n == 24);
    go(PTRACE_SETOPTIONS, pid, PTRACE_O_TRACESYSGOOD);
    long value;
    FAILS(ptrace(PTRACE_SETOPTIONS, pid, 0, 0x40000000), EINVAL);
    errno = 0;
    value = ptrace(PTRACE_PEEKDATA, pid, &word, 0);
    CHECK(value == 0x1122334455667788);
    CHECK(ptrace(PTRACE_POKEDATA, pid, &word, 77) == 0 && ptrace(PTRACE_PEEKTEXT, pid, &word, 0) == 77);
    FAILS(ptrace(PTRACE_PEEKDATA, pid, 8, 0), EIO);
    int status;
    do { /* the rest of raise() */
        go(PTRACE_SYSCALL, pid, 0);
        status = wait_for(pid);
        CHECK(stopped_by(status, SIGTRAP | 0x80));
        i = info_of(pid, &n);
    } while (WIFSTOPPED(status) && !(i.op == PTRACE_SYSCALL_INFO_ENTRY && i.entry.nr == SYS_getppid));
    CHECK(n == 80 && i.entry.args[0] == 1 && i.entry.args[4] == 5 && i.arch == ARCH && i.stack_pointer);
    siginfo_t info;
    CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_signo == SIGTRAP && info.si_code == (SIGTRAP | 0x80));
    go(PTRACE_SYSCALL, pid, 0);
    CHECK(stopped_by(wait_for(pid), SIGTRAP | 0x80));
    i = info_of(pid, &n);
    CHECK(i.op == PTRACE_SYSCALL_INFO_EXIT && i.exit.rval == getpid() && !i.exit.is_error);
    struct regs r = get_regs(pid);
    CHECK((pid_t)r.RESULT == getpid() && r.PC == i.instruction_pointer);
    r.RESULT = 4242;
    set_regs(pid, &r);
    go(PTRACE_SYSCALL, pid, 0);
    wait_for(pid);
    i = info_of(pid, &n);
    CHECK(i.op == PTRACE_SYSCALL_INFO_ENTRY && i.entry.nr == SYS_close && i.entry.args[0] == 1000);
    go(PTRACE_SYSCALL, pid, 0);
    wait_for(pid);
    i = info_of(pid, &n);
    CHECK(i.op == PTRACE_SYSCALL_INFO_EXIT && i.exit.rval == -EBADF && i.exit.is_error);
    go(PTRACE_CONT, pid, 0);
    ends(pid, 5);
    FAILS(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
}

static int sleeps(void)
{
    struct timespec t = {0, 100000000};
    return nanosleep(&t, NULL) ? 1 : 7;
}

/* -- floating point and odd requests */

static void register_sets(void)
{
    char bytes[2048], again[2048];
    pid_t pid = start(sleeps);
    struct iovec v = {bytes, sizeof bytes};
    CHECK(ptrace(PTRACE_GETREGSET, pid, NT_PRFPREG, &v) == 0 && v.iov_len >= 256 && v.iov_len < sizeof bytes);
#if !defined __x86_64__ /* its first bytes are control words */
    size_t size = v.iov_len;
    memset(bytes, 0x3c, 64);
    v.iov_len = size;
    CHECK(ptrace(PTRACE_SETREGSET, pid, NT_PRFPREG, &v) == 0);
    v = (struct iovec){again, size};
    CHECK(ptrace(PTRACE_GETREGSET, pid, NT_PRFPREG, &v) == 0 && !memcmp(bytes, again, 64));
#endif
    v = (struct iovec){again, 8};
    CHECK(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) == 0 && v.iov_len == 8);
    FAILS(ptrace(PTRACE_GETREGSET, pid, 0x7777, &v), EINVAL);
    v.iov_len = 9; /* no whole registers */
    FAILS(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v), EINVAL);
    FAILS(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, BAD_POINTER), EFAULT);
    FAILS(ptrace(0x7777, pid, 0, 0), EIO);
    FAILS(ptrace(PTRACE_CONT, pid, 0, 1000), EIO);
    uint64_t mask = 1u << (SIGUSR1 - 1);
    CHECK(ptrace(PTRACE_SETSIGMASK, pid, 8, &mask) == 0);
    mask = 0;
    CHECK(ptrace(PTRACE_GETSIGMASK, pid, 8, &mask) == 0 && mask == 1u << (SIGUSR1 - 1));
    FAILS(ptrace(PTRACE_GETSIGMASK, pid, 4, &mask), EINVAL);
    kill(pid, SIGUSR1); /* blocked now */
    go(PTRACE_CONT, pid, 0);
    ends(pid, 7);
    FAILS(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
    FAILS(ptrace(PTRACE_PEEKDATA, getppid(), 0, 0), ESRCH);
}

/* -- signals */

/* All of a queued signal's siginfo arrives, at the tracer and at the handler. */
static volatile int queued;
static void take_queued(int signo, siginfo_t *info, void *context)
{
    queued = info->si_errno == 77 && info->si_code == -9 && info->si_value.sival_int == 78;
}

static int queues(void)
{
    siginfo_t info = {.si_signo = SIGUSR2, .si_code = -9, .si_errno = 77};
    info.si_pid = getpid();
    info.si_value.sival_int = 78;
    sigaction(SIGUSR2, &(struct sigaction){.sa_sigaction = take_queued, .sa_flags = SA_SIGINFO}, NULL);
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR2, &info);
    return queued ? 9 : 8;
}

static void queued_signals(void)
{
    siginfo_t info;
    pid_t pid = start(queues);
    go(PTRACE_CONT, pid, 0);
    CHECK(stopped_by(wait_for(pid), SIGUSR2));
    CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_errno == 77 && info.si_value.sival_int == 78);
    go(PTRACE_CONT, pid, SIGUSR2);
    ends(pid, 9);
}

static volatile int got[65];
static void count(int signo) { got[signo]++; }

static int signals(void)
{
    signal(SIGUSR1, count);
    signal(SIGUSR2, count);
    signal(SIGWINCH, SIG_IGN);
    raise(SIGUSR1); /* suppressed */
    raise(SIGUSR1); /* let through */
    raise(SIGUSR1); /* changed */
    raise(SIGWINCH);
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR2);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGUSR2);
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    if (got[SIGUSR1] != 1 || got[SIGUSR2] != 2)
        return 1;
    raise(SIGTERM);
    return 2;
}

/* A child that nobody has seen stop yet: by a signal of its own that might be execve's. */
static void own_trap(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        kill(getpid(), SIGTRAP);
        _exit(6);
    }
    CHECK(stopped_by(wait_for(pid), SIGTRAP));
    go(PTRACE_CONT, pid, 0);
    ends(pid, 6);
}

static void signal_stops(void)
{
    siginfo_t info;
    pid_t pid = start(signals);
    int through[] = {0, SIGUSR1, SIGUSR2, SIGWINCH, SIGUSR2};
    int come[] = {SIGUSR1, SIGUSR1, SIGUSR1, SIGWINCH, SIGUSR2};
    go(PTRACE_CONT, pid, 0);
    for (int i = 0; i < 5; i++) {
        CHECK(stopped_by(wait_for(pid), come[i]));
        CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_signo == come[i] && info.si_code == SI_TKILL && info.si_pid == pid);
        go(PTRACE_CONT, pid, through[i]);
    }
    CHECK(stopped_by(wait_for(pid), SIGTERM));
    go(PTRACE_CONT, pid, SIGTERM);
    int status = wait_for(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static int faults(void)
{
    *(volatile int *)bad_pointer = 1;
    return 1;
}

static void fault(void)
{
    siginfo_t info;
    pid_t pid = start(faults);
    go(PTRACE_CONT, pid, 0);
    for (int i = 0; i < 2; i++) { /* looked at, not waited for */
        CHECK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT) == 0 && info.si_pid == pid);
        CHECK(info.si_code == CLD_TRAPPED && info.si_status == SIGSEGV);
    }
    CHECK(stopped_by(wait_for(pid), SIGSEGV));
    CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_code == SEGV_MAPERR && info.si_addr == bad_pointer);
    go(PTRACE_CONT, pid, SIGSEGV);
    int status = wait_for(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    pid = start(faults);
    go(PTRACE_KILL, pid, 0);
    status = wait_for(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* -- breakpoints and steps */

static volatile int marks;
__attribute__((noinline)) static int marked(int n)
{
    marks += n;
    return marks * 3;
}

static int runs_marked(void)
{
    for (int i = 0; i < 1000; i++) /* translated before, so that the breakpoint has something to replace */
        marked(1);
    syscall(SYS_getppid);
    marked(1);
    marked(1);
    return marks == 1002 ? 8 : 9;
}

static void poke_code(pid_t pid, bool by_file, const void *bytes, size_t n)
{
    uintptr_t at = (uintptr_t)marked;
    if (by_file) {
        char path[40];
        snprintf(path, sizeof path, "/proc/%d/mem", pid);
        int fd = open(path, O_RDWR);
        CHECK(pwrite(fd, bytes, n, (off_t)at) == (ssize_t)n);
        close(fd);
        return;
    }
    long whole = ptrace(PTRACE_PEEKTEXT, pid, at, 0);
    memcpy(&whole, bytes, n);
    CHECK(ptrace(PTRACE_POKETEXT, pid, at, whole) == 0);
}

static void breakpoints(bool by_file)
{
    siginfo_t info;
    pid_t pid = start(runs_marked);
    long n;
    struct __ptrace_syscall_info i;
    go(PTRACE_SETOPTIONS, pid, PTRACE_O_TRACESYSGOOD); /* without, there is no information of calls */
    uint32_t code = (uint32_t)ptrace(PTRACE_PEEKTEXT, pid, marked, 0);
    do {
        go(PTRACE_SYSCALL, pid, 0);
        wait_for(pid);
        i = info_of(pid, &n);
    } while (i.op != PTRACE_SYSCALL_INFO_ENTRY || i.entry.nr != SYS_getppid);
    poke_code(pid, by_file, &breakpoint, BREAK_SIZE);
    for (int round = 0; round < 2; round++) {
        go(PTRACE_CONT, pid, 0);
        CHECK(stopped_by(wait_for(pid), SIGTRAP));
        CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_signo == SIGTRAP);
        struct regs r = get_regs(pid);
        CHECK(r.PC == (uintptr_t)marked + BREAK_AHEAD);
        r.PC = (uintptr_t)marked;
        set_regs(pid, &r);
        poke_code(pid, by_file, &code, BREAK_SIZE);
#if STEPS
        go(PTRACE_SINGLESTEP, pid, 0);
        CHECK(stopped_by(wait_for(pid), SIGTRAP));
        CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_code == TRAP_TRACE);
        r = get_regs(pid);
        CHECK(r.PC > (uintptr_t)marked && r.PC <= (uintptr_t)marked + 8);
        for (int s = 0; s < 3; s++) {
            uint64_t before = r.PC;
            go(PTRACE_SINGLESTEP, pid, 0);
            CHECK(stopped_by(wait_for(pid), SIGTRAP));
            r = get_regs(pid);
            CHECK(r.PC != before);
        }
        if (round == 0)
            poke_code(pid, by_file, &breakpoint, BREAK_SIZE);
#else
        FAILS(ptrace(PTRACE_SINGLESTEP, pid, 0, 0), EIO);
        break;
#endif
    }
    go(PTRACE_CONT, pid, 0);
    ends(pid, 8);
}

/* -- hardware breakpoints and watchpoints */

#ifndef __riscv /* whose kernel has none for debuggers */
static volatile uint16_t watched[4];

static int runs_watched(void)
{
    for (int i = 0; i < 1000; i++)
        watched[0]++;
    syscall(SYS_getppid);
    watched[1] = 5;
    __asm__ volatile("nop\n nop\n nop"); /* to be stepped over */
    watched[2] = watched[3]; /* not watched: stores, neighbours */
    watched[2] = 6;
    marked(1);
    marked(1);
    return watched[1] + watched[2] == 11 && marks == 2 ? 8 : 9;
}

enum point { ON_EXECUTION, ON_STORE, ON_ACCESS };
#if defined __aarch64__
/* struct user_hwdebug_state */
struct points {
    uint32_t info, padding;
    struct {
        uint64_t addr;
        uint32_t control, padding;
    } slot[16];
};

static long set_point(pid_t pid, unsigned slot, enum point kind, volatile void *at, unsigned length)
{
    static const unsigned types[] = {0, 2, 3};
    struct points p = {0};
    bool breaks = kind == ON_EXECUTION;
    uint64_t word = breaks ? (uintptr_t)at : (uintptr_t)at & ~UINT64_C(7);
    p.slot[slot].addr = word;
    if (length)
        p.slot[slot].control = 1 | 2 << 1 | types[kind] << 3 | ((1u << length) - 1) << ((uintptr_t)at - word) << 5;
    struct iovec v = {&p, 8 + 16 * (slot + 1)};
    return ptrace(PTRACE_SETREGSET, pid, breaks ? 0x402 : 0x403, &v);
}

static void points_refused(pid_t pid)
{
    struct points p;
    for (int note = 0x402; note <= 0x403; note++) {
        struct iovec v = {&p, sizeof p};
        CHECK(ptrace(PTRACE_GETREGSET, pid, note, &v) == 0 && v.iov_len == sizeof p && (p.info & 0xff) >= 2);
        CHECK(p.slot[0].addr == 0 && !(p.slot[0].control & 1));
        memset(&p, 0, sizeof p);
        p.slot[0].control = 1; /* no bytes */
        v = (struct iovec){&p, 24};
        FAILS(ptrace(PTRACE_SETREGSET, pid, note, &v), EINVAL);
        p.slot[0].control = 1 | 0xf << 5 | (note == 0x402) << 3; /* a breakpoint of loads, a watchpoint of nothing */
        FAILS(ptrace(PTRACE_SETREGSET, pid, note, &v), EINVAL);
        p.slot[0].control = 1 | 0x5 << 5 | (note == 0x403) << 3; /* bytes with a gap */
        FAILS(ptrace(PTRACE_SETREGSET, pid, note, &v), EINVAL);
        v.iov_len = sizeof p;
        p.slot[0].control = 0;
        FAILS(ptrace(PTRACE_SETREGSET, pid, note, &v), ENOSPC);
    }
    CHECK(set_point(pid, 1, ON_STORE, (char *)watched + 2, 2) == 0);
    struct iovec v = {&p, 40};
    CHECK(ptrace(PTRACE_GETREGSET, pid, 0x403, &v) == 0 && v.iov_len == 40);
    CHECK(p.slot[1].control >> 5 == 3u << ((uintptr_t)&watched[1] & 7) && (p.slot[1].control & 0x1f) == 0x15);
    CHECK(set_point(pid, 1, ON_STORE, watched, 0) == 0);
}
enum { STORES_FIRST = 0 };
#else
static long set_point(pid_t pid, unsigned slot, enum point kind, volatile void *at, unsigned length)
{
    static const unsigned long types[] = {0, 1, 3}, lengths[] = {0, 0, 1, 0, 3};
    size_t control = offsetof(struct user, u_debugreg[7]);
    if (ptrace(PTRACE_POKEUSER, pid, control, 0) || ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[slot]), at))
        return -1;
    unsigned long value = 1ul << 2 * slot | (types[kind] | lengths[kind == ON_EXECUTION ? 0 : length] << 2) << (16 + 4 * slot);
    return length ? ptrace(PTRACE_POKEUSER, pid, control, value) : 0;
}

static void points_refused(pid_t pid) {}
enum { STORES_FIRST = 1 };
#endif

static void hardware_points(void)
{
    siginfo_t info;
    pid_t pid = start(runs_watched);
    points_refused(pid);
    struct __ptrace_syscall_info i;
    long n;
    go(PTRACE_SETOPTIONS, pid, PTRACE_O_TRACESYSGOOD);
    do {
        go(PTRACE_SYSCALL, pid, 0);
        wait_for(pid);
        i = info_of(pid, &n);
    } while (i.op != PTRACE_SYSCALL_INFO_ENTRY || i.entry.nr != SYS_getppid);
    CHECK(set_point(pid, 0, ON_STORE, &watched[1], 2) == 0);
    go(PTRACE_CONT, pid, 0);
    CHECK(stopped_by(wait_for(pid), SIGTRAP));
    CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_code == TRAP_HWBKPT);
    uint16_t words[4];
    long all = ptrace(PTRACE_PEEKDATA, pid, watched, 0);
    memcpy(words, &all, sizeof words);
    CHECK(words[1] == (STORES_FIRST ? 5 : 0) && words[2] == 0);
#if defined __aarch64__
    CHECK(info.si_addr == (void *)&watched[1]);
    go(PTRACE_SINGLESTEP, pid, 0); /* stops there again */
    CHECK(stopped_by(wait_for(pid), SIGTRAP));
    CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_code == TRAP_HWBKPT);
#endif
    CHECK(set_point(pid, 0, ON_STORE, &watched[1], 0) == 0);
    go(PTRACE_SINGLESTEP, pid, 0);
    CHECK(stopped_by(wait_for(pid), SIGTRAP));
    CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_code == TRAP_TRACE);
    CHECK(set_point(pid, 1, ON_ACCESS, &watched[3], 2) == 0);
    go(PTRACE_CONT, pid, 0);
    CHECK(stopped_by(wait_for(pid), SIGTRAP));
    CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_code == TRAP_HWBKPT);
    CHECK(set_point(pid, 1, ON_ACCESS, &watched[3], 0) == 0);
    CHECK(set_point(pid, 0, ON_EXECUTION, (void *)(uintptr_t)marked, 4) == 0);
    for (int round = 0; round < 2; round++) {
        go(PTRACE_CONT, pid, 0);
        CHECK(stopped_by(wait_for(pid), SIGTRAP));
        struct regs r = get_regs(pid);
        CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_code == TRAP_HWBKPT && r.PC == (uintptr_t)marked);
        CHECK(set_point(pid, 0, ON_EXECUTION, (void *)(uintptr_t)marked, 0) == 0);
        go(PTRACE_SINGLESTEP, pid, 0);
        CHECK(stopped_by(wait_for(pid), SIGTRAP));
        if (round == 0)
            CHECK(set_point(pid, 0, ON_EXECUTION, (void *)(uintptr_t)marked, 4) == 0);
    }
    go(PTRACE_CONT, pid, 0);
    ends(pid, 8);
}
#endif

/* -- events */

static void *nothing(void *arg) { return arg; }

static int makes_children(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 3)
        return 1;
    pid = vfork();
    if (pid == 0)
        _exit(4);
    if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 4)
        return 2;
    pthread_t t;
    if (pthread_create(&t, NULL, nothing, NULL) || pthread_join(t, NULL))
        return 3;
    execl(self, self, "exit", "12", NULL);
    return 4;
}

static void events(bool seize)
{
    const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
                         PTRACE_O_EXITKILL;
    int seen[16] = {0}, first = 0, status;
    unsigned long message;
    pid_t pid, other, born[3] = {0};
    if (seize) {
        pid = fork();
        if (pid == 0) {
            raise(SIGSTOP);
            _exit(makes_children());
        }
        CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
        CHECK(ptrace(PTRACE_SEIZE, pid, 0, options) == 0);
        kill(pid, SIGCONT);
    } else {
        pid = start(makes_children);
        go(PTRACE_SETOPTIONS, pid, (int)options);
        go(PTRACE_CONT, pid, 0);
    }
    while ((other = waitpid(-1, &status, __WALL)) > 0) {
        if (!WIFSTOPPED(status)) {
            if (other == pid) {
                CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 12);
                break;
            }
            CHECK(other == born[0] || other == born[1] || other == born[2]); /* no thread that did not stop at its birth */
            continue;
        }
        int event = status >> 16, signo = WSTOPSIG(status);
        if (event && event != PTRACE_EVENT_STOP) {
            CHECK(signo == SIGTRAP && ptrace(PTRACE_GETEVENTMSG, other, 0, &message) == 0);
            CHECK(event == PTRACE_EVENT_EXIT || event == PTRACE_EVENT_EXEC ? 1 : message > 0 && (pid_t)message != other);
            CHECK(event != PTRACE_EVENT_EXEC || (pid_t)message == pid);
            CHECK(event != PTRACE_EVENT_EXIT || other != pid || message == 12 << 8);
            struct regs r = get_regs(other);
            CHECK(r.PC != 0);
            seen[event]++;
            signo = 0;
        } else if (event == PTRACE_EVENT_STOP || signo == SIGSTOP) {
            if (other != pid && first < 3)
                born[first] = other;
            first += other != pid;
            CHECK(!seize || event == PTRACE_EVENT_STOP || signo == SIGCONT);
            signo = 0;
        }
        CHECK(ptrace(PTRACE_CONT, other, 0, (void *)(intptr_t)signo) == 0 || errno == ESRCH);
    }
    CHECK(seen[PTRACE_EVENT_FORK] == 1 && seen[PTRACE_EVENT_VFORK] == 1 && seen[PTRACE_EVENT_CLONE] == 1 && seen[PTRACE_EVENT_EXEC] == 1);
    CHECK(seen[PTRACE_EVENT_EXIT] == 4 && first == 3);
}

/* Without the option: a signal after the new program is there. */
static int executes(void)
{
    execl(self, self, "exit", "13", NULL);
    return 1;
}

static void exec_trap(bool shares)
{
    pid_t pid = shares ? vfork() : fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        _exit(executes());
    }
    CHECK(stopped_by(wait_for(pid), SIGTRAP));
    struct regs r = get_regs(pid);
    CHECK(r.PC != 0);
    go(PTRACE_CONT, pid, 0);
    ends(pid, 13);
}

static int filtered(void)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 321),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {.len = 4, .filter = f};
    pid_t parent = getppid();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
        return 1;
    return getppid() == parent ? 14 : 15;
}

static void seccomp_event(void)
{
    unsigned long message;
    long n;
    pid_t pid = start(filtered);
    go(PTRACE_SETOPTIONS, pid, PTRACE_O_TRACESECCOMP);
    go(PTRACE_CONT, pid, 0);
    CHECK(stopped_at(wait_for(pid), PTRACE_EVENT_SECCOMP));
    CHECK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &message) == 0 && message == 321);
    struct __ptrace_syscall_info i = info_of(pid, &n);
    CHECK(i.op == PTRACE_SYSCALL_INFO_SECCOMP && i.seccomp.nr == SYS_getppid && i.seccomp.ret_data == 321 && n == 84);
    go(PTRACE_CONT, pid, 0);
    ends(pid, 14);
}

/* -- a signal comes when the tracer knows of a call that has not begun: calls that have to wait are interrupted */

static int caught, ends_of_pipe[2];
static void catch(int signo) { caught++; }

static int calls_with_signals(void)
{
    struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                              BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
                              BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof f / sizeof *f, f};
    struct sigaction action = {.sa_handler = catch};
    char c;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ||
        sigaction(SIGUSR1, &action, NULL) || pipe(ends_of_pipe))
        return 1;
    int fd = open("/dev/null", O_RDWR);
    bool good = fd >= 0 && caught == 1;
    good = good && write(fd, "text", 4) == 4 && caught == 2 && fcntl(fd, F_GETFD) == 0 && caught == 3;
    good = good && syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 8) == 0 && close(fd) == 0;
    good = good && read(ends_of_pipe[0], &c, 1) == -1 && errno == EINTR && caught == 4;
    return good ? 15 : 16;
}

static void signals_at_entry(void)
{
    static const long disturbed[] = {SYS_openat, SYS_write, SYS_fcntl, SYS_read};
    unsigned seccomp = 0, begun[4] = {0}, ended[4] = {0}, signals = 0;
    long n;
    int status, call = -1;
    pid_t pid = start(calls_with_signals);
    go(PTRACE_SETOPTIONS, pid, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP);
    go(PTRACE_SYSCALL, pid, 0);
    while (status = wait_for(pid), WIFSTOPPED(status)) {
        struct __ptrace_syscall_info i = info_of(pid, &n);
        if (i.op == PTRACE_SYSCALL_INFO_ENTRY) {
            call = -1;
            for (int k = 0; k < 4; k++)
                call = (long)i.entry.nr == disturbed[k] ? k : call;
        }
        if (call >= 0 && i.op == PTRACE_SYSCALL_INFO_ENTRY) {
            begun[call]++;
            CHECK(syscall(SYS_tgkill, pid, pid, SIGUSR1) == 0);
        } else if (call >= 0 && i.op == PTRACE_SYSCALL_INFO_EXIT) {
            ended[call]++;
            CHECK(disturbed[call] == SYS_read ? i.exit.rval == -512 : i.exit.rval >= 0);
        }
        bool signalled = stopped_by(status, SIGUSR1);
        CHECK(signalled || stopped_by(status, SIGTRAP | 0x80) || stopped_at(status, PTRACE_EVENT_SECCOMP));
        signals += signalled;
        seccomp += i.op == PTRACE_SYSCALL_INFO_SECCOMP;
        go(PTRACE_SYSCALL, pid, signalled ? SIGUSR1 : 0);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 15);
    CHECK(seccomp == 1 && signals == 4);
    for (int k = 0; k < 4; k++)
        CHECK(begun[k] == 1 && ended[k] == 1);
}

/* -- attaching */

static volatile int going;

static int loops(bool waits)
{
    do {
        going++;
        if (waits)
            pause();
    } while (going);
    return 0;
}

static pid_t start_loop(bool waits)
{
    struct timespec t = {0, 20000000};
    int ready[2];
    char c;
    CHECK(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        going = 1;
        _exit(write(ready[1], "", 1) == 1 ? loops(waits) : 1);
    }
    CHECK(read(ready[0], &c, 1) == 1 && close(ready[0]) == 0 && close(ready[1]) == 0);
    nanosleep(&t, NULL);
    return pid;
}

static int run_born(void *unused)
{
    while (syscall(SYS_getppid) >= 0)
        continue;
    return 0;
}

static void attaches(bool waits)
{
    int status;
    pid_t pid = start_loop(waits);
    CHECK(ptrace(PTRACE_ATTACH, pid, 0, 0) == 0);
    CHECK(stopped_by(wait_for(pid), SIGSTOP));
    FAILS(ptrace(PTRACE_ATTACH, pid, 0, 0), EPERM);
    struct regs r = get_regs(pid);
    CHECK(r.PC != 0);
    long before = ptrace(PTRACE_PEEKDATA, pid, &going, 0);
    CHECK((int)before > 0 && ptrace(PTRACE_PEEKDATA, pid, &going, 0) == before);
    go(PTRACE_CONT, pid, 0);
    kill(pid, SIGUSR1);
    CHECK(stopped_by(wait_for(pid), SIGUSR1));
    go(PTRACE_DETACH, pid, 0);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    CHECK(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0);
    FAILS(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH); /* it runs */
    CHECK(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
    CHECK(stopped_at(wait_for(pid), PTRACE_EVENT_STOP));
    go(PTRACE_CONT, pid, 0);
    /* A stop of the whole process, listened to, and its end. */
    kill(pid, SIGSTOP);
    CHECK(stopped_by(wait_for(pid), SIGSTOP));
    go(PTRACE_CONT, pid, SIGSTOP);
    status = wait_for(pid);
    CHECK(WIFSTOPPED(status) && status >> 8 == (SIGSTOP | PTRACE_EVENT_STOP << 8));
    CHECK(ptrace(PTRACE_LISTEN, pid, 0, 0) == 0);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    kill(pid, SIGCONT);
    CHECK(stopped_at(wait_for(pid), PTRACE_EVENT_STOP));
    go(PTRACE_CONT, pid, 0);
    CHECK(stopped_by(wait_for(pid), SIGCONT));
    go(PTRACE_CONT, pid, SIGCONT);
    kill(pid, SIGKILL);
    status = wait_for(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* To children that have just been made: what it is told is not lost. */
static void attaches_at_birth(bool shares)
{
    for (int i = 0; i < 40; i++) {
        static char stack[1 << 16];
        pid_t pid = shares ? clone(run_born, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) : fork();
        if (pid == 0)
            _exit(run_born(NULL));
        CHECK(ptrace(PTRACE_ATTACH, pid, 0, 0) == 0);
        CHECK(stopped_by(wait_for(pid), SIGSTOP));
        go(PTRACE_CONT, pid, SIGKILL);
        CHECK(WIFSIGNALED(wait_for(pid)));
    }
}

/*
 * A stop that comes while the tracee is stopped already is its signal's first: nobody else in the process has taken it.
 */
static void stopped_twice(void)
{
    pid_t pid = start_loop(false);
    CHECK(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0);
    for (int i = 0; i < 30; i++) {
        CHECK(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
        CHECK(stopped_at(wait_for(pid), PTRACE_EVENT_STOP));
        kill(pid, SIGSTOP);
        go(PTRACE_CONT, pid, 0);
        int status = wait_for(pid);
        CHECK(stopped_by(status, SIGSTOP));
        if (status >> 16)
            break;
        go(PTRACE_CONT, pid, 0);
    }
    kill(pid, SIGKILL);
    CHECK(WIFSIGNALED(wait_for(pid)));
}

/* The tracer ends: its tracee goes on, or ends with it. */
static void tracer_ends(bool kills)
{
    int status;
    pid_t pid = start_loop(true), tracer = fork();
    if (tracer == 0) {
        ptrace(PTRACE_SEIZE, pid, 0, kills ? PTRACE_O_EXITKILL : 0);
        ptrace(PTRACE_INTERRUPT, pid, 0, 0);
        _exit(waitpid(pid, &status, __WALL) == pid ? 0 : 1);
    }
    CHECK(waitpid(tracer, &status, 0) == tracer && status == 0);
    struct timespec t = {0, 20000000};
    nanosleep(&t, NULL);
    if (!kills) {
        CHECK(waitpid(pid, &status, WNOHANG) == 0);
        kill(pid, SIGTERM);
    }
    status = wait_for(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == (kills ? SIGKILL : SIGTERM));
}

/* Waits with a time-out go on with what is left of it, however often they are interrupted by signals without a handler. */
static void waits_go_on(void)
{
    enum { WAIT_MS = 400, EVERY_MS = 50, ROUNDS = 60, ENOUGH = 40 };
    const struct timespec wait = {.tv_nsec = WAIT_MS * 1000000}, between = {.tv_nsec = EVERY_MS * 1000000};
    static uint32_t word;
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        CHECK(nanosleep(&wait, NULL) == 0);
        FAILS(syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 0, &wait, NULL, 0), ETIMEDOUT);
        _exit(failures);
    }
    int status = wait_for(pid), rounds = 0;
    for (; rounds < ROUNDS && WIFSTOPPED(status); rounds++) {
        CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
        nanosleep(&between, NULL);
        kill(pid, SIGWINCH);
        status = wait_for(pid);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0 && rounds < ENOUGH);
    if (WIFSTOPPED(status))
        kill(pid, SIGKILL);
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "exit"))
        return atoi(argv[2]);
    CHECK(realpath(argv[0], self));
    alarm(60);
    const struct {
        const char *name;
        void (*run)(bool);
        void (*plain)(void);
        bool arg;
    } parts[] = {
        {"calls", NULL, system_calls, 0},   {"registers", NULL, register_sets, 0}, {"signals", NULL, signal_stops, 0},
        {"queued signals", NULL, queued_signals, 0}, {"own trap", NULL, own_trap, 0},
        {"fault", NULL, fault, 0},          {"breakpoints", breakpoints, NULL, false}, {"breakpoints by file", breakpoints, NULL, true},
#ifndef __riscv
        {"hardware points", NULL, hardware_points, 0},
#endif
        {"events", events, NULL, false},    {"events of a seized", events, NULL, true}, {"exec", exec_trap, NULL, false},
        {"exec of a vfork", exec_trap, NULL, true},
        {"seccomp", NULL, seccomp_event, 0}, {"signals at entry", NULL, signals_at_entry, 0},
        {"attach", attaches, NULL, false}, {"attach to a waiting", attaches, NULL, true},
        {"stopped twice", NULL, stopped_twice, 0},
        {"attach at birth", attaches_at_birth, NULL, false},
        {"attach at birth of one that shares", attaches_at_birth, NULL, true},
        {"end", tracer_ends, NULL, false},  {"end that kills", tracer_ends, NULL, true},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int before = failures;
        if (argc > 1 && strcmp(argv[1], parts[i].name))
            continue;
        if (parts[i].plain)
            parts[i].plain();
        else
            parts[i].run(parts[i].arg);
        if (failures > before)
            fprintf(stderr, "in %s\n", parts[i].name);
    }
    waits_go_on();
    DONE();
}
