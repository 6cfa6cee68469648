/*
 * Virtual addresses: Sv39, Sv48 and Sv57 (volume II, 12.3 to 12.6), with Svnapot, Svpbmt, and accessed and dirty bits
 * that fault (Svade) or, where menvcfg.ADUE is set, are updated (Svadu).
 */
#include "targets/riscv/priv/priv.h"

enum { PAGE_SHIFT = 12, LEVEL_BITS = 9, PTE_SIZE = 8 };
enum { SATP_BARE = 0, SATP_SV39 = 8, SATP_SV57 = 10 };

/* Page table entries (12.4.1) */
enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128 };
#define PTE_PPN      extract64(pte, 10, 44)
#define PTE_RESERVED (UINT64_C(0x7f) << 54)
#define PTE_PBMT     (UINT64_C(3) << 61)
#define PTE_N        (UINT64_C(1) << 63)

static const enum rv_exception page_fault[] = {
    [RV_FETCH] = RV_FETCH_PAGE, [RV_LOAD] = RV_LOAD_PAGE, [RV_STORE] = RV_STORE_PAGE};
static const enum rv_exception access_fault[] = {
    [RV_FETCH] = RV_FETCH_ACCESS, [RV_LOAD] = RV_LOAD_ACCESS, [RV_STORE] = RV_STORE_ACCESS};

struct rv_view rv_data_view(const struct rv_hart *h)
{
    struct rv_view view = {h->privilege, h->mstatus & RV_MSTATUS_SUM};
    if (h->mstatus & RV_MSTATUS_MPRV)
        view.privilege = (enum rv_privilege)((h->mstatus & RV_MSTATUS_MPP) >> RV_MSTATUS_MPP_SHIFT);
    return view;
}

struct rv_view rv_fetch_view(const struct rv_hart *h)
{
    return (struct rv_view){h->privilege, false};
}

/* What a leaf allows in the view; reads of executable pages by MXR. */
static void permissions(const struct rv_hart *h, struct rv_view view, uint64_t pte, struct rv_translation *out)
{
    bool user = pte & PTE_U;
    bool data = view.privilege == RV_USER ? user : !user || view.sum;
    out->load = data && (pte & PTE_R || (pte & PTE_X && h->mstatus & RV_MSTATUS_MXR));
    out->store = data && pte & PTE_W;
    out->fetch = pte & PTE_X && user == (view.privilege == RV_USER);
}

static bool allowed(const struct rv_translation *t, enum rv_access access)
{
    return access == RV_FETCH ? t->fetch : access == RV_LOAD ? t->load : t->store;
}

/* A leaf's reserved bits, and what belongs to extensions that are off. */
static bool well_formed(const struct rv_hart *h, uint64_t pte, unsigned level)
{
    uint64_t napot = PTE_PPN & 15;
    if (pte & PTE_RESERVED || (pte & (PTE_R | PTE_W)) == PTE_W)
        return false;
    if (pte & PTE_PBMT && (!(h->menvcfg & RV_ENVCFG_PBMTE) || (pte & PTE_PBMT) == PTE_PBMT))
        return false;
    if (pte & PTE_N && (level || napot != 8)) /* 64 KiB is the one size */
        return false;
    return !(PTE_PPN & ((UINT64_C(1) << LEVEL_BITS * level) - 1)); /* a superpage is aligned */
}

