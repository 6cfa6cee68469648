/* Guest values to the host's and back, by the tables of syscall-tables/. Pure functions. */
#ifndef LINUX_USER_XLAT_H
#define LINUX_USER_XLAT_H

#include "syscall-tables/tables.h"

/* The word with the set's differing flags moved; unknown bits stay where they are, for the kernel to judge. */
uint64_t flags_to_host(const struct syscall_abi *abi, enum flag_set_id set, uint64_t word);
uint64_t flags_to_guest(const struct syscall_abi *abi, enum flag_set_id set, uint64_t word);

/* Field by field between the two layouts; fields only one side has become zero. Never partial. */
void struct_to_host(enum struct_id id, void *host, const void *guest);
void struct_to_guest(enum struct_id id, void *guest, const void *host);

/* NULL: not in the table. */
const struct errno_desc *errno_by_number(unsigned number);
const struct ioctl_desc *ioctl_by_command(uint32_t command);
/* Of a command that is not in the table: its type's own refusal. NULL: it has none. */
const struct ioctl_refusal *ioctl_refusal(uint32_t command);

#endif
