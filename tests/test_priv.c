/*
 * The privileged architecture of RISC-V, each part against the manual's words: register access, traps and returns,
 * interrupts, page tables, and physical memory protection against a model that looks at each byte.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "exec/target.h"
#include "targets/riscv/priv/priv.h"

enum { MEMORY = 1 << 20, BASE = 0x80000000 };

static struct board {
    uint64_t time;
    unsigned timers, flushes;
    uint8_t memory[MEMORY];
    unsigned failing_swaps;
} board;

static uint64_t board_time(void *opaque) { return board.time; }
static void board_timer(void *opaque, struct rv_hart *h) { board.timers++; }
static void board_flush(void *opaque, struct rv_hart *h, bool mapped) { board.flushes++; }

static bool board_load(void *opaque, const struct rv_hart *h, uint64_t address, uint64_t *value)
{
    if (address < BASE || address - BASE > MEMORY - 8)
        return false;
    memcpy(value, board.memory + (address - BASE), 8);
    return true;
}

static bool board_swap(void *opaque, uint64_t address, uint64_t old, uint64_t new)
{
    uint64_t now;
    if (board.failing_swaps) {
        board.failing_swaps--;
        return false;
    }
    cr_assert(board_load(NULL, NULL, address, &now) && now == old);
    memcpy(board.memory + (address - BASE), &new, 8);
    return true;
}

static void board_flush_page(void *opaque, struct rv_hart *h, uint64_t address) { board.flushes++; }

static const struct rv_environment env = {board_time, board_timer, board_load, board_swap, board_flush, board_flush_page, NULL, NULL, NULL, NULL};

/* Interrupt files of a hart that have one register, 0x70, and one identity pending. */
static struct {
    uint64_t reg[4];
    uint32_t top[4];
} imsic;

static bool board_imsic(void *opaque, const struct rv_hart *h, enum rv_privilege level, unsigned select, uint64_t *old, uint64_t value,
                        uint64_t mask)
{
    *old = imsic.reg[level];
    imsic.reg[level] = (*old & ~mask) | (value & mask);
    return select == 0x70;
}

static uint32_t board_top(void *opaque, const struct rv_hart *h, enum rv_privilege level, bool claim)
{
    uint32_t top = imsic.top[level] << 16 | imsic.top[level];
    if (claim)
        imsic.top[level] = 0;
    return top;
}

static const struct rv_environment env_aia = {board_time,       board_timer, board_load,  board_swap, board_flush,
                                              board_flush_page, NULL,        board_imsic, board_top,  NULL};

static struct rv_hart hart;

static struct rv_hart *fresh(enum rv_privilege privilege)
{
    memset(&hart, 0, sizeof hart);
    memset(&board, 0, sizeof board);
    hart.env = &env;
    rv_reset_hart(&hart);
    rv_write_pmpaddr(&hart, 0, UINT64_MAX);
    rv_write_pmpcfg(&hart, 0, 0x1f); /* everything for everybody */
    hart.privilege = privilege;
    return &hart;
}

static uint64_t get(unsigned csr)
{
    uint64_t v;
    cr_assert(rv_access_csr(&hart, csr, RV_CSR_SET, true, false, 0, &v), "read %x", csr);
    return v;
}

static void put(unsigned csr, uint64_t v)
{
    uint64_t old;
    cr_assert(rv_access_csr(&hart, csr, RV_CSR_WRITE, false, true, v, &old), "write %x", csr);
}

static bool may_read(unsigned csr)
{
    uint64_t v;
    return rv_access_csr(&hart, csr, RV_CSR_SET, true, false, 0, &v);
}

static bool may_write(unsigned csr)
{
    uint64_t v;
    return rv_access_csr(&hart, csr, RV_CSR_WRITE, false, true, 0, &v);
}

enum {
    SSTATUS = 0x100, SIE = 0x104, STVEC = 0x105, SCOUNTEREN = 0x106, SENVCFG = 0x10a, SSTATEEN0 = 0x10c, SIP = 0x144, STIMECMP = 0x14d,
    SATP = 0x180, MSTATUS = 0x300, MIDELEG = 0x303, MIE = 0x304, MTVEC = 0x305, MCOUNTEREN = 0x306, MENVCFG = 0x30a,
    MSTATEEN0 = 0x30c, MEPC = 0x341, MIP = 0x344, PMPCFG0 = 0x3a0, PMPADDR0 = 0x3b0, CYCLE = 0xc00, TIME = 0xc01, MHARTID = 0xf14,
};

