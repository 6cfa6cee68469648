/*
 * Split and packed virtqueues in guest memory (VIRTIO 1.2, sections 2.7 and 2.8), the device's side. Everything in a
 * ring is the driver's and may change at any time: each field is read once and checked before use. See virtio.h.
 */
#include "hw/virtio/virtio.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 };
enum { AVAIL_NO_INTERRUPT = 1 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2 };
enum { DESC_SIZE = 16 };

/* A descriptor of a split ring or table. */
struct split_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

/* A descriptor of a packed ring or table. */
struct packed_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t id, flags;
};

static bool has(const struct virtq *q, uint64_t feature) { return q->v->features & feature; }
static bool is_packed(const struct virtq *q) { return has(q, VIRTIO_RING_PACKED); }

/* --- guest memory --- */

static bool get(const struct virtq *q, uint64_t addr, void *buf, uint64_t n)
{
    return mem_read(q->v->device.host->memory, addr, buf, n) == MEM_OK;
}

static bool put(const struct virtq *q, uint64_t addr, const void *buf, uint64_t n)
{
    return mem_write(q->v->device.host->memory, addr, buf, n) == MEM_OK;
}

/* Single fields that the driver writes while we look: one access each. Unreadable memory is no index and no flag. */
static uint16_t get16(const struct virtq *q, uint64_t addr)
{
    struct mem_host h;
    uint16_t v = 0;
    if (mem_host(q->v->device.host->memory, addr, sizeof v, &h) && h.n == sizeof v && (uintptr_t)h.p % sizeof v == 0)
        return __atomic_load_n((uint16_t *)h.p, __ATOMIC_ACQUIRE);
    get(q, addr, &v, sizeof v);
    return v;
}

static void put16(const struct virtq *q, uint64_t addr, uint16_t v)
{
    struct mem_space *memory = q->v->device.host->memory;
    struct mem_host h;
    if (mem_host(memory, addr, sizeof v, &h) && h.n == sizeof v && (uintptr_t)h.p % sizeof v == 0) {
        __atomic_store_n((uint16_t *)h.p, v, __ATOMIC_RELEASE);
        mem_wrote(memory, h.ram, h.offset, sizeof v);
    } else {
        put(q, addr, &v, sizeof v);
    }
}

/* --- parts of a split queue --- */

static uint64_t avail_flags(const struct virtq *q) { return q->s.driver; }
static uint64_t avail_idx(const struct virtq *q) { return q->s.driver + 2; }
static uint64_t avail_entry(const struct virtq *q, uint16_t i) { return q->s.driver + 4 + 2u * (i & (q->s.size - 1u)); }
static uint64_t used_event(const struct virtq *q) { return q->s.driver + 4 + 2u * q->s.size; }
static uint64_t used_idx(const struct virtq *q) { return q->s.device + 2; }
static uint64_t used_entry(const struct virtq *q, uint16_t i) { return q->s.device + 4 + 8u * (i & (q->s.size - 1u)); }
static uint64_t avail_event(const struct virtq *q) { return q->s.device + 4 + 8u * q->s.size; }

/* --- chains --- */

static struct virtq_chain *new_chain(struct virtq *q)
{
    struct virtq_chain *c = malloc(sizeof *c + VIRTIO_MAX_SIZE * sizeof c->segment[0]);
    if (c)
        *c = (struct virtq_chain){.q = q, .epoch = q->epoch};
    return c;
}

/* False: the chain is against the rules. */
static bool add_segment(struct virtq_chain *c, uint64_t addr, uint32_t n, bool write)
{
    if (c->nsegments == VIRTIO_MAX_SIZE || (!write && c->writable) || addr + n < addr)
        return false;
    c->segment[c->nsegments++] = (struct virtq_segment){addr, n};
    if (write) {
        c->writable += n;
    } else {
        c->readable += n;
        c->nread++;
    }
    return true;
}

/* Follows a split chain through the table of `size` descriptors from `i` on. */
static const char *walk_split(struct virtq_chain *c, uint64_t table, uint32_t size, uint16_t i, bool inner)
{
    for (uint32_t n = 0; n < size; n++) {
        struct split_desc d;
        if (i >= size)
            return "a descriptor's number is beyond its table";
        if (!get(c->q, table + (uint64_t)DESC_SIZE * i, &d, sizeof d))
            return "descriptors are not in memory";
        if (d.flags & DESC_INDIRECT) {
            if (inner || d.flags & DESC_NEXT || !has(c->q, VIRTIO_INDIRECT_DESC))
                return "an indirect table is not allowed there";
            if (!d.len || d.len % DESC_SIZE)
                return "an indirect table's length is wrong";
            return walk_split(c, d.addr, d.len / DESC_SIZE, 0, true);
        }
        if (!add_segment(c, d.addr, d.len, d.flags & DESC_WRITE))
            return "a chain is too long or not in order";
        if (!(d.flags & DESC_NEXT))
            return NULL;
        i = d.next;
    }
    return "descriptors form a loop";
}

