/*
 * Messages of netlink in a -strace line, after netlink(7), rtnetlink(7), sock_diag(7) and the kernel's linux/netlink.h
 * and those of its protocols; what they consist of stands in syscall-tables/netlink.tbl. Everything is read from the
 * guest's memory where it is printed, inside the length that the call names: a length in the message only makes that
 * smaller. As strace(1) has it, what is too short for its kind is bytes, and what can't be read an address.
 */
#include <inttypes.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/abi.h"
#include "linux-user/task.h"
#include "linux-user/trace-netlink.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

enum { MOST_DEPTH = 16, SUBSYSTEM_SHIFT = 8, MOST_HEAD = 64 };

bool nl_fetch(struct nl *c, void *to, uint64_t at, size_t n)
{
    if (!copy_from_guest(c->t, to, at, n))
        return true;
    trace_address(c->l, at);
    return false;
}

void nl_put_name(struct trace_line *l, const struct flag_set *s, uint64_t v)
{
    for (unsigned i = 0; i < s->nflags; i++)
        if (s->flags[i].value == v) {
            trace_put(l, "%s", s->flags[i].name);
            return;
        }
    trace_unknown(l, s, v);
}

bool nl_list_next(struct nl *c, unsigned i)
{
    if (i)
        trace_put(c->l, ", ");
    if (i < TRACE_ARRAY_LIMIT || c->l->options->verbose)
        return true;
    trace_put(c->l, "...");
    return false;
}

bool nl_fetch_element(struct nl *c, unsigned i, void *to, uint64_t at, size_t n)
{
    if (!copy_from_guest(c->t, to, at, n))
        return true;
    if (i)
        trace_put(c->l, "... /* %#" PRIx64 " */", at);
    else
        trace_address(c->l, at);
    return false;
}

/* --- types and flags --- */

static const struct flag_set *types_of(const struct nl *c)
{
    for (unsigned i = 0; i < syscall_nnl_protocols; i++)
        if (syscall_nl_protocols[i].protocol == c->protocol)
            return common_set(syscall_nl_protocols[i].types);
    return NULL;
}

/* Types of messages of netfilter's subsystems. */
static const uint16_t subsystems[] = {
    0,
    SET_nfnl_ctnetlink,
    SET_nfnl_ctnetlink_exp,
    SET_nfnl_queue,
    SET_nfnl_ulog,
    SET_nfnl_osf,
    SET_nfnl_ipset,
    SET_nfnl_acct,
    SET_nfnl_ctnetlink_timeout,
    SET_nfnl_cthelper,
    SET_nfnl_nftables,
    SET_nfnl_nft_compat,
    SET_nfnl_hook,
};

static const struct flag_set *subsystem_of(uint16_t type)
{
    unsigned i = type >> SUBSYSTEM_SHIFT;
    return i && i < ARRAY_SIZE(subsystems) ? common_set(subsystems[i]) : NULL;
}

static bool is_batch(uint16_t type) { return type == NLMSG_MIN_TYPE || type == NLMSG_MIN_TYPE + 1; }

static void put_subsystem_type(struct nl *c, uint16_t type)
{
    const struct flag_set *s = subsystem_of(type);
    if (is_batch(type)) {
        trace_name(c->l, COMMON_SET(nfnl_batch), type);
        return;
    }
    nl_put_name(c->l, COMMON_SET(nfnl_subsys), type >> SUBSYSTEM_SHIFT);
    trace_put(c->l, "<<8|");
    if (s)
        nl_put_name(c->l, s, type & 0xff);
    else
        trace_put(c->l, "%#x", type & 0xff);
}

static void put_type(struct nl *c, uint16_t type)
{
    const struct flag_set *s = types_of(c);
    char name[GENL_NAMSIZ];
    if (type < NLMSG_MIN_TYPE || (!s && c->protocol != NETLINK_GENERIC))
        nl_put_name(c->l, COMMON_SET(nlmsg), type);
    else if (c->protocol == NETLINK_NETFILTER)
        put_subsystem_type(c, type);
    else if (c->protocol == NETLINK_GENERIC && nl_generic_family(type, name))
        trace_put(c->l, "%s", name);
    else if (c->protocol == NETLINK_GENERIC)
        trace_put(c->l, "%#x /* GENERIC_FAMILY_??? */", type);
    else if (c->protocol == NETLINK_SOCK_DIAG && !trace_name(c->l, s, type))
        trace_put(c->l, "%#x /* SOCK_DIAG_??? */", type);
    else if (c->protocol != NETLINK_SOCK_DIAG)
        nl_put_name(c->l, s, type);
}

