/*
 * Character devices as the user asks for them: -chardev, -serial, -monitor. Needs glib: they live in a main context, whose
 * dispatching holds the machine's lock.
 *
 *   stdio[,signal=off]                          the terminal; signal=off: Ctrl-c goes to the guest
 *   file,path=P[,append=on]                     what the guest writes
 *   socket,path=P[,server=on]                   unix socket; a server waits for the first client unless wait=off
 *   socket,host=H,port=N[,server=on][,wait=off] TCP
 *   pty                                         a new pseudo terminal; its name is logged
 *   null                                        nothing
 */
#ifndef SOFTMMU_CHARDEV_OPEN_H
#define SOFTMMU_CHARDEV_OPEN_H

#include <glib.h>

#include "softmmu/chardev.h"
#include "softmmu/options.h"

/* Makes one from its options, the kind being the key "backend". Returns NULL, or one line to be freed. */
char *chardev_open(struct options *o, GMainContext *context, struct chardev **out);
/* Closes it; the front has been disconnected. A terminal is as it was before. */
void chardev_close(struct chardev *c);
/* Where a pty or a server can be reached, as text; NULL: nowhere. Belongs to the chardev. */
const char *chardev_address(const struct chardev *c);

#endif
