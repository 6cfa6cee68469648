/*
 * The firmware configuration device: items and named files that a machine offers its firmware and kernel, by the
 * published "QEMU Firmware Configuration (fw_cfg) Device" specification, with memory-mapped registers and the DMA
 * interface.
 *
 *   0  data: the selected item's bytes in order     8  selector, big-endian     16  DMA address, big-endian
 */
#include "hw/misc/fw-cfg.h"

#include <endian.h>
#include <stdlib.h>

enum { DATA = 0, SELECTOR = 8, DMA = 16, WINDOW_SIZE = 24 };
enum { FIRST_FILE = 0x20, ITEMS = FIRST_FILE + FW_CFG_MAX_FILES };
enum { ID_TRADITIONAL = 1, ID_DMA = 2 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

static const char dma_signature[] = "QEMU CFG"; /* what the specification has software look for */

/* An entry of the directory; big-endian. */
struct file {
    uint32_t size;
    uint16_t item, reserved;
    char name[FW_CFG_NAME];
};

struct fw_cfg {
    struct device device;
    struct content {
        uint8_t *bytes;
        uint32_t n;
    } item[ITEMS];
    struct {
        uint32_t count;
        struct file file[FW_CFG_MAX_FILES];
    } directory;
    uint32_t nfiles;
    uint16_t selected;
    uint32_t at; /* in the selected item */
    uint64_t dma;
};

static struct fw_cfg *cfg(struct device *d) { return (struct fw_cfg *)d; }

void fw_cfg_set(struct device *d, unsigned item, const void *bytes, uint32_t n)
{
    struct content *c = &cfg(d)->item[item];
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy || item >= ITEMS) {
        free(copy);
        return;
    }
    memcpy(copy, bytes, n);
    free(c->bytes);
    *c = (struct content){copy, n};
}

void fw_cfg_set_number(struct device *d, unsigned item, uint64_t v, unsigned size)
{
    v = htole64(v);
    fw_cfg_set(d, item, &v, size);
}

bool fw_cfg_add_file(struct device *d, const char *name, const void *bytes, uint32_t n)
{
    struct fw_cfg *s = cfg(d);
    if (s->nfiles == FW_CFG_MAX_FILES || strlen(name) >= FW_CFG_NAME)
        return false;
    unsigned place = 0; /* the directory is sorted by name */
    for (int order = -1; place < s->nfiles && (order = strcmp(s->directory.file[place].name, name)) <= 0; place++)
        if (!order)
            return false;
    struct file *f = &s->directory.file[place];
    memmove(f + 1, f, (s->nfiles - place) * sizeof *f);
    *f = (struct file){.size = htobe32(n), .item = htobe16((uint16_t)(FIRST_FILE + s->nfiles))};
    strcpy(f->name, name);
    fw_cfg_set(d, FIRST_FILE + s->nfiles, bytes, n);
    s->directory.count = htobe32(++s->nfiles);
    fw_cfg_set(d, FW_CFG_FILE_DIR, &s->directory, (uint32_t)(4 + s->nfiles * sizeof *f));
    return true;
}

/* --- the selected item --- */

static const struct content *selected(const struct fw_cfg *s)
{
    static const struct content nothing;
    unsigned item = s->selected & 0x3fff; /* the rest: writable, architecture's own */
    return item < ITEMS && item == s->selected ? &s->item[item] : &nothing;
}

/* The next n bytes, zeros behind the end. */
static void take(struct fw_cfg *s, uint8_t *buf, uint32_t n)
{
    const struct content *c = selected(s);
    uint32_t there = s->at < c->n ? c->n - s->at : 0, part = there < n ? there : n;
    memcpy(buf, c->bytes ? c->bytes + s->at : buf, part);
    memset(buf + part, 0, n - part);
    s->at += part;
}

static void choose(struct fw_cfg *s, uint16_t item)
{
    s->selected = item;
    s->at = 0;
}

