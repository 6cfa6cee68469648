/* A guest process and its threads, as the system call handlers see them. */
#ifndef LINUX_USER_TASK_H
#define LINUX_USER_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "linux-user/abi.h"
#include "linux-user/dispatch.h"

struct mm;

/* A resource limit that is kept here instead of being set on the host. */
struct process_limit {
    bool set;
    uint64_t cur, max;
};

struct process {
    struct mm *mm;
    const char *exe_path;      /* absolute host path of the program: /proc/self/exe */
    const char *sysroot;       /* NULL: none */
    const char *uname_release; /* NULL: the host's */
    uint64_t stack_start;      /* guest stack pointer at start */
    uint64_t arg_start, arg_end, auxv_start, auxv_end;
    struct process_limit limit[16]; /* by RLIMIT_… */
    uint32_t personality;
};

struct task {
    struct cpu *cpu;
    const struct linux_abi *abi;
    struct process *process;
};

/*
 * A host call that may block. A signal that is caught before the kernel has begun makes it return -SYS_RESTART without
 * calling; one that interrupts it, -EINTR. Otherwise the kernel's result, or -errno.
 */
int64_t safe_syscall(struct task *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                     uint64_t a5);

#endif
