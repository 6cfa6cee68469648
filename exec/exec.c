/* Running guest code: the life of struct exec and struct cpu, and the run loop. See exec.h. */
#define _GNU_SOURCE
#include "exec/exec.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "exec/debug.h"
#include "exec/dump.h"
#include "exec/exec-internal.h"
#include "host/cpu.h"

enum { DEFAULT_CACHE_BYTES = 128 << 20 };

const struct host_layout cpu_layout = {
    .exit_request = offsetof(struct cpu, exit_request),
    .pc = offsetof(struct cpu, pc),
    .host_sp = offsetof(struct cpu, host_sp),
    .ret_sp = offsetof(struct cpu, ret_sp),
    .ret_stack = offsetof(struct cpu, ret_stack),
    .ret_base = GUARD_SIZE + RET_STACK_SIZE - RET_STACK_BASE,
    .jump_table = offsetof(struct cpu, jump_table),
    .helpers = offsetof(struct cpu, helpers),
    .mxcsr = offsetof(struct cpu, mxcsr),
    .mxcsr_c = offsetof(struct cpu, mxcsr_c),
    .own = offsetof(struct cpu, host_own),
    .budget = offsetof(struct cpu, budget),
    .exit_reason = offsetof(struct cpu, exit_reason),
    .exit_detail = offsetof(struct cpu, exit_detail),
    .last_exit = offsetof(struct cpu, last_exit),
    .spill = offsetof(struct cpu, spill),
    .nspill = CPU_SPILL_CELLS,
    .tlb_mask = offsetof(struct cpu, tlb_mask),
    .tlb_table = offsetof(struct cpu, tlb_table),
    .slow_access = offsetof(struct cpu, slow_access),
};

/* Held for less time than sleeping and waking take, mostly: whoever finds it taken tries for a moment first. */
struct exec *exec_new(const struct target *t, const struct code_reader *code, const struct exec_options *o)
{
    struct exec *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->target = t;
    if (code)
        x->code = *code;
    x->options = *o;
    x->disk.disk = o->counted ? NULL : o->disk;
    if (o->counted)
        x->options.tier = TIER_QUICK;
    x->host = o->engine == ENGINE_INTERP ? NULL : tcg_host_native();
    if (!x->host)
        x->options.engine = ENGINE_INTERP;
    if (x->options.engine == ENGINE_VERIFY || log_on(LOG_EXEC) || log_on(LOG_CPU))
        x->options.nochain = true;
    if (exec_wants_every_unit(x))
        x->disk.disk = NULL;
    shared_lock_init(&x->lock, x->options.waiting);
    pthread_mutex_init(&x->stale.lock, NULL);
    background_init(x);
    if (x->host) {
        x->helpers = calloc(t->ir->nhelpers + 1, sizeof *x->helpers);
        if (!x->helpers || !code_memory_init(&x->mem, o->cache_bytes ? o->cache_bytes : DEFAULT_CACHE_BYTES)) {
            free(x->helpers);
            free(x);
            return NULL;
        }
        for (unsigned i = 0; i < t->ir->nhelpers; i++)
            x->helpers[i] = t->ir->helpers[i]->fn;
        if (x->host->init)
            x->host->init();
        x->work = x->host->new_work(t->ir);
        once_init(x);
        if (!exec_start_code(x)) {
            exec_free(x);
            return NULL;
        }
    }
    return x;
}

void exec_free(struct exec *x)
{
    exec_stop_background(x);
    if (log_on(LOG_JIT_STATS))
        dump_stats(log_stream(), x);
    if (x->host) {
        code_memory_destroy(&x->mem);
        x->host->free_work(x->work);
        free(x->helpers);
    }
    exec_forget_debug(x);
    exec_free_blocks(x);
    disk_forget(x);
    free(x);
}

bool exec_wants_every_unit(const struct exec *x)
{
    return !x->host || x->options.engine != ENGINE_JIT || x->options.nochain || x->options.one_insn ||
           log_on(LOG_IN_ASM) || log_on(LOG_OP) || log_on(LOG_OP_OPT) || log_on(LOG_OUT_ASM);
}

