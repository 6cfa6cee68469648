/*
 * Parallel NOR flash with the Intel command set (JEDEC JEP137/JESD68.01, Common Flash Interface; Intel 28F128J3 data
 * sheet, with the buffer of its successor P30-65nm, more of which EDK II uses than the older one had): two 16-bit chips
 * beside each other on a 32-bit bus, as the virt machines have them. Reads find the array until a command is written.
 * What is programmed goes to the drive at once. A bank without a drive keeps its bytes inverted, so that an erased one
 * costs neither memory nor room in snapshots; it can be read, but code does not run there.
 */
#include "hw/device.h"

#include <stdlib.h>

#include "base/log.h"
#include "softmmu/block.h"

enum { CHIPS = 2, BANK = CHIPS * 2, BUFFER_LOG = 10, WRITE_BUFFER = CHIPS << BUFFER_LOG };
enum { STATUS_READY = 0x80, STATUS_ERASE_ERROR = 0x20, STATUS_PROGRAM_ERROR = 0x10 };
/*
 * What reads find; a saved state holds these numbers; the content is the drive's, or saved with the machine's memory.
 */
enum mode { ARRAY, STATUS, ID, QUERY, MODES };
/* What the next write means. */
enum step { COMMAND, PROGRAM, ERASE_CONFIRM, BUFFER_COUNT, BUFFER_DATA, BUFFER_CONFIRM, LOCK_CONFIRM, STEPS };

struct pflash {
    struct device device;
    struct block *drive;
    uint64_t size;
    uint32_t sector; /* bytes erased together, of both chips */
    uint8_t mode, step, status, broken;
    uint16_t left;          /* bytes the buffer still takes */
    uint64_t buffer_at;     /* where its first byte goes */
    uint8_t buffer[WRITE_BUFFER];
};

static struct pflash *flash(struct device *d) { return (struct pflash *)d; }
static struct mem_region *region(struct pflash *s) { return &s->device.view[0].region; }

/* What a byte in memory is to be changed by to be the flash's. */
static uint8_t inverted(const struct pflash *s) { return s->drive ? 0 : 0xff; }

static bool read_only(const struct pflash *s) { return s->drive && s->drive->read_only; }

static void set_mode(struct pflash *s, enum mode mode)
{
    s->mode = (uint8_t)mode;
    s->step = COMMAND;
    bool direct = mode == ARRAY && !inverted(s);
    if (region(s)->parent)
        mem_rom_direct(s->device.host->memory, region(s), direct);
    else
        region(s)->direct_off = !direct;
}

static void store_back(struct pflash *s, uint64_t at, uint64_t n)
{
    uint64_t size = s->drive ? s->drive->size : 0;
    if (at >= size)
        return;
    if (block_write(s->drive, at, region(s)->host + at, n < size - at ? n : size - at))
        log_printf("pflash: cannot write %s; what was programmed will be lost\n", s->drive->path);
}

/* Programming clears bits only. */
static void program(struct pflash *s, uint64_t at, const uint8_t *bytes, unsigned n)
{
    if (read_only(s) || at > s->size || n > s->size - at) {
        s->status |= STATUS_PROGRAM_ERROR;
        return;
    }
    for (unsigned i = 0; i < n; i++)
        region(s)->host[at + i] = ((region(s)->host[at + i] ^ inverted(s)) & bytes[i]) ^ inverted(s);
    store_back(s, at & ~(uint64_t)(BLOCK_SECTOR - 1), ALIGN_UP((at & (BLOCK_SECTOR - 1)) + n, (uint64_t)BLOCK_SECTOR));
}

static void erase(struct pflash *s, uint64_t offset)
{
    uint64_t at = offset & ~(uint64_t)(s->sector - 1);
    if (read_only(s)) {
        s->status |= STATUS_ERASE_ERROR;
        return;
    }
    memset(region(s)->host + at, 0xff ^ inverted(s), s->sector);
    store_back(s, at, s->sector);
}

/* --- the query table: byte i of a chip's at address i --- */

