/*
 * Sockets in use, in a network namespace of the program's own: flags of messages, many at a time with time-outs, error queues (times of sending, memory
 * that was sent without copying), filters that choose among sockets, segments, rings of packets and of XDP in shared memory,
 * pages of a TCP stream mapped, raw and ping sockets, vsock; and the families of netlink.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <linux/inet_diag.h>
#include <linux/net_tstamp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <linux/vm_sockets.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "own-network.h"

#define SET(s, level, name, value) CHECK(setsockopt(s, level, name, &(int){value}, sizeof(int)) == 0)

static struct sockaddr_in loopback(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A socket bound to the loopback address, whose address goes to *at. */
static int bound(int type, struct sockaddr_in *at)
{
    socklen_t n = sizeof *at;
    int s = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    *at = loopback();
    CHECK(s >= 0 && bind(s, (struct sockaddr *)at, n) == 0 && getsockname(s, (struct sockaddr *)at, &n) == 0);
    return s;
}

static void connected(int s[2])
{
    struct sockaddr_in at;
    int l = bound(SOCK_STREAM, &at);
    s[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listen(l, 1) == 0 && connect(s[0], (struct sockaddr *)&at, sizeof at) == 0);
    s[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    CHECK(s[1] >= 0);
    close(l);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void flags(void)
{
    int u[2], s[2];
    char buf[16] = "";
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, u) == 0);
    FAILS(recv(u[1], buf, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(send(u[0], "longer", 6, 0) == 6 && recv(u[1], buf, 3, MSG_PEEK) == 3 && recv(u[1], buf, 3, MSG_PEEK | MSG_TRUNC) == 6);
    struct iovec v = {buf, 3};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    CHECK(recvmsg(u[1], &m, 0) == 3 && m.msg_flags & MSG_TRUNC);
    SET(u[1], SOL_SOCKET, SO_PEEK_OFF, 0);
    close(u[0]);
    FAILS(send(u[1], "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
    close(u[1]);
    connected(s);
    CHECK(send(s[0], "ab", 2, MSG_MORE) == 2 && send(s[0], "cd", 2, MSG_EOR) == 2 && recv(s[1], buf, 4, MSG_WAITALL) == 4 && !memcmp(buf, "abcd", 4));
    CHECK(send(s[0], "!", 1, MSG_OOB) == 1);
    struct pollfd p = {.fd = s[1], .events = POLLPRI};
    CHECK(poll(&p, 1, 2000) == 1 && recv(s[1], buf, 1, MSG_OOB) == 1 && buf[0] == '!');
    SET(s[1], SOL_SOCKET, SO_RCVLOWAT, 3);
    CHECK(send(s[0], "xy", 2, 0) == 2);
    p.events = POLLIN;
    CHECK(poll(&p, 1, 50) == 0 && send(s[0], "z", 1, 0) == 1 && poll(&p, 1, 2000) == 1);
    close(s[0]);
    close(s[1]);
}

static void many(void)
{
    int u[2];
    char in[4][8], out[3] = {'a', 'b', 'c'};
    struct iovec iv[4], ov[3];
    struct mmsghdr im[4] = {0}, om[3] = {0};
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, u) == 0);
    for (int i = 0; i < 4; i++) {
        iv[i] = (struct iovec){in[i], sizeof in[i]};
        im[i].msg_hdr = (struct msghdr){.msg_iov = &iv[i], .msg_iovlen = 1};
    }
    for (int i = 0; i < 3; i++) {
        ov[i] = (struct iovec){out + i, 1};
        om[i].msg_hdr = (struct msghdr){.msg_iov = &ov[i], .msg_iovlen = 1};
    }
    CHECK(sendmmsg(u[0], om, 3, 0) == 3 && om[2].msg_len == 1);
    CHECK(recvmmsg(u[1], im, 4, MSG_WAITFORONE, NULL) == 3 && im[1].msg_len == 1 && in[2][0] == 'c');
    CHECK(sendmmsg(u[0], om, 2, 0) == 2);
    struct timespec limit = {0, 50000000};
    CHECK(recvmmsg(u[1], im, 2, 0, &limit) == 2 && limit.tv_sec == 0 && limit.tv_nsec <= 50000000);
    limit = (struct timespec){-1, 0};
    FAILS(recvmmsg(u[1], im, 2, 0, &limit), EINVAL);
    FAILS(recvmmsg(u[1], im, 2, 0, BAD_POINTER), EFAULT);
    FAILS(recvmmsg(u[1], im, 2, MSG_DONTWAIT, NULL), EAGAIN);
    om[1].msg_hdr.msg_iov = BAD_POINTER;
    CHECK(sendmmsg(u[0], om, 3, 0) == 1); /* those before it have gone */
    FAILS(sendmmsg(u[0], om + 1, 1, 0), EFAULT);
    FAILS(sendmmsg(u[0], BAD_POINTER, 1, 0), EFAULT);
    CHECK(sendmmsg(u[0], om, 0, 0) == 0);
    /* a time-out of the socket's own */
    CHECK(recv(u[1], in[0], 8, 0) == 1);
    struct timeval t = {0, 60000};
    CHECK(setsockopt(u[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0);
    double before = now();
    FAILS(recv(u[1], in[0], 8, 0), EAGAIN);
    CHECK(now() - before > 0.05 && now() - before < 5);
    close(u[0]);
    close(u[1]);
}

/* -- what the kernel reports of what was sent */

static bool report(int s, void *control, size_t n, struct msghdr *m)
{
    char data[128];
    struct iovec v = {data, sizeof data};
    struct pollfd p = {.fd = s};
    *m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = n};
    return poll(&p, 1, 2000) == 1 && recvmsg(s, m, MSG_ERRQUEUE) >= 0;
}

static struct cmsghdr *find(struct msghdr *m, int level, int type)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    while (c && (c->cmsg_level != level || c->cmsg_type != type))
        c = CMSG_NXTHDR(m, c);
    return c;
}

static void reports(void)
{
    union {
        char room[512];
        struct cmsghdr head;
    } u;
    struct msghdr m;
    struct sockaddr_in at;
    int in = bound(SOCK_DGRAM, &at), out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(connect(out, (struct sockaddr *)&at, sizeof at) == 0);
    SET(out, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID);
    CHECK(send(out, "timed", 5, 0) == 5 && report(out, &u, sizeof u, &m));
    struct cmsghdr *c = find(&m, SOL_SOCKET, SCM_TIMESTAMPING);
    CHECK(c && ((struct timespec *)CMSG_DATA(c))->tv_sec > 1000000000);
    c = find(&m, IPPROTO_IP, IP_RECVERR);
    CHECK(c && ((struct sock_extended_err *)CMSG_DATA(c))->ee_origin == SO_EE_ORIGIN_TIMESTAMPING);
    SET(in, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
    bool timed = false;
    for (int i = 0; i < 100 && !timed; i++) { /* the kernel begins to take times a moment later */
        char byte[8];
        struct iovec v = {byte, 8};
        CHECK(send(out, "t", 1, 0) == 1);
        m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u};
        CHECK(recvmsg(in, &m, 0) > 0);
        timed = find(&m, SOL_SOCKET, SCM_TIMESTAMPING);
        usleep(timed ? 0 : 1000);
    }
    CHECK(timed);
    close(in);
    close(out);
    /* memory that the kernel sends from */
    int s[2];
    static char big[1 << 16];
    connected(s);
    SET(s[0], SOL_SOCKET, SO_ZEROCOPY, 1);
    CHECK(send(s[0], big, sizeof big, MSG_ZEROCOPY) == sizeof big);
    CHECK(recv(s[1], big, sizeof big, MSG_WAITALL) == sizeof big);
    CHECK(report(s[0], &u, sizeof u, &m));
    c = find(&m, IPPROTO_IP, IP_RECVERR);
    CHECK(c && ((struct sock_extended_err *)CMSG_DATA(c))->ee_origin == SO_EE_ORIGIN_ZEROCOPY);
    /* pages of the stream mapped for reading */
    char *pages = mmap(NULL, 1 << 16, PROT_READ, MAP_SHARED, s[1], 0);
    if (pages != MAP_FAILED) {
        struct tcp_zerocopy_receive z = {.address = (uintptr_t)pages, .length = 1 << 16};
        socklen_t n = sizeof z;
        memset(big, 'q', sizeof big);
        CHECK(send(s[0], big, 8192, 0) == 8192);
        struct pollfd p = {.fd = s[1], .events = POLLIN};
        CHECK(poll(&p, 1, 2000) == 1 && getsockopt(s[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &z, &n) == 0);
        CHECK(z.length > 0 || z.recv_skip_hint > 0);
        CHECK(!z.length || pages[0] == 'q');
        z.address = 8;
        z.length = 1 << 16;
        CHECK(getsockopt(s[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &z, &n) == -1);
        munmap(pages, 1 << 16);
    }
    close(s[0]);
    close(s[1]);
}

static void chosen(void)
{
    struct sockaddr_in at;
    socklen_t n = sizeof at;
    int s[2];
    char byte;
    for (int i = 0; i < 2; i++) {
        s[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        SET(s[i], SOL_SOCKET, SO_REUSEPORT, 1);
        if (i == 0)
            at = loopback();
        CHECK(bind(s[i], (struct sockaddr *)&at, sizeof at) == 0 && getsockname(s[i], (struct sockaddr *)&at, &n) == 0);
    }
    /* a datagram's first byte is the number of the socket that gets it */
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_A, 0)};
    struct sock_fprog prog = {2, code};
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof prog) == 0);
    int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (char i = 0; i < 8; i++) {
        char to = i & 1;
        CHECK(sendto(out, &to, 1, 0, (struct sockaddr *)&at, sizeof at) == 1 && recv(s[(int)to], &byte, 1, 0) == 1 && byte == to);
    }
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_LOCK_FILTER, &(int){1}, sizeof(int)) == 0);
    prog.filter = BAD_POINTER;
    CHECK(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) == -1 && errno == EFAULT);
    FAILS(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_BPF, &(int){-1}, sizeof(int)), EBADF);
    /* several datagrams of one buffer, and back together */
    char segments[3000];
    memset(segments, 1, sizeof segments);
    CHECK(setsockopt(out, IPPROTO_UDP, UDP_SEGMENT, &(int){1000}, sizeof(int)) == 0);
    SET(s[1], IPPROTO_UDP, UDP_GRO, 0);
    CHECK(sendto(out, segments, sizeof segments, 0, (struct sockaddr *)&at, sizeof at) == sizeof segments);
    for (int i = 0; i < 3; i++)
        CHECK(recv(s[1], segments, sizeof segments, 0) == 1000);
    close(out);
    close(s[0]);
    close(s[1]);
}

