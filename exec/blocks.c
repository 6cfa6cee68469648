/*
 * The tables of translated units: by key (pc, mode, physical address), by guest page, by host address. All but the last
 * under x->lock.
 */
#include "exec/exec-internal.h"

#include <stdlib.h>

#include "base/log.h"

enum { FIRST_BITS = 10, FIRST_BLOCKS = 1024 };

/* --- by key: open addressing; an entry holds a part of the hash and 1 + the index of the block --- */

static uint64_t hash_of(struct block_key k)
{
    return (k.physical ^ (uint64_t)k.mode << 48 ^ (k.pc - k.physical) >> PAGE_HASH_SHIFT) *
           UINT64_C(0x9e3779b97f4a7c15);
}

static struct block_key key_of(const struct code_block *b) { return (struct block_key){b->pc, b->physical, b->mode}; }

static uint32_t tag_of(uint64_t hash) { return (uint32_t)(hash >> 16); }
static uint32_t home_of(const struct block_table *t, uint64_t hash) { return hash >> (64 - t->bits); }
static uint32_t mask_of(const struct block_table *t) { return (1u << t->bits) - 1; }

/* The entry for the key, or the empty one where it would be. */
static struct block_entry *entry_of(const struct exec *x, struct block_key key)
{
    const struct block_table *t = &x->table;
    uint64_t hash = hash_of(key);
    uint32_t i = home_of(t, hash);
    for (; t->entry[i].index; i = (i + 1) & mask_of(t)) {
        if (t->entry[i].tag != tag_of(hash))
            continue;
        const struct code_block *b = x->blocks[t->entry[i].index - 1];
        if (b->pc == key.pc && b->mode == key.mode && b->physical == key.physical)
            break;
    }
    return &t->entry[i];
}

struct code_block *exec_find(struct exec *x, struct block_key key)
{
    const struct block_entry *e = x->table.entry ? entry_of(x, key) : NULL;
    return e && e->index ? x->blocks[e->index - 1] : NULL;
}

/*
 * Where mappings change all the time, a processor comes by here for most of its jumps and finds what it found before.
 * Of that each has a table of its own, which stays in its host processor's cache, in front of the big ones, which
 * don't.
 */
enum { RECENT_BITS = 12 };

struct code_block **exec_new_recent(void) { return calloc(1 << RECENT_BITS, sizeof(struct code_block *)); }

static struct code_block **recent_of(const struct cpu *cpu, struct block_key key)
{
    return &cpu->recent[hash_of(key) >> (64 - RECENT_BITS)];
}

struct code_block *exec_find_for(struct exec *x, struct cpu *cpu, struct block_key key)
{
    if (!cpu->recent)
        return exec_find(x, key);
    struct code_block **r = recent_of(cpu, key), *b = *r;
    if (!b || b->pc != key.pc || b->mode != key.mode || b->physical != key.physical)
        *r = b = exec_find(x, key);
    return b;
}

static void forget_recent(struct exec *x, struct block_key key)
{
    for (struct cpu *cpu = x->cpus; cpu; cpu = cpu->next_cpu)
        if (cpu->recent)
            *recent_of(cpu, key) = NULL;
}

static void enter(struct exec *x, const struct code_block *b, uint32_t index)
{
    struct block_entry *e = entry_of(x, key_of(b));
    x->table.used += !e->index;
    *e = (struct block_entry){tag_of(hash_of(key_of(b))), index};
}

static void grow(struct exec *x)
{
    struct block_table old = x->table, *t = &x->table;
    *t = (struct block_table){.bits = old.entry ? old.bits + 1 : FIRST_BITS};
    t->entry = calloc(UINT64_C(1) << t->bits, sizeof *t->entry);
    CHECK(t->entry);
    for (uint32_t i = 0; old.entry && i <= mask_of(&old); i++)
        if (old.entry[i].index)
            enter(x, x->blocks[old.entry[i].index - 1], old.entry[i].index);
    free(old.entry);
}

