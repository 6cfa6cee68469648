/* Branches, exception generating and system instructions: Arm ARM C4.1.93 and the instruction pages of C6.2. */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/helpers.h"
#include "targets/aarch64/translate.h"

/* Unconditional branch (immediate) */

bool a64_trans_B(DisasContext *s, arg_B *a)
{
    a64_goto(s, s->pc + (int64_t)a->imm * 4);
    return true;
}

/*
 * Bytes of the function at pc if it is a straight line that leaves X30 alone and returns by it; else 0. Where X30 may
 * be a destination it counts as one.
 */
static uint32_t leaf_bytes(const struct code_reader *code, uint64_t pc)
{
    const uint8_t *p = NULL;
    size_t avail = 0;
    for (uint32_t n = 0; n < LEAF_BYTES; n += 4, p += 4, avail -= 4) {
        uint32_t insn;
        if (avail < 4)
            p = code->window(code->opaque, pc + n, &avail);
        if (!p || avail < 4)
            return 0;
        memcpy(&insn, p, 4);
        bool branch = (insn & 0x1c000000) == 0x14000000, hint = (insn & 0xfffff01f) == 0xd503201f;
        bool pair = (insn & 0x3a000000) == 0x28000000 && (insn >> 10 & 31) == 30;
        if (insn == 0xd65f03c0)
            return n + 4;
        if ((branch && !hint) || (insn & 31) == 30 || pair)
            return 0;
    }
    return 0;
}

bool a64_trans_BL(DisasContext *s, arg_BL *a)
{
    uint64_t target = s->pc + (int64_t)a->imm * 4;
    uint32_t leaf = b_inlines(s->b) ? leaf_bytes(s->code, target) : 0;
    a64_write(s, true, 30, b_i64(s->b, s->pc + 4));
    if (leaf && b_enter_leaf(s->b, target, leaf, s->pc + 4)) {
        s->next = target;
        return s->moved = true;
    }
    b_call_to(s->b, target, s->pc + 4);
    a64_note_dead_flags(s, target);
    s->ended = true;
    return true;
}

/* Compare and branch, test and branch, conditional branch */

static bool compare_branch(DisasContext *s, arg_CBZ *a, enum ir_cc cc)
{
    enum ir_type t = a64_type(a->sf);
    a64_goto_if(s, (struct cond){cc, t, a64_read(s, a->sf, a->rt), b_const(s->b, t, 0)}, s->pc + (int64_t)a->imm * 4);
    return true;
}

bool a64_trans_CBZ(DisasContext *s, arg_CBZ *a) { return compare_branch(s, a, CC_EQ); }
bool a64_trans_CBNZ(DisasContext *s, arg_CBZ *a) { return compare_branch(s, a, CC_NE); }

static bool test_branch(DisasContext *s, arg_TBZ *a, enum ir_cc cc)
{
    struct cond c = {cc, IR_I64, a64_read(s, true, a->rt), b_i64(s->b, UINT64_C(1) << a->bit)};
    a64_goto_if(s, c, s->pc + (int64_t)a->imm * 4);
    return true;
}

bool a64_trans_TBZ(DisasContext *s, arg_TBZ *a) { return test_branch(s, a, CC_TSTEQ); }
bool a64_trans_TBNZ(DisasContext *s, arg_TBZ *a) { return test_branch(s, a, CC_TSTNE); }

bool a64_trans_B_cond(DisasContext *s, arg_B_cond *a)
{
    uint64_t target = s->pc + (int64_t)a->imm * 4;
    if (a->cond >= 14) /* AL, NV */
        a64_goto(s, target);
    else
        a64_goto_if(s, a64_cond(s, a->cond), target);
    return true;
}

/* Unconditional branch (register) */

