/* Memory accesses and atomics. x86's order gives acquire and release to plain accesses (Intel SDM vol. 3, 9.2). */
#include "tcg/host/x86_64/gen.h"

/*
 * base + (index << scale) + disp as an operand; what does not fit becomes part of a register: *temp then, else NO_REG.
 */
static struct mem guest_address(struct gen *g, const struct ir_inst *in, int *temp)
{
    struct asmbuf *a = &g->a;
    struct mem m = {.base = NO_REG, .index = NO_REG};
    uint64_t base, index;
    int64_t disp = in->imm;
    bool has_index = in->op == IR_LD || in->op == IR_ST ? in->arg[1] != IR_NONE : false;
    unsigned scale = has_index ? in->ir_scale : 0;
    *temp = NO_REG;
    if (has_index && ra_const(g, in->arg[1], &index)) {
        disp += index << scale;
        has_index = false;
    }
    if (ra_const(g, in->arg[0], &base) && !(in->mem & MEM_ALIGN)) {
        uint64_t whole = base + disp;
        if (!has_index && whole == (uint64_t)(int64_t)(int32_t)whole) {
            m.disp = whole;
            return m;
        }
    }
    m.base = ra_use(g, in->arg[0]);
    if (has_index) {
        m.index = ra_use(g, in->arg[1]);
        m.scale = scale;
    }
    if (disp != (int32_t)disp) {
        int t = ra_temp(g, false);
        emit_const(a, t, disp, true);
        emit_alu(a, ALU_ADD, true, t, m.base);
        m.base = *temp = t;
        disp = 0;
    }
    m.disp = disp;
    return m;
}

/*
 * Guests whose memory is behind a TLB: the place of the entry from the address; reach() compares once for page,
 * permission and "not across the page's end" (struct tlb_entry), and the host's address is then the sum of two
 * registers. A miss goes to C with the operands as they are there, and comes back behind the access. `entry`: a
 * register to use, NO_REG: any.
 */
static struct mem find_entry(struct gen *g, const struct ir_inst *in, int entry)
{
    enum { ENTRY_SHIFT = 5 };
    _Static_assert(sizeof(struct tlb_entry) == 1 << ENTRY_SHIFT, "the mask counts bytes");
    struct asmbuf *a = &g->a;
    uint64_t c;
    for (unsigned k = 0; k < IR_MAX_ARGS; k++) {
        bool used = k < ir_nargs(in) && in->arg[k] != IR_NONE;
        g->miss_src[k] = used && !ra_const(g, in->arg[k], &c) ? ra_use(g, in->arg[k]) : NO_REG;
    }
    int at;
    struct mem m = guest_address(g, in, &at);
    if (at == NO_REG)
        at = ra_temp(g, false);
    if (entry == NO_REG)
        entry = ra_temp(g, false);
    if (m.base == NO_REG && m.index == NO_REG)
        emit_const(a, at, (int64_t)m.disp, true);
    else if (m.index == NO_REG && !m.disp)
        emit_mov(a, true, at, m.base);
    else
        emit_lea(a, true, at, m);
    emit_mov(a, true, entry, at);
    emit_shift_imm(a, SHIFT_SHR, true, entry, TLB_PAGE_SHIFT - ENTRY_SHIFT);
    emit_rm(a, 0x23 | OP_W, entry, state_mem(g->l->tlb_mask));  /* AND */
    emit_rm(a, 0x03 | OP_W, entry, state_mem(g->l->tlb_table)); /* ADD */
    return (struct mem){.base = entry, .index = at};
}

/* The operand; before it is used, reach(). */
static struct mem address(struct gen *g, const struct ir_inst *in)
{
    int temp;
    return g->ctx->tlb ? find_entry(g, in, NO_REG) : guest_address(g, in, &temp);
}

/* For an atomic. Behind a TLB m.base is a register that is free behind reach_atomic(), taken already or NO_REG. */
static struct mem atomic_address(struct gen *g, const struct ir_inst *in, int entry)
{
    int temp;
    return g->ctx->tlb ? find_entry(g, in, entry) : guest_address(g, in, &temp);
}

