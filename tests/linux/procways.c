/*
 * Ways into /proc that don't name the file: descriptors opened again, links from elsewhere, mounts at other places, a
 * folder as root, the links themselves; reading again from the beginning; what changes by writing; queries of mappings;
 * limits and open flags as told there; what stat tells. A process looks at itself, at a thread of its and at a child.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "slurp.h"

static char self[4096], folder[] = "/tmp/metic-ways-XXXXXX";

/* A file of maps is the program's: its code is there, by its name, and its first line is of its file. */
static bool ours(void)
{
    uint64_t start, end, code = (uintptr_t)ours;
    const char *name = strrchr(self, '/') + 1;
    for (char *line = text; *line; line += strcspn(line, "\n") + 1) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 && code >= start && code < end) {
            char one[5000];
            snprintf(one, sizeof one, "%.*s", (int)strcspn(line, "\n"), line);
            return strstr(one, "r-xp") && strstr(one, name);
        }
        if (!strchr(line, '\n'))
            break;
    }
    return false;
}

static bool is_maps(int fd) { return slurp_fd(fd) > 0 && ours(); }

static int again(int fd, const char *how)
{
    char path[60];
    snprintf(path, sizeof path, how, fd);
    int other = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
    return other;
}

/* By descriptors, links and folders; of the process or thread whose folder this is. */
static void ways(const char *of)
{
    char path[128], link[160], got[4096];
    struct stat st, real;
    snprintf(path, sizeof path, "%s/maps", of);
    CHECK(is_maps(open(path, O_RDONLY)));
    CHECK(is_maps(again(open(path, O_PATH), "/proc/self/fd/%d")));
    CHECK(is_maps(again(open(path, O_PATH), "/dev/fd/%d")));
    CHECK(is_maps(again(open(path, O_RDONLY), "/proc/self/fd/%d")));
    CHECK(is_maps(again(open(path, O_RDONLY), "/proc/thread-self/fd/%d")));
    snprintf(link, sizeof link, "%s/another-name", folder);
    CHECK(symlink(path, link) == 0 && is_maps(open(link, O_RDONLY)));
    CHECK(unlink(link) == 0 && symlink(of, link) == 0);
    snprintf(got, sizeof got, "%s/maps", link);
    CHECK(is_maps(open(got, O_RDONLY)));
    snprintf(got, sizeof got, "%s/task/../maps", of);
    if (!strstr(of, "task") && !strstr(of, "thread"))
        CHECK(is_maps(open(got, O_RDONLY)));
    unlink(link);
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_MAGICLINKS};
    CHECK(is_maps((int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how)));
    int d = open(of, O_PATH | O_DIRECTORY);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
    CHECK(is_maps((int)syscall(SYS_openat2, d, "maps", &how, sizeof how)));
    how.resolve = RESOLVE_IN_ROOT;
    CHECK(is_maps((int)syscall(SYS_openat2, d, "/../maps", &how, sizeof how)));
    CHECK(fchdir(d) == 0 && is_maps(open("maps", O_RDONLY)) && is_maps(open("./maps", O_RDONLY)));
    CHECK(readlink("exe", got, sizeof got) == (ssize_t)strlen(self) && !memcmp(got, self, strlen(self)));
    CHECK(chdir("/") == 0);
    /* the link itself */
    int l = openat(d, "exe", O_PATH | O_NOFOLLOW);
    CHECK(l >= 0 && fstat(l, &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(readlinkat(l, "", got, sizeof got) == (ssize_t)strlen(self) && !memcmp(got, self, strlen(self)));
    close(l);
    l = openat(d, "exe", O_PATH);
    CHECK(stat(self, &real) == 0 && fstat(l, &st) == 0 && st.st_ino == real.st_ino);
    close(l);
    struct statx sx;
    CHECK(statx(d, "exe", 0, STATX_INO, &sx) == 0 && sx.stx_ino == real.st_ino);
    CHECK(faccessat(d, "exe", X_OK, 0) == 0);
    /* the name of an open one */
    int m = openat(d, "maps", O_RDONLY);
    snprintf(link, sizeof link, "/proc/self/fd/%d", m);
    ssize_t n = readlink(link, got, sizeof got - 1);
    got[n > 0 ? n : 0] = 0;
    CHECK(n > 0 && !strncmp(got, "/proc/", 6) && !strcmp(got + n - 5, "/maps"));
    close(m);
    close(d);
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_nlink == b->st_nlink &&
           a->st_size == b->st_size && a->st_uid == b->st_uid;
}

/* What is told of open files is what is told of their names. */
static void told(const char *of)
{
    static const char *const names[] = {"maps", "status", "stat", "auxv", "limits", "smaps"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128], link[40];
        struct stat named, opened, empty, linked;
        struct statx sx;
        struct statfs fs;
        snprintf(path, sizeof path, "%s/%s", of, names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        CHECK(stat(path, &named) == 0 && fstat(fd, &opened) == 0 && same(&opened, &named));
        CHECK(syscall(SYS_newfstatat, fd, "", &empty, AT_EMPTY_PATH) == 0 && same(&empty, &named));
        CHECK(stat(link, &linked) == 0 && same(&linked, &named));
        CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &sx) == 0 && sx.stx_ino == named.st_ino &&
              sx.stx_mode == named.st_mode);
        CHECK(statx(AT_FDCWD, link, 0, STATX_ALL, &sx) == 0 && sx.stx_nlink == 1 && sx.stx_size == 0);
        CHECK(fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC);
        CHECK(lstat(link, &linked) == 0 && S_ISLNK(linked.st_mode));
        close(fd);
    }
}

