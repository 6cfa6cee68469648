/*
 * Threads: creation and end, locks and condition variables, thread-local storage, robust and priority-inheriting locks,
 * signals to threads, processes made and ended while threads run.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { THREADS = 8 };

/* -- creation, results, thread-local storage */

static __thread int own = 5;
static void *add_own(void *arg)
{
    own += (int)(intptr_t)arg;
    CHECK((pid_t)syscall(SYS_gettid) != getpid());
    return (void *)(intptr_t)own;
}

static void creation(void)
{
    pthread_t t[THREADS];
    for (int round = 0; round < 20; round++) {
        for (intptr_t i = 0; i < THREADS; i++)
            CHECK(pthread_create(&t[i], NULL, add_own, (void *)i) == 0);
        for (intptr_t i = 0; i < THREADS; i++) {
            void *r;
            CHECK(pthread_join(t[i], &r) == 0 && (intptr_t)r == 5 + i);
        }
    }
    CHECK(own == 5);
}

static sem_t detached_done;
static void *detached(void *arg)
{
    sem_post(&detached_done);
    return NULL;
}

static void detaching(void)
{
    pthread_attr_t a;
    pthread_t t;
    pthread_attr_init(&a);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    sem_init(&detached_done, 0, 0);
    for (int i = 0; i < 100; i++) {
        CHECK(pthread_create(&t, &a, detached, NULL) == 0);
        CHECK(sem_wait(&detached_done) == 0);
    }
}

/* -- locks */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static long counter, turn;
static uint64_t atomic_counter;
static uint8_t atomic_byte;

static void *count_up(void *arg)
{
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
        __atomic_fetch_add(&atomic_counter, 3, __ATOMIC_SEQ_CST);
        __atomic_fetch_xor(&atomic_byte, (uint8_t)i, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void *take_turns(void *arg)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != (intptr_t)arg)
            pthread_cond_wait(&turn_changed, &lock);
        turn++;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void run_all(void *(*fn)(void *))
{
    pthread_t t[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, fn, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
}

static void locks(void)
{
    run_all(count_up);
    CHECK(counter == 5000 * THREADS && atomic_counter == 3 * 5000 * THREADS && atomic_byte == 0);
    run_all(take_turns);
    CHECK(turn == 200 * THREADS);
}

/* -- locks whose owner dies or is waited for */

static pthread_mutex_t robust;
static void *die_with_lock(void *arg)
{
    pthread_mutex_lock(&robust);
    return NULL;
}

static void *hold_lock(void *arg)
{
    pthread_mutex_lock(arg);
    sem_post(&detached_done);
    usleep(20000);
    pthread_mutex_unlock(arg);
    return NULL;
}

static sem_t let_go;
static void *hold_lock_until_told(void *arg)
{
    pthread_mutex_lock(arg);
    sem_post(&detached_done);
    sem_wait(&let_go);
    pthread_mutex_unlock(arg);
    return NULL;
}

static void special_locks(void)
{
    pthread_mutexattr_t a;
    pthread_t t;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &a);
    for (int i = 0; i < 20; i++) {
        pthread_create(&t, NULL, die_with_lock, NULL);
        CHECK(pthread_mutex_lock(&robust) == 0 || pthread_mutex_consistent(&robust) == 0);
        pthread_mutex_unlock(&robust);
        pthread_join(t, NULL);
        int r = pthread_mutex_lock(&robust);
        CHECK(r == 0 || r == EOWNERDEAD);
        if (r)
            CHECK(pthread_mutex_consistent(&robust) == 0);
        CHECK(pthread_mutex_unlock(&robust) == 0);
    }
    pthread_create(&t, NULL, die_with_lock, NULL);
    pthread_join(t, NULL);
    CHECK(pthread_mutex_lock(&robust) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(&robust) == 0 && pthread_mutex_unlock(&robust) == 0);

    pthread_mutex_t pi;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    CHECK(pthread_mutex_init(&pi, &a) == 0);
    for (int i = 0; i < 5; i++) {
        pthread_create(&t, NULL, hold_lock, &pi);
        sem_wait(&detached_done);
        CHECK(pthread_mutex_lock(&pi) == 0 && pthread_mutex_unlock(&pi) == 0);
        pthread_join(t, NULL);
    }
    struct timespec past;
    sem_init(&let_go, 0, 0);
    pthread_create(&t, NULL, hold_lock_until_told, &lock);
    sem_wait(&detached_done);
    clock_gettime(CLOCK_REALTIME, &past);
    CHECK(pthread_mutex_timedlock(&lock, &past) == ETIMEDOUT);
    sem_post(&let_go);
    pthread_join(t, NULL);
}

/* -- signals to threads */

static __thread volatile int got;
static volatile int caught_in_all;
static void count_signal(int signo)
{
    got++;
    __atomic_fetch_add(&caught_in_all, 1, __ATOMIC_SEQ_CST);
}

static void *spin(void *arg)
{
    volatile long n = 0;
    while (got < 50)
        n++;
    return (void *)(intptr_t)got;
}

static void *sleeper(void *arg)
{
    struct timespec long_time = {1000, 0};
    while (got < 50)
        nanosleep(&long_time, NULL);
    return (void *)(intptr_t)got;
}

static void signal_until_done(void *(*fn)(void *))
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&t[i], NULL, fn, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        void *r;
        struct timespec soon = {0, 100000};
        struct timespec until;
        do {
            pthread_kill(t[i], SIGUSR1);
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_nsec += soon.tv_nsec;
            if (until.tv_nsec >= 1000000000)
                until.tv_sec++, until.tv_nsec -= 1000000000;
        } while (pthread_timedjoin_np(t[i], &r, &until) == ETIMEDOUT);
        CHECK((intptr_t)r >= 50);
    }
}

