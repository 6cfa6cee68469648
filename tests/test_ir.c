/*
 * The IR: every op's text form, what the verifier refuses, and that folding and passes keep a unit's meaning, judged
 * by the interpreter on random units. The meaning itself is checked by hand-written units in tests/ir.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tests/ir-guest.h"
#include "tests/ir-random.h"

static unsigned random_slot(enum ir_type t) { return first_slot(t) + below(GUEST_REGS); }
static unsigned random_dead(void) { return below(2) ? 0 : 1 + below(ARRAY_SIZE(guest_slots)); }

/* --- units --- */

static ir_ref put_inst(struct ir_unit *u, struct ir_inst in)
{
    return ir_append(u, &in);
}

static char *text_of(const struct ir_unit *u)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    ir_print(f, u);
    fclose(f);
    return text;
}

static void assert_same_units(const struct ir_unit *a, const struct ir_unit *b, const char *text)
{
    cr_assert_eq(a->n, b->n, "%s", text);
    cr_assert(a->pc == b->pc && a->flags == b->flags && a->bytes == b->bytes && a->ninsns == b->ninsns);
    for (ir_ref r = 0; r < a->n; r++) {
        const struct ir_inst *x = &a->inst[r], *y = &b->inst[r];
        cr_assert(x->op == y->op && x->type == y->type && x->type2 == y->type2 && x->cc == y->cc &&
                      x->mem == y->mem && x->scale_slot == y->scale_slot && !memcmp(x->arg, y->arg, sizeof x->arg) &&
                      x->imm == y->imm && x->imm2 == y->imm2,
                  "instruction %u differs:\n%s", r, text);
    }
}

/* Gives every argument of `in` a GET of its type, appended before; then appends `in`. */
static void append_with_gets(struct ir_unit *u, struct ir_inst in)
{
    for (unsigned k = 0; k < ir_nargs(&in); k++) {
        if ((in.op == IR_LD || in.op == IR_ST) && k == 1 && below(2))
            continue;
        in.arg[k] = 1; /* present: asks for its type */
        enum ir_type t = ir_arg_type(&in, k);
        in.arg[k] = put_inst(u, (struct ir_inst){.op = IR_GET, .type = t, .ir_slot_ = first_slot(t) + k});
    }
    if (in.op == IR_LD || in.op == IR_ST) {
        in.imm = (int32_t)rnd();
        in.ir_scale = in.arg[1] ? below(4) : 0;
    }
    put_inst(u, in);
}

Test(ir, forms_match_ops)
{
    for (unsigned op = 0; op < IR_OP_COUNT; op++) {
        const struct ir_op_info *o = &ir_ops[op];
        unsigned args = 0;
        cr_assert_not_null(ir_forms[op].syntax, "%s has no form", o->name);
        for (const char *s = ir_forms[op].syntax; *s; s++)
            args += *s == '%' ? 1 : *s == 'A' ? 2 : 0;
        if (op != IR_CALL)
            cr_assert_eq(args, ir_facts[op].nargs, "%s: arguments of op and form", o->name);
        bool t = strchr(o->result, 'T') || strchr(o->args, 'T');
        cr_assert_eq(t && op != IR_CALL, ir_forms[op].types != 0, "%s: T", o->name);
        cr_assert_eq(strchr(o->args, 'S') != NULL, ir_forms[op].types2 != 0, "%s: S", o->name);
    }
}

Test(ir, every_op_round_trips)
{
    rng_state = 1;
    for (unsigned op = 1; op < IR_OP_COUNT; op++)
        for (unsigned i = 0; i < 24; i++) {
            struct ir_unit u, back;
            char err[200] = "";
            ir_unit_init(&u, &guest_arm, rnd(), rnd());
            u.bytes = below(100);
            u.ninsns = below(100);
            put_inst(&u, (struct ir_inst){.op = IR_INSN, .imm = 0x1000});
            struct ir_inst in = random_fields(op);
            if (op == IR_CALL) {
                in.helper = guest_helpers[i % ARRAY_SIZE(guest_helpers)];
                in.type = ir_result_type(&in);
            }
            append_with_gets(&u, in);
            if (!(ir_facts[op].props & IR_P_EXIT))
                put_inst(&u, (struct ir_inst){.op = IR_GOTO, .imm = 0x1004});
            const char *wrong = ir_verify(&u);
            char *text = text_of(&u);
            cr_assert_null(wrong, "%s\n%s", wrong, text);
            cr_assert(ir_parse(&back, &guest_arm, text, err, sizeof err), "%s\n%s", err, text);
            assert_same_units(&u, &back, text);
            char *again = text_of(&back);
            cr_assert_str_eq(text, again);
            free(text);
            free(again);
            ir_unit_free(&u);
            ir_unit_free(&back);
        }
}

