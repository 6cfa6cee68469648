/* F, D, Zfhmin, Zfh and Zfa: loads, stores, moves, sign injection, conversions. See trans-fp.c. */
#include "targets/riscv/helper-fp.h"
#include "targets/riscv/rv-decode.h"
#include "targets/riscv/trans-fp.h"

/* --- loads and stores: raw bits --- */

static bool load(DisasContext *s, const arg_FLW *a, unsigned fmt, unsigned mem)
{
    if (!rv_fp_moves(s, fmt))
        return false;
    rv_write_fp(s, fmt, a->rd, b_load(s->b, rv_fp_type(fmt), mem, rv_read(s, a->rs1), IR_NONE, 0, a->imm));
    return true;
}

bool rv_trans_FLH(DisasContext *s, arg_FLH *a) { return load(s, a, RV_FMT_H, MEM_U16); }
bool rv_trans_FLW(DisasContext *s, arg_FLW *a) { return load(s, a, RV_FMT_S, MEM_U32); }
bool rv_trans_FLD(DisasContext *s, arg_FLD *a) { return load(s, a, RV_FMT_D, MEM_64); }

static bool store(DisasContext *s, const arg_FSW *a, unsigned fmt, unsigned mem)
{
    struct ir_builder *b = s->b;
    if (!rv_fp_moves(s, fmt))
        return false;
    ir_ref v = rv_read_f(s, a->rs2);
    enum ir_type t = IR_F64;
    if (fmt == RV_FMT_S && b->u->inst[v].op == IR_NANBOX) { /* known: the value inside */
        v = b->u->inst[v].arg[0];
        t = IR_F32;
    } else if (fmt != RV_FMT_D) {
        v = b_bitcast(b, IR_I64, IR_F64, v);
        t = IR_I64;
    }
    b_store(b, t, mem, rv_read(s, a->rs1), IR_NONE, 0, a->imm, v);
    return true;
}

bool rv_trans_FSH(DisasContext *s, arg_FSH *a) { return store(s, a, RV_FMT_H, MEM_U16); }
bool rv_trans_FSW(DisasContext *s, arg_FSW *a) { return store(s, a, RV_FMT_S, MEM_U32); }
bool rv_trans_FSD(DisasContext *s, arg_FSD *a) { return store(s, a, RV_FMT_D, MEM_64); }

/* --- moves between x and f registers: raw bits --- */

bool rv_trans_FMV_X_F(DisasContext *s, arg_FMV_X_F *a)
{
    static const uint8_t width[] = {[RV_FMT_S] = 32, [RV_FMT_D] = 64, [RV_FMT_H] = 16};
    if (!rv_fp_moves(s, a->fmt))
        return false;
    ir_ref bits = b_bitcast(s->b, IR_I64, IR_F64, rv_read_f(s, a->rs1));
    rv_write(s, a->rd, b_sbfx(s->b, IR_I64, bits, 0, width[a->fmt]));
    return true;
}

bool rv_trans_FMV_F_X(DisasContext *s, arg_FMV_F_X *a)
{
    if (!rv_fp_moves(s, a->fmt))
        return false;
    rv_write_fp(s, a->fmt, a->rd, rv_fp_value(s, a->fmt, rv_read(s, a->rs1)));
    return true;
}

bool rv_trans_FLI(DisasContext *s, arg_FLI *a)
{
    if (!HAS(zfa) || !rv_fp_moves(s, a->fmt))
        return false;
    rv_write_fp(s, a->fmt, a->rd, rv_fp_value(s, a->fmt, b_i64(s->b, rv_fp_constant(a->fmt, a->rs1))));
    return true;
}

/* --- sign injection; with rs1 = rs2 the moves, negations and absolute values of assembly --- */

static ir_ref sign_bit(DisasContext *s, ir_ref v)
{
    return b_and(s->b, IR_I64, v, b_i64(s->b, 0x8000));
}

