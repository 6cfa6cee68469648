/* Absolute guest paths inside the sysroot (-L, found cross libraries). */
#ifndef LINUX_USER_SYSROOT_H
#define LINUX_USER_SYSROOT_H

#include <limits.h>
#include <stdbool.h>

struct process;

/* True: the file exists below the sysroot, and `out` is its host path. */
bool sysroot_lookup(const struct process *p, const char *path, char out[PATH_MAX]);

#endif
