/* Dies with a core file, for core.py: argv[1] says how; one other thread computes, one waits. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int ready;
volatile int answer = 42;
volatile char *touched, *secret;

__attribute__((noinline)) static void spin_here(void)
{
    ready++;
    for (;;)
        answer = 43;
}

__attribute__((noinline)) static void wait_here(void)
{
    ready++;
    for (;;)
        pause();
}

static void *spinner(void *arg)
{
    spin_here();
    return arg;
}

static void *waiter(void *arg)
{
    wait_here();
    return arg;
}

__attribute__((noinline)) static void fail_here(const char *how)
{
    while (ready < 2)
        usleep(1000);
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "quit"))
        kill(getpid(), SIGQUIT);
    else
        *(volatile int *)8 = 1;
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    pthread_t t;
    touched = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touched[32 << 20] = 'x';
    secret = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *secret = 's';
    mprotect((void *)secret, 4096, PROT_NONE);
    pthread_create(&t, NULL, spinner, NULL);
    pthread_create(&t, NULL, waiter, NULL);
    fail_here(argc > 1 ? argv[1] : "");
    return 0;
}
