/* Counted instructions (exec_options.counted): riscv64 code by every engine, against counts made by hand. */
#include <criterion/criterion.h>
#include <signal.h>

#include "exec/exec.h"
#include "targets/riscv/cpu.h"

enum { TURNS = 1000, LOOP_INSNS = 3, LOOP_AT = 4 /* bytes */, ALL = 1 + LOOP_INSNS * TURNS + 1, MUCH = 1 << 20 };

static const uint32_t loop[] = {
    0x3e800293, /* li t0, TURNS */
    0xfff28293, /* 1: addi t0, t0, -1 */
    0x00130313, /* addi t1, t1, 1 */
    0xfe029ce3, /* bnez t0, 1b */
    0x00100073, /* ebreak */
};
static const uint32_t fault[] = {
    0x00130313, /* addi t1, t1, 1 */
    0x00002383, /* lw t2, 0(zero) */
    0x00130313, 0x00130313, 0x00130313, /* addi t1, t1, 1 */
    0x00100073, /* ebreak */
};

static const uint8_t *window(void *opaque, uint64_t pc, size_t *avail)
{
    const uint8_t *end = (const uint8_t *)opaque + sizeof fault, *p = (const uint8_t *)(uintptr_t)pc;
    if (p < (const uint8_t *)opaque || p >= end)
        return NULL;
    *avail = (size_t)(end - p);
    return p;
}

static const struct exec_options engines[] = {
    {.engine = ENGINE_JIT},
    {.engine = ENGINE_JIT, .tier = TIER_HOT},
    {.engine = ENGINE_JIT, .nochain = true},
    {.engine = ENGINE_JIT, .one_insn = true},
    {.engine = ENGINE_INTERP},
    {.engine = ENGINE_VERIFY},
};

static struct rv_cpu *start(unsigned engine, const uint32_t *code, size_t size, int32_t budget)
{
    static uint32_t copy[sizeof fault / 4];
    static const struct code_reader reader = {copy, window};
    struct exec_options o = engines[engine];
    o.counted = true;
    o.cache_bytes = 2 << 20;
    memcpy(copy, code, size);
    struct exec *x = exec_new(target_by_name("riscv64"), &reader, &o);
    cr_assert_not_null(x);
    struct rv_cpu *cpu = (struct rv_cpu *)cpu_new(x);
    cr_assert_not_null(cpu);
    cpu->cpu.pc = (uintptr_t)copy;
    cpu->cpu.budget = budget;
    return cpu;
}

static void stop(struct rv_cpu *cpu)
{
    struct exec *x = cpu->cpu.exec;
    cpu_free(&cpu->cpu);
    exec_free(x);
}

Test(count, loop_is_exact)
{
    for (unsigned e = 0; e < sizeof engines / sizeof engines[0]; e++) {
        struct rv_cpu *cpu = start(e, loop, sizeof loop, MUCH);
        cr_assert_eq(cpu_run(&cpu->cpu), EXIT_BREAKPOINT);
        cr_expect_eq(MUCH - cpu->cpu.budget, ALL, "engine %u counts %d", e, MUCH - cpu->cpu.budget);
        stop(cpu);
    }
}

/* What is left of a budget is less than the next unit has, and nothing of that has been executed. */
Test(count, budget_ends_in_front_of_a_unit)
{
    for (unsigned e = 0; e < sizeof engines / sizeof engines[0]; e++)
        for (int32_t budget = 0; budget < ALL; budget += 1 + budget / 3) {
            struct rv_cpu *cpu = start(e, loop, sizeof loop, budget);
            uint64_t first = cpu->cpu.pc;
            cr_assert_eq(cpu_run(&cpu->cpu), EXIT_BUDGET);
            int32_t left = cpu->cpu.budget, executed = budget - left;
            cr_assert(left >= 0 && left <= LOOP_INSNS, "engine %u leaves %d of %d", e, left, budget);
            bool inside = executed && !engines[e].one_insn;
            cr_assert(!inside || cpu->cpu.pc == first + LOOP_AT || cpu->cpu.pc == first + LOOP_AT + 4 * LOOP_INSNS);
            cr_assert(!inside || (uint64_t)executed == 1 + LOOP_INSNS * cpu->x[6], "engine %u", e);
            cr_assert(!engines[e].one_insn || !left);
            cpu->cpu.budget += MUCH;
            cr_assert_eq(cpu_run(&cpu->cpu), EXIT_BREAKPOINT);
            cr_assert_eq(budget - cpu->cpu.budget + MUCH, ALL);
            cr_assert_eq(cpu->x[6], TURNS);
            stop(cpu);
        }
}

static struct cpu *running;

static void on_fault(int signo, siginfo_t *info, void *context)
{
    if (!cpu_host_fault(running, signo, info, context))
        signal(signo, SIG_DFL);
}

/* The access counts, what is behind it does not. */
Test(count, faults_give_back)
{
    const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    for (unsigned e = 0; e < 4; e++) {
        struct rv_cpu *cpu = start(e, fault, sizeof fault, MUCH);
        running = &cpu->cpu;
        cr_assert_eq(cpu_run(&cpu->cpu), EXIT_FAULT);
        cr_expect_eq(MUCH - cpu->cpu.budget, 2, "engine %u counts %d", e, MUCH - cpu->cpu.budget);
        cr_expect_eq(cpu->x[6], 1);
        stop(cpu);
    }
}
