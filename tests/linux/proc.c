/*
 * /proc as a program sees itself, its threads and other processes, by every way in. The program executes itself: with
 * "wait" it tells its addresses and waits for the end of its input.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "slurp.h"

static char self[4096];

static const char *base(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

/* -- the program itself, by many ways */

static bool is_self(const char *link) { return !strcmp(link, self); }

static void own_machine(int fd)
{
    Elf64_Ehdr e, own;
    int f = open(self, O_RDONLY);
    CHECK(read(f, &own, sizeof own) == sizeof own && read(fd, &e, sizeof e) == sizeof e && e.e_machine == own.e_machine);
    close(f);
    close(fd);
}

static void links(void)
{
    char path[100], link[4096];
    struct stat st, real;
    const pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);
    const char *formats[] = {"/proc/self/exe", "/proc/thread-self/exe", "/proc/./self/../self/exe", "/proc/%d/exe",
                             "/proc/%d/task/%d/exe", "/proc/self/task/%2$d/exe"};
    CHECK(stat(self, &real) == 0);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        snprintf(path, sizeof path, formats[i], pid, tid);
        ssize_t n = readlink(path, link, sizeof link - 1);
        link[n > 0 ? n : 0] = 0;
        CHECK(n > 0 && is_self(link));
        CHECK(stat(path, &st) == 0 && st.st_ino == real.st_ino);
        CHECK(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
        CHECK(access(path, X_OK) == 0);
        own_machine(open(path, O_RDONLY));
    }
    int proc = open("/proc", O_RDONLY | O_DIRECTORY), own = openat(proc, "self", O_PATH);
    CHECK(proc >= 0 && own >= 0);
    memset(link, 0, sizeof link);
    CHECK(readlinkat(own, "exe", link, sizeof link - 1) > 0 && is_self(link));
    CHECK(readlinkat(proc, "self/exe", link, sizeof link - 1) > 0 && is_self(link));
    CHECK(fstatat(own, "exe", &st, 0) == 0 && st.st_ino == real.st_ino);
    CHECK(fstatat(own, "exe", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode));
    own_machine(openat(own, "exe", O_RDONLY));
    struct open_how how = {.flags = O_RDONLY};
    int fd = (int)syscall(SYS_openat2, own, "exe", &how, sizeof how);
    if (fd >= 0 || errno != ENOSYS)
        own_machine(fd);
    CHECK(chdir("/proc/self") == 0 && readlink("exe", link, sizeof link - 1) > 0 && is_self(link));
    own_machine(open("exe", O_RDONLY));
    CHECK(chdir("/") == 0);
    CHECK(readlink("/proc/self/exe", link, 3) == 3);
    FAILS(readlink("/proc/self/exe", link, 0), EINVAL);
    close(proc);
    close(own);
}

/* The line of maps that holds the address, or NULL. */
static char *map_line(uint64_t addr)
{
    static char line[5000];
    uint64_t start, end;
    for (char *p = text; *p; p = strchr(p, '\n') + 1) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2 && addr >= start && addr < end)
            return line;
        if (!strchr(p, '\n'))
            break;
    }
    return NULL;
}

static void own_files(void)
{
    char path[100];
    const pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);
    const char *folders[] = {"/proc/self", "/proc/thread-self", "/proc/%d", "/proc/self/task/%2$d", "/proc/%d/task/%d"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char folder[60];
        snprintf(folder, sizeof folder, folders[i], pid, tid);
        snprintf(path, sizeof path, "%s/maps", folder);
        char *line = slurp(path) > 0 ? map_line((uintptr_t)own_files) : NULL;
        CHECK(line && strstr(line, " r-xp ") && strstr(line, base(self)));
        CHECK((line = map_line((uintptr_t)&line)) && strstr(line, " rw-p "));
        snprintf(path, sizeof path, "%s/smaps", folder);
        CHECK(slurp(path) > 0 && map_line((uintptr_t)own_files) && strstr(text, "\nRss:"));
        snprintf(path, sizeof path, "%s/cmdline", folder);
        CHECK(slurp(path) > 0 && (int)strlen(text) > 0);
        snprintf(path, sizeof path, "%s/status", folder);
        CHECK(slurp(path) > 0 && strstr(text, "\nThreads:\t"));
        int dir = open(folder, O_RDONLY | O_DIRECTORY);
        CHECK(slurp_fd(openat(dir, "maps", O_RDONLY)) > 0 && map_line((uintptr_t)own_files));
        int maps = openat(dir, "maps", O_RDONLY); /* and is not to be written */
        CHECK((fcntl(maps, F_GETFL) & O_ACCMODE) == O_RDONLY && fcntl(maps, F_GETFD) == 0);
        FAILS(write(maps, "x", 1), EBADF);
        close(maps);
        CHECK(slurp_fd(openat(dir, "auxv", O_RDONLY)) > 0);
        const uint64_t *aux = (const uint64_t *)text;
        uint64_t entry = 0, pages = 0;
        for (; aux[0]; aux += 2) {
            entry = aux[0] == AT_ENTRY ? aux[1] : entry;
            pages = aux[0] == AT_PAGESZ ? aux[1] : pages;
        }
        CHECK(entry == getauxval(AT_ENTRY) && pages == getauxval(AT_PAGESZ));
        close(dir);
    }
}

