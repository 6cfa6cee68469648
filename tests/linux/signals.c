/*
 * Signals: delivery, masks, queues, alternate stacks, restart of system calls, and the siginfo of faults. Every part
 * leaves the dispositions as it found them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

static volatile int count, last;
static volatile siginfo_t last_info;
static void note(int signo) { count++, last = signo; }
static void note_info(int signo, siginfo_t *info, void *uc)
{
    count++, last = signo;
    last_info = *info;
}

static void handle(int signo, void (*fn)(int), int flags)
{
    struct sigaction a = {.sa_handler = fn, .sa_flags = flags};
    CHECK(sigaction(signo, &a, NULL) == 0);
}

static void handle_info(int signo, void (*fn)(int, siginfo_t *, void *), int flags)
{
    struct sigaction a = {.sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO};
    CHECK(sigaction(signo, &a, NULL) == 0);
}

static void mask(int how, int signo)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, signo);
    CHECK(sigprocmask(how, &s, NULL) == 0);
}

static bool blocked(int signo)
{
    sigset_t s;
    sigprocmask(SIG_BLOCK, NULL, &s);
    return sigismember(&s, signo);
}

static bool is_pending(int signo)
{
    sigset_t s;
    sigpending(&s);
    return sigismember(&s, signo);
}

/* -- dispositions */

static volatile bool was_blocked;
static void look_at_mask(int signo)
{
    count++;
    was_blocked = blocked(signo);
}

static void dispositions(void)
{
    struct sigaction old;
    count = 0;
    handle(SIGUSR1, note, 0);
    CHECK(raise(SIGUSR1) == 0 && count == 1 && last == SIGUSR1);
    CHECK(kill(getpid(), SIGUSR1) == 0 && count == 2);
    handle(SIGUSR1, SIG_IGN, 0);
    raise(SIGUSR1);
    CHECK(count == 2);

    handle(SIGUSR1, look_at_mask, 0);
    raise(SIGUSR1);
    CHECK(was_blocked && !blocked(SIGUSR1));
    handle(SIGUSR1, look_at_mask, SA_NODEFER);
    raise(SIGUSR1);
    CHECK(!was_blocked);
    handle(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL && old.sa_flags & SA_RESETHAND);
    CHECK(count == 5);

    FAILS(sigaction(SIGKILL, &old, NULL), EINVAL);
    FAILS(sigaction(SIGSTOP, &old, NULL), EINVAL);
    FAILS(sigaction(65, &old, NULL), EINVAL);
    CHECK(sigaction(SIGKILL, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    FAILS(kill(getpid(), 65), EINVAL);
    CHECK(kill(getpid(), 0) == 0);
}

/* -- masks and queues */

static volatile int order[8], nordered;
static void note_order(int signo, siginfo_t *info, void *uc) { order[nordered++] = info->si_value.sival_int; }

static void masks_and_queues(void)
{
    count = 0;
    handle_info(SIGUSR2, note_info, 0);
    mask(SIG_BLOCK, SIGUSR2);
    raise(SIGUSR2);
    raise(SIGUSR2);
    CHECK(count == 0 && is_pending(SIGUSR2));
    mask(SIG_UNBLOCK, SIGUSR2);
    CHECK(count == 1 && !is_pending(SIGUSR2));
    CHECK(last_info.si_code == SI_TKILL && last_info.si_pid == getpid() && last_info.si_uid == getuid());
    kill(getpid(), SIGUSR2);
    CHECK(last_info.si_code == SI_USER && last_info.si_signo == SIGUSR2);

    /* Real-time signals are all kept, with their values, in order; lower numbers first. */
    handle_info(SIGRTMIN + 1, note_order, 0);
    handle_info(SIGRTMIN + 2, note_order, 0);
    mask(SIG_BLOCK, SIGRTMIN + 1);
    mask(SIG_BLOCK, SIGRTMIN + 2);
    for (int i = 0; i < 3; i++) {
        CHECK(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 20 + i}) == 0);
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}) == 0);
    }
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGRTMIN + 1);
    mask(SIG_UNBLOCK, SIGRTMIN + 1);
    CHECK(nordered == 3 && order[0] == 10 && order[1] == 11 && order[2] == 12);
    sigaddset(&both, SIGRTMIN + 2);
    CHECK(sigprocmask(SIG_UNBLOCK, &both, NULL) == 0);
    CHECK(nordered == 6 && order[3] == 20 && order[5] == 22);

    sigset_t all, now;
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, &now) == 0);
    CHECK(!blocked(SIGKILL) && !blocked(SIGSTOP) && blocked(SIGSEGV) && blocked(SIGTERM));
    CHECK(sigprocmask(SIG_SETMASK, &now, NULL) == 0);
    CHECK(!blocked(SIGSEGV));
    FAILS(sigprocmask(77, &all, NULL), EINVAL);
    FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 4), EINVAL);
    FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD_POINTER, NULL, 8), EFAULT);
}

