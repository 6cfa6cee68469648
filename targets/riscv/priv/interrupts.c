/*
 * Which interrupts are pending and which comes first: volume II, 3.1.9 and 12.1.3; with an IMSIC also The RISC-V
 * Advanced Interrupt Architecture, version 1.0, chapter 2 (registers), 3.8 to 3.10 (those of the IMSIC) and 5
 * (priorities, and interrupts that machine mode makes up for supervisor mode: mvien and mvip).
 */
#include "targets/riscv/priv/interrupts.h"

enum { SELECT_PRIORITIES = 0x30, SELECT_PRIORITIES_END = 0x40, SELECT_IMSIC = 0x70, SELECT_IMSIC_END = 0x100 };
enum { TOP_ID_SHIFT = 16, LAST_PRIORITY = 255, BELOW_ALL = 256 };
enum { STATEEN_IMSIC = 58, STATEEN_AIA = 59, STATEEN_SELECT = 60 };

bool rv_aia_on(const struct rv_hart *h, unsigned number) { return h->env->imsic; }

static bool enabled_for(const struct rv_hart *h, unsigned bit)
{
    return rv_aia_on(h, 0) && (h->privilege == RV_MACHINE || h->mstateen[0] >> bit & 1);
}

bool rv_aia_state_on(const struct rv_hart *h, unsigned number) { return enabled_for(h, STATEEN_AIA); }
bool rv_aia_select_on(const struct rv_hart *h, unsigned number) { return enabled_for(h, STATEEN_SELECT); }

/* Supervisor mode whose external interrupt is made up has no business with the IMSIC (5.3). */
bool rv_aia_imsic_on(const struct rv_hart *h, unsigned number)
{
    return enabled_for(h, STATEEN_IMSIC) && (h->privilege == RV_MACHINE || !(h->mvien & RV_IRQ(RV_IRQ_SEXT)));
}

/* --- pending and enabled --- */

uint64_t rv_pending(const struct rv_hart *h)
{
    uint64_t soft = h->mvien & RV_IRQ(RV_IRQ_SEXT) ? h->soft & ~RV_IRQ(RV_IRQ_SEXT) : h->soft;
    uint64_t pending = __atomic_load_n(&h->lines, __ATOMIC_SEQ_CST) | soft;
    if (h->menvcfg & RV_ENVCFG_STCE) {
        pending &= ~RV_IRQ(RV_IRQ_STIMER);
        if (h->env->time(h->env->opaque) >= h->stimecmp)
            pending |= RV_IRQ(RV_IRQ_STIMER);
    }
    return pending;
}

/* Interrupts of supervisor mode that are mvip's, not mip's. */
static uint64_t made_up(const struct rv_hart *h) { return h->mvien & ~h->mideleg; }

static uint64_t for_machine(const struct rv_hart *h) { return rv_pending(h) & h->mie & ~h->mideleg; }

static uint64_t for_supervisor(const struct rv_hart *h)
{
    return (rv_pending(h) & h->mie & h->mideleg) | (h->mvip & h->mvsie & made_up(h));
}

bool rv_wakes(const struct rv_hart *h) { return for_machine(h) | for_supervisor(h); }

uint64_t rv_read_mip(struct rv_hart *h, unsigned n) { return rv_pending(h); }
uint64_t rv_kept_mip(const struct rv_hart *h) { return h->soft; }

static void set_soft(struct rv_hart *h, uint64_t value, uint64_t mask) { h->soft = (h->soft & ~mask) | (value & mask); }

/* The bits of mip that software can set. */
static uint64_t settable(const struct rv_hart *h)
{
    return RV_IRQS_S & ~(h->menvcfg & RV_ENVCFG_STCE ? RV_IRQ(RV_IRQ_STIMER) : 0) & ~(h->mvien & RV_IRQ(RV_IRQ_SEXT));
}

void rv_write_mip(struct rv_hart *h, unsigned n, uint64_t value) { set_soft(h, value, settable(h)); }

