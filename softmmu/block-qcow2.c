/* Opening qcow2 images, and where the disk's clusters are in them: see block-qcow2.h. */
#define _GNU_SOURCE
#include "softmmu/block-qcow2.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_DEPTH = 32 }; /* of backing files */

/* --- opening --- */

static bool probe(const uint8_t *head, unsigned n)
{
    uint32_t magic;
    memcpy(&magic, head, sizeof magic);
    return n >= sizeof magic && be32toh(magic) == QCOW2_MAGIC;
}

static char *damaged(const struct block *b, const char *what)
{
    return block_error("disk image %s is damaged: %s", b->path, what);
}

static char *unsupported(const struct block *b, const char *what)
{
    return block_error("disk image %s has %s, which metic does not support", b->path, what);
}

static char *check_header(struct block *b, struct qcow2_header *h)
{
    struct qcow2 *s = qcow2(b);
    s->version = be32toh(h->version);
    s->cluster_bits = be32toh(h->cluster_bits);
    if (!probe((const uint8_t *)h, sizeof *h))
        return block_error("disk image %s is not a qcow2 image; open it with format=raw", b->path);
    if (s->version != 2 && s->version != 3)
        return unsupported(b, "a version other than 2 and 3");
    if (s->version == 2) {
        h->incompatible = h->compatible = h->autoclear = 0;
        h->refcount_order = htobe32(4);
        h->length = htobe32(QCOW2_HEADER_2);
    }
    if (s->cluster_bits < 9 || s->cluster_bits > 21)
        return damaged(b, "its clusters' size is not between 512 bytes and 2 MiB");
    s->cluster_size = UINT64_C(1) << s->cluster_bits;
    uint64_t features = be64toh(h->incompatible);
    if (features & QCOW2_CORRUPT && !b->read_only)
        return block_error("disk image %s is marked as damaged; open it with readonly=on", b->path);
    if (features & QCOW2_EXTERNAL_DATA)
        return unsupported(b, "its data in another file");
    if (features & QCOW2_COMPRESSION)
        return unsupported(b, "a compression other than zlib");
    if (features & QCOW2_EXTENDED_L2)
        return unsupported(b, "subclusters");
    if (features & ~(uint64_t)(QCOW2_DIRTY | QCOW2_CORRUPT))
        return unsupported(b, "an unknown feature");
    if (be32toh(h->crypt_method))
        return unsupported(b, "encrypted content");
    s->refcount_order = be32toh(h->refcount_order);
    if (s->refcount_order > 6)
        return damaged(b, "its reference counts have more than 64 bits");
    b->size = be64toh(h->size) & ~(uint64_t)(BLOCK_SECTOR - 1);
    if (b->size > INT64_MAX)
        return damaged(b, "its size is not possible");
    s->l1_size = be32toh(h->l1_size);
    s->l1_offset = be64toh(h->l1_offset);
    unsigned l2_shift = 2 * s->cluster_bits - 3; /* bytes of the disk in an L2 table */
    uint64_t wanted = (b->size >> l2_shift) + !!(b->size & ((UINT64_C(1) << l2_shift) - 1));
    if (s->l1_size < wanted || s->l1_size > QCOW2_MAX_L1 / 8 || s->l1_offset % s->cluster_size ||
        s->l1_offset > INT64_MAX - QCOW2_MAX_L1 || (s->l1_size && !s->l1_offset))
        return damaged(b, "its L1 table does not fit");
    if (be32toh(h->length) < (s->version == 2 ? QCOW2_HEADER_2 : QCOW2_HEADER_3) ||
        be32toh(h->length) > s->cluster_size)
        return damaged(b, "its header's length is wrong");
    s->snapshots_offset = be64toh(h->snapshots_offset);
    return NULL;
}

static char *read_l1(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    s->l1 = calloc(s->l1_size + 1, sizeof *s->l1);
    s->l2 = calloc(s->l1_size + 1, sizeof *s->l2);
    int error = s->l1 && s->l2 ? block_file_read(b, s->l1_offset, s->l1, (uint64_t)s->l1_size * 8) : ENOMEM;
    if (error)
        return block_error("cannot read disk image %s: %s", b->path, strerror(error));
    for (uint32_t i = 0; i < s->l1_size; i++)
        s->l1[i] = be64toh(s->l1[i]);
    return NULL;
}

