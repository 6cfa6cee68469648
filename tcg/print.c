/* The text form of the IR, one instruction a line; ir-forms.c says which fields an op shows. */
#include <ctype.h>
#include <inttypes.h>

#include "tcg/ir-forms.h"

static void print_number(FILE *f, uint64_t v)
{
    if ((int64_t)v < 0 && (int64_t)v > -4096)
        fprintf(f, "%" PRId64, (int64_t)v);
    else
        fprintf(f, v < 10 ? "%" PRIu64 : "0x%" PRIx64, v);
}

static void print_address(FILE *f, const struct ir_inst *in)
{
    fprintf(f, "[%%%u", in->arg[0]);
    if (in->arg[1] != IR_NONE)
        fprintf(f, " + %%%u << %u", in->arg[1], in->ir_scale);
    if (in->imm)
        fprintf(f, " %c 0x%" PRIx64, in->imm < 0 ? '-' : '+', in->imm < 0 ? -(uint64_t)in->imm : (uint64_t)in->imm);
    fputc(']', f);
}

static void print_mem(FILE *f, unsigned mem)
{
    fprintf(f, "%c%u%s%s%s%s", mem & MEM_SIGN ? 's' : 'u', 8 << (mem & MEM_SIZE), mem & MEM_BE ? ".be" : "",
            mem & MEM_ACQ ? ".acq" : "", mem & MEM_REL ? ".rel" : "", mem & MEM_ALIGN ? ".align" : "");
}

static const char *rm_name(unsigned rm)
{
    const char *name = ir_rm_names[rm & 7];
    return name ? name : "bad";
}

void ir_print_inst(FILE *f, const struct ir_unit *u, ir_ref r)
{
    const struct ir_inst *in = &u->inst[r];
    const struct ir_form *form = &ir_forms[in->op];
    bool slot_typed = form->syntax[0] == 's'; /* the slot says the type */
    unsigned arg = 0;

    if (in->op != IR_INSN)
        fputs("  ", f);
    if (ir_result_type(in) != IR_VOID)
        fprintf(f, "%%%u = ", r);
    for (const char *s = ir_ops[in->op].name; *s; s++)
        fputc(tolower(*s), f);
    if (form->types && !slot_typed)
        fprintf(f, ".%s", ir_type_names[in->type]);
    if (form->types2)
        fprintf(f, ".%s", ir_type_names[in->type2]);
    if (form->lanes)
        fprintf(f, ".%c", ir_lane_letters[in->ir_lane_ & 3]);

    const char *between = " ";
    for (const char *s = form->syntax; *s; s++) {
        bool optional = *s == 'q' || (*s == 'd' && !in->ir_dead) || (*s == 'j' && in->ir_sub == JUMP_PLAIN);
        if (!optional)
            fputs(between, f);
        between = ", ";
        switch (*s) {
        case '%': fprintf(f, "%%%u", in->arg[arg++]); break;
        case 'A':
            print_address(f, in);
            arg = 2;
            break;
        case 'c':
            fputs(ir_cc_names[in->cc], f);
            between = " ";
            break;
        case 'm':
            print_mem(f, in->mem);
            between = " ";
            break;
        case 's': fputs(u->guest->slots[in->ir_slot_].name, f); break;
        case 'p': fprintf(f, "0x%" PRIx64, (uint64_t)in->imm); break;
        case 'k': print_number(f, in->imm); break;
        case 'K': print_number(f, in->imm2); break;
        case 'u': fprintf(f, "%u", in->ir_sub); break;
        case 'j':
            if (in->ir_sub != JUMP_PLAIN)
                fputs(ir_jump_names[in->ir_sub], f);
            if (in->ir_sub == JUMP_CALL)
                fprintf(f, " 0x%" PRIx64, (uint64_t)in->imm2);
            break;
        case 'd':
            if (in->ir_dead)
                fprintf(f, "dead %s", u->guest->slots[in->ir_dead - 1].name);
            break;
        case 'f': fputs(ir_fence_names[in->ir_sub], f); break;
        case 'r':
            fputs(rm_name(in->ir_rm), f);
            between = " ";
            break;
        case 'R':
            fprintf(f, "%s%s", rm_name(in->imm), in->imm & IR_RM_QUIET ? " quiet" : "");
            between = " ";
            break;
        case 'q':
            if (in->ir_sub)
                fputs(" quiet", f);
            break;
        case 'b':
            if (in->ir_sub)
                fputs(" border", f);
            break;
        case 'C':
            print_number(f, in->imm);
            if (in->type == IR_V128) {
                fputs(", ", f);
                print_number(f, in->imm2);
            }
            break;
        case 'h':
            fputs(in->helper->name, f);
            for (unsigned k = 0; k < ir_nargs(in); k++)
                fprintf(f, "%s%%%u", k ? ", " : " ", in->arg[k]);
            break;
        }
    }
    fputc('\n', f);
}

void ir_print(FILE *f, const struct ir_unit *u)
{
    fprintf(f, "unit 0x%" PRIx64 " flags 0x%x bytes %u insns %u\n", u->pc, u->flags, u->bytes, u->ninsns);
    for (ir_ref r = 1; r < u->n; r++)
        if (u->inst[r].op != IR_NOP)
            ir_print_inst(f, u, r);
}
