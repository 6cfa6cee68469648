/* See arena.h. */
#include "base/arena.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/log.h"

enum { BLOCK = 64 * 1024, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *older;
    char bytes[] __attribute__((aligned(ALIGNMENT)));
};

void *arena_alloc(struct arena *a, size_t size)
{
    size = ALIGN_UP(size, (size_t)ALIGNMENT);
    if (UNLIKELY((size_t)(a->end - a->next) < size)) {
        size_t room = size > BLOCK / 4 ? size : BLOCK - sizeof(struct arena_block) - 16; /* the heap's own header */
        struct arena_block *b = malloc(sizeof *b + room);
        CHECK(b);
        b->older = a->blocks;
        a->blocks = b;
        a->next = b->bytes;
        a->end = b->bytes + room;
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
        free(a->blocks);
        a->blocks = older;
    }
    a->next = a->end = NULL;
}
