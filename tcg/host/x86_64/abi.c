/*
 * Where generated code meets C: the code in front of all units (entering, leaving), helper calls by the System V ABI
 * (AMD64 supplement, 3.2), and ops done by the interpreter's functions.
 */
#include <stdatomic.h>

#include "base/softfloat.h"
#include "tcg/eval.h"
#include "tcg/host/x86_64/gen.h"

#define CALLER_SAVED (CALLER_SAVED_GPRS | 0xffff0000u)

/* --- ops done by C --- */

static void slow_op(char *state, const struct slow_inst *slow, const struct ir_guest *guest,
                    const struct host_layout *l, const struct host_registers *regs)
{
    const struct ir_inst *in = &slow->in;
    union ir_value v[IR_MAX_ARGS] = {0}, out = {0};
    const union ir_value *arg[IR_MAX_ARGS];
    for (unsigned k = 0; k < IR_MAX_ARGS; k++) {
        arg[k] = &v[k];
        if (k >= ir_nargs(in))
            continue;
        memcpy(&v[k], state + l->spill + 8 * (CELL_ARG + 2 * k), type_size(ir_arg_type(in, k)));
    }
    if (ir_props(in) & (IR_P_LOAD | IR_P_STORE)) {
        host_access_fn *access;
        memcpy(&access, state + l->slow_access, sizeof access);
        access(state, &(struct host_access){in, v, &out, slow->fault_off, regs});
    } else if (!ir_eval_int(in, arg[0], arg[1], arg[2], arg[3], &out) && !ir_eval_vector(in, arg, &out)) {
        uint32_t *mxcsr = (uint32_t *)(state + l->mxcsr);
        struct fp_env env = ir_fp_env(*mxcsr, guest->fp);
        if (!ir_eval_fp(in, arg, &env, &out))
            BUG("the x86-64 back end does not know the op %s", ir_ops[in->op].name);
        *mxcsr |= ir_mxcsr_flags(env.flags);
    }
    memcpy(state + l->spill + 8 * CELL_RESULT, &out, 16);
}

static void store_arg(struct gen *g, const struct ir_inst *in, unsigned k, int reg)
{
    struct mem m = cell_mem(g, CELL_ARG + 2 * k);
    uint64_t c;
    if (reg == NO_REG) {
        CHECK(ra_const(g, in->arg[k], &c));
        for (unsigned half = 0; half < 2; half++, m.disp += 4) {
            emit_rm(&g->a, 0xc7, 0, m);
            emit32(&g->a, c >> 32 * half);
        }
    } else if (is_xmm(reg))
        emit_rm(&g->a, OP_0F | 0x29, reg - XMM0, m);
    else
        emit_store(&g->a, true, m, reg);
}

/* Pushes the distance to the instruction and calls; the copy of the instruction follows the unit's other code. */
static void call_slow(struct gen *g, uint32_t inst, uint32_t fault_off, int dst)
{
    struct asmbuf *a = &g->a;
    emit8(a, 0x68);
    emit32(a, 0);
    uint8_t *place = a->p;
    emit_rm(a, 0xff, 2, state_mem(g->l->own + 8 * OWN_SLOW));
    *GROW(g->slow_uses, g->nslow_uses, g->max_slow_uses) = (struct slow_use){place, a->p, inst, fault_off};
    struct mem m = cell_mem(g, CELL_RESULT);
    if (dst == NO_REG)
        return;
    if (is_xmm(dst))
        emit_rm(a, OP_0F | 0x28, dst - XMM0, m);
    else
        emit_load(a, true, dst, m);
}

void x86_emit_slow_insts(struct gen *g)
{
    struct asmbuf *a = &g->a;
    for (uint32_t i = 0; i < g->nslow_uses && asm_fits(a); i++) {
        emit_align(a, 8);
        int32_t offset = a->p - g->slow_uses[i].from;
        const struct slow_inst slow = {g->u->inst[g->slow_uses[i].inst], g->slow_uses[i].fault_off};
        for (size_t k = 0; k < sizeof slow; k++)
            emit8(a, ((const uint8_t *)&slow)[k]);
        memcpy(g->slow_uses[i].place - 4, &offset, 4);
    }
}

