/* Two protocols of netlink in a -strace line: sockets' descriptions after sock_diag(7), families of generic netlink. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux-user/abi.h"
#include "linux-user/task.h"
#include "linux-user/trace-netlink.h"
#include "linux-user/uaccess.h"

/* --- NETLINK_SOCK_DIAG --- */

static void put_address(struct nl *c, uint8_t family, const char *field, const void *bytes)
{
    char text[INET6_ADDRSTRLEN];
    if (family == AF_INET && inet_ntop(AF_INET, bytes, text, sizeof text)) {
        trace_put(c->l, ", %s=inet_addr(\"%s\")", field, text);
    } else if (family == AF_INET6 && inet_ntop(AF_INET6, bytes, text, sizeof text)) {
        trace_put(c->l, ", inet_pton(AF_INET6, \"%s\", &%s)", text, field);
    }
}

static void put_id(struct nl *c, uint8_t family, const struct inet_diag_sockid *id)
{
    trace_put(c->l, "id={idiag_sport=htons(%u), idiag_dport=htons(%u)", ntohs(id->idiag_sport), ntohs(id->idiag_dport));
    put_address(c, family, "idiag_src", id->idiag_src);
    put_address(c, family, "idiag_dst", id->idiag_dst);
    trace_put(c->l, ", idiag_if=");
    trace_ifindex(c->l, id->idiag_if);
    trace_put(c->l, ", idiag_cookie=[%" PRIu32 ", %" PRIu32 "]}", id->idiag_cookie[0], id->idiag_cookie[1]);
}

/* Before there was sock_diag: TCPDIAG_GETSOCK, DCCPDIAG_GETSOCK. */
static void put_old_request(struct nl *c, const void *bytes)
{
    struct inet_diag_req r;
    memcpy(&r, bytes, sizeof r);
    nl_put_family(c, "idiag_family", r.idiag_family);
    trace_put(c->l, ", idiag_src_len=%u, idiag_dst_len=%u, idiag_ext=", r.idiag_src_len, r.idiag_dst_len);
    trace_flags(c->l, COMMON_SET(idiag_ext), r.idiag_ext);
    trace_put(c->l, ", ");
    put_id(c, r.idiag_family, &r.id);
    trace_put(c->l, ", idiag_states=");
    trace_flags(c->l, COMMON_SET(tcp_states), r.idiag_states);
    trace_put(c->l, ", idiag_dbs=%" PRIu32 "}", r.idiag_dbs);
}

static void put_request(struct nl *c, const void *bytes)
{
    struct inet_diag_req_v2 r;
    memcpy(&r, bytes, sizeof r);
    nl_put_family(c, "sdiag_family", r.sdiag_family);
    trace_put(c->l, ", sdiag_protocol=");
    nl_put_name(c->l, COMMON_SET(ipproto), r.sdiag_protocol);
    trace_put(c->l, ", idiag_ext=");
    trace_flags(c->l, COMMON_SET(idiag_ext), r.idiag_ext);
    trace_put(c->l, ", idiag_states=");
    trace_flags(c->l, COMMON_SET(tcp_states), r.idiag_states);
    trace_put(c->l, ", ");
    put_id(c, r.sdiag_family, &r.id);
    trace_put(c->l, "}");
}

static void put_answer(struct nl *c, const void *bytes)
{
    struct inet_diag_msg m;
    memcpy(&m, bytes, sizeof m);
    nl_put_family(c, "idiag_family", m.idiag_family);
    trace_put(c->l, ", idiag_state=");
    nl_put_name(c->l, COMMON_SET(tcp_state), m.idiag_state);
    trace_put(c->l, ", idiag_timer=%u, idiag_retrans=%u, ", m.idiag_timer, m.idiag_retrans);
    put_id(c, m.idiag_family, &m.id);
    trace_put(c->l,
              ", idiag_expires=%" PRIu32 ", idiag_rqueue=%" PRIu32 ", idiag_wqueue=%" PRIu32 ", idiag_uid=%" PRIu32
              ", idiag_inode=%" PRIu32 "}",
              m.idiag_expires, m.idiag_rqueue, m.idiag_wqueue, m.idiag_uid, m.idiag_inode);
}

