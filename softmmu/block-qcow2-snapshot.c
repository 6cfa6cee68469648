/*
 * Snapshots inside qcow2 images ("The Qcow2 Image Format", sections Snapshots and Virtual disk with VM state): copies
 * of the L1 table, whose clusters are counted once more and so are never written in place. See block-qcow2.h.
 *
 * Each change ends with one write to the header, which names the new table; before it come the clusters' counts and
 * whatever the table refers to, after it what nobody refers to any more is counted down. A crash loses room, never a
 * snapshot.
 *
 * A machine's state is written like content of the disk, from the first L1 entry behind those of the disk's own
 * content; the active table forgets it once a snapshot has it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "softmmu/block-qcow2.h"

enum { MAX_SNAPSHOTS = 65536, MAX_EXTRA = 1024, ID_ROOM = 24 };

/* An entry of the snapshot table, big-endian; extra data, id and name follow. */
struct entry {
    uint64_t l1_offset;
    uint32_t l1_size;
    uint16_t id_size, name_size;
    uint32_t seconds, nanoseconds;
    uint64_t clock;
    uint32_t state_size, extra_size;
};
struct extra {
    uint64_t state_size, disk_size, icount;
};

/* --- the table --- */

static void free_snapshot(struct qcow2_snapshot *s)
{
    free(s->public.id);
    free(s->public.name);
    free(s->extra);
    *s = (struct qcow2_snapshot){0};
}

void qcow2_free_snapshots(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    for (uint32_t i = 0; i < s->nsnapshots; i++)
        free_snapshot(&s->snapshot[i]);
    free(s->snapshot);
    s->snapshot = NULL;
    s->nsnapshots = 0;
}

static uint64_t entry_bytes(const struct qcow2_snapshot *s)
{
    return ALIGN_UP(sizeof(struct entry) + s->extra_size + strlen(s->public.id) + strlen(s->public.name), UINT64_C(8));
}

uint64_t qcow2_snapshots_bytes(const struct block *b)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < qcow2(b)->nsnapshots; i++)
        n += entry_bytes(&qcow2(b)->snapshot[i]);
    return n;
}

static int read_text(const struct block *b, uint64_t at, uint16_t n, char **text)
{
    if (!(*text = calloc(n + 1u, 1)))
        return ENOMEM;
    int error = block_file_read(b, at, *text, n);
    return error ? error : strlen(*text) == n ? 0 : EINVAL;
}

static int read_entry(const struct block *b, uint64_t *at, struct qcow2_snapshot *s)
{
    struct entry e;
    struct extra x = {0};
    int error = *at > INT64_MAX ? EINVAL : block_file_read(b, *at, &e, sizeof e);
    if (error)
        return error;
    s->l1_offset = be64toh(e.l1_offset);
    s->l1_size = be32toh(e.l1_size);
    s->extra_size = be32toh(e.extra_size);
    if (s->extra_size > MAX_EXTRA || s->l1_size > QCOW2_MAX_L1 / 8 || s->l1_offset % qcow2(b)->cluster_size ||
        s->l1_offset > INT64_MAX - QCOW2_MAX_L1)
        return EINVAL;
    s->public.seconds = be32toh(e.seconds);
    s->public.nanoseconds = be32toh(e.nanoseconds);
    s->public.clock = be64toh(e.clock);
    s->public.state_size = be32toh(e.state_size);
    s->public.disk_size = b->size;
    if (!(s->extra = malloc(s->extra_size + 1)))
        return ENOMEM;
    uint64_t texts = *at + sizeof e + s->extra_size;
    if (!(error = block_file_read(b, *at + sizeof e, s->extra, s->extra_size)) &&
        !(error = read_text(b, texts, be16toh(e.id_size), &s->public.id)))
        error = read_text(b, texts + be16toh(e.id_size), be16toh(e.name_size), &s->public.name);
    if (error)
        return error;
    memcpy(&x, s->extra, s->extra_size < sizeof x ? s->extra_size : sizeof x);
    if (s->extra_size >= offsetof(struct extra, disk_size))
        s->public.state_size = be64toh(x.state_size);
    if (s->extra_size >= offsetof(struct extra, icount))
        s->public.disk_size = be64toh(x.disk_size);
    *at += entry_bytes(s);
    return 0;
}

