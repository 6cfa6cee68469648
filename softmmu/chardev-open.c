/* Character devices on file descriptors: stdio, file, unix and TCP sockets, pty. See chardev-open.h. */
#define _GNU_SOURCE
#include "softmmu/chardev-open.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "softmmu/sockets.h"

enum { PART = 4096, RETRY_MS = 300 };

struct chardev_fd {
    struct chardev chardev;
    GMainContext *context;
    int in, out, listener; /* -1: none */
    GSource *in_watch, *out_watch, *listen_watch, *retry;
    bool is_socket, is_pty;
    bool terminal;         /* stdin's settings are to be restored */
    struct termios settings;
    int in_flags, out_flags; /* of stdio, to be restored; -1: nothing to restore */
    char *id, *address, *unlink; /* address: `chardev` points there */
};

static struct chardev_fd *fd(struct chardev *c) { return (struct chardev_fd *)c; }

static char *message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *message(const char *fmt, ...)
{
    char *line;
    va_list args;
    va_start(args, fmt);
    CHECK(vasprintf(&line, fmt, args) >= 0);
    va_end(args);
    return line;
}

/* --- watches --- */

static void unwatch(GSource **watch)
{
    if (*watch) {
        g_source_destroy(*watch);
        g_source_unref(*watch);
        *watch = NULL;
    }
}

static void watch(struct chardev_fd *s, GSource **watch, int at, GIOCondition what, GUnixFDSourceFunc call)
{
    if (*watch || at < 0)
        return;
    *watch = g_unix_fd_source_new(at, what);
    g_source_set_callback(*watch, G_SOURCE_FUNC(call), s, NULL);
    g_source_attach(*watch, s->context);
}

static void event(struct chardev_fd *s, enum chardev_event e)
{
    if (s->chardev.front.event)
        s->chardev.front.event(s->chardev.front.opaque, e);
}

static gboolean accept_client(gint at, GIOCondition what, gpointer opaque);

/* The other side has gone: a server waits for the next one. */
static void hang_up(struct chardev_fd *s)
{
    unwatch(&s->in_watch);
    unwatch(&s->out_watch);
    if (s->in > STDERR_FILENO)
        close(s->in);
    s->in = s->out = -1;
    watch(s, &s->listen_watch, s->listener, G_IO_IN, accept_client);
    event(s, CHARDEV_CLOSED);
}

static gboolean try_again(gpointer opaque)
{
    struct chardev_fd *s = opaque;
    unwatch(&s->retry);
    s->chardev.resume(&s->chardev);
    return G_SOURCE_REMOVE;
}

/* Nobody has the pty open, which poll() reports without end: it is asked now and then. */
static void retry_later(struct chardev_fd *s)
{
    unwatch(&s->in_watch);
    if (s->retry)
        return;
    s->retry = g_timeout_source_new(RETRY_MS);
    g_source_set_callback(s->retry, try_again, s, NULL);
    g_source_attach(s->retry, s->context);
}

static bool pty_is_open(const struct chardev_fd *s)
{
    struct pollfd p = {.fd = s->out};
    return poll(&p, 1, 0) == 0 || !(p.revents & POLLHUP);
}

