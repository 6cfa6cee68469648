/*
 * What a machine as a whole is doing, and who is told when that changes. States, causes and events have the names of
 * QMP's documentation (RunState, ShutdownCause). Everything under the machine's lock.
 *
 * Whoever is in the main loop (the monitor, a debugger's stub, snapshots) pauses and resumes at once; a processor's
 * thread and devices ask, and the main loop does it. The virtual clock stands still in every state but `running`.
 */
#ifndef SOFTMMU_RUNSTATE_H
#define SOFTMMU_RUNSTATE_H

#include <stdbool.h>

struct machine;

/* X(NAME, name, what it means) */
#define RUN_STATES(X)                                                                                     \
    X(PRELAUNCH, "prelaunch", "has not started since it was made or reset (-S)")                          \
    X(RUNNING, "running", "processors run")                                                               \
    X(PAUSED, "paused", "stopped by the user")                                                            \
    X(DEBUG, "debug", "stopped by a debugger or for one")                                                 \
    X(INMIGRATE, "inmigrate", "waits for its state from elsewhere")                                       \
    X(POSTMIGRATE, "postmigrate", "its state has gone elsewhere")                                         \
    X(SHUTDOWN, "shutdown", "powered off, and kept (-no-shutdown)")                                       \
    X(GUEST_PANICKED, "guest-panicked", "the guest says that it cannot go on")                            \
    X(INTERNAL_ERROR, "internal-error", "stopped by a mistake of the emulator's")                         \
    X(IO_ERROR, "io-error", "stopped by an error of a back end's")                                        \
    X(SAVE_VM, "save-vm", "stopped while its state is saved")                                             \
    X(RESTORE_VM, "restore-vm", "stopped while its state is loaded")

enum run_state {
#define X(NAME, ...) RUN_STATE_##NAME,
    RUN_STATES(X)
#undef X
        RUN_STATE_COUNT
};

/* X(NAME, name, whether the guest did it) */
#define SHUTDOWN_CAUSES(X)                           \
    X(NONE, "none", false)                           \
    X(HOST_ERROR, "host-error", false)               \
    X(HOST_QMP_QUIT, "host-qmp-quit", false)         \
    X(HOST_QMP_SYSTEM_RESET, "host-qmp-system-reset", false) \
    X(HOST_SIGNAL, "host-signal", false)             \
    X(HOST_UI, "host-ui", false)                     \
    X(GUEST_SHUTDOWN, "guest-shutdown", true)        \
    X(GUEST_RESET, "guest-reset", true)              \
    X(GUEST_PANIC, "guest-panic", true)              \
    X(SUBSYSTEM_RESET, "subsystem-reset", true)      \
    X(SNAPSHOT_LOAD, "snapshot-load", false)

enum shutdown_cause {
#define X(NAME, ...) CAUSE_##NAME,
    SHUTDOWN_CAUSES(X)
#undef X
        CAUSE_COUNT
};

const char *run_state_name(enum run_state s);
const char *shutdown_cause_name(enum shutdown_cause c);
bool shutdown_cause_is_guest(enum shutdown_cause c);
/* Only a reset leads on from it. */
bool run_state_needs_reset(enum run_state s);

/* --- who is told --- */

enum machine_event_kind {
    MACHINE_STOPPED,   /* after the processors have stopped; state: why */
    MACHINE_RESUMED,   /* before they run */
    MACHINE_RESET,     /* after the board has been reset; cause */
    MACHINE_SHUTDOWN,  /* the machine ends, or is kept in state shutdown; cause */
    MACHINE_POWERDOWN, /* the power button has been pressed */
    MACHINE_DEVICE_DELETED, /* device, path: of one that has been unplugged */
};

struct machine_event {
    enum machine_event_kind kind;
    enum run_state state; /* of the machine now */
    enum shutdown_cause cause;
    const char *device, *path; /* its id, or NULL; its name among the objects. Valid during the call */
};

/* Owned by who listens; told in the order of machine_listen(). */
struct machine_listener {
    void (*event)(void *opaque, const struct machine_event *e);
    void *opaque;
    struct machine_listener *next; /* the machine's */
};

void machine_listen(struct machine *m, struct machine_listener *l);
void machine_unlisten(struct machine *m, struct machine_listener *l);
void machine_tell(struct machine *m, enum machine_event_kind kind, enum shutdown_cause cause);
/* With what the kind has beside state and cause; the state is filled in. */
void machine_tell_event(struct machine *m, struct machine_event *e);

/* --- in the main loop --- */

/* Waits until every processor has parked (the lock is given up for that time) and takes the state, any but running. A
   machine that stood still takes the state only. */
void machine_pause(struct machine *m, enum run_state s);
/* False: the state is one that only a reset ends. */
bool machine_resume(struct machine *m);
/* Back to a state from before a machine_pause(): resumes if it was running. */
void machine_restore(struct machine *m, enum run_state before);

/* --- requests, from any thread; the main loop sees to them, shutdown first --- */

struct machine_requests {
    bool shutdown, reset, powerdown, pause;
    enum shutdown_cause shutdown_cause, reset_cause; /* the first one of each counts */
    int exit_code;                                   /* of the shutdown */
    enum run_state pause_state;
};

void machine_ask_shutdown(struct machine *m, enum shutdown_cause cause, int exit_code);
void machine_ask_reset(struct machine *m, enum shutdown_cause cause);
/* The power button; processors run on. */
void machine_ask_powerdown(struct machine *m);
/* The asking processor does not run on; the others leave their code soon. */
void machine_ask_pause(struct machine *m, enum run_state s);
bool machine_asked(const struct machine *m);
/* It has been asked for what processors do not run on before. */
bool machine_held(const struct machine *m);

#endif