/*
 * In front of an access at m, not behind a TLB: a misaligned one faults as such. MOVAPS at an address that is off any
 * smaller alignment is off its own, too.
 */
static void check_alignment(struct gen *g, const struct ir_inst *in, struct mem m)
{
    struct asmbuf *a = &g->a;
    unsigned mask = (1u << (in->mem & MEM_SIZE)) - 1;
    if (!(in->mem & MEM_ALIGN) || !mask)
        return;
    emit_rr(a, 0xf6 | OP_BRM, 0, m.base); /* TEST */
    emit8(a, mask);
    emit8(a, 0x70 | X_E); /* JE */
    emit8(a, 0);
    uint8_t *behind = a->p;
    x86_fault_point(g);
    emit_rm(a, OP_0F | 0x28, XSCRATCH, m);
    behind[-1] = a->p - behind;
}

/* Behind a TLB: m becomes the host's address in two registers. `aligned`: what is not goes to C. */
static void compare_entry(struct gen *g, struct mem m, unsigned size, bool is_store, bool aligned)
{
    enum { PAGE = 1 << TLB_PAGE_SHIFT };
    struct asmbuf *a = &g->a;
    unsigned turned = aligned ? size : 0;
    int entry = m.base, at = m.index;
    emit_rm(a, 0x2b | OP_W, at,
            MEM(entry, is_store ? offsetof(struct tlb_entry, store) : offsetof(struct tlb_entry, load)));
    if (turned) /* low bits of a misaligned one make it larger than any in the page */
        emit_shift_imm(a, SHIFT_ROR, true, at, turned);
    emit_alu_imm(a, ALU_CMP, true, at, (PAGE - (1 << size)) >> turned);
    x86_fault_point(g);
    g->miss = emit_jcc_forward(a, X_A);
    if (turned)
        emit_shift_imm(a, SHIFT_ROL, true, at, turned);
    emit_load(a, true, entry, MEM(entry, offsetof(struct tlb_entry, host)));
}

/*
 * The instruction emitted next accesses guest memory at m, which address() gave. Registers have been chosen: what a
 * choice stores away must have been stored on the way over C, too.
 */
static void reach(struct gen *g, const struct ir_inst *in, struct mem m)
{
    if (g->ctx->tlb) {
        compare_entry(g, m, in->mem & MEM_SIZE, in->op == IR_ST, in->mem & MEM_ALIGN);
        return;
    }
    check_alignment(g, in, m);
    x86_fault_point(g);
}

/*
 * The same for an atomic at m, which atomic_address() gave; the result is where it is. Only stores are looked for:
 * nothing can be stored to that cannot be loaded.
 */
static struct mem reach_atomic(struct gen *g, const struct ir_inst *in, struct mem m)
{
    if (g->ctx->tlb) {
        compare_entry(g, m, in->mem & MEM_SIZE, true, true);
        emit_alu(&g->a, ALU_ADD, true, m.index, m.base);
        return MEM(m.index, 0);
    }
    check_alignment(g, in, m);
    x86_fault_point(g);
    return m;
}

static void swap_bytes(struct gen *g, int r, unsigned size)
{
    if (size == 1) {
        emit8(&g->a, 0x66);
        emit_shift_imm(&g->a, SHIFT_ROL, false, r, 8);
    } else if (size >= 2) {
        emit_opcode(&g->a, OP_0F | 0xc8 | (r & 7) | op_w(size == 3), 0, 0, r);
    }
}

static void load_int(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    unsigned size = in->mem & MEM_SIZE;
    bool sign = in->mem & MEM_SIGN, wide = in->type == IR_I64, be = (in->mem & MEM_BE) && size;
    struct mem m = address(g, in);
    int d = ra_def_over(g);
    reach(g, in, m);
    if (be) {
        emit_rm(a, size == 1 ? OP_0F | 0xb7 : 0x8b | op_w(size == 3), d, m);
        swap_bytes(g, d, size);
        if (size == 1)
            emit_rr(a, OP_0F | (sign ? 0xbf : 0xb7) | op_w(sign && wide), d, d);
        else if (size == 2 && sign && wide)
            emit_rr(a, 0x63 | OP_W, d, d);
        return;
    }
    switch (size) {
    case 0: emit_rm(a, OP_0F | (sign ? 0xbe : 0xb6) | op_w(sign && wide), d, m); break;
    case 1: emit_rm(a, OP_0F | (sign ? 0xbf : 0xb7) | op_w(sign && wide), d, m); break;
    case 2: emit_rm(a, sign && wide ? 0x63 | OP_W : 0x8b, d, m); break;
    default: emit_rm(a, 0x8b | op_w(wide), d, m); break;
    }
}

