/* Names of capstone's disassembler for this guest, also where capstone is too old to have one. */
#ifndef TARGETS_RISCV_DISASSEMBLER_H
#define TARGETS_RISCV_DISASSEMBLER_H

#include <capstone/capstone.h>

/* Capstone 5 has RISC-V. */
#if CS_API_MAJOR < 5
enum { CS_ARCH_RISCV = CS_ARCH_MAX, CS_MODE_RISCV64 = 0, CS_MODE_RISCVC = 0 };
#endif

#endif
