/* The shared libraries that an ELF file asks for: its dynamic section, elf(5). All bytes are untrusted. */
#ifndef BINFMT_NEEDED_H
#define BINFMT_NEEDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_NEEDED = 256 };

/* Strings are the file's own. */
struct elf_needed {
    unsigned n;
    const char *name[MAX_NEEDED];
    const char *runpath; /* DT_RUNPATH, or DT_RPATH; "": none */
};

/* False: no ELF file of n bytes, or a dynamic section that leads out of it. A static program needs nothing. */
bool elf_needed(const uint8_t *bytes, size_t n, struct elf_needed *out);

#endif
