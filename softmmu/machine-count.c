/* Counted time: see machine-count.h. */
#define _GNU_SOURCE
#include "softmmu/machine-count.h"

#include <time.h>

enum {
    NS = 1000000000,
    MOST = 1 << 24,      /* instructions of a budget */
    TURN = 20000,        /* of a turn, where there are others */
};

void processor_count(struct processor *p)
{
    int32_t left = p->cpu->budget + p->cpu->ahead, n = p->granted - left;
    p->granted = left;
    p->executed += (uint64_t)(int64_t)n;
    clocks_advance(&p->machine->clocks, n);
}

/* Instructions that take so long: `ns` above 0. */
static int64_t instructions_in(const struct clocks *c, int64_t ns) { return ((ns - 1) >> c->icount_shift) + 1; }

/* Instructions until the virtual time; at most MOST. */
static int32_t until(struct clocks *c, int64_t ns)
{
    int64_t away = ns - clock_now(c, CLOCK_VIRTUAL);
    if (away <= 0)
        return 0;
    int64_t n = instructions_in(c, away);
    return n < MOST ? (int32_t)n : MOST;
}

void processor_grant(struct processor *p)
{
    int32_t most = p->thread->n > 1 ? TURN : MOST;
    p->granted = p->cpu->budget = most;
    if (clocks_next_virtual(&p->machine->clocks) != CLOCK_NEVER)
        processor_cut(p, clocks_next_virtual(&p->machine->clocks));
}

void processor_yield(struct processor *p)
{
    p->granted -= p->cpu->budget;
    p->cpu->budget = 0;
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
static int64_t sleep_for(struct machine *m, pthread_cond_t *wake, int64_t ns)
{
    struct clocks *c = &m->clocks;
    int64_t start = clock_now(c, CLOCK_REAL), end = start + ns;
    const struct timespec at = {end / NS, end % NS};
    pthread_cond_clockwait(wake, &m->lock, CLOCK_MONOTONIC, &at);
    int64_t slept = clock_now(c, CLOCK_REAL) - start;
    return slept < ns ? slept : ns;
}

void machine_idle(struct machine *m, pthread_cond_t *wake)
{
    struct clocks *c = &m->clocks;
    int64_t next = clocks_next_virtual(c), away = next - clock_now(c, CLOCK_VIRTUAL);
    if (next == CLOCK_NEVER) {
        pthread_cond_wait(wake, &m->lock);
        return;
    }
    int64_t passed = m->idle_skips || away <= 0 ? away : sleep_for(m, wake, away);
    if (passed > 0)
        clocks_advance(c, passed < away ? passed >> c->icount_shift : instructions_in(c, away));
}