/* --- registers --- */

Test(csr, numbers_say_who_may)
{
    for (unsigned n = 0; n < 0x1000; n++) {
        fresh(RV_MACHINE);
        hart.mstatus |= RV_MSTATUS_FS;
        bool exists = may_read(n);
        cr_assert_eq(may_write(n), exists && n >> 10 != 3, "%x", n);
        fresh(RV_SUPERVISOR);
        hart.mstatus |= RV_MSTATUS_FS;
        hart.mcounteren = hart.scounteren = UINT32_MAX;
        hart.menvcfg = RV_ENVCFG_STCE;
        for (unsigned i = 0; i < 4; i++)
            hart.mstateen[i] = UINT64_MAX;
        cr_assert_eq(may_read(n), exists && (n >> 8 & 3) <= RV_SUPERVISOR, "%x", n);
        hart.privilege = RV_USER;
        cr_assert_eq(may_read(n), exists && (n >> 8 & 3) == RV_USER, "%x", n);
    }
}

Test(csr, enables_close_registers_to_lower_modes)
{
    static const struct {
        unsigned csr;
        enum rv_privilege who;
    } closed[] = {{TIME, RV_SUPERVISOR}, {CYCLE, RV_USER}, {STIMECMP, RV_SUPERVISOR}, {SENVCFG, RV_SUPERVISOR}, {SSTATEEN0, RV_SUPERVISOR}, {3, RV_MACHINE}};
    for (unsigned i = 0; i < ARRAY_SIZE(closed); i++) {
        fresh(closed[i].who);
        cr_assert_not(may_read(closed[i].csr), "%x", closed[i].csr);
    }
    fresh(RV_SUPERVISOR);
    hart.mcounteren = 2;
    cr_assert(may_read(TIME) && !may_read(CYCLE));
    hart.privilege = RV_USER;
    cr_assert_not(may_read(TIME));
    hart.scounteren = 2;
    cr_assert(may_read(TIME));
    fresh(RV_SUPERVISOR);
    hart.mstatus |= RV_MSTATUS_TVM;
    cr_assert(!may_read(SATP) && !rv_may_fence(&hart));
}

Test(csr, legal_values_only)
{
    fresh(RV_MACHINE);
    put(MSTATUS, UINT64_MAX);
    cr_assert_eq(get(MSTATUS), UINT64_C(0x8000000a007e79aa), "%llx", (unsigned long long)get(MSTATUS));
    put(MSTATUS, (UINT64_C(2) << 11) | (UINT64_C(1) << 13));
    cr_assert_eq(get(MSTATUS) & RV_MSTATUS_MPP, RV_MSTATUS_MPP, "no mode 2: MPP stays");
    cr_assert_eq(get(MSTATUS) & RV_MSTATUS_FS, RV_MSTATUS_FS, "on is dirty");
    cr_assert_eq(get(SSTATUS), (RV_MSTATUS_SD | RV_MSTATUS_UXL | RV_MSTATUS_FS));
    put(MIDELEG, UINT64_MAX);
    cr_assert_eq(get(MIDELEG), 0x222);
    put(MIE, UINT64_MAX);
    cr_assert_eq(get(MIE), 0xaaa);
    cr_assert_eq(get(SIE), 0x222);
    put(SIE, 0);
    cr_assert_eq(get(MIE), 0x888);
    put(MTVEC, UINT64_MAX);
    cr_assert_eq(get(MTVEC), ~UINT64_C(2));
    put(MEPC, UINT64_MAX);
    cr_assert_eq(get(MEPC), ~UINT64_C(1));
    board.flushes = 0;
    put(SATP, UINT64_C(9) << 60 | 0x1234);
    cr_assert_eq(board.flushes, 1);
    put(SATP, UINT64_C(5) << 60 | 0x5678);
    cr_assert_eq(get(SATP), UINT64_C(9) << 60 | 0x1234);
    cr_assert_eq(get(0x301), UINT64_C(0x800000000014112d));
}

