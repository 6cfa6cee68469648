/*
 * The passes before: forward, which values share a register; backward, how long values live, which nobody reads, which
 * register each had best be made in, and which flags can be computed late. Before them, which guest registers a loop
 * keeps in host registers.
 */
#include "tcg/host/x86_64/gen.h"

const int8_t global_gpr[GLOBAL_GPRS] = {RBX, R12, R13, R14, R15, R8, R9, R10, R11};

void x86_global_pins(const struct ir_guest *guest, int8_t pin[MAX_SLOTS])
{
    memset(pin, NO_REG, MAX_SLOTS);
    if (!x86.pins)
        return;
    for (unsigned s = 0; s < guest->nslots; s++) {
        unsigned rank = guest->slots[s].rank;
        if (rank && rank <= GLOBAL_GPRS && guest->slots[s].type == IR_I64)
            pin[s] = global_gpr[rank - 1];
    }
}

/* --- roots: which values share a register --- */

static ir_ref find_root(struct gen *g, ir_ref r)
{
    const struct ir_inst *in = &g->u->inst[r];
    ir_ref a = g->val[in->arg[0]].root;
    const struct value *va = &g->val[a];
    switch (in->op) {
    case IR_ZEXT:
        return va->type == IR_I32 ? a : r;
    case IR_TRUNC:
        return a;
    case IR_VLOW:
        return is_float_type(in->type) ? a : r;
    case IR_VZEXT:
        return is_float_type(in->type2) && va->clean && va->type == in->type2 ? a : r;
    default:
        return r;
    }
}

/*
 * Is the register of a float made by this instruction zero beyond the float? Loads and moves from general registers
 * clear it; arithmetic keeps what its first operand has there (isel-fp.c exchanges operands for that).
 */
static bool makes_clean(const struct gen *g, const struct ir_inst *in)
{
    bool a = is_clean(g, in->arg[0]), b = is_clean(g, in->arg[1]), c = is_clean(g, in->arg[2]),
         d = is_clean(g, in->arg[3]);
    switch (in->op) {
    case IR_LD:
    case IR_CONST:
    case IR_BITCAST:
    case IR_STOF:
    case IR_UTOF:
    case IR_FABS: return true;
    case IR_GET: return g->slot[in->ir_slot_].pin == NO_REG; /* a pin may hold more than the slot */
    case IR_FADD:
    case IR_FMUL: return a || b;
    case IR_FMA: return x86.fma && (a || b || c);
    case IR_FSUB:
    case IR_FDIV:
    case IR_FSQRT:
    case IR_FNEG:
    case IR_FEXT: return a;
    case IR_FMIN:
    case IR_FMAX:
    case IR_FMINNUM:
    case IR_FMAXNUM: return a && b;
    case IR_SELCC: return c && d;
    default: return false;
    }
}

/* --- a - b for comparisons and flags of (a, b) --- */

enum { NEAR = 16, NEAR_QUICK = 4 };

/* Does the instruction compute a - b? The builder makes the subtraction of a constant an addition. */
static bool is_difference(const struct gen *g, const struct ir_inst *in, unsigned type, ir_ref a, ir_ref b)
{
    uint64_t x, y;
    if (in->type != type || in->arg[0] != a)
        return false;
    if (in->op == IR_SUB)
        return in->arg[1] == b;
    return in->op == IR_ADD && ra_const(g, in->arg[1], &x) && ra_const(g, b, &y) &&
           (type == IR_I64 ? x + y == 0 : (uint32_t)(x + y) == 0);
}

static ir_ref find_result(const struct gen *g, ir_ref r, unsigned type, const struct ir_inst *in)
{
    uint64_t c;
    ir_ref near = g->ctx->quick ? NEAR_QUICK : NEAR;
    if (ra_const(g, in->arg[1], &c) && !c)
        return IR_NONE;
    for (ir_ref k = r - 1; k > 0 && r - k < near; k--)
        if (is_difference(g, &g->u->inst[k], type, in->arg[0], in->arg[1]))
            return k;
    return IR_NONE;
}

/*
 * What the passes do for an op. Most instructions are PLAIN and take the same way through both, with as few branches as
 * can be: what decides them changes from one instruction to the next, and a wrong guess costs more than the work.
 */
