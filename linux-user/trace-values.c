/*
 * How values look in a --strace line: numbers, flags, strings, structs and the other kinds of syscall-tables/calls.tbl.
 * Guest memory is read through copy_from_guest, so a bad pointer prints as an address, as strace does.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <linux/netlink.h>

#include "base/bits.h"
#include "linux-user/task.h"
#include "linux-user/trace.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

static void put_address(struct trace_line *l, uint64_t v)
{
    if (v)
        trace_put(l, "%#" PRIx64, v);
    else
        trace_put(l, "NULL");
}

void trace_flags(struct trace_line *l, const struct flag_set *s, uint64_t v)
{
    const char *sep = "";
    uint64_t rest = v;
    for (unsigned i = 0; i < s->nflags; i++) {
        const struct flag_desc *f = &s->flags[i];
        if (!f->mask || (v & f->mask) != f->value)
            continue;
        if (f->value && !(rest & f->value))
            continue; /* part of a composite that is printed already */
        trace_put(l, "%s%s", sep, f->name);
        sep = "|";
        rest &= ~f->value;
    }
    if (rest || !*sep)
        trace_put(l, "%s%#" PRIx64, sep, rest);
}

static void put_enum(struct trace_line *l, const struct flag_set *s, uint64_t v)
{
    for (unsigned i = 0; i < s->nflags; i++)
        if (s->flags[i].value == v || s->flags[i].value == (uint64_t)(int32_t)v) {
            trace_put(l, "%s", s->flags[i].name);
            return;
        }
    trace_put(l, "%#" PRIx32, (uint32_t)v);
}

static void put_quoted(struct trace_line *l, const unsigned char *p, size_t n, bool more)
{
    trace_put(l, "\"");
    for (size_t i = 0; i < n; i++) {
        static const char named[] = "\n\t\r\v\f\"\\", letters[] = "ntrvf\"\\";
        const char *at = p[i] ? strchr(named, p[i]) : NULL;
        bool digit_follows = i + 1 < n && p[i + 1] >= '0' && p[i + 1] <= '9';
        if (at)
            trace_put(l, "\\%c", letters[at - named]);
        else if (p[i] >= ' ' && p[i] < 127)
            trace_put(l, "%c", p[i]);
        else
            trace_put(l, digit_follows ? "\\%03o" : "\\%o", p[i]);
    }
    trace_put(l, more ? "\"..." : "\"");
}

static void put_buffer(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n)
{
    unsigned char bytes[TRACE_STRING_LIMIT];
    size_t shown = n < sizeof bytes ? n : sizeof bytes;
    if (!addr || copy_from_guest(t, bytes, addr, shown))
        put_address(l, addr);
    else
        put_quoted(l, bytes, shown, shown < n);
}

static void put_string(struct task *t, struct trace_line *l, uint64_t addr, size_t limit)
{
    unsigned char bytes[512];
    size_t n = 0;
    limit = limit < sizeof bytes ? limit : sizeof bytes;
    while (n < limit && !copy_from_guest(t, bytes + n, addr + n, 1) && bytes[n])
        n++;
    unsigned char end;
    if (!addr || copy_from_guest(t, &end, addr + n, 1))
        put_address(l, addr);
    else
        put_quoted(l, bytes, n, end != 0);
}

static void put_strings(struct task *t, struct trace_line *l, uint64_t addr)
{
    if (!addr) {
        put_address(l, addr);
        return;
    }
    uint64_t p;
    trace_put(l, "[");
    for (unsigned i = 0; !copy_from_guest(t, &p, addr + 8 * i, 8) && p; i++) {
        if (i)
            trace_put(l, ", ");
        if (i == TRACE_ARRAY_LIMIT) {
            trace_put(l, "...");
            break;
        }
        put_string(t, l, p, TRACE_STRING_LIMIT);
    }
    trace_put(l, "]");
}

static void put_environment(struct task *t, struct trace_line *l, uint64_t addr)
{
    uint64_t p, n = 0;
    put_address(l, addr);
    while (addr && n < 100000 && !copy_from_guest(t, &p, addr + 8 * n, 8) && p)
        n++;
    if (addr)
        trace_put(l, " /* %" PRIu64 " var%s */", n, n == 1 ? "" : "s");
}

static void put_mode(struct trace_line *l, const struct flag_set *types, uint64_t v)
{
    for (unsigned i = 0; i < types->nflags && v & S_IFMT; i++)
        if ((v & S_IFMT) == types->flags[i].value)
            trace_put(l, "%s|", types->flags[i].name);
    trace_put(l, "%#03" PRIo64, v & ~(uint64_t)S_IFMT);
}

