/* The functions front ends call, one per way an instruction is written; all end in b_emit(). */
#include "tcg/build-internal.h"

#include "base/log.h"

ir_ref b_op1(struct ir_builder *b, enum ir_op op, enum ir_type t, ir_ref a)
{
    return b_emit(b, (struct ir_inst){.op = op, .type = t, .arg = {a}});
}

ir_ref b_op2(struct ir_builder *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y)
{
    return b_emit(b, (struct ir_inst){.op = op, .type = t, .arg = {x, y}});
}

ir_ref b_op3(struct ir_builder *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y, ir_ref z)
{
    return b_emit(b, (struct ir_inst){.op = op, .type = t, .arg = {x, y, z}});
}

/* --- integer --- */

ir_ref b_add(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y) { return b_op2(b, IR_ADD, t, x, y); }
ir_ref b_sub(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y) { return b_op2(b, IR_SUB, t, x, y); }
ir_ref b_and(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y) { return b_op2(b, IR_AND, t, x, y); }
ir_ref b_or(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y) { return b_op2(b, IR_OR, t, x, y); }
ir_ref b_xor(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y) { return b_op2(b, IR_XOR, t, x, y); }
ir_ref b_shl(struct ir_builder *b, enum ir_type t, ir_ref x, ir_ref y) { return b_op2(b, IR_SHL, t, x, y); }

ir_ref b_addi(struct ir_builder *b, enum ir_type t, ir_ref x, int64_t i)
{
    return b_op2(b, IR_ADD, t, x, b_const(b, t, i));
}

ir_ref b_shli(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned n)
{
    return b_op2(b, IR_SHL, t, x, b_const(b, t, n));
}

ir_ref b_shri(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned n)
{
    return b_op2(b, IR_SHR, t, x, b_const(b, t, n));
}

ir_ref b_sari(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned n)
{
    return b_op2(b, IR_SAR, t, x, b_const(b, t, n));
}

ir_ref b_zext(struct ir_builder *b, ir_ref x) { return b_op1(b, IR_ZEXT, IR_I64, x); }
ir_ref b_sext(struct ir_builder *b, ir_ref x) { return b_op1(b, IR_SEXT, IR_I64, x); }
ir_ref b_trunc(struct ir_builder *b, ir_ref x) { return b_op1(b, IR_TRUNC, IR_I32, x); }

ir_ref b_ubfx(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned pos, unsigned len)
{
    return b_emit(b, (struct ir_inst){.op = IR_UBFX, .type = t, .arg = {x}, .imm = pos, .imm2 = len});
}

ir_ref b_sbfx(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned pos, unsigned len)
{
    return b_emit(b, (struct ir_inst){.op = IR_SBFX, .type = t, .arg = {x}, .imm = pos, .imm2 = len});
}

ir_ref b_deposit(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned pos, unsigned len, ir_ref field)
{
    return b_emit(b, (struct ir_inst){.op = IR_DEPOSIT, .type = t, .arg = {x, field}, .imm = pos, .imm2 = len});
}

ir_ref b_setcc(struct ir_builder *b, enum ir_cc cc, enum ir_type t, ir_ref x, ir_ref y)
{
    return b_emit(b, (struct ir_inst){.op = IR_SETCC, .type = IR_I32, .type2 = t, .cc = cc, .arg = {x, y}});
}

ir_ref b_selcc(struct ir_builder *b, enum ir_type t, enum ir_cc cc, enum ir_type tc, ir_ref x, ir_ref y, ir_ref v,
               ir_ref w)
{
    return b_emit(b, (struct ir_inst){.op = IR_SELCC, .type = t, .type2 = tc, .cc = cc, .arg = {x, y, v, w}});
}

/* --- memory --- */

static bool fits_disp(int64_t d) { return d == (int32_t)d; }

/*
 * Moves what an addressing mode can do out of the address values: constants added to base or index, a base of the
 * form x + (y << k) when there is no index yet, and a shifted index.
 */
