/*
 * Flags computed late. An NZCV value that only PUTs read, and a choice between such a value and a constant (CCMP), are
 * not computed where they stand: their operands are kept, and code at the exits that need the flags computes them.
 */
#include "tcg/host/x86_64/gen.h"

bool x86_can_be_late(const struct gen *g, ir_ref v)
{
    const struct ir_inst *in = &g->u->inst[v];
    if (ir_facts[in->op].props & IR_P_LATE)
        return true;
    const struct ir_inst *chosen = &g->u->inst[in->arg[2]];
    return in->op == IR_SELCC && in->type == IR_I32 && in->cc < CC_FOEQ && (ir_facts[chosen->op].props & IR_P_LATE) &&
           g->u->inst[in->arg[3]].op == IR_CONST;
}

unsigned x86_leaves(const struct gen *g, ir_ref v, ir_ref *leaf)
{
    const struct ir_inst *in = &g->u->inst[v];
    unsigned n = 0;
    if (in->op == IR_SELCC) {
        leaf[n++] = in->arg[0];
        leaf[n++] = in->arg[1];
        if (g->val[in->arg[2]].late)
            return n + x86_leaves(g, in->arg[2], leaf + n);
        leaf[n++] = in->arg[2];
        return n;
    }
    leaf[n++] = g->val[v].result ? g->val[v].result : in->arg[0];
    for (unsigned k = 1; k < ir_nargs(in); k++)
        leaf[n++] = in->arg[k];
    return n;
}

void x86_flags_to_nzcv(struct gen *g, bool invert)
{
    struct asmbuf *a = &g->a;
    if (invert)
        emit8(a, 0xf5);                              /* CMC */
    emit8(a, 0x9f);                                  /* LAHF: SF ZF - AF - PF - CF in AH */
    emit_rr(a, OP_0F | OP_BRM | (0x90 + X_O), 0, RAX); /* SETO AL */
    if (x86.bmi2) {
        emit_const(a, RCX, 0xc101, true);
        emit_vrr(a, OP_38 | OP_F3 | 0xf5, RAX, RAX, RCX); /* PEXT EAX, EAX, ECX */
        return;
    }
    emit_mov(a, false, RCX, RAX);
    emit_mov(a, false, RDX, RAX);
    emit_shift_imm(a, SHIFT_SHR, false, RCX, 12); /* SF, ZF to bits 3, 2 */
    emit_alu_imm(a, ALU_AND, false, RCX, 12);
    emit_shift_imm(a, SHIFT_SHR, false, RDX, 7);  /* CF to bit 1 */
    emit_alu_imm(a, ALU_AND, false, RDX, 2);
    emit_alu_imm(a, ALU_AND, false, RAX, 1);
    emit_alu(a, ALU_OR, false, RAX, RCX);
    emit_alu(a, ALU_OR, false, RAX, RDX);
}

void x86_fcmp_to_nzcv(struct gen *g)
{
    struct asmbuf *a = &g->a;
    emit_const(a, RAX, 3, true);
    uint8_t *unordered = emit_jcc_forward(a, X_P);
    emit_const(a, RAX, 6, true);
    uint8_t *equal = emit_jcc_forward(a, X_E);
    emit_const(a, RAX, 8, true);
    uint8_t *less = emit_jcc_forward(a, X_B);
    emit_const(a, RAX, 2, true);
    patch_here(a, unordered);
    patch_here(a, equal);
    patch_here(a, less);
}

/* --- operands from their places --- */

static struct mem place_mem(const struct gen *g, const struct place *p)
{
    return p->home >= 0 ? slot_mem(g, p->home) : cell_mem(g, p->cell);
}

/* Is the value's memory as wide as the operation? That of a 32-bit value used as 64 bits is not. */
static bool place_wide(const struct gen *g, const struct place *p, bool w)
{
    return w && g->val[p->root].type != IR_I32;
}

static bool place_const(const struct gen *g, const struct place *p, uint64_t *c)
{
    return p->reg == NO_REG && ra_const(g, p->root, c);
}

