/*
 * C functions called by this guest's generated code: declared from helpers.def, one row each:
 * X(name, function, signature, effects), see struct ir_helper.
 */
#ifndef TARGETS_AARCH64_HELPERS_H
#define TARGETS_AARCH64_HELPERS_H

#include "targets/aarch64/cpu.h"

#define X(name, fn, sig, effects) extern const struct ir_helper a64_helper_##name;
#include "targets/aarch64/helpers.def"
#undef X

#endif
