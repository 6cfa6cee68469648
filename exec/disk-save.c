/*
 * Storing a process's new translations: what the cache's file holds now, copied as it is, with the new units behind it.
 * Distances of the new ones are mended; jumps to code that is in the file become direct; cells of older ones are linked to
 * what is new. The guest's process may be ending, other threads of it running.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "exec/disk-internal.h"

/* New units are stored when they are so many, and so large a part of what is there. */
enum { MIN_UNITS = 16, MIN_PART = 32 };

/* A unit on its way into the file. */
struct placed {
    const struct disk_unit *unit;
    uint32_t pc, code; /* offsets: in the guest file, in the code */
    bool left_out;
};

/* A new unit by its guest code. */
struct table_entry {
    uint32_t pc, mode;
    uint32_t number; /* in placed, plus 1; 0: empty */
};

/* Where an exit of a unit leads in the file. */
struct way {
    int64_t to;    /* its code, or -1: none there */
    uint32_t cell; /* 1 + the number of its cell; 0: it needs none */
};

/* A section of the new file. */
struct bytes {
    uint8_t *p;
    size_t n, room;
};

struct work {
    const struct tcg_host *host;
    const struct image *im;
    const struct disk_map *old; /* at NULL: there is no file */
    uint64_t centre;
    struct placed *placed;
    uint32_t n, stored;
    struct table_entry *table; /* by hash of pc and mode; of the new units alone */
    uint32_t table_size;
    struct bytes cells; /* number 0 first */
    uint32_t counter_cells, counters; /* where in them the new counters are; counters in use */
    int32_t first_count;
    struct bytes code, blocks, faults, locs, consts;
    struct bytes ways; /* scratch: of one unit's exits */
};

static struct table_entry *table_place(const struct work *w, uint32_t pc, uint32_t mode)
{
    uint32_t mask = w->table_size - 1, i = disk_hash(pc, mode) & mask;
    while (w->table[i].number && (w->table[i].pc != pc || w->table[i].mode != mode))
        i = (i + 1) & mask;
    return &w->table[i];
}

/* Where code for the pc is or will be, from the beginning of the code; -1: nowhere. */
static int64_t code_for(const struct work *w, uint64_t pc, uint32_t mode)
{
    uint64_t offset = pc - w->im->key.bias;
    if (offset > UINT32_MAX)
        return -1;
    uint32_t k = table_place(w, offset, mode)->number;
    if (k && !w->placed[k - 1].left_out)
        return w->placed[k - 1].code;
    int64_t old = w->old->at ? disk_map_find(w->old, offset, mode) : -1;
    return old < 0 ? -1 : (int64_t)w->old->blocks[old].code;
}

/* --- which units --- */

/* Those there is nothing as good for: hot ones, or the first for their pc. */
static void choose(struct work *w)
{
    for (uint32_t i = 0; i < w->im->nunits; i++) {
        const struct disk_unit *u = &w->im->units[i];
        const struct code_block *b = u->block;
        uint32_t pc = b->pc - w->im->key.bias;
        struct table_entry *e = table_place(w, pc, b->mode);
        int64_t old = w->old->at ? disk_map_find(w->old, pc, b->mode) : -1;
        bool better = e->number ? w->placed[e->number - 1].unit->block->quick : old < 0 || w->old->blocks[old].quick;
        if (b->dead || ((e->number || old >= 0) && (b->quick || !better)))
            continue;
        if (e->number)
            w->placed[e->number - 1].left_out = true;
        w->placed[w->n] = (struct placed){.unit = u, .pc = pc};
        *e = (struct table_entry){pc, b->mode, ++w->n};
    }
}

/* A unit that jumps to one which is not stored can't be either. The one that stands in its target's stead may be newer. */
static void leave_out(struct work *w)
{
    bool again = false;
    for (uint32_t i = 0; i < w->n; i++) {
        struct placed *p = &w->placed[i];
        const struct code_ref *r = w->im->refs + p->unit->first_ref;
        for (uint32_t k = 0; k < p->unit->nrefs && !p->left_out; k++)
            again |= p->left_out = r[k].kind == REF_UNIT && code_for(w, r[k].pc, p->unit->block->mode) < 0;
    }
    if (again)
        leave_out(w);
}

