/*
 * Socket options and control messages: descriptors, credentials, process descriptors, times, packet information,
 * filters, multicast, packet and netlink sockets, lengths that are lies. `sockets list` prints the options of all kinds
 * of sockets, to be compared with what the same program prints natively (sockopts.py).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { PASSPIDFD = 76, PEERPIDFD = 77, CM_PIDFD = 4, BUSY_POLL_BUDGET = 70 };

static int get_int(int s, int level, int name)
{
    int v = -12345;
    socklen_t n = sizeof v;
    CHECK(getsockopt(s, level, name, &v, &n) == 0 && n == sizeof v);
    return v;
}

#define SET(s, level, name, value) CHECK(setsockopt(s, level, name, &(int){value}, sizeof(int)) == 0)

/* One byte with this control buffer; what came, into m. */
static void receive(int s, struct msghdr *m, void *control, size_t room, char *byte)
{
    static struct iovec v;
    v = (struct iovec){byte, 1};
    *m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    CHECK(recvmsg(s, m, MSG_CMSG_CLOEXEC) == 1);
}

static struct cmsghdr *find(struct msghdr *m, int level, int type)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    while (c && (c->cmsg_level != level || c->cmsg_type != type))
        c = CMSG_NXTHDR(m, c);
    return c;
}

static ssize_t send_control(int s, void *control, size_t n)
{
    struct iovec v = {"c", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = n};
    return sendmsg(s, &m, MSG_NOSIGNAL);
}

static void unix_messages(void)
{
    int sp[2], p[2], fds[4], got[4];
    char byte;
    union {
        char room[512];
        struct cmsghdr head;
    } u;
    struct msghdr m;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sp) == 0 && pipe(p) == 0);
    for (int i = 0; i < 4; i++)
        fds[i] = dup(p[i & 1]);
    /* several descriptors, and room for only some of them */
    memset(&u, 0, sizeof u);
    u.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&u.head), fds, sizeof fds);
    CHECK(send_control(sp[0], &u, CMSG_SPACE(sizeof fds)) == 1 && send_control(sp[0], &u, CMSG_SPACE(sizeof fds)) == 1);
    receive(sp[1], &m, &u, sizeof u, &byte);
    struct cmsghdr *c = find(&m, SOL_SOCKET, SCM_RIGHTS);
    CHECK(c && c->cmsg_len == CMSG_LEN(sizeof got) && !(m.msg_flags & MSG_CTRUNC));
    if (c) {
        memcpy(got, CMSG_DATA(c), sizeof got);
        for (int i = 0; i < 4; i++)
            CHECK(fcntl(got[i], F_GETFD) == FD_CLOEXEC && close(got[i]) == 0);
    }
    receive(sp[1], &m, &u, CMSG_LEN(2 * sizeof(int)), &byte);
    c = find(&m, SOL_SOCKET, SCM_RIGHTS);
    CHECK(c && c->cmsg_len == CMSG_LEN(2 * sizeof(int)) && m.msg_flags & MSG_CTRUNC);
    if (c) {
        memcpy(got, CMSG_DATA(c), 2 * sizeof(int));
        CHECK(close(got[0]) == 0 && close(got[1]) == 0);
    }
    /* credentials: one's own are allowed, and the peer's known */
    SET(sp[1], SOL_SOCKET, SO_PASSCRED, 1);
    struct ucred own = {getpid(), getuid(), getgid()}, peer;
    socklen_t n = sizeof peer;
    memset(&u, 0, sizeof u);
    u.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof own), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
    memcpy(CMSG_DATA(&u.head), &own, sizeof own);
    CHECK(send_control(sp[0], &u, CMSG_SPACE(sizeof own)) == 1);
    receive(sp[1], &m, &u, sizeof u, &byte);
    c = find(&m, SOL_SOCKET, SCM_CREDENTIALS);
    CHECK(c && !memcmp(CMSG_DATA(c), &own, sizeof own));
    CHECK(getsockopt(sp[0], SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && !memcmp(&peer, &own, sizeof own));
    /* process descriptors, where the kernel has them */
    int fd = -1;
    n = sizeof fd;
    if (getsockopt(sp[0], SOL_SOCKET, PEERPIDFD, &fd, &n) == 0) {
        char path[40], text[256] = "";
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        int info = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(read(info, text, sizeof text - 1) > 0 && strstr(text, "Pid:") && atoi(strstr(text, "Pid:") + 4) == getpid());
        close(info);
        close(fd);
        SET(sp[1], SOL_SOCKET, PASSPIDFD, 1);
        CHECK(send(sp[0], "x", 1, 0) == 1);
        receive(sp[1], &m, &u, sizeof u, &byte);
        c = find(&m, SOL_SOCKET, CM_PIDFD);
        CHECK(c && c->cmsg_len == CMSG_LEN(sizeof fd));
        if (c) {
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
            CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && close(fd) == 0);
        }
    }
    /* lies */
    static const size_t lengths[] = {0, 1, 15, 16, 17, 512, 1 << 20, (size_t)1 << 40, SIZE_MAX, SIZE_MAX - 15};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(&u, 0, sizeof u);
        u.head = (struct cmsghdr){.cmsg_len = lengths[i], .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&u.head), fds, sizeof fds);
        bool fits = lengths[i] > sizeof u.head && lengths[i] <= CMSG_SPACE(sizeof fds);
        ssize_t sent = send_control(sp[0], &u, CMSG_SPACE(sizeof fds));
        int error = errno;
        CHECK(fits ? sent == 1 || error == EBADF : sent == -1 && error == EINVAL);
        if (sent == 1)
            receive(sp[1], &m, &u, sizeof u, &byte);
    }
    FAILS(send_control(sp[0], BAD_POINTER, 64), EFAULT);
    FAILS(send_control(sp[0], &u, (size_t)1 << 40), ENOBUFS);
    CHECK(send(sp[0], "y", 1, 0) == 1);
    receive(sp[1], &m, NULL, 0, &byte);
    CHECK(m.msg_flags & MSG_CTRUNC && m.msg_controllen == 0);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close(sp[0]);
    close(sp[1]);
    close(p[0]);
    close(p[1]);
}

