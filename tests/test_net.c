/* The virtio network device and what it is connected to: user networking, sockets, tap. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "softmmu/net.h"
#include "tests/virtio-driver.h"

enum { HEAD = sizeof(struct virtio_net_hdr_v1), RXBUF = BUFFERS + 0x20000 };
#define F(name) (UINT64_C(1) << VIRTIO_NET_F_##name)

static struct net *try_open(const char *text, char **line)
{
    struct net *n = NULL;
    struct options o;
    *line = options_parse(&o, text, "type");
    cr_assert_null(*line);
    *line = net_open(&o, NULL, &n);
    options_free(&o);
    return *line ? NULL : n;
}

static struct net *must_open(const char *text)
{
    char *line;
    struct net *n = try_open(text, &line);
    cr_assert_null(line, "%s", line);
    return n;
}

/* A wire that keeps the last frame. */
struct wire {
    struct net net;
    uint8_t frame[4096];
    size_t n;
    unsigned sent;
};

static void wire_send(struct net *n, const uint8_t *frame, size_t size)
{
    struct wire *w = (struct wire *)n;
    memcpy(w->frame, frame, size < sizeof w->frame ? size : sizeof w->frame);
    w->n = size;
    w->sent++;
}

static void plug(struct driver *d, struct net *n)
{
    driver_begin(d, "virtio-net-device");
    device_set_backend(d->device, "netdev", n);
    driver_plug(d);
}

static void plug_wire(struct driver *d, struct wire *w)
{
    memset(w, 0, sizeof *w);
    w->net.send = wire_send;
    w->net.last = &w->net.first;
    plug(d, &w->net);
}

static void frame_to(uint8_t *frame, size_t n, const uint8_t *mac)
{
    for (size_t i = 0; i < n; i++)
        frame[i] = (uint8_t)i;
    memcpy(frame, mac, 6);
}

static const uint8_t own[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56}, other[] = {2, 0, 0, 0, 0, 9},
                     group[] = {1, 0, 0x5e, 0, 0, 1};
static const uint64_t layouts[] = {0, VIRTIO_RING_PACKED, VIRTIO_EVENT_IDX | VIRTIO_INDIRECT_DESC};

Test(net, frames_both_ways)
{
    for (unsigned l = 0; l < ARRAY_SIZE(layouts); l++) {
        struct wire w;
        struct driver d;
        uint32_t written;
        uint8_t frame[1514];
        plug_wire(&d, &w);
        for (unsigned i = 0; i < 6; i++)
            cr_assert_eq(rd(&d.b, V_CONFIG + i, 1), own[i]);
        cr_assert_eq(rd(&d.b, V_CONFIG + 6, 2), VIRTIO_NET_S_LINK_UP);
        cr_assert(driver_start(&d, layouts[l] | F(MAC) | F(STATUS), 16));
        frame_to(ram(&d, BUFFERS + HEAD), 1514, other);
        struct part out[] = {{BUFFERS, HEAD + 14, false}, {BUFFERS + HEAD + 14, 1500, false}};
        driver_send(&d, 1, out, 2, false);
        cr_assert(w.sent == 1 && w.n == 1514 && !memcmp(w.frame, ram(&d, BUFFERS + HEAD), 1514));

        frame_to(frame, sizeof frame, own);
        net_deliver(&w.net, frame, 1514);
        net_deliver(&w.net, frame, 60);
        cr_assert_eq(w.net.nqueued, 2, "they wait");
        struct part in[] = {{RXBUF, HEAD, true}, {RXBUF + 0x100, 1514, true}};
        driver_add(&d, 0, in, 2, false);
        driver_notify(&d, 0);
        cr_assert(driver_used(&d, 0, 2, &written) && written == HEAD + 1514);
        cr_assert_eq(memcmp(ram(&d, RXBUF + 0x100), frame, 1514), 0);
        const struct virtio_net_hdr_v1 *h = ram(&d, RXBUF);
        cr_assert_eq(h->num_buffers, 1);
        driver_add(&d, 0, in, 2, false);
        driver_notify(&d, 0);
        cr_assert(driver_used(&d, 0, 2, &written) && written == HEAD + 60);
        cr_assert_eq(w.net.nqueued, 0);
        driver_end(&d);
        cr_assert_null(w.net.front.receive);
    }
}

