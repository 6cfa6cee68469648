/*
 * Random units for the test of the x86-64 back end: guests of no architecture that begin with struct cpu, helpers of
 * every effect, and the shapes of code that the back end treats specially: flags computed late, guest registers kept in
 * host registers, loops, register pressure, faults.
 */
#ifndef TESTS_X86_UNITS_H
#define TESTS_X86_UNITS_H

#include "base/softfloat.h"
#include "exec/exec.h"
#include "tests/ir-random.h"

enum { NW = 4, NX = 12, NF = 5, ND = 6, NV = 12, MEM_BYTES = 512, MEM_BEFORE = 64, MAX_LENGTH = 90 };

/*
 * The address sanitizer's shadow makes addresses valid that are none, and its own look at an address faults elsewhere.
 */
#ifdef __SANITIZE_ADDRESS__
enum { UNDER_ASAN = 1 };
#else
enum { UNDER_ASAN = 0 };
#endif

struct test_cpu {
    struct cpu cpu;
    uint64_t mem_base, fuel, link; /* never the target of a random PUT */
    uint64_t x[NX], d[ND];
    uint32_t w[NW], f[NF];
    v128 v[NV];
};

enum { SLOT_MEM, SLOT_FUEL, SLOT_LINK, SLOT_X, SLOT_D = SLOT_X + NX, SLOT_W = SLOT_D + ND, SLOT_F = SLOT_W + NW,
       SLOT_V = SLOT_F + NF, NSLOTS = SLOT_V + NV };
enum { SLOT_NZCV = SLOT_W };

/* --- helpers --- */

static uint64_t help_mix(uint32_t a, uint64_t b) { return (b ^ a) * UINT64_C(0x9e3779b97f4a7c15); }
static uint32_t help_six(struct test_cpu *c, uint32_t a, uint64_t b, uint32_t d, uint64_t e, uint32_t f, uint64_t g)
{
    c->x[1] += c->x[0] + a + 2 * b + 3 * d;
    c->x[10] ^= c->x[9];
    c->w[0] = (c->w[0] + 1) & 15;
    return e * 5 + f * 7 + g;
}
static double help_vec(float a, double b, v128 c, uint64_t d)
{
    uint32_t bits;
    uint64_t wide;
    memcpy(&bits, &a, 4);
    memcpy(&wide, &b, 8);
    wide = (wide ^ bits) + c[1] - d;
    memcpy(&b, &wide, 8);
    return b;
}
static float help_float(float a) { return -a; }
static double help_round(double a, double b) { return (float)(a + b); } /* under the host's own MXCSR */
static v128 help_v(struct test_cpu *c, v128 a) { return a ^ (v128){c->x[0] + c->x[11], c->w[1]} ^ c->v[0]; }
static void help_mode(struct test_cpu *c, uint32_t a)
{
    c->cpu.mxcsr = (c->cpu.mxcsr & ~(3u << 13)) | (a & 3) << 13;
    c->v[1] = ~c->v[1];
    c->d[1]++;
}
static uint64_t help_load(struct test_cpu *c, uint64_t a)
{
    c->x[2]++;
    c->w[2]--;
    uint64_t v;
    memcpy(&v, (const void *)(uintptr_t)a, 8);
    return v + c->x[9];
}
static void help_leave(struct test_cpu *c, uint32_t a)
{
    c->x[3] ^= a;
    if (!(a & 7))
        exec_leave(&c->cpu, EXIT_TARGET + (a >> 3 & 7));
}

/* As another thread would: generated code leaves at its next poll and is entered again. */
static void help_kick(struct test_cpu *c) { cpu_kick(&c->cpu); }

#define HELPER(sig, name, effects) \
    static const struct ir_helper helper_##name = {#name, (void (*)(void))help_##name, sig, effects}
HELPER("l:il", mix, HELPER_PURE);
HELPER("i:eililil", six, HELPER_READS_STATE | HELPER_WRITES_STATE);
HELPER("d:fdvl", vec, HELPER_PURE);
HELPER("f:f", float, 0);
HELPER("d:dd", round, HELPER_PURE | HELPER_FP);
HELPER("v:ev", v, HELPER_READS_STATE);
HELPER("-:ei", mode, HELPER_READS_STATE | HELPER_WRITES_STATE | HELPER_FP);
HELPER("l:el", load, HELPER_FAULTS);
HELPER("-:ei", leave, HELPER_FAULTS);
HELPER("-:e", kick, 0);
static const struct ir_helper *const test_helpers[] = {
    &helper_mix, &helper_six, &helper_vec, &helper_float, &helper_round, &helper_v, &helper_mode, &helper_load, &helper_leave,
    &helper_kick,
};

