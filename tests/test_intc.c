/* Interrupt controllers of the riscv64 virt machine. */
#include "hw/intc/aclint.h"
#include "hw/intc/plic.h"
#include "tests/device-board.h"

/* --- ACLINT --- */

static void plug_aclint(struct board *b)
{
    board_begin(b, "aclint");
    board_set(b, "harts", "3");
    board_realize(b);
}

Test(aclint, software_interrupts)
{
    struct board b;
    plug_aclint(&b);
    wr(&b, ACLINT_MSWI + 4, 4, UINT32_MAX);
    cr_assert(b.level[ACLINT_LINES + ACLINT_SOFTWARE] && !b.level[ACLINT_SOFTWARE] && !b.level[2 * ACLINT_LINES]);
    cr_assert_eq(rd(&b, ACLINT_MSWI + 4, 4), 1);
    wr(&b, ACLINT_MSWI + 4, 4, 0);
    cr_assert_not(b.level[ACLINT_LINES + ACLINT_SOFTWARE]);
    wr(&b, ACLINT_MSWI + 4 * 3, 4, 1);
    cr_assert_eq(rd(&b, ACLINT_MSWI + 4 * 3, 4), 0, "there is no such hart");
    unplug(&b);
}

Test(aclint, time_and_compare)
{
    struct board b;
    plug_aclint(&b);
    clocks_set_virtual(&b.clocks, 1000);
    cr_assert_eq(rd(&b, ACLINT_MTIMER_TIME, 8), 10, "ten ticks of 100 ns");
    wr(&b, ACLINT_MTIMER_CMP + 8, 8, 11);
    cr_assert_not(b.level[ACLINT_LINES + ACLINT_TIMER]);
    cr_assert_eq(clocks_next_virtual(&b.clocks), 1100);
    clocks_set_virtual(&b.clocks, 1100);
    clocks_dispatch(&b.clocks);
    cr_assert(b.level[ACLINT_LINES + ACLINT_TIMER] && !b.level[ACLINT_TIMER]);
    wr(&b, ACLINT_MTIMER_CMP + 12, 4, 1);
    cr_assert_not(b.level[ACLINT_LINES + ACLINT_TIMER], "the high half alone");
    wr(&b, ACLINT_MTIMER_TIME, 8, UINT64_C(0x10000000b));
    cr_assert(b.level[ACLINT_LINES + ACLINT_TIMER], "the time has been set");
    cr_assert_eq(aclint_time(b.device), UINT64_C(0x10000000b));
    cr_assert_eq(aclint_time_to_ns(b.device, UINT64_C(0x10000000c)), 1200);
    cr_assert_eq(aclint_time_to_ns(b.device, UINT64_MAX), INT64_MAX);
    device_reset(b.device);
    cr_assert(!b.level[ACLINT_LINES + ACLINT_TIMER] && rd(&b, ACLINT_MTIMER_TIME, 8) == 0);
    unplug(&b);
}

Test(aclint, state_goes_to_another)
{
    struct board a, b;
    plug_aclint(&a);
    plug_aclint(&b);
    wr(&a, ACLINT_MSWI + 8, 4, 1);
    wr(&a, ACLINT_MTIMER_TIME, 8, 5000);
    wr(&a, ACLINT_MTIMER_CMP, 8, 6000);
    wr(&a, ACLINT_MTIMER_CMP + 8, 8, 5000);
    transfer(a.device, b.device);
    cr_assert(b.level[2 * ACLINT_LINES + ACLINT_SOFTWARE] && b.level[ACLINT_LINES + ACLINT_TIMER] && !b.level[ACLINT_TIMER]);
    cr_assert_eq(clocks_next_virtual(&b.clocks), 100000);
    unplug(&a);
    unplug(&b);
}

Test(aclint, any_access)
{
    struct board b;
    plug_aclint(&b);
    fuzz_registers(&b, 50000, 1);
    unplug(&b);
}

/* --- PLIC --- */

enum { PRIORITY = 0, PENDING = 0x1000, ENABLE = 0x2000, THRESHOLD = 0x200000, CLAIM = 0x200004, PER_ENABLE = 0x80, PER_CONTEXT = 0x1000 };

static void plug_plic(struct board *b)
{
    board_begin(b, "plic");
    board_set(b, "sources", "54");
    board_realize(b);
}

static void line(struct board *b, unsigned n, bool level)
{
    struct irq i = device_input(b->device, n);
    irq_set(&i, level);
}

