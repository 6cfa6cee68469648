/*
 * seccomp: filters and their actions, inheritance, threads, notifications, the strict mode. The program executes
 * itself.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#if defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#elif defined __riscv
#define ARCH AUDIT_ARCH_RISCV64
#else
#define ARCH AUDIT_ARCH_X86_64
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define COUNT(a) (sizeof(a) / sizeof *(a))

static char self[4096];

static long install(unsigned long flags, struct sock_filter *f, unsigned n)
{
    struct sock_fprog prog = {.len = (unsigned short)n, .filter = f};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* The action for one call number, ALLOW for the rest; KILL for other architectures. */
static long act(unsigned long flags, int nr, uint32_t action)
{
    struct sock_filter f[] = {
        LOAD(arch), UNLESS(ARCH, 3), LOAD(nr), UNLESS((uint32_t)nr, 2), RETURN(action), RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW),
    };
    return install(flags, f, COUNT(f));
}

/* Runs fn in a child and answers how it ended. */
static int status_of(void (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        failures = 0;
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        fn();
        _exit(failures);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

static void clean(void (*fn)(void)) { CHECK(status_of(fn) == 0); }

static void dies(void (*fn)(void), int signo)
{
    int status = status_of(fn);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signo);
}

/* -- programs that are none */

static void programs(void)
{
    struct sock_filter ok[] = {RETURN(SECCOMP_RET_ALLOW)};
    struct {
        struct sock_filter f[3];
        unsigned n;
    } bad[] = {
        {{LOAD(nr)}, 1},                                                                              /* no end */
        {{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(0)}, 2},                                     /* not aligned */
        {{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(struct seccomp_data)), RETURN(0)}, 2},          /* behind the data */
        {{BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0)}, 2},                                     /* half a word */
        {{BPF_STMT(BPF_LD | BPF_MEM, 1), RETURN(0)}, 2},                                             /* not written */
        {{BPF_STMT(BPF_ST, 16), RETURN(0)}, 2},                                                      /* no such cell */
        {{BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)}, 2},                                    /* by zero */
        {{BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)}, 2},                                    /* not for seccomp */
        {{BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0)}, 2},
        {{BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0)}, 2},                                             /* out of it */
        {{BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 2), RETURN(0)}, 2},
        {{BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3)}, 3},
        {{{0xffff, 0, 0, 0}, RETURN(0)}, 2},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        FAILS(install(0, bad[i].f, bad[i].n), EINVAL);
    FAILS(install(0, ok, 0), EINVAL);
    FAILS(install(0, ok, 5000), EINVAL);
    FAILS(install(0x8000, ok, 1), EINVAL);
    FAILS(install(0, BAD_POINTER, 1), EFAULT);
    FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, BAD_POINTER), EFAULT);
    FAILS(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
    FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
    FAILS(prctl(PR_SET_SECCOMP, 7, NULL), EINVAL);
    CHECK(prctl(PR_GET_SECCOMP) == 0);
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    CHECK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
    action = 0x12340000;
    FAILS(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
    struct seccomp_notif_sizes sizes;
    CHECK(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 && sizes.seccomp_notif == 80 && sizes.seccomp_data == 64);
}

static void without_privileges(void)
{
    struct sock_filter ok[] = {RETURN(SECCOMP_RET_ALLOW)};
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
        return;
    FAILS(install(0, ok, 1), EACCES);
    FAILS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, BAD_POINTER), EFAULT); /* what is wrong with the filter comes first */
    FAILS(install(0, ok, 0), EINVAL);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && install(0, ok, 1) == 0);
}

/* -- actions */

static bool says(const char *line)
{
    char text[8192];
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return strstr(text, line) != NULL;
}

