/* Interrupt controllers of the riscv64 virt machine. */
#include "hw/intc/aclint.h"
#include "hw/intc/aplic.h"
#include "hw/intc/imsic.h"
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

/* --- IMSIC --- */

static uint64_t swap_reg(struct board *b, unsigned file, unsigned select, uint64_t value)
{
    uint64_t old;
    cr_assert(imsic_access(b->device, file, select, 64, &old, value, UINT64_MAX));
    return old;
}

Test(imsic, messages_thresholds_and_claims)
{
    struct board b;
    uint64_t old;
    board_begin(&b, "imsic");
    board_set(&b, "files", "2");
    board_realize(&b);
    wr(&b, 0, 4, 70);
    wr(&b, 4, 4, __builtin_bswap32(5));
    wr(&b, IMSIC_PAGE, 4, 9);
    wr(&b, 0, 4, 0);
    wr(&b, 0, 4, 256);
    cr_assert_eq(swap_reg(&b, 0, IMSIC_EIP, 1 << 5), 1 << 5);
    cr_assert_eq(swap_reg(&b, 0, IMSIC_EIP + 2, 1 << 6), 1 << 6);
    cr_assert_eq(imsic_top(b.device, 0), 0, "nothing is enabled");
    swap_reg(&b, 0, IMSIC_EIE, UINT64_MAX);
    swap_reg(&b, 0, IMSIC_EIE + 2, UINT64_MAX);
    cr_assert_eq(swap_reg(&b, 0, IMSIC_EIE, UINT64_MAX), ~UINT64_C(1), "identity 0 does not exist");
    cr_assert_eq(imsic_top(b.device, 0), 5 << 16 | 5);
    cr_assert_not(b.level[0]);
    swap_reg(&b, 0, IMSIC_EIDELIVERY, 1);
    cr_assert(b.level[0] && !b.level[1]);
    swap_reg(&b, 0, IMSIC_EITHRESHOLD, 5);
    cr_assert_not(b.level[0]);
    swap_reg(&b, 0, IMSIC_EITHRESHOLD, 71);
    imsic_claim(b.device, 0);
    cr_assert(b.level[0] && imsic_top(b.device, 0) == (70 << 16 | 70));
    imsic_claim(b.device, 0);
    cr_assert(!b.level[0]);
    cr_assert_not(imsic_access(b.device, 0, IMSIC_EIP + 1, 64, &old, 0, 0), "odd ones are for 32 bits");
    cr_assert(imsic_access(b.device, 1, IMSIC_EIP, 32, &old, 0, 0) && old == 1 << 9);
    cr_assert_not(imsic_access(b.device, 0, 0x71, 64, &old, 0, 0));
    cr_assert_not(imsic_access(b.device, 2, IMSIC_EIP, 64, &old, 0, 0));
    unplug(&b);
}

Test(imsic, state_and_any_access)
{
    struct board a, b;
    uint64_t seed = 6, old;
    board_begin(&a, "imsic");
    board_realize(&a);
    board_begin(&b, "imsic");
    board_realize(&b);
    wr(&a, 0, 4, 200);
    swap_reg(&a, 0, IMSIC_EIE + 6, UINT64_MAX);
    swap_reg(&a, 0, IMSIC_EIDELIVERY, 1);
    transfer(a.device, b.device);
    cr_assert(b.level[0] && imsic_top(b.device, 0) >> 16 == 200);
    for (unsigned i = 0; i < 20000; i++) {
        mem_store(&a.memory, BOARD_WINDOW + (chance(&seed) % 0x1000 & ~3u), 4, chance(&seed) >> chance(&seed) % 64);
        imsic_access(a.device, chance(&seed) % 2, chance(&seed) % 0x120, 32 << chance(&seed) % 2, &old, chance(&seed), chance(&seed));
        imsic_claim(a.device, 0);
    }
    unplug(&a);
    unplug(&b);
}

/* --- APLIC --- */

enum { DOMAINCFG = 0, SOURCECFG = 0, SETIPNUM = 0x1cdc, IN_CLRIP = 0x1d00, SETIENUM = 0x1edc, CLRIENUM = 0x1fdc, GENMSI = 0x3000, TARGET = 0x3000, IDC = 0x4000 };