static uint8_t query(const struct pflash *s, uint64_t i)
{
    uint32_t sectors = (uint32_t)(s->size / s->sector) - 1, sector = s->sector / CHIPS / 256;
    uint8_t size_log = (uint8_t)(63 - __builtin_clzll(s->size / CHIPS));
    const uint8_t table[] = {
        'Q', 'R', 'Y', 1, 0, 0x31, 0, 0, 0, 0, 0,              /* 0x10: Intel's command set, its table at 0x31 */
        0x45, 0x55, 0, 0, 7, 7, 10, 0, 4, 4, 4, 0,             /* 0x1b: voltages and times */
        size_log, 2, 0, BUFFER_LOG, 0, 1,                      /* 0x27: size, 8 and 16 bits, size of the buffer, one kind of sector */
        (uint8_t)sectors, (uint8_t)(sectors >> 8), (uint8_t)sector, (uint8_t)(sector >> 8),
        'P', 'R', 'I', '1', '0', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x31: nothing that is optional */
    };
    return i >= 0x10 && i - 0x10 < sizeof table ? table[i - 0x10] : 0;
}

/* One byte as the bus sees it: both chips answer the same, in the low byte of their 16 bits. */
static uint8_t answer(struct pflash *s, uint64_t offset)
{
    uint64_t word = offset / BANK;
    if (s->mode == ARRAY)
        return region(s)->host[offset] ^ inverted(s);
    if (offset % 2)
        return 0;
    switch (s->mode) {
    case STATUS: return s->status | STATUS_READY;
    case ID: return word == 0 ? 0x89 : word == 1 ? 0x18 : 0; /* Intel, 28F128J3; no sector is locked */
    case QUERY: return query(s, word);
    default: return 0;
    }
}

static uint64_t flash_read(void *device, uint64_t offset, unsigned size)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)answer(device, offset + i) << 8 * i;
    return v;
}

/* --- commands --- */

static void command(struct pflash *s, uint64_t offset, uint8_t c)
{
    switch (c) {
    case 0x00:
    case 0xf0:
    case 0xff: set_mode(s, ARRAY); break;
    case 0x10:
    case 0x40: set_mode(s, STATUS); s->step = PROGRAM; break;
    case 0x20: set_mode(s, STATUS); s->step = ERASE_CONFIRM; break;
    case 0x50: s->status = 0; set_mode(s, STATUS); break;
    case 0x60: set_mode(s, STATUS); s->step = LOCK_CONFIRM; break;
    case 0x70: set_mode(s, STATUS); break;
    case 0x90: set_mode(s, ID); break;
    case 0x98: set_mode(s, QUERY); break;
    case 0xe8: set_mode(s, STATUS); s->step = BUFFER_COUNT; break;
    default:
        if (log_on(LOG_GUEST_ERROR))
            log_printf("pflash: command 0x%02x is not known\n", c);
        set_mode(s, ARRAY);
    }
}

/* A count of 16-bit words for each chip, less one, then data within one buffer, then the confirmation. */
static void buffer_count(struct pflash *s, uint64_t offset, uint16_t count)
{
    unsigned bytes = (count + 1u) * BANK;
    s->step = BUFFER_DATA;
    s->buffer_at = offset & ~(uint64_t)(WRITE_BUFFER - 1);
    memset(s->buffer, 0xff, sizeof s->buffer);
    s->left = (uint16_t)bytes;
    s->broken = bytes > WRITE_BUFFER;
    if (s->broken) {
        s->status |= STATUS_PROGRAM_ERROR;
        set_mode(s, STATUS);
    }
}

static void buffer_data(struct pflash *s, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset < s->buffer_at || offset + size > s->buffer_at + WRITE_BUFFER)
        s->broken = true;
    else
        memcpy(s->buffer + (offset - s->buffer_at), &value, size);
    s->left = s->left > size ? (uint16_t)(s->left - size) : 0;
    if (!s->left)
        s->step = BUFFER_CONFIRM;
}

