/* Machine code as text, for the log. */
#ifndef EXEC_DISASSEMBLE_H
#define EXEC_DISASSEMBLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/isa.h"

/*
 * Prints the code, which stands at address `at`, one instruction a line; in bytes what is none, or the instruction set
 * isn't known.
 */
void disassemble(FILE *f, enum isa isa, const uint8_t *code, size_t size, uint64_t at);

#endif
