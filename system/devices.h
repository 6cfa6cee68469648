/*
 * What the user connects to a machine: back ends with an id (-chardev, -drive, -netdev) and devices that name them
 * (-device). Every function reports its mistakes.
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
    struct block_pool *pool;
    GSource *pool_source;
    GPtrArray *free_drives; /* ids of drives that no device has asked for and that want one (if=virtio) */
};

/* The machine's lock is held whenever the context dispatches. */
void backends_init(struct backends *b, GMainContext *context);
bool backends_add_chardev(struct backends *b, const char *text);
bool backends_add_drive(struct backends *b, const char *text);
bool backends_add_netdev(struct backends *b, const char *text);
void backends_free(struct backends *b);

/* `-device NAME,property=value,…`; "help" and "NAME,help" print. False: it was wrong, or only printed. */
bool devices_add(struct backends *b, struct board *board, const char *text);
/* `-device help` and `-device NAME,help`: prints and returns true. */
bool devices_help(const char *text);
/* A device for each drive that has none yet. */
bool devices_add_drives(struct backends *b, struct board *board);

/* The drives by their ids' order, as snapshots want them; .drive is to be freed by g_free(). */
struct snapshot_drives backends_snapshot_drives(const struct backends *b);

#endif
