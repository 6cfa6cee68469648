/*
 * What is peculiar to single calls in a -strace line: arguments that others decide (variants.tbl and a few rules), an
 * order of their own, and what stands behind a result.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "linux-user/abi.h"
#include "linux-user/dispatch.h"
#include "linux-user/task.h"
#include "linux-user/trace.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

enum { FUTEX_COMMAND = 127, FUTEX_PRIVATE = 128, FUTEX_REALTIME = 256, IPC_64_BIT = 256, MOST_BITS = 1024 };

static const struct arg_desc absent = {KIND_none, NO_COUNT, 0};

/* --- what the arguments are --- */

static uint64_t command_of(const struct trace_line *l, unsigned at)
{
    uint64_t v = l->a[at];
    switch (l->call) {
    case CALL_futex: return v & FUTEX_COMMAND;
    case CALL_semctl:
    case CALL_shmctl:
    case CALL_msgctl: return (uint32_t)v & ~(uint32_t)IPC_64_BIT;
    }
    return (uint32_t)v;
}

static void apply_variant(struct trace_line *l)
{
    for (unsigned i = 0; i < syscall_nvariants; i++) {
        const struct variant_desc *v = &syscall_variants[i];
        if (v->call != l->call || (uint32_t)v->command != command_of(l, v->at))
            continue;
        memcpy(&l->arg[v->at + 1], v->arg, v->nargs * sizeof *v->arg);
        l->nargs = v->at + 1u + v->nargs;
        l->ret = v->ret;
        l->ret_ref = v->ret_ref;
        return;
    }
}

static void apply_ioctl(struct trace_line *l)
{
    const struct ioctl_desc *c = ioctl_by_command((uint32_t)l->a[1]);
    l->arg[2] = c ? c->arg : (struct arg_desc){KIND_ptr, NO_COUNT, 0};
    l->nargs = c && c->arg.kind == KIND_none ? 2 : 3;
}

/* Without a file to make there are no permissions. */
static bool makes_file(struct task *t, uint64_t flags)
{
    uint64_t host = flags_to_host(t->abi->syscalls, SET_open, flags);
    return host & O_CREAT || (host & O_TMPFILE) == O_TMPFILE;
}