/* A descriptor in memory: control, length, address, big-endian; the control's word is zero when it is done. */
static void transfer(struct fw_cfg *s)
{
    struct mem_space *memory = s->device.host->memory;
    struct {
        uint32_t control, length;
        uint64_t address;
    } d;
    uint64_t at = s->dma;
    s->dma = 0;
    if (mem_read(memory, at, &d, sizeof d) != MEM_OK)
        return;
    uint32_t control = be32toh(d.control), left = be32toh(d.length), result = 0;
    uint64_t address = be64toh(d.address);
    if (control & DMA_SELECT)
        choose(s, (uint16_t)(control >> 16));
    if (control & DMA_READ) {
        uint8_t part[4096];
        /* Behind the end there are zeros without end: a driver that asks for them gets what fits into its memory. */
        for (uint32_t n; left && !result; left -= n, address += n) {
            n = left < sizeof part ? left : (uint32_t)sizeof part;
            take(s, part, n);
            result = mem_write(memory, address, part, n) == MEM_OK ? 0 : DMA_ERROR;
        }
    } else if (control & DMA_WRITE) {
        result = DMA_ERROR; /* no item is writable */
    } else if (control & DMA_SKIP) {
        uint32_t end = selected(s)->n;
        s->at = end - s->at < left ? end : s->at + left;
    }
    result = htobe32(result);
    mem_write(memory, at, &result, sizeof result);
}

/* --- registers --- */

static uint64_t cfg_read(void *device, uint64_t offset, unsigned size)
{
    struct fw_cfg *s = device;
    uint64_t v = 0;
    if (offset < SELECTOR) { /* a string of bytes: the first one is the lowest */
        uint8_t bytes[8];
        take(s, bytes, size);
        memcpy(&v, bytes, size);
    } else if (offset >= DMA) {
        memcpy(&v, dma_signature + (offset - DMA), size);
    }
    return v;
}

static void cfg_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct fw_cfg *s = device;
    if (offset == SELECTOR && size == 2) {
        choose(s, be16toh((uint16_t)value));
    } else if (offset == DMA && size == 8) {
        s->dma = be64toh(value);
        transfer(s);
    } else if (offset == DMA && size == 4) {
        s->dma = (uint64_t)be32toh((uint32_t)value) << 32;
    } else if (offset == DMA + 4 && size == 4) { /* the low half starts the transfer */
        s->dma = (s->dma & ~(uint64_t)UINT32_MAX) | be32toh((uint32_t)value);
        transfer(s);
    }
}

static const struct mem_ops ops = {.read = cfg_read, .write = cfg_write};
static const struct device_window windows[] = {{.name = "fw_cfg", .size = WINDOW_SIZE, .ops = &ops}};
static const struct device_saved saved[] = {
    DEVICE_SAVED(struct fw_cfg, selected),
    DEVICE_SAVED(struct fw_cfg, at),
    DEVICE_SAVED(struct fw_cfg, dma),
};

static char *realize(struct device *d)
{
    fw_cfg_set(d, FW_CFG_SIGNATURE, dma_signature, 4);
    fw_cfg_set_number(d, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, 4);
    fw_cfg_set_number(d, FW_CFG_FILE_DIR, 0, 4);
    return NULL;
}

static void unrealize(struct device *d)
{
    for (unsigned i = 0; i < ITEMS; i++)
        free(cfg(d)->item[i].bytes);
}

static void reset(struct device *d)
{
    choose(cfg(d), 0);
    cfg(d)->dma = 0;
}

static void loaded(struct device *d)
{
    struct fw_cfg *s = cfg(d);
    if (s->at > selected(s)->n)
        s->at = selected(s)->n;
}

const struct device_class device_fw_cfg = {
    DEVICE_CLASS,
    .name = "fw_cfg",
    .doc = "firmware configuration: items and files for firmware and kernel",
    .state_size = sizeof(struct fw_cfg),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
    .only_board = true,
};