/*
 * What the guest leaves to the device: a checksum, which is right then, and large segments where the other end takes
 * them.
 */
Test(net, offloads_as_negotiated)
{
    static const uint64_t local = F(GUEST_CSUM) | F(HOST_TSO4) | F(HOST_TSO6);
    for (unsigned round = 0; round < 3; round++) { /* nothing accepted, a checksum, everything */
        struct wire w;
        struct driver d;
        driver_begin(&d, "virtio-net-device");
        memset(&w, 0, sizeof w);
        w.net.send = wire_send;
        w.net.last = &w.net.first;
        w.net.local = round == 2;
        device_set_backend(d.device, "netdev", &w.net);
        driver_plug(&d);
        uint64_t offered = ((struct virtio *)d.device)->offered;
        cr_assert(offered & F(CSUM) && (offered & local) == (round == 2 ? local : 0));
        cr_assert(driver_start(&d, round ? F(CSUM) | (round == 2 ? local : 0) : 0, 16));
        struct virtio_net_hdr_v1 h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
        uint8_t *frame = ram(&d, BUFFERS + HEAD);
        for (unsigned n = 60; n < 64; n++) {
            frame_to(frame, n, other);
            memset(frame + 40, 0, 2);
            memcpy(ram(&d, BUFFERS), &h, sizeof h);
            driver_send(&d, 1, (struct part[]){{BUFFERS, HEAD + n, false}}, 1, false);
            uint32_t sum = 0;
            for (unsigned i = 34; i < n; i++)
                sum += (i & 1 ? 1u : 256u) * w.frame[i];
            cr_assert_eq((sum % 0xffff == 0), round > 0, "over all of it the sum is zero");
        }
        unsigned sent = w.sent;
        h.csum_start = 59;
        memcpy(ram(&d, BUFFERS), &h, sizeof h);
        driver_send(&d, 1, (struct part[]){{BUFFERS, HEAD + 60, false}}, 1, false);
        cr_assert_eq(w.sent, round ? sent : sent + 1, "a place that is not in the frame");
        sent = w.sent;
        h = (struct virtio_net_hdr_v1){.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000, .hdr_len = 54};
        memcpy(ram(&d, BUFFERS), &h, sizeof h);
        driver_send(&d, 1, (struct part[]){{BUFFERS, HEAD + 9000, false}}, 1, false);
        cr_assert_eq(w.sent, sent + (round == 2));
        frame_to(frame, 60, own);
        net_deliver(&w.net, frame, 60);
        driver_add(&d, 0, (struct part[]){{RXBUF, 2000, true}}, 1, false);
        driver_notify(&d, 0);
        cr_assert_eq(((struct virtio_net_hdr_v1 *)ram(&d, RXBUF))->flags, round == 2 ? VIRTIO_NET_HDR_F_DATA_VALID : 0);
        driver_end(&d);
    }
}

