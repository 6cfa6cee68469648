/*
 * virtio over PCI (VIRTIO 1.2, section 4.1): a function whose capabilities name four structures in one window. The
 * virtio device is the part inside; so every kind is a row at the end of this file.
 */
#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"

enum { COMMON = 0x0000, ISR = 0x1000, CONFIG = 0x2000, NOTIFY = 0x3000, WINDOW_SIZE = 0x4000, NOTIFY_STEP = 4 };
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_PCI = 5 }; /* cfg_type of a capability */
enum { CAP_SIZE = 16, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_EXTRA = 16 };
enum { MSIX, STRUCTURES, WINDOWS };
enum { ISR_USED = 1, ISR_CONFIG = 2, NO_VECTOR = 0xffff };

struct virtio_pci {
    struct pci_function f;
    uint32_t offered_half, accepted_half, vectors;
    bool disable_legacy, disable_modern;
    uint16_t queue, config_vector, queue_vector[VIRTIO_MAX_QUEUES];
    uint8_t isr;
    uint16_t window_cap; /* offset of the capability through which configuration space reaches the window */
};

static struct virtio_pci *vpci(struct device *d) { return (struct virtio_pci *)d; }
static struct virtio *inner(struct device *d) { return (struct virtio *)d->part; }
static struct virtq *selected(struct device *d) { return virtio_queue(inner(d), vpci(d)->queue); }

/* --- interrupts --- */

static void interrupt(struct virtio_pci *s, uint16_t vector, uint8_t cause)
{
    if (pci_msix_on(&s->f)) {
        if (vector != NO_VECTOR)
            pci_msix_send(&s->f, vector);
        return;
    }
    s->isr |= cause;
    pci_set_intx(&s->f, true);
}

static void queue_used(void *opaque, unsigned queue)
{
    struct virtio_pci *s = opaque;
    interrupt(s, s->queue_vector[queue], ISR_USED);
}

static void config_changed(void *opaque)
{
    struct virtio_pci *s = opaque;
    interrupt(s, s->config_vector, ISR_CONFIG);
}

static bool may_dma(void *opaque) { return pci_is_master(&((struct virtio_pci *)opaque)->f); }

/* --- common configuration --- */

static void forget(struct virtio_pci *s)
{
    s->isr = 0;
    pci_set_intx(&s->f, false);
    s->config_vector = NO_VECTOR;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        s->queue_vector[i] = NO_VECTOR;
    s->queue = 0;
}

static uint64_t read_offered(struct device *d, const struct device_reg *r, unsigned index)
{
    return virtio_offered(inner(d), vpci(d)->offered_half);
}

static uint64_t read_accepted(struct device *d, const struct device_reg *r, unsigned index)
{
    return vpci(d)->accepted_half < 2 ? (uint32_t)(inner(d)->features >> 32 * vpci(d)->accepted_half) : 0;
}

static void write_accepted(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    virtio_accept(inner(d), vpci(d)->accepted_half, (uint32_t)value);
}

static uint16_t valid_vector(struct device *d, uint64_t value)
{
    return value < vpci(d)->f.vectors ? (uint16_t)value : NO_VECTOR;
}

static void write_config_vector(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    vpci(d)->config_vector = valid_vector(d, value);
}

static uint64_t read_nqueues(struct device *d, const struct device_reg *r, unsigned index) { return inner(d)->nqueues; }
static uint64_t read_status(struct device *d, const struct device_reg *r, unsigned index) { return inner(d)->status; }
static uint64_t read_generation(struct device *d, const struct device_reg *r, unsigned index)
{
    return inner(d)->generation;
}

static void write_status(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    if (!value)
        forget(vpci(d));
    virtio_set_status(inner(d), (uint8_t)value);
}

static uint64_t read_size(struct device *d, const struct device_reg *r, unsigned index)
{
    return selected(d) ? selected(d)->s.size : 0;
}

static void write_size(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    if (selected(d))
        virtq_set_size(selected(d), (uint32_t)value);
}

static uint64_t read_queue_vector(struct device *d, const struct device_reg *r, unsigned index)
{
    return selected(d) ? vpci(d)->queue_vector[vpci(d)->queue] : NO_VECTOR;
}