static const char *walk_packed_table(struct virtq_chain *c, uint64_t table, uint32_t bytes)
{
    if (!bytes || bytes % DESC_SIZE)
        return "an indirect table's length is wrong";
    for (uint32_t i = 0; i < bytes / DESC_SIZE; i++) {
        struct packed_desc d;
        if (!get(c->q, table + (uint64_t)DESC_SIZE * i, &d, sizeof d))
            return "descriptors are not in memory";
        if (d.flags & DESC_INDIRECT || !add_segment(c, d.addr, d.len, d.flags & DESC_WRITE))
            return "a chain is too long or not in order";
    }
    return NULL;
}

static const char *walk_packed(struct virtq_chain *c)
{
    const struct virtq *q = c->q;
    uint16_t at = q->s.avail;
    for (uint32_t n = 0; n < q->s.size; n++) {
        struct packed_desc d;
        if (!get(q, q->s.desc + (uint64_t)DESC_SIZE * at, &d, sizeof d))
            return "descriptors are not in memory";
        c->ring++;
        c->id = d.id;
        if (d.flags & DESC_INDIRECT) {
            if (n || d.flags & DESC_NEXT || !has(q, VIRTIO_INDIRECT_DESC))
                return "an indirect table is not allowed there";
            return walk_packed_table(c, d.addr, d.len);
        }
        if (!add_segment(c, d.addr, d.len, d.flags & DESC_WRITE))
            return "a chain is too long or not in order";
        if (!(d.flags & DESC_NEXT))
            return NULL;
        at = at + 1 == q->s.size ? 0 : at + 1;
    }
    return "descriptors form a loop";
}

static void advance(const struct virtq *q, uint16_t *at, uint8_t *wrap, unsigned by)
{
    unsigned to = *at + by;
    if (to >= q->s.size) {
        to -= q->s.size;
        *wrap ^= 1;
    }
    *at = (uint16_t)to;
}

static bool packed_available(const struct virtq *q)
{
    uint16_t flags = get16(q, q->s.desc + (uint64_t)DESC_SIZE * q->s.avail + offsetof(struct packed_desc, flags));
    return !!(flags & DESC_AVAIL) == q->s.avail_wrap && !!(flags & DESC_USED) != q->s.avail_wrap;
}

/* Chains the driver has made available; more than the queue can hold: its index is wrong. */
static unsigned available(const struct virtq *q)
{
    return is_packed(q) ? packed_available(q) : (uint16_t)(get16(q, avail_idx(q)) - q->s.avail);
}

/* Asks to be notified of the next chain. */
static void want_notification(const struct virtq *q)
{
    if (is_packed(q)) {
        bool event = has(q, VIRTIO_EVENT_IDX);
        if (event)
            put16(q, q->s.device, (uint16_t)(q->s.avail | q->s.avail_wrap << 15));
        put16(q, q->s.device + 2, event ? EVENT_DESC : EVENT_ENABLE);
    } else if (has(q, VIRTIO_EVENT_IDX)) {
        put16(q, avail_event(q), q->s.avail);
    }
    atomic_thread_fence(memory_order_seq_cst); /* before available() is asked again */
}

struct virtq_chain *virtq_pop(struct virtq *q)
{
    if (!virtq_ready(q))
        return NULL;
    unsigned n = available(q);
    if (!n) {
        want_notification(q);
        if (!(n = available(q)))
            return NULL;
    }
    if (n > q->s.size || q->underway >= q->s.size) {
        virtio_broken(q->v, "a queue has more chains available than it can hold");
        return NULL;
    }
    struct virtq_chain *c = new_chain(q);
    if (!c)
        return NULL;
    const char *wrong;
    if (is_packed(q)) {
        wrong = walk_packed(c);
        if (!wrong)
            advance(q, &q->s.avail, &q->s.avail_wrap, c->ring);
    } else {
        c->id = get16(q, avail_entry(q, q->s.avail));
        c->ring = 1;
        wrong = walk_split(c, q->s.desc, q->s.size, c->id, false);
        q->s.avail++;
    }
    if (wrong) {
        free(c);
        virtio_broken(q->v, wrong);
        return NULL;
    }
    q->underway++;
    return c;
}

