/*
 * Disks: images of a format (raw, qcow2) in host files, read and written by requests that a small pool of threads does.
 *
 * A request is submitted and ends under the machine's lock: the pool's descriptor becomes readable when requests have
 * ended, and block_pool_dispatch(), called by the main loop, calls their done(). The plain functions wait for the host
 * and are safe in any thread.
 *
 * What has been written when a flush begins is on stable storage when it ends. Errors are numbers as in <errno.h>; 0:
 * done.
 */
#ifndef SOFTMMU_BLOCK_H
#define SOFTMMU_BLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { BLOCK_SECTOR = 512 };

enum block_op {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,
    BLOCK_DISCARD, /* the content does not matter any more; it reads as zeros or as before */
    BLOCK_ZERO,    /* reads as zeros from now on */
};
enum { BLOCK_OPS = BLOCK_ZERO + 1 };

struct block;

/* A copy of the disk as it was, in the same image. */
struct block_snapshot {
    char *id, *name;      /* in an image ids differ */
    uint64_t seconds;     /* since 1970: when it was made */
    uint32_t nanoseconds;
    uint64_t clock;       /* the machine's virtual time, ns */
    uint64_t state_size;  /* bytes of the machine's state beside it; 0: none */
    uint64_t disk_size;   /* bytes */
};

/* What a format that has snapshots does with them. */
struct block_snapshots {
    const struct block_snapshot *(*at)(const struct block *b, unsigned i);
    int (*create)(struct block *b, const struct block_snapshot *wanted);
    int (*apply)(struct block *b, unsigned i);
    int (*delete)(struct block *b, unsigned i);
    int (*write_state)(struct block *b, uint64_t offset, const void *buf, uint64_t n);
    int (*read_state)(struct block *b, unsigned i, uint64_t offset, void *buf, uint64_t n);
};

/* What a format does; functions are called by several threads at once. */
struct block_format {
    const char *name;
    bool (*probe)(const uint8_t *head, unsigned n); /* NULL: anything may be it */
    /* b's fd, path and read_only are set; sets its size, granularity and state. NULL, or one line to be freed. */
    char *(*open)(struct block *b);
    int (*close)(struct block *b);
    int (*read)(struct block *b, uint64_t offset, void *buf, uint64_t n);
    int (*write)(struct block *b, uint64_t offset, const void *buf, uint64_t n);
    int (*flush)(struct block *b);
    int (*discard)(struct block *b, uint64_t offset, uint64_t n);
    int (*zero)(struct block *b, uint64_t offset, uint64_t n, bool unmap);
    int (*resize)(struct block *b, uint64_t size); /* sets b->size */
    const struct block_snapshots *snapshots; /* NULL: it has none */
};
extern const struct block_format block_raw, block_qcow2;

/* What requests of a kind have come to. */
struct block_count {
    uint64_t requests, failed, bytes;
    uint64_t ns; /* from submission to end, of all together */
};

struct block_request;

struct block {
    char *path;
    uint64_t size;        /* bytes, a multiple of BLOCK_SECTOR */
    uint32_t granularity; /* bytes that are given back to the host together */
    bool read_only;
    bool discard;         /* discards reach the host */
    bool write_through;   /* the guest is told of no cache until it asks for one */
    bool no_flush;        /* flushes are not done: a crash may lose everything */
    bool guessed;         /* raw, since nothing else was recognised */
    const struct block_format *format;
    void *state;          /* the format's */
    int fd;
    struct block *backing; /* what an image shows where it has nothing of its own; NULL: zeros */
    struct block_pool *pool;
    unsigned depth;    /* as in the options */
    /* Under the machine's lock: */
    unsigned requests; /* under way */
    struct block_count count[BLOCK_OPS];
    uint64_t highest; /* end of the highest byte written */
    /* A request has failed; before its done(). NULL: nobody wants to know. */
    void (*failed)(void *opaque, struct block *b, const struct block_request *r, int error);
    void *failed_opaque;
    /* The device that uses it: its size has changed. NULL: nobody can cope with that. */
    void (*resized)(void *opaque);
    void *resized_opaque;
};

struct block_options {
    const char *format; /* NULL: by its first bytes */
    bool read_only;
    bool discard, write_through, no_flush;
    bool force_share; /* do not lock the file against other users */
    unsigned depth;   /* how many images lie over this one as their backing file */
};

