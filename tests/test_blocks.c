/*
 * The tables of translated units (exec/blocks.c) against a model: an array searched from its end; jump tables
 * (exec/jumps.c).
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "exec/exec-internal.h"

enum { BLOCKS = 20000, KEYS = 3000, CODE_STEP = 64, CODE_SIZE = 48 };

static uint64_t random_state = 88172645463325252u;

static uint64_t rnd(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* Few enough that units are made for the same key again, near enough that places in the table are fought for. */
static struct block_key random_key(void)
{
    uint64_t pc = 0x400000 + 4 * rnd(KEYS / 2);
    return (struct block_key){pc, pc, rnd(2) * 5};
}

static struct code_block *newest(struct code_block *b, const bool *removed, unsigned n, struct block_key key)
{
    while (n-- > 0)
        if (b[n].pc == key.pc && b[n].mode == key.mode)
            return removed[n] ? NULL : &b[n];
    return NULL;
}

static void check_key(struct exec *x, struct code_block *b, const bool *removed, unsigned n, struct block_key key)
{
    const struct code_block *wanted = newest(b, removed, n, key);
    cr_assert_eq(exec_find(x, key), wanted, "pc 0x%llx mode %u after %u units", (unsigned long long)key.pc, key.mode, n);
    for (struct cpu *cpu = x->cpus; cpu; cpu = cpu->next_cpu)
        cr_assert_eq(exec_find_for(x, cpu, key), wanted, "pc 0x%llx mode %u after %u units", (unsigned long long)key.pc, key.mode, n);
}

static void check_pages(struct exec *x, const struct code_block *b, const bool *removed, unsigned n)
{
    unsigned there = 0, live = 0;
    for (unsigned i = 0; i < PAGE_HASH_SIZE; i++)
        for (const struct code_block *p = x->page[i]; p; p = p->page_next, there++)
            cr_assert(!removed[p - b]);
    for (unsigned i = 0; i < n; i++)
        live += !removed[i];
    cr_assert_eq(there, live);
}

Test(blocks, model, .timeout = 60)
{
    struct exec *x = calloc(1, sizeof *x);
    struct code_block *b = calloc(BLOCKS, sizeof *b);
    bool *removed = calloc(BLOCKS, sizeof *removed);
    uint8_t *code = (uint8_t *)(uintptr_t)0x100000;
    cr_assert(x && b && removed);
    struct cpu *user = calloc(1, sizeof *user), *machine = calloc(1, sizeof *machine);
    cr_assert(user && machine);
    machine->recent = exec_new_recent(); /* units it found last are remembered */
    user->next_cpu = machine;
    x->cpus = user;
    check_key(x, b, removed, 0, random_key());
    for (unsigned round = 0; round < 2; round++) { /* the second after a flush */
        memset(b, 0, BLOCKS * sizeof *b);
        memset(removed, 0, BLOCKS * sizeof *removed);
        for (unsigned n = 0; n < BLOCKS; n++) {
            struct block_key key = random_key();
            b[n] = (struct code_block){.pc = key.pc, .physical = key.physical, .mode = key.mode};
            b[n].c.code = code + (size_t)n * CODE_STEP;
            b[n].c.size = CODE_SIZE;
            blocks_insert(x, &b[n]);
            /* Any of them, also one that a newer one has taken the place of. */
            unsigned victim = rnd(n + 1);
            if (!removed[victim] && rnd(3)) {
                blocks_remove(x, &b[victim]);
                removed[victim] = true;
            }
            for (unsigned i = 0; i < 3; i++)
                check_key(x, b, removed, n + 1, random_key());
            check_key(x, b, removed, n + 1, (struct block_key){b[victim].pc, b[victim].physical, b[victim].mode});
            unsigned some = rnd(n + 1), off = rnd(CODE_STEP);
            cr_assert_eq(exec_block_at(x, b[some].c.code + off), off < CODE_SIZE ? &b[some] : NULL);
        }
        cr_assert_null(exec_block_at(x, code - 1));
        check_pages(x, b, removed, BLOCKS);
        blocks_clear(x);
        check_key(x, b, removed, 0, random_key());
    }
    blocks_free(x);
    free(machine->recent);
    free(machine);
    free(user);
    free(removed);
    free(b);
    free(x);
}

/* --- jump tables --- */

static void *entry_for(uint64_t pc) { return (void *)(uintptr_t)(pc * 3 + 1); }