static void nothing(int signo) { }

/* Of the standard signals; glibc has two of the others to itself, and make leaves those ignored. */
static uint64_t status_bits(const char *name)
{
    char *line = strstr(text, name);
    return line ? strtoull(line + strlen(name), NULL, 16) & INT32_MAX : 0;
}

static void own_state(void)
{
    sigset_t set;
    struct utsname u;
    unsigned long long code_start = 0, code_end = 0, stack = 0;
    for (int signo = 1; signo < 32; signo++) /* who started the test may have left some ignored */
        signal(signo, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGUSR2, nothing);
    signal(SIGHUP, SIG_IGN);
    CHECK(slurp("/proc/self/status") > 0 && status_bits("\nSigBlk:") == 1u << (SIGUSR1 - 1));
    CHECK(status_bits("\nSigCgt:") == 1u << (SIGUSR2 - 1) && status_bits("\nSigIgn:") == 1u << (SIGHUP - 1));
    CHECK(strtol(strstr(text, "\nThreads:") + 9, NULL, 10) == 1);
    signal(SIGUSR2, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    CHECK(slurp("/proc/self/stat") > 0);
    char *p = strrchr(text, ')');
    int threads = 0;
    CHECK(p && sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d", &threads) == 1 && threads == 1);
    for (int field = 3; p && field <= 26; field++)
        p = strchr(p + 1, ' ');
    CHECK(p && sscanf(p, " %llu %llu %llu", &code_start, &code_end, &stack) == 3);
    CHECK((uintptr_t)own_state >= code_start && (uintptr_t)own_state < code_end && stack > (uintptr_t)&u);
    prctl(PR_SET_NAME, "another name");
    CHECK(slurp("/proc/self/comm") > 0 && !strcmp(text, "another name\n"));
    CHECK(slurp("/proc/self/stat") > 0 && strstr(text, " (another name) "));
    int word = 7, other = 0, mem = open("/proc/self/mem", O_RDWR);
    CHECK(pread(mem, &other, sizeof other, (off_t)(uintptr_t)&word) == sizeof other && other == 7);
    other = 8;
    CHECK(pwrite(mem, &other, sizeof other, (off_t)(uintptr_t)&word) == sizeof other && *(volatile int *)&word == 8);
    close(mem);
    CHECK(slurp("/proc/cpuinfo") > 0 && strstr(text, "processor"));
    CHECK(uname(&u) == 0);
    if (slurp("/proc/sys/kernel/arch") > 0)
        CHECK(!strncmp(text, u.machine, strlen(u.machine)));
    CHECK(slurp("/proc/sys/kernel/osrelease") > 0 && !strncmp(text, u.release, strlen(u.release)));
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && close(fd) == 0);
    fd = open("/proc/self/status", O_RDONLY);
    CHECK(fcntl(fd, F_GETFD) == 0 && close(fd) == 0);
}

static void *in_thread(void *arg)
{
    links();
    own_files();
    prctl(PR_SET_NAME, "thread");
    CHECK(slurp("/proc/thread-self/comm") > 0 && !strcmp(text, "thread\n"));
    return arg;
}

/* -- other processes */

struct told {
    uint64_t code, stack, entry;
};

static uint64_t entry_in(const char *path)
{
    uint64_t entry = 0;
    CHECK(slurp(path) > 0);
    for (const uint64_t *aux = (const uint64_t *)text; aux[0]; aux += 2)
        entry = aux[0] == AT_ENTRY ? aux[1] : entry;
    return entry;
}

static void look_at(pid_t pid, const struct told *told, bool executed)
{
    char path[100], link[4096] = {0};
    struct stat st, real;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    CHECK(readlink(path, link, sizeof link - 1) > 0 && is_self(link));
    CHECK(stat(path, &st) == 0 && stat(self, &real) == 0 && st.st_ino == real.st_ino);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    char *line = slurp(path) > 0 ? map_line(told->code) : NULL;
    CHECK(line && strstr(line, " r-xp ") && strstr(line, base(self)));
    CHECK((line = map_line(told->stack)) && strstr(line, " rw-p ") && strstr(line, "[stack]"));
    snprintf(path, sizeof path, "/proc/%d/task/%d/smaps", pid, pid);
    CHECK(slurp(path) > 0 && map_line(told->code));
    snprintf(path, sizeof path, "/proc/%d/auxv", pid);
    CHECK(entry_in(path) == told->entry);
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    unsigned long long start = 0, end = 0;
    CHECK(slurp(path) > 0);
    char *p = strrchr(text, ')');
    for (int field = 3; p && field <= 26; field++)
        p = strchr(p + 1, ' ');
    CHECK(p && sscanf(p, " %llu %llu", &start, &end) == 2 && told->code >= start && told->code < end);
    if (!executed)
        return;
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    CHECK(slurp(path) == sizeof "first word\0wait\0last word" && !memcmp(text, "first word\0wait\0last word", 25));
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    CHECK(slurp(path) > 0 && !strcmp(text, "METIC_TEST=some value"));
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    CHECK(slurp(path) > 0 && !strncmp(text, base(self), strcspn(text, "\n")));
}

static void tell_and_wait(int in, int out)
{
    struct told t = {(uintptr_t)tell_and_wait, (uintptr_t)&t, getauxval(AT_ENTRY)};
    char c;
    CHECK(write(out, &t, sizeof t) == sizeof t);
    CHECK(read(in, &c, 1) == 0);
}

static void others(bool execute)
{
    int in[2], out[2], status;
    struct told told;
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(in[1]);
        if (execute) {
            dup2(in[0], 0);
            dup2(out[1], 1);
            char *argv[] = {"first word", "wait", "last word", NULL}, *envp[] = {"METIC_TEST=some value", NULL};
            execve(self, argv, envp);
        } else {
            tell_and_wait(in[0], out[1]);
        }
        _exit(failures);
    }
    close(in[0]);
    close(out[1]);
    CHECK(read(out[0], &told, sizeof told) == sizeof told);
    look_at(pid, &told, execute);
    close(in[1]);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(out[0]);
}