Test(ir, parser_refuses)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"frob %1\n", "line 1: `frob` is no op"},
        {"%1 = get q9\n", "line 1: the guest has no register `q9`"},
        {"\n%1 = add.i64 %2, %3", "line 2: a value is used before it is made"},
        {"%1 = get x0\nput x1 %1 %1", "line 2: more than the op takes"},
        {"%1 = get x0\n%2 = add.i65 %1 %1", "line 2: `i65` is no type"},
        {"%1 = get x0\n%2 = setcc.i64 zz %1 %1", "line 2: `zz` is no condition"},
        {"%1 = get x0\n%2 = ld.i64 u24 [%1]", "line 2: `u24` is no memory access"},
        {"%1 = get x0\n%2 = ld.i64 u32 %1", "line 2: `[` is missing"},
        {"%1 = get v0\n%2 = vadd.q %1, %1", "line 2: `q` is no lane"},
        {"%1 = get f0\n%2 = frint.f32 up %1", "line 2: `up` is no rounding mode"},
        {"%1 = call nothing", "line 1: the guest has no helper `nothing`"},
        {"get x0", "line 1: the op's value has no name"},
        {"%99999999 = get x0", "line 1: the value's number is too large"},
        {"goto x", "line 1: a number is missing"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ir_unit u;
        char err[200];
        cr_assert_not(ir_parse(&u, &guest_arm, cases[i].text, err, sizeof err), "%s", cases[i].text);
        cr_assert_str_eq(err, cases[i].error);
    }
}

Test(ir, verifier_refuses)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"insn 0, 0\n", "the last one is no terminator"},
        {"goto 0\ngoto 0", "a terminator that is not last"},
        {"%1 = get w0\n%2 = add.i64 %1, %1\ngoto 0", "wrong type"},
        {"%1 = get f0\n%2 = add.f32 %1, %1\ngoto 0", "the type is none"},
        {"%1 = get v0\n%2 = setcc.v128 eq %1, %1\ngoto 0", "type2 is none"},
        {"%1 = get x0\nput w0, %1\ngoto 0", "wrong type"},
        {"%1 = get x0\n%2 = ld.i64 u8 [%1]\ngoto 0", "before the first INSN"},
        {"%1 = get x0\ncall void %1\ngoto 0", "before the first INSN"},
        {"%1 = get x0\n%2 = setcc.i64 foeq %1, %1\ngoto 0", "condition"},
        {"%1 = get d0\n%2 = setcc.f64 eq %1, %1\ngoto 0", "condition"},
        {"%1 = get x0\n%2 = extr.i64 %1, %1, 0\ngoto 0", "immediate"},
        {"%1 = get x0\n%2 = extr.i64 %1, %1, 64\ngoto 0", "immediate"},
        {"%1 = get x0\n%2 = ubfx.i64 %1, 60, 5\ngoto 0", "immediate"},
        {"%1 = get x0\n%2 = sbfx.i64 %1, 0, 0\ngoto 0", "immediate"},
        {"%1 = get w0\n%2 = deposit.i32 %1, %1, 31, 2\ngoto 0", "immediate"},
        {"insn 0, 0\n%1 = get x0\n%2 = ld.i32 u64 [%1]\ngoto 0", "memory access"},
        {"insn 0, 0\n%1 = get x0\n%2 = ld.f64 u32 [%1]\ngoto 0", "memory access"},
        {"insn 0, 0\n%1 = get x0\n%2 = ld.i64 u8 [%1 + %1 << 4]\ngoto 0", "immediate"},
        {"insn 0, 0\n%1 = get x0\n%2 = ld.i64 u8 [%1 + 0x80000000]\ngoto 0", "immediate"},
        {"insn 0, 0\n%1 = get x0\n%2 = get v0\n%3 = cas.v128 u64 %1, %2, %2\ngoto 0", "memory access"},
        {"%1 = get v0\n%2 = vmul.d %1, %1\ngoto 0", "lane"},
        {"%1 = get v0\n%2 = vfadd.h %1, %1\ngoto 0", "lane"},
        {"%1 = get v0\n%2 = vnarrow.b %1, %1\ngoto 0", "lane"},
        {"%1 = get v0\n%2 = vdupl.s %1, 4\ngoto 0", "immediate"},
        {"%1 = get v0\n%2 = vext %1, %1, 17\ngoto 0", "immediate"},
        {"%1 = get v0\n%2 = vrev.s %1, 4\ngoto 0", "immediate"},
        {"%1 = get v0\n%2 = vshli.b %1, 8\ngoto 0", "immediate"},
        {"%1 = get v0\n%2 = vushri.b %1, 9\ngoto 0", "immediate"},
        {"%1 = get v0\n%2 = vget.i32.d %1, 0, 0\ngoto 0", "lane does not fit"},
        {"%1 = get x0\n%2 = bitcast.f32.i64 %1\ngoto 0", "changes the size"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ir_unit u;
        char err[200];
        cr_assert(ir_parse(&u, &guest_arm, cases[i].text, err, sizeof err), "%s: %s", cases[i].text, err);
        const char *wrong = ir_verify(&u);
        cr_assert_not_null(wrong, "%s", cases[i].text);
        cr_assert_not_null(strstr(wrong, cases[i].error), "%s: %s", cases[i].text, wrong);
        ir_unit_free(&u);
    }

    /* What the text cannot say. */
    struct ir_unit u;
    char err[200];
    cr_assert(ir_parse(&u, &guest_arm, "insn 0, 0\n%1 = get x0\n%2 = add.i64 %1, %1\nput x0, %2\ngoto 0, dead x1", err,
                       sizeof err));
    cr_assert_null(ir_verify(&u));
    u.inst[3].arg[1] = 3;
    cr_assert_not_null(strstr(ir_verify(&u), "no earlier instruction"));
    u.inst[3].arg[1] = 1;
    cr_assert_not_null(strstr(ir_verify(&u), "wrong type"));
    u.inst[3].arg[1] = 2;
    u.inst[3].arg[2] = 2;
    cr_assert_not_null(strstr(ir_verify(&u), "argument too many"));
    u.inst[3].arg[2] = IR_NONE;
    u.inst[4].ir_slot_ = ARRAY_SIZE(guest_slots);
    cr_assert_not_null(strstr(ir_verify(&u), "no such slot"));
    u.inst[4].ir_slot_ = 0;
    cr_assert_not_null(strstr(ir_verify(&u), "no such slot"));
    u.inst[4].ir_slot_ = first_slot(IR_I64);
    u.inst[5].ir_dead = ARRAY_SIZE(guest_slots) + 1;
    cr_assert_not_null(strstr(ir_verify(&u), "no such dead slot"));
    u.inst[5].ir_dead = 0;
    u.inst[5].op = IR_OP_COUNT;
    cr_assert_not_null(strstr(ir_verify(&u), "unknown op"));
    ir_unit_free(&u);
}

