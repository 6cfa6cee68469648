/*
 * What the user connects to a machine: back ends with an id (-chardev, -drive, -netdev) and devices that name them
 * (-device). Functions that return a text return NULL, or one line that says what is wrong, to be freed.
 */
#ifndef SYSTEM_DEVICES_H
#define SYSTEM_DEVICES_H

#include <glib.h>

#include "hw/boards/board.h"
#include "hw/boards/snapshot.h"
#include "softmmu/block.h"

struct backends {
    GMainContext *context;
    GHashTable *chardevs, *drives, *netdevs; /* by id */
    GHashTable *files; /* blockdev.h: nodes that are files, by name */
    struct block_pool *pool;
    GSource *pool_source;
    /* For every drive's failed(); set it before there are any. */
    void (*drive_failed)(void *opaque, struct block *b, const struct block_request *r, int error);
    void *drive_failed_opaque;
    bool temporary;                       /* -snapshot: changes of drives that say nothing else are forgotten at the end */
    struct block *flash[BOARD_MAX_FLASH]; /* drives with if=pflash, by unit; NULL: none */
    GPtrArray *free_drives; /* ids of drives that no device has asked for and that want one (if=virtio) */
};

/* The machine's lock is held whenever the context dispatches. */
void backends_init(struct backends *b, GMainContext *context);
char *backends_add_chardev(struct backends *b, const char *text);
char *backends_add_drive(struct backends *b, const char *text);
char *backends_add_netdev(struct backends *b, const char *text);
/* Closes what has the id in one of the tables, unless a device of the board uses it. */
char *backends_remove(GHashTable *table, struct board *board, const char *id);
void backends_free(struct backends *b);

/* `-device NAME,property=value,…`. */
char *devices_add(struct backends *b, struct board *board, const char *text);
/* `-device help` and `-device NAME,help`: prints and returns true. */
bool devices_help(const char *text);
/* A device for each drive that has none yet. */
char *devices_add_drives(struct backends *b, struct board *board);
/* The device, the user's or the board's own, with a property that is this back end; NULL: none. */
struct device *devices_user_of(const struct board *board, const void *backend);

/* The drives by their ids' order, as snapshots want them; .drive is to be freed by g_free(). */
struct snapshot_drives backends_snapshot_drives(const struct backends *b);

#endif
