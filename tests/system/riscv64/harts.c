/* Several harts: software and timer interrupts, WFI, atomics, code that another hart changes. */
#include "lib.h"

enum { HARTS = 4, ROUNDS = 2000 };
enum { MSOFT = 3, MTIMER = 7 };

static volatile uint32_t soft[HARTS], timers[HARTS];
static uint64_t counter, ready, turn;

static void msip(unsigned hart, uint32_t v) { ((volatile uint32_t *)CLINT)[hart] = v; }
static void compare(unsigned hart, uint64_t v) { ((volatile uint64_t *)CLINT_CMP)[hart] = v; }

/* One trap stack serves all: interrupts are taken one hart at a time, in WFI. */
static uint32_t lock;

void trap(struct frame *f)
{
    uint64_t hart = read_csr(mhartid), cause = read_csr(mcause);
    CHECK(cause == (UINT64_C(1) << 63 | MSOFT) || cause == (UINT64_C(1) << 63 | MTIMER));
    if ((cause & 15) == MSOFT) {
        msip(hart, 0);
        soft[hart]++;
    } else {
        compare(hart, UINT64_MAX);
        timers[hart]++;
    }
}

static void work(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
        while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
            ;
        turn++;
        __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
        uint64_t old = counter;
        while (!__atomic_compare_exchange_n(&counter, &old, old + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            ;
    }
}

/* Waits in WFI for the own pending bit, without taking the interrupt. */
static void wait_for(unsigned which)
{
    write_csr(mie, UINT64_C(1) << which);
    while (!(read_csr(mip) >> which & 1))
        __asm__ volatile("wfi");
}

void secondary(uint64_t hart)
{
    wait_for(MSOFT);
    msip((unsigned)hart, 0);
    soft[hart]++;
    work();
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
    for (unsigned round = 1; round <= 5; round++) {
        for (unsigned h = 1; h < HARTS; h++)
            msip(h, 1);
        work();
        while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < (HARTS - 1) * round)
            ;
        CHECK(turn == (uint64_t)ROUNDS * HARTS * round);
        CHECK(counter == UINT64_C(2) * ROUNDS * HARTS * round);
    }
    for (unsigned h = 1; h < HARTS; h++)
        CHECK(soft[h] == 5);
    uint64_t start = time_now();
    compare(0, start + 20000);
    wait_for(MTIMER);
    CHECK(time_now() >= start + 20000);
    write_csr(mie, 1 << MTIMER);
    compare(0, time_now() + 20000);
    set_csr(mstatus, 8);
    while (!timers[0]) /* taken out of a loop that does nothing else */
        ;
    clear_csr(mstatus, 8);
    CHECK(timers[0] == 1 && soft[0] == 0);
    print("right\n");
    finish(0);
}
