/*
 * Scalar floating point. Arithmetic runs on SSE under the guest's MXCSR. A result that is a NaN is made again by the
 * interpreter's function, out of line: guests choose NaNs by rules of their own. Operands therefore outlive the
 * result's register.
 */
#include "base/softfloat.h"
#include "tcg/host/x86_64/gen.h"

#define PS OP_0F

static unsigned scalar(bool wide) { return (wide ? OP_F2 : OP_F3) | OP_0F; }

/* imm: a byte behind the instruction, or -1: none. Without AVX, XMM15 cannot be both an operand and spare. */
static void op3(struct gen *g, unsigned op, int dst, int a, int b, int imm)
{
    dst -= XMM0, a -= XMM0, b -= XMM0;
    if (x86.avx) {
        emit_vrr(&g->a, op, dst, a, b);
    } else {
        if (dst == b && dst != a) {
            CHECK(dst != XSCRATCH && a != XSCRATCH);
            emit_rr(&g->a, PS | 0x28, XSCRATCH, b);
            b = XSCRATCH;
        }
        if (dst != a)
            emit_rr(&g->a, PS | 0x28, dst, a);
        emit_rr(&g->a, op, dst, b);
    }
    if (imm >= 0)
        emit8(&g->a, imm);
}

void x86_op3(struct gen *g, unsigned op, int dst, int a, int b) { op3(g, op, dst, a, b, -1); }
void x86_op3_imm(struct gen *g, unsigned op, int dst, int a, int b, unsigned imm) { op3(g, op, dst, a, b, imm & 0xff); }

void x86_op3_pool(struct gen *g, unsigned op, int dst, int a, uint64_t lo, uint64_t hi)
{
    if (x86.avx) {
        x86_pool_vex(g, op, dst - XMM0, a - XMM0, 16, lo, hi, 0);
        return;
    }
    x86_move(g, dst, a);
    x86_pool(g, op, dst - XMM0, 16, lo, hi, 0);
}

void x86_op2(struct gen *g, unsigned op, int dst, int src)
{
    if (x86.avx)
        emit_vrr(&g->a, op, dst - XMM0, 0, src - XMM0);
    else
        emit_rr(&g->a, op, dst - XMM0, src - XMM0);
}

void x86_ucomis(struct gen *g, bool wide, bool signalling, int a, int b)
{
    x86_op2(g, (wide ? OP_66 : 0) | OP_0F | (signalling ? 0x2f : 0x2e), a, b);
}

bool x86_tiny_before(const struct gen *g, unsigned op)
{
    switch (op) {
    case IR_FMUL:
    case IR_FDIV:
    case IR_FMA:
    case IR_FTRUNC:
    case IR_VFMUL:
    case IR_VFDIV:
    case IR_VFMA:
    case IR_VFTRUNC: return g->guest->fp->tiny_before;
    default: return false; /* tiny sums are exact */
    }
}

/*
 * FMA is not among the late ones: 0 * infinity + NaN is invalid to RISC-V (F, 11.6) and not to the processor, which
 * only C makes good.
 */
static bool is_late(const struct gen *g) { return x86_nans_are_late(g) && g->u->inst[g->i].op != IR_FMA; }

/*
 * The result again by C if it is a NaN; and if it is the smallest normal number of either sign, for guests that detect
 * tininess before rounding: only there the processor, which detects it after rounding, may differ in the underflow
 * flag (Intel SDM vol. 1, 4.9.1.5). UCOMISD says "equal" of unordered operands, too.
 */
