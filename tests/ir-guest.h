/* A guest of no architecture for the tests of the IR: some registers of each type, a window of memory, helpers. */
#ifndef TESTS_IR_GUEST_H
#define TESTS_IR_GUEST_H

#include "base/softfloat.h"
#include "tcg/build.h"
#include "tcg/interp.h"

enum { GUEST_MEM = 256, GUEST_REGS = 6 };

struct guest {
    uint64_t insn_pc, pc;
    uint32_t mxcsr, w[GUEST_REGS];
    uint64_t x[GUEST_REGS], mem_base; /* mem_base: address of mem */
    uint32_t f[GUEST_REGS];
    uint64_t d[GUEST_REGS];
    v128 v[GUEST_REGS];
    uint8_t mem[GUEST_MEM] __attribute__((aligned(16)));
};

#define SLOTS(name, field, type) \
    {name "0", offsetof(struct guest, field[0]), type, 1}, {name "1", offsetof(struct guest, field[1]), type, 2}, \
    {name "2", offsetof(struct guest, field[2]), type, 3}, {name "3", offsetof(struct guest, field[3]), type, 0}, \
    {name "4", offsetof(struct guest, field[4]), type, 0}, {name "5", offsetof(struct guest, field[5]), type, 0}
static const struct ir_slot guest_slots[] = {
    SLOTS("w", w, IR_I32), SLOTS("x", x, IR_I64),
    SLOTS("f", f, IR_F32), SLOTS("d", d, IR_F64),
    SLOTS("v", v, IR_V128), {"mem", offsetof(struct guest, mem_base), IR_I64, 0},
};
enum { SLOT_MEM = ARRAY_SIZE(guest_slots) - 1 };

/* The first slot of a type; IR_I32 to IR_V128 follow one another. */
static inline unsigned first_slot(enum ir_type t) { return (t - IR_I32) * GUEST_REGS; }

static uint64_t help_mix(uint32_t a, uint64_t b) { return (b ^ a) * UINT64_C(0x9e3779b97f4a7c15); }
static uint32_t help_six(struct guest *g, uint32_t a, uint64_t b, uint32_t c, uint64_t d, uint32_t e, uint64_t f)
{
    g->x[1] += g->x[0] + a + 2 * b + 3 * c;
    return d * 5 + e * 7 + f;
}
static double help_vec(float a, double b, v128 c, uint64_t d) { return a + b + (double)(uint32_t)c[1] + (double)(uint16_t)d; }
static float help_float(float a) { return -a; }
static v128 help_v(struct guest *g, v128 a) { return a ^ (v128){g->x[0], 1}; }
static void help_void(struct guest *g, uint64_t a) { g->x[2] = a; }

#define HELPER(sig, name, effects) \
    static const struct ir_helper helper_##name = {#name, (void (*)(void))help_##name, sig, effects}
HELPER("l:il", mix, HELPER_PURE);
HELPER("i:eililil", six, HELPER_READS_STATE | HELPER_WRITES_STATE);
HELPER("d:fdvl", vec, HELPER_PURE);
HELPER("f:f", float, 0);
HELPER("v:ev", v, HELPER_READS_STATE);
HELPER("-:el", void, HELPER_FAULTS);
static const struct ir_helper *const guest_helpers[] = {
    &helper_mix, &helper_six, &helper_vec, &helper_float, &helper_v, &helper_void,
};

static const struct ir_guest guest_riscv = {
    guest_slots, ARRAY_SIZE(guest_slots), guest_helpers, ARRAY_SIZE(guest_helpers), &fp_rules_riscv,
};
static const struct ir_guest guest_arm = {
    guest_slots, ARRAY_SIZE(guest_slots), guest_helpers, ARRAY_SIZE(guest_helpers), &fp_rules_arm,
};
static const struct interp_layout guest_layout = {
    .mxcsr = offsetof(struct guest, mxcsr),
    .insn_pc = offsetof(struct guest, insn_pc),
    .pc = offsetof(struct guest, pc),
};

#endif
