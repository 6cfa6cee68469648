/*
 * The sorted list of a guest's mappings (struct area of mm.h): pure bookkeeping without system calls and locks.
 * Neighbours that differ in nothing are one entry.
 */
#ifndef LINUX_USER_AREAS_H
#define LINUX_USER_AREAS_H

#include "linux-user/mm.h"

struct area_list {
    struct area *v; /* by rising address */
    size_t n, room;
};

enum { AREAS_GROWTH = 2 }; /* entries that one areas_set() or areas_clear() may add */

/* Makes room so that the next `changes` changes cannot fail. False without memory. */
bool areas_reserve(struct area_list *l, unsigned changes);
/* Puts *a (its own start and end) over whatever was there. */
void areas_set(struct area_list *l, const struct area *a);
/* Forgets [start, end). */
void areas_clear(struct area_list *l, uint64_t start, uint64_t end);
/* Index of the first area that ends above addr: l->n if there is none. */
size_t areas_find(const struct area_list *l, uint64_t addr);
/* The first area that touches [start, end), or NULL. */
const struct area *areas_first(const struct area_list *l, uint64_t start, uint64_t end);
/* All of [start, end) is mapped. */
bool areas_cover(const struct area_list *l, uint64_t start, uint64_t end);
/* Bytes mapped inside [start, end). */
uint64_t areas_bytes(const struct area_list *l, uint64_t start, uint64_t end);
/* The highest start of a free [start, start + len) inside [low, high), start a multiple of align; 0: none. */
uint64_t areas_gap(const struct area_list *l, uint64_t low, uint64_t high, uint64_t len, uint64_t align);
void areas_free(struct area_list *l);

/* Another guest's maps or smaps: its areas, and the host's file of the same name, open at its start. mm-maps.c. */
void areas_print_maps(const struct area_list *list, int host_maps, int fd);

#endif
