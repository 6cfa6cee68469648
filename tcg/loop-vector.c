/* Loops of vectors, third part: the new loop, in front of the guest's. */
#include <stdlib.h>

#include "base/log.h"
#include "tcg/loop.h"
#include "tcg/passes.h"

struct maker {
    struct loop *l;
    struct ir_builder b;
};

static const enum ir_type type_of_count[2] = {IR_I64, IR_I32};

/* --- scalars, of the registers as they are --- */

static ir_ref address(struct maker *m, const struct affine *a, int64_t more)
{
    struct ir_builder *b = &m->b;
    ir_ref sum = IR_NONE;
    for (unsigned i = 0; i < a->n; i++) {
        if (!a->term[i].by)
            continue;
        ir_ref x = b_op2(b, IR_MUL, IR_I64, b_get(b, a->term[i].slot), b_i64(b, a->term[i].by));
        sum = sum == IR_NONE ? x : b_add(b, IR_I64, sum, x);
    }
    ir_ref c = b_i64(b, a->c + more);
    return sum == IR_NONE ? c : b_add(b, IR_I64, sum, c);
}

static ir_ref extended(struct maker *m, ir_ref x, enum slot_width width)
{
    return width == SIGNED_32 ? b_sext(&m->b, x) : b_zext(&m->b, x);
}

/* The slot's low half or the whole, and more. */
static ir_ref slot_plus(struct maker *m, unsigned s, ir_ref more32, int64_t c)
{
    struct ir_builder *b = &m->b;
    enum slot_width width = m->l->slot[s].width;
    ir_ref old = b_get(b, s);
    if (width == WIDE)
        return b_add(b, IR_I64, old, more32 ? b_sext(b, more32) : b_i64(b, c));
    return extended(m, b_add(b, IR_I32, b_trunc(b, old), more32 ? more32 : b_i32(b, c)), width);
}

/* An expression of registers that are FIXED or STEP, `more` rounds later. */
static ir_ref scalar(struct maker *m, node_ref n, int64_t more)
{
    const struct node *v = &m->l->node[n];
    const struct loop_slot *s = &m->l->slot[v->in.ir_slot_];
    if (v->in.op == IR_GET)
        return s->kind == SLOT_STEP && more ? slot_plus(m, v->in.ir_slot_, IR_NONE, more * s->step)
                                            : b_get(&m->b, v->in.ir_slot_);
    struct ir_inst in = v->in;
    for (unsigned k = 0; k < IR_MAX_ARGS; k++)
        in.arg[k] = v->arg[k] ? scalar(m, v->arg[k], more) : IR_NONE;
    return b_emit(&m->b, in);
}

/* --- vectors: part p of the values of node n --- */

static ir_ref vector(struct maker *m, node_ref n, unsigned p);

static ir_ref constant(struct maker *m, int64_t c)
{
    uint64_t v = c;
    if (m->l->lane == LANE_H)
        v = (v & 0xffff) * UINT64_C(0x0001000100010001);
    else
        v = (v & 0xffffffff) * UINT64_C(0x0000000100000001);
    return b_vconst(&m->b, v, v);
}

static ir_ref load_row(struct maker *m, const struct access *a, unsigned p, unsigned bytes)
{
    static const uint8_t mem[] = {[4] = MEM_U32, [8] = MEM_64, [16] = MEM_128};
    struct ir_builder *b = &m->b;
    enum ir_type t = bytes == 16 ? IR_V128 : bytes == 8 ? IR_F64 : IR_F32;
    ir_ref base = address(m, &a->at, p * loop_lanes(m->l) * a->at.step - a->place);
    ir_ref v = b_load(b, t, mem[bytes], base, IR_NONE, 0, 0);
    return t == IR_V128 ? v : b_vzext(b, t, v);
}

/* The lanes that share 16 bytes are loaded once. */
static ir_ref load_lanes(struct maker *m, const struct access *a, unsigned p)
{
    struct loop *l = m->l;
    for (unsigned i = 0; i < l->naccesses; i++) {
        struct access *o = &l->access[i];
        if (!o->store && o->form == ACCESS_LANES && loop_same_base(&o->at, &a->at) &&
            o->at.c - o->place == a->at.c - a->place) {
            if (!o->row[p])
                o->row[p] = load_row(m, o, p, 16);
            return o->row[p];
        }
    }
    BUG("an access that is not in its list");
}

/* How one element is loaded into 32 bits. */
static unsigned element(const struct access *a, const struct ir_inst *in) { return a->size == 4 ? MEM_U32 : in->mem; }