int qcow2_open_snapshots(struct block *b, uint32_t n)
{
    struct qcow2 *s = qcow2(b);
    uint64_t at = s->snapshots_offset;
    if (n > MAX_SNAPSHOTS || (n && (!at || at % s->cluster_size)))
        return EINVAL;
    if (!(s->snapshot = calloc(n + 1, sizeof *s->snapshot)))
        return ENOMEM;
    int error = 0;
    while (s->nsnapshots < n && !error)
        error = read_entry(b, &at, &s->snapshot[s->nsnapshots++]);
    return error;
}

static void put_entry(uint8_t *p, const struct qcow2_snapshot *s)
{
    size_t nid = strlen(s->public.id), nname = strlen(s->public.name);
    struct entry e = {
        .l1_offset = htobe64(s->l1_offset),
        .l1_size = htobe32(s->l1_size),
        .id_size = htobe16((uint16_t)nid),
        .name_size = htobe16((uint16_t)nname),
        .seconds = htobe32((uint32_t)s->public.seconds),
        .nanoseconds = htobe32(s->public.nanoseconds),
        .clock = htobe64(s->public.clock),
        .state_size = htobe32(s->public.state_size > UINT32_MAX ? 0 : (uint32_t)s->public.state_size),
        .extra_size = htobe32(s->extra_size),
    };
    memcpy(p, &e, sizeof e);
    memcpy(p + sizeof e, s->extra, s->extra_size);
    memcpy(p + sizeof e + s->extra_size, s->public.id, nid);
    memcpy(p + sizeof e + s->extra_size + nid, s->public.name, nname);
}

/* Writes the n snapshots as a new table and makes it the image's. The old table's room is released. */
static int write_table(struct block *b, const struct qcow2_snapshot *list, uint32_t n)
{
    struct qcow2 *s = qcow2(b);
    uint64_t bytes = 0, old = qcow2_snapshots_bytes(b), at = 0;
    for (uint32_t i = 0; i < n; i++)
        bytes += entry_bytes(&list[i]);
    uint8_t *table = calloc(1, bytes + 1);
    if (!table)
        return ENOMEM;
    uint8_t *p = table;
    for (uint32_t i = 0; i < n; p += entry_bytes(&list[i++]))
        put_entry(p, &list[i]);
    int error = n ? qcow2_allocate_run(b, (bytes + s->cluster_size - 1) >> s->cluster_bits, &at) : 0;
    if (!error)
        error = block_file_write(b, at, table, bytes);
    free(table);
    if (!error)
        error = qcow2_write_back(b);
    if (error)
        return error;
    struct {
        uint32_t n;
        uint64_t offset;
    } __attribute__((packed)) head = {htobe32(n), htobe64(at)};
    _Static_assert(offsetof(struct qcow2_header, snapshots_offset) == offsetof(struct qcow2_header, nsnapshots) + 4,
                   "one write");
    if ((error = block_file_write(b, offsetof(struct qcow2_header, nsnapshots), &head, sizeof head)))
        return error;
    if (fdatasync(b->fd))
        return errno;
    uint64_t before = s->snapshots_offset;
    s->snapshots_offset = at;
    return old ? qcow2_release(b, before, old) : 0;
}

/* --- what a table refers to --- */

/* Calls visit() with the bytes of the file that n entries of an L1 table lead to, L2 tables included, at most *budget
   times, which goes down. `cache`: the tables as memory has them; NULL: they are read from the file. */
