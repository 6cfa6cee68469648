/*
 * Nodes as -blockdev and blockdev-add make them: files, and formats over files. A format with its file is one disk
 * here; a file alone is only a name until a format over it, or a device, opens it.
 */
#ifndef SYSTEM_BLOCKDEV_H
#define SYSTEM_BLOCKDEV_H

#include "system/devices.h"

/* `driver=file|raw|qcow2,node-name=NAME,…`, members of members as file.filename=PATH. As the functions of devices.h. */
char *blockdev_add(struct backends *b, const char *text);
/*
 * The node that is a file becomes a disk, for a device. Nothing happens if there is no such node, or it is a disk
 * already.
 */
char *blockdev_open(struct backends *b, const char *id);
/* Is there a node of the name? */
bool blockdev_is(const struct backends *b, const char *id);
/* Removes the node, and closes what has been opened for it. */
char *blockdev_remove(struct backends *b, struct board *board, const char *id);
/* For struct backends' table of files. */
void blockdev_free_file(void *file);

#endif