/* -- rings in shared memory */

static void rings(void)
{
    enum { BLOCK = 1 << 16 };
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (s < 0)
        return; /* not allowed */
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex("lo")};
    struct tpacket_req3 ask = {.tp_block_size = BLOCK, .tp_block_nr = 4, .tp_frame_size = 2048, .tp_frame_nr = 4 * BLOCK / 2048, .tp_retire_blk_tov = 20};
    SET(s, SOL_PACKET, PACKET_VERSION, TPACKET_V3);
    CHECK(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &ask, sizeof ask) == 0 && bind(s, (struct sockaddr *)&at, sizeof at) == 0);
    char *ring = mmap(NULL, 4 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
    CHECK(ring != MAP_FAILED);
    struct sockaddr_in to = loopback();
    to.sin_port = htons(9);
    int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(sendto(out, "into the ring", 13, 0, (struct sockaddr *)&to, sizeof to) == 13);
    struct pollfd p = {.fd = s, .events = POLLIN};
    bool found = false;
    for (unsigned i = 0; ring != MAP_FAILED && i < 4 && !found; i++) {
        struct tpacket_block_desc *d = (void *)(ring + i * BLOCK);
        for (int k = 0; k < 200 && !(__atomic_load_n(&d->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER); k++)
            poll(&p, 1, 10);
        const struct tpacket3_hdr *h = (void *)((char *)d + d->hdr.bh1.offset_to_first_pkt);
        for (unsigned k = 0; k < d->hdr.bh1.num_pkts && !found; k++, h = (void *)((char *)h + h->tp_next_offset))
            found = h->tp_snaplen == 14 + 20 + 8 + 13 && !memcmp((char *)h + h->tp_mac + 42, "into the ring", 13);
        __atomic_store_n(&d->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    }
    CHECK(found);
    struct tpacket_stats_v3 stats;
    socklen_t n = sizeof stats;
    CHECK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &stats, &n) == 0 && n == sizeof stats && stats.tp_packets > 0);
    struct {
        uint16_t id, flags;
    } fanout = {7, PACKET_FANOUT_HASH};
    CHECK(setsockopt(s, SOL_PACKET, PACKET_FANOUT, &fanout, sizeof fanout) == 0);
    if (ring != MAP_FAILED)
        munmap(ring, 4 * BLOCK);
    close(out);
    close(s);
    /* XDP: memory of the program's own, and rings of descriptors */
    s = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (s < 0)
        return;
    char *memory = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct xdp_umem_reg reg = {.addr = (uintptr_t)memory, .len = 64 * 4096, .chunk_size = 4096};
    struct xdp_mmap_offsets off;
    n = sizeof off;
    if (setsockopt(s, SOL_XDP, XDP_UMEM_REG, &reg, sizeof reg) == 0) {
        SET(s, SOL_XDP, XDP_UMEM_FILL_RING, 64);
        SET(s, SOL_XDP, XDP_UMEM_COMPLETION_RING, 64);
        SET(s, SOL_XDP, XDP_TX_RING, 64);
        CHECK(getsockopt(s, SOL_XDP, XDP_MMAP_OFFSETS, &off, &n) == 0 && n == sizeof off);
        char *fill = mmap(NULL, off.fr.desc + 64 * 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s, (off_t)XDP_UMEM_PGOFF_FILL_RING);
        char *tx = mmap(NULL, off.tx.desc + 64 * sizeof(struct xdp_desc), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s, XDP_PGOFF_TX_RING);
        char *done = mmap(NULL, off.cr.desc + 64 * 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING);
        CHECK(fill != MAP_FAILED && tx != MAP_FAILED && done != MAP_FAILED);
        struct sockaddr_xdp xa = {.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = if_nametoindex("lo")};
        if (bind(s, (struct sockaddr *)&xa, sizeof xa) == 0 && tx != MAP_FAILED && done != MAP_FAILED) {
            memset(memory, 0xff, 64);
            ((struct xdp_desc *)(tx + off.tx.desc))[0] = (struct xdp_desc){.addr = 0, .len = 64};
            __atomic_store_n((uint32_t *)(tx + off.tx.producer), 1, __ATOMIC_RELEASE);
            CHECK(sendto(s, NULL, 0, MSG_DONTWAIT, NULL, 0) == 0 || errno == EAGAIN);
            for (int i = 0; i < 2000 && !__atomic_load_n((uint32_t *)(done + off.cr.producer), __ATOMIC_ACQUIRE); i++)
                usleep(1000);
            CHECK(__atomic_load_n((uint32_t *)(done + off.cr.producer), __ATOMIC_ACQUIRE) == 1);
        }
        struct xdp_statistics xs;
        n = sizeof xs;
        CHECK(getsockopt(s, SOL_XDP, XDP_STATISTICS, &xs, &n) == 0 && xs.tx_invalid_descs == 0);
    } else {
        CHECK(errno == EPERM || errno == ENOBUFS);
    }
    reg.addr = 8;
    CHECK(setsockopt(s, SOL_XDP, XDP_UMEM_REG, &reg, sizeof reg) == -1);
    close(s);
    munmap(memory, 64 * 4096);
}

