/* What debug.c (guest threads), debug-gdb.c (the session's thread) and debug-fork.c share. */
#ifndef LINUX_USER_DEBUG_INTERNAL_H
#define LINUX_USER_DEBUG_INTERNAL_H

#include <pthread.h>

#include "linux-user/debug.h"
#include "linux-user/task.h"

enum { DEBUG_MAX_CALLS = 256 };

struct debug {
    struct process *process;
    struct gdb_session session; /* the session's thread alone uses it */
    int connection;             /* -1: none any more */
    int event;                  /* eventfd: something to look at for the session's thread */
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows; p->lock may be taken inside */
    pthread_cond_t go, served;
    bool stopped;  /* nobody runs on */
    bool detached; /* nobody debugs any more */
    bool told;     /* `stop` has not been seen by the session's thread yet */
    bool ending;   /* the session's thread is to end; the connection stays */
    bool is_exec;  /* the process begins with another program's session */
    struct gdb_stop stop;
    struct task *reporter;
    uint64_t pass; /* signals that are delivered untold, by SIGNAL_BIT */
    int ncalls;    /* -1: none is caught, 0: all */
    uint64_t calls[DEBUG_MAX_CALLS];
    struct {         /* a child that waits for what becomes of it */
        pid_t pid;   /* 0: none */
        int control; /* its socket */
        int ends[2]; /* of the pair, while it is being made */
    } child;
};

/* The process is t's own first thread's. */
struct gdb_id debug_id(const struct task *t);
/* Makes the session's thread. False without memory. */
bool debug_serve(struct debug *d);
struct debug *debug_new(struct process *p, int connection);
/* The thread stands until it may go on. The lock is held, and given up meanwhile. */
void debug_stand(struct debug *d, struct task *t);
/* Stops all threads but the caller's, and waits until they stand. The lock is held. */
void debug_stop_all(struct debug *d);
/* Nobody debugs any more; who stood runs on. The lock is held. */
void debug_release(struct debug *d);
/* The thread tells what happened and stands until it may go on. False: another stop came first, and what happened will
   happen again. must: it will not. */
bool debug_report(struct task *t, const struct gdb_stop *stop, bool must);

/* debug-fork.c: what the session asks of a child that waits. NULL: it is not one. */
struct cpu *debug_child_cpu(struct debug *d, struct gdb_id id);
bool debug_is_child(const struct debug *d, int64_t process);
/* detach: the child, or the parent, with which the child takes the session over. */
void debug_child_free(struct debug *d);
void debug_child_take(struct debug *d);

#endif
