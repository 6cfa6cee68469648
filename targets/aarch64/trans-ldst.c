/*
 * Loads and stores of general registers, exclusives and atomics: Arm ARM C4.1.94 and the instruction pages of C6.2.
 * Exclusives, atomics and ordered accesses must be aligned, as without FEAT_LSE2 (B2.5.2).
 * A tagged address (top byte ignored) is the fault handler's business, not that of every access.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate.h"

/* Access of 1 << sz bytes, zero-extended to a 64-bit register. */
static ir_ref load_zext(DisasContext *s, unsigned sz, unsigned order, ir_ref base, ir_ref index, unsigned scale,
                        int64_t disp)
{
    return b_load(s->b, IR_I64, sz | order, base, index, scale, disp);
}

static void store(DisasContext *s, unsigned sz, unsigned order, ir_ref base, ir_ref index, unsigned scale, int64_t disp,
                  unsigned rt)
{
    enum ir_type t = a64_type(sz == 3);
    b_store(s->b, t, sz | order, base, index, scale, disp, a64_read(s, sz == 3, rt));
}

/* opc: 0 store, 1 load zero-extended, 2 load sign-extended to X, 3 to W (size 2 and 3 have fewer). */
static bool load_store(DisasContext *s, unsigned sz, unsigned opc, unsigned rt, ir_ref base, ir_ref index,
                       unsigned scale, int64_t disp)
{
    struct ir_builder *b = s->b;
    switch (opc) {
    case 0:
        store(s, sz, 0, base, index, scale, disp, rt);
        break;
    case 1:
        a64_write(s, true, rt, load_zext(s, sz, 0, base, index, scale, disp));
        break;
    case 2:
        a64_write(s, true, rt, b_load(b, IR_I64, sz | MEM_SIGN, base, index, scale, disp));
        break;
    case 3:
        a64_write(s, false, rt, b_load(b, IR_I32, sz | MEM_SIGN, base, index, scale, disp));
        break;
    }
    return true;
}

/* Which sz:opc exist; sz 3 with opc 2 is PRFM. */
static bool valid(unsigned sz, unsigned opc) { return opc < 2 || sz < 2 || (sz == 2 && opc == 2); }
static bool prefetch(unsigned sz, unsigned opc) { return sz == 3 && opc == 2; }

/* Load register (literal) */

bool a64_trans_LDR_lit(DisasContext *s, arg_LDR_lit *a)
{
    ir_ref addr = b_i64(s->b, s->pc + (int64_t)a->imm * 4);
    static const struct {
        uint8_t sz, opc;
    } form[] = {{2, 1}, {3, 1}, {2, 2}};
    if (a->opc == 3) /* PRFM */
        return true;
    return load_store(s, form[a->opc].sz, form[a->opc].opc, a->rt, addr, IR_NONE, 0, 0);
}

/* Load/store pair; w = 2 marks the non-temporal forms (offset, no write back) */

bool a64_trans_LDP_STP(DisasContext *s, arg_LDP_STP *a)
{
    struct ir_builder *b = s->b;
    bool wide = a->opc == 2, sign = a->opc == 1, nontemporal = a->w == 2;
    if (a->opc == 3 || (sign && (!a->l || nontemporal)))
        return false;
    unsigned sz = wide ? 3 : 2;
    int64_t imm = (int64_t)a->imm << sz;
    ir_ref base = a64_read_sp(s, true, a->rn);
    int64_t disp = a->p || nontemporal ? imm : 0;
    if (a->l) {
        unsigned mem = sz | (sign ? MEM_SIGN : 0);
        ir_ref x = b_load(b, IR_I64, mem, base, IR_NONE, 0, disp);
        ir_ref y = b_load(b, IR_I64, mem, base, IR_NONE, 0, disp + (1 << sz));
        a64_write(s, true, a->rt, x);
        a64_write(s, true, a->rt2, y);
    } else {
        store(s, sz, 0, base, IR_NONE, 0, disp, a->rt);
        store(s, sz, 0, base, IR_NONE, 0, disp + (1 << sz), a->rt2);
    }
    if (a->w == 1)
        a64_write_sp(s, true, a->rn, b_addi(b, IR_I64, base, imm));
    return true;
}

