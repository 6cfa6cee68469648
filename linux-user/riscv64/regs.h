/* Register sets of riscv64. */
#ifndef LINUX_USER_RISCV64_REGS_H
#define LINUX_USER_RISCV64_REGS_H

#include "linux-user/abi.h"

extern const struct regset rv64_regsets[];

#endif
