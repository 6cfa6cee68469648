/*
 * The guest behind the user's own sockets, by libslirp: it finds a network 10.0.2.0/24 with DHCP, a router at .2 and a
 * name server at .3; ports of the host lead into it by `hostfwd`.
 *
 * libslirp's state has a lock of its own, for its descriptors are asked for outside of the machine's lock.
 */
#include <arpa/inet.h>
#include <libslirp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "softmmu/block.h"
#include "softmmu/net.h"

struct net_user {
    struct net net;
    GMainContext *context;
    Slirp *slirp;
    pthread_mutex_t lock;
    struct source {
        GSource source;
        struct net_user *user;
    } *source;
    GArray *polled; /* struct polled */
    guint npolled;  /* as many of them are wanted this time */
};

struct polled {
    int fd;
    GIOCondition events;
    gpointer tag;
};

/* --- in the main loop --- */

static int to_glib(int slirp)
{
    return (slirp & SLIRP_POLL_IN ? G_IO_IN : 0) | (slirp & SLIRP_POLL_OUT ? G_IO_OUT : 0) |
           (slirp & SLIRP_POLL_PRI ? G_IO_PRI : 0) | (slirp & SLIRP_POLL_ERR ? G_IO_ERR : 0) |
           (slirp & SLIRP_POLL_HUP ? G_IO_HUP : 0);
}

static int from_glib(int glib)
{
    return (glib & G_IO_IN ? SLIRP_POLL_IN : 0) | (glib & G_IO_OUT ? SLIRP_POLL_OUT : 0) |
           (glib & G_IO_PRI ? SLIRP_POLL_PRI : 0) | (glib & G_IO_ERR ? SLIRP_POLL_ERR : 0) |
           (glib & G_IO_HUP ? SLIRP_POLL_HUP : 0);
}

/* What was polled last time stays as it is: every change wakes the loop that is about to sleep. */
static int add_poll(int fd, int events, void *opaque)
{
    struct net_user *s = opaque;
    struct polled p = {.fd = fd, .events = (GIOCondition)to_glib(events)};
    struct polled *old = s->npolled < s->polled->len ? &g_array_index(s->polled, struct polled, s->npolled) : NULL;
    if (!old || old->fd != fd || old->events != p.events) {
        if (old)
            g_source_remove_unix_fd(&s->source->source, old->tag);
        p.tag = g_source_add_unix_fd(&s->source->source, fd, p.events);
        if (old)
            *old = p;
        else
            g_array_append_val(s->polled, p);
    }
    return (int)s->npolled++;
}

static int get_revents(int index, void *opaque)
{
    struct net_user *s = opaque;
    if (index < 0 || (guint)index >= s->polled->len)
        return 0;
    return from_glib(
        (int)g_source_query_unix_fd(&s->source->source, g_array_index(s->polled, struct polled, index).tag));
}

/* Those from the n-th on are not polled any more. */
static void forget_polled(struct net_user *s, guint n)
{
    for (guint i = n; i < s->polled->len; i++)
        g_source_remove_unix_fd(&s->source->source, g_array_index(s->polled, struct polled, i).tag);
    g_array_set_size(s->polled, n);
}

static gboolean prepare(GSource *source, gint *timeout)
{
    struct net_user *s = ((struct source *)source)->user;
    uint32_t ms = 1000;
    s->npolled = 0;
    pthread_mutex_lock(&s->lock);
    slirp_pollfds_fill(s->slirp, &ms, add_poll, s);
    pthread_mutex_unlock(&s->lock);
    forget_polled(s, s->npolled);
    *timeout = (gint)ms;
    return FALSE;
}

