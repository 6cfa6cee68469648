/* ptrace between guests, the tracer's side: docs/design/ptrace.rst. */
#ifndef LINUX_USER_TRACER_H
#define LINUX_USER_TRACER_H

#include <stdint.h>
#include <sys/types.h>

#include "linux-user/tracee.h"

struct process;
struct task;

/* A thread that this process traces; from its first stop to its end. */
struct tracee_entry {
    struct tracee_entry *next;
    pid_t tid;
    bool stopped;   /* in a stop that the guest was told of */
    int status;     /* and as what: of wait4 */
    bool interrupt; /* PTRACE_INTERRUPT came before the struct was known */
    bool left;      /* has told its end itself; its struct is gone when it goes on */
    bool internal;  /* a thread of the emulator's: never shown */
    bool seized;
    uint32_t options;  /* PTRACE_O_… */
    uint32_t resume;   /* what it was resumed with before its struct was known */
    uint64_t at;       /* address of its struct tracee; 0: not known */
    struct tracee now; /* as it was at the stop */
};

/*
 * Sends on those of the current thread's tracees that the host has stopped for something that the guest is not told of:
 * for threads that wait for what such a tracee, in the same memory, holds.
 */
void tracer_attend(void);
/* Forgets all: a child does not trace what its parent does. */
void tracer_forget_all(struct process *p);
/* n bytes at addr of another process's memory were written: its translations of them end, soon if it is running. */
void tracer_wrote(struct task *t, pid_t pid, uint64_t addr, uint64_t n);

#endif
