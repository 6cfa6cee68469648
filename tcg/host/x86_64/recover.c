/*
 * The guest's state at a fault: what fault points record while compiling, and writing the guest registers that were in
 * host registers back.
 */
#include "base/softfloat.h"
#include "tcg/eval.h"
#include "tcg/host/x86_64/gen.h"

/*
 * struct reg_loc.more of LOC_GPR: 0, or 1 + the register whose pin this is for the moment; of LOC_VEC: enum raw.
 * reg of LOC_SPILL: bytes, enum raw << 8.
 */

/* LOC_NZCV: `reg` is the op, `more` this; its operands follow. */
static uint32_t recipe(const struct gen *g, ir_ref v)
{
    const struct ir_inst *in = &g->u->inst[v];
    if (in->op == IR_SELCC)
        return in->type2 | (uint32_t)in->cc << 16;
    return in->type | (g->val[v].result ? 1u << 8 : 0);
}

static uint32_t add_const(struct gen *g, uint64_t lo, uint64_t hi)
{
    for (uint32_t i = 0; i + 1 < g->nconsts; i += 2)
        if (g->consts[i] == lo && g->consts[i + 1] == hi)
            return i;
    *GROW(g->consts, g->nconsts, g->max_consts) = lo;
    *GROW(g->consts, g->nconsts, g->max_consts) = hi;
    return g->nconsts - 2;
}

static void add_loc(struct gen *g, struct reg_loc loc) { *GROW(g->locs, g->nlocs, g->max_locs) = loc; }

static void add_value(struct gen *g, unsigned slot, ir_ref v)
{
    if (g->val[v].late) {
        ir_ref leaf[MAX_LEAVES];
        const struct ir_inst *in = &g->u->inst[v];
        add_loc(g, (struct reg_loc){slot, LOC_NZCV, in->op, recipe(g, v)});
        if (in->op == IR_SELCC) {
            add_value(g, slot, in->arg[0]);
            add_value(g, slot, in->arg[1]);
            add_value(g, slot, in->arg[2]);
            add_value(g, slot, in->arg[3]);
        } else {
            for (unsigned k = 0, n = x86_leaves(g, v, leaf); k < n; k++)
                add_value(g, slot, leaf[k]);
        }
        return;
    }
    struct place p = ra_place(g, v);
    const struct ir_inst *in = &g->u->inst[p.root];
    if (p.reg != NO_REG)
        add_loc(g, (struct reg_loc){slot, is_xmm(p.reg) ? LOC_VEC : LOC_GPR, p.reg & 15, g->val[p.root].raw});
    else if (in->op == IR_CONST)
        add_loc(g, (struct reg_loc){slot, LOC_CONST, 0, add_const(g, in->imm, in->type == IR_V128 ? in->imm2 : 0)});
    else
        add_loc(g, (struct reg_loc){slot, LOC_SPILL, type_size(g->val[p.root].type) | g->val[p.root].raw << 8,
                                    p.home >= 0 ? g->guest->slots[p.home].offset : g->l->spill + 8 * p.cell});
}

void x86_fault_point(struct gen *g)
{
    uint32_t first = g->nlocs;
    if (g->pc & IR_OWN) { /* pins have not changed since the label, nor has the memory of other slots: no PUT came before */
        *GROW(g->faults, g->nfaults, g->max_faults) =
            (struct fault_point){g->a.p - g->a.start, g->pc - IR_OWN - g->u->pc, 0, FAULT_GOES_ON};
        return;
    }
    for (unsigned s = 0; (g->loop || g->rbx_in != RBX) && s < g->guest->nslots; s++) {
        int pin = g->slot[s].pin, in = pin == RBX ? g->rbx_in : pin;
        if (is_xmm(pin) && pin != NO_REG)
            add_loc(g, (struct reg_loc){s, LOC_VEC, pin & 15, g->slot[s].raw});
        else if (g->slot[s].local || (pin == RBX && in != RBX))
            add_loc(g, (struct reg_loc){s, LOC_GPR, in, 1 + pin});
    }
    for (uint32_t k = 0; k < g->nopen; k++)
        if (g->slot[g->open[k]].dirty)
            add_value(g, g->open[k], g->slot[g->open[k]].cur);
    uint32_t n = g->nlocs - first;
    /* Neighbours mostly agree. */
    const struct fault_point *last = g->nfaults ? &g->faults[g->nfaults - 1] : NULL;
    if (last && last->nlocs == n && n && !memcmp(g->locs + last->first_loc, g->locs + first, n * sizeof *g->locs)) {
        g->nlocs = first;
        first = last->first_loc;
    }
    if (first + n > UINT16_MAX)
        x86_stop(g, &g->too_complex);
    int32_t pc = g->pc - g->u->pc;
    *GROW(g->faults, g->nfaults, g->max_faults) = (struct fault_point){g->a.p - g->a.start, pc, first, n};
}

