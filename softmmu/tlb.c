/* A processor's TLB: see tlb.h. The entries' layout is generated code's (struct tlb_entry, tcg/host.h). */
#define _GNU_SOURCE
#include "softmmu/tlb.h"

#include <stdlib.h>

#include "base/log.h"
#include "exec/debug.h"
#include "softmmu/machine.h"
#include "tcg/eval.h"
#include "tcg/interp.h"

enum { FIRST_BITS = 8, MIN_BITS = 6, MAX_BITS = 13, BUSY = 2 };
#define PAGE (UINT64_C(1) << TLB_PAGE_SHIFT)

/* --- tables --- */

static void clear(struct tlb *t)
{
    for (uint64_t i = 0; i < 1u << t->bits; i++)
        t->entry[i] = (struct tlb_entry){(i ^ 1) * PAGE, (i ^ 1) * PAGE, (i ^ 1) * PAGE, NULL}; /* no page that comes here */
    t->used = 0;
}

static bool allocate(struct tlb *t, unsigned bits)
{
    struct tlb_entry *e = malloc(sizeof *e << bits);
    if (!e)
        return false;
    free(t->entry);
    t->entry = e;
    t->bits = bits;
    return true;
}

bool tlb_init(struct processor *p)
{
    for (unsigned v = 0; v < p->cpu->target->system->nviews; v++) {
        if (!allocate(&p->tlb[v], FIRST_BITS))
            return false;
        clear(&p->tlb[v]);
    }
    p->large_first = UINT64_MAX;
    return true;
}

void tlb_free(struct processor *p)
{
    for (unsigned v = 0; v < TLB_MAX_VIEWS; v++)
        free(p->tlb[v].entry);
}

static struct tlb_entry *entry_of(struct tlb *t, uint64_t address)
{
    return &t->entry[address >> TLB_PAGE_SHIFT & ((1u << t->bits) - 1)];
}

static void forget_code(struct processor *p, uint64_t start, uint64_t end)
{
    p->cpu->last_exit = NULL;
    cpu_forget_jumps(p->cpu, start, end);
}

/* A table that was filled well becomes larger, one that was nearly empty smaller. */
static void flush_views(struct processor *p, unsigned but)
{
    for (unsigned v = 0; v < p->cpu->target->system->nviews; v++) {
        struct tlb *t = &p->tlb[v];
        if (!t->used || but >> v & 1)
            continue;
        if (t->used > 3u << t->bits >> 2 && t->bits < MAX_BITS)
            allocate(t, t->bits + 1);
        else if (t->used < 1u << t->bits >> 3 && t->bits > MIN_BITS)
            allocate(t, t->bits - 1);
        clear(t);
    }
    p->large_first = UINT64_MAX;
    p->large_last = 0;
}

void tlb_flush(struct processor *p)
{
    flush_views(p, 0);
    forget_code(p, 0, UINT64_MAX);
}

void tlb_flush_mapped(struct processor *p)
{
    flush_views(p, p->cpu->target->system->unmapped_views);
    p->cpu->last_exit = NULL;
    cpu_forget_mapped_jumps(p->cpu);
}

void tlb_flush_page(struct processor *p, uint64_t address)
{
    if (address >= p->large_first && address <= p->large_last) {
        tlb_flush_mapped(p);
        return;
    }
    for (unsigned v = 0; v < p->cpu->target->system->nviews; v++) {
        struct tlb_entry *e = entry_of(&p->tlb[v], address);
        e->load = e->store = e->fetch = (address & ~(PAGE - 1)) ^ PAGE;
    }
    uint64_t page = address & ~(PAGE - 1);
    if (!page || page + PAGE == 0)
        forget_code(p, 0, UINT64_MAX);
    else
        forget_code(p, page - CODE_MAX_INSN, page + PAGE); /* and what begins in front of the page */
}

void tlb_flush_later(struct processor *p)
{
    __atomic_store_n(&p->flush_wanted, 1, __ATOMIC_SEQ_CST);
    cpu_kick(p->cpu);
}

static void flush_if_wanted(struct processor *p)
{
    if (UNLIKELY(__atomic_load_n(&p->flush_wanted, __ATOMIC_ACQUIRE))) {
        __atomic_store_n(&p->flush_wanted, 0, __ATOMIC_SEQ_CST);
        p->ram.region = NULL;
        tlb_flush(p);
    }
}

bool processor_translate(struct processor *p, uint64_t address, uint64_t *physical)
{
    return p->cpu->target->system->look_up(p->cpu, address, physical);
}

/* --- filling --- */