/* -- signals that the processor raises, sent by kill */

static void sent_sync_signals(void)
{
    static const int sync[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (unsigned i = 0; i < sizeof sync / sizeof *sync; i++) {
        count = 0;
        handle_info(sync[i], note_info, 0);
        raise(sync[i]);
        CHECK(count == 1 && last == sync[i] && last_info.si_code == SI_TKILL);
        mask(SIG_BLOCK, sync[i]);
        kill(getpid(), sync[i]);
        getppid();
        CHECK(count == 1 && is_pending(sync[i]));
        mask(SIG_UNBLOCK, sync[i]);
        CHECK(count == 2 && last_info.si_code == SI_USER && !is_pending(sync[i]));
        handle(sync[i], SIG_IGN, 0);
        raise(sync[i]);
        handle(sync[i], SIG_DFL, 0);
    }
    sigset_t s;
    siginfo_t info;
    struct timespec soon = {5, 0};
    mask(SIG_BLOCK, SIGSEGV);
    raise(SIGSEGV);
    sigemptyset(&s);
    sigaddset(&s, SIGSEGV);
    CHECK(sigtimedwait(&s, &info, &soon) == SIGSEGV && info.si_pid == getpid() && !is_pending(SIGSEGV));
    mask(SIG_UNBLOCK, SIGSEGV);
}

/* -- waiting for signals */

static void waiting(void)
{
    sigset_t s, old;
    siginfo_t info;
    struct timespec ts = {0, 1000000};
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &s, &old) == 0);
    FAILS(sigtimedwait(&s, &info, &ts), EAGAIN);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 55});
    CHECK(sigwaitinfo(&s, &info) == SIGUSR1 && info.si_code == SI_QUEUE && info.si_value.sival_int == 55);

    int fd = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
    struct signalfd_siginfo si;
    FAILS(read(fd, &si, sizeof si), EAGAIN);
    kill(getpid(), SIGUSR1);
    CHECK(read(fd, &si, sizeof si) == sizeof si && si.ssi_signo == SIGUSR1 && si.ssi_pid == (uint32_t)getpid());
    close(fd);

    /* sigsuspend: the handler runs under the given mask, afterwards the old one is back. */
    count = 0;
    handle(SIGUSR1, note, 0);
    kill(getpid(), SIGUSR1);
    CHECK(count == 0);
    sigset_t none;
    sigemptyset(&none);
    FAILS(sigsuspend(&none), EINTR);
    CHECK(count == 1 && blocked(SIGUSR1));

    /* ppoll and pselect with a mask: both pending signals are delivered in one call. */
    mask(SIG_BLOCK, SIGUSR2);
    handle(SIGUSR2, note, 0);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    FAILS(ppoll(NULL, 0, NULL, &none), EINTR);
    CHECK(count == 3 && blocked(SIGUSR1) && blocked(SIGUSR2));
    kill(getpid(), SIGUSR1);
    FAILS(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
    CHECK(count == 4 && blocked(SIGUSR1));
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

/* -- restart of system calls */

static int pipe_of_alarm[2];
static void write_pipe(int signo)
{
    count++;
    if (count == 3 && write(pipe_of_alarm[1], "x", 1) != 1)
        _exit(99);
}

static void every_10ms(bool on)
{
    struct itimerval t = {{0, on ? 10000 : 0}, {0, on ? 10000 : 0}};
    setitimer(ITIMER_REAL, &t, NULL);
}

static void restarts(void)
{
    char c;
    CHECK(pipe(pipe_of_alarm) == 0);
    /* read() goes on through two signals, until the third handler writes. */
    count = 0;
    handle(SIGALRM, write_pipe, SA_RESTART);
    every_10ms(true);
    CHECK(read(pipe_of_alarm[0], &c, 1) == 1 && count >= 3);
    handle(SIGALRM, note, 0);
    count = 0;
    FAILS(read(pipe_of_alarm[0], &c, 1), EINTR);
    CHECK(count >= 1);
    handle(SIGALRM, note, SA_RESTART);
    /* Never restarted, whatever the flag says. */
    struct timespec ts = {10, 0}, rest = {0, 0};
    FAILS(nanosleep(&ts, &rest), EINTR);
    CHECK(rest.tv_sec < 10 && (rest.tv_sec || rest.tv_nsec));
    rest = ts;
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &rest) == EINTR);
    CHECK(rest.tv_sec < 10 && (rest.tv_sec || rest.tv_nsec));
    FAILS(poll(NULL, 0, 10000), EINTR);
    FAILS(pause(), EINTR);
    FAILS(select(0, NULL, NULL, NULL, NULL), EINTR);
    /*
     * A restarted wait for a child, which lives until the third handler writes: signals of a busy machine fall
     * together.
     */
    count = 0;
    handle(SIGALRM, write_pipe, SA_RESTART);
    pid_t pid = fork();
    if (pid == 0)
        _exit(read(pipe_of_alarm[0], &c, 1) == 1 ? 7 : 8);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7 && count >= 3);
    every_10ms(false);
    handle(SIGALRM, SIG_DFL, 0);
    close(pipe_of_alarm[0]);
    close(pipe_of_alarm[1]);
}

