/* Dies with a core file, for core.py: argv[1] says how; one other thread computes, one waits. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static volatile int ready;
volatile int answer = 42;
volatile char *touched, *secret, *shared;

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

/* With numbers in registers that core.py looks for. */
static void fault(void)
{
    const double number = 1234.5;
    const unsigned long word = 0x123456789abcdef;
#ifdef __aarch64__
    __asm__ volatile("fmov d9, %0\n\tmov x21, %1\n\tmov x0, 8\n\tstr wzr, [x0]" ::"r"(number), "r"(word) : "x0", "x21", "v9");
#elif defined __riscv
    __asm__ volatile("fmv.d fs3, %0\n\tmv s5, %1\n\tli a0, 8\n\tsw zero, 0(a0)" ::"f"(number), "r"(word) : "a0", "s5", "fs3");
#endif
}

__attribute__((noinline)) static void fail_here(const char *how)
{
    while (ready < 2)
        usleep(1000);
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "undumpable"))
        prctl(PR_SET_DUMPABLE, 0);
    if (!strcmp(how, "filtered")) { /* only what is shared and of no file */
        int fd = open("/proc/self/coredump_filter", O_WRONLY);
        if (write(fd, "0x2", 3) != 3)
            _exit(1);
    }
    if (!strcmp(how, "advised"))
        madvise((void *)touched, 64 << 20, MADV_DONTDUMP);
    if (!strcmp(how, "quit"))
        kill(getpid(), SIGQUIT);
    else
        fault();
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
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *shared = 'h';
    mprotect((void *)secret, 4096, PROT_NONE);
    pthread_create(&t, NULL, spinner, NULL);
    pthread_create(&t, NULL, waiter, NULL);
    fail_here(argc > 1 ? argv[1] : "");
    return 0;
}