/* A folder task/ has a link for each thread. */
static void links(const char *of, unsigned threads)
{
    char path[128];
    struct stat st;
    struct statx sx;
    const nlink_t want = threads + 2;
    snprintf(path, sizeof path, "%s/task/", of);
    int folder_fd = open(of, O_PATH | O_DIRECTORY), fd = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(stat(path, &st) == 0 && st.st_nlink == want);
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == want);
    CHECK(fstatat(folder_fd, "task/.", &st, 0) == 0 && st.st_nlink == want);
    CHECK(statx(folder_fd, "task", 0, STATX_ALL, &sx) == 0 && sx.stx_nlink == want);
    CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &sx) == 0 && sx.stx_nlink == want);
    close(fd);
    close(folder_fd);
}

/* Also while code gets hot, which an emulator may compile in a thread of its own. */
static void alone(void)
{
    char number[16];
    volatile long sum = 0;
    for (int i = 0; i < 20000; i++) {
        struct stat st;
        snprintf(number, sizeof number, "%d", i);
        for (int k = 0; k < 100; k++)
            sum += atoi(number) + k;
        if (stat("/proc/self/task", &st) || st.st_nlink != 3) {
            CHECK(!"one thread");
            break;
        }
    }
}

static void *in_thread(void *arg)
{
    links("/proc/self", 2);

    char of[64];
    ways("/proc/thread-self");
    snprintf(of, sizeof of, "/proc/%d/task/%d", getpid(), (int)syscall(SYS_gettid));
    ways(of);
    return arg;
}