static int each_range(struct block *b, const uint64_t *l1, uint32_t n, const struct qcow2_l2 *cache,
                      int (*visit)(struct block *b, uint64_t offset, uint64_t n), uint64_t *budget)
{
    const struct qcow2 *s = qcow2(b);
    uint64_t *own = malloc(s->cluster_size);
    int error = own ? 0 : ENOMEM;
    for (uint32_t i = 0; i < n && !error && *budget; i++) {
        uint64_t at = l1[i] & QCOW2_OFFSET;
        const uint64_t *l2 = cache ? cache[i].entry : NULL;
        if (!at)
            continue;
        if (at % s->cluster_size || at >= s->end)
            error = EIO;
        if (!error && !l2) {
            error = block_file_read(b, at, own, s->cluster_size);
            for (uint64_t k = 0; k < qcow2_l2_entries(s); k++)
                own[k] = be64toh(own[k]);
            l2 = own;
        }
        for (uint64_t k = 0; k < qcow2_l2_entries(s) && !error && *budget; k++) {
            uint64_t offset = l2[k] & QCOW2_OFFSET, bytes = s->cluster_size;
            if (l2[k] & QCOW2_COMPRESSED)
                qcow2_compressed_range(s, l2[k], &offset, &bytes);
            else if (offset % s->cluster_size)
                error = EIO;
            if (offset && !error && !(error = visit(b, offset, bytes)))
                --*budget;
        }
        if (!error && *budget && !(error = visit(b, at, s->cluster_size)))
            --*budget;
    }
    free(own);
    return error;
}

static int change_counts(struct block *b, uint64_t offset, uint64_t n, bool up)
{
    const struct qcow2 *s = qcow2(b);
    uint64_t first = offset >> s->cluster_bits, last = (offset + n - 1) >> s->cluster_bits;
    int error = 0;
    for (uint64_t k = first; k <= last && !error; k++) {
        uint64_t count;
        if (!(error = qcow2_count(b, k, &count)) && !count)
            error = EIO; /* a damaged image: what is in use is not counted */
        if (!error && (error = qcow2_set_count(b, k, up ? count + 1 : count - 1)) && up)
            while (k-- > first) /* all or nothing */
                if (!qcow2_count(b, k, &count))
                    qcow2_set_count(b, k, count - 1);
    }
    return error;
}

static int count_up(struct block *b, uint64_t offset, uint64_t n) { return change_counts(b, offset, n, true); }
static int count_down(struct block *b, uint64_t offset, uint64_t n) { return change_counts(b, offset, n, false); }

/* Counts everything once more; nothing, if that fails. */
static int count_tree_up(struct block *b, const uint64_t *l1, uint32_t n, const struct qcow2_l2 *cache)
{
    uint64_t budget = UINT64_MAX;
    int error = each_range(b, l1, n, cache, count_up, &budget);
    uint64_t done = UINT64_MAX - budget;
    if (error)
        each_range(b, l1, n, cache, count_down, &done);
    return error;
}

static int release_tree(struct block *b, const uint64_t *l1, uint32_t n, const struct qcow2_l2 *cache)
{
    uint64_t budget = UINT64_MAX;
    return each_range(b, l1, n, cache, qcow2_release, &budget);
}

/* Marks in the active tables what is referenced once, and only that; nothing is waiting to be counted down. */
static int refresh_copied(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    uint64_t count;
    int error = 0;
    for (uint32_t i = 0; i < s->l1_size && !error; i++) {
        uint64_t at = s->l1[i] & QCOW2_OFFSET;
        if (!at || (error = qcow2_load_l2(b, i)) || (error = qcow2_count(b, at >> s->cluster_bits, &count)))
            continue;
        uint64_t wanted = count == 1 ? at | QCOW2_COPIED : at;
        s->l1_dirty |= s->l1[i] != wanted;
        s->l1[i] = wanted;
        for (uint64_t k = 0; k < qcow2_l2_entries(s) && !error; k++) {
            uint64_t *entry = &s->l2[i].entry[k], offset = *entry & QCOW2_OFFSET;
            if (*entry & QCOW2_COMPRESSED || !offset || (error = qcow2_count(b, offset >> s->cluster_bits, &count)))
                continue;
            wanted = count == 1 ? *entry | QCOW2_COPIED : *entry & ~QCOW2_COPIED;
            s->l2[i].dirty |= *entry != wanted;
            *entry = wanted;
        }
    }
    return error;
}

int qcow2_settle(struct block *b)
{
    int error = qcow2_write_back(b);
    return error ? error : qcow2_write_back(b);
}

static int settle_copied(struct block *b)
{
    int error = qcow2_settle(b);
    if (!error)
        error = refresh_copied(b);
    return error ? error : qcow2_settle(b);
}

/* --- the active table --- */

