/*
 * One back end for several devices, a terminal for the serial line and the monitor, say: Ctrl-a switches and commands.
 *
 *   Ctrl-a c   the next device gets what is typed      Ctrl-a x   quit
 *   Ctrl-a b   send a break                            Ctrl-a h   this help
 *   Ctrl-a Ctrl-a   send Ctrl-a
 *
 * What the devices write goes out all the time. What is typed for one that has no room waits, so that commands are
 * heard even when a device has stopped listening.
 */
#ifndef SOFTMMU_CHARDEV_MUX_H
#define SOFTMMU_CHARDEV_MUX_H

#include "softmmu/chardev.h"

enum { CHARDEV_MUX_PORTS = 4, CHARDEV_MUX_WAITING = 256 };

struct chardev_mux {
    struct chardev *base;
    unsigned nports, focus;
    bool escaped; /* Ctrl-a has been typed */
    void (*quit)(void *opaque);
    void *opaque;
    struct chardev_mux_port {
        struct chardev chardev; /* what a device is connected to */
        struct chardev_mux *mux;
        uint8_t waiting[CHARDEV_MUX_WAITING];
        unsigned nwaiting;
    } port[CHARDEV_MUX_PORTS];
};

/* Takes the base, which stays its owner's; quit() is called at Ctrl-a x. */
void chardev_mux_init(struct chardev_mux *m, struct chardev *base, void (*quit)(void *opaque), void *opaque);
/* A port for one device; NULL: there are no more. The first one has the focus. */
struct chardev *chardev_mux_port(struct chardev_mux *m);

#endif
