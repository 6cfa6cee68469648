/*
 * Scalar cryptography for RV64: Zknd and Zkne (AES), Zknh (SHA-2). Manual, chapter "Cryptography Extensions: Scalar".
 */
#include "targets/riscv/rv-decode.h"
#include "targets/riscv/translate.h"

/* --- AES: the state is rs2:rs1, the result its new low half --- */

static ir_ref aes_round(DisasContext *s, const arg_AES64ES *a, enum ir_op op)
{
    struct ir_builder *b = s->b;
    ir_ref low = b_vzext(b, IR_I64, rv_read(s, a->rs1));
    ir_ref state = b_vset(b, LANE_D, low, 1, rv_read(s, a->rs2));
    return b_v2(b, op, LANE_B, state, b_vconst(b, 0, 0));
}

static bool write_low(DisasContext *s, unsigned rd, ir_ref v)
{
    rv_write(s, rd, b_vlow(s->b, IR_I64, v));
    return true;
}

bool rv_trans_AES64ES(DisasContext *s, arg_AES64ES *a)
{
    return HAS(zkne) && write_low(s, a->rd, aes_round(s, a, IR_AESENC));
}

bool rv_trans_AES64ESM(DisasContext *s, arg_AES64ESM *a)
{
    return HAS(zkne) && write_low(s, a->rd, b_v1(s->b, IR_AESMC, LANE_B, aes_round(s, a, IR_AESENC)));
}

bool rv_trans_AES64DS(DisasContext *s, arg_AES64DS *a)
{
    return HAS(zknd) && write_low(s, a->rd, aes_round(s, a, IR_AESDEC));
}

bool rv_trans_AES64DSM(DisasContext *s, arg_AES64DSM *a)
{
    return HAS(zknd) && write_low(s, a->rd, b_v1(s->b, IR_AESIMC, LANE_B, aes_round(s, a, IR_AESDEC)));
}

bool rv_trans_AES64IM(DisasContext *s, arg_AES64IM *a)
{
    return HAS(zknd) &&
           write_low(s, a->rd, b_v1(s->b, IR_AESIMC, LANE_B, b_vzext(s->b, IR_I64, rv_read(s, a->rs1))));
}

/* The word in all four columns: ShiftRows changes nothing then, and AESENC is SubWord. */
bool rv_trans_AES64KS1I(DisasContext *s, arg_AES64KS1I *a)
{
    static const uint8_t rcon[11] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36, 0};
    struct ir_builder *b = s->b;
    if (!HAS(zkne) && !HAS(zknd))
        return false;
    ir_ref word = b_trunc(b, b_shri(b, IR_I64, rv_read(s, a->rs1), 32));
    if (a->rnum < 10)
        word = b_op2(b, IR_ROTR, IR_I32, word, b_i32(b, 8));
    ir_ref v = b_v2(b, IR_AESENC, LANE_B, b_vdup(b, LANE_S, word), b_vconst(b, 0, 0));
    ir_ref r = b_zext(b, b_xor(b, IR_I32, b_vlow(b, IR_I32, v), b_i32(b, rcon[a->rnum])));
    rv_write(s, a->rd, b_deposit(b, IR_I64, r, 32, 32, r));
    return true;
}

bool rv_trans_AES64KS2(DisasContext *s, arg_AES64KS2 *a)
{
    if (!HAS(zkne) && !HAS(zknd))
        return false;
    struct ir_builder *b = s->b;
    ir_ref y = rv_read(s, a->rs2);
    ir_ref low = b_xor(b, IR_I64, b_shri(b, IR_I64, rv_read(s, a->rs1), 32), b_ubfx(b, IR_I64, y, 0, 32));
    ir_ref high = b_xor(b, IR_I64, low, b_shri(b, IR_I64, y, 32));
    rv_write(s, a->rd, b_deposit(b, IR_I64, low, 32, 32, high));
    return true;
}

/* --- SHA-2 (FIPS 180-4, 4.1.2 and 4.1.3): two rotations and a third, or a shift, of the same word --- */

static bool sha(DisasContext *s, const arg_SHA256SUM0 *a, enum ir_type t, unsigned r1, unsigned r2, enum ir_op third,
                unsigned r3)
{
    if (!HAS(zknh))
        return false;
    struct ir_builder *b = s->b;
    ir_ref x = t == IR_I32 ? rv_read_w(s, a->rs1) : rv_read(s, a->rs1);
    ir_ref v = b_xor(b, t, b_op2(b, IR_ROTR, t, x, b_const(b, t, r1)), b_op2(b, IR_ROTR, t, x, b_const(b, t, r2)));
    v = b_xor(b, t, v, b_op2(b, third, t, x, b_const(b, t, r3)));
    if (t == IR_I32)
        rv_write_w(s, a->rd, v);
    else
        rv_write(s, a->rd, v);
    return true;
}

bool rv_trans_SHA256SUM0(DisasContext *s, arg_SHA256SUM0 *a) { return sha(s, a, IR_I32, 2, 13, IR_ROTR, 22); }
bool rv_trans_SHA256SUM1(DisasContext *s, arg_SHA256SUM1 *a) { return sha(s, a, IR_I32, 6, 11, IR_ROTR, 25); }
bool rv_trans_SHA256SIG0(DisasContext *s, arg_SHA256SIG0 *a) { return sha(s, a, IR_I32, 7, 18, IR_SHR, 3); }
bool rv_trans_SHA256SIG1(DisasContext *s, arg_SHA256SIG1 *a) { return sha(s, a, IR_I32, 17, 19, IR_SHR, 10); }
bool rv_trans_SHA512SUM0(DisasContext *s, arg_SHA512SUM0 *a) { return sha(s, a, IR_I64, 28, 34, IR_ROTR, 39); }
bool rv_trans_SHA512SUM1(DisasContext *s, arg_SHA512SUM1 *a) { return sha(s, a, IR_I64, 14, 18, IR_ROTR, 41); }
bool rv_trans_SHA512SIG0(DisasContext *s, arg_SHA512SIG0 *a) { return sha(s, a, IR_I64, 1, 8, IR_SHR, 7); }
bool rv_trans_SHA512SIG1(DisasContext *s, arg_SHA512SIG1 *a) { return sha(s, a, IR_I64, 19, 61, IR_SHR, 6); }
