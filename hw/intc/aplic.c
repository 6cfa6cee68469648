/*
 * The advanced platform-level interrupt controller (RISC-V Advanced Interrupt Architecture 1.0, chapter 4): one domain
 * of up to 1023 sources, delivering to harts directly or as messages to their IMSICs.
 */
#include "hw/intc/aplic.h"

enum { WORDS = APLIC_MAX_SOURCES / 32, NREGS = APLIC_MAX_SOURCES - 1 };
enum { DOMAIN_FIXED = (int)0x80000000, DOMAIN_IE = 1 << 8, DOMAIN_MSI = 1 << 2 };
enum { CFG_DELEGATE = 1 << 10, CFG_MODE = 7 };
enum mode { INACTIVE = 0, DETACHED = 1, EDGE1 = 4, EDGE0 = 5, LEVEL1 = 6, LEVEL0 = 7 };
enum { TARGET_HART = 18, TARGET_GUEST = 12, TARGET_GUESTS = 0x3f, TARGET_ID = 0x7ff, TARGET_PRIORITY = 0xff };
enum { ADDR_LOCK = (int)0x80000000 };

struct aplic {
    struct device device;
    uint32_t sources, harts;
    bool msi, supervisor; /* properties: how it delivers, which level's message addresses it uses */
    uint32_t guests; /* property: of each hart */
    struct device *parent, *child;
    uint32_t domaincfg, genmsi;
    uint32_t sourcecfg[NREGS], target[NREGS]; /* of source i + 1 */
    uint32_t address[4]; /* mmsiaddrcfg, mmsiaddrcfgh, smsiaddrcfg, smsiaddrcfgh */
    uint32_t pending[WORDS], enabled[WORDS], level[WORDS];
    struct idc {
        uint32_t delivery, force, threshold;
    } idc[APLIC_MAX_HARTS];
};

static struct aplic *aplic(struct device *d) { return (struct aplic *)d; }

static bool test(const uint32_t *set, unsigned i) { return set[i / 32] >> i % 32 & 1; }

static void put(uint32_t *set, unsigned i, bool on)
{
    set[i / 32] = (uint32_t)deposit64(set[i / 32], i % 32, 1, on);
}

/* --- sources --- */

static bool delegated(const struct aplic *s, unsigned i) { return s->sourcecfg[i - 1] & CFG_DELEGATE; }

/* Is the source this domain's? */
static bool present(const struct aplic *s, unsigned i)
{
    return i && i < s->sources && (!s->parent || delegated(aplic(s->parent), i));
}

static enum mode mode_of(const struct aplic *s, unsigned i)
{
    return !present(s, i) || delegated(s, i) ? INACTIVE : (enum mode)(s->sourcecfg[i - 1] & CFG_MODE);
}

static bool is_level(enum mode m) { return m == LEVEL0 || m == LEVEL1; }

/* The source's input as its mode has it. */
static bool rectified(const struct aplic *s, unsigned i)
{
    switch (mode_of(s, i)) {
    case EDGE1:
    case LEVEL1: return test(s->level, i);
    case EDGE0:
    case LEVEL0: return !test(s->level, i);
    default: return false;
    }
}

/* --- delivery as messages, section 4.9.1 --- */

static void send_message(struct aplic *s, uint32_t hart, uint32_t guest, uint32_t id)
{
    const struct aplic *root = s->parent ? aplic(s->parent) : s;
    const uint32_t *a = root->address;
    unsigned low_width = a[1] >> 12 & 15, high_width = a[1] >> 16 & 7, high_shift = a[1] >> 24 & 31;
    uint64_t group = hart >> low_width & ((1u << high_width) - 1), low = hart & ((1u << low_width) - 1), page;
    if (s->supervisor)
        page = ((uint64_t)(a[3] & 0xfff) << 32 | a[2]) | group << (high_shift + 12) | low << (a[3] >> 20 & 7) | guest;
    else
        page = ((uint64_t)(a[1] & 0xfff) << 32 | a[0]) | group << (high_shift + 12) | low << (a[1] >> 20 & 7);
    mem_store(s->device.host->memory, page << 12, 4, id);
}

