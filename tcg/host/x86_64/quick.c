/*
 * Quick units of integer ops, which most are: one pass backward instead of plan.c's two, and the common ops the short
 * way. Both work on the state that the rest of the back end knows, so any other integer op, and whatever is not simple
 * (no free register, flags computed late, operands in spill cells), goes through the general functions of regalloc.c
 * and isel-*.c.
 *
 * What plan.c does besides is not done: values are found through their roots when the pass forward comes to them, a
 * difference is not used for the comparison of its operands, and a result's register is not wished for its operands.
 */
#include "tcg/host/x86_64/gen.h"

/* --- backward: what is needed, until when, and in which pin it is to be made --- */

/* Units with ops that are NOT_HERE go the general way. */
enum class { NOT_HERE, NOTHING, CONSTANT, READ, WRITE, PURE, SAME_BITS, FLAGS, EFFECT };
static const struct {
    uint8_t class;
    uint8_t type;  /* of the result, where it is not the instruction's */
    bool compares; /* has a condition, which may be one of floats */
    bool looks;    /* at the state, or may */
} ops[IR_OP_COUNT] = {
    [IR_NOP] = {CONSTANT},
    [IR_INSN] = {NOTHING},
    [IR_CONST] = {CONSTANT},
    [IR_GET] = {READ},
    [IR_PUT] = {WRITE},
    [IR_ADD ... IR_DEPOSIT] = {PURE},
    [IR_ZEXT] = {SAME_BITS, IR_I64},
    [IR_SEXT] = {PURE, IR_I64},
    [IR_TRUNC] = {SAME_BITS, IR_I32},
    [IR_SETCC] = {PURE, IR_I32, .compares = true},
    [IR_SELCC] = {PURE, .compares = true},
    [IR_ADC] = {PURE},
    [IR_CARRY] = {PURE, IR_I32},
    [IR_NZCV_ADC ... IR_NZCV_LOGIC] = {FLAGS, IR_I32},
    [IR_LD] = {EFFECT, .looks = true},
    [IR_ST] = {EFFECT, .looks = true},
    [IR_FENCE] = {EFFECT},
    [IR_CAS ... IR_AUMAX] = {EFFECT, .looks = true},
    [IR_GOTO] = {EFFECT, .looks = true},
    [IR_GOTO_IF] = {EFFECT, .looks = true, .compares = true},
    [IR_GOTO_IND] = {EFFECT, .looks = true},
    [IR_TRAP] = {EFFECT, .looks = true},
};

struct plan {
    struct value *val;
    const struct ir_inst *inst;
    struct {
        ir_ref value;   /* to be PUT in the pin next, and may be made there, */
        uint32_t since; /* if this is `now` */
    } wanted[NGPR];
    uint32_t now; /* rises at whatever looks at the state */
};

static inline void need(struct plan *p, ir_ref v, uint32_t at)
{
    uint32_t *last = &p->val[v].last;
    *last = *last < at ? at : *last;
}

static inline void need_args(struct plan *p, const struct ir_inst *in, uint32_t at)
{
    need(p, in->arg[0], at); /* those that are not there are IR_NONE */
    need(p, in->arg[1], at);
    need(p, in->arg[2], at);
    if (UNLIKELY(in->op == IR_SELCC))
        need(p, in->arg[3], at);
}

/* The register of a 32-bit value has zeros above, but where it is half of a 64-bit one. */
static inline bool shares(const struct ir_inst *inst, const struct ir_inst *in)
{
    return in->op == IR_TRUNC || inst[in->arg[0]].op != IR_TRUNC;
}

/* `until`: where the value is written over at the latest. */
static void plan_put(struct gen *g, struct plan *p, ir_ref r, const struct ir_inst *in)
{
    ir_ref v = in->arg[0];
    int pin = g->slot[in->ir_slot_].pin;
    const struct ir_inst *made = &p->inst[v];
    if (pin == NO_REG) {
        if (ops[made->op].class == FLAGS)
            p->val[v].result = g->u->n; /* this long its operands stay */
        else
            need(p, v, r);
        return;
    }
    need(p, v, r);
    if (made->op == IR_ZEXT && shares(p->inst, made))
        v = made->arg[0];
    p->wanted[pin].value = v;
    p->wanted[pin].since = p->now;
    p->val[v].hint = pin;
}

