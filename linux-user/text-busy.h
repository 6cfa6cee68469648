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

/* A regular file with an execute permission, which most files are not. */
bool text_may_run(int dirfd, const char *path, bool follow);
/* It may run, and some process runs the file that fd has open. */
bool text_is_busy(int fd);

#endif
