/*
 * ioctl of terminals: sessions and their controlling terminal, packets, speeds, locks of settings, hang-ups; of the console's virtual
 * terminals and keyboard; of clocks, random numbers, namespaces, watches and other small devices. What the machine lacks, or only root may do, is
 * passed over.
 */
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/kd.h>
#include <linux/nsfs.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <linux/serial.h>
#include <linux/userfaultfd.h>
#include <linux/vt.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int ioctl(int fd, unsigned long command, ...);
struct window {
    unsigned short rows, columns, x, y;
};
struct old_termio { /* struct termio, which asm/termios.h defines with what others define, too */
    unsigned short iflag, oflag, cflag, lflag;
    unsigned char line, cc[8];
};

static volatile sig_atomic_t came;
static void note(int signo) { came = signo; }

static int terminal(int *master)
{
    int off = 0;
    *master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    return *master >= 0 && ioctl(*master, TIOCSPTLCK, &off) == 0 ? ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
}

static void settings(void)
{
    int m, s = terminal(&m), n = 0;
    struct termios t, locked = {0};
    struct termios2 t2;
    struct old_termio old;
    if (s < 0)
        return; /* no pseudo-terminals here */
    CHECK(ioctl(s, TCGETA, &old) == 0 && old.cc[0] == 3);
    old.lflag &= (unsigned short)~ECHO;
    CHECK(ioctl(s, TCSETAF, &old) == 0 && ioctl(s, TCGETS, &t) == 0 && !(t.c_lflag & ECHO) && t.c_lflag & ICANON);
    CHECK(ioctl(s, TCSETA, &old) == 0 && ioctl(s, TCSETAW, &old) == 0);
    t.c_lflag |= ECHO;
    CHECK(ioctl(s, TCSETSW, &t) == 0);
    /* any speed, both ways */
    for (unsigned speed = 300; speed < 4000000; speed = speed * 3 + 7) {
        CHECK(ioctl(s, TCGETS2, &t2) == 0);
        t2.c_cflag = (t2.c_cflag & ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT)) | BOTHER | BOTHER << IBSHIFT;
        t2.c_ospeed = speed;
        t2.c_ispeed = speed + 1;
        CHECK(ioctl(s, TCSETSW2, &t2) == 0 && ioctl(s, TCGETS2, &t2) == 0 && t2.c_ospeed == speed && t2.c_ispeed == speed + 1);
    }
    CHECK(ioctl(s, TCGETS, &t) == 0);
    t.c_cflag = (t.c_cflag & ~(tcflag_t)CBAUD) | B115200;
    CHECK(ioctl(s, TCSETS, &t) == 0 && ioctl(s, TCGETS2, &t2) == 0 && t2.c_ospeed == 115200 && ioctl(s, TCSETSF2, &t2) == 0);
    /* locked settings don't change */
    locked.c_lflag = ECHO;
    if (ioctl(s, TIOCSLCKTRMIOS, &locked) == 0) { /* root's */
        t.c_lflag &= ~(tcflag_t)ECHO;
        CHECK(ioctl(s, TCSETS, &t) == 0 && ioctl(s, TCGETS, &t) == 0 && t.c_lflag & ECHO);
        memset(&locked, 0xff, sizeof locked);
        CHECK(ioctl(s, TIOCGLCKTRMIOS, &locked) == 0 && locked.c_lflag == ECHO && !locked.c_iflag);
        locked.c_lflag = 0;
        CHECK(ioctl(s, TIOCSLCKTRMIOS, &locked) == 0);
    }
    CHECK(ioctl(s, TIOCSETD, &(int){0}) == 0 && ioctl(s, TIOCGETD, &n) == 0 && n == 0);
    CHECK(ioctl(s, TIOCGSOFTCAR, &n) == 0 && ioctl(s, TIOCSSOFTCAR, &(int){1}) == 0);
    CHECK(ioctl(s, TCXONC, 0) == 0 && ioctl(s, TCXONC, 1) == 0 && ioctl(s, TCSBRK, 1) == 0 && ioctl(s, TCSBRKP, 0) == 0);
    CHECK(ioctl(s, TIOCSBRK, 0) == 0 || errno == ENOTTY || errno == EINVAL);
    struct serial_struct serial;
    CHECK(ioctl(s, TIOCGSERIAL, &serial) == -1 && (errno == ENOTTY || errno == EINVAL));
    CHECK(ioctl(s, TIOCMGET, &n) == -1 && (errno == ENOTTY || errno == EINVAL));
    FAILS(ioctl(s, TCXONC, 99), EINVAL);
    FAILS(ioctl(s, TCFLSH, 99), EINVAL);
    FAILS(ioctl(s, TCSETS, BAD_POINTER), EFAULT);
    FAILS(ioctl(s, TCSETS2, BAD_POINTER), EFAULT);
    FAILS(ioctl(s, TCSETA, BAD_POINTER), EFAULT);
    FAILS(ioctl(s, TIOCSWINSZ, BAD_POINTER), EFAULT);
    FAILS(ioctl(m, TIOCSPTLCK, BAD_POINTER), EFAULT);
    close(s);
    close(m);
}