/* XMM15 or another register with its 16 bytes in the other order. */
static void swap_vector(struct gen *g, int x)
{
    x86_op3_pool(g, OP_66 | OP_38 | 0x00, x, x, UINT64_C(0x08090a0b0c0d0e0f), UINT64_C(0x0001020304050607)); /* PSHUFB */
}

/* Sizes without a load instruction of their own, and other byte orders, come through a general register. */
static void load_vec(struct gen *g, const struct ir_inst *in)
{
    static const unsigned op[] = {0, 0, OP_F3 | OP_0F | 0x10, OP_F2 | OP_0F | 0x10, OP_0F | 0x10};
    struct asmbuf *a = &g->a;
    unsigned size = in->mem & MEM_SIZE;
    bool be = in->mem & MEM_BE;
    struct mem m = address(g, in);
    if (size >= 2 && (!be || size == 4)) {
        int d = ra_def_over(g);
        reach(g, in, m);
        emit_rm(a, op[size], d - XMM0, m); /* MOVSS, MOVSD, MOVUPS */
        if (be)
            swap_vector(g, d);
        return;
    }
    int t = ra_temp(g, false), d = ra_def(g);
    reach(g, in, m);
    emit_rm(a, size == 0 ? OP_0F | 0xb6 : size == 1 ? OP_0F | 0xb7 : 0x8b | op_w(size == 3), t, m);
    if (be)
        swap_bytes(g, t, size);
    emit_rr(a, OP_66 | OP_0F | 0x6e | op_w(size == 3), d - XMM0, t); /* MOVD, MOVQ */
}

static void store_vec(struct gen *g, const struct ir_inst *in, struct mem m)
{
    static const unsigned op[] = {0, 0, OP_F3 | OP_0F | 0x11, OP_F2 | OP_0F | 0x11, OP_0F | 0x11};
    struct asmbuf *a = &g->a;
    unsigned size = in->mem & MEM_SIZE;
    bool be = in->mem & MEM_BE;
    int x = ra_use(g, in->arg[2]);
    if (size >= 2 && (!be || size == 4)) {
        if (be) {
            x86_move(g, XMM0 + XSCRATCH, x);
            swap_vector(g, XMM0 + XSCRATCH);
            x = XMM0 + XSCRATCH;
        }
        reach(g, in, m);
        emit_rm(a, op[size], x - XMM0, m);
        return;
    }
    int t = ra_temp(g, false);
    emit_rr(a, OP_66 | OP_0F | 0x7e | op_w(size == 3), x - XMM0, t);
    if (be)
        swap_bytes(g, t, size);
    reach(g, in, m);
    emit_rm(a, size == 0 ? 0x88 | OP_B : size == 1 ? OP_66 | 0x89 : 0x89 | op_w(size == 3), t, m);
}

/* A store that later loads must not pass: Arm's STLR is seen by every later LDAR. */
static void full_fence(struct gen *g)
{
    emit8(&g->a, 0xf0);
    emit_alu_mem_imm(&g->a, ALU_OR, false, MEM(RSP, 0), 0);
}

