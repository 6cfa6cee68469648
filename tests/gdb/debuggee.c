/* A program to be debugged: what it does is chosen by its first argument. Built with -g -O0. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct point {
    int x, y;
};

static int table[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static volatile int counter, seen;
static double ratio = 2.5;

static int look_up(int i)
{
    int doubled = 2 * i;
    return table[i] + doubled;
}

static int sum(struct point p, int n)
{
    int total = p.x * p.y;
    for (int i = 0; i < n; i++) {
        counter = i;
        total += look_up(i);
    }
    return total;
}

static void on_signal(int signo) { seen = signo; }

static void *in_thread(void *arg)
{
    int number = (int)(long)arg;
    __atomic_fetch_add(&counter, number, __ATOMIC_SEQ_CST);
    return NULL;
}

static void threads(void)
{
    pthread_t t[3];
    for (long i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, in_thread, (void *)(i + 1));
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

static int forked(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        int own = look_up(3);
        _exit(own);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

/* A child of vfork executes this program again, or ends. */
static int vforked(const char *path, const char *how)
{
    int status;
    fflush(stdout);
    pid_t child = vfork();
    if (!child) {
        counter = look_up(3);
        if (how)
            execl(path, path, how, (char *)NULL);
        _exit(counter);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

/* Children and a grandchild, which call look_up() with 3, 2 and 1. */
static int family(void)
{
    int status, total = 0;
    fflush(stdout);
    for (int i = 3; i > 1; i--)
        if (!fork()) {
            if (i == 2 && !fork())
                _exit(look_up(1));
            if (i == 2)
                wait(&status);
            _exit(look_up(i) + (i == 2 ? WEXITSTATUS(status) : 0));
        }
    while (wait(&status) > 0)
        total += WEXITSTATUS(status);
    return total;
}

/* Two processes that run until one of them is told. */
static void spin_both(void)
{
    fflush(stdout);
    pid_t child = fork();
    if (child)
        printf("ready\n");
    while (!seen)
        counter++;
    if (!child)
        _exit(0);
    kill(child, SIGKILL);
    wait(NULL);
}

/* Children that run until a signal. */
static void brothers(void)
{
    fflush(stdout);
    for (int i = 0; i < 2; i++)
        if (!fork()) {
            while (!seen)
                counter++;
            _exit(seen);
        }
    while (wait(NULL) > 0)
        continue;
}

static void spin(void)
{
    printf("ready\n");
    while (!seen)
        counter++;
}

static void milestone(int n) { counter = n; }

/* Calls that are hot soon: the long rounds are for that. */
static long rounds(int n)
{
    long total = 0;
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < 20000; i++)
            total += look_up(i & 7);
        milestone(k);
    }
    return total;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct point p = {3, 4};
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGUSR1, on_signal);
    alarm(100); /* whoever is left alone ends */
    if (!strcmp(what, "threads")) {
        threads();
    } else if (!strcmp(what, "fork")) {
        printf("child %d\n", forked());
    } else if (!strcmp(what, "vfork")) {
        printf("child %d\n", vforked(argv[0], NULL));
    } else if (!strcmp(what, "vfork-exec")) {
        printf("child %d\n", vforked(argv[0], "signal"));
    } else if (!strcmp(what, "family")) {
        printf("family %d\n", family());
    } else if (!strcmp(what, "brothers")) {
        brothers();
    } else if (!strcmp(what, "spin-both")) {
        spin_both();
    } else if (!strcmp(what, "signal")) {
        raise(SIGUSR1);
        printf("seen %d\n", seen);
    } else if (!strcmp(what, "spin")) {
        spin();
        printf("spun\n");
    } else if (!strcmp(what, "exec")) {
        execl(argv[0], argv[0], "signal", (char *)NULL);
    } else if (!strcmp(what, "fault")) {
        *(volatile int *)8 = 1;
    } else if (!strcmp(what, "close")) { /* a debugger's connection is not the program's */
        for (int i = 3; i < 2000; i++)
            close(i);
        syscall(SYS_close_range, 3, ~0u, 0);
        printf("shell %d\n", WEXITSTATUS(system("exit 3")));
    } else if (!strcmp(what, "hot")) {
        printf("rounds %ld\n", rounds(6));
    } else if (!strcmp(what, "sleep")) {
        printf("ready\n");
        printf("slept %d\n", sleep(300) > 0);
    }
    printf("sum %d ratio %g\n", sum(p, 5), ratio);
    return argc + 4;
}
