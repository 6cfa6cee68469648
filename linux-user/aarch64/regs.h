/* Register sets of arm64. */
#ifndef LINUX_USER_AARCH64_REGS_H
#define LINUX_USER_AARCH64_REGS_H

#include "linux-user/abi.h"

/* Of a program's PSTATE: D, A, I, F and the mode, which is EL0 of AArch64. As the kernel's valid_user_regs(). */
enum { A64_PSTATE_ZERO = 0x3df };

extern const struct regset a64_regsets[];
extern const struct debug_regset a64_debug_regsets[];

#endif
