/* Exceptions and modes: which there are, what they say, where they go. */
#include "lib.h"

static volatile uint64_t cause, value, pc, count;

/* Skips the instruction (two or four bytes), or leaves the mode that an ECALL came from. */
void trap(struct frame *f)
{
    cause = read_csr(mcause);
    value = read_csr(mtval);
    pc = read_csr(mepc);
    count++;
    if (came_back(f))
        return;
    uint64_t length = 4;
    if (cause != 1 && cause != 12)
        length = (*(uint16_t *)pc & 3) == 3 ? 4 : 2;
    write_csr(mepc, pc + length);
}

void secondary(uint64_t hart) {}

#define EXPECT(instruction, number, about)                     \
    do {                                                       \
        cause = 99;                                            \
        value = 0;                                             \
        uint64_t before = count;                               \
        __asm__ volatile(instruction : : : "t0", "t1", "memory"); \
        CHECK(count == before + 1 && cause == (number) && value == (about)); \
    } while (0)

static void ecall(void) { __asm__ volatile("ecall"); }

static void privileged_below(void)
{
    EXPECT(".option push\n.option norvc\ncsrr t0, mstatus\n.option pop", 2, 0x300022f3);
    EXPECT("mret", 2, 0x30200073);
    ecall();
}

static void user_things(void)
{
    EXPECT("csrr t0, sstatus", 2, 0x100022f3);
    EXPECT("sret", 2, 0x10200073);
    EXPECT("wfi", 2, 0x10500073);
    EXPECT("sfence.vma", 2, 0x12000073);
    EXPECT("rdtime t0", 2, 0xc01022f3);
    ecall();
}

static void delegated(void)
{
    last_scause = 99;
    __asm__ volatile(".option push\n.option norvc\n.word 0xffffffff\n.option pop" : : : "memory");
    CHECK(last_scause == 2 && last_stval == 0xffffffff);
    ecall();
}

static void float_off(void)
{
    EXPECT("fmv.d.x f0, zero", 2, 0xf2000053);
    EXPECT("csrr t0, fcsr", 2, 0x003022f3);
    ecall();
}

int main(void)
{
    EXPECT("ecall", 11, 0);
    EXPECT(".word 0xffffffff", 2, 0xffffffff);
    EXPECT(".half 0", 2, 0);
    uint64_t here;
    __asm__ volatile("la %0, 1f" : "=r"(here));
    cause = 0;
    __asm__ volatile(".option push\n.option norvc\n1: ebreak\n.option pop" : : : "memory");
    CHECK(cause == 3 && pc == here && value == here);
    EXPECT("li t0, 0x1008\n lw t1, 0(x0)", 5, 0);
    EXPECT("li t0, 0x40000000\n sd zero, 8(t0)", 7, 0x40000008);
    EXPECT("li t0, 0xc000001\n lw t1, 0(t0)", 5, 0xc000001);
    EXPECT("la t0, main\n addi t0, t0, 2\n amoadd.d t1, zero, (t0)", 6, (uint64_t)main + 2);
    EXPECT("la t0, main\n addi t0, t0, 1\n lr.w t1, (t0)", 4, (uint64_t)main + 1);
    write_csr(pmpaddr0, UINT64_MAX);
    write_csr(pmpcfg0, 0x1f);
    run_in(SUPERVISOR, ecall);
    CHECK(cause == 9 && pc == (uint64_t)ecall);
    run_in(USER, ecall);
    CHECK(cause == 8);
    run_in(SUPERVISOR, privileged_below);
    CHECK(cause == 9);
    write_csr(mcounteren, 0);
    run_in(USER, user_things);
    CHECK(cause == 8);
    write_csr(stvec, strap_entry);
    write_csr(medeleg, 1 << 2);
    run_in(SUPERVISOR, delegated);
    CHECK(cause == 9);
    write_csr(medeleg, 0);
    clear_csr(mstatus, UINT64_C(3) << 13);
    run_in(USER, float_off);
    CHECK(cause == 8);
    print("right\n");
    finish(0);
}
