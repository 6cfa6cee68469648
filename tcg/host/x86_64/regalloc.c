/*
 * The pass forward: where values and guest registers are at each moment. A pin always holds its guest register's
 * current value; the PUT of another slot is only noted (slot_state.cur, dirty) and done when the register is needed, at
 * an exit, or before something that looks at the state.
 */
#include <stdlib.h>

#include "tcg/host/x86_64/gen.h"

void *x86_grow(void *p, uint32_t n, size_t size)
{
    p = realloc(p, n * size);
    CHECK(p);
    return p;
}

/* --- moves --- */

void x86_move(struct gen *g, int dst, int src)
{
    if (dst == src)
        return;
    if (is_xmm(dst))
        emit_rr(&g->a, OP_0F | 0x28, dst - XMM0, src - XMM0); /* MOVAPS */
    else
        emit_mov(&g->a, true, dst, src);
}

static void load(struct gen *g, int reg, struct mem m, unsigned type)
{
    switch (type) {
    case IR_I32: emit_load(&g->a, false, reg, m); break;
    case IR_I64: emit_load(&g->a, true, reg, m); break;
    case IR_F32: emit_rm(&g->a, OP_F3 | OP_0F | 0x10, reg - XMM0, m); break; /* MOVSS */
    case IR_F64: emit_rm(&g->a, OP_F2 | OP_0F | 0x10, reg - XMM0, m); break; /* MOVSD */
    default: emit_rm(&g->a, OP_0F | 0x28, reg - XMM0, m); break;             /* MOVAPS */
    }
}

static void store(struct gen *g, struct mem m, int reg, unsigned type)
{
    switch (type) {
    case IR_I32: emit_store(&g->a, false, m, reg); break;
    case IR_I64: emit_store(&g->a, true, m, reg); break;
    case IR_F32: emit_rm(&g->a, OP_F3 | OP_0F | 0x11, reg - XMM0, m); break;
    case IR_F64: emit_rm(&g->a, OP_F2 | OP_0F | 0x11, reg - XMM0, m); break;
    default: emit_rm(&g->a, OP_0F | 0x29, reg - XMM0, m); break;
    }
}

void x86_load_slot(struct gen *g, int reg, unsigned slot, unsigned type) { load(g, reg, slot_mem(g, slot), type); }
void x86_store_slot(struct gen *g, unsigned slot, int reg)
{
    store(g, slot_mem(g, slot), reg, g->guest->slots[slot].type);
}
void x86_load_cell(struct gen *g, int reg, int cell, unsigned type) { load(g, reg, cell_mem(g, cell), type); }
void x86_store_cell(struct gen *g, int cell, int reg, unsigned type) { store(g, cell_mem(g, cell), reg, type); }

static uint8_t *rip_operand(struct gen *g, int reg, unsigned size, uint64_t lo, uint64_t hi, unsigned tail)
{
    emit8(&g->a, (reg & 7) << 3 | 5);
    emit32(&g->a, 0);
    *GROW(g->pool, g->npool, g->max_pool) = (struct pool_use){g->a.p, NULL, lo, hi, size, tail};
    return g->a.p;
}

void x86_pool(struct gen *g, unsigned op, int reg, unsigned size, uint64_t lo, uint64_t hi, unsigned tail)
{
    emit_opcode(&g->a, op, reg, 0, 0);
    rip_operand(g, reg, size, lo, hi, tail);
}

void x86_pool_vex(struct gen *g, unsigned op, int reg, int vvvv, unsigned size, uint64_t lo, uint64_t hi, unsigned tail)
{
    emit_vex(&g->a, op, reg, 0, 0, vvvv);
    rip_operand(g, reg, size, lo, hi, tail);
}

