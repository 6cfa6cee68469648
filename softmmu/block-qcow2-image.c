/* Making qcow2 images, and checking their reference counts against their tables. See block-qcow2.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "softmmu/block-qcow2.h"

/* --- making --- */

/* The first cluster: header, extension with the backing file's format, its name. Returns the bytes used; 0: no room. */
static size_t fill_header(uint8_t *p, size_t room, const struct qcow2_layout *l, const struct qcow2_header *h)
{
    size_t at = be32toh(h->version) == 2 ? QCOW2_HEADER_2 : QCOW2_HEADER_3;
    size_t nformat = l->backing_format ? strlen(l->backing_format) : 0, nbacking = l->backing ? strlen(l->backing) : 0;
    if (at + 16 + ALIGN_UP(nformat, (size_t)8) + nbacking > room || nbacking > 1023)
        return 0;
    struct qcow2_header own = *h;
    size_t head = at;
    if (nformat) {
        uint32_t ext[2] = {htobe32((uint32_t)QCOW2_EXT_BACKING_FORMAT), htobe32((uint32_t)nformat)};
        memcpy(p + at, ext, sizeof ext);
        memcpy(p + at + 8, l->backing_format, nformat);
        at += 8 + ALIGN_UP(nformat, (size_t)8);
    }
    at += 8; /* end of the extensions: zeros */
    if (nbacking) {
        own.backing_offset = htobe64(at);
        own.backing_size = htobe32((uint32_t)nbacking);
        memcpy(p + at, l->backing, nbacking);
    }
    memcpy(p, &own, head);
    return at + nbacking;
}

/* Puts the count 1 for the first n clusters into their block. */
static void fill_counts(uint8_t *p, unsigned order, uint64_t n)
{
    unsigned width = 1u << order;
    for (uint64_t i = 0; i < n; i++)
        if (width < 8)
            p[i * width / 8] |= (uint8_t)(1u << i * width % 8);
        else
            p[(i + 1) * (width / 8) - 1] = 1;
}

/* Header, one cluster of the table of counts, the blocks of counts, the L1 table: in this order. */
static int write_image(int fd, const struct qcow2_layout *l, unsigned version, unsigned bits, unsigned order)
{
    uint64_t cluster = UINT64_C(1) << bits, per_l2 = cluster / 8 * cluster, per_block = cluster * 8 >> order;
    uint64_t l1_size = (l->size + per_l2 - 1) / per_l2, l1_clusters = (l1_size * 8 + cluster - 1) / cluster, blocks = 0,
             total;
    if (!l1_clusters)
        l1_clusters = 1;
    do {
        total = 2 + ++blocks + l1_clusters;
    } while (blocks * per_block < total);
    if (l1_size * 8 > QCOW2_MAX_L1 || blocks > cluster / 8 || total << bits > SIZE_MAX / 2)
        return EFBIG;
    uint8_t *image = calloc(total, cluster);
    if (!image)
        return ENOMEM;
    struct qcow2_header h = {
        .magic = htobe32(QCOW2_MAGIC),
        .version = htobe32(version),
        .cluster_bits = htobe32(bits),
        .size = htobe64(l->size),
        .l1_size = htobe32((uint32_t)l1_size),
        .l1_offset = htobe64((2 + blocks) << bits),
        .counts_offset = htobe64(cluster),
        .counts_clusters = htobe32(1),
        .refcount_order = htobe32(order),
        .length = htobe32(QCOW2_HEADER_3),
    };
    int error = fill_header(image, cluster, l, &h) ? 0 : EINVAL;
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t offset = htobe64((2 + i) << bits);
        memcpy(image + cluster + 8 * i, &offset, 8);
    }
    for (uint64_t i = 0; i < blocks && i * per_block < total; i++)
        fill_counts(image + ((2 + i) << bits), order,
                    total - i * per_block < per_block ? total - i * per_block : per_block);
    struct block file = {.fd = fd};
    if (!error)
        error = block_file_write(&file, 0, image, total << bits);
    free(image);
    return error ? error : fsync(fd) ? errno : 0;
}

