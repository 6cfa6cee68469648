/*
 * From a guest pc to a block that runs: the block tables, translation, and dropping blocks (invalidation, flush).
 * Everything here runs under x->lock.
 */
#define _GNU_SOURCE
#include "exec/exec-internal.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "exec/debug.h"
#include "exec/dump.h"
#include "host/cpu.h"

enum {
    MAX_INSNS = 256,          /* guest instructions in a unit */
    MAX_UNIT_BYTES = 4096,    /* from its first to its last */
    CODE_ROOM = 64 * 1024,    /* host bytes that must be free before compiling */
    PATIENCE_NS = 50000000,   /* for threads in code that is dropped, until it is looked whether they run at all */
};
#define PAGE (UINT64_C(1) << TLB_PAGE_SHIFT)

/* --- what the host asks while compiling --- */

struct compile_env {
    struct exec *x;
    struct block_key key; /* of the unit */
};

static void *lookup_entry(void *opaque, uint64_t pc)
{
    struct compile_env *e = opaque;
    /* The host asks for pcs whose physical address is as far away as they are. */
    struct code_block *b = exec_find(e->x, (struct block_key){pc, e->key.physical + (pc - e->key.pc), e->key.mode});
    return b && !b->tail ? b->entry : NULL;
}

static struct code_exit *new_exit(void *opaque, uint64_t pc)
{
    struct code_exit *e = code_memory_exit(&((struct compile_env *)opaque)->x->mem);
    if (e)
        e->pc = pc;
    return e;
}

static int32_t *new_counter(void *opaque)
{
    struct exec *x = ((struct compile_env *)opaque)->x;
    struct code_memory *m = &x->mem;
    if (m->ncounters == m->max_counters)
        return NULL;
    int32_t *c = &m->counters[m->ncounters++];
    *c = tier_first_count(x);
    return c;
}

static void note_ref(void *opaque, const struct code_ref *r)
{
    disk_note_ref(((struct compile_env *)opaque)->x, r);
}

/* --- translation --- */

/* --verify judges the units themselves, too; builds with assertions do so behind every pass. */
static void check_unit(const struct exec *x, const struct ir_unit *u, const char *after)
{
    const char *error = x->options.engine == ENGINE_VERIFY ? ir_verify(u) : NULL;
    if (error) {
        dump_unit(after, u);
        BUG("the unit at guest pc 0x%llx is wrong after %s: %s", (unsigned long long)u->pc, after, error);
    }
}

/* Guest code that a unit is made from, copied before: another thread may be changing it. */
struct source {
    size_t n;
    uint8_t bytes[MAX_UNIT_BYTES];
};

/* Copies up to n bytes of guest code; how many are executable in one piece. */
static size_t copy_source(const struct exec *x, uint64_t pc, uint8_t *to, size_t n)
{
    size_t done = 0;
    while (done < n) {
        size_t avail;
        const uint8_t *p = x->code.window(x->code.opaque, pc + done, &avail);
        if (!p)
            break;
        if (avail > n - done)
            avail = n - done;
        memcpy(to + done, p, avail);
        done += avail;
    }
    return done;
}

/*
 * Guest code as a front end reads it while it makes one unit: the copy, and what is elsewhere (are flags alive at a
 * target?), where it asks for the same page again and again, and the answer does not change meanwhile. Behind a TLB a
 * unit stays in its page, but for one that is a single instruction across the page's end. Other processors may map
 * pages anew at any time: what is read of its page is what was found there by `physical`, or cannot be read.
 */
struct page_reader {
    const struct exec *x;
    struct cpu *cpu;
    const struct ir_unit *unit;
    const struct source *source;
    uint64_t pc;
    const uint8_t *p;
    size_t avail;
    uint64_t physical; /* of unit->pc; behind a TLB */
    uint64_t tail;     /* of the next page, as it was read; likewise */
};

/* A page has been read behind a TLB. False: it is not the one whose code is wanted. */
static bool right_page(struct page_reader *r, uint64_t pc, const uint8_t *p)
{
    if ((pc ^ r->unit->pc) >> TLB_PAGE_SHIFT) {
        r->tail = ALIGN_DOWN((uintptr_t)p, PAGE);
        return true;
    }
    return (uintptr_t)p - pc == r->physical - r->unit->pc;
}