void isel_slow(struct gen *g, const struct ir_inst *in)
{
    for (unsigned k = 0, n = ir_nargs(in); k < n; k++)
        if (in->arg[k] != IR_NONE)
            store_arg(g, in, k, ra_use(g, in->arg[k]));
    int d = ir_result_type(in) == IR_VOID ? NO_REG : ra_def_over(g); /* may move what the fault point tells of */
    uint32_t fault_off = 0;
    if (ir_props(in) & IR_P_FAULT) {
        fault_off = g->a.p - g->a.start;
        x86_fault_point(g);
    }
    call_slow(g, g->i, fault_off, d);
}

void x86_slow_stub(struct gen *g, uint8_t *jump, int dst, const int8_t src[4])
{
    struct stub *s = x86_stub(g, STUB_SLOW);
    s->jump = jump;
    s->back = g->a.p;
    s->dst = dst;
    s->fault_off = g->nfaults ? g->faults[g->nfaults - 1].host_off : 0;
    memcpy(s->src, src, 4);
}

void x86_emit_slow(struct gen *g, const struct stub *s)
{
    const struct ir_inst *in = &g->u->inst[s->inst];
    for (unsigned k = 0; k < ir_nargs(in); k++)
        if (in->arg[k] != IR_NONE)
            store_arg(g, in, k, s->src[k]);
    call_slow(g, s->inst, s->fault_off, s->dst);
    emit_jmp(&g->a, g->a.exec + (s->back - g->a.start));
}

/* --- helper calls --- */

struct moves {
    unsigned n;
    struct {
        int8_t dst, src;
    } move[IR_CALL_ARGS + 1];
};

static void swap(struct gen *g, int x, int y)
{
    if (is_xmm(x)) {
        x86_move(g, XMM0 + XSCRATCH, x);
        x86_move(g, x, y);
        x86_move(g, y, XMM0 + XSCRATCH);
    } else {
        emit_rr(&g->a, 0x87 | OP_W, x, y);
    }
}

/* All at once: no source is overwritten before it has been read. */
static void parallel(struct gen *g, struct moves *m)
{
    while (m->n) {
        bool progress = false;
        for (unsigned i = 0; i < m->n; i++) {
            bool needed = false;
            for (unsigned j = 0; j < m->n; j++)
                needed |= j != i && m->move[j].src == m->move[i].dst;
            if (needed && m->move[i].dst != m->move[i].src)
                continue;
            x86_move(g, m->move[i].dst, m->move[i].src);
            m->move[i] = m->move[--m->n];
            progress = true;
            break;
        }
        if (!progress) { /* a cycle */
            int dst = m->move[0].dst, src = m->move[0].src;
            swap(g, dst, src);
            for (unsigned j = 1; j < m->n; j++) {
                if (m->move[j].src == dst)
                    m->move[j].src = src;
                else if (m->move[j].src == src)
                    m->move[j].src = dst;
            }
            m->move[0] = m->move[--m->n];
        }
    }
}

static const int8_t int_arg[6] = {RDI, RSI, RDX, RCX, R8, R9};
enum { STACK_ARG = RAX }; /* the seventh travels here until the C stack is there */

static int arg_register(char kind, unsigned *nint, unsigned *nxmm)
{
    if (kind != 'e' && kind != 'i' && kind != 'l')
        return XMM0 + (*nxmm)++;
    unsigned k = (*nint)++;
    return k < 6 ? int_arg[k] : STACK_ARG;
}

static bool marshal(struct gen *g, const struct ir_inst *in)
{
    struct moves m = {0};
    unsigned nint = 0, nxmm = 0, k = 0, nmem = 0;
    struct {
        int8_t dst;
        ir_ref v;
    } mem[IR_CALL_ARGS];
    bool with_state = false;
    for (const char *s = in->helper->sig + 2; *s; s++) {
        int dst = arg_register(*s, &nint, &nxmm);
        if (*s == 'e') {
            with_state = true;
            continue;
        }
        ir_ref v = in->arg[k++];
        int reg = g->val[root_of(g, v)].reg;
        if (reg != NO_REG) {
            m.move[m.n].dst = dst;
            m.move[m.n++].src = reg;
        } else {
            mem[nmem].dst = dst;
            mem[nmem++].v = v;
        }
    }
    parallel(g, &m);
    for (unsigned i = 0; i < nmem; i++)
        ra_copy_to(g, mem[i].v, mem[i].dst);
    if (with_state)
        emit_lea(&g->a, true, RDI, state_mem(0));
    return nint > 6;
}

