/*
 * The monitor: QMP and the human monitor's lines on character devices, over one set of commands (qmp.schema).
 * Everything in the main loop's thread under the machine's lock, but monitor_event(), which is for any thread under it.
 *
 * A command is an entry in qmp.schema and a function qmp_NAME(), whose prototype and arguments' struct are in the
 * generated qmp-schema.h. It returns its result, which is checked against the schema, or NULL for an empty one; a
 * mistake is told by qmp_fail() and the result does not matter then.
 */
#ifndef SYSTEM_MONITOR_MONITOR_H
#define SYSTEM_MONITOR_MONITOR_H

#include "softmmu/main-loop.h"
#include "system/devices.h"
#include "system/monitor/schema.h"
#include "system/options.h"

struct monitor {
    struct board *board;
    struct backends *backends;
    struct main_loop *loop;
    const struct system_options *options;
    struct monitor_session *sessions;
    struct machine_listener listener;
    struct event_gate *gates; /* per event: those that are limited */
    unsigned cpu;             /* the processor human commands are about */
    GPtrArray *jobs;          /* commands-snapshot.c's: those that have not been dismissed */
    struct {
        const char *status; /* NULL: there was none */
        char *error;        /* NULL: none */
        int64_t ms;         /* that it took */
    } migration;
};

void monitor_init(struct monitor *m, struct board *board, struct backends *backends, struct main_loop *loop,
                  const struct system_options *options);
/* Ends the sessions; their character devices stay their owners'. */
void monitor_free(struct monitor *m);

/* Sessions on a character device that nobody else listens to. */
void monitor_open_qmp(struct monitor *m, struct chardev *c, bool pretty);
void monitor_open_human(struct monitor *m, struct chardev *c);

/* Runs a command with arguments (NULL: none), which are checked. Returns its result, or NULL with the error set. */
struct json *monitor_execute(struct monitor *m, const char *command, const struct json *args, struct qmp_error *e);
/* Runs a line of the human monitor; what it prints is appended. */
void monitor_human_command(struct monitor *m, const char *line, GString *out);
/* A struct block's failed(), with the monitor: BLOCK_IO_ERROR. */
void monitor_drive_failed(void *monitor, struct block *b, const struct block_request *r, int error);
/* Tells every QMP session; takes the data (NULL: none). The event is one of the schema's. */
void monitor_event(struct monitor *m, const char *name, struct json *data);

/* --- for the kinds of session --- */

struct monitor_session {
    struct monitor *monitor;
    struct monitor_session *next;
    struct chardev *chardev;
    GString *out; /* waits for the character device to take it */
    void (*opened)(struct monitor_session *s);  /* somebody has connected */
    void (*focused)(struct monitor_session *s); /* somebody has turned to it on a shared terminal; NULL: it does not care */
    void (*receive)(struct monitor_session *s, const char *bytes, size_t n);
    void (*event)(struct monitor_session *s, const char *name, const struct json *message); /* NULL: it does not care */
    void (*free)(struct monitor_session *s);
};

/* `s` has its functions; it is heard from now on. Without a client yet (`server`) opened() is called when one comes. */
void monitor_add_session(struct monitor *m, struct monitor_session *s, struct chardev *c);
void monitor_send(struct monitor_session *s, const char *bytes, size_t n);

/* --- for commands --- */

/* The processor of the number; NULL, the error set: there is none. */
struct processor *monitor_processor(struct monitor *m, int64_t index, struct qmp_error *e);
/* What the user's devices are called among the objects; g_free(). */
char *monitor_device_path(const struct monitor *m, const struct device *d);
/* A back end's device of the user's; NULL: none. */
struct device *monitor_user_of(const struct monitor *m, const void *backend);
/* The snapshots in an image, as query-block shows them. */
struct json *monitor_snapshots(const struct block *b);
/* An empty list of jobs. */
GPtrArray *monitor_jobs_new(void);
/* The id of a drive, netdev or chardev; "": it has none. */
const char *monitor_backend_id(const struct monitor *m, const void *backend);
/* The text of a command-line option that says what the object says: "key=value,…", without `but`. g_free(). */
char *monitor_option_text(const struct json *object, const char *but);

#endif
