/*
 * Advanced SIMD floating point by base/softfloat, lane by lane: half precision, every format when FPCR asks for what
 * the host's arithmetic does not do, and Arm's own operations. Operations: enum simd_fp of translate-simd.h.
 */
#include "targets/aarch64/fp-env.h"
#include "targets/aarch64/helper-simd.h"
#include "targets/aarch64/helpers.h"

static const struct fp_format *const formats[4] = {
    [LANE_H] = &fp_f16, [LANE_S] = &fp_f32, [LANE_D] = &fp_f64,
};

struct operands {
    const struct fp_format *f;
    uint64_t n, m, d;
    unsigned bits, param;
};

typedef uint64_t fp_fn(const struct operands *o, struct fp_env *env);
#define FN(name, expr)                                                     \
    static uint64_t name(const struct operands *o, struct fp_env *env)     \
    {                                                                      \
        return expr;                                                       \
    }

static enum fp_round mode(const struct operands *o, const struct fp_env *env)
{
    unsigned rm = o->param & 7;
    return rm == IR_RM_DYN ? env->round : rm;
}

static uint64_t truth(bool b) { return -(uint64_t)b; }

static bool at_least(enum fp_order order) { return order == FP_GREATER || order == FP_EQUAL; }

FN(add, fp_add(o->f, o->n, o->m, env))
FN(sub, fp_sub(o->f, o->n, o->m, env))
FN(mul, fp_mul(o->f, o->n, o->m, env))
FN(divide, fp_div(o->f, o->n, o->m, env))
FN(max, fp_max(o->f, o->n, o->m, env))
FN(min, fp_min(o->f, o->n, o->m, env))
FN(maxnum, fp_maxnum(o->f, o->n, o->m, env))
FN(minnum, fp_minnum(o->f, o->n, o->m, env))
FN(mulx, fp_mulx(o->f, o->n, o->m, env))
FN(recps, fp_recip_step(o->f, o->n, o->m, env))
FN(rsqrts, fp_rsqrt_step(o->f, o->n, o->m, env))
FN(cmpeq, truth(fp_compare(o->f, o->n, o->m, env) == FP_EQUAL))
FN(cmpge, truth(at_least(fp_compare_signal(o->f, o->n, o->m, env))))
FN(cmpgt, truth(fp_compare_signal(o->f, o->n, o->m, env) == FP_GREATER))
FN(fused, fp_fma(o->f, o->n, o->m, o->d, env))
FN(square_root, fp_sqrt(o->f, o->n, env))
FN(recpe, fp_recip_estimate(o->f, o->n, env))
FN(rsqrte, fp_rsqrt_estimate(o->f, o->n, env))
FN(recpx, fp_recip_exponent(o->f, o->n, env))
FN(integral, fp_round_int(o->f, o->n, mode(o, env), !(o->param & IR_RM_QUIET), env))
FN(tos, (uint64_t)fp_to_sint(o->f, o->n, o->bits, 0, mode(o, env), env))
FN(tou, fp_to_uint(o->f, o->n, o->bits, 0, mode(o, env), env))
FN(tos_fix, (uint64_t)fp_to_sint(o->f, o->n, o->bits, o->param, FP_RTZ, env))
FN(tou_fix, fp_to_uint(o->f, o->n, o->bits, o->param, FP_RTZ, env))
FN(stof, fp_from_sint(o->f, sextract64(o->n, 0, o->bits), o->param, env))
FN(utof, fp_from_uint(o->f, o->n, o->param, env))

static fp_fn *const fn[SIMD_FP_COUNT] = {
    [SIMD_FADD] = add,         [SIMD_FSUB] = sub,         [SIMD_FMUL] = mul,       [SIMD_FDIV] = divide,
    [SIMD_FMAX] = max,         [SIMD_FMIN] = min,         [SIMD_FMAXNUM] = maxnum, [SIMD_FMINNUM] = minnum,
    [SIMD_FMULX] = mulx,       [SIMD_FRECPS] = recps,     [SIMD_FRSQRTS] = rsqrts, [SIMD_FCMPEQ] = cmpeq,
    [SIMD_FCMPGE] = cmpge,     [SIMD_FCMPGT] = cmpgt,     [SIMD_FMA] = fused,      [SIMD_FSQRT] = square_root,
    [SIMD_FRECPE] = recpe,     [SIMD_FRSQRTE] = rsqrte,   [SIMD_FRECPX] = recpx,   [SIMD_FRINT] = integral,
    [SIMD_FTOS] = tos,         [SIMD_FTOU] = tou,         [SIMD_FTOS_FIX] = tos_fix, [SIMD_FTOU_FIX] = tou_fix,
    [SIMD_STOF] = stof,        [SIMD_UTOF] = utof,
};

static v128 a64_simd_fp(struct a64_cpu *cpu, uint32_t desc, v128 n, v128 m, v128 d)
{
    union lanes x = {n}, y = {m}, z = {d}, r = {{0}};
    unsigned e = simd_desc_e(desc), count = simd_desc_lanes(desc);
    struct operands o = {.f = formats[e], .bits = 8 << e, .param = simd_desc_param(desc)};
    struct fp_env env = a64_fp_env(cpu, o.f);
    for (unsigned i = 0; i < count; i++) {
        o.n = lane_get(&x, e, i);
        o.m = lane_get(&y, e, i);
        o.d = lane_get(&z, e, i);
        lane_set(&r, e, i, fn[simd_desc_op(desc)](&o, &env));
    }
    a64_fp_raise(cpu, &env);
    return r.v;
}

static v128 a64_simd_fcvt(struct a64_cpu *cpu, uint32_t desc, v128 n)
{
    union lanes x = {n}, r = {{0}};
    unsigned from = simd_desc_e(desc), to = simd_desc_param(desc), count = simd_desc_lanes(desc);
    struct fp_env env = a64_fp_env_convert(cpu);
    if (simd_desc_op(desc) == SIMD_FCVT_ODD)
        env.round = FP_ROD;
    for (unsigned i = 0; i < count; i++)
        lane_set(&r, to, i, fp_convert(formats[to], formats[from], lane_get(&x, from, i), &env));
    a64_fp_raise(cpu, &env);
    return r.v;
}

#define X(name, fn, sig, effects)                                                                                      \
    const struct ir_helper a64_helper_##name = {#name, (void (*)(void))fn, sig, effects};
#include "targets/aarch64/helpers-simd-fp.def"
#undef X
