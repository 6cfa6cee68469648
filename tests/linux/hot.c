/*
 * Code that gets hot: its better translation arrives from a thread of the emulator's own, while the program forks,
 * starts threads, changes the very code, and counts its threads.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* A function of its own for each n, so that there is always something new to get hot: loops, branches, calls. */
#define KERNEL(n)                                                                                  \
    static __attribute__((noinline)) uint32_t kernel##n(uint32_t x, unsigned rounds)               \
    {                                                                                              \
        for (unsigned i = 0; i < rounds; i++) {                                                    \
            for (unsigned k = 0; k < 3 + n % 3; k++)                                               \
                x = x * 1664525u + (i ^ (k + n));                                                  \
            if (x & 1u << n)                                                                       \
                x ^= x >> 7;                                                                       \
            else if (x & 4)                                                                        \
                x += n;                                                                            \
        }                                                                                          \
        return x;                                                                                  \
    }
KERNEL(1) KERNEL(2) KERNEL(3) KERNEL(4) KERNEL(5) KERNEL(6) KERNEL(7) KERNEL(8)
static uint32_t (*const kernels[])(uint32_t, unsigned) = {kernel1, kernel2, kernel3, kernel4, kernel5, kernel6, kernel7, kernel8};
enum { NKERNELS = sizeof kernels / sizeof kernels[0], ROUNDS = 3000 };
static uint32_t expected[NKERNELS];

/* In one piece, and in pieces of one round: the same code hot and not. */
static void warm_up(void)
{
    for (unsigned i = 0; i < NKERNELS; i++)
        expected[i] = kernels[i](i, ROUNDS);
}

static void *use_all(void *arg)
{
    uintptr_t wrong = 0;
    for (unsigned n = 0; n < 4 * NKERNELS; n++)
        wrong += kernels[n % NKERNELS](n % NKERNELS, ROUNDS) != expected[n % NKERNELS];
    return (void *)wrong;
}

static void forks_and_threads(void)
{
    for (int i = 0; i < 200; i++) {
        pthread_t t;
        void *wrong = NULL;
        int status;
        CHECK(pthread_create(&t, NULL, use_all, NULL) == 0);
        pid_t pid = fork();
        if (pid == 0)
            _exit(use_all(NULL) == NULL ? 17 : 1);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 17);
        CHECK(pthread_join(t, &wrong) == 0 && wrong == NULL);
    }
}

/* What a process with one thread may do is possible right after something became hot. */
static void alone(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) { /* as it is without anything hot: some systems forbid it */
        _exit(unshare(CLONE_NEWUSER) == 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    int allowed = WEXITSTATUS(status);
    for (int i = 0; i < 20; i++) {
        pid = fork();
        if (pid == 0) {
            volatile uint32_t x = kernels[i % NKERNELS](i, 20 * ROUNDS);
            (void)x;
            _exit(unshare(CLONE_NEWUSER) == 0);
        }
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == allowed);
        pid = fork();
        if (pid == 0) { /* the last thread's status is the process's */
            volatile uint32_t x = kernels[i % NKERNELS](i, 20 * ROUNDS);
            (void)x;
            syscall(SYS_exit, 21);
        }
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 21);
    }
}

/* A loop in memory of our own, replaced by another while it is hot: returns its number times the rounds. */
#if defined __aarch64__
static const uint32_t loop[] = {0xd2800001, 0x91000021, 0xf1000400, 0x54ffffc1, 0xaa0103e0, 0xd65f03c0};
/* mov x1, #0; 1: add x1, x1, #n; subs x0, x0, #1; b.ne 1b; mov x0, x1; ret */
enum { WHERE = 1, SHIFT = 10 };
#elif defined __riscv
static const uint32_t loop[] = {0x00000593, 0x00058593, 0xfff50513, 0xfe051ce3, 0x00058513, 0x00008067};
/* li a1, 0; 1: addi a1, a1, n; addi a0, a0, -1; bnez a0, 1b; mv a0, a1; ret */
enum { WHERE = 1, SHIFT = 20 };
#endif