static void write_queue_vector(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    if (selected(d))
        vpci(d)->queue_vector[vpci(d)->queue] = valid_vector(d, value);
}

static uint64_t read_enable(struct device *d, const struct device_reg *r, unsigned index)
{
    return selected(d) && selected(d)->s.enabled;
}

static void write_enable(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    if (selected(d) && value == 1)
        virtq_enable(selected(d));
}

/* A reset is done when the write is. */
static uint64_t read_reset(struct device *d, const struct device_reg *r, unsigned index) { return 0; }

static void write_reset(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    if (selected(d) && value == 1)
        virtq_reset(selected(d));
}

static uint64_t read_notify_off(struct device *d, const struct device_reg *r, unsigned index) { return vpci(d)->queue; }

/* The addresses of a queue's three parts follow each other in its state as in the registers. */
static uint64_t *part_address(struct device *d, const struct device_reg *r)
{
    struct virtq *q = selected(d);
    return !q ? NULL : r->offset == 0x20 ? &q->s.desc : r->offset == 0x28 ? &q->s.driver : &q->s.device;
}

static uint64_t read_part(struct device *d, const struct device_reg *r, unsigned half)
{
    const uint64_t *p = part_address(d, r);
    return p ? extract64(*p, 32 * half, 32) : 0;
}

static void write_part(struct device *d, const struct device_reg *r, unsigned half, uint64_t value)
{
    uint64_t *p = part_address(d, r);
    if (p && !selected(d)->s.enabled)
        *p = deposit64(*p, 32 * half, 32, value);
}

/* --- the other structures --- */

static uint64_t read_isr(struct device *d, const struct device_reg *r, unsigned index)
{
    uint8_t isr = vpci(d)->isr;
    vpci(d)->isr = 0;
    pci_set_intx(&vpci(d)->f, false);
    return isr;
}

static uint64_t read_config(struct device *d, const struct device_reg *r, unsigned index)
{
    return virtio_config_read(inner(d), index);
}

static void write_config(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    uint8_t byte = (uint8_t)value;
    virtio_config_write(inner(d), index, &byte, 1);
}

static void write_notify(struct device *d, const struct device_reg *r, unsigned queue, uint64_t value)
{
    virtio_notify(inner(d), queue);
}

#define S(member) DEVICE_STATE(struct virtio_pci, member)
static const struct device_reg regs[] = {
    {.name = "device_feature_select", .offset = 0x00, .size = 4, S(offered_half), .doc = "half of the features offered"},
    {.name = "device_feature", .offset = 0x04, .size = 4, .access = REG_RO, .read = read_offered, .doc = "features offered"},
    {.name = "driver_feature_select", .offset = 0x08, .size = 4, S(accepted_half), .doc = "half of the features accepted"},
    {.name = "driver_feature", .offset = 0x0c, .size = 4, .read = read_accepted, .write = write_accepted, .doc = "features accepted"},
    {.name = "config_msix_vector", .offset = 0x10, .size = 2, S(config_vector), .write = write_config_vector, .reset = NO_VECTOR,
     .doc = "vector for changes of the configuration"},
    {.name = "num_queues", .offset = 0x12, .size = 2, .access = REG_RO, .read = read_nqueues, .doc = "number of queues"},
    {.name = "device_status", .offset = 0x14, .size = 1, .read = read_status, .write = write_status, .doc = "status; 0: reset"},
    {.name = "config_generation", .offset = 0x15, .size = 1, .access = REG_RO, .read = read_generation,
     .doc = "changes with the configuration"},
    {.name = "queue_select", .offset = 0x16, .size = 2, S(queue), .doc = "the queue of the registers below"},
    {.name = "queue_size", .offset = 0x18, .size = 2, .read = read_size, .write = write_size, .doc = "its size"},
    {.name = "queue_msix_vector", .offset = 0x1a, .size = 2, .read = read_queue_vector, .write = write_queue_vector, .doc = "its vector"},
    {.name = "queue_enable", .offset = 0x1c, .size = 2, .read = read_enable, .write = write_enable, .doc = "1: it is in use"},
    {.name = "queue_notify_off", .offset = 0x1e, .size = 2, .access = REG_RO, .read = read_notify_off, .doc = "its place in notify"},
    {.name = "queue_desc", .offset = 0x20, .size = 4, .count = 2, .read = read_part, .write = write_part, .doc = "descriptors' address"},
    {.name = "queue_driver", .offset = 0x28, .size = 4, .count = 2, .read = read_part, .write = write_part,
     .doc = "address of the driver's part"},
    {.name = "queue_device", .offset = 0x30, .size = 4, .count = 2, .read = read_part, .write = write_part,
     .doc = "address of the device's part"},
    {.name = "queue_notify_data", .offset = 0x38, .size = 2, .access = REG_RO, .read = read_notify_off, .doc = "the queue's number"},
    {.name = "queue_reset", .offset = 0x3a, .size = 2, .read = read_reset, .write = write_reset,
     .doc = "written 1: the queue is reset; 0 when that is done"},
    {.name = "isr", .offset = ISR, .size = 1, .access = REG_RO, .read = read_isr,
     .doc = "bit 0: used buffers, bit 1: configuration changed; reading clears it"},
    {.name = "config", .offset = CONFIG, .size = 1, .count = VIRTIO_MAX_CONFIG, .read = read_config, .write = write_config,
     .doc = "the device's configuration"},
    {.name = "notify", .offset = NOTIFY, .size = NOTIFY_STEP, .count = VIRTIO_MAX_QUEUES, .access = REG_WO, .write = write_notify,
     .doc = "a write: look at the queue"},
};
static const struct device_window windows[WINDOWS] = {
    [MSIX] = {.name = "msix", .size = PCI_MSIX_WINDOW, .ops = &pci_msix_ops},
    [STRUCTURES] = {.name = "virtio", .size = WINDOW_SIZE, .regs = regs, .nregs = ARRAY_SIZE(regs)},
};