static gboolean readable(gint at, GIOCondition what, gpointer opaque)
{
    struct chardev_fd *s = opaque;
    const struct chardev_front *f = &s->chardev.front;
    uint8_t bytes[PART];
    size_t room = f->room ? f->room(f->opaque) : 0;
    if (!room) { /* resume() comes back */
        unwatch(&s->in_watch);
        return G_SOURCE_REMOVE;
    }
    ssize_t n = read(at, bytes, room < PART ? room : PART);
    if (n > 0) {
        f->receive(f->opaque, bytes, (size_t)n);
        return G_SOURCE_CONTINUE;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (s->is_pty)
        retry_later(s);
    else if (s->is_socket)
        hang_up(s);
    else
        unwatch(&s->in_watch); /* the end of stdin; output goes on */
    return G_SOURCE_REMOVE;
}

static gboolean writable(gint at, GIOCondition what, gpointer opaque)
{
    struct chardev_fd *s = opaque;
    unwatch(&s->out_watch);
    if (s->chardev.front.writable)
        s->chardev.front.writable(s->chardev.front.opaque);
    return G_SOURCE_REMOVE;
}

static void resume(struct chardev *c)
{
    struct chardev_fd *s = fd(c);
    if (!s->in_watch && !s->retry && s->in >= 0 && c->front.room && c->front.room(c->front.opaque))
        watch(s, &s->in_watch, s->in, G_IO_IN | G_IO_HUP, readable);
}

static size_t put(struct chardev *c, const uint8_t *bytes, size_t n)
{
    struct chardev_fd *s = fd(c);
    size_t done = 0;
    if (s->is_pty && !pty_is_open(s))
        return n;
    while (s->out >= 0 && done < n) {
        ssize_t k =
            s->is_socket ? send(s->out, bytes + done, n - done, MSG_NOSIGNAL) : write(s->out, bytes + done, n - done);
        if (k > 0) {
            done += (size_t)k;
        } else if (k < 0 && errno == EAGAIN) {
            watch(s, &s->out_watch, s->out, G_IO_OUT, writable);
            return done;
        } else if (k < 0 && errno != EINTR) {
            break;
        }
    }
    return n; /* nobody reads: it goes nowhere */
}

/* --- kinds --- */

static void set_nonblocking(int at)
{
    fcntl(at, F_SETFL, fcntl(at, F_GETFL) | O_NONBLOCK);
}

static char *open_stdio(struct chardev_fd *s, struct options *o)
{
    bool signal;
    if (!options_bool(o, "signal", true, &signal))
        return message("chardev stdio: signal wants on or off");
    s->in = STDIN_FILENO;
    s->out = STDOUT_FILENO;
    s->in_flags = fcntl(s->in, F_GETFL);
    s->out_flags = fcntl(s->out, F_GETFL);
    if (!tcgetattr(s->in, &s->settings)) {
        struct termios t = s->settings;
        s->terminal = true;
        t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
        t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | (signal ? 0 : ISIG));
        t.c_cflag = (t.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
        tcsetattr(s->in, TCSANOW, &t);
    }
    set_nonblocking(s->in);
    set_nonblocking(s->out);
    return NULL;
}

static char *open_file(struct chardev_fd *s, struct options *o)
{
    const char *path = options_get(o, "path");
    bool append;
    if (!path || !options_bool(o, "append", false, &append))
        return message("chardev file wants path=FILE and perhaps append=on");
    s->out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    return s->out < 0 ? message("cannot open %s: %s", path, strerror(errno)) : NULL;
}

static char *open_pty(struct chardev_fd *s, struct options *o)
{
    char name[64];
    int at = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (at < 0 || grantpt(at) || unlockpt(at) || ptsname_r(at, name, sizeof name))
        return message("cannot make a pseudo terminal: %s", strerror(errno));
    int other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC); /* once closed again, poll() tells that nobody has it open */
    if (other >= 0)
        close(other);
    struct termios t;
    if (!tcgetattr(at, &t)) {
        cfmakeraw(&t);
        tcsetattr(at, TCSANOW, &t);
    }
    set_nonblocking(at);
    s->in = s->out = at;
    s->is_pty = true;
    s->address = strdup(name);
    return NULL;
}

static char *open_null(struct chardev_fd *s, struct options *o) { return NULL; }

/* --- sockets --- */

static void connected(struct chardev_fd *s, int client)
{
    set_nonblocking(client);
    s->in = s->out = client;
    unwatch(&s->listen_watch);
    event(s, CHARDEV_OPENED);
    resume(&s->chardev);
    if (s->chardev.front.writable)
        s->chardev.front.writable(s->chardev.front.opaque);
}

