/* A RISC-V hart as part of a machine: what connects targets/riscv/priv with clocks, memory and interrupt lines. */
#ifndef HW_RISCV_HART_H
#define HW_RISCV_HART_H

#include "hw/device.h"
#include "softmmu/machine.h"
#include "targets/riscv/priv/priv.h"

struct riscv_harts {
    struct machine *machine;
    struct device *aclint; /* gives the time */
    struct rv_environment env;
    struct timer timer[MACHINE_MAX_PROCESSORS]; /* stimecmp's, by hart */
    struct device *imsic[MACHINE_MAX_PROCESSORS][2]; /* by hart, of machine and of supervisor level */
};

/* Connects the machine's processors, which are stopped, as harts 0…; keep the struct as long as the machine. */
void riscv_harts_init(struct riscv_harts *h, struct machine *m, struct device *aclint);
/*
 * Gives every hart its incoming MSI controllers, imsic[], and with them the registers of the AIA. Before the machine
 * runs.
 */
void riscv_harts_use_imsics(struct riscv_harts *h);
/* The harts' registers have been loaded: their timers follow. Under the machine's lock. */
void riscv_harts_loaded(struct riscv_harts *h);
/* The line of a hart for whoever drives it. */
struct irq riscv_hart_line(struct riscv_harts *h, unsigned hart, enum rv_interrupt which);

#endif
