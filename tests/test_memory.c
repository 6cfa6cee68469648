/*
 * The memory map against a model that asks the tree again for every address; accesses of all sizes to devices that
 * accept and implement others; clocks and timers.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "softmmu/clock.h"
#include "softmmu/memory.h"

enum { SPACE = 96, REGIONS = 14 };

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t rnd(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* --- the tree and the map --- */

/*
 * What answers at the offset of the region, by the definition: the topmost child that has an answer, else the region
 * itself.
 */
static struct mem_region *answer(struct mem_region *r, int64_t offset, uint64_t *at)
{
    if (r->disabled || offset < 0 || (uint64_t)offset >= r->size)
        return NULL;
    if (r->kind == MEM_ALIAS)
        return answer(r->target, offset + (int64_t)r->target_offset, at);
    for (struct mem_region *c = r->first_child; c; c = c->next) {
        struct mem_region *found = answer(c, offset - (int64_t)c->at, at);
        if (found)
            return found;
    }
    if (r->kind == MEM_CONTAINER)
        return NULL;
    *at = (uint64_t)offset;
    return r;
}

static void check_map(struct mem_space *s)
{
    uint64_t last = 0;
    for (unsigned i = 0; i < s->map->n; i++) {
        const struct mem_range *r = &s->map->range[i];
        cr_assert(r->first <= r->last && (!i || r->first > last), "ranges rise");
        last = r->last;
    }
    for (uint64_t addr = 0; addr < SPACE + 8; addr++) {
        uint64_t offset = 0;
        struct mem_range r;
        struct mem_region *want = answer(s->root, (int64_t)addr, &offset);
        bool found = mem_lookup(s, addr, &r);
        cr_assert_eq(found, want != NULL, "address %d", (int)addr);
        if (found) {
            cr_assert_eq(r.region, want, "address %d: %s instead of %s", (int)addr, r.region->name, want->name);
            cr_assert_eq(r.offset + (addr - r.first), offset);
        }
    }
}

static bool under(const struct mem_region *r, const struct mem_region *top)
{
    for (; r; r = r->parent)
        if (r == top)
            return true;
    return false;
}

/* Could a walk from `from` come to `to`? Aliases must not make circles. */
static bool reaches(const struct mem_region *from, const struct mem_region *to)
{
    if (from == to)
        return true;
    if (from->kind == MEM_ALIAS)
        return reaches(from->target, to);
    for (const struct mem_region *c = from->first_child; c; c = c->next)
        if (reaches(c, to))
            return true;
    return false;
}

Test(memory, random_trees)
{
    static const struct mem_ops ops;
    static const char *const names[REGIONS] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r13"};
    for (unsigned round = 0; round < 400; round++) {
        struct mem_region r[REGIONS];
        struct mem_space s;
        cr_assert(mem_space_init(&s, "space", SPACE));
        for (unsigned i = 0; i < REGIONS; i++) {
            uint64_t size = 1 + rnd(40);
            if (i < 4)
                mem_init_container(&r[i], names[i], size);
            else if (i < 7)
                mem_init_alias(&r[i], names[i], &r[rnd(2) ? rnd(4) : 7 + rnd(REGIONS - 7)], rnd(20), size);
            else
                mem_init_io(&r[i], names[i], size, &ops, NULL);
        }
        for (unsigned step = 0; step < 40; step++) {
            struct mem_region *child = &r[rnd(REGIONS)], *parent = rnd(2) ? s.root : &r[rnd(4)];
            if (child->parent && rnd(3) == 0) {
                mem_remove(&s, child);
            } else if (child->parent) {
                if (rnd(2))
                    mem_move(&s, child, rnd(SPACE));
                else
                    mem_enable(&s, child, rnd(2));
            } else if (!under(parent, child) && !reaches(child, parent)) {
                mem_add(&s, parent, rnd(parent == s.root ? SPACE : 40), child, (int)rnd(3) - 1);
            }
            check_map(&s);
        }
        for (unsigned i = 0; i < REGIONS; i++)
            if (r[i].parent)
                mem_remove(&s, &r[i]);
        mem_space_free(&s);
    }
}

