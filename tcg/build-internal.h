/* What the files of the builder share; nobody else includes it. */
#ifndef TCG_BUILD_INTERNAL_H
#define TCG_BUILD_INTERNAL_H

#include "tcg/build.h"
#include "tcg/eval.h"

/*
 * A simpler way to get the value of a pure instruction (canonical: constants second), appended if need be; IR_NONE
 * if there is none. May rewrite *in to an equivalent one that is to be appended instead.
 */
ir_ref b_simplify(struct ir_builder *b, struct ir_inst *in);
/* An integer comparison (SETCC, SELCC, GOTO_IF): its outcome 0 or 1, or -1 if open. Puts a constant second. */
int b_settle(struct ir_builder *b, struct ir_inst *in);

/* A jump is being built: regions remember where it leads. */
void b_note_jump(struct ir_builder *b, const struct ir_inst *in);

/*
 * Is the target of an indirect jump loaded from a constant address, as in a PLT? Then what is there now is the likely
 * one.
 */
bool b_likely_target(const struct ir_builder *b, ir_ref target, uint64_t *likely);

#endif
