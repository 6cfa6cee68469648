/*
 * Removes what nobody sees. First, backwards, PUTs of a slot that is written again before anything can look at it:
 * a GET, an instruction that may fault (the state must be precise there), an exit, a helper that knows the state.
 * An exit that declares a slot dead does not look at that slot. Then, backwards, instructions without effects whose
 * value has no readers.
 */
#include "tcg/passes.h"

#include <stdlib.h>

#include "base/log.h"

enum { MAX_SLOTS = 256 };

static void remove_inst(struct ir_inst *in)
{
    *in = (struct ir_inst){.op = IR_NOP};
}

static bool sees_state(const struct ir_inst *in)
{
    if (in->op == IR_CALL)
        return in->helper->effects & (HELPER_READS_STATE | HELPER_WRITES_STATE | HELPER_FAULTS);
    return ir_facts[in->op].props & (IR_P_FAULT | IR_P_SIDE_EXIT | IR_P_EXIT);
}

static void dead_puts(struct ir_unit *u)
{
    /* Where this is `now` the slot's value here is never looked at: what sees all slots makes it another moment. */
    uint32_t unseen[MAX_SLOTS] = {0}, now = 1;
    for (ir_ref r = u->n; r-- > 1;) {
        struct ir_inst *in = &u->inst[r];
        if (in->op == IR_PUT) {
            if (unseen[in->ir_slot_] == now)
                remove_inst(in);
            else
                unseen[in->ir_slot_] = now;
        } else if (in->op == IR_GET) {
            unseen[in->ir_slot_] = 0;
        } else if (sees_state(in)) {
            bool exit = in->op == IR_GOTO || in->op == IR_GOTO_IF;
            bool dead = exit && in->ir_dead && (in->op == IR_GOTO || unseen[in->ir_dead - 1] == now);
            now++;
            if (dead)
                unseen[in->ir_dead - 1] = now;
        }
    }
}

static bool removable(const struct ir_inst *in)
{
    return in->op == IR_GET || in->op == IR_FFLAGS || (ir_props(in) & IR_P_PURE);
}

static void dead_values(struct ir_unit *u)
{
    uint8_t *read = calloc(u->n, 1);
    CHECK(read);
    for (ir_ref r = u->n; r-- > 1;) {
        struct ir_inst *in = &u->inst[r];
        if (in->op == IR_NOP)
            continue;
        if (!read[r] && removable(in)) {
            remove_inst(in);
            continue;
        }
        for (unsigned k = 0, n = ir_nargs(in); k < n; k++)
            read[in->arg[k]] = 1;
    }
    free(read);
}

void ir_pass_dead(struct ir_unit *u)
{
    CHECK(u->guest->nslots <= MAX_SLOTS);
    dead_puts(u);
    dead_values(u);
}
