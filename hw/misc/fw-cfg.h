/* Files a board offers its firmware: see fw-cfg.c. */
#ifndef HW_MISC_FW_CFG_H
#define HW_MISC_FW_CFG_H

#include "hw/device.h"

/* Well-known items (docs/specs/fw_cfg of the specification). */
enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_FILE_DIR = 0x19,
};
enum { FW_CFG_MAX_FILES = 32, FW_CFG_NAME = 56 };

/* Content of a well-known item: copied. After realize, before the machine runs. */
void fw_cfg_set(struct device *d, unsigned item, const void *bytes, uint32_t n);
/* A number, little-endian, of 2, 4 or 8 bytes. */
void fw_cfg_set_number(struct device *d, unsigned item, uint64_t v, unsigned size);
/* A file ("opt/org.example/name"); false: no room for more, the name is too long, or it is there already. */
bool fw_cfg_add_file(struct device *d, const char *name, const void *bytes, uint32_t n);

#endif
