/*
 * What the trans-<group>.c files of this guest share: the translation context, register access with the manual's
 * meaning of register 31, and condition flags evaluated only where they are read.
 */
#ifndef TARGETS_AARCH64_TRANSLATE_H
#define TARGETS_AARCH64_TRANSLATE_H

#include "exec/target.h"
#include "targets/aarch64/cpu.h"

/* What NZCV was last set from in this unit. */
enum flags_kind {
    FLAGS_STATE, /* unknown: read the slot */
    FLAGS_SUB,   /* a - b */
    FLAGS_ADD,   /* a + b = r */
    FLAGS_ADC,   /* a + b + carry = r, which carried out `out` */
    FLAGS_LOGIC, /* N and Z of r, C = V = 0 */
    FLAGS_FCMP,  /* float comparison of a and b */
    FLAGS_CCMP,  /* chosen ? flags of kind `inner` : constant */
};

struct flags {
    enum flags_kind kind;
    enum ir_type type;
    bool signalling; /* FLAGS_FCMP: FCMPE */
    ir_ref a, b, r;
    ir_ref carry, out; /* FLAGS_ADC: I32, 0 or 1 */
    /* FLAGS_CCMP: `chosen` says whether the comparison (kind `inner`) counts; else the flags are `otherwise` */
    enum flags_kind inner;
    ir_ref chosen; /* I32, 0 or 1 */
    uint8_t otherwise;
};

typedef struct DisasContext {
    struct ir_builder *b;
    const struct code_reader *code;
    uint64_t pc;   /* of the instruction being translated */
    uint32_t mode; /* A64_MODE_… */
    bool ended;    /* a terminator was built */
    bool moved;    /* the next instruction is at `next`, not behind this one */
    uint64_t next;
    bool flags_put; /* NZCV was written in this unit */
    struct flags flags;
} DisasContext;

/* A comparison that holds when an Arm condition holds. */
struct cond {
    enum ir_cc cc;
    enum ir_type type;
    ir_ref x, y;
};

/* --- registers: 31 is ZR in x/w forms, SP in sp forms --- */
/* The low 32 (sf = 0) or all 64 bits, as I32 or I64. */
ir_ref a64_read(DisasContext *s, bool sf, unsigned r);
ir_ref a64_read_sp(DisasContext *s, bool sf, unsigned r);
/* An I32 value (sf = 0) is zero-extended. */
void a64_write(DisasContext *s, bool sf, unsigned r, ir_ref v);
void a64_write_sp(DisasContext *s, bool sf, unsigned r, ir_ref v);
static inline enum ir_type a64_type(bool sf) { return sf ? IR_I64 : IR_I32; }

static inline ir_ref a64_read_v(DisasContext *s, unsigned r) { return b_get(s->b, A64_V0 + r); }
static inline void a64_write_v(DisasContext *s, unsigned r, ir_ref v) { b_put(s->b, A64_V0 + r, v); }

/* --- operands shared by groups --- */
/* ExtendReg: option UXTB … SXTX, then a left shift. */
ir_ref a64_extended(DisasContext *s, bool sf, unsigned rm, unsigned option, unsigned shift);
/* Index register of a load/store (register offset): UXTW, LSL, SXTW, SXTX. */
ir_ref a64_index(DisasContext *s, unsigned rm, unsigned option);
/* Memory of 1 << size bytes (size 0 to 4) as a vector register's content, zeros above; and its low bytes to memory. */
ir_ref a64_load_v(DisasContext *s, unsigned size, ir_ref base, ir_ref index, unsigned scale, int64_t disp);
void a64_store_v(DisasContext *s, unsigned size, ir_ref base, ir_ref index, unsigned scale, int64_t disp, ir_ref v);

/* --- flags (flags.c) --- */
void a64_set_flags_sub(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b);
void a64_set_flags_add(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b, ir_ref r);
void a64_set_flags_logic(DisasContext *s, enum ir_type t, ir_ref r);
void a64_set_flags_adc(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b, ir_ref carry, ir_ref r);
void a64_set_flags_fcmp(DisasContext *s, enum ir_type t, ir_ref a, ir_ref b, bool signalling);
/* if cond then flags of a - b (add: a + b) else nzcv */
void a64_set_flags_ccmp(DisasContext *s, unsigned cond, enum ir_type t, ir_ref a, ir_ref b, bool add, unsigned nzcv);
/* The same for FCCMP. */
void a64_set_flags_fccmp(DisasContext *s, unsigned cond, enum ir_type t, ir_ref a, ir_ref b, bool signalling,
                         unsigned nzcv);
/* From a value of four bits (I32). */
void a64_set_flags_value(DisasContext *s, ir_ref nzcv);
/* The comparison for an Arm condition (C1.2.4); AL and NV are the caller's business. */
struct cond a64_cond(DisasContext *s, unsigned cond);
/* 0 or 1 as I32; AL and NV give 1. */
ir_ref a64_cond_value(DisasContext *s, unsigned cond);
ir_ref a64_carry(DisasContext *s);
/* True if NZCV is surely written before it is read from pc on. */
bool a64_flags_dead_at(const struct code_reader *code, uint64_t pc, bool quick);

/*
 * The exit or label before is left with dead flags if they are at pc. What is written further on may come there, too,
 * by a jump back in the unit.
 */
void a64_note_dead_flags(DisasContext *s, uint64_t pc);

/* target->translate */
void a64_translate(struct ir_builder *b, const struct code_reader *code, unsigned max_insns);

/* --- leaving --- */
void a64_goto(DisasContext *s, uint64_t pc);
void a64_goto_if(DisasContext *s, struct cond c, uint64_t pc);
void a64_trap(DisasContext *s, enum cpu_exit reason, uint64_t pc, uint64_t detail);

#endif
