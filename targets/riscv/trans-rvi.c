/* RV32I and RV64I, Zifencei, Zihintpause, Zicbom, Zicboz, Zicond: manual chapters of these names. */
#include "targets/riscv/helpers.h"
#include "targets/riscv/rv-decode.h"
#include "targets/riscv/translate.h"

/* --- constants and jumps --- */

bool rv_trans_LUI(DisasContext *s, arg_LUI *a)
{
    rv_write(s, a->rd, b_i64(s->b, (int64_t)a->imm * 4096));
    return true;
}

bool rv_trans_AUIPC(DisasContext *s, arg_AUIPC *a)
{
    rv_write(s, a->rd, b_i64(s->b, s->pc + (int64_t)a->imm * 4096));
    return true;
}

/* x1 and x5: the registers whose use as link register is a hint to return prediction (JALR, table of hints). */
static bool is_link(unsigned r) { return r == 1 || r == 5; }

static void jump(DisasContext *s, unsigned rd, uint64_t target)
{
    uint32_t leaf = rd == 1 && b_inlines(s->b) ? rv_leaf_bytes(s->code, target) : 0;
    rv_write(s, rd, b_i64(s->b, s->next));
    if (leaf && b_enter_leaf(s->b, target, leaf, s->next)) {
        s->next = target;
        s->moved = true;
        return;
    }
    if (is_link(rd))
        b_call_to(s->b, target, s->next);
    else
        b_goto(s->b, target);
    s->ended = true;
}

bool rv_trans_JAL(DisasContext *s, arg_JAL *a)
{
    jump(s, a->rd, s->pc + (int64_t)a->imm * 2);
    return true;
}

bool rv_trans_JALR(DisasContext *s, arg_JALR *a)
{
    struct ir_builder *b = s->b;
    ir_ref target = b_and(b, IR_I64, b_addi(b, IR_I64, rv_read(s, a->rs1), a->imm), b_i64(b, ~UINT64_C(1)));
    uint64_t known;
    if (!a->rd && a->rs1 == 1 && b_leave_leaf(b, target, &s->next))
        return s->moved = true;
    if (b_is_const(b, target, &known)) { /* behind AUIPC */
        jump(s, a->rd, known);
        return true;
    }
    if (a->rd == 1 && b_inlines(b) && b_expects(b, target, s->pc, &known)) {
        uint32_t leaf = rv_leaf_bytes(s->code, known);
        if (leaf && b_enter_leaf(b, known, leaf, s->next)) {
            b_goto_if(b, CC_NE, IR_I64, target, b_i64(b, known), s->pc); /* the call is made there */
            rv_write(s, a->rd, b_i64(b, s->next));
            s->next = known;
            return s->moved = true;
        }
    }
    rv_write(s, a->rd, b_i64(b, s->next));
    b_goto_ind(b, target, is_link(a->rd) ? JUMP_CALL : is_link(a->rs1) ? JUMP_RETURN : JUMP_PLAIN, s->next);
    s->ended = true;
    return true;
}

static bool branch(DisasContext *s, const arg_BEQ *a, enum ir_cc cc)
{
    b_goto_if(s->b, cc, IR_I64, rv_read(s, a->rs1), rv_read(s, a->rs2), s->pc + (int64_t)a->imm * 2);
    return true;
}

bool rv_trans_BEQ(DisasContext *s, arg_BEQ *a) { return branch(s, a, CC_EQ); }
bool rv_trans_BNE(DisasContext *s, arg_BNE *a) { return branch(s, a, CC_NE); }
bool rv_trans_BLT(DisasContext *s, arg_BLT *a) { return branch(s, a, CC_LTS); }
bool rv_trans_BGE(DisasContext *s, arg_BGE *a) { return branch(s, a, CC_GES); }
bool rv_trans_BLTU(DisasContext *s, arg_BLTU *a) { return branch(s, a, CC_LTU); }
bool rv_trans_BGEU(DisasContext *s, arg_BGEU *a) { return branch(s, a, CC_GEU); }

