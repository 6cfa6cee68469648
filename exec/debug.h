/*
 * What a debugger wants of running code: breakpoints, watchpoints and single steps. Translated code that is not
 * concerned stays as it is: a unit ends in front of a breakpoint, where another begins that only leaves with
 * EXIT_DEBUG. Memory is not changed.
 */
#ifndef EXEC_DEBUG_H
#define EXEC_DEBUG_H

#include "exec/cpu.h"

struct exec;

/* What watchpoints look for, by bits; also what EXIT_DEBUG was for, in cpu->exit_detail. There cpu->fault_addr is the
 * address. */
enum { DEBUG_BREAKPOINT = 0, DEBUG_LOAD = 1, DEBUG_STORE = 2, DEBUG_ACCESS = 3 };

/*
 * Adds a breakpoint, or takes one away that was added with the same pc; several of one pc count. False: no memory, or
 * there is none. The guest's threads are outside generated code, or may run on for a moment as before.
 */
bool exec_breakpoint(struct exec *x, uint64_t pc, bool add);
/* The same for watchpoints on n bytes. All threads stand still; who has a TLB drops its entries. n > 0. */
bool exec_watchpoint(struct exec *x, uint64_t address, uint64_t n, unsigned access, bool add);
/* Takes all away. */
void exec_forget_debug(struct exec *x);

bool exec_has_breakpoint(const struct exec *x, uint64_t pc);
bool exec_has_watchpoints(const struct exec *x);
/* Which of the accesses to n bytes are watched; *first: the lowest watched address among them. */
unsigned exec_watched(const struct exec *x, uint64_t address, uint64_t n, uint64_t *first);

/* Breakpoints and watchpoints of one thread. */
struct cpu_watcher {
    const void *opaque;
    bool (*breaks_at)(const void *opaque, uint64_t pc);
    unsigned (*watched)(const void *opaque, uint64_t address, uint64_t n, uint64_t *first); /* as exec_watched() */
};
/*
 * As cpu_run(), looking at each access to memory for watchpoints: interpreted, a few instructions at a time. For guests
 * whose addresses are the host's; others watch by their TLB. w: NULL: those of all threads.
 */
enum cpu_exit cpu_run_watched(struct cpu *cpu, const struct cpu_watcher *w);
/* The same for cpu_step(); a breakpoint at the pc stops it, too. */
enum cpu_exit cpu_step_watched(struct cpu *cpu, const struct cpu_watcher *w);

#endif
