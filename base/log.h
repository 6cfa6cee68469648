/*
 * Logging by topic (the words of `-d`), and the three kinds of message a user can meet:
 * a mistake of the guest or the user, a feature that is missing, a bug of metic. Each is one line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* X(NAME, word, help): the topics of `-d`, in the order of `-d help`. */
#define LOG_TOPICS(X)                                                                             \
    X(IN_ASM, "in_asm", "guest code of each translated unit")                                     \
    X(OP, "op", "IR as the front end built it")                                                   \
    X(OP_OPT, "op_opt", "IR after the optimisation passes")                                       \
    X(OUT_ASM, "out_asm", "generated host code")                                                  \
    X(EXEC, "exec", "each unit before it runs (chaining is off)")                                 \
    X(CPU, "cpu", "guest registers before each unit")                                             \
    X(INT, "int", "signals, exceptions and interrupts")                                           \
    X(PAGE, "page", "each change of the guest's memory map, from its first mapping on")            \
    X(STRACE, "strace", "guest system calls")                                                     \
    X(UNIMP, "unimp", "requests for features metic lacks")                                        \
    X(GUEST_ERROR, "guest_errors", "mistakes of the guest")                                       \
    X(JIT_STATS, "jit-stats", "counts of the code generator at exit")                             \
    X(PERF, "perf", "map of generated code for perf(1): /tmp/perf-<pid>.map")

enum log_topic {
#define X(NAME, word, help) LOG_##NAME,
    LOG_TOPICS(X)
#undef X
        LOG_TOPIC_COUNT
};

/* Topics switched on, one bit each. Written only by the main program before the guest starts. */
extern uint32_t log_mask;
static inline bool log_on(enum log_topic t) { return log_mask >> t & 1; }

/* Parses "in_asm,op" into log_mask; on an unknown word returns it (for the error message), else NULL. */
const char *log_parse_topics(const char *list);
/* A line for each topic. */
void log_print_topics(FILE *f);
/*
 * Log file by name; "%d" becomes the thread id (a file per thread). NULL: stderr as it is now, wherever the guest lets
 * its own lead. fd: -1, or a descriptor to which a program before this one in the same process logged: it is taken over
 * instead. False, errno set, on failure.
 */
bool log_open(const char *path, int fd);
bool log_per_thread(void);
/* The calling thread's stream; never NULL. */
FILE *log_stream(void);
/* The calling thread has ended: its own stream is closed. In a new process: its first thread has no stream yet. */
void log_close_own(void);
void log_fork(void);
/* Text on the calling thread's stream, at once. */
void log_write(const char *text, size_t n);
/* One record on the calling thread's stream, written whole. */
void log_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The user's or the guest's mistake: "metic: …" on stderr. The caller chooses the exit code. */
void report_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* From now on the messages begin with the date and time (UTC). Before other threads are there. */
void report_times(bool on);
/* A missing feature: logged once per distinct fmt under LOG_UNIMP. */
void report_unimp(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A bug of metic: prints where and aborts the process. */
void report_bug(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), noreturn));
#define BUG(...) report_bug(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(cond)                                                                               \
    do {                                                                                          \
        if (__builtin_expect(!(cond), 0))                                                         \
            BUG("check failed: %s", #cond);                                                       \
    } while (0)

#endif
