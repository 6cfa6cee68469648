/* What the files of exec/ share; nobody else includes it. */
#ifndef EXEC_INTERNAL_H
#define EXEC_INTERNAL_H

#include <pthread.h>
#include <setjmp.h>

#include "base/arena.h"
#include "base/shared-lock.h"
#include "exec/code.h"
#include "exec/exec.h"
#include "exec/jumps.h"
#include "tcg/interp.h"

enum { PAGE_HASH_SIZE = 1 << 14, PAGE_HASH_SHIFT = 12 };
enum { GUARD_SIZE = 4096 }; /* below a return stack */

struct block_entry {
    uint32_t tag, index;
};
struct block_table {
    struct block_entry *entry; /* 1 << bits of them, or NULL */
    uint32_t bits, used;
};

/* What the process has of the translation cache: disk.c. */
enum { DISK_MAX_IMAGES = 64 };
struct disk_state {
    const struct disk *disk; /* NULL: no cache */
    bool at_once;            /* what is new is stored even if nothing was known of its file */
    struct image *image[DISK_MAX_IMAGES];
    unsigned nimages;
    struct code_ref *refs;   /* of the unit that is being compiled, or was last */
    uint32_t nrefs, max_refs, nexits;
    struct code_exit *exits; /* its cells, in a row */
};

/* Physical addresses whose translations are to be dropped: exec_invalidate_later(). */
enum { MAX_STALE = 64 };
struct stale_range {
    uint64_t start, end;
};

/* Why generated code was left. X(NAME, text of -d jit-stats) */
#define EXITS(X)                                    \
    X(UNLINKED, "left: exits not linked yet")       \
    X(HOT, "left: quick units that are hot")        \
    X(INDIRECT, "left: jumps not in the table")     \
    X(SYSCALL, "left: system calls")                \
    X(FAULT, "left: faults")                        \
    X(INTERRUPT, "left: asked to")                  \
    X(OTHER, "left: other reasons")
enum exit_kind {
#define X(NAME, text) EXIT_KIND_##NAME,
    EXITS(X)
#undef X
        EXIT_KINDS
};

/* A hot unit to be compiled in the background. */
struct asked {
    struct asked *next;
    struct code_block *quick;
    struct code_block block; /* of the hot one, as far as it is known */
    struct ir_unit unit;
    uint8_t *source;
    size_t nsource;
    uint64_t flushes; /* stats.flushes when it was asked for */
    uint64_t cycles;  /* used so far, for jit-stats */
    bool stale;       /* the guest code has changed since */
};

/* debug.c: breakpoints under the lock, watchpoints while all threads stand still. */
struct exec_debug {
    struct breakpoint *breaks;
    struct watchpoint *watches;
    unsigned nbreak, nwatch;
};

/* What a translation is kept by. Without exec_memory the physical address is the pc. */
struct block_key {
    uint64_t pc, physical;
    uint32_t mode;
};

/* once.c: code that is interpreted when it is reached first. */
enum { ONCE_BITS = 16, ONCE_KEPT_BITS = 4, QUICK_SOURCE = 256 };
struct once_state {
    bool wanted;
    unsigned patience;       /* so often more, as long as the process, */
    uint64_t units;          /* which began with so many translations, has made none */
    struct code_block block; /* of no table; stands for: */
    /* What is being interpreted, by the only thread, and was lately: what is reached again has its IR already. */
    struct once_unit {
        struct block_key key;
        struct ir_unit unit;
        uint8_t source[QUICK_SOURCE]; /* that it was made from */
    } kept[1 << ONCE_KEPT_BITS];
    uint64_t seen[(1 << ONCE_BITS) / 64]; /* a bit for each hash of what has been reached */
};

struct exec {
    const struct target *target;
    struct code_reader code;
    struct exec_options options;
    const struct tcg_host *host; /* NULL: interpreter */
    void (**helpers)(void);      /* by ir_guest.helpers' order */
    struct host_entry entry;