/* A child that waits for the end of a pipe. */
static pid_t child(int *keep)
{
    int p[2];
    CHECK(pipe2(p, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(p[1]);
        _exit(read(p[0], &c, 1) != 0);
    }
    close(p[0]);
    *keep = p[1];
    return pid;
}

static void end_child(pid_t pid, int keep)
{
    int status;
    close(keep);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static unsigned count(const char *path, const char *what)
{
    unsigned n = 0;
    CHECK(slurp(path) > 0);
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* Made anew when it is read from its beginning. */
static void read_again(void)
{
    static char buf[1 << 18];
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    CHECK(read(maps, buf, sizeof buf) > 0 && read(status, buf, sizeof buf) > 0);
    char *p = mmap(NULL, 1 << 16, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0), line[40];
    prctl(PR_SET_NAME, "anew");
    snprintf(line, sizeof line, "%lx-%lx r--s", (unsigned long)p, (unsigned long)p + (1 << 16));
    CHECK(lseek(maps, 0, SEEK_SET) == 0);
    size_t n = 0;
    for (ssize_t got; (got = read(maps, buf + n, sizeof buf - 1 - n)) > 0;)
        n += (size_t)got;
    buf[n] = 0;
    CHECK(strstr(buf, line));
    CHECK(munmap(p, 1 << 16) == 0);
    ssize_t got = pread(maps, buf, sizeof buf - 1, 0);
    buf[got > 0 ? got : 0] = 0;
    CHECK(got > 0 && !strstr(buf, line));
    got = pread(status, buf, sizeof buf - 1, 0);
    buf[got > 0 ? got : 0] = 0;
    CHECK(!strncmp(buf, "Name:\tanew\n", 11));
    FILE *f = fopen("/proc/self/stat", "re");
    CHECK(f && fgets(buf, sizeof buf, f) && strstr(buf, "(anew)"));
    prctl(PR_SET_NAME, "again");
    rewind(f);
    CHECK(fgets(buf, sizeof buf, f) && strstr(buf, "(again)"));
    fclose(f);
    close(maps);
    close(status);
}

struct query { /* struct procmap_query of newer headers */
    uint64_t size, flags, addr, start, end, vma_flags, page_size, offset, inode;
    uint32_t major, minor, name_size, build_id_size;
    uint64_t name, build_id;
};
#define QUERY _IOWR('f', 17, struct query)

static void queries(const char *of)
{
    char path[64], name[4096] = "";
    struct stat st;
    uint8_t id[20];
    snprintf(path, sizeof path, "%s/maps", of);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct query q = {.size = sizeof q, .addr = (uintptr_t)queries, .name = (uintptr_t)name, .name_size = sizeof name};
    if (ioctl(fd, QUERY, &q) == -1 && errno == ENOTTY) {
        close(fd);
        return; /* of Linux 6.11 */
    }
    CHECK(ioctl(fd, QUERY, &q) == 0 && q.start <= q.addr && q.addr < q.end && q.vma_flags == 5 && q.page_size == 4096);
    CHECK(stat(self, &st) == 0 && q.inode == st.st_ino && !strcmp(name, self) && q.name_size == strlen(self) + 1);
    q = (struct query){.size = sizeof q, .addr = 0, .flags = 0x10};
    CHECK(ioctl(fd, QUERY, &q) == 0 && q.start > 0);
    q = (struct query){.size = sizeof q, .addr = 0};
    FAILS(ioctl(fd, QUERY, &q), ENOENT);
    q = (struct query){.size = sizeof q, .addr = (uintptr_t)queries, .flags = 2};
    FAILS(ioctl(fd, QUERY, &q), ENOENT);
    q = (struct query){.size = sizeof q, .addr = (uintptr_t)queries, .flags = 0x80};
    FAILS(ioctl(fd, QUERY, &q), EINVAL);
    q = (struct query){.size = sizeof q, .addr = (uintptr_t)queries, .name_size = 3, .name = (uintptr_t)name};
    FAILS(ioctl(fd, QUERY, &q), ENAMETOOLONG);
    q = (struct query){.size = sizeof q, .addr = (uintptr_t)queries, .name_size = 3};
    FAILS(ioctl(fd, QUERY, &q), EINVAL);
    q = (struct query){.size = 8};
    FAILS(ioctl(fd, QUERY, &q), EINVAL);
    q = (struct query){.size = sizeof q, .addr = (uintptr_t)&q, .flags = 2, .name_size = sizeof name, .name = (uintptr_t)name};
    CHECK(ioctl(fd, QUERY, &q) == 0 && q.vma_flags == 3 && q.inode == 0 && q.offset == 0 && !strcmp(name, "[stack]"));
    q = (struct query){.size = sizeof q, .addr = (uintptr_t)queries, .build_id_size = sizeof id, .build_id = (uintptr_t)id};
    CHECK(ioctl(fd, QUERY, &q) == 0 && (q.build_id_size == 20 || q.build_id_size == 0));
    FAILS(ioctl(fd, QUERY, BAD_POINTER), EFAULT);
    close(fd);
}

static bool limit_told(const char *of, const char *name, unsigned long soft, unsigned long hard)
{
    char path[64], want[100];
    snprintf(path, sizeof path, "%s/limits", of);
    snprintf(want, sizeof want, "%-25s %-20lu %-20lu bytes", name, soft, hard);
    return slurp(path) > 0 && strstr(text, want);
}

static void limits(void)
{
    enum { MB = 1 << 20 };
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(setrlimit(RLIMIT_STACK, &(struct rlimit){3 * MB, 64 * MB}) == 0 && limit_told("/proc/self", "Max stack size", 3 * MB, 64 * MB));
        CHECK(setrlimit(RLIMIT_DATA, &(struct rlimit){512 * MB, 512 * MB}) == 0 && limit_told("/proc/self", "Max data size", 512 * MB, 512 * MB));
        CHECK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, MB}) == 0 && limit_told("/proc/self", "Max core file size", 0, MB));
        int keep;
        char of[40];
        pid_t inner = child(&keep);
        snprintf(of, sizeof of, "/proc/%d", inner);
        CHECK(limit_told(of, "Max stack size", 3 * MB, 64 * MB));
        CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){4096ul * MB, 4096ul * MB}) == 0 && limit_told("/proc/thread-self", "Max address space", 4096ul * MB, 4096ul * MB));
        end_child(inner, keep);
        _exit(failures);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static unsigned long flags_told(const char *of, int fd)
{
    char path[64];
    snprintf(path, sizeof path, "%s/fdinfo/%d", of, fd);
    const char *flags = slurp(path) > 0 ? strstr(text, "flags:\t0") : NULL;
    CHECK(flags && strstr(text, "mnt_id:"));
    return flags ? strtoul(flags + 7, NULL, 8) : 0;
}

