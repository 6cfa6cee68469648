/*
 * The RISC-V convention LP64D (psABI, "Integer" and "Hardware Floating-point Calling Convention"): floats go to their
 * own registers, numbered independently, narrow ones with all higher bits set; integers are sign-extended from 32 bits;
 * vectors are two words that follow the integers, on the stack from an even one. Eight words are in registers. Surplus
 * arguments harm nobody, so one prototype calls every helper.
 */
#include "tcg/call.h"

enum { WORDS_IN_REGISTERS = 8, STACK_WORDS = 6, MAX_WORDS = WORDS_IN_REGISTERS + STACK_WORDS };

#define WORDS uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, \
              uint64_t, uint64_t, uint64_t
#define FLOATS double, double, double, double, double, double
#define ARGUMENTS w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12], w[13], \
                  f[0].d, f[1].d, f[2].d, f[3].d, f[4].d, f[5].d
typedef uint64_t int_helper(WORDS, FLOATS);
typedef double float_helper(WORDS, FLOATS);
typedef struct words {
    uint64_t w[2];
} vec_helper(WORDS, FLOATS);

void call_helper(const struct ir_helper *h, void *state, const union ir_value arg[IR_CALL_ARGS], enum ir_type result,
                 union ir_value *out)
{
    uint64_t w[MAX_WORDS] = {0};
    union {
        uint64_t u;
        double d;
    } f[IR_CALL_ARGS] = {0}, r;
    struct words pair;
    unsigned nw = 0, nf = 0;
    for (const char *s = h->sig + 2; *s; s++) {
        switch (*s) {
        case 'e': w[nw++] = (uintptr_t)state; break;
        case 'i': w[nw++] = (uint64_t)(int32_t)arg++->q[0]; break;
        case 'l': w[nw++] = arg++->q[0]; break;
        case 'v':
            nw += nw > WORDS_IN_REGISTERS && nw & 1;
            w[nw++] = arg->q[0];
            w[nw++] = arg++->q[1];
            break;
        case 'f': f[nf++].u = arg++->q[0] | UINT64_C(0xffffffff00000000); break;
        default: f[nf++].u = arg++->q[0];
        }
    }
    switch (result) {
    case IR_F32:
    case IR_F64:
        r.d = ((float_helper *)h->fn)(ARGUMENTS);
        out->q[0] = r.u;
        break;
    case IR_V128:
        pair = ((vec_helper *)h->fn)(ARGUMENTS);
        out->q[0] = pair.w[0];
        out->q[1] = pair.w[1];
        break;
    default: out->q[0] = ((int_helper *)h->fn)(ARGUMENTS);
    }
}
