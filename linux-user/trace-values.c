/*
 * How values look in a -strace line: numbers, flags, strings, structs and the other kinds of syscall-tables/calls.tbl.
 * Guest memory is read through copy_from_guest, so a bad pointer prints as an address, as strace does.
 */
#include <ctype.h>
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/abi.h"
#include "linux-user/dispatch.h"
#include "linux-user/task.h"
#include "linux-user/trace.h"
#include "linux-user/uaccess.h"

enum { CAP_WORDS = 6, MOST_BITS = 1024 };

/* --- numbers and names --- */

void trace_address(struct trace_line *l, uint64_t v)
{
    if (v)
        trace_put(l, "%#" PRIx64, v);
    else
        trace_put(l, "NULL");
}

/* Which names something that is not in the set might have had: the words that all have in common, or the first one's
 * first. */
void trace_unknown_name(struct trace_line *l, const struct flag_set *s)
{
    const char *first = s->flags[0].name;
    size_t common = strlen(first);
    for (unsigned i = 1; i < s->nflags; i++)
        while (strncmp(first, s->flags[i].name, common))
            common--;
    while (common && first[common - 1] != '_')
        common--;
    trace_put(l, "%.*s_???", common ? (int)common - 1 : (int)strcspn(first, "_"), first);
}

/* What is not in the set: the number, and that. */
void trace_unknown(struct trace_line *l, const struct flag_set *s, uint64_t v)
{
    trace_put(l, "%#" PRIx64 " /* ", v);
    trace_unknown_name(l, s);
    trace_put(l, " */");
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
    if (rest && !*sep)
        trace_unknown(l, s, rest);
    else if (rest || !*sep)
        trace_put(l, "%s%#" PRIx64, sep, rest);
}

bool trace_name(struct trace_line *l, const struct flag_set *s, uint64_t v)
{
    for (unsigned i = 0; i < s->nflags; i++)
        if (s->flags[i].value == v || (uint64_t)(int32_t)s->flags[i].value == v ||
            s->flags[i].value == (uint64_t)(int32_t)v) {
            trace_put(l, "%s", s->flags[i].name);
            return true;
        }
    return false;
}

static void put_enum(struct trace_line *l, const struct flag_set *s, uint64_t v)
{
    if (!trace_name(l, s, v))
        trace_unknown(l, s, (uint32_t)v);
}

/* A number that may have a name, and else is one like others. */
static void put_named(struct trace_line *l, const struct flag_set *s, uint64_t v)
{
    if (!trace_name(l, s, (uint64_t)(int32_t)v))
        trace_put(l, "%" PRId32, (int32_t)v);
}

/* --- of networks --- */

/* Its name in the network of the call's socket. */
void trace_ifindex(struct trace_line *l, uint32_t v)
{
    struct ifreq r = {.ifr_ifindex = (int)v};
    if (v && !ioctl((int)l->a[0], SIOCGIFNAME, &r))
        trace_put(l, "if_nametoindex(\"%.*s\")", IFNAMSIZ, r.ifr_name);
    else
        trace_put(l, "%" PRIu32, v);
}

void trace_mac(struct trace_line *l, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        trace_put(l, i ? ":%02x" : "%02x", bytes[i]);
}

/* In the network's order of bytes; prefix: of unknown ones. */
void trace_ethertype(struct trace_line *l, const char *prefix, uint16_t v)
{
    trace_put(l, "htons(");
    if (!trace_name(l, COMMON_SET(ethertype), be16toh(v)))
        trace_put(l, be16toh(v) ? "%#x /* %s_??? */" : "%x /* %s_??? */", be16toh(v), prefix);
    trace_put(l, ")");
}

/* --- other numbers --- */

enum { IOPRIO_CLASS_SHIFT = 13, QUOTA_TYPE_BITS = 8 };

static void put_ioprio(struct trace_line *l, uint64_t v)
{
    trace_put(l, "IOPRIO_PRIO_VALUE(");
    put_enum(l, COMMON_SET(ioprio_class), v >> IOPRIO_CLASS_SHIFT & 7);
    trace_put(l, ", %" PRIu64 ")", v & ((1u << IOPRIO_CLASS_SHIFT) - 1));
}

