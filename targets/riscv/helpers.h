/*
 * C functions called by this guest's generated code: declared from helpers.def, one row each:
 * X(name, function, signature, effects), see struct ir_helper; and the requests to the floating-point one.
 */
#ifndef TARGETS_RISCV_HELPERS_H
#define TARGETS_RISCV_HELPERS_H

#include "targets/riscv/cpu.h"
#include "tcg/ir.h"

#define X(name, fn, sig, effects) extern const struct ir_helper rv_helper_##name;
#include "targets/riscv/helpers.def"
#undef X

/* The fmt field of OP-FP instructions. */
enum rv_fmt { RV_FMT_S, RV_FMT_D, RV_FMT_H, RV_FMT_Q };

/* What helper `fp` does on raw values of its format; integers are 64-bit, W results sign-extended. */
enum rv_fp_op {
    RV_FP_ADD, RV_FP_SUB, RV_FP_MUL, RV_FP_DIV, RV_FP_SQRT, RV_FP_FMA,
    RV_FP_MIN, RV_FP_MAX, RV_FP_MINM, RV_FP_MAXM, /* …M: a NaN for a NaN */
    RV_FP_EQ, RV_FP_LT, RV_FP_LE, RV_FP_LTQ, RV_FP_LEQ, /* …Q: quiet */
    RV_FP_ROUND, RV_FP_ROUNDNX,
    RV_FP_TO_W, RV_FP_TO_WU, RV_FP_TO_L, RV_FP_TO_LU,
    RV_FP_FROM_W, RV_FP_FROM_WU, RV_FP_FROM_L, RV_FP_FROM_LU,
    RV_FP_FROM_S, RV_FP_FROM_D, RV_FP_FROM_H,
    RV_FP_MOD_W, /* FCVTMOD.W.D */
};

/* rm: 0 to 4, or 7 for the dynamic mode, which must be valid. */
#define RV_FP_REQUEST(op, fmt, rm) ((uint32_t)(op) | (uint32_t)(fmt) << 8 | (uint32_t)(rm) << 16)

#endif