/* --- guests: how many X registers have fixed host registers, and the rules of floating point --- */

static struct ir_slot *test_slots(unsigned pinned)
{
    static char names[NSLOTS][16];
    struct ir_slot *s = calloc(NSLOTS, sizeof *s);
    s[SLOT_MEM] = (struct ir_slot){"mem", offsetof(struct test_cpu, mem_base), IR_I64, 0};
    s[SLOT_FUEL] = (struct ir_slot){"fuel", offsetof(struct test_cpu, fuel), IR_I64, 0};
    s[SLOT_LINK] = (struct ir_slot){"link", offsetof(struct test_cpu, link), IR_I64, 0};
    const struct {
        char letter;
        unsigned slot, n, offset, size;
        enum ir_type type;
    } class[] = {
        {'x', SLOT_X, NX, offsetof(struct test_cpu, x), 8, IR_I64}, {'d', SLOT_D, ND, offsetof(struct test_cpu, d), 8, IR_F64},
        {'w', SLOT_W, NW, offsetof(struct test_cpu, w), 4, IR_I32}, {'f', SLOT_F, NF, offsetof(struct test_cpu, f), 4, IR_F32},
        {'v', SLOT_V, NV, offsetof(struct test_cpu, v), 16, IR_V128},
    };
    for (unsigned k = 0; k < ARRAY_SIZE(class); k++)
        for (unsigned i = 0; i < class[k].n; i++) {
            unsigned slot = class[k].slot + i, rank = (i * 5) % NX + 1;
            snprintf(names[slot], sizeof names[slot], "%c%u", class[k].letter, i);
            s[slot] = (struct ir_slot){names[slot], class[k].offset + i * class[k].size, class[k].type,
                                       rank <= pinned ? rank : 0};
        }
    return s;
}

/* --- units --- */

static bool is_integer(const struct ir_inst *in)
{
    bool integer = ir_result_type(in) < IR_F32 && in->type < IR_F32;
    for (unsigned k = 0; k < ir_facts[in->op].nargs; k++)
        integer &= ir_arg_type(in, k) < IR_F32;
    return integer;
}

enum { RECENT = 12 };
struct unit_maker {
    struct ir_unit *u;
    ir_ref recent[IR_TYPE_COUNT][RECENT]; /* values to be used, newest overwrite oldest */
    unsigned n[IR_TYPE_COUNT];
    unsigned reach;    /* how many of them are looked at: pressure on registers */
    unsigned dead;     /* 1 + the slot that exits may name as dead */
    bool loop, faults, labels, borders;
    bool integers;     /* of integer ops only: quick units of these are compiled in a way of their own */
    uint64_t next_pc;
};

/* Where exits go: pcs whose unit is a TRAP, in front of and behind all others; RETURNERS: it returns to `link`. */
enum { UNIT_PC = 0x10000000, FAR_PC = 0x7f0000, EXIT_STEP = 0x40, NEXITS = 32, RETURNERS = 4 };
static uint64_t random_exit_pc(const struct unit_maker *m)
{
    switch (below(8)) {
    case 0: return m->u->pc + EXIT_STEP * (1 + below(8)); /* not translated yet */
    case 1: return ((uint64_t)FAR_PC << 24) + EXIT_STEP * below(NEXITS);
    default: return EXIT_STEP * (1 + below(NEXITS));
    }
}
static inline bool is_returner(uint64_t pc) { return pc / EXIT_STEP >= 1 && pc / EXIT_STEP <= RETURNERS; }

static unsigned random_slot(enum ir_type t)
{
    switch (t) {
    case IR_I32: return SLOT_W + below(NW);
    case IR_I64: return SLOT_X + below(NX);
    case IR_F32: return SLOT_F + below(NF);
    case IR_F64: return SLOT_D + below(ND);
    default: return SLOT_V + below(NV);
    }
}
static unsigned random_dead(void) { return 0; }

static ir_ref add(struct unit_maker *m, struct ir_inst in)
{
    ir_ref r = ir_append(m->u, &in);
    enum ir_type t = ir_result_type(&in);
    if (t != IR_VOID)
        m->recent[t][m->n[t]++ % RECENT] = r;
    return r;
}

static ir_ref add_quiet(struct unit_maker *m, struct ir_inst in)
{
    return ir_append(m->u, &in);
}