static bool may_read(const struct page_reader *r, uint64_t pc)
{
    uint64_t start = r->unit->pc, page = pc >> TLB_PAGE_SHIFT;
    if (!r->x->options.memory || page == start >> TLB_PAGE_SHIFT)
        return true;
    return !r->unit->ninsns && page == (start >> TLB_PAGE_SHIFT) + 1 &&
           (start + CODE_MAX_INSN) >> TLB_PAGE_SHIFT == page;
}

static const uint8_t *page_window(void *opaque, uint64_t pc, size_t *avail)
{
    struct page_reader *r = opaque;
    if (pc >= r->unit->pc && pc - r->unit->pc + CODE_MAX_INSN <= r->source->n) {
        *avail = r->source->n - (pc - r->unit->pc);
        return r->source->bytes + (pc - r->unit->pc);
    }
    if (pc - r->pc >= r->avail) {
        const struct exec *x = r->x;
        if (!may_read(r, pc))
            return NULL;
        size_t n;
        const uint8_t *p = x->options.memory ? x->options.memory->window(r->cpu, pc, &n)
                                             : x->code.window(x->code.opaque, pc, &n);
        if (!p || (x->options.memory && !right_page(r, pc, p)))
            return NULL;
        r->pc = pc;
        r->p = p;
        r->avail = n;
    }
    *avail = r->avail - (pc - r->pc);
    return r->p + (pc - r->pc);
}

/*
 * The profile that the quick tier makes as it counts: what has run, and how often, near the unit.
 */
struct profile {
    struct exec *x;
    struct block_key start; /* of the unit */
    const struct cpu *cpu;  /* that is there */
};

static struct code_block *block_near(const struct profile *p, uint64_t pc)
{
    struct exec *x = p->x;
    if (x->options.memory && (pc ^ p->start.pc) >> TLB_PAGE_SHIFT)
        return NULL;
    struct code_block *b = exec_find(x, (struct block_key){pc, p->start.physical + (pc - p->start.pc), p->start.mode});
    return b || x->options.memory ? b : disk_find(x, pc, p->start.mode);
}

static enum region_heat heat(const void *opaque, uint64_t pc)
{
    const struct profile *p = opaque;
    const struct code_block *b = block_near(p, pc);
    if (!b || b->tail)
        return HEAT_COLD;
    return !b->quick ? HEAT_DONE : tier_is_warm(p->x, b) ? HEAT_WARM : HEAT_COLD;
}

static uint64_t slot_now(const void *opaque, unsigned slot)
{
    const struct profile *p = opaque;
    uint64_t v;
    memcpy(&v, (const char *)p->cpu + p->x->target->ir->slots[slot].offset, sizeof v);
    return v;
}

static bool peek(const void *opaque, uint64_t address, uint64_t *value)
{
    struct iovec to = {value, sizeof *value}, from = {(void *)(uintptr_t)address, sizeof *value};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == sizeof *value;
}

/* The quick units of what the unit holds need not become hot so soon. */
static void spare_parts(struct exec *x, const struct code_block *b, const struct ir_unit *u)
{
    const struct profile p = {x, {b->pc, b->physical, b->mode}};
    for (ir_ref r = 2; r < u->n; r++) {
        unsigned before = u->inst[r - 1].op;
        if (u->inst[r].op != IR_INSN || (before != IR_GOTO_IF && before != IR_LABEL))
            continue;
        struct code_block *part = block_near(&p, u->inst[r].imm);
        if (part && part->quick && !part->asked && part->c.counter)
            tier_wait(part);
    }
}

static bool breaks_at(const void *opaque, uint64_t pc) { return exec_has_breakpoint(opaque, pc); }

/*
 * Makes the unit of b's place, and says into which page it reaches, if that is another one and a TLB is in front of it.
 */
