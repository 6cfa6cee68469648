/* What debug.py debugs: a function called often, a thread, and with an argument a child. */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int table[4] = {10, 20, 30, 40};

__attribute__((noinline)) static int look_up(int i) { return table[i]; }

__attribute__((noinline)) static void *in_thread(void *arg)
{
    (void)arg;
    return (void *)(long)look_up(2);
}

int main(int argc, char **argv)
{
    pthread_t t;
    void *result;
    int sum = 0;
    (void)argv;
    for (int i = 0; i < 4; i++)
        sum += look_up(i);
    pthread_create(&t, NULL, in_thread, NULL);
    pthread_join(t, &result);
    printf("sum %d thread %ld\n", sum, (long)result);
    fflush(stdout);
    if (argc > 1) {
        if (fork() == 0)
            _exit(7);
        wait(NULL);
    }
    return sum == 100 ? 0 : 3;
}
