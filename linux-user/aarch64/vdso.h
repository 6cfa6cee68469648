/* Code of the AArch64 vDSO. */
#ifndef LINUX_USER_AARCH64_VDSO_H
#define LINUX_USER_AARCH64_VDSO_H

#include "linux-user/abi.h"

extern const struct vdso_desc a64_vdso;

#endif