/* Sends what is pending and enabled; a message takes the pending bit with it. */
static void send_messages(struct aplic *s, unsigned w)
{
    for (uint32_t set = s->pending[w] & s->enabled[w]; set; set &= set - 1) {
        unsigned i = 32 * w + (unsigned)__builtin_ctz(set);
        uint32_t t = s->target[i - 1];
        put(s->pending, i, false);
        send_message(s, t >> TARGET_HART, t >> TARGET_GUEST & TARGET_GUESTS, t & TARGET_ID);
    }
}

/* --- direct delivery, section 4.8 --- */

/* The most important source for a hart: identity << 16 | priority; 0: none. */
static uint32_t top(const struct aplic *s, unsigned hart)
{
    uint32_t best = 0, threshold = s->idc[hart].threshold;
    for (unsigned w = 0; w < (s->sources + 31) / 32; w++)
        for (uint32_t set = s->pending[w] & s->enabled[w]; set; set &= set - 1) {
            unsigned i = 32 * w + (unsigned)__builtin_ctz(set);
            uint32_t t = s->target[i - 1], priority = t & TARGET_PRIORITY;
            if (t >> TARGET_HART == hart && (!threshold || priority < threshold) &&
                (!best || priority < (best & TARGET_PRIORITY)))
                best = i << 16 | priority;
        }
    return best;
}

static void update(struct aplic *s)
{
    bool on = s->domaincfg & DOMAIN_IE;
    if (s->msi) {
        for (unsigned w = 0; on && w < WORDS; w++)
            send_messages(s, w);
        return;
    }
    for (unsigned h = 0; h < s->harts; h++)
        irq_set(&s->device.irq[h], on && s->idc[h].delivery && (s->idc[h].force || top(s, h)));
}

/* Software sets or clears a pending bit; of a level with direct delivery it is the input. */
static void set_pending(struct aplic *s, unsigned i, bool on)
{
    enum mode m = mode_of(s, i);
    if (m == INACTIVE || (is_level(m) && (!s->msi || (on && !rectified(s, i)))))
        return;
    put(s->pending, i, on);
}

static void set_enabled(struct aplic *s, unsigned i, bool on)
{
    if (mode_of(s, i) != INACTIVE)
        put(s->enabled, i, on);
}

static void input(struct device *d, unsigned i, bool level)
{
    struct aplic *s = aplic(d);
    if (!i || i >= s->sources)
        return;
    bool before = rectified(s, i);
    put(s->level, i, level);
    if (s->child)
        input(s->child, i, level);
    bool now = rectified(s, i);
    if (now == before)
        return;
    if (now)
        put(s->pending, i, true);
    else if (is_level(mode_of(s, i)))
        put(s->pending, i, false);
    update(s);
}

/* --- registers --- */

static uint64_t read_domaincfg(struct device *d, const struct device_reg *r, unsigned index)
{
    return (uint32_t)DOMAIN_FIXED | aplic(d)->domaincfg | (aplic(d)->msi ? DOMAIN_MSI : 0);
}

static void write_domaincfg(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    aplic(d)->domaincfg = value & DOMAIN_IE; /* one way of delivery, one byte order */
    update(aplic(d));
}

/*
 * What becomes of a value in an active source's target, 4.5.16: there is no priority 0, and only supervisor level has
 * guests.
 */
static uint32_t legal_target(const struct aplic *s, uint32_t value)
{
    uint32_t hart = value >> TARGET_HART, guest = value >> TARGET_GUEST & TARGET_GUESTS;
    if (s->msi)
        return hart << TARGET_HART | (s->supervisor && guest <= s->guests ? guest << TARGET_GUEST : 0) |
               (value & TARGET_ID);
    return (hart < s->harts ? hart << TARGET_HART : 0) | (value & TARGET_PRIORITY ? value & TARGET_PRIORITY : 1);
}