Test(plic, claim_and_complete)
{
    struct board b;
    plug_plic(&b);
    wr(&b, PRIORITY + 4 * 10, 4, 1);
    wr(&b, PRIORITY + 4 * 40, 4, 15);
    cr_assert_eq(rd(&b, PRIORITY + 4 * 40, 4), 7, "priorities have three bits");
    wr(&b, ENABLE + PER_ENABLE, 8, UINT64_MAX);
    cr_assert_eq(rd(&b, ENABLE + PER_ENABLE, 8), UINT64_C(0x003ffffffffffffe), "source 0 and those beyond do not exist");
    line(&b, 10, true);
    cr_assert(b.level[1] && !b.level[0]);
    line(&b, 40, true);
    cr_assert_eq(rd(&b, PENDING, 8), UINT64_C(1) << 10 | UINT64_C(1) << 40);
    cr_assert_eq(rd(&b, CLAIM, 4), 0, "the other context has none enabled");
    cr_assert_eq(rd(&b, CLAIM + PER_CONTEXT, 4), 40, "the highest priority first");
    cr_assert_eq(rd(&b, CLAIM + PER_CONTEXT, 4), 10);
    cr_assert_eq(rd(&b, CLAIM + PER_CONTEXT, 4), 0);
    cr_assert_not(b.level[1]);
    line(&b, 10, false);
    wr(&b, CLAIM + PER_CONTEXT, 4, 10);
    cr_assert_not(b.level[1]);
    wr(&b, CLAIM, 4, 40);
    cr_assert_not(b.level[1], "a context completes only what it has enabled");
    wr(&b, CLAIM + PER_CONTEXT, 4, 40);
    cr_assert(b.level[1], "the level is still high");
    unplug(&b);
}

Test(plic, gateway_holds_one_request)
{
    struct board b;
    plug_plic(&b);
    wr(&b, PRIORITY + 4 * 3, 4, 2);
    wr(&b, ENABLE, 4, 8);
    line(&b, 3, true);
    line(&b, 3, false);
    cr_assert(b.level[0], "a request is not withdrawn");
    cr_assert_eq(rd(&b, CLAIM, 4), 3);
    line(&b, 3, true);
    cr_assert_not(b.level[0], "nothing before the completion");
    line(&b, 3, false);
    wr(&b, CLAIM, 4, 3);
    cr_assert_not(b.level[0]);
    unplug(&b);
}

Test(plic, threshold_and_ties)
{
    struct board b;
    plug_plic(&b);
    for (unsigned i = 5; i < 8; i++)
        wr(&b, PRIORITY + 4 * i, 4, 3);
    wr(&b, ENABLE, 4, 0xe0);
    wr(&b, THRESHOLD, 4, 3);
    line(&b, 7, true);
    line(&b, 5, true);
    cr_assert_not(b.level[0]);
    wr(&b, THRESHOLD, 4, 2);
    cr_assert(b.level[0]);
    wr(&b, THRESHOLD, 4, 7);
    cr_assert_eq(rd(&b, CLAIM, 4), 5, "a claim does not ask the threshold; the lowest of equals");
    unplug(&b);
}

Test(plic, state_goes_to_another)
{
    struct board a, b;
    plug_plic(&a);
    plug_plic(&b);
    wr(&a, PRIORITY + 4 * 9, 4, 1);
    wr(&a, PRIORITY + 4 * 8, 4, 1);
    wr(&a, ENABLE, 4, 0x300);
    line(&a, 8, true);
    line(&a, 9, true);
    cr_assert_eq(rd(&a, CLAIM, 4), 8);
    transfer(a.device, b.device);
    cr_assert(b.level[0]);
    cr_assert_eq(rd(&b, CLAIM, 4), 9);
    wr(&b, CLAIM, 4, 8);
    cr_assert_eq(rd(&b, CLAIM, 4), 8, "its level came along");
    unplug(&a);
    unplug(&b);
}

Test(plic, any_access)
{
    struct board b;
    plug_plic(&b);
    uint64_t seed = 3;
    for (unsigned i = 0; i < 100; i++) {
        fuzz_registers(&b, 200, chance(&seed));
        line(&b, chance(&seed) % PLIC_MAX_SOURCES, chance(&seed) % 2);
    }
    unplug(&b);
}

Test(plic, wrong_properties)
{
    struct board b;
    board_begin(&b, "plic");
    board_set(&b, "priorities", "6");
    char *error = device_realize(b.device);
    cr_assert_str_eq(error, "property priorities of device plic must be a power of two less 1");
    free(error);
    device_free(b.device);
    mem_space_free(&b.memory);
}
