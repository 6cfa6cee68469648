/*
 * System call descriptions at work without a guest: the calls of the aarch64 table are run with this process as the
 * guest's memory. Tests conversions, restart codes, refusals and the text of --strace.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/options.h"
#include "linux-user/areas.h"
#include "linux-user/procfs.h"
#include "linux-user/sysroot.h"
#include "linux-user/self-file.h"
#include "linux-user/task.h"
#include "linux-user/trace-log.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

/* -- what the rest of linux-user provides, reduced to the test's needs */

static int copy(bool to_guest, const void *local, uint64_t remote, size_t n)
{
    struct iovec l = {(void *)local, n}, r = {(void *)remote, n};
    ssize_t done = to_guest ? process_vm_writev(getpid(), &l, 1, &r, 1, 0) : process_vm_readv(getpid(), &l, 1, &r, 1, 0);
    return done == (ssize_t)n ? 0 : -EFAULT;
}

int copy_from_guest(struct task *t, void *to, uint64_t from, size_t n) { return copy(false, to, from, n); }
int copy_to_guest(struct task *t, uint64_t to, const void *from, size_t n) { return copy(true, from, to, n); }
int copy_recoverably(void *to, const void *from, size_t n) { return copy(false, to, (uintptr_t)from, n); }

void self_keep(struct process *p) {}
void tracer_attend(void) {}

int64_t strncpy_from_guest(struct task *t, char *to, uint64_t from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (copy(false, to + i, from + i, 1))
            return -EFAULT;
        if (!to[i])
            return (int64_t)i;
    }
    return -ENAMETOOLONG;
}

static bool interrupted; /* the next blocking call meets a signal */
int64_t safe_syscall(struct task *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                     uint64_t a5)
{
    return interrupted ? -SYS_RESTART : host_call(nr, a0, a1, a2, a3, a4, a5);
}

int64_t begun_syscall(struct task *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                      uint64_t a5)
{
    return safe_syscall(t, nr, a0, a1, a2, a3, a4, a5);
}

bool sysroot_absolute(const struct process *p, int dirfd, const char *path, char out[PATH_MAX]) { return false; }
bool sysroot_lookup(const struct process *p, const char *path, enum last_link last, char out[PATH_MAX])
{
    if (strcmp(path, "/in/the/sysroot"))
        return false;
    strcpy(out, "/dev/zero");
    return true;
}

int64_t mm_set_mdwe(struct mm *mm, uint64_t bits) { return -EINVAL; }
uint32_t mm_mdwe(const struct mm *mm) { return 0; }
void mm_set_limits(struct mm *mm, uint64_t bytes, uint64_t data_bytes) {}
void mm_print_maps(struct mm *mm, int fd, bool detailed) { dprintf(fd, "the guest's maps\n"); }
uint64_t mm_brk_start(const struct mm *mm) { return 0; }
void mm_note_opened(struct mm *mm, int fd) {}
bool guest_record_read(pid_t pid, struct guest_record *r) { return false; }
bool guest_exe_path(pid_t pid, const struct guest_record *r, char out[PATH_MAX]) { return false; }
size_t guest_auxv(pid_t pid, const struct guest_record *r, void *out, size_t size) { return 0; }
void guest_show_to_host(const struct process *p, bool with_auxv) {}
bool guest_areas(pid_t pid, const struct guest_record *r, struct area_list *out) { return false; }
void areas_print_maps(const struct area_list *list, int host_maps, int fd) {}
void areas_free(struct area_list *l) {}
const struct area *areas_first(const struct area_list *l, uint64_t start, uint64_t end) { return NULL; }
bool mm_copy_areas(struct mm *mm, struct area_list *out) { return false; }
int mm_protection(struct mm *mm, uint64_t addr) { return -1; }
bool guest_has_thread(pid_t pid, const struct guest_record *r, pid_t tid) { return false; }
unsigned seccomp_count(const struct task *t) { return 0; }
unsigned seccomp_remote_count(pid_t pid, const struct task_seccomp *s) { return 0; }
bool remote_read(pid_t pid, void *to, uint64_t from, uint64_t n) { return false; }
int64_t seccomp_prctl_set(struct task *t, uint64_t mode, uint64_t program) { return -EINVAL; }
int64_t seccomp_prctl_get(const struct task *t) { return 0; }
int64_t user_dispatch_prctl(struct task *t, const uint64_t a[6]) { return -EINVAL; }
bool seccomp_ioctl(struct task *t, int fd, uint32_t command, uint64_t arg, int64_t *result) { return false; }
int64_t watched_syscall(struct task *t, uint64_t number, uint64_t a[6]) { return dispatch_number(t, number, a); }
void watch_memory_files(struct task *t) {}
bool is_vdso_call(const struct task *t, int call) { return false; }
static void print_cpuinfo(int fd, unsigned ncpus) { dprintf(fd, "the guest's processors\n"); }

