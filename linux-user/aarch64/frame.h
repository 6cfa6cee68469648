/* Signal frames of arm64 (arch/arm64 of the kernel's uapi headers: sigcontext.h, ucontext.h). See linux_abi. */
#ifndef LINUX_USER_AARCH64_FRAME_H
#define LINUX_USER_AARCH64_FRAME_H

#include "linux-user/abi.h"

int a64_setup_frame(struct task *t, const struct signal_frame *f);
int a64_restore_frame(struct task *t, struct signal_frame *f);

#endif
