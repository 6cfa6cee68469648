/*
 * A hart with its privileged state: machine, supervisor and user mode (The RISC-V Instruction Set Manual, volume II:
 * Privileged Architecture, 20240411). csr.c has the registers, interrupts.c which interrupt comes first, trap.c traps
 * and returns, mmu.c Sv39, Sv48 and Sv57, pmp.c physical memory protection. Nothing here knows how instructions are
 * executed or what the machine looks like: that is asked through struct rv_environment.
 */
#ifndef TARGETS_RISCV_PRIV_PRIV_H
#define TARGETS_RISCV_PRIV_PRIV_H

#include "exec/target.h"
#include "targets/riscv/cpu.h"

enum rv_privilege { RV_USER, RV_SUPERVISOR, RV_MACHINE = 3 };

/* mstatus and sstatus (3.1.6, 12.1.1) */
#define RV_MSTATUS_SIE  (UINT64_C(1) << 1)
#define RV_MSTATUS_MIE  (UINT64_C(1) << 3)
#define RV_MSTATUS_SPIE (UINT64_C(1) << 5)
#define RV_MSTATUS_MPIE (UINT64_C(1) << 7)
#define RV_MSTATUS_SPP  (UINT64_C(1) << 8)
#define RV_MSTATUS_MPP  (UINT64_C(3) << 11)
#define RV_MSTATUS_FS   (UINT64_C(3) << 13)
#define RV_MSTATUS_MPRV (UINT64_C(1) << 17)
#define RV_MSTATUS_SUM  (UINT64_C(1) << 18)
#define RV_MSTATUS_MXR  (UINT64_C(1) << 19)
#define RV_MSTATUS_TVM  (UINT64_C(1) << 20)
#define RV_MSTATUS_TW   (UINT64_C(1) << 21)
#define RV_MSTATUS_TSR  (UINT64_C(1) << 22)
#define RV_MSTATUS_UXL  (UINT64_C(2) << 32) /* 64 bits: fixed */
#define RV_MSTATUS_SXL  (UINT64_C(2) << 34)
#define RV_MSTATUS_SD   (UINT64_C(1) << 63)
enum { RV_MSTATUS_MPP_SHIFT = 11 };

/* Interrupts: bits of mip, mie, mideleg; causes (3.1.15, table 14) */
enum rv_interrupt {
    RV_IRQ_SSOFT = 1,
    RV_IRQ_MSOFT = 3,
    RV_IRQ_STIMER = 5,
    RV_IRQ_MTIMER = 7,
    RV_IRQ_SEXT = 9,
    RV_IRQ_MEXT = 11,
};
#define RV_IRQ(n) (UINT64_C(1) << (n))
#define RV_IRQS_S (RV_IRQ(RV_IRQ_SSOFT) | RV_IRQ(RV_IRQ_STIMER) | RV_IRQ(RV_IRQ_SEXT))
/*
 * Those that machine mode can make up (AIA: mvien, mvip): beside two of the above all that have a place in the default
 * order.
 */
#define RV_IRQS_VIRTUAL (RV_IRQ(RV_IRQ_SSOFT) | RV_IRQ(RV_IRQ_SEXT) | RV_IRQ(13) | ~(RV_IRQ(16) - 1))
#define RV_IRQS_M (RV_IRQ(RV_IRQ_MSOFT) | RV_IRQ(RV_IRQ_MTIMER) | RV_IRQ(RV_IRQ_MEXT))

enum rv_exception {
    RV_FETCH_MISALIGNED = 0,
    RV_FETCH_ACCESS = 1,
    RV_ILLEGAL = 2,
    RV_BREAKPOINT = 3,
    RV_LOAD_MISALIGNED = 4,
    RV_LOAD_ACCESS = 5,
    RV_STORE_MISALIGNED = 6,
    RV_STORE_ACCESS = 7,
    RV_ECALL_U = 8, /* plus the privilege */
    RV_FETCH_PAGE = 12,
    RV_LOAD_PAGE = 13,
    RV_STORE_PAGE = 15,
};

