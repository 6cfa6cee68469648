/*
 * The virtio console (VIRTIO 1.2, section 5.3), one port: queue 0 to the guest, queue 1 from it, and emergency write.
 */
#include "hw/virtio/virtio.h"
#include "softmmu/chardev.h"

enum { TO_GUEST, FROM_GUEST, QUEUES };
enum { EMERG_WR = 8, CONFIG_SIZE = 12 }; /* of struct virtio_console_config */
#define F_EMERG_WRITE (UINT64_C(1) << 2)

struct virtio_console {
    struct virtio virtio;
    struct chardev *chardev;
    uint32_t sent; /* bytes of the first chain from the guest that are out already */
};

static struct virtio_console *console(struct virtio *v) { return (struct virtio_console *)v; }

/* Sends what is available as long as the back end takes it. */
static void send(struct virtio_console *s)
{
    struct virtq *q = &s->virtio.queue[FROM_GUEST];
    for (struct virtq_chain *c; (c = virtq_pop(q));) {
        while (s->sent < c->readable) {
            uint8_t bytes[1024];
            size_t n = c->readable - s->sent < sizeof bytes ? (size_t)(c->readable - s->sent) : sizeof bytes;
            if (!virtq_read(c, s->sent, bytes, n))
                break;
            size_t done = s->chardev ? s->chardev->write(s->chardev, bytes, n) : n;
            s->sent += (uint32_t)done;
            if (done < n) {
                virtq_unpop(c);
                virtq_signal(q);
                return;
            }
        }
        s->sent = 0;
        virtq_push(c, 0);
    }
    virtq_signal(q);
}

static void notify(struct virtio *v, unsigned queue)
{
    struct virtio_console *s = console(v);
    if (queue == FROM_GUEST)
        send(s);
    else if (s->chardev && s->chardev->resume)
        s->chardev->resume(s->chardev);
}

static void started(struct virtio *v)
{
    notify(v, TO_GUEST);
    notify(v, FROM_GUEST);
}

/* --- the back end's side --- */

static size_t front_room(void *opaque)
{
    struct virtio_console *s = opaque;
    struct virtq_chain *c = virtq_pop(&s->virtio.queue[TO_GUEST]);
    if (!c)
        return 0;
    size_t n = c->writable < 4096 ? (size_t)c->writable : 4096;
    virtq_unpop(c);
    return n;
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t n)
{
    struct virtio_console *s = opaque;
    struct virtq *q = &s->virtio.queue[TO_GUEST];
    struct virtq_chain *c = virtq_pop(q);
    if (!c)
        return;
    virtq_push(c, virtq_write(c, 0, bytes, n) ? (uint32_t)n : 0);
    virtq_signal(q);
}

static void front_writable(void *opaque) { send(opaque); }

/* --- life --- */

static void config_written(struct virtio *v, unsigned offset, unsigned n)
{
    struct virtio_console *s = console(v);
    if (offset == EMERG_WR && s->chardev)
        s->chardev->write(s->chardev, &v->config[EMERG_WR], 1);
    memset(v->config + EMERG_WR, 0, CONFIG_SIZE - EMERG_WR);
}

static char *realize(struct device *d)
{
    struct virtio_console *s = (struct virtio_console *)d;
    virtio_realize(d);
    if (s->chardev)
        chardev_connect(s->chardev, &(struct chardev_front){front_room, front_receive, front_writable, NULL, s});
    return NULL;
}

static void unrealize(struct device *d)
{
    struct virtio_console *s = (struct virtio_console *)d;
    if (s->chardev)
        chardev_connect(s->chardev, &(struct chardev_front){0});
}

static void reset(struct device *d)
{
    virtio_reset(d);
    ((struct virtio_console *)d)->sent = 0;
}

static void loaded(struct device *d)
{
    virtio_loaded(d);
    started((struct virtio *)d);
}

static const struct virtio_class kind = {.id = 3,
                                         .nqueues = QUEUES,
                                         .queue_size = 128,
                                         .config_size = CONFIG_SIZE,
                                         .pci_class = 0x078000,
                                         .features = F_EMERG_WRITE,
                                         .notify = notify,
                                         .started = started,
                                         .config_written = config_written};
static const struct device_prop props[] = {
    VIRTIO_PROPS,
    {"chardev", PROP_CHARDEV, offsetof(struct virtio_console, chardev), NULL, "what the console is connected to"},
};
static const struct device_saved saved[] = {VIRTIO_SAVED, DEVICE_SAVED(struct virtio_console, sent)};

const struct device_class device_virtio_console = {
    DEVICE_CLASS,
    .name = "virtio-console-device",
    .doc = "virtio console of one port",
    .bus = BUS_VIRTIO,
    .bus_class = &kind,
    .state_size = sizeof(struct virtio_console),
    .state_version = 1,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
};
