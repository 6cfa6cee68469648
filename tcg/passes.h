/* The passes behind ir_optimize(). Each keeps the meaning of a unit and leaves NOPs where it removed instructions. */
#ifndef TCG_PASSES_H
#define TCG_PASSES_H

#include "tcg/ir.h"

/* pass-compare.c: comparisons move into the instruction that uses them, narrower and as bit tests where they can. */
void ir_pass_compare(struct ir_unit *u);
/* pass-dead.c: PUTs that are overwritten unseen, then values without readers. */
void ir_pass_dead(struct ir_unit *u);

/* loop-vector.c: loops of vectors in front of counted loops. */
void ir_pass_loops(struct ir_unit *u);

#endif
