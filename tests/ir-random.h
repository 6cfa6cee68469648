/*
 * Random numbers with the values that rules ask about, and random instructions of each op for the tests of the IR and
 * of back ends. The file that includes it says which slots there are.
 */
#ifndef TESTS_IR_RANDOM_H
#define TESTS_IR_RANDOM_H

#include "tcg/ir-forms.h"

/* A slot of the type; 1 + a slot that is dead at an exit, or 0. */
static unsigned random_slot(enum ir_type t);
static unsigned random_dead(void);

static uint64_t rng_state;

static uint64_t rnd(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * UINT64_C(0x2545f4914f6cdd1d);
}

static unsigned below(unsigned n) { return rnd() % n; }

/* Numbers that rules ask about are frequent. */
static uint64_t rnd_bits(void)
{
    switch (below(8)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return ~UINT64_C(0);
    case 3: return below(64);
    case 4: return UINT64_C(1) << below(64);
    case 5: return ~UINT64_C(0) >> below(64);
    case 6: return (int64_t)rnd() >> below(64);
    default: return rnd();
    }
}

/* Factors and dividends of results around the smallest normal numbers. */
static uint64_t rnd_small_float(bool wide)
{
    uint64_t r = rnd();
    return wide ? deposit64(r, 52, 11, 490 + below(45)) : (uint32_t)deposit64(r, 23, 8, 50 + below(28));
}

/* Floats of both sizes: special exponents are frequent. */
static uint64_t rnd_float(bool wide)
{
    if (!below(6))
        return rnd_small_float(wide);
    uint64_t r = below(3) ? rnd() : rnd_bits();
    if (!below(3))
        r = wide ? deposit64(r, 52, 11, below(2) ? 0x7ff : 0) : deposit64(r, 23, 8, below(2) ? 0xff : 0);
    else if (below(2))
        r = wide ? deposit64(r, 52, 11, 1023 + below(20)) : deposit64(r, 23, 8, 127 + below(20));
    return wide ? r : (uint32_t)r;
}

static unsigned member(unsigned set)
{
    unsigned i;
    do
        i = below(8);
    while (!(set >> i & 1));
    return i;
}

/* Fields of a random instruction of the op but for arguments and helper. */
static struct ir_inst random_fields(enum ir_op op)
{
    const struct ir_form *form = &ir_forms[op];
    struct ir_inst in = {.op = op};
    if (form->types)
        in.type = member(form->types);
    if (form->types2)
        in.type2 = member(form->types2);
    if (form->lanes)
        in.ir_lane_ = member(form->lanes);
    unsigned t = in.type == IR_I64 ? 64 : 32, lane_bits = 8 << in.ir_lane_, lanes = 128 / lane_bits;
    static const uint8_t rms[] = {0, 1, 2, 3, 4, 7};
    for (const char *s = form->syntax; *s; s++)
        switch (*s) {
        case 'c': in.cc = 1 << in.type2 & TYPES_FLOAT ? CC_FOEQ + below(CC_COUNT - CC_FOEQ) : below(CC_FOEQ); break;
        case 'm':
            in.mem = in.type == IR_I32    ? below(3)
                     : in.type == IR_I64  ? below(4)
                     : in.type == IR_F32  ? MEM_U32
                     : in.type == IR_F64  ? MEM_64
                                          : MEM_128;
            in.mem |= below(2) ? MEM_BE : 0;
            in.mem |= 1 << in.type & TYPES_INT && below(2) ? MEM_SIGN : 0;
            if (op == IR_LD || op == IR_ST)
                in.mem |= below(4) ? 0 : op == IR_LD ? MEM_ACQ : MEM_REL;
            else
                in.mem |= below(4) ? 0 : MEM_ALIGN;
            break;
        case 's':
            in.ir_slot_ = random_slot(in.type);
            break;
        case 'p': in.imm = rnd() >> 16; break;
        case 'u': in.ir_sub = below(2); break;
        case 'f': in.ir_sub = below(3); break;
        case 'q': in.ir_sub = below(2); break;
        case 'r': in.ir_rm = rms[below(6)]; break;
        case 'R': in.imm = rms[below(6)] | (op == IR_VFRINT && below(2) ? IR_RM_QUIET : 0); break;
        case 'd': in.ir_dead = random_dead(); break;
        case 'j':
            in.ir_sub = below(op == IR_GOTO ? 2 : 3);
            in.imm2 = in.ir_sub == JUMP_CALL ? rnd() >> 16 : 0;
            break;
        case 'C':
            in.imm = 1 << in.type & TYPES_FLOAT ? rnd_float(in.type == IR_F64) : rnd_bits();
            if (in.type == IR_I32)
                in.imm = (uint32_t)in.imm;
            in.imm2 = in.type == IR_V128 ? rnd_bits() : 0;
            break;
        }
    switch (op) {
    case IR_INSN:
    case IR_TRAP: in.imm2 = rnd_bits(); break;
    case IR_EXTR: in.imm = 1 + below(t - 1); break;
    case IR_UBFX:
    case IR_SBFX:
    case IR_DEPOSIT:
        in.imm = below(2) ? 0 : below(t);
        in.imm2 = below(3) ? 1 + below(t - in.imm) : t - in.imm;
        break;
    case IR_VDUP: in.type2 = in.ir_lane_ == LANE_D ? IR_I64 : in.type2; break;
    case IR_VGET:
    case IR_VSET:
        if (in.ir_lane_ == LANE_D)
            *(op == IR_VGET ? &in.type : &in.type2) = IR_I64; /* fall through */
    case IR_VDUPL:
    case IR_VSETL:
        in.imm = below(lanes);
        in.imm2 = op == IR_VSETL ? below(lanes) : 0;
        break;
    case IR_VEXT: in.imm = below(17); break;
    case IR_VREV: in.imm = lane_bits / 8 << (1 + below(16 / lanes == 1 ? 4 : 16 / lanes == 2 ? 3 : 2)); break;
    case IR_VSHLI: in.imm = below(lane_bits); break;
    case IR_VUSHRI:
    case IR_VSSHRI: in.imm = below(lane_bits + 1); break;
    case IR_BITCAST: in.type2 = in.type + (1 << in.type & TYPES_INT ? 2 : -2); break;
    default: break;
    }
    if (!form->types)
        in.type = op == IR_CALL ? IR_VOID : ir_result_type(&in);
    return in;
}

#endif
