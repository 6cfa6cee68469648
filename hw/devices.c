/* The devices of this executable: a row each. */
#include "hw/device.h"

extern const struct device_class device_aclint, device_goldfish_rtc, device_ns16550a, device_plic, device_syscon;

const struct device_class *const device_classes[] = {
    &device_aclint,
    &device_goldfish_rtc,
    &device_ns16550a,
    &device_plic,
    &device_syscon,
    NULL,
};
