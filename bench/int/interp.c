/* An interpreter of a small stack machine: one switch, indirect jumps, loads and stores of its stack. */
#include "../bench.h"

enum op { PUSH, LOAD, STORE, ADD, SUB, MUL, XOR, LESS, JUMPZ, JUMP, DUP, SHR, HALT };
struct code {
    enum op op;
    int32_t arg;
};

/* for (i = 0; i < limit; i++) { x = x * 5 + i; if (x & odd) x = x ^ i; sum = sum + (x >> 3); } */
static struct code program[] = {
    {PUSH, 0},  {STORE, 0},                                         /* i = 0 */
    {LOAD, 0},  {LOAD, 3},   {LESS, 0},  {JUMPZ, 29},               /* 2: i < limit */
    {LOAD, 1},  {PUSH, 5},   {MUL, 0},   {LOAD, 0}, {ADD, 0}, {STORE, 1},
    {LOAD, 1},  {PUSH, 64},  {LESS, 0},  {JUMPZ, 18},               /* 12: x < 64: x is moved up */
    {PUSH, 99}, {STORE, 1},
    {LOAD, 1},  {LOAD, 0},   {XOR, 0},   {SHR, 3},  {LOAD, 2}, {ADD, 0}, {STORE, 2},
    {LOAD, 0},  {PUSH, 1},   {ADD, 0},   {JUMP, 30},                /* i++ */
    {HALT, 0},                                                      /* 29 */
    {STORE, 0}, {JUMP, 2},
};

__attribute__((noinline)) static uint32_t run(const struct code *c, uint32_t var[4])
{
    uint32_t stack[16], *sp = stack, steps = 0;
    for (const struct code *pc = c;; steps++) {
        const struct code *in = pc++;
        switch (in->op) {
        case PUSH: *sp++ = in->arg; break;
        case LOAD: *sp++ = var[in->arg]; break;
        case STORE: var[in->arg] = *--sp; break;
        case ADD: sp--; sp[-1] += *sp; break;
        case SUB: sp--; sp[-1] -= *sp; break;
        case MUL: sp--; sp[-1] *= *sp; break;
        case XOR: sp--; sp[-1] ^= *sp; break;
        case LESS: sp--; sp[-1] = sp[-1] < *sp; break;
        case JUMPZ: if (!*--sp) pc = c + in->arg; break;
        case JUMP: pc = c + in->arg; break;
        case DUP: *sp = sp[-1]; sp++; break;
        case SHR: sp[-1] >>= in->arg; break;
        case HALT: return steps;
        }
    }
}

int main(void)
{
    uint32_t var[4] = {0, 1, 0, 12000000};
    uint64_t steps = run(program, var);
    return report(mix(mix(steps, var[1]), var[2]));
}