static ir_ref constant(struct unit_maker *m, enum ir_type t, uint64_t v)
{
    return add_quiet(m, (struct ir_inst){.op = IR_CONST, .type = t, .imm = t == IR_I32 ? (uint32_t)v : v});
}

static ir_ref pick(struct unit_maker *m, enum ir_type t)
{
    unsigned n = m->n[t] < m->reach ? m->n[t] : m->reach;
    if (!n || !below(10)) {
        if (below(3))
            return add(m, (struct ir_inst){.op = IR_GET, .type = t, .ir_slot_ = random_slot(t)});
        struct ir_inst in = {.op = IR_CONST, .type = t};
        in.imm = t == IR_F32 || t == IR_F64 ? rnd_float(t == IR_F64) : rnd_bits();
        if (t == IR_I32)
            in.imm = (uint32_t)in.imm;
        in.imm2 = t == IR_V128 ? (below(3) ? in.imm : (int64_t)rnd_bits()) : 0;
        return add(m, in);
    }
    return m->recent[t][(m->n[t] - 1 - below(n)) % RECENT];
}

static void put(struct unit_maker *m, unsigned slot, enum ir_type t, ir_ref v)
{
    add_quiet(m, (struct ir_inst){.op = IR_PUT, .type = t, .ir_slot_ = slot, .arg = {v}});
}

/* if (!fuel--) leave */
static void use_fuel(struct unit_maker *m)
{
    ir_ref fuel = add_quiet(m, (struct ir_inst){.op = IR_GET, .type = IR_I64, .ir_slot_ = SLOT_FUEL});
    ir_ref less = add_quiet(m, (struct ir_inst){.op = IR_SUB, .type = IR_I64, .arg = {fuel, constant(m, IR_I64, 1)}});
    put(m, SLOT_FUEL, IR_I64, less);
    add_quiet(m, (struct ir_inst){.op = IR_GOTO_IF, .type2 = IR_I64, .cc = CC_EQ, .imm = EXIT_STEP * NEXITS,
                                  .arg = {fuel, constant(m, IR_I64, 0)}});
}

/* Units with labels have one at each LABEL_STEP-th guest instruction. */
enum { LABEL_STEP = 7 };
static uint64_t random_label(const struct unit_maker *m)
{
    uint64_t behind = (m->next_pc - m->u->pc) / 4 / LABEL_STEP;
    return m->u->pc + 4 * LABEL_STEP * below(behind + 2); /* the start, one before, or the next one */
}

static void start_label(struct unit_maker *m)
{
    if (m->borders && below(2)) { /* from a call, and by jumps */
        uint64_t back = below(3) ? m->next_pc : random_label(m);
        put(m, SLOT_LINK, IR_I64, constant(m, IR_I64, back));
        struct ir_inst call = {.op = IR_GOTO, .ir_sub = JUMP_CALL, .imm = EXIT_STEP * (1 + below(RETURNERS)), .imm2 = back};
        if (!below(3))
            call = (struct ir_inst){.op = IR_GOTO_IND, .ir_sub = JUMP_CALL, .arg = {constant(m, IR_I64, call.imm)}, .imm2 = back};
        add_quiet(m, call);
    } else if (!below(4)) /* the only way here is by jumps */
        add_quiet(m, (struct ir_inst){.op = IR_GOTO, .imm = below(2) ? m->next_pc : EXIT_STEP * (NEXITS - 1)});
    add_quiet(m, (struct ir_inst){.op = IR_LABEL, .ir_sub = m->borders, .imm = m->next_pc});
    memset(m->n, 0, sizeof m->n);
}

static void start_insn(struct unit_maker *m)
{
    bool label = m->labels && m->next_pc != m->u->pc && (m->next_pc - m->u->pc) / 4 % LABEL_STEP == 0;
    if (label)
        start_label(m);
    add_quiet(m, (struct ir_inst){.op = IR_INSN, .imm = m->next_pc});
    m->next_pc += 4;
    if (label)
        use_fuel(m);
}

