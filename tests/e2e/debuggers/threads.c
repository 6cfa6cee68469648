/* For debuggers: threads that meet at a barrier, each with a count of its own. `wait`: they stay until a signal ends them. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 3, ROUNDS = 4 };

static pthread_barrier_t barrier;
static int counts[THREADS];
static volatile int stay, turns;

static void count_one(int id)
{
    counts[id]++;
}

static void *work(void *arg)
{
    int id = (int)(long)arg;
    for (int i = 0; i < ROUNDS; i++)
        count_one(id);
    pthread_barrier_wait(&barrier);
    while (stay && id == 2)
        turns++; /* one computes, the others wait */
    while (stay)
        pause();
    return NULL;
}

static void leave(int signo)
{
    (void)signo;
    stay = 0;
}

int main(int argc, char **argv)
{
    pthread_t t[THREADS];
    struct sigaction act = {.sa_handler = leave};
    stay = argc > 1 && !strcmp(argv[1], "wait");
    sigaction(SIGUSR1, &act, NULL);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, work, (void *)i);
    pthread_barrier_wait(&barrier);
    if (stay) {
        puts("ready");
        fflush(stdout);
        while (stay)
            usleep(1000);
        for (int i = 0; i < THREADS - 1; i++)
            pthread_kill(t[i], SIGUSR1);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    printf("counts %d %d %d\n", counts[0], counts[1], counts[2]);
    return 0;
}
