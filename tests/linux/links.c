/*
 * ioctl of network interfaces in a network namespace of the program's own: addresses, routes, neighbours, all forms of ifreq, ethtool's
 * structs, bridges, tunnels, wireless requests; tun and tap devices with several queues, filters and frames that pass; what sockets
 * tell of their queues and times.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/if_tunnel.h>
#include <linux/if_vlan.h>
#include <linux/netlink.h>
#include <linux/route.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <linux/wireless.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "own-network.h"

static struct ifreq named(const char *name)
{
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    return r;
}

static struct sockaddr ipv4(const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr out;
    inet_pton(AF_INET, address, &in.sin_addr);
    memcpy(&out, &in, sizeof out);
    return out;
}

static bool same_address(const struct sockaddr *a, const char *address)
{
    struct sockaddr b = ipv4(address);
    return !memcmp(a->sa_data + 2, b.sa_data + 2, 4);
}

/* -- tun and tap */

static int tap(const char *name, int flags, struct ifreq *r)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    *r = named(name);
    r->ifr_flags = (short)flags;
    CHECK(fd >= 0 && ioctl(fd, TUNSETIFF, r) == 0);
    return fd;
}

static void queues(void)
{
    struct ifreq r, back = {0};
    int n = 0;
    int a = tap("many%d", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR, &r), b = tap(r.ifr_name, IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR, &back);
    CHECK(!strcmp(r.ifr_name, "many0") && !strcmp(back.ifr_name, "many0"));
    back = (struct ifreq){.ifr_flags = IFF_DETACH_QUEUE};
    CHECK(ioctl(b, TUNSETQUEUE, &back) == 0);
    back.ifr_flags = IFF_ATTACH_QUEUE;
    CHECK(ioctl(b, TUNSETQUEUE, &back) == 0);
    CHECK(ioctl(a, TUNGETIFF, &back) == 0 && !strcmp(back.ifr_name, "many0") && back.ifr_flags & IFF_MULTI_QUEUE && back.ifr_flags & IFF_VNET_HDR);
    CHECK(ioctl(a, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) == 0);
    FAILS(ioctl(a, TUNSETOFFLOAD, 0x8000ul), EINVAL);
    CHECK(ioctl(a, TUNSETSNDBUF, &(int){77777}) == 0 && ioctl(a, TUNGETSNDBUF, &n) == 0 && n == 77777);
    CHECK(ioctl(a, TUNSETVNETHDRSZ, &(int){sizeof(struct virtio_net_hdr_mrg_rxbuf)}) == 0 && ioctl(a, TUNGETVNETHDRSZ, &n) == 0 && n == 12);
    FAILS(ioctl(a, TUNSETVNETHDRSZ, &(int){3}), EINVAL);
    CHECK(ioctl(a, TUNSETVNETLE, &(int){1}) == 0 && ioctl(a, TUNGETVNETLE, &n) == 0 && n == 1);
    CHECK(ioctl(a, TUNSETCARRIER, &(int){0}) == 0);
    CHECK(ioctl(a, TUNSETOWNER, 12345ul) == 0 || errno == EINVAL); /* an id of the namespace */
    CHECK(ioctl(a, TUNSETGROUP, 12345ul) == 0 || errno == EINVAL);
    CHECK(ioctl(a, TUNSETPERSIST, 1ul) == 0 && ioctl(a, TUNSETPERSIST, 0ul) == 0);
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
    struct sock_fprog prog = {1, code}, got = {0};
    CHECK(ioctl(a, TUNATTACHFILTER, &prog) == 0);
    if (ioctl(a, TUNGETFILTER, &got) == 0)
        CHECK(got.len == 1);
    CHECK(ioctl(a, TUNDETACHFILTER, &prog) == 0);
    prog.filter = BAD_POINTER;
    FAILS(ioctl(a, TUNATTACHFILTER, &prog), EFAULT);
    FAILS(ioctl(a, TUNATTACHFILTER, BAD_POINTER), EFAULT);
    FAILS(ioctl(a, TUNSETIFF, BAD_POINTER), EFAULT);
    struct {
        struct tun_filter head;
        uint8_t address[2][6];
    } only = {{.flags = TUN_FLT_ALLMULTI, .count = 2}, {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}};
    CHECK(ioctl(a, TUNSETTXFILTER, &only) == 2);
    int ns = ioctl(a, TUNGETDEVNETNS, 0); /* of Linux 5.2 */
    CHECK(ns >= 0 || errno == EINVAL);
    struct stat st, own;
    if (ns >= 0)
        CHECK(fstat(ns, &st) == 0 && stat("/proc/self/ns/net", &own) == 0 && st.st_ino == own.st_ino && close(ns) == 0);
    close(a);
    close(b);
}

