/*
 * A hostile driver: fuzz SECONDS [SEED]. Chips and virtio devices of a machine (disks, networks, consoles, 9P, random
 * numbers; on PCI, behind a port, and in memory slots) get random register accesses, proper starts with random
 * features, rings with random and half right chains, changed configuration spaces, resets, hot plug, and states that
 * were saved, damaged and loaded. Nothing is expected but that it goes on; meant for builds with sanitizers. It says
 * its seed, with which a run is the same again but for the host's threads.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "hw/boards/board.h"
#include "hw/pci/root-port.h"
#include "hw/virtio/mmio.h"
#include "softmmu/block.h"
#include "softmmu/net.h"

enum { RAM_MIB = 16, DISK = 4 << 20, MAX_TARGETS = 16, QUEUES = 4, RING = 0x4000, BUFFERS = 0x100000, NBUFFERS = 64 };
#define RAM_BASE  UINT64_C(0x80000000)
#define ECAM_BASE UINT64_C(0x30000000)
#define PCI_BASE  UINT64_C(0x40000000)
#define MMIO_BASE UINT64_C(0x10001000)

/* Registers of a virtio device as its transport has them. */
enum {
    STATUS,
    OFFERED_SELECT,
    OFFERED,
    ACCEPTED_SELECT,
    ACCEPTED,
    QUEUE,
    SIZE,
    ENABLE,
    DESC,
    DRIVER,
    DEVICE,
    NOTIFY,
    REGISTERS
};
struct place {
    uint32_t offset, size;
};
static const struct place mmio_places[REGISTERS] = {
    [STATUS] = {0x70, 4},   [OFFERED_SELECT] = {0x14, 4}, [OFFERED] = {0x10, 4}, [ACCEPTED_SELECT] = {0x24, 4},
    [ACCEPTED] = {0x20, 4}, [QUEUE] = {0x30, 4},          [SIZE] = {0x38, 4},    [ENABLE] = {0x44, 4},
    [DESC] = {0x80, 8},     [DRIVER] = {0x90, 8},         [DEVICE] = {0xa0, 8},  [NOTIFY] = {0x50, 4},
};
static const struct place pci_places[REGISTERS] = {
    [STATUS] = {0x14, 1},  [OFFERED_SELECT] = {0, 4}, [OFFERED] = {4, 4},   [ACCEPTED_SELECT] = {8, 4},
    [ACCEPTED] = {0xc, 4}, [QUEUE] = {0x16, 2},       [SIZE] = {0x18, 2},   [ENABLE] = {0x1c, 2},
    [DESC] = {0x20, 8},    [DRIVER] = {0x28, 8},      [DEVICE] = {0x30, 8}, [NOTIFY] = {0x3000, 4},
};

/* A device as its driver sees it. */
struct victim {
    const struct place *places;
    uint64_t base;   /* of the registers above */
    uint64_t config; /* PCI: its configuration space; else 0 */
    uint64_t rings;  /* in RAM, RING bytes for each part of each queue */
    uint64_t features;
    uint16_t size, avail[QUEUES];
    bool wrap[QUEUES];
};

struct fuzz {
    uint64_t seed;
    char folder[64], path[4][96];
    struct board *board;
    struct block *disk[2];
    struct block_pool *pool;
    struct net *net;
    struct chardev chardev;
    struct device *port, *behind; /* hot plug */
    GMainContext *context;
    struct victim target[MAX_TARGETS];
    unsigned ntargets;
    uint64_t steps;
};

static uint64_t chance(struct fuzz *f)
{
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 7;
    f->seed ^= f->seed << 17;
    return f->seed;
}

static bool one_in(struct fuzz *f, unsigned n) { return chance(f) % n == 0; }

