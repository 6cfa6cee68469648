/*
 * The files of /proc that would show the emulator instead of the program: recognised by name at every way in and
 * answered with the guest's view. Only for the calling process itself.
 */
#ifndef LINUX_USER_PROCFS_H
#define LINUX_USER_PROCFS_H

#include <stdbool.h>

struct task;

enum proc_file {
    PROC_OTHER, /* not ours: the host's answer is right */
    PROC_EXE,
    PROC_MAPS,
    PROC_SMAPS,
    PROC_CMDLINE,
    PROC_AUXV,
    PROC_STAT,
    PROC_CPUINFO,
};

/* Which file an absolute path names ("/proc/self/…", "/proc/<own pid>/…", "/proc/thread-self/…", "/proc/cpuinfo"). */
enum proc_file procfs_file(const char *path);

/* Whether the last component of any path is the name of such a file; cheap. */
bool procfs_interesting(const char *path);

/* A new descriptor that reads as the guest's view of the file (not PROC_OTHER, PROC_EXE), or -errno. */
int procfs_open(struct task *t, enum proc_file file, int open_flags);

#endif