/* Load/store register */

bool a64_trans_LDST_imm(DisasContext *s, arg_LDST_imm *a)
{
    bool plain = a->p && !a->w;
    if (plain && prefetch(a->sz, a->opc)) /* PRFUM; the unprivileged row has none, see the table */
        return true;
    if (!valid(a->sz, a->opc))
        return false;
    ir_ref base = a64_read_sp(s, true, a->rn);
    load_store(s, a->sz, a->opc, a->rt, base, IR_NONE, 0, a->p ? a->imm : 0);
    if (a->w)
        a64_write_sp(s, true, a->rn, b_addi(s->b, IR_I64, base, a->imm));
    return true;
}

bool a64_trans_LDST_uimm(DisasContext *s, arg_LDST_uimm *a)
{
    if (prefetch(a->sz, a->opc))
        return true;
    return valid(a->sz, a->opc) &&
           load_store(s, a->sz, a->opc, a->rt, a64_read_sp(s, true, a->rn), IR_NONE, 0, (int64_t)a->imm << a->sz);
}

/* Index register as the option says: UXTW, LSL, SXTW, SXTX. */
ir_ref a64_index(DisasContext *s, unsigned rm, unsigned option)
{
    if (option & 1)
        return a64_read(s, true, rm);
    ir_ref x = a64_read(s, false, rm);
    return option & 4 ? b_sext(s->b, x) : b_zext(s->b, x);
}

bool a64_trans_LDST_reg(DisasContext *s, arg_LDST_reg *a)
{
    if (!(a->option & 2))
        return false;
    if (prefetch(a->sz, a->opc))
        return true;
    return valid(a->sz, a->opc) && load_store(s, a->sz, a->opc, a->rt, a64_read_sp(s, true, a->rn),
                                              a64_index(s, a->rm, a->option), a->s ? a->sz : 0, 0);
}

/* LDRAA, LDRAB: the address is not authenticated (see trans-branch.c). */
bool a64_trans_LDRA(DisasContext *s, arg_LDRA *a)
{
    ir_ref base = a64_read_sp(s, true, a->rn);
    int64_t disp = (int64_t)a->imm * 8;
    a64_write(s, true, a->rt, load_zext(s, 3, 0, base, IR_NONE, 0, disp));
    if (a->w)
        a64_write_sp(s, true, a->rn, b_addi(s->b, IR_I64, base, disp));
    return true;
}

/* Load-acquire, store-release. LDLAR and STLLR (o0 = 0) order no less. */

bool a64_trans_LDAR(DisasContext *s, arg_LDAR *a)
{
    a64_write(s, true, a->rt, load_zext(s, a->sz, MEM_ACQ | MEM_ALIGN, a64_read_sp(s, true, a->rn), IR_NONE, 0, 0));
    return true;
}

bool a64_trans_LDAPR(DisasContext *s, arg_LDAPR *a)
{
    a64_write(s, true, a->rt, load_zext(s, a->sz, MEM_ACQ | MEM_ALIGN, a64_read_sp(s, true, a->rn), IR_NONE, 0, 0));
    return true;
}

bool a64_trans_STLR(DisasContext *s, arg_STLR *a)
{
    store(s, a->sz, MEM_REL | MEM_ALIGN, a64_read_sp(s, true, a->rn), IR_NONE, 0, 0, a->rt);
    return true;
}

/*
 * Load/store exclusive. The monitor remembers address and value; the store is a compare-and-swap with that value, so
 * a store by another thread in between is seen unless it put the same value back, which programs cannot rely on
 * failing (the reservation may be lost, but need not be). No address off its alignment gets into the monitor.
 */

bool a64_trans_LDXR(DisasContext *s, arg_LDXR *a)
{
    struct ir_builder *b = s->b;
    ir_ref addr = a64_read_sp(s, true, a->rn);
    ir_ref v = load_zext(s, a->sz, MEM_ALIGN | (a->o0 ? MEM_ACQ : 0), addr, IR_NONE, 0, 0);
    b_put(b, A64_EXCL_ADDR, addr);
    b_put(b, A64_EXCL_LO, v);
    a64_write(s, true, a->rt, v);
    return true;
}

