/* Integer ops. */
#include "tcg/host/x86_64/gen.h"

static bool is_wide(const struct ir_inst *in) { return in->type == IR_I64; }

/* The host's flags now are those of `cmp value, 0` as far as zero and sign go. */
static void flags_are_of(struct gen *g, ir_ref v)
{
    g->flags_of = v;
    g->flags_at = g->a.p;
}

static bool flags_hold(const struct gen *g, ir_ref v)
{
    return g->flags_of && g->flags_at == g->a.p && root_of(g, v) == g->flags_of;
}

/* --- comparisons --- */

static const uint8_t int_cc[] = {
    [CC_EQ] = X_E, [CC_NE] = X_NE, [CC_LTU] = X_B, [CC_GEU] = X_AE, [CC_LEU] = X_BE, [CC_GTU] = X_A,
    [CC_LTS] = X_L, [CC_GES] = X_GE, [CC_LES] = X_LE, [CC_GTS] = X_G, [CC_TSTEQ] = X_E, [CC_TSTNE] = X_NE,
};
/* a cc b as b cc a */
static const uint8_t swapped_cc[] = {
    [CC_EQ] = CC_EQ, [CC_NE] = CC_NE, [CC_LTU] = CC_GTU, [CC_GEU] = CC_LEU, [CC_LEU] = CC_GEU, [CC_GTU] = CC_LTU,
    [CC_LTS] = CC_GTS, [CC_GES] = CC_LES, [CC_LES] = CC_GES, [CC_GTS] = CC_LTS, [CC_TSTEQ] = CC_TSTEQ,
    [CC_TSTNE] = CC_TSTNE,
};

static void compare_zero(struct gen *g, bool w, ir_ref v)
{
    if (flags_hold(g, v) && g->val[root_of(g, v)].type == (w ? IR_I64 : IR_I32))
        return;
    int r = ra_use(g, v); /* flags of another width than is compared say too much or too little */
    emit_rr(&g->a, 0x85 | op_w(w), r, r);
}

static enum x86_cc compare_int(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool w = in->type2 == IR_I64;
    enum ir_cc cc = in->cc;
    ir_ref x = in->arg[0], y = in->arg[1];
    uint64_t c;
    int32_t imm;
    struct mem m;
    if (g->val[in - g->u->inst].result) {
        compare_zero(g, w, g->val[in - g->u->inst].result);
        return int_cc[cc];
    }
    if (ra_const(g, x, &c) && !ra_const(g, y, &c)) {
        ir_ref t = x;
        x = y;
        y = t;
        cc = swapped_cc[cc];
    }
    bool test = cc == CC_TSTEQ || cc == CC_TSTNE;
    if (!test && ra_const(g, y, &c) && !c) {
        if (cc == CC_LTS || cc == CC_GES) {
            compare_zero(g, w, x);
            return cc == CC_LTS ? X_S : X_NS;
        }
        if (cc == CC_EQ || cc == CC_NE) {
            compare_zero(g, w, x);
            return int_cc[cc];
        }
    }
    if (ra_imm(g, y, w, &imm) || (test && ra_const(g, y, &c) && c == (uint32_t)c && (imm = c, w = false, true))) {
        if (!test && ra_in_slot(g, x, &m)) {
            emit_alu_mem_imm(a, ALU_CMP, w, m, imm);
            return int_cc[cc];
        }
        int rx = ra_use(g, x);
        if (!test && !imm) {
            emit_rr(a, 0x85 | op_w(w), rx, rx);
        } else if (!test) {
            emit_alu_imm(a, ALU_CMP, w, rx, imm);
        } else if (imm == (imm & 0x7f)) {
            emit_rr(a, 0xf6 | OP_BRM, 0, rx);
            emit8(a, imm);
        } else {
            emit_rr(a, 0xf7 | op_w(w), 0, rx);
            emit32(a, imm);
        }
        return int_cc[cc];
    }
    int rx = ra_use(g, x);
    if (ra_in_slot(g, y, &m)) {
        emit_rm(a, (test ? 0x85 : 0x3b) | op_w(w), rx, m);
    } else {
        int ry = ra_use(g, y);
        if (test)
            emit_rr(a, 0x85 | op_w(w), ry, rx);
        else
            emit_alu(a, ALU_CMP, w, rx, ry);
    }
    return int_cc[cc];
}

