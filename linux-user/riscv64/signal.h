/* Signal frames of Linux on riscv64 (struct linux_abi's setup_frame and restore_frame). */
#ifndef LINUX_USER_RISCV64_SIGNAL_H
#define LINUX_USER_RISCV64_SIGNAL_H

#include "linux-user/abi.h"

int rv64_setup_frame(struct task *t, const struct signal_frame *f);
int rv64_restore_frame(struct task *t, struct signal_frame *f);

#endif