/* Walks the tables (12.3.2). False: out->cause. */
static bool walk(struct rv_hart *h, struct rv_view view, uint64_t va, enum rv_access access, struct rv_translation *out)
{
    const struct rv_environment *env = h->env;
    unsigned levels = 3 + (unsigned)(h->satp >> 60) - SATP_SV39;
    unsigned bits = PAGE_SHIFT + LEVEL_BITS * levels;
    out->cause = page_fault[access];
    if (sextract64(va, 0, bits) != (int64_t)va)
        return false;
again:;
    uint64_t table = extract64(h->satp, 0, 44) << PAGE_SHIFT, pte, at, unused_first, unused_last;
    unsigned level = levels - 1;
    for (;; level--) {
        at = table + PTE_SIZE * extract64(va, PAGE_SHIFT + LEVEL_BITS * level, LEVEL_BITS);
        if (!rv_pmp_allows(h, RV_SUPERVISOR, at, PTE_SIZE, RV_LOAD, &unused_first, &unused_last) ||
            !env->load(env->opaque, h, at, &pte)) {
            out->cause = access_fault[access];
            return false;
        }
        if (!(pte & PTE_V))
            return false;
        if (pte & (PTE_R | PTE_W | PTE_X))
            break;
        if (!level || pte & (PTE_U | PTE_A | PTE_D | PTE_N | PTE_PBMT | PTE_RESERVED))
            return false;
        table = PTE_PPN << PAGE_SHIFT;
    }
    permissions(h, view, pte, out);
    if (!well_formed(h, pte, level) || !allowed(out, access))
        return false;
    uint64_t needed = PTE_A | (access == RV_STORE ? PTE_D : 0);
    if ((pte & needed) != needed) {
        if (!(h->menvcfg & RV_ENVCFG_ADUE))
            return false;
        if (!rv_pmp_allows(h, RV_SUPERVISOR, at, PTE_SIZE, RV_STORE, &unused_first, &unused_last)) {
            out->cause = access_fault[access];
            return false;
        }
        if (!env->swap(env->opaque, at, pte, pte | needed))
            goto again; /* another hart changed it */
        pte |= needed;
    }
    out->store &= (pte & PTE_D) != 0;
    uint64_t ppn = PTE_PPN;
    unsigned shift = PAGE_SHIFT + LEVEL_BITS * level;
    if (pte & PTE_N) {
        ppn &= ~UINT64_C(15);
        shift += 4;
    }
    uint64_t offset = (UINT64_C(1) << shift) - 1;
    out->first = va & ~offset;
    out->last = va | offset;
    out->address = (ppn << PAGE_SHIFT) | (va & offset);
    return true;
}

/* Adds what PMP says: permissions, and the range narrowed to where that holds. */
static bool protect(const struct rv_hart *h, struct rv_view view, uint64_t va, unsigned size, enum rv_access access,
                    struct rv_translation *out)
{
    bool *const allows[] = {[RV_FETCH] = &out->fetch, [RV_LOAD] = &out->load, [RV_STORE] = &out->store};
    for (unsigned a = 0; a < ARRAY_SIZE(allows); a++) {
        uint64_t first, last;
        bool ok = rv_pmp_allows(h, view.privilege, out->address, size, a, &first, &last);
        if (a == access && !ok) {
            out->cause = access_fault[access];
            return false;
        }
        *allows[a] &= ok;
        if (va - out->first > out->address - first)
            out->first = va - (out->address - first);
        if (out->last - va > last - out->address)
            out->last = va + (last - out->address);
    }
    return true;
}

bool rv_translate_address(struct rv_hart *h, struct rv_view view, uint64_t address, unsigned size,
                          enum rv_access access, struct rv_translation *out)
{
    if (view.privilege == RV_MACHINE || h->satp >> 60 == SATP_BARE)
        *out = (struct rv_translation){address, 0, UINT64_MAX, true, true, true, RV_ILLEGAL};
    else if (!walk(h, view, address, access, out))
        return false;
    return protect(h, view, address, size, access, out);
}

/* --- for debuggers --- */

struct visitor {
    struct rv_hart *hart;
    void (*visit)(void *opaque, const struct target_mapping *m);
    void *opaque;
};

