/*
 * A machine: memory, clocks, processors, and the lock that everything but the processors' own work is done under
 * (docs/design/system.rst). A board fills it; any number can live in a process.
 */
#ifndef SOFTMMU_MACHINE_H
#define SOFTMMU_MACHINE_H

#include <pthread.h>

#include "softmmu/clock.h"
#include "softmmu/memory.h"
#include "softmmu/runstate.h"
#include "softmmu/tlb.h"

enum { MACHINE_MAX_PROCESSORS = 64 };

/* A host thread, and the processors that it executes: one, or with icount all of them, by turns. */
struct processor_thread {
    struct machine *machine;
    unsigned first, n, at;  /* the machine's processors [first, first + n); `first + at` has its turn, or had it last */
    _Atomic bool renew;     /* with icount: another thread has set a timer */
    pthread_t thread;
    int tid;                /* the host's number of it */
    pthread_cond_t wake;    /* with the machine's lock */
    bool started, parked;
};

struct machine {
    pthread_mutex_t lock;
    struct mem_space memory;
    struct clocks clocks;
    struct exec *exec;
    struct processor *processor[MACHINE_MAX_PROCESSORS];
    struct processor_thread thread[MACHINE_MAX_PROCESSORS];
    unsigned nprocessors, nthreads;
    bool idle_skips;          /* with icount: while nothing runs, virtual time does not wait for the host's */
    bool running;             /* under the lock */
    _Atomic bool stop, ended; /* processors are to park, to end */
    pthread_cond_t parked;    /* a processor has parked */
    enum run_state state;    /* runstate.h: RUN_STATE_RUNNING just when `running` */
    struct machine_listener *listeners;
    struct machine_requests requests;
    /* Wakes the main loop: a timer comes earlier, or there is a request. From any thread under the lock. */
    void (*notify)(void *opaque);
    void *opaque;
};

/*
 * A stopped machine with processors of the target, at reset, in threads that wait. False, errno set, without memory.
 * exec_options.counted goes with clocks_use_icount(), and then all of them are one thread's.
 */
bool machine_init(struct machine *m, const struct target *t, unsigned nprocessors, const struct exec_options *o);
/* Ends the threads and frees everything but what boards and devices have put into the memory map. */
void machine_free(struct machine *m);

void machine_lock(struct machine *m);
void machine_unlock(struct machine *m);
/* Is the calling thread a processor's? */
bool machine_on_processor(void);

/* Under the lock. Stopping waits until every processor has parked. Who wants others to know: runstate.h. */
void machine_run(struct machine *m);
void machine_stop(struct machine *m);
/* Under the lock, stopped: processors at reset, with what was translated for them forgotten. */
void machine_reset_processors(struct machine *m);
/* Under the lock: the main loop takes its next turn at once. */
void machine_wake(struct machine *m);

/*
 * With icount, by a processor's thread, else nothing: the virtual clock is brought up to the instruction that is being
 * executed.
 */
void machine_count(struct machine *m);

/* The processor looks at its interrupts again, waiting or not. Under the lock. */
void processor_kick(struct processor *p);

#endif