enum class {
    PLAIN,   /* reads its first three operands, where there are so many */
    NOTHING, /* INSN */
    NO_CODE, /* NOP, CONST */
    READ,    /* GET */
    WRITE,   /* PUT */
    OTHER,
};
static const uint8_t class_of[IR_OP_COUNT] = {
    [IR_INSN] = NOTHING, [IR_NOP] = NO_CODE, [IR_CONST] = NO_CODE, [IR_GET] = READ, [IR_PUT] = WRITE,
    [IR_LABEL] = OTHER, [IR_FSETFLAGS] = OTHER, [IR_FFLAGS] = OTHER, [IR_NZCV_FCMP] = OTHER, [IR_CALL] = OTHER,
    [IR_GOTO_IF] = OTHER, [IR_SETCC] = OTHER, [IR_SELCC] = OTHER,
};

/* Has more to begin with than a fresh value. */
static const bool begins[IR_OP_COUNT] = {
    [IR_ZEXT] = true, [IR_TRUNC] = true, [IR_VLOW] = true, [IR_VZEXT] = true,
    [IR_GOTO_IF] = true, [IR_SETCC] = true, [IR_SELCC] = true,
    [IR_NZCV_FCMP] = true, [IR_NZCV_ADC] = true, [IR_NZCV_ADD] = true, [IR_NZCV_SUB] = true, [IR_NZCV_LOGIC] = true,
};

/* --- forward --- */

static void begin_special(struct gen *g, ir_ref r, const struct ir_inst *in, struct value *v)
{
    switch (in->op) {
    case IR_ZEXT:
    case IR_TRUNC:
    case IR_VLOW:
    case IR_VZEXT: v->root = find_root(g, r); break;
    case IR_GOTO_IF:
    case IR_SETCC:
    case IR_SELCC:
        if (in->cc == CC_EQ || in->cc == CC_NE)
            v->result = find_result(g, r, in->type2, in);
        v->late = x86_can_be_late(g, r);
        break;
    case IR_NZCV_SUB:
        v->result = find_result(g, r, in->type, in);
        v->late = true;
        break;
    default: v->late = true; /* the other NZCV */
    }
}

static void forward(struct gen *g)
{
    static const struct value fresh = {.reg = NO_REG, .hint = NO_REG, .hint_slot = -1, .cell = -1, .home = -1};
    const struct ir_inst *in = g->u->inst;
    struct value *v = g->val;
    for (ir_ref r = 0, n = g->u->n; r < n; r++, in++, v++) {
        *v = fresh;
        v->root = r;
        v->type = ir_result_type(in);
        if (begins[in->op])
            begin_special(g, r, in, v);
        if (is_float_type(v->type))
            v->clean = makes_clean(g, in);
    }
}

/* --- backward --- */

struct plan {
    uint32_t next_put[MAX_SLOTS];  /* the next PUT of the slot behind here, where there is one */
    uint64_t put[MAX_SLOTS / 64];  /* a bit for each slot: there is one */
    /* By 1 + slot, entry 0 for values without a wish: */
    ir_ref wanted[1 + MAX_SLOTS];  /* root that is to be PUT in the slot's pin and may be made there, */
    uint32_t since[1 + MAX_SLOTS]; /* if this is `now`: what looks at the state ends all wishes at once */
    int8_t pin[1 + MAX_SLOTS];
    uint32_t now;
    uint32_t end;                  /* the next label, or the unit's end: slots go to the state there */
    bool cleared;                  /* flags of floats are cleared behind here */
};

/* IR_NONE has a value, too, which nobody looks at. */
static inline void need(struct gen *g, ir_ref v, uint32_t at)
{
    struct value *root = &g->val[g->val[v].root];
    root->last = root->last < at ? at : root->last;
}

static void wish(struct gen *g, struct plan *p, unsigned slot, ir_ref root)
{
    p->wanted[1 + slot] = root;
    p->since[1 + slot] = p->now;
    p->pin[1 + slot] = g->slot[slot].pin;
    g->val[root].hint_slot = slot;
}

static bool sees_state(const struct ir_inst *in)
{
    if (in->op == IR_CALL)
        return in->helper->effects & (HELPER_READS_STATE | HELPER_WRITES_STATE | HELPER_FAULTS);
    return ir_facts[in->op].props & (IR_P_FAULT | IR_P_SIDE_EXIT | IR_P_EXIT);
}

