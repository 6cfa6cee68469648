/*
 * Relocations left for later: they stand behind the end of the relocation table that the dynamic section tells
 * (System V gABI chapter 5), up to the table of the procedure linkage, and are all of the relative kind.
 */
#include "base/late.h"

#include <elf.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "host/cpu.h"

extern const Elf64_Ehdr __ehdr_start __attribute__((weak, visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((weak, visibility("hidden")));

/* C libraries differ in whether they turn the section's addresses into those in memory. */
static uintptr_t in_memory(uintptr_t base, uintptr_t address)
{
    return address < base ? base + address : address;
}

struct late_table {
    uintptr_t base, start, end;
};

/* False: all was done at the program's start. */
static bool find_table(struct late_table *t)
{
    uintptr_t size = 0;
    *t = (struct late_table){.base = (uintptr_t)&__ehdr_start};
    if (!_DYNAMIC || !t->base)
        return false;
    for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            t->start = in_memory(t->base, d->d_un.d_ptr);
        else if (d->d_tag == DT_RELASZ)
            size = d->d_un.d_val;
        else if (d->d_tag == DT_JMPREL)
            t->end = in_memory(t->base, d->d_un.d_ptr);
    }
    t->start += t->start ? size : t->end;
    return t->start < t->end;
}

void late_rest(void)
{
    struct late_table t;
    if (find_table(&t))
        madvise((void *)t.base, t.end - t.base, MADV_DONTNEED);
}

void late_relocate(void)
{
    static atomic_bool done;
    struct late_table t;
    if (atomic_load(&done) || !find_table(&t))
        return;
    const uintptr_t base = t.base;
    /* Two threads may do this at once: both write the same. */
    for (const Elf64_Rela *r = (const Elf64_Rela *)t.start; (uintptr_t)r < t.end; r++) {
        if (ELF64_R_TYPE(r->r_info) != host_relative_relocation)
            break;
        *(uintptr_t *)(base + r->r_offset) = base + (uintptr_t)r->r_addend;
    }
    atomic_store(&done, true);
}