/* --- loads and stores --- */

static bool load(DisasContext *s, const arg_LB *a, unsigned mem)
{
    rv_write(s, a->rd, b_load(s->b, IR_I64, mem, rv_read(s, a->rs1), IR_NONE, 0, a->imm));
    return true;
}

bool rv_trans_LB(DisasContext *s, arg_LB *a) { return load(s, a, MEM_S8); }
bool rv_trans_LH(DisasContext *s, arg_LH *a) { return load(s, a, MEM_S16); }
bool rv_trans_LW(DisasContext *s, arg_LW *a) { return load(s, a, MEM_S32); }
bool rv_trans_LD(DisasContext *s, arg_LD *a) { return load(s, a, MEM_64); }
bool rv_trans_LBU(DisasContext *s, arg_LBU *a) { return load(s, a, MEM_U8); }
bool rv_trans_LHU(DisasContext *s, arg_LHU *a) { return load(s, a, MEM_U16); }
bool rv_trans_LWU(DisasContext *s, arg_LWU *a) { return load(s, a, MEM_U32); }

static bool store(DisasContext *s, const arg_SB *a, unsigned mem)
{
    b_store(s->b, IR_I64, mem, rv_read(s, a->rs1), IR_NONE, 0, a->imm, rv_read(s, a->rs2));
    return true;
}

bool rv_trans_SB(DisasContext *s, arg_SB *a) { return store(s, a, MEM_U8); }
bool rv_trans_SH(DisasContext *s, arg_SH *a) { return store(s, a, MEM_U16); }
bool rv_trans_SW(DisasContext *s, arg_SW *a) { return store(s, a, MEM_U32); }
bool rv_trans_SD(DisasContext *s, arg_SD *a) { return store(s, a, MEM_64); }

/* --- register and immediate --- */

static bool op_i(DisasContext *s, const arg_ADDI *a, enum ir_op op)
{
    rv_write(s, a->rd, b_op2(s->b, op, IR_I64, rv_read(s, a->rs1), b_i64(s->b, a->imm)));
    return true;
}

bool rv_trans_ADDI(DisasContext *s, arg_ADDI *a) { return op_i(s, a, IR_ADD); }
bool rv_trans_XORI(DisasContext *s, arg_XORI *a) { return op_i(s, a, IR_XOR); }
bool rv_trans_ORI(DisasContext *s, arg_ORI *a) { return op_i(s, a, IR_OR); }
bool rv_trans_ANDI(DisasContext *s, arg_ANDI *a) { return op_i(s, a, IR_AND); }

static bool set_less(DisasContext *s, unsigned rd, enum ir_cc cc, ir_ref x, ir_ref y)
{
    rv_write(s, rd, b_zext(s->b, b_setcc(s->b, cc, IR_I64, x, y)));
    return true;
}

bool rv_trans_SLTI(DisasContext *s, arg_SLTI *a)
{
    return set_less(s, a->rd, CC_LTS, rv_read(s, a->rs1), b_i64(s->b, a->imm));
}

bool rv_trans_SLTIU(DisasContext *s, arg_SLTIU *a)
{
    return set_less(s, a->rd, CC_LTU, rv_read(s, a->rs1), b_i64(s->b, a->imm));
}

bool rv_trans_ADDIW(DisasContext *s, arg_ADDIW *a)
{
    rv_write_w(s, a->rd, b_addi(s->b, IR_I32, rv_read_w(s, a->rs1), a->imm));
    return true;
}

static bool shift_i(DisasContext *s, const arg_SLLI *a, enum ir_op op)
{
    rv_write(s, a->rd, b_op2(s->b, op, IR_I64, rv_read(s, a->rs1), b_i64(s->b, a->shamt)));
    return true;
}