static void plug_aplic(struct board *b, const char *msi)
{
    board_begin(b, "aplic");
    board_set(b, "harts", "2");
    board_set(b, "msi", msi);
    board_realize(b);
    wr(b, DOMAINCFG, 4, 0x100);
}

Test(aplic, direct_delivery)
{
    struct board b;
    plug_aplic(&b, "off");
    cr_assert_eq(rd(&b, DOMAINCFG, 4), 0x80000100);
    wr(&b, SOURCECFG + 4 * 3, 4, 6);
    wr(&b, SOURCECFG + 4 * 7, 4, 4);
    wr(&b, TARGET + 4 * 3, 4, 1 << 18 | 5);
    wr(&b, TARGET + 4 * 7, 4, 1 << 18);
    cr_assert_eq(rd(&b, TARGET + 4 * 7, 4), 1 << 18 | 1, "priority 0 is 1 (4.5.16.1)");
    wr(&b, SOURCECFG + 4 * 8, 4, 4);
    cr_assert_eq(rd(&b, TARGET + 4 * 8, 4), 1, "a source that becomes active has a priority, too (4.5.2)");
    wr(&b, GENMSI, 4, 1 << 18 | 9);
    cr_assert_eq(rd(&b, GENMSI, 4), 0, "no messages (4.5.15)");
    wr(&b, SETIENUM, 4, 3);
    wr(&b, SETIENUM, 4, 7);
    wr(&b, IDC + 32, 4, 1);
    line(&b, 3, true);
    cr_assert(b.level[1] && !b.level[0]);
    cr_assert_eq(rd(&b, IN_CLRIP, 4), 8);
    line(&b, 7, true);
    line(&b, 7, false);
    cr_assert_eq(rd(&b, IDC + 32 + 0x18, 4), 7 << 16 | 1);
    wr(&b, IDC + 32 + 8, 4, 1);
    cr_assert_not(b.level[1], "below the threshold only");
    wr(&b, IDC + 32 + 8, 4, 0);
    cr_assert_eq(rd(&b, IDC + 32 + 0x1c, 4), 7 << 16 | 1);
    cr_assert_eq(rd(&b, IDC + 32 + 0x1c, 4), 3 << 16 | 5);
    cr_assert(b.level[1], "a level stays");
    line(&b, 3, false);
    cr_assert_not(b.level[1]);
    wr(&b, IDC + 32 + 4, 4, 1);
    cr_assert(b.level[1] && rd(&b, IDC + 32 + 0x1c, 4) == 0 && !b.level[1], "forced once");
    wr(&b, SOURCECFG + 4 * 7, 4, 1);
    wr(&b, SETIPNUM, 4, 7);
    cr_assert(b.level[1], "detached: by software");
    wr(&b, SOURCECFG + 4 * 7, 4, 0);
    cr_assert(!b.level[1] && rd(&b, TARGET + 4 * 7, 4) == 0);
    unplug(&b);
}

struct mailbox {
    uint64_t at[16];
    uint32_t id[16];
    unsigned n;
};

static void mail(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct mailbox *m = device;
    m->at[m->n % 16] = offset;
    m->id[m->n++ % 16] = (uint32_t)value;
}

static const struct mem_ops mail_ops = {.write = mail};