static void put_quota(struct trace_line *l, uint64_t v)
{
    trace_put(l, "QCMD(");
    put_enum(l, COMMON_SET(quota), (uint32_t)v >> QUOTA_TYPE_BITS);
    trace_put(l, ", ");
    put_enum(l, COMMON_SET(quota_type), v & 0xff);
    trace_put(l, ")");
}

/* Named bits, and permissions beside them. */
static void put_perm(struct trace_line *l, const struct flag_set *s, uint64_t v)
{
    uint64_t named = 0;
    for (unsigned i = 0; i < s->nflags; i++)
        named |= s->flags[i].value;
    if (v & named)
        trace_flags(l, s, v & named);
    trace_put(l, "%s%#03" PRIo64, v & named ? "|" : "", v & ~named);
}

static void put_mode(struct trace_line *l, const struct flag_set *types, uint64_t v)
{
    for (unsigned i = 0; i < types->nflags && v & S_IFMT; i++)
        if ((v & S_IFMT) == types->flags[i].value)
            trace_put(l, "%s|", types->flags[i].name);
    trace_put(l, "%#03" PRIo64, v & ~(uint64_t)S_IFMT);
}

static void put_dev(struct trace_line *l, uint64_t v) { trace_put(l, "makedev(%#x, %#x)", major(v), minor(v)); }

static void put_id(struct trace_line *l, uint64_t v)
{
    if ((uint32_t)v == UINT32_MAX)
        trace_put(l, "-1");
    else
        trace_put(l, "%" PRIu32, (uint32_t)v);
}

static void put_rlim(struct trace_line *l, uint64_t v)
{
    if (v == UINT64_MAX)
        trace_put(l, "RLIM64_INFINITY");
    else if (v > 1024 && v % 1024 == 0)
        trace_put(l, "%" PRIu64 "*1024", v / 1024);
    else
        trace_put(l, "%" PRIu64, v);
}

void trace_fd(struct task *t, struct trace_line *l, int fd)
{
    char link[40], name[PATH_MAX];
    const char *root = t->process->sysroot, *shown = name;
    if (fd == AT_FDCWD)
        trace_put(l, "AT_FDCWD");
    else
        trace_put(l, "%d", fd);
    if (!l->options->descriptors || (fd < 0 && fd != AT_FDCWD))
        return;
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/thread-self/cwd" : "/proc/thread-self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (n <= 0)
        return;
    name[n] = 0;
    size_t inside = root ? strlen(root) : 0;
    if (inside && !strncmp(name, root, inside) && name[inside] == '/')
        shown += inside;
    static const char deleted[] = " (deleted)";
    size_t used = strlen(shown), tail = sizeof deleted - 1;
    bool gone = used > tail && !strcmp(shown + used - tail, deleted);
    trace_put(l, "<");
    trace_put_bytes(l, shown, gone ? used - tail : used);
    trace_put(l, gone ? ">(deleted)" : ">");
}

/* --- strings --- */

static bool is_plain(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isprint(p[i]) && !(p[i] >= '\t' && p[i] <= '\r'))
            return false;
    return true;
}

static void put_escaped(struct trace_line *l, const unsigned char *p, size_t n, bool hex)
{
    static const char named[] = "\n\t\r\v\f\"\\", letters[] = "ntrvf\"\\";
    trace_put_bytes(l, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        const char *at = p[i] ? strchr(named, p[i]) : NULL;
        bool digit_follows = i + 1 < n && p[i + 1] >= '0' && p[i + 1] <= '9';
        if (hex)
            trace_put(l, "\\x%02x", p[i]);
        else if (at)
            trace_put(l, "\\%c", letters[at - named]);
        else if (p[i] >= ' ' && p[i] < 127)
            trace_put_bytes(l, (const char *)p + i, 1);
        else
            trace_put(l, digit_follows ? "\\%03o" : "\\%o", p[i]);
    }
    trace_put_bytes(l, "\"", 1);
}

void trace_quoted(struct trace_line *l, const void *bytes, size_t n, bool more)
{
    put_escaped(l, bytes, n, l->options->hex_always || (l->options->hex && !is_plain(bytes, n)));
    trace_put(l, more ? "..." : "");
}