void x86_load_const(struct gen *g, int reg, ir_ref c)
{
    const struct ir_inst *in = &g->u->inst[c];
    uint64_t lo = in->imm, hi = in->type == IR_V128 ? in->imm2 : 0;
    if (!is_xmm(reg)) {
        emit_const(&g->a, reg, in->type == IR_I32 ? (uint32_t)lo : lo, true);
        return;
    }
    reg -= XMM0;
    if (in->type == IR_F32)
        lo = (uint32_t)lo;
    if (!lo && !hi)
        x86_op3(g, OP_0F | 0x57, reg + XMM0, reg + XMM0, reg + XMM0); /* XORPS */
    else if (lo == UINT64_MAX && hi == UINT64_MAX)
        x86_op3(g, OP_66 | OP_0F | 0x76, reg + XMM0, reg + XMM0, reg + XMM0); /* PCMPEQD */
    else if (in->type == IR_F32)
        x86_pool(g, OP_F3 | OP_0F | 0x10, reg, 4, lo, 0, 0);
    else if (!hi)
        x86_pool(g, OP_F2 | OP_0F | 0x10, reg, 8, lo, 0, 0);
    else
        x86_pool(g, OP_0F | 0x28, reg, 16, lo, hi, 0);
}

/* The pins of a mask of host registers: those of the guest (global ones), local ones where they have taken over. */
static void pins(struct gen *g, uint32_t mask, void (*move)(struct gen *, unsigned slot, int reg))
{
    for (unsigned s = 0; s < g->guest->nslots; s++)
        if (g->slot[s].pin != NO_REG && mask >> g->slot[s].pin & 1)
            move(g, s, g->slot[s].pin);
}

static void pin_store(struct gen *g, unsigned slot, int reg) { x86_store_slot(g, slot, reg); }
static void pin_load(struct gen *g, unsigned slot, int reg) { x86_load_slot(g, reg, slot, g->guest->slots[slot].type); }
void x86_pins_store(struct gen *g, uint32_t mask) { pins(g, mask, pin_store); }
void x86_pins_load(struct gen *g, uint32_t mask) { pins(g, mask, pin_load); }

static void displaced(struct gen *g, void (*move)(struct gen *, unsigned slot, int reg))
{
    int8_t pin[MAX_SLOTS];
    if (!g->displaced)
        return;
    x86_global_pins(g->guest, pin);
    for (unsigned s = 0; s < g->guest->nslots; s++)
        if (pin[s] != NO_REG && g->displaced >> pin[s] & 1)
            move(g, s, pin[s]);
}

void x86_loop_enter(struct gen *g)
{
    displaced(g, pin_store);
    for (unsigned s = 0; s < g->guest->nslots; s++)
        if (g->slot[s].local)
            pin_load(g, s, g->slot[s].pin);
}

void x86_loop_leave(struct gen *g)
{
    for (unsigned s = 0; s < g->guest->nslots; s++)
        if (g->slot[s].local && g->slot[s].put)
            pin_store(g, s, g->slot[s].pin);
    displaced(g, pin_load);
}

/* --- values --- */

static bool live_after(const struct gen *g, ir_ref root) { return g->val[root].last > g->i; }
/* Not needed any more, but its register has not been released: it was needed by no instruction, as a PUT's value is. */
static bool is_over(const struct gen *g, ir_ref root) { return g->val[root].last < g->i; }

bool ra_imm(const struct gen *g, ir_ref v, bool wide, int32_t *imm)
{
    uint64_t c;
    if (!ra_const(g, v, &c) || (wide && c != (uint64_t)(int64_t)(int32_t)c))
        return false;
    *imm = (int32_t)c;
    return true;
}

bool ra_in_slot(const struct gen *g, ir_ref v, struct mem *m)
{
    const struct value *root = &g->val[root_of(g, v)];
    if (root->reg != NO_REG || root->home < 0 || type_size(root->type) < type_size(ir_result_type(&g->u->inst[v])))
        return false;
    *m = slot_mem(g, root->home);
    return true;
}

static int new_cell(struct gen *g, unsigned type)
{
    unsigned n = type == IR_V128 ? 2 : 1;
    for (int c = 0; c + (int)n <= NCELLS; c += n) {
        unsigned __int128 mask = (unsigned __int128)(n == 2 ? 3 : 1) << c;
        if (!(g->cells & mask)) {
            g->cells |= mask;
            return c;
        }
    }
    x86_stop(g, &g->too_complex);
    return 0;
}

