/* The host's registers while generated code stands still, on processors that code is generated for. */
#ifndef HOST_REGISTERS_H
#define HOST_REGISTERS_H

#include "base/bits.h"

/* General ones by their number in encodings, then vectors. */
struct host_registers {
    uint64_t general[16];
    v128 vector[16];
};

#endif
