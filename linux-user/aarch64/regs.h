/* Register sets of arm64. */
#ifndef LINUX_USER_AARCH64_REGS_H
#define LINUX_USER_AARCH64_REGS_H

#include "linux-user/abi.h"

extern const struct regset a64_regsets[];
extern const struct debug_regset a64_debug_regsets[];

#endif