/* base (+ index << scale) + imm, mostly inside the window; `base_only` for atomics. */
static void random_address(struct unit_maker *m, struct ir_inst *in, bool base_only)
{
    unsigned size = 1u << (in->mem & MEM_SIZE);
    bool outside = m->faults && !below(8), is_plain = in->op == IR_LD || in->op == IR_ST;
    if (is_plain && !below(8))
        in->mem |= MEM_ALIGN;
    base_only |= (in->mem & MEM_ALIGN) != 0;
    if (outside && below(3) && !UNDER_ASAN) { /* anywhere: a register's content */
        in->arg[0] = pick(m, IR_I64);
        if (!base_only && below(2))
            in->arg[1] = pick(m, IR_I64), in->ir_scale = below(4);
        if (!base_only)
            in->imm = below(2) ? (int32_t)rnd() : 0;
        return;
    }
    in->arg[0] = add_quiet(m, (struct ir_inst){.op = IR_GET, .type = IR_I64, .ir_slot_ = SLOT_MEM});
    int64_t at = (int64_t)below(MEM_BYTES - size + 1) - MEM_BEFORE;
    if (outside)
        at = MEM_BYTES - MEM_BEFORE - (int64_t)size + 1 + below(16);
    if (size == 16 && !is_plain)
        at &= ~15;
    else if (in->mem & MEM_ALIGN && (!m->faults || below(4)))
        at &= -(int64_t)size;
    if (!base_only && below(2)) { /* an index of 0 to 7 */
        ir_ref index = add_quiet(m, (struct ir_inst){.op = IR_AND, .type = IR_I64,
                                                     .arg = {pick(m, IR_I64), constant(m, IR_I64, 7)}});
        in->arg[1] = index;
        in->ir_scale = below(4);
        at -= at > MEM_BYTES / 2 ? 64 : 0;
    }
    if (base_only) {
        ir_ref c = constant(m, IR_I64, at);
        in->arg[0] = add_quiet(m, (struct ir_inst){.op = IR_ADD, .type = IR_I64, .arg = {in->arg[0], c}});
    } else {
        in->imm = at;
    }
}

static void random_call(struct unit_maker *m)
{
    const struct ir_helper *h;
    do
        h = test_helpers[below(ARRAY_SIZE(test_helpers))];
    while ((h == &helper_leave && !m->faults) || (h == &helper_kick && m->labels)); /* which would leave at a label */
    struct ir_inst in = {.op = IR_CALL, .helper = h};
    in.type = ir_result_type(&in);
    for (unsigned k = 0; k < ir_nargs(&in); k++)
        in.arg[k] = pick(m, ir_arg_type(&in, k));
    if (h == &helper_load) {
        struct ir_inst where = {.op = IR_LD, .type = IR_I64, .mem = MEM_64};
        random_address(m, &where, true);
        in.arg[0] = where.arg[0];
    }
    add(m, in);
}

/* The flags of Arm's compare instructions, and conditional compares on them, into the NZCV register. */
static void late_flags(struct unit_maker *m)
{
    static const uint8_t ops[] = {IR_NZCV_SUB, IR_NZCV_SUB, IR_NZCV_ADD, IR_NZCV_ADC, IR_NZCV_LOGIC, IR_NZCV_FCMP};
    struct ir_inst in = random_fields(ops[below(ARRAY_SIZE(ops) - m->integers)]);
    for (unsigned k = 0; k < ir_nargs(&in); k++)
        in.arg[k] = pick(m, ir_arg_type(&in, k));
    if (in.op == IR_NZCV_ADC)
        in.arg[2] = add_quiet(m, (struct ir_inst){.op = IR_AND, .type = IR_I32,
                                                  .arg = {in.arg[2], constant(m, IR_I32, 1)}});
    if (below(2) && ir_nargs(&in) >= 2 && in.op != IR_NZCV_FCMP) { /* SUBS: the difference, too, before or behind */
        struct ir_inst same = {.op = in.op == IR_NZCV_SUB ? IR_SUB : IR_ADD, .type = in.type, .arg = {in.arg[0], in.arg[1]}};
        bool before = below(3);
        ir_ref d = 0;
        if (before)
            d = add(m, same);
        if (d && in.type == IR_I64 && below(2))
            put(m, random_slot(IR_I64), IR_I64, d);
        ir_ref f = add_quiet(m, in);
        put(m, SLOT_NZCV, IR_I32, f);
        if (!before)
            add(m, same);
        return;
    }
    unsigned slot = below(4) ? SLOT_NZCV : random_slot(IR_I32);
    ir_ref f = add_quiet(m, in);
    put(m, slot, IR_I32, f);
    if (in.op == IR_NZCV_FCMP || !below(2))
        return;
    struct ir_inst choice = {.op = IR_SELCC, .type = IR_I32, .type2 = below(2) ? IR_I32 : IR_I64, .cc = below(CC_FOEQ)};
    choice.arg[0] = pick(m, choice.type2);
    choice.arg[1] = below(2) ? constant(m, choice.type2, rnd_bits()) : pick(m, choice.type2);
    choice.arg[2] = f;
    choice.arg[3] = constant(m, IR_I32, below(16));
    ir_ref c = add_quiet(m, choice);
    put(m, slot, IR_I32, c);
    if (below(3) == 0) /* another reader: it is computed where it stands */
        add(m, (struct ir_inst){.op = IR_SETCC, .type = IR_I32, .type2 = IR_I32, .cc = CC_TSTNE,
                                .arg = {below(2) ? c : f, constant(m, IR_I32, 1 << below(4))}});
}

