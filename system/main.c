/* metic-system: a machine from the command line to its end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "softmmu/chardev-mux.h"
#include "softmmu/chardev-open.h"
#include "softmmu/main-loop.h"
#include "system/background.h"
#include "system/blockdev.h"
#include "system/debugger.h"
#include "system/devices.h"
#include "system/monitor/monitor.h"
#include "system/options.h"

/* What is made for a run, in this order. */
struct run {
    struct system_options o;
    struct backends backends;
    struct main_loop loop;
    struct chardev *terminal; /* NULL: nothing is on it together */
    struct chardev_mux mux;
    struct board *board;
    struct monitor monitor;
    struct debugger debugger;
    struct background background;
};

/* Reports the line and frees it. */
static bool failed(char *error)
{
    if (error)
        report_error("%s", error);
    free(error);
    return error;
}

/* --- character devices of options that name none --- */

/* One more under a name that users' ids cannot be, or (chardev:ID) one that they have made. */
static bool open_chardev(struct run *r, const char *text, struct chardev **out)
{
    static const char reference[] = "chardev:";
    GHashTable *table = r->backends.chardevs;
    if (!strncmp(text, reference, strlen(reference))) {
        *out = g_hash_table_lookup(table, text + strlen(reference));
        if (!*out)
            report_error("there is no chardev with the id %s", text + strlen(reference));
        return *out;
    }
    g_autofree char *form = chardev_long_form(text), *id = g_strdup_printf("compat_%u", g_hash_table_size(table));
    g_autofree char *whole = g_strdup_printf("%s,id=%s", form, id);
    if (failed(backends_add_chardev(&r->backends, whole)))
        return false;
    *out = g_hash_table_lookup(table, id);
    return true;
}

static void quit(void *opaque)
{
    machine_ask_shutdown(&((struct run *)opaque)->board->machine, CAUSE_HOST_UI, 0);
}

/* The serial line: where the user wants it, else on the terminal together with Ctrl-a commands and the monitor. */
static bool open_serial(struct run *r)
{
    const struct system_options *o = &r->o;
    if (o->serial && strcmp(o->serial, "mon:stdio"))
        return !strcmp(o->serial, "none") || open_chardev(r, o->serial, &r->o.b.serial[0]);
    if (!o->serial && !o->on_terminal && o->no_defaults)
        return true;
    if (!open_chardev(r, o->on_terminal || o->serial ? "stdio,signal=off" : "stdio", &r->terminal))
        return false;
    chardev_mux_init(&r->mux, r->terminal, quit, r);
    r->o.b.serial[0] = chardev_mux_port(&r->mux);
    return true;
}

/* --- monitors --- */

static bool open_qmp(struct run *r, char **texts, bool pretty)
{
    struct chardev *c;
    for (; texts && *texts; texts++) {
        if (!open_chardev(r, *texts, &c))
            return false;
        monitor_open_qmp(&r->monitor, c, pretty);
    }
    return true;
}

/* -mon [chardev=]ID,mode=control|readline,pretty=on */
static bool open_mon(struct run *r, const char *text)
{
    struct options o;
    bool pretty;
    char *line = options_parse(&o, text, "chardev");
    const char *id = line ? NULL : options_get(&o, "chardev"), *mode = line ? NULL : options_get(&o, "mode");
    struct chardev *c = id ? g_hash_table_lookup(r->backends.chardevs, id) : NULL;
    options_get(&o, "id"); /* nobody asks for a monitor by name */
    bool control = mode && !strcmp(mode, "control");
    bool ok = !line && options_bool(&o, "pretty", false, &pretty) && !options_unknown(&o) &&
              (!mode || control || !strcmp(mode, "readline"));
    if (!ok)
        report_error("-mon wants chardev=ID, mode=control or readline, and perhaps pretty=on, not '%s'", text);
    else if (!c || c->front.receive)
        report_error("-mon: %s",
                     c ? "the chardev is in use" : "there is no chardev with this id; make it with -chardev");
    else if (control)
        monitor_open_qmp(&r->monitor, c, pretty);
    else
        monitor_open_human(&r->monitor, c);
    ok = ok && c && c->front.receive;
    options_free(&o);
    free(line);
    return ok;
}

static bool open_monitors(struct run *r)
{
    const struct system_options *o = &r->o;
    struct chardev *c = NULL;
    if (o->monitor && strcmp(o->monitor, "none") && strcmp(o->monitor, "null") && !open_chardev(r, o->monitor, &c))
        return false;
    if (!o->monitor && r->terminal)
        c = chardev_mux_port(&r->mux);
    else if (!o->monitor && o->on_terminal && strcmp(o->serial, "stdio") && !open_chardev(r, "stdio", &c))
        return false;
    if (c)
        monitor_open_human(&r->monitor, c);
    for (char **text = o->monitors; text && *text; text++)
        if (!open_mon(r, *text))
            return false;
    return open_qmp(r, o->qmp, false) && open_qmp(r, o->qmp_pretty, true);
}

