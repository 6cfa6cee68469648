/* Physical memory protection: volume II, 3.7. Sixteen entries, granularity of four bytes. */
#include "targets/riscv/priv/priv.h"

enum { PMP_R = 1, PMP_W = 2, PMP_X = 4, PMP_A_SHIFT = 3, PMP_A = 3 << PMP_A_SHIFT, PMP_L = 0x80 };
enum { PMP_OFF, PMP_TOR, PMP_NA4, PMP_NAPOT };
#define PMP_ADDRESS ((UINT64_C(1) << 54) - 1)

static unsigned matching(const struct rv_hart *h, unsigned i)
{
    return (h->pmpcfg[i] & PMP_A) >> PMP_A_SHIFT;
}

/* The addresses of an entry; false: none. */
static bool range(const struct rv_hart *h, unsigned i, uint64_t *first, uint64_t *last)
{
    uint64_t a = h->pmpaddr[i];
    switch (matching(h, i)) {
    case PMP_TOR:
        *first = i ? h->pmpaddr[i - 1] << 2 : 0;
        *last = (a << 2) - 1;
        return a << 2 > *first;
    case PMP_NA4:
        *first = a << 2;
        *last = *first + 3;
        return true;
    case PMP_NAPOT: { /* trailing ones: yyy0111 covers 2^(3 + 3) bytes */
        uint64_t low = a ^ (a + 1); /* the ones and the zero above them */
        *first = (a & ~low) << 2;
        *last = *first + ((low << 2) | 3);
        return true;
    }
    default: return false;
    }
}

bool rv_pmp_allows(const struct rv_hart *h, enum rv_privilege privilege, uint64_t address, unsigned size,
                   enum rv_access access, uint64_t *first, uint64_t *last)
{
    static const uint8_t bit[] = {[RV_FETCH] = PMP_X, [RV_LOAD] = PMP_R, [RV_STORE] = PMP_W};
    uint64_t end = address + size - 1;
    *first = 0;
    *last = UINT64_MAX;
    for (unsigned i = 0; i < RV_PMP_ENTRIES; i++) {
        uint64_t lo, hi;
        if (!range(h, i, &lo, &hi))
            continue;
        if (end < lo) {
            *last = lo - 1 < *last ? lo - 1 : *last;
        } else if (address > hi) {
            *first = hi + 1 > *first ? hi + 1 : *first;
        } else { /* the entry of lowest number that holds any byte decides, and must hold all */
            *first = lo > *first ? lo : *first;
            *last = hi < *last ? hi : *last;
            if (address < lo || end > hi)
                return false;
            return (privilege == RV_MACHINE && !(h->pmpcfg[i] & PMP_L)) || h->pmpcfg[i] & bit[access];
        }
    }
    return privilege == RV_MACHINE;
}

void rv_write_pmpcfg(struct rv_hart *h, unsigned entry, uint8_t value)
{
    if (h->pmpcfg[entry] & PMP_L)
        return;
    value &= PMP_L | PMP_A | PMP_R | PMP_W | PMP_X;
    if ((value & (PMP_R | PMP_W)) == PMP_W) /* reserved */
        value &= ~PMP_W;
    h->pmpcfg[entry] = value;
}

void rv_write_pmpaddr(struct rv_hart *h, unsigned entry, uint64_t value)
{
    bool locked = h->pmpcfg[entry] & PMP_L;
    if (entry + 1 < RV_PMP_ENTRIES) /* the lower end of a locked range */
        locked |= h->pmpcfg[entry + 1] & PMP_L && matching(h, entry + 1) == PMP_TOR;
    if (!locked)
        h->pmpaddr[entry] = value & PMP_ADDRESS;
}