static void open_flags(void)
{
    int d = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), keep, fd;
    char of[40];
    CHECK(flags_told("/proc/self", d) & O_DIRECTORY && flags_told("/proc/self", d) & O_CLOEXEC && !(flags_told("/proc/self", d) & O_NOFOLLOW));
    pid_t pid = child(&keep);
    snprintf(of, sizeof of, "/proc/%d", pid);
    CHECK((flags_told(of, d) & (O_DIRECTORY | O_NOFOLLOW | O_DIRECT)) == O_DIRECTORY);
    end_child(pid, keep);
    close(d);
    fd = open(self, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    CHECK((flags_told("/proc/thread-self", fd) & (O_DIRECTORY | O_NOFOLLOW | O_DIRECT | O_NONBLOCK)) == (O_NOFOLLOW | O_NONBLOCK));
    close(fd);
    int p[2];
    CHECK(pipe2(p, O_DIRECT) == 0 && (flags_told("/proc/self", p[1]) & (O_DIRECTORY | O_NOFOLLOW | O_DIRECT)) == O_DIRECT);
    close(p[0]);
    close(p[1]);
}

static bool put(const char *path, const char *word)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, word, strlen(word)) == (ssize_t)strlen(word);
    close(fd);
    return ok;
}

static bool has(const char *path, const char *word) { return slurp(path) >= 0 && !strncmp(text, word, strlen(word)); }