/* Ordered below is "above" with the operands exchanged: CF is also set on unordered. */
static enum x86_cc compare_float(struct gen *g, const struct ir_inst *in, int *parity)
{
    bool wide = in->type2 == IR_F64;
    bool signalling = in->cc >= CC_FOLT && in->cc <= CC_FULT;
    int x = ra_use(g, in->arg[0]), y = ra_use(g, in->arg[1]);
    switch (in->cc) {
    case CC_FOEQ:
    case CC_FUNE:
        x86_ucomis(g, wide, false, x, y);
        *parity = in->cc == CC_FOEQ ? 1 : 2;
        return in->cc == CC_FOEQ ? X_E : X_NE;
    case CC_FORD:
    case CC_FUNO:
        x86_ucomis(g, wide, false, x, y);
        return in->cc == CC_FORD ? X_NP : X_P;
    case CC_FOLT:
    case CC_QOLT: x86_ucomis(g, wide, signalling, y, x); return X_A;
    case CC_FUGE:
    case CC_QUGE: x86_ucomis(g, wide, signalling, y, x); return X_BE;
    case CC_FOLE:
    case CC_QOLE: x86_ucomis(g, wide, signalling, y, x); return X_AE;
    case CC_FUGT:
    case CC_QUGT: x86_ucomis(g, wide, signalling, y, x); return X_B;
    case CC_FOGT:
    case CC_QOGT: x86_ucomis(g, wide, signalling, x, y); return X_A;
    case CC_FULE:
    case CC_QULE: x86_ucomis(g, wide, signalling, x, y); return X_BE;
    case CC_FOGE:
    case CC_QOGE: x86_ucomis(g, wide, signalling, x, y); return X_AE;
    default: x86_ucomis(g, wide, signalling, x, y); return X_B; /* ULT */
    }
}

enum x86_cc x86_compare(struct gen *g, const struct ir_inst *in, int *parity)
{
    *parity = 0;
    return in->cc < CC_FOEQ ? compare_int(g, in) : compare_float(g, in, parity);
}

static void setcc(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    int parity;
    enum x86_cc cc = x86_compare(g, in, &parity);
    int d = ra_def_over(g);
    emit_rr(a, OP_0F | OP_BRM | (0x90 + cc), 0, d); /* SETcc */
    emit_rr(a, OP_0F | OP_BRM | 0xb6, d, d);        /* MOVZX; flags stay */
    if (parity) {
        uint8_t *ordered = emit_jcc_forward(a, X_NP);
        emit_const(a, d, parity == 2, true);
        patch_here(a, ordered);
    }
}

static void selcc(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool xmm = in_xmm(in->type), w = is_wide(in);
    int parity;
    if (xmm) {
        int c = ra_use(g, in->arg[2]), d = ra_use(g, in->arg[3]);
        enum x86_cc cc = x86_compare(g, in, &parity);
        int r = ra_def(g);
        x86_move(g, r, c);
        uint8_t *over = NULL, *take = NULL;
        if (parity == 1)
            take = emit_jcc_forward(a, X_P);
        uint8_t *over2 = parity == 2 ? emit_jcc_forward(a, X_P) : NULL;
        over = emit_jcc_forward(a, cc);
        if (take)
            patch_here(a, take);
        x86_move(g, r, d);
        patch_here(a, over);
        if (over2)
            patch_here(a, over2);
        return;
    }
    /* FOEQ is "E and not P": chosen the other way round, by "NE or P". */
    bool swap = in->cc == CC_FOEQ;
    ir_ref yes = in->arg[swap ? 3 : 2], no = in->arg[swap ? 2 : 3];
    int c = ra_use(g, yes);
    ra_use(g, no); /* before the flags are made: what follows only moves */
    enum x86_cc cc = x86_compare(g, in, &parity);
    int r = ra_def_copy(g, no);
    emit_rr(a, OP_0F | (0x40 + (swap ? X_NE : cc)) | op_w(w), r, c); /* CMOVcc */
    if (parity)
        emit_rr(a, OP_0F | (0x40 + X_P) | op_w(w), r, c);
}

/* --- arithmetic --- */