void virtq_unpop(struct virtq_chain *c)
{
    struct virtq *q = c->q;
    if (c->epoch == q->epoch) {
        q->underway--;
        if (is_packed(q)) {
            bool before = q->s.avail < c->ring;
            q->s.avail = (uint16_t)(q->s.avail + (before ? q->s.size : 0) - c->ring);
            q->s.avail_wrap ^= before;
        } else {
            q->s.avail--;
        }
    }
    free(c);
}

static void push_packed(struct virtq *q, const struct virtq_chain *c, uint32_t written)
{
    uint64_t at = q->s.desc + (uint64_t)DESC_SIZE * q->s.used;
    struct packed_desc d = {.len = written, .id = c->id};
    uint16_t flags = (q->s.used_wrap ? DESC_AVAIL | DESC_USED : 0) | (c->writable ? DESC_WRITE : 0);
    put(q, at + offsetof(struct packed_desc, len), &d.len, sizeof d.len);
    put16(q, at + offsetof(struct packed_desc, id), d.id);
    put16(q, at + offsetof(struct packed_desc, flags), flags); /* last: with it the driver sees the others */
    advance(q, &q->s.used, &q->s.used_wrap, c->ring);
}

void virtq_push(struct virtq_chain *c, uint32_t written)
{
    struct virtq *q = c->q;
    if (c->epoch == q->epoch)
        q->underway--;
    if (c->epoch == q->epoch && virtq_ready(q)) {
        if (is_packed(q)) {
            push_packed(q, c, written);
        } else {
            uint32_t entry[2] = {c->id, written};
            put(q, used_entry(q, q->s.used), entry, sizeof entry);
            put16(q, used_idx(q), ++q->s.used);
        }
        q->pushed = true;
    }
    free(c);
}

/* --- interrupts --- */

static bool split_wants(struct virtq *q)
{
    if (!has(q, VIRTIO_EVENT_IDX))
        return !(get16(q, avail_flags(q)) & AVAIL_NO_INTERRUPT);
    uint16_t event = get16(q, used_event(q)), now = q->s.used, before = q->s.signalled;
    bool first = !q->s.signalled_valid;
    q->s.signalled = now;
    q->s.signalled_valid = true;
    return first || (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

/* Places of a packed ring as numbers that rise through two rounds: those with the wrap counter 1 first. */
static unsigned position(const struct virtq *q, unsigned at, bool wrap)
{
    return at + (wrap ? 0 : q->s.size);
}

static bool packed_wants(struct virtq *q)
{
    uint16_t flags = get16(q, q->s.driver + 2) & 3, event = get16(q, q->s.driver);
    unsigned round = 2u * q->s.size, now = position(q, q->s.used, q->s.used_wrap), before = q->s.signalled;
    bool first = !q->s.signalled_valid;
    q->s.signalled = (uint16_t)now;
    q->s.signalled_valid = true;
    if (flags != EVENT_DESC || !has(q, VIRTIO_EVENT_IDX))
        return flags != EVENT_DISABLE;
    unsigned wanted = position(q, event & 0x7fff, event >> 15);
    if (first || wanted >= round)
        return true;
    return (now + round - wanted - 1) % round < (now + round - before) % round;
}

void virtq_signal(struct virtq *q)
{
    if (!q->pushed || !virtq_ready(q) || !q->v->transport.queue_used)
        return;
    q->pushed = false;
    atomic_thread_fence(memory_order_seq_cst); /* used entries before the driver's wish */
    if (is_packed(q) ? packed_wants(q) : split_wants(q))
        q->v->transport.queue_used(q->v->transport.opaque, q->index);
}

/* --- content --- */

/* Copies between buf and bytes [from, from + n) of the segments [first, end). */
static bool copy(const struct virtq_chain *c, unsigned first, unsigned end, uint64_t from, void *buf, uint64_t n,
                 bool write)
{
    struct mem_space *memory = c->q->v->device.host->memory;
    uint8_t *p = buf;
    for (unsigned i = first; i < end && n; i++) {
        const struct virtq_segment *s = &c->segment[i];
        if (from >= s->n) {
            from -= s->n;
            continue;
        }
        uint64_t part = s->n - from < n ? s->n - from : n;
        enum mem_result r =
            write ? mem_write(memory, s->addr + from, p, part) : mem_read(memory, s->addr + from, p, part);
        if (r != MEM_OK)
            return false;
        p += part;
        n -= part;
        from = 0;
    }
    return !n;
}

bool virtq_read(const struct virtq_chain *c, uint64_t from, void *buf, uint64_t n)
{
    return copy(c, 0, c->nread, from, buf, n, false);
}

bool virtq_write(const struct virtq_chain *c, uint64_t from, const void *buf, uint64_t n)
{
    return c->epoch == c->q->epoch && copy(c, c->nread, c->nsegments, from, (void *)(uintptr_t)buf, n, true);
}