/* A UDP datagram to a tun device comes out of it, and what is written to it comes to a socket. */
static void frames(int s)
{
    struct ifreq r;
    uint8_t packet[2048];
    int t = tap("tun7", IFF_TUN | IFF_NO_PI, &r), in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7777)};
    r = named("tun7");
    r.ifr_addr = ipv4("10.77.0.1");
    CHECK(ioctl(s, SIOCSIFADDR, &r) == 0);
    r.ifr_netmask = ipv4("255.255.255.0");
    CHECK(ioctl(s, SIOCSIFNETMASK, &r) == 0);
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    CHECK(ioctl(s, SIOCSIFFLAGS, &r) == 0);
    inet_pton(AF_INET, "10.77.0.2", &to.sin_addr);
    CHECK(sendto(in, "there", 5, 0, (struct sockaddr *)&to, sizeof to) == 5);
    ssize_t n = -1;
    for (int i = 0; i < 50 && n != 33; i++) { /* what the kernel says for itself comes, too */
        struct pollfd p = {.fd = t, .events = POLLIN};
        CHECK(poll(&p, 1, 2000) == 1);
        n = read(t, packet, sizeof packet);
    }
    CHECK(n == 33 && !memcmp(packet + 28, "there", 5) && packet[9] == IPPROTO_UDP);
    /* back, to where it came from: addresses and ports change places, which changes no sum */
    uint8_t copy[8];
    memcpy(copy, packet + 12, 8);
    memcpy(packet + 12, copy + 4, 4);
    memcpy(packet + 16, copy, 4);
    memcpy(copy, packet + 20, 4);
    memcpy(packet + 20, copy + 2, 2);
    memcpy(packet + 22, copy, 2);
    memcpy(packet + 26, "\0\0", 2); /* no sum of UDP's */
    CHECK(write(t, packet, 33) == 33);
    struct pollfd p = {.fd = in, .events = POLLIN};
    CHECK(poll(&p, 1, 2000) == 1 && recv(in, copy, sizeof copy, 0) == 5 && !memcmp(copy, "there", 5));
    /* routes and neighbours */
    struct rtentry route = {.rt_dst = ipv4("10.78.0.0"), .rt_genmask = ipv4("255.255.0.0"), .rt_gateway = ipv4("10.77.0.9"), .rt_flags = RTF_UP | RTF_GATEWAY, .rt_dev = (char[]){"tun7"}};
    CHECK(ioctl(s, SIOCADDRT, &route) == 0);
    FAILS(ioctl(s, SIOCADDRT, &route), EEXIST);
    CHECK(ioctl(s, SIOCDELRT, &route) == 0);
    FAILS(ioctl(s, SIOCDELRT, &route), ESRCH);
    route.rt_dev = BAD_POINTER;
    FAILS(ioctl(s, SIOCADDRT, &route), EFAULT);
    close(in);
    close(t);
}

/* -- interfaces */

