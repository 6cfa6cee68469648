/* metic-system: a machine from the command line to its end. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "softmmu/chardev-mux.h"
#include "softmmu/chardev-open.h"
#include "softmmu/main-loop.h"
#include "system/devices.h"
#include "system/options.h"

/* What is made for a run, in this order. */
struct run {
    struct system_options o;
    struct backends backends;
    struct main_loop loop;
    struct chardev *terminal;
    struct chardev_mux mux;
    struct chardev *serial;
    struct board *board;
};

/* Reports the line and frees it. */
static bool failed(char *error)
{
    if (error)
        report_error("%s", error);
    free(error);
    return error;
}

static bool open_chardev(const char *text, GMainContext *context, struct chardev **out)
{
    struct options options;
    char *error = options_parse(&options, text, "backend");
    if (!error)
        error = chardev_open(&options, context, out);
    options_free(&options);
    return !failed(error);
}

static void quit(void *opaque)
{
    machine_ask_shutdown(&((struct run *)opaque)->board->machine, CAUSE_HOST_UI, 0);
}

/* The serial line: where the user wants it, else on the terminal together with Ctrl-a commands. */
static bool open_serial(struct run *r, GMainContext *context)
{
    if (r->o.serial && strcmp(r->o.serial, "mon:stdio"))
        return open_chardev(r->o.serial, context, &r->serial);
    if (!open_chardev(r->o.on_terminal || r->o.serial ? "stdio,signal=off" : "stdio", context, &r->terminal))
        return false;
    chardev_mux_init(&r->mux, r->terminal, quit, r);
    r->o.b.serial[0] = chardev_mux_port(&r->mux);
    return true;
}

static void reset(void *opaque)
{
    struct run *r = opaque;
    if (failed(board_reset(r->board)))
        machine_ask_shutdown(&r->board->machine, CAUSE_HOST_ERROR, 1);
}

static bool add_all(char **texts, bool (*add)(struct backends *b, const char *text), struct backends *b)
{
    for (; texts && *texts; texts++)
        if (!add(b, *texts))
            return false;
    return true;
}

static bool add_devices(struct run *r)
{
    for (char **text = r->o.devices; text && *text; text++)
        if (!devices_add(&r->backends, r->board, *text))
            return false;
    return devices_add_drives(&r->backends, r->board);
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
    return !failed(error);
}

/* Runs the machine to its end. */
static int run_board(struct run *r, GMainContext *context)
{
    struct machine *m = &r->board->machine;
    int code = 1;
    main_loop_init(&r->loop, m, context, reset, r);
    r->loop.no_reboot = r->o.no_reboot;
    machine_lock(m);
    bool ok = add_devices(r) && load_state(r) && (!r->o.sandbox.on || !failed(sandbox_close(&r->o.sandbox)));
    if (ok && !r->o.stopped)
        machine_resume(m);
    machine_unlock(m);
    if (ok)
        code = main_loop_run(&r->loop);
    machine_lock(m);
    main_loop_free(&r->loop);
    machine_unlock(m);
    return code;
}

static int run(struct run *r)
{
    GMainContext *context = g_main_context_new();
    int code = 1;
    backends_init(&r->backends, context);
    bool ok = open_serial(r, context) && add_all(r->o.chardevs, backends_add_chardev, &r->backends) &&
              add_all(r->o.drives, backends_add_drive, &r->backends) && add_all(r->o.netdevs, backends_add_netdev, &r->backends);
    if (r->serial)
        r->o.b.serial[0] = r->serial;
    if (ok && !failed(board_new(r->o.board, &r->o.b, &r->board))) {
        code = run_board(r, context);
        board_free(r->board);
    }
    backends_free(&r->backends);
    if (r->serial)
        chardev_close(r->serial);
    if (r->terminal)
        chardev_close(r->terminal);
    g_main_context_unref(context);
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
