/*
 * Advanced SIMD floating-point arithmetic and comparisons, vector and scalar: Arm ARM C4.1 "Data Processing -- Scalar
 * Floating-Point and Advanced SIMD" and the instruction pages of C7.2. Lanes above the length must raise no flags, so
 * operands lose them first: zeros raise none in any operation but division. A scalar is computed as one.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/trans-simd-fp.h"

int a64_simd_fsize(DisasContext *s, int sz)
{
    (void)s;
    return LANE_S + sz;
}

/* --- operations on the lanes that count --- */

/* Scalar relatives of the vector operations */
static const uint8_t scalar_op[IR_OP_COUNT] = {
    [IR_VFADD] = IR_FADD, [IR_VFSUB] = IR_FSUB, [IR_VFMUL] = IR_FMUL,       [IR_VFDIV] = IR_FDIV,
    [IR_VFMAX] = IR_FMAX, [IR_VFMIN] = IR_FMIN, [IR_VFMAXNUM] = IR_FMAXNUM, [IR_VFMINNUM] = IR_FMINNUM,
    [IR_VFMA] = IR_FMA,
};

bool simd_fp_by_helper(const struct simd *v)
{
    return v->e == LANE_H || (v->s->mode & A64_MODE_SOFT_FP);
}

ir_ref simd_fp_call(const struct simd *v, unsigned op, unsigned param, ir_ref n, ir_ref m, ir_ref d)
{
    return b_callv(v->b, &a64_helper_simd_fp, b_i32(v->b, simd_desc(op, v->e, v->bytes, param)), n, m, d);
}

enum ir_type simd_fp_type(const struct simd *v)
{
    return v->e == LANE_S ? IR_F32 : IR_F64;
}

static ir_ref cut(const struct simd *v, ir_ref x)
{
    return simd_cut(v->b, v->bytes, x);
}

static ir_ref low(const struct simd *v, ir_ref x)
{
    return b_vlow(v->b, simd_fp_type(v), x);
}

/* The vector x with ones (1.0f) in its upper half, to divide by. */
static ir_ref over_ones(const struct simd *v, ir_ref x)
{
    return b_v2(v->b, IR_VCAT64, LANE_D, x, simd_splat(v->b, LANE_S, 0x3f800000));
}

static ir_ref fp2(const struct simd *v, enum ir_op op, enum simd_fp soft, ir_ref n, ir_ref m)
{
    if (simd_fp_by_helper(v))
        return simd_fp_call(v, soft, 0, n, m, n);
    if (v->bytes == 1u << v->e && scalar_op[op])
        return b_vzext(v->b, simd_fp_type(v), b_op2(v->b, scalar_op[op], simd_fp_type(v), low(v, n), low(v, m)));
    return b_v2(v->b, op, v->e, cut(v, n), op == IR_VFDIV && v->bytes == 8 ? over_ones(v, m) : cut(v, m));
}

static ir_ref fused(const struct simd *v, ir_ref n, ir_ref m, ir_ref d)
{
    if (simd_fp_by_helper(v))
        return simd_fp_call(v, SIMD_FMA, 0, n, m, d);
    if (v->bytes == 1u << v->e)
        return b_vzext(v->b, simd_fp_type(v), b_op3(v->b, IR_FMA, simd_fp_type(v), low(v, n), low(v, m), low(v, d)));
    return b_v3(v->b, IR_VFMA, v->e, cut(v, n), cut(v, m), cut(v, d));
}

static uint64_t sign_bit(const struct simd *v)
{
    return UINT64_C(1) << (simd_bits(v) - 1);
}

/* FPNeg, FPAbs: the sign of NaNs too. */
static ir_ref negate(const struct simd *v, ir_ref x)
{
    return v->e == LANE_H ? V2(VXOR, x, simd_splat(v->b, LANE_H, sign_bit(v))) : V1(VFNEG, x);
}

static ir_ref absolute(const struct simd *v, ir_ref x)
{
    return v->e == LANE_H ? V2(VAND, x, simd_splat(v->b, LANE_H, ~sign_bit(v))) : V1(VFABS, x);
}

/* --- three same --- */

static bool three_same(DisasContext *s, arg_FADD_v *a, simd_gen *gen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd))
        return false;
    v.n = a64_read_v(s, a->rn);
    v.m = a64_read_v(s, a->rm);
    simd_write(&v, gen(&v));
    return true;
}

