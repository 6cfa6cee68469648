/*
 * Where units end. Quick ones end behind their first conditional exit: only what runs is translated. Others that jump
 * back to their own start end behind the last such jump: the loop's registers are kept in host registers for the whole
 * unit; code behind the loop would compete for them and lengthen the way out.
 */
#include "tcg/build-internal.h"

enum {
    REGION_BYTES = 3072, /* from the start to the last label: with the last stretch a unit is within 4096 bytes */
    REGION_GAP = 1024,   /* of code that is not part of the region */
};

bool b_breaks_at(const struct ir_builder *b, uint64_t pc) { return b->breaks_at && b->breaks_at(b->breaks, pc); }

static enum region_heat heat_at(const struct ir_builder *b, uint64_t pc)
{
    return b_breaks_at(b, pc) ? HEAT_COLD : b->region->heat(b->region->profile, pc);
}

static bool is_target(const struct region *g, uint64_t pc)
{
    for (unsigned i = 0; i < g->n; i++)
        if (g->target[i] == pc)
            return true;
    return false;
}

static bool is_left(const struct region *g, uint64_t pc)
{
    for (unsigned i = 0; i < g->nleft; i++)
        if (g->left[i] == pc)
            return true;
    return false;
}

/* Does the latest instruction, any part of it, leave the unit on a condition? */
static bool may_exit(const struct ir_unit *u, ir_ref insn)
{
    for (ir_ref r = insn + 1; r < u->n; r++)
        if (u->inst[r].op == IR_GOTO_IF)
            return true;
    return false;
}

bool b_ends_here(const struct ir_builder *b, uint64_t pc)
{
    const struct region *g = b->region;
    bool branched = b->u->inst[b->u->n - 1].op == IR_GOTO_IF;
    if (UNLIKELY(b_breaks_at(b, pc)))
        return true;
    if (b->back)
        return false;
    if (g && g->known && (pc == g->end || is_left(g, pc)))
        return true;
    if (g && g->function && branched && !is_target(g, pc) && heat_at(b, pc) == HEAT_COLD)
        return true;
    if (UNLIKELY(b->counted) && may_exit(b->u, b->last_pc_inst))
        return true;
    return b->quick && branched;
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

static void add_target(struct region *g, uint64_t from, uint64_t to)
{
    if (!is_target(g, to) && g->n < REGION_TARGETS) {
        g->target[g->n] = to;
        g->from[g->n++] = from;
    }
}

/* Where the instruction leads: a jump's target, the return address of a call; UINT64_MAX: not known. */
static uint64_t leads_to(const struct ir_inst *in)
{
    bool jump = in->op == IR_GOTO_IF || (in->op == IR_GOTO && in->ir_sub == JUMP_PLAIN);
    bool call = (in->op == IR_GOTO || in->op == IR_GOTO_IND) && in->ir_sub == JUMP_CALL;
    return jump ? (uint64_t)in->imm : call ? (uint64_t)in->imm2 : UINT64_MAX;
}

void b_note_jump(struct ir_builder *b, const struct ir_inst *in)
{
    struct region *g = b->region;
    if (!g || g->known || b->back || (!g->function && in->op != IR_GOTO_IF && in->ir_sub != JUMP_PLAIN))
        return;
    uint64_t to = leads_to(in), start = b->u->pc, from = b->u->inst[b->last_pc_inst].imm;
    if (to - start > REGION_BYTES)
        return;
    if (to == start) {
        g->loop = true;
        g->last = from;
    } else if (!g->function || heat_at(b, to) != HEAT_COLD) {
        add_target(g, from, to);
    }
}

/* The nearest target from pc on; UINT64_MAX: none. */
static uint64_t next_target(const struct region *g, uint64_t pc)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; g && i < g->n; i++)
        if (g->target[i] >= pc && g->target[i] < next)
            next = g->target[i];
    return next;
}

/*
 * True if what has just ended leads to the instruction that follows now: without a jump, or by the branch the other way
 * round.
 */
static bool fall_through(struct ir_unit *u, uint64_t next)
{
    struct ir_inst *last = &u->inst[u->n - 1], *branch = &u->inst[u->n - 2];
    if (last->op != IR_GOTO || last->ir_sub != JUMP_PLAIN)
        return false;
    if ((uint64_t)last->imm == next) {
        u->n--;
        return true;
    }
    if (branch->op == IR_GOTO_IF && (uint64_t)branch->imm == next) {
        branch->cc ^= 1;
        branch->imm = last->imm;
        branch->ir_dead = last->ir_dead;
        u->n--;
        return true;
    }
    return false;
}