static void free_cell(struct gen *g, struct value *v)
{
    if (v->cell >= 0)
        g->cells &= ~((unsigned __int128)(v->type == IR_V128 ? 3 : 1) << v->cell);
    v->cell = -1;
}

void ra_leave_cell(struct gen *g, ir_ref root) { free_cell(g, &g->val[root]); }

static void leave_home(struct gen *g, ir_ref root)
{
    struct value *v = &g->val[root];
    if (v->home >= 0 && g->slot[v->home].homed == root)
        g->slot[v->home].homed = IR_NONE;
    v->home = -1;
}

static void set_home(struct gen *g, unsigned slot, ir_ref root)
{
    ir_ref old = g->slot[slot].homed;
    if (old && old != root)
        g->val[old].home = -1;
    g->slot[slot].homed = root;
    g->val[root].home = slot;
}

/* Makes sure the value is somewhere else than in its register; the register keeps it. */
static void save(struct gen *g, ir_ref root, bool homes)
{
    struct value *v = &g->val[root];
    if (g->u->inst[root].op == IR_CONST || v->home >= 0 || v->cell >= 0)
        return;
    for (uint32_t k = 0; homes && !v->raw && k < g->nopen; k++) {
        struct slot_state *s = &g->slot[g->open[k]];
        if (s->dirty && s->cur && root_of(g, s->cur) == root && !g->val[s->cur].late &&
            type_size(g->guest->slots[g->open[k]].type) >= type_size(v->type) && !s->homed) {
            x86_store_slot(g, g->open[k], v->reg);
            s->dirty = false;
            set_home(g, g->open[k], root);
            return;
        }
    }
    v->cell = new_cell(g, v->type);
    x86_store_cell(g, v->cell, v->reg, v->type);
}

static void evict(struct gen *g, int reg)
{
    ir_ref root = g->held[reg];
    if (!root)
        return;
    if (!is_over(g, root))
        save(g, root, true);
    ra_release(g, reg);
}

/* A register of the class that is not locked: free, or freed. */
static int find_register(struct gen *g, bool xmm)
{
    uint32_t may = g->temps & ~g->locked & (xmm ? 0xffff0000u : 0xffffu);
    if (may & ~g->full)
        return __builtin_ctz(may & ~g->full);
    int best = NO_REG;
    uint32_t farthest = 0;
    for (uint32_t m = may; m; m &= m - 1) {
        int r = __builtin_ctz(m);
        ir_ref root = g->held[r];
        if (is_over(g, root)) {
            ra_release(g, r);
            return r;
        }
        if (best == NO_REG || g->val[root].last > farthest) {
            best = r;
            farthest = g->val[root].last;
        }
    }
    CHECK(best != NO_REG);
    evict(g, best);
    return best;
}

static void fill(struct gen *g, int reg, ir_ref root)
{
    const struct value *v = &g->val[root];
    if (g->u->inst[root].op == IR_CONST)
        x86_load_const(g, reg, root);
    else if (v->home >= 0)
        x86_load_slot(g, reg, v->home, v->type);
    else if (v->cell >= 0)
        x86_load_cell(g, reg, v->cell, v->type);
    else
        BUG("value %%%u is nowhere at instruction %u of the unit at 0x%llx", root, g->i, (unsigned long long)g->u->pc);
}

int ra_use(struct gen *g, ir_ref v)
{
    ir_ref root = root_of(g, v);
    int reg = g->val[root].reg;
    if (reg == NO_REG) {
        reg = find_register(g, in_xmm(g->val[root].type));
        fill(g, reg, root);
        ra_hold(g, reg, root);
    }
    g->locked |= 1u << reg;
    return reg;
}

void ra_copy_to(struct gen *g, ir_ref v, int reg)
{
    ir_ref root = root_of(g, v);
    if (g->val[root].reg != NO_REG)
        x86_move(g, reg, g->val[root].reg);
    else
        fill(g, reg, root);
}