/* The format that the header's extension gives the backing file; false: none. */
static bool backing_format(const struct block *b, const struct qcow2_header *h, char *name, unsigned room)
{
    uint64_t at = be32toh(h->length);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t ext[2];
        if (block_file_read(b, at, ext, sizeof ext) || be32toh(ext[0]) == QCOW2_EXT_END || at > qcow2(b)->cluster_size)
            return false;
        uint32_t n = be32toh(ext[1]);
        if (be32toh(ext[0]) == (uint32_t)QCOW2_EXT_BACKING_FORMAT && n < room) {
            name[n] = 0;
            return !block_file_read(b, at + 8, name, n);
        }
        at += 8 + ALIGN_UP((uint64_t)n, 8);
    }
    return false;
}

/* Relative names are relative to the image's folder. */
static void resolve(const struct block *b, const char *name, char *path)
{
    const char *slash = strrchr(b->path, '/');
    int folder = *name != '/' && slash ? (int)(slash - b->path + 1) : 0;
    if (snprintf(path, PATH_MAX, "%.*s%s", folder, b->path, name) >= PATH_MAX)
        *path = 0;
}

static char *open_backing(struct block *b, const struct qcow2_header *h);

static char *open_snapshots(struct block *b, const struct qcow2_header *h)
{
    int error = qcow2_open_snapshots(b, be32toh(h->nsnapshots));
    if (error == EINVAL)
        return damaged(b, "its table of snapshots is wrong");
    return error ? block_error("cannot read disk image %s: %s", b->path, strerror(error)) : NULL;
}

static char *open_image(struct block *b)
{
    struct qcow2_header h;
    struct qcow2 *s = calloc(1, sizeof *s);
    if (!s)
        return block_error("cannot open disk image %s: out of memory", b->path);
    b->state = s;
    pthread_rwlock_init(&s->lock, NULL);
    pthread_mutex_init(&s->inflating, NULL);
    int error = block_file_read(b, 0, &h, sizeof h);
    char *line = error ? block_error("cannot read disk image %s: %s", b->path, strerror(error)) : check_header(b, &h);
    if (!line)
        line = read_l1(b);
    if (!line)
        line = qcow2_open_counts(b, &h);
    if (!line)
        line = open_snapshots(b, &h);
    if (!line && h.backing_offset)
        line = open_backing(b, &h);
    struct stat st;
    s->end = fstat(b->fd, &st) ? 0 : ALIGN_UP((uint64_t)st.st_size, s->cluster_size ? s->cluster_size : 1);
    b->granularity = (uint32_t)s->cluster_size;
    if (!line && !b->read_only && be64toh(h.incompatible) & QCOW2_DIRTY) {
        error = qcow2_repair(b);
        h.incompatible &= ~htobe64(QCOW2_DIRTY);
        if (!error)
            error = block_file_write(b, offsetof(struct qcow2_header, incompatible), &h.incompatible, 8);
        if (error)
            line = block_error("cannot repair disk image %s: %s", b->path, strerror(error));
    }
    if (!line && !b->read_only && h.autoclear) { /* what others keep beside the disk's content will not be up to date */
        h.autoclear = 0;
        block_file_write(b, offsetof(struct qcow2_header, autoclear), &h.autoclear, 8);
    }
    return line;
}

static void release_memory(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    for (uint32_t i = 0; s->l2 && i < s->l1_size; i++)
        free(s->l2[i].entry);
    for (uint64_t i = 0; s->counts && i < s->table_size; i++)
        free(s->counts[i].bytes);
    qcow2_free_snapshots(b);
    free(s->l1);
    free(s->l2);
    free(s->table);
    free(s->counts);
    free(s->freed);
    free(s->inflated);
    free(s->deflated);
    pthread_rwlock_destroy(&s->lock);
    pthread_mutex_destroy(&s->inflating);
    free(s);
    if (b->backing)
        block_close(b->backing);
    b->backing = NULL;
}