/* Handlers of other files of linux-user stand in weakly. */
#define X(name)                                                                                   \
    __attribute__((weak)) int64_t sys_##name(struct task *t, const uint64_t a[6]) { return -ENOSYS; }
SYSCALLS_BY_HAND(X)
#undef X

/* -- the guest */

static uint64_t regs[7];
static uint64_t fetch(const struct cpu *cpu, uint64_t a[6])
{
    memcpy(a, regs + 1, 6 * sizeof *a);
    return regs[0];
}

static int64_t no_prctl(const uint64_t a[6]) { return -EINVAL; }

static const struct linux_abi abi = {
    .prctl = no_prctl,
    .syscalls = &syscall_abi_aarch64, .uts_machine = "aarch64", .syscall_args = fetch, .print_cpuinfo = print_cpuinfo,
};
static struct options options;
static struct process process = {.exe_path = "/usr/bin/env", .options = &options};
static struct task task = {.abi = &abi, .process = &process};

static int number_of(int call)
{
    for (unsigned n = 0; n < abi.syscalls->ncalls; n++)
        if (abi.syscalls->calls[n] == call)
            return (int)n;
    return -1;
}

#define ARG(x) ((uint64_t)(uintptr_t)(x))
#define CALL(name, ...) run(CALL_##name, (uint64_t[6]){__VA_ARGS__})
static int64_t run(int call, const uint64_t a[6])
{
    regs[0] = call == CALL_unknown ? 4000 : (uint64_t)number_of(call);
    memcpy(regs + 1, a, 6 * sizeof *a);
    return dispatch_syscall(&task);
}

/* aarch64's values */
enum { G_DIRECTORY = 040000, G_NOFOLLOW = 0100000, G_DIRECT = 0200000, CWD = -100 };

Test(syscalls, open_flags_are_moved)
{
    int64_t fd = CALL(openat, (uint64_t)CWD, ARG("/tmp"), G_DIRECTORY);
    cr_assert(fd >= 0);
    cr_assert((fcntl((int)fd, F_GETFL) & O_DIRECTORY) != 0);
    cr_assert((CALL(fcntl, (uint64_t)fd, F_GETFL) & G_DIRECTORY) != 0);
    cr_assert((CALL(fcntl, (uint64_t)fd, F_GETFL) & G_NOFOLLOW) == 0);
    cr_assert_eq(CALL(openat, (uint64_t)CWD, ARG("/proc/self/fd/0"), G_NOFOLLOW), -ELOOP);
    struct open_how how = {.flags = G_DIRECTORY};
    cr_assert_eq(CALL(openat2, (uint64_t)CWD, ARG("/dev/null"), ARG(&how), sizeof how), -ENOTDIR);
    cr_assert_eq(CALL(openat2, (uint64_t)CWD, ARG("/dev/null"), 8, sizeof how), -EFAULT);
    int p[2];
    cr_assert_eq(CALL(pipe2, ARG(p), G_DIRECT), 0);
    cr_assert((fcntl(p[1], F_GETFL) & O_DIRECT) != 0);
    cr_assert_eq(CALL(openat, (uint64_t)CWD, 8), -EFAULT);
}

Test(syscalls, flags_survive_both_ways)
{
    for (uint64_t f = 0; f < 1 << 23; f += 0101) {
        uint64_t host = flags_to_host(abi.syscalls, SET_open, f);
        cr_assert_eq(flags_to_guest(abi.syscalls, SET_open, host), f);
    }
    cr_assert_eq(flags_to_host(&syscall_abi_riscv64, SET_open, 0x123456), 0x123456);
}

