/* query-pci: the buses as software has set them up, read out of the functions' configuration spaces. See qmp.schema. */
#include <string.h>

#include "hw/pci/pci.h"
#include "qmp-schema.h"
#include "system/monitor/monitor.h"

enum {
    IO_BASE = 0x1c,
    MEMORY_BASE = 0x20,
    PREFETCH_BASE = 0x24,
    PREFETCH_UPPER = 0x28,
    BAR_WIDE = 4,
    BAR_PREFETCH = 8
};

static const char *class_name(unsigned class)
{
    static const struct {
        unsigned class;
        const char *name;
    } names[] = {{0x0100, "SCSI controller"},
                 {0x0200, "Ethernet controller"},
                 {0x0600, "Host bridge"},
                 {0x0604, "PCI bridge"},
                 {0x0780, "Communication controller"},
                 {0x0002, "9p mount"},
                 {0x00ff, "RNG"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i].class == class)
            return names[i].name;
    return NULL;
}

static struct json *regions(const struct pci_function *f)
{
    struct json *list = json_array();
    bool on = pci_get(&f->config[PCI_COMMAND], 2) & PCI_COMMAND_MEMORY;
    for (unsigned w = 0; w < f->device.class->nwindows; w++) {
        const struct pci_bar *bar = &pci_class(f)->bar[w];
        const uint8_t *p = &f->config[PCI_BAR + 4 * bar->bar];
        uint64_t size = f->device.class->windows[w].size, at = pci_get(p, 4) & ~UINT64_C(15);
        if (bar->wide)
            at |= (uint64_t)pci_get(p + 4, 4) << 32;
        struct json *v = json_put_int(json_object(), "bar", bar->bar);
        json_put_string(v, "type", "memory");
        json_put_int(v, "address", on ? (int64_t)at : -1);
        json_put_int(v, "size", (int64_t)size);
        json_put_bool(v, "prefetch", bar->wide);
        json_put_bool(v, "mem_type_64", bar->wide);
        json_add(list, v);
    }
    return list;
}

static struct json *range(uint64_t base, uint64_t limit)
{
    return json_put_int(json_put_int(json_object(), "base", (int64_t)base), "limit", (int64_t)limit);
}

static struct json *functions(const struct pci_bus *b, unsigned number);

static struct json *bridge(const struct pci_function *f)
{
    const uint8_t *c = f->config;
    unsigned secondary = c[PCI_BUSES + 1];
    struct json *bus = json_put_int(json_object(), "number", c[PCI_BUSES]);
    json_put_int(bus, "secondary", secondary);
    json_put_int(bus, "subordinate", c[PCI_BUSES + 2]);
    json_put(bus, "io_range",
             range((uint64_t)(c[IO_BASE] & 0xf0) << 8, (uint64_t)(c[IO_BASE + 1] & 0xf0) << 8 | 0xfff));
    json_put(bus, "memory_range",
             range((uint64_t)(pci_get(c + MEMORY_BASE, 2) & 0xfff0) << 16,
                   (uint64_t)(pci_get(c + MEMORY_BASE + 2, 2) & 0xfff0) << 16 | 0xfffff));
    json_put(bus, "prefetchable_range",
             range((uint64_t)pci_get(c + PREFETCH_UPPER, 4) << 32 | (uint64_t)(pci_get(c + PREFETCH_BASE, 2) & 0xfff0)
                                                                        << 16,
                   (uint64_t)pci_get(c + PREFETCH_UPPER + 4, 4) << 32 |
                       (uint64_t)(pci_get(c + PREFETCH_BASE + 2, 2) & 0xfff0) << 16 | 0xfffff));
    struct json *v = json_put(json_object(), "bus", bus);
    const struct pci_bus *below = f->bus->below[f->devfn];
    return json_put(v, "devices", below ? functions(below, secondary) : json_array());
}

static struct json *function(const struct pci_function *f, unsigned bus)
{
    const uint8_t *c = f->config;
    unsigned class = pci_get(c + PCI_CLASS + 2, 2);
    struct json *v = json_put_int(json_object(), "bus", bus);
    json_put_int(v, "slot", f->devfn >> 3);
    json_put_int(v, "function", f->devfn & 7);
    struct json *what = json_put_int(json_object(), "class", class);
    if (class_name(class))
        json_put_string(what, "desc", class_name(class));
    json_put(v, "class_info", what);
    struct json *id = json_put_int(json_object(), "vendor", pci_get(c + PCI_VENDOR, 2));
    json_put_int(id, "device", pci_get(c + PCI_VENDOR + 2, 2));
    if (!pci_class(f)->bridge) {
        json_put_int(id, "subsystem-vendor", pci_get(c + PCI_SUBSYSTEM, 2));
        json_put_int(id, "subsystem", pci_get(c + PCI_SUBSYSTEM + 2, 2));
    }
    json_put(v, "id", id);
    if (c[PCI_INT_PIN])
        json_put_int(v, "irq", c[PCI_INT_LINE]);
    json_put_int(v, "irq_pin", c[PCI_INT_PIN]);
    json_put_string(v, "qdev_id", f->device.id);
    if (pci_class(f)->bridge)
        json_put(v, "pci_bridge", bridge(f));
    return json_put(v, "regions", regions(f));
}

static struct json *functions(const struct pci_bus *b, unsigned number)
{
    struct json *list = json_array();
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++)
        if (b->function[i])
            json_add(list, function(b->function[i], number));
    return list;
}

struct json *qmp_query_pci(struct monitor *m, const struct qmp_query_pci_args *a, struct qmp_error *e)
{
    struct json *list = json_array();
    const struct pci_bus *root = m->board->pci;
    if (root)
        json_add(list, json_put(json_put_int(json_object(), "bus", 0), "devices", functions(root, 0)));
    return list;
}