static bool alu_imm(struct gen *g, enum alu op, bool w, const struct ir_inst *in)
{
    int32_t imm;
    if (!ra_imm(g, in->arg[1], w, &imm))
        return false;
    int src = ra_where(g, in->arg[0]);
    /* x + c into another register: one LEA */
    if ((op == ALU_ADD || (op == ALU_SUB && imm != INT32_MIN)) && src != NO_REG &&
        !(ra_dies(g, in->arg[0]) && (g->val[g->i].hint == NO_REG || g->val[g->i].hint == src))) {
        int d = ra_def_over(g);
        if (d != src) {
            emit_lea(&g->a, w, d, MEM(src, op == ALU_ADD ? imm : -imm));
            return true;
        }
        emit_alu_imm(&g->a, op, w, d, imm);
    } else {
        int d = ra_def_copy(g, in->arg[0]);
        emit_alu_imm(&g->a, op, w, d, imm);
    }
    flags_are_of(g, g->i);
    return true;
}

static void alu(struct gen *g, enum alu op, const struct ir_inst *in)
{
    bool w = is_wide(in), commutes = ir_facts[in->op].props & IR_P_COMM;
    struct mem m;
    if (alu_imm(g, op, w, in))
        return;
    ir_ref x = in->arg[0], y = in->arg[1];
    int hint = g->val[g->i].hint;
    if (commutes) {
        int ry = g->val[root_of(g, y)].reg, rx = g->val[root_of(g, x)].reg;
        bool better = hint != NO_REG ? ry == hint : ry != NO_REG && ra_dies(g, y) && !g->is_pin[ry] &&
                                                       !(rx != NO_REG && ra_dies(g, x) && !g->is_pin[rx]);
        if (better) {
            x = in->arg[1];
            y = in->arg[0];
        }
    }
    if (ra_in_slot(g, y, &m) && root_of(g, x) != root_of(g, y)) {
        int d = ra_def_copy(g, x);
        emit_rm(&g->a, (op << 3 | 3) | op_w(w), d, m);
        flags_are_of(g, g->i);
        return;
    }
    int ry = ra_use(g, y);
    int rx = ra_where(g, x);
    if (op == ALU_ADD && rx != NO_REG && hint != rx && !(hint == NO_REG && ra_dies(g, x) && !g->is_pin[rx])) {
        int d = ra_def_over(g);
        if (d != rx && d != ry) {
            emit_lea(&g->a, w, d, (struct mem){rx, ry, 0, 0});
            return;
        }
        emit_alu(&g->a, ALU_ADD, w, d, d == rx ? ry : rx);
        flags_are_of(g, g->i);
        return;
    }
    if (op == ALU_SUB && rx != NO_REG && hint != NO_REG && hint == ry && hint != rx) {
        /* y = x - y in place */
        if (ra_dies(g, y)) {
            int d = ra_def_over(g);
            if (d == ry) {
                emit_rr(&g->a, 0xf7 | op_w(w), 3, d); /* NEG */
                emit_alu(&g->a, ALU_ADD, w, d, rx);
                flags_are_of(g, g->i);
                return;
            }
            x86_move(g, d, rx);
            emit_alu(&g->a, op, w, d, ry);
            return;
        }
    }
    int d = ra_def_copy(g, x);
    emit_alu(&g->a, op, w, d, ry);
    flags_are_of(g, g->i);
}

static void unary(struct gen *g, const struct ir_inst *in, unsigned ext)
{
    int d = ra_def_copy(g, in->arg[0]);
    emit_rr(&g->a, 0xf7 | op_w(is_wide(in)), ext, d); /* 2 NOT, 3 NEG */
}

static void andn(struct gen *g, const struct ir_inst *in)
{
    bool w = is_wide(in);
    uint64_t c;
    if (ra_const(g, in->arg[1], &c) && (!w || ~c == (uint64_t)(int64_t)(int32_t)~c)) {
        int d = ra_def_copy(g, in->arg[0]);
        emit_alu_imm(&g->a, ALU_AND, w, d, (int32_t)~c);
        flags_are_of(g, g->i);
        return;
    }
    int x = ra_use(g, in->arg[0]), y = ra_use(g, in->arg[1]);
    if (x86.bmi1) {
        int d = ra_def_over(g);
        emit_vrr(&g->a, OP_38 | 0xf2 | op_w(w), d, y, x); /* ANDN: ~vvvv & rm */
        flags_are_of(g, g->i);
        return;
    }
    int d = ra_def(g);
    emit_mov(&g->a, w, d, y);
    emit_rr(&g->a, 0xf7 | op_w(w), 2, d);
    emit_alu(&g->a, ALU_AND, w, d, x);
}

