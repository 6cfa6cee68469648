/*
 * Advanced SIMD copy, permute, extract, table lookup, modified immediate: Arm ARM C4.1 "Data Processing -- Scalar
 * Floating-Point and Advanced SIMD" and the instruction pages of C7.2.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate-simd.h"

/* --- copy: imm5 is the index, then a one that marks the element size --- */

static bool copy_element(unsigned imm5, unsigned *e, unsigned *index)
{
    if (!(imm5 & 15))
        return false;
    *e = __builtin_ctz(imm5);
    *index = imm5 >> (*e + 1);
    return true;
}

bool a64_trans_DUP_elem(DisasContext *s, arg_DUP_elem *a)
{
    struct simd v;
    unsigned e, i;
    if (!copy_element(a->imm5, &e, &i) || !simd_shape(&v, s, a->q, e, BHSD, a->rd))
        return false;
    simd_write(&v, b_v1i(s->b, IR_VDUPL, e, a64_read_v(s, a->rn), i));
    return true;
}

bool a64_trans_DUP_gen(DisasContext *s, arg_DUP_elem *a)
{
    struct simd v;
    unsigned e, i;
    if (!copy_element(a->imm5, &e, &i) || !simd_shape(&v, s, a->q, e, BHSD, a->rd))
        return false;
    simd_write(&v, b_vdup(s->b, e, a64_read(s, e == LANE_D, a->rn)));
    return true;
}

bool a64_trans_INS_gen(DisasContext *s, arg_INS_gen *a)
{
    unsigned e, i;
    if (!copy_element(a->imm5, &e, &i))
        return false;
    a64_write_v(s, a->rd, b_vset(s->b, e, a64_read_v(s, a->rd), i, a64_read(s, e == LANE_D, a->rn)));
    return true;
}

bool a64_trans_INS_elem(DisasContext *s, arg_INS_elem *a)
{
    unsigned e, i;
    if (!copy_element(a->imm5, &e, &i))
        return false;
    a64_write_v(s, a->rd, b_emit(s->b, (struct ir_inst){.op = IR_VSETL, .type = IR_V128, .ir_lane_ = e,
                                                        .arg = {a64_read_v(s, a->rd), a64_read_v(s, a->rn)},
                                                        .imm = i, .imm2 = a->imm4 >> e}));
    return true;
}

bool a64_trans_SMOV(DisasContext *s, arg_DUP_elem *a)
{
    unsigned e, i;
    if (!copy_element(a->imm5, &e, &i) || e >= LANE_S + (unsigned)a->q)
        return false;
    a64_write(s, a->q, a->rd, b_vget(s->b, a64_type(a->q), e, a64_read_v(s, a->rn), i, true));
    return true;
}

bool a64_trans_UMOV(DisasContext *s, arg_DUP_elem *a)
{
    unsigned e, i;
    if (!copy_element(a->imm5, &e, &i) || (e == LANE_D) != a->q)
        return false;
    a64_write(s, a->q, a->rd, b_vget(s->b, a64_type(a->q), e, a64_read_v(s, a->rn), i, false));
    return true;
}

/* --- permute --- */

/* On 64-bit vectors, lanes of the two operands side by side make the even and odd lanes those of one register. */
static bool unzip(DisasContext *s, arg_UZP1 *a, enum ir_op op)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, BHSD, a->rd))
        return false;
    ir_ref n = a64_read_v(s, a->rn), m = a64_read_v(s, a->rm);
    if (a->q == Q_64)
        n = m = b_v2(s->b, IR_VCAT64, LANE_D, n, m);
    simd_write(&v, b_v2(s->b, op, a->e, n, m));
    return true;
}

bool a64_trans_UZP1(DisasContext *s, arg_UZP1 *a) { return unzip(s, a, IR_VUZP1); }
bool a64_trans_UZP2(DisasContext *s, arg_UZP1 *a) { return unzip(s, a, IR_VUZP2); }

static bool transpose(DisasContext *s, arg_UZP1 *a, enum ir_op op)
{
    struct simd v;
    if (!simd_shape(&v, s, a->q, a->e, BHSD, a->rd))
        return false;
    simd_write(&v, b_v2(s->b, op, a->e, a64_read_v(s, a->rn), a64_read_v(s, a->rm)));
    return true;
}

bool a64_trans_TRN1(DisasContext *s, arg_UZP1 *a) { return transpose(s, a, IR_VTRN1); }
bool a64_trans_TRN2(DisasContext *s, arg_UZP1 *a) { return transpose(s, a, IR_VTRN2); }
bool a64_trans_ZIP1(DisasContext *s, arg_UZP1 *a) { return transpose(s, a, IR_VZIP1); }

