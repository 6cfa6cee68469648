/*
 * A virtio device as its transport and its own code see it (Virtual I/O Device (VIRTIO) version 1.2): status, features,
 * configuration space and queues. Devices without the version 1 interface ("legacy") are not modelled.
 *
 *   transport (virtio-mmio, virtio-pci)  --virtio_…()-->  virtio.c  --struct virtio_class-->  the device's code
 *                                                            ^--------virtq_…()----------------'
 *
 * Whatever the rings hold, the device goes on or is marked as needing a reset; memory that is not there reads as an
 * error.
 */
#ifndef HW_VIRTIO_VIRTIO_H
#define HW_VIRTIO_VIRTIO_H

#include "hw/device.h"

enum { VIRTIO_MAX_QUEUES = 8, VIRTIO_MAX_SIZE = 1024, VIRTIO_MAX_CONFIG = 256 };

/* Bits of the status, section 2.1. */
enum {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128,
};

/* Feature bits of every device, section 6. */
#define VIRTIO_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_EVENT_IDX     (UINT64_C(1) << 29)
#define VIRTIO_VERSION_1     (UINT64_C(1) << 32)
#define VIRTIO_RING_PACKED   (UINT64_C(1) << 34)
#define VIRTIO_RING_RESET    (UINT64_C(1) << 40)

struct virtio;

/* Kinds of device: device_class.bus_class of those on BUS_VIRTIO. */
struct virtio_class {
    uint16_t id; /* section 5 */
    uint16_t nqueues; /* realize() may lower virtio.nqueues */
    uint16_t queue_size;  /* what the device offers at most: a power of two up to VIRTIO_MAX_SIZE */
    uint16_t config_size; /* bytes of struct virtio's config */
    uint32_t pci_class;   /* base class, subclass and interface, for virtio-pci */
    uint64_t features;    /* of its kind; realize() may take some from virtio.offered */
    void (*notify)(struct virtio *v, unsigned queue);
    void (*started)(struct virtio *v); /* DRIVER_OK has been set; may be NULL */
    void (*config_written)(struct virtio *v, unsigned offset, unsigned n); /* NULL: the configuration is read only */
};

/* A queue. What the driver sets comes first; the rest is where the device is. */
struct virtq {
    struct virtq_state {
        uint64_t desc, driver, device; /* addresses of the three parts */
        uint16_t size;
        uint16_t avail;     /* split: index of the next available entry; packed: place of it */
        uint16_t used;      /* the same of the next used entry */
        uint16_t signalled; /* split: `used` at the last interrupt */
        uint8_t enabled;
        uint8_t avail_wrap, used_wrap; /* packed */
        uint8_t signalled_valid;       /* split: `signalled` means something */
    } s;
    struct virtio *v;
    unsigned index;
    uint32_t epoch;    /* resets: what was taken from the queue before one is not given back after it */
    bool pushed;       /* since the last virtq_signal() */
    uint16_t underway; /* chains popped and not pushed */
};

/* Where interrupts go. */
struct virtio_transport {
    void (*queue_used)(void *opaque, unsigned queue);
    void (*config_changed)(void *opaque);
    bool (*may_dma)(void *opaque); /* NULL: always */
    void *opaque;
};

/* A device's own struct begins with it. */
struct virtio {
    struct device device;
    uint64_t offered, features;
    bool packed, event_idx, indirect_desc; /* properties: offered at all */
    uint32_t generation; /* of the configuration */
    uint8_t status, nqueues;
    _Alignas(8) uint8_t config[VIRTIO_MAX_CONFIG]; /* little-endian, as the driver sees it; devices lay structs over it */
    struct virtq queue[VIRTIO_MAX_QUEUES];
    struct virtio_transport transport;
};

static inline const struct virtio_class *virtio_class(const struct virtio *v)
{
    return v->device.class->bus_class;
}

/* Rows of a device's `props` for the above. */
#define VIRTIO_PROPS                                                                                                  \
    {"packed", PROP_BOOL, offsetof(struct virtio, packed), "on", "packed rings are offered"},                          \
        {"event_idx", PROP_BOOL, offsetof(struct virtio, event_idx), "on", "notifications by index are offered"},      \
        {"indirect_desc", PROP_BOOL, offsetof(struct virtio, indirect_desc), "on", "tables of descriptors are offered"}