Test(syscalls, stat_is_laid_out_for_the_guest)
{
    struct { /* asm-generic/stat.h */
        uint64_t dev, ino;
        uint32_t mode, nlink, uid, gid;
        uint64_t rdev, pad;
        int64_t size;
        int32_t blksize, pad2;
        int64_t blocks, atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
        uint32_t unused[2];
    } g;
    struct stat h;
    memset(&g, 0xff, sizeof g);
    cr_assert_eq(CALL(newfstatat, (uint64_t)CWD, ARG("/dev/null"), ARG(&g), 0), 0);
    stat("/dev/null", &h);
    cr_assert_eq(g.ino, h.st_ino);
    cr_assert_eq(g.rdev, makedev(1, 3));
    cr_assert(g.mode == h.st_mode && g.nlink == 1 && g.blksize == h.st_blksize && g.mtime == h.st_mtime);
    cr_assert_eq(CALL(fstat, 99, ARG(&g)), -EBADF);
    cr_assert_eq(CALL(newfstatat, (uint64_t)CWD, ARG("/dev/null"), 8, 0), -EFAULT);
}

Test(syscalls, epoll_events_are_unpacked)
{
    struct {
        uint32_t events, pad;
        uint64_t data;
    } e[2] = {{EPOLLIN, 0, 0x1122334455667788}}, back[300];
    int p[2];
    cr_assert_eq(pipe(p), 0);
    int64_t ep = CALL(epoll_create1, 0);
    cr_assert_eq(CALL(epoll_ctl, (uint64_t)ep, EPOLL_CTL_ADD, (uint64_t)p[0], ARG(e)), 0);
    cr_assert_eq(write(p[1], "x", 1), 1);
    cr_assert_eq(CALL(epoll_pwait, (uint64_t)ep, ARG(back), 300, (uint64_t)-1, 0, 8), 1);
    cr_assert(back[0].events == EPOLLIN && back[0].data == 0x1122334455667788);
    cr_assert_eq(CALL(epoll_pwait, (uint64_t)ep, 8, 1, 0, 0, 8), -EFAULT);
    cr_assert_eq(CALL(epoll_ctl, (uint64_t)ep, EPOLL_CTL_DEL, (uint64_t)p[0], 8), 0);
}

Test(syscalls, sysroot_and_proc)
{
    char buf[100] = {0};
    int64_t fd = CALL(openat, (uint64_t)CWD, ARG("/in/the/sysroot"), O_RDONLY);
    struct stat st;
    cr_assert(fd >= 0 && fstat((int)fd, &st) == 0 && st.st_rdev == makedev(1, 5));
    cr_assert_eq(CALL(readlinkat, (uint64_t)CWD, ARG("/proc/self/exe"), ARG(buf), sizeof buf), 12);
    cr_assert_str_eq(buf, "/usr/bin/env");
    snprintf(buf, sizeof buf, "/proc/%d/maps", getpid());
    const char *ways[] = {"/proc/self/maps", "/proc/thread-self/maps", "/proc/./self/maps", "maps", buf};
    cr_assert_eq(chdir("/proc/self"), 0);
    for (unsigned i = 0; i < 5; i++) {
        char text[100] = {0};
        fd = CALL(openat, (uint64_t)CWD, ARG(ways[i]), O_RDONLY);
        cr_assert(fd >= 0 && read((int)fd, text, 99) > 0);
        cr_assert_str_eq(text, "the guest's maps\n", "%s", ways[i]);
    }
    cr_assert(procfs_interesting("/proc/cpuinfo") && procfs_interesting("maps") && !procfs_interesting("/proc/self/mapsx"));
}

Test(syscalls, interruptions_and_refusals)
{
    struct timespec ts = {5, 0}, rest = {0};
    char c;
    interrupted = true;
    cr_assert_eq(CALL(read, 0, ARG(&c), 1), -SYS_RESTART);
    cr_assert_eq(CALL(ppoll, 0, 0, ARG(&ts), 0, 8), -SYS_RESTART_NOHAND);
    cr_assert_eq(CALL(nanosleep, ARG(&ts), ARG(&rest)), -SYS_RESTART_BLOCK);
    cr_assert_eq(rest.tv_sec, 5);
    interrupted = false;
    cr_assert_eq(CALL(rseq, 1), -ENOSYS);
    cr_assert_eq(CALL(bpf, 1), -EPERM);
    regs[0] = 4000;
    cr_assert_eq(dispatch_syscall(&task), -ENOSYS);
    regs[0] = UINT64_MAX;
    cr_assert_eq(dispatch_syscall(&task), -ENOSYS);
}

/* -- --strace */

