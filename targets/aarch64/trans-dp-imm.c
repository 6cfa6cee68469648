/* Data processing, immediate: Arm ARM C4.1.92 and the instruction pages of C6.2. */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate.h"

/* PC-relative addressing */

bool a64_trans_ADR(DisasContext *s, arg_ADR *a)
{
    a64_write(s, true, a->rd, b_i64(s->b, s->pc + a->imm));
    return true;
}

bool a64_trans_ADRP(DisasContext *s, arg_ADRP *a)
{
    a64_write(s, true, a->rd, b_i64(s->b, (s->pc & ~UINT64_C(0xfff)) + ((int64_t)a->imm << 12)));
    return true;
}

/* Add/subtract (immediate) */

static bool add_sub_imm(DisasContext *s, arg_ADD_imm *a, bool sub, bool set_flags)
{
    enum ir_type t = a64_type(a->sf);
    uint64_t imm = (uint64_t)a->imm << (a->sh ? 12 : 0);
    ir_ref x = a64_read_sp(s, a->sf, a->rn), y = b_const(s->b, t, imm);
    ir_ref r = sub ? b_sub(s->b, t, x, y) : b_add(s->b, t, x, y);
    if (!set_flags) {
        a64_write_sp(s, a->sf, a->rd, r);
        return true;
    }
    if (sub)
        a64_set_flags_sub(s, t, x, y);
    else
        a64_set_flags_add(s, t, x, y, r);
    a64_write(s, a->sf, a->rd, r);
    return true;
}

bool a64_trans_ADD_imm(DisasContext *s, arg_ADD_imm *a) { return add_sub_imm(s, a, false, false); }
bool a64_trans_ADDS_imm(DisasContext *s, arg_ADD_imm *a) { return add_sub_imm(s, a, false, true); }
bool a64_trans_SUB_imm(DisasContext *s, arg_ADD_imm *a) { return add_sub_imm(s, a, true, false); }
bool a64_trans_SUBS_imm(DisasContext *s, arg_ADD_imm *a) { return add_sub_imm(s, a, true, true); }

/* Logical (immediate) */

/* DecodeBitMasks (shared pseudocode, J1.1); false: reserved. */
static bool decode_bit_masks(bool sf, unsigned n, unsigned imms, unsigned immr, uint64_t *mask)
{
    unsigned combined = n << 6 | (~imms & 0x3f);
    if (!combined || (!sf && n))
        return false;
    unsigned len = 31 - __builtin_clz(combined);
    if (len < 1)
        return false;
    unsigned levels = (1u << len) - 1, size = 1u << len;
    unsigned ones = imms & levels, rotate = immr & levels;
    if (ones == levels)
        return false;
    uint64_t element = ~UINT64_C(0) >> (63 - ones);
    if (rotate)
        element = element >> rotate | element << (size - rotate);
    element &= ~UINT64_C(0) >> (64 - size);
    for (unsigned i = size; i < 64; i *= 2)
        element |= element << i;
    *mask = sf ? element : (uint32_t)element;
    return true;
}

static bool logical_imm(DisasContext *s, arg_AND_imm *a, enum ir_op op, bool set_flags)
{
    enum ir_type t = a64_type(a->sf);
    uint64_t mask;
    if (!decode_bit_masks(a->sf, a->n, a->imms, a->immr, &mask))
        return false;
    ir_ref r = b_op2(s->b, op, t, a64_read(s, a->sf, a->rn), b_const(s->b, t, mask));
    if (set_flags) {
        a64_set_flags_logic(s, t, r);
        a64_write(s, a->sf, a->rd, r);
    } else {
        a64_write_sp(s, a->sf, a->rd, r);
    }
    return true;
}

bool a64_trans_AND_imm(DisasContext *s, arg_AND_imm *a) { return logical_imm(s, a, IR_AND, false); }
bool a64_trans_ORR_imm(DisasContext *s, arg_AND_imm *a) { return logical_imm(s, a, IR_OR, false); }
bool a64_trans_EOR_imm(DisasContext *s, arg_AND_imm *a) { return logical_imm(s, a, IR_XOR, false); }
bool a64_trans_ANDS_imm(DisasContext *s, arg_AND_imm *a) { return logical_imm(s, a, IR_AND, true); }

