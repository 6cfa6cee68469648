/*
 * Reference counts of a qcow2 image: allocation, freeing, and the order in which tables are written. See block-qcow2.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "softmmu/block-qcow2.h"

char *qcow2_open_counts(struct block *b, const struct qcow2_header *h)
{
    struct qcow2 *s = qcow2(b);
    uint64_t bytes = (uint64_t)be32toh(h->counts_clusters) << s->cluster_bits;
    s->table_offset = be64toh(h->counts_offset);
    s->table_size = bytes / 8;
    if (!bytes || bytes > QCOW2_MAX_COUNTS || !s->table_offset || s->table_offset % s->cluster_size ||
        s->table_offset > INT64_MAX - bytes)
        return block_error("disk image %s is damaged: its reference counts are nowhere", b->path);
    s->table = calloc(s->table_size, sizeof *s->table);
    s->counts = calloc(s->table_size, sizeof *s->counts);
    int error = s->table && s->counts ? block_file_read(b, s->table_offset, s->table, bytes) : ENOMEM;
    if (error)
        return block_error("cannot read disk image %s: %s", b->path, strerror(error));
    for (uint64_t i = 0; i < s->table_size; i++)
        s->table[i] = be64toh(s->table[i]) & ~(uint64_t)511;
    s->free_from = 1;
    return NULL;
}

/* --- counts --- */

/* Reads a block of counts, which the table has. */
static int load_counts(struct block *b, uint64_t i)
{
    struct qcow2 *s = qcow2(b);
    if (s->counts[i].bytes)
        return 0;
    if (s->table[i] % s->cluster_size || s->table[i] > INT64_MAX)
        return EIO;
    uint8_t *bytes = malloc(s->cluster_size);
    int error = bytes ? block_file_read(b, s->table[i], bytes, s->cluster_size) : ENOMEM;
    if (error)
        free(bytes);
    else
        s->counts[i].bytes = bytes;
    return error;
}

static uint64_t get(const struct qcow2 *s, const uint8_t *bytes, uint64_t i)
{
    unsigned width = 1u << s->refcount_order;
    if (width < 8)
        return extract64(bytes[i * width / 8], i * width % 8, width);
    uint64_t v = 0;
    for (unsigned k = 0; k < width / 8; k++)
        v = v << 8 | bytes[i * (width / 8) + k];
    return v;
}

static void put(const struct qcow2 *s, uint8_t *bytes, uint64_t i, uint64_t v)
{
    unsigned width = 1u << s->refcount_order;
    if (width < 8)
        bytes[i * width / 8] = (uint8_t)deposit64(bytes[i * width / 8], i * width % 8, width, v);
    else
        for (unsigned k = width / 8; k--; v >>= 8)
            bytes[i * (width / 8) + k] = (uint8_t)v;
}

int qcow2_count(struct block *b, uint64_t cluster, uint64_t *count)
{
    struct qcow2 *s = qcow2(b);
    uint64_t i = cluster / qcow2_counts_per_block(s);
    *count = 0;
    if (i >= s->table_size || !s->table[i])
        return 0;
    int error = load_counts(b, i);
    if (!error)
        *count = get(s, s->counts[i].bytes, cluster % qcow2_counts_per_block(s));
    return error;
}

/* Changes a count whose block there is. */
static int change(struct block *b, uint64_t cluster, uint64_t count)
{
    struct qcow2 *s = qcow2(b);
    uint64_t i = cluster / qcow2_counts_per_block(s);
    int error = load_counts(b, i);
    if (error)
        return error;
    if (s->refcount_order < 6 && count >> (1u << s->refcount_order))
        return EOVERFLOW;
    put(s, s->counts[i].bytes, cluster % qcow2_counts_per_block(s), count);
    s->counts[i].dirty = true;
    return 0;
}

/*
 * Makes the block for a cluster's count, where there is none, in the cluster *next, which is free and goes on by one.
 */
static int add_block(struct block *b, uint64_t cluster, uint64_t *next)
{
    struct qcow2 *s = qcow2(b);
    uint64_t i = cluster / qcow2_counts_per_block(s), at = (*next)++, own = at / qcow2_counts_per_block(s);
    if (own >= s->table_size)
        return EFBIG;
    if (!(s->counts[i].bytes = calloc(1, s->cluster_size)))
        return ENOMEM;
    s->counts[i].dirty = true;
    s->table[i] = at << s->cluster_bits;
    s->table_dirty = true;
    int error = s->table[own] ? 0 : add_block(b, at, next);
    return error ? error : change(b, at, 1);
}

