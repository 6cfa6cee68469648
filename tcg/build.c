/*
 * The builder's core: appending instructions, the values guest registers are known to hold, merging of equal pure
 * instructions, and folding of constants, which asks eval.h for an op's meaning. Identities are in build-simplify.c,
 * the typed functions that front ends call in build-ops.c.
 */
#include "tcg/build.h"

#include "base/log.h"
#include "base/softfloat.h"
#include "tcg/build-internal.h"
#include "tcg/ir-forms.h"

void b_init(struct ir_builder *b, struct ir_unit *u)
{
    CHECK(u->guest->nslots <= IR_MAX_SLOTS);
    b->u = u;
    memset(b->known, 0, u->guest->nslots * sizeof b->known[0]);
    memset(b->recent, 0, sizeof b->recent);
    b->last_pc_inst = b->last_exit = IR_NONE;
    b->quick = b->interpreted = b->pc_needed = false;
    b->region = NULL;
    b->breaks_at = NULL;
    b->back = 0;
}

/* --- merging --- */

static unsigned hash_of(const struct ir_inst *in)
{
    uint64_t h = (in->op | (uint64_t)in->type << 16 | (uint64_t)in->cc << 24 | (uint64_t)in->mem << 32) +
                 (in->arg[0] + (uint64_t)in->arg[1] * 31 + (uint64_t)in->arg[2] * 961) * 0x10001 + (uint64_t)in->imm +
                 (uint64_t)in->imm2 * 3;
    return (h * UINT64_C(0x9e3779b97f4a7c15)) >> 58;
}

_Static_assert(ARRAY_SIZE(((struct ir_builder *)0)->recent) == 64, "hash_of() gives 6 bits");

static bool same(const struct ir_inst *x, const struct ir_inst *y)
{
    return x->op == y->op && x->type == y->type && x->type2 == y->type2 && x->cc == y->cc && x->mem == y->mem &&
           x->scale_slot == y->scale_slot && !memcmp(x->arg, y->arg, sizeof x->arg) && x->imm == y->imm &&
           x->imm2 == y->imm2;
}

static ir_ref append(struct ir_builder *b, const struct ir_inst *in)
{
    return ir_append(b->u, in);
}

/* Not in quick units: they are too short for it to pay. */
static ir_ref append_merged(struct ir_builder *b, const struct ir_inst *in)
{
    if (b->quick)
        return append(b, in);
    ir_ref *recent = &b->recent[hash_of(in)];
    if (*recent != IR_NONE && same(&b->u->inst[*recent], in))
        return *recent;
    return *recent = append(b, in);
}

/* --- folding --- */

static void const_value(const struct ir_builder *b, ir_ref r, union ir_value *v)
{
    const struct ir_inst *in = &b->u->inst[r];
    v->q[0] = in->imm;
    v->q[1] = in->type == IR_V128 ? in->imm2 : 0;
}

static ir_ref const_ref(struct ir_builder *b, enum ir_type t, const union ir_value *v)
{
    return append_merged(b, &(struct ir_inst){
                                .op = IR_CONST, .type = t, .imm = v->q[0], .imm2 = t == IR_V128 ? (int64_t)v->q[1] : 0});
}

/* The value of a pure instruction whose first argument is a constant, if the others are, too; else IR_NONE. */
static ir_ref fold(struct ir_builder *b, const struct ir_inst *in)
{
    unsigned n = ir_facts[in->op].nargs;
    if (!n || in->op == IR_CALL)
        return IR_NONE;
    for (unsigned k = 1; k < n; k++)
        if (b->u->inst[in->arg[k]].op != IR_CONST)
            return IR_NONE;
    union ir_value value[IR_MAX_ARGS] = {0}, result;
    const union ir_value *arg[IR_MAX_ARGS] = {&value[0], &value[1], &value[2], &value[3]};
    for (unsigned k = 0; k < n; k++)
        const_value(b, in->arg[k], &value[k]);
    struct fp_env env = {.rules = b->u->guest->fp};
    if (ir_eval_int(in, arg[0], arg[1], arg[2], arg[3], &result) || ir_eval_vector(in, arg, &result) ||
        (env.rules && ir_eval_fp(in, arg, &env, &result)))
        return const_ref(b, ir_result_type(in), &result);
    return IR_NONE;
}

static bool is_const(const struct ir_builder *b, ir_ref r) { return b->u->inst[r].op == IR_CONST; }

static inline void canonicalise(const struct ir_builder *b, struct ir_inst *in)
{
    unsigned props = ir_facts[in->op].props;
    if (!(props & IR_P_TYPED))
        in->type = ir_result_type(in);
    if (props & IR_P_VECTOR && !ir_forms[in->op].lanes)
        in->ir_lane_ = 0;
    if (props & IR_P_COMM) {
        /* constants second, else by age */
        bool c0 = is_const(b, in->arg[0]), c1 = is_const(b, in->arg[1]);
        if (c0 != c1 ? c0 : in->arg[0] > in->arg[1]) {
            ir_ref swap = in->arg[0];
            in->arg[0] = in->arg[1];
            in->arg[1] = swap;
        }
    }
}