    struct shared_lock lock; /* guards everything below; taken before any other lock of exec */
    struct code_memory mem;
    void *work;         /* the host's, to compile in */
    struct ir_unit spare; /* memory for the next unit */
    struct arena arena; /* blocks and what describes them: dropped with all code */
    struct block_table table;
    struct code_block *page[PAGE_HASH_SIZE];
    struct code_block *tails;   /* blocks with a tail, by tail_next */
    struct code_block *inliners; /* and with inlined functions, by inlined_next */
    struct code_block **blocks; /* by rising entry address: appended in allocation order */
    size_t nblocks, max_blocks;
    struct code_block **old_blocks[32]; /* smaller arrays of before: handlers of other threads may be searching them */
    unsigned nold_blocks;
    struct cpu *cpus;
    struct disk_state disk;
    struct once_state once;
    struct {
        struct asked *first; /* the one being compiled, then those that wait */
        unsigned n;
        bool running, stopping, ended_or_running, forbidden;
        pthread_t thread;    /* if that */
        pid_t owner;         /* process that may have the thread */
        struct shared_condition wanted, stopped;
    } back;
    struct exec_debug debug;
    pid_t perf_owner; /* -d perf: process that has a map */
    _Atomic uint32_t stop; /* a thread waits for all others to leave generated code */
    struct {
        pthread_mutex_t lock;
        struct stale_range range[MAX_STALE];
        unsigned n;
    } stale;

    struct {
        uint64_t cycles[2], insns[2]; /* of compiling, and guest instructions compiled: hot, quick */
        uint64_t units, guest_insns, guest_bytes, host_bytes, flushes, invalidations, links, lookups, promotions,
            disk_files, disk_units, disk_stored, found, helper_calls, interpreted;
        uint64_t exits[EXIT_KINDS]; /* of generated code */
    } stats;
};

/*
 * translate.c: finds or makes the block for the key, the hot one if it is hot now; x->lock held. `from`: the unlinked
 * exit that led there, or NULL. may_interpret: the block may be x->once.block, which has no code: once_run(). NULL: the
 * instruction's end cannot be fetched and the guest's exception has been entered.
 */
struct code_block *exec_block(struct exec *x, struct cpu *cpu, struct block_key key, const struct code_exit *from,
                              bool may_interpret);
/* blocks.c: the tables; exec_find() may give NULL. The newest of a key is found. */
struct code_block *exec_find(struct exec *x, struct block_key key);
/* The same, for a processor that goes there. */
struct code_block *exec_find_for(struct exec *x, struct cpu *cpu, struct block_key key);
/* Room for a processor's own memory of units, or NULL. Freed by free(). */
struct code_block **exec_new_recent(void);
void blocks_insert(struct exec *x, struct code_block *b);
void blocks_remove(struct exec *x, struct code_block *b);
void blocks_clear(struct exec *x);
void blocks_free(struct exec *x);
/* The block that holds host address p, or NULL; x->lock need not be held by the faulting thread's own block. */
struct code_block *exec_block_at(struct exec *x, const uint8_t *p);
/* exec_options.counted: how many of the block's instructions follow the one at pc. */
int32_t exec_behind(const struct code_block *b, uint64_t pc);
/* Do the options ask that each unit is translated here, to be seen or checked? */
bool exec_wants_every_unit(const struct exec *x);
/* Drops the units that hold the guest's pc, or begin there, wherever it leads; x->lock held. */
void exec_drop_pc(struct exec *x, uint64_t pc);
/* In a block key's mode: the unit is the one instruction, and leaves behind it. For cpu_step(). */
#define MODE_STEP (1u << 31)
/* Drops all translations; x->lock held, caller outside generated code. */
#define MODE_FLUSHED UINT32_MAX /* cpu->mode after a flush */
void exec_flush(struct exec *x);
/* Frees what describes the blocks; nobody runs any more. */
void exec_free_blocks(struct exec *x);
bool exec_start_code(struct exec *x);

/* Points the exit at the block; x->lock held. */
void exec_link(struct code_exit *e, struct code_block *to);
/* Clears the jump tables' entries for [start, end). */
void exec_forget_jumps(struct exec *x, uint64_t start, uint64_t end);

/* Is any of a unit's inlined functions in [start, end)? */
bool exec_inlines(const struct ir_range *inlined, uint32_t n, uint64_t start, uint64_t end);
/* The passes for hot units; needs no lock. */
void exec_optimize(const struct exec *x, struct ir_unit *u);
/* What compile() gave moves to the arena. */
void exec_keep_description(struct exec *x, struct compiled *c);
/* A block of translations from now on; the unit is kept where the engine needs it, else still the caller's. */
struct code_block *exec_add_block(struct exec *x, const struct code_block *new, struct ir_unit *u);

