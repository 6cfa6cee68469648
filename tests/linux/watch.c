/*
 * Files beyond reading and writing: statx, openat2's ways to stay inside a folder, handles, watching by inotify and
 * fanotify, rules of landlock, message queues' notices, changes of mounts by descriptor. What the kernel lacks or
 * forbids is left out.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

static char folder[] = "/tmp/metic-watch-XXXXXX", file[64];

static void facts(int dir)
{
    struct statx x;
    struct stat st;
    CHECK(statx(AT_FDCWD, file, 0, STATX_BASIC_STATS | STATX_BTIME, &x) == 0 && stat(file, &st) == 0);
    CHECK(x.stx_ino == st.st_ino && x.stx_mode == st.st_mode && x.stx_size == (uint64_t)st.st_size && x.stx_nlink == st.st_nlink);
    CHECK(x.stx_mtime.tv_sec == st.st_mtim.tv_sec && x.stx_mtime.tv_nsec == st.st_mtim.tv_nsec);
    CHECK(makedev(x.stx_dev_major, x.stx_dev_minor) == st.st_dev);
    CHECK(statx(dir, "", AT_EMPTY_PATH, STATX_TYPE, &x) == 0 && S_ISDIR(x.stx_mode));
    FAILS(statx(dir, "none", 0, STATX_TYPE, &x), ENOENT);
    FAILS(statx(dir, "file", 0x40000000, STATX_TYPE, &x), EINVAL);
    FAILS(statx(dir, "file", 0, STATX__RESERVED, &x), EINVAL);
    FAILS(statx(dir, "file", 0, STATX_TYPE, BAD_POINTER), EFAULT);
    FAILS(statx(dir, BAD_POINTER, 0, STATX_TYPE, &x), EFAULT);
    CHECK(symlinkat("file", dir, "link") == 0);
    CHECK(statx(dir, "link", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x) == 0 && S_ISLNK(x.stx_mode));
    /* openat2 */
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    int fd = (int)syscall(SYS_openat2, dir, "file", &how, sizeof how);
    CHECK(fd >= 0 && close(fd) == 0);
    FAILS(syscall(SYS_openat2, dir, "../x", &how, sizeof how), EXDEV);
    FAILS(syscall(SYS_openat2, dir, file, &how, sizeof how), EXDEV);
    how.resolve = RESOLVE_NO_SYMLINKS;
    FAILS(syscall(SYS_openat2, dir, "link", &how, sizeof how), ELOOP);
    how.resolve = RESOLVE_IN_ROOT;
    fd = (int)syscall(SYS_openat2, dir, "/../../file", &how, sizeof how);
    CHECK(fd >= 0 && close(fd) == 0);
    how.resolve = 0x80000;
    FAILS(syscall(SYS_openat2, dir, "file", &how, sizeof how), EINVAL);
    how.resolve = 0;
    how.mode = 0600;
    FAILS(syscall(SYS_openat2, dir, "file", &how, sizeof how), EINVAL);
    FAILS(syscall(SYS_openat2, dir, "file", &how, 8), EINVAL);
    FAILS(syscall(SYS_openat2, dir, "file", BAD_POINTER, sizeof how), EFAULT);
    /* By handle: the kernel checks its length first. */
    struct {
        struct file_handle h;
        unsigned char bytes[128];
    } h = {.h.handle_bytes = 0};
    int mount_id;
    if (name_to_handle_at(dir, "file", &h.h, &mount_id, 0) < 0 && errno == EOVERFLOW) {
        CHECK(h.h.handle_bytes > 0 && name_to_handle_at(dir, "file", &h.h, &mount_id, 0) == 0);
        fd = open_by_handle_at(dir, &h.h, O_RDONLY | O_NOFOLLOW);
        int error = errno;
        CHECK((fd >= 0 && close(fd) == 0) || error == EPERM || error == EOPNOTSUPP);
    }
    unlinkat(dir, "link", 0);
}