/* Nothing else leads to the target: it needs no label, and values are known behind it as in front. */
static bool goes_straight(struct region *g, uint64_t target)
{
    for (unsigned i = 0; i < g->n; i++)
        if (g->target[i] == target && g->known && g->sources[i] == 1) {
            g->n--;
            g->target[i] = g->target[g->n];
            g->sources[i] = g->sources[g->n];
            return true;
        }
    return false;
}

bool b_goes_on(struct ir_builder *b, uint64_t *pc)
{
    struct region *g = b->region;
    const struct ir_inst *last = &b->u->inst[b->u->n - 1];
    if (!g)
        return false;
    if (!g->function) {
        if (last->op == IR_GOTO_IND && last->ir_sub == JUMP_PLAIN) /* a switch: its cases come from elsewhere */
            return false;
        g->calls |= g->heat && !g->known && last->ir_sub == JUMP_CALL && leads_to(last) - b->u->pc <= REGION_BYTES &&
                    heat_at(b, leads_to(last)) != HEAT_COLD;
        if (g->calls) /* that will be seen the next time */
            return false;
    }
    uint64_t next = next_target(g, *pc);
    if (next == UINT64_MAX || (!g->function && next - *pc > REGION_GAP) || (g->known && next >= g->end))
        return false;
    bool straight = g->function && fall_through(b->u, next) && goes_straight(g, next);
    *pc = next;
    g->went_on = true;
    if (!straight)
        b_forget(b);
    return true;
}

