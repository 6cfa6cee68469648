/* Registers of an AArch64 case. The offsets serve start.S. */
#ifndef TESTS_INSN_STATE_H
#define TESTS_INSN_STATE_H

#define STATE_NZCV 256
#define STATE_V 288
#define STATE_WHERE 800

#define REG_STUB 30
#define REG_STACK 31

/* Without what belongs to AArch32 where there is AArch32: condition flags; Len and Stride. */
#define FPSR_MASK 0x0fffffff
#define FPCR_MASK ~0x370000

#define SYS_write 64
#define SYS_exit 93
#define SYS_sigaltstack 132
#define SYS_rt_sigaction 134

#ifndef __ASSEMBLER__
#include <stdint.h>
struct state {
    uint64_t x[32]; /* x[31]: SP */
    uint64_t nzcv, fpcr, fpsr, unused;
    uint64_t v[64];
    uint64_t where, address;
};
#endif

#endif
