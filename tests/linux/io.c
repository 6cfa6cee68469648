/* Waiting: poll, select, epoll (whose event struct differs between architectures), eventfd, timerfd, signalfd. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t got;
static void on_signal(int s) { got = s; }

static void polls(void)
{
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    struct pollfd f[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    CHECK(poll(f, 2, 0) == 1 && f[1].revents == POLLOUT && f[0].revents == 0);
    CHECK(write(p[1], "x", 1) == 1);
    CHECK(poll(f, 2, -1) == 2 && f[0].revents == POLLIN);
    fd_set r;
    FD_ZERO(&r);
    FD_SET(p[0], &r);
    struct timeval tv = {0, 0};
    CHECK(select(p[0] + 1, &r, NULL, NULL, &tv) == 1 && FD_ISSET(p[0], &r));
    CHECK(read(p[0], &c, 1) == 1);
    FD_SET(p[0], &r);
    struct timespec ts = {0, 1000000};
    CHECK(pselect(p[0] + 1, &r, NULL, NULL, &ts, NULL) == 0 && !FD_ISSET(p[0], &r));
    close(p[1]);
    CHECK(poll(f, 1, -1) == 1 && f[0].revents == POLLHUP);
    FAILS(ppoll(BAD_POINTER, 2, &ts, NULL), EFAULT);
}

/* A blocked signal that is let in by the wait's mask ends it with EINTR and runs its handler. */
static void masked_waits(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t block, old;
    struct epoll_event e;
    sigaction(SIGUSR1, &sa, NULL);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, &old);
    struct timespec ts = {5, 0};
    got = 0;
    raise(SIGUSR1);
    CHECK(got == 0);
    FAILS(ppoll(NULL, 0, &ts, &old), EINTR);
    CHECK(got == SIGUSR1);
    got = 0;
    raise(SIGUSR1);
    FAILS(pselect(0, NULL, NULL, NULL, &ts, &old), EINTR);
    CHECK(got == SIGUSR1);
    int ep = epoll_create1(0);
    got = 0;
    raise(SIGUSR1);
    FAILS(epoll_pwait(ep, &e, 1, 5000, &old), EINTR);
    CHECK(got == SIGUSR1);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void epolls(void)
{
    struct epoll_event e[100];
    int ep = epoll_create1(EPOLL_CLOEXEC), ev[3];
    CHECK(ep >= 0);
    for (int i = 0; i < 3; i++) {
        ev[i] = eventfd(0, EFD_NONBLOCK);
        struct epoll_event in = {.events = EPOLLIN, .data.u64 = 0x1122334455667700u + (unsigned)i};
        CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, ev[i], &in) == 0);
        FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ev[i], &in), EEXIST);
    }
    CHECK(epoll_wait(ep, e, 100, 0) == 0);
    CHECK(eventfd_write(ev[0], 5) == 0 && eventfd_write(ev[2], 7) == 0);
    CHECK(epoll_wait(ep, e, 100, -1) == 2);
    CHECK(e[0].events == EPOLLIN && e[1].events == EPOLLIN);
    CHECK((e[0].data.u64 | 2) == 0x1122334455667702u && e[0].data.u64 + e[1].data.u64 == 2 * 0x1122334455667700u + 2);
    eventfd_t v;
    CHECK(eventfd_read(ev[0], &v) == 0 && v == 5);
    CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, ev[2], NULL) == 0);
    CHECK(epoll_wait(ep, e, 1, 0) == 0);
    FAILS(epoll_wait(ep, e, 0, 0), EINVAL);
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ev[2], BAD_POINTER), EFAULT);
}

static void fds_for_time_and_signals(void)
{
    struct itimerspec it = {{0, 0}, {0, 1000000}}, left;
    uint64_t n;
    int tfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    CHECK(timerfd_settime(tfd, 0, &it, NULL) == 0);
    CHECK(timerfd_gettime(tfd, &left) == 0 && left.it_value.tv_nsec <= 1000000);
    CHECK(read(tfd, &n, 8) == 8 && n == 1);
    sigset_t set;
    struct signalfd_siginfo si;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int sfd = signalfd(-1, &set, SFD_NONBLOCK);
    FAILS(read(sfd, &si, sizeof si), EAGAIN);
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 42});
    CHECK(read(sfd, &si, sizeof si) == sizeof si && si.ssi_signo == SIGUSR2 && si.ssi_int == 42);
    CHECK(si.ssi_pid == (uint32_t)getpid() && si.ssi_code == SI_QUEUE);
}

static int wake_pipe[2];
static int interrupted, restarts; /* no more signals are needed; the read goes on after them */
/* Some come when the call waits, however long the thread takes to get there. */
static void *waker(void *main_thread)
{
    enum { MANY = 20, PATIENCE = 10000 };
    for (int i = 0; i < (restarts ? MANY : PATIENCE) && !__atomic_load_n(&interrupted, __ATOMIC_SEQ_CST); i++) {
        usleep(1000);
        pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    }
    return write(wake_pipe[1], "z", 1) == 1 ? NULL : main_thread;
}

/* read() restarts under SA_RESTART and returns EINTR without. */
static void restart(int flags, int expect)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};
    pthread_t self = pthread_self(), th;
    char c = 0;
    sigaction(SIGUSR1, &sa, NULL);
    CHECK(pipe(wake_pipe) == 0);
    got = 0;
    interrupted = 0;
    restarts = expect;
    pthread_create(&th, NULL, waker, &self);
    errno = 0;
    ssize_t n = read(wake_pipe[0], &c, 1);
    __atomic_store_n(&interrupted, 1, __ATOMIC_SEQ_CST);
    CHECK(expect ? n == 1 && c == 'z' : n == -1);
    CHECK(got == SIGUSR1);
    pthread_join(th, NULL);
}

int main(void)
{
    polls();
    masked_waits();
    epolls();
    fds_for_time_and_signals();
    restart(SA_RESTART, 1);
    restart(0, 0);
    DONE();
}
