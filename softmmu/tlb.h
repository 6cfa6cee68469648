/*
 * A processor's view of a machine's memory: the TLB that generated code looks into, and what it cannot answer. Page
 * tables are the target's business (struct target_system), the map is memory.h's.
 */
#ifndef SOFTMMU_TLB_H
#define SOFTMMU_TLB_H

#include <pthread.h>

#include "exec/exec.h"
#include "softmmu/memory.h"

enum { TLB_MAX_VIEWS = 8 };

/* One table per view of the target, of a size that follows use. */
struct tlb {
    struct tlb_entry *entry;
    unsigned bits;
    uint32_t used; /* entries filled since the last flush */
};

/* A machine's processor, beside the target's state: cpu->user. */
struct processor {
    struct cpu *cpu;
    struct machine *machine;
    unsigned index;
    struct tlb tlb[TLB_MAX_VIEWS];
    struct mem_range ram;             /* where RAM was found last; region NULL: nowhere. The own thread's, forgotten as `tlb` is */
    uint64_t large_first, large_last; /* addresses of translations of more than a page since the last flush */
    uint32_t flush_wanted;            /* set by other threads */
    /*
     * With icount (machine-count.c): what the budget was when the clock was advanced last; what has been executed till
     * then.
     */
    int32_t granted;
    uint64_t executed;
    struct {
        enum { FAILED_TRANSLATION, FAILED_BUS, FAILED_ALIGNMENT, FAILED_WATCH } how;
        enum target_access access;
        uint64_t address;
        uint32_t cause; /* of a translation that failed; what is watched */
    } failed;
    struct { /* by a debugger, while the machine stands still */
        enum { PROCESSOR_RUNS, PROCESSOR_STEPS, PROCESSOR_STAYS } how;
        uint64_t start, end;                               /* it steps on while the pc is in [start, end) */
        enum { NOT_STOPPED, STOPPED_BY_STEP, STOPPED_BY_POINT } stopped;
        unsigned watched; /* STOPPED_BY_POINT: DEBUG_… of exec/debug.h, */
        uint64_t address; /* and where */
    } debug;
    struct processor_thread *thread; /* that executes it: machine.h */
    bool halted;
};

static inline struct processor *processor_of(const struct cpu *cpu) { return cpu->user; }

/*
 * `size` bytes of RAM at the physical address, as the host sees them; NULL: mem_host() may know. By the processor's own
 * thread.
 */
static inline void *processor_ram(const struct processor *p, uint64_t physical, unsigned size)
{
    const struct mem_range *r = &p->ram;
    return r->region && physical >= r->first && physical <= r->last && r->last - physical >= size - 1
               ? r->region->host + r->offset + (physical - r->first)
               : NULL;
}

/* For exec_options.memory. */
extern const struct exec_memory tlb_exec_memory;

/* Empty tables; false without memory. */
bool tlb_init(struct processor *p);
void tlb_free(struct processor *p);
/* By the processor's own thread, outside generated code or in a helper that leaves it. */
void tlb_flush(struct processor *p);
/* The same of what page tables translate. */
void tlb_flush_mapped(struct processor *p);
void tlb_flush_page(struct processor *p, uint64_t address);
/*
 * The instruction at the pc reaches to `address`, which could not be fetched: enters the exception, if it still can't.
 */
void tlb_raise_fetch(struct processor *p, uint64_t address);
/*
 * Where an address leads as the processor's software reads data, for the user, whatever may be done there; it stands
 * still. False: nowhere.
 */
bool processor_translate(struct processor *p, uint64_t address, uint64_t *physical);
/* From any thread: before the processor enters generated code next, which it is asked to leave. */
void tlb_flush_later(struct processor *p);

#endif
