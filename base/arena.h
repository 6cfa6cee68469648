/*
 * Memory for what is made piece by piece and dropped all at once, such as descriptions of translated units: pieces lie
 * one behind the other in larger blocks, which are mapped with all their pages present. Not thread-safe.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

/* All zero: empty. */
struct arena {
    struct arena_block *blocks;
    char *next, *end;
};

/* `size` bytes at a multiple of 8, not cleared. Never NULL. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy of n bytes; NULL if n is 0. */
void *arena_copy(struct arena *a, const void *from, size_t n);
/* Frees everything; the arena is empty. */
void arena_free(struct arena *a);

#endif
