/*
 * Running guest code: translations of one guest process (or machine), their cache, and the run loop.
 * Threads: one struct exec, one struct cpu per guest thread; every function here is thread-safe unless it says not.
 */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include "exec/cpu.h"
#include "exec/memory.h"
#include "exec/target.h"

enum exec_engine { ENGINE_JIT, ENGINE_INTERP, ENGINE_VERIFY };
/* How code is generated: quickly at first and well where it is hot, or all of it one way. */
enum exec_tier { TIER_AUTO, TIER_QUICK, TIER_HOT };

struct exec_options {
    enum exec_engine engine;
    bool one_insn;       /* a unit per instruction */
    bool nochain;        /* every unit returns to the run loop */
    enum exec_tier tier;
    bool background;     /* hot code is compiled by a thread of its own */
    /* cpu_run() executes no more instructions than cpu->budget, which it counts down (EXIT_BUDGET); one that raises an
       exception counts, too. All code is of the quick tier, and none is stored. */
    bool counted;
    bool interprets_first; /* code is interpreted when it is reached for the first time, where nothing forbids it */
    unsigned hot_after;  /* entries of a quick unit before it is compiled well; 0: default */
    size_t cache_bytes;  /* bound of the code cache; 0: default */
    /*
     * Called when the process's first thread beside its own has been made, to compile: the C library has changed
     * dispositions of signals then. All are blocked. NULL: nobody minds.
     */
    void (*first_thread)(void *opaque);
    void *first_thread_opaque;
    /*
     * Called again and again while a thread waits for what another one does that may have been stopped, for the waiting
     * one to send it on: a debugger in the same memory. NULL: nobody debugs.
     */
    void (*waiting)(void);
    const struct disk *disk; /* translations on disk, or NULL; outlives the struct exec */
    const struct exec_memory *memory; /* NULL: guest addresses are the host's; else `code` of exec_new() is not used */
};

struct exec *exec_new(const struct target *t, const struct code_reader *code, const struct exec_options *o);
void exec_free(struct exec *x);

/* A guest thread's state: t->state_size bytes, reset; freed by cpu_free. NULL without memory. */
struct cpu *cpu_new(struct exec *x);
/* A copy for a new thread: registers of `from`, own stacks. */
struct cpu *cpu_clone(struct cpu *from);
void cpu_free(struct cpu *cpu);

/* Runs from cpu->pc until something needs the caller; returns the reason (also in cpu->exit_reason). */
enum cpu_exit cpu_run(struct cpu *cpu);
/*
 * Runs the one instruction at cpu->pc, as memory holds it now; EXIT_NONE when it is done, else as cpu_run:
 * EXIT_SYSCALL, EXIT_FAULT, … For debuggers: slow.
 */
enum cpu_exit cpu_step(struct cpu *cpu);
/* Async-signal-safe: makes cpu_run return EXIT_INTERRUPT soon. From any thread. */
void cpu_kick(struct cpu *cpu);

/*
 * From a host SIGSEGV/SIGBUS/SIGFPE handler on the thread of `cpu`: if the fault came from generated code or a helper
 * that touches guest memory, records it (fault_*, pc, registers) and changes the ucontext so that cpu_run returns
 * EXIT_FAULT. False: not ours.
 */
bool cpu_host_fault(struct cpu *cpu, int signo, const void *siginfo, void *ucontext);

/* Called by helpers: leave to the run loop with the reason; registers in the state must be right. */
void exec_leave(struct cpu *cpu, enum cpu_exit reason) __attribute__((noreturn));

/* Drops translations made from guest addresses [start, end) (physical ones). Other threads may be running. */
void exec_invalidate(struct exec *x, uint64_t start, uint64_t end);
/* Drops those of them whose guest code is another now: the guest says that there may be new code in [start, end). */
void exec_renew(struct exec *x, uint64_t start, uint64_t end);

/*
 * Stores new translations in the cache on disk if there are enough to be worth it: in front of the process's end, or of
 * another program in its place.
 */
void exec_save(struct exec *x, bool is_end);
/* Is there a cache on disk at all? */
bool exec_stores(const struct exec *x);
/* Translates what can be reached from n guest addresses, nothing run, and stores it: number of units stored. */
uint64_t exec_warm(struct cpu *cpu, const uint64_t *pc, size_t n);

enum { CODE_MAX_INSN = 16 }; /* bytes of an instruction of any guest */
/*
 * Behind a TLB. Forgets where the code of [start, end) lies for this thread, or all of it (0, UINT64_MAX): mappings of
 * addresses have changed. By the thread itself, outside generated code or from a helper that leaves it.
 */
void cpu_forget_jumps(struct cpu *cpu, uint64_t start, uint64_t end);
/* The same where page tables have changed: the modes that have none keep theirs. */
void cpu_forget_mapped_jumps(struct cpu *cpu);
/* Calls fn while all other threads are outside generated code. Only from exec_memory.window(). */
void exec_stop_others(struct exec *x, struct cpu *self, void (*fn)(void *opaque), void *opaque);
/*
 * Like exec_invalidate(), from any thread and without waiting: the guest's processors do it before they enter generated
 * code again, which they are asked to leave.
 */
void exec_invalidate_later(struct exec *x, uint64_t start, uint64_t end);

/* Ends the thread that compiles, until there is work again: for what a process with several threads may not do. False:
   there was none. */
bool exec_stop_background(struct exec *x);
/* May there be such a thread? One that runs is ended: for processes whose every thread is looked at from outside. */
void exec_allow_background(struct exec *x, bool may);

/*
 * By the thread that waited for a child in the same memory (vfork), which may have been killed in the middle of
 * anything.
 */
void exec_child_ended(struct exec *x);

/* Around fork(): prepare takes the locks, parent/child release them; the child drops the cpus of other threads. */
void exec_fork_prepare(struct exec *x);
void exec_fork_parent(struct exec *x);
void exec_fork_child(struct exec *x, struct cpu *self);

#endif
