/* Code of the riscv64 vDSO. */
#ifndef LINUX_USER_RISCV64_VDSO_H
#define LINUX_USER_RISCV64_VDSO_H

#include "linux-user/abi.h"

extern const struct vdso_desc rv64_vdso;

#endif
