/* Files: open flags that differ between architectures, stat layouts, directories, links, attributes, /proc/self. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static char dir[] = "/tmp/metic-fs-XXXXXX";

static void open_flags(void)
{
    struct stat st;
    int fd;
    CHECK(mkdir("d", 0755) == 0);
    CHECK(symlink("d", "l") == 0);
    CHECK((fd = open("d", O_RDONLY | O_DIRECTORY)) >= 0);
    CHECK((fcntl(fd, F_GETFL) & O_DIRECTORY) != 0);
    CHECK((fcntl(fd, F_GETFL) & O_NOFOLLOW) == 0);
    close(fd);
    FAILS(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK((fd = open("f", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640)) >= 0);
    FAILS(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("f", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
    CHECK((fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK));
    CHECK(write(fd, "hello", 5) == 5);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 5 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640);
    CHECK(st.st_nlink == 1 && st.st_uid == geteuid() && st.st_blksize >= 512 && st.st_mtim.tv_sec > 1000000000);
    close(fd);
    CHECK((fd = open(".", O_TMPFILE | O_RDWR, 0600)) >= 0 || errno == EOPNOTSUPP);
    close(fd);
    FAILS(open(BAD_POINTER, O_RDONLY), EFAULT);
    FAILS(open("", O_RDONLY), ENOENT);
    FAILS(read(99, dir, 1), EBADF);
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY, .resolve = RESOLVE_NO_SYMLINKS};
    FAILS(syscall(SYS_openat2, AT_FDCWD, "l", &how, sizeof how), ELOOP);
    CHECK((fd = (int)syscall(SYS_openat2, AT_FDCWD, "d", &how, sizeof how)) >= 0);
    close(fd);
    FAILS(syscall(SYS_openat2, AT_FDCWD, "d", &how, 8), EINVAL);
}

static void stats(void)
{
    struct stat st, ls;
    struct statx sx;
    struct statfs sf;
    CHECK(stat("l", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(lstat("l", &ls) == 0 && S_ISLNK(ls.st_mode) && ls.st_size == 1);
    CHECK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx) == 0);
    CHECK(stat("f", &st) == 0);
    CHECK(sx.stx_ino == st.st_ino && sx.stx_size == 5 && sx.stx_mode == st.st_mode);
    CHECK(makedev(sx.stx_dev_major, sx.stx_dev_minor) == st.st_dev);
    CHECK(sx.stx_mtime.tv_sec == st.st_mtim.tv_sec && sx.stx_mtime.tv_nsec == st.st_mtim.tv_nsec);
    CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
    CHECK(statfs("/proc", &sf) == 0 && sf.f_type == 0x9fa0);
    FAILS(syscall(SYS_newfstatat, AT_FDCWD, "f", BAD_POINTER, 0), EFAULT);
    FAILS(stat("none", &st), ENOENT);
    struct timespec ts[2] = {{100, 5}, {200, 6}};
    CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0);
    CHECK(stat("f", &st) == 0 && st.st_atim.tv_sec == 100 && st.st_atim.tv_nsec == 5 && st.st_mtim.tv_sec == 200 &&
          st.st_mtim.tv_nsec == 6);
}

static void names(void)
{
    char buf[100];
    CHECK(readlink("l", buf, sizeof buf) == 1 && buf[0] == 'd');
    CHECK(link("f", "f2") == 0);
    CHECK(rename("f2", "f3") == 0);
    CHECK(renameat2(AT_FDCWD, "f", AT_FDCWD, "f3", RENAME_NOREPLACE) == -1 && errno == EEXIST);
    CHECK(access("f", R_OK) == 0);
    FAILS(access("none", F_OK), ENOENT);
    CHECK(faccessat(AT_FDCWD, "f", W_OK, AT_EACCESS) == 0);
    CHECK(unlink("f3") == 0);
    CHECK(truncate("f", 3) == 0);
    CHECK(chmod("f", 0600) == 0);
    CHECK(getcwd(buf, sizeof buf) && strcmp(buf, dir) == 0);
    FAILS(getcwd(buf, 2) ? 0 : -1, ERANGE);
    int seen = 0;
    DIR *d = opendir(".");
    for (struct dirent *e; (e = readdir(d));)
        seen += !strcmp(e->d_name, "f") ? 1 : !strcmp(e->d_name, "l") && e->d_type == DT_LNK ? 10 : 0;
    closedir(d);
    CHECK(seen == 11);
    FAILS(rmdir("f"), ENOTDIR);
}

static void data(void)
{
    char buf[16] = {0};
    int fd = open("data", O_RDWR | O_CREAT, 0600), out = open("out", O_RDWR | O_CREAT, 0600);
    struct iovec iov[2] = {{"abc", 3}, {"defg", 4}};
    CHECK(writev(fd, iov, 2) == 7);
    CHECK(pread(fd, buf, 3, 2) == 3 && !memcmp(buf, "cde", 3));
    CHECK(pwrite(fd, "X", 1, 1) == 1);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && lseek(fd, -1, SEEK_END) == 6);
    FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    off_t off = 0;
    CHECK(sendfile(out, fd, &off, 7) == 7 && off == 7);
    off = 0;
    loff_t to = 7;
    ssize_t n = copy_file_range(fd, &off, out, &to, 7, 0);
    CHECK(n == 7 || (n == -1 && (errno == EXDEV || errno == EOPNOTSUPP)));
    struct iovec in[2] = {{buf, 2}, {buf + 8, 3}};
    CHECK(preadv(out, in, 2, 0) == 5 && !memcmp(buf, "aX", 2) && !memcmp(buf + 8, "cde", 3));
    FAILS(write(fd, BAD_POINTER, 4), EFAULT);
    CHECK(ftruncate(fd, 100) == 0 && lseek(fd, 0, SEEK_END) == 100);
    int avail;
    CHECK(lseek(fd, 90, SEEK_SET) == 90 && ioctl(fd, FIONREAD, &avail) == 0 && avail == 10);
    FAILS(ioctl(fd, TIOCGWINSZ, buf), ENOTTY);
    FAILS(ioctl(fd, 0x12345678, buf), ENOTTY);
    FAILS(ioctl(99, 0x12345678, buf), EBADF);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    CHECK(fcntl(fd, F_SETLK, &fl) == 0);
    if (fork() == 0) {
        struct flock q = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
        int fd2 = open("data", O_RDWR);
        _exit(!(fcntl(fd2, F_GETLK, &q) == 0 && q.l_type == F_WRLCK && q.l_pid == getppid() && q.l_len == 10));
    }
    int status;
    CHECK(wait(&status) > 0 && status == 0);
    struct flock ofd = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 50, .l_len = 10};
    CHECK(fcntl(fd, F_OFD_SETLK, &ofd) == 0);
    struct f_owner_ex own = {F_OWNER_PID, getpid()}, got;
    CHECK(fcntl(fd, F_SETOWN_EX, &own) == 0 && fcntl(fd, F_GETOWN_EX, &got) == 0 && got.pid == getpid());
    int d2 = fcntl(fd, F_DUPFD_CLOEXEC, 50);
    CHECK(d2 >= 50);
    int m = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(m >= 0 && fcntl(m, F_ADD_SEALS, F_SEAL_GROW) == 0 && fcntl(m, F_GET_SEALS) == F_SEAL_GROW);
    int p[2];
    CHECK(pipe2(p, O_NONBLOCK | O_DIRECT) == 0);
    FAILS(read(p[0], buf, 1), EAGAIN);
    CHECK((fcntl(p[1], F_GETFL) & O_DIRECT) != 0);
    CHECK(splice(fd, &(loff_t){0}, p[1], NULL, 5, 0) == 5);
    CHECK(ioctl(p[0], FIONREAD, &avail) == 0 && avail == 5);
}

static void watch(void)
{
    char buf[200] __attribute__((aligned(8)));
    int fd = inotify_init1(IN_NONBLOCK);
    CHECK(inotify_add_watch(fd, ".", IN_CREATE) > 0);
    close(open("watched", O_CREAT | O_WRONLY, 0600));
    CHECK(read(fd, buf, sizeof buf) > 0);
    struct inotify_event *e = (struct inotify_event *)buf;
    CHECK(e->mask == IN_CREATE && !strcmp(e->name, "watched"));
}

static int contains(const char *path, const char *what)
{
    static char text[1 << 18];
    int fd = open(path, O_RDONLY);
    size_t n = 0;
    for (ssize_t r; fd >= 0 && (r = read(fd, text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)r;
    close(fd);
    for (size_t i = 0; i < n; i++)
        if (!text[i])
            text[i] = ' ';
    text[n] = 0;
    return strstr(text, what) != NULL;
}

static void proc(const char *argv0)
{
    char exe[200] = {0}, addr[40];
    struct stat a, b;
    const char *base = strrchr(argv0, '/') ? strrchr(argv0, '/') + 1 : argv0;
    CHECK(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0 && strstr(exe, base));
    CHECK(stat(exe, &a) == 0 && stat("/proc/self/exe", &b) == 0 && a.st_ino == b.st_ino);
    snprintf(addr, sizeof addr, "%lx-", (long)((unsigned long)&failures & ~4095ul));
    CHECK(contains("/proc/self/maps", base));
    CHECK(contains("/proc/self/maps", "[stack]"));
    CHECK(contains("/proc/self/cmdline", argv0));
    snprintf(exe, sizeof exe, "/proc/%d/cmdline", getpid());
    CHECK(contains(exe, argv0));
    int d = open("/proc/self", O_RDONLY | O_DIRECTORY), fd = openat(d, "cmdline", O_RDONLY);
    char first[200] = {0};
    CHECK(read(fd, first, sizeof first - 1) > 0 && !strcmp(first, argv0));
    CHECK(contains("/proc/cpuinfo", "processor"));
}

/* Attributes by folder and name, since Linux 6.13 and 6.17. */
static void attributes_at(void)
{
    enum { SETXATTRAT = 463, GETXATTRAT, LISTXATTRAT, REMOVEXATTRAT, OPEN_TREE_ATTR, FILE_GETATTR, FILE_SETATTR };
    int folder = open(".", O_RDONLY | O_DIRECTORY), file = open("data", O_RDONLY);
    char text[64] = "";
    struct {
        uint64_t value;
        uint32_t size, flags;
    } set = {(uintptr_t)"worth", 5, 0}, get = {(uintptr_t)text, sizeof text, 0};
    CHECK(folder >= 0 && file >= 0);
    if (!syscall(SETXATTRAT, folder, "data", 0, "user.metic", &set, sizeof set)) {
        CHECK(syscall(GETXATTRAT, folder, "data", 0, "user.metic", &get, sizeof get) == 5 && !memcmp(text, "worth", 5));
        CHECK(syscall(LISTXATTRAT, file, "", AT_EMPTY_PATH, text, sizeof text) >= 11 && memmem(text, 64, "user.metic", 11));
        set.flags = 1; /* XATTR_CREATE */
        FAILS(syscall(SETXATTRAT, folder, "data", 0, "user.metic", &set, sizeof set), EEXIST);
        FAILS(syscall(GETXATTRAT, folder, "data", 0, "user.metic", BAD_POINTER, sizeof get), EFAULT);
        CHECK(syscall(REMOVEXATTRAT, folder, "data", 0, "user.metic") == 0);
        FAILS(syscall(REMOVEXATTRAT, folder, "data", 0, "user.metic"), ENODATA);
    } else {
        CHECK(errno == ENOSYS || errno == EOPNOTSUPP);
    }
    struct {
        uint64_t xflags;
        uint32_t more[4];
    } attr = {~UINT64_C(0), {0}};
    if (!syscall(FILE_GETATTR, folder, "data", &attr, sizeof attr, 0))
        CHECK(attr.xflags != ~UINT64_C(0) && syscall(FILE_SETATTR, folder, "data", &attr, sizeof attr, 0) == 0);
    else
        CHECK(errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOTTY);
    CHECK(syscall(OPEN_TREE_ATTR, folder, "nothing", 0, NULL, 0) == -1 && (errno == ENOENT || errno == ENOSYS || errno == EPERM));
    close(folder);
    close(file);
}

int main(int argc, char **argv)
{
    proc(argv[0]);
    if (!mkdtemp(dir) || chdir(dir))
        return 2;
    open_flags();
    stats();
    names();
    data();
    attributes_at();
    watch();
    CHECK(chdir("/") == 0);
    char cmd[100];
    const char *left[] = {"d", "l", "f", "data", "out", "watched", ""};
    for (int i = 0; i < 7; i++) {
        snprintf(cmd, sizeof cmd, "%s/%s", dir, left[i]);
        CHECK(remove(cmd) == 0);
    }
    DONE();
}