int ra_temp(struct gen *g, bool xmm)
{
    int reg = find_register(g, xmm);
    g->locked |= 1u << reg;
    return reg;
}

/* The value of a register that is about to change goes to another one (or to memory). */
static void move_out(struct gen *g, int reg)
{
    ir_ref root = g->held[reg];
    if (!root)
        return;
    if (is_over(g, root)) {
        ra_release(g, reg);
        return;
    }
    uint32_t may = g->temps & ~g->locked & (is_xmm(reg) ? 0xffff0000u : 0xffffu) & ~(1u << reg);
    if (may & ~g->full) {
        int to = __builtin_ctz(may & ~g->full);
        x86_move(g, to, reg);
        ra_release(g, reg);
        ra_hold(g, to, root);
        return;
    }
    if (g->val[root].home >= 0 || g->val[root].cell >= 0 || g->u->inst[root].op == IR_CONST || !may) {
        evict(g, reg);
        return;
    }
    uint32_t locked = g->locked;
    g->locked |= 1u << reg; /* not a place to go to */
    int to = find_register(g, is_xmm(reg));
    g->locked = locked;
    x86_move(g, to, reg);
    ra_release(g, reg);
    ra_hold(g, to, root);
}

void ra_take(struct gen *g, int reg)
{
    CHECK(!g->is_pin[reg]);
    if (g->held[reg] && (g->locked >> reg & 1)) {
        /* An operand of this instruction: it stays an operand, elsewhere. */
        ir_ref root = g->held[reg];
        move_out(g, reg);
        if (g->val[root].reg != NO_REG)
            g->locked |= 1u << g->val[root].reg;
    } else {
        move_out(g, reg);
    }
    g->locked |= 1u << reg;
}

void ra_bind(struct gen *g, int reg)
{
    ra_release(g, reg);
    ra_hold(g, reg, g->i);
    g->locked |= 1u << reg;
}

/* The wanted register made ready, or NO_REG. over: it may hold operands that die here. */
static int hinted(struct gen *g, bool over)
{
    int reg = g->val[g->i].hint;
    if (reg == NO_REG)
        return NO_REG;
    ir_ref root = g->held[reg];
    if (root && (g->locked >> reg & 1)) {
        if (!over || live_after(g, root))
            return NO_REG;
        ra_release(g, reg);
    } else if (root) {
        move_out(g, reg);
    }
    return reg;
}

static int define(struct gen *g, int reg)
{
    ra_hold(g, reg, g->i);
    g->locked |= 1u << reg;
    return reg;
}

int ra_def(struct gen *g)
{
    int reg = hinted(g, false);
    return define(g, reg != NO_REG ? reg : find_register(g, in_xmm(g->val[g->i].type)));
}

int ra_def_over(struct gen *g)
{
    int reg = hinted(g, true);
    if (reg != NO_REG)
        return define(g, reg);
    bool xmm = in_xmm(g->val[g->i].type);
    uint32_t class = xmm ? 0xffff0000u : 0xffffu;
    for (uint32_t m = g->temps & g->locked & class; m; m &= m - 1) {
        reg = __builtin_ctz(m);
        ir_ref root = g->held[reg];
        if (root && !live_after(g, root)) {
            ra_release(g, reg);
            return define(g, reg);
        }
    }
    return define(g, find_register(g, xmm));
}

int ra_def_copy(struct gen *g, ir_ref v)
{
    ir_ref root = root_of(g, v);
    int src = g->val[root].reg, hint = g->val[g->i].hint;
    if (hint != NO_REG && src == hint) {
        /* The pin holds the operand: changed in place; if it is needed later, a copy is made before. */
        if (live_after(g, root)) {
            int to = find_register(g, is_xmm(src));
            x86_move(g, to, src);
            ra_release(g, src);
            ra_hold(g, to, root);
        } else {
            ra_release(g, src);
        }
        return define(g, hint);
    }
    if (hint == NO_REG && src != NO_REG && !g->is_pin[src] && !live_after(g, root) &&
        is_xmm(src) == in_xmm(g->val[g->i].type)) {
        ra_release(g, src);
        return define(g, src);
    }
    int reg = hinted(g, false);
    if (reg == NO_REG)
        reg = find_register(g, in_xmm(g->val[g->i].type));
    ra_copy_to(g, v, reg);
    return define(g, reg);
}

