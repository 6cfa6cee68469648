/*
 * A PCI Express root port with a hot-plug slot (PCI Express Base Specification, 7.5.3): a bridge to a bus of one
 * device. It tells software by presence and link changes, and allows surprise removal. What the ports forward is not
 * checked against their windows: functions answer where their base addresses say.
 */
#include "hw/pci/root-port.h"

/* Offsets in the express capability. */
enum { LINK_CAP = 0x0c, LINK_STATUS = 0x12, SLOT_CAP = 0x14, SLOT_CONTROL = 0x18, SLOT_STATUS = 0x1a };
enum { LINK_CAP_REPORTS_ACTIVE = 1 << 20, LINK_CAP_PORT = 24, LINK_ACTIVE = 1 << 13 };
enum {
    SLOT_BUTTON = 1 << 0,
    SLOT_POWER = 1 << 1,
    SLOT_ATTENTION_LED = 1 << 3,
    SLOT_POWER_LED = 1 << 4,
    SLOT_SURPRISE = 1 << 5,
    SLOT_HOT_PLUG = 1 << 6,
    SLOT_NO_COMMAND_COMPLETED = 1 << 18,
    SLOT_NUMBER = 19
};
enum { BUTTON_PRESSED = 1 << 0, PRESENCE_CHANGED = 1 << 3, PRESENT = 1 << 6, LINK_CHANGED = 1 << 8 }; /* status */
enum { INTERRUPT_ON = 1 << 5, POWER_OFF = 1 << 10, LINK_CHANGED_ON = 1 << 12 };                       /* control */
enum { BRIDGE_WINDOWS = 0x1c, BRIDGE_WINDOWS_END = 0x34, BRIDGE_CONTROL = 0x3e };

struct root_port {
    struct pci_function f;
    struct pci_bus bus;
    bool has_bus;
    uint8_t asserted; /* saved, so any value may come */
    uint32_t slot, port, chassis;
};

static struct root_port *port(struct device *d) { return (struct root_port *)d; }

/* An interrupt for every change that software has enabled and not acknowledged. */
static void update(struct root_port *s)
{
    const uint8_t *c = &s->f.config[s->f.express_cap];
    uint32_t on = pci_get(c + SLOT_CONTROL, 2), status = pci_get(c + SLOT_STATUS, 2);
    bool level = on & INTERRUPT_ON && ((status & on & (PRESENCE_CHANGED | BUTTON_PRESSED)) ||
                                       (status & LINK_CHANGED && on & LINK_CHANGED_ON));
    if (pci_msix_on(&s->f)) {
        if (level && !s->asserted)
            pci_msix_send(&s->f, 0);
        pci_set_intx(&s->f, false);
    } else {
        pci_set_intx(&s->f, level);
    }
    s->asserted = level;
}

static bool powered(const struct root_port *s)
{
    return !(pci_get(&s->f.config[s->f.express_cap + SLOT_CONTROL], 2) & POWER_OFF);
}

/* Sets bits of the status and the link, which is up where something is there and has power. */
static void show_presence(struct root_port *s, bool there)
{
    uint8_t *c = &s->f.config[s->f.express_cap];
    uint32_t status = pci_get(c + SLOT_STATUS, 2) & ~(uint32_t)PRESENT,
             link = pci_get(c + LINK_STATUS, 2) & ~(uint32_t)LINK_ACTIVE;
    bool up = there && powered(s);
    if (up != !!(pci_get(c + LINK_STATUS, 2) & LINK_ACTIVE))
        status |= LINK_CHANGED;
    pci_put(c + SLOT_STATUS, status | (there ? PRESENT : 0), 2);
    pci_put(c + LINK_STATUS, link | (up ? LINK_ACTIVE : 0), 2);
}

static void signal(struct root_port *s, uint32_t what)
{
    uint8_t *status = &s->f.config[s->f.express_cap + SLOT_STATUS];
    pci_put(status, pci_get(status, 2) | what, 2);
    update(s);
}

static bool occupied(const struct root_port *s) { return s->has_bus && s->bus.function[0]; }

static void plugged(struct device *d, bool there)
{
    show_presence(port(d), there);
    signal(port(d), PRESENCE_CHANGED);
}

/* 6.7.1.3: the button asks software to take what is in the slot out of use, after which it switches the power off. */
static bool attention(struct device *d, bool press)
{
    uint32_t on = pci_get(&port(d)->f.config[port(d)->f.express_cap + SLOT_CONTROL], 2);
    if (!(on & INTERRUPT_ON) || !(on & BUTTON_PRESSED))
        return false;
    if (press)
        signal(port(d), BUTTON_PRESSED);
    return true;
}

