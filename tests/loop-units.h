/*
 * Random counted loops over memory, for the pass that makes vectors of them (tcg/loop.h): rows of elements and every
 * second one, sums, values of the former round, branches around assignments; pointers that overlap, bounds that are
 * never reached, memory that ends. Uses the slots of x86-units.h: x0 to x2 point, x3 counts, x4 is the bound, x5 to x10
 * are data.
 */
#ifndef TESTS_LOOP_UNITS_H
#define TESTS_LOOP_UNITS_H

#include "tests/x86-units.h"

enum { X_COUNT = SLOT_X + 3, X_BOUND, X_DATA, NDATA = 6, NPOINTERS = 3, MAX_VALUES = 16 };

struct loop_maker {
    struct unit_maker m;
    unsigned size; /* log2 of an element's bytes */
    int step[NPOINTERS];
    ir_ref value[MAX_VALUES]; /* I32 */
    unsigned n;
};

static ir_ref op(struct loop_maker *l, enum ir_op op, enum ir_type t, ir_ref a, ir_ref b)
{
    return add_quiet(&l->m,
                     (struct ir_inst){.op = op, .type = t, .type2 = IR_I32, .cc = below(CC_FOEQ), .arg = {a, b}});
}

static ir_ref get(struct loop_maker *l, unsigned slot)
{
    return add_quiet(&l->m, (struct ir_inst){.op = IR_GET, .type = IR_I64, .ir_slot_ = slot});
}

static ir_ref some(struct loop_maker *l)
{
    if (l->n && below(5))
        return l->value[below(l->n)];
    if (below(3))
        return constant(&l->m, IR_I32, below(2) ? below(300) - 100 : rnd_bits());
    return op(l, IR_TRUNC, IR_I32, get(l, X_DATA + below(NDATA)), 0);
}

static void keep(struct loop_maker *l, ir_ref v) { l->value[l->n++ % MAX_VALUES] = v; }

static void random_load(struct loop_maker *l)
{
    unsigned p = below(NPOINTERS);
    bool wide = below(2);
    struct ir_inst in = {.op = IR_LD, .type = wide ? IR_I64 : IR_I32, .mem = l->size, .arg = {get(l, SLOT_X + p)}};
    in.mem |= (l->size < 2 || wide) && below(2) ? MEM_SIGN : 0;
    in.imm = below(3) << l->size;
    ir_ref v = add_quiet(&l->m, in);
    keep(l, wide ? op(l, IR_TRUNC, IR_I32, v, 0) : v);
}

static void random_value(struct loop_maker *l)
{
    static const uint8_t two[] = {IR_ADD, IR_ADD, IR_SUB, IR_SUB, IR_AND, IR_OR, IR_XOR, IR_ANDN, IR_MUL, IR_SETCC},
                         shifts[] = {IR_SHL, IR_SHR, IR_SAR};
    if (!below(5)) {
        keep(l, op(l, shifts[below(3)], IR_I32, some(l), constant(&l->m, IR_I32, below(below(2) ? 5 : 40))));
    } else if (!below(8)) {
        unsigned pos = below(9);
        keep(l, add_quiet(&l->m, (struct ir_inst){.op = below(2) ? IR_UBFX : IR_SBFX,
                                                  .type = IR_I32,
                                                  .arg = {some(l)},
                                                  .imm = pos,
                                                  .imm2 = 1 + below(32 - pos)}));
    } else if (!below(8)) {
        keep(l, add_quiet(&l->m, (struct ir_inst){.op = IR_SELCC,
                                                  .type = IR_I32,
                                                  .type2 = IR_I32,
                                                  .cc = below(CC_FOEQ),
                                                  .arg = {some(l), some(l), some(l), some(l)}}));
    } else if (!below(10)) {
        keep(l, op(l, below(2) ? IR_NOT : IR_NEG, IR_I32, some(l), 0));
    } else {
        keep(l, op(l, two[below(ARRAY_SIZE(two))], IR_I32, some(l), some(l)));
    }
}

static ir_ref extended(struct loop_maker *l, ir_ref v) { return op(l, below(3) ? IR_SEXT : IR_ZEXT, IR_I64, v, 0); }

