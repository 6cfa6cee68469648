/*
 * Host faults in guest work: from a signal context back to a precise guest state. A fault in generated code is found
 * in the block's fault points; a fault in a helper (or the interpreter) finds the state in memory already.
 */
#include "host/context.h"

#include "base/log.h"
#include "exec/exec-internal.h"

static void leave_helper(void *arg)
{
    struct cpu *cpu = arg;
    exec_leave(cpu, cpu->exit_reason);
}

static const struct fault_point *find_point(const struct compiled *c, uint32_t off)
{
    for (uint32_t i = 0; i < c->nfaults; i++)
        if (c->faults[i].host_off == off)
            return &c->faults[i];
    return NULL;
}

static void record(struct cpu *cpu, int signo, const siginfo_t *info, const ucontext_t *uc)
{
    bool silent = (signo == SIGSEGV && info->si_code == SI_KERNEL) || (signo == SIGBUS && info->si_code == BUS_ADRALN);
    if (silent && context_misaligned(uc, &cpu->exit_detail)) {
        cpu->exit_reason = EXIT_ALIGN;
        return;
    }
    cpu->exit_reason = EXIT_FAULT;
    cpu->fault_signo = signo;
    cpu->fault_code = info->si_code;
    cpu->fault_addr = (uintptr_t)info->si_addr;
}

void exec_slow_access(void *state, const struct host_access *a)
{
    enum { CALL_BYTES = 16 }; /* on the prediction stack: where to return to, and the distance to the instruction */
    struct cpu *cpu = state;
    struct exec *x = cpu->exec;
    if (x->options.counted) {
        const struct code_block *b = exec_block_at(x, (const uint8_t *)a->in);
        cpu->ahead = exec_behind(b, b->pc + find_point(&b->c, a->fault_off)->pc);
    }
    bool done = x->options.memory->access(cpu, a);
    cpu->budget += done ? 0 : cpu->ahead;
    cpu->ahead = 0;
    if (done)
        return;
    const struct code_block *b = exec_block_at(x, (const uint8_t *)a->in);
    const struct fault_point *p = find_point(&b->c, a->fault_off);
    x->host->recover(cpu, x->target->ir, &b->c, p, a->registers);
    cpu->pc = b->pc + p->pc;
    cpu->ret_sp = (char *)cpu->ret_sp + CALL_BYTES;
    enum cpu_exit reason = x->options.memory->fault(cpu);
    if (x->options.counted && reason == EXIT_DEBUG)
        cpu->budget++; /* the debugger's, not the guest's: it will be executed */
    exec_leave(cpu, reason);
}

bool cpu_host_fault(struct cpu *cpu, int signo, const void *siginfo, void *ucontext)
{
    const siginfo_t *info = siginfo;
    ucontext_t *uc = ucontext;
    struct exec *x = cpu->exec;
    if (!__atomic_load_n(&cpu->in_code, __ATOMIC_SEQ_CST))
        return false;
    const uint8_t *pc = (const uint8_t *)context_pc(uc);
    if (!x->host || (!code_memory_contains(&x->mem, pc) && !disk_holds(x, pc))) {
        /* In a helper or the interpreter. */
        if (x->options.engine != ENGINE_JIT || cpu->in_code == IN_INTERPRETED)
            cpu->pc = cpu->insn_pc;
        record(cpu, signo, info, uc);
        context_call(uc, leave_helper, cpu);
        return true;
    }
    if ((uintptr_t)info->si_addr - (uintptr_t)cpu->ret_stack < GUARD_SIZE) {
        /* The return stack is full: what it predicts is forgotten, the push is done again at its base. */
        context_set_sp(uc, (uintptr_t)cpu->ret_stack + GUARD_SIZE + RET_STACK_SIZE - RET_STACK_BASE);
        return true;
    }
    struct compiled stored;
    uint64_t stored_pc;
    bool is_stored = disk_compiled_at(x, pc, &stored, &stored_pc);
    const struct code_block *b = is_stored ? NULL : exec_block_at(x, pc);
    const struct compiled *c = is_stored ? &stored : b ? &b->c : NULL;
    const struct fault_point *p = c ? find_point(c, pc - c->code) : NULL;
    if (!p)
        return false;
    if (p->nlocs == FAULT_GOES_ON) {
        context_set_pc(uc, (uintptr_t)c->code + p->pc);
        return true;
    }
    struct host_registers regs;
    context_registers(uc, &regs);
    x->host->recover(cpu, x->target->ir, c, p, &regs);
    cpu->pc = (is_stored ? stored_pc : b->pc) + p->pc;
    if (x->options.counted)
        cpu->budget += exec_behind(b, cpu->pc);
    record(cpu, signo, info, uc);
    context_set_pc(uc, (uintptr_t)x->entry.leave_recovered);
    return true;
}
