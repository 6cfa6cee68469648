/* Zicsr, with the registers of user programs: fcsr and its parts, and Zicntr's counters. */
#include "targets/riscv/helpers.h"
#include "targets/riscv/rv-decode.h"
#include "targets/riscv/trans-fp.h"

enum { CSR_FFLAGS = 1 };

/* A register is a field of fcsr or a read-only counter. */
static const struct csr {
    uint16_t number;
    uint8_t pos, len; /* in fcsr; len 0: counter */
    const struct ir_helper *counter;
} csrs[] = {
    {.number = CSR_FFLAGS, .pos = 0, .len = 5},              /* fflags */
    {.number = 0x002, .pos = FCSR_FRM_SHIFT, .len = 3}, /* frm */
    {.number = 0x003, .pos = 0, .len = 8},              /* fcsr */
    {.number = 0xc00, .counter = &rv_helper_cycle},
    {.number = 0xc01, .counter = &rv_helper_time},
    {.number = 0xc02, .counter = &rv_helper_cycle}, /* instret */
};

static const struct csr *find(unsigned number)
{
    for (unsigned i = 0; i < ARRAY_SIZE(csrs); i++)
        if (csrs[i].number == number)
            return &csrs[i];
    return NULL;
}

/* The IR's sticky flags are those of fflags in reverse order. */
static ir_ref reverse_flags(struct ir_builder *b, ir_ref v)
{
    static const struct {
        int8_t left;
        uint8_t to;
    } moves[] = {{-4, 1}, {-2, 2}, {0, 4}, {2, 8}, {4, 16}};
    ir_ref r = b_i32(b, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(moves); i++) {
        int n = moves[i].left;
        ir_ref moved = n < 0 ? b_shri(b, IR_I32, v, -n) : b_shli(b, IR_I32, v, n);
        r = b_or(b, IR_I32, b_and(b, IR_I32, moved, b_i32(b, moves[i].to)), r);
    }
    return r;
}

static ir_ref read_fflags(DisasContext *s)
{
    return b_zext(s->b, reverse_flags(s->b, b_fflags(s->b)));
}

static ir_ref read_csr(DisasContext *s, const struct csr *c)
{
    struct ir_builder *b = s->b;
    if (!c->len)
        return b_call0(b, c->counter);
    ir_ref flags = c->pos ? b_i64(b, 0) : read_fflags(s);
    ir_ref frm = b_i64(b, (uint64_t)(s->mode & RV_MODE_FRM) << FCSR_FRM_SHIFT); /* known here */
    return b_ubfx(b, IR_I64, b_or(b, IR_I64, flags, frm), c->pos, c->len);
}

/* A new frm changes the mode that translations depend on, so the unit ends. */
static void write_csr(DisasContext *s, const struct csr *c, ir_ref v)
{
    struct ir_builder *b = s->b;
    if (c->len == FCSR_FRM_SHIFT) {
        b_fsetflags(b, reverse_flags(b, b_trunc(b, v)));
        return;
    }
    uint64_t mask = (UINT64_C(1) << c->len) - 1;
    b_callv(b, &rv_helper_write_fcsr, b_i64(b, mask << c->pos), b_shli(b, IR_I64, v, c->pos));
    rv_trap(s, EXIT_NONE, s->next, 0);
}

/*
 * FRFLAGS rd; FEQ, FLT or FLE of single or double; FSFLAGS rd: how compilers compare without raising flags. Without a
 * NaN the comparison raises none anyway; with one the unit is left behind the first instruction, for a translation in
 * which the others stand alone. The second's rd must be another register.
 */
static bool quiet_comparison(DisasContext *s, const arg_CSRRS *a)
{
    static const enum ir_cc cc[] = {CC_FOLE, CC_FOLT, CC_FOEQ};
    enum { FCMP_MASK = 0xfc00007f, FCMP = 0xa0000053, FSFLAGS = 0x00101073 };
    struct ir_builder *b = s->b;
    uint64_t second = s->next, third = second + 4;
    if (s->room < 2 || !a->rd)
        return false;
    uint32_t compare = rv_peek(s, second), restore = rv_peek(s, third);
    unsigned rd = extract64(compare, 7, 5), rs1 = extract64(compare, 15, 5), rs2 = extract64(compare, 20, 5);
    unsigned fmt = extract64(compare, 25, 2), kind = extract64(compare, 12, 3);
    if ((compare & FCMP_MASK) != FCMP || kind >= ARRAY_SIZE(cc) || fmt > RV_FMT_D || !rv_fp_arithmetic(s, fmt) ||
        rd == (unsigned)a->rd || restore != (FSFLAGS | (uint32_t)a->rd << 15) || b_is_label(b, second) ||
        b_is_label(b, third))
        return false;
    enum ir_type t = rv_fp_type(fmt);
    ir_ref x = rv_read_fp(s, fmt, rs1), y = rv_read_fp(s, fmt, rs2);
    rv_write(s, a->rd, read_fflags(s));
    b_leave_if(b, CC_FUNO, t, x, y, second);
    b_insn(b, second, compare);
    rv_write(s, rd, b_zext(b, b_setcc(b, cc[kind], t, x, y)));
    b_insn(b, third, restore);
    s->next = third + 4;
    s->fused = 2;
    return true;
}

enum access { WRITE, SET, CLEAR };

/* `reads` and `writes`: what the forms with x0 or a zero immediate leave out. */
static bool access_csr(DisasContext *s, const arg_CSRRW *a, enum access how, ir_ref v, bool reads, bool writes)
{
    struct ir_builder *b = s->b;
    const struct csr *c = find(a->csr);
    if (s->privileged && (!c || !c->len))
        return HAS(zicsr) && s->privileged->csr(s, a->csr, how, a->rd, reads, writes, v);
    if (!HAS(zicsr) || !c || (c->len ? !HAS(f) : !HAS(zicntr)) || (writes && !c->len))
        return false;
    ir_ref old = reads || how != WRITE ? read_csr(s, c) : IR_NONE;
    if (reads)
        rv_write(s, a->rd, old);
    if (writes)
        write_csr(s, c, how == WRITE ? v : b_op2(b, how == SET ? IR_OR : IR_ANDN, IR_I64, old, v));
    return true;
}

bool rv_trans_CSRRW(DisasContext *s, arg_CSRRW *a)
{
    return access_csr(s, a, WRITE, rv_read(s, a->rs1), a->rd, true);
}

bool rv_trans_CSRRS(DisasContext *s, arg_CSRRS *a)
{
    if (a->csr == CSR_FFLAGS && !a->rs1 && HAS(zicsr) && quiet_comparison(s, a))
        return true;
    return access_csr(s, a, SET, rv_read(s, a->rs1), true, a->rs1);
}

bool rv_trans_CSRRC(DisasContext *s, arg_CSRRC *a)
{
    return access_csr(s, a, CLEAR, rv_read(s, a->rs1), true, a->rs1);
}

bool rv_trans_CSRRWI(DisasContext *s, arg_CSRRWI *a)
{
    return access_csr(s, a, WRITE, b_i64(s->b, a->rs1), a->rd, true);
}

bool rv_trans_CSRRSI(DisasContext *s, arg_CSRRSI *a)
{
    return access_csr(s, a, SET, b_i64(s->b, a->rs1), true, a->rs1);
}

bool rv_trans_CSRRCI(DisasContext *s, arg_CSRRCI *a)
{
    return access_csr(s, a, CLEAR, b_i64(s->b, a->rs1), true, a->rs1);
}
