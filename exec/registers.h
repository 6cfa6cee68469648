/* A guest's registers by the rows of its target (struct target_feature): for dumps and debuggers. */
#ifndef EXEC_REGISTERS_H
#define EXEC_REGISTERS_H

#include "exec/target.h"

/* The i-th register of the feature; false: it has no more. */
bool register_row(const struct target_feature *f, unsigned i, struct target_reg *out);
/* The register with this number, counted through all features; false: there is none. */
bool register_by_number(const struct target *t, unsigned number, struct target_reg *out);
/* Its value: r->size bytes, little-endian. The processor stands still. */
void register_read(struct cpu *cpu, const struct target_reg *r, void *out);
/* False: it can't be written. */
bool register_write(struct cpu *cpu, const struct target_reg *r, const void *in);

#endif