static void check_result(struct gen *g, bool wide, int d, int a, int b, int c)
{
    uint8_t *again;
    if (is_late(g)) {
        g->val[g->i].raw = wide ? RAW_F64 : RAW_F32;
        g->raw = true;
        return;
    }
    if (x86_tiny_before(g, g->u->inst[g->i].op)) {
        int x = XMM0 + XSCRATCH;
        x86_op3_pool(g, PS | 0x54, x, d, wide ? INT64_MAX : INT32_MAX, 0); /* ANDPS */
        unsigned op = (wide ? OP_66 : 0) | OP_0F | 0x2e;
        uint64_t smallest = wide ? UINT64_C(1) << 52 : 1 << 23;
        if (x86.avx)
            x86_pool_vex(g, op, XSCRATCH, 0, wide ? 8 : 4, smallest, 0, 0);
        else
            x86_pool(g, op, XSCRATCH, wide ? 8 : 4, smallest, 0, 0);
        again = emit_jcc_forward(&g->a, X_E);
    } else {
        x86_ucomis(g, wide, false, d, d);
        again = emit_jcc_forward(&g->a, X_P);
    }
    x86_slow_stub(g, again, d, (int8_t[4]){a, b, c, NO_REG});
}

/* What check_result() may need again outlives the result's register. */
static int result_register(struct gen *g) { return x86_nans_are_late(g) ? ra_def_over(g) : ra_def(g); }

/* The first operand gives the rest of the register: one that is zero there, if there is (plan.c relies on it). */
static void binary(struct gen *g, const struct ir_inst *in, unsigned op)
{
    bool wide = in->type == IR_F64, commutes = in->op == IR_FADD || in->op == IR_FMUL;
    int a = ra_use(g, in->arg[0]), b = ra_use(g, in->arg[1]), d = result_register(g);
    if (commutes && is_clean(g, in->arg[1]) && !is_clean(g, in->arg[0]))
        x86_op3(g, scalar(wide) | op, d, b, a);
    else
        x86_op3(g, scalar(wide) | op, d, a, b);
    check_result(g, wide, d, a, b, NO_REG);
}

static void unary(struct gen *g, const struct ir_inst *in, unsigned op, bool wide_result)
{
    int a = ra_use(g, in->arg[0]), d = result_register(g);
    x86_op3(g, op, d, a, a);
    check_result(g, wide_result, d, a, NO_REG, NO_REG);
}

static void multiply_add(struct gen *g, const struct ir_inst *in)
{
    bool wide = in->type == IR_F64;
    int a = ra_use(g, in->arg[0]), b = ra_use(g, in->arg[1]), c = ra_use(g, in->arg[2]), d = ra_def(g);
    if (is_clean(g, in->arg[0]) && !is_clean(g, in->arg[2])) {
        x86_move(g, d, a);
        emit_vrr(&g->a, OP_66 | OP_38 | 0xa9 | op_w(wide), d - XMM0, b - XMM0, c - XMM0); /* VFMADD213: d = b * d + c */
    } else if (is_clean(g, in->arg[1]) && !is_clean(g, in->arg[2])) {
        x86_move(g, d, b);
        emit_vrr(&g->a, OP_66 | OP_38 | 0xa9 | op_w(wide), d - XMM0, a - XMM0, c - XMM0);
    } else {
        x86_move(g, d, c);
        emit_vrr(&g->a, OP_66 | OP_38 | 0xb9 | op_w(wide), d - XMM0, a - XMM0, b - XMM0); /* VFMADD231: d += a * b */
    }
    check_result(g, wide, d, a, b, c);
}

/*
 * MINSD takes its second operand when both are zeros; in both orders, or-ed (and-ed), that is -0 (+0). Unordered
 * goes to C before MINSD could raise a flag.
 */
static void min_max(struct gen *g, const struct ir_inst *in)
{
    bool wide = in->type == IR_F64, min = in->op == IR_FMIN || in->op == IR_FMINNUM;
    unsigned op = scalar(wide) | (min ? 0x5d : 0x5f);
    int a = ra_use(g, in->arg[0]), b = ra_use(g, in->arg[1]), d = ra_def(g), x = XMM0 + XSCRATCH;
    x86_ucomis(g, wide, false, a, b);
    uint8_t *nan = emit_jcc_forward(&g->a, X_P);
    x86_op3(g, op, d, a, b);
    x86_op3(g, op, x, b, a);
    x86_op3(g, PS | (min ? 0x56 : 0x54), d, d, x);
    x86_slow_stub(g, nan, d, (int8_t[4]){a, b, NO_REG, NO_REG});
}

