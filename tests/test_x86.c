/*
 * The x86-64 back end against the interpreter: random units run by both must leave the same registers, memory,
 * floating-point flags, next pc and faults. A unit that differs is made smaller while it still differs, then printed.
 *
 * METIC_X86_UNITS: how many units each test runs. METIC_X86_SEED: the seed of the first one; alone, it runs that unit
 * only. A unit that fails is printed with its seed and, under METIC_X86_SEED, its code.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xmmintrin.h>

#include "base/log.h"
#include "exec/exec-internal.h"
#include "host/context.h"
#include "tcg/interp.h"
#include "tests/loop-units.h"

enum { FLAG_DENORMAL = 2, HANG_SECONDS = 20, MAX_ROUNDS = 500, MEMORY_PAGES = 4 };

static const struct interp_layout layout = {
    .mxcsr = offsetof(struct cpu, mxcsr), .insn_pc = offsetof(struct cpu, insn_pc), .pc = offsetof(struct cpu, pc),
};

/* How a run ended. */
struct outcome {
    struct test_cpu cpu;
    uint8_t memory[MEM_BYTES];
    int signal; /* of a crash, a hang or a failed check; 0: none */
};

enum { TLB_ENTRIES = 8 };

struct engine {
    struct target target;
    struct exec *exec;
    struct test_cpu *cpu;
    enum exec_tier tier;
    bool nochain, tlb; /* tlb: guest memory is behind one */
    struct tlb_entry entry[TLB_ENTRIES];
};

/* What signal handlers need to know about the run they interrupt. */
static struct {
    enum { IDLE, REFERENCE, GENERATED } running;
    struct cpu *cpu;
    const struct ir_unit *unit; /* at UNIT_PC */
    bool shrinking, endless; /* endless: units may have no way out, and are not run then */
    uint8_t *memory;            /* MEM_BYTES up to a page that cannot be accessed */
    sigjmp_buf escape;
    int signo, code;
    uint64_t addr;
    bool misaligned;
} now;

/* --- faults --- */

static void handler(int signo, siginfo_t *info, void *context)
{
    if (now.running == GENERATED && cpu_host_fault(now.cpu, signo, info, context))
        return;
    if (now.running == IDLE) {
        signal(signo, SIG_DFL);
        return;
    }
    now.signo = signo;
    now.code = info->si_code;
    now.addr = (uintptr_t)info->si_addr;
    now.misaligned = signo == SIGSEGV && info->si_code == SI_KERNEL && context_misaligned(context, &now.addr);
    siglongjmp(now.escape, 1);
}

