/*
 * Instructions of supervisor and machine mode, and what the mode of a hart takes away: floating point while mstatus.FS
 * is off, cache block instructions as menvcfg and senvcfg say.
 */
#include "targets/riscv/priv/translate.h"

#include "targets/riscv/priv/helpers.h"
#include "targets/riscv/rvp-decode.h"

/* The helper leaves; what follows is not reached. */
static bool left(DisasContext *s)
{
    rv_trap(s, EXIT_NONE, s->next, 0);
    return true;
}

static bool leave_by_return(DisasContext *s, enum rv_privilege from)
{
    b_callv(s->b, &rv_helper_return, b_i32(s->b, from), b_i32(s->b, s->insn));
    return left(s);
}

bool rvp_trans_SRET(DisasContext *s, arg_SRET *a) { return leave_by_return(s, RV_SUPERVISOR); }
bool rvp_trans_MRET(DisasContext *s, arg_MRET *a) { return leave_by_return(s, RV_MACHINE); }

bool rvp_trans_WFI(DisasContext *s, arg_WFI *a)
{
    b_callv(s->b, &rv_helper_wait, b_i32(s->b, s->insn), b_i64(s->b, s->next));
    return left(s);
}

/* Address space identifiers are not looked at: an address space's translations are forgotten when another comes. */
static bool fence(DisasContext *s, unsigned rs1)
{
    struct ir_builder *b = s->b;
    b_callv(b, &rv_helper_fence, b_i32(b, s->insn), b_i32(b, rs1 != 0), rv_read(s, rs1), b_i64(b, s->next));
    return left(s);
}

bool rvp_trans_SFENCE_VMA(DisasContext *s, arg_SFENCE_VMA *a) { return fence(s, a->rs1); }
bool rvp_trans_SINVAL_VMA(DisasContext *s, arg_SINVAL_VMA *a) { return fence(s, a->rs1); }

/* Each SINVAL.VMA is done at once: there is nothing to order. User mode has neither. */
static bool order(DisasContext *s)
{
    return s->mode >> RV_MODE_PRIVILEGE_SHIFT & 3;
}

bool rvp_trans_SFENCE_W_INVAL(DisasContext *s, arg_SFENCE_W_INVAL *a) { return order(s); }
bool rvp_trans_SFENCE_INVAL_IR(DisasContext *s, arg_SFENCE_INVAL_IR *a) { return order(s); }

/* The unit ends where the register may change the code behind or let an interrupt in; or, counted, may be a counter. */
static bool access_csr(DisasContext *s, unsigned number, unsigned op, unsigned rd, bool reads, bool writes,
                       ir_ref operand)
{
    struct ir_builder *b = s->b;
    uint32_t request = RV_CSR_REQUEST(number, op, reads && rd, writes);
    ir_ref old = b_callv(b, &rv_helper_csr, b_i32(b, request), b_i32(b, s->insn), operand);
    rv_write(s, rd, old);
    if (writes && rv_csr_ends_unit(number))
        rv_trap(s, EXIT_TARGET, s->next, 0);
    else if (b->counted)
        rv_goto(s, s->next);
    return true;
}

static const struct rv_privileged privileged = {decode_rvp, access_csr};

void rv_translate_privileged(struct ir_builder *b, const struct code_reader *code, unsigned max_insns)
{
#define EXT(name) (UINT64_C(1) << RV_EXT_##name)
    uint64_t extensions = rv_extensions_on;
    uint32_t mode = b->u->flags;
    if (!(mode & RV_MODE_FP))
        extensions &= ~(EXT(f) | EXT(d) | EXT(zcd) | EXT(zfa) | EXT(zfh) | EXT(zfhmin));
    if (!(mode & RV_MODE_CBO))
        extensions &= ~EXT(zicbom);
    if (!(mode & RV_MODE_CBO_ZERO))
        extensions &= ~EXT(zicboz);
    rv_translate_all(b, code, max_insns, extensions, &privileged);
#undef EXT
}