/* Small, large, near a border, or with few bits. */
static uint64_t value(struct fuzz *f)
{
    static const uint64_t special[] = {0,      1,      2,       3,         4,          7,         8,
                                       15,     16,     64,      128,       256,        0x1000,    0x7fff,
                                       0x8000, 0xffff, 0x10000, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
    switch (chance(f) % 4) {
    case 0: return special[chance(f) % ARRAY_SIZE(special)];
    case 1: return UINT64_C(1) << chance(f) % 64;
    case 2: return chance(f) % 256;
    default: return chance(f) >> chance(f) % 64;
    }
}

static uint64_t rd(struct fuzz *f, uint64_t addr, unsigned size)
{
    uint64_t v = 0;
    mem_load(&f->board->machine.memory, addr, size, &v);
    return v;
}

static void wr(struct fuzz *f, uint64_t addr, unsigned size, uint64_t v)
{
    mem_store(&f->board->machine.memory, addr, size, v);
}

static void must(char *error)
{
    if (error) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

/* --- the machine --- */

static size_t drop(struct chardev *c, const uint8_t *bytes, size_t n) { return n > 3 ? n - 3 : n; }

static struct device *make(struct fuzz *f, const char *class, struct block *disk)
{
    struct device *d = device_new(device_class_by_name(class), NULL, &f->board->host);
    CHECK(d);
    if (strstr(class, "blk"))
        device_set_backend(d, "drive", disk);
    if (strstr(class, "net"))
        device_set_backend(d, "netdev", f->net);
    if (strstr(class, "console"))
        device_set_backend(d, "chardev", &f->chardev);
    if (strstr(class, "9p")) {
        must(device_set(d, "path", f->folder));
        must(device_set(d, "mount_tag", "host"));
    }
    return d;
}

static struct victim *add_target(struct fuzz *f, const struct place *places, uint64_t base, uint64_t config)
{
    CHECK(f->ntargets < MAX_TARGETS);
    struct victim *t = &f->target[f->ntargets];
    *t = (struct victim){.places = places,
                         .base = base,
                         .config = config,
                         .rings = RAM_BASE + 0x400000 + f->ntargets * 0x40000};
    f->ntargets++;
    return t;
}

static void enable_pci(struct fuzz *f, const struct victim *t)
{
    uint64_t msix = t->base - 0x10000;
    wr(f, t->config + 0x14, 4, msix);
    wr(f, t->config + 0x20, 4, t->base);
    wr(f, t->config + 0x24, 4, 0);
    wr(f, t->config + 4, 2, 6);
}

static void build(struct fuzz *f)
{
    static const char *const pci[] = {"virtio-blk-pci", "virtio-net-pci", "virtio-console-pci", "virtio-rng-pci", "virtio-keyboard-pci",
                                      "virtio-9p-pci"};
    static const char *const mmio[] = {"virtio-blk-device", "virtio-rng-device", "virtio-9p-device"};
    struct board_options o = {.processors = 2, .ram_size = (uint64_t)RAM_MIB << 20, .firmware = "none", .exec.background = true};
    static const char *const controllers[] = {"none", "aplic", "aplic-imsic"};
    const struct board_class *virt = board_class_by_name("virt");
    o.serial[0] = NULL;
    must(board_set(virt, &o, "aia", controllers[f->seed / 2 % 3]));
    must(board_new(virt, &o, &f->board));
    machine_lock(&f->board->machine);
    for (unsigned i = 0; i < ARRAY_SIZE(pci); i++) {
        must(board_add(f->board, make(f, pci[i], f->disk[0])));
        struct victim *t =
            add_target(f, pci_places, PCI_BASE + i * 0x100000 + 0x10000, ECAM_BASE + (uint64_t)i * 8 * 0x1000);
        enable_pci(f, t);
    }
    must(board_add(f->board, f->port = make(f, "pcie-root-port", NULL)));
    pci_root_port_bus(f->port);
    uint64_t port = ECAM_BASE + ARRAY_SIZE(pci) * 8 * 0x1000;
    wr(f, port + 0x18, 4, 0x010100); /* buses 0, 1 to 1 */
    wr(f, port + 4, 2, 6);
    add_target(f, pci_places, PCI_BASE + 0x2010000, ECAM_BASE + 0x100000); /* what is plugged into it */
    for (unsigned i = 0; i < ARRAY_SIZE(mmio); i++) {
        must(board_add(f->board, make(f, mmio[i], f->disk[1])));
        add_target(f, mmio_places, MMIO_BASE + (7 - i) * 0x1000, 0);
    }
    machine_unlock(&f->board->machine);
}

static void unplug(struct fuzz *f)
{
    if (!f->behind)
        return;
    pci_unplug(f->behind);
    device_free(f->behind);
    f->behind = NULL;
}

static void hot_plug(struct fuzz *f)
{
    if (f->behind) {
        unplug(f);
        return;
    }
    f->behind = make(f, one_in(f, 2) ? "virtio-rng-pci" : "virtio-console-pci", NULL);
    if (f->behind->class->part && strstr(f->behind->class->name, "console"))
        device_set_backend(f->behind, "chardev", NULL);
    must(device_realize(f->behind));
    must(pci_plug(pci_root_port_bus(f->port), f->behind, -1));
}

/* --- what a driver does --- */

static void put(struct fuzz *f, const struct victim *t, unsigned reg, uint64_t v)
{
    const struct place *p = &t->places[reg];
    if (p->size == 8) {
        wr(f, t->base + p->offset, 4, (uint32_t)v);
        wr(f, t->base + p->offset + 4, 4, v >> 32);
    } else {
        wr(f, t->base + p->offset, p->size, v);
    }
}

static uint64_t get(struct fuzz *f, const struct victim *t, unsigned reg)
{
    return rd(f, t->base + t->places[reg].offset, t->places[reg].size);
}

static uint64_t part_of(const struct victim *t, unsigned queue, unsigned part)
{
    return t->rings + (3 * queue + part) * RING;
}

static void *ram(struct fuzz *f, uint64_t addr)
{
    struct mem_host h;
    CHECK(mem_host(&f->board->machine.memory, addr, RING, &h) && h.n == RING);
    return h.p;
}

/* The steps of VIRTIO 1.2, section 3.1, mostly as they should be. */
static void start(struct fuzz *f, struct victim *t)
{
    static const uint64_t ring_features = VIRTIO_INDIRECT_DESC | VIRTIO_EVENT_IDX | VIRTIO_RING_PACKED;
    if (t->config)
        enable_pci(f, t);
    put(f, t, STATUS, 0);
    put(f, t, STATUS, 3);
    uint64_t offered = 0;
    for (unsigned half = 0; half < 2; half++) {
        put(f, t, OFFERED_SELECT, half);
        offered |= get(f, t, OFFERED) << 32 * half;
    }
    t->features = one_in(f, 20) ? value(f) : (offered & (chance(f) | chance(f) | ~ring_features)) | VIRTIO_VERSION_1;
    for (unsigned half = 0; half < 2; half++) {
        put(f, t, ACCEPTED_SELECT, half);
        put(f, t, ACCEPTED, (uint32_t)(t->features >> 32 * half));
    }
    put(f, t, STATUS, 11);
    t->size = (uint16_t)(1u << chance(f) % 8);
    for (unsigned q = 0; q < QUEUES; q++) {
        t->avail[q] = 0;
        t->wrap[q] = true;
        put(f, t, QUEUE, q);
        put(f, t, SIZE, one_in(f, 20) ? value(f) : t->size);
        for (unsigned part = 0; part < 3; part++) {
            uint64_t at = part_of(t, q, part);
            memset(ram(f, at), 0, RING);
            put(f, t, DESC + part, one_in(f, 60) ? value(f) : at);
        }
        put(f, t, ENABLE, 1);
    }
    put(f, t, STATUS, 15);
}

static uint64_t buffer(struct fuzz *f)
{
    if (one_in(f, 30))
        return value(f);
    if (one_in(f, 30)) /* its own registers, or the end of RAM */
        return one_in(f, 2) ? MMIO_BASE + chance(f) % 0x8000 : RAM_BASE + ((uint64_t)RAM_MIB << 20) - chance(f) % 64;
    return RAM_BASE + BUFFERS + chance(f) % NBUFFERS * 0x1000 + (one_in(f, 4) ? chance(f) % 64 : 0);
}

static uint32_t length(struct fuzz *f)
{
    static const uint32_t usual[] = {1, 8, 12, 16, 20, 24, 512, 1024, 1526, 4096};
    return one_in(f, 40) ? (uint32_t)value(f) : usual[chance(f) % ARRAY_SIZE(usual)];
}

/* What messages of the devices begin with: disk requests, network headers, 9P messages. */
static void fill_buffers(struct fuzz *f)
{
    uint64_t at = RAM_BASE + BUFFERS + chance(f) % NBUFFERS * 0x1000;
    uint8_t *p = ram(f, at);
    for (unsigned i = 0; i < 128; i++)
        p[i] = (uint8_t)(one_in(f, 3) ? chance(f) : 0);
    uint32_t type = (uint32_t)(chance(f) % 16);
    uint64_t sector = one_in(f, 8) ? value(f) : chance(f) % (DISK / 512);
    switch (chance(f) % 4) {
    case 0: /* virtio_blk_outhdr, and a range to discard behind it */
        memcpy(p, &type, 4);
        memcpy(p + 8, &sector, 8);
        memcpy(p + 16, &sector, 8);
        memcpy(p + 24, &type, 4);
        break;
    case 1: /* 9P: size, type, tag, fid */
        type = (uint32_t)(7 + chance(f) % 120);
        memcpy(p, &type, 4);
        p[4] = (uint8_t)(one_in(f, 2) ? 100 + chance(f) % 30 : (chance(f) % 64) * 2);
        memset(p + 7, (int)(chance(f) % 4), 1);
        memset(p + 8, 0, 3);
        break;
    case 2: memset(p, 0, 12); break; /* virtio_net_hdr */
    default: break;
    }
}

static void write_desc(struct fuzz *f, uint8_t *table, unsigned i, uint16_t third, uint16_t fourth)
{
    uint64_t addr = buffer(f);
    uint32_t n = length(f);
    memcpy(table + 16 * i, &addr, 8);
    memcpy(table + 16 * i + 8, &n, 4);
    memcpy(table + 16 * i + 12, &third, 2);
    memcpy(table + 16 * i + 14, &fourth, 2);
}

/* A chain of up to eight descriptors from `first` on: some to be read, then some to be written. */
static unsigned split_chain(struct fuzz *f, struct victim *t, uint8_t *table, unsigned first)
{
    enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
    unsigned n = 1 + (unsigned)(chance(f) % 8), nread = (unsigned)(chance(f) % (n + 1));
    for (unsigned i = 0; i < n; i++) {
        unsigned at = (first + i) % t->size, next = (first + i + 1) % t->size;
        uint16_t flags = (uint16_t)((i + 1 < n ? NEXT : 0) | (i >= nread ? WRITE : 0) | (one_in(f, 12) ? INDIRECT : 0));
        if (one_in(f, 60))
            flags = (uint16_t)chance(f);
        write_desc(f, table, at, flags, one_in(f, 60) ? (uint16_t)chance(f) : (uint16_t)next);
    }
    return n;
}

static void packed_chain(struct fuzz *f, struct victim *t, unsigned q, uint8_t *table)
{
    enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 1 << 7, USED = 1 << 15 };
    unsigned n = 1 + (unsigned)(chance(f) % 8), nread = (unsigned)(chance(f) % (n + 1));
    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = (uint16_t)((i + 1 < n ? NEXT : 0) | (i >= nread ? WRITE : 0) | (one_in(f, 12) ? INDIRECT : 0));
        flags |= t->wrap[q] ? AVAIL : USED;
        write_desc(f, table, t->avail[q], (uint16_t)i, one_in(f, 60) ? (uint16_t)chance(f) : flags);
        if (++t->avail[q] >= t->size) {
            t->avail[q] = 0;
            t->wrap[q] = !t->wrap[q];
        }
    }
}