static void put_memory(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n, bool hex)
{
    size_t shown = n < l->options->string_limit ? n : l->options->string_limit;
    unsigned char *bytes = addr ? malloc(shown + 1) : NULL;
    if (!bytes || copy_from_guest(t, bytes, addr, shown)) {
        trace_address(l, addr);
    } else if (hex) {
        put_escaped(l, bytes, shown, true);
        trace_put(l, shown < n ? "..." : "");
    } else {
        trace_quoted(l, bytes, shown, shown < n);
    }
    free(bytes);
}

void trace_buffer(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n) { put_memory(t, l, addr, n, false); }

void trace_hex(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n) { put_memory(t, l, addr, n, true); }

/* strace(1) takes 0 in the last byte that it shows for the end of a string. */
static void put_attribute(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n)
{
    uint64_t shown = n < l->options->string_limit ? n : l->options->string_limit;
    char last;
    bool ends = shown && !copy_from_guest(t, &last, addr + shown - 1, 1) && !last;
    trace_buffer(t, l, addr, ends ? shown - 1 : n);
}

static void put_string(struct task *t, struct trace_line *l, uint64_t addr, size_t limit)
{
    unsigned char *bytes = addr ? malloc(limit + 1) : NULL;
    size_t n = 0;
    unsigned char end = 0;
    while (bytes && n < limit && !copy_from_guest(t, bytes + n, addr + n, 1) && bytes[n])
        n++;
    if (!bytes || copy_from_guest(t, &end, addr + n, 1))
        trace_address(l, addr);
    else
        trace_quoted(l, bytes, n, end != 0);
    free(bytes);
}

static unsigned array_limit(const struct trace_line *l) { return l->options->verbose ? UINT_MAX : TRACE_ARRAY_LIMIT; }

static void put_strings(struct task *t, struct trace_line *l, uint64_t addr)
{
    if (!addr) {
        trace_address(l, addr);
        return;
    }
    uint64_t p;
    trace_put(l, "[");
    for (unsigned i = 0; !copy_from_guest(t, &p, addr + 8 * (uint64_t)i, 8) && p; i++) {
        if (i)
            trace_put(l, ", ");
        if (i == array_limit(l)) {
            trace_put(l, "...");
            break;
        }
        put_string(t, l, p, l->options->string_limit);
    }
    trace_put(l, "]");
}

static void put_environment(struct task *t, struct trace_line *l, uint64_t addr)
{
    uint64_t p, n = 0;
    if (l->options->verbose) {
        put_strings(t, l, addr);
        return;
    }
    trace_address(l, addr);
    while (addr && n < 100000 && !copy_from_guest(t, &p, addr + 8 * n, 8) && p)
        n++;
    if (addr)
        trace_put(l, " /* %" PRIu64 " var%s */", n, n == 1 ? "" : "s");
}

/* --- times --- */

/* " / * 2023-11-14T22:13:20.5+0000 * /"; nothing for the beginning of 1970. */
static void put_date(struct trace_line *l, int64_t seconds, uint64_t nsec)
{
    struct tm tm;
    char date[40], zone[16];
    time_t time = seconds;
    if ((!seconds && !nsec) || nsec > 999999999 || !localtime_r(&time, &tm) ||
        !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) || !strftime(zone, sizeof zone, "%z", &tm))
        return;
    trace_put(l, " /* %s", date);
    if (nsec)
        trace_put(l, ".%09" PRIu64, nsec);
    trace_put(l, "%s */", zone);
}

