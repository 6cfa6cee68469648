/* The list of Linux ABIs: one row per guest architecture. */
#include "linux-user/abi.h"

extern const struct linux_abi linux_abi_aarch64, linux_abi_riscv64;

const struct linux_abi *const linux_abis[] = {
    &linux_abi_aarch64,
    &linux_abi_riscv64,
    NULL,
};

const struct linux_abi *linux_abi_of(const struct target *t)
{
    for (const struct linux_abi *const *a = linux_abis; *a; a++)
        if ((*a)->target == t)
            return *a;
    return NULL;
}