static void send_chains(struct fuzz *f, struct victim *t)
{
    unsigned q = (unsigned)(chance(f) % QUEUES);
    uint8_t *table = ram(f, part_of(t, q, 0)), *driver = ram(f, part_of(t, q, 1));
    if (!t->size)
        return;
    for (unsigned k = 1 + (unsigned)(chance(f) % 4); k--;) {
        fill_buffers(f);
        if (t->features & VIRTIO_RING_PACKED) {
            packed_chain(f, t, q, table);
            continue;
        }
        uint16_t head = (uint16_t)(chance(f) % t->size), entry = one_in(f, 60) ? (uint16_t)chance(f) : head;
        split_chain(f, t, table, head);
        memcpy(driver + 4 + 2 * (t->avail[q] % t->size), &entry, 2);
        t->avail[q]++;
        if (one_in(f, 60))
            t->avail[q] = (uint16_t)chance(f);
        memcpy(driver + 2, &t->avail[q], 2);
    }
    wr(f, t->base + t->places[NOTIFY].offset + (t->config ? 4 * q : 0), 4, q);
}

static void scribble(struct fuzz *f, const struct victim *t)
{
    uint8_t *p = ram(f, part_of(t, (unsigned)(chance(f) % QUEUES), (unsigned)(chance(f) % 3)));
    for (unsigned k = 0; k < 8; k++)
        p[chance(f) % (one_in(f, 2) ? 64u : (unsigned)RING)] = (uint8_t)value(f);
}

