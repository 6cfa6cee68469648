/*
 * PCI: functions on buses (PCI Express Base Specification, the parts software sees: configuration space, base
 * addresses, interrupt pins, MSI-X). A function is a device on BUS_PCI; its descriptor's bus_class is a struct
 * pci_class.
 *
 * The bus of a host bridge shows its functions' windows in two containers, memory and ports, which the board puts into
 * its map; addresses in them are those software writes into base address registers.
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include "hw/device.h"

enum { PCI_CONFIG_SIZE = 4096, PCI_SLOTS = 32, PCI_FUNCTIONS = 256, PCI_BARS = 6, PCI_PINS = 4, PCI_MAX_VECTORS = 32 };

/* Offsets in configuration space of every function, and of bridges. */
enum {
    PCI_VENDOR = 0x00,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_CLASS = 0x08,
    PCI_HEADER = 0x0e,
    PCI_BAR = 0x10,
    PCI_BUSES = 0x18, /* bridges: primary, secondary, subordinate */
    PCI_SUBSYSTEM = 0x2c,
    PCI_CAPABILITIES = 0x34,
    PCI_INT_LINE = 0x3c,
    PCI_INT_PIN = 0x3d,
};
enum { PCI_HEADER_SEVERAL = 0x80 };
enum { PCI_COMMAND_IO = 1, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4, PCI_COMMAND_NO_INTX = 0x400 };
enum { PCI_STATUS_INTX = 8, PCI_STATUS_CAPABILITIES = 0x10 };
enum { PCI_CAP_VENDOR = 9, PCI_CAP_EXPRESS = 0x10, PCI_CAP_MSIX = 0x11 };

/* A function: its windows are its base address registers, in the order of its descriptor. */
struct pci_class {
    uint16_t vendor, id, subsystem_vendor, subsystem;
    uint32_t class;   /* base class, subclass, interface */
    uint8_t revision;
    uint8_t pin;      /* 1: INTA; 0: none */
    struct pci_bar {
        uint8_t bar;  /* number of its (first) register */
        bool wide;    /* 64 bits, prefetchable: takes the next register, too */
    } bar[DEVICE_MAX_WINDOWS]; /* per window of the device */
    uint8_t msix_window; /* window with the MSI-X table, when vectors are asked for */
    bool bridge;      /* its header is a bridge's */
    /* After bytes of the configuration have been written; may be NULL. */
    void (*config_written)(struct device *d, unsigned offset, unsigned n);
    /* Before bytes of the configuration are read; may be NULL. */
    void (*config_read)(struct device *d, unsigned offset, unsigned n);
    /* Of a bridge: a function has been plugged behind it, or has gone; may be NULL. */
    void (*plugged)(struct device *d, bool there);
    struct pci_bus *(*behind)(struct device *d); /* of a bridge: the bus behind it */
    /*
     * Of a bridge with a slot: presses the button by which software is asked to let go of what is in it, or only tells
     * (`press` false) whether there is software that would hear it.
     */
    bool (*attention)(struct device *d, bool press);
};

struct pci_bus;

/* A PCI device's own struct begins with it. */
struct pci_function {
    struct device device;
    struct pci_bus *bus; /* NULL: not plugged */
    uint8_t devfn;       /* slot << 3 | function */
    uint8_t config[PCI_CONFIG_SIZE], writable[PCI_CONFIG_SIZE],
        clears[PCI_CONFIG_SIZE]; /* bits software sets; clears by 1 */
    uint8_t last_cap, next_free; /* capability list */
    uint8_t intx;        /* the pin is asserted; saved, so any value may come */
    uint8_t mapped;      /* bit per window: it is in the bus's container */
    /* MSI-X */
    uint16_t msix_cap, vectors;
    uint16_t express_cap;
    uint32_t msix_table[PCI_MAX_VECTORS][4]; /* address, its high half, data, control */
    uint32_t msix_pending;
};

static inline const struct pci_class *pci_class(const struct pci_function *f) { return f->device.class->bus_class; }