void x86_finish_faults(struct gen *g)
{
    for (uint32_t i = 0; i < g->nfaults && !g->stop && asm_fits(&g->a); i++)
        if (g->faults[i].nlocs == FAULT_GOES_ON)
            g->faults[i].pc = x86_label_offset(g, g->u->pc + g->faults[i].pc);
}

/* --- at the fault --- */

struct recovery {
    char *state;
    const struct host_registers *regs;
    const struct ir_guest *guest;
    const struct compiled *c;
    const struct reg_loc *next;
};

static uint64_t fcmp_nzcv(const struct ir_guest *guest, bool wide, uint64_t a, uint64_t b)
{
    struct fp_env env = {.rules = guest->fp};
    static const uint8_t nzcv[] = {8, 6, 2, 3};
    return nzcv[fp_compare(wide ? &fp_f64 : &fp_f32, a, b, &env) + 1];
}

static union ir_value read_next(struct recovery *r);

static union ir_value compute(struct recovery *r, const struct reg_loc *loc)
{
    union ir_value out = {0};
    bool wide = (loc->more & 0xff) == IR_I64;
    uint64_t mask = wide ? ~UINT64_C(0) : UINT32_MAX;
    uint64_t a = read_next(r).q[0];
    if (loc->reg == IR_NZCV_LOGIC) {
        a &= mask;
        out.q[0] = (a >> (wide ? 63 : 31) ? 8 : 0) | (a ? 0 : 4);
        return out;
    }
    uint64_t b = read_next(r).q[0];
    if (loc->reg == IR_NZCV_FCMP) {
        out.q[0] = fcmp_nzcv(r->guest, (loc->more & 0xff) == IR_F64, a, b);
        return out;
    }
    a &= mask;
    b &= mask;
    switch (loc->reg) {
    case IR_NZCV_SUB:
        if (loc->more >> 8 & 1)
            a = (a + b) & mask;
        out.q[0] = ir_nzcv_add(wide, a, ~b & mask, 1);
        break;
    case IR_NZCV_ADD: out.q[0] = ir_nzcv_add(wide, a, b, 0); break;
    case IR_NZCV_ADC: out.q[0] = ir_nzcv_add(wide, a, b, read_next(r).q[0] & 1); break;
    default: { /* SELCC */
        union ir_value yes = read_next(r), no = read_next(r);
        out = ir_int_cc(loc->more >> 16, wide, a, b) ? yes : no;
    }
    }
    return out;
}

static void settle(const struct recovery *r, enum raw raw, union ir_value *v)
{
    if (raw && fcmp_nzcv(r->guest, raw == RAW_F64, v->q[0], v->q[0]) == 3) /* unordered */
        v->q[0] = x86_guest_nan(r->guest, raw);
}

static union ir_value read_next(struct recovery *r)
{
    const struct reg_loc *loc = r->next++;
    union ir_value v = {0};
    switch (loc->kind) {
    case LOC_GPR: v.q[0] = r->regs->general[loc->reg]; break;
    case LOC_VEC: v.v = r->regs->vector[loc->reg]; settle(r, loc->more, &v); break;
    case LOC_SPILL: memcpy(&v, r->state + loc->more, loc->reg & 0xff); settle(r, loc->reg >> 8, &v); break;
    case LOC_CONST: memcpy(&v, &r->c->consts[loc->more], 16); break;
    case LOC_NZCV: v = compute(r, loc); break;
    }
    return v;
}

void x86_recover(void *cpu, const struct ir_guest *guest, const struct compiled *c, const struct fault_point *p,
                 const struct host_registers *regs)
{
    struct recovery r = {cpu, regs, guest, c, &c->locs[p->first_loc]};
    const struct reg_loc *end = r.next + p->nlocs;
    uint32_t taken = 0;
    for (const struct reg_loc *l = r.next; l < end; l++)
        if (l->kind == LOC_GPR && l->more)
            taken |= 1u << (l->more - 1);
    union ir_value found[MAX_SLOTS];
    uint8_t slot[MAX_SLOTS];
    unsigned n = 0;
    while (r.next < end) { /* all are read before any is written: homes are slots themselves */
        slot[n] = r.next->slot;
        found[n++] = read_next(&r);
    }
    for (unsigned i = 0; i < n; i++)
        memcpy(r.state + guest->slots[slot[i]].offset, &found[i], type_size(guest->slots[slot[i]].type));
    int8_t pin[MAX_SLOTS];
    x86_global_pins(guest, pin);
    for (unsigned s = 0; s < guest->nslots; s++)
        if (pin[s] != NO_REG && !(taken >> pin[s] & 1))
            memcpy(r.state + guest->slots[s].offset, &regs->general[pin[s]], 8);
}