/* --- folding and passes keep the meaning --- */

/* Values made so far: the same one in the unit as written and in the unit as built. */
struct pool {
    unsigned n;
    struct {
        enum ir_type type;
        ir_ref raw, built;
    } value[512];
};

struct pair {
    struct ir_unit raw, built;
    struct ir_builder b;
    struct pool pool;
};

static void remember(struct pair *p, enum ir_type t, ir_ref raw, ir_ref built)
{
    if (t == IR_VOID || p->pool.n == ARRAY_SIZE(p->pool.value))
        return;
    p->pool.value[p->pool.n].type = t;
    p->pool.value[p->pool.n].raw = raw;
    p->pool.value[p->pool.n++].built = built;
}

static void both(struct pair *p, struct ir_inst raw, struct ir_inst built)
{
    ir_ref r = put_inst(&p->raw, raw), s;
    if (built.op == IR_LD)
        s = b_load(&p->b, built.type, built.mem, built.arg[0], built.arg[1], built.ir_scale, built.imm);
    else if (built.op == IR_ST)
        b_store(&p->b, built.type, built.mem, built.arg[0], built.arg[1], built.ir_scale, built.imm, built.arg[2]), s = 0;
    else
        s = b_emit(&p->b, built);
    enum ir_type t = ir_result_type(&raw);
    if (t != IR_VOID)
        cr_assert_eq(ir_result_type(&p->built.inst[s]), t, "%s: the built value's type", ir_ops[raw.op].name);
    remember(p, t, r, s);
}