static int write_l1(struct block *b, const uint64_t *l1, uint32_t n, uint64_t *at)
{
    const struct qcow2 *s = qcow2(b);
    uint64_t clusters = ((uint64_t)n * 8 + s->cluster_size - 1) >> s->cluster_bits;
    uint64_t *swapped = calloc(clusters + !clusters, s->cluster_size);
    int error = swapped ? qcow2_allocate_run(b, clusters + !clusters, at) : ENOMEM;
    for (uint32_t i = 0; i < n && !error; i++)
        swapped[i] = htobe64(l1[i]);
    if (!error)
        error = block_file_write(b, *at, swapped, (clusters + !clusters) << s->cluster_bits);
    free(swapped);
    return error;
}

/* Makes the n entries the active table, in a new place, and takes l1 and l2 over. What was settled stays so. */
static int switch_l1(struct block *b, uint64_t *l1, struct qcow2_l2 *l2, uint32_t n)
{
    struct qcow2 *s = qcow2(b);
    uint64_t at;
    int error = write_l1(b, l1, n, &at);
    if (!error)
        error = qcow2_write_back(b);
    if (error)
        return error;
    struct {
        uint32_t n;
        uint64_t offset;
    } __attribute__((packed)) head = {htobe32(n), htobe64(at)};
    _Static_assert(offsetof(struct qcow2_header, l1_offset) == offsetof(struct qcow2_header, l1_size) + 4, "one write");
    if ((error = block_file_write(b, offsetof(struct qcow2_header, l1_size), &head, sizeof head)))
        return error;
    if (fdatasync(b->fd))
        return errno;
    uint64_t before = s->l1_offset, bytes = (uint64_t)s->l1_size * 8;
    s->l1 = l1;
    s->l2 = l2;
    s->l1_size = n;
    s->l1_offset = at;
    return bytes ? qcow2_release(b, before, bytes) : 0;
}

/* Bytes of the disk under one L1 entry. */
static uint64_t l1_span(const struct qcow2 *s) { return s->cluster_size * qcow2_l2_entries(s); }
uint64_t qcow2_state_index(const struct qcow2 *s, uint64_t disk_size)
{
    return disk_size / l1_span(s) + !!(disk_size % l1_span(s));
}

int qcow2_grow_l1(struct block *b, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    if (n <= s->l1_size)
        return 0;
    if (n > QCOW2_MAX_L1 / 8)
        return EFBIG;
    n = ALIGN_UP(n + n / 2, s->cluster_size / 8);
    if (n > QCOW2_MAX_L1 / 8)
        n = QCOW2_MAX_L1 / 8;
    int error = qcow2_settle(b);
    uint64_t *l1 = calloc(n + 1, sizeof *l1);
    struct qcow2_l2 *l2 = calloc(n + 1, sizeof *l2);
    if (!error && l1 && l2) {
        memcpy(l1, s->l1, s->l1_size * sizeof *l1);
        memcpy(l2, s->l2, s->l1_size * sizeof *l2);
        void *old[] = {s->l1, s->l2};
        if (!(error = switch_l1(b, l1, l2, (uint32_t)n))) {
            free(old[0]);
            free(old[1]);
            return 0;
        }
    }
    free(l1);
    free(l2);
    return error ? error : ENOMEM;
}

int qcow2_drop_state(struct block *b)
{
    struct qcow2 *s = qcow2(b);
    uint64_t first = qcow2_state_index(s, b->size);
    if (first >= s->l1_size)
        return 0;
    uint32_t n = s->l1_size - (uint32_t)first;
    int error = release_tree(b, s->l1 + first, n, s->l2 + first);
    for (uint64_t i = first; i < s->l1_size; i++) {
        s->l1_dirty |= s->l1[i] != 0;
        s->l1[i] = 0;
        free(s->l2[i].entry);
        s->l2[i] = (struct qcow2_l2){0};
    }
    return error;
}

/* --- the operations --- */

static const struct block_snapshot *snapshot_at(const struct block *b, unsigned i)
{
    return i < qcow2(b)->nsnapshots ? &qcow2(b)->snapshot[i].public : NULL;
}

/* A number that no snapshot has. */
static char *new_id(const struct qcow2 *s)
{
    unsigned long long most = 0;
    for (uint32_t i = 0; i < s->nsnapshots; i++) {
        unsigned long long n = strtoull(s->snapshot[i].public.id, NULL, 10);
        if (n > most && n < UINT64_MAX)
            most = n;
    }
    char *id = malloc(ID_ROOM);
    if (id)
        snprintf(id, ID_ROOM, "%llu", most + 1);
    return id;
}