/* -- nothing of a machine beneath */

static struct {
    unsigned long start, end;
} map[200];
static unsigned nmaps;

static unsigned long read_maps(void)
{
    char line[512], name[32];
    unsigned long sum = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    CHECK(f != NULL);
    for (nmaps = 0; f && nmaps < 200 && fgets(line, sizeof line, f);) {
        *name = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %31s", &map[nmaps].start, &map[nmaps].end, name) >= 2 && strcmp(name, "[vsyscall]"))
            sum += map[nmaps].end - map[nmaps].start, nmaps++;
    }
    if (f)
        fclose(f);
    return sum;
}

static bool is_mapped(unsigned long at)
{
    for (unsigned i = 0; i < nmaps; i++)
        if (at >= map[i].start && at < map[i].end)
            return true;
    return false;
}

/* Entries of a folder; each as a number, to be mapped if asked for. */
static unsigned entries(const char *path, bool mapped)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    CHECK(d != NULL);
    for (const struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') {
            CHECK(!mapped || is_mapped(strtoul(e->d_name, NULL, 16)));
            n++;
        }
    if (d)
        closedir(d);
    return n;
}

static void *count_threads(void *arg)
{
    CHECK(entries("/proc/self/task", false) == 2 && entries("/proc/thread-self/../../task", false) == 2);
    return NULL;
}