static void pick(struct pair *p, enum ir_type t, ir_ref *raw, ir_ref *built)
{
    unsigned have = 0;
    for (unsigned i = 0; i < p->pool.n; i++)
        have += p->pool.value[i].type == t;
    if (!have || !below(3)) {
        struct ir_inst c = random_fields(IR_CONST);
        c.type = t;
        c.imm = 1 << t & TYPES_FLOAT ? rnd_float(t == IR_F64) : rnd_bits();
        c.imm = t == IR_I32 || t == IR_F32 ? (uint32_t)c.imm : (uint64_t)c.imm;
        c.imm2 = t == IR_V128 ? rnd_bits() : 0;
        if (below(2))
            c = (struct ir_inst){.op = IR_GET, .type = t, .ir_slot_ = first_slot(t) + below(GUEST_REGS)};
        both(p, c, c);
        *raw = p->pool.value[p->pool.n - 1].raw;
        *built = p->pool.value[p->pool.n - 1].built;
        return;
    }
    unsigned i;
    do /* the newest are likely: chains, for rules that look at an argument's op */
        i = below(2) ? below(p->pool.n) : p->pool.n - 1 - below(p->pool.n < 8 ? p->pool.n : 8);
    while (p->pool.value[i].type != t);
    *raw = p->pool.value[i].raw;
    *built = p->pool.value[i].built;
}

static void operation(struct pair *p, enum ir_type t, enum ir_op op, ir_ref *raw, ir_ref *built, ir_ref raw2,
                      ir_ref built2)
{
    struct ir_inst x = {.op = op, .type = t, .arg = {*raw, raw2}}, y = {.op = op, .type = t, .arg = {*built, built2}};
    both(p, x, y);
    *raw = p->pool.value[p->pool.n - 1].raw;
    *built = p->pool.value[p->pool.n - 1].built;
}

static void constant(struct pair *p, uint64_t v, ir_ref *raw, ir_ref *built)
{
    struct ir_inst c = {.op = IR_CONST, .type = IR_I64, .imm = v};
    both(p, c, c);
    *raw = p->pool.value[p->pool.n - 1].raw;
    *built = p->pool.value[p->pool.n - 1].built;
}

/* An address inside the guest's memory in the shapes that addressing modes absorb. */
static void random_address(struct pair *p, unsigned size, struct ir_inst *raw, struct ir_inst *built)
{
    struct ir_inst get = {.op = IR_GET, .type = IR_I64, .ir_slot_ = SLOT_MEM};
    ir_ref r, s, ir, is, cr, cs;
    both(p, get, get);
    r = p->pool.value[p->pool.n - 1].raw;
    s = p->pool.value[p->pool.n - 1].built;
    unsigned scale = below(4);
    pick(p, IR_I64, &ir, &is);
    constant(p, 7, &cr, &cs);
    operation(p, IR_I64, IR_AND, &ir, &is, cr, cs); /* 0 to 7 */
    if (below(2)) {
        unsigned plus = below(8);
        constant(p, plus, &cr, &cs);
        operation(p, IR_I64, IR_ADD, &ir, &is, cr, cs);
    }
    switch (below(3)) {
    case 0: /* base + (index << c) as values */
        constant(p, scale, &cr, &cs);
        operation(p, IR_I64, IR_SHL, &ir, &is, cr, cs);
        operation(p, IR_I64, IR_ADD, &r, &s, ir, is);
        break;
    case 1:
        constant(p, scale > 1 ? 1 : 0, &cr, &cs);
        operation(p, IR_I64, IR_SHL, &ir, &is, cr, cs);
        raw->ir_scale = built->ir_scale = scale > 1 ? scale - 1 : scale;
        raw->arg[1] = ir;
        built->arg[1] = is;
        break;
    }
    if (below(2)) {
        constant(p, below(2) ? below(32) : UINT64_C(0x123456789) , &cr, &cs);
        uint64_t c = p->raw.inst[cr].imm;
        operation(p, IR_I64, IR_ADD, &r, &s, cr, cs);
        if (c > 32) { /* too far for a displacement: come back */
            constant(p, -c, &cr, &cs);
            operation(p, IR_I64, IR_ADD, &r, &s, cr, cs);
        }
    }
    raw->imm = built->imm = below(GUEST_MEM / 4 - 16);
    raw->arg[0] = r;
    built->arg[0] = s;
    if (size == 16 && (raw->op == IR_CAS || raw->op == IR_AXCHG)) { /* cmpxchg16b wants alignment */
        raw->arg[0] = r = put_inst(&p->raw, get);
        built->arg[0] = b_emit(&p->b, get);
    }
}

