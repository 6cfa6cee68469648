/*
 * Loads and stores of SIMD&FP registers by scalar size (B, H, S, D, Q): Arm ARM C4.1.94 and the instruction pages of
 * C7.2. A load zeroes the register above what it loads.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate.h"

enum { SIZE_B, SIZE_H, SIZE_S, SIZE_D, SIZE_Q }; /* log2 of the bytes */

/* The type a register of this size travels in; B and H in the low bits of an I32. */
static const uint8_t type_of[] = {IR_I32, IR_I32, IR_F32, IR_F64, IR_V128};

ir_ref a64_load_v(DisasContext *s, unsigned size, ir_ref base, ir_ref index, unsigned scale, int64_t disp)
{
    ir_ref v = b_load(s->b, type_of[size], size, base, index, scale, disp);
    return size == SIZE_Q ? v : b_vzext(s->b, type_of[size], v);
}

void a64_store_v(DisasContext *s, unsigned size, ir_ref base, ir_ref index, unsigned scale, int64_t disp, ir_ref v)
{
    if (size < SIZE_S)
        v = b_vget(s->b, IR_I32, (enum ir_lane)size, v, 0, false);
    else if (size < SIZE_Q)
        v = b_vlow(s->b, type_of[size], v);
    b_store(s->b, type_of[size], size, base, index, scale, disp, v);
}

/* opc<1>:size is the size, opc<0> says load. */
static bool size_of(unsigned sz, unsigned opc, unsigned *size)
{
    *size = (opc & 2) << 1 | sz;
    return *size <= SIZE_Q;
}

static void load_store(DisasContext *s, bool load, unsigned size, unsigned rt, ir_ref base, ir_ref index,
                       unsigned scale, int64_t disp)
{
    if (load)
        a64_write_v(s, rt, a64_load_v(s, size, base, index, scale, disp));
    else
        a64_store_v(s, size, base, index, scale, disp, a64_read_v(s, rt));
}

bool a64_trans_LDR_lit_v(DisasContext *s, arg_LDR_lit_v *a)
{
    if (a->opc == 3)
        return false;
    load_store(s, true, SIZE_S + a->opc, a->rt, b_i64(s->b, s->pc + (int64_t)a->imm * 4), IR_NONE, 0, 0);
    return true;
}

/* Load/store pair; w = 2 marks the non-temporal forms (offset, no write back) */
bool a64_trans_LDP_STP_v(DisasContext *s, arg_LDP_STP_v *a)
{
    if (a->opc == 3)
        return false;
    unsigned size = SIZE_S + a->opc;
    int64_t imm = (int64_t)a->imm * (1 << size);
    int64_t disp = a->p || a->w == 2 ? imm : 0;
    ir_ref base = a64_read_sp(s, true, a->rn);
    if (a->l) {
        ir_ref x = a64_load_v(s, size, base, IR_NONE, 0, disp);
        ir_ref y = a64_load_v(s, size, base, IR_NONE, 0, disp + (1 << size));
        a64_write_v(s, a->rt, x);
        a64_write_v(s, a->rt2, y);
    } else {
        a64_store_v(s, size, base, IR_NONE, 0, disp, a64_read_v(s, a->rt));
        a64_store_v(s, size, base, IR_NONE, 0, disp + (1 << size), a64_read_v(s, a->rt2));
    }
    if (a->w == 1)
        a64_write_sp(s, true, a->rn, b_addi(s->b, IR_I64, base, imm));
    return true;
}

bool a64_trans_LDST_imm_v(DisasContext *s, arg_LDST_imm_v *a)
{
    unsigned size;
    if (!size_of(a->sz, a->opc, &size))
        return false;
    ir_ref base = a64_read_sp(s, true, a->rn);
    load_store(s, a->opc & 1, size, a->rt, base, IR_NONE, 0, a->p ? a->imm : 0);
    if (a->w)
        a64_write_sp(s, true, a->rn, b_addi(s->b, IR_I64, base, a->imm));
    return true;
}

bool a64_trans_LDST_uimm_v(DisasContext *s, arg_LDST_uimm_v *a)
{
    unsigned size;
    if (!size_of(a->sz, a->opc, &size))
        return false;
    load_store(s, a->opc & 1, size, a->rt, a64_read_sp(s, true, a->rn), IR_NONE, 0, (int64_t)a->imm << size);
    return true;
}

bool a64_trans_LDST_reg_v(DisasContext *s, arg_LDST_reg_v *a)
{
    unsigned size;
    if (!size_of(a->sz, a->opc, &size) || !(a->option & 2))
        return false;
    ir_ref index = a64_index(s, a->rm, a->option);
    unsigned scale = a->s ? size : 0;
    if (scale > 3) { /* an access scales its index by 8 at most */
        index = b_shli(s->b, IR_I64, index, scale);
        scale = 0;
    }
    load_store(s, a->opc & 1, size, a->rt, a64_read_sp(s, true, a->rn), index, scale, 0);
    return true;
}
