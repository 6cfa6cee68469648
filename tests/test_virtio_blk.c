/* The virtio disk: every request through every ring, errors, moving to another machine, anything a driver may send. */
#define _GNU_SOURCE
#include <linux/virtio_blk.h>
#include <unistd.h>

#include "softmmu/block.h"
#include "tests/virtio-driver.h"

enum { DISK = 1 << 20, SECTORS = DISK / 512, HEADER = BUFFERS, DATA = BUFFERS + 0x1000, STATUS = BUFFERS + 0x80000 };

#define F(name) (UINT64_C(1) << VIRTIO_BLK_F_##name)

struct disk {
    struct driver d;
    struct block_pool *pool;
    struct block *block;
    char path[64];
};

static void plug(struct disk *k, bool read_only)
{
    char *error = NULL;
    snprintf(k->path, sizeof k->path, "/tmp/metic-blk-XXXXXX");
    int fd = mkstemp(k->path);
    cr_assert(fd >= 0 && !ftruncate(fd, DISK));
    close(fd);
    k->pool = block_pool_new(2);
    k->block = block_open(k->path, &(struct block_options){.format = "raw", .discard = true, .read_only = read_only},
                          k->pool, &error);
    cr_assert(k->block, "%s", error);
    driver_begin(&k->d, "virtio-blk-device");
    device_set_backend(k->d.device, "drive", k->block);
    error = device_set(k->d.device, "serial", "disk-0");
    cr_assert_null(error);
    driver_plug(&k->d);
}

static void unplug_disk(struct disk *k)
{
    driver_end(&k->d);
    block_close(k->block);
    block_pool_free(k->pool);
    unlink(k->path);
}

/* A request: header, data of n bytes, status. Returns the status; *written as the device says. */
static uint8_t request(struct disk *k, uint32_t type, uint64_t sector, uint32_t n, bool indirect, uint32_t *written)
{
    struct virtio_blk_outhdr h = {.type = type, .sector = sector};
    memcpy(ram(&k->d, HEADER), &h, sizeof h);
    memset(ram(&k->d, STATUS), 0xee, 1);
    bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
    struct part parts[4] = {{HEADER, sizeof h, false}};
    unsigned nparts = 1;
    if (n) { /* the data in two parts */
        parts[nparts++] = (struct part){DATA, n / 2, in};
        parts[nparts++] = (struct part){DATA + n / 2, n - n / 2, in};
    }
    parts[nparts++] = (struct part){STATUS, 1, true};
    driver_add(&k->d, 0, parts, nparts, indirect);
    driver_notify(&k->d, 0);
    block_drain(k->block);
    cr_assert(driver_used(&k->d, 0, indirect ? 1 : nparts, written));
    return *(uint8_t *)ram(&k->d, STATUS);
}

static uint8_t ranges(struct disk *k, uint32_t type, const struct virtio_blk_discard_write_zeroes *z, unsigned n)
{
    uint32_t written;
    memcpy(ram(&k->d, DATA), z, n * sizeof *z);
    return request(k, type, 0, n * (uint32_t)sizeof *z, false, &written);
}

static const uint64_t layouts[] = {
    F(FLUSH), F(FLUSH) | VIRTIO_INDIRECT_DESC, F(FLUSH) | VIRTIO_RING_PACKED,
    VIRTIO_EVENT_IDX, F(FLUSH) | VIRTIO_RING_PACKED | VIRTIO_INDIRECT_DESC | VIRTIO_EVENT_IDX,
};

Test(blk, reads_and_writes_through_every_ring)
{
    for (unsigned l = 0; l < ARRAY_SIZE(layouts); l++) {
        bool indirect = layouts[l] & VIRTIO_INDIRECT_DESC;
        struct disk k;
        uint32_t written;
        plug(&k, false);
        struct virtio_blk_config config;
        for (unsigned i = 0; i < sizeof config; i++)
            ((uint8_t *)&config)[i] = (uint8_t)rd(&k.d.b, V_CONFIG + i, 1);
        cr_assert(config.capacity == SECTORS && config.blk_size == 512 && config.num_queues == 1);
        cr_assert(driver_start(&k.d, layouts[l], 16));
        for (unsigned i = 0; i < 20; i++) {
            uint32_t n = 512 * (1 + i);
            uint8_t *data = ram(&k.d, DATA);
            memset(data, (int)(i + 1), n);
            cr_assert_eq(request(&k, VIRTIO_BLK_T_OUT, 30 * i, n, indirect, &written), VIRTIO_BLK_S_OK);
            cr_assert_eq(written, 1);
            memset(data, 0, n);
            cr_assert_eq(request(&k, VIRTIO_BLK_T_IN, 30 * i, n, indirect, &written), VIRTIO_BLK_S_OK);
            cr_assert(written == n + 1 && data[0] == i + 1 && data[n - 1] == i + 1);
        }
        cr_assert_eq(request(&k, VIRTIO_BLK_T_FLUSH, 0, 0, indirect, &written), VIRTIO_BLK_S_OK);
        cr_assert_eq(request(&k, VIRTIO_BLK_T_GET_ID, 0, 20, indirect, &written), VIRTIO_BLK_S_OK);
        cr_assert_str_eq((char *)ram(&k.d, DATA), "disk-0");
        cr_assert(k.d.b.level[0]);
        uint8_t byte;
        cr_assert(!block_read(k.block, 30 * 512, &byte, 1) && byte == 2);
        unplug_disk(&k);
    }
}