/* Registers of a pair as one V128, low register first, and back. */
static ir_ref join(DisasContext *s, ir_ref lo, ir_ref hi)
{
    return b_vset(s->b, LANE_D, b_vzext(s->b, IR_I64, lo), 1, hi);
}

bool a64_trans_LDXP(DisasContext *s, arg_LDXP *a)
{
    struct ir_builder *b = s->b;
    ir_ref addr = a64_read_sp(s, true, a->rn), lo, hi;
    unsigned order = MEM_ALIGN | (a->o0 ? MEM_ACQ : 0);
    if (a->s) {
        /* One 16-byte access: compare-and-swap of zero with zero would write, so a plain vector load, which is
           single-copy atomic on processors with AVX. */
        ir_ref v = b_load(b, IR_V128, MEM_128 | order, addr, IR_NONE, 0, 0);
        lo = b_vget(b, IR_I64, LANE_D, v, 0, false);
        hi = b_vget(b, IR_I64, LANE_D, v, 1, false);
    } else {
        ir_ref v = load_zext(s, 3, order, addr, IR_NONE, 0, 0);
        lo = b_ubfx(b, IR_I64, v, 0, 32);
        hi = b_shri(b, IR_I64, v, 32);
    }
    b_put(b, A64_EXCL_ADDR, addr);
    b_put(b, A64_EXCL_LO, lo);
    b_put(b, A64_EXCL_HI, hi);
    a64_write(s, true, a->rt, lo);
    a64_write(s, true, a->rt2, hi);
    return true;
}

/*
 * What the exclusive stores share: without the monitor on this address the status is 1 and the unit is left, so that
 * the swap behind it needs no condition. The status is written early; a swap that faults is executed again from the
 * start, with the monitor open.
 */
static void check_monitor(DisasContext *s, unsigned rs, ir_ref addr)
{
    struct ir_builder *b = s->b;
    ir_ref monitor = b_get(b, A64_EXCL_ADDR);
    b_put(b, A64_EXCL_ADDR, b_i64(b, ~UINT64_C(0)));
    a64_write(s, true, rs, b_i64(b, 1));
    a64_goto_if(s, (struct cond){CC_NE, IR_I64, addr, monitor}, s->pc + 4);
}

static void write_status(DisasContext *s, unsigned rs, enum ir_type t, ir_ref old, ir_ref expected)
{
    a64_write(s, false, rs, b_setcc(s->b, CC_NE, t, old, expected));
}

bool a64_trans_STXR(DisasContext *s, arg_STXR *a)
{
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sz == 3);
    ir_ref addr = a64_read_sp(s, true, a->rn), value = a64_read(s, a->sz == 3, a->rt);
    ir_ref expected = b_get(b, A64_EXCL_LO);
    if (a->sz < 3)
        expected = b_trunc(b, expected);
    check_monitor(s, a->rs, addr);
    write_status(s, a->rs, t, b_cas(b, t, a->sz, addr, expected, value), expected);
    return true;
}

/* Two W registers as one X value. */
static ir_ref pack(DisasContext *s, ir_ref lo, ir_ref hi)
{
    return b_deposit(s->b, IR_I64, lo, 32, 32, hi);
}

static ir_ref differs(DisasContext *s, ir_ref x, ir_ref y)
{
    return b_v1(s->b, IR_VTEST, LANE_D, b_v2(s->b, IR_VXOR, LANE_D, x, y));
}

bool a64_trans_STXP(DisasContext *s, arg_STXP *a)
{
    struct ir_builder *b = s->b;
    ir_ref addr = a64_read_sp(s, true, a->rn);
    ir_ref lo = a64_read(s, true, a->rt), hi = a64_read(s, true, a->rt2);
    ir_ref old_lo = b_get(b, A64_EXCL_LO), old_hi = b_get(b, A64_EXCL_HI);
    check_monitor(s, a->rs, addr);
    if (a->s) {
        ir_ref expected = join(s, old_lo, old_hi);
        ir_ref old = b_cas(b, IR_V128, MEM_128, addr, expected, join(s, lo, hi));
        a64_write(s, false, a->rs, differs(s, old, expected));
    } else {
        ir_ref expected = pack(s, old_lo, old_hi);
        write_status(s, a->rs, IR_I64, b_cas(b, IR_I64, MEM_64, addr, expected, pack(s, lo, hi)), expected);
    }
    return true;
}

