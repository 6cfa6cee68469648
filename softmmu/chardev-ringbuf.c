/* A character device that keeps the last bytes in memory, for the monitor to read: see chardev-open.h. */
#include <stdlib.h>
#include <string.h>

#include "softmmu/block.h"
#include "softmmu/chardev-open.h"

enum { DEFAULT_SIZE = 64 << 10, MAX_SIZE = 64 << 20 };

struct ringbuf {
    struct chardev chardev;
    uint64_t size, written, read; /* counts of all bytes; size: a power of two */
    char *id;
    uint8_t bytes[];
};

static size_t put(struct chardev *c, const uint8_t *bytes, size_t n)
{
    struct ringbuf *r = (struct ringbuf *)c;
    for (size_t i = 0; i < n; i++)
        r->bytes[r->written++ & (r->size - 1)] = bytes[i];
    if (r->written - r->read > r->size)
        r->read = r->written - r->size;
    return n;
}

static void close_ringbuf(struct chardev *c)
{
    free(((struct ringbuf *)c)->id);
    free(c);
}

char *chardev_ringbuf_open(struct options *o, struct chardev **out)
{
    uint64_t size;
    if (!options_number(o, "size", DEFAULT_SIZE, &size) || !size || size & (size - 1) || size > MAX_SIZE)
        return block_error("chardev ringbuf: size is a power of two, at most %d bytes", MAX_SIZE);
    const char *id = options_get(o, "id");
    if (options_unknown(o))
        return block_error("chardev ringbuf has no option %s", options_unknown(o));
    struct ringbuf *r = calloc(1, sizeof *r + size);
    if (!r)
        return block_error("chardev ringbuf: no memory");
    r->size = size;
    r->id = id ? strdup(id) : NULL;
    r->chardev = (struct chardev){.id = r->id, .kind = "ringbuf", .write = put, .close = close_ringbuf};
    *out = &r->chardev;
    return NULL;
}

bool chardev_ringbuf_read(struct chardev *c, uint8_t *bytes, size_t *n)
{
    struct ringbuf *r = (struct ringbuf *)c;
    if (c->close != close_ringbuf)
        return false;
    if (*n > r->written - r->read)
        *n = r->written - r->read;
    for (size_t i = 0; i < *n; i++)
        bytes[i] = r->bytes[r->read++ & (r->size - 1)];
    return true;
}

bool chardev_ringbuf_write(struct chardev *c, const uint8_t *bytes, size_t n)
{
    const struct chardev_front *f = &c->front;
    if (c->close != close_ringbuf)
        return false;
    for (size_t room; n && f->receive && (room = f->room(f->opaque)); bytes += room, n -= room) {
        room = room < n ? room : n;
        f->receive(f->opaque, bytes, room);
    }
    return true;
}
