/*
 * The guest's own seccomp (seccomp(2)): its filters are evaluated here, on the guest's calls with the guest's numbers
 * and audit architecture; the host's kernel never sees them. Notifications to a supervisor use the host's: see
 * seccomp.c.
 */
#ifndef LINUX_USER_SECCOMP_H
#define LINUX_USER_SECCOMP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct target;
struct task;
struct seccomp_filter;

/* A thread's state. Filters never change and are never freed: threads and children share them. */
struct task_seccomp {
    int mode;                             /* SECCOMP_MODE_… */
    const struct seccomp_filter *filters; /* the newest; each names the one before */
    bool no_new_privs;                    /* another thread has set this for all: not yet done on the host */
};

/* The architecture as filters and signals name it: AUDIT_ARCH_… of <linux/audit.h>. */
uint32_t audit_arch(const struct target *t);

enum seccomp_verdict {
    VERDICT_RUN,   /* make the call */
    VERDICT_DONE,  /* don't: the result is there */
    VERDICT_TRAP,  /* don't: *info is a signal to force behind it, *result is there */
    VERDICT_TRACE, /* ask the tracer first: *result is what it is told (PTRACE_GETEVENTMSG) */
};

/* What the thread's filters say of a call. Does not return where they end the thread or the process. */
enum seccomp_verdict seccomp_judge(struct task *t, uint64_t number, const uint64_t a[6], int64_t *result,
                                   siginfo_t *info);

/* prctl(PR_SET_SECCOMP) and prctl(PR_GET_SECCOMP). */
int64_t seccomp_prctl_set(struct task *t, uint64_t mode, uint64_t program);
int64_t seccomp_prctl_get(const struct task *t);

/* What notification requests through a listener need of conversion; false: not one of these. */
bool seccomp_ioctl(struct task *t, int fd, uint32_t command, uint64_t arg, int64_t *result);

/* The number of filters; for /proc/self/status. */
unsigned seccomp_count(const struct task *t);

/*
 * Of a traced thread, whose struct task_seccomp lies at `at` in the memory of pid (0: not known):
 * PTRACE_SECCOMP_GET_FILTER and PTRACE_SECCOMP_GET_METADATA, with the arguments of ptrace(2). And the number of its
 * filters.
 */
int64_t seccomp_remote_filter(struct task *t, pid_t pid, uint64_t at, uint64_t index, uint64_t to);
int64_t seccomp_remote_metadata(struct task *t, pid_t pid, uint64_t at, uint64_t size, uint64_t to);
unsigned seccomp_remote_count(pid_t pid, const struct task_seccomp *s);

/* Over execve: to a file for the next image, and from it. False: the file could not be written or makes no sense. */
bool seccomp_save(const struct task *t, FILE *f);
bool seccomp_restore(struct task *t, FILE *f);

#endif