char *qcow2_create(const char *path, const struct qcow2_layout *l)
{
    unsigned version = l->version ? l->version : 3, bits = l->cluster_bits ? l->cluster_bits : 16;
    unsigned order = l->refcount_order == UINT32_MAX || version == 2 ? 4 : l->refcount_order;
    if (bits < 9 || bits > 21 || order > 6 || version < 2 || version > 3 || l->size % BLOCK_SECTOR)
        return block_error(
            "cannot make disk image %s: clusters of 512 bytes to 2 MiB, version 2 or 3, whole sectors are possible",
            path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return block_error("cannot make disk image %s: %s", path, strerror(errno));
    int error = write_image(fd, l, version, bits, order);
    if (close(fd) && !error)
        error = errno;
    if (!error)
        return NULL;
    unlink(path);
    return block_error("cannot make disk image %s: %s", path, strerror(error));
}

/* --- checking --- */

/* Files with more clusters are not checked: 16 TiB in clusters of 64 KiB. */
enum { MAX_CLUSTERS = 1 << 28 };

struct walk {
    struct block *b;
    uint32_t *uses; /* per cluster of the file */
    uint64_t clusters, errors;
};

static void use(struct walk *w, uint64_t offset, uint64_t n, bool aligned)
{
    const struct qcow2 *s = qcow2(w->b);
    if (!n)
        return;
    uint64_t first = offset >> s->cluster_bits, last = (offset + n - 1) >> s->cluster_bits;
    if ((aligned && offset % s->cluster_size) || last >= w->clusters || last < first) {
        w->errors++;
        return;
    }
    for (uint64_t i = first; i <= last; i++)
        w->uses[i]++;
}

static int walk_l1(struct walk *w, const uint64_t *l1, uint32_t n)
{
    struct qcow2 *s = qcow2(w->b);
    uint64_t *l2 = malloc(s->cluster_size);
    int error = l2 ? 0 : ENOMEM;
    for (uint32_t i = 0; i < n && !error; i++) {
        uint64_t at = l1[i] & QCOW2_OFFSET;
        if (!at)
            continue;
        use(w, at, s->cluster_size, true);
        if (at % s->cluster_size || (error = block_file_read(w->b, at, l2, s->cluster_size)))
            continue;
        for (uint64_t k = 0; k < qcow2_l2_entries(s); k++) {
            uint64_t entry = be64toh(l2[k]), offset = entry & QCOW2_OFFSET, bytes = s->cluster_size;
            if (entry & QCOW2_COMPRESSED)
                qcow2_compressed_range(s, entry, &offset, &bytes);
            if (offset)
                use(w, offset, bytes, !(entry & QCOW2_COMPRESSED));
        }
    }
    free(l2);
    return error;
}

/* Snapshots have L1 tables of their own. */
static int walk_snapshots(struct walk *w)
{
    const struct qcow2 *s = qcow2(w->b);
    int error = 0;
    for (uint32_t i = 0; i < s->nsnapshots && !error; i++) {
        const struct qcow2_snapshot *snapshot = &s->snapshot[i];
        uint32_t n = snapshot->l1_size;
        uint64_t *l1 = calloc(n + 1, 8);
        error = l1 ? block_file_read(w->b, snapshot->l1_offset, l1, (uint64_t)n * 8) : ENOMEM;
        for (uint32_t k = 0; k < n && !error; k++)
            l1[k] = be64toh(l1[k]);
        use(w, snapshot->l1_offset, (uint64_t)n * 8, true);
        if (!error)
            error = walk_l1(w, l1, n);
        free(l1);
    }
    use(w, s->snapshots_offset, qcow2_snapshots_bytes(w->b), true);
    return error;
}

/* Counts what the tables on disk refer to. w.uses is the caller's to free. */
static int count_uses(struct block *b, struct walk *w)
{
    const struct qcow2 *s = qcow2(b);
    off_t end = lseek(b->fd, 0, SEEK_END); /* tables are counted, not what they claim */
    if (end < 0)
        return errno;
    *w = (struct walk){.b = b, .clusters = ALIGN_UP((uint64_t)end, s->cluster_size) >> s->cluster_bits};
    if (w->clusters > MAX_CLUSTERS)
        return EFBIG;
    if (!(w->uses = calloc(w->clusters + 1, sizeof *w->uses)))
        return ENOMEM;
    use(w, 0, s->cluster_size, true);
    use(w, s->l1_offset, (uint64_t)s->l1_size * 8, true);
    use(w, s->table_offset, s->table_size * 8, true);
    for (uint64_t i = 0; i < s->table_size; i++)
        if (s->table[i])
            use(w, s->table[i], s->cluster_size, true);
    int error = walk_l1(w, s->l1, s->l1_size);
    return error ? error : walk_snapshots(w);
}

int qcow2_check(struct block *b, struct qcow2_check *result)
{
    struct qcow2 *s = qcow2(b);
    struct walk w = {0};
    *result = (struct qcow2_check){0};
    pthread_rwlock_wrlock(&s->lock);
    int error = b->read_only ? 0 : qcow2_write_back(b);
    if (!error)
        error = count_uses(b, &w);
    result->errors = w.errors;
    for (uint64_t i = 0; i < w.clusters && !error; i++) {
        uint64_t count;
        if ((error = qcow2_count(b, i, &count)))
            break;
        result->leaks += count > w.uses[i];
        result->errors += count < w.uses[i];
    }
    pthread_rwlock_unlock(&s->lock);
    free(w.uses);
    return error;
}

int qcow2_repair(struct block *b)
{
    struct walk w;
    int error = count_uses(b, &w);
    for (uint64_t i = 0; i < w.clusters && !error; i++)
        error = qcow2_set_count(b, i, w.uses[i]);
    if (!error)
        error = qcow2_write_back(b);
    free(w.uses);
    return error;
}