static void sign(struct gen *g, const struct ir_inst *in)
{
    uint64_t bit = in->type == IR_F64 ? UINT64_C(1) << 63 : UINT64_C(1) << 31;
    int a = ra_use(g, in->arg[0]), b = in->op == IR_FSGNJ ? ra_use(g, in->arg[1]) : NO_REG, d = ra_def_over(g);
    switch (in->op) {
    case IR_FNEG: x86_op3_pool(g, PS | 0x57, d, a, bit, 0); break;
    case IR_FABS: x86_op3_pool(g, PS | 0x54, d, a, bit - 1, 0); break;
    default:
        x86_op3_pool(g, PS | 0x54, XMM0 + XSCRATCH, b, bit, 0);
        x86_op3_pool(g, PS | 0x54, d, a, bit - 1, 0);
        x86_op3(g, PS | 0x56, d, d, XMM0 + XSCRATCH);
    }
}

int x86_round_imm(unsigned rm)
{
    switch (rm) {
    case FP_RNE: return 0;
    case FP_RDN: return 1;
    case FP_RUP: return 2;
    case FP_RTZ: return 3;
    case IR_RM_DYN: return 4;
    default: return -1;
    }
}

static bool round_int(struct gen *g, const struct ir_inst *in)
{
    bool wide = in->type == IR_F64;
    int imm = x86_round_imm(in->ir_rm);
    if (imm < 0)
        return false;
    int a = ra_use(g, in->arg[0]), d = ra_def(g);
    x86_op3_imm(g, OP_66 | OP_3A | (wide ? 0x0b : 0x0a), d, a, a, imm | (in->ir_sub ? 8 : 0)); /* ROUNDSD */
    check_result(g, wide, d, a, NO_REG, NO_REG);
    return true;
}

/* --- conversions between integers and floats --- */

static void from_int(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool wide = in->type == IR_F64, from64 = in->type2 == IR_I64, is_unsigned = in->op == IR_UTOF;
    int x = ra_use(g, in->arg[0]);
    if (is_unsigned && !from64 && g->val[root_of(g, in->arg[0])].type != IR_I32) {
        int t = ra_temp(g, false);
        emit_mov(a, false, t, x);
        x = t;
    }
    int d = ra_def(g);
    uint8_t *slow = NULL;
    if (is_unsigned && from64) {
        emit_rr(a, 0x85 | OP_W, x, x);
        slow = emit_jcc_forward(a, X_S);
    }
    x86_op3(g, PS | 0x57, d, d, d); /* no waiting for its old content */
    unsigned op = scalar(wide) | 0x2a | op_w(from64 || is_unsigned); /* CVTSI2SD */
    if (x86.avx)
        emit_vrr(a, op, d - XMM0, d - XMM0, x);
    else
        emit_rr(a, op, d - XMM0, x);
    if (slow)
        x86_slow_stub(g, slow, d, (int8_t[4]){x, NO_REG, NO_REG, NO_REG});
}

/* CVT(T)SD2SI r, xmm */
static void cvt2si(struct gen *g, bool wide_float, bool wide_int, bool truncate, int r, int x)
{
    emit_rr(&g->a, scalar(wide_float) | (truncate ? 0x2c : 0x2d) | op_w(wide_int), r, x - XMM0);
}

/*
 * Signed: the processor answers INT_MIN when the value does not fit (invalid is raised, as it should be), then C
 * decides. Modes other than the dynamic one and truncation round first, quietly; the conversion of the
 * original value then raises inexact.
 */