static void fold_address(struct ir_builder *b, struct ir_inst *in, ir_ref base, ir_ref index, unsigned scale,
                         int64_t disp)
{
    bool again;
    do {
        const struct ir_inst *x = &b->u->inst[base];
        uint64_t c;
        again = false;
        if (index != IR_NONE) {
            const struct ir_inst *i = &b->u->inst[index];
            int64_t sum;
            if (b_is_const(b, index, &c) && fits_disp(sum = (int64_t)((uint64_t)disp + (c << scale)))) {
                disp = sum;
                index = IR_NONE;
                scale = 0;
                again = true;
            } else if (i->op == IR_SHL && b_is_const(b, i->arg[1], &c) && c + scale <= 3) {
                index = i->arg[0];
                scale += c;
                again = true;
            } else if (i->op == IR_ADD && b_is_const(b, i->arg[1], &c) &&
                       fits_disp(sum = (int64_t)((uint64_t)disp + (c << scale)))) {
                index = i->arg[0];
                disp = sum;
                again = true;
            }
        }
        if (x->op != IR_ADD)
            continue;
        if (b_is_const(b, x->arg[1], &c)) {
            int64_t sum = (int64_t)((uint64_t)disp + c);
            if (fits_disp(sum)) {
                base = x->arg[0];
                disp = sum;
                again = true;
            }
        } else if (index == IR_NONE) {
            for (unsigned k = 0; k < 2; k++) {
                const struct ir_inst *y = &b->u->inst[x->arg[k]];
                if (y->op == IR_SHL && b_is_const(b, y->arg[1], &c) && c <= 3) {
                    base = x->arg[1 - k];
                    index = y->arg[0];
                    scale = c;
                    again = true;
                    break;
                }
            }
        }
    } while (again);
    if (!fits_disp(disp)) {
        base = b_addi(b, IR_I64, base, disp);
        disp = 0;
    }
    in->arg[0] = base;
    in->arg[1] = index;
    in->ir_scale = index == IR_NONE ? 0 : scale;
    in->imm = disp;
}

ir_ref b_load(struct ir_builder *b, enum ir_type t, unsigned mem, ir_ref base, ir_ref index, unsigned scale,
              int64_t disp)
{
    struct ir_inst in = {.op = IR_LD, .type = t, .mem = mem, .arg = {base}};
    if (!(mem & MEM_ALIGN))
        fold_address(b, &in, base, index, scale, disp);
    return b_emit(b, in);
}

void b_store(struct ir_builder *b, enum ir_type t, unsigned mem, ir_ref base, ir_ref index, unsigned scale,
             int64_t disp, ir_ref value)
{
    struct ir_inst in = {.op = IR_ST, .type = t, .mem = mem, .arg = {base}};
    if (!(mem & MEM_ALIGN))
        fold_address(b, &in, base, index, scale, disp);
    in.arg[2] = value;
    b_emit(b, in);
}

void b_fence(struct ir_builder *b, enum ir_fence kind)
{
    b_emit(b, (struct ir_inst){.op = IR_FENCE, .ir_sub = kind});
}

ir_ref b_atomic(struct ir_builder *b, enum ir_op op, enum ir_type t, unsigned mem, ir_ref addr, ir_ref v)
{
    return b_emit(b, (struct ir_inst){.op = op, .type = t, .mem = mem, .arg = {addr, v}});
}

ir_ref b_cas(struct ir_builder *b, enum ir_type t, unsigned mem, ir_ref addr, ir_ref expected, ir_ref desired)
{
    return b_emit(b, (struct ir_inst){.op = IR_CAS, .type = t, .mem = mem, .arg = {addr, expected, desired}});
}

/* --- leaving --- */

void b_goto(struct ir_builder *b, uint64_t pc)
{
    b_emit(b, (struct ir_inst){.op = IR_GOTO, .ir_sub = JUMP_PLAIN, .imm = pc});
}

void b_call_to(struct ir_builder *b, uint64_t pc, uint64_t return_pc)
{
    b_emit(b, (struct ir_inst){.op = IR_GOTO, .ir_sub = JUMP_CALL, .imm = pc, .imm2 = return_pc});
}

void b_goto_if(struct ir_builder *b, enum ir_cc cc, enum ir_type t, ir_ref x, ir_ref y, uint64_t pc)
{
    b_emit(b, (struct ir_inst){.op = IR_GOTO_IF, .type2 = t, .cc = cc, .arg = {x, y}, .imm = pc});
}

void b_leave_if(struct ir_builder *b, enum ir_cc cc, enum ir_type t, ir_ref x, ir_ref y, uint64_t pc)
{
    struct region *region = b->region;
    b->region = NULL; /* which takes note of jumps */
    b_goto_if(b, cc, t, x, y, pc);
    b->region = region;
}

void b_exit_dead(struct ir_builder *b, unsigned slot)
{
    if (b->last_exit != IR_NONE)
        b->u->inst[b->last_exit].ir_dead = slot + 1;
}

void b_goto_ind(struct ir_builder *b, ir_ref target, enum ir_jump kind, uint64_t return_pc)
{
    uint64_t likely;
    if (kind == JUMP_PLAIN && b_likely_target(b, target, &likely))
        b_goto_if(b, CC_EQ, IR_I64, target, b_i64(b, likely), likely);
    b_emit(b, (struct ir_inst){.op = IR_GOTO_IND, .ir_sub = kind, .arg = {target}, .imm2 = return_pc});
}

