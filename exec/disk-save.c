/*
 * Storing a process's new translations: what the cache's file holds now, copied as it is, with the new units behind it.
 * Distances of the new ones are mended; jumps to code that is in the file become direct; cells of older ones are linked
 * to what is new. The guest's process may be ending, other threads of it running.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sum.h"
#include "exec/disk-internal.h"

/* New units are stored when they are so many, and so large a part of what is there; fewer only once in a while. */
enum { MIN_UNITS = 16, MIN_PART = 32 };

/* A unit on its way into the file. */
struct placed {
    const struct disk_unit *unit;
    uint32_t pc, code; /* offsets: in the guest file, in the code */
    uint32_t cell;     /* number of its first cell */
    uint32_t target;   /* of its first exit, in work.targets */
    uint32_t counter;  /* as in struct disk_block */
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
    uint32_t code_bytes;
    struct bytes blocks, faults, locs, consts;
    struct bytes targets;    /* int32_t for each exit: code it leads to, or -1 */
    struct bytes ways, code; /* scratch: of one unit */
};

static struct table_entry *table_place(const struct work *w, uint32_t pc, uint32_t mode)
{
    uint32_t mask = w->table_size - 1, i = disk_hash(pc, mode) & mask;
    while (w->table[i].number && (w->table[i].pc != pc || w->table[i].mode != mode))
        i = (i + 1) & mask;
    return &w->table[i];
}

/* Where code for the offset in the guest file is or will be, from the beginning of the code; -1: nowhere. */
static int64_t code_at(const struct work *w, uint32_t offset, uint32_t mode)
{
    if (offset == NOT_IN_FILE)
        return -1;
    uint32_t k = table_place(w, offset, mode)->number;
    if (k && !w->placed[k - 1].left_out)
        return w->placed[k - 1].code;
    int64_t old = w->old->at ? disk_map_find(w->old, offset, mode) : -1;
    return old < 0 ? -1 : (int64_t)w->old->blocks[old].code;
}

