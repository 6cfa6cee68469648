/*
 * Character devices as the user asks for them: -chardev, -serial, -monitor. Needs glib: they live in a main context,
 * whose dispatching holds the machine's lock.
 *
 *   stdio[,signal=off]                          the terminal; signal=off: Ctrl-c goes to the guest
 *   file,path=P[,append=on]                     what the guest writes
 *   socket,path=P[,server=on]                   unix socket; a server waits for the first client unless wait=off
 *   socket,host=H,port=N[,server=on][,wait=off] TCP
 *   pty                                         a new pseudo terminal; its name is logged
 *   ringbuf[,size=BYTES]                        the last bytes the guest writes are kept in memory, for the monitor
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
/*
 * The options' text for the short form that -serial, -monitor and -qmp take: unix:PATH[,…], tcp:HOST:PORT[,…],
 * file:PATH, none, or what -chardev takes. g_free().
 */
char *chardev_long_form(const char *text);

/* --- a ringbuf: the last bytes written, in memory --- */

char *chardev_ringbuf_open(struct options *o, struct chardev **out);
/* Takes up to n bytes out, the oldest first; returns their number. False: it is no ringbuf. */
bool chardev_ringbuf_read(struct chardev *c, uint8_t *bytes, size_t *n);
/* Gives bytes to the device, as far as it has room. False: it is no ringbuf. */
bool chardev_ringbuf_write(struct chardev *c, const uint8_t *bytes, size_t n);

#endif
