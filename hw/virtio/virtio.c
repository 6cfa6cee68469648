/* Status, features, configuration and notifications of virtio devices: see virtio.h. The rings are in queue.c. */
#include "hw/virtio/virtio.h"

#include "base/log.h"

void virtio_realize(struct device *d)
{
    struct virtio *v = (struct virtio *)d;
    v->offered = virtio_class(v)->features | VIRTIO_VERSION_1 | VIRTIO_RING_RESET |
                 (v->packed ? VIRTIO_RING_PACKED : 0) | (v->event_idx ? VIRTIO_EVENT_IDX : 0) |
                 (v->indirect_desc ? VIRTIO_INDIRECT_DESC : 0);
    v->nqueues = (uint8_t)virtio_class(v)->nqueues;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        v->queue[i].v = v;
        v->queue[i].index = i;
    }
}

static void forget_queue(struct virtq *q)
{
    q->s = (struct virtq_state){.size = virtio_class(q->v)->queue_size};
    q->epoch++;
    q->pushed = false;
    q->underway = 0;
}

void virtq_reset(struct virtq *q)
{
    if (q->v->features & VIRTIO_RING_RESET)
        forget_queue(q);
}

void virtio_forget(struct virtio *v)
{
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        v->queue[i].epoch++;
}

void virtio_reset(struct device *d)
{
    struct virtio *v = (struct virtio *)d;
    v->features = 0;
    v->status = 0;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        forget_queue(&v->queue[i]);
}

/* A saved state may come from anywhere: sizes stay within bounds, positions within sizes. */
void virtio_loaded(struct device *d)
{
    struct virtio *v = (struct virtio *)d;
    v->features &= v->offered;
    virtio_forget(v);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        struct virtq *q = &v->queue[i];
        bool enabled = q->s.enabled;
        uint16_t size = q->s.size;
        q->s.enabled = false;
        q->s.size = virtio_class(v)->queue_size;
        virtq_set_size(q, size);
        q->s.enabled = enabled && i < v->nqueues;
        q->s.avail_wrap &= 1;
        q->s.used_wrap &= 1;
        if (v->features & VIRTIO_RING_PACKED && (q->s.avail >= q->s.size || q->s.used >= q->s.size))
            q->s.avail = q->s.used = 0;
    }
}

void virtio_attach(struct virtio *v, const struct virtio_transport *t)
{
    v->transport = *t;
}

void virtio_config_changed(struct virtio *v)
{
    v->generation++;
    if (v->status & VIRTIO_DRIVER_OK && v->transport.config_changed)
        v->transport.config_changed(v->transport.opaque);
}

void virtio_broken(struct virtio *v, const char *why)
{
    if (log_on(LOG_GUEST_ERROR))
        log_printf("%s: %s; the device needs a reset\n", v->device.class->name, why);
    v->status |= VIRTIO_NEEDS_RESET;
    virtio_config_changed(v);
}

void virtio_set_status(struct virtio *v, uint8_t status)
{
    if (!status) {
        device_reset(&v->device);
        return;
    }
    uint8_t set = status & ~v->status;
    if (set & VIRTIO_FEATURES_OK && (v->features & ~v->offered || !(v->features & VIRTIO_VERSION_1)))
        status &= ~VIRTIO_FEATURES_OK;
    v->status = status | (v->status & VIRTIO_NEEDS_RESET);
    if (set & VIRTIO_DRIVER_OK && virtio_class(v)->started)
        virtio_class(v)->started(v);
}

uint32_t virtio_offered(const struct virtio *v, uint32_t half)
{
    return half < 2 ? (uint32_t)(v->offered >> 32 * half) : 0;
}

void virtio_accept(struct virtio *v, uint32_t half, uint32_t features)
{
    if (half < 2 && !(v->status & VIRTIO_FEATURES_OK))
        v->features = deposit64(v->features, 32 * half, 32, features);
}

struct virtq *virtio_queue(struct virtio *v, uint32_t index)
{
    return index < v->nqueues ? &v->queue[index] : NULL;
}

void virtq_set_size(struct virtq *q, uint32_t size)
{
    bool packed = q->v->features & VIRTIO_RING_PACKED;
    if (!q->s.enabled && size && size <= virtio_class(q->v)->queue_size && (packed || !(size & (size - 1))))
        q->s.size = (uint16_t)size;
}

void virtq_enable(struct virtq *q)
{
    if (q->s.enabled)
        return;
    bool packed = q->v->features & VIRTIO_RING_PACKED;
    if (q->s.desc % 16 || q->s.driver % (packed ? 4 : 2) || q->s.device % 4) {
        virtio_broken(q->v, "a queue's parts are not aligned");
        return;
    }
    q->s.avail = q->s.used = q->s.signalled = 0;
    q->s.signalled_valid = false;
    q->s.avail_wrap = q->s.used_wrap = 1;
    q->s.enabled = true;
}

void virtq_disable(struct virtq *q)
{
    q->s.enabled = false;
}

bool virtq_ready(const struct virtq *q)
{
    const struct virtio *v = q->v;
    return q->s.enabled && (v->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK &&
           (!v->transport.may_dma || v->transport.may_dma(v->transport.opaque));
}

void virtio_notify(struct virtio *v, uint32_t queue)
{
    const struct virtq *q = virtio_queue(v, queue);
    if (q && virtq_ready(q))
        virtio_class(v)->notify(v, queue);
}

uint8_t virtio_config_read(const struct virtio *v, uint32_t offset)
{
    return offset < virtio_class(v)->config_size ? v->config[offset] : 0;
}

void virtio_config_write(struct virtio *v, uint32_t offset, const uint8_t *bytes, unsigned n)
{
    const struct virtio_class *c = virtio_class(v);
    if (!c->config_written || offset >= c->config_size || n > c->config_size - offset)
        return;
    memcpy(v->config + offset, bytes, n);
    c->config_written(v, offset, n);
}