static ir_ref load_each(struct maker *m, const struct access *a, unsigned p)
{
    struct ir_builder *b = &m->b;
    const struct ir_inst *in = &m->l->node[a->node].in;
    ir_ref v = IR_NONE;
    for (unsigned i = 0; i < loop_lanes(m->l); i++) {
        ir_ref base = address(m, &a->at, (int64_t)(p * loop_lanes(m->l) + i) * a->at.step);
        ir_ref x = b_load(b, IR_I32, element(a, in), base, IR_NONE, 0, 0);
        v = i ? b_vset(b, m->l->lane, v, i, x) : b_vzext(b, IR_I32, x);
    }
    return v;
}

static ir_ref load(struct maker *m, const struct access *a, unsigned p)
{
    struct ir_builder *b = &m->b;
    enum ir_lane lane = m->l->lane;
    const struct ir_inst *in = &m->l->node[a->node].in;
    bool sign = in->mem & MEM_SIGN;
    unsigned width = 8u << lane, size = 8u * a->size;
    ir_ref v;
    switch ((enum access_form)a->form) {
    case ACCESS_ONE: return b_vdup(b, lane, b_load(b, IR_I32, element(a, in), address(m, &a->at, 0), IR_NONE, 0, 0));
    case ACCESS_EACH: return load_each(m, a, p);
    case ACCESS_NARROW:
        v = load_row(m, a, p, loop_lanes(m->l) * a->size);
        for (unsigned from = a->size == 1 ? LANE_B : LANE_H; from < lane; from++)
            v = b_v1(b, sign ? IR_VSWIDEN : IR_VUWIDEN, from, v);
        return v;
    case ACCESS_LANES:
        v = load_lanes(m, a, p);
        if (size == width)
            return v;
        if (sign) {
            v = a->place * 8 + size < width ? b_v1i(b, IR_VSHLI, lane, v, width - size - a->place * 8) : v;
            return b_v1i(b, IR_VSSHRI, lane, v, width - size);
        }
        v = a->place ? b_v1i(b, IR_VUSHRI, lane, v, a->place * 8) : v;
        return a->place * 8 + size < width ? b_v2(b, IR_VAND, lane, v, constant(m, (INT64_C(1) << size) - 1)) : v;
    }
    BUG("a form that is none");
}

static const struct access *access_of(const struct loop *l, node_ref n)
{
    for (unsigned i = 0; i < l->naccesses; i++)
        if (l->access[i].node == n)
            return &l->access[i];
    BUG("a load that is not in its list");
}

/* What a register held when the round began: what the former one left. */
static ir_ref former(struct maker *m, unsigned s, unsigned p)
{
    struct ir_builder *b = &m->b;
    struct loop *l = m->l;
    unsigned bytes = 1u << l->lane;
    ir_ref now = vector(m, l->slot[s].last, p);
    if (p)
        return b_v2i(b, IR_VEXT, LANE_B, vector(m, l->slot[s].last, p - 1), now, 16 - bytes);
    ir_ref moved = b_v2i(b, IR_VEXT, LANE_B, now, now, 16 - bytes);
    return b_vset(b, l->lane, moved, 0, b_trunc(b, b_get(b, s)));
}

/* All ones in lanes where it holds; *invert: where it does not. */
static ir_ref mask(struct maker *m, const struct node *v, unsigned p, bool *invert)
{
    static const struct {
        uint16_t op;
        bool swap, invert;
    } of[] = {
        [CC_EQ] = {IR_VCMPEQ, false, false},    [CC_NE] = {IR_VCMPEQ, false, true},
        [CC_LTU] = {IR_VCMPGTU, true, false},   [CC_GEU] = {IR_VCMPGTU, true, true},
        [CC_LEU] = {IR_VCMPGTU, false, true},   [CC_GTU] = {IR_VCMPGTU, false, false},
        [CC_LTS] = {IR_VCMPGTS, true, false},   [CC_GES] = {IR_VCMPGTS, true, true},
        [CC_LES] = {IR_VCMPGTS, false, true},   [CC_GTS] = {IR_VCMPGTS, false, false},
        [CC_TSTEQ] = {IR_VCMPEQ, false, false}, [CC_TSTNE] = {IR_VCMPEQ, false, true},
    };
    struct ir_builder *b = &m->b;
    enum ir_lane lane = m->l->lane;
    ir_ref x = vector(m, v->arg[0], p), y = vector(m, v->arg[1], p);
    enum ir_cc cc = v->in.cc;
    *invert = of[cc].invert;
    if (cc == CC_TSTEQ || cc == CC_TSTNE) {
        x = b_v2(b, IR_VAND, lane, x, y);
        y = constant(m, 0);
    }
    return of[cc].swap ? b_v2(b, of[cc].op, lane, y, x) : b_v2(b, of[cc].op, lane, x, y);
}

