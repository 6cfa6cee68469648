/* See load.h. ELF: System V ABI, chapter 5. */
#define _GNU_SOURCE
#include "hw/boards/load.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "hw/device.h"

/* The next bytes, of a compressed file or any other. */
static int read_some(gzFile packed, FILE *plain, uint8_t *to, unsigned n)
{
    return packed ? gzread(packed, to, n) : ferror(plain) ? -1 : (int)fread(to, 1, n, plain);
}

char *image_read(const char *path, enum image_form form, uint64_t max, struct image *out)
{
    enum { STEP = 1 << 20 };
    *out = (struct image){0};
    gzFile packed = form == IMAGE_UNPACKED ? gzopen(path, "rb") : NULL;
    FILE *plain = form == IMAGE_AS_IT_IS ? fopen(path, "rb") : NULL;
    if (!packed && !plain)
        return device_error("can't open %s: %s", path, strerror(errno));
    uint64_t room = 0;
    char *error = NULL;
    for (;;) {
        if (room - out->size < STEP) {
            room += room > STEP ? room : STEP;
            uint8_t *bigger = realloc(out->bytes, room);
            if (!bigger) {
                error = device_error("no memory to read %s", path);
                break;
            }
            out->bytes = bigger;
        }
        int n = read_some(packed, plain, out->bytes + out->size, STEP);
        if (n < 0)
            error = device_error("can't read %s: it is damaged or no file", path);
        if (error || n <= 0)
            break;
        out->size += (unsigned)n;
        if (out->size > max) {
            error = device_error("%s is larger than its place of %llu bytes; give the machine more memory", path,
                                 (unsigned long long)max);
            break;
        }
    }
    if (packed)
        gzclose(packed);
    if (plain)
        fclose(plain);
    if (error) {
        free(out->bytes);
        *out = (struct image){0};
    }
    return error;
}

char *image_place(const struct image *im, struct mem_space *s, uint64_t address, const char *path)
{
    if (mem_write(s, address, im->bytes, im->size) == MEM_OK)
        return NULL;
    return device_error("%s does not fit the machine's memory at 0x%llx; give it more with -m", path,
                        (unsigned long long)address);
}

bool image_is_elf(const struct image *im)
{
    return im->size >= sizeof(Elf64_Ehdr) && !memcmp(im->bytes, ELFMAG, SELFMAG);
}

char *image_place_elf(const struct image *im, struct mem_space *s, uint16_t machine, const char *path, uint64_t *entry,
                      uint64_t *first, uint64_t *end)
{
    Elf64_Ehdr h;
    memcpy(&h, im->bytes, sizeof h);
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != machine)
        return device_error("%s is an ELF file for another processor", path);
    uint64_t table = (uint64_t)h.e_phnum * sizeof(Elf64_Phdr);
    if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phoff > im->size || table > im->size - h.e_phoff)
        return device_error("%s is a damaged ELF file: its program headers lie outside", path);
    *entry = h.e_entry;
    *first = UINT64_MAX;
    *end = 0;
    for (unsigned i = 0; i < h.e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, im->bytes + h.e_phoff + i * sizeof p, sizeof p);
        if (p.p_type != PT_LOAD || !p.p_memsz)
            continue;
        if (p.p_offset > im->size || p.p_filesz > im->size - p.p_offset || p.p_filesz > p.p_memsz ||
            p.p_memsz > UINT64_MAX - p.p_paddr)
            return device_error("%s is a damaged ELF file: segment %u lies outside", path, i);
        const struct image part = {im->bytes + p.p_offset, p.p_filesz};
        char *error = image_place(&part, s, p.p_paddr, path); /* memory is zero behind it */
        if (error)
            return error;
        *first = p.p_paddr < *first ? p.p_paddr : *first;
        *end = p.p_paddr + p.p_memsz > *end ? p.p_paddr + p.p_memsz : *end;
    }
    return *end ? NULL : device_error("%s has no segment to load", path);
}