static int fill(struct block *b, struct qcow2_snapshot *new, const struct block_snapshot *wanted)
{
    struct qcow2 *s = qcow2(b);
    struct extra x = {htobe64(wanted->state_size), htobe64(b->size), UINT64_MAX};
    if (strlen(wanted->name) > UINT16_MAX || s->nsnapshots == MAX_SNAPSHOTS)
        return EFBIG;
    new->public = *wanted;
    new->public.disk_size = b->size;
    new->public.id = new_id(s);
    new->public.name = strdup(wanted->name);
    new->extra_size = sizeof x;
    if (!(new->extra = malloc(sizeof x)) || !new->public.id || !new->public.name)
        return ENOMEM;
    memcpy(new->extra, &x, sizeof x);
    new->l1_size = (uint32_t)qcow2_state_index(s, b->size);
    for (uint32_t i = new->l1_size; i < s->l1_size; i++)
        if (s->l1[i])
            new->l1_size = i + 1;
    return 0;
}

/* The table with one more, which the image owns then. */
static int add(struct block *b, struct qcow2_snapshot *new)
{
    struct qcow2 *s = qcow2(b);
    struct qcow2_snapshot *list = realloc(s->snapshot, (s->nsnapshots + 2) * sizeof *list);
    if (!list)
        return ENOMEM;
    s->snapshot = list;
    list[s->nsnapshots] = *new;
    int error = write_table(b, list, s->nsnapshots + 1);
    if (!error)
        s->nsnapshots++;
    return error;
}

static int create(struct block *b, const struct block_snapshot *wanted)
{
    struct qcow2 *s = qcow2(b);
    struct qcow2_snapshot new = {0};
    pthread_rwlock_wrlock(&s->lock);
    int error = qcow2_settle(b);
    if (!error)
        error = fill(b, &new, wanted);
    bool counted = !error && !(error = count_tree_up(b, s->l1, new.l1_size, s->l2));
    if (counted && !(error = refresh_copied(b)) && !(error = write_l1(b, s->l1, new.l1_size, &new.l1_offset)) &&
        !(error = qcow2_settle(b)))
        error = add(b, &new);
    if (error) {
        free_snapshot(&new);
        if (counted)
            release_tree(b, s->l1, s->l1_size, s->l2);
    } else if (!(error = qcow2_drop_state(b))) {
        error = settle_copied(b);
    }
    pthread_rwlock_unlock(&s->lock);
    return error;
}

static int read_l1(const struct block *b, const struct qcow2_snapshot *snapshot, uint64_t *l1, uint32_t n)
{
    int error = block_file_read(b, snapshot->l1_offset, l1, (uint64_t)n * 8);
    for (uint32_t i = 0; i < n; i++)
        l1[i] = be64toh(l1[i]) & ~QCOW2_COPIED;
    return error;
}

static int apply(struct block *b, unsigned index)
{
    struct qcow2 *s = qcow2(b);
    const struct qcow2_snapshot *snapshot = &s->snapshot[index];
    if (snapshot->public.disk_size != b->size)
        return EFBIG;
    pthread_rwlock_wrlock(&s->lock);
    uint64_t *l1 = calloc(s->l1_size + 1, sizeof *l1), *old = s->l1;
    struct qcow2_l2 *l2 = calloc(s->l1_size + 1, sizeof *l2), *old_cache = s->l2;
    uint32_t n = (uint32_t)qcow2_state_index(s, b->size), size = s->l1_size;
    if (n > snapshot->l1_size)
        n = snapshot->l1_size;
    int error = l1 && l2 ? qcow2_settle(b) : ENOMEM;
    if (!error)
        error = read_l1(b, snapshot, l1, n);
    bool counted = !error && !(error = count_tree_up(b, l1, n, NULL));
    if (counted)
        error = switch_l1(b, l1, l2, size);
    if (s->l1 == old) {
        if (counted)
            release_tree(b, l1, n, NULL);
        free(l1);
        free(l2);
    } else {
        int released = release_tree(b, old, size, old_cache);
        for (uint32_t i = 0; i < size; i++)
            free(old_cache[i].entry);
        free(old);
        free(old_cache);
        s->inflated_entry = 0;
        error = error ? error : released ? released : settle_copied(b);
    }
    pthread_rwlock_unlock(&s->lock);
    return error;
}

