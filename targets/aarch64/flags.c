/*
 * The condition flags. Instructions that set NZCV put a value into its slot that back ends compute only where an exit
 * needs it; conditions are formed from what the flags were set from, so that most become one compare and branch.
 */
#include "targets/aarch64/translate.h"

enum { COND_EQ, COND_CS, COND_MI, COND_VS, COND_HI, COND_GE, COND_GT, COND_AL }; /* cond<3:1>, C1.2.4 */
enum { NZCV_V = 1, NZCV_C = 2, NZCV_Z = 4, NZCV_N = 8 };

static void put_flags(DisasContext *s, ir_ref nzcv)
{
    s->flags_put = true;
    b_put(s->b, A64_NZCV, nzcv);
}

void a64_set_flags_sub(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b)
{
    s->flags = (struct flags){.kind = FLAGS_SUB, .type = t, .a = a, .b = b};
    put_flags(s, b_op2(s->b, IR_NZCV_SUB, t, a, b));
}

void a64_set_flags_add(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b, ir_ref r)
{
    s->flags = (struct flags){.kind = FLAGS_ADD, .type = t, .a = a, .b = b, .r = r};
    put_flags(s, b_op2(s->b, IR_NZCV_ADD, t, a, b));
}

void a64_set_flags_logic(DisasContext *s, enum ir_type t, ir_ref r)
{
    s->flags = (struct flags){.kind = FLAGS_LOGIC, .type = t, .r = r};
    put_flags(s, b_op1(s->b, IR_NZCV_LOGIC, t, r));
}

void a64_set_flags_value(DisasContext *s, ir_ref nzcv)
{
    s->flags = (struct flags){.kind = FLAGS_STATE};
    put_flags(s, nzcv);
}

void a64_set_flags_adc(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b, ir_ref carry, ir_ref r)
{
    ir_ref out = b_op3(s->b, IR_CARRY, t, a, b, carry);
    s->flags = (struct flags){.kind = FLAGS_ADC, .type = t, .a = a, .b = b, .r = r, .carry = carry, .out = out};
    put_flags(s, b_op3(s->b, IR_NZCV_ADC, t, a, b, carry));
}

static ir_ref fcmp_value(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b, bool signalling)
{
    return b_emit(s->b, (struct ir_inst){.op = IR_NZCV_FCMP, .type = t, .ir_sub = signalling, .arg = {a, b}});
}

void a64_set_flags_fcmp(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b, bool signalling)
{
    s->flags = (struct flags){.kind = FLAGS_FCMP, .type = t, .a = a, .b = b, .signalling = signalling};
    put_flags(s, fcmp_value(s, t, a, b, signalling));
}

/* Flags that are `value` (of the comparison `inner`) where cond holds now, else a constant. */
static void set_flags_chosen(DisasContext *s, struct flags inner, ir_ref value, ir_ref chosen, unsigned nzcv)
{
    struct ir_builder *b = s->b;
    s->flags = inner;
    s->flags.inner = inner.kind;
    s->flags.kind = FLAGS_CCMP;
    s->flags.chosen = chosen;
    s->flags.otherwise = nzcv;
    put_flags(s, b_selcc(b, IR_I32, CC_NE, IR_I32, chosen, b_i32(b, 0), value, b_i32(b, nzcv)));
}

void a64_set_flags_ccmp(DisasContext *s, unsigned cond, enum ir_type t, ir_ref a, ir_ref b, bool add, unsigned nzcv)
{
    ir_ref chosen = a64_cond_value(s, cond);
    ir_ref r = add ? b_add(s->b, t, a, b) : IR_NONE;
    struct flags inner = {.kind = add ? FLAGS_ADD : FLAGS_SUB, .type = t, .a = a, .b = b, .r = r};
    set_flags_chosen(s, inner, b_op2(s->b, add ? IR_NZCV_ADD : IR_NZCV_SUB, t, a, b), chosen, nzcv);
}

void a64_set_flags_fccmp(DisasContext *s, unsigned cond, enum ir_type t, ir_ref a, ir_ref b, bool signalling,
                         unsigned nzcv)
{
    ir_ref chosen = a64_cond_value(s, cond);
    struct flags inner = {.kind = FLAGS_FCMP, .type = t, .a = a, .b = b, .signalling = signalling};
    set_flags_chosen(s, inner, fcmp_value(s, t, a, b, signalling), chosen, nzcv);
}

/* --- conditions, by cond<3:1> --- */

/* After a - b; MI and VS need more than one comparison of a and b. */
static const uint8_t after_sub[] = {
    [COND_EQ] = CC_EQ, [COND_CS] = CC_GEU, [COND_HI] = CC_GTU, [COND_GE] = CC_GES, [COND_GT] = CC_GTS,
};

