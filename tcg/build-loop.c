/*
 * Where units end. Quick ones end behind their first conditional exit: only what runs is translated. Others that jump back
 * to their own start end behind the last such jump: the loop's registers are kept in host registers for the whole
 * unit; code behind the loop would compete for them and lengthen the way out.
 */
#include "tcg/build-internal.h"

enum {
    REGION_BYTES = 3072, /* from the start to the last label: with the last stretch a unit is within 4096 bytes */
    REGION_GAP = 1024,   /* of code that is not part of the region */
};

bool b_breaks_at(const struct ir_builder *b, uint64_t pc) { return b->breaks_at && b->breaks_at(b->breaks, pc); }

bool b_ends_here(const struct ir_builder *b, uint64_t pc)
{
    if (UNLIKELY(b_breaks_at(b, pc)))
        return true;
    if (b->region && b->region->known && pc == b->region->end)
        return true;
    return b->quick && b->u->inst[b->u->n - 1].op == IR_GOTO_IF;
}

bool b_end_loop(struct ir_builder *b, uint64_t *next)
{
    struct ir_unit *u = b->u;
    ir_ref last = IR_NONE;
    if (b->quick || b->region)
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

/* --- regions --- */

void b_note_jump(struct ir_builder *b, const struct ir_inst *in)
{
    struct region *g = b->region;
    if (!g || g->known || (in->op == IR_GOTO && in->ir_sub != JUMP_PLAIN))
        return;
    uint64_t to = in->imm, start = b->u->pc, from = b->u->inst[b->last_pc_inst].imm;
    if (to - start > REGION_BYTES)
        return;
    if (to == start) {
        g->loop = true;
        g->last = from;
        return;
    }
    for (unsigned i = 0; i < g->n; i++)
        if (g->target[i] == to)
            return;
    if (g->n < REGION_TARGETS) {
        g->target[g->n] = to;
        g->from[g->n++] = from;
    }
}

bool b_goes_on(struct ir_builder *b, uint64_t *pc)
{
    struct region *g = b->region;
    const struct ir_inst *last = &b->u->inst[b->u->n - 1];
    uint64_t next = UINT64_MAX;
    if (last->op == IR_GOTO_IND && last->ir_sub == JUMP_PLAIN) /* a switch: its cases come from elsewhere */
        return false;
    for (unsigned i = 0; g && i < g->n; i++)
        if (g->target[i] >= *pc && g->target[i] < next)
            next = g->target[i];
    if (next == UINT64_MAX || next - *pc > REGION_GAP || (g->known && next >= g->end))
        return false;
    *pc = next;
    g->went_on = true;
    b_forget(b);
    return true;
}

/* Index of the INSN at pc, or IR_NONE: no guest instruction of the unit begins there. */
static ir_ref find_insn(const struct ir_unit *u, uint64_t pc)
{
    for (ir_ref r = 1; r < u->n; r++)
        if (u->inst[r].op == IR_INSN && (uint64_t)u->inst[r].imm == pc)
            return r;
    return IR_NONE;
}

/* The end: in front of the instruction that follows the last one that jumps to the start. */
static uint64_t region_end(const struct ir_unit *u, uint64_t last)
{
    for (ir_ref r = find_insn(u, last) + 1; r < u->n; r++)
        if (u->inst[r].op == IR_INSN)
            return u->inst[r].imm;
    return UINT64_MAX;
}

bool b_find_region(struct ir_builder *b)
{
    struct region *g = b->region;
    unsigned n = 0;
    g->known = true;
    if (g->loop) {
        g->end = region_end(b->u, g->last);
        for (unsigned i = 0; i < g->n; i++)
            if (g->from[i] < g->end && g->target[i] < g->end && find_insn(b->u, g->target[i]) != IR_NONE)
                g->target[n++] = g->target[i];
    }
    g->n = n;
    if (!g->loop)
        b->region = NULL; /* a straight line after all */
    return g->loop || g->went_on;
}
