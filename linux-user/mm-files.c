/*
 * Guest code in files, for the translation cache on disk: which executable mappings show a file unchanged, what tells
 * the file from others, and addresses that are the same in each process that maps it.
 */
#include "linux-user/mm.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/sum.h"
#include "linux-user/mm-internal.h"

enum {
    TRIES = 8,
    SETTLED_SECONDS = 2, /* a file changed later than that may change again without its times telling */
    SECOND = 1000000000,
};

void mm_set_secret(struct mm *mm, uint64_t secret) { mm->secret = secret; }

/* --- identity --- */

static uint64_t nanoseconds(struct timespec t) { return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec; }

/* Is there a build id in the note segments that lie in the first `n` bytes? (System V gABI, "Note Section") */
static bool has_build_id(const uint8_t *head, size_t n)
{
    Elf64_Ehdr e;
    memcpy(&e, head, sizeof e);
    for (unsigned i = 0; i < e.e_phnum; i++) {
        Elf64_Phdr p;
        if (e.e_phoff > n || e.e_phoff + (i + 1) * sizeof p > n)
            return false;
        memcpy(&p, head + e.e_phoff + i * sizeof p, sizeof p);
        uint64_t at = p.p_offset, end = at + p.p_filesz;
        while (p.p_type == PT_NOTE && end <= n && at < end && end - at >= sizeof(Elf64_Nhdr)) {
            Elf64_Nhdr note;
            memcpy(&note, head + at, sizeof note);
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz >= 16)
                return true;
            at += sizeof note + ALIGN_UP((uint64_t)note.n_namesz, UINT64_C(4)) +
                  ALIGN_UP((uint64_t)note.n_descsz, UINT64_C(4));
        }
    }
    return false;
}

/* False: not a 64-bit ELF file, or it has changed just now. */
bool mm_file_id(struct mm *mm, int fd, struct code_file_id *id)
{
    struct stat st;
    struct timespec now;
    uint8_t head[PAGE];
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || clock_gettime(CLOCK_REALTIME_COARSE, &now))
        return false;
    uint64_t ctime = nanoseconds(st.st_ctim);
    if (ctime + (uint64_t)SETTLED_SECONDS * SECOND > nanoseconds(now))
        return false;
    struct known_file *known = &mm->known_file;
    if (known->dev != st.st_dev || known->ino != st.st_ino || known->id.ctime != ctime ||
        known->id.size != (uint64_t)st.st_size) {
        ssize_t n = pread(fd, head, sizeof head, 0);
        if (n < (ssize_t)sizeof(Elf64_Ehdr) || memcmp(head, ELFMAG, SELFMAG) || head[EI_CLASS] != ELFCLASS64)
            return false;
        bool named = has_build_id(head, (size_t)n);
        known->dev = st.st_dev;
        known->ino = st.st_ino;
        known->id = (struct code_file_id){
            .size = (uint64_t)st.st_size,
            .mtime = nanoseconds(st.st_mtim),
            .ctime = ctime,
            .dev = named ? 0 : st.st_dev,
            .ino = named ? 0 : st.st_ino,
            .head = hash_bytes(0, head, (size_t)n),
        };
    }
    *id = known->id;
    return true;
}

/* --- addresses --- */

uint64_t mm_file_place(struct mm *mm, int fd, uint64_t len)
{
    struct code_file_id id;
    if (!mm->secret || !mm->places.n || !mm_file_id(mm, fd, &id))
        return 0;
    id.ctime = id.dev = id.ino = 0; /* a copy may have the same address */
    id.mtime -= id.mtime % SECOND;
    for (unsigned try = 0; try < TRIES; try++) {
        uint64_t at =
            mm->places.start + (hash_bytes(mm->secret + try, &id, sizeof id) % mm->places.n << FILE_PLACE_SHIFT);
        if (!areas_first(&mm->list, at, at + len) && !areas_first(&mm->foreign, at, at + len))
            return at;
    }
    return 0;
}

/* Bytes from the first to the last segment's end as a dynamic loader counts them, and their largest alignment. */
static uint64_t elf_span(const uint8_t *head, size_t n, uint64_t *align)
{
    Elf64_Ehdr e;
    uint64_t low = UINT64_MAX, high = 0;
    memcpy(&e, head, sizeof e);
    *align = PAGE;
    for (unsigned i = 0; e.e_phoff <= n && i < e.e_phnum && e.e_phoff + (i + 1) * sizeof(Elf64_Phdr) <= n; i++) {
        Elf64_Phdr p;
        memcpy(&p, head + e.e_phoff + i * sizeof p, sizeof p);
        if (p.p_type != PT_LOAD)
            continue;
        low = p.p_vaddr < low ? p.p_vaddr : low;
        high = p.p_vaddr + p.p_memsz > high ? p.p_vaddr + p.p_memsz : high;
        *align = p.p_align > *align ? p.p_align : *align;
    }
    return high > low ? ALIGN_UP(high, (uint64_t)PAGE) - ALIGN_DOWN(low, (uint64_t)PAGE) : 0;
}

