/*
 * What the riscv64 guest processor offers, told to programs through /proc/cpuinfo's isa line and riscv_hwprobe
 * (Documentation/arch/riscv/hwprobe.rst). The list is targets/riscv/extensions.h.
 */
#ifndef LINUX_USER_RISCV64_FEATURES_H
#define LINUX_USER_RISCV64_FEATURES_H

#include <stdint.h>

void rv64_print_cpuinfo(int fd, unsigned ncpus);
/* struct linux_abi's prctl */
int64_t rv64_prctl(const uint64_t a[6]);

#endif