static void config_written(struct device *d, unsigned offset, unsigned n)
{
    struct root_port *s = port(d);
    if (s->has_bus)
        pci_bus_power(&s->bus, powered(s));
    show_presence(s, occupied(s));
    update(s);
}

struct pci_bus *pci_root_port_bus(struct device *d)
{
    struct root_port *s = port(d);
    if (!s->has_bus) {
        pci_bus_init(&s->bus, s->f.bus->space, s->f.bus, &s->f);
        s->has_bus = true;
    }
    return &s->bus;
}

static const struct pci_class kind = {
    .vendor = 0x1b36, .id = 0x000c, .class = 0x060400, .pin = 1, .bar = {{.bar = 0}}, .bridge = true, .config_written = config_written, .plugged = plugged,
    .behind = pci_root_port_bus, .attention = attention,
};
static const struct device_window windows[] = {{.name = "msix", .size = PCI_MSIX_WINDOW, .ops = &pci_msix_ops}};

static char *realize(struct device *d)
{
    struct root_port *s = port(d);
    struct pci_function *f = &s->f;
    pci_realize(d);
    pci_add_express(f, PCI_EXPRESS_ROOT_PORT | PCI_EXPRESS_SLOT);
    uint8_t *c = &f->config[f->express_cap], *w = &f->writable[f->express_cap];
    if (s->slot >> (32 - SLOT_NUMBER) || s->port > UINT8_MAX)
        return device_error("device %s: slot is at most %u, port at most %u", d->class->name, UINT32_MAX >> SLOT_NUMBER,
                            UINT8_MAX);
    pci_put(c + LINK_CAP, pci_get(c + LINK_CAP, 4) | LINK_CAP_REPORTS_ACTIVE | s->port << LINK_CAP_PORT, 4);
    pci_put(c + SLOT_CAP,
            SLOT_BUTTON | SLOT_POWER | SLOT_ATTENTION_LED | SLOT_POWER_LED | SLOT_SURPRISE | SLOT_HOT_PLUG |
                SLOT_NO_COMMAND_COMPLETED | s->slot << SLOT_NUMBER,
            4);
    pci_put(w + SLOT_CONTROL, 0x1fff, 2);
    pci_put(&f->clears[f->express_cap + SLOT_STATUS], BUTTON_PRESSED | PRESENCE_CHANGED | LINK_CHANGED, 2);
    pci_add_msix(f, 1);
    memset(&f->writable[PCI_BUSES], 0xff, 3);
    memset(&f->writable[BRIDGE_WINDOWS], 0xff, BRIDGE_WINDOWS_END - BRIDGE_WINDOWS);
    pci_put(&f->writable[BRIDGE_WINDOWS], 0xf0f0, 4); /* ports; the secondary status is read only */
    pci_put(&f->writable[0x20], 0xfff0fff0, 4);
    pci_put(&f->writable[0x24], 0xfff0fff0, 4);
    pci_put(&f->config[0x24], 0x00010001, 4); /* 64 bits */
    pci_put(&f->writable[BRIDGE_CONTROL], 0x7f, 2);
    return NULL;
}

static void unrealize(struct device *d)
{
    if (port(d)->has_bus)
        pci_bus_free(&port(d)->bus);
}

static void reset(struct device *d)
{
    struct root_port *s = port(d);
    pci_reset(d);
    s->asserted = false;
    show_presence(s, occupied(s));
    uint8_t *status = &s->f.config[s->f.express_cap + SLOT_STATUS];
    pci_put(status, pci_get(status, 2) & ~(uint32_t)LINK_CHANGED, 2);
    if (s->has_bus)
        s->bus.off = false;
}

static void loaded(struct device *d)
{
    struct root_port *s = port(d);
    pci_loaded(d);
    if (s->has_bus)
        s->bus.off = !powered(s);
    show_presence(s, occupied(s));
    update(s);
}

static const struct device_prop props[] = {
    {"slot", PROP_U32, offsetof(struct root_port, slot), "0", "number of the slot, different for every port"},
    {"port", PROP_U32, offsetof(struct root_port, port), "0", "number of the port"},
    {"chassis", PROP_U32, offsetof(struct root_port, chassis), "0", "number of the chassis, which software does not see"},
};
static const struct device_saved saved[] = {PCI_SAVED, DEVICE_SAVED(struct root_port, asserted)};

const struct device_class device_pcie_root_port = {
    DEVICE_CLASS,
    .name = "pcie-root-port",
    .doc = "PCI Express root port with a hot-plug slot",
    .bus = BUS_PCI,
    .bus_class = &kind,
    .state_size = sizeof(struct root_port),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
};
