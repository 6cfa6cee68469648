/* ioctl: terminals, files, block and loop devices, interfaces, tun, clocks, descriptors; and what is nobody's. */
#define _GNU_SOURCE
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/sockios.h>
#include <linux/ethtool.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <asm/ioctls.h>

#include "check.h"

#define SET_TICKS _IOW('T', 0, uint64_t) /* TFD_IOC_SET_TICKS */

int ioctl(int fd, unsigned long command, ...);
struct window { /* struct winsize, which two headers define */
    unsigned short rows, columns, x, y;
};

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static void terminals(void)
{
    int m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), off = 0, n = -1;
    if (m < 0)
        return; /* no pseudo-terminals here */
    CHECK(ioctl(m, TIOCGPTN, &n) == 0 && n >= 0);
    CHECK(ioctl(m, TIOCSPTLCK, &off) == 0);
    CHECK(ioctl(m, TIOCGPTLCK, &n) == 0 && n == 0);
    int s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(s >= 0 && fcntl(s, F_GETFD) == FD_CLOEXEC);
    struct window w = {24, 80, 640, 480}, back = {0};
    CHECK(ioctl(m, TIOCSWINSZ, &w) == 0);
    CHECK(ioctl(s, TIOCGWINSZ, &back) == 0 && !memcmp(&w, &back, sizeof w));
    struct termios t;
    CHECK(ioctl(s, TCGETS, &t) == 0 && t.c_cc[VINTR] == 3 && t.c_lflag & ICANON);
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    t.c_cc[VMIN] = 7;
    CHECK(ioctl(s, TCSETSF, &t) == 0);
    struct termios2 t2 = {0};
    CHECK(ioctl(s, TCGETS2, &t2) == 0 && t2.c_cc[VMIN] == 7 && !(t2.c_lflag & ICANON));
    t2.c_cflag = (t2.c_cflag & ~(tcflag_t)CBAUD) | BOTHER;
    t2.c_ispeed = t2.c_ospeed = 12345;
    CHECK(ioctl(s, TCSETS2, &t2) == 0);
    memset(&t2, 0, sizeof t2);
    CHECK(ioctl(s, TCGETS2, &t2) == 0 && t2.c_ospeed == 12345 && (t2.c_cflag & CBAUD) == BOTHER);
    CHECK(write(m, "abc", 3) == 3);
    for (int i = 0; i < 5000 && !(ioctl(s, FIONREAD, &n) == 0 && n == 3); i++)
        usleep(1000); /* a worker of the kernel's carries it */
    CHECK(n == 3);
    CHECK(ioctl(s, TCFLSH, TCIFLUSH) == 0 && ioctl(s, FIONREAD, &n) == 0 && n == 0);
    CHECK(ioctl(s, TIOCOUTQ, &n) == 0);
    CHECK(ioctl(s, TIOCGETD, &n) == 0 && n == 0);
    CHECK(ioctl(m, TIOCPKT, &(int){1}) == 0 && ioctl(m, TIOCGPKT, &n) == 0 && n == 1);
    CHECK(ioctl(s, TIOCEXCL) == 0 && ioctl(s, TIOCGEXCL, &n) == 0 && n == 1 && ioctl(s, TIOCNXCL) == 0);
    unsigned dev = 0;
    struct stat st;
    CHECK(fstat(s, &st) == 0 && ioctl(s, TIOCGDEV, &dev) == 0 && dev == ((major(st.st_rdev) << 8) | minor(st.st_rdev)));
    FAILS(ioctl(s, TCGETS, BAD_POINTER), EFAULT);
    FAILS(ioctl(s, TIOCGPGRP, &n), ENOTTY); /* not the controlling one */
    close(s);
    close(m);
}

