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

#include "host/cpu.h"

extern const Elf64_Ehdr __ehdr_start __attribute__((weak, visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((weak, visibility("hidden")));

/* C libraries differ in whether they turn the section's addresses into those in memory. */
static uintptr_t in_memory(uintptr_t base, uintptr_t address)
{
    return address < base ? base + address : address;
}

void late_relocate(void)
{
    static atomic_bool done;
    uintptr_t base = (uintptr_t)&__ehdr_start, table = 0, size = 0, end = 0;
    if (!_DYNAMIC || !base || atomic_load(&done))
        return;
    for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            table = in_memory(base, d->d_un.d_ptr);
        else if (d->d_tag == DT_RELASZ)
            size = d->d_un.d_val;
        else if (d->d_tag == DT_JMPREL)
            end = in_memory(base, d->d_un.d_ptr);
    }
    /* Two threads may do this at once: both write the same. */
    for (const Elf64_Rela *r = (const Elf64_Rela *)(table + size); table && (uintptr_t)r < end; r++) {
        if (ELF64_R_TYPE(r->r_info) != host_relative_relocation)
            break;
        *(uintptr_t *)(base + r->r_offset) = base + (uintptr_t)r->r_addend;
    }
    atomic_store(&done, true);
}
