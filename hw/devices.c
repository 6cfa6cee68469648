/* The devices of this executable: a row each. */
#include "hw/device.h"

#define DEVICES(X)                                                                                                     \
    X(aclint)                                                                                                          \
    X(aplic)                                                                                                           \
    X(fw_cfg)                                                                                                          \
    X(goldfish_rtc)                                                                                                    \
    X(imsic)                                                                                                           \
    X(ns16550a)                                                                                                        \
    X(pci_ecam)                                                                                                        \
    X(pci_root)                                                                                                        \
    X(pcie_root_port)                                                                                                  \
    X(pflash)                                                                                                          \
    X(plic)                                                                                                            \
    X(syscon)                                                                                                          \
    X(virtio_9p)                                                                                                       \
    X(virtio_9p_pci)                                                                                                   \
    X(virtio_blk)                                                                                                      \
    X(virtio_blk_pci)                                                                                                  \
    X(virtio_console)                                                                                                  \
    X(virtio_console_pci)                                                                                              \
    X(virtio_keyboard)                                                                                                 \
    X(virtio_keyboard_pci)                                                                                             \
    X(virtio_mmio)                                                                                                     \
    X(virtio_net)                                                                                                      \
    X(virtio_net_pci)                                                                                                  \
    X(virtio_rng)                                                                                                      \
    X(virtio_rng_pci)

#define DECLARE(name) extern const struct device_class device_##name;
DEVICES(DECLARE)

#define ROW(name) &device_##name,
const struct device_class *const device_classes[] = {DEVICES(ROW) NULL};
