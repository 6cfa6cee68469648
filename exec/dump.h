/* What `-d` prints about translations and processors. */
#ifndef EXEC_DUMP_H
#define EXEC_DUMP_H

#include "exec/code.h"
#include "exec/target.h"

struct exec;
void dump_guest(const struct target *t, const struct code_reader *code, uint64_t pc, size_t bytes);
void dump_unit(const char *title, const struct ir_unit *u);
void dump_host(const struct tcg_host *host, const struct code_block *b);
/*
 * A line for the unit in the map that perf(1) looks for; in a process that has none yet, lines for all units. x->lock
 * held.
 */
void dump_perf(struct exec *x, const struct code_block *b);
void dump_cpu(const struct cpu *cpu);
void dump_stats(FILE *f, const struct exec *x);

#endif
