/* Floating point where the IR's ops cannot serve: half precision, static rounding modes, and FCLASS, FCVTMOD. */
#include "targets/riscv/helper-fp.h"

#include "base/softfloat.h"
#include "targets/riscv/helpers.h"

static const struct fp_format *const formats[] = {
    [RV_FMT_S] = &fp_f32,
    [RV_FMT_D] = &fp_f64,
    [RV_FMT_H] = &fp_f16,
};

/* fflags and softfloat's flags at their places in MXCSR (its denormal-operand flag means nothing here). */
static const struct {
    uint8_t fcsr, soft, mxcsr;
} flag_bits[] = {
    {FCSR_NV, FP_INVALID, 1 << 0},   {FCSR_DZ, FP_DIVZERO, 1 << 2}, {FCSR_OF, FP_OVERFLOW, 1 << 3},
    {FCSR_UF, FP_UNDERFLOW, 1 << 4}, {FCSR_NX, FP_INEXACT, 1 << 5},
};
enum { MXCSR_FLAGS = 0x3f, MXCSR_RC_SHIFT = 13 };

uint32_t rv_read_fcsr(const struct rv_cpu *cpu)
{
    uint32_t v = cpu->frm << FCSR_FRM_SHIFT;
    for (unsigned i = 0; i < ARRAY_SIZE(flag_bits); i++)
        if (cpu->cpu.mxcsr & flag_bits[i].mxcsr)
            v |= flag_bits[i].fcsr;
    return v;
}

void rv_write_fcsr(struct rv_cpu *cpu, uint32_t value)
{
    static const uint8_t rc[8] = {0, 3, 1, 2}; /* RNE, RTZ, RDN, RUP; the others are never used inline */
    cpu->frm = value >> FCSR_FRM_SHIFT & 7;
    uint32_t mxcsr = cpu->cpu.mxcsr & ~(MXCSR_FLAGS | 3u << MXCSR_RC_SHIFT);
    mxcsr |= (uint32_t)rc[cpu->frm] << MXCSR_RC_SHIFT;
    for (unsigned i = 0; i < ARRAY_SIZE(flag_bits); i++)
        if (value & flag_bits[i].fcsr)
            mxcsr |= flag_bits[i].mxcsr;
    cpu->cpu.mxcsr = mxcsr;
}

static uint64_t sext32(uint64_t v) { return (int64_t)(int32_t)v; }

static uint64_t less(const struct fp_format *f, uint64_t a, uint64_t b, bool or_equal, bool quiet, struct fp_env *env)
{
    enum fp_order o = quiet ? fp_compare(f, a, b, env) : fp_compare_signal(f, a, b, env);
    return o == FP_LESS || (or_equal && o == FP_EQUAL);
}

static uint64_t compute(enum rv_fp_op op, const struct fp_format *f, uint64_t a, uint64_t b, uint64_t c,
                        struct fp_env *env)
{
    switch (op) {
    case RV_FP_ADD: return fp_add(f, a, b, env);
    case RV_FP_SUB: return fp_sub(f, a, b, env);
    case RV_FP_MUL: return fp_mul(f, a, b, env);
    case RV_FP_DIV: return fp_div(f, a, b, env);
    case RV_FP_SQRT: return fp_sqrt(f, a, env);
    case RV_FP_FMA: return fp_fma(f, a, b, c, env);
    case RV_FP_MIN: return fp_minnum(f, a, b, env);
    case RV_FP_MAX: return fp_maxnum(f, a, b, env);
    case RV_FP_MINM: return fp_min(f, a, b, env);
    case RV_FP_MAXM: return fp_max(f, a, b, env);
    case RV_FP_EQ: return fp_compare(f, a, b, env) == FP_EQUAL;
    case RV_FP_LT: return less(f, a, b, false, false, env);
    case RV_FP_LE: return less(f, a, b, true, false, env);
    case RV_FP_LTQ: return less(f, a, b, false, true, env);
    case RV_FP_LEQ: return less(f, a, b, true, true, env);
    case RV_FP_ROUND: return fp_round_int(f, a, env->round, false, env);
    case RV_FP_ROUNDNX: return fp_round_int(f, a, env->round, true, env);
    case RV_FP_TO_W: return sext32(fp_to_sint(f, a, 32, 0, env->round, env));
    case RV_FP_TO_WU: return sext32(fp_to_uint(f, a, 32, 0, env->round, env));
    case RV_FP_TO_L: return fp_to_sint(f, a, 64, 0, env->round, env);
    case RV_FP_TO_LU: return fp_to_uint(f, a, 64, 0, env->round, env);
    case RV_FP_FROM_W: return fp_from_sint(f, (int32_t)a, 0, env);
    case RV_FP_FROM_WU: return fp_from_uint(f, (uint32_t)a, 0, env);
    case RV_FP_FROM_L: return fp_from_sint(f, a, 0, env);
    case RV_FP_FROM_LU: return fp_from_uint(f, a, 0, env);
    case RV_FP_FROM_S: return fp_convert(f, &fp_f32, a, env);
    case RV_FP_FROM_D: return fp_convert(f, &fp_f64, a, env);
    case RV_FP_FROM_H: return fp_convert(f, &fp_f16, a, env);
    case RV_FP_MOD_W: return sext32(f64_to_int32_modular(a, NULL, env));
    }
    return 0;
}

uint64_t rv_fp(struct rv_cpu *cpu, uint32_t request, uint64_t a, uint64_t b, uint64_t c)
{
    uint8_t rm = request >> 16;
    struct fp_env env = {.rules = &fp_rules_riscv, .round = rm == 7 ? cpu->frm : rm};
    uint64_t r = compute(request & 0xff, formats[request >> 8 & 0xff], a, b, c, &env);
    for (unsigned i = 0; i < ARRAY_SIZE(flag_bits); i++)
        if (env.flags & flag_bits[i].soft)
            cpu->cpu.mxcsr |= flag_bits[i].mxcsr;
    return r;
}

uint64_t rv_fclass(uint32_t fmt, uint64_t a)
{
    return UINT64_C(1) << fp_classify(formats[fmt], a);
}

uint64_t rv_fp_constant(unsigned fmt, unsigned number)
{
    static const float values[32] = {
        -1, 0, 0x1p-16, 0x1p-15, 0x1p-8, 0x1p-7, 0.0625, 0.125, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625, 0.75, 0.875,
        1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 8, 16, 128, 256, 0x1p15, 0x1p16,
    };
    enum { LEAST_NORMAL = 1, INFINITY_ = 30, NAN_ = 31 };
    const struct fp_format *f = formats[fmt];
    struct fp_env env = {.rules = &fp_rules_riscv};
    uint32_t bits;
    switch (number) {
    case LEAST_NORMAL: return UINT64_C(1) << f->frac_bits;
    case INFINITY_: return fp_infinity(f, false);
    case NAN_: return fp_default_nan(f, &fp_rules_riscv);
    default: memcpy(&bits, &values[number], 4); return fp_convert(f, &fp_f32, bits, &env);
    }
}