uint64_t rv_read_sip(struct rv_hart *h, unsigned n) { return (rv_pending(h) & h->mideleg) | (h->mvip & made_up(h)); }
uint64_t rv_kept_sip(const struct rv_hart *h) { return (h->soft & h->mideleg) | (h->mvip & made_up(h)); }

void rv_write_sip(struct rv_hart *h, unsigned n, uint64_t value)
{
    uint64_t virtual = made_up(h) & ~RV_IRQ(RV_IRQ_SEXT);
    set_soft(h, value, RV_IRQ(RV_IRQ_SSOFT) & h->mideleg);
    h->mvip = (h->mvip & ~virtual) | (value & virtual);
}

uint64_t rv_read_sie(struct rv_hart *h, unsigned n) { return (h->mie & h->mideleg) | (h->mvsie & made_up(h)); }

void rv_write_sie(struct rv_hart *h, unsigned n, uint64_t value)
{
    uint64_t virtual = made_up(h);
    h->mie = (h->mie & ~h->mideleg) | (value & h->mideleg);
    h->mvsie = (h->mvsie & ~virtual) | (value & virtual);
}

/* Bits of mvip that are another name for those of mip; bits 1 and 9 are mvip's own where mvien has them. */
static uint64_t aliases(const struct rv_hart *h) { return settable(h) & ~h->mvien; }

uint64_t rv_read_mvip(struct rv_hart *h, unsigned n)
{
    return (h->mvip & (h->mvien | (RV_IRQS_VIRTUAL & ~RV_IRQS_S))) | (h->soft & aliases(h));
}

void rv_write_mvip(struct rv_hart *h, unsigned n, uint64_t value)
{
    uint64_t own = RV_IRQS_VIRTUAL & (h->mvien | ~RV_IRQS_S);
    set_soft(h, value, aliases(h));
    h->mvip = (h->mvip & ~own) | (value & own);
}

/* --- which comes first --- */

/* The default order, the most important one first. */
static const uint8_t order[] = {
    63, 31, 62, 61, 30, 60, 59, 29, 58, 57, 28, 56, 47, 23, 46, 45, 22, 44, 43, 21, 42, 41, 20, 40,
    RV_IRQ_MEXT, RV_IRQ_MSOFT, RV_IRQ_MTIMER, RV_IRQ_SEXT, RV_IRQ_SSOFT, RV_IRQ_STIMER, 12, 10, 2, 6, 13,
    39, 19, 38, 37, 18, 36, 35, 17, 34, 33, 16, 32, 55, 27, 54, 53, 26, 52, 51, 25, 50, 49, 24, 48,
};

/*
 * The most important one of a set that is not empty, and its priority number: that of the level's array, of an external
 * interrupt the IMSIC's; where that is 0, what the default order says about it and the external interrupt (5.2.2,
 * 5.4.2).
 */
static enum rv_interrupt first_of(const struct rv_hart *h, enum rv_privilege level, uint64_t set, unsigned *priority)
{
    enum rv_interrupt external = level == RV_MACHINE ? RV_IRQ_MEXT : RV_IRQ_SEXT, best = external;
    const uint8_t *numbers = level == RV_MACHINE ? h->miprio : h->siprio;
    bool after = false;
    *priority = UINT32_MAX;
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        unsigned n = order[i], p = numbers[n];
        if (n == external)
            after = true;
        if (!(set & RV_IRQ(n)))
            continue;
        if (n == external && h->env->imsic_top && !(level == RV_SUPERVISOR && made_up(h) & RV_IRQ(n)))
            p = h->env->imsic_top(h->env->opaque, h, level, false) & 0x7ff;
        if ((!p && after) || p > LAST_PRIORITY)
            p = BELOW_ALL;
        if (p >= *priority)
            continue;
        *priority = p;
        best = n;
    }
    return best;
}