bool rv_trans_SLLI(DisasContext *s, arg_SLLI *a) { return shift_i(s, a, IR_SHL); }
bool rv_trans_SRLI(DisasContext *s, arg_SRLI *a) { return shift_i(s, a, IR_SHR); }
bool rv_trans_SRAI(DisasContext *s, arg_SRAI *a) { return shift_i(s, a, IR_SAR); }

static bool shift_iw(DisasContext *s, const arg_SLLIW *a, enum ir_op op)
{
    rv_write_w(s, a->rd, b_op2(s->b, op, IR_I32, rv_read_w(s, a->rs1), b_i32(s->b, a->shamt)));
    return true;
}

bool rv_trans_SLLIW(DisasContext *s, arg_SLLIW *a) { return shift_iw(s, a, IR_SHL); }
bool rv_trans_SRLIW(DisasContext *s, arg_SRLIW *a) { return shift_iw(s, a, IR_SHR); }
bool rv_trans_SRAIW(DisasContext *s, arg_SRAIW *a) { return shift_iw(s, a, IR_SAR); }

/* --- register and register --- */

static bool op_r(DisasContext *s, const arg_ADD *a, enum ir_op op)
{
    rv_write(s, a->rd, b_op2(s->b, op, IR_I64, rv_read(s, a->rs1), rv_read(s, a->rs2)));
    return true;
}

bool rv_trans_ADD(DisasContext *s, arg_ADD *a) { return op_r(s, a, IR_ADD); }
bool rv_trans_SUB(DisasContext *s, arg_SUB *a) { return op_r(s, a, IR_SUB); }
bool rv_trans_SLL(DisasContext *s, arg_SLL *a) { return op_r(s, a, IR_SHL); }
bool rv_trans_XOR(DisasContext *s, arg_XOR *a) { return op_r(s, a, IR_XOR); }
bool rv_trans_SRL(DisasContext *s, arg_SRL *a) { return op_r(s, a, IR_SHR); }
bool rv_trans_SRA(DisasContext *s, arg_SRA *a) { return op_r(s, a, IR_SAR); }
bool rv_trans_OR(DisasContext *s, arg_OR *a) { return op_r(s, a, IR_OR); }
bool rv_trans_AND(DisasContext *s, arg_AND *a) { return op_r(s, a, IR_AND); }

bool rv_trans_SLT(DisasContext *s, arg_SLT *a)
{
    return set_less(s, a->rd, CC_LTS, rv_read(s, a->rs1), rv_read(s, a->rs2));
}

bool rv_trans_SLTU(DisasContext *s, arg_SLTU *a)
{
    return set_less(s, a->rd, CC_LTU, rv_read(s, a->rs1), rv_read(s, a->rs2));
}

static bool op_rw(DisasContext *s, const arg_ADDW *a, enum ir_op op)
{
    rv_write_w(s, a->rd, b_op2(s->b, op, IR_I32, rv_read_w(s, a->rs1), rv_read_w(s, a->rs2)));
    return true;
}

bool rv_trans_ADDW(DisasContext *s, arg_ADDW *a) { return op_rw(s, a, IR_ADD); }
bool rv_trans_SUBW(DisasContext *s, arg_SUBW *a) { return op_rw(s, a, IR_SUB); }
bool rv_trans_SLLW(DisasContext *s, arg_SLLW *a) { return op_rw(s, a, IR_SHL); }
bool rv_trans_SRLW(DisasContext *s, arg_SRLW *a) { return op_rw(s, a, IR_SHR); }
bool rv_trans_SRAW(DisasContext *s, arg_SRAW *a) { return op_rw(s, a, IR_SAR); }

/* Zicond: rd = rs2 is (not) zero ? 0 : rs1 */

static bool czero(DisasContext *s, const arg_CZERO_EQZ *a, enum ir_cc cc)
{
    struct ir_builder *b = s->b;
    ir_ref zero = b_i64(b, 0);
    rv_write(s, a->rd, b_selcc(b, IR_I64, cc, IR_I64, rv_read(s, a->rs2), zero, zero, rv_read(s, a->rs1)));
    return true;
}

