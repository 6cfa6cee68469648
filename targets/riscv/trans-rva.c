/*
 * The A extension (Zalrsc, Zaamo). Atomics of the IR are sequentially consistent, which is no less than any aq and rl
 * ask. Misaligned ones raise an exception, as without Zama16b; no reservation is ever misaligned, so SC just fails
 * there.
 */
#include "targets/riscv/rv-decode.h"
#include "targets/riscv/translate.h"

static enum ir_type type_of(const arg_LR *a) { return a->sz == 3 ? IR_I64 : IR_I32; }

/* The low 32 or all 64 bits. */
static ir_ref operand(DisasContext *s, const arg_LR *a, unsigned r)
{
    return a->sz == 3 ? rv_read(s, r) : rv_read_w(s, r);
}

/*
 * LR remembers address and value, SC is a compare-and-swap with that value: a store by another hart in between is seen
 * unless it put the same value back, which the loops that the manual constrains cannot tell from a plain success.
 */
bool rv_trans_LR(DisasContext *s, arg_LR *a)
{
    if (!HAS(a))
        return false;
    struct ir_builder *b = s->b;
    ir_ref addr = rv_read(s, a->rs1);
    if (a->rl)
        b_fence(b, IR_FENCE_FULL);
    ir_ref v = b_load(b, IR_I64, a->sz | MEM_SIGN | MEM_ALIGN | (a->aq ? MEM_ACQ : 0), addr, IR_NONE, 0, 0);
    b_put(b, RV_RES_ADDR, addr);
    b_put(b, RV_RES_VALUE, v);
    rv_write(s, a->rd, v);
    return true;
}

/*
 * Without a reservation of this address rd is 1 and the unit is left, so that the swap behind it needs no condition. rd
 * is written early: a swap that faults is executed again from the start, without reservation, if at all.
 */
bool rv_trans_SC(DisasContext *s, arg_SC *a)
{
    if (!HAS(a))
        return false;
    struct ir_builder *b = s->b;
    enum ir_type t = type_of(a);
    ir_ref addr = rv_read(s, a->rs1), value = operand(s, a, a->rs2);
    ir_ref reserved = b_get(b, RV_RES_ADDR), expected = b_get(b, RV_RES_VALUE);
    if (t == IR_I32)
        expected = b_trunc(b, expected);
    b_put(b, RV_RES_ADDR, b_i64(b, ~UINT64_C(0)));
    rv_write(s, a->rd, b_i64(b, 1));
    b_goto_if(b, CC_NE, IR_I64, addr, reserved, s->next);
    ir_ref old = b_cas(b, t, a->sz, addr, expected, value);
    rv_write(s, a->rd, b_zext(b, b_setcc(b, CC_NE, t, old, expected)));
    return true;
}

static bool amo(DisasContext *s, const arg_AMOADD *a, enum ir_op op)
{
    if (!HAS(a))
        return false;
    ir_ref old = b_atomic(s->b, op, type_of(a), a->sz | MEM_ALIGN, rv_read(s, a->rs1), operand(s, a, a->rs2));
    if (a->sz == 3)
        rv_write(s, a->rd, old);
    else
        rv_write_w(s, a->rd, old);
    return true;
}

bool rv_trans_AMOSWAP(DisasContext *s, arg_AMOSWAP *a) { return amo(s, a, IR_AXCHG); }
bool rv_trans_AMOADD(DisasContext *s, arg_AMOADD *a) { return amo(s, a, IR_AADD); }
bool rv_trans_AMOXOR(DisasContext *s, arg_AMOXOR *a) { return amo(s, a, IR_AXOR); }
bool rv_trans_AMOAND(DisasContext *s, arg_AMOAND *a) { return amo(s, a, IR_AAND); }
bool rv_trans_AMOOR(DisasContext *s, arg_AMOOR *a) { return amo(s, a, IR_AOR); }
bool rv_trans_AMOMIN(DisasContext *s, arg_AMOMIN *a) { return amo(s, a, IR_ASMIN); }
bool rv_trans_AMOMAX(DisasContext *s, arg_AMOMAX *a) { return amo(s, a, IR_ASMAX); }
bool rv_trans_AMOMINU(DisasContext *s, arg_AMOMINU *a) { return amo(s, a, IR_AUMIN); }
bool rv_trans_AMOMAXU(DisasContext *s, arg_AMOMAXU *a) { return amo(s, a, IR_AUMAX); }