Test(csr, software_bits_and_wires_of_mip)
{
    uint64_t old;
    fresh(RV_MACHINE);
    hart.lines = RV_IRQ(RV_IRQ_SEXT) | RV_IRQ(RV_IRQ_MTIMER);
    cr_assert_eq(get(MIP), RV_IRQ(RV_IRQ_SEXT) | RV_IRQ(RV_IRQ_MTIMER));
    cr_assert(rv_access_csr(&hart, MIP, RV_CSR_SET, true, true, RV_IRQ(RV_IRQ_STIMER), &old));
    cr_assert_eq(old, RV_IRQ(RV_IRQ_SEXT) | RV_IRQ(RV_IRQ_MTIMER));
    hart.lines = 0;
    cr_assert_eq(get(MIP), RV_IRQ(RV_IRQ_STIMER), "the wire was not taken for the software's bit");
    put(MIP, UINT64_MAX);
    cr_assert_eq(get(MIP), RV_IRQS_S);
    put(MIP, 0);
    hart.mideleg = RV_IRQ(RV_IRQ_SSOFT);
    put(SIP, UINT64_MAX);
    cr_assert_eq(get(MIP), RV_IRQ(RV_IRQ_SSOFT));
    put(MENVCFG, UINT64_MAX);
    cr_assert_eq(get(MENVCFG), RV_ENVCFG_STCE | RV_ENVCFG_PBMTE | RV_ENVCFG_ADUE | 0xf1);
    put(STIMECMP, 100);
    cr_assert_eq(board.timers, 2);
    board.time = 99;
    cr_assert_not(get(MIP) & RV_IRQ(RV_IRQ_STIMER));
    board.time = 100;
    cr_assert(get(MIP) & RV_IRQ(RV_IRQ_STIMER));
}

/* --- traps --- */

Test(trap, delegation_and_return)
{
    fresh(RV_USER);
    hart.cpu.cpu.pc = 0x1000;
    hart.stvec = 0x2001;
    hart.mtvec = 0x3000;
    hart.medeleg = UINT64_C(1) << RV_LOAD_PAGE;
    hart.mstatus |= RV_MSTATUS_SIE;
    rv_raise(&hart, RV_LOAD_PAGE, 0xdead);
    cr_assert(hart.privilege == RV_SUPERVISOR && hart.cpu.cpu.pc == 0x2000 && hart.sepc == 0x1000 && hart.stval == 0xdead && hart.scause == 13);
    cr_assert_eq(hart.mstatus & (RV_MSTATUS_SIE | RV_MSTATUS_SPIE | RV_MSTATUS_SPP), RV_MSTATUS_SPIE);
    rv_raise(&hart, RV_ILLEGAL, 0x5555);
    cr_assert(hart.privilege == RV_MACHINE && hart.cpu.cpu.pc == 0x3000 && hart.mepc == 0x2000 && hart.mtval == 0x5555 && hart.mcause == 2);
    cr_assert_eq(hart.mstatus & RV_MSTATUS_MPP, UINT64_C(1) << 11);
    hart.mstatus |= RV_MSTATUS_MPRV;
    cr_assert(rv_return(&hart, RV_MACHINE));
    cr_assert(hart.privilege == RV_SUPERVISOR && hart.cpu.cpu.pc == 0x2000 && !(hart.mstatus & (RV_MSTATUS_MPRV | RV_MSTATUS_MPP)));
    cr_assert_not(rv_return(&hart, RV_MACHINE));
    cr_assert(rv_return(&hart, RV_SUPERVISOR));
    cr_assert(hart.privilege == RV_USER && hart.cpu.cpu.pc == 0x1000 && hart.mstatus & RV_MSTATUS_SIE);
    cr_assert_not(rv_return(&hart, RV_SUPERVISOR));
    hart.privilege = RV_SUPERVISOR;
    hart.mstatus |= RV_MSTATUS_TSR;
    cr_assert_not(rv_return(&hart, RV_SUPERVISOR));
    cr_assert(rv_may_wait(&hart));
    hart.mstatus |= RV_MSTATUS_TW;
    cr_assert_not(rv_may_wait(&hart));
    /* traps are never delegated downwards */
    hart.privilege = RV_MACHINE;
    rv_raise(&hart, RV_LOAD_PAGE, 0);
    cr_assert(hart.privilege == RV_MACHINE && hart.mcause == 13);
}