static void errnos(void)
{
    pid_t parent = getppid();
    CHECK(act(0, SYS_getppid, SECCOMP_RET_ERRNO | 77) == 0);
    FAILS(syscall(SYS_getppid), 77);
    CHECK(prctl(PR_GET_SECCOMP) == 2 && says("\nSeccomp:\t2\n"));
    /* A later one with more to say; a weaker one says nothing. */
    CHECK(act(0, SYS_getppid, SECCOMP_RET_LOG) == 0);
    FAILS(syscall(SYS_getppid), 77);
    CHECK(act(0, SYS_getppid, SECCOMP_RET_ERRNO | 78) == 0);
    FAILS(syscall(SYS_getppid), 78);
    CHECK(act(0, SYS_getsid, SECCOMP_RET_ERRNO | 0xffff) == 0);
    FAILS(syscall(SYS_getsid, 0), 4095);
    CHECK(act(0, SYS_getpgid, SECCOMP_RET_ERRNO) == 0 && syscall(SYS_getpgid, 0) == 0);
    CHECK(act(0, SYS_setsid, SECCOMP_RET_TRACE | 5) == 0); /* nobody traces */
    FAILS(syscall(SYS_setsid), ENOSYS);
    (void)parent;
}

/* By argument: both halves, and arithmetic on the way. */
static void arguments(void)
{
    struct sock_filter f[] = {
        LOAD(nr), UNLESS(SYS_getpgid, 8),
        LOAD(args[3]), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1), BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(args[4]),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0), BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LD | BPF_MEM, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 41, 1, 0),
        RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ERRNO | 42),
    };
    CHECK(install(0, f, COUNT(f)) == 0);
    CHECK(syscall(SYS_getpgid, 0, 0, 0, 1, 2) == getpgrp());
    FAILS(syscall(SYS_getpgid, 0, 0, 0, 7, 49), 42);
    CHECK(syscall(SYS_getpgid, 0, 0, 0, 7, 48) == getpgrp());
}

static volatile int trapped, trap_ok;
static void on_sys(int signo, siginfo_t *info, void *uc)
{
    trapped++;
    trap_ok = info->si_code == 1 && info->si_errno == 99 && info->si_syscall == SYS_getppid && info->si_arch == ARCH && info->si_call_addr;
}

static void traps(void)
{
    struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &a, NULL);
    CHECK(act(0, SYS_getppid, SECCOMP_RET_TRAP | 99) == 0);
    syscall(SYS_getppid);
    CHECK(trapped == 1 && trap_ok);
}

static void killed_by_trap(void)
{
    CHECK(act(0, SYS_getppid, SECCOMP_RET_TRAP) == 0);
    syscall(SYS_getppid);
}

static void killed(void)
{
    signal(SIGSYS, SIG_IGN);
    CHECK(act(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS) == 0);
    syscall(SYS_getppid);
}

static void killed_thread_alone(void)
{
    CHECK(act(0, SYS_getppid, SECCOMP_RET_KILL_THREAD) == 0);
    syscall(SYS_getppid);
}

static void *call_getppid(void *arg)
{
    *(volatile int *)arg = 1;
    syscall(SYS_getppid);
    *(volatile int *)arg = 2;
    return NULL;
}

static void kills_a_thread(void)
{
    volatile int reached = 0;
    pthread_t t;
    struct timespec ms = {0, 1000000};
    CHECK(act(0, SYS_getppid, SECCOMP_RET_KILL_THREAD) == 0);
    CHECK(pthread_create(&t, NULL, call_getppid, (void *)&reached) == 0);
    for (int i = 0; i < 10000 && !reached; i++)
        nanosleep(&ms, NULL);
    for (int i = 0; i < 200; i++)
        nanosleep(&ms, NULL);
    CHECK(reached == 1);
}