/* A socket is a server that does not wait: -S is for that. */
static bool open_debugger(struct run *r)
{
    const char *text = r->o.gdb;
    struct chardev *c;
    if (!text || !strcmp(text, "none"))
        return true;
    bool socket = g_str_has_prefix(text, "tcp:") || g_str_has_prefix(text, "unix:");
    g_autofree char *whole = g_strconcat(text, socket && !strstr(text, ",server") ? ",server=on" : "",
                                         socket && !strstr(text, ",wait") ? ",wait=off" : "", NULL);
    if (!open_chardev(r, whole, &c))
        return false;
    if (c->front.receive) {
        report_error("-gdb: the chardev is in use");
        return false;
    }
    debugger_open(&r->debugger, &r->monitor, c);
    return true;
}

/* --- the machine --- */

static void reset(void *opaque)
{
    struct run *r = opaque;
    if (failed(board_reset(r->board)))
        machine_ask_shutdown(&r->board->machine, CAUSE_HOST_ERROR, 1);
}

static void powerdown(void *opaque) { board_powerdown(((struct run *)opaque)->board); }

static gboolean signalled(gpointer opaque)
{
    machine_ask_shutdown(&((struct run *)opaque)->board->machine, CAUSE_HOST_SIGNAL, 0);
    return G_SOURCE_CONTINUE;
}

/* A terminal is put right, and files are closed, after these, too. */
static void watch_signals(struct run *r, GMainContext *context)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_autoptr(GSource) source = g_unix_signal_source_new(signals[i]);
        g_source_set_callback(source, signalled, r, NULL);
        g_source_attach(source, context);
    }
}

static bool add_all(char **texts, char *(*add)(struct backends *b, const char *text), struct backends *b)
{
    for (; texts && *texts; texts++)
        if (failed(add(b, *texts)))
            return false;
    return true;
}

static bool add_devices(struct run *r)
{
    for (char **text = r->o.devices; text && *text; text++)
        if (failed(devices_add(&r->backends, r->board, *text)))
            return false;
    return !failed(devices_add_drives(&r->backends, r->board));
}

/* The state to begin with, where it is not that of power-on. */
static bool load_state(struct run *r)
{
    struct snapshot_drives d = backends_snapshot_drives(&r->backends);
    char *error = NULL;
    if (r->o.loadvm)
        error = snapshot_load(r->board, &d, r->o.loadvm);
    else if (r->o.incoming)
        error = snapshot_load_file(r->board, &d, r->o.incoming);
    g_free(d.drive);
    if (!error && (r->o.loadvm || r->o.incoming))
        machine_pause(&r->board->machine, RUN_STATE_PAUSED); /* its guest has begun long ago */
    return !failed(error);
}

/* Runs the machine to its end. */
static int run_board(struct run *r, GMainContext *context)
{
    struct machine *m = &r->board->machine;
    int code = 1;
    main_loop_init(&r->loop, m, context, reset, r);
    r->loop.powerdown = powerdown;
    r->loop.no_reboot = r->o.no_reboot;
    r->loop.no_shutdown = r->o.no_shutdown;
    machine_lock(m);
    monitor_init(&r->monitor, r->board, &r->backends, &r->loop, &r->o);
    watch_signals(r, context);
    bool ok = add_devices(r) && load_state(r) && open_monitors(r) && open_debugger(r) &&
              !failed(background_ready(&r->background)) && (!r->o.sandbox.on || !failed(sandbox_close(&r->o.sandbox)));
    if (ok && r->o.defer)
        machine_pause(m, RUN_STATE_INMIGRATE);
    else if (ok && !r->o.stopped)
        machine_resume(m);
    machine_unlock(m);
    if (ok)
        code = main_loop_run(&r->loop);
    machine_lock(m);
    debugger_close(&r->debugger);
    monitor_free(&r->monitor);
    main_loop_free(&r->loop);
    machine_unlock(m);
    return code;
}

static int run(struct run *r)
{
    int code = 1;
    if (failed(background_begin(&r->background, r->o.daemonize, r->o.pidfile)))
        return code;
    GMainContext *context = g_main_context_new();
    backends_init(&r->backends, context);
    r->backends.temporary = r->o.temporary;
    r->backends.drive_failed = monitor_drive_failed;
    r->backends.drive_failed_opaque = &r->monitor;
    bool ok = add_all(r->o.chardevs, backends_add_chardev, &r->backends) && open_serial(r) &&
              add_all(r->o.drives, backends_add_drive, &r->backends) &&
              add_all(r->o.blockdevs, blockdev_add, &r->backends) &&
              add_all(r->o.netdevs, backends_add_netdev, &r->backends);
    r->o.b.files = r->o.fw_cfg;
    memcpy(r->o.b.flash, r->backends.flash, sizeof r->o.b.flash);
    if (ok && !failed(board_new(r->o.board, &r->o.b, &r->board))) {
        code = run_board(r, context);
        board_free(r->board);
    }
    backends_free(&r->backends);
    g_main_context_unref(context);
    background_end(&r->background);
    return code;
}

int main(int argc, char **argv)
{
    static struct run r;
    switch (system_options_read(&r.o, argv)) {
    case SYSTEM_DONE: return 0;
    case SYSTEM_BAD: return 1;
    default: break;
    }
    signal(SIGPIPE, SIG_IGN);
    return run(&r);
}
