/* Values of sockets in a -strace line: addresses, messages with their control data, options by sockopts.tbl. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "linux-user/abi.h"
#include "linux-user/task.h"
#include "linux-user/trace.h"
#include "linux-user/uaccess.h"

enum { CMSG_HEAD = 16, MOST_CONTROL = 4096, MOST_OPTION = 256 };

/* --- addresses --- */

static void put_unix(struct trace_line *l, const struct sockaddr_un *un, size_t path)
{
    bool abstract = !un->sun_path[0];
    trace_put(l, abstract ? ", sun_path=@" : ", sun_path=");
    trace_quoted(l, un->sun_path + abstract, abstract ? path - 1 : strnlen(un->sun_path, path), false);
}

union address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_nl nl;
    struct sockaddr_ll ll;
};

static void put_address(struct task *t, struct trace_line *l, const union address *u, uint32_t len)
{
    const struct flag_set *sets = t->abi->syscalls->sets;
    char text[INET6_ADDRSTRLEN];
    trace_put(l, "{sa_family=");
    if (!trace_name(l, &sets[SET_af], u->sa.sa_family))
        trace_put(l, "%#x", u->sa.sa_family);
    if (u->sa.sa_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path)) {
        put_unix(l, &u->un, len - offsetof(struct sockaddr_un, sun_path));
    } else if (u->sa.sa_family == AF_INET && len >= sizeof u->in) {
        trace_put(l, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(u->in.sin_port),
                  inet_ntop(AF_INET, &u->in.sin_addr, text, sizeof text));
    } else if (u->sa.sa_family == AF_INET6 && len >= sizeof u->in6) {
        trace_put(l,
                  ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), inet_pton(AF_INET6, \"%s\", &sin6_addr), "
                  "sin6_scope_id=%u",
                  ntohs(u->in6.sin6_port), ntohl(u->in6.sin6_flowinfo),
                  inet_ntop(AF_INET6, &u->in6.sin6_addr, text, sizeof text), u->in6.sin6_scope_id);
    } else if (u->sa.sa_family == AF_NETLINK && len >= sizeof u->nl) {
        trace_put(l, ", nl_pid=%d, nl_groups=%08x", u->nl.nl_pid, u->nl.nl_groups);
    } else if (u->sa.sa_family == AF_PACKET && len >= offsetof(struct sockaddr_ll, sll_addr)) {
        trace_put(l, ", sll_protocol=htons(%#x), sll_ifindex=%d, sll_hatype=%#x, sll_pkttype=%#x, sll_halen=%u",
                  ntohs(u->ll.sll_protocol), u->ll.sll_ifindex, u->ll.sll_hatype, u->ll.sll_pkttype, u->ll.sll_halen);
    } else if (len > sizeof(sa_family_t)) {
        trace_put(l, ", sa_data=");
        trace_quoted(l, u->sa.sa_data, len - sizeof(sa_family_t), false);
    }
    trace_put(l, "}");
}

void trace_sockaddr(struct task *t, struct trace_line *l, const void *bytes, uint32_t len)
{
    union address u = {0};
    memcpy(&u, bytes, len < sizeof u ? len : sizeof u);
    put_address(t, l, &u, len);
}

static void put_sockaddr(struct task *t, struct trace_line *l, uint64_t addr, uint32_t len)
{
    union address u = {0};
    if (len > sizeof u)
        len = sizeof u;
    if (!addr || len < sizeof(sa_family_t) || copy_from_guest(t, &u, addr, len))
        trace_address(l, addr);
    else
        put_address(t, l, &u, len);
}

/* --- messages --- */