static void shift(struct gen *g, const struct ir_inst *in, enum shift op)
{
    struct asmbuf *a = &g->a;
    bool w = is_wide(in);
    uint64_t n;
    if (ra_const(g, in->arg[1], &n)) {
        n &= w ? 63 : 31;
        int src = ra_where(g, in->arg[0]);
        if (op == SHIFT_SHL && n >= 1 && n <= 3 && src != NO_REG && !ra_dies(g, in->arg[0])) {
            int d = ra_def_over(g);
            emit_lea(a, w, d, (struct mem){NO_REG, src, n, 0});
            return;
        }
        if (op == SHIFT_ROR && x86.bmi2 && src != NO_REG) {
            int d = ra_def_over(g);
            emit_vrr(a, OP_3A | OP_F2 | 0xf0 | op_w(w), d, 0, src); /* RORX */
            emit8(a, n);
            return;
        }
        int d = ra_def_copy(g, in->arg[0]);
        emit_shift_imm(a, op, w, d, n);
        return;
    }
    if (x86.bmi2 && op != SHIFT_ROR) {
        static const unsigned pp[] = {[SHIFT_SHL] = OP_66, [SHIFT_SHR] = OP_F2, [SHIFT_SAR] = OP_F3};
        int x = ra_use(g, in->arg[0]), n_reg = ra_use(g, in->arg[1]);
        int d = ra_def_over(g);
        emit_vrr(a, OP_38 | pp[op] | 0xf7 | op_w(w), d, n_reg, x); /* SHLX, SHRX, SARX */
        return;
    }
    ra_take(g, RCX);
    ra_copy_to(g, in->arg[1], RCX);
    int d = ra_def_copy(g, in->arg[0]);
    emit_shift_cl(a, op, w, d);
}

static void extr(struct gen *g, const struct ir_inst *in)
{
    int y = ra_use(g, in->arg[0]);
    int d = ra_def_copy(g, in->arg[1]);
    emit_rr(&g->a, OP_0F | 0xac | op_w(is_wide(in)), y, d); /* SHRD */
    emit8(&g->a, in->imm);
}

static void mul(struct gen *g, const struct ir_inst *in)
{
    bool w = is_wide(in);
    int32_t imm;
    if (ra_imm(g, in->arg[1], w, &imm)) {
        int x = ra_use(g, in->arg[0]), d = ra_def_over(g);
        emit_rr(&g->a, 0x69 | op_w(w), d, x);
        emit32(&g->a, imm);
        return;
    }
    ir_ref x = in->arg[0], y = in->arg[1];
    if (g->val[g->i].hint != NO_REG && g->val[root_of(g, y)].reg == g->val[g->i].hint) {
        x = in->arg[1];
        y = in->arg[0];
    }
    int ry = ra_use(g, y);
    int d = ra_def_copy(g, x);
    emit_rr(&g->a, OP_0F | 0xaf | op_w(w), d, ry);
}

static void mul_high(struct gen *g, const struct ir_inst *in, bool is_signed)
{
    struct asmbuf *a = &g->a;
    bool w = is_wide(in);
    if (!is_signed && x86.bmi2) {
        ra_take(g, RDX);
        ra_copy_to(g, in->arg[0], RDX);
        int y = ra_use(g, in->arg[1]);
        int d = ra_def_over(g);
        emit_vrr(a, OP_38 | OP_F2 | 0xf6 | op_w(w), d, d, y); /* MULX: the second, high destination wins */
        return;
    }
    ra_take(g, RAX);
    ra_take(g, RDX);
    ra_copy_to(g, in->arg[0], RAX);
    int y = ra_use(g, in->arg[1]);
    emit_rr(a, 0xf7 | op_w(w), is_signed ? 5 : 4, y);
    ra_bind(g, RDX);
}

