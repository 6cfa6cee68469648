/* Code memory: see code.h. The reserved range holds the chunks, then the exit cells, then the counters. */
#define _GNU_SOURCE
#include "exec/code.h"

#include <sys/mman.h>

#include "base/log.h"

/* Of code. The smallest quick units are two instructions with two exits and their counter's: about 150 bytes. */
enum { READY_STEP = 16 * 1024, READY_AHEAD = 4096, FILLED_STEP = 64 * 1024 };
enum { EXIT_CELLS_PER_KB = 20, COUNTERS_PER_KB = 7 };

/* Bytes of the cells and counters behind the code. */
static size_t data_size(const struct code_memory *m)
{
    return ALIGN_UP(m->max_exits * sizeof *m->exits + m->max_counters * sizeof *m->counters, (size_t)4096);
}

bool code_memory_init(struct code_memory *m, size_t bytes)
{
    memset(m, 0, offsetof(struct code_memory, chunk)); /* chunks are described as they are made */
    m->nchunks = 0;
    m->closed = false;
    m->size = ALIGN_UP(bytes, (size_t)CODE_CHUNK_SIZE);
    if (m->size > (size_t)CODE_MAX_CHUNKS * CODE_CHUNK_SIZE)
        m->size = (size_t)CODE_MAX_CHUNKS * CODE_CHUNK_SIZE;
    m->max_exits = m->size / 1024 * EXIT_CELLS_PER_KB;
    m->max_counters = m->size / 1024 * COUNTERS_PER_KB;
    size_t cells = data_size(m);
    uint8_t *p = mmap(NULL, m->size + cells, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    m->base = p;
    m->exits = (struct code_exit *)(p + m->size);
    m->ready = (uint8_t *)m->exits;
    m->counters = (int32_t *)(m->exits + m->max_exits);
    if (mprotect(m->exits, cells, PROT_READ | PROT_WRITE) < 0) {
        munmap(p, m->size + cells);
        return false;
    }
    return true;
}

/*
 * Asking for several pages at once costs less than a fault for each, and an unused page as much as a used one:
 * processes that find their code on disk, and forked children, translate little. Kernels before 5.14 refuse: then there
 * are faults.
 */
static uint8_t *make_ready(uint8_t *p, int how)
{
    madvise(p, READY_STEP, how);
    return p + READY_STEP;
}

struct code_exit *code_memory_exit(struct code_memory *m)
{
    if (m->nexits == m->max_exits)
        return NULL;
    struct code_exit *e = &m->exits[m->nexits++];
    if ((uint8_t *)(e + 1) > m->ready)
        m->ready = make_ready(m->ready, MADV_POPULATE_WRITE);
    *e = (struct code_exit){.pc = 0};
    return e;
}

static void unmap_chunks(struct code_memory *m)
{
    for (unsigned i = 0; i < m->nchunks; i++)
        munmap(m->chunk[i].write, m->chunk[i].size);
    m->nchunks = 0;
    m->nexits = 0;
    m->ncounters = 0;
    m->closed = false;
}

void code_memory_destroy(struct code_memory *m)
{
    unmap_chunks(m);
    munmap(m->base, m->size + data_size(m));
}

/* A second, executable mapping of the shared memory at p, at `at`: mremap(2) of no bytes duplicates. */
static bool map_again(uint8_t *p, size_t size, uint8_t *at)
{
    uint8_t *second = mremap(p, 0, size, MREMAP_MAYMOVE);
    if (second == MAP_FAILED)
        return false;
    if (!mprotect(second, size, PROT_READ | PROT_EXEC) &&
        mremap(second, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED)
        return true;
    munmap(second, size);
    return false;
}

/*
 * Gives the chunk memory of its own, holding its first `used` bytes: writable at c->write, then executable at c->exec.
 * Without a file, so that it works when the guest uses all descriptors. Replacing an executable mapping is atomic to
 * threads inside it: they fault and wait for the map lock.
 */
static bool map_chunk(struct code_chunk *c)
{
    uint8_t *write = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (write == MAP_FAILED)
        return false;
    if (c->used)
        memcpy(write, c->write, c->used);
    if (!map_again(write, c->size, c->exec)) {
        munmap(write, c->size);
        return false;
    }
    c->write = write;
    return true;
}

static struct code_chunk *add_chunk(struct code_memory *m)
{
    if ((size_t)m->nchunks * CODE_CHUNK_SIZE >= m->size)
        return NULL;
    struct code_chunk *c = &m->chunk[m->nchunks];
    *c = (struct code_chunk){.exec = m->base + (size_t)m->nchunks * CODE_CHUNK_SIZE, .size = CODE_CHUNK_SIZE};
    if (!map_chunk(c))
        return NULL;
    m->nchunks++;
    m->closed = false;
    return c;
}

uint8_t *code_memory_room(struct code_memory *m, size_t need, uint8_t **exec, size_t *room)
{
    struct code_chunk *c = m->nchunks && !m->closed ? &m->chunk[m->nchunks - 1] : NULL;
    if (!c || c->size - c->used < need) {
        if (need > CODE_CHUNK_SIZE)
            return NULL;
        c = add_chunk(m);
        if (!c)
            return NULL;
    }
    while (c->ready < c->size && c->ready < c->used + READY_AHEAD) {
        size_t filled = ALIGN_DOWN(c->used, (size_t)FILLED_STEP);
        if (filled > c->filled) /* the bytes count twice in what the process uses, and are seldom written again */
            madvise(c->write + c->filled, filled - c->filled, MADV_DONTNEED);
        c->filled = filled;
        make_ready(c->write + c->ready, MADV_POPULATE_WRITE);
        make_ready(c->exec + c->ready, MADV_POPULATE_READ);
        c->ready += READY_STEP;
    }
    *exec = c->exec + c->used;
    *room = c->size - c->used;
    return c->write + c->used;
}

void code_memory_commit(struct code_memory *m, size_t n)
{
    struct code_chunk *c = &m->chunk[m->nchunks - 1];
    c->used = ALIGN_UP(c->used + n, (size_t)16);
    if (c->used > c->size)
        c->used = c->size;
}

void code_memory_rest(const struct code_memory *m)
{
    for (unsigned i = 0; i < m->nchunks; i++)
        madvise(m->chunk[i].exec, m->chunk[i].size, MADV_DONTNEED);
}

uint8_t *code_memory_writable(struct code_memory *m, const uint8_t *at)
{
    struct code_chunk *c = &m->chunk[(size_t)(at - m->base) / CODE_CHUNK_SIZE];
    if (c->shared) {
        uint8_t *old = c->write;
        if (!map_chunk(c))
            BUG("no memory to copy translations after fork");
        munmap(old, c->size);
        c->shared = false;
    }
    return c->write + (at - c->exec);
}

bool code_memory_flush(struct code_memory *m)
{
    unmap_chunks(m);
    return add_chunk(m) != NULL;
}

void code_memory_after_fork(struct code_memory *m, bool child)
{
    for (unsigned i = 0; i < m->nchunks; i++)
        m->chunk[i].shared = true;
    if (child)
        m->closed = true;
}
