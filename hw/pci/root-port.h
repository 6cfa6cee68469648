/* A PCI Express root port: see root-port.c. */
#ifndef HW_PCI_ROOT_PORT_H
#define HW_PCI_ROOT_PORT_H

#include "hw/pci/pci.h"

/* After the port has been plugged: makes the bus behind it, into which one device may be plugged at any time. */
struct pci_bus *pci_root_port_bus(struct device *d);

#endif