/* A struct that is a time of utimensat: its name alone, where it has one. */
static bool put_special_time(struct trace_line *l, enum struct_id id, const void *bytes)
{
    int64_t v[2];
    memcpy(v, bytes, sizeof v);
    if (id != STRUCT_utime || (v[1] != UTIME_NOW && v[1] != UTIME_OMIT))
        return false;
    trace_put(l, v[1] == UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
    return true;
}

/* --- sets of numbers --- */

static void put_bit_numbers(struct task *t, struct trace_line *l, uint64_t addr, uint64_t nbits, bool descriptors)
{
    unsigned char byte = 0;
    const char *sep = "";
    if (!addr || copy_from_guest(t, &byte, addr, 1)) {
        trace_address(l, addr);
        return;
    }
    trace_put(l, "[");
    for (uint64_t i = 0; i < nbits && i < MOST_BITS; i++) {
        if (i % 8 == 0 && copy_from_guest(t, &byte, addr + i / 8, 1))
            break;
        if (byte >> (i % 8) & 1) {
            trace_put(l, descriptors ? "%s" : "%s%" PRIu64, sep, i);
            if (descriptors)
                trace_fd(t, l, (int)i);
            sep = " ";
        }
    }
    trace_put(l, "]");
}

/* Words of bits, one for each node. */
static void put_nodes(struct task *t, struct trace_line *l, uint64_t addr, uint64_t nbits)
{
    uint64_t n = (nbits + 63) / 64, word;
    if (!addr || n > MOST_BITS / 64 || copy_from_guest(t, &word, addr, sizeof word)) {
        trace_address(l, addr);
        return;
    }
    trace_put(l, "[");
    for (uint64_t i = 0; i < n && !copy_from_guest(t, &word, addr + 8 * i, sizeof word); i++)
        trace_put(l, "%s%#018" PRIx64, i ? ", " : "", word);
    trace_put(l, "]");
}

static void put_capability_set(struct trace_line *l, uint64_t set)
{
    const char *sep = "";
    for (unsigned i = 0; i < 64; i++)
        if (set >> i & 1) {
            trace_put(l, "%s1<<", sep);
            if (!trace_name(l, COMMON_SET(capability), i))
                trace_put(l, "%u", i);
            sep = "|";
        }
    if (!set)
        trace_put(l, "0");
}

/* Two structs since version 2 of the header: the low and the high halves. */
static void put_capabilities(struct task *t, struct trace_line *l, uint64_t addr, uint64_t header)
{
    uint32_t version = 0, v[CAP_WORDS] = {0};
    static const char *const names[] = {"effective", "permitted", "inheritable"};
    if (copy_from_guest(t, &version, header, 4) || !addr ||
        copy_from_guest(t, v, addr, version == 0x19980330 ? 12 : 24)) {
        trace_address(l, addr);
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        trace_put(l, "%s%s=", i ? ", " : "{", names[i]);
        put_capability_set(l, v[i] | (uint64_t)v[i + 3] << 32);
    }
    trace_put(l, "}");
}

static void put_wstatus(struct trace_line *l, int v)
{
    char buf[16];
    if (WIFEXITED(v))
        trace_put(l, "{WIFEXITED(s) && WEXITSTATUS(s) == %d}", WEXITSTATUS(v));
    else if (WIFSTOPPED(v))
        trace_put(l, "{WIFSTOPPED(s) && WSTOPSIG(s) == %s%s}", trace_signal_name(WSTOPSIG(v) & 0x7f, buf),
                  WSTOPSIG(v) & 0x80 ? " | 0x80" : "");
    else if (WIFSIGNALED(v))
        trace_put(l, "{WIFSIGNALED(s) && WTERMSIG(s) == %s%s}", trace_signal_name(WTERMSIG(v), buf),
                  WCOREDUMP(v) ? " && WCOREDUMP(s)" : "");
    else if (WIFCONTINUED(v))
        trace_put(l, "{WIFCONTINUED(s)}");
    else
        trace_put(l, "%#x", v);
}

/* --- structs --- */

static uint64_t field_value(const struct field_desc *f, const char *at)
{
    uint64_t v = 0;
    memcpy(&v, at, f->size);
    return f->is_signed ? (uint64_t)sextract64(v, 0, f->size * 8) : v;
}

static void put_field(struct task *t, struct trace_line *l, const struct field_desc *f, const char *at)
{
    if (f->kind == KIND_chars) {
        size_t n = strnlen(at, f->count);
        trace_quoted(l, at, n < l->options->string_limit ? n : l->options->string_limit, n > l->options->string_limit);
        return;
    }
    if (f->kind == KIND_bytes) {
        put_escaped(l, (const unsigned char *)at, f->count, true);
        return;
    }
    if (f->kind == KIND_address) {
        trace_sockaddr(t, l, at, f->count);
        return;
    }
    if (f->kind == KIND_mac) {
        trace_mac(l, (const unsigned char *)at, f->count);
        return;
    }
    if (f->count > 1)
        trace_put(l, "[");
    for (unsigned k = 0; k < f->count; k++) {
        uint64_t v = f->kind == KIND_struct ? 0 : field_value(f, at + k * f->size), nsec;
        if (k)
            trace_put(l, ", ");
        if (f->kind == KIND_struct) {
            trace_struct(t, l, f->ref, at + k * f->size);
        } else if (f->kind == KIND_date) {
            memcpy(&nsec, at + f->size, sizeof nsec);
            trace_put(l, "%" PRId64, (int64_t)v);
            put_date(l, (int64_t)v, nsec);
        } else {
            trace_value(t, l, (struct arg_desc){f->kind, NO_COUNT, f->ref}, v, 0);
        }
    }
    if (f->count > 1)
        trace_put(l, "]");
}

static bool is_zero(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Whether the field is no part of a line; *more: -v would show it. */
static bool left_out(const struct trace_line *l, const struct field_desc *f, const char *bytes, bool *more)
{
    if (f->kind == KIND_hidden)
        return true;
    if ((f->when == NONZERO || f->when == VERBOSE_NONZERO) && is_zero(bytes + f->offset, f->size * f->count))
        return true;
    if (f->when == ALWAYS || f->when == NONZERO || l->options->verbose)
        return false;
    *more = true;
    return true;
}

/* Fields of struct clone_args that some flag makes meaningful, by offset. */
static const struct {
    uint16_t offset;
    uint64_t flags;
} clone_fields[] = {
    {8, CLONE_PIDFD},
    {16, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID},
    {24, CLONE_PARENT_SETTID},
    {56, CLONE_SETTLS},
};

/* A device file has a number where others have a size; of a descriptor that is none nothing is asked. */
static bool means_nothing(enum struct_id id, const struct field_desc *f, const char *bytes)
{
    uint64_t flags;
    uint32_t mode;
    int32_t fd;
    switch (id) {
    case STRUCT_stat:
        memcpy(&mode, bytes + 16, sizeof mode);
        return (S_ISCHR(mode) || S_ISBLK(mode)) && !strcmp(f->name, "st_size");
    case STRUCT_pollfd:
        memcpy(&fd, bytes, sizeof fd);
        return fd < 0 && f->offset;
    case STRUCT_clone_args:
        memcpy(&flags, bytes, sizeof flags);
        for (unsigned i = 0; i < ARRAY_SIZE(clone_fields); i++)
            if (clone_fields[i].offset == f->offset)
                return !(flags & clone_fields[i].flags);
        return false;
    default: return false;
    }
}

/* A struct of one field `value` stands for a scalar and prints as one. */
void trace_struct(struct task *t, struct trace_line *l, enum struct_id id, const void *struct_bytes)
{
    const struct struct_desc *d = &syscall_structs[id];
    const char *sep = "", *bytes = struct_bytes;
    bool more = false;
    if (d->nfields == 1 && !strcmp(d->fields[0].name, "value")) {
        put_field(t, l, &d->fields[0], bytes);
        return;
    }
    if (id == STRUCT_siginfo) {
        trace_siginfo(l, bytes);
        return;
    }
    if (put_special_time(l, id, bytes))
        return;
    trace_put(l, "{");
    for (unsigned i = 0; i < d->nprinted; i++) {
        const struct field_desc *f = &d->fields[d->order ? d->order[i] : i];
        if (left_out(l, f, bytes, &more) || means_nothing(id, f, bytes))
            continue;
        trace_put(l, "%s%s=", sep, f->name);
        put_field(t, l, f, bytes + f->offset);
        sep = ", ";
    }
    trace_put(l, more ? ", ...}" : "}");
    if (id == STRUCT_utime || id == STRUCT_statx_timestamp) {
        int64_t seconds;
        uint32_t nsec;
        memcpy(&seconds, bytes, sizeof seconds);
        memcpy(&nsec, bytes + 8, sizeof nsec);
        put_date(l, seconds, nsec);
    }
}

static void put_structs(struct task *t, struct trace_line *l, enum struct_id id, uint64_t addr, uint64_t n, bool array)
{
    const struct struct_desc *d = &syscall_structs[id];
    char *bytes = addr ? malloc(d->size) : NULL;
    array = array || (d->nfields == 1 && !strcmp(d->fields[0].name, "value"));
    if (!bytes || copy_from_guest(t, bytes, addr, n ? d->size : 1)) {
        trace_address(l, addr);
        free(bytes);
        return;
    }
    if (array)
        trace_put(l, "[");
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            trace_put(l, ", ");
        if (i == array_limit(l) || copy_from_guest(t, bytes, addr + i * d->size, d->size)) {
            trace_put(l, "...");
            break;
        }
        trace_struct(t, l, id, bytes);
    }
    if (array)
        trace_put(l, "]");
    free(bytes);
}

void trace_iov(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n, uint64_t bytes, bool netlink)
{
    if (!addr) {
        trace_address(l, addr);
        return;
    }
    trace_put(l, "[");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v[2];
        if (i)
            trace_put(l, ", ");
        if (i == array_limit(l) || copy_from_guest(t, v, addr + 16 * i, 16)) {
            trace_put(l, "...");
            break;
        }
        uint64_t shown = v[1] < bytes ? v[1] : bytes;
        bytes -= shown;
        trace_put(l, "{iov_base=");
        if (netlink)
            trace_netlink(t, l, v[0], shown);
        else
            trace_buffer(t, l, v[0], shown);
        trace_put(l, ", iov_len=%" PRIu64 "}", v[1]);
    }
    trace_put(l, "]");
}

/* struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name. */
enum { DIRENT_RECLEN = 16, DIRENT_TYPE = 18, DIRENT_NAME = 19 };

static void put_dirents(struct task *t, struct trace_line *l, uint64_t addr, int64_t size)
{
    char *bytes = size >= 0 ? malloc((size_t)size + 1) : NULL;
    if (!bytes || copy_from_guest(t, bytes, addr, (size_t)size)) {
        trace_address(l, addr);
        free(bytes);
        return;
    }
    unsigned n = 0;
    if (l->options->verbose)
        trace_put(l, "[");
    for (int64_t at = 0; at + DIRENT_NAME < size; n++) {
        uint64_t ino;
        int64_t off;
        uint16_t length;
        memcpy(&ino, bytes + at, sizeof ino);
        memcpy(&off, bytes + at + 8, sizeof off);
        memcpy(&length, bytes + at + DIRENT_RECLEN, sizeof length);
        if (length <= DIRENT_NAME || at + length > size)
            break;
        if (l->options->verbose) {
            trace_put(l, "%s{d_ino=%" PRIu64 ", d_off=%" PRId64 ", d_reclen=%u, d_type=", n ? ", " : "", ino, off,
                      length);
            put_enum(l, COMMON_SET(dirent_type), (unsigned char)bytes[at + DIRENT_TYPE]);
            trace_put(l, ", d_name=");
            trace_quoted(l, bytes + at + DIRENT_NAME, strnlen(bytes + at + DIRENT_NAME, (size_t)length - DIRENT_NAME),
                         false);
            trace_put(l, "}");
        }
        at += length;
    }
    if (l->options->verbose)
        trace_put(l, "]");
    else
        trace_put(l, "%#" PRIx64 " /* %u entr%s */", addr, n, n == 1 ? "y" : "ies");
    free(bytes);
}