static void prepare(void)
{
    static uint8_t stack[64 * 1024];
    if (now.memory)
        return;
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGALRM};
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &action, NULL);
    size_t page = sysconf(_SC_PAGESIZE);
    uint8_t *p = mmap(NULL, (MEMORY_PAGES + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(p != MAP_FAILED);
    mprotect(p + MEMORY_PAGES * page, page, PROT_NONE);
    now.memory = p + MEMORY_PAGES * page - MEM_BYTES;
}

/* --- the judge --- */

static uint8_t *memory_end(void) { return now.memory + MEM_BYTES; }
static uint8_t *memory_start(void) { return memory_end() - MEMORY_PAGES * sysconf(_SC_PAGESIZE); }

static void start(struct test_cpu *c, const struct test_cpu *state, const uint8_t *memory)
{
    memcpy(&c->mem_base, &state->mem_base, sizeof *c - offsetof(struct test_cpu, mem_base));
    c->mem_base = (uintptr_t)now.memory + MEM_BEFORE;
    c->cpu.mxcsr = state->cpu.mxcsr;
    c->cpu.pc = UNIT_PC;
    c->cpu.exit_request = 0;
    c->cpu.exit_detail = c->cpu.fault_addr = 0;
    c->cpu.fault_signo = c->cpu.fault_code = 0;
    memcpy(now.memory, memory, MEM_BYTES);
    memset(memory_start(), 0, now.memory - memory_start());
}

/* What is left of the unit when it is entered at its label of pc, appended to `out`, which is fresh. */
static void enter_at_label(const struct ir_unit *u, uint64_t pc, struct ir_unit *out)
{
    bool there = false;
    for (ir_ref r = 1; r < u->n; r++) {
        const struct ir_inst *in = &u->inst[r];
        there |= in->op == IR_LABEL && (uint64_t)in->imm == pc;
        ir_append(out, there || in->op == IR_CONST ? in : &(struct ir_inst){.op = IR_NOP});
    }
}

static bool is_label(const struct ir_unit *u, uint64_t pc)
{
    for (ir_ref r = 1; r < u->n; r++)
        if (u->inst[r].op == IR_LABEL && (uint64_t)u->inst[r].imm == pc)
            return true;
    return false;
}

static void interpret(struct test_cpu *c, const struct ir_unit *u)
{
    struct interp_exit e = {.pc = UNIT_PC};
    unsigned rounds = 0;
    bool again = true;
    while (again) {
        if (rounds++ > MAX_ROUNDS)
            raise(SIGALRM);
        if (e.pc == UNIT_PC) {
            ir_interpret(u, c, &layout, NULL, &e);
        } else {
            static struct ir_unit rest; /* a fault leaves it behind */
            ir_unit_restart(&rest, u->guest, e.pc, 0);
            enter_at_label(u, e.pc, &rest);
            ir_interpret(&rest, c, &layout, NULL, &e);
        }
        if (e.kind == INTERP_GOTO && is_returner(e.pc))
            e.pc = c->link;
        again = e.kind == INTERP_GOTO && (e.pc == UNIT_PC || is_label(u, e.pc));
    }
    c->cpu.pc = e.pc;
    c->cpu.exit_reason = e.kind == INTERP_TRAP ? e.reason : EXIT_BREAKPOINT;
    c->cpu.exit_detail = e.kind == INTERP_TRAP ? e.detail : 0;
}

static void run_reference(const struct ir_unit *u, const struct test_cpu *state, const uint8_t *memory, struct outcome *o)
{
    static struct test_cpu c;
    jmp_buf leave;
    start(&c, state, memory);
    o->signal = 0;
    now.running = REFERENCE;
    alarm(HANG_SECONDS);
    if (sigsetjmp(now.escape, 1)) {
        if (now.signo != SIGSEGV && now.signo != SIGBUS)
            o->signal = now.signo;
        c.cpu.pc = c.cpu.insn_pc;
        c.cpu.exit_reason = now.misaligned ? EXIT_ALIGN : EXIT_FAULT;
        c.cpu.exit_detail = now.misaligned ? now.addr : 0;
        c.cpu.fault_signo = now.signo;
        c.cpu.fault_code = now.code;
        c.cpu.fault_addr = now.addr;
    } else if (!setjmp(leave)) { /* else a helper has left */
        c.cpu.leave_env = &leave;
        interpret(&c, u);
    }
    now.running = IDLE;
    o->cpu = c;
    memcpy(o->memory, now.memory, MEM_BYTES);
}

/* --- generated code --- */

static const uint8_t *no_code(void *opaque, uint64_t pc, size_t *avail) { return NULL; }
static uint32_t no_mode(const struct cpu *cpu) { return 0; }
static void no_reset(struct cpu *cpu) {}

/*
 * At UNIT_PC the unit under test, behind it what follows its labels, elsewhere a unit that stops or returns to `link`.
 */
static void translate(struct ir_builder *b, const struct code_reader *code, unsigned max_insns)
{
    struct ir_unit *u = b->u;
    u->bytes = 4;
    if (u->pc == UNIT_PC) {
        for (ir_ref r = 1; r < now.unit->n; r++)
            ir_append(u, &now.unit->inst[r]);
        u->ninsns = now.unit->ninsns;
        return;
    }
    u->ninsns = 1;
    if (is_label(now.unit, u->pc)) {
        enter_at_label(now.unit, u->pc, u);
        return;
    }
    b_insn(b, u->pc, 0);
    if (is_returner(u->pc))
        b_goto_ind(b, b_get(b, SLOT_LINK), JUMP_RETURN, 0);
    else
        b_trap(b, EXIT_BREAKPOINT, u->pc, 0);
}

/* --- memory behind a TLB: its addresses are the host's, but who asks for them is told to come again, or not to --- */


static bool tlb_locate(struct cpu *cpu, uint64_t pc, uint64_t *physical)
{
    *physical = pc ^ 0x5000;
    return true;
}

static const uint8_t *tlb_window(struct cpu *cpu, uint64_t pc, size_t *avail) { return NULL; }
static void tlb_select(struct cpu *cpu) {}

static bool tlb_access(struct cpu *cpu, const struct host_access *a)
{
    uint64_t address = ir_access_address(a->in, a->arg), size = 1 << (a->in->mem & MEM_SIZE);
    bool is_atomic = a->in->op != IR_LD && a->in->op != IR_ST;
    now.misaligned = ((is_atomic && size == 16) || a->in->mem & MEM_ALIGN) && address & (size - 1);
    now.addr = address;
    uint64_t offset = address - (uintptr_t)memory_start(), room = memory_end() - memory_start();
    if (now.misaligned || offset > room - size)
        return false;
    uint64_t page = address >> TLB_PAGE_SHIFT;
    struct tlb_entry *e = &cpu->tlb_table[page % TLB_ENTRIES];
    static unsigned turn;
    switch (turn++ % 4) { /* a page that may be read, written, both, neither */
    case 0: e->load = page << TLB_PAGE_SHIFT; break;
    case 1: e->store = page << TLB_PAGE_SHIFT; break;
    case 2: e->load = e->store = page << TLB_PAGE_SHIFT; break;
    default: e->load = e->store = (page ^ 1) << TLB_PAGE_SHIFT; break;
    }
    e->host = (uint8_t *)(uintptr_t)(page << TLB_PAGE_SHIFT);
    ir_access(a->in, a->arg, address, NULL, a->result);
    return true;
}

static enum cpu_exit tlb_fault(struct cpu *cpu)
{
    if (now.misaligned)
        cpu->exit_detail = now.addr;
    cpu->fault_signo = SIGSEGV;
    cpu->fault_addr = now.addr;
    return now.misaligned ? EXIT_ALIGN : EXIT_FAULT;
}

static const struct exec_memory tlb_memory = {tlb_locate, tlb_window, tlb_access, tlb_fault, tlb_select};

static void open_engine(struct engine *e)
{
    static const struct code_reader reader = {NULL, no_code};
    struct exec_options o = {.engine = ENGINE_JIT, .tier = e->tier, .nochain = e->nochain, .cache_bytes = 2 << 20,
                             .memory = e->tlb ? &tlb_memory : NULL};
    e->exec = exec_new(&e->target, &reader, &o);
    cr_assert_not_null(e->exec);
    e->cpu = (struct test_cpu *)cpu_new(e->exec);
    cr_assert_not_null(e->cpu);
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        e->entry[i].load = e->entry[i].store = (i ^ 1) << TLB_PAGE_SHIFT;
    e->cpu->cpu.tlb_table = e->entry;
    e->cpu->cpu.tlb_mask = (TLB_ENTRIES - 1) * sizeof e->entry[0];
}

static void init_engine(struct engine *e, const struct ir_guest *guest, enum exec_tier tier, bool nochain)
{
    e->tier = tier;
    e->nochain = nochain;
    e->target = (struct target){
        .name = "test", .address_bits = 48, .page_size = 4096, .state_size = sizeof(struct test_cpu), .ir = guest,
        .reset = no_reset, .mode = no_mode, .translate = translate,
    };
    open_engine(e);
}

static void close_engine(struct engine *e)
{
    alarm(0);
    cpu_free(&e->cpu->cpu);
    exec_free(e->exec);
}

static void run_generated(struct engine *e, const struct test_cpu *state, const uint8_t *memory, struct outcome *o)
{
    o->signal = 0;
    start(e->cpu, state, memory);
    now.cpu = &e->cpu->cpu;
    now.running = GENERATED;
    alarm(HANG_SECONDS);
    if (sigsetjmp(now.escape, 1)) {
        o->signal = now.signo;
        _mm_setcsr(MXCSR_DEFAULT);
    } else {
        while (cpu_run(&e->cpu->cpu) == EXIT_INTERRUPT) /* by a helper, or the cache was dropped */
            ;
    }
    now.running = IDLE;
    o->cpu = *e->cpu;
    memcpy(o->memory, now.memory, MEM_BYTES);
    if (o->signal) /* its locks and its state are what they are: a new one */
        open_engine(e);
}

static void forget_unit(struct engine *e)
{
    uint64_t at = e->tlb ? UNIT_PC ^ 0x5000 : UNIT_PC;
    exec_invalidate(e->exec, at, at + 0x1000);
}

/* --- comparing --- */

static const uint8_t type_bytes[IR_TYPE_COUNT] = {0, 4, 8, 4, 8, 16};

static void print_bits(const char *name, const void *got, const void *want, const void *before, unsigned bytes)
{
    uint64_t v[3][2] = {{0}};
    memcpy(v[0], got, bytes);
    memcpy(v[1], want, bytes);
    memcpy(v[2], before, bytes);
    fprintf(stderr, "%s is %016" PRIx64 "%016" PRIx64 ", should be %016" PRIx64 "%016" PRIx64 ", was %016" PRIx64 "%016" PRIx64 "\n",
            name, v[0][1], v[0][0], v[1][1], v[1][0], v[2][1], v[2][0]);
}

/* Do the outcomes agree? If not and `print`, how they differ. dead: 1 + a slot that does not count. */
static bool agree(const struct outcome *got, const struct outcome *want, const struct test_cpu *before, unsigned dead,
                  const struct ir_guest *guest, bool print)
{
    if (got->signal) {
        if (print)
            fprintf(stderr, "stopped by signal %d: %s\n", got->signal, strsignal(got->signal));
        return false;
    }
    bool same = true;
    for (unsigned s = 0; s < guest->nslots; s++) {
        unsigned off = guest->slots[s].offset, size = type_bytes[guest->slots[s].type];
        const char *g = (const char *)&got->cpu + off, *w = (const char *)&want->cpu + off;
        if (s + 1 == dead || !memcmp(g, w, size))
            continue;
        same = false;
        if (print)
            print_bits(guest->slots[s].name, g, w, (const char *)before + off, size);
    }
    for (unsigned i = 0; i < MEM_BYTES; i++)
        if (got->memory[i] != want->memory[i]) {
            same = false;
            if (print)
                fprintf(stderr, "byte %u of memory is %02x, should be %02x\n", i, got->memory[i], want->memory[i]);
        }
    const struct cpu *g = &got->cpu.cpu, *w = &want->cpu.cpu;
#define SAME(field, mask)                                                                                       \
    if ((g->field ^ w->field) & (mask)) {                                                                       \
        same = false;                                                                                           \
        if (print)                                                                                              \
            fprintf(stderr, #field " is 0x%" PRIx64 ", should be 0x%" PRIx64 "\n", (uint64_t)g->field, (uint64_t)w->field); \
    }
    SAME(pc, UINT64_MAX)
    SAME(mxcsr, ~FLAG_DENORMAL)
    SAME(exit_reason, UINT32_MAX)
    SAME(exit_detail, UINT64_MAX)
    if (w->exit_reason == EXIT_FAULT) { /* of a wide access either half may be named */
        SAME(fault_signo, ~0)
        if (!UNDER_ASAN && w->fault_addr) /* 0: the host does not name addresses that it has not */
            SAME(fault_addr, g->fault_addr - w->fault_addr + 15 < 31 ? 0 : UINT64_MAX)
    }
#undef SAME
    return same;
}

struct trial {
    const struct ir_unit *unit;
    struct test_cpu state;
    uint8_t memory[MEM_BYTES];
    unsigned dead;
};

static bool passes(struct engine *e, const struct trial *t, bool print)
{
    static struct outcome got, want;
    now.unit = t->unit;
    run_reference(t->unit, &t->state, t->memory, &want);
    if (want.signal) { /* it may have lost its way out while it was made smaller */
        cr_assert(now.shrinking || now.endless, "the interpreter was stopped by signal %d", want.signal);
        return true;
    }
    run_generated(e, &t->state, t->memory, &got);
    return agree(&got, &want, &t->state, t->dead, t->unit->guest, print);
}

static bool passes_anew(struct engine *e, const struct trial *t)
{
    forget_unit(e);
    return passes(e, t, false);
}

/* --- making a failing unit smaller --- */

static bool still_fails(struct engine *e, struct trial *t, struct ir_unit *u, ir_ref r, struct ir_inst with)
{
    struct ir_inst old = u->inst[r];
    if (old.op == with.op)
        return false;
    u->inst[r] = with;
    if (!ir_verify(u) && !passes_anew(e, t))
        return true;
    u->inst[r] = old;
    return false;
}

static bool is_used(const struct ir_unit *u, ir_ref v)
{
    for (ir_ref r = v + 1; r < u->n; r++)
        for (unsigned k = 0; k < ir_nargs(&u->inst[r]); k++)
            if (u->inst[r].arg[k] == v)
                return true;
    return false;
}

static void minimise(struct engine *e, struct trial *t, struct ir_unit *u)
{
    bool changed = true;
    for (unsigned round = 0; changed && round < 6; round++) {
        changed = false;
        for (ir_ref r = u->n - 1; r-- > 2;) { /* the first INSN stays */
            enum ir_type type = ir_result_type(&u->inst[r]);
            if (type == IR_VOID || !is_used(u, r)) {
                changed |= still_fails(e, t, u, r, (struct ir_inst){.op = IR_NOP});
                continue;
            }
            if (u->inst[r].op == IR_CONST)
                continue;
            changed |= still_fails(e, t, u, r, (struct ir_inst){.op = IR_CONST, .type = type}) ||
                       (u->inst[r].op != IR_GET &&
                        still_fails(e, t, u, r, (struct ir_inst){.op = IR_GET, .type = type, .ir_slot_ = random_slot(type)}));
        }
    }
}

/* --- trials --- */

static void report(struct engine *e, struct trial *t, uint64_t seed, const char *features)
{
    struct ir_unit u = *t->unit;
    u.inst = malloc(u.n * sizeof *u.inst);
    memcpy(u.inst, t->unit->inst, u.n * sizeof *u.inst);
    t->unit = &u;
    ir_print(stderr, &u);
    fprintf(stderr, "Made smaller:\n");
    if (passes_anew(e, t))
        fprintf(stderr, "alone it passes: it depends on what ran before\n");
    now.shrinking = true;
    minimise(e, t, &u);
    now.shrinking = false;
    ir_print(stderr, &u);
    forget_unit(e);
    if (getenv("METIC_X86_SEED"))
        log_parse_topics("out_asm");
    passes(e, t, true);
    cr_assert_fail("METIC_X86_SEED=%" PRIu64 " fails (%s, METIC_HOST_FEATURES=%s)", seed, e->tier == TIER_QUICK ? "quick" : e->nochain ? "not chained" : "chained",
                   features);
}

/* Units of one kind. */
struct kind {
    unsigned (*make)(struct ir_unit *u, const struct ir_guest *guest, bool labels);
    void (*state)(struct test_cpu *c, uint8_t *memory);
};

static void state_of_loop(struct test_cpu *c, uint8_t *memory) { loop_state(c, memory, (uintptr_t)now.memory); }

static const struct kind any_unit = {make_unit, random_state}, counted_loop = {make_loop, state_of_loop};

static void check_unit(struct engine *e, const struct kind *kind, uint64_t seed, const char *features)
{
    enum { STATES = 3 };
    static struct trial t;
    struct ir_unit u;
    rng_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < 4; i++)
        rnd();
    t.dead = kind->make(&u, e->target.ir, e->tier == TIER_HOT && !e->nochain);
    const char *wrong = ir_verify(&u);
    if (wrong) {
        ir_print(stderr, &u);
        cr_assert_fail("METIC_X86_SEED=%" PRIu64 ": the test's unit: %s", seed, wrong);
    }
    forget_unit(e);
    for (unsigned i = 0; i < STATES; i++) {
        t.unit = &u;
        kind->state(&t.state, t.memory);
        if (!passes(e, &t, true))
            report(e, &t, seed, features);
        if (seed % 4 == 0) /* units that this one jumps to directly */
            exec_invalidate(e->exec, EXIT_STEP * NEXITS / 4, EXIT_STEP * NEXITS / 2);
    }
    ir_unit_free(&u);
}

static unsigned long number(const char *name, unsigned long otherwise)
{
    const char *value = getenv(name);
    return value ? strtoul(value, NULL, 0) : otherwise;
}

/* By turns: many or few pinned registers, the rules of both architectures; chained, not chained, quick. */
static void check_units(const char *features, bool tlb, unsigned long units, uint64_t first)
{
    static struct ir_guest guest[3];
    static const uint8_t pinned[3] = {9, 9, 3};
    static struct engine engine[9];
    prepare();
    setenv("METIC_HOST_FEATURES", features, 1);
    for (unsigned i = 0; i < 9; i++) {
        struct ir_guest *g = &guest[i % 3];
        if (!g->slots)
            *g = (struct ir_guest){test_slots(pinned[i % 3]), NSLOTS, test_helpers, ARRAY_SIZE(test_helpers),
                                   i % 3 == 1 ? &fp_rules_riscv : &fp_rules_arm};
        engine[i].tlb = tlb;
        init_engine(&engine[i], g, i < 6 ? TIER_HOT : TIER_QUICK, i / 3 == 1);
    }
    units = number("METIC_X86_UNITS", getenv("METIC_X86_SEED") ? 1 : units);
    first = number("METIC_X86_SEED", first);
    for (uint64_t seed = first; seed < first + units; seed++)
        check_unit(&engine[seed % 13 < 9 ? seed % 13 : seed % 3], &any_unit, seed, features);
    for (unsigned i = 0; i < 9; i++)
        close_engine(&engine[i]);
}

/* --- loops that become loops of vectors --- */

static bool becomes_vectors(const struct ir_guest *guest, uint64_t seed)
{
    struct ir_unit u;
    rng_state = seed;
    make_loop(&u, guest, true);
    ir_optimize(&u);
    uint32_t n = u.n;
    ir_vectorize(&u);
    const char *wrong = ir_verify(&u);
    cr_assert(!wrong, "%s", wrong);
    bool longer = u.n > n;
    ir_unit_free(&u);
    return longer;
}

static void check_loops(const char *features, unsigned long units, uint64_t first)
{
    static struct ir_guest guest[2];
    static struct engine engine[2];
    unsigned vectors = 0;
    prepare();
    setenv("METIC_HOST_FEATURES", features, 1);
    for (unsigned i = 0; i < 2; i++) {
        guest[i] = (struct ir_guest){test_slots(i ? 3 : 9), NSLOTS, test_helpers, ARRAY_SIZE(test_helpers), &fp_rules_riscv};
        init_engine(&engine[i], &guest[i], TIER_HOT, false);
    }
    for (unsigned i = 1; i <= 1000; i++)
        vectors += becomes_vectors(&guest[0], i * UINT64_C(0x9e3779b97f4a7c15));
    cr_assert(vectors > 150, "only %u of 1000 loops become vectors", vectors);
    now.endless = true;
    units = number("METIC_X86_UNITS", getenv("METIC_X86_SEED") ? 1 : units);
    first = number("METIC_X86_SEED", first);
    for (uint64_t seed = first; seed < first + units; seed++)
        check_unit(&engine[seed % 2], &counted_loop, seed, features);
    for (unsigned i = 0; i < 2; i++)
        close_engine(&engine[i]);
}

Test(x86, loops_of_vectors, .timeout = 600) { check_loops("", 20000, 0); }
Test(x86, loops_of_vectors_without_avx, .timeout = 600) { check_loops("-avx", 8000, 1 << 20); }

/* --- results around the smallest normal number, where hosts and guests may differ in what is tiny --- */

static double near(double x) { return x * (1 + ((int)below(9) - 4) * 0x1p-25 / (1 << below(30))); }

/* Operands whose product, quotient, fused sum and narrowing are the smallest normal number or next to it. */
static void tiny_state(struct test_cpu *c, uint8_t *memory)
{
    random_state(c, memory);
    double x = 1 + rnd() * 0x1p-64, minus = below(2) ? -1 : 1;
    double wide[4] = {x, near(0x1p-1022 / x) * minus, x * 0x1p-1022, near(x)};
    float narrow[4] = {x, 0x1p-126f / (float)x * minus, (float)x * 0x1p-126f, near(x)};
    memcpy(c->d, wide, sizeof wide);
    memcpy(c->f, narrow, sizeof narrow);
    double single = near(0x1p-126) * minus;
    memcpy(&c->d[4], &single, 8);
    for (unsigned i = 0; i < 4; i++) {
        c->v[i] = (v128){c->d[i], c->d[i]};
        c->v[4 + i] = (v128){c->f[i] | (uint64_t)c->f[i] << 32, c->f[i] | (uint64_t)c->f[i] << 32};
    }
    c->v[8] = (v128){c->d[4], c->d[4]};
    c->x[0] = below(3); /* addend of the fused sum */
    c->w[1] = below(3);
}

static void check_tininess(const struct ir_guest *guest, const char *text, const char *features)
{
    struct engine e = {.tlb = false};
    struct trial t = {.dead = 0};
    struct ir_unit u;
    char err[200];
    setenv("METIC_HOST_FEATURES", features, 1);
    cr_assert(ir_parse(&u, guest, text, err, sizeof err), "%s", err);
    u.pc = UNIT_PC;
    init_engine(&e, guest, TIER_HOT, false);
    t.unit = &u;
    for (unsigned i = 0; i < 4000; i++) {
        tiny_state(&t.state, t.memory);
        if (!passes(&e, &t, true)) {
            ir_print(stderr, &u);
            cr_assert_fail("tininess (METIC_HOST_FEATURES=%s)", features);
        }
    }
    ir_unit_free(&u);
    close_engine(&e);
}

Test(x86, tininess, .timeout = 200)
{
    static const char *const ops[] = {
        "%1 = get d0\n%2 = get d1\n%3 = fmul.f64 %1, %2\nput d5, %3\n",
        "%1 = get d2\n%2 = get d3\n%3 = fdiv.f64 %1, %2\nput d5, %3\n",
        "%1 = get d0\n%2 = get d1\n%4 = get x0\n%5 = bitcast.f64.i64 %4\n%3 = fma.f64 %1, %2, %5\nput d5, %3\n",
        "%1 = get d4\n%2 = ftrunc %1\nput f4, %2\n",
        "%1 = get f0\n%2 = get f1\n%3 = fmul.f32 %1, %2\nput f4, %3\n",
        "%1 = get f2\n%2 = get f3\n%3 = fdiv.f32 %1, %2\nput f4, %3\n",
        "%1 = get f0\n%2 = get f1\n%4 = get w1\n%5 = bitcast.f32.i32 %4\n%3 = fma.f32 %1, %2, %5\nput f4, %3\n",
        "%1 = get v0\n%2 = get v1\n%3 = vfmul.d %1, %2\nput v9, %3\n",
        "%1 = get v2\n%2 = get v3\n%3 = vfdiv.d %1, %2\nput v9, %3\n",
        "%1 = get v4\n%2 = get v5\n%3 = vfmul.s %1, %2\nput v9, %3\n",
        "%1 = get v6\n%2 = get v7\n%3 = vfdiv.s %1, %2\nput v9, %3\n",
        "%1 = get v4\n%2 = get v5\n%3 = vxor %1, %1\n%4 = vfma.s %1, %2, %3\nput v9, %4\n",
        "%1 = get v8\n%2 = vftrunc %1\nput v9, %2\n",
    };
    static struct ir_guest guest[2];
    prepare();
    rng_state = 99;
    for (unsigned k = 0; k < 2; k++) {
        guest[k] = (struct ir_guest){test_slots(9), NSLOTS, test_helpers, ARRAY_SIZE(test_helpers),
                                     k ? &fp_rules_riscv : &fp_rules_arm};
        for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
            char text[300];
            snprintf(text, sizeof text, "insn 0x%x, 0\n%sgoto 0x800\n", UNIT_PC, ops[i]);
            check_tininess(&guest[k], text, k || i % 2 ? "" : "-avx");
            check_tininess(&guest[k], text, k || i % 2 ? "-avx" : "");
        }
    }
}

