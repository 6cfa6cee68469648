/*
 * The verifier. It checks of a unit that
 *   1. arguments are earlier instructions that make a value of the type the op table asks for; fields beyond are
 *      IR_NONE; only the index of LD and ST may be absent
 *   2. there is exactly one terminator, and it is last
 *   3. GET, PUT and the dead slot of an exit name a slot of the guest, and GET and PUT have its type
 *   4. an instruction that may fault, and a call of a helper that may, follow an INSN
 *   5. types, lanes, conditions, memory kinds and immediates are in the range the op's row gives
 */
#include "tcg/ir-forms.h"

static const char *fail(const struct ir_unit *u, ir_ref r, const char *what)
{
    static __thread char message[160];
    snprintf(message, sizeof message, "%%%u (%s): %s", r,
             u->inst[r].op < IR_OP_COUNT ? ir_ops[u->inst[r].op].name : "no op", what);
    return message;
}

static unsigned bits_of(enum ir_type t)
{
    static const uint8_t bits[IR_TYPE_COUNT] = {0, 32, 64, 32, 64, 128};
    return bits[t];
}

static bool is_set(unsigned set, unsigned member) { return member < 8 && set >> member & 1; }

static const char *check_args(const struct ir_unit *u, ir_ref r)
{
    const struct ir_inst *in = &u->inst[r];
    unsigned n = ir_nargs(in);
    if (n > IR_CALL_ARGS)
        return "too many arguments";
    for (unsigned k = 0; k < n; k++) {
        enum ir_type want = ir_arg_type(in, k);
        if (want == IR_VOID && in->arg[k] == IR_NONE)
            continue;
        if (in->arg[k] == IR_NONE || in->arg[k] >= r)
            return "an argument is no earlier instruction";
        if (ir_result_type(&u->inst[in->arg[k]]) != want)
            return "an argument has the wrong type";
    }
    for (unsigned k = n; k < IR_CALL_ARGS; k++)
        if (in->arg[k] != IR_NONE)
            return "an argument too many";
    return NULL;
}

static bool mem_ok(const struct ir_inst *in)
{
    unsigned size = 8u << (in->mem & MEM_SIZE);
    if ((in->mem & MEM_SIZE) > MEM_128)
        return false;
    /* Then the base alone says whether the address is aligned. */
    if (in->mem & MEM_ALIGN && (in->op == IR_LD || in->op == IR_ST) && (in->arg[1] || in->imm & (size / 8 - 1)))
        return false;
    switch (in->type) {
    case IR_I32:
    case IR_I64: return size <= bits_of(in->type);
    case IR_F32:
    case IR_F64: return size == bits_of(in->type);
    default: return in->op == IR_LD || in->op == IR_ST || size == 128;
    }
}

static bool rm_ok(int64_t rm) { return (rm >= 0 && rm <= 5) || rm == IR_RM_DYN; }

/* The immediate of ops whose row limits it. */
static bool imm_ok(const struct ir_inst *in)
{
    const int64_t imm = in->imm, imm2 = in->imm2, t = bits_of(in->type);
    const int64_t lane_bits = 8 << (in->ir_lane_ & 3), lanes = 128 / lane_bits;
    switch (in->op) {
    case IR_CONST: return (in->type != IR_I32 && in->type != IR_F32) || (uint64_t)imm <= UINT32_MAX;
    case IR_EXTR: return imm > 0 && imm < t;
    case IR_UBFX:
    case IR_SBFX:
    case IR_DEPOSIT: return imm >= 0 && imm2 > 0 && imm < t && imm2 <= t - imm;
    case IR_LD:
    case IR_ST: return imm == (int32_t)imm && in->ir_scale <= 3;
    case IR_VDUPL:
    case IR_VGET:
    case IR_VSET: return imm >= 0 && imm < lanes;
    case IR_VSETL: return imm >= 0 && imm < lanes && imm2 >= 0 && imm2 < lanes;
    case IR_VEXT: return imm >= 0 && imm <= 16;
    case IR_VREV: return (imm == 2 || imm == 4 || imm == 8 || imm == 16) && imm * 8 > lane_bits;
    case IR_VSHLI: return imm >= 0 && imm < lane_bits;
    case IR_VUSHRI:
    case IR_VSSHRI: return imm >= 0 && imm <= lane_bits;
    case IR_FRINT:
    case IR_FTOS:
    case IR_FTOU: return rm_ok(in->ir_rm);
    case IR_VFRINT: return rm_ok(imm & ~(int64_t)IR_RM_QUIET);
    case IR_VFTOS:
    case IR_VFTOU: return rm_ok(imm);
    case IR_FENCE: return in->ir_sub <= IR_FENCE_STORE;
    case IR_LABEL: return in->ir_sub <= 1;
    case IR_GOTO: return in->ir_sub <= JUMP_CALL;
    case IR_GOTO_IND: return in->ir_sub <= JUMP_RETURN;
    default: return true;
    }
}

