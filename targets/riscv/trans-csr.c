/* Zicsr, with the registers of user programs: fcsr and its parts, and Zicntr's counters. */
#include "targets/riscv/helpers.h"
#include "targets/riscv/rv-decode.h"
#include "targets/riscv/translate.h"

/* A register is a field of fcsr or a read-only counter. */
static const struct csr {
    uint16_t number;
    uint8_t pos, len; /* in fcsr; len 0: counter */
    const struct ir_helper *counter;
} csrs[] = {
    {.number = 0x001, .pos = 0, .len = 5},              /* fflags */
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

static ir_ref read_csr(DisasContext *s, const struct csr *c)
{
    if (!c->len)
        return b_call0(s->b, c->counter);
    return b_ubfx(s->b, IR_I64, b_call0(s->b, &rv_helper_read_fcsr), c->pos, c->len);
}

/* A new frm may change the mode that translations depend on, so the unit ends. */
static void write_csr(DisasContext *s, const struct csr *c, ir_ref v)
{
    struct ir_builder *b = s->b;
    uint64_t mask = (UINT64_C(1) << c->len) - 1;
    b_callv(b, &rv_helper_write_fcsr, b_i64(b, mask << c->pos), b_shli(b, IR_I64, v, c->pos));
    if (c->pos + c->len > FCSR_FRM_SHIFT)
        rv_trap(s, EXIT_NONE, s->next, 0);
}

enum access { WRITE, SET, CLEAR };

/* `reads` and `writes`: what the forms with x0 or a zero immediate leave out. */
static bool access_csr(DisasContext *s, const arg_CSRRW *a, enum access how, ir_ref v, bool reads, bool writes)
{
    struct ir_builder *b = s->b;
    const struct csr *c = find(a->csr);
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
