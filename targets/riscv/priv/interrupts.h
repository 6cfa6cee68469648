/* Registers about interrupts, as the table of csr.c has them: interrupts.c. */
#ifndef TARGETS_RISCV_PRIV_INTERRUPTS_H
#define TARGETS_RISCV_PRIV_INTERRUPTS_H

#include "targets/riscv/priv/priv.h"

/*
 * Does the hart have the registers of the Advanced Interrupt Architecture, and do mstateen0's bits let its mode at
 * them?
 */
bool rv_aia_on(const struct rv_hart *h, unsigned number);
bool rv_aia_state_on(const struct rv_hart *h, unsigned number);
bool rv_aia_select_on(const struct rv_hart *h, unsigned number);
bool rv_aia_imsic_on(const struct rv_hart *h, unsigned number);

uint64_t rv_read_mip(struct rv_hart *h, unsigned n);
uint64_t rv_read_sip(struct rv_hart *h, unsigned n);
uint64_t rv_read_sie(struct rv_hart *h, unsigned n);
uint64_t rv_read_mvip(struct rv_hart *h, unsigned n);
uint64_t rv_read_mtopi(struct rv_hart *h, unsigned n);
uint64_t rv_read_stopi(struct rv_hart *h, unsigned n);
void rv_write_mip(struct rv_hart *h, unsigned n, uint64_t value);
void rv_write_sip(struct rv_hart *h, unsigned n, uint64_t value);
void rv_write_sie(struct rv_hart *h, unsigned n, uint64_t value);
void rv_write_mvip(struct rv_hart *h, unsigned n, uint64_t value);
/* The bits of mip and sip that software has set, without the wires (3.1.9). */
uint64_t rv_kept_mip(const struct rv_hart *h);
uint64_t rv_kept_sip(const struct rv_hart *h);

/* Read and write in one step: see struct csr. */
bool rv_access_mireg(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes);
bool rv_access_sireg(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes);
bool rv_access_mtopei(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes);
bool rv_access_stopei(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes);

#endif
