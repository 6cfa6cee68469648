/*
 * Ends a unit that jumps back to its own start behind the last such jump. The loop's registers are kept in host
 * registers for the whole unit; code behind the loop would compete for them and lengthen the way out.
 */
#include "tcg/build.h"

/* Is the slot written before it is read behind r, as far as the unit goes? */
static bool is_dead_behind(const struct ir_unit *u, ir_ref r, unsigned slot)
{
    for (r++; r < u->n; r++) {
        const struct ir_inst *in = &u->inst[r];
        if (in->op == IR_PUT && in->ir_slot_ == slot)
            return true;
        if (in->op == IR_GET && in->ir_slot_ == slot)
            return false;
        if (ir_ops[in->op].props & (IR_P_SIDE_EXIT | IR_P_EXIT))
            return in->op != IR_GOTO_IND && in->op != IR_TRAP && in->ir_dead == slot + 1;
    }
    return false;
}

void b_end_loop(struct ir_builder *b)
{
    struct ir_unit *u = b->u;
    ir_ref last = IR_NONE;
    for (ir_ref r = 1; r < u->n; r++)
        if (u->inst[r].op == IR_GOTO_IF && (uint64_t)u->inst[r].imm == u->pc)
            last = r;
    if (last == IR_NONE || u->inst[last + 1].op != IR_INSN)
        return;
    uint64_t next = u->inst[last + 1].imm;
    unsigned dead = u->inst[last].ir_dead;
    if (dead && !is_dead_behind(u, last, dead - 1))
        dead = 0;
    u->inst[last + 1] = (struct ir_inst){.op = IR_GOTO, .ir_sub = JUMP_PLAIN, .imm = next, .ir_dead = dead};
    u->n = last + 2;
}
