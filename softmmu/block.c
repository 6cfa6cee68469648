/* Opening disks, requests and the threads that do them: see block.h. */
#define _GNU_SOURCE
#include "softmmu/block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"

static const struct block_format *const formats[] = {&block_qcow2, &block_raw};

char *block_error(const char *fmt, ...)
{
    char *line;
    va_list args;
    va_start(args, fmt);
    CHECK(vasprintf(&line, fmt, args) >= 0);
    va_end(args);
    return line;
}

/* --- the file --- */

int block_file_read(const struct block *b, uint64_t offset, void *buf, uint64_t n)
{
    uint8_t *p = buf;
    while (n) {
        ssize_t k = offset > INT64_MAX ? 0 : pread(b->fd, p, n, (off_t)offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return errno;
        if (!k) {
            memset(p, 0, n);
            return 0;
        }
        p += k;
        offset += (uint64_t)k;
        n -= (uint64_t)k;
    }
    return 0;
}

int block_file_write(const struct block *b, uint64_t offset, const void *buf, uint64_t n)
{
    const uint8_t *p = buf;
    while (n) {
        ssize_t k = pwrite(b->fd, p, n, (off_t)offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return errno;
        p += k;
        offset += (uint64_t)k;
        n -= (uint64_t)k;
    }
    return 0;
}

int block_file_punch(const struct block *b, uint64_t offset, uint64_t n)
{
    if (!fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)n) || errno == EOPNOTSUPP ||
        errno == ENODEV || errno == EINVAL)
        return 0;
    return errno;
}

/* One writer or any number of readers; the lock goes with the descriptor. */
static bool lock_file(int fd, bool read_only)
{
    struct flock l = {.l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    return !fcntl(fd, F_OFD_SETLK, &l) || (errno != EAGAIN && errno != EACCES);
}

static const struct block_format *choose(struct block *b, const char *name)
{
    uint8_t head[512];
    if (!name && block_file_read(b, 0, head, sizeof head))
        return NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++)
        if (name ? !strcmp(name, formats[i]->name) : !formats[i]->probe || formats[i]->probe(head, sizeof head)) {
            b->guessed = !name && !formats[i]->probe;
            return formats[i];
        }
    return NULL;
}

