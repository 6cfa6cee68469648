/*
 * Code as data: new code is executed after the architecture's rite, pages of code come and go, faults name the place.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

/* Words of code: `nop`, `undefined`, and a function that returns n (0 to 127). */
#if defined __aarch64__
enum { NOP = 0xd503201f, UNDEFINED = 0 };
static const uint32_t return_0[] = {0x52800000, 0xd65f03c0}; /* mov w0, #n; ret */
enum { N_SHIFT = 5 };
#define PC(uc) (uc)->uc_mcontext.pc
#elif defined __riscv
enum { NOP = 0x13, UNDEFINED = 0 };
static const uint32_t return_0[] = {0x00000513, 0x00008067}; /* li a0, n; ret */
enum { N_SHIFT = 20 };
#define PC(uc) (uc)->uc_mcontext.__gregs[0]
#else
enum { NOP = 0x90909090, UNDEFINED = 0x0b0f0b0f };
static const uint32_t return_0[] = {0x9058006a, 0x909090c3}; /* push n; pop rax; nop; ret */
enum { N_SHIFT = 8 };
#define PC(uc) (uc)->uc_mcontext.gregs[REG_RIP]
#endif

static sigjmp_buf back;
static volatile struct {
    int signo, code;
    uintptr_t addr, pc;
} seen;

static void on_signal(int signo, siginfo_t *info, void *uc)
{
    seen.signo = signo;
    seen.code = info->si_code;
    seen.addr = (uintptr_t)info->si_addr;
    seen.pc = PC((ucontext_t *)uc);
    siglongjmp(back, 1);
}

static void put(char *at, uint32_t word)
{
    memcpy(at, &word, sizeof word);
    __builtin___clear_cache(at, at + sizeof word);
}

static void put_function(char *at, unsigned n)
{
    put(at, return_0[0] | n << N_SHIFT);
    put(at + 4, return_0[1]);
}

static int call(char *at)
{
    return ((int (*)(void))(uintptr_t)at)();
}

/* The signal that a call ends with and where the program was; 0: it returned. */
static int fault(char *at)
{
    seen.signo = 0;
    if (!sigsetjmp(back, 1))
        call(at);
    return seen.signo;
}