static void divide(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool w = is_wide(in), is_signed = in->op == IR_DIVS || in->op == IR_REMS;
    bool rem = in->op == IR_REMU || in->op == IR_REMS;
    ra_take(g, RAX);
    ra_take(g, RDX);
    int y = ra_use(g, in->arg[1]);
    ra_copy_to(g, in->arg[0], RAX);
    uint64_t c;
    bool plain = ra_const(g, in->arg[1], &c) && c && c != (w ? UINT64_MAX : UINT32_MAX);
    uint8_t *normal = NULL, *end = NULL, *end2 = NULL;
    if (!plain && !is_signed) {
        emit_rr(a, 0x85 | op_w(w), y, y);
        normal = emit_jcc_forward(a, X_NE);
        if (rem)
            emit_mov(a, w, RDX, RAX);
        else
            emit_alu_imm(a, ALU_OR, w, RAX, -1);
        end = emit_jmp_forward(a);
        patch_here(a, normal);
    } else if (!plain) {
        emit_lea(a, w, RDX, MEM(y, 1)); /* 0: divisor -1; 1: divisor 0 */
        emit_alu_imm(a, ALU_CMP, w, RDX, 1);
        normal = emit_jcc_forward(a, X_A);
        if (rem) {
            uint8_t *minus = emit_jcc_forward(a, X_B);
            emit_mov(a, w, RDX, RAX);
            patch_here(a, minus);
        } else {
            uint8_t *minus = emit_jcc_forward(a, X_B);
            emit_alu_imm(a, ALU_OR, w, RAX, -1);
            end2 = emit_jmp_forward(a);
            patch_here(a, minus);
            emit_rr(a, 0xf7 | op_w(w), 3, RAX);
        }
        end = emit_jmp_forward(a);
        patch_here(a, normal);
    }
    if (is_signed) {
        emit_opcode(a, 0x99 | op_w(w), 0, 0, 0); /* CDQ, CQO */
        emit_rr(a, 0xf7 | op_w(w), 7, y);
    } else {
        emit_alu(a, ALU_XOR, false, RDX, RDX);
        emit_rr(a, 0xf7 | op_w(w), 6, y);
    }
    if (end)
        patch_here(a, end);
    if (end2)
        patch_here(a, end2);
    ra_bind(g, rem ? RDX : RAX);
}

/* --- bits --- */

static void count(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool w = is_wide(in), clz = in->op == IR_CLZ;
    int x = ra_use(g, in->arg[0]);
    if (in->op == IR_POPCNT) {
        int d = ra_def_over(g);
        if (d != x)
            emit_alu(a, ALU_XOR, false, d, d); /* no waiting for its old content */
        emit_rr(a, OP_F3 | OP_0F | 0xb8 | op_w(w), d, x);
        return;
    }
    if (clz ? x86.lzcnt : x86.bmi1) {
        int d = ra_def_over(g);
        emit_rr(a, OP_F3 | OP_0F | (clz ? 0xbd : 0xbc) | op_w(w), d, x); /* LZCNT, TZCNT */
        return;
    }
    unsigned t = w ? 64 : 32;
    int d = ra_def(g), none = ra_temp(g, false);
    emit_const(a, none, clz ? 2 * t - 1 : t, false);
    emit_rr(a, OP_0F | (clz ? 0xbd : 0xbc) | op_w(w), d, x); /* BSR, BSF */
    emit_rr(a, OP_0F | (0x40 + X_E) | op_w(w), d, none);
    if (clz)
        emit_alu_imm(a, ALU_XOR, false, d, t - 1);
}

static void bswap(struct gen *g, const struct ir_inst *in)
{
    int d = ra_def_copy(g, in->arg[0]);
    emit_opcode(&g->a, OP_0F | 0xc8 | (d & 7) | op_w(is_wide(in)), 0, 0, d);
}

