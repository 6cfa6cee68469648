/*
 * A hart's incoming message-signalled interrupt controller at one privilege level, as the hart uses it: the registers
 * behind its CSRs miselect/siselect, mtopei/stopei. Under the machine's lock. See imsic.c.
 */
#ifndef HW_INTC_IMSIC_H
#define HW_INTC_IMSIC_H

#include "hw/device.h"

/* Interrupt files: 0 is the hart's own, the others its guests'. Lines: irq[file]. The window has a page for each. */
enum { IMSIC_MAX_FILES = 8, IMSIC_MAX_IDS = 2047, IMSIC_PAGE = 0x1000 };
/* Numbers for the CSR that selects. */
enum {
    IMSIC_EIDELIVERY = 0x70,
    IMSIC_EITHRESHOLD = 0x72,
    IMSIC_EIP = 0x80,
    IMSIC_EIE = 0xc0,
    IMSIC_SELECT_END = 0x100
};

/*
 * Reads a selected register of a file into *old and then writes the bits of `mask` from `value`. `xlen`: 32 or 64.
 * False: there is no such register, which is an illegal instruction.
 */
bool imsic_access(struct device *d, unsigned file, unsigned select, unsigned xlen, uint64_t *old, uint64_t value,
                  uint64_t mask);
/* The value of mtopei, stopei or vstopei: identity << 16 | identity of the most important interrupt; 0: none. */
uint32_t imsic_top(const struct device *d, unsigned file);
/* A write of that CSR: the interrupt it names is not pending any more. */
void imsic_claim(struct device *d, unsigned file);

#endif
