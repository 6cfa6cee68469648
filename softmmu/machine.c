/* The processors' threads, and running and stopping them: see machine.h. */
#define _GNU_SOURCE
#include "softmmu/machine.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "exec/exec.h"
#include "softmmu/machine-count.h"

enum { SIGNAL_STACK = 64 * 1024 };
enum { CACHE_BYTES = 512 << 20 }; /* for all of a system's programs; memory comes as it is used */

/* The calling thread's processor, for the signal handler. */
static __thread struct cpu *self;

void machine_lock(struct machine *m) { pthread_mutex_lock(&m->lock); }
void machine_unlock(struct machine *m) { pthread_mutex_unlock(&m->lock); }
bool machine_on_processor(void) { return self; }

/* Generated code faults only where its return stack ends; anything else is a bug of metic. */
static void host_fault(int signo, siginfo_t *info, void *context)
{
    if (self && cpu_host_fault(self, signo, info, context))
        return;
    signal(signo, SIG_DFL);
}

static void watch_faults(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_sigaction = host_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &action, NULL);
}

/* --- whose turn it is --- */

static struct processor *processor_at(const struct processor_thread *t, unsigned i)
{
    return t->machine->processor[t->first + i % t->n];
}

static bool can_execute(const struct processor *p)
{
    return p->debug.how != PROCESSOR_STAYS && (!p->halted || p->cpu->target->system->wakes(p->cpu));
}

/*
 * The processor whose turn it is goes on, or, where it can't or its turn is over, the next one that can execute. False:
 * none can.
 */
static bool choose(struct processor_thread *t)
{
    struct processor *p = processor_at(t, t->at);
    bool counted = t->machine->clocks.icount, goes_on = can_execute(p) && !(counted && processor_is_over(p));
    for (unsigned i = 1; !goes_on; i++) {
        if (i > t->n)
            return false;
        p = processor_at(t, t->at + i);
        if (!can_execute(p))
            continue;
        if (counted) {
            processor_yield(processor_at(t, t->at));
            processor_grant(p);
        }
        t->at = (t->at + i) % t->n;
        goes_on = true;
    }
    p->halted = false;
    self = p->cpu;
    return true;
}

/* With icount: does time go on while no processor of the thread can execute? */
static bool waits(const struct processor_thread *t)
{
    bool some = false;
    for (unsigned i = 0; i < t->n && !t->machine->stop; i++)
        some |= processor_at(t, i)->debug.how != PROCESSOR_STAYS;
    return some;
}

/* Until there is a processor that is to execute. NULL: the machine has ended. */
static struct processor *wait_for_turn(struct processor_thread *t)
{
    struct machine *m = t->machine;
    bool counted = m->clocks.icount;
    machine_lock(m);
    if (counted)
        processor_count(processor_at(t, t->at));
    while (!m->ended) {
        if (counted && !m->stop)
            clocks_dispatch_counted(&m->clocks);
        if (!m->stop && choose(t))
            break;
        if (counted && waits(t)) { /* time goes on: not parked, so that nobody sees a machine that stands still */
            machine_idle(m, &t->wake);
            continue;
        }
        t->parked = true;
        pthread_cond_broadcast(&m->parked);
        pthread_cond_wait(&t->wake, &m->lock);
        t->parked = false;
    }
    if (counted && atomic_exchange(&t->renew, false) && clocks_next_virtual(&m->clocks) != CLOCK_NEVER)
        processor_cut(processor_at(t, t->at), clocks_next_virtual(&m->clocks));
    machine_unlock(m);
    return m->ended ? NULL : processor_at(t, t->at);
}

static inline struct processor *take_turn(struct processor_thread *t)
{
    struct machine *m = t->machine;
    struct processor *p = processor_at(t, t->at);
    bool goes_on = !m->stop && !m->ended && !p->halted && p->debug.how != PROCESSOR_STAYS &&
                   !(m->clocks.icount && (processor_is_over(p) || t->renew));
    return LIKELY(goes_on) ? p : wait_for_turn(t);
}

/* --- executing --- */

/* For the debugger: the machine stops. */
static void stop_for_debugger(struct processor *p, int how)
{
    machine_lock(p->machine);
    p->debug.stopped = how;
    p->debug.watched = (unsigned)p->cpu->exit_detail;
    p->debug.address = p->cpu->fault_addr;
    machine_ask_pause(p->machine, RUN_STATE_DEBUG);
    machine_unlock(p->machine);
}