/* Pointers to n structs iocb. */
static void put_iocbs(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n)
{
    uint64_t p;
    if (!addr || copy_from_guest(t, &p, addr, n ? sizeof p : 1)) {
        trace_address(l, addr);
        return;
    }
    trace_put(l, "[");
    for (uint64_t i = 0; i < n; i++) {
        trace_put(l, i ? ", " : "");
        if (i == array_limit(l) || copy_from_guest(t, &p, addr + 8 * i, sizeof p)) {
            trace_put(l, "...");
            break;
        }
        put_structs(t, l, STRUCT_iocb, p, 1, false);
    }
    trace_put(l, "]");
}

/* A System V message: its type, then n bytes. */
static void put_message(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n)
{
    int64_t type;
    if (!addr || copy_from_guest(t, &type, addr, sizeof type)) {
        trace_address(l, addr);
        return;
    }
    trace_put(l, "{mtype=%" PRId64 ", mtext=", type);
    trace_buffer(t, l, addr + sizeof type, n);
    trace_put(l, "}");
}

/* [before => after] of a number behind a pointer that the call may change. */
static void put_changed(struct task *t, struct trace_line *l, uint64_t addr, size_t size, uint64_t before, bool failed)
{
    uint64_t now = 0;
    if (!addr || copy_from_guest(t, &now, addr, size))
        trace_address(l, addr);
    else if (failed || now == before)
        trace_put(l, "[%" PRId64 "]", (int64_t)before);
    else
        trace_put(l, size == 4 ? "[%" PRId64 " => %" PRId64 "]" : "[%" PRId64 "] => [%" PRId64 "]", (int64_t)before,
                  (int64_t)now);
}