/* --- capabilities --- */

static unsigned add_cap(struct pci_function *f, uint8_t type, uint32_t offset, uint32_t length, unsigned extra)
{
    unsigned at = pci_add_capability(f, PCI_CAP_VENDOR, CAP_SIZE + extra);
    f->config[at + 2] = (uint8_t)(CAP_SIZE + extra);
    f->config[at + CAP_TYPE] = type;
    f->config[at + CAP_BAR] = 4;
    pci_put(&f->config[at + CAP_OFFSET], offset, 4);
    pci_put(&f->config[at + CAP_LENGTH], length, 4);
    return at;
}

/* The access that the capability describes, when software touches its data; section 4.1.4.9. */
static bool window_access(struct device *d, unsigned offset, unsigned n, uint64_t *at, unsigned *size)
{
    const struct virtio_pci *s = vpci(d);
    const uint8_t *c = &s->f.config[s->window_cap];
    unsigned data = s->window_cap + CAP_EXTRA;
    *at = pci_get(c + CAP_OFFSET, 4);
    *size = pci_get(c + CAP_LENGTH, 4);
    return offset < data + 4 && offset + n > data && c[CAP_BAR] == 4 && (*size == 1 || *size == 2 || *size == 4) &&
           *at % *size == 0 && *at < WINDOW_SIZE;
}

static void config_read(struct device *d, unsigned offset, unsigned n)
{
    uint64_t at, v;
    unsigned size;
    if (window_access(d, offset, n, &at, &size) && mem_io_load(&d->view[STRUCTURES].region, at, size, &v) == MEM_OK)
        pci_put(&vpci(d)->f.config[vpci(d)->window_cap + CAP_EXTRA], (uint32_t)v, size);
}

static void config_written(struct device *d, unsigned offset, unsigned n)
{
    struct virtio_pci *s = vpci(d);
    uint64_t at;
    unsigned size;
    if (window_access(d, offset, n, &at, &size))
        mem_io_store(&d->view[STRUCTURES].region, at, size, pci_get(&s->f.config[s->window_cap + CAP_EXTRA], size));
}

/* --- life --- */

static const struct pci_class kind = {
    .vendor = 0x1af4,
    .id = 0x1040,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .revision = 1,
    .pin = 1,
    .bar = {[MSIX] = {.bar = 1}, [STRUCTURES] = {.bar = 4, .wide = true}},
    .msix_window = MSIX,
    .config_written = config_written,
    .config_read = config_read,
};

