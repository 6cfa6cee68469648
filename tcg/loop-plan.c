/*
 * Loops of vectors, second part: what becomes of guest registers from round to round, what lanes of 16 or 32 bits can
 * hold without a difference (the bounds of every value are known, from those of narrow loads), how memory is reached.
 */
#include "base/log.h"
#include "tcg/loop.h"

enum node_state { UNSEEN, VISITING, GOOD, BAD };

static const struct ir_inst *inst(const struct loop *l, node_ref n) { return &l->node[n].in; }
static node_ref arg(const struct loop *l, node_ref n, unsigned k) { return l->node[n].arg[k]; }

/* --- guest registers --- */

/* The addition behind an extension, if there is one. */
static node_ref narrow_part(const struct loop *l, node_ref n, enum slot_width *width)
{
    enum ir_op op = inst(l, n)->op;
    *width = op == IR_SEXT ? SIGNED_32 : op == IR_ZEXT ? UNSIGNED_32 : WIDE;
    return *width == WIDE ? n : arg(l, n, 0);
}

static bool is_first(const struct loop *l, const struct loop_slot *s, node_ref n, enum slot_width width)
{
    if (width != WIDE)
        return inst(l, n)->op == IR_TRUNC && arg(l, n, 0) == s->first && s->first;
    return n == s->first && n;
}

static bool is_step(const struct loop *l, struct loop_slot *s)
{
    enum slot_width width;
    node_ref n = narrow_part(l, s->last, &width);
    if (inst(l, n)->op != IR_ADD || !is_first(l, s, arg(l, n, 0), width) || !loop_const(l, arg(l, n, 1), &s->step))
        return false;
    s->width = width;
    return s->step && s->step > -65536 && s->step < 65536;
}

static unsigned slots_of_value(const struct loop *l, node_ref n)
{
    unsigned found = 0;
    for (unsigned i = 0; i < l->nslots; i++)
        found += l->slot[l->used[i]].last == n;
    return found;
}

/* Is n, and are its extensions, used for nothing but what registers become? */
static bool is_result(const struct loop *l, node_ref n)
{
    unsigned found = slots_of_value(l, n);
    for (unsigned i = 0; i < l->nslots; i++) {
        node_ref e = l->slot[l->used[i]].last;
        enum slot_width width;
        if (e == n || !e || narrow_part(l, e, &width) != n)
            continue;
        for (unsigned k = 0; k < i; k++)
            if (l->slot[l->used[k]].last == e)
                found--;
        if (l->node[e].uses != slots_of_value(l, e))
            return false;
        found++;
    }
    return found == l->node[n].uses;
}

/* Is n a sum of the slot's old value and others, and is the old value read for nothing else? */
static bool collect(const struct loop *l, struct loop_slot *s, node_ref n, enum slot_width width)
{
    if (l->node[n].uses != 1 && n != narrow_part(l, s->last, &(enum slot_width){WIDE}))
        return false;
    if (is_first(l, s, n, width))
        return l->node[s->first].uses == 1;
    for (unsigned k = 0; k < 2 && inst(l, n)->op == IR_ADD; k++)
        if (collect(l, s, arg(l, n, k), width)) {
            if (s->naddends == LOOP_ADDENDS)
                return false;
            s->addend[s->naddends++] = arg(l, n, 1 - k);
            return true;
        }
    return false;
}

/* A new choice between x and 0, by n's condition: x where n is its argument `k`. */
static node_ref choice_or_zero(struct loop *l, node_ref n, unsigned k, node_ref x)
{
    if (l->n + 2 > LOOP_NODES)
        return 0;
    enum ir_type t = ir_result_type(inst(l, x));
    node_ref zero = l->n++, choice = l->n++;
    l->node[zero] = (struct node){.in = {.op = IR_CONST, .type = t}};
    l->node[choice] = l->node[n];
    l->node[choice].in.type = t;
    l->node[choice].arg[k] = x;
    l->node[choice].arg[5 - k] = zero;
    return choice;
}

