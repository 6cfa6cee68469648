/* Signal frames of riscv64 (arch/riscv of the kernel's uapi headers: sigcontext.h, ptrace.h, ucontext.h). See linux_abi. */
#ifndef LINUX_USER_RISCV64_FRAME_H
#define LINUX_USER_RISCV64_FRAME_H

#include "linux-user/abi.h"

int rv64_setup_frame(struct task *t, const struct signal_frame *f);
int rv64_restore_frame(struct task *t, struct signal_frame *f);

#endif