/* What the vDSO does is no call. */
static void clocks(void)
{
    struct timespec t;
    CHECK(act(0, SYS_clock_gettime, SECCOMP_RET_KILL_PROCESS) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
}

/* -- inheritance */

static void executes(void)
{
    CHECK(act(0, SYS_getppid, SECCOMP_RET_ERRNO | 77) == 0);
    CHECK(act(0, SYS_getsid, SECCOMP_RET_ERRNO | 66) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        FAILS(syscall(SYS_getppid), 77);
        _exit(failures);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    execl(self, self, "filtered", NULL);
    failures++;
}

static int filtered(void)
{
    FAILS(syscall(SYS_getppid), 77);
    FAILS(syscall(SYS_getsid, 0), 66);
    CHECK(prctl(PR_GET_SECCOMP) == 2 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    CHECK(fcntl(3, F_GETFD) < 0);
    return failures;
}

static volatile int stage;
static volatile long thread_result;

static void *waits_and_calls(void *arg)
{
    if (arg)
        CHECK(act(0, SYS_getsid, SECCOMP_RET_ERRNO | 1) == 0); /* one of its own */
    stage = 1;
    while (stage != 2)
        sched_yield();
    errno = 0;
    syscall(SYS_getppid);
    thread_result = errno;
    return NULL;
}

static void synchronizes(void)
{
    pthread_t t;
    CHECK(pthread_create(&t, NULL, waits_and_calls, NULL) == 0);
    while (stage != 1)
        sched_yield();
    CHECK(act(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 77) == 0);
    stage = 2;
    pthread_join(t, NULL);
    CHECK(thread_result == 77);
    CHECK(pthread_create(&t, NULL, waits_and_calls, (void *)1) == 0);
    while (stage != 1)
        sched_yield();
    CHECK(act(SECCOMP_FILTER_FLAG_TSYNC, SYS_getpgid, SECCOMP_RET_ERRNO | 5) > 0); /* the thread's id */
    FAILS(act(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SYS_getpgid, SECCOMP_RET_ERRNO | 5), ESRCH);
    CHECK(syscall(SYS_getpgid, 0) == getpgrp());
    stage = 2;
    pthread_join(t, NULL);
}

/* -- the strict mode */

static void strict(void)
{
    char c = 's';
    int p[2];
    CHECK(pipe(p) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
    if (syscall(SYS_write, p[1], &c, 1) == 1 && syscall(SYS_read, p[0], &c, 1) == 1)
        syscall(SYS_exit, 21);
    syscall(SYS_exit, 1);
}

static void strict_violated(void)
{
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_getpid);
}

/* -- notifications */

static int listener;

static bool answer(int64_t val, int32_t error, uint32_t flags, uint64_t arg)
{
    struct seccomp_notif n = {0};
    struct seccomp_notif_resp r = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) || n.data.nr != SYS_getpgid || n.data.arch != ARCH || n.data.args[1] != arg)
        return false;
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id))
        return false;
    r = (struct seccomp_notif_resp){.id = n.id, .val = val, .error = error, .flags = flags};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r) == 0;
}

static void notifies(void)
{
    int status;
    pid_t group = getpgrp(); /* the same call on some architectures */
    listener = (int)act(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getpgid, SECCOMP_RET_USER_NOTIF);
    CHECK(listener >= 0);
    FAILS(act(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getppid, SECCOMP_RET_USER_NOTIF), EBUSY);
    pid_t supervisor = fork();
    if (supervisor == 0)
        _exit(!(answer(1234, 0, 0, 11) && answer(0, -ENOENT, 0, 12) && answer(0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE, 13) &&
                answer(0, -ENOSYS, 0, 14) && answer(5, 0, 0, 15)));
    CHECK(syscall(SYS_getpgid, 0, 11) == 1234);
    FAILS(syscall(SYS_getpgid, 0, 12), ENOENT);
    CHECK(syscall(SYS_getpgid, 0, 13) == group);
    FAILS(syscall(SYS_getpgid, 0, 14), ENOSYS);
    pid_t child = fork();
    if (child == 0)
        _exit(syscall(SYS_getpgid, 0, 15) == 5 ? 0 : 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(waitpid(supervisor, &status, 0) == supervisor && status == 0);
    close(listener);
    FAILS(syscall(SYS_getpgid, 0), ENOSYS);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "filtered"))
        return filtered();
    CHECK(realpath(argv[0], self));
    programs();
    pid_t pid = fork();
    if (pid == 0) {
        without_privileges();
        _exit(failures);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    clean(errnos);
    clean(arguments);
    clean(traps);
    dies(killed_by_trap, SIGSYS);
    dies(killed, SIGSYS);
    dies(killed_thread_alone, SIGSYS);
    clean(kills_a_thread);
    clean(clocks);
    clean(executes);
    clean(synchronizes);
    status = status_of(strict);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 21);
    dies(strict_violated, SIGKILL);
    clean(notifies);
    DONE();
}
