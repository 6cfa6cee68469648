/* virtio-mmio slots of a board: see mmio.c. */
#ifndef HW_VIRTIO_MMIO_H
#define HW_VIRTIO_MMIO_H

#include "hw/virtio/virtio.h"

/* Puts a virtio device (realized) into a slot (realized); whoever made the device resets, saves
   and frees it. NULL: out again. */
void virtio_mmio_plug(struct device *slot, struct virtio *v);
struct virtio *virtio_mmio_device(struct device *slot);

#endif
