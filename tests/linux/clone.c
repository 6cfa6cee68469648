/*
 * clone3 with everything it can be asked for: chosen ids, control groups, process descriptors, namespaces; and the
 * combinations of flags that are refused. What needs a privilege is left out without it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* Inline: with CLONE_VFORK parent and child return on one stack. */
static inline __attribute__((always_inline)) long clone3(struct args *a, size_t size)
{
#if defined __x86_64__
    long ret = SYS_clone3;
    __asm__ volatile("syscall" : "+a"(ret) : "D"(a), "S"(size) : "rcx", "r11", "memory");
#elif defined __aarch64__
    register long ret __asm__("x0") = (long)a;
    register long x1 __asm__("x1") = (long)size, x8 __asm__("x8") = SYS_clone3;
    __asm__ volatile("svc #0" : "+r"(ret) : "r"(x1), "r"(x8) : "memory");
#else
    register long ret __asm__("a0") = (long)a;
    register long a1 __asm__("a1") = (long)size, a7 __asm__("a7") = SYS_clone3;
    __asm__ volatile("ecall" : "+r"(ret) : "r"(a1), "r"(a7) : "memory");
#endif
    return ret;
}

static void plain(void)
{
    int pidfd = -1;
    pid_t parent_tid = 0, child_tid = 0;
    struct args a = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, .exit_signal = SIGCHLD,
                     .pidfd = (uintptr_t)&pidfd, .parent_tid = (uintptr_t)&parent_tid, .child_tid = (uintptr_t)&child_tid};
    long pid = clone3(&a, sizeof a);
    if (pid == 0)
        _exit(child_tid == getpid() ? 31 : 1);
    CHECK(pid > 0 && parent_tid == pid && child_tid == 0 && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
    struct pollfd p = {pidfd, POLLIN, 0};
    siginfo_t info = {0};
    CHECK(poll(&p, 1, 5000) == 1 && waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
    CHECK(info.si_pid == pid && info.si_status == 31);
    FAILS(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), ESRCH);
    close(pidfd);
    /* No signal at the end: only __WCLONE or __WALL waits for it. */
    a = (struct args){0};
    pid = clone3(&a, 64);
    if (pid == 0)
        _exit(32);
    int status;
    FAILS(waitpid((pid_t)pid, &status, 0), ECHILD);
    CHECK(waitpid((pid_t)pid, &status, __WALL) == pid && WEXITSTATUS(status) == 32);
    /* Handlers are reset, ignored signals stay. */
    signal(SIGUSR1, _exit);
    signal(SIGUSR2, SIG_IGN);
    a = (struct args){.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    pid = clone3(&a, sizeof a);
    if (pid == 0) {
        struct sigaction one, two;
        sigaction(SIGUSR1, NULL, &one);
        sigaction(SIGUSR2, NULL, &two);
        _exit(one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN ? 33 : 1);
    }
    CHECK(code_of((pid_t)pid) == 33);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

/* An id that nothing has now. */
static pid_t free_id(void)
{
    for (pid_t id = 20000 + getpid() % 5000;; id++)
        if (kill(id, 0) < 0 && errno == ESRCH)
            return id;
}

/* A thread that ends at once; it has no stack and needs none. */
static long thread3(struct args *a)
{
#if defined __x86_64__
    long ret = SYS_clone3;
    __asm__ volatile("syscall\n test %%rax, %%rax\n jnz 1f\n mov %2, %%eax\n xor %%edi, %%edi\n syscall\n1:"
                     : "+a"(ret) : "D"(a), "i"(SYS_exit), "S"(sizeof *a) : "rcx", "r11", "memory");
#elif defined __aarch64__
    register long ret __asm__("x0") = (long)a;
    register long x1 __asm__("x1") = sizeof *a, x8 __asm__("x8") = SYS_clone3;
    __asm__ volatile("svc #0\n cbnz x0, 1f\n mov x8, %3\n svc #0\n1:" : "+r"(ret) : "r"(x1), "r"(x8), "i"(SYS_exit) : "memory");
#else
    register long ret __asm__("a0") = (long)a;
    register long a1 __asm__("a1") = sizeof *a, a7 __asm__("a7") = SYS_clone3;
    __asm__ volatile("ecall\n bnez a0, 1f\n li a7, %3\n ecall\n1:" : "+r"(ret) : "r"(a1), "r"(a7), "i"(SYS_exit) : "memory");
#endif
    return ret;
}

static void chosen_thread_id(pid_t id)
{
    volatile pid_t alive = -1, told = 0;
    pid_t taken = getpid(), bad[] = {-5, INT_MAX};
    struct args a = {.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_SETTID |
                              CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID,
                     .child_tid = (uintptr_t)&alive, .parent_tid = (uintptr_t)&told, .set_tid = (uintptr_t)&id, .set_tid_size = 1};
    CHECK(thread3(&a) == id && told == id);
    while (alive)
        sched_yield();
    a.set_tid = (uintptr_t)&taken;
    CHECK(thread3(&a) == -EEXIST);
    for (int i = 0; i < 2; i++) {
        a.set_tid = (uintptr_t)&bad[i];
        CHECK(thread3(&a) == -EINVAL);
    }
}

static volatile int shared;

static void chosen_ids(void)
{
    pid_t id = free_id();
    struct args a = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&id, .set_tid_size = 1};
    long pid = clone3(&a, sizeof a);
    if (pid == 0)
        _exit(getpid() == id ? 41 : 1);
    if (pid == -EPERM)
        return;
    CHECK(pid == id && code_of(id) == 41);
    a.flags = CLONE_VM | CLONE_VFORK;
    pid = clone3(&a, sizeof a);
    if (pid == 0) {
        shared = 42;
        _exit(getpid() == id ? 42 : 1);
    }
    CHECK(pid == id && code_of(id) == 42 && shared == 42);
    chosen_thread_id(free_id());
    pid_t taken = getpid();
    a.set_tid = (uintptr_t)&taken;
    CHECK(clone3(&a, sizeof a) == -EEXIST);
    a.set_tid_size = 33;
    CHECK(clone3(&a, sizeof a) == -EINVAL);
    a.set_tid_size = 1;
    a.set_tid = 0;
    CHECK(clone3(&a, sizeof a) == -EINVAL);
    a.set_tid = 8;
    CHECK(clone3(&a, sizeof a) == -EFAULT);
}

static void control_group(void)
{
    static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
    char folder[PATH_MAX] = "", line[64], expected[64];
    int fd = -1;
    for (int i = 0; i < 2 && fd < 0; i++) {
        snprintf(folder, sizeof folder, "%s/cgroup.procs", roots[i]);
        if (access(folder, W_OK))
            continue;
        snprintf(folder, sizeof folder, "%s/metic-test-%d", roots[i], getpid());
        if (mkdir(folder, 0755) == 0)
            fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return;
    snprintf(expected, sizeof expected, "0::/metic-test-%d\n", getpid());
    for (int vfork = 0; vfork < 2; vfork++) {
        struct args a = {.flags = CLONE_INTO_CGROUP | (vfork ? CLONE_VM | CLONE_VFORK : 0), .exit_signal = SIGCHLD,
                         .cgroup = (uint64_t)fd};
        long pid = clone3(&a, sizeof a);
        if (pid == 0) {
            bool found = false;
            FILE *f = fopen("/proc/self/cgroup", "re");
            while (f && fgets(line, sizeof line, f))
                found |= !strcmp(line, expected);
            if (f)
                fclose(f);
            _exit(found ? 51 : 1);
        }
        CHECK(pid > 0 && code_of((pid_t)pid) == 51);
        CHECK(clone3(&a, 80) == -EINVAL);
        a.cgroup = (uint64_t)-1;
        CHECK(clone3(&a, sizeof a) == -EINVAL);
        a.cgroup = 1000;
        CHECK(clone3(&a, sizeof a) == -EBADF);
    }
    close(fd);
    CHECK(rmdir(folder) == 0);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

/* A user namespace and others inside it need no privilege, unless the system forbids them. */
static void namespaces(void)
{
    int ready[2];
    char text[64];
    uid_t uid = geteuid();
    CHECK(pipe(ready) == 0);
    struct args a = {.flags = CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC, .exit_signal = SIGCHLD};
    long pid = clone3(&a, sizeof a);
    if (pid == 0) {
        struct utsname u;
        char c;
        if (read(ready[0], &c, 1) != 1)
            _exit(1);
        CHECK(getpid() == 1 && getuid() == 0);
        CHECK(sethostname("metic-inside", 12) == 0 && uname(&u) == 0 && !strcmp(u.nodename, "metic-inside"));
        CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 && mkdir("/tmp/old", 0755) == 0 && mkdir("/tmp/proc", 0755) == 0);
        /* Children are numbered here, from 2 on, or behind a thread of an emulator's own. */
        pid_t two = fork();
        if (two == 0)
            _exit(getpid() <= 3 && getppid() == 1 ? 61 : 1);
        CHECK(two >= 2 && two <= 3 && code_of(two) == 61);
        CHECK(syscall(SYS_pivot_root, "/tmp", "/tmp/old") == 0 && chdir("/") == 0 && access("/old/tmp", F_OK) == 0);
        CHECK(umount2("/old", MNT_DETACH) == 0 && access("/old/tmp", F_OK) < 0);
        _exit(failures ? 1 : 62);
    }
    if (pid == -EPERM || pid == -ENOSPC)
        return;
    CHECK(pid > 0);
    snprintf(text, sizeof text, "/proc/%ld/setgroups", pid);
    write_file(text, "deny");
    char map[32];
    snprintf(map, sizeof map, "0 %u 1\n", uid);
    snprintf(text, sizeof text, "/proc/%ld/uid_map", pid);
    write_file(text, map);
    snprintf(map, sizeof map, "0 %u 1\n", getegid());
    snprintf(text, sizeof text, "/proc/%ld/gid_map", pid);
    write_file(text, map);
    CHECK(write(ready[1], "x", 1) == 1);
    CHECK(code_of((pid_t)pid) == 62);
    close(ready[0]);
    close(ready[1]);

    pid = fork();
    if (pid == 0) {
        struct utsname before, after;
        int own = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
        CHECK(own >= 0 && uname(&before) == 0);
        CHECK(unshare(CLONE_NEWUSER | CLONE_NEWUTS) == 0 && sethostname("other", 5) == 0);
        CHECK(uname(&after) == 0 && !strcmp(after.nodename, "other"));
        if (geteuid() == 0) /* only who may over the outer one comes back */
            CHECK(setns(own, CLONE_NEWUTS) == 0 || errno == EPERM);
        FAILS(setns(own, CLONE_NEWNET), EINVAL);
        FAILS(setns(-1, 0), EBADF);
        FAILS(unshare(CLONE_SETTLS), EINVAL);
        _exit(failures ? 1 : 63);
    }
    CHECK(code_of((pid_t)pid) == 63);
}

static void refused(void)
{
    static const struct {
        uint64_t flags;
        int signal;
        int error;
    } wrong[] = {
        {CLONE_THREAD, 0, EINVAL},
        {CLONE_THREAD | CLONE_SIGHAND, 0, EINVAL},
        {CLONE_SIGHAND, 0, EINVAL},
        {CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND, 0, EINVAL},
        {CLONE_FS | CLONE_NEWNS, 0, EINVAL},
        {CLONE_FS | CLONE_NEWUSER, 0, EINVAL},
        {CLONE_SYSVSEM | CLONE_NEWIPC, 0, EINVAL},
        {CLONE_DETACHED, 0, EINVAL},
        {SIGCHLD, 0, EINVAL},
        {1ULL << 40, 0, EINVAL},
        {CLONE_PARENT, SIGCHLD, EINVAL},
        {0, 65, EINVAL},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct args a = {.flags = wrong[i].flags, .exit_signal = (uint64_t)wrong[i].signal};
        long ret = clone3(&a, sizeof a);
        if (ret == 0)
            _exit(0);
        CHECK(ret == -wrong[i].error || (ret == -EPERM && geteuid() != 0));
    }
    struct args a = {.exit_signal = SIGCHLD, .stack = 4096};
    CHECK(clone3(&a, sizeof a) == -EINVAL);
    a = (struct args){.exit_signal = SIGCHLD, .stack_size = 4096};
    CHECK(clone3(&a, sizeof a) == -EINVAL);
    a = (struct args){.flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uintptr_t)BAD_POINTER};
    CHECK(clone3(&a, sizeof a) == -EFAULT && waitpid(-1, NULL, WNOHANG) == -1);
    struct {
        struct args a;
        uint64_t newer;
    } longer = {.newer = 1};
    CHECK(clone3(&longer.a, sizeof longer) == -E2BIG && clone3(&longer.a, 5000) == -E2BIG);
}

static __attribute__((noinline)) long thrice(long x) { return 3 * x; }

/* New mappings and new code, again and again. */
static void churn(int rounds)
{
    enum { SIZE = 64 };
    for (int i = 0; i < rounds; i++) {
        char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (code == MAP_FAILED)
            abort();
        memcpy(code, (const char *)(uintptr_t)thrice, SIZE);
        __builtin___clear_cache(code, code + SIZE);
        if (((long (*)(long))(uintptr_t)code)(i) != 3L * i)
            abort();
        munmap(code, 4096);
    }
}

/* Children that share memory are ended in the middle of anything; who waits for them goes on as before. */
static void ended_while_sharing(void)
{
    int told[2];
    CHECK(pipe(told) == 0);
    for (int i = 0; i < 150; i++) {
        pid_t other = fork(), victim;
        if (other == 0) {
            const struct timespec t = {0, i * 20000};
            if (read(told[0], &victim, sizeof victim) != sizeof victim || nanosleep(&t, NULL) || kill(victim, SIGTERM))
                _exit(1);
            _exit(0);
        }
        victim = vfork();
        if (victim == 0) {
            pid_t own = getpid();
            if (write(told[1], &own, sizeof own) == sizeof own)
                churn(INT_MAX);
            _exit(1);
        }
        churn(2);
        CHECK(code_of(victim) == -SIGTERM);
        CHECK(code_of(other) == 0);
    }
}

/* A brother instead of a child: the old call has a signal in its flags, which says nothing then. */
static void brother(void)
{
    pid_t me = getpid(), child = fork();
    if (child == 0) {
        long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
        if (pid == 0)
            _exit(getppid() == me ? 11 : 1);
        _exit(pid > 0 && waitpid((pid_t)pid, NULL, 0) == -1 ? 22 : 1);
    }
    CHECK(code_of(child) == 22);
    int status = -1;
    CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 11);
}

int main(void)
{
    plain();
    ended_while_sharing();
    brother();
    chosen_ids();
    control_group();
    namespaces();
    refused();
    DONE();
}
