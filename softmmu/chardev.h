/*
 * A character device: bytes both ways between a device (a UART, a console, the monitor) and what the user connected to
 * it (a terminal, a file, a socket). Everything under the machine's lock.
 */
#ifndef SOFTMMU_CHARDEV_H
#define SOFTMMU_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum chardev_event {
    CHARDEV_OPENED,
    CHARDEV_CLOSED,
    CHARDEV_BREAK,
    CHARDEV_FOCUSED, /* of several devices on a terminal this one gets from now on what is typed */
};

/* The guest's side. */
struct chardev_front {
    size_t (*room)(void *opaque); /* how many bytes receive() may be given now */
    void (*receive)(void *opaque, const uint8_t *bytes, size_t n);
    void (*writable)(void *opaque);                          /* after a write that was refused: there is room; may be NULL */
    void (*event)(void *opaque, enum chardev_event event);   /* may be NULL */
    void *opaque;
};

/* The user's side: a back end's struct begins with it. */
struct chardev {
    const char *id;
    const char *kind;    /* as for -chardev */
    const char *address; /* where a pty or a socket can be reached; NULL: nowhere */
    /*
     * Takes as many of the n bytes as it has room for and returns their number; a short one is followed by writable().
     */
    size_t (*write)(struct chardev *c, const uint8_t *bytes, size_t n);
    /* The front has room again. */
    void (*resume)(struct chardev *c);
    void (*close)(struct chardev *c); /* frees it */
    struct chardev_front front; /* zeroed: nobody listens */
};

static inline void chardev_connect(struct chardev *c, const struct chardev_front *front)
{
    c->front = *front;
    if (c->resume)
        c->resume(c);
}

#endif
