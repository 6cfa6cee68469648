/*
 * What the riscv64 guest processor offers, told to programs through /proc/cpuinfo's isa line and riscv_hwprobe
 * (Documentation/arch/riscv/hwprobe.rst). One list feeds both; it names what targets/riscv implements.
 */
#ifndef LINUX_USER_RISCV64_FEATURES_H
#define LINUX_USER_RISCV64_FEATURES_H

#include <stdint.h>

/* X(name, bit): multi-letter extensions in the order of the ISA string; bit of RISCV_HWPROBE_KEY_IMA_EXT_0 or -1. */
#define RISCV_EXTENSIONS(X)                                                                       \
    X(zicbom, -1) X(zicboz, 6) X(zicntr, -1) X(zicond, 35) X(zicsr, -1) X(zifencei, -1)           \
    X(zihintpause, 36) X(zfa, 32) X(zfh, 27) X(zfhmin, 28) X(zca, 43) X(zcb, 44) X(zcd, 45)       \
    X(zba, 3) X(zbb, 4) X(zbc, 7) X(zbkb, 8) X(zbkc, 9) X(zbkx, 10) X(zbs, 5)                     \
    X(zknd, 11) X(zkne, 12) X(zknh, 13)

void rv64_print_cpuinfo(int fd, unsigned ncpus);

#endif