/* LSE: compare and swap */

bool a64_trans_CAS(DisasContext *s, arg_CAS *a)
{
    enum ir_type t = a64_type(a->sz == 3);
    bool wide = a->sz == 3;
    ir_ref old = b_cas(s->b, t, a->sz | MEM_ALIGN, a64_read_sp(s, true, a->rn), a64_read(s, wide, a->rs),
                       a64_read(s, wide, a->rt));
    a64_write(s, wide, a->rs, old);
    return true;
}

bool a64_trans_CASP(DisasContext *s, arg_CASP *a)
{
    struct ir_builder *b = s->b;
    if ((a->rs | a->rt) & 1)
        return false;
    ir_ref addr = a64_read_sp(s, true, a->rn);
    ir_ref exp_lo = a64_read(s, true, a->rs), exp_hi = a64_read(s, true, a->rs + 1);
    ir_ref lo = a64_read(s, true, a->rt), hi = a64_read(s, true, a->rt + 1), old_lo, old_hi;
    if (a->s) {
        ir_ref old = b_cas(b, IR_V128, MEM_128, addr, join(s, exp_lo, exp_hi), join(s, lo, hi));
        old_lo = b_vget(b, IR_I64, LANE_D, old, 0, false);
        old_hi = b_vget(b, IR_I64, LANE_D, old, 1, false);
    } else {
        ir_ref old = b_cas(b, IR_I64, MEM_64 | MEM_ALIGN, addr, pack(s, exp_lo, exp_hi), pack(s, lo, hi));
        old_lo = b_ubfx(b, IR_I64, old, 0, 32);
        old_hi = b_shri(b, IR_I64, old, 32);
    }
    a64_write(s, true, a->rs, old_lo);
    a64_write(s, true, a->rs + 1, old_hi);
    return true;
}

/* LSE: atomic memory operations; Rt = 31 discards the old value (the ST… names) */

static bool atomic(DisasContext *s, arg_LDADD *a, enum ir_op op, bool invert, bool sign)
{
    struct ir_builder *b = s->b;
    enum ir_type t = a64_type(a->sz == 3);
    ir_ref v = a64_read(s, a->sz == 3, a->rs);
    if (invert)
        v = b_op1(b, IR_NOT, t, v);
    /* Signed minimum and maximum compare sign-extended values; the register gets the old one zero-extended. */
    ir_ref old = b_atomic(b, op, t, a->sz | MEM_ALIGN | (sign ? MEM_SIGN : 0), a64_read_sp(s, true, a->rn), v);
    if (sign && a->sz < 2)
        old = b_ubfx(b, t, old, 0, 8u << a->sz);
    a64_write(s, a->sz == 3, a->rt, old);
    return true;
}

bool a64_trans_LDADD(DisasContext *s, arg_LDADD *a) { return atomic(s, a, IR_AADD, false, false); }
bool a64_trans_LDCLR(DisasContext *s, arg_LDADD *a) { return atomic(s, a, IR_AAND, true, false); }
bool a64_trans_LDEOR(DisasContext *s, arg_LDADD *a) { return atomic(s, a, IR_AXOR, false, false); }
bool a64_trans_LDSET(DisasContext *s, arg_LDADD *a) { return atomic(s, a, IR_AOR, false, false); }
bool a64_trans_LDSMAX(DisasContext *s, arg_LDADD *a) { return atomic(s, a, IR_ASMAX, false, true); }
bool a64_trans_LDSMIN(DisasContext *s, arg_LDADD *a) { return atomic(s, a, IR_ASMIN, false, true); }
bool a64_trans_LDUMAX(DisasContext *s, arg_LDADD *a) { return atomic(s, a, IR_AUMAX, false, false); }
bool a64_trans_LDUMIN(DisasContext *s, arg_LDADD *a) { return atomic(s, a, IR_AUMIN, false, false); }
bool a64_trans_SWP(DisasContext *s, arg_SWP *a) { return atomic(s, (arg_LDADD *)a, IR_AXCHG, false, false); }
