/* AArch64: random registers, and how they are printed. */
#include "harness.h"

_Static_assert(__builtin_offsetof(struct state, nzcv) == STATE_NZCV, "");
_Static_assert(__builtin_offsetof(struct state, v) == STATE_V, "");
_Static_assert(__builtin_offsetof(struct state, where) == STATE_WHERE, "");

long sys(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

/* FPCR of the sets: rounding modes, FZ, DN, AHP, FZ16; further sets choose at random. */
static uint64_t fpcr_of(struct random *r, unsigned set)
{
    enum { FZ16 = 1 << 19, RMODE = 1 << 22, FZ = 1 << 24, DN = 1 << 25, AHP = 1 << 26 };
    static const uint32_t modes[8] = {
        0, RMODE, FZ, 2 * RMODE, DN, 3 * RMODE, AHP, FZ | DN | FZ16,
    };
    return set < 8 ? modes[set] : rng(r) & (FZ16 | 3 * RMODE | FZ | DN | AHP);
}

void arch_random_state(struct state *s, struct random *r, unsigned set)
{
    static const uint8_t formats[8] = {32, 64, 16, 0, 64, 32, 16, 8};
    for (unsigned i = 0; i < 31; i++)
        s->x[i] = rng_integer(r);
    unsigned format = formats[(set + (rng(r) & 1)) & 7];
    for (unsigned i = 0; i < 64; i++) {
        if (format == 0)
            s->v[i] = rng(r);
        else if (format == 8)
            s->v[i] = rng_integer(r) ^ (rng_integer(r) & 0xffff0000ffff);
        else
            s->v[i] = rng_floats(r, format);
    }
    s->nzcv = rng(r) & 0xf0000000;
    s->fpcr = fpcr_of(r, set);
    s->fpsr = 0;
    s->unused = 0;
}

/* struct ucontext: general registers from byte 184 on, then SP, pc, PSTATE and records of which one is FPSIMD_MAGIC. */
uint64_t arch_signal_state(struct state *s, const void *ucontext)
{
    enum { REGS = 184, RECORDS = 464, FPSIMD_MAGIC = 0x46508001 };
    const uint64_t *regs = (const void *)((const char *)ucontext + REGS);
    for (unsigned i = 0; i < 32; i++)
        s->x[i] = regs[i];
    s->nzcv = regs[33] & 0xf0000000;
    const uint32_t *record = (const void *)((const char *)ucontext + RECORDS);
    while (record[0] && record[0] != FPSIMD_MAGIC)
        record += record[1] / 4;
    s->fpsr = record[2] & FPSR_MASK;
    s->fpcr = record[3] & FPCR_MASK;
    for (unsigned i = 0; i < 64; i++)
        s->v[i] = ((const uint64_t *)(record + 4))[i];
    return regs[32];
}

static void print_register(const char *prefix, unsigned n, const char *suffix, uint64_t before, uint64_t after)
{
    char name[16];
    unsigned k = 0;
    while (*prefix)
        name[k++] = *prefix++;
    if (n >= 10)
        name[k++] = '0' + n / 10;
    name[k++] = '0' + n % 10;
    while (*suffix)
        name[k++] = *suffix++;
    name[k] = 0;
    print_text("before ");
    print_hex(name, before);
    if (before != after)
        print_hex(name, after);
}

static void print_special(const char *name, uint64_t before, uint64_t after)
{
    print_text("before ");
    print_hex(name, before);
    if (before != after)
        print_hex(name, after);
}

void arch_print(const struct state *before, const struct state *after)
{
    for (unsigned i = 0; i < 32; i++)
        print_register("x", i, "", before->x[i], after->x[i]);
    for (unsigned i = 0; i < 64; i++)
        print_register("v", i / 2, i & 1 ? "_high" : "_low", before->v[i], after->v[i]);
    print_special("nzcv", before->nzcv, after->nzcv);
    print_special("fpcr", before->fpcr, after->fpcr);
    print_special("fpsr", before->fpsr, after->fpsr);
}