/* Packets: each read of the master begins with a byte that tells of what happened. */
static void packets(void)
{
    int m, s = terminal(&m), n = 0;
    char buf[16];
    if (s < 0)
        return;
    CHECK(ioctl(m, TIOCPKT, &(int){1}) == 0 && ioctl(m, TIOCGPKT, &n) == 0 && n == 1);
    CHECK(write(s, "data", 4) == 4 && read(m, buf, sizeof buf) == 5 && buf[0] == TIOCPKT_DATA && !memcmp(buf + 1, "data", 4));
    CHECK(ioctl(s, TCFLSH, TCIFLUSH) == 0);
    struct pollfd p = {.fd = m, .events = POLLPRI};
    CHECK(poll(&p, 1, 2000) == 1 && p.revents & POLLPRI && read(m, buf, sizeof buf) == 1 && buf[0] & TIOCPKT_FLUSHREAD);
    struct termios t;
    CHECK(ioctl(s, TCGETS, &t) == 0);
    t.c_lflag |= EXTPROC;
    CHECK(ioctl(s, TCSETS, &t) == 0 && read(m, buf, sizeof buf) == 1 && buf[0] & TIOCPKT_IOCTL);
    CHECK(ioctl(m, TIOCPKT, &(int){0}) == 0);
    close(s);
    close(m);
}

