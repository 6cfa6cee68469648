/*
 * A lock in memory that several processes may share (vfork, clone with CLONE_VM), and a condition to go with it. Two
 * things happen there that the C library's are not made for: the holder is stopped by a debugger that itself wants the
 * lock, and the holder is killed while the others go on.
 */
#ifndef BASE_SHARED_LOCK_H
#define BASE_SHARED_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct shared_lock {
    uint64_t holder; /* 0, or the address of its thread's own variables and, in bit 0, whether others may be waiting */
    void (*attend)(void); /* called again and again by a thread that waits, or NULL */
};

/* All zero is ready. */
struct shared_condition {
    uint32_t changes;
};

void shared_lock_init(struct shared_lock *l, void (*attend)(void));
void shared_lock_take(struct shared_lock *l);
void shared_lock_give(struct shared_lock *l);
/* Gives the lock away until somebody tells of a change or ns nanoseconds have passed; also returns for no reason. */
void shared_lock_wait(struct shared_lock *l, struct shared_condition *c, uint64_t ns);
/* To all who wait for it. */
void shared_condition_tell(struct shared_condition *c);
/*
 * By the thread that waited for a child, which had the thread's own variables: takes over the lock that the child died
 * with. False: it held none.
 */
bool shared_lock_inherit(struct shared_lock *l);

#endif
