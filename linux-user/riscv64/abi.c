/* Linux on riscv64: system call registers (RISC-V ELF psABI, syscall(2)), hardware capabilities. */
#include "linux-user/abi.h"

#include "linux-user/riscv64/features.h"
#include "linux-user/riscv64/regs.h"
#include "linux-user/riscv64/signal.h"
#include "linux-user/riscv64/vdso.h"
#include "targets/riscv/cpu.h"

/* AT_HWCAP: a bit per single-letter extension. */
#define LETTER(c) (UINT64_C(1) << ((c) - 'A'))
#define HWCAPS    (LETTER('I') | LETTER('M') | LETTER('A') | LETTER('F') | LETTER('D') | LETTER('C'))

enum { EF_RISCV_RVE = 8 }; /* e_flags: 16 registers, an ABI of its own */
enum { SIGNAL_STACK = 2048 };
enum { REG_SP = 2, REG_TP = 4, REG_A0 = 10, REG_A7 = 17 };

static uint64_t syscall_args(const struct cpu *cpu, uint64_t a[6])
{
    const struct rv_cpu *s = (const struct rv_cpu *)cpu;
    for (unsigned i = 0; i < 6; i++)
        a[i] = s->x[REG_A0 + i];
    return s->x[REG_A7];
}

static void set_result(struct cpu *cpu, int64_t value)
{
    rv(cpu)->x[REG_A0] = (uint64_t)value;
}

static void set_number(struct cpu *cpu, uint64_t number) { rv(cpu)->x[REG_A7] = number; }

static void restart_syscall(struct cpu *cpu)
{
    cpu->pc -= 4;
}

static uint64_t stack_pointer(const struct cpu *cpu)
{
    return ((const struct rv_cpu *)cpu)->x[REG_SP];
}

static void set_stack_pointer(struct cpu *cpu, uint64_t sp)
{
    rv(cpu)->x[REG_SP] = sp;
}

static void start(struct cpu *cpu, uint64_t entry, uint64_t sp)
{
    cpu->pc = entry;
    rv(cpu)->x[REG_SP] = sp;
}

static void set_tls(struct cpu *cpu, uint64_t tls)
{
    rv(cpu)->x[REG_TP] = tls;
}

const struct linux_abi linux_abi_riscv64 = {
    .target = &target_riscv64,
    .syscalls = &syscall_abi_riscv64,
    .triple = "riscv64-linux-gnu",
    .debian = "riscv64",
    .uts_machine = "riscv64",
    .hwcap = HWCAPS,
    .user_dispatch = true,
    .prctl = rv64_prctl,
    .minsigstksz = SIGNAL_STACK,
    .altstack_min = SIGNAL_STACK,
    .elf_flags_mask = EF_RISCV_RVE,
    .vdso = &rv64_vdso,
    .syscall_args = syscall_args,
    .set_result = set_result,
    .set_number = set_number,
    .restart_syscall = restart_syscall,
    .stack_pointer = stack_pointer,
    .set_stack_pointer = set_stack_pointer,
    .start = start,
    .set_tls = set_tls,
    .setup_frame = rv64_setup_frame,
    .restore_frame = rv64_restore_frame,
    .regsets = rv64_regsets,
    .print_cpuinfo = rv64_print_cpuinfo,
};
