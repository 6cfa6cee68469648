/*
 * What a process has of the translation cache: an image for each mapping of a guest file, opened when a translation is
 * missing for the first time. Blocks of a cache file become struct code_block when the run loop looks for them; the
 * code itself goes from one to the next without that. Everything here runs under x->lock but for the questions of fault
 * handlers.
 */
#include "exec/disk-internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

/* --- images --- */

static struct image *image_of(struct disk_state *s, uint64_t pc)
{
    for (unsigned i = s->nimages; i-- > 0;) /* the newest first: where a mapping has gone, another may be */
        if (pc >= s->image[i]->file.start && pc < s->image[i]->file.end)
            return s->image[i];
    return NULL;
}

const struct image *disk_image_of(struct exec *x, uint64_t pc) { return image_of(&x->disk, pc); }

static bool same_file(const struct image *im, const struct disk_key *key)
{
    return !im->closed && !memcmp(&im->key, key, sizeof *key);
}

/* Adds the mapping to the image if it is one that touches, of the same file. */
static bool add_mapping(struct image *im, const struct code_file *f)
{
    bool touches = f->start == im->file.end || f->end == im->file.start;
    if (!touches || f->bias != im->file.bias || memcmp(&f->id, &im->file.id, sizeof f->id))
        return false;
    if (f->end == im->file.start)
        im->file.start = f->start;
    else
        im->file.end = f->end;
    return true;
}

/* The image of what is mapped at pc, or NULL: no file, or no room. */
static struct image *open_image(struct exec *x, uint64_t pc)
{
    struct disk_state *s = &x->disk;
    struct image *im = image_of(s, pc);
    struct code_file file;
    struct disk_key key;
    if (im && !im->closed)
        return im;
    if (!x->code.file || !x->code.file(x->code.opaque, pc, &file) || file.end - file.bias > UINT32_MAX ||
        (im && im->file.mapping == file.mapping))
        return NULL;
    disk_key_start(s->disk, &key);
    strncpy(key.guest, x->target->name, sizeof key.guest - 1);
    key.host_features = x->host->features();
    key.options = x->options.tier | (uint64_t)x->options.hot_after << 8;
    key.bias = file.bias;
    key.file = file.id;
    if (!disk_key_finish(x->disk.disk, &key))
        return NULL;
    for (unsigned i = 0; i < s->nimages; i++)
        if (same_file(s->image[i], &key)) /* something else may lie between: what is mapped apart is not kept */
            return add_mapping(s->image[i], &file) ? s->image[i] : NULL;
    if (s->nimages == DISK_MAX_IMAGES)
        return NULL;
    im = calloc(1, sizeof *im);
    CHECK(im);
    im->file = file;
    im->key = key;
    s->image[s->nimages] = im;
    __atomic_store_n(&s->nimages, s->nimages + 1, __ATOMIC_RELEASE);
    return im;
}

/* Is all of the guest file mapped that the code of the cache's may lead to? */
static bool is_mapped(struct exec *x, struct image *im, const struct disk_header *h)
{
    uint64_t start = im->file.bias + h->pc_start, end = im->file.bias + h->pc_end;
    struct code_file f;
    while (im->file.start > start)
        if (!x->code.file(x->code.opaque, im->file.start - 1, &f) || !add_mapping(im, &f))
            return false;
    while (im->file.end < end)
        if (!x->code.file(x->code.opaque, im->file.end, &f) || !add_mapping(im, &f))
            return false;
    return true;
}

static void open_map(struct exec *x, struct image *im)
{
    struct disk_map map;
    struct disk_key key = im->key;
    struct disk_found found;
    int fd = disk_open_file(x->disk.disk, &key, &found);
    im->seen = found.seen;
    im->opened = true;
    if (fd < 0)
        return;
    im->seen = !disk_map_open(&map, fd, &key, true, found.checked); /* what is damaged is made again */
    if (!im->seen && !is_mapped(x, im, map.h)) {
        disk_map_close(&map);
        im->closed = true;
    } else if (!im->seen) {
        im->map = map;
        im->made = calloc(map.h->nblocks + 1, sizeof *im->made);
        CHECK(im->made);
        __atomic_store_n(&im->running, true, __ATOMIC_RELEASE);
        x->stats.disk_files++;
        disk_found_whole(x->disk.disk, fd, &found);
    }
    close(fd);
}

/* --- finding --- */

struct code_block *disk_find(struct exec *x, uint64_t pc, uint32_t mode)
{
    struct image *im = x->disk.disk ? open_image(x, pc) : NULL;
    if (!im)
        return NULL;
    if (!im->opened)
        open_map(x, im);
    int64_t k = im->map.at ? disk_map_find(&im->map, pc - im->file.bias, mode) : -1;
    if (k < 0)
        return NULL;
    if (im->made[k])
        return im->made[k];
    const struct disk_block *d = &im->map.blocks[k];
    struct code_block *b = im->made[k] = arena_alloc(&im->arena, sizeof *b);
    *b = (struct code_block){0};
    b->pc = b->physical = pc;
    b->mode = mode;
    b->bytes = d->bytes;
    b->entry = b->c.code = im->map.code + d->code;
    b->c.size = d->code_bytes;
    b->c.dead_off = d->dead_off;
    b->quick = d->quick;
    if (d->promote)
        b->c.promote = im->map.cells_end - d->promote;
    if (d->counter)
        b->c.counter = (int32_t *)(im->map.code - d->counter);
    x->stats.disk_units++;
    return b;
}