/* --- what else happens --- */

static void touch_registers(struct fuzz *f)
{
    static const unsigned sizes[] = {1, 2, 4, 8};
    const struct board *b = f->board;
    const struct victim *t = &f->target[chance(f) % f->ntargets];
    uint64_t base = t->base, room = t->config ? 0x4000 : 0x1000;
    if (one_in(f, 3)) { /* a chip of the board; not the switch that turns it off */
        const struct device *d = b->chip[chance(f) % b->nchips];
        const struct mem_region *r = &d->view[0].region;
        base = r->at;
        room = r->size;
        if (!strcmp(d->class->name, "syscon"))
            return;
    } else if (t->config && one_in(f, 6)) {
        base -= 0x10000; /* MSI-X */
    }
    for (unsigned k = 1 + (unsigned)(chance(f) % 8); k--;) {
        unsigned size = sizes[chance(f) % 4];
        uint64_t at = base + (one_in(f, 2) ? chance(f) % 256 : value(f)) % room;
        if (one_in(f, 2))
            rd(f, at, size);
        else
            wr(f, at, size, value(f));
    }
}

static void touch_config(struct fuzz *f, const struct victim *t)
{
    if (!t->config)
        return;
    for (unsigned k = 0; k < 4; k++) {
        uint64_t at = t->config + (one_in(f, 8) ? chance(f) % 4096 : chance(f) % 256);
        unsigned size = 1u << chance(f) % 3;
        if (one_in(f, 3))
            wr(f, at & ~(uint64_t)(size - 1), size, value(f));
        else
            rd(f, at & ~(uint64_t)(size - 1), size);
    }
    if (one_in(f, 2))
        enable_pci(f, t);
}

