/* base/shared-lock.h: threads that want it at once, one that attends, a child that dies with it; and its condition. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/shared-lock.h"

enum { THREADS = 4, ROUNDS = 50000, SECOND_NS = 1000000000 };

static struct shared_lock lock;
static struct shared_condition changed;
static long counter, waiting_for;
static int attended;

static void *count(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        shared_lock_take(&lock);
        counter++;
        if (i % 64 == 0) {
            sched_yield(); /* somebody comes to wait */
            shared_condition_tell(&changed);
        }
        shared_lock_give(&lock);
    }
    return arg;
}

Test(lock, one_at_a_time)
{
    pthread_t t[THREADS];
    shared_lock_init(&lock, NULL);
    for (int i = 0; i < THREADS; i++)
        cr_assert(!pthread_create(&t[i], NULL, count, NULL));
    shared_lock_take(&lock);
    while (counter < (long)THREADS * ROUNDS)
        shared_lock_wait(&lock, &changed, SECOND_NS / 100);
    shared_lock_give(&lock);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    cr_expect_eq(counter, (long)THREADS * ROUNDS);
    cr_expect(!shared_lock_inherit(&lock));
}

/* The holder goes on only when the one who waits has seen to it. */
static void attend(void)
{
    if (++attended == 2)
        __atomic_store_n(&waiting_for, 0, __ATOMIC_SEQ_CST);
}

static void *hold(void *arg)
{
    shared_lock_take(&lock);
    __atomic_store_n(&waiting_for, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&waiting_for, __ATOMIC_SEQ_CST))
        sched_yield();
    shared_lock_give(&lock);
    return arg;
}

Test(lock, attends)
{
    pthread_t t;
    shared_lock_init(&lock, attend);
    cr_assert(!pthread_create(&t, NULL, hold, NULL));
    while (!__atomic_load_n(&waiting_for, __ATOMIC_SEQ_CST))
        sched_yield();
    shared_lock_take(&lock);
    cr_expect(attended >= 2 && shared_lock_inherit(&lock));
    shared_lock_give(&lock);
    pthread_join(t, NULL);
}

static int die(void *holds)
{
    if (holds)
        shared_lock_take(&lock);
    raise(SIGKILL);
    return 1;
}

/* As vfork(2): the child has the variables of the thread that waits. */
Test(lock, outlives_its_holder)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    shared_lock_init(&lock, NULL);
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t pid = clone(die, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, i ? &lock : NULL);
        cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
        cr_expect_eq(shared_lock_inherit(&lock), i);
    }
    shared_lock_give(&lock);
    shared_lock_take(&lock);
}