#define THREE(NAME, expr)                                               \
    static ir_ref gen_##NAME(const struct simd *v) { return expr; }     \
    bool a64_trans_##NAME(DisasContext *s, arg_FADD_v *a)               \
    {                                                                   \
        return three_same(s, a, gen_##NAME);                            \
    }
#define PLAIN(NAME, op) THREE(NAME, fp2(v, IR_V##op, SIMD_##op, v->n, v->m))
/* Arm's own operations */
#define SOFT(NAME, op) THREE(NAME, simd_fp_call(v, SIMD_##op, 0, v->n, v->m, v->n))

PLAIN(FADD_v, FADD)
PLAIN(FSUB_v, FSUB)
PLAIN(FMUL_v, FMUL)
PLAIN(FDIV_v, FDIV)
PLAIN(FMAX_v, FMAX)
PLAIN(FMIN_v, FMIN)
PLAIN(FMAXNM_v, FMAXNUM)
PLAIN(FMINNM_v, FMINNUM)
THREE(FABD, absolute(v, fp2(v, IR_VFSUB, SIMD_FSUB, v->n, v->m)))
THREE(FMLA_v, fused(v, v->n, v->m, simd_vd(v)))
THREE(FMLS_v, fused(v, negate(v, v->n), v->m, simd_vd(v)))
SOFT(FMULX, FMULX)
SOFT(FRECPS, FRECPS)
SOFT(FRSQRTS, FRSQRTS)
PLAIN(FCMEQ, FCMPEQ)
PLAIN(FCMGE, FCMPGE)
PLAIN(FCMGT, FCMPGT)
THREE(FACGE, fp2(v, IR_VFCMPGE, SIMD_FCMPGE, absolute(v, v->n), absolute(v, v->m)))
THREE(FACGT, fp2(v, IR_VFCMPGT, SIMD_FCMPGT, absolute(v, v->n), absolute(v, v->m)))

/* --- pairwise: even lanes with odd lanes of the two operands side by side --- */

static ir_ref neighbours(const struct simd *v, enum ir_op op, enum simd_fp soft, ir_ref n, ir_ref m)
{
    return fp2(v, op, soft, V2(VUZP1, n, m), V2(VUZP2, n, m));
}

static bool pairwise(DisasContext *s, arg_FADD_v *a, enum ir_op op, enum simd_fp soft)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn), m = a64_read_v(s, a->rm);
    if (a->q == Q_64)
        n = m = b_v2(s->b, IR_VCAT64, LANE_D, n, m);
    simd_write(&v, neighbours(&v, op, soft, n, m));
    return true;
}

/* The scalar forms: lane 0 with lane 1. */
static bool pair(DisasContext *s, arg_FADDP_s *a, enum ir_op op, enum simd_fp soft)
{
    struct simd v;
    if (!simd_shape(&v, s, Q_SCALAR, a->e, HSD, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn);
    simd_write(&v, neighbours(&v, op, soft, n, n));
    return true;
}

#define PAIRWISE(NAME, op)                                                                                     \
    bool a64_trans_##NAME(DisasContext *s, arg_FADD_v *a) { return pairwise(s, a, IR_V##op, SIMD_##op); }      \
    bool a64_trans_##NAME##_s(DisasContext *s, arg_FADDP_s *a) { return pair(s, a, IR_V##op, SIMD_##op); }

PAIRWISE(FADDP, FADD)
PAIRWISE(FMAXP, FMAX)
PAIRWISE(FMINP, FMIN)
PAIRWISE(FMAXNMP, FMAXNUM)
PAIRWISE(FMINNMP, FMINNUM)

/* --- across lanes: a tree of neighbours (Reduce, shared pseudocode); 32-bit elements are four --- */

static bool across(DisasContext *s, arg_FMAXV *a, enum ir_op op, enum simd_fp soft)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd) || (a->e == LANE_S && a->q == Q_64) || a->e == LANE_D)
        return false;
    ir_ref x = a64_read_v(s, a->rn);
    while (v.bytes > 1u << v.e) {
        v.bytes /= 2;
        x = neighbours(&v, op, soft, x, x);
    }
    simd_write(&v, x);
    return true;
}

bool a64_trans_FMAXV(DisasContext *s, arg_FMAXV *a) { return across(s, a, IR_VFMAX, SIMD_FMAX); }
bool a64_trans_FMINV(DisasContext *s, arg_FMAXV *a) { return across(s, a, IR_VFMIN, SIMD_FMIN); }
bool a64_trans_FMAXNMV(DisasContext *s, arg_FMAXV *a) { return across(s, a, IR_VFMAXNUM, SIMD_FMAXNUM); }
bool a64_trans_FMINNMV(DisasContext *s, arg_FMAXV *a) { return across(s, a, IR_VFMINNUM, SIMD_FMINNUM); }

/* --- x indexed element --- */

static bool by_element(DisasContext *s, arg_FMUL_e *a, simd_gen *gen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd) || !simd_element(s, a->e, a->h, a->l, a->rm, &v.m))
        return false;
    v.n = a64_read_v(s, a->rn);
    simd_write(&v, gen(&v));
    return true;
}

#define ELEMENT(NAME, like) \
    bool a64_trans_##NAME(DisasContext *s, arg_FMUL_e *a) { return by_element(s, a, gen_##like); }