/* Which interrupt is taken, by 3.1.9: destination modes first, then the order MEI MSI MTI SEI SSI STI. */
Test(trap, interrupts_by_mode_and_order)
{
    static const uint8_t order[] = {11, 3, 7, 9, 1, 5};
    for (unsigned p = 0; p < 3; p++)
        for (unsigned enables = 0; enables < 4; enables++)
            for (unsigned pending = 0; pending < 64; pending++)
                for (unsigned delegated = 0; delegated < 8; delegated++) {
                    static const enum rv_privilege modes[] = {RV_USER, RV_SUPERVISOR, RV_MACHINE};
                    fresh(modes[p]);
                    hart.mstatus |= (enables & 1 ? RV_MSTATUS_SIE : 0) | (enables & 2 ? RV_MSTATUS_MIE : 0);
                    hart.mie = 0xaaa;
                    for (unsigned i = 0; i < 6; i++)
                        if (pending >> i & 1)
                            hart.lines |= RV_IRQ(order[i]);
                    for (unsigned i = 0; i < 3; i++)
                        if (delegated >> i & 1)
                            hart.mideleg |= RV_IRQ(order[3 + i]);
                    int want = -1;
                    for (unsigned destination = 2; destination > 0 && want < 0; destination--)
                        for (unsigned i = 0; i < 6 && want < 0; i++) {
                            unsigned goes = hart.mideleg >> order[i] & 1 ? 1 : 2;
                            bool on = goes > p || (goes == p && enables >> (goes - 1) & 1);
                            if (pending >> i & 1 && goes == destination && on)
                                want = order[i];
                        }
                    enum rv_interrupt which;
                    enum rv_privilege to;
                    bool any = rv_next_interrupt(&hart, &which, &to);
                    cr_assert_eq(any ? (int)which : -1, want);
                    cr_assert(!any || to == (hart.mideleg >> want & 1 ? RV_SUPERVISOR : RV_MACHINE));
                }
    fresh(RV_USER);
    hart.mideleg = 0x222;
    hart.stvec = 0x4001;
    hart.cpu.cpu.pc = 0x77;
    rv_interrupt(&hart, RV_IRQ_STIMER, RV_SUPERVISOR);
    cr_assert(hart.cpu.cpu.pc == 0x4014 && hart.scause == (UINT64_C(1) << 63 | 5) && hart.sepc == 0x77);
}

/* --- the Advanced Interrupt Architecture --- */

enum { MVIEN = 0x308, MVIP = 0x309, MISELECT = 0x350, MIREG = 0x351, MTOPEI = 0x35c, SISELECT = 0x150, SIREG = 0x151, STOPEI = 0x15c,
       STOPI = 0xdb0, MTOPI = 0xfb0 };

static void fresh_aia(enum rv_privilege privilege)
{
    fresh(privilege);
    memset(&imsic, 0, sizeof imsic);
    hart.env = &env_aia;
    hart.mstateen[0] = UINT64_MAX;
}

Test(aia, registers_come_with_an_imsic)
{
    static const uint16_t numbers[] = {MVIEN, MVIP, MISELECT, MTOPEI, SISELECT, STOPEI, STOPI, MTOPI};
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        fresh(RV_MACHINE);
        cr_assert_not(may_read(numbers[i]));
        fresh_aia(RV_MACHINE);
        cr_assert(may_read(numbers[i]));
        hart.privilege = RV_SUPERVISOR;
        cr_assert_eq(may_read(numbers[i]), (numbers[i] >> 8 & 3) == 1);
    }
    for (unsigned bit = 58; bit <= 60; bit++) {
        fresh_aia(RV_SUPERVISOR);
        hart.siselect = 0x70;
        hart.mstateen[0] = ~(UINT64_C(1) << bit);
        cr_assert_eq(may_read(STOPEI), bit != 58);
        cr_assert_eq(may_read(STOPI), bit != 59);
        cr_assert_eq(may_read(SISELECT), bit != 60);
        cr_assert_eq(may_read(SIREG), bit == 59);
    }
    fresh(RV_MACHINE);
    put(MSTATEEN0, UINT64_MAX);
    cr_assert_eq(get(MSTATEEN0), UINT64_C(3) << 62);
}

/* The order of table 5.1 of the AIA's specification, for interrupts machine mode makes up, which has no numbers. */
Test(aia, default_order)
{
    static const uint8_t order[] = {63, 31, 62, 61, 30, 60, 59, 29, 58, 57, 28, 56, 47, 23, 46, 45, 22, 44, 43, 21, 42, 41, 20, 40, 9, 1, 13,
                                    39, 19, 38, 37, 18, 36, 35, 17, 34, 33, 16, 32, 55, 27, 54, 53, 26, 52, 51, 25, 50, 49, 24, 48};
    enum rv_interrupt which;
    enum rv_privilege to;
    fresh_aia(RV_MACHINE);
    put(MVIEN, UINT64_MAX);
    put(MVIP, UINT64_MAX);
    put(SIE, UINT64_MAX);
    hart.privilege = RV_USER;
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        cr_assert(rv_next_interrupt(&hart, &which, &to) && which == order[i] && to == RV_SUPERVISOR, "%u: %u", i, which);
        hart.mvip &= ~RV_IRQ(order[i]);
    }
    cr_assert_not(rv_next_interrupt(&hart, &which, &to));
}

