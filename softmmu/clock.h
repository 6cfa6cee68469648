/*
 * A machine's clocks and the timers on them. All times are nanoseconds.
 *
 *   CLOCK_REAL     the host's monotonic clock: runs always; for what concerns the user
 *   CLOCK_VIRTUAL  the guest's time: stands still while the machine is stopped. With `icount` it counts instructions
 *                  instead of the host's time, so that runs repeat
 *   CLOCK_HOST     the host's calendar time since 1970; for clock chips
 *
 * Reading a clock is safe in any thread. Timers belong to the machine's lock: they are set, cancelled and called under
 * it.
 */
#ifndef SOFTMMU_CLOCK_H
#define SOFTMMU_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum clock_kind { CLOCK_REAL, CLOCK_VIRTUAL, CLOCK_HOST, CLOCK_KINDS };

enum { CLOCK_NEVER = -1 };

struct timer {
    struct clocks *clocks;
    enum clock_kind kind;
    void (*fire)(void *opaque);
    void *opaque;
    int64_t when; /* CLOCK_NEVER: not set */
    struct timer *next; /* by rising time */
};

struct clocks {
    struct timer *first[CLOCK_KINDS];
    bool running;            /* the virtual clock */
    int64_t virtual_offset;  /* virtual time while stopped; running: virtual - real */
    unsigned icount_shift;   /* an instruction takes 1 << shift ns */
    bool icount;
    _Atomic int64_t instructions; /* executed, with icount, and those there was time for while nothing ran */
    unsigned sequence;       /* even: the fields above are in agreement */
    void (*rearmed)(void *opaque); /* the first deadline of a clock has changed */
    void *opaque;
};

/* Stopped, at virtual time zero. rearmed may be NULL. */
void clocks_init(struct clocks *c, void (*rearmed)(void *opaque), void *opaque);
/* From now on virtual time is (instructions << shift); before the clock runs first. */
void clocks_use_icount(struct clocks *c, unsigned shift);
void clocks_run(struct clocks *c, bool run);
/* Virtual time is set while it stands still (a snapshot is loaded). */
void clocks_set_virtual(struct clocks *c, int64_t ns);
int64_t clock_now(struct clocks *c, enum clock_kind kind);
/* With icount: n instructions have been executed. */
void clocks_advance(struct clocks *c, int64_t n);
/*
 * Calls what is due; with icount, but for virtual timers. Returns the nanoseconds until the next timer that time alone
 * makes due, or CLOCK_NEVER.
 */
int64_t clocks_dispatch(struct clocks *c);
/* With icount: calls the virtual timers that are due, by who counts the instructions. */
void clocks_dispatch_counted(struct clocks *c);
/* Virtual time of the next virtual timer, or CLOCK_NEVER. */
int64_t clocks_next_virtual(const struct clocks *c);

void timer_init(struct timer *t, struct clocks *c, enum clock_kind kind, void (*fire)(void *opaque), void *opaque);
/* One call of fire() when the clock reaches `when` (at once if it has); replaces an earlier setting. */
void timer_set(struct timer *t, int64_t when);
void timer_cancel(struct timer *t);
static inline bool timer_is_set(const struct timer *t) { return t->when != CLOCK_NEVER; }

#endif