/* Opens an image. NULL, with one line to be freed in *error. */
struct block *block_open(const char *path, const struct block_options *o, struct block_pool *pool, char **error);
/* Writes what is cached and closes; no request is under way. */
int block_close(struct block *b);

/* Ranges outside of the disk are EINVAL, changes of a read-only one EROFS. */
int block_read(struct block *b, uint64_t offset, void *buf, uint64_t n);
int block_write(struct block *b, uint64_t offset, const void *buf, uint64_t n);
int block_flush(struct block *b);
int block_discard(struct block *b, uint64_t offset, uint64_t n);
int block_zero(struct block *b, uint64_t offset, uint64_t n, bool unmap);

/*
 * The disk has so many bytes, of which new ones are zero; no request is under way. EINVAL: not whole sectors; EFBIG:
 * more than the image can have; ENOTSUP: not with the snapshots it has. Who uses the disk is not told.
 */
int block_resize(struct block *b, uint64_t size);

/* --- requests --- */

struct block_request {
    enum block_op op;
    uint64_t offset, n; /* bytes */
    void *buf;          /* BLOCK_READ, BLOCK_WRITE */
    bool unmap;         /* BLOCK_ZERO: its room may be given back */
    void (*done)(struct block_request *r, int error);
    /* the pool's */
    struct block *block;
    struct block_request *next;
    uint64_t submitted; /* ns */
    int error;
};

struct block_pool *block_pool_new(unsigned threads);
/* No request is under way. */
void block_pool_free(struct block_pool *p);
/* Readable when requests have ended. */
int block_pool_fd(const struct block_pool *p);
void block_pool_dispatch(struct block_pool *p);

void block_submit(struct block *b, struct block_request *r);
/* Waits until the disk's requests have ended, and calls their done(). */
void block_drain(struct block *b);

/* --- snapshots; no request is under way --- */

/* May snapshots be made and applied? */
bool block_can_snapshot(const struct block *b);
/* The image's snapshots, in the order they were made; NULL: no more. Valid until the next change. */
const struct block_snapshot *block_snapshot_at(const struct block *b, unsigned i);
/* The place of the one with the name or, where no name fits, the id; -1: none. */
int block_snapshot_find(const struct block *b, const char *name);
/*
 * A snapshot of what the disk has now, with the state written before; `wanted`: everything but id and disk_size.
 * ENOTSUP: the format has none, EOVERFLOW: the image's counts are too narrow for one more.
 */
int block_snapshot_create(struct block *b, const struct block_snapshot *wanted);
/* The disk's content becomes the snapshot's. EFBIG: the disk had another size then. */
int block_snapshot_apply(struct block *b, unsigned i);
int block_snapshot_delete(struct block *b, unsigned i);
/* The machine's state for the snapshot made next, from offset 0 on; and that of a snapshot. */
int block_state_write(struct block *b, uint64_t offset, const void *buf, uint64_t n);
int block_state_read(struct block *b, unsigned i, uint64_t offset, void *buf, uint64_t n);

/* --- for formats --- */

/* All n bytes of the file; what is beyond its end reads as zeros. */
int block_file_read(const struct block *b, uint64_t offset, void *buf, uint64_t n);
int block_file_write(const struct block *b, uint64_t offset, const void *buf, uint64_t n);
/* Gives the room of a range of the file back; what it reads as afterwards is not said. */
int block_file_punch(const struct block *b, uint64_t offset, uint64_t n);
char *block_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- making images --- */

struct qcow2_layout {
    uint64_t size;          /* bytes, a multiple of BLOCK_SECTOR */
    unsigned cluster_bits;  /* 9 to 21; 0: 16 */
    unsigned version;       /* 2 or 3; 0: 3 */
    unsigned refcount_order; /* 0 to 6, in version 2 only 4; UINT32_MAX: 4 */
    const char *backing, *backing_format; /* NULL: none */
};
/* Makes an empty image; an existing file is an error. NULL, or one line to be freed. */
char *qcow2_create(const char *path, const struct qcow2_layout *l);

/* What a check of a qcow2 image found: all zero in a sound one. */
struct qcow2_check {
    uint64_t leaks;  /* clusters counted more often than they are used: lost room */
    uint64_t errors; /* counted less often, or references that cannot be followed: lost data are near */
};
int qcow2_check(struct block *b, struct qcow2_check *result);

#endif
