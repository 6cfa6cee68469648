/* The list of guests: one row each. */
#include <string.h>

#include "exec/target.h"

extern const struct target target_aarch64, target_riscv64;

const struct target *const targets[] = {
    &target_aarch64,
    &target_riscv64,
    NULL,
};

const struct target *target_by_name(const char *name)
{
    for (const struct target *const *t = targets; *t; t++)
        if (!strcmp((*t)->name, name))
            return *t;
    return NULL;
}

const struct target *target_by_elf(uint16_t machine, uint8_t elf_class, uint8_t elf_data)
{
    for (const struct target *const *t = targets; *t; t++)
        if ((*t)->elf_machine == machine && (*t)->elf_class == elf_class && (*t)->elf_data == elf_data)
            return *t;
    return NULL;
}
