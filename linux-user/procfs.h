/*
 * The files of /proc that would show the emulator instead of the program (proc(5)): answered with the guest's view for
 * the calling process and for other guests, whatever way led to the file.
 */
#ifndef LINUX_USER_PROCFS_H
#define LINUX_USER_PROCFS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct task;

/*
 * If (dirfd, path) names a process's link "exe": true, and the host path of the program to out. The path's last
 * component decides at once for all others.
 */
bool procfs_exe(struct task *t, int dirfd, const char *path, char out[PATH_MAX]);

/* The same for a descriptor of the link itself (O_PATH, O_NOFOLLOW). */
bool procfs_exe_opened(struct task *t, int fd, char out[PATH_MAX]);

/* Such a path as readlink tells it, which of a program without a name is not its own. */
void procfs_exe_name(char path[PATH_MAX]);

/* Whether the last component of any path is the name of a file with a view of the guest's own; cheap. */
bool procfs_interesting(const char *path);

/* Is it a file of a mount of /proc? */
bool procfs_is(int fd);

/* The name of a view's descriptor for readlink: n bytes of "/memfd:…" at link become it. The new length, or n. */
int64_t procfs_view_link(char *link, int64_t n);

enum { PROCMAP_QUERY_COMMAND = (int)0xc0686611 }; /* PROCMAP_QUERY of newer headers */
/* That command of a descriptor with the view of a process's maps; the struct is at guest address `at`. 0 or -errno. */
int64_t procfs_query(struct task *t, int fd, uint64_t at);

/*
 * A descriptor the host has just opened by the interesting path (dirfd, host_path): the same descriptor, reading as the
 * guest's view if the file has one; or closed, and -errno.
 */
int64_t procfs_opened(struct task *t, int fd, int dirfd, const char *host_path, bool close_on_exec);

#endif