static ir_ref shifted(struct maker *m, const struct node *v, ir_ref x)
{
    int64_t c;
    unsigned width = 8u << m->l->lane;
    loop_const(m->l, v->arg[1], &c);
    c &= v->in.type == IR_I32 ? 31 : 63;
    if (!c)
        return x;
    if (v->in.op == IR_SHL)
        return b_v1i(&m->b, IR_VSHLI, m->l->lane, x, c);
    if (v->in.op == IR_SAR)
        return b_v1i(&m->b, IR_VSSHRI, m->l->lane, x, c < width ? c : width - 1);
    return b_v1i(&m->b, IR_VUSHRI, m->l->lane, x, c < width ? c : width);
}

static ir_ref field(struct maker *m, const struct node *v, ir_ref x)
{
    struct ir_builder *b = &m->b;
    enum ir_lane lane = m->l->lane;
    unsigned width = 8u << lane, pos = v->in.imm, len = v->in.imm2;
    if (v->in.op == IR_SBFX) {
        x = width - pos - len ? b_v1i(b, IR_VSHLI, lane, x, width - pos - len) : x;
        return width - len ? b_v1i(b, IR_VSSHRI, lane, x, width - len) : x;
    }
    x = pos ? b_v1i(b, IR_VUSHRI, lane, x, pos) : x;
    return pos + len < width ? b_v2(b, IR_VAND, lane, x, constant(m, (INT64_C(1) << len) - 1)) : x;
}

static ir_ref make(struct maker *m, node_ref n, unsigned p)
{
    static const uint16_t op_of[IR_OP_COUNT] = {
        [IR_ADD] = IR_VADD, [IR_SUB] = IR_VSUB, [IR_MUL] = IR_VMUL, [IR_AND] = IR_VAND, [IR_ANDN] = IR_VANDN,
        [IR_OR] = IR_VOR,   [IR_XOR] = IR_VXOR, [IR_NEG] = IR_VNEG, [IR_NOT] = IR_VNOT,
    };
    struct ir_builder *b = &m->b;
    enum ir_lane lane = m->l->lane;
    const struct node *v = &m->l->node[n];
    int64_t c;
    bool invert;
    if (loop_const(m->l, n, &c))
        return constant(m, c);
    switch (v->in.op) {
    case IR_GET:
        if (m->l->slot[v->in.ir_slot_].kind == SLOT_LAST)
            return former(m, v->in.ir_slot_, p);
        return b_vdup(b, lane, b_trunc(b, b_get(b, v->in.ir_slot_)));
    case IR_LD: return load(m, access_of(m->l, n), p);
    case IR_TRUNC:
    case IR_SEXT:
    case IR_ZEXT: return vector(m, v->arg[0], p);
    case IR_SHL:
    case IR_SHR:
    case IR_SAR: return shifted(m, v, vector(m, v->arg[0], p));
    case IR_UBFX:
    case IR_SBFX: return field(m, v, vector(m, v->arg[0], p));
    case IR_SETCC: {
        ir_ref x = mask(m, v, p, &invert);
        if (invert) /* -1 + 1, 0 + 1 */
            return b_v2(b, IR_VADD, lane, x, constant(m, 1));
        return b_v1i(b, IR_VUSHRI, lane, x, (8u << lane) - 1);
    }
    case IR_SELCC: {
        ir_ref x = mask(m, v, p, &invert), yes = vector(m, v->arg[2], p), no = vector(m, v->arg[3], p);
        return invert ? b_v3(b, IR_VBSL, lane, x, no, yes) : b_v3(b, IR_VBSL, lane, x, yes, no);
    }
    default: {
        ir_ref x = vector(m, v->arg[0], p);
        return v->arg[1] ? b_v2(b, op_of[v->in.op], lane, x, vector(m, v->arg[1], p))
                         : b_v1(b, op_of[v->in.op], lane, x);
    }
    }
}

static ir_ref vector(struct maker *m, node_ref n, unsigned p)
{
    struct node *v = &m->l->node[n];
    if (!v->made[p])
        v->made[p] = make(m, n, p);
    return v->made[p];
}

/* --- stores --- */

