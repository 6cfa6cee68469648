/* What the files of the views of /proc share; nobody else includes it. */
#ifndef LINUX_USER_PROCFS_INTERNAL_H
#define LINUX_USER_PROCFS_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct task;
struct process;
struct guest_record;
struct area_list;

/* One open of a file: whose it is, the host's file and the new one. */
struct view {
    struct task *t;
    pid_t pid, tid;                   /* 0: a file of the machine; tid 0: not below task/ */
    const struct guest_record *other; /* NULL: the calling process itself */
    int host, out;
};

/* The whole of the host's file with a NUL behind it; freed by the caller. NULL without memory. */
char *procfs_read(int fd);
/* The name of an open file below /proc, without that; false if it is not there. */
bool procfs_name(int fd, char name[PATH_MAX]);
/* "PID/…" or "PID/task/TID/…" at *name: what is behind it stays. False: no process's. */
bool procfs_take_process(const char **name, pid_t *pid, pid_t *tid);
/*
 * Whose the view is, by its pid: the caller's own process or another guest, whose record v refers to then. False:
 * neither.
 */
bool view_process(struct view *v, struct guest_record *record);
/* How many threads that process has, without the emulator's own. False: its memory can't be read. */
bool view_threads(const struct view *v, unsigned *threads);

/* Writes the view of that name below /proc anew into the descriptor it was made with. */
void procfs_rewrite(struct task *t, int fd, const char *path);

/* --- procfs-fds.c --- */

/* Names of the memory files that views are begin so; the name below /proc follows. */
#define VIEW_NAME "/proc/"
/* The descriptor has become one. */
void procfs_note_view(struct process *p, int fd);
/* What the descriptor shows, below /proc; false: it is no view. */
bool procfs_view_of(int fd, char path[PATH_MAX]);

/* --- procfs-memory.c --- */

/* The process's mappings, areas_free()d by the caller. False: not to be had. */
bool view_areas(const struct view *v, struct area_list *out);
/* Bytes, as the kernel counts them. */
struct view_sizes {
    uint64_t all, data, stack, code; /* code: of program and libraries */
};
bool view_sizes(const struct view *v, struct view_sizes *out);

void view_maps(const struct view *v);
void view_smaps(const struct view *v);
void view_smaps_rollup(const struct view *v);
void view_numa_maps(const struct view *v);
void view_statm(const struct view *v);

#endif
