/* The RV64 hart for machines: its constant facts, and what softmmu/ asks of it (struct target_system). */
#include <elf.h>

#include "base/softfloat.h"
#include "targets/riscv/helpers.h"
#include "targets/riscv/priv/helpers.h"
#include "targets/riscv/priv/translate.h"

static const struct ir_helper *const helpers[] = {
#define X(name, fn, sig, effects) &rv_helper_##name,
#include "targets/riscv/helpers.def"
#include "targets/riscv/priv/helpers.def"
#undef X
};

static const struct ir_guest ir = {
    .slots = rv_slots,
    .nslots = RV_NSLOTS,
    .helpers = helpers,
    .nhelpers = ARRAY_SIZE(helpers),
    .fp = &fp_rules_riscv,
};

static void reset(struct cpu *cpu)
{
    rv_reset_hart(rv_hart(cpu));
}

/* Is a bit of menvcfg, and for user mode of senvcfg, set for the mode the hart is in? */
static bool env_allows(const struct rv_hart *h, uint64_t bit)
{
    return h->privilege == RV_MACHINE || (h->menvcfg & bit && (h->privilege == RV_SUPERVISOR || h->senvcfg & bit));
}

static uint32_t mode(const struct cpu *cpu)
{
    const struct rv_hart *h = (const struct rv_hart *)cpu;
    return h->cpu.frm | (uint32_t)h->privilege << RV_MODE_PRIVILEGE_SHIFT |
           (h->mstatus & RV_MSTATUS_FS ? RV_MODE_FP : 0) | (env_allows(h, RV_ENVCFG_CBCFE) ? RV_MODE_CBO : 0) |
           (env_allows(h, RV_ENVCFG_CBZE) ? RV_MODE_CBO_ZERO : 0);
}

/* --- addresses --- */

enum { VIEW_USER, VIEW_SUPERVISOR, VIEW_SUPERVISOR_SUM, VIEW_MACHINE, NVIEWS };

static unsigned number_of(struct rv_view v)
{
    return v.privilege == RV_MACHINE ? VIEW_MACHINE
           : v.privilege == RV_USER  ? VIEW_USER
           : v.sum                   ? VIEW_SUPERVISOR_SUM
                                     : VIEW_SUPERVISOR;
}

static unsigned data_view(const struct cpu *cpu) { return number_of(rv_data_view((const struct rv_hart *)cpu)); }
static unsigned fetch_view(const struct cpu *cpu) { return number_of(rv_fetch_view((const struct rv_hart *)cpu)); }

static bool unmapped(uint32_t mode) { return (mode >> RV_MODE_PRIVILEGE_SHIFT & RV_MACHINE) == RV_MACHINE; }

static bool translate(struct cpu *cpu, unsigned view, uint64_t address, unsigned size, enum target_access access,
                      struct target_translation *out)
{
    static const struct rv_view views[NVIEWS] = {
        [VIEW_USER] = {RV_USER, false}, [VIEW_SUPERVISOR] = {RV_SUPERVISOR, false}, [VIEW_SUPERVISOR_SUM] = {RV_SUPERVISOR, true},
        [VIEW_MACHINE] = {RV_MACHINE, false},
    };
    static const enum rv_access kind[] = {
        [ACCESS_FETCH] = RV_FETCH, [ACCESS_LOAD] = RV_LOAD, [ACCESS_STORE] = RV_STORE};
    struct rv_translation t;
    if (!rv_translate_address(rv_hart(cpu), views[view], address, size, kind[access], &t)) {
        *out = (struct target_translation){.cause = t.cause}; /* the rest says nothing */
        return false;
    }
    *out = (struct target_translation){
        .physical = t.address, .first = t.first, .last = t.last,
        .allows = {[ACCESS_FETCH] = t.fetch, [ACCESS_LOAD] = t.load, [ACCESS_STORE] = t.store},
    };
    return true;
}

static void raise(struct cpu *cpu, uint32_t cause, uint64_t address)
{
    rv_raise(rv_hart(cpu), cause, address);
}

static void bus_error(struct cpu *cpu, enum target_access access, uint64_t address)
{
    static const enum rv_exception cause[] = {
        [ACCESS_FETCH] = RV_FETCH_ACCESS, [ACCESS_LOAD] = RV_LOAD_ACCESS, [ACCESS_STORE] = RV_STORE_ACCESS};
    rv_raise(rv_hart(cpu), cause[access], address);
}

static void misaligned(struct cpu *cpu, enum target_access access, uint64_t address)
{
    rv_raise(rv_hart(cpu), access == ACCESS_LOAD ? RV_LOAD_MISALIGNED : RV_STORE_MISALIGNED, address);
}

/* --- exceptions and interrupts --- */

static void exception(struct cpu *cpu, enum cpu_exit reason)
{
    struct rv_hart *h = rv_hart(cpu);
    switch (reason) {
    case EXIT_SYSCALL: rv_raise(h, RV_ECALL_U + h->privilege, 0); break;
    case EXIT_BREAKPOINT: rv_raise(h, RV_BREAKPOINT, cpu->pc); break;
    default: rv_raise(h, RV_ILLEGAL, cpu->exit_detail); break;
    }
}

