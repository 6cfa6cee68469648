/* Several devices on one terminal: see chardev-mux.h. */
#include "softmmu/chardev-mux.h"

#include <string.h>

#include "base/bits.h"

enum { ESCAPE = 1 }; /* Ctrl-a */

static struct chardev_mux *mux(struct chardev *port)
{
    return container_of(port, struct chardev_mux_port, chardev)->mux;
}

static const struct chardev_front *focused(const struct chardev_mux *m) { return &m->port[m->focus].chardev.front; }

static size_t port_write(struct chardev *port, const uint8_t *bytes, size_t n)
{
    struct chardev *base = mux(port)->base;
    return base->write(base, bytes, n);
}

/* Gives the device what waits for it, as far as it has room. */
static void flush(struct chardev_mux_port *p)
{
    const struct chardev_front *f = &p->chardev.front;
    while (p->nwaiting && f->receive) {
        size_t n = f->room(f->opaque);
        if (!n)
            return;
        n = n < p->nwaiting ? n : p->nwaiting;
        uint8_t part[CHARDEV_MUX_WAITING];
        memcpy(part, p->waiting, n);
        p->nwaiting -= (unsigned)n;
        memmove(p->waiting, p->waiting + n, p->nwaiting);
        f->receive(f->opaque, part, n); /* may come back here by resume() */
    }
}

static void port_resume(struct chardev *port)
{
    struct chardev_mux *m = mux(port);
    flush(container_of(port, struct chardev_mux_port, chardev));
    if (m->base->resume)
        m->base->resume(m->base);
}

/* Too many bytes typed are lost, as with any terminal. */
static size_t front_room(void *opaque)
{
    const struct chardev_mux *m = opaque;
    unsigned n = CHARDEV_MUX_WAITING - m->port[m->focus].nwaiting;
    return n ? n : 1;
}

static void tell(struct chardev_mux *m, const char *text)
{
    m->base->write(m->base, (const uint8_t *)text, strlen(text));
}

static void deliver(struct chardev_mux *m, const uint8_t *bytes, size_t n)
{
    struct chardev_mux_port *p = &m->port[m->focus];
    flush(p);
    if (n > CHARDEV_MUX_WAITING - p->nwaiting)
        n = CHARDEV_MUX_WAITING - p->nwaiting;
    memcpy(p->waiting + p->nwaiting, bytes, n);
    p->nwaiting += (unsigned)n;
    flush(p);
}

static void event(struct chardev_mux *m, enum chardev_event e)
{
    const struct chardev_front *f = focused(m);
    if (f->event)
        f->event(f->opaque, e);
}

static void command(struct chardev_mux *m, uint8_t key)
{
    switch (key) {
    case ESCAPE: deliver(m, &key, 1); break;
    case 'b': event(m, CHARDEV_BREAK); break;
    case 'c':
        m->focus = (m->focus + 1) % m->nports;
        event(m, CHARDEV_FOCUSED);
        break;
    case 'x':
        if (m->quit)
            m->quit(m->opaque);
        break;
    case 'h':
    case '?':
        tell(m, "\r\nCtrl-a h  this help\r\nCtrl-a x  quit\r\nCtrl-a b  send a break\r\nCtrl-a c  switch between the "
                "serial "
                "line and the monitor\r\nCtrl-a Ctrl-a  send Ctrl-a\r\n");
        break;
    }
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t n)
{
    struct chardev_mux *m = opaque;
    size_t from = 0; /* what has not been delivered */
    for (size_t i = 0; i < n; i++) {
        if (m->escaped) {
            m->escaped = false;
            from = i + 1;
            command(m, bytes[i]);
        } else if (bytes[i] == ESCAPE) {
            deliver(m, bytes + from, i - from);
            from = i + 1;
            m->escaped = true;
        }
    }
    deliver(m, bytes + from, n - from);
}

static void front_writable(void *opaque)
{
    struct chardev_mux *m = opaque;
    for (unsigned i = 0; i < m->nports; i++) {
        const struct chardev_front *f = &m->port[i].chardev.front;
        if (f->writable)
            f->writable(f->opaque);
    }
}

static void front_event(void *opaque, enum chardev_event e)
{
    struct chardev_mux *m = opaque;
    for (unsigned i = 0; i < m->nports; i++) {
        const struct chardev_front *f = &m->port[i].chardev.front;
        if (f->event)
            f->event(f->opaque, e);
    }
}

void chardev_mux_init(struct chardev_mux *m, struct chardev *base, void (*quit)(void *opaque), void *opaque)
{
    *m = (struct chardev_mux){.base = base, .quit = quit, .opaque = opaque};
    chardev_connect(base, &(struct chardev_front){front_room, front_receive, front_writable, front_event, m});
}

struct chardev *chardev_mux_port(struct chardev_mux *m)
{
    if (m->nports == CHARDEV_MUX_PORTS)
        return NULL;
    struct chardev_mux_port *p = &m->port[m->nports++];
    p->mux = m;
    p->chardev = (struct chardev){.id = m->base->id, .kind = "mux", .write = port_write, .resume = port_resume};
    return &p->chardev;
}
