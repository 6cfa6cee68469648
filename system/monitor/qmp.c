/* The QMP protocol on a character device: greeting, negotiation, commands, answers. See monitor.h. */
#include <string.h>

#include "system/monitor/monitor.h"

struct qmp_session {
    struct monitor_session session;
    struct json_stream stream;
    bool pretty;
    bool commands; /* capabilities have been negotiated */
};

static struct qmp_session *qmp(struct monitor_session *s) { return (struct qmp_session *)s; }

static void send_json(struct monitor_session *s, const struct json *v)
{
    GString *text = g_string_new(NULL);
    json_write(text, v, qmp(s)->pretty);
    g_string_append(text, "\r\n");
    monitor_send(s, text->str, text->len);
    g_string_free(text, TRUE);
}

static void send_error(struct monitor_session *s, const struct json *id, const char *class, const char *text)
{
    struct json *error = json_put_string(json_object(), "class", class);
    json_put_string(error, "desc", text);
    AUTO_JSON answer = json_put(json_object(), "error", error);
    if (id)
        json_put(answer, "id", json_copy(id));
    send_json(s, answer);
}

static void opened(struct monitor_session *s)
{
    qmp(s)->commands = false;
    json_stream_next(&qmp(s)->stream);
    struct qmp_error e = {0};
    struct json *version = monitor_execute(s->monitor, "query-version", NULL, &e);
    struct json *greeting = json_put(json_object(), "version", version);
    json_put(greeting, "capabilities", json_array());
    AUTO_JSON message = json_put(json_object(), "QMP", greeting);
    send_json(s, message);
}

static void event(struct monitor_session *s, const char *name, const struct json *message)
{
    if (qmp(s)->commands)
        send_json(s, message);
}

/* What is wrong with a request; NULL: nothing. g_free(). */
static char *wrong_request(const struct json *request)
{
    if (request->type != JSON_OBJECT)
        return g_strdup("QMP input must be a JSON object");
    for (unsigned i = 0; i < request->n; i++) {
        const char *key = request->key[i];
        const struct json *v = request->item[i];
        if (!strcmp(key, "execute") || !strcmp(key, "exec-oob")) {
            if (v->type != JSON_STRING)
                return g_strdup_printf("QMP input member '%s' must be a string", key);
        } else if (!strcmp(key, "arguments")) {
            if (v->type != JSON_OBJECT)
                return g_strdup("QMP input member 'arguments' must be an object");
        } else if (strcmp(key, "id")) {
            return g_strdup_printf("QMP input member '%s' is unexpected", key);
        }
    }
    if (json_get(request, "exec-oob"))
        return g_strdup("QMP input member 'exec-oob' is unexpected: out-of-band execution has not been offered");
    return json_get(request, "execute") ? NULL : g_strdup("QMP input lacks member 'execute'");
}

static void execute(struct monitor_session *s, const struct json *request)
{
    const struct json *id = json_get(request, "id");
    g_autofree char *wrong = wrong_request(request);
    if (wrong) {
        send_error(s, id, "GenericError", wrong);
        return;
    }
    const char *command = json_get_string(request, "execute");
    bool negotiates = !strcmp(command, "qmp_capabilities");
    if (negotiates == qmp(s)->commands) {
        g_autofree char *text = negotiates ? g_strdup("Capabilities negotiation is already complete, command ignored")
                                           : g_strdup("Expecting capabilities negotiation with 'qmp_capabilities'");
        send_error(s, id, "CommandNotFound", text);
        return;
    }
    struct qmp_error e = {0};
    struct json *result = monitor_execute(s->monitor, command, json_get(request, "arguments"), &e);
    if (e.class) {
        send_error(s, id, e.class, e.text);
        g_free(e.text);
        return;
    }
    if (negotiates)
        qmp(s)->commands = true;
    AUTO_JSON answer = json_put(json_object(), "return", result);
    if (id)
        json_put(answer, "id", json_copy(id));
    send_json(s, answer);
}

static void value_ended(struct monitor_session *s, enum json_step how)
{
    struct json_stream *stream = &qmp(s)->stream;
    g_autofree char *error = NULL;
    AUTO_JSON request = NULL;
    if (how == JSON_VALUE)
        request = json_parse(stream->text->str, stream->text->len, &error);
    json_stream_next(stream);
    if (request)
        execute(s, request);
    else
        send_error(s, NULL, "GenericError", error ? error : "JSON parse error, the input is no JSON value");
}

static void receive(struct monitor_session *s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum json_step step = json_stream_feed(&qmp(s)->stream, bytes[i]);
        if (step != JSON_MORE)
            value_ended(s, step);
    }
}

static void free_session(struct monitor_session *s)
{
    json_stream_free(&qmp(s)->stream);
    g_free(s);
}

void monitor_open_qmp(struct monitor *m, struct chardev *c, bool pretty)
{
    struct qmp_session *s = g_new0(struct qmp_session, 1);
    s->session = (struct monitor_session){.opened = opened, .receive = receive, .event = event, .free = free_session};
    s->pretty = pretty;
    json_stream_init(&s->stream);
    monitor_add_session(m, &s->session, c);
}
