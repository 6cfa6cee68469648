/*
 * The extensions this hart implements, beside the base RV64I: the one list behind the decoder's checks, the ISA string
 * and riscv_hwprobe.
 */
#ifndef TARGETS_RISCV_EXTENSIONS_H
#define TARGETS_RISCV_EXTENSIONS_H

#include <stdint.h>

/*
 * X(name, bit, on): in the order of the ISA string (manual, "ISA Extension Naming Conventions"; single letters first).
 * bit: of RISCV_HWPROBE_KEY_IMA_EXT_0 (Documentation/arch/riscv/hwprobe.rst), -1: none.
 */
#define RV_SINGLE_LETTER(X) X(m, -1, 1) X(a, -1, 1) X(f, 0, 1) X(d, 0, 1) X(c, 1, 1)
#define RV_MULTI_LETTER(X)                                                                                        \
    X(zicbom, -1, 1) X(zicbop, -1, 1) X(zicboz, 6, 1) X(zicntr, -1, 1) X(zicond, 35, 1) X(zicsr, -1, 1)           \
    X(zifencei, -1, 1) X(zihintpause, 36, 1) X(zfa, 32, 1) X(zfh, 27, 1) X(zfhmin, 28, 1) X(zca, 43, 1)           \
    X(zcb, 44, 1) X(zcd, 45, 1) X(zba, 3, 1) X(zbb, 4, 1) X(zbc, 7, 1) X(zbkb, 8, 1) X(zbkc, 9, 1) X(zbkx, 10, 1) \
    X(zbs, 5, 1) X(zknd, 11, 1) X(zkne, 12, 1) X(zknh, 13, 1)
#define RV_EXTENSIONS(X) RV_SINGLE_LETTER(X) RV_MULTI_LETTER(X)

enum rv_extension {
#define X(name, bit, on) RV_EXT_##name,
    RV_EXTENSIONS(X)
#undef X
};

/* One bit per enum rv_extension. */
static const uint64_t rv_extensions_on = 0
#define X(name, bit, on) | (uint64_t)(on) << RV_EXT_##name
    RV_EXTENSIONS(X)
#undef X
    ;

#endif
