/* Data processing, register: Arm ARM C4.1.95 and the instruction pages of C6.2. */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/helpers.h"
#include "targets/aarch64/translate.h"

enum { SHIFT_LSL, SHIFT_LSR, SHIFT_ASR, SHIFT_ROR };

static ir_ref shifted(DisasContext *s, bool sf, unsigned rm, unsigned type, unsigned amount)
{
    static const uint8_t op[] = {IR_SHL, IR_SHR, IR_SAR, IR_ROTR};
    enum ir_type t = a64_type(sf);
    ir_ref x = a64_read(s, sf, rm);
    return amount ? b_op2(s->b, op[type], t, x, b_const(s->b, t, amount)) : x;
}

/* ExtendReg: option UXTB … SXTX, then a left shift. */
ir_ref a64_extended(DisasContext *s, bool sf, unsigned rm, unsigned option, unsigned shift)
{
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(sf);
    ir_ref x = a64_read(s, sf, rm);
    unsigned len = 8u << (option & 3);
    if (len < (sf ? 64u : 32u))
        x = option & 4 ? b_sbfx(b, t, x, 0, len) : b_ubfx(b, t, x, 0, len);
    return b_shli(b, t, x, shift);
}

/* Logical (shifted register) */

static bool logical(DisasContext *s, arg_AND_shift *a, enum ir_op op, bool invert, bool set_flags)
{
    if (!a->sf && a->sa & 32)
        return false;
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sf);
    ir_ref x = a64_read(s, a->sf, a->rn), y = shifted(s, a->sf, a->rm, a->st, a->sa), r;
    if (invert && op == IR_AND)
        r = b_op2(b, IR_ANDN, t, x, y);
    else
        r = b_op2(b, op, t, x, invert ? b_op1(b, IR_NOT, t, y) : y);
    if (set_flags)
        a64_set_flags_logic(s, t, r);
    a64_write(s, a->sf, a->rd, r);
    return true;
}

bool a64_trans_AND_shift(DisasContext *s, arg_AND_shift *a) { return logical(s, a, IR_AND, false, false); }
bool a64_trans_BIC_shift(DisasContext *s, arg_AND_shift *a) { return logical(s, a, IR_AND, true, false); }
bool a64_trans_ORR_shift(DisasContext *s, arg_AND_shift *a) { return logical(s, a, IR_OR, false, false); }
bool a64_trans_ORN_shift(DisasContext *s, arg_AND_shift *a) { return logical(s, a, IR_OR, true, false); }
bool a64_trans_EOR_shift(DisasContext *s, arg_AND_shift *a) { return logical(s, a, IR_XOR, false, false); }
bool a64_trans_EON_shift(DisasContext *s, arg_AND_shift *a) { return logical(s, a, IR_XOR, true, false); }
bool a64_trans_ANDS_shift(DisasContext *s, arg_AND_shift *a) { return logical(s, a, IR_AND, false, true); }
bool a64_trans_BICS_shift(DisasContext *s, arg_AND_shift *a) { return logical(s, a, IR_AND, true, true); }

/* Add/subtract (shifted and extended register) */

static ir_ref add_sub(DisasContext *s, bool sf, ir_ref x, ir_ref y, bool sub, bool set_flags)
{
    enum ir_type t = a64_type(sf);
    ir_ref r = sub ? b_sub(s->b, t, x, y) : b_add(s->b, t, x, y);
    if (set_flags && sub)
        a64_set_flags_sub(s, t, x, y);
    else if (set_flags)
        a64_set_flags_add(s, t, x, y, r);
    return r;
}

static bool add_sub_shift(DisasContext *s, arg_ADD_shift *a, bool sub, bool set_flags)
{
    if (a->st == SHIFT_ROR || (!a->sf && a->sa & 32))
        return false;
    ir_ref x = a64_read(s, a->sf, a->rn), y = shifted(s, a->sf, a->rm, a->st, a->sa);
    a64_write(s, a->sf, a->rd, add_sub(s, a->sf, x, y, sub, set_flags));
    return true;
}