/* After a float comparison: [signalling]. */
static const uint8_t after_fcmp[][2] = {
    [COND_EQ] = {CC_FOEQ, CC_FOEQ}, [COND_CS] = {CC_QUGE, CC_FUGE}, [COND_MI] = {CC_QOLT, CC_FOLT},
    [COND_VS] = {CC_FUNO, CC_FUNO}, [COND_HI] = {CC_QUGT, CC_FUGT}, [COND_GE] = {CC_QOGE, CC_FOGE},
    [COND_GT] = {CC_QOGT, CC_FOGT},
};

/* From the four bits themselves. */
static struct cond from_bits(DisasContext *s, ir_ref nzcv, unsigned kind)
{
    struct ir_builder *b = s->b;
    static const uint8_t one_bit[] = {[COND_EQ] = NZCV_Z, [COND_CS] = NZCV_C, [COND_MI] = NZCV_N, [COND_VS] = NZCV_V};
    if (kind <= COND_VS)
        return (struct cond){CC_TSTNE, IR_I32, nzcv, b_i32(b, one_bit[kind])};
    if (kind == COND_HI)
        return (struct cond){CC_EQ, IR_I32, b_and(b, IR_I32, nzcv, b_i32(b, NZCV_C | NZCV_Z)), b_i32(b, NZCV_C)};
    ir_ref fails = b_and(b, IR_I32, b_xor(b, IR_I32, b_shri(b, IR_I32, nzcv, 3), nzcv), b_i32(b, NZCV_V)); /* N != V */
    if (kind == COND_GT)
        fails = b_or(b, IR_I32, fails, b_and(b, IR_I32, nzcv, b_i32(b, NZCV_Z)));
    return (struct cond){CC_EQ, IR_I32, fails, b_i32(b, 0)};
}

/* N, Z conditions and those that follow when C and V are known to be 0. */
static struct cond after_logic(DisasContext *s, const struct flags *f, unsigned kind)
{
    static const uint8_t cc[] = {[COND_EQ] = CC_EQ, [COND_MI] = CC_LTS, [COND_GE] = CC_GES, [COND_GT] = CC_GTS};
    if (kind == COND_CS || kind == COND_VS || kind == COND_HI) /* never */
        return (struct cond){CC_NE, IR_I32, b_i32(s->b, 0), b_i32(s->b, 0)};
    return (struct cond){cc[kind], f->type, f->r, b_const(s->b, f->type, 0)};
}

static ir_ref nzcv_value(DisasContext *s, const struct flags *f, enum flags_kind from)
{
    switch (from) {
    case FLAGS_SUB:
        return b_op2(s->b, IR_NZCV_SUB, f->type, f->a, f->b);
    case FLAGS_ADD:
        return b_op2(s->b, IR_NZCV_ADD, f->type, f->a, f->b);
    case FLAGS_ADC:
        return b_op3(s->b, IR_NZCV_ADC, f->type, f->a, f->b, f->carry);
    default:
        return b_get(s->b, A64_NZCV);
    }
}

/* The condition for flags set one way (not FLAGS_CCMP). */
static struct cond plain_cond(DisasContext *s, const struct flags *f, enum flags_kind from, unsigned kind)
{
    struct ir_builder *b = s->b;
    switch (from) {
    case FLAGS_SUB:
        if (kind == COND_MI)
            return (struct cond){CC_LTS, f->type, b_sub(b, f->type, f->a, f->b), b_const(b, f->type, 0)};
        if (kind != COND_VS)
            return (struct cond){after_sub[kind], f->type, f->a, f->b};
        break;
    case FLAGS_ADD:
        if (kind == COND_EQ || kind == COND_MI)
            return after_logic(s, f, kind);
        if (kind == COND_CS)
            return (struct cond){CC_LTU, f->type, f->r, f->a};
        break;
    case FLAGS_ADC:
        if (kind == COND_EQ || kind == COND_MI)
            return after_logic(s, f, kind);
        if (kind == COND_CS)
            return (struct cond){CC_NE, IR_I32, f->out, b_i32(b, 0)};
        break;
    case FLAGS_LOGIC:
        return after_logic(s, f, kind);
    case FLAGS_FCMP:
        return (struct cond){after_fcmp[kind][f->signalling], f->type, f->a, f->b};
    default:
        break;
    }
    return from_bits(s, nzcv_value(s, f, from), kind);
}

static bool holds(unsigned nzcv, unsigned kind)
{
    bool n = nzcv & NZCV_N, z = nzcv & NZCV_Z, c = nzcv & NZCV_C, v = nzcv & NZCV_V;
    const bool is[] = {[COND_EQ] = z, [COND_CS] = c, [COND_MI] = n, [COND_VS] = v,
                       [COND_HI] = c && !z, [COND_GE] = n == v, [COND_GT] = n == v && !z};
    return is[kind];
}

