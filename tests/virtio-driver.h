/*
 * A small driver for the unit tests of virtio devices in a virtio-mmio slot: starts the device, and sends chains
 * through split or packed queues with the features a test asks for.
 */
#ifndef TESTS_VIRTIO_DRIVER_H
#define TESTS_VIRTIO_DRIVER_H

#include "hw/virtio/mmio.h"
#include "tests/device-board.h"

enum { RAM_BASE = 0x80000000, RAM_SIZE = 0x400000, RING_SPACE = 0x4000, BUFFERS = 0x80100000, TABLES = 0x80080000 };
enum { V_STATUS = 0x70, V_QUEUE_SEL = 0x30, V_NOTIFY = 0x50, V_CONFIG = 0x100, V_INTERRUPT = 0x60, V_ACK = 0x64 };

struct driver_queue {
    uint64_t desc, driver, device;
    uint16_t size, avail, used; /* split: indices; packed: places */
    bool avail_wrap, used_wrap;
};

struct driver {
    struct board b;
    struct device *device; /* the virtio device in the slot */
    struct mem_region ram;
    uint64_t features;
    struct driver_queue queue[VIRTIO_MAX_QUEUES];
};

/* One buffer of a chain. */
struct part {
    uint64_t addr;
    uint32_t n;
    bool write;
};

static inline void *ram(struct driver *d, uint64_t addr) { return d->ram.host + (addr - RAM_BASE); }

static inline void driver_begin(struct driver *d, const char *class)
{
    memset(d, 0, sizeof *d);
    board_begin(&d->b, "virtio-mmio");
    board_realize(&d->b);
    cr_assert(mem_init_ram(&d->ram, "ram", RAM_SIZE));
    mem_add(&d->b.memory, d->b.memory.root, RAM_BASE, &d->ram, 0);
    d->device = device_new(device_class_by_name(class), NULL, &d->b.host);
}

static inline void driver_plug(struct driver *d)
{
    char *error = device_realize(d->device);
    cr_assert_null(error, "%s", error);
    virtio_mmio_plug(d->b.device, (struct virtio *)d->device);
}

