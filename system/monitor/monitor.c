/* Sessions and events of the monitor: see monitor.h. */
#include "system/monitor/monitor.h"

#include <string.h>

#include "base/log.h"

enum { MUCH_WAITING = 64 << 10, TOO_MUCH_WAITING = 16 << 20 };

/* --- sessions --- */

static size_t room(void *opaque)
{
    const struct monitor_session *s = opaque;
    return s->out->len < MUCH_WAITING ? 4096 : 0; /* who does not read is not heard */
}

static void flush(struct monitor_session *s)
{
    while (s->out->len) {
        size_t n = s->chardev->write(s->chardev, (const uint8_t *)s->out->str, s->out->len);
        if (!n)
            return;
        g_string_erase(s->out, 0, (gssize)n);
    }
}

static void writable(void *opaque)
{
    struct monitor_session *s = opaque;
    flush(s);
    if (s->chardev->resume)
        s->chardev->resume(s->chardev);
}

static void receive(void *opaque, const uint8_t *bytes, size_t n)
{
    struct monitor_session *s = opaque;
    s->receive(s, (const char *)bytes, n);
}

static void connection(void *opaque, enum chardev_event what)
{
    struct monitor_session *s = opaque;
    if (what == CHARDEV_CLOSED)
        g_string_truncate(s->out, 0);
    if (what == CHARDEV_OPENED)
        s->opened(s);
    if (what == CHARDEV_FOCUSED && s->focused)
        s->focused(s);
}

void monitor_send(struct monitor_session *s, const char *bytes, size_t n)
{
    if (s->out->len > TOO_MUCH_WAITING)
        return; /* a client that never reads */
    g_string_append_len(s->out, bytes, (gssize)n);
    flush(s);
}

void monitor_add_session(struct monitor *m, struct monitor_session *s, struct chardev *c)
{
    s->monitor = m;
    s->chardev = c;
    s->out = g_string_new(NULL);
    s->next = m->sessions;
    m->sessions = s;
    chardev_connect(c, &(struct chardev_front){room, receive, writable, connection, s});
    s->opened(s); /* to a server without a client this writes nothing */
}

/* --- events --- */

/* Of an event that is limited: when it may be sent next, and what waits for that. */
struct event_gate {
    struct monitor *monitor;
    const struct schema_event *event;
    struct timer timer;
    struct json *waiting;
};

static void send_event(struct monitor *m, const struct schema_event *event, const struct json *message)
{
    for (struct monitor_session *s = m->sessions; s; s = s->next)
        if (s->event)
            s->event(s, event->name, message);
}

static void gate_opens(void *opaque)
{
    struct event_gate *g = opaque;
    AUTO_JSON message = g_steal_pointer(&g->waiting);
    if (!message)
        return;
    timer_set(&g->timer, clock_now(g->timer.clocks, CLOCK_REAL) + g->event->interval);
    send_event(g->monitor, g->event, message);
}

static struct json *timestamp(void)
{
    int64_t us = g_get_real_time();
    struct json *t = json_object();
    json_put_int(t, "seconds", us / G_USEC_PER_SEC);
    return json_put_int(t, "microseconds", us % G_USEC_PER_SEC);
}

void monitor_event(struct monitor *m, const char *name, struct json *data)
{
    unsigned i = 0;
    while (i < qmp_nevents && strcmp(qmp_events[i].name, name))
        i++;
    CHECK(i < qmp_nevents);
    const struct schema_event *event = &qmp_events[i];
    char *wrong = event->data ? schema_check(event->data, data, "") : NULL;
    if (wrong)
        BUG("event %s: %s", name, wrong);
    AUTO_JSON message = json_put(json_object(), "timestamp", timestamp());
    json_put_string(message, "event", name);
    if (data)
        json_put(message, "data", data);
    struct event_gate *g = &m->gates[i];
    if (event->interval && timer_is_set(&g->timer)) {
        json_free(g->waiting);
        g->waiting = g_steal_pointer(&message);
        return;
    }
    if (event->interval)
        timer_set(&g->timer, clock_now(g->timer.clocks, CLOCK_REAL) + event->interval);
    send_event(m, event, message);
}