static int delete (struct block *b, unsigned index)
{
    struct qcow2 *s = qcow2(b);
    pthread_rwlock_wrlock(&s->lock);
    struct qcow2_snapshot gone = s->snapshot[index], *rest = malloc(s->nsnapshots * sizeof *rest);
    uint64_t *l1 = calloc(gone.l1_size + 1, sizeof *l1);
    int error = rest && l1 ? qcow2_settle(b) : ENOMEM;
    if (!error)
        error = read_l1(b, &gone, l1, gone.l1_size);
    if (!error) {
        memcpy(rest, s->snapshot, index * sizeof *rest);
        memcpy(rest + index, s->snapshot + index + 1, (s->nsnapshots - index - 1) * sizeof *rest);
        error = write_table(b, rest, s->nsnapshots - 1);
    }
    if (!error) {
        memcpy(s->snapshot, rest, --s->nsnapshots * sizeof *rest);
        error = release_tree(b, l1, gone.l1_size, NULL);
        if (!error && gone.l1_size)
            error = qcow2_release(b, gone.l1_offset, (uint64_t)gone.l1_size * 8);
        if (!error)
            error = settle_copied(b);
        free_snapshot(&gone);
    }
    free(rest);
    free(l1);
    pthread_rwlock_unlock(&s->lock);
    return error;
}

/* --- the machine's state --- */

static int write_state(struct block *b, uint64_t offset, const void *buf, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    uint64_t first = qcow2_state_index(s, b->size), entries = (offset + n) / l1_span(s) + 1;
    pthread_rwlock_wrlock(&s->lock);
    int error = offset ? 0 : qcow2_drop_state(b);
    if (!error)
        error = qcow2_grow_l1(b, first + entries);
    pthread_rwlock_unlock(&s->lock);
    return error ? error : block_qcow2.write(b, first * l1_span(s) + offset, buf, n);
}

/* A cluster's worth at most, through tables that are read anew: state is read from end to end, in large pieces. */
static int read_state_part(struct block *b, const struct qcow2_snapshot *snapshot, uint64_t at, uint8_t *buf,
                           uint64_t n)
{
    const struct qcow2 *s = qcow2(b);
    uint64_t i = at / l1_span(s), l1, entry;
    if (i >= snapshot->l1_size)
        return EIO;
    int error = block_file_read(b, snapshot->l1_offset + 8 * i, &l1, 8);
    uint64_t table = be64toh(l1) & QCOW2_OFFSET;
    if (error || table % s->cluster_size || table >= s->end)
        return error ? error : EIO;
    if (!table) {
        memset(buf, 0, n);
        return 0;
    }
    error = block_file_read(b, table + (at >> s->cluster_bits) % qcow2_l2_entries(s) * 8, &entry, 8);
    return error ? error : qcow2_read_entry(b, be64toh(entry), at, buf, n);
}

static int read_state(struct block *b, unsigned index, uint64_t offset, void *buf, uint64_t n)
{
    struct qcow2 *s = qcow2(b);
    const struct qcow2_snapshot *snapshot = &s->snapshot[index];
    uint64_t first = qcow2_state_index(s, snapshot->public.disk_size) * l1_span(s);
    if (offset > snapshot->public.state_size || n > snapshot->public.state_size - offset || first + offset + n < first)
        return EINVAL;
    int error = 0;
    pthread_rwlock_rdlock(&s->lock);
    for (uint8_t *p = buf; n && !error;) {
        uint64_t at = first + offset, within = at & (s->cluster_size - 1);
        uint64_t part = s->cluster_size - within < n ? s->cluster_size - within : n;
        error = read_state_part(b, snapshot, at, p, part);
        p += part;
        offset += part;
        n -= part;
    }
    pthread_rwlock_unlock(&s->lock);
    return error;
}

const struct block_snapshots qcow2_snapshots = {
    .at = snapshot_at,
    .create = create,
    .apply = apply,
    .delete = delete,
    .write_state = write_state,
    .read_state = read_state,
};
