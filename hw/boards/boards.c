/* The boards of this executable, and what they share. See board.h. */
#include "hw/boards/board.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"

extern const struct board_class board_riscv_virt;

const struct board_class *const board_classes[] = {
    &board_riscv_virt,
    NULL,
};

const struct board_class *board_class_by_name(const char *name)
{
    for (const struct board_class *const *c = board_classes; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

char *board_new(const struct board_class *class, const struct board_options *o, struct board **out)
{
    *out = NULL;
    struct board *b = calloc(1, class->state_size);
    if (!b)
        return device_error("no memory for a machine");
    b->class = class;
    b->options = *o;
    if (!b->options.ram_size)
        b->options.ram_size = class->default_ram;
    if (!b->options.processors)
        b->options.processors = class->default_processors;
    char *error = NULL;
    if (b->options.processors > class->max_processors)
        error = device_error("machine %s has at most %u processors; -smp asks for %u", class->name, class->max_processors,
                             b->options.processors);
    else if (!machine_init(&b->machine, class->target, b->options.processors, &o->exec))
        error = device_error("can't make a machine: %s", strerror(errno));
    if (error) {
        free(b);
        return error;
    }
    b->host = (struct device_host){&b->machine.clocks, &b->machine.memory};
    machine_lock(&b->machine);
    error = class->build(b);
    if (!error)
        error = board_reset(b);
    machine_unlock(&b->machine);
    if (error)
        board_free(b);
    else
        *out = b;
    return error;
}

char *board_reset(struct board *b)
{
    machine_reset_processors(&b->machine);
    for (unsigned i = 0; i < b->ndevices; i++)
        device_reset(b->device[i]);
    return b->class->reset(b);
}

struct device *board_chip(struct board *b, const char *class)
{
    struct device *d = device_new(device_class_by_name(class), NULL, &b->host);
    CHECK(d && b->nchips < BOARD_MAX_CHIPS);
    return b->chip[b->nchips++] = d;
}

char *board_add(struct board *b, struct device *d)
{
    char *error = NULL;
    if (b->ndevices == BOARD_MAX_DEVICES)
        error = device_error("a machine has at most %d devices of the user's", BOARD_MAX_DEVICES);
    if (!error)
        error = device_realize(d);
    if (!error)
        error = b->class->plug(b, d);
    if (error)
        device_free(d);
    else
        b->device[b->ndevices++] = d;
    return error;
}

void board_free(struct board *b)
{
    while (b->ndevices) {
        struct device *d = b->device[--b->ndevices];
        b->class->unplug(b, d);
        device_free(d);
    }
    b->class->take_apart(b);
    machine_free(&b->machine);
    free(b);
}
