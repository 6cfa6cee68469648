/*
 * threads SECONDS: 32 threads pass tokens through mutexes and condition variables, count with atomics, take signals,
 * allocate, and come and go, until the time is over. Prints "right" if every count agrees.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 32, RING = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static long ring[RING], head, tail, put_sum, got_sum, guarded[2];
static atomic_long counted, wanted, signals_taken, signals_sent, short_lived;
static atomic_bool stop;
static _Thread_local long mine;

static void taken(int sig)
{
    (void)sig;
    int e = errno;
    atomic_fetch_add(&signals_taken, 1);
    mine++;
    errno = e;
}

static void *brief(void *arg)
{
    long *v = malloc(64);
    *v = (long)arg;
    mine = *v;
    free(v);
    return (void *)mine;
}

static void *producer(void *arg)
{
    for (long i = (long)arg; !stop; i += THREADS) {
        pthread_mutex_lock(&lock);
        while (head - tail == RING && !stop)
            pthread_cond_wait(&emptied, &lock);
        if (head - tail < RING) {
            ring[head++ % RING] = i;
            put_sum += i;
            pthread_cond_signal(&filled);
        }
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void *consumer(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    while (!stop || head != tail) {
        if (head == tail) {
            struct timespec t;
            clock_gettime(CLOCK_REALTIME, &t);
            t.tv_nsec += 10000000;
            if (t.tv_nsec >= 1000000000)
                t.tv_sec++, t.tv_nsec -= 1000000000;
            pthread_cond_timedwait(&filled, &lock, &t);
            continue;
        }
        got_sum += ring[tail++ % RING];
        pthread_cond_signal(&emptied);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void *counter(void *arg)
{
    unsigned seed = (long)arg;
    while (!stop) {
        long before = mine, n = rand_r(&seed) % 1000;
        for (long i = 0; i < n; i++)
            atomic_fetch_add(&counted, 1);
        atomic_fetch_add(&wanted, n);
        if (mine < before)
            abort();
        pthread_rwlock_wrlock(&rw);
        guarded[0]++;
        guarded[1]--;
        pthread_rwlock_unlock(&rw);
        pthread_rwlock_rdlock(&rw);
        if (guarded[0] + guarded[1])
            abort();
        pthread_rwlock_unlock(&rw);
        pthread_t t;
        void *result;
        if (pthread_create(&t, NULL, brief, (void *)n) || pthread_join(t, &result) || result != (void *)n)
            abort();
        atomic_fetch_add(&short_lived, 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t t[THREADS];
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
    struct sigaction action = {.sa_handler = taken, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    void *(*const kinds[4])(void *) = {producer, consumer, counter, counter};
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&t[i], NULL, kinds[i % 4], (void *)i))
            abort();
    while (time(NULL) < end) {
        for (int i = 0; i < THREADS; i++)
            if (!pthread_kill(t[i], SIGUSR1))
                atomic_fetch_add(&signals_sent, 1);
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
    }
    stop = true;
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&emptied);
    pthread_cond_broadcast(&filled);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    while (tail != head) /* put after the consumers had left */
        got_sum += ring[tail++ % RING];
    bool right = counted == wanted && put_sum == got_sum && signals_taken > 0 && signals_taken <= signals_sent && short_lived > 0;
    if (!right)
        printf("counted %ld of %ld, sums %ld %ld, signals %ld of %ld\n", counted, wanted, put_sum, got_sum, signals_taken,
               signals_sent);
    puts(right ? "right" : "wrong");
    return !right;
}