static void machine_event(void *opaque, const struct machine_event *e)
{
    static const char *const names[] = {[MACHINE_STOPPED] = "STOP",        [MACHINE_RESUMED] = "RESUME",
                                        [MACHINE_RESET] = "RESET",         [MACHINE_SHUTDOWN] = "SHUTDOWN",
                                        [MACHINE_POWERDOWN] = "POWERDOWN", [MACHINE_DEVICE_DELETED] = "DEVICE_DELETED"};
    struct json *data = NULL;
    if (e->kind == MACHINE_DEVICE_DELETED) {
        data = json_put_string(json_object(), "path", e->path);
        if (e->device)
            json_put_string(data, "device", e->device);
    }
    if (e->kind == MACHINE_RESET || e->kind == MACHINE_SHUTDOWN) {
        data = json_put_bool(json_object(), "guest", shutdown_cause_is_guest(e->cause));
        json_put_string(data, "reason", shutdown_cause_name(e->cause));
    }
    monitor_event(opaque, names[e->kind], data);
}

/* --- life --- */

void monitor_init(struct monitor *m, struct board *board, struct backends *backends, struct main_loop *loop,
                  const struct system_options *options)
{
    *m = (struct monitor){.board = board, .backends = backends, .loop = loop, .options = options};
    m->jobs = monitor_jobs_new();
    m->gates = g_new0(struct event_gate, qmp_nevents);
    for (unsigned i = 0; i < qmp_nevents; i++) {
        m->gates[i].monitor = m;
        m->gates[i].event = &qmp_events[i];
        timer_init(&m->gates[i].timer, &board->machine.clocks, CLOCK_REAL, gate_opens, &m->gates[i]);
    }
    m->listener = (struct machine_listener){machine_event, m, NULL};
    machine_listen(&board->machine, &m->listener);
}

void monitor_free(struct monitor *m)
{
    machine_unlisten(&m->board->machine, &m->listener);
    for (unsigned i = 0; i < qmp_nevents; i++) {
        timer_cancel(&m->gates[i].timer);
        json_free(m->gates[i].waiting);
    }
    g_free(m->gates);
    g_ptr_array_unref(m->jobs);
    g_free(m->migration.error);
    while (m->sessions) {
        struct monitor_session *s = m->sessions;
        m->sessions = s->next;
        flush(s);
        s->chardev->front = (struct chardev_front){0};
        g_string_free(s->out, TRUE);
        s->free(s);
    }
    m->board = NULL;
}

/* --- commands --- */

struct json *monitor_execute(struct monitor *m, const char *command, const struct json *args, struct qmp_error *e)
{
    const struct schema_command *c = qmp_command_by_name(command);
    if (!c) {
        qmp_fail_class(e, "CommandNotFound", "The command %s has not been found", command);
        return NULL;
    }
    AUTO_JSON none = args ? NULL : json_object();
    args = args ? args : none;
    g_autofree char *wrong = schema_check(c->args, args, "");
    if (wrong) {
        qmp_fail(e, "%s", wrong);
        return NULL;
    }
    g_autofree void *unpacked = g_malloc0(c->args_size);
    schema_unpack(c->args, args, unpacked);
    struct json *result = c->call(m, unpacked, e);
    if (e->class) {
        json_free(result);
        return NULL;
    }
    wrong = result && c->result ? schema_check(c->result, result, "return") : NULL;
    if (wrong || (c->result && !result))
        BUG("command %s: %s", command, wrong ? wrong : "it has no result");
    return result ? result : json_object();
}

struct processor *monitor_processor(struct monitor *m, int64_t index, struct qmp_error *e)
{
    if (index >= 0 && index < m->board->machine.nprocessors)
        return m->board->machine.processor[index];
    qmp_fail(e, "Parameter 'cpu-index' expects a CPU number");
    return NULL;
}
