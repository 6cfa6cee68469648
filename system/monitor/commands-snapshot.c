/*
 * Commands about snapshots and the machine's state in files. They are done when they return; the protocol's jobs are
 * kept as concluded until the client dismisses them. See qmp.schema.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/boards/snapshot.h"
#include "qmp-schema.h"
#include "system/monitor/human.h"
#include "system/monitor/monitor.h"

enum { NS_PER_SECOND = 1000000000, US_PER_MS = 1000 };

/* --- snapshots by the human monitor --- */

static void print_line(char *line, GString *out)
{
    if (line)
        g_string_append_printf(out, "Error: %s\n", line);
    free(line);
}

static void with_drives(struct monitor *m, const char *name, GString *out,
                        char *(*fn)(struct board *b, const struct snapshot_drives *d, const char *name))
{
    struct snapshot_drives d = backends_snapshot_drives(m->backends);
    print_line(fn(m->board, &d, name), out);
    g_free(d.drive);
}

static bool no_name(const char *name, const char *command, GString *out)
{
    if (!*name)
        g_string_append_printf(out, "usage: %s name\n", command);
    return !*name;
}

void human_savevm(struct monitor *m, const char *rest, GString *out)
{
    with_drives(m, *rest ? rest : NULL, out, snapshot_save);
}

void human_loadvm(struct monitor *m, const char *rest, GString *out)
{
    if (!no_name(rest, "loadvm", out))
        with_drives(m, rest, out, snapshot_load);
}

void human_delvm(struct monitor *m, const char *rest, GString *out)
{
    if (!no_name(rest, "delvm", out))
        with_drives(m, rest, out, snapshot_delete);
}

static void print_snapshot(const struct block_snapshot *s, GString *out)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_local((gint64)s->seconds);
    g_autofree char *when = date ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : g_strdup("");
    g_autofree char *size = g_format_size_full(s->state_size, G_FORMAT_SIZE_IEC_UNITS);
    unsigned seconds = (unsigned)(s->clock / NS_PER_SECOND), ms = (unsigned)(s->clock % NS_PER_SECOND / 1000000);
    g_string_append_printf(out, "%-10s%-16s%10s%20s   %02u:%02u:%02u.%03u\n", s->id, s->name, size, when,
                           seconds / 3600, seconds / 60 % 60, seconds % 60, ms);
}

/* Those that can be loaded: the first disk has them with the machine's state, and the others have them, too. */
void human_info_snapshots(struct monitor *m, GString *out)
{
    struct snapshot_drives d = backends_snapshot_drives(m->backends);
    char *error = NULL;
    struct block *home = snapshot_drive(&d, &error);
    const struct block_snapshot *s;
    unsigned n = 0;
    for (unsigned i = 0; home && (s = block_snapshot_at(home, i)); i++) {
        bool everywhere = s->state_size;
        for (unsigned k = 0; k < d.n; k++)
            everywhere &= !block_can_snapshot(d.drive[k]) || block_snapshot_find(d.drive[k], s->name) >= 0;
        if (!everywhere)
            continue;
        if (!n++)
            g_string_append(out, "List of snapshots present on all disks:\nID        TAG               VM SIZE         "
                                 "       DATE     VM CLOCK\n");
        print_snapshot(s, out);
    }
    if (home && !n)
        g_string_append(out, "There is no suitable snapshot available\n");
    print_line(error, out);
    g_free(d.drive);
}

struct json *monitor_snapshots(const struct block *b)
{
    const struct block_snapshot *s;
    struct json *list = json_array();
    for (unsigned i = 0; (s = block_snapshot_at(b, i)); i++) {
        struct json *v = json_put_string(json_object(), "id", s->id);
        json_put_string(v, "name", s->name);
        json_put_int(v, "vm-state-size", (int64_t)s->state_size);
        json_put_int(v, "date-sec", (int64_t)s->seconds);
        json_put_int(v, "date-nsec", s->nanoseconds);
        json_put_int(v, "vm-clock-sec", (int64_t)(s->clock / NS_PER_SECOND));
        json_put_int(v, "vm-clock-nsec", (int64_t)(s->clock % NS_PER_SECOND));
        json_add(list, v);
    }
    return list;
}

/* --- jobs --- */

struct monitor_job {
    char *id, *error; /* error NULL: none */
    const char *type;
};

static void free_job(gpointer p)
{
    struct monitor_job *j = p;
    g_free(j->id);
    g_free(j->error);
    g_free(j);
}

GPtrArray *monitor_jobs_new(void) { return g_ptr_array_new_with_free_func(free_job); }