/* Places the units behind the old code, as far as there is room, and without those that jump to what there is no room for. */
static void place(struct work *w)
{
    uint32_t end = 0, cells = 0;
    bool full = false;
    w->stored = 0;
    if (w->old->at) {
        end = w->old->h->code_bytes;
        cells = w->old->h->ncells;
    }
    for (uint32_t i = 0; i < w->n; i++) {
        struct placed *p = &w->placed[i];
        if (p->left_out)
            continue;
        p->code = ALIGN_UP(end, 16u);
        end = p->code + p->unit->block->c.size;
        cells += p->unit->nexits + 1;
        p->left_out = end > DISK_MAX_CODE || cells > DISK_MAX_CELLS / sizeof(struct code_exit);
        w->stored += !p->left_out;
        full |= p->left_out;
    }
    if (full) {
        leave_out(w);
        place(w);
    }
}

/* --- filling --- */

static void make_room(struct bytes *b, size_t room)
{
    b->room = room;
    b->p = realloc(b->p, room);
    CHECK(b->p || !room);
}

static void *more(struct bytes *b, size_t n)
{
    if (b->n + n > b->room)
        make_room(b, 2 * (b->n + n));
    b->n += n;
    return b->p + b->n - n;
}

/* What is known beforehand is not copied from one place to the next. */
static void make_rooms(struct work *w)
{
    const struct disk_header *old = w->old->h;
    size_t code = old ? old->code_bytes : 0, faults = old ? old->nfaults : 0, blocks = (old ? old->nblocks : 0) + w->stored;
    for (uint32_t i = 0; i < w->n; i++) {
        const struct placed *p = &w->placed[i];
        if (p->left_out)
            continue;
        code = p->code + p->unit->block->c.size;
        faults += p->unit->block->c.nfaults;
    }
    make_room(&w->code, code);
    make_room(&w->faults, faults * sizeof(struct fault_point));
    make_room(&w->blocks, blocks * sizeof(struct disk_block));
}

static void append(struct bytes *b, const void *from, size_t n)
{
    if (n)
        memcpy(more(b, n), from, n);
}

static void *address(const struct work *w, uint32_t code) { return (void *)(uintptr_t)(w->centre + code); }

/* What an exit's cell holds: it leads to the code for its pc if there is some. */
static struct code_exit cell(const struct work *w, uint64_t pc, void *unlinked, uint32_t mode)
{
    int64_t to = code_for(w, pc, mode);
    struct code_exit e = {.pc = pc, .unlinked = unlinked};
    atomic_store_explicit(&e.slot, to < 0 ? unlinked : address(w, to), memory_order_relaxed);
    return e;
}

/* Where the counters of a cell lie in it: all but `unlinked`, which says that there are counters. */
static const uint8_t counter_at[] = {0, 4, 16, 20, 24, 28};

/* Counters are written when code runs: cells for all of them in a row, so that few pages are. */
static void reserve_counters(struct work *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++)
        n += !w->placed[i].left_out && w->placed[i].unit->block->c.counter;
    w->counter_cells = w->cells.n;
    uint32_t bytes = (n + ARRAY_SIZE(counter_at) - 1) / ARRAY_SIZE(counter_at) * sizeof(struct code_exit);
    memset(more(&w->cells, bytes), 0, bytes);
}

/* Place of a new counter, as disk_block.counter has it. */
static uint32_t new_counter(struct work *w)
{
    uint32_t cell = w->counter_cells + w->counters / ARRAY_SIZE(counter_at) * sizeof(struct code_exit);
    uint8_t at = counter_at[w->counters++ % ARRAY_SIZE(counter_at)];
    memcpy(w->cells.p + cell + at, &w->first_count, sizeof w->first_count);
    return cell + sizeof(struct code_exit) - at;
}

static void set_counter(struct work *w, uint32_t counter, int32_t to)
{
    const uint32_t size = sizeof(struct code_exit);
    uint32_t number = (counter - 1) / size;
    memcpy(w->cells.p + number * size + (size - (counter - number * size)), &to, sizeof to);
}

static uint32_t mode_at(const struct disk_map *m, uint32_t code)
{
    uint32_t lo = 0, hi = m->h->nblocks;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->blocks[mid].code <= code)
            lo = mid;
        else
            hi = mid;
    }
    return m->blocks[lo].mode;
}

