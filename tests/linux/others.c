/* Other processes: what /proc shows of them, writing into their code, their core files, the filters of a traced one. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#ifndef PTRACE_SECCOMP_GET_METADATA
#define PTRACE_SECCOMP_GET_METADATA 0x420d
#endif
#define GET_FILTER ((enum __ptrace_request)0x420c)
#define GET_METADATA ((enum __ptrace_request)PTRACE_SECCOMP_GET_METADATA)

static void ignore(int signo) { }

static void *waits(void *arg)
{
    for (;;)
        pause();
    return arg;
}

/* "NAME:\tVALUE" of the file; hexadecimal or decimal. */
static uint64_t line_of(const char *path, const char *name, int base)
{
    char line[200];
    uint64_t value = UINT64_MAX;
    size_t n = strlen(name);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, n) && line[n] == ':')
            value = strtoull(line + n + 1, NULL, base);
    if (f)
        fclose(f);
    return value;
}

static void status(void)
{
    int ready[2];
    char c, path[40];
    CHECK(pipe(ready) == 0);
    pid_t pid = fork();
    if (!pid) {
        pthread_t t;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGRTMIN + 3);
        signal(SIGUSR2, ignore);
        signal(SIGALRM, ignore);
        signal(SIGHUP, SIG_IGN);
        sigprocmask(SIG_SETMASK, &set, NULL);
        pthread_create(&t, NULL, waits, NULL);
        CHECK(write(ready[1], "r", 1) == 1);
        waits(NULL);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    CHECK(line_of(path, "SigBlk", 16) == (1ull << (SIGUSR1 - 1) | 1ull << (SIGRTMIN + 3 - 1)));
    uint64_t caught = line_of(path, "SigCgt", 16), ignored = line_of(path, "SigIgn", 16);
    CHECK((caught & 0x7fffffff) == (1u << (SIGUSR2 - 1) | 1u << (SIGALRM - 1)));
    CHECK(ignored & 1u << (SIGHUP - 1) && !(ignored & 1u << (SIGSEGV - 1)));
    CHECK(line_of(path, "Threads", 10) == 2);
    CHECK(line_of(path, "Seccomp", 10) == line_of("/proc/self/status", "Seccomp", 10));
    struct stat st;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    CHECK(fstat(fd, &st) == 0 && st.st_mode == (S_IFREG | 0444));
    close(fd);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(ready[0]);
    close(ready[1]);
}

/* Returns 1; and the same with 2. */
#if defined __aarch64__
static const uint32_t one[] = {0x52800020, 0xd65f03c0}, two[] = {0x52800040, 0xd65f03c0};
#elif defined __riscv
static const uint32_t one[] = {0x00100513, 0x00008067}, two[] = {0x00200513, 0x00008067};
#else
static const unsigned char one[] = {0xb8, 1, 0, 0, 0, 0xc3}, two[] = {0xb8, 2, 0, 0, 0, 0xc3};
#endif

/* The other process runs the code all the time, and sees the new one soon. */
static void code(bool by_file)
{
    int ready[2], s;
    char c, path[40];
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(at, one, sizeof one);
    CHECK(mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0 && pipe(ready) == 0);
    __builtin___clear_cache(at, (char *)at + sizeof one);
    pid_t pid = fork();
    if (!pid) {
        volatile bool told = false;
        alarm(20);
        for (;;) {
            int answer = ((int (*)(void))at)();
            if (answer == 2)
                _exit(0);
            if (!told)
                told = write(ready[1], "r", 1) == 1;
        }
    }
    CHECK(read(ready[0], &c, 1) == 1);
    if (by_file) {
        snprintf(path, sizeof path, "/proc/%d/mem", pid);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0)
            CHECK(pwrite(fd, two, sizeof two, (off_t)(uintptr_t)at) == sizeof two);
        close(fd);
    } else { /* which does not write to what is not writable */
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &s, 0) == pid);
        CHECK(mprotect(at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
        pid = fork();
        if (!pid) {
            alarm(20);
            CHECK(write(ready[1], "r", 1) == 1);
            while (((int (*)(void))at)() != 2)
                continue;
            _exit(0);
        }
        CHECK(read(ready[0], &c, 1) == 1);
        struct iovec local = {(void *)two, sizeof two}, remote = {at, sizeof two};
        CHECK(process_vm_writev(pid, &local, 1, &remote, 1, 0) == sizeof two);
    }
    CHECK(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 0);
    munmap(at, 4096);
    close(ready[0]);
    close(ready[1]);
}

static void remove_folder(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(folder);
}

/* The status that the parent gets tells of the core file. */
static void core_bit(void)
{
    char pattern[128] = "|", folder[] = "/tmp/metic-core-XXXXXX";
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, none = {0, 0};
    int s = 0, fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, pattern, sizeof pattern - 1) < 0)
        pattern[0] = '|';
    close(fd);
    if (pattern[0] == '/' || pattern[0] == '|')
        return; /* of this machine's business */
    CHECK(mkdtemp(folder) != NULL);
    for (int dumps = 0; dumps < 2; dumps++)
        for (int by_id = 0; by_id < 2; by_id++) {
            pid_t pid = fork();
            if (!pid) {
                if (setrlimit(RLIMIT_CORE, dumps ? &all : &none) || chdir(folder))
                    _exit(77);
                abort();
            }
            siginfo_t info = {0};
            if (by_id) {
                CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_status == SIGABRT);
                if (info.si_status == SIGABRT)
                    CHECK(info.si_code == (dumps ? CLD_DUMPED : CLD_KILLED));
            }
            CHECK(waitpid(pid, &s, 0) == pid);
            if (WIFEXITED(s) && WEXITSTATUS(s) == 77)
                continue; /* no such limit allowed */
            CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT && !WCOREDUMP(s) == !dumps);
        }
    remove_folder(folder);
}

static void filters(void)
{
    struct sock_filter first[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_filter second[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_filter back[10];
    struct {
        uint64_t offset, flags;
    } data = {1, 0};
    int s;
    pid_t pid = fork();
    if (!pid) {
        struct sock_fprog a = {1, first}, b = {2, second};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &a) ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &b) || ptrace(PTRACE_TRACEME, 0, 0, 0))
            _exit(77);
        raise(SIGSTOP);
        _exit(0);
    }
    CHECK(waitpid(pid, &s, 0) == pid && WIFSTOPPED(s));
    errno = 0;
    long n = ptrace(GET_FILTER, pid, (void *)0, back);
    if (n == -1 && (errno == EACCES || errno == EIO)) {
        /* not root, or a kernel that can't checkpoint */
    } else {
        CHECK(n == 1 && !memcmp(back, first, sizeof first));
        CHECK(ptrace(GET_FILTER, pid, (void *)1, back) == 2 && !memcmp(back, second, sizeof second));
        CHECK(ptrace(GET_FILTER, pid, (void *)1, NULL) == 2);
        FAILS(ptrace(GET_FILTER, pid, (void *)2, back), ENOENT);
        FAILS(ptrace(GET_FILTER, pid, (void *)0, BAD_POINTER), EFAULT);
        CHECK(ptrace(GET_METADATA, pid, (void *)sizeof data, &data) == sizeof data && data.flags == SECCOMP_FILTER_FLAG_LOG);
        data.offset = 0;
        CHECK(ptrace(GET_METADATA, pid, (void *)sizeof data, &data) == sizeof data && data.flags == 0);
    }
    CHECK(ptrace(PTRACE_CONT, pid, 0, 0) == 0 && waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 0);
}

int main(void)
{
    alarm(60);
    status();
    code(true);
    code(false);
    core_bit();
    filters();
    DONE();
}
