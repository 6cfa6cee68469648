/*
 * NaNs of guests whose arithmetic always gives the same NaN (RISC-V F, 11.3). The processor makes another one, but as
 * long as a result only goes into more arithmetic and comparisons the difference can't be seen: such values are marked
 * raw, and become the guest's NaN where somebody looks at their bits: at stores and other ops, at exits, at the back
 * edge of a loop (values in registers are the guest's at its head), and when a fault is recovered from.
 */
#include "base/softfloat.h"
#include "tcg/host/x86_64/gen.h"

bool x86_nans_are_late(const struct gen *g)
{
    return x86.late_nans && g->guest->fp && g->guest->fp->nan == FP_PICK_DEFAULT;
}

uint64_t x86_guest_nan(const struct ir_guest *guest, enum raw raw)
{
    if (raw == RAW_F64)
        return fp_default_nan(&fp_f64, guest->fp);
    return fp_default_nan(&fp_f32, guest->fp) | (raw == RAW_BOXED ? UINT64_C(0xffffffff00000000) : 0);
}

/* Does the instruction not care which NaN its operand k is? */
static bool takes_raw(const struct ir_inst *in, unsigned k, enum raw raw)
{
    switch (in->op) {
    case IR_FADD:
    case IR_FSUB:
    case IR_FMUL:
    case IR_FDIV:
    case IR_FSQRT:
    case IR_FMA:
    case IR_FMIN:
    case IR_FMAX:
    case IR_FMINNUM:
    case IR_FMAXNUM:
    case IR_FEXT:
    case IR_FTRUNC:
    case IR_FRINT:
    case IR_FTOS:
    case IR_FTOU:
    case IR_SETCC:
    case IR_GOTO_IF:
    case IR_NANBOX: return true;
    case IR_UNBOX: return raw == RAW_BOXED;
    case IR_SELCC: return k < 2;
    case IR_PUT: return true; /* the slot is raw, then */
    default: return false;
    }
}

static void load_nan(struct gen *g, int reg, enum raw raw)
{
    x86_pool(g, (raw == RAW_F32 ? OP_F3 : OP_F2) | OP_0F | 0x10, reg - XMM0, raw == RAW_F32 ? 4 : 8,
             x86_guest_nan(g->guest, raw), 0, 0);
}

/* Both at once: UCOMISD says "unordered" if either is a NaN. They are of one width. */
static void fix(struct gen *g, int a, enum raw raw_a, int b, enum raw raw_b)
{
    x86_ucomis(g, raw_a == RAW_F64, false, a, b);
    uint8_t *jump = emit_jcc_forward(&g->a, X_P);
    struct stub *s = x86_stub(g, STUB_NAN);
    s->jump = jump;
    s->back = g->a.p;
    s->src[0] = a;
    s->src[1] = b;
    s->raw[0] = raw_a;
    s->raw[1] = raw_b;
}

void x86_emit_nan(struct gen *g, const struct stub *s)
{
    for (unsigned k = 0; k < 2; k++) {
        if (k && s->src[1] == s->src[0])
            break;
        x86_ucomis(g, s->raw[k] == RAW_F64, false, s->src[k], s->src[k]);
        uint8_t *number = emit_jcc_forward(&g->a, X_NP);
        load_nan(g, s->src[k], s->raw[k]);
        patch_here(&g->a, number);
    }
    emit_jmp(&g->a, g->a.exec + (s->back - g->a.start));
}

static bool same_width(enum raw a, enum raw b) { return (a == RAW_F64) == (b == RAW_F64); }

/* The register holds the guest's NaN now. */
static void settle(struct gen *g, int reg)
{
    ir_ref root = g->held[reg];
    if (root) {
        g->val[root].raw = RAW_NOT;
        ra_leave_cell(g, root);
    }
    for (unsigned s = 0; g->is_pin[reg] && s < g->guest->nslots; s++)
        if (g->slot[s].pin == reg)
            g->slot[s].raw = RAW_NOT;
}

/* A pin that will be looked at later anyway, to be made right at the same time: one not written again. */
static int companion(const struct gen *g, int reg, enum raw raw)
{
    for (unsigned s = 0; s < g->guest->nslots; s++) {
        const struct slot_state *slot = &g->slot[s];
        if (slot->raw && slot->pin != NO_REG && slot->pin != reg && slot->last_put <= g->i &&
            same_width(slot->raw, raw))
            return s;
    }
    return -1;
}

void x86_settle_value(struct gen *g, ir_ref v)
{
    ir_ref root = root_of(g, v);
    enum raw raw = g->val[root].raw;
    if (!raw)
        return;
    int reg = ra_use(g, v), s = companion(g, reg, raw);
    if (s >= 0) {
        fix(g, reg, raw, g->slot[s].pin, g->slot[s].raw);
        settle(g, g->slot[s].pin);
    } else {
        fix(g, reg, raw, reg, raw);
    }
    settle(g, reg);
}

void x86_settle_operands(struct gen *g, const struct ir_inst *in)
{
    for (unsigned k = 0, n = g->raw ? ir_nargs(in) : 0; k < n; k++) {
        enum raw raw = g->val[root_of(g, in->arg[k])].raw;
        if (raw && !takes_raw(in, k, raw))
            x86_settle_value(g, in->arg[k]);
    }
}

struct raw_pins x86_raw_pins(const struct gen *g)
{
    struct raw_pins p = {{0}};
    for (unsigned s = 0; g->raw && s < g->guest->nslots; s++)
        if (g->slot[s].raw && g->slot[s].pin != NO_REG)
            p.mask[g->slot[s].raw - 1] |= 1u << (g->slot[s].pin - XMM0);
    return p;
}

void x86_fix_pins(struct gen *g, const struct raw_pins *p)
{
    if (!g->raw)
        return;
    int waiting[2] = {NO_REG, NO_REG};
    enum raw raw_of[2] = {RAW_NOT, RAW_NOT};
    for (enum raw raw = RAW_F64; raw <= RAW_BOXED; raw++)
        for (uint32_t m = p->mask[raw - 1]; m; m &= m - 1) {
            int reg = XMM0 + __builtin_ctz(m), w = raw != RAW_F64;
            if (waiting[w] == NO_REG) {
                waiting[w] = reg;
                raw_of[w] = raw;
            } else {
                fix(g, waiting[w], raw_of[w], reg, raw);
                waiting[w] = NO_REG;
            }
        }
    for (unsigned w = 0; w < 2; w++)
        if (waiting[w] != NO_REG)
            fix(g, waiting[w], raw_of[w], waiting[w], raw_of[w]);
}

void x86_settle_pins(struct gen *g)
{
    if (!g->raw)
        return;
    struct raw_pins p = x86_raw_pins(g);
    x86_fix_pins(g, &p);
    for (unsigned raw = 0; raw < ARRAY_SIZE(p.mask); raw++)
        for (uint32_t m = p.mask[raw]; m; m &= m - 1)
            settle(g, XMM0 + __builtin_ctz(m));
}

void x86_fix_stored(struct gen *g, unsigned slot, int reg, enum raw raw)
{
    uint64_t nan = x86_guest_nan(g->guest, raw);
    x86_ucomis(g, raw == RAW_F64, false, reg, reg);
    uint8_t *number = emit_jcc_forward(&g->a, X_NP);
    struct mem m = slot_mem(g, slot);
    for (unsigned size = 0; size < type_size(g->guest->slots[slot].type); size += 4, m.disp += 4, nan >>= 32) {
        emit_rm(&g->a, 0xc7, 0, m);
        emit32(&g->a, nan);
    }
    patch_here(&g->a, number);
}
