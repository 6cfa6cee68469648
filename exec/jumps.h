/*
 * A thread's jump tables (exec/code.h): one for each of the modes it was in last, so that changing the mode is changing
 * a pointer; behind a TLB they are also forgotten when mappings change, at a cost proportional to what is in them.
 */
#ifndef EXEC_JUMPS_H
#define EXEC_JUMPS_H

#include "exec/code.h"
#include "exec/cpu.h"

enum { JUMP_MODES = 4, JUMP_FEW = 256, JUMP_PAGE_SHIFT = 12, JUMP_PAGES = 1024 };

struct jump_set {
    struct jump_table *table;
    uint32_t mode;
    uint32_t nfilled;          /* since it was empty; more than JUMP_FEW: */
    uint16_t filled[JUMP_FEW]; /* which is not known */
    uint32_t replaced;         /* entries by others since the table has its size */
};

/* Other threads take entries out, only the own one puts them in and exchanges sets. */
struct jump_sets {
    unsigned n, current, next; /* `next` is given up for another mode */
    struct jump_set set[JUMP_MODES];
    uint64_t pages[JUMP_PAGES / 64]; /* a bit by page number: there may be jumps into such pages; changed atomically */
};

/*
 * Empty tables for n modes in fresh memory of jumps_bytes(n), all zero and aligned to a page. False without memory.
 * Where there is one mode, hardly any of the memory is touched before the table has to grow.
 */
bool jumps_init(struct cpu *cpu, void *memory, unsigned n);
size_t jumps_bytes(unsigned n);
void jumps_free(struct cpu *cpu);

/* By the own thread, outside generated code. */
void jumps_select(struct cpu *cpu, uint32_t mode);
void jumps_forget_all(struct cpu *cpu);
/* But those of the modes that `stays` says; NULL: of none. */
void jumps_forget_but(struct cpu *cpu, bool (*stays)(uint32_t mode));
void jumps_fill(struct cpu *cpu, uint64_t pc, void *entry);

/* By any thread: jumps to guest addresses [start, end). */
void jumps_forget(struct cpu *cpu, uint64_t start, uint64_t end);

#endif
