/* The op table as data, and units: the growing arrays of instructions that everything else in tcg/ works on. */
#include "tcg/ir.h"

#include <stdlib.h>

#include "base/log.h"

const struct ir_op_info ir_ops[IR_OP_COUNT] = {
#define X(NAME, result, args, props, meaning) [IR_##NAME] = {#NAME, result, args, meaning, props, sizeof args - 1},
    IR_OPS(X)
#undef X
};

const char *const ir_type_names[IR_TYPE_COUNT] = {
    [IR_VOID] = "void", [IR_I32] = "i32", [IR_I64] = "i64",
    [IR_F32] = "f32",   [IR_F64] = "f64", [IR_V128] = "v128",
};

const char *const ir_cc_names[CC_COUNT] = {
    [CC_EQ] = "eq",       [CC_NE] = "ne",       [CC_LTU] = "ltu",   [CC_GEU] = "geu",   [CC_LEU] = "leu",
    [CC_GTU] = "gtu",     [CC_LTS] = "lts",     [CC_GES] = "ges",   [CC_LES] = "les",   [CC_GTS] = "gts",
    [CC_TSTEQ] = "tsteq", [CC_TSTNE] = "tstne", [CC_FOEQ] = "foeq", [CC_FUNE] = "fune", [CC_FORD] = "ford",
    [CC_FUNO] = "funo",   [CC_FOLT] = "folt",   [CC_FUGE] = "fuge", [CC_FOLE] = "fole", [CC_FUGT] = "fugt",
    [CC_FOGT] = "fogt",   [CC_FULE] = "fule",   [CC_FOGE] = "foge", [CC_FULT] = "fult", [CC_QOLT] = "qolt",
    [CC_QUGE] = "quge",   [CC_QOLE] = "qole",   [CC_QUGT] = "qugt", [CC_QOGT] = "qogt", [CC_QULE] = "qule",
    [CC_QOGE] = "qoge",   [CC_QULT] = "qult",
};

/* Type letters of the op table and of helper signatures. */
static const uint8_t type_of_letter[128] = {
    ['i'] = IR_I32, ['l'] = IR_I64, ['f'] = IR_F32, ['d'] = IR_F64, ['v'] = IR_V128,
};

void ir_unit_init(struct ir_unit *u, const struct ir_guest *guest, uint64_t pc, uint32_t flags)
{
    *u = (struct ir_unit){.guest = guest, .pc = pc, .flags = flags};
    ir_append(u); /* the NOP that IR_NONE names */
}

void ir_unit_free(struct ir_unit *u)
{
    free(u->inst);
    u->inst = NULL;
    u->n = u->cap = 0;
}

ir_ref ir_append(struct ir_unit *u)
{
    if (u->n == u->cap) {
        u->cap = u->cap ? u->cap * 2 : 256;
        u->inst = realloc(u->inst, u->cap * sizeof *u->inst);
        CHECK(u->inst);
    }
    memset(&u->inst[u->n], 0, sizeof u->inst[0]);
    return u->n++;
}

/* Argument letters of a helper, without the state pointer. */
static const char *helper_args(const struct ir_helper *h)
{
    return h->sig + 2 + (h->sig[2] == 'e');
}

uint32_t ir_props(const struct ir_inst *in)
{
    uint32_t props = ir_ops[in->op].props;
    switch (in->op) {
    case IR_SETCC:
    case IR_SELCC:
        return in->cc < CC_FOEQ ? props : (props & ~IR_P_PURE) | IR_P_FLAGS;
    case IR_CALL:
        return in->helper->effects & HELPER_PURE ? props | IR_P_PURE : props;
    default:
        return props;
    }
}

unsigned ir_nargs(const struct ir_inst *in)
{
    return in->op == IR_CALL ? strlen(helper_args(in->helper)) : ir_ops[in->op].nargs;
}

enum ir_type ir_result_type(const struct ir_inst *in)
{
    char letter = in->op == IR_CALL ? in->helper->sig[0] : ir_ops[in->op].result[0];
    return letter == 'T' ? in->type : type_of_letter[(unsigned)letter];
}

enum ir_type ir_arg_type(const struct ir_inst *in, unsigned k)
{
    if (in->op == IR_CALL)
        return type_of_letter[(unsigned)helper_args(in->helper)[k]];
    if ((in->op == IR_LD || in->op == IR_ST) && k == 1 && in->arg[k] == IR_NONE)
        return IR_VOID;
    char letter = ir_ops[in->op].args[k];
    return letter == 'T' ? in->type : letter == 'S' ? in->type2 : type_of_letter[(unsigned)letter];
}
