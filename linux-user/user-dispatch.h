/*
 * System calls that a thread has sent to a handler of its own, in place of the kernel (PR_SET_SYSCALL_USER_DISPATCH):
 * the kernel's Documentation/admin-guide/syscall-user-dispatch.rst.
 */
#ifndef LINUX_USER_USER_DISPATCH_H
#define LINUX_USER_USER_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct task;

/* A thread's state; children and new programs begin without. */
struct task_user_dispatch {
    bool on;
    uint64_t selector;    /* address of the byte that says whether, 0: always */
    uint64_t offset, len; /* calls from here are never sent away */
};

/* Whether the call that the registers ask for is sent away: then a signal is there in its place. */
bool user_dispatch_takes(struct task *t, uint64_t number);
/* prctl(PR_SET_SYSCALL_USER_DISPATCH, …). */
int64_t user_dispatch_prctl(struct task *t, const uint64_t a[6]);
/* PTRACE_{GET,SET}_SYSCALL_USER_DISPATCH_CONFIG of a thread of pid whose state lies at `at`. */
int64_t user_dispatch_ptrace(struct task *t, pid_t pid, uint64_t at, bool set, uint64_t size, uint64_t data);
/* Behind a stop, in which a tracer may have changed the state. */
void user_dispatch_watch(struct task *t);

#endif
