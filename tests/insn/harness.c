/*
 * A program for the guest that executes single instructions on random operands and prints, per instruction, a hash of
 * all registers and of the memory they left behind; see harness.h. It uses no C library and four system calls, and
 * depends on nothing that differs between one machine and another.
 *
 *     insn run SETS FIRST         each case from number FIRST on, with SETS sets of operands: a line with its hash
 *     insn show CASE SET          registers and memory before and after
 */
#include "harness.h"

#define SCRATCH_SIZE 4096
#define SCRATCH_WORDS (SCRATCH_SIZE / 8)
#define UNMAPPED 0x1000000 /* behind the scratch memory is nothing */
extern uint64_t scratch[SCRATCH_WORDS];

/* The compiler copies structs by these. */
void *memcpy(void *to, const void *from, unsigned long n);
void *memset(void *to, int byte, unsigned long n);

void *memcpy(void *to, const void *from, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memset(void *to, int byte, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        ((char *)to)[i] = byte;
    return to;
}

static char out[4096];
static unsigned out_len;

static void flush(void)
{
    sys(SYS_write, 1, (long)out, out_len, 0);
    out_len = 0;
}

void print_text(const char *text)
{
    while (*text)
        out[out_len++] = *text++;
    if (out_len > sizeof(out) - 256)
        flush();
}

static void print_digits(uint64_t v, int digits)
{
    for (int i = digits - 1; i >= 0; i--)
        out[out_len++] = "0123456789abcdef"[v >> 4 * i & 15];
}

void print_hex(const char *name, uint64_t v)
{
    print_text(name);
    print_text(" ");
    print_digits(v, 16);
    print_text("\n");
}

/* --- random operands --- */

uint64_t rng(struct random *r)
{
    r->x += 0x9e3779b97f4a7c15; /* splitmix64 */
    uint64_t z = r->x;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t rng_integer(struct random *r)
{
    static const uint64_t special[16] = {
        0, 1, ~0ull, 1ull << 63, ~0ull >> 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xffffffff80000000, 0x100000000, 2,
        -2ull, 0x8000, 0x7f, 0x8080808080808080, 0x0123456789abcdef,
    };
    uint64_t v = rng(r), how = rng(r);
    switch (how & 7) {
    case 0:
    case 1:
        return special[v & 15];
    case 2:
        return v & 127;
    case 3:
        return (int64_t)(int32_t)v;
    case 4:
        return (int64_t)v >> (how >> 8 & 63);
    default:
        return v;
    }
}

static uint64_t rng_float(struct random *r, unsigned bits)
{
    unsigned mant = bits == 16 ? 10 : bits == 32 ? 23 : 52;
    uint64_t sign = 1ull << (bits - 1), frac = (1ull << mant) - 1, exp = sign - 1 - frac;
    uint64_t bias = (exp >> 1) & exp;
    uint64_t v = rng(r), how = rng(r), s = v & sign;
    switch (how & 15) {
    case 0:
        return s; /* zero */
    case 1:
        return s | exp; /* infinity */
    case 2:
        return s | exp | (frac ^ frac >> 1) | (v & frac & 0xff); /* quiet NaN */
    case 3:
        return s | exp | (v & frac >> 1) | 1; /* signalling NaN */
    case 4:
        return s | (v & frac); /* denormal */
    case 5:
        return s | (v & frac & 3) | (how & 16 ? frac + 1 : 0); /* around the least normal number */
    case 6:
        return s | (exp - (frac + 1)) | (frac - (v & 3)); /* largest */
    case 7:
        return s | bias | (how & 16 ? 0 : v & frac & frac << (mant - 3)); /* 1, 1.5 … */
    case 8:
    case 9:
        return v & (sign | (sign - 1)); /* anything */
    default: /* near 1: operations on two of them keep and lose bits */
        return s | (bias + (((how >> 8 & 15) - 8) << mant) + (v & frac));
    }
}

uint64_t rng_floats(struct random *r, unsigned bits)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 64; i += bits)
        v |= rng_float(r, bits) << i;
    return v;
}

/* --- cases --- */

static void fill_scratch(void)
{
    struct random r = {0x5eed};
    for (unsigned i = 0; i < SCRATCH_WORDS; i++)
        scratch[i] = i & 1 ? rng(&r) : rng_integer(&r);
}

