/* Attributes of netlink's messages in a -strace line: syscall-tables/netlink.tbl says what their values are. */
#include <arpa/inet.h>
#include <endian.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "linux-user/abi.h"
#include "linux-user/task.h"
#include "linux-user/trace-netlink.h"
#include "linux-user/uaccess.h"

enum { MOST_MAC = 32, MOST_STRUCT = 512, MOST_DEPTH = 16 };

static const struct flag_set *set_of(const struct nla_desc *d) { return common_set(d->ref); }

static void put_hex(struct nl *c, uint64_t at, uint64_t n) { trace_hex(c->t, c->l, at, n); }

/* --- values --- */

/* Without the zero at its end; "..." where there is none. */
static void put_string(struct nl *c, uint64_t at, uint64_t n, bool word)
{
    size_t limit = c->l->options->string_limit, shown = n < limit ? n : limit;
    char *bytes = malloc(shown + 1);
    if (!bytes || copy_from_guest(c->t, bytes, at, shown)) {
        trace_address(c->l, at);
    } else {
        bool ends = shown && !bytes[shown - 1];
        bool cut = word && memchr(bytes, 0, shown);
        trace_quoted(c->l, bytes, cut ? strlen(bytes) : ends ? shown - 1 : shown, !cut && !ends);
    }
    free(bytes);
}

/* What a later attribute is decided by. */
static void keep_string(struct nl *c, char *to, uint64_t at, uint64_t n)
{
    size_t size = n < NL_LINK_KIND - 1 ? n : NL_LINK_KIND - 1;
    if (copy_from_guest(c->t, to, at, size))
        size = 0;
    to[size] = 0;
}

static void put_mac(struct nl *c, uint64_t at, uint64_t n)
{
    unsigned char bytes[MOST_MAC];
    if (n > sizeof bytes)
        put_hex(c, at, n);
    else if (nl_fetch(c, bytes, at, n))
        trace_mac(c->l, bytes, n);
}

static void put_address(struct nl *c, int family, uint64_t at, uint64_t n)
{
    char bytes[16], text[INET6_ADDRSTRLEN];
    size_t size = family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
    if (!size || n < size)
        put_hex(c, at, n);
    else if (nl_fetch(c, bytes, at, size) && inet_ntop(family, bytes, text, sizeof text))
        trace_put(c->l, family == AF_INET ? "inet_addr(\"%s\")" : "inet_pton(AF_INET6, \"%s\")", text);
}

static void put_swapped(struct trace_line *l, unsigned size, uint64_t v)
{
    if (size == 2)
        trace_put(l, "htons(%u)", be16toh((uint16_t)v));
    else if (size == 4)
        trace_put(l, "htonl(%" PRIu32 ")", be32toh((uint32_t)v));
    else
        trace_put(l, "htobe64(%" PRIu64 ")", be64toh(v));
}

/* Hundredths of a second. */
static void put_clock(struct trace_line *l, uint64_t v)
{
    trace_put(l, "%" PRIu64, v);
    if (v)
        trace_put(l, " /* %" PRIu64 ".%02" PRIu64 " s */", v / 100, v % 100);
}

static void put_table(struct trace_line *l, uint32_t v)
{
    if (!trace_name(l, COMMON_SET(rt_table), v))
        trace_put(l, "%#" PRIx32, v);
}

static void put_shutdown(struct trace_line *l, uint8_t v)
{
    trace_put(l, v ? "%#x /* " : "%#x", v);
    if (v & 3)
        trace_flags(l, COMMON_SET(shutdown_bits), v);
    else if (v)
        trace_put(l, "???_SHUTDOWN");
    trace_put(l, v ? " */" : "");
}

/* Sizes of numbers that have none in the table. */
static unsigned size_of(const struct nla_desc *d)
{
    switch (d->kind) {
    case NLA_ifindex:
    case NLA_table: return 4;
    case NLA_ethertype: return 2;
    case NLA_clock:
    case NLA_shutdown: return 1;
    default: return d->size;
    }
}