static void build(struct exec *x, struct cpu *cpu, struct ir_unit *u, struct code_block *b, const struct source *source,
                  unsigned max_insns)
{
    uint32_t mode = b->mode & ~MODE_STEP;
    struct ir_builder builder;
    struct page_reader page = {.x = x, .cpu = cpu, .unit = u, .source = source, .physical = b->physical};
    const struct code_reader code = {.opaque = &page, .window = page_window};
    struct region region;
    struct profile profile = {x, {b->pc, b->physical, b->mode}, cpu};
    bool regions = !b->quick && !(b->mode & MODE_STEP) && x->host && x->host->takes_labels() && !x->options.one_insn;
    if (regions)
        region = (struct region){
            .heat = x->host->takes_functions() && tier_starts_quick(x) ? heat : NULL,
            .profile = &profile,
            .peek = x->host->takes_guesses() && !x->options.memory ? peek : NULL,
        };
    if (regions && region.peek)
        region.slot = slot_now;
    if (regions)
        region.inlines = x->host->takes_inlined() && !x->options.memory;
    ir_unit_restart(u, x->target->ir, b->pc, mode);
    b_init(&builder, u);
    builder.quick = b->quick;
    builder.interpreted = b == &x->once.block;
    builder.counted = x->options.counted;
    builder.region = regions ? &region : NULL;
    if (x->debug.nbreak && !(b->mode & MODE_STEP)) {
        builder.breaks_at = breaks_at;
        builder.breaks = x;
    }
    if (builder.breaks_at && breaks_at(x, b->pc)) {
        b_insn(&builder, b->pc, 0);
        b_trap(&builder, EXIT_DEBUG, b->pc, DEBUG_BREAKPOINT);
        u->bytes = 1;
        b->tail = 0;
        return;
    }
    x->target->translate(&builder, &code, max_insns);
    while (b_find_region(&builder)) {
        struct region *known = builder.region;
        ir_unit_restart(u, x->target->ir, b->pc, mode);
        b_init(&builder, u);
        builder.region = known;
        builder.breaks_at = x->debug.nbreak ? breaks_at : NULL;
        builder.breaks = x;
        x->target->translate(&builder, &code, max_insns);
    }
    bool across = x->options.memory && (b->pc ^ (b->pc + u->bytes - 1)) >> TLB_PAGE_SHIFT;
    b->tail = across ? page.tail : 0;
    if (builder.region && builder.region->function)
        spare_parts(x, b, u);
    if (log_on(LOG_IN_ASM))
        dump_guest(x->target, &code, b->pc, u->bytes);
    if (log_on(LOG_OP))
        dump_unit("op", u);
    check_unit(x, u, "the front end");
}

/* Are jumps inside a unit kept there? */
static bool keeps_loops(const struct exec *x)
{
    return !x->options.nochain || (x->options.engine == ENGINE_VERIFY && !log_on(LOG_EXEC) && !log_on(LOG_CPU));
}

void exec_optimize(const struct exec *x, struct ir_unit *u)
{
    ir_optimize(u);
    if (x->host && x->host->takes_vectors() && keeps_loops(x) && !x->options.memory && !x->options.one_insn)
        ir_vectorize(u);
    check_unit(x, u, "the passes");
}

static void optimize(const struct exec *x, struct ir_unit *u, bool quick)
{
    if (!quick)
        exec_optimize(x, u);
    if (log_on(LOG_OP_OPT))
        dump_unit("op_opt", u);
}

void exec_keep_description(struct exec *x, struct compiled *c)
{
    c->faults = arena_copy(&x->arena, c->faults, c->nfaults * sizeof *c->faults);
    c->locs = arena_copy(&x->arena, c->locs, c->nlocs * sizeof *c->locs);
    c->consts = arena_copy(&x->arena, c->consts, c->nconsts * sizeof *c->consts);
}

static bool compile(struct exec *x, struct code_block *b, struct ir_unit *u)
{
    struct compile_env env = {x, {b->pc, b->physical, b->mode}};
    bool one = b->mode & MODE_STEP;
    struct compile_ctx ctx = {
        .layout = &cpu_layout,
        .work = x->work,
        .opaque = &env,
        .lookup = lookup_entry,
        .new_exit = new_exit,
        .new_counter = new_counter,
        .quick = b->quick,
        .counted = x->options.counted && x->options.engine == ENGINE_JIT,
        .ref = x->disk.disk ? note_ref : NULL,
        .tlb = x->options.memory != NULL,
        .chain = !x->options.nochain && !one,
        .loops = keeps_loops(x) && !one && !x->options.counted,
    };
    for (size_t need = CODE_ROOM; need <= CODE_CHUNK_SIZE; need *= 4) {
        uint8_t *exec;
        size_t room, nexits = x->mem.nexits, ncounters = x->mem.ncounters;
        x->disk.nrefs = 0;
        uint8_t *buf = code_memory_room(&x->mem, need, &exec, &room);
        if (!buf)
            return false;
        if (x->host->compile(u, &ctx, buf, exec, room, &b->c)) {
            code_memory_commit(&x->mem, b->c.size);
            b->entry = b->c.code;
            exec_keep_description(x, &b->c);
            x->disk.exits = x->mem.exits + nexits;
            x->disk.nexits = x->mem.nexits - nexits;
            return true;
        }
        x->mem.nexits = nexits;
        x->mem.ncounters = ncounters;
        if (b->c.too_complex)
            return false;
    }
    return false;
}

