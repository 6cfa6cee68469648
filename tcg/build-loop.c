/*
 * Where units end. Quick ones end behind their first conditional exit: only what runs is translated. Others that jump back
 * to their own start end behind the last such jump. The loop's registers are kept in host
 * registers for the whole unit; code behind the loop would compete for them and lengthen the way out.
 */
#include "tcg/build.h"

bool b_ends_here(const struct ir_builder *b)
{
    return b->quick && b->u->inst[b->u->n - 1].op == IR_GOTO_IF;
}

bool b_end_loop(struct ir_builder *b, uint64_t *next)
{
    struct ir_unit *u = b->u;
    ir_ref last = IR_NONE;
    if (b->quick)
        return false;
    for (ir_ref r = 1; r < u->n; r++)
        if (u->inst[r].op == IR_GOTO_IF && (uint64_t)u->inst[r].imm == u->pc)
            last = r;
    if (last == IR_NONE || u->inst[last + 1].op != IR_INSN)
        return false;
    *next = u->inst[last + 1].imm;
    u->inst[last + 1] = (struct ir_inst){.op = IR_GOTO, .ir_sub = JUMP_PLAIN, .imm = *next};
    u->n = last + 2;
    b->last_exit = last + 1;
    return true;
}
