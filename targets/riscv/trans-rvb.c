/* Bit manipulation: Zba, Zbb, Zbs, Zbc, and Zbkb, Zbkc, Zbkx of the scalar cryptography (manual, chapter "B"). */
#include "targets/riscv/helpers.h"
#include "targets/riscv/rv-decode.h"
#include "targets/riscv/translate.h"

/* --- Zba --- */

/* rd = rs2 + (rs1 << n), uw: only the low half of rs1 */
static bool shift_add(DisasContext *s, const arg_SH1ADD *a, unsigned n, bool uw)
{
    struct ir_builder *b = s->b;
    ir_ref x = rv_read(s, a->rs1);
    if (uw)
        x = b_ubfx(b, IR_I64, x, 0, 32);
    rv_write(s, a->rd, b_add(b, IR_I64, b_shli(b, IR_I64, x, n), rv_read(s, a->rs2)));
    return true;
}

bool rv_trans_SH1ADD(DisasContext *s, arg_SH1ADD *a) { return HAS(zba) && shift_add(s, a, 1, false); }
bool rv_trans_SH2ADD(DisasContext *s, arg_SH2ADD *a) { return HAS(zba) && shift_add(s, a, 2, false); }
bool rv_trans_SH3ADD(DisasContext *s, arg_SH3ADD *a) { return HAS(zba) && shift_add(s, a, 3, false); }
bool rv_trans_ADD_UW(DisasContext *s, arg_ADD_UW *a) { return HAS(zba) && shift_add(s, a, 0, true); }
bool rv_trans_SH1ADD_UW(DisasContext *s, arg_SH1ADD_UW *a) { return HAS(zba) && shift_add(s, a, 1, true); }
bool rv_trans_SH2ADD_UW(DisasContext *s, arg_SH2ADD_UW *a) { return HAS(zba) && shift_add(s, a, 2, true); }
bool rv_trans_SH3ADD_UW(DisasContext *s, arg_SH3ADD_UW *a) { return HAS(zba) && shift_add(s, a, 3, true); }

bool rv_trans_SLLI_UW(DisasContext *s, arg_SLLI_UW *a)
{
    if (!HAS(zba))
        return false;
    struct ir_builder *b = s->b;
    rv_write(s, a->rd, b_shli(b, IR_I64, b_ubfx(b, IR_I64, rv_read(s, a->rs1), 0, 32), a->shamt));
    return true;
}

/* --- Zbb, Zbkb: logic with negation --- */

bool rv_trans_ANDN(DisasContext *s, arg_ANDN *a)
{
    if (!HAS(zbb) && !HAS(zbkb))
        return false;
    rv_write(s, a->rd, b_op2(s->b, IR_ANDN, IR_I64, rv_read(s, a->rs1), rv_read(s, a->rs2)));
    return true;
}

bool rv_trans_ORN(DisasContext *s, arg_ORN *a)
{
    if (!HAS(zbb) && !HAS(zbkb))
        return false;
    ir_ref y = b_op1(s->b, IR_NOT, IR_I64, rv_read(s, a->rs2));
    rv_write(s, a->rd, b_or(s->b, IR_I64, rv_read(s, a->rs1), y));
    return true;
}

bool rv_trans_XNOR(DisasContext *s, arg_XNOR *a)
{
    if (!HAS(zbb) && !HAS(zbkb))
        return false;
    ir_ref x = b_xor(s->b, IR_I64, rv_read(s, a->rs1), rv_read(s, a->rs2));
    rv_write(s, a->rd, b_op1(s->b, IR_NOT, IR_I64, x));
    return true;
}

/* --- Zbb: counting, extension, minimum and maximum --- */

static bool count(DisasContext *s, const arg_CLZ *a, enum ir_op op)
{
    rv_write(s, a->rd, b_op1(s->b, op, IR_I64, rv_read(s, a->rs1)));
    return true;
}

static bool count_w(DisasContext *s, const arg_CLZW *a, enum ir_op op)
{
    rv_write_w(s, a->rd, b_op1(s->b, op, IR_I32, rv_read_w(s, a->rs1)));
    return true;
}

