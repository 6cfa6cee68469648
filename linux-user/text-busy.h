/*
 * Programs that run are not to be written (ETXTBSY of open(2) and truncate(2)). The kernel sees to that for files that
 * it executes itself. For each other's programs guests do it: a process holds a read lock behind the end of any file on
 * its program, where nobody else has a use for one, and who is about to write looks for it.
 */
#ifndef LINUX_USER_TEXT_BUSY_H
#define LINUX_USER_TEXT_BUSY_H

#include <stdbool.h>

/*
 * fd has the program open for reading, and may be closed afterwards. Nothing is held on file systems whose locks are a
 * server's (a network's, FUSE), and on overlayfs, where a mapping is another open file's.
 */
void text_hold(int fd);

/* Some process runs the file that fd has open, in whatever way. */
bool text_is_busy(int fd);
/* The same of a regular file's name. Nothing else is opened, and nobody who watches files that can't be executed sees
 * it. */
bool text_at_is_busy(int dirfd, const char *path, bool follow);

#endif
