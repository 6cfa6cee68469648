/* The M extension: multiplication and division. The IR's divisions are total in RISC-V's way. */
#include "targets/riscv/rv-decode.h"
#include "targets/riscv/translate.h"

static bool op_r(DisasContext *s, const arg_MUL *a, enum ir_op op)
{
    if (!HAS(m))
        return false;
    rv_write(s, a->rd, b_op2(s->b, op, IR_I64, rv_read(s, a->rs1), rv_read(s, a->rs2)));
    return true;
}

static bool op_rw(DisasContext *s, const arg_MULW *a, enum ir_op op)
{
    if (!HAS(m))
        return false;
    rv_write_w(s, a->rd, b_op2(s->b, op, IR_I32, rv_read_w(s, a->rs1), rv_read_w(s, a->rs2)));
    return true;
}

bool rv_trans_MUL(DisasContext *s, arg_MUL *a) { return op_r(s, a, IR_MUL); }
bool rv_trans_MULH(DisasContext *s, arg_MULH *a) { return op_r(s, a, IR_MULHS); }
bool rv_trans_MULHU(DisasContext *s, arg_MULHU *a) { return op_r(s, a, IR_MULHU); }
bool rv_trans_DIV(DisasContext *s, arg_DIV *a) { return op_r(s, a, IR_DIVS); }
bool rv_trans_DIVU(DisasContext *s, arg_DIVU *a) { return op_r(s, a, IR_DIVU); }
bool rv_trans_REM(DisasContext *s, arg_REM *a) { return op_r(s, a, IR_REMS); }
bool rv_trans_REMU(DisasContext *s, arg_REMU *a) { return op_r(s, a, IR_REMU); }
bool rv_trans_MULW(DisasContext *s, arg_MULW *a) { return op_rw(s, a, IR_MUL); }
bool rv_trans_DIVW(DisasContext *s, arg_DIVW *a) { return op_rw(s, a, IR_DIVS); }
bool rv_trans_DIVUW(DisasContext *s, arg_DIVUW *a) { return op_rw(s, a, IR_DIVU); }
bool rv_trans_REMW(DisasContext *s, arg_REMW *a) { return op_rw(s, a, IR_REMS); }
bool rv_trans_REMUW(DisasContext *s, arg_REMUW *a) { return op_rw(s, a, IR_REMU); }

/* The unsigned product counts a negative rs1 as 2^64 more: rs2 too much in the high half. */
bool rv_trans_MULHSU(DisasContext *s, arg_MULHSU *a)
{
    if (!HAS(m))
        return false;
    struct ir_builder *b = s->b;
    ir_ref x = rv_read(s, a->rs1), y = rv_read(s, a->rs2);
    ir_ref excess = b_and(b, IR_I64, b_sari(b, IR_I64, x, 63), y);
    rv_write(s, a->rd, b_sub(b, IR_I64, b_op2(b, IR_MULHU, IR_I64, x, y), excess));
    return true;
}
