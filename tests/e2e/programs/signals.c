/* Signals' fine print: order of real-time signals, masks, restarts, timers, waiting, signalfd, inheritance. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t order[16], n;
static sigjmp_buf back;

static void note(int sig, siginfo_t *info, void *context)
{
    (void)context;
    order[n++ & 15] = info->si_code == SI_QUEUE ? info->si_value.sival_int : sig;
}

static void jump(int sig)
{
    siglongjmp(back, sig);
}

static void handle(int sig, int flags)
{
    struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
    sigaction(sig, &a, NULL);
}

static void show(const char *what)
{
    printf("%s:", what);
    for (int i = 0; i < n; i++)
        printf(" %d", (int)order[i]);
    puts("");
    n = 0;
}

int main(void)
{
    sigset_t set, old;
    int fd[2], status;
    char c;

    setvbuf(stdout, NULL, _IOLBF, 0);
    handle(SIGRTMIN + 1, 0);
    handle(SIGRTMIN + 2, 0);
    handle(SIGUSR1, 0);
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int i = 0; i < 3; i++) {
        sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 200 + i});
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 100 + i});
        kill(getpid(), SIGUSR1);
    }
    /* A real-time signal's handler blocks all. SIGUSR1's frame is made first and the others' on top: it runs last. */
    struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO, .sa_mask = set};
    sigaction(SIGRTMIN + 1, &a, NULL);
    sigaction(SIGRTMIN + 2, &a, NULL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    show("queued");

    handle(SIGALRM, 0);
    if (pipe(fd))
        return 1;
    struct itimerval t = {.it_value = {0, 20000}}, off = {0};
    setitimer(ITIMER_REAL, &t, NULL);
    ssize_t got = read(fd[0], &c, 1);
    printf("read without SA_RESTART: %zd %s\n", got, errno == EINTR ? "EINTR" : "other");
    show("alarm");
    handle(SIGALRM, SA_RESTART);
    pid_t pid = fork();
    if (!pid) {
        usleep(60000);
        _exit(write(fd[1], "x", 1) == 1 ? 5 : 6);
    }
    setitimer(ITIMER_REAL, &t, NULL);
    got = read(fd[0], &c, 1);
    printf("read with SA_RESTART: %zd %c\n", got, c);
    show("alarm");
    waitpid(pid, &status, 0);
    printf("child: %d\n", WEXITSTATUS(status));
    setitimer(ITIMER_REAL, &off, NULL);

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR2);
    siginfo_t info;
    struct timespec zero = {0, 0};
    int first = sigtimedwait(&set, &info, &zero), second = sigtimedwait(&set, &info, &zero);
    printf("sigtimedwait: %d then %d %s\n", first, second, errno == EAGAIN ? "EAGAIN" : "other");
    int sfd = signalfd(-1, &set, 0);
    struct signalfd_siginfo si;
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77});
    got = read(sfd, &si, sizeof si);
    printf("signalfd: %zd signal %u value %d\n", got, si.ssi_signo, si.ssi_int);

    signal(SIGSEGV, jump);
    for (volatile int i = 0; i < 1000; i++)
        if (!sigsetjmp(back, 1)) {
            volatile int *volatile nowhere = NULL;
            *nowhere = i;
        }
    puts("1000 faults survived");

    handle(SIGCHLD, 0);
    pid = fork();
    if (!pid) {
        signal(SIGTERM, SIG_DFL);
        for (;;)
            pause();
    }
    kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    printf("child died by %d\n", WTERMSIG(status));
    show("SIGCHLD");

    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 5};
    handle(SIGRTMIN + 2, 0);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec when = {.it_value = {0, 5000000}};
    timer_settime(timer, 0, &when, NULL);
    while (!n)
        pause();
    n = 1;
    printf("timer: %s\n", order[0] == SIGRTMIN + 2 ? "fired" : "other signal");
    return 0;
}