static void fill_old(struct work *w)
{
    const struct disk_map *old = w->old;
    const struct disk_header *h = old->h;
    append(&w->code, old->code, h->code_bytes);
    append(&w->blocks, old->blocks, h->nblocks * sizeof *old->blocks);
    append(&w->faults, old->faults, h->nfaults * sizeof *old->faults);
    append(&w->locs, old->locs, h->nlocs * sizeof *old->locs);
    append(&w->consts, old->consts, h->nconsts * sizeof *old->consts);
    for (uint32_t i = 0; i < h->ncells; i++) {
        struct code_exit now = old->cells_end[-1 - (ptrdiff_t)i];
        if (now.unlinked)
            now = cell(w, now.pc, now.unlinked, mode_at(old, (uintptr_t)now.unlinked - w->centre));
        append(&w->cells, &now, sizeof now);
    }
    for (uint32_t i = 0; i < h->nblocks; i++) {
        const struct disk_block *b = &old->blocks[i];
        if (!b->promote)
            continue;
        struct code_exit *promote = (struct code_exit *)w->cells.p + (b->promote - 1);
        int64_t hot = code_for(w, w->im->key.bias + b->pc, b->mode);
        bool is_hot = hot != b->code;
        atomic_store_explicit(&promote->slot, is_hot ? address(w, hot) : promote->unlinked, memory_order_relaxed);
        if (is_hot)
            set_counter(w, b->counter, 0);
    }
}

/* The distance at `end` of the code now leads to `to`, counted from the beginning of the code. */
static void set_distance(struct work *w, uint32_t end, int64_t to)
{
    int32_t distance = to - end;
    memcpy(w->code.p + end - 4, &distance, 4);
}

/* Gives the unit's exits cells where they need them: a quick unit's way to the hot tier always does. */
static struct way *find_ways(struct work *w, const struct placed *p, struct disk_block *d)
{
    const struct disk_unit *u = p->unit;
    const struct code_block *b = u->block;
    struct way *way = more(&w->ways, u->nexits * sizeof *way);
    w->ways.n = 0;
    for (uint32_t i = 0; i < u->nexits; i++) {
        const struct code_exit *e = &u->exits[i];
        bool promotes = e == b->c.promote;
        way[i] = (struct way){.to = promotes ? -1 : code_for(w, e->pc, b->mode)};
        if (way[i].to >= 0)
            continue;
        void *stub = address(w, p->code + ((const uint8_t *)e->unlinked - b->c.code));
        struct code_exit now = {.pc = e->pc, .unlinked = stub};
        atomic_store_explicit(&now.slot, stub, memory_order_relaxed);
        append(&w->cells, &now, sizeof now);
        way[i].cell = w->cells.n / sizeof now;
        if (promotes)
            d->promote = way[i].cell;
    }
    return way;
}

static void mend(struct work *w, const struct placed *p, struct disk_block *d)
{
    const struct disk_unit *u = p->unit;
    const struct code_ref *r = w->im->refs + u->first_ref;
    const struct way *way = find_ways(w, p, d);
    for (uint32_t i = 0; i < u->nrefs; i++) {
        uint32_t end = p->code + r[i].end;
        const struct way *to = r[i].exit ? &way[r[i].exit - u->exits] : NULL;
        if (r[i].kind == REF_COUNTER)
            set_distance(w, end, -(int64_t)(d->counter = new_counter(w)));
        else if (r[i].kind == REF_UNIT)
            set_distance(w, end, code_for(w, r[i].pc, u->block->mode));
        else if (to->cell)
            set_distance(w, end, -(int64_t)sizeof(struct code_exit) * to->cell);
        else if (r[i].kind != REF_CELL) /* else it is not reached any more */
            w->host->make_direct(w->code.p + end, r[i].kind, to->to - end);
    }
}

static void fill_new(struct work *w, const struct placed *p)
{
    const struct code_block *b = p->unit->block;
    const struct compiled *c = &b->c;
    memset(more(&w->code, p->code - w->code.n), 0xcc, p->code - w->code.n);
    append(&w->code, c->code, c->size);
    struct disk_block d = {
        .pc = p->pc, .mode = b->mode, .bytes = b->bytes, .quick = b->quick,
        .code = p->code, .code_bytes = c->size, .dead_off = c->dead_off,
        .first_fault = w->faults.n / sizeof(struct fault_point), .nfaults = c->nfaults,
        .first_loc = w->locs.n / sizeof(struct reg_loc), .first_const = w->consts.n / sizeof(uint64_t),
    };
    append(&w->faults, c->faults, c->nfaults * sizeof *c->faults);
    append(&w->locs, c->locs, c->nlocs * sizeof *c->locs);
    append(&w->consts, c->consts, c->nconsts * sizeof *c->consts);
    mend(w, p, &d);
    append(&w->blocks, &d, sizeof d);
}

/* --- the file --- */