/* The low halves of both's lanes; values that fit need no masks. */
static ir_ref narrowed(struct maker *m, enum ir_lane lane, ir_ref x, ir_ref y, const struct node *v)
{
    bool fits = v->min >= 0 && v->max < INT64_C(1) << (4u << lane) && !v->low;
    return b_v2(&m->b, fits ? IR_VSQNARROWU : IR_VNARROW, lane, x, y);
}

static void store_narrow(struct maker *m, const struct access *a)
{
    struct ir_builder *b = &m->b;
    struct loop *l = m->l;
    node_ref n = l->node[a->node].arg[2];
    unsigned last = l->parts - 1, bytes = l->rounds * a->size;
    ir_ref v = narrowed(m, l->lane, vector(m, n, 0), vector(m, n, last), &l->node[n]), at = address(m, &a->at, 0);
    if (l->lane == LANE_S && a->size == 1)
        v = narrowed(m, LANE_H, v, v, &l->node[n]);
    if (bytes == 16)
        b_store(b, IR_V128, MEM_128, at, IR_NONE, 0, 0, v);
    else if (bytes == 8)
        b_store(b, IR_F64, MEM_64, at, IR_NONE, 0, 0, b_vlow(b, IR_F64, v));
    else
        b_store(b, IR_F32, MEM_U32, at, IR_NONE, 0, 0, b_vlow(b, IR_F32, v));
}

/* With everything that shares the lanes. */
static void store_lanes(struct maker *m, const struct access *a, unsigned p)
{
    struct ir_builder *b = &m->b;
    struct loop *l = m->l;
    ir_ref all = IR_NONE;
    for (unsigned i = 0; i < l->naccesses; i++) {
        const struct access *o = &l->access[i];
        if (!o->store || o->form != ACCESS_LANES || !loop_same_base(&o->at, &a->at) ||
            o->at.c - o->place != a->at.c - a->place)
            continue;
        const struct node *v = &l->node[l->node[o->node].arg[2]];
        unsigned end = (o->place + o->size) * 8, width = 8u << l->lane;
        bool fits = v->min >= 0 && v->max < INT64_C(1) << o->size * 8;
        ir_ref x = vector(m, l->node[o->node].arg[2], p);
        if (end < width && !fits)
            x = b_v2(b, IR_VAND, l->lane, x, constant(m, (INT64_C(1) << o->size * 8) - 1));
        if (o->place)
            x = b_v1i(b, IR_VSHLI, l->lane, x, o->place * 8);
        all = all ? b_v2(b, IR_VOR, l->lane, all, x) : x;
    }
    b_store(b, IR_V128, MEM_128, address(m, &a->at, p * loop_lanes(l) * a->at.step), IR_NONE, 0, 0, all);
}

/* All that is stored, and loads that nobody has wanted yet (they may fault): no load may stand behind a store. */
static void loads(struct maker *m)
{
    struct loop *l = m->l;
    for (unsigned i = 0; i < l->naccesses; i++)
        for (unsigned p = 0; l->access[i].store && p < l->parts; p++)
            vector(m, l->node[l->access[i].node].arg[2], p);
    for (unsigned i = 0; i < l->naccesses; i++)
        for (unsigned p = 0; !l->access[i].store && p < l->parts; p++)
            vector(m, l->access[i].node, p);
}

static void stores(struct maker *m)
{
    struct loop *l = m->l;
    for (unsigned i = 0; i < l->naccesses; i++) {
        const struct access *a = &l->access[i];
        if (a->store && a->form == ACCESS_NARROW)
            store_narrow(m, a);
        for (unsigned p = 0; a->store && a->form == ACCESS_LANES && !a->place && p < l->parts; p++)
            store_lanes(m, a, p);
    }
}

/* --- what registers become --- */

