/*
 * Reads the text form back: see ir-forms.h for the fields of each op and print.c for their look. Blanks and commas
 * separate, `#` starts a comment, numbers are as in C. Values may have any numbers; they are renumbered. The result
 * is as sound as the text: ir_verify() judges it.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "tcg/ir-forms.h"

enum { MAX_LABEL = 1 << 20, MAX_WORD = 64 };

struct parser {
    struct ir_unit *u;
    const char *at; /* in the current line */
    unsigned line;
    ir_ref *label; /* the value each number of the text names, IR_NONE: none yet */
    size_t nlabels;
    ir_ref none; /* what a bad number names */
    char *err;
    size_t errlen;
    bool failed;
};

static void fail(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct parser *p, const char *format, ...)
{
    if (p->failed) /* the first error counts */
        return;
    p->failed = true;
    char what[128];
    va_list ap;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    snprintf(p->err, p->errlen, "line %u: %s", p->line, what);
}

/* --- words --- */

static void skip(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == ',')
        p->at++;
}

static bool at_end(struct parser *p)
{
    skip(p);
    return *p->at == '\0' || *p->at == '\n' || *p->at == '#';
}

static bool accept(struct parser *p, const char *mark)
{
    skip(p);
    size_t n = strlen(mark);
    if (strncmp(p->at, mark, n))
        return false;
    p->at += n;
    return true;
}

static void expect(struct parser *p, const char *mark)
{
    if (!accept(p, mark))
        fail(p, "`%s` is missing", mark);
}

/* Letters, digits and '_' into word; empty if there are none. */
static const char *word(struct parser *p, char buf[MAX_WORD])
{
    size_t n = 0;
    skip(p);
    while (n < MAX_WORD - 1 && (isalnum((unsigned char)*p->at) || *p->at == '_'))
        buf[n++] = *p->at++;
    buf[n] = '\0';
    return buf;
}

static bool accept_word(struct parser *p, const char *want)
{
    const char *before = p->at;
    char buf[MAX_WORD];
    if (!strcmp(word(p, buf), want))
        return true;
    p->at = before;
    return false;
}

/* Index in a list of n names (NULLs skipped) of the next word. */
static unsigned name_in(struct parser *p, const char *const *names, unsigned n, const char *kind)
{
    char buf[MAX_WORD];
    word(p, buf);
    for (unsigned i = 0; i < n; i++)
        if (names[i] && !strcmp(names[i], buf))
            return i;
    fail(p, "`%s` is no %s", buf, kind);
    return 0;
}

static uint64_t number(struct parser *p)
{
    skip(p);
    char *end;
    bool minus = *p->at == '-';
    const char *digits = p->at + minus;
    if (!isdigit((unsigned char)*digits)) {
        fail(p, "a number is missing");
        return 0;
    }
    uint64_t v = strtoull(digits, &end, 0);
    p->at = end;
    return minus ? -v : v;
}

/* --- values --- */

static ir_ref *label(struct parser *p)
{
    uint64_t n = number(p);
    if (p->failed || n >= MAX_LABEL) {
        fail(p, "the value's number is too large");
        return &p->none;
    }
    if (n >= p->nlabels) {
        size_t more = ALIGN_UP(n + 1, 256);
        p->label = realloc(p->label, more * sizeof *p->label);
        CHECK(p->label);
        memset(p->label + p->nlabels, 0, (more - p->nlabels) * sizeof *p->label);
        p->nlabels = more;
    }
    return &p->label[n];
}

static ir_ref value(struct parser *p)
{
    expect(p, "%");
    if (p->failed)
        return IR_NONE;
    ir_ref r = *label(p);
    if (r == IR_NONE)
        fail(p, "a value is used before it is made");
    return r;
}

/* --- fields --- */

static unsigned slot(struct parser *p)
{
    char buf[MAX_WORD];
    word(p, buf);
    for (unsigned i = 0; i < p->u->guest->nslots; i++)
        if (!strcmp(p->u->guest->slots[i].name, buf))
            return i;
    fail(p, "the guest has no register `%s`", buf);
    return 0;
}

static void address(struct parser *p, struct ir_inst *in)
{
    expect(p, "[");
    in->arg[0] = value(p);
    while (!p->failed && !accept(p, "]")) {
        bool minus = accept(p, "-");
        if (!minus)
            expect(p, "+");
        skip(p);
        if (*p->at == '%') {
            in->arg[1] = value(p);
            if (accept(p, "<<"))
                in->ir_scale = number(p);
        } else {
            uint64_t disp = number(p);
            in->imm = minus ? -disp : disp;
        }
    }
}

static unsigned mem(struct parser *p)
{
    static const char *const sizes[16] = {"u8", "u16", "u32", "u64", "u128", NULL, NULL, NULL,
                                          "s8", "s16", "s32", "s64", "s128"};
    _Static_assert(MEM_SIGN == 8, "the index in sizes is the low bits of enum ir_mem");
    unsigned m = name_in(p, sizes, ARRAY_SIZE(sizes), "memory access");
    if (accept(p, ".be"))
        m |= MEM_BE;
    if (accept(p, ".acq"))
        m |= MEM_ACQ;
    if (accept(p, ".rel"))
        m |= MEM_REL;
    if (accept(p, ".align"))
        m |= MEM_ALIGN;
    return m;
}