static void interface(int s)
{
    struct ifreq t, r;
    int fd = tap("tap7", IFF_TAP | IFF_NO_PI, &t), index = 0;
    r = named("tap7");
    CHECK(ioctl(s, SIOCGIFINDEX, &r) == 0 && (index = r.ifr_ifindex) > 0);
    r = (struct ifreq){.ifr_ifindex = index};
    CHECK(ioctl(s, SIOCGIFNAME, &r) == 0 && !strcmp(r.ifr_name, "tap7"));
    r = named("tap7");
    r.ifr_hwaddr = (struct sockaddr){.sa_family = ARPHRD_ETHER, .sa_data = {2, 1, 2, 3, 4, 5}};
    CHECK(ioctl(s, SIOCSIFHWADDR, &r) == 0);
    memset(&r.ifr_hwaddr, 0, sizeof r.ifr_hwaddr);
    CHECK(ioctl(s, SIOCGIFHWADDR, &r) == 0 && r.ifr_hwaddr.sa_data[5] == 5);
    r.ifr_mtu = 1300;
    CHECK(ioctl(s, SIOCSIFMTU, &r) == 0 && (r.ifr_mtu = 0, ioctl(s, SIOCGIFMTU, &r) == 0) && r.ifr_mtu == 1300);
    r.ifr_qlen = 55;
    CHECK(ioctl(s, SIOCSIFTXQLEN, &r) == 0 && (r.ifr_qlen = 0, ioctl(s, SIOCGIFTXQLEN, &r) == 0) && r.ifr_qlen == 55);
    CHECK(ioctl(s, SIOCGIFMETRIC, &r) == 0 && r.ifr_metric == 0);
    memset(&r.ifr_map, 0xff, sizeof r.ifr_map);
    CHECK(ioctl(s, SIOCGIFMAP, &r) == 0 && r.ifr_map.mem_start == 0 && r.ifr_map.irq == 0);
    CHECK(ioctl(s, SIOCGIFFLAGS, &r) == 0 && !(r.ifr_flags & IFF_UP) && r.ifr_flags & IFF_BROADCAST);
    r.ifr_newname[0] = 0;
    strcpy(r.ifr_newname, "other7");
    CHECK(ioctl(s, SIOCSIFNAME, &r) == 0);
    r = named("other7");
    r.ifr_addr = ipv4("10.5.6.7");
    CHECK(ioctl(s, SIOCSIFADDR, &r) == 0);
    r.ifr_netmask = ipv4("255.255.240.0");
    CHECK(ioctl(s, SIOCSIFNETMASK, &r) == 0);
    r.ifr_broadaddr = ipv4("10.5.15.255");
    CHECK(ioctl(s, SIOCSIFBRDADDR, &r) == 0);
    CHECK(ioctl(s, SIOCGIFADDR, &r) == 0 && same_address(&r.ifr_addr, "10.5.6.7"));
    CHECK(ioctl(s, SIOCGIFNETMASK, &r) == 0 && same_address(&r.ifr_addr, "255.255.240.0"));
    CHECK(ioctl(s, SIOCGIFBRDADDR, &r) == 0 && same_address(&r.ifr_addr, "10.5.15.255"));
    CHECK(ioctl(s, SIOCGIFDSTADDR, &r) == 0);
    r.ifr_flags = IFF_UP;
    CHECK(ioctl(s, SIOCSIFFLAGS, &r) == 0);
    r.ifr_hwaddr = (struct sockaddr){.sa_data = {1, 0, 0x5e, 9, 9, 9}};
    CHECK(ioctl(s, SIOCADDMULTI, &r) == 0 && ioctl(s, SIOCDELMULTI, &r) == 0);
    struct arpreq a = {.arp_pa = ipv4("10.5.6.8"), .arp_ha = {.sa_family = ARPHRD_ETHER, .sa_data = {2, 9, 9, 9, 9, 9}}, .arp_flags = ATF_PERM | ATF_COM, .arp_dev = "other7"};
    CHECK(ioctl(s, SIOCSARP, &a) == 0);
    memset(&a.arp_ha, 0, sizeof a.arp_ha);
    CHECK(ioctl(s, SIOCGARP, &a) == 0 && a.arp_ha.sa_data[1] == 9 && a.arp_flags & ATF_PERM);
    CHECK(ioctl(s, SIOCDARP, &a) == 0);
    /* all of them, with room for one alone */
    struct ifreq one[1];
    struct ifconf c = {.ifc_len = sizeof one, .ifc_req = one};
    CHECK(ioctl(s, SIOCGIFCONF, &c) == 0 && c.ifc_len == sizeof one && one[0].ifr_name[0]);
    c.ifc_req = BAD_POINTER;
    FAILS(ioctl(s, SIOCGIFCONF, &c), EFAULT);
    FAILS(ioctl(s, SIOCGIFFLAGS, BAD_POINTER), EFAULT);
    /* requests of wireless interfaces, and private ones, of one that has none */
    struct iwreq w = {0};
    strcpy(w.ifr_name, "other7");
    CHECK(ioctl(s, SIOCGIWNAME, &w) == -1 && (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOTTY));
    strcpy(w.ifr_name, "nothing7");
    CHECK(ioctl(s, SIOCGIWESSID, &w) == -1 && (errno == ENODEV || errno == EINVAL || errno == ENOTTY));
    FAILS(ioctl(s, SIOCDEVPRIVATE, &r), EOPNOTSUPP);
    close(fd);
}

