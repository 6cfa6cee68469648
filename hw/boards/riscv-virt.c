/*
 * The RISC-V `virt` machine: no real board, but one that Linux, U-Boot, EDK II and OpenSBI know, all of it described by
 * the device tree it starts with.
 *
 *   0x00001000  reset code and what it needs        0x10001000  eight virtio-mmio slots, sources 1 to 8
 *   0x00100000  power off and reset                 0x10100000  fw_cfg
 *   0x00101000  clock chip, source 11               0x20000000  flash, two banks of 32 MiB
 *   0x02000000  ACLINT                              0x30000000  PCI Express: configuration space
 *   0x03000000  PCI: ports                          0x40000000  PCI: memory
 *   0x0c000000  PLIC, or APLIC of machine level     0x80000000  RAM; above it PCI memory of 64 bits, at a multiple
 *   0x0d000000  APLIC of supervisor level                       of its size
 *   0x10000000  UART, source 10                     0x24000000  IMSICs of machine level, a page for each hart
 *                                                   0x28000000  IMSICs of supervisor level
 *
 * Sources are inputs of the PLIC or, with aia=aplic, of the APLIC's machine-level domain, which firmware delegates.
 * With aia=aplic-imsic the APLIC sends messages to the harts' IMSICs, and so do PCI functions.
 *
 * Firmware starts at the beginning of RAM in machine mode, the kernel 2 MiB above it in supervisor mode, as OpenSBI's
 * "dynamic" firmware expects it to be told (docs/firmware/fw_dynamic.md of OpenSBI); without firmware the kernel starts
 * there itself. A drive for flash bank 0 takes the kernel's place: firmware goes on there, or without any the machine
 * starts there; what it finds in the flash gets a kernel and an initial RAM disk through fw_cfg.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/log.h"
#include "hw/boards/board.h"
#include "hw/boards/fdt.h"
#include "hw/boards/load.h"
#include "hw/intc/aclint.h"
#include "hw/intc/aplic.h"
#include "hw/intc/imsic.h"
#include "hw/intc/plic.h"
#include "hw/misc/fw-cfg.h"
#include "hw/misc/syscon.h"
#include "hw/pci/ecam.h"
#include "hw/riscv/hart.h"
#include "hw/virtio/mmio.h"
#include "targets/riscv/extensions.h"

enum { NVIRTIO = 8, SOURCES = 96, SOURCE_VIRTIO = 1, SOURCE_UART = 10, SOURCE_RTC = 11, SOURCE_PCI = 32 };
enum { IMSIC_IDS = 255, TIMEBASE = 10000000, UART_CLOCK = 3686400 };

#define ROM_BASE    UINT64_C(0x1000)
#define ROM_SIZE    UINT64_C(0xf000)
#define SYSCON_BASE UINT64_C(0x100000)
#define RTC_BASE    UINT64_C(0x101000)
#define ACLINT_BASE UINT64_C(0x2000000)
#define ACLINT_SIZE UINT64_C(0x10000)
#define PLIC_BASE   UINT64_C(0xc000000)
#define PLIC_SIZE   UINT64_C(0x600000)
#define APLIC_BASE  UINT64_C(0xc000000) /* of machine level; that of supervisor level behind it */
#define APLIC_NEXT  UINT64_C(0x1000000)
#define APLIC_SIZE  UINT64_C(0x8000)
#define IMSIC_BASE  UINT64_C(0x24000000) /* of machine level; those of supervisor level behind them */
#define IMSIC_NEXT  UINT64_C(0x4000000)
#define UART_BASE   UINT64_C(0x10000000)
#define UART_SIZE   UINT64_C(0x100)
#define VIRTIO_BASE UINT64_C(0x10001000)
#define CHIP_SIZE   UINT64_C(0x1000)
#define FW_CFG_BASE UINT64_C(0x10100000)
#define FW_CFG_SIZE UINT64_C(24)
#define FLASH_BASE  UINT64_C(0x20000000)
#define FLASH_SIZE  UINT64_C(0x2000000)
#define ECAM_BASE   UINT64_C(0x30000000)
#define ECAM_SIZE   UINT64_C(0x10000000)
#define PORTS_BASE  UINT64_C(0x3000000)
#define PORTS_SIZE  UINT64_C(0x10000)
#define PCI_BASE    UINT64_C(0x40000000)
#define PCI_SIZE    UINT64_C(0x40000000)
#define WIDE_SIZE   UINT64_C(0x400000000)
#define RAM_BASE    UINT64_C(0x80000000)
#define KERNEL_BASE (RAM_BASE + UINT64_C(0x200000))
#define MIB         (UINT64_C(1) << 20)

enum {
    PHANDLE_CPU = 1 /* and one per hart */,
    PHANDLE_PLIC = 0x1000,
    PHANDLE_SYSCON,
    PHANDLE_APLIC /* and one per level */,
    PHANDLE_IMSIC = PHANDLE_APLIC + 2
};
enum { LEVEL_M, LEVEL_S, LEVELS };
enum { IRQ_LEVEL_HIGH = 4 }; /* Linux' dt-bindings/interrupt-controller/irq.h */

/* Properties, with the numbers of their values. */
enum { PROP_AIA };
enum aia { AIA_NONE, AIA_APLIC, AIA_APLIC_IMSIC };
static const char *const aia_values[] = {"none", "aplic", "aplic-imsic", NULL};
static const struct board_prop props[] = {
    [PROP_AIA] = {"aia", aia_values, "interrupt controllers: PLIC, or those of the Advanced Interrupt Architecture, with lines or messages"},
};

