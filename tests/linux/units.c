/*
 * Code that calls code in another mapping, hot, while either of the two is taken away, replaced or rewritten: between
 * calls, while calls are on the stack, the own and those of other threads, and behind the back of a thread that runs
 * it. What runs then is the new code, and where there is none, a fault at the place where it is missing.
 */
#define _GNU_SOURCE
#if defined __x86_64__
#include <cpuid.h>
#endif
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

/*
 * Two pages of code for each version v: outer(s, n) calls inner(s) n times and adds what it gives, and 10 v each time;
 * inner(s) calls s->hook(s), if there is one, and gives v. deep(s, n), in the page of outer(), calls itself n times,
 * then inner(), and adds 10 v on the way back each time. outer_leaf(s, n), in that page, too, is like outer(), but
 * calls leaf(s), in the page of inner(), which gives *s->data + v and is without calls and branches. All versions have
 * the same layout.
 */
#define STR_(x) #x
#define STR(x)  STR_(x)
#if defined __aarch64__
#define PC(uc) (uc)->uc_mcontext.pc
#define OUTER(v, callee)                                                                                                     \
    "stp x29, x30, [sp, #-48]!\n stp x19, x20, [sp, #16]\n str x21, [sp, #32]\n mov x19, x0\n mov x20, x1\n mov x21, #0\n" \
    "1: mov x0, x19\n bl " callee "\n"                                                                                 \
    "add x21, x21, x0\n add x21, x21, #10*" STR(v) "\n subs x20, x20, #1\n b.ne 1b\n mov x0, x21\n"                  \
    "ldp x19, x20, [sp, #16]\n ldr x21, [sp, #32]\n ldp x29, x30, [sp], #48\n ret\n"
#define DEEP(v)                                                                                                      \
    "3: stp x29, x30, [sp, #-16]!\n cbz x1, 1f\n sub x1, x1, #1\n bl 3b\n b 2f\n 1: bl 4f\n"                         \
    "2: add x0, x0, #10*" STR(v) "\n ldp x29, x30, [sp], #16\n ret\n"
#define INNER(v)                                                                                                     \
    "4: ldr x1, [x0]\n cbz x1, 1f\n stp x29, x30, [sp, #-16]!\n blr x1\n ldp x29, x30, [sp], #16\n 1: mov x0, #" STR(v) "\n ret\n"
#define LEAF(v) "5: ldr x1, [x0, #8]\n ldr w1, [x1]\n add w0, w1, #" STR(v) "\n ret\n"
enum { OUTER_BACK = 8 * 4, DEEP_BACK = 6 * 4, LEAF_LOADS = 4 };
#define LINK(uc) (uc)->uc_mcontext.regs[30]
#elif defined __riscv
#define PC(uc) (uc)->uc_mcontext.__gregs[0]
#define OUTER(v, callee)                                                                                                     \
    "addi sp, sp, -32\n sd ra, 0(sp)\n sd s0, 8(sp)\n sd s1, 16(sp)\n sd s2, 24(sp)\n mv s0, a0\n mv s1, a1\n li s2, 0\n"  \
    "1: mv a0, s0\n jal " callee "\n"                                                                                  \
    "add s2, s2, a0\n addi s2, s2, 10*" STR(v) "\n addi s1, s1, -1\n bnez s1, 1b\n mv a0, s2\n"                      \
    "ld ra, 0(sp)\n ld s0, 8(sp)\n ld s1, 16(sp)\n ld s2, 24(sp)\n addi sp, sp, 32\n ret\n"
#define DEEP(v)                                                                                                      \
    "3: addi sp, sp, -16\n sd ra, 0(sp)\n beqz a1, 1f\n addi a1, a1, -1\n jal 3b\n j 2f\n 1: jal 4f\n"               \
    "2: addi a0, a0, 10*" STR(v) "\n ld ra, 0(sp)\n addi sp, sp, 16\n ret\n"
#define INNER(v)                                                                                                     \
    "4: ld a1, 0(a0)\n beqz a1, 1f\n addi sp, sp, -16\n sd ra, 0(sp)\n jalr a1\n ld ra, 0(sp)\n addi sp, sp, 16\n"    \
    "1: li a0, " STR(v) "\n ret\n"
