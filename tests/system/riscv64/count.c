/*
 * Counted time (-icount shift=0): what loops, exceptions and waiting cost, to the instruction. Prints what other runs
 * must print, too.
 */
#include "lib.h"

enum { TICK = 100 /* instructions, of a nanosecond each */, TIMER = 7, LOOPS = 1000, RUNS = 16 };

static volatile uint64_t faults, interrupts, came_at, found_time, found_cycle;

void trap(struct frame *f)
{
    uint64_t cycle = read_csr(cycle), cause = read_csr(mcause);
    if (cause >> 63) {
        found_time = read_csr(time);
        came_at = read_csr(mepc);
        found_cycle = cycle;
        CHECK((cause & 0xff) == TIMER);
        interrupts++;
        *(volatile uint64_t *)CLINT_CMP = UINT64_MAX;
        return;
    }
    CHECK(cause == 5);
    faults++;
    write_csr(mepc, read_csr(mepc) + 4);
}

void secondary(uint64_t hart) {}

#define ALIKE(counter)                                                                                                            \
    ({                                                                                                                            \
        uint64_t first_, last_;                                                                                                   \
        __asm__ volatile("csrr %0, " counter "\n li t0, %2\n 1: addi t0, t0, -1\n bnez t0, 1b\n csrr %1, " counter                   \
                         : "=&r"(first_), "=&r"(last_) : "i"(LOOPS) : "t0");                                                        \
        last_ - first_;                                                                                                           \
    })

/* A load that faults, and `behind` behind it in its unit. */
#define FAULT(behind)                                                                                                             \
    ({                                                                                                                            \
        uint64_t first_, last_;                                                                                                   \
        __asm__ volatile(".option push\n .option norvc\n csrr %0, instret\n nop\n lw t1, 0(x0)\n" behind "csrr %1, instret\n .option pop" \
                         : "=&r"(first_), "=&r"(last_) : : "t1", "memory");                                                         \
        last_ - first_;                                                                                                           \
    })

static void loops(void)
{
    CHECK(ALIKE("instret") == 2 + 2 * LOOPS);
    CHECK(ALIKE("cycle") == 2 + 2 * LOOPS);
    uint64_t time = read_csr(time), cycle = read_csr(cycle);
    CHECK(cycle / TICK == time || cycle / TICK == time + 1);
    uint64_t store = 0, first, last; /* a unit may be left within SC */
    __asm__ volatile("csrr %0, instret\n 1: lr.d t0, (%2)\n addi t0, t0, 1\n sc.d t1, t0, (%2)\n nop\n nop\n bnez t1, 1b\n csrr %1, instret"
                     : "=&r"(first), "=&r"(last) : "r"(&store) : "t0", "t1", "memory");
    CHECK(store == 1 && last - first == 7);
    __asm__ volatile("csrr %0, instret\n sc.d t1, t0, (%2)\n nop\n nop\n csrr %1, instret"
                     : "=&r"(first), "=&r"(last) : "r"(&store) : "t0", "t1", "memory");
    CHECK(store == 1 && last - first == 4);
}

static void exceptions(void)
{
    uint64_t base = FAULT(""), more = FAULT("nop\n nop\n nop\n nop\n nop\n nop\n nop\n");
    CHECK(faults == 2 && more == base + 7);
    print_number(base);
}

/* The interrupt comes when the time does, wherever in the code that is. */
static void timers(void)
{
    uint64_t latency = 0;
    set_csr(mie, 1 << TIMER);
    set_csr(mstatus, 8);
    for (uint64_t i = 0; i < RUNS; i++) {
        uint64_t end = time_now() + 50 + i, before = interrupts, spins = 0;
        *(volatile uint64_t *)CLINT_CMP = end;
        while (interrupts == before) {
            spins++;
            __asm__ volatile("nop\n nop\n nop\n nop\n nop\n nop");
        }
        CHECK(found_time == end);
        latency = i ? latency : found_cycle - end * TICK; /* of trap_entry */
        CHECK(found_cycle - end * TICK == latency && latency < TICK);
        print_number(spins << 32 | (came_at & 0xffffffff));
        print_number(read_csr(instret));
    }
}

/* Nothing is executed meanwhile. */
static void waits(void)
{
    enum { LONG = 2000000000 }; /* ticks: 200 s */
    clear_csr(mstatus, 8);
    uint64_t start = read_csr(time), instructions = read_csr(instret), cycles = read_csr(cycle);
    *(volatile uint64_t *)CLINT_CMP = start + LONG;
    __asm__ volatile("wfi");
    CHECK(read_csr(time) == start + LONG);
    CHECK(read_csr(instret) - instructions < TICK);
    CHECK(read_csr(cycle) - cycles > (uint64_t)(LONG - 1) * TICK);
    set_csr(mstatus, 8);
    CHECK(found_time == start + LONG);
}

int main(void)
{
    loops();
    exceptions();
    timers();
    waits();
    print_number(read_csr(instret));
    print("right\n");
    finish(0);
}
