/* Harts in a machine: see hart.h. */
#include "hw/riscv/hart.h"

#include "base/log.h"
#include "hw/intc/aclint.h"
#include "hw/intc/imsic.h"

/* Registers are read and written by the harts' own threads, and under the lock by debuggers. */
static void lock(struct riscv_harts *h)
{
    if (machine_on_processor())
        machine_lock(h->machine);
}

static void unlock(struct riscv_harts *h)
{
    if (machine_on_processor())
        machine_unlock(h->machine);
}

static uint64_t time_now(void *opaque)
{
    struct riscv_harts *h = opaque;
    machine_count(h->machine);
    return aclint_time(h->aclint);
}

static bool count(void *opaque, const struct rv_hart *hart, uint64_t *cycles, uint64_t *instructions)
{
    struct machine *m = ((struct riscv_harts *)opaque)->machine;
    if (!m->clocks.icount)
        return false;
    machine_count(m);
    bool current = machine_on_processor(); /* else a debugger looks, between instructions */
    *cycles = (uint64_t)m->clocks.instructions - current;
    *instructions = processor_of(&hart->cpu.cpu)->executed - current;
    return true;
}

/* The timer interrupt is a comparison made when somebody looks; all that is needed is that somebody does. */
static void arm_timer(struct riscv_harts *h, struct rv_hart *hart)
{
    struct timer *t = &h->timer[hart->id];
    int64_t when = hart->menvcfg & RV_ENVCFG_STCE ? aclint_time_to_ns(h->aclint, hart->stimecmp) : INT64_MAX;
    if (when == INT64_MAX)
        timer_cancel(t);
    else
        timer_set(t, when);
}

static void set_timer(void *opaque, struct rv_hart *hart)
{
    struct riscv_harts *h = opaque;
    lock(h);
    arm_timer(h, hart);
    unlock(h);
}

static void ring(void *opaque)
{
    processor_kick(opaque);
}

static bool load(void *opaque, const struct rv_hart *hart, uint64_t address, uint64_t *value)
{
    const struct riscv_harts *h = opaque;
    const uint64_t *ram =
        machine_on_processor() ? processor_ram(processor_of(&hart->cpu.cpu), address, sizeof *value) : NULL;
    struct mem_host at;
    if (ram) {
        *value = __atomic_load_n(ram, __ATOMIC_SEQ_CST);
        return true;
    }
    if (!mem_host(&h->machine->memory, address, sizeof *value, &at) || at.n < sizeof *value)
        return false;
    *value = __atomic_load_n((uint64_t *)at.p, __ATOMIC_SEQ_CST);
    return true;
}

static bool swap(void *opaque, uint64_t address, uint64_t old, uint64_t new)
{
    const struct riscv_harts *h = opaque;
    struct mem_host at;
    if (!mem_host(&h->machine->memory, address, sizeof new, &at) || at.n < sizeof new ||
        !__atomic_compare_exchange_n((uint64_t *)at.p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return false;
    mem_wrote(&h->machine->memory, at.ram, at.offset, sizeof new);
    return true;
}

static void flush(void *opaque, struct rv_hart *hart, bool mapped)
{
    if (mapped)
        tlb_flush_mapped(processor_of(&hart->cpu.cpu));
    else
        tlb_flush(processor_of(&hart->cpu.cpu));
}

static void flush_page(void *opaque, struct rv_hart *hart, uint64_t address)
{
    tlb_flush_page(processor_of(&hart->cpu.cpu), address);
}

void riscv_harts_init(struct riscv_harts *h, struct machine *m, struct device *aclint)
{
    h->machine = m;
    h->aclint = aclint;
    h->env = (struct rv_environment){time_now, set_timer, load, swap, flush, flush_page, h, NULL, NULL, count};
    for (unsigned i = 0; i < m->nprocessors; i++) {
        struct rv_hart *hart = rv_hart(m->processor[i]->cpu);
        hart->env = &h->env;
        hart->id = i;
        timer_init(&h->timer[i], &m->clocks, CLOCK_VIRTUAL, ring, m->processor[i]);
    }
}

/* --- registers that are the IMSIC's --- */

static struct device *imsic_of(struct riscv_harts *h, const struct rv_hart *hart, enum rv_privilege level)
{
    return h->imsic[hart->id][level == RV_SUPERVISOR];
}

static bool access_imsic(void *opaque, const struct rv_hart *hart, enum rv_privilege level, unsigned select,
                         uint64_t *old, uint64_t value, uint64_t mask)
{
    struct riscv_harts *h = opaque;
    lock(h);
    bool there = imsic_access(imsic_of(h, hart, level), 0, select, 64, old, value, mask);
    unlock(h);
    return there;
}

static uint32_t top_of_imsic(void *opaque, const struct rv_hart *hart, enum rv_privilege level, bool claim)
{
    struct riscv_harts *h = opaque;
    lock(h);
    uint32_t top = imsic_top(imsic_of(h, hart, level), 0);
    if (claim)
        imsic_claim(imsic_of(h, hart, level), 0);
    unlock(h);
    return top;
}

void riscv_harts_use_imsics(struct riscv_harts *h)
{
    h->env.imsic = access_imsic;
    h->env.imsic_top = top_of_imsic;
}

void riscv_harts_loaded(struct riscv_harts *h)
{
    for (unsigned i = 0; i < h->machine->nprocessors; i++)
        arm_timer(h, rv_hart(h->machine->processor[i]->cpu));
}

static void set_line(void *receiver, unsigned input, bool level)
{
    struct processor *p = receiver;
    uint64_t bit = RV_IRQ(input), *lines = &rv_hart(p->cpu)->lines;
    if (level)
        __atomic_fetch_or(lines, bit, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(lines, ~bit, __ATOMIC_SEQ_CST);
    if (level)
        processor_kick(p);
}

struct irq riscv_hart_line(struct riscv_harts *h, unsigned hart, enum rv_interrupt which)
{
    return (struct irq){set_line, h->machine->processor[hart], which};
}
