/* Signal frames of Linux on AArch64 (struct linux_abi's setup_frame and restore_frame). */
#ifndef LINUX_USER_AARCH64_SIGNAL_H
#define LINUX_USER_AARCH64_SIGNAL_H

#include "linux-user/abi.h"

int a64_setup_frame(struct task *t, const struct signal_frame *f);
int a64_restore_frame(struct task *t, struct signal_frame *f);

#endif