static void sessions(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int m, n = 0, s;
        char name[40], c;
        CHECK(setsid() == getpid());
        s = terminal(&m);
        if (s < 0)
            _exit(0);
        FAILS(open("/dev/tty", O_RDWR), ENXIO);
        CHECK(ioctl(s, TIOCSCTTY, 0) == 0 && ioctl(s, TIOCGSID, &n) == 0 && n == getpid());
        CHECK(ioctl(s, TIOCGPGRP, &n) == 0 && n == getpid() && ioctl(m, TIOCGPGRP, &n) == 0 && n == getpid());
        int tty = open("/dev/tty", O_RDWR | O_CLOEXEC), dev = 0;
        CHECK(tty >= 0 && ioctl(tty, TIOCGDEV, &dev) == 0 && dev > 0);
        pid_t other = fork();
        if (other == 0) {
            CHECK(setpgid(0, 0) == 0);
            signal(SIGTTOU, SIG_IGN);
            CHECK(ioctl(s, TIOCSPGRP, &(int){getpid()}) == 0 && ioctl(s, TIOCGPGRP, &n) == 0 && n == getpid());
            signal(SIGWINCH, note);
            CHECK(ioctl(m, TIOCSWINSZ, &(struct window){40, 100, 0, 0}) == 0 && came == SIGWINCH);
            signal(SIGINT, note);
            CHECK(write(m, "\3", 1) == 1);
            for (int i = 0; i < 2000 && came != SIGINT; i++)
                usleep(1000);
            CHECK(came == SIGINT);
            signal(SIGQUIT, note);
            CHECK(ioctl(m, TIOCSIG, SIGQUIT) == 0 && came == SIGQUIT);
            FAILS(ioctl(m, TIOCSIG, 99), EINVAL);
            _exit(failures);
        }
        CHECK(waitpid(other, &status, 0) == other && status == 0);
        signal(SIGTTOU, SIG_IGN);
        CHECK(ioctl(s, TIOCSPGRP, &(int){getpid()}) == 0);
        FAILS(ioctl(s, TIOCSPGRP, &(int){-5}), EINVAL);
        FAILS(ioctl(s, TIOCSPGRP, BAD_POINTER), EFAULT);
        /* a byte as if it were typed: where the machine allows that */
        if (ioctl(s, TIOCSTI, "z") == 0 && ioctl(s, TIOCSTI, "\n") == 0)
            CHECK(read(s, &c, 1) == 1 && c == 'z' && read(s, &c, 1) == 1);
        CHECK(ioctl(m, TIOCGPTN, &n) == 0);
        snprintf(name, sizeof name, "/dev/pts/%d", n);
        CHECK(ioctl(s, TIOCEXCL) == 0);
        int again = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC), error = errno;
        CHECK(again >= 0 || error == EBUSY || error == ENOENT); /* root may */
        close(again);
        CHECK(ioctl(s, TIOCNXCL) == 0);
        signal(SIGHUP, note);
        CHECK(ioctl(tty, TIOCNOTTY) == 0 && came == SIGHUP);
        FAILS(open("/dev/tty", O_RDWR), ENXIO);
        came = 0;
        CHECK(ioctl(s, TIOCSCTTY, 0) == 0);
        if (ioctl(s, TIOCVHANGUP) == 0) { /* root's */
            CHECK(came == SIGHUP && read(s, &c, 1) == 0);
            FAILS(ioctl(s, TCSBRK, 1), EIO);
        }
        _exit(failures);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void virtual_terminals(void)
{
    int t = open("/dev/tty0", O_RDWR | O_NOCTTY | O_CLOEXEC), n = -1;
    if (t < 0)
        return; /* no console, or not root's */
    char type = 0;
    struct vt_stat state;
    struct vt_mode mode;
    CHECK(ioctl(t, KDGKBTYPE, &type) == 0 && type == KB_101);
    CHECK(ioctl(t, KDGETMODE, &n) == 0 && (n == KD_TEXT || n == KD_GRAPHICS));
    CHECK(ioctl(t, KDGKBMODE, &n) == 0 && ioctl(t, KDSKBMODE, n) == 0);
    CHECK(ioctl(t, KDGKBMETA, &n) == 0 && (n == K_METABIT || n == K_ESCPREFIX));
    CHECK(ioctl(t, KDGETLED, &type) == 0 && ioctl(t, KDGKBLED, &type) == 0);
    struct kbentry key = {.kb_table = 0, .kb_index = 30}; /* a */
    CHECK(ioctl(t, KDGKBENT, &key) == 0 && (key.kb_value & 0xff) == 'a');
    struct kbsentry string = {.kb_func = 0};
    CHECK(ioctl(t, KDGKBSENT, &string) == 0 && string.kb_string[0] == 27);
    struct kbdiacrs accents;
    CHECK(ioctl(t, KDGKBDIACR, &accents) == 0 && accents.kb_cnt <= 256);
    CHECK(ioctl(t, VT_GETSTATE, &state) == 0 && state.v_active >= 1);
    CHECK(ioctl(t, VT_GETMODE, &mode) == 0 && mode.mode <= VT_PROCESS);
    CHECK(ioctl(t, VT_OPENQRY, &n) == 0 && (n == -1 || n > 0));
    FAILS(ioctl(t, VT_ACTIVATE, 1000), ENXIO);
    unsigned short map[256];
    struct unipair pairs[512];
    struct unimapdesc uni = {.entry_ct = 512, .entries = pairs};
    CHECK(ioctl(t, GIO_UNISCRNMAP, map) == 0);
    int done = ioctl(t, GIO_UNIMAP, &uni), error = errno;
    CHECK(done == 0 || error == ENOMEM || error == ENODATA || error == EINVAL);
    uni.entries = BAD_POINTER;
    if (done == 0 && uni.entry_ct)
        FAILS(ioctl(t, GIO_UNIMAP, &uni), EFAULT);
    char font[65536];
    struct console_font_op op = {.op = KD_FONT_OP_GET, .width = 32, .height = 32, .charcount = 512, .data = (void *)font};
    done = ioctl(t, KDFONTOP, &op), error = errno;
    CHECK(done == 0 ? op.height > 0 : error == ENOSYS || error == EINVAL || error == ENOSPC);
    FAILS(ioctl(t, KDGKBENT, BAD_POINTER), EFAULT);
    FAILS(ioctl(t, VT_GETMODE, BAD_POINTER), EFAULT);
    FAILS(ioctl(t, KDFONTOP, BAD_POINTER), EFAULT);
    FAILS(ioctl(t, TIOCLINUX, BAD_POINTER), EFAULT);
    char shift[2] = {6}; /* TIOCL_GETSHIFTSTATE */
    CHECK(ioctl(t, TIOCLINUX, shift) == 0);
    close(t);
}