Test(net, mergeable_buffers)
{
    for (unsigned l = 0; l < 2; l++) {
        struct wire w;
        struct driver d;
        uint32_t written;
        uint8_t frame[1000];
        plug_wire(&d, &w);
        driver_start(&d, layouts[l] | F(MRG_RXBUF), 16);
        frame_to(frame, sizeof frame, own);
        /* buffers of 400 bytes in a row of descriptors */
        for (unsigned i = 0; i < 3; i++) {
            struct part in = {RXBUF, 400, true};
            driver_add(&d, 0, &in, 1, false);
        }
        if (layouts[l] & VIRTIO_RING_PACKED) {
            for (unsigned i = 0; i < 3; i++) {
                uint64_t addr = RXBUF + 400 * i;
                memcpy(ram(&d, d.queue[0].desc + 16 * i), &addr, 8);
            }
        } else {
            for (uint16_t i = 0; i < 3; i++) {
                write_desc_at(&d, d.queue[0].desc, i, RXBUF + 400 * i, 400, 2, 0);
                memcpy((uint8_t *)ram(&d, d.queue[0].driver) + 4 + 2 * i, &i, 2);
            }
        }
        net_deliver(&w.net, frame, 1000);
        for (unsigned i = 0; i < 3; i++)
            cr_assert(driver_used(&d, 0, 1, &written) && written == (i < 2 ? 400 : 1000 + HEAD - 800));
        cr_assert_eq(memcmp(ram(&d, RXBUF + HEAD), frame, 1000), 0);
        cr_assert_eq(((struct virtio_net_hdr_v1 *)ram(&d, RXBUF))->num_buffers, 3);
        driver_end(&d);
    }
}

static uint8_t control(struct driver *d, uint8_t class, uint8_t cmd, const void *data, unsigned n)
{
    uint8_t *p = ram(d, BUFFERS);
    p[0] = class;
    p[1] = cmd;
    memcpy(p + 2, data, n);
    struct part parts[] = {{BUFFERS, 2, false}, {BUFFERS + 2, n, false}, {BUFFERS + 0x1000, 1, true}};
    cr_assert_eq(driver_send(d, 2, parts, 3, false), 1);
    return *(uint8_t *)ram(d, BUFFERS + 0x1000);
}

static bool arrives(struct driver *d, struct wire *w, const uint8_t *mac)
{
    uint8_t frame[64];
    uint32_t written;
    struct part in = {RXBUF, 256, true};
    frame_to(frame, sizeof frame, mac);
    static bool added;
    if (!added)
        driver_add(d, 0, &in, 1, false);
    net_deliver(&w->net, frame, sizeof frame);
    bool got = driver_used(d, 0, 1, &written);
    added = !got;
    return got;
}

Test(net, receive_filters)
{
    struct wire w;
    struct driver d;
    plug_wire(&d, &w);
    driver_start(&d, F(CTRL_VQ) | F(CTRL_RX), 16);
    cr_assert(arrives(&d, &w, other), "everything, until the driver asks for less");
    cr_assert_eq(control(&d, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "\0", 1), VIRTIO_NET_OK);
    cr_assert(!arrives(&d, &w, other) && arrives(&d, &w, own) && !arrives(&d, &w, group));
    uint8_t table[] = {1, 0, 0, 0, 2, 0, 0, 0, 0, 9, 1, 0, 0, 0, 1, 0, 0x5e, 0, 0, 1};
    cr_assert_eq(control(&d, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof table), VIRTIO_NET_OK);
    cr_assert(arrives(&d, &w, other) && arrives(&d, &w, group));
    table[0] = 200;
    cr_assert_eq(control(&d, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof table), VIRTIO_NET_ERR);
    cr_assert_eq(control(&d, 77, 0, table, 1), VIRTIO_NET_ERR);
    driver_end(&d);
}

Test(net, state_goes_to_another)
{
    struct wire w, w2;
    struct driver d, d2;
    plug_wire(&d, &w);
    plug_wire(&d2, &w2);
    driver_start(&d, F(CTRL_VQ) | F(CTRL_RX), 16);
    control(&d, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "\0", 1);
    memcpy(d2.ram.host, d.ram.host, RAM_SIZE);
    transfer(d.b.device, d2.b.device);
    transfer(d.device, d2.device);
    memcpy(d2.queue, d.queue, sizeof d.queue);
    d2.features = d.features;
    cr_assert(!arrives(&d2, &w2, other) && arrives(&d2, &w2, own));
    driver_end(&d);
    driver_end(&d2);
}