/*
 * Something is added in some rounds only: n chooses between the old value and a sum. A 64-bit choice may be between the
 * old value as it is and an extended sum of 32 bits; then the old value must be extended, too.
 */
static bool is_choice(struct loop *l, struct loop_slot *s, node_ref n, enum slot_width width)
{
    if (inst(l, n)->op != IR_SELCC)
        return false;
    for (unsigned k = 2; k < 4; k++) {
        node_ref sum = arg(l, n, k), old = arg(l, n, 5 - k), part = sum;
        enum slot_width inner = width;
        if (width == WIDE && l->node[sum].uses == 1)
            part = narrow_part(l, sum, &inner);
        node_ref base = arg(l, part, 0);
        if (inst(l, part)->op != IR_ADD || l->node[part].uses != 1 || !is_first(l, s, old, width))
            continue;
        unsigned other = !is_first(l, s, base, inner);
        base = arg(l, part, other);
        if (!is_first(l, s, base, inner) || l->node[old].uses != 2 ||
            l->node[s->first].uses != (width == WIDE ? 2 : 1) || (base != old && l->node[base].uses != 1))
            continue;
        s->extended = inner != width;
        s->width = inner;
        s->addend[0] = choice_or_zero(l, n, k, arg(l, part, 1 - other));
        s->naddends = s->addend[0] != 0;
        return s->naddends;
    }
    return false;
}

static bool is_sum(struct loop *l, struct loop_slot *s)
{
    enum slot_width width;
    node_ref n = narrow_part(l, s->last, &width);
    s->naddends = 0;
    s->width = width;
    s->extended = false;
    if (s->first && is_result(l, n) && is_choice(l, s, n, width))
        return true;
    return s->first && n != s->first && is_result(l, n) && collect(l, s, n, width) && s->naddends;
}

/* A register that becomes what a SUM becomes. */
static void find_sum(const struct loop *l, struct loop_slot *s)
{
    enum slot_width width;
    for (unsigned i = 0; i < l->nslots && s->kind == SLOT_LAST && !s->first; i++) {
        const struct loop_slot *sum = &l->slot[l->used[i]];
        if (sum->kind != SLOT_SUM ||
            narrow_part(l, sum->last, &width) != narrow_part(l, s->last, &(enum slot_width){WIDE}))
            continue;
        s->kind = SLOT_SAME;
        s->of = l->used[i];
        narrow_part(l, s->last, &width);
        s->width = width;
    }
}

static void classify(struct loop *l)
{
    for (unsigned i = 0; i < l->nslots; i++) {
        struct loop_slot *s = &l->slot[l->used[i]];
        if (!s->last || s->last == s->first)
            s->kind = SLOT_FIXED;
        else
            s->kind = is_step(l, s) ? SLOT_STEP : is_sum(l, s) ? SLOT_SUM : SLOT_LAST;
    }
    for (unsigned i = 0; i < l->nslots; i++)
        find_sum(l, &l->slot[l->used[i]]);
}

/* What expressions are made of; arguments stand in front of what they are arguments of. */
static void find_kinds(struct loop *l)
{
    for (unsigned n = 1; n < l->n; n++) {
        struct node *v = &l->node[n];
        unsigned size = 1;
        v->kinds = v->in.op == IR_GET ? 1u << l->slot[v->in.ir_slot_].kind : ir_props(&v->in) & IR_P_PURE ? 0 : IMPURE;
        for (unsigned k = 0; k < IR_MAX_ARGS; k++) {
            v->kinds |= l->node[v->arg[k]].kinds;
            size += l->node[v->arg[k]].size;
        }
        v->size = size < MANY ? size : MANY;
    }
}

static bool made_of(const struct loop *l, node_ref n, unsigned kinds)
{
    return !(l->node[n].kinds & ~kinds) && l->node[n].size < MANY;
}

bool loop_fixed(const struct loop *l, node_ref n) { return made_of(l, n, 1 << SLOT_FIXED); }
bool loop_scalar(const struct loop *l, node_ref n) { return made_of(l, n, 1 << SLOT_FIXED | 1 << SLOT_STEP); }

/* --- addresses --- */