static void datagrams(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 at6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t n = sizeof at;
    char byte;
    union {
        char room[512];
        struct cmsghdr head;
    } u;
    struct msghdr m;
    struct cmsghdr *c;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(bind(s, (struct sockaddr *)&at, sizeof at) == 0 && getsockname(s, (struct sockaddr *)&at, &n) == 0);
    CHECK(connect(to, (struct sockaddr *)&at, sizeof at) == 0);
    SET(s, IPPROTO_IP, IP_PKTINFO, 1);
    SET(s, IPPROTO_IP, IP_RECVTTL, 1);
    SET(s, IPPROTO_IP, IP_RECVTOS, 1);
    SET(s, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    SET(s, SOL_SOCKET, SO_RXQ_OVFL, 1);
    SET(to, IPPROTO_IP, IP_TTL, 17);
    SET(to, IPPROTO_IP, IP_TOS, 0x10);
    CHECK(send(to, "d", 1, 0) == 1);
    receive(s, &m, &u, sizeof u, &byte);
    c = find(&m, IPPROTO_IP, IP_PKTINFO);
    CHECK(c && ((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
    c = find(&m, IPPROTO_IP, IP_TTL);
    CHECK(c && *(int *)CMSG_DATA(c) == 17);
    c = find(&m, IPPROTO_IP, IP_TOS);
    CHECK(c && *CMSG_DATA(c) == 0x10);
    struct timespec now, then;
    clock_gettime(CLOCK_REALTIME, &now);
    c = find(&m, SOL_SOCKET, SCM_TIMESTAMPNS);
    CHECK(c && c->cmsg_len == CMSG_LEN(sizeof then));
    if (c) {
        memcpy(&then, CMSG_DATA(c), sizeof then);
        CHECK(then.tv_sec <= now.tv_sec && then.tv_sec > now.tv_sec - 100);
    }
    /* errors come back, with the address */
    SET(to, IPPROTO_IP, IP_RECVERR, 1);
    close(s);
    CHECK(send(to, "e", 1, 0) == 1);
    struct iovec v = {&byte, 1};
    m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u};
    struct pollfd pfd = {.fd = to};
    CHECK(poll(&pfd, 1, 2000) == 1 && pfd.revents & POLLERR);
    CHECK(recvmsg(to, &m, MSG_ERRQUEUE) == 1 && m.msg_flags & MSG_ERRQUEUE && find(&m, IPPROTO_IP, IP_RECVERR));
    /* a classic filter lets through what begins with 'a' */
    s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at.sin_port = 0;
    n = sizeof at;
    CHECK(bind(s, (struct sockaddr *)&at, sizeof at) == 0 && getsockname(s, (struct sockaddr *)&at, &n) == 0);
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog prog = {4, code};
    CHECK(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) == 0);
    struct sock_filter back[8];
    n = 8;
    CHECK(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, back, &n) == 0 && n == 4 && !memcmp(back, code, sizeof code));
    CHECK(sendto(to, "b", 1, 0, (struct sockaddr *)&at, sizeof at) == 1 && sendto(to, "a", 1, 0, (struct sockaddr *)&at, sizeof at) == 1);
    CHECK(recv(s, &byte, 1, 0) == 1 && byte == 'a');
    struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(0xe0000123), .imr_ifindex = (int)if_nametoindex("lo")};
    CHECK(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0);
    FAILS(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), EADDRINUSE);
    CHECK(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group) == 0);
    close(s);
    close(to);
    s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&at6, sizeof at6)) {
        close(s);
        return; /* no IPv6 here */
    }
    n = sizeof at6;
    CHECK(getsockname(s, (struct sockaddr *)&at6, &n) == 0);
    SET(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    SET(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    SET(s, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    CHECK(sendto(s, "6", 1, 0, (struct sockaddr *)&at6, sizeof at6) == 1);
    receive(s, &m, &u, sizeof u, &byte);
    c = find(&m, IPPROTO_IPV6, IPV6_PKTINFO);
    CHECK(c && !memcmp(&((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_addr, &at6.sin6_addr, sizeof at6.sin6_addr));
    CHECK(find(&m, IPPROTO_IPV6, IPV6_HOPLIMIT) && find(&m, IPPROTO_IPV6, IPV6_TCLASS));
    SET(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9);
    CHECK(get_int(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS) == 9);
    close(s);
}

static void streams(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(l, (struct sockaddr *)&at, sizeof at) == 0 && getsockname(l, (struct sockaddr *)&at, &n) == 0 && listen(l, 1) == 0);
    CHECK(connect(s, (struct sockaddr *)&at, sizeof at) == 0);
    SET(s, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    SET(s, IPPROTO_TCP, TCP_QUICKACK, 1);
    CHECK(get_int(s, IPPROTO_TCP, TCP_KEEPIDLE) == 77 && get_int(s, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
    char name[20] = "";
    n = sizeof name;
    CHECK(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &n) == 0 && name[0]);
    struct tcp_info info = {0};
    n = sizeof info;
    CHECK(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_state == TCP_ESTABLISHED && info.tcpi_snd_mss > 500);
    uint64_t cookie = 0;
    n = sizeof cookie;
    CHECK(getsockopt(s, SOL_SOCKET, SO_COOKIE, &cookie, &n) == 0 && cookie);
    struct timeval t = {3, 250000}, back;
    n = sizeof back;
    CHECK(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) == 0 && getsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &back, &n) == 0);
    CHECK(back.tv_sec == 3 && n == sizeof back);
    n = 3;
    name[3] = 9;
    CHECK(getsockopt(s, SOL_SOCKET, SO_TYPE, name, &n) == 0 && n == 3 && name[3] == 9);
    n = (socklen_t)-1;
    FAILS(getsockopt(s, SOL_SOCKET, SO_TYPE, name, &n), EINVAL);
    FAILS(getsockopt(s, SOL_SOCKET, SO_TYPE, name, BAD_POINTER), EFAULT);
    n = 4;
    FAILS(getsockopt(s, SOL_SOCKET, SO_TYPE, BAD_POINTER, &n), EFAULT);
    FAILS(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, name, 3), EINVAL);
    FAILS(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, BAD_POINTER, 4), EFAULT);
    FAILS(setsockopt(s, IPPROTO_TCP, 4000, &t, sizeof t), ENOPROTOOPT);
    close(s);
    close(l);
}

static void packets(void)
{
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (s < 0)
        return; /* not root's */
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex("lo")};
    CHECK(bind(s, (struct sockaddr *)&at, sizeof at) == 0);
    struct packet_mreq mr = {.mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    CHECK(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof mr) == 0);
    SET(s, SOL_PACKET, PACKET_AUXDATA, 1);
    SET(s, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
    int v = TPACKET_V2;
    socklen_t n = sizeof v;
    CHECK(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &v, &n) == 0 && v == sizeof(struct tpacket2_hdr));
    struct tpacket_req ring = {.tp_block_size = 4096, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 4};
    CHECK(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring) == 0);
    struct tpacket_stats st;
    n = sizeof st;
    CHECK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n) == 0 && n == sizeof st);
    close(s);
}

