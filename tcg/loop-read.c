/* Loops of vectors, first part: the stretch as expressions. A branch over assignments makes the values assigned there
 * choices. */
#include <stdlib.h>

#include "base/log.h"
#include "tcg/loop.h"

/* A branch whose target is further on in the stretch: what lies between is done if it is not taken. */
struct detour {
    ir_ref label; /* where it ends; IR_NONE: there is none */
    struct ir_inst in;
    node_ref arg[2];
    node_ref before[LOOP_SLOTS]; /* values at the branch */
};

struct reader {
    struct loop *l;
    node_ref *of;             /* node of each instruction */
    node_ref now[LOOP_SLOTS]; /* value of each slot, 0: none read or written yet */
    struct detour detour;
    bool stored, full;
};

static node_ref new_node(struct reader *r, const struct ir_inst *in)
{
    struct loop *l = r->l;
    if (l->n == LOOP_NODES) {
        r->full = true;
        return 0;
    }
    l->node[l->n] = (struct node){.in = *in};
    return l->n++;
}

static struct loop_slot *use_slot(struct loop *l, unsigned s)
{
    for (unsigned i = 0; i < l->nslots; i++)
        if (l->used[i] == s)
            return &l->slot[s];
    l->used[l->nslots++] = s;
    return &l->slot[s];
}

static node_ref get(struct reader *r, unsigned s)
{
    struct loop_slot *slot = use_slot(r->l, s);
    if (r->now[s])
        return r->now[s];
    if (!slot->first)
        slot->first = new_node(r, &(struct ir_inst){.op = IR_GET, .type = IR_I64, .ir_slot_ = s});
    return r->now[s] = slot->first;
}

static void put(struct reader *r, unsigned s, node_ref v)
{
    use_slot(r->l, s)->last = v;
    r->now[s] = v;
}

static bool is_integer(unsigned t) { return t == IR_I32 || t == IR_I64; }

/* The instruction as a node; its operands' nodes are known, or it reads constants from before the loop. */
static bool operands(struct reader *r, const struct ir_inst *in, node_ref *arg)
{
    for (unsigned k = 0, n = ir_nargs(in); k < n; k++) {
        const struct ir_inst *a = &r->l->u->inst[in->arg[k]];
        if (in->arg[k] == IR_NONE)
            continue; /* no index */
        if (!r->of[in->arg[k]] && a->op == IR_CONST && is_integer(a->type))
            r->of[in->arg[k]] = new_node(r, a);
        arg[k] = r->of[in->arg[k]];
        if (!arg[k])
            return false;
    }
    return true;
}

static bool value(struct reader *r, ir_ref at, const struct ir_inst *in)
{
    node_ref arg[IR_MAX_ARGS] = {0};
    if (!is_integer(ir_result_type(in)) || !operands(r, in, arg))
        return false;
    node_ref n = r->of[at] = new_node(r, in);
    if (n)
        memcpy(r->l->node[n].arg, arg, sizeof arg);
    return n;
}

static bool access(struct reader *r, ir_ref at, const struct ir_inst *in)
{
    struct loop *l = r->l;
    unsigned size = in->mem & MEM_SIZE;
    if (!is_integer(in->type) || size > 3 || in->mem & ~(MEM_SIZE | MEM_SIGN) || r->detour.label != IR_NONE ||
        l->naccesses == LOOP_ACCESSES)
        return false;
    node_ref arg[IR_MAX_ARGS] = {0};
    node_ref n = operands(r, in, arg) ? new_node(r, in) : 0;
    if (!n)
        return false;
    memcpy(l->node[n].arg, arg, sizeof arg);
    r->of[at] = n;
    bool store = in->op == IR_ST;
    l->access[l->naccesses++] = (struct access){.node = n, .store = store, .after_store = r->stored, .size = 1 << size};
    r->stored |= store;
    return true;
}

static ir_ref find_label(const struct ir_unit *u, uint64_t pc)
{
    for (ir_ref r = 1; r < u->n; r++)
        if (u->inst[r].op == IR_LABEL && (uint64_t)u->inst[r].imm == pc)
            return r;
    return IR_NONE;
}

/* Does only this jump lead to the label? */
static bool only_jump(const struct ir_unit *u, ir_ref jump)
{
    for (ir_ref r = 1; r < u->n; r++)
        if ((u->inst[r].op == IR_GOTO_IF || u->inst[r].op == IR_GOTO) && u->inst[r].imm == u->inst[jump].imm &&
            r != jump)
            return false;
    return true;
}

