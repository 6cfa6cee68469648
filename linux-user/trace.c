/* The lines of -strace: when each argument is printed, how the result looks, filters, JSON. */
#include "linux-user/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/abi.h"
#include "linux-user/options.h"
#include "linux-user/task.h"
#include "linux-user/trace-log.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

/* --- text --- */

/* False: there is no memory for a longer line; the rest is dropped. */
static bool reserve(struct trace_line *l, size_t n)
{
    if (l->used + n < l->room)
        return true;
    size_t room = 2 * l->room + n;
    char *text = realloc(l->text == l->own ? NULL : l->text, room);
    if (!text)
        return false;
    if (l->text == l->own)
        memcpy(text, l->own, l->used + 1);
    l->text = text;
    l->room = room;
    return true;
}

void trace_put(struct trace_line *l, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        trace_put_bytes(l, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void trace_put_bytes(struct trace_line *l, const char *text, size_t n)
{
    if (l->hidden || !reserve(l, n))
        return;
    memcpy(l->text + l->used, text, n);
    l->used += n;
    l->text[l->used] = 0;
}

static void free_text(struct trace_line *l)
{
    if (l->text != l->own)
        free(l->text);
    l->text = l->own;
}

void trace_line_start(struct task *t, struct trace_line *l, int call)
{
    l->options = &t->process->options->trace;
    l->text = l->own;
    l->room = sizeof l->own;
    l->used = l->written = 0;
    l->next_arg = 0;
    l->call = call;
    l->hidden = false;
    l->text[0] = 0;
    if (!l->options->json)
        l->used = trace_log_prefix(l->options, l->text);
}

/* A line that stands for no call. */
static void put_event(struct trace_line *l)
{
    trace_log_write(l->options, NULL, l->text, l->used, 0, "");
    free_text(l);
}

/* --- JSON --- */

static void put_json_string(struct trace_line *l, const char *text, size_t n)
{
    trace_put_bytes(l, "\"", 1);
    for (size_t i = 0; i < n; i++)
        if (text[i] == '"' || text[i] == '\\')
            trace_put(l, "\\%c", text[i]);
        else if ((unsigned char)text[i] < ' ' || text[i] == 127)
            trace_put(l, "\\u%04x", (unsigned char)text[i]);
        else
            trace_put_bytes(l, text + i, 1);
    trace_put_bytes(l, "\"", 1);
}

static void start_json(struct task *t, struct trace_line *out)
{
    trace_line_start(t, out, CALL_unknown);
    trace_put(out, "{\"pid\":%d,\"tid\":%ld,\"time\":%.6f", getpid(), syscall(SYS_gettid),
              (double)trace_log_time() / 1e9);
}

/* The line as an object; result: " = 3", or NULL when the call never comes back. */
static void put_json(struct task *t, struct trace_line *l, int64_t ret, const char *result)
{
    struct trace_line out;
    start_json(t, &out);
    trace_put(&out, ",\"call\":\"%s\",\"args\":[", syscall_calls[l->call].name);
    for (unsigned i = 0; i < l->next_arg; i++) {
        trace_put(&out, i ? "," : "");
        put_json_string(&out, l->text + l->arg_at[i], l->arg_end[i] - l->arg_at[i]);
    }
    trace_put(&out, "]");
    const struct errno_desc *e = ret < 0 && ret >= -4095 ? errno_by_number((unsigned)-ret) : NULL;
    if (!result)
        trace_put(&out, ",\"result\":null");
    else
        trace_put(&out, ",\"result\":%" PRId64, e ? -1 : ret);
    if (result && e)
        trace_put(&out, ",\"error\":\"%s\"", e->name);
    if (result) {
        trace_put(&out, ",\"text\":");
        put_json_string(&out, result, strlen(result));
        trace_put(&out, ",\"seconds\":%.6f", (double)l->took / 1e9);
    }
    trace_put(&out, "}");
    put_event(&out);
}

/* --- calls --- */

static bool written_by_call(unsigned kind)
{
    switch (kind) {
    case KIND_bufout:
    case KIND_randout:
    case KIND_xattrout:
    case KIND_strout:
    case KIND_out:
    case KIND_io:
    case KIND_len:
    case KIND_pos:
    case KIND_iovout:
    case KIND_saout:
    case KIND_msgout:
    case KIND_mmsgin:
    case KIND_mmsgout:
    case KIND_sockoptout:
    case KIND_sigsetout:
    case KIND_sigactout:
    case KIND_cpusetout:
    case KIND_capsout:
    case KIND_msgbufout:
    case KIND_dirents:
    case KIND_nodesout: return true;
    }
    return false;
}

/*
 * Prints arguments from next_arg on; before the call it stops at the first one that the call writes, behind the comma
 * in front of it.
 */
static void put_args(struct task *t, struct trace_line *l, bool before, int64_t ret)
{
    bool first = true;
    for (; l->next_arg < l->nargs; l->next_arg++) {
        unsigned i = l->next_arg;
        if (l->arg[i].kind != KIND_none && !first)
            trace_put(l, ", ");
        l->arg_at[i] = l->arg_end[i] = l->used;
        if (l->arg[i].kind == KIND_none)
            continue;
        if (before && (written_by_call(l->arg[i].kind) || l->call == CALL_clone || l->call == CALL_clone3))
            return;
        first = false;
        if (!trace_special(t, l, i, ret))
            trace_value(t, l, l->arg[i], l->a[i], ret);
        l->arg_end[i] = l->used;
    }
}

/* A call whose line is begun in the log before it is made: it may take long, or not come back. */
static bool shown_at_once(const struct trace_line *l)
{
    const struct call_desc *d = &syscall_calls[l->call];
    static const uint16_t others[] = {CALL_execve, CALL_execveat, CALL_clone, CALL_clone3,
                                      CALL_kill,   CALL_tkill,    CALL_tgkill};
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        if (l->call == others[i])
            return true;
    return d->restart;
}

/* Whether a line may be written before the result is known. */
static bool shown_whatever_result(const struct trace_options *o)
{
    return !o->json && !o->hide_successful && !o->hide_failed;
}

static void put_exit(struct task *t, struct trace_line *l)
{
    const struct trace_options *o = l->options;
    if (!o->quiet && !o->only_counts && !o->json) {
        struct trace_line end;
        trace_line_start(t, &end, l->call);
        trace_put(&end, "+++ exited with %d +++", (int)l->a[0] & 0xff);
        put_event(&end);
    }
    if (o->counts && l->call == CALL_exit_group)
        trace_log_print_counts();
    if (l->call == CALL_exit)
        log_close_own();
}

void trace_enter(struct task *t, struct trace_line *l, int call, uint64_t number, const uint64_t a[6])
{
    const struct call_desc *d = &syscall_calls[call];
    trace_line_start(t, l, call);
    const struct trace_options *o = l->options;
    l->hidden = o->only_counts || !trace_shows(o, call);
    l->number = number;
    memcpy(l->a, a, sizeof l->a);
    if (!l->hidden) {
        trace_refine(t, l);
        for (unsigned i = 0; i < l->nargs; i++) {
            l->saved[i] = 0; /* a length fills its low half */
            if ((l->arg[i].kind == KIND_len && copy_from_guest(t, &l->saved[i], a[i], 4)) ||
                (l->arg[i].kind == KIND_pos && copy_from_guest(t, &l->saved[i], a[i], 8)))
                l->saved[i] = 0;
        }
        if (call == CALL_unknown)
            trace_put(l, "syscall_%#" PRIx64 "(", number);
        else
            trace_put(l, "%s(", d->name);
        if (call == CALL_restart_syscall)
            trace_put(l, "<... resuming interrupted %s ...>",
                      t->restart.call == CALL_unknown ? "system call" : syscall_calls[t->restart.call].name);
        put_args(t, l, true, 0);
    }
    if (d->ret == KIND_none) {
        if (!l->hidden && o->json)
            put_json(t, l, 0, NULL);
        else if (!l->hidden) {
            trace_put(l, ")");
            trace_log_write(o, d->name, l->text, l->used, 0, " = ?");
        }
        free_text(l);
        if (o->counts)
            trace_log_count(call, false, 0);
        put_exit(t, l);
    } else if (!l->hidden && shown_whatever_result(o) && shown_at_once(l)) {
        trace_log_write(o, d->name, l->text, l->used, 0, NULL);
        l->written = l->used;
    }
    l->start = trace_log_time();
}

/* The result's text, which begins with " = ". */
static void put_result(struct task *t, struct trace_line *l, int64_t ret)
{
    const struct errno_desc *e = ret < 0 && ret >= -4095 ? errno_by_number((unsigned)-ret) : NULL;
    if (ret <= -SYS_RESTART && ret >= -SYS_RESTART_BLOCK)
        trace_put(l, " = ? %s (%s)", e ? e->name : "ERESTART", e ? e->text : "");
    else if (e)
        trace_put(l, " = -1 %s (%s)", e->name, e->text);
    else
        trace_result(t, l, ret);
    if (l->options->duration)
        trace_put(l, " <%" PRIu64 ".%06" PRIu64 ">", l->took / 1000000000, l->took % 1000000000 / 1000);
}

void trace_leave(struct task *t, struct trace_line *l, int64_t ret)
{
    const struct trace_options *o = l->options;
    if (syscall_calls[l->call].ret == KIND_none)
        return;
    l->took = trace_log_time() - l->start;
    if (ret == -SYS_KEEP_REGS) {
        uint64_t a[6];
        t->abi->syscall_args(t->cpu, a);
        ret = l->call == CALL_rt_sigreturn ? (int64_t)a[0] : 0;
    }
    bool child = !ret && (l->call == CALL_clone || l->call == CALL_clone3);
    if (o->counts && !child)
        trace_log_count(l->call, ret < 0 && ret >= -4095, l->took);
    if (!l->hidden && !child && !(ret < 0 ? o->hide_failed : o->hide_successful)) {
        struct trace_line result;
        put_args(t, l, false, ret);
        trace_put(l, o->json ? "" : ")");
        trace_line_start(t, &result, l->call);
        result.used = 0;
        result.took = l->took;
        memcpy(result.a, l->a, sizeof result.a);
        memcpy(result.arg, l->arg, sizeof result.arg);
        result.ret = l->ret;
        result.ret_ref = l->ret_ref;
        put_result(t, &result, ret);
        if (o->json)
            put_json(t, l, ret, result.text + 3);
        else
            trace_log_write(o, syscall_calls[l->call].name, l->text, l->used, l->written, result.text);
        free_text(&result);
    }
    free_text(l);
}

/* --- what is no call --- */

void trace_signal(struct task *t, int signo, const void *siginfo)
{
    const struct trace_options *o = &t->process->options->trace;
    struct trace_line l;
    char buf[16];
    if (o->only_counts || !(o->signals >> (signo - 1) & 1))
        return;
    const char *name = trace_signal_name(signo, buf);
    trace_line_start(t, &l, CALL_unknown);
    if (!o->json) {
        trace_put(&l, "--- %s ", name);
        trace_siginfo(&l, siginfo);
        trace_put(&l, " ---");
        put_event(&l);
        return;
    }
    struct trace_line out;
    trace_siginfo(&l, siginfo);
    start_json(t, &out);
    trace_put(&out, ",\"signal\":\"%s\",\"siginfo\":", name);
    put_json_string(&out, l.text, l.used);
    trace_put(&out, "}");
    put_event(&out);
    free_text(&l);
}

void trace_killed(struct task *t, int signo)
{
    const struct trace_options *o = &t->process->options->trace;
    struct trace_line l;
    char buf[16];
    if (!o->quiet && !o->only_counts && !o->json) {
        trace_line_start(t, &l, CALL_unknown);
        trace_put(&l, "+++ killed by %s +++", trace_signal_name(signo, buf));
        put_event(&l);
    }
    if (o->counts)
        trace_log_print_counts();
}

/* Strings of the program's start, one behind the other: metic has put them there. Returns how many. */
static unsigned put_start_strings(struct trace_line *l, uint64_t from, uint64_t end, bool show)
{
    size_t limit = l->options->string_limit;
    unsigned n = 0;
    trace_put(l, show ? "[" : "");
    for (uint64_t at = from; at < end; n++) {
        size_t length = strlen((const char *)at);
        if (show) {
            trace_put(l, n ? ", " : "");
            trace_quoted(l, (const char *)at, length < limit ? length : limit, length > limit);
        }
        at += length + 1;
    }
    trace_put(l, show ? "]" : "");
    return n;
}

/*
 * An execve that works does not come back; the program it starts finishes its line. The program that was started from
 * outside has the whole line to itself.
 */
void trace_started(struct task *t)
{
    const struct trace_options *o = &t->process->options->trace;
    struct process *p = t->process;
    struct trace_line l;
    if (o->counts)
        trace_log_count(CALL_execve, false, 0);
    if (o->only_counts || o->hide_successful || !trace_shows(o, CALL_execve))
        return;
    if (p->options->trace_fd >= 0 && shown_whatever_result(o)) {
        trace_log_continue(o, "execve", ")", " = 0");
        return;
    }
    trace_line_start(t, &l, CALL_execve);
    trace_put(&l, "execve(");
    l.next_arg = l.nargs = 3;
    l.took = 0;
    l.arg_at[0] = l.used;
    trace_quoted(&l, p->exe_path, strlen(p->exe_path), false);
    l.arg_end[0] = l.used;
    trace_put(&l, ", ");
    l.arg_at[1] = l.used;
    put_start_strings(&l, p->arg_start, p->arg_end, true);
    l.arg_end[1] = l.used;
    trace_put(&l, ", ");
    l.arg_at[2] = l.used;
    unsigned n = put_start_strings(&l, p->env_start, p->env_end, o->verbose);
    if (!o->verbose)
        trace_put(&l, "%#" PRIx64 " /* %u var%s */", p->env_start, n, n == 1 ? "" : "s");
    l.arg_end[2] = l.used;
    trace_put(&l, ")");
    if (o->json)
        put_json(t, &l, 0, "0");
    else
        trace_log_write(o, "execve", l.text, l.used, 0, " = 0");
    free_text(&l);
}
