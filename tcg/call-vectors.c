/*
 * The SysV x86-64 and AAPCS64 conventions: integer and floating-point arguments are numbered independently, each kind
 * in its own registers, and surplus arguments harm nobody: the caller removes them. So one prototype, at most `e` and
 * 6 integers and 6 vectors, calls every helper. Floats are the low bits of a vector register. Of a narrow integer
 * only the low half counts.
 */
#include "tcg/call.h"

typedef uint64_t int_helper(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, v128, v128, v128,
                            v128, v128, v128);
typedef v128 vec_helper(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, v128, v128, v128, v128,
                        v128, v128);

void call_helper(const struct ir_helper *h, void *state, const union ir_value arg[IR_CALL_ARGS], enum ir_type result,
                 union ir_value *out)
{
    uint64_t i[IR_CALL_ARGS + 1] = {0};
    v128 v[IR_CALL_ARGS] = {0};
    unsigned ni = 0, nv = 0;
    for (const char *s = h->sig + 2; *s; s++) {
        if (*s == 'e')
            i[ni++] = (uintptr_t)state;
        else if (*s == 'i' || *s == 'l')
            i[ni++] = arg++->q[0];
        else
            v[nv++] = arg++->v;
    }
    if (result == IR_VOID || result == IR_I32 || result == IR_I64)
        out->q[0] = ((int_helper *)h->fn)(i[0], i[1], i[2], i[3], i[4], i[5], i[6], v[0], v[1], v[2], v[3], v[4], v[5]);
    else
        out->v = ((vec_helper *)h->fn)(i[0], i[1], i[2], i[3], i[4], i[5], i[6], v[0], v[1], v[2], v[3], v[4], v[5]);
}
