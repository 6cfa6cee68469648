/* The translation loop of AArch64 and what all groups share: registers, leaving the unit. See translate.h. */
#include "targets/aarch64/translate.h"

#include "targets/aarch64/a64-decode.h"

/* --- registers --- */

static ir_ref read_slot(DisasContext *s, bool sf, unsigned slot)
{
    ir_ref v = b_get(s->b, slot);
    return sf ? v : b_trunc(s->b, v);
}

ir_ref a64_read(DisasContext *s, bool sf, unsigned r)
{
    return r == 31 ? b_const(s->b, a64_type(sf), 0) : read_slot(s, sf, A64_X0 + r);
}

ir_ref a64_read_sp(DisasContext *s, bool sf, unsigned r)
{
    return read_slot(s, sf, r == 31 ? A64_SP : A64_X0 + r);
}

void a64_write(DisasContext *s, bool sf, unsigned r, ir_ref v)
{
    if (r != 31)
        b_put(s->b, A64_X0 + r, sf ? v : b_zext(s->b, v));
}

void a64_write_sp(DisasContext *s, bool sf, unsigned r, ir_ref v)
{
    b_put(s->b, r == 31 ? A64_SP : A64_X0 + r, sf ? v : b_zext(s->b, v));
}

/* --- leaving --- */

void a64_note_dead_flags(DisasContext *s, uint64_t pc)
{
    if (!s->b->interpreted && (s->flags_put || !s->b->quick) && a64_flags_dead_at(s->code, pc, s->b->quick))
        b_exit_dead(s->b, A64_NZCV);
}

void a64_goto(DisasContext *s, uint64_t pc)
{
    b_goto(s->b, pc);
    a64_note_dead_flags(s, pc);
    s->ended = true;
}

void a64_goto_if(DisasContext *s, struct cond c, uint64_t pc)
{
    b_goto_if(s->b, c.cc, c.type, c.x, c.y, pc);
    a64_note_dead_flags(s, pc);
}

void a64_trap(DisasContext *s, enum cpu_exit reason, uint64_t pc, uint64_t detail)
{
    b_trap(s->b, reason, pc, detail);
    s->ended = true;
}

/* --- the loop --- */

void a64_translate(struct ir_builder *b, const struct code_reader *code, unsigned max_insns)
{
    struct ir_unit *u = b->u;
    DisasContext s = {.b = b, .code = code, .pc = u->pc, .mode = u->flags};
    const uint8_t *p = NULL;
    size_t avail = 0;
    while (!s.ended) {
        bool full = u->ninsns == max_insns;
        if (full || b_ends_here(b, s.pc)) {
            a64_goto(&s, s.pc);
            b_abandon_leaf(b, &s.pc);
            if (full || !b_resumes(b, &s.pc))
                break;
            s.ended = false;
            avail = 0;
            continue;
        }
        if (avail < 4)
            p = code->window(code->opaque, s.pc, &avail);
        bool readable = p && avail >= 4 && !(s.pc & 3);
        if (!readable && u->ninsns) {
            a64_goto(&s, s.pc);
            b_abandon_leaf(b, &s.pc);
            break;
        }
        if (!readable) {
            b_insn(b, s.pc, 0);
            a64_trap(&s, s.pc & 3 ? EXIT_ALIGN : EXIT_FETCH, s.pc, s.pc);
            break;
        }
        uint32_t insn;
        memcpy(&insn, p, 4);
        if (b_insn(b, s.pc, insn)) {
            s.flags = (struct flags){.kind = FLAGS_STATE}; /* whoever jumps here has set them from values of its own */
            a64_note_dead_flags(&s, s.pc);
        }
        if (!decode_a64(&s, insn))
            a64_trap(&s, EXIT_ILLEGAL, s.pc, insn);
        u->ninsns++;
        s.pc += 4;
        p += 4;
        avail -= 4;
        if (s.moved) {
            s.moved = false;
            s.pc = s.next;
            avail = 0;
        }
        if (s.ended)
            b_abandon_leaf(b, &s.pc);
        if (s.ended && b_goes_on(b, &s.pc)) {
            s.ended = false;
            avail = 0;
        }
    }
    uint64_t next;
    if (b_end_loop(b, &next))
        a64_note_dead_flags(&s, next); /* the rest may have read them, too */
    u->bytes = s.pc - u->pc;
    if (!u->bytes)
        u->bytes = 4; /* the unreadable instruction: gone when the page appears */
}
