/*
 * Snapshots of a whole machine: memory, clocks, processors, chips and the user's devices as one stream
 * (softmmu/state.h), and with it the content of the disks, as a snapshot of the same name inside each image.
 *
 * All functions are called under the machine's lock by the main loop's thread, running or not; they stop the machine,
 * end what its disks have under way, and leave it running if it ran. Errors are one line to be freed; NULL: done. What
 * is loaded is checked as a whole first: a state that is damaged or of another machine changes nothing.
 */
#ifndef HW_BOARDS_SNAPSHOT_H
#define HW_BOARDS_SNAPSHOT_H

#include "hw/boards/board.h"
#include "softmmu/block.h"

/* The machine's disks. The state goes into the first image that can have snapshots and is not read-only. */
struct snapshot_drives {
    struct block **drive;
    unsigned n;
};

/* The disk that has, or will have, the state. NULL: none can; *error says why. Disks that are written but can't have
   snapshots are an error, too. */
struct block *snapshot_drive(const struct snapshot_drives *d, char **error);

/* Replaces a snapshot of the same name. name NULL: one made of the date. */
char *snapshot_save(struct board *b, const struct snapshot_drives *d, const char *name);
/* A snapshot by name or, where no name fits, by id. After an error while disks are changed the machine stays stopped.
 */
char *snapshot_load(struct board *b, const struct snapshot_drives *d, const char *name);
/* From all disks that have it. */
char *snapshot_delete(struct board *b, const struct snapshot_drives *d, const char *name);

/* The state alone, to a file that is made or replaced, and from one. The disks' content is as it is then. */
char *snapshot_save_file(struct board *b, const struct snapshot_drives *d, const char *path);
char *snapshot_load_file(struct board *b, const struct snapshot_drives *d, const char *path);

#endif