bool a64_trans_ADD_shift(DisasContext *s, arg_ADD_shift *a) { return add_sub_shift(s, a, false, false); }
bool a64_trans_ADDS_shift(DisasContext *s, arg_ADD_shift *a) { return add_sub_shift(s, a, false, true); }
bool a64_trans_SUB_shift(DisasContext *s, arg_ADD_shift *a) { return add_sub_shift(s, a, true, false); }
bool a64_trans_SUBS_shift(DisasContext *s, arg_ADD_shift *a) { return add_sub_shift(s, a, true, true); }

static bool add_sub_ext(DisasContext *s, arg_ADD_ext *a, bool sub, bool set_flags)
{
    if (a->sa > 4)
        return false;
    ir_ref x = a64_read_sp(s, a->sf, a->rn), y = a64_extended(s, a->sf, a->rm, a->option, a->sa);
    ir_ref r = add_sub(s, a->sf, x, y, sub, set_flags);
    if (set_flags)
        a64_write(s, a->sf, a->rd, r);
    else
        a64_write_sp(s, a->sf, a->rd, r);
    return true;
}

bool a64_trans_ADD_ext(DisasContext *s, arg_ADD_ext *a) { return add_sub_ext(s, a, false, false); }
bool a64_trans_ADDS_ext(DisasContext *s, arg_ADD_ext *a) { return add_sub_ext(s, a, false, true); }
bool a64_trans_SUB_ext(DisasContext *s, arg_ADD_ext *a) { return add_sub_ext(s, a, true, false); }
bool a64_trans_SUBS_ext(DisasContext *s, arg_ADD_ext *a) { return add_sub_ext(s, a, true, true); }

/* Add/subtract (with carry) */

static bool add_carry(DisasContext *s, arg_ADC *a, bool sub, bool set_flags)
{
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sf);
    ir_ref x = a64_read(s, a->sf, a->rn), y = a64_read(s, a->sf, a->rm), carry = a64_carry(s);
    if (sub)
        y = b_op1(b, IR_NOT, t, y);
    ir_ref r = b_op3(b, IR_ADC, t, x, y, carry);
    if (set_flags)
        a64_set_flags_adc(s, t, x, y, carry, r);
    a64_write(s, a->sf, a->rd, r);
    return true;
}

bool a64_trans_ADC(DisasContext *s, arg_ADC *a) { return add_carry(s, a, false, false); }
bool a64_trans_ADCS(DisasContext *s, arg_ADC *a) { return add_carry(s, a, false, true); }
bool a64_trans_SBC(DisasContext *s, arg_ADC *a) { return add_carry(s, a, true, false); }
bool a64_trans_SBCS(DisasContext *s, arg_ADC *a) { return add_carry(s, a, true, true); }

/* FlagM: rotate right into flags, evaluate into flags */

bool a64_trans_RMIF(DisasContext *s, arg_RMIF *a)
{
    struct ir_builder *b = s->b;
    ir_ref x = b_op2(b, IR_ROTR, IR_I64, a64_read(s, true, a->rn), b_i64(b, a->imm));
    ir_ref mask = b_i32(b, a->mask);
    ir_ref kept = b_op2(b, IR_ANDN, IR_I32, b_get(b, A64_NZCV), mask);
    a64_set_flags_value(s, b_or(b, IR_I32, kept, b_and(b, IR_I32, b_trunc(b, x), mask)));
    return true;
}

