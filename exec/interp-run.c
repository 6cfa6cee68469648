/* A block by interpretation: leaves pc and exit reason as generated code does. */
#include "exec/exec-internal.h"

const struct interp_layout cpu_interp_layout = {
    .mxcsr = offsetof(struct cpu, mxcsr),
    .insn_pc = offsetof(struct cpu, insn_pc),
    .pc = offsetof(struct cpu, pc),
};

void exec_take_exit(struct cpu *cpu, const struct interp_exit *e)
{
    cpu->pc = e->pc;
    if (e->kind == INTERP_TRAP) {
        cpu->exit_reason = e->reason;
        cpu->exit_detail = e->detail;
    }
}

void exec_interpret(struct cpu *cpu, struct code_block *b)
{
    struct interp_exit e;
    ir_interpret(b->unit, cpu, &cpu_interp_layout, NULL, &e);
    exec_take_exit(cpu, &e);
}