static const char *name_of(const struct flag_set *s, uint16_t type)
{
    for (unsigned i = 0; s && i < s->nflags; i++)
        if (s->flags[i].value == type)
            return s->flags[i].name;
    return "";
}

/* What the upper byte of the flags means depends on what is done; types are named after it. NULL: it means nothing. */
static const struct flag_set *flags_by_name(const char *name)
{
    if (!strcmp(name, "XFRM_MSG_GETDEFAULT") || strstr(name, "TIMEOUT_DEFAULT") || strstr(name, "IPSET"))
        return NULL;
    return strstr(name, "_NEW")   ? COMMON_SET(nlm_f_new)
           : strstr(name, "_GET") ? COMMON_SET(nlm_f_get)
           : strstr(name, "_DEL") ? COMMON_SET(nlm_f_delete)
                                  : NULL;
}

static const struct flag_set *modifiers_of(struct nl *c, uint16_t type)
{
    if (type < NLMSG_MIN_TYPE)
        return type == NLMSG_ERROR ? COMMON_SET(nlm_f_ack) : NULL;
    switch (c->protocol) {
    case NETLINK_ROUTE:
        switch (type == RTM_DELACTION ? 2 : type & 3) {
        case 0: return COMMON_SET(nlm_f_new);
        case 1: return COMMON_SET(nlm_f_delete);
        case 2: return COMMON_SET(nlm_f_get);
        }
        return NULL;
    case NETLINK_SOCK_DIAG: return COMMON_SET(nlm_f_get);
    case NETLINK_XFRM:
    case NETLINK_CRYPTO: return flags_by_name(name_of(types_of(c), type));
    case NETLINK_NETFILTER: return flags_by_name(name_of(subsystem_of(type), type & 0xff));
    default: return NULL;
    }
}

static void put_message_flags(struct nl *c, uint16_t type, uint16_t v)
{
    const struct flag_set *more = modifiers_of(c, type), *common = COMMON_SET(nlm_f);
    uint16_t low = v & 0x3f, named = low, high;
    for (unsigned i = 0; more && i < more->nflags; i++)
        named |= v & more->flags[i].value;
    high = named & ~low;
    if (low)
        trace_flags(c->l, common, low);
    if (high) {
        trace_put(c->l, low ? "|" : "");
        trace_flags(c->l, more, high);
    }
    if (v & ~named)
        trace_put(c->l, named ? "|%#x" : "%#x /* NLM_F_??? */", v & ~named);
    else if (!v)
        trace_put(c->l, "0");
}

/* --- bodies --- */

static const struct nl_message_desc *description(const struct nl *c, uint16_t type)
{
    bool named = *name_of(types_of(c), type);
    for (unsigned i = 0; named && i < syscall_nnl_messages; i++) {
        const struct nl_message_desc *d = &syscall_nl_messages[i];
        if (d->protocol == c->protocol && d->first <= type && type <= d->last)
            return d;
    }
    return NULL;
}

void nl_put_family(struct nl *c, const char *field, uint8_t family)
{
    trace_put(c->l, "{%s=", field);
    nl_put_name(c->l, COMMON_SET(af), family);
}

void nl_put_unknown_family(struct nl *c, uint8_t family, uint64_t at, uint64_t n)
{
    nl_put_family(c, "family", family);
    if (n > 1) {
        trace_put(c->l, ", data=");
        trace_hex(c->t, c->l, at + 1, n - 1);
    }
    trace_put(c->l, "}");
}