static bool add_term(struct affine *a, unsigned slot, int64_t by)
{
    for (unsigned i = 0; i < a->n; i++)
        if (a->term[i].slot == slot) {
            a->term[i].by += by;
            return true;
        }
    if (a->n == LOOP_TERMS)
        return false;
    a->term[a->n].slot = slot;
    a->term[a->n++].by = by;
    return true;
}

static bool add_affine(const struct loop *l, node_ref n, int64_t by, struct affine *a, unsigned depth)
{
    const struct ir_inst *in = inst(l, n);
    int64_t c;
    if (depth > 8 || by > 65536 || by < -65536)
        return false;
    switch (in->op) {
    case IR_CONST:
        loop_const(l, n, &c);
        a->c = (int64_t)((uint64_t)a->c + (uint64_t)by * (uint64_t)c);
        return in->type == IR_I64;
    case IR_GET: {
        const struct loop_slot *s = &l->slot[in->ir_slot_];
        if (s->kind != SLOT_FIXED && (s->kind != SLOT_STEP || s->width != WIDE))
            return false;
        a->step += s->kind == SLOT_STEP ? by * s->step : 0;
        return add_term(a, in->ir_slot_, by);
    }
    case IR_ADD:
    case IR_SUB:
        return in->type == IR_I64 && add_affine(l, arg(l, n, 0), by, a, depth + 1) &&
               add_affine(l, arg(l, n, 1), in->op == IR_ADD ? by : -by, a, depth + 1);
    case IR_SHL:
        return in->type == IR_I64 && loop_const(l, arg(l, n, 1), &c) && c >= 0 && c <= 16 &&
               add_affine(l, arg(l, n, 0), by << c, a, depth + 1);
    default: return false;
    }
}

static bool find_affine(const struct loop *l, node_ref n, struct affine *a)
{
    *a = (struct affine){0};
    return add_affine(l, n, 1, a, 0);
}

bool loop_same_base(const struct affine *x, const struct affine *y)
{
    if (x->n != y->n)
        return false;
    for (unsigned i = 0; i < x->n; i++)
        if (x->term[i].slot != y->term[i].slot || x->term[i].by != y->term[i].by)
            return false;
    return true;
}

static bool find_addresses(struct loop *l)
{
    for (unsigned i = 0; i < l->naccesses; i++) {
        struct access *a = &l->access[i];
        const struct node *n = &l->node[a->node];
        a->at = (struct affine){.c = n->in.imm};
        if (!add_affine(l, n->arg[0], 1, &a->at, 0) ||
            (n->arg[1] && !add_affine(l, n->arg[1], INT64_C(1) << n->in.ir_scale, &a->at, 0)))
            return false;
        for (unsigned k = 1; k < a->at.n; k++) /* an order, to compare */
            for (unsigned j = k; j > 0 && a->at.term[j].slot < a->at.term[j - 1].slot; j--) {
                __typeof__(a->at.term[0]) t = a->at.term[j];
                a->at.term[j] = a->at.term[j - 1];
                a->at.term[j - 1] = t;
            }
    }
    return true;
}

/* --- the jump back --- */

static enum ir_cc swapped(enum ir_cc cc)
{
    static const uint8_t cc_of[] = {[CC_EQ] = CC_EQ,   [CC_NE] = CC_NE,   [CC_LTU] = CC_GTU,     [CC_GEU] = CC_LEU,
                                    [CC_LEU] = CC_GEU, [CC_GTU] = CC_LTU, [CC_LTS] = CC_GTS,     [CC_GES] = CC_LES,
                                    [CC_LES] = CC_GES, [CC_GTS] = CC_LTS, [CC_TSTEQ] = CC_TSTEQ, [CC_TSTNE] = CC_TSTNE};
    return cc_of[cc];
}

/* The order that must hold to say how many rounds are certain; CC_NE: any will do. CC_COUNT: the loop is of another
 * kind. */
