/* /proc/cpuinfo of an aarch64 machine. */
#ifndef LINUX_USER_AARCH64_CPUINFO_H
#define LINUX_USER_AARCH64_CPUINFO_H

#include <stdint.h>

/* ncpus processors with the features that AT_HWCAP and AT_HWCAP2 tell and the identity in MIDR_EL1. */
void a64_print_cpuinfo(int fd, unsigned ncpus, uint64_t hwcap, uint64_t hwcap2, uint32_t midr);

#endif