static const char default_firmware[] = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin";

struct virt {
    struct board board;
    struct mem_region ram, rom;
    struct riscv_harts harts;
    struct device *aclint, *plic, *aplic[LEVELS]; /* a PLIC, or the APLIC's domains */
    struct device *uart, *rtc, *syscon, *pci, *fw_cfg, *flash[BOARD_MAX_FLASH], *virtio[NVIRTIO];
    struct mem_region pci_ports, pci_memory, pci_wide; /* windows onto the bus */
};

/* --- the chips --- */

static enum aia aia(const struct virt *v) { return v->board.options.prop[PROP_AIA]; }

static bool has_imsics(const struct virt *v) { return aia(v) == AIA_APLIC_IMSIC; }

/* What is left to do when a chip has been made: its window into the map. */
static char *plug(struct virt *v, struct device *d, uint64_t at)
{
    char *error = device_realize(d);
    if (!error)
        mem_add(&v->board.machine.memory, v->board.machine.memory.root, at, &d->view[0].region, 0);
    return error;
}

static struct device *chip(struct virt *v, const char *class) { return board_chip(&v->board, class); }

static void set_number(struct device *d, const char *property, unsigned n)
{
    char text[16];
    snprintf(text, sizeof text, "%u", n);
    char *error = device_set(d, property, text);
    CHECK(!error);
}

static void set_switch(struct device *d, const char *property, bool on)
{
    char *error = device_set(d, property, on ? "on" : "off");
    CHECK(!error);
}

/* The input of a source, for who drives it. */
static struct irq source(struct virt *v, unsigned n) { return device_input(aia(v) ? v->aplic[LEVEL_M] : v->plic, n); }

static char *build_plic(struct virt *v)
{
    unsigned harts = v->board.machine.nprocessors;
    v->plic = chip(v, "plic");
    set_number(v->plic, "sources", SOURCES);
    set_number(v->plic, "contexts", 2 * harts);
    for (unsigned i = 0; i < harts; i++) {
        v->plic->irq[2 * i] = riscv_hart_line(&v->harts, i, RV_IRQ_MEXT);
        v->plic->irq[2 * i + 1] = riscv_hart_line(&v->harts, i, RV_IRQ_SEXT);
    }
    return plug(v, v->plic, PLIC_BASE);
}

static const enum rv_interrupt external[LEVELS] = {RV_IRQ_MEXT, RV_IRQ_SEXT};

static char *build_imsics(struct virt *v)
{
    char *error = NULL;
    for (unsigned i = 0; i < v->board.machine.nprocessors; i++)
        for (unsigned k = 0; k < LEVELS && !error; k++) {
            struct device *d = v->harts.imsic[i][k] = chip(v, "imsic");
            set_number(d, "ids", IMSIC_IDS);
            d->irq[0] = riscv_hart_line(&v->harts, i, external[k]);
            error = plug(v, d, IMSIC_BASE + k * IMSIC_NEXT + i * IMSIC_PAGE);
        }
    if (!error)
        riscv_harts_use_imsics(&v->harts);
    return error;
}

static char *build_aplic(struct virt *v)
{
    unsigned harts = v->board.machine.nprocessors;
    char *error = NULL;
    for (unsigned k = 0; k < LEVELS && !error; k++) {
        v->aplic[k] = chip(v, "aplic");
        set_number(v->aplic[k], "sources", SOURCES);
        set_number(v->aplic[k], "harts", harts);
        set_switch(v->aplic[k], "msi", has_imsics(v));
        set_switch(v->aplic[k], "supervisor", k == LEVEL_S);
        for (unsigned i = 0; i < harts && !has_imsics(v); i++)
            v->aplic[k]->irq[i] = riscv_hart_line(&v->harts, i, external[k]);
        error = plug(v, v->aplic[k], APLIC_BASE + k * APLIC_NEXT);
    }
    if (!error)
        aplic_set_child(v->aplic[LEVEL_M], v->aplic[LEVEL_S]);
    return error;
}

static char *build_interrupts(struct virt *v)
{
    unsigned harts = v->board.machine.nprocessors;
    v->aclint = chip(v, "aclint");
    set_number(v->aclint, "harts", harts);
    set_number(v->aclint, "timebase-frequency", TIMEBASE);
    riscv_harts_init(&v->harts, &v->board.machine, v->aclint);
    for (unsigned i = 0; i < harts; i++) {
        v->aclint->irq[i * ACLINT_LINES + ACLINT_SOFTWARE] = riscv_hart_line(&v->harts, i, RV_IRQ_MSOFT);
        v->aclint->irq[i * ACLINT_LINES + ACLINT_TIMER] = riscv_hart_line(&v->harts, i, RV_IRQ_MTIMER);
    }
    char *error = plug(v, v->aclint, ACLINT_BASE);
    if (!error && has_imsics(v))
        error = build_imsics(v);
    if (error)
        return error;
    return aia(v) ? build_aplic(v) : build_plic(v);
}

static void poweroff(void *opaque, int code)
{
    machine_ask_shutdown(opaque, code ? CAUSE_GUEST_PANIC : CAUSE_GUEST_SHUTDOWN, code);
}

static void ask_reset(void *opaque) { machine_ask_reset(opaque, CAUSE_GUEST_RESET); }