static void thread_signals(void)
{
    struct sigaction a = {.sa_handler = count_signal};
    sigaction(SIGUSR1, &a, NULL);
    signal_until_done(spin);
    signal_until_done(sleeper);

    /* Blocked here, a signal to the process goes to the thread that takes it. */
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &s, NULL);
    got = 0;
    kill(getpid(), SIGUSR1);
    int signo = 0;
    CHECK(sigwait(&s, &signo) == 0 && signo == SIGUSR1 && got == 0);
    pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}

/* Queued signals to the process are caught exactly once each, by whichever thread, while threads come and go. */
static volatile int values_seen[500];
static void see_value(int signo, siginfo_t *info, void *uc)
{
    __atomic_fetch_add(&values_seen[info->si_value.sival_int], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&caught_in_all, 1, __ATOMIC_SEQ_CST);
}

static void *short_life(void *arg)
{
    for (volatile int i = 0; i < 20000; i++)
        ;
    return NULL;
}

static bool queue_ended;
static void *come_and_go(void *arg)
{
    while (!__atomic_load_n(&queue_ended, __ATOMIC_SEQ_CST)) {
        pthread_t t;
        CHECK(pthread_create(&t, NULL, short_life, NULL) == 0 && pthread_join(t, NULL) == 0);
    }
    return NULL;
}

static void queued_signals(void)
{
    enum { SENT = sizeof values_seen / sizeof *values_seen };
    struct sigaction a = {.sa_sigaction = see_value, .sa_flags = SA_SIGINFO | SA_RESTART};
    pthread_t t[3];
    sigaction(SIGRTMIN + 3, &a, NULL);
    caught_in_all = 0;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&t[i], NULL, come_and_go, NULL) == 0);
    for (int i = 0; i < SENT; i++) {
        while (sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i}))
            CHECK(errno == EAGAIN);
        if (i % 7 == 0)
            sched_yield();
    }
    for (int i = 0; i < 5000 && caught_in_all < SENT; i++)
        usleep(1000);
    __atomic_store_n(&queue_ended, true, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    CHECK(caught_in_all == SENT);
    for (int i = 0; i < SENT; i++)
        CHECK(values_seen[i] == 1);
}

/* -- cancellation: the C library's own real-time signals */

static volatile bool cleaned;
static void clean(void *arg) { cleaned = true; }
static void *wait_for_ever(void *arg)
{
    pthread_cleanup_push(clean, NULL);
    sem_post(&detached_done);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

static void *compute_for_ever(void *arg)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    sem_post(&detached_done);
    for (volatile long n = 0;; n++)
        ;
    return NULL;
}

static void cancellation(void)
{
    for (int i = 0; i < 10; i++) {
        pthread_t t;
        void *r;
        cleaned = false;
        pthread_create(&t, NULL, i % 2 ? compute_for_ever : wait_for_ever, NULL);
        sem_wait(&detached_done);
        CHECK(pthread_cancel(t) == 0 && pthread_join(t, &r) == 0 && r == PTHREAD_CANCELED);
        CHECK(i % 2 || cleaned);
    }
}

static void *set_ids(void *arg)
{
    CHECK(setgid(getgid()) == 0 && setuid(getuid()) == 0); /* every thread is asked by a signal */
    return NULL;
}

/* -- fork and threads */

static void *fork_and_wait(void *arg)
{
    for (int i = 0; i < 10; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            own = 77;
            pthread_t t;
            void *r = NULL;
            if (pthread_create(&t, NULL, add_own, (void *)1) || pthread_join(t, &r) || (intptr_t)r != 6)
                _exit(1);
            _exit((int)syscall(SYS_gettid) == getpid() && own == 77 ? 33 : 2);
        }
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 33);
    }
    return NULL;
}

/* The first thread may end before the others; the process goes on. */
static void *end_process(void *arg)
{
    usleep(20000);
    _exit(44);
}

static void *end_silently(void *arg)
{
    usleep(20000);
    syscall(SYS_exit, 45);
    return NULL;
}

