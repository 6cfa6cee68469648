/* Access to a window by its table of registers: between device.c and device-regs.c. */
#ifndef HW_DEVICE_REGS_H
#define HW_DEVICE_REGS_H

#include "hw/device.h"

/* Functions of a window without its own; their device is the window's region. */
extern const struct mem_ops device_reg_ops;
void device_reset_regs(struct device *d, const struct device_window *w);

#endif