static void side_exit(struct unit_maker *m)
{
    struct ir_inst in;
    do
        in = random_fields(IR_GOTO_IF);
    while (m->integers && !is_integer(&in));
    bool again = m->loop && below(2);
    in.imm = again ? (m->labels ? random_label(m) : m->u->pc) : random_exit_pc(m);
    in.ir_dead = again || is_returner(in.imm) || below(2) ? 0 : m->dead;
    in.arg[0] = pick(m, in.type2);
    in.arg[1] = pick(m, in.type2);
    if (!below(3) && in.type2 <= IR_I64) { /* a - b exists */
        in.cc = below(2);
        add(m, (struct ir_inst){.op = IR_SUB, .type = in.type2, .arg = {in.arg[0], in.arg[1]}});
    }
    if (is_returner(in.imm)) {
        ir_ref pc = constant(m, IR_I64, random_exit_pc(m) | EXIT_STEP * RETURNERS * 2);
        put(m, SLOT_LINK, IR_I64, pc);
    }
    add_quiet(m, in);
}

static void random_instruction(struct unit_maker *m)
{
    static const uint8_t favourites[] = {
        IR_ADD,  IR_ADD,   IR_SUB,  IR_AND,   IR_XOR,   IR_SHL, IR_SHR, IR_SAR,  IR_UBFX, IR_SBFX,    IR_ZEXT, IR_TRUNC,
        IR_SEXT, IR_SETCC, IR_SELCC, IR_GET,  IR_GET,   IR_VLOW, IR_VZEXT, IR_LD, IR_LD,  IR_ST,      IR_DEPOSIT, IR_FMUL,
        IR_FADD, IR_VADD,  IR_BITCAST, IR_PUT, IR_PUT,  IR_PUT, IR_PUT, IR_PUT,
    };
    if (!below(12)) {
        late_flags(m);
        return;
    }
    if (!below(14)) {
        side_exit(m);
        return;
    }
    enum ir_op op;
    struct ir_inst in;
    do {
        op = below(2) ? favourites[below(ARRAY_SIZE(favourites))] : 1 + below(IR_OP_COUNT - 1);
        if (op != IR_CALL)
            in = random_fields(op);
    } while (ir_facts[op].props & (IR_P_EXIT | IR_P_SIDE_EXIT) || op == IR_INSN || op == IR_LABEL ||
             (op == IR_CALL && below(2)) || (m->integers && (op == IR_CALL || !is_integer(&in))));
    if (op == IR_CALL) {
        random_call(m);
        return;
    }
    unsigned from = 0;
    if (ir_facts[op].props & IR_P_FAULT) {
        bool plain = op == IR_LD || op == IR_ST;
        if (plain && in.type == IR_V128 && below(2))
            in.mem = (in.mem & ~MEM_SIZE) | below(5);
        random_address(m, &in, !plain);
        from = plain ? 2 : 1;
    }
    for (unsigned k = from; k < ir_nargs(&in); k++)
        in.arg[k] = pick(m, ir_arg_type(&in, k));
    if (op == IR_ADC || op == IR_CARRY || op == IR_NZCV_ADC) /* the carry is 0 or 1 */
        in.arg[2] = add_quiet(m, (struct ir_inst){.op = IR_SETCC, .type = IR_I32, .type2 = IR_I32, .cc = CC_TSTNE,
                                                  .arg = {in.arg[2], constant(m, IR_I32, 4)}});
    ir_ref r = add(m, in);
    enum ir_type t = ir_result_type(&in);
    if (t != IR_VOID && !below(3))
        put(m, random_slot(t), t, r);
}

