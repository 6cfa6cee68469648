/* Floating-point functions of helper-fp.c: those that helpers.def names, and the constants of FLI. */
#ifndef TARGETS_RISCV_HELPER_FP_H
#define TARGETS_RISCV_HELPER_FP_H

#include <stdint.h>

struct rv_cpu;

/* Does what RV_FP_REQUEST says; flags go to the state. */
uint64_t rv_fp(struct rv_cpu *cpu, uint32_t request, uint64_t a, uint64_t b, uint64_t c);
/* FCLASS of a value of format fmt (enum rv_fmt). */
uint64_t rv_fclass(uint32_t fmt, uint64_t a);
/* Constant `number` (0 to 31) of FLI as raw bits of the format; 2^16 is infinity in half precision. */
uint64_t rv_fp_constant(unsigned fmt, unsigned number);

#endif
