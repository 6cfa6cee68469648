/* Breakpoints in code that is known already, riscv64, by every engine (exec/debug.h). */
#include <criterion/criterion.h>

#include "exec/debug.h"
#include "exec/exec.h"
#include "targets/riscv/cpu.h"

enum { INSIDE = 4 /* bytes */, MOST_RUNS = 3 };

static const uint32_t code[] = {
    0x00130313, /* addi t1, t1, 1 */
    0x00230313, /* addi t1, t1, 2 */
    0x00100073, /* ebreak */
};

static const uint8_t *window(void *opaque, uint64_t pc, size_t *avail)
{
    if (pc - (uintptr_t)code >= sizeof code)
        return NULL;
    *avail = sizeof code - (pc - (uintptr_t)code);
    return (const uint8_t *)(uintptr_t)pc;
}

static const struct exec_options engines[] = {
    {.engine = ENGINE_JIT, .interprets_first = true},
    {.engine = ENGINE_JIT},
    {.engine = ENGINE_JIT, .tier = TIER_HOT},
    {.engine = ENGINE_JIT, .hot_after = 1},
    {.engine = ENGINE_INTERP},
    {.engine = ENGINE_VERIFY},
};

static enum cpu_exit run(struct rv_cpu *cpu)
{
    cpu->cpu.pc = (uintptr_t)code;
    cpu->x[6] = 0;
    enum cpu_exit reason;
    do
        reason = cpu_run(&cpu->cpu);
    while (reason == EXIT_INTERRUPT); /* for the change of breakpoints */
    return reason;
}

/*
 * What has been executed 0, 1, … times is a unit that goes over the place: there is one that ends in front of it, and
 * then again one that does not.
 */
Test(breaks, hit_in_known_code)
{
    static const struct code_reader reader = {NULL, window};
    for (unsigned e = 0; e < sizeof engines / sizeof engines[0]; e++)
        for (unsigned runs = 0; runs <= MOST_RUNS; runs++) {
            struct exec *x = exec_new(target_by_name("riscv64"), &reader, &engines[e]);
            cr_assert_not_null(x);
            struct rv_cpu *cpu = (struct rv_cpu *)cpu_new(x);
            cr_assert_not_null(cpu);
            for (unsigned n = 0; n < runs; n++)
                cr_assert(run(cpu) == EXIT_BREAKPOINT && cpu->x[6] == 3);
            cr_assert(exec_breakpoint(x, (uintptr_t)code + INSIDE, true));
            enum cpu_exit reason = run(cpu);
            cr_expect(reason == EXIT_DEBUG && cpu->x[6] == 1 && cpu->cpu.pc == (uintptr_t)code + INSIDE,
                      "engine %u, after %u runs: reason %d, t1 %d", e, runs, reason, (int)cpu->x[6]);
            cr_assert(exec_breakpoint(x, (uintptr_t)code + INSIDE, false));
            cr_expect(run(cpu) == EXIT_BREAKPOINT && cpu->x[6] == 3);
            cpu_free(&cpu->cpu);
            exec_free(x);
        }
}
