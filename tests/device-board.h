/*
 * A board of one device for the unit tests of hw/: its first window at 0x1000, RAM when asked for, levels of its lines.
 */
#ifndef TESTS_DEVICE_BOARD_H
#define TESTS_DEVICE_BOARD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "hw/device.h"

enum { BOARD_WINDOW = 0x1000, BOARD_LEVELS = 1024 };

struct board {
    struct mem_space memory;
    struct clocks clocks;
    struct device_host host;
    struct device *device;
    bool level[BOARD_LEVELS];
};

static inline void board_set_level(void *receiver, unsigned input, bool level)
{
    ((struct board *)receiver)->level[input] = level;
}

/* The device with its initial properties, not realized. */
static inline void board_begin(struct board *b, const char *class)
{
    memset(b, 0, sizeof *b);
    cr_assert(mem_space_init(&b->memory, "board", UINT64_MAX));
    clocks_init(&b->clocks, NULL, NULL);
    b->host = (struct device_host){&b->clocks, &b->memory};
    b->device = device_new(device_class_by_name(class), "dev0", &b->host);
    const struct device_class *c = b->device->class;
    for (unsigned i = 0; i < c->nirqs * (c->irq_sets ? c->irq_sets : 1) && i < BOARD_LEVELS; i++)
        b->device->irq[i] = (struct irq){board_set_level, b, i};
}

static inline void board_set(struct board *b, const char *name, const char *text)
{
    char *error = device_set(b->device, name, text);
    cr_assert_null(error, "%s", error);
}

static inline void board_realize(struct board *b)
{
    char *error = device_realize(b->device);
    cr_assert_null(error, "%s", error);
    if (b->device->class->nwindows)
        mem_add(&b->memory, b->memory.root, BOARD_WINDOW, &b->device->view[0].region, 0);
}

static inline void unplug(struct board *b)
{
    if (b->device->class->nwindows)
        mem_remove(&b->memory, &b->device->view[0].region);
    device_free(b->device);
    mem_space_free(&b->memory);
}

static inline uint64_t rd(struct board *b, uint64_t offset, unsigned size)
{
    uint64_t v;
    cr_assert_eq(mem_load(&b->memory, BOARD_WINDOW + offset, size, &v), MEM_OK);
    return v;
}

static inline void wr(struct board *b, uint64_t offset, unsigned size, uint64_t v)
{
    cr_assert_eq(mem_store(&b->memory, BOARD_WINDOW + offset, size, v), MEM_OK);
}

/* --- saved items by name, kept in a list --- */

struct item {
    char name[96];
    void *bytes;
    size_t size;
};
struct items {
    struct item item[128];
    unsigned n;
};

static inline void keep(void *opaque, const char *device, const char *name, const void *bytes, size_t size)
{
    struct items *s = opaque;
    cr_assert(s->n < ARRAY_SIZE(s->item));
    struct item *i = &s->item[s->n++];
    snprintf(i->name, sizeof i->name, "%s/%s", device, name);
    i->bytes = malloc(size);
    memcpy(i->bytes, bytes, size);
    i->size = size;
}

static inline bool give(void *opaque, const char *device, const char *name, void *bytes, size_t size)
{
    const struct items *s = opaque;
    char full[96];
    snprintf(full, sizeof full, "%s/%s", device, name);
    for (unsigned i = 0; i < s->n; i++)
        if (!strcmp(s->item[i].name, full) && s->item[i].size == size) {
            if (bytes)
                memcpy(bytes, s->item[i].bytes, size);
            return true;
        }
    return false;
}

static inline void items_free(struct items *s)
{
    for (unsigned i = 0; i < s->n; i++)
        free(s->item[i].bytes);
    s->n = 0;
}

/* The state of one device goes to another of its class. */
static inline void transfer(struct device *from, struct device *to)
{
    struct items items = {.n = 0};
    device_save(from, "x", &(struct state_sink){keep, &items});
    char *error = device_load(to, "x", &(struct state_source){give, &items});
    cr_assert_null(error, "%s", error);
    items_free(&items);
}

/* A repeatable random number. */
static inline uint64_t chance(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Random accesses, half of them near the registers' offsets. */
static inline void fuzz_registers(struct board *b, unsigned n, uint64_t seed)
{
    const struct device_window *w = b->device->view[0].window;
    for (unsigned i = 0; i < n; i++) {
        unsigned size = 1u << chance(&seed) % 4;
        uint64_t offset = chance(&seed) % w->size, value = chance(&seed) >> chance(&seed) % 64;
        if (w->nregs && chance(&seed) % 2)
            offset = w->regs[chance(&seed) % w->nregs].offset + chance(&seed) % 16;
        offset &= ~(uint64_t)(size - 1);
        if (offset + size > w->size)
            continue;
        if (chance(&seed) % 2)
            mem_store(&b->memory, BOARD_WINDOW + offset, size, value);
        else
            mem_load(&b->memory, BOARD_WINDOW + offset, size, &value);
    }
}

#endif