/* --- more values than there is room for --- */

enum { MANY_INSNS = 256 };

/* Instruction k loads a word; the unit's end adds up what its instructions have loaded. */
static void translate_many(struct ir_builder *b, const struct code_reader *code, unsigned max_insns)
{
    struct ir_unit *u = b->u;
    ir_ref value[MANY_INSNS], sum, base;
    unsigned n = 0;
    uint64_t k = (u->pc - UNIT_PC) / 4;
    for (; k < MANY_INSNS && n < max_insns; k++, n++) {
        b_insn(b, UNIT_PC + 4 * k, 0);
        base = b_get(b, SLOT_MEM);
        value[n] = b_load(b, IR_I64, MEM_64, base, IR_NONE, 0, k % (MEM_BYTES / 8) * 8 - MEM_BEFORE);
    }
    sum = b_get(b, SLOT_X);
    for (unsigned i = 0; i < n; i++)
        sum = b_add(b, IR_I64, b_op2(b, IR_MUL, IR_I64, sum, b_i64(b, 3)), value[i]);
    b_put(b, SLOT_X, sum);
    if (k < MANY_INSNS)
        b_goto(b, UNIT_PC + 4 * k);
    else
        b_trap(b, EXIT_BREAKPOINT, UNIT_PC + 4 * k, 0);
    u->ninsns = n;
    u->bytes = 4 * n;
}

