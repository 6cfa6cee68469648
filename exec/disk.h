/*
 * The translation cache on disk: where it is, who may use it, and what a process does with it. Files are found through
 * exec (exec_new's options); this is the folder's side. See docs/design/disk-cache.rst.
 *
 * There may be two folders: the user's own, read and written, and one of the system's, only read, that root filled
 * ahead. What is read belongs to the user or to root and is writable by nobody else, or is not used.
 */
#ifndef EXEC_DISK_H
#define EXEC_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct disk;

#define DISK_SYSTEM_FOLDER "/var/cache/metic"

struct disk_options {
    const char *folder;   /* the user's; NULL: $XDG_CACHE_HOME/metic/code or ~/.cache/metic/code */
    const char *system;   /* the system's; NULL: DISK_SYSTEM_FOLDER; "": none */
    uint64_t max_bytes;   /* bound of the user's; 0: default */
    bool for_others;      /* what is stored is to be found by others and in copies, as in the system's folder */
    bool for_copies;      /* files with a build id are known by it when they were copied, as between containers; others as ever */
};

enum { DISK_DEFAULT_MIB = 512 };

/* The user's folder where disk_options names none: owned by the caller; NULL: there is no home folder. */
char *disk_default_folder(void);
/* NULL: there is no folder that may be used, or the process runs with rights its user does not have. */
struct disk *disk_new(const struct disk_options *o);
void disk_free(struct disk *d);
/* From which the addresses of mapped files are derived; not 0. */
uint64_t disk_secret(const struct disk *d);

/* `metic cache status` and `metic cache prune`: one line each about what is there, and dropping the least recently used
   files until max_bytes are left. False: an error, reported. */
void disk_status(const struct disk *d, FILE *to);
bool disk_prune(const struct disk *d, FILE *to);

#endif