struct cond a64_cond(DisasContext *s, unsigned cond)
{
    const struct flags *f = &s->flags;
    unsigned kind = cond >> 1;
    struct cond c = plain_cond(s, f, f->kind == FLAGS_CCMP ? f->inner : f->kind, kind);
    if (f->kind == FLAGS_CCMP) {
        ir_ref inner = b_setcc(s->b, c.cc, c.type, c.x, c.y);
        /* Chosen and inner; or, where the constant satisfies the condition, inner unless chosen fails it. */
        enum ir_cc cc = holds(f->otherwise, kind) ? CC_GEU : CC_TSTNE;
        c = (struct cond){cc, IR_I32, inner, f->chosen};
    }
    if (cond & 1)
        c.cc ^= 1;
    return c;
}

ir_ref a64_cond_value(DisasContext *s, unsigned cond)
{
    if (cond >> 1 == COND_AL)
        return b_i32(s->b, 1);
    struct cond c = a64_cond(s, cond);
    return b_setcc(s->b, c.cc, c.type, c.x, c.y);
}

ir_ref a64_carry(DisasContext *s)
{
    if (s->flags.kind == FLAGS_ADC)
        return s->flags.out;
    return a64_cond_value(s, COND_CS << 1);
}

/* --- liveness across exits --- */

/* Instruction classes by bit picture (C4.1): what they do to NZCV. The first that fits counts. */
enum effect { READS /* or goes where the scan does not follow */, WRITES, NOTHING, JUMPS, BRANCHES_19, BRANCHES_14 };
static const struct {
    uint32_t mask, value;
    uint8_t effect;
} flag_class[] = {
    {0x3f800000, 0x31000000, WRITES},      /* ADDS, SUBS (immediate) */
    {0x3f000000, 0x2b000000, WRITES},      /* ADDS, SUBS (shifted, extended register) */
    {0x7f800000, 0x72000000, WRITES},      /* ANDS (immediate) */
    {0x7f000000, 0x6a000000, WRITES},      /* ANDS, BICS (shifted register) */
    {0xff20fc07, 0x1e202000, WRITES},      /* FCMP, FCMPE */
    {0x7c000000, 0x14000000, JUMPS},       /* B, BL */
    {0x7e000000, 0x34000000, BRANCHES_19}, /* CBZ, CBNZ */
    {0x7e000000, 0x36000000, BRANCHES_14}, /* TBZ, TBNZ */
    {0xfffff01f, 0xd503201f, NOTHING},     /* hints: BTI, PACIASP … */
    {0xffffffe0, 0xd53bd040, NOTHING},     /* MRS TPIDR_EL0 */
    {0x1c000000, 0x14000000, READS},       /* other branches, exceptions, system */
    {0x1fe00000, 0x1a000000, READS},       /* ADC, SBC, RMIF, SETF */
    {0x1fe00000, 0x1a400000, READS},       /* CCMP, CCMN */
    {0x1fe00000, 0x1a800000, READS},       /* CSEL … */
    {0xff200c00, 0x1e200400, READS},       /* FCCMP */
    {0xff200c00, 0x1e200c00, READS},       /* FCSEL */
};

/* Bits 28 to 24 of those: the other instructions, most, are left out at once. */
static const uint32_t flag_groups =
    1u << 0x0a | 1u << 0x0b | 1u << 0x11 | 1u << 0x12 | 0xfu << 0x14 | 1u << 0x1a | 1u << 0x1e;

static enum effect effect_of(uint32_t w)
{
    if (!(flag_groups >> (w >> 24 & 31) & 1))
        return NOTHING;
    for (unsigned k = 0; k < ARRAY_SIZE(flag_class); k++)
        if ((w & flag_class[k].mask) == flag_class[k].value)
            return flag_class[k].effect;
    return NOTHING;
}

/* Looks at no more instructions than *budget says, both ways of branches included. */
static bool dead_at(const struct code_reader *code, uint64_t pc, unsigned *budget)
{
    const uint8_t *p = NULL;
    size_t avail = 0;
    for (; *budget; --*budget, pc += 4, p += 4, avail -= 4) {
        if (avail < 4)
            p = code->window(code->opaque, pc, &avail);
        if (!p || avail < 4)
            return false;
        uint32_t w;
        memcpy(&w, p, 4);
        switch (effect_of(w)) {
        case READS: return false;
        case WRITES: return true;
        case NOTHING: break;
        case JUMPS:
            pc += sextract64(w, 0, 26) * 4 - 4;
            avail = 4; /* of another place, from now on */
            break;
        case BRANCHES_19:
        case BRANCHES_14: {
            int64_t distance = effect_of(w) == BRANCHES_19 ? sextract64(w, 5, 19) : sextract64(w, 5, 14);
            --*budget;
            if (!dead_at(code, pc + distance * 4, budget) || !*budget)
                return false;
            avail = 4; /* the window may have been exchanged */
            break;
        }
        }
    }
    return false;
}

bool a64_flags_dead_at(const struct code_reader *code, uint64_t pc, bool quick)
{
    unsigned budget = quick ? 12 : 64;
    return dead_at(code, pc, &budget);
}
