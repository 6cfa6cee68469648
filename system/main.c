/* metic-system: a machine from the command line to its end. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "softmmu/chardev-mux.h"
#include "softmmu/chardev-open.h"
#include "softmmu/main-loop.h"
#include "system/options.h"

/* What is made for a run, in this order. */
struct run {
    struct system_options o;
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
    machine_ask(&((struct run *)opaque)->board->machine, REQUEST_SHUTDOWN, 0);
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
        machine_ask(&r->board->machine, REQUEST_SHUTDOWN, 1);
}

static int run(struct run *r)
{
    GMainContext *context = g_main_context_new();
    int code = 1;
    if (open_serial(r, context)) {
        if (r->serial)
            r->o.b.serial[0] = r->serial;
        if (!failed(board_new(r->o.board, &r->o.b, &r->board))) {
            main_loop_init(&r->loop, &r->board->machine, context, reset, r);
            r->loop.no_reboot = r->o.no_reboot;
            machine_lock(&r->board->machine);
            if (!r->o.stopped)
                machine_run(&r->board->machine);
            machine_unlock(&r->board->machine);
            code = main_loop_run(&r->loop);
            machine_lock(&r->board->machine);
            main_loop_free(&r->loop);
            machine_unlock(&r->board->machine);
            board_free(r->board);
        }
    }
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