bool x86_quick_plan(struct gen *g)
{
    static const struct value fresh = {.reg = NO_REG, .hint = NO_REG, .hint_slot = -1, .cell = -1, .home = -1};
    uint32_t n = g->u->n, first = n;
    struct plan p; /* what is wanted is read only where it has been written */
    ir_ref *todo = g->todo;
    p.val = g->val;
    p.inst = g->u->inst;
    p.now = 1;
    for (ir_ref r = 0; r < n; r++)
        p.val[r] = fresh;
    const struct ir_inst *in = &p.inst[n];
    struct value *v = &p.val[n];
    for (ir_ref r = n; r-- > 1;) {
        in--;
        v--;
        unsigned type = ops[in->op].type;
        bool needed = v->last;
        v->root = r;
        v->type = type ? type : in->type;
        if (UNLIKELY((in->type >= IR_F32) | (ops[in->op].compares & (in->cc >= CC_FOEQ))) && in->op != IR_CONST)
            return false; /* constants of other types are read by nobody in units of integers */
        if (v->hint != NO_REG && (p.wanted[v->hint].value != r || p.wanted[v->hint].since != p.now))
            v->hint = NO_REG;
        switch ((enum class)ops[in->op].class) {
        case NOT_HERE: return false;
        case NOTHING: needed = true; break;
        case CONSTANT: needed = false; break;
        case READ: {
            int pin = g->slot[in->ir_slot_].pin;
            if (pin != NO_REG)
                p.wanted[pin].value = IR_NONE;
            break;
        }
        case WRITE:
            plan_put(g, &p, r, in);
            needed = true;
            break;
        case SAME_BITS:
            if (needed)
                need(&p, in->arg[0], shares(p.inst, in) ? v->last : r);
            break;
        case PURE:
            if (needed)
                need_args(&p, in, r);
            break;
        case FLAGS:
            if (needed) /* somebody wants them as a value */
                return false;
            if (v->result) {
                v->last = v->result;
                v->late = true;
                v->result = IR_NONE;
                need_args(&p, in, v->last);
            }
            break;
        case EFFECT:
            p.now += ops[in->op].looks;
            need_args(&p, in, r);
            needed = true;
            break;
        }
        todo[first - 1] = r;
        first -= needed;
    }
    g->first_todo = first;
    p.val[IR_NONE] = fresh;
    p.val[IR_NONE].last = UINT32_MAX;
    return true;
}

/* --- forward --- */

static inline struct value *root_value(struct gen *g, ir_ref v) { return &g->val[g->val[v].root]; }

/* As ra_use(). */
static inline int use(struct gen *g, ir_ref v)
{
    int reg = root_value(g, v)->reg;
    if (UNLIKELY(reg == NO_REG))
        return ra_use(g, v);
    g->locked |= 1u << reg;
    return reg;
}

/* A register for the result; over: it may be that of an operand which dies here. */
static inline int define(struct gen *g, bool over)
{
    int reg = g->val[g->i].hint;
    if (reg != NO_REG) {
        if (g->held[reg])
            return over ? ra_def_over(g) : ra_def(g);
    } else {
        uint32_t may = g->temps & ~g->locked & ~g->full & 0xffff;
        if (UNLIKELY(!may))
            return ra_def(g);
        reg = __builtin_ctz(may);
    }
    ra_hold(g, reg, g->i);
    g->locked |= 1u << reg;
    return reg;
}

static inline void forget_over(struct gen *g, ir_ref v)
{
    ir_ref root = g->val[v].root;
    struct value *value = &g->val[root];
    if (value->last > g->i)
        return;
    if (value->reg != NO_REG)
        ra_release(g, value->reg);
    if (value->home >= 0) {
        g->slot[value->home].homed = IR_NONE;
        value->home = -1;
    }
    if (UNLIKELY(value->cell >= 0))
        ra_leave_cell(g, root);
}

/* As ra_step(): operands as many as the op has. */
static inline void step(struct gen *g, const struct ir_inst *in, unsigned n)
{
    g->locked = 0;
    for (unsigned k = 0; k < n; k++)
        forget_over(g, in->arg[k]);
}

static void general(struct gen *g, const struct ir_inst *in)
{
    if (!isel_int(g, in) && !isel_mem(g, in) && !isel_exit(g, in))
        isel_slow(g, in);
    ra_step(g, in);
}

static void get(struct gen *g, const struct ir_inst *in)
{
    unsigned slot = in->ir_slot_;
    struct slot_state *s = &g->slot[slot];
    if (s->pin != NO_REG && !g->held[s->pin]) {
        ra_hold(g, s->pin, g->i);
    } else if (s->pin == NO_REG && !s->homed && !s->dirty) {
        ra_touch(g, slot);
        s->homed = g->i;
        g->val[g->i].home = slot;
    } else {
        ra_get(g, in);
        ra_step(g, in);
    }
}

static bool put_pin(struct gen *g, ir_ref v, int pin)
{
    ir_ref root = g->val[v].root;
    const struct ir_inst *in = &g->u->inst[root];
    int from = g->val[root].reg;
    if (from == pin)
        return true;
    if (g->held[pin]) {
        if (g->val[g->held[pin]].last > g->i)
            return false;
        ra_release(g, pin);
    }
    if (from != NO_REG) {
        emit_mov(&g->a, true, pin, from);
        if (g->is_pin[from])
            return true;
        ra_release(g, from);
    } else if (in->op == IR_CONST) {
        emit_const(&g->a, pin, in->type == IR_I32 ? (uint32_t)in->imm : (uint64_t)in->imm, true);
    } else {
        ra_copy_to(g, v, pin);
    }
    ra_hold(g, pin, root);
    return true;
}