bool rv_next_interrupt(const struct rv_hart *h, enum rv_interrupt *which, enum rv_privilege *to)
{
    unsigned priority;
    bool machine = h->privilege < RV_MACHINE || h->mstatus & RV_MSTATUS_MIE;
    bool supervisor = h->privilege < RV_SUPERVISOR || (h->privilege == RV_SUPERVISOR && h->mstatus & RV_MSTATUS_SIE);
    uint64_t set = machine ? for_machine(h) : 0; /* those of the higher privilege first */
    *to = RV_MACHINE;
    if (!set && supervisor) {
        *to = RV_SUPERVISOR;
        set = for_supervisor(h);
    }
    if (!set)
        return false;
    *which = set & (set - 1) ? first_of(h, *to, set, &priority) : (enum rv_interrupt)__builtin_ctzll(set);
    return true;
}

static uint64_t read_top(const struct rv_hart *h, enum rv_privilege level, uint64_t set)
{
    unsigned priority;
    if (!set)
        return 0;
    enum rv_interrupt which = first_of(h, level, set, &priority);
    return (uint64_t)which << TOP_ID_SHIFT | (priority < LAST_PRIORITY ? priority : LAST_PRIORITY);
}

uint64_t rv_read_mtopi(struct rv_hart *h, unsigned n) { return read_top(h, RV_MACHINE, for_machine(h)); }
uint64_t rv_read_stopi(struct rv_hart *h, unsigned n) { return read_top(h, RV_SUPERVISOR, for_supervisor(h)); }

/* --- registers behind others --- */

/* Eight priority numbers; the level's external interrupt has the IMSIC's, what does not exist has none. */
static bool access_priorities(uint8_t *array, uint64_t implemented, unsigned select, uint64_t *old, uint64_t value,
                              uint64_t mask)
{
    unsigned first = 4 * (select - SELECT_PRIORITIES);
    if (select & 1) /* for 32 bits only */
        return false;
    for (unsigned i = 0; i < 8; i++)
        if (!(implemented >> (first + i) & 1))
            mask &= ~(UINT64_C(0xff) << 8 * i);
    memcpy(old, array + first, sizeof *old);
    value = (*old & ~mask) | (value & mask);
    memcpy(array + first, &value, sizeof value);
    return true;
}

#define MACHINE_PRIORITIES    ((RV_IRQS_M | RV_IRQS_S) & ~RV_IRQ(RV_IRQ_MEXT))
#define SUPERVISOR_PRIORITIES ((RV_IRQS_VIRTUAL | RV_IRQS_S) & ~RV_IRQ(RV_IRQ_SEXT))

static bool access_selected(struct rv_hart *h, enum rv_privilege level, uint64_t *old, uint64_t value, uint64_t mask)
{
    bool machine = level == RV_MACHINE;
    unsigned select = (unsigned)(machine ? h->miselect : h->siselect);
    *old = 0;
    if (select >= SELECT_PRIORITIES && select < SELECT_PRIORITIES_END)
        return access_priorities(machine ? h->miprio : h->siprio, machine ? MACHINE_PRIORITIES : SUPERVISOR_PRIORITIES,
                                 select, old, value, mask);
    if (select >= SELECT_IMSIC && select < SELECT_IMSIC_END)
        return h->env->imsic(h->env->opaque, h, level, select, old, value, mask);
    return false;
}

bool rv_access_mireg(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes)
{
    return access_selected(h, RV_MACHINE, old, value, mask);
}

bool rv_access_sireg(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes)
{
    return (h->siselect < SELECT_IMSIC || rv_aia_imsic_on(h, 0)) && access_selected(h, RV_SUPERVISOR, old, value, mask);
}

/* Writing claims, whatever is written. */
static bool access_top(struct rv_hart *h, enum rv_privilege level, uint64_t *old, bool writes)
{
    *old = h->env->imsic_top(h->env->opaque, h, level, writes);
    return true;
}

bool rv_access_mtopei(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes)
{
    return access_top(h, RV_MACHINE, old, writes);
}

bool rv_access_stopei(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes)
{
    return access_top(h, RV_SUPERVISOR, old, writes);
}
