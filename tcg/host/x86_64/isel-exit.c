/*
 * Leaving a unit: direct exits through data words (struct code_exit), calls and returns on the prediction stack,
 * indirect jumps through the thread's table, and the code of stubs behind the unit.
 */
#include <stdatomic.h>

#include "tcg/host/x86_64/gen.h"

struct stub *x86_stub(struct gen *g, enum stub_kind kind)
{
    struct stub *s = GROW(g->stubs, g->nstubs, g->max_stubs);
    *s = (struct stub){.kind = kind, .inst = g->i, .dst = NO_REG};
    return s;
}

/* --- storing guest registers --- */

void x86_store_const(struct gen *g, unsigned slot, const struct ir_inst *c)
{
    struct asmbuf *a = &g->a;
    struct mem m = slot_mem(g, slot);
    unsigned type = g->guest->slots[slot].type;
    if (type == IR_V128) {
        x86_load_const(g, XMM0 + XSCRATCH, c - g->u->inst);
        x86_store_slot(g, slot, XMM0 + XSCRATCH);
        return;
    }
    uint64_t v = c->type == IR_I32 || c->type == IR_F32 ? (uint32_t)c->imm : (uint64_t)c->imm;
    bool wide = type_size(type) == 8;
    if (!wide || v == (uint64_t)(int64_t)(int32_t)v) {
        emit_rm(a, 0xc7 | op_w(wide), 0, m);
        emit32(a, v);
        return;
    }
    emit_rm(a, 0xc7, 0, m);
    emit32(a, v);
    m.disp += 4;
    emit_rm(a, 0xc7, 0, m);
    emit32(a, v >> 32);
}

/* Without general registers: they may hold operands of what is stored next. */
static void store_place(struct gen *g, unsigned slot, const struct place *p)
{
    if (p->reg != NO_REG) {
        x86_store_slot(g, slot, p->reg);
    } else if (g->u->inst[p->root].op == IR_CONST) {
        x86_store_const(g, slot, &g->u->inst[p->root]);
    } else {
        unsigned from = g->val[p->root].type, to = g->guest->slots[slot].type;
        static const uint8_t as_float[IR_TYPE_COUNT] = {0, IR_F32, IR_F64, IR_F32, IR_F64, IR_V128};
        int x = XMM0 + XSCRATCH;
        if (p->home >= 0)
            x86_load_slot(g, x, p->home, as_float[from]); /* zeros above */
        else
            x86_load_cell(g, x, p->cell, as_float[from]);
        unsigned op = to == IR_V128 ? OP_0F | 0x29 : (type_size(to) == 8 ? OP_F2 : OP_F3) | OP_0F | 0x11;
        emit_rm(&g->a, op, XSCRATCH, slot_mem(g, slot));
    }
}

/* Computing one late value changes RAX, RCX and RDX: what others need of them waits in cells. */
static void keep_leaves(struct gen *g, struct pending *p)
{
    static const int8_t cell_of[] = {[RAX] = CELL_LATE, [RCX] = CELL_LATE + 2, [RDX] = CELL_LATE + 4};
    for (unsigned i = 0; i < p->nleaves; i++) {
        int reg = p->leaf[i].reg;
        if (reg == RAX || reg == RCX || reg == RDX) {
            emit_store(&g->a, true, cell_mem(g, cell_of[reg]), reg);
            p->leaf[i] = (struct place){p->leaf[i].root, NO_REG, cell_of[reg], -1};
        }
    }
}

static void store_pending(struct gen *g, uint32_t first, uint32_t n)
{
    struct pending *p = g->pending + first;
    unsigned nlate = 0;
    for (uint32_t k = 0; k < n; k++)
        if (!p[k].late) {
            store_place(g, p[k].slot, &p[k].leaf[0]);
            if (p[k].raw)
                x86_fix_stored(g, p[k].slot, p[k].leaf[0].reg != NO_REG ? p[k].leaf[0].reg : XMM0 + XSCRATCH, p[k].raw);
        } else if (nlate++)
            keep_leaves(g, &p[k]);
    for (uint32_t k = 0; k < n; k++)
        if (p[k].late)
            x86_store_late(g, p[k].slot, p[k].value, p[k].leaf);
}

