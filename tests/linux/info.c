/* What a process learns about itself and the machine: ids, limits, uname, scheduling, prctl, random numbers. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check.h"

#if defined __aarch64__
#define MACHINE "aarch64"
#elif defined __riscv
#define MACHINE "riscv64"
#else
#define MACHINE "x86_64"
#endif

int main(void)
{
    struct utsname u;
    CHECK(uname(&u) == 0 && !strcmp(u.sysname, "Linux") && !strcmp(u.machine, MACHINE));
    CHECK(getpid() > 0 && getppid() >= 0 && syscall(SYS_gettid) == getpid() && getpgid(0) == getpgrp());
    uid_t r, e, s;
    CHECK(getresuid(&r, &e, &s) == 0 && r == getuid() && e == geteuid());
    gid_t groups[200];
    CHECK(getgroups(200, groups) >= 0);
    struct rlimit l = {0}, as;
    CHECK(getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur > 0);
    rlim_t old = l.rlim_cur;
    l.rlim_cur = 64;
    CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0 && getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur == 64);
    l.rlim_cur = old;
    CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0);
    CHECK(getrlimit(RLIMIT_AS, &as) == 0);
    CHECK(getrlimit(RLIMIT_STACK, &l) == 0 && l.rlim_cur >= 65536);
    FAILS(getrlimit(99, &l), EINVAL);
    l = (struct rlimit){10, 5};
    FAILS(setrlimit(RLIMIT_NOFILE, &l), EINVAL);
    FAILS(setrlimit(RLIMIT_STACK, &l), EINVAL);
    struct rusage ru;
    CHECK(getrusage(RUSAGE_SELF, &ru) == 0 && ru.ru_maxrss > 0);
    struct sysinfo si;
    CHECK(sysinfo(&si) == 0 && si.totalram > 0 && si.mem_unit > 0 && si.procs > 0);
    cpu_set_t cpus;
    CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 0);
    CHECK(sched_getscheduler(0) == SCHED_OTHER && sched_get_priority_max(SCHED_FIFO) == 99 && sched_yield() == 0);
    unsigned cpu, node;
    CHECK(getcpu(&cpu, &node) == 0 && cpu < 4096);
    char name[16] = {0}, random[32] = {0};
    CHECK(prctl(PR_SET_NAME, "a-guest-name") == 0 && prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "a-guest-name"));
    int sig = -1;
    CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGUSR1);
    CHECK(prctl(PR_SET_PDEATHSIG, 0) == 0 && prctl(PR_GET_DUMPABLE) >= 0);
    FAILS(prctl(0x7777), EINVAL);
    FAILS(prctl(PR_GET_NAME, 8), EFAULT);
    CHECK(getrandom(random, sizeof random, 0) == sizeof random);
    int zero = 0;
    for (int i = 0; i < 32; i++)
        zero += !random[i];
    CHECK(zero < 16);
    int p = personality(0xffffffff);
    CHECK(p >= 0 && personality((unsigned long)p) == p);
    CHECK(syscall(SYS_membarrier, 0, 0, 0) > 0);
    int word = 1;
    CHECK(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0);
    FAILS(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0), EAGAIN);
    struct timespec ts = {0, 1000000};
    FAILS(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &ts, NULL, 0), ETIMEDOUT);
    FAILS(syscall(SYS_futex, 8, FUTEX_WAIT_PRIVATE, 1, &ts, NULL, 0), EFAULT);
    FAILS(syscall(4000), ENOSYS);
    CHECK(getpriority(PRIO_PROCESS, 0) == 0 || errno == 0);
    umask(022);
    CHECK(umask(077) == 022);
    CHECK(getauxval(AT_PAGESZ) == (unsigned long)sysconf(_SC_PAGESIZE) && getauxval(AT_UID) == getuid());
    DONE();
}