static void raw(void)
{
    struct icmphdr ping = {.type = ICMP_ECHO, .un.echo.sequence = htons(5)};
    struct sockaddr_in to = loopback();
    uint8_t buf[256];
    int s = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (s >= 0) {
        uint32_t filter = ~(1u << ICMP_ECHOREPLY);
        CHECK(setsockopt(s, SOL_RAW, 1, &filter, sizeof filter) == 0); /* ICMP_FILTER */
        uint32_t sum = ping.type + ping.un.echo.sequence;
        ping.checksum = (uint16_t)~sum;
        CHECK(sendto(s, &ping, sizeof ping, 0, (struct sockaddr *)&to, sizeof to) == sizeof ping);
        CHECK(recv(s, buf, sizeof buf, 0) == 28 && buf[20] == ICMP_ECHOREPLY);
        SET(s, IPPROTO_IP, IP_HDRINCL, 1);
        close(s);
    }
    s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (s >= 0) { /* who may is a setting of the machine */
        CHECK(sendto(s, &ping, sizeof ping, 0, (struct sockaddr *)&to, sizeof to) == sizeof ping && recv(s, buf, sizeof buf, 0) == 8 && buf[0] == ICMP_ECHOREPLY);
        close(s);
    }
    s = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s >= 0) {
        struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY};
        socklen_t n = sizeof vm;
        uint64_t size = 1 << 17;
        CHECK(bind(s, (struct sockaddr *)&vm, n) == 0 && getsockname(s, (struct sockaddr *)&vm, &n) == 0 && vm.svm_port > 1023);
        CHECK(setsockopt(s, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof size) == 0);
        n = sizeof size;
        size = 0;
        CHECK(getsockopt(s, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &n) == 0 && size == 1 << 17);
        close(s);
    }
}

