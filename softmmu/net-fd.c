/* Frames through a descriptor: a tap interface of the host, and a TCP connection to another machine. See net.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bits.h"
#include "softmmu/block.h"
#include "softmmu/net.h"
#include "softmmu/sockets.h"

enum { HEAD = 4, BATCH = 64 };

struct net_fd {
    struct net net;
    GMainContext *context;
    int fd, listener; /* -1: none */
    GSource *watch, *listen_watch;
    size_t have;       /* socket: bytes of the next frame and its head that are there */
    uint8_t in[HEAD + NET_MAX_FRAME];
    uint8_t *out; /* socket: the rest of a frame that did not go out whole */
    size_t out_n;
};

static void unwatch(GSource **watch)
{
    if (*watch) {
        g_source_destroy(*watch);
        g_source_unref(*watch);
        *watch = NULL;
    }
}

static void watch(struct net_fd *s, GSource **watch, int fd, GUnixFDSourceFunc call)
{
    *watch = g_unix_fd_source_new(fd, G_IO_IN | G_IO_HUP);
    g_source_set_can_recurse(*watch, TRUE); /* else each dispatch wakes the loop once more */
    g_source_set_callback(*watch, G_SOURCE_FUNC(call), s, NULL);
    g_source_attach(*watch, s->context);
}

static void fd_close(struct net *n)
{
    struct net_fd *s = (struct net_fd *)n;
    unwatch(&s->watch);
    unwatch(&s->listen_watch);
    if (s->fd >= 0)
        close(s->fd);
    if (s->listener >= 0)
        close(s->listener);
    free(s->out);
    g_free(s);
}

static struct net_fd *make(GMainContext *context, void (*send)(struct net *n, const uint8_t *frame, size_t size))
{
    struct net_fd *s = g_new0(struct net_fd, 1);
    s->net.send = send;
    s->net.close = fd_close;
    s->context = context;
    s->fd = s->listener = -1;
    return s;
}

/* --- tap: a read is a frame --- */

static gboolean tap_readable(gint fd, GIOCondition what, gpointer opaque)
{
    struct net_fd *s = opaque;
    for (unsigned i = 0; i < BATCH; i++) {
        ssize_t n = read(fd, s->in, sizeof s->in);
        if (n <= 0)
            break;
        net_deliver(&s->net, s->in, (size_t)n);
    }
    return G_SOURCE_CONTINUE;
}

static void tap_send(struct net *n, const uint8_t *frame, size_t size)
{
    if (write(((struct net_fd *)n)->fd, frame, size) < 0)
        return; /* the interface is down or full: lost */
}

char *net_tap_open(struct options *o, GMainContext *context, struct net **out)
{
    const char *name = options_get(o, "ifname");
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (name && strlen(name) >= sizeof r.ifr_name)
        return block_error("netdev tap: interface name %s is too long", name);
    strcpy(r.ifr_name, name ? name : "");
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r)) {
        char *line = block_error("netdev tap: cannot use interface %s: %s", name ? name : "tap%d", strerror(errno));
        if (fd >= 0)
            close(fd);
        return line;
    }
    struct net_fd *s = make(context, tap_send);
    s->fd = fd;
    watch(s, &s->watch, fd, tap_readable);
    *out = &s->net;
    return NULL;
}

/* --- socket: a frame behind its length --- */

static gboolean accept_other(gint fd, GIOCondition what, gpointer opaque);

static void hang_up(struct net_fd *s)
{
    unwatch(&s->watch);
    close(s->fd);
    s->fd = -1;
    s->have = 0;
    free(s->out);
    s->out = NULL;
    s->out_n = 0;
    if (s->listener >= 0 && !s->listen_watch)
        watch(s, &s->listen_watch, s->listener, accept_other);
}

static uint32_t frame_size(const struct net_fd *s)
{
    return (uint32_t)s->in[0] << 24 | (uint32_t)s->in[1] << 16 | (uint32_t)s->in[2] << 8 | s->in[3];
}

static gboolean socket_readable(gint fd, GIOCondition what, gpointer opaque)
{
    struct net_fd *s = opaque;
    for (unsigned i = 0; i < BATCH; i++) {
        size_t want = s->have < HEAD ? HEAD : HEAD + frame_size(s);
        ssize_t n = want > sizeof s->in ? 0 : read(fd, s->in + s->have, want - s->have);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0) { /* closed, or no frame of ours */
            hang_up(s);
            return G_SOURCE_REMOVE;
        }
        s->have += (size_t)n;
        if (s->have >= HEAD && s->have == HEAD + frame_size(s)) {
            s->have = 0;
            net_deliver(&s->net, s->in + HEAD, frame_size(s));
        }
    }
    return G_SOURCE_CONTINUE;
}

static void connected(struct net_fd *s, int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    s->fd = fd;
    unwatch(&s->listen_watch);
    watch(s, &s->watch, fd, socket_readable);
}

static gboolean accept_other(gint fd, GIOCondition what, gpointer opaque)
{
    int other = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (other < 0)
        return G_SOURCE_CONTINUE;
    connected(opaque, other);
    return G_SOURCE_REMOVE;
}

/* Sends what an earlier frame left; false: it is still not out, so there is no room for another one. */
static bool send_rest(struct net_fd *s)
{
    if (!s->out)
        return true;
    ssize_t n = send(s->fd, s->out, s->out_n, MSG_NOSIGNAL);
    if (n > 0) {
        s->out_n -= (size_t)n;
        memmove(s->out, s->out + n, s->out_n);
    }
    if (s->out_n)
        return false;
    free(s->out);
    s->out = NULL;
    return true;
}

static void socket_send(struct net *n, const uint8_t *frame, size_t size)
{
    struct net_fd *s = (struct net_fd *)n;
    if (s->fd < 0 || !send_rest(s))
        return;
    uint8_t head[HEAD] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    struct iovec part[] = {{head, HEAD}, {(void *)(uintptr_t)frame, size}};
    ssize_t done = sendmsg(s->fd, &(struct msghdr){.msg_iov = part, .msg_iovlen = 2}, MSG_NOSIGNAL);
    size_t whole = HEAD + size;
    if (done <= 0 || (size_t)done == whole)
        return; /* all or nothing */
    uint8_t *copy = malloc(whole);
    if (!copy) {
        hang_up(s); /* the other side would take the next frame for the rest of this one */
        return;
    }
    memcpy(copy, head, HEAD);
    memcpy(copy + HEAD, frame, size);
    s->out_n = whole - (size_t)done;
    memmove(copy, copy + done, s->out_n);
    s->out = copy;
}

char *net_socket_open(struct options *o, GMainContext *context, struct net **out)
{
    const char *listen_at = options_get(o, "listen"), *connect_to = options_get(o, "connect");
    const char *where = listen_at ? listen_at : connect_to, *colon = where ? strrchr(where, ':') : NULL;
    if (!listen_at == !connect_to || !colon)
        return block_error("netdev socket wants listen=[HOST]:PORT or connect=HOST:PORT");
    char *host = strndup(where, (size_t)(colon - where));
    int fd = socket_tcp(host, colon + 1, listen_at);
    free(host);
    if (fd < 0)
        return block_error("netdev socket: cannot %s %s: %s", listen_at ? "listen at" : "connect to", where,
                           strerror(errno));
    struct net_fd *s = make(context, socket_send);
    if (listen_at) {
        s->listener = fd;
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        watch(s, &s->listen_watch, fd, accept_other);
    } else {
        connected(s, fd);
    }
    *out = &s->net;
    return NULL;
}