static char *open_backing(struct block *b, const struct qcow2_header *h)
{
    char name[1024], path[PATH_MAX], format[16], *line = NULL;
    uint32_t n = be32toh(h->backing_size);
    uint64_t at = be64toh(h->backing_offset);
    if (!n || n >= sizeof name || at > qcow2(b)->cluster_size)
        return damaged(b, "its backing file's name is wrong");
    if (b->depth == MAX_DEPTH)
        return block_error("disk image %s: more than %d backing files over each other", b->path, MAX_DEPTH);
    int error = block_file_read(b, at, name, n);
    if (error)
        return block_error("cannot read disk image %s: %s", b->path, strerror(error));
    name[n] = 0;
    resolve(b, name, path);
    struct block_options o = {.read_only = true, .depth = b->depth + 1};
    if (backing_format(b, h, format, sizeof format))
        o.format = format;
    b->backing = block_open(path, &o, b->pool, &line);
    return line;
}

static char *qcow2_open(struct block *b)
{
    char *line = open_image(b);
    if (line)
        release_memory(b);
    return line;
}

static int qcow2_close(struct block *b)
{
    int error = b->read_only ? 0 : qcow2_write_back(b);
    if (!error && !b->read_only)
        error = qcow2_write_back(b); /* what the first one freed */
    release_memory(b);
    return error;
}

/* --- where clusters are --- */

enum kind { NOTHING, ZERO, DATA, COMPRESSED };

static enum kind kind_of(const struct qcow2 *s, uint64_t entry)
{
    if (entry & QCOW2_COMPRESSED)
        return COMPRESSED;
    if (entry & QCOW2_ZERO && s->version >= 3)
        return ZERO;
    return entry & QCOW2_OFFSET ? DATA : NOTHING;
}

void qcow2_compressed_range(const struct qcow2 *s, uint64_t entry, uint64_t *offset, uint64_t *n)
{
    unsigned bits = 62 - (s->cluster_bits - 8);
    *offset = extract64(entry, 0, bits);
    *n = (extract64(entry, bits, 62 - bits) + 1) * BLOCK_SECTOR - *offset % BLOCK_SECTOR;
}

int qcow2_load_l2(struct block *b, uint64_t i)
{
    struct qcow2 *s = qcow2(b);
    uint64_t at = s->l1[i] & QCOW2_OFFSET, n = qcow2_l2_entries(s);
    if (s->l2[i].entry)
        return 0;
    if (at % s->cluster_size || at >= s->end)
        return EIO;
    uint64_t *entry = malloc(s->cluster_size);
    int error = entry ? block_file_read(b, at, entry, s->cluster_size) : ENOMEM;
    if (error) {
        free(entry);
        return error;
    }
    for (uint64_t k = 0; k < n; k++)
        entry[k] = be64toh(entry[k]);
    s->l2[i].entry = entry;
    return 0;
}

/* Takes the L2 table of a cluster of the disk into memory, if there is one. Leaves the lock as it was: shared. */
static int find_l2(struct block *b, uint64_t cluster)
{
    struct qcow2 *s = qcow2(b);
    uint64_t i = cluster / qcow2_l2_entries(s);
    int error = 0;
    if (s->l1[i] & QCOW2_OFFSET && !s->l2[i].entry) {
        pthread_rwlock_unlock(&s->lock);
        pthread_rwlock_wrlock(&s->lock);
        error = s->l1[i] & QCOW2_OFFSET ? qcow2_load_l2(b, i) : 0;
        pthread_rwlock_unlock(&s->lock);
        pthread_rwlock_rdlock(&s->lock);
    }
    return error;
}

static uint64_t entry_of(const struct qcow2 *s, uint64_t cluster)
{
    const struct qcow2_l2 *l2 = &s->l2[cluster / qcow2_l2_entries(s)];
    return l2->entry ? l2->entry[cluster % qcow2_l2_entries(s)] : 0;
}

/* --- reading --- */