void b_trap(struct ir_builder *b, unsigned reason, uint64_t pc, uint64_t detail)
{
    b_emit(b, (struct ir_inst){.op = IR_TRAP, .ir_sub = reason, .imm = pc, .imm2 = detail});
}

/* --- helpers --- */

ir_ref b_call(struct ir_builder *b, const struct ir_helper *h, const ir_ref *args)
{
    struct ir_inst in = {.op = IR_CALL, .helper = h};
    in.type = ir_result_type(&in);
    unsigned n = ir_nargs(&in);
    CHECK(n <= IR_CALL_ARGS);
    for (unsigned k = 0; k < n; k++)
        in.arg[k] = args[k];
    return b_emit(b, in);
}

/* --- vectors --- */

ir_ref b_v1(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x)
{
    return b_v1i(b, op, lane, x, 0);
}

ir_ref b_v2(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x, ir_ref y)
{
    return b_v2i(b, op, lane, x, y, 0);
}

ir_ref b_v3(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x, ir_ref y, ir_ref z)
{
    return b_emit(b, (struct ir_inst){.op = op, .type = IR_V128, .ir_lane_ = lane, .arg = {x, y, z}});
}

ir_ref b_v1i(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x, int64_t imm)
{
    return b_emit(b, (struct ir_inst){.op = op, .type = IR_V128, .ir_lane_ = lane, .arg = {x}, .imm = imm});
}

ir_ref b_v2i(struct ir_builder *b, enum ir_op op, enum ir_lane lane, ir_ref x, ir_ref y, int64_t imm)
{
    return b_emit(b, (struct ir_inst){.op = op, .type = IR_V128, .ir_lane_ = lane, .arg = {x, y}, .imm = imm});
}

ir_ref b_vlow(struct ir_builder *b, enum ir_type t, ir_ref x)
{
    return b_op1(b, IR_VLOW, t, x);
}

ir_ref b_vzext(struct ir_builder *b, enum ir_type from, ir_ref x)
{
    return b_emit(b, (struct ir_inst){.op = IR_VZEXT, .type = IR_V128, .type2 = from, .arg = {x}});
}

ir_ref b_vdup(struct ir_builder *b, enum ir_lane lane, ir_ref x)
{
    enum ir_type from = lane == LANE_D ? IR_I64 : IR_I32;
    return b_emit(b, (struct ir_inst){.op = IR_VDUP, .type = IR_V128, .type2 = from, .ir_lane_ = lane, .arg = {x}});
}

ir_ref b_vget(struct ir_builder *b, enum ir_type t, enum ir_lane lane, ir_ref x, unsigned i, bool sign)
{
    return b_emit(b,
                  (struct ir_inst){.op = IR_VGET, .type = t, .ir_lane_ = lane, .ir_sub = sign, .arg = {x}, .imm = i});
}

ir_ref b_vset(struct ir_builder *b, enum ir_lane lane, ir_ref x, unsigned i, ir_ref v)
{
    enum ir_type from = lane == LANE_D ? IR_I64 : IR_I32;
    return b_emit(b, (struct ir_inst){
                         .op = IR_VSET, .type = IR_V128, .type2 = from, .ir_lane_ = lane, .arg = {x, v}, .imm = i});
}

/* --- sticky floating-point flags --- */

ir_ref b_fflags(struct ir_builder *b)
{
    return b_emit(b, (struct ir_inst){.op = IR_FFLAGS});
}

void b_fsetflags(struct ir_builder *b, ir_ref flags)
{
    b_emit(b, (struct ir_inst){.op = IR_FSETFLAGS, .arg = {flags}});
}

/* --- conversions --- */

ir_ref b_frint(struct ir_builder *b, enum ir_type t, ir_ref x, unsigned rm, bool quiet_inexact)
{
    return b_emit(b, (struct ir_inst){.op = IR_FRINT, .type = t, .ir_rm = rm, .ir_sub = quiet_inexact, .arg = {x}});
}

ir_ref b_ftoi(struct ir_builder *b, bool is_signed, enum ir_type to, enum ir_type from, ir_ref x, unsigned rm)
{
    return b_emit(b, (struct ir_inst){.op = is_signed ? IR_FTOS : IR_FTOU, .type = to, .type2 = from, .ir_rm = rm,
                                      .arg = {x}});
}

ir_ref b_itof(struct ir_builder *b, bool is_signed, enum ir_type to, enum ir_type from, ir_ref x)
{
    return b_emit(b, (struct ir_inst){.op = is_signed ? IR_STOF : IR_UTOF, .type = to, .type2 = from, .arg = {x}});
}

ir_ref b_bitcast(struct ir_builder *b, enum ir_type to, enum ir_type from, ir_ref x)
{
    return b_emit(b, (struct ir_inst){.op = IR_BITCAST, .type = to, .type2 = from, .arg = {x}});
}