static bool branch_to(DisasContext *s, unsigned rn, enum ir_jump kind)
{
    ir_ref target = a64_read(s, true, rn); /* before X30 is written: BLR X30 */
    uint64_t expected;
    if (kind == JUMP_CALL && b_inlines(s->b) && b_expects(s->b, target, s->pc, &expected)) {
        uint32_t leaf = leaf_bytes(s->code, expected);
        if (leaf && b_enter_leaf(s->b, expected, leaf, s->pc + 4)) {
            b_goto_if(s->b, CC_NE, IR_I64, target, b_i64(s->b, expected), s->pc); /* the call is made there */
            a64_write(s, true, 30, b_i64(s->b, s->pc + 4));
            s->next = expected;
            return s->moved = true;
        }
    }
    if (kind == JUMP_RETURN && b_leave_leaf(s->b, target, &s->next))
        return s->moved = true;
    if (kind == JUMP_CALL)
        a64_write(s, true, 30, b_i64(s->b, s->pc + 4));
    b_goto_ind(s->b, target, kind, s->pc + 4);
    s->ended = true;
    return true;
}

bool a64_trans_BR(DisasContext *s, arg_BR *a) { return branch_to(s, a->rn, JUMP_PLAIN); }
bool a64_trans_BLR(DisasContext *s, arg_BR *a) { return branch_to(s, a->rn, JUMP_CALL); }
bool a64_trans_RET(DisasContext *s, arg_BR *a) { return branch_to(s, a->rn, JUMP_RETURN); }

/*
 * Pointer authentication as on a processor whose keys are off for user programs (SCTLR_EL1.EnIA… = 0): PAC and AUT
 * leave the pointer alone, XPAC strips, and the authenticating branches branch. The kernel may run programs so.
 */
bool a64_trans_BRAZ(DisasContext *s, arg_BRAZ *a) { return branch_to(s, a->rn, JUMP_PLAIN); }
bool a64_trans_BLRAZ(DisasContext *s, arg_BRAZ *a) { return branch_to(s, a->rn, JUMP_CALL); }
bool a64_trans_RETA(DisasContext *s, arg_RETA *a) { return branch_to(s, 30, JUMP_RETURN); }
bool a64_trans_BRA(DisasContext *s, arg_BRA *a) { return branch_to(s, a->rn, JUMP_PLAIN); }
bool a64_trans_BLRA(DisasContext *s, arg_BRA *a) { return branch_to(s, a->rn, JUMP_CALL); }

bool a64_trans_PACI(DisasContext *s, arg_PACI *a) { return true; }
bool a64_trans_AUTI(DisasContext *s, arg_PACI *a) { return true; }
bool a64_trans_PACISP(DisasContext *s, arg_PACI *a) { return true; }
bool a64_trans_AUTISP(DisasContext *s, arg_PACI *a) { return true; }

bool a64_trans_PAC_AUT(DisasContext *s, arg_PAC_AUT *a)
{
    return !a->z || a->rn == 31;
}

/* The result's upper half is the code; without keys it is an arbitrary but stable value. */
bool a64_trans_PACGA(DisasContext *s, arg_PACGA *a)
{
    struct ir_builder *b = s->b;
    ir_ref x = b_xor(b, IR_I64, a64_read(s, true, a->rn), a64_read_sp(s, true, a->rm));
    ir_ref h = b_op2(b, IR_MUL, IR_I64, x, b_i64(b, UINT64_C(0x9e3779b97f4a7c15)));
    a64_write(s, true, a->rd, b_and(b, IR_I64, h, b_i64(b, UINT64_C(0xffffffff00000000))));
    return true;
}

/* Bits 54:48 are the code of a user pointer (bit 55 is 0): cleared by sign extension from bit 47. */
static void strip(DisasContext *s, unsigned r)
{
    struct ir_builder *b = s->b;
    a64_write(s, true, r, b_and(b, IR_I64, a64_read(s, true, r), b_i64(b, UINT64_C(0xff80ffffffffffff))));
}

bool a64_trans_XPACLRI(DisasContext *s, arg_XPACLRI *a)
{
    strip(s, 30);
    return true;
}

bool a64_trans_XPAC(DisasContext *s, arg_XPAC *a)
{
    strip(s, a->rd);
    return true;
}

/* Exception generation */

bool a64_trans_SVC(DisasContext *s, arg_SVC *a)
{
    a64_trap(s, EXIT_SYSCALL, s->pc + 4, a->imm);
    return true;
}

bool a64_trans_BRK(DisasContext *s, arg_BRK *a)
{
    a64_trap(s, EXIT_BREAKPOINT, s->pc, a->imm);
    return true;
}

/* Hints and barriers */