Test(blk, discard_and_write_zeroes)
{
    struct disk k;
    uint32_t written;
    plug(&k, false);
    driver_start(&k.d, F(FLUSH) | F(DISCARD) | F(WRITE_ZEROES), 16);
    memset(ram(&k.d, DATA), 0xff, 16384);
    request(&k, VIRTIO_BLK_T_OUT, 0, 16384, false, &written);
    struct virtio_blk_discard_write_zeroes z[2] = {{.sector = 1, .num_sectors = 2},
                                                   {.sector = 8, .num_sectors = 8, .flags = 1}};
    cr_assert_eq(ranges(&k, VIRTIO_BLK_T_WRITE_ZEROES, z, 2), VIRTIO_BLK_S_OK);
    uint8_t got[16384];
    cr_assert_eq(block_read(k.block, 0, got, sizeof got), 0);
    for (unsigned i = 0; i < sizeof got; i++) {
        unsigned sector = i / 512;
        cr_assert_eq(got[i], (sector >= 1 && sector < 3) || (sector >= 8 && sector < 16) ? 0 : 0xff);
    }
    cr_assert_eq(ranges(&k, VIRTIO_BLK_T_DISCARD, z, 1), VIRTIO_BLK_S_OK);
    cr_assert_eq(ranges(&k, VIRTIO_BLK_T_DISCARD, z, 2), VIRTIO_BLK_S_UNSUPP, "unmap is no flag of a discard");
    z[1].sector = SECTORS - 7;
    cr_assert_eq(ranges(&k, VIRTIO_BLK_T_WRITE_ZEROES, z, 2), VIRTIO_BLK_S_IOERR);
    z[1] = (struct virtio_blk_discard_write_zeroes){.sector = UINT64_MAX, .num_sectors = UINT32_MAX};
    cr_assert_eq(ranges(&k, VIRTIO_BLK_T_WRITE_ZEROES, z, 2), VIRTIO_BLK_S_IOERR);
    cr_assert_eq(request(&k, VIRTIO_BLK_T_DISCARD, 0, 17, false, &written), VIRTIO_BLK_S_IOERR);
    unplug_disk(&k);
}

Test(blk, errors)
{
    struct disk k;
    uint32_t written;
    plug(&k, false);
    cr_assert_not(driver_start(&k.d, F(RO), 16));
    driver_start(&k.d, F(FLUSH), 16);
    cr_assert_eq(request(&k, VIRTIO_BLK_T_IN, SECTORS, 512, false, &written), VIRTIO_BLK_S_IOERR);
    cr_assert_eq(request(&k, VIRTIO_BLK_T_IN, SECTORS - 1, 1024, false, &written), VIRTIO_BLK_S_IOERR);
    cr_assert_eq(request(&k, VIRTIO_BLK_T_IN, UINT64_MAX / 512, 512, false, &written), VIRTIO_BLK_S_IOERR);
    cr_assert_eq(request(&k, VIRTIO_BLK_T_IN, 0, 511, false, &written), VIRTIO_BLK_S_IOERR);
    cr_assert_eq(request(&k, 999, 0, 512, false, &written), VIRTIO_BLK_S_UNSUPP);
    struct part nothing = {DATA, 4, false};
    driver_add(&k.d, 0, &nothing, 1, false);
    driver_notify(&k.d, 0);
    cr_assert(rd(&k.d.b, V_STATUS, 4) & VIRTIO_NEEDS_RESET);
    unplug_disk(&k);

    plug(&k, true);
    cr_assert(driver_start(&k.d, F(RO) | F(FLUSH), 16));
    cr_assert_eq(request(&k, VIRTIO_BLK_T_IN, 0, 512, false, &written), VIRTIO_BLK_S_OK);
    cr_assert_eq(request(&k, VIRTIO_BLK_T_OUT, 0, 512, false, &written), VIRTIO_BLK_S_IOERR);
    unplug_disk(&k);
}

