/*
 * Messages of netlink and ioctls of network interfaces for tests/linux/strace.py, as traced.c has other calls: what is
 * sent has a flag (MSG_OOB) with which the kernel refuses it, so that nothing is changed. Sockets are bound, without
 * which strace(1) does not know their protocol.
 */
#define _GNU_SOURCE
#include <linux/genetlink.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/in.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/unix_diag.h>
#include <linux/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CALL(name, ...) syscall(SYS_##name, ##__VA_ARGS__)

static char *page_end;

static int open_socket(int protocol)
{
    struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    int s = (int)CALL(socket, AF_NETLINK, SOCK_RAW, protocol);
    bind(s, (struct sockaddr *)&any, sizeof any);
    return s;
}

/* At the end of a page, behind which nothing can be read. */
static void send_at_end(int s, const void *bytes, size_t n, size_t claimed)
{
    memcpy(page_end - n, bytes, n);
    CALL(sendto, s, page_end - n, claimed, MSG_OOB, NULL, 0);
}

static struct {
    struct nlmsghdr h;
    char body[400];
} m;

static void start(uint16_t type, uint16_t flags, const void *head, size_t n)
{
    m.h = (struct nlmsghdr){NLMSG_LENGTH(n), type, flags, 1, 0};
    memcpy(m.body, head, n);
}

static void attribute(uint16_t type, const void *value, size_t n)
{
    struct nlattr a = {(uint16_t)(NLA_HDRLEN + n), type};
    char *at = (char *)&m + NLMSG_ALIGN(m.h.nlmsg_len);
    memset(at, 0, NLA_HDRLEN + NLA_ALIGN(n));
    memcpy(at, &a, sizeof a);
    memcpy(at + NLA_HDRLEN, value, n);
    m.h.nlmsg_len = NLMSG_ALIGN(m.h.nlmsg_len) + NLA_HDRLEN + (uint32_t)n;
}

static void send_it(int s) { send_at_end(s, &m, m.h.nlmsg_len, m.h.nlmsg_len); }

static void links(int s)
{
    struct ifinfomsg link = {.ifi_type = ARPHRD_ETHER, .ifi_index = 1, .ifi_flags = IFF_UP};
    uint32_t nested[] = {8 | IFLA_INFO_KIND << 16, 'x'}, word = 5;
    start(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, &link, sizeof link);
    attribute(IFLA_EXT_MASK, &word, sizeof word);
    send_it(s);
    start(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    attribute(IFLA_IFNAME, "name", 5);
    attribute(IFLA_ADDRESS, "\2\0\0\0\0\1", 6);
    attribute(IFLA_MTU, &word, sizeof word);
    attribute(IFLA_MTU, &word, 2);
    attribute(IFLA_LINKINFO | NLA_F_NESTED, nested, sizeof nested);
    attribute(1000, &word, sizeof word);
    send_it(s);
    for (unsigned n = 0; n <= sizeof link; n += 4) {
        start(RTM_DELLINK, NLM_F_REQUEST, &link, n);
        send_it(s);
    }
}

static void others(int s)
{
    struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1};
    struct rtmsg route = {.rtm_family = AF_INET6,
                          .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_BOOT,
                          .rtm_type = RTN_UNICAST};
    struct ndmsg neighbour = {.ndm_family = AF_INET, .ndm_ifindex = 1, .ndm_state = NUD_REACHABLE};
    struct tcmsg queue = {.tcm_ifindex = 1, .tcm_parent = TC_H_ROOT};
    struct rtgenmsg any = {AF_UNSPEC};
    uint64_t sixteen[2] = {1, 2};
    uint32_t hop[] = {8, 1};
    start(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_REPLACE, &address, sizeof address);
    attribute(IFA_LOCAL, "\12\0\0\1", 4);
    attribute(IFA_CACHEINFO, sixteen, sizeof sixteen);
    send_it(s);
    start(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_APPEND, &route, sizeof route);
    attribute(RTA_DST, sixteen, sizeof sixteen);
    attribute(RTA_OIF, hop + 1, 4);
    attribute(RTA_MULTIPATH, hop, sizeof hop);
    send_it(s);
    start(RTM_DELNEIGH, NLM_F_REQUEST, &neighbour, sizeof neighbour);
    attribute(NDA_DST, "\177\0\0\1", 4);
    attribute(NDA_LLADDR, "\1\2\3\4\5\6", 6);
    send_it(s);
    start(RTM_GETQDISC, NLM_F_REQUEST | NLM_F_DUMP, &queue, sizeof queue);
    attribute(TCA_KIND, "pfifo", 6);
    send_it(s);
    start(RTM_GETNSID, NLM_F_REQUEST, &any, sizeof any);
    send_it(s);
    start(RTM_NEWPREFIX, 0, sixteen, sizeof sixteen);
    send_it(s);
}

