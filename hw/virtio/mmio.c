/* virtio over MMIO, version 2 of its registers (VIRTIO 1.2, section 4.2). An empty slot has device id 0. */
#include "hw/virtio/mmio.h"

enum { INTERRUPT_USED = 1, INTERRUPT_CONFIG = 2 };

struct virtio_mmio {
    struct device device;
    struct virtio *v; /* NULL: the slot is empty */
    uint32_t offered_half, accepted_half, queue, interrupt;
};

static struct virtio_mmio *mmio(struct device *d) { return (struct virtio_mmio *)d; }

static void update_irq(struct device *d)
{
    irq_set(&d->irq[0], mmio(d)->interrupt);
}

static void interrupt(struct virtio_mmio *s, uint32_t cause)
{
    s->interrupt |= cause;
    update_irq(&s->device);
}

static void queue_used(void *opaque, unsigned queue) { interrupt(opaque, INTERRUPT_USED); }
static void config_changed(void *opaque) { interrupt(opaque, INTERRUPT_CONFIG); }

void virtio_mmio_plug(struct device *slot, struct virtio *v)
{
    struct virtio_mmio *s = mmio(slot);
    if (s->v)
        virtio_attach(s->v, &(struct virtio_transport){0});
    s->v = v;
    if (v)
        virtio_attach(v, &(struct virtio_transport){.queue_used = queue_used,
                                                    .config_changed = config_changed,
                                                    .opaque = s});
}

struct virtio *virtio_mmio_device(struct device *slot)
{
    return mmio(slot)->v;
}

/* The selected queue; NULL: there is none, or it is in use and what belongs to it cannot be set. */
static struct virtq *selected(const struct virtio_mmio *s)
{
    return s->v ? virtio_queue(s->v, s->queue) : NULL;
}

static struct virtq *settable(const struct virtio_mmio *s)
{
    struct virtq *q = selected(s);
    return q && !q->s.enabled ? q : NULL;
}

static uint64_t read_id(struct device *d, const struct device_reg *r, unsigned index)
{
    return mmio(d)->v ? virtio_class(mmio(d)->v)->id : 0;
}

static uint64_t read_offered(struct device *d, const struct device_reg *r, unsigned index)
{
    return mmio(d)->v ? virtio_offered(mmio(d)->v, mmio(d)->offered_half) : 0;
}

static void write_accepted(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    if (mmio(d)->v)
        virtio_accept(mmio(d)->v, mmio(d)->accepted_half, (uint32_t)value);
}

static uint64_t read_queue_max(struct device *d, const struct device_reg *r, unsigned index)
{
    return selected(mmio(d)) ? virtio_class(mmio(d)->v)->queue_size : 0;
}

static void write_queue_size(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    if (selected(mmio(d)))
        virtq_set_size(selected(mmio(d)), (uint32_t)value);
}

static uint64_t read_ready(struct device *d, const struct device_reg *r, unsigned index)
{
    return selected(mmio(d)) && selected(mmio(d))->s.enabled;
}

static void write_ready(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct virtq *q = selected(mmio(d));
    if (q && value & 1)
        virtq_enable(q);
    else if (q)
        virtq_disable(q);
}

/* A reset is done when the write is. */
static uint64_t read_reset(struct device *d, const struct device_reg *r, unsigned index) { return 0; }

static void write_reset(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct virtq *q = selected(mmio(d));
    if (q && value == 1)
        virtq_reset(q);
}

static void write_notify(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    if (mmio(d)->v)
        virtio_notify(mmio(d)->v, (uint32_t)value);
}

static void write_ack(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    mmio(d)->interrupt &= ~(uint32_t)value;
    update_irq(d);
}

static uint64_t read_status(struct device *d, const struct device_reg *r, unsigned index)
{
    return mmio(d)->v ? mmio(d)->v->status : 0;
}

static void write_status(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct virtio_mmio *s = mmio(d);
    if (!s->v)
        return;
    if (!(value & 0xff)) {
        s->interrupt = 0;
        update_irq(d);
    }
    virtio_set_status(s->v, (uint8_t)value);
}

/* Halves of the addresses of the queue's three parts. */
static void write_half(uint64_t *addr, unsigned half, uint64_t value)
{
    *addr = deposit64(*addr, 32 * half, 32, value);
}

static void write_desc(struct device *d, const struct device_reg *r, unsigned half, uint64_t value)
{
    if (settable(mmio(d)))
        write_half(&selected(mmio(d))->s.desc, half, value);
}

static void write_driver(struct device *d, const struct device_reg *r, unsigned half, uint64_t value)
{
    if (settable(mmio(d)))
        write_half(&selected(mmio(d))->s.driver, half, value);
}

static void write_device(struct device *d, const struct device_reg *r, unsigned half, uint64_t value)
{
    if (settable(mmio(d)))
        write_half(&selected(mmio(d))->s.device, half, value);
}

static uint64_t read_no_shm(struct device *d, const struct device_reg *r, unsigned index)
{
    return UINT32_MAX; /* 4.2.2: no such region of shared memory */
}