/* What is behind a guest address: memory of the host's, or a device. */
struct place {
    uint8_t *host; /* NULL: a device */
    uint64_t physical;
    struct mem_range range;
    struct tlb_entry *entry; /* NULL: not for a TLB */
};

static bool fail(struct processor *p, int how, enum target_access access, uint64_t address, uint32_t cause)
{
    p->failed.how = how;
    p->failed.access = access;
    p->failed.address = address;
    p->failed.cause = cause;
    return false;
}

static bool all_dirty(const struct place *at)
{
    uint64_t offset = at->range.offset + (at->physical - at->range.first);
    return at->range.region->kind != MEM_RAM ||
           __atomic_load_n(&at->range.region->dirty[offset >> MEM_PAGE_SHIFT], __ATOMIC_SEQ_CST) == DIRTY_ALL;
}

/* Makes the entry say what it may: nothing of pages that are more than one thing, or that somebody watches. */
static void fill(struct processor *p, struct tlb *t, uint64_t address, const struct target_translation *tr,
                 struct place *at)
{
    uint64_t page = address & ~(PAGE - 1), into = address - page;
    bool whole = tr->first <= page && tr->last >= page + PAGE - 1 && at->physical - at->range.first >= into &&
                 at->range.last - at->physical >= PAGE - 1 - into;
    if (!whole)
        return;
    if (tr->last - tr->first >= PAGE) {
        p->large_first = tr->first < p->large_first ? tr->first : p->large_first;
        p->large_last = tr->last > p->large_last ? tr->last : p->large_last;
    }
    struct tlb_entry *e = entry_of(t, address);
    uint64_t none = page ^ PAGE;
    uint64_t first;
    unsigned watched = exec_watched(p->cpu->exec, page, PAGE, &first);
    bool writable = tr->allows[ACCESS_STORE] && mem_is_direct(&at->range, true) && !watched; /* atomics look for stores only */
    *e = (struct tlb_entry){
        .load = tr->allows[ACCESS_LOAD] && !(watched & DEBUG_LOAD) ? page : none,
        .store = writable && all_dirty(at) ? page : none,
        .fetch = tr->allows[ACCESS_FETCH] ? page : none,
        .host = at->host - into,
    };
    t->used++;
    at->entry = watched ? NULL : e;
}

/* As mem_lookup(). What RAM is at an address changes no faster than entries of the TLB do. */
static bool look_up(struct processor *p, uint64_t physical, struct mem_range *out)
{
    if (LIKELY(processor_ram(p, physical, 1))) {
        *out = p->ram;
        return true;
    }
    if (!mem_lookup(&p->machine->memory, physical, out))
        return false;
    if (out->region->kind == MEM_RAM)
        p->ram = *out;
    return true;
}

/* Finds the bytes of an access inside a page. False: p->failed. */
static bool find(struct processor *p, unsigned view, uint64_t address, unsigned size, enum target_access access,
                 struct place *at)
{
    struct target_translation tr;
    if (!p->cpu->target->system->translate(p->cpu, view, address, size, access, &tr))
        return fail(p, FAILED_TRANSLATION, access, address, tr.cause);
    *at = (struct place){.physical = tr.physical};
    if (!look_up(p, tr.physical, &at->range))
        return fail(p, FAILED_BUS, access, address, 0);
    if (mem_is_direct(&at->range, access == ACCESS_STORE)) {
        at->host = at->range.region->host + at->range.offset + (tr.physical - at->range.first);
        fill(p, &p->tlb[view], address, &tr, at);
    }
    return true;
}

/* --- accesses --- */

/* Device registers by the interpreter's functions for memory. */
struct device_access {
    struct processor *p;
    uint64_t physical;
    bool failed;
};

static void device_load(void *opaque, uint64_t address, void *to, unsigned size)
{
    struct device_access *d = opaque;
    uint64_t value[2] = {0};
    for (unsigned k = 0; k < (size + 7) / 8; k++)
        d->failed |= mem_load(&d->p->machine->memory, d->physical + 8 * k, size > 8 ? 8 : size, &value[k]) != MEM_OK;
    memcpy(to, value, size);
}

static void device_store(void *opaque, uint64_t address, const void *from, unsigned size)
{
    struct device_access *d = opaque;
    uint64_t value[2] = {0};
    memcpy(value, from, size);
    for (unsigned k = 0; k < (size + 7) / 8; k++)
        d->failed |= mem_store(&d->p->machine->memory, d->physical + 8 * k, size > 8 ? 8 : size, value[k]) != MEM_OK;
}