static void first_thread_ends(void)
{
    int status;
    pthread_t t;
    pid_t pid = fork();
    if (pid == 0) {
        pthread_create(&t, NULL, end_process, NULL);
        pthread_exit(NULL);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 44);
    pid = fork();
    if (pid == 0) {
        pthread_create(&t, NULL, end_silently, NULL);
        syscall(SYS_exit, 46);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 45 || WEXITSTATUS(status) == 46); /* of the last or the first thread, by the kernel's age */
    pid = fork();
    if (pid == 0) {
        pthread_create(&t, NULL, wait_for_ever, NULL);
        pthread_create(&t, NULL, compute_for_ever, NULL);
        _exit(47); /* with threads running */
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 47);
    pid = fork();
    if (pid == 0) {
        pthread_create(&t, NULL, compute_for_ever, NULL);
        raise(SIGKILL);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A thread executes a program: the others end, and it becomes the first. */
static char self[4096];
static void *execute(void *arg)
{
    execl(self, self, "executed", NULL);
    _exit(99);
}

static void exec_from_thread(void)
{
    int status;
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        pthread_create(&t, NULL, compute_for_ever, NULL);
        pthread_create(&t, NULL, execute, NULL);
        wait_for_ever(NULL);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 48);
}

/* The C library's own signals reach threads from the first one's start on. */
static void ids_first(void)
{
    for (int i = 0; i < 8; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            execl(self, self, "ids", NULL);
            _exit(99);
        }
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 49);
    }
}

/* -- bare clone and clone3, without the C library's thread */

static volatile int bare_ran;
static int bare_words[2];
static int bare(void *arg)
{
    bare_ran = (int)(intptr_t)arg;
    return 0;
}

static void bare_threads(void)
{
    enum { SIZE = 64 << 10 };
    char *stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    for (int i = 1; i <= 20; i++) {
        bare_words[0] = 0;
        bare_words[1] = -1;
        int tid = clone(bare, stack + SIZE, flags | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, (void *)(intptr_t)i,
                        &bare_words[0], NULL, &bare_words[1]);
        CHECK(tid > 0 && bare_words[0] == tid);
        while (__atomic_load_n(&bare_words[1], __ATOMIC_ACQUIRE))
            syscall(SYS_futex, &bare_words[1], 0 /* FUTEX_WAIT */, -1, NULL, NULL, 0);
        CHECK(bare_ran == i);
        while (syscall(SYS_tgkill, getpid(), tid, 0) == 0) /* its last steps in the kernel */
            sched_yield();
        FAILS(syscall(SYS_tgkill, getpid(), tid, 0), ESRCH);
    }
    FAILS(clone(bare, stack + SIZE, CLONE_THREAD | CLONE_VM, NULL), EINVAL);
    FAILS(clone(bare, stack + SIZE, CLONE_SIGHAND, NULL), EINVAL);
    FAILS(syscall(SYS_clone3, NULL, 8), EINVAL);
    FAILS(syscall(SYS_clone3, BAD_POINTER, 64), EFAULT);
    munmap(stack, SIZE);
}

/* -- memory that changes under running threads */

static void *map_and_unmap(void *arg)
{
    for (int i = 0; i < 200; i++) {
        size_t size = 4096u * (1 + (unsigned)i % 7);
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(p != MAP_FAILED);
        p[0] = p[size - 1] = 1;
        CHECK(mprotect(p, 4096, PROT_READ) == 0 && p[0] == 1);
        CHECK(munmap(p, size) == 0);
        free(memset(malloc(100 + (unsigned)i * 50), 1, 100));
    }
    return NULL;
}

/* Once a thread has asked for the process's end the others get no further. */
static atomic_int ending;
static void *kills_at_the_end(void *arg)
{
    struct timespec from, now;
    while (!ending)
        ;
    clock_gettime(CLOCK_MONOTONIC, &from);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000000000L + now.tv_nsec - from.tv_nsec < 100000);
    kill(getpid(), SIGKILL);
    return arg;
}

static void end_of_all(void)
{
    enum { ROUNDS = 40, EXPECTED = 30 }; /* the one that ends it may be made to wait in front of that */
    int ended = 0, status;
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t t;
            pthread_create(&t, NULL, kills_at_the_end, NULL);
            sched_yield();
            ending = 1;
            _exit(7);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        ended += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    }
    CHECK(ended >= EXPECTED);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "ids")) {
        run_all(set_ids);
        return failures ? 1 : 49;
    }
    if (argc == 2)
        return !strcmp(argv[1], "executed") && (pid_t)syscall(SYS_gettid) == getpid() ? 48 : 1;
    creation();
    detaching();
    locks();
    special_locks();
    thread_signals();
    queued_signals();
    cancellation();
    run_all(set_ids);
    run_all(fork_and_wait);
    end_of_all();
    first_thread_ends();
    exec_from_thread();
    ids_first();
    bare_threads();
    run_all(map_and_unmap);

    DONE();
}
