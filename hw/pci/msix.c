/*
 * MSI-X (PCI Local Bus Specification 3.0, section 6.8.2): a table of messages in a window, with masks and pending bits.
 */
#include "hw/pci/pci.h"

enum { CONTROL = 2, CONTROL_ON = 0x8000, CONTROL_MASK_ALL = 0x4000, TABLE = 4, PENDING = 8, CAP_SIZE = 12 };
enum { ADDRESS, ADDRESS_HIGH, DATA, VECTOR_CONTROL };

void pci_add_msix(struct pci_function *f, unsigned vectors)
{
    uint8_t bar = pci_class(f)->bar[pci_class(f)->msix_window].bar;
    unsigned at = pci_add_capability(f, PCI_CAP_MSIX, CAP_SIZE);
    f->msix_cap = (uint16_t)at;
    f->vectors = (uint16_t)(vectors < PCI_MAX_VECTORS ? vectors : PCI_MAX_VECTORS);
    pci_put(&f->config[at + CONTROL], f->vectors - 1u, 2);
    pci_put(&f->writable[at + CONTROL], CONTROL_ON | CONTROL_MASK_ALL, 2);
    pci_put(&f->config[at + TABLE], bar, 4);
    pci_put(&f->config[at + PENDING], PCI_MSIX_PENDING | bar, 4);
}

static uint32_t control(const struct pci_function *f)
{
    return f->msix_cap ? pci_get(&f->config[f->msix_cap + CONTROL], 2) : 0;
}

bool pci_msix_on(const struct pci_function *f)
{
    return control(f) & CONTROL_ON;
}

void pci_msix_send(struct pci_function *f, unsigned vector)
{
    if (vector >= f->vectors || !pci_msix_on(f))
        return;
    const uint32_t *entry = f->msix_table[vector];
    uint32_t bit = UINT32_C(1) << vector;
    if (control(f) & CONTROL_MASK_ALL || entry[VECTOR_CONTROL] & 1) {
        f->msix_pending |= bit;
        return;
    }
    f->msix_pending &= ~bit;
    if (pci_is_master(f))
        mem_store(f->device.host->memory, (uint64_t)entry[ADDRESS_HIGH] << 32 | entry[ADDRESS], 4, entry[DATA]);
}

static uint64_t msix_read(void *device, uint64_t offset, unsigned size)
{
    const struct pci_function *f = device;
    if (offset / 16 < f->vectors)
        return f->msix_table[offset / 16][offset / 4 % 4];
    return offset == PCI_MSIX_PENDING ? f->msix_pending : 0;
}

static void msix_write(void *device, uint64_t offset, uint64_t value, unsigned size)
{
    struct pci_function *f = device;
    unsigned vector = (unsigned)(offset / 16), word = offset / 4 % 4;
    if (vector >= f->vectors)
        return;
    f->msix_table[vector][word] = (uint32_t)value & (word == ADDRESS          ? ~UINT32_C(3)
                                                     : word == VECTOR_CONTROL ? 1
                                                                              : UINT32_MAX);
    if (f->msix_pending >> vector & 1)
        pci_msix_send(f, vector);
}

const struct mem_ops pci_msix_ops = {.read = msix_read,
                                     .write = msix_write,
                                     .valid = {4, 8, false},
                                     .impl = {4, 4, false}};
