/* Whole files in one buffer, for programs that look into /proc. */
#ifndef TESTS_LINUX_SLURP_H
#define TESTS_LINUX_SLURP_H

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

static char text[1 << 20];

/* The whole file, NUL behind it, and closes it: its length, -1: can't be opened. */
static ssize_t slurp_fd(int fd)
{
    size_t n = 0;
    ssize_t got;
    if (fd < 0)
        return -1;
    while (n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = 0;
    close(fd);
    return (ssize_t)n;
}

static ssize_t slurp(const char *path) { return slurp_fd(open(path, O_RDONLY | O_CLOEXEC)); }

#endif
