/*
 * ptrace between guests, the traced thread's side: docs/design/ptrace.rst. The host's ptrace stops and resumes host
 * threads for a tracer; struct tracee, in the traced thread's memory, says what the stop means to the guest.
 */
#ifndef LINUX_USER_TRACEE_H
#define LINUX_USER_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct task;
struct process;
struct clone_request;
struct cpu_watcher;

enum {
    TRACE_SYSEMU = 31,
    TRACE_O_SUSPEND_SECCOMP = 1 << 21
}; /* PTRACE_…, also where the host's C library lacks them */

/*
 * Both sides speak by SIGSEGV, which no guest blocks on the host. si_errno marks the message, which the kernel never
 * sets: its kind, and in the low byte a signal's number. Where metic runs in metic each has marks of its own:
 * trace_mark().
 */
enum {
    TRACE_MESSAGE = 0x6d740000,
    MESSAGE_STOP = TRACE_MESSAGE | 1 << 8,      /* tracee: I have stopped; si_ptr: my struct tracee */
    MESSAGE_HELLO = TRACE_MESSAGE | 2 << 8,     /* tracee: this is my struct tracee; no stop for the guest */
    MESSAGE_START = TRACE_MESSAGE | 3 << 8,     /* tracer: you are traced now; si_int: START_… */
    MESSAGE_INTERRUPT = TRACE_MESSAGE | 4 << 8, /* tracer: PTRACE_INTERRUPT */
    MESSAGE_REDIRECT = TRACE_MESSAGE | 5 << 8,  /* tracer: the signal in the low byte has come for you */
    MESSAGE_WAKE = TRACE_MESSAGE | 6 << 8,   /* the process itself: look what is to be done (debug.h, begun_syscall) */
    MESSAGE_CODE = TRACE_MESSAGE | 7 << 8,   /* anybody, to a process: its struct code_changes is pending */
    MESSAGE_DUMPED = TRACE_MESSAGE | 8 << 8, /* a child or tracee: si_pid is about to die and has left a core file */
    REDIRECT_ERRNO = 0x80,  /* beside the signal: its own si_errno stands behind the fields of its kind, */
    REDIRECT_ERRNO_AT = 32, /* at this byte of the siginfo */
    START_SEIZED = 1,
    START_STOP = 2, /* PTRACE_ATTACH: stop with SIGSTOP */
    TRACEE_VERSION = 4,
    DEBUG_POINTS = 16, /* of a kind, at most */
};

/* A hardware breakpoint or watchpoint, set by the tracer. */
struct debug_point {
    uint64_t address;
    uint8_t length; /* bytes; 0: never set */
    uint8_t access; /* DEBUG_… of exec/debug.h */
    bool enabled;
};
struct debug_points {
    struct debug_point point[DEBUG_POINTS];
};
enum { BREAKPOINTS, WATCHPOINTS, POINT_KINDS };

enum tracee_stop { STOP_NONE, STOP_SIGNAL, STOP_ENTRY, STOP_EXIT, STOP_EVENT, STOP_GROUP };

/* Where another process has written into the process's memory: [start, end), if pending. One for all threads. */
struct code_changes {
    uint64_t start, end;
    uint32_t pending;
};

/* si_errno (si_int of a timer) for a message among processes like p; and the message that a signal is to p, 0: none. */
int trace_mark(const struct process *p, int message);
int trace_message_in(const struct process *p, const siginfo_t *info);

struct tracee {
    /* What the tracer needs to make sense of the rest. */
    uint32_t version, size, machine, state_size;
    uint64_t cpu, changes; /* addresses of the thread's struct cpu and the process's struct code_changes */
    uint64_t seccomp;      /* and of its struct task_seccomp */
    uint64_t dispatch;     /* and of its struct task_user_dispatch */
    /* The stop. */
    uint32_t stop, event;     /* enum tracee_stop; PTRACE_EVENT_… of STOP_EVENT */
    uint64_t message;         /* PTRACE_GETEVENTMSG */
    siginfo_t info;           /* STOP_SIGNAL; the tracer may change it */
    uint64_t number, args[6]; /* the system call; the tracer may change the number */
    int64_t result;
    uint32_t seccomp_data;
    uint64_t mask;    /* of blocked signals; the tracer may change it */
    uint32_t passing; /* a signal that the host is to act on: not one to report */
    uint32_t forking; /* inside a call that makes a process or thread */
    /* Written by the tracer. */
    uint32_t asked, answered;       /* stops told, and the last one that the tracer has seen */
    uint32_t active, seized; /* traced; by PTRACE_SEIZE */
    uint32_t options;               /* PTRACE_O_… */
    uint32_t resume;                /* PTRACE_CONT, PTRACE_SYSCALL, … */
    uint32_t signal;                /* to go on with */
    struct debug_points points[POINT_KINDS];
    /* The tracee's own: stops that are due at its next precise point. */
    uint32_t first, attached, interrupted;
};

/* PTRACE_TRACEME. 0 or -errno. */
int64_t tracee_me(struct task *t);
/* From the host's signal handler: a message to the thread. */
void tracee_message(struct task *t, const siginfo_t *info, void *ucontext);

/* In front of a signal's delivery: the tracer may take it, change it or make it another. False: nothing to deliver. */
bool tracee_signal(struct task *t, siginfo_t *info);
/* Stops that are due. True: a signal came of it. */
bool tracee_pending(struct task *t, siginfo_t *info);
/* The host is about to act on a signal that the guest's tracer has let through: stop or death. */
void tracee_pass(struct task *t, int signo);

/* In front of a call; false: the tracer has taken the call away. */
bool tracee_enter(struct task *t, uint64_t *number, uint64_t a[6]);
/* SECCOMP_RET_TRACE: false where nobody wants to know; *skip: the call is taken away. */
bool tracee_seccomp(struct task *t, uint32_t data, uint64_t *number, uint64_t a[6], bool *skip);
/* The tracer has the thread's filters not asked (PTRACE_O_SUSPEND_SECCOMP). */
bool tracee_suspends_seccomp(const struct task *t);
/* Behind it: the result may change. */
int64_t tracee_exit(struct task *t, int64_t result, uint64_t first_argument);
/* For threads with WATCH_POINTS: what to look for; and EXIT_DEBUG. False: for none of them. */
struct cpu_watcher tracee_watcher(const struct task *t);
bool tracee_hit(struct task *t);
/* A step was asked for and is done. */
void tracee_stepped(struct task *t);

/* The call that makes a child is about to begin; and its event when it has. result: of the call. */
void tracee_fork_begin(struct task *t);
/* Between them: what is made while it is paused is the emulator's own. */
void tracee_fork_pause(struct task *t, bool paused);
void tracee_fork_end(struct task *t, const struct clone_request *r, int64_t result);
/* A new thread or process, a copy of its maker's state: traced if the maker's tracer wants so. */
/* On its own host thread, with its signals as they should be: the first stop is due now. */
void tracee_begin(struct task *t);
void tracee_born(struct task *child, const struct task *maker, const struct clone_request *r);

/* A thread ends, whose struct goes before the host's own event. */
void tracee_leave(struct task *t);

/* execve: the new image stops at its start. */
void tracee_started(struct task *t);
bool tracee_save(const struct task *t, FILE *f);
bool tracee_restore(struct task *t, FILE *f);

#endif