static void store(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    unsigned size = in->mem & MEM_SIZE;
    ir_ref v = in->arg[2];
    unsigned type = g->val[root_of(g, v)].type;
    uint64_t c;
    struct mem m = address(g, in);
    if (in_xmm(type)) {
        store_vec(g, in, m);
    } else if (ra_const(g, v, &c) && (!(in->mem & MEM_BE) || !size) &&
               (size < 3 || c == (uint64_t)(int64_t)(int32_t)c)) {
        reach(g, in, m);
        if (size == 1)
            emit_rm(a, OP_66 | 0xc7, 0, m);
        else
            emit_rm(a, (size ? 0xc7 : 0xc6) | op_w(size == 3), 0, m);
        if (size == 0) {
            emit8(a, c);
        } else if (size == 1) {
            emit8(a, c);
            emit8(a, c >> 8);
        } else {
            emit32(a, c);
        }
    } else {
        int x = ra_use(g, v);
        if ((in->mem & MEM_BE) && size) {
            int t = ra_temp(g, false);
            emit_mov(a, true, t, x);
            swap_bytes(g, t, size);
            x = t;
        }
        reach(g, in, m);
        switch (size) {
        case 0: emit_rm(a, 0x88 | OP_B, x, m); break;
        case 1: emit_rm(a, OP_66 | 0x89, x, m); break;
        default: emit_rm(a, 0x89 | op_w(size == 3), x, m); break;
        }
    }
    if (in->mem & MEM_REL)
        full_fence(g);
}

/* --- atomics; results are old values, extended as `mem` says --- */

static void extend(struct gen *g, const struct ir_inst *in, int d)
{
    unsigned size = in->mem & MEM_SIZE;
    bool sign = in->mem & MEM_SIGN, wide = in->type == IR_I64;
    if (size == 0)
        emit_rr(&g->a, OP_0F | OP_BRM | (sign ? 0xbe : 0xb6) | op_w(sign && wide), d, d);
    else if (size == 1)
        emit_rr(&g->a, OP_0F | (sign ? 0xbf : 0xb7) | op_w(sign && wide), d, d);
    else if (size == 2 && sign && wide)
        emit_rr(&g->a, 0x63 | OP_W, d, d);
    else if (size == 2)
        emit_mov(&g->a, false, d, d);
}

/* Opcode of an instruction with byte form op - 1, for the size. */
static unsigned sized(unsigned op, unsigned size)
{
    return size == 0 ? (op - 1) | OP_B : size == 1 ? OP_66 | op : op | op_w(size == 3);
}

static void exchange(struct gen *g, const struct ir_inst *in)
{
    unsigned size = in->mem & MEM_SIZE;
    bool add = in->op == IR_AADD;
    struct mem m = atomic_address(g, in, NO_REG);
    ra_use(g, in->arg[1]);
    int t = g->ctx->tlb ? m.base : ra_temp(g, false); /* the operand is kept: a fault must not find it changed */
    if (g->ctx->tlb)
        m = reach_atomic(g, in, m);
    ra_copy_to(g, in->arg[1], t);
    if (in->mem & MEM_BE)
        swap_bytes(g, t, size);
    if (!g->ctx->tlb)
        m = reach_atomic(g, in, m);
    if (add)
        emit8(&g->a, 0xf0);
    emit_rm(&g->a, add ? OP_0F | sized(0xc1, size) : sized(0x87, size), t, m); /* XADD, XCHG */
    if (in->mem & MEM_BE)
        swap_bytes(g, t, size);
    extend(g, in, t);
    ra_bind(g, t);
}

static void compare_and_swap(struct gen *g, const struct ir_inst *in)
{
    unsigned size = in->mem & MEM_SIZE;
    ra_take(g, RAX);
    struct mem m = atomic_address(g, in, RAX);
    int new = ra_use(g, in->arg[2]);
    if (g->ctx->tlb)
        m = reach_atomic(g, in, m);
    ra_copy_to(g, in->arg[1], RAX);
    if (in->mem & MEM_BE) {
        int t = ra_temp(g, false);
        emit_mov(&g->a, true, t, new);
        swap_bytes(g, t, size);
        swap_bytes(g, RAX, size);
        new = t;
    }
    if (!g->ctx->tlb)
        m = reach_atomic(g, in, m);
    emit8(&g->a, 0xf0);
    emit_rm(&g->a, OP_0F | sized(0xb1, size), new, m); /* CMPXCHG */
    if (in->mem & MEM_BE)
        swap_bytes(g, RAX, size);
    extend(g, in, RAX);
    ra_bind(g, RAX);
}