Test(aia, priority_numbers)
{
    uint64_t old;
    fresh_aia(RV_MACHINE);
    put(MISELECT, 0x30);
    put(MIREG, UINT64_MAX);
    cr_assert_eq(get(MIREG), UINT64_C(0xff00ff00ff00ff00), "interrupts 1, 3, 5, 7");
    put(MISELECT, 0x32);
    put(MIREG, UINT64_MAX);
    cr_assert_eq(get(MIREG), 0xff00, "9; 11 has the file's");
    put(MISELECT, 0x31);
    cr_assert_not(may_read(MIREG));
    put(SISELECT, 0x32);
    put(SIREG, UINT64_MAX);
    cr_assert_eq(get(SIREG), UINT64_C(0x0000ff0000000000), "13");
    put(SISELECT, 0x30);
    put(SIREG, 20 << 8);
    hart.lines = RV_IRQ(RV_IRQ_SEXT) | RV_IRQ(RV_IRQ_STIMER);
    hart.soft = RV_IRQ(RV_IRQ_SSOFT);
    hart.mie = hart.mideleg = RV_IRQS_S;
    imsic.top[RV_SUPERVISOR] = 21;
    cr_assert_eq(get(STOPI), 1 << 16 | 20);
    imsic.top[RV_SUPERVISOR] = 20;
    cr_assert_eq(get(STOPI), 9 << 16 | 20, "equal: the default order");
    imsic.top[RV_SUPERVISOR] = 300;
    hart.soft = 0;
    cr_assert_eq(get(STOPI), 9 << 16 | 255, "beyond all numbers: the default order again");
    cr_assert_eq(get(STOPEI), 300 << 16 | 300);
    cr_assert(rv_access_csr(&hart, STOPEI, RV_CSR_SET, true, true, 0, &old) && old == (300 << 16 | 300) && get(STOPEI) == 0, "claimed");
    cr_assert_eq(get(MTOPI), 0);
    hart.mideleg = 0;
    cr_assert_eq(get(STOPI), 0);
    cr_assert_eq(get(MTOPI), 9 << 16 | 255, "what the array says, in the default order");
}

Test(aia, made_up_interrupts)
{
    uint64_t old;
    fresh_aia(RV_MACHINE);
    put(MVIP, RV_IRQ(RV_IRQ_SSOFT) | RV_IRQ(RV_IRQ_SEXT) | RV_IRQ(RV_IRQ_STIMER));
    cr_assert_eq(get(MIP), RV_IRQS_S, "other names for mip's bits");
    cr_assert_eq(get(MVIP), RV_IRQS_S);
    put(MVIEN, UINT64_MAX);
    cr_assert_eq(get(MVIEN), RV_IRQS_VIRTUAL);
    cr_assert_eq(get(MIP), RV_IRQ(RV_IRQ_SSOFT) | RV_IRQ(RV_IRQ_STIMER), "the software's bit 9 is off");
    cr_assert_eq(get(MVIP), RV_IRQ(RV_IRQ_STIMER), "bits of its own");
    put(MVIP, RV_IRQ(20) | RV_IRQ(RV_IRQ_SEXT));
    cr_assert_eq(get(SIP), RV_IRQ(20) | RV_IRQ(RV_IRQ_SEXT));
    cr_assert(rv_access_csr(&hart, SIP, RV_CSR_SET, true, true, RV_IRQ(30), &old));
    cr_assert_eq(get(MVIP), RV_IRQ(20) | RV_IRQ(30) | RV_IRQ(RV_IRQ_SEXT));
    put(SIP, 0);
    cr_assert_eq(get(MVIP), RV_IRQ(RV_IRQ_SEXT), "supervisor mode does not change bit 9");
    cr_assert_not(rv_wakes(&hart));
    put(SIE, UINT64_MAX);
    cr_assert_eq(get(SIE), RV_IRQS_VIRTUAL);
    cr_assert_eq(get(MIE), 0);
    cr_assert(rv_wakes(&hart));
    hart.siselect = 0x70;
    hart.privilege = RV_SUPERVISOR;
    cr_assert(!may_read(STOPEI) && !may_read(SIREG) && may_read(STOPI));
    hart.siselect = 0x30;
    cr_assert(may_read(SIREG));
    hart.mvien = 0;
    hart.siselect = 0x70;
    cr_assert(may_read(STOPEI) && may_read(SIREG));
}