static enum ir_cc strict_order(enum ir_cc cc, bool up)
{
    switch (cc) {
    case CC_NE: return CC_NE;
    case CC_LTU:
    case CC_LEU: return up ? CC_LTU : CC_COUNT;
    case CC_LTS:
    case CC_LES: return up ? CC_LTS : CC_COUNT;
    case CC_GTU:
    case CC_GEU: return up ? CC_COUNT : CC_GTU;
    case CC_GTS:
    case CC_GES: return up ? CC_COUNT : CC_GTS;
    default: return CC_COUNT;
    }
}

/* A narrow STEP behind its step, extended or not. */
static int narrow_step(const struct loop *l, node_ref n)
{
    for (unsigned i = 0; i < l->nslots; i++) {
        const struct loop_slot *s = &l->slot[l->used[i]];
        if (s->kind == SLOT_STEP && s->width != WIDE && (n == s->last || n == arg(l, s->last, 0)))
            return l->used[i];
    }
    return -1;
}

static bool find_count(struct loop *l)
{
    for (unsigned k = 0; k < 2; k++) {
        node_ref x = l->compared[k], bound = l->compared[1 - k];
        if (!loop_fixed(l, bound) || loop_fixed(l, x))
            continue;
        int slot = narrow_step(l, x);
        int64_t c;
        l->count.bound = bound;
        l->count.cc = k ? swapped(l->cc) : l->cc;
        if (slot >= 0) {
            l->count.narrow = l->count.of_slot = true;
            l->count.slot = slot;
            l->count.step = l->slot[slot].step;
        } else if (l->type == IR_I64 ? find_affine(l, x, &l->count.at)
                                     : inst(l, x)->op == IR_TRUNC && find_affine(l, arg(l, x, 0), &l->count.at)) {
            l->count.narrow = l->type == IR_I32;
            l->count.step = l->count.at.step;
        }
        if (!l->count.step)
            return false;
        l->count.before = strict_order(l->count.cc, l->count.step > 0);
        if (slot >= 0 && l->type == IR_I64 && l->count.before != CC_NE) {
            if (l->slot[slot].width != SIGNED_32)
                return false;
            l->count.bound_extends = !loop_const(l, bound, &c) || c != (int32_t)c;
        }
        return l->count.before != CC_COUNT;
    }
    return false;
}

/* --- what lanes can hold --- */

static unsigned bits(const struct loop *l) { return 8u << l->lane; }

static bool fits(const struct loop *l, int64_t min, int64_t max)
{
    int64_t limit = INT64_C(1) << (bits(l) - 1);
    return min >= -limit && max < limit;
}

/* Sets what is known of a result. In lanes of 32 bits what is computed in 32 bits may wrap. */
static bool set(struct loop *l, node_ref n, int64_t min, int64_t max)
{
    struct node *v = &l->node[n];
    if (!fits(l, min, max)) {
        if (l->lane != LANE_S || ir_result_type(&v->in) != IR_I32)
            return false;
        min = INT32_MIN;
        max = INT32_MAX;
    }
    v->min = min;
    v->max = max;
    return true;
}

/* The smallest k with both bounds in -2^k to 2^k - 1. */
static unsigned magnitude(int64_t min, int64_t max)
{
    unsigned k = 0;
    while (min < -(INT64_C(1) << k) || max >= INT64_C(1) << k)
        k++;
    return k;
}

static int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }

static bool bitwise(struct loop *l, node_ref n, const struct node *x, int64_t min_y, int64_t max_y, bool is_and)
{
    if (is_and && (x->min >= 0 || min_y >= 0))
        return set(l, n, 0, x->min < 0 ? max_y : min_y < 0 ? x->max : smaller(x->max, max_y));
    int64_t limit = INT64_C(1) << magnitude(smaller(x->min, min_y), larger(x->max, max_y));
    return set(l, n, x->min >= 0 && min_y >= 0 ? 0 : -limit, limit - 1);
}

static bool product(struct loop *l, node_ref n, const struct node *x, int64_t min, int64_t max)
{
    int64_t a = x->min * min, b = x->min * max, c = x->max * min, d = x->max * max;
    return set(l, n, smaller(smaller(a, b), smaller(c, d)), larger(larger(a, b), larger(c, d)));
}