/* A source that has no mode any more is neither pending nor enabled. */
static void settle(struct aplic *s, unsigned i)
{
    s->target[i - 1] = mode_of(s, i) == INACTIVE ? 0 : legal_target(s, s->target[i - 1]);
    if (mode_of(s, i) == INACTIVE) {
        put(s->pending, i, false);
        put(s->enabled, i, false);
    } else if (is_level(mode_of(s, i)) && (!s->msi || rectified(s, i))) {
        put(s->pending, i, rectified(s, i));
    }
}

static void write_sourcecfg(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct aplic *s = aplic(d);
    unsigned i = index + 1;
    uint32_t mode = value & CFG_MODE;
    if (!present(s, i))
        return;
    if (value & CFG_DELEGATE)
        s->sourcecfg[index] = s->child ? CFG_DELEGATE : 0; /* the one child has the number 0 */
    else
        s->sourcecfg[index] = mode == 2 || mode == 3 ? INACTIVE : mode;
    settle(s, i);
    if (s->child && !delegated(s, i)) {
        aplic(s->child)->sourcecfg[index] = 0;
        settle(aplic(s->child), i);
        update(aplic(s->child));
    }
    update(s);
}

static void write_address(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    static const uint32_t implemented[] = {UINT32_MAX, 0x9f77ffff, UINT32_MAX, 0x00700fff};
    struct aplic *s = aplic(d);
    if (s->parent || s->address[1] & ADDR_LOCK)
        return;
    s->address[index] = (uint32_t)value & implemented[index];
}

/* Arrays of bits: which, and what a one does. */
typedef void change(struct aplic *s, unsigned i, bool on);

static void write_bits(struct aplic *s, unsigned word, uint64_t value, change *apply, bool on)
{
    for (uint32_t set = (uint32_t)value; set; set &= set - 1)
        apply(s, 32 * word + (unsigned)__builtin_ctz(set), on);
    update(s);
}

static void write_number(struct aplic *s, uint64_t i, change *apply, bool on)
{
    if (i < APLIC_MAX_SOURCES)
        apply(s, (unsigned)i, on);
    update(s);
}

#define BITS(name, apply, on)                                                                                          \
    static void name(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)                     \
    {                                                                                                                  \
        write_bits(aplic(d), index, value, apply, on);                                                                 \
    }                                                                                                                  \
    static void name##num(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)                \
    {                                                                                                                  \
        write_number(aplic(d), value, apply, on);                                                                      \
    }
BITS(setip, set_pending, true)
BITS(clrip, set_pending, false)
BITS(setie, set_enabled, true)
BITS(clrie, set_enabled, false)
#undef BITS

static void setipnum_be(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    write_number(aplic(d), __builtin_bswap32((uint32_t)value), set_pending, true);
}

static uint64_t read_inputs(struct device *d, const struct device_reg *r, unsigned index)
{
    uint32_t v = 0;
    for (unsigned k = 0; k < 32; k++)
        v |= (uint32_t)rectified(aplic(d), 32 * index + k) << k;
    return v;
}

static uint64_t read_pending(struct device *d, const struct device_reg *r, unsigned index)
{
    return aplic(d)->pending[index];
}
static uint64_t read_enabled(struct device *d, const struct device_reg *r, unsigned index)
{
    return aplic(d)->enabled[index];
}
static uint64_t read_zero(struct device *d, const struct device_reg *r, unsigned index) { return 0; }

/* A message of software's, whether the domain delivers or not (4.5.15); it is sent at once, so Busy is never seen. */
static void write_genmsi(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct aplic *s = aplic(d);
    if (!s->msi)
        return;
    s->genmsi = (uint32_t)value & (UINT32_MAX << TARGET_HART | TARGET_ID);
    send_message(s, s->genmsi >> TARGET_HART, 0, s->genmsi & TARGET_ID);
}

static void write_target(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct aplic *s = aplic(d);
    if (mode_of(s, index + 1) == INACTIVE)
        return;
    s->target[index] = legal_target(s, (uint32_t)value);
    update(s);
}

