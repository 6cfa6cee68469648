/* Counted time: see machine-count.h. */
#define _GNU_SOURCE
#include "softmmu/machine-count.h"

#include <stdatomic.h>
#include <time.h>

enum { NS = 1000000000, MOST = 1 << 24 /* instructions of a budget */ };

void processor_count(struct processor *p)
{
    int32_t left = p->cpu->budget + p->cpu->ahead, n = p->granted - left;
    p->granted = left;
    p->executed += (uint64_t)(int64_t)n;
    clocks_advance(&p->machine->clocks, n);
}

/* Instructions until the virtual time; at most MOST. */
static int32_t until(struct clocks *c, int64_t ns)
{
    int64_t away = ns - clock_now(c, CLOCK_VIRTUAL);
    if (away <= 0)
        return 0;
    int64_t n = ((away - 1) >> c->icount_shift) + 1;
    return n < MOST ? (int32_t)n : MOST;
}

void processor_renew(struct processor *p)
{
    struct machine *m = p->machine;
    if (p->cpu->budget > 0 && !atomic_load(&p->renew))
        return;
    machine_lock(m);
    atomic_store(&p->renew, false);
    processor_count(p);
    clocks_dispatch_counted(&m->clocks);
    int64_t next = clocks_next_virtual(&m->clocks);
    p->granted = p->cpu->budget = next == CLOCK_NEVER ? MOST : until(&m->clocks, next);
    machine_unlock(m);
}

void processor_cut(struct processor *p, int64_t ns)
{
    processor_count(p);
    int32_t n = until(&p->machine->clocks, ns);
    if (n < p->granted) {
        p->granted = n;
        p->cpu->budget = n - p->cpu->ahead;
    }
}

/* Sleeps till it is woken, at most `ns`; how long that was. */
static int64_t sleep_for(struct processor *p, int64_t ns)
{
    struct clocks *c = &p->machine->clocks;
    int64_t start = clock_now(c, CLOCK_REAL), end = start + ns;
    const struct timespec at = {end / NS, end % NS};
    pthread_cond_clockwait(&p->wake, &p->machine->lock, CLOCK_MONOTONIC, &at);
    int64_t slept = clock_now(c, CLOCK_REAL) - start;
    return slept < ns ? slept : ns;
}

void processor_idle(struct processor *p)
{
    struct clocks *c = &p->machine->clocks;
    int64_t next = clocks_next_virtual(c), away = next - clock_now(c, CLOCK_VIRTUAL);
    if (next == CLOCK_NEVER) {
        pthread_cond_wait(&p->wake, &p->machine->lock);
        return;
    }
    int64_t passed = p->machine->idle_skips || away <= 0 ? away : sleep_for(p, away);
    if (passed > 0)
        clocks_advance(c, passed < away ? passed >> c->icount_shift : until(c, next));
    clocks_dispatch_counted(c);
}