struct block *block_open(const char *path, const struct block_options *o, struct block_pool *pool, char **error)
{
    struct block *b = calloc(1, sizeof *b);
    CHECK(b);
    b->path = strdup(path);
    b->pool = pool;
    b->read_only = o->read_only;
    b->discard = o->discard;
    b->write_through = o->write_through;
    b->no_flush = o->no_flush;
    b->depth = o->depth;
    b->fd = open(path, (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (b->fd < 0)
        *error = block_error("cannot open disk image %s: %s", path, strerror(errno));
    else if (!o->force_share && !lock_file(b->fd, o->read_only))
        *error = block_error("disk image %s is in use by another machine", path);
    else if (!(b->format = choose(b, o->format)))
        *error = block_error("disk image %s: format '%s' is not known; there are raw and qcow2", path,
                             o->format ? o->format : "");
    else
        *error = b->format->open(b);
    if (!*error)
        return b;
    if (b->fd >= 0)
        close(b->fd);
    free(b->path);
    free(b);
    return NULL;
}

int block_close(struct block *b)
{
    int error = b->format->close(b);
    if (close(b->fd) && !error)
        error = errno;
    free(b->path);
    free(b);
    return error;
}

/* --- plain access --- */

static int check_range(const struct block *b, uint64_t offset, uint64_t n)
{
    return offset > b->size || n > b->size - offset ? EINVAL : 0;
}

static int check_change(const struct block *b, uint64_t offset, uint64_t n)
{
    return b->read_only ? EROFS : check_range(b, offset, n);
}

int block_read(struct block *b, uint64_t offset, void *buf, uint64_t n)
{
    int error = check_range(b, offset, n);
    return error ? error : b->format->read(b, offset, buf, n);
}

int block_write(struct block *b, uint64_t offset, const void *buf, uint64_t n)
{
    int error = check_change(b, offset, n);
    if (error || !n)
        return error;
    /* A guest must not turn its raw disk into an image that names files of the host. */
    if (b->guessed && !offset && block_qcow2.probe(buf, n < 512 ? (unsigned)n : 512)) {
        log_printf(
            "disk image %s: the guest writes a qcow2 header; refused unless the disk is opened with format=raw\n",
            b->path);
        return EPERM;
    }
    return b->format->write(b, offset, buf, n);
}

int block_flush(struct block *b)
{
    return b->read_only || b->no_flush ? 0 : b->format->flush(b);
}

int block_discard(struct block *b, uint64_t offset, uint64_t n)
{
    int error = check_change(b, offset, n);
    return error || !n || !b->discard ? error : b->format->discard(b, offset, n);
}

int block_zero(struct block *b, uint64_t offset, uint64_t n, bool unmap)
{
    int error = check_change(b, offset, n);
    return error || !n ? error : b->format->zero(b, offset, n, unmap && b->discard);
}

int block_resize(struct block *b, uint64_t size)
{
    if (b->read_only)
        return EROFS;
    if (!size || size % BLOCK_SECTOR || size > INT64_MAX)
        return EINVAL;
    return size == b->size ? 0 : b->format->resize(b, size);
}

/* --- snapshots --- */

bool block_can_snapshot(const struct block *b) { return b->format->snapshots && !b->read_only; }

const struct block_snapshot *block_snapshot_at(const struct block *b, unsigned i)
{
    return b->format->snapshots ? b->format->snapshots->at(b, i) : NULL;
}

int block_snapshot_find(const struct block *b, const char *name)
{
    const struct block_snapshot *s;
    for (unsigned i = 0; (s = block_snapshot_at(b, i)); i++)
        if (!strcmp(s->name, name))
            return (int)i;
    for (unsigned i = 0; (s = block_snapshot_at(b, i)); i++)
        if (!strcmp(s->id, name))
            return (int)i;
    return -1;
}

static int check_snapshot(const struct block *b)
{
    return !b->format->snapshots ? ENOTSUP : b->read_only ? EROFS : 0;
}

int block_snapshot_create(struct block *b, const struct block_snapshot *wanted)
{
    int error = check_snapshot(b);
    return error ? error : b->format->snapshots->create(b, wanted);
}

int block_snapshot_apply(struct block *b, unsigned i)
{
    int error = check_snapshot(b);
    return error ? error : block_snapshot_at(b, i) ? b->format->snapshots->apply(b, i) : ENOENT;
}

int block_snapshot_delete(struct block *b, unsigned i)
{
    int error = check_snapshot(b);
    return error ? error : block_snapshot_at(b, i) ? b->format->snapshots->delete(b, i) : ENOENT;
}

int block_state_write(struct block *b, uint64_t offset, const void *buf, uint64_t n)
{
    int error = check_snapshot(b);
    return error || !n ? error : b->format->snapshots->write_state(b, offset, buf, n);
}

int block_state_read(struct block *b, unsigned i, uint64_t offset, void *buf, uint64_t n)
{
    return block_snapshot_at(b, i) ? b->format->snapshots->read_state(b, i, offset, buf, n) : ENOENT;
}

/* --- requests --- */

struct block_pool {
    pthread_mutex_t lock;
    pthread_cond_t work, ended;
    struct block_request *first, **last; /* to be done */
    struct block_request *done, **done_last;
    unsigned queued, idle, nthreads, max;
    bool stop;
    int event;
    pthread_t thread[];
};

static int perform(const struct block_request *r)
{
    switch (r->op) {
    case BLOCK_READ: return block_read(r->block, r->offset, r->buf, r->n);
    case BLOCK_WRITE: return block_write(r->block, r->offset, r->buf, r->n);
    case BLOCK_FLUSH: return block_flush(r->block);
    case BLOCK_DISCARD: return block_discard(r->block, r->offset, r->n);
    case BLOCK_ZERO: return block_zero(r->block, r->offset, r->n, r->unmap);
    }
    return EINVAL;
}

static void *work(void *opaque)
{
    struct block_pool *p = opaque;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->first && !p->stop) {
            p->idle++;
            pthread_cond_wait(&p->work, &p->lock);
            p->idle--;
        }
        if (!p->first)
            break;
        struct block_request *r = p->first;
        if (!(p->first = r->next))
            p->last = &p->first;
        p->queued--;
        pthread_mutex_unlock(&p->lock);
        r->error = perform(r);
        r->next = NULL;
        pthread_mutex_lock(&p->lock);
        bool first = !p->done;
        *p->done_last = r;
        p->done_last = &r->next;
        if (first) {
            CHECK(!eventfd_write(p->event, 1));
            pthread_cond_broadcast(&p->ended);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct block_pool *block_pool_new(unsigned threads)
{
    struct block_pool *p = calloc(1, sizeof *p + threads * sizeof p->thread[0]);
    CHECK(p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->ended, NULL);
    p->last = &p->first;
    p->done_last = &p->done;
    p->max = threads;
    p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(p->event >= 0);
    return p;
}

void block_pool_free(struct block_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthreads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->lock);
    close(p->event);
    free(p);
}

int block_pool_fd(const struct block_pool *p) { return p->event; }

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void count(const struct block_request *r)
{
    struct block_count *c = &r->block->count[r->op];
    c->requests++;
    c->ns += now() - r->submitted;
    if (r->error)
        c->failed++;
    else
        c->bytes += r->n;
    if (!r->error && r->op == BLOCK_WRITE && r->offset + r->n > r->block->highest)
        r->block->highest = r->offset + r->n;
}

void block_submit(struct block *b, struct block_request *r)
{
    struct block_pool *p = b->pool;
    r->block = b;
    r->next = NULL;
    r->submitted = now();
    b->requests++;
    pthread_mutex_lock(&p->lock);
    *p->last = r;
    p->last = &r->next;
    if (++p->queued > p->idle && p->nthreads < p->max && !pthread_create(&p->thread[p->nthreads], NULL, work, p))
        p->nthreads++;
    CHECK(p->nthreads);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

static struct block_request *take_done(struct block_pool *p, bool wait)
{
    eventfd_t n;
    pthread_mutex_lock(&p->lock);
    while (wait && !p->done)
        pthread_cond_wait(&p->ended, &p->lock);
    struct block_request *list = p->done;
    p->done = NULL;
    p->done_last = &p->done;
    eventfd_read(p->event, &n);
    pthread_mutex_unlock(&p->lock);
    return list;
}

static void finish(struct block_request *list)
{
    while (list) {
        struct block_request *r = list;
        list = r->next;
        r->block->requests--;
        count(r);
        if (r->error && r->block->failed)
            r->block->failed(r->block->failed_opaque, r->block, r, r->error);
        r->done(r, r->error);
    }
}

void block_pool_dispatch(struct block_pool *p)
{
    finish(take_done(p, false));
}

void block_drain(struct block *b)
{
    while (b->requests)
        finish(take_done(b->pool, true));
}
