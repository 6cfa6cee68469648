/* The tree of memory regions and its flat map: see memory.h. Accesses are in memory-access.c. */
#define _GNU_SOURCE
#include "softmmu/memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/log.h"

/* --- regions --- */

void mem_init_container(struct mem_region *r, const char *name, uint64_t size)
{
    *r = (struct mem_region){.name = name, .size = size, .kind = MEM_CONTAINER};
}

void mem_init_io(struct mem_region *r, const char *name, uint64_t size, const struct mem_ops *ops, void *device)
{
    *r = (struct mem_region){.name = name, .size = size, .kind = MEM_IO, .ops = ops, .device = device};
}

void mem_init_alias(struct mem_region *r, const char *name, struct mem_region *target, uint64_t offset, uint64_t size)
{
    *r = (struct mem_region){.name = name, .size = size, .kind = MEM_ALIAS, .target = target, .target_offset = offset};
}

static uint64_t pages(uint64_t size)
{
    return (size >> MEM_PAGE_SHIFT) + !!(size & ((1 << MEM_PAGE_SHIFT) - 1));
}

static void *allocate(uint64_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool mem_init_ram(struct mem_region *r, const char *name, uint64_t size)
{
    *r = (struct mem_region){.name = name, .size = size, .kind = MEM_RAM};
    r->host = allocate(size);
    r->dirty = r->host ? allocate(pages(size)) : NULL;
    if (!r->dirty) {
        mem_free(r);
        return false;
    }
    memset(r->dirty, DIRTY_ALL, pages(size));
    return true;
}

bool mem_init_rom(struct mem_region *r, const char *name, uint64_t size, const struct mem_ops *ops, void *device)
{
    *r = (struct mem_region){.name = name, .size = size, .kind = MEM_ROM, .ops = ops, .device = device};
    r->host = allocate(size);
    return r->host != NULL;
}

void mem_free(struct mem_region *r)
{
    CHECK(!r->parent);
    if (r->host)
        munmap(r->host, r->size);
    if (r->dirty)
        munmap(r->dirty, pages(r->size));
    r->host = r->dirty = NULL;
}

/* --- flattening --- */

/* Addresses while the tree is walked: an alias may begin before address zero. */
typedef __int128 wide;

struct painter {
    struct mem_map *map;
    unsigned room;
    bool failed;
};

static void insert(struct painter *p, unsigned i, uint64_t first, uint64_t last, struct mem_region *r, uint64_t offset)
{
    if (p->map->n == p->room) {
        unsigned room = 2 * p->room;
        struct mem_map *bigger = realloc(p->map, sizeof *bigger + room * sizeof bigger->range[0]);
        if (!bigger) {
            p->failed = true;
            return;
        }
        p->map = bigger;
        p->room = room;
    }
    struct mem_range *at = p->map->range + i;
    memmove(at + 1, at, (p->map->n - i) * sizeof *at);
    *at = (struct mem_range){first, last, r, offset};
    p->map->n++;
}

/* Gives the region what nobody on top of it has taken of [first, last]; its offset 0 lies at base. */
static void fill(struct painter *p, struct mem_region *r, wide base, uint64_t first, uint64_t last)
{
    unsigned i = 0;
    while (i < p->map->n && p->map->range[i].last < first)
        i++;
    while (!p->failed) {
        bool taken = i < p->map->n && p->map->range[i].first <= last;
        if (!taken || p->map->range[i].first > first) {
            insert(p, i, first, taken ? p->map->range[i].first - 1 : last, r, (uint64_t)(first - base));
            i++;
        }
        if (!taken || p->failed || p->map->range[i].last >= last)
            return;
        first = p->map->range[i++].last + 1;
    }
}

/* Children and targets before what lies under them: nobody paints over what is there. */
static void paint(struct painter *p, struct mem_region *r, wide base, uint64_t first, uint64_t last)
{
    wide end = base + r->size - 1;
    if (r->disabled || !r->size || end < first || base > last)
        return;
    if (base > first)
        first = (uint64_t)base;
    if (end < last)
        last = (uint64_t)end;
    if (r->kind == MEM_ALIAS) {
        paint(p, r->target, base - r->target_offset, first, last);
        return;
    }
    for (struct mem_region *child = r->first_child; child; child = child->next)
        paint(p, child, base + child->at, first, last);
    if (r->kind != MEM_CONTAINER)
        fill(p, r, base, first, last);
}

/* Neighbours of one region that continue each other become one. */
static void join(struct mem_map *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->n; i++) {
        struct mem_range *r = &m->range[i], *before = n ? &m->range[n - 1] : NULL;
        if (before && before->region == r->region && before->last + 1 == r->first &&
            before->offset + (r->first - before->first) == r->offset)
            before->last = r->last;
        else
            m->range[n++] = *r;
    }
    m->n = n;
}

