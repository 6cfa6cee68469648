/*
 * The C shape of syscall-tables/: what tools/gensyscalls.py makes of the .tbl files. Constant data only.
 * The ids (enum syscall_call, flag_set_id, struct_id) are in the generated calls.h.
 */
#ifndef SYSCALL_TABLES_TABLES_H
#define SYSCALL_TABLES_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "syscall-tables/calls.h"

/* X(NAME): how an argument, a result or a struct's field is passed and printed; calls.tbl explains them. */
#define VALUE_KINDS(X) \
    X(none) \
    X(fd) \
    X(dirfd) \
    X(path) \
    X(lpath) X(rawpath) X(str) X(strout) X(int) X(uint) X(long) X(ulong) X(hex) X(ptr) X(off) X(size) X(mode) X(perms) \
        X(dev) X(pid) X(uid) X(gid) X(sig) X(flags) X(enum) X(perm) X(named) X(hexed) X(ioprio) X(quota) X(bufin) \
            X(bufout) X(randout) X(xattrin) X(xattrout) X(in) X(out) X(io) X(len) X(pos) X(iovin) X(iovout) X(sain) \
                X(saout) X(msgin) X(msgout) X(mmsgin) X(mmsgout) X(sockoptname) X(sockoptin) X(sockoptout) X(ioctl) \
                    X(ioarg) X(strv) X(envp) X(fdset) X(sigsetin) X(sigsetout) X(sigmask) X(sigactin) X(sigactout) \
                        X(cpusetin) X(cpusetout) X(capsin) X(capsout) X(msgbufin) X(msgbufout) X(dirents) X(nodesin) \
                            X(nodesout) X(iocbsin) X(word) X(futexop) X(chars) X(bytes) X(struct) X(address) \
                                X(ifindex) X(be16) X(ethertype) X(mac) X(x08) X(wstatus) X(rlim) X(date) X(epolldata) \
                                    X(sigval) X(hidden)

enum value_kind {
#define X(name) KIND_##name,
    VALUE_KINDS(X)
#undef X
};

enum { NO_COUNT = 0xff, FIXED_COUNT = 0x80 };

struct arg_desc {
    uint8_t kind;  /* enum value_kind */
    uint8_t count; /* argument that holds the length or the number of elements; NO_COUNT; FIXED_COUNT | n: n of them */
    uint16_t ref;  /* flag_set_id or struct_id, by kind */
};

enum syscall_support { SUPPORT_PASS, SUPPORT_HAND, SUPPORT_REFUSED };

struct call_desc {
    const char *name;
    uint8_t support;  /* enum syscall_support */
    uint8_t nargs;
    uint16_t restart; /* 0: does not block; else the restart code an interruption means (512, 514, 516) */
    int16_t host;     /* number on the host */
    uint16_t error;   /* SUPPORT_REFUSED: with this */
    uint8_t ret;      /* enum value_kind */
    bool convert;     /* SUPPORT_PASS: some argument needs more than handing it on */
    uint16_t classes; /* a bit for each family, in the order of SYSCALL_CLASSES */
    uint16_t ret_ref; /* flag_set_id of a result that is flags or an enumeration */
    struct arg_desc arg[6];
};

struct flag_desc {
    const char *name;
    uint64_t value, mask; /* set when (word & mask) == value */
};

/* The same flag's bits on both sides, where they differ. */
struct flag_pair {
    uint32_t guest, host;
};

struct flag_set {
    const struct flag_desc *flags;
    const struct flag_pair *pairs;
    uint16_t nflags, npairs;
};

/* In which lines of the trace a field is. */
enum field_when { ALWAYS, VERBOSE, NONZERO, VERBOSE_NONZERO };

struct field_desc {
    const char *name;
    uint16_t offset, host_offset;
    uint16_t size, host_size; /* of one element; 0 as host_size: the host's struct has no such field */
    uint8_t kind;            /* enum value_kind */
    bool is_signed;
    uint8_t when;            /* enum field_when */
    uint16_t count;          /* elements; 1: no array */
    uint16_t ref;            /* flag_set_id or struct_id, by kind */
};

struct struct_desc {
    const char *name;
    const struct field_desc *fields;
    uint16_t nfields, size, host_size;
    bool differs; /* the host lays it out otherwise */
    const uint8_t *order; /* indices of the fields that are printed; NULL: as they are laid out */
    uint16_t nprinted;
};

struct errno_desc {
    uint16_t number;
    const char *name, *text;
};

