/*
 * Scheduling and what a process says of itself to the kernel: policies, attributes, affinity, priorities, barriers,
 * process descriptors, comparisons, requests of prctl, personality, keys; and calls that are refused in an orderly way.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/membarrier.h>
#include <linux/perf_event.h>
#include <linux/prctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

#if defined __x86_64__
#define NATIVE 1
#else
#define NATIVE 0
#endif

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

/* Kernels before 6.13 can't tell of a process through its descriptor. */
static bool pidfd_info_missing(void)
{
    struct utsname u;
    unsigned major = 0, minor = 0;
    return uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2 || major < 6 || (major == 6 && minor < 13);
}

static void policies(void)
{
    struct sched_param p = {.sched_priority = 0};
    struct timespec ts;
    struct attr a = {.size = 48}, wrong = {.size = 48, .policy = 77};
    CHECK(sched_get_priority_min(SCHED_RR) == 1 && sched_get_priority_max(SCHED_OTHER) == 0);
    FAILS(sched_get_priority_max(99), EINVAL);
    CHECK(sched_setscheduler(0, SCHED_BATCH, &p) == 0 && sched_getscheduler(0) == SCHED_BATCH);
    CHECK(sched_getparam(0, &p) == 0 && p.sched_priority == 0 && sched_rr_get_interval(0, &ts) == 0);
    CHECK(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) == 0 && a.policy == SCHED_BATCH && a.size >= 48);
    a = (struct attr){.size = 48, .policy = SCHED_OTHER, .nice = 5};
    CHECK(syscall(SYS_sched_setattr, 0, &a, 0) == 0 && getpriority(PRIO_PROCESS, 0) == 5);
    FAILS(syscall(SYS_sched_setattr, 0, &wrong, 0), EINVAL);
    FAILS(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
    FAILS(syscall(SYS_sched_setattr, 0, BAD_POINTER, 0), EFAULT);
    FAILS(syscall(SYS_sched_getattr, 0, &a, 8, 0), EINVAL);
    FAILS(sched_setparam(0, BAD_POINTER), EFAULT);
    p.sched_priority = 50;
    FAILS(sched_setscheduler(0, SCHED_OTHER, &p), EINVAL);
    CHECK(setpriority(PRIO_PROCESS, 0, 7) == 0 && getpriority(PRIO_PROCESS, 0) == 7);
    FAILS(setpriority(9, 0, 0), EINVAL);
    /* class 2 (best effort), level 6 */
    CHECK(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6) == 0 && syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 6));
    FAILS(syscall(SYS_ioprio_set, 9, 0, 0), EINVAL);
}

static void affinity(void)
{
    cpu_set_t all, one, now;
    CPU_ZERO(&all);
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0 && sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&one, &now));
    CHECK(sched_getcpu() == cpu);
    CPU_ZERO(&one);
    FAILS(sched_setaffinity(0, sizeof one, &one), EINVAL);
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
    /* The bare call answers how many bytes it wrote; a length that is no multiple of a word is wrong. */
    unsigned long words[128];
    long n = syscall(SYS_sched_getaffinity, 0, sizeof words, words);
    CHECK(n >= 8 && n % 8 == 0);
    FAILS(syscall(SYS_sched_getaffinity, 0, 7, words), EINVAL);
    FAILS(syscall(SYS_sched_getaffinity, 0, sizeof words, BAD_POINTER), EFAULT);
}

