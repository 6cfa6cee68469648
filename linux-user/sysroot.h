/*
 * Absolute guest paths inside the sysroot: the folder of the guest's libraries (-L, QEMU_LD_PREFIX, METIC_SYSROOT, or
 * the distribution's cross libraries).
 */
#ifndef LINUX_USER_SYSROOT_H
#define LINUX_USER_SYSROOT_H

#include <limits.h>
#include <stdbool.h>

struct process;

/* What a symbolic link at a path's end means: the file it leads to, or itself (O_NOFOLLOW, lstat, readlink). */
enum last_link { LAST_FOLLOWED, LAST_ITSELF };

/* True: the file exists below the sysroot, and `out` is its host path. */
bool sysroot_lookup(const struct process *p, const char *path, enum last_link last, char out[PATH_MAX]);
/*
 * The absolute path, as the guest sees it, of a path that is relative to a folder (descriptor or AT_FDCWD). False:
 * there is no sysroot, so that nobody needs it, the folder has no name, or it is too long.
 */
bool sysroot_absolute(const struct process *p, int dirfd, const char *path, char out[PATH_MAX]);
/* The path inside the root if the file exists there, else the path as it is. root NULL: none. */
const char *sysroot_choose(const char *root, const char *path, char out[PATH_MAX]);
/* The same as sysroot_lookup, but for the file's existence, for a root given by name; NULL: none. */
bool sysroot_join(const char *root, const char *path, enum last_link last, char out[PATH_MAX]);
/*
 * The sysroot to use for a program that needs this loader: the wanted one if it is given, none if the loader is at its
 * native path and belongs there, /usr/<triple> if the loader is below it. Static string or `wanted`; NULL: none.
 */
const char *sysroot_find(const char *wanted, const char *triple, const char *loader, char out[PATH_MAX]);

#endif