Test(x86, units_too_complex_are_cut, .timeout = 200)
{
    struct engine e = {.tlb = false};
    static struct ir_guest guest;
    static struct test_cpu state;
    static uint8_t memory[MEM_BYTES];
    prepare();
    guest = (struct ir_guest){test_slots(9), NSLOTS, test_helpers, ARRAY_SIZE(test_helpers), &fp_rules_arm};
    init_engine(&e, &guest, TIER_HOT, false);
    e.target.translate = translate_many;
    uint64_t want = state.x[0] = 7;
    for (unsigned i = 0; i < MEM_BYTES; i++)
        memory[i] = 31 * i + 5;
    for (unsigned k = 0; k < MANY_INSNS; k++) {
        uint64_t word;
        memcpy(&word, memory + k % (MEM_BYTES / 8) * 8, 8);
        want = want * 3 + word;
    }
    static struct outcome got;
    run_generated(&e, &state, memory, &got);
    cr_expect_eq(got.signal, 0);
    cr_expect_eq(got.cpu.cpu.exit_reason, EXIT_BREAKPOINT);
    cr_expect_eq(got.cpu.cpu.pc, UNIT_PC + 4 * MANY_INSNS);
    cr_expect_eq(got.cpu.x[0], want, "%" PRIx64 ", should be %" PRIx64, got.cpu.x[0], want);
    close_engine(&e);
}

