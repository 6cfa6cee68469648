/*
 * Floating-point ops through base/softfloat: one row per op gives the function, the same for a scalar and for each
 * lane of a vector.
 */
#include "base/softfloat.h"

#include "tcg/eval.h"

typedef uint64_t fp1_fn(const struct fp_format *, uint64_t, struct fp_env *);
typedef uint64_t fp2_fn(const struct fp_format *, uint64_t, uint64_t, struct fp_env *);
typedef uint64_t fp3_fn(const struct fp_format *, uint64_t, uint64_t, uint64_t, struct fp_env *);

static uint64_t cmp_eq(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return -(uint64_t)(fp_compare(f, a, b, env) == FP_EQUAL);
}

static uint64_t cmp_gt(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    return -(uint64_t)(fp_compare_signal(f, a, b, env) == FP_GREATER);
}

static uint64_t cmp_ge(const struct fp_format *f, uint64_t a, uint64_t b, struct fp_env *env)
{
    enum fp_order o = fp_compare_signal(f, a, b, env);
    return -(uint64_t)(o == FP_GREATER || o == FP_EQUAL);
}

static uint64_t from_signed(const struct fp_format *f, uint64_t a, struct fp_env *env)
{
    return fp_from_sint(f, f == &fp_f32 ? (int32_t)a : (int64_t)a, 0, env);
}

static uint64_t from_unsigned(const struct fp_format *f, uint64_t a, struct fp_env *env)
{
    return fp_from_uint(f, a, 0, env);
}

static fp1_fn *const fp1[IR_OP_COUNT] = {
    [IR_FSQRT] = fp_sqrt,
    [IR_VFSQRT] = fp_sqrt,
    [IR_VSTOF] = from_signed,
    [IR_VUTOF] = from_unsigned,
};
static fp2_fn *const fp2[IR_OP_COUNT] = {
    [IR_FADD] = fp_add,       [IR_VFADD] = fp_add,       [IR_FSUB] = fp_sub,       [IR_VFSUB] = fp_sub,
    [IR_FMUL] = fp_mul,       [IR_VFMUL] = fp_mul,       [IR_FDIV] = fp_div,       [IR_VFDIV] = fp_div,
    [IR_FMIN] = fp_min,       [IR_VFMIN] = fp_min,       [IR_FMAX] = fp_max,       [IR_VFMAX] = fp_max,
    [IR_FMINNUM] = fp_minnum, [IR_VFMINNUM] = fp_minnum, [IR_FMAXNUM] = fp_maxnum, [IR_VFMAXNUM] = fp_maxnum,
    [IR_VFCMPEQ] = cmp_eq,    [IR_VFCMPGT] = cmp_gt,     [IR_VFCMPGE] = cmp_ge,
};
static fp3_fn *const fp3[IR_OP_COUNT] = {
    [IR_FMA] = fp_fma,
    [IR_VFMA] = fp_fma,
};

/* When a condition holds: one bit per enum fp_order, at order + 1; and whether a quiet NaN is invalid. */
enum { LT = 1, EQ = 2, GT = 4, UN = 8 };
static const struct {
    uint8_t orders;
    bool signals;
} conditions[CC_COUNT] = {
    [CC_FOEQ] = {EQ},           [CC_FUNE] = {LT | GT | UN},
    [CC_FORD] = {LT | EQ | GT}, [CC_FUNO] = {UN},
    [CC_FOLT] = {LT, true},     [CC_FUGE] = {GT | EQ | UN, true},
    [CC_FOLE] = {LT | EQ, true}, [CC_FUGT] = {GT | UN, true},
    [CC_FOGT] = {GT, true},     [CC_FULE] = {LT | EQ | UN, true},
    [CC_FOGE] = {GT | EQ, true}, [CC_FULT] = {LT | UN, true},
    [CC_QOLT] = {LT},           [CC_QUGE] = {GT | EQ | UN},
    [CC_QOLE] = {LT | EQ},      [CC_QUGT] = {GT | UN},
    [CC_QOGT] = {GT},           [CC_QULE] = {LT | EQ | UN},
    [CC_QOGE] = {GT | EQ},      [CC_QULT] = {LT | UN},
};

bool ir_fp_cc_holds(enum ir_cc cc, int order)
{
    return conditions[cc].orders >> (order + 1) & 1;
}

static const struct fp_format *format_of(enum ir_type t)
{
    return t == IR_F32 ? &fp_f32 : &fp_f64;
}

bool ir_eval_fp_cc(enum ir_cc cc, enum ir_type type, uint64_t a, uint64_t b, struct fp_env *env)
{
    const struct fp_format *f = format_of(type);
    return ir_fp_cc_holds(cc, conditions[cc].signals ? fp_compare_signal(f, a, b, env) : fp_compare(f, a, b, env));
}

static uint32_t nzcv_fcmp(const struct ir_inst *in, uint64_t a, uint64_t b, struct fp_env *env)
{
    static const uint8_t nzcv[4] = {[FP_LESS + 1] = 8,
                                    [FP_EQUAL + 1] = 6,
                                    [FP_GREATER + 1] = 2,
                                    [FP_UNORDERED + 1] = 3};
    const struct fp_format *f = format_of(in->type);
    return nzcv[(in->ir_sub ? fp_compare_signal(f, a, b, env) : fp_compare(f, a, b, env)) + 1];
}

static enum fp_round round_of(unsigned rm, const struct fp_env *env)
{
    return rm == IR_RM_DYN ? env->round : rm;
}

