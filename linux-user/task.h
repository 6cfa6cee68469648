/* A guest process and its threads, as the system call handlers see them. */
#ifndef LINUX_USER_TASK_H
#define LINUX_USER_TASK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "linux-user/abi.h"
#include "linux-user/debug.h"
#include "linux-user/dispatch.h"
#include "linux-user/guest-process.h"
#include "linux-user/limits.h"
#include "linux-user/seccomp.h"
#include "linux-user/signal.h"
#include "linux-user/tracee.h"
#include "linux-user/tracer.h"
#include "linux-user/uring.h"
#include "linux-user/user-dispatch.h"
#include "linux-user/watch.h"

struct mm;
struct exec;
struct options;
struct host_stack;

enum { AUXV_MAX = 512 }; /* bytes of an auxiliary vector */

struct process {
    const struct linux_abi *abi;
    struct exec *exec;
    struct mm *mm;
    const struct options *options;
    const char *const *self;   /* how to start metic again with the same options: path, options; NULL: the kernel does it */
    int self_fd;               /* metic's file, once kept for execve (self-file.h), or -1 */
    const char *exe_path;      /* absolute host path of the program: /proc/self/exe */
    const char *sysroot;       /* NULL: none */
    const char *uname_release; /* NULL: the host's */
    uint64_t entry, phdr, phnum, interp_base;
    uint64_t vdso_start, vdso_end, sigreturn; /* sigreturn: address of the vDSO's function */
    uint64_t code_start, code_end, data_start, data_end; /* of the program: its executable and its other segments */
    uint64_t stack_start;      /* guest stack pointer at start */
    uint64_t arg_start, arg_end, env_start, env_end;
    uint64_t auxv_start, auxv_end; /* in this order: guest_record.auxv. Of the guest's stack, or of given_auxv */
    uint64_t given_auxv[AUXV_MAX / 8]; /* by PR_SET_MM_MAP */
    struct guest_record record; /* for other processes */
    struct process_limits limits;
    uint32_t personality;
    uint32_t inherited_mdwe; /* MDWE_… of mm.h, from when the program is loaded */
    struct task *dying; /* ends the process: the others stop for good before their next instruction; NULL: none */
    bool vfork_child;          /* shares mm and exec with the process that made it */

    struct debug *debug;       /* -g; NULL: nobody debugs */
    struct code_changes code_changes; /* by other processes */
    int32_t dumped[16]; /* children and tracees that left a core file: a ring, written by the signal handler */
    uint32_t ndumped;
    pthread_mutex_t lock;      /* guards what follows; taken before mm's and exec's locks */
    struct task *tasks;
    struct signal_actions actions;
    struct tracee_entry *tracees; /* that this process traces; each used by the thread that traces it */
    struct urings urings;
    struct host_stack *stacks; /* of ended threads, for new ones: thread.c */
    uint32_t unknown_ioctls[32]; /* that the log has told of: a ring */
    unsigned nunknown_ioctls;
    uint64_t views[16]; /* a bit for each descriptor below 1024 that became a view of /proc: procfs-fds.c */
    bool fuse_piped;    /* requests of a FUSE device were moved into a pipe: sys-fuse.c */
};

/* An interrupted call with a time-out, which restart_syscall(2) continues. */
struct task_restart {
    int call; /* CALL_…; CALL_unknown: none */
    clockid_t clock;
    struct timespec until;
    uint64_t a[6]; /* its arguments */
};

struct task {
    struct cpu *cpu;
    const struct linux_abi *abi;
    struct process *process;
    struct task *next; /* process->tasks */
    struct task_signals signals;
    struct task_seccomp seccomp;
    struct task_restart restart;
    struct task_user_dispatch dispatch;
    struct tracee tracee;
    struct task_debug debug;
    uint32_t watch; /* WATCH_…: its system calls are looked at */
    int32_t tid;
    bool in_call, parked; /* inside a system call; stopped for good */
    bool shown;        /* somebody (strace, a tracer, a debugger) has been told that the call begins */
    bool exiting;      /* the thread (not the process) ends; the main loop returns */
    int exit_code;
    struct host_stack *stack; /* of a thread; NULL for the process's first */
};

/* The guest thread of this host thread: what a host signal handler starts from. */
extern _Thread_local struct task *current_task;

/*
 * A host call that may block. The kernel's result, or -errno: -EINTR or, where the kernel would restart the call by
 * itself, -SYS_RESTART when a signal interrupts it. When one is caught before the kernel has begun there is no call:
 * the signal comes in front of it, -SYS_RESTART_ALWAYS; or, where somebody has been told that it begins (t->shown),
 * interrupts it, -SYS_RESTART.
 */
int64_t safe_syscall(struct task *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                     uint64_t a5);
/*
 * The same for a call that signals interrupt only where it waits, and that waits under the thread's own mask: once it
 * has been shown it is made though a signal has come before it. The kernel, in which it would be by then, would end it
 * only if it had to wait.
 */
int64_t begun_syscall(struct task *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                      uint64_t a5);

/* Runs the guest thread until it ends (t->exiting); does not return from the first thread. On the thread of t. */
void task_run(struct task *t);
/* A task around a cpu, linked into p. NULL without memory. The caller keeps the cpu on failure. */
struct task *task_new(struct process *p, struct cpu *cpu);
void task_free(struct task *t); /* its cpu too */

/* Does what cpu_run() or cpu_step() has returned for: system calls, faults. On the thread of t. */
void task_handle_exit(struct task *t, enum cpu_exit reason);

/* The process is about to end: its new translations are stored. */
void process_save(struct task *t);
/*
 * The process is about to end, as t wants it: the other threads do nothing more for the guest. Does not return where
 * another thread has come first.
 */
void process_ends(struct task *t);
/* Ends the process as exit_group does. */
void process_exit(struct task *t, int code) __attribute__((noreturn));

#endif