/* What can be written to, and what a program can be asked about itself. */
static void files(void)
{
    struct {
        const char *path, *word;
    } changed[] = {{"/proc/self/comm", "written"}, {"/proc/self/coredump_filter", "0x3"}, {"/proc/self/oom_score_adj", "500"}, {"/proc/self/timerslack_ns", "70000"}};
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        CHECK(put(changed[i].path, changed[i].word) && slurp(changed[i].path) > 0 &&
              (i == 1 ? strtoul(text, NULL, 16) == 3 : !strncmp(text, changed[i].word, strlen(changed[i].word))));
    CHECK(put("/proc/self/coredump_filter", "0x33") && prctl(PR_GET_TIMERSLACK) == 70000);
    char name[17] = "";
    CHECK(prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "written") && has("/proc/self/status", "Name:\twritten\n"));
    CHECK(put("/proc/self/clear_refs", "1"));
    CHECK(has("/proc/self/setgroups", "allow") || has("/proc/self/setgroups", "deny"));
    CHECK(slurp("/proc/self/uid_map") > 0 && slurp("/proc/self/gid_map") > 0);
    CHECK(slurp("/proc/self/cgroup") > 0 && slurp("/proc/self/mounts") > 0 && slurp("/proc/self/mountstats") > 0);
    CHECK(count("/proc/self/mountinfo", " - proc ") >= 1);
    CHECK(slurp("/proc/self/personality") == 9 && strtoul(text, NULL, 16) == 0);
    CHECK(slurp("/proc/self/wchan") >= 0 && slurp("/proc/self/loginuid") >= 0 && slurp("/proc/self/oom_score") > 0);
    CHECK(slurp("/proc/self/io") > 0 && slurp("/proc/self/schedstat") > 0 && slurp("/proc/self/net/dev") > 0);
    CHECK(slurp("/proc/self/status") > 0 && !strstr(text, "\nx86_"));
    char got[4096];
    ssize_t n = readlink("/proc/self/cwd", got, sizeof got);
    CHECK(n == 1 && got[0] == '/' && readlink("/proc/self/root", got, sizeof got) == 1);
    /* every page of the program's own is there by pagemap */
    uint64_t page = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    CHECK(pread(fd, &page, 8, (off_t)((uintptr_t)self / 4096 * 8)) == 8 && page >> 63);
    close(fd);
    int w = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    CHECK(inotify_add_watch(w, "/proc/self/maps", IN_OPEN) >= 0 && inotify_add_watch(w, "/proc/self/exe", IN_OPEN) >= 0);
    close(w);
    FAILS(open("/proc/self/nothing", O_RDONLY), ENOENT);
    FAILS(open("/proc/self/maps", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("/proc/self/maps", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    DIR *d = opendir("/proc/self/map_files");
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && strtoul(e->d_name, NULL, 16) <= (uintptr_t)files && strtoul(strchr(e->d_name, '-') + 1, NULL, 16) > (uintptr_t)files) {
            char path[300];
            snprintf(path, sizeof path, "/proc/self/map_files/%s", e->d_name);
            n = readlink(path, got, sizeof got);
            CHECK(n == (ssize_t)strlen(self) && !memcmp(got, self, (size_t)n));
        }
    if (d)
        closedir(d);
}

/* Code is written by way of mem, and executed. */
static int __attribute__((noinline)) seven(void) { return 7; }
static int __attribute__((noinline)) eight(void) { return 8; }

static void code_by_mem(void)
{
    int (*volatile call)(void) = seven, (*volatile other)(void) = eight;
    uint32_t code;
    int status;
    CHECK(call() == 7 && other() == 8);
    pid_t pid = fork();
    if (pid == 0) {
        int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
        for (off_t i = 0; i < 8; i += 4) /* both are of two instructions at most that differ in the number */
            if (pread(mem, &code, 4, (off_t)(uintptr_t)eight + i) != 4 || pwrite(mem, &code, 4, (off_t)(uintptr_t)seven + i) != 4)
                _exit(1);
        _exit(call() == 8 ? 0 : 2);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* Mounts at other places, and roots of other folders; of root alone. */
static void mounts(void)
{
    char at[80], path[200], got[4096];
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
            _exit(0);
        snprintf(at, sizeof at, "%s/p", folder);
        CHECK(mkdir(at, 0755) == 0 && mount("/proc", at, NULL, MS_BIND, NULL) == 0);
        snprintf(path, sizeof path, "%s/self/maps", at);
        CHECK(is_maps(open(path, O_RDONLY)));
        snprintf(path, sizeof path, "%s/self/exe", at);
        ssize_t n = readlink(path, got, sizeof got);
        CHECK(n == (ssize_t)strlen(self) && !memcmp(got, self, (size_t)n));
        CHECK(umount(at) == 0);
        snprintf(path, sizeof path, "/proc/%d", getpid());
        CHECK(mount(path, at, NULL, MS_BIND, NULL) == 0);
        snprintf(path, sizeof path, "%s/limits", at);
        CHECK(slurp(path) > 0);
        CHECK(umount(at) == 0);
        CHECK(rmdir(at) == 0);
        snprintf(at, sizeof at, "%s/proc", folder);
        CHECK(mkdir(at, 0755) == 0 && mount("proc", at, "proc", 0, NULL) == 0);
        snprintf(path, sizeof path, "%s/thread-self/maps", at);
        CHECK(is_maps(open(path, O_RDONLY)));
        CHECK(chdir(folder) == 0 && chroot(folder) == 0);
        CHECK(is_maps(open("/proc/self/maps", O_RDONLY)));
        CHECK(readlink("/proc/self/exe", got, sizeof got) > 0);
        CHECK(slurp("/proc/cpuinfo") > 0 && strstr(text, "processor"));
        _exit(failures);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    snprintf(path, sizeof path, "%s/proc", folder);
    rmdir(path);
    /* a process number of an inner namespace, a mount of the outer one's */
    pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWPID))
            _exit(0);
        pid = fork();
        if (pid == 0) {
            CHECK(getpid() == 1 && is_maps(open("/proc/self/maps", O_RDONLY)));
            CHECK(readlink("/proc/self/exe", got, sizeof got) == (ssize_t)strlen(self) && !memcmp(got, self, strlen(self)));
            _exit(failures);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        _exit(failures);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
    pthread_t thread;
    int keep;
    char of[40];
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0 && mkdtemp(folder) && chdir("/") == 0);
    ways("/proc/self");
    snprintf(of, sizeof of, "/proc/%d", getpid());
    ways(of);
    told(of);
    links(of, 1);
    alone();
    queries(of);
    CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
    pid_t pid = child(&keep);
    snprintf(of, sizeof of, "/proc/%d", pid);
    ways(of);
    told(of);
    links(of, 1);
    queries(of);
    end_child(pid, keep);
    read_again();
    limits();
    open_flags();
    files();
    code_by_mem();
    mounts();
    rmdir(folder);
    DONE();
}
