/* The x86-64 host: its description, and compiling one unit from start to end. */
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#else
#include <cpuid.h>
#endif
#include <stdatomic.h>
#include <stdlib.h>

#include "tcg/host/x86_64/gen.h"

struct x86_features x86;

static const struct {
    const char *name;
    size_t offset;
} features[] = {
#define X(name) {#name, offsetof(struct x86_features, name)}
    X(avx), X(avx2), X(fma), X(bmi1), X(bmi2), X(lzcnt), X(aes), X(pclmul), X(sha), X(pins), X(loop_pins), X(regions), X(late_nans),
    X(vector_loops), X(functions), X(guesses), X(inlined),
#undef X
};

/* The user's list: names behind a minus and commas between them. Those not known are ignored. */
static void switch_off(const char *list)
{
    for (; *list; list += strcspn(list, ","), list += *list == ',') {
        size_t n = strcspn(list, ",");
        for (unsigned i = 0; i < ARRAY_SIZE(features); i++)
            if (*list == '-' && n == strlen(features[i].name) + 1 && !memcmp(list + 1, features[i].name, n - 1))
                *((bool *)&x86 + features[i].offset) = false;
    }
}

/* The C library has asked the processor already; in a virtual machine each CPUID costs a microsecond or two. */
#if __has_include(<sys/platform/x86.h>)
#define HAS(name, NAME) CPU_FEATURE_ACTIVE(NAME)
#else
#define HAS(name, NAME) __builtin_cpu_supports(name)
#endif

static bool has_lzcnt(void)
{
#if __has_include(<sys/platform/x86.h>)
    return CPU_FEATURE_ACTIVE(LZCNT);
#else
    unsigned a, b, c, d;
    return __get_cpuid(0x80000001, &a, &b, &c, &d) && c >> 5 & 1;
#endif
}

static bool has_sha(void)
{
#if __has_include(<sys/platform/x86.h>)
    return CPU_FEATURE_ACTIVE(SHA);
#else
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> 29 & 1;
#endif
}

static void init(void)
{
    bool avx = HAS("avx", AVX);
    x86 = (struct x86_features){
        .avx = avx,
        .avx2 = HAS("avx2", AVX2),
        .fma = avx && HAS("fma", FMA),
        .bmi1 = avx && HAS("bmi", BMI1),
        .bmi2 = avx && HAS("bmi2", BMI2),
        .lzcnt = has_lzcnt(),
        .aes = HAS("aes", AES),
        .pclmul = HAS("pclmul", PCLMULQDQ),
        .sha = has_sha(),
        .pins = true,
        .loop_pins = true,
        .regions = true,
        .late_nans = true,
        .vector_loops = true,
        .functions = true,
        .guesses = true,
        .inlined = true,
    };
    const char *list = getenv("METIC_HOST_FEATURES");
    if (list)
        switch_off(list);
    if (!x86.avx) /* all that is VEX-encoded */
        x86.avx2 = x86.fma = x86.bmi1 = x86.bmi2 = false;
}

static uint64_t host_features(void)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(features); i++)
        bits |= (uint64_t) * ((const bool *)&x86 + features[i].offset) << i;
    return bits;
}

static size_t emit_prologue(uint8_t *buf, uint8_t *exec, const struct ir_guest *guest, const struct host_layout *l,
                            struct host_entry *out)
{
    CHECK(l->nspill >= CELL_RESULT + 2);
    return x86_emit_prologue(buf, exec, guest, l, out);
}

/* --- one unit --- */

static void begin(struct gen *g)
{
    static const uint8_t nop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00}; /* patch_entry() puts a jump here */
    g->entry = g->a.exec;
    memcpy(g->a.p, nop5, sizeof nop5);
    g->a.p += sizeof nop5;
    if (g->ctx->counted)
        x86_count_insns(g);
    else if (g->ctx->quick)
        x86_count_entry(g);
    if (g->loop) {
        x86_loop_enter(g);
        while ((uintptr_t)asm_exec(&g->a) & 15)
            emit8(&g->a, 0x90);
        g->loop = g->a.p;
    }
    if (g->nlabels && !g->label[0].inside)
        g->label[0].at = g->a.p;
}

static void instruction(struct gen *g, const struct ir_inst *in)
{
    x86_settle_operands(g, in);
    switch (in->op) {
    case IR_INSN:
        g->pc = in->imm;
        return;
    case IR_LABEL: x86_label(g, in); break;
    case IR_GET: ra_get(g, in); break;
    case IR_PUT: ra_put(g, in); break;
    case IR_CALL: isel_call(g, in); break;
    case IR_LD:
    case IR_ST: isel_mem(g, in); break;
    case IR_GOTO:
    case IR_GOTO_IF:
    case IR_GOTO_IND: isel_exit(g, in); break;
    default:
        if (!isel_int(g, in) && !isel_mem(g, in) && !isel_exit(g, in) && !isel_fp(g, in) && !isel_vec(g, in))
            isel_slow(g, in);
    }
    ra_step(g, in);
}