bool rv_trans_CLZ(DisasContext *s, arg_CLZ *a) { return HAS(zbb) && count(s, a, IR_CLZ); }
bool rv_trans_CTZ(DisasContext *s, arg_CTZ *a) { return HAS(zbb) && count(s, a, IR_CTZ); }
bool rv_trans_CPOP(DisasContext *s, arg_CPOP *a) { return HAS(zbb) && count(s, a, IR_POPCNT); }
bool rv_trans_CLZW(DisasContext *s, arg_CLZW *a) { return HAS(zbb) && count_w(s, a, IR_CLZ); }
bool rv_trans_CTZW(DisasContext *s, arg_CTZW *a) { return HAS(zbb) && count_w(s, a, IR_CTZ); }
bool rv_trans_CPOPW(DisasContext *s, arg_CPOPW *a) { return HAS(zbb) && count_w(s, a, IR_POPCNT); }

bool rv_trans_SEXT_B(DisasContext *s, arg_SEXT_B *a)
{
    if (!HAS(zbb))
        return false;
    rv_write(s, a->rd, b_sbfx(s->b, IR_I64, rv_read(s, a->rs1), 0, 8));
    return true;
}

bool rv_trans_SEXT_H(DisasContext *s, arg_SEXT_H *a)
{
    if (!HAS(zbb))
        return false;
    rv_write(s, a->rd, b_sbfx(s->b, IR_I64, rv_read(s, a->rs1), 0, 16));
    return true;
}

bool rv_trans_ZEXT_H(DisasContext *s, arg_ZEXT_H *a)
{
    if (!HAS(zbb) && !HAS(zbkb)) /* there it is PACKW with x0 */
        return false;
    rv_write(s, a->rd, b_ubfx(s->b, IR_I64, rv_read(s, a->rs1), 0, 16));
    return true;
}

/* rd = rs1 cc rs2 ? rs1 : rs2 */
static bool choose(DisasContext *s, const arg_MIN *a, enum ir_cc cc)
{
    ir_ref x = rv_read(s, a->rs1), y = rv_read(s, a->rs2);
    rv_write(s, a->rd, b_selcc(s->b, IR_I64, cc, IR_I64, x, y, x, y));
    return true;
}

bool rv_trans_MIN(DisasContext *s, arg_MIN *a) { return HAS(zbb) && choose(s, a, CC_LTS); }
bool rv_trans_MINU(DisasContext *s, arg_MINU *a) { return HAS(zbb) && choose(s, a, CC_LTU); }
bool rv_trans_MAX(DisasContext *s, arg_MAX *a) { return HAS(zbb) && choose(s, a, CC_GTS); }
bool rv_trans_MAXU(DisasContext *s, arg_MAXU *a) { return HAS(zbb) && choose(s, a, CC_GTU); }

/* --- Zbb, Zbkb: rotation --- */

static bool rotate(DisasContext *s, unsigned rd, enum ir_type t, ir_ref x, ir_ref right)
{
    if (!HAS(zbb) && !HAS(zbkb))
        return false;
    ir_ref v = b_op2(s->b, IR_ROTR, t, x, right);
    if (t == IR_I64)
        rv_write(s, rd, v);
    else
        rv_write_w(s, rd, v);
    return true;
}

bool rv_trans_ROL(DisasContext *s, arg_ROL *a)
{
    return rotate(s, a->rd, IR_I64, rv_read(s, a->rs1), b_op1(s->b, IR_NEG, IR_I64, rv_read(s, a->rs2)));
}

bool rv_trans_ROR(DisasContext *s, arg_ROR *a)
{
    return rotate(s, a->rd, IR_I64, rv_read(s, a->rs1), rv_read(s, a->rs2));
}

bool rv_trans_RORI(DisasContext *s, arg_RORI *a)
{
    return rotate(s, a->rd, IR_I64, rv_read(s, a->rs1), b_i64(s->b, a->shamt));
}

bool rv_trans_ROLW(DisasContext *s, arg_ROLW *a)
{
    return rotate(s, a->rd, IR_I32, rv_read_w(s, a->rs1), b_op1(s->b, IR_NEG, IR_I32, rv_read_w(s, a->rs2)));
}

