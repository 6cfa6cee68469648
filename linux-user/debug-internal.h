/* What debug.c (guest threads), debug-gdb.c (the session's thread), debug-group.c and debug-fork.c share. */
#ifndef LINUX_USER_DEBUG_INTERNAL_H
#define LINUX_USER_DEBUG_INTERNAL_H

#include <pthread.h>

#include "linux-user/debug.h"
#include "linux-user/task.h"

enum { DEBUG_MAX_CALLS = 256 };

/* Another process behind the same connection, as the one that has the connection sees it. */
struct debug_other {
    int64_t process;
    int fd;                  /* its session's connection, packets as messages */
    bool hidden;             /* gdb has not been told yet of the fork that made it */
    bool running;            /* a stop is to come */
    bool asked;              /* by an interrupt of gdb's */
    struct gdb_text pending; /* a stop that is to be told when the process is to go on; a NUL is behind it */
};

/* A place that gdb has a breakpoint or watchpoint at. */
struct debug_place {
    enum gdb_point kind;
    uint64_t address, n;
};

struct debug {
    struct process *process;
    pid_t pid;
    struct debug *lender; /* of the process that waits in vfork for this one: memory, code and the session's thread
                             are that one's; NULL: none */
    struct gdb_session session; /* the session's thread alone uses it */
    int connection;             /* to gdb, or to the process that has that connection; -1: none any more */
    int gdb;                    /* another process has the connection to gdb, and this is it; -1: this one has it */
    int event;                  /* eventfd: something to look at for the session's thread */
    pthread_t thread;
    struct debug_place *places;
    size_t nplaces;
    struct debug_other *others; /* where gdb < 0 */
    size_t nothers;
    struct packet_reader *reader; /* of what they say */
    pthread_mutex_t ends_lock;    /* held where connection, gdb and others change, and over fork, whose child closes and
                                     frees its copies of them; innermost */

    pthread_mutex_t lock; /* guards what follows; p->lock may be taken inside */
    pthread_cond_t go, served;
    bool stopped;  /* nobody runs on */
    bool detached; /* nobody debugs any more */
    bool told;     /* `stop` has not been seen by the session's thread yet */
    bool ending;   /* the session's thread is to end; the connection stays */
    bool paused;   /* one with a lender waits instead, for `ending` to be taken back or for `gone` */
    bool gone;
    bool is_exec; /* the process begins with another program's session */
    struct gdb_stop stop;
    int child_fd; /* a forked child's, told with `stop`; -1 */
    struct task *reporter;
    uint64_t pass; /* signals that are delivered untold, by SIGNAL_BIT */
    int ncalls;    /* -1: none is caught, 0: all */
    uint64_t calls[DEBUG_MAX_CALLS];
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
/* The same for a new child, whose connection child_fd is. */
void debug_report_child(struct task *t, const struct gdb_stop *stop, int child_fd);
/* The session's thread is to look at what has been told. */
void debug_wake_session(struct debug *d);
/* What `d` has from the debugger of another process of the same group. */
void debug_take_manners(struct debug *d, const struct debug *from);

/* Takes breakpoints and watchpoints away that gdb has left. */
void debug_forget_places(struct debug *d);

/* --- debug-group.c, all on the session's thread: struct gdb_ops' functions --- */

int64_t debug_other_behind(void *o, int64_t process);
void debug_ask(void *o, int64_t process, const void *payload, size_t n, struct gdb_text *out);
void debug_pass_on(void *o, int64_t process, const void *payload, size_t n);
void debug_forget(void *o, int64_t process);

/* A new one; owns fd (-1: it has ended). hidden: gdb is yet to be told. */
void debug_add_other(struct debug *d, int64_t process, int fd, bool hidden);
/* gdb has been told of it. */
void debug_show(struct debug *d, int64_t process);
/* One that is there has a stop to tell later; n: 0: it has not. */
void debug_set_pending(struct debug *d, int64_t process, const char *stop, size_t n);
/* Stops the others that run. The process itself stands still. */
void debug_stop_others(struct debug *d);
/* An interrupt of gdb's while nothing of this process runs. */
void debug_interrupt_others(struct debug *d);
/* One of the others has something to say: if that is a stop, then so that all stand still and gdb is told. */
void debug_hear_other(struct debug *d, size_t i);
/* Tells a stop that has waited and whose process was to go on. */
void debug_tell_pending(struct debug *d);
/* The connection to gdb, and the others, become one of these others'. False: none lives; those whose end gdb has not
   been told are still there. */
bool debug_hand_over(struct debug *d);
/* For a process that does not have the connection: takes what comes from the one that has it, until that hands the
   connection over. False: it has gone. */
bool debug_hear_holder(struct debug *d);
/* Sends a packet to that one, with child_fd if there is one. */
void debug_tell_holder(struct debug *d, const void *bytes, size_t n);
/* Forgets all, and closes their connections. */
void debug_free_others(struct debug *d);

#endif