static void describe(const struct visitor *v, uint64_t va, uint64_t pte, unsigned level)
{
    static const char letters[] = "rwxugad"; /* of bits 1 to 7 */
    struct target_mapping m = {va, PTE_PPN << PAGE_SHIFT, UINT64_C(1) << (PAGE_SHIFT + LEVEL_BITS * level), ""};
    for (unsigned i = 0; letters[i]; i++)
        m.flags[i] = pte >> (i + 1) & 1 ? letters[i] : '-';
    if (pte & PTE_N) /* one page of 16 */
        m.physical = ((PTE_PPN & ~UINT64_C(15)) << PAGE_SHIFT) | (va & (UINT64_C(0xf) << PAGE_SHIFT));
    v->visit(v->opaque, &m);
}

static void visit_table(const struct visitor *v, uint64_t table, uint64_t va, unsigned level)
{
    const struct rv_environment *env = v->hart->env;
    unsigned shift = PAGE_SHIFT + LEVEL_BITS * level;
    for (uint64_t i = 0, pte; i < 1u << LEVEL_BITS; i++) {
        uint64_t at = va | i << shift;
        if (!env->load(env->opaque, v->hart, table + PTE_SIZE * i, &pte))
            return;
        if (!(pte & PTE_V))
            continue;
        if (pte & (PTE_R | PTE_W | PTE_X))
            describe(v, at, pte, level);
        else if (level)
            visit_table(v, PTE_PPN << PAGE_SHIFT, at, level - 1);
    }
}

void rv_each_mapping(struct rv_hart *h, void (*visit)(void *opaque, const struct target_mapping *m), void *opaque)
{
    const struct visitor v = {h, visit, opaque};
    if (h->satp >> 60 == SATP_BARE)
        return;
    unsigned levels = 3 + (unsigned)(h->satp >> 60) - SATP_SV39, bits = PAGE_SHIFT + LEVEL_BITS * levels;
    unsigned top = PAGE_SHIFT + LEVEL_BITS * (levels - 1);
    uint64_t root = extract64(h->satp, 0, 44) << PAGE_SHIFT, pte;
    for (uint64_t i = 0; i < 1u << LEVEL_BITS; i++) { /* the upper half's addresses are extended by their sign */
        uint64_t at = (uint64_t)sextract64(i << top, 0, bits);
        if (!h->env->load(h->env->opaque, h, root + PTE_SIZE * i, &pte) || !(pte & PTE_V))
            continue;
        if (pte & (PTE_R | PTE_W | PTE_X))
            describe(&v, at, pte, levels - 1);
        else
            visit_table(&v, PTE_PPN << PAGE_SHIFT, at, levels - 2);
    }
}

/* Through the tables, whatever they allow. */
static bool follow(const struct rv_hart *h, uint64_t address, uint64_t *physical)
{
    unsigned levels = 3 + (unsigned)(h->satp >> 60) - SATP_SV39;
    uint64_t table = extract64(h->satp, 0, 44) << PAGE_SHIFT, pte;
    if (sextract64(address, 0, PAGE_SHIFT + LEVEL_BITS * levels) != (int64_t)address)
        return false;
    for (unsigned level = levels; level--;) {
        unsigned shift = PAGE_SHIFT + LEVEL_BITS * level;
        if (!h->env->load(h->env->opaque, h, table + PTE_SIZE * extract64(address, shift, LEVEL_BITS), &pte) ||
            !(pte & PTE_V))
            return false;
        table = PTE_PPN << PAGE_SHIFT;
        if (!(pte & (PTE_R | PTE_W | PTE_X)))
            continue;
        uint64_t inside = (UINT64_C(1) << (shift + (pte & PTE_N ? 4 : 0))) - 1;
        *physical = (table & ~inside) | (address & inside);
        return true;
    }
    return false;
}

/* Machine mode with MPRV sees both: what is not in the tables is meant as it is. */
bool rv_look_up_address(const struct rv_hart *h, uint64_t address, uint64_t *physical)
{
    *physical = address;
    if (rv_data_view(h).privilege == RV_MACHINE || h->satp >> 60 == SATP_BARE)
        return true;
    return follow(h, address, physical) || h->privilege == RV_MACHINE;
}
