/*
 * What ops mean, as C: values, and the evaluation of one instruction on them. The builder folds constants and the
 * interpreter runs programs with the same functions, so that an op's meaning is written once.
 */
#ifndef TCG_EVAL_H
#define TCG_EVAL_H

#include "tcg/ir.h"

/*
 * A value of any type. Integers and floats (as raw bits) are zero-extended in q[0]; q[1] is then 0. Lane 0 of a
 * vector is at the lowest address (hosts are little-endian).
 */
union ir_value {
    uint64_t q[2];
    uint32_t s[4];
    uint16_t h[8];
    uint8_t b[16];
    v128 v;
};

struct fp_env;

/* The environment that a value of MXCSR (rounding control, DAZ, FTZ) stands for; no flags raised. */
struct fp_env ir_fp_env(uint32_t mxcsr, const struct fp_rules *rules);
/* Softfloat's flags at their places in MXCSR. */
uint32_t ir_mxcsr_flags(unsigned flags);
/* The sticky flags of MXCSR as softfloat's; the denormal-operand flag is none of them. */
unsigned ir_fp_flags(uint32_t mxcsr);
/* The FP condition cc on an enum fp_order. */
bool ir_fp_cc_holds(enum ir_cc cc, int order);
/* Compares two floats of the type (raw bits), raising flags in env as cc says. */
bool ir_eval_fp_cc(enum ir_cc cc, enum ir_type type, uint64_t a, uint64_t b, struct fp_env *env);
/* One vector instruction without FP; false if it is none. */
bool ir_eval_vector(const struct ir_inst *in, const union ir_value *const *arg, union ir_value *out);
/*
 * One instruction of scalar or vector floating point; flags go to env. False if it is none. Comparisons by SETCC and
 * SELCC are among them.
 */
bool ir_eval_fp(const struct ir_inst *in, const union ir_value *const *arg, struct fp_env *env, union ir_value *out);

static inline bool ir_int_cc(enum ir_cc cc, bool wide, uint64_t a, uint64_t b)
{
    int64_t sa = wide ? (int64_t)a : (int32_t)a, sb = wide ? (int64_t)b : (int32_t)b;
    switch (cc) {
    case CC_EQ: return a == b;
    case CC_NE: return a != b;
    case CC_LTU: return a < b;
    case CC_GEU: return a >= b;
    case CC_LEU: return a <= b;
    case CC_GTU: return a > b;
    case CC_LTS: return sa < sb;
    case CC_GES: return sa >= sb;
    case CC_LES: return sa <= sb;
    case CC_GTS: return sa > sb;
    case CC_TSTEQ: return !(a & b);
    default: return a & b; /* TSTNE */
    }
}

/* NZCV of a + b + c in 32 or 64 bits (wide). */
static inline uint32_t ir_nzcv_add(bool wide, uint64_t a, uint64_t b, unsigned c)
{
    unsigned top = wide ? 63 : 31;
    unsigned __int128 sum = (unsigned __int128)a + b + c;
    uint64_t r = wide ? (uint64_t)sum : (uint32_t)sum;
    unsigned n = r >> top & 1, z = r == 0, carry = sum >> (top + 1) & 1, v = ((a ^ r) & (b ^ r)) >> top & 1;
    return n << 3 | z << 2 | carry << 1 | v;
}

/*
 * One integer instruction (also SETCC and SELCC on integers, any type selected); false if it is none. Operands are
 * q[0] of the arguments; *out gets the whole value.
 */