static char *realize(struct device *d)
{
    struct virtio_pci *s = vpci(d);
    struct pci_function *f = &s->f;
    const struct virtio_class *v = virtio_class(inner(d));
    if (!s->disable_legacy || s->disable_modern)
        return device_error("device %s has the modern interface only: leave disable-legacy on and disable-modern off",
                            d->class->name);
    if (s->vectors > PCI_MAX_VECTORS)
        return device_error("property vectors of device %s must be at most %d", d->class->name, PCI_MAX_VECTORS);
    pci_realize(d);
    pci_put(&f->config[PCI_VENDOR + 2], kind.id + v->id, 2);
    pci_put(&f->config[PCI_CLASS], kind.revision | v->pci_class << 8, 4);
    if (s->vectors)
        pci_add_msix(f, s->vectors);
    add_cap(f, CAP_COMMON, COMMON, 0x3c, 0);
    pci_put(&f->config[add_cap(f, CAP_NOTIFY, NOTIFY, NOTIFY_STEP * VIRTIO_MAX_QUEUES, 4) + CAP_EXTRA], NOTIFY_STEP, 4);
    add_cap(f, CAP_ISR, ISR, 1, 0);
    add_cap(f, CAP_DEVICE, CONFIG, VIRTIO_MAX_CONFIG, 0);
    s->window_cap = (uint16_t)add_cap(f, CAP_PCI, 0, 0, 4);
    f->writable[s->window_cap + CAP_BAR] = 0xff;
    memset(&f->writable[s->window_cap + CAP_OFFSET], 0xff, 12);
    pci_add_express(f, PCI_EXPRESS_ENDPOINT);
    virtio_attach(inner(d), &(struct virtio_transport){queue_used, config_changed, may_dma, s});
    return NULL;
}

static void reset(struct device *d)
{
    pci_reset(d);
    forget(vpci(d));
}

static void loaded(struct device *d)
{
    struct virtio_pci *s = vpci(d);
    pci_loaded(d);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        s->queue_vector[i] = valid_vector(d, s->queue_vector[i]);
}

static const struct device_prop props[] = {
    {"vectors", PROP_U32, offsetof(struct virtio_pci, vectors), "10", "MSI-X vectors, at most 32; 0: an interrupt pin only"},
    {"disable-legacy", PROP_BOOL, offsetof(struct virtio_pci, disable_legacy), "on", "always: there is no interface from before VIRTIO 1.0"},
    {"disable-modern", PROP_BOOL, offsetof(struct virtio_pci, disable_modern), "off", "never: that is the interface there is"},
};
static const struct device_saved saved[] = {
    PCI_SAVED,
    DEVICE_SAVED_ARRAY(struct virtio_pci, queue_vector),
    DEVICE_SAVED(struct virtio_pci, isr),
};

#define VIRTIO_PCI(kind_name, words)                                                                                   \
    extern const struct device_class device_virtio_##kind_name, device_virtio_##kind_name##_pci;                       \
    const struct device_class device_virtio_##kind_name##_pci = {                                                      \
        DEVICE_CLASS,                                                                                                  \
        .name = "virtio-" #kind_name "-pci",                                                                           \
        .doc = words " on a PCI bus",                                                                                  \
        .bus = BUS_PCI,                                                                                                \
        .bus_class = &kind,                                                                                            \
        .part = &device_virtio_##kind_name,                                                                            \
        .state_size = sizeof(struct virtio_pci),                                                                       \
        .state_version = 1,                                                                                            \
        DEVICE_WINDOWS(windows),                                                                                       \
        DEVICE_PROPS(props),                                                                                           \
        DEVICE_SAVES(saved),                                                                                           \
        .realize = realize,                                                                                            \
        .reset = reset,                                                                                                \
        .loaded = loaded,                                                                                              \
    };

VIRTIO_PCI(9p, "virtio access to a folder of the host")
VIRTIO_PCI(blk, "virtio disk")
VIRTIO_PCI(console, "virtio console of one port")
VIRTIO_PCI(keyboard, "virtio keyboard of one key, the machine's power button,")
VIRTIO_PCI(net, "virtio network interface")
VIRTIO_PCI(rng, "virtio source of random numbers")