static void put_number(struct nl *c, const struct nla_desc *d, uint64_t at, uint64_t n)
{
    unsigned size = size_of(d);
    bool all = d->more || d->kind == NLA_clock || d->kind == NLA_ethertype;
    uint64_t v = 0;
    if (n < size || (all && n > sizeof v)) {
        put_hex(c, at, n);
        return;
    }
    if (!nl_fetch(c, &v, at, all ? n : size))
        return;
    switch (d->kind) {
    case NLA_uint: trace_put(c->l, "%" PRIu64, v); break;
    case NLA_sint: trace_put(c->l, "%" PRId32, (int32_t)v); break;
    case NLA_hex: trace_put(c->l, "%#" PRIx64, v); break;
    case NLA_be: put_swapped(c->l, size, v); break;
    case NLA_enum: nl_put_name(c->l, set_of(d), v); break;
    case NLA_flags: trace_flags(c->l, set_of(d), (uint32_t)v); break;
    case NLA_ifindex: trace_ifindex(c->l, (uint32_t)v); break;
    case NLA_clock: put_clock(c->l, v); break;
    case NLA_ethertype: trace_ethertype(c->l, "ETHER_P", (uint16_t)v); break;
    case NLA_table: put_table(c->l, (uint32_t)v); break;
    case NLA_shutdown: put_shutdown(c->l, (uint8_t)v); break;
    }
}

/* --- several values --- */

static void put_index(struct nl *c, const struct flag_set *s, uint64_t i)
{
    for (unsigned k = 0; k < s->nflags; k++)
        if (s->flags[k].value == i) {
            trace_put(c->l, "[%s]=", s->flags[k].name);
            return;
        }
    trace_put(c->l, "[%" PRIu64 " /* ", i);
    trace_unknown_name(c->l, s);
    trace_put(c->l, " */]=");
}

static void put_array(struct nl *c, const struct nla_desc *d, uint64_t at, uint64_t n)
{
    if (n < d->size) {
        put_hex(c, at, n);
        return;
    }
    uint64_t v = 0;
    if (!nl_fetch(c, &v, at, d->size))
        return;
    trace_put(c->l, "[");
    for (unsigned i = 0; i < n / d->size && nl_list_next(c, i); i++) {
        v = 0;
        if (!nl_fetch_element(c, i, &v, at + (uint64_t)i * d->size, d->size))
            break;
        if (d->kind == NLA_index)
            put_index(c, set_of(d), i);
        if (d->kind == NLA_index && d->more)
            trace_put(c->l, "%" PRId32, (int32_t)v);
        else if (d->kind == NLA_array && d->more)
            trace_put(c->l, "%#016" PRIx64, v);
        else
            trace_put(c->l, "%" PRIu64, v);
    }
    trace_put(c->l, "]");
}

static void put_structs(struct nl *c, const struct nla_desc *d, uint64_t at, uint64_t n)
{
    char bytes[MOST_STRUCT];
    size_t size = syscall_structs[d->ref].size;
    bool array = d->kind == NLA_structs;
    if (n < size || size > sizeof bytes) {
        put_hex(c, at, n);
        return;
    }
    if (!nl_fetch(c, bytes, at, size))
        return;
    trace_put(c->l, array ? "[" : "");
    for (unsigned i = 0; i < (array ? n / size : 1) && nl_list_next(c, i); i++) {
        if (!nl_fetch_element(c, i, bytes, at + i * size, size))
            break;
        trace_struct(c->t, c->l, d->ref, bytes);
    }
    trace_put(c->l, array ? "]" : "");
}

/* The kernel has made these longer: what is not there is left out. */
static bool put_shorter(struct nl *c, const struct nla_desc *d, uint64_t at, uint64_t n)
{
    const struct struct_desc *s = &syscall_structs[d->ref];
    char bytes[MOST_STRUCT];
    size_t least = d->ref == STRUCT_rtnl_link_stats     ? offsetof(struct rtnl_link_stats, rx_nohandler)
                   : d->ref == STRUCT_rtnl_link_stats64 ? offsetof(struct rtnl_link_stats64, rx_nohandler)
                                                        : s->size;
    if (n < least || n >= s->size)
        return false;
    if (!nl_fetch(c, bytes, at, least + (n - least) / s->fields[0].size * s->fields[0].size))
        return true;
    trace_put(c->l, "{");
    for (unsigned i = 0; i < s->nfields && s->fields[i].offset + s->fields[i].size <= n; i++) {
        uint64_t v = 0;
        memcpy(&v, bytes + s->fields[i].offset, s->fields[i].size);
        trace_put(c->l, "%s%s=%" PRIu64, i ? ", " : "", s->fields[i].name, v);
    }
    trace_put(c->l, "}");
    return true;
}