/* Compiles in any case: a unit that is more than the host can hold in registers is made again of fewer instructions. */
static void compile_always(struct exec *x, struct cpu *cpu, struct code_block *b, struct ir_unit *u,
                           const struct source *source, unsigned max_insns)
{
    bool flushed = false;
    while (!compile(x, b, u)) {
        if (b->c.too_complex && max_insns > 1) {
            max_insns /= 2;
            build(x, cpu, u, b, source, max_insns);
            optimize(x, u, b->quick);
        } else if (!flushed) {
            exec_flush(x);
            flushed = true;
        } else {
            BUG("the unit at guest pc 0x%llx does not fit an empty code cache", (unsigned long long)b->pc);
        }
    }
}

/* The guest code at pc is these n bytes. */
static bool source_is(const struct exec *x, uint64_t pc, const uint8_t *bytes, size_t n)
{
    uint8_t now[MAX_UNIT_BYTES];
    return copy_source(x, pc, now, n) == n && !memcmp(now, bytes, n);
}

struct code_block *exec_add_block(struct exec *x, const struct code_block *new, struct ir_unit *u)
{
    struct code_block *b = arena_copy(&x->arena, new, sizeof *new);
    if (b->tail) {
        b->tail_next = x->tails;
        x->tails = b;
    }
    if (u->ninlined) {
        b->inlined = arena_copy(&x->arena, u->inlined, u->ninlined * sizeof u->inlined[0]);
        b->ninlined = u->ninlined;
        b->inlined_next = x->inliners;
        x->inliners = b;
    }
    x->stats.units++;
    x->stats.guest_insns += u->ninsns;
    x->stats.guest_bytes += u->bytes;
    x->stats.host_bytes += b->c.size;
    if (log_on(LOG_JIT_STATS))
        for (ir_ref r = 1; r < u->n; r++)
            x->stats.helper_calls += u->inst[r].op == IR_CALL;
    if (log_on(LOG_OUT_ASM) && x->host)
        dump_host(x->host, b);
    if (x->options.engine != ENGINE_JIT) {
        b->unit = malloc(sizeof *u);
        CHECK(b->unit);
        *b->unit = *u;
        *u = (struct ir_unit){0};
    }
    blocks_insert(x, b);
    if (log_on(LOG_PERF) && x->host)
        dump_perf(x, b);
    disk_note(x, b);
    return b;
}

/* Where the unit's instructions begin, for exec_behind(). */
static void keep_starts(struct exec *x, struct code_block *b, const struct ir_unit *u)
{
    uint16_t starts[MAX_INSNS], n = 0;
    for (ir_ref r = 1; r < u->n && n < MAX_INSNS; r++)
        if (u->inst[r].op == IR_INSN)
            starts[n++] = (uint16_t)(u->inst[r].imm - u->pc);
    b->starts = arena_copy(&x->arena, starts, n * sizeof starts[0]);
}

int32_t exec_behind(const struct code_block *b, uint64_t pc)
{
    for (uint32_t i = 0; i < b->ninsns; i++)
        if (b->pc + b->starts[i] == pc)
            return (int32_t)(b->ninsns - i - 1);
    return 0;
}

/* Is it the unit for the key, and the code that it was made of the same? */
static bool is_for(const struct once_unit *kept, struct block_key key, const struct source *source)
{
    uint32_t bytes = kept->unit.bytes;
    return bytes && kept->key.pc == key.pc && kept->key.mode == key.mode && bytes <= QUICK_SOURCE &&
           bytes <= source->n && !memcmp(kept->source, source->bytes, bytes);
}

/* The unit that has been interpreted, if it is still there; the spare one goes there in exchange. */
static bool take_kept(struct exec *x, struct block_key key, const struct source *source, struct ir_unit *u)
{
    struct once_unit *kept = once_place(x, key);
    if (!is_for(kept, key, source))
        return false;
    *u = kept->unit;
    kept->unit = x->spare;
    kept->unit.bytes = 0;
    return true;
}