static uint64_t read_generation(struct device *d, const struct device_reg *r, unsigned index)
{
    return mmio(d)->v ? mmio(d)->v->generation : 0;
}

static uint64_t read_config(struct device *d, const struct device_reg *r, unsigned index)
{
    return mmio(d)->v ? virtio_config_read(mmio(d)->v, index) : 0;
}

static void write_config(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    uint8_t byte = (uint8_t)value;
    if (mmio(d)->v)
        virtio_config_write(mmio(d)->v, index, &byte, 1);
}

static uint64_t read_magic(struct device *d, const struct device_reg *r, unsigned index)
{
    return 0x74726976; /* "virt" */
}
static uint64_t read_version(struct device *d, const struct device_reg *r, unsigned index) { return 2; }
static uint64_t read_vendor(struct device *d, const struct device_reg *r, unsigned index)
{
    return 0x4354454d; /* "METC" */
}

#define S(member) DEVICE_STATE(struct virtio_mmio, member)
static const struct device_reg regs[] = {
    {.name = "magic", .offset = 0x00, .size = 4, .access = REG_RO, .read = read_magic, .doc = "\"virt\""},
    {.name = "version", .offset = 0x04, .size = 4, .access = REG_RO, .read = read_version, .doc = "of these registers: 2"},
    {.name = "device_id", .offset = 0x08, .size = 4, .access = REG_RO, .read = read_id, .doc = "kind of device; 0: none"},
    {.name = "vendor_id", .offset = 0x0c, .size = 4, .access = REG_RO, .read = read_vendor, .doc = "who made it"},
    {.name = "device_features", .offset = 0x10, .size = 4, .access = REG_RO, .read = read_offered,
     .doc = "features offered, the selected half"},
    {.name = "device_features_sel", .offset = 0x14, .size = 4, .access = REG_WO, S(offered_half), .doc = "selects the half above"},
    {.name = "driver_features", .offset = 0x20, .size = 4, .access = REG_WO, .write = write_accepted,
     .doc = "features accepted, the selected half"},
    {.name = "driver_features_sel", .offset = 0x24, .size = 4, .access = REG_WO, S(accepted_half), .doc = "selects the half above"},
    {.name = "queue_sel", .offset = 0x30, .size = 4, .access = REG_WO, S(queue), .doc = "the queue of the queue registers"},
    {.name = "queue_num_max", .offset = 0x34, .size = 4, .access = REG_RO, .read = read_queue_max, .doc = "its largest size"},
    {.name = "queue_num", .offset = 0x38, .size = 4, .access = REG_WO, .write = write_queue_size, .doc = "its size"},
    {.name = "queue_ready", .offset = 0x44, .size = 4, .read = read_ready, .write = write_ready, .doc = "1: it is in use"},
    {.name = "queue_notify", .offset = 0x50, .size = 4, .access = REG_WO, .write = write_notify, .doc = "number of a queue to look at"},
    {.name = "interrupt_status", .offset = 0x60, .size = 4, .access = REG_RO, S(interrupt),
     .doc = "bit 0: used buffers, bit 1: configuration changed"},
    {.name = "interrupt_ack", .offset = 0x64, .size = 4, .access = REG_WO, .write = write_ack, .doc = "bits to clear in the above"},
    {.name = "status", .offset = 0x70, .size = 4, .read = read_status, .write = write_status, .doc = "device status; 0: reset"},
    {.name = "queue_desc", .offset = 0x80, .size = 4, .count = 2, .access = REG_WO, .write = write_desc, .doc = "descriptors' address"},
    {.name = "queue_driver", .offset = 0x90, .size = 4, .count = 2, .access = REG_WO, .write = write_driver,
     .doc = "address of the driver's part"},
    {.name = "queue_device", .offset = 0xa0, .size = 4, .count = 2, .access = REG_WO, .write = write_device,
     .doc = "address of the device's part"},
    {.name = "shm", .offset = 0xb0, .size = 4, .count = 4, .access = REG_RO, .read = read_no_shm, .doc = "shared memory: none"},
    {.name = "queue_reset", .offset = 0xc0, .size = 4, .read = read_reset, .write = write_reset,
     .doc = "written 1: the queue is reset; 0 when that is done"},
    {.name = "config_generation", .offset = 0xfc, .size = 4, .access = REG_RO, .read = read_generation,
     .doc = "changes with the configuration"},
    {.name = "config", .offset = 0x100, .size = 1, .count = VIRTIO_MAX_CONFIG, .read = read_config, .write = write_config,
     .doc = "the device's configuration"},
};
#undef S
static const struct device_window windows[] = {
    {.name = "virtio-mmio", .size = 0x1000, .regs = regs, .nregs = ARRAY_SIZE(regs)}};
static const char *const irqs[] = {"interrupt"};

const struct device_class device_virtio_mmio = {
    DEVICE_CLASS,
    .name = "virtio-mmio",
    .doc = "slot for a virtio device, reached by registers in memory",
    .state_size = sizeof(struct virtio_mmio),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_IRQS(irqs),
    .reset = update_irq,
    .loaded = update_irq,
    .only_board = true,
};
