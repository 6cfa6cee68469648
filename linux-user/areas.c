/* The sorted list of a guest's mappings: see areas.h. */
#include "linux-user/areas.h"

#include <stdlib.h>
#include <string.h>

bool areas_reserve(struct area_list *l, unsigned changes)
{
    size_t need = l->n + (size_t)changes * AREAS_GROWTH;
    if (need <= l->room)
        return true;
    size_t room = need * 2;
    struct area *v = realloc(l->v, room * sizeof *v);
    if (!v)
        return false;
    l->v = v;
    l->room = room;
    return true;
}

void areas_free(struct area_list *l)
{
    free(l->v);
    *l = (struct area_list){0};
}

size_t areas_find(const struct area_list *l, uint64_t addr)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (l->v[mid].end <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct area *areas_first(const struct area_list *l, uint64_t start, uint64_t end)
{
    size_t i = areas_find(l, start);
    return i < l->n && l->v[i].start < end ? &l->v[i] : NULL;
}

bool areas_cover(const struct area_list *l, uint64_t start, uint64_t end)
{
    for (size_t i = areas_find(l, start); start < end; i++) {
        if (i == l->n || l->v[i].start > start)
            return false;
        start = l->v[i].end;
    }
    return true;
}

uint64_t areas_bytes(const struct area_list *l, uint64_t start, uint64_t end)
{
    uint64_t sum = 0;
    for (size_t i = areas_find(l, start); i < l->n && l->v[i].start < end; i++) {
        uint64_t from = l->v[i].start > start ? l->v[i].start : start, to = l->v[i].end < end ? l->v[i].end : end;
        sum += to - from;
    }
    return sum;
}

static void insert(struct area_list *l, size_t at, const struct area *a)
{
    memmove(&l->v[at + 1], &l->v[at], (l->n - at) * sizeof *a);
    l->v[at] = *a;
    l->n++;
}

static void erase(struct area_list *l, size_t at, size_t n)
{
    memmove(&l->v[at], &l->v[at + n], (l->n - at - n) * sizeof *l->v);
    l->n -= n;
}

void areas_clear(struct area_list *l, uint64_t start, uint64_t end)
{
    size_t i = areas_find(l, start), gone;
    if (i < l->n && l->v[i].start < start) {
        struct area left = l->v[i];
        left.end = start;
        if (l->v[i].end > end) {
            l->v[i].start = end;
            insert(l, i, &left);
            return;
        }
        l->v[i++] = left;
    }
    for (gone = 0; i + gone < l->n && l->v[i + gone].end <= end; gone++)
        ;
    erase(l, i, gone);
    if (i < l->n && l->v[i].start < end)
        l->v[i].start = end;
}

static bool same_kind(const struct area *a, const struct area *b)
{
    return a->end == b->start && a->prot == b->prot && a->shared == b->shared && a->kind == b->kind &&
           a->grows == b->grows && a->sealed == b->sealed && a->not_forked == b->not_forked;
}

void areas_set(struct area_list *l, const struct area *a)
{
    areas_clear(l, a->start, a->end);
    size_t i = areas_find(l, a->start);
    insert(l, i, a);
    if (i + 1 < l->n && same_kind(&l->v[i], &l->v[i + 1])) {
        l->v[i].end = l->v[i + 1].end;
        erase(l, i + 1, 1);
    }
    if (i > 0 && same_kind(&l->v[i - 1], &l->v[i])) {
        l->v[i - 1].end = l->v[i].end;
        erase(l, i, 1);
    }
}

uint64_t areas_gap(const struct area_list *l, uint64_t low, uint64_t high, uint64_t len, uint64_t align)
{
    size_t i = areas_find(l, high); /* the first area that does not end below high */
    if (i < l->n && l->v[i].start < high)
        high = l->v[i].start;
    for (;; i--) {
        uint64_t floor = i > 0 && l->v[i - 1].end > low ? l->v[i - 1].end : low;
        if (high > floor && high - floor >= len) {
            uint64_t start = (high - len) & ~(align - 1);
            if (start >= floor && start)
                return start;
        }
        if (i == 0 || l->v[i - 1].start <= low)
            return 0;
        high = l->v[i - 1].start;
    }
}