static struct code_block *translate(struct exec *x, struct cpu *cpu, struct block_key key, bool quick)
{
    struct ir_unit u;
    struct source source;
    source.n = x->options.memory ? 0 : copy_source(x, key.pc, source.bytes, quick ? QUICK_SOURCE : MAX_UNIT_BYTES);
    bool one = key.mode & MODE_STEP;
    unsigned max_insns = x->options.one_insn || one ? 1 : MAX_INSNS;
    uint64_t start = log_on(LOG_JIT_STATS) ? host_cycles() : 0;
    struct code_block new = {.pc = key.pc, .physical = key.physical, .mode = key.mode, .quick = quick};
    if (!quick || !take_kept(x, key, &source, &u)) {
        u = x->spare;
        build(x, cpu, &u, &new, &source, max_insns);
    }
    optimize(x, &u, quick);
    if (x->host)
        compile_always(x, cpu, &new, &u, &source, max_insns);
    new.bytes = u.bytes;
    new.ninsns = u.ninsns;
    if (x->options.counted)
        keep_starts(x, &new, &u);
    /* Not before now: compiling may have dropped everything. */
    if (new.bytes + CODE_MAX_INSN <= source.n) /* else some may have been read elsewhere */
        new.source = arena_copy(&x->arena, source.bytes, new.bytes);
    if (log_on(LOG_JIT_STATS)) {
        x->stats.cycles[quick] += host_cycles() - start;
        x->stats.insns[quick] += u.ninsns;
    }
    struct code_block *b = exec_add_block(x, &new, &u);
    x->spare = u;
    return b;
}

/* The front end runs here, the rest in the background; the quick block is used until then. */
static void translate_later(struct exec *x, struct cpu *cpu, struct block_key key, struct code_block *quick)
{
    tier_wait(quick);
    if (quick->asked || background_full(x))
        return;
    uint64_t start = log_on(LOG_JIT_STATS) ? host_cycles() : 0;
    struct asked *a = calloc(1, sizeof *a);
    struct source *source = malloc(sizeof *source);
    CHECK(a && source);
    source->n = x->options.memory ? 0 : copy_source(x, key.pc, source->bytes, sizeof source->bytes);
    a->quick = quick;
    a->block = (struct code_block){.pc = key.pc, .physical = key.physical, .mode = key.mode};
    build(x, cpu, &a->unit, &a->block, source, MAX_INSNS);
    a->block.bytes = a->unit.bytes;
    if (a->block.bytes + CODE_MAX_INSN <= source->n) {
        a->nsource = a->block.bytes;
        a->source = malloc(a->nsource + 1);
        CHECK(a->source);
        memcpy(a->source, source->bytes, a->nsource);
    }
    free(source);
    if (log_on(LOG_JIT_STATS))
        a->cycles = host_cycles() - start;
    quick->asked = true;
    background_ask(x, a);
}

static void kill_block(struct exec *x, struct code_block *b);

/* The unit to be interpreted. */
static struct code_block *prepare_once(struct exec *x, struct cpu *cpu, struct block_key key)
{
    struct code_block *b = &x->once.block;
    struct once_unit *to = once_place(x, key);
    struct source source;
    source.n = copy_source(x, key.pc, source.bytes, QUICK_SOURCE);
    b->unit = &to->unit;
    b->pc = key.pc;
    b->physical = key.physical;
    b->mode = key.mode;
    if (!is_for(to, key, &source)) {
        memcpy(to->source, source.bytes, source.n);
        to->key = key;
        build(x, cpu, b->unit, b, &source, MAX_INSNS);
    }
    b->ninsns = b->unit->ninsns;
    x->stats.interpreted += b->ninsns;
    return b;
}

