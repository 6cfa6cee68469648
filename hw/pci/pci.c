/* Configuration space, base addresses, interrupts and buses of PCI functions: see pci.h. MSI-X is in msix.c. */
#include "hw/pci/pci.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum { BAR_IO_64 = 4, BAR_PREFETCH = 8, FIRST_CAPABILITY = 0x40 };

static struct pci_function *function(struct device *d) { return (struct pci_function *)d; }

uint32_t pci_get(const uint8_t *p, unsigned size)
{
    uint32_t v = 0;
    memcpy(&v, p, size);
    return v;
}

void pci_put(uint8_t *p, uint32_t value, unsigned size)
{
    memcpy(p, &value, size);
}

/* --- windows --- */

static uint64_t bar_address(const struct pci_function *f, const struct pci_bar *bar, uint64_t size)
{
    const uint8_t *p = &f->config[PCI_BAR + 4 * bar->bar];
    uint64_t addr = pci_get(p, 4);
    if (bar->wide)
        addr |= (uint64_t)pci_get(p + 4, 4) << 32;
    return addr & ~(size - 1);
}

/* Puts the windows where the base addresses say, or takes them out. */
static void update_windows(struct pci_function *f)
{
    const struct device_class *c = f->device.class;
    bool on = f->bus && f->config[PCI_COMMAND] & PCI_COMMAND_MEMORY;
    for (unsigned w = 0; w < c->nwindows && f->bus; w++) {
        const struct pci_bar *bar = &pci_class(f)->bar[w];
        struct mem_region *r = &f->device.view[w].region, *in = &f->bus->root->memory;
        uint64_t at = bar_address(f, bar, r->size);
        /* Bases at either end are what software writes to learn the size. */
        bool there = on && at && at + (r->size - 1) != (bar->wide ? UINT64_MAX : UINT32_MAX);
        bool mapped = f->mapped >> w & 1;
        if (mapped && (!there || r->at != at)) {
            mem_remove(f->bus->space, r);
            mapped = false;
        }
        if (!mapped && there)
            mem_add(f->bus->space, in, at, r, 1);
        f->mapped = (uint8_t)deposit64(f->mapped, w, 1, there);
    }
}

/* --- pins --- */

/* The pin of the host bridge that a function's pin reaches through the bridges above it. */
static void update_pin(struct pci_function *f, bool level)
{
    unsigned pin = pci_class(f)->pin - 1u;
    struct pci_bus *b = f->bus;
    uint8_t devfn = f->devfn;
    for (; b; devfn = b->bridge->devfn, b = b->bridge->bus) {
        pin = (pin + (devfn >> 3)) % PCI_PINS;
        if (!b->bridge)
            break;
    }
    if (!b)
        return;
    b->asserted[pin] += level ? 1 : -1u;
    irq_set(&b->pin[pin], b->asserted[pin]);
}

static bool pin_driven(const struct pci_function *f)
{
    return f->intx && f->bus && !(pci_get(&f->config[PCI_COMMAND], 2) & PCI_COMMAND_NO_INTX);
}

void pci_set_intx(struct pci_function *f, bool level)
{
    bool before = pin_driven(f);
    if (!pci_class(f)->pin || f->intx == level)
        return;
    f->intx = level;
    f->config[PCI_STATUS] =
        (uint8_t)(level ? f->config[PCI_STATUS] | PCI_STATUS_INTX : f->config[PCI_STATUS] & ~PCI_STATUS_INTX);
    if (pin_driven(f) != before)
        update_pin(f, level);
}

/* --- configuration --- */

static void write_config(struct pci_function *f, unsigned offset, uint32_t value, unsigned n)
{
    bool driven = pin_driven(f);
    for (unsigned i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i), *p = &f->config[offset + i];
        *p = (uint8_t)((*p & ~f->writable[offset + i]) | (byte & f->writable[offset + i]));
        *p &= (uint8_t)~(byte & f->clears[offset + i]);
    }
    if (pin_driven(f) != driven)
        update_pin(f, !driven);
    update_windows(f);
    if (pci_class(f)->config_written)
        pci_class(f)->config_written(&f->device, offset, n);
    if (f->msix_pending && pci_msix_on(f))
        for (unsigned i = 0; i < f->vectors; i++)
            if (f->msix_pending >> i & 1)
                pci_msix_send(f, i);
}