static void extract(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool w = is_wide(in), sign = in->op == IR_SBFX;
    unsigned pos = in->imm, len = in->imm2, t = w ? 64 : 32;
    if (!pos && (len == 8 || len == 16 || (len == 32 && w))) {
        int x = ra_use(g, in->arg[0]), d = ra_def_over(g);
        if (len == 32)
            sign ? emit_rr(a, 0x63 | OP_W, d, x) : emit_mov(a, false, d, x);
        else
            emit_rr(a, OP_0F | (len == 8 ? OP_BRM : 0) | ((sign ? 0xbe : 0xb6) + (len == 16)) | op_w(w && sign), d, x);
        return;
    }
    if (pos + len == t) {
        int d = ra_def_copy(g, in->arg[0]);
        if (pos)
            emit_shift_imm(a, sign ? SHIFT_SAR : SHIFT_SHR, w, d, pos);
        else if (!w)
            emit_mov(a, false, d, d); /* zeros above: the copy may be of a wider value */
        return;
    }
    if (sign) {
        int d = ra_def_copy(g, in->arg[0]);
        emit_shift_imm(a, SHIFT_SHL, w, d, t - pos - len);
        emit_shift_imm(a, SHIFT_SAR, w, d, t - len);
        return;
    }
    int d = ra_def_copy(g, in->arg[0]);
    if (pos)
        emit_shift_imm(a, SHIFT_SHR, w, d, pos);
    if (len == 8) {
        emit_rr(a, OP_0F | OP_BRM | 0xb6, d, d);
    } else if (len == 16) {
        emit_rr(a, OP_0F | 0xb7, d, d);
    } else if (len == 32) {
        emit_mov(a, false, d, d);
    } else if (len < 32) {
        emit_alu_imm(a, ALU_AND, false, d, (int32_t)(((uint64_t)1 << len) - 1));
    } else {
        emit_shift_imm(a, SHIFT_SHL, true, d, 64 - len);
        emit_shift_imm(a, SHIFT_SHR, true, d, 64 - len);
    }
}

static void deposit(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool w = is_wide(in);
    unsigned pos = in->imm, len = in->imm2;
    uint64_t mask = (~UINT64_C(0) >> (64 - len)) << pos, c = 0;
    if (!w)
        mask = (uint32_t)mask;
    int t = ra_temp(g, false);
    bool constant = ra_const(g, in->arg[1], &c);
    if (constant) {
        c = c << pos & mask;
    } else {
        ra_copy_to(g, in->arg[1], t);
        if (pos + len == (w ? 64u : 32u)) {
            if (pos)
                emit_shift_imm(a, SHIFT_SHL, w, t, pos);
        } else if (len < 32) {
            emit_alu_imm(a, ALU_AND, false, t, (int32_t)(((uint64_t)1 << len) - 1));
            if (pos)
                emit_shift_imm(a, SHIFT_SHL, w, t, pos);
        } else {
            emit_shift_imm(a, SHIFT_SHL, true, t, 64 - len);
            if (64 - len - pos)
                emit_shift_imm(a, SHIFT_SHR, true, t, 64 - len - pos);
        }
    }
    int d = ra_def_copy(g, in->arg[0]);
    /* the field of a cleared */
    uint64_t keep = w ? ~mask : (uint32_t)~mask;
    if (!w || keep == (uint64_t)(int64_t)(int32_t)keep) {
        emit_alu_imm(a, ALU_AND, w, d, (int32_t)keep);
    } else if (!pos && len == 32) {
        emit_shift_imm(a, SHIFT_SHR, true, d, 32);
        emit_shift_imm(a, SHIFT_SHL, true, d, 32);
    } else if (keep == (uint32_t)keep) {
        emit_alu_imm(a, ALU_AND, false, d, (int32_t)keep);
    } else {
        int k = ra_temp(g, false);
        emit_const(a, k, keep, false);
        emit_alu(a, ALU_AND, true, d, k);
    }
    if (constant) {
        if (!c)
            return;
        if (!w || c == (uint64_t)(int64_t)(int32_t)c) {
            emit_alu_imm(a, ALU_OR, w, d, (int32_t)c);
            return;
        }
        emit_const(a, t, c, false);
    }
    emit_alu(a, ALU_OR, w, d, t);
}

/* Bit 0 into the carry flag. */
static void carry_in(struct asmbuf *a, int r)
{
    emit_rr(a, OP_0F | 0xba, 4, r); /* BT r, 0 */
    emit8(a, 0);
}

static void adc(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    int carry = ra_use(g, in->arg[2]), y = ra_use(g, in->arg[1]);
    int d = ra_def_copy(g, in->arg[0]);
    carry_in(a, carry);
    emit_alu(a, ALU_ADC, is_wide(in), d, y);
    g->adc = g->i;
}

