/* Clocks and timers: see clock.h. */
#include "softmmu/clock.h"

#include <stdatomic.h>
#include <time.h>

enum { NS = 1000000000 };

static int64_t host_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

void clocks_init(struct clocks *c, void (*rearmed)(void *opaque), void *opaque)
{
    *c = (struct clocks){.rearmed = rearmed, .opaque = opaque};
}

void clocks_use_icount(struct clocks *c, unsigned shift)
{
    c->icount = true;
    c->icount_shift = shift;
}

/* Readers of virtual time in other threads see `running` and `virtual_offset` together: they read again on a change. */
static void begin_change(struct clocks *c)
{
    __atomic_store_n(&c->sequence, c->sequence + 1, __ATOMIC_RELAXED);
    atomic_thread_fence(memory_order_seq_cst);
}

static void end_change(struct clocks *c)
{
    __atomic_store_n(&c->sequence, c->sequence + 1, __ATOMIC_RELEASE);
}

static int64_t virtual_now(struct clocks *c)
{
    if (c->icount)
        return atomic_load(&c->instructions) << c->icount_shift;
    for (;;) {
        unsigned sequence = __atomic_load_n(&c->sequence, __ATOMIC_ACQUIRE);
        bool running = __atomic_load_n(&c->running, __ATOMIC_RELAXED);
        int64_t offset = __atomic_load_n(&c->virtual_offset, __ATOMIC_RELAXED);
        int64_t now = running ? host_ns(CLOCK_MONOTONIC) + offset : offset;
        atomic_thread_fence(memory_order_acquire);
        if (!(sequence & 1) && sequence == __atomic_load_n(&c->sequence, __ATOMIC_RELAXED))
            return now;
    }
}

int64_t clock_now(struct clocks *c, enum clock_kind kind)
{
    switch (kind) {
    case CLOCK_VIRTUAL: return virtual_now(c);
    case CLOCK_HOST: return host_ns(CLOCK_REALTIME);
    default: return host_ns(CLOCK_MONOTONIC);
    }
}

static void rearm(struct clocks *c)
{
    if (c->rearmed)
        c->rearmed(c->opaque);
}

static void set_virtual(struct clocks *c, int64_t ns, bool run)
{
    begin_change(c);
    __atomic_store_n(&c->virtual_offset, run ? ns - host_ns(CLOCK_MONOTONIC) : ns, __ATOMIC_RELAXED);
    __atomic_store_n(&c->running, run, __ATOMIC_RELAXED);
    end_change(c);
    rearm(c);
}

void clocks_run(struct clocks *c, bool run)
{
    if (run != c->running)
        set_virtual(c, virtual_now(c), run);
}

void clocks_set_virtual(struct clocks *c, int64_t ns)
{
    atomic_store(&c->instructions, ns >> c->icount_shift);
    set_virtual(c, ns, c->running);
}

void clocks_advance(struct clocks *c, int64_t n)
{
    atomic_fetch_add(&c->instructions, n);
}

int64_t clocks_next_virtual(const struct clocks *c)
{
    return c->first[CLOCK_VIRTUAL] ? c->first[CLOCK_VIRTUAL]->when : CLOCK_NEVER;
}

/* Calls what is due at `now` by a clock; the first timer that is not. */
static struct timer *fire_due(struct clocks *c, enum clock_kind kind, int64_t now)
{
    struct timer *t;
    while ((t = c->first[kind]) && t->when <= now) {
        timer_cancel(t);
        t->fire(t->opaque);
    }
    return t;
}

void clocks_dispatch_counted(struct clocks *c)
{
    fire_due(c, CLOCK_VIRTUAL, clock_now(c, CLOCK_VIRTUAL));
}

int64_t clocks_dispatch(struct clocks *c)
{
    int64_t next = CLOCK_NEVER;
    for (int kind = 0; kind < CLOCK_KINDS; kind++) {
        if (kind == CLOCK_VIRTUAL && c->icount)
            continue;
        int64_t now = clock_now(c, kind);
        struct timer *t = fire_due(c, kind, now);
        bool moves = kind != CLOCK_VIRTUAL || c->running;
        if (t && moves && (next == CLOCK_NEVER || t->when - now < next))
            next = t->when - now;
    }
    return next;
}

/* --- timers --- */

void timer_init(struct timer *t, struct clocks *c, enum clock_kind kind, void (*fire)(void *opaque), void *opaque)
{
    *t = (struct timer){.clocks = c, .kind = kind, .fire = fire, .opaque = opaque, .when = CLOCK_NEVER};
}

void timer_cancel(struct timer *t)
{
    if (!timer_is_set(t))
        return;
    struct timer **p = &t->clocks->first[t->kind];
    while (*p != t)
        p = &(*p)->next;
    *p = t->next;
    t->when = CLOCK_NEVER;
}

void timer_set(struct timer *t, int64_t when)
{
    timer_cancel(t);
    t->when = when < 0 ? 0 : when;
    struct timer **first = &t->clocks->first[t->kind], **p = first;
    while (*p && (*p)->when <= t->when)
        p = &(*p)->next;
    t->next = *p;
    *p = t;
    if (p == first)
        rearm(t->clocks);
}
