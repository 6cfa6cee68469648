/* PCI: configuration space, base addresses, pins, MSI-X, a hot-plug port, and virtio devices on the bus. */
#include "hw/pci/ecam.h"
#include "hw/pci/root-port.h"
#include "hw/virtio/virtio.h"
#include "tests/device-board.h"

enum { MEMORY = 0x40000000, MSI_PORT = 0x28000000, RAM = 0x80000000, RAM_SIZE = 0x100000, ECAM = BOARD_WINDOW };
enum { BAR_MSIX = 0x40000000, BAR_VIRTIO = 0x40100000 };

struct pc {
    struct board b;
    struct mem_region window, port, ram;
    struct device *root;
    uint32_t message[64]; /* that came, by place */
    unsigned messages;
};

static void port_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct pc *p = device;
    if (p->messages < ARRAY_SIZE(p->message))
        p->message[p->messages] = (uint32_t)value;
    p->messages++;
}

static const struct mem_ops port_ops = {.write = port_write};

static void begin(struct pc *p)
{
    memset(p, 0, sizeof *p);
    board_begin(&p->b, "pci-host-ecam-generic");
    board_realize(&p->b);
    struct pci_bus *bus = pci_ecam_bus(p->b.device);
    mem_init_alias(&p->window, "pci window", &bus->memory, MEMORY, 0x20000000);
    mem_add(&p->b.memory, p->b.memory.root, MEMORY, &p->window, 0);
    mem_init_io(&p->port, "msi", 0x1000, &port_ops, p);
    mem_add(&p->b.memory, p->b.memory.root, MSI_PORT, &p->port, 0);
    cr_assert(mem_init_ram(&p->ram, "ram", RAM_SIZE));
    mem_add(&p->b.memory, p->b.memory.root, RAM, &p->ram, 0);
    p->root = device_new(device_class_by_name("pci-host-function"), NULL, &p->b.host);
    cr_assert_null(device_realize(p->root));
    cr_assert_null(pci_plug(bus, p->root, 0));
}

static void finish(struct pc *p)
{
    pci_unplug(p->root);
    device_free(p->root);
    mem_remove(&p->b.memory, &p->window);
    mem_remove(&p->b.memory, &p->port);
    mem_remove(&p->b.memory, &p->ram);
    unplug(&p->b);
    mem_free(&p->ram);
}

static struct device *add(struct pc *p, struct pci_bus *bus, const char *class, int devfn)
{
    struct device *d = device_new(device_class_by_name(class), NULL, &p->b.host);
    char *error = device_realize(d);
    cr_assert_null(error, "%s", error);
    error = pci_plug(bus, d, devfn);
    cr_assert_null(error, "%s", error);
    return d;
}

static void take_out(struct device *d)
{
    pci_unplug(d);
    device_free(d);
}

static uint64_t where(unsigned bus, unsigned devfn, unsigned offset) { return (uint64_t)bus << 20 | devfn << 12 | offset; }
static uint32_t cfg(struct pc *p, unsigned devfn, unsigned offset, unsigned size)
{
    return (uint32_t)rd(&p->b, where(0, devfn, offset), size);
}
static void set_cfg(struct pc *p, unsigned devfn, unsigned offset, unsigned size, uint32_t v)
{
    wr(&p->b, where(0, devfn, offset), size, v);
}

static uint64_t load(struct pc *p, uint64_t addr, unsigned size)
{
    uint64_t v;
    cr_assert_eq(mem_load(&p->b.memory, addr, size, &v), MEM_OK);
    return v;
}

static void store(struct pc *p, uint64_t addr, unsigned size, uint64_t v)
{
    cr_assert_eq(mem_store(&p->b.memory, addr, size, v), MEM_OK);
}

static unsigned find_cap(struct pc *p, unsigned devfn, uint8_t id, unsigned n)
{
    unsigned at = cfg(p, devfn, PCI_CAPABILITIES, 1);
    for (unsigned steps = 0; at && steps < 48; at = cfg(p, devfn, at + 1, 1), steps++)
        if (cfg(p, devfn, at, 1) == id && !n--)
            return at;
    return 0;
}