/* Rows of a device's `saved`. */
#define VIRTIO_SAVED                                                                                                  \
    DEVICE_SAVED(struct virtio, features), DEVICE_SAVED(struct virtio, generation), DEVICE_SAVED(struct virtio, status), \
        DEVICE_SAVED_ARRAY(struct virtio, config), DEVICE_SAVED(struct virtio, queue[0].s),                            \
        DEVICE_SAVED(struct virtio, queue[1].s), DEVICE_SAVED(struct virtio, queue[2].s),                              \
        DEVICE_SAVED(struct virtio, queue[3].s), DEVICE_SAVED(struct virtio, queue[4].s),                              \
        DEVICE_SAVED(struct virtio, queue[5].s), DEVICE_SAVED(struct virtio, queue[6].s),                              \
        DEVICE_SAVED(struct virtio, queue[7].s)

/* --- for devices --- */

/* From realize(), reset() and loaded(), before the device's own part. */
void virtio_realize(struct device *d);
void virtio_reset(struct device *d);
void virtio_loaded(struct device *d);
/* What has been taken from the queues is not given back, whenever it ends. */
void virtio_forget(struct virtio *v);
/* The configuration has changed: the driver is told. */
void virtio_config_changed(struct virtio *v);
/* The driver broke the rules: nothing more happens until it resets the device. `why` goes to the log. */
void virtio_broken(struct virtio *v, const char *why);
/* Is the device started, its queue in use, and is it allowed to touch memory? */
bool virtq_ready(const struct virtq *q);

/* A segment of guest memory. */
struct virtq_segment {
    uint64_t addr;
    uint32_t n; /* bytes */
};

/*
 * A chain of descriptors taken from a queue: the driver's message, then room for the device's. Freed by virtq_push().
 */
struct virtq_chain {
    struct virtq *q;
    uint32_t epoch;
    uint16_t id;   /* split: head; packed: buffer id */
    uint16_t ring; /* packed: descriptors it has in the ring */
    uint64_t readable, writable; /* bytes */
    unsigned nread, nsegments;   /* segments: [0, nread) are read, the others written */
    struct virtq_segment segment[];
};

/* The next chain, or NULL: none, or the device is broken. When none, the driver's next one is announced by notify(). */
struct virtq_chain *virtq_pop(struct virtq *q);
/* Takes a chain back that was popped last: it will be popped again. */
void virtq_unpop(struct virtq_chain *c);
/* Gives the chain back, `written` bytes of its room filled. The driver learns of it with virtq_signal(). */
void virtq_push(struct virtq_chain *c, uint32_t written);
/* Interrupts, if the driver wants it for what has been pushed. */
void virtq_signal(struct virtq *q);
/* Bytes of the driver's message, and into the room. False: less than n there, or memory that cannot be used. */
bool virtq_read(const struct virtq_chain *c, uint64_t from, void *buf, uint64_t n);
bool virtq_write(const struct virtq_chain *c, uint64_t from, const void *buf, uint64_t n);

/* --- for transports --- */

/* What the device has an interrupt for goes there; without, nowhere. */
void virtio_attach(struct virtio *v, const struct virtio_transport *t);
void virtio_set_status(struct virtio *v, uint8_t status);
/* One half of the feature words: 0 or 1; others are zero. */
uint32_t virtio_offered(const struct virtio *v, uint32_t half);
void virtio_accept(struct virtio *v, uint32_t half, uint32_t features);
/* The queue, or NULL: the device has none of this number. */
struct virtq *virtio_queue(struct virtio *v, uint32_t index);
/* Sizes that cannot be are not taken. */
void virtq_set_size(struct virtq *q, uint32_t size);
void virtq_enable(struct virtq *q);
void virtq_disable(struct virtq *q);
/* With VIRTIO_RING_RESET, section 2.6.1: the queue is as after a reset of the device; the others go on. */
void virtq_reset(struct virtq *q);
void virtio_notify(struct virtio *v, uint32_t queue);
uint8_t virtio_config_read(const struct virtio *v, uint32_t offset);
void virtio_config_write(struct virtio *v, uint32_t offset, const uint8_t *bytes, unsigned n);

#endif
