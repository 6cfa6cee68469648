/* What trans-fp.c and trans-fp-move.c share: values of a format, rounding modes, the softfloat helper. */
#ifndef TARGETS_RISCV_TRANS_FP_H
#define TARGETS_RISCV_TRANS_FP_H

#include "base/softfloat.h"
#include "targets/riscv/helpers.h"
#include "targets/riscv/translate.h"

/* Value type of a format: F32, F64; half precision is raw bits in an I64. */
enum ir_type rv_fp_type(unsigned fmt);
/* Whether the hart computes in the format (Zfh for half); moves and conversions need only Zfhmin. */
bool rv_fp_arithmetic(DisasContext *s, unsigned fmt);
bool rv_fp_moves(DisasContext *s, unsigned fmt);

/* An f register as a value of the format: the default NaN if it is not NaN-boxed properly. */
ir_ref rv_read_fp(DisasContext *s, unsigned fmt, unsigned r);
void rv_write_fp(DisasContext *s, unsigned fmt, unsigned r, ir_ref v);

/*
 * An instruction's rounding mode: IR_RM_DYN if it is that of frm and in MXCSR, else FP_RNE to FP_RNA.
 * False: reserved, the instruction is illegal.
 */
bool rv_rounding(DisasContext *s, unsigned field, unsigned *rm);

/* Values to and from raw bits (I64), as the helper has them. */
ir_ref rv_fp_bits(DisasContext *s, unsigned fmt, ir_ref v);
ir_ref rv_fp_value(DisasContext *s, unsigned fmt, ir_ref bits);
/* The helper on raw bits; unused operands are IR_NONE. */
ir_ref rv_fp_soft(DisasContext *s, enum rv_fp_op op, unsigned fmt, unsigned rm, ir_ref x, ir_ref y, ir_ref z);

#endif
