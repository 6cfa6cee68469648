/*
 * Guest memory that is not the host's own at the same addresses: behind a TLB, with pages whose place can change. What
 * the embedding (softmmu/) does for exec/; all functions are called by the thread of `cpu`.
 */
#ifndef EXEC_MEMORY_H
#define EXEC_MEMORY_H

#include "exec/cpu.h"

struct exec_memory {
    /*
     * Physical address of the instruction at pc, by which translations are kept: what is at another pc or in another
     * address space may share it. False: it cannot be fetched; the guest's exception has been entered.
     */
    bool (*locate)(struct cpu *cpu, uint64_t pc, uint64_t *physical);
    /*
     * Its bytes and how many of them may be read there; NULL: none. From now on writes to them are told to
     * exec_invalidate().
     */
    const uint8_t *(*window)(struct cpu *cpu, uint64_t pc, size_t *avail);
    /* One access that cpu->tlb_table has no entry for. False: it faults, fault() will be called. */
    bool (*access)(struct cpu *cpu, const struct host_access *a);
    /*
     * The state is that of the instruction whose access failed: enters the guest's exception. Returns why cpu_run() is
     * left.
     */
    enum cpu_exit (*fault)(struct cpu *cpu);
    /*
     * Before generated code is entered: makes tlb_table and tlb_mask those of the view that loads and stores have now.
     */
    void (*select)(struct cpu *cpu);
};

#endif