/* RAX = old; T = new from it and the operand; CMPXCHG until it holds. */
static void read_modify_write(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    unsigned size = in->mem & MEM_SIZE, bits = 8 << size;
    bool w = size == 3, be = (in->mem & MEM_BE) && size;
    ra_take(g, RAX);
    struct mem m = atomic_address(g, in, NO_REG);
    int y = ra_use(g, in->arg[1]), t = g->ctx->tlb ? m.base : ra_temp(g, false), old = be ? ra_temp(g, false) : RAX;
    m = reach_atomic(g, in, m);
    emit_rm(a, size == 0 ? OP_0F | 0xb6 : size == 1 ? OP_0F | 0xb7 : 0x8b | op_w(w), RAX, m);
    uint8_t *again = a->p;
    if (be) {
        emit_mov(a, true, old, RAX);
        swap_bytes(g, old, size);
    }
    emit_mov(a, true, t, y);
    switch (in->op) {
    case IR_AADD: emit_alu(a, ALU_ADD, true, t, old); break;
    case IR_AAND: emit_alu(a, ALU_AND, true, t, old); break;
    case IR_AOR: emit_alu(a, ALU_OR, true, t, old); break;
    case IR_AXOR: emit_alu(a, ALU_XOR, true, t, old); break;
    default: {
        /* Operands moved to the top of 32 or 64 bits, where comparing them is comparing the narrow ones. */
        bool is_min = in->op == IR_ASMIN || in->op == IR_AUMIN, is_signed = in->op == IR_ASMIN || in->op == IR_ASMAX;
        enum x86_cc keep = is_min ? (is_signed ? X_L : X_B) : (is_signed ? X_G : X_A);
        if (bits < 32 && be) { /* no register is left for a second copy */
            emit_shift_imm(a, SHIFT_SHL, false, old, 32 - bits);
            emit_shift_imm(a, SHIFT_SHL, false, t, 32 - bits);
            emit_alu(a, ALU_CMP, false, old, t);
            emit_mov(a, true, t, y);
            uint8_t *new = emit_jcc_forward(a, keep ^ 1);
            emit_mov(a, false, t, old);
            emit_shift_imm(a, SHIFT_SHR, false, t, 32 - bits);
            patch_here(a, new);
            break;
        }
        if (bits < 32) {
            int u = ra_temp(g, false);
            emit_mov(a, false, u, old);
            emit_shift_imm(a, SHIFT_SHL, false, u, 32 - bits);
            emit_shift_imm(a, SHIFT_SHL, false, t, 32 - bits);
            emit_alu(a, ALU_CMP, false, u, t);
            emit_mov(a, true, t, y);
        } else {
            emit_alu(a, ALU_CMP, w, old, t);
        }
        emit_rr(a, OP_0F | (0x40 + keep) | OP_W, t, old);
    }
    }
    if (be)
        swap_bytes(g, t, size);
    if (!g->ctx->tlb)
        x86_fault_point(g);
    emit8(a, 0xf0);
    emit_rm(a, OP_0F | sized(0xb1, size), t, m);
    emit_jcc(a, X_NE, a->exec + (again - a->start));
    if (be)
        swap_bytes(g, RAX, size);
    extend(g, in, RAX);
    ra_bind(g, RAX);
}

/* The halves of an operand of CAS or AXCHG; XMM15 changes. low NO_REG: only the high one. */
static void halves(struct gen *g, const struct ir_inst *in, int x, int low, int high)
{
    struct asmbuf *a = &g->a;
    if (in->mem & MEM_BE) {
        x86_move(g, XMM0 + XSCRATCH, x);
        swap_vector(g, XMM0 + XSCRATCH);
        x = XMM0 + XSCRATCH;
    }
    if (low != NO_REG)
        emit_rr(a, OP_66 | OP_0F | 0x7e | OP_W, x - XMM0, low); /* MOVQ */
    if (high != NO_REG) {
        emit_rr(a, OP_66 | OP_3A | 0x16 | OP_W, x - XMM0, high); /* PEXTRQ */
        emit8(a, 1);
    }
}