/* Lengths that are wrong, more than is there, errors. */
static void malformed(int s)
{
    struct ifinfomsg link = {.ifi_type = ARPHRD_ETHER};
    struct {
        struct nlmsgerr e;
        struct ifinfomsg link;
        uint32_t said[2];
    } error = {{-2, {32, RTM_NEWLINK, NLM_F_REQUEST, 1, 0}}, link, {8 | NLMSGERR_ATTR_OFFS << 16, 3}};
    uint32_t word = 5;
    CALL(sendto, s, NULL, 40, MSG_OOB, NULL, 0);
    for (unsigned n = 0; n <= 20; n += 5)
        send_at_end(s, &m, n, n);
    for (unsigned length = 0; length <= 12; length += 2) {
        start(RTM_NEWLINK, 0xffff, &link, sizeof link);
        attribute(IFLA_MTU, &word, sizeof word);
        memcpy(m.body + sizeof link, &(uint16_t){(uint16_t)length}, 2);
        send_it(s);
    }
    send_at_end(s, &m, m.h.nlmsg_len, 100);
    for (uint32_t length = 8; length; length *= 16) {
        m.h.nlmsg_len = length;
        send_at_end(s, &m, 40, 40);
    }
    start(NLMSG_ERROR, 0, &error, sizeof error);
    send_it(s);
    start(NLMSG_ERROR, NLM_F_ACK_TLVS | NLM_F_CAPPED, &error, sizeof error);
    send_it(s);
    start(NLMSG_DONE, NLM_F_MULTI, &word, sizeof word);
    send_it(s);
    struct nlmsghdr two[] = {{16, NLMSG_NOOP}, {16, NLMSG_DONE}};
    send_at_end(s, two, sizeof two, sizeof two);
}

static void protocols(void)
{
    struct inet_diag_req_v2 inet = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << 10};
    struct unix_diag_req local = {.sdiag_family = AF_UNIX, .udiag_states = 2, .udiag_show = UDIAG_SHOW_NAME};
    struct inet_diag_msg answer = {.idiag_family = AF_INET6, .idiag_state = 1};
    struct genlmsghdr family = {CTRL_CMD_GETFAMILY, 1, 0};
    int s = open_socket(NETLINK_SOCK_DIAG);
    start(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, &inet, sizeof inet);
    send_it(s);
    start(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, &local, sizeof local);
    send_it(s);
    start(SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &answer, sizeof answer);
    attribute(INET_DIAG_CONG, "cubic", 6);
    attribute(INET_DIAG_SHUTDOWN, "\3", 1);
    send_it(s);
    s = open_socket(NETLINK_GENERIC);
    start(GENL_ID_CTRL, NLM_F_REQUEST, &family, sizeof family);
    send_it(s);
    s = open_socket(NETLINK_KOBJECT_UEVENT);
    send_at_end(s, "add@/devices/x", 14, 14);
}

/* An answer of the kernel's, and the calls that strace(1) does not look into. */
static void answered(int s)
{
    struct ifaddrmsg none = {.ifa_index = 99999};
    char answer[4096];
    start(RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK, &none, sizeof none);
    struct iovec iov = {&m, m.h.nlmsg_len};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_name = &kernel, .msg_namelen = sizeof kernel};
    m.h.nlmsg_type = 4000;
    CALL(sendmsg, s, &msg, 0);
    iov = (struct iovec){answer, sizeof answer};
    CALL(recvmsg, s, &msg, MSG_PEEK);
    CALL(recvfrom, s, answer, sizeof answer, MSG_DONTWAIT, NULL, NULL);
    iov = (struct iovec){&m, 10};
    msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
    CALL(sendmsg, s, &msg, MSG_OOB);
    CALL(write, s, &m, 10);
}

/* Of one that is there and of one that is not; nothing is changed but what is not there. */
static void interfaces(void)
{
    static const unsigned asked[] = {SIOCGIFINDEX,   SIOCGIFFLAGS,  SIOCGIFMTU,     SIOCGIFHWADDR,
                                     SIOCGIFTXQLEN,  SIOCGIFMAP,    SIOCGIFNETMASK, SIOCGIFBRDADDR,
                                     SIOCGIFDSTADDR, SIOCGIFMETRIC, SIOCGIFADDR,    SIOCGIFSLAVE};
    static const unsigned addresses[] = {SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFBRDADDR, SIOCSIFDSTADDR};
    static const unsigned hardware[] = {SIOCSIFHWADDR, SIOCADDMULTI, SIOCDELMULTI, SIOCSIFHWBROADCAST};
    static const unsigned numbers[] = {SIOCSIFFLAGS, SIOCSIFMETRIC, SIOCSIFMTU, SIOCSIFTXQLEN};
    int s = (int)CALL(socket, AF_INET, SOCK_DGRAM, 0);
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++)
        for (unsigned there = 0; there < 2; there++) {
            struct ifreq r = {.ifr_ifrn.ifrn_name = "nothing"};
            strcpy(r.ifr_name, there ? "lo" : "nothing");
            CALL(ioctl, s, asked[i], &r);
        }
    for (int index = 1; index < 100000; index += 99998) {
        struct ifreq r = {.ifr_ifindex = index};
        CALL(ioctl, s, SIOCGIFNAME, &r);
    }
    for (unsigned i = 0; i < 4; i++) {
        struct ifreq r = {.ifr_ifrn.ifrn_name = "nothing", .ifr_addr = {AF_INET, {0, 0, 10, 1, 2, 3}}};
        CALL(ioctl, s, addresses[i], &r);
        r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        CALL(ioctl, s, hardware[i], &r);
        r.ifr_flags = IFF_UP | IFF_PROMISC;
        CALL(ioctl, s, numbers[i], &r);
        r.ifr_map.irq = 3;
        CALL(ioctl, s, SIOCSIFMAP, &r);
        strcpy(r.ifr_newname, "other");
        CALL(ioctl, s, i & 1 ? SIOCSIFNAME : SIOCSIFSLAVE, &r);
    }
    CALL(ioctl, s, SIOCGIFINDEX, page_end);
}

int main(int argc, char **argv)
{
    char *page = mmap(NULL, 131072, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (argc != 2 || page == MAP_FAILED || mprotect(page + 65536, 65536, PROT_NONE))
        return 1;
    page_end = page + 65536;
    CALL(write, -1, "begin", 5);
    int s = open_socket(NETLINK_ROUTE);
    links(s);
    others(s);
    malformed(s);
    protocols();
    answered(s);
    interfaces();
    return 0;
}
