/* Instruction sets whose code is printed: of guests, and of hosts that code is generated for. */
#ifndef BASE_ISA_H
#define BASE_ISA_H

enum isa { ISA_AARCH64, ISA_RISCV64, ISA_X86_64 };

#endif
