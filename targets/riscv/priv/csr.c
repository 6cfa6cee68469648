/*
 * Control and status registers: volume II, chapter 2 and 3.1, 12.1; volume I for fcsr and the counters. One table; a
 * row's number says who may access it and whether it can be written.
 */
#include "targets/riscv/priv/interrupts.h"

#include <stdio.h>
#include <string.h>

#include "exec/target.h"
#include "targets/riscv/extensions.h"

enum { CSR_FFLAGS = 1, CSR_FCSR = 3 };
enum { RV_GDB_PRIV = 4096 }; /* the privilege, as if it were a CSR */
enum { STATEEN_SE0 = 63, STATEEN_ENVCFG = 62 };
#define STATEEN_AIA (UINT64_C(7) << 58)

struct csr {
    uint16_t number;
    uint16_t last; /* of a run of registers that are alike; 0: just one */
    const char *name; /* of a run: all names, or what they begin with, and numbers from first_name on follow */
    uint32_t offset;   /* of a uint64_t in struct rv_hart; 0: by functions */
    uint64_t writable; /* its bits that writes change */
    bool ends_unit;    /* see rv_csr_ends_unit() */
    uint64_t (*read)(struct rv_hart *h, unsigned n); /* n: number - first of the run */
    void (*write)(struct rv_hart *h, unsigned n, uint64_t value);
    bool (*may)(const struct rv_hart *h, unsigned number); /* beyond the privilege of its number */
    uint8_t first_name;
    uint64_t (*kept)(const struct rv_hart *h); /* what setting and clearing bits goes by; NULL: what is read */
    /*
     * In place of read and write: reads into *old and, if `writes`, writes the bits of `mask`. False: illegal
     * instruction.
     */
    bool (*access)(struct rv_hart *h, uint64_t *old, uint64_t value, uint64_t mask, bool writes);
};

#define ALL UINT64_MAX

/* --- fcsr: volume I, 20.2 --- */

static bool fp_on(const struct rv_hart *h, unsigned number)
{
    return h->mstatus & RV_MSTATUS_FS;
}

static uint64_t read_fcsr(struct rv_hart *h, unsigned n) { return rv_get_fcsr(&h->cpu.cpu, CSR_FFLAGS + n); }
static void write_fcsr(struct rv_hart *h, unsigned n, uint64_t value)
{
    rv_set_fcsr(&h->cpu.cpu, CSR_FFLAGS + n, value);
}

/* --- counters --- */

/* mcounteren and scounteren let lower modes read a counter (3.1.11, 12.1.5). */
static bool counter_on(const struct rv_hart *h, unsigned number)
{
    uint64_t bit = UINT64_C(1) << (number & 31);
    return (h->privilege == RV_MACHINE || h->mcounteren & bit) && (h->privilege > RV_USER || h->scounteren & bit);
}

static uint64_t read_time(struct rv_hart *h, unsigned n)
{
    return h->env->time(h->env->opaque);
}

uint64_t rv_retired(struct rv_hart *h)
{
    uint64_t cycles, instructions;
    return h->env->count && h->env->count(h->env->opaque, h, &cycles, &instructions) ? instructions - h->raised : 0;
}

/* cycle (0) and instret (2); both by time where instructions are not counted. The counters of events count none. */
static uint64_t read_counter(struct rv_hart *h, unsigned number)
{
    uint64_t cycles, instructions;
    if (!h->env->count || !h->env->count(h->env->opaque, h, &cycles, &instructions))
        return read_time(h, 0) * (1000000000 / RV_TIME_FREQUENCY);
    return number ? instructions - h->raised : cycles;
}

static uint64_t read_cycle(struct rv_hart *h, unsigned n) { return read_counter(h, 0); }
static uint64_t read_instret(struct rv_hart *h, unsigned n) { return read_counter(h, 2); }

static uint64_t read_zero(struct rv_hart *h, unsigned n) { return 0; }
static void write_nothing(struct rv_hart *h, unsigned n, uint64_t value) {}

/* --- what the hart is --- */

