/*
 * A process under a debugger that speaks the gdb remote protocol (-g): docs/design/gdbstub.rst. The session lives in a
 * thread of its own; guest threads tell it of events and stand still in front of their next instruction until it lets
 * them go on.
 */
#ifndef LINUX_USER_DEBUG_H
#define LINUX_USER_DEBUG_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "gdbstub/gdbstub.h"

struct task;
struct process;
struct debug;
struct clone_request;

/* A thread as the debugger sees it. */
struct task_debug {
    struct gdb_action action;
    bool standing;      /* in front of an instruction, or in a call that is not left */
    bool leaving;       /* it ends */
    siginfo_t info;     /* of the signal that it stopped for; si_signo 0: none */
    struct {            /* the call that it stands in front of because a stop interrupted it */
        int64_t result; /* -SYS_RESTART…; 0: none */
        uint64_t pc, behind;
    } restarted;
    int ends[2];           /* of a socket for the child that it is making; -1 */
    struct debug *forking; /* whose ends_lock it holds over fork; NULL: none */
};

/* Waits at `where` ("1234", "host:1234", "unix:path", a path) for a debugger. False: reported. */
bool debug_open(struct process *p, const char *where);
/* The process is at its first instruction, or (after execve) another program's: stops there. On its only thread. */
void debug_start(struct task *t);

/* Is the process debugged now? */
bool debug_on(const struct process *p);

/* --- for threads with WATCH_DEBUG --- */

/* Stands still while the process does. */
void debug_wait(struct task *t);
/* Is the thread to make one step? Then debug_stepped() is called behind it. */
bool debug_steps(const struct task *t);
void debug_stepped(struct task *t);
/* Is its code to be looked at for watchpoints? */
bool debug_watches(const struct task *t);
/* EXIT_DEBUG. Also where nobody debugs (a vfork child in its parent's memory): runs over it. */
void debug_hit(struct task *t);
/* In front of a signal's delivery; it may become another. False: nothing to deliver. */
bool debug_signal(struct task *t, siginfo_t *info);
/* In front of a call, and behind it: the result may change. */
void debug_call(struct task *t, uint64_t number, bool begins);
int64_t debug_returned(struct task *t, uint64_t number, int64_t result);
/* The thread, or the process, ends. */
void debug_leave(struct task *t);
void debug_ended(struct task *t, enum gdb_stop_kind kind, int number);

/* Around fork: in the parent before and after (result: of the call), and in the child. */
void debug_fork_begin(struct task *t);
void debug_fork_end(struct task *t, int64_t result);
void debug_fork_child(struct task *t);
/* Around vfork, whose child (its first thread) shares memory: in the parent before and after, and in the child. */
void debug_vfork_begin(struct task *t, struct task *child);
void debug_vfork_end(struct task *t, struct task *child, int64_t result);
void debug_vfork_child(struct task *child, struct task *parent);
/* Around execve: what the next program has to know goes to f. */
bool debug_save(const struct task *t, FILE *f);
bool debug_restore(struct process *p, FILE *f);
void debug_exec_begin(struct task *t);
void debug_exec_failed(struct task *t);

/* Signals whose default action would end the process unseen are caught while it is debugged. */
bool debug_catches(const struct process *p, int signo);

#endif