static void plan_put(struct gen *g, struct plan *p, ir_ref r, const struct ir_inst *in)
{
    unsigned s = in->ir_slot_;
    ir_ref v = in->arg[0], root = g->val[v].root;
    if (g->slot[s].pin != NO_REG) { /* a pin wants the value itself */
        need(g, v, r);
        g->val[v].late = false;
        p->wanted[1 + s] = IR_NONE;
        unsigned size = type_size(g->guest->slots[s].type);
        if (is_xmm(g->slot[s].pin) == in_xmm(g->val[root].type) && size >= type_size(g->val[root].type))
            wish(g, p, s, root);
    } else if (g->ctx->quick && !g->val[v].late) {
        need(g, v, r);
    } else {
        need(g, v, p->put[s / 64] >> s % 64 & 1 ? p->next_put[s] : p->end); /* late ones hand it on to their operands */
    }
    p->put[s / 64] |= UINT64_C(1) << s % 64;
    p->next_put[s] = r;
}

/* Is the first operand changed in place by the machine's instruction? */
static bool in_place(enum ir_op op)
{
    return (op >= IR_ADD && op <= IR_MUL) || (op >= IR_AND && op <= IR_ROTR) || op == IR_BSWAP || op == IR_UBFX ||
           op == IR_SBFX || op == IR_DEPOSIT;
}

/* A value that is made in a pin from an operand that dies: the operand had best be made there already. */
static void pass_on(struct gen *g, struct plan *p, ir_ref r, const struct ir_inst *in)
{
    ir_ref a = g->val[in->arg[0]].root;
    struct value *va = &g->val[a];
    unsigned slot = g->val[r].hint_slot;
    if (!in_place(in->op) || va->last != r || va->hint_slot >= 0 || in_xmm(va->type) != in_xmm(g->val[r].type))
        return;
    wish(g, p, slot, a);
}

/*
 * A late value's operands are needed as long as it is. It is late if only PUTs read it, and late choices as what they
 * choose: all readers have been seen. Comparing floats again would raise flags that were cleared meanwhile.
 */
static void plan_late(struct gen *g, ir_ref r, const struct ir_inst *in)
{
    const struct value *v = &g->val[r];
    for (unsigned k = 0, n = in->op == IR_SELCC ? 3 : ir_nargs(in); k < n; k++) {
        bool other = !k && v->result && in->op != IR_SELCC;
        need(g, other ? v->result : in->arg[k], v->last);
        if (in->op != IR_SELCC || k != 2)
            g->val[in->arg[k]].late = false;
    }
}

static void plan_args(struct gen *g, ir_ref r, const struct ir_inst *in)
{
    unsigned k = 0, n = ir_nargs(in);
    if (g->val[r].result != IR_NONE && in->op != IR_NZCV_SUB) {
        need(g, g->val[r].result, r);
        g->val[in->arg[0]].late = g->val[in->arg[1]].late = false;
        k = 2;
    }
    for (; k < n; k++) {
        need(g, in->arg[k], r);
        g->val[in->arg[k]].late = false;
    }
}

/* The register that the value is wanted in, or NO_REG. */
static int8_t hint_of(const struct plan *p, ir_ref r, const struct value *v)
{
    unsigned k = 1 + v->hint_slot;
    bool wanted = (p->wanted[k] == r) & (p->since[k] == p->now);
    return wanted ? p->pin[k] : NO_REG;
}

/* PLAIN, and OTHER when what is its own has been done. */
static inline void plan_value(struct gen *g, struct plan *p, ir_ref r, const struct ir_inst *in, struct value *v,
                              bool plain)
{
    unsigned props = plain ? ir_facts[in->op].props : ir_props(in);
    v->hint = hint_of(p, r, v);
    v->no_code = v->root != r;
    if (UNLIKELY(!v->no_code & !v->last & ((props & IR_P_PURE || in->op == IR_FFLAGS) != 0))) {
        v->no_code = true; /* nobody reads it; its operands are not needed here */
        return;
    }
    p->now += plain ? (props & (IR_P_FAULT | IR_P_SIDE_EXIT | IR_P_EXIT)) != 0 : sees_state(in);
    if (UNLIKELY(v->late)) {
        plan_late(g, r, in);
        if (in->op != IR_NZCV_FCMP) { /* that one is computed where it stands, too, for its flags */
            v->no_code = true;
            return;
        }
    }
    if (plain) {
        for (unsigned k = 0; k < 3; k++) {
            need(g, in->arg[k], r);
            g->val[in->arg[k]].late = false;
        }
    } else {
        plan_args(g, r, in);
    }
    if (v->hint != NO_REG)
        pass_on(g, p, r, in);
}