static uint64_t read_misa(struct rv_hart *h, unsigned n)
{
    static const char letters[] = "ACDFIMSU";
    uint64_t v = UINT64_C(2) << 62; /* MXL: 64 bits */
    for (const char *p = letters; *p; p++)
        v |= UINT64_C(1) << (*p - 'A');
    return v;
}

static uint64_t read_hartid(struct rv_hart *h, unsigned n) { return h->id; }

/* --- status --- */

#define SSTATUS_WRITABLE \
    (RV_MSTATUS_SIE | RV_MSTATUS_SPIE | RV_MSTATUS_SPP | RV_MSTATUS_FS | RV_MSTATUS_SUM | RV_MSTATUS_MXR)
#define MSTATUS_WRITABLE (SSTATUS_WRITABLE | RV_MSTATUS_MIE | RV_MSTATUS_MPIE | RV_MSTATUS_MPP | RV_MSTATUS_MPRV | RV_MSTATUS_TVM | \
                          RV_MSTATUS_TW | RV_MSTATUS_TSR)

static uint64_t read_mstatus(struct rv_hart *h, unsigned n)
{
    return h->mstatus | (h->mstatus & RV_MSTATUS_FS ? RV_MSTATUS_SD : 0);
}

static uint64_t read_sstatus(struct rv_hart *h, unsigned n)
{
    return read_mstatus(h, 0) & (SSTATUS_WRITABLE | RV_MSTATUS_UXL | RV_MSTATUS_SD);
}

/* FS is off or dirty: a hart may say dirty more often than it is (3.1.6.6). */
static void write_status(struct rv_hart *h, uint64_t value, uint64_t mask)
{
    uint64_t old = h->mstatus, v = (old & ~mask) | (value & mask);
    if (v & RV_MSTATUS_FS)
        v |= RV_MSTATUS_FS;
    if ((v & RV_MSTATUS_MPP) >> RV_MSTATUS_MPP_SHIFT == 2) /* there is no such mode: as it was */
        v = (v & ~RV_MSTATUS_MPP) | (old & RV_MSTATUS_MPP);
    h->mstatus = v;
    if ((old ^ v) & RV_MSTATUS_MXR)
        h->env->flush(h->env->opaque, h, true);
}

static void write_mstatus(struct rv_hart *h, unsigned n, uint64_t value) { write_status(h, value, MSTATUS_WRITABLE); }
static void write_sstatus(struct rv_hart *h, unsigned n, uint64_t value) { write_status(h, value, SSTATUS_WRITABLE); }

/* Sstc */
static bool stimer_on(const struct rv_hart *h, unsigned number)
{
    return h->privilege == RV_MACHINE || (h->menvcfg & RV_ENVCFG_STCE && h->mcounteren & 2 /* TM */);
}

static void write_stimecmp(struct rv_hart *h, unsigned n, uint64_t value)
{
    h->stimecmp = value;
    h->env->timer(h->env->opaque, h);
}

static void write_menvcfg(struct rv_hart *h, unsigned n, uint64_t value)
{
    uint64_t changed = h->menvcfg ^ value;
    h->menvcfg = value;
    if (changed & (RV_ENVCFG_ADUE | RV_ENVCFG_PBMTE))
        h->env->flush(h->env->opaque, h, true);
    if (changed & RV_ENVCFG_STCE)
        h->env->timer(h->env->opaque, h);
}

/* --- state enables: Smstateen --- */

static bool senvcfg_on(const struct rv_hart *h, unsigned number)
{
    return h->privilege == RV_MACHINE || h->mstateen[0] >> STATEEN_ENVCFG & 1;
}

static bool sstateen_on(const struct rv_hart *h, unsigned number)
{
    return h->privilege == RV_MACHINE || h->mstateen[number & 3] >> STATEEN_SE0 & 1;
}

static uint64_t read_mstateen(struct rv_hart *h, unsigned n) { return h->mstateen[n]; }

