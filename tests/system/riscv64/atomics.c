/*
 * Atomic instructions on memory: every operation against plain C, misaligned ones, on code that has run, and on a
 * device.
 */
#include "lib.h"

static volatile uint64_t cause, value;

/* The instruction is skipped. */
void trap(struct frame *f)
{
    cause = read_csr(mcause);
    value = read_csr(mtval);
    write_csr(mepc, read_csr(mepc) + 4);
}

void secondary(uint64_t hart) {}

static uint64_t random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

enum op { SWAP, ADD, XOR, AND, OR, MIN, MAX, MINU, MAXU, OPS };

#define AMO(name, type, suffix)                                                                                        \
    static type name##_##type(type *at, type v)                                                                        \
    {                                                                                                                  \
        type old;                                                                                                      \
        __asm__ volatile("amo" #name "." suffix " %0, %2, %1" : "=r"(old), "+A"(*at) : "r"(v));                        \
        return old;                                                                                                    \
    }
#define AMOS(name) AMO(name, int32_t, "w") AMO(name, int64_t, "d")
AMOS(swap) AMOS(add) AMOS(xor) AMOS(and) AMOS(or) AMOS(min) AMOS(max) AMOS(minu) AMOS(maxu)
#define ALL(type)                                                                                                      \
    {                                                                                                                  \
        swap_##type, add_##type, xor_##type, and_##type, or_##type, min_##type, max_##type, minu_##type, maxu_##type   \
    }
static int32_t (*const words[OPS])(int32_t *, int32_t) = ALL(int32_t);
static int64_t (*const doubles[OPS])(int64_t *, int64_t) = ALL(int64_t);

/* As 64 bits; words come with their sign. */
static int64_t expected(enum op op, int64_t old, int64_t v, bool word)
{
    uint64_t mask = word ? UINT32_MAX : UINT64_MAX;
    bool less = (old & mask) < (v & mask);
    switch (op) {
    case SWAP: return v;
    case ADD: return (int64_t)((uint64_t)old + (uint64_t)v);
    case XOR: return old ^ v;
    case AND: return old & v;
    case OR: return old | v;
    case MIN: return old < v ? old : v;
    case MAX: return old > v ? old : v;
    case MINU: return less ? old : v;
    default: return less ? v : old;
    }
}

static uint64_t place[2048] __attribute__((aligned(4096)));

static void operations(void)
{
    uint64_t seed = 88172645463325252u;
    for (unsigned i = 0; i < 20000; i++) {
        enum op op = random(&seed) % OPS;
        int64_t *at = (int64_t *)&place[random(&seed) % 2048], old = (int64_t)(random(&seed) >> random(&seed) % 64);
        int64_t v = (int64_t)random(&seed) >> random(&seed) % 64;
        *at = old;
        CHECK(doubles[op](at, v) == old && *at == expected(op, old, v, false));
        int32_t *half = (int32_t *)at + random(&seed) % 2, before = *half, other = ((int32_t *)at)[half == (int32_t *)at];
        CHECK(words[op](half, (int32_t)v) == before && *half == (int32_t)expected(op, before, (int32_t)v, true));
        CHECK(((int32_t *)at)[half == (int32_t *)at] == other);
    }
}

/* LR and SC, as the compiler uses them. */
static void compare_and_swap(void)
{
    uint64_t seed = 5;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t *at = &place[random(&seed) % 2048], old = random(&seed) % 4, want = random(&seed) % 4;
        *at = old;
        bool done = __atomic_compare_exchange_n(at, &want, 9, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        CHECK(done ? *at == 9 && want == old : *at == old && want == old);
    }
}

static void misaligned(void)
{
    static uint64_t next_page[1024] __attribute__((aligned(4096)));
    for (unsigned by = 1; by < 8; by++) {
        char *at = (char *)&next_page[511] + by;
        cause = 0;
        doubles[ADD]((int64_t *)at, 1);
        CHECK(cause == 6 && value == (uint64_t)at);
        cause = 0;
        words[SWAP]((int32_t *)at, 1);
        CHECK(by == 4 ? !cause : cause == 6 && value == (uint64_t)at);
    }
}

/* An atomic changes an instruction that has been executed. */
static void code(void)
{
    static uint32_t function[1024] __attribute__((aligned(4096)));
    uint64_t (*call)(void) = (uint64_t (*)(void))(uintptr_t)function;
    function[1] = 0x00008067; /* ret */
    for (uint32_t i = 0; i < 100; i++) {
        words[i & 1 ? SWAP : MAXU]((int32_t *)function, (int32_t)(0x513 | i << 20)); /* li a0, i */
        fence_i();
        CHECK(call() == i);
        CHECK(call() == i);
    }
    words[ADD]((int32_t *)function, 1 << 20);
    fence_i();
    CHECK(call() == 100);
}

static void device(void)
{
    *(volatile uint64_t *)CLINT_CMP = 41;
    CHECK(doubles[ADD]((int64_t *)(uint64_t)CLINT_CMP, 1) == 41 && *(volatile uint64_t *)CLINT_CMP == 42);
    cause = 0;
    doubles[ADD]((int64_t *)UINT64_C(0x60000000), 1);
    CHECK(cause == 7 && value == 0x60000000);
}

int main(void)
{
    operations();
    compare_and_swap();
    misaligned();
    code();
    device();
    print("right\n");
    finish(0);
}