static void files(void)
{
    char name[] = "/tmp/metic-ioctl-XXXXXX";
    int f = mkstemp(name), n = 0, p[2];
    CHECK(f >= 0 && unlink(name) == 0 && write(f, "0123456789", 10) == 10 && fsync(f) == 0);
    CHECK(ioctl(f, FIONREAD, &n) == 0 && n == 0);
    CHECK(lseek(f, 4, SEEK_SET) == 4 && ioctl(f, FIONREAD, &n) == 0 && n == 6);
    CHECK(ioctl(f, FIGETBSZ, &n) == 0 && n >= 512);
    union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + 4 * sizeof(struct fiemap_extent)];
    } u = {.map = {.fm_length = FIEMAP_MAX_OFFSET, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 4}};
    if (ioctl(f, FS_IOC_FIEMAP, &u) == 0)
        CHECK(u.map.fm_mapped_extents <= 4 && (!u.map.fm_mapped_extents || u.map.fm_extents[0].fe_logical == 0));
    CHECK(ioctl(f, FS_IOC_GETFLAGS, &n) == 0 || errno == ENOTTY || errno == EOPNOTSUPP);
    struct fsxattr x;
    CHECK(ioctl(f, FS_IOC_FSGETXATTR, &x) == 0 || errno == ENOTTY || errno == EOPNOTSUPP);
    CHECK(pipe(p) == 0);
    CHECK(ioctl(f, FICLONE, p[0]) == -1 && (errno == EINVAL || errno == EXDEV || errno == EOPNOTSUPP || errno == EISDIR));
    struct file_clone_range r = {.src_fd = -1, .src_length = 1};
    FAILS(ioctl(f, FICLONERANGE, &r), EBADF);
    FAILS(ioctl(f, FICLONERANGE, BAD_POINTER), EFAULT);
    FAILS(ioctl(f, BLKGETSIZE64, &u), ENOTTY);
    CHECK(ioctl(f, FIOCLEX) == 0 && fcntl(f, F_GETFD) == FD_CLOEXEC && ioctl(f, FIONCLEX) == 0 && fcntl(f, F_GETFD) == 0);
    CHECK(write(p[1], "xyz", 3) == 3 && ioctl(p[0], FIONREAD, &n) == 0 && n == 3);
    CHECK(ioctl(p[0], FIONBIO, &(int){1}) == 0 && fcntl(p[0], F_GETFL) & O_NONBLOCK);
    for (int i = 0; i < 3; i++) { /* unimplemented.py looks how often the log tells of them */
        FAILS(ioctl(f, 0xdead0001, &n), ENOTTY);
        FAILS(ioctl(f, 0xae01, 0), ENOTTY); /* KVM_CREATE_VM */
    }
    FAILS(ioctl(0x7fff, FIONREAD, &n), EBADF);
    FAILS(ioctl(0x7fff, 0xdead0001, &n), EBADF);
    close(p[0]);
    close(p[1]);
    close(f);
}

/* struct loop_info is laid out differently on x86-64. */
static void loops(void)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int n = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    char path[40];
    snprintf(path, sizeof path, "/dev/loop%d", n);
    int l = n < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (l < 0)
        return; /* no loop devices here */
    int f = memfd_create("loop", MFD_CLOEXEC);
    CHECK(ftruncate(f, 1 << 20) == 0 && pwrite(f, "block", 5, 512) == 5);
    if (ioctl(l, LOOP_SET_FD, f) == 0) {
        struct loop_info64 big = {.lo_offset = 512, .lo_file_name = "name"};
        struct loop_info info;
        uint64_t bytes = 0;
        char text[6] = {0};
        CHECK(ioctl(l, LOOP_SET_STATUS64, &big) == 0);
        memset(&info, 0xee, sizeof info);
        CHECK(ioctl(l, LOOP_GET_STATUS, &info) == 0);
        CHECK(info.lo_offset == 512 && info.lo_number == n && !strcmp(info.lo_name, "name") && !info.lo_init[1]);
        info.lo_offset = 1024;
        CHECK(ioctl(l, LOOP_SET_STATUS, &info) == 0);
        CHECK(ioctl(l, LOOP_GET_STATUS64, &big) == 0 && big.lo_offset == 1024);
        CHECK(ioctl(l, BLKGETSIZE64, &bytes) == 0 && bytes == (1 << 20) - 1024);
        big.lo_offset = 512;
        CHECK(ioctl(l, LOOP_SET_STATUS64, &big) == 0 && pread(l, text, 5, 0) == 5 && !strcmp(text, "block"));
        int size = 0;
        CHECK(ioctl(l, BLKSSZGET, &size) == 0 && size >= 512);
        CHECK(ioctl(l, LOOP_CLR_FD) == 0);
    }
    close(f);
    close(l);
    close(control);
}