/* The bus of a number, at or below b; NULL: none. The host bridge's has the number 0. */
static struct pci_bus *find_bus(struct pci_bus *b, unsigned number)
{
    unsigned own = b->bridge ? b->bridge->config[PCI_BUSES + 1] : 0;
    if (own == number)
        return b;
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        const struct pci_function *f = b->below[i] ? b->function[i] : NULL;
        if (f && number >= f->config[PCI_BUSES + 1] && number <= f->config[PCI_BUSES + 2] &&
            f->config[PCI_BUSES + 1] > own)
            return find_bus(b->below[i], number);
    }
    return NULL;
}

static struct pci_function *find_function(struct pci_bus *b, unsigned bus, unsigned devfn)
{
    b = find_bus(b, bus);
    return b && !b->off && (!b->bridge || devfn < 8) ? b->function[devfn] : NULL;
}

/*
 * A function that is to go and whose slot no software drives goes when its driver is off it: it is no master any more.
 */
static void leave_if_idle(struct pci_function *f)
{
    struct device *d = &f->device;
    if (!pci_is_master(f) && !pci_class(f->bus->bridge)->attention(&f->bus->bridge->device, false) && d->host->left)
        d->host->left(d->host->opaque, d);
}

uint32_t pci_config_load(struct pci_bus *b, unsigned bus, unsigned devfn, unsigned offset, unsigned size)
{
    struct pci_function *f = find_function(b, bus, devfn % PCI_FUNCTIONS);
    if (!f || offset > PCI_CONFIG_SIZE - size)
        return UINT32_MAX >> (32 - 8 * size);
    if (pci_class(f)->config_read)
        pci_class(f)->config_read(&f->device, offset, size);
    return pci_get(&f->config[offset], size);
}

void pci_config_store(struct pci_bus *b, unsigned bus, unsigned devfn, unsigned offset, uint32_t value, unsigned size)
{
    struct pci_function *f = find_function(b, bus, devfn % PCI_FUNCTIONS);
    if (f && offset <= PCI_CONFIG_SIZE - size)
        write_config(f, offset, value, size);
    if (f && f->device.leaving)
        leave_if_idle(f);
}

/* --- life of a function --- */

static void describe_bars(struct pci_function *f)
{
    for (unsigned w = 0; w < f->device.class->nwindows; w++) {
        const struct pci_bar *bar = &pci_class(f)->bar[w];
        uint64_t mask = ~(f->device.class->windows[w].size - 1);
        unsigned at = PCI_BAR + 4u * bar->bar;
        pci_put(&f->writable[at], (uint32_t)mask, 4);
        pci_put(&f->config[at], bar->wide ? BAR_IO_64 | BAR_PREFETCH : 0, 4);
        if (bar->wide)
            pci_put(&f->writable[at + 4], (uint32_t)(mask >> 32), 4);
    }
}

void pci_realize(struct device *d)
{
    struct pci_function *f = function(d);
    const struct pci_class *c = pci_class(f);
    pci_put(&f->config[PCI_VENDOR], c->vendor | (uint32_t)c->id << 16, 4);
    pci_put(&f->config[PCI_CLASS], c->revision | c->class << 8, 4);
    pci_put(&f->writable[PCI_COMMAND], PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX,
            2);
    f->config[PCI_INT_PIN] = c->pin;
    f->writable[PCI_INT_LINE] = 0xff;
    f->next_free = FIRST_CAPABILITY;
    if (c->bridge)
        f->config[PCI_HEADER] = 1;
    else
        pci_put(&f->config[PCI_SUBSYSTEM], c->subsystem_vendor | (uint32_t)c->subsystem << 16, 4);
    describe_bars(f);
}

/* What software has written is gone; what the function says of itself stays. */
void pci_reset(struct device *d)
{
    struct pci_function *f = function(d);
    pci_set_intx(f, false);
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
        f->config[i] &= (uint8_t)~(f->writable[i] | f->clears[i]);
    memset(f->msix_table, 0, sizeof f->msix_table);
    for (unsigned i = 0; i < f->vectors; i++)
        f->msix_table[i][3] = 1; /* masked */
    f->msix_pending = 0;
    update_windows(f);
}

