/* One guest instruction, interpreted from what memory holds now: for debuggers. No translation is made or used. */
#include <stdlib.h>

#include "exec/exec-internal.h"

enum cpu_exit cpu_step(struct cpu *cpu)
{
    struct exec *x = cpu->exec;
    struct ir_unit *u = calloc(1, sizeof *u);
    struct ir_builder builder;
    struct interp_exit e;
    jmp_buf leave;
    if (!u)
        return EXIT_NONE;
    cpu->last_exit = NULL;
    cpu->exit_reason = EXIT_NONE;
    cpu->insn_pc = cpu->pc;
    cpu->leave_env = &leave;
    if (!_setjmp(leave)) { /* helpers and faults leave here */
        ir_unit_init(u, x->target->ir, cpu->pc, x->target->mode(cpu));
        b_init(&builder, u);
        x->target->translate(&builder, &x->code, 1);
        __atomic_store_n(&cpu->in_code, 1, __ATOMIC_SEQ_CST);
        ir_interpret(u, cpu, &cpu_interp_layout, NULL, &e);
        exec_take_exit(cpu, &e);
    }
    __atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
    cpu->leave_env = NULL;
    ir_unit_free(u);
    free(u);
    return cpu->exit_reason;
}
