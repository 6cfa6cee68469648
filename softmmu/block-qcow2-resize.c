/*
 * Changing the size of a qcow2 image ("The Qcow2 Image Format", the header's `size`). See block-qcow2.h.
 *
 * A larger disk has its L1 table first, and zeros where something else would show (a backing file that is longer than
 * the disk was, what a cluster has behind the disk's end); of a smaller one the content behind the new end is forgotten
 * first. One write to the header then changes the size.
 */
#include <errno.h>
#include <unistd.h>

#include "softmmu/block-qcow2.h"

/* What is to read as zeros in a disk that grows to `size`. */
static int zero_new(struct block *b, uint64_t size)
{
    uint64_t end = ALIGN_UP(b->size, qcow2(b)->cluster_size);
    if (b->backing && b->backing->size > end)
        end = b->backing->size;
    if (end > size)
        end = size;
    return end > b->size ? b->format->zero(b, b->size, end - b->size, true) : 0;
}

static int write_size(struct block *b, uint64_t size)
{
    uint64_t swapped = htobe64(size);
    int error = block_file_write(b, offsetof(struct qcow2_header, size), &swapped, sizeof swapped);
    if (error || fdatasync(b->fd))
        return error ? error : errno;
    b->size = size;
    return 0;
}

int qcow2_resize(struct block *b, uint64_t size)
{
    struct qcow2 *s = qcow2(b);
    uint64_t old = b->size;
    if (s->version < 3 && s->nsnapshots) /* which may not say what size the disk had */
        return ENOTSUP;
    int error = size < old ? b->format->discard(b, size, old - size) : 0;
    pthread_rwlock_wrlock(&s->lock);
    if (!error)
        error = qcow2_drop_state(b);
    if (!error)
        error = qcow2_grow_l1(b, qcow2_state_index(s, size));
    pthread_rwlock_unlock(&s->lock);
    if (!error && size > old)
        error = zero_new(b, size);
    pthread_rwlock_wrlock(&s->lock);
    if (!error)
        error = qcow2_settle(b);
    if (!error)
        error = write_size(b, size);
    if (!error && size < old && !(error = qcow2_drop_state(b)))
        error = qcow2_settle(b);
    pthread_rwlock_unlock(&s->lock);
    return error;
}
