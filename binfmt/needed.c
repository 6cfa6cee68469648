/* The shared libraries that an ELF file asks for: see needed.h. */
#include "binfmt/needed.h"

#include <elf.h>
#include <string.h>

#include "binfmt/plan.h"

/* A file whose numbers are of its own width and byte order. */
struct reader {
    const uint8_t *bytes;
    size_t size;
    bool wide, big;
};

static uint64_t get(const struct reader *r, uint64_t at, unsigned n)
{
    uint64_t v = 0;
    if (at > r->size || r->size - at < n)
        return 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)r->bytes[at + i] << 8 * (r->big ? n - 1 - i : i);
    return v;
}

#define FIELD(r, at, type, member)                                                                                     \
    ((r)->wide ? get(r, (at) + offsetof(Elf64_##type, member), sizeof(((Elf64_##type *)0)->member))                    \
               : get(r, (at) + offsetof(Elf32_##type, member), sizeof(((Elf32_##type *)0)->member)))

static uint64_t header_at(const struct reader *r, unsigned i)
{
    return FIELD(r, 0, Ehdr, e_phoff) + (uint64_t)i * (r->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
}

/* Where in the file an address of a segment is; the file's size: nowhere. */
static uint64_t offset_of(const struct reader *r, uint64_t address)
{
    unsigned count = (unsigned)FIELD(r, 0, Ehdr, e_phnum);
    for (unsigned i = 0; i < count; i++) {
        uint64_t h = header_at(r, i), start = FIELD(r, h, Phdr, p_vaddr);
        if (FIELD(r, h, Phdr, p_type) == PT_LOAD && address >= start && address - start < FIELD(r, h, Phdr, p_filesz))
            return FIELD(r, h, Phdr, p_offset) + (address - start);
    }
    return r->size;
}

/* The string at an offset, if it ends inside the file. */
static const char *string_at(const struct reader *r, uint64_t at)
{
    return at < r->size && memchr(r->bytes + at, 0, r->size - at) ? (const char *)r->bytes + at : NULL;
}

/* Calls for each entry of the dynamic section. */
static bool read_dynamic(const struct reader *r, uint64_t at, uint64_t size, struct elf_needed *out)
{
    size_t step = r->wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
    uint64_t strings = r->size;
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t i = 0; i + step <= size && i < r->size; i += step) {
            uint64_t tag = FIELD(r, at + i, Dyn, d_tag), value = FIELD(r, at + i, Dyn, d_un.d_val);
            if (tag == DT_NULL)
                break;
            if (!pass && tag == DT_STRTAB)
                strings = offset_of(r, value);
            if (!pass || (tag != DT_NEEDED && tag != DT_RUNPATH && tag != DT_RPATH))
                continue;
            const char *s = strings < r->size && value < r->size ? string_at(r, strings + value) : NULL;
            if (!s)
                return false;
            if (tag != DT_NEEDED)
                out->runpath = tag == DT_RUNPATH || !*out->runpath ? s : out->runpath;
            else if (out->n < MAX_NEEDED)
                out->name[out->n++] = s;
        }
    return true;
}

bool elf_needed(const uint8_t *bytes, size_t n, struct elf_needed *out)
{
    uint8_t elf_class, elf_data;
    uint16_t machine;
    out->n = 0;
    out->runpath = "";
    if (!elf_identify(bytes, n, &elf_class, &elf_data, &machine))
        return false;
    const struct reader r = {.bytes = bytes,
                             .size = n,
                             .wide = elf_class == ELFCLASS64,
                             .big = elf_data == ELFDATA2MSB};
    unsigned count = (unsigned)FIELD(&r, 0, Ehdr, e_phnum);
    for (unsigned i = 0; i < count; i++) {
        uint64_t h = header_at(&r, i);
        if (FIELD(&r, h, Phdr, p_type) == PT_DYNAMIC)
            return read_dynamic(&r, FIELD(&r, h, Phdr, p_offset), FIELD(&r, h, Phdr, p_filesz), out);
    }
    return true;
}