static const char *traced(int64_t ret, int call, const uint64_t a[6])
{
    static char text[8192];
    char name[] = "/tmp/metic-trace-XXXXXX";
    int fd = mkstemp(name);
    log_mask = 1u << LOG_STRACE;
    trace_options_init(&options.trace);
    trace_log_start(-1);
    cr_assert(log_open(name, -1));
    cr_assert_eq(run(call, a), ret);
    fflush(log_stream());
    ssize_t n = read(fd, text, sizeof text - 1);
    unlink(name);
    cr_assert(n > 0);
    text[n] = 0;
    char *line = text + strcspn(text, " ");
    line += strspn(line, " "); /* behind the thread id */
    line[strcspn(line, "\n")] = 0;
    for (char *pad; (pad = strstr(line, "  "));) /* the result's column depends on the thread id's width */
        memmove(pad, pad + 1, strlen(pad));
    return line;
}
#define TRACES(text, ret, name, ...)                                                              \
    cr_expect_str_eq(traced(ret, CALL_##name, (uint64_t[6]){__VA_ARGS__}), text)

Test(syscalls, trace_lines)
{
    struct iovec iov[2] = {{"one", 3}, {"two\n", 4}};
    int p[2];
    cr_assert_eq(pipe(p), 0);
    TRACES("openat(AT_FDCWD, \"/none\", O_RDONLY|O_CLOEXEC|O_DIRECTORY) = -1 ENOENT (No such file or directory)",
           -ENOENT, openat, (uint64_t)CWD, ARG("/none"), G_DIRECTORY | O_CLOEXEC);
    TRACES("openat(AT_FDCWD, \"/none/x\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 ENOENT (No such file or directory)", -ENOENT,
           openat, (uint64_t)CWD, ARG("/none/x"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    TRACES("write(-1, \"tab\\there \\\"quoted\\\" \\0001 and a long \"..., 60) = -1 EBADF (Bad file descriptor)", -EBADF, write,
           (uint64_t)-1, ARG("tab\there \"quoted\" \0001 and a long tail that is cut at the limit"), 60);
    char expect[100];
    snprintf(expect, sizeof expect, "writev(%d, [{iov_base=\"one\", iov_len=3}, {iov_base=\"two\\n\", iov_len=4}], 2) = 7", p[1]);
    cr_expect_str_eq(traced(7, CALL_writev, (uint64_t[6]){(uint64_t)p[1], ARG(iov), 2}), expect);
    char buf[10];
    snprintf(expect, sizeof expect, "read(%d, \"onetwo\\n\", 10) = 7", p[0]);
    cr_expect_str_eq(traced(7, CALL_read, (uint64_t[6]){(uint64_t)p[0], ARG(buf), 10}), expect);
    TRACES("mprotect(0x10000, 4096, PROT_READ|PROT_EXEC) = -1 ENOSYS (Function not implemented)", -ENOSYS, mprotect, 0x10000,
           4096, 5);
    TRACES("mprotect(NULL, 4096, 0x80 /* PROT_??? */) = -1 ENOSYS (Function not implemented)", -ENOSYS, mprotect, 0,
           4096, 0x80);
}

Test(syscalls, trace_of_structs_and_commands)
{
    struct timespec ts = {1, 5};
    struct flock fl = {.l_type = F_WRLCK, .l_len = 10};
    uint32_t word = 3;
    TRACES("futex(NULL, FUTEX_WAKE_PRIVATE, 1) = 0", 0, futex, 0, 129, 1);
    cr_expect(strstr(traced(-EAGAIN, CALL_futex, (uint64_t[6]){ARG(&word), 128, 4, ARG(&ts)}),
                     ", FUTEX_WAIT_PRIVATE, 4, {tv_sec=1, tv_nsec=5}) = -1 EAGAIN (Resource temporarily unavailable)"));
    TRACES("fcntl(-1, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=0, l_len=10}) = -1 EBADF (Bad file "
           "descriptor)",
           -EBADF, fcntl, (uint64_t)-1, F_SETLK, ARG(&fl));
    TRACES("fcntl(-1, F_GETFD) = -1 EBADF (Bad file descriptor)", -EBADF, fcntl, (uint64_t)-1, F_GETFD, 77);
    TRACES("ioctl(-1, TIOCGWINSZ, 0x10) = -1 EBADF (Bad file descriptor)", -EBADF, ioctl, (uint64_t)-1, 0x5413, 16);
    TRACES("tgkill(-1, -1, SIGUSR1) = -1 EINVAL (Invalid argument)", -EINVAL, tgkill, (uint64_t)-1, (uint64_t)-1, 10);
    interrupted = true;
    TRACES("read(0, 0x10, 1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)", -SYS_RESTART, read,
           0, 16, 1);
    interrupted = false;
    TRACES("exit_group(3) = ?", -ENOSYS, exit_group, 3);
    TRACES("syscall_0xfa0(0x1, 0, 0, 0, 0, 0) = -1 ENOSYS (Function not implemented)", -ENOSYS, unknown, 1);
}

Test(syscalls, ioctl_commands)
{
    static const struct {
        uint32_t command;
        const char *name;
    } known[] = {
        {0x5401, "TCGETS"},         {0x80104506, "EVIOCGNAME"}, {0x80ff4506, "EVIOCGNAME"}, {0x80044520, "EVIOCGBIT"},
        {0x8060453f, "EVIOCGBIT"},  {0x80184540, "EVIOCGABS"},  {0x401845ff, "EVIOCSABS"},  {0xc0206440, "DRM_COMMAND_WR"},
        {0xc0045877, "FIFREEZE"},   {0x5441, "TIOCGPTPEER"},    {0xc038e63b, NULL},         {0x80194540, NULL},
        {0xae01, NULL},             {0xdead0001, NULL},         {0, NULL},                  {~0u, NULL},
    };
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        const struct ioctl_desc *d = ioctl_by_command(known[i].command);
        cr_expect_eq(d == NULL, known[i].name == NULL, "%#x", known[i].command);
        cr_expect(!d || !strcmp(d->name, known[i].name), "%#x: %s", known[i].command, d ? d->name : "");
    }
    cr_expect_eq(ioctl_refusal(0xae01)->error, ENOTTY);
    cr_expect_null(ioctl_refusal(0xdead0001));
    for (unsigned i = 1; i < syscall_nioctls_exact; i++)
        cr_assert_lt(syscall_ioctls[i - 1].first, syscall_ioctls[i].first);
    int p[2];
    cr_assert_eq(pipe(p), 0);
    cr_expect_eq(CALL(ioctl, (uint64_t)p[0], 0xdead0001, 0), -ENOTTY);
    cr_expect_eq(CALL(ioctl, (uint64_t)p[0], 0xae01, 0), -ENOTTY);
    cr_expect_eq(CALL(ioctl, (uint64_t)-1, 0xae01, 0), -EBADF);
}

/* An unknown command is told of once, however often it is asked for. */
Test(syscalls, unknown_ioctls_are_logged_once)
{
    char name[] = "/tmp/metic-test-log-XXXXXX", text[1000] = "";
    int fd = mkstemp(name);
    cr_assert(fd >= 0 && log_open(name, -1));
    log_mask |= 1u << LOG_UNIMP;
    for (unsigned i = 0; i < 3; i++) {
        CALL(ioctl, (uint64_t)fd, 0xdead0001, 0);
        CALL(ioctl, (uint64_t)fd, 0xdead0002, 0);
    }
    log_mask &= ~(1u << LOG_UNIMP);
    cr_assert(pread(fd, text, sizeof text - 1, 0) > 0);
    cr_expect_str_eq(text, "unimplemented: ioctl 0xdead0001: not described\nunimplemented: ioctl 0xdead0002: not described\n");
    unlink(name);
    close(fd);
}

Test(syscalls, loop_info_is_converted)
{
    static struct { /* asm-generic's */
        int32_t number;
        uint32_t device;
        uint64_t inode;
        uint32_t rdevice;
        int32_t offset, encrypt_type, key_size, flags;
        char name[64];
        uint8_t key[32];
        uint64_t init[2];
        char reserved[4];
    } guest = {.number = 3, .device = 0x801, .inode = 77, .rdevice = 9, .offset = -512, .flags = 4, .name = "file", .init = {1, ~0ull}}, back;
    char host[256];
    const struct struct_desc *d = &syscall_structs[STRUCT_loop_info];
    cr_assert_eq(d->size, sizeof guest);
    cr_assert_leq(d->host_size, sizeof host);
    struct_to_host(STRUCT_loop_info, host, &guest);
    struct_to_guest(STRUCT_loop_info, &back, host);
    cr_expect(!memcmp(&guest, &back, offsetof(__typeof__(guest), reserved)));
#if defined __x86_64__
    cr_expect(d->differs && d->host_size == 168);
    cr_expect_eq(*(uint64_t *)(host + 8), 0x801);
#endif
}