/* op on two integer operands: `x op y`, neither changed; RAX may be used when no operand is in it. */
static void alu_places(struct gen *g, bool test, bool w, const struct place *x, const struct place *y)
{
    struct asmbuf *a = &g->a;
    uint64_t c;
    int rx = x->reg, ry = y->reg;
    int spare = rx == RAX || ry == RAX ? (rx == RCX || ry == RCX ? RDX : RCX) : RAX;
    if (rx == NO_REG) {
        rx = spare;
        if (place_const(g, x, &c))
            emit_const(a, rx, c, true);
        else
            emit_load(a, place_wide(g, x, w), rx, place_mem(g, x));
        spare = ry == RAX || rx == RAX ? (ry == RCX || rx == RCX ? RDX : RCX) : RAX;
    }
    if (ry == NO_REG && place_const(g, y, &c)) {
        int32_t imm = (int32_t)c;
        if (!w || c == (uint64_t)(int64_t)imm) {
            if (test) {
                emit_rr(a, 0xf7 | op_w(w), 0, rx);
                emit32(a, imm);
            } else {
                emit_alu_imm(a, ALU_CMP, w, rx, imm);
            }
            return;
        }
        emit_const(a, spare, c, true);
        ry = spare;
    } else if (ry == NO_REG && place_wide(g, y, w) != w) {
        emit_load(a, false, spare, place_mem(g, y));
        ry = spare;
    } else if (ry == NO_REG) {
        emit_rm(a, (test ? 0x85 : 0x3b) | op_w(w), rx, place_mem(g, y));
        return;
    }
    if (test)
        emit_rr(a, 0x85 | op_w(w), ry, rx);
    else
        emit_alu(a, ALU_CMP, w, rx, ry);
}

/* A value in a scratch register that is not in `keep`; the value stays where it was. */
static void to_reg(struct gen *g, const struct place *p, bool w, int reg)
{
    uint64_t c;
    if (p->reg != NO_REG)
        emit_mov(&g->a, w, reg, p->reg);
    else if (place_const(g, p, &c))
        emit_const(&g->a, reg, c, true);
    else
        emit_load(&g->a, place_wide(g, p, w), reg, place_mem(g, p));
}

/* RAX += the operand. */
static void add_place(struct gen *g, const struct place *p, bool w)
{
    uint64_t c;
    if (p->reg != NO_REG) {
        emit_alu(&g->a, ALU_ADD, w, RAX, p->reg);
    } else if (place_const(g, p, &c)) {
        if (!w || c == (uint64_t)(int64_t)(int32_t)c) {
            emit_alu_imm(&g->a, ALU_ADD, w, RAX, (int32_t)c);
        } else {
            emit_const(&g->a, RCX, c, true);
            emit_alu(&g->a, ALU_ADD, w, RAX, RCX);
        }
    } else if (place_wide(g, p, w) != w) {
        emit_load(&g->a, false, RCX, place_mem(g, p));
        emit_alu(&g->a, ALU_ADD, w, RAX, RCX);
    } else {
        emit_rm(&g->a, 0x03 | op_w(w), RAX, place_mem(g, p));
    }
}

/*
 * Operands in RAX, RCX or RDX are in the way of the arithmetic (ADD, ADC, a - b from the difference): they go to
 * scratch cells first.
 */
static void clear_scratch(struct gen *g, struct place *p, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        if (p[k].reg == RAX || p[k].reg == RCX || p[k].reg == RDX) {
            emit_store(&g->a, true, cell_mem(g, CELL_ARG + 2 * k), p[k].reg);
            p[k].reg = NO_REG;
            p[k].cell = CELL_ARG + 2 * k;
            p[k].home = -1;
        }
}