bool nl_put_head(struct nl *c, enum struct_id id, uint64_t at, uint64_t n)
{
    const struct struct_desc *d = &syscall_structs[id];
    unsigned char bytes[MOST_HEAD] = {0};
    CHECK(d->size <= sizeof bytes);
    bool alone = true; /* nothing but the family is printed */
    for (unsigned i = 1; i < d->nfields; i++)
        alone = alone && d->fields[i].kind == KIND_hidden;
    if (alone || (n >= d->size && !copy_from_guest(c->t, bytes, at, d->size))) {
        bytes[0] = alone ? c->family : bytes[0];
        trace_struct(c->t, c->l, id, bytes);
        return true;
    }
    nl_put_family(c, d->fields[0].name, c->family);
    trace_put(c->l, ", ");
    if (n < d->size)
        trace_put(c->l, "...");
    else
        trace_address(c->l, at);
    trace_put(c->l, "}");
    return n >= d->size;
}

/* A struct that begins with a family, and attributes. */
static void put_route(struct nl *c, uint16_t type, uint64_t at, uint64_t n)
{
    const struct nl_message_desc *d = description(c, type);
    if (!nl_fetch(c, &c->family, at, 1))
        return;
    if (!d) {
        nl_put_unknown_family(c, c->family, at, n);
        return;
    }
    unsigned size = (syscall_structs[d->head].size + 3u) & ~3u;
    nl_put_head(c, d->head, at, n);
    if (n <= size)
        return;
    trace_put(c->l, ", ");
    if (d->attrs == NLA_SET_COUNT)
        trace_hex(c->t, c->l, at + size, n - size);
    else
        nl_put_attrs(c, &syscall_nla_sets[d->attrs], at + size, n - size);
}

/* A struct, and nothing else. */
static void put_plain(struct nl *c, uint16_t type, uint64_t at, uint64_t n)
{
    const struct nl_message_desc *d = description(c, type);
    unsigned char bytes[MOST_HEAD];
    size_t size = d ? syscall_structs[d->head].size : 0;
    CHECK(size <= sizeof bytes);
    if (!d || n < size)
        trace_hex(c->t, c->l, at, n);
    else if (nl_fetch(c, bytes, at, size))
        trace_struct(c->t, c->l, d->head, bytes);
}

static void put_netfilter(struct nl *c, uint16_t type, uint64_t at, uint64_t n)
{
    unsigned char bytes[4];
    if (n < sizeof bytes) {
        trace_hex(c->t, c->l, at, n);
        return;
    }
    if (!nl_fetch(c, bytes, at, sizeof bytes))
        return;
    trace_struct(c->t, c->l, STRUCT_nfgenmsg, bytes);
    if (n == sizeof bytes)
        return;
    trace_put(c->l, ", ");
    if (is_batch(type))
        trace_hex(c->t, c->l, at + sizeof bytes, n - sizeof bytes);
    else
        nl_put_attrs(c, NULL, at + sizeof bytes, n - sizeof bytes);
}

static void put_message(struct nl *c, const struct nlmsghdr *h, uint64_t at, uint64_t n, bool body);

static void put_error_number(struct nl *c, int32_t error)
{
    const struct errno_desc *e = error < 0 && error > -4096 ? errno_by_number((unsigned)-error) : NULL;
    if (e)
        trace_put(c->l, "-%s", e->name);
    else
        trace_put(c->l, "%" PRId32, error);
}

/* An error's number, the request that met it, or its head, and attributes that say more. */
static void put_error(struct nl *c, uint16_t flags, uint64_t at, uint64_t n)
{
    struct nlmsgerr e;
    if (n < sizeof e || c->depth > MOST_DEPTH) {
        trace_hex(c->t, c->l, at, n);
        return;
    }
    if (!nl_fetch(c, &e, at, sizeof e))
        return;
    bool capped = flags & NLM_F_CAPPED;
    uint64_t asked = n - sizeof e.error, used = (e.msg.nlmsg_len + UINT64_C(3)) & ~UINT64_C(3);
    if (capped || used < sizeof e.msg)
        used = sizeof e.msg;
    bool more = used < asked;
    trace_put(c->l, more ? "[{error=" : "{error=");
    put_error_number(c, e.error);
    trace_put(c->l, ", msg=");
    c->depth++;
    put_message(c, &e.msg, at + sizeof e.error, asked < e.msg.nlmsg_len ? asked : e.msg.nlmsg_len, !capped);
    c->depth--;
    trace_put(c->l, "}");
    if (more) {
        trace_put(c->l, ", ");
        nl_put_attrs(c, &syscall_nla_sets[NLA_SET_nlmsgerr], at + sizeof e.error + used, asked - used);
        trace_put(c->l, "]");
    }
}