/* CMPXCHG16B: RDX:RAX, RCX:RBX; RBX is a pin, kept in RSI meanwhile. AXCHG expects what it has just read. */
static void exchange_16(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    bool cas = in->op == IR_CAS;
    static const int8_t fixed[] = {RAX, RDX, RCX, RSI};
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
        ra_take(g, fixed[i]);
    int base = ra_use(g, in->arg[0]), new = ra_use(g, in->arg[cas ? 2 : 1]);
    if (base == RBX) {
        base = ra_temp(g, false);
        emit_mov(a, true, base, RBX);
    }
    /* Is the memory there, aligned and writable? A fault must find RBX in its place. */
    x86_fault_point(g);
    emit_rm(a, OP_0F | 0x28, XSCRATCH, MEM(base, 0)); /* MOVAPS */
    x86_fault_point(g);
    emit8(a, 0xf0);
    emit_alu_mem_imm(a, ALU_OR, false, MEM(base, 0), 0);
    if (cas) {
        halves(g, in, ra_use(g, in->arg[1]), RAX, RDX);
    } else {
        emit_load(a, true, RAX, MEM(base, 0));
        emit_load(a, true, RDX, MEM(base, 8));
    }
    halves(g, in, new, NO_REG, RCX);
    emit_mov(a, true, RSI, RBX);
    halves(g, in, new, RBX, NO_REG);
    uint8_t *again = a->p;
    g->rbx_in = RSI;
    x86_fault_point(g); /* after all that: another thread may unmap the page */
    g->rbx_in = RBX;
    emit8(a, 0xf0);
    emit_rm(a, OP_0F | 0xc7 | OP_W, 1, MEM(base, 0));
    if (!cas)
        emit_jcc(a, X_NE, a->exec + (again - a->start));
    emit_mov(a, true, RBX, RSI);
    int d = ra_def_over(g);
    emit_rr(a, OP_66 | OP_0F | 0x6e | OP_W, d - XMM0, RAX);
    emit_rr(a, OP_66 | OP_3A | 0x22 | OP_W, d - XMM0, RDX); /* PINSRQ */
    emit8(a, 1);
    if (in->mem & MEM_BE)
        swap_vector(g, d);
}

static bool access(struct gen *g, const struct ir_inst *in)
{
    switch (in->op) {
    case IR_LD:
        if (in_xmm(in->type))
            load_vec(g, in);
        else
            load_int(g, in);
        return true;
    case IR_ST: store(g, in); return true;
    case IR_FENCE:
        if (in->ir_sub == IR_FENCE_FULL)
            full_fence(g);
        return true;
    case IR_CAS:
        if (in->type == IR_V128)
            exchange_16(g, in);
        else
            compare_and_swap(g, in);
        return true;
    case IR_AXCHG:
    case IR_AADD:
        if (in->type == IR_V128)
            exchange_16(g, in);
        else if (in->op == IR_AADD && in->mem & MEM_BE)
            read_modify_write(g, in);
        else
            exchange(g, in);
        return true;
    case IR_AAND:
    case IR_AXOR:
    case IR_AOR:
    case IR_ASMIN:
    case IR_ASMAX:
    case IR_AUMIN:
    case IR_AUMAX: read_modify_write(g, in); return true;
    default: return false;
    }
}

/* Behind a TLB: are there not registers enough? */
static bool needs_c(const struct ir_inst *in)
{
    bool is_atomic = ir_props(in) & IR_P_BARRIER && ir_props(in) & IR_P_STORE;
    bool swapped = (in->op == IR_LD || in->op == IR_ST || is_atomic) && in->mem & MEM_BE;
    return swapped || (is_atomic && (in->type == IR_V128 || (in->mem & MEM_SIZE) < 2));
}

bool isel_mem(struct gen *g, const struct ir_inst *in)
{
    if (g->ctx->tlb && needs_c(in)) {
        isel_slow(g, in);
        return true;
    }
    g->miss = NULL;
    if (!access(g, in))
        return false;
    if (g->miss)
        x86_slow_stub(g, g->miss, ir_result_type(in) == IR_VOID ? NO_REG : g->val[root_of(g, g->i)].reg, g->miss_src);
    return true;
}
