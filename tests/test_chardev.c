/* Options in parts, several devices on one terminal, and character devices on sockets, files and pseudo terminals. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "softmmu/chardev-mux.h"
#include "softmmu/chardev-open.h"

/* --- options --- */

Test(options, parts)
{
    struct options o;
    bool on;
    uint64_t n;
    cr_assert_null(options_parse(&o, "user,id=n0,hostfwd=a,,b,hostfwd=c,nodelay,server,x=0x10", "type"));
    cr_assert_str_eq(options_get(&o, "type"), "user");
    cr_assert_str_eq(options_nth(&o, "hostfwd", 0), "a,b");
    cr_assert_str_eq(options_nth(&o, "hostfwd", 1), "c");
    cr_assert_null(options_nth(&o, "hostfwd", 2));
    cr_assert(options_bool(&o, "delay", true, &on) && !on);
    cr_assert(options_bool(&o, "server", false, &on) && on);
    cr_assert(options_number(&o, "x", 1, &n) && n == 16);
    cr_assert(options_number(&o, "y", 7, &n) && n == 7);
    cr_assert_not(options_number(&o, "type", 0, &n));
    cr_assert_not(options_bool(&o, "x", false, &on));
    cr_assert_str_eq(options_unknown(&o), "id");
    options_free(&o);
    char many[300] = "";
    for (unsigned i = 0; i < 2 * OPTIONS_MAX; i++)
        strcat(many, "a,");
    char *line = options_parse(&o, many, NULL);
    cr_assert(line && strstr(line, "more than 64 parts"));
    free(line);
    options_free(&o);
}

/* --- a front that keeps what it gets --- */

struct front {
    char got[4096];
    size_t n, room;
    unsigned opened, closed, breaks, writable;
};

static size_t front_room(void *opaque) { return ((struct front *)opaque)->room; }
static void front_receive(void *opaque, const uint8_t *bytes, size_t n)
{
    struct front *f = opaque;
    cr_assert(n <= f->room);
    memcpy(f->got + f->n, bytes, n);
    f->n += n;
    f->room -= n;
}
static void front_writable(void *opaque) { ((struct front *)opaque)->writable++; }
static void front_event(void *opaque, enum chardev_event e)
{
    struct front *f = opaque;
    f->opened += e == CHARDEV_OPENED;
    f->closed += e == CHARDEV_CLOSED;
    f->breaks += e == CHARDEV_BREAK;
}

static void listen_to(struct chardev *c, struct front *f, size_t room)
{
    *f = (struct front){.room = room};
    chardev_connect(c, &(struct chardev_front){front_room, front_receive, front_writable, front_event, f});
}

/* --- several devices on one terminal --- */

static char said[1024];
static size_t say(struct chardev *c, const uint8_t *bytes, size_t n)
{
    strncat(said, (const char *)bytes, n);
    return n;
}

static bool has_quit;
static void quit(void *opaque) { has_quit = true; }

static void type(struct chardev *base, const char *keys)
{
    for (; *keys; keys++)
        if (base->front.room(base->front.opaque))
            base->front.receive(base->front.opaque, (const uint8_t *)keys, 1);
}

Test(mux, escape_commands)
{
    struct chardev base = {.write = say};
    struct chardev_mux m;
    struct front serial, monitor;
    chardev_mux_init(&m, &base, quit, NULL);
    struct chardev *a = chardev_mux_port(&m), *b = chardev_mux_port(&m);
    listen_to(a, &serial, 100);
    listen_to(b, &monitor, 100);
    type(&base, "ls\001ca\001cb\001\001\001b");
    cr_assert_eq(memcmp(serial.got, "lsb\001", 5), 0);
    cr_assert_str_eq(monitor.got, "a");
    cr_assert(serial.breaks == 1 && !has_quit);
    base.front.receive(base.front.opaque, (const uint8_t *)"12\001c34\001", 7);
    cr_assert_eq(memcmp(serial.got + 4, "12", 3), 0);
    cr_assert_str_eq(monitor.got, "a34");
    monitor.room = 0;
    type(&base, "x");
    for (unsigned i = 0; i < 300; i++)
        type(&base, "z");
    cr_assert(has_quit && monitor.n == 3, "commands are heard while the device has no room");
    b->write(b, (const uint8_t *)"out", 3);
    cr_assert_str_eq(said, "out");
    monitor.room = 1000;
    b->resume(b);
    cr_assert_eq(monitor.n, 3 + CHARDEV_MUX_WAITING, "the rest is lost");
    base.front.writable(base.front.opaque);
    cr_assert(serial.writable == 1 && monitor.writable == 1);
    type(&base, "\001h");
    cr_assert(strstr(said, "Ctrl-a x"));
}

/* --- the host's --- */

static char folder[] = "/tmp/metic-chardev-XXXXXX";

static struct chardev *try_open(const char *text, char **line)
{
    struct chardev *c = NULL;
    struct options o;
    *line = options_parse(&o, text, "backend");
    cr_assert_null(*line);
    *line = chardev_open(&o, NULL, &c);
    options_free(&o);
    return c;
}

static struct chardev *must_open(const char *text)
{
    char *line;
    struct chardev *c = try_open(text, &line);
    cr_assert_null(line, "%s", line);
    return c;
}

/* Runs the main context until the condition holds; five seconds at most. */
#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        for (unsigned turns_ = 0; !(condition) && turns_ < 5000; turns_++) {                                           \
            g_main_context_iteration(NULL, FALSE);                                                                     \
            usleep(1000);                                                                                              \
        }                                                                                                              \
        cr_assert(condition);                                                                                          \
    } while (0)