/* Two shifts of a value, joined or one after the other, in one width or as extended words: rotations and fields. */
static void random_shifts(struct pair *p)
{
    enum ir_type t = below(2) ? IR_I64 : IR_I32;
    unsigned width = t == IR_I64 ? 64 : 32, c = 1 + below(width - 1), d = below(4) ? width - c : 1 + below(width - 1);
    ir_ref lr, ls, rr, rs;
    pick(p, t, &lr, &ls);
    rr = lr;
    rs = ls;
    struct ir_inst distance = {.op = IR_CONST, .type = t, .imm = c}, other = {.op = IR_CONST, .type = t, .imm = d};
    both(p, distance, distance);
    unsigned at = p->pool.n - 1;
    operation(p, t, IR_SHL, &lr, &ls, p->pool.value[at].raw, p->pool.value[at].built);
    both(p, other, other);
    at = p->pool.n - 1;
    if (!below(4)) {
        operation(p, t, below(2) ? IR_SHR : IR_SAR, &lr, &ls, p->pool.value[at].raw, p->pool.value[at].built);
        return;
    }
    operation(p, t, IR_SHR, &rr, &rs, p->pool.value[at].raw, p->pool.value[at].built);
    if (t == IR_I32 && below(3)) {
        t = IR_I64;
        operation(p, t, below(3) ? IR_SEXT : IR_ZEXT, &lr, &ls, IR_NONE, IR_NONE);
        operation(p, t, below(3) ? IR_SEXT : IR_ZEXT, &rr, &rs, IR_NONE, IR_NONE);
    }
    if (below(2))
        operation(p, t, IR_OR, &lr, &ls, rr, rs);
    else
        operation(p, t, IR_OR, &rr, &rs, lr, ls);
}

static void random_instruction(struct pair *p)
{
    if (!below(16) && p->pool.n < ARRAY_SIZE(p->pool.value) / 2) {
        random_shifts(p);
        return;
    }
    static const uint8_t favourites[] = {IR_ADD,  IR_SUB,   IR_AND,  IR_XOR,   IR_SHL,  IR_SHR,  IR_SAR, IR_UBFX, IR_SBFX,
                                         IR_ZEXT, IR_TRUNC, IR_SEXT, IR_SETCC, IR_SELCC, IR_PUT, IR_GET, IR_VLOW, IR_VZEXT,
                                         IR_LD,   IR_ST,    IR_DEPOSIT, IR_GOTO_IF, IR_PUT, IR_PUT};
    enum ir_op op;
    do
        op = below(2) ? favourites[below(ARRAY_SIZE(favourites))] : 1 + below(IR_OP_COUNT - 1);
    while (ir_facts[op].props & IR_P_EXIT || op == IR_LABEL || (op == IR_GOTO_IF && below(4)));
    struct ir_inst raw = random_fields(op);
    if (op == IR_CALL) {
        raw.helper = guest_helpers[below(ARRAY_SIZE(guest_helpers))];
        raw.type = ir_result_type(&raw);
    }
    if (op == IR_GOTO_IF)
        raw.ir_dead = 0;
    struct ir_inst built = raw;
    unsigned from = 0;
    bool plain = op == IR_LD || op == IR_ST;
    if (plain || ir_facts[op].props & IR_P_FAULT) {
        raw.mem &= ~MEM_ALIGN; /* which is a matter of faults */
        built.mem = raw.mem;
        random_address(p, 1 << (raw.mem & MEM_SIZE), &raw, &built);
        if (!plain) {
            raw.ir_scale = built.ir_scale = 0;
            raw.arg[1] = built.arg[1] = IR_NONE;
            raw.imm = built.imm = 0;
        }
        from = plain ? 2 : 1;
    }
    for (unsigned k = from; k < ir_nargs(&raw); k++)
        pick(p, ir_arg_type(&raw, k), &raw.arg[k], &built.arg[k]);
    both(p, raw, built);
}

static void random_state(struct guest *g)
{
    memset(g, 0, sizeof *g);
    for (unsigned i = 0; i < GUEST_REGS; i++) {
        g->w[i] = rnd_bits();
        g->x[i] = rnd_bits();
        g->f[i] = rnd_float(false);
        g->d[i] = rnd_float(true);
        g->v[i] = (v128){below(2) ? rnd() : rnd_float(true), below(2) ? rnd() : rnd_float(false) | rnd_float(false) << 32};
    }
    for (unsigned i = 0; i < GUEST_MEM; i++)
        g->mem[i] = rnd();
    g->mxcsr = 0x1f80 | below(4) << 13;
}

/* Runs u on a copy of `start`; the addresses in both runs are those of *run. */
static void run(const struct ir_unit *u, const struct guest *start, struct guest *at, struct interp_exit *e)
{
    *at = *start;
    at->mem_base = (uintptr_t)at->mem;
    memset(e, 0, sizeof *e);
    ir_interpret(u, at, &guest_layout, NULL, e);
}