static bool access_device(struct processor *p, const struct host_access *a, const struct place *at,
                          enum target_access access, uint64_t address)
{
    struct device_access d = {p, at->physical, false};
    const struct interp_mem mem = {&d, device_load, device_store};
    machine_lock(p->machine);
    machine_count(p->machine);
    ir_access(a->in, a->arg, at->physical, &mem, a->result);
    machine_unlock(p->machine);
    return d.failed ? fail(p, FAILED_BUS, access, address, 0) : true;
}

/* After a write through a host address. */
static void wrote(struct processor *p, struct place *at, uint64_t address, unsigned size)
{
    if (at->range.region->kind != MEM_RAM || all_dirty(at))
        return;
    mem_wrote(&p->machine->memory, at->range.region, at->range.offset + (at->physical - at->range.first), size);
    if (at->entry)
        at->entry->store = address & ~(PAGE - 1);
}

/* An access across a page's end: both parts must be there before anything is done. Memory, a byte at a time. */
struct halves {
    struct place part[2];
    uint64_t first; /* bytes in the first */
};

static void halves_load(void *opaque, uint64_t offset, void *to, unsigned size)
{
    const struct halves *h = opaque;
    memcpy(to, h->part[0].host, h->first);
    memcpy((char *)to + h->first, h->part[1].host, size - h->first);
}

static void halves_store(void *opaque, uint64_t offset, const void *from, unsigned size)
{
    const struct halves *h = opaque;
    memcpy(h->part[0].host, from, h->first);
    memcpy(h->part[1].host, (const char *)from + h->first, size - h->first);
}

static bool access_halves(struct processor *p, unsigned view, const struct host_access *a, uint64_t address,
                          unsigned size, enum target_access access)
{
    struct halves h = {.first = PAGE - (address & (PAGE - 1))};
    const struct interp_mem mem = {&h, halves_load, halves_store};
    if (!find(p, view, address, (unsigned)h.first, access, &h.part[0]) ||
        !find(p, view, address + h.first, size - (unsigned)h.first, access, &h.part[1]))
        return false;
    if (!h.part[0].host || !h.part[1].host)
        return fail(p, FAILED_BUS, access, address, 0);
    ir_access(a->in, a->arg, 0, &mem, a->result);
    if (access == ACCESS_STORE) {
        wrote(p, &h.part[0], address, (unsigned)h.first);
        wrote(p, &h.part[1], address + h.first, size - (unsigned)h.first);
    }
    return true;
}

/* Does a debugger watch some of it? */
static bool watches(struct processor *p, uint64_t address, unsigned size, unsigned access)
{
    uint64_t first;
    unsigned watched = exec_watched(p->cpu->exec, address, size, &first);
    return watched & access && !fail(p, FAILED_WATCH, ACCESS_LOAD, first, watched);
}

static void select_view(struct cpu *cpu);

/*
 * Entries drive each other out, and nobody flushes: a larger table. In generated code, where nobody else looks into it.
 */
static void grow_if_busy(struct processor *p, struct tlb *t)
{
    if (t->used >> t->bits < BUSY || t->bits >= MAX_BITS || !allocate(t, t->bits + 1))
        return;
    clear(t);
    select_view(p->cpu);
}

static bool slow_access(struct cpu *cpu, const struct host_access *a)
{
    struct processor *p = processor_of(cpu);
    const struct ir_inst *in = a->in;
    unsigned size = 1 << (in->mem & MEM_SIZE), view = cpu->target->system->data_view(cpu);
    enum target_access access = in->op == IR_LD ? ACCESS_LOAD : ACCESS_STORE;
    uint64_t address = ir_access_address(in, a->arg);
    struct place at;
    bool is_atomic = in->op != IR_LD && in->op != IR_ST;
    grow_if_busy(p, &p->tlb[view]);
    if (UNLIKELY(exec_has_watchpoints(cpu->exec)) && watches(p, address, size,
                                                             is_atomic         ? DEBUG_ACCESS
                                                             : in->op == IR_LD ? DEBUG_LOAD
                                                                               : DEBUG_STORE))
        return false;
    if ((is_atomic || in->mem & MEM_ALIGN) && address & (size - 1))
        return fail(p, FAILED_ALIGNMENT, access, address, 0);
    if ((address & (PAGE - 1)) + size > PAGE)
        return access_halves(p, view, a, address, size, access);
    if (!find(p, view, address, size, access, &at))
        return false;
    if (!at.host && at.range.region->kind == MEM_ROM && !at.range.region->ops && access == ACCESS_STORE)
        return true; /* nobody minds */
    if (!at.host)
        return access_device(p, a, &at, access, address);
    ir_access(in, a->arg, (uintptr_t)at.host, NULL, a->result);
    if (access == ACCESS_STORE)
        wrote(p, &at, address, size);
    return true;
}