static int read_backing(struct block *b, uint64_t offset, uint8_t *buf, uint64_t n)
{
    uint64_t there = b->backing && offset < b->backing->size ? b->backing->size - offset : 0;
    if (there > n)
        there = n;
    memset(buf + there, 0, n - there);
    return there ? block_read(b->backing, offset, buf, there) : 0;
}

static int inflate_cluster(struct block *b, uint64_t entry)
{
    struct qcow2 *s = qcow2(b);
    uint64_t offset, n;
    z_stream z = {0};
    qcow2_compressed_range(s, entry, &offset, &n);
    if (!s->inflated)
        s->inflated = malloc(s->cluster_size);
    if (!s->deflated)
        s->deflated = malloc(2 * s->cluster_size + BLOCK_SECTOR);
    if (!s->inflated || !s->deflated)
        return ENOMEM;
    if (n > 2 * s->cluster_size || offset >= s->end)
        return EIO;
    s->inflated_entry = 0;
    int error = block_file_read(b, offset, s->deflated, n);
    if (error)
        return error;
    z.next_in = s->deflated;
    z.avail_in = (uInt)n;
    z.next_out = s->inflated;
    z.avail_out = (uInt)s->cluster_size;
    if (inflateInit2(&z, -12) != Z_OK)
        return ENOMEM;
    int result = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if ((result != Z_STREAM_END && result != Z_BUF_ERROR) || z.avail_out)
        return EIO;
    s->inflated_entry = entry;
    return 0;
}

static int read_compressed(struct block *b, uint64_t entry, uint64_t from, void *buf, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    pthread_mutex_lock(&s->inflating);
    int error = s->inflated_entry == entry ? 0 : inflate_cluster(b, entry);
    if (!error)
        memcpy(buf, s->inflated + from, n);
    pthread_mutex_unlock(&s->inflating);
    return error;
}

/* Bytes from offset on that lie together in the file, or are of one kind that has none there; at most n, in one L2
 * table. */
static uint64_t run_length(const struct qcow2 *s, uint64_t offset, uint64_t n, uint64_t need)
{
    uint64_t cluster = offset >> s->cluster_bits, entry = entry_of(s, cluster), end = (cluster + 1) << s->cluster_bits;
    enum kind kind = kind_of(s, entry);
    while (kind != COMPRESSED && end - offset < n && ++cluster % qcow2_l2_entries(s)) {
        uint64_t next = entry_of(s, cluster);
        if (kind_of(s, next) != kind || (next & need) != need ||
            (kind == DATA && (next & QCOW2_OFFSET) != (entry & QCOW2_OFFSET) + s->cluster_size))
            break;
        entry = next;
        end += s->cluster_size;
    }
    return end - offset < n ? end - offset : n;
}

/* With the lock held; of clusters that lie together any number. */
int qcow2_read_entry(struct block *b, uint64_t entry, uint64_t offset, uint8_t *buf, uint64_t n)
{
    const struct qcow2 *s = qcow2(b);
    uint64_t within = offset & (s->cluster_size - 1);
    switch (kind_of(s, entry)) {
    case NOTHING: return read_backing(b, offset, buf, n);
    case COMPRESSED: return read_compressed(b, entry, within, buf, n);
    case DATA:
        if ((entry & QCOW2_OFFSET) % s->cluster_size)
            return EIO;
        return block_file_read(b, (entry & QCOW2_OFFSET) + within, buf, n);
    case ZERO: memset(buf, 0, n); return 0;
    }
    return EIO;
}

/* One run. */
static int read_run(struct block *b, uint64_t offset, uint8_t *buf, uint64_t n)
{
    return qcow2_read_entry(b, entry_of(qcow2(b), offset >> qcow2(b)->cluster_bits), offset, buf, n);
}

static int qcow2_read(struct block *b, uint64_t offset, void *buf, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    int error = 0;
    pthread_rwlock_rdlock(&s->lock);
    for (uint8_t *p = buf; n && !error;) {
        uint64_t run = 0;
        if ((error = find_l2(b, offset >> s->cluster_bits)))
            break;
        run = run_length(s, offset, n, 0);
        error = read_run(b, offset, p, run);
        p += run;
        offset += run;
        n -= run;
    }
    pthread_rwlock_unlock(&s->lock);
    return error;
}