static void assert_same_run(const struct ir_unit *a, const struct ir_unit *b, const struct guest *start, const char *what)
{
    static struct guest at;
    struct guest first;
    struct interp_exit e, f;
    run(a, start, &at, &e);
    first = at;
    run(b, start, &at, &f);
    if (memcmp(&first, &at, sizeof at) || e.pc != f.pc || e.kind != f.kind) {
        ir_print(stderr, a);
        ir_print(stderr, b);
        for (unsigned i = 0; i < ARRAY_SIZE(guest_slots); i++)
            if (memcmp((char *)&first + guest_slots[i].offset, (char *)&at + guest_slots[i].offset, 4))
                fprintf(stderr, "%s differs\n", guest_slots[i].name);
        cr_assert_fail("%s: mxcsr %x %x, pc 0x%" PRIx64 " 0x%" PRIx64 ", insn 0x%" PRIx64 " 0x%" PRIx64, what, first.mxcsr,
                       at.mxcsr, e.pc, f.pc, first.insn_pc, at.insn_pc);
    }
}

static void check_random_unit(const struct ir_guest *guest, unsigned length)
{
    static struct pair p;
    struct guest start;
    p.pool.n = 0;
    ir_unit_init(&p.raw, guest, 0x1000, 0);
    ir_unit_init(&p.built, guest, 0x1000, 0);
    b_init(&p.b, &p.built);
    struct ir_inst insn = {.op = IR_INSN, .imm = 0x1000};
    both(&p, insn, insn);
    for (unsigned i = 0; i < length; i++)
        random_instruction(&p);
    /* Whatever was computed last is seen. */
    for (enum ir_type t = IR_I32; t <= IR_V128; t++) {
        struct ir_inst raw = {.op = IR_PUT, .type = t, .ir_slot_ = first_slot(t)}, built = raw;
        pick(&p, t, &raw.arg[0], &built.arg[0]);
        both(&p, raw, built);
    }
    struct ir_inst end = {.op = IR_GOTO, .imm = 0x2000};
    both(&p, end, end);
    const char *wrong = ir_verify(&p.raw);
    cr_assert_null(wrong, "as written: %s", wrong);
    wrong = ir_verify(&p.built);
    if (wrong)
        ir_print(stderr, &p.built);
    cr_assert_null(wrong, "as built: %s", wrong);
    for (unsigned i = 0; i < 3; i++) {
        random_state(&start);
        assert_same_run(&p.raw, &p.built, &start, "the builder changed the unit's meaning");
    }
    struct ir_unit copy = p.raw;
    copy.inst = malloc(copy.n * sizeof *copy.inst);
    memcpy(copy.inst, p.raw.inst, copy.n * sizeof *copy.inst);
    ir_optimize(&copy);
    ir_optimize(&p.built);
    for (unsigned i = 0; i < 3; i++) {
        random_state(&start);
        assert_same_run(&p.raw, &copy, &start, "the passes changed the unit's meaning");
        assert_same_run(&p.raw, &p.built, &start, "the passes changed the built unit's meaning");
    }
    free(copy.inst);
    ir_unit_free(&p.raw);
    ir_unit_free(&p.built);
}

Test(ir, random_units_keep_their_meaning, .timeout = 100)
{
    rng_state = 0x1234567;
    for (unsigned i = 0; i < 6000; i++)
        check_random_unit(i & 1 ? &guest_riscv : &guest_arm, 1 + below(30));
}

Test(ir, constants_fold)
{
    rng_state = 77;
    for (unsigned op = 1; op < IR_OP_COUNT; op++) {
        if (!(ir_facts[op].props & IR_P_PURE) || op == IR_CONST)
            continue;
        for (unsigned i = 0; i < 20; i++) {
            struct ir_unit u;
            struct ir_builder b;
            struct ir_inst in = random_fields(op);
            if (in.cc >= CC_FOEQ)
                continue; /* it raises flags */
            ir_unit_init(&u, &guest_riscv, 0, 0);
            b_init(&b, &u);
            for (unsigned k = 0; k < ir_nargs(&in); k++) {
                enum ir_type t = ir_arg_type(&in, k);
                in.arg[k] = t == IR_V128 ? b_vconst(&b, rnd(), rnd()) : b_const(&b, t, rnd_bits());
            }
            ir_ref r = b_emit(&b, in);
            cr_assert_eq(u.inst[r].op, IR_CONST, "%s of constants is no constant", ir_ops[op].name);
            ir_unit_free(&u);
        }
    }
}

/* --- what the builder makes of known shapes --- */

