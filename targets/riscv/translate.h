/* What the trans-<group>.c files of this guest share: the translation context, registers, leaving the unit. */
#ifndef TARGETS_RISCV_TRANSLATE_H
#define TARGETS_RISCV_TRANSLATE_H

#include "exec/target.h"
#include "targets/riscv/cpu.h"
#include "targets/riscv/extensions.h"

struct DisasContext;

/* What differs where privileged software runs, too: targets/riscv/priv/translate.c. */
struct rv_privileged {
    bool (*decode)(struct DisasContext *s, uint32_t insn); /* instructions that user programs do not have */
    /* A CSR instruction, but for fcsr and its parts; op: enum rv_csr_op. */
    bool (*csr)(struct DisasContext *s, unsigned number, unsigned op, unsigned rd, bool reads, bool writes,
                ir_ref operand);
};

typedef struct DisasContext {
    struct ir_builder *b;
    const struct rv_privileged *privileged; /* NULL: a user program */
    const struct code_reader *code;
    uint64_t pc;         /* of the instruction being translated */
    uint64_t next;       /* of the one behind it */
    uint64_t extensions; /* one bit per enum rv_extension */
    uint32_t insn;       /* its bits */
    uint32_t mode;       /* RV_MODE_… */
    unsigned room;       /* instructions that the unit may have behind this one */
    unsigned fused;      /* how many of them this one's translation includes; `next` is behind them */
    bool ended;          /* a terminator was built */
    bool moved;          /* `next` is not behind this instruction */
} DisasContext;

/* Whether the hart has an extension of RV_EXTENSIONS: HAS(zba). Reads the DisasContext `s`. */
#define HAS(ext) (s->extensions >> RV_EXT_##ext & 1)

/* --- registers: x0 reads as 0, writes to it vanish --- */
ir_ref rv_read(DisasContext *s, unsigned r);
/* The low half, I32. */
ir_ref rv_read_w(DisasContext *s, unsigned r);
void rv_write(DisasContext *s, unsigned r, ir_ref v);
/* An I32 value, sign-extended as all 32-bit results are. */
void rv_write_w(DisasContext *s, unsigned r, ir_ref v);
/* All 64 bits of an f register, F64. */
static inline ir_ref rv_read_f(DisasContext *s, unsigned r) { return b_get(s->b, RV_F0 + r); }
static inline void rv_write_f(DisasContext *s, unsigned r, ir_ref v) { b_put(s->b, RV_F0 + r, v); }

/* --- leaving --- */
void rv_goto(DisasContext *s, uint64_t pc);
void rv_trap(DisasContext *s, enum cpu_exit reason, uint64_t pc, uint64_t detail);

/*
 * Bytes of the function at pc if it is a straight line that leaves ra alone and returns by it; else 0. Where ra may be
 * a destination it counts as one.
 */
uint32_t rv_leaf_bytes(const struct code_reader *code, uint64_t pc);

/* The 32-bit instruction at pc, read ahead; 0: none, or a compressed one. */
uint32_t rv_peek(DisasContext *s, uint64_t pc);

/* What targets for privileged software (priv/) share with that for user programs. */
enum { RV_CPU_REGS = 33, RV_FPU_REGS = 35 };
extern const struct target_reg rv_cpu_regs[RV_CPU_REGS], rv_fpu_regs[RV_FPU_REGS];
#define RV_FEATURES                                                                                                \
    {.name = "org.gnu.gdb.riscv.cpu", .regs = rv_cpu_regs, .nregs = RV_CPU_REGS},                                  \
    {.name = "org.gnu.gdb.riscv.fpu", .regs = rv_fpu_regs, .nregs = RV_FPU_REGS, .types =                          \
     "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>"                                    \
     "<field name=\"double\" type=\"ieee_double\"/></union>"}
extern const struct ir_slot rv_slots[RV_NSLOTS];

/* target->translate, for user programs and for all software on a hart with the extensions given. */
void rv_translate(struct ir_builder *b, const struct code_reader *code, unsigned max_insns);
void rv_translate_all(struct ir_builder *b, const struct code_reader *code, unsigned max_insns, uint64_t extensions,
                      const struct rv_privileged *privileged);

#endif
