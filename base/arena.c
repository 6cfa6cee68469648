/* See arena.h. */
#include "base/arena.h"

#include <sys/mman.h>

#include "base/bits.h"
#include "base/log.h"

enum { BLOCK = 16 * 1024, ALIGNMENT = 8 }; /* many arenas hold little */

struct arena_block {
    struct arena_block *older;
    size_t bytes;
    char piece[] __attribute__((aligned(ALIGNMENT)));
};

void *arena_alloc(struct arena *a, size_t size)
{
    size = ALIGN_UP(size, (size_t)ALIGNMENT);
    if (UNLIKELY((size_t)(a->end - a->next) < size)) {
        size_t bytes = size > BLOCK / 4 ? ALIGN_UP(sizeof(struct arena_block) + size, (size_t)4096) : BLOCK;
        struct arena_block *b =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        CHECK(b != MAP_FAILED);
        *b = (struct arena_block){.older = a->blocks, .bytes = bytes};
        a->blocks = b;
        a->next = b->piece;
        a->end = (char *)b + bytes;
    }
    void *p = a->next;
    a->next += size;
    return p;
}

void *arena_copy(struct arena *a, const void *from, size_t n)
{
    return n ? memcpy(arena_alloc(a, n), from, n) : NULL;
}

void arena_free(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *older = a->blocks->older;
        munmap(a->blocks, a->blocks->bytes);
        a->blocks = older;
    }
    a->next = a->end = NULL;
}