const char *trace_signal_name(int signo, char buf[16])
{
    const struct flag_set *s = &syscall_abi_riscv64.sets[SET_signal]; /* the same on every generic architecture */
    for (unsigned i = 0; i < s->nflags; i++)
        if ((int)s->flags[i].value == signo)
            return s->flags[i].name;
    snprintf(buf, 16, signo >= 32 && signo <= 64 ? "SIGRT_%d" : "%d", signo >= 32 && signo <= 64 ? signo - 32 : signo);
    return buf;
}

static void put_sigset(struct task *t, struct trace_line *l, uint64_t addr)
{
    uint64_t set;
    char buf[16];
    if (!addr || copy_from_guest(t, &set, addr, 8)) {
        put_address(l, addr);
        return;
    }
    bool inverse = __builtin_popcountll(set) > 32;
    const char *sep = "";
    trace_put(l, inverse ? "~[" : "[");
    for (int s = 1; s <= 64; s++)
        if ((set >> (s - 1) & 1) != inverse) {
            const char *name = trace_signal_name(s, buf);
            trace_put(l, "%s%s", sep, strncmp(name, "SIG", 3) ? name : name + 3);
            sep = " ";
        }
    trace_put(l, "]");
}

static void put_bit_numbers(struct task *t, struct trace_line *l, uint64_t addr, uint64_t nbits)
{
    unsigned char byte = 0;
    const char *sep = "";
    if (!addr || copy_from_guest(t, &byte, addr, 1)) {
        put_address(l, addr);
        return;
    }
    trace_put(l, "[");
    for (uint64_t i = 0; i < nbits && i < 1024; i++) {
        if (i % 8 == 0 && copy_from_guest(t, &byte, addr + i / 8, 1))
            break;
        if (byte >> (i % 8) & 1) {
            trace_put(l, "%s%" PRIu64, sep, i);
            sep = " ";
        }
    }
    trace_put(l, "]");
}

static void put_iov(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n, uint64_t bytes)
{
    if (!addr) {
        put_address(l, addr);
        return;
    }
    trace_put(l, "[");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v[2];
        if (i)
            trace_put(l, ", ");
        if (i == TRACE_ARRAY_LIMIT || copy_from_guest(t, v, addr + 16 * i, 16)) {
            trace_put(l, "...");
            break;
        }
        uint64_t shown = v[1] < bytes ? v[1] : bytes;
        bytes -= shown;
        trace_put(l, "{iov_base=");
        put_buffer(t, l, v[0], shown);
        trace_put(l, ", iov_len=%" PRIu64 "}", v[1]);
    }
    trace_put(l, "]");
}

static void put_sockaddr(struct task *t, struct trace_line *l, uint64_t addr, uint32_t len)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_nl nl;
    } u = {0};
    char text[INET6_ADDRSTRLEN];
    if (len > sizeof u)
        len = sizeof u;
    if (!addr || len < sizeof(sa_family_t) || copy_from_guest(t, &u, addr, len)) {
        put_address(l, addr);
        return;
    }
    trace_put(l, "{sa_family=");
    put_enum(l, &syscall_abi_riscv64.sets[SET_af], u.sa.sa_family);
    size_t path = len - offsetof(struct sockaddr_un, sun_path);
    if (u.sa.sa_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path)) {
        bool abstract = !u.un.sun_path[0];
        trace_put(l, abstract ? ", sun_path=@" : ", sun_path=");
        put_quoted(l, (unsigned char *)u.un.sun_path + abstract,
                   abstract ? path - 1 : strnlen(u.un.sun_path, path), false);
    } else if (u.sa.sa_family == AF_INET && len >= sizeof u.in) {
        trace_put(l, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(u.in.sin_port),
                  inet_ntop(AF_INET, &u.in.sin_addr, text, sizeof text));
    } else if (u.sa.sa_family == AF_INET6 && len >= sizeof u.in6) {
        trace_put(l, ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), inet_pton(AF_INET6, \"%s\", &sin6_addr), "
                     "sin6_scope_id=%u",
                  ntohs(u.in6.sin6_port), ntohl(u.in6.sin6_flowinfo),
                  inet_ntop(AF_INET6, &u.in6.sin6_addr, text, sizeof text), u.in6.sin6_scope_id);
    } else if (u.sa.sa_family == AF_NETLINK && len >= sizeof u.nl) {
        trace_put(l, ", nl_pid=%u, nl_groups=%08x", u.nl.nl_pid, u.nl.nl_groups);
    } else if (len > sizeof(sa_family_t)) {
        trace_put(l, ", sa_data=");
        put_quoted(l, (unsigned char *)u.sa.sa_data, len - sizeof(sa_family_t), false);
    }
    trace_put(l, "}");
}