bool b_resumes(struct ir_builder *b, uint64_t *pc)
{
    return b->region && b->region->function && b_goes_on(b, pc);
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

static bool *target_flag(const struct region *g, bool *flags, uint64_t pc)
{
    for (unsigned i = 0; i < g->n; i++)
        if (g->target[i] == pc)
            return &flags[i];
    return NULL;
}

/* Loops that have hot units of their own are left to those: they have registers for themselves. */
static void leave_loops(struct ir_builder *b)
{
    struct region *g = b->region;
    uint64_t pc = b->u->pc;
    for (ir_ref r = 1; r < b->u->n; r++) {
        const struct ir_inst *in = &b->u->inst[r];
        uint64_t to = leads_to(in);
        if (in->op == IR_INSN)
            pc = in->imm;
        else if (to <= pc && to > b->u->pc && !is_left(g, to) && g->nleft < REGION_LEFT && heat_at(b, to) == HEAT_DONE)
            g->left[g->nleft++] = to;
    }
}

/* Marks the targets of what can be reached from the start. True: some are new. */
static bool reach(const struct ir_unit *u, const struct region *g, bool *reached)
{
    bool here = true, more = false;
    for (ir_ref r = 1; r < u->n; r++) {
        const struct ir_inst *in = &u->inst[r];
        if (in->op == IR_INSN) {
            bool *flag = target_flag(g, reached, in->imm);
            here = (here || (flag && *flag)) && !is_left(g, in->imm);
            if (here && flag && !*flag)
                more = *flag = true;
        }
        bool *flag = here ? target_flag(g, reached, leads_to(in)) : NULL;
        if (flag && !*flag && !is_left(g, leads_to(in)))
            more = *flag = true;
        here &= !(ir_facts[in->op].props & IR_P_EXIT);
    }
    return more;
}

static void add_source(struct region *g, uint64_t pc, unsigned n)
{
    for (unsigned i = 0; i < g->n; i++)
        if (g->target[i] == pc)
            g->sources[i] = g->sources[i] + n < MANY_SOURCES ? g->sources[i] + n : MANY_SOURCES;
}

/* Of the targets that are left, how many ways lead there. */
static void count_sources(const struct ir_unit *u, struct region *g)
{
    bool here = true;
    memset(g->sources, 0, sizeof g->sources);
    for (ir_ref r = 1; r < u->n; r++) {
        const struct ir_inst *in = &u->inst[r];
        if (in->op == IR_INSN) {
            if (here)
                add_source(g, in->imm, 1);
            here = (here || is_target(g, in->imm)) && !is_left(g, in->imm);
        }
        if (here)
            add_source(g, leads_to(in), in->op == IR_GOTO_IF || in->ir_sub == JUMP_PLAIN ? 1 : MANY_SOURCES);
        here &= !(ir_facts[in->op].props & IR_P_EXIT);
    }
}

static bool find_function(struct ir_builder *b)
{
    struct region *g = b->region;
    bool reached[REGION_TARGETS] = {0};
    unsigned n = 0;
    g->known = true;
    g->end = UINT64_MAX;
    leave_loops(b);
    while (reach(b->u, g, reached))
        ;
    for (unsigned i = 0; i < g->n; i++)
        if (reached[i] && find_insn(b->u, g->target[i]) != IR_NONE)
            g->target[n++] = g->target[i];
    g->n = n;
    count_sources(b->u, g);
    return n || g->went_on || g->nleft;
}

bool b_find_region(struct ir_builder *b)
{
    struct region *g = b->region;
    unsigned n = 0;
    if (!g || g->known)
        return false;
    if (g->function)
        return find_function(b);
    if (g->heat && (g->calls || (!g->loop && g->n))) {
        g->function = true;
        g->n = 0;
        g->loop = g->went_on = false;
        return true;
    }
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

/* --- small functions --- */

enum { LEAF_REACH = 1 << 30 }; /* tables of the unit hold distances of 32 bits */

bool b_enter_leaf(struct ir_builder *b, uint64_t pc, uint32_t bytes, uint64_t back)
{
    struct ir_unit *u = b->u;
    unsigned i = 0;
    while (i < u->ninlined && u->inlined[i].pc != pc)
        i++;
    if (i == IR_MAX_INLINED || pc - u->pc + LEAF_REACH > 2 * (uint64_t)LEAF_REACH)
        return false;
    if (i == u->ninlined)
        u->inlined[u->ninlined++] = (struct ir_range){pc, bytes};
    b->back = back;
    return true;
}

bool b_leave_leaf(struct ir_builder *b, ir_ref target, uint64_t *pc)
{
    uint64_t to;
    if (!b->back || !b_is_const(b, target, &to) || to != b->back)
        return false;
    b_abandon_leaf(b, pc);
    return true;
}

void b_abandon_leaf(struct ir_builder *b, uint64_t *pc)
{
    if (b->back)
        *pc = b->back;
    b->back = 0;
}

/* The value that the instruction had if it were at the start of the unit now. */
static bool value_now(const struct ir_builder *b, ir_ref r, unsigned depth, uint64_t *v)
{
    const struct region *g = b->region;
    const struct ir_inst *in = &b->u->inst[r];
    uint64_t x, y = 0;
    if (b_is_const(b, r, v))
        return true;
    if (!depth || in->type != IR_I64)
        return false;
    switch (in->op) {
    case IR_GET: *v = g->slot(g->profile, in->ir_slot_); return true;
    case IR_ADD:
    case IR_AND:
        if (!value_now(b, in->arg[0], depth - 1, &x) || !value_now(b, in->arg[1], depth - 1, &y))
            return false;
        *v = in->op == IR_ADD ? x + y : x & y;
        return true;
    case IR_LD:
        if (in->mem != MEM_64 || !value_now(b, in->arg[0], depth - 1, &x) ||
            (in->arg[1] != IR_NONE && !value_now(b, in->arg[1], depth - 1, &y)))
            return false;
        return g->peek(g->profile, x + (y << in->ir_scale) + in->imm, v);
    default: return false;
    }
}

bool b_expects(const struct ir_builder *b, ir_ref target, uint64_t pc, uint64_t *expected)
{
    enum { DEPTH = 8 };
    const struct region *g = b->region;
    return g->peek && g->slot && pc != b->u->pc && !is_target(g, pc) && value_now(b, target, DEPTH, expected);
}

/* --- likely targets --- */

bool b_likely_target(const struct ir_builder *b, ir_ref target, uint64_t *likely)
{
    const struct region *g = b->region;
    const struct ir_inst *in = &b->u->inst[target];
    uint64_t mask = UINT64_MAX, address;
    if (!g || !g->peek)
        return false;
    if (in->op == IR_AND && b_is_const(b, in->arg[1], &mask))
        in = &b->u->inst[in->arg[0]];
    if (in->op != IR_LD || in->type != IR_I64 || in->mem != MEM_64 || in->arg[1] != IR_NONE ||
        !b_is_const(b, in->arg[0], &address) || !g->peek(g->profile, address + in->imm, likely))
        return false;
    *likely &= mask;
    return *likely != 0;
}