static bool put_memory(struct gen *g, ir_ref v, unsigned slot)
{
    struct slot_state *s = &g->slot[slot];
    ir_ref root = g->val[v].root;
    const struct ir_inst *in = &g->u->inst[root];
    if (g->val[v].late || s->cur || s->homed)
        return false;
    ra_touch(g, slot);
    if (in->op == IR_CONST) {
        x86_store_const(g, slot, in);
        return true;
    }
    bool wide = g->guest->slots[slot].type == IR_I64;
    emit_store(&g->a, wide, slot_mem(g, slot), use(g, v));
    struct value *value = &g->val[root];
    if (value->last > g->i && value->home < 0 && (wide || value->type == IR_I32)) {
        s->homed = root;
        value->home = slot;
    }
    return true;
}

static void put(struct gen *g, const struct ir_inst *in)
{
    int pin = g->slot[in->ir_slot_].pin;
    if (pin != NO_REG ? !put_pin(g, in->arg[0], pin) : !put_memory(g, in->arg[0], in->ir_slot_)) {
        ra_put(g, in);
        ra_step(g, in);
        return;
    }
    step(g, in, 1);
}

static inline void fault_point(struct gen *g)
{
    if (g->nopen) {
        x86_fault_point(g);
        return;
    }
    int32_t pc = g->pc - g->u->pc;
    *GROW(g->faults, g->nfaults, g->max_faults) = (struct fault_point){.host_off = g->a.p - g->a.start, .pc = pc};
}

/* The operand of an access that needs neither a TLB nor arithmetic first. */
static inline bool address(struct gen *g, const struct ir_inst *in, struct mem *m)
{
    if (g->ctx->tlb || in->mem & (MEM_BE | MEM_ALIGN) || in->imm != (int32_t)in->imm ||
        g->u->inst[in->arg[0]].op == IR_CONST || (in->arg[1] && g->u->inst[in->arg[1]].op == IR_CONST))
        return false;
    *m = (struct mem){.base = use(g, in->arg[0]), .index = NO_REG, .disp = in->imm};
    if (in->arg[1]) {
        m->index = use(g, in->arg[1]);
        m->scale = in->ir_scale;
    }
    return true;
}

static void load(struct gen *g, const struct ir_inst *in)
{
    static const unsigned zeros[] = {OP_0F | 0xb6, OP_0F | 0xb7, 0x8b, 0x8b | OP_W};
    static const unsigned sign[2][4] = {{OP_0F | 0xbe, OP_0F | 0xbf, 0x8b, 0x8b | OP_W},
                                        {OP_0F | 0xbe | OP_W, OP_0F | 0xbf | OP_W, 0x63 | OP_W, 0x8b | OP_W}};
    unsigned size = in->mem & MEM_SIZE;
    struct mem m;
    if (!address(g, in, &m)) {
        general(g, in);
        return;
    }
    int d = define(g, true);
    fault_point(g);
    emit_rm(&g->a, in->mem & MEM_SIGN ? sign[in->type == IR_I64][size] : zeros[size], d, m);
    step(g, in, 2);
    forget_over(g, g->i);
}

static void store(struct gen *g, const struct ir_inst *in)
{
    static const unsigned op[] = {0x88 | OP_B, OP_66 | 0x89, 0x89, 0x89 | OP_W};
    struct mem m;
    if (in->mem & MEM_REL || g->u->inst[in->arg[2]].op == IR_CONST || !address(g, in, &m)) {
        general(g, in);
        return;
    }
    int x = use(g, in->arg[2]);
    fault_point(g);
    emit_rm(&g->a, op[in->mem & MEM_SIZE], x, m);
    step(g, in, 3);
}

/* A register for the result that holds a copy of the operand. */
static int define_copy(struct gen *g, ir_ref v)
{
    struct value *from = root_value(g, v);
    int src = from->reg, hint = g->val[g->i].hint;
    if (src == NO_REG)
        return ra_def_copy(g, v);
    bool dies = from->last <= g->i;
    if (hint == src || (hint == NO_REG && !g->is_pin[src])) {
        if (!dies)
            return ra_def_copy(g, v);
        ra_release(g, src);
        ra_hold(g, src, g->i);
        g->locked |= 1u << src;
        return src;
    }
    g->locked |= 1u << src;
    int d = define(g, false);
    emit_mov(&g->a, true, d, src);
    return d;
}