static void whole_process(void)
{
    volatile unsigned busy = 0;
    int in[2], status;
    char path[64], line[256];
    unsigned long n, a[6], sp, pc, sum;
    pthread_t thread;
    for (unsigned i = 0; i < 20000000; i++) /* an emulator has made a thread to compile this */
        busy = busy + i;
    CHECK(entries("/proc/self/task", false) == 1);
    CHECK(pthread_create(&thread, NULL, count_threads, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(slurp("/proc/self/sched") > 0 && (!strstr(text, "#threads") || strstr(text, "#threads: 1)")));
    sum = read_maps();
    CHECK(entries("/proc/self/map_files", true) > 0 || errno == EPERM);
    CHECK(slurp("/proc/self/statm") > 0 && strtoul(text, NULL, 10) * 4096 == sum);
    CHECK(slurp("/proc/self/status") > 0 && strstr(text, "VmSize:") && strtoul(strstr(text, "VmSize:") + 7, NULL, 10) * 1024 == sum);
    FILE *f = fopen("/proc/self/numa_maps", "re"); /* not in every kernel */
    while (f && fgets(line, sizeof line, f))
        CHECK(is_mapped(strtoul(line, NULL, 16)));
    if (f)
        fclose(f);
    if (slurp("/proc/self/smaps_rollup") > 0) {
        const char *rss = strstr(text, "\nRss:");
        CHECK(strtoul(text, NULL, 16) == map[0].start && rss && strtoul(rss + 5, NULL, 10) > 4 && strtoul(rss + 5, NULL, 10) < 4000);
    }

    CHECK(pipe2(in, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(in[1]);
        _exit(read(in[0], &c, 1) != 0);
    }
    snprintf(path, sizeof path, "/proc/%d/syscall", pid);
    for (int i = 0; i < 1000; i++) { /* until it waits there, and not for anything on its way */
        if (slurp(path) <= 0 || (sscanf(text, "%lu 0x", &n) == 1 && n == SYS_read))
            break;
        usleep(1000);
    }
    if (sscanf(text, "%lu 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx", &n, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &sp, &pc) == 9) {
        read_maps();
        CHECK(n == SYS_read && a[0] == (unsigned long)in[0] && a[2] == 1 && is_mapped(a[1]) && is_mapped(sp) && is_mapped(pc));
    }
    close(in[0]);
    close(in[1]);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* -- what an emulator tells of the program it runs */

static void change_names(void)
{
    extern char __executable_start[], etext[], edata[];
    char words[] = "another\0name"; /* not in a file's page: the kernel shows no others */
    static uint64_t auxv[] = {AT_ENTRY, 0x1234560, 0, 0};
    uint64_t brk = (uintptr_t)sbrk(0);
    unsigned size = 0;
    struct prctl_mm_map map = {
        .start_code = (uintptr_t)__executable_start,
        .end_code = (uintptr_t)etext,
        .start_data = (uintptr_t)edata - 1,
        .end_data = (uintptr_t)edata,
        .start_brk = brk,
        .brk = brk,
        .start_stack = (uintptr_t)&brk,
        .arg_start = (uintptr_t)words,
        .arg_end = (uintptr_t)words + sizeof words,
        .env_start = (uintptr_t)words + sizeof words,
        .env_end = (uintptr_t)words + sizeof words,
        .auxv = (void *)auxv,
        .auxv_size = sizeof auxv,
        .exe_fd = (uint32_t)-1,
    };
    CHECK(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) == 0 && size == sizeof map);
    CHECK(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0);
    CHECK(slurp("/proc/self/cmdline") == sizeof words && !memcmp(text, words, sizeof words));
    CHECK(entry_in("/proc/self/auxv") == 0x1234560);
    /* one after the other: for those who may */
    int changed = prctl(PR_SET_MM, PR_SET_MM_ARG_END, words + 8, 0, 0), error = errno;
    if (changed == 0) {
        CHECK(slurp("/proc/self/cmdline") == 8 && !memcmp(text, words, 8));
        CHECK(prctl(PR_SET_MM, PR_SET_MM_ARG_START, words + 9, 0, 0) == -1 && errno == EINVAL);
        CHECK(prctl(PR_SET_MM, PR_SET_MM_ARG_START, 0x123456789000, 0, 0) == -1 && errno == EFAULT);
        CHECK(prctl(PR_SET_MM, PR_SET_MM_ARG_START, 16, 0, 0) == -1 && errno == EINVAL);
        CHECK(prctl(PR_SET_MM, PR_SET_MM_ARG_START, words, 1, 0) == -1 && errno == EINVAL);
        CHECK(prctl(PR_SET_MM, 77, words, 0, 0) == -1 && errno == EINVAL);
        auxv[1] = 0x7654320;
        CHECK(prctl(PR_SET_MM, PR_SET_MM_AUXV, auxv, sizeof auxv, 0) == 0 && entry_in("/proc/self/auxv") == 0x7654320);
        auxv[1] = 0x1234560;
        CHECK(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0);
    } else {
        CHECK(error == EPERM);
    }
    map.end_code = map.start_code - 1;
    CHECK(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == -1 && errno == EINVAL);
    CHECK(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map - 1, 0) == -1 && errno == EINVAL);
}

static void renamed(void)
{
    int in[2], out[2], status;
    char path[40], c = 0;
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(in[1]);
        change_names();
        CHECK(write(out[1], &c, 1) == 1 && read(in[0], &c, 1) == 0);
        _exit(failures);
    }
    close(in[0]);
    close(out[1]);
    CHECK(read(out[0], &c, 1) == 1);
    snprintf(path, sizeof path, "/proc/%d/auxv", pid);
    CHECK(entry_in(path) == 0x1234560);
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    CHECK(slurp(path) == 13 && !strcmp(text + 8, "name"));
    close(in[1]);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(out[0]);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "wait")) {
        tell_and_wait(0, 1);
        DONE();
    }
    pthread_t thread;
    CHECK(realpath(argv[0], self));
    links();
    own_state();
    own_files();
    whole_process();
    CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
    others(false);
    others(true);
    renamed();
    DONE();
}
