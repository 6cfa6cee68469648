/*
 * Calling a helper whose signature is data, by the host's calling convention. call-vectors.c is for hosts that pass
 * vectors in registers of their own, call-words.c for those that pass them as integers.
 */
#ifndef TCG_CALL_H
#define TCG_CALL_H

#include "tcg/eval.h"

/*
 * Calls h; `e` of its signature is `state`, the others are taken from arg in order. Of *out, the result of the type,
 * only the bytes that the type has are valid.
 */
void call_helper(const struct ir_helper *h, void *state, const union ir_value arg[IR_CALL_ARGS], enum ir_type result,
                 union ir_value *out);

#endif