static char *set_date(struct virt *v)
{
    char ahead[24];
    snprintf(ahead, sizeof ahead, "%llu", (unsigned long long)v->board.options.date.ahead);
    char *error = device_set(v->rtc, "virtual", v->board.options.date.is_virtual ? "on" : "off");
    return error ? error : device_set(v->rtc, "ahead", ahead);
}

static char *build_chips(struct virt *v)
{
    struct machine *m = &v->board.machine;
    v->uart = chip(v, "ns16550a");
    device_set_backend(v->uart, "chardev", v->board.options.serial[0]);
    v->uart->irq[0] = source(v, SOURCE_UART);
    v->rtc = chip(v, "goldfish-rtc");
    v->rtc->irq[0] = source(v, SOURCE_RTC);
    v->syscon = chip(v, "syscon");
    syscon_connect(v->syscon, &(struct syscon_events){poweroff, ask_reset, m});
    char *error = plug(v, v->uart, UART_BASE);
    if (!error)
        error = set_date(v);
    if (!error)
        error = plug(v, v->rtc, RTC_BASE);
    if (!error)
        error = plug(v, v->syscon, SYSCON_BASE);
    for (unsigned i = 0; i < NVIRTIO && !error; i++) {
        v->virtio[i] = chip(v, "virtio-mmio");
        v->virtio[i]->irq[0] = source(v, SOURCE_VIRTIO + i);
        error = plug(v, v->virtio[i], VIRTIO_BASE + i * CHIP_SIZE);
    }
    return error;
}

static char *build_flash(struct virt *v)
{
    char *error = NULL;
    for (unsigned i = 0; i < BOARD_MAX_FLASH && !error; i++) {
        v->flash[i] = chip(v, "pflash");
        device_set_backend(v->flash[i], "drive", v->board.options.flash[i]);
        error = plug(v, v->flash[i], FLASH_BASE + i * FLASH_SIZE);
    }
    return error;
}

static char *build_fw_cfg(struct virt *v)
{
    const struct board_options *o = &v->board.options;
    v->fw_cfg = chip(v, "fw_cfg");
    char *error = plug(v, v->fw_cfg, FW_CFG_BASE);
    if (error)
        return error;
    fw_cfg_set_number(v->fw_cfg, FW_CFG_RAM_SIZE, o->ram_size, 8);
    fw_cfg_set_number(v->fw_cfg, FW_CFG_NB_CPUS, v->board.machine.nprocessors, 2);
    return board_add_files(&v->board, v->fw_cfg);
}

static uint64_t wide_base(const struct virt *v)
{
    return ALIGN_UP(RAM_BASE + v->board.options.ram_size, WIDE_SIZE);
}

static char *build_pci(struct virt *v)
{
    struct mem_space *s = &v->board.machine.memory;
    v->pci = chip(v, "pci-host-ecam-generic");
    for (unsigned i = 0; i < PCI_PINS; i++)
        v->pci->irq[i] = source(v, SOURCE_PCI + i);
    char *error = plug(v, v->pci, ECAM_BASE);
    if (error)
        return error;
    struct pci_bus *bus = v->board.pci = pci_ecam_bus(v->pci);
    mem_init_alias(&v->pci_ports, "pci-ports", &bus->ports, 0, PORTS_SIZE);
    mem_init_alias(&v->pci_memory, "pci-memory", &bus->memory, PCI_BASE, PCI_SIZE);
    mem_init_alias(&v->pci_wide, "pci-memory-64", &bus->memory, wide_base(v), WIDE_SIZE);
    mem_add(s, s->root, PORTS_BASE, &v->pci_ports, 0);
    mem_add(s, s->root, PCI_BASE, &v->pci_memory, 0);
    mem_add(s, s->root, wide_base(v), &v->pci_wide, 0);
    return NULL;
}

static char *build(struct board *b)
{
    struct virt *v = (struct virt *)b;
    struct mem_space *s = &b->machine.memory;
    if (!mem_init_ram(&v->ram, "ram", b->options.ram_size))
        return device_error("no memory for %llu MiB of RAM; ask for less with -m",
                            (unsigned long long)(b->options.ram_size / MIB));
    if (b->options.ram_not_dumped && madvise(v->ram.host, v->ram.size, MADV_DONTDUMP))
        return device_error("dump-guest-core=off: %s", strerror(errno));
    mem_add(s, s->root, RAM_BASE, &v->ram, 0);
    if (!mem_init_rom(&v->rom, "rom", ROM_SIZE, NULL, NULL))
        return device_error("no memory for the boot ROM");
    mem_add(s, s->root, ROM_BASE, &v->rom, 0);
    char *error = build_interrupts(v);
    if (!error)
        error = build_chips(v);
    if (!error)
        error = build_fw_cfg(v);
    if (!error)
        error = build_flash(v);
    return error ? error : build_pci(v);
}

/* --- devices of the user's --- */

static char *plug_in(struct board *b, struct device *d)
{
    struct virt *v = (struct virt *)b;
    switch (d->class->bus) {
    case BUS_PCI: return pci_plug(pci_ecam_bus(v->pci), d, -1);
    case BUS_VIRTIO:
        for (unsigned i = NVIRTIO; i-- > 0;) /* Linux finds the last slot first */
            if (!virtio_mmio_device(v->virtio[i])) {
                virtio_mmio_plug(v->virtio[i], (struct virtio *)d);
                return NULL;
            }
        return device_error("all %d virtio-mmio slots of the machine are taken; use the device's -pci form", NVIRTIO);
    default: return device_error("device %s is part of boards and cannot be plugged in", d->class->name);
    }
}

