/* Guest threads on host threads, and processes that share memory with the one that made them. */
#ifndef LINUX_USER_THREAD_H
#define LINUX_USER_THREAD_H

#include <stdint.h>

struct task;

enum { MAX_PID_LEVELS = 32 }; /* nested namespaces of process ids that the kernel allows */

/* What clone and clone3 ask for. */
struct clone_request {
    uint64_t flags;        /* CLONE_… */
    int exit_signal;
    uint64_t stack_pointer; /* 0: the parent's */
    uint64_t tls;
    uint64_t parent_tid, child_tid, pidfd; /* guest addresses */
    uint64_t cgroup;       /* descriptor: CLONE_INTO_CGROUP */
    int32_t set_tid[MAX_PID_LEVELS];
    uint32_t nset_tid;     /* ids asked for, from the innermost namespace outwards; 0: any */
};

/* CLONE_THREAD: the new thread's id, or -errno. */
int64_t thread_create(struct task *t, const struct clone_request *r);
/* CLONE_VM without CLONE_THREAD; with CLONE_VFORK returns when the child has ended or executed another program. */
int64_t process_create_sharing(struct task *t, const struct clone_request *r);
/* A process with a copy of the memory. */
int64_t process_fork(struct task *t, const struct clone_request *r);

/* The end of a thread's main loop: does not return from a process's first thread. */
void thread_leave(struct task *t);

#endif