/* Hops, each with attributes of its own. */
static void put_multipath(struct nl *c, uint64_t at, uint64_t n)
{
    struct rtnexthop hop;
    bool list = false, more = true;
    if (n < sizeof hop) {
        put_hex(c, at, n);
        return;
    }
    for (unsigned i = 0; more && nl_list_next(c, i); i++) {
        if (n < sizeof hop) {
            put_hex(c, at, n);
            break;
        }
        if (!nl_fetch_element(c, i, &hop, at, sizeof hop))
            break;
        uint64_t next = (hop.rtnh_len + UINT64_C(3)) & ~UINT64_C(3), size = hop.rtnh_len < n ? hop.rtnh_len : n;
        more = hop.rtnh_len >= sizeof hop && next < n;
        bool attrs = size > sizeof hop;
        if (!i && more) {
            trace_put(c->l, "[");
            list = true;
        }
        trace_put(c->l, attrs ? "[" : "");
        trace_struct(c->t, c->l, STRUCT_rtnexthop, &hop);
        if (attrs) {
            trace_put(c->l, ", ");
            nl_put_attrs(c, &syscall_nla_sets[NLA_SET_rta], at + sizeof hop, size - sizeof hop);
            trace_put(c->l, "]");
        }
        at += next;
        n -= more ? next : 0;
    }
    trace_put(c->l, list ? "]" : "");
}

static void put_via(struct nl *c, uint64_t at, uint64_t n)
{
    uint16_t family;
    if (n < sizeof family) {
        put_hex(c, at, n);
        return;
    }
    if (!nl_fetch(c, &family, at, sizeof family))
        return;
    trace_put(c->l, "{rtvia_family=");
    nl_put_name(c->l, COMMON_SET(af), family);
    if (n > sizeof family) {
        bool known = (family == AF_INET && n >= 6) || (family == AF_INET6 && n >= 18);
        trace_put(c->l, known && family == AF_INET6 ? ", " : ", rtvia_addr=");
        put_address(c, family, at + sizeof family, n - sizeof family);
    }
    trace_put(c->l, "}");
}

static void put_bytecode(struct nl *c, uint64_t at, uint64_t n)
{
    char op[4];
    if (n < sizeof op) {
        put_hex(c, at, n);
        return;
    }
    if (!nl_fetch(c, op, at, sizeof op))
        return;
    trace_struct(c->t, c->l, STRUCT_inet_diag_bc_op, op);
    if (n > sizeof op) {
        trace_put(c->l, ", ");
        put_hex(c, at + sizeof op, n - sizeof op);
    }
}

/* --- attributes in others --- */

static void put_nested(struct nl *c, enum nla_set_id id, uint64_t at, uint64_t n)
{
    nl_put_attrs(c, &syscall_nla_sets[id], at, n);
}

static void put_link_data(struct nl *c, const char *kind, bool slave, uint64_t at, uint64_t n)
{
    if (!strcmp(kind, "bridge"))
        put_nested(c, slave ? NLA_SET_ifla_brport : NLA_SET_ifla_br, at, n);
    else if (!slave && !strcmp(kind, "tun"))
        put_nested(c, NLA_SET_ifla_tun, at, n);
    else
        put_hex(c, at, n);
}

static void put_by_family(struct nl *c, const struct nla_desc *d, uint64_t at, uint64_t n)
{
    if (d->kind == NLA_afspec)
        put_nested(c, c->family == AF_BRIDGE ? NLA_SET_ifla_bridge : NLA_SET_af_spec, at, n);
    else if (c->family == AF_BRIDGE || c->family == AF_INET6)
        put_nested(c, c->family == AF_BRIDGE ? NLA_SET_ifla_brport : NLA_SET_ifla_inet6, at, n);
    else
        put_hex(c, at, n);
}

