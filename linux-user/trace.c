/* The lines of --strace: when each argument is printed, how the result looks, and calls whose arguments depend. */
#include "linux-user/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/task.h"
#include "linux-user/xlat.h"

void trace_put(struct trace_line *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(l->text + l->used, sizeof l->text - l->used, fmt, ap);
    va_end(ap);
    if (n > 0)
        l->used = l->used + (size_t)n < sizeof l->text ? l->used + (size_t)n : sizeof l->text - 1;
}

/* {call, command argument's value, kind of the argument behind it}: what the third argument of fcntl and the like is. */
static const struct refinement {
    uint16_t call, command;
    struct arg_desc next;
} refinements[] = {
    {CALL_fcntl, 0, {KIND_int, NO_COUNT, 0}},
    {CALL_fcntl, 1030, {KIND_int, NO_COUNT, 0}},
    {CALL_fcntl, 1, {KIND_none, NO_COUNT, 0}},
    {CALL_fcntl, 2, {KIND_flags, NO_COUNT, SET_fd}},
    {CALL_fcntl, 3, {KIND_none, NO_COUNT, 0}},
    {CALL_fcntl, 4, {KIND_flags, NO_COUNT, SET_open}},
    {CALL_fcntl, 5, {KIND_io, NO_COUNT, STRUCT_flock}},
    {CALL_fcntl, 6, {KIND_in, NO_COUNT, STRUCT_flock}},
    {CALL_fcntl, 7, {KIND_in, NO_COUNT, STRUCT_flock}},
    {CALL_fcntl, 36, {KIND_io, NO_COUNT, STRUCT_flock}},
    {CALL_fcntl, 37, {KIND_in, NO_COUNT, STRUCT_flock}},
    {CALL_fcntl, 38, {KIND_in, NO_COUNT, STRUCT_flock}},
    {CALL_fcntl, 8, {KIND_pid, NO_COUNT, 0}},
    {CALL_fcntl, 9, {KIND_none, NO_COUNT, 0}},
    {CALL_fcntl, 10, {KIND_sig, NO_COUNT, 0}},
    {CALL_fcntl, 11, {KIND_none, NO_COUNT, 0}},
    {CALL_fcntl, 15, {KIND_in, NO_COUNT, STRUCT_f_owner_ex}},
    {CALL_fcntl, 16, {KIND_out, NO_COUNT, STRUCT_f_owner_ex}},
    {CALL_fcntl, 1024, {KIND_enum, NO_COUNT, SET_locktype}},
    {CALL_fcntl, 1025, {KIND_none, NO_COUNT, 0}},
    {CALL_fcntl, 1031, {KIND_int, NO_COUNT, 0}},
    {CALL_fcntl, 1032, {KIND_none, NO_COUNT, 0}},
    {CALL_fcntl, 1033, {KIND_hex, NO_COUNT, 0}},
    {CALL_fcntl, 1034, {KIND_none, NO_COUNT, 0}},
    {CALL_prctl, 15, {KIND_str, NO_COUNT, 0}},
    {CALL_prctl, 1, {KIND_sig, NO_COUNT, 0}},
    {CALL_prctl, 4, {KIND_ulong, NO_COUNT, 0}},
    {CALL_prctl, 3, {KIND_none, NO_COUNT, 0}},
};

enum { FUTEX_OP_MASK = 127 };

/* How many arguments a futex operation has. */
static unsigned futex_args(unsigned op)
{
    static const uint8_t nargs[] = {4, 3, 3, 5, 6, 6, 4, 2, 2, 6, 6, 6, 6, 4};
    return op < ARRAY_SIZE(nargs) ? nargs[op] : 6;
}

unsigned trace_refine(struct task *t, int call, const uint64_t a[6], struct arg_desc out[6])
{
    const struct call_desc *d = &syscall_calls[call];
    memcpy(out, d->arg, sizeof d->arg);
    for (unsigned i = 1; i < d->nargs; i++)
        if (out[i].kind == KIND_mode && out[i - 1].kind == KIND_flags && out[i - 1].ref == SET_open &&
            !(flags_to_host(t->abi->syscalls, SET_open, a[i - 1]) & (0100 | 020000000)))
            return i;
    unsigned at = call == CALL_prctl ? 0 : 1;
    for (unsigned i = 0; i < ARRAY_SIZE(refinements); i++)
        if (refinements[i].call == call && refinements[i].command == a[at]) {
            out[at + 1] = refinements[i].next;
            return at + 1 + (refinements[i].next.kind != KIND_none);
        }
    if (call == CALL_ioctl) {
        const struct ioctl_desc *c = ioctl_by_command((uint32_t)a[1]);
        if (c) {
            out[2] = c->arg;
            return c->arg.kind == KIND_none ? 2 : 3;
        }
    }
    if (call == CALL_futex) {
        unsigned op = a[1] & FUTEX_OP_MASK;
        bool timed = op == 0 || op == 6 || op == 9 || op == 11 || op == 13;
        out[3] = timed ? (struct arg_desc){KIND_in, NO_COUNT, STRUCT_timespec}
                       : (struct arg_desc){KIND_uint, NO_COUNT, 0};
        if (op == 9 || op == 10)
            out[5].kind = KIND_hex;
        return futex_args(op);
    }
    return d->nargs;
}