/* --- the host's side --- */

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        for (unsigned turns_ = 0; !(condition) && turns_ < 5000; turns_++) {                                           \
            g_main_context_iteration(NULL, FALSE);                                                                     \
            usleep(1000);                                                                                              \
        }                                                                                                              \
        cr_assert(condition);                                                                                          \
    } while (0)

struct station {
    uint8_t frame[2048];
    size_t n;
    unsigned got;
};

static bool station_ready(void *opaque) { return true; }
static void station_receive(void *opaque, const uint8_t *frame, size_t n)
{
    struct station *s = opaque;
    memcpy(s->frame, frame, n < sizeof s->frame ? n : sizeof s->frame);
    s->n = n;
    s->got++;
}

static void listen_to(struct net *n, struct station *s)
{
    *s = (struct station){.n = 0};
    net_connect(n, &(struct net_front){station_ready, station_receive, s});
}

Test(net, any_ring)
{
    struct wire w;
    struct driver d;
    struct station s;
    uint8_t frame[1514];
    frame_to(frame, sizeof frame, own);
    plug_wire(&d, &w);
    for (unsigned i = 0; i < 200; i++) {
        driver_fuzz(&d, 1, i + 5);
        net_deliver(&w.net, frame, 14 + i * 7);
    }
    cr_assert(w.net.nqueued <= NET_QUEUE);
    driver_end(&d);
    listen_to(&w.net, &s);
    net_resume(&w.net);
    cr_assert_eq(w.net.nqueued, 0);
}

Test(netdev, mistakes)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"bridge", "a netdev is one of user, tap and socket, not 'bridge'"},
        {"user,speed=9", "netdev user has no option speed"},
        {"user,hostfwd=tcp::22", "netdev user: hostfwd wants [tcp|udp]:[ADDRESS]:PORT-[GUEST]:PORT, not 'tcp::22'"},
        {"user,net=10.0.2.0/64", "netdev user: net wants A.B.C.D/BITS; host, dns and dhcpstart addresses of it"},
        {"socket", "netdev socket wants listen=[HOST]:PORT or connect=HOST:PORT"},
        {"tap,ifname=a-name-that-is-too-long", "netdev tap: interface name a-name-that-is-too-long is too long"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        char *line;
        cr_assert_null(try_open(cases[i].text, &line));
        cr_assert_str_eq(line, cases[i].line);
        free(line);
    }
}

static void put16(uint8_t *p, unsigned v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }

