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

/* --- as gdb's org.gnu.gdb.riscv features have them --- */

#define X(name, n) {name, 8, offsetof(struct rv_cpu, x) + 8 * n, n == 2 || n == 3 || n == 4 ? "data_ptr" : NULL}
#define F(name, n) {name, 8, offsetof(struct rv_cpu, f) + 8 * n, "riscv_double"}
static uint64_t get_zero(struct cpu *cpu, unsigned n) { return 0; }

uint64_t rv_get_fcsr(struct cpu *cpu, unsigned n)
{
    uint32_t v = rv_read_fcsr(rv(cpu));
    return n == 1 ? v & FCSR_FLAGS : n == 2 ? v >> FCSR_FRM_SHIFT : v;
}

void rv_set_fcsr(struct cpu *cpu, unsigned n, uint64_t value)
{
    uint32_t old = rv_read_fcsr(rv(cpu)), v = (uint32_t)value;
    rv_write_fcsr(rv(cpu), n == 1   ? (old & FCSR_FRM) | (v & FCSR_FLAGS)
                           : n == 2 ? (old & FCSR_FLAGS) | (v << FCSR_FRM_SHIFT & FCSR_FRM)
                                    : v & FCSR_WRITABLE);
}

const struct target_reg rv_cpu_regs[RV_CPU_REGS] = {
    {"zero", 8, 0, NULL, get_zero, NULL, 0}, X("ra", 1), X("sp", 2), X("gp", 3), X("tp", 4), X("t0", 5), X("t1", 6), X("t2", 7),
    X("s0", 8), X("s1", 9), X("a0", 10), X("a1", 11), X("a2", 12), X("a3", 13), X("a4", 14), X("a5", 15), X("a6", 16),
    X("a7", 17), X("s2", 18), X("s3", 19), X("s4", 20), X("s5", 21), X("s6", 22), X("s7", 23), X("s8", 24), X("s9", 25),
    X("s10", 26), X("s11", 27), X("t3", 28), X("t4", 29), X("t5", 30), X("t6", 31),
    {"pc", 8, offsetof(struct cpu, pc), "code_ptr"},
};
const struct target_reg rv_fpu_regs[RV_FPU_REGS] = {
    F("ft0", 0), F("ft1", 1), F("ft2", 2), F("ft3", 3), F("ft4", 4), F("ft5", 5), F("ft6", 6), F("ft7", 7), F("fs0", 8),
    F("fs1", 9), F("fa0", 10), F("fa1", 11), F("fa2", 12), F("fa3", 13), F("fa4", 14), F("fa5", 15), F("fa6", 16),
    F("fa7", 17), F("fs2", 18), F("fs3", 19), F("fs4", 20), F("fs5", 21), F("fs6", 22), F("fs7", 23), F("fs8", 24),
    F("fs9", 25), F("fs10", 26), F("fs11", 27), F("ft8", 28), F("ft9", 29), F("ft10", 30), F("ft11", 31),
    {"fflags", 4, 0, NULL, rv_get_fcsr, rv_set_fcsr, 1}, {"frm", 4, 0, NULL, rv_get_fcsr, rv_set_fcsr, 2},
    {"fcsr", 4, 0, NULL, rv_get_fcsr, rv_set_fcsr, 3},
};
#undef X
#undef F

static const struct target_feature features[] = {RV_FEATURES, {0}};

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
    .address_bits = RV_USER_ADDRESS_BITS,
    .pc_zero_bits = 1,
    .page_size = 4096,
    .state_size = sizeof(struct rv_cpu),
    .ir = &ir,
    .gdb_architecture = "riscv:rv64",
    .features = features,
    .isa = ISA_RISCV64,
    .reset = reset,
    .mode = mode,
    .translate = rv_translate,
};