/* As generated code looks: NULL means leaving it. */
static void *jump(const struct cpu *cpu, uint64_t pc)
{
    const struct jump_entry *table = cpu->jump_table;
    uint64_t mask = ((const uint64_t *)table)[-1];
    const struct jump_entry *e = &table[JUMP_HASH(pc, mask)];
    return e->pc == pc ? e->entry : NULL;
}

static uint64_t entries(const struct cpu *cpu) { return ((const uint64_t *)cpu->jump_table)[-1] / 2 + 1; }

Test(jumps, grow, .timeout = 60)
{
    enum { HOT = 1500 };
    struct cpu *cpu = calloc(1, sizeof *cpu);
    void *memory = aligned_alloc(4096, jumps_bytes(1));
    cr_assert(cpu && memory);
    memset(memory, 0, jumps_bytes(1));
    cr_assert(jumps_init(cpu, memory, 1));
    cr_assert_eq(entries(cpu), JUMP_TABLE_FIRST);
    cr_assert_null(jump(cpu, 0));
    for (unsigned i = 0; i < 100; i++)
        jumps_fill(cpu, 0x400000 + 2 * i, entry_for(0x400000 + 2 * i));
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(jump(cpu, 0x400000 + 2 * i), entry_for(0x400000 + 2 * i));
    cr_assert_eq(entries(cpu), JUMP_TABLE_FIRST, "the table grows without need");

    unsigned misses = 0;
    for (unsigned round = 0; round < 20; round++) {
        misses = 0;
        for (unsigned i = 0; i < HOT; i++) {
            uint64_t pc = 0x10000 + 256 * i;
            void *found = jump(cpu, pc);
            cr_assert(!found || found == entry_for(pc));
            misses += !found;
            if (!found)
                jumps_fill(cpu, pc, entry_for(pc));
        }
    }
    cr_assert_gt(entries(cpu), JUMP_TABLE_FIRST, "jumps displace each other for ever");
    cr_assert_lt(misses, HOT / 4);

    /* A few by their hash, many by looking at all. */
    jumps_forget(cpu, 0x10000, 0x10200);
    cr_assert(!jump(cpu, 0x10000) && !jump(cpu, 0x10100));
    jumps_forget(cpu, 0x10000, 0x10000 + 256 * (HOT / 2));
    unsigned left = 0;
    for (unsigned i = 0; i < HOT; i++) {
        void *found = jump(cpu, 0x10000 + 256 * i);
        cr_assert(!found || i >= HOT / 2);
        left += found != NULL;
    }
    cr_assert_gt(left, HOT / 4);
    jumps_forget_all(cpu);
    for (unsigned i = 0; i < HOT; i++)
        cr_assert_null(jump(cpu, 0x10000 + 256 * i));
    jumps_free(cpu);
    free(memory);
    free(cpu);
}

static bool is_five(uint32_t mode) { return mode == 5; }

Test(jumps, of_modes)
{
    struct cpu *cpu = calloc(1, sizeof *cpu);
    void *memory = aligned_alloc(4096, jumps_bytes(JUMP_MODES));
    cr_assert(cpu && memory);
    memset(memory, 0, jumps_bytes(JUMP_MODES));
    cr_assert(jumps_init(cpu, memory, JUMP_MODES));
    for (unsigned many = 0; many < 2; many++) { /* which entries are filled is known for a few only */
        unsigned n = many ? 2 * JUMP_FEW : 10;
        for (uint32_t mode = 3; mode <= 5; mode += 2) {
            jumps_select(cpu, mode);
            for (unsigned i = 0; i < n; i++)
                jumps_fill(cpu, 0x400000 + 2 * i, entry_for(0x400000 + 2 * i));
        }
        jumps_forget_but(cpu, is_five);
        for (unsigned i = 0; i < n; i++)
            cr_assert_eq(jump(cpu, 0x400000 + 2 * i), entry_for(0x400000 + 2 * i));
        jumps_select(cpu, 3);
        for (unsigned i = 0; i < n; i++)
            cr_assert_null(jump(cpu, 0x400000 + 2 * i));
        jumps_select(cpu, 5);
        jumps_forget(cpu, 0x400000, 0x400000 + 2 * n); /* their pages are known still */
        for (unsigned i = 0; i < n; i++)
            cr_assert_null(jump(cpu, 0x400000 + 2 * i));
    }
    jumps_free(cpu);
    free(memory);
    free(cpu);
}
