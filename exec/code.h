/*
 * What generated code and the run loop share about translations: blocks, the per-thread jump table, and the
 * memory that code lives in.
 *
 * Jump table (struct cpu.jump_table points to its entries): direct-mapped, one per guest thread, so that generated code
 * reads a pair without a race: i = JUMP_HASH(pc, mask); if (table[i].pc == pc) jump to table[i].entry.
 * Other threads only ever overwrite `pc` with JUMP_EMPTY (invalidation). `mask`, the 8 bytes before the entries, is 2
 * (size - 1).
 */
#ifndef EXEC_CODE_H
#define EXEC_CODE_H

#include <stdatomic.h>

#include "base/bits.h"
#include "tcg/host.h"

enum { JUMP_TABLE_SIZE = 1 << 13, JUMP_TABLE_FIRST = JUMP_TABLE_SIZE / 4 }; /* entries at most, and of a new thread */
enum { JUMP_HASH_SHIFT = 13 };
#define JUMP_HASH(pc, mask) ((((pc) ^ (pc) >> JUMP_HASH_SHIFT) & (mask)) >> 1)
#define JUMP_EMPTY    UINT64_C(1) /* matches no pc; entry 0 of a fresh (zeroed) table must be set to it */

struct jump_entry {
    _Atomic uint64_t pc;
    void *entry; /* host address */
};

struct jump_table {
    uint64_t unused[7]; /* entries share no cache line with it, nor with each other more than need be */
    uint64_t mask;
    struct jump_entry entry[JUMP_TABLE_SIZE];
};

/* A translated unit. Lives until the whole cache is flushed; `dead` ones are unreachable for new lookups. */
struct code_block {
    uint64_t pc;
    uint64_t physical; /* where its bytes are: exec/memory.h; else the pc */
    uint64_t tail; /* behind a TLB, of a unit that reaches into another page: that page's physical address, which the
                      key does not tell; such units are not linked. Else 0 */
    uint32_t mode; /* unit's flags: part of the key */
    uint32_t bytes; /* guest bytes [pc, pc + bytes) it was made from */
    const uint8_t *source; /* what they were then; NULL: not known */
    const struct ir_range *inlined; /* functions elsewhere that it was made from, too */
    uint32_t ninlined;
    const uint16_t *starts; /* exec_options.counted: where its ninsns instructions begin, from pc */
    uint32_t ninsns;
    uint8_t *entry; /* host address of the first instruction */
    struct compiled c;
    struct code_block *page_next; /* blocks that start in the same guest page (hash chain) */
    struct code_block *tail_next; /* exec's list of those with a tail, */
    struct code_block *inlined_next; /* and of those that have functions of elsewhere in them */
    struct ir_unit *unit;         /* interpreter and --verify: the IR */
    struct code_exit *incoming;   /* linked exits that jump here (list by next_in) */
    bool quick;                   /* of the quick tier: ends at its first conditional branch, counts its entries */
    bool asked;                   /* its hot unit is being compiled in the background; */
    bool alone;                   /* is not to be */
    bool dead;
};

/*
 * Code memory: an address range reserved once, filled by chunks. A chunk is shared memory mapped twice, executable in
 * the range and writable elsewhere; it is only ever appended to, so that a forked child goes on executing the parent's
 * chunks and appends to its own. Exit cells (struct code_exit) and counters lie in private memory next to the range.
 */
struct code_chunk {
    uint8_t *exec, *write; /* the same bytes */
    size_t size, used;
    size_t ready; /* bytes that were made present, so that filling them faults no more */
    size_t filled; /* bytes whose writable mapping was given up: written again they are there again */
    bool shared; /* another process may execute it: not to be overwritten */
};

enum { CODE_CHUNK_SIZE = 1 << 20, CODE_MAX_CHUNKS = 256 };

struct code_memory {
    uint8_t *base;     /* executable range */
    size_t size;       /* bytes reserved for code */
    struct code_exit *exits;
    size_t nexits, max_exits;
    uint8_t *ready; /* up to here exit cells are present */
    int32_t *counters;
    size_t ncounters, max_counters;
    struct code_chunk chunk[CODE_MAX_CHUNKS];
    unsigned nchunks;
    bool closed; /* the last chunk must not be appended to (after fork, in the child) */
};

/* Reserves `bytes` (rounded up to chunks). False, errno set, when the kernel refuses. */
bool code_memory_init(struct code_memory *m, size_t bytes);
void code_memory_destroy(struct code_memory *m);
/* Room of at least `need` bytes, 16-aligned; *exec is its executable address. NULL: the cache is full. */
uint8_t *code_memory_room(struct code_memory *m, size_t need, uint8_t **exec, size_t *room);
/* Keeps the first `n` bytes of the room just given. */
void code_memory_commit(struct code_memory *m, size_t n);
/* Nothing is going to run for a while: the code's pages are not counted as this process's until they are touched. */
void code_memory_rest(const struct code_memory *m);
/* Writable address of executable address `at` for overwriting 8 bytes; makes the chunk this process's own first. */
uint8_t *code_memory_writable(struct code_memory *m, const uint8_t *at);
/* Drops all code and exit cells. No thread may be inside. */
bool code_memory_flush(struct code_memory *m);
void code_memory_after_fork(struct code_memory *m, bool child);
/* A new exit cell, all zero; NULL: none is left. */
struct code_exit *code_memory_exit(struct code_memory *m);
static inline bool code_memory_contains(const struct code_memory *m, const void *p)
{
    return (uintptr_t)p - (uintptr_t)m->base < m->size;
}

#endif