#define LEAF(v) "5: ld a1, 8(a0)\n lw a1, 0(a1)\n addi a0, a1, " STR(v) "\n ret\n"
enum { OUTER_BACK = 10 * 4, DEEP_BACK = 7 * 4, LEAF_LOADS = 4 };
#define LINK(uc) (uc)->uc_mcontext.__gregs[1]
#else
#define PC(uc) (uc)->uc_mcontext.gregs[REG_RIP]
#define OUTER(v, callee)                                                                                                     \
    "push %rbx\n push %r12\n push %r13\n mov %rdi, %rbx\n mov %rsi, %r12\n xor %r13d, %r13d\n 1: mov %rbx, %rdi\n"   \
    ".balign 8, 0x90\n nop\n nop\n nop\n call " callee "\n add %rax, %r13\n add $10*" STR(v) ", %r13\n dec %r12\n jnz 1b\n mov %r13, %rax\n"            \
    "pop %r13\n pop %r12\n pop %rbx\n ret\n"
#define DEEP(v)                                                                                                      \
    "3: test %rsi, %rsi\n jz 1f\n dec %rsi\n .balign 8, 0x90\n nop\n nop\n nop\n call 3b\n jmp 2f\n 1: call 4f\n 2: add $10*" STR(v) ", %rax\n ret\n"
#define INNER(v) "4: mov (%rdi), %rax\n test %rax, %rax\n jz 1f\n sub $8, %rsp\n call *%rax\n add $8, %rsp\n 1: mov $" STR(v) ", %eax\n ret\n"
#define LEAF(v) "5: mov 8(%rdi), %rax\n mov (%rax), %eax\n add $" STR(v) ", %eax\n ret\n"
enum { OUTER_BACK = 4 * 8, DEEP_BACK = 2 * 8 + 7, LEAF_LOADS = 4 };
#define LINK(uc) *(uint64_t *)(uc)->uc_mcontext.gregs[REG_RSP]
#endif
#define VERSION(v)                                                                                                   \
    ".balign 4096\n" OUTER(v, "4f") ".balign 1024\n" OUTER(v, "5f") ".balign 2048\n" DEEP(v) ".balign 4096\n" INNER(v) \
    ".balign 1024\n" LEAF(v)
#if defined __riscv
#define BEGIN ".pushsection .rodata\n.option push\n.option norvc\n.option norelax\n"
#define END   ".balign 4096\n.option pop\n.popsection\n"
#else
#define BEGIN ".pushsection .rodata\n"
#define END   ".balign 4096\n.popsection\n"
#endif
__asm__(BEGIN ".balign 4096\ncode_versions:\n" VERSION(0) VERSION(1) VERSION(2) VERSION(3) END);
extern const char code_versions[];
enum { VERSIONS = 4, PAGE = 4096, OUTER_LEAF_AT = 1024, DEEP_AT = 2048, LEAF_AT = 1024 /* in its page */ };

struct shared {
    void (*hook)(struct shared *);
    uint32_t *data;
    char *code;
    unsigned calls, at;     /* the hook acts in its call number `at`: */
    unsigned page, version; /* gives this page another version */
    const struct way *way;
    uint64_t seen; /* another thread's number of changes when its hook ran last */
};

/* --- ways to change a page --- */

struct way {
    const char *name;
    void (*change)(char *at, const char *bytes);
};

static int file; /* all versions in a row */
static char *spare;

static void flush(char *at)
{
    __builtin___clear_cache(at, at + PAGE);
#if defined __x86_64__
    unsigned a, b, c, d; /* string instructions have written the code: a serialising instruction in front of it (Intel SDM vol. 3, 9.1.3) */
    __cpuid(0, a, b, c, d);
#endif
}