/* -- alternate stack */

static char alternate[64 << 10];
static void *volatile handler_sp;
static volatile stack_t stack_inside;
static void on_stack(int signo)
{
    char here;
    stack_t s, bad = {.ss_flags = SS_DISABLE};
    handler_sp = &here;
    sigaltstack(NULL, &s);
    stack_inside = s;
    if (s.ss_flags == SS_ONSTACK)
        FAILS(sigaltstack(&bad, NULL), EPERM);
}

static bool inside(const void *p) { return (const char *)p >= alternate && (const char *)p < alternate + sizeof alternate; }

static void alternate_stack(void)
{
    stack_t s = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;
    CHECK(sigaltstack(&s, &old) == 0 && old.ss_flags == SS_DISABLE);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alternate && old.ss_size == sizeof alternate && old.ss_flags == 0);
    handle(SIGUSR1, on_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(inside(handler_sp) && stack_inside.ss_flags == SS_ONSTACK);
    handle(SIGUSR1, on_stack, 0);
    raise(SIGUSR1);
    CHECK(!inside(handler_sp) && stack_inside.ss_flags == 0);
    s.ss_size = 100;
    FAILS(sigaltstack(&s, NULL), ENOMEM);
    s.ss_flags = 77;
    FAILS(sigaltstack(&s, NULL), EINVAL);
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
    s = (stack_t){.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = (int)SS_AUTODISARM};
    CHECK(sigaltstack(&s, NULL) == 0);
    handle(SIGUSR1, on_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(inside(handler_sp) && stack_inside.ss_flags == SS_DISABLE);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == (int)SS_AUTODISARM && old.ss_sp == alternate);
    s = (stack_t){.ss_flags = SS_DISABLE};
    CHECK(sigaltstack(&s, NULL) == 0);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
}