/* Rows of a function's `saved`. */
#define PCI_SAVED                                                                                                      \
    DEVICE_SAVED_ARRAY(struct pci_function, config), DEVICE_SAVED(struct pci_function, msix_table),                    \
        DEVICE_SAVED(struct pci_function, msix_pending), DEVICE_SAVED(struct pci_function, intx)

struct pci_bus {
    struct mem_space *space; /* what functions' messages and DMA go to, and whose map has the containers */
    struct mem_region memory, ports;
    struct pci_bus *root;    /* of the hierarchy: where the containers are */
    struct pci_function *bridge; /* the bridge this bus is behind; NULL: it is a host bridge's */
    struct pci_function *function[PCI_FUNCTIONS]; /* by devfn */
    struct pci_bus *below[PCI_FUNCTIONS];         /* the bus behind a bridge, by its devfn */
    bool off; /* no power: the functions do not answer */
    struct irq pin[PCI_PINS];
    unsigned asserted[PCI_PINS]; /* functions that assert it */
};

/* --- buses --- */

void pci_bus_init(struct pci_bus *b, struct mem_space *space, struct pci_bus *parent, struct pci_function *bridge);
void pci_bus_free(struct pci_bus *b);
/*
 * Puts a realized function onto a bus; devfn -1: where its `bus` (the id of a port) and `addr` (SLOT or SLOT.FUNCTION,
 * in hexadecimal) say, else the first free slot; a `hot` one into a port's. NULL, or one line to be freed.
 */
char *pci_plug(struct pci_bus *b, struct device *d, int devfn);
/* Takes it out; it must be before it is freed. */
void pci_unplug(struct device *d);
/*
 * Asks software to let go of it and makes it `leaving`; where nobody drives it, it goes at once (host->left). NULL, or
 * one line to be freed.
 */
char *pci_eject(struct device *d);
/* Software has powered the slot of a bridge's bus off, or on. */
void pci_bus_power(struct pci_bus *b, bool on);
bool pci_has_devices_behind(struct device *d);
/* Configuration accesses as the host bridge decodes them; 1, 2 or 4 bytes. Nobody there reads as ones. */
uint32_t pci_config_load(struct pci_bus *b, unsigned bus, unsigned devfn, unsigned offset, unsigned size);
void pci_config_store(struct pci_bus *b, unsigned bus, unsigned devfn, unsigned offset, uint32_t value, unsigned size);

/* --- for functions --- */

/* From realize(), reset() and loaded(), first. */
void pci_realize(struct device *d);
void pci_reset(struct device *d);
void pci_loaded(struct device *d);
/* Room of n bytes for a capability; its id and link are set. Returns its offset. */
unsigned pci_add_capability(struct pci_function *f, uint8_t id, unsigned n);
/* A PCI Express capability, version 2, of a device or port type. */
enum {
    PCI_EXPRESS_ENDPOINT = 0,
    PCI_EXPRESS_ROOT_PORT = 4,
    PCI_EXPRESS_INTEGRATED = 9,
    PCI_EXPRESS_SLOT = 1 << 4
}; /* the last: the port has a slot */
void pci_add_express(struct pci_function *f, unsigned type);
/* An MSI-X capability of `vectors` (at most PCI_MAX_VECTORS), its table at offset 0 of the msix_window. */
void pci_add_msix(struct pci_function *f, unsigned vectors);
/* Functions of the msix_window; its size must be PCI_MSIX_WINDOW at least. */
enum { PCI_MSIX_WINDOW = 0x1000, PCI_MSIX_PENDING = 0x800 };
extern const struct mem_ops pci_msix_ops;
bool pci_msix_on(const struct pci_function *f);
/* Sends the message of a vector, or notes it while it is masked. Without MSI-X nothing. */
void pci_msix_send(struct pci_function *f, unsigned vector);
void pci_set_intx(struct pci_function *f, bool level);
static inline bool pci_is_master(const struct pci_function *f) { return f->config[PCI_COMMAND] & PCI_COMMAND_MASTER; }
/* Little-endian numbers of the configuration. */
uint32_t pci_get(const uint8_t *p, unsigned size);
void pci_put(uint8_t *p, uint32_t value, unsigned size);

#endif
