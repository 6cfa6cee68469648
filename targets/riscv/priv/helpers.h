/* C functions called by the code of privileged instructions: declared from helpers.def as the guest's others. */
#ifndef TARGETS_RISCV_PRIV_HELPERS_H
#define TARGETS_RISCV_PRIV_HELPERS_H

#include "targets/riscv/priv/priv.h"
#include "tcg/ir.h"

#define X(name, fn, sig, effects) extern const struct ir_helper rv_helper_##name;
#include "targets/riscv/priv/helpers.def"
#undef X

/* Of helper `csr`: number, enum rv_csr_op, whether it reads and writes. */
#define RV_CSR_REQUEST(number, op, reads, writes) \
    ((uint32_t)(number) | (uint32_t)(op) << 12 | (uint32_t)(reads) << 16 | (uint32_t)(writes) << 17)

#endif
