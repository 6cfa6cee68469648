/* The devices of this executable: a row each. */
#include "hw/device.h"

#define DEVICES(X)                                                                                                     \
    X(aclint)                                                                                                          \
    X(goldfish_rtc)                                                                                                    \
    X(ns16550a)                                                                                                        \
    X(plic)                                                                                                            \
    X(syscon)                                                                                                          \
    X(virtio_blk)                                                                                                      \
    X(virtio_console)                                                                                                  \
    X(virtio_mmio)                                                                                                     \
    X(virtio_rng)

#define DECLARE(name) extern const struct device_class device_##name;
DEVICES(DECLARE)

#define ROW(name) &device_##name,
const struct device_class *const device_classes[] = {DEVICES(ROW) NULL};