/* What a message of a family is, as a request and as an answer; attrs: of requests only where they have some. */
static void put_inet(struct nl *c, uint16_t type, bool request, uint64_t at, uint64_t n)
{
    bool old = request && (type == TCPDIAG_GETSOCK || type == DCCPDIAG_GETSOCK);
    size_t size = old       ? sizeof(struct inet_diag_req)
                  : request ? sizeof(struct inet_diag_req_v2)
                            : sizeof(struct inet_diag_msg);
    char bytes[sizeof(struct inet_diag_msg)];
    if (n < size || copy_from_guest(c->t, bytes, at, size)) {
        nl_put_family(c, request && !old ? "sdiag_family" : "idiag_family", c->family);
        trace_put(c->l, ", ");
        if (n < size)
            trace_put(c->l, "...");
        else
            trace_address(c->l, at);
        trace_put(c->l, "}");
    } else if (old) {
        put_old_request(c, bytes);
    } else if (request) {
        put_request(c, bytes);
    } else {
        put_answer(c, bytes);
    }
    if (n > size) {
        trace_put(c->l, ", ");
        nl_put_attrs(c, &syscall_nla_sets[request ? NLA_SET_inet_diag_req : NLA_SET_inet_diag], at + size, n - size);
    }
}

static void put_plain(struct nl *c, enum struct_id id, enum nla_set_id attrs, uint64_t at, uint64_t n)
{
    size_t size = syscall_structs[id].size;
    nl_put_head(c, id, at, n);
    if (n > size && attrs != NLA_SET_COUNT) {
        trace_put(c->l, ", ");
        nl_put_attrs(c, &syscall_nla_sets[attrs], at + size, n - size);
    }
}

void nl_put_diag(struct nl *c, const struct nlmsghdr *h, uint64_t at, uint64_t n)
{
    bool request = h->nlmsg_flags & NLM_F_REQUEST;
    if (!nl_fetch(c, &c->family, at, 1))
        return;
    switch (n > 1 ? c->family : AF_UNSPEC) {
    case AF_INET:
    case AF_INET6: put_inet(c, h->nlmsg_type, request, at, n); break;
    case AF_UNIX:
        put_plain(c, request ? STRUCT_unix_diag_req : STRUCT_unix_diag_msg, request ? NLA_SET_COUNT : NLA_SET_unix_diag,
                  at, n);
        break;
    case AF_NETLINK:
        put_plain(c, request ? STRUCT_netlink_diag_req : STRUCT_netlink_diag_msg,
                  request ? NLA_SET_COUNT : NLA_SET_netlink_diag, at, n);
        break;
    case AF_PACKET:
        put_plain(c, request ? STRUCT_packet_diag_req : STRUCT_packet_diag_msg,
                  request ? NLA_SET_COUNT : NLA_SET_packet_diag, at, n);
        break;
    default: nl_put_unknown_family(c, c->family, at, n);
    }
}

/* --- NETLINK_GENERIC --- */

/* CTRL_CMD_GETFAMILY of a family, and the answer's room. */
struct question {
    struct nlmsghdr h;
    struct genlmsghdr g;
    struct nlattr a;
    uint16_t id, pad;
};

bool nl_generic_family(uint16_t id, char *name)
{
    struct question q = {
        {sizeof q, GENL_ID_CTRL, NLM_F_REQUEST, 1, 0}, {CTRL_CMD_GETFAMILY, 1, 0}, {6, CTRL_ATTR_FAMILY_ID}, id, 0};
    char answer[4096];
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
    if (fd < 0)
        return false;
    ssize_t n = send(fd, &q, sizeof q, 0) == sizeof q ? recv(fd, answer, sizeof answer, MSG_DONTWAIT) : -1;
    close(fd);
    struct nlattr a;
    for (size_t at = offsetof(struct question, a); n > 0 && at + sizeof a <= (size_t)n; at += NLA_ALIGN(a.nla_len)) {
        memcpy(&a, answer + at, sizeof a);
        if (a.nla_len < sizeof a || a.nla_len > (size_t)n - at)
            return false;
        if (a.nla_type == CTRL_ATTR_FAMILY_NAME && a.nla_len - sizeof a <= GENL_NAMSIZ) {
            memcpy(name, answer + at + sizeof a, a.nla_len - sizeof a);
            name[GENL_NAMSIZ - 1] = 0;
            return true;
        }
    }
    return false;
}
