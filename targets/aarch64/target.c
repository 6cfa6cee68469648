/* The AArch64 guest: its constant facts (struct target). Arm ARM DDI 0487; ELF for the Arm 64-bit Architecture. */
#include <elf.h>

#include "base/softfloat.h"
#include "targets/aarch64/cpu.h"
#include "targets/aarch64/helpers.h"
#include "targets/aarch64/translate.h"

/*
 * Ranks: by how often Debian's libc.so.6 and libm.so.6 name the register; arguments lead because loops in leaf
 * functions live in them.
 */
#define X(n, hot)  {"x" #n, offsetof(struct a64_cpu, x) + 8 * n, IR_I64, hot}
#define V(n, hot)  {"v" #n, offsetof(struct a64_cpu, v) + 16 * n, IR_V128, hot}
static const struct ir_slot slots[A64_NSLOTS] = {
    X(0, 1), X(1, 2), X(2, 3), X(3, 4), X(4, 8), X(5, 9), X(6, 13), X(7, 15), X(8, 14), X(9, 0), X(10, 0), X(11, 0),
    X(12, 0), X(13, 0), X(14, 0), X(15, 0), X(16, 0), X(17, 0), X(18, 0), X(19, 5), X(20, 7), X(21, 10), X(22, 11),
    X(23, 0), X(24, 0), X(25, 0), X(26, 0), X(27, 0), X(28, 0), X(29, 12), X(30, 0),
    [A64_SP] = {"sp", offsetof(struct a64_cpu, sp), IR_I64, 6},
    [A64_NZCV] = {"nzcv", offsetof(struct a64_cpu, nzcv), IR_I32, 0},
    [A64_QC] = {"qc", offsetof(struct a64_cpu, qc), IR_I32, 0},
    [A64_TPIDR] = {"tpidr_el0", offsetof(struct a64_cpu, tpidr), IR_I64, 0},
    [A64_EXCL_ADDR] = {"excl_addr", offsetof(struct a64_cpu, excl_addr), IR_I64, 0},
    [A64_EXCL_LO] = {"excl_lo", offsetof(struct a64_cpu, excl_value[0]), IR_I64, 0},
    [A64_EXCL_HI] = {"excl_hi", offsetof(struct a64_cpu, excl_value[1]), IR_I64, 0},
    [A64_V0] = V(0, 1), V(1, 2), V(2, 3), V(3, 4), V(4, 5), V(5, 6), V(6, 7), V(7, 8), V(8, 0), V(9, 0), V(10, 0),
    V(11, 0), V(12, 0), V(13, 0), V(14, 0), V(15, 0), V(16, 0), V(17, 0), V(18, 0), V(19, 0), V(20, 0), V(21, 0),
    V(22, 0), V(23, 0), V(24, 0), V(25, 0), V(26, 0), V(27, 0), V(28, 0), V(29, 0), V(30, 0), V(31, 0),
};
#undef X
#undef V


/* Every helper of this guest, in the order generated code numbers them. */
static const struct ir_helper *const helpers[] = {
#define X(name, fn, sig, effects) &a64_helper_##name,
#include "targets/aarch64/helpers.def"
#undef X
};

static const struct ir_guest ir = {
    .slots = slots,
    .nslots = A64_NSLOTS,
    .helpers = helpers,
    .nhelpers = ARRAY_SIZE(helpers),
    .fp = &fp_rules_arm,
};

/* --- FPCR, FPSR (C5.2.8, C5.2.9) against MXCSR --- */

enum { MXCSR_IE = 1, MXCSR_ZE = 4, MXCSR_OE = 8, MXCSR_UE = 16, MXCSR_PE = 32, MXCSR_RC_SHIFT = 13 };
static const uint8_t arm_to_x86_round[4] = {0, 2, 1, 3}; /* RN, RP, RM, RZ */
static const struct {
    uint32_t arm, x86;
} flag_bits[] = {
    {FPSR_IOC, MXCSR_IE}, {FPSR_DZC, MXCSR_ZE}, {FPSR_OFC, MXCSR_OE}, {FPSR_UFC, MXCSR_UE}, {FPSR_IXC, MXCSR_PE},
};