static void type_something(struct fuzz *f)
{
    const struct chardev_front *c = &f->chardev.front;
    uint8_t bytes[32] = "typed";
    size_t room = c->room ? c->room(c->opaque) : 0;
    if (room && c->receive)
        c->receive(c->opaque, bytes, room < sizeof bytes ? room : sizeof bytes);
    if (c->writable)
        c->writable(c->opaque);
}

static void deliver_frame(struct fuzz *f)
{
    uint8_t frame[2000] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    for (unsigned i = 0; i < 12; i++)
        frame[one_in(f, 4) ? i : 12 + i] ^= (uint8_t)value(f);
    net_deliver(f->net, frame, 14 + chance(f) % (sizeof frame - 14));
}

struct items {
    unsigned n;
    struct item {
        char name[128];
        uint8_t *bytes;
        size_t size;
    } item[512];
};

static void keep(void *opaque, const char *device, const char *name, const void *bytes, size_t size)
{
    struct items *s = opaque;
    CHECK(s->n < ARRAY_SIZE(s->item));
    struct item *i = &s->item[s->n++];
    CHECK((size_t)snprintf(i->name, sizeof i->name, "%s/%s", device, name) < sizeof i->name);
    i->bytes = malloc(size + 1);
    memcpy(i->bytes, bytes, size);
    i->size = size;
}

static bool give(void *opaque, const char *device, const char *name, void *bytes, size_t size)
{
    const struct items *s = opaque;
    char full[128];
    snprintf(full, sizeof full, "%s/%s", device, name);
    for (unsigned i = 0; i < s->n; i++)
        if (!strcmp(s->item[i].name, full) && s->item[i].size == size) {
            if (bytes)
                memcpy(bytes, s->item[i].bytes, size);
            return true;
        }
    return false;
}

