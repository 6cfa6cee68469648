/*
 * The virtio 9P transport (VIRTIO 1.2 reserves device id 9 for it; Linux, include/uapi/linux/virtio_9p.h): one queue of
 * 9P messages, and the tag by which the guest mounts the folder.
 */
#include <stdlib.h>

#include "hw/virtio/virtio.h"
#include "softmmu/p9.h"

enum { MAX_TAG = VIRTIO_MAX_CONFIG - 2 };
#define F_MOUNT_TAG UINT64_C(1)

struct virtio_9p {
    struct virtio virtio;
    char *path, *tag;
    bool read_only;
    struct p9 *server;
    uint8_t *message, *answer; /* P9_MAX_MESSAGE each */
};

static struct virtio_9p *p9(struct virtio *v) { return (struct virtio_9p *)v; }

static uint64_t at_most(uint64_t n) { return n < P9_MAX_MESSAGE ? n : P9_MAX_MESSAGE; }

static void notify(struct virtio *v, unsigned queue)
{
    struct virtio_9p *s = p9(v);
    struct virtq *q = &v->queue[0];
    for (struct virtq_chain *c; (c = virtq_pop(q));) {
        uint64_t in = at_most(c->readable);
        size_t n =
            virtq_read(c, 0, s->message, in) ? p9_serve(s->server, s->message, in, s->answer, at_most(c->writable)) : 0;
        if (!n || !virtq_write(c, 0, s->answer, n)) {
            virtq_push(c, 0);
            virtio_broken(v, "a 9P message is none, or has no room for the answer");
            break;
        }
        virtq_push(c, (uint32_t)n);
    }
    virtq_signal(q);
}

static void started(struct virtio *v) { virtio_notify(v, 0); }

static void fill_config(struct virtio_9p *s)
{
    uint16_t n = (uint16_t)strlen(s->tag);
    memcpy(s->virtio.config, &n, 2);
    memcpy(s->virtio.config + 2, s->tag, n);
}

static char *realize(struct device *d)
{
    struct virtio_9p *s = (struct virtio_9p *)d;
    char *error = NULL;
    if (!s->path || !s->tag || !*s->tag || strlen(s->tag) > MAX_TAG)
        return device_error("device %s wants path=FOLDER and mount_tag=NAME", d->class->name);
    if (!(s->server = p9_new(s->path, s->read_only, &error)))
        return error;
    s->message = malloc(P9_MAX_MESSAGE);
    s->answer = malloc(P9_MAX_MESSAGE);
    if (!s->message || !s->answer) {
        p9_free(s->server);
        free(s->message);
        free(s->answer);
        return device_error("device %s: out of memory", d->class->name);
    }
    virtio_realize(d);
    fill_config(s);
    return NULL;
}

static void unrealize(struct device *d)
{
    struct virtio_9p *s = (struct virtio_9p *)d;
    p9_free(s->server);
    free(s->message);
    free(s->answer);
}

static void reset(struct device *d)
{
    virtio_reset(d);
    p9_reset(p9((struct virtio *)d)->server);
}

/* Open files are the host's: after loading, the guest's numbers are unknown until it mounts again. */
static void loaded(struct device *d)
{
    virtio_loaded(d);
    fill_config((struct virtio_9p *)d);
    started((struct virtio *)d);
}

static const struct virtio_class kind = {
    .id = 9,
    .nqueues = 1,
    .queue_size = 128,
    .config_size = VIRTIO_MAX_CONFIG,
    .pci_class = 0x018000,
    .features = F_MOUNT_TAG,
    .notify = notify,
    .started = started,
};
static const struct device_prop props[] = {
    VIRTIO_PROPS,
    {"path", PROP_STRING, offsetof(struct virtio_9p, path), NULL, "the folder of the host"},
    {"mount_tag", PROP_STRING, offsetof(struct virtio_9p, tag), NULL, "the name by which the guest mounts it"},
    {"readonly", PROP_BOOL, offsetof(struct virtio_9p, read_only), "off", "nothing in it can be changed"},
};
static const struct device_saved saved[] = {VIRTIO_SAVED};

const struct device_class device_virtio_9p = {
    DEVICE_CLASS,
    .name = "virtio-9p-device",
    .doc = "virtio access to a folder of the host",
    .bus = BUS_VIRTIO,
    .bus_class = &kind,
    .state_size = sizeof(struct virtio_9p),
    .state_version = 1,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
};
