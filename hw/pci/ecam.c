/*
 * A PCI Express host bridge whose configuration space is memory ("pci-host-ecam-generic" in device trees; PCI Firmware
 * Specification, enhanced configuration access mechanism): bus << 20 | device << 15 | function << 12 | register.
 */
#include "hw/pci/ecam.h"

struct pci_ecam {
    struct device device;
    struct pci_bus bus;
};

/* The bridge as a function of its own bus. */
static const struct pci_class root_kind = {.vendor = 0x1b36, .id = 0x0008, .class = 0x060000};

struct pci_bus *pci_ecam_bus(struct device *d) { return &((struct pci_ecam *)d)->bus; }

static uint64_t ecam_read(void *device, uint64_t offset, unsigned size)
{
    return pci_config_load(pci_ecam_bus(device), (unsigned)(offset >> 20), offset >> 12 & 0xff, offset & 0xfff, size);
}

static void ecam_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    pci_config_store(pci_ecam_bus(device), (unsigned)(offset >> 20), offset >> 12 & 0xff, offset & 0xfff,
                     (uint32_t)value, size);
}

static const struct mem_ops ecam_ops = {.read = ecam_read,
                                        .write = ecam_write,
                                        .valid = {1, 8, false},
                                        .impl = {1, 4, false}};
static const struct device_window windows[] = {{.name = "ecam", .size = 0x10000000, .ops = &ecam_ops}};
static const char *const irqs[] = {"INTA", "INTB", "INTC", "INTD"};

static void set_pin(void *receiver, unsigned pin, bool level)
{
    irq_set(&((struct pci_ecam *)receiver)->device.irq[pin], level);
}

static char *realize(struct device *d)
{
    struct pci_ecam *s = (struct pci_ecam *)d;
    pci_bus_init(&s->bus, d->host->memory, NULL, NULL);
    for (unsigned i = 0; i < PCI_PINS; i++)
        s->bus.pin[i] = (struct irq){set_pin, s, i};
    return NULL;
}

static void unrealize(struct device *d)
{
    pci_bus_free(pci_ecam_bus(d));
}

const struct device_class device_pci_ecam = {
    DEVICE_CLASS,
    .name = "pci-host-ecam-generic",
    .doc = "PCI Express host bridge, configuration space in memory",
    .state_size = sizeof(struct pci_ecam),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_IRQS(irqs),
    .realize = realize,
    .unrealize = unrealize,
    .only_board = true,
};

static char *root_realize(struct device *d)
{
    pci_realize(d);
    return NULL;
}

static const struct device_saved root_saved[] = {PCI_SAVED};

const struct device_class device_pci_root = {
    DEVICE_CLASS,
    .name = "pci-host-function",
    .doc = "the host bridge as a function of its own bus",
    .bus = BUS_PCI,
    .bus_class = &root_kind,
    .state_size = sizeof(struct pci_function),
    .state_version = 1,
    DEVICE_SAVES(root_saved),
    .realize = root_realize,
    .reset = pci_reset,
    .loaded = pci_loaded,
    .only_board = true,
};
