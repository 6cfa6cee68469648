/*
 * For debuggers: one guest instruction, or a few with each access looked at. Where guest addresses are the host's, from
 * what memory holds now, by interpretation: no translation is made or used. Behind a TLB by a unit of one instruction.
 */
#include <stdlib.h>

#include "exec/debug.h"
#include "exec/exec-internal.h"

enum { WATCHED_INSNS = 16, WATCHED_UNITS = 512 };

static bool breaks_at(const void *opaque, uint64_t pc) { return exec_has_breakpoint(opaque, pc); }

static unsigned watched(const void *opaque, uint64_t address, uint64_t n, uint64_t *first)
{
    return exec_watched(opaque, address, n, first);
}

static void make_unit(struct cpu *cpu, uint32_t mode, unsigned max_insns, const struct cpu_watcher *w,
                      struct ir_unit *u)
{
    struct exec *x = cpu->exec;
    struct ir_builder builder;
    ir_unit_restart(u, x->target->ir, cpu->pc, mode);
    b_init(&builder, u);
    if (max_insns > 1) {
        builder.quick = true;
        builder.breaks_at = w->breaks_at;
        builder.breaks = w->opaque;
    }
    x->target->translate(&builder, &x->code, max_insns);
}

/* Who looks, at which thread. */
struct looking {
    struct cpu *cpu;
    const struct cpu_watcher *watcher;
};

/* In front of an access: a watched one leaves. */
static void look(void *opaque, uint64_t address, unsigned size, unsigned access)
{
    const struct looking *l = opaque;
    struct cpu *cpu = l->cpu;
    uint64_t first;
    unsigned found = l->watcher->watched(l->watcher->opaque, address, size, &first);
    if (LIKELY(!(found & access)))
        return;
    cpu->pc = cpu->insn_pc;
    cpu->exit_detail = found;
    cpu->fault_addr = first;
    exec_leave(cpu, EXIT_DEBUG);
}

/* Runs the unit that begins at the pc, made now unless u is it. EXIT_NONE when it is done. w: NULL: nobody looks. */
static void interpret(struct cpu *cpu, unsigned max_insns, struct ir_unit *u, const struct cpu_watcher *w)
{
    struct looking looking = {cpu, w};
    const struct interp_mem mem = {.opaque = &looking, .before = look};
    uint32_t mode = cpu->exec->target->mode(cpu);
    struct interp_exit e;
    jmp_buf leave;
    cpu->last_exit = NULL;
    cpu->exit_reason = EXIT_NONE;
    cpu->insn_pc = cpu->pc;
    cpu->leave_env = &leave;
    if (!_setjmp(leave)) { /* helpers and faults leave here */
        if (!u->n || u->pc != cpu->pc || u->flags != mode)
            make_unit(cpu, mode, max_insns, w, u);
        __atomic_store_n(&cpu->in_code, IN_INTERPRETED, __ATOMIC_SEQ_CST);
        ir_interpret(u, cpu, &cpu_interp_layout, w ? &mem : NULL, &e);
        exec_take_exit(cpu, &e);
    }
    __atomic_store_n(&cpu->in_code, 0, __ATOMIC_SEQ_CST);
    cpu->leave_env = NULL;
}

static bool stands_at_breakpoint(struct cpu *cpu, const struct cpu_watcher *w)
{
    if (!w->breaks_at(w->opaque, cpu->pc))
        return false;
    cpu->exit_detail = DEBUG_BREAKPOINT;
    cpu->exit_reason = EXIT_DEBUG;
    return true;
}

static void step(struct cpu *cpu, const struct cpu_watcher *w)
{
    struct ir_unit u = {0};
    interpret(cpu, 1, &u, w);
    ir_unit_free(&u);
}

enum cpu_exit cpu_step(struct cpu *cpu)
{
    cpu->pc &= ~(uint64_t)cpu->target->pc_zero_bits;
    if (cpu->exec->options.memory)
        exec_run_step(cpu);
    else
        step(cpu, NULL);
    return cpu->exit_reason;
}

enum cpu_exit cpu_step_watched(struct cpu *cpu, const struct cpu_watcher *w)
{
    if (!stands_at_breakpoint(cpu, w))
        step(cpu, w);
    return cpu->exit_reason;
}

/* Who changes code makes the threads leave (cpu_kick()): units are good until then. */
enum cpu_exit cpu_run_watched(struct cpu *cpu, const struct cpu_watcher *w)
{
    const struct cpu_watcher everybody = {cpu->exec, breaks_at, watched};
    struct ir_unit one = {0}, *units = calloc(WATCHED_UNITS, sizeof *units);
    w = w ? w : &everybody;
    do {
        if (stands_at_breakpoint(cpu, w))
            break;
        interpret(cpu, WATCHED_INSNS, units ? &units[cpu->pc / 2 % WATCHED_UNITS] : &one, w);
        if (cpu->exit_reason == EXIT_NONE && cpu_take_requests(cpu))
            cpu->exit_reason = EXIT_INTERRUPT;
    } while (cpu->exit_reason == EXIT_NONE);
    for (unsigned i = 0; units && i < WATCHED_UNITS; i++)
        ir_unit_free(&units[i]);
    ir_unit_free(&one);
    free(units);
    return cpu->exit_reason;
}
