/*
 * Code that runs once. Of what a short process executes, two thirds of the units are entered a single time, and a
 * translation costs ten times what interpreting costs. So code is interpreted when it is reached first, by the quick
 * unit's IR, and translated when it is reached again. A process's first translation costs most, since the translator's
 * own memory is touched for it: a process that finds its code on disk interprets the little that is not there (the
 * vDSO's) some times more. See docs/design/tiers.rst.
 */
#include "exec/exec-internal.h"

enum { PATIENCE = 64 };

void once_init(struct exec *x)
{
    const struct exec_options *o = &x->options;
    x->once.wanted = o->interprets_first && !exec_wants_every_unit(x) && o->tier == TIER_AUTO && o->hot_after != 1 &&
                     !o->counted && !o->memory;
    x->once.block.quick = true;
    x->once.patience = PATIENCE;
}

void once_after_fork(struct exec *x)
{
    x->once.patience = PATIENCE;
    x->once.units = x->stats.units;
}

static uint32_t hash_of(struct block_key key, unsigned bits)
{
    return (key.pc ^ (uint64_t)key.mode << 32) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits);
}

struct once_unit *once_place(struct exec *x, struct block_key key)
{
    return &x->once.kept[hash_of(key, ONCE_KEPT_BITS)];
}

void once_forget(struct exec *x, uint64_t pc)
{
    for (unsigned i = 0; i < ARRAY_SIZE(x->once.kept); i++)
        if (pc - x->once.kept[i].key.pc < x->once.kept[i].unit.bytes)
            x->once.kept[i].unit.bytes = 0;
}

/* A filter without what it was made of: some code is taken for known that is not. */
static bool is_new(struct exec *x, struct block_key key)
{
    uint32_t bit = hash_of(key, ONCE_BITS);
    uint64_t *word = &x->once.seen[bit / 64], mask = UINT64_C(1) << bit % 64;
    bool new = !(*word & mask);
    *word |= mask;
    return new;
}

bool once_may(struct exec *x, struct block_key key)
{
    if (!x->once.wanted || x->cpus->next_cpu || x->debug.nbreak || disk_wants(x, key.pc))
        return false;
    if (is_new(x, key))
        return true;
    if (!x->once.patience || x->stats.units != x->once.units)
        return false;
    x->once.patience--;
    return true;
}

/* What the generated code of a call has predicted is used up by the return. */
static void forget_return(struct cpu *cpu, uint64_t pc)
{
    const struct {
        uint64_t host, guest;
    } *top = cpu->ret_sp;
    if (top->guest == pc)
        cpu->ret_sp = (char *)cpu->ret_sp + sizeof *top;
}

void once_run(struct cpu *cpu)
{
    const struct ir_unit *u = cpu->exec->once.block.unit;
    struct interp_exit e;
    cpu->insn_pc = cpu->pc;
    __atomic_store_n(&cpu->in_code, IN_INTERPRETED, __ATOMIC_SEQ_CST);
    ir_interpret(u, cpu, &cpu_interp_layout, NULL, &e);
    exec_take_exit(cpu, &e);
    if (e.kind == INTERP_GOTO && e.jump == JUMP_RETURN)
        forget_return(cpu, e.pc);
}