static void count(void *opaque)
{
    ++*(unsigned *)opaque;
}

Test(memory, a_batch_of_changes_is_seen_once)
{
    static const struct mem_ops ops;
    struct mem_space s;
    struct mem_region a, b;
    unsigned remapped = 0;
    cr_assert(mem_space_init(&s, "space", UINT64_MAX));
    s.remapped = count;
    s.opaque = &remapped;
    mem_init_io(&a, "a", 16, &ops, NULL);
    mem_init_io(&b, "b", 16, &ops, NULL);
    mem_begin(&s);
    mem_add(&s, s.root, 0, &a, 0);
    mem_add(&s, s.root, UINT64_MAX - 15, &b, 0);
    struct mem_range r;
    cr_assert_not(mem_lookup(&s, 0, &r));
    mem_end(&s);
    cr_assert_eq(remapped, 1);
    cr_assert(mem_lookup(&s, UINT64_MAX - 1, &r) && r.region == &b);
    mem_space_free(&s);
}

/* --- accesses --- */

struct bytes {
    uint8_t byte[64];
    unsigned calls, min, max;
};

static uint64_t bytes_read(void *device, uint64_t offset, unsigned size)
{
    struct bytes *b = device;
    uint64_t v = 0;
    b->calls++;
    cr_assert(size >= b->min && size <= b->max && offset + size <= sizeof b->byte);
    memcpy(&v, b->byte + offset, size);
    return v;
}

static void bytes_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct bytes *b = device;
    cr_assert(size >= b->min && size <= b->max && offset + size <= sizeof b->byte);
    memcpy(b->byte + offset, &value, size);
}

Test(memory, devices_see_sizes_they_implement)
{
    for (unsigned min = 1; min <= 8; min *= 2)
        for (unsigned max = min; max <= 8; max *= 2)
            for (unsigned size = 1; size <= 8; size *= 2) {
                struct bytes b = {.min = min, .max = max};
                struct mem_ops ops = {bytes_read, bytes_write, {1, 8, false}, {(uint8_t)min, (uint8_t)max, false}, false};
                struct mem_region r;
                mem_init_io(&r, "r", sizeof b.byte, &ops, &b);
                for (unsigned i = 0; i < sizeof b.byte; i++)
                    b.byte[i] = (uint8_t)(i * 7 + 1);
                for (unsigned offset = 0; offset < sizeof b.byte; offset += size) {
                    uint64_t v, want = 0;
                    memcpy(&want, b.byte + offset, size);
                    cr_assert_eq(mem_io_load(&r, offset, size, &v), MEM_OK);
                    cr_assert_eq(v, want, "impl %u to %u, size %u, offset %u", min, max, size, offset);
                }
                if (size < min) /* a narrower write comes with zeros around it */
                    continue;
                cr_assert_eq(mem_io_store(&r, 16, size, 0x1122334455667788), MEM_OK);
                uint64_t v;
                cr_assert_eq(mem_io_load(&r, 16, size, &v), MEM_OK);
                cr_assert_eq(v, UINT64_C(0x1122334455667788) & (~UINT64_C(0) >> (64 - 8 * size)));
            }
}

static uint64_t big_read(void *device, uint64_t offset, unsigned size)
{
    const uint8_t *byte = device;
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v = v << 8 | byte[offset + i];
    return v;
}

static void big_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    uint8_t *byte = device;
    for (unsigned i = size; i-- > 0; value >>= 8)
        byte[offset + i] = (uint8_t)value;
}