static void unplug(struct board *b, struct device *d)
{
    struct virt *v = (struct virt *)b;
    if (d->class->bus == BUS_PCI)
        pci_unplug(d);
    for (unsigned i = 0; i < NVIRTIO; i++)
        if (virtio_mmio_device(v->virtio[i]) == (struct virtio *)d)
            virtio_mmio_plug(v->virtio[i], NULL);
}

static void remove_chip(struct virt *v, struct device *d)
{
    if (d && d->view[0].region.parent)
        mem_remove(&v->board.machine.memory, &d->view[0].region);
    if (d)
        device_free(d);
}

static void take_apart(struct board *b)
{
    struct virt *v = (struct virt *)b;
    struct mem_region *const windows[] = {&v->pci_ports, &v->pci_memory, &v->pci_wide};
    struct device *const chips[] = {v->pci,  v->flash[1],       v->flash[0],       v->fw_cfg, v->syscon, v->rtc,
                                    v->uart, v->aplic[LEVEL_S], v->aplic[LEVEL_M], v->plic,   v->aclint};
    for (unsigned i = 0; i < ARRAY_SIZE(windows); i++)
        if (windows[i]->parent)
            mem_remove(&b->machine.memory, windows[i]);
    for (unsigned i = 0; i < NVIRTIO; i++)
        remove_chip(v, v->virtio[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(chips); i++)
        remove_chip(v, chips[i]);
    for (unsigned i = 0; i < b->machine.nprocessors; i++)
        for (unsigned k = 0; k < LEVELS; k++)
            remove_chip(v, v->harts.imsic[i][k]);
    struct mem_region *const memories[] = {&v->ram, &v->rom};
    for (unsigned i = 0; i < ARRAY_SIZE(memories); i++) {
        if (memories[i]->parent)
            mem_remove(&b->machine.memory, memories[i]);
        mem_free(memories[i]);
    }
}

/* --- the device tree; each chip's node as Linux' bindings have it --- */

static size_t isa_names(const struct virt *v, char *list, size_t room, char *isa, size_t isa_room)
{
    static const char *const privileged[] = {"svade", "svadu",     "svinval", "svnapot", "svpbmt",
                                             "sstc",  "smstateen", "smaia",   "ssaia"};
    unsigned nprivileged = ARRAY_SIZE(privileged) - (has_imsics(v) ? 0 : 2); /* the last two come with the registers */
    size_t n = 0, k = 0;
    k += (size_t)snprintf(isa + k, isa_room - k, "rv64i");
    n += (size_t)snprintf(list + n, room - n, "i") + 1;
#define LETTER(name, bit, on)                                                  \
    if (on) {                                                                  \
        k += (size_t)snprintf(isa + k, isa_room - k, #name);                   \
        n += (size_t)snprintf(list + n, room - n, #name) + 1;                  \
    }
    RV_SINGLE_LETTER(LETTER)
#undef LETTER
#define LETTERS(name, bit, on)                                                 \
    if (on) {                                                                  \
        k += (size_t)snprintf(isa + k, isa_room - k, "_" #name);               \
        n += (size_t)snprintf(list + n, room - n, #name) + 1;                  \
    }
    RV_MULTI_LETTER(LETTERS)
#undef LETTERS
    for (unsigned i = 0; i < nprivileged; i++) {
        k += (size_t)snprintf(isa + k, isa_room - k, "_%s", privileged[i]);
        n += (size_t)snprintf(list + n, room - n, "%s", privileged[i]) + 1;
    }
    CHECK(n < room && k < isa_room);
    return n;
}

static void describe_harts(struct virt *v, struct fdt *f)
{
    char isa[512], list[512];
    size_t n = isa_names(v, list, sizeof list, isa, sizeof isa);
    fdt_at(f, "/", "cpus");
    fdt_cells(f, "#address-cells", 1);
    fdt_cells(f, "#size-cells", 0);
    fdt_cells(f, "timebase-frequency", TIMEBASE);
    for (unsigned i = 0; i < v->board.machine.nprocessors; i++) {
        char path[32];
        fdt_at(f, "/cpus", "cpu@%x", i);
        fdt_text(f, "device_type", "cpu");
        fdt_cells(f, "reg", i);
        fdt_text(f, "status", "okay");
        fdt_text(f, "compatible", "riscv");
        fdt_text(f, "riscv,isa", isa);
        fdt_text(f, "riscv,isa-base", "rv64i");
        fdt_bytes(f, "riscv,isa-extensions", list, n);
        fdt_text(f, "mmu-type", "riscv,sv57");
        fdt_cells(f, "riscv,cbom-block-size", RV_CACHE_BLOCK);
        fdt_cells(f, "riscv,cboz-block-size", RV_CACHE_BLOCK);
        snprintf(path, sizeof path, "/cpus/cpu@%x", i);
        fdt_at(f, path, "interrupt-controller");
        fdt_cells(f, "#interrupt-cells", 1);
        fdt_flag(f, "interrupt-controller");
        fdt_text(f, "compatible", "riscv,cpu-intc");
        fdt_cells(f, "phandle", PHANDLE_CPU + i);
    }
}

/* Lines to every hart: its controller's phandle and the interrupt, two for each. */
static void describe_lines(struct virt *v, struct fdt *f, enum rv_interrupt first, enum rv_interrupt second)
{
    uint32_t cells[4 * MACHINE_MAX_PROCESSORS];
    unsigned harts = v->board.machine.nprocessors;
    for (unsigned i = 0; i < harts; i++) {
        cells[4 * i] = cells[4 * i + 2] = PHANDLE_CPU + i;
        cells[4 * i + 1] = first;
        cells[4 * i + 3] = second;
    }
    fdt_cells_of(f, "interrupts-extended", 4 * harts, cells);
}

/* A line to every hart. */
static void describe_external(struct virt *v, struct fdt *f, enum rv_interrupt which)
{
    uint32_t cells[2 * MACHINE_MAX_PROCESSORS];
    unsigned harts = v->board.machine.nprocessors;
    for (unsigned i = 0; i < harts; i++) {
        cells[2 * i] = PHANDLE_CPU + i;
        cells[2 * i + 1] = which;
    }
    fdt_cells_of(f, "interrupts-extended", 2 * harts, cells);
}

/* A source as its controller counts it: a number and, with an APLIC, how it is triggered. */
static unsigned source_cells(const struct virt *v, unsigned source, uint32_t out[2])
{
    out[0] = source;
    out[1] = IRQ_LEVEL_HIGH;
    return aia(v) ? 2 : 1;
}

static uint32_t source_parent(const struct virt *v) { return aia(v) ? PHANDLE_APLIC + LEVEL_S : PHANDLE_PLIC; }

static void describe_source(struct virt *v, struct fdt *f, unsigned source)
{
    uint32_t cells[2];
    unsigned n = source_cells(v, source, cells);
    fdt_cells_of(f, "interrupts", n, cells);
    fdt_cells(f, "interrupt-parent", source_parent(v));
}

static void describe_plic(struct virt *v, struct fdt *f)
{
    fdt_at(f, "/soc", "plic@%llx", (unsigned long long)PLIC_BASE);
    fdt_bytes(f, "compatible", "sifive,plic-1.0.0\0riscv,plic0", sizeof "sifive,plic-1.0.0\0riscv,plic0");
    fdt_wide(f, "reg", PLIC_BASE, PLIC_SIZE);
    fdt_cells(f, "#interrupt-cells", 1);
    fdt_cells(f, "#address-cells", 0);
    fdt_flag(f, "interrupt-controller");
    fdt_cells(f, "riscv,ndev", SOURCES - 1);
    fdt_cells(f, "phandle", PHANDLE_PLIC);
    describe_lines(v, f, RV_IRQ_MEXT, RV_IRQ_SEXT);
}

/* riscv,imsics.yaml */
static void describe_imsics(struct virt *v, struct fdt *f)
{
    for (unsigned k = 0; k < LEVELS; k++) {
        uint64_t base = IMSIC_BASE + k * IMSIC_NEXT;
        fdt_at(f, "/soc", "interrupt-controller@%llx", (unsigned long long)base);
        fdt_text(f, "compatible", "riscv,imsics");
        fdt_wide(f, "reg", base, v->board.machine.nprocessors * IMSIC_PAGE);
        fdt_cells(f, "#interrupt-cells", 0);
        fdt_cells(f, "#msi-cells", 0);
        fdt_flag(f, "interrupt-controller");
        fdt_flag(f, "msi-controller");
        fdt_cells(f, "riscv,num-ids", IMSIC_IDS);
        fdt_cells(f, "phandle", PHANDLE_IMSIC + k);
        describe_external(v, f, external[k]);
    }
}

/* riscv,aplic.yaml. The machine level delegates all sources; "delegate" is the name that firmware knew first. */
static void describe_aplic(struct virt *v, struct fdt *f)
{
    for (unsigned k = 0; k < LEVELS; k++) {
        uint64_t base = APLIC_BASE + k * APLIC_NEXT;
        fdt_at(f, "/soc", "interrupt-controller@%llx", (unsigned long long)base);
        fdt_text(f, "compatible", "riscv,aplic");
        fdt_wide(f, "reg", base, APLIC_SIZE);
        fdt_cells(f, "#interrupt-cells", 2);
        fdt_cells(f, "#address-cells", 0);
        fdt_flag(f, "interrupt-controller");
        fdt_cells(f, "riscv,num-sources", SOURCES - 1);
        fdt_cells(f, "phandle", PHANDLE_APLIC + k);
        if (has_imsics(v))
            fdt_cells(f, "msi-parent", PHANDLE_IMSIC + k);
        else
            describe_external(v, f, external[k]);
        if (k == LEVEL_S)
            continue;
        fdt_cells(f, "riscv,children", PHANDLE_APLIC + LEVEL_S);
        fdt_cells(f, "riscv,delegation", PHANDLE_APLIC + LEVEL_S, 1, SOURCES - 1);
        fdt_cells(f, "riscv,delegate", PHANDLE_APLIC + LEVEL_S, 1, SOURCES - 1);
    }
}

/* Documentation/devicetree/bindings/firmware/qemu,fw-cfg-mmio.yaml, mtd/mtd-physmap.yaml */
static void describe_firmware(struct virt *v, struct fdt *f)
{
    fdt_at(f, "/", "fw-cfg@%llx", (unsigned long long)FW_CFG_BASE);
    fdt_text(f, "compatible", "qemu,fw-cfg-mmio");
    fdt_wide(f, "reg", FW_CFG_BASE, FW_CFG_SIZE);
    fdt_flag(f, "dma-coherent");
    fdt_at(f, "/", "flash@%llx", (unsigned long long)FLASH_BASE);
    fdt_text(f, "compatible", "cfi-flash");
    fdt_wide(f, "reg", FLASH_BASE, FLASH_SIZE, FLASH_BASE + FLASH_SIZE, FLASH_SIZE);
    fdt_cells(f, "bank-width", 4);
}

/*
 * PCI Bus Binding to IEEE 1275, and Linux' host-generic-pci.yaml: pin p of device d drives source 32 + (d + p - 1) mod
 * 4.
 */
static void describe_pci(struct virt *v, struct fdt *f)
{
    enum { PORTS = 0x01000000, MEMORY = 0x02000000, WIDE = 0x03000000, CELLS = 7, DEVICE_MASK = 0x1800 };
    uint32_t map[PCI_PINS * PCI_PINS * CELLS];
    unsigned n = 0;
#define CELLS_OF(x) (uint32_t)((x) >> 32), (uint32_t)(x)
    for (unsigned slot = 0; slot < PCI_PINS; slot++)
        for (unsigned pin = 0; pin < PCI_PINS; pin++) {
            const uint32_t row[] = {slot << 11, 0, 0, pin + 1, source_parent(v)};
            memcpy(map + n, row, sizeof row);
            n += ARRAY_SIZE(row);
            n += source_cells(v, SOURCE_PCI + (slot + pin) % PCI_PINS, map + n);
        }
    fdt_at(f, "/soc", "pci@%llx", (unsigned long long)ECAM_BASE);
    fdt_text(f, "compatible", "pci-host-ecam-generic");
    fdt_text(f, "device_type", "pci");
    fdt_wide(f, "reg", ECAM_BASE, ECAM_SIZE);
    fdt_cells(f, "#address-cells", 3);
    fdt_cells(f, "#size-cells", 2);
    fdt_cells(f, "#interrupt-cells", 1);
    fdt_cells(f, "linux,pci-domain", 0);
    fdt_cells(f, "bus-range", 0, 255);
    fdt_flag(f, "dma-coherent");
    fdt_cells(f, "ranges", PORTS, 0, 0, CELLS_OF(PORTS_BASE), CELLS_OF(PORTS_SIZE), MEMORY, CELLS_OF(PCI_BASE),
              CELLS_OF(PCI_BASE), CELLS_OF(PCI_SIZE), WIDE, CELLS_OF(wide_base(v)), CELLS_OF(wide_base(v)),
              CELLS_OF(WIDE_SIZE));
    fdt_cells_of(f, "interrupt-map", n, map);
    fdt_cells(f, "interrupt-map-mask", DEVICE_MASK, 0, 0, 7);
    if (has_imsics(v))
        fdt_cells(f, "msi-parent", PHANDLE_IMSIC + LEVEL_S);
#undef CELLS_OF
}

static void describe_chips(struct virt *v, struct fdt *f)
{
    static const char syscon[] = "sifive,test1\0sifive,test0\0syscon";
    fdt_at(f, "/", "soc");
    fdt_cells(f, "#address-cells", 2);
    fdt_cells(f, "#size-cells", 2);
    fdt_text(f, "compatible", "simple-bus");
    fdt_flag(f, "ranges");
    fdt_at(f, "/soc", "clint@%llx", (unsigned long long)ACLINT_BASE);
    fdt_bytes(f, "compatible", "sifive,clint0\0riscv,clint0", sizeof "sifive,clint0\0riscv,clint0");
    fdt_wide(f, "reg", ACLINT_BASE, ACLINT_SIZE);
    describe_lines(v, f, RV_IRQ_MSOFT, RV_IRQ_MTIMER);
    if (has_imsics(v))
        describe_imsics(v, f);
    if (aia(v))
        describe_aplic(v, f);
    else
        describe_plic(v, f);
    fdt_at(f, "/soc", "serial@%llx", (unsigned long long)UART_BASE);
    fdt_text(f, "compatible", "ns16550a");
    fdt_wide(f, "reg", UART_BASE, UART_SIZE);
    fdt_cells(f, "clock-frequency", UART_CLOCK);
    describe_source(v, f, SOURCE_UART);
    fdt_at(f, "/soc", "rtc@%llx", (unsigned long long)RTC_BASE);
    fdt_text(f, "compatible", "google,goldfish-rtc");
    fdt_wide(f, "reg", RTC_BASE, CHIP_SIZE);
    describe_source(v, f, SOURCE_RTC);
    for (unsigned i = 0; i < NVIRTIO; i++) {
        fdt_at(f, "/soc", "virtio_mmio@%llx", (unsigned long long)(VIRTIO_BASE + i * CHIP_SIZE));
        fdt_text(f, "compatible", "virtio,mmio");
        fdt_wide(f, "reg", VIRTIO_BASE + i * CHIP_SIZE, CHIP_SIZE);
        describe_source(v, f, SOURCE_VIRTIO + i);
    }
    describe_pci(v, f);
    fdt_at(f, "/soc", "test@%llx", (unsigned long long)SYSCON_BASE);
    fdt_bytes(f, "compatible", syscon, sizeof syscon);
    fdt_wide(f, "reg", SYSCON_BASE, CHIP_SIZE);
    fdt_cells(f, "phandle", PHANDLE_SYSCON);
    static const struct {
        const char *name, *compatible;
        uint32_t value;
    } power[] = {{"poweroff", "syscon-poweroff", SYSCON_POWEROFF}, {"reboot", "syscon-reboot", SYSCON_REBOOT}};
    for (unsigned i = 0; i < ARRAY_SIZE(power); i++) {
        fdt_at(f, "/", "%s", power[i].name);
        fdt_text(f, "compatible", power[i].compatible);
        fdt_cells(f, "regmap", PHANDLE_SYSCON);
        fdt_cells(f, "offset", 0);
        fdt_cells(f, "value", power[i].value);
    }
}

static void describe_start(struct virt *v, struct fdt *f, uint64_t initrd, uint64_t initrd_size)
{
    const struct board_options *o = &v->board.options;
    char stdout_path[48];
    uint8_t seed[32];
    fdt_at(f, "/", "chosen");
    snprintf(stdout_path, sizeof stdout_path, "/soc/serial@%llx", (unsigned long long)UART_BASE);
    fdt_text(f, "stdout-path", stdout_path);
    if (!o->exec.counted && getrandom(seed, sizeof seed, GRND_NONBLOCK) == sizeof seed) /* runs that count are to be alike */
        fdt_bytes(f, "rng-seed", seed, sizeof seed);
    if (o->append)
        fdt_text(f, "bootargs", o->append);
    if (initrd_size) {
        fdt_wide(f, "linux,initrd-start", initrd);
        fdt_wide(f, "linux,initrd-end", initrd + initrd_size);
    }
    fdt_at(f, "/", "memory@%llx", (unsigned long long)RAM_BASE);
    fdt_text(f, "device_type", "memory");
    fdt_wide(f, "reg", RAM_BASE, o->ram_size);
}

/* At the end of the first 3 GiB of RAM, where 32-bit software reaches it, too. */
static char *place_tree(struct virt *v, const struct image *tree, uint64_t *at)
{
    const struct board_options *o = &v->board.options;
    uint64_t end = RAM_BASE + (o->ram_size < 1024 * MIB ? o->ram_size : 1024 * MIB);
    *at = ALIGN_DOWN(end - tree->size, 2 * MIB);
    return image_place(tree, &v->board.machine.memory, *at, o->dtb ? o->dtb : "the device tree");
}

static char *describe(struct virt *v, uint64_t initrd, uint64_t initrd_size, uint64_t *at)
{
    const struct board_options *o = &v->board.options;
    struct image tree;
    if (o->dtb) {
        char *error = image_read(o->dtb, IMAGE_AS_IT_IS, o->ram_size, &tree);
        if (!error)
            error = place_tree(v, &tree, at);
        free(tree.bytes);
        return error;
    }
    struct fdt f;
    const char *why;
    if (!fdt_start_tree(&f))
        return device_error("no memory for the device tree");
    fdt_at(&f, "/", "%s", "");
    fdt_cells(&f, "#address-cells", 2);
    fdt_cells(&f, "#size-cells", 2);
    fdt_text(&f, "compatible", "riscv-virtio");
    fdt_text(&f, "model", "riscv-virtio,metic");
    describe_start(v, &f, initrd, initrd_size);
    describe_harts(v, &f);
    describe_chips(v, &f);
    describe_firmware(v, &f);
    tree.size = fdt_finish_tree(&f, &why);
    tree.bytes = f.tree;
    char *error = tree.size ? place_tree(v, &tree, at) : device_error("can't build the device tree: %s", why);
    fdt_free_tree(&f);
    return error;
}

/* --- starting --- */

/*
 * Linux' Image header (Documentation/arch/riscv/boot-image-header.rst): how much memory the kernel needs from its
 * start.
 */
static uint64_t kernel_extent(const struct image *im)
{
    enum { SIZE_AT = 16, MAGIC_AT = 56 };
    uint64_t extent = im->size;
    if (im->size >= 64 && !memcmp(im->bytes + MAGIC_AT, "RSC\x05", 4))
        memcpy(&extent, im->bytes + SIZE_AT, 8);
    return extent > im->size ? extent : im->size;
}

static char *place_kernel(struct virt *v, uint64_t *entry, uint64_t *end)
{
    const struct board_options *o = &v->board.options;
    struct image im;
    uint64_t first;
    char *error = image_read(o->kernel, IMAGE_UNPACKED, o->ram_size, &im);
    if (error)
        return error;
    if (image_is_elf(&im)) {
        error = image_place_elf(&im, &v->board.machine.memory, EM_RISCV, o->kernel, entry, &first, end);
    } else {
        *entry = KERNEL_BASE;
        *end = KERNEL_BASE + kernel_extent(&im);
        error = image_place(&im, &v->board.machine.memory, KERNEL_BASE, o->kernel);
    }
    free(im.bytes);
    return error;
}

static char *place_initrd(struct virt *v, uint64_t kernel_end, uint64_t *at, uint64_t *size)
{
    const struct board_options *o = &v->board.options;
    struct mem_space *s = &v->board.machine.memory;
    struct image im;
    char *error = image_read(o->initrd, IMAGE_AS_IT_IS, o->ram_size, &im); /* the kernel unpacks it */
    if (error)
        return error;
    *at = ALIGN_UP(kernel_end, 2 * MIB);
    *size = im.size;
    error = image_place(&im, s, *at, o->initrd);
    free(im.bytes);
    return error;
}

/* Code of the first instructions, in front of what it reads; see the head of the file. */
static void write_rom(struct virt *v, uint64_t start, uint64_t tree, uint64_t kernel)
{
    enum { FW_MAGIC = 0x4942534f, FW_VERSION = 2, NEXT_SUPERVISOR = 1, ANY_HART = -1 };
    static const uint32_t code[] = {
        0x00000297, /* auipc t0, 0 */
        0x02828613, /* addi a2, t0, 40: the firmware's information */
        0xf1402573, /* csrr a0, mhartid */
        0x0202b583, /* ld a1, 32(t0): the device tree */
        0x0182b283, /* ld t0, 24(t0): where it goes on */
        0x00028067, /* jr t0 */
    };
    const uint64_t data[] = {start, tree, FW_MAGIC, FW_VERSION, kernel, NEXT_SUPERVISOR, 0, (uint64_t)ANY_HART};
    memcpy(v->rom.host, code, sizeof code);
    memcpy(v->rom.host + sizeof code, data, sizeof data);
}

static char *place_firmware(struct virt *v, uint64_t *start)
{
    const struct board_options *o = &v->board.options;
    const char *path = o->firmware ? o->firmware : default_firmware;
    struct image im;
    uint64_t first, end;
    *start = RAM_BASE;
    char *error = image_read(path, IMAGE_UNPACKED, o->ram_size, &im);
    if (error && !o->firmware) {
        free(error);
        return device_error(
            "the default firmware %s is missing: install the package opensbi, or name another with -bios", path);
    }
    if (error)
        return error;
    if (image_is_elf(&im))
        error = image_place_elf(&im, &v->board.machine.memory, EM_RISCV, path, start, &first, &end);
    else
        error = image_place(&im, &v->board.machine.memory, RAM_BASE, path);
    free(im.bytes);
    return error;
}

/* Is there something to start in the flash? */
static bool from_flash(const struct virt *v) { return v->board.options.flash[0]; }

/* A file as an item and its size as another. */
static char *offer_file(struct virt *v, const char *path, enum image_form form, unsigned size_item, unsigned data_item)
{
    struct image im;
    char *error = image_read(path, form, v->board.options.ram_size, &im);
    if (error)
        return error;
    fw_cfg_set_number(v->fw_cfg, size_item, im.size, 4);
    fw_cfg_set(v->fw_cfg, data_item, im.bytes, (uint32_t)im.size);
    free(im.bytes);
    return NULL;
}

/* To what is in the flash: a kernel, its initial RAM disk and command line. */
static char *offer_kernel(struct virt *v)
{
    const struct board_options *o = &v->board.options;
    const char *line = o->append ? o->append : "";
    uint32_t n = (uint32_t)strlen(line) + 1;
    fw_cfg_set_number(v->fw_cfg, FW_CFG_CMDLINE_SIZE, n, 4);
    fw_cfg_set(v->fw_cfg, FW_CFG_CMDLINE_DATA, line, n);
    char *error = o->kernel ? offer_file(v, o->kernel, IMAGE_UNPACKED, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA) : NULL;
    if (!error && o->initrd)
        error = offer_file(v, o->initrd, IMAGE_AS_IT_IS, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA);
    return error;
}

static char *load(struct virt *v)
{
    const struct board_options *o = &v->board.options;
    uint64_t start = RAM_BASE, kernel = from_flash(v) ? FLASH_BASE : KERNEL_BASE, end = KERNEL_BASE;
    uint64_t initrd = 0, initrd_size = 0, tree = 0;
    bool firmware = !o->firmware || strcmp(o->firmware, "none");
    char *error = firmware ? place_firmware(v, &start) : NULL;
    if (!error && from_flash(v))
        error = offer_kernel(v);
    if (!error && o->kernel && !from_flash(v))
        error = place_kernel(v, &kernel, &end);
    if (!error && o->initrd && !from_flash(v))
        error = place_initrd(v, end, &initrd, &initrd_size);
    if (!error)
        error = describe(v, initrd, initrd_size, &tree);
    if (!error)
        write_rom(v, firmware ? start : kernel, tree, o->kernel || from_flash(v) ? kernel : 0);
    return error;
}

static char *reset(struct board *b)
{
    struct virt *v = (struct virt *)b;
    for (unsigned i = 0; i < b->nchips; i++)
        device_reset(b->chip[i]);
    for (unsigned i = 0; i < b->machine.nprocessors; i++) {
        struct rv_hart *h = rv_hart(b->machine.processor[i]->cpu);
        memset(h->cpu.x, 0, sizeof h->cpu.x);
        h->cpu.cpu.pc = ROM_BASE;
    }
    return load(v);
}

static void loaded(struct board *b) { riscv_harts_loaded(&((struct virt *)b)->harts); }

const struct board_class board_riscv_virt = {
    .name = "virt",
    .doc = "RISC-V virtual machine described by its device tree",
    .target = &target_riscv64_system,
    .default_ram = 128 * MIB,
    .default_processors = 1,
    .max_processors = 8,
    .flash_banks = BOARD_MAX_FLASH,
    DEVICE_PROPS(props),
    .state_size = sizeof(struct virt),
    .build = build,
    .reset = reset,
    .take_apart = take_apart,
    .plug = plug_in,
    .unplug = unplug,
    .loaded = loaded,
};
