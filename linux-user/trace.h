/*
 * -strace: a line per system call in strace(1)'s format, from the same descriptions that dispatch it. Arguments the
 * call reads are printed before it runs, those it writes afterwards. What a call that may wait has so far is in the log
 * before it waits; another thread's or process's line in between makes it "<unfinished ...>" and later "<... call
 * resumed>".
 */
#ifndef LINUX_USER_TRACE_H
#define LINUX_USER_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux-user/trace-options.h"
#include "syscall-tables/tables.h"

struct task;

enum { TRACE_ARRAY_LIMIT = 32, TRACE_LINE = 2048 };

/* A line under construction. */
struct trace_line {
    const struct trace_options *options;
    char *text; /* `own`, or from the heap when the line is longer */
    size_t used, room;
    size_t written;               /* bytes of text that are in the log */
    size_t arg_at[6], arg_end[6]; /* where in text arguments are */
    unsigned next_arg;            /* first argument not yet printed */
    int call;
    bool hidden; /* only what happens is wanted, not its text */
    uint64_t number, a[6];
    struct arg_desc arg[6]; /* what the arguments are, once a command has decided it */
    unsigned nargs;
    uint8_t ret; /* enum value_kind */
    uint16_t ret_ref;
    uint64_t saved[6];    /* what io arguments pointed to before the call */
    uint64_t start, took; /* nanoseconds */
    char own[TRACE_LINE];
};

/* Whether a call is traced at all. */
void trace_enter(struct task *t, struct trace_line *l, int call, uint64_t number, const uint64_t a[6]);
/* Completes and logs the line. ret as handlers answer it. */
void trace_leave(struct task *t, struct trace_line *l, int64_t ret);
/* "--- SIGINT {si_signo=SIGINT, …} ---" of a signal about to be delivered; siginfo: the kernel's 128 bytes. */
void trace_signal(struct task *t, int signo, const void *siginfo);
/* "+++ killed by SIGINT +++" of a process that is about to be. */
void trace_killed(struct task *t, int signo);
/* The program begins: the end of the execve that started it. */
void trace_started(struct task *t);
/* -- between trace*.c */
void trace_put(struct trace_line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void trace_put_bytes(struct trace_line *l, const char *text, size_t n);
void trace_line_start(struct task *t, struct trace_line *l, int call);
/* One value of a described kind; ret: the call's result for what the call wrote, before it: 0. */
void trace_value(struct task *t, struct trace_line *l, struct arg_desc d, uint64_t v, int64_t ret);
void trace_flags(struct trace_line *l, const struct flag_set *s, uint64_t v);
/* The name, and whether there is one; without, nothing is printed. */
bool trace_name(struct trace_line *l, const struct flag_set *s, uint64_t v);
/* What is in no set: the number and a remark which names it might have had, and the name in that alone. */
void trace_unknown(struct trace_line *l, const struct flag_set *s, uint64_t v);
void trace_unknown_name(struct trace_line *l, const struct flag_set *s);
/* Sets that are the same on every generic architecture, for what has no guest at hand. */
static inline const struct flag_set *common_set(enum flag_set_id id) { return &syscall_abi_riscv64.sets[id]; }
#define COMMON_SET(name) common_set(SET_##name)
void trace_address(struct trace_line *l, uint64_t v);
void trace_quoted(struct trace_line *l, const void *bytes, size_t n, bool more);
/* `n` bytes of the guest's memory as a string. */
void trace_buffer(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n);
/* The same, every byte in hexadecimal. */
void trace_hex(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n);
/* Of networks: an interface by its number, hardware's addresses, protocols in the network's order of bytes. */
void trace_ifindex(struct trace_line *l, uint32_t v);
void trace_mac(struct trace_line *l, const unsigned char *bytes, size_t n);
void trace_ethertype(struct trace_line *l, const char *prefix, uint16_t v);
void trace_fd(struct task *t, struct trace_line *l, int fd);
void trace_struct(struct task *t, struct trace_line *l, enum struct_id id, const void *bytes);
/* Signals: trace-signals.c. Those with _at are in guest memory. */
const char *trace_signal_name(int signo, char buf[16]);
void trace_sigset(struct trace_line *l, uint64_t set);
void trace_siginfo(struct trace_line *l, const void *siginfo);
void trace_sigset_at(struct task *t, struct trace_line *l, uint64_t addr);
void trace_sigmask_at(struct task *t, struct trace_line *l, uint64_t addr); /* pselect6's last argument: {set, size} */
void trace_sigaction_at(struct task *t, struct trace_line *l, uint64_t addr);
/* Values of sockets: trace-sockets.c. False: it is none. */
bool trace_socket_value(struct task *t, struct trace_line *l, struct arg_desc d, uint64_t v, int64_t ret);
/* A struct sockaddr of the host's memory, of at most 128 bytes. */
void trace_sockaddr(struct task *t, struct trace_line *l, const void *bytes, uint32_t len);
/* What a call passes: netlink's messages taken apart (trace-netlink.c), any other as a string. */
void trace_netlink(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n);
void trace_payload(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n);
/* netlink: they are a message to or from one of its addresses. */
void trace_iov(struct task *t, struct trace_line *l, uint64_t addr, uint64_t n, uint64_t bytes, bool netlink);
/* What arguments are by the values of others, what is peculiar to a call, and what stands behind a result:
 * trace-calls.c. */
void trace_refine(struct task *t, struct trace_line *l);
bool trace_special(struct task *t, struct trace_line *l, unsigned i, int64_t ret);
void trace_result(struct task *t, struct trace_line *l, int64_t ret);

#endif
