/* Logging by topic and the three kinds of message: see log.h. */
#define _GNU_SOURCE
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/own-fds.h"

uint32_t log_mask;

/* The log's destination, and whether messages have times: set once by the main program, read by every thread. */
static bool with_times;
static const char *log_path;
static FILE *log_shared;
static __thread FILE *log_own;

static const char *const topic_words[] = {
#define X(NAME, word, help) word,
    LOG_TOPICS(X)
#undef X
};

void log_print_topics(FILE *f)
{
#define X(NAME, word, help) fprintf(f, "%-12s %s\n", word, help);
    LOG_TOPICS(X)
#undef X
}

const char *log_parse_topics(const char *list)
{
    static char word[32];
    while (*list) {
        size_t n = strcspn(list, ",");
        unsigned t;
        for (t = 0; t < LOG_TOPIC_COUNT; t++)
            if (strlen(topic_words[t]) == n && !strncmp(topic_words[t], list, n))
                break;
        if (t == LOG_TOPIC_COUNT) {
            snprintf(word, sizeof word, "%.*s", (int)n, list);
            return word;
        }
        log_mask |= 1u << t;
        list += n + (list[n] == ',');
    }
    return NULL;
}

/* NULL, errno set, on failure. fd: taken over instead of opening the file, if it is one. */
static FILE *open_stream(const char *path, int fd)
{
    if (fd < 0 || fcntl(fd, F_GETFD) < 0)
        fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666)
                  : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    FILE *f = fdopen(fd_hide(fd), "a");
    if (f)
        setvbuf(f, NULL, _IOLBF, 0);
    return f;
}

bool log_open(const char *path, int fd)
{
    if (path && strstr(path, "%d")) {
        log_path = path;
        if (fd >= 0)
            log_own = open_stream(NULL, fd);
        return true;
    }
    log_shared = open_stream(path, fd);
    return log_shared || !path;
}

bool log_per_thread(void) { return log_path; }

FILE *log_stream(void)
{
    if (log_own)
        return log_own;
    if (log_path) {
        const char *at = strstr(log_path, "%d");
        char *name = NULL;
        if (asprintf(&name, "%.*s%d%s", (int)(at - log_path), log_path, (int)gettid(), at + 2) > 0)
            log_own = open_stream(name, -1);
        if (!log_own)
            report_error("-D %s: %s; the log goes to stderr", name ? name : log_path, strerror(errno));
        free(name);
        return log_own ? log_own : (log_own = stderr);
    }
    return log_shared ? log_shared : stderr;
}

void log_close_own(void)
{
    if (log_own && log_own != stderr) {
        fd_disown(fileno(log_own));
        fclose(log_own);
    }
    log_own = NULL;
}

void log_fork(void)
{
    if (log_path)
        log_close_own();
}

void log_write(const char *text, size_t n)
{
    /* Not through the stream, whose lock a process may have that shares memory and is stopped. */
    int fd = fileno(log_stream());
    for (ssize_t done; n && ((done = write(fd, text, n)) > 0 || (done < 0 && errno == EINTR));)
        if (done > 0) {
            text += done;
            n -= (size_t)done;
        }
}

void log_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(log_stream(), fmt, ap);
    va_end(ap);
}

void report_times(bool on) { with_times = on; }

/* "2026-11-21T18:30:00.123456Z " */
static size_t put_time(char *text, size_t room)
{
    struct timespec now;
    struct tm date;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &date);
    size_t n = strftime(text, room, "%FT%T", &date);
    return n + (size_t)snprintf(text + n, room - n, ".%06ldZ ", now.tv_nsec / 1000);
}

static void say(const char *prefix, const char *fmt, va_list ap)
{
    char line[1024];
    size_t at = with_times ? put_time(line, sizeof line) : 0;
    int n = (int)at + snprintf(line + at, sizeof line - at, "%s", prefix);
    int m = vsnprintf(line + n, sizeof line - n, fmt, ap);
    size_t len = m < 0 ? (size_t)n : (size_t)n + m;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    ssize_t r = write(STDERR_FILENO, line, len);
    (void)r;
}

void report_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say("metic: ", fmt, ap);
    va_end(ap);
}

void report_unimp(const char *fmt, ...)
{
    if (!log_on(LOG_UNIMP))
        return;
    va_list ap;
    va_start(ap, fmt);
    char line[512];
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    log_printf("unimplemented: %s\n", line);
}

void report_bug(const char *file, int line, const char *fmt, ...)
{
    char prefix[256];
    snprintf(prefix, sizeof prefix, "metic: internal error at %s:%d (please report it): ", file, line);
    va_list ap;
    va_start(ap, fmt);
    say(prefix, fmt, ap);
    va_end(ap);
    abort();
}
