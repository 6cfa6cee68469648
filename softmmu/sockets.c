/* Stream sockets of the host: see sockets.h. */
#define _GNU_SOURCE
#include "softmmu/sockets.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unix-socket.h"

int socket_unix(const char *path, bool server)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (server)
        return unix_listen(path);
    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(a.sun_path, path);
    int at = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (at >= 0 && connect(at, (void *)&a, sizeof a)) {
        int e = errno;
        close(at);
        errno = e;
        return -1;
    }
    return at;
}

int socket_tcp(const char *host, const char *port, bool server)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = server ? AI_PASSIVE : 0}, *list = NULL;
    int at = -1, e = EADDRNOTAVAIL, yes = 1;
    if (getaddrinfo(host && *host ? host : NULL, port, &hints, &list))
        list = NULL;
    for (const struct addrinfo *a = list; a && at < 0; a = a->ai_next) {
        at = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (at < 0)
            continue;
        setsockopt(at, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (server ? bind(at, a->ai_addr, a->ai_addrlen) || listen(at, 1) : connect(at, a->ai_addr, a->ai_addrlen)) {
            e = errno;
            close(at);
            at = -1;
        }
    }
    if (list)
        freeaddrinfo(list);
    errno = e;
    return at;
}