static bool shift(struct loop *l, node_ref n, const struct node *x)
{
    const struct ir_inst *in = inst(l, n);
    int64_t c;
    bool whole = in->type == IR_I32 && l->lane == LANE_S; /* lanes are what is shifted */
    if (!loop_const(l, arg(l, n, 1), &c))
        return false;
    c &= in->type == IR_I32 ? 31 : 63;
    switch (in->op) {
    case IR_SHL: return c < bits(l) && product(l, n, x, INT64_C(1) << c, INT64_C(1) << c);
    case IR_SAR: return set(l, n, x->min >> c, x->max >> c);
    default: /* SHR */
        if (x->min >= 0)
            return set(l, n, x->min >> c, x->max >> c);
        return whole && c && set(l, n, 0, UINT32_MAX >> c);
    }
}

static bool field(struct loop *l, node_ref n, const struct node *x)
{
    const struct ir_inst *in = inst(l, n);
    int64_t pos = in->imm, len = in->imm2;
    if (pos + len > bits(l))
        return in->op == IR_UBFX && x->min >= 0 && pos < bits(l) && set(l, n, x->min >> pos, x->max >> pos);
    if (in->op == IR_UBFX)
        return set(l, n, 0, (INT64_C(1) << len) - 1);
    return set(l, n, -(INT64_C(1) << (len - 1)), (INT64_C(1) << (len - 1)) - 1);
}

static bool load(struct loop *l, node_ref n)
{
    const struct ir_inst *in = inst(l, n);
    unsigned size = 8u << (in->mem & MEM_SIZE);
    if (size > bits(l))
        return false;
    if (in->mem & MEM_SIGN || (size == 32 && in->type == IR_I32))
        return set(l, n, -(INT64_C(1) << (size - 1)), (INT64_C(1) << (size - 1)) - 1);
    l->node[n].low = size == 32;
    if (l->node[n].low) {
        l->node[n].min = 0;
        l->node[n].max = UINT32_MAX;
        return true;
    }
    return set(l, n, 0, (INT64_C(1) << size) - 1);
}

static bool holds(struct loop *l, node_ref n);

static bool guard(struct loop *l, node_ref n, struct loop_slot *s, int64_t min, int64_t max)
{
    s->guarded = true;
    s->min = l->node[n].min = min;
    s->max = l->node[n].max = max;
    return true;
}

static bool old_value(struct loop *l, node_ref n)
{
    struct loop_slot *s = &l->slot[inst(l, n)->ir_slot_];
    int64_t limit = INT64_C(1) << (bits(l) - 1);
    if (s->kind == SLOT_FIXED)
        return guard(l, n, s, -limit, limit - 1);
    if (s->kind != SLOT_LAST || !holds(l, s->last))
        return false;
    l->node[n].low = l->node[s->last].low;
    return guard(l, n, s, l->node[s->last].min, l->node[s->last].max);
}

/* A register's low half, whatever is above. */
static bool is_low_half(const struct loop *l, node_ref n)
{
    node_ref a = arg(l, n, 0);
    return inst(l, n)->op == IR_TRUNC && inst(l, a)->op == IR_GET && l->lane == LANE_S &&
           l->slot[inst(l, a)->ir_slot_].kind == SLOT_FIXED;
}