static void put_control_data(struct task *t, struct trace_line *l, int32_t level, int32_t type, const char *data,
                             size_t n)
{
    uint32_t v[3];
    int32_t fd;
    if (level == SOL_SOCKET && type == SCM_RIGHTS) {
        trace_put(l, ", cmsg_data=[");
        for (size_t i = 0; i + sizeof fd <= n; i += sizeof fd) {
            memcpy(&fd, data + i, sizeof fd);
            trace_put(l, i ? ", " : "");
            trace_fd(t, l, fd);
        }
        trace_put(l, "]");
    } else if (level == SOL_SOCKET && type == SCM_CREDENTIALS && n >= sizeof v) {
        trace_put(l, ", cmsg_data=");
        trace_struct(t, l, STRUCT_ucred, data);
    } else if (n) {
        trace_put(l, ", cmsg_data=");
        trace_quoted(l, data, n, false);
    }
}

static void put_control(struct task *t, struct trace_line *l, uint64_t addr, uint64_t length)
{
    char bytes[MOST_CONTROL];
    const struct flag_set *sets = t->abi->syscalls->sets;
    size_t n = length < sizeof bytes ? length : sizeof bytes;
    const char *sep = "[";
    if (!addr || n < CMSG_HEAD || copy_from_guest(t, bytes, addr, n)) {
        trace_address(l, addr);
        return;
    }
    for (size_t at = 0; at + CMSG_HEAD <= n;) {
        uint64_t size;
        int32_t level, type;
        memcpy(&size, bytes + at, 8);
        memcpy(&level, bytes + at + 8, 4);
        memcpy(&type, bytes + at + 12, 4);
        trace_put(l, "%s{cmsg_len=%" PRIu64 ", cmsg_level=", sep, size);
        if (!trace_name(l, &sets[SET_sol], (uint32_t)level))
            trace_put(l, "%#x", (uint32_t)level);
        trace_put(l, ", cmsg_type=");
        if (level != SOL_SOCKET || !trace_name(l, &sets[SET_scm], (uint32_t)type))
            trace_put(l, "%#x", (uint32_t)type);
        if (size >= CMSG_HEAD && size <= n - at)
            put_control_data(t, l, level, type, bytes + at + CMSG_HEAD, size - CMSG_HEAD);
        trace_put(l, "}");
        sep = ", ";
        if (size < CMSG_HEAD || size > n - at)
            break;
        at += (size + 7) & ~UINT64_C(7);
    }
    trace_put(l, "]");
}

/* The kernel's struct user_msghdr and, at its end, the length that struct mmsghdr adds. */
struct message {
    uint64_t name;
    uint32_t namelen, pad;
    uint64_t iov, iovlen, control, controllen;
    uint32_t flags, pad2;
    uint32_t len, pad3;
};

enum { MSGHDR_SIZE = offsetof(struct message, len) };

static void put_msghdr(struct task *t, struct trace_line *l, const struct message *m, uint64_t bytes)
{
    sa_family_t family;
    bool netlink =
        m->namelen >= sizeof family && !copy_from_guest(t, &family, m->name, sizeof family) && family == AF_NETLINK;
    trace_put(l, "{msg_name=");
    put_sockaddr(t, l, m->name, m->namelen);
    trace_put(l, ", msg_namelen=%u, msg_iov=", m->namelen);
    trace_iov(t, l, m->iov, m->iovlen, bytes, netlink);
    trace_put(l, ", msg_iovlen=%" PRIu64, m->iovlen);
    if (m->controllen) {
        trace_put(l, ", msg_control=");
        put_control(t, l, m->control, m->controllen);
    }
    trace_put(l, ", msg_controllen=%" PRIu64 ", msg_flags=", m->controllen);
    trace_flags(l, &t->abi->syscalls->sets[SET_msg], m->flags);
    trace_put(l, "}");
}

/* Of one message; a call that has received none tells only how long its name might be. */
static void put_message(struct task *t, struct trace_line *l, uint64_t addr, bool received, int64_t ret)
{
    struct message m;
    if (!addr || copy_from_guest(t, &m, addr, MSGHDR_SIZE))
        trace_address(l, addr);
    else if (received && ret < 0)
        trace_put(l, "{msg_namelen=%u}", m.namelen);
    else
        put_msghdr(t, l, &m, received ? (uint64_t)ret : UINT64_MAX);
}