static void assert_text(struct ir_unit *u, const char *want)
{
    char *text = text_of(u);
    cr_assert_str_eq(strchr(text, '\n') + 1, want);
    free(text);
    ir_unit_free(u);
}

static struct ir_builder start_unit(struct ir_unit *u)
{
    struct ir_builder b;
    ir_unit_init(u, &guest_riscv, 0x1000, 0);
    b_init(&b, u);
    b_insn(&b, 0x1000, 0);
    return b;
}

Test(ir, builder_forwards_registers)
{
    struct ir_unit u;
    struct ir_builder b = start_unit(&u);
    unsigned x0 = first_slot(IR_I64), x1 = x0 + 1;
    ir_ref v = b_get(&b, x0);
    b_put(&b, x1, v);
    cr_assert_eq(b_get(&b, x1), v);
    b_put(&b, x1, v); /* known already */
    b_callv(&b, &helper_void, v);
    cr_assert_neq(b_get(&b, x0), v);
    b_goto(&b, 0x2000);
    assert_text(&u, "insn 0x1000, 0\n"
                    "  %2 = get x0\n"
                    "  put x1, %2\n"
                    "  call void %2\n"
                    "  %5 = get x0\n"
                    "  goto 0x2000\n");
}

Test(ir, builder_folds_addresses_and_exits)
{
    struct ir_unit u;
    struct ir_builder b = start_unit(&u);
    unsigned x0 = first_slot(IR_I64);
    ir_ref x = b_get(&b, x0), y = b_get(&b, x0 + 1);
    ir_ref sum = b_add(&b, IR_I64, x, b_shli(&b, IR_I64, y, 3));
    ir_ref a = b_load(&b, IR_I64, MEM_64, b_addi(&b, IR_I64, sum, 16), IR_NONE, 0, 8);
    b_store(&b, IR_I64, MEM_U8, b_addi(&b, IR_I64, x, -4), IR_NONE, 0, 0, a);
    b_goto_if(&b, CC_LTU, IR_I64, a, b_i64(&b, 0), 0x3000); /* never */
    b_exit_dead(&b, x0);                                     /* of an exit that is not there */
    b_goto_if(&b, CC_EQ, IR_I64, a, b_i64(&b, 0), 0x3000);
    b_exit_dead(&b, x0);
    b_goto(&b, 0x2000);
    ir_optimize(&u);
    assert_text(&u, "insn 0x1000, 0\n"
                    "  %2 = get x0\n"
                    "  %3 = get x1\n"
                    "  %9 = ld.i64 u64 [%2 + %3 << 3 + 0x18]\n"
                    "  st.i64 u8 [%2 - 0x4], %9\n"
                    "  %13 = const.i64 0\n"
                    "  goto_if.i64 eq %9, %13, 0x3000, dead x0\n"
                    "  goto 0x2000\n");
}

Test(ir, builder_ends_loops)
{
    struct ir_unit u;
    struct ir_builder b = start_unit(&u);
    unsigned x0 = first_slot(IR_I64);
    uint64_t next = 0;
    ir_ref x = b_get(&b, x0), y = b_get(&b, x0 + 1);
    b_goto_if(&b, CC_NE, IR_I64, x, y, 0x1000);
    b_exit_dead(&b, x0);
    b_insn(&b, 0x1004, 0);
    b_put(&b, x0, y); /* x0 may have been read before, as the value x: it is not dead at 0x1004 */
    b_goto(&b, 0x2000);
    cr_assert(b_end_loop(&b, &next));
    cr_assert_eq(next, 0x1004);
    assert_text(&u, "insn 0x1000, 0\n"
                    "  %2 = get x0\n"
                    "  %3 = get x1\n"
                    "  goto_if.i64 ne %2, %3, 0x1000, dead x0\n"
                    "  goto 0x1004\n");
}