/* A device's state is saved, changed in places and loaded. */
static void damaged_state(struct fuzz *f)
{
    struct board *b = f->board;
    struct items items = {.n = 0};
    bool chip = one_in(f, 2);
    struct device *d = chip ? b->chip[chance(f) % b->nchips] : b->device[chance(f) % b->ndevices];
    device_save(d, "x", &(struct state_sink){keep, &items});
    for (unsigned k = (unsigned)(chance(f) % 6); k--;) {
        struct item *i = &items.item[chance(f) % items.n];
        if (i->size && !strstr(i->name, "version"))
            i->bytes[chance(f) % (one_in(f, 2) && i->size > 64 ? 64 : i->size)] = (uint8_t)value(f);
    }
    must(device_load(d, "x", &(struct state_source){give, &items}));
    while (items.n)
        free(items.item[--items.n].bytes);
}

static void step(struct fuzz *f)
{
    struct victim *t = &f->target[chance(f) % f->ntargets];
    switch (chance(f) % 64) {
    case 0 ... 3: start(f, t); break;
    case 4 ... 35: send_chains(f, t); break;
    case 36 ... 47: touch_registers(f); break;
    case 48 ... 51: scribble(f, t); break;
    case 52 ... 54: touch_config(f, t); break;
    case 55: one_in(f, 2) ? type_something(f) : deliver_frame(f); break;
    case 56: damaged_state(f); break;
    case 57:
        if (one_in(f, 8))
            hot_plug(f);
        break;
    case 58:
        if (one_in(f, 32))
            device_reset(f->board->device[chance(f) % f->board->ndevices]);
        break;
    default: /* what has ended in the meantime */
        block_pool_dispatch(f->pool);
        clocks_dispatch(&f->board->machine.clocks);
        g_main_context_iteration(f->context, FALSE);
    }
    f->steps++;
}

/* --- the run --- */

static void open_backends(struct fuzz *f)
{
    char *error = NULL;
    struct options o;
    snprintf(f->folder, sizeof f->folder, "%s/metic-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    CHECK(mkdtemp(f->folder));
    for (unsigned i = 0; i < ARRAY_SIZE(f->path); i++)
        snprintf(f->path[i], sizeof f->path[i], "%s.%u", f->folder, i);
    must(qcow2_create(f->path[0], &(struct qcow2_layout){.size = DISK, .cluster_bits = 12, .refcount_order = 4}));
    int fd = open(f->path[1], O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && !ftruncate(fd, DISK));
    close(fd);
    f->pool = block_pool_new(3);
    f->disk[0] = block_open(f->path[0], &(struct block_options){.discard = true}, f->pool, &error);
    must(error);
    f->disk[1] =
        block_open(f->path[1], &(struct block_options){.format = "raw", .read_only = f->seed % 2}, f->pool, &error);
    must(error);
    f->context = g_main_context_new();
    must(options_parse(&o, "user,restrict=on", "type"));
    must(net_open(&o, f->context, &f->net));
    options_free(&o);
    f->chardev.write = drop;
}

static void close_backends(struct fuzz *f)
{
    char command[128];
    net_close(f->net);
    g_main_context_unref(f->context);
    CHECK(!block_close(f->disk[0]) && !block_close(f->disk[1]));
    block_pool_free(f->pool);
    for (unsigned i = 0; i < ARRAY_SIZE(f->path); i++)
        unlink(f->path[i]);
    snprintf(command, sizeof command, "rm -rf %s", f->folder); /* with what the guest made in it */
    CHECK(!system(command));
}

int main(int argc, char **argv)
{
    static struct fuzz f;
    CHECK(argc > 1);
    time_t end = time(NULL) + atoi(argv[1]);
    f.seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
    printf("seed %llu\n", (unsigned long long)f.seed);
    fflush(stdout);
    f.seed |= 1;
    open_backends(&f);
    build(&f);
    struct machine *m = &f.board->machine;
    machine_lock(m);
    while (time(NULL) < end)
        for (unsigned i = 0; i < 500; i++)
            step(&f);
    unplug(&f);
    block_drain(f.disk[0]);
    block_drain(f.disk[1]);
    machine_unlock(m);
    board_free(f.board);
    close_backends(&f);
    printf("%llu steps\n", (unsigned long long)f.steps);
    return 0;
}