void ra_undef(struct gen *g) { ra_release(g, g->val[g->i].reg); }

static inline void forget_value(struct gen *g, ir_ref root)
{
    struct value *v = &g->val[root];
    if (v->reg != NO_REG)
        ra_release(g, v->reg);
    if ((v->cell & v->home) != -1) { /* one of them is there */
        if (v->cell >= 0)
            free_cell(g, v);
        leave_home(g, root);
    }
}

/* The last need of a slot's former value (or of what a late one would be computed from) is over. */
static void drop(struct gen *g, ir_ref v)
{
    ir_ref leaf[MAX_LEAVES] = {v};
    unsigned n = g->val[v].late ? x86_leaves(g, v, leaf) : 1;
    for (unsigned k = 0; k < n; k++)
        if (ra_dies(g, leaf[k]))
            forget_value(g, root_of(g, leaf[k]));
}

static inline void forget_over(struct gen *g, ir_ref v)
{
    ir_ref root = root_of(g, v);
    if (!live_after(g, root)) /* IR_NONE lives for ever */
        forget_value(g, root);
}

/* What can have died: operands, the result, a difference in the stead of operands. */
void ra_step(struct gen *g, const struct ir_inst *in)
{
    const struct value *v = &g->val[g->i];
    unsigned n = ir_nargs(in);
    g->locked = 0;
    for (unsigned k = 0; k < 3; k++) /* those that are not there are IR_NONE */
        forget_over(g, in->arg[k]);
    for (unsigned k = 3; UNLIKELY(k < n); k++)
        forget_over(g, in->arg[k]);
    if (UNLIKELY(v->result))
        forget_over(g, v->result);
    if (UNLIKELY((v->type != IR_VOID) & (v->last <= g->i)))
        forget_value(g, g->i);
}

void ra_evict(struct gen *g, uint32_t mask)
{
    for (uint32_t m = mask & g->temps; m; m &= m - 1) {
        int r = __builtin_ctz(m);
        if (g->held[r] && g->val[g->held[r]].last >= g->i)
            evict(g, r);
        else
            ra_release(g, r);
    }
}

void ra_save_all(struct gen *g)
{
    for (uint32_t m = g->temps; m; m &= m - 1) {
        ir_ref root = g->held[__builtin_ctz(m)];
        if (root && live_after(g, root))
            save(g, root, true);
    }
}

void ra_release_all(struct gen *g)
{
    for (uint32_t m = g->temps; m; m &= m - 1)
        ra_release(g, __builtin_ctz(m));
}

/* --- guest registers --- */

/* Quick units write slots at once: exits, faults and calls have less to do, and the compiler less to remember. */
static void put_now(struct gen *g, unsigned slot, ir_ref root)
{
    struct slot_state *s = &g->slot[slot];
    const struct ir_inst *in = &g->u->inst[root];
    x86_settle_value(g, root);
    if (in->op == IR_CONST && g->val[root].reg == NO_REG)
        x86_store_const(g, slot, in);
    else
        x86_store_slot(g, slot, ra_use(g, root));
    if (live_after(g, root) && g->val[root].home < 0 && in->op != IR_CONST &&
        type_size(g->guest->slots[slot].type) >= type_size(g->val[root].type))
        set_home(g, slot, root);
    ir_ref old = s->cur;
    s->cur = IR_NONE;
    s->dirty = false;
    if (old)
        drop(g, old);
}

