/* What a board asks of an APLIC domain: see aplic.c. */
#ifndef HW_INTC_APLIC_H
#define HW_INTC_APLIC_H

#include "hw/device.h"

enum { APLIC_MAX_SOURCES = 1024, APLIC_MAX_HARTS = 512 };

/*
 * Puts a supervisor domain below the machine domain: sources the parent delegates are the child's. Both have been
 * realized; only the parent's inputs are wired. Lines: irq[hart], with direct delivery.
 */
void aplic_set_child(struct device *parent, struct device *child);

#endif