bool rv_trans_CZERO_EQZ(DisasContext *s, arg_CZERO_EQZ *a) { return HAS(zicond) && czero(s, a, CC_EQ); }
bool rv_trans_CZERO_NEZ(DisasContext *s, arg_CZERO_NEZ *a) { return HAS(zicond) && czero(s, a, CC_NE); }

/* --- environment, memory order, caches --- */

bool rv_trans_ECALL(DisasContext *s, arg_ECALL *a)
{
    rv_trap(s, EXIT_SYSCALL, s->privileged ? s->pc : s->next, 0);
    return true;
}

bool rv_trans_EBREAK(DisasContext *s, arg_EBREAK *a)
{
    rv_trap(s, EXIT_BREAKPOINT, s->pc, 0);
    return true;
}

/* A machine's processor tells that it waits for another one. */
bool rv_trans_PAUSE(DisasContext *s, arg_PAUSE *a)
{
    if (!HAS(zihintpause)) /* a FENCE then */
        return false;
    if (s->privileged)
        rv_trap(s, EXIT_PAUSE, s->next, 0);
    return true;
}

/*
 * Input and output count as reads and writes. Only write-to-read order needs the full fence; FENCE.TSO (fm = 8) leaves
 * that one out. Reserved fm are plain fences.
 */
bool rv_trans_FENCE(DisasContext *s, arg_FENCE *a)
{
    enum { W = 1, R = 2 };
    unsigned pred = (a->pred | a->pred >> 2) & 3, succ = (a->succ | a->succ >> 2) & 3;
    bool tso = a->fm == 8 && pred == (R | W) && succ == (R | W);
    if ((pred & W) && (succ & R) && !tso) {
        b_fence(s->b, IR_FENCE_FULL);
    } else if (succ) {
        if (pred & R)
            b_fence(s->b, IR_FENCE_LOAD);
        if (pred & W)
            b_fence(s->b, IR_FENCE_STORE);
    }
    return true;
}

/* The instruction has no address: every translation is dropped. */
bool rv_trans_FENCE_I(DisasContext *s, arg_FENCE_I *a)
{
    if (!HAS(zifencei))
        return false;
    if (s->privileged) { /* writes to code are told anyway */
        rv_trap(s, EXIT_NONE, s->next, 0);
        return true;
    }
    b_call0(s->b, &rv_helper_fence_i);
    rv_trap(s, EXIT_ICACHE, s->next, 0);
    return true;
}

/* The caches are coherent; only the address is checked, by reading it. CBO.INVAL is not for user programs (senvcfg). */
static bool cbo(DisasContext *s, unsigned rs1)
{
    if (!HAS(zicbom))
        return false;
    b_load(s->b, IR_I32, MEM_U8, rv_read(s, rs1), IR_NONE, 0, 0);
    return true;
}

bool rv_trans_CBO_INVAL(DisasContext *s, arg_CBO_INVAL *a) { return false; }
bool rv_trans_CBO_CLEAN(DisasContext *s, arg_CBO_CLEAN *a) { return cbo(s, a->rs1); }
bool rv_trans_CBO_FLUSH(DisasContext *s, arg_CBO_FLUSH *a) { return cbo(s, a->rs1); }

bool rv_trans_CBO_ZERO(DisasContext *s, arg_CBO_ZERO *a)
{
    struct ir_builder *b = s->b;
    if (!HAS(zicboz))
        return false;
    ir_ref block = b_and(b, IR_I64, rv_read(s, a->rs1), b_i64(b, -(uint64_t)RV_CACHE_BLOCK));
    for (unsigned i = 0; i < RV_CACHE_BLOCK; i += 16)
        b_store(b, IR_V128, MEM_128, block, IR_NONE, 0, i, b_vconst(b, 0, 0));
    return true;
}