/* Of an expression whose operands lanes hold exactly. */
static bool combine(struct loop *l, node_ref n)
{
    const struct ir_inst *in = inst(l, n);
    const struct node *x = &l->node[arg(l, n, 0)], *y = &l->node[arg(l, n, 1)], *v = &l->node[arg(l, n, 2)],
                      *w = &l->node[arg(l, n, 3)];
    switch (in->op) {
    case IR_ADD: return set(l, n, x->min + y->min, x->max + y->max);
    case IR_SUB: return set(l, n, x->min - y->max, x->max - y->min);
    case IR_NEG: return set(l, n, -x->max, -x->min);
    case IR_MUL: return product(l, n, x, y->min, y->max);
    case IR_NOT: return set(l, n, ~x->max, ~x->min);
    case IR_AND: return bitwise(l, n, x, y->min, y->max, true);
    case IR_ANDN: return bitwise(l, n, x, ~y->max, ~y->min, true);
    case IR_OR:
    case IR_XOR: return bitwise(l, n, x, y->min, y->max, false);
    case IR_SHL:
    case IR_SHR:
    case IR_SAR: return shift(l, n, x);
    case IR_UBFX:
    case IR_SBFX: return field(l, n, x);
    case IR_SEXT: return set(l, n, x->min, x->max);
    case IR_ZEXT:
        l->node[n].low = x->min < 0;
        if (!l->node[n].low)
            return set(l, n, x->min, x->max);
        l->node[n].min = 0;
        l->node[n].max = UINT32_MAX;
        return l->lane == LANE_S;
    case IR_SETCC: return set(l, n, 0, 1);
    case IR_SELCC: return set(l, n, smaller(v->min, w->min), larger(v->max, w->max));
    default: return false;
    }
}

static bool find_bounds(struct loop *l, node_ref n)
{
    const struct ir_inst *in = inst(l, n);
    int64_t c;
    l->node[n].low = false;
    if (loop_const(l, n, &c))
        return set(l, n, c, c);
    if (in->op == IR_GET)
        return old_value(l, n);
    if (in->op == IR_LD)
        return load(l, n);
    if (is_low_half(l, n))
        return set(l, n, INT32_MIN, INT32_MAX);
    bool shifts = in->op == IR_SHL || in->op == IR_SHR || in->op == IR_SAR;
    for (unsigned k = 0; k < (shifts ? 1 : IR_MAX_ARGS); k++) {
        node_ref a = arg(l, n, k);
        if (a && (!holds(l, a) || (l->node[a].low && in->op != IR_TRUNC)))
            return false;
    }
    if (in->op == IR_TRUNC) {
        const struct node *x = &l->node[arg(l, n, 0)];
        return x->low ? set(l, n, INT32_MIN, INT32_MAX) : set(l, n, x->min, x->max);
    }
    return combine(l, n);
}

/* Can lanes hold the value? */
static bool holds(struct loop *l, node_ref n)
{
    struct node *v = &l->node[n];
    if (v->state == UNSEEN) {
        v->state = VISITING;
        v->state = find_bounds(l, n) ? GOOD : BAD;
    }
    return v->state == GOOD; /* VISITING: a value that depends on its former one */
}

/* --- memory --- */

/* LANES: the place in the lane, if those that share the lane fit in. */
static bool find_place(const struct loop *l, struct access *a)
{
    int64_t first = a->at.c;
    for (unsigned i = 0; i < l->naccesses; i++) {
        const struct access *b = &l->access[i];
        if (b->store == a->store && loop_same_base(&a->at, &b->at) && b->at.c < first &&
            a->at.c + a->size - b->at.c <= a->at.step)
            first = b->at.c;
    }
    a->place = a->at.c - first;
    return a->place + a->size <= a->at.step;
}

static bool find_form(const struct loop *l, struct access *a)
{
    if (a->size * 8u > bits(l))
        return false;
    if (!a->at.step)
        a->form = ACCESS_ONE;
    else if (a->at.step * 8 == bits(l) && find_place(l, a))
        a->form = ACCESS_LANES;
    else if (a->at.step == a->size)
        a->form = ACCESS_NARROW;
    else
        a->form = ACCESS_EACH;
    return !a->store || a->form == ACCESS_LANES || a->form == ACCESS_NARROW;
}

/* Do both lie in the same lanes? */
static bool share_lanes(const struct access *a, const struct access *b)
{
    return a->form == ACCESS_LANES && b->form == ACCESS_LANES && a->store == b->store &&
           loop_same_base(&a->at, &b->at) && a->at.c - a->place == b->at.c - b->place;
}

