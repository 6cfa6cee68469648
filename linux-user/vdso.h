/* The vDSO: the shared object the kernel maps into every program, made from an architecture's struct vdso_desc. */
#ifndef LINUX_USER_VDSO_H
#define LINUX_USER_VDSO_H

#include "linux-user/abi.h"

enum { VDSO_BYTES = 4096, VDSO_ROOM = 64 }; /* room: at the end, for the caller */

/* Writes the ELF image (64-bit, little-endian, addresses from 0); returns the offset of the first symbol's code. */
uint32_t vdso_build(const struct vdso_desc *d, uint16_t machine, uint8_t image[VDSO_BYTES]);

#endif