/* -- faults */

static sigjmp_buf back;
static void leave(int signo, siginfo_t *info, void *uc)
{
    note_info(signo, info, uc);
    siglongjmp(back, 1);
}

#define FAULTS(statement, signo, code, address)                                                   \
    do {                                                                                          \
        last = 0;                                                                                 \
        if (!sigsetjmp(back, 1)) {                                                                \
            statement;                                                                            \
            CHECK(!"no signal");                                                                  \
        }                                                                                         \
        CHECK(last == (signo) && last_info.si_code == (code));                                    \
        CHECK((address) == NULL || last_info.si_addr == (void *)(address));                       \
        CHECK(!blocked(signo));                                                                   \
    } while (0)

static void faults(void)
{
    volatile int *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile int *volatile nowhere = bad_pointer;
    char name[] = "/tmp/metic-signals-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    volatile char *file = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int s = 1; s < 32; s++)
        if (s == SIGSEGV || s == SIGBUS || s == SIGILL || s == SIGTRAP)
            handle_info(s, leave, 0);
    for (int i = 0; i < 3; i++) {
        FAULTS((void)*nowhere, SIGSEGV, SEGV_MAPERR, nowhere);
        FAULTS(*nowhere = 1, SIGSEGV, SEGV_MAPERR, nowhere);
        FAULTS(page[5] = 1, SIGSEGV, SEGV_ACCERR, page + 5);
        FAULTS((void)*file, SIGBUS, BUS_ADRERR, file);
        FAULTS(((void (*volatile)(void))nowhere)(), SIGSEGV, SEGV_MAPERR, nowhere);
        FAULTS(((void (*volatile)(void))page)(), SIGSEGV, SEGV_ACCERR, page);
    }
#if defined(__aarch64__)
    FAULTS(__asm__ volatile("udf #0"), SIGILL, ILL_ILLOPC, NULL);
    FAULTS(__asm__ volatile("brk #7"), SIGTRAP, TRAP_BRKPT, NULL);
#elif defined(__riscv)
    FAULTS(__asm__ volatile(".4byte 0"), SIGILL, ILL_ILLOPC, NULL);
    FAULTS(__asm__ volatile("ebreak"), SIGTRAP, TRAP_BRKPT, NULL);
#endif
    for (int s = 1; s < 32; s++)
        if (s == SIGSEGV || s == SIGBUS || s == SIGILL || s == SIGTRAP)
            handle(s, SIG_DFL, 0);
    munmap((void *)page, 8192);
    munmap((void *)file, 4096);
    close(fd);
}

/* A handler that repairs the fault and returns: the instruction is executed again, with its registers. */
static char *repaired;
static void repair(int signo, siginfo_t *info, void *uc)
{
    count++;
    mprotect(repaired, 4096, PROT_READ | PROT_WRITE);
}

static void repairs(void)
{
    count = 0;
    repaired = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    handle_info(SIGSEGV, repair, 0);
    long sum = 0;
    for (volatile int i = 0; i < 50; i++) {
        mprotect(repaired, 4096, PROT_NONE);
        ((volatile long *)repaired)[i] = i;
        sum += ((volatile long *)repaired)[i];
    }
    CHECK(sum == 49 * 50 / 2 && count == 50);
    handle(SIGSEGV, SIG_DFL, 0);
    munmap(repaired, 4096);
}

/* -- what the frame says and gives back */

