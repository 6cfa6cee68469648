/*
 * The vDSO's ELF image: what a dynamic loader or vdso(7) parser needs to find versioned functions (System V gABI
 * chapter 5; symbol versions as in the LSB): program headers, dynamic section, symbols, hash table, one version; and
 * section headers, for debuggers.
 */
#include "linux-user/vdso.h"

#include <elf.h>
#include <string.h>

#include "base/bits.h"
#include "base/log.h"

enum { MAX_SYMBOLS = 16, MAX_STRINGS = 1024, DYNAMIC_ENTRIES = 9, CODE_ALIGN = 16 };
enum { VERSION_BASE = 1, VERSION_OURS = 2 };
static const char soname[] = "linux-vdso.so.1";

enum { S_NONE, S_HASH, S_SYMBOLS, S_STRINGS, S_VERSIONS, S_VERSION_DEFS, S_DYNAMIC, S_TEXT, NSECTIONS };

/* The image's parts in their order. */
struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segment[2];
    Elf64_Shdr section[NSECTIONS];
    Elf64_Dyn dynamic[DYNAMIC_ENTRIES];
    Elf64_Sym symbol[1 + MAX_SYMBOLS];
    struct {
        uint32_t nbuckets, nchains, bucket, chain[1 + MAX_SYMBOLS]; /* one bucket: there are a handful of symbols */
    } hash;
    Elf64_Half version[1 + MAX_SYMBOLS];
    struct {
        Elf64_Verdef def;
        Elf64_Verdaux name;
    } version_def[2];
    char strings[MAX_STRINGS];
    uint32_t code[] __attribute__((aligned(CODE_ALIGN)));
};

static uint32_t add_string(struct image *im, size_t *used, const char *s)
{
    uint32_t at = (uint32_t)*used;
    size_t n = strlen(s) + 1;
    CHECK(*used + n <= MAX_STRINGS);
    memcpy(im->strings + at, s, n);
    *used += n;
    return at;
}

/* The gABI's hash function. */
static uint32_t elf_hash(const char *name)
{
    uint32_t h = 0;
    for (; *name; name++) {
        h = (h << 4) + (uint8_t)*name;
        h = (h ^ (h & 0xf0000000) >> 24) & 0x0fffffff;
    }
    return h;
}

static void define_version(struct image *im, unsigned i, unsigned index, unsigned flags, const char *name,
                           uint32_t string)
{
    im->version_def[i].def = (Elf64_Verdef){
        .vd_version = VER_DEF_CURRENT,
        .vd_flags = (Elf64_Half)flags,
        .vd_ndx = (Elf64_Half)index,
        .vd_cnt = 1,
        .vd_hash = elf_hash(name),
        .vd_aux = sizeof(Elf64_Verdef),
        .vd_next = i == 0 ? sizeof im->version_def[0] : 0,
    };
    im->version_def[i].name = (Elf64_Verdaux){.vda_name = string};
}

static void add_symbols(struct image *im, size_t *strings, const struct vdso_desc *d)
{
    im->hash.nbuckets = 1;
    im->hash.nchains = d->nsymbols + 1;
    im->hash.bucket = 1;
    for (unsigned i = 0; i < d->nsymbols; i++) {
        const struct vdso_symbol *s = &d->symbols[i];
        im->symbol[1 + i] = (Elf64_Sym){
            .st_name = add_string(im, strings, s->name),
            .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
            .st_shndx = S_TEXT,
            .st_value = offsetof(struct image, code) + s->word * 4,
            .st_size = s->nwords * 4,
        };
        im->version[1 + i] = VERSION_OURS;
        im->hash.chain[1 + i] = i + 1 < d->nsymbols ? i + 2 : 0;
    }
}

#define PART(member) .sh_addr = offsetof(struct image, member), .sh_size = sizeof(((struct image *)0)->member)