static void netlink(void)
{
    struct {
        struct nlmsghdr h;
        struct ifinfomsg i;
    } ask = {{.nlmsg_len = sizeof ask, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST}, {.ifi_index = 0x7ffffff}};
    char buf[4096] __attribute__((aligned(8)));
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    SET(s, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    SET(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    SET(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, RTNLGRP_LINK);
    uint32_t groups[4] = {0};
    socklen_t n = sizeof groups;
    CHECK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &n) == 0 && groups[0] == 1u << (RTNLGRP_LINK - 1));
    CHECK(send(s, &ask, sizeof ask, 0) == sizeof ask);
    struct nlmsghdr *h = (struct nlmsghdr *)buf;
    do /* what the machine's links do meanwhile comes, too */
        CHECK(recv(s, buf, sizeof buf, 0) > 0);
    while (h->nlmsg_type != NLMSG_ERROR && failures < 10);
    CHECK(h->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(h))->error == -ENODEV);
    struct sockaddr_nl own = {0};
    n = sizeof own;
    CHECK(getsockname(s, (struct sockaddr *)&own, &n) == 0 && own.nl_family == AF_NETLINK && own.nl_pid);
    close(s);
}

/* What differs from run to run stays out. */
static bool varies(int level, int name)
{
    return (level == SOL_SOCKET && (name == SO_PEERCRED || name == SO_COOKIE || name == SO_INCOMING_CPU || name == PEERPIDFD || name == 71 ||
                                    name == SO_MEMINFO)) ||
           (level == IPPROTO_TCP && (name == TCP_INFO || name == TCP_TIMESTAMP));
}