static inline bool ir_eval_int(const struct ir_inst *in, const union ir_value *pa, const union ir_value *pb,
                               const union ir_value *pc, const union ir_value *pd, union ir_value *out)
{
    const uint64_t a = pa->q[0], b = pb->q[0];
    const bool wide = in->type == IR_I64;
    const unsigned t = wide ? 64 : 32;
    const int64_t sa = wide ? (int64_t)a : (int32_t)a, sb = wide ? (int64_t)b : (int32_t)b;
    const uint64_t min = UINT64_C(1) << (t - 1), mask = wide ? ~UINT64_C(0) : UINT32_MAX;
    const unsigned sh = b & (t - 1);
    uint64_t r;

    switch (in->op) {
    case IR_CONST:
        out->q[0] = in->imm;
        out->q[1] = in->type == IR_V128 ? in->imm2 : 0;
        return true;
    case IR_ADD: r = a + b; break;
    case IR_SUB: r = a - b; break;
    case IR_NEG: r = -a; break;
    case IR_MUL: r = a * b; break;
    case IR_MULHU: r = ((unsigned __int128)a * b) >> t; break;
    case IR_MULHS: r = ((__int128)sa * sb) >> t; break;
    case IR_DIVU: r = b ? a / b : ~UINT64_C(0); break;
    case IR_DIVS: r = !b ? ~UINT64_C(0) : sb == -1 ? -a : (uint64_t)(sa / sb); break;
    case IR_REMU: r = b ? a % b : a; break;
    case IR_REMS: r = !b ? a : sb == -1 ? 0 : (uint64_t)(sa % sb); break;
    case IR_AND: r = a & b; break;
    case IR_OR: r = a | b; break;
    case IR_XOR: r = a ^ b; break;
    case IR_ANDN: r = a & ~b; break;
    case IR_NOT: r = ~a; break;
    case IR_SHL: r = a << sh; break;
    case IR_SHR: r = a >> sh; break;
    case IR_SAR: r = sa >> sh; break;
    case IR_ROTR: r = wide ? ror64(a, sh) : ror32(a, sh); break;
    case IR_EXTR: r = b >> in->imm | a << (t - in->imm); break;
    case IR_CLZ: r = a ? (unsigned)__builtin_clzll(a) - (64 - t) : t; break;
    case IR_CTZ: r = a ? (unsigned)__builtin_ctzll(a) : t; break;
    case IR_POPCNT: r = __builtin_popcountll(a); break;
    case IR_BSWAP: r = __builtin_bswap64(a) >> (64 - t); break;
    case IR_UBFX: r = extract64(a, in->imm, in->imm2); break;
    case IR_SBFX: r = sextract64(a, in->imm, in->imm2); break;
    case IR_DEPOSIT: r = deposit64(a, in->imm, in->imm2, b); break;
    case IR_ADC: r = a + b + pc->q[0]; break;
    case IR_ZEXT:
        out->q[0] = a, out->q[1] = 0;
        return true;
    case IR_SEXT:
        out->q[0] = (int64_t)(int32_t)a, out->q[1] = 0;
        return true;
    case IR_TRUNC: r = (uint32_t)a; break;
    case IR_SETCC:
        if (in->cc >= CC_FOEQ)
            return false;
        r = ir_int_cc(in->cc, in->type2 == IR_I64, a, b);
        break;
    case IR_SELCC:
        if (in->cc >= CC_FOEQ)
            return false;
        *out = ir_int_cc(in->cc, in->type2 == IR_I64, a, b) ? *pc : *pd;
        return true;
    case IR_CARRY: r = ir_nzcv_add(wide, a, b, pc->q[0]) >> 1 & 1; break;
    case IR_NZCV_ADC: r = ir_nzcv_add(wide, a, b, pc->q[0]); break;
    case IR_NZCV_ADD: r = ir_nzcv_add(wide, a, b, 0); break;
    case IR_NZCV_SUB: r = ir_nzcv_add(wide, a, ~b & mask, 1); break;
    case IR_NZCV_LOGIC: r = (a & min ? 8 : 0) | (a ? 0 : 4); break;
    case IR_FNEG: r = a ^ (in->type == IR_F64 ? UINT64_C(1) << 63 : UINT64_C(1) << 31); goto whole;
    case IR_FABS: r = a & (in->type == IR_F64 ? INT64_MAX : INT32_MAX); goto whole;
    case IR_FSGNJ:
        r = in->type == IR_F64 ? (a & INT64_MAX) | (b & (UINT64_C(1) << 63)) : (a & INT32_MAX) | (b & (1u << 31));
        goto whole;
    case IR_BITCAST: r = a; goto whole;
    case IR_NANBOX: r = a | UINT64_C(0xffffffff) << 32; goto whole;
    default: return false;
    }
    r &= mask;
whole:
    out->q[0] = r;
    out->q[1] = 0;
    return true;
}

#endif