void pci_loaded(struct device *d)
{
    struct pci_function *f = function(d);
    bool level = f->intx;
    f->intx = false;
    f->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    f->msix_pending &= f->vectors ? UINT32_MAX >> (32 - f->vectors) : 0;
    pci_set_intx(f, level);
    update_windows(f);
}

unsigned pci_add_capability(struct pci_function *f, uint8_t id, unsigned n)
{
    unsigned at = f->next_free;
    CHECK(at + n <= 0x100);
    f->next_free = (uint8_t)ALIGN_UP(at + n, 4u);
    f->config[at] = id;
    f->config[f->last_cap ? f->last_cap + 1u : PCI_CAPABILITIES] = (uint8_t)at;
    f->last_cap = (uint8_t)at;
    f->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    return at;
}

void pci_add_express(struct pci_function *f, unsigned type)
{
    enum { SIZE = 0x3c, VERSION = 2, LINK_CAP = 0x0c, LINK_STATUS = 0x12, LANES_1_SPEED_1 = 0x11 };
    unsigned at = pci_add_capability(f, PCI_CAP_EXPRESS, SIZE);
    f->express_cap = (uint16_t)at;
    pci_put(&f->config[at + 2], VERSION | type << 4, 2);
    pci_put(&f->config[at + LINK_CAP], LANES_1_SPEED_1, 4);
    pci_put(&f->config[at + LINK_STATUS], LANES_1_SPEED_1, 2);
}

/* --- buses --- */

void pci_bus_init(struct pci_bus *b, struct mem_space *space, struct pci_bus *parent, struct pci_function *bridge)
{
    *b = (struct pci_bus){.space = space, .bridge = bridge, .root = parent ? parent->root : b};
    if (parent) {
        parent->below[bridge->devfn] = b;
        return;
    }
    mem_init_container(&b->memory, "pci memory", UINT64_MAX);
    mem_init_container(&b->ports, "pci ports", 0x10000);
}

void pci_bus_free(struct pci_bus *b)
{
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++)
        CHECK(!b->function[i]);
    if (b->bridge && b->bridge->bus)
        b->bridge->bus->below[b->bridge->devfn] = NULL;
}

static unsigned slots_of(const struct pci_bus *b) { return b->bridge ? 1 : PCI_SLOTS; } /* a link leads to one device */

static struct pci_bus *behind(struct pci_function *f)
{
    return f && pci_class(f)->behind ? pci_class(f)->behind(&f->device) : NULL;
}

/* The bus behind the port with the id, at or below b; without id the first with an empty slot. NULL: none. */
static struct pci_bus *find_port(struct pci_bus *b, const char *id)
{
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        struct pci_bus *below = behind(b->function[i]), *found;
        if (!below)
            continue;
        const char *own = b->function[i]->device.id;
        if (id ? own && !strcmp(own, id) : pci_class(b->function[i])->attention && !below->function[0])
            return below;
        if ((found = find_port(below, id)))
            return found;
    }
    return NULL;
}

static char *choose_bus(struct pci_bus **b, const struct device *d)
{
    bool root = !d->bus || !strcmp(d->bus, "pcie.0") || !strcmp(d->bus, "pci.0");
    struct pci_bus *port = root && !d->hot ? *b : root && d->bus ? NULL : find_port(*b, d->bus);
    if (!port && d->bus && !root)
        return device_error("device %s: Bus '%s' not found", d->class->name, d->bus);
    if (!port && d->bus)
        return device_error("device %s: Bus '%s' does not support hotplugging", d->class->name, d->bus);
    if (!port)
        return device_error(
            "device %s: no pcie-root-port with an empty slot; start the machine with -device pcie-root-port,id=…",
            d->class->name);
    if (d->hot && !pci_class(port->bridge)->attention)
        return device_error("device %s: Bus '%s' does not support hotplugging", d->class->name, d->bus);
    *b = port;
    return NULL;
}