static void helper(struct parser *p, struct ir_inst *in)
{
    const struct ir_guest *g = p->u->guest;
    char buf[MAX_WORD];
    word(p, buf);
    for (unsigned i = 0; i < g->nhelpers; i++)
        if (!strcmp(g->helpers[i]->name, buf))
            in->helper = g->helpers[i];
    if (!in->helper) {
        fail(p, "the guest has no helper `%s`", buf);
        return;
    }
    for (unsigned k = 0; k < ir_nargs(in) && k < IR_CALL_ARGS; k++)
        in->arg[k] = value(p);
}

static void jump(struct parser *p, struct ir_inst *in)
{
    for (unsigned i = JUMP_CALL; i <= JUMP_RETURN; i++)
        if (accept_word(p, ir_jump_names[i]))
            in->ir_sub = i;
    if (in->ir_sub == JUMP_CALL)
        in->imm2 = number(p);
}

static void fields(struct parser *p, struct ir_inst *in)
{
    unsigned arg = 0;
    for (const char *s = ir_forms[in->op].syntax; *s && !p->failed; s++)
        switch (*s) {
        case '%': in->arg[arg++] = value(p); break;
        case 'A':
            address(p, in);
            arg = 2;
            break;
        case 'c': in->cc = name_in(p, ir_cc_names, CC_COUNT, "condition"); break;
        case 'm': in->mem = mem(p); break;
        case 's':
            in->ir_slot_ = slot(p);
            if (!p->failed)
                in->type = p->u->guest->slots[in->ir_slot_].type;
            break;
        case 'p':
        case 'k': in->imm = number(p); break;
        case 'K': in->imm2 = number(p); break;
        case 'u': in->ir_sub = number(p); break;
        case 'j': jump(p, in); break;
        case 'd':
            if (accept_word(p, "dead"))
                in->ir_dead = slot(p) + 1;
            break;
        case 'f': in->ir_sub = name_in(p, ir_fence_names, ARRAY_SIZE(ir_fence_names), "kind of fence"); break;
        case 'r': in->ir_rm = name_in(p, ir_rm_names, ARRAY_SIZE(ir_rm_names), "rounding mode"); break;
        case 'R':
            in->imm = name_in(p, ir_rm_names, ARRAY_SIZE(ir_rm_names), "rounding mode");
            if (accept_word(p, "quiet"))
                in->imm |= IR_RM_QUIET;
            break;
        case 'q': in->ir_sub = accept_word(p, "quiet"); break;
        case 'b': in->ir_sub = accept_word(p, "border"); break;
        case 'C':
            in->imm = number(p);
            if (in->type == IR_I32 || in->type == IR_F32)
                in->imm = (uint32_t)in->imm;
            if (in->type == IR_V128)
                in->imm2 = number(p);
            break;
        case 'h': helper(p, in); break;
        }
}

static enum ir_type type_suffix(struct parser *p)
{
    expect(p, ".");
    return p->failed ? IR_VOID : name_in(p, ir_type_names, IR_TYPE_COUNT, "type");
}

static unsigned lane_suffix(struct parser *p)
{
    char buf[MAX_WORD];
    expect(p, ".");
    word(p, buf);
    for (unsigned i = 0; i < sizeof ir_lane_letters; i++)
        if (buf[0] == ir_lane_letters[i] && !buf[1])
            return i;
    fail(p, "`%s` is no lane", buf);
    return 0;
}

static void instruction(struct parser *p)
{
    struct ir_inst in = {0};
    ir_ref *made = NULL;
    size_t made_at = 0;
    if (accept(p, "%")) {
        made = label(p);
        expect(p, "=");
        if (p->failed)
            return;
        made_at = made - p->label; /* the array may move */
    }
    char name[MAX_WORD];
    word(p, name);
    while (in.op < IR_OP_COUNT && strcasecmp(ir_ops[in.op].name, name))
        in.op++;
    if (in.op == IR_OP_COUNT) {
        fail(p, "`%s` is no op", name);
        return;
    }
    const struct ir_form *form = &ir_forms[in.op];
    if (form->types && form->syntax[0] != 's')
        in.type = type_suffix(p);
    if (form->types2)
        in.type2 = type_suffix(p);
    if (form->lanes)
        in.ir_lane_ = lane_suffix(p);
    fields(p, &in);
    if (p->failed)
        return;
    if (!form->types)
        in.type = ir_result_type(&in);
    if ((ir_result_type(&in) != IR_VOID) != (made != NULL))
        fail(p, made ? "the op makes no value" : "the op's value has no name");
    ir_ref r = ir_append(p->u, &in);
    if (made)
        p->label[made_at] = r;
}

static void header(struct parser *p)
{
    p->u->pc = number(p);
    if (accept_word(p, "flags"))
        p->u->flags = number(p);
    if (accept_word(p, "bytes"))
        p->u->bytes = number(p);
    if (accept_word(p, "insns"))
        p->u->ninsns = number(p);
}

bool ir_parse(struct ir_unit *u, const struct ir_guest *guest, const char *text, char *err, size_t errlen)
{
    struct parser p = {.u = u, .at = text, .err = err, .errlen = errlen};
    ir_unit_init(u, guest, 0, 0);
    while (*p.at && !p.failed) {
        p.line++;
        if (!at_end(&p)) {
            if (accept_word(&p, "unit"))
                header(&p);
            else
                instruction(&p);
            if (!p.failed && !at_end(&p))
                fail(&p, "more than the op takes");
        }
        while (*p.at && *p.at != '\n')
            p.at++;
        p.at += *p.at == '\n';
    }
    free(p.label);
    if (p.failed)
        ir_unit_free(u);
    return !p.failed;
}