/* It waits for another processor, which may be the one that waits for this thread's host processor. */
static void give_way(struct processor *p)
{
    if (p->machine->clocks.icount)
        processor_yield(p);
    else
        sched_yield();
}

static void handle(struct processor *p, enum cpu_exit reason)
{
    struct cpu *cpu = p->cpu;
    switch (reason) {
    case EXIT_INTERRUPT:
    case EXIT_BUDGET:
    case EXIT_TARGET: break;
    case EXIT_HALT: p->halted = true; break;
    case EXIT_PAUSE: give_way(p); break;
    case EXIT_FAULT:
        BUG("generated code touched host address 0x%llx; guest pc 0x%llx", (unsigned long long)cpu->fault_addr,
            (unsigned long long)cpu->pc);
    case EXIT_FETCH: tlb_raise_fetch(p, cpu->exit_detail); break;
    case EXIT_DEBUG: stop_for_debugger(p, STOPPED_BY_POINT); break;
    default: cpu->target->system->exception(cpu, reason);
    }
}

/* Until something has to be looked at. What is left of a budget is fewer instructions than the unit at the pc has. */
static void run(struct processor *p)
{
    enum cpu_exit reason = cpu_run(p->cpu);
    if (reason == EXIT_BUDGET && p->cpu->budget > 0)
        reason = cpu_step(p->cpu);
    handle(p, reason == EXIT_NONE ? EXIT_TARGET : reason);
}

/* One instruction, or those of a range; interrupts wait. */
static void step(struct processor *p)
{
    struct cpu *cpu = p->cpu;
    enum cpu_exit reason = cpu_step(cpu);
    handle(p, reason == EXIT_NONE ? EXIT_TARGET : reason);
    if (reason != EXIT_DEBUG && cpu->pc - p->debug.start >= p->debug.end - p->debug.start)
        stop_for_debugger(p, STOPPED_BY_STEP);
}

static void *thread_main(void *opaque)
{
    struct processor_thread *t = opaque;
    struct processor *p;
    void *stack = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = SIGNAL_STACK}, NULL);
    self = processor_at(t, t->at)->cpu;
    t->tid = gettid();
    while ((p = take_turn(t))) {
        if (UNLIKELY(p->debug.how == PROCESSOR_STEPS)) {
            step(p);
            continue;
        }
        p->cpu->target->system->interrupt(p->cpu);
        run(p);
    }
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    munmap(stack, SIGNAL_STACK);
    return NULL;
}

void processor_kick(struct processor *p)
{
    /*
     * What processors bring on themselves or each other always comes at the same instruction, whichever jumps ask for
     * requests.
     */
    if (p->machine->clocks.icount && self)
        processor_cut(processor_of(self), 0);
    cpu_kick(p->cpu);
    pthread_cond_signal(&p->thread->wake);
}

/* --- the machine --- */

static void remapped(void *opaque)
{
    struct machine *m = opaque;
    for (unsigned i = 0; i < m->nprocessors; i++)
        tlb_flush_later(m->processor[i]);
}

static void code_written(void *opaque, struct mem_region *ram, uint64_t offset, uint64_t size)
{
    struct machine *m = opaque;
    uint64_t at = (uintptr_t)ram->host + offset; /* as the TLB names code */
    exec_invalidate_later(m->exec, at, at + size);
}

void machine_wake(struct machine *m)
{
    if (m->notify)
        m->notify(m->opaque);
}

static void rearmed(void *opaque)
{
    struct machine *m = opaque;
    int64_t next = clocks_next_virtual(&m->clocks);
    if (m->clocks.icount && m->nprocessors && next != CLOCK_NEVER) {
        if (self) {
            processor_cut(processor_of(self), next);
        } else {
            struct processor_thread *t = m->processor[0]->thread; /* everybody's */
            t->renew = true;
            processor_kick(processor_at(t, t->at));
        }
    }
    machine_wake(m);
}

void machine_count(struct machine *m)
{
    if (m->clocks.icount && self)
        processor_count(processor_of(self));
}

