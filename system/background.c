/* See background.h. */
#define _GNU_SOURCE
#include "system/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "hw/device.h"

/* The process that the user started: its exit code says whether there is a machine. */
static void wait_for_child(int ready)
{
    char byte;
    ssize_t n;
    do
        n = read(ready, &byte, 1);
    while (n < 0 && errno == EINTR);
    _exit(n == 1 ? 0 : 1);
}

static char *fork_child(struct background *b)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return device_error("-daemonize: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return device_error("-daemonize: %s", strerror(errno));
    close(ends[child ? 1 : 0]);
    if (child)
        wait_for_child(ends[0]);
    b->ready = ends[1];
    setsid();
    return NULL;
}

static char *write_pid(struct background *b)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    b->pidfile_fd = open(b->pidfile, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (b->pidfile_fd < 0)
        return device_error("-pidfile: can't write %s: %s", b->pidfile, strerror(errno));
    if (flock(b->pidfile_fd, LOCK_EX | LOCK_NB)) {
        close(b->pidfile_fd);
        b->pidfile_fd = -1;
        return device_error("-pidfile: %s belongs to another process that runs", b->pidfile);
    }
    if (ftruncate(b->pidfile_fd, 0) || write(b->pidfile_fd, text, (size_t)n) != n)
        return device_error("-pidfile: can't write %s: %s", b->pidfile, strerror(errno));
    return NULL;
}

char *background_begin(struct background *b, bool daemon, const char *pidfile)
{
    *b = (struct background){.daemon = daemon, .ready = -1, .pidfile_fd = -1, .pidfile = pidfile};
    char *line = daemon ? fork_child(b) : NULL;
    return line || !pidfile ? line : write_pid(b);
}

char *background_ready(struct background *b)
{
    if (!b->daemon)
        return NULL;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return device_error("-daemonize: %s", strerror(errno));
    if (write(b->ready, "", 1) != 1)
        return device_error("-daemonize: the process that waits has gone");
    for (int at = STDIN_FILENO; at <= STDERR_FILENO; at++)
        dup2(null, at);
    close(null);
    close(b->ready);
    b->ready = -1;
    return NULL;
}

void background_end(struct background *b)
{
    if (b->pidfile_fd < 0)
        return;
    unlink(b->pidfile);
    close(b->pidfile_fd);
}