static void rewrite(char *at, const char *bytes)
{
    CHECK(mprotect(at, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    memcpy(at, bytes, PAGE);
    flush(at);
}

static void protect(char *at, const char *bytes)
{
    CHECK(mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0);
    memcpy(at, bytes, PAGE);
    CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
    flush(at);
}

static void unmap(char *at, const char *bytes)
{
    CHECK(munmap(at, PAGE) == 0);
    CHECK(mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
    memcpy(at, bytes, PAGE);
    CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
    flush(at);
}

static void map_over(char *at, const char *bytes)
{
    CHECK(mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, bytes - code_versions) == at);
}

static void move(char *at, const char *bytes)
{
    CHECK(mmap(spare, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == spare);
    memcpy(spare, bytes, PAGE);
    CHECK(mprotect(spare, PAGE, PROT_READ | PROT_EXEC) == 0);
    flush(spare);
    CHECK(mremap(spare, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
    CHECK(mmap(spare, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == spare);
}

/* Through another mapping of the same memory. */
static void other_mapping(char *at, const char *bytes)
{
    int fd = memfd_create("code", 0);
    CHECK(fd >= 0 && ftruncate(fd, PAGE) == 0);
    CHECK(mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0) == at);
    char *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(w != MAP_FAILED);
    memcpy(w, bytes, PAGE);
    flush(at);
    CHECK(munmap(w, PAGE) == 0 && close(fd) == 0);
}

static const struct way ways[] = {{"rewrite", rewrite}, {"protect", protect}, {"unmap", unmap},
                                  {"map over", map_over}, {"move", move}, {"other mapping", other_mapping}};
enum { WAYS = sizeof ways / sizeof ways[0] };

static const char *version_of(unsigned page, unsigned v) { return code_versions + (2 * v + page) * PAGE; }

/* --- the code --- */

static char *new_code(unsigned version)
{
    char *code = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    for (unsigned page = 0; page < 2; page++)
        map_over(code + page * PAGE, version_of(page, version));
    return code;
}

static uint64_t outer(struct shared *s, uint64_t n)
{
    return ((uint64_t (*)(struct shared *, uint64_t))(uintptr_t)s->code)(s, n);
}

static uint64_t outer_leaf(struct shared *s, uint64_t n)
{
    return ((uint64_t (*)(struct shared *, uint64_t))(uintptr_t)(s->code + OUTER_LEAF_AT))(s, n);
}

static uint64_t deep(struct shared *s, uint64_t n)
{
    return ((uint64_t (*)(struct shared *, uint64_t))(uintptr_t)(s->code + DEEP_AT))(s, n);
}

static void change(struct shared *s)
{
    s->way->change(s->code + s->page * PAGE, version_of(s->page, s->version));
}

static void change_at(struct shared *s)
{
    if (++s->calls == s->at)
        change(s);
}

static void nothing(struct shared *s) {}

/* Every way, either page, by the hook in the middle and in front of the call. */
static void own_stack(void)
{
    enum { ROUNDS = 1200, DEPTH = 60 };
    struct shared s = {.code = new_code(0)};
    unsigned is[2] = {0, 0};
    for (unsigned i = 0; i < 8 * WAYS; i++) {
        s.way = &ways[i % WAYS];
        s.page = i / WAYS % 2;
        s.hook = nothing;
        for (int k = 0; k < 4; k++) {
            CHECK(outer(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1]));
            CHECK(deep(&s, DEPTH) == 10 * (DEPTH + 1) * is[0] + is[1]);
        }
        usleep(500); /* what is made hot may be ready */
        unsigned was[2] = {is[0], is[1]};
        s.version = is[s.page] = (is[s.page] + 1) % VERSIONS;
        s.hook = change_at;
        s.calls = 0;
        s.at = ROUNDS / 2;
        uint64_t sum = outer(&s, ROUNDS), want = (ROUNDS / 2 - 1) * (10 * was[0] + was[1]) + (ROUNDS / 2 + 1) * (10 * is[0] + is[1]);
        if (sum != want)
            fprintf(stderr, "%s, page %u: %llu instead of %llu\n", s.way->name, s.page, (unsigned long long)sum, (unsigned long long)want);
        CHECK(sum == want);
        s.version = is[s.page] = (is[s.page] + 1) % VERSIONS;
        s.calls = 0;
        s.at = 1;
        sum = deep(&s, DEPTH); /* every return address leads to the new code */
        want = 10 * (DEPTH + 1) * is[0] + is[1];
        if (sum != want)
            fprintf(stderr, "deep, %s, page %u: %llu instead of %llu\n", s.way->name, s.page, (unsigned long long)sum, (unsigned long long)want);
        CHECK(sum == want);
        s.hook = NULL;
        for (int k = 0; k < 4; k++)
            CHECK(outer(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1]));
        s.version = is[s.page] = (is[s.page] + 1) % VERSIONS;
        change(&s);
        CHECK(outer(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1]));
    }
    munmap(s.code, 2 * PAGE);
}

/* --- code that is missing --- */

static struct shared *faulting;
static volatile unsigned nfaults;
static volatile uintptr_t fault_pc, fault_addr;

static void bring_back(int signo, siginfo_t *info, void *uc)
{
    fault_pc = PC((ucontext_t *)uc);
    fault_addr = (uintptr_t)info->si_addr;
    nfaults++;
    map_over(faulting->code + faulting->page * PAGE, version_of(faulting->page, faulting->version));
}

static void take_away(struct shared *s)
{
    char *at = s->code + s->page * PAGE;
    if (++s->calls != s->at)
        return;
    switch (s->version % 3) {
    case 0: CHECK(munmap(at, PAGE) == 0); break;
    case 1: CHECK(mprotect(at, PAGE, PROT_NONE) == 0); break;
    case 2: CHECK(mprotect(at, PAGE, PROT_READ) == 0); break;
    }
}

/* The outer page is missed where the call returns to, the inner one at its next call. */
static void missing(void)
{
    enum { ROUNDS = 1200, DEPTH = 20 };
    struct shared s = {.code = new_code(0)};
    struct sigaction sa = {.sa_sigaction = bring_back, .sa_flags = SA_SIGINFO}, old;
    unsigned is[2] = {0, 0};
    faulting = &s;
    CHECK(sigaction(SIGSEGV, &sa, &old) == 0);
    for (unsigned i = 0; i < 60; i++) {
        s.hook = nothing;
        for (int k = 0; k < 3; k++)
            CHECK(outer(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1]) && deep(&s, DEPTH) == 10 * (DEPTH + 1) * is[0] + is[1]);
        usleep(500);
        unsigned was[2] = {is[0], is[1]};
        s.page = 0; /* of the hook's caller: it could not return */
        s.version = is[0] = i % VERSIONS;
        s.hook = take_away;
        s.calls = nfaults = 0;
        s.at = ROUNDS / 2;
        CHECK(outer(&s, ROUNDS) == (ROUNDS / 2 - 1) * (10 * was[0]) + (ROUNDS / 2 + 1) * (10 * is[0]) + ROUNDS * is[1]);
        CHECK(nfaults == 1 && fault_pc == (uintptr_t)s.code + OUTER_BACK && fault_addr == fault_pc);
        s.calls = nfaults = 0;
        s.at = 1;
        s.version = is[0] = (i + 1) % VERSIONS;
        CHECK(deep(&s, DEPTH) == 10 * (DEPTH + 1) * is[0] + is[1]);
        CHECK(nfaults == 1 && fault_pc == (uintptr_t)s.code + DEEP_AT + DEEP_BACK);
        s.page = 1;
        s.version = is[1] = i / 2 % VERSIONS;
        s.calls = nfaults = 0;
        take_away(&s);
        s.hook = NULL;
        CHECK(outer(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1]));
        CHECK(nfaults == 1 && fault_pc == (uintptr_t)s.code + PAGE && fault_addr == fault_pc);
    }
    CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
    munmap(s.code, 2 * PAGE);
}