/* The names are in the one table of strings. */
static void add_sections(struct image *im, size_t *strings, const struct vdso_desc *d)
{
    static const char *const names[NSECTIONS] = {"",         ".hash",        ".dynsym",
                                                 ".dynstr",  ".gnu.version", ".gnu.version_d",
                                                 ".dynamic", ".text"};
    const Elf64_Shdr sections[NSECTIONS] = {
        [S_HASH] = {.sh_type = SHT_HASH, PART(hash), .sh_link = S_SYMBOLS, .sh_entsize = sizeof(uint32_t)},
        [S_SYMBOLS] =
            {.sh_type = SHT_DYNSYM, PART(symbol), .sh_link = S_STRINGS, .sh_info = 1, .sh_entsize = sizeof(Elf64_Sym)},
        [S_STRINGS] = {.sh_type = SHT_STRTAB, PART(strings)},
        [S_VERSIONS] = {.sh_type = SHT_GNU_versym,
                        PART(version),
                        .sh_link = S_SYMBOLS,
                        .sh_entsize = sizeof(Elf64_Half)},
        [S_VERSION_DEFS] = {.sh_type = SHT_GNU_verdef, PART(version_def), .sh_link = S_STRINGS, .sh_info = 2},
        [S_DYNAMIC] = {.sh_type = SHT_DYNAMIC, PART(dynamic), .sh_link = S_STRINGS, .sh_entsize = sizeof(Elf64_Dyn)},
        [S_TEXT] = {.sh_type = SHT_PROGBITS, .sh_addr = offsetof(struct image, code), .sh_flags = SHF_EXECINSTR},
    };
    memcpy(im->section, sections, sizeof sections);
    for (unsigned i = 1; i < NSECTIONS; i++) {
        Elf64_Shdr *s = &im->section[i];
        s->sh_name = add_string(im, strings, names[i]);
        s->sh_offset = s->sh_addr;
        s->sh_flags |= SHF_ALLOC;
        s->sh_addralign = i == S_TEXT ? CODE_ALIGN : 4;
    }
    im->section[S_SYMBOLS].sh_size = (1 + d->nsymbols) * sizeof(Elf64_Sym);
    im->section[S_VERSIONS].sh_size = (1 + d->nsymbols) * sizeof(Elf64_Half);
    im->section[S_TEXT].sh_size = d->nwords * 4;
}

uint32_t vdso_build(const struct vdso_desc *d, uint16_t machine, uint8_t image[VDSO_BYTES])
{
    union {
        struct image im;
        uint8_t bytes[VDSO_BYTES];
    } u;
    struct image *im = &u.im;
    size_t strings = 1, size = offsetof(struct image, code) + d->nwords * 4;
    CHECK(d->nsymbols <= MAX_SYMBOLS && size <= VDSO_BYTES - VDSO_ROOM);
    memset(&u, 0, sizeof u);
    uint32_t own_name = add_string(im, &strings, soname), version = add_string(im, &strings, d->version);
    add_symbols(im, &strings, d);
    add_sections(im, &strings, d);
    define_version(im, 0, VERSION_BASE, VER_FLG_BASE, soname, own_name);
    define_version(im, 1, VERSION_OURS, 0, d->version, version);
    memcpy(im->code, d->code, d->nwords * 4);

    im->header = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = machine,
        .e_version = EV_CURRENT,
        .e_phoff = offsetof(struct image, segment),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = ARRAY_SIZE(im->segment),
        .e_shoff = offsetof(struct image, section),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = NSECTIONS,
        .e_shstrndx = S_STRINGS,
    };
    im->segment[0] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = size, .p_memsz = size, .p_align = VDSO_BYTES};
    im->segment[1] = (Elf64_Phdr){
        .p_type = PT_DYNAMIC,
        .p_flags = PF_R,
        .p_offset = offsetof(struct image, dynamic),
        .p_vaddr = offsetof(struct image, dynamic),
        .p_paddr = offsetof(struct image, dynamic),
        .p_filesz = sizeof im->dynamic,
        .p_memsz = sizeof im->dynamic,
        .p_align = 8,
    };
    const Elf64_Dyn dynamic[] = {
        {DT_SONAME, {own_name}},
        {DT_HASH, {offsetof(struct image, hash)}},
        {DT_STRTAB, {offsetof(struct image, strings)}},
        {DT_SYMTAB, {offsetof(struct image, symbol)}},
        {DT_STRSZ, {strings}},
        {DT_VERSYM, {offsetof(struct image, version)}},
        {DT_VERDEF, {offsetof(struct image, version_def)}},
        {DT_VERDEFNUM, {ARRAY_SIZE(im->version_def)}},
        {DT_NULL, {0}},
    };
    _Static_assert(sizeof dynamic == sizeof im->dynamic, "entries of the dynamic section");
    memcpy(im->dynamic, dynamic, sizeof dynamic);
    memcpy(image, u.bytes, VDSO_BYTES);
    return (uint32_t)(offsetof(struct image, code) + d->symbols[0].word * 4);
}