/* A command, or a family of them: any_size leaves out the size in the number (_IOC_SIZE). */
struct ioctl_desc {
    const char *name;
    uint32_t first, last;
    bool any_size;
    struct arg_desc arg;
};

/* All commands of a type (_IOC_TYPE) that answer this error. */
struct ioctl_refusal {
    uint8_t type;
    uint16_t error;
    const char *why;
};

/* What the arguments behind a command are: argument `at` of the call is the command, nargs follow it. */
struct variant_desc {
    uint16_t call;
    uint8_t at, nargs;
    uint8_t ret; /* enum value_kind */
    uint16_t ret_ref;
    uint64_t command;
    struct arg_desc arg[5];
};

struct sockopt_level_desc {
    uint32_t level;
    uint16_t set; /* flag_set_id of its options' names */
};

/* An option whose value is no int. */
struct sockopt_desc {
    uint32_t level, option;
    uint8_t kind;
    uint16_t ref; /* struct_id of KIND_struct */
};

/* How an attribute's value looks; netlink.tbl explains them. */
enum nla_kind {
    NLA_bytes,
    NLA_str,
    NLA_word, /* a string that ends at its first zero */
    NLA_mac,
    NLA_addr,
    NLA_addr4,
    NLA_addr6,
    NLA_ifindex,
    NLA_clock,
    NLA_ethertype,
    NLA_table,
    NLA_uint,
    NLA_sint,
    NLA_hex,
    NLA_be,
    NLA_enum,
    NLA_flags,
    NLA_struct,
    NLA_structs,
    NLA_nested,
    NLA_names,
    NLA_array,
    NLA_index,
    NLA_multipath,
    NLA_via,
    NLA_linkdata,
    NLA_slavedata,
    NLA_afspec,
    NLA_protinfo,
    NLA_shutdown,
    NLA_sockopt,
    NLA_bytecode,
};

struct nla_desc {
    const char *name;
    uint16_t type;
    uint8_t kind; /* enum nla_kind */
    uint8_t size; /* of a number, or an element */
    bool more;    /* a number: all of up to eight bytes count; NLA_index: it is signed; NLA_array: hexadecimal */
    uint16_t ref; /* flag_set_id, struct_id or nla_set_id, by kind */
};

struct nla_set_desc {
    const char *prefix;           /* of the names of unknown ones */
    const struct nla_desc *attrs; /* by type, ascending */
    uint16_t n;
};

struct nl_protocol_desc {
    uint16_t protocol, types; /* flag_set_id of the types' names */
};

/* What messages of these types consist of. */
struct nl_message_desc {
    uint16_t protocol, first, last;
    uint16_t head;  /* struct_id */
    uint16_t attrs; /* nla_set_id; NLA_SET_COUNT: bytes */
};

/* One guest's numbers and flag values. */
struct syscall_abi {
    const char *name;
    const uint16_t *calls; /* by number: enum syscall_call, CALL_unknown where there is none */
    unsigned ncalls;
    const struct flag_set *sets; /* by flag_set_id */
};

extern const struct call_desc syscall_calls[CALL_COUNT];
/*
 * Names of flags, fields and ioctl commands are there after late_relocate() (base/late.h).
 */
extern const struct struct_desc syscall_structs[STRUCT_COUNT];
extern const struct errno_desc syscall_errnos[];
extern const unsigned syscall_nerrnos;
extern const struct ioctl_desc syscall_ioctls[]; /* the first syscall_nioctls_exact are one command each, ascending */
extern const unsigned syscall_nioctls, syscall_nioctls_exact;
extern const struct ioctl_refusal syscall_ioctl_refusals[];
extern const unsigned syscall_nioctl_refusals;
extern const struct variant_desc syscall_variants[];
extern const unsigned syscall_nvariants;
extern const struct sockopt_level_desc syscall_sockopt_levels[];
extern const unsigned syscall_nsockopt_levels;
extern const struct sockopt_desc syscall_sockopts[];
extern const unsigned syscall_nsockopts;

extern const struct nl_protocol_desc syscall_nl_protocols[];
extern const unsigned syscall_nnl_protocols;
extern const struct nl_message_desc syscall_nl_messages[];
extern const unsigned syscall_nnl_messages;
extern const struct nla_set_desc syscall_nla_sets[NLA_SET_COUNT]; /* names of attributes are there as those of flags */

extern const struct syscall_abi syscall_abi_aarch64, syscall_abi_riscv64;

#endif