/* Move wide (immediate) */

static bool wide_shift(arg_MOVZ *a, unsigned *shift)
{
    *shift = a->hw * 16;
    return a->sf || a->hw < 2;
}

bool a64_trans_MOVN(DisasContext *s, arg_MOVZ *a)
{
    unsigned shift;
    if (!wide_shift(a, &shift))
        return false;
    uint64_t v = ~((uint64_t)a->imm << shift);
    a64_write(s, true, a->rd, b_i64(s->b, a->sf ? v : (uint32_t)v));
    return true;
}

bool a64_trans_MOVZ(DisasContext *s, arg_MOVZ *a)
{
    unsigned shift;
    if (!wide_shift(a, &shift))
        return false;
    a64_write(s, true, a->rd, b_i64(s->b, (uint64_t)a->imm << shift));
    return true;
}

bool a64_trans_MOVK(DisasContext *s, arg_MOVZ *a)
{
    unsigned shift;
    if (!wide_shift(a, &shift))
        return false;
    enum ir_type t = a64_type(a->sf);
    a64_write(s, a->sf, a->rd, b_deposit(s->b, t, a64_read(s, a->sf, a->rd), shift, 16, b_const(s->b, t, a->imm)));
    return true;
}

/* Bitfield */

static bool bitfield_valid(arg_BFM *a)
{
    return a->sf == a->n && (a->sf || !((a->immr | a->imms) & 32));
}

/* SBFM, UBFM: a field moved down (imms >= immr) or up. */
static bool bitfield_move(DisasContext *s, arg_BFM *a, bool sign)
{
    if (!bitfield_valid(a))
        return false;
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sf);
    unsigned bits = a->sf ? 64 : 32;
    ir_ref x = a64_read(s, a->sf, a->rn), r;
    if (a->imms >= a->immr) {
        unsigned len = a->imms - a->immr + 1;
        r = sign ? b_sbfx(b, t, x, a->immr, len) : b_ubfx(b, t, x, a->immr, len);
    } else {
        unsigned len = a->imms + 1, pos = bits - a->immr;
        r = b_shli(b, t, sign ? b_sbfx(b, t, x, 0, len) : b_ubfx(b, t, x, 0, len), pos);
    }
    a64_write(s, a->sf, a->rd, r);
    return true;
}

bool a64_trans_SBFM(DisasContext *s, arg_BFM *a) { return bitfield_move(s, a, true); }
bool a64_trans_UBFM(DisasContext *s, arg_BFM *a) { return bitfield_move(s, a, false); }

bool a64_trans_BFM(DisasContext *s, arg_BFM *a)
{
    if (!bitfield_valid(a))
        return false;
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sf);
    ir_ref x = a64_read(s, a->sf, a->rn), d = a64_read(s, a->sf, a->rd), r;
    if (a->imms >= a->immr) {
        unsigned len = a->imms - a->immr + 1;
        r = b_deposit(b, t, d, 0, len, b_ubfx(b, t, x, a->immr, len));
    } else {
        r = b_deposit(b, t, d, (a->sf ? 64 : 32) - a->immr, a->imms + 1, x);
    }
    a64_write(s, a->sf, a->rd, r);
    return true;
}

/* Extract */

bool a64_trans_EXTR(DisasContext *s, arg_EXTR *a)
{
    if (a->sf != a->n || (!a->sf && a->imms & 32))
        return false;
    enum ir_type t = a64_type(a->sf);
    ir_ref hi = a64_read(s, a->sf, a->rn), lo = a64_read(s, a->sf, a->rm), r = lo;
    if (a->imms && a->rn == a->rm)
        r = b_op2(s->b, IR_ROTR, t, lo, b_const(s->b, t, a->imms));
    else if (a->imms)
        r = b_emit(s->b, (struct ir_inst){.op = IR_EXTR, .type = t, .arg = {hi, lo}, .imm = a->imms});
    a64_write(s, a->sf, a->rd, r);
    return true;
}