/* --- code that runs elsewhere --- */

enum { MAX_CELLS = 1000, MOVE_ROOM = 1 << 18 };

/* Somewhere to compile for: nothing is run there. */
struct place {
    uint8_t *exec;
    void *work;
    struct code_exit cell[MAX_CELLS];
    unsigned ncells, nrefs;
    struct code_ref ref[4 * MAX_CELLS];
    uint8_t code[MOVE_ROOM];
};

static struct code_exit *cell_of(void *opaque, uint64_t pc)
{
    struct place *p = opaque;
    p->cell[p->ncells].pc = pc;
    return p->ncells < MAX_CELLS ? &p->cell[p->ncells++] : NULL;
}

static void *entry_of(void *opaque, uint64_t pc)
{
    return pc / EXIT_STEP % 2 ? ((struct place *)opaque)->exec - 0x10000 + pc % 0x1000 * 16 : NULL;
}

static void note_ref(void *opaque, const struct code_ref *r)
{
    struct place *p = opaque;
    cr_assert(p->nrefs < ARRAY_SIZE(p->ref));
    p->ref[p->nrefs++] = *r;
}

static void compile_at(struct place *p, uint8_t *exec, const struct ir_unit *u, struct compiled *out)
{
    struct compile_ctx ctx = {.layout = &cpu_layout, .work = p->work, .opaque = p, .lookup = entry_of, .new_exit = cell_of, .ref = note_ref,
                              .chain = true, .loops = true};
    p->exec = exec;
    p->ncells = p->nrefs = 0;
    memset(p->code, 0xcc, sizeof p->code);
    cr_assert(tcg_host_native()->compile(u, &ctx, p->code, exec, MOVE_ROOM, out));
    for (unsigned i = 0; i < p->nrefs; i++) { /* what it names is what its bytes reach */
        const struct code_ref *r = &p->ref[i];
        int32_t distance;
        memcpy(&distance, p->code + r->end - 4, 4);
        const void *to = exec + r->end + distance;
        cr_assert_eq(to, r->kind == REF_UNIT ? entry_of(p, r->pc) : (void *)r->exit);
        memset(p->code + r->end - 4, 0, 4);
    }
}