#if defined __aarch64__ || defined __riscv
static void changing_code(void)
{
    uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    memcpy(code, loop, sizeof loop);
    for (unsigned i = 0; i < 300; i++) {
        code[WHERE] = loop[WHERE] | i << SHIFT;
        __builtin___clear_cache((char *)code, (char *)code + sizeof loop);
        for (unsigned k = 0; k < 4; k++)
            CHECK(((uint64_t (*)(uint64_t))(uintptr_t)code)(1500) == 1500u * i);
    }
    munmap(code, 4096);
}

/*
 * A caller in a page of its own, hot with its call in the middle; what it calls changes the code behind the call, or
 * the function it would call next, and comes back: what runs then is the new code.
 */
#if defined __aarch64__
static const uint32_t caller[] = {0xa9be7bfd, 0xa9014ff4, 0xaa0003f3, 0xaa0103f4, 0xd63f0280, 0x91000000, 0xf1000673, 0x54ffffa1,
                                  0xa9414ff4, 0xa8c27bfd, 0xd65f03c0};
/*
 * stp x29, x30, [sp, #-32]!; stp x20, x19, [sp, #16]; mov x19, x0; mov x20, x1; 1: blr x20; add x0, x0, #n; subs x19,
 * x19, #1; b.ne 1b; ldp x20, x19, [sp, #16]; ldp x29, x30, [sp], #32; ret
 */
enum { BEHIND = 5 };
#elif defined __riscv
static const uint32_t caller[] = {0xfe010113, 0x00113423, 0x00813823, 0x00913c23, 0x00050413, 0x00058493, 0x000480e7, 0x00050513,
                                  0xfff40413, 0xfe041ae3, 0x00813083, 0x01013403, 0x01813483, 0x02010113, 0x00008067};
/* addi sp, sp, -32; sd ra, 8(sp); sd s0, 16(sp); sd s1, 24(sp); mv s0, a0; mv s1, a1; 1: jalr s1; addi a0, a0, n;
   addi s0, s0, -1; bnez s0, 1b; ld ra, 8(sp); ld s0, 16(sp); ld s1, 24(sp); addi sp, sp, 32; ret */
enum { BEHIND = 7 };
#endif
static uint32_t *caller_code;
static unsigned called, change_at, new_number;

static uint64_t changes_caller(void)
{
    if (++called == change_at) {
        caller_code[BEHIND] = caller[BEHIND] | new_number << SHIFT;
        __builtin___clear_cache((char *)&caller_code[BEHIND], (char *)&caller_code[BEHIND + 1]);
    }
    return called;
}

/* Its last return value is the call's number, with what the instruction behind the call adds. */
static uint64_t call_often(unsigned times)
{
    return ((uint64_t (*)(uint64_t, uint64_t (*)(void)))(uintptr_t)caller_code)(times, changes_caller);
}

static void changing_caller(void)
{
    caller_code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(caller_code != MAP_FAILED);
    memcpy(caller_code, caller, sizeof caller);
    __builtin___clear_cache((char *)caller_code, (char *)caller_code + sizeof caller);
    for (unsigned i = 1; i < 30; i++) {
        change_at = UINT32_MAX;
        called = 0;
        CHECK(call_often(i < 4 ? 10000 : 500) == (i < 4 ? 10000 : 500) + new_number);
        usleep(2000); /* the hot one may be ready */
        called = 0;
        change_at = 100; /* in the last call */
        new_number = i;
        CHECK(call_often(100) == 100 + i);
    }
    munmap(caller_code, 4096);
}
#else
static void changing_code(void) {}
static void changing_caller(void) {}
#endif

int main(void)
{
    warm_up();
    CHECK(use_all(NULL) == NULL);
    changing_code();
    changing_caller();
    forks_and_threads();
    alone();
    DONE();
}