static bool add_processor(struct machine *m)
{
    struct processor *p = calloc(1, sizeof *p);
    if (!p)
        return false;
    m->processor[m->nprocessors] = p;
    p->machine = m;
    p->index = m->nprocessors++;
    p->cpu = cpu_new(m->exec);
    if (!p->cpu)
        return false;
    p->cpu->user = p;
    return tlb_init(p);
}

/* One for the next n processors. */
static bool add_thread(struct machine *m, unsigned first, unsigned n)
{
    struct processor_thread *t = &m->thread[m->nthreads++];
    *t = (struct processor_thread){.machine = m, .first = first, .n = n, .at = n - 1};
    pthread_cond_init(&t->wake, NULL);
    for (unsigned i = 0; i < n; i++)
        processor_at(t, i)->thread = t;
    errno = pthread_create(&t->thread, NULL, thread_main, t);
    t->started = !errno;
    return t->started;
}

bool machine_init(struct machine *m, const struct target *t, unsigned nprocessors, const struct exec_options *o)
{
    *m = (struct machine){.stop = true};
    struct exec_options options = *o;
    if (!options.cache_bytes)
        options.cache_bytes = CACHE_BYTES;
    options.memory = &tlb_exec_memory;
    CHECK(t->system && nprocessors <= MACHINE_MAX_PROCESSORS);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->parked, NULL);
    clocks_init(&m->clocks, rearmed, m);
    m->exec = exec_new(t, NULL, &options);
    if (!m->exec)
        return false;
    if (!mem_space_init(&m->memory, "system", UINT64_MAX)) {
        exec_free(m->exec);
        return false;
    }
    m->memory.remapped = remapped;
    m->memory.code_written = code_written;
    m->memory.opaque = m;
    watch_faults();
    bool ok = true;
    for (unsigned i = 0; i < nprocessors && ok; i++)
        ok = add_processor(m);
    unsigned n = o->counted ? nprocessors : 1; /* of a thread */
    for (unsigned i = 0; i < nprocessors && ok; i += n)
        ok = add_thread(m, i, n);
    if (!ok)
        machine_free(m);
    return ok;
}

void machine_free(struct machine *m)
{
    machine_lock(m);
    m->ended = true;
    for (unsigned i = 0; i < m->nprocessors; i++)
        if (m->processor[i]->thread)
            processor_kick(m->processor[i]);
    machine_unlock(m);
    for (unsigned i = 0; i < m->nthreads; i++) {
        if (m->thread[i].started)
            pthread_join(m->thread[i].thread, NULL);
        pthread_cond_destroy(&m->thread[i].wake);
    }
    for (unsigned i = 0; i < m->nprocessors; i++) {
        struct processor *p = m->processor[i];
        tlb_free(p);
        if (p->cpu)
            cpu_free(p->cpu);
        free(p);
    }
    mem_space_free(&m->memory);
    exec_free(m->exec);
    pthread_cond_destroy(&m->parked);
    pthread_mutex_destroy(&m->lock);
}

void machine_run(struct machine *m)
{
    if (m->running)
        return;
    m->running = true;
    m->stop = machine_held(m); /* somebody may have asked while the others parked */
    clocks_run(&m->clocks, true);
    for (unsigned i = 0; i < m->nthreads; i++)
        pthread_cond_signal(&m->thread[i].wake);
}

static bool all_parked(const struct machine *m)
{
    for (unsigned i = 0; i < m->nthreads; i++)
        if (!m->thread[i].parked)
            return false;
    return true;
}

void machine_stop(struct machine *m)
{
    m->stop = true;
    for (unsigned i = 0; i < m->nprocessors; i++)
        processor_kick(m->processor[i]);
    while (!all_parked(m))
        pthread_cond_wait(&m->parked, &m->lock);
    clocks_run(&m->clocks, false);
    m->running = false;
}

void machine_reset_processors(struct machine *m)
{
    for (unsigned i = 0; i < m->nprocessors; i++) {
        struct processor *p = m->processor[i];
        p->halted = false;
        p->cpu->target->reset(p->cpu);
        processor_yield(p);
        tlb_flush(p);
    }
    for (unsigned i = 0; i < m->nthreads; i++)
        m->thread[i].at = m->thread[i].n - 1; /* the first one's turn is next */
}
