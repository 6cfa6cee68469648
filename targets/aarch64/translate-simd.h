/*
 * What the trans-simd-*.c files share: the shape of an Advanced SIMD instruction (element size, vector length), and
 * its operands cut to that length. A handler checks the shape (reserved ones are undefined), builds the result as if
 * all 128 bits counted, and simd_write() zeroes what lies above the length.
 */
#ifndef TARGETS_AARCH64_TRANSLATE_SIMD_H
#define TARGETS_AARCH64_TRANSLATE_SIMD_H

#include "targets/aarch64/helpers.h"
#include "targets/aarch64/translate.h"

/* The decode tables' q: a 64-bit vector, a 128-bit vector, or one element (Advanced SIMD scalar). */
enum { Q_64, Q_128, Q_SCALAR };

/* Element sizes as a set: bit e for elements of 2^e bytes. */
enum { B__ = 1, BH_ = 3, BHS = 7, BHSD = 15, HS = 6, S__ = 4, SD = 12, HSD = 14 };

struct simd {
    DisasContext *s;
    struct ir_builder *b;
    enum ir_lane e;
    unsigned bytes; /* that count: 16, 8, or an element's */
    unsigned rd;
    unsigned shift; /* shifts by immediate: the distance */
    ir_ref n, m;    /* operands */
};

/* Fills the shape; false if it is reserved: e is not in `sizes`, or q = Q_64 with 64-bit elements. */
bool simd_shape(struct simd *v, DisasContext *s, unsigned q, unsigned e, unsigned sizes, unsigned rd);
/* The same of a shift by immediate, imm = immh:immb: the highest one gives the element size; below it the distance. */
bool simd_shift_shape(struct simd *v, DisasContext *s, unsigned q, unsigned imm, unsigned sizes, bool right,
                      unsigned rd);
/* x with zeros from `bytes` (1, 2, 4, 8 or 16) on. */
ir_ref simd_cut(struct ir_builder *b, unsigned bytes, ir_ref x);
/* Writes Vd: x cut to the length. */
void simd_write(const struct simd *v, ir_ref x);
/* Narrowing instructions, whose result fills half of Vd: q = Q_128 (the "2" form) keeps the lower half. */
void simd_write_half(const struct simd *v, unsigned q, ir_ref low);
/* The half of Vr that a widening instruction reads, in the low lanes. */
ir_ref simd_half(DisasContext *s, unsigned q, unsigned r);
/* A constant with the low bits of x in every element. */
ir_ref simd_splat(struct ir_builder *b, enum ir_lane e, uint64_t x);
/* Vm[index] of an "x indexed element" instruction in every lane; e: LANE_H, _S, _D; rm is M:Rm. False: reserved. */
bool simd_element(DisasContext *s, unsigned e, unsigned h, unsigned l, unsigned rm, ir_ref *x);

static inline ir_ref simd_vd(const struct simd *v) { return a64_read_v(v->s, v->rd); }
static inline unsigned simd_bits(const struct simd *v) { return 8u << v->e; }

/* r, and QC is set where it differs from `exact`; both zero above the length. */
ir_ref simd_saturated(const struct simd *v, ir_ref r, ir_ref exact);

/* Element operations that are calls: each lane of n, m, d through a function of helper-simd.c. */
enum simd_op {
    SIMD_CLZ,
    SIMD_CLS,
    SIMD_PMUL,
    SIMD_SRSHL,
    SIMD_URSHL,
    SIMD_URECPE,
    SIMD_URSQRTE,
    SIMD_SATURATING, /* those that follow may set QC */
    SIMD_SQSHL = SIMD_SATURATING,
    SIMD_UQSHL,
    SIMD_SQRSHL,
    SIMD_UQRSHL,
    SIMD_SQSHLU,
    SIMD_SUQADD,
    SIMD_USQADD,
    SIMD_SQRDMLAH,
    SIMD_SQRDMLSH,
    SIMD_OP_COUNT
};
/* The helpers' first argument: an operation, the lane size, how many lanes, a parameter. */
static inline uint32_t simd_desc(unsigned op, unsigned e, unsigned bytes, unsigned param)
{
    return op | e << 8 | (bytes >> e) << 16 | param << 24;
}
/* Lanes above the length are zero in the result. */
ir_ref simd_call(const struct simd *v, enum simd_op op, ir_ref n, ir_ref m, ir_ref d);

/*
 * The same in floating point, where base/softfloat has to compute: half precision, modes that MXCSR cannot express, and
 * operations that are Arm's own. The extra number of a few is simd_desc()'s `param`.
 */
enum simd_fp {
    SIMD_FADD,
    SIMD_FSUB,
    SIMD_FMUL,
    SIMD_FDIV,
    SIMD_FMAX,
    SIMD_FMIN,
    SIMD_FMAXNUM,
    SIMD_FMINNUM,
    SIMD_FMULX,
    SIMD_FRECPS,
    SIMD_FRSQRTS,
    SIMD_FCMPEQ,
    SIMD_FCMPGE,
    SIMD_FCMPGT,
    SIMD_FMA, /* n * m + d */
    SIMD_FSQRT,
    SIMD_FRECPE,
    SIMD_FRSQRTE,
    SIMD_FRECPX,
    SIMD_FRINT,   /* param: rounding mode or IR_RM_DYN, and IR_RM_QUIET */
    SIMD_FTOS,    /* param: rounding mode */
    SIMD_FTOU,
    SIMD_FTOS_FIX, /* param: fraction bits; towards zero */
    SIMD_FTOU_FIX,
    SIMD_STOF, /* param: fraction bits */
    SIMD_UTOF,
    SIMD_FP_COUNT
};
/* Between formats: the low lanes of n, as many as the description says, of size e to size `param`. */
enum { SIMD_FCVT = SIMD_FP_COUNT, SIMD_FCVT_ODD };

/* %fsize of the decode tables: the element size from the bit sz. */
int a64_simd_fsize(DisasContext *s, int sz);

/* Shorthands for a handler's expression; v is its struct simd. */
#define V1(op, x)         b_v1(v->b, IR_##op, v->e, x)
#define V2(op, x, y)      b_v2(v->b, IR_##op, v->e, x, y)
#define V3(op, x, y, z)   b_v3(v->b, IR_##op, v->e, x, y, z)
#define VI(op, x, i)      b_v1i(v->b, IR_##op, v->e, x, i)
/* The same on lanes of twice the size */
#define W1(op, x)         b_v1(v->b, IR_##op, v->e + 1, x)
#define W2(op, x, y)      b_v2(v->b, IR_##op, v->e + 1, x, y)
#define WI(op, x, i)      b_v1i(v->b, IR_##op, v->e + 1, x, i)

typedef ir_ref simd_gen(const struct simd *v);

#endif
