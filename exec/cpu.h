/*
 * The part of a guest processor's state that every guest has. A guest's own state struct begins with it:
 *     struct a64_cpu { struct cpu cpu; uint64_t x[31]; … };
 * Generated code reaches it through one host register at fixed offsets; one per guest thread.
 */
#ifndef EXEC_CPU_H
#define EXEC_CPU_H

#include "base/bits.h"
#include "tcg/host.h"

/* Why the run loop returned. */
enum cpu_exit {
    EXIT_NONE,
    EXIT_INTERRUPT,  /* exit_request was seen; pc is the next instruction */
    EXIT_SYSCALL,    /* system call instruction; pc is behind it */
    EXIT_BREAKPOINT, /* breakpoint instruction at pc; detail: its number */
    EXIT_ILLEGAL,    /* undefined instruction at pc */
    EXIT_FETCH,      /* instruction fetch fault at pc: detail: faulting address */
    EXIT_FAULT,      /* memory fault of the instruction at pc: fault_* below */
    EXIT_ALIGN,      /* misaligned access: detail: address */
    EXIT_DIV,        /* arithmetic exception (guests that have one) */
    EXIT_HALT,       /* the processor waits for an interrupt; pc is behind the instruction */
    EXIT_ICACHE,     /* the guest asked to drop translations: [icache_start, icache_end) */
    EXIT_DEBUG,      /* for the debugger, in front of the instruction at pc: exec/debug.h */
    EXIT_BUDGET,     /* the unit at pc has more instructions than cpu.budget (exec_options.counted) */
    EXIT_PAUSE,      /* the processor waits for another one, spinning; pc is behind the instruction */
    EXIT_TARGET = 16 /* first reason that belongs to the guest architecture */
};

enum {
    MXCSR_DEFAULT = 0x1f80, /* all exceptions masked, round to nearest, no flags */
    CPU_SPILL_CELLS = 128,
    RET_STACK_SIZE = 16384, /* bytes; grows down from its end, where RET_STACK_BASE bytes never match (all ones = 1) */
    RET_STACK_BASE = 64,
    RET_STACK_EMPTY = 1, /* guest return pc stored in the base */
};

enum {
    REQUEST_LEAVE = 1,
    REQUEST_FORGET = 2, /* the return stack: units that calls would come back into have been dropped */
};
enum { IN_GENERATED = 1, IN_INTERPRETED = 2 }; /* cpu.in_code */

struct exec;

/*
 * What generated code uses most comes last, before the guest's registers: STATE_MIDDLE (tcg/host.h) is there, from
 * where both are reached by displacements of one byte.
 */
struct cpu {
    uint64_t spill[CPU_SPILL_CELLS] __attribute__((aligned(16)));
    uint32_t in_code;      /* IN_… while the guest's code runs (signal handlers look) */
    uint32_t mode;         /* mode the jump table and return stack are valid for */
    /* EXIT_FAULT: as in the host's siginfo */
    int fault_signo, fault_code;
    uint64_t fault_addr;
    uint64_t icache_start, icache_end;
    struct exec *exec;      /* the process's translations */
    const struct target *target;
    void *user;             /* the embedding mode's own per-thread data (linux-user: struct task) */
    uint64_t insn_pc;       /* interpreter: guest pc of the instruction being executed */
    struct cpu *next_cpu;   /* exec's list */
    struct jump_sets *jumps; /* exec/jumps.h */
    void *leave_env;        /* exec_leave()'s jump buffer while helpers run */

    host_access_fn *slow_access; /* guests behind a TLB (exec/memory.h) */
    void (*const *helpers)(void);
    uint64_t exit_detail;
    void *ret_stack;        /* return-prediction stack: guard page first, then RET_STACK_SIZE bytes */
    void *host_sp, *ret_sp;
    void *jump_table;       /* the mode's, one of jumps */
    struct code_exit *last_exit;
    uint64_t pc;
    uint32_t mxcsr;        /* x86 host: guest rounding mode + sticky flags; kept by target code, see fp_host.h */
    uint32_t mxcsr_c;      /* MXCSR_DEFAULT, for C code */
    uint64_t tlb_mask;     /* guests behind a TLB */
    struct tlb_entry *tlb_table;
    void *host_own[HOST_OWN]; /* exec's entry.own */
    uint32_t exit_reason;  /* enum cpu_exit */
    uint32_t exit_request; /* REQUEST_…: set by signal handlers and other threads */
    /*
     * exec_options.counted: a unit takes its instructions off the budget when it is entered; `ahead` of them are still
     * to be executed while an access is done by exec_memory.access().
     */
    int32_t budget, ahead;
    struct code_block **recent; /* units found last, exec/blocks.c; NULL: not kept */
    int32_t tid;                /* the host's number of the thread that called cpu_run(); 0: none has */
};
_Static_assert(offsetof(struct cpu, tlb_mask) == STATE_MIDDLE - 128, "the window of short displacements begins here");

#endif