static void ethtool(int s)
{
    struct ifreq t, r = named("tap8");
    int fd = tap("tap8", IFF_TAP | IFF_NO_PI, &t);
    struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO};
    r.ifr_data = (void *)&d;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && !strcmp(d.driver, "tun") && !strcmp(d.bus_info, "tap"));
    struct ethtool_value v = {.cmd = ETHTOOL_GMSGLVL};
    r.ifr_data = (void *)&v;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0);
    struct {
        struct ethtool_link_settings head;
        uint32_t modes[3 * 127];
    } link = {.head = {.cmd = ETHTOOL_GLINKSETTINGS}};
    r.ifr_data = (void *)&link;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && link.head.link_mode_masks_nwords < 0);
    link.head.link_mode_masks_nwords = (int8_t)-link.head.link_mode_masks_nwords;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && link.head.speed == 10000 && link.head.link_mode_masks_nwords > 0);
    struct {
        struct ethtool_sset_info head;
        uint32_t count[1];
    } sets = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
    r.ifr_data = (void *)&sets;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && sets.count[0] > 10 && sets.count[0] < 1000);
    struct ethtool_gstrings *names = calloc(1, sizeof *names + sets.count[0] * ETH_GSTRING_LEN);
    *names = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = sets.count[0]};
    r.ifr_data = (void *)names;
    bool found = false;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && names->len == sets.count[0]);
    for (unsigned i = 0; i < names->len; i++)
        found = found || !strcmp((char *)names->data + i * ETH_GSTRING_LEN, "tx-generic-segmentation");
    CHECK(found);
    free(names);
    unsigned words = (sets.count[0] + 31) / 32;
    struct ethtool_gfeatures *f = calloc(1, sizeof *f + words * sizeof *f->features);
    *f = (struct ethtool_gfeatures){.cmd = ETHTOOL_GFEATURES, .size = words};
    r.ifr_data = (void *)f;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && f->size == words && f->features[0].available);
    free(f);
    struct {
        struct ethtool_perm_addr head;
        uint8_t bytes[32];
    } address = {.head = {.cmd = ETHTOOL_GPERMADDR, .size = 32}};
    r.ifr_data = (void *)&address;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && address.head.size == 6);
    struct ethtool_ts_info ts = {.cmd = ETHTOOL_GET_TS_INFO};
    r.ifr_data = (void *)&ts;
    CHECK(ioctl(s, SIOCETHTOOL, &r) == 0 && ts.so_timestamping);
    r.ifr_data = BAD_POINTER;
    FAILS(ioctl(s, SIOCETHTOOL, &r), EFAULT);
    uint32_t unknown = 0xffff;
    r.ifr_data = (void *)&unknown;
    FAILS(ioctl(s, SIOCETHTOOL, &r), EOPNOTSUPP);
    close(fd);
}

/* Kinds of interfaces that the kernel may lack. */
static void kinds(int s)
{
    struct ifreq t, r;
    int fd = tap("tap9", IFF_TAP | IFF_NO_PI, &t);
    if (ioctl(s, SIOCBRADDBR, "bridge9") == 0) {
        r = named("tap9");
        CHECK(ioctl(s, SIOCGIFINDEX, &r) == 0);
        int index = r.ifr_ifindex;
        r = named("bridge9");
        r.ifr_ifindex = index;
        CHECK(ioctl(s, SIOCBRADDIF, &r) == 0);
        int ports[1024] = {0};
        unsigned long args[4] = {BRCTL_GET_PORT_LIST, (uintptr_t)ports, 1024, 0};
        r.ifr_data = (void *)args;
        CHECK(ioctl(s, SIOCDEVPRIVATE, &r) >= 0 && ports[1] == index);
        struct __bridge_info info = {0};
        unsigned long ask[4] = {BRCTL_GET_BRIDGE_INFO, (uintptr_t)&info, 0, 0};
        r.ifr_data = (void *)ask;
        CHECK(ioctl(s, SIOCDEVPRIVATE, &r) == 0 && info.ageing_time > 0);
        ask[1] = (uintptr_t)BAD_POINTER;
        FAILS(ioctl(s, SIOCDEVPRIVATE, &r), EFAULT);
        r.ifr_ifindex = index;
        CHECK(ioctl(s, SIOCBRDELIF, &r) == 0 && ioctl(s, SIOCBRDELBR, "bridge9") == 0);
    }
    struct vlan_ioctl_args v = {.cmd = ADD_VLAN_CMD, .device1 = "tap9", .u.VID = 7};
    int done = ioctl(s, SIOCSIFVLAN, &v), error = errno;
    if (done == 0) {
        struct vlan_ioctl_args ask = {.cmd = GET_VLAN_VID_CMD, .device1 = "tap9.7"};
        CHECK(ioctl(s, SIOCGIFVLAN, &ask) == 0 && ask.u.VID == 7);
    } else {
        CHECK(error == ENOPKG || error == ENOTTY || error == EINVAL || error == EPERM);
    }
    struct ip_tunnel_parm p = {.name = "tunl0"};
    r = named("tunl0");
    r.ifr_data = (void *)&p;
    CHECK(ioctl(s, SIOCGETTUNNEL, &r) == 0 ? p.iph.protocol == IPPROTO_IPIP : errno == ENODEV);
    close(fd);
}