static struct monitor_job *find_job(const struct monitor *m, const char *id)
{
    for (guint i = 0; i < m->jobs->len; i++) {
        struct monitor_job *j = g_ptr_array_index(m->jobs, i);
        if (!strcmp(j->id, id))
            return j;
    }
    return NULL;
}

static void tell_status(struct monitor *m, const struct monitor_job *j, const char *status)
{
    monitor_event(m, "JOB_STATUS_CHANGE",
                  json_put_string(json_put_string(json_object(), "id", j->id), "status", status));
}

/* NULL, the error set: there is such a job. */
static struct monitor_job *begin_job(struct monitor *m, const char *id, const char *type, struct qmp_error *e)
{
    if (!*id || find_job(m, id)) {
        qmp_fail(e, *id ? "Job ID '%s' already in use" : "Invalid job ID '%s'", id);
        return NULL;
    }
    struct monitor_job *j = g_new0(struct monitor_job, 1);
    j->id = g_strdup(id);
    j->type = type;
    g_ptr_array_add(m->jobs, j);
    tell_status(m, j, "created");
    tell_status(m, j, "running");
    return j;
}

static void end_job(struct monitor *m, struct monitor_job *j, char *error)
{
    j->error = g_strdup(error);
    free(error);
    tell_status(m, j, j->error ? "aborting" : "waiting");
    if (!j->error)
        tell_status(m, j, "pending");
    tell_status(m, j, "concluded");
}

struct json *qmp_query_jobs(struct monitor *m, const struct qmp_query_jobs_args *a, struct qmp_error *e)
{
    struct json *list = json_array();
    for (guint i = 0; i < m->jobs->len; i++) {
        const struct monitor_job *j = g_ptr_array_index(m->jobs, i);
        struct json *v = json_put_string(json_object(), "id", j->id);
        json_put_string(v, "type", j->type);
        json_put_string(v, "status", "concluded");
        json_put_int(v, "current-progress", 1);
        json_put_int(v, "total-progress", 1);
        if (j->error)
            json_put_string(v, "error", j->error);
        json_add(list, v);
    }
    return list;
}

struct json *qmp_job_dismiss(struct monitor *m, const struct qmp_job_dismiss_args *a, struct qmp_error *e)
{
    struct monitor_job *j = find_job(m, a->id);
    if (!j) {
        qmp_fail(e, "Job not found");
        return NULL;
    }
    tell_status(m, j, "null");
    g_ptr_array_remove(m->jobs, j);
    return NULL;
}

/* The disks that a client names, that for the machine's state (NULL: none) first. An error line, as it is the job's. */
static char *named_drives(struct monitor *m, const char *state, const struct json *names, struct snapshot_drives *d)
{
    *d = (struct snapshot_drives){.drive = g_new0(struct block *, names->n + 1)};
    bool found = !state;
    for (unsigned i = 0; i < names->n; i++) {
        struct block *b = g_hash_table_lookup(m->backends->drives, names->item[i]->text);
        if (!b)
            return device_error("No block device node '%s'", names->item[i]->text);
        if (!block_can_snapshot(b))
            return device_error(
                "Block format '%s' used by device '%s' does not support internal snapshots, or it is read only",
                b->format->name, names->item[i]->text);
        bool first = state && !strcmp(names->item[i]->text, state);
        d->drive[d->n] = first ? d->drive[0] : b;
        if (first)
            d->drive[0] = b;
        d->n++;
        found |= first;
    }
    return found ? NULL : device_error("vmstate block device '%s' does not exist among the devices", state);
}

static void run_job(struct monitor *m, const char *id, const char *type, const char *tag, const char *state,
                    const struct json *names,
                    char *(*fn)(struct board *b, const struct snapshot_drives *d, const char *name),
                    struct qmp_error *e)
{
    struct monitor_job *j = begin_job(m, id, type, e);
    struct snapshot_drives d;
    if (!j)
        return;
    char *error = named_drives(m, state, names, &d);
    end_job(m, j, error ? error : fn(m->board, &d, tag));
    g_free(d.drive);
}

/* Unlike savevm, a job does not replace a snapshot. */
static char *save_new(struct board *b, const struct snapshot_drives *d, const char *name)
{
    for (unsigned i = 0; i < d->n; i++)
        if (block_snapshot_find(d->drive[i], name) >= 0)
            return device_error("Snapshot '%s' already exists in one or more devices", name);
    return snapshot_save(b, d, name);
}