static void small_devices(void)
{
    int n = 0, r = open("/dev/random", O_RDWR | O_CLOEXEC);
    struct {
        struct rand_pool_info head;
        uint32_t words[4];
    } pool = {.head = {.entropy_count = 0, .buf_size = 16}, .words = {1, 2, 3, 4}};
    CHECK(r >= 0 && ioctl(r, RNDGETENTCNT, &n) == 0 && n >= 0);
    if (ioctl(r, RNDADDENTROPY, &pool) == 0) { /* root's */
        CHECK(ioctl(r, RNDADDTOENTCNT, &(int){0}) == 0 && ioctl(r, RNDRESEEDCRNG) == 0);
        FAILS(ioctl(r, RNDADDTOENTCNT, &(int){-1}), EINVAL);
        pool.head.entropy_count = -1;
        FAILS(ioctl(r, RNDADDENTROPY, &pool), EINVAL);
        FAILS(ioctl(r, RNDADDENTROPY, BAD_POINTER), EFAULT);
    }
    FAILS(ioctl(r, RNDGETENTCNT, BAD_POINTER), EFAULT);
    close(r);

    int w = inotify_init1(IN_CLOEXEC), first = inotify_add_watch(w, "/", IN_CREATE);
    if (ioctl(w, _IOW('I', 0, int32_t), 77) == 0) /* INOTIFY_IOC_SETNEXTWD: where the kernel can checkpoint */
        CHECK(inotify_add_watch(w, "/tmp", IN_CREATE) == 77);
    CHECK(first == 1);
    close(w);

    int rtc = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);
    struct rtc_time now = {0};
    if (rtc >= 0)
        CHECK(ioctl(rtc, RTC_RD_TIME, &now) == 0 && now.tm_year > 100 && ioctl(rtc, RTC_RD_TIME, BAD_POINTER) == -1 && errno == EFAULT);
    close(rtc);

    int vsock = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
    uint32_t cid = 0;
    if (vsock >= 0)
        CHECK(ioctl(vsock, _IO(7, 0xb9), &cid) == 0 && cid > 0 && ioctl(vsock, _IO(7, 0xb9), BAD_POINTER) == -1 && errno == EFAULT);
    close(vsock);

    int uffd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (uffd >= 0) {
        int u = ioctl(uffd, _IO(0xaa, 0), O_CLOEXEC | O_NONBLOCK); /* USERFAULTFD_IOC_NEW */
        struct uffdio_api api = {.api = UFFD_API};
        CHECK(u >= 0 && fcntl(u, F_GETFD) == FD_CLOEXEC && fcntl(u, F_GETFL) & O_NONBLOCK);
        FAILS(ioctl(u, UFFDIO_API, BAD_POINTER), EFAULT);
        CHECK(ioctl(u, UFFDIO_API, &api) == 0 && api.ioctls & (1ull << _UFFDIO_REGISTER));
        close(u);
    }
    close(uffd);

    /* pages that are there, by ranges */
    struct {
        uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof, want;
    } scan;
    struct {
        uint64_t start, end, categories;
    } found[8];
    char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[2 * 4096] = p[3 * 4096] = p[9 * 4096] = 1;
    int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    memset(&scan, 0, sizeof scan);
    scan.size = sizeof scan, scan.start = (uintptr_t)p, scan.end = scan.start + 16 * 4096, scan.vec = (uintptr_t)found, scan.vec_len = 8;
    scan.mask = scan.want = 1 << 3; /* PAGE_IS_PRESENT */
    if (ioctl(map, _IOC(3, 'f', 16, sizeof scan), &scan) >= 0) /* PAGEMAP_SCAN of Linux 6.7 */
        CHECK(scan.walk_end == scan.end && found[0].start <= (uintptr_t)p + 2 * 4096 && found[0].end > (uintptr_t)p + 3 * 4096);
    close(map);
    munmap(p, 16 * 4096);

    /* what has no such commands, and what nobody knows */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct watchdog_info info;
    FAILS(ioctl(null, WDIOC_GETSUPPORT, &info), ENOTTY);
    FAILS(ioctl(null, TCGETS, &info), ENOTTY);
    FAILS(ioctl(null, 0x89abcdef, &info), ENOTTY);
    FAILS(ioctl(-1, 0x89abcdef, &info), EBADF);
    close(null);
}