/* -- sockets */

static void sockets(void)
{
    int sp[2], n = -1;
    struct timeval tv;
    struct timespec ts;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sp) == 0 && write(sp[0], "12345", 5) == 5);
    CHECK(ioctl(sp[1], SIOCINQ, &n) == 0 && n == 5 && ioctl(sp[0], SIOCOUTQ, &n) == 0 && n > 5);
    CHECK(ioctl(sp[0], FIOSETOWN, &(int){getpid()}) == 0 && ioctl(sp[0], FIOGETOWN, &n) == 0 && n == getpid());
    CHECK(ioctl(sp[0], SIOCGPGRP, &n) == 0 && n == getpid() && ioctl(sp[0], SIOCSPGRP, &(int){0}) == 0);
    int ns = ioctl(sp[0], SIOCGSKNS, 0);
    struct stat st, own;
    CHECK(ns >= 0 ? fstat(ns, &st) == 0 && stat("/proc/self/ns/net", &own) == 0 && st.st_ino == own.st_ino && close(ns) == 0 : errno == EPERM);
    close(sp[0]);
    close(sp[1]);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(l, (struct sockaddr *)&at, size) == 0 && listen(l, 1) == 0 && getsockname(l, (struct sockaddr *)&at, &size) == 0);
    CHECK(connect(c, (struct sockaddr *)&at, size) == 0);
    int s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    CHECK(send(c, "xy", 2, 0) == 2 && send(c, "!", 1, MSG_OOB) == 1);
    for (int i = 0; i < 1000 && !(ioctl(s, SIOCINQ, &n) == 0 && n == 2); i++)
        usleep(1000);
    CHECK(n == 2 && ioctl(s, SIOCATMARK, &n) == 0 && n == 0);
    char two[2];
    CHECK(read(s, two, 2) == 2 && ioctl(s, SIOCATMARK, &n) == 0 && n == 1);
    CHECK(ioctl(c, SIOCOUTQNSD, &n) == 0 && n == 0);
    close(s);
    close(c);
    close(l);
    int u = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at.sin_port = 0;
    size = sizeof at;
    CHECK(bind(u, (struct sockaddr *)&at, size) == 0 && getsockname(u, (struct sockaddr *)&at, &size) == 0);
    CHECK(ioctl(u, SIOCGSTAMP_OLD, &tv) == -1); /* from now on times are taken */
    CHECK(sendto(u, "t", 1, 0, (struct sockaddr *)&at, size) == 1 && recv(u, two, 1, 0) == 1);
    CHECK(ioctl(u, SIOCGSTAMP_OLD, &tv) == 0 && tv.tv_sec > 1000000000 && tv.tv_usec < 1000000);
    CHECK(ioctl(u, SIOCGSTAMP_NEW, &tv) == 0 && tv.tv_sec > 1000000000);
    CHECK(ioctl(u, SIOCGSTAMPNS_OLD, &ts) == 0 && ts.tv_sec == tv.tv_sec && ts.tv_nsec / 1000 == tv.tv_usec);
    CHECK(ioctl(u, SIOCGSTAMPNS_NEW, &ts) == 0 && ts.tv_sec == tv.tv_sec);
    FAILS(ioctl(u, SIOCGSTAMP_OLD, BAD_POINTER), EFAULT);
    close(u);
}

int main(void)
{
    alarm(50);
    if (!own_network())
        return 77;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockets();
    if (access("/dev/net/tun", R_OK | W_OK) == 0) {
        queues();
        frames(s);
        interface(s);
        ethtool(s);
        kinds(s);
    }
    close(s);
    DONE();
}