/* The upper half of a 64-bit vector's lanes is the upper half of what ZIP1 interleaves. */
bool a64_trans_ZIP2(DisasContext *s, arg_UZP1 *a)
{
    if (a->q == Q_128)
        return transpose(s, a, IR_VZIP2);
    if (a->e == LANE_D)
        return false;
    ir_ref both = b_v2(s->b, IR_VZIP1, a->e, a64_read_v(s, a->rn), a64_read_v(s, a->rm));
    a64_write_v(s, a->rd, b_v1(s->b, IR_VHI64, LANE_D, both));
    return true;
}

bool a64_trans_EXT(DisasContext *s, arg_EXT *a)
{
    ir_ref n = a64_read_v(s, a->rn), m = a64_read_v(s, a->rm);
    if (a->q) {
        a64_write_v(s, a->rd, b_v2i(s->b, IR_VEXT, LANE_B, n, m, a->imm4));
        return true;
    }
    if (a->imm4 & 8)
        return false;
    ir_ref both = b_v2(s->b, IR_VCAT64, LANE_D, n, m);
    a64_write_v(s, a->rd, simd_cut(s->b, 8, b_v2i(s->b, IR_VEXT, LANE_B, both, both, a->imm4)));
    return true;
}

/* Each register of the table answers for 16 indices and gives zero for others; TBX keeps Vd's bytes there. */
static bool table_lookup(DisasContext *s, arg_TBL *a, bool keeps)
{
    ir_ref index = a64_read_v(s, a->rm), r = IR_NONE;
    for (int k = 0; k <= a->len; k++) {
        ir_ref at = k ? b_v2(s->b, IR_VSUB, LANE_B, index, simd_splat(s->b, LANE_B, 16 * k)) : index;
        ir_ref found = b_v2(s->b, IR_VTBL, LANE_B, a64_read_v(s, (a->rn + k) & 31), at);
        r = k ? b_v2(s->b, IR_VOR, LANE_B, r, found) : found;
    }
    if (keeps) {
        ir_ref end = simd_splat(s->b, LANE_B, 16 * (a->len + 1));
        r = b_v3(s->b, IR_VBSL, LANE_B, b_v2(s->b, IR_VCMPGEU, LANE_B, index, end), a64_read_v(s, a->rd), r);
    }
    a64_write_v(s, a->rd, simd_cut(s->b, 8 << a->q, r));
    return true;
}

bool a64_trans_TBL(DisasContext *s, arg_TBL *a) { return table_lookup(s, a, false); }
bool a64_trans_TBX(DisasContext *s, arg_TBL *a) { return table_lookup(s, a, true); }

/* --- modified immediate --- */

/* AdvSIMDExpandImm (shared pseudocode, J1.1). */
static uint64_t expand_imm(bool op, unsigned cmode, uint64_t imm8)
{
    uint64_t r = 0;
    switch (cmode >> 1) {
    case 0: case 1: case 2: case 3: return (imm8 << 8 * (cmode >> 1)) * UINT64_C(0x0000000100000001);
    case 4: case 5: return (imm8 << 8 * (cmode >> 1 & 1)) * UINT64_C(0x0001000100010001);
    case 6: return (cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff) * UINT64_C(0x0000000100000001);
    default:
        if (!(cmode & 1)) {
            if (!op)
                return imm8 * UINT64_C(0x0101010101010101);
            for (int i = 0; i < 8; i++)
                r |= (imm8 >> i & 1 ? UINT64_C(0xff) : 0) << 8 * i;
            return r;
        }
        uint64_t sign = imm8 >> 7, b6 = imm8 >> 6 & 1, rest = imm8 & 0x3f;
        if (op)
            return sign << 63 | (b6 ? UINT64_C(0xff) : UINT64_C(0x100)) << 54 | rest << 48;
        return (sign << 31 | (b6 ? UINT64_C(0x1f) : UINT64_C(0x20)) << 25 | rest << 19) * UINT64_C(0x0000000100000001);
    }
}

/* MOVI, MVNI, ORR, BIC, FMOV (vector, immediate); o2: FMOV of half precision */
bool a64_trans_MOVI(DisasContext *s, arg_MOVI *a)
{
    uint64_t x;
    if (a->o2) {
        if (a->op || a->cmode != 15)
            return false;
        uint64_t b6 = a->imm >> 6 & 1;
        x = ((a->imm >> 7) << 15 | (b6 ? 3 : 4) << 12 | (a->imm & 0x3f) << 6) * UINT64_C(0x0001000100010001);
    } else {
        if (a->op && a->cmode == 15 && !a->q)
            return false;
        x = expand_imm(a->op, a->cmode, a->imm);
    }
    bool accumulates = (a->cmode & 1) && a->cmode < 12;
    if (a->op && a->cmode < 14)
        x = ~x; /* MVNI, BIC */
    ir_ref r = b_vconst(s->b, x, a->q ? x : 0);
    if (accumulates)
        r = b_v2(s->b, a->op ? IR_VAND : IR_VOR, LANE_B, simd_cut(s->b, 8 << a->q, a64_read_v(s, a->rd)), r);
    a64_write_v(s, a->rd, r);
    return true;
}
