/* For debuggers: signals that are caught, ignored, waited for, and one that ends the program if an argument says so. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int caught, value;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)context;
    caught = signo;
    value = info->si_code == SI_QUEUE ? info->si_value.sival_int : 0;
}

static void after(const char *what)
{
    printf("%s: caught %d value %d\n", what, caught, value);
    fflush(stdout);
    caught = value = 0;
}

int main(int argc, char **argv)
{
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    struct itimerval soon = {.it_value.tv_usec = 1000};
    sigset_t set;
    sigaction(SIGUSR1, &act, NULL);
    sigaction(SIGUSR2, &act, NULL);
    sigaction(SIGALRM, &act, NULL);
    signal(SIGCHLD, SIG_IGN);
    raise(SIGUSR1);
    after("raise");
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 42});
    after("queue");
    raise(SIGCHLD);
    after("ignored");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    after("blocked");
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    after("unblocked");
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    sigemptyset(&set);
    sigsuspend(&set);
    after("timer");
    if (argc > 1 && !strcmp(argv[1], "segv"))
        *(volatile int *)16 = 1;
    if (argc > 1 && !strcmp(argv[1], "abort"))
        abort();
    if (argc > 1 && !strcmp(argv[1], "kill"))
        raise(SIGKILL);
    return 0;
}