static void nzcv_of(struct gen *g, ir_ref v, const struct place *leaf)
{
    struct asmbuf *a = &g->a;
    const struct ir_inst *in = &g->u->inst[v];
    bool w = in->type == IR_I64;
    struct place p[3] = {leaf[0], leaf[1], leaf[2]}; /* as many as the op has count */
    switch (in->op) {
    case IR_NZCV_SUB:
        if (!g->val[v].result) {
            alu_places(g, false, w, &p[0], &p[1]);
        } else {
            clear_scratch(g, p, 2);
            to_reg(g, &p[0], w, RAX);
            add_place(g, &p[1], w);
            struct place sum = {.reg = RAX};
            alu_places(g, false, w, &sum, &p[1]);
        }
        x86_flags_to_nzcv(g, true);
        break;
    case IR_NZCV_ADD:
        clear_scratch(g, p, 2);
        to_reg(g, &p[0], w, RAX);
        add_place(g, &p[1], w);
        x86_flags_to_nzcv(g, false);
        break;
    case IR_NZCV_ADC:
        clear_scratch(g, p, 3);
        to_reg(g, &p[1], w, RDX);
        to_reg(g, &p[2], false, RCX);
        to_reg(g, &p[0], w, RAX);
        emit_alu_imm(a, ALU_ADD, false, RCX, -1); /* carry out if it was 1 */
        emit_alu(a, ALU_ADC, w, RAX, RDX);
        x86_flags_to_nzcv(g, false);
        break;
    case IR_NZCV_LOGIC:
        if (p[0].reg != NO_REG) {
            emit_rr(a, 0x85 | op_w(w), p[0].reg, p[0].reg);
        } else {
            to_reg(g, &p[0], w, RAX);
            emit_rr(a, 0x85 | op_w(w), RAX, RAX);
        }
        x86_flags_to_nzcv(g, false); /* TEST clears carry and overflow */
        break;
    default: { /* NZCV_FCMP */
        bool wide = in->type == IR_F64;
        int x = p[0].reg;
        if (x == NO_REG) {
            x = XMM0 + XSCRATCH;
            if (g->u->inst[p[0].root].op == IR_CONST)
                x86_load_const(g, x, p[0].root);
            else
                emit_rm(a, (wide ? OP_F2 : OP_F3) | OP_0F | 0x10, XSCRATCH, place_mem(g, &p[0]));
        }
        unsigned op = (wide ? OP_66 : 0) | OP_0F | 0x2e;
        if (p[1].reg != NO_REG) {
            emit_rr(a, op, x - XMM0, p[1].reg - XMM0);
        } else if (g->u->inst[p[1].root].op == IR_CONST) {
            x86_pool(g, op, x - XMM0, wide ? 8 : 4, g->u->inst[p[1].root].imm, 0, 0);
        } else {
            emit_rm(a, op, x - XMM0, place_mem(g, &p[1]));
        }
        x86_fcmp_to_nzcv(g);
        break;
    }
    }
}

static const uint8_t int_cc[] = {
    [CC_EQ] = X_E, [CC_NE] = X_NE, [CC_LTU] = X_B, [CC_GEU] = X_AE, [CC_LEU] = X_BE, [CC_GTU] = X_A,
    [CC_LTS] = X_L, [CC_GES] = X_GE, [CC_LES] = X_LE, [CC_GTS] = X_G, [CC_TSTEQ] = X_E, [CC_TSTNE] = X_NE,
};

void x86_store_late(struct gen *g, unsigned slot, ir_ref v, const struct place *leaf)
{
    struct asmbuf *a = &g->a;
    const struct ir_inst *in = &g->u->inst[v];
    if (in->op != IR_SELCC) {
        nzcv_of(g, v, leaf);
        emit_store(a, false, slot_mem(g, slot), RAX);
        return;
    }
    struct place chosen_from[MAX_LEAVES - 2];
    unsigned n = g->val[in->arg[2]].late ? x86_leaves(g, in->arg[2], (ir_ref[MAX_LEAVES]){0}) : 1;
    memcpy(chosen_from, leaf + 2, n * sizeof *leaf);
    if (leaf[0].reg == NO_REG || leaf[1].reg == NO_REG) /* the comparison needs registers */
        clear_scratch(g, chosen_from, n);
    alu_places(g, in->cc == CC_TSTEQ || in->cc == CC_TSTNE, in->type2 == IR_I64, &leaf[0], &leaf[1]);
    uint8_t *chosen = emit_jcc_forward(a, int_cc[in->cc]);
    emit_rm(a, 0xc7, 0, slot_mem(g, slot));
    emit32(a, g->u->inst[in->arg[3]].imm);
    uint8_t *end = emit_jmp_forward(a);
    patch_here(a, chosen);
    if (g->val[in->arg[2]].late) {
        nzcv_of(g, in->arg[2], chosen_from);
    } else {
        to_reg(g, &chosen_from[0], false, RAX);
    }
    emit_store(a, false, slot_mem(g, slot), RAX);
    patch_here(a, end);
}