static struct mem_map *flatten(struct mem_region *root)
{
    enum { FIRST_ROOM = 32 };
    struct painter p = {.map = malloc(sizeof(struct mem_map) + FIRST_ROOM * sizeof(struct mem_range)),
                        .room = FIRST_ROOM};
    if (!p.map)
        return NULL;
    p.map->n = 0;
    paint(&p, root, 0, 0, UINT64_MAX);
    if (p.failed) {
        free(p.map);
        return NULL;
    }
    join(p.map);
    return p.map;
}

/* --- spaces --- */

bool mem_space_init(struct mem_space *s, const char *name, uint64_t size)
{
    *s = (struct mem_space){.root = malloc(sizeof *s->root)};
    if (!s->root)
        return false;
    mem_init_container(s->root, name, size);
    s->map = flatten(s->root);
    if (!s->map) {
        free(s->root);
        return false;
    }
    pthread_rwlock_init(&s->lock, NULL);
    return true;
}

void mem_space_free(struct mem_space *s)
{
    while (s->root->first_child)
        mem_remove(s, s->root->first_child);
    free(s->map);
    free(s->root);
    pthread_rwlock_destroy(&s->lock);
}

void mem_begin(struct mem_space *s)
{
    s->batch++;
}

void mem_end(struct mem_space *s)
{
    if (--s->batch || !s->changed)
        return;
    s->changed = false;
    struct mem_map *map = flatten(s->root);
    CHECK(map); /* without memory for a table this small nothing goes on */
    pthread_rwlock_wrlock(&s->lock);
    struct mem_map *old = s->map;
    s->map = map;
    pthread_rwlock_unlock(&s->lock);
    free(old);
    if (s->remapped)
        s->remapped(s->opaque);
}

static void change(struct mem_space *s)
{
    s->changed = true;
    mem_begin(s);
    mem_end(s);
}

void mem_add(struct mem_space *s, struct mem_region *parent, uint64_t at, struct mem_region *child, int priority)
{
    CHECK(!child->parent && parent->kind == MEM_CONTAINER);
    child->parent = parent;
    child->at = at;
    child->priority = priority;
    struct mem_region **p = &parent->first_child;
    while (*p && (*p)->priority > priority)
        p = &(*p)->next;
    child->next = *p;
    *p = child;
    change(s);
}

void mem_remove(struct mem_space *s, struct mem_region *child)
{
    struct mem_region **p = &child->parent->first_child;
    while (*p != child)
        p = &(*p)->next;
    *p = child->next;
    child->parent = child->next = NULL;
    change(s);
}

void mem_move(struct mem_space *s, struct mem_region *child, uint64_t at)
{
    if (child->at == at)
        return;
    child->at = at;
    change(s);
}

void mem_enable(struct mem_space *s, struct mem_region *r, bool on)
{
    if (r->disabled == !on)
        return;
    r->disabled = !on;
    change(s);
}

void mem_rom_direct(struct mem_space *s, struct mem_region *r, bool direct)
{
    if (r->direct_off == !direct)
        return;
    r->direct_off = !direct;
    change(s);
}

bool mem_lookup(struct mem_space *s, uint64_t addr, struct mem_range *out)
{
    pthread_rwlock_rdlock(&s->lock);
    const struct mem_map *m = s->map;
    unsigned lo = 0, hi = m->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (m->range[mid].last < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool found = lo < m->n && m->range[lo].first <= addr;
    if (found)
        *out = m->range[lo];
    pthread_rwlock_unlock(&s->lock);
    return found;
}

bool mem_is_direct(const struct mem_range *r, bool write)
{
    const struct mem_region *region = r->region;
    return region->kind == MEM_RAM || (region->kind == MEM_ROM && !write && !region->direct_off);
}