uint64_t mm_reserved_place(struct mm *mm, uint64_t len)
{
    int fd = __atomic_load_n(&mm->opened, __ATOMIC_RELAXED);
    uint8_t head[PAGE];
    uint64_t align;
    if (!mm->secret || fd < 0)
        return 0;
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < (ssize_t)sizeof(Elf64_Ehdr) || memcmp(head, ELFMAG, SELFMAG) || head[EI_CLASS] != ELFCLASS64)
        return 0;
    uint64_t span = elf_span(head, (size_t)n, &align);
    return span && len == span + align ? mm_file_place(mm, fd, len) : 0;
}

void mm_note_opened(struct mm *mm, int fd) { __atomic_store_n(&mm->opened, fd, __ATOMIC_RELAXED); }

uint64_t mm_loader_place(struct mm *mm, int fd, uint64_t len)
{
    shared_lock_take(&mm->op);
    uint64_t at = mm_file_place(mm, fd, len);
    shared_lock_give(&mm->op);
    return at;
}

uint64_t mm_program_place(struct mm *mm, int fd)
{
    struct code_file_id id;
    if (!mm->secret || !mm_file_id(mm, fd, &id))
        return mm->program_base;
    id.ctime = id.dev = id.ino = 0;
    id.mtime -= id.mtime % SECOND;
    return mm->program_base = mm->programs.start + hash_bytes(mm->secret, &id, sizeof id) % mm->programs.n * PAGE;
}

/* Would another process have the mapping at the same address? Addresses below the programs' are chosen by linkers. */
static bool is_stable(const struct mm *mm, uint64_t start)
{
    return start < mm->programs.start + mm->programs.n * PAGE ||
           (start >= mm->places.start && start < mm->places.start + (mm->places.n << FILE_PLACE_SHIFT));
}

/* --- the list --- */

static void add(struct mm *mm, const struct code_file *f, uint64_t start, uint64_t end)
{
    if (start >= end || mm->nfiles == MM_MAX_FILES)
        return;
    mm->files[mm->nfiles] = *f;
    mm->files[mm->nfiles].start = start;
    mm->files[mm->nfiles].end = end;
    mm->files[mm->nfiles++].mapping = ++mm->mappings;
}

void mm_files_forget(struct mm *mm, uint64_t start, uint64_t end)
{
    for (unsigned i = mm->nfiles; i-- > 0;) {
        struct code_file f = mm->files[i];
        if (f.start >= end || f.end <= start)
            continue;
        mm->files[i] = mm->files[--mm->nfiles];
        add(mm, &f, f.start, start); /* what is left of it is a mapping like any other */
        add(mm, &f, end, f.end);
    }
}

bool mm_files_touch(const struct mm *mm, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < mm->nfiles; i++)
        if (mm->files[i].start < end && mm->files[i].end > start)
            return true;
    return false;
}

void mm_files_note(struct mm *mm, const struct area *a, int fd, uint64_t offset)
{
    struct code_file_id id;
    if (!mm->secret || fd < 0 || a->shared || !(a->prot & PROT_EXEC) || a->prot & PROT_WRITE ||
        !is_stable(mm, a->start) || !mm_file_id(mm, fd, &id))
        return;
    shared_lock_take(&mm->areas_lock);
    add(mm, &(struct code_file){.bias = a->start - offset, .id = id}, a->start, a->end);
    shared_lock_give(&mm->areas_lock);
}

void mm_files_rest(void *opaque)
{
    struct mm *mm = opaque;
    shared_lock_take(&mm->areas_lock);
    for (unsigned i = 0; i < mm->nfiles; i++)
        madvise((void *)(uintptr_t)mm->files[i].start, mm->files[i].end - mm->files[i].start, MADV_DONTNEED);
    shared_lock_give(&mm->areas_lock);
}

bool mm_file_at(void *opaque, uint64_t pc, struct code_file *f)
{
    struct mm *mm = opaque;
    bool found = false;
    shared_lock_take(&mm->areas_lock);
    for (unsigned i = 0; i < mm->nfiles && !found; i++)
        if (pc >= mm->files[i].start && pc < mm->files[i].end) {
            *f = mm->files[i];
            found = true;
        }
    shared_lock_give(&mm->areas_lock);
    return found;
}