/* --- jumps to guest addresses; all state is where the target expects it --- */

static void leave_at(struct gen *g, uint64_t pc)
{
    emit_const(&g->a, RAX, pc, true);
    jump_own(&g->a, g->l, OWN_LEAVE);
}

/* Jumps to the prologue if cc. */
static void jcc_own(struct gen *g, enum x86_cc cc, enum own own)
{
    uint8_t *jump = emit_jcc_forward(&g->a, cc);
    struct stub *s = x86_stub(g, STUB_OWN);
    s->jump = jump;
    s->own = own;
}

/* Tells who wants to know of the distance that was emitted last. */
static void ref(struct gen *g, enum ref_kind kind, struct code_exit *exit, uint64_t pc)
{
    if (g->ctx->ref)
        g->ctx->ref(g->ctx->opaque, &(struct code_ref){g->a.p - g->a.start, kind, exit, pc});
}

/* JMP or CALL through a cell that will be linked. */
static struct code_exit *through_cell(struct gen *g, uint64_t pc, bool call)
{
    struct code_exit *e = g->ctx->new_exit(g->ctx->opaque, pc);
    if (!e) {
        x86_stop(g, &g->failed);
        return NULL;
    }
    emit_rip(&g->a, 0xff, call ? 2 : 4, &e->slot, 0);
    ref(g, call ? REF_CALL : REF_JUMP, e, pc);
    return e;
}

/* Where the exit leads as long as it is not linked: behind the jump, or what follows the call. */
static void leave_unlinked(struct gen *g, struct code_exit *e)
{
    if (!e)
        return;
    e->unlinked = asm_exec(&g->a);
    if (!atomic_load_explicit(&e->slot, memory_order_relaxed))
        atomic_store_explicit(&e->slot, e->unlinked, memory_order_relaxed);
    emit_rip(&g->a, 0x8d | OP_W, RAX, e, 0);
    ref(g, REF_CELL, e, e->pc);
    jump_own(&g->a, g->l, OWN_UNLINKED);
}

void x86_count_entry(struct gen *g)
{
    g->counter = g->ctx->new_counter(g->ctx->opaque);
    if (!g->counter)
        return;
    emit_rip(&g->a, 0xff, 1, g->counter, 0); /* DEC */
    ref(g, REF_COUNTER, NULL, g->u->pc);
    x86_stub(g, STUB_PROMOTE)->jump = emit_jcc_forward(&g->a, X_S);
}

void x86_count_insns(struct gen *g)
{
    emit_alu_mem_imm(&g->a, ALU_SUB, false, state_mem(g->l->budget), (int32_t)g->u->ninsns);
    x86_stub(g, STUB_BUDGET)->jump = emit_jcc_forward(&g->a, X_S);
}

/*
 * Behind a TLB, what lies in another page may change without this page's changing. An instruction this near the page's
 * end may reach into the next one. (Longer instructions that do are found by the run loop.)
 */
static bool other_page(const struct gen *g, uint64_t pc)
{
    enum { NEAR = 3 };
    return g->ctx->tlb && ((pc ^ g->u->pc) >> TLB_PAGE_SHIFT || (pc + NEAR) >> TLB_PAGE_SHIFT != pc >> TLB_PAGE_SHIFT);
}

static uint8_t *known_entry(struct gen *g, uint64_t pc)
{
    if (pc == g->u->pc)
        return g->entry;
    if (other_page(g, pc))
        return NULL;
    return g->ctx->lookup(g->ctx->opaque, pc);
}

static void ref_unit(struct gen *g, uint64_t pc)
{
    if (pc != g->u->pc)
        ref(g, REF_UNIT, NULL, pc);
}

static void push_pc(struct gen *g, uint64_t pc);
static void after_call(struct gen *g, uint64_t pc);

/* Goes to where the thread's table says that the pc in RAX is, or leaves. */
static void through_table(struct gen *g, enum ir_jump kind, uint64_t return_pc)
{
    struct mem entry = {RDX, RCX, 3, 8};
    x86_table_lookup(&g->a, g->l);
    jcc_own(g, X_NE, OWN_LEAVE);
    if (kind == JUMP_CALL) {
        push_pc(g, return_pc);
        emit_rm(&g->a, 0xff, 2, entry);
        after_call(g, return_pc);
    } else {
        emit_rm(&g->a, 0xff, 4, entry);
    }
}

