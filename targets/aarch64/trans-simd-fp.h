/* What the translators of Advanced SIMD floating point share. */
#ifndef TARGETS_AARCH64_TRANS_SIMD_FP_H
#define TARGETS_AARCH64_TRANS_SIMD_FP_H

#include "targets/aarch64/translate-simd.h"

/* Whether operations on these elements are helper calls rather than IR, in the mode translated for. */
bool simd_fp_by_helper(const struct simd *v);
/* op: enum simd_fp; lanes above the length are not computed, and zero in the result. */
ir_ref simd_fp_call(const struct simd *v, unsigned op, unsigned param, ir_ref n, ir_ref m, ir_ref d);
/* The type of one element; single or double precision. */
enum ir_type simd_fp_type(const struct simd *v);

#endif
