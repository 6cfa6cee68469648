/* The front end where privileged software runs: see translate.c. */
#ifndef TARGETS_RISCV_PRIV_TRANSLATE_H
#define TARGETS_RISCV_PRIV_TRANSLATE_H

#include "targets/riscv/translate.h"

void rv_translate_privileged(struct ir_builder *b, const struct code_reader *code, unsigned max_insns);

#endif