static void map_bars(struct pc *p, unsigned devfn)
{
    set_cfg(p, devfn, PCI_BAR + 4, 4, BAR_MSIX);
    set_cfg(p, devfn, PCI_BAR + 16, 4, BAR_VIRTIO);
    set_cfg(p, devfn, PCI_BAR + 20, 4, 0);
    set_cfg(p, devfn, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

Test(pci, configuration_space)
{
    struct pc p;
    begin(&p);
    cr_assert_eq(cfg(&p, 0, PCI_CLASS + 2, 2), 0x0600);
    cr_assert_eq(cfg(&p, 8, PCI_VENDOR, 4), UINT32_MAX, "nobody there");
    cr_assert_eq(rd(&p.b, where(5, 0, 0), 2), 0xffff, "no such bus");
    struct device *d = add(&p, pci_ecam_bus(p.b.device), "virtio-rng-pci", -1);
    cr_assert_eq(cfg(&p, 8, PCI_VENDOR, 4), 0x10441af4);
    set_cfg(&p, 8, PCI_VENDOR, 4, 0);
    cr_assert_eq(cfg(&p, 8, PCI_VENDOR, 4), 0x10441af4, "read only");
    set_cfg(&p, 8, PCI_BAR + 4, 4, UINT32_MAX);
    cr_assert_eq(cfg(&p, 8, PCI_BAR + 4, 4), 0xfffff000, "4 KiB");
    set_cfg(&p, 8, PCI_BAR + 16, 4, UINT32_MAX);
    set_cfg(&p, 8, PCI_BAR + 20, 4, UINT32_MAX);
    cr_assert_eq(rd(&p.b, where(0, 8, PCI_BAR + 16), 8), UINT64_C(0xffffffffffffc00c), "16 KiB, 64 bits, prefetchable");
    char *error = pci_plug(pci_ecam_bus(p.b.device), d, 8);
    cr_assert_str_eq(error, "device virtio-rng-pci: slot 1.0 of the PCI bus is not free");
    free(error);
    map_bars(&p, 8);
    cr_assert_eq(load(&p, BAR_VIRTIO + 0x12, 2), 1, "one queue");
    set_cfg(&p, 8, PCI_BAR + 16, 4, BAR_VIRTIO + 0x100000);
    cr_assert_eq(load(&p, BAR_VIRTIO + 0x100012, 2), 1, "moved");
    uint64_t v;
    cr_assert_neq(mem_load(&p.b.memory, BAR_VIRTIO + 0x12, 2, &v), MEM_OK);
    set_cfg(&p, 8, PCI_COMMAND, 2, 0);
    cr_assert_neq(mem_load(&p.b.memory, BAR_VIRTIO + 0x100012, 2, &v), MEM_OK);
    take_out(d);
    cr_assert_eq(cfg(&p, 8, PCI_VENDOR, 4), UINT32_MAX);
    finish(&p);
}

/* --- a virtio device --- */

enum { COMMON = BAR_VIRTIO, ISR = BAR_VIRTIO + 0x1000, NOTIFY = BAR_VIRTIO + 0x3000, BUFFER = RAM + 0x8000 };

static void start(struct pc *p, bool msix)
{
    store(p, COMMON + 0x14, 1, 0);
    store(p, COMMON + 0x14, 1, 3);
    store(p, COMMON + 8, 4, 1);
    store(p, COMMON + 12, 4, 1);
    store(p, COMMON + 0x14, 1, 11);
    cr_assert_eq(load(p, COMMON + 0x14, 1), 11);
    store(p, COMMON + 0x16, 2, 0);
    store(p, COMMON + 0x18, 2, 4);
    store(p, COMMON + 0x20, 8, RAM);
    store(p, COMMON + 0x28, 8, RAM + 0x1000);
    store(p, COMMON + 0x30, 4, RAM + 0x2000);
    store(p, COMMON + 0x34, 4, 0);
    cr_assert_eq(load(p, COMMON + 0x28, 8), RAM + 0x1000);
    store(p, COMMON + 0x1a, 2, msix ? 3 : 0xffff);
    cr_assert_eq(load(p, COMMON + 0x1a, 2), msix ? 3 : 0xffff);
    store(p, COMMON + 0x1c, 2, 1);
    store(p, COMMON + 0x14, 1, 15);
    memset(p->ram.host, 0, 0x3000);
}

/* A buffer for random bytes. */
static void ask(struct pc *p, uint16_t n)
{
    store(p, RAM, 8, BUFFER);
    store(p, RAM + 8, 4, 16);
    store(p, RAM + 12, 2, 2);
    store(p, RAM + 0x1002, 2, n);
    store(p, NOTIFY, 2, 0);
}

Test(pci, pins_and_isr)
{
    struct pc p;
    begin(&p);
    struct device *d = add(&p, pci_ecam_bus(p.b.device), "virtio-rng-pci", 3 << 3);
    map_bars(&p, 24);
    start(&p, false);
    ask(&p, 1);
    cr_assert(p.b.level[3] && !p.b.level[0], "slot 3: INTA comes out at INTD");
    cr_assert_eq(cfg(&p, 24, PCI_STATUS, 2) & 8, 8);
    set_cfg(&p, 24, PCI_COMMAND, 2, 6 | PCI_COMMAND_NO_INTX);
    cr_assert_not(p.b.level[3]);
    set_cfg(&p, 24, PCI_COMMAND, 2, 6);
    cr_assert(p.b.level[3]);
    cr_assert_eq(load(&p, ISR, 1), 1);
    cr_assert(!p.b.level[3] && load(&p, ISR, 1) == 0);
    set_cfg(&p, 24, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    ask(&p, 2);
    cr_assert_eq(load(&p, RAM + 0x2002, 2), 1, "no master, no memory");
    set_cfg(&p, 24, PCI_COMMAND, 2, 6);
    store(&p, NOTIFY, 2, 0);
    cr_assert_eq(load(&p, RAM + 0x2002, 2), 2);
    take_out(d);
    cr_assert_not(p.b.level[3], "gone with the device");
    finish(&p);
}

static void arm_vector(struct pc *p, unsigned vector, uint32_t data, bool masked)
{
    store(p, BAR_MSIX + 16 * vector, 4, MSI_PORT);
    store(p, BAR_MSIX + 16 * vector + 4, 4, 0);
    store(p, BAR_MSIX + 16 * vector + 8, 4, data);
    store(p, BAR_MSIX + 16 * vector + 12, 4, masked);
}

Test(pci, msix_messages)
{
    struct pc p;
    begin(&p);
    struct device *d = add(&p, pci_ecam_bus(p.b.device), "virtio-rng-pci", 8);
    map_bars(&p, 8);
    unsigned msix = find_cap(&p, 8, PCI_CAP_MSIX, 0);
    cr_assert(msix && cfg(&p, 8, msix + 2, 2) == 9, "ten vectors");
    set_cfg(&p, 8, msix + 2, 2, 0x8000);
    arm_vector(&p, 3, 77, false);
    start(&p, true);
    ask(&p, 1);
    cr_assert(p.messages == 1 && p.message[0] == 77 && !p.b.level[1]);
    store(&p, BAR_MSIX + 16 * 3 + 12, 4, 1);
    ask(&p, 2);
    cr_assert(p.messages == 1 && load(&p, BAR_MSIX + PCI_MSIX_PENDING, 4) == 8, "masked: pending");
    store(&p, BAR_MSIX + 16 * 3 + 12, 4, 0);
    cr_assert(p.messages == 2 && load(&p, BAR_MSIX + PCI_MSIX_PENDING, 4) == 0);
    set_cfg(&p, 8, msix + 2, 2, 0xc000);
    ask(&p, 3);
    cr_assert_eq(p.messages, 2);
    set_cfg(&p, 8, msix + 2, 2, 0x8000);
    cr_assert_eq(p.messages, 3, "no mask over all");
    store(&p, COMMON + 0x1a, 2, 10);
    cr_assert_eq(load(&p, COMMON + 0x1a, 2), 0xffff, "no such vector");
    take_out(d);
    finish(&p);
}

Test(pci, window_through_configuration_space)
{
    struct pc p;
    begin(&p);
    struct device *d = add(&p, pci_ecam_bus(p.b.device), "virtio-rng-pci", 8);
    unsigned at = find_cap(&p, 8, PCI_CAP_VENDOR, 4);
    cr_assert_eq(cfg(&p, 8, at + 3, 1), 5);
    set_cfg(&p, 8, at + 4, 1, 4);
    set_cfg(&p, 8, at + 8, 4, 0x12);
    set_cfg(&p, 8, at + 12, 4, 2);
    cr_assert_eq(cfg(&p, 8, at + 16, 4) & 0xffff, 1, "num_queues");
    set_cfg(&p, 8, at + 8, 4, 0x14);
    set_cfg(&p, 8, at + 12, 4, 1);
    set_cfg(&p, 8, at + 16, 1, 3);
    cr_assert_eq(cfg(&p, 8, at + 16, 1), 3, "device_status");
    take_out(d);
    finish(&p);
}

Test(pci, state_goes_to_another)
{
    struct pc p, q;
    begin(&p);
    begin(&q);
    struct device *d = add(&p, pci_ecam_bus(p.b.device), "virtio-rng-pci", 8),
                  *e = add(&q, pci_ecam_bus(q.b.device), "virtio-rng-pci", 8);
    map_bars(&p, 8);
    start(&p, false);
    ask(&p, 1);
    memcpy(q.ram.host, p.ram.host, RAM_SIZE);
    transfer(d, e);
    cr_assert(q.b.level[1] && load(&q, ISR, 1) == 1 && !q.b.level[1]);
    ask(&q, 2);
    cr_assert(q.b.level[1] && load(&q, RAM + 0x2002, 2) == 2);
    device_reset(e);
    cr_assert_not(q.b.level[1]);
    take_out(d);
    take_out(e);
    finish(&p);
    finish(&q);
}

/* --- a port --- */

Test(pci, hot_plug_behind_a_port)
{
    struct pc p;
    begin(&p);
    struct device *port = add(&p, pci_ecam_bus(p.b.device), "pcie-root-port", 2 << 3);
    struct pci_bus *behind = pci_root_port_bus(port);
    unsigned devfn = 16, express = find_cap(&p, devfn, PCI_CAP_EXPRESS, 0);
    cr_assert_eq(cfg(&p, devfn, PCI_HEADER, 1), 1);
    cr_assert_eq(cfg(&p, devfn, express + 2, 2), 0x0142, "a root port with a slot");
    set_cfg(&p, devfn, PCI_BUSES, 4, 0x020100);
    set_cfg(&p, devfn, express + 0x18, 2, 0x1028);
    cr_assert_eq(rd(&p.b, where(1, 0, 0), 4), UINT32_MAX);
    struct device *d = add(&p, behind, "virtio-rng-pci", -1);
    cr_assert(p.b.level[2], "slot 2's INTA");
    cr_assert_eq(cfg(&p, devfn, express + 0x1a, 2), 0x148, "present; presence and link have changed");
    cr_assert_eq(cfg(&p, devfn, express + 0x12, 2) & 0x2000, 0x2000, "the link is active");
    set_cfg(&p, devfn, express + 0x1a, 2, 0x108);
    cr_assert(!p.b.level[2] && cfg(&p, devfn, express + 0x1a, 2) == 0x40);
    cr_assert_eq(rd(&p.b, where(1, 0, 0), 4), 0x10441af4);
    cr_assert_eq(rd(&p.b, where(1, 8, 0), 4), UINT32_MAX, "one device to a link");
    char *error = pci_plug(behind, d, -1);
    cr_assert_str_eq(error, "device virtio-rng-pci: the PCI bus has no free slot");
    free(error);
    take_out(d);
    cr_assert(p.b.level[2] && cfg(&p, devfn, express + 0x1a, 2) == 0x108);
    take_out(port);
    finish(&p);
}

static void let_go(void *opaque, struct device *d)
{
    ++*(unsigned *)opaque;
    take_out(d);
}

/* Orderly removal, as a guest's driver for the slot does it: PCI Express Base Specification, 6.7.1. */
Test(pci, removal_by_the_button)
{
    enum { SLOT_CONTROL = 0x18, SLOT_STATUS = 0x1a, BUTTON = 1, INTERRUPT = 0x20, POWER_OFF = 0x400 };
    struct pc p;
    unsigned left = 0;
    begin(&p);
    p.b.host.left = let_go;
    p.b.host.opaque = &left;
    struct device *port = add(&p, pci_ecam_bus(p.b.device), "pcie-root-port", 2 << 3);
    unsigned devfn = 16, express = find_cap(&p, devfn, PCI_CAP_EXPRESS, 0);
    cr_assert_eq(cfg(&p, devfn, express + 0x14, 4) & 0x7b, 0x7b, "button, power switch, lights, surprise, hot plug");
    set_cfg(&p, devfn, PCI_BUSES, 4, 0x020100);
    struct device *d = add(&p, pci_root_port_bus(port), "virtio-rng-pci", -1);
    set_cfg(&p, devfn, express + SLOT_STATUS, 2, 0xffff);
    set_cfg(&p, devfn, express + SLOT_CONTROL, 2, BUTTON | INTERRUPT);
    cr_assert_null(pci_eject(d));
    cr_assert(p.b.level[2] && cfg(&p, devfn, express + SLOT_STATUS, 2) & BUTTON && !left, "the guest is asked");
    set_cfg(&p, devfn, express + SLOT_STATUS, 2, BUTTON);
    cr_assert_not(p.b.level[2]);
    char *error = pci_eject(d);
    cr_assert_str_eq(error, "Device virtio-rng-pci is already in the process of unplug");
    free(error);
    cr_assert_eq(rd(&p.b, where(1, 0, 0), 4), 0x10441af4, "it is there until the slot is off");
    wr(&p.b, where(1, 0, PCI_COMMAND), 2, 0);
    cr_assert_eq(left, 0, "a driver that hears the button decides");
    set_cfg(&p, devfn, express + SLOT_CONTROL, 2, BUTTON | INTERRUPT | POWER_OFF);
    cr_assert_eq(left, 1);
    cr_assert_eq(rd(&p.b, where(1, 0, 0), 4), UINT32_MAX);
    /* The next one waits for power. */
    d = add(&p, pci_root_port_bus(port), "virtio-rng-pci", -1);
    cr_assert_eq(rd(&p.b, where(1, 0, 0), 4), UINT32_MAX);
    cr_assert_eq(cfg(&p, devfn, express + 0x12, 2) & 0x2000, 0, "no link");
    set_cfg(&p, devfn, express + SLOT_CONTROL, 2, BUTTON | INTERRUPT);
    cr_assert_eq(rd(&p.b, where(1, 0, 0), 4), 0x10441af4);
    cr_assert_eq(cfg(&p, devfn, express + 0x12, 2) & 0x2000, 0x2000);
    /* A guest without such a driver lets go by ending its use of the device. */
    set_cfg(&p, devfn, express + SLOT_CONTROL, 2, 0);
    wr(&p.b, where(1, 0, PCI_COMMAND), 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    cr_assert_null(pci_eject(d));
    cr_assert_eq(left, 1);
    wr(&p.b, where(1, 0, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
    cr_assert_eq(left, 2);
    d = add(&p, pci_root_port_bus(port), "virtio-rng-pci", -1);
    cr_assert_null(pci_eject(d));
    cr_assert_eq(left, 3, "nobody has touched it");
    d = add(&p, pci_ecam_bus(p.b.device), "virtio-rng-pci", -1);
    error = pci_eject(d);
    cr_assert(error && strstr(error, "does not support hotplugging"));
    free(error);
    take_out(d);
    take_out(port);
    finish(&p);
}

Test(pci, modern_only)
{
    static const char *const wrong[][2] = {{"disable-legacy", "off"}, {"disable-modern", "on"}};
    struct pc p;
    begin(&p);
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct device *d = device_new(device_class_by_name("virtio-rng-pci"), NULL, &p.b.host);
        cr_assert_null(device_set(d, wrong[i][0], wrong[i][1]));
        char *error = device_realize(d);
        cr_assert(error && strstr(error, "modern interface only"));
        free(error);
        device_free(d);
    }
    finish(&p);
}

Test(pci, places_by_name)
{
    static const struct {
        const char *bus, *addr, *error; /* error: a part of it; NULL: it is plugged in */
        bool hot;
        unsigned devfn;
    } rows[] = {
        {NULL, "4", NULL, false, 4 << 3}, {"pcie.0", "1f.7", NULL, false, 0x1f << 3 | 7}, {"port", NULL, NULL, false, 0}, {"port", NULL, NULL, true, 0},
        {NULL, NULL, NULL, true, 0}, {"port", "0.0", NULL, true, 0}, {"pcie.0", NULL, "does not support hotplugging", true, 0},
        {"nowhere", NULL, "Bus 'nowhere' not found", false, 0}, {NULL, "20", "addr is SLOT", false, 0}, {NULL, "4.8", "addr is SLOT", false, 0},
        {NULL, "4.", "addr is SLOT", false, 0}, {NULL, "x", "addr is SLOT", false, 0}, {NULL, "2", "is not free", false, 0}, {"port", "1", "addr is SLOT", false, 0},
    };
    struct pc p;
    begin(&p);
    struct device *port = device_new(device_class_by_name("pcie-root-port"), "port", &p.b.host);
    cr_assert_null(device_realize(port));
    cr_assert_null(pci_plug(pci_ecam_bus(p.b.device), port, 2 << 3));
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct device *d = device_new(device_class_by_name("virtio-rng-pci"), NULL, &p.b.host);
        device_place(d, rows[i].bus, rows[i].addr);
        d->hot = rows[i].hot;
        cr_assert_null(device_realize(d));
        char *error = pci_plug(pci_ecam_bus(p.b.device), d, -1);
        cr_assert(rows[i].error ? error && strstr(error, rows[i].error) : !error, "%u: %s", i, error);
        free(error);
        if (!rows[i].error)
            cr_assert_eq(((struct pci_function *)d)->devfn, rows[i].devfn);
        take_out(d);
    }
    take_out(port);
    finish(&p);
}

/* The first function of a slot says whether there are others. */
Test(pci, several_functions)
{
    struct pc p;
    begin(&p);
    struct device *d[2];
    for (unsigned i = 0; i < 2; i++) {
        d[i] = device_new(device_class_by_name("virtio-rng-pci"), NULL, &p.b.host);
        device_place(d[i], NULL, i ? "5.1" : "5");
        cr_assert_null(device_realize(d[i]));
        cr_assert_null(pci_plug(pci_ecam_bus(p.b.device), d[i], -1));
        cr_assert_eq(((struct pci_function *)d[0])->config[PCI_HEADER], i ? PCI_HEADER_SEVERAL : 0);
    }
    take_out(d[1]);
    cr_assert_eq(((struct pci_function *)d[0])->config[PCI_HEADER], 0);
    take_out(d[0]);
    finish(&p);
}

Test(pci, any_access)
{
    struct pc p;
    uint64_t seed = 42;
    begin(&p);
    struct device *a = add(&p, pci_ecam_bus(p.b.device), "virtio-net-pci", 8),
                  *port = add(&p, pci_ecam_bus(p.b.device), "pcie-root-port", 16);
    struct device *b = add(&p, pci_root_port_bus(port), "virtio-console-pci", -1);
    for (unsigned i = 0; i < 60000; i++) {
        unsigned size = 1u << chance(&seed) % 3, devfn = 8 * (unsigned)(chance(&seed) % 3),
                 bus = (unsigned)(chance(&seed) % 3);
        unsigned offset = chance(&seed) % (chance(&seed) % 8 ? 256 : 4096) & ~(size - 1);
        uint32_t v = (uint32_t)chance(&seed) >> chance(&seed) % 32;
        if (i % 64 == 0)
            set_cfg(&p, 16, PCI_BUSES, 4, 0x010100);
        if (i % 512 == 0)
            map_bars(&p, 8);
        if (chance(&seed) % 2)
            wr(&p.b, where(bus, devfn, offset), size, v);
        else
            rd(&p.b, where(bus, devfn, offset), size);
        uint64_t addr = (chance(&seed) % 4 ? BAR_VIRTIO : BAR_MSIX) + (chance(&seed) % 0x4000 & ~(uint64_t)(size - 1)), got;
        if (chance(&seed) % 2)
            mem_store(&p.b.memory, addr, size, v);
        else
            mem_load(&p.b.memory, addr, size, &got);
    }
    take_out(a);
    take_out(b);
    take_out(port);
    finish(&p);
}
