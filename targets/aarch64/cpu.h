/*
 * State of an AArch64 processor as user programs see it (Arm ARM DDI 0487, B1.2 and C5.2), and the slots through
 * which the code generator reaches it.
 */
#ifndef TARGETS_AARCH64_CPU_H
#define TARGETS_AARCH64_CPU_H

#include "exec/cpu.h"

struct a64_cpu {
    struct cpu cpu;
    uint64_t x[31];
    uint64_t sp;
    uint32_t nzcv;     /* four bits: N=8 Z=4 C=2 V=1 */
    uint32_t fpcr;     /* DN, FZ, AHP, RMode, FZ16 as in the register; RMode also stands in cpu.mxcsr */
    uint32_t qc;       /* FPSR.QC: non-zero when set */
    uint32_t fpsr_idc; /* FPSR.IDC, which MXCSR has no bit for */
    uint64_t tpidr;    /* TPIDR_EL0 */
    /* The local exclusive monitor: address (all ones: open) and the value that was loaded. */
    uint64_t excl_addr;
    uint64_t excl_value[2];
    v128 v[32] __attribute__((aligned(16)));
};

/* Slot numbers (struct ir_guest.slots). */
enum a64_slot {
    A64_X0, /* to A64_X0 + 30 */
    A64_SP = 31,
    A64_NZCV,
    A64_QC,
    A64_TPIDR,
    A64_EXCL_ADDR,
    A64_EXCL_LO,
    A64_EXCL_HI,
    A64_V0, /* to A64_V0 + 31 */
    A64_NSLOTS = A64_V0 + 32
};

/* FPCR bits (C5.2.8). */
enum {
    FPCR_FZ16 = 1 << 19,
    FPCR_RMODE_SHIFT = 22,
    FPCR_FZ = 1 << 24,
    FPCR_DN = 1 << 25,
    FPCR_AHP = 1 << 26,
    FPCR_WRITABLE = FPCR_FZ16 | 3 << FPCR_RMODE_SHIFT | FPCR_FZ | FPCR_DN | FPCR_AHP,
};

/* FPSR bits (C5.2.9). */
enum {
    FPSR_IOC = 1 << 0,
    FPSR_DZC = 1 << 1,
    FPSR_OFC = 1 << 2,
    FPSR_UFC = 1 << 3,
    FPSR_IXC = 1 << 4,
    FPSR_IDC = 1 << 7,
    FPSR_QC = 1 << 27,
};

/* Mode bits of a translation (target->mode): FPCR bits that MXCSR cannot express. */
enum {
    A64_MODE_SOFT_FP = 1 << 0, /* FZ, DN, AHP or FZ16 is set: floating point goes through softfloat helpers */
};

enum { A64_MIDR = 0x410fd0c0 }; /* MIDR_EL1: the identity programs see */

static inline struct a64_cpu *a64(struct cpu *cpu) { return (struct a64_cpu *)cpu; }

/* FPCR and FPSR as MRS reads them and MSR writes them (shared with signal frames and core dumps). */
uint32_t a64_read_fpcr(const struct a64_cpu *cpu);
void a64_write_fpcr(struct a64_cpu *cpu, uint32_t value);
uint32_t a64_read_fpsr(const struct a64_cpu *cpu);
void a64_write_fpsr(struct a64_cpu *cpu, uint32_t value);

extern const struct target target_aarch64;

#endif