/* The structure of a hart: 32 bytes, found by the offset. */
static uint64_t read_idc(struct device *d, const struct device_reg *r, unsigned hart)
{
    struct aplic *s = aplic(d);
    struct idc *c = &s->idc[hart];
    if (hart >= s->harts || s->msi)
        return 0;
    switch (r->offset & 31) {
    case 0x00: return c->delivery;
    case 0x04: return c->force;
    case 0x08: return c->threshold;
    case 0x18: return top(s, hart);
    }
    uint32_t claimed = top(s, hart); /* claimi */
    if (!claimed)
        c->force = 0;
    else if (!is_level(mode_of(s, claimed >> 16)))
        put(s->pending, claimed >> 16, false);
    update(s);
    return claimed;
}

static void write_idc(struct device *d, const struct device_reg *r, unsigned hart, uint64_t value)
{
    struct aplic *s = aplic(d);
    if (hart >= s->harts || s->msi)
        return;
    switch (r->offset & 31) {
    case 0x00: s->idc[hart].delivery = value & 1; break;
    case 0x04: s->idc[hart].force = value & 1; break;
    case 0x08: s->idc[hart].threshold = value & TARGET_PRIORITY; break;
    }
    update(s);
}

#define S(member) DEVICE_STATE(struct aplic, member)
#define IDC(n, at, text)                                                                                               \
    {.name = n, .offset = 0x4000 + at, .size = 4, .count = APLIC_MAX_HARTS, .stride = 32, .read = read_idc, .write = write_idc, .doc = text}
static const struct device_reg regs[] = {
    {.name = "domaincfg", .offset = 0x0000, .size = 4, S(domaincfg), .read = read_domaincfg, .write = write_domaincfg,
     .doc = "bit 8: the domain delivers; bit 2: as messages"},
    {.name = "sourcecfg", .offset = 0x0004, .size = 4, .count = NREGS, S(sourcecfg), .write = write_sourcecfg,
     .doc = "mode of the source, or bit 10: it is delegated"},
    {.name = "msiaddrcfg", .offset = 0x1bc0, .size = 4, .count = 4, S(address), .write = write_address,
     .doc = "where messages go: machine level, its high half, supervisor level, its high half"},
    {.name = "setip", .offset = 0x1c00, .size = 4, .count = WORDS, .read = read_pending, .write = setip, .doc = "pending; ones set"},
    {.name = "setipnum", .offset = 0x1cdc, .size = 4, .read = read_zero, .write = setipnum, .doc = "number of a source: it is pending"},
    {.name = "in_clrip", .offset = 0x1d00, .size = 4, .count = WORDS, .read = read_inputs, .write = clrip,
     .doc = "read: inputs; ones written clear pending"},
    {.name = "clripnum", .offset = 0x1ddc, .size = 4, .read = read_zero, .write = clripnum, .doc = "number: it is not pending"},
    {.name = "setie", .offset = 0x1e00, .size = 4, .count = WORDS, .read = read_enabled, .write = setie, .doc = "enabled; ones set"},
    {.name = "setienum", .offset = 0x1edc, .size = 4, .read = read_zero, .write = setienum, .doc = "number: it is enabled"},
    {.name = "clrie", .offset = 0x1f00, .size = 4, .count = WORDS, .read = read_zero, .write = clrie, .doc = "ones written disable"},
    {.name = "clrienum", .offset = 0x1fdc, .size = 4, .read = read_zero, .write = clrienum, .doc = "number: it is not enabled"},
    {.name = "setipnum_le", .offset = 0x2000, .size = 4, .read = read_zero, .write = setipnum, .doc = "as setipnum, little-endian"},
    {.name = "setipnum_be", .offset = 0x2004, .size = 4, .read = read_zero, .write = setipnum_be, .doc = "as setipnum, big-endian"},
    {.name = "genmsi", .offset = 0x3000, .size = 4, S(genmsi), .write = write_genmsi, .doc = "a message: hart and identity"},
    {.name = "target", .offset = 0x3004, .size = 4, .count = NREGS, S(target), .write = write_target,
     .doc = "hart, and priority or guest and identity"},
    IDC("idelivery", 0x00, "bit 0: the hart is interrupted"),
    IDC("iforce", 0x04, "bit 0: an interrupt without a source"),
    IDC("ithreshold", 0x08, "priorities from it on do not interrupt; 0: all do"),
    IDC("topi", 0x18, "source << 16 | priority of what is most important"),
    IDC("claimi", 0x1c, "the same; reading it claims"),
};
#undef IDC
#undef S
static const struct device_window windows[] = {
    {.name = "aplic", .size = 0x8000, .regs = regs, .nregs = ARRAY_SIZE(regs)}};
