/* The translation loop of RISC-V and what all groups share: registers, leaving the unit. See translate.h. */
#include "targets/riscv/translate.h"

#include "targets/riscv/rvc-decode.h"

/* --- registers --- */

ir_ref rv_read(DisasContext *s, unsigned r)
{
    return r ? b_get(s->b, RV_X1 + r - 1) : b_i64(s->b, 0);
}

ir_ref rv_read_w(DisasContext *s, unsigned r)
{
    return b_trunc(s->b, rv_read(s, r));
}

void rv_write(DisasContext *s, unsigned r, ir_ref v)
{
    if (r)
        b_put(s->b, RV_X1 + r - 1, v);
}

void rv_write_w(DisasContext *s, unsigned r, ir_ref v)
{
    rv_write(s, r, b_sext(s->b, v));
}

/* --- leaving --- */

void rv_goto(DisasContext *s, uint64_t pc)
{
    b_goto(s->b, pc);
    s->ended = true;
}

void rv_trap(DisasContext *s, enum cpu_exit reason, uint64_t pc, uint64_t detail)
{
    b_trap(s->b, reason, pc, detail);
    s->ended = true;
}

/* Stands before the Zcb patterns in the table: taken, as an undefined instruction, if the hart has none of them. */
bool rvc_trans_C_ZCB(DisasContext *s, arg_C_ZCB *a)
{
    if (!HAS(zcb))
        rv_trap(s, EXIT_ILLEGAL, s->pc, 0);
    return s->ended;
}

/* --- the loop --- */

/* A parcel of 16 bits at pc, read through *p and *avail, which are what is left of a window; false: unreadable. */
static bool fetch(const struct code_reader *code, uint64_t pc, const uint8_t **p, size_t *avail, uint16_t *parcel)
{
    if (*avail < 2)
        *p = code->window(code->opaque, pc, avail);
    if (!*p || *avail < 2)
        return false;
    memcpy(parcel, *p, 2);
    *p += 2;
    *avail -= 2;
    return true;
}

uint32_t rv_peek(DisasContext *s, uint64_t pc)
{
    const uint8_t *p = NULL;
    size_t avail = 0;
    uint16_t low, high;
    if (!fetch(s->code, pc, &p, &avail, &low) || (low & 3) != 3 || !fetch(s->code, pc + 2, &p, &avail, &high))
        return 0;
    return low | (uint32_t)high << 16;
}

uint32_t rv_leaf_bytes(const struct code_reader *code, uint64_t pc)
{
    /* By opcode[6:2]: loads, stores, arithmetic. */
    enum {
        PLAIN = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 14 | 0x1f << 16
    };
    const uint8_t *p = NULL;
    size_t avail = 0;
    uint16_t low, high;
    for (uint32_t n = 0; n < LEAF_BYTES;) {
        if (!fetch(code, pc + n, &p, &avail, &low))
            return 0;
        if (low == 0x8082) /* C.JR ra */
            return n + 2;
        unsigned quadrant = low & 3, funct3 = low >> 13, rd = low >> 7 & 31;
        if (quadrant == 1 && funct3 >= 5) /* C.J, C.BEQZ, C.BNEZ */
            return 0;
        if (quadrant == 2 && funct3 == 4 && !(low >> 2 & 31)) /* C.JR, C.JALR, C.EBREAK */
            return 0;
        if (quadrant != 0 && rd == 1)
            return 0;
        n += 2;
        if (quadrant != 3)
            continue;
        if (!fetch(code, pc + n, &p, &avail, &high))
            return 0;
        n += 2;
        if (low == 0x8067 && high == 0) /* JALR zero, 0(ra) */
            return n;
        if (!(PLAIN >> (low >> 2 & 31) & 1))
            return 0;
    }
    return 0;
}

static bool decode(DisasContext *s, bool wide)
{
    if (!wide)
        return s->extensions >> RV_EXT_c & 1 && decode_rvc(s, (uint16_t)s->insn);
    return decode_rv(s, s->insn) || (s->privileged && s->privileged->decode(s, s->insn));
}

void rv_translate(struct ir_builder *b, const struct code_reader *code, unsigned max_insns)
{
    rv_translate_all(b, code, max_insns, rv_extensions_on, NULL);
}

void rv_translate_all(struct ir_builder *b, const struct code_reader *code, unsigned max_insns, uint64_t extensions,
                      const struct rv_privileged *privileged)
{
    struct ir_unit *u = b->u;
    DisasContext s = {
        .b = b, .privileged = privileged, .code = code, .pc = u->pc, .mode = u->flags, .extensions = extensions};
    const uint8_t *p = NULL;
    size_t avail = 0;
    while (!s.ended) {
        uint16_t low = 0, high = 0;
        bool have_low = fetch(code, s.pc, &p, &avail, &low), wide = have_low && (low & 3) == 3;
        bool readable = have_low && (!wide || fetch(code, s.pc + 2, &p, &avail, &high));
        bool full = u->ninsns == max_insns || !readable;
        if (u->ninsns && (full || b_ends_here(b, s.pc))) {
            rv_goto(&s, s.pc);
            b_abandon_leaf(b, &s.pc);
            if (full || !b_resumes(b, &s.pc))
                break;
            s.ended = false;
            avail = 0;
            continue;
        }
        s.next = s.pc + (wide ? 4 : 2);
        s.room = b->counted || b_breaks_at(b, s.next) || b_breaks_at(b, s.next + 4) ? 0 : max_insns - u->ninsns - 1;
        s.fused = 0;
        s.insn = low | (uint32_t)high << 16;
        b_insn(b, s.pc, s.insn);
        if (!readable)
            rv_trap(&s, EXIT_FETCH, s.pc, s.pc + (have_low ? 2 : 0));
        else if (!decode(&s, wide))
            rv_trap(&s, EXIT_ILLEGAL, s.pc, s.insn);
        u->ninsns += readable + s.fused;
        if (s.fused || s.moved)
            avail = 0;
        s.moved = false;
        s.pc = s.next;
        if (s.ended)
            b_abandon_leaf(b, &s.pc);
        if (s.ended && b_goes_on(b, &s.pc)) {
            s.ended = false;
            avail = 0;
        }
    }
    uint64_t next;
    b_end_loop(b, &next);
    u->bytes = s.pc - u->pc;
}
