/* The op table as data, and units: the growing arrays of instructions that everything else in tcg/ works on. */
#include "tcg/ir.h"

#include <stdlib.h>

#include "base/log.h"

const struct ir_op_info ir_ops[IR_OP_COUNT] = {
#define X(NAME, result, args, props, meaning) [IR_##NAME] = {#NAME, result, args, meaning},
    IR_OPS(X)
#undef X
};

#define LETTER(string, k) ((string "\0\0\0\0")[k])
#define TYPE_OF(letter)                                                                                  \
    ((letter) == 'i'   ? IR_I32                                                                           \
     : (letter) == 'l' ? IR_I64                                                                           \
     : (letter) == 'f' ? IR_F32                                                                           \
     : (letter) == 'd' ? IR_F64                                                                           \
     : (letter) == 'v' ? IR_V128                                                                          \
     : (letter) == 'T' ? IR_TYPE_COUNT                                                                    \
                       : IR_VOID)
#define TYPED(args) \
    (LETTER(args, 0) == 'T' || LETTER(args, 1) == 'T' || LETTER(args, 2) == 'T' || LETTER(args, 3) == 'T')

const struct ir_fact ir_facts[IR_OP_COUNT] = {
#define X(NAME, result_, args, props_, meaning)                                                           \
    [IR_##NAME] = {                                                                                       \
        .props = (props_) | (TYPED(args) || (result_)[0] == 'T' ? IR_P_TYPED : 0) |                       \
                 ((result_)[0] == 'v' || LETTER(args, 0) == 'v' ? IR_P_VECTOR : 0),                       \
        .nargs = sizeof(args) - 1,                                                                        \
        .result = TYPE_OF((result_)[0]),                                                                  \
    },
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
    *u = (struct ir_unit){0};
    ir_unit_restart(u, guest, pc, flags);
}

void ir_unit_restart(struct ir_unit *u, const struct ir_guest *guest, uint64_t pc, uint32_t flags)
{
    *u = (struct ir_unit){.guest = guest, .pc = pc, .flags = flags, .inst = u->inst, .cap = u->cap};
    ir_append(u, &(struct ir_inst){.op = IR_NOP}); /* what IR_NONE names */
}

void ir_unit_free(struct ir_unit *u)
{
    free(u->inst);
    u->inst = NULL;
    u->n = u->cap = 0;
}

void ir_grow(struct ir_unit *u)
{
    u->cap = u->cap ? u->cap * 2 : 64;
    u->inst = realloc(u->inst, u->cap * sizeof *u->inst);
    CHECK(u->inst);
}

/* Argument letters of a helper, without the state pointer. */
static const char *helper_args(const struct ir_helper *h)
{
    return h->sig + 2 + (h->sig[2] == 'e');
}

unsigned ir_helper_nargs(const struct ir_helper *h)
{
    return strlen(helper_args(h));
}

enum ir_type ir_helper_result(const struct ir_helper *h)
{
    return type_of_letter[(unsigned)h->sig[0]];
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
