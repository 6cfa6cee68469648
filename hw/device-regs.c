/* Reading and writing registers as their table says: see device.h. */
#include "hw/device-regs.h"

#include "base/log.h"

static unsigned elements(const struct device_reg *r) { return r->count ? r->count : 1; }
static uint32_t stride(const struct device_reg *r) { return r->stride ? r->stride : r->size; }

static void *value_at(struct device *d, const struct device_reg *r, unsigned index)
{
    return (char *)d + r->state + (size_t)index * r->size;
}

static uint64_t get(struct device *d, const struct device_reg *r, unsigned index)
{
    uint64_t v = 0;
    if (r->state)
        memcpy(&v, value_at(d, r, index), r->size);
    return v;
}

static void set(struct device *d, const struct device_reg *r, unsigned index, uint64_t v)
{
    if (r->state)
        memcpy(value_at(d, r, index), &v, r->size);
}

void device_reset_regs(struct device *d, const struct device_window *w)
{
    for (unsigned i = 0; i < w->nregs; i++)
        for (unsigned k = 0; k < elements(&w->regs[i]); k++)
            set(d, &w->regs[i], k, w->regs[i].reset);
}

/* --- accesses --- */

/* The register, and element of it, that holds the byte at the offset; NULL: none. */
static const struct device_reg *find(const struct device_window *w, uint64_t offset, unsigned *index, unsigned *byte)
{
    for (unsigned i = 0; i < w->nregs; i++) {
        const struct device_reg *r = &w->regs[i];
        uint64_t from = offset - r->offset;
        if (offset < r->offset || from >= (uint64_t)elements(r) * stride(r) || from % stride(r) >= r->size)
            continue;
        *index = (unsigned)(from / stride(r));
        *byte = (unsigned)(from % stride(r));
        return r;
    }
    return NULL;
}

static uint64_t bytes_mask(unsigned n)
{
    return ~UINT64_C(0) >> (64 - 8 * n);
}

static uint64_t read_reg(struct device *d, const struct device_reg *r, unsigned index)
{
    if (r->read)
        return r->read(d, r, index);
    return r->access == REG_WO ? 0 : get(d, r, index);
}

/* `changed`: the bits that are written; those of an access narrower than the register leave others. */
static void write_reg(struct device *d, const struct device_reg *r, unsigned index, uint64_t v, uint64_t changed)
{
    uint64_t old = get(d, r, index);
    changed &= ~r->fixed;
    if (r->access == REG_W1C)
        v = old & ~(v & changed);
    else
        v = (old & ~changed) | (v & changed);
    if (r->access == REG_RO)
        return;
    if (r->write)
        r->write(d, r, index, v);
    else
        set(d, r, index, v);
}

static void complain(const struct device_view *view, uint64_t offset, const char *what)
{
    if (log_on(LOG_GUEST_ERROR))
        log_printf("%s: %s of offset 0x%llx, where %s has no register\n", view->device->class->name, what,
                   (unsigned long long)offset, view->window->name);
}

/* An access may be of a part of a register, or of several: it is done register by register. */
static uint64_t window_read(void *opaque, uint64_t offset, unsigned size)
{
    struct device_view *view = opaque;
    uint64_t v = 0;
    for (unsigned done = 0; done < size;) {
        unsigned index, byte, n = 1;
        const struct device_reg *r = find(view->window, offset + done, &index, &byte);
        if (r) {
            n = r->size - byte < size - done ? r->size - byte : size - done;
            v |= (read_reg(view->device, r, index) >> 8 * byte & bytes_mask(n)) << 8 * done;
        } else if (!done) {
            complain(view, offset, "read");
        }
        done += n;
    }
    return v;
}

static void window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct device_view *view = opaque;
    for (unsigned done = 0; done < size;) {
        unsigned index, byte, n = 1;
        const struct device_reg *r = find(view->window, offset + done, &index, &byte);
        if (r) {
            n = r->size - byte < size - done ? r->size - byte : size - done;
            write_reg(view->device, r, index, (value >> 8 * done) << 8 * byte, bytes_mask(n) << 8 * byte);
        } else if (!done) {
            complain(view, offset, "write");
        }
        done += n;
    }
}

const struct mem_ops device_reg_ops = {.read = window_read, .write = window_write};