static void put_data(struct loop_maker *l) { put(&l->m, X_DATA + below(4), IR_I64, extended(l, some(l))); }

/* x9 or x10, which nothing else writes. */
static void random_sum(struct loop_maker *l)
{
    unsigned slot = X_DATA + 4 + below(2);
    struct unit_maker *m = &l->m;
    if (!below(3)) { /* in some rounds only: a choice, or a branch */
        ir_ref old = get(l, slot), half = op(l, IR_TRUNC, IR_I32, old, 0), sum = op(l, IR_ADD, IR_I32, half, some(l));
        struct ir_inst in = {.op = IR_SELCC, .type = IR_I32, .type2 = IR_I32, .cc = below(CC_FOEQ)};
        in.arg[0] = some(l);
        in.arg[1] = some(l);
        if (below(2)) {
            bool first = below(2);
            in.arg[2] = first ? sum : half;
            in.arg[3] = first ? half : sum;
            put(m, slot, IR_I64, extended(l, add_quiet(m, in)));
            return;
        }
        in = (struct ir_inst){
            .op = IR_GOTO_IF, .type2 = IR_I32, .cc = in.cc, .imm = m->next_pc, .arg = {in.arg[0], in.arg[1]}};
        add_quiet(m, in);
        put(m, slot, IR_I64, extended(l, sum));
        add_quiet(m, (struct ir_inst){.op = IR_LABEL, .imm = m->next_pc});
        l->n = 0;
        start_insn(m);
        return;
    }
    ir_ref old = get(l, slot), v = l->n ? l->value[below(l->n)] : some(l);
    if (below(2))
        put(&l->m, slot, IR_I64, extended(l, op(l, IR_ADD, IR_I32, op(l, IR_TRUNC, IR_I32, old, 0), v)));
    else
        put(&l->m, slot, IR_I64, op(l, IR_ADD, IR_I64, old, op(l, IR_SEXT, IR_I64, v, 0)));
    if (!below(3)) /* once more: as it is, or extended (differently) */
        put(&l->m, X_DATA + below(4), IR_I64,
            below(2) ? get(l, slot) : extended(l, op(l, IR_TRUNC, IR_I32, get(l, slot), 0)));
}

static void random_detour(struct loop_maker *l)
{
    struct unit_maker *m = &l->m;
    uint64_t pc = m->next_pc + 4;
    add_quiet(m, (struct ir_inst){
                     .op = IR_GOTO_IF, .type2 = IR_I32, .cc = below(CC_FOEQ), .imm = pc, .arg = {some(l), some(l)}});
    start_insn(m);
    put_data(l);
    add_quiet(m, (struct ir_inst){.op = IR_LABEL, .imm = pc});
    l->n = 0;
    start_insn(m);
}

static void random_store(struct loop_maker *l)
{
    unsigned p = below(NPOINTERS);
    struct ir_inst in = {.op = IR_ST, .type = IR_I32, .mem = l->size};
    in.arg[2] = some(l);
    in.arg[0] = get(l, SLOT_X + p);
    bool both = l->step[p] == 2 << l->size && below(8);
    in.imm = both ? 0 : below(3) << l->size;
    add_quiet(&l->m, in);
    if (both) {
        in.arg[2] = some(l);
        in.imm = 1 << l->size;
        add_quiet(&l->m, in);
    }
}

static void advance(struct loop_maker *l)
{
    struct unit_maker *m = &l->m;
    for (unsigned p = 0; p < NPOINTERS; p++)
        if (l->step[p])
            put(m, SLOT_X + p, IR_I64, op(l, IR_ADD, IR_I64, get(l, SLOT_X + p), constant(m, IR_I64, l->step[p])));
}