static unsigned helper_index(const struct gen *g, const struct ir_helper *h)
{
    for (unsigned i = 0; i < g->guest->nhelpers; i++)
        if (g->guest->helpers[i] == h)
            return i;
    BUG("the guest does not list its helper %s", h->name);
}

static void store_pc(struct gen *g, uint64_t pc)
{
    for (unsigned half = 0; half < 2; half++) {
        emit_rm(&g->a, 0xc7, 0, state_mem(g->l->pc + 4 * half));
        emit32(&g->a, pc >> 32 * half);
    }
}

static void mxcsr_out(struct asmbuf *a, const struct host_layout *l)
{
    emit_rm(a, OP_0F | 0xae, 3, state_mem(l->mxcsr));   /* STMXCSR */
    emit_rm(a, OP_0F | 0xae, 2, state_mem(l->mxcsr_c)); /* LDMXCSR */
}

static void mxcsr_in(struct asmbuf *a, const struct host_layout *l)
{
    emit_rm(a, OP_0F | 0xae, 2, state_mem(l->mxcsr));
}

void isel_call(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    unsigned effects = in->helper->effects;
    bool faults = effects & HELPER_FAULTS;
    bool writes = faults || effects & HELPER_WRITES_STATE, reads = writes || effects & HELPER_READS_STATE;
    bool fp = faults || effects & HELPER_FP;
    if (reads)
        ra_sync(g);
    if (writes)
        ra_detach(g);
    if (!reads)
        x86_pins_store(g, CALLER_SAVED);
    if (faults)
        store_pc(g, g->pc);
    ra_save_all(g);
    bool on_stack = marshal(g, in);
    ra_release_all(g);
    if (fp)
        mxcsr_out(a, g->l);
    emit_store(a, true, state_mem(g->l->ret_sp), RSP);
    emit_load(a, true, RSP, state_mem(g->l->host_sp));
    if (on_stack) {
        emit_alu_imm(a, ALU_SUB, true, RSP, 16);
        emit_store(a, true, MEM(RSP, 0), STACK_ARG);
    }
    emit_load(a, true, RAX, state_mem(g->l->helpers));
    emit_rm(a, 0xff, 2, MEM(RAX, 8 * (int)helper_index(g, in->helper)));
    emit_load(a, true, RSP, state_mem(g->l->ret_sp));
    if (fp)
        mxcsr_in(a, g->l);
    enum ir_type result = ir_result_type(in);
    if (result == IR_I32)
        emit_mov(a, false, RAX, RAX);
    if (result != IR_VOID)
        ra_bind(g, in_xmm(result) ? XMM0 : RAX);
    if (writes)
        ra_forget(g);
    else
        x86_pins_load(g, CALLER_SAVED);
}

/* --- the prologue --- */

static const int8_t callee_saved[] = {RBP, RBX, R12, R13, R14, R15};

static void move_pins(struct asmbuf *a, const struct ir_guest *guest, bool store)
{
    int8_t pin[MAX_SLOTS];
    x86_global_pins(guest, pin);
    for (unsigned s = 0; s < guest->nslots; s++)
        if (pin[s] != NO_REG)
            emit_rm(a, (store ? 0x89 : 0x8b) | OP_W, pin[s], state_mem(guest->slots[s].offset));
}

