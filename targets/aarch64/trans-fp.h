/* What the translators of scalar floating point share. */
#ifndef TARGETS_AARCH64_TRANS_FP_H
#define TARGETS_AARCH64_TRANS_FP_H

#include "targets/aarch64/fp-ops.h"
#include "targets/aarch64/translate.h"

/* Whether operations in this format are helper calls rather than IR, in the mode translated for. */
bool a64_fp_by_helper(const DisasContext *s, unsigned ftype);
/* Single or double precision: lane 0 as F32 or F64; a write zeroes the rest of the register. */
ir_ref a64_read_fp(DisasContext *s, unsigned ftype, unsigned r);
void a64_write_fp(DisasContext *s, unsigned ftype, unsigned r, ir_ref v);
/* Any format, as helpers have it: raw bits in an I64; those read above the format's width are anything. */
ir_ref a64_read_fp_bits(DisasContext *s, unsigned r);
void a64_write_fp_bits(DisasContext *s, unsigned r, ir_ref v);

#endif