/* An instruction that can't be fetched is none of a unit's, but it raises an exception as others do. */
static void count_fetch(const struct processor *p)
{
    if (p->machine->clocks.icount)
        p->cpu->budget--;
}

static enum cpu_exit enter_fault(struct cpu *cpu)
{
    const struct processor *p = processor_of(cpu);
    if (p->failed.access == ACCESS_FETCH)
        count_fetch(p);
    const struct target_system *system = cpu->target->system;
    switch (p->failed.how) {
    case FAILED_WATCH:
        cpu->exit_detail = p->failed.cause;
        cpu->fault_addr = p->failed.address;
        return EXIT_DEBUG;
    case FAILED_TRANSLATION: system->raise(cpu, p->failed.cause, p->failed.address); break;
    case FAILED_BUS: system->bus_error(cpu, p->failed.access, p->failed.address); break;
    case FAILED_ALIGNMENT: system->misaligned(cpu, p->failed.access, p->failed.address); break;
    }
    return EXIT_TARGET;
}

/* --- code --- */

/* Code is known by where the host has it: however the guest maps it, it is the same. */
static bool locate(struct cpu *cpu, uint64_t pc, uint64_t *physical)
{
    struct processor *p = processor_of(cpu);
    flush_if_wanted(p);
    unsigned view = cpu->target->system->fetch_view(cpu);
    struct tlb_entry *e = entry_of(&p->tlb[view], pc);
    if (LIKELY(e->fetch == (pc & ~(PAGE - 1)))) {
        *physical = (uintptr_t)e->host + (pc & (PAGE - 1));
        return true;
    }
    struct place at;
    if (!find(p, view, pc, 2, ACCESS_FETCH, &at)) {
        enter_fault(cpu);
        return false;
    }
    if (!at.host) { /* a device */
        count_fetch(p);
        cpu->target->system->bus_error(cpu, ACCESS_FETCH, pc);
        return false;
    }
    *physical = (uintptr_t)at.host;
    return true;
}

void tlb_raise_fetch(struct processor *p, uint64_t address)
{
    struct place at;
    if (!find(p, p->cpu->target->system->fetch_view(p->cpu), address, 2, ACCESS_FETCH, &at)) {
        enter_fault(p->cpu);
    } else if (!at.host) {
        count_fetch(p);
        p->cpu->target->system->bus_error(p->cpu, ACCESS_FETCH, address);
    }
}

struct watched {
    struct machine *machine;
    const uint8_t *page;
};

/* Stores to the page are to be seen from now on. */
static void forbid_stores(void *opaque)
{
    const struct watched *w = opaque;
    for (unsigned i = 0; i < w->machine->nprocessors; i++) {
        struct processor *p = w->machine->processor[i];
        for (unsigned v = 0; v < p->cpu->target->system->nviews; v++)
            for (uint64_t k = 0; k < 1u << p->tlb[v].bits; k++)
                if (p->tlb[v].entry[k].host == w->page)
                    p->tlb[v].entry[k].store = (k ^ 1) * PAGE;
    }
}

static const uint8_t *window(struct cpu *cpu, uint64_t pc, size_t *avail)
{
    struct processor *p = processor_of(cpu);
    struct place at;
    uint64_t into = pc & (PAGE - 1);
    if (!find(p, cpu->target->system->fetch_view(cpu), pc, 2, ACCESS_FETCH, &at) || !at.host)
        return NULL;
    struct mem_region *region = at.range.region;
    uint64_t offset = at.range.offset + (at.physical - at.range.first);
    if (region->kind == MEM_RAM && mem_watch(region, offset, 1, DIRTY_CODE)) {
        struct watched w = {p->machine, at.host - into};
        exec_stop_others(cpu->exec, cpu, forbid_stores, &w);
    }
    *avail = PAGE - into;
    return at.host;
}

static void select_view(struct cpu *cpu)
{
    struct tlb *t = &processor_of(cpu)->tlb[cpu->target->system->data_view(cpu)];
    cpu->tlb_table = t->entry;
    cpu->tlb_mask = ((UINT64_C(1) << t->bits) - 1) * sizeof(struct tlb_entry);
}

const struct exec_memory tlb_exec_memory = {locate, window, slow_access, enter_fault, select_view};
