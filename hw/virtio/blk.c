/*
 * The virtio block device (VIRTIO 1.2, section 5.2): a disk with flush, discard and write zeroes. Requests are done by
 * the disk's threads; a reset waits for those under way.
 */
#include "hw/virtio/virtio.h"

#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>

#include "softmmu/block.h"

enum {
    MAX_SECTORS = 0x400000,      /* of one discard or write zeroes */
    MAX_RANGES = 16,             /* in one of them */
    MAX_BYTES = 64 << 20,        /* of one read or write */
    MAX_UNDERWAY = 128 << 20,    /* of all reads and writes under way: no more are begun */
    SEGMENTS = 254,              /* what the driver is told */
    QUEUE_SIZE = 256,
    ID_BYTES = VIRTIO_BLK_ID_BYTES,
};

struct virtio_blk {
    struct virtio virtio;
    struct block *drive;
    char *serial;
    uint32_t queues;
    bool write_back;
    uint64_t underway; /* bytes of requests */
    bool waiting;      /* there may be more in the queues than has been begun */
};

/* One of the driver's requests on its way. */
struct request {
    struct block_request block;
    struct virtio_blk *disk;
    struct virtq_chain *chain;
    uint32_t type;
    uint64_t bytes; /* of data */
    unsigned range, nranges; /* of discard and write zeroes */
    struct virtio_blk_discard_write_zeroes ranges[MAX_RANGES];
    uint8_t data[];
};

static struct virtio_blk *blk(struct virtio *v) { return (struct virtio_blk *)v; }

/* Ends a request with a status: the last byte of the chain's room. */
static void answer(struct virtq_chain *c, uint8_t status, uint64_t filled)
{
    struct virtq *q = c->q;
    bool ok = virtq_write(c, c->writable - 1, &status, 1);
    virtq_push(c, ok ? (uint32_t)(filled + 1) : 0);
    virtq_signal(q);
}

static void submit(struct request *r, enum block_op op, uint64_t offset, uint64_t n);
static void serve_queues(struct virtio_blk *s);

static void free_request(struct request *r)
{
    r->disk->underway -= r->bytes;
    free(r);
}

static void done(struct block_request *b, int error)
{
    struct request *r = container_of(b, struct request, block);
    bool read = r->type == VIRTIO_BLK_T_IN && !error;
    if (!error && r->range < r->nranges) {
        const struct virtio_blk_discard_write_zeroes *z = &r->ranges[r->range++];
        r->block.unmap = z->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
        submit(r, r->type == VIRTIO_BLK_T_DISCARD ? BLOCK_DISCARD : BLOCK_ZERO, z->sector * BLOCK_SECTOR,
               (uint64_t)z->num_sectors * BLOCK_SECTOR);
        return;
    }
    if (!error && r->block.op != BLOCK_FLUSH && r->type != VIRTIO_BLK_T_IN && !r->disk->write_back) {
        submit(r, BLOCK_FLUSH, 0, 0);
        return;
    }
    if (read && !virtq_write(r->chain, 0, r->data, r->block.n)) {
        read = false;
        error = 1;
    }
    struct virtio_blk *s = r->disk;
    answer(r->chain, error ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK, read ? r->block.n : 0);
    free_request(r);
    if (s->waiting)
        serve_queues(s);
}

static void submit(struct request *r, enum block_op op, uint64_t offset, uint64_t n)
{
    r->block.op = op;
    r->block.offset = offset;
    r->block.n = n;
    r->block.buf = r->data;
    r->block.done = done;
    block_submit(r->disk->drive, &r->block);
}

static struct request *new_request(struct virtio_blk *s, struct virtq_chain *c, uint32_t type, uint64_t bytes)
{
    struct request *r = malloc(sizeof *r + bytes);
    if (r) {
        *r = (struct request){.disk = s, .chain = c, .type = type, .bytes = bytes};
        s->underway += bytes;
    }
    return r;
}

/* Discard and write zeroes: every range is checked before the first is done. Returns the status; OK: under way. */
static uint8_t start_ranges(struct virtio_blk *s, struct virtq_chain *c, uint32_t type, uint64_t n)
{
    const struct virtio_blk_discard_write_zeroes *z;
    uint32_t allowed = type == VIRTIO_BLK_T_DISCARD ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    if (!n || n % sizeof *z)
        return VIRTIO_BLK_S_IOERR;
    if (n / sizeof *z > MAX_RANGES)
        return VIRTIO_BLK_S_UNSUPP;
    struct request *r = new_request(s, c, type, 0);
    if (!r)
        return VIRTIO_BLK_S_IOERR;
    uint8_t status =
        virtq_read(c, sizeof(struct virtio_blk_outhdr), r->ranges, n) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
    r->nranges = (unsigned)(n / sizeof *z);
    for (z = r->ranges; z < r->ranges + r->nranges && !status; z++) {
        uint64_t sectors = s->drive->size / BLOCK_SECTOR;
        if (z->flags & ~allowed)
            status = VIRTIO_BLK_S_UNSUPP;
        else if (z->num_sectors > MAX_SECTORS || z->sector > sectors || z->num_sectors > sectors - z->sector ||
                 s->drive->read_only)
            status = VIRTIO_BLK_S_IOERR;
    }
    if (status) {
        free_request(r);
        return status;
    }
    done(&r->block, 0); /* goes on with the first range */
    return VIRTIO_BLK_S_OK;
}

