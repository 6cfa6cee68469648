/* Helpers of the integer and system instructions, and the descriptions of all helpers. */
#include "targets/riscv/helpers.h"

#include <time.h>

#include "targets/riscv/helper-fp.h"

/* The bits of mask get those of value. */
static void rv_write_csr_fcsr(struct rv_cpu *cpu, uint64_t mask, uint64_t value)
{
    rv_write_fcsr(cpu, (rv_read_fcsr(cpu) & ~mask) | (value & mask));
}

static uint64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t rv_time(void)
{
    return nanoseconds() / (1000000000 / RV_TIME_FREQUENCY);
}

/* cycle and instret: those of a hart that runs an instruction each nanosecond. */
static uint64_t rv_cycle(void)
{
    return nanoseconds();
}

/* EXIT_ICACHE's range: everything. */
static void rv_fence_i(struct rv_cpu *cpu)
{
    cpu->cpu.icache_start = 0;
    cpu->cpu.icache_end = UINT64_MAX;
}

/* XPERM4: nibble i is the nibble of the table that nibble i of the indices names. */
static uint64_t rv_xperm4(uint64_t table, uint64_t index)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < 64; i += 4)
        r |= (table >> 4 * (index >> i & 15) & 15) << i;
    return r;
}

#define X(name, fn, sig, effects)                                                                                      \
    const struct ir_helper rv_helper_##name = {#name, (void (*)(void))fn, sig, effects};
#include "targets/riscv/helpers.def"
#undef X
