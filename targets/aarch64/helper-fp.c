/*
 * Scalar floating point by base/softfloat: half precision, and every format when FPCR asks for what the host's
 * arithmetic does not do. Numbers of operations: fp-ops.h.
 */
#include "targets/aarch64/fp-env.h"
#include "targets/aarch64/fp-ops.h"
#include "targets/aarch64/helpers.h"
#include "tcg/ir.h"

static const struct fp_format *const formats[4] = {
    [FTYPE_S] = &fp_f32, [FTYPE_D] = &fp_f64, [FTYPE_H] = &fp_f16,
};

static const struct fp_format *format_of(uint32_t op) { return formats[op & 3]; }

typedef uint64_t fp1_fn(const struct fp_format *, uint64_t, struct fp_env *);
typedef uint64_t fp2_fn(const struct fp_format *, uint64_t, uint64_t, struct fp_env *);

static uint64_t a64_fp1(struct a64_cpu *cpu, uint32_t op, uint64_t x)
{
    static fp1_fn *const fn[A64_FP1_COUNT] = {[A64_FP_SQRT] = fp_sqrt};
    const struct fp_format *f = format_of(op);
    struct fp_env env = a64_fp_env(cpu, f);
    uint64_t r = fn[op >> 2](f, x, &env);
    a64_fp_raise(cpu, &env);
    return r;
}

static uint64_t a64_fp2(struct a64_cpu *cpu, uint32_t op, uint64_t x, uint64_t y)
{
    static fp2_fn *const fn[A64_FP2_COUNT] = {
        [A64_FP_ADD] = fp_add, [A64_FP_SUB] = fp_sub, [A64_FP_MUL] = fp_mul,       [A64_FP_DIV] = fp_div,
        [A64_FP_MAX] = fp_max, [A64_FP_MIN] = fp_min, [A64_FP_MAXNUM] = fp_maxnum, [A64_FP_MINNUM] = fp_minnum,
    };
    const struct fp_format *f = format_of(op);
    struct fp_env env = a64_fp_env(cpu, f);
    uint64_t r = fn[op >> 2](f, x, y, &env);
    a64_fp_raise(cpu, &env);
    return r;
}

/* x * y + z */
static uint64_t a64_fma(struct a64_cpu *cpu, uint32_t op, uint64_t x, uint64_t y, uint64_t z)
{
    const struct fp_format *f = format_of(op);
    struct fp_env env = a64_fp_env(cpu, f);
    uint64_t r = fp_fma(f, x, y, z, &env);
    a64_fp_raise(cpu, &env);
    return r;
}

/* NZCV as four bits */
static uint32_t a64_fcmp(struct a64_cpu *cpu, uint32_t op, uint64_t x, uint64_t y)
{
    static const uint8_t nzcv[4] = {
        [FP_LESS + 1] = 8, [FP_EQUAL + 1] = 6, [FP_GREATER + 1] = 2, [FP_UNORDERED + 1] = 3,
    };
    const struct fp_format *f = format_of(op);
    struct fp_env env = a64_fp_env(cpu, f);
    enum fp_order order = op >> 2 ? fp_compare_signal(f, x, y, &env) : fp_compare(f, x, y, &env);
    a64_fp_raise(cpu, &env);
    return nzcv[order + 1];
}

static uint64_t a64_fcvt(struct a64_cpu *cpu, uint32_t op, uint64_t x)
{
    struct fp_env env = a64_fp_env_convert(cpu);
    uint64_t r = fp_convert(formats[op >> 2], formats[op & 3], x, &env);
    a64_fp_raise(cpu, &env);
    return r;
}

static uint64_t a64_frint(struct a64_cpu *cpu, uint32_t op, uint64_t x)
{
    const struct fp_format *f = format_of(op);
    struct fp_env env = a64_fp_env(cpu, f);
    unsigned rm = op >> 2 & 7;
    uint64_t r = fp_round_int(f, x, rm == IR_RM_DYN ? env.round : rm, op >> 5, &env);
    a64_fp_raise(cpu, &env);
    return r;
}

static uint64_t a64_ftoi(struct a64_cpu *cpu, uint32_t op, uint64_t x)
{
    const struct fp_format *f = format_of(op);
    struct fp_env env = a64_fp_env(cpu, f);
    enum fp_round rm = op >> 2 & 7;
    bool wide = op >> 5 & 1, is_signed = op >> 6 & 1;
    unsigned width = wide ? 64 : 32, fbits = op >> 7;
    uint64_t r = is_signed ? (uint64_t)fp_to_sint(f, x, width, fbits, rm, &env)
                           : fp_to_uint(f, x, width, fbits, rm, &env);
    a64_fp_raise(cpu, &env);
    return wide ? r : (uint32_t)r;
}

static uint64_t a64_itof(struct a64_cpu *cpu, uint32_t op, uint64_t v)
{
    const struct fp_format *f = format_of(op);
    struct fp_env env = a64_fp_env(cpu, f);
    bool wide = op >> 5 & 1, is_signed = op >> 6 & 1;
    unsigned fbits = op >> 7;
    uint64_t r = is_signed ? fp_from_sint(f, wide ? (int64_t)v : (int32_t)v, fbits, &env)
                           : fp_from_uint(f, wide ? v : (uint32_t)v, fbits, &env);
    a64_fp_raise(cpu, &env);
    return r;
}

/* The integer in the low word, above it NZCV's Z as 0 or 1. */
static uint64_t a64_fjcvtzs(struct a64_cpu *cpu, uint64_t x)
{
    struct fp_env env = a64_fp_env(cpu, &fp_f64);
    bool exact;
    uint64_t r = f64_to_int32_modular(x, &exact, &env);
    a64_fp_raise(cpu, &env);
    return r | (uint64_t)exact << 32;
}

#define X(name, fn, sig, effects)                                                                                      \
    const struct ir_helper a64_helper_##name = {#name, (void (*)(void))fn, sig, effects};
#include "targets/aarch64/helpers-fp.def"
#undef X