/* --- page tables --- */

enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128, LEAF = V | R | W | X | A | D };

static void poke(uint64_t address, uint64_t v) { memcpy(board.memory + (address - BASE), &v, 8); }
static uint64_t peek(uint64_t address)
{
    uint64_t v;
    memcpy(&v, board.memory + (address - BASE), 8);
    return v;
}
static uint64_t pte(uint64_t address, uint64_t bits) { return address >> 12 << 10 | bits; }

/*
 * Tables at BASE, BASE + 4096…, one per level, all on the path of va; returns where the entry of `leaf_level` stands.
 */
static uint64_t path(unsigned levels, uint64_t va, unsigned leaf_level)
{
    uint64_t table = BASE, at;
    for (unsigned level = levels - 1;; level--, table += 4096) {
        at = table + 8 * (va >> (12 + 9 * level) & 511);
        if (level == leaf_level)
            break;
        poke(at, pte(table + 4096, V));
    }
    hart.satp = (UINT64_C(5) + levels) << 60 | BASE >> 12;
    return at;
}

static int try(enum rv_privilege p, bool sum, uint64_t va, enum rv_access access, struct rv_translation *t)
{
    return rv_translate_address(&hart, (struct rv_view){p, sum}, va, 1, access, t) ? -1 : (int)t->cause;
}

Test(mmu, every_scheme_and_page_size)
{
    for (unsigned levels = 3; levels <= 5; levels++)
        for (unsigned level = 0; level < levels; level++) {
            fresh(RV_SUPERVISOR);
            struct rv_translation t;
            uint64_t page = UINT64_C(1) << (12 + 9 * level), va = (UINT64_C(0x2a) << (3 + 9 * levels)) / 8 * 4;
            va = (va & ~(page - 1)) | 0xabc;
            uint64_t at = path(levels, va, level), target = UINT64_C(3) << (12 + 9 * level);
            poke(at, pte(target, LEAF));
            cr_assert_eq(try(RV_SUPERVISOR, false, va, RV_LOAD, &t), -1, "%u levels, level %u", levels, level);
            cr_assert_eq(t.address, target + 0xabc);
            cr_assert(t.load && t.store && t.fetch && t.first == (va & ~(page - 1)) && t.last == (va | (page - 1)));
            cr_assert_eq(try(RV_SUPERVISOR, false, va ^ UINT64_C(1) << 63, RV_LOAD, &t), RV_LOAD_PAGE, "sign extension");
            if (level) {
                poke(at, pte(target + 4096, LEAF));
                cr_assert_eq(try(RV_SUPERVISOR, false, va, RV_STORE, &t), RV_STORE_PAGE, "misaligned superpage");
            } else {
                poke(at, pte(target, V));
                cr_assert_eq(try(RV_SUPERVISOR, false, va, RV_FETCH, &t), RV_FETCH_PAGE, "a table below the last level");
            }
        }
}

Test(mmu, permissions_by_mode)
{
    for (unsigned bits = 0; bits < 16; bits++)
        for (unsigned view = 0; view < 3; view++)
            for (unsigned mxr = 0; mxr < 2; mxr++) {
                fresh(RV_SUPERVISOR);
                bool r = bits & 1, w = bits & 2, x = bits & 4, user = bits & 8;
                bool as_user = view == 0, sum = view == 2;
                hart.mstatus |= mxr ? RV_MSTATUS_MXR : 0;
                uint64_t at = path(3, 0x1000, 0);
                poke(at, pte(0x80005000, V | A | D | (r ? R : 0) | (w ? W : 0) | (x ? X : 0) | (user ? U : 0)));
                bool leaf = (r || x) && !(w && !r), mine = as_user ? user : !user;
                bool data = leaf && (mine || (!as_user && user && sum));
                enum rv_privilege p = as_user ? RV_USER : RV_SUPERVISOR;
                struct rv_translation t;
                cr_assert_eq(try(p, sum, 0x1000, RV_LOAD, &t), data && (r || (x && mxr)) ? -1 : RV_LOAD_PAGE, "bits %u view %u", bits, view);
                cr_assert_eq(try(p, sum, 0x1000, RV_STORE, &t), data && w ? -1 : RV_STORE_PAGE, "bits %u view %u", bits, view);
                cr_assert_eq(try(p, sum, 0x1000, RV_FETCH, &t), leaf && mine && x ? -1 : RV_FETCH_PAGE, "bits %u view %u", bits, view);
            }
}

