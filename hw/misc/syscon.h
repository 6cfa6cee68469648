/* What a board connects to a syscon: see syscon.c. */
#ifndef HW_MISC_SYSCON_H
#define HW_MISC_SYSCON_H

#include "hw/device.h"

enum { SYSCON_POWEROFF = 0x5555, SYSCON_REBOOT = 0x7777 }; /* values for the device tree */

struct syscon_events {
    void (*poweroff)(void *opaque, int code);
    void (*reset)(void *opaque);
    void *opaque;
};
void syscon_connect(struct device *d, const struct syscon_events *events);

#endif