static void carry(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    const struct ir_inst *before = in - 1;
    int d;
    if (g->adc && g->adc == g->i - 1 && before->type == in->type && before->arg[0] == in->arg[0] &&
        before->arg[1] == in->arg[1] &&
        before->arg[2] == in->arg[2]) { /* its flags are still there: only moves can have come between */
        d = ra_def(g);
    } else {
        int c = ra_use(g, in->arg[2]), y = ra_use(g, in->arg[1]);
        d = ra_def_copy(g, in->arg[0]);
        carry_in(a, c);
        emit_alu(a, ALU_ADC, is_wide(in), d, y);
    }
    emit_rr(a, OP_0F | OP_BRM | (0x90 + X_B), 0, d); /* SETC */
    emit_rr(a, OP_0F | OP_BRM | 0xb6, d, d);         /* MOVZX */
}

/* NZCV that somebody reads as a value. */
static void nzcv(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool w = is_wide(in), invert = false;
    ra_take(g, RAX);
    ra_take(g, RCX);
    if (!x86.bmi2)
        ra_take(g, RDX);
    switch (in->op) {
    case IR_NZCV_LOGIC: {
        int x = ra_use(g, in->arg[0]);
        emit_rr(a, 0x85 | op_w(w), x, x);
        break;
    }
    case IR_NZCV_ADC: {
        int y = ra_use(g, in->arg[1]);
        ra_copy_to(g, in->arg[0], RAX);
        ra_copy_to(g, in->arg[2], RCX);
        emit_alu_imm(a, ALU_ADD, false, RCX, -1);
        emit_alu(a, ALU_ADC, w, RAX, y);
        break;
    }
    default: {
        int y = ra_use(g, in->arg[1]);
        if (in->op == IR_NZCV_ADD) {
            ra_copy_to(g, in->arg[0], RAX);
            emit_alu(a, ALU_ADD, w, RAX, y);
        } else {
            int x = ra_use(g, in->arg[0]);
            emit_alu(a, ALU_CMP, w, x, y);
            invert = true;
        }
    }
    }
    x86_flags_to_nzcv(g, invert);
    ra_bind(g, RAX);
}

bool isel_int(struct gen *g, const struct ir_inst *in)
{
    switch (in->op) {
    case IR_ADD: alu(g, ALU_ADD, in); return true;
    case IR_SUB: alu(g, ALU_SUB, in); return true;
    case IR_AND: alu(g, ALU_AND, in); return true;
    case IR_OR: alu(g, ALU_OR, in); return true;
    case IR_XOR: alu(g, ALU_XOR, in); return true;
    case IR_NEG: unary(g, in, 3); return true;
    case IR_NOT: unary(g, in, 2); return true;
    case IR_ANDN: andn(g, in); return true;
    case IR_MUL: mul(g, in); return true;
    case IR_MULHU: mul_high(g, in, false); return true;
    case IR_MULHS: mul_high(g, in, true); return true;
    case IR_DIVU:
    case IR_DIVS:
    case IR_REMU:
    case IR_REMS: divide(g, in); return true;
    case IR_SHL: shift(g, in, SHIFT_SHL); return true;
    case IR_SHR: shift(g, in, SHIFT_SHR); return true;
    case IR_SAR: shift(g, in, SHIFT_SAR); return true;
    case IR_ROTR: shift(g, in, SHIFT_ROR); return true;
    case IR_EXTR: extr(g, in); return true;
    case IR_CLZ:
    case IR_CTZ:
    case IR_POPCNT: count(g, in); return true;
    case IR_BSWAP: bswap(g, in); return true;
    case IR_UBFX:
    case IR_SBFX: extract(g, in); return true;
    case IR_DEPOSIT: deposit(g, in); return true;
    case IR_ZEXT:
    case IR_SEXT: {
        int x = ra_use(g, in->arg[0]), d = ra_def_over(g);
        if (in->op == IR_ZEXT)
            emit_mov(&g->a, false, d, x);
        else
            emit_rr(&g->a, 0x63 | OP_W, d, x); /* MOVSXD */
        return true;
    }
    case IR_SETCC: setcc(g, in); return true;
    case IR_SELCC: selcc(g, in); return true;
    case IR_ADC: adc(g, in); return true;
    case IR_CARRY: carry(g, in); return true;
    case IR_NZCV_ADC:
    case IR_NZCV_ADD:
    case IR_NZCV_SUB:
    case IR_NZCV_LOGIC: nzcv(g, in); return true;
    default: return false;
    }
}