Test(blk, reset_waits_and_state_goes_to_another)
{
    struct disk k, k2;
    uint32_t written;
    plug(&k, false);
    plug(&k2, false);
    driver_start(&k.d, F(FLUSH) | F(CONFIG_WCE), 16);
    wr(&k.d.b, V_CONFIG + offsetof(struct virtio_blk_config, wce), 1, 0);
    struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_OUT};
    memcpy(ram(&k.d, HEADER), &h, sizeof h);
    memset(ram(&k.d, DATA), 7, 65536);
    struct part parts[] = {{HEADER, sizeof h, false}, {DATA, 65536, false}, {STATUS, 1, true}};
    driver_add(&k.d, 0, parts, 3, false);
    driver_notify(&k.d, 0);
    wr(&k.d.b, V_STATUS, 4, 0);
    cr_assert_eq(k.block->requests, 0);
    cr_assert_not(driver_used(&k.d, 0, 3, &written), "nobody is told after a reset");

    driver_start(&k.d, F(FLUSH), 16);
    request(&k, VIRTIO_BLK_T_IN, 0, 512, false, &written);
    memcpy(k2.d.ram.host, k.d.ram.host, RAM_SIZE);
    transfer(k.d.b.device, k2.d.b.device);
    transfer(k.d.device, k2.d.device);
    memcpy(k2.d.queue, k.d.queue, sizeof k.d.queue);
    k2.d.features = k.d.features;
    cr_assert_eq(request(&k2, VIRTIO_BLK_T_OUT, 4, 1024, false, &written), VIRTIO_BLK_S_OK);
    unplug_disk(&k);
    unplug_disk(&k2);
}

Test(blk, any_ring)
{
    struct disk k;
    plug(&k, false);
    driver_fuzz(&k.d, 300, 99);
    block_drain(k.block);
    uint32_t written;
    driver_start(&k.d, F(FLUSH), 16);
    cr_assert_eq(request(&k, VIRTIO_BLK_T_IN, 0, 512, false, &written), VIRTIO_BLK_S_OK);
    unplug_disk(&k);
}

/* One queue is reset with a request under way: that one is never given back, and the queue starts afresh. */
Test(blk, a_queue_is_reset)
{
    struct disk k;
    struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_OUT, .sector = 3};
    uint32_t written;
    plug(&k, false);
    for (unsigned round = 0; round < 2; round++) {
        bool offered = round;
        cr_assert(driver_start(&k.d, offered ? VIRTIO_RING_RESET : 0, 16));
        memcpy(ram(&k.d, HEADER), &h, sizeof h);
        driver_add(&k.d, 0, (struct part[]){{HEADER, sizeof h, false}, {DATA, 512, false}, {STATUS, 1, true}}, 3, false);
        driver_notify(&k.d, 0);
        wr(&k.d.b, V_QUEUE_SEL, 4, 0);
        wr(&k.d.b, 0xc0, 4, 1);
        cr_assert_eq(rd(&k.d.b, 0xc0, 4), 0);
        block_drain(k.block);
        cr_assert_eq(driver_used(&k.d, 0, 3, &written), !offered, "without the feature the register does nothing");
        cr_assert_eq(rd(&k.d.b, 0x44, 4), !offered);
    }
    struct driver_queue *q = &k.d.queue[0];
    memset(ram(&k.d, q->driver), 0, RING_SPACE);
    q->avail = q->used = 0;
    wr(&k.d.b, 0x38, 4, 16);
    wr(&k.d.b, 0x80, 8, q->desc);
    wr(&k.d.b, 0x90, 8, q->driver);
    wr(&k.d.b, 0xa0, 8, q->device);
    wr(&k.d.b, 0x44, 4, 1);
    cr_assert_eq(request(&k, VIRTIO_BLK_T_IN, 3, 1024, false, &written), VIRTIO_BLK_S_OK);
    cr_assert_eq(written, 1025);
    unplug_disk(&k);
}

/*
 * However much a driver asks for at once, the requests under way have at most 128 MiB; all of them are done in the end.
 */
Test(blk, memory_is_bounded)
{
    enum { REQUESTS = 200, MIB = 1 << 20 };
    struct disk k;
    struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_IN};
    uint16_t n = REQUESTS, used;
    plug(&k, false);
    cr_assert(driver_start(&k.d, 0, 256));
    memcpy(ram(&k.d, HEADER), &h, sizeof h);
    driver_add(&k.d, 0, (struct part[]){{HEADER, sizeof h, false}, {DATA, MIB, true}, {DATA + MIB, 1, true}}, 3, false);
    memcpy((uint8_t *)ram(&k.d, k.d.queue[0].driver) + 2, &n, 2); /* every entry names the same chain */
    driver_notify(&k.d, 0);
    cr_assert_eq(k.block->requests, 128);
    block_drain(k.block);
    memcpy(&used, (uint8_t *)ram(&k.d, k.d.queue[0].device) + 2, 2);
    cr_assert_eq(used, REQUESTS);
    driver_notify(&k.d, 0);
    n += REQUESTS;
    memcpy((uint8_t *)ram(&k.d, k.d.queue[0].driver) + 2, &n, 2);
    driver_notify(&k.d, 0);
    wr(&k.d.b, V_STATUS, 4, 0); /* a reset ends those that were begun, and begins no more */
    cr_assert_eq(k.block->requests, 0);
    memcpy(&used, (uint8_t *)ram(&k.d, k.d.queue[0].device) + 2, 2);
    cr_assert_eq(used, REQUESTS);
    unplug_disk(&k);
}
