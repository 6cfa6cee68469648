/* Linux on AArch64: system call registers (AAPCS64, syscall(2)), hardware capabilities. */
#include "linux-user/abi.h"

#include <errno.h>
#include <linux/prctl.h>

#include "linux-user/aarch64/cpuinfo.h"
#include "linux-user/aarch64/regs.h"
#include "linux-user/aarch64/signal.h"
#include "linux-user/aarch64/vdso.h"
#include "targets/aarch64/cpu.h"

/* Documentation/arch/arm64/elf_hwcaps.rst; what targets/aarch64's identification registers say, as bits. */
enum {
    HWCAP_FP = 1 << 0,
    HWCAP_ASIMD = 1 << 1,
    HWCAP_AES = 1 << 3,
    HWCAP_PMULL = 1 << 4,
    HWCAP_SHA1 = 1 << 5,
    HWCAP_SHA2 = 1 << 6,
    HWCAP_CRC32 = 1 << 7,
    HWCAP_ATOMICS = 1 << 8,
    HWCAP_FPHP = 1 << 9,
    HWCAP_ASIMDHP = 1 << 10,
    HWCAP_CPUID = 1 << 11,
    HWCAP_ASIMDRDM = 1 << 12,
    HWCAP_JSCVT = 1 << 13,
    HWCAP_FCMA = 1 << 14,
    HWCAP_LRCPC = 1 << 15,
    HWCAP_ASIMDDP = 1 << 20,
    HWCAP_FLAGM = 1 << 27,
    HWCAPS = HWCAP_FP | HWCAP_ASIMD | HWCAP_AES | HWCAP_PMULL | HWCAP_SHA1 | HWCAP_SHA2 | HWCAP_CRC32 | HWCAP_ATOMICS |
             HWCAP_FPHP | HWCAP_ASIMDHP | HWCAP_CPUID | HWCAP_ASIMDRDM | HWCAP_JSCVT | HWCAP_FCMA | HWCAP_LRCPC |
             HWCAP_ASIMDDP | HWCAP_FLAGM,
    HWCAPS2 = 0,
};

/* A signal frame with its floating point record and terminator, as a kernel without SVE reports it. */
enum { SIGNAL_STACK = 4720, MINSIGSTKSZ_A64 = 5120 };

static uint64_t syscall_args(const struct cpu *cpu, uint64_t a[6])
{
    const struct a64_cpu *s = (const struct a64_cpu *)cpu;
    for (unsigned i = 0; i < 6; i++)
        a[i] = s->x[i];
    return s->x[8] & 0xffffffff; /* the kernel reads W8 */
}

static void set_result(struct cpu *cpu, int64_t value)
{
    a64(cpu)->x[0] = (uint64_t)value;
}

static void set_number(struct cpu *cpu, uint64_t number) { a64(cpu)->x[8] = number; }

static void restart_syscall(struct cpu *cpu)
{
    cpu->pc -= 4;
}

static uint64_t stack_pointer(const struct cpu *cpu)
{
    return ((const struct a64_cpu *)cpu)->sp;
}

static void set_stack_pointer(struct cpu *cpu, uint64_t sp)
{
    a64(cpu)->sp = sp;
}

static void start(struct cpu *cpu, uint64_t entry, uint64_t sp)
{
    cpu->pc = entry;
    a64(cpu)->sp = sp;
}

static void set_tls(struct cpu *cpu, uint64_t tls)
{
    a64(cpu)->tpidr = tls;
}

static void print_cpuinfo(int fd, unsigned ncpus)
{
    a64_print_cpuinfo(fd, ncpus, HWCAPS, HWCAPS2, A64_MIDR);
}

/* The processor is one that needs no help against speculation past stores; of other kinds the kernel knows none. */
static int64_t own_prctl(const uint64_t a[6])
{
    bool get = (int)a[0] == PR_GET_SPECULATION_CTRL;
    if (!get && (int)a[0] != PR_SET_SPECULATION_CTRL)
        return -EINVAL;
    if ((get && a[2]) || a[3] || a[4])
        return -EINVAL;
    return a[1] != PR_SPEC_STORE_BYPASS ? -ENODEV : get ? PR_SPEC_NOT_AFFECTED : -ENXIO;
}

const struct linux_abi linux_abi_aarch64 = {
    .target = &target_aarch64,
    .syscalls = &syscall_abi_aarch64,
    .triple = "aarch64-linux-gnu",
    .debian = "arm64",
    .uts_machine = "aarch64",
    .platform = "aarch64",
    .hwcap = HWCAPS,
    .hwcap2 = HWCAPS2,
    .prctl = own_prctl,
    .no_personality32 = true,
    .minsigstksz = SIGNAL_STACK,
    .altstack_min = MINSIGSTKSZ_A64,
    .sa_restorer = true,
    .call_number_apart = true,
    .bad_frame_faults = true,
    .single_steps = true,
    .vdso = &a64_vdso,
    .syscall_args = syscall_args,
    .set_result = set_result,
    .set_number = set_number,
    .restart_syscall = restart_syscall,
    .stack_pointer = stack_pointer,
    .set_stack_pointer = set_stack_pointer,
    .start = start,
    .set_tls = set_tls,
    .setup_frame = a64_setup_frame,
    .restore_frame = a64_restore_frame,
    .regsets = a64_regsets,
    .debug_regsets = a64_debug_regsets,
    .print_cpuinfo = print_cpuinfo,
};
