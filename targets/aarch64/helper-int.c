/* Helpers of the integer and system instructions. */
#include "targets/aarch64/helpers.h"

#include <time.h>

#include "exec/exec.h"

/* CRC-32 with polynomial 0x04C11DB7 (CRC32) or 0x1EDC6F41 (CRC32C), bits reversed: C6.2 CRC32, CRC32C. */
static uint32_t crc(uint32_t acc, uint64_t data, uint32_t bytes, uint32_t poly)
{
    for (uint32_t i = 0; i < bytes; i++) {
        acc ^= data >> 8 * i & 0xff;
        for (int k = 0; k < 8; k++)
            acc = acc >> 1 ^ (acc & 1 ? poly : 0);
    }
    return acc;
}

static uint32_t a64_crc32(uint32_t acc, uint64_t data, uint32_t bytes)
{
    return crc(acc, data, bytes, 0xedb88320);
}

static uint32_t a64_crc32c(uint32_t acc, uint64_t data, uint32_t bytes)
{
    return crc(acc, data, bytes, 0x82f63b78);
}

static uint64_t a64_mrs_fpcr(struct a64_cpu *cpu)
{
    return a64_read_fpcr(cpu);
}

static void a64_msr_fpcr(struct a64_cpu *cpu, uint64_t value)
{
    a64_write_fpcr(cpu, value);
}

static uint64_t a64_mrs_fpsr(struct a64_cpu *cpu)
{
    return a64_read_fpsr(cpu);
}

static void a64_msr_fpsr(struct a64_cpu *cpu, uint64_t value)
{
    a64_write_fpsr(cpu, value);
}

/* CNTVCT_EL0 counts nanoseconds (CNTFRQ_EL0 = 10^9). */
static uint64_t a64_counter(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The line's translations are dropped by the run loop's caller: exit EXIT_ICACHE. */
static void a64_ic_ivau(struct a64_cpu *cpu, uint64_t addr)
{
    cpu->cpu.icache_start = addr & ~UINT64_C(63);
    cpu->cpu.icache_end = cpu->cpu.icache_start + 64;
}

static void a64_dc_zva(struct a64_cpu *cpu, uint64_t addr)
{
    memset((void *)(uintptr_t)(addr & ~UINT64_C(63)), 0, 64);
}

#define X(name, fn, sig, effects)                                                                                      \
    const struct ir_helper a64_helper_##name = {#name, (void (*)(void))fn, sig, effects};
#include "targets/aarch64/helpers-int.def"
#undef X