/* Memory behind a big-endian device is memory: the bytes come out in their places. */
Test(memory, big_endian_devices)
{
    for (unsigned impl = 1; impl <= 8; impl *= 2)
        for (unsigned size = 1; size <= 8; size *= 2) {
            uint8_t byte[16];
            struct mem_ops ops = {big_read, big_write, {1, 8, false}, {(uint8_t)impl, (uint8_t)impl, false}, true};
            struct mem_region r;
            mem_init_io(&r, "r", sizeof byte, &ops, byte);
            for (unsigned i = 0; i < sizeof byte; i++)
                byte[i] = (uint8_t)(i + 1);
            for (unsigned offset = 0; offset < sizeof byte; offset += size) {
                uint64_t v, want = 0;
                memcpy(&want, byte + offset, size);
                cr_assert_eq(mem_io_load(&r, offset, size, &v), MEM_OK);
                cr_assert_eq(v, want, "impl %u, size %u, offset %u", impl, size, offset);
            }
            if (size < impl)
                continue;
            uint64_t value = 0x0102030405060708;
            cr_assert_eq(mem_io_store(&r, 8, size, value), MEM_OK);
            cr_assert_arr_eq(byte + 8, &value, size);
        }
}

Test(memory, what_the_hardware_does_not_accept)
{
    struct bytes b = {.min = 4, .max = 4};
    struct mem_ops ops = {bytes_read, NULL, {4, 4, false}, {4, 4, false}, false};
    struct mem_space s;
    struct mem_region r;
    uint64_t v;
    mem_space_init(&s, "space", 0x1000);
    mem_init_io(&r, "r", sizeof b.byte, &ops, &b);
    mem_add(&s, s.root, 0x100, &r, 0);
    cr_assert_eq(mem_load(&s, 0x100, 4, &v), MEM_OK);
    cr_assert_eq(mem_load(&s, 0x102, 4, &v), MEM_DEVICE_ERROR);
    cr_assert_eq(mem_load(&s, 0x100, 2, &v), MEM_DEVICE_ERROR);
    cr_assert_eq(mem_store(&s, 0x100, 4, 0), MEM_DEVICE_ERROR);
    cr_assert_eq(mem_load(&s, 0x200, 4, &v), MEM_DECODE_ERROR);
    cr_assert_eq(mem_load(&s, 0x13e, 4, &v), MEM_DECODE_ERROR);
    mem_space_free(&s);
}

static void note_code(void *opaque, struct mem_region *ram, uint64_t offset, uint64_t size)
{
    *(uint64_t *)opaque = offset;
}

Test(memory, ram_rom_and_those_who_watch)
{
    struct mem_space s;
    struct mem_region ram, rom, high;
    uint64_t v, told = 0;
    char text[32] = "";
    mem_space_init(&s, "space", UINT64_MAX);
    s.code_written = note_code;
    s.opaque = &told;
    cr_assert(mem_init_ram(&ram, "ram", 0x10000) && mem_init_rom(&rom, "rom", 0x1000, NULL, NULL));
    mem_init_alias(&high, "high", &ram, 0x8000, 0x8000);
    memcpy(rom.host, "firmware", 8);
    mem_add(&s, s.root, 0x1000, &rom, 0);
    mem_add(&s, s.root, 0x2000, &ram, 0);
    mem_add(&s, s.root, 0x80000000, &high, 0);
    cr_assert_eq(mem_write(&s, 0x2000 + 0x8000 - 4, "ABCDEFGH", 8), MEM_OK);
    cr_assert_eq(mem_read(&s, 0x80000000, text, 4), MEM_OK);
    cr_assert_str_eq(text, "EFGH");
    cr_assert_eq(mem_read(&s, 0x1ffc, text, 8), MEM_OK, "from one region into the next");
    cr_assert_eq(mem_store(&s, 0x1000, 8, 0), MEM_OK);
    cr_assert_eq(mem_load(&s, 0x1000, 8, &v), MEM_OK);
    cr_assert_arr_eq(&v, "firmware", 8, "writes to ROM are dropped");
    cr_assert_eq(mem_watch(&ram, 0x3000, 0x1000, DIRTY_CODE), DIRTY_CODE);
    cr_assert_eq(mem_store(&s, 0x2000 + 0x2ff8, 8, 1), MEM_OK);
    cr_assert_eq(told, 0);
    cr_assert_eq(mem_store(&s, 0x2000 + 0x3008, 4, 1), MEM_OK);
    cr_assert_eq(told, 0x3000);
    cr_assert_eq(ram.dirty[3], DIRTY_ALL);
    struct mem_host h;
    cr_assert(mem_host(&s, 0x2000 + 0xfff0, 64, &h) && h.n == 16 && h.offset == 0xfff0);
    cr_assert_not(mem_host(&s, 0x1000, 4, &h));
    mem_remove(&s, &ram);
    mem_remove(&s, &rom);
    mem_space_free(&s);
    mem_free(&ram);
    mem_free(&rom);
}

