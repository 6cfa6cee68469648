/* Reading and writing what a memory map shows: RAM directly, devices through their functions. See memory.h. */
#include "base/log.h"
#include "softmmu/memory.h"

/* --- devices --- */

static uint64_t swap(uint64_t v, unsigned size)
{
    return __builtin_bswap64(v) >> (64 - 8 * size);
}

static uint64_t mask(unsigned size)
{
    return ~UINT64_C(0) >> (64 - 8 * size);
}

static unsigned min_size(struct mem_sizes s) { return s.min ? s.min : 1; }
static unsigned max_size(struct mem_sizes s) { return s.max ? s.max : 8; }

static bool accepts(const struct mem_region *r, uint64_t offset, unsigned size)
{
    struct mem_sizes v = r->ops->valid;
    return size >= min_size(v) && size <= max_size(v) && (v.unaligned || offset % size == 0);
}

/*
 * The accesses that one of `size` bytes at `offset` becomes: `n` of `width` bytes from `start` on; the wanted bytes
 * begin `skip` bytes into them.
 */
struct split {
    uint64_t start;
    unsigned width, n, skip;
};

static struct split split(const struct mem_region *r, uint64_t offset, unsigned size)
{
    struct mem_sizes impl = r->ops->impl;
    unsigned width = size;
    if (width < min_size(impl))
        width = min_size(impl);
    if (width > max_size(impl))
        width = max_size(impl);
    struct split s = {.start = impl.unaligned ? offset : ALIGN_DOWN(offset, (uint64_t)width), .width = width};
    s.skip = (unsigned)(offset - s.start);
    s.n = (s.skip + size + width - 1) / width;
    return s;
}

/* Shift, in bits, of the k-th access's value in that of the whole; negative: to the right. */
static int place(const struct mem_region *r, const struct split *s, unsigned size, unsigned k)
{
    int at = (int)(k * s->width) - (int)s->skip;
    return 8 * (r->ops->big_endian ? (int)size - at - (int)s->width : at);
}

static uint64_t shift(uint64_t v, int left)
{
    if (left >= 64 || left <= -64)
        return 0;
    return left < 0 ? v >> -left : v << left;
}

enum mem_result mem_io_load(const struct mem_region *r, uint64_t offset, unsigned size, uint64_t *value)
{
    *value = 0;
    if (!accepts(r, offset, size) || !r->ops->read)
        return MEM_DEVICE_ERROR;
    struct split s = split(r, offset, size);
    uint64_t v = 0;
    for (unsigned k = 0; k < s.n; k++) {
        uint64_t part = r->ops->read(r->device, s.start + k * s.width, s.width) & mask(s.width);
        v |= shift(part, place(r, &s, size, k));
    }
    v &= mask(size);
    *value = r->ops->big_endian ? swap(v, size) : v;
    return MEM_OK;
}

enum mem_result mem_io_store(const struct mem_region *r, uint64_t offset, unsigned size, uint64_t value)
{
    if (!accepts(r, offset, size) || !r->ops->write)
        return MEM_DEVICE_ERROR;
    struct split s = split(r, offset, size);
    uint64_t v = r->ops->big_endian ? swap(value & mask(size), size) : value & mask(size);
    for (unsigned k = 0; k < s.n; k++)
        r->ops->write(r->device, s.start + k * s.width, shift(v, -place(r, &s, size, k)) & mask(s.width), s.width);
    return MEM_OK;
}

/* --- RAM --- */

uint8_t mem_watch(struct mem_region *ram, uint64_t offset, uint64_t size, uint8_t bits)
{
    uint8_t were = 0;
    for (uint64_t page = offset >> MEM_PAGE_SHIFT; page <= (offset + size - 1) >> MEM_PAGE_SHIFT; page++)
        were |= __atomic_fetch_and(&ram->dirty[page], (uint8_t)~bits, __ATOMIC_SEQ_CST) & bits;
    return were;
}