/* --- any value --- */

static uint64_t count_of(const struct trace_line *l, struct arg_desc d)
{
    return d.count < ARRAY_SIZE(l->a) ? l->a[d.count] : d.count == NO_COUNT ? 1 : d.count & ~FIXED_COUNT;
}

/* Index of the argument that is printed, for what is kept of it from before the call. */
static unsigned index_of(const struct trace_line *l) { return l->next_arg < 6 ? l->next_arg : 5; }

/* Pointers to what the call writes: shown as an address when it has failed. False: another kind. */
static bool put_output(struct task *t, struct trace_line *l, struct arg_desc d, uint64_t v, int64_t ret)
{
    bool failed = ret < 0;
    switch (d.kind) {
    case KIND_bufout:
    case KIND_randout:
    case KIND_xattrout:
    case KIND_msgbufout:
    case KIND_dirents:
    case KIND_strout:
    case KIND_out:
    case KIND_sigsetout:
    case KIND_sigactout:
    case KIND_cpusetout:
    case KIND_capsout:
    case KIND_nodesout:
        if (!failed)
            break;
        trace_address(l, v);
        return true;
    case KIND_len: put_changed(t, l, v, 4, l->saved[index_of(l)], failed); return true;
    case KIND_pos: put_changed(t, l, v, 8, l->saved[index_of(l)], failed); return true;
    case KIND_iovout: trace_iov(t, l, v, l->a[d.count], failed ? 0 : (uint64_t)ret, false); return true;
    default: return false;
    }
    switch (d.kind) {
    case KIND_bufout: trace_payload(t, l, v, (uint64_t)ret); break;
    case KIND_randout: put_memory(t, l, v, (uint64_t)ret, true); break;
    case KIND_xattrout: put_attribute(t, l, v, (uint64_t)ret); break;
    case KIND_msgbufout: put_message(t, l, v, (uint64_t)ret); break;
    case KIND_dirents: put_dirents(t, l, v, ret); break;
    case KIND_strout: put_string(t, l, v, l->options->string_limit); break;
    case KIND_out:
        put_structs(t, l, d.ref, v, d.count < 6 ? (uint64_t)ret : count_of(l, d), d.count != NO_COUNT);
        break;
    case KIND_sigsetout: trace_sigset_at(t, l, v); break;
    case KIND_sigactout: trace_sigaction_at(t, l, v); break;
    case KIND_cpusetout: put_bit_numbers(t, l, v, (uint64_t)ret * 8, false); break;
    case KIND_capsout: put_capabilities(t, l, v, l->a[d.count]); break;
    case KIND_nodesout: put_nodes(t, l, v, l->a[d.count]); break;
    }
    return true;
}

/* Pointers to what the call reads. False: another kind. */
/* A question that has no answer: the field that asks. */
static bool put_question(struct task *t, struct trace_line *l, const struct struct_desc *s, uint64_t addr)
{
    const struct field_desc *f = &s->fields[s->order ? s->order[0] : 0];
    char bytes[64];
    if (strncmp(s->name, "ifreq_", 6) || s->size > sizeof bytes || copy_from_guest(t, bytes, addr, s->size))
        return false;
    trace_put(l, "{%s=", f->name);
    put_field(t, l, f, bytes + f->offset);
    trace_put(l, "}");
    return true;
}