static bool is_imm(const struct gen *g, const struct ir_inst *in, ir_ref v, int32_t *imm)
{
    const struct ir_inst *c = &g->u->inst[v];
    *imm = (int32_t)c->imm;
    return c->op == IR_CONST && (in->type == IR_I32 || c->imm == *imm);
}

static void alu(struct gen *g, const struct ir_inst *in, enum alu op)
{
    bool w = in->type == IR_I64;
    ir_ref x = in->arg[0], y = in->arg[1];
    int32_t imm;
    if (is_imm(g, in, y, &imm)) {
        const struct value *from = root_value(g, x);
        bool in_place = from->reg == g->val[g->i].hint || (g->val[g->i].hint == NO_REG && from->last <= g->i);
        if (op == ALU_ADD && from->reg != NO_REG && !in_place) {
            int src = use(g, x);
            emit_lea(&g->a, w, define(g, true), MEM(src, imm));
            step(g, in, 1);
            forget_over(g, g->i);
            return;
        }
        emit_alu_imm(&g->a, op, w, define_copy(g, x), imm);
    } else {
        int ry = use(g, y), d = g->val[g->i].hint;
        if (d == ry && root_value(g, x)->reg != ry) { /* general: exchanged, or another register */
            g->locked = 0;
            general(g, in);
            return;
        }
        d = define_copy(g, x);
        ry = root_value(g, y)->reg; /* it may have moved */
        if (UNLIKELY(ry == NO_REG))
            ry = d; /* x op x in place */
        emit_alu(&g->a, op, w, d, ry);
    }
    g->flags_of = g->i;
    g->flags_at = g->a.p;
    step(g, in, 2);
    forget_over(g, g->i);
}

static void extend(struct gen *g, const struct ir_inst *in)
{
    if (shares(g->u->inst, in)) {
        g->val[g->i].root = g->val[in->arg[0]].root;
        return;
    }
    int src = use(g, in->arg[0]);
    emit_mov(&g->a, false, define(g, true), src);
    step(g, in, 1);
    forget_over(g, g->i);
}

static void go_if(struct gen *g, const struct ir_inst *in)
{
    static const uint8_t cc_of[] = {[CC_EQ] = X_E,   [CC_NE] = X_NE,  [CC_LTU] = X_B,  [CC_GEU] = X_AE, [CC_LEU] = X_BE,
                                    [CC_GTU] = X_A,  [CC_LTS] = X_L,  [CC_GES] = X_GE, [CC_LES] = X_LE, [CC_GTS] = X_G,
                                    [CC_TSTEQ] = X_E, [CC_TSTNE] = X_NE};
    const struct ir_inst *y = &g->u->inst[in->arg[1]];
    bool w = in->type2 == IR_I64, zero = y->op == IR_CONST && !y->imm, test = in->cc >= CC_TSTEQ;
    if (test || g->u->inst[in->arg[0]].op == IR_CONST || (y->op == IR_CONST && w && y->imm != (int32_t)y->imm) ||
        (zero && g->flags_of && g->flags_at == g->a.p)) {
        general(g, in);
        return;
    }
    int rx = use(g, in->arg[0]);
    if (zero)
        emit_rr(&g->a, 0x85 | op_w(w), rx, rx);
    else if (y->op == IR_CONST)
        emit_alu_imm(&g->a, ALU_CMP, w, rx, (int32_t)y->imm);
    else
        emit_alu(&g->a, ALU_CMP, w, rx, use(g, in->arg[1]));
    x86_exit_if(g, in, cc_of[in->cc], 0);
    step(g, in, 2);
}

static inline void instruction(struct gen *g, const struct ir_inst *in)
{
    switch (in->op) {
    case IR_INSN: g->pc = in->imm; break;
    case IR_GET: get(g, in); break;
    case IR_PUT: put(g, in); break;
    case IR_LD: load(g, in); break;
    case IR_ST: store(g, in); break;
    case IR_ADD: alu(g, in, ALU_ADD); break;
    case IR_SUB: alu(g, in, ALU_SUB); break;
    case IR_AND: alu(g, in, ALU_AND); break;
    case IR_OR: alu(g, in, ALU_OR); break;
    case IR_XOR: alu(g, in, ALU_XOR); break;
    case IR_TRUNC:
    case IR_ZEXT: extend(g, in); break;
    case IR_GOTO_IF: go_if(g, in); break;
    case IR_GOTO:
    case IR_GOTO_IND:
    case IR_TRAP: isel_exit(g, in); break;
    default: general(g, in);
    }
}

void x86_quick_code(struct gen *g)
{
    const struct ir_inst *inst = g->u->inst;
    for (uint32_t k = g->first_todo, n = g->u->n; k < n && asm_fits(&g->a) && !g->stop; k++) {
        g->i = g->todo[k];
        instruction(g, &inst[g->i]);
    }
}