static void prepare(struct state *s, unsigned number, unsigned set)
{
    const struct insn_case *c = &cases[number];
    struct random r = {((uint64_t)c->word << 20) + set};
    uint64_t middle = (uint64_t)scratch + SCRATCH_SIZE / 2, stub = (uint64_t)stubs + number * STUB_SIZE;
    arch_random_state(s, &r, set);
    s->where = WHERE_NEXT;
    s->address = 0;
    s->x[REG_STACK] = middle;
    if (c->kind == CASE_LOOP) {
        s->x[c->index] = 1 + (rng(&r) & 31);
        if (c->base != NO_REGISTER)
            s->x[c->base] = middle;
    }
    if (c->kind == CASE_MEMORY) {
        uint64_t offset = set & 1 && !(c->flags & FLAG_ALIGNED) && c->base != REG_STACK ? rng(&r) & 31 : 0;
        if (c->index != NO_REGISTER)
            s->x[c->index] = c->flags & FLAG_SIGNED && set & 2 ? -(rng(&r) & 31) : rng(&r) & 31;
        if (c->flags & FLAG_COMPARE && set & 1) {
            s->x[c->index] = *(uint64_t *)middle;
            s->x[c->index + 1] = *(uint64_t *)(middle + (c->flags & FLAG_WORDS ? 4 : 8));
        } else if (c->flags & FLAG_COMPARE) {
            s->x[c->index] = rng_integer(&r);
        }
        s->x[c->base] = middle + offset;
    }
    if (c->kind == CASE_FAULT)
        s->x[c->base] = middle + UNMAPPED;
    if (c->kind == CASE_JUMP)
        s->x[c->base] = stub + STUB_TAKEN - c->adjust;
    s->x[REG_STUB] = stub;
}

static uint64_t mix(uint64_t h, const uint64_t *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        h = (h ^ p[i]) * 0x9e3779b97f4a7c15;
        h ^= h >> 32;
    }
    return h;
}

static struct state *current;
static uint64_t current_stub;

static void execute(struct state *s, unsigned number)
{
    current = s;
    current_stub = (uint64_t)stubs + number * STUB_SIZE;
    enter_stub(s);
}

static void run(unsigned sets, unsigned first)
{
    for (unsigned n = first; n < ncases; n++) {
        uint64_t h = 0;
        for (unsigned set = 0; set < sets; set++) {
            struct state s;
            prepare(&s, n, set);
            execute(&s, n);
            h = mix(h, (uint64_t *)&s, sizeof(s) / 8);
            if (cases[n].kind == CASE_MEMORY || cases[n].kind == CASE_LOOP) {
                h = mix(h, scratch, SCRATCH_WORDS);
                fill_scratch();
            }
        }
        print_digits(h >> 32, 8);
        print_text("\n");
        flush();
    }
}

static void show(unsigned number, unsigned set)
{
    struct state before, after;
    prepare(&before, number, set);
    after = before;
    execute(&after, number);
    arch_print(&before, &after);
    print_hex("where", after.where);
    if (after.address)
        print_hex("address", after.address);
    uint64_t now[SCRATCH_WORDS];
    for (unsigned i = 0; i < SCRATCH_WORDS; i++)
        now[i] = scratch[i];
    fill_scratch();
    for (unsigned i = 0; i < SCRATCH_WORDS; i++)
        if (now[i] != scratch[i]) {
            char name[] = "memory+0000";
            for (unsigned k = 0; k < 4; k++)
                name[7 + k] = "0123456789abcdef"[i * 8 >> 4 * (3 - k) & 15];
            print_hex(name, now[i]);
        }
    flush();
}

/* --- signals --- */

struct info {
    int signo, error, code, pad;
    uint64_t address;
};

static void on_signal(int signo, const struct info *info, const void *ucontext)
{
    uint64_t pc = arch_signal_state(current, ucontext);
    current->where = WHERE_SIGNAL + signo + (info->code << WHERE_CODE_SHIFT) + ((pc - current_stub) << WHERE_PC_SHIFT);
    current->address = info->address;
    leave_stub();
}

static void catch_signals(void)
{
    static const int caught[] = {4, 5, 7, 8, 11}; /* ILL TRAP BUS FPE SEGV */
    static uint64_t stack[2048];
    static struct {
        void *sp;
        long flags;
        unsigned long size;
    } alternate = {.sp = stack, .size = sizeof(stack)};
    sys(SYS_sigaltstack, (long)&alternate, 0, 0, 0);
    for (unsigned i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
        struct {
            void (*handler)(int, const struct info *, const void *);
            unsigned long flags, mask;
        } action = {.handler = on_signal, .flags = 0x48000004 /* ONSTACK NODEFER SIGINFO */};
        sys(SYS_rt_sigaction, caught[i], (long)&action, 0, 8);
    }
}

static unsigned number(const char *text)
{
    unsigned v = 0;
    while (*text)
        v = v * 10 + *text++ - '0';
    return v;
}

void start(long *stack);
void start(long *stack)
{
    char **argv = (char **)(stack + 1);
    if (stack[0] != 4)
        sys(SYS_exit, 2, 0, 0, 0);
    catch_signals();
    fill_scratch();
    if (argv[1][0] == 'r')
        run(number(argv[2]), number(argv[3]));
    else
        show(number(argv[2]), number(argv[3]));
    sys(SYS_exit, 0, 0, 0, 0);
}