bool disk_wants(struct exec *x, uint64_t pc)
{
    const struct image *im = x->disk.disk ? image_of(&x->disk, pc) : NULL;
    return im && !im->closed && (im->map.at || im->seen || x->disk.at_once);
}

static const struct image *image_at(const struct exec *x, const uint8_t *p)
{
    unsigned n = __atomic_load_n(&x->disk.nimages, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < n; i++) {
        const struct image *im = x->disk.image[i];
        if (__atomic_load_n(&im->running, __ATOMIC_ACQUIRE) && p >= im->map.code &&
            p < im->map.code + im->map.h->code_bytes)
            return im;
    }
    return NULL;
}

bool disk_holds(const struct exec *x, const uint8_t *p) { return image_at(x, p) != NULL; }

bool disk_compiled_at(const struct exec *x, const uint8_t *p, struct compiled *c, uint64_t *pc)
{
    const struct image *im = image_at(x, p);
    if (!im)
        return false;
    const struct disk_block *d = im->map.blocks;
    uint32_t at = p - im->map.code, lo = 0, hi = im->map.h->nblocks;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (d[mid].code <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!lo || at - d[lo - 1].code >= d[lo - 1].code_bytes)
        return false;
    d += lo - 1;
    *c = (struct compiled){
        .code = im->map.code + d->code,
        .size = d->code_bytes,
        .faults = im->map.faults + d->first_fault,
        .nfaults = d->nfaults,
        .locs = im->map.locs + d->first_loc,
        .consts = im->map.consts + d->first_const,
    };
    *pc = im->file.bias + d->pc;
    return true;
}

/* --- new translations --- */

void disk_note_ref(struct exec *x, const struct code_ref *r)
{
    struct disk_state *s = &x->disk;
    if (s->nrefs == s->max_refs) {
        s->max_refs = s->max_refs ? 2 * s->max_refs : 256;
        s->refs = realloc(s->refs, s->max_refs * sizeof *s->refs);
        CHECK(s->refs);
    }
    s->refs[s->nrefs++] = *r;
}

void disk_note(struct exec *x, struct code_block *b)
{
    struct disk_state *s = &x->disk;
    struct image *im = s->disk ? image_of(s, b->pc) : NULL;
    if (!im || im->closed || !b->bytes || b->bytes > im->file.end - b->pc)
        return;
    for (uint32_t i = 0; i < b->ninlined; i++)
        if (b->inlined[i].pc < im->file.start || b->inlined[i].pc + b->inlined[i].bytes > im->file.end)
            return;
    if (im->nunits == im->max_units) {
        im->max_units = im->max_units ? 2 * im->max_units : 256;
        im->units = realloc(im->units, im->max_units * sizeof *im->units);
        CHECK(im->units);
    }
    while (im->nrefs + s->nrefs > im->max_refs) {
        im->max_refs = im->max_refs ? 2 * im->max_refs : 1024;
        im->refs = realloc(im->refs, im->max_refs * sizeof *im->refs);
        CHECK(im->refs);
    }
    uint32_t first = im->nrefs;
    for (uint32_t i = 0; i < s->nrefs; i++) {
        const struct code_ref *r = &s->refs[i];
        uint64_t pc = r->pc - im->key.bias;
        if (r->kind == REF_CELL && i && r[-1].kind == REF_JUMP && r[-1].exit == r->exit &&
            r->end - r[-1].end <= UINT8_MAX) {
            im->refs[im->nrefs - 1].cell = r->end - r[-1].end;
            continue;
        }
        im->refs[im->nrefs++] = (struct disk_ref){.end = r->end, .pc = pc < NOT_IN_FILE ? pc : NOT_IN_FILE,
                                                  .exit = r->exit ? r->exit - s->exits : 0, .kind = r->kind};
    }
    im->units[im->nunits++] = (struct disk_unit){b, s->exits, s->nexits, first, im->nrefs - first};
}

/* --- the end --- */

static void drop(struct image *im)
{
    __atomic_store_n(&im->running, false, __ATOMIC_RELEASE);
    disk_map_close(&im->map);
    im->opened = false;
    im->nunits = im->nrefs = im->inherited = 0;
    free(im->made);
    im->made = NULL;
    arena_free(&im->arena);
}

void disk_flush(struct exec *x)
{
    for (unsigned i = 0; i < x->disk.nimages; i++)
        drop(x->disk.image[i]);
}

static bool touches(const struct image *im, uint64_t start, uint64_t end)
{
    return !im->closed && im->file.start < end && im->file.end > start;
}

bool disk_close_range(struct exec *x, uint64_t start, uint64_t end, bool changed)
{
    bool any = false, mapped = false;
    for (unsigned i = 0; i < x->disk.nimages; i++) {
        any |= touches(x->disk.image[i], start, end);
        mapped |= touches(x->disk.image[i], start, end) && x->disk.image[i]->map.at;
    }
    if (any && !changed && x->cpus && !x->cpus->next_cpu) /* a library is unloaded: what it was used for is not lost */
        disk_save(x, false);
    for (unsigned i = 0; i < x->disk.nimages; i++)
        x->disk.image[i]->closed |= touches(x->disk.image[i], start, end);
    return mapped;
}

void disk_after_fork(struct exec *x)
{
    for (unsigned i = 0; i < x->disk.nimages; i++)
        x->disk.image[i]->inherited = x->disk.image[i]->nunits;
}

void disk_forget(struct exec *x)
{
    struct disk_state *s = &x->disk;
    disk_flush(x);
    for (unsigned i = 0; i < s->nimages; i++) {
        free(s->image[i]->units);
        free(s->image[i]->refs);
        free(s->image[i]);
    }
    s->nimages = 0;
    free(s->refs);
}