static void put_messages(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n, bool received, int64_t ret)
{
    struct message m;
    if (!addr || (received && ret < 0)) {
        trace_address(l, addr);
        return;
    }
    n = received ? (uint64_t)ret : n;
    trace_put(l, "[");
    for (uint64_t i = 0; i < n; i++) {
        trace_put(l, i ? ", " : "");
        if (copy_from_guest(t, &m, addr + i * sizeof m, sizeof m) || (!l->options->verbose && i == TRACE_ARRAY_LIMIT)) {
            trace_put(l, "...");
            break;
        }
        trace_put(l, "{msg_hdr=");
        put_msghdr(t, l, &m, received ? m.len : UINT64_MAX);
        if (ret > (int64_t)i)
            trace_put(l, ", msg_len=%u", m.len);
        trace_put(l, "}");
    }
    trace_put(l, "]");
}

/* --- options --- */

static const struct sockopt_desc *option_of(uint32_t level, uint32_t option)
{
    for (unsigned i = 0; i < syscall_nsockopts; i++)
        if (syscall_sockopts[i].level == level && syscall_sockopts[i].option == option)
            return &syscall_sockopts[i];
    return NULL;
}

static void put_option_name(struct task *t, struct trace_line *l, uint32_t level, uint64_t option)
{
    for (unsigned i = 0; i < syscall_nsockopt_levels; i++)
        if (syscall_sockopt_levels[i].level == level &&
            trace_name(l, &t->abi->syscalls->sets[syscall_sockopt_levels[i].set], (uint32_t)option))
            return;
    trace_put(l, "%#" PRIx32, (uint32_t)option);
}

static void put_option(struct task *t, struct trace_line *l, uint64_t addr, uint32_t len)
{
    char bytes[MOST_OPTION];
    const struct sockopt_desc *d = option_of((uint32_t)l->a[1], (uint32_t)l->a[2]);
    const struct struct_desc *s = d && d->kind == KIND_struct ? &syscall_structs[d->ref] : NULL;
    int32_t v;
    if (!addr || len > sizeof bytes || copy_from_guest(t, bytes, addr, len)) {
        trace_address(l, addr);
    } else if (s && len >= s->size) {
        trace_struct(t, l, d->ref, bytes);
    } else if (!d && len >= sizeof v) {
        memcpy(&v, bytes, sizeof v);
        trace_put(l, "[%" PRId32 "]", v);
    } else {
        size_t n = d && d->kind == KIND_chars ? strnlen(bytes, len) : len, most = l->options->string_limit;
        trace_quoted(l, bytes, n < most ? n : most, n > most);
    }
}

bool trace_socket_value(struct task *t, struct trace_line *l, struct arg_desc d, uint64_t v, int64_t ret)
{
    uint32_t len = 0, given = d.count < 6 ? (uint32_t)l->saved[d.count] : 0;
    bool known = d.count < 6 && !copy_from_guest(t, &len, l->a[d.count], sizeof len) && ret >= 0;
    switch (d.kind) {
    case KIND_sain: put_sockaddr(t, l, v, (uint32_t)l->a[d.count]); break;
    case KIND_saout: put_sockaddr(t, l, v, !known ? 0 : len < given ? len : given); break;
    case KIND_msgin: put_message(t, l, v, false, ret); break;
    case KIND_msgout: put_message(t, l, v, true, ret); break;
    case KIND_mmsgin: put_messages(t, l, v, l->a[d.count], false, ret); break;
    case KIND_mmsgout: put_messages(t, l, v, l->a[d.count], true, ret); break;
    case KIND_sockoptname: put_option_name(t, l, (uint32_t)l->a[1], v); break;
    case KIND_sockoptin: put_option(t, l, v, (uint32_t)l->a[d.count]); break;
    case KIND_sockoptout:
        if (known)
            put_option(t, l, v, len);
        else
            trace_address(l, v);
        break;
    default: return false;
    }
    return true;
}