uint32_t a64_read_fpcr(const struct a64_cpu *cpu)
{
    return cpu->fpcr;
}

void a64_write_fpcr(struct a64_cpu *cpu, uint32_t value)
{
    cpu->fpcr = value & FPCR_WRITABLE;
    uint32_t rc = arm_to_x86_round[value >> FPCR_RMODE_SHIFT & 3];
    cpu->cpu.mxcsr = (cpu->cpu.mxcsr & ~(3u << MXCSR_RC_SHIFT)) | rc << MXCSR_RC_SHIFT;
}

uint32_t a64_read_fpsr(const struct a64_cpu *cpu)
{
    uint32_t v = (cpu->qc ? FPSR_QC : 0) | (cpu->fpsr_idc ? FPSR_IDC : 0);
    for (unsigned i = 0; i < ARRAY_SIZE(flag_bits); i++)
        if (cpu->cpu.mxcsr & flag_bits[i].x86)
            v |= flag_bits[i].arm;
    return v;
}

void a64_write_fpsr(struct a64_cpu *cpu, uint32_t value)
{
    cpu->qc = value & FPSR_QC ? 1 : 0;
    cpu->fpsr_idc = value & FPSR_IDC ? 1 : 0;
    cpu->cpu.mxcsr &= ~0x3fu;
    for (unsigned i = 0; i < ARRAY_SIZE(flag_bits); i++)
        if (value & flag_bits[i].arm)
            cpu->cpu.mxcsr |= flag_bits[i].x86;
}

/* --- as gdb's org.gnu.gdb.aarch64 features have them --- */

#define R(name, member)      {name, sizeof(((struct a64_cpu *)0)->member), offsetof(struct a64_cpu, member)}
#define V(n)                 {"v" #n, 16, offsetof(struct a64_cpu, v) + 16 * n, "aarch64v"}
static uint64_t get_cpsr(struct cpu *cpu, unsigned n) { return (uint64_t)a64(cpu)->nzcv << 28; }
static void set_cpsr(struct cpu *cpu, unsigned n, uint64_t v) { a64(cpu)->nzcv = v >> 28 & 15; }
static uint64_t get_fpsr(struct cpu *cpu, unsigned n) { return a64_read_fpsr(a64(cpu)); }
static void set_fpsr(struct cpu *cpu, unsigned n, uint64_t v) { a64_write_fpsr(a64(cpu), (uint32_t)v); }
static uint64_t get_fpcr(struct cpu *cpu, unsigned n) { return a64_read_fpcr(a64(cpu)); }
static void set_fpcr(struct cpu *cpu, unsigned n, uint64_t v) { a64_write_fpcr(a64(cpu), (uint32_t)v); }

static const struct target_reg core_regs[] = {
    R("x0", x[0]), R("x1", x[1]), R("x2", x[2]), R("x3", x[3]), R("x4", x[4]), R("x5", x[5]), R("x6", x[6]),
    R("x7", x[7]), R("x8", x[8]), R("x9", x[9]), R("x10", x[10]), R("x11", x[11]), R("x12", x[12]), R("x13", x[13]),
    R("x14", x[14]), R("x15", x[15]), R("x16", x[16]), R("x17", x[17]), R("x18", x[18]), R("x19", x[19]),
    R("x20", x[20]), R("x21", x[21]), R("x22", x[22]), R("x23", x[23]), R("x24", x[24]), R("x25", x[25]),
    R("x26", x[26]), R("x27", x[27]), R("x28", x[28]), R("x29", x[29]), R("x30", x[30]),
    {"sp", 8, offsetof(struct a64_cpu, sp), "data_ptr"}, {"pc", 8, offsetof(struct cpu, pc), "code_ptr"},
    {"cpsr", 4, 0, "cpsr_flags", get_cpsr, set_cpsr, 0},
};
static const struct target_reg fpu_regs[] = {
    V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13), V(14), V(15), V(16), V(17),
    V(18), V(19), V(20), V(21), V(22), V(23), V(24), V(25), V(26), V(27), V(28), V(29), V(30), V(31),
    {"fpsr", 4, 0, NULL, get_fpsr, set_fpsr, 0}, {"fpcr", 4, 0, NULL, get_fpcr, set_fpcr, 0},
};
static const struct target_reg tls_regs[] = {{"tpidr", 8, offsetof(struct a64_cpu, tpidr), "data_ptr"}};
#undef R
#undef V