static uint64_t to_int(bool is_signed, unsigned width, enum ir_type from, uint64_t a, unsigned rm, struct fp_env *env)
{
    const struct fp_format *f = format_of(from);
    uint64_t r = is_signed ? (uint64_t)fp_to_sint(f, a, width, 0, round_of(rm, env), env)
                           : fp_to_uint(f, a, width, 0, round_of(rm, env), env);
    return width == 32 ? (uint32_t)r : r;
}

/* One lane or scalar of format f; false if the op is none of the tables'. */
static bool one(const struct ir_inst *in, const struct fp_format *f, uint64_t a, uint64_t b, uint64_t c,
                struct fp_env *env, uint64_t *r)
{
    if (fp2[in->op])
        *r = fp2[in->op](f, a, b, env);
    else if (fp1[in->op])
        *r = fp1[in->op](f, a, env);
    else if (fp3[in->op])
        *r = fp3[in->op](f, a, b, c, env);
    else
        return false;
    return true;
}

static bool vector(const struct ir_inst *in, const union ir_value *const *arg, struct fp_env *env, union ir_value *out)
{
    const union ir_value *a = arg[0];
    union ir_value r = {0};
    const bool wide = in->ir_lane_ == LANE_D;
    const enum ir_type type = wide ? IR_F64 : IR_F32;
    const struct fp_format *f = format_of(type);

    if (in->op == IR_VFEXT) {
        for (unsigned i = 0; i < 2; i++)
            r.q[i] = fp_convert(&fp_f64, &fp_f32, a->s[i], env);
    } else if (in->op == IR_VFTRUNC) {
        for (unsigned i = 0; i < 2; i++)
            r.s[i] = fp_convert(&fp_f32, &fp_f64, a->q[i], env);
    } else {
        for (unsigned i = 0; i < (wide ? 2 : 4); i++) {
            uint64_t x[3], y;
            for (unsigned k = 0; k < 3; k++)
                x[k] = wide ? arg[k]->q[i] : arg[k]->s[i];
            switch (in->op) {
            case IR_VFRINT:
                y = fp_round_int(f, x[0], round_of(in->imm & 7, env), !(in->imm & IR_RM_QUIET), env);
                break;
            case IR_VFTOS:
            case IR_VFTOU: y = to_int(in->op == IR_VFTOS, wide ? 64 : 32, type, x[0], in->imm, env); break;
            default:
                if (!one(in, f, x[0], x[1], x[2], env, &y))
                    return false;
            }
            if (wide)
                r.q[i] = y;
            else
                r.s[i] = y;
        }
    }
    *out = r;
    return true;
}

bool ir_eval_fp(const struct ir_inst *in, const union ir_value *const *arg, struct fp_env *env, union ir_value *out)
{
    const uint64_t a = arg[0]->q[0], b = arg[1]->q[0], c = arg[2]->q[0];
    uint64_t r;

    if (ir_ops[in->op].result[0] == 'v')
        return vector(in, arg, env, out);
    switch (in->op) {
    case IR_SETCC: r = ir_eval_fp_cc(in->cc, in->type2, a, b, env); break;
    case IR_SELCC: *out = ir_eval_fp_cc(in->cc, in->type2, a, b, env) ? *arg[2] : *arg[3]; return true;
    case IR_NZCV_FCMP: r = nzcv_fcmp(in, a, b, env); break;
    case IR_FRINT: r = fp_round_int(format_of(in->type), a, round_of(in->ir_rm, env), !in->ir_sub, env); break;
    case IR_FEXT: r = fp_convert(&fp_f64, &fp_f32, a, env); break;
    case IR_FTRUNC: r = fp_convert(&fp_f32, &fp_f64, a, env); break;
    case IR_STOF:
        r = fp_from_sint(format_of(in->type), in->type2 == IR_I32 ? (int32_t)a : (int64_t)a, 0, env);
        break;
    case IR_UTOF: r = fp_from_uint(format_of(in->type), a, 0, env); break;
    case IR_FTOS:
    case IR_FTOU:
        r = to_int(in->op == IR_FTOS, in->type == IR_I32 ? 32 : 64, in->type2, a, in->ir_rm, env);
        break;
    case IR_UNBOX: r = a >> 32 == UINT32_MAX ? (uint32_t)a : fp_default_nan(&fp_f32, env->rules); break;
    default:
        if (!one(in, format_of(in->type), a, b, c, env, &r))
            return false;
    }
    *out = (union ir_value){.q = {r}};
    return true;
}

/* --- MXCSR, the canonical form of the dynamic modes (Intel SDM vol. 1, 10.2.3) --- */

struct fp_env ir_fp_env(uint32_t mxcsr, const struct fp_rules *rules)
{
    static const uint8_t round[4] = {FP_RNE, FP_RDN, FP_RUP, FP_RTZ};
    return (struct fp_env){
        .rules = rules,
        .round = round[mxcsr >> 13 & 3],
        .flush_inputs = mxcsr >> 6 & 1,
        .flush_outputs = mxcsr >> 15 & 1,
    };
}

/* Softfloat's flags at their places in MXCSR. */
uint32_t ir_mxcsr_flags(unsigned f)
{
    return (f & FP_INVALID ? 0x01 : 0) | (f & FP_DIVZERO ? 0x04 : 0) | (f & FP_OVERFLOW ? 0x08 : 0) |
           (f & FP_UNDERFLOW ? 0x10 : 0) | (f & FP_INEXACT ? 0x20 : 0);
}

unsigned ir_fp_flags(uint32_t mxcsr)
{
    return (mxcsr & 0x01 ? FP_INVALID : 0) | (mxcsr & 0x04 ? FP_DIVZERO : 0) | (mxcsr & 0x08 ? FP_OVERFLOW : 0) |
           (mxcsr & 0x10 ? FP_UNDERFLOW : 0) | (mxcsr & 0x20 ? FP_INEXACT : 0);
}