void ra_get(struct gen *g, const struct ir_inst *in)
{
    unsigned slot = in->ir_slot_;
    struct slot_state *s = &g->slot[slot];
    struct value *v = &g->val[g->i];
    if (v->last <= g->i)
        return;
    if (s->pin != NO_REG) {
        v->raw = s->raw;
        if (g->held[s->pin] && !is_over(g, g->held[s->pin])) { /* known under another name */
            int reg = find_register(g, is_xmm(s->pin));
            x86_move(g, reg, s->pin);
            ra_hold(g, reg, g->i);
        } else {
            ra_release(g, s->pin);
            ra_hold(g, s->pin, g->i);
        }
        return;
    }
    ra_touch(g, slot);
    if (s->dirty && g->val[s->cur].late) {
        struct place leaf[MAX_LEAVES];
        ir_ref leaves[MAX_LEAVES];
        unsigned n = x86_leaves(g, s->cur, leaves);
        for (unsigned k = 0; k < n; k++)
            leaf[k] = ra_place(g, leaves[k]);
        ra_evict(g, 1u << RAX | 1u << RCX | 1u << RDX);
        for (unsigned k = 0; k < n; k++)
            leaf[k] = ra_place(g, leaves[k]);
        x86_store_late(g, slot, s->cur, leaf);
        s->dirty = false;
        s->cur = IR_NONE;
    } else if (s->dirty) {
        x86_settle_value(g, s->cur);
        int reg = ra_use(g, s->cur);
        x86_store_slot(g, slot, reg);
        s->dirty = false;
    }
    if (s->homed && g->val[s->homed].last > g->i) { /* two names for the memory: the new one gets a register */
        int reg = find_register(g, in_xmm(v->type));
        x86_load_slot(g, reg, slot, v->type);
        ra_hold(g, reg, g->i);
    } else {
        set_home(g, slot, g->i); /* loaded when it is needed */
    }
}

void ra_put(struct gen *g, const struct ir_inst *in)
{
    unsigned slot = in->ir_slot_;
    struct slot_state *s = &g->slot[slot];
    ir_ref v = in->arg[0], root = root_of(g, v);
    if (s->pin != NO_REG) {
        s->raw = g->val[root].raw;
        if (g->val[root].reg == s->pin)
            return;
        if (g->held[s->pin])
            move_out(g, s->pin);
        int from = g->val[root].reg;
        ra_copy_to(g, v, s->pin);
        if (type_size(g->guest->slots[slot].type) < type_size(g->val[root].type)) /* calls keep the slot's bytes only */
            return;
        if (from == NO_REG || !g->is_pin[from]) {
            if (from != NO_REG)
                ra_release(g, from);
            ra_hold(g, s->pin, root);
        }
        return;
    }
    ra_touch(g, slot);
    /* The memory will change some day: a value that lives only there comes to a register. */
    if (s->homed && s->homed != root) {
        if (live_after(g, s->homed) && g->val[s->homed].reg == NO_REG && g->val[s->homed].cell < 0)
            ra_use(g, s->homed);
        leave_home(g, s->homed);
    }
    if (s->homed && s->homed == root) { /* it is there already */
        if (s->cur && s->cur != v)
            drop(g, s->cur);
        s->cur = v;
        s->dirty = false;
        return;
    }
    if (g->ctx->quick && !g->val[v].late) {
        put_now(g, slot, root);
        return;
    }
    ir_ref old = s->cur;
    s->cur = v;
    s->dirty = true;
    if (old)
        drop(g, old);
    for (uint32_t k = 0; k < g->nopen; k++)
        if (g->open[k] == slot)
            return;
    g->open[g->nopen++] = slot;
}

struct place ra_place(const struct gen *g, ir_ref v)
{
    ir_ref root = root_of(g, v);
    const struct value *r = &g->val[root];
    return (struct place){root, r->reg, r->cell, r->home};
}

uint32_t ra_pending(struct gen *g, unsigned dead, uint32_t *n)
{
    uint32_t first = g->npending;
    for (uint32_t k = 0; k < g->nopen; k++) {
        unsigned slot = g->open[k];
        const struct slot_state *s = &g->slot[slot];
        if (!s->dirty || slot + 1 == dead)
            continue;
        struct pending *p = GROW(g->pending, g->npending, g->max_pending);
        *p = (struct pending){.slot = slot, .late = g->val[s->cur].late, .value = s->cur, .nleaves = 1};
        p->raw = p->late ? RAW_NOT : g->val[root_of(g, s->cur)].raw;
        ir_ref leaf[MAX_LEAVES] = {s->cur};
        if (p->late)
            p->nleaves = x86_leaves(g, s->cur, leaf);
        for (unsigned i = 0; i < p->nleaves; i++)
            p->leaf[i] = ra_place(g, leaf[i]);
    }
    *n = g->npending - first;
    return first;
}

