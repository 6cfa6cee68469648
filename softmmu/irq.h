/*
 * An interrupt line: what a device drives, and the input of a controller or processor it is wired to. Levels; an edge
 * is a pulse. Set under the machine's lock.
 */
#ifndef SOFTMMU_IRQ_H
#define SOFTMMU_IRQ_H

#include <stdbool.h>

/* The receiving end. Unwired (zeroed) lines may be set, too. */
struct irq {
    void (*set)(void *receiver, unsigned input, bool level);
    void *receiver;
    unsigned input; /* number of the receiver's input */
};

static inline void irq_set(const struct irq *line, bool level)
{
    if (line->set)
        line->set(line->receiver, line->input, level);
}

#endif
