/* Opening stream sockets. Both return a descriptor, or -1 with errno set. */
#ifndef SOFTMMU_SOCKETS_H
#define SOFTMMU_SOCKETS_H

#include <stdbool.h>

/* A server's path is taken over; it listens already. */
int socket_unix(const char *path, bool server);
/* host NULL or "": every interface, or this host. */
int socket_tcp(const char *host, const char *port, bool server);

#endif