static const char *const irqs[] = {"external"};
static const struct device_prop props[] = {
    {"sources", PROP_U32, offsetof(struct aplic, sources), "96", "number of sources with source 0, which is none; at most 1024"},
    {"harts", PROP_U32, offsetof(struct aplic, harts), "1", "number of harts, at most 512"},
    {"msi", PROP_BOOL, offsetof(struct aplic, msi), "off", "it delivers messages to IMSICs"},
    {"supervisor", PROP_BOOL, offsetof(struct aplic, supervisor), "off", "messages go to supervisor-level files"},
    {"guests", PROP_U32, offsetof(struct aplic, guests), "0", "number of guest files of a hart, at most 63"},
};
static const struct device_saved saved[] = {
    DEVICE_SAVED_ARRAY(struct aplic, pending),
    DEVICE_SAVED_ARRAY(struct aplic, enabled),
    DEVICE_SAVED_ARRAY(struct aplic, level),
    DEVICE_SAVED_ARRAY(struct aplic, idc),
};

void aplic_set_child(struct device *parent, struct device *child)
{
    aplic(parent)->child = child;
    aplic(child)->parent = parent;
}

static char *realize(struct device *d)
{
    const struct aplic *s = aplic(d);
    if (s->sources < 2 || s->sources > APLIC_MAX_SOURCES)
        return device_error("property sources of device aplic must be from 2 to %d", APLIC_MAX_SOURCES);
    if (!s->harts || s->harts > APLIC_MAX_HARTS)
        return device_error("property harts of device aplic must be from 1 to %d", APLIC_MAX_HARTS);
    if (s->guests > TARGET_GUESTS)
        return device_error("property guests of device aplic must be at most %d", TARGET_GUESTS);
    return NULL;
}

/* Inputs keep their levels. */
static void reset(struct device *d)
{
    struct aplic *s = aplic(d);
    memset(s->pending, 0, sizeof s->pending);
    memset(s->enabled, 0, sizeof s->enabled);
    memset(s->idc, 0, sizeof s->idc);
    update(s);
}

/* A saved state may come from anywhere. */
static void loaded(struct device *d)
{
    struct aplic *s = aplic(d);
    for (unsigned i = 1; i < APLIC_MAX_SOURCES; i++) {
        s->sourcecfg[i - 1] &= CFG_DELEGATE | CFG_MODE;
        s->target[i - 1] = mode_of(s, i) == INACTIVE ? 0 : legal_target(s, s->target[i - 1]);
        if (i >= s->sources) {
            put(s->pending, i, false);
            put(s->enabled, i, false);
        }
    }
    s->pending[0] &= ~UINT32_C(1);
    if (!s->msi)
        update(s);
}

const struct device_class device_aplic = {
    DEVICE_CLASS,
    .name = "aplic",
    .doc = "RISC-V advanced platform-level interrupt controller, one domain",
    .state_size = sizeof(struct aplic),
    .state_version = 2,
    DEVICE_WINDOWS(windows),
    DEVICE_IRQS(irqs),
    .irq_sets = APLIC_MAX_HARTS,
    .ninputs = APLIC_MAX_SOURCES,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .reset = reset,
    .input = input,
    .loaded = loaded,
    .only_board = true,
};