static void write_mstateen(struct rv_hart *h, unsigned n, uint64_t value)
{
    uint64_t mask =
        UINT64_C(1) << STATEEN_SE0 | (n ? 0 : UINT64_C(1) << STATEEN_ENVCFG | (rv_aia_on(h, 0) ? STATEEN_AIA : 0));
    h->mstateen[n] = value & mask;
}

/* --- addresses --- */

static bool satp_on(const struct rv_hart *h, unsigned number)
{
    return h->privilege == RV_MACHINE || !(h->mstatus & RV_MSTATUS_TVM);
}

/* A write that asks for a mode there is not changes nothing (12.1.11). */
static void write_satp(struct rv_hart *h, unsigned n, uint64_t value)
{
    unsigned mode = value >> 60;
    if (value == h->satp || (mode && (mode < 8 || mode > 10)))
        return;
    h->satp = value;
    h->env->flush(h->env->opaque, h, true);
}

static uint64_t read_pmpcfg(struct rv_hart *h, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, h->pmpcfg + 4 * n, 8);
    return v;
}

/* With 64 bits the odd ones do not exist. */
static bool pmpcfg_even(const struct rv_hart *h, unsigned number) { return !(number & 1); }

static void write_pmpcfg(struct rv_hart *h, unsigned n, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        rv_write_pmpcfg(h, 4 * n + i, (uint8_t)(value >> 8 * i));
    h->env->flush(h->env->opaque, h, false);
}

static uint64_t read_pmpaddr(struct rv_hart *h, unsigned n) { return h->pmpaddr[n]; }

static void write_pmpaddr(struct rv_hart *h, unsigned n, uint64_t value)
{
    rv_write_pmpaddr(h, n, value);
    h->env->flush(h->env->opaque, h, false);
}

/* --- the table --- */

#define F(member, mask) .offset = offsetof(struct rv_hart, member), .writable = mask
#define EPC_MASK        (~UINT64_C(1))
#define TVEC_MASK       (~UINT64_C(2)) /* direct or vectored */
#define MEDELEG_MASK    0xb3ff         /* all but ECALL from machine mode and what is reserved */
#define SENVCFG_MASK    (RV_ENVCFG_FIOM | RV_ENVCFG_CBIE | RV_ENVCFG_CBCFE | RV_ENVCFG_CBZE)
#define SELECT_MASK     0xff
#define MENVCFG_MASK    (SENVCFG_MASK | RV_ENVCFG_ADUE | RV_ENVCFG_PBMTE | RV_ENVCFG_STCE)

