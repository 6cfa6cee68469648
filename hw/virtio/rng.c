/* The virtio entropy device (VIRTIO 1.2, section 5.4): fills buffers with the host's random bytes. */
#include <sys/random.h>

#include "hw/virtio/virtio.h"

enum { PART = 256 }; /* getrandom() gives as many at once, whatever happens */

struct virtio_rng {
    struct virtio virtio;
    char *rng;
};

static void notify(struct virtio *v, unsigned queue)
{
    struct virtq *q = &v->queue[0];
    for (struct virtq_chain *c; (c = virtq_pop(q));) {
        uint8_t bytes[PART];
        uint32_t n = c->writable < PART ? (uint32_t)c->writable : PART;
        ssize_t got = getrandom(bytes, n, 0);
        bool ok = got > 0 && virtq_write(c, 0, bytes, (uint64_t)got);
        virtq_push(c, ok ? (uint32_t)got : 0);
    }
    virtq_signal(q);
}

static char *realize(struct device *d)
{
    virtio_realize(d);
    return NULL;
}

/* What the driver asked for meanwhile. */
static void started(struct virtio *v) { virtio_notify(v, 0); }

static const struct virtio_class kind = {
    .id = 4, .nqueues = 1, .queue_size = 64, .pci_class = 0xff0000, .notify = notify, .started = started};
static const struct device_prop props[] = {
    VIRTIO_PROPS,
    {"rng", PROP_STRING, offsetof(struct virtio_rng, rng), NULL, "accepted, the id of an -object: the numbers are the host's in any case"},
};
static const struct device_saved saved[] = {VIRTIO_SAVED};

const struct device_class device_virtio_rng = {
    DEVICE_CLASS,
    .name = "virtio-rng-device",
    .doc = "virtio source of random numbers",
    .bus = BUS_VIRTIO,
    .bus_class = &kind,
    .state_size = sizeof(struct virtio_rng),
    .state_version = 1,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .reset = virtio_reset,
    .loaded = virtio_loaded,
};