/* Twice the table, placed behind all clusters the old one could count. */
static int grow_table(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    uint64_t old_size = s->table_size, size = 2 * old_size, clusters = size * 8 >> s->cluster_bits;
    uint64_t first = old_size * qcow2_counts_per_block(s), next = first + clusters;
    if (size * 8 > QCOW2_MAX_COUNTS)
        return EFBIG;
    uint64_t *table = calloc(size, sizeof *table);
    struct qcow2_counts *counts = calloc(size, sizeof *counts);
    if (!table || !counts) {
        free(table);
        free(counts);
        return ENOMEM;
    }
    memcpy(table, s->table, old_size * sizeof *table);
    memcpy(counts, s->counts, old_size * sizeof *counts);
    free(s->table);
    free(s->counts);
    s->table = table;
    s->counts = counts;
    s->table_size = size;
    int error = qcow2_release(b, s->table_offset, old_size * 8);
    s->table_offset = first << s->cluster_bits;
    s->table_dirty = s->table_moved = true;
    for (uint64_t k = first; k < first + clusters && !error; k++) {
        if (!s->table[k / qcow2_counts_per_block(s)])
            error = add_block(b, k, &next);
        if (!error)
            error = change(b, k, 1);
    }
    return error;
}

int qcow2_set_count(struct block *b, uint64_t cluster, uint64_t count)
{
    struct qcow2 *s = qcow2(b);
    uint64_t i = cluster / qcow2_counts_per_block(s);
    if (i >= s->table_size)
        return ERANGE;
    if (!s->table[i])
        return count ? ENOENT : 0;
    return change(b, cluster, count);
}

int qcow2_allocate(struct block *b, uint64_t *offset)
{
    struct qcow2 *s = qcow2(b);
    for (uint64_t cluster = s->free_from;; cluster++) {
        uint64_t i = cluster / qcow2_counts_per_block(s), count, next = cluster;
        int error = i >= s->table_size ? grow_table(b) : 0;
        if (error)
            return error;
        if (!s->table[i]) { /* a new block of counts takes the first cluster it counts */
            if ((error = add_block(b, cluster, &next)))
                return error;
            continue;
        }
        if ((error = qcow2_count(b, cluster, &count)))
            return error;
        if (count)
            continue;
        if ((error = change(b, cluster, 1)))
            return error;
        s->free_from = cluster + 1;
        *offset = cluster << s->cluster_bits;
        return 0;
    }
}

/* A free run in the blocks of counts there are, from the hint on; else *first is where everything ends. */
static int find_run(struct block *b, uint64_t clusters, uint64_t *first)
{
    struct qcow2 *s = qcow2(b);
    uint64_t run = 0, end = s->free_from, per_block = qcow2_counts_per_block(s);
    for (uint64_t cluster = s->free_from; cluster < s->table_size * per_block; cluster++) {
        uint64_t count = 0;
        if (!s->table[cluster / per_block]) {
            cluster |= per_block - 1; /* the loop goes to the next block */
            run = 0;
            continue;
        }
        int error = qcow2_count(b, cluster, &count);
        if (error)
            return error;
        run = count ? 0 : run + 1;
        if (count)
            end = cluster + 1;
        if (run == clusters) {
            *first = cluster + 1 - clusters;
            return 0;
        }
    }
    *first = end;
    return 0;
}

int qcow2_allocate_run(struct block *b, uint64_t clusters, uint64_t *offset)
{
    struct qcow2 *s = qcow2(b);
    uint64_t first = 0, next, per_block = qcow2_counts_per_block(s);
    int error = 0;
    if (clusters == 1) {
        error = qcow2_allocate(b, offset);
        next = error ? 0 : (*offset >> s->cluster_bits) + 1;
    } else {
        /* Blocks of counts that it takes are put behind it. */
        while (!error && !(error = find_run(b, clusters, &first)) &&
               (first + clusters) / per_block + 2 >= s->table_size)
            error = grow_table(b);
        if (error)
            return error;
        next = first + clusters;
        for (uint64_t k = first; k < first + clusters && !error; k++) {
            if (!s->table[k / per_block])
                error = add_block(b, k, &next);
            if (!error)
                error = change(b, k, 1);
        }
        *offset = first << s->cluster_bits;
    }
    if (!error && next << s->cluster_bits > s->end)
        s->end = next << s->cluster_bits;
    return error;
}

