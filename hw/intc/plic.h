/* What a board asks of the PLIC: see plic.c. */
#ifndef HW_INTC_PLIC_H
#define HW_INTC_PLIC_H

#include "hw/device.h"

/* Inputs: 1 to sources - 1. Lines: irq[context]; on the virt machine context 2 * hart is its M mode, the next its S
 * mode. */
enum { PLIC_MAX_SOURCES = 1024, PLIC_MAX_CONTEXTS = 1024 };

#endif