static bool interrupt(struct cpu *cpu)
{
    enum rv_interrupt which;
    enum rv_privilege to;
    bool any = rv_next_interrupt(rv_hart(cpu), &which, &to);
    if (any)
        rv_interrupt(rv_hart(cpu), which, to);
    return any;
}

static bool wakes(struct cpu *cpu) { return rv_wakes(rv_hart(cpu)); }

/* --- saved state --- */

#define S(name, member) {name, offsetof(struct rv_hart, member), sizeof(((struct rv_hart *)0)->member)}
static const struct target_field saved[] = {
    S("pc", cpu.cpu.pc), S("x", cpu.x), S("f", cpu.f), S("fcsr", fcsr), S("reservation", cpu.res_addr),
    S("reserved_value", cpu.res_value), S("privilege", privilege), S("lines", lines), S("soft", soft), S("mstatus", mstatus),
    S("mie", mie), S("mtvec", mtvec), S("mscratch", mscratch), S("mepc", mepc), S("mcause", mcause), S("mtval", mtval),
    S("mideleg", mideleg), S("medeleg", medeleg), S("mcounteren", mcounteren), S("mcountinhibit", mcountinhibit),
    S("menvcfg", menvcfg), S("mstateen", mstateen), S("sstateen", sstateen), S("stvec", stvec), S("sscratch", sscratch),
    S("sepc", sepc), S("scause", scause), S("stval", stval), S("satp", satp), S("scounteren", scounteren),
    S("senvcfg", senvcfg), S("stimecmp", stimecmp), S("pmpcfg", pmpcfg), S("pmpaddr", pmpaddr), S("mvien", mvien), S("mvip", mvip), S("mvsie", mvsie),
    S("miselect", miselect), S("siselect", siselect), S("miprio", miprio), S("siprio", siprio),
    S("minstret", instret),
};
#undef S

static void saving(struct cpu *cpu)
{
    rv_hart(cpu)->fcsr = rv_read_fcsr(rv(cpu));
    rv_hart(cpu)->instret = rv_retired(rv_hart(cpu));
}

static void loaded(struct cpu *cpu)
{
    struct rv_hart *h = rv_hart(cpu);
    unsigned mode = h->satp >> 60;
    rv_write_fcsr(rv(cpu), h->fcsr & FCSR_WRITABLE);
    h->raised += rv_retired(h) - h->instret; /* as if those had not retired that the state does not know */
    h->cpu.x[0] = 0;
    cpu->pc &= ~UINT64_C(1);
    if (h->privilege > RV_MACHINE || h->privilege == 2)
        h->privilege = RV_MACHINE;
    if ((h->mstatus & RV_MSTATUS_MPP) >> RV_MSTATUS_MPP_SHIFT == 2)
        h->mstatus &= ~RV_MSTATUS_MPP;
    h->mstatus |= RV_MSTATUS_UXL | RV_MSTATUS_SXL;
    if (mode && (mode < 8 || mode > 10))
        h->satp = 0;
    h->mvien &= RV_IRQS_VIRTUAL;
}

static bool look_up(struct cpu *cpu, uint64_t address, uint64_t *physical)
{
    return rv_look_up_address(rv_hart(cpu), address, physical);
}

static void mappings(struct cpu *cpu, void (*visit)(void *opaque, const struct target_mapping *m), void *opaque)
{
    rv_each_mapping(rv_hart(cpu), visit, opaque);
}

static const struct target_system privileged = {
    .nviews = NVIEWS,
    .data_view = data_view,
    .fetch_view = fetch_view,
    .unmapped_views = 1 << VIEW_MACHINE,
    .unmapped = unmapped,
    .translate = translate,
    .raise = raise,
    .bus_error = bus_error,
    .misaligned = misaligned,
    .exception = exception,
    .interrupt = interrupt,
    .wakes = wakes,
    .saved = saved,
    .nsaved = ARRAY_SIZE(saved),
    .saving = saving,
    .loaded = loaded,
    .look_up = look_up,
    .mappings = mappings,
};

static const struct target_feature features[] = {
    RV_FEATURES,
    {.name = "org.gnu.gdb.riscv.csr", .row = rv_csr_register, .rare = true},
    {.name = "org.gnu.gdb.riscv.virtual", .row = rv_priv_register, .rare = true, .types =
     "<enum id=\"riscv_priv\" size=\"8\"><evalue name=\"user\" value=\"0\"/><evalue name=\"supervisor\" value=\"1\"/>"
     "<evalue name=\"machine\" value=\"3\"/></enum>"},
    {0},
};

const struct target target_riscv64_system = {
    .name = "riscv64",
    .elf_machine = EM_RISCV,
    .elf_class = ELFCLASS64,
    .elf_data = ELFDATA2LSB,
    .address_bits = 64,
    .pc_zero_bits = 1,
    .page_size = 4096,
    .state_size = sizeof(struct rv_hart),
    .ir = &ir,
    .gdb_architecture = "riscv:rv64",
    .features = features,
    .isa = ISA_RISCV64,
    .reset = reset,
    .mode = mode,
    .translate = rv_translate_privileged,
    .system = &privileged,
};