/* --- functions without calls, which may be a part of what calls them --- */

static volatile uintptr_t fault_link;
static char *data_page;

static void bring_data_back(int signo, siginfo_t *info, void *uc)
{
    fault_pc = PC((ucontext_t *)uc);
    fault_addr = (uintptr_t)info->si_addr;
    fault_link = LINK((ucontext_t *)uc);
    nfaults++;
    CHECK(mprotect(data_page, PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void leaves(void)
{
    enum { ROUNDS = 1200 };
    struct shared s = {.code = new_code(0)};
    struct sigaction sa = {.sa_sigaction = bring_back, .sa_flags = SA_SIGINFO}, old;
    unsigned is[2] = {0, 0};
    data_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data_page != MAP_FAILED);
    s.data = (uint32_t *)data_page;
    *s.data = 100;
    faulting = &s;
    CHECK(sigaction(SIGSEGV, NULL, &old) == 0);
    for (unsigned i = 0; i < 10 * WAYS; i++) {
        s.way = &ways[i % WAYS];
        s.page = i / WAYS & 1;
        for (int k = 0; k < 4; k++)
            CHECK(outer_leaf(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1] + 100));
        usleep(500);
        s.version = is[s.page] = (is[s.page] + 1) % VERSIONS;
        change(&s);
        CHECK(outer_leaf(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1] + 100));

        s.page = 1; /* the leaf alone is missing */
        sa.sa_sigaction = bring_back;
        CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
        s.version = is[1] = i % VERSIONS;
        s.calls = nfaults = 0;
        s.at = 1;
        take_away(&s);
        CHECK(outer_leaf(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1] + 100));
        CHECK(nfaults == 1 && fault_pc == (uintptr_t)s.code + PAGE + LEAF_AT && fault_addr == fault_pc);

        sa.sa_sigaction = bring_data_back; /* and what it loads */
        CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
        nfaults = 0;
        CHECK(mprotect(data_page, PAGE, PROT_NONE) == 0);
        CHECK(outer_leaf(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1] + 100));
        CHECK(nfaults == 1 && fault_link == (uintptr_t)s.code + OUTER_LEAF_AT + OUTER_BACK);
        CHECK(fault_pc == (uintptr_t)s.code + PAGE + LEAF_AT + LEAF_LOADS && fault_addr == (uintptr_t)data_page);
    }
    CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
    munmap(s.code, 2 * PAGE);
}