static void jump_to(struct gen *g, uint64_t pc)
{
    if (!g->ctx->chain) {
        leave_at(g, pc);
        return;
    }
    uint8_t *to = known_entry(g, pc);
    if (to) {
        emit_jmp(&g->a, to);
        ref_unit(g, pc);
    } else if (other_page(g, pc)) {
        emit_const(&g->a, RAX, pc, true);
        through_table(g, JUMP_PLAIN, 0);
    } else {
        leave_unlinked(g, through_cell(g, pc, false));
    }
}

static bool is_backward(uint64_t from, uint64_t to) { return to <= from; }

static void test_request(struct gen *g)
{
    emit_alu_mem_imm(&g->a, ALU_CMP, false, state_mem(g->l->exit_request), 0);
}

/* Leaves with the pc if the thread is asked to. */
static void poll(struct gen *g, uint64_t pc)
{
    test_request(g);
    uint8_t *jump = emit_jcc_forward(&g->a, X_NE);
    struct stub *s = x86_stub(g, STUB_LEAVE);
    s->jump = jump;
    s->pc = pc;
}

/* Everything of an exit behind its pending stores. */
static void exit_tail(struct gen *g, uint64_t from, uint64_t pc)
{
    if (g->loop)
        x86_loop_leave(g);
    if (g->ctx->chain && is_backward(from, pc))
        poll(g, pc);
    jump_to(g, pc);
}

/* The unit's own label for the pc, or NULL. */
static struct label *find_label(const struct gen *g, uint64_t pc)
{
    for (uint32_t i = 0; i < g->nlabels; i++)
        if (g->label[i].pc == pc)
            return &g->label[i];
    return NULL;
}

static void use_label(struct gen *g, const struct label *l, uint8_t *place)
{
    *GROW(g->label_uses, g->nlabel_uses, g->max_label_uses) = (struct label_use){place, l->pc};
}

/* To a label, registers kept. */
static void jump_inside(struct gen *g, const struct label *l)
{
    struct raw_pins raw = x86_raw_pins(g);
    x86_fix_pins(g, &raw);
    if (!l->at) {
        use_label(g, l, emit_jmp_forward(&g->a));
        return;
    }
    test_request(g);
    emit_jcc(&g->a, X_E, g->a.exec + (l->at - g->a.start));
    uint8_t *jump = emit_jmp_forward(&g->a);
    struct stub *s = x86_stub(g, STUB_LEAVE);
    s->jump = jump;
    s->pc = l->pc & ~(uint64_t)IR_OWN;
    s->loop = g->loop != NULL;
}

uint32_t x86_label_offset(const struct gen *g, uint64_t pc)
{
    return find_label(g, pc)->at - g->a.start;
}

void x86_label(struct gen *g, const struct ir_inst *in)
{
    struct label *l = find_label(g, in->imm);
    if (g->unreachable)
        ra_abandon(g);
    else
        ra_settle(g, in->ir_dead);
    g->unreachable = false;
    if (!l) /* labels are for loops that are kept inside */
        return;
    l->at = g->a.p;
    for (uint32_t i = 0; i < g->nlabel_uses; i++)
        if (g->label_uses[i].pc == l->pc)
            patch_here(&g->a, g->label_uses[i].place);
}

static void push_pc(struct gen *g, uint64_t pc)
{
    if (pc == (uint64_t)(int64_t)(int32_t)pc) {
        emit8(&g->a, 0x68);
        emit32(&g->a, pc);
    } else {
        emit_const(&g->a, RSI, pc, true);
        emit_push(&g->a, RSI);
    }
}

static void after_call(struct gen *g, uint64_t pc)
{
    const struct label *l = g->borders ? find_label(g, pc) : NULL;
    const struct ir_inst *next = &g->u->inst[g->i + 1];
    emit_alu_imm(&g->a, ALU_ADD, true, RSP, 8);
    if (!l)
        jump_to(g, pc);
    else if (l->at)
        emit_jmp(&g->a, g->a.exec + (l->at - g->a.start));
    else if (g->i + 1 >= g->u->n || next->op != IR_LABEL || (uint64_t)next->imm != pc)
        use_label(g, l, emit_jmp_forward(&g->a));
}