static const char *check_fields(const struct ir_unit *u, ir_ref r)
{
    const struct ir_inst *in = &u->inst[r];
    const struct ir_form *form = &ir_forms[in->op];
    const char *syntax = form->syntax;

    if (form->types && !is_set(form->types, in->type))
        return "the type is none the op has";
    if (form->types2 && !is_set(form->types2, in->type2))
        return "type2 is none the op has";
    if (form->lanes && !is_set(form->lanes, in->ir_lane_))
        return "the lane is none the op has";
    if (in->op == IR_BITCAST && bits_of(in->type) != bits_of(in->type2))
        return "a bitcast changes the size";
    enum ir_type integer = in->op == IR_VGET ? in->type : in->op == IR_VSET || in->op == IR_VDUP ? in->type2 : IR_VOID;
    if (integer == IR_I32 && in->ir_lane_ == LANE_D)
        return "the lane does not fit the type";
    if (strchr(syntax, 'c') && (in->cc >= CC_COUNT || (in->cc >= CC_FOEQ) != is_set(TYPES_FLOAT, in->type2)))
        return "the condition does not go with type2";
    if (strchr(syntax, 'm') && !mem_ok(in))
        return "the memory access does not go with the type";
    if (syntax[0] == 's' &&
        (in->ir_slot_ >= u->guest->nslots || u->guest->slots[in->ir_slot_].type != in->type))
        return "no such slot, or not of its type";
    if (strchr(syntax, 'd') && in->ir_dead > u->guest->nslots)
        return "no such dead slot";
    return imm_ok(in) ? NULL : "an immediate is out of range";
}

/* Is it the last instruction, or, passes having removed some, does a LABEL follow? */
static bool may_end_here(const struct ir_unit *u, ir_ref r)
{
    while (++r < u->n && u->inst[r].op == IR_NOP)
        ;
    return r == u->n || u->inst[r].op == IR_LABEL;
}

static bool crosses_label(const struct ir_unit *u, ir_ref r, ir_ref label)
{
    for (unsigned k = 0; k < ir_nargs(&u->inst[r]); k++)
        if (u->inst[r].arg[k] && u->inst[r].arg[k] < label && u->inst[u->inst[r].arg[k]].op != IR_CONST)
            return true;
    return false;
}

const char *ir_verify(const struct ir_unit *u)
{
    bool insn = false;
    ir_ref label = IR_NONE;
    if (!u->n || u->inst[0].op != IR_NOP)
        return "instruction 0 is no NOP";
    for (ir_ref r = 1; r < u->n; r++) {
        const struct ir_inst *in = &u->inst[r];
        const char *error;
        if (in->op >= IR_OP_COUNT)
            return fail(u, r, "unknown op");
        if (in->op == IR_CALL && !in->helper)
            return fail(u, r, "no helper");
        if ((error = check_args(u, r)) || (error = check_fields(u, r)))
            return fail(u, r, error);
        uint32_t props = ir_props(in);
        if (in->op == IR_INSN)
            insn = true;
        if (!insn && ((props & IR_P_FAULT) || (in->op == IR_CALL && (in->helper->effects & HELPER_FAULTS))))
            return fail(u, r, "may fault before the first INSN");
        if (in->op == IR_LABEL)
            label = r;
        if (crosses_label(u, r, label))
            return fail(u, r, "an argument from before the label");
        if (props & IR_P_EXIT ? !may_end_here(u, r) : r == u->n - 1)
            return fail(u, r, props & IR_P_EXIT ? "a terminator that is not last" : "the last one is no terminator");
    }
    return u->n > 1 ? NULL : "no terminator";
}