struct code_block *exec_block(struct exec *x, struct cpu *cpu, struct block_key key, const struct code_exit *from,
                              bool may_interpret)
{
    struct code_block *b = exec_find_for(x, cpu, key);
    if (b && b->tail) {
        uint64_t tail;
        if (!x->options.memory->locate(cpu, ALIGN_UP(key.pc, PAGE), &tail))
            return NULL;
        if (tail != b->tail) {
            kill_block(x, b);
            b = NULL;
        }
    }
    if (!b && !x->options.memory)
        b = disk_find(x, key.pc, key.mode);
    if (!b && may_interpret && once_may(x, key))
        return prepare_once(x, cpu, key);
    if (!b)
        return translate(x, cpu, key, tier_starts_quick(x) && !(key.mode & MODE_STEP));
    if (!tier_is_hot(x, b, from))
        return b;
    if (background_can(x, b)) {
        translate_later(x, cpu, key, b);
        return b;
    }
    uint64_t flushes = x->stats.flushes;
    struct code_block *hot = translate(x, cpu, key, false);
    if (flushes == x->stats.flushes) /* else the quick one is gone */
        tier_replace(x, b, hot);
    return hot;
}

/* --- dropping --- */

void exec_forget_jumps(struct exec *x, uint64_t start, uint64_t end)
{
    for (struct cpu *cpu = x->cpus; cpu; cpu = cpu->next_cpu)
        jumps_forget(cpu, start, end);
}

void exec_link(struct code_exit *e, struct code_block *to)
{
    e->next_in = to->incoming;
    to->incoming = e;
    atomic_store_explicit(&e->slot, to->entry, memory_order_release);
}

bool exec_inlines(const struct ir_range *inlined, uint32_t n, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < n; i++)
        if (inlined[i].pc < end && inlined[i].pc + inlined[i].bytes > start)
            return true;
    return false;
}

static void kill_block(struct exec *x, struct code_block *b)
{
    blocks_remove(x, b);
    if (b->tail) {
        struct code_block **at = &x->tails;
        while (*at != b)
            at = &(*at)->tail_next;
        *at = b->tail_next;
    }
    if (b->ninlined) {
        struct code_block **at = &x->inliners;
        while (*at != b)
            at = &(*at)->inlined_next;
        *at = b->inlined_next;
    }
    b->dead = true;
    for (struct code_exit *e = b->incoming; e; e = e->next_in)
        atomic_store_explicit(&e->slot, e->unlinked, memory_order_release);
    b->incoming = NULL;
    if (x->host)
        x->host->patch_entry(code_memory_writable(&x->mem, b->entry), b->entry, b->c.code + b->c.dead_off);
    x->stats.invalidations++;
}

/*
 * Loops inside a dropped unit leave at their next poll and find the new code; calls that would come back into one are
 * forgotten.
 */
static void leave_dropped(struct exec *x)
{
    for (struct cpu *cpu = x->cpus; cpu; cpu = cpu->next_cpu)
        __atomic_fetch_or(&cpu->exit_request, REQUEST_LEAVE | REQUEST_FORGET, __ATOMIC_SEQ_CST);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Does the thread have a processor, or wait for one? False: for something else. (proc_pid_stat(5)) */
static bool is_runnable(const struct cpu *cpu)
{
    char name[64], text[512];
    snprintf(name, sizeof name, "/proc/self/task/%d/stat", (int)__atomic_load_n(&cpu->tid, __ATOMIC_RELAXED));
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false; /* there is no /proc: not known */
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] && name_end[2] == 'R';
}

/*
 * All threads leave generated code, in which the caller is not, and wait for x->stop to be cleared. With
 * `runnable_only` those are not waited for that have waited in the kernel themselves for a while: for their page
 * (userfaultfd), which may be for the caller to bring. Being runnable may take any time where processors are few.
 */
static void stop_all(struct exec *x, bool runnable_only)
{
    atomic_store(&x->stop, 1); /* before they are asked: who has been goes in no more */
    leave_dropped(x);
    for (struct cpu *cpu = x->cpus; cpu; cpu = cpu->next_cpu) {
        int64_t look = now_ns() + PATIENCE_NS;
        while (__atomic_load_n(&cpu->in_code, __ATOMIC_SEQ_CST)) {
            sched_yield();
            if (now_ns() <= look)
                continue;
            if (runnable_only && !is_runnable(cpu))
                break;
            if (x->options.waiting)
                x->options.waiting();
            look = now_ns() + PATIENCE_NS;
        }
    }
}