/* -- netlink */

static char answer[1 << 16] __attribute__((aligned(8)));

/* The first message that comes back from this family, or NULL. */
static struct nlmsghdr *asked(int family, const void *message, size_t n)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct timeval t = {2, 0};
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    if (s < 0)
        return NULL;
    CHECK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0);
    CHECK(sendto(s, message, n, 0, (struct sockaddr *)&kernel, sizeof kernel) == (ssize_t)n);
    ssize_t got = recv(s, answer, sizeof answer, 0);
    close(s);
    struct nlmsghdr *h = (void *)answer;
    CHECK(got >= (ssize_t)sizeof *h);
    return got >= (ssize_t)sizeof *h && NLMSG_OK(h, (unsigned)got) ? h : NULL;
}

static void netlink(void)
{
    struct sockaddr_in at;
    int l = bound(SOCK_STREAM, &at), u = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listen(l, 5) == 0);
    struct {
        struct nlmsghdr h;
        struct inet_diag_req_v2 r;
    } inet = {{sizeof inet, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << 10, .idiag_ext = 1 << (INET_DIAG_MEMINFO - 1)}};
    struct nlmsghdr *h = asked(NETLINK_SOCK_DIAG, &inet, sizeof inet);
    CHECK(h && h->nlmsg_type == SOCK_DIAG_BY_FAMILY && ((struct inet_diag_msg *)NLMSG_DATA(h))->id.idiag_sport == at.sin_port);
    struct sockaddr_un name = {.sun_family = AF_UNIX}; /* a name of the kernel's choice */
    CHECK(bind(u, (struct sockaddr *)&name, sizeof(sa_family_t)) == 0 && listen(u, 1) == 0);
    struct {
        struct nlmsghdr h;
        struct unix_diag_req r;
    } ux = {{sizeof ux, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 2, 0}, {.sdiag_family = AF_UNIX, .udiag_states = 1 << 10, .udiag_show = UDIAG_SHOW_NAME}};
    h = asked(NETLINK_SOCK_DIAG, &ux, sizeof ux);
    CHECK(h && (h->nlmsg_type == SOCK_DIAG_BY_FAMILY || h->nlmsg_type == NLMSG_ERROR));
    struct {
        struct nlmsghdr h;
        struct genlmsghdr g;
        struct nlattr a;
        char name[8];
    } gen = {{sizeof gen, GENL_ID_CTRL, NLM_F_REQUEST, 3, 0}, {CTRL_CMD_GETFAMILY, 1, 0}, {4 + 7, CTRL_ATTR_FAMILY_NAME}, "nlctrl"};
    h = asked(NETLINK_GENERIC, &gen, sizeof gen);
    CHECK(h && h->nlmsg_type == GENL_ID_CTRL && ((struct genlmsghdr *)NLMSG_DATA(h))->cmd == CTRL_CMD_NEWFAMILY);
    struct {
        struct nlmsghdr h;
        struct nfgenmsg n;
    } nf = {{sizeof nf, NFNL_SUBSYS_NFTABLES << 8 | 16 /* NFT_MSG_GETGEN */, NLM_F_REQUEST, 4, 0}, {.nfgen_family = AF_UNSPEC}};
    h = asked(NETLINK_NETFILTER, &nf, sizeof nf);
    CHECK(!h || h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | 15) || h->nlmsg_type == NLMSG_ERROR);
    struct {
        struct nlmsghdr h;
        uint32_t flags;
    } xfrm = {{sizeof xfrm, XFRM_MSG_GETSADINFO, NLM_F_REQUEST, 5, 0}, 0};
    h = asked(NETLINK_XFRM, &xfrm, sizeof xfrm);
    CHECK(!h || h->nlmsg_type == XFRM_MSG_NEWSADINFO || h->nlmsg_type == NLMSG_ERROR);
    struct nlmsghdr audit = {sizeof audit, AUDIT_GET, NLM_F_REQUEST | NLM_F_ACK, 6, 0};
    h = asked(NETLINK_AUDIT, &audit, sizeof audit);
    CHECK(!h || h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == AUDIT_GET);
    /* the kernel's events of devices: a link comes up */
    struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    group.nl_groups = 1;
    CHECK(events >= 0 && bind(events, (struct sockaddr *)&group, sizeof group) == 0);
    group.nl_groups = RTMGRP_LINK;
    CHECK(bind(s, (struct sockaddr *)&group, sizeof group) == 0);
    SET(s, SOL_NETLINK, NETLINK_PKTINFO, 1);
    struct ifreq r = {.ifr_name = "lo", .ifr_mtu = 4321};
    int c = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(ioctl(c, 0x8922, &r) == 0); /* SIOCSIFMTU */
    union {
        char room[128];
        struct cmsghdr head;
    } control;
    struct iovec v = {answer, sizeof answer};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    CHECK(recvmsg(s, &m, 0) > 0 && ((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWLINK);
    struct cmsghdr *k = find(&m, SOL_NETLINK, NETLINK_PKTINFO);
    CHECK(k && ((struct nl_pktinfo *)CMSG_DATA(k))->group == RTNLGRP_LINK);
    close(c);
    close(s);
    close(events);
    close(l);
    close(u);
}

int main(void)
{
    alarm(50);
    if (!own_network())
        return 77;
    flags();
    many();
    reports();
    chosen();
    rings();
    raw();
    netlink();
    DONE();
}
