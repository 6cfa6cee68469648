/*
 * The Goldfish real-time clock ("google,goldfish-rtc"): nanoseconds since 1970 in two 32-bit registers, and one alarm.
 * Reading the low word latches the high one; writing the high word first and the low one then sets clock or alarm.
 * Time is the host's date or the machine's virtual time, and the difference that software has set.
 * Facts: the hardware's description, "Goldfish virtual hardware", and Linux' binding rtc/google,goldfish-rtc.yaml.
 */
#include "hw/device.h"

struct goldfish_rtc {
    struct device device;
    struct timer alarm;
    int64_t offset; /* the guest's time less its clock's */
    uint64_t ahead; /* what that is at first */
    bool is_virtual;
    uint32_t time_high, alarm_low, alarm_high, irq_enabled, pending;
};

static struct goldfish_rtc *rtc(struct device *d) { return (struct goldfish_rtc *)d; }

/* The guest sets any time: sums wrap. */
static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

static int64_t now(struct goldfish_rtc *s)
{
    return plus(clock_now(s->device.host->clocks, s->alarm.kind), s->offset);
}

static void update_irq(struct goldfish_rtc *s)
{
    irq_set(&s->device.irq[0], s->pending & s->irq_enabled);
}

static void ring(void *opaque)
{
    struct goldfish_rtc *s = opaque;
    s->pending = 1;
    update_irq(s);
}

static uint64_t read_time_low(struct device *d, const struct device_reg *r, unsigned index)
{
    int64_t t = now(rtc(d));
    rtc(d)->time_high = (uint32_t)(t >> 32);
    return (uint32_t)t;
}

static void write_time_low(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct goldfish_rtc *s = rtc(d);
    s->offset = plus(s->offset, minus((int64_t)((uint64_t)s->time_high << 32 | value), now(s)));
}

static void set_alarm(struct goldfish_rtc *s)
{
    int64_t when = (int64_t)((uint64_t)s->alarm_high << 32 | s->alarm_low);
    if (when <= now(s)) {
        timer_cancel(&s->alarm);
        ring(s);
    } else {
        timer_set(&s->alarm, minus(when, s->offset));
    }
}

static void write_alarm_low(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    rtc(d)->alarm_low = (uint32_t)value;
    set_alarm(rtc(d));
}

static void write_irq_enabled(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    rtc(d)->irq_enabled = (uint32_t)value;
    update_irq(rtc(d));
}

static void clear_alarm(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    timer_cancel(&rtc(d)->alarm);
}

static uint64_t read_alarm_status(struct device *d, const struct device_reg *r, unsigned index)
{
    return timer_is_set(&rtc(d)->alarm);
}

static void clear_interrupt(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    rtc(d)->pending = 0;
    update_irq(rtc(d));
}

#define S(member) DEVICE_STATE(struct goldfish_rtc, member)
static const struct device_reg regs[] = {
    {.name = "time_low", .offset = 0x00, .size = 4, .read = read_time_low, .write = write_time_low,
     .doc = "low word of the time; reading it latches the high word, writing it sets the clock"},
    {.name = "time_high", .offset = 0x04, .size = 4, S(time_high), .doc = "high word of the time"},
    {.name = "alarm_low", .offset = 0x08, .size = 4, S(alarm_low), .write = write_alarm_low,
     .doc = "low word of the alarm; writing it sets the alarm"},
    {.name = "alarm_high", .offset = 0x0c, .size = 4, S(alarm_high), .doc = "high word of the alarm"},
    {.name = "irq_enabled", .offset = 0x10, .size = 4, S(irq_enabled), .write = write_irq_enabled, .fixed = ~UINT64_C(1),
     .doc = "bit 0: the alarm interrupts"},
    {.name = "clear_alarm", .offset = 0x14, .size = 4, .access = REG_WO, .write = clear_alarm, .doc = "any write: no alarm"},
    {.name = "alarm_status", .offset = 0x18, .size = 4, .access = REG_RO, .read = read_alarm_status,
     .doc = "1 while an alarm is set"},
    {.name = "clear_interrupt", .offset = 0x1c, .size = 4, .access = REG_WO, .write = clear_interrupt,
     .doc = "any write: the interrupt is acknowledged"},
};
#undef S
static const struct device_window windows[] = {
    {.name = "rtc", .size = 0x1000, .regs = regs, .nregs = ARRAY_SIZE(regs)}};
static const char *const irqs[] = {"alarm"};
static const struct device_prop props[] = {
    {.name = "virtual", .type = PROP_BOOL, .offset = offsetof(struct goldfish_rtc, is_virtual), .doc = "time goes on as the machine's does, not the host's"},
    {.name = "ahead", .type = PROP_U64, .offset = offsetof(struct goldfish_rtc, ahead),
     .doc = "nanoseconds, modulo 2^64, that the time is ahead of that clock when the machine is made"},
};
static const struct device_saved saved[] = {
    DEVICE_SAVED(struct goldfish_rtc, offset),
    DEVICE_SAVED(struct goldfish_rtc, pending),
    DEVICE_SAVED(struct goldfish_rtc, alarm.when),
};

static char *realize(struct device *d)
{
    struct goldfish_rtc *s = rtc(d);
    timer_init(&s->alarm, d->host->clocks, s->is_virtual ? CLOCK_VIRTUAL : CLOCK_HOST, ring, d);
    s->alarm.when = CLOCK_NEVER;
    s->offset = (int64_t)s->ahead;
    return NULL;
}

static void unrealize(struct device *d)
{
    timer_cancel(&rtc(d)->alarm);
}

/* The time goes on through a reset. */
static void reset(struct device *d)
{
    timer_cancel(&rtc(d)->alarm);
    rtc(d)->pending = 0;
    update_irq(rtc(d));
}

static void loaded(struct device *d)
{
    struct goldfish_rtc *s = rtc(d);
    int64_t when = s->alarm.when;
    s->alarm.when = CLOCK_NEVER; /* device_load() has cancelled it: it is in no list */
    if (when != CLOCK_NEVER)
        timer_set(&s->alarm, when);
    update_irq(s);
}

const struct device_class device_goldfish_rtc = {
    DEVICE_CLASS,
    .name = "goldfish-rtc",
    .doc = "Goldfish real-time clock with an alarm",
    .state_size = sizeof(struct goldfish_rtc),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_IRQS(irqs),
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
    .only_board = true,
};