Test(mmu, accessed_and_dirty)
{
    struct rv_translation t;
    fresh(RV_SUPERVISOR);
    uint64_t at = path(3, 0x1000, 0);
    poke(at, pte(0x80005000, V | R | W));
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x1000, RV_LOAD, &t), RV_LOAD_PAGE, "not accessed: a fault");
    poke(at, pte(0x80005000, V | R | W | A));
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x1000, RV_LOAD, &t), -1);
    cr_assert_not(t.store, "a clean page is not written without another look");
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x1000, RV_STORE, &t), RV_STORE_PAGE);
    hart.menvcfg = RV_ENVCFG_ADUE;
    poke(at, pte(0x80005000, V | R | W));
    board.failing_swaps = 2;
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x1000, RV_LOAD, &t), -1);
    cr_assert_eq(peek(at), pte(0x80005000, V | R | W | A));
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x1000, RV_STORE, &t), -1);
    cr_assert(t.store && peek(at) == pte(0x80005000, V | R | W | A | D));
}

Test(mmu, napot_types_and_reserved_bits)
{
    struct rv_translation t;
    fresh(RV_SUPERVISOR);
    uint64_t at = path(3, 0x17000, 0), n = UINT64_C(1) << 63;
    poke(at, pte(0x80048000, LEAF) | n);
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x17123, RV_LOAD, &t), -1);
    cr_assert(t.address == 0x80047123 && t.first == 0x10000 && t.last == 0x1ffff);
    poke(at, pte(0x80044000, LEAF) | n);
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x17123, RV_LOAD, &t), RV_LOAD_PAGE);
    poke(at, pte(0x80048000, LEAF) | UINT64_C(1) << 61);
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x17123, RV_LOAD, &t), RV_LOAD_PAGE, "Svpbmt is off");
    hart.menvcfg = RV_ENVCFG_PBMTE;
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x17123, RV_LOAD, &t), -1);
    poke(at, pte(0x80048000, LEAF) | UINT64_C(3) << 61);
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x17123, RV_LOAD, &t), RV_LOAD_PAGE);
    for (unsigned bit = 54; bit < 61; bit++) {
        poke(at, pte(0x80048000, LEAF) | UINT64_C(1) << bit);
        cr_assert_eq(try(RV_SUPERVISOR, false, 0x17123, RV_LOAD, &t), RV_LOAD_PAGE);
    }
    hart.satp = UINT64_C(8) << 60 | 0x1000;
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x17123, RV_FETCH, &t), RV_FETCH_ACCESS, "no memory for the tables");
}

Test(mmu, views)
{
    fresh(RV_MACHINE);
    cr_assert_eq(rv_data_view(&hart).privilege, RV_MACHINE);
    hart.mstatus |= RV_MSTATUS_MPRV | UINT64_C(1) << 11 | RV_MSTATUS_SUM;
    cr_assert(rv_data_view(&hart).privilege == RV_SUPERVISOR && rv_data_view(&hart).sum);
    cr_assert_eq(rv_fetch_view(&hart).privilege, RV_MACHINE);
}

/* --- physical memory protection --- */