static uint8_t start_transfer(struct virtio_blk *s, struct virtq_chain *c, uint32_t type, uint64_t sector, uint64_t n)
{
    uint64_t sectors = s->drive->size / BLOCK_SECTOR;
    bool write = type == VIRTIO_BLK_T_OUT;
    if (n % BLOCK_SECTOR || n > MAX_BYTES || sector > sectors || n / BLOCK_SECTOR > sectors - sector ||
        (write && s->drive->read_only))
        return VIRTIO_BLK_S_IOERR;
    struct request *r = new_request(s, c, type, n);
    if (!r)
        return VIRTIO_BLK_S_IOERR;
    if (write && !virtq_read(c, sizeof(struct virtio_blk_outhdr), r->data, n)) {
        free_request(r);
        return VIRTIO_BLK_S_IOERR;
    }
    submit(r, write ? BLOCK_WRITE : BLOCK_READ, sector * BLOCK_SECTOR, n);
    return VIRTIO_BLK_S_OK;
}

/* Answers, or starts what will answer. */
static void serve(struct virtio_blk *s, struct virtq_chain *c)
{
    struct virtio_blk_outhdr h;
    if (!c->writable || !virtq_read(c, 0, &h, sizeof h)) {
        virtq_push(c, 0);
        virtio_broken(&s->virtio, "a disk request without header or status");
        return;
    }
    uint64_t out = c->readable - sizeof h, in = c->writable - 1;
    uint8_t status = VIRTIO_BLK_S_UNSUPP;
    switch (h.type) {
    case VIRTIO_BLK_T_IN: status = start_transfer(s, c, h.type, h.sector, in); break;
    case VIRTIO_BLK_T_OUT: status = start_transfer(s, c, h.type, h.sector, out); break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES: status = start_ranges(s, c, h.type, out); break;
    case VIRTIO_BLK_T_FLUSH: {
        struct request *r = new_request(s, c, h.type, 0);
        status = r ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
        if (r)
            submit(r, BLOCK_FLUSH, 0, 0);
        break;
    }
    case VIRTIO_BLK_T_GET_ID: {
        char id[ID_BYTES] = {0};
        size_t n = s->serial ? strnlen(s->serial, ID_BYTES) : 0;
        memcpy(id, s->serial ? s->serial : "", n);
        bool ok = virtq_write(c, 0, id, in < ID_BYTES ? in : ID_BYTES);
        answer(c, ok ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR, ok ? (in < ID_BYTES ? in : ID_BYTES) : 0);
        return;
    }
    }
    if (status)
        answer(c, status, 0);
}

static void serve_queue(struct virtio_blk *s, unsigned queue)
{
    struct virtq_chain *c;
    while (s->underway < MAX_UNDERWAY && (c = virtq_pop(&s->virtio.queue[queue])))
        serve(s, c);
    s->waiting |= s->underway >= MAX_UNDERWAY;
}

static void serve_queues(struct virtio_blk *s)
{
    s->waiting = false;
    for (unsigned i = 0; i < s->queues; i++)
        serve_queue(s, i);
}

static void notify(struct virtio *v, unsigned queue) { serve_queue(blk(v), queue); }

static void started(struct virtio *v)
{
    /* A driver that knows nothing of flushes gets writes that are through. */
    blk(v)->write_back = v->features & (UINT64_C(1) << VIRTIO_BLK_F_FLUSH) &&
                         (!(v->features & (UINT64_C(1) << VIRTIO_BLK_F_CONFIG_WCE)) ||
                          v->config[offsetof(struct virtio_blk_config, wce)]);
    for (unsigned i = 0; i < blk(v)->queues; i++)
        virtio_notify(v, i);
}

static void config_written(struct virtio *v, unsigned offset, unsigned n)
{
    uint8_t wce = v->config[offsetof(struct virtio_blk_config, wce)] & 1;
    struct virtio_blk_config *c = (struct virtio_blk_config *)v->config;
    if (offset > offsetof(struct virtio_blk_config, wce) || offset + n <= offsetof(struct virtio_blk_config, wce))
        return;
    c->wce = wce;
    blk(v)->write_back = wce;
}