static void *assemble(struct work *w, uint64_t *size)
{
    struct disk_header h = {
        .magic = DISK_MAGIC,
        .key = w->im->key,
        .centre = w->centre,
        .ncells = w->cells.n / sizeof(struct code_exit),
        .code_bytes = w->code.n,
        .nblocks = w->blocks.n / sizeof(struct disk_block),
        .index_size = 64,
        .nfaults = w->faults.n / sizeof(struct fault_point),
        .nlocs = w->locs.n / sizeof(struct reg_loc),
        .nconsts = w->consts.n / sizeof(uint64_t),
    };
    struct disk_layout l;
    struct disk_map m;
    while (h.index_size < 2 * h.nblocks)
        h.index_size *= 2;
    if (!disk_layout(&h, &l))
        return NULL;
    uint8_t *file = mmap(NULL, l.end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (file == MAP_FAILED)
        return NULL;
    *size = h.size = l.end;
    memcpy(file, &h, sizeof h);
    struct code_exit *cells_end = (struct code_exit *)(file + l.code);
    for (uint32_t i = 0; i < h.ncells; i++)
        memcpy(&cells_end[-1 - (ptrdiff_t)i], w->cells.p + i * sizeof *cells_end, sizeof *cells_end);
    static const struct {
        size_t at, from;
    } section[] = {
#define X(name) {offsetof(struct disk_layout, name), offsetof(struct work, name)}
        X(code), X(blocks), X(faults), X(locs), X(consts),
#undef X
    };
    for (unsigned i = 0; i < ARRAY_SIZE(section); i++) {
        const struct bytes *b = (const struct bytes *)((const char *)w + section[i].from);
        if (b->n)
            memcpy(file + *(const uint64_t *)((const char *)&l + section[i].at), b->p, b->n);
    }
    disk_map_set(&m, file);
    disk_map_make_index(&m, (uint32_t *)(file + l.index));
    ((struct disk_header *)file)->sum = disk_sum(file, l.end);
    return file;
}

static void *build(struct work *w, uint64_t *size)
{
    void *file = NULL;
    choose(w);
    leave_out(w);
    place(w);
    if (w->stored) {
        make_rooms(w);
        if (w->old->at)
            fill_old(w);
        reserve_counters(w);
        for (uint32_t i = 0; i < w->n; i++)
            if (!w->placed[i].left_out)
                fill_new(w, &w->placed[i]);
        file = assemble(w, size);
    }
    return file;
}

static void free_work(struct work *w)
{
    struct bytes *section[] = {&w->cells, &w->code, &w->blocks, &w->faults, &w->locs, &w->consts, &w->ways};
    for (unsigned i = 0; i < ARRAY_SIZE(section); i++)
        free(section[i]->p);
    free(w->placed);
    free(w->table);
}

/* What the file holds now: another process may have replaced it since this one began. */
static void read_old(const struct disk *d, const struct image *im, struct disk_map *old)
{
    struct disk_key key = im->key;
    int fd = disk_open_file(d, &key);
    if (fd >= 0) {
        disk_map_open(old, fd, &key, false);
        close(fd);
    }
}

static void save(struct exec *x, struct image *im)
{
    const struct disk *d = x->disk.disk;
    struct disk_store store;
    struct disk_map old = {0};
    uint64_t size = 0;
    if (!disk_store_begin(&store, d, &im->key))
        return;
    read_old(d, im, &old);
    struct work w = {.host = x->host, .im = im, .old = &old, .table_size = 64, .first_count = tier_first_count(x)};
    w.centre = old.at ? old.h->centre : disk_centre(d, &im->key);
    while (w.table_size < 2 * im->nunits)
        w.table_size *= 2;
    w.placed = malloc(im->nunits * sizeof *w.placed);
    w.table = calloc(w.table_size, sizeof *w.table);
    CHECK(w.placed && w.table);
    void *file = build(&w, &size);
    if (disk_store_end(&store, d, &im->key, file, size)) {
        x->stats.disk_stored += w.stored;
        im->nunits = im->nrefs = im->inherited = 0;
    }
    if (file)
        munmap(file, size);
    disk_map_close(&old);
    free_work(&w);
}

static bool is_worth_it(const struct image *im)
{
    uint32_t there = im->map.at ? im->map.h->nblocks : 0;
    uint32_t fresh = im->nunits - im->inherited;
    return !im->closed && fresh >= MIN_UNITS && fresh >= there / MIN_PART;
}

void disk_save(struct exec *x)
{
    for (unsigned i = 0; i < x->disk.nimages; i++) {
        struct image *im = x->disk.image[i];
        if (is_worth_it(im))
            save(x, im);
    }
}

void exec_save(struct exec *x, bool is_end)
{
    sigset_t all, before;
    if (!x->disk.disk)
        return;
    /* Other threads could close the descriptors used here, or open files by the same numbers: a table of one's own. */
    if (x->cpus && x->cpus->next_cpu && (!is_end || unshare(CLONE_FILES)))
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&x->lock);
    disk_save(x);
    pthread_mutex_unlock(&x->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
