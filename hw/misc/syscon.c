/*
 * The register through which a RISC-V guest powers its machine off or resets it, as SiFive's test finisher has it: one
 * 32-bit word, its low half what to do, its high half the exit code of a failure. The device tree describes it as a
 * "syscon" with "syscon-poweroff" and "syscon-reboot" (Linux, Documentation/devicetree/bindings/power/reset).
 */
#include "hw/misc/syscon.h"

enum { FAIL = 0x3333, PASS = SYSCON_POWEROFF, RESET = SYSCON_REBOOT };

struct syscon {
    struct device device;
    struct syscon_events events;
};

static void write_command(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    const struct syscon_events *e = &((struct syscon *)d)->events;
    switch (value & 0xffff) {
    case FAIL: e->poweroff(e->opaque, (int)(value >> 16)); break;
    case PASS: e->poweroff(e->opaque, 0); break;
    case RESET: e->reset(e->opaque); break;
    }
}

void syscon_connect(struct device *d, const struct syscon_events *events)
{
    ((struct syscon *)d)->events = *events;
}

static const struct device_reg regs[] = {
    {.name = "command", .offset = 0, .size = 4, .access = REG_WO, .write = write_command, .doc = "0x5555: power off, "
     "0x3333: power off with the exit code in the high half, 0x7777: reset"},
};
static const struct device_window windows[] = {
    {.name = "syscon", .size = 0x1000, .regs = regs, .nregs = ARRAY_SIZE(regs)}};

const struct device_class device_syscon = {
    DEVICE_CLASS,
    .name = "syscon",
    .doc = "power off and reset by a register (SiFive test finisher)",
    .state_size = sizeof(struct syscon),
    DEVICE_WINDOWS(windows),
    .only_board = true,
};