/* libslirp's own timeouts are looked at whenever the loop wakes. */
static gboolean check(GSource *source) { return TRUE; }

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer opaque)
{
    struct net_user *s = ((struct source *)source)->user;
    pthread_mutex_lock(&s->lock);
    slirp_pollfds_poll(s->slirp, 0, get_revents, s);
    pthread_mutex_unlock(&s->lock);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_functions = {.prepare = prepare, .check = check, .dispatch = dispatch};

/* --- what libslirp asks for --- */

static ssize_t send_packet(const void *buf, size_t n, void *opaque)
{
    net_deliver(opaque, buf, n);
    return (ssize_t)n;
}

static void guest_error(const char *text, void *opaque)
{
    if (log_on(LOG_GUEST_ERROR))
        log_printf("netdev user: %s\n", text);
}

static int64_t clock_ns(void *opaque) { return g_get_monotonic_time() * 1000; }

struct user_timer {
    GSource *source;
    SlirpTimerCb call;
    void *opaque;
};

static gboolean ring(gpointer opaque)
{
    struct user_timer *t = opaque;
    g_source_set_ready_time(t->source, -1);
    t->call(t->opaque);
    return G_SOURCE_CONTINUE;
}

static gboolean run(GSource *source, GSourceFunc callback, gpointer opaque) { return callback(opaque); }
static GSourceFuncs timer_functions = {.dispatch = run};

static void *timer_make(SlirpTimerCb call, void *call_opaque, void *opaque)
{
    struct user_timer *t = g_new0(struct user_timer, 1);
    t->call = call;
    t->opaque = call_opaque;
    t->source = g_source_new(&timer_functions, sizeof(GSource));
    g_source_set_callback(t->source, ring, t, NULL);
    g_source_attach(t->source, ((struct net_user *)opaque)->context);
    return t;
}

static void timer_drop(void *timer, void *opaque)
{
    struct user_timer *t = timer;
    g_source_destroy(t->source);
    g_source_unref(t->source);
    g_free(t);
}

static void timer_at(void *timer, int64_t ms, void *opaque)
{
    g_source_set_ready_time(((struct user_timer *)timer)->source, ms * 1000);
}

static void poll_fd(int fd, void *opaque) { }
static void wake(void *opaque) { g_main_context_wakeup(((struct net_user *)opaque)->context); }

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_ns,
    .timer_new = timer_make,
    .timer_free = timer_drop,
    .timer_mod = timer_at,
    .register_poll_fd = poll_fd,
    .unregister_poll_fd = poll_fd,
    .notify = wake,
};

/* --- the device's side --- */

static void user_send(struct net *n, const uint8_t *frame, size_t size)
{
    struct net_user *s = (struct net_user *)n;
    pthread_mutex_lock(&s->lock);
    slirp_input(s->slirp, frame, (int)size);
    pthread_mutex_unlock(&s->lock);
    wake(s); /* its descriptors may be others now */
}

static void user_close(struct net *n)
{
    struct net_user *s = (struct net_user *)n;
    if (s->source) {
        forget_polled(s, 0);
        g_source_destroy(&s->source->source);
        g_source_unref(&s->source->source);
    }
    if (s->slirp)
        slirp_cleanup(s->slirp);
    g_array_free(s->polled, TRUE);
    pthread_mutex_destroy(&s->lock);
    g_free(s);
}

/* --- options --- */

/* An address of the network, by default the n-th; false: it is none. */
static bool address(struct options *o, const char *key, const SlirpConfig *c, uint32_t n, struct in_addr *out)
{
    const char *text = options_get(o, key);
    out->s_addr = c->vnetwork.s_addr | htonl(n);
    return !text || inet_pton(AF_INET, text, out) == 1;
}

static bool network(struct options *o, SlirpConfig *c)
{
    const char *text = options_get(o, "net");
    char host[32];
    unsigned bits = 24;
    if (!text)
        text = "10.0.2.0/24";
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    if (n >= sizeof host)
        return false;
    memcpy(host, text, n);
    host[n] = 0;
    if (slash) {
        char *end;
        bits = (unsigned)strtoul(slash + 1, &end, 10);
        if (*end || end == slash + 1 || bits < 8 || bits > 28)
            return false;
    }
    c->vnetmask.s_addr = htonl(~UINT32_C(0) << (32 - bits));
    if (inet_pton(AF_INET, host, &c->vnetwork) != 1)
        return false;
    c->vnetwork.s_addr &= c->vnetmask.s_addr;
    return true;
}