/* By rising numbers. */
static const struct csr csrs[] = {
    {0x001, 0x003, "fflags frm fcsr", .read = read_fcsr, .write = write_fcsr, .may = fp_on, .ends_unit = true},
    {0x100, 0, "sstatus", .read = read_sstatus, .write = write_sstatus, .ends_unit = true},
    {0x104, 0, "sie", .read = rv_read_sie, .write = rv_write_sie, .ends_unit = true},
    {0x105, 0, "stvec", F(stvec, TVEC_MASK)},
    {0x106, 0, "scounteren", F(scounteren, UINT32_MAX)},
    {0x10a, 0, "senvcfg", F(senvcfg, SENVCFG_MASK), .may = senvcfg_on, .ends_unit = true},
    {0x10c, 0x10f, "sstateen", .read = read_zero, .write = write_nothing, .may = sstateen_on},
    {0x140, 0, "sscratch", F(sscratch, ALL)},
    {0x141, 0, "sepc", F(sepc, EPC_MASK)},
    {0x142, 0, "scause", F(scause, ALL)},
    {0x143, 0, "stval", F(stval, ALL)},
    {0x144, 0, "sip", .read = rv_read_sip, .write = rv_write_sip, .kept = rv_kept_sip, .ends_unit = true},
    {0x14d, 0, "stimecmp", F(stimecmp, ALL), .write = write_stimecmp, .may = stimer_on, .ends_unit = true},
    {0x150, 0, "siselect", F(siselect, SELECT_MASK), .may = rv_aia_select_on},
    {0x151, 0, "sireg", .access = rv_access_sireg, .may = rv_aia_select_on, .ends_unit = true},
    {0x15c, 0, "stopei", .access = rv_access_stopei, .may = rv_aia_imsic_on, .ends_unit = true},
    {0x180, 0, "satp", F(satp, ALL), .write = write_satp, .may = satp_on, .ends_unit = true},
    {0x300, 0, "mstatus", .read = read_mstatus, .write = write_mstatus, .ends_unit = true},
    {0x301, 0, "misa", .read = read_misa, .write = write_nothing},
    {0x302, 0, "medeleg", F(medeleg, MEDELEG_MASK)},
    {0x303, 0, "mideleg", F(mideleg, RV_IRQS_S), .ends_unit = true},
    {0x304, 0, "mie", F(mie, RV_IRQS_S | RV_IRQS_M), .ends_unit = true},
    {0x305, 0, "mtvec", F(mtvec, TVEC_MASK)},
    {0x306, 0, "mcounteren", F(mcounteren, UINT32_MAX)},
    {0x308, 0, "mvien", F(mvien, RV_IRQS_VIRTUAL), .may = rv_aia_on, .ends_unit = true},
    {0x309, 0, "mvip", .read = rv_read_mvip, .write = rv_write_mvip, .may = rv_aia_on, .ends_unit = true},
    {0x30a, 0, "menvcfg", F(menvcfg, MENVCFG_MASK), .write = write_menvcfg, .ends_unit = true},
    {0x30c, 0x30f, "mstateen", .read = read_mstateen, .write = write_mstateen},
    {0x320, 0, "mcountinhibit", F(mcountinhibit, 0)},
    {0x323, 0x33f, "mhpmevent", .read = read_zero, .write = write_nothing, .first_name = 3},
    {0x340, 0, "mscratch", F(mscratch, ALL)},
    {0x341, 0, "mepc", F(mepc, EPC_MASK)},
    {0x342, 0, "mcause", F(mcause, ALL)},
    {0x343, 0, "mtval", F(mtval, ALL)},
    {0x344, 0, "mip", .read = rv_read_mip, .write = rv_write_mip, .kept = rv_kept_mip, .ends_unit = true},
    {0x350, 0, "miselect", F(miselect, SELECT_MASK), .may = rv_aia_on},
    {0x351, 0, "mireg", .access = rv_access_mireg, .may = rv_aia_on, .ends_unit = true},
    {0x35c, 0, "mtopei", .access = rv_access_mtopei, .may = rv_aia_on, .ends_unit = true},
    {0x3a0, 0x3a3, "pmpcfg", .read = read_pmpcfg, .write = write_pmpcfg, .may = pmpcfg_even, .ends_unit = true},
    {0x3b0, 0x3bf, "pmpaddr", .read = read_pmpaddr, .write = write_pmpaddr, .ends_unit = true},
    {0xb00, 0, "mcycle", .read = read_cycle, .write = write_nothing},
    {0xb02, 0, "minstret", .read = read_instret, .write = write_nothing},
    {0xb03, 0xb1f, "mhpmcounter", .read = read_zero, .write = write_nothing, .first_name = 3},
    {0xc00, 0, "cycle", .read = read_cycle, .may = counter_on},
    {0xc01, 0, "time", .read = read_time, .may = counter_on},
    {0xc02, 0, "instret", .read = read_instret, .may = counter_on},
    {0xc03, 0xc1f, "hpmcounter", .read = read_zero, .may = counter_on, .first_name = 3},
    {0xdb0, 0, "stopi", .read = rv_read_stopi, .may = rv_aia_state_on},
    {0xf11, 0xf13, "mvendorid marchid mimpid", .read = read_zero},
    {0xf14, 0, "mhartid", .read = read_hartid},
    {0xf15, 0, "mconfigptr", .read = read_zero},
    {0xfb0, 0, "mtopi", .read = rv_read_mtopi, .may = rv_aia_on},
};

