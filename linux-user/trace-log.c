/* The shared side of -strace: see trace-log.h. The line format is strace(1)'s for output in a file. */
#include "linux-user/trace-log.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own-fds.h"
#include "linux-user/tracer.h"

enum {
    LOCK_PATIENCE = 10000000, /* ns between looks whether who holds the lock is alive */
    LOCK_LOOKS = 100,         /* so many, and the lock is taken from it */
    COLUMN = 40,              /* of a result */
};

#define SECOND UINT64_C(1000000000)

struct call_count {
    _Atomic uint64_t calls, errors, time;
};

/* The memory file. */
struct shared {
    atomic_int lock;       /* who holds it; 0: nobody */
    int32_t open;          /* whose line is open; 0: nobody's */
    int32_t first;         /* the process that was started first */
    uint32_t column;       /* of its end */
    _Atomic uint64_t last; /* when the last line began, in ns */
    struct call_count counts[CALL_COUNT];
};

/* Mapped once at the start; the same in every thread, and in child processes. */
static struct shared *shared;
static int shared_fd = -1;

uint64_t trace_log_time(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static int32_t own_tid(void) { return (int32_t)syscall(SYS_gettid); }

void trace_log_start(int fd)
{
    bool new = fd < 0 || lseek(fd, 0, SEEK_END) != sizeof *shared;
    if (new) {
        fd = memfd_create("trace", MFD_CLOEXEC);
        if (fd >= 0 && ftruncate(fd, sizeof *shared)) {
            close(fd);
            fd = -1;
        }
    }
    shared_fd = fd < 0 ? -1 : fd_hide(fd);
    shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), shared_fd, 0);
    CHECK(shared != MAP_FAILED);
    if (new)
        shared->first = (int32_t)getpid();
}

int trace_log_descriptor(void) { return shared_fd; }

/* --- the lock: of its own kind, for whoever holds it may be killed at any moment --- */

static void lock(int32_t tid)
{
    const struct timespec patience = {.tv_nsec = LOCK_PATIENCE};
    for (unsigned looks = 0;;) {
        int holder = 0;
        if (atomic_compare_exchange_strong(&shared->lock, &holder, tid))
            return;
        long r = syscall(SYS_futex, &shared->lock, FUTEX_WAIT, holder, &patience, NULL, 0);
        if (r < 0)
            tracer_attend(); /* the holder may be stopped, for this thread to send on */
        bool dead = r < 0 && errno == ETIMEDOUT && (++looks == LOCK_LOOKS || (kill(holder, 0) && errno == ESRCH));
        if (dead && atomic_compare_exchange_strong(&shared->lock, &holder, tid))
            return;
    }
}