static void notices(int dir)
{
    char buf[1024] __attribute__((aligned(8)));
    int in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), wd = inotify_add_watch(in, folder, IN_CREATE | IN_DELETE | IN_MOVE);
    CHECK(in >= 0 && fcntl(in, F_GETFL) & O_NONBLOCK && wd >= 0);
    FAILS(read(in, buf, sizeof buf), EAGAIN);
    int fd = openat(dir, "new", O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && close(fd) == 0 && renameat(dir, "new", dir, "newer") == 0 && unlinkat(dir, "newer", 0) == 0);
    ssize_t n = read(in, buf, sizeof buf);
    static const uint32_t expected[] = {IN_CREATE, IN_MOVED_FROM, IN_MOVED_TO, IN_DELETE};
    int seen = 0;
    for (char *p = buf; p < buf + n && seen < 4;) {
        struct inotify_event *e = (struct inotify_event *)(void *)p;
        CHECK(e->mask == expected[seen] && e->wd == wd && !strncmp(e->name, "new", 3));
        seen++;
        p += sizeof *e + e->len;
    }
    CHECK(seen == 4 && inotify_rm_watch(in, wd) == 0);
    FAILS(inotify_rm_watch(in, wd), EINVAL);
    FAILS(inotify_add_watch(in, file, 0), EINVAL);
    FAILS(inotify_add_watch(dir, file, IN_OPEN), EINVAL);
    close(in);

    int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY | O_LARGEFILE);
    if (fan < 0)
        return;
    CHECK(fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE, dir, "file") == 0);
    fd = openat(dir, "file", O_RDONLY);
    close(fd);
    n = read(fan, buf, sizeof buf);
    struct fanotify_event_metadata *e = (struct fanotify_event_metadata *)(void *)buf;
    CHECK(n >= (ssize_t)sizeof *e && FAN_EVENT_OK(e, n) && e->mask & FAN_OPEN && e->fd >= 0);
    struct stat a, b;
    CHECK(fstat(e->fd, &a) == 0 && stat(file, &b) == 0 && a.st_ino == b.st_ino);
    for (; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n))
        close(e->fd);
    FAILS(fanotify_mark(fan, 0, FAN_OPEN, dir, "file"), EINVAL);
    close(fan);
    FAILS(fanotify_init(0x80000000, 0), EINVAL);
}

static void rules(int dir)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return;
    struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE};
    struct landlock_path_beneath_attr beneath = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE, .parent_fd = dir};
    pid_t pid = fork();
    if (pid == 0) {
        int set = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
        CHECK(set >= 0 && syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0);
        FAILS(syscall(SYS_landlock_add_rule, set, 99, &beneath, 0), EINVAL);
        FAILS(syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, BAD_POINTER, 0), EFAULT);
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, set, 0) == 0);
        int fd = open(file, O_RDONLY);
        CHECK(fd >= 0 && close(fd) == 0);
        FAILS(open(file, O_WRONLY), EACCES);
        FAILS(open("/etc/passwd", O_RDONLY), EACCES);
        _exit(failures != 0);
    }
    CHECK(code_of(pid) == 0);
    /* What may be executed is executed, and nothing else. */
    pid = fork();
    if (pid == 0) {
        attr.handled_access_fs = beneath.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
        beneath.parent_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
        int set = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
        CHECK(set >= 0 && syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0);
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, set, 0) == 0);
        FAILS(execl("/bin/true", "true", NULL), EACCES);
        if (!failures)
            execl("/proc/self/exe", "watch", "ruled", NULL);
        _exit(1);
    }
    CHECK(code_of(pid) == 77);
    FAILS(syscall(SYS_landlock_create_ruleset, &attr, 4, 0), EINVAL);
    FAILS(syscall(SYS_landlock_create_ruleset, BAD_POINTER, sizeof attr, 0), EFAULT);
}

static volatile int noticed;
static void on_notice(int signo, siginfo_t *info, void *uc) { noticed = info->si_value.sival_int; }

static void *by_thread_ran;
static void by_thread(union sigval v) { __atomic_store_n(&by_thread_ran, v.sival_ptr, __ATOMIC_SEQ_CST); }

static void queues(void)
{
    char name[32], text[32] = "";
    unsigned priority;
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16}, now;
    snprintf(name, sizeof name, "/metic-%d", getpid());
    mqd_t q = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attr);
    if (q == (mqd_t)-1)
        return;
    FAILS(mq_receive(q, text, sizeof text, NULL), EAGAIN);
    struct sigaction sa = {.sa_sigaction = on_notice, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
    CHECK(mq_notify(q, &ev) == 0);
    FAILS(mq_notify(q, &ev), EBUSY);
    CHECK(mq_send(q, "low", 4, 1) == 0 && noticed == 77 && mq_send(q, "high", 5, 9) == 0);
    CHECK(mq_getattr(q, &now) == 0 && now.mq_curmsgs == 2 && now.mq_maxmsg == 4 && now.mq_flags == O_NONBLOCK);
    CHECK(mq_receive(q, text, 16, &priority) == 5 && priority == 9 && !strcmp(text, "high"));
    FAILS(mq_send(q, "much too long a message", 24, 0), EMSGSIZE);
    FAILS(mq_receive(q, text, 8, NULL), EMSGSIZE);
    CHECK(mq_receive(q, text, 16, &priority) == 4 && priority == 1);
    /* The C library's notice by a thread needs a netlink socket. */
    ev = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_notify_function = by_thread, .sigev_value.sival_ptr = text};
    if (mq_notify(q, &ev) == 0) {
        CHECK(mq_send(q, "x", 1, 0) == 0);
        for (int i = 0; i < 2000 && !__atomic_load_n(&by_thread_ran, __ATOMIC_SEQ_CST); i++)
            usleep(1000);
        CHECK(by_thread_ran == text);
    }
    now.mq_flags = 0;
    CHECK(mq_setattr(q, &now, &attr) == 0 && attr.mq_flags == O_NONBLOCK && mq_receive(q, text, 16, NULL) == 1);
    struct timespec past = {1, 0};
    FAILS(mq_timedreceive(q, text, 16, NULL, &past), ETIMEDOUT);
    past.tv_nsec = -1;
    FAILS(mq_timedreceive(q, text, 16, NULL, &past), EINVAL);
    FAILS(mq_send(q, BAD_POINTER, 4, 0), EFAULT);
    CHECK(mq_close(q) == 0 && mq_unlink(name) == 0);
    FAILS(mq_unlink(name), ENOENT);
}

