/* A board's PCI Express host bridge: see ecam.c. */
#ifndef HW_PCI_ECAM_H
#define HW_PCI_ECAM_H

#include "hw/pci/pci.h"

/* Lines: irq[pin]. Window 0: configuration space, 1 MiB a bus. The containers of the bus are for the board's map. */
struct pci_bus *pci_ecam_bus(struct device *d);

#endif