/* menvcfg, senvcfg (3.1.18) */
#define RV_ENVCFG_FIOM  (UINT64_C(1) << 0)
#define RV_ENVCFG_CBIE  (UINT64_C(3) << 4)
#define RV_ENVCFG_CBCFE (UINT64_C(1) << 6)
#define RV_ENVCFG_CBZE  (UINT64_C(1) << 7)
#define RV_ENVCFG_ADUE  (UINT64_C(1) << 61)
#define RV_ENVCFG_PBMTE (UINT64_C(1) << 62)
#define RV_ENVCFG_STCE  (UINT64_C(1) << 63)

enum { RV_PMP_ENTRIES = 16 };

struct rv_hart;
struct target_reg;

/* What a hart is connected to. Called by the hart's own thread. */
struct rv_environment {
    uint64_t (*time)(void *opaque); /* mtime */
    /* stimecmp changed (Sstc): STIP is to be looked at again when mtime reaches it. */
    void (*timer)(void *opaque, struct rv_hart *h);
    /* A doubleword of physical memory, for page tables: false where no memory is. swap: only if it is still `old`. */
    bool (*load)(void *opaque, const struct rv_hart *h, uint64_t address, uint64_t *value);
    bool (*swap)(void *opaque, uint64_t address, uint64_t old, uint64_t new);
    /*
     * Translations of addresses have become stale: all (`mapped`: that page tables made), or those of the page that
     * holds the address.
     */
    void (*flush)(void *opaque, struct rv_hart *h, bool mapped);
    void (*flush_page)(void *opaque, struct rv_hart *h, uint64_t address);
    void *opaque;
    /*
     * The hart's incoming MSI controller at a level, machine or supervisor; NULL: there is none, nor registers about
     * one. A selected register is read into *old and written by the mask (false: it does not exist); the most important
     * interrupt: identity << 16 | identity, or 0, which `claim` makes no longer pending.
     */
    bool (*imsic)(void *opaque, const struct rv_hart *h, enum rv_privilege level, unsigned select, uint64_t *old,
                  uint64_t value, uint64_t mask);
    uint32_t (*imsic_top)(void *opaque, const struct rv_hart *h, enum rv_privilege level, bool claim);
    /*
     * Where time is counted by instructions: those there has been time for, and those executed, the current one not
     * among them, but those that raised an exception. False, or NULL: it is not.
     */
    bool (*count)(void *opaque, const struct rv_hart *h, uint64_t *cycles, uint64_t *instructions);
};

struct rv_hart {
    struct rv_cpu cpu;
    const struct rv_environment *env;
    uint64_t id;       /* mhartid */
    uint8_t privilege; /* enum rv_privilege */
    uint64_t lines;    /* mip bits held by wires; changed atomically, by any thread */
    uint64_t soft;     /* mip bits set by software */
    uint64_t raised;   /* instructions that raised an exception: they do not retire */
    uint64_t instret;  /* while state is saved or loaded: how many have retired, where they are counted */
    uint64_t mstatus, mie, mtvec, mscratch, mepc, mcause, mtval, mideleg, medeleg, mcounteren, mcountinhibit, menvcfg;
    uint64_t mstateen[4], sstateen[4];
    uint64_t stvec, sscratch, sepc, scause, stval, satp, scounteren, senvcfg, stimecmp;
    uint8_t pmpcfg[RV_PMP_ENTRIES];
    uint64_t pmpaddr[RV_PMP_ENTRIES];
    uint64_t mvien, mvip, mvsie;     /* mvsie: sie's bits of interrupts that are mvip's */
    uint64_t miselect, siselect;
    uint8_t miprio[64], siprio[64];  /* priority numbers by interrupt */
    uint32_t fcsr; /* while state is saved or loaded; else it is in the CPU's own registers */
};

static inline struct rv_hart *rv_hart(struct cpu *cpu) { return (struct rv_hart *)cpu; }

extern const struct target target_riscv64_system;

/* Instructions retired, where they are counted; else 0. */
uint64_t rv_retired(struct rv_hart *h);

