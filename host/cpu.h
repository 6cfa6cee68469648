/* Instructions of the processor that C has no words for: host/<processor>/cpu.c. */
#ifndef HOST_CPU_H
#define HOST_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* A counter for measuring code: even speed, on all processors of a machine alike. */
uint64_t host_cycles(void);

/* User addresses are below 1 << this; 47 at most. */
unsigned host_address_bits(void);

/* Faults if p is not 16-aligned, before any other fault of it. */
void atomic_check16(const void *p);
/*
 * If the 16 bytes at p are those of `old`, writes those of `new` and returns true; else `old` gets them. Atomic among
 * its like in all processes, but for riscv64, which has no such instruction: there among the threads of this process.
 */
bool atomic_cas16(void *p, uint64_t old[2], const uint64_t new[2]);
/* Around fork(): what atomic_cas16() is doing in other threads comes to its end first. */
void atomic_fork_prepare(void);
void atomic_fork_done(void); /* on both sides */

/* The type of a relocation that adds the load address (R_…_RELATIVE). */
extern const uint32_t host_relative_relocation;

#endif
