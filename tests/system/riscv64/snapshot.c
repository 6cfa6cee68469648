/*
 * Work whose output is always the same, however often the machine is saved, put back and goes on: memory, integers,
 * doubles, timer interrupts, a UART that is slow, other harts with atomics and WFI. Says a number and a hash per round,
 * then "right".
 */
#include "lib.h"

enum { ROUNDS = 120, WORDS = 8192, STEPS = 30000, LSR = UART + 5, THRE = 0x20, FCR = UART + 2 };
enum { MTIMER = 7, TICK = 20000 /* 2 ms */, LONGEST = 600000000 /* a minute */ };

static uint64_t memory[WORDS];
static volatile uint64_t ticks, others;

static void compare(uint64_t hart, uint64_t v) { ((volatile uint64_t *)CLINT_CMP)[hart] = v; }

void trap(struct frame *f)
{
    CHECK(read_csr(mcause) == (UINT64_C(1) << 63 | MTIMER));
    ticks++;
    compare(0, time_now() + TICK);
}

/* Counts, sleeps for a millisecond, counts. */
void secondary(uint64_t hart)
{
    write_csr(mie, 1 << MTIMER);
    for (;;) {
        for (unsigned i = 0; i < 1000; i++)
            __atomic_fetch_add(&others, 1, __ATOMIC_SEQ_CST);
        compare(hart, time_now() + TICK / 2);
        while (!(read_csr(mip) >> MTIMER & 1))
            __asm__ volatile("wfi");
    }
}

static void say(char c)
{
    while (!(*(volatile uint8_t *)LSR & THRE))
        ;
    *(volatile uint8_t *)UART = (uint8_t)c;
}

static void say_hex(uint64_t v)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        say("0123456789abcdef"[v >> shift & 15]);
}

int main(void)
{
    uint64_t state = 1, last = time_now();
    double sum = 1;
    *(volatile uint8_t *)FCR = 1;
    write_csr(sscratch, 0x1234567890);
    compare(0, last + TICK);
    write_csr(mie, 1 << MTIMER);
    set_csr(mstatus, 8 | 3 << 13);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < STEPS; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            memory[state >> 40 & (WORDS - 1)] ^= state;
            sum = sum * 0.999 + (double)(state >> 60);
        }
        uint64_t hash = state, now = time_now(), bits;
        for (unsigned i = 0; i < WORDS; i++)
            hash = hash * 31 + memory[i];
        __builtin_memcpy(&bits, &sum, 8);
        CHECK(now >= last && now - last < LONGEST);
        CHECK(read_csr(sscratch) == 0x1234567890);
        last = now;
        say_hex(round);
        say(' ');
        say_hex(hash ^ bits);
        say('\n');
    }
    uint64_t ticked = ticks, counted = others;
    while (ticks == ticked || others == counted) /* both go on */
        ;
    for (const char *p = "right\n"; *p; p++)
        say(*p);
    while (!(*(volatile uint8_t *)LSR & THRE)) /* it has been said */
        ;
    finish(0);
}