static void terminator(struct unit_maker *m)
{
    struct ir_inst in = {.op = IR_GOTO, .imm = random_exit_pc(m)};
    switch (m->loop && below(2) ? below(3) : 3 + below(8)) {
    case 0:
    case 1: in.imm = m->u->pc; break;
    case 2: in = (struct ir_inst){.op = IR_TRAP, .imm = m->next_pc, .ir_sub = EXIT_SYSCALL, .imm2 = rnd_bits()}; break;
    case 3:
    case 4: /* a call that comes back */
        in.ir_sub = JUMP_CALL;
        in.imm = m->loop && below(2) ? m->u->pc : EXIT_STEP * (1 + below(RETURNERS));
        in.imm2 = random_exit_pc(m) | EXIT_STEP * RETURNERS * 2;
        put(m, SLOT_LINK, IR_I64, constant(m, IR_I64, in.imm2));
        break;
    case 5:
    case 6:
    case 7:
        in = (struct ir_inst){.op = IR_GOTO_IND, .ir_sub = below(3)};
        in.imm2 = in.ir_sub == JUMP_CALL ? random_exit_pc(m) | EXIT_STEP * RETURNERS * 2 : 0;
        in.arg[0] = constant(m, IR_I64, random_exit_pc(m) | EXIT_STEP * RETURNERS * 2);
        if (below(2)) { /* not a constant, and one of several */
            ir_ref x = pick(m, IR_I64);
            ir_ref bit = add_quiet(m, (struct ir_inst){.op = IR_AND, .type = IR_I64, .arg = {x, constant(m, IR_I64, EXIT_STEP)}});
            in.arg[0] = add_quiet(m, (struct ir_inst){.op = IR_OR, .type = IR_I64, .arg = {in.arg[0], bit}});
        }
        break;
    default: in.ir_dead = below(2) || is_returner(in.imm) ? 0 : m->dead; break;
    }
    if (is_returner(in.imm) && in.op == IR_GOTO && in.ir_sub == JUMP_PLAIN)
        put(m, SLOT_LINK, IR_I64, constant(m, IR_I64, random_exit_pc(m) | EXIT_STEP * RETURNERS * 2));
    add_quiet(m, in);
}

/* What a unit is made of comes from the state of rnd(). Returns 1 + the slot that some exits declare dead, or 0. */
static __attribute__((unused)) unsigned make_unit(struct ir_unit *u, const struct ir_guest *guest, bool labels)
{
    struct unit_maker *m = calloc(1, sizeof *m);
    m->u = u;
    m->reach = 1 + below(below(3) ? 4 : RECENT);
    m->loop = !below(3);
    m->labels = labels && m->loop && below(2);
    m->borders = m->labels && below(2);
    m->faults = !below(3);
    m->integers = !below(3);
    m->dead = below(2) ? 0 : 1 + SLOT_X + below(NX + ND);
    m->next_pc = UNIT_PC;
    ir_unit_init(u, guest, UNIT_PC, 0);
    start_insn(m);
    if (m->loop)
        use_fuel(m);
    unsigned length = 1 + below(below(3) ? 20 : MAX_LENGTH);
    if (!below(200))
        length = 300;
    for (unsigned n = length; n; n--) {
        if (!below(4))
            start_insn(m);
        random_instruction(m);
    }
    for (enum ir_type t = IR_I32; t <= IR_V128; t++)
        if (m->n[t])
            put(m, random_slot(t), t, m->recent[t][(m->n[t] - 1) % RECENT]);
    terminator(m);
    u->ninsns = (m->next_pc - UNIT_PC) / 4;
    unsigned dead = m->dead;
    free(m);
    return dead;
}

/* --- states --- */

static __attribute__((unused)) void random_state(struct test_cpu *c, uint8_t *memory)
{
    for (unsigned i = 0; i < NX; i++)
        c->x[i] = rnd_bits();
    for (unsigned i = 0; i < NW; i++)
        c->w[i] = rnd_bits();
    c->w[0] &= 15;
    for (unsigned i = 0; i < NF; i++)
        c->f[i] = rnd_float(false);
    for (unsigned i = 0; i < ND; i++)
        c->d[i] = rnd_float(true);
    for (unsigned i = 0; i < NV; i++)
        c->v[i] = below(2) ? (v128){rnd_float(true), rnd_float(true)}
                           : (v128){rnd_float(false) | rnd_float(false) << 32, rnd_float(false) | rnd_bits() << 32};
    for (unsigned i = 0; i < MEM_BYTES; i++)
        memory[i] = rnd();
    c->fuel = 1 + below(4);
    c->link = EXIT_STEP * NEXITS;
    c->cpu.mxcsr = MXCSR_DEFAULT | below(4) << 13 | (below(4) ? 0 : rnd() & 0x3d);
}

#endif