bool rv_trans_RORW(DisasContext *s, arg_RORW *a)
{
    return rotate(s, a->rd, IR_I32, rv_read_w(s, a->rs1), rv_read_w(s, a->rs2));
}

bool rv_trans_RORIW(DisasContext *s, arg_RORIW *a)
{
    return rotate(s, a->rd, IR_I32, rv_read_w(s, a->rs1), b_i32(s->b, a->shamt));
}

/* --- Zbb, Zbkb: bytes and bits --- */

/* Bytes with a set bit become all ones: the complement of those that equal zero. */
bool rv_trans_ORC_B(DisasContext *s, arg_ORC_B *a)
{
    if (!HAS(zbb))
        return false;
    struct ir_builder *b = s->b;
    ir_ref zero = b_v2(b, IR_VCMPEQ, LANE_B, b_vzext(b, IR_I64, rv_read(s, a->rs1)), b_vconst(b, 0, 0));
    rv_write(s, a->rd, b_op1(b, IR_NOT, IR_I64, b_vlow(b, IR_I64, zero)));
    return true;
}

bool rv_trans_REV8(DisasContext *s, arg_REV8 *a)
{
    if (!HAS(zbb) && !HAS(zbkb))
        return false;
    rv_write(s, a->rd, b_op1(s->b, IR_BSWAP, IR_I64, rv_read(s, a->rs1)));
    return true;
}

/* Groups of n bits, chosen by mask, change places with their neighbours. */
static ir_ref swap_groups(struct ir_builder *b, ir_ref x, unsigned n, uint64_t mask)
{
    ir_ref m = b_i64(b, mask);
    return b_or(b, IR_I64, b_shli(b, IR_I64, b_and(b, IR_I64, x, m), n),
                b_and(b, IR_I64, b_shri(b, IR_I64, x, n), m));
}

bool rv_trans_BREV8(DisasContext *s, arg_BREV8 *a)
{
    if (!HAS(zbkb))
        return false;
    ir_ref x = rv_read(s, a->rs1);
    x = swap_groups(s->b, x, 4, UINT64_C(0x0f0f0f0f0f0f0f0f));
    x = swap_groups(s->b, x, 2, UINT64_C(0x3333333333333333));
    x = swap_groups(s->b, x, 1, UINT64_C(0x5555555555555555));
    rv_write(s, a->rd, x);
    return true;
}

bool rv_trans_PACK(DisasContext *s, arg_PACK *a)
{
    if (!HAS(zbkb))
        return false;
    rv_write(s, a->rd, b_deposit(s->b, IR_I64, rv_read(s, a->rs1), 32, 32, rv_read(s, a->rs2)));
    return true;
}

bool rv_trans_PACKH(DisasContext *s, arg_PACKH *a)
{
    if (!HAS(zbkb))
        return false;
    struct ir_builder *b = s->b;
    ir_ref v = b_deposit(b, IR_I64, rv_read(s, a->rs1), 8, 8, rv_read(s, a->rs2));
    rv_write(s, a->rd, b_ubfx(b, IR_I64, v, 0, 16));
    return true;
}

bool rv_trans_PACKW(DisasContext *s, arg_PACKW *a)
{
    if (!HAS(zbkb))
        return false;
    rv_write_w(s, a->rd, b_deposit(s->b, IR_I32, rv_read_w(s, a->rs1), 16, 16, rv_read_w(s, a->rs2)));
    return true;
}

/* --- Zbs --- */

/* rd = rs1 op (1 << n) */
static bool single_bit(DisasContext *s, unsigned rd, unsigned rs1, enum ir_op op, ir_ref n)
{
    if (!HAS(zbs))
        return false;
    struct ir_builder *b = s->b;
    ir_ref bit = b_shl(b, IR_I64, b_i64(b, 1), n);
    rv_write(s, rd, b_op2(b, op, IR_I64, rv_read(s, rs1), bit));
    return true;
}

static bool extract_bit(DisasContext *s, unsigned rd, unsigned rs1, ir_ref n)
{
    if (!HAS(zbs))
        return false;
    struct ir_builder *b = s->b;
    rv_write(s, rd, b_and(b, IR_I64, b_op2(b, IR_SHR, IR_I64, rv_read(s, rs1), n), b_i64(b, 1)));
    return true;
}

