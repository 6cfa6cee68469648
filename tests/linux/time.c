/* Clocks, sleeps that signals interrupt, interval and POSIX timers. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t count, value;
static void on_alarm(int s) { count++; }
static void on_timer(int s, siginfo_t *si, void *uc)
{
    count++;
    value = si->si_value.sival_int;
}

static double now(clockid_t c)
{
    struct timespec ts;
    CHECK(clock_gettime(c, &ts) == 0 && ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

int main(void)
{
    struct timespec ts, rem = {-1, -1};
    struct timeval tv;
    double a = now(CLOCK_MONOTONIC);
    CHECK(now(CLOCK_REALTIME) > 1.6e9);
    CHECK(gettimeofday(&tv, NULL) == 0 && tv.tv_sec - time(NULL) <= 1);
    CHECK(clock_getres(CLOCK_MONOTONIC, &ts) == 0 && ts.tv_sec == 0);
    FAILS(clock_gettime(1000, &ts), EINVAL);
    CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= 0 && now(CLOCK_THREAD_CPUTIME_ID) >= 0 && now(CLOCK_BOOTTIME) > 0);
    ts = (struct timespec){0, 20000000};
    CHECK(nanosleep(&ts, NULL) == 0);
    CHECK(now(CLOCK_MONOTONIC) - a >= 0.02);
    ts.tv_nsec = 2000000000;
    FAILS(nanosleep(&ts, NULL), EINVAL);

    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &sa, NULL);
    struct itimerval it = {{0, 0}, {0, 200000}}, old; /* long enough to wait by then */
    CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0 && getitimer(ITIMER_REAL, &old) == 0 && old.it_value.tv_usec > 0);
    ts = (struct timespec){5, 0};
    FAILS(nanosleep(&ts, &rem), EINTR);
    CHECK(count == 1 && rem.tv_sec == 4 && rem.tv_nsec > 0);
    setitimer(ITIMER_REAL, &it, NULL);
    ts = (struct timespec){5, 0};
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &rem) == EINTR && count == 2);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += 10000000;
    ts.tv_sec += ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0);

    struct sigaction st = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN + 1, &st, NULL);
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 77};
    timer_t id;
    struct itimerspec its = {{0, 0}, {0, 200000000}}, left;
    count = 0;
    CHECK(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0);
    CHECK(timer_settime(id, 0, &its, NULL) == 0 && timer_gettime(id, &left) == 0 && left.it_value.tv_nsec > 0);
    ts = (struct timespec){5, 0};
    FAILS(nanosleep(&ts, NULL), EINTR);
    CHECK(count == 1 && value == 77 && timer_getoverrun(id) == 0 && timer_delete(id) == 0);
    FAILS(timer_delete((timer_t)(long)9999), EINVAL);

    struct timex tx = {0};
    struct tms tm;
    CHECK(adjtimex(&tx) >= 0 && tx.time.tv_sec > 1000000000);
    CHECK(times(&tm) != (clock_t)-1);
    DONE();
}