/* --- writing; exclusive --- */

/* An L2 table of the image's own for the cluster: loaded, made, or copied from one that is shared. */
static int own_l2(struct block *b, uint64_t cluster)
{
    struct qcow2 *s = qcow2(b);
    uint64_t i = cluster / qcow2_l2_entries(s), old = s->l1[i] & QCOW2_OFFSET, at;
    int error = old ? qcow2_load_l2(b, i) : 0;
    if (error || (old && s->l1[i] & QCOW2_COPIED))
        return error;
    if (!old && !(s->l2[i].entry = calloc(1, s->cluster_size)))
        return ENOMEM;
    if ((error = qcow2_allocate(b, &at))) {
        if (!old) {
            free(s->l2[i].entry);
            s->l2[i].entry = NULL;
        }
        return error;
    }
    s->l1[i] = at | QCOW2_COPIED;
    s->l1_dirty = s->l2[i].dirty = true;
    if (at + s->cluster_size > s->end)
        s->end = at + s->cluster_size;
    return old ? qcow2_release(b, old, s->cluster_size) : 0;
}

static void set_entry(struct qcow2 *s, uint64_t cluster, uint64_t entry)
{
    struct qcow2_l2 *l2 = &s->l2[cluster / qcow2_l2_entries(s)];
    l2->entry[cluster % qcow2_l2_entries(s)] = entry;
    l2->dirty = true;
}

/* What an entry that is replaced had in the file. */
static int release_entry(struct block *b, uint64_t entry)
{
    struct qcow2 *s = qcow2(b);
    uint64_t offset = entry & QCOW2_OFFSET, n = s->cluster_size;
    if (entry & QCOW2_COMPRESSED)
        qcow2_compressed_range(s, entry, &offset, &n);
    return offset ? qcow2_release(b, offset, n) : 0;
}

/* Writes a part of one cluster, which gets a place in the file when it has none of its own. */
static int write_cluster(struct block *b, uint64_t offset, const void *buf, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    uint64_t cluster = offset >> s->cluster_bits, within = offset & (s->cluster_size - 1), at;
    int error = own_l2(b, cluster);
    if (error)
        return error;
    uint64_t old = entry_of(s, cluster);
    enum kind kind = kind_of(s, old);
    bool own = !(old & QCOW2_COMPRESSED) && old & QCOW2_COPIED && old & QCOW2_OFFSET;
    if (own && (old & QCOW2_OFFSET) % s->cluster_size)
        return EIO;
    if (own)
        at = old & QCOW2_OFFSET;
    else if ((error = qcow2_allocate(b, &at)))
        return error;
    /* Where nothing has ever been written the file reads as zeros already. */
    bool fresh = at >= s->end && (kind == ZERO || (kind == NOTHING && !b->backing));
    if (at + s->cluster_size > s->end)
        s->end = at + s->cluster_size;
    if (n == s->cluster_size || fresh || (kind == DATA && own)) {
        error = block_file_write(b, at + within, buf, n);
    } else {
        uint8_t *whole = malloc(s->cluster_size);
        error = whole ? read_run(b, offset - within, whole, s->cluster_size) : ENOMEM;
        if (!error) {
            memcpy(whole + within, buf, n);
            error = block_file_write(b, at, whole, s->cluster_size);
        }
        free(whole);
    }
    if (error || (kind == DATA && own))
        return error;
    set_entry(s, cluster, at | QCOW2_COPIED);
    return own ? 0 : release_entry(b, old);
}