static void flash_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct pflash *s = device;
    uint8_t c = (uint8_t)value;
    switch ((enum step)s->step) {
    case PROGRAM:
        program(s, offset, (const uint8_t *)&value, size);
        s->step = COMMAND;
        return;
    case ERASE_CONFIRM:
        if (c == 0xd0)
            erase(s, offset);
        else
            s->status |= STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR;
        s->step = COMMAND;
        return;
    case BUFFER_COUNT: buffer_count(s, offset, (uint16_t)value); return;
    case BUFFER_DATA: buffer_data(s, offset, value, size); return;
    case BUFFER_CONFIRM:
        if (c == 0xd0 && !s->broken)
            program(s, s->buffer_at, s->buffer, WRITE_BUFFER);
        else
            s->status |= STATUS_PROGRAM_ERROR;
        s->step = COMMAND;
        return;
    case LOCK_CONFIRM: s->step = COMMAND; return; /* sectors are never locked */
    default: command(s, offset, c);
    }
}

static const struct mem_ops ops = {.read = flash_read, .write = flash_write, .impl = {1, 4, false}};

/* --- life --- */

static char *realize(struct device *d)
{
    struct pflash *s = flash(d);
    if (!s->size || s->size & (s->size - 1) || s->sector < 512 * CHIPS || s->sector & (s->sector - 1) ||
        s->sector > s->size || s->sector > 0x1000000)
        return device_error(
            "device pflash: size and sector must be powers of two, a sector at least 1K and not more than the size");
    if (s->drive && s->drive->size > s->size)
        return device_error("device pflash: %s is larger than the flash, which has %llu bytes", s->drive->path,
                            (unsigned long long)s->size);
    if (!mem_init_rom(region(s), "pflash", s->size, &ops, s))
        return device_error("device pflash: no memory for %llu bytes", (unsigned long long)s->size);
    if (s->drive)
        memset(region(s)->host + s->drive->size, 0xff, s->size - s->drive->size);
    int error = s->drive ? block_read(s->drive, 0, region(s)->host, s->drive->size) : 0;
    if (error) {
        mem_free(region(s));
        return device_error("device pflash: cannot read %s: %s", s->drive->path, strerror(error));
    }
    return NULL;
}

static void unrealize(struct device *d)
{
    mem_free(region(flash(d)));
}

static void reset(struct device *d)
{
    struct pflash *s = flash(d);
    s->status = 0;
    s->broken = false;
    set_mode(s, ARRAY);
}

static void loaded(struct device *d)
{
    struct pflash *s = flash(d);
    uint8_t step = s->step < STEPS ? s->step : COMMAND;
    s->buffer_at &= (s->size - 1) & ~(uint64_t)(WRITE_BUFFER - 1);
    set_mode(s, s->mode < MODES ? s->mode : ARRAY);
    s->step = step;
}

/* Its size is a property; the region is made by realize(). */
static const struct device_window windows[] = {{.name = "pflash", .size = 0x2000000, .ops = &ops}};
static const struct device_prop props[] = {
    {"drive", PROP_DRIVE, offsetof(struct pflash, drive), NULL, "its content; without, it is erased at the start"},
    {"size", PROP_SIZE, offsetof(struct pflash, size), "32M", "bytes, a power of two"},
    {"sector", PROP_U32, offsetof(struct pflash, sector), "262144", "bytes erased together"},
};
static const struct device_saved saved[] = {
    DEVICE_SAVED(struct pflash, mode),         DEVICE_SAVED(struct pflash, step),
    DEVICE_SAVED(struct pflash, status),       DEVICE_SAVED(struct pflash, broken),
    DEVICE_SAVED(struct pflash, left),         DEVICE_SAVED(struct pflash, buffer_at),
    DEVICE_SAVED_ARRAY(struct pflash, buffer),
};

const struct device_class device_pflash = {
    DEVICE_CLASS,
    .name = "pflash",
    .doc = "parallel NOR flash, Intel command set",
    .state_size = sizeof(struct pflash),
    .state_version = 2,
    DEVICE_WINDOWS(windows),
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
    .only_board = true,
};
