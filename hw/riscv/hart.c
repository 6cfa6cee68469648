/* Harts in a machine: see hart.h. */
#include "hw/riscv/hart.h"

#include "base/log.h"
#include "hw/intc/aclint.h"

static uint64_t time_now(void *opaque)
{
    return aclint_time(((struct riscv_harts *)opaque)->aclint);
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
    machine_lock(h->machine);
    arm_timer(h, hart);
    machine_unlock(h->machine);
}

static void ring(void *opaque)
{
    processor_kick(opaque);
}

static bool load(void *opaque, uint64_t address, uint64_t *value)
{
    const struct riscv_harts *h = opaque;
    struct mem_host at;
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

static void flush(void *opaque, struct rv_hart *hart)
{
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
    h->env = (struct rv_environment){time_now, set_timer, load, swap, flush, flush_page, h};
    for (unsigned i = 0; i < m->nprocessors; i++) {
        struct rv_hart *hart = rv_hart(m->processor[i]->cpu);
        hart->env = &h->env;
        hart->id = i;
        timer_init(&h->timer[i], &m->clocks, CLOCK_VIRTUAL, ring, m->processor[i]);
    }
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
