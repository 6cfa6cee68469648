/* See unix-socket.h. */
#include "base/unix-socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int unix_listen(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s~", path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(a.sun_path);
    /* Between bind() and listen() nobody could connect: it has another name until then. */
    if (fd >= 0 && (bind(fd, (void *)&a, sizeof a) || listen(fd, 1) || rename(a.sun_path, path))) {
        int e = errno;
        unlink(a.sun_path);
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}
