/* Frames on their way to a network device, and the kinds of back end: see net.h. */
#include "softmmu/net.h"

#include <stdlib.h>
#include <string.h>

#include "softmmu/block.h"

struct net_frame {
    struct net_frame *next;
    size_t n;
    uint8_t bytes[];
};

char *net_open(struct options *o, GMainContext *context, struct net **out)
{
    static const struct {
        const char *name;
        char *(*open)(struct options *o, GMainContext *context, struct net **out);
    } kinds[] = {{"user", net_user_open}, {"tap", net_tap_open}, {"socket", net_socket_open}};
    const char *kind = options_get(o, "type"), *id = options_get(o, "id");
    for (unsigned i = 0; kind && i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].name, kind))
            continue;
        char *line = kinds[i].open(o, context, out);
        if (!line && options_unknown(o)) {
            line = block_error("netdev %s has no option %s", kind, options_unknown(o));
            (*out)->close(*out);
        }
        if (line)
            return line;
        (*out)->id = id ? strdup(id) : NULL;
        (*out)->last = &(*out)->first;
        return NULL;
    }
    return block_error("a netdev is one of user, tap and socket, not '%s'", kind ? kind : "");
}

static struct net_frame *take(struct net *n)
{
    struct net_frame *f = n->first;
    if (!(n->first = f->next))
        n->last = &n->first;
    n->nqueued--;
    return f;
}

void net_close(struct net *n)
{
    while (n->first)
        free(take(n));
    free((void *)(uintptr_t)n->id);
    n->close(n);
}

void net_connect(struct net *n, const struct net_front *front)
{
    n->front = *front;
}

void net_send(struct net *n, const uint8_t *frame, size_t size)
{
    if (!n->unplugged)
        n->send(n, frame, size);
}

void net_set_link(struct net *n, bool up)
{
    if (n->unplugged == !up)
        return;
    n->unplugged = !up;
    while (n->first && !up)
        free(take(n));
    if (n->front.link)
        n->front.link(n->front.opaque, up);
}

void net_resume(struct net *n)
{
    while (n->first && n->front.receive && n->front.ready(n->front.opaque)) {
        struct net_frame *f = take(n);
        n->front.receive(n->front.opaque, f->bytes, f->n);
        free(f);
    }
}

void net_deliver(struct net *n, const uint8_t *frame, size_t size)
{
    if (!n->front.receive || n->unplugged || size > NET_MAX_FRAME)
        return;
    net_resume(n);
    if (!n->first && n->front.ready(n->front.opaque)) {
        n->front.receive(n->front.opaque, frame, size);
        return;
    }
    struct net_frame *f = n->nqueued < NET_QUEUE ? malloc(sizeof *f + size) : NULL;
    if (!f)
        return; /* lost, as on any full link */
    f->next = NULL;
    f->n = size;
    memcpy(f->bytes, frame, size);
    *n->last = f;
    n->last = &f->next;
    n->nqueued++;
}