static unsigned sum16(const uint8_t *p, unsigned n, unsigned sum)
{
    for (unsigned i = 0; i < n; i += 2)
        sum += (unsigned)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* An ARP question of the guest's for the router. */
static void ask_router(struct net *n)
{
    uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    memcpy(arp + 6, own, 6);
    put16(arp + 12, 0x0806);
    memcpy(arp + 14, "\0\1\x08\0\6\4\0\1", 8);
    memcpy(arp + 22, own, 6);
    memcpy(arp + 28, "\x0a\0\2\x0f", 4);
    memcpy(arp + 38, "\x0a\0\2\2", 4);
    n->send(n, arp, sizeof arp);
}

static gboolean again(gpointer opaque) { return G_SOURCE_CONTINUE; }

Test(netdev, user_answers_arp_and_forwards_ports)
{
    /* a port of the host's that is free */
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    cr_assert(!bind(probe, (void *)&a, sizeof a) && !getsockname(probe, (void *)&a, &len));
    close(probe);
    char text[128];
    snprintf(text, sizeof text, "user,hostfwd=tcp:127.0.0.1:%u-:22,ipv6=off", ntohs(a.sin_port));
    struct station s;
    struct net *n = must_open(text);
    listen_to(n, &s);
    ask_router(n);
    UNTIL(s.got);
    cr_assert(s.frame[12] == 8 && s.frame[13] == 6 && s.frame[21] == 2, "an ARP answer");
    cr_assert_eq(memcmp(s.frame + 28, "\x0a\0\2\2", 4), 0);
    uint8_t router[6];
    memcpy(router, s.frame + 6, 6);

    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    cr_assert(!connect(client, (void *)&a, sizeof a) || errno == EINPROGRESS);
    UNTIL(s.frame[12] == 8 && s.frame[13] == 0 && s.frame[23] == 6 && s.frame[47] & 2);
    cr_assert_eq(memcmp(s.frame + 30, "\x0a\0\2\x0f", 4), 0, "a SYN to the guest");
    cr_assert_eq(s.frame[36] << 8 | s.frame[37], 22);

    /* the guest refuses: a reset goes back, and the host's connection ends */
    uint8_t rst[54] = {0};
    memcpy(rst, router, 6);
    memcpy(rst + 6, own, 6);
    put16(rst + 12, 0x0800);
    rst[14] = 0x45;
    put16(rst + 16, 40);
    rst[22] = 64;
    rst[23] = 6;
    memcpy(rst + 26, s.frame + 30, 4);
    memcpy(rst + 30, s.frame + 26, 4);
    put16(rst + 24, ~sum16(rst + 14, 20, 0) & 0xffff);
    memcpy(rst + 34, s.frame + 36, 2);
    memcpy(rst + 36, s.frame + 34, 2);
    uint32_t sequence;
    memcpy(&sequence, s.frame + 38, 4);
    sequence = htonl(ntohl(sequence) + 1);
    memcpy(rst + 42, &sequence, 4);
    rst[46] = 0x50;
    rst[47] = 0x14;
    put16(rst + 50, ~sum16(rst + 34, 20, sum16(rst + 26, 8, 6 + 20)) & 0xffff);
    n->send(n, rst, sizeof rst);
    uint8_t byte;
    ssize_t k = 1;
    UNTIL((k = recv(client, &byte, 1, 0)) == 0 || (k < 0 && errno != EAGAIN));
    close(client);
    /* nothing is going on: the loop sleeps */
    unsigned turns = 0;
    guint tick = g_timeout_add(50, again, NULL);
    for (gint64 end = g_get_monotonic_time() + 300000; g_get_monotonic_time() < end; turns++)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(tick);
    cr_assert(turns < 40, "%u turns", turns);
    net_connect(n, &(struct net_front){0});
    net_close(n);
}

Test(netdev, sockets_carry_frames)
{
    struct station a, b;
    uint8_t frame[1514];
    char text[64];
    struct net *server = NULL;
    unsigned port;
    for (port = 20000 + (unsigned)getpid() % 20000; !server && port < 60000; port++) {
        char *line;
        snprintf(text, sizeof text, "socket,listen=127.0.0.1:%u", port);
        server = try_open(text, &line);
        free(line);
    }
    snprintf(text, sizeof text, "socket,connect=127.0.0.1:%u", port - 1);
    struct net *client = must_open(text);
    listen_to(server, &a);
    listen_to(client, &b);
    frame_to(frame, sizeof frame, other);
    client->send(client, frame, 60);
    UNTIL(a.got == 1);
    cr_assert(a.n == 60 && !memcmp(a.frame, frame, 60));
    for (unsigned i = 0; i < 100; i++)
        server->send(server, frame, 1514);
    UNTIL(b.got == 100);
    cr_assert_eq(memcmp(b.frame, frame, 1514), 0);
    net_close(client);
    for (unsigned i = 0; i < 20; i++)
        g_main_context_iteration(NULL, FALSE);
    client = must_open(text);
    client->send(client, frame, 61);
    UNTIL(a.got == 2 && a.n == 61);
    net_close(client);
    net_close(server);
}

/* Where the host allows it: in a network of the test's own. */
Test(netdev, tap)
{
    char *line;
    struct net *n = unshare(CLONE_NEWUSER | CLONE_NEWNET) ? NULL : try_open("tap,ifname=metic0", &line);
    if (!n)
        cr_skip_test("no tap interfaces here");
    uint8_t frame[60] = {0};
    n->send(n, frame, sizeof frame);
    net_close(n);
}
