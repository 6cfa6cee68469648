/*
 * Hot code compiled by a thread of its own while the guest goes on in quick code. The guest's thread reads the guest's
 * instructions (it may, and knows the mappings; in a machine a processor does) and hands the unit over; the passes and
 * the host's compile() run here without a lock, into memory of this file; what comes out is moved to code memory
 * (compiled code can be moved) and takes the quick unit's place under x->lock, unless the guest code was invalidated or
 * everything dropped meanwhile.
 *
 * The thread is started when there is work and ends soon after there is none: short processes never have it. It blocks
 * all signals and reads no guest memory. A forked child has no such thread; what was asked for is asked for again
 * there.
 */
#define _GNU_SOURCE
#include "exec/exec-internal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "host/cpu.h"

enum {
    MAX_ASKED = 64,     /* requests at a time; more are asked for again later */
    IDLE_NS = 20000000, /* the thread ends after so long without work */
    STACK_BYTES = 512 << 10,
    ROOM = 256 << 10, /* bytes of a unit's code */
    MAX_CELLS = 1024, /* exits of a unit */
};

/* What the thread compiles into. The cells stand for those the unit gets when it is moved. */
struct workshop {
    uint8_t code[ROOM];
    struct code_exit cell[MAX_CELLS];
    unsigned ncells;
    struct code_ref *refs;
    unsigned nrefs, max_refs;
    void *work; /* the host's */
};

static struct code_exit *new_cell(void *opaque, uint64_t pc)
{
    struct workshop *w = opaque;
    if (w->ncells == MAX_CELLS)
        return NULL;
    w->cell[w->ncells] = (struct code_exit){.pc = pc};
    return &w->cell[w->ncells++];
}

/* Exits are linked through cells, which can be pointed elsewhere: other units' entries are of no interest. */
static void *no_entry(void *opaque, uint64_t pc) { return NULL; }

static void note_ref(void *opaque, const struct code_ref *r)
{
    struct workshop *w = opaque;
    if (w->nrefs == w->max_refs) {
        w->max_refs = w->max_refs ? 2 * w->max_refs : 256;
        w->refs = realloc(w->refs, w->max_refs * sizeof *w->refs);
        CHECK(w->refs);
    }
    w->refs[w->nrefs++] = *r;
}

static bool compile(struct exec *x, struct workshop *w, struct asked *a)
{
    struct compile_ctx ctx = {
        .layout = &cpu_layout,
        .work = w->work,
        .opaque = w,
        .lookup = no_entry,
        .new_exit = new_cell,
        .ref = note_ref,
        .tlb = x->options.memory != NULL,
        .chain = true,
        .loops = true,
    };
    w->ncells = w->nrefs = 0;
    uint64_t start = log_on(LOG_JIT_STATS) ? host_cycles() : 0;
    exec_optimize(x, &a->unit);
    bool ok = x->host->compile(&a->unit, &ctx, w->code, w->code, ROOM, &a->block.c);
    if (log_on(LOG_JIT_STATS))
        a->cycles += host_cycles() - start;
    return ok;
}

/* --- moving --- */

static void mend(uint8_t *code, const uint8_t *exec, const struct code_ref *r, const struct code_exit *cell)
{
    const uint8_t *to = (const uint8_t *)(r->kind == REF_CELL ? (const void *)cell : (const void *)&cell->slot);
    int32_t distance = to - (exec + r->end);
    memcpy(code + r->end - 4, &distance, 4);
}

/* Under x->lock. False: no room; the guest's thread will flush when it runs out itself. */
static bool move(struct exec *x, struct workshop *w, struct code_block *b)
{
    uint8_t *exec;
    size_t room;
    if (x->mem.max_exits - x->mem.nexits < w->ncells)
        return false;
    uint8_t *code = code_memory_room(&x->mem, b->c.size, &exec, &room);
    if (!code)
        return false;
    struct code_exit *cells = x->mem.exits + x->mem.nexits;
    memcpy(code, w->code, b->c.size);
    for (unsigned i = 0; i < w->ncells; i++) {
        struct code_exit *e = code_memory_exit(&x->mem);
        e->pc = w->cell[i].pc;
        e->unlinked = exec + ((uint8_t *)w->cell[i].unlinked - w->code);
        atomic_store_explicit(&e->slot, e->unlinked, memory_order_relaxed);
    }
    x->disk.nrefs = 0;
    for (unsigned i = 0; i < w->nrefs; i++) {
        struct code_ref *r = &w->refs[i];
        r->exit = &cells[r->exit - w->cell];
        mend(code, exec, r, r->exit);
        if (x->disk.disk)
            disk_note_ref(x, r);
    }
    x->disk.exits = cells;
    x->disk.nexits = w->ncells;
    code_memory_commit(&x->mem, b->c.size);
    b->c.code = b->entry = exec;
    exec_keep_description(x, &b->c);
    return true;
}

/* Under x->lock. */
static void publish(struct exec *x, struct workshop *w, struct asked *a)
{
    if (a->flushes != x->stats.flushes)
        return;
    a->quick->asked = false;
    if (a->stale || a->quick->dead || !move(x, w, &a->block))
        return;
    x->stats.cycles[0] += a->cycles;
    x->stats.insns[0] += a->cycles ? a->unit.ninsns : 0;
    a->block.source = arena_copy(&x->arena, a->source, a->nsource);
    struct code_block *hot = exec_add_block(x, &a->block, &a->unit);
    tier_replace(x, a->quick, hot);
    /* Loops inside quick units notice by their counters. */
}