bool a64_trans_HINT(DisasContext *s, arg_HINT *a) { return true; } /* NOP, WFE, SEV, BTI and unallocated ones */

bool a64_trans_YIELD(DisasContext *s, arg_YIELD *a)
{
    return true;
}

/* DMB, DSB: CRm<1:0> gives the kinds: 1 loads, 2 stores, 3 all. */
static bool barrier(DisasContext *s, unsigned crm)
{
    static const uint8_t kind[4] = {IR_FENCE_FULL, IR_FENCE_LOAD, IR_FENCE_STORE, IR_FENCE_FULL};
    b_fence(s->b, kind[crm & 3]);
    return true;
}

bool a64_trans_DMB(DisasContext *s, arg_DMB *a) { return barrier(s, a->crm); }
bool a64_trans_DSB(DisasContext *s, arg_DMB *a) { return barrier(s, a->crm); }
bool a64_trans_SB(DisasContext *s, arg_SB *a) { return barrier(s, 3); }

/* What follows is fetched anew: the unit ends, so that dropped translations are not run on. */
bool a64_trans_ISB(DisasContext *s, arg_ISB *a)
{
    a64_trap(s, EXIT_NONE, s->pc + 4, 0);
    return true;
}

bool a64_trans_CLREX(DisasContext *s, arg_CLREX *a)
{
    b_put(s->b, A64_EXCL_ADDR, b_i64(s->b, ~UINT64_C(0)));
    return true;
}

bool a64_trans_CFINV(DisasContext *s, arg_CFINV *a)
{
    struct ir_builder *b = s->b;
    a64_set_flags_value(s, b_xor(b, IR_I32, b_get(b, A64_NZCV), b_i32(b, 2)));
    return true;
}

/* SYS: the cache operations a user program may execute (SCTLR_EL1.UCI, DZE) */

#define SYS_OP(op1, crn, crm, op2) ((op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

enum { CACHE_LINE = 64, ZVA_BYTES = 64 };

bool a64_trans_SYS(DisasContext *s, arg_SYS *a)
{
    struct ir_builder *b = s->b;
    ir_ref addr = a64_read(s, true, a->rt);
    switch (SYS_OP(a->op1, a->crn, a->crm, a->op2)) {
    case SYS_OP(3, 7, 4, 1): /* DC ZVA */
        b_callv(b, &a64_helper_dc_zva, addr);
        return true;
    case SYS_OP(3, 7, 5, 1): /* IC IVAU */
        b_callv(b, &a64_helper_ic_ivau, addr);
        a64_trap(s, EXIT_ICACHE, s->pc + 4, 0);
        return true;
    case SYS_OP(3, 7, 10, 1): /* DC CVAC */
    case SYS_OP(3, 7, 11, 1): /* DC CVAU */
    case SYS_OP(3, 7, 12, 1): /* DC CVAP */
    case SYS_OP(3, 7, 14, 1): /* DC CIVAC */
        /* The caches are coherent; only the address is checked, by reading it. */
        b_load(b, IR_I32, MEM_U8, addr, IR_NONE, 0, 0);
        return true;
    default:
        return false;
    }
}

/* System registers */

/* op0:op1:CRn:CRm:op2 without op0's high bit, as the table has them */
#define REG(op0, op1, crn, crm, op2) (((op0) - 2) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

enum {
    REG_NZCV = REG(3, 3, 4, 2, 0),
    REG_FPCR = REG(3, 3, 4, 4, 0),
    REG_FPSR = REG(3, 3, 4, 4, 1),
    REG_TPIDR_EL0 = REG(3, 3, 13, 0, 2),
    REG_TPIDRRO_EL0 = REG(3, 3, 13, 0, 3),
    REG_CNTFRQ_EL0 = REG(3, 3, 14, 0, 0),
    REG_CNTVCT_EL0 = REG(3, 3, 14, 0, 2),
};

/*
 * Registers that read as a constant. The ID registers of EL1 are those that Linux lets user programs read
 * (Documentation/arch/arm64/cpu-feature-registers.rst), with the fields of the features that are implemented.
 */