/* Stores to parts of lanes must together fill them. */
static bool lanes_are_filled(const struct loop *l, const struct access *a)
{
    unsigned filled = 0;
    for (unsigned i = 0; i < l->naccesses; i++) {
        const struct access *b = &l->access[i];
        unsigned part = ((1u << b->size) - 1) << b->place;
        if (!share_lanes(a, b))
            continue;
        if (filled & part)
            return false;
        filled |= part;
    }
    return filled == (1u << a->at.step) - 1;
}

static bool plan_memory(struct loop *l)
{
    unsigned each = 0, rows = 0, streams = 0;
    bool in_place = false;
    for (unsigned i = 0; i < l->naccesses; i++) {
        struct access *a = &l->access[i];
        if (!find_form(l, a))
            return false;
        each += a->form == ACCESS_EACH;
        rows += a->form == ACCESS_LANES || a->form == ACCESS_NARROW;
        for (unsigned k = 0; k < l->naccesses && a->store && a->form == ACCESS_LANES; k++)
            in_place |= !l->access[k].store && loop_same_base(&a->at, &l->access[k].at);
    }
    l->parts = in_place ? 1 : LOOP_PARTS;
    l->rounds = loop_lanes(l) * l->parts;
    l->strict = false;
    for (unsigned i = 0; i < l->naccesses; i++) {
        const struct access *a = &l->access[i];
        l->strict |= a->after_store && !a->store;
        if (!a->store)
            continue;
        if (a->form == ACCESS_LANES && !lanes_are_filled(l, a))
            return false;
        streams += !a->place; /* of several the first would be ahead when the second faults */
        l->strict |= a->form == ACCESS_LANES && l->parts > 1;
    }
    return rows && each <= rows && streams <= 1;
}

/* A store that is known to meet what is read elsewhere in the round. Where it is not known, code will ask. */
static bool meet(const struct loop *l, const struct access *store)
{
    for (unsigned i = 0; i < l->naccesses; i++) {
        const struct access *b = &l->access[i];
        if (b->store)
            continue;
        if (b->at.step != store->at.step)
            return true;
        if (!loop_same_base(&store->at, &b->at))
            continue;
        uint64_t ahead = store->at.c - b->at.c, reach = loop_reach(l, store);
        if (l->strict ? ahead + reach < 2 * reach : ahead - 1 < reach)
            return true;
    }
    return false;
}

/* --- all of it --- */

static bool hold_slots(struct loop *l)
{
    for (unsigned i = 0; i < l->nslots; i++) {
        struct loop_slot *s = &l->slot[l->used[i]];
        int64_t sum = 0;
        if (s->kind == SLOT_LAST && !loop_scalar(l, s->last) &&
            (l->u->guest->slots[l->used[i]].type != IR_I64 || !holds(l, s->last)))
            return false;
        for (unsigned k = 0; s->kind == SLOT_SUM && k < s->naddends; k++) {
            const struct node *n = &l->node[s->addend[k]];
            if (!holds(l, s->addend[k]) || n->low)
                return false;
            sum += l->rounds * larger(-n->min, n->max);
        }
        if (s->kind == SLOT_SUM && s->width == WIDE && sum > INT32_MAX)
            return false;
        if (s->kind == SLOT_SUM && s->extended) {
            s->guarded = true;
            s->min = s->width == SIGNED_32 ? INT32_MIN : 0;
            s->max = s->width == SIGNED_32 ? INT32_MAX : UINT32_MAX;
        }
    }
    return true;
}

static bool try_lane(struct loop *l, enum ir_lane lane)
{
    l->lane = lane;
    for (unsigned n = 0; n < l->n; n++)
        l->node[n].state = UNSEEN;
    for (unsigned i = 0; i < l->nslots; i++)
        l->slot[l->used[i]].guarded = false;
    if (!plan_memory(l))
        return false;
    for (unsigned i = 0; i < l->naccesses; i++) {
        const struct access *a = &l->access[i];
        if (a->store && (meet(l, a) || !holds(l, arg(l, a->node, 2))))
            return false;
    }
    return hold_slots(l);
}

bool loop_plan(struct loop *l)
{
    classify(l);
    find_kinds(l);
    return find_addresses(l) && find_count(l) && (try_lane(l, LANE_H) || try_lane(l, LANE_S));
}