static void interfaces(void)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq list[20] = {0}, r = {.ifr_name = "lo"};
    struct ifconf c = {.ifc_len = sizeof list, .ifc_req = list};
    CHECK(ioctl(s, SIOCGIFCONF, &c) == 0 && c.ifc_len >= (int)sizeof r && c.ifc_len % (int)sizeof r == 0);
    bool found = false;
    for (int i = 0; i < c.ifc_len / (int)sizeof r; i++)
        found = found || (!strcmp(list[i].ifr_name, "lo") &&
                          ((struct sockaddr_in *)&list[i].ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(found);
    c = (struct ifconf){0};
    CHECK(ioctl(s, SIOCGIFCONF, &c) == 0 && c.ifc_len > 0);
    CHECK(ioctl(s, SIOCGIFMTU, &r) == 0 && r.ifr_mtu > 1000);
    CHECK(ioctl(s, SIOCGIFINDEX, &r) == 0 && r.ifr_ifindex > 0);
    CHECK(ioctl(s, SIOCGIFNAME, &r) == 0 && !strcmp(r.ifr_name, "lo"));
    CHECK(ioctl(s, SIOCGIFHWADDR, &r) == 0 && r.ifr_hwaddr.sa_family == 772); /* ARPHRD_LOOPBACK */
    struct ethtool_value up = {.cmd = ETHTOOL_GLINK};
    r.ifr_data = (void *)&up;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && up.data == 1);
    r.ifr_data = BAD_POINTER;
    FAILS(ioctl(s, SIOCETHTOOL, &r), EFAULT);
    strcpy(r.ifr_name, "no-such-link");
    FAILS(ioctl(s, SIOCGIFMTU, &r), ENODEV);
    struct timespec ts;
    FAILS(ioctl(s, SIOCGSTAMPNS_NEW, &ts), ENOENT);
    close(s);
    int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (tun < 0)
        return;
    unsigned features = 0;
    int size = 0;
    CHECK(ioctl(tun, TUNGETFEATURES, &features) == 0 && features & IFF_TAP);
    r = (struct ifreq){.ifr_name = "metic%d", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    if (ioctl(tun, TUNSETIFF, &r) == 0) {
        struct ifreq back = {0};
        CHECK(!strncmp(r.ifr_name, "metic", 5));
        CHECK(ioctl(tun, TUNGETIFF, &back) == 0 && !strcmp(back.ifr_name, r.ifr_name) && back.ifr_flags & IFF_TAP);
        CHECK(ioctl(tun, TUNSETVNETHDRSZ, &(int){12}) == 0 && ioctl(tun, TUNGETVNETHDRSZ, &size) == 0 && size == 12);
        CHECK(ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM) == 0);
    }
    close(tun);
}

static void descriptors(void)
{
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), n = 0;
    uint64_t ticks = 5;
    if (ioctl(t, SET_TICKS, &ticks) == 0) { /* only where the kernel can checkpoint */
        ticks = 0;
        CHECK(read(t, &ticks, 8) == 8 && ticks == 5);
    }
    close(t);
    int r = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    CHECK(ioctl(r, RNDGETENTCNT, &n) == 0 && n >= 0);
    close(r);
    int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK(ioctl(ns, 0xb703) == 0x40000000); /* NS_GET_NSTYPE: CLONE_NEWNET */
    close(ns);
    int pid = (int)syscall(SYS_pidfd_open, getpid(), 0), own;
    own = ioctl(pid, 0xff04, 0); /* PIDFD_GET_NET_NAMESPACE, of newer kernels */
    if (own >= 0)
        CHECK(ioctl(own, 0xb703) == 0x40000000);
    close(pid);
}

int main(void)
{
    terminals();
    files();
    loops();
    interfaces();
    descriptors();
    DONE();
}