/* The same unit at two places differs in the distances that compile() tells, and nowhere else. */
Test(x86, code_can_be_moved, .timeout = 200)
{
    static struct ir_guest guest;
    static struct place here, there;
    setenv("METIC_HOST_FEATURES", "", 1);
    tcg_host_native()->init();
    guest = (struct ir_guest){test_slots(9), NSLOTS, test_helpers, ARRAY_SIZE(test_helpers), &fp_rules_arm};
    here.work = tcg_host_native()->new_work(&guest);
    there.work = tcg_host_native()->new_work(&guest);
    for (unsigned seed = 0; seed < 3000; seed++) {
        struct ir_unit u;
        struct compiled a, b;
        rng_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
        make_unit(&u, &guest, true);
        compile_at(&here, (uint8_t *)(ALIGN_UP((uintptr_t)&here, (uintptr_t)16) + (1u << 20)), &u, &a);
        compile_at(&there, (uint8_t *)(ALIGN_UP((uintptr_t)&there, (uintptr_t)16) - (3u << 20)), &u, &b);
        cr_assert_eq(a.size, b.size);
        cr_assert_eq(here.nrefs, there.nrefs);
        for (unsigned i = 0; i < here.nrefs; i++) {
            cr_assert_eq(here.ref[i].end, there.ref[i].end);
            cr_assert_eq(here.ref[i].kind, there.ref[i].kind);
        }
        cr_assert_arr_eq(here.code, there.code, a.size, "seed %u", seed);
        for (unsigned i = 0; i < here.ncells; i++)
            cr_assert_eq((uint8_t *)here.cell[i].unlinked - here.exec, (uint8_t *)there.cell[i].unlinked - there.exec);
        ir_unit_free(&u);
    }
    tcg_host_native()->free_work(here.work);
    tcg_host_native()->free_work(there.work);
}

Test(x86, random_units, .timeout = 600) { check_units("", false, 12000, 0); }
Test(x86, without_avx, .timeout = 600) { check_units("-avx", false, 5000, 1 << 20); }
Test(x86, without_fma_and_avx2, .timeout = 600) { check_units("-fma,-avx2", false, 3000, 2 << 20); }
Test(x86, without_bit_instructions, .timeout = 600) { check_units("-bmi1,-bmi2,-lzcnt", false, 3000, 3 << 20); }
Test(x86, behind_a_tlb, .timeout = 600) { check_units("", true, 6000, UINT64_C(5) << 20); }
Test(x86, baseline, .timeout = 600) { check_units("-avx,-lzcnt,-aes,-pclmul", false, 6000, 4 << 20); }
