/*
 * Several debugged processes behind one connection to gdb (docs/design/gdbstub.rst). One of them has the connection,
 * the holder; each other one has a session as if the holder were its gdb, over a socket that carries a packet per
 * message and no acknowledgements. A holder that ends, or that gdb lets go, hands connection and sockets to one of the
 * others.
 */
#include "linux-user/debug-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own-fds.h"

/* A holder's messages that are no packets. HAND_OVER: the socket is used only for the same word back, the connection to
 * gdb is the receiver's. */
enum { HAND_OVER = 0, INTERRUPT = 3, MAX_FDS = 200, MAX_MESSAGE = 2 * PACKET_MAX + 64 };

struct hand_over {
    uint8_t what;
    bool no_ack;
    bool untold; /* the receiver's last stop has not been told to gdb */
    unsigned nothers, nfiles;
};
struct handed_other { /* and the pending stop */
    int64_t process;
    bool hidden;
    bool dead; /* without a descriptor */
    size_t npending;
};

/* --- messages --- */

/* With descriptors, up to MAX_FDS. */
static bool send_message(int to, const void *bytes, size_t n, const int *fds, unsigned nfds)
{
    union {
        char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
        struct cmsghdr aligned;
    } control = {0};
    struct iovec v = {(void *)bytes, n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    ssize_t done;
    if (nfds) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(nfds * sizeof *fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(nfds * sizeof *fds);
        memcpy(CMSG_DATA(c), fds, nfds * sizeof *fds);
    }
    while ((done = sendmsg(to, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        continue;
    return done == (ssize_t)n;
}

/* The length; 0: the other end has gone; -1 with EAGAIN. Descriptors are hidden ones. */
static ssize_t receive_message(int from, void *bytes, size_t room, int flags, int fds[MAX_FDS], unsigned *nfds)
{
    union {
        char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec v = {bytes, room};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    *nfds = 0;
    while ((n = recvmsg(from, &m, flags | MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        continue;
    for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof *fds);
            memcpy(fds, CMSG_DATA(c), count * sizeof *fds);
            for (unsigned i = 0; i < count; i++)
                fds[i] = fd_hide(fds[i]);
            *nfds = count;
        }
    return n;
}

/* --- the others --- */

static struct debug_other *find(struct debug *d, int64_t process)
{
    for (size_t i = 0; i < d->nothers; i++)
        if (d->others[i].process == process)
            return &d->others[i];
    return NULL;
}

int64_t debug_other_behind(void *o, int64_t process)
{
    const struct debug *d = o;
    size_t i = 0;
    while (process && i < d->nothers && d->others[i++].process != process)
        continue;
    while (i < d->nothers && d->others[i].hidden)
        i++;
    return i < d->nothers ? d->others[i].process : 0;
}

/* The child that a stop tells of: "fork:pPROCESS.THREAD;", or vfork. 0: none. */
static int64_t child_of(const char *stop)
{
    static const char begin[] = "fork:p";
    const char *p = strstr(stop, begin);
    uint64_t process;
    if (!p)
        return 0;
    p += strlen(begin);
    return hex_number(&p, &process) ? (int64_t)process : 0;
}

void debug_add_other(struct debug *d, int64_t process, int fd, bool hidden)
{
    pthread_mutex_lock(&d->ends_lock);
    struct debug_other *more = realloc(d->others, (d->nothers + 1) * sizeof *more);
    if (more)
        d->others = more;
    if (!d->reader)
        d->reader = calloc(1, sizeof *d->reader);
    if (!more || !d->reader) { /* it runs on, unseen */
        fd_close_own(fd);
    } else {
        more[d->nothers++] = (struct debug_other){.process = process, .fd = fd, .hidden = hidden};
    }
    pthread_mutex_unlock(&d->ends_lock);
}

void debug_show(struct debug *d, int64_t process)
{
    struct debug_other *e = find(d, process);
    if (e)
        e->hidden = false;
}

static void drop(struct debug *d, struct debug_other *e)
{
    pthread_mutex_lock(&d->ends_lock);
    fd_close_own(e->fd);
    gdb_text_free(&e->pending);
    *e = d->others[--d->nothers];
    pthread_mutex_unlock(&d->ends_lock);
}

void debug_forget(void *o, int64_t process)
{
    struct debug_other *e = find(o, process);
    if (!e)
        return;
    shutdown(e->fd, SHUT_RDWR); /* a vfork child has a copy of its own */
    drop(o, e);
}

void debug_free_others(struct debug *d)
{
    while (d->nothers)
        drop(d, &d->others[d->nothers - 1]);
    pthread_mutex_lock(&d->ends_lock);
    free(d->others);
    d->others = NULL;
    free(d->reader);
    d->reader = NULL;
    pthread_mutex_unlock(&d->ends_lock);
}

static void say(const struct debug_other *e, const void *payload, size_t n)
{
    struct gdb_text packet = {0};
    packet_put(&packet, payload, n);
    send_message(e->fd, packet.bytes, packet.n, NULL, 0);
    gdb_text_free(&packet);
}

/* Its next packet's payload, in d->reader. False: it has gone. */
static bool hear(struct debug *d, const struct debug_other *e)
{
    char *bytes = malloc(MAX_MESSAGE);
    int fds[MAX_FDS];
    unsigned nfds = 0;
    bool complete = false;
    ssize_t n = bytes ? receive_message(e->fd, bytes, MAX_MESSAGE, 0, fds, &nfds) : 0;
    d->reader->state = READER_IDLE;
    for (ssize_t i = 0; i < n; i++)
        complete |= packet_take(d->reader, (uint8_t)bytes[i]) == PACKET_COMPLETE;
    free(bytes);
    if (complete && nfds)
        debug_add_other(d, child_of(d->reader->payload), fds[0], true);
    return complete;
}

void debug_ask(void *o, int64_t process, const void *payload, size_t n, struct gdb_text *out)
{
    struct debug *d = o;
    struct debug_other *e = find(d, process);
    if (!e)
        return;
    say(e, payload, n);
    if (hear(d, e))
        gdb_put(out, d->reader->payload, d->reader->n);
    else /* killed by somebody else, and gdb will be told */
        gdb_printf(out, "%s", strchr("DHTvZz", *(const char *)payload) ? "OK" : "E03");
}

void debug_pass_on(void *o, int64_t process, const void *payload, size_t n)
{
    struct debug_other *e = find(o, process);
    if (!e)
        return;
    e->running = true;
    if (!e->pending.n)
        say(e, payload, n);
}

/* --- stops --- */

/* With a NUL behind it. */
static struct gdb_text stop_text(const void *bytes, size_t n)
{
    struct gdb_text t = {0};
    gdb_put(&t, bytes, n);
    gdb_put(&t, "", 1);
    t.n -= !t.bad;
    return t;
}

/* The end of one that told nothing. */
static struct gdb_text killed(int64_t process)
{
    enum { KILL = 9 };
    char text[48];
    return stop_text(text,
                     (size_t)snprintf(text, sizeof text, "X%02x;process:%llx", KILL, (unsigned long long)process));
}

static bool is_end(const struct gdb_text *stop) { return stop->bytes[0] == 'W' || stop->bytes[0] == 'X'; }

/* Waits for the stop of one that runs. */
static struct gdb_text take_stop(struct debug *d, int64_t process)
{
    struct debug_other *e = find(d, process);
    struct gdb_text stop = hear(d, e) ? stop_text(d->reader->payload, d->reader->n) : killed(process);
    find(d, process)->running = false; /* a new one may have moved it */
    return stop;
}

/* It has gone by itself, and gdb is yet to be told. */
static void lose(struct debug *d, struct debug_other *e)
{
    if (!e->pending.n)
        e->pending = killed(e->process);
    pthread_mutex_lock(&d->ends_lock);
    fd_close_own(e->fd);
    e->fd = -1;
    pthread_mutex_unlock(&d->ends_lock);
}

static bool is_asked_for(const struct gdb_text *stop) { return !strncmp(stop->bytes, "T00", 3); }

void debug_set_pending(struct debug *d, int64_t process, const char *stop, size_t n)
{
    struct debug_other *e = find(d, process);
    if (e && n)
        e->pending = stop_text(stop, n);
}

void debug_stop_others(struct debug *d)
{
    static const uint8_t interrupt = INTERRUPT;
    for (size_t i = 0; i < d->nothers; i++)
        if (d->others[i].running && !d->others[i].pending.n && !d->others[i].asked)
            send_message(d->others[i].fd, &interrupt, sizeof interrupt, NULL, 0);
    for (size_t i = 0; i < d->nothers; i++) {
        if (d->others[i].running && !d->others[i].pending.n) {
            struct gdb_text stop = take_stop(d, d->others[i].process);
            if (is_asked_for(&stop))
                gdb_text_free(&stop);
            else
                d->others[i].pending = stop;
        }
        d->others[i].running = d->others[i].asked = false;
    }
}

void debug_interrupt_others(struct debug *d)
{
    static const uint8_t interrupt = INTERRUPT;
    for (size_t i = 0; i < d->nothers; i++)
        if (d->others[i].running && !d->others[i].asked) {
            d->others[i].asked = send_message(d->others[i].fd, &interrupt, sizeof interrupt, NULL, 0);
            return;
        }
}

/* All stand still, and gdb is told. Owns the stop. */
static void tell(struct debug *d, int64_t process, struct gdb_text stop)
{
    enum { INT = 2 };
    pthread_mutex_lock(&d->lock);
    debug_stop_all(d);
    pthread_mutex_unlock(&d->lock);
    debug_stop_others(d);
    if (is_asked_for(&stop))
        stop.bytes[2] = '0' + INT;
    if (is_end(&stop))
        debug_forget(d, process);
    debug_show(d, child_of(stop.bytes));
    gdb_other_stopped(&d->session, stop.bytes, strlen(stop.bytes));
    gdb_text_free(&stop);
}

void debug_hear_other(struct debug *d, size_t i)
{
    struct debug_other *e = &d->others[i];
    int64_t process = e->process;
    if (e->running)
        tell(d, process, take_stop(d, process));
    else if (!hear(d, e)) /* it has ended, as is known, or was killed by somebody else while it stood */
        lose(d, e);
}

void debug_tell_pending(struct debug *d)
{
    for (size_t i = 0; i < d->nothers; i++) {
        struct debug_other *e = &d->others[i];
        struct gdb_text stop = e->pending;
        if (!e->running || !stop.n)
            continue;
        e->pending = (struct gdb_text){0};
        e->running = false;
        tell(d, e->process, stop);
        return;
    }
}

/* --- who has the connection --- */

/* The receiver says so by the same word; one that dies before it has read the message does not. */
static bool is_taken(const struct debug_other *to)
{
    uint8_t what = INTERRUPT;
    int fds[MAX_FDS];
    unsigned nfds;
    while (what != HAND_OVER && receive_message(to->fd, &what, sizeof what, 0, fds, &nfds) > 0)
        continue;
    return what == HAND_OVER;
}

/* False: it has gone too. */
static bool hand_to(const struct debug *d, const struct debug_other *to)
{
    enum { MOST = MAX_FDS - GDB_FILES };
    int fds[MAX_FDS];
    unsigned nfds = 0, left;
    struct gdb_text bytes = {0};
    struct hand_over h = {.what = HAND_OVER, .no_ack = d->session.no_ack, .untold = to->pending.n};
    h.nothers = left = d->nothers - 1 < MOST ? (unsigned)d->nothers - 1 : MOST;
    for (unsigned i = 0; i < GDB_FILES; i++)
        h.nfiles += d->session.files[i] > 0;
    gdb_put(&bytes, &h, sizeof h);
    for (const struct debug_other *e = d->others; left; e++) {
        const struct handed_other row = {e->process, e->hidden, e->fd < 0, e->pending.n};
        if (e == to)
            continue;
        gdb_put(&bytes, &row, sizeof row);
        gdb_put(&bytes, e->pending.bytes, e->pending.n);
        if (e->fd >= 0)
            fds[nfds++] = e->fd;
        left--;
    }
    for (unsigned i = 0; i < GDB_FILES; i++)
        if (d->session.files[i] > 0) {
            gdb_put(&bytes, &i, sizeof i);
            fds[nfds++] = d->session.files[i] - 1;
        }
    bool done = !bytes.bad && send_message(to->fd, bytes.bytes, bytes.n, fds, nfds) && is_taken(to);
    gdb_text_free(&bytes);
    return done;
}

bool debug_hand_over(struct debug *d)
{
    bool done = false;
    for (size_t i = 0; i < d->nothers && !done; i++) {
        struct debug_other *e = &d->others[i];
        done = e->fd >= 0 && hand_to(d, e);
        if (e->fd >= 0 && !done)
            lose(d, e);
    }
    if (done)
        debug_free_others(d);
    return done;
}

static void take_over(struct debug *d, const char *p, const int *fds)
{
    struct hand_over h;
    struct handed_other row;
    unsigned file;
    memcpy(&h, p, sizeof h);
    p += sizeof h;
    send_message(d->connection, &h.what, sizeof h.what, NULL, 0);
    pthread_mutex_lock(&d->ends_lock);
    fd_close_own(d->connection);
    d->connection = d->gdb;
    d->gdb = -1;
    pthread_mutex_unlock(&d->ends_lock);
    d->session.no_ack = h.no_ack;
    pthread_mutex_lock(&d->lock);
    d->told |= h.untold; /* the holder knew, but gdb does not */
    pthread_mutex_unlock(&d->lock);
    for (unsigned i = 0; i < h.nothers; i++) {
        memcpy(&row, p, sizeof row);
        p += sizeof row;
        debug_add_other(d, row.process, row.dead ? -1 : *fds++, row.hidden);
        debug_set_pending(d, row.process, p, row.npending);
        p += row.npending;
    }
    gdb_close_files(&d->session);
    for (unsigned i = 0; i < h.nfiles; i++) {
        memcpy(&file, p, sizeof file);
        p += sizeof file;
        d->session.files[file] = 1 + *fds++;
    }
}

bool debug_hear_holder(struct debug *d)
{
    char *bytes = malloc(MAX_MESSAGE);
    int fds[MAX_FDS];
    unsigned nfds = 0;
    ssize_t n = bytes ? receive_message(d->connection, bytes, MAX_MESSAGE, MSG_DONTWAIT, fds, &nfds) : 0;
    if (n > 0 && bytes[0] == HAND_OVER)
        take_over(d, bytes, fds);
    else if (n > 0)
        gdb_receive(&d->session, bytes, (size_t)n);
    free(bytes);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

void debug_tell_holder(struct debug *d, const void *bytes, size_t n)
{
    send_message(d->connection, bytes, n, &d->child_fd, d->child_fd >= 0);
    if (d->child_fd >= 0)
        fd_close_own(d->child_fd);
    d->child_fd = -1;
}