void mem_wrote(struct mem_space *s, struct mem_region *ram, uint64_t offset, uint64_t size)
{
    for (uint64_t page = offset >> MEM_PAGE_SHIFT; page <= (offset + size - 1) >> MEM_PAGE_SHIFT; page++) {
        uint8_t were = __atomic_load_n(&ram->dirty[page], __ATOMIC_SEQ_CST);
        if (were == DIRTY_ALL)
            continue;
        if (!(were & DIRTY_CODE) && s->code_written)
            s->code_written(s->opaque, ram, page << MEM_PAGE_SHIFT, UINT64_C(1) << MEM_PAGE_SHIFT);
        __atomic_fetch_or(&ram->dirty[page], DIRTY_ALL, __ATOMIC_SEQ_CST);
    }
}

/* --- either --- */

static uint64_t bytes_left(const struct mem_range *r, uint64_t addr)
{
    return r->last - addr == UINT64_MAX ? UINT64_MAX : r->last - addr + 1;
}

enum mem_result mem_load(struct mem_space *s, uint64_t addr, unsigned size, uint64_t *value)
{
    struct mem_range r;
    *value = 0;
    if (!mem_lookup(s, addr, &r) || bytes_left(&r, addr) < size)
        return MEM_DECODE_ERROR;
    uint64_t offset = r.offset + (addr - r.first);
    if (!mem_is_direct(&r, false))
        return mem_io_load(r.region, offset, size, value);
    memcpy(value, r.region->host + offset, size);
    return MEM_OK;
}

enum mem_result mem_store(struct mem_space *s, uint64_t addr, unsigned size, uint64_t value)
{
    struct mem_range r;
    if (!mem_lookup(s, addr, &r) || bytes_left(&r, addr) < size)
        return MEM_DECODE_ERROR;
    uint64_t offset = r.offset + (addr - r.first);
    if (r.region->kind == MEM_ROM && !r.region->ops)
        return MEM_OK;
    if (!mem_is_direct(&r, true))
        return mem_io_store(r.region, offset, size, value);
    memcpy(r.region->host + offset, &value, size);
    mem_wrote(s, r.region, offset, size);
    return MEM_OK;
}

/* The largest access of at most n bytes that is aligned at the offset and that the device takes. */
static unsigned piece(const struct mem_region *r, uint64_t offset, uint64_t n)
{
    unsigned size = max_size(r->ops->valid);
    while (size > 1 && (size > n || offset % size))
        size /= 2;
    return size;
}

enum mem_result mem_read(struct mem_space *s, uint64_t addr, void *buf, uint64_t n)
{
    for (char *to = buf; n;) {
        struct mem_range r;
        if (!mem_lookup(s, addr, &r))
            return MEM_DECODE_ERROR;
        uint64_t offset = r.offset + (addr - r.first), part = bytes_left(&r, addr) < n ? bytes_left(&r, addr) : n;
        if (mem_is_direct(&r, false)) {
            memcpy(to, r.region->host + offset, part);
        } else {
            uint64_t value;
            part = piece(r.region, offset, part);
            enum mem_result result = mem_io_load(r.region, offset, (unsigned)part, &value);
            if (result != MEM_OK)
                return result;
            memcpy(to, &value, part);
        }
        to += part;
        addr += part;
        n -= part;
    }
    return MEM_OK;
}

enum mem_result mem_write(struct mem_space *s, uint64_t addr, const void *buf, uint64_t n)
{
    for (const char *from = buf; n;) {
        struct mem_range r;
        if (!mem_lookup(s, addr, &r))
            return MEM_DECODE_ERROR;
        uint64_t offset = r.offset + (addr - r.first), part = bytes_left(&r, addr) < n ? bytes_left(&r, addr) : n;
        if (mem_is_direct(&r, true)) {
            memcpy(r.region->host + offset, from, part);
            mem_wrote(s, r.region, offset, part);
        } else if (r.region->ops) {
            uint64_t value = 0;
            part = piece(r.region, offset, part);
            memcpy(&value, from, part);
            enum mem_result result = mem_io_store(r.region, offset, (unsigned)part, value);
            if (result != MEM_OK)
                return result;
        }
        from += part;
        addr += part;
        n -= part;
    }
    return MEM_OK;
}

bool mem_host(struct mem_space *s, uint64_t addr, uint64_t n, struct mem_host *out)
{
    struct mem_range r;
    if (!mem_lookup(s, addr, &r) || r.region->kind != MEM_RAM)
        return false;
    uint64_t offset = r.offset + (addr - r.first), left = bytes_left(&r, addr);
    *out = (struct mem_host){r.region->host + offset, left < n ? left : n, r.region, offset};
    return true;
}