/* Values whose name is not a plain look-up. False: print as described. */
static bool print_specially(struct task *t, struct trace_line *l, unsigned i)
{
    uint64_t v = l->a[i];
    if (l->call == CALL_ioctl && i == 1) {
        const struct ioctl_desc *c = ioctl_by_command((uint32_t)v);
        if (c)
            trace_put(l, "%s", c->name);
        return c != NULL;
    }
    if (l->call == CALL_futex && i == 1) {
        trace_value(t, l, (struct arg_desc){KIND_enum, NO_COUNT, SET_futex}, l->a, v & FUTEX_OP_MASK, 0);
        trace_put(l, "%s%s", v & 128 ? "_PRIVATE" : "", v & 256 ? "|FUTEX_CLOCK_REALTIME" : "");
        return true;
    }
    if ((l->call == CALL_getsockopt || l->call == CALL_setsockopt) && i == 2 && (l->a[1] == 1 || l->a[1] == 6)) {
        trace_value(t, l, (struct arg_desc){KIND_enum, NO_COUNT, l->a[1] == 1 ? SET_so : SET_tcpopt}, l->a, v, 0);
        return true;
    }
    return false;
}

static bool written_by_call(unsigned kind)
{
    return kind == KIND_bufout || kind == KIND_out || kind == KIND_io || kind == KIND_iovout || kind == KIND_saout ||
           kind == KIND_msgout || kind == KIND_sigsetout ||
           kind == KIND_cpuset || kind == KIND_fdset;
}

/* Prints arguments from next_arg on; before the call it stops at the first one that the call writes. */
static void put_args(struct task *t, struct trace_line *l, bool before, int64_t ret)
{
    struct arg_desc arg[6];
    unsigned n = trace_refine(t, l->call, l->a, arg);
    for (; l->next_arg < n; l->next_arg++) {
        unsigned i = l->next_arg;
        if (before && written_by_call(arg[i].kind))
            return;
        if (i)
            trace_put(l, ", ");
        if (!print_specially(t, l, i))
            trace_value(t, l, arg[i], l->a, l->a[i], ret);
    }
}

static void flush_line(struct trace_line *l)
{
    log_printf("%s\n", l->text);
}

void trace_enter(struct task *t, struct trace_line *l, int call, uint64_t number, const uint64_t a[6])
{
    const struct call_desc *d = &syscall_calls[call];
    l->used = 0;
    l->next_arg = 0;
    l->call = call;
    memcpy(l->a, a, sizeof l->a);
    trace_put(l, "%ld ", syscall(SYS_gettid));
    if (call == CALL_unknown)
        trace_put(l, "syscall_%#" PRIx64 "(", number);
    else
        trace_put(l, "%s(", d->name);
    put_args(t, l, true, 0);
    if (d->ret == KIND_none) {
        trace_put(l, ") = ?");
        flush_line(l);
    }
}

void trace_leave(struct task *t, struct trace_line *l, int64_t ret)
{
    const struct call_desc *d = &syscall_calls[l->call];
    if (d->ret == KIND_none)
        return;
    put_args(t, l, false, ret == -SYS_KEEP_REGS ? 0 : ret);
    trace_put(l, ")");
    if (l->used < 40) /* strace aligns results of short lines */
        trace_put(l, "%*s", (int)(40 - l->used), "");
    const struct errno_desc *e = ret < 0 && ret >= -4095 ? errno_by_number((unsigned)-ret) : NULL;
    if (ret == -SYS_KEEP_REGS)
        trace_put(l, " = 0");
    else if (ret <= -SYS_RESTART && ret >= -SYS_RESTART_BLOCK)
        trace_put(l, " = ? %s (%s)", e ? e->name : "ERESTART", e ? e->text : "");
    else if (e)
        trace_put(l, " = -1 %s (%s)", e->name, e->text);
    else if (d->ret == KIND_hex)
        trace_put(l, " = %#" PRIx64, (uint64_t)ret);
    else if (d->ret == KIND_mode)
        trace_put(l, " = %#03" PRIo64, (uint64_t)ret);
    else
        trace_put(l, " = %" PRId64, ret);
    flush_line(l);
}

void trace_signal(struct task *t, int signo, const void *siginfo)
{
    struct trace_line l = {.call = CALL_unknown};
    char buf[16];
    uint64_t fields[3];
    int32_t head[4]; /* si_signo, si_errno, si_code, padding; then pid and uid, or the address of a fault */
    memcpy(head, siginfo, sizeof head);
    memcpy(fields, (const char *)siginfo + 16, sizeof fields);
    const char *name = trace_signal_name(signo, buf);
    trace_put(&l, "%ld --- %s {si_signo=%s, si_code=", syscall(SYS_gettid), name, name);
    trace_value(t, &l, (struct arg_desc){KIND_enum, NO_COUNT, SET_si_code}, NULL, (uint64_t)(int64_t)head[2], 0);
    if (head[2] > 0 && (signo == 4 || signo == 5 || signo == 7 || signo == 8 || signo == 11))
        trace_put(&l, ", si_addr=%#" PRIx64, fields[0]);
    else
        trace_put(&l, ", si_pid=%d, si_uid=%u", (int32_t)fields[0], (uint32_t)(fields[0] >> 32));
    trace_put(&l, "} ---");
    flush_line(&l);
}