static void sync_slots(struct gen *g, unsigned dead)
{
    for (uint32_t k = 0; k < g->nopen; k++) {
        unsigned slot = g->open[k];
        struct slot_state *s = &g->slot[slot];
        if (!s->dirty || slot + 1 == dead)
            continue;
        if (g->val[s->cur].late) {
            ra_evict(g, 1u << RAX | 1u << RCX | 1u << RDX);
            ir_ref leaves[MAX_LEAVES];
            struct place leaf[MAX_LEAVES];
            for (unsigned i = 0, n = x86_leaves(g, s->cur, leaves); i < n; i++)
                leaf[i] = ra_place(g, leaves[i]);
            x86_store_late(g, slot, s->cur, leaf);
            s->cur = IR_NONE;
            s->dirty = false;
        } else {
            uint32_t locked = g->locked;
            ir_ref root = root_of(g, s->cur);
            x86_settle_value(g, s->cur);
            int reg = ra_use(g, s->cur);
            g->locked = locked;
            if (s->dirty) { /* the register may have been found by storing this very slot */
                x86_store_slot(g, slot, reg);
                s->dirty = false;
                if (!s->homed && type_size(g->guest->slots[slot].type) >= type_size(g->val[root].type) &&
                    g->val[root].home < 0)
                    set_home(g, slot, root);
            }
        }
    }
}

void ra_sync(struct gen *g)
{
    x86_settle_pins(g);
    sync_slots(g, 0);
    for (unsigned s = 0; s < g->guest->nslots; s++)
        if (g->slot[s].pin != NO_REG && (!g->slot[s].local || g->slot[s].put))
            x86_store_slot(g, s, g->slot[s].pin);
}

void ra_abandon(struct gen *g)
{
    for (unsigned s = 0; s < g->guest->nslots; s++) {
        if (g->slot[s].homed)
            leave_home(g, g->slot[s].homed);
        g->slot[s].cur = IR_NONE;
        g->slot[s].dirty = false;
        g->slot[s].raw = RAW_NOT;
    }
    g->nopen = 0;
    for (int r = 0; r < REGS; r++)
        ra_release(g, r);
    g->cells = 0;
}

void ra_settle(struct gen *g, unsigned dead)
{
    x86_settle_pins(g);
    sync_slots(g, dead);
    ra_abandon(g);
}

void ra_detach(struct gen *g)
{
    for (unsigned s = 0; s < g->guest->nslots; s++) {
        ir_ref root = g->slot[s].homed;
        if (root && g->val[root].last >= g->i) {
            uint32_t locked = g->locked;
            ra_use(g, root);
            g->locked = locked;
            g->val[root].home = -1;
            g->slot[s].homed = IR_NONE;
            save(g, root, false);
        }
        if (g->slot[s].pin != NO_REG && g->held[g->slot[s].pin]) {
            ir_ref held = g->held[g->slot[s].pin];
            if (g->val[held].last >= g->i)
                save(g, held, false);
            ra_release(g, g->slot[s].pin);
        }
    }
}

void ra_forget(struct gen *g)
{
    for (unsigned s = 0; s < g->guest->nslots; s++) {
        if (g->slot[s].homed) /* a result that died here */
            leave_home(g, g->slot[s].homed);
        g->slot[s].cur = IR_NONE;
        g->slot[s].dirty = false;
    }
    g->nopen = 0;
    for (unsigned s = 0; s < g->guest->nslots; s++)
        if (g->slot[s].pin != NO_REG)
            x86_load_slot(g, g->slot[s].pin, s, g->guest->slots[s].type);
}