static ir_ref sum_of(struct maker *m, const struct loop_slot *s)
{
    struct ir_builder *b = &m->b;
    struct loop *l = m->l;
    ir_ref sum = IR_NONE, wide = IR_NONE;
    int64_t min = 0, max = 0;
    for (unsigned k = 0; k < s->naddends; k++)
        for (unsigned p = 0; p < l->parts; p++) {
            const struct node *n = &l->node[s->addend[k]];
            ir_ref v = vector(m, s->addend[k], p);
            min += n->min;
            max += n->max;
            if (l->lane == LANE_H && sum && (min < INT16_MIN || max > INT16_MAX)) {
                ir_ref pairs = b_v1(b, IR_VSADDLP, LANE_H, sum);
                wide = wide ? b_v2(b, IR_VADD, LANE_S, wide, pairs) : pairs;
                sum = IR_NONE;
                min = n->min;
                max = n->max;
            }
            sum = sum ? b_v2(b, IR_VADD, l->lane, sum, v) : v;
        }
    if (l->lane == LANE_H)
        sum = b_v1(b, IR_VSADDLP, LANE_H, sum);
    if (wide)
        sum = b_v2(b, IR_VADD, LANE_S, wide, sum);
    for (unsigned bytes = 8; bytes >= 4; bytes /= 2)
        sum = b_v2(b, IR_VADD, LANE_S, sum, b_v2i(b, IR_VEXT, LANE_B, sum, sum, bytes));
    return b_vget(b, IR_I32, LANE_S, sum, 0, false);
}

static ir_ref last_value(struct maker *m, const struct loop_slot *s)
{
    struct loop *l = m->l;
    if (loop_scalar(l, s->last))
        return scalar(m, s->last, l->rounds - 1);
    const struct node *n = &l->node[s->last];
    return b_vget(&m->b, IR_I64, l->lane, vector(m, s->last, l->parts - 1), loop_lanes(l) - 1, n->min < 0);
}

/* Where registers are when the round is over. The values first: they are computed of the old ones. */
static void vectors_of_slots(struct maker *m)
{
    struct loop *l = m->l;
    for (unsigned i = 0; i < l->nslots; i++) {
        const struct loop_slot *s = &l->slot[l->used[i]];
        for (unsigned k = 0; s->kind == SLOT_SUM && k < s->naddends; k++)
            for (unsigned p = 0; p < l->parts; p++)
                vector(m, s->addend[k], p);
        if (s->kind == SLOT_LAST && !loop_scalar(l, s->last))
            vector(m, s->last, l->parts - 1);
    }
}

static void put_slots(struct maker *m)
{
    struct loop *l = m->l;
    ir_ref value[LOOP_SLOTS];
    for (unsigned i = 0; i < l->nslots; i++) {
        const struct loop_slot *s = &l->slot[l->used[i]];
        if (s->kind == SLOT_STEP)
            value[i] = slot_plus(m, l->used[i], IR_NONE, l->rounds * s->step);
        else if (s->kind == SLOT_SUM)
            value[i] = slot_plus(m, l->used[i], sum_of(m, s), 0);
        else if (s->kind == SLOT_LAST)
            value[i] = last_value(m, s);
    }
    for (unsigned i = 0; i < l->nslots; i++)
        if (l->slot[l->used[i]].kind != SLOT_FIXED && l->slot[l->used[i]].kind != SLOT_SAME)
            b_put(&m->b, l->used[i], value[i]);
    for (unsigned i = 0; i < l->nslots; i++) {
        const struct loop_slot *s = &l->slot[l->used[i]];
        if (s->kind == SLOT_SAME) {
            ir_ref sum = b_get(&m->b, s->of);
            b_put(&m->b, l->used[i], s->width == WIDE ? sum : extended(m, b_trunc(&m->b, sum), s->width));
        }
    }
}

/* --- how often --- */

static ir_ref bound(struct maker *m)
{
    ir_ref r = scalar(m, m->l->count.bound, 0);
    return m->l->count.narrow && m->l->type == IR_I64 ? b_trunc(&m->b, r) : r;
}

/* What the guest's jump back compared last, in the type of the count; `more` rounds later. */
static ir_ref compared(struct maker *m, int64_t more)
{
    struct loop *l = m->l;
    int64_t c = (more - 1) * l->count.step;
    if (l->count.of_slot)
        return b_addi(&m->b, IR_I32, b_trunc(&m->b, b_get(&m->b, l->count.slot)), c + l->count.step);
    ir_ref at = address(m, &l->count.at, c);
    return l->count.narrow ? b_trunc(&m->b, at) : at;
}

/* Are there so many rounds at least? If it is `cc`, to `pc`. */
static void if_rounds(struct maker *m, enum ir_cc cc, uint64_t pc)
{
    struct loop *l = m->l;
    enum ir_type t = type_of_count[l->count.narrow];
    bool up = l->count.step > 0;
    ir_ref x = compared(m, 0), y = bound(m);
    ir_ref far = up ? b_sub(&m->b, t, y, x) : b_sub(&m->b, t, x, y);
    b_goto_if(&m->b, cc, t, far, b_const(&m->b, t, l->rounds * (up ? l->count.step : -l->count.step)), pc);
}