static void drop(struct exec *x, uint64_t start, uint64_t end, bool changed_only)
{
    shared_lock_take(&x->lock);
    bool any = false;
    background_invalidate(x, start, end);
    if (disk_close_range(x, start, end, changed_only))
        exec_flush(x);
    uint64_t first = start >> PAGE_HASH_SHIFT, last = (end - 1) >> PAGE_HASH_SHIFT;
    /* A unit begins at most MAX_UNIT_BYTES, so at most a page, before its last byte. */
    first -= first > 0;
    bool all = last - first >= PAGE_HASH_SIZE;
    for (uint64_t i = all ? 0 : first; i <= (all ? PAGE_HASH_SIZE - 1 : last); i++) {
        struct code_block *next;
        for (struct code_block *b = x->page[i % PAGE_HASH_SIZE]; b; b = next) {
            next = b->page_next;
            if (b->physical < end && b->physical + b->bytes > start &&
                !(changed_only && b->source && source_is(x, b->pc, b->source, b->bytes))) {
                kill_block(x, b);
                any = true;
            }
        }
    }
    struct code_block *next;
    for (struct code_block *b = x->inliners; b; b = next) {
        next = b->inlined_next;
        if (exec_inlines(b->inlined, b->ninlined, start, end)) {
            kill_block(x, b);
            any = true;
        }
    }
    for (struct code_block *b = x->tails; b; b = next) {
        next = b->tail_next;
        if (b->tail < end && b->tail + PAGE > start)
            kill_block(x, b);
    }
    if (any) {
        uint64_t from = start > MAX_UNIT_BYTES ? start - MAX_UNIT_BYTES : 0;
        if (!x->options.memory) /* else pcs are not known; a dropped block's entry leads out of it */
            exec_forget_jumps(x, from, end);
        /*
         * What a mapping held is executed nowhere when the call that changes it comes back. After new code was
         * announced it is for the others to synchronise, as on the machine; and a machine's processors tell each other.
         */
        if (changed_only || x->options.memory) {
            leave_dropped(x);
        } else {
            stop_all(x, true);
            atomic_store(&x->stop, 0);
        }
    }
    shared_lock_give(&x->lock);
}

void exec_invalidate(struct exec *x, uint64_t start, uint64_t end)
{
    drop(x, start, end, false);
}

void exec_renew(struct exec *x, uint64_t start, uint64_t end)
{
    drop(x, start, end, true);
}

void exec_drop_pc(struct exec *x, uint64_t pc)
{
    background_invalidate(x, 0, UINT64_MAX);
    for (size_t i = 0; i < x->nblocks; i++) {
        struct code_block *b = x->blocks[i];
        if (!b->dead && (pc - b->pc < b->bytes || exec_inlines(b->inlined, b->ninlined, pc, pc + 1)))
            kill_block(x, b);
    }
    once_forget(x, pc);
    exec_forget_jumps(x, pc > MAX_UNIT_BYTES ? pc - MAX_UNIT_BYTES : 0, pc + 1);
    leave_dropped(x);
}

static void free_descriptions(struct exec *x)
{
    for (size_t i = 0; x->options.engine != ENGINE_JIT && i < x->nblocks; i++) {
        ir_unit_free(x->blocks[i]->unit);
        free(x->blocks[i]->unit);
    }
    arena_free(&x->arena);
}

void exec_free_blocks(struct exec *x)
{
    free_descriptions(x);
    blocks_free(x);
    ir_unit_free(&x->spare);
    for (unsigned i = 0; i < ARRAY_SIZE(x->once.kept); i++)
        ir_unit_free(&x->once.kept[i].unit);
}

bool exec_start_code(struct exec *x)
{
    uint8_t *exec;
    size_t room;
    uint8_t *buf = code_memory_room(&x->mem, CODE_ROOM, &exec, &room);
    if (!buf)
        return false;
    code_memory_commit(&x->mem, x->host->emit_prologue(buf, exec, x->target->ir, &cpu_layout, &x->entry));
    return true;
}

/* The calling thread is outside generated code; others are sent out first and wait for the lock. */
void exec_flush(struct exec *x)
{
    stop_all(x, false);
    free_descriptions(x);
    blocks_clear(x);
    disk_flush(x);
    x->tails = x->inliners = NULL;
    for (struct cpu *cpu = x->cpus; cpu; cpu = cpu->next_cpu) {
        cpu->last_exit = NULL;
        cpu->mode = MODE_FLUSHED; /* makes cpu_run() reset the jump table and the return stack */
    }
    CHECK(code_memory_flush(&x->mem) && exec_start_code(x));
    atomic_store(&x->stop, 0);
    x->stats.flushes++;
}
