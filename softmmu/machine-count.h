/*
 * Counted time (-icount): processors take turns. In its turn one executes as many instructions as there is time for
 * until the next timer of the virtual clock, whose functions the processors' thread calls then, and with several
 * processors no more than a turn has. machine.c says whose turn it is. All by the processors' thread.
 */
#ifndef SOFTMMU_MACHINE_COUNT_H
#define SOFTMMU_MACHINE_COUNT_H

#include "softmmu/machine.h"

/* What has been executed since the last time is counted. */
void processor_count(struct processor *p);
/* Under the lock: a turn begins. */
void processor_grant(struct processor *p);
/* The turn ends here; may be counted later. */
void processor_yield(struct processor *p);
/* Has all of the turn been executed? */
static inline bool processor_is_over(const struct processor *p) { return p->cpu->budget <= 0; }
/* Under the lock: the turn ends no later than `ns` of virtual time, and at once where that is past. */
void processor_cut(struct processor *p, int64_t ns);
/* Under the lock, nothing can be executed: virtual time goes on to the next timer, or until `wake` is signalled. */
void machine_idle(struct machine *m, pthread_cond_t *wake);

#endif