static void plan_other(struct gen *g, struct plan *p, ir_ref r, const struct ir_inst *in, struct value *v)
{
    switch (in->op) {
    case IR_LABEL:
        memset(p->put, 0, sizeof p->put);
        p->end = r;
        p->now++;
        return;
    case IR_FSETFLAGS: p->cleared = true; break;
    case IR_NZCV_FCMP: v->late &= !p->cleared; break;
    default: break;
    }
    plan_value(g, p, r, in, v, false);
}

static void backward(struct gen *g)
{
    struct plan p; /* what is wanted is read only where it has been written */
    p.now = 1;
    p.cleared = false;
    p.end = g->u->n;
    p.wanted[0] = p.since[0] = 0;
    p.pin[0] = NO_REG;
    memset(p.put, 0, sizeof p.put);
    uint32_t first = g->u->n;
    const struct ir_inst *in = &g->u->inst[g->u->n];
    struct value *v = &g->val[g->u->n];
    for (ir_ref r = g->u->n; r-- > 1;) {
        in--;
        v--;
        switch ((enum class)class_of[in->op]) {
        case PLAIN: plan_value(g, &p, r, in, v, true); break;
        case NOTHING: break;
        case NO_CODE: v->no_code = true; break;
        case READ:
            v->hint = hint_of(&p, r, v);
            v->no_code = !v->last;
            p.wanted[1 + in->ir_slot_] = IR_NONE;
            break;
        case WRITE: plan_put(g, &p, r, in); break;
        case OTHER: plan_other(g, &p, r, in, v); break;
        }
        g->todo[first - 1] = r;
        first -= !v->no_code;
    }
    g->first_todo = first;
    g->val[IR_NONE].last = UINT32_MAX;
}

/* --- pins --- */

static bool is_jump(const struct ir_inst *in)
{
    return in->op == IR_GOTO_IF || (in->op == IR_GOTO && in->ir_sub == JUMP_PLAIN);
}

static ir_ref label_inst(const struct gen *g, uint64_t pc)
{
    for (ir_ref r = 1; r < g->u->n; r++)
        if (g->u->inst[r].op == IR_LABEL && (uint64_t)g->u->inst[r].imm == pc)
            return r;
    return pc == g->u->pc ? 1 : IR_NONE;
}

/* How many loops an instruction is in, from the changes at their borders. */
static int8_t *loop_depth(struct gen *g)
{
    if (g->max_depth < g->u->n + 1) {
        g->max_depth = g->u->n + g->u->n / 2 + 1;
        g->depth = x86_grow(g->depth, g->max_depth, 1);
    }
    memset(g->depth, 0, g->u->n + 1);
    for (ir_ref r = 1; r < g->u->n; r++) {
        ir_ref head = is_jump(&g->u->inst[r]) ? label_inst(g, g->u->inst[r].imm) : IR_NONE;
        if (head != IR_NONE && head < r && g->depth[head] < 100) {
            g->depth[head]++;
            g->depth[r + 1]--;
        }
    }
    return g->depth;
}

static void count_slots(struct gen *g)
{
    const int8_t *change = loop_depth(g);
    int depth = 0;
    for (ir_ref r = 1; r < g->u->n; r++) {
        const struct ir_inst *in = &g->u->inst[r];
        depth += change[r];
        if (in->op != IR_GET && in->op != IR_PUT)
            continue;
        struct slot_state *s = &g->slot[in->ir_slot_];
        s->used = true;
        s->uses += 1u << 3 * (depth < 5 ? depth : 5);
        s->put |= in->op == IR_PUT;
        if (in->op == IR_PUT)
            s->last_put = r;
    }
}