static bool put_input(struct task *t, struct trace_line *l, struct arg_desc d, uint64_t v)
{
    switch (d.kind) {
    case KIND_path:
    case KIND_lpath:
    case KIND_rawpath: put_string(t, l, v, PATH_MAX - 1); break;
    case KIND_str: put_string(t, l, v, l->options->string_limit); break;
    case KIND_bufin: trace_payload(t, l, v, l->a[d.count]); break;
    case KIND_xattrin: put_attribute(t, l, v, l->a[d.count]); break;
    case KIND_msgbufin: put_message(t, l, v, l->a[d.count]); break;
    case KIND_in:
    case KIND_io: put_structs(t, l, d.ref, v, count_of(l, d), d.count != NO_COUNT); break;
    case KIND_iovin: trace_iov(t, l, v, l->a[d.count], UINT64_MAX, false); break;
    case KIND_strv: put_strings(t, l, v); break;
    case KIND_envp: put_environment(t, l, v); break;
    case KIND_fdset: put_bit_numbers(t, l, v, l->a[d.count], true); break;
    case KIND_cpusetin: put_bit_numbers(t, l, v, l->a[d.count] * 8, false); break;
    case KIND_sigsetin: trace_sigset_at(t, l, v); break;
    case KIND_sigmask: trace_sigmask_at(t, l, v); break;
    case KIND_sigactin: trace_sigaction_at(t, l, v); break;
    case KIND_nodesin: put_nodes(t, l, v, l->a[d.count]); break;
    case KIND_iocbsin: put_iocbs(t, l, v, l->a[d.count]); break;
    case KIND_capsin: put_capabilities(t, l, v, l->a[d.count]); break;
    default: return false;
    }
    return true;
}

void trace_value(struct task *t, struct trace_line *l, struct arg_desc d, uint64_t v, int64_t ret)
{
    const struct flag_set *sets = t->abi->syscalls->sets;
    char buf[16];
    if (d.kind == KIND_io && ret < 0 && put_question(t, l, &syscall_structs[d.ref], v))
        return;
    if (put_output(t, l, d, v, ret) || put_input(t, l, d, v) || trace_socket_value(t, l, d, v, ret))
        return;
    switch (d.kind) {
    case KIND_none:
    case KIND_hidden: break;
    case KIND_fd:
    case KIND_dirfd: trace_fd(t, l, (int)v); break;
    case KIND_uid:
    case KIND_gid: put_id(l, v); break;
    case KIND_int:
    case KIND_pid: trace_put(l, "%" PRId32, (int32_t)v); break;
    case KIND_uint: trace_put(l, "%" PRIu32, (uint32_t)v); break;
    case KIND_long:
    case KIND_off: trace_put(l, "%" PRId64, (int64_t)v); break;
    case KIND_ulong:
    case KIND_size: trace_put(l, "%" PRIu64, v); break;
    case KIND_rlim: put_rlim(l, v); break;
    case KIND_hex: trace_put(l, "%#" PRIx64, v); break;
    case KIND_x08: trace_put(l, "%#08" PRIx32, (uint32_t)v); break;
    case KIND_ifindex: trace_ifindex(l, (uint32_t)v); break;
    case KIND_be16: trace_put(l, "htons(%u)", be16toh((uint16_t)v)); break;
    case KIND_ethertype: trace_ethertype(l, "ETH_P", (uint16_t)v); break;
    case KIND_mode: put_mode(l, &sets[SET_filetype], v); break;
    case KIND_perms: trace_put(l, "%#03" PRIo64, v); break;
    case KIND_dev: put_dev(l, v); break;
    case KIND_sig: trace_put(l, "%s", trace_signal_name((int)v, buf)); break;
    case KIND_flags: /* a 32-bit word's sign may stand in the upper half */
        trace_flags(l, &sets[d.ref], v >> 32 == UINT32_MAX ? (uint32_t)v : v);
        break;
    case KIND_enum:
        if (d.ref == SET_ipckey && v) /* any other number is a key as well */
            trace_put(l, "%#" PRIx32, (uint32_t)v);
        else
            put_enum(l, &sets[d.ref], v);
        break;
    case KIND_named: put_named(l, &sets[d.ref], v); break;
    case KIND_hexed:
        if (!trace_name(l, &sets[d.ref], v))
            trace_put(l, "%#" PRIx64, v);
        break;
    case KIND_ioprio: put_ioprio(l, v); break;
    case KIND_quota: put_quota(l, v); break;
    case KIND_perm: put_perm(l, &sets[d.ref], v); break;
    case KIND_wstatus: put_wstatus(l, (int)v); break;
    case KIND_epolldata: trace_put(l, "{u32=%" PRIu32 ", u64=%" PRIu64 "}", (uint32_t)v, v); break;
    case KIND_sigval:
        trace_put(l, "{sival_int=%" PRId32 ", sival_ptr=", (int32_t)v);
        trace_address(l, v);
        trace_put(l, "}");
        break;
    default: trace_address(l, v);
    }
}