static void put_value(struct nl *c, const struct nla_desc *d, uint64_t at, uint64_t n)
{
    switch (d->kind) {
    case NLA_str:
    case NLA_word: put_string(c, at, n, d->kind == NLA_word); break;
    case NLA_mac: put_mac(c, at, n); break;
    case NLA_addr: put_address(c, c->family, at, n); break;
    case NLA_addr4: put_address(c, AF_INET, at, n); break;
    case NLA_addr6: put_address(c, AF_INET6, at, n); break;
    case NLA_ifindex:
    case NLA_clock:
    case NLA_ethertype:
    case NLA_table:
    case NLA_shutdown:
    case NLA_uint:
    case NLA_sint:
    case NLA_hex:
    case NLA_be:
    case NLA_enum:
    case NLA_flags: put_number(c, d, at, n); break;
    case NLA_struct:
        if (!put_shorter(c, d, at, n))
            put_structs(c, d, at, n);
        break;
    case NLA_structs: put_structs(c, d, at, n); break;
    case NLA_array:
    case NLA_index: put_array(c, d, at, n); break;
    case NLA_nested:
        if (d->ref == NLA_SET_ifla_info)
            c->kind[0] = c->slave_kind[0] = 0;
        put_nested(c, d->ref, at, n);
        break;
    case NLA_names: put_nested(c, d->ref, at, n); break;
    case NLA_multipath: put_multipath(c, at, n); break;
    case NLA_via: put_via(c, at, n); break;
    case NLA_linkdata: put_link_data(c, c->kind, false, at, n); break;
    case NLA_slavedata: put_link_data(c, c->slave_kind, true, at, n); break;
    case NLA_afspec:
    case NLA_protinfo: put_by_family(c, d, at, n); break;
    case NLA_bytecode: put_bytecode(c, at, n); break;
    default: put_hex(c, at, n);
    }
}

static const struct nla_desc *attribute(const struct nla_set_desc *s, unsigned type)
{
    for (unsigned i = 0; s && i < s->n; i++)
        if (s->attrs[i].type == type)
            return &s->attrs[i];
    return NULL;
}

static void put_type(struct nl *c, const struct nla_set_desc *s, const struct nla_desc *d, uint16_t type)
{
    if (type & ~NLA_TYPE_MASK) {
        trace_flags(c->l, COMMON_SET(nla_f), type & ~NLA_TYPE_MASK);
        trace_put(c->l, "|");
    }
    if (d)
        trace_put(c->l, "%s", d->name);
    else
        trace_put(c->l, s ? "%#x /* %s_??? */" : "%#x", type & NLA_TYPE_MASK, s ? s->prefix : "");
}

void nl_put_attrs(struct nl *c, const struct nla_set_desc *s, uint64_t at, uint64_t n)
{
    bool list = false, more = true;
    if (c->depth > MOST_DEPTH) {
        put_hex(c, at, n);
        return;
    }
    c->depth++;
    for (unsigned i = 0; more && nl_list_next(c, i); i++) {
        struct nlattr a;
        if (n < sizeof a) {
            put_hex(c, at, n);
            break;
        }
        if (!nl_fetch_element(c, i, &a, at, sizeof a))
            break;
        const struct nla_desc *d = attribute(s, a.nla_type & NLA_TYPE_MASK);
        uint64_t next = (a.nla_len + UINT64_C(3)) & ~UINT64_C(3), size = a.nla_len < n ? a.nla_len : n;
        more = a.nla_len >= sizeof a && next < n;
        if (!i && more) {
            trace_put(c->l, "[");
            list = true;
        }
        bool value = size > sizeof a;
        trace_put(c->l, value ? "[{nla_len=%u, nla_type=" : "{nla_len=%u, nla_type=", a.nla_len);
        put_type(c, s, d, a.nla_type);
        trace_put(c->l, value ? "}, " : "}");
        if (value && d)
            put_value(c, d, at + sizeof a, size - sizeof a);
        else if (value)
            put_hex(c, at + sizeof a, size - sizeof a);
        trace_put(c->l, value ? "]" : "");
        if (value && d && d->kind == NLA_word)
            keep_string(c, d->type == IFLA_INFO_KIND ? c->kind : c->slave_kind, at + sizeof a, size - sizeof a);
        at += next;
        n -= more ? next : 0;
    }
    trace_put(c->l, list ? "]" : "");
    c->depth--;
}