static void barriers(void)
{
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    CHECK(commands > 0 && commands & MEMBARRIER_CMD_GLOBAL && syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0);
    FAILS(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    FAILS(syscall(SYS_membarrier, 3, 0, 0), EINVAL);
    FAILS(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
    /* Restartable sequences: both calls know them, or neither does. */
    static char area[64] __attribute__((aligned(64)));
    bool barrier = commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ;
    errno = 0;
    bool known = syscall(SYS_rseq, area, 32, 0, 0x53053053) == 0 || errno != ENOSYS;
    CHECK(barrier == known);
}

static void descriptors(void)
{
    int fd[2];
    CHECK(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(1);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    CHECK(pidfd >= 0);
    struct pollfd p = {pidfd, POLLIN, 0};
    CHECK(poll(&p, 1, 0) == 0);
    int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd[1], 0);
    if (copy >= 0) { /* else it is forbidden, as ptrace is */
        char c;
        CHECK(fcntl(copy, F_GETFD) == FD_CLOEXEC && write(copy, "y", 1) == 1 && read(fd[0], &c, 1) == 1 && c == 'y');
        close(copy);
        FAILS(syscall(SYS_pidfd_getfd, pidfd, 1000, 0), EBADF);
    }
    long same = syscall(SYS_kcmp, getpid(), pid, 0 /* KCMP_FILE */, fd[0], fd[0]);
    CHECK(same == 0 || (same < 0 && (errno == EPERM || errno == ENOSYS)));
    struct {
        uint64_t mask, cgroup;
        int32_t pid, tgid, ppid;
        uint32_t ids[8];
        int32_t exit_code;
    } about = {.mask = 1};
    if (!ioctl(pidfd, _IOWR(0xff, 11, about) /* PIDFD_GET_INFO, since Linux 6.13 */, &about))
        CHECK(about.pid == pid && about.tgid == pid && about.ppid == getpid() && about.ids[0] == getuid());
    else
        CHECK(errno == ENOTTY && pidfd_info_missing());
    int space = ioctl(pidfd, _IO(0xff, 10) /* PIDFD_GET_UTS_NAMESPACE, since 6.11 */, 0), kind;
    CHECK(space >= 0 ? (kind = ioctl(space, _IO(0xb7, 3) /* NS_GET_NSTYPE */)) == CLONE_NEWUTS && close(space) == 0
                     : errno == EACCES || pidfd_info_missing());
    siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_QUEUE};
    CHECK(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, &info, 0) == 0);
    CHECK(poll(&p, 1, 5000) == 1);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    FAILS(syscall(SYS_pidfd_open, pid, 0), ESRCH);
    FAILS(syscall(SYS_pidfd_open, 0, 0), EINVAL);
    FAILS(syscall(SYS_pidfd_open, getpid(), 0x40), EINVAL);
    FAILS(syscall(SYS_pidfd_getfd, fd[0], 0, 0), EBADF);
    close(pidfd);
    close(fd[0]);
    close(fd[1]);
}

static void requests(void)
{
    int v = -1;
    void *word = NULL;
    unsigned long auxv[64];
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && prctl(PR_GET_CHILD_SUBREAPER, &v) == 0 && v == 1);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
    CHECK(prctl(PR_SET_TIMERSLACK, 70000) == 0 && prctl(PR_GET_TIMERSLACK) == 70000);
    CHECK(prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) >= 0 && prctl(PR_GET_SECUREBITS) >= 0);
    FAILS(prctl(PR_CAPBSET_READ, 1000), EINVAL);
    CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1 && prctl(PR_SET_KEEPCAPS, 0) == 0);
    CHECK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
    CHECK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0);
    CHECK(syscall(SYS_set_tid_address, &v) == getpid());
    if (prctl(PR_GET_TID_ADDRESS, &word, 0, 0, 0) == 0)
        CHECK(word == &v);
    long n = prctl(0x41555856 /* PR_GET_AUXV */, auxv, sizeof auxv, 0, 0);
    if (n > 0) {
        bool found = false;
        for (int i = 0; i < 62 && auxv[i]; i += 2)
            found |= auxv[i] == AT_PAGESZ && auxv[i + 1] == getauxval(AT_PAGESZ);
        CHECK(found);
        FAILS(prctl(0x41555856, BAD_POINTER, 64, 0, 0), EFAULT);
    }
#ifdef __riscv
    CHECK(prctl(71 /* PR_RISCV_SET_ICACHE_FLUSH_CTX */, 0, 0) == 0);
    FAILS(prctl(71, 7, 0), EINVAL);
#endif
#ifdef __aarch64__
    FAILS(prctl(71, 0, 0), EINVAL);
    CHECK(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0) >= 0);
    FAILS(personality(PER_LINUX32), EINVAL);
#endif
    FAILS(prctl(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0), NATIVE ? ENODEV : errno);
    /* Readable memory becomes executable. */
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(personality(READ_IMPLIES_EXEC) >= 0 && personality(0xffffffff) == READ_IMPLIES_EXEC);
        char line[256], expected[32], *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        snprintf(expected, sizeof expected, "%lx-", (unsigned long)p);
        FILE *f = fopen("/proc/self/maps", "r");
        bool found = false;
        while (f && fgets(line, sizeof line, f))
            found |= !strncmp(line, expected, strlen(expected)) && strstr(line, " r-xp ");
        _exit(!found || failures);
    }
    CHECK(code_of(pid) == 0);
    /* Time-outs stay what they were; an old release's name is the next program's, too. */
    pid = fork();
    if (pid == 0) {
        struct timeval tv = {0, 20000};
        struct utsname u;
        CHECK(personality(STICKY_TIMEOUTS | UNAME26 | READ_IMPLIES_EXEC) >= 0);
        CHECK(select(0, NULL, NULL, NULL, &tv) == 0 && tv.tv_usec == 20000);
        CHECK(uname(&u) == 0 && !strncmp(u.release, "2.6.", 4));
        execl("/proc/self/exe", "sched", "old release", NULL);
        _exit(1);
    }
    CHECK(code_of(pid) == 0);
}