Test(aplic, messages_and_delegation)
{
    struct board b;
    struct mailbox m = {.n = 0};
    struct mem_region box;
    plug_aplic(&b, "on");
    mem_init_io(&box, "imsics", 0x8000000, &mail_ops, &m);
    mem_add(&b.memory, b.memory.root, 0x24000000, &box, 0);
    struct device *child = device_new(device_class_by_name("aplic"), NULL, &b.host);
    cr_assert(!device_set(child, "msi", "on") && !device_set(child, "supervisor", "on") && !device_set(child, "guests", "1") &&
              !device_realize(child));
    aplic_set_child(b.device, child);
    mem_add(&b.memory, b.memory.root, 0x100000, &child->view[0].region, 0);
    cr_assert_eq(mem_store(&b.memory, 0x100000, 4, 0x100), MEM_OK);
    wr(&b, 0x1bc0, 4, 0x24000);
    wr(&b, 0x1bc4, 4, 2 << 12); /* two bits of hart number */
    wr(&b, 0x1bc8, 4, 0x28000);
    wr(&b, 0x1bcc, 4, 1 << 20); /* two pages each */
    wr(&b, SOURCECFG + 4 * 5, 4, 6);
    wr(&b, TARGET + 4 * 5, 4, 1 << 18 | 33);
    line(&b, 5, true);
    cr_assert_eq(m.n, 0);
    wr(&b, SETIENUM, 4, 5);
    cr_assert(m.n == 1 && m.at[0] == 0x1000 && m.id[0] == 33);
    wr(&b, SETIPNUM, 4, 5);
    cr_assert_eq(m.n, 2, "the level is still high");
    line(&b, 5, false);
    wr(&b, SETIPNUM, 4, 5);
    cr_assert_eq(m.n, 2);
    uint64_t v;
    cr_assert(mem_store(&b.memory, 0x100000 + 4 * 9, 4, 4) == MEM_OK && mem_load(&b.memory, 0x100000 + 4 * 9, 4, &v) == MEM_OK && v == 0);
    wr(&b, SOURCECFG + 4 * 9, 4, 0x400);
    mem_store(&b.memory, 0x100000 + 4 * 9, 4, 4);
    mem_store(&b.memory, 0x100000 + TARGET + 4 * 9, 4, 1 << 18 | 1 << 12 | 44);
    mem_store(&b.memory, 0x100000 + SETIENUM, 4, 9);
    line(&b, 9, true);
    cr_assert(m.n == 3 && m.at[2] == 0x4003000 && m.id[2] == 44, "hart 1, guest 1");
    mem_store(&b.memory, 0x100000 + TARGET + 4 * 9, 4, 1 << 18 | 2 << 12 | 44);
    cr_assert(mem_load(&b.memory, 0x100000 + TARGET + 4 * 9, 4, &v) == MEM_OK && v == (1 << 18 | 44), "there is no guest 2 (4.5.16.2)");
    wr(&b, TARGET + 4 * 5, 4, 1 << 18 | 1 << 12 | 1 << 11 | 33);
    cr_assert_eq(rd(&b, TARGET + 4 * 5, 4), 1 << 18 | 33, "machine level has no guests (4.5.16.2)");
    wr(&b, DOMAINCFG, 4, 0);
    wr(&b, GENMSI, 4, 1 << 18 | 1 << 12 | 55);
    cr_assert(m.n == 4 && m.at[3] == 0x1000 && m.id[3] == 55, "whether the domain delivers or not (4.5.15)");
    cr_assert_eq(rd(&b, GENMSI, 4), 1 << 18 | 55, "not busy");
    wr(&b, SETIPNUM, 4, 0);
    wr(&b, SETIPNUM, 4, APLIC_MAX_SOURCES);
    wr(&b, 0x2000, 4, 0);
    cr_assert(rd(&b, 0x1c00, 4) == 0 && m.n == 4, "no sources (4.5.6)");
    wr(&b, DOMAINCFG, 4, 0x100);
    wr(&b, SOURCECFG + 4 * 9, 4, 0);
    cr_assert(mem_load(&b.memory, 0x100000 + 4 * 9, 4, &v) == MEM_OK && v == 0, "taken back");
    fuzz_registers(&b, 30000, 12);
    mem_remove(&b.memory, &child->view[0].region);
    mem_remove(&b.memory, &box);
    device_free(child);
    unplug(&b);
}

Test(aplic, state_and_any_access)
{
    struct board a, b;
    plug_aplic(&a, "off");
    plug_aplic(&b, "off");
    wr(&a, SOURCECFG + 4 * 3, 4, 6);
    wr(&a, SETIENUM, 4, 3);
    wr(&a, IDC, 4, 1);
    line(&a, 3, true);
    transfer(a.device, b.device);
    cr_assert(b.level[0] && rd(&b, IDC + 0x1c, 4) == (3 << 16 | 1));
    uint64_t seed = 31;
    for (unsigned i = 0; i < 100; i++) {
        fuzz_registers(&a, 200, chance(&seed));
        line(&a, chance(&seed) % APLIC_MAX_SOURCES, chance(&seed) % 2);
    }
    unplug(&a);
    unplug(&b);
}
