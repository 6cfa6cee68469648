/*
 * Calls for tests/linux/strace.py, which compares what strace(1) prints of them on the host with what -strace prints of
 * the same program built for a guest. Only calls that every architecture has, made directly; between the two marks
 * everything is the same in each run but addresses, ids and times. The argument is an empty folder to work in; "exit":
 * ends with 7; "other-user": executes itself so as nobody; "close-all": closes every descriptor; "storm": 2000 rounds
 * of calls, with a signal in each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define CALL(name, ...) syscall(SYS_##name, ##__VA_ARGS__)

static void mark(const char *word) { CALL(write, -1, word, strlen(word)); }

static void files(void)
{
    char buf[4096], path[] = "file";
    struct stat st;
    struct statx stx;
    struct statfs sf;
    int fd = (int)CALL(openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    CALL(openat, AT_FDCWD, "none", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    CALL(openat, AT_FDCWD, (char *)8, O_WRONLY | O_APPEND | O_NONBLOCK);
    CALL(openat2, AT_FDCWD, path, &(struct open_how){.flags = O_RDONLY | O_PATH, .resolve = RESOLVE_BENEATH},
         sizeof(struct open_how));
    CALL(openat2, AT_FDCWD, "made", &(struct open_how){.flags = O_RDWR | O_CREAT, .mode = 0600},
         sizeof(struct open_how));
    CALL(write, fd, "plain text\n", 11);
    CALL(write, fd, "\1\2\0033\377\t\"quote\\\r\v\f and a long tail beyond the limit", 60);
    CALL(pwrite64, fd, "abc", 3, 4096);
    CALL(lseek, fd, 0, SEEK_SET);
    CALL(read, fd, buf, 5);
    CALL(read, fd, buf, sizeof buf);
    CALL(read, fd, buf, 0);
    CALL(read, 99, buf, 10);
    CALL(pread64, fd, buf, 3, 4096);
    struct iovec iov[] = {{"one", 3}, {NULL, 0}, {"two\n", 4}};
    CALL(writev, fd, iov, 3);
    struct iovec in[] = {{buf, 4}, {buf + 10, 100}};
    CALL(lseek, fd, -7L, SEEK_CUR);
    CALL(readv, fd, in, 2);
    CALL(preadv, fd, in, 2, 2, 0);
    CALL(fstat, fd, &st);
    CALL(fstat, 99, &st);
    CALL(newfstatat, AT_FDCWD, "/dev/null", &st, 0);
    CALL(newfstatat, AT_FDCWD, "/", &st, AT_SYMLINK_NOFOLLOW);
    CALL(newfstatat, AT_FDCWD, "none", &st, 0);
    CALL(statx, AT_FDCWD, path, AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS, &stx);
    CALL(statx, AT_FDCWD, "none", AT_SYMLINK_NOFOLLOW, STATX_MODE | STATX_SIZE, &stx);
    CALL(fstatfs, fd, &sf);
    CALL(ftruncate, fd, 100);
    CALL(fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 8192);
    CALL(fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    CALL(fsync, fd);
    CALL(fchmod, fd, 0644);
    CALL(fchown, fd, -1, -1);
    CALL(fchmodat, AT_FDCWD, path, 0600);
    CALL(faccessat, AT_FDCWD, path, R_OK | W_OK);
    CALL(faccessat, AT_FDCWD, "none", F_OK);
    struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}}, fixed[] = {{1000, 5}, {1700000000, 0}};
    CALL(utimensat, AT_FDCWD, path, times, 0);
    CALL(utimensat, AT_FDCWD, path, fixed, AT_SYMLINK_NOFOLLOW);
    CALL(utimensat, AT_FDCWD, path, NULL, 0);
    CALL(symlinkat, path, AT_FDCWD, "link");
    CALL(readlinkat, AT_FDCWD, "link", buf, sizeof buf);
    CALL(readlinkat, AT_FDCWD, path, buf, sizeof buf);
    CALL(linkat, AT_FDCWD, path, AT_FDCWD, "hard", 0);
    CALL(renameat2, AT_FDCWD, "hard", AT_FDCWD, "harder", RENAME_NOREPLACE);
    CALL(mkdirat, AT_FDCWD, "folder", 0755);
    CALL(mknodat, AT_FDCWD, "fifo", S_IFIFO | 0644, 0);
    CALL(unlinkat, AT_FDCWD, "folder", AT_REMOVEDIR);
    CALL(unlinkat, AT_FDCWD, "harder", 0);
    CALL(umask, 077);
    CALL(umask, 022);
    int dir = (int)CALL(openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
    CALL(getdents64, dir, buf, sizeof buf);
    CALL(fsetxattr, fd, "user.metic", "value", 5, XATTR_CREATE);
    CALL(fgetxattr, fd, "user.none", buf, sizeof buf);
    CALL(fcntl, fd, F_GETFL);
    CALL(fcntl, fd, F_SETFL, O_APPEND);
    CALL(fcntl, fd, F_GETFD);
    CALL(fcntl, fd, F_SETFD, FD_CLOEXEC);
    CALL(fcntl, dir, F_GETFD);
    CALL(fcntl, fd, F_DUPFD_CLOEXEC, 50);
    CALL(fcntl, fd, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_len = 10});
    CALL(fcntl, fd, F_GETLK, &(struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 2});
    CALL(flock, fd, LOCK_EX | LOCK_NB);
    CALL(dup, fd);
    CALL(dup3, fd, 60, O_CLOEXEC);
    CALL(ioctl, fd, TIOCGWINSZ, buf);
    CALL(ioctl, fd, FIONREAD, buf);
    CALL(close, 60);
    CALL(close, 99);
    off_t from = 4;
    CALL(sendfile, 50, fd, &from, 5);
    CALL(sendfile, 50, fd, NULL, 5);
    CALL(copy_file_range, fd, &from, fd, NULL, 2, 0);
    CALL(memfd_create, "memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CALL(close_range, 50, 70, 0);
    CALL(chdir, "none");
    CALL(fchdir, dir);
}

static void waiting(void)
{
    int p[2], pair[2];
    char buf[100];
    CALL(pipe2, p, O_CLOEXEC | O_NONBLOCK);
    struct pollfd polled[] = {{p[0], POLLIN, 0}, {p[1], POLLOUT | POLLERR, 0}, {-1, POLLIN | POLLPRI, 0}};
    CALL(ppoll, polled, 3, &(struct timespec){5, 0}, NULL, 8);
    CALL(ppoll, polled, 1, &(struct timespec){0, 1000}, NULL, 8);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CALL(ppoll, polled, 0, &(struct timespec){0, 0}, &set, 8);
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    CALL(pselect6, p[1] + 1, &in, &out, NULL, &(struct timespec){5, 0}, NULL);
    FD_SET(p[0], &in);
    CALL(pselect6, p[1] + 1, &in, NULL, NULL, &(struct timespec){0, 0}, NULL);
    CALL(read, p[0], buf, 10);
    CALL(write, p[1], "x", 1);
    int ep = (int)CALL(epoll_create1, EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1234567890}, got[4];
    CALL(epoll_ctl, ep, EPOLL_CTL_ADD, p[0], &e);
    CALL(epoll_ctl, ep, EPOLL_CTL_DEL, p[1], &e);
    CALL(epoll_pwait, ep, got, 4, 0, NULL, 8);
    CALL(epoll_pwait, ep, got, 4, 0, &set, 8);
    CALL(epoll_ctl, ep, EPOLL_CTL_DEL, p[0], NULL);
    CALL(epoll_pwait, ep, got, 4, 0, NULL, 8);
    CALL(eventfd2, 3, EFD_CLOEXEC | EFD_NONBLOCK);
    CALL(signalfd4, -1, &set, 8, SFD_CLOEXEC);
    CALL(inotify_init1, IN_CLOEXEC);
    int tfd = (int)CALL(timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec its = {{1, 0}, {100, 5}}, old;
    CALL(timerfd_settime, tfd, TFD_TIMER_ABSTIME, &its, &old);
    CALL(timerfd_settime, tfd, 0, &(struct itimerspec){0}, NULL);
    CALL(timerfd_gettime, tfd, &old);
    CALL(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    struct iovec iov = {"message", 7};
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.h = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.h), &p[0], sizeof(int));
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_LEN(sizeof(int))};
    CALL(sendmsg, pair[0], &m, MSG_NOSIGNAL);
    struct iovec to = {buf, sizeof buf};
    struct msghdr r = {.msg_iov = &to, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    CALL(recvmsg, pair[1], &r, MSG_CMSG_CLOEXEC);
    CALL(recvmsg, pair[1], &r, MSG_DONTWAIT);
    struct mmsghdr many[2] = {{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}},
                              {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}};
    CALL(sendmmsg, pair[0], many, 2, 0);
    CALL(shutdown, pair[0], SHUT_WR);
    CALL(splice, p[0], NULL, p[1], NULL, 10, SPLICE_F_NONBLOCK);
}

static void sockets(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(80)};
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "socket"},
                       hidden = {.sun_family = AF_UNIX, .sun_path = "\0abstract"};
    struct sockaddr_storage any;
    socklen_t len = sizeof any, four = 4;
    int value = 1, s = (int)CALL(socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    CALL(setsockopt, s, SOL_SOCKET, SO_REUSEADDR, &value, 4);
    CALL(setsockopt, s, SOL_TCP, TCP_NODELAY, &value, 4);
    CALL(setsockopt, s, SOL_SOCKET, SO_LINGER, &(struct linger){1, 5}, sizeof(struct linger));
    CALL(getsockopt, s, SOL_SOCKET, SO_ERROR, &value, &four);
    CALL(getsockopt, s, SOL_SOCKET, SO_TYPE, &value, &four);
    CALL(bind, s, &in, sizeof in);
    CALL(getsockname, s, &any, &len);
    CALL(listen, s, 5);
    CALL(accept4, s, NULL, NULL, SOCK_CLOEXEC);
    CALL(getpeername, s, &any, &len);
    int u = (int)CALL(socket, AF_INET, SOCK_DGRAM, 0);
    CALL(sendto, u, "to nobody", 9, MSG_DONTWAIT | MSG_NOSIGNAL, &in, sizeof in);
    len = sizeof any;
    CALL(recvfrom, u, &value, 4, MSG_DONTWAIT, &any, &len);
    CALL(connect, u, &in6, sizeof in6);
    int x = (int)CALL(socket, AF_UNIX, SOCK_SEQPACKET, 0);
    CALL(bind, x, &un, sizeof un);
    CALL(connect, x, &hidden, 11);
    CALL(getsockname, x, &any, &len);
    CALL(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    CALL(sendto, x, "y", 1, 0, NULL, 0);
}

static void memory(void)
{
    char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CALL(mprotect, p, 4096, PROT_READ);
    CALL(madvise, p + 4096, 4096, MADV_DONTNEED);
    CALL(mprotect, p, 4096, PROT_READ | PROT_WRITE);
    p = mremap(p, 16384, 32768, MREMAP_MAYMOVE);
    CALL(msync, p, 4096, MS_SYNC);
    CALL(munmap, p, 32768);
    CALL(mmap, NULL, 4096, PROT_READ, MAP_SHARED, 99, 0x2000L);
    CALL(mlock, NULL, 0);
    CALL(brk, NULL);
}

static void handler(int signo) {}

static void signals(void)
{
    struct sigaction old;
    sigset_t set, all;
    sigemptyset(&set);
    sigfillset(&all);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    CALL(rt_sigprocmask, SIG_BLOCK, &all, NULL, 8);
    CALL(rt_sigprocmask, SIG_SETMASK, &set, &all, 8);
    sigaction(SIGUSR2, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART, .sa_mask = set}, &old);
    sigaction(SIGUSR2, NULL, &old);
    CALL(rt_sigaction, SIGKILL, NULL, NULL, 8);
    pid_t self = getpid();
    CALL(kill, self, SIGUSR2);
    CALL(tgkill, self, self, SIGUSR1);
    CALL(rt_sigpending, &set, 8);
    siginfo_t info;
    CALL(rt_sigtimedwait, &set, &info, &(struct timespec){1, 0}, 8);
    CALL(rt_sigtimedwait, &set, &info, &(struct timespec){0, 0}, 8);
    CALL(sigaltstack, &(stack_t){.ss_sp = NULL, .ss_flags = SS_DISABLE}, NULL);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    info = (siginfo_t){.si_signo = SIGUSR2, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_value.sival_int = 7;
    CALL(rt_sigqueueinfo, getpid(), SIGUSR2, &info);
    struct itimerval it = {{0, 0}, {0, 10000}};
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = handler}, NULL);
    CALL(setitimer, ITIMER_REAL, &it, NULL);
    CALL(nanosleep, &(struct timespec){5, 0}, &(struct timespec){0});
    CALL(getitimer, ITIMER_REAL, &it);
    sigemptyset(&set);
    it = (struct itimerval){{0, 0}, {0, 10000}};
    CALL(setitimer, ITIMER_REAL, &it, &it);
    CALL(rt_sigsuspend, &set, 8);
}

static void others(void)
{
    struct rlimit limit;
    struct rusage usage;
    struct utsname name;
    struct sysinfo sys;
    struct timespec ts;
    struct tms tms;
    uint32_t ids[3], word = 5, header[2] = {0x20080522, 0}, caps[6];
    char buf[16];
    CALL(prlimit64, 0, RLIMIT_CORE, NULL, &limit);
    CALL(prlimit64, 0, RLIMIT_CORE, &(struct rlimit){0, 1024 * 1024}, NULL);
    CALL(getrusage, RUSAGE_SELF, &usage);
    CALL(uname, &name);
    CALL(sysinfo, &sys);
    CALL(times, &tms);
    CALL(clock_gettime, CLOCK_MONOTONIC, &ts);
    CALL(clock_getres, CLOCK_REALTIME, NULL);
    CALL(nanosleep, &(struct timespec){0, 1000}, NULL);
    CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, &(struct timespec){0, 1000}, &ts);
    CALL(clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){0, 1000}, NULL);
    CALL(getrandom, buf, 4, GRND_NONBLOCK);
    CALL(getcwd, buf, 2);
    CALL(getresuid, &ids[0], &ids[1], &ids[2]);
    CALL(getgroups, 0, NULL);
    CALL(setresgid, -1, -1, -1);
    CALL(getpgid, 0);
    CALL(capget, header, caps);
    CALL(futex, &word, FUTEX_WAKE_PRIVATE, 1);
    CALL(futex, &word, FUTEX_WAIT_PRIVATE, 4, NULL);
    CALL(futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 4, &(struct timespec){9, 9}, NULL,
         FUTEX_BITSET_MATCH_ANY);
    CALL(futex, &word, FUTEX_WAIT, 5, &(struct timespec){0, 100});
    CALL(prctl, PR_SET_NAME, "traced", 0, 0, 0);
    CALL(prctl, PR_GET_NAME, buf);
    CALL(prctl, PR_SET_PDEATHSIG, SIGTERM);
    CALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    CALL(prctl, PR_GET_DUMPABLE);
    CALL(prctl, PR_CAPBSET_READ, 0);
    CALL(sched_getscheduler, 0);
    CALL(sched_getparam, 0, &word);
    CALL(sched_get_priority_max, SCHED_FIFO);
    CALL(sched_yield);
    CALL(getpriority, PRIO_PROCESS, 0);
    CALL(setpriority, PRIO_PROCESS, 0, 0);
    timer_t timer = 0;
    CALL(timer_create, CLOCK_MONOTONIC,
         &(struct sigevent){.sigev_signo = SIGUSR1, .sigev_notify = SIGEV_SIGNAL, .sigev_value.sival_int = 3}, &timer);
    CALL(timer_settime, timer, 0, &(struct itimerspec){{0}, {50, 0}}, NULL);
    CALL(timer_delete, timer);
    CALL(mount, "none", "nowhere", "tmpfs", MS_NOSUID | MS_NODEV, "size=1k");
    CALL(shmget, 0x1234, 4096, 0600);
    CALL(membarrier, 0, 0, 0);
    CALL(personality, 0xffffffff);
    CALL(kcmp, getpid(), getpid(), 0, 0, 1);
    CALL(pidfd_open, getpid(), 0);
}

/* Calls that few programs make; most of these fail, everywhere alike. */
static void rare(void)
{
    char here[8] = "read", there[8];
    struct iovec local = {there, 8}, remote = {here, 8};
    unsigned long nodes = 1;
    uint64_t mask[16];
    int policy, action = (int)0x7fff0000;
    struct timeval tv;
    CALL(process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
    CALL(gettimeofday, &tv, NULL);
    CALL(ioprio_get, 1, 0);
    CALL(ioprio_set, 1, 0, 2 << 13 | 4);
    CALL(set_mempolicy, 0, NULL, 0);
    CALL(get_mempolicy, &policy, NULL, 0, NULL, 0);
    CALL(mbind, NULL, 0, 2, &nodes, 2, 1);
    CALL(sched_getaffinity, 0, sizeof mask, mask);
    CALL(sched_setaffinity, 0, 8, mask);
    CALL(sched_setscheduler, 0, SCHED_OTHER, &(int){0});
    CALL(keyctl, 0, -3, 0);
    CALL(keyctl, 3, 1);
    CALL(add_key, "nothing", "name", "data", 4, -5);
    CALL(seccomp, 2, 0, &action);
    CALL(fanotify_mark, 99, 1, 2, AT_FDCWD, "none");
    CALL(ptrace, 0x4200, 1, 0, 0x10);
    CALL(ptrace, 17, 1, 0, 15);
    CALL(io_submit, 0, 0, NULL);
    CALL(quotactl, 0x80000701, "/dev/none", 0, NULL);
    int q = (int)CALL(msgget, 0, 0600 | 01000);
    struct {
        long type;
        char text[4];
    } message = {1, "hey"};
    CALL(msgsnd, q, &message, 4, 04000);
    CALL(msgrcv, q, &message, 4, 0, 0);
    CALL(msgctl, q, 0, NULL);
    q = (int)CALL(semget, 0, 1, 0600 | 01000);
    CALL(semop, q, &(struct sembuf){0, 1, 04000}, 1);
    CALL(semctl, q, 0, 0, NULL);
    q = (int)CALL(shmget, 0, 4096, 0600 | 01000);
    long shared = CALL(shmat, q, NULL, 010000);
    CALL(shmdt, shared);
    CALL(shmctl, q, 0, NULL);
    CALL(mincore, NULL, 0, NULL);
    CALL(setns, 99, 0);
    CALL(unshare, 0);
    CALL(sync_file_range, 99, 0, 0, 2);
    CALL(readahead, 99, 0, 10);
    CALL(inotify_add_watch, 99, "none", IN_CREATE | IN_DELETE);
    CALL(umount2, "none", 2);
    CALL(name_to_handle_at, AT_FDCWD, "none", NULL, NULL, 0);
    CALL(tee, 99, 98, 1, 0);
    CALL(vmsplice, 99, &local, 1, 0);
    CALL(getsid, 0x7fffffff);
    CALL(close_range, 90, 80, 0);
    CALL(timer_gettime, 99, NULL);
    CALL(clock_settime, 99, NULL);
    CALL(mlock2, NULL, 0, 1);
    syscall(4000, 1, 2, 3, 4, 5, 6);
}

static void *thread(void *arg)
{
    CALL(write, -1, "in the thread", 13);
    return arg;
}

static void processes(const char *self)
{
    siginfo_t info;
    struct rusage usage;
    int status;
    pid_t child = (pid_t)CALL(clone, SIGCHLD, 0, 0, 0, 0);
    if (!child) {
        CALL(exit_group, 3);
    }
    CALL(wait4, child, &status, 0, &usage);
    CALL(wait4, -1, &status, WNOHANG | WUNTRACED, NULL);
    child = (pid_t)CALL(clone3, &(struct clone_args){.exit_signal = SIGCHLD, .pidfd = (uintptr_t)&status, .tls = 1}, sizeof(struct clone_args));
    if (!child)
        CALL(kill, getpid(), SIGKILL);
    CALL(waitid, P_PID, child, &info, WEXITED, NULL);
    CALL(waitid, P_ALL, 0, &info, WEXITED | WNOHANG, NULL);
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    child = (pid_t)CALL(clone, SIGCHLD, 0, 0, 0, 0);
    if (!child) {
        CALL(execve, "/nowhere/program", (char *[]){"program", "argument", NULL}, (char *[]){"A=1", NULL});
        CALL(execve, self, (char *[]){"traced", "exit", NULL}, (char *[]){"A=1", "B=2", NULL});
    }
    CALL(wait4, child, &status, 0, NULL);
    child = (pid_t)CALL(clone, SIGCHLD, 0, 0, 0, 0);
    if (!child)
        *(volatile int *)NULL = 1;
    CALL(wait4, child, &status, __WALL, NULL);
}

/* Commands with arguments of their own, or none. */
static void commands(void)
{
    CALL(prctl, PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
    CALL(prctl, PR_SET_MM, PR_SET_MM_BRK, 4096, 0, 0);
    CALL(prctl, PR_GET_TIMING, 1, 2, 3, 4);
    CALL(prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
    CALL(prctl, PR_SET_IO_FLUSHER, 2, 0, 0, 0);
    CALL(prctl, 12345, 1, 2, 3, 4);
    CALL(kcmp, getpid(), getpid(), 1, 5, 6);
    int fd = (int)CALL(fanotify_init, 0, O_RDONLY);
    CALL(close, fd);
}

/* Rings and what is registered with them. */
static void rings(void)
{
    struct io_uring_params p = {.flags = 0};
    char bytes[96];
    struct iovec v[2] = {{bytes, 64}, {bytes, 32}};
    int files[3] = {0, -1, 1}, event = eventfd(0, 0);
    unsigned long cpus = 1;
    int fd = (int)CALL(io_uring_setup, 4, &p);
    CALL(io_uring_register, fd, IORING_REGISTER_BUFFERS, v, 2);
    CALL(io_uring_register, fd, IORING_REGISTER_BUFFERS, 8, 2);
    CALL(io_uring_register, fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
    CALL(io_uring_register, fd, IORING_REGISTER_FILES, files, 3);
    CALL(io_uring_register, fd, IORING_UNREGISTER_FILES, NULL, 0);
    CALL(io_uring_register, fd, IORING_REGISTER_EVENTFD, &event, 1);
    CALL(io_uring_register, fd, IORING_UNREGISTER_EVENTFD, NULL, 0);
    CALL(io_uring_register, fd, IORING_REGISTER_PERSONALITY, NULL, 0);
    CALL(io_uring_register, fd, IORING_UNREGISTER_PERSONALITY, NULL, 1);
    CALL(io_uring_register, fd, IORING_REGISTER_IOWQ_AFF, &cpus, sizeof cpus);
    CALL(io_uring_register, fd, IORING_UNREGISTER_IOWQ_AFF, NULL, 0);
    CALL(io_uring_register, fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    CALL(io_uring_register, fd, IORING_REGISTER_FILES2, 8, 32);
    CALL(close, fd);
    p = (struct io_uring_params){.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP};
    fd = (int)CALL(io_uring_setup, 2, &p);
    CALL(io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, 8, 1);
    CALL(close, fd);
    CALL(close, event);
}

static void ignore(int signo) {}

/* None of these calls has to wait, so that no signal interrupts one. One comes in each round, ever somewhere else. */
static int storm(void)
{
    struct sigaction action = {.sa_handler = ignore};
    uint64_t none = 0;
    timer_t timer;
    if (sigaction(SIGALRM, &action, NULL) || timer_create(CLOCK_MONOTONIC, NULL, &timer))
        return 1;
    bool good = true;
    for (int i = 0; i < 2000; i++) {
        const struct itimerspec soon = {{0}, {.tv_nsec = 1 + i * 97 % 60000}};
        good = good && timer_settime(timer, 0, &soon, NULL) == 0;
        int fd = (int)CALL(openat, AT_FDCWD, "/dev/null", O_RDWR);
        good = good && fd >= 0 && CALL(write, fd, "storm", 5) == 5 && CALL(fcntl, fd, F_GETFD) == 0 &&
               CALL(rt_sigprocmask, SIG_BLOCK, &none, NULL, sizeof none) == 0 && CALL(close, fd) == 0;
    }
    return good && !timer_delete(timer) ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 2 || !strcmp(argv[1], "exit"))
        return argc == 2 ? 7 : 2;
    if (!strcmp(argv[1], "storm"))
        return storm();
    if (!strcmp(argv[1], "close-all")) {
        CALL(close_range, 0, ~0u, 0);
        int closed = 0;
        for (int fd = 0; fd < 2000; fd++)
            closed += !CALL(close, fd) + !CALL(dup3, 0, fd, 0);
        return closed ? 1 : 0;
    }
    if (!strcmp(argv[1], "other-user") && !setgid(65534) && !setuid(65534))
        CALL(execve, argv[0], (char *[]){argv[0], "exit", NULL}, (char *[]){NULL});
    char *self = realpath(argv[0], NULL);
    if (!self || chdir(argv[1]))
        return 1;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, RLIM_INFINITY});
    mark("begin");
    files();
    waiting();
    sockets();
    memory();
    signals();
    others();
    rare();
    commands();
    rings();
    processes(self);
    mark("end");
    return 0;
}
