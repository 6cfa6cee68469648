/* Traps and returns from them: volume II, 3.1.6 to 3.1.8, 3.3, 12.1. */
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
    h->mvien = h->mvip = h->mvsie = h->miselect = h->siselect = 0;
    memset(h->miprio, 0, sizeof h->miprio);
    memset(h->siprio, 0, sizeof h->siprio);
    h->cpu.res_addr = ~UINT64_C(0);
}

/* mstatus with `from`, where it is set, moved to the bit `to`. */
static uint64_t move_bit(uint64_t v, uint64_t from, uint64_t to)
{
    return v & from ? v | to : v & ~to;
}

static void enter(struct rv_hart *h, enum rv_privilege to, bool interrupt, unsigned cause, uint64_t value)
{
    uint64_t number = (uint64_t)interrupt << 63 | cause, tvec;
    if (to == RV_SUPERVISOR) {
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
    h->raised++;
    bool delegated = h->privilege < RV_MACHINE && h->medeleg >> cause & 1;
    enter(h, delegated ? RV_SUPERVISOR : RV_MACHINE, false, cause, value);
}

void rv_interrupt(struct rv_hart *h, enum rv_interrupt which, enum rv_privilege to)
{
    enter(h, to, true, which, 0);
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