/* background.c; x->lock held. */
void background_init(struct exec *x);
bool background_can(const struct exec *x, const struct code_block *quick);
bool background_full(const struct exec *x);
/* Takes `a` over (from malloc). */
void background_ask(struct exec *x, struct asked *a);
void background_invalidate(struct exec *x, uint64_t start, uint64_t end);
/* Waits until there is no thread, and drops what it was asked for. False: there was none. */
bool background_stop(struct exec *x);
/* exec_allow_background(), by the process whose threads they are. */
void background_allow(struct exec *x, bool may);
void background_after_fork(struct exec *x); /* in the child */

/* tier.c; x->lock held. Entries that a new quick unit counts before it is hot. */
int32_t tier_first_count(const struct exec *x);
bool tier_starts_quick(const struct exec *x);
/* Is the block, reached through `from` (or NULL), a quick one that is to be replaced now? */
bool tier_is_hot(const struct exec *x, const struct code_block *b, const struct code_exit *from);
/* Has the quick block been entered often enough to be a part of its neighbours' hot units? */
bool tier_is_warm(const struct exec *x, const struct code_block *quick);
/* Entries to count while the hot unit is being compiled. */
void tier_wait(struct code_block *quick);
/* Leads everything that goes to the quick block to the hot one, which is in the tables already. */
void tier_replace(struct exec *x, struct code_block *quick, struct code_block *hot);

/* once.c; x->lock held but for the first. */
void once_init(struct exec *x);
void once_after_fork(struct exec *x); /* in the child */
/* Is the code at the key, of which there is no unit, to be interpreted this time? */
bool once_may(struct exec *x, struct block_key key);
/* Where the unit for the key is, if it is there at all. */
struct once_unit *once_place(struct exec *x, struct block_key key);
/* The units that hold the guest's pc are not there any more. */
void once_forget(struct exec *x, uint64_t pc);
/* Runs x->once.block's unit, as generated code would. */
void once_run(struct cpu *cpu);

/* disk.c; x->lock held. Is what is made of the code at pc, whose blocks have been looked for, likely to be stored? */
bool disk_wants(struct exec *x, uint64_t pc);
/* disk.c; x->lock held. The block in a file of the cache for the code that is mapped at pc, or NULL. */
struct code_block *disk_find(struct exec *x, uint64_t pc, uint32_t mode);
/* A reference of the unit that is being compiled; the unit itself, new: it may be stored. */
void disk_note_ref(struct exec *x, const struct code_ref *r);
void disk_note(struct exec *x, struct code_block *b);
/*
 * The guest changes code in the range, or has done so already: its files are used no more. True: all blocks must be
 * dropped. Alone, the thread stores what is new before a change.
 */
bool disk_close_range(struct exec *x, uint64_t start, uint64_t end, bool changed);
/* In a forked child. */
void disk_after_fork(struct exec *x);
/* All blocks are dropped; nobody runs. */
void disk_flush(struct exec *x);
void disk_forget(struct exec *x);
/*
 * For fault handlers: is p in a cache file's code? Its block, as far as recover() needs it; the rest of it is 0, and
 * *pc its guest pc.
 */
bool disk_holds(const struct exec *x, const uint8_t *p);
bool disk_compiled_at(const struct exec *x, const uint8_t *p, struct compiled *c, uint64_t *pc);

extern const struct host_layout cpu_layout;
extern const struct interp_layout cpu_interp_layout;
/* fault.c: an access of generated code that its TLB has no entry for. */
host_access_fn exec_slow_access;
/* interp-run.c: runs one block's unit by interpretation; sets pc and exit reason like generated code. */
void exec_interpret(struct cpu *cpu, struct code_block *b);
void exec_take_exit(struct cpu *cpu, const struct interp_exit *e);

/* exec.c: does what has been asked of the thread, by itself outside generated code. False: nothing has. */
bool cpu_take_requests(struct cpu *cpu);
/* exec.c: the one instruction at the pc by generated code. */
void exec_run_step(struct cpu *cpu);

/* verify.c: runs one block both ways and compares; reports a bug on a difference. */
void exec_verify(struct cpu *cpu, struct code_block *b);

#endif