static void remove_entry(struct exec *x, const struct code_block *b)
{
    struct block_table *t = &x->table;
    struct block_entry *e = entry_of(x, key_of(b));
    if (!e->index || x->blocks[e->index - 1] != b) /* a newer one is there */
        return;
    uint32_t i = e - t->entry;
    t->used--;
    /* What stands behind it and could stand here moves up: a search must not meet a gap. */
    for (uint32_t k = (i + 1) & mask_of(t); t->entry[k].index; k = (k + 1) & mask_of(t)) {
        const struct code_block *other = x->blocks[t->entry[k].index - 1];
        uint32_t home = home_of(t, hash_of(key_of(other)));
        if (((k - home) & mask_of(t)) >= ((k - i) & mask_of(t))) {
            t->entry[i] = t->entry[k];
            i = k;
        }
    }
    t->entry[i].index = 0;
}

/* --- by host address --- */

static void append(struct exec *x, struct code_block *b)
{
    if (x->nblocks == x->max_blocks) {
        x->max_blocks = x->max_blocks ? x->max_blocks * 2 : FIRST_BLOCKS;
        /* The old array stays (they add up to the size of the last one). */
        struct code_block **bigger = malloc(x->max_blocks * sizeof *bigger);
        CHECK(bigger);
        if (x->nblocks)
            memcpy(bigger, x->blocks, x->nblocks * sizeof *bigger);
        if (x->blocks)
            x->old_blocks[x->nold_blocks++] = x->blocks;
        __atomic_store_n(&x->blocks, bigger, __ATOMIC_RELEASE);
    }
    x->blocks[x->nblocks] = b;
    __atomic_store_n(&x->nblocks, x->nblocks + 1, __ATOMIC_RELEASE);
}

struct code_block *exec_block_at(struct exec *x, const uint8_t *p)
{
    size_t lo = 0, hi = __atomic_load_n(&x->nblocks, __ATOMIC_ACQUIRE);
    struct code_block **blocks = __atomic_load_n(&x->blocks, __ATOMIC_ACQUIRE);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (blocks[mid]->c.code <= p)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!lo)
        return NULL;
    struct code_block *b = blocks[lo - 1];
    return p < b->c.code + b->c.size ? b : NULL;
}

/* --- all of them --- */

static struct code_block **page_of(struct exec *x, uint64_t physical)
{
    return &x->page[(physical >> PAGE_HASH_SHIFT) % PAGE_HASH_SIZE];
}

void blocks_insert(struct exec *x, struct code_block *b)
{
    append(x, b);
    if (!x->table.entry || x->table.used > mask_of(&x->table) / 2)
        grow(x);
    enter(x, b, x->nblocks);
    forget_recent(x, key_of(b)); /* the newest of a key is found */
    struct code_block **page = page_of(x, b->physical);
    b->page_next = *page;
    *page = b;
}

void blocks_remove(struct exec *x, struct code_block *b)
{
    remove_entry(x, b);
    forget_recent(x, key_of(b));
    struct code_block **at = page_of(x, b->physical);
    while (*at != b)
        at = &(*at)->page_next;
    *at = b->page_next;
}

void blocks_clear(struct exec *x)
{
    x->nblocks = 0;
    x->table.used = 0;
    if (x->table.entry)
        memset(x->table.entry, 0, sizeof *x->table.entry << x->table.bits);
    memset(x->page, 0, sizeof x->page);
    for (struct cpu *cpu = x->cpus; cpu; cpu = cpu->next_cpu)
        if (cpu->recent)
            memset(cpu->recent, 0, sizeof *cpu->recent << RECENT_BITS);
}

void blocks_free(struct exec *x)
{
    for (unsigned i = 0; i < x->nold_blocks; i++)
        free(x->old_blocks[i]);
    free(x->blocks);
    free(x->table.entry);
}