enum sign { SIGN_OF_RS2, NOT_OF_RS2, XOR_OF_BOTH };

static ir_ref inject_half(DisasContext *s, enum sign how, ir_ref x, ir_ref y)
{
    struct ir_builder *b = s->b;
    if (how == XOR_OF_BOTH)
        return b_xor(b, IR_I64, x, sign_bit(s, y));
    if (how == NOT_OF_RS2)
        y = b_op1(b, IR_NOT, IR_I64, y);
    return b_or(b, IR_I64, b_and(b, IR_I64, x, b_i64(b, 0x7fff)), sign_bit(s, y));
}

static ir_ref inject(DisasContext *s, enum sign how, enum ir_type t, ir_ref x, ir_ref y)
{
    struct ir_builder *b = s->b;
    if (how == XOR_OF_BOTH) {
        if (x == y)
            return b_op1(b, IR_FABS, t, x);
        enum ir_type i = t == IR_F32 ? IR_I32 : IR_I64;
        ir_ref mask = b_const(b, i, t == IR_F32 ? UINT32_C(1) << 31 : UINT64_C(1) << 63);
        ir_ref sign = b_and(b, i, b_bitcast(b, i, t, y), mask);
        return b_bitcast(b, t, i, b_xor(b, i, b_bitcast(b, i, t, x), sign));
    }
    if (x == y)
        return how == NOT_OF_RS2 ? b_op1(b, IR_FNEG, t, x) : x;
    return b_op2(b, IR_FSGNJ, t, x, how == NOT_OF_RS2 ? b_op1(b, IR_FNEG, t, y) : y);
}

static bool sign_injection(DisasContext *s, const arg_FSGNJ *a, enum sign how)
{
    if (!rv_fp_arithmetic(s, a->fmt))
        return false;
    ir_ref x = rv_read_fp(s, a->fmt, a->rs1), y = rv_read_fp(s, a->fmt, a->rs2);
    rv_write_fp(s, a->fmt, a->rd,
                a->fmt == RV_FMT_H ? inject_half(s, how, x, y) : inject(s, how, rv_fp_type(a->fmt), x, y));
    return true;
}

bool rv_trans_FSGNJ(DisasContext *s, arg_FSGNJ *a) { return sign_injection(s, a, SIGN_OF_RS2); }
bool rv_trans_FSGNJN(DisasContext *s, arg_FSGNJN *a) { return sign_injection(s, a, NOT_OF_RS2); }
bool rv_trans_FSGNJX(DisasContext *s, arg_FSGNJX *a) { return sign_injection(s, a, XOR_OF_BOTH); }

/* --- between formats --- */

bool rv_trans_FCVT_F_F(DisasContext *s, arg_FCVT_F_F *a)
{
    static const enum rv_fp_op soft[] = {
        [RV_FMT_S] = RV_FP_FROM_S, [RV_FMT_D] = RV_FP_FROM_D, [RV_FMT_H] = RV_FP_FROM_H};
    struct ir_builder *b = s->b;
    unsigned rm;
    if (a->fmt == a->from || !rv_fp_moves(s, a->fmt) || !rv_fp_moves(s, a->from) || !rv_rounding(s, a->rm, &rm))
        return false;
    ir_ref x = rv_read_fp(s, a->from, a->rs1), v;
    if (a->fmt == RV_FMT_D && a->from == RV_FMT_S) /* exact: any mode */
        v = b_op1(b, IR_FEXT, IR_F64, x);
    else if (a->fmt == RV_FMT_S && a->from == RV_FMT_D && rm == IR_RM_DYN)
        v = b_op1(b, IR_FTRUNC, IR_F32, x);
    else
        v = rv_fp_value(s, a->fmt,
                        rv_fp_soft(s, soft[a->from], a->fmt, rm, rv_fp_bits(s, a->from, x), IR_NONE, IR_NONE));
    rv_write_fp(s, a->fmt, a->rd, v);
    return true;
}