static const struct csr *find(unsigned number)
{
    for (unsigned i = 0; i < ARRAY_SIZE(csrs) && csrs[i].number <= number; i++)
        if (number <= (csrs[i].last ? csrs[i].last : csrs[i].number))
            return &csrs[i];
    return NULL;
}

bool rv_csr_ends_unit(unsigned number)
{
    const struct csr *c = find(number);
    return c && c->ends_unit;
}

const char *rv_csr_name(unsigned number)
{
    const struct csr *c = find(number);
    return c ? c->name : NULL;
}

static uint64_t read(struct rv_hart *h, const struct csr *c, unsigned number)
{
    uint64_t v;
    if (c->access)
        return (!c->may || c->may(h, number)) && c->access(h, &v, 0, 0, false) ? v : 0;
    return c->read ? c->read(h, number - c->number) : *(uint64_t *)((char *)h + c->offset);
}

static void write(struct rv_hart *h, const struct csr *c, unsigned number, uint64_t value)
{
    uint64_t *at = (uint64_t *)((char *)h + c->offset), old;
    if (c->access) {
        if (!c->may || c->may(h, number))
            c->access(h, &old, value, ALL, true);
        return;
    }
    if (c->offset)
        value = (*at & ~c->writable) | (value & c->writable);
    if (c->write)
        c->write(h, number - c->number, value);
    else
        *at = value;
}

bool rv_access_csr(struct rv_hart *h, unsigned number, enum rv_csr_op op, bool reads, bool writes, uint64_t operand,
                   uint64_t *old)
{
    const struct csr *c = find(number);
    if (!c || h->privilege < (number >> 8 & 3) || (writes && number >> 10 == 3) || (c->may && !c->may(h, number)))
        return false;
    if (c->access) {
        uint64_t mask = !writes ? 0 : op == RV_CSR_WRITE ? ALL : operand;
        return c->access(h, old, op == RV_CSR_CLEAR ? 0 : operand, mask, writes);
    }
    *old = reads || op != RV_CSR_WRITE ? read(h, c, number) : 0;
    if (!writes)
        return true;
    uint64_t base = c->kept ? c->kept(h) : *old;
    write(h, c, number, op == RV_CSR_WRITE ? operand : op == RV_CSR_SET ? base | operand : base & ~operand);
    return true;
}

/* --- as debuggers see them --- */

static uint64_t get(struct cpu *cpu, unsigned number)
{
    return number == RV_GDB_PRIV ? rv_hart(cpu)->privilege : read(rv_hart(cpu), find(number), number);
}

static void set(struct cpu *cpu, unsigned number, uint64_t value)
{
    if (number != RV_GDB_PRIV)
        write(rv_hart(cpu), find(number), number, value);
    else if (value == RV_USER || value == RV_SUPERVISOR || value == RV_MACHINE)
        rv_hart(cpu)->privilege = (uint8_t)value;
}

static void name_of(const struct csr *c, unsigned n, char out[16])
{
    const char *word = c->name, *space = strchr(word, ' ');
    if (c->last && !space) {
        snprintf(out, 16, "%s%u", word, n + c->first_name);
        return;
    }
    for (unsigned i = 0; i < n && space; i++, space = strchr(word, ' '))
        word = space + 1;
    snprintf(out, 16, "%.*s", (int)strcspn(word, " "), word);
}

bool rv_csr_register(unsigned i, struct target_reg *out)
{
    for (const struct csr *c = csrs + 1; c < csrs + ARRAY_SIZE(csrs); c++) { /* fcsr is among the floating-point registers */
        unsigned run = c->last ? c->last - c->number + 1 : 1;
        if (i >= run) {
            i -= run;
            continue;
        }
        unsigned number = c->number + i;
        *out = (struct target_reg){.size = 8, .get = get, .set = number >> 10 == 3 ? NULL : set, .number = number};
        name_of(c, i, out->name);
        return true;
    }
    return false;
}

bool rv_priv_register(unsigned i, struct target_reg *out)
{
    *out = (struct target_reg){"priv", 8, 0, "riscv_priv", get, set, RV_GDB_PRIV};
    return !i;
}