static void change_registers(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
#if defined(__aarch64__)
    uc->uc_mcontext.regs[19] = 42;
    uc->uc_mcontext.pc += 4;
#elif defined(__riscv)
    uc->uc_mcontext.__gregs[18] = 42; /* s2 */
    uc->uc_mcontext.__gregs[0] += 4;
#endif
    sigaddset(&uc->uc_sigmask, SIGUSR2);
    count++;
}

static void frames(void)
{
    long value = 0;
    count = 0;
    handle_info(SIGTRAP, change_registers, 0);
#if defined(__aarch64__)
    __asm__ volatile("mov x19, #1\n brk #0\n mov %0, x19" : "=r"(value) : : "x19", "memory");
#elif defined(__riscv)
    __asm__ volatile(".option push\n .option norvc\n li s2, 1\n ebreak\n mv %0, s2\n .option pop"
                     : "=r"(value) : : "s2", "memory");
#else
    value = 42;
    raise(SIGTRAP);
#endif
    CHECK(value == 42 && count == 1 && blocked(SIGUSR2));
    mask(SIG_UNBLOCK, SIGUSR2);
    handle(SIGTRAP, SIG_DFL, 0);
}

static volatile double clobber[32];
static void spoil(int signo)
{
    for (int i = 0; i < 32; i++)
        clobber[i] = clobber[i] * 1.5 + i;
    count++;
}

/* Floating point and integer state survives handlers that arrive at any instruction. */
static double work(volatile int *rounds)
{
    int n = *rounds;
    double a = 1, b = 2, c = 3, d = 4;
    unsigned long h = 5381;
    for (int i = 0; i < n; i++) {
        a = a * 0.999 + b;
        b = b * 0.5 + c / (1 + d);
        c = (c + a) * 0.25;
        d = d + 1 / (1 + c * c);
        h = h * 33 + (unsigned long)(d * 1000);
    }
    return a + b + c + d + (double)(h & 0xffff);
}

static void storm(void)
{
    volatile int rounds = 20000;
    double expect = work(&rounds);
    struct itimerval t = {{0, 300}, {0, 300}}, off = {{0, 0}, {0, 0}};
    time_t end = time(NULL) + 20;
    count = 0;
    handle(SIGALRM, spoil, SA_RESTART);
    setitimer(ITIMER_REAL, &t, NULL);
    while (count < 200 && time(NULL) < end)
        CHECK(work(&rounds) == expect);
    setitimer(ITIMER_REAL, &off, NULL);
    CHECK(count >= 200);
    handle(SIGALRM, SIG_DFL, 0);
}

/* -- calls that need not wait, and signals without SA_RESTART, ever somewhere else: no call is interrupted */

static void calls_in_storm(void)
{
    const struct itimerspec off = {{0}, {0}};
    unsigned failed = 0;
    timer_t timer;
    count = 0;
    handle(SIGALRM, note, 0);
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
    for (int i = 0; i < 6000; i++) {
        const struct itimerspec soon = {{0}, {.tv_nsec = 1 + i * 97 % 10000}};
        timer_settime(timer, 0, &soon, NULL);
        int fd = open("/dev/null", O_RDWR);
        failed += fd < 0 || write(fd, "storm", 5) != 5 || fcntl(fd, F_GETFD) || close(fd);
    }
    timer_settime(timer, 0, &off, NULL);
    CHECK(failed == 0 && count > 0);
    timer_delete(timer);
    handle(SIGALRM, SIG_DFL, 0);
}

/* -- nesting: a handler that is interrupted by another */

static void raise_other(int signo)
{
    count = count * 10 + 1;
    raise(SIGUSR2);
    count = count * 10 + 3;
}
static void nested(int signo) { count = count * 10 + 2; }

static void nesting(void)
{
    count = 0;
    handle(SIGUSR1, raise_other, 0);
    handle(SIGUSR2, nested, 0);
    raise(SIGUSR1);
    CHECK(count == 123);
    struct sigaction a = {.sa_handler = raise_other};
    sigaddset(&a.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &a, NULL);
    count = 0;
    raise(SIGUSR1);
    CHECK(count == 132);
}