/* The place that `addr` names; -1: none. */
static char *choose_slot(const struct pci_bus *b, const struct device *d, int *devfn)
{
    unsigned slots = slots_of(b), slot, function = 0;
    char rest;
    if (d->addr) {
        int n = sscanf(d->addr, "%x.%x%c", &slot, &function, &rest);
        if ((n != 1 && n != 2) || (n == 1 && strchr(d->addr, '.')) || slot >= slots || function > 7)
            return device_error(
                "device %s: addr is SLOT or SLOT.FUNCTION, in hexadecimal, of a bus with %u slots, not '%s'",
                d->class->name, slots, d->addr);
        *devfn = (int)(slot << 3 | function);
    }
    for (unsigned i = 0; *devfn < 0 && i < slots; i++)
        if (!b->function[8 * i])
            *devfn = (int)(8 * i);
    return *devfn < 0 ? device_error("device %s: the PCI bus has no free slot", d->class->name) : NULL;
}

/* Software looks at functions behind the first only where that says that there are others. */
static void tell_functions(struct pci_bus *b, unsigned slot)
{
    unsigned n = 0;
    for (unsigned i = 8 * slot; i < 8 * slot + 8; i++)
        n += b->function[i] != NULL;
    for (unsigned i = 8 * slot; i < 8 * slot + 8; i++) {
        uint8_t *header = b->function[i] ? &b->function[i]->config[PCI_HEADER] : NULL;
        if (header)
            *header = (uint8_t)(n > 1 ? *header | PCI_HEADER_SEVERAL : *header & ~PCI_HEADER_SEVERAL);
    }
}

char *pci_plug(struct pci_bus *b, struct device *d, int devfn)
{
    struct pci_function *f = function(d);
    if (d->class->bus != BUS_PCI)
        return device_error("device %s is not for a PCI bus", d->class->name);
    char *error = devfn < 0 ? choose_bus(&b, d) : NULL;
    if (!error && devfn < 0)
        error = choose_slot(b, d, &devfn);
    if (error)
        return error;
    if ((unsigned)devfn >= 8 * slots_of(b) || b->function[devfn])
        return device_error("device %s: slot %d.%d of the PCI bus is not free", d->class->name, devfn >> 3, devfn & 7);
    f->bus = b;
    f->devfn = (uint8_t)devfn;
    b->function[devfn] = f;
    tell_functions(b, (unsigned)devfn >> 3);
    f->mapped = 0;
    if (f->express_cap && !pci_class(f)->bridge && !b->bridge) /* not behind a port */
        f->config[f->express_cap + 2u] |= PCI_EXPRESS_INTEGRATED << 4;
    if (b->bridge && pci_class(b->bridge)->plugged)
        pci_class(b->bridge)->plugged(&b->bridge->device, true);
    return NULL;
}

bool pci_has_devices_behind(struct device *d)
{
    const struct pci_function *f = function(d);
    const struct pci_bus *b = f->bus ? f->bus->below[f->devfn] : NULL;
    for (unsigned i = 0; b && i < PCI_FUNCTIONS; i++)
        if (b->function[i])
            return true;
    return false;
}

void pci_bus_power(struct pci_bus *b, bool on)
{
    if (b->off == !on)
        return;
    b->off = !on;
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        struct device *d = b->function[i] ? &b->function[i]->device : NULL;
        if (d && !on)
            device_reset(d);
        if (d && !on && d->leaving && d->host->left)
            d->host->left(d->host->opaque, d);
    }
}

char *pci_eject(struct device *d)
{
    struct pci_function *f = function(d);
    struct pci_function *bridge = f->bus ? f->bus->bridge : NULL;
    if (!bridge || !pci_class(bridge)->attention)
        return device_error(
            "Bus 'pcie.0' does not support hotplugging: only what is in a pcie-root-port can be removed");
    if (d->leaving)
        return device_error("Device %s is already in the process of unplug", d->id ? d->id : d->class->name);
    d->leaving = true;
    if (f->bus->off)
        d->host->left(d->host->opaque, d);
    else if (!pci_class(bridge)->attention(&bridge->device, true))
        leave_if_idle(f);
    return NULL;
}

void pci_unplug(struct device *d)
{
    struct pci_function *f = function(d);
    if (!f->bus)
        return;
    pci_set_intx(f, false);
    f->config[PCI_COMMAND] &= (uint8_t)~PCI_COMMAND_MEMORY;
    update_windows(f);
    struct pci_bus *b = f->bus;
    b->function[f->devfn] = NULL;
    tell_functions(b, f->devfn >> 3);
    f->bus = NULL;
    if (b->bridge && pci_class(b->bridge)->plugged)
        pci_class(b->bridge)->plugged(&b->bridge->device, false);
}
