/*
 * base/softfloat under the guest's FPCR, its flags collected in FPSR (Arm ARM C5.2.8, C5.2.9). For helpers marked
 * HELPER_FP: while they run, the guest's sticky flags are in cpu.mxcsr.
 */
#ifndef TARGETS_AARCH64_FP_ENV_H
#define TARGETS_AARCH64_FP_ENV_H

#include "base/softfloat.h"
#include "targets/aarch64/cpu.h"

/* For operations on values of format f: FZ16 flushes half precision, FZ the others. */
static inline struct fp_env a64_fp_env(const struct a64_cpu *cpu, const struct fp_format *f)
{
    static const uint8_t round[4] = {FP_RNE, FP_RUP, FP_RDN, FP_RTZ}; /* RMode */
    bool flush = cpu->fpcr & (f == &fp_f16 ? FPCR_FZ16 : FPCR_FZ);
    return (struct fp_env){
        .rules = &fp_rules_arm,
        .round = round[cpu->fpcr >> FPCR_RMODE_SHIFT & 3],
        .flush_inputs = flush,
        .flush_outputs = flush,
        .default_nan = cpu->fpcr & FPCR_DN,
        .ahp = cpu->fpcr & FPCR_AHP,
    };
}

/* For conversions between formats, where FZ16 has no say (FPUnpackCV, FPRoundCV). */
static inline struct fp_env a64_fp_env_convert(const struct a64_cpu *cpu)
{
    return a64_fp_env(cpu, &fp_f64);
}

/* Adds what the operations raised to FPSR. */
static inline void a64_fp_raise(struct a64_cpu *cpu, const struct fp_env *env)
{
    /* IOC keeps its place in MXCSR; DZC, OFC, UFC, IXC stand one higher, above the denormal flag. */
    unsigned f = env->flags;
    cpu->cpu.mxcsr |= (f & FP_INVALID) | (f & (FP_DIVZERO | FP_OVERFLOW | FP_UNDERFLOW | FP_INEXACT)) << 1;
    if (f & FP_INPUT_DENORMAL)
        cpu->fpsr_idc = 1;
}

#endif
