/*
 * The RISC-V Advanced Core Local Interruptor (RISC-V ACLINT specification 1.0-rc4): the devices MSWI and MTIMER laid
 * out as SiFive's CLINT has them. A hart gets a software interrupt while its msip is set and a timer interrupt while
 * mtime has reached its mtimecmp.
 */
#include "hw/intc/aclint.h"

enum { NS_PER_SECOND = 1000000000 };

struct aclint {
    struct device device;
    uint32_t harts, frequency;
    uint64_t offset; /* mtime less the ticks of the virtual clock; atomic, since any hart reads the time */
    uint32_t msip[ACLINT_MAX_HARTS];
    uint64_t compare[ACLINT_MAX_HARTS];
    struct hart_timer {
        struct timer timer;
        struct aclint *aclint;
        unsigned hart;
    } timer[ACLINT_MAX_HARTS];
};

static struct aclint *aclint(struct device *d) { return (struct aclint *)d; }

uint64_t aclint_time(struct device *d)
{
    struct aclint *s = aclint(d);
    uint64_t ns = (uint64_t)clock_now(d->host->clocks, CLOCK_VIRTUAL);
    uint64_t ticks = (uint64_t)((unsigned __int128)ns * s->frequency / NS_PER_SECOND);
    return ticks + __atomic_load_n(&s->offset, __ATOMIC_RELAXED);
}

int64_t aclint_time_to_ns(struct device *d, uint64_t ticks)
{
    const struct aclint *s = aclint(d);
    uint64_t now = aclint_time(d);
    if (ticks <= now)
        return 0;
    unsigned __int128 own = (unsigned __int128)(now - s->offset) + (ticks - now); /* ticks of the virtual clock */
    unsigned __int128 ns = (own * NS_PER_SECOND + s->frequency - 1) / s->frequency;
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

static void set_line(struct aclint *s, unsigned hart, unsigned line, bool level)
{
    irq_set(&s->device.irq[hart * ACLINT_LINES + line], level);
}

static void update_timer(struct aclint *s, unsigned hart)
{
    bool due = aclint_time(&s->device) >= s->compare[hart];
    int64_t when = due ? INT64_MAX : aclint_time_to_ns(&s->device, s->compare[hart]);
    if (when == INT64_MAX)
        timer_cancel(&s->timer[hart].timer);
    else
        timer_set(&s->timer[hart].timer, when);
    set_line(s, hart, ACLINT_TIMER, due);
}

static void reached(void *opaque)
{
    const struct hart_timer *t = opaque;
    update_timer(t->aclint, t->hart);
}

static void write_msip(struct device *d, const struct device_reg *r, unsigned hart, uint64_t value)
{
    struct aclint *s = aclint(d);
    if (hart >= s->harts)
        return;
    s->msip[hart] = value & 1;
    set_line(s, hart, ACLINT_SOFTWARE, s->msip[hart]);
}

static void write_compare(struct device *d, const struct device_reg *r, unsigned hart, uint64_t value)
{
    struct aclint *s = aclint(d);
    if (hart >= s->harts)
        return;
    s->compare[hart] = value;
    update_timer(s, hart);
}

static uint64_t read_time(struct device *d, const struct device_reg *r, unsigned index)
{
    return aclint_time(d);
}

/* A write of one half leaves the other as it is now. */
static void write_time(struct device *d, const struct device_reg *r, unsigned half, uint64_t value)
{
    struct aclint *s = aclint(d);
    uint64_t now = aclint_time(d), wanted = deposit64(now, 32 * half, 32, value);
    __atomic_store_n(&s->offset, s->offset + (wanted - now), __ATOMIC_RELAXED);
    for (unsigned i = 0; i < s->harts; i++)
        update_timer(s, i);
}

static uint64_t read_time_half(struct device *d, const struct device_reg *r, unsigned half)
{
    return extract64(read_time(d, r, 0), 32 * half, 32);
}

#define S(member) DEVICE_STATE(struct aclint, member)
static const struct device_reg regs[] = {
    {.name = "msip", .offset = ACLINT_MSWI, .size = 4, .count = ACLINT_MAX_HARTS, S(msip), .write = write_msip,
     .doc = "bit 0: the hart has a software interrupt"},
    {.name = "mtimecmp", .offset = ACLINT_MTIMER_CMP, .size = 8, .count = ACLINT_MAX_HARTS, S(compare), .reset = UINT64_MAX,
     .write = write_compare, .doc = "the hart has a timer interrupt from this time on"},
    {.name = "mtime", .offset = ACLINT_MTIMER_TIME, .size = 4, .count = 2, .read = read_time_half, .write = write_time,
     .doc = "the time, in ticks: its low and its high half"},
};
#undef S
static const struct device_window windows[] = {
    {.name = "clint", .size = 0x10000, .regs = regs, .nregs = ARRAY_SIZE(regs)}};
static const char *const irqs[] = {"software", "timer"};
static const struct device_prop props[] = {
    {"harts", PROP_U32, offsetof(struct aclint, harts), "1", "number of harts, at most 512"},
    {"timebase-frequency", PROP_U32, offsetof(struct aclint, frequency), "10000000", "ticks of mtime in a second"},
};
static const struct device_saved saved[] = {DEVICE_SAVED(struct aclint, offset)};

static char *realize(struct device *d)
{
    struct aclint *s = aclint(d);
    if (!s->harts || s->harts > ACLINT_MAX_HARTS)
        return device_error("property harts of device aclint must be from 1 to %d", ACLINT_MAX_HARTS);
    if (!s->frequency)
        return device_error("property timebase-frequency of device aclint must not be 0");
    for (unsigned i = 0; i < s->harts; i++) {
        s->timer[i].aclint = s;
        s->timer[i].hart = i;
        timer_init(&s->timer[i].timer, d->host->clocks, CLOCK_VIRTUAL, reached, &s->timer[i]);
    }
    return NULL;
}

static void unrealize(struct device *d)
{
    for (unsigned i = 0; i < aclint(d)->harts; i++)
        timer_cancel(&aclint(d)->timer[i].timer);
}

static void update_all(struct device *d)
{
    struct aclint *s = aclint(d);
    for (unsigned i = 0; i < s->harts; i++) {
        set_line(s, i, ACLINT_SOFTWARE, s->msip[i]);
        update_timer(s, i);
    }
}

static void reset(struct device *d)
{
    __atomic_store_n(&aclint(d)->offset, aclint(d)->offset - aclint_time(d), __ATOMIC_RELAXED);
    update_all(d);
}

const struct device_class device_aclint = {
    DEVICE_CLASS,
    .name = "aclint",
    .doc = "RISC-V core local interruptor: software interrupts and timers of harts",
    .state_size = sizeof(struct aclint),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_IRQS(irqs),
    .irq_sets = ACLINT_MAX_HARTS,
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = update_all,
    .only_board = true,
};