static uint64_t random_state = 0x123456789abcdef;
static uint64_t rnd(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* Does entry i hold the byte? By the definition in 3.7.1. */
static bool holds(unsigned i, uint64_t byte)
{
    uint64_t a = hart.pmpaddr[i], word = byte >> 2;
    switch (hart.pmpcfg[i] >> 3 & 3) {
    case 1: return word >= (i ? hart.pmpaddr[i - 1] : 0) && word < a;
    case 2: return word == a;
    case 3:
        for (; a & 1; a >>= 1)
            word >>= 1;
        return word >> 1 == a >> 1;
    default: return false;
    }
}

Test(pmp, against_a_model_by_bytes)
{
    for (unsigned round = 0; round < 3000; round++) {
        fresh(RV_MACHINE);
        for (unsigned i = 0; i < RV_PMP_ENTRIES; i++) {
            rv_write_pmpcfg(&hart, i, 0);
            rv_write_pmpaddr(&hart, i, rnd(2) ? rnd(64) : rnd(64) | ((UINT64_C(1) << rnd(6)) - 1));
        }
        for (unsigned i = 0; i < RV_PMP_ENTRIES; i++)
            rv_write_pmpcfg(&hart, i, rnd(3) ? 0 : (uint8_t)rnd(256));
        unsigned size = 1u << rnd(4);
        uint64_t at = rnd(280 / size) * size;
        static const enum rv_privilege modes[] = {RV_USER, RV_SUPERVISOR, RV_MACHINE};
        enum rv_privilege p = modes[rnd(3)];
        enum rv_access access = (enum rv_access)rnd(3);
        bool want = p == RV_MACHINE;
        for (unsigned i = 0; i < RV_PMP_ENTRIES; i++) {
            unsigned n = 0;
            for (unsigned k = 0; k < size; k++)
                n += holds(i, at + k);
            if (!n)
                continue;
            uint8_t c = hart.pmpcfg[i], bit = access == RV_LOAD ? 1 : access == RV_STORE ? 2 : 4;
            want = n == size && ((p == RV_MACHINE && !(c & 0x80)) || c & bit);
            break;
        }
        uint64_t first, last;
        cr_assert_eq(rv_pmp_allows(&hart, p, at, size, access, &first, &last), want, "round %u", round);
        bool partly = false;
        for (unsigned k = 1; k < size; k++)
            for (unsigned i = 0; i < RV_PMP_ENTRIES; i++)
                partly |= holds(i, at) != holds(i, at + k);
        if (partly) /* the answer is for this access only */
            continue;
        cr_assert(first <= at && last >= at);
        for (uint64_t byte = first; byte <= last && byte < 300; byte++) {
            uint64_t f, l;
            bool all = last - byte >= size - 1;
            cr_assert(!all || rv_pmp_allows(&hart, p, byte, size, access, &f, &l) == want, "round %u byte %d", round, (int)byte);
        }
    }
}

Test(pmp, locks_and_tables_in_protected_memory)
{
    fresh(RV_MACHINE);
    rv_write_pmpaddr(&hart, 2, 0x100);
    rv_write_pmpaddr(&hart, 3, 0x200);
    rv_write_pmpcfg(&hart, 3, 0x80 | 8 | 1);
    rv_write_pmpaddr(&hart, 3, 0);
    rv_write_pmpaddr(&hart, 2, 0);
    rv_write_pmpcfg(&hart, 3, 0);
    cr_assert(hart.pmpaddr[3] == 0x200 && hart.pmpaddr[2] == 0x100 && hart.pmpcfg[3] == 0x89);
    put(PMPCFG0, 0x1f1f);
    cr_assert_eq(get(PMPCFG0), 0x89001f1f);
    cr_assert_not(may_read(PMPCFG0 + 1));

    struct rv_translation t;
    fresh(RV_SUPERVISOR);
    uint64_t at = path(3, 0x1000, 0);
    poke(at, pte(0x80005000, LEAF));
    rv_write_pmpaddr(&hart, 0, (at >> 2) | 511);
    rv_write_pmpcfg(&hart, 0, 0x18);
    rv_write_pmpaddr(&hart, 1, UINT64_MAX);
    rv_write_pmpcfg(&hart, 1, 0x1f);
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x1000, RV_STORE, &t), RV_STORE_ACCESS);
    rv_write_pmpaddr(&hart, 0, 0x80005800 >> 2 | 0xff);
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x1000, RV_STORE, &t), -1);
    cr_assert(t.first == 0x1000 && t.last == 0x17ff, "half of the page is somebody else's");
    cr_assert_eq(try(RV_SUPERVISOR, false, 0x1800, RV_LOAD, &t), RV_LOAD_ACCESS);
}

/* --- counted instructions --- */

static struct {
    uint64_t cycles, instructions;
} counted;

static bool board_count(void *opaque, const struct rv_hart *h, uint64_t *cycles, uint64_t *instructions)
{
    *cycles = counted.cycles;
    *instructions = counted.instructions;
    return true;
}

Test(csr, retired_instructions_go_on_in_another_process)
{
    enum { INSTRET = 0xc02 };
    struct rv_environment counts = env;
    counts.count = board_count;
    fresh(RV_MACHINE)->env = &counts;
    counted.cycles = 5000;
    counted.instructions = 1000;
    rv_raise(&hart, RV_ILLEGAL, 0);
    cr_expect_eq(get(INSTRET), 999, "what raises an exception does not retire");
    cr_expect_eq(get(CYCLE), 5000);
    target_riscv64_system.system->saving(&hart.cpu.cpu);
    uint64_t saved = hart.instret;
    fresh(RV_MACHINE)->env = &counts;
    counted.instructions = 7;
    hart.instret = saved;
    target_riscv64_system.system->loaded(&hart.cpu.cpu);
    cr_expect_eq(get(INSTRET), 999);
    counted.instructions++;
    cr_expect_eq(get(INSTRET), 1000);
}