static bool to_signed(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool wide = in->type2 == IR_F64, to64 = in->type == IR_I64;
    int imm = x86_round_imm(in->ir_rm);
    if (imm < 0)
        return false;
    bool direct = imm >= 3;
    int x = ra_use(g, in->arg[0]), d = ra_def(g), from = x;
    int unused = direct ? NO_REG : ra_temp(g, false); /* here: making room must not depend on the branch below */
    if (!direct) {
        from = XMM0 + XSCRATCH;
        x86_op3_imm(g, OP_66 | OP_3A | (wide ? 0x0b : 0x0a), from, x, x, imm | 8);
    }
    cvt2si(g, wide, to64, imm != 4, d, from);
    emit_alu_imm(a, ALU_CMP, to64, d, 1);
    uint8_t *slow = emit_jcc_forward(a, X_O); /* INT_MIN - 1 */
    if (!direct)
        cvt2si(g, wide, to64, true, unused, x);
    x86_slow_stub(g, slow, d, (int8_t[4]){x, NO_REG, NO_REG, NO_REG});
    return true;
}

/* Unsigned, truncating: values in (-1, limit) by the signed 64-bit conversion. */
static bool to_unsigned(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool wide = in->type2 == IR_F64, to64 = in->type == IR_I64;
    if (in->ir_rm != FP_RTZ)
        return false;
    uint64_t limit = wide ? (to64 ? UINT64_C(0x43e0000000000000) : UINT64_C(0x41f0000000000000))
                          : (to64 ? 0x5f000000 : 0x4f800000);
    uint64_t minus_one = wide ? UINT64_C(0xbff0000000000000) : 0xbf800000;
    int x = ra_use(g, in->arg[0]), d = ra_def(g);
    unsigned op = (wide ? OP_66 : 0) | OP_0F | 0x2e;
    x86_pool(g, op, x - XMM0, wide ? 8 : 4, limit, 0, 0);
    uint8_t *high = emit_jcc_forward(a, X_AE);
    x86_pool(g, op, x - XMM0, wide ? 8 : 4, minus_one, 0, 0);
    uint8_t *low = emit_jcc_forward(a, X_BE); /* or unordered */
    cvt2si(g, wide, true, true, d, x);
    int8_t src[4] = {x, NO_REG, NO_REG, NO_REG};
    x86_slow_stub(g, high, d, src);
    x86_slow_stub(g, low, d, src);
    return true;
}

/* --- moves --- */

static void bitcast(struct gen *g, const struct ir_inst *in)
{
    bool wide = type_size(in->type) == 8;
    int x = ra_use(g, in->arg[0]), d = ra_def_over(g);
    unsigned op = OP_66 | OP_0F | op_w(wide);
    if (is_xmm(d) && is_xmm(x))
        x86_move(g, d, x);
    else if (is_xmm(d))
        emit_rr(&g->a, op | 0x6e, d - XMM0, x); /* MOVD, MOVQ */
    else if (is_xmm(x))
        emit_rr(&g->a, op | 0x7e, x - XMM0, d);
    else
        emit_mov(&g->a, wide, d, x);
}

static void unbox(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    int x = ra_use(g, in->arg[0]), t = ra_temp(g, false), d = ra_def(g);
    emit_rr(a, OP_66 | OP_3A | 0x16, x - XMM0, t); /* PEXTRD */
    emit8(a, 1);
    emit_alu_imm(a, ALU_CMP, false, t, -1);
    uint8_t *unboxed = emit_jcc_forward(a, X_NE);
    x86_move(g, d, x);
    g->val[g->i].raw = g->val[root_of(g, in->arg[0])].raw ? RAW_F32 : RAW_NOT;
    x86_slow_stub(g, unboxed, d, (int8_t[4]){x, NO_REG, NO_REG, NO_REG});
}