static void exit_goto(struct gen *g, const struct ir_inst *in)
{
    uint32_t n, first = ra_pending(g, in->ir_dead, &n);
    uint64_t pc = in->imm;
    const struct label *l = in->ir_sub == JUMP_PLAIN ? find_label(g, pc) : NULL;
    store_pending(g, first, n);
    if (l) {
        jump_inside(g, l);
        return;
    }
    x86_settle_pins(g);
    if (in->ir_sub == JUMP_CALL && g->ctx->chain) {
        if (g->loop)
            x86_loop_leave(g);
        if (is_backward(g->pc, pc))
            poll(g, pc);
        if (other_page(g, pc)) {
            emit_const(&g->a, RAX, pc, true);
            through_table(g, JUMP_CALL, in->imm2);
            return;
        }
        push_pc(g, in->imm2);
        uint8_t *to = known_entry(g, pc);
        struct code_exit *e = NULL;
        if (to) {
            emit_call(&g->a, to);
            ref_unit(g, pc);
        } else {
            e = through_cell(g, pc, true);
        }
        if (e)
            x86_stub(g, STUB_UNLINKED)->exit = e;
        after_call(g, in->imm2);
    } else {
        exit_tail(g, g->pc, pc);
    }
}

/* Inline: not taken means over it; without anything to do on the way it is one jump. */
static void jump_inside_if(struct gen *g, const struct ir_inst *in, const struct label *l, enum x86_cc cc, int parity)
{
    struct asmbuf *a = &g->a;
    uint32_t n, first = ra_pending(g, in->ir_dead, &n);
    struct raw_pins raw = x86_raw_pins(g);
    bool bare = !n && !l->at && !(raw.mask[0] | raw.mask[1] | raw.mask[2]);
    uint8_t *over2 = parity == 1 ? emit_jcc_forward(a, X_P) : NULL;
    uint8_t *take = parity == 2 ? emit_jcc_forward(a, X_P) : NULL;
    if (bare) {
        if (take)
            use_label(g, l, take);
        use_label(g, l, emit_jcc_forward(a, cc));
    } else {
        uint8_t *over = emit_jcc_forward(a, cc ^ 1);
        if (take)
            patch_here(a, take);
        store_pending(g, first, n);
        jump_inside(g, l);
        patch_here(a, over);
    }
    if (over2)
        patch_here(a, over2);
}

void x86_exit_if(struct gen *g, const struct ir_inst *in, enum x86_cc cc, int parity)
{
    struct asmbuf *a = &g->a;
    uint64_t pc = in->imm;
    uint32_t n, first = ra_pending(g, in->ir_dead, &n);
    uint8_t *skip = parity == 1 ? emit_jcc_forward(a, X_P) : NULL;
    bool bare = !n && !g->loop && g->ctx->chain && !is_backward(g->pc, pc);
    uint8_t *to = bare ? known_entry(g, pc) : NULL;
    if (to) {
        if (parity == 2) {
            emit_jcc(a, X_P, to);
            ref_unit(g, pc);
        }
        emit_jcc(a, cc, to);
        ref_unit(g, pc);
    } else {
        uint8_t *jump2 = parity == 2 ? emit_jcc_forward(a, X_P) : NULL;
        uint8_t *jump = emit_jcc_forward(a, cc);
        struct stub *s = x86_stub(g, STUB_EXIT);
        s->jump = jump;
        s->back = jump2;
        s->from = g->pc;
        s->pc = pc;
        s->first = first;
        s->n = n;
        s->raw_pins = x86_raw_pins(g);
    }
    if (skip)
        patch_here(a, skip);
}

static void exit_goto_if(struct gen *g, const struct ir_inst *in)
{
    int parity;
    enum x86_cc cc = x86_compare(g, in, &parity);
    const struct label *l = find_label(g, in->imm);
    if (l)
        jump_inside_if(g, in, l, cc, parity);
    else
        x86_exit_if(g, in, cc, parity);
}