static const struct target_feature features[] = {
    {.name = "org.gnu.gdb.aarch64.core", .regs = core_regs, .nregs = ARRAY_SIZE(core_regs), .types =
     "<flags id=\"cpsr_flags\" size=\"4\"><field name=\"V\" start=\"28\" end=\"28\"/><field name=\"C\" start=\"29\" end=\"29\"/>"
     "<field name=\"Z\" start=\"30\" end=\"30\"/><field name=\"N\" start=\"31\" end=\"31\"/></flags>"},
    {.name = "org.gnu.gdb.aarch64.fpu", .regs = fpu_regs, .nregs = ARRAY_SIZE(fpu_regs), .types =
     "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/><vector id=\"v2u\" type=\"uint64\" count=\"2\"/>"
     "<vector id=\"v2i\" type=\"int64\" count=\"2\"/><vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
     "<vector id=\"v4u\" type=\"uint32\" count=\"4\"/><vector id=\"v4i\" type=\"int32\" count=\"4\"/>"
     "<vector id=\"v8u\" type=\"uint16\" count=\"8\"/><vector id=\"v8i\" type=\"int16\" count=\"8\"/>"
     "<vector id=\"v16u\" type=\"uint8\" count=\"16\"/><vector id=\"v16i\" type=\"int8\" count=\"16\"/>"
     "<vector id=\"v1u\" type=\"uint128\" count=\"1\"/><vector id=\"v1i\" type=\"int128\" count=\"1\"/>"
     "<union id=\"vnd\"><field name=\"f\" type=\"v2d\"/><field name=\"u\" type=\"v2u\"/><field name=\"s\" type=\"v2i\"/></union>"
     "<union id=\"vns\"><field name=\"f\" type=\"v4f\"/><field name=\"u\" type=\"v4u\"/><field name=\"s\" type=\"v4i\"/></union>"
     "<union id=\"vnh\"><field name=\"u\" type=\"v8u\"/><field name=\"s\" type=\"v8i\"/></union>"
     "<union id=\"vnb\"><field name=\"u\" type=\"v16u\"/><field name=\"s\" type=\"v16i\"/></union>"
     "<union id=\"vnq\"><field name=\"u\" type=\"v1u\"/><field name=\"s\" type=\"v1i\"/></union>"
     "<union id=\"aarch64v\"><field name=\"d\" type=\"vnd\"/><field name=\"s\" type=\"vns\"/><field name=\"h\" type=\"vnh\"/>"
     "<field name=\"b\" type=\"vnb\"/><field name=\"q\" type=\"vnq\"/></union>"},
    {.name = "org.gnu.gdb.aarch64.tls", .regs = tls_regs, .nregs = ARRAY_SIZE(tls_regs)},
    {0},
};

static void reset(struct cpu *cpu)
{
    a64(cpu)->excl_addr = ~UINT64_C(0);
}

static uint32_t mode(const struct cpu *cpu)
{
    uint32_t fpcr = ((const struct a64_cpu *)cpu)->fpcr;
    return fpcr & (FPCR_FZ | FPCR_DN | FPCR_AHP | FPCR_FZ16) ? A64_MODE_SOFT_FP : 0;
}

const struct target target_aarch64 = {
    .name = "aarch64",
    .elf_machine = EM_AARCH64,
    .elf_class = ELFCLASS64,
    .elf_data = ELFDATA2LSB,
    .address_bits = 48,
    .page_size = 4096,
    .state_size = sizeof(struct a64_cpu),
    .ir = &ir,
    .gdb_architecture = "aarch64",
    .features = features,
    .isa = ISA_AARCH64,
    .reset = reset,
    .mode = mode,
    .translate = a64_translate,
};