ir_ref b_emit_at(struct ir_builder *b, struct ir_inst *in)
{
    canonicalise(b, in);
    uint32_t props = ir_props(in);
    if (props & IR_P_PURE) {
        if (in->op == IR_CONST)
            return const_ref(b, in->type, &(union ir_value){.q = {in->imm, in->imm2}});
        ir_ref r = is_const(b, in->arg[0]) ? fold(b, in) : IR_NONE;
        if (r == IR_NONE)
            r = b_simplify(b, in);
        return r != IR_NONE ? r : append_merged(b, in);
    }
    b->pc_needed = true;
    switch (in->op) {
    case IR_GET: return b_get(b, in->ir_slot_);
    case IR_PUT: b_put(b, in->ir_slot_, in->arg[0]); return IR_NONE;
    case IR_INSN: b_insn(b, in->imm, in->imm2); return IR_NONE;
    case IR_GOTO_IF:
        /* Never taken: nothing. Always taken stays an exit in the middle, so that a unit has one terminator. */
        b->last_exit = IR_NONE;
        if (in->cc < CC_FOEQ && b_settle(b, in) == 0)
            return IR_NONE;
        b_note_jump(b, in);
        return b->last_exit = append(b, in);
    case IR_GOTO: b_note_jump(b, in); return b->last_exit = append(b, in);
    case IR_GOTO_IND: b_note_jump(b, in); return append(b, in);
    case IR_CALL: {
        ir_ref r = append(b, in);
        if (in->helper->effects & (HELPER_WRITES_STATE | HELPER_FAULTS))
            b_forget(b);
        return r;
    }
    default: return append(b, in);
    }
}

/* --- guest registers --- */

bool b_is_label(const struct ir_builder *b, uint64_t pc)
{
    if (b->back) /* it is reached by this call only */
        return false;
    for (unsigned i = 0; b->region && b->region->known && i < b->region->n; i++)
        if (b->region->target[i] == pc)
            return true;
    return false;
}

bool b_insn(struct ir_builder *b, uint64_t pc, uint64_t bits)
{
    /* In quick units nothing between asks where it is: one INSN does. */
    if (b->quick && !b->counted && !b->pc_needed && b->last_pc_inst) {
        b->u->inst[b->last_pc_inst].imm = pc;
        b->u->inst[b->last_pc_inst].imm2 = bits;
        return false;
    }
    bool label = b_is_label(b, pc);
    if (label) { /* whoever jumps here does not bring values */
        b_forget(b);
        memset(b->recent, 0, sizeof b->recent);
        b->last_exit = append(b, &(struct ir_inst){.op = IR_LABEL, .ir_sub = b->region->function, .imm = pc});
    }
    b->pc_needed = false;
    b->last_pc_inst = append(b, &(struct ir_inst){.op = IR_INSN, .imm = pc, .imm2 = bits});
    return label;
}

ir_ref b_get(struct ir_builder *b, unsigned slot)
{
    if (b->known[slot] == IR_NONE)
        b->known[slot] =
            append(b, &(struct ir_inst){.op = IR_GET, .type = b->u->guest->slots[slot].type, .ir_slot_ = slot});
    return b->known[slot];
}

void b_put(struct ir_builder *b, unsigned slot, ir_ref v)
{
    if (b->known[slot] == v)
        return;
    append(b, &(struct ir_inst){
                  .op = IR_PUT, .type = b->u->guest->slots[slot].type, .ir_slot_ = slot, .arg = {v}});
    b->known[slot] = v;
}

void b_forget(struct ir_builder *b)
{
    memset(b->known, 0, b->u->guest->nslots * sizeof b->known[0]);
}

/* --- constants --- */

ir_ref b_const(struct ir_builder *b, enum ir_type t, uint64_t v)
{
    bool narrow = t == IR_I32 || t == IR_F32;
    return const_ref(b, t, &(union ir_value){.q = {narrow ? (uint32_t)v : v}});
}

ir_ref b_vconst(struct ir_builder *b, uint64_t lo, uint64_t hi)
{
    return const_ref(b, IR_V128, &(union ir_value){.q = {lo, hi}});
}

bool b_is_const(const struct ir_builder *b, ir_ref r, uint64_t *v)
{
    const struct ir_inst *in = &b->u->inst[r];
    if (in->op != IR_CONST || (in->type != IR_I32 && in->type != IR_I64))
        return false;
    *v = in->imm;
    return true;
}