/* --- cpus --- */

static void forget_returns(struct cpu *cpu)
{
    cpu->ret_sp = (char *)cpu->ret_stack + GUARD_SIZE + RET_STACK_SIZE - RET_STACK_BASE;
}

/* Jump tables, guard page, return stack. */
static unsigned jump_modes(const struct exec *x) { return x->options.memory ? JUMP_MODES : 1; }
static size_t prediction_bytes(const struct exec *x)
{
    return jumps_bytes(jump_modes(x)) + GUARD_SIZE + RET_STACK_SIZE;
}

bool cpu_take_requests(struct cpu *cpu)
{
    uint32_t requests = __atomic_exchange_n(&cpu->exit_request, 0, __ATOMIC_SEQ_CST);
    if (requests & REQUEST_FORGET)
        forget_returns(cpu);
    return requests;
}

static bool attach(struct exec *x, struct cpu *cpu)
{
    size_t tables = jumps_bytes(jump_modes(x));
    char *p = mmap(NULL, prediction_bytes(x), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    cpu->mode = x->target->mode(cpu);
    if (!jumps_init(cpu, p, jump_modes(x))) {
        munmap(p, prediction_bytes(x));
        return false;
    }
    mprotect(p + tables, GUARD_SIZE, PROT_NONE);
    cpu->ret_stack = p + tables;
    uint64_t *base = (uint64_t *)(p + tables + GUARD_SIZE + RET_STACK_SIZE - RET_STACK_BASE);
    for (unsigned i = 0; i < RET_STACK_BASE / 8; i++)
        base[i] = RET_STACK_EMPTY;
    cpu->exec = x;
    cpu->target = x->target;
    cpu->helpers = x->helpers;
    memcpy(cpu->host_own, x->entry.own, sizeof cpu->host_own);
    cpu->mxcsr_c = MXCSR_DEFAULT;
    cpu->slow_access = exec_slow_access;
    cpu->tid = 0;
    cpu->in_code = 0;
    cpu->exit_request = 0;
    cpu->last_exit = NULL;
    forget_returns(cpu);
    cpu->recent = x->options.memory ? exec_new_recent() : NULL;
    shared_lock_take(&x->lock);
    cpu->next_cpu = x->cpus;
    x->cpus = cpu;
    shared_lock_give(&x->lock);
    return true;
}

static struct cpu *allocate(const struct target *t)
{
    struct cpu *cpu = aligned_alloc(64, ALIGN_UP(t->state_size, (size_t)64));
    if (cpu)
        memset(cpu, 0, t->state_size);
    return cpu;
}

struct cpu *cpu_new(struct exec *x)
{
    struct cpu *cpu = allocate(x->target);
    if (!cpu)
        return NULL;
    cpu->mxcsr = MXCSR_DEFAULT;
    x->target->reset(cpu);
    if (!attach(x, cpu)) {
        free(cpu);
        return NULL;
    }
    return cpu;
}

struct cpu *cpu_clone(struct cpu *from)
{
    struct cpu *cpu = allocate(from->target);
    if (!cpu)
        return NULL;
    memcpy(cpu, from, from->target->state_size);
    if (!attach(from->exec, cpu)) {
        free(cpu);
        return NULL;
    }
    return cpu;
}

void cpu_free(struct cpu *cpu)
{
    struct exec *x = cpu->exec;
    shared_lock_take(&x->lock);
    struct cpu **at = &x->cpus;
    while (*at != cpu)
        at = &(*at)->next_cpu;
    *at = cpu->next_cpu;
    shared_lock_give(&x->lock);
    munmap(cpu->jumps->set[0].table, prediction_bytes(x));
    jumps_free(cpu);
    free(cpu->recent);
    free(cpu);
}

void cpu_kick(struct cpu *cpu)
{
    __atomic_fetch_or(&cpu->exit_request, REQUEST_LEAVE, __ATOMIC_SEQ_CST);
}

/* --- several address spaces, exec/memory.h --- */

void cpu_forget_jumps(struct cpu *cpu, uint64_t start, uint64_t end)
{
    if (end - start < UINT64_MAX)
        jumps_forget(cpu, start, end);
    else
        jumps_forget_all(cpu);
    forget_returns(cpu);
}

void cpu_forget_mapped_jumps(struct cpu *cpu)
{
    jumps_forget_but(cpu, cpu->target->system->unmapped);
    forget_returns(cpu);
}

/* x->lock is held: window() is called while a unit is made. */
void exec_stop_others(struct exec *x, struct cpu *self, void (*fn)(void *opaque), void *opaque)
{
    atomic_store(&x->stop, 1);
    for (struct cpu *cpu = x->cpus; cpu; cpu = cpu->next_cpu) {
        cpu_kick(cpu);
        while (cpu != self && __atomic_load_n(&cpu->in_code, __ATOMIC_SEQ_CST))
            sched_yield();
    }
    fn(opaque);
    atomic_store(&x->stop, 0);
}

void exec_invalidate_later(struct exec *x, uint64_t start, uint64_t end)
{
    pthread_mutex_lock(&x->stale.lock);
    struct stale_range *last = x->stale.n ? &x->stale.range[x->stale.n - 1] : NULL;
    if (last && start <= last->end && end >= last->start) {
        last->start = start < last->start ? start : last->start;
        last->end = end > last->end ? end : last->end;
    } else if (x->stale.n == MAX_STALE) {
        x->stale.range[0] = (struct stale_range){0, UINT64_MAX};
    } else {
        x->stale.range[x->stale.n++] = (struct stale_range){start, end};
    }
    pthread_mutex_unlock(&x->stale.lock);
    for (struct cpu *cpu = __atomic_load_n(&x->cpus, __ATOMIC_ACQUIRE); cpu; cpu = cpu->next_cpu)
        cpu_kick(cpu);
}

static void invalidate_stale(struct exec *x)
{
    struct stale_range range[MAX_STALE];
    pthread_mutex_lock(&x->stale.lock);
    unsigned n = x->stale.n;
    memcpy(range, x->stale.range, n * sizeof range[0]);
    x->stale.n = 0;
    pthread_mutex_unlock(&x->stale.lock);
    for (unsigned i = 0; i < n; i++)
        exec_invalidate(x, range[i].start, range[i].end);
}

/* What is to run at cpu->pc? False: the guest's exception has been entered instead. */
static bool locate(struct exec *x, struct cpu *cpu, uint64_t *physical)
{
    const struct exec_memory *memory = x->options.memory;
    *physical = cpu->pc;
    if (!memory)
        return true;
    if (__atomic_load_n(&x->stale.n, __ATOMIC_ACQUIRE))
        invalidate_stale(x);
    if (!memory->locate(cpu, cpu->pc, physical))
        return false;
    memory->select(cpu);
    return true;
}

/* --- the run loop --- */

/*
 * The block to run next, translated if need be; links the exit that led here and fills the jump table.
 * Generated code has been left, so that a flush may happen inside.
 */
static struct code_block *next_block(struct exec *x, struct cpu *cpu, uint64_t physical, bool indirect, bool first)
{
    shared_lock_take(&x->lock);
    uint64_t flushes = x->stats.flushes;
    struct code_exit *from = cpu->last_exit;
    cpu->last_exit = NULL;
    x->stats.lookups++;
    uint64_t units = x->stats.units;
    struct code_block *b = exec_block(x, cpu, (struct block_key){cpu->pc, physical, cpu->mode}, from, true);
    x->stats.found += units == x->stats.units && b != &x->once.block;
    if (b && !first)
        x->stats.exits[!from ? EXIT_KIND_INDIRECT : from == b->c.promote ? EXIT_KIND_HOT : EXIT_KIND_UNLINKED]++;
    if (b && b->entry && !x->options.nochain && flushes == x->stats.flushes) {
        if (from && from->pc == b->pc && from->slot == from->unlinked && from != b->c.promote && !b->tail) {
            exec_link(from, b);
            x->stats.links++;
        } else if (indirect) {
            jumps_fill(cpu, b->pc, b->entry);
        }
    }
    shared_lock_give(&x->lock);
    return b;
}

/* Marks the thread as inside generated code unless another thread wants everyone out. */
static bool begin_code(struct exec *x, struct cpu *cpu)
{
    __atomic_store_n(&cpu->in_code, IN_GENERATED, __ATOMIC_SEQ_CST);
    if (LIKELY(!atomic_load(&x->stop)))
        return true;
    __atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
    return false;
}

static void run_block(struct exec *x, struct cpu *cpu, struct code_block *b)
{
    switch (x->options.engine) {
    case ENGINE_JIT:
        if (UNLIKELY(!b->entry))
            once_run(cpu);
        else
            x->entry.enter(cpu, b->entry);
        break;
    case ENGINE_INTERP:
        cpu->budget -= (int32_t)b->ninsns;
        exec_interpret(cpu, b);
        break;
    case ENGINE_VERIFY:
        cpu->budget -= (int32_t)b->ninsns;
        exec_verify(cpu, b);
        break;
    }
}

static void count_reason(struct exec *x, enum cpu_exit reason)
{
    static const uint8_t kinds[] = {
        [EXIT_SYSCALL] = EXIT_KIND_SYSCALL,     [EXIT_FAULT] = EXIT_KIND_FAULT,  [EXIT_FETCH] = EXIT_KIND_FAULT,
        [EXIT_INTERRUPT] = EXIT_KIND_INTERRUPT, [EXIT_NONE] = EXIT_KIND_OTHER,   [EXIT_BREAKPOINT] = EXIT_KIND_OTHER,
        [EXIT_ILLEGAL] = EXIT_KIND_OTHER,       [EXIT_ALIGN] = EXIT_KIND_OTHER,  [EXIT_DIV] = EXIT_KIND_OTHER,
        [EXIT_HALT] = EXIT_KIND_OTHER,          [EXIT_ICACHE] = EXIT_KIND_OTHER, [EXIT_BUDGET] = EXIT_KIND_OTHER,
        [EXIT_PAUSE] = EXIT_KIND_OTHER};
    shared_lock_take(&x->lock);
    x->stats.exits[reason < ARRAY_SIZE(kinds) ? kinds[reason] : EXIT_KIND_OTHER]++;
    shared_lock_give(&x->lock);
}

static void use_mode(struct cpu *cpu, uint32_t mode)
{
    if (LIKELY(mode == cpu->mode))
        return;
    if (cpu->mode == MODE_FLUSHED)
        jumps_forget_all(cpu);
    cpu->mode = mode;
    cpu->last_exit = NULL;
    jumps_select(cpu, mode);
    forget_returns(cpu);
}

/* An instruction that could not be fetched: the page may be there when the guest comes back. */
static void forget_unreadable(struct exec *x, struct cpu *cpu)
{
    uint64_t physical;
    if (cpu->exit_reason == EXIT_FETCH && locate(x, cpu, &physical))
        exec_invalidate(x, physical, physical + 1);
}

void exec_run_step(struct cpu *cpu)
{
    struct exec *x = cpu->exec;
    jmp_buf leave;
    cpu->leave_env = &leave;
    cpu->exit_reason = EXIT_NONE;
    bool done = _setjmp(leave);
    while (!done) {
        uint64_t physical;
        use_mode(cpu, x->target->mode(cpu));
        struct code_block *b = NULL;
        if (locate(x, cpu, &physical)) {
            shared_lock_take(&x->lock);
            b = exec_block(x, cpu, (struct block_key){cpu->pc, physical, cpu->mode | MODE_STEP}, NULL, false);
            shared_lock_give(&x->lock);
        }
        if (!b)
            break; /* an exception has been entered */
        if (!begin_code(x, cpu))
            continue;
        done = cpu->mode != MODE_FLUSHED && !b->dead;
        if (done)
            run_block(x, cpu, b);
        __atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
    cpu->last_exit = NULL;
    cpu->leave_env = NULL;
    forget_unreadable(x, cpu);
}

enum cpu_exit cpu_run(struct cpu *cpu)
{
    struct exec *x = cpu->exec;
    jmp_buf leave;
    cpu->leave_env = &leave;
    if (UNLIKELY(!cpu->tid))
        __atomic_store_n(&cpu->tid, gettid(), __ATOMIC_RELAXED);
    cpu->exit_reason = EXIT_NONE;
    cpu->pc &= ~(uint64_t)x->target->pc_zero_bits;
    _setjmp(leave); /* exec_leave() and faults in helpers come back here, with the reason set */
    __atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
    bool indirect = true, first = true; /* first: generated code has not run, or was left with a reason */
    while (cpu->exit_reason == EXIT_NONE) {
        if (UNLIKELY(__atomic_load_n(&cpu->exit_request, __ATOMIC_SEQ_CST))) {
            cpu_take_requests(cpu);
            cpu->exit_reason = EXIT_INTERRUPT;
            break;
        }
        use_mode(cpu, x->target->mode(cpu));
        uint64_t physical;
        struct code_block *b = locate(x, cpu, &physical) ? next_block(x, cpu, physical, indirect, first) : NULL;
        first = false;
        if (!b) {
            cpu->exit_reason = EXIT_TARGET;
            cpu->last_exit = NULL;
            break;
        }
        if (x->options.counted && cpu->budget < (int32_t)b->ninsns) {
            cpu->exit_reason = EXIT_BUDGET;
            cpu->last_exit = NULL;
            break;
        }
        if (!begin_code(x, cpu))
            continue;
        /*
         * In this order: a flush has freed b. What was asked for since the beginning of the loop may be to forget
         * returns into code that was dropped.
         */
        if (UNLIKELY(cpu->mode == MODE_FLUSHED || b->dead || __atomic_load_n(&cpu->exit_request, __ATOMIC_SEQ_CST))) {
            __atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
            continue;
        }
        if (log_on(LOG_EXEC))
            log_printf("exec 0x%llx\n", (unsigned long long)b->pc);
        if (log_on(LOG_CPU))
            dump_cpu(cpu);
        run_block(x, cpu, b);
        __atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
        indirect = !cpu->last_exit;
    }
    cpu->leave_env = NULL;
    if (log_on(LOG_JIT_STATS))
        count_reason(x, cpu->exit_reason);
    forget_unreadable(x, cpu);
    return cpu->exit_reason;
}

void exec_leave(struct cpu *cpu, enum cpu_exit reason)
{
    cpu->exit_reason = reason;
    _longjmp(*(jmp_buf *)cpu->leave_env, 1);
}

/* --- fork --- */

void exec_fork_prepare(struct exec *x)
{
    shared_lock_take(&x->lock);
    atomic_fork_prepare();
}

void exec_fork_parent(struct exec *x)
{
    atomic_fork_done();
    if (x->host)
        code_memory_after_fork(&x->mem, false);
    shared_lock_give(&x->lock);
}

void exec_fork_child(struct exec *x, struct cpu *self)
{
    atomic_fork_done();
    if (x->host)
        code_memory_after_fork(&x->mem, true);
    disk_after_fork(x);
    once_after_fork(x);
    /* The other threads do not exist here; what they had allocated is not worth the page copies to free. */
    x->cpus = self;
    self->next_cpu = NULL;
    self->tid = 0;
    atomic_store(&x->stop, 0);
    shared_lock_init(&x->lock, x->options.waiting);
    background_after_fork(x);
}

void exec_allow_background(struct exec *x, bool may)
{
    shared_lock_take(&x->lock);
    background_allow(x, may);
    shared_lock_give(&x->lock);
}

void exec_child_ended(struct exec *x)
{
    if (shared_lock_inherit(&x->lock)) {
        exec_flush(x); /* whatever it was about to do */
        shared_lock_give(&x->lock);
    }
}

bool exec_stop_background(struct exec *x)
{
    shared_lock_take(&x->lock);
    bool was = background_stop(x);
    shared_lock_give(&x->lock);
    return was;
}