/* -- how a process ends */

static int status_of(void (*child)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

static void die_segv(void) { *(volatile int *)bad_pointer = 1; }
static void die_blocked(void)
{
    handle(SIGSEGV, note, 0);
    mask(SIG_BLOCK, SIGSEGV);
    *(volatile int *)bad_pointer = 1;
}
static void die_ignored(void)
{
    handle(SIGSEGV, SIG_IGN, 0);
    *(volatile int *)bad_pointer = 1;
}
static void die_term(void) { raise(SIGTERM); }
static void die_abort(void) { abort(); }
static void die_rt(void) { raise(SIGRTMIN + 5); }
static void die_kill(void) { raise(SIGKILL); }
static void die_fpe_sent(void) { kill(getpid(), SIGFPE); pause(); }
static void die_overflow(void)
{
    volatile char big[4096];
    big[0] = 1;
    if (big[0])
        die_overflow();
    big[1] = 2;
}

static void endings(void)
{
    static const struct {
        void (*child)(void);
        int signo;
    } cases[] = {{die_segv, SIGSEGV}, {die_blocked, SIGSEGV}, {die_ignored, SIGSEGV}, {die_term, SIGTERM}, {die_abort, SIGABRT},
                 {die_kill, SIGKILL}, {die_fpe_sent, SIGFPE}, {die_overflow, SIGSEGV}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = status_of(cases[i].child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == cases[i].signo);
    }
    int status = status_of(die_rt);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGRTMIN + 5);
}

/* A crash reporter's way: the handler sends its own siginfo on, to the default action or another handler. */
static siginfo_t sent_on;
static void on_sent(int signo, siginfo_t *info, void *uc) { sent_on = *info; }

static void sent_to_oneself(void)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SEGV_ACCERR, .si_addr = (void *)0x12340};
    struct sigaction sa = {.sa_sigaction = on_sent, .sa_flags = SA_SIGINFO}, old;
    sigaction(SIGSEGV, &sa, &old);
    CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGSEGV, &info) == 0);
    CHECK(sent_on.si_code == SEGV_ACCERR && sent_on.si_addr == (void *)0x12340);
    info.si_code = SEGV_MAPERR;
    CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &info) == 0);
    CHECK(sent_on.si_code == SEGV_MAPERR && sent_on.si_signo == SIGSEGV);
    sigaction(SIGSEGV, &old, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGSEGV, &info);
        _exit(1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    FAILS(syscall(SYS_rt_sigqueueinfo, getppid(), SIGSEGV, &info), EPERM);
    /* A child's end may be told by any signal. */
    sa.sa_sigaction = on_sent;
    sigaction(SIGBUS, &sa, &old);
    pid = (pid_t)syscall(SYS_clone, SIGBUS, 0, 0, 0, 0);
    if (pid == 0)
        _exit(5);
    CHECK(waitpid(pid, &status, __WALL) == pid && sent_on.si_signo == SIGBUS && sent_on.si_code == CLD_EXITED);
    CHECK(sent_on.si_pid == pid && sent_on.si_status == 5);
    sigaction(SIGBUS, &old, NULL);
}

/* To a child that has just been made, which may not have come far. */
static void to_newborn(void)
{
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGTERM};
    for (int i = 0; i < 80; i++) {
        int status, signo = signals[i % 4];
        pid_t pid = fork();
        if (pid == 0) {
            alarm(20);
            for (;;)
                pause();
        }
        CHECK(pid > 0 && kill(pid, signo) == 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == signo);
    }
}

int main(void)
{
    dispositions();
    masks_and_queues();
    sent_sync_signals();
    waiting();
    restarts();
    alternate_stack();
    faults();
    repairs();
    frames();
    storm();
    calls_in_storm();
    nesting();
    endings();
    sent_to_oneself();
    to_newborn();
    DONE();
}