static int64_t code_for(const struct work *w, uint64_t pc, uint32_t mode)
{
    uint64_t offset = pc - w->im->key.bias;
    return code_at(w, offset < NOT_IN_FILE ? offset : NOT_IN_FILE, mode);
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

/*
 * A unit that jumps to one which is not stored can't be either. The one that stands in its target's stead may be newer.
 */
static void leave_out(struct work *w)
{
    bool again = false;
    for (uint32_t i = 0; i < w->n; i++) {
        struct placed *p = &w->placed[i];
        const struct disk_ref *r = w->im->refs + p->unit->first_ref;
        for (uint32_t k = 0; k < p->unit->nrefs && !p->left_out; k++)
            again |= p->left_out = r[k].kind == REF_UNIT && code_at(w, r[k].pc, p->unit->block->mode) < 0;
    }
    if (again)
        leave_out(w);
}

/*
 * Places the units behind the old code, as far as there is room, and without those that jump to what there is no room
 * for.
 */
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
    size_t faults = old ? old->nfaults : 0, blocks = (old ? old->nblocks : 0) + w->stored;
    for (uint32_t i = 0; i < w->n; i++) {
        const struct placed *p = &w->placed[i];
        if (!p->left_out)
            faults += p->unit->block->c.nfaults;
    }
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
    w->code_bytes = h->code_bytes;
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

/* Where the unit's exits lead, and the cells of those that need them, whose numbers follow each other. */
static const struct way *find_ways(struct work *w, const struct placed *p)
{
    uint32_t n = p->unit->nexits, cell = p->cell;
    const int32_t *target = (const int32_t *)w->targets.p + p->target;
    w->ways.n = 0;
    struct way *way = more(&w->ways, n * sizeof *way);
    for (uint32_t i = 0; i < n; i++)
        way[i] = (struct way){.to = target[i], .cell = target[i] < 0 ? 1 + cell++ : 0};
    return way;
}

/* A quick unit's way to the hot tier always needs a cell. */
static void find_targets(struct work *w, struct placed *p)
{
    const struct disk_unit *u = p->unit;
    p->target = w->targets.n / sizeof(int32_t);
    int32_t *target = more(&w->targets, u->nexits * sizeof *target);
    for (uint32_t i = 0; i < u->nexits; i++)
        target[i] = &u->exits[i] == u->block->c.promote ? -1 : code_for(w, u->exits[i].pc, u->block->mode);
}

static void add_cells(struct work *w, struct placed *p, struct disk_block *d)
{
    const struct disk_unit *u = p->unit;
    p->cell = w->cells.n / sizeof(struct code_exit);
    find_targets(w, p);
    const struct way *way = find_ways(w, p);
    for (uint32_t i = 0; i < u->nexits; i++) {
        const struct code_exit *e = &u->exits[i];
        if (!way[i].cell)
            continue;
        void *stub = address(w, p->code + ((const uint8_t *)e->unlinked - u->block->c.code));
        struct code_exit now = {.pc = e->pc, .unlinked = stub};
        atomic_store_explicit(&now.slot, stub, memory_order_relaxed);
        append(&w->cells, &now, sizeof now);
        if (e == u->block->c.promote)
            d->promote = way[i].cell;
    }
}

/* Everything of the unit but its code. */
static void fill_new(struct work *w, struct placed *p)
{
    const struct code_block *b = p->unit->block;
    const struct compiled *c = &b->c;
    w->code_bytes = p->code + c->size;
    struct disk_block d = {
        .pc = p->pc, .mode = b->mode, .bytes = b->bytes, .quick = b->quick,
        .code = p->code, .code_bytes = c->size, .dead_off = c->dead_off,
        .first_fault = w->faults.n / sizeof(struct fault_point), .nfaults = c->nfaults,
        .first_loc = w->locs.n / sizeof(struct reg_loc), .first_const = w->consts.n / sizeof(uint64_t),
    };
    append(&w->faults, c->faults, c->nfaults * sizeof *c->faults);
    append(&w->locs, c->locs, c->nlocs * sizeof *c->locs);
    append(&w->consts, c->consts, c->nconsts * sizeof *c->consts);
    add_cells(w, p, &d);
    if (c->counter)
        d.counter = p->counter = new_counter(w);
    append(&w->blocks, &d, sizeof d);
}

/* --- code --- */

/* The distance at `end` of the unit's code now leads to `to`, counted from the beginning of all code. */
static void set_distance(struct work *w, const struct placed *p, uint32_t end, int64_t to)
{
    int32_t distance = to - (p->code + end);
    memcpy(w->code.p + end - 4, &distance, 4);
}

/* The unit's code as it is in the file. */
static const void *mended(struct work *w, const struct placed *p)
{
    const struct disk_unit *u = p->unit;
    const struct disk_ref *r = w->im->refs + u->first_ref;
    const struct way *way = find_ways(w, p);
    w->code.n = 0;
    append(&w->code, u->block->c.code, u->block->c.size);
    for (uint32_t i = 0; i < u->nrefs; i++) {
        const struct way *to = &way[r[i].exit];
        if (r[i].kind == REF_COUNTER)
            set_distance(w, p, r[i].end, -(int64_t)p->counter);
        else if (r[i].kind == REF_UNIT)
            set_distance(w, p, r[i].end, code_at(w, r[i].pc, u->block->mode));
        else if (to->cell)
            for (unsigned k = 0; k < 1u + !!r[i].cell; k++)
                set_distance(w, p, r[i].end + k * r[i].cell, -(int64_t)sizeof(struct code_exit) * to->cell);
        else if (r[i].kind != REF_CELL) /* else it is not reached any more */
            w->host->make_direct(w->code.p + r[i].end, r[i].kind, to->to - (p->code + r[i].end));
    }
    return w->code.p;
}

/* --- the file --- */

/* Bytes on their way into the file, in order, and the sum of those that are there. */
struct stream {
    struct disk_store *store;
    struct sum sum;
    uint64_t at; /* in the file, of what comes next */
    size_t n;    /* waiting in: */
    uint8_t waiting[16 * 1024];
    bool ok;
};

static void flush(struct stream *s)
{
    sum_add(&s->sum, s->waiting, s->n);
    s->ok = s->ok && disk_store_write(s->store, s->waiting, s->n);
    s->n = 0;
}

/* NULL: zeros */
static void put(struct stream *s, const void *from, size_t n)
{
    while (n) {
        size_t now = n < sizeof s->waiting - s->n ? n : sizeof s->waiting - s->n;
        if (from) {
            memcpy(s->waiting + s->n, from, now);
            from = (const char *)from + now;
        } else {
            memset(s->waiting + s->n, 0, now);
        }
        s->n += now;
        s->at += now;
        n -= now;
        if (s->n == sizeof s->waiting)
            flush(s);
    }
}

static void put_section(struct stream *s, uint64_t at, const void *p, size_t bytes)
{
    put(s, NULL, at - s->at);
    put(s, p, bytes);
}

/* Code that has been written need not stay in the memory of a process that ends: m, else NULL. */
enum { REST_STEP = 256 * 1024 };

static void put_code(struct stream *s, struct work *w, const struct code_memory *m, uint64_t start)
{
    uint64_t rest = s->at + REST_STEP;
    put(s, NULL, start - s->at);
    if (w->old->at)
        put(s, w->old->code, w->old->h->code_bytes);
    for (uint32_t i = 0; i < w->n; i++) {
        const struct placed *p = &w->placed[i];
        if (p->left_out)
            continue;
        put(s, NULL, start + p->code - s->at);
        put(s, mended(w, p), p->unit->block->c.size);
        if (m && s->at > rest) {
            code_memory_rest(m);
            rest = s->at + REST_STEP;
        }
    }
}

static void put_cells(struct stream *s, const struct work *w, uint64_t end)
{
    put(s, NULL, end - w->cells.n - s->at);
    for (size_t n = w->cells.n; n; n -= sizeof(struct code_exit)) /* number 0 last */
        put(s, w->cells.p + n - sizeof(struct code_exit), sizeof(struct code_exit));
}

static bool write_file(struct work *w, const struct code_memory *m, struct disk_store *store)
{
    struct disk_header h = {
        .magic = DISK_MAGIC,
        .key = w->im->key,
        .centre = w->centre,
        .ncells = w->cells.n / sizeof(struct code_exit),
        .code_bytes = w->code_bytes,
        .nblocks = w->blocks.n / sizeof(struct disk_block),
        .index_size = 64,
        .nfaults = w->faults.n / sizeof(struct fault_point),
        .nlocs = w->locs.n / sizeof(struct reg_loc),
        .nconsts = w->consts.n / sizeof(uint64_t),
    };
    const struct disk_header *old = w->old->h;
    h.pc_start = w->im->file.start - w->im->file.bias;
    h.pc_end = w->im->file.end - w->im->file.bias;
    if (old) {
        h.pc_start = old->pc_start < h.pc_start ? old->pc_start : h.pc_start;
        h.pc_end = old->pc_end > h.pc_end ? old->pc_end : h.pc_end;
    }
    struct disk_layout l;
    while (h.index_size < 2 * h.nblocks)
        h.index_size *= 2;
    if (!disk_layout(&h, &l))
        return false;
    h.size = l.end;
    struct stream *s = malloc(sizeof *s);
    uint32_t *index = malloc(h.index_size * sizeof *index);
    CHECK(s && index);
    s->store = store;
    s->at = s->n = 0;
    s->ok = true;
    sum_begin(&s->sum);
    disk_map_make_index(&(struct disk_map){.h = &h, .blocks = (const struct disk_block *)w->blocks.p}, index);
    put(s, &h, sizeof h);
    put_cells(s, w, l.code);
    put_code(s, w, m, l.code);
    put_section(s, l.blocks, w->blocks.p, w->blocks.n);
    put_section(s, l.index, index, h.index_size * sizeof *index);
    put_section(s, l.faults, w->faults.p, w->faults.n);
    put_section(s, l.locs, w->locs.p, w->locs.n);
    put_section(s, l.consts, w->consts.p, w->consts.n);
    put_section(s, l.end, NULL, 0);
    flush(s);
    uint64_t sum = sum_end(&s->sum);
    bool ok = s->ok && disk_store_patch(store, offsetof(struct disk_header, sum), &sum, sizeof sum);
    free(index);
    free(s);
    return ok;
}

static bool build(struct work *w, const struct code_memory *m, struct disk_store *store)
{
    choose(w);
    leave_out(w);
    place(w);
    if (!w->stored)
        return false;
    make_rooms(w);
    if (w->old->at)
        fill_old(w);
    reserve_counters(w);
    for (uint32_t i = 0; i < w->n; i++)
        if (!w->placed[i].left_out)
            fill_new(w, &w->placed[i]);
    return write_file(w, m, store);
}

static void free_work(struct work *w)
{
    struct bytes *section[] = {&w->cells, &w->code,   &w->blocks,  &w->faults,
                               &w->locs,  &w->consts, &w->targets, &w->ways};
    for (unsigned i = 0; i < ARRAY_SIZE(section); i++)
        free(section[i]->p);
    free(w->placed);
    free(w->table);
}

/* What the file holds now: another process may have replaced it since this one began. */
static void read_old(const struct disk *d, const struct image *im, struct disk_map *old)
{
    struct disk_key key = im->key;
    struct disk_found found;
    int fd = disk_open_file(d, &key, &found);
    if (fd >= 0) {
        disk_map_open(old, fd, &key, false, found.checked);
        close(fd);
    }
}

/* is_end: what was read is not needed in memory any more. */
static void save(struct exec *x, struct image *im, bool is_end)
{
    const struct disk *d = x->disk.disk;
    struct disk_store store;
    struct disk_map old = {0};
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
    bool written = build(&w, is_end ? &x->mem : NULL, &store);
    if (disk_store_end(&store, d, &im->key, written)) {
        x->stats.disk_stored += w.stored;
        im->nunits = im->nrefs = im->inherited = 0;
    }
    disk_map_close(&old);
    free_work(&w);
}

static bool is_worth_it(const struct exec *x, const struct image *im)
{
    uint32_t there = im->map.at ? im->map.h->nblocks : 0;
    uint32_t fresh = im->nunits - im->inherited;
    if (im->closed || !fresh)
        return false;
    return (fresh >= MIN_UNITS && fresh >= there / MIN_PART) || (there && disk_is_settled(x->disk.disk, &im->key));
}

/*
 * Most programs of a build's tests are run once. So a guest file is only remembered at first, which takes a tenth of
 * the time, and stored by its second process; but at once where storing is little beside what the process has taken.
 */
enum { STORING_NS = 1000, LEAST_UNITS = 4096, SMALL_PART = 32 }; /* ns for a unit, roughly */

static bool is_seen_only(const struct exec *x, const struct image *im)
{
    struct timespec used;
    uint64_t storing = (x->stats.units + LEAST_UNITS) * STORING_NS;
    if (im->map.at || im->seen || x->disk.at_once || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) ||
        (uint64_t)used.tv_sec * 1000000000 + used.tv_nsec > storing * SMALL_PART)
        return false;
    return disk_first_sight(x->disk.disk, &im->key);
}