/* --- to integers: the IR's op has every static mode --- */

static bool to_integer(DisasContext *s, const arg_FCVT_W *a, bool is_signed, enum ir_type t, enum rv_fp_op soft)
{
    struct ir_builder *b = s->b;
    unsigned rm;
    if (!rv_fp_arithmetic(s, a->fmt) || !rv_rounding(s, a->rm, &rm))
        return false;
    ir_ref x = rv_read_fp(s, a->fmt, a->rs1);
    if (a->fmt == RV_FMT_H) {
        rv_write(s, a->rd, rv_fp_soft(s, soft, a->fmt, rm, x, IR_NONE, IR_NONE));
        return true;
    }
    ir_ref v = b_ftoi(b, is_signed, t, rv_fp_type(a->fmt), x, rm);
    if (t == IR_I32)
        rv_write_w(s, a->rd, v);
    else
        rv_write(s, a->rd, v);
    return true;
}

bool rv_trans_FCVT_W(DisasContext *s, arg_FCVT_W *a) { return to_integer(s, a, true, IR_I32, RV_FP_TO_W); }
bool rv_trans_FCVT_WU(DisasContext *s, arg_FCVT_WU *a) { return to_integer(s, a, false, IR_I32, RV_FP_TO_WU); }
bool rv_trans_FCVT_L(DisasContext *s, arg_FCVT_L *a) { return to_integer(s, a, true, IR_I64, RV_FP_TO_L); }
bool rv_trans_FCVT_LU(DisasContext *s, arg_FCVT_LU *a) { return to_integer(s, a, false, IR_I64, RV_FP_TO_LU); }

bool rv_trans_FCVTMOD_W_D(DisasContext *s, arg_FCVTMOD_W_D *a)
{
    if (!HAS(zfa) || !HAS(d))
        return false;
    ir_ref bits = rv_fp_bits(s, RV_FMT_D, rv_read_fp(s, RV_FMT_D, a->rs1));
    rv_write(s, a->rd, rv_fp_soft(s, RV_FP_MOD_W, RV_FMT_D, FP_RTZ, bits, IR_NONE, IR_NONE));
    return true;
}

/* --- from integers --- */

static bool from_integer(DisasContext *s, const arg_FCVT_F_W *a, bool is_signed, enum ir_type t, enum rv_fp_op soft)
{
    struct ir_builder *b = s->b;
    unsigned rm;
    if (!rv_fp_arithmetic(s, a->fmt) || !rv_rounding(s, a->rm, &rm))
        return false;
    bool exact = a->fmt == RV_FMT_D && t == IR_I32;
    ir_ref v;
    if (a->fmt != RV_FMT_H && (exact || rm == IR_RM_DYN))
        v = b_itof(b, is_signed, rv_fp_type(a->fmt), t, t == IR_I32 ? rv_read_w(s, a->rs1) : rv_read(s, a->rs1));
    else
        v = rv_fp_value(s, a->fmt, rv_fp_soft(s, soft, a->fmt, rm, rv_read(s, a->rs1), IR_NONE, IR_NONE));
    rv_write_fp(s, a->fmt, a->rd, v);
    return true;
}

bool rv_trans_FCVT_F_W(DisasContext *s, arg_FCVT_F_W *a) { return from_integer(s, a, true, IR_I32, RV_FP_FROM_W); }
bool rv_trans_FCVT_F_WU(DisasContext *s, arg_FCVT_F_WU *a) { return from_integer(s, a, false, IR_I32, RV_FP_FROM_WU); }
bool rv_trans_FCVT_F_L(DisasContext *s, arg_FCVT_F_L *a) { return from_integer(s, a, true, IR_I64, RV_FP_FROM_L); }
bool rv_trans_FCVT_F_LU(DisasContext *s, arg_FCVT_F_LU *a) { return from_integer(s, a, false, IR_I64, RV_FP_FROM_LU); }
