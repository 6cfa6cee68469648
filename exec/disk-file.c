/* One file of the translation cache: its layout, its check, its mapping. See disk-format.h. */
#define _GNU_SOURCE
#include "exec/disk-format.h"

#include <stdatomic.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sum.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum {
    MAX_BLOCKS = 1 << 20,
    MAX_ENTRIES = 1 << 24,
    LARGE_BYTES = 1 << 20, /* of larger files a process needs a part only */
};

bool disk_layout(const struct disk_header *h, struct disk_layout *l)
{
    if (h->ncells > DISK_MAX_CELLS / sizeof(struct code_exit) || h->code_bytes > DISK_MAX_CODE ||
        h->nblocks > MAX_BLOCKS || h->index_size & (h->index_size - 1) || h->index_size <= h->nblocks ||
        h->index_size > MAX_ENTRIES || h->nfaults > MAX_ENTRIES || h->nlocs > MAX_ENTRIES || h->nconsts > MAX_ENTRIES)
        return false;
    l->cells = DISK_PAGE;
    l->code = l->cells + ALIGN_UP((uint64_t)h->ncells * sizeof(struct code_exit), (uint64_t)DISK_PAGE);
    l->blocks = l->code + ALIGN_UP((uint64_t)h->code_bytes, (uint64_t)DISK_PAGE);
    l->index = l->blocks + (uint64_t)h->nblocks * sizeof(struct disk_block);
    l->faults = l->index + (uint64_t)h->index_size * sizeof(uint32_t);
    l->locs = l->faults + (uint64_t)h->nfaults * sizeof(struct fault_point);
    l->consts = ALIGN_UP(l->locs + (uint64_t)h->nlocs * sizeof(struct reg_loc), UINT64_C(8));
    l->end = ALIGN_UP(l->consts + (uint64_t)h->nconsts * sizeof(uint64_t), (uint64_t)DISK_PAGE);
    return true;
}

void disk_map_set(struct disk_map *m, uint8_t *at)
{
    struct disk_layout l;
    m->at = at;
    m->h = (const struct disk_header *)at;
    disk_layout(m->h, &l);
    m->size = l.end;
    m->code = at + l.code;
    m->cells_end = (struct code_exit *)m->code;
    m->blocks = (const struct disk_block *)(at + l.blocks);
    m->index = (const uint32_t *)(at + l.index);
    m->faults = (const struct fault_point *)(at + l.faults);
    m->locs = (const struct reg_loc *)(at + l.locs);
    m->consts = (const uint64_t *)(at + l.consts);
}

/* Of a mapped file. What has been read is not kept in the process: of a large file it uses a part only. */
static uint64_t sum_of(uint8_t *file, size_t bytes)
{
    struct sum s;
    union {
        struct disk_header h;
        uint8_t page[DISK_PAGE];
    } first;
    memcpy(first.page, file, DISK_PAGE);
    first.h.sum = 0;
    sum_begin(&s);
    sum_add(&s, first.page, DISK_PAGE);
    for (size_t at = DISK_PAGE, n; at < bytes; at += n) {
        n = bytes - at < LARGE_BYTES ? bytes - at : LARGE_BYTES;
        sum_add(&s, file + at, n);
        if (bytes > LARGE_BYTES)
            madvise(file + at, n, MADV_DONTNEED);
    }
    return sum_end(&s);
}

/* The cells hold addresses: for another place they are moved. */
static void move_cells(struct disk_map *m)
{
    ptrdiff_t by = m->code - (uint8_t *)(uintptr_t)m->h->centre;
    for (uint32_t i = 0; i < m->h->ncells; i++) {
        struct code_exit *e = &m->cells_end[-1 - (ptrdiff_t)i];
        if (!e->unlinked)
            continue;
        e->unlinked = (uint8_t *)e->unlinked + by;
        atomic_store_explicit(&e->slot, (uint8_t *)atomic_load_explicit(&e->slot, memory_order_relaxed) + by,
                              memory_order_relaxed);
    }
}

static bool protect_to_run(struct disk_map *m)
{
    uint8_t *cells = m->at + DISK_PAGE;
    size_t code_bytes = ALIGN_UP((size_t)m->h->code_bytes, (size_t)DISK_PAGE);
    if (m->code > cells && mprotect(cells, m->code - cells, PROT_READ | PROT_WRITE))
        return false;
    if (m->code != (uint8_t *)(uintptr_t)m->h->centre)
        move_cells(m);
    return mprotect(m->code, code_bytes, PROT_READ | PROT_EXEC) == 0;
}

bool disk_map_open(struct disk_map *m, int fd, const struct disk_key *key, bool to_run, bool checked)
{
    struct disk_header h;
    struct disk_layout l;
    struct stat st;
    *m = (struct disk_map){0};
    if (pread(fd, &h, sizeof h, 0) != sizeof h || memcmp(h.magic, DISK_MAGIC, sizeof h.magic) ||
        memcmp(&h.key, key, sizeof *key) || !disk_layout(&h, &l) || h.size != l.end || fstat(fd, &st) ||
        (uint64_t)st.st_size != l.end || h.centre % DISK_PAGE)
        return false;
    void *want = to_run ? (void *)(uintptr_t)(h.centre - l.code) : NULL;
    int flags = MAP_PRIVATE | (l.end > LARGE_BYTES ? 0 : MAP_POPULATE);
    uint8_t *at = mmap(want, l.end, PROT_READ, flags | (to_run ? MAP_FIXED_NOREPLACE : 0), fd, 0);
    if (at == MAP_FAILED && to_run)
        at = mmap(NULL, l.end, PROT_READ, flags, fd, 0);
    if (at == MAP_FAILED)
        return false;
    m->at = at;
    m->size = l.end;
    if (memcmp(at, &h, sizeof h) || (!checked && sum_of(at, l.end) != h.sum)) {
        disk_map_close(m);
        return false;
    }
    disk_map_set(m, at);
    if (to_run && !protect_to_run(m)) {
        disk_map_close(m);
        return false;
    }
    return true;
}

void disk_map_close(struct disk_map *m)
{
    if (m->at)
        munmap(m->at, m->size);
    *m = (struct disk_map){0};
}

uint32_t disk_hash(uint32_t pc, uint32_t mode)
{
    return (pc | (uint64_t)mode << 32) * UINT64_C(0x9e3779b97f4a7c15) >> 40; /* the high bits are the mixed ones */
}

int64_t disk_map_find(const struct disk_map *m, uint32_t pc, uint32_t mode)
{
    uint32_t mask = m->h->index_size - 1;
    for (uint32_t i = disk_hash(pc, mode) & mask; m->index[i]; i = (i + 1) & mask) {
        const struct disk_block *b = &m->blocks[m->index[i] - 1];
        if (b->pc == pc && b->mode == mode)
            return m->index[i] - 1;
    }
    return -1;
}

void disk_map_make_index(const struct disk_map *m, uint32_t *index)
{
    uint32_t mask = m->h->index_size - 1;
    memset(index, 0, m->h->index_size * sizeof *index);
    for (uint32_t k = m->h->nblocks; k-- > 0;) { /* the last of the same pc is the one to be found */
        const struct disk_block *b = &m->blocks[k];
        uint32_t i = disk_hash(b->pc, b->mode) & mask;
        while (index[i])
            i = (i + 1) & mask;
        index[i] = k + 1;
    }
}
