/* A thread's jump tables. */
#include "exec/jumps.h"

#include <stdlib.h>

size_t jumps_bytes(unsigned n)
{
    return n * JUMP_TABLE_SIZE * sizeof(struct jump_entry);
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
    for (unsigned i = 0; i < n; i++) {
        j->set[i].table = (struct jump_entry *)memory + i * JUMP_TABLE_SIZE;
        empty(j->set[i].table);
    }
    j->set[0].mode = cpu->mode;
    cpu->jumps = j;
    cpu->jump_table = j->set[0].table;
    return true;
}

void jumps_free(struct cpu *cpu)
{
    free(cpu->jumps);
}

static void forget_set(struct jump_set *s)
{
    for (unsigned i = 0; s->nfilled <= JUMP_FEW && i < s->nfilled; i++)
        empty(&s->table[s->filled[i]]);
    for (unsigned i = 0; s->nfilled > JUMP_FEW && i < JUMP_TABLE_SIZE; i++)
        if (s->table[i].pc) /* untouched pages stay untouched */
            empty(&s->table[i]);
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
    cpu->jump_table = j->set[i].table;
}

void jumps_forget_all(struct cpu *cpu)
{
    struct jump_sets *j = cpu->jumps;
    for (unsigned i = 0; i < j->n; i++)
        forget_set(&j->set[i]);
}

void jumps_fill(struct cpu *cpu, uint64_t pc, void *entry)
{
    struct jump_set *s = &cpu->jumps->set[cpu->jumps->current];
    unsigned i = JUMP_HASH(pc);
    struct jump_entry *e = &s->table[i];
    uint64_t was = atomic_load_explicit(&e->pc, memory_order_relaxed);
    if (!was || was == JUMP_EMPTY) {
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
    bool few = (end - start) / 2 < JUMP_TABLE_SIZE; /* instructions are at even addresses */
    for (unsigned k = 0; k < j->n; k++) {
        struct jump_entry *table = j->set[k].table;
        for (uint64_t pc = start; few && pc < end; pc += 2)
            forget_one(&table[JUMP_HASH(pc)], start, end);
        for (unsigned i = 0; !few && i < JUMP_TABLE_SIZE; i++)
            forget_one(&table[i], start, end);
    }
}
