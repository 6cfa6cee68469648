/*
 * A debugger of the machine, which speaks the gdb remote protocol (gdbstub/): processors are its threads. Lives in the
 * main loop, under the machine's lock.
 */
#ifndef SYSTEM_DEBUGGER_H
#define SYSTEM_DEBUGGER_H

#include "gdbstub/gdbstub.h"
#include "system/monitor/monitor.h"

/* Zeroed: there is none. */
struct debugger {
    struct monitor *monitor; /* for its commands; and with it the machine */
    struct machine *machine;
    struct chardev *chardev;
    struct gdb_session session;
    GString *out; /* waits for the character device to take it */
    bool connected;
    bool physical; /* memory is read and written by physical addresses */
    struct machine_listener listener;
};

/* Sessions on a character device that nobody else listens to. The machine stops when somebody connects. */
void debugger_open(struct debugger *d, struct monitor *m, struct chardev *c);
void debugger_close(struct debugger *d);

#endif
