/*
 * A virtio input device (VIRTIO 1.2, section 5.8) with the keys that a machine without a display has a use for: the
 * power button, which guests know as KEY_POWER of Linux's input events. Queue 0 carries events to the guest, queue 1
 * the state of lamps, of which there are none.
 */
#include "hw/virtio/virtio.h"

#include <endian.h>
#include <linux/input-event-codes.h>
#include <linux/virtio_input.h>

enum { EVENTS, STATUS, QUEUES };
enum { BUS_OF_VIRTIO = 6 }; /* BUS_VIRTUAL of <linux/input.h> */

static const char name[] = "metic power button";
static const uint16_t keys[] = {KEY_POWER};

struct virtio_keyboard {
    struct virtio virtio;
};

static struct virtio_input_config *config_of(struct virtio *v) { return (struct virtio_input_config *)v->config; }

/* Bits of the keys; returns the bytes that have some. */
static uint8_t key_bits(uint8_t *bits)
{
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        bits[keys[i] / 8] |= (uint8_t)(1u << keys[i] % 8);
        n = keys[i] / 8 + 1u > n ? keys[i] / 8 + 1u : n;
    }
    return (uint8_t)n;
}

/* Shows what the driver has selected, section 5.8.4; what the device does not have has the size 0. */
static void config_written(struct virtio *v, unsigned offset, unsigned n)
{
    struct virtio_input_config *c = config_of(v);
    struct virtio_input_config shown = {.select = c->select, .subsel = c->subsel};
    if (c->select == VIRTIO_INPUT_CFG_ID_NAME && !c->subsel) {
        shown.size = sizeof name - 1;
        memcpy(shown.u.string, name, sizeof name - 1);
    } else if (c->select == VIRTIO_INPUT_CFG_ID_DEVIDS && !c->subsel) {
        shown.size = sizeof shown.u.ids;
        shown.u.ids = (struct virtio_input_devids){.bustype = htole16(BUS_OF_VIRTIO),
                                                   .product = htole16(1),
                                                   .version = htole16(1)};
    } else if (c->select == VIRTIO_INPUT_CFG_EV_BITS && c->subsel == EV_KEY) {
        shown.size = key_bits(shown.u.bitmap);
    }
    *c = shown;
}

/* One event; false: the driver has given no room for it, and it is lost, as a key that nobody looks at. */
static bool send(struct virtio *v, uint16_t type, uint16_t code, uint32_t value)
{
    struct virtio_input_event e = {htole16(type), htole16(code), htole32(value)};
    struct virtq_chain *c = virtq_pop(&v->queue[EVENTS]);
    if (c)
        virtq_push(c, virtq_write(c, 0, &e, sizeof e) ? sizeof e : 0);
    return c;
}

/* A key goes down or up. */
static void key(struct virtio *v, uint16_t code, bool down)
{
    if (send(v, EV_KEY, code, down))
        send(v, EV_SYN, SYN_REPORT, 0);
}

static void powerdown(struct device *d)
{
    struct virtio *v = (struct virtio *)d;
    key(v, KEY_POWER, true);
    key(v, KEY_POWER, false);
    virtq_signal(&v->queue[EVENTS]);
}

static void notify(struct virtio *v, unsigned queue)
{
    if (queue != STATUS)
        return;
    for (struct virtq_chain *c; (c = virtq_pop(&v->queue[STATUS]));)
        virtq_push(c, 0);
    virtq_signal(&v->queue[STATUS]);
}

static char *realize(struct device *d)
{
    virtio_realize(d);
    return NULL;
}

static void started(struct virtio *v) { notify(v, STATUS); }

static const struct virtio_class kind = {.id = 18,
                                         .nqueues = QUEUES,
                                         .queue_size = 64,
                                         .config_size = sizeof(struct virtio_input_config),
                                         .pci_class = 0x090000,
                                         .notify = notify,
                                         .started = started,
                                         .config_written = config_written};
static const struct device_prop props[] = {VIRTIO_PROPS};
static const struct device_saved saved[] = {VIRTIO_SAVED};

const struct device_class device_virtio_keyboard = {
    DEVICE_CLASS,
    .name = "virtio-keyboard-device",
    .doc = "virtio keyboard of one key, the machine's power button",
    .bus = BUS_VIRTIO,
    .bus_class = &kind,
    .state_size = sizeof(struct virtio_keyboard),
    .state_version = 1,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .reset = virtio_reset,
    .loaded = virtio_loaded,
    .powerdown = powerdown,
};