static void put_msghdr(struct task *t, struct trace_line *l, uint64_t addr, uint64_t bytes)
{
    struct {
        uint64_t name;
        uint32_t namelen, pad;
        uint64_t iov, iovlen, control, controllen;
        uint32_t flags, pad2;
    } m;
    if (!addr || copy_from_guest(t, &m, addr, sizeof m)) {
        put_address(l, addr);
        return;
    }
    trace_put(l, "{msg_name=");
    put_sockaddr(t, l, m.name, m.namelen);
    trace_put(l, ", msg_namelen=%u, msg_iov=", m.namelen);
    put_iov(t, l, m.iov, m.iovlen, bytes);
    trace_put(l, ", msg_iovlen=%" PRIu64, m.iovlen);
    if (m.controllen)
        trace_put(l, ", msg_control=%#" PRIx64, m.control);
    trace_put(l, ", msg_controllen=%" PRIu64 ", msg_flags=", m.controllen);
    trace_flags(l, &syscall_abi_riscv64.sets[SET_msg], m.flags);
    trace_put(l, "}");
}

static void put_wstatus(struct trace_line *l, int v)
{
    char buf[16];
    if (WIFEXITED(v))
        trace_put(l, "{WIFEXITED(s) && WEXITSTATUS(s) == %d}", WEXITSTATUS(v));
    else if (WIFSTOPPED(v))
        trace_put(l, "{WIFSTOPPED(s) && WSTOPSIG(s) == %s}", trace_signal_name(WSTOPSIG(v), buf));
    else if (WIFSIGNALED(v))
        trace_put(l, "{WIFSIGNALED(s) && WTERMSIG(s) == %s%s}", trace_signal_name(WTERMSIG(v), buf),
                  WCOREDUMP(v) ? " && WCOREDUMP(s)" : "");
    else if (WIFCONTINUED(v))
        trace_put(l, "{WIFCONTINUED(s)}");
    else
        trace_put(l, "%#x", v);
}

static uint64_t field_value(const struct field_desc *f, const char *at)
{
    uint64_t v = 0;
    memcpy(&v, at, f->size);
    return f->is_signed ? (uint64_t)sextract64(v, 0, f->size * 8) : v;
}

static const uint64_t no_args[6];

static void put_struct(struct task *t, struct trace_line *l, enum struct_id id, const char *bytes);

static void put_field(struct task *t, struct trace_line *l, const struct field_desc *f, const char *at)
{
    if (f->kind == KIND_chars) {
        put_quoted(l, (const unsigned char *)at, strnlen(at, f->count), false);
        return;
    }
    if (f->count > 1)
        trace_put(l, "[");
    for (unsigned k = 0; k < f->count; k++) {
        if (k)
            trace_put(l, ", ");
        if (f->kind == KIND_struct)
            put_struct(t, l, f->ref, at + k * f->size);
        else
            trace_value(t, l, (struct arg_desc){f->kind, NO_COUNT, f->ref}, no_args,
                        field_value(f, at + k * f->size), 0);
    }
    if (f->count > 1)
        trace_put(l, "]");
}

/* A struct of one field `value` stands for a scalar and prints as one. */
static void put_struct(struct task *t, struct trace_line *l, enum struct_id id, const char *bytes)
{
    const struct struct_desc *d = &syscall_structs[id];
    if (d->nfields == 1) {
        put_field(t, l, &d->fields[0], bytes);
        return;
    }
    const char *sep = "";
    trace_put(l, "{");
    for (unsigned i = 0; i < d->nfields; i++) {
        const struct field_desc *f = &d->fields[i];
        if (f->kind == KIND_hidden)
            continue;
        trace_put(l, "%s%s=", sep, f->name);
        put_field(t, l, f, bytes + f->offset);
        sep = ", ";
    }
    trace_put(l, "}");
}

static void put_structs(struct task *t, struct trace_line *l, enum struct_id id, uint64_t addr, uint64_t n,
                        bool array)
{
    char bytes[512];
    const struct struct_desc *d = &syscall_structs[id];
    array = array || d->nfields == 1;
    if (!addr || d->size > sizeof bytes || copy_from_guest(t, bytes, addr, n ? d->size : 1)) {
        put_address(l, addr);
        return;
    }
    if (array)
        trace_put(l, "[");
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            trace_put(l, ", ");
        if (i == TRACE_ARRAY_LIMIT || copy_from_guest(t, bytes, addr + i * d->size, d->size)) {
            trace_put(l, "...");
            break;
        }
        put_struct(t, l, id, bytes);
    }
    if (array)
        trace_put(l, "]");
}

