/* Stream sockets at a path (unix(7)). */
#ifndef BASE_UNIX_SOCKET_H
#define BASE_UNIX_SOCKET_H

/*
 * A socket that listens at the path, in place of what was there: who finds it there can connect. For one connection at a
 * time. -1 and errno: ENAMETOOLONG from 107 bytes on.
 */
int unix_listen(const char *path);

#endif