/* Late or not, the comparison raises its flags here. */
static void nzcv_fcmp(struct gen *g, const struct ir_inst *in)
{
    bool late = g->val[g->i].late;
    if (!late)
        ra_take(g, RAX);
    int a = ra_use(g, in->arg[0]), b = ra_use(g, in->arg[1]);
    x86_ucomis(g, in->type == IR_F64, in->ir_sub, a, b);
    if (late)
        return;
    x86_fcmp_to_nzcv(g);
    ra_bind(g, RAX);
}

enum { STMXCSR = 3, LDMXCSR = 2 }; /* of opcode 0F AE */

/*
 * MXCSR has the flags in the same order from bit 0 on, but for its denormal-operand flag, bit 1: IE goes through the
 * carry around it.
 */
static void get_flags(struct gen *g)
{
    struct asmbuf *a = &g->a;
    struct mem m = state_mem(g->l->mxcsr);
    int d = ra_def(g);
    emit_rm(a, OP_0F | 0xae, STMXCSR, m);
    emit_load(a, false, d, m);
    emit_alu_imm(a, ALU_AND, false, d, 0x3d);
    emit_shift_imm(a, SHIFT_SHR, false, d, 1);
    emit_alu_imm(a, ALU_ADC, false, d, 0);
}

static void set_flags(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    struct mem m = state_mem(g->l->mxcsr);
    int v = ra_use(g, in->arg[0]), t = ra_temp(g, false);
    emit_rm(a, OP_0F | 0xae, STMXCSR, m);
    emit_lea(a, false, t, (struct mem){.base = v, .index = v});
    emit_alu_imm(a, ALU_AND, false, t, 0x3c);
    emit_rr(a, OP_0F | 0xba, 4, v); /* BT v, 0 */
    emit8(a, 0);
    emit_alu_imm(a, ALU_ADC, false, t, 0);
    emit_alu_mem_imm(a, ALU_AND, false, m, ~0x3f);
    emit_rm(a, 0x09, t, m); /* OR */
    emit_rm(a, OP_0F | 0xae, LDMXCSR, m);
}

bool isel_fp(struct gen *g, const struct ir_inst *in)
{
    switch (in->op) {
    case IR_FADD: binary(g, in, 0x58); return true;
    case IR_FSUB: binary(g, in, 0x5c); return true;
    case IR_FMUL: binary(g, in, 0x59); return true;
    case IR_FDIV: binary(g, in, 0x5e); return true;
    case IR_FSQRT: unary(g, in, scalar(in->type == IR_F64) | 0x51, in->type == IR_F64); return true;
    case IR_FEXT: unary(g, in, OP_F3 | OP_0F | 0x5a, true); return true;
    case IR_FTRUNC: unary(g, in, OP_F2 | OP_0F | 0x5a, false); return true;
    case IR_FMA:
        if (!x86.fma)
            return false;
        multiply_add(g, in);
        return true;
    case IR_FMIN:
    case IR_FMAX:
    case IR_FMINNUM:
    case IR_FMAXNUM: min_max(g, in); return true;
    case IR_FNEG:
    case IR_FABS:
    case IR_FSGNJ: sign(g, in); return true;
    case IR_FRINT: return round_int(g, in);
    case IR_STOF:
    case IR_UTOF: from_int(g, in); return true;
    case IR_FTOS: return to_signed(g, in);
    case IR_FTOU: return to_unsigned(g, in);
    case IR_BITCAST: bitcast(g, in); return true;
    case IR_NANBOX: {
        int x = ra_use(g, in->arg[0]), d = ra_def_over(g);
        x86_op3_pool(g, PS | 0x56, d, x, UINT64_C(0xffffffff00000000), 0);
        g->val[g->i].raw = g->val[root_of(g, in->arg[0])].raw ? RAW_BOXED : RAW_NOT;
        return true;
    }
    case IR_UNBOX: unbox(g, in); return true;
    case IR_NZCV_FCMP: nzcv_fcmp(g, in); return true;
    case IR_FFLAGS: get_flags(g); return true;
    case IR_FSETFLAGS: set_flags(g, in); return true;
    default: return false;
    }
}