/* The steps of section 3.1; all queues get `size` entries. False: the device does not accept the features. */
static inline bool driver_start(struct driver *d, uint64_t features, uint16_t size)
{
    struct board *b = &d->b;
    d->features = features | VIRTIO_VERSION_1;
    wr(b, V_STATUS, 4, 0);
    wr(b, V_STATUS, 4, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    for (unsigned half = 0; half < 2; half++) {
        wr(b, 0x24, 4, half);
        wr(b, 0x20, 4, (uint32_t)(d->features >> 32 * half));
    }
    wr(b, V_STATUS, 4, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    if (!(rd(b, V_STATUS, 4) & VIRTIO_FEATURES_OK))
        return false;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        struct driver_queue *q = &d->queue[i];
        wr(b, V_QUEUE_SEL, 4, i);
        if (!rd(b, 0x34, 4))
            continue;
        uint64_t at = RAM_BASE + i * 3 * RING_SPACE;
        memset(ram(d, at), 0, 3 * RING_SPACE);
        *q = (struct driver_queue){at, at + RING_SPACE, at + 2 * RING_SPACE, size, .avail_wrap = true, .used_wrap = true};
        wr(b, 0x38, 4, size);
        wr(b, 0x80, 8, q->desc);
        wr(b, 0x90, 8, q->driver);
        wr(b, 0xa0, 8, q->device);
        wr(b, 0x44, 4, 1);
        cr_assert_eq(rd(b, 0x44, 4), 1);
    }
    wr(b, V_STATUS, 4, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    return true;
}

static inline void driver_end(struct driver *d)
{
    virtio_mmio_plug(d->b.device, NULL);
    device_free(d->device);
    mem_remove(&d->b.memory, &d->ram);
    unplug(&d->b);
    mem_free(&d->ram);
}

static inline void write_desc_at(struct driver *d, uint64_t table, unsigned i, uint64_t addr, uint32_t len, uint16_t third,
                                 uint16_t fourth)
{
    uint8_t *p = ram(d, table + 16 * i);
    memcpy(p, &addr, 8);
    memcpy(p + 8, &len, 4);
    memcpy(p + 12, &third, 2);
    memcpy(p + 14, &fourth, 2);
}

/* Makes a chain available; it uses descriptors from 0 on, so that one chain at a time is under way. */
static inline void driver_add(struct driver *d, unsigned queue, const struct part *parts, unsigned n, bool indirect)
{
    struct driver_queue *q = &d->queue[queue];
    uint64_t table = TABLES;
    uint16_t index = (uint16_t)(q->avail + 1);
    if (d->features & VIRTIO_RING_PACKED) {
        uint16_t first = q->avail, first_flags = 0;
        if (indirect) {
            for (unsigned i = 0; i < n; i++)
                write_desc_at(d, table, i, parts[i].addr, parts[i].n, 0, parts[i].write ? 2 : 0);
        }
        struct part whole = {table, 16 * n, false};
        unsigned in_ring = indirect ? 1 : n;
        for (unsigned i = 0; i < in_ring; i++) {
            const struct part *p = indirect ? &whole : &parts[i];
            uint16_t flags = (uint16_t)((p->write ? 2 : 0) | (indirect ? 4 : 0) | (i + 1 < in_ring ? 1 : 0) |
                                        (q->avail_wrap ? 0x80 : 0x8000));
            if (i == 0)
                first_flags = flags;
            write_desc_at(d, q->desc, q->avail, p->addr, p->n, 77, i ? flags : 0);
            if (++q->avail == q->size) {
                q->avail = 0;
                q->avail_wrap = !q->avail_wrap;
            }
        }
        memcpy((uint8_t *)ram(d, q->desc + 16 * first) + 14, &first_flags, 2);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        write_desc_at(d, indirect ? table : q->desc, i, parts[i].addr, parts[i].n,
                      (uint16_t)((parts[i].write ? 2 : 0) | (i + 1 < n)), (uint16_t)(i + 1));
    if (indirect)
        write_desc_at(d, q->desc, 0, table, 16 * n, 4, 0);
    memset((uint8_t *)ram(d, q->driver) + 4 + 2 * (q->avail % q->size), 0, 2);
    memcpy((uint8_t *)ram(d, q->driver) + 2, &index, 2);
    q->avail = index;
}

/* Takes a used chain; false: none. */
static inline bool driver_used(struct driver *d, unsigned queue, unsigned in_ring, uint32_t *written)
{
    struct driver_queue *q = &d->queue[queue];
    if (d->features & VIRTIO_RING_PACKED) {
        const uint8_t *p = ram(d, q->desc + 16 * q->used);
        uint16_t id, flags;
        memcpy(&flags, p + 14, 2);
        if (!!(flags & 0x80) != q->used_wrap || !!(flags & 0x8000) != q->used_wrap)
            return false;
        memcpy(written, p + 8, 4);
        memcpy(&id, p + 12, 2);
        cr_assert_eq(id, 77);
        q->used = (uint16_t)(q->used + in_ring);
        if (q->used >= q->size) {
            q->used = (uint16_t)(q->used - q->size);
            q->used_wrap = !q->used_wrap;
        }
        return true;
    }
    uint16_t index;
    memcpy(&index, (uint8_t *)ram(d, q->device) + 2, 2);
    if (index == q->used)
        return false;
    memcpy(written, (uint8_t *)ram(d, q->device) + 4 + 8 * (q->used % q->size) + 4, 4);
    q->used++;
    return true;
}

static inline void driver_notify(struct driver *d, unsigned queue) { wr(&d->b, V_NOTIFY, 4, queue); }

/* Sends a chain and expects the device to use it at once. Returns the bytes it says to have written. */
static inline uint32_t driver_send(struct driver *d, unsigned queue, const struct part *parts, unsigned n, bool indirect)
{
    uint32_t written = 0;
    driver_add(d, queue, parts, n, indirect);
    driver_notify(d, queue);
    cr_assert(driver_used(d, queue, indirect ? 1 : n, &written));
    return written;
}

/* Random rings: nothing may crash, and after a reset the device works. Queues are filled with chains of every kind. */
static inline void driver_fuzz(struct driver *d, unsigned rounds, uint64_t seed)
{
    static const uint16_t sizes[] = {1, 2, 4, 8, 64};
    for (unsigned r = 0; r < rounds; r++) {
        uint64_t features = chance(&seed) & (VIRTIO_RING_PACKED | VIRTIO_EVENT_IDX | VIRTIO_INDIRECT_DESC);
        features |= ((struct virtio *)d->device)->offered & chance(&seed) & 0xffffff;
        if (!driver_start(d, features, sizes[chance(&seed) % 5]))
            continue;
        for (unsigned step = 0; step < 20; step++) {
            unsigned queue = chance(&seed) % VIRTIO_MAX_QUEUES;
            struct driver_queue *q = &d->queue[queue];
            if (!q->size)
                continue;
            for (unsigned i = 0; i < q->size; i++) {
                uint64_t addr = BUFFERS + chance(&seed) % 0x1000;
                if (chance(&seed) % 8 == 0)
                    addr = chance(&seed) % 2 ? RAM_BASE + RAM_SIZE - 8 : chance(&seed);
                uint32_t len = (uint32_t)(chance(&seed) % 8 ? chance(&seed) % 600 : chance(&seed) >> chance(&seed) % 32);
                if (chance(&seed) % 4 == 0)
                    len &= ~15u;
                write_desc_at(d, q->desc, i, addr, len, (uint16_t)(chance(&seed) % 8),
                              (uint16_t)(chance(&seed) % 4 ? chance(&seed) % q->size : chance(&seed)));
                if (features & VIRTIO_RING_PACKED)
                    write_desc_at(d, q->desc, i, addr, len, 3, (uint16_t)(chance(&seed) & 0x8087));
            }
            for (unsigned i = 0; i < 0x1000; i += 8) { /* what buffers hold: small numbers are what devices understand */
                uint64_t v = chance(&seed) >> (chance(&seed) % 2 ? 0 : 56);
                memcpy(ram(d, BUFFERS + i), &v, 8);
            }
            uint16_t entry = (uint16_t)(chance(&seed) % 8 ? chance(&seed) % q->size : chance(&seed));
            memcpy((uint8_t *)ram(d, q->driver) + 4 + 2 * (q->avail % q->size), &entry, 2);
            q->avail = chance(&seed) % 16 ? (uint16_t)(q->avail + 1) : (uint16_t)chance(&seed);
            memcpy((uint8_t *)ram(d, q->driver) + 2, &q->avail, 2);
            driver_notify(d, queue);
        }
    }
}

#endif