/* N and Z of the low byte or half word; V tells whether the next bit differs from its sign; C stays. */
static bool setf(DisasContext *s, unsigned rn, unsigned bits)
{
    struct ir_builder *b = s->b;
    ir_ref x = a64_read(s, false, rn), old = b_get(b, A64_NZCV);
    ir_ref n = b_shli(b, IR_I32, b_ubfx(b, IR_I32, x, bits - 1, 1), 3);
    ir_ref z = b_shli(b, IR_I32, b_setcc(b, CC_EQ, IR_I32, b_ubfx(b, IR_I32, x, 0, bits), b_i32(b, 0)), 2);
    ir_ref v = b_xor(b, IR_I32, b_ubfx(b, IR_I32, x, bits, 1), b_ubfx(b, IR_I32, x, bits - 1, 1));
    ir_ref c = b_and(b, IR_I32, old, b_i32(b, 2));
    a64_set_flags_value(s, b_or(b, IR_I32, b_or(b, IR_I32, n, z), b_or(b, IR_I32, c, v)));
    return true;
}

bool a64_trans_SETF8(DisasContext *s, arg_SETF8 *a) { return setf(s, a->rn, 8); }
bool a64_trans_SETF16(DisasContext *s, arg_SETF8 *a) { return setf(s, a->rn, 16); }

/* Conditional compare */

static bool cond_compare(DisasContext *s, arg_CCMP_reg *a, ir_ref y, bool add)
{
    enum ir_type t = a64_type(a->sf);
    ir_ref x = a64_read(s, a->sf, a->rn);
    if (a->cond >= 14) {
        if (add)
            a64_set_flags_add(s, t, x, y, b_add(s->b, t, x, y));
        else
            a64_set_flags_sub(s, t, x, y);
    } else {
        a64_set_flags_ccmp(s, a->cond, t, x, y, add, a->nzcv);
    }
    return true;
}

/* Register and immediate forms have the same fields: rm is the register or the five-bit immediate. */
bool a64_trans_CCMN_reg(DisasContext *s, arg_CCMP_reg *a)
{
    return cond_compare(s, a, a64_read(s, a->sf, a->rm), true);
}
bool a64_trans_CCMP_reg(DisasContext *s, arg_CCMP_reg *a)
{
    return cond_compare(s, a, a64_read(s, a->sf, a->rm), false);
}
bool a64_trans_CCMN_imm(DisasContext *s, arg_CCMP_reg *a)
{
    return cond_compare(s, a, b_const(s->b, a64_type(a->sf), a->rm), true);
}
bool a64_trans_CCMP_imm(DisasContext *s, arg_CCMP_reg *a)
{
    return cond_compare(s, a, b_const(s->b, a64_type(a->sf), a->rm), false);
}

/* Conditional select */

static bool cond_select(DisasContext *s, arg_CSEL *a, bool increment, bool invert)
{
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sf);
    ir_ref r;
    if (a->cond >= 14) {
        r = a64_read(s, a->sf, a->rn);
    } else {
        struct cond c = a64_cond(s, a->cond);
        if (a->rn == 31 && a->rm == 31 && increment != invert) { /* CSET, CSETM */
            r = b_setcc(b, c.cc ^ 1, c.type, c.x, c.y);
            r = a->sf ? b_zext(b, r) : r;
            if (invert)
                r = b_op1(b, IR_NEG, t, r);
        } else {
            ir_ref y = a64_read(s, a->sf, a->rm);
            if (invert)
                y = b_op1(b, increment ? IR_NEG : IR_NOT, t, y);
            else if (increment)
                y = b_addi(b, t, y, 1);
            r = b_selcc(b, t, c.cc, c.type, c.x, c.y, a64_read(s, a->sf, a->rn), y);
        }
    }
    a64_write(s, a->sf, a->rd, r);
    return true;
}

bool a64_trans_CSEL(DisasContext *s, arg_CSEL *a) { return cond_select(s, a, false, false); }
bool a64_trans_CSINC(DisasContext *s, arg_CSEL *a) { return cond_select(s, a, true, false); }
bool a64_trans_CSINV(DisasContext *s, arg_CSEL *a) { return cond_select(s, a, false, true); }
bool a64_trans_CSNEG(DisasContext *s, arg_CSEL *a) { return cond_select(s, a, true, true); }

/* Data processing (3 source) */

