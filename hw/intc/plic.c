/*
 * The RISC-V platform-level interrupt controller (RISC-V PLIC specification 1.0.0): up to 1023 sources, each with a
 * priority, and contexts (a hart in a mode), each with enables, a threshold and a claim register. Sources are levels: a
 * gateway forwards one request, and the next one only after the completion of the first.
 */
#include "hw/intc/plic.h"

enum { WORDS = PLIC_MAX_SOURCES / 32 };

struct plic {
    struct device device;
    uint32_t sources, contexts, priorities;
    uint32_t priority[PLIC_MAX_SOURCES], threshold[PLIC_MAX_CONTEXTS];
    uint32_t pending[WORDS];
    uint32_t level[WORDS];   /* of the inputs */
    uint32_t claimed[WORDS]; /* forwarded and not completed: the gateway is shut */
    uint32_t enable[PLIC_MAX_CONTEXTS][WORDS];
};

static struct plic *plic(struct device *d) { return (struct plic *)d; }

static bool test(const uint32_t *set, unsigned i) { return set[i / 32] >> i % 32 & 1; }

static void put(uint32_t *set, unsigned i, bool on)
{
    set[i / 32] = (uint32_t)deposit64(set[i / 32], i % 32, 1, on);
}

/* The enabled pending source of the highest priority above `floor`, of equal ones the lowest; 0: none. */
static unsigned best(const struct plic *s, unsigned context, uint32_t floor)
{
    unsigned found = 0;
    for (unsigned w = 0; w < (s->sources + 31) / 32; w++)
        for (uint32_t set = s->pending[w] & s->enable[context][w]; set; set &= set - 1) {
            unsigned i = 32 * w + (unsigned)__builtin_ctz(set);
            if (s->priority[i] > floor) {
                floor = s->priority[i];
                found = i;
            }
        }
    return found;
}

static void update_context(struct plic *s, unsigned context)
{
    irq_set(&s->device.irq[context], best(s, context, s->threshold[context]));
}

static void update(struct device *d)
{
    for (unsigned i = 0; i < plic(d)->contexts; i++)
        update_context(plic(d), i);
}

static void forward(struct plic *s, unsigned source)
{
    if (test(s->level, source) && !test(s->claimed, source))
        put(s->pending, source, true);
}

static void input(struct device *d, unsigned source, bool level)
{
    struct plic *s = plic(d);
    if (!source || source >= s->sources || test(s->level, source) == level)
        return;
    put(s->level, source, level);
    forward(s, source);
    update(d);
}

/* --- registers --- */

static void write_priority(struct device *d, const struct device_reg *r, unsigned source, uint64_t value)
{
    struct plic *s = plic(d);
    if (!source || source >= s->sources)
        return;
    s->priority[source] = (uint32_t)value & s->priorities;
    update(d);
}

static void write_enable(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct plic *s = plic(d);
    unsigned context = index / WORDS, word = index % WORDS;
    if (context >= s->contexts || 32 * word >= s->sources)
        return;
    uint32_t exist = s->sources - 32 * word >= 32 ? UINT32_MAX : (UINT32_C(1) << s->sources % 32) - 1;
    s->enable[context][word] = (uint32_t)value & exist & (word ? UINT32_MAX : ~UINT32_C(1));
    update_context(s, context);
}

static void write_threshold(struct device *d, const struct device_reg *r, unsigned context, uint64_t value)
{
    struct plic *s = plic(d);
    if (context >= s->contexts)
        return;
    s->threshold[context] = (uint32_t)value & s->priorities;
    update_context(s, context);
}

static uint64_t claim(struct device *d, const struct device_reg *r, unsigned context)
{
    struct plic *s = plic(d);
    unsigned source = context < s->contexts ? best(s, context, 0) : 0; /* whatever the threshold is: section 9 */
    if (source) {
        put(s->pending, source, false);
        put(s->claimed, source, true);
        update(d);
    }
    return source;
}

static void complete(struct device *d, const struct device_reg *r, unsigned context, uint64_t source)
{
    struct plic *s = plic(d);
    if (context >= s->contexts || source >= s->sources || !test(s->enable[context], (unsigned)source))
        return;
    put(s->claimed, (unsigned)source, false);
    forward(s, (unsigned)source);
    update(d);
}

#define S(member) DEVICE_STATE(struct plic, member)
static const struct device_reg regs[] = {
    {.name = "priority", .offset = 0, .size = 4, .count = PLIC_MAX_SOURCES, S(priority), .write = write_priority,
     .doc = "of the source; 0: it does not interrupt"},
    {.name = "pending", .offset = 0x1000, .size = 4, .count = WORDS, .access = REG_RO, S(pending),
     .doc = "a bit per source: it waits for a claim"},
    {.name = "enable", .offset = 0x2000, .size = 4, .count = PLIC_MAX_CONTEXTS * WORDS, S(enable), .write = write_enable,
     .doc = "a bit per source, 32 words per context"},
    {.name = "threshold", .offset = 0x200000, .size = 4, .count = PLIC_MAX_CONTEXTS, .stride = 0x1000, S(threshold),
     .write = write_threshold, .doc = "only priorities above it interrupt the context"},
    {.name = "claim", .offset = 0x200004, .size = 4, .count = PLIC_MAX_CONTEXTS, .stride = 0x1000, .read = claim,
     .write = complete, .doc = "read: the source to be served, 0: none; written: that source has been served"},
};
#undef S
static const struct device_window windows[] = {
    {.name = "plic", .size = 0x4000000, .regs = regs, .nregs = ARRAY_SIZE(regs)}};
static const char *const irqs[] = {"external"};
static const struct device_prop props[] = {
    {"sources", PROP_U32, offsetof(struct plic, sources), "96",
     "number of sources with source 0, which is none; at most 1024"},
    {"contexts", PROP_U32, offsetof(struct plic, contexts), "2", "number of contexts, at most 1024"},
    {"priorities", PROP_U32, offsetof(struct plic, priorities), "7", "the highest priority; a power of two less 1"},
};
static const struct device_saved saved[] = {
    DEVICE_SAVED_ARRAY(struct plic, level),
    DEVICE_SAVED_ARRAY(struct plic, claimed),
};

static char *realize(struct device *d)
{
    const struct plic *s = plic(d);
    if (s->sources < 2 || s->sources > PLIC_MAX_SOURCES)
        return device_error("property sources of device plic must be from 2 to %d", PLIC_MAX_SOURCES);
    if (!s->contexts || s->contexts > PLIC_MAX_CONTEXTS)
        return device_error("property contexts of device plic must be from 1 to %d", PLIC_MAX_CONTEXTS);
    if (!s->priorities || s->priorities & (s->priorities + 1))
        return device_error("property priorities of device plic must be a power of two less 1");
    return NULL;
}

/* Inputs keep their levels: they belong to whoever drives them. */
static void reset(struct device *d)
{
    struct plic *s = plic(d);
    memset(s->claimed, 0, sizeof s->claimed);
    for (unsigned i = 1; i < s->sources; i++)
        forward(s, i);
    update(d);
}

const struct device_class device_plic = {
    DEVICE_CLASS,
    .name = "plic",
    .doc = "RISC-V platform-level interrupt controller",
    .state_size = sizeof(struct plic),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_IRQS(irqs),
    .irq_sets = PLIC_MAX_CONTEXTS,
    .ninputs = PLIC_MAX_SOURCES,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .reset = reset,
    .input = input,
    .loaded = update,
    .only_board = true,
};