/* The same constant in front of use i, or NULL. */
static uint8_t *find_constant(const struct gen *g, uint32_t i)
{
    const struct pool_use *use = &g->pool[i];
    for (uint32_t k = 0; k < i; k++) {
        const struct pool_use *other = &g->pool[k];
        if (other->lo == use->lo && other->hi == use->hi && other->size == use->size)
            return other->at;
    }
    return NULL;
}

static void emit_pool(struct gen *g)
{
    struct asmbuf *a = &g->a;
    if (!g->npool)
        return;
    emit_align(a, 16);
    for (unsigned size = 16; size >= 4; size /= 2)
        for (uint32_t i = 0; i < g->npool && asm_fits(a); i++) {
            struct pool_use *use = &g->pool[i];
            if (use->size != size)
                continue;
            use->at = find_constant(g, i);
            if (!use->at) {
                use->at = a->p;
                emit32(a, use->lo);
                if (size >= 8)
                    emit32(a, use->lo >> 32);
                if (size == 16)
                    emit64(a, use->hi);
            }
            int32_t disp = use->at - (use->place + use->tail);
            memcpy(use->place - 4, &disp, 4);
        }
}

static bool takes_labels(void) { return x86.regions; }
static bool takes_functions(void) { return x86.regions && x86.functions; }
static bool takes_guesses(void) { return x86.guesses; }
static bool takes_inlined(void) { return x86.inlined; }
static bool takes_vectors(void) { return x86.regions && x86.vector_loops; }

static void *new_work(const struct ir_guest *guest)
{
    struct gen *g = calloc(1, sizeof *g);
    CHECK(g);
    x86_plan_fresh(&g->fresh, guest);
    g->all_touched = true;
    return g;
}

static void free_work(void *work)
{
    struct gen *g = work;
    free(g->val);
    free(g->todo);
    free(g->stubs);
    free(g->pending);
    free(g->pool);
    free(g->slow_uses);
    free(g->faults);
    free(g->locs);
    free(g->consts);
    free(g->label);
    free(g->label_uses);
    free(g->depth);
    free(g);
}

static bool compile(const struct ir_unit *u, const struct compile_ctx *ctx, uint8_t *buf, uint8_t *exec, size_t room,
                    struct compiled *out)
{
    struct gen *g = ctx->work;
    memset(g, 0, offsetof(struct gen, slot));
    g->u = u;
    g->guest = u->guest;
    g->ctx = ctx;
    g->l = ctx->layout;
    g->a = (struct asmbuf){.start = buf, .p = buf, .end = buf + room, .exec = exec};
    g->rbx_in = RBX;
    x86_plan(g);
    begin(g);
    if (g->simple)
        x86_quick_code(g);
    for (uint32_t k = g->first_todo; !g->simple && k < u->n && asm_fits(&g->a) && !g->stop; k++) {
        g->i = g->todo[k];
        instruction(g, &u->inst[g->i]);
    }
    x86_emit_stubs(g);
    uint32_t dead_off = g->a.p - g->a.start;
    emit_const(&g->a, RAX, u->pc, true);
    jump_own(&g->a, g->l, OWN_LEAVE);
    x86_emit_slow_insts(g);
    emit_pool(g);
    x86_finish_faults(g);
    *out = (struct compiled){
        .code = exec,
        .size = g->a.p - g->a.start,
        .nfaults = g->nfaults,
        .nlocs = g->nlocs,
        .nconsts = g->nconsts,
        .faults = g->faults,
        .locs = g->locs,
        .consts = g->consts,
        .dead_off = dead_off,
        .promote = g->promote,
        .counter = g->counter,
        .too_complex = g->too_complex,
    };
    return !g->a.overflow && !g->stop;
}

static void patch_entry(uint8_t *buf, const uint8_t *exec, const uint8_t *target)
{
    uint64_t bytes;
    int32_t distance = target - (exec + 5);
    memcpy(&bytes, buf, 8);
    bytes = (bytes & ~UINT64_C(0xffffffffff)) | 0xe9 | (uint64_t)(uint32_t)distance << 8;
    atomic_store_explicit((_Atomic uint64_t *)(void *)buf, bytes, memory_order_release);
}

static void make_direct(uint8_t *end, enum ref_kind kind, int32_t distance)
{
    end[-6] = 0x67; /* says nothing here: the instruction keeps its length, a call its return address */
    end[-5] = kind == REF_CALL ? 0xe8 : 0xe9;
    memcpy(end - 4, &distance, 4);
}

const struct tcg_host tcg_host_x86_64 = {
    .name = "x86_64",
    .isa = ISA_X86_64,
    .init = init,
    .features = host_features,
    .make_direct = make_direct,
    .emit_prologue = emit_prologue,
    .takes_labels = takes_labels,
    .takes_functions = takes_functions,
    .takes_guesses = takes_guesses,
    .takes_inlined = takes_inlined,
    .takes_vectors = takes_vectors,
    .new_work = new_work,
    .free_work = free_work,
    .compile = compile,
    .recover = x86_recover,
    .patch_entry = patch_entry,
};
