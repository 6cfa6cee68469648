/* Counted time (-icount shift=0) with several harts, which take turns. Prints what other runs must print, too. */
#include "lib.h"

enum { MOST = 8, ROUNDS = 400, LOOPS = 100000, LOG = 4096, MSOFT = 3, TICK = 100, SLACK = 50 /* percent */ };

static volatile uint32_t present[MOST], soft[MOST];
static uint64_t begun, done, at;
static uint8_t order[LOG];
static volatile uint64_t executed[MOST];

static void msip(uint64_t hart, uint32_t v) { ((volatile uint32_t *)CLINT)[hart] = v; }

void trap(struct frame *f) { CHECK(false); }

/* 2 * LOOPS instructions */
static void loop(void)
{
    __asm__ volatile("li t0, %0\n 1: addi t0, t0, -1\n bnez t0, 1b" : : "i"(LOOPS) : "t0");
}

static void note(uint64_t hart) { order[__atomic_fetch_add(&at, 1, __ATOMIC_SEQ_CST) % LOG] = (uint8_t)hart; }

/* Everybody notes when it came to its turn, tells another one so, and sometimes waits for being told. */
static void work(uint64_t hart, unsigned harts)
{
    uint32_t random = (uint32_t)hart + 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 1103515245 + 12345;
        for (uint32_t n = random >> 16 & 0xfff; n; n--)
            __asm__ volatile("");
        note(hart);
        if (random & 0x10000)
            msip((random >> 20) % harts, 1);
        if (random & 0x20000)
            __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x10"); /* PAUSE */
        if (read_csr(mip) >> MSOFT & 1) {
            msip(hart, 0);
            soft[hart]++;
        }
    }
    executed[hart] = read_csr(instret);
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

static unsigned volatile all;

static void wait_for(const uint64_t *count, uint64_t n)
{
    while (__atomic_load_n(count, __ATOMIC_SEQ_CST) < n)
        ;
}

void secondary(uint64_t hart)
{
    present[hart] = 1;
    write_csr(mie, 1 << MSOFT);
    while (!(read_csr(mip) >> MSOFT & 1))
        __asm__ volatile("wfi");
    msip(hart, 0);
    loop();
    __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
    wait_for(&begun, all);
    work(hart, all);
    for (;;)
        __asm__ volatile("wfi");
}

int main(void)
{
    loop(); /* the others' turns come meanwhile */
    unsigned harts = 1;
    for (unsigned i = 1; i < MOST; i++)
        harts += present[i];
    all = harts;
    /* Time is what all have executed; and what is told ends a turn. */
    uint64_t cycle = read_csr(cycle), instructions = read_csr(instret);
    for (unsigned i = 1; i < harts; i++)
        msip(i, 1);
    wait_for(&begun, harts - 1);
    uint64_t least = read_csr(instret) - instructions + (harts - 1) * 2 * LOOPS;
    cycle = read_csr(cycle) - cycle;
    CHECK(cycle >= least && cycle < least + TICK + least * SLACK / 100);
    print_number(cycle);
    __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
    work(0, harts);
    wait_for(&done, harts);
    uint64_t sum = 0;
    unsigned changes = 0;
    for (unsigned i = 0; i < harts * ROUNDS; i++) {
        sum = sum * 31 + order[i];
        changes += i && order[i] != order[i - 1];
    }
    CHECK(harts == 1 || changes > ROUNDS / 8); /* they did take turns */
    print_number(harts);
    print_number(changes);
    print_number(sum);
    for (unsigned i = 0; i < harts; i++) {
        print_number(executed[i]);
        print_number(soft[i]);
    }
    print_number(read_csr(cycle));
    print("right\n");
    finish(0);
}