static void unlock(void)
{
    atomic_store(&shared->lock, 0);
    syscall(SYS_futex, &shared->lock, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* --- lines --- */

size_t trace_log_prefix(const struct trace_options *o, char out[TRACE_PREFIX])
{
    struct timespec now;
    size_t n = 0;
    char text[16];
    if (!log_per_thread())
        n += (size_t)snprintf(out, TRACE_PREFIX, "%-5d ", own_tid());
    if (o->clock) {
        clock_gettime(CLOCK_REALTIME, &now);
        struct tm tm;
        if (o->clock == TRACE_EPOCH || !localtime_r(&now.tv_sec, &tm))
            n += (size_t)snprintf(out + n, TRACE_PREFIX - n, "%" PRId64, (int64_t)now.tv_sec);
        else if (strftime(text, sizeof text, "%H:%M:%S", &tm))
            n += (size_t)snprintf(out + n, TRACE_PREFIX - n, "%s", text);
        n += o->clock == TRACE_SECONDS ? (size_t)snprintf(out + n, TRACE_PREFIX - n, " ")
                                       : (size_t)snprintf(out + n, TRACE_PREFIX - n, ".%06ld ", now.tv_nsec / 1000);
    }
    if (o->relative) {
        uint64_t time = trace_log_time(), last = atomic_exchange(&shared->last, time),
                 since = last && time > last ? time - last : 0;
        n += (size_t)snprintf(out + n, TRACE_PREFIX - n,
                              o->clock ? "(+%6" PRIu64 ".%06" PRIu64 ") " : "%6" PRIu64 ".%06" PRIu64 " ",
                              since / SECOND, since % SECOND / 1000);
    }
    return n;
}

/* The line so far has `column` bytes. */
static void put_result(const char *result, size_t column)
{
    char line[COLUMN];
    if (column + 1 < COLUMN && result[0] == ' ')
        log_write(line, (size_t)snprintf(line, sizeof line, "%*s", (int)(COLUMN - 1 - column), ""));
    log_write(result, strlen(result));
    log_write("\n", 1);
}

/* In a new line of its own. */
static void put_resumed(const struct trace_options *o, const char *name, const char *text, size_t n, const char *result)
{
    char head[TRACE_PREFIX + 64];
    size_t used = trace_log_prefix(o, head);
    used += (size_t)snprintf(head + used, sizeof head - used, "<... %s resumed>", name);
    log_write(head, used);
    log_write(text, n);
    put_result(result, used + n);
}

/* Another's open line is not to be gone on with. */
static void end_open_line(int32_t tid)
{
    static const char unfinished[] = " <unfinished ...>\n";
    if (shared->open && shared->open != tid)
        log_write(unfinished, sizeof unfinished - 1);
}

void trace_log_write(const struct trace_options *o, const char *name, const char *text, size_t n, size_t written,
                     const char *result)
{
    int32_t tid = own_tid();
    bool apart = log_per_thread();
    if (!apart) {
        lock(tid);
        end_open_line(tid);
    }
    if (written && !apart && shared->open != tid) {
        put_resumed(o, name, text + written, n - written, result ? result : "");
    } else {
        log_write(text + written, n - written);
        if (result)
            put_result(result, n);
    }
    if (!apart) {
        shared->open = result ? 0 : tid;
        shared->column = (uint32_t)n;
        unlock();
    }
}

void trace_log_continue(const struct trace_options *o, const char *name, const char *text, const char *result)
{
    int32_t tid = own_tid();
    size_t n = strlen(text);
    if (log_per_thread()) {
        log_write(text, n);
        put_result(result, COLUMN);
        return;
    }
    lock(tid);
    end_open_line(tid);
    if (shared->open == tid) {
        log_write(text, n);
        put_result(result, shared->column + n);
    } else {
        put_resumed(o, name, text, n, result);
    }
    shared->open = 0;
    unlock();
}

/* --- counts --- */

void trace_log_count(int call, bool failed, uint64_t nanoseconds)
{
    struct call_count *c = &shared->counts[call];
    atomic_fetch_add(&c->calls, 1);
    atomic_fetch_add(&c->errors, failed);
    atomic_fetch_add(&c->time, nanoseconds);
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = shared->counts[*(const int *)a].time, y = shared->counts[*(const int *)b].time;
    return x < y ? 1 : x > y ? -1 : *(const int *)a - *(const int *)b;
}

static void put_row(double percent, double seconds, uint64_t calls, uint64_t errors, const char *name)
{
    char line[160], wrong[24] = "";
    if (errors)
        snprintf(wrong, sizeof wrong, "%" PRIu64, errors);
    int n = snprintf(line, sizeof line, "%6.2f %11.6f %11.0f %9" PRIu64 " %9s %s\n", percent, seconds,
                     calls ? seconds * 1e6 / (double)calls : 0, calls, wrong, name);
    log_write(line, (size_t)n);
}

void trace_log_print_counts(void)
{
    static const char head[] = "% time     seconds  usecs/call     calls    errors syscall\n",
                      rule[] = "------ ----------- ----------- --------- --------- ----------------\n";
    int order[CALL_COUNT], n = 0;
    uint64_t time = 0, calls = 0, errors = 0;
    if (getpid() != shared->first)
        return;
    for (int c = 0; c < CALL_COUNT; c++) {
        const struct call_count *count = &shared->counts[c];
        if (count->calls)
            order[n++] = c;
        time += count->time;
        calls += count->calls;
        errors += count->errors;
    }
    qsort(order, (size_t)n, sizeof *order, by_time);
    log_write(head, sizeof head - 1);
    log_write(rule, sizeof rule - 1);
    for (int i = 0; i < n; i++) {
        const struct call_count *count = &shared->counts[order[i]];
        put_row(time ? 100.0 * (double)count->time / (double)time : 0, (double)count->time / SECOND, count->calls,
                count->errors, syscall_calls[order[i]].name);
    }
    log_write(rule, sizeof rule - 1);
    put_row(time ? 100 : 0, (double)time / SECOND, calls, errors, "total");
}
