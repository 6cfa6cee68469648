/* A thread's jump tables. */
#include "exec/jumps.h"

#include <stdlib.h>
#include <sys/mman.h>

size_t jumps_bytes(unsigned n)
{
    return ALIGN_UP(n * sizeof(struct jump_table), (size_t)4096);
}

static uint64_t size_of(const struct jump_table *t) { return t->mask / 2 + 1; }

/* Each page would fault twice, when it is read and when it is written. */
static void make_ready(struct jump_table *t, uint64_t entries)
{
    madvise(t, ALIGN_UP(offsetof(struct jump_table, entry) + entries * sizeof(struct jump_entry), (size_t)4096),
            MADV_POPULATE_WRITE);
}

static void set_size(struct jump_table *t, uint64_t entries)
{
    __atomic_store_n(&t->mask, 2 * (entries - 1), __ATOMIC_RELAXED);
}

static void empty(struct jump_entry *e)
{
    atomic_store_explicit(&e->pc, JUMP_EMPTY, memory_order_relaxed);
}

bool jumps_init(struct cpu *cpu, void *memory, unsigned n)
{
    struct jump_sets *j = calloc(1, sizeof *j);
    if (!j)
        return false;
    j->n = n;
    make_ready(memory, n == 1 ? JUMP_TABLE_FIRST : JUMP_TABLE_SIZE);
    for (unsigned i = 0; i < n; i++) {
        j->set[i].table = (struct jump_table *)memory + i;
        set_size(j->set[i].table, n == 1 ? JUMP_TABLE_FIRST : JUMP_TABLE_SIZE);
        empty(j->set[i].table->entry);
    }
    j->set[0].mode = cpu->mode;
    cpu->jumps = j;
    cpu->jump_table = j->set[0].table->entry;
    return true;
}

void jumps_free(struct cpu *cpu)
{
    free(cpu->jumps);
}

static void forget_set(struct jump_set *s)
{
    for (unsigned i = 0; s->nfilled <= JUMP_FEW && i < s->nfilled; i++)
        empty(&s->table->entry[s->filled[i]]);
    for (unsigned i = 0; s->nfilled > JUMP_FEW && i < size_of(s->table); i++)
        if (s->table->entry[i].pc) /* untouched pages stay untouched */
            empty(&s->table->entry[i]);
    s->nfilled = 0;
}

void jumps_select(struct cpu *cpu, uint32_t mode)
{
    struct jump_sets *j = cpu->jumps;
    unsigned i = 0;
    while (i < j->n && j->set[i].mode != mode)
        i++;
    if (i == j->n) {
        i = j->next;
        j->next = (i + 1) % j->n;
        forget_set(&j->set[i]);
        j->set[i].mode = mode;
    }
    j->current = i;
    cpu->jump_table = j->set[i].table->entry;
}

static uint64_t *page_word(struct jump_sets *j, uint64_t page, uint64_t *bit)
{
    *bit = UINT64_C(1) << page % 64;
    return &j->pages[page % JUMP_PAGES / 64];
}

static void note_page(struct jump_sets *j, uint64_t pc)
{
    uint64_t bit, *word = page_word(j, pc >> JUMP_PAGE_SHIFT, &bit);
    if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))
        __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
}

/* May there be jumps to [start, end)? Most pages whose mapping changes hold data. */
static bool any_into(struct jump_sets *j, uint64_t start, uint64_t end)
{
    uint64_t page = start >> JUMP_PAGE_SHIFT, last = (end - 1) >> JUMP_PAGE_SHIFT, bit;
    if (last - page >= JUMP_PAGES)
        return true;
    for (; page <= last; page++) {
        const uint64_t *word = page_word(j, page, &bit);
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit)
            return true;
    }
    return false;
}

static void add_page(uint64_t *pages, const struct jump_entry *e)
{
    uint64_t pc = atomic_load_explicit(&e->pc, memory_order_relaxed), page = pc >> JUMP_PAGE_SHIFT;
    if (pc && pc != JUMP_EMPTY)
        pages[page % JUMP_PAGES / 64] |= UINT64_C(1) << page % 64;
}

static void add_pages(uint64_t *pages, const struct jump_set *s)
{
    for (unsigned i = 0; s->nfilled <= JUMP_FEW && i < s->nfilled; i++)
        add_page(pages, &s->table->entry[s->filled[i]]);
    for (unsigned i = 0; s->nfilled > JUMP_FEW && i < size_of(s->table); i++)
        add_page(pages, &s->table->entry[i]);
}

void jumps_forget_but(struct cpu *cpu, bool (*stays)(uint32_t mode))
{
    struct jump_sets *j = cpu->jumps;
    uint64_t pages[ARRAY_SIZE(j->pages)] = {0};
    for (unsigned i = 0; i < j->n; i++)
        if (stays && stays(j->set[i].mode))
            add_pages(pages, &j->set[i]);
        else
            forget_set(&j->set[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) /* at no time without a page that stays */
        __atomic_store_n(&j->pages[i], pages[i], __ATOMIC_RELAXED);
}

void jumps_forget_all(struct cpu *cpu) { jumps_forget_but(cpu, NULL); }

/*
 * A table begins small, since each page that is touched costs as much as translating several instructions, and grows
 * when jumps displace each other. What is in it would be looked for elsewhere then: it is forgotten.
 */
static void grow(struct jump_set *s)
{
    forget_set(s);
    make_ready(s->table, JUMP_TABLE_SIZE);
    set_size(s->table, JUMP_TABLE_SIZE);
    s->replaced = 0;
}

void jumps_fill(struct cpu *cpu, uint64_t pc, void *entry)
{
    struct jump_set *s = &cpu->jumps->set[cpu->jumps->current];
    if (s->replaced > size_of(s->table) / 8 && size_of(s->table) < JUMP_TABLE_SIZE)
        grow(s);
    unsigned i = JUMP_HASH(pc, s->table->mask);
    struct jump_entry *e = &s->table->entry[i];
    uint64_t was = atomic_load_explicit(&e->pc, memory_order_relaxed);
    note_page(cpu->jumps, pc);
    if (was && was != JUMP_EMPTY) {
        s->replaced += was != pc;
    } else {
        if (s->nfilled < JUMP_FEW)
            s->filled[s->nfilled] = i;
        s->nfilled += s->nfilled <= JUMP_FEW;
    }
    e->entry = entry;
    atomic_store_explicit(&e->pc, pc, memory_order_release);
}

static void forget_one(struct jump_entry *e, uint64_t start, uint64_t end)
{
    uint64_t pc = atomic_load_explicit(&e->pc, memory_order_relaxed);
    if (pc >= start && pc < end)
        empty(e);
}

void jumps_forget(struct cpu *cpu, uint64_t start, uint64_t end)
{
    struct jump_sets *j = cpu->jumps;
    if (!any_into(j, start, end))
        return;
    for (unsigned k = 0; k < j->n; k++) {
        struct jump_table *t = j->set[k].table;
        bool few = (end - start) / 2 < size_of(t); /* instructions are at even addresses */
        for (uint64_t pc = start; few && pc < end; pc += 2)
            forget_one(&t->entry[JUMP_HASH(pc, t->mask)], start, end);
        for (unsigned i = 0; !few && i < size_of(t); i++)
            forget_one(&t->entry[i], start, end);
    }
}
