/* What the Advanced SIMD handlers share; see translate-simd.h. */
#include "targets/aarch64/translate-simd.h"

bool simd_shape(struct simd *v, DisasContext *s, unsigned q, unsigned e, unsigned sizes, unsigned rd)
{
    if (!(sizes >> e & 1) || (e == LANE_D && q == Q_64))
        return false;
    *v = (struct simd){.s = s, .b = s->b, .e = e, .bytes = q == Q_SCALAR ? 1u << e : 8u << q, .rd = rd};
    return true;
}

ir_ref simd_cut(struct ir_builder *b, unsigned bytes, ir_ref x)
{
    switch (bytes) {
    case 16: return x;
    case 8: return b_v1(b, IR_VLO64, LANE_D, x);
    case 4: return b_vzext(b, IR_I32, b_vlow(b, IR_I32, x));
    default: return b_vzext(b, IR_I32, b_vget(b, IR_I32, bytes == 2 ? LANE_H : LANE_B, x, 0, false));
    }
}

void simd_write(const struct simd *v, ir_ref x)
{
    a64_write_v(v->s, v->rd, simd_cut(v->b, v->bytes, x));
}

void simd_write_half(const struct simd *v, unsigned q, ir_ref low)
{
    if (q == Q_128)
        a64_write_v(v->s, v->rd, b_v2(v->b, IR_VCAT64, LANE_D, simd_vd(v), low));
    else
        a64_write_v(v->s, v->rd, simd_cut(v->b, q == Q_64 ? 8 : v->bytes, low));
}

ir_ref simd_half(DisasContext *s, unsigned q, unsigned r)
{
    ir_ref x = a64_read_v(s, r);
    return q == Q_128 ? b_v1(s->b, IR_VHI64, LANE_D, x) : x;
}

ir_ref simd_splat(struct ir_builder *b, enum ir_lane e, uint64_t x)
{
    static const uint64_t ones[] = {UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001),
                                    UINT64_C(0x0000000100000001), 1};
    uint64_t each = extract64(x, 0, 8 << e) * ones[e];
    return b_vconst(b, each, each);
}

bool simd_element(DisasContext *s, unsigned e, unsigned h, unsigned l, unsigned rm, ir_ref *x)
{
    unsigned index;
    switch (e) {
    case LANE_H:
        index = h << 2 | l << 1 | rm >> 4;
        rm &= 15;
        break;
    case LANE_S: index = h << 1 | l; break;
    case LANE_D:
        if (l)
            return false;
        index = h;
        break;
    default: return false;
    }
    *x = b_v1i(s->b, IR_VDUPL, e, a64_read_v(s, rm), index);
    return true;
}

ir_ref simd_saturated(const struct simd *v, ir_ref r, ir_ref exact)
{
    ir_ref differs = b_op1(v->b, IR_VTEST, IR_V128, b_v2(v->b, IR_VXOR, v->e, r, exact));
    b_put(v->b, A64_QC, b_or(v->b, IR_I32, b_get(v->b, A64_QC), differs));
    return r;
}

ir_ref simd_call(const struct simd *v, enum simd_op op, ir_ref n, ir_ref m, ir_ref d)
{
    const struct ir_helper *h = op >= SIMD_SATURATING ? &a64_helper_simd_saturating : &a64_helper_simd;
    return b_callv(v->b, h, b_i32(v->b, simd_desc(op, v->e, v->bytes, 0)), n, m, d);
}