static bool begin_detour(struct reader *r, ir_ref at, const struct ir_inst *in)
{
    struct detour *d = &r->detour;
    ir_ref label = find_label(r->l->u, in->imm);
    if (in->cc >= CC_FOEQ || d->label != IR_NONE || label <= at || label > r->l->back || !only_jump(r->l->u, at) ||
        !operands(r, in, d->arg))
        return false;
    d->label = label;
    d->in = *in;
    memcpy(d->before, r->now, sizeof d->before);
    return true;
}

static bool end_detour(struct reader *r, ir_ref at)
{
    struct detour *d = &r->detour;
    if (d->label != at)
        return false;
    for (unsigned i = 0; i < r->l->nslots; i++) {
        unsigned s = r->l->used[i];
        node_ref with = r->now[s];
        if (with == d->before[s] || !r->l->slot[s].last || with == r->l->slot[s].first)
            continue;
        if (r->l->u->guest->slots[s].type != IR_I64)
            return false;
        r->now[s] = d->before[s];
        node_ref without = get(r, s);
        node_ref n =
            new_node(r, &(struct ir_inst){.op = IR_SELCC, .type = IR_I64, .type2 = d->in.type2, .cc = d->in.cc});
        memcpy(r->l->node[n].arg, (node_ref[]){d->arg[0], d->arg[1], without, with}, sizeof r->l->node[n].arg);
        put(r, s, n);
    }
    d->label = IR_NONE;
    return true;
}

static bool instruction(struct reader *r, ir_ref at)
{
    const struct ir_inst *in = &r->l->u->inst[at];
    switch (in->op) {
    case IR_NOP:
    case IR_INSN: return true;
    case IR_LABEL: return end_detour(r, at);
    case IR_GET:
        if (in->type != IR_I64 && !r->now[in->ir_slot_]) /* flags of the former round */
            return false;
        r->of[at] = get(r, in->ir_slot_);
        return true;
    case IR_PUT:
        if (!is_integer(in->type) || (!r->of[in->arg[0]] && !value(r, in->arg[0], &r->l->u->inst[in->arg[0]])))
            return false;
        put(r, in->ir_slot_, r->of[in->arg[0]]);
        return true;
    case IR_LD:
    case IR_ST: return access(r, at, in);
    case IR_GOTO_IF: return begin_detour(r, at, in);
    default: return ir_props(in) & IR_P_PURE && value(r, at, in);
    }
}

/* The jump back: nothing follows it that needs a value, but for the next instruction's address. */
static bool read_back(struct reader *r)
{
    struct loop *l = r->l;
    const struct ir_inst *in = &l->u->inst[l->back], *next = in + 1;
    while (next->op == IR_NOP)
        next++;
    bool plain = next->op == IR_INSN || next->op == IR_LABEL || (next->op == IR_GOTO && next->ir_sub == JUMP_PLAIN);
    if (r->detour.label != IR_NONE || in->cc >= CC_FOEQ || !plain || !operands(r, in, l->compared))
        return false;
    l->cc = in->cc;
    l->type = in->type2;
    l->exit = next->imm;
    return true;
}

/* Is the stretch entered from above? */
static bool falls_in(const struct ir_unit *u, ir_ref label)
{
    while (--label > 0)
        if (u->inst[label].op != IR_NOP)
            return !(ir_props(&u->inst[label]) & IR_P_EXIT);
    return true;
}

static void use(struct loop *l, node_ref n)
{
    if (n && !l->node[n].uses++)
        for (unsigned k = 0; k < IR_MAX_ARGS; k++)
            use(l, l->node[n].arg[k]);
}

static void count_uses(struct loop *l)
{
    for (unsigned i = 0; i < l->naccesses; i++)
        use(l, l->access[i].node);
    for (unsigned i = 0; i < l->nslots; i++)
        use(l, l->slot[l->used[i]].last);
    use(l, l->compared[0]);
    use(l, l->compared[1]);
}

bool loop_read(struct loop *l, const struct ir_unit *u, ir_ref back)
{
    uint64_t pc = u->inst[back].imm;
    ir_ref head = find_label(u, pc);
    if (head > back || (head == IR_NONE ? pc != u->pc : !falls_in(u, head)) || u->inst[back].op != IR_GOTO_IF)
        return false;
    memset(l, 0, sizeof *l);
    l->u = u;
    l->head = head;
    l->back = back;
    l->pc = pc;
    l->n = 1;
    struct reader r = {.l = l, .of = calloc(u->n, sizeof *r.of)};
    CHECK(r.of);
    bool ok = true;
    for (ir_ref at = head + 1; at < back && ok; at++)
        ok = instruction(&r, at) && !r.full;
    ok = ok && read_back(&r) && !r.full && l->naccesses;
    free(r.of);
    if (ok)
        count_uses(l);
    return ok;
}