static int list(void)
{
    static const struct {
        const char *name;
        int family, type, protocol;
    } kinds[] = {
        {"tcp", AF_INET, SOCK_STREAM, 0},         {"udp", AF_INET, SOCK_DGRAM, 0},       {"tcp6", AF_INET6, SOCK_STREAM, 0},
        {"udp6", AF_INET6, SOCK_DGRAM, 0},        {"unix", AF_UNIX, SOCK_STREAM, 0},     {"raw", AF_INET, SOCK_RAW, IPPROTO_ICMP},
        {"raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6}, {"packet", AF_PACKET, SOCK_RAW, 0},    {"route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
        {"vsock", AF_VSOCK, SOCK_STREAM, 0},      {"alg", AF_ALG, SOCK_SEQPACKET, 0},    {"mptcp", AF_INET, SOCK_STREAM, 262},
    };
    static const int levels[] = {SOL_SOCKET, 0, 6, 17, 41, 58, 255, 263, 270, 283, 40, 279, 284};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        int s = socket(kinds[k].family, kinds[k].type | SOCK_CLOEXEC, kinds[k].protocol);
        if (s < 0)
            continue;
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++)
            for (int name = 0; name < 130; name++) {
                unsigned char value[256] = {0};
                socklen_t n = sizeof value;
                errno = 0;
                int ret = getsockopt(s, levels[l], name, value, &n);
                if (ret && (errno == ENOPROTOOPT || errno == EOPNOTSUPP))
                    continue;
                printf("%s %d %d: %d %d", kinds[k].name, levels[l], name, ret, errno);
                for (socklen_t i = 0; !ret && i < n && i < 32 && !varies(levels[l], name); i++)
                    printf(" %02x", value[i]);
                printf("\n");
            }
        close(s);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "list"))
        return list();
    alarm(60);
    unix_messages();
    datagrams();
    streams();
    packets();
    netlink();
    DONE();
}
