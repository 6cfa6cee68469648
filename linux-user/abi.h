/*
 * What Linux looks like on one guest architecture: registers of a system call, signal frames, names. One constant
 * struct per architecture (linux-user/<arch>/); abis.c lists them.
 */
#ifndef LINUX_USER_ABI_H
#define LINUX_USER_ABI_H

#include "exec/cpu.h"
#include "syscall-tables/tables.h"

struct linux_abi {
    const struct target *target;
    const struct syscall_abi *syscalls; /* numbers and flag values */
    const char *uts_machine;            /* uname -m */

    /* The call's number; its six argument registers go to a. */
    uint64_t (*syscall_args)(const struct cpu *cpu, uint64_t a[6]);
    /* Writes /proc/cpuinfo for ncpus processors to fd. */
    void (*print_cpuinfo)(int fd, unsigned ncpus);
};

#endif