typedef uint32_t leaf_fn(struct shared *s);

/* The functions at f[0] … f[kinds - 1] by turns. */
static __attribute__((noinline)) uint64_t by_pointer(leaf_fn *const *f, unsigned kinds, struct shared *s, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0, k = 0; i < n; i++) {
        sum += f[k](s);
        k = k + 1 < kinds ? k + 1 : 0;
    }
    return sum;
}

/* Which one is called is the same for long, and then another; and the same function becomes another. */
static void pointers(void)
{
    enum { ROUNDS = 1200 };
    static uint32_t data = 100;
    struct shared s[2] = {{.code = new_code(0), .data = &data}, {.code = new_code(1), .data = &data}};
    leaf_fn *f[2];
    unsigned is[2] = {0, 1};
    for (unsigned k = 0; k < 2; k++)
        f[k] = (leaf_fn *)(uintptr_t)(s[k].code + PAGE + LEAF_AT);
    for (unsigned i = 0; i < 10 * WAYS; i++) {
        unsigned k = i & 1;
        for (int n = 0; n < 6; n++)
            CHECK(by_pointer(&f[k], 1, s, ROUNDS) == ROUNDS * (100 + is[k]));
        usleep(500);
        CHECK(by_pointer(f, 2, s, ROUNDS) == ROUNDS * 100 + ROUNDS / 2 * (is[0] + is[1]));
        s[k].way = &ways[i / 2 % WAYS];
        s[k].page = 1;
        s[k].version = is[k] = (is[k] + 1) % VERSIONS;
        change(&s[k]);
        CHECK(by_pointer(&f[k], 1, s, ROUNDS) == ROUNDS * (100 + is[k]));
        CHECK(by_pointer(&f[!k], 1, s, ROUNDS) == ROUNDS * (100 + is[!k]));
    }
    munmap(s[0].code, 2 * PAGE);
    munmap(s[1].code, 2 * PAGE);
}

/* --- another thread's stack --- */

static unsigned turn; /* counts up: odd, the thread waits in its hook; even, it goes on */

static void wait_in_hook(struct shared *s)
{
    if (++s->calls != s->at)
        return;
    __atomic_add_fetch(&turn, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) & 1)
        if (s->version & 1) /* by a loop in hot code, or from a system call */
            sched_yield();
    __builtin___clear_cache((char *)&turn, (char *)(&turn + 1)); /* what is to run on this processor now was written by another */
}

static void *waits(void *arg)
{
    struct shared *s = arg;
    uint64_t *sums = (uint64_t *)s->seen;
    s->calls = 0;
    sums[0] = outer(s, 2 * s->at);
    s->calls = s->at - 1;
    sums[1] = deep(s, 40);
    return NULL;
}