void trace_refine(struct task *t, struct trace_line *l)
{
    const struct call_desc *d = &syscall_calls[l->call];
    const uint64_t *a = l->a;
    memcpy(l->arg, d->arg, sizeof l->arg);
    l->nargs = d->nargs;
    l->ret = d->ret;
    l->ret_ref = d->ret_ref;
    apply_variant(l);
    switch (l->call) {
    case CALL_openat:
        if (!makes_file(t, a[2]))
            l->nargs = 3;
        break;
    case CALL_mq_open:
        if (!makes_file(t, a[1]))
            l->nargs = 2;
        break;
    case CALL_mknodat:
        if (!S_ISCHR(a[2]) && !S_ISBLK(a[2]))
            l->nargs = 3;
        break;
    case CALL_mremap:
        if (!(a[3] & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
            l->nargs = 4;
        break;
    case CALL_membarrier:
        if (!(a[1] & 1) && l->nargs > 2)
            l->nargs = 2;
        break;
    case CALL_epoll_ctl:
        if ((int)a[1] == EPOLL_CTL_DEL)
            l->arg[3] = (struct arg_desc){KIND_ptr, NO_COUNT, 0};
        break;
    case CALL_socket:
    case CALL_socketpair:
        if ((int)a[0] == AF_NETLINK)
            l->arg[2] = (struct arg_desc){KIND_enum, NO_COUNT, SET_netlink};
        else if ((int)a[0] != AF_INET && (int)a[0] != AF_INET6)
            l->arg[2] = (struct arg_desc){KIND_uint, NO_COUNT, 0};
        break;
    case CALL_clone: /* all in one place, by name: trace_special */
        for (unsigned i = 1; i < l->nargs; i++)
            l->arg[i] = absent;
        break;
    case CALL_ioctl: apply_ioctl(l); break;
    case CALL_rt_sigreturn:
        l->nargs = 1;
        l->arg[0] = (struct arg_desc){KIND_sigsetout, NO_COUNT, 0};
        break;
    }
}

/* --- arguments that look like no other --- */

static void put_tid(struct task *t, struct trace_line *l, const char *name, uint64_t addr)
{
    int32_t tid;
    if (addr && !copy_from_guest(t, &tid, addr, sizeof tid))
        trace_put(l, "%s=[%" PRId32 "]", name, tid);
}

static void put_clone(struct task *t, struct trace_line *l, int64_t ret)
{
    char buf[16];
    uint64_t flags = l->a[0], named = flags & ~UINT64_C(0xff);
    trace_put(l, "child_stack=");
    trace_address(l, l->a[1]);
    trace_put(l, ", flags=");
    if (named)
        trace_flags(l, &t->abi->syscalls->sets[SET_clone], named);
    if (flags & 0xff)
        trace_put(l, "%s%s", named ? "|" : "", trace_signal_name(flags & 0xff, buf));
    else if (!named)
        trace_put(l, "0");
    if (flags & CLONE_PARENT_SETTID) {
        trace_put(l, ", ");
        if (ret < 0)
            trace_put(l, "parent_tid=%#" PRIx64, l->a[2]);
        else
            put_tid(t, l, "parent_tid", l->a[2]);
    }
    if (flags & CLONE_SETTLS)
        trace_put(l, ", tls=%#" PRIx64, l->a[3]);
    if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
        trace_put(l, ", child_tidptr=%#" PRIx64, l->a[4]);
}

/* What clone3 has written through its struct's pointers: flags, pidfd, child_tid, parent_tid are its first words. */
static void put_clone3_news(struct task *t, struct trace_line *l)
{
    uint64_t w[4];
    if (copy_from_guest(t, w, l->a[0], sizeof w) || !(w[0] & (CLONE_PIDFD | CLONE_PARENT_SETTID)))
        return;
    trace_put(l, " => {");
    if (w[0] & CLONE_PIDFD)
        put_tid(t, l, "pidfd", w[1]);
    if (w[0] & CLONE_PARENT_SETTID) {
        trace_put(l, w[0] & CLONE_PIDFD ? ", " : "");
        put_tid(t, l, "parent_tid", w[3]);
    }
    trace_put(l, "}");
}

static void put_ioctl_command(struct trace_line *l, uint32_t v)
{
    static const char *const directions[] = {"_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"};
    const struct ioctl_desc *c = ioctl_by_command(v);
    if (c)
        trace_put(l, "%s", c->name);
    else
        trace_put(l, "_IOC(%s, %#x, %#x, %#x)", directions[v >> 30], v >> 8 & 0xff, v & 0xff, v >> 16 & 0x3fff);
}

static void put_futex_command(struct task *t, struct trace_line *l, uint64_t v)
{
    if (!trace_name(l, &t->abi->syscalls->sets[SET_futex], v & FUTEX_COMMAND))
        trace_put(l, "%#" PRIx64 " /* FUTEX_??? */", v & FUTEX_COMMAND);
    trace_put(l, "%s%s", v & FUTEX_PRIVATE ? "_PRIVATE" : "", v & FUTEX_REALTIME ? "|FUTEX_CLOCK_REALTIME" : "");
}

bool trace_special(struct task *t, struct trace_line *l, unsigned i, int64_t ret)
{
    const struct arg_desc *d = &l->arg[i];
    switch (d->kind) {
    case KIND_ioctl: put_ioctl_command(l, (uint32_t)l->a[i]); return true;
    case KIND_futexop: put_futex_command(t, l, l->a[i]); return true;
    }
    switch (l->call) {
    case CALL_clone: put_clone(t, l, ret); return true;
    case CALL_clone3:
        trace_value(t, l, *d, l->a[i], ret);
        if (!i && ret > 0)
            put_clone3_news(t, l);
        return true;
    case CALL_rt_sigreturn:
        trace_put(l, "{mask=");
        trace_sigset(l, t->signals.mask);
        trace_put(l, "}");
        return true;
    case CALL_nanosleep:
    case CALL_clock_nanosleep: /* what is left is written if there is any */
        if (d->kind != KIND_out)
            return false;
        trace_value(t, l, *d, l->a[i], ret == -SYS_RESTART_BLOCK ? 0 : -1);
        return true;
    case CALL_wait4:
    case CALL_waitid: /* nothing, when nothing has happened */
        if (d->kind != KIND_out || ret || l->call == CALL_waitid)
            return false;
        trace_address(l, l->a[i]);
        return true;
    case CALL_getxattr:
    case CALL_lgetxattr:
    case CALL_fgetxattr:
    case CALL_listxattr:
    case CALL_llistxattr:
    case CALL_flistxattr: /* asked only for the size */
        if ((d->kind != KIND_bufout && d->kind != KIND_xattrout) || l->a[d->count])
            return false;
        trace_address(l, l->a[i]);
        return true;
    case CALL_getcwd: /* without the string's end */
        if (i || ret <= 0)
            return false;
        trace_buffer(t, l, l->a[0], (uint64_t)ret - 1);
        return true;
    }
    return false;
}

/* --- behind a result --- */

static void put_time_left(struct task *t, struct trace_line *l, uint64_t addr)
{
    int64_t v[2];
    if (addr && !copy_from_guest(t, v, addr, sizeof v)) {
        trace_put(l, "left ");
        trace_struct(t, l, STRUCT_timespec, v);
    }
}

static void put_ready(struct task *t, struct trace_line *l)
{
    struct {
        int32_t fd;
        int16_t events, revents;
    } p;
    const char *sep = "";
    trace_put(l, " ([");
    for (uint32_t i = 0; i < (uint32_t)l->a[1] && !copy_from_guest(t, &p, l->a[0] + i * sizeof p, sizeof p); i++)
        if (p.revents) {
            trace_put(l, "%s{fd=%" PRId32 ", revents=", sep, p.fd);
            trace_flags(l, &t->abi->syscalls->sets[SET_poll], (uint16_t)p.revents);
            trace_put(l, "}");
            sep = ", ";
        }
    trace_put(l, l->a[2] ? "], " : "]");
    put_time_left(t, l, l->a[2]);
    trace_put(l, ")");
}

static void put_selected(struct task *t, struct trace_line *l)
{
    static const char *const names[] = {"in", "out", "except"};
    const char *sep = " (";
    for (unsigned set = 0; set < ARRAY_SIZE(names); set++) {
        unsigned char bits[MOST_BITS / 8];
        uint64_t n = l->a[0] < MOST_BITS ? l->a[0] : MOST_BITS;
        const char *space = "";
        if (!l->a[set + 1] || copy_from_guest(t, bits, l->a[set + 1], (n + 7) / 8))
            continue;
        bool any = false;
        for (uint64_t i = 0; i < n; i++)
            if (bits[i / 8] >> (i % 8) & 1) {
                if (!any)
                    trace_put(l, "%s%s [", sep, names[set]);
                trace_put(l, "%s%" PRIu64, space, i);
                space = " ";
                any = true;
            }
        trace_put(l, any ? "]" : "");
        sep = any ? ", " : sep;
    }
    if (l->a[4]) {
        trace_put(l, "%s", sep);
        put_time_left(t, l, l->a[4]);
    }
    trace_put(l, ")");
}

void trace_result(struct task *t, struct trace_line *l, int64_t ret)
{
    const struct flag_set *set = &t->abi->syscalls->sets[l->ret_ref];
    char buf[16];
    switch (l->ret) {
    case KIND_hex: trace_put(l, " = %#" PRIx64, (uint64_t)ret); break;
    case KIND_ioprio:
        trace_put(l, " = %#" PRIx64 " (", (uint64_t)ret);
        trace_value(t, l, (struct arg_desc){KIND_ioprio, NO_COUNT, 0}, (uint64_t)ret, ret);
        trace_put(l, ")");
        break;
    case KIND_perms: trace_put(l, " = %#03" PRIo64, (uint64_t)ret); break;
    case KIND_fd:
        trace_put(l, " = ");
        trace_fd(t, l, (int)ret);
        break;
    case KIND_sig:
        trace_put(l, ret ? " = %" PRId64 " (%s)" : " = %" PRId64, ret, trace_signal_name((int)ret, buf));
        break;
    case KIND_enum:
        trace_put(l, " = %" PRId64 " (", ret);
        if (!trace_name(l, set, (uint64_t)ret))
            trace_put(l, "%#" PRIx64, (uint64_t)ret);
        trace_put(l, ")");
        break;
    case KIND_flags:
        trace_put(l, " = %#" PRIx64, (uint64_t)ret);
        if (ret) {
            trace_put(l, l->call == CALL_fcntl ? " (flags " : " (");
            trace_flags(l, set, (uint64_t)ret);
            trace_put(l, ")");
        }
        break;
    default: trace_put(l, " = %" PRId64, ret);
    }
    if (l->call == CALL_ppoll || l->call == CALL_pselect6) {
        if (!ret)
            trace_put(l, " (Timeout)");
        else if (l->call == CALL_ppoll)
            put_ready(t, l);
        else
            put_selected(t, l);
    }
}
