/*
 * Counted time (-icount): a processor executes as many instructions as there is time for until the next timer of the virtual
 * clock, whose functions its own thread calls then. All by the processor's thread.
 */
#ifndef SOFTMMU_MACHINE_COUNT_H
#define SOFTMMU_MACHINE_COUNT_H

#include "softmmu/machine.h"

/* What has been executed since the last time is counted. */
void processor_count(struct processor *p);
/* Before instructions are executed: if the budget is used up, or processor.renew, calls what is due and gives another one. */
void processor_renew(struct processor *p);
/* Under the lock: the budget ends no later than `ns` of virtual time, and at once where that is past. */
void processor_cut(struct processor *p, int64_t ns);
/* Under the lock, nothing can be executed: virtual time goes on to the next timer, or until the processor is woken. */
void processor_idle(struct processor *p);

#endif