/* State at reset (3.4); id, env and the wires stay. */
void rv_reset_hart(struct rv_hart *h);

/* --- registers: csr.c --- */

enum rv_csr_op { RV_CSR_WRITE, RV_CSR_SET, RV_CSR_CLEAR };

/* The instructions' two halves: reads, if `reads`, and writes, if `writes`, by the op. False: illegal instruction. */
bool rv_access_csr(struct rv_hart *h, unsigned number, enum rv_csr_op op, bool reads, bool writes, uint64_t operand,
                   uint64_t *old);
/* Can writing it change how the code behind is to be translated or whether an interrupt is taken? */
bool rv_csr_ends_unit(unsigned number);
/* "mstatus"; NULL: there is no such register. */
const char *rv_csr_name(unsigned number);
/* Rows of target features: CSRs, whatever mode the hart is in, and its mode. */
bool rv_csr_register(unsigned i, struct target_reg *out);
bool rv_priv_register(unsigned i, struct target_reg *out);

/* --- traps: trap.c --- */

/* Enters the handler: the hart's pc is that of the instruction (exceptions) or of the next one (interrupts). */
void rv_raise(struct rv_hart *h, enum rv_exception cause, uint64_t value);
void rv_interrupt(struct rv_hart *h, enum rv_interrupt which, enum rv_privilege to);
/* MRET, SRET: set the pc. False: illegal instruction. */
bool rv_return(struct rv_hart *h, enum rv_privilege from);
/* May WFI, and SFENCE.VMA and its relatives, be executed here? */
bool rv_may_wait(const struct rv_hart *h);
bool rv_may_fence(const struct rv_hart *h);

/* --- interrupts: interrupts.c --- */

/* mip as software sees it. */
uint64_t rv_pending(const struct rv_hart *h);
/* The interrupt to be taken now and the mode that handles it; false: none. */
bool rv_next_interrupt(const struct rv_hart *h, enum rv_interrupt *which, enum rv_privilege *to);
/* Is an enabled interrupt pending, whether or not it may be taken now (3.3.3)? */
bool rv_wakes(const struct rv_hart *h);

/* --- addresses: mmu.c, pmp.c --- */

enum rv_access { RV_FETCH, RV_LOAD, RV_STORE };

/* By what rules addresses are translated: part of the key of a TLB entry. */
struct rv_view {
    enum rv_privilege privilege; /* RV_MACHINE: physical addresses */
    bool sum;
};

struct rv_translation {
    uint64_t address;  /* physical */
    uint64_t first, last; /* virtual addresses around for which the same translation and permissions hold */
    bool load, store, fetch; /* what is allowed; store: and marked dirty already */
    enum rv_exception cause; /* where it failed */
};

/* The view of loads and stores (MPRV looked at), and of instruction fetches. */
struct rv_view rv_data_view(const struct rv_hart *h);
struct rv_view rv_fetch_view(const struct rv_hart *h);
/* The physical address of an access of `size` bytes that lies within a page. False: out->cause says why not. */
bool rv_translate_address(struct rv_hart *h, struct rv_view view, uint64_t address, unsigned size,
                          enum rv_access access, struct rv_translation *out);

/* What the page tables in use map; PMP aside. */
void rv_each_mapping(struct rv_hart *h, void (*visit)(void *opaque, const struct target_mapping *m), void *opaque);

/* Where the address leads as loads see it, whatever the pages allow and without marking them. False: nowhere. */
bool rv_look_up_address(const struct rv_hart *h, uint64_t address, uint64_t *physical);

/*
 * PMP: may `size` bytes at the physical address be accessed? [*first, *last]: addresses around that the answer covers.
 */
bool rv_pmp_allows(const struct rv_hart *h, enum rv_privilege privilege, uint64_t address, unsigned size,
                   enum rv_access access, uint64_t *first, uint64_t *last);
void rv_write_pmpcfg(struct rv_hart *h, unsigned entry, uint8_t value);
void rv_write_pmpaddr(struct rv_hart *h, unsigned entry, uint64_t value);

#endif