Test(chardev, mistakes)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"tape", "a chardev is one of stdio, file, socket, pty, ringbuf and null, not 'tape'"},
        {"null,colour=red", "chardev null has no option colour"},
        {"file", "chardev file wants path=FILE and perhaps append=on"},
        {"socket,path=/x,port=1",
         "chardev socket wants path=FILE or host=NAME,port=NUMBER, and perhaps server=on, wait=off"},
        {"socket,path=/nonexistent/s", "chardev socket: cannot connect to /nonexistent/s: No such file or directory"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *line;
        cr_assert_null(try_open(cases[i].text, &line));
        cr_assert_str_eq(line, cases[i].line);
        free(line);
    }
}

/* Bytes both ways through sockets; a slow reader; a client that goes and one that comes. */
static void through_sockets(const char *server_text, const char *(*client_text)(struct chardev *server))
{
    struct front s, c;
    struct chardev *server = must_open(server_text);
    listen_to(server, &s, 5);
    server->write(server, (const uint8_t *)"nobody", 6);
    struct chardev *client = must_open(client_text(server));
    listen_to(client, &c, 100);
    UNTIL(s.opened);
    client->write(client, (const uint8_t *)"0123456789", 10);
    UNTIL(s.n == 5);
    s.room = 3;
    server->resume(server);
    UNTIL(s.n == 8);
    cr_assert_eq(memcmp(s.got, "01234567", 8), 0);
    server->write(server, (const uint8_t *)"answer", 6);
    UNTIL(c.n == 6);
    uint8_t block[65536] = {0};
    size_t sent = 0, n;
    c.room = 0;
    s.writable = 0;
    while ((n = server->write(server, block, sizeof block)) == sizeof block)
        sent += n;
    sent += n;
    cr_assert(sent > 0 && !s.writable, "the reader is slow");
    c.room = 4000;
    client->resume(client);
    UNTIL(c.n == 4006);
    chardev_connect(client, &(struct chardev_front){0});
    chardev_close(client);
    s.room = 100;
    server->resume(server);
    UNTIL(s.closed);
    client = must_open(client_text(server));
    UNTIL(s.opened == 2);
    chardev_close(client);
    chardev_connect(server, &(struct chardev_front){0});
    chardev_close(server);
}

static char text[256];

static const char *unix_client(struct chardev *server)
{
    snprintf(text, sizeof text, "socket,path=%s", server->address);
    return text;
}

static const char *tcp_client(struct chardev *server)
{
    snprintf(text, sizeof text, "socket,host=127.0.0.1,port=%s", strrchr(server->address, ':') + 1);
    return text;
}

Test(chardev, unix_sockets)
{
    char server[256];
    cr_assert(mkdtemp(folder));
    snprintf(server, sizeof server, "socket,path=%s/s,server=on,wait=off", folder);
    through_sockets(server, unix_client);
    cr_assert_eq(rmdir(folder), 0, "the socket's file has gone");
}

Test(chardev, tcp_sockets)
{
    through_sockets("socket,host=127.0.0.1,port=0,server,nowait", tcp_client);
}

Test(chardev, file)
{
    char option[256], path[128], content[32] = "";
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/f", folder);
    snprintf(option, sizeof option, "file,path=%s", path);
    for (unsigned i = 0; i < 2; i++) {
        struct chardev *c = must_open(option);
        cr_assert_eq(c->write(c, (const uint8_t *)"line\n", 5), 5);
        chardev_close(c);
        strcat(option, ",append=on");
    }
    int at = open(path, O_RDONLY);
    cr_assert_eq(read(at, content, sizeof content), 10);
    cr_assert_str_eq(content, "line\nline\n");
    close(at);
    unlink(path);
    rmdir(folder);
}

Test(chardev, pty)
{
    struct front f;
    char answer[8] = "";
    struct chardev *c = must_open("pty");
    listen_to(c, &f, 100);
    UNTIL(c->write(c, (const uint8_t *)"lost", 4) == 4);
    int at = open(c->address, O_RDWR | O_NOCTTY);
    cr_assert(at >= 0);
    cr_assert_eq(write(at, "typed", 5), 5);
    UNTIL(f.n == 5);
    c->write(c, (const uint8_t *)"echo", 4);
    cr_assert_eq(read(at, answer, 4), 4);
    cr_assert_str_eq(answer, "echo");
    close(at);
    chardev_connect(c, &(struct chardev_front){0});
    chardev_close(c);
}

Test(chardev, stdio)
{
    int in[2], out[2];
    struct front f;
    char answer[8] = "";
    cr_assert(!pipe(in) && !pipe(out));
    int old_in = dup(0), old_out = dup(1);
    dup2(in[0], 0);
    dup2(out[1], 1);
    struct chardev *c = must_open("stdio,signal=off");
    listen_to(c, &f, 100);
    cr_assert_eq(write(in[1], "keys", 4), 4);
    UNTIL(f.n == 4);
    c->write(c, (const uint8_t *)"said", 4);
    cr_assert_eq(read(out[0], answer, 4), 4);
    close(in[1]);
    for (unsigned i = 0; i < 20; i++)
        g_main_context_iteration(NULL, FALSE);
    c->write(c, (const uint8_t *)"more", 4);
    cr_assert_eq(read(out[0], answer, 4), 4, "output goes on after the end of input");
    chardev_close(c);
    cr_assert_not(fcntl(0, F_GETFL) & O_NONBLOCK);
    dup2(old_in, 0);
    dup2(old_out, 1);
}