static uint64_t count_of(struct arg_desc d, const uint64_t a[6])
{
    return d.count == NO_COUNT ? 1 : d.count & FIXED_COUNT ? d.count & ~FIXED_COUNT : a[d.count];
}

void trace_value(struct task *t, struct trace_line *l, struct arg_desc d, const uint64_t a[6], uint64_t v,
                 int64_t ret)
{
    const struct flag_set *sets = t->abi->syscalls->sets;
    char buf[16];
    bool failed = ret < 0;
    switch (d.kind) {
    case KIND_none:
    case KIND_hidden:
        break;
    case KIND_dirfd:
        if ((int32_t)v == -100) {
            trace_put(l, "AT_FDCWD");
            break;
        }
        __attribute__((fallthrough));
    case KIND_fd:
    case KIND_int:
    case KIND_pid:
    case KIND_uid:
    case KIND_gid:
        trace_put(l, "%" PRId32, (int32_t)v);
        break;
    case KIND_uint:
        trace_put(l, "%" PRIu32, (uint32_t)v);
        break;
    case KIND_long:
    case KIND_off:
    case KIND_nsec:
        trace_put(l, "%" PRId64, (int64_t)v);
        break;
    case KIND_ulong:
    case KIND_size:
        trace_put(l, "%" PRIu64, v);
        break;
    case KIND_rlim:
        trace_put(l, v == UINT64_MAX ? "RLIM64_INFINITY" : v && v % 1024 == 0 ? "%" PRIu64 "*1024" : "%" PRIu64,
                  v && v % 1024 == 0 ? v / 1024 : v);
        break;
    case KIND_hex:
        trace_put(l, "%#" PRIx64, v);
        break;
    case KIND_ptr:
    case KIND_word:
        put_address(l, v);
        break;
    case KIND_path:
    case KIND_lpath:
    case KIND_rawpath:
        put_string(t, l, v, PATH_MAX);
        break;
    case KIND_str:
        put_string(t, l, v, TRACE_STRING_LIMIT);
        break;
    case KIND_mode:
        put_mode(l, &sets[SET_filetype], v);
        break;
    case KIND_dev:
        trace_put(l, "makedev(%#x, %#x)", major(v), minor(v));
        break;
    case KIND_sig:
        trace_put(l, "%s", trace_signal_name((int)v, buf));
        break;
    case KIND_flags:
        trace_flags(l, &sets[d.ref], v);
        break;
    case KIND_enum:
        put_enum(l, &sets[d.ref], v);
        break;
    case KIND_wstatus:
        put_wstatus(l, (int)v);
        break;
    case KIND_bufin:
        put_buffer(t, l, v, a[d.count]);
        break;
    case KIND_bufout:
        if (failed)
            put_address(l, v);
        else
            put_buffer(t, l, v, (uint64_t)ret);
        break;
    case KIND_in:
        put_structs(t, l, d.ref, v, count_of(d, a), d.count != NO_COUNT);
        break;
    case KIND_out:
    case KIND_io:
        if (failed && d.kind == KIND_out)
            put_address(l, v);
        else
            put_structs(t, l, d.ref, v, d.kind == KIND_out && d.count < 6 ? (uint64_t)ret : count_of(d, a),
                        d.count != NO_COUNT);
        break;
    case KIND_iovin:
        put_iov(t, l, v, a[d.count], UINT64_MAX);
        break;
    case KIND_iovout:
        put_iov(t, l, v, a[d.count], failed ? 0 : (uint64_t)ret);
        break;
    case KIND_sain:
        put_sockaddr(t, l, v, (uint32_t)a[d.count + 0]);
        break;
    case KIND_saout: {
        uint32_t len = 0;
        if (failed || !a[d.count] || copy_from_guest(t, &len, a[d.count], 4))
            len = 0;
        put_sockaddr(t, l, v, len);
        break;
    }
    case KIND_msgin:
        put_msghdr(t, l, v, UINT64_MAX);
        break;
    case KIND_msgout:
        if (failed)
            put_address(l, v);
        else
            put_msghdr(t, l, v, (uint64_t)ret);
        break;
    case KIND_strv:
        put_strings(t, l, v);
        break;
    case KIND_envp:
        put_environment(t, l, v);
        break;
    case KIND_fdset:
        put_bit_numbers(t, l, v, a[d.count]);
        break;
    case KIND_cpuset:
        if (failed)
            put_address(l, v);
        else
            put_bit_numbers(t, l, v, a[d.count] * 8);
        break;
    case KIND_sigsetin:
        put_sigset(t, l, v);
        break;
    case KIND_sigsetout:
        if (failed)
            put_address(l, v);
        else
            put_sigset(t, l, v);
        break;
    default:
        put_address(l, v);
    }
}
