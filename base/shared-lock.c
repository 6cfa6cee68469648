/* See shared-lock.h; futex(2). One word says who holds the lock: there is no moment at which that is unknown. */
#define _GNU_SOURCE
#include "base/shared-lock.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"

enum {
    WAITED_FOR = 1,
    SPINS = 100,
    PATIENCE_NS = 5000000, /* for the holder, or for one who died in front of waking somebody */
    SECOND_NS = 1000000000,
};

static _Thread_local uint64_t own;

static uint64_t self(void) { return (uintptr_t)&own; }

/* Compares the low half, which is the first one on all hosts. */
static void wait_while(const void *word, uint32_t value, uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / SECOND_NS), (long)(ns % SECOND_NS)};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &t, NULL, 0);
}

static void wake(const void *word, int n) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0); }

void shared_lock_init(struct shared_lock *l, void (*attend)(void))
{
    l->attend = attend;
    __atomic_store_n(&l->holder, 0, __ATOMIC_SEQ_CST);
}

static bool try(struct shared_lock *l, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&l->holder, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void take_slowly(struct shared_lock *l)
{
    for (unsigned i = 0; i < SPINS; i++) {
        if (!__atomic_load_n(&l->holder, __ATOMIC_RELAXED) && try(l, 0, self()))
            return;
    }
    while (!try(l, 0, self() | WAITED_FOR)) { /* others may be waiting still */
        uint64_t seen = __atomic_load_n(&l->holder, __ATOMIC_RELAXED);
        if (!seen || !try(l, seen, seen | WAITED_FOR))
            continue;
        wait_while(&l->holder, (uint32_t)(seen | WAITED_FOR), PATIENCE_NS);
        if (__atomic_load_n(&l->holder, __ATOMIC_RELAXED) == (seen | WAITED_FOR) && l->attend)
            l->attend();
    }
}

void shared_lock_take(struct shared_lock *l)
{
    if (UNLIKELY(!try(l, 0, self())))
        take_slowly(l);
}

void shared_lock_give(struct shared_lock *l)
{
    if (UNLIKELY(__atomic_exchange_n(&l->holder, 0, __ATOMIC_ACQ_REL) & WAITED_FOR))
        wake(&l->holder, 1);
}

void shared_lock_wait(struct shared_lock *l, struct shared_condition *c, uint64_t ns)
{
    uint32_t seen = __atomic_load_n(&c->changes, __ATOMIC_SEQ_CST);
    shared_lock_give(l);
    wait_while(&c->changes, seen, ns);
    shared_lock_take(l);
}

void shared_condition_tell(struct shared_condition *c)
{
    __atomic_fetch_add(&c->changes, 1, __ATOMIC_SEQ_CST);
    wake(&c->changes, INT_MAX);
}

bool shared_lock_inherit(struct shared_lock *l)
{
    return (__atomic_load_n(&l->holder, __ATOMIC_ACQUIRE) & ~(uint64_t)WAITED_FOR) == self();
}