/* All registers are kept, in a struct host_registers on the C stack. */
static void emit_slow_entry(struct asmbuf *a, const struct ir_guest *guest, const struct host_layout *l)
{
    enum { VECTORS = offsetof(struct host_registers, vector) };
    _Static_assert(sizeof(struct host_registers) % 16 == 0, "the C stack stays aligned");
    emit_store(a, true, state_mem(l->ret_sp), RSP);
    emit_load(a, true, RSP, state_mem(l->host_sp));
    emit_lea(a, true, RSP, MEM(RSP, -(int)sizeof(struct host_registers)));
    for (int r = 0; r < NGPR; r++)
        emit_store(a, true, MEM(RSP, 8 * r), r);
    for (int x = 0; x < NXMM; x++)
        emit_rm(a, OP_0F | 0x11, x, MEM(RSP, VECTORS + 16 * x)); /* MOVUPS */
    mxcsr_out(a, l);
    emit_load(a, true, RCX, state_mem(l->ret_sp)); /* there: return address, distance */
    emit_rm(a, 0x63 | OP_W, RSI, MEM(RCX, 8)); /* MOVSXD */
    emit_rm(a, 0x03 | OP_W, RSI, MEM(RCX, 0));
    emit_lea(a, true, RDI, state_mem(0));
    emit_const(a, RDX, (uintptr_t)guest, true);
    emit_const(a, RCX, (uintptr_t)l, true);
    emit_mov(a, true, R8, RSP);
    emit_const(a, RAX, (uintptr_t)slow_op, true);
    emit_rr(a, 0xff, 2, RAX);
    mxcsr_in(a, l);
    for (int x = 0; x < NXMM; x++)
        emit_rm(a, OP_0F | 0x10, x, MEM(RSP, VECTORS + 16 * x));
    for (int r = 0; r < NGPR; r++)
        if (CALLER_SAVED_GPRS >> r & 1)
            emit_load(a, true, r, MEM(RSP, 8 * r));
    emit_load(a, true, RSP, state_mem(l->ret_sp));
    emit8(a, 0xc2); /* RET 8 */
    emit8(a, 8);
    emit8(a, 0);
}

size_t x86_emit_prologue(uint8_t *buf, uint8_t *exec, const struct ir_guest *guest, const struct host_layout *l,
                         struct host_entry *out)
{
    struct asmbuf buffer = {.start = buf, .p = buf, .end = buf + PROLOGUE_ROOM, .exec = exec}, *a = &buffer;
    /* enter(RDI: state, RSI: code) */
    out->enter = (void (*)(void *, void *))(uintptr_t)asm_exec(a);
    for (unsigned i = 0; i < ARRAY_SIZE(callee_saved); i++)
        emit_push(a, callee_saved[i]);
    emit_alu_imm(a, ALU_SUB, true, RSP, 8);
    emit_lea(a, true, RBP, MEM(RDI, STATE_MIDDLE));
    emit_store(a, true, state_mem(l->host_sp), RSP);
    mxcsr_in(a, l);
    move_pins(a, guest, false);
    emit_load(a, true, RSP, state_mem(l->ret_sp));
    emit_rr(a, 0xff, 4, RSI);

    emit_align(a, 16);
    out->own[OWN_UNLINKED] = asm_exec(a);
    emit_store(a, true, state_mem(l->last_exit), RAX);
    emit_load(a, true, RCX, MEM(RAX, offsetof(struct code_exit, pc)));
    emit_store(a, true, state_mem(l->pc), RCX);
    uint8_t *leave = emit_jmp_forward(a);

    emit_align(a, 16);
    out->own[OWN_LEAVE] = asm_exec(a);
    emit_store(a, true, state_mem(l->pc), RAX);
    emit_rm(a, 0xc7 | OP_W, 0, state_mem(l->last_exit));
    emit32(a, 0);
    patch_here(a, leave);
    move_pins(a, guest, true);
    out->leave_recovered = asm_exec(a);
    mxcsr_out(a, l);
    emit_store(a, true, state_mem(l->ret_sp), RSP);
    emit_load(a, true, RSP, state_mem(l->host_sp));
    emit_alu_imm(a, ALU_ADD, true, RSP, 8);
    for (unsigned i = ARRAY_SIZE(callee_saved); i-- > 0;)
        emit_pop(a, callee_saved[i]);
    emit8(a, 0xc3);

    emit_align(a, 16);
    out->own[OWN_RETURN_MISS] = asm_exec(a);
    emit_load(a, true, RSP, state_mem(l->ret_stack));
    emit_alu_imm(a, ALU_ADD, true, RSP, l->ret_base);
    emit_alu_mem_imm(a, ALU_CMP, false, state_mem(l->exit_request), 0);
    emit_jcc(a, X_NE, out->own[OWN_LEAVE]);
    x86_table_lookup(a, l);
    emit_jcc(a, X_NE, out->own[OWN_LEAVE]);
    emit_rm(a, 0xff, 4, (struct mem){RDX, RCX, 3, 8});

    emit_align(a, 16);
    out->own[OWN_SLOW] = asm_exec(a);
    emit_slow_entry(a, guest, l);
    CHECK(a->p <= a->end);
    return a->p - a->start;
}