static void put_body(struct nl *c, const struct nlmsghdr *h, uint64_t at, uint64_t n)
{
    int32_t v;
    if (h->nlmsg_type == NLMSG_ERROR) {
        put_error(c, h->nlmsg_flags, at, n);
    } else if (h->nlmsg_type == NLMSG_DONE && n == sizeof v) {
        if (nl_fetch(c, &v, at, sizeof v))
            trace_put(c->l, "%" PRId32, v);
    } else if (h->nlmsg_type < NLMSG_MIN_TYPE) {
        trace_hex(c->t, c->l, at, n);
    } else {
        switch (c->protocol) {
        case NETLINK_ROUTE: put_route(c, h->nlmsg_type, at, n); break;
        case NETLINK_SOCK_DIAG: nl_put_diag(c, h, at, n); break;
        case NETLINK_NETFILTER: put_netfilter(c, h->nlmsg_type, at, n); break;
        default: put_plain(c, h->nlmsg_type, at, n);
        }
    }
}

/* `n`: its bytes that there are. */
static void put_message(struct nl *c, const struct nlmsghdr *h, uint64_t at, uint64_t n, bool body)
{
    body = body && n > sizeof *h;
    trace_put(c->l,
              body ? "[{nlmsg_len=%" PRIu32 ", nlmsg_type=" : "{nlmsg_len=%" PRIu32 ", nlmsg_type=", h->nlmsg_len);
    put_type(c, h->nlmsg_type);
    trace_put(c->l, ", nlmsg_flags=");
    put_message_flags(c, h->nlmsg_type, h->nlmsg_flags);
    trace_put(c->l, ", nlmsg_seq=%" PRIu32 ", nlmsg_pid=%" PRId32 "}", h->nlmsg_seq, (int32_t)h->nlmsg_pid);
    if (body) {
        trace_put(c->l, ", ");
        put_body(c, h, at + sizeof *h, n - sizeof *h);
        trace_put(c->l, "]");
    }
}

static void put_messages(struct nl *c, uint64_t at, uint64_t n)
{
    bool list = false, more = true;
    for (unsigned i = 0; more && nl_list_next(c, i); i++) {
        struct nlmsghdr h;
        if (n < sizeof h) {
            trace_hex(c->t, c->l, at, n);
            break;
        }
        if (!nl_fetch_element(c, i, &h, at, sizeof h))
            break;
        /* a length near the end of its 32 bits has nothing behind it */
        uint32_t next = h.nlmsg_len < sizeof h ? 0 : (h.nlmsg_len + 3) & ~3u;
        more = next && next < n;
        if (!i && more) {
            trace_put(c->l, "[");
            list = true;
        }
        put_message(c, &h, at, n < h.nlmsg_len ? n : h.nlmsg_len, true);
        at += next;
        n -= more ? next : 0;
    }
    trace_put(c->l, list ? "]" : "");
}

/* The protocol of a socket of netlink; -1: it is none. */
static int protocol_of(int fd)
{
    int domain = 0, protocol = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_NETLINK)
        return -1;
    size = sizeof protocol;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) ? -1 : protocol;
}

void trace_netlink(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n)
{
    struct nl c = {.t = t, .l = l, .protocol = addr ? protocol_of((int)l->a[0]) : -1};
    if (c.protocol < 0 || c.protocol == NETLINK_KOBJECT_UEVENT)
        trace_buffer(t, l, addr, n);
    else if (n < sizeof(struct nlmsghdr))
        trace_hex(t, l, addr, n);
    else
        put_messages(&c, addr, n);
}

void trace_payload(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n)
{
    if (l->call == CALL_sendto || l->call == CALL_recvfrom)
        trace_netlink(t, l, addr, n);
    else
        trace_buffer(t, l, addr, n);
}