static void exit_goto_ind(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    /* The target must survive the stores, which use RAX, RCX, RDX, and the change of pins behind a loop. */
    x86_settle_pins(g);
    int t = ra_use(g, in->arg[0]);
    if (t == RAX || t == RCX || t == RDX || g->loop) {
        if (t != RDI)
            ra_take(g, RDI);
        t = ra_use(g, in->arg[0]); /* it may have moved */
        emit_mov(a, true, RDI, t);
        t = RDI;
    }
    uint32_t n, first = ra_pending(g, 0, &n);
    store_pending(g, first, n);
    if (g->loop)
        x86_loop_leave(g);
    emit_mov(a, true, RAX, t);
    if (!g->ctx->chain) {
        jump_own(a, g->l, OWN_LEAVE);
        return;
    }
    if (in->ir_sub == JUMP_RETURN) {
        emit_rm(a, 0x39 | OP_W, RAX, MEM(RSP, 8));
        jcc_own(g, X_NE, OWN_RETURN_MISS);
        emit8(a, 0xc3);
        return;
    }
    test_request(g);
    jcc_own(g, X_NE, OWN_LEAVE);
    through_table(g, in->ir_sub, in->imm2);
}

/* exec/code.h: entry i = JUMP_HASH(pc, mask), 16 bytes each: {pc, host address}. */
void x86_table_lookup(struct asmbuf *a, const struct host_layout *l)
{
    emit_mov(a, true, RCX, RAX);
    emit_shift_imm(a, SHIFT_SHR, true, RCX, 13);
    emit_load(a, true, RDX, state_mem(l->jump_table));
    emit_alu(a, ALU_XOR, false, RCX, RAX);
    emit_rm(a, 0x23, RCX, MEM(RDX, -8));
    emit_rm(a, 0x39 | OP_W, RAX, (struct mem){RDX, RCX, 3, 0});
}

static void exit_trap(struct gen *g, const struct ir_inst *in)
{
    x86_settle_pins(g);
    uint32_t n, first = ra_pending(g, 0, &n);
    store_pending(g, first, n);
    if (g->loop)
        x86_loop_leave(g);
    emit_rm(&g->a, 0xc7, 0, state_mem(g->l->exit_reason));
    emit32(&g->a, in->ir_sub);
    emit_const(&g->a, RAX, in->imm2, true);
    emit_store(&g->a, true, state_mem(g->l->exit_detail), RAX);
    leave_at(g, in->imm);
}

bool isel_exit(struct gen *g, const struct ir_inst *in)
{
    g->unreachable = ir_facts[in->op].props & IR_P_EXIT;
    switch (in->op) {
    case IR_GOTO: exit_goto(g, in); return true;
    case IR_GOTO_IF: exit_goto_if(g, in); return true;
    case IR_GOTO_IND: exit_goto_ind(g, in); return true;
    case IR_TRAP: exit_trap(g, in); return true;
    default: return false;
    }
}

/* --- stubs --- */

void x86_emit_stubs(struct gen *g)
{
    struct asmbuf *a = &g->a;
    for (uint32_t i = 0; i < g->nstubs && asm_fits(a); i++) { /* stubs make further stubs */
        struct stub s = g->stubs[i];
        if (s.jump)
            patch_here(a, s.jump);
        switch (s.kind) {
        case STUB_EXIT:
            if (s.back)
                patch_here(a, s.back);
            store_pending(g, s.first, s.n);
            x86_fix_pins(g, &s.raw_pins);
            exit_tail(g, s.from, s.pc);
            break;
        case STUB_LEAVE:
            if (s.loop)
                x86_loop_leave(g);
            leave_at(g, s.pc);
            break;
        case STUB_NAN:
            x86_emit_nan(g, &s);
            break;
        case STUB_OWN:
            jump_own(a, g->l, s.own);
            break;
        case STUB_PROMOTE:
            g->promote = through_cell(g, g->u->pc, false);
            leave_unlinked(g, g->promote);
            break;
        case STUB_BUDGET:
            emit_alu_mem_imm(a, ALU_ADD, false, state_mem(g->l->budget), (int32_t)g->u->ninsns);
            leave_at(g, g->u->pc);
            break;
        case STUB_UNLINKED:
            leave_unlinked(g, s.exit);
            break;
        case STUB_SLOW:
            x86_emit_slow(g, &s);
            break;
        }
    }
}
