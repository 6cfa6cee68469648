/* Register sets of riscv64: struct user_regs_struct and __riscv_d_ext_state of <asm/ptrace.h>. */
#include "linux-user/riscv64/regs.h"

#include <elf.h>
#include <string.h>

#include "targets/riscv/cpu.h"

struct user_regs {
    uint64_t pc, x[31]; /* x1 to x31 */
};

struct d_state {
    uint64_t f[32];
    uint32_t fcsr, padding;
};

_Static_assert(sizeof(struct user_regs) == 256 && sizeof(struct d_state) == 264, "<asm/ptrace.h>");

static const struct rv_cpu *state(const struct cpu *cpu) { return (const struct rv_cpu *)cpu; }

static void get_general(const struct cpu *cpu, void *out)
{
    struct user_regs r = {.pc = cpu->pc};
    memcpy(r.x, state(cpu)->x + 1, sizeof r.x);
    memcpy(out, &r, sizeof r);
}

static bool set_general(struct cpu *cpu, const void *in)
{
    struct user_regs r;
    memcpy(&r, in, sizeof r);
    memcpy(rv(cpu)->x + 1, r.x, sizeof r.x);
    cpu->pc = r.pc;
    return true;
}

static void get_float(const struct cpu *cpu, void *out)
{
    struct d_state r = {.fcsr = rv_read_fcsr(state(cpu))};
    memcpy(r.f, state(cpu)->f, sizeof r.f);
    memcpy(out, &r, sizeof r);
}

static bool set_float(struct cpu *cpu, const void *in)
{
    struct d_state r;
    memcpy(&r, in, sizeof r);
    memcpy(rv(cpu)->f, r.f, sizeof r.f);
    rv_write_fcsr(rv(cpu), r.fcsr);
    return true;
}

const struct regset rv64_regsets[] = {
    {NT_PRSTATUS, sizeof(struct user_regs), sizeof(uint64_t), get_general, set_general},
    {NT_PRFPREG, sizeof(struct d_state), sizeof(uint64_t), get_float, set_float},
    {0, 0, 0, NULL, NULL},
};
