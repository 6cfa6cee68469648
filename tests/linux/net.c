/* Sockets: addresses, messages with descriptors and credentials, options, name queries. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <net/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

static struct sockaddr_in listen_at;

static void *client(void *arg)
{
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(s, (struct sockaddr *)&listen_at, sizeof listen_at) == 0);
    CHECK(send(s, "ping", 4, MSG_NOSIGNAL) == 4);
    char buf[4];
    CHECK(recv(s, buf, 4, MSG_WAITALL) == 4 && !memcmp(buf, "pong", 4));
    close(s);
    return arg;
}

static void tcp(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1, v;
    socklen_t n = sizeof listen_at;
    struct sockaddr_in peer;
    CHECK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    listen_at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(bind(s, (struct sockaddr *)&listen_at, sizeof listen_at) == 0);
    CHECK(getsockname(s, (struct sockaddr *)&listen_at, &n) == 0 && n == sizeof listen_at && listen_at.sin_port);
    CHECK(listen(s, 5) == 0);
    pthread_t th;
    pthread_create(&th, NULL, client, NULL);
    n = sizeof peer;
    int c = accept4(s, (struct sockaddr *)&peer, &n, SOCK_CLOEXEC);
    CHECK(c >= 0 && peer.sin_family == AF_INET && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    char buf[10];
    CHECK(recv(c, buf, sizeof buf, 0) == 4 && !memcmp(buf, "ping", 4));
    CHECK(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    n = sizeof v;
    CHECK(getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &v, &n) == 0 && v && n == 4);
    CHECK(getsockopt(c, SOL_SOCKET, SO_TYPE, &v, &n) == 0 && v == SOCK_STREAM);
    struct timeval tv = {2, 500000}, back;
    CHECK(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0);
    n = sizeof back;
    CHECK(getsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &back, &n) == 0 && back.tv_sec == 2);
    struct linger lg = {1, 3}, lg2;
    n = sizeof lg2;
    CHECK(setsockopt(c, SOL_SOCKET, SO_LINGER, &lg, sizeof lg) == 0);
    CHECK(getsockopt(c, SOL_SOCKET, SO_LINGER, &lg2, &n) == 0 && lg2.l_linger == 3);
    FAILS(getsockopt(c, SOL_SOCKET, 9999, &v, &n), ENOPROTOOPT);
    CHECK(send(c, "pong", 4, 0) == 4);
    CHECK(shutdown(c, SHUT_RDWR) == 0);
    pthread_join(th, NULL);
    FAILS(accept(0x7fff, NULL, NULL), EBADF);
}

static void messages(void)
{
    int sp[2], v = 1;
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sp) == 0);
    CHECK(setsockopt(sp[1], SOL_SOCKET, SO_PASSCRED, &v, sizeof v) == 0);
    char text[] = "with a descriptor", in[40] = {0};
    struct iovec iov = {text, sizeof text}, iin = {in, sizeof in};
    union {
        char buf[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control = {0}, cin;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &sp[0], sizeof(int));
    CHECK(sendmsg(sp[0], &m, 0) == sizeof text);
    struct msghdr r = {.msg_iov = &iin, .msg_iovlen = 1, .msg_control = &cin, .msg_controllen = sizeof cin};
    CHECK(recvmsg(sp[1], &r, MSG_CMSG_CLOEXEC) == sizeof text && !strcmp(in, text));
    int fd = -1, creds = 0;
    for (c = CMSG_FIRSTHDR(&r); c; c = CMSG_NXTHDR(&r, c)) {
        if (c->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
        if (c->cmsg_type == SCM_CREDENTIALS)
            creds = ((struct ucred *)CMSG_DATA(c))->pid == getpid();
    }
    struct stat a, b;
    CHECK(fd >= 0 && creds && fstat(fd, &a) == 0 && fstat(sp[0], &b) == 0 && a.st_ino == b.st_ino);
    struct mmsghdr mm[2] = {{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}};
    CHECK(sendmmsg(sp[0], mm, 2, 0) == 2 && mm[1].msg_len == sizeof text);
    mm[0].msg_hdr.msg_iov = &iin;
    CHECK(recvmmsg(sp[1], mm, 1, 0, NULL) == 1);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t un_size = offsetof(struct sockaddr_un, sun_path) + 1; /* an abstract name: other runs have others */
    un_size += (socklen_t)snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "metic-test-%d", getpid());
    int s = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(bind(s, (struct sockaddr *)&un, un_size) == 0);
    int u = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(sendto(u, "x", 1, 0, (struct sockaddr *)&un, un_size) == 1);
    struct sockaddr_un from;
    socklen_t n = sizeof from;
    CHECK(recvfrom(s, in, sizeof in, 0, (struct sockaddr *)&from, &n) == 1);
    FAILS(recvfrom(s, in, sizeof in, MSG_DONTWAIT, NULL, NULL), EAGAIN);
}

static void links(void)
{
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(ioctl(s, SIOCGIFINDEX, &r) == 0 && r.ifr_ifindex > 0);
    CHECK(ioctl(s, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags & IFF_LOOPBACK);
    CHECK(if_nametoindex("lo") > 0);
    int nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    struct {
        struct nlmsghdr h;
        struct rtgenmsg g;
    } req = {{.nlmsg_len = sizeof req, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}, {AF_UNSPEC}};
    CHECK(send(nl, &req, sizeof req, 0) == sizeof req);
    char buf[8192] __attribute__((aligned(8)));
    CHECK(recv(nl, buf, sizeof buf, 0) > 0 && ((struct nlmsghdr *)buf)->nlmsg_type == RTM_NEWLINK);
}

int main(void)
{
    tcp();
    messages();
    links();
    DONE();
}