/* --- life --- */

static void fill_config(struct virtio_blk *s)
{
    struct virtio_blk_config c = {
        .capacity = s->drive->size / BLOCK_SECTOR,
        .seg_max = SEGMENTS,
        .blk_size = BLOCK_SECTOR,
        .wce = !s->drive->write_through,
        .num_queues = (uint16_t)s->queues,
        .max_discard_sectors = MAX_SECTORS,
        .max_discard_seg = MAX_RANGES,
        .discard_sector_alignment = s->drive->granularity / BLOCK_SECTOR,
        .max_write_zeroes_sectors = MAX_SECTORS,
        .max_write_zeroes_seg = MAX_RANGES,
        .write_zeroes_may_unmap = 1,
    };
    c.opt_io_size = s->drive->granularity / BLOCK_SECTOR;
    c.min_io_size = 1;
    memcpy(s->virtio.config, &c, sizeof c);
}

static void resized(void *opaque)
{
    struct virtio_blk *s = opaque;
    ((struct virtio_blk_config *)s->virtio.config)->capacity = s->drive->size / BLOCK_SECTOR;
    virtio_config_changed(&s->virtio);
}

static char *realize(struct device *d)
{
    struct virtio_blk *s = (struct virtio_blk *)d;
    if (!s->drive)
        return device_error("device %s wants drive=ID, the id of a -drive", d->class->name);
    if (!s->queues || s->queues > VIRTIO_MAX_QUEUES)
        return device_error("property num-queues of device %s must be from 1 to %d", d->class->name, VIRTIO_MAX_QUEUES);
    virtio_realize(d);
    s->virtio.nqueues = (uint8_t)s->queues;
    if (s->drive->read_only)
        s->virtio.offered |= UINT64_C(1) << VIRTIO_BLK_F_RO;
    else
        s->virtio.offered |= UINT64_C(1) << VIRTIO_BLK_F_DISCARD | UINT64_C(1) << VIRTIO_BLK_F_WRITE_ZEROES;
    fill_config(s);
    s->drive->resized = resized;
    s->drive->resized_opaque = s;
    return NULL;
}

static void drain(struct virtio_blk *s)
{
    s->waiting = false;
    if (s->drive)
        block_drain(s->drive);
}

static void unrealize(struct device *d)
{
    struct virtio_blk *s = (struct virtio_blk *)d;
    drain(s);
    if (s->drive)
        s->drive->resized = NULL;
}

static void reset(struct device *d)
{
    struct virtio_blk *s = (struct virtio_blk *)d;
    virtio_forget(&s->virtio); /* what ends now has nobody to tell */
    drain(s);
    virtio_reset(d);
    fill_config(s);
}

static void loaded(struct device *d)
{
    struct virtio_blk *s = (struct virtio_blk *)d;
    bool wce = s->virtio.config[offsetof(struct virtio_blk_config, wce)] & 1;
    virtio_loaded(d);
    fill_config(s);
    ((struct virtio_blk_config *)s->virtio.config)->wce = wce;
    started(&s->virtio);
}

#define F(name) (UINT64_C(1) << VIRTIO_BLK_F_##name)
static const struct virtio_class kind = {
    .id = 2,
    .nqueues = VIRTIO_MAX_QUEUES,
    .queue_size = QUEUE_SIZE,
    .config_size = sizeof(struct virtio_blk_config),
    .pci_class = 0x010000,
    .features = F(SEG_MAX) | F(BLK_SIZE) | F(TOPOLOGY) | F(FLUSH) | F(CONFIG_WCE) | F(MQ),
    .notify = notify,
    .started = started,
    .config_written = config_written,
};
#undef F
static const struct device_prop props[] = {
    VIRTIO_PROPS,
    {"drive", PROP_DRIVE, offsetof(struct virtio_blk, drive), NULL, "the disk"},
    {"serial", PROP_STRING, offsetof(struct virtio_blk, serial), NULL, "serial number, up to 20 characters"},
    {"num-queues", PROP_U32, offsetof(struct virtio_blk, queues), "1", "number of queues, at most 8"},
};
static const struct device_saved saved[] = {VIRTIO_SAVED};

const struct device_class device_virtio_blk = {
    DEVICE_CLASS,
    .name = "virtio-blk-device",
    .doc = "virtio disk",
    .bus = BUS_VIRTIO,
    .bus_class = &kind,
    .state_size = sizeof(struct virtio_blk),
    .state_version = 1,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
};