/* Until x0 reaches the bound, or x3, in 64 or 32 bits, upwards or downwards. */
static void jump_back(struct loop_maker *l)
{
    static const uint8_t up[] = {CC_NE, CC_NE, CC_LTU, CC_LTS, CC_LEU, CC_LES},
                         down[] = {CC_NE, CC_NE, CC_GTU, CC_GTS, CC_GEU, CC_GES};
    struct unit_maker *m = &l->m;
    struct ir_inst in = {.op = IR_GOTO_IF, .type2 = IR_I64, .imm = UNIT_PC};
    bool is_up = l->step[0] > 0, narrow = below(2);
    if (below(2)) {
        in.arg[0] = get(l, SLOT_X);
        in.arg[1] = get(l, X_BOUND);
    } else {
        int step = (below(2) ? 1 : 1 + (int)below(3)) * (below(2) ? 1 : -1);
        is_up = step > 0;
        ir_ref old = get(l, X_COUNT);
        if (narrow) {
            ir_ref sum = op(l, IR_ADD, IR_I32, op(l, IR_TRUNC, IR_I32, old, 0), constant(m, IR_I32, step));
            in.arg[0] = extended(l, sum);
            put(m, X_COUNT, IR_I64, in.arg[0]);
            if (below(2)) {
                in.arg[0] = sum;
                in.type2 = IR_I32;
            }
        } else {
            in.arg[0] = op(l, IR_ADD, IR_I64, old, constant(m, IR_I64, step));
            put(m, X_COUNT, IR_I64, in.arg[0]);
            if (!below(3)) {
                in.arg[0] = op(l, IR_TRUNC, IR_I32, in.arg[0], 0);
                in.type2 = IR_I32;
            }
        }
        in.arg[1] = below(2) ? constant(m, in.type2, is_up ? 40 : 0) : get(l, X_BOUND);
        if (in.type2 == IR_I32 && m->u->inst[in.arg[1]].op == IR_GET)
            in.arg[1] = op(l, IR_TRUNC, IR_I32, in.arg[1], 0);
    }
    in.cc = is_up ? up[below(6)] : down[below(6)];
    add_quiet(m, in);
}

static __attribute__((unused)) unsigned make_loop(struct ir_unit *u, const struct ir_guest *guest, bool labels)
{
    static const int8_t steps[] = {1, 1, 1, 1, 2, 2, 0, -1, 3};
    struct loop_maker *l = calloc(1, sizeof *l);
    struct unit_maker *m = &l->m;
    m->u = u;
    m->next_pc = UNIT_PC;
    l->size = below(3);
    int step = steps[below(5)]; /* mostly the same for all */
    for (unsigned p = 0; p < NPOINTERS; p++)
        l->step[p] = (below(6) ? step : steps[below(9)]) * (1 << l->size);
    ir_unit_init(u, guest, UNIT_PC, 0);
    start_insn(m);
    for (unsigned n = 1 + below(4); n; n--)
        random_load(l);
    for (unsigned n = below(12); n; n--) {
        if (!below(4))
            start_insn(m);
        random_value(l);
    }
    if (!below(4))
        random_detour(l);
    for (unsigned n = below(3); n; n--)
        put_data(l);
    if (below(2))
        random_sum(l);
    if (below(2))
        random_store(l);
    if (!below(8))
        random_store(l);
    if (!below(16))
        random_load(l);
    start_insn(m);
    advance(l);
    jump_back(l);
    add_quiet(m, (struct ir_inst){.op = IR_GOTO, .imm = EXIT_STEP * NEXITS});
    u->ninsns = (m->next_pc - UNIT_PC) / 4;
    free(l);
    return 0;
}

/* `memory`: where it will be, MEM_BYTES that can be read and written, and nothing behind. */
static __attribute__((unused)) void loop_state(struct test_cpu *c, uint8_t *contents, uint64_t memory)
{
    random_state(c, contents);
    unsigned rounds = below(4) ? 2 + below(100) : below(200);
    for (unsigned p = 0; p < NPOINTERS; p++) {
        unsigned at = below(3) ? p * 160 + below(40) : below(MEM_BYTES - 8);
        c->x[p] = memory + (below(4) || !p ? at : c->x[0] - memory + below(40) - 8);
    }
    c->x[3] = below(4) ? 0 : rnd_bits();
    c->x[4] = below(2) ? c->x[0] + rounds : below(2) ? rounds : rnd_bits();
    for (unsigned i = 0; i < NDATA; i++)
        if (below(3))
            c->x[5 + i] = (int64_t)below(600) - 200;
    if (below(2))
        for (unsigned i = 0; i < MEM_BYTES; i++)
            contents[i] = below(8);
}

#endif