static gboolean accept_client(gint at, GIOCondition what, gpointer opaque)
{
    int client = accept4(at, NULL, NULL, SOCK_CLOEXEC);
    if (client >= 0) {
        connected(opaque, client);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static char *own_address(int at, const char *path)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[64], port[16];
    if (path)
        return strdup(path);
    if (getsockname(at, (void *)&a, &n) ||
        getnameinfo((void *)&a, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
        return NULL;
    return message("%s:%s", host, port);
}

static char *open_socket(struct chardev_fd *s, struct options *o)
{
    const char *path = options_get(o, "path"), *host = options_get(o, "host"), *port = options_get(o, "port");
    bool server, wait;
    if (!options_bool(o, "server", false, &server) || !options_bool(o, "wait", true, &wait) || !path == !port)
        return message("chardev socket wants path=FILE or host=NAME,port=NUMBER, and perhaps server=on, wait=off");
    int at = path ? socket_unix(path, server) : socket_tcp(host, port, server);
    if (at < 0)
        return message("chardev socket: cannot %s %s%s%s: %s", server ? "listen at" : "connect to",
                       path   ? path
                       : host ? host
                              : "",
                       path ? "" : ":", path ? "" : port, strerror(errno));
    s->is_socket = true;
    if (!server) {
        connected(s, at);
        return NULL;
    }
    s->listener = at;
    s->address = own_address(at, path);
    s->unlink = path ? strdup(path) : NULL;
    if (wait) {
        int client = accept4(at, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0)
            connected(s, client);
    }
    if (s->in < 0) {
        set_nonblocking(at);
        watch(s, &s->listen_watch, at, G_IO_IN, accept_client);
    }
    return NULL;
}

/* --- all --- */

static const struct {
    const char *name;
    char *(*open)(struct chardev_fd *s, struct options *o);
} kinds[] = {
    {"stdio", open_stdio}, {"file", open_file}, {"socket", open_socket}, {"pty", open_pty}, {"null", open_null},
};

static void close_fd(struct chardev *c);

char *chardev_open(struct options *o, GMainContext *context, struct chardev **out)
{
    const char *kind = options_get(o, "backend"), *id = options_get(o, "id");
    if (kind && !strcmp(kind, "ringbuf"))
        return chardev_ringbuf_open(o, out);
    for (unsigned i = 0; kind && i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].name, kind))
            continue;
        struct chardev_fd *s = g_new0(struct chardev_fd, 1);
        s->context = context;
        s->in = s->out = s->listener = s->in_flags = s->out_flags = -1;
        s->id = id ? strdup(id) : NULL;
        s->chardev =
            (struct chardev){.id = s->id, .kind = kinds[i].name, .write = put, .resume = resume, .close = close_fd};
        char *line = kinds[i].open(s, o);
        if (!line && options_unknown(o))
            line = message("chardev %s has no option %s", kind, options_unknown(o));
        s->chardev.address = s->address;
        if (line)
            chardev_close(&s->chardev);
        else
            *out = &s->chardev;
        return line;
    }
    return message("a chardev is one of stdio, file, socket, pty, ringbuf and null, not '%s'", kind ? kind : "");
}

static void close_fd(struct chardev *c)
{
    struct chardev_fd *s = fd(c);
    unwatch(&s->in_watch);
    unwatch(&s->out_watch);
    unwatch(&s->listen_watch);
    unwatch(&s->retry);
    if (s->terminal)
        tcsetattr(s->in, TCSANOW, &s->settings);
    if (s->in_flags >= 0)
        fcntl(s->in, F_SETFL, s->in_flags);
    if (s->out_flags >= 0)
        fcntl(s->out, F_SETFL, s->out_flags);
    if (s->in > STDERR_FILENO)
        close(s->in);
    if (s->out > STDERR_FILENO && s->out != s->in)
        close(s->out);
    if (s->listener >= 0)
        close(s->listener);
    if (s->unlink)
        unlink(s->unlink);
    free(s->unlink);
    free(s->address);
    free(s->id);
    g_free(s);
}

void chardev_close(struct chardev *c) { c->close(c); }

/* "unix:PATH,…" and "tcp:HOST:PORT,…" as a socket's parts, with the old words for a server's. */
static char *socket_text(const char *text, bool tcp)
{
    g_auto(GStrv) parts = g_strsplit(strchr(text, ':') + 1, ",", -1);
    GString *out = g_string_new("socket");
    const char *port = tcp && parts[0] ? strrchr(parts[0], ':') : NULL;
    if (port)
        g_string_append_printf(out, ",host=%.*s,port=%s", (int)(port - parts[0]), parts[0], port + 1);
    else if (parts[0])
        g_string_append_printf(out, ",path=%s", parts[0]);
    for (char **p = parts[0] ? parts + 1 : parts; *p; p++)
        g_string_append_printf(out, ",%s", !strcmp(*p, "nowait") ? "wait=off" : *p);
    return g_string_free(out, FALSE);
}

char *chardev_long_form(const char *text)
{
    if (g_str_has_prefix(text, "unix:"))
        return socket_text(text, false);
    if (g_str_has_prefix(text, "tcp:"))
        return socket_text(text, true);
    if (g_str_has_prefix(text, "file:"))
        return g_strdup_printf("file,path=%s", text + 5);
    return g_strdup(strcmp(text, "none") ? text : "null");
}