/* --- clocks --- */

struct alarms {
    struct clocks clocks;
    struct timer timer[3];
    int64_t fired[8];
    unsigned n, rearmed;
    int64_t period;
};

static void rearmed(void *opaque)
{
    ((struct alarms *)opaque)->rearmed++;
}

static void fire(void *opaque)
{
    struct alarms *a = opaque;
    a->fired[a->n++] = clock_now(&a->clocks, CLOCK_VIRTUAL);
    if (a->period)
        timer_set(&a->timer[0], a->fired[a->n - 1] + a->period);
}

Test(clock, timers_of_counted_time)
{
    struct alarms a = {.period = 100};
    clocks_init(&a.clocks, rearmed, &a);
    clocks_use_icount(&a.clocks, 1);
    for (unsigned i = 0; i < 3; i++)
        timer_init(&a.timer[i], &a.clocks, CLOCK_VIRTUAL, fire, &a);
    timer_set(&a.timer[0], 100);
    timer_set(&a.timer[1], 150);
    timer_set(&a.timer[2], 120);
    timer_cancel(&a.timer[1]);
    cr_assert_eq(a.rearmed, 1, "only a new first deadline wakes anyone");
    cr_assert_eq(clocks_dispatch(&a.clocks), CLOCK_NEVER, "time alone does not make them due");
    cr_assert_eq(clocks_next_virtual(&a.clocks), 100);
    clocks_advance(&a.clocks, 50);
    clocks_dispatch(&a.clocks);
    cr_assert_eq(a.n, 0, "those are called by who counts");
    clocks_dispatch_counted(&a.clocks);
    cr_assert(a.n == 1 && a.fired[0] == 100);
    a.period = 0;
    clocks_advance(&a.clocks, 50);
    clocks_dispatch_counted(&a.clocks);
    cr_assert_eq(a.n, 3, "both are due: the one that was set again, and the third");
    cr_assert_not(timer_is_set(&a.timer[0]) || timer_is_set(&a.timer[2]));
}

Test(clock, virtual_time_stands_still_while_stopped)
{
    struct clocks c;
    clocks_init(&c, NULL, NULL);
    cr_assert_eq(clock_now(&c, CLOCK_VIRTUAL), 0);
    clocks_run(&c, true);
    int64_t start = clock_now(&c, CLOCK_REAL);
    while (clock_now(&c, CLOCK_REAL) < start + 2000000)
        ;
    int64_t ran = clock_now(&c, CLOCK_VIRTUAL);
    cr_assert(ran >= 2000000);
    clocks_run(&c, false);
    int64_t stopped = clock_now(&c, CLOCK_VIRTUAL);
    cr_assert(stopped >= ran);
    cr_assert_eq(clock_now(&c, CLOCK_VIRTUAL), stopped);
    clocks_set_virtual(&c, 5);
    cr_assert_eq(clock_now(&c, CLOCK_VIRTUAL), 5);
    clocks_run(&c, true);
    cr_assert(clock_now(&c, CLOCK_VIRTUAL) >= 5 && clock_now(&c, CLOCK_VIRTUAL) < stopped + 1000000000);
}