int qcow2_release(struct block *b, uint64_t offset, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    uint64_t first = offset >> s->cluster_bits, clusters = ((offset + n - 1) >> s->cluster_bits) - first + 1;
    struct qcow2_range *last = s->nfreed ? &s->freed[s->nfreed - 1] : NULL;
    if (last && last->offset + last->clusters == first) {
        last->clusters += clusters;
        return 0;
    }
    if (s->nfreed == s->freed_room) {
        unsigned room = s->freed_room ? 2 * s->freed_room : 64;
        struct qcow2_range *freed = realloc(s->freed, room * sizeof *freed);
        if (!freed)
            return ENOMEM;
        s->freed = freed;
        s->freed_room = room;
    }
    s->freed[s->nfreed++] = (struct qcow2_range){first, clusters};
    return 0;
}

/* What has been released is free now: no table on disk names it any more. */
static int count_down(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    int error = 0;
    for (unsigned i = 0; i < s->nfreed; i++)
        for (uint64_t k = s->freed[i].offset; k < s->freed[i].offset + s->freed[i].clusters; k++) {
            uint64_t count;
            int e = qcow2_count(b, k, &count);
            if (!e && count)
                e = change(b, k, count - 1);
            if (!e && count == 1) {
                if (k < s->free_from)
                    s->free_from = k;
                if (b->discard)
                    e = block_file_punch(b, k << s->cluster_bits, s->cluster_size);
            }
            error = error ? error : e;
        }
    s->nfreed = 0;
    return error;
}

/* --- writing back --- */

static int sync_file(const struct block *b) { return fdatasync(b->fd) ? errno : 0; }

static int write_counts(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    int error = 0;
    for (uint64_t i = 0; i < s->table_size && !error; i++)
        if (s->counts[i].dirty) {
            error = block_file_write(b, s->table[i], s->counts[i].bytes, s->cluster_size);
            s->counts[i].dirty = error;
        }
    return error;
}

/* n numbers as the file has them. */
static int write_numbers(const struct block *b, uint64_t offset, const uint64_t *v, uint64_t n)
{
    uint64_t *swapped = malloc(n * sizeof *swapped);
    if (!swapped)
        return ENOMEM;
    for (uint64_t i = 0; i < n; i++)
        swapped[i] = htobe64(v[i]);
    int error = block_file_write(b, offset, swapped, n * sizeof *swapped);
    free(swapped);
    return error;
}

static int write_table(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    int error = write_numbers(b, s->table_offset, s->table, s->table_size);
    if (!error)
        error = sync_file(b);
    if (error || !s->table_moved)
        return error;
    struct {
        uint64_t offset;
        uint32_t clusters;
    } __attribute__((packed))
    at = {htobe64(s->table_offset), htobe32((uint32_t)(s->table_size * 8 >> s->cluster_bits))};
    error = block_file_write(b, offsetof(struct qcow2_header, counts_offset), &at, sizeof at);
    s->table_moved = error;
    return error ? error : sync_file(b);
}

static int write_l2(struct block *b, bool *any)
{
    struct qcow2 *s = qcow2(b);
    int error = 0;
    for (uint32_t i = 0; i < s->l1_size && !error; i++)
        if (s->l2[i].dirty) {
            error = write_numbers(b, s->l1[i] & QCOW2_OFFSET, s->l2[i].entry, qcow2_l2_entries(s));
            s->l2[i].dirty = error;
            *any = true;
        }
    return error;
}

static bool is_dirty(const struct qcow2 *s)
{
    bool dirty = s->table_dirty || s->l1_dirty || s->nfreed;
    for (uint64_t i = 0; i < s->table_size && !dirty; i++)
        dirty = s->counts[i].dirty;
    for (uint32_t i = 0; i < s->l1_size && !dirty; i++)
        dirty = s->l2[i].dirty;
    return dirty;
}

int qcow2_write_back(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    bool tables = false;
    if (!is_dirty(s))
        return 0;
    int error = write_counts(b);
    if (!error)
        error = sync_file(b); /* and the clusters' content */
    if (!error && s->table_dirty && !(error = write_table(b)))
        s->table_dirty = false;
    if (!error && !(error = write_l2(b, &tables)) && tables)
        error = sync_file(b);
    if (!error && s->l1_dirty && !(error = write_numbers(b, s->l1_offset, s->l1, s->l1_size)) &&
        !(error = sync_file(b)))
        s->l1_dirty = false;
    return error ? error : count_down(b);
}
