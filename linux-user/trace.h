/*
 * --strace: a line per system call in strace(1)'s format, from the same descriptions that dispatch it, one per finished
 * call. Arguments the call reads are printed before it runs, those it writes afterwards. A line reaches the log whole.
 */
#ifndef LINUX_USER_TRACE_H
#define LINUX_USER_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "syscall-tables/tables.h"

struct task;

enum { TRACE_STRING_LIMIT = 32, TRACE_ARRAY_LIMIT = 32, TRACE_LINE = 4096 };

/* A line under construction; text that does not fit is dropped. */
struct trace_line {
    size_t used;
    unsigned next_arg; /* first argument not yet printed */
    int call;
    uint64_t a[6];
    char text[TRACE_LINE];
};

void trace_enter(struct task *t, struct trace_line *l, int call, uint64_t number, const uint64_t a[6]);
/* Completes and logs the line. ret as handlers answer it. */
void trace_leave(struct task *t, struct trace_line *l, int64_t ret);
/* "--- SIGINT {si_signo=SIGINT, …} ---" of a signal about to be delivered; siginfo: the kernel's 128 bytes. */
void trace_signal(struct task *t, int signo, const void *siginfo);

/* -- for trace.c and trace-values.c */
void trace_put(struct trace_line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One value of a described kind; ret: the call's result for what the call wrote, before it: 0. */
void trace_value(struct task *t, struct trace_line *l, struct arg_desc d, const uint64_t a[6], uint64_t v,
                 int64_t ret);
void trace_flags(struct trace_line *l, const struct flag_set *s, uint64_t v);
const char *trace_signal_name(int signo, char buf[16]);
/* The kinds of the arguments when values of other arguments decide them (fcntl, ioctl, futex, …); returns how many. */
unsigned trace_refine(struct task *t, int call, const uint64_t a[6], struct arg_desc out[6]);

#endif