/* Has the guest's loop more to do? */
static void if_more(struct maker *m, uint64_t pc)
{
    struct loop *l = m->l;
    ir_ref x = compared(m, 0);
    if (l->count.narrow && l->type == IR_I64)
        x = extended(m, x, l->slot[l->count.slot].width);
    b_goto_if(&m->b, l->count.cc, l->type, x, scalar(m, l->count.bound, 0), pc);
}

/* --- what must hold before --- */

static void tests(struct maker *m)
{
    struct ir_builder *b = &m->b;
    struct loop *l = m->l;
    if_rounds(m, CC_LTU, l->pc);
    if (l->count.bound_extends) {
        ir_ref y = scalar(m, l->count.bound, 0);
        b_goto_if(b, CC_NE, IR_I64, y, b_sext(b, b_trunc(b, y)), l->pc);
    }
    if (l->count.before != CC_NE) /* cc ^ 1 is the negation */
        b_goto_if(b, l->count.before ^ 1, type_of_count[l->count.narrow], compared(m, 1), bound(m), l->pc);
    for (unsigned i = 0; i < l->nslots; i++) {
        const struct loop_slot *s = &l->slot[l->used[i]];
        if (s->guarded)
            b_goto_if(b, CC_GTU, IR_I64, b_addi(b, IR_I64, b_get(b, l->used[i]), -s->min), b_i64(b, s->max - s->min),
                      l->pc);
    }
    for (unsigned i = 0; i < l->naccesses; i++)
        for (unsigned k = 0; l->access[i].store && k < l->naccesses; k++) {
            const struct access *x = &l->access[i], *y = &l->access[k];
            if (x->place || y->store || loop_same_base(&x->at, &y->at))
                continue;
            ir_ref ahead = b_sub(b, IR_I64, address(m, &x->at, 0), address(m, &y->at, 0));
            int64_t reach = loop_reach(l, x);
            if (l->strict)
                b_goto_if(b, CC_LTU, IR_I64, b_addi(b, IR_I64, ahead, reach), b_i64(b, 2 * reach), l->pc);
            else
                b_goto_if(b, CC_LTU, IR_I64, b_addi(b, IR_I64, ahead, -1), b_i64(b, reach), l->pc);
        }
}

/* --- in front of the guest's loop --- */

static void label(struct ir_builder *b, uint64_t pc)
{
    ir_append(b->u, &(struct ir_inst){.op = IR_LABEL, .imm = pc});
    b_forget(b);
    memset(b->recent, 0, sizeof b->recent);
}

static void new_loop(struct maker *m)
{
    struct loop *l = m->l;
    tests(m);
    label(&m->b, l->pc | IR_OWN);
    b_insn(&m->b, l->pc | IR_OWN, 0);
    vectors_of_slots(m);
    loads(m);
    stores(m);
    put_slots(m);
    if_rounds(m, CC_GEU, l->pc | IR_OWN);
    if_more(m, l->pc);
    b_goto(&m->b, l->exit);
}

/* The new unit in the old one's place. */
static void insert(struct loop *l, struct ir_unit *u)
{
    struct maker m = {.l = l};
    struct ir_unit new;
    ir_ref at = l->head ? l->head : 1;
    ir_unit_init(&new, u->guest, u->pc, u->flags);
    b_init(&m.b, &new);
    for (ir_ref r = 1; r < at; r++)
        ir_append(&new, &u->inst[r]);
    new_loop(&m);
    if (!l->head)
        label(&m.b, l->pc);
    uint32_t moved = new.n - at;
    for (ir_ref r = at; r < u->n; r++) {
        struct ir_inst in = u->inst[r];
        for (unsigned k = 0, n = ir_nargs(&in); k < n; k++)
            in.arg[k] += in.arg[k] >= at ? moved : 0;
        ir_append(&new, &in);
    }
    free(u->inst);
    u->inst = new.inst;
    u->n = new.n;
    u->cap = new.cap;
}

void ir_pass_loops(struct ir_unit *u)
{
    struct loop *l = NULL;
    for (ir_ref r = u->n; r-- > 1;) { /* from behind: what stands in front stays where it is */
        const struct ir_inst *in = &u->inst[r];
        if (in->op != IR_GOTO_IF || (uint64_t)in->imm - u->pc > UINT32_MAX)
            continue;
        if (!l)
            CHECK(l = malloc(sizeof *l));
        if (loop_read(l, u, r) && loop_plan(l)) {
            r = l->head ? l->head : 1;
            insert(l, u);
        }
    }
    free(l);
}
