/* RISC-V: random registers, and how they are printed. */
#include "harness.h"

_Static_assert(__builtin_offsetof(struct state, f) == STATE_F, "");
_Static_assert(__builtin_offsetof(struct state, fcsr) == STATE_FCSR, "");
_Static_assert(__builtin_offsetof(struct state, where) == STATE_WHERE, "");

long sys(long number, long a, long b, long c, long d)
{
    register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3) : "memory");
    return a0;
}

/* Numbers of a format in registers: boxed in ones, but for one in sixteen. */
static uint64_t boxed(struct random *r, unsigned bits)
{
    uint64_t v = rng_floats(r, bits);
    return bits == 64 || !(rng(r) & 15) ? v : v | ~UINT64_C(0) << bits;
}

void arch_random_state(struct state *s, struct random *r, unsigned set)
{
    static const uint8_t formats[4] = {32, 64, 16, 0};
    for (unsigned i = 0; i < 32; i++)
        s->x[i] = i ? rng_integer(r) : 0;
    unsigned format = formats[(set + (rng(r) & 1)) & 3];
    for (unsigned i = 0; i < 32; i++)
        s->f[i] = format ? boxed(r, format) : boxed(r, 16 << (rng(r) % 3));
    s->fcsr = (set & 1 ? rng(r) % 5 : set >> 1 & 3) << 5; /* frm; the reserved modes in every eighth set */
    if (set % 8 == 7)
        s->fcsr = (rng(r) & 7) << 5 | (rng(r) & 31);
}

/* struct ucontext: pc, x1 to x31, f0 to f31, fcsr from byte 176 on. */
uint64_t arch_signal_state(struct state *s, const void *ucontext)
{
    const uint64_t *regs = (const void *)((const char *)ucontext + 176);
    for (unsigned i = 1; i < 32; i++)
        s->x[i] = regs[i];
    for (unsigned i = 0; i < 32; i++)
        s->f[i] = regs[32 + i];
    s->fcsr = (uint32_t)regs[64];
    return regs[0];
}

static void print_register(const char *prefix, unsigned n, uint64_t before, uint64_t after)
{
    char name[] = {prefix[0], '0' + n / 10, '0' + n % 10, 0, 0};
    if (n < 10) {
        name[1] = name[2];
        name[2] = 0;
    }
    print_text("before ");
    print_hex(name, before);
    if (before != after)
        print_hex(name, after);
}

void arch_print(const struct state *before, const struct state *after)
{
    for (unsigned i = 1; i < 32; i++)
        print_register("x", i, before->x[i], after->x[i]);
    for (unsigned i = 0; i < 32; i++)
        print_register("f", i, before->f[i], after->f[i]);
    print_text("before ");
    print_hex("fcsr", before->fcsr);
    if (before->fcsr != after->fcsr)
        print_hex("fcsr", after->fcsr);
}