void disk_save(struct exec *x, bool is_end)
{
    bool began = false;
    for (unsigned i = 0; i < x->disk.nimages; i++) {
        struct image *im = x->disk.image[i];
        if (!is_worth_it(x, im) || is_seen_only(x, im))
            continue;
        if (is_end && !began) {
            code_memory_rest(&x->mem);
            if (x->code.rest)
                x->code.rest(x->code.opaque);
        }
        began = true;
        save(x, im, is_end);
    }
}

bool exec_stores(const struct exec *x) { return x->disk.disk != NULL; }

/*
 * Beside a process that goes on with several threads: as a process for the moment, which shares its memory and has
 * descriptors of its own. The calling thread stands still meanwhile, and nobody is told of the end.
 */
enum { SAVING_STACK = 256 * 1024 };

static int save_beside(void *x)
{
    disk_save(x, false);
    return 0;
}

static void save_apart(struct exec *x)
{
    char *stack = mmap(NULL, SAVING_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return;
    /* Nobody's who traces the guest. */
    int pid = clone(save_beside, stack + SAVING_STACK, CLONE_VM | CLONE_VFORK | CLONE_UNTRACED, x);
    if (pid > 0)
        waitpid(pid, NULL, __WCLONE);
    munmap(stack, SAVING_STACK);
}

void exec_save(struct exec *x, bool is_end)
{
    sigset_t all, before;
    if (!x->disk.disk)
        return;
    /* Other threads could close the descriptors used here, or open files by the same numbers: a table of one's own. */
    bool threads = x->cpus && x->cpus->next_cpu;
    if (threads && is_end && unshare(CLONE_FILES))
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    shared_lock_take(&x->lock);
    if (threads && !is_end)
        save_apart(x);
    else
        disk_save(x, is_end);
    shared_lock_give(&x->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
