/*
 * The main loop: back ends' events and timers, dispatched under the machine's lock; sleeps without it. Runs the
 * machine's requests (reset, shutdown) while its processors stand still.
 */
#ifndef SOFTMMU_MAIN_LOOP_H
#define SOFTMMU_MAIN_LOOP_H

#include <glib.h>

#include "softmmu/machine.h"

struct main_loop {
    struct machine *machine;
    GMainContext *context;
    void (*reset)(void *opaque); /* puts the board as after power-on; the machine is stopped and locked */
    void *opaque;
    void (*powerdown)(void *opaque); /* presses the board's power button; NULL: it has none */
    bool no_reboot;   /* a reset is a shutdown */
    bool no_shutdown; /* what the guest powers off is kept, stopped */
    int exit_code;
};

/* The context, where back ends live, stays its owner's. */
void main_loop_init(struct main_loop *l, struct machine *m, GMainContext *context, void (*reset)(void *opaque),
                    void *opaque);
/* Until the machine shuts down; returns the exit code. The machine is stopped then. */
int main_loop_run(struct main_loop *l);
void main_loop_free(struct main_loop *l);

#endif