/* Fills the table. True: the unit jumps back to its start, or has labels. */
static bool find_labels(struct gen *g)
{
    *GROW(g->label, g->nlabels, g->max_label) = (struct label){g->u->pc, NULL, false};
    bool loop = false;
    for (ir_ref r = 1; r < g->u->n; r++) {
        const struct ir_inst *in = &g->u->inst[r];
        loop |= is_jump(in) && (uint64_t)in->imm == g->u->pc;
        if (in->op != IR_LABEL)
            continue;
        loop = true;
        g->borders |= in->ir_sub;
        if ((uint64_t)in->imm == g->u->pc)
            g->label[0].inside = true;
        else
            *GROW(g->label, g->nlabels, g->max_label) = (struct label){in->imm, NULL, true};
    }
    return loop;
}

/* The most used slot without a pin whose registers are of this class; -1: none. */
static int busiest(const struct gen *g, bool xmm)
{
    int best = -1;
    for (unsigned s = 0; s < g->guest->nslots; s++) {
        unsigned type = g->guest->slots[s].type;
        if (g->slot[s].pin != NO_REG || !g->slot[s].used || in_xmm(type) != xmm || type == IR_I32)
            continue;
        if (best < 0 || g->slot[s].uses > g->slot[best].uses)
            best = s;
    }
    return best;
}

static bool pin_locally(struct gen *g, int reg)
{
    int s = busiest(g, is_xmm(reg));
    if (s < 0)
        return false;
    g->slot[s].pin = reg;
    g->slot[s].local = true;
    g->is_pin[reg] = true;
    g->temps &= ~(1u << reg);
    return true;
}

/* A loop keeps further slots in registers: in those of global pins it does not use, and in most vector registers. */
static void local_pins(struct gen *g)
{
    enum { LOCAL_XMMS = 9 }; /* the rest, six, hold values */
    int8_t pin[MAX_SLOTS];
    x86_global_pins(g->guest, pin);
    for (unsigned s = 0; s < g->guest->nslots; s++) {
        if (pin[s] == NO_REG || g->slot[s].used)
            continue;
        g->slot[s].pin = NO_REG;
        if (!pin_locally(g, pin[s])) {
            g->slot[s].pin = pin[s];
            break;
        }
        g->displaced |= 1u << pin[s];
    }
    for (int i = 0; i < LOCAL_XMMS && pin_locally(g, XMM0 + XSCRATCH - 1 - i); i++)
        ;
}

void x86_plan_fresh(struct fresh *f, const struct ir_guest *guest)
{
    int8_t pin[MAX_SLOTS];
    x86_global_pins(guest, pin);
    for (unsigned s = 0; s < guest->nslots; s++) {
        f->slot[s] = (struct slot_state){.pin = pin[s]};
        if (pin[s] != NO_REG)
            f->is_pin[pin[s]] = true;
    }
    for (int r = 0; r < REGS; r++)
        if (!f->is_pin[r] && r != RSP && r != RBP && r != XMM0 + XSCRATCH)
            f->temps |= 1u << r;
}

static void freshen_slots(struct gen *g)
{
    if (g->all_touched)
        memcpy(g->slot, g->fresh.slot, g->guest->nslots * sizeof *g->slot);
    for (unsigned k = 0; !g->all_touched && k < g->ntouched; k++)
        g->slot[g->touched[k]] = g->fresh.slot[g->touched[k]];
    g->ntouched = 0;
    g->all_touched = false;
}

void x86_plan(struct gen *g)
{
    freshen_slots(g);
    memcpy(g->is_pin, g->fresh.is_pin, sizeof g->is_pin);
    g->temps = g->fresh.temps;
    if (g->max_val < g->u->n) {
        g->max_val = g->u->n + g->u->n / 2;
        g->val = x86_grow(g->val, g->max_val, sizeof *g->val);
        g->todo = x86_grow(g->todo, g->max_val, sizeof *g->todo);
    }
    if (g->ctx->quick && x86_quick_plan(g)) {
        g->simple = true;
        return;
    }
    bool loop = g->ctx->loops && !g->ctx->quick && find_labels(g);
    if (!loop) {
        g->nlabels = 0;
        g->borders = false;
    }
    loop &= !g->borders;
    if (loop && x86.loop_pins) {
        g->all_touched = true;
        count_slots(g);
        local_pins(g);
    }
    g->loop = loop ? g->a.start : NULL; /* its place is known later */
    forward(g);
    backward(g);
}
