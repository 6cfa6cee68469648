/*
 * Network back ends: what a network device is connected to. A frame is an Ethernet frame without its checksum.
 * Everything under the machine's lock.
 *
 *   user[,hostfwd=[tcp|udp]:[ADDRESS]:PORT-[GUEST]:PORT][,net=A.B.C.D/N][,host=…][,dhcpstart=…][,dns=…][,hostname=…]
 *       [,restrict=on][,ipv6=off]        the host's network as any program's, by libslirp; hostfwd may repeat
 *   tap[,ifname=NAME]                    a tap interface of the host; needs CAP_NET_ADMIN or an interface of the user's
 *   socket,listen=[HOST]:PORT            to another machine: frames over TCP, each behind its length in four bytes
 *   socket,connect=HOST:PORT
 */
#ifndef SOFTMMU_NET_H
#define SOFTMMU_NET_H

#include <glib.h>

#include "softmmu/options.h"

enum { NET_MAX_FRAME = 65550, NET_QUEUE = 512 };

/* The device's side. */
struct net_front {
    bool (*ready)(void *opaque); /* may it be given a frame now? */
    void (*receive)(void *opaque, const uint8_t *frame, size_t n);
    void *opaque;
    void (*link)(void *opaque, bool up); /* the cable has been plugged in or out; may be NULL */
};

/* The host's side: a back end's struct begins with it. */
struct net {
    const char *id;
    void (*send)(struct net *n, const uint8_t *frame, size_t size); /* from the guest; what cannot be sent is lost */
    void (*close)(struct net *n);
    struct net_front front; /* zeroed: nobody listens */
    struct net_frame *first, **last; /* they wait for the device; at most NET_QUEUE */
    unsigned nqueued;
    bool unplugged; /* the cable: nothing goes either way */
    /* The other end is in this process: it takes frames of up to NET_MAX_FRAME, and its frames' checksums are right. */
    bool local;
};

/*
 * Makes one from its options, the kind being the key "type". Its sources live in the context, whose dispatching holds
 * the machine's lock. Returns NULL, or one line to be freed.
 */
char *net_open(struct options *o, GMainContext *context, struct net **out);
/* The front has been disconnected. */
void net_close(struct net *n);
void net_connect(struct net *n, const struct net_front *front);
/* From the guest; what cannot be sent is lost. */
void net_send(struct net *n, const uint8_t *frame, size_t size);
/* Plugs the cable in or out. */
void net_set_link(struct net *n, bool up);
/* The device is ready again. */
void net_resume(struct net *n);

/* --- for back ends --- */

/* A frame for the guest; it waits when the device is not ready. */
void net_deliver(struct net *n, const uint8_t *frame, size_t size);
char *net_user_open(struct options *o, GMainContext *context, struct net **out);
char *net_tap_open(struct options *o, GMainContext *context, struct net **out);
char *net_socket_open(struct options *o, GMainContext *context, struct net **out);

#endif
