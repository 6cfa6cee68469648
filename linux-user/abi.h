/*
 * What Linux looks like on one guest architecture: registers of a system call, signal frames, auxiliary vector, vDSO.
 * One constant struct per architecture (linux-user/<arch>/abi.c); abis.c lists them.
 */
#ifndef LINUX_USER_ABI_H
#define LINUX_USER_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/cpu.h"
#include "syscall-tables/tables.h"

struct task;
struct signal_frame;
struct debug_points;

/* The vDSO: position-independent code (a function behind the other) and its symbols; vdso.c wraps it into an ELF. */
struct vdso_symbol {
    const char *name;
    uint32_t word;   /* index of its first instruction in code */
    uint32_t nwords;
};

struct vdso_desc {
    const char *version; /* of all symbols, as in the architecture's vdso.lds */
    const uint32_t *code;
    uint32_t nwords;
    const struct vdso_symbol *symbols; /* the first one returns from a signal handler */
    unsigned nsymbols;
};

/* A register set as core dumps and PTRACE_GETREGSET show it (the kernel's user_regset). */
struct regset {
    uint16_t note; /* NT_… */
    uint16_t size; /* bytes; 0 ends the list */
    uint16_t slot; /* bytes: ptrace moves whole slots */
    void (*get)(const struct cpu *cpu, void *out);
    /* False, and nothing changed: values a program can't have. */
    bool (*set)(struct cpu *cpu, const void *in);
};

/* The same of hardware breakpoints or watchpoints: how they look there. */
struct debug_regset {
    uint16_t note, size, slot;
    uint8_t kind; /* of struct tracee's points */
    void (*get)(const struct debug_points *from, void *out);
    /* `length` bytes, a multiple of `slot`. 0 or -errno. */
    int64_t (*set)(struct debug_points *to, const void *in, size_t length);
};

enum { REGSET_MAX = 1024 }; /* bytes of the largest */

struct linux_abi {
    const struct target *target;
    const struct syscall_abi *syscalls; /* numbers and flag values */
    const char *triple;                 /* of the distributions' cross libraries: /usr/<triple> */
    const char *debian;                 /* the distributions' and the container world's name of the architecture */
    const char *uts_machine;            /* uname -m */
    const char *platform;               /* AT_PLATFORM, NULL: none */
    uint64_t hwcap, hwcap2;
    uint32_t minsigstksz;               /* AT_MINSIGSTKSZ */
    uint32_t altstack_min;              /* MINSIGSTKSZ: what sigaltstack accepts */
    bool sa_restorer;                   /* struct sigaction has the word sa_restorer */
    bool call_number_apart;             /* ptrace: a system call's number is changed through NT_ARM_SYSTEM_CALL */
    bool user_dispatch;                 /* the architecture's kernel has PR_SET_SYSCALL_USER_DISPATCH */
    bool bad_frame_faults;              /* a frame that sigreturn refuses is a fault at its address; else SI_KERNEL */
    bool single_steps;                  /* there is PTRACE_SINGLESTEP */
    uint64_t elf_flags_mask, elf_flags; /* e_flags & mask must be this: else the program needs another ABI */
    const struct vdso_desc *vdso;

    /* The call's number; its six argument registers go to a. */
    uint64_t (*syscall_args)(const struct cpu *cpu, uint64_t a[6]);
    void (*set_result)(struct cpu *cpu, int64_t value);
    void (*set_number)(struct cpu *cpu, uint64_t number);
    /* pc back to the system call instruction. The argument registers still hold what they did. */
    void (*restart_syscall)(struct cpu *cpu);
    uint64_t (*stack_pointer)(const struct cpu *cpu);
    void (*set_stack_pointer)(struct cpu *cpu, uint64_t sp);
    /* A new program's first registers (the rest as target->reset left them). */
    void (*start)(struct cpu *cpu, uint64_t entry, uint64_t sp);
    void (*set_tls)(struct cpu *cpu, uint64_t tls);
    /*
     * Writes the frame below f->sp and points the registers at the handler; -EFAULT if the stack can't take it.
     * Nothing is changed then.
     */
    int (*setup_frame)(struct task *t, const struct signal_frame *f);
    /* Registers, signal mask and alternate stack from the frame at the stack pointer; -EFAULT. */
    int (*restore_frame)(struct task *t, struct signal_frame *f);
    const struct regset *regsets; /* NT_PRSTATUS is the first */
    const struct debug_regset *debug_regsets; /* NULL: a debugger has none */
    /* prctl requests of the architecture's own: -EINVAL for what it doesn't know. */
    int64_t (*prctl)(const uint64_t a[6]);
    bool no_personality32; /* PER_LINUX32 is refused: the machine has no 32-bit programs */
    /* Writes /proc/cpuinfo for ncpus processors to fd. */
    void (*print_cpuinfo)(int fd, unsigned ncpus);
};

extern const struct linux_abi *const linux_abis[]; /* NULL-terminated: abis.c */
const struct linux_abi *linux_abi_of(const struct target *t); /* NULL: none */

#endif
