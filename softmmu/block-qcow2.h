/*
 * qcow2 images, versions 2 and 3, as the format's published specification has them ("The Qcow2 Image Format"): between
 * the files that implement it.
 *
 *   block-qcow2.c           opening, where a cluster of the disk is, reading and writing
 *   block-qcow2-refs.c      reference counts, allocation, writing the tables back
 *   block-qcow2-snapshot.c  snapshots
 *   block-qcow2-resize.c    changing the size
 *   block-qcow2-image.c     making an image, checking one
 *
 * Tables are cached in memory and written when the guest flushes, in an order that leaves a sound image on disk
 * wherever it stops:
 *
 *   1. clusters' content and reference counts    2. the reference count table and the header's pointer to it
 *   3. L2 tables                                 4. the L1 table
 *
 * with the disk's own flush after each step that wrote something. What a change frees is counted down after step 4
 * only, so that no cluster is used again while a table on disk still names it. A crash loses what has not been flushed,
 * and room.
 */
#ifndef SOFTMMU_BLOCK_QCOW2_H
#define SOFTMMU_BLOCK_QCOW2_H

#include <endian.h>

#include "base/bits.h"
#include "softmmu/block.h"

enum {
    QCOW2_MAGIC = 0x514649fb,
    QCOW2_HEADER_2 = 72,
    QCOW2_HEADER_3 = 104,
    QCOW2_MAX_L1 = 32 << 20,    /* bytes */
    QCOW2_MAX_COUNTS = 8 << 20, /* bytes of the reference count table */
    QCOW2_EXT_END = 0,
    QCOW2_EXT_BACKING_FORMAT = (int)0xe2792aca,
};
enum { QCOW2_DIRTY = 1, QCOW2_CORRUPT = 2, QCOW2_EXTERNAL_DATA = 4, QCOW2_COMPRESSION = 8, QCOW2_EXTENDED_L2 = 16 };

/* The header; all numbers big-endian. */
struct qcow2_header {
    uint32_t magic, version;
    uint64_t backing_offset;
    uint32_t backing_size, cluster_bits;
    uint64_t size;
    uint32_t crypt_method, l1_size;
    uint64_t l1_offset, counts_offset;
    uint32_t counts_clusters, nsnapshots;
    uint64_t snapshots_offset;
    /* version 3 */
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order, length;
};

/* Entries of L1 and L2 tables. */
#define QCOW2_COPIED     (UINT64_C(1) << 63) /* referenced once: may be written in place */
#define QCOW2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_ZERO       UINT64_C(1) /* version 3: reads as zeros */
#define QCOW2_OFFSET     UINT64_C(0x00fffffffffffe00)

/* A table of the image in memory; numbers are the host's. */
struct qcow2_l2 {
    uint64_t *entry; /* NULL: not read yet */
    bool dirty;
};
struct qcow2_counts {
    uint8_t *bytes; /* as in the file */
    bool dirty;
};

struct qcow2_snapshot {
    struct block_snapshot public;
    uint64_t l1_offset;
    uint32_t l1_size, extra_size;
    uint8_t *extra; /* as in the file: what newer writers add stays */
};

struct qcow2 {
    pthread_rwlock_t lock; /* shared: the tables are as they are; exclusive: they change */
    unsigned version, cluster_bits, refcount_order;
    uint64_t cluster_size;
    uint64_t *l1, l1_offset;
    uint32_t l1_size;
    bool l1_dirty;
    struct qcow2_l2 *l2; /* as many as l1_size */
    uint64_t *table, table_offset; /* reference counts: where their blocks are */
    uint64_t table_size;           /* entries */
    bool table_dirty, table_moved;
    struct qcow2_counts *counts;  /* as many as table_size */
    uint64_t free_from;           /* no cluster before this one is free */
    uint64_t end;                 /* of the file: what is beyond has never been written */
    struct qcow2_range {
        uint64_t offset, clusters;
    } *freed;                     /* to be counted down after the next flush */
    unsigned nfreed, freed_room;
    struct qcow2_snapshot *snapshot;
    uint32_t nsnapshots;
    uint64_t snapshots_offset;
    pthread_mutex_t inflating; /* the three below: the compressed cluster that was read last */
    uint64_t inflated_entry;
    uint8_t *inflated, *deflated;
};

static inline struct qcow2 *qcow2(const struct block *b) { return b->state; }
static inline uint64_t qcow2_l2_entries(const struct qcow2 *s) { return s->cluster_size / 8; }
static inline uint64_t qcow2_counts_per_block(const struct qcow2 *s)
{
    return s->cluster_size * 8 >> s->refcount_order;
}
/* The bytes of the file that a compressed entry names. */
void qcow2_compressed_range(const struct qcow2 *s, uint64_t entry, uint64_t *offset, uint64_t *n);

/* --- block-qcow2.c --- */

/* Reads the L2 table of an L1 entry that has one; exclusive. */
int qcow2_load_l2(struct block *b, uint64_t l1_index);
/* Bytes of one cluster of the disk, from offset on, as its L2 entry has them. */
int qcow2_read_entry(struct block *b, uint64_t entry, uint64_t offset, uint8_t *buf, uint64_t n);

/* --- block-qcow2-refs.c; all exclusive --- */

/* Reads the table of counts. NULL, or one line to be freed. */
char *qcow2_open_counts(struct block *b, const struct qcow2_header *h);
int qcow2_count(struct block *b, uint64_t cluster, uint64_t *count);
int qcow2_set_count(struct block *b, uint64_t cluster, uint64_t count);
/* The offset of a cluster that is used by nothing else, counted once. */
int qcow2_allocate(struct block *b, uint64_t *offset);
/* As many clusters behind each other. */
int qcow2_allocate_run(struct block *b, uint64_t clusters, uint64_t *offset);
/* The clusters that [offset, offset + n) touches have a reference less, once a flush has taken it from the tables. */
int qcow2_release(struct block *b, uint64_t offset, uint64_t n);
/* What a flush does to the tables, where anything has changed. */
int qcow2_write_back(struct block *b);

/* --- block-qcow2-snapshot.c --- */

extern const struct block_snapshots qcow2_snapshots;
/* Reads the table of n snapshots. EINVAL: it is damaged. */
int qcow2_open_snapshots(struct block *b, uint32_t n);
void qcow2_free_snapshots(struct block *b);
/* Bytes of the table in the file. */
uint64_t qcow2_snapshots_bytes(const struct block *b);
/* The entry of the L1 table behind those of such a disk's content: the machine's state begins there. */
uint64_t qcow2_state_index(const struct qcow2 *s, uint64_t disk_size);
/* All three exclusive. The L1 table has n entries at least. EFBIG: it can't. */
int qcow2_grow_l1(struct block *b, uint64_t n);
/* The active table forgets what lies behind the disk. */
int qcow2_drop_state(struct block *b);
/* Everything is in the file, and what was freed is counted down. */
int qcow2_settle(struct block *b);

/* --- block-qcow2-resize.c --- */

/* block_resize()'s. ENOTSUP: the image has snapshots, and is of version 2. */
int qcow2_resize(struct block *b, uint64_t size);

/* --- block-qcow2-image.c --- */

/* Sets all reference counts to what the tables say: after a crash of a writer that kept them lazily. */
int qcow2_repair(struct block *b);

#endif