static const struct {
    uint16_t reg;
    uint64_t value;
} constant_regs[] = {
    {REG(3, 3, 0, 0, 1), 0x8444c004},          /* CTR_EL0: 64-byte lines, IDC and DIC clear: maintenance is needed */
    {REG(3, 3, 0, 0, 7), 4},                   /* DCZID_EL0: ZVA of 64 bytes */
    {REG(3, 0, 0, 0, 0), A64_MIDR},            /* MIDR_EL1 */
    {REG(3, 0, 0, 0, 5), 0x80000000},          /* MPIDR_EL1 */
    {REG(3, 0, 0, 0, 6), 0},                   /* REVIDR_EL1 */
    {REG(3, 0, 0, 4, 0), 0x0000000000110011},  /* ID_AA64PFR0_EL1: EL0/1 AArch64, FP and AdvSIMD with half precision */
    {REG(3, 0, 0, 4, 1), 0},                   /* ID_AA64PFR1_EL1 */
    {REG(3, 0, 0, 4, 4), 0},                   /* ID_AA64ZFR0_EL1 */
    {REG(3, 0, 0, 5, 0), 0x6},                 /* ID_AA64DFR0_EL1 */
    {REG(3, 0, 0, 5, 1), 0},                   /* ID_AA64DFR1_EL1 */
    {REG(3, 0, 0, 6, 0), 0x0010100010211120},  /* ID_AA64ISAR0_EL1: TS DP RDM Atomic CRC32 SHA2 SHA1 AES+PMULL */
    {REG(3, 0, 0, 6, 1), 0x0000000000111000},  /* ID_AA64ISAR1_EL1: LRCPC FCMA JSCVT */
    {REG(3, 0, 0, 6, 2), 0},                   /* ID_AA64ISAR2_EL1 */
    {REG(3, 0, 0, 7, 0), 0xff000000},          /* ID_AA64MMFR0_EL1 */
    {REG(3, 0, 0, 7, 1), 0},                   /* ID_AA64MMFR1_EL1 */
    {REG(3, 0, 0, 7, 2), 0},                   /* ID_AA64MMFR2_EL1 */
    {REG_TPIDRRO_EL0, 0},
};

bool a64_trans_MRS(DisasContext *s, arg_MRS *a)
{
    struct ir_builder *b = s->b;
    ir_ref v;
    switch (a->reg) {
    case REG_NZCV:
        v = b_shli(b, IR_I64, b_zext(b, b_get(b, A64_NZCV)), 28);
        break;
    case REG_FPCR:
        v = b_call0(b, &a64_helper_read_fpcr);
        break;
    case REG_FPSR:
        v = b_call0(b, &a64_helper_read_fpsr);
        break;
    case REG_TPIDR_EL0:
        v = b_get(b, A64_TPIDR);
        break;
    case REG_CNTFRQ_EL0:
        v = b_i64(b, 1000000000);
        break;
    case REG_CNTVCT_EL0:
        v = b_call0(b, &a64_helper_counter);
        break;
    default:
        for (unsigned i = 0; i < ARRAY_SIZE(constant_regs); i++)
            if (constant_regs[i].reg == a->reg) {
                a64_write(s, true, a->rt, b_i64(b, constant_regs[i].value));
                return true;
            }
        if ((a->reg & ~0x3f) != REG(3, 0, 0, 0, 0) || (a->reg >> 3 & 7) < 2)
            return false;
        v = b_i64(b, 0); /* further ID registers, also those not allocated, read as zero */
        break;
    }
    a64_write(s, true, a->rt, v);
    return true;
}

bool a64_trans_MSR_reg(DisasContext *s, arg_MSR_reg *a)
{
    struct ir_builder *b = s->b;
    ir_ref v = a64_read(s, true, a->rt);
    switch (a->reg) {
    case REG_NZCV:
        a64_set_flags_value(s, b_ubfx(b, IR_I32, b_trunc(b, v), 28, 4));
        return true;
    case REG_FPCR: /* may change the mode that translations depend on */
        b_callv(b, &a64_helper_write_fpcr, v);
        a64_trap(s, EXIT_NONE, s->pc + 4, 0);
        return true;
    case REG_FPSR:
        b_callv(b, &a64_helper_write_fpsr, v);
        return true;
    case REG_TPIDR_EL0:
        b_put(b, A64_TPIDR, v);
        return true;
    default:
        return false;
    }
}