/* A child gives its session's keys to its parent, which has one thread, whatever an emulator has while code gets hot.
 */
static void session_from_child(void)
{
    char number[16];
    volatile long sum = 0;
    long before = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1);
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        bool made = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0;
        _exit(made && syscall(SYS_keyctl, KEYCTL_SESSION_TO_PARENT) == 0 ? 0 : 1);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(number, sizeof number, "%d", i);
        sum += atoi(number);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) != before);
}

static void keys(void)
{
    char buf[64] = "", name[32];
    snprintf(name, sizeof name, "metic-%d", getpid());
    long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
    if (ring < 0)
        return;
    long key = syscall(SYS_add_key, "user", name, "payload", 7, KEY_SPEC_SESSION_KEYRING);
    if (key < 0)
        return;
    CHECK(syscall(SYS_keyctl, KEYCTL_READ, key, buf, sizeof buf) == 7 && !memcmp(buf, "payload", 7));
    CHECK(syscall(SYS_request_key, "user", name, NULL, KEY_SPEC_SESSION_KEYRING) == key);
    CHECK(syscall(SYS_keyctl, KEYCTL_UPDATE, key, "new", 3) == 0 && syscall(SYS_keyctl, KEYCTL_READ, key, buf, 64) == 3);
    CHECK(syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, buf, sizeof buf) > 0 && strstr(buf, name));
    CHECK(syscall(SYS_keyctl, KEYCTL_REVOKE, key) == 0);
    FAILS(syscall(SYS_keyctl, KEYCTL_READ, key, buf, sizeof buf), EKEYREVOKED);
    FAILS(syscall(SYS_keyctl, 9999), EOPNOTSUPP);
    FAILS(syscall(SYS_add_key, "user", BAD_POINTER, "x", 1, KEY_SPEC_SESSION_KEYRING), EFAULT);
    FAILS(syscall(SYS_add_key, "no-such-type", name, "x", 1, KEY_SPEC_SESSION_KEYRING), ENODEV);
    session_from_child();
}

/* What works natively here may be refused elsewhere, but not in another way than a kernel refuses. */
static void refused(void)
{
    struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE, .size = sizeof a, .config = PERF_COUNT_HW_CPU_CYCLES};
    int fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
    int error = errno;
    CHECK(fd >= 0 || error == ENOENT || error == EACCES || error == EPERM || error == ENOSYS || error == EOPNOTSUPP);
    if (fd >= 0)
        close(fd);
    char attr[128] = {0};
    long map = syscall(SYS_bpf, 1000, attr, sizeof attr);
    error = errno;
    CHECK(map < 0 && (error == EINVAL || error == EPERM || error == ENOSYS));
    CHECK(syscall(SYS_kexec_load, 0, 1000, NULL, 0) < 0 && (errno == EPERM || errno == EINVAL || errno == ENOSYS));
    CHECK(syscall(SYS_init_module, "", 0, "") < 0 && (errno == EPERM || errno == ENOEXEC || errno == ENOSYS));
    CHECK(syscall(SYS_remap_file_pages, 0, 0, 0, 0, 0) < 0);
    for (long n = 463; n < 600; n += 17)
        if (syscall(n + 200, 0, 0, 0, 0, 0, 0) >= 0 || errno != ENOSYS)
            CHECK(!"a number nobody knows");
    char buf[16];
    FAILS(getrandom(buf, sizeof buf, 0x80), EINVAL);
    FAILS(getrandom(BAD_POINTER, 16, 0), EFAULT);
    CHECK(getrandom(buf, sizeof buf, GRND_NONBLOCK | GRND_RANDOM) > 0 || errno == EAGAIN);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "old release")) {
        struct utsname u;
        return uname(&u) || strncmp(u.release, "2.6.", 4) || personality(0xffffffff) != (STICKY_TIMEOUTS | UNAME26);
    }
    policies();
    affinity();
    barriers();
    descriptors();
    requests();
    keys();
    refused();
    DONE();
}