static void namespaces(void)
{
    static const struct {
        const char *name;
        int type;
    } kinds[] = {{"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC}, {"mnt", CLONE_NEWNS}, {"net", CLONE_NEWNET}, {"pid", CLONE_NEWPID}, {"user", CLONE_NEWUSER}, {"uts", CLONE_NEWUTS}};
    char path[40];
    struct stat own, st;
    CHECK(stat("/proc/self/ns/user", &own) == 0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i].name);
        int ns = open(path, O_RDONLY | O_CLOEXEC);
        if (ns < 0)
            continue;
        CHECK(ioctl(ns, NS_GET_NSTYPE) == kinds[i].type);
        int user = ioctl(ns, NS_GET_USERNS);
        if (kinds[i].type != CLONE_NEWUSER) {
            CHECK(user >= 0 ? fstat(user, &st) == 0 && S_ISREG(st.st_mode) : errno == EPERM);
            FAILS(ioctl(ns, NS_GET_OWNER_UID, &st), EINVAL);
        } else {
            uid_t uid = 1234567;
            CHECK(ioctl(ns, NS_GET_OWNER_UID, &uid) == 0 && uid != 1234567);
            FAILS(ioctl(ns, NS_GET_OWNER_UID, BAD_POINTER), EFAULT);
        }
        close(user);
        if (kinds[i].type == CLONE_NEWNET)
            FAILS(ioctl(ns, NS_GET_PARENT), EINVAL);
        if (kinds[i].type == CLONE_NEWPID) { /* of Linux 6.11 */
            int pid = ioctl(ns, _IOR(0xb7, 7, int), getpid()); /* NS_GET_TGID_FROM_PIDNS */
            CHECK(pid == getpid() || (pid == -1 && (errno == ENOTTY || errno == EINVAL || errno == ESRCH)));
        }
        close(ns);
    }
}

int main(void)
{
    alarm(50);
    settings();
    packets();
    sessions();
    virtual_terminals();
    small_devices();
    namespaces();
    DONE();
}