static int qcow2_write(struct block *b, uint64_t offset, const void *buf, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    int error = 0;
    for (const uint8_t *p = buf; n && !error;) {
        uint64_t cluster = offset >> s->cluster_bits, within = offset & (s->cluster_size - 1);
        pthread_rwlock_rdlock(&s->lock);
        error = find_l2(b, cluster);
        uint64_t entry = entry_of(s, cluster);
        bool own =
            s->l1[cluster / qcow2_l2_entries(s)] & QCOW2_COPIED && entry & QCOW2_COPIED && kind_of(s, entry) == DATA;
        uint64_t rest = s->cluster_size - within;
        uint64_t run = own ? run_length(s, offset, n, QCOW2_COPIED) : n < rest ? n : rest;
        if (own && !error) {
            error = (entry & QCOW2_OFFSET) % s->cluster_size
                        ? EIO
                        : block_file_write(b, (entry & QCOW2_OFFSET) + within, p, run);
        }
        pthread_rwlock_unlock(&s->lock);
        if (!own && !error) {
            pthread_rwlock_wrlock(&s->lock);
            error = write_cluster(b, offset, p, run);
            pthread_rwlock_unlock(&s->lock);
        }
        if (error)
            break;
        p += run;
        offset += run;
        n -= run;
    }
    return error;
}

static int qcow2_flush(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    if (fdatasync(b->fd)) /* the most of it, while others read and write on */
        return errno;
    pthread_rwlock_wrlock(&s->lock);
    int error = qcow2_write_back(b);
    pthread_rwlock_unlock(&s->lock);
    return error;
}

/* --- discarding and zeroing --- */

/* A whole cluster reads as zeros from now on; *done false: that takes writing them. `keep`: its place stays its own. */
static int zero_cluster(struct block *b, uint64_t cluster, bool keep, bool *done)
{
    struct qcow2 *s = qcow2(b);
    *done = true;
    if (!(s->l1[cluster / qcow2_l2_entries(s)] & QCOW2_OFFSET) && !b->backing)
        return 0;
    int error = own_l2(b, cluster);
    uint64_t old = error ? 0 : entry_of(s, cluster), entry;
    if (error || kind_of(s, old) == ZERO || (kind_of(s, old) == NOTHING && !b->backing))
        return error;
    *done = s->version >= 3 || !b->backing;
    if (!*done)
        return 0;
    if (s->version < 3)
        entry = 0;
    else if (keep && kind_of(s, old) == DATA && old & QCOW2_COPIED)
        entry = old | QCOW2_ZERO;
    else
        entry = b->backing ? QCOW2_ZERO : 0;
    set_entry(s, cluster, entry);
    return entry & QCOW2_OFFSET ? 0 : release_entry(b, old);
}

static int zero_whole(struct block *b, uint64_t cluster, bool keep, bool *done)
{
    struct qcow2 *s = qcow2(b);
    pthread_rwlock_wrlock(&s->lock);
    int error = zero_cluster(b, cluster, keep, done);
    pthread_rwlock_unlock(&s->lock);
    return error;
}

static int qcow2_discard(struct block *b, uint64_t offset, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    uint64_t first = (offset + s->cluster_size - 1) >> s->cluster_bits, end = (offset + n) >> s->cluster_bits;
    int error = 0;
    bool done;
    if (offset + n == b->size)
        end = (b->size + s->cluster_size - 1) >> s->cluster_bits;
    for (uint64_t k = first; k < end && !error; k++)
        error = zero_whole(b, k, false, &done);
    return error;
}

static int qcow2_zero(struct block *b, uint64_t offset, uint64_t n, bool unmap)
{
    struct qcow2 *s = qcow2(b);
    int error = 0;
    while (n && !error) {
        uint64_t within = offset & (s->cluster_size - 1),
                 part = s->cluster_size - within < n ? s->cluster_size - within : n;
        bool done = false;
        if (part == s->cluster_size || (!within && offset + part == b->size))
            error = zero_whole(b, offset >> s->cluster_bits, !unmap, &done);
        if (!error && !done) {
            uint8_t *zeros = calloc(1, part);
            error = zeros ? qcow2_write(b, offset, zeros, part) : ENOMEM;
            free(zeros);
        }
        offset += part;
        n -= part;
    }
    return error;
}

const struct block_format block_qcow2 = {
    .name = "qcow2",
    .probe = probe,
    .open = qcow2_open,
    .close = qcow2_close,
    .read = qcow2_read,
    .write = qcow2_write,
    .flush = qcow2_flush,
    .discard = qcow2_discard,
    .zero = qcow2_zero,
    .resize = qcow2_resize,
    .snapshots = &qcow2_snapshots,
};
