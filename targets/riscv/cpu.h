/*
 * State of an RV64 hart as user programs see it (The RISC-V Instruction Set Manual, volume I), and the slots through
 * which the code generator reaches it. The vector extension's state (vl, vtype, vstart, vcsr, v0-v31) would follow f.
 */
#ifndef TARGETS_RISCV_CPU_H
#define TARGETS_RISCV_CPU_H

#include "exec/cpu.h"

struct rv_cpu {
    struct cpu cpu;
    uint64_t x[32]; /* x[0] stays 0 */
    uint64_t f[32]; /* narrower values are NaN-boxed: all bits above them are ones */
    uint32_t frm;   /* fcsr.frm, 0 to 7; the modes MXCSR knows also stand there, as do the sticky flags (fflags) */
    /* LR's reservation: address (all ones: none) and the value that was loaded. */
    uint64_t res_addr;
    uint64_t res_value;
};

/* Slot numbers (struct ir_guest.slots). x0 is no slot. */
enum rv_slot {
    RV_X1, /* to RV_X1 + 30 */
    RV_F0 = 31, /* to RV_F0 + 31 */
    RV_RES_ADDR = RV_F0 + 32,
    RV_RES_VALUE,
    RV_NSLOTS
};

/* fcsr (chapter F, "Floating-Point Control and Status Register"). */
enum {
    FCSR_NX = 1 << 0,
    FCSR_UF = 1 << 1,
    FCSR_OF = 1 << 2,
    FCSR_DZ = 1 << 3,
    FCSR_NV = 1 << 4,
    FCSR_FLAGS = 0x1f,
    FCSR_FRM_SHIFT = 5,
    FCSR_FRM = 7 << FCSR_FRM_SHIFT,
    FCSR_WRITABLE = FCSR_FRM | FCSR_FLAGS,
};

/*
 * Mode bits of a translation (target->mode): the dynamic rounding mode. Code that names the same one statically is as
 * good as dynamic, and of the modes that MXCSR cannot express 4 (to nearest, ties to greater magnitude) goes through
 * softfloat and 5 to 7 make instructions that round by it illegal.
 */
enum { RV_MODE_FRM = 7 };
/* Further bits where privileged software runs: privilege, and which instructions it has now (priv/translate.c). */
enum { RV_MODE_PRIVILEGE_SHIFT = 3, RV_MODE_FP = 1 << 5, RV_MODE_CBO = 1 << 6, RV_MODE_CBO_ZERO = 1 << 7 };

enum {
    RV_CACHE_BLOCK = 64,          /* bytes: Zicbom, Zicboz */
    RV_TIME_FREQUENCY = 10000000, /* Hz of the time CSR */
    RV_USER_ADDRESS_BITS = 38,    /* Sv39, as nearly all processors: what assumes that (sanitizers of gcc 14) runs */
};

static inline struct rv_cpu *rv(struct cpu *cpu) { return (struct rv_cpu *)cpu; }

/* fcsr as CSR instructions see it (shared with signal frames, ptrace and core dumps); other bits are 0 and ignored. */
uint32_t rv_read_fcsr(const struct rv_cpu *cpu);
void rv_write_fcsr(struct rv_cpu *cpu, uint32_t value);
/* Or a part of it, by its CSR's number: 1 fflags, 2 frm, 3 fcsr. */
uint64_t rv_get_fcsr(struct cpu *cpu, unsigned n);
void rv_set_fcsr(struct cpu *cpu, unsigned n, uint64_t value);

extern const struct target target_riscv64;

#endif
