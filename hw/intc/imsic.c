/*
 * The incoming MSI controller (RISC-V Advanced Interrupt Architecture 1.0, chapter 3): interrupt files of up to 2047
 * identities, each a page where a write of an identity makes it pending. The hart's side is in imsic.h.
 */
#include "hw/intc/imsic.h"

enum { WORDS = (IMSIC_MAX_IDS + 1) / 64, SETEIPNUM_LE = 0, SETEIPNUM_BE = 4 };

struct imsic {
    struct device device;
    uint32_t files, ids;
    struct file {
        uint32_t delivery, threshold;
        uint64_t pending[WORDS], enabled[WORDS];
    } file[IMSIC_MAX_FILES];
};

static struct imsic *imsic(const struct device *d) { return (struct imsic *)(uintptr_t)d; }

uint32_t imsic_top(const struct device *d, unsigned file)
{
    const struct file *f = &imsic(d)->file[file];
    for (unsigned w = 0; w < WORDS; w++) {
        uint64_t both = f->pending[w] & f->enabled[w];
        if (!both)
            continue;
        uint32_t id = 64 * w + (uint32_t)__builtin_ctzll(both); /* the lowest identity is the most important */
        return f->threshold && id >= f->threshold ? 0 : id << 16 | id;
    }
    return 0;
}

static void update(struct imsic *s, unsigned file)
{
    irq_set(&s->device.irq[file], s->file[file].delivery == 1 && imsic_top(&s->device, file));
}

void imsic_claim(struct device *d, unsigned file)
{
    uint32_t id = imsic_top(d, file) >> 16;
    if (id)
        imsic(d)->file[file].pending[id / 64] &= ~(UINT64_C(1) << id % 64);
    update(imsic(d), file);
}

/* Bits of word w for identities that are there. */
static uint64_t existing(const struct imsic *s, unsigned w)
{
    uint64_t bits = 64 * w > s->ids ? 0 : s->ids - 64 * w >= 63 ? UINT64_MAX : (UINT64_C(2) << (s->ids - 64 * w)) - 1;
    return w ? bits : bits & ~UINT64_C(1);
}

static uint64_t merge(uint64_t old, uint64_t value, uint64_t mask) { return (old & ~mask) | (value & mask); }

/* An element of an array of bits, 32 or 64 of them. */
static bool access_array(const struct imsic *s, uint64_t *array, unsigned i, unsigned xlen, uint64_t *old,
                         uint64_t value, uint64_t mask)
{
    if (xlen == 64 && i % 2)
        return false;
    unsigned shift = xlen == 32 ? 32 * (i % 2) : 0;
    uint64_t *word = &array[i / 2], all = xlen == 32 ? UINT32_MAX : UINT64_MAX;
    *old = *word >> shift & all;
    *word = merge(*word, value << shift, (mask & all) << shift) & existing(s, i / 2);
    return true;
}

bool imsic_access(struct device *d, unsigned file, unsigned select, unsigned xlen, uint64_t *old, uint64_t value,
                  uint64_t mask)
{
    struct imsic *s = imsic(d);
    struct file *f = &s->file[file];
    bool there = true;
    uint32_t wanted;
    *old = 0;
    if (file >= s->files)
        return false;
    switch (select) {
    case IMSIC_EIDELIVERY:
        *old = f->delivery;
        wanted = (uint32_t)merge(*old, value, mask);
        f->delivery = wanted <= 1 ? wanted : f->delivery;
        break;
    case IMSIC_EITHRESHOLD:
        *old = f->threshold;
        wanted = (uint32_t)merge(*old, value, mask);
        f->threshold = wanted <= s->ids ? wanted : f->threshold;
        break;
    case IMSIC_EIP ... IMSIC_EIE - 1:
        there = access_array(s, f->pending, select - IMSIC_EIP, xlen, old, value, mask);
        break;
    case IMSIC_EIE ... IMSIC_SELECT_END - 1:
        there = access_array(s, f->enabled, select - IMSIC_EIE, xlen, old, value, mask);
        break;
    default: return false;
    }
    update(s, file);
    return there;
}

/* --- messages --- */

static uint64_t page_read(void *device, uint64_t offset, unsigned size) { return 0; }

static void page_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct imsic *s = device;
    unsigned file = (unsigned)(offset / IMSIC_PAGE), at = offset % IMSIC_PAGE;
    uint32_t id = at == SETEIPNUM_BE ? __builtin_bswap32((uint32_t)value) : (uint32_t)value;
    if (file >= s->files || at > SETEIPNUM_BE || !id || id > s->ids)
        return;
    s->file[file].pending[id / 64] |= UINT64_C(1) << id % 64;
    update(s, file);
}

static const struct mem_ops ops = {.read = page_read,
                                   .write = page_write,
                                   .valid = {4, 4, false},
                                   .impl = {4, 4, false}};
static const struct device_window windows[] = {{.name = "imsic", .size = IMSIC_MAX_FILES * IMSIC_PAGE, .ops = &ops}};
static const char *const irqs[] = {"external"};
static const struct device_prop props[] = {
    {"files", PROP_U32, offsetof(struct imsic, files), "1", "interrupt files: the hart's and its guests', at most 8"},
    {"ids", PROP_U32, offsetof(struct imsic, ids), "255", "identities of a file: a multiple of 64 less 1, at most 2047"},
};
static const struct device_saved saved[] = {DEVICE_SAVED_ARRAY(struct imsic, file)};

/* The board maps as many pages as there are files. */
static char *realize(struct device *d)
{
    const struct imsic *s = imsic(d);
    if (!s->files || s->files > IMSIC_MAX_FILES)
        return device_error("property files of device imsic must be from 1 to %d", IMSIC_MAX_FILES);
    if (s->ids < 63 || s->ids > IMSIC_MAX_IDS || (s->ids + 1) % 64)
        return device_error("property ids of device imsic must be a multiple of 64 less 1, at most %d", IMSIC_MAX_IDS);
    d->view[0].region.size = s->files * IMSIC_PAGE;
    return NULL;
}

static void loaded(struct device *d)
{
    struct imsic *s = imsic(d);
    for (unsigned i = 0; i < s->files; i++) {
        struct file *f = &s->file[i];
        f->delivery &= 1;
        if (f->threshold > s->ids)
            f->threshold = 0;
        for (unsigned w = 0; w < WORDS; w++) {
            f->pending[w] &= existing(s, w);
            f->enabled[w] &= existing(s, w);
        }
        update(s, i);
    }
}

static void reset(struct device *d)
{
    memset(imsic(d)->file, 0, sizeof imsic(d)->file);
    loaded(d);
}

const struct device_class device_imsic = {
    DEVICE_CLASS,
    .name = "imsic",
    .doc = "RISC-V incoming MSI controller of a hart at one privilege level",
    .state_size = sizeof(struct imsic),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_IRQS(irqs),
    .irq_sets = IMSIC_MAX_FILES,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .reset = reset,
    .loaded = loaded,
    .only_board = true,
};
