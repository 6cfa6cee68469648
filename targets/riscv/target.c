/* The RV64GC guest: its constant facts (struct target). The RISC-V Instruction Set Manual; RISC-V ELF psABI. */
#include <elf.h>

#include "base/softfloat.h"
#include "targets/riscv/cpu.h"
#include "targets/riscv/helpers.h"
#include "targets/riscv/translate.h"

/* Ranks: by how often Debian's libc.so.6, libm.so.6 and perl name the register, arguments before saved registers. */
#define X(n, name, hot) [RV_X1 + n - 1] = {name, offsetof(struct rv_cpu, x) + 8 * n, IR_I64, hot}
#define F(n, name, hot) [RV_F0 + n] = {name, offsetof(struct rv_cpu, f) + 8 * n, IR_F64, hot}
const struct ir_slot rv_slots[RV_NSLOTS] = {
    X(1, "ra", 0), X(2, "sp", 3), X(3, "gp", 0), X(4, "tp", 0), X(5, "t0", 0), X(6, "t1", 0), X(7, "t2", 0),
    X(8, "s0", 8), X(9, "s1", 9), X(10, "a0", 4), X(11, "a1", 6), X(12, "a2", 7), X(13, "a3", 5), X(14, "a4", 2),
    X(15, "a5", 1), X(16, "a6", 12), X(17, "a7", 13), X(18, "s2", 10), X(19, "s3", 11), X(20, "s4", 14),
    X(21, "s5", 15), X(22, "s6", 0), X(23, "s7", 0), X(24, "s8", 0), X(25, "s9", 0), X(26, "s10", 0), X(27, "s11", 0),
    X(28, "t3", 0), X(29, "t4", 0), X(30, "t5", 0), X(31, "t6", 0),
    F(0, "ft0", 0), F(1, "ft1", 0), F(2, "ft2", 0), F(3, "ft3", 0), F(4, "ft4", 0), F(5, "ft5", 0), F(6, "ft6", 0),
    F(7, "ft7", 0), F(8, "fs0", 7), F(9, "fs1", 8), F(10, "fa0", 2), F(11, "fa1", 4), F(12, "fa2", 6), F(13, "fa3", 5),
    F(14, "fa4", 3), F(15, "fa5", 1), F(16, "fa6", 0), F(17, "fa7", 0), F(18, "fs2", 0), F(19, "fs3", 0),
    F(20, "fs4", 0), F(21, "fs5", 0), F(22, "fs6", 0), F(23, "fs7", 0), F(24, "fs8", 0), F(25, "fs9", 0),
    F(26, "fs10", 0), F(27, "fs11", 0), F(28, "ft8", 0), F(29, "ft9", 0), F(30, "ft10", 0), F(31, "ft11", 0),
    [RV_RES_ADDR] = {"res_addr", offsetof(struct rv_cpu, res_addr), IR_I64, 0},
    [RV_RES_VALUE] = {"res_value", offsetof(struct rv_cpu, res_value), IR_I64, 0},
};
#undef X
#undef F

#define R(name, member) {name, offsetof(struct rv_cpu, member), sizeof(((struct rv_cpu *)0)->member)}
const struct target_reg rv_regs[RV_NREGS] = {
    R("zero", x[0]), R("ra", x[1]), R("sp", x[2]), R("gp", x[3]), R("tp", x[4]), R("t0", x[5]), R("t1", x[6]),
    R("t2", x[7]), R("s0", x[8]), R("s1", x[9]), R("a0", x[10]), R("a1", x[11]), R("a2", x[12]), R("a3", x[13]),
    R("a4", x[14]), R("a5", x[15]), R("a6", x[16]), R("a7", x[17]), R("s2", x[18]), R("s3", x[19]), R("s4", x[20]),
    R("s5", x[21]), R("s6", x[22]), R("s7", x[23]), R("s8", x[24]), R("s9", x[25]), R("s10", x[26]), R("s11", x[27]),
    R("t3", x[28]), R("t4", x[29]), R("t5", x[30]), R("t6", x[31]),
    R("frm", frm),
    R("ft0", f[0]), R("ft1", f[1]), R("ft2", f[2]), R("ft3", f[3]), R("ft4", f[4]), R("ft5", f[5]), R("ft6", f[6]),
    R("ft7", f[7]), R("fs0", f[8]), R("fs1", f[9]), R("fa0", f[10]), R("fa1", f[11]), R("fa2", f[12]), R("fa3", f[13]),
    R("fa4", f[14]), R("fa5", f[15]), R("fa6", f[16]), R("fa7", f[17]), R("fs2", f[18]), R("fs3", f[19]),
    R("fs4", f[20]), R("fs5", f[21]), R("fs6", f[22]), R("fs7", f[23]), R("fs8", f[24]), R("fs9", f[25]),
    R("fs10", f[26]), R("fs11", f[27]), R("ft8", f[28]), R("ft9", f[29]), R("ft10", f[30]), R("ft11", f[31]),
};
#undef R
_Static_assert(ARRAY_SIZE(rv_regs) == RV_NREGS, "as cpu.h says");

/* Every helper of this guest, in the order generated code numbers them. */
static const struct ir_helper *const helpers[] = {
#define X(name, fn, sig, effects) &rv_helper_##name,
#include "targets/riscv/helpers.def"
#undef X
};

static const struct ir_guest ir = {
    .slots = rv_slots,
    .nslots = RV_NSLOTS,
    .helpers = helpers,
    .nhelpers = ARRAY_SIZE(helpers),
    .fp = &fp_rules_riscv,
};

static void reset(struct cpu *cpu)
{
    rv(cpu)->res_addr = ~UINT64_C(0);
}

static uint32_t mode(const struct cpu *cpu)
{
    return ((const struct rv_cpu *)cpu)->frm;
}

const struct target target_riscv64 = {
    .name = "riscv64",
    .elf_machine = EM_RISCV,
    .elf_class = ELFCLASS64,
    .elf_data = ELFDATA2LSB,
    .address_bits = 47,
    .page_size = 4096,
    .state_size = sizeof(struct rv_cpu),
    .ir = &ir,
    .regs = rv_regs,
    .nregs = ARRAY_SIZE(rv_regs),
    .isa = ISA_RISCV64,
    .reset = reset,
    .mode = mode,
    .translate = rv_translate,
};