/* Takes `text` up to the separator; NULL: it is not there. */
static const char *field(const char *text, char separator, char *out, size_t room)
{
    const char *end = strchr(text, separator);
    if (!end || (size_t)(end - text) >= room)
        return NULL;
    memcpy(out, text, (size_t)(end - text));
    out[end - text] = 0;
    return end + 1;
}

static bool port(const char *text, int *out)
{
    char *end;
    long v = strtol(text, &end, 10);
    *out = (int)v;
    return *text && !*end && v >= 0 && v <= 65535;
}

/* [tcp|udp]:[address]:port-[guest]:port */
static char *forward(struct net_user *s, const SlirpConfig *c, const char *rule)
{
    char protocol[8], host[64], host_port[8], guest[64];
    struct in_addr from = {htonl(INADDR_ANY)}, to = c->vdhcp_start;
    int from_port, to_port;
    const char *p = field(rule, ':', protocol, sizeof protocol);
    p = p ? field(p, ':', host, sizeof host) : NULL;
    p = p ? field(p, '-', host_port, sizeof host_port) : NULL;
    p = p ? field(p, ':', guest, sizeof guest) : NULL;
    bool udp = p && !strcmp(protocol, "udp");
    if (!p || (!udp && *protocol && strcmp(protocol, "tcp")) || (*host && inet_pton(AF_INET, host, &from) != 1) ||
        !port(host_port, &from_port) || (*guest && inet_pton(AF_INET, guest, &to) != 1) || !port(p, &to_port) ||
        !to_port)
        return block_error("netdev user: hostfwd wants [tcp|udp]:[ADDRESS]:PORT-[GUEST]:PORT, not '%s'", rule);
    if (slirp_add_hostfwd(s->slirp, udp, from, from_port, to, to_port))
        return block_error("netdev user: cannot listen for hostfwd=%s; is the port in use?", rule);
    return NULL;
}

char *net_user_open(struct options *o, GMainContext *context, struct net **out)
{
    bool restricted, ipv6;
    SlirpConfig c = {.version = 4, .in_enabled = true, .vprefix_len = 64, .vhostname = options_get(o, "hostname")};
    if (!network(o, &c) || !address(o, "host", &c, 2, &c.vhost) || !address(o, "dns", &c, 3, &c.vnameserver) ||
        !address(o, "dhcpstart", &c, 15, &c.vdhcp_start))
        return block_error("netdev user: net wants A.B.C.D/BITS; host, dns and dhcpstart addresses of it");
    if (!options_bool(o, "restrict", false, &restricted) || !options_bool(o, "ipv6", true, &ipv6))
        return block_error("netdev user: restrict and ipv6 want on or off");
    c.restricted = restricted;
    c.in6_enabled = ipv6;
    inet_pton(AF_INET6, "fec0::", &c.vprefix_addr6);
    inet_pton(AF_INET6, "fec0::2", &c.vhost6);
    inet_pton(AF_INET6, "fec0::3", &c.vnameserver6);
    struct net_user *s = g_new0(struct net_user, 1);
    s->net.send = user_send;
    s->net.local = true;
    s->net.close = user_close;
    s->context = context;
    s->polled = g_array_new(FALSE, FALSE, sizeof(struct polled));
    pthread_mutex_init(&s->lock, NULL);
    s->slirp = slirp_new(&c, &callbacks, s);
    char *line = s->slirp ? NULL : block_error("netdev user: libslirp does not take these options");
    const char *rule;
    for (unsigned i = 0; !line && (rule = options_nth(o, "hostfwd", i)); i++)
        line = forward(s, &c, rule);
    if (line) {
        user_close(&s->net);
        return line;
    }
    s->source = (struct source *)g_source_new(&source_functions, sizeof *s->source);
    g_source_set_can_recurse(&s->source->source, TRUE); /* else its descriptors are taken out and put back each time, too */
    s->source->user = s;
    g_source_attach(&s->source->source, context);
    *out = &s->net;
    return NULL;
}