Test(ir, passes_shape_comparisons_and_drop_puts)
{
    struct ir_unit u;
    char err[200];
    cr_assert(ir_parse(&u, &guest_riscv,
                       "insn 0x1000, 0\n"
                       "%1 = get x0\n"
                       "%2 = get x1\n"
                       "%3 = setcc.i64 lts %1, %2\n"
                       "%4 = zext %3\n"
                       "put x2, %1\n" /* overwritten unseen */
                       "put x2, %2\n" /* the load may fault: stays */
                       "%5 = ld.i64 u64 [%1]\n"
                       "put x2, %4\n" /* dead at both exits */
                       "%6 = const.i64 0\n"
                       "goto_if.i64 eq %4, %6, 0x2000\n"
                       "%7 = and.i64 %1, %2\n"
                       "put x2, %1\n"
                       "goto_if.i64 ne %7, %6, 0x3000, dead x2\n"
                       "put x2, %2\n"
                       "goto 0x4000, dead x2\n",
                       err, sizeof err),
              "%s", err);
    ir_optimize(&u);
    assert_text(&u, "insn 0x1000, 0\n"
                    "  %2 = get x0\n"
                    "  %3 = get x1\n"
                    "  %4 = setcc.i64 lts %2, %3\n"
                    "  %5 = zext %4\n"
                    "  put x2, %3\n"
                    "  %8 = ld.i64 u64 [%2]\n"
                    "  put x2, %5\n"
                    "  goto_if.i64 ges %2, %3, 0x2000\n"
                    "  goto_if.i64 tstne %2, %3, 0x3000, dead x2\n"
                    "  goto 0x4000, dead x2\n");
}

/* --- units with expectations written beside them --- */

/* The directives of a file's comments: `# set REG LOW [HIGH]`, `# want REG LOW [HIGH]`, `# flags MXCSR-FLAGS`,
   `# leaves PC`. */
static void for_directives(const char *text, const char *word, struct guest *g, const char *file)
{
    size_t n = strlen(word);
    for (const char *s = text; (s = strstr(s, "# ")); s++) {
        if (strncmp(s + 2, word, n) || s[2 + n] != ' ')
            continue;
        char reg[16], low[24], high[24] = "0";
        int fields = sscanf(s + 2 + n, " %15s %23[-0-9a-fx]%*[ ]%23[-0-9a-fx]", reg, low, high);
        cr_assert(fields >= 2, "%s: bad directive %.40s", file, s);
        uint64_t v[2] = {strtoull(low, NULL, 0), strtoull(high, NULL, 0)};
        unsigned i = 0;
        while (i < ARRAY_SIZE(guest_slots) && strcmp(guest_slots[i].name, reg))
            i++;
        cr_assert(i < ARRAY_SIZE(guest_slots), "%s: no register %s", file, reg);
        static const uint8_t size[IR_TYPE_COUNT] = {0, 4, 8, 4, 8, 16};
        char *at = (char *)g + guest_slots[i].offset;
        if (!strcmp(word, "set"))
            memcpy(at, v, size[guest_slots[i].type]);
        else {
            uint64_t got[2] = {0};
            memcpy(got, at, size[guest_slots[i].type]);
            cr_assert(!memcmp(got, v, size[guest_slots[i].type]),
                      "%s: %s is 0x%016" PRIx64 " 0x%016" PRIx64 ", wanted 0x%016" PRIx64 " 0x%016" PRIx64, file, reg,
                      got[0], got[1], v[0], v[1]);
        }
    }
}

static void check_file(const char *path)
{
    static char text[65536];
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f, "%s", path);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    struct ir_unit u;
    char err[200];
    const struct ir_guest *guest = strstr(text, "# rules arm") ? &guest_arm : &guest_riscv;
    cr_assert(ir_parse(&u, guest, text, err, sizeof err), "%s: %s", path, err);
    for (unsigned optimised = 0; optimised < 2; optimised++) {
        static struct guest start, at;
        struct interp_exit e;
        if (optimised)
            ir_optimize(&u);
        memset(&start, 0, sizeof start);
        start.mxcsr = 0x1f80;
        for_directives(text, "set", &start, path);
        run(&u, &start, &at, &e);
        for_directives(text, "want", &at, path);
        const char *flags = strstr(text, "# flags "), *leaves = strstr(text, "# leaves ");
        if (flags)
            cr_assert_eq(at.mxcsr & 0x3f, strtoul(flags + 8, NULL, 0), "%s: flags 0x%x", path, at.mxcsr & 0x3f);
        if (leaves)
            cr_assert_eq(e.pc, strtoull(leaves + 9, NULL, 0), "%s: pc 0x%" PRIx64, path, e.pc);
    }
    ir_unit_free(&u);
}

Test(ir, files)
{
    const char *folder = getenv("IR_FILES");
    cr_assert_not_null(folder, "IR_FILES names no folder");
    struct dirent **entry;
    int n = scandir(folder, &entry, NULL, alphasort), files = 0;
    for (int i = 0; i < n; i++) {
        char path[4096];
        if (strstr(entry[i]->d_name, ".ir")) {
            snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
            check_file(path);
            files++;
        }
        free(entry[i]);
    }
    free(entry);
    cr_assert(files > 0, "no files in %s", folder);
}