struct json *qmp_snapshot_save(struct monitor *m, const struct qmp_snapshot_save_args *a, struct qmp_error *e)
{
    run_job(m, a->job_id, "snapshot-save", a->tag, a->vmstate, a->devices, save_new, e);
    return NULL;
}

struct json *qmp_snapshot_load(struct monitor *m, const struct qmp_snapshot_load_args *a, struct qmp_error *e)
{
    run_job(m, a->job_id, "snapshot-load", a->tag, a->vmstate, a->devices, snapshot_load, e);
    return NULL;
}

struct json *qmp_snapshot_delete(struct monitor *m, const struct qmp_snapshot_delete_args *a, struct qmp_error *e)
{
    run_job(m, a->job_id, "snapshot-delete", a->tag, NULL, a->devices, snapshot_delete, e);
    return NULL;
}

/* --- the state in a file --- */

/* The path of "file:PATH"; NULL, the error set: it is something else. */
static const char *file_of(const char *uri, struct qmp_error *e)
{
    static const char prefix[] = "file:";
    if (!strncmp(uri, prefix, strlen(prefix)) && uri[strlen(prefix)])
        return uri + strlen(prefix);
    qmp_fail(e, "unknown migration protocol: %s; there is file:PATH", uri);
    return NULL;
}

static void set_migration(struct monitor *m, const char *status, const char *error, int64_t since)
{
    m->migration.status = status;
    g_free(m->migration.error);
    m->migration.error = g_strdup(error);
    m->migration.ms = (g_get_monotonic_time() - since) / US_PER_MS;
    monitor_event(m, "MIGRATION", json_put_string(json_object(), "status", status));
}

struct json *qmp_migrate(struct monitor *m, const struct qmp_migrate_args *a, struct qmp_error *e)
{
    struct machine *machine = &m->board->machine;
    const char *path = file_of(a->uri, e);
    if (!path)
        return NULL;
    struct snapshot_drives d = backends_snapshot_drives(m->backends);
    enum run_state before = machine->state;
    int64_t since = g_get_monotonic_time();
    monitor_event(m, "MIGRATION", json_put_string(json_object(), "status", "active"));
    machine_pause(machine, RUN_STATE_PAUSED);
    char *error = snapshot_save_file(m->board, &d, path);
    machine_restore(machine, error ? before : RUN_STATE_POSTMIGRATE);
    set_migration(m, error ? "failed" : "completed", error, since);
    g_free(d.drive);
    qmp_fail_line(e, error);
    return NULL;
}

/* -d means "do not wait", which nobody has to here. */
void human_migrate(struct monitor *m, const char *rest, GString *out)
{
    if (!strncmp(rest, "-d ", 3))
        rest += 3;
    json_free(human_execute(m, "migrate", json_put_string(json_object(), "uri", rest), out));
}

struct json *qmp_migrate_incoming(struct monitor *m, const struct qmp_migrate_incoming_args *a, struct qmp_error *e)
{
    struct machine *machine = &m->board->machine;
    const char *path = file_of(a->uri, e);
    if (path && machine->state != RUN_STATE_INMIGRATE) {
        qmp_fail(e, "'-incoming' was not specified on the command line");
        path = NULL;
    }
    if (!path)
        return NULL;
    struct snapshot_drives d = backends_snapshot_drives(m->backends);
    int64_t since = g_get_monotonic_time();
    char *error = snapshot_load_file(m->board, &d, path);
    if (!error)
        machine_restore(machine, m->options->stopped ? RUN_STATE_PAUSED : RUN_STATE_RUNNING);
    set_migration(m, error ? "failed" : "completed", error, since);
    g_free(d.drive);
    qmp_fail_line(e, error);
    return NULL;
}

struct json *qmp_query_migrate_capabilities(struct monitor *m, const struct qmp_query_migrate_capabilities_args *a,
                                            struct qmp_error *e)
{
    return json_array();
}

struct json *qmp_query_migrate(struct monitor *m, const struct qmp_query_migrate_args *a, struct qmp_error *e)
{
    struct json *v = json_object();
    if (!m->migration.status)
        return v;
    json_put_string(v, "status", m->migration.status);
    json_put_int(v, "total-time", m->migration.ms);
    if (m->migration.error)
        json_put_string(v, "error-desc", m->migration.error);
    return v;
}

void human_info_migrate(struct monitor *m, GString *out)
{
    if (m->migration.status)
        g_string_append_printf(out, "Status: %s\nTotal time (ms): %lld\n", m->migration.status,
                               (long long)m->migration.ms);
    if (m->migration.error)
        g_string_append_printf(out, "Error: %s\n", m->migration.error);
}