static bool multiply_add(DisasContext *s, arg_MADD *a, bool sub)
{
    enum ir_type t = a64_type(a->sf);
    ir_ref p = b_op2(s->b, IR_MUL, t, a64_read(s, a->sf, a->rn), a64_read(s, a->sf, a->rm));
    ir_ref c = a64_read(s, a->sf, a->ra);
    a64_write(s, a->sf, a->rd, sub ? b_sub(s->b, t, c, p) : b_add(s->b, t, c, p));
    return true;
}

bool a64_trans_MADD(DisasContext *s, arg_MADD *a) { return multiply_add(s, a, false); }
bool a64_trans_MSUB(DisasContext *s, arg_MADD *a) { return multiply_add(s, a, true); }

static bool multiply_add_long(DisasContext *s, arg_SMADDL *a, bool sign, bool sub)
{
    struct ir_builder *b = s->b;
    ir_ref x = a64_read(s, false, a->rn), y = a64_read(s, false, a->rm), c = a64_read(s, true, a->ra);
    ir_ref p = b_op2(b, IR_MUL, IR_I64, sign ? b_sext(b, x) : b_zext(b, x), sign ? b_sext(b, y) : b_zext(b, y));
    a64_write(s, true, a->rd, sub ? b_sub(b, IR_I64, c, p) : b_add(b, IR_I64, c, p));
    return true;
}

bool a64_trans_SMADDL(DisasContext *s, arg_SMADDL *a) { return multiply_add_long(s, a, true, false); }
bool a64_trans_SMSUBL(DisasContext *s, arg_SMADDL *a) { return multiply_add_long(s, a, true, true); }
bool a64_trans_UMADDL(DisasContext *s, arg_SMADDL *a) { return multiply_add_long(s, a, false, false); }
bool a64_trans_UMSUBL(DisasContext *s, arg_SMADDL *a) { return multiply_add_long(s, a, false, true); }

static bool multiply_high(DisasContext *s, unsigned rd, unsigned rn, unsigned rm, enum ir_op op)
{
    a64_write(s, true, rd, b_op2(s->b, op, IR_I64, a64_read(s, true, rn), a64_read(s, true, rm)));
    return true;
}

bool a64_trans_SMULH(DisasContext *s, arg_SMULH *a) { return multiply_high(s, a->rd, a->rn, a->rm, IR_MULHS); }
bool a64_trans_UMULH(DisasContext *s, arg_SMULH *a) { return multiply_high(s, a->rd, a->rn, a->rm, IR_MULHU); }

/* Data processing (2 source) */

static bool divide(DisasContext *s, arg_UDIV *a, enum ir_op op)
{
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sf);
    ir_ref y = a64_read(s, a->sf, a->rm), zero = b_const(b, t, 0);
    ir_ref q = b_op2(b, op, t, a64_read(s, a->sf, a->rn), y);
    a64_write(s, a->sf, a->rd, b_selcc(b, t, CC_EQ, t, y, zero, zero, q)); /* division by zero gives 0 */
    return true;
}

bool a64_trans_UDIV(DisasContext *s, arg_UDIV *a) { return divide(s, a, IR_DIVU); }
bool a64_trans_SDIV(DisasContext *s, arg_UDIV *a) { return divide(s, a, IR_DIVS); }

static bool shift_variable(DisasContext *s, arg_UDIV *a, enum ir_op op)
{
    a64_write(s, a->sf, a->rd, b_op2(s->b, op, a64_type(a->sf), a64_read(s, a->sf, a->rn), a64_read(s, a->sf, a->rm)));
    return true;
}

bool a64_trans_LSLV(DisasContext *s, arg_UDIV *a) { return shift_variable(s, a, IR_SHL); }
bool a64_trans_LSRV(DisasContext *s, arg_UDIV *a) { return shift_variable(s, a, IR_SHR); }
bool a64_trans_ASRV(DisasContext *s, arg_UDIV *a) { return shift_variable(s, a, IR_SAR); }
bool a64_trans_RORV(DisasContext *s, arg_UDIV *a) { return shift_variable(s, a, IR_ROTR); }

