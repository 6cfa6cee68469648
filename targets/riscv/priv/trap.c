/* Traps, interrupts and returns from them: volume II, 3.1.6 to 3.1.9, 3.3, 12.1. */
#include "targets/riscv/priv/priv.h"

void rv_reset_hart(struct rv_hart *h)
{
    h->privilege = RV_MACHINE;
    h->mstatus = RV_MSTATUS_UXL | RV_MSTATUS_SXL;
    h->soft = h->mie = h->mtvec = h->mscratch = h->mepc = h->mcause = h->mtval = h->mideleg = h->medeleg = 0;
    h->mcounteren = h->mcountinhibit = h->menvcfg = 0;
    memset(h->mstateen, 0, sizeof h->mstateen);
    memset(h->sstateen, 0, sizeof h->sstateen);
    h->stvec = h->sscratch = h->sepc = h->scause = h->stval = h->satp = h->scounteren = h->senvcfg = 0;
    h->stimecmp = UINT64_MAX;
    memset(h->pmpcfg, 0, sizeof h->pmpcfg);
    memset(h->pmpaddr, 0, sizeof h->pmpaddr);
    h->cpu.res_addr = ~UINT64_C(0);
}

/* mstatus with `from`, where it is set, moved to the bit `to`. */
static uint64_t move_bit(uint64_t v, uint64_t from, uint64_t to)
{
    return v & from ? v | to : v & ~to;
}

static void enter(struct rv_hart *h, bool interrupt, unsigned cause, uint64_t value)
{
    uint64_t number = (uint64_t)interrupt << 63 | cause, tvec;
    bool delegated = h->privilege < RV_MACHINE && (interrupt ? h->mideleg : h->medeleg) >> cause & 1;
    if (delegated) {
        h->scause = number;
        h->sepc = h->cpu.cpu.pc;
        h->stval = value;
        h->mstatus = move_bit(h->mstatus, RV_MSTATUS_SIE, RV_MSTATUS_SPIE) & ~(RV_MSTATUS_SIE | RV_MSTATUS_SPP);
        if (h->privilege == RV_SUPERVISOR)
            h->mstatus |= RV_MSTATUS_SPP;
        h->privilege = RV_SUPERVISOR;
        tvec = h->stvec;
    } else {
        h->mcause = number;
        h->mepc = h->cpu.cpu.pc;
        h->mtval = value;
        h->mstatus = move_bit(h->mstatus, RV_MSTATUS_MIE, RV_MSTATUS_MPIE) & ~(RV_MSTATUS_MIE | RV_MSTATUS_MPP);
        h->mstatus |= (uint64_t)h->privilege << RV_MSTATUS_MPP_SHIFT;
        h->privilege = RV_MACHINE;
        tvec = h->mtvec;
    }
    h->cpu.res_addr = ~UINT64_C(0);
    h->cpu.cpu.pc = (tvec & ~UINT64_C(3)) + (interrupt && tvec & 1 ? 4 * cause : 0); /* vectored */
}

void rv_raise(struct rv_hart *h, enum rv_exception cause, uint64_t value)
{
    enter(h, false, cause, value);
}

void rv_interrupt(struct rv_hart *h, enum rv_interrupt which)
{
    enter(h, true, which, 0);
}

uint64_t rv_pending(const struct rv_hart *h)
{
    uint64_t pending = __atomic_load_n(&h->lines, __ATOMIC_SEQ_CST) | h->soft;
    if (h->menvcfg & RV_ENVCFG_STCE) {
        pending &= ~RV_IRQ(RV_IRQ_STIMER);
        if (h->env->time(h->env->opaque) >= h->stimecmp)
            pending |= RV_IRQ(RV_IRQ_STIMER);
    }
    return pending;
}

bool rv_next_interrupt(const struct rv_hart *h, enum rv_interrupt *which)
{
    static const enum rv_interrupt order[] = {RV_IRQ_MEXT, RV_IRQ_MSOFT, RV_IRQ_MTIMER, RV_IRQ_SEXT, RV_IRQ_SSOFT, RV_IRQ_STIMER};
    uint64_t enabled = rv_pending(h) & h->mie;
    bool machine = h->privilege < RV_MACHINE || h->mstatus & RV_MSTATUS_MIE;
    bool supervisor = h->privilege < RV_SUPERVISOR || (h->privilege == RV_SUPERVISOR && h->mstatus & RV_MSTATUS_SIE);
    uint64_t to_machine = machine ? enabled & ~h->mideleg : 0, to_supervisor = supervisor ? enabled & h->mideleg : 0;
    uint64_t now = to_machine ? to_machine : to_supervisor; /* those of the higher privilege first */
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
        if (now & RV_IRQ(order[i])) {
            *which = order[i];
            return true;
        }
    return false;
}

bool rv_return(struct rv_hart *h, enum rv_privilege from)
{
    enum rv_privilege to;
    if (h->privilege < from || (from == RV_SUPERVISOR && h->privilege == RV_SUPERVISOR && h->mstatus & RV_MSTATUS_TSR))
        return false;
    if (from == RV_MACHINE) {
        to = (enum rv_privilege)((h->mstatus & RV_MSTATUS_MPP) >> RV_MSTATUS_MPP_SHIFT);
        h->mstatus = (move_bit(h->mstatus, RV_MSTATUS_MPIE, RV_MSTATUS_MIE) | RV_MSTATUS_MPIE) & ~RV_MSTATUS_MPP;
        h->cpu.cpu.pc = h->mepc;
    } else {
        to = h->mstatus & RV_MSTATUS_SPP ? RV_SUPERVISOR : RV_USER;
        h->mstatus = (move_bit(h->mstatus, RV_MSTATUS_SPIE, RV_MSTATUS_SIE) | RV_MSTATUS_SPIE) & ~RV_MSTATUS_SPP;
        h->cpu.cpu.pc = h->sepc;
    }
    if (to != RV_MACHINE)
        h->mstatus &= ~RV_MSTATUS_MPRV;
    h->privilege = to;
    return true;
}

bool rv_may_wait(const struct rv_hart *h)
{
    return h->privilege == RV_MACHINE || (h->privilege == RV_SUPERVISOR && !(h->mstatus & RV_MSTATUS_TW));
}

bool rv_may_fence(const struct rv_hart *h)
{
    return h->privilege == RV_MACHINE || (h->privilege == RV_SUPERVISOR && !(h->mstatus & RV_MSTATUS_TVM));
}
