/* What a board and its harts ask of the ACLINT: see aclint.c. */
#ifndef HW_INTC_ACLINT_H
#define HW_INTC_ACLINT_H

#include "hw/device.h"

enum { ACLINT_MAX_HARTS = 512 };
enum { ACLINT_MSWI = 0x0000, ACLINT_MTIMER_CMP = 0x4000, ACLINT_MTIMER_TIME = 0xbff8 }; /* offsets, for the device tree */
/* Lines: irq[hart * ACLINT_LINES + …]. */
enum { ACLINT_SOFTWARE, ACLINT_TIMER, ACLINT_LINES };

/* The machine's time in ticks of the timebase, as mtime and the `time` CSR read. Safe in any thread. */
uint64_t aclint_time(struct device *d);
/* Virtual nanoseconds at which mtime will be `ticks`; 0: it has been; INT64_MAX: later than that. */
int64_t aclint_time_to_ns(struct device *d, uint64_t ticks);

#endif