static void system_v(void)
{
    int sem = semget(IPC_PRIVATE, 2, 0600), msg = msgget(IPC_PRIVATE, 0600);
    CHECK(sem >= 0 && msg >= 0);
    struct sembuf down = {0, -1, 0}, undo = {1, 1, SEM_UNDO};
    struct timespec soon = {0, 2000000};
    FAILS(semtimedop(sem, &down, 1, &soon), EAGAIN);
    pid_t pid = fork();
    if (pid == 0)
        _exit(semop(sem, &undo, 1) != 0 || semctl(sem, 1, GETVAL) != 1);
    CHECK(code_of(pid) == 0 && semctl(sem, 1, GETVAL) == 0);
    FAILS(semop(sem, &down, 0), EINVAL);
    FAILS(semop(sem, BAD_POINTER, 1), EFAULT);
    FAILS(semop(sem, &down, 100000), E2BIG);
    struct {
        long type;
        char text[16];
    } m = {3, "three"}, got;
    CHECK(msgsnd(msg, &m, 6, 0) == 0);
    m.type = 5;
    CHECK(msgsnd(msg, &m, 6, 0) == 0 && msgrcv(msg, &got, 16, -4, 0) == 6 && got.type == 3 && !strcmp(got.text, "three"));
    FAILS(msgrcv(msg, &got, 2, 5, IPC_NOWAIT), E2BIG);
    CHECK(msgrcv(msg, &got, 2, 5, IPC_NOWAIT | MSG_NOERROR) == 2);
    FAILS(msgrcv(msg, &got, 16, 0, IPC_NOWAIT), ENOMSG);
    struct msqid_ds ds;
    CHECK(msgctl(msg, IPC_STAT, &ds) == 0 && ds.msg_qnum == 0 && ds.msg_lspid == getpid());
    CHECK(msgctl(msg, IPC_RMID, NULL) == 0 && semctl(sem, 0, IPC_RMID) == 0);
    FAILS(msgsnd(msg, &m, 6, 0), EINVAL);
}

/* A file system of one's own, put together by descriptors. */
static void mounts(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            _exit(0);
        int fs = (int)syscall(SYS_fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
        if (fs < 0)
            _exit(0);
        CHECK(syscall(SYS_fsconfig, fs, 1 /* SET_STRING */, "size", "64k", 0) == 0);
        CHECK(syscall(SYS_fsconfig, fs, 6 /* CMD_CREATE */, NULL, NULL, 0) == 0);
        int m = (int)syscall(SYS_fsmount, fs, 1, 0);
        CHECK(m >= 0 && syscall(SYS_move_mount, m, "", AT_FDCWD, folder, 4 /* F_EMPTY_PATH */) == 0);
        CHECK(access(file, F_OK) < 0 && errno == ENOENT);
        struct {
            uint64_t set, clear, propagation, userns;
        } attr = {1 /* RDONLY */, 0, 0, 0};
        CHECK(syscall(SYS_mount_setattr, AT_FDCWD, folder, 0, &attr, sizeof attr) == 0);
        FAILS(open(file, O_CREAT | O_WRONLY, 0600), EROFS);
        CHECK(close(m) == 0 && umount2(folder, 0) == 0 && access(file, F_OK) == 0);
        _exit(failures != 0);
    }
    CHECK(code_of(pid) == 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "ruled"))
        return 77;
    CHECK(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file", folder);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = open(file, O_CREAT | O_WRONLY, 0640);
    CHECK(dir >= 0 && write(fd, "contents", 8) == 8 && close(fd) == 0);
    facts(dir);
    notices(dir);
    rules(dir);
    queues();
    system_v();
    mounts();
    unlink(file);
    rmdir(folder);
    DONE();
}
