/*
 * The virtio network device (VIRTIO 1.2, section 5.1): one pair of queues, mergeable receive buffers, link status, and
 * the control queue's receive filters. The guest may leave checksums to the device; and, where the other end is in this
 * process, it may send TCP segments of any size and need not check what it gets.
 */
#include "hw/virtio/virtio.h"

#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>

#include "softmmu/net.h"

enum { RX, TX, CONTROL, QUEUES };
enum { MAC = 6, MAX_FILTERS = 64 };
#define F(name) (UINT64_C(1) << VIRTIO_NET_F_##name)

typedef uint8_t mac_address[MAC];

struct virtio_net {
    struct virtio virtio;
    struct net *netdev;
    char *mac_text;
    mac_address own_mac; /* as the property says */
    /* receive filters */
    uint8_t promiscuous, all_multicast;
    uint32_t nfilters;
    mac_address filter[MAX_FILTERS];
};

static struct virtio_net *net(struct virtio *v) { return (struct virtio_net *)v; }

/* --- from the guest --- */

/*
 * The checksum of the bytes from h->csum_start on, which a transport protocol wants at csum_offset behind; section
 * 5.1.6.2.1. The field holds that of the pseudo header. False: it does not lie in the frame.
 */
static bool complete_checksum(const struct virtio_net_hdr_v1 *h, uint8_t *frame, uint64_t n)
{
    uint64_t at = (uint64_t)h->csum_start + h->csum_offset, sum = 0;
    if (h->csum_start >= n || at + 2 > n)
        return false;
    for (uint64_t i = h->csum_start; i < n; i++)
        sum += (i - h->csum_start) & 1 ? frame[i] : (uint64_t)frame[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = sum == 0xffff ? sum : ~sum & 0xffff; /* 0 means "none" to UDP */
    frame[at] = (uint8_t)(sum >> 8);
    frame[at + 1] = (uint8_t)sum;
    return true;
}

/* Is the frame as its header says, and one that may be sent? */
static bool prepare(const struct virtio_net *s, const struct virtio_net_hdr_v1 *h, uint8_t *frame, uint64_t n)
{
    bool large = h->gso_type != VIRTIO_NET_HDR_GSO_NONE;
    if (large && !(s->virtio.features & (F(HOST_TSO4) | F(HOST_TSO6))))
        return false;
    return !(s->virtio.features & F(CSUM)) || !(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
           complete_checksum(h, frame, n);
}

static void transmit(struct virtio_net *s)
{
    static const size_t head = sizeof(struct virtio_net_hdr_v1);
    struct virtio_net_hdr_v1 h;
    struct virtq *q = &s->virtio.queue[TX];
    uint8_t frame[2048];
    for (struct virtq_chain *c; (c = virtq_pop(q)); virtq_push(c, 0)) {
        uint64_t n = c->readable > head ? c->readable - head : 0;
        if (!n || n > NET_MAX_FRAME)
            continue;
        uint8_t *buf = n > sizeof frame ? malloc(n) : frame;
        if (buf && virtq_read(c, 0, &h, head) && virtq_read(c, head, buf, n) && s->netdev && prepare(s, &h, buf, n))
            net_send(s->netdev, buf, n);
        if (buf != frame)
            free(buf);
    }
    virtq_signal(q);
}

/* --- to the guest --- */

static bool wanted(const struct virtio_net *s, const uint8_t *frame, size_t n)
{
    static const mac_address broadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (s->promiscuous || n < MAC || !memcmp(frame, broadcast, MAC) || !memcmp(frame, s->virtio.config, MAC))
        return true;
    if (frame[0] & 1 && s->all_multicast)
        return true;
    for (uint32_t i = 0; i < s->nfilters; i++)
        if (!memcmp(frame, s->filter[i], MAC))
            return true;
    return false;
}

static bool front_ready(void *opaque)
{
    struct virtio_net *s = opaque;
    struct virtq_chain *c = virtq_pop(&s->virtio.queue[RX]);
    if (c)
        virtq_unpop(c);
    return c;
}

/* A frame goes into one buffer, or into as many as it takes when the driver has accepted that. */
static void front_receive(void *opaque, const uint8_t *frame, size_t n)
{
    enum { MOST = 64 };
    struct virtio_net *s = opaque;
    struct virtq *q = &s->virtio.queue[RX];
    struct virtio_net_hdr_v1 h = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    bool merge = s->virtio.features & F(MRG_RXBUF);
    if (s->virtio.features & F(GUEST_CSUM))
        h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
    struct virtq_chain *chain[MOST];
    unsigned used = 0;
    uint64_t room = 0, whole = n + sizeof h;
    if (!wanted(s, frame, n))
        return;
    while (room < whole && used < (merge ? MOST : 1) && (chain[used] = virtq_pop(q)))
        room += chain[used++]->writable;
    if (room < whole) { /* lost, but the buffers are not */
        while (used)
            virtq_unpop(chain[--used]);
        return;
    }
    h.num_buffers = (uint16_t)used;
    uint64_t done = 0; /* of header and frame together */
    for (unsigned i = 0; i < used; i++) {
        uint64_t part = chain[i]->writable < whole - done ? chain[i]->writable : whole - done, at = 0;
        bool ok = true;
        if (done < sizeof h) {
            at = sizeof h - done < part ? sizeof h - done : part;
            ok = virtq_write(chain[i], 0, (const uint8_t *)&h + done, at);
        }
        if (ok && part > at)
            virtq_write(chain[i], at, frame + (done + at - sizeof h), part - at);
        virtq_push(chain[i], (uint32_t)part);
        done += part;
    }
    virtq_signal(q);
}

/* --- control queue, section 5.1.6.5 --- */

static bool set_flag(const struct virtq_chain *c, uint8_t *flag)
{
    uint8_t on;
    if (!virtq_read(c, sizeof(struct virtio_net_ctrl_hdr), &on, 1))
        return false;
    *flag = on != 0;
    return true;
}

/* Two lists of addresses, each behind their number: unicast and multicast. More than we keep: everything is let in. */
static bool set_filters(struct virtio_net *s, const struct virtq_chain *c)
{
    uint64_t at = sizeof(struct virtio_net_ctrl_hdr);
    s->nfilters = 0;
    for (unsigned list = 0; list < 2; list++) {
        uint32_t n;
        if (!virtq_read(c, at, &n, sizeof n) || n > (c->readable - at) / MAC)
            return false;
        at += sizeof n;
        if (n > MAX_FILTERS - s->nfilters) {
            s->promiscuous = true;
        } else if (!virtq_read(c, at, s->filter[s->nfilters], (uint64_t)n * MAC)) {
            return false;
        } else {
            s->nfilters += n;
        }
        at += (uint64_t)n * MAC;
    }
    return true;
}

static bool command(struct virtio_net *s, const struct virtq_chain *c)
{
    struct virtio_net_ctrl_hdr h;
    if (!virtq_read(c, 0, &h, sizeof h))
        return false;
    switch (h.class << 8 | h.cmd) {
    case VIRTIO_NET_CTRL_RX << 8 | VIRTIO_NET_CTRL_RX_PROMISC: return set_flag(c, &s->promiscuous);
    case VIRTIO_NET_CTRL_RX << 8 | VIRTIO_NET_CTRL_RX_ALLMULTI: return set_flag(c, &s->all_multicast);
    case VIRTIO_NET_CTRL_MAC << 8 | VIRTIO_NET_CTRL_MAC_TABLE_SET: return set_filters(s, c);
    case VIRTIO_NET_CTRL_MAC << 8 | VIRTIO_NET_CTRL_MAC_ADDR_SET:
        return virtq_read(c, sizeof h, s->virtio.config, MAC);
    }
    return false;
}

static void control(struct virtio_net *s)
{
    struct virtq *q = &s->virtio.queue[CONTROL];
    for (struct virtq_chain *c; (c = virtq_pop(q));) {
        uint8_t ack = command(s, c) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
        virtq_push(c, virtq_write(c, 0, &ack, 1));
    }
    virtq_signal(q);
}

static void notify(struct virtio *v, unsigned queue)
{
    struct virtio_net *s = net(v);
    if (queue == TX)
        transmit(s);
    else if (queue == CONTROL)
        control(s);
    else if (s->netdev)
        net_resume(s->netdev);
}

static void started(struct virtio *v)
{
    for (unsigned i = 0; i < QUEUES; i++)
        virtio_notify(v, i);
}

/* --- life --- */

static void fill_config(struct virtio_net *s)
{
    bool up = !s->netdev || !s->netdev->unplugged;
    struct virtio_net_config c = {.status = up ? VIRTIO_NET_S_LINK_UP : 0, .max_virtqueue_pairs = 1};
    memcpy(c.mac, s->own_mac, MAC);
    memcpy(s->virtio.config, &c, offsetof(struct virtio_net_config, mtu));
}

static void link_changed(void *opaque, bool up)
{
    struct virtio_net *s = opaque;
    ((struct virtio_net_config *)s->virtio.config)->status = up ? VIRTIO_NET_S_LINK_UP : 0;
    virtio_config_changed(&s->virtio);
}

static char *realize(struct device *d)
{
    struct virtio_net *s = (struct virtio_net *)d;
    uint8_t *m = s->own_mac;
    char rest;
    if (sscanf(s->mac_text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &rest) !=
            MAC ||
        m[0] & 1)
        return device_error("property mac of device %s wants six bytes as 52:54:00:12:34:56, not '%s'", d->class->name,
                            s->mac_text);
    virtio_realize(d);
    fill_config(s);
    if (s->netdev && s->netdev->local)
        s->virtio.offered |= F(GUEST_CSUM) | F(HOST_TSO4) | F(HOST_TSO6);
    if (s->netdev)
        net_connect(s->netdev, &(struct net_front){front_ready, front_receive, s, link_changed});
    return NULL;
}

static void unrealize(struct device *d)
{
    struct virtio_net *s = (struct virtio_net *)d;
    if (s->netdev)
        net_connect(s->netdev, &(struct net_front){0});
}

static void reset(struct device *d)
{
    struct virtio_net *s = (struct virtio_net *)d;
    virtio_reset(d);
    s->promiscuous = true; /* until the driver says what it wants, which it can with the control queue only */
    s->all_multicast = false;
    s->nfilters = 0;
    fill_config(s);
}

static void loaded(struct device *d)
{
    struct virtio_net *s = (struct virtio_net *)d;
    virtio_loaded(d);
    if (s->nfilters > MAX_FILTERS)
        s->nfilters = 0;
    started(&s->virtio);
}

static const struct virtio_class kind = {
    .id = 1,
    .nqueues = QUEUES,
    .queue_size = 256,
    .config_size = offsetof(struct virtio_net_config, mtu),
    .pci_class = 0x020000,
    .features = F(MAC) | F(STATUS) | F(MRG_RXBUF) | F(CSUM) | F(CTRL_VQ) | F(CTRL_RX) | F(CTRL_MAC_ADDR),
    .notify = notify,
    .started = started,
};
static const struct device_prop props[] = {
    VIRTIO_PROPS,
    {"netdev", PROP_NETDEV, offsetof(struct virtio_net, netdev), NULL, "the network it is connected to"},
    {"mac", PROP_STRING, offsetof(struct virtio_net, mac_text), "52:54:00:12:34:56", "its address"},
};
static const struct device_saved saved[] = {
    VIRTIO_SAVED,
    DEVICE_SAVED(struct virtio_net, promiscuous),
    DEVICE_SAVED(struct virtio_net, all_multicast),
    DEVICE_SAVED(struct virtio_net, nfilters),
    DEVICE_SAVED(struct virtio_net, filter),
};

const struct device_class device_virtio_net = {
    DEVICE_CLASS,
    .name = "virtio-net-device",
    .doc = "virtio network interface",
    .bus = BUS_VIRTIO,
    .bus_class = &kind,
    .state_size = sizeof(struct virtio_net),
    .state_version = 1,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
};