/* CRC32B/H/W/X and CRC32CB/…: sz is log2 of the bytes; sf must agree with it. */
static bool crc(DisasContext *s, arg_CRC32 *a, const struct ir_helper *h)
{
    if ((a->sz == 3) != a->sf)
        return false;
    struct ir_builder *b = s->b;
    ir_ref data = a64_read(s, true, a->rm);
    a64_write(s, false, a->rd, b_callv(b, h, a64_read(s, false, a->rn), data, b_i32(b, 1u << a->sz)));
    return true;
}

bool a64_trans_CRC32(DisasContext *s, arg_CRC32 *a) { return crc(s, a, &a64_helper_crc32); }
bool a64_trans_CRC32C(DisasContext *s, arg_CRC32 *a) { return crc(s, a, &a64_helper_crc32c); }

/* Data processing (1 source) */

static ir_ref swap_pairs(DisasContext *s, enum ir_type t, ir_ref x, uint64_t mask, unsigned n)
{
    struct ir_builder *b = s->b;
    ir_ref m = b_const(b, t, mask);
    return b_or(b, t, b_and(b, t, b_shri(b, t, x, n), m), b_shli(b, t, b_and(b, t, x, m), n));
}

bool a64_trans_RBIT(DisasContext *s, arg_RBIT *a)
{
    enum ir_type t = a64_type(a->sf);
    ir_ref x = a64_read(s, a->sf, a->rn);
    x = swap_pairs(s, t, x, t == IR_I64 ? 0x5555555555555555 : 0x55555555, 1);
    x = swap_pairs(s, t, x, t == IR_I64 ? 0x3333333333333333 : 0x33333333, 2);
    x = swap_pairs(s, t, x, t == IR_I64 ? 0x0f0f0f0f0f0f0f0f : 0x0f0f0f0f, 4);
    a64_write(s, a->sf, a->rd, b_op1(s->b, IR_BSWAP, t, x));
    return true;
}

bool a64_trans_REV16(DisasContext *s, arg_RBIT *a)
{
    enum ir_type t = a64_type(a->sf);
    ir_ref x = a64_read(s, a->sf, a->rn);
    a64_write(s, a->sf, a->rd, swap_pairs(s, t, x, t == IR_I64 ? 0x00ff00ff00ff00ff : 0x00ff00ff, 8));
    return true;
}

/* REV of a W register, or of both words of an X register (REV32). */
bool a64_trans_REV32(DisasContext *s, arg_RBIT *a)
{
    enum ir_type t = a64_type(a->sf);
    ir_ref x = b_op1(s->b, IR_BSWAP, t, a64_read(s, a->sf, a->rn));
    if (a->sf)
        x = b_op2(s->b, IR_ROTR, t, x, b_const(s->b, t, 32));
    a64_write(s, a->sf, a->rd, x);
    return true;
}

bool a64_trans_REV64(DisasContext *s, arg_REV64 *a)
{
    a64_write(s, true, a->rd, b_op1(s->b, IR_BSWAP, IR_I64, a64_read(s, true, a->rn)));
    return true;
}

bool a64_trans_CLZ(DisasContext *s, arg_RBIT *a)
{
    a64_write(s, a->sf, a->rd, b_op1(s->b, IR_CLZ, a64_type(a->sf), a64_read(s, a->sf, a->rn)));
    return true;
}

/* Bits below the top that equal it: leading zeros of x ^ (x >> 1, sign), without the top bit. */
bool a64_trans_CLS(DisasContext *s, arg_RBIT *a)
{
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sf);
    ir_ref x = a64_read(s, a->sf, a->rn);
    ir_ref y = b_xor(b, t, x, b_sari(b, t, x, 1));
    a64_write(s, a->sf, a->rd, b_addi(b, t, b_op1(b, IR_CLZ, t, y), -1));
    return true;
}