/* --- the thread --- */

static void forget(struct asked *a)
{
    ir_unit_free(&a->unit);
    free(a->source);
    free(a);
}

/* Those, too, that the C library keeps for itself: they are the guest's. *old, the mask before, may be NULL. */
static void block_all(uint64_t *old)
{
    uint64_t all = ~UINT64_C(0);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, old, sizeof all);
}

static void *run(void *arg)
{
    struct exec *x = arg;
    block_all(NULL); /* the library has let its own in */
    struct workshop *w = malloc(sizeof *w);
    CHECK(w);
    w->refs = NULL;
    w->max_refs = 0;
    w->work = x->host->new_work(x->target->ir);
    shared_lock_take(&x->lock);
    while (!x->back.stopping) {
        struct asked *a = x->back.first;
        if (!a) {
            shared_lock_wait(&x->lock, &x->back.wanted, IDLE_NS);
            if (!x->back.first)
                break;
            continue;
        }
        shared_lock_give(&x->lock);
        bool done = compile(x, w, a);
        shared_lock_take(&x->lock);
        x->back.first = a->next;
        x->back.n--;
        if (done)
            publish(x, w, a);
        else if (a->flushes == x->stats.flushes)
            a->quick->alone = true; /* too large or too complex: compiled by the guest's thread, which can make it smaller */
        forget(a);
    }
    x->back.running = false;
    shared_condition_tell(&x->back.stopped);
    shared_lock_give(&x->lock);
    x->host->free_work(w->work);
    free(w->refs);
    free(w);
    return NULL;
}

/* The kernel counts the thread among the process's until it has been waited for. */
static void wait_for_end(struct exec *x)
{
    if (x->back.ended_or_running)
        pthread_join(x->back.thread, NULL);
    x->back.ended_or_running = false;
}

static bool start(struct exec *x)
{
    wait_for_end(x);
    pthread_attr_t attr;
    uint64_t old;
    bool first = __libc_single_threaded;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    block_all(&old);
    bool ok = x->back.ended_or_running = pthread_create(&x->back.thread, &attr, run, x) == 0;
    if (first && x->options.first_thread)
        x->options.first_thread(x->options.first_thread_opaque);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
    pthread_attr_destroy(&attr);
    return ok;
}

/* --- for the guest's threads; x->lock held --- */

void background_init(struct exec *x)
{
    x->back.first = NULL;
    x->back.n = 0;
    x->back.running = x->back.stopping = x->back.ended_or_running = x->back.forbidden = false;
    x->back.owner = getpid();
}

bool background_can(const struct exec *x, const struct code_block *quick)
{
    /*
     * A child that shares memory (vfork) is another process: its threads would end with it, in the middle of something.
     */
    return x->options.background && !x->back.forbidden && !x->options.nochain && !quick->alone && !log_on(LOG_OP_OPT) &&
           x->back.owner == getpid();
}

bool background_full(const struct exec *x) { return x->back.n == MAX_ASKED; }

void background_ask(struct exec *x, struct asked *a)
{
    struct asked **at = &x->back.first;
    a->flushes = x->stats.flushes;
    a->next = NULL;
    while (*at)
        at = &(*at)->next;
    *at = a;
    x->back.n++;
    if (x->back.running) {
        shared_condition_tell(&x->back.wanted);
    } else if (!x->back.stopping && start(x)) {
        x->back.running = true;
    } else { /* later */
        *at = NULL;
        x->back.n--;
        a->quick->asked = false;
        a->quick->alone = true;
        forget(a);
    }
}

void background_invalidate(struct exec *x, uint64_t start, uint64_t end)
{
    for (struct asked *a = x->back.first; a; a = a->next) {
        const struct code_block *b = &a->block;
        bool in_tail = b->tail && b->tail < end && b->tail + (UINT64_C(1) << TLB_PAGE_SHIFT) > start;
        a->stale |= (b->physical < end && b->physical + b->bytes > start) || in_tail ||
                    exec_inlines(a->unit.inlined, a->unit.ninlined, start, end);
    }
}

bool background_stop(struct exec *x)
{
    bool was = x->back.ended_or_running && x->back.owner == getpid();
    if (!was)
        return false;
    x->back.stopping = true;
    while (x->back.running) {
        shared_condition_tell(&x->back.wanted);
        shared_lock_wait(&x->lock, &x->back.stopped, IDLE_NS);
    }
    x->back.stopping = false;
    wait_for_end(x);
    struct asked *next;
    for (struct asked *a = x->back.first; a; a = next) {
        next = a->next;
        if (a->flushes == x->stats.flushes)
            a->quick->asked = false;
        forget(a);
    }
    x->back.first = NULL;
    x->back.n = 0;
    return true;
}

void background_allow(struct exec *x, bool may)
{
    if (x->back.forbidden == !may || x->back.owner != getpid())
        return;
    x->back.forbidden = !may;
    background_stop(x);
}

void background_after_fork(struct exec *x)
{
    /* The thread may have been at the first of them; the memory of all is lost, being of no use to free. */
    for (struct asked *a = x->back.first; a; a = a->next)
        if (a->flushes == x->stats.flushes)
            a->quick->asked = false;
    background_init(x);
}
