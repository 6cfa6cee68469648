/* The parts of trace-netlink*.c to each other. What can't be read from the guest's memory prints as its address. */
#ifndef LINUX_USER_TRACE_NETLINK_H
#define LINUX_USER_TRACE_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux-user/trace.h"

struct nlmsghdr;

enum { NL_LINK_KIND = 16 };

/* A buffer of messages that is being printed. */
struct nl {
    struct task *t;
    struct trace_line *l;
    int protocol;
    unsigned depth;          /* of messages and attributes in others */
    uint8_t family;          /* of the message, where it has one */
    char kind[NL_LINK_KIND]; /* of the link whose attributes are printed, and of what it is a part of */
    char slave_kind[NL_LINK_KIND];
};

/* False: printed as an address. */
bool nl_fetch(struct nl *c, void *to, uint64_t at, size_t n);
bool nl_fetch_element(struct nl *c, unsigned i, void *to, uint64_t at, size_t n);
/* What stands in front of element i of a list; false: the list ends here. */
bool nl_list_next(struct nl *c, unsigned i);
void nl_put_name(struct trace_line *l, const struct flag_set *s, uint64_t v);
/* "{FIELD=AF_…", to go on. */
void nl_put_family(struct nl *c, const char *field, uint8_t family);
/* A message of a family whose layout is not known. */
void nl_put_unknown_family(struct nl *c, uint8_t family, uint64_t at, uint64_t n);
/* The struct in front, of which n bytes are there; whether it is complete. The family is c's. */
bool nl_put_head(struct nl *c, enum struct_id id, uint64_t at, uint64_t n);
/* Attributes: trace-netlink-attrs.c. Without a set they have no names. */
void nl_put_attrs(struct nl *c, const struct nla_set_desc *s, uint64_t at, uint64_t n);
/* NETLINK_SOCK_DIAG and the names of NETLINK_GENERIC: trace-netlink-families.c. */
void nl_put_diag(struct nl *c, const struct nlmsghdr *h, uint64_t at, uint64_t n);
/* name: GENL_NAMSIZ bytes. */
bool nl_generic_family(uint16_t id, char *name);

#endif
