/*
 * How translators name an operation to the floating-point helpers: one integer constant, made here and taken apart in
 * helper-fp.c. Values travel as raw bits, in the low end of an I64.
 */
#ifndef TARGETS_AARCH64_FP_OPS_H
#define TARGETS_AARCH64_FP_OPS_H

#include <stdint.h>

/* Formats as the instruction field ftype has them; 2 is unallocated there. */
enum { FTYPE_S, FTYPE_D, FTYPE_NONE, FTYPE_H };

enum a64_fp1 { A64_FP_SQRT, A64_FP1_COUNT };
enum a64_fp2 {
    A64_FP_ADD, A64_FP_SUB, A64_FP_MUL, A64_FP_DIV, A64_FP_MAX, A64_FP_MIN, A64_FP_MAXNUM, A64_FP_MINNUM,
    A64_FP2_COUNT
};

/* fp1, fp2, fma, fcmp (op: 1 when signalling): operation and format. */
static inline uint32_t a64_fp_op(unsigned op, unsigned ftype) { return op << 2 | ftype; }

/* fcvt: between formats. */
static inline uint32_t a64_fcvt_op(unsigned to, unsigned from) { return to << 2 | from; }

/* frint: rm is enum fp_round or IR_RM_DYN. */
static inline uint32_t a64_frint_op(unsigned ftype, unsigned rm, unsigned exact)
{
    return exact << 5 | rm << 2 | ftype;
}

/* ftoi and itof (rm unused): fbits 0 to 64 fraction bits. */
static inline uint32_t a64_fixed_op(unsigned ftype, unsigned rm, unsigned is_signed, unsigned wide, unsigned fbits)
{
    return fbits << 7 | is_signed << 6 | wide << 5 | rm << 2 | ftype;
}

#endif