#if defined __riscv
static void fence_i(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

/* Reserved rounding modes, and registers that user programs do not have. */
static void illegal(void)
{
    double d = 1;
    long v = 0;
    seen.signo = 0;
    if (!sigsetjmp(back, 1))
        __asm__ volatile("fsrmi 5; fadd.d %0, %0, %0, dyn" : "+f"(d));
    CHECK(seen.signo == SIGILL && seen.code == ILL_ILLOPC);
    __asm__ volatile("fsrmi 4; fcvt.l.d %0, %1, dyn; fsrmi 0" : "=r"(v) : "f"(2.5));
    CHECK(v == 3);
    seen.signo = 0;
    if (!sigsetjmp(back, 1))
        __asm__ volatile("csrw cycle, zero");
    CHECK(seen.signo == SIGILL);
    seen.signo = 0;
    if (!sigsetjmp(back, 1))
        __asm__ volatile("csrr %0, mstatus" : "=r"(v));
    CHECK(seen.signo == SIGILL);
}

/* FENCE.I says nothing about where the new code is. */
static void everywhere(char *p, long page)
{
    uint32_t code[] = {return_0[0] | 1 << N_SHIFT, return_0[1], return_0[0] | 2 << N_SHIFT, return_0[1]};
    memcpy(p, code, sizeof code);
    fence_i();
    for (unsigned n = 3; n < 40; n++) {
        CHECK(call(p) == (int)n - 2 && call(p + 8) == 2);
        code[0] = return_0[0] | (n - 1) << N_SHIFT;
        memcpy(p, code, sizeof code);
        fence_i();
    }
    /* before it is no longer writable, and through another mapping */
    code[2] = return_0[0] | 3 << N_SHIFT;
    memcpy(p, code, sizeof code);
    CHECK(mprotect(p, page, PROT_READ | PROT_EXEC) == 0);
    fence_i();
    CHECK(call(p + 8) == 3);
    CHECK(mprotect(p, page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    int fd = memfd_create("code", 0);
    CHECK(ftruncate(fd, page) == 0);
    char *w = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *x = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    for (int n = 0; n < 4; n++) {
        memcpy(w, &(uint32_t[]){return_0[0] | n << N_SHIFT, return_0[1]}, 8);
        fence_i();
        CHECK(call(x) == n);
    }
    CHECK(munmap(w, page) == 0 && munmap(x, page) == 0 && close(fd) == 0);
}

/* An instruction across a page boundary, whose second half comes and goes; FENCE.I instead of the system call. */
static void across(char *p, long page)
{
    char *f = p + page - 2;
    put_function(f, 9);
    fence_i();
    CHECK(call(f) == 9);
    CHECK(munmap(p + page, page) == 0);
    CHECK(fault(f) == SIGSEGV && seen.addr == (uintptr_t)p + page && seen.pc == (uintptr_t)f);
    CHECK(mmap(p + page, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          p + page);
    put_function(f, 10);
    fence_i();
    CHECK(call(f) == 10);
}
#endif

#if defined __aarch64__
/* Flags that are read at a branch's target, which stands closely before the compare that a unit of code begins with. */
#define LOWER(n, a, b, nops)                                                                                           \
    __asm__ volatile("b 2f\n1: cset %0, lo\n" nops "b 3f\n2: cmp %1, %2\nb.ne 1b\nmov %0, 9\n3:"                     \
                     : "=r"(n)                                                                                         \
                     : "r"((long)(a)), "r"((long)(b))                                                                  \
                     : "cc")

static void flags_before(void)
{
    for (int i = 0; i < 4; i++) {
        long n[3];
        LOWER(n[0], i, 2, "");
        LOWER(n[1], i, 2, "nop\n");
        LOWER(n[2], i, 2, "nop\nnop\n");
        for (int k = 0; k < 3; k++)
            CHECK(n[k] == (i == 2 ? 9 : i < 2));
    }
}
#endif

#if defined __aarch64__ || defined __riscv
/* Exclusives, atomics and ordered accesses off their alignment, and at it. */
#if defined __aarch64__
#define ALIGNED(X)                                                                                                     \
    X("ldxr %w0, [%1]", 4) X("ldxr %0, [%1]", 8) X("ldaxrh %w0, [%1]", 2) X("ldxp %w0, w9, [%1]", 8)                   \
    X("ldxp %0, x9, [%1]", 16) X("ldar %0, [%1]", 8) X("ldarh %w0, [%1]", 2) X("stlr %w0, [%1]", 4)                    \
    X("stlrh %w0, [%1]", 2) X("ldapr %0, [%1]", 8) X("cas %0, %0, [%1]", 8) X("casalh %w0, %w0, [%1]", 2)              \
    X("casp w8, w9, w8, w9, [%1]", 8) X("casp x8, x9, x8, x9, [%1]", 16) X("ldadd %0, %0, [%1]", 8)                    \
    X("swp %w0, %w0, [%1]", 4) X("ldsmaxh %w0, %w0, [%1]", 2) X("stclr %0, [%1]", 8) X("ldaddb %w0, %w0, [%1]", 1)
#define EXTENSIONS ".arch armv8.3-a\n"
#define CHANGED "x8", "x9", "memory"
#else
#define ALIGNED(X)                                                                                                     \
    X("lr.w %0, (%1)", 4) X("lr.d.aq %0, (%1)", 8) X("amoswap.w %0, %0, (%1)", 4) X("amoadd.d %0, %0, (%1)", 8)        \
    X("amoor.d.aqrl zero, %0, (%1)", 8) X("amomaxu.w %0, %0, (%1)", 4)
#define EXTENSIONS
#define CHANGED "memory"
#endif

static void alignment(void)
{
    static _Alignas(16) char memory[64];
    for (int round = 0; round < 3; round++)
        for (unsigned off = 0; off < 32; off++) {
            char *at = memory + off, *bad = (char *)0x1000 + off; /* misaligned comes before not mapped */
            uint64_t v = 0;
#define ONE(instruction, size)                                                                                         \
    if (!sigsetjmp(back, 1)) {                                                                                         \
        __asm__ volatile(EXTENSIONS instruction : "+r"(v) : "r"(at) : CHANGED);                                        \
        CHECK(off % (size) == 0);                                                                                      \
    } else {                                                                                                           \
        CHECK(off % (size) && seen.signo == SIGBUS && seen.code == BUS_ADRALN && seen.addr == (uintptr_t)at);          \
    }                                                                                                                  \
    if (!sigsetjmp(back, 1)) {                                                                                         \
        __asm__ volatile(EXTENSIONS instruction : "+r"(v) : "r"(bad) : CHANGED);                                       \
        CHECK(!"mapped");                                                                                              \
    } else {                                                                                                           \
        CHECK(seen.signo == (off % (size) ? SIGBUS : SIGSEGV) && seen.addr == (uintptr_t)bad);                         \
    }
            ALIGNED(ONE)
        }
}
#endif

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    static const int signals[] = {SIGSEGV, SIGILL, SIGTRAP, SIGBUS};
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        CHECK(sigaction(signals[i], &action, NULL) == 0);
    long page = sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);

    /* rewritten in place */
    for (unsigned n = 0; n < 6; n++) {
        put_function(p, n);
        CHECK(call(p) == (int)n);
    }
    /* undefined, behind something defined */
    put(p, NOP);
    put(p + 4, UNDEFINED);
    CHECK(fault(p) == SIGILL && seen.addr == (uintptr_t)p + 4 && seen.pc == (uintptr_t)p + 4);

    /* running into a page that may not be executed, and then may */
    put(p + page - 4, NOP);
    put_function(p + page, 77);
    CHECK(mprotect(p + page, page, PROT_READ | PROT_WRITE) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(fault(p + page - 4) == SIGSEGV && seen.code == SEGV_ACCERR);
        CHECK(seen.addr == (uintptr_t)p + page && seen.pc == (uintptr_t)p + page);
        CHECK(fault(p + page) == SIGSEGV);
    }
    CHECK(mprotect(p + page, page, PROT_READ | PROT_EXEC) == 0);
    CHECK(call(p + page - 4) == 77 && call(p + page) == 77);

    /* written while it was executable, looked for when it no longer is writable */
    put_function(p, 5);
    CHECK(call(p) == 5);
    memcpy(p, &(uint32_t){return_0[0] | 6 << N_SHIFT}, 4);
    CHECK(mprotect(p, page, PROT_READ | PROT_EXEC) == 0);
    __builtin___clear_cache(p, p + 4);
    CHECK(call(p) == 6);
    CHECK(mprotect(p, page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    put(p + page - 4, NOP);

    /* gone, and something else in its place */
    CHECK(munmap(p + page, page) == 0);
    CHECK(fault(p + page - 4) == SIGSEGV && seen.code == SEGV_MAPERR && seen.pc == (uintptr_t)p + page);
    CHECK(mmap(p + page, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          p + page);
    put_function(p + page, 78);
    CHECK(call(p + page - 4) == 78);

    /* the same bytes at another address after a move */
    char *moved = mremap(p + 2 * page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, p + page);
    CHECK(moved == p + page);
    CHECK(fault(p + page - 4) == SIGILL || seen.signo == SIGSEGV); /* zeros: undefined, or add [rax], al */
    put_function(p + page, 79);
    CHECK(call(p + page - 4) == 79);
#if defined __aarch64__ || defined __riscv
    alignment();
#endif
#if defined __aarch64__
    flags_before();
#elif defined __riscv
    everywhere(p, page);
    across(p, page);
    illegal();
#endif
    DONE();
}