#define REGISTER  a->rd, a->rs1
#define BY_RS2    rv_read(s, a->rs2)
#define BY_SHAMT  b_i64(s->b, a->shamt)
bool rv_trans_BCLR(DisasContext *s, arg_BCLR *a) { return single_bit(s, REGISTER, IR_ANDN, BY_RS2); }
bool rv_trans_BINV(DisasContext *s, arg_BINV *a) { return single_bit(s, REGISTER, IR_XOR, BY_RS2); }
bool rv_trans_BSET(DisasContext *s, arg_BSET *a) { return single_bit(s, REGISTER, IR_OR, BY_RS2); }
bool rv_trans_BEXT(DisasContext *s, arg_BEXT *a) { return extract_bit(s, REGISTER, BY_RS2); }
bool rv_trans_BCLRI(DisasContext *s, arg_BCLRI *a) { return single_bit(s, REGISTER, IR_ANDN, BY_SHAMT); }
bool rv_trans_BINVI(DisasContext *s, arg_BINVI *a) { return single_bit(s, REGISTER, IR_XOR, BY_SHAMT); }
bool rv_trans_BSETI(DisasContext *s, arg_BSETI *a) { return single_bit(s, REGISTER, IR_OR, BY_SHAMT); }
bool rv_trans_BEXTI(DisasContext *s, arg_BEXTI *a) { return extract_bit(s, REGISTER, BY_SHAMT); }

/* --- Zbc, Zbkc --- */

/* The product of 127 bits. */
static ir_ref carry_less(DisasContext *s, const arg_CLMUL *a)
{
    struct ir_builder *b = s->b;
    ir_ref x = b_vzext(b, IR_I64, rv_read(s, a->rs1)), y = b_vzext(b, IR_I64, rv_read(s, a->rs2));
    return b_v2(b, IR_CLMUL64, LANE_D, x, y);
}

bool rv_trans_CLMUL(DisasContext *s, arg_CLMUL *a)
{
    if (!HAS(zbc) && !HAS(zbkc))
        return false;
    rv_write(s, a->rd, b_vlow(s->b, IR_I64, carry_less(s, a)));
    return true;
}

bool rv_trans_CLMULH(DisasContext *s, arg_CLMULH *a)
{
    if (!HAS(zbc) && !HAS(zbkc))
        return false;
    rv_write(s, a->rd, b_vget(s->b, IR_I64, LANE_D, carry_less(s, a), 1, false));
    return true;
}

/* Bits 126 to 63. */
bool rv_trans_CLMULR(DisasContext *s, arg_CLMULR *a)
{
    if (!HAS(zbc))
        return false;
    struct ir_builder *b = s->b;
    ir_ref p = carry_less(s, a);
    ir_ref high = b_shli(b, IR_I64, b_vget(b, IR_I64, LANE_D, p, 1, false), 1);
    rv_write(s, a->rd, b_or(b, IR_I64, high, b_shri(b, IR_I64, b_vlow(b, IR_I64, p), 63)));
    return true;
}

/* --- Zbkx: rs1 is a table, rs2 holds the indices --- */

bool rv_trans_XPERM4(DisasContext *s, arg_XPERM4 *a)
{
    if (!HAS(zbkx))
        return false;
    rv_write(s, a->rd, b_callv(s->b, &rv_helper_xperm4, rv_read(s, a->rs1), rv_read(s, a->rs2)));
    return true;
}

/* Indices 8 to 15 find the zeros above the table. */
bool rv_trans_XPERM8(DisasContext *s, arg_XPERM8 *a)
{
    if (!HAS(zbkx))
        return false;
    struct ir_builder *b = s->b;
    ir_ref table = b_vzext(b, IR_I64, rv_read(s, a->rs1)), index = b_vzext(b, IR_I64, rv_read(s, a->rs2));
    rv_write(s, a->rd, b_vlow(b, IR_I64, b_v2(b, IR_VTBL, LANE_B, table, index)));
    return true;
}
