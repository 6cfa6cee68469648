/*
 * crash WAY: dies in one way, or, with a second argument, takes the signal in a handler on an alternate stack, prints
 * its number, code and address and leaves with exit code 0.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile char *volatile place;

static void caught(int sig, siginfo_t *info, void *context)
{
    char text[100];
    uintptr_t at = (uintptr_t)info->si_addr - (uintptr_t)place;
    int n = snprintf(text, sizeof text, "signal %d code %d", sig, info->si_code);
    if (sig == SIGSEGV || sig == SIGBUS)
        n += snprintf(text + n, sizeof text - n, " at %s", at < 4096 ? "the place" : "elsewhere");
    text[n++] = '\n';
    if (write(1, text, n) != n)
        _exit(1);
    (void)context;
    _exit(0);
}

static __attribute__((noinline)) int deep(int n)
{
    volatile char block[4096];
    block[0] = n;
    return n ? deep(n + 1) + block[0] : 0;
}

static void die(const char *way)
{
    size_t page = sysconf(_SC_PAGESIZE);
    if (!strcmp(way, "null")) {
        *place = 1;
    } else if (!strcmp(way, "read-only")) {
        place = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *place = 1;
    } else if (!strcmp(way, "unmapped")) {
        place = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap((void *)place, page);
        exit(*place);
    } else if (!strcmp(way, "no-access")) {
        place = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        exit(place[8]);
    } else if (!strcmp(way, "beyond-file")) {
        FILE *f = tmpfile();
        place = mmap(NULL, page, PROT_READ, MAP_SHARED, fileno(f), 0);
        exit(*place);
    } else if (!strcmp(way, "execute-data")) {
        place = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ((void (*)(void))(uintptr_t)place)();
    } else if (!strcmp(way, "jump-nowhere")) {
        ((void (*)(void))(uintptr_t)place)();
    } else if (!strcmp(way, "stack")) {
        exit(deep(1));
    } else if (!strcmp(way, "undefined")) {
#ifdef __aarch64__
        __asm__ volatile(".inst 0x00000000");
#elif defined __riscv
        __asm__ volatile("unimp");
#else
        __asm__ volatile("ud2");
#endif
    } else if (!strcmp(way, "breakpoint")) {
#ifdef __aarch64__
        __asm__ volatile("brk #0");
#elif defined __riscv
        __asm__ volatile("ebreak");
#else
        __asm__ volatile("int3");
#endif
    } else if (!strcmp(way, "abort")) {
        abort();
    } else if (!strcmp(way, "divide")) {
        raise(SIGFPE);
    } else if (!strcmp(way, "kill")) {
        kill(getpid(), SIGKILL);
    } else if (!strcmp(way, "term")) {
        kill(getpid(), SIGTERM);
    }
    puts("alive");
}

int main(int argc, char **argv)
{
    static char space[65536];
    if (argc > 2) {
        stack_t stack = {.ss_sp = space, .ss_size = sizeof space};
        struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigaltstack(&stack, NULL);
        for (int sig = 1; sig < 32; sig++)
            sigaction(sig, &action, NULL);
    }
    if (argc > 1)
        die(argv[1]);
    return 3;
}
