/* Registers of a RISC-V case. The offsets serve start.S. */
#ifndef TESTS_INSN_STATE_H
#define TESTS_INSN_STATE_H

#define STATE_F 256
#define STATE_FCSR 512
#define STATE_WHERE 520

#define REG_STUB 31
#define REG_STACK 2

#define SYS_write 64
#define SYS_exit 93
#define SYS_sigaltstack 132
#define SYS_rt_sigaction 134

#ifndef __ASSEMBLER__
#include <stdint.h>
struct state {
    uint64_t x[32]; /* x[0]: unused; x[31] holds the address of the stub and can't be a destination */
    uint64_t f[32];
    uint64_t fcsr;
    uint64_t where, address;
};
#endif

#endif