static void other_stack(void)
{
    enum { ROUNDS = 1500, DEPTH = 40 };
    struct shared s = {.code = new_code(0)};
    unsigned is[2] = {0, 0};
    for (unsigned i = 0; i < 6 * WAYS; i++) {
        s.way = &ways[i % WAYS];
        s.hook = nothing;
        for (int k = 0; k < 4; k++)
            CHECK(outer(&s, ROUNDS) == ROUNDS * (10 * is[0] + is[1]) && deep(&s, DEPTH) == 10 * (DEPTH + 1) * is[0] + is[1]);
        unsigned was[2] = {is[0], is[1]};
        uint64_t sums[2];
        pthread_t t;
        s.hook = wait_in_hook;
        s.at = ROUNDS / 2;
        s.seen = (uintptr_t)sums;
        s.version = i;
        turn = 0;
        CHECK(pthread_create(&t, NULL, waits, &s) == 0);
        for (unsigned round = 0; round < 2; round++) {
            while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != 2 * round + 1)
                sched_yield();
            for (s.page = 0; s.page < 2; s.page++) {
                s.version = is[s.page] = (is[s.page] + 1 + i % 2) % VERSIONS;
                change(&s);
            }
            __atomic_add_fetch(&turn, 1, __ATOMIC_SEQ_CST);
            if (round == 0)
                while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != 3)
                    sched_yield();
            if (round == 0) {
                CHECK(sums[0] == (ROUNDS / 2 - 1) * (10 * was[0] + was[1]) + (ROUNDS / 2 + 1) * (10 * is[0] + is[1]));
            }
        }
        CHECK(pthread_join(t, NULL) == 0);
        CHECK(sums[1] == 10 * (DEPTH + 1) * is[0] + is[1]);
    }
    munmap(s.code, 2 * PAGE);
}

/* --- behind the back of a running thread --- */

/*
 * Pages are exchanged by MAP_FIXED, without a time when there is none: as soon as the call has come back no processor
 * executes the old one, synchronised or not. The number of the last change that is complete is read in front of each
 * call, and by the hook, when it is on the stack.
 */
static unsigned changes;
static bool stop;

static void note_changes(struct shared *s)
{
    s->seen = __atomic_load_n(&changes, __ATOMIC_SEQ_CST);
}

/* Is the version v that of a change from `first` to `last`? */
static bool is_of(unsigned v, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++)
        if (n % VERSIONS == v)
            return true;
    return false;
}

static void *runs(void *arg)
{
    struct shared s = *(struct shared *)arg;
    uintptr_t wrong = 0;
    static const uint32_t zero;
    s.data = (uint32_t *)&zero;
    for (unsigned n = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
        bool leaf = n % 4 == 0;
        for (unsigned hook = 0; hook < 2; hook++) {
            s.hook = hook ? note_changes : NULL;
            s.seen = __atomic_load_n(&changes, __ATOMIC_SEQ_CST);
            uint64_t before = s.seen, got = leaf ? outer_leaf(&s, 1) : outer(&s, 1), after = __atomic_load_n(&changes, __ATOMIC_SEQ_CST);
            wrong += !is_of(got / 10, s.seen, after + 1) || !is_of(got % 10, s.seen, after + 1) || s.seen < before;
        }
    }
    return (void *)wrong;
}

static void behind_the_back(void)
{
    enum { THREADS = 2, CHANGES = 120 };
    struct shared s = {.code = new_code(0)};
    pthread_t t[THREADS];
    changes = 0;
    stop = false;
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, runs, &s) == 0);
    for (unsigned n = 1; n <= CHANGES; n++) {
        for (unsigned page = 0; page < 2; page++)
            map_over(s.code + page * PAGE, version_of(page, n % VERSIONS));
        __atomic_store_n(&changes, n, __ATOMIC_SEQ_CST);
        usleep(n % 16 ? 300 : 5000);
    }
    stop = true;
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        CHECK(pthread_join(t[i], &wrong) == 0 && wrong == NULL);
    }
    munmap(s.code, 2 * PAGE);
}

int main(void)
{
    file = memfd_create("versions", 0);
    CHECK(file >= 0 && write(file, code_versions, 2 * VERSIONS * PAGE) == 2 * VERSIONS * PAGE);
    spare = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(spare != MAP_FAILED);
    own_stack();
    missing();
    leaves();
    pointers();
    other_stack();
    behind_the_back();
    DONE();
}