ELEMENT(FMUL_e, FMUL_v)
ELEMENT(FMULX_e, FMULX)
ELEMENT(FMLA_e, FMLA_v)
ELEMENT(FMLS_e, FMLS_v)

/* --- complex numbers: pairs of a real and an imaginary lane (FEAT_FCMA) --- */

/* x with the signs flipped of the even lanes (re), the odd lanes (im). */
static ir_ref flip(const struct simd *v, bool re, bool im, ir_ref x)
{
    uint64_t sign = sign_bit(v), pair = (re ? sign : 0) | (v->e < LANE_D && im ? sign << simd_bits(v) : 0);
    ir_ref mask = v->e == LANE_D ? b_vconst(v->b, re ? sign : 0, im ? sign : 0) : simd_splat(v->b, v->e + 1, pair);
    return re || im ? V2(VXOR, x, mask) : x;
}

/* Real and imaginary lanes exchanged */
static ir_ref exchanged(const struct simd *v, ir_ref x)
{
    return v->e == LANE_D ? b_v2i(v->b, IR_VEXT, LANE_B, x, x, 8) : VI(VREV, x, 2 << v->e);
}

/* n + i m or n - i m */
bool a64_trans_FCADD(DisasContext *s, arg_FCMLA *a)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd))
        return false;
    ir_ref m = flip(&v, !a->rot, a->rot, exchanged(&v, a64_read_v(s, a->rm)));
    simd_write(&v, fp2(&v, IR_VFADD, SIMD_FADD, a64_read_v(s, a->rn), m));
    return true;
}

/* One part of n's numbers times m, turned by rot quarters, is added to d. */
static void multiply_complex(const struct simd *v, unsigned rot)
{
    bool odd = rot & 1;
    ir_ref part = b_v2(v->b, odd ? IR_VTRN2 : IR_VTRN1, v->e, v->n, v->n);
    ir_ref m = flip(v, rot == 1 || rot == 2, rot & 2, odd ? exchanged(v, v->m) : v->m);
    simd_write(v, fused(v, part, m, simd_vd(v)));
}

bool a64_trans_FCMLA(DisasContext *s, arg_FCMLA *a)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd))
        return false;
    v.n = a64_read_v(s, a->rn);
    v.m = a64_read_v(s, a->rm);
    multiply_complex(&v, a->rot);
    return true;
}

bool a64_trans_FCMLA_e(DisasContext *s, arg_FCMLA_e *a)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HS, a->rd))
        return false;
    if (a->e == LANE_H ? a->h && a->q == Q_64 : a->l || a->q == Q_64)
        return false;
    unsigned index = a->e == LANE_H ? a->h << 1 | a->l : a->h;
    v.n = a64_read_v(s, a->rn);
    v.m = b_v1i(s->b, IR_VDUPL, a->e + 1, a64_read_v(s, a->rm), index);
    multiply_complex(&v, a->rot);
    return true;
}

/* --- two registers --- */

static bool two_reg(DisasContext *s, arg_FABS_v *a, simd_gen *gen)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, HSD, a->rd))
        return false;
    v.n = a64_read_v(s, a->rn);
    simd_write(&v, gen(&v));
    return true;
}

#define TWO(NAME, expr)                                                 \
    static ir_ref gen_##NAME(const struct simd *v) { return expr; }     \
    bool a64_trans_##NAME(DisasContext *s, arg_FABS_v *a)               \
    {                                                                   \
        return two_reg(s, a, gen_##NAME);                               \
    }

static ir_ref zero(const struct simd *v)
{
    return b_vconst(v->b, 0, 0);
}

static ir_ref square_root(const struct simd *v)
{
    if (simd_fp_by_helper(v))
        return simd_fp_call(v, SIMD_FSQRT, 0, v->n, v->n, v->n);
    return V1(VFSQRT, cut(v, v->n));
}

TWO(FABS_v, absolute(v, v->n))
TWO(FNEG_v, negate(v, v->n))
TWO(FSQRT_v, square_root(v))
TWO(FCMGT_z, fp2(v, IR_VFCMPGT, SIMD_FCMPGT, v->n, zero(v)))
TWO(FCMGE_z, fp2(v, IR_VFCMPGE, SIMD_FCMPGE, v->n, zero(v)))
TWO(FCMEQ_z, fp2(v, IR_VFCMPEQ, SIMD_FCMPEQ, v->n, zero(v)))
TWO(FCMLE_z, fp2(v, IR_VFCMPGE, SIMD_FCMPGE, zero(v), v->n))
TWO(FCMLT_z, fp2(v, IR_VFCMPGT, SIMD_FCMPGT, zero(v), v->n))
TWO(FRECPE, simd_fp_call(v, SIMD_FRECPE, 0, v->n, v->n, v->n))
TWO(FRSQRTE, simd_fp_call(v, SIMD_FRSQRTE, 0, v->n, v->n, v->n))
TWO(FRECPX, simd_fp_call(v, SIMD_FRECPX, 0, v->n, v->n, v->n))
