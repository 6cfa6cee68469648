/*
 * io_uring(7). The rings are memory shared between the guest and the host's kernel, and nearly all of their entries
 * mean the same on both sides, so they go unchanged. The few that do not (paths that the sysroot has, O_… values,
 * struct epoll_event) are rewritten in place when the guest enters the kernel to submit them.
 *
 * A kernel thread that polls the ring (IORING_SETUP_SQPOLL) would take them before that. Such a ring is set up without
 * the thread and with IORING_SQ_NEED_WAKEUP always set: the guest finds the thread asleep and enters the kernel.
 */
#include "linux-user/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "linux-user/abi.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

/* Of newer headers than the ones metic is built with. */
enum {
    SETUP_NO_MMAP = 1 << 14,
    SETUP_REGISTERED_FD_ONLY = 1 << 15,
    SETUP_NO_SQARRAY = 1 << 16,
    ENTER_EXT_ARG_REG = 1 << 6,
    OP_EPOLL_WAIT = 59, /* would write the host's struct epoll_event whenever it is done */
    OP_NONE = 255,
};

#define REGISTER_USE_REGISTERED_RING (1u << 31)

struct uring {
    struct uring *next;
    int fd;              /* the descriptor it was set up with; -1: none */
    uint64_t inode;
    uint32_t setup;      /* IORING_SETUP_… as the guest gave them */
    struct io_sqring_offsets at;
    uint64_t ring, sqes; /* guest addresses; 0: not mapped */
};

/* The ring a thread knows by a number (IORING_REGISTER_RING_FDS). */
struct uring_index {
    struct uring_index *next;
    int tid;
    uint32_t index;
    struct uring *ring;
};

/* --- which ring --- */

static uint64_t inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) ? 0 : st.st_ino;
}

/* Under the process's lock. Kernels before 5.12 give all rings one inode: the descriptor tells, then. */
static struct uring *by_fd(const struct urings *u, int fd)
{
    uint64_t inode = u->rings ? inode_of(fd) : 0;
    struct uring *same_file = NULL;
    for (struct uring *r = inode ? u->rings : NULL; r; r = r->next) {
        if (r->inode == inode && r->fd == fd)
            return r;
        if (r->inode == inode)
            same_file = r;
    }
    return same_file;
}

static struct uring_index **by_index(struct urings *u, int tid, uint32_t index)
{
    struct uring_index **at = &u->indexes;
    while (*at && ((*at)->tid != tid || (*at)->index != index))
        at = &(*at)->next;
    return at;
}

/* A copy of what is known of the ring, as it is used without the lock. */
static bool find(struct task *t, uint32_t fd, bool registered, struct uring *out)
{
    struct urings *u = &t->process->urings;
    if (!u->rings)
        return false;
    pthread_mutex_lock(&t->process->lock);
    const struct uring_index *i = registered ? *by_index(u, gettid(), fd) : NULL;
    const struct uring *r = registered ? i ? i->ring : NULL : by_fd(u, (int)fd);
    if (r)
        *out = *r;
    pthread_mutex_unlock(&t->process->lock);
    return r;
}

static void drop_index(struct uring_index **at)
{
    struct uring_index *gone = *at;
    *at = gone->next;
    free(gone);
}

static void put_index(struct urings *u, uint32_t index, struct uring *r)
{
    struct uring_index **old = by_index(u, gettid(), index), *i = malloc(sizeof *i);
    if (*old)
        drop_index(old);
    if (!i)
        return;
    *i = (struct uring_index){u->indexes, gettid(), index, r};
    u->indexes = i;
}

/* The descriptor's number is another ring's now. */
static void forget_fd(struct urings *u, int fd)
{
    for (struct uring **at = &u->rings; *at;) {
        struct uring *r = *at;
        if (r->fd != fd) {
            at = &r->next;
            continue;
        }
        for (struct uring_index **i = &u->indexes; *i;)
            if ((*i)->ring == r)
                drop_index(i);
            else
                i = &(*i)->next;
        *at = r->next;
        free(r);
    }
}

static void set_need_wakeup(struct task *t, const struct uring *r)
{
    uint32_t flags = 0;
    if (!(r->setup & IORING_SETUP_SQPOLL) || !r->ring || get_user(t, flags, r->ring + r->at.flags))
        return;
    flags |= IORING_SQ_NEED_WAKEUP;
    put_user(t, flags, r->ring + r->at.flags);
}

void uring_mapped(struct task *t, int fd, uint64_t offset, uint64_t addr)
{
    struct urings *u = &t->process->urings;
    struct uring now = {0};
    if (!u->rings)
        return;
    pthread_mutex_lock(&t->process->lock);
    struct uring *r = by_fd(u, fd);
    if (r && offset == IORING_OFF_SQ_RING)
        r->ring = addr;
    if (r && offset == IORING_OFF_SQES)
        r->sqes = addr;
    if (r)
        now = *r;
    pthread_mutex_unlock(&t->process->lock);
    set_need_wakeup(t, &now);
}

int64_t sys_io_uring_setup(struct task *t, const uint64_t a[6])
{
    struct io_uring_params p;
    if (copy_from_guest(t, &p, a[1], sizeof p))
        return -EFAULT;
    uint32_t setup = p.flags;
    const uint32_t by_task = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_DEFER_TASKRUN;
    if (setup & IORING_SETUP_SQPOLL) {
        if (setup & by_task)
            return -EINVAL;
        p.flags &= ~(uint32_t)(IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF);
    }
    int64_t fd = host_call(SYS_io_uring_setup, a[0], &p);
    if (fd < 0)
        return fd;
    bool no_mmap = setup & SETUP_NO_MMAP, only_index = setup & SETUP_REGISTERED_FD_ONLY;
    p.flags = setup;
    struct uring *r = malloc(sizeof *r);
    if (r) {
        *r = (struct uring){
            .fd = only_index ? -1 : (int)fd,
            .inode = only_index ? 0 : inode_of((int)fd),
            .setup = setup,
            .at = p.sq_off,
            /* The guest's own memory: the kernel has a word for each that older headers call reserved. */
            .ring = no_mmap ? p.cq_off.resv2 : 0,
            .sqes = no_mmap ? p.sq_off.resv2 : 0,
        };
        pthread_mutex_lock(&t->process->lock);
        struct urings *u = &t->process->urings;
        if (only_index)
            put_index(u, (uint32_t)fd, r);
        else
            forget_fd(u, (int)fd);
        r->next = u->rings;
        u->rings = r;
        pthread_mutex_unlock(&t->process->lock);
        set_need_wakeup(t, r);
    }
    return copy_to_guest(t, a[1], &p, sizeof p) ? -EFAULT : fd;
}

/* --- entries that mean something else on the host --- */

/* A rewritten entry: what it was, and the host's form of what it points at, until the kernel has taken it. */
struct rewritten {
    struct rewritten *next;
    uint32_t position; /* in the submission queue, as its head and tail count */
    uint64_t at;       /* guest address */
    struct io_uring_sqe old;
    char path[PATH_MAX];
    struct open_how how;
    struct epoll_event event;
};

static void rewrite_path(struct task *t, struct rewritten *w, int dirfd, __u64 *addr, enum last_link last)
{
    *addr = host_path(t, dirfd, *addr, last, w->path);
}

static enum last_link last_of_open(uint64_t flags) { return flags & O_NOFOLLOW ? LAST_ITSELF : LAST_FOLLOWED; }

/* False: the entry is fine as it is. */
static bool rewrite(struct task *t, struct rewritten *w, struct io_uring_sqe *e)
{
    const struct syscall_abi *abi = t->abi->syscalls;
    struct guest_epoll_event event;
    switch (e->opcode) {
    case IORING_OP_OPENAT:
        e->open_flags = (uint32_t)flags_to_host(abi, SET_open, e->open_flags);
        rewrite_path(t, w, e->fd, &e->addr, last_of_open(e->open_flags));
        return true;
    case IORING_OP_OPENAT2:
        if (e->len != sizeof w->how || copy_from_guest(t, &w->how, e->addr2, sizeof w->how))
            return false;
        w->how.flags = flags_to_host(abi, SET_open, w->how.flags);
        e->addr2 = (uintptr_t)&w->how;
        if (!w->how.resolve)
            rewrite_path(t, w, e->fd, &e->addr, last_of_open(w->how.flags));
        return true;
    case IORING_OP_STATX:
        rewrite_path(t, w, e->fd, &e->addr, e->statx_flags & AT_SYMLINK_NOFOLLOW ? LAST_ITSELF : LAST_FOLLOWED);
        return true;
    case IORING_OP_GETXATTR:
        rewrite_path(t, w, AT_FDCWD, &e->addr3, LAST_FOLLOWED);
        return true;
    case IORING_OP_EPOLL_CTL:
        if (e->len == EPOLL_CTL_DEL || copy_from_guest(t, &event, e->addr, sizeof event))
            return false;
        struct_to_host(STRUCT_epoll_event, &w->event, &event);
        e->addr = (uintptr_t)&w->event;
        return true;
    case OP_EPOLL_WAIT:
        e->opcode = OP_NONE;
        return true;
    default:
        return false;
    }
}

static uint32_t ring_word(struct task *t, const struct uring *r, uint32_t offset)
{
    uint32_t v = 0;
    get_user(t, v, r->ring + offset);
    return __atomic_load_n(&v, __ATOMIC_ACQUIRE);
}

/* Rewrites what is needed of the first `submit` entries waiting; owned by the caller, newest first. */
static struct rewritten *rewrite_entries(struct task *t, const struct uring *r, uint32_t head, uint32_t submit)
{
    struct rewritten *list = NULL, *w = NULL;
    uint32_t mask = ring_word(t, r, r->at.ring_mask), size = r->setup & IORING_SETUP_SQE128 ? 128 : 64;
    for (uint32_t i = 0; i < submit; i++) {
        uint32_t position = head + i, entry = position & mask;
        struct io_uring_sqe e;
        if (!(r->setup & SETUP_NO_SQARRAY))
            entry = ring_word(t, r, r->at.array + 4 * entry);
        uint64_t at = r->sqes + (uint64_t)entry * size;
        if (entry > mask || copy_from_guest(t, &e, at, sizeof e) || (!w && !(w = malloc(sizeof *w))))
            continue;
        w->old = e;
        if (!rewrite(t, w, &e) || copy_to_guest(t, at, &e, sizeof e))
            continue;
        w->position = position;
        w->at = at;
        w->next = list;
        list = w;
        w = NULL;
    }
    free(w);
    return list;
}

/* Entries that the kernel has not taken get their old form back. */
static void end_rewriting(struct task *t, const struct uring *r, struct rewritten *list, uint32_t submit)
{
    uint32_t head = list ? ring_word(t, r, r->at.head) : 0;
    while (list) {
        struct rewritten *w = list;
        if (list->position - head < submit)
            copy_to_guest(t, w->at, &w->old, sizeof w->old);
        list = w->next;
        free(w);
    }
}

int64_t sys_io_uring_enter(struct task *t, const uint64_t a[6])
{
    struct uring r;
    uint32_t submit = (uint32_t)a[1], flags = (uint32_t)a[3];
    if (!find(t, (uint32_t)a[0], flags & IORING_ENTER_REGISTERED_RING, &r) || !r.ring || !r.sqes)
        return safe_syscall(t, SYS_io_uring_enter, a[0], a[1], a[2], a[3], a[4], a[5]);
    bool polled = r.setup & IORING_SETUP_SQPOLL;
    uint32_t head = ring_word(t, &r, r.at.head), waiting = ring_word(t, &r, r.at.tail) - head;
    uint32_t entries = ring_word(t, &r, r.at.ring_entries);
    waiting = waiting < entries ? waiting : entries;
    if (polled) {
        submit = waiting;
        flags &= ~(uint32_t)(IORING_ENTER_SQ_WAKEUP | IORING_ENTER_SQ_WAIT);
    }
    uint32_t taken = submit < waiting ? submit : waiting;
    struct rewritten *list = rewrite_entries(t, &r, head, taken);
    int64_t ret = safe_syscall(t, SYS_io_uring_enter, a[0], submit, a[2], flags, a[4], a[5]);
    end_rewriting(t, &r, list, taken);
    return polled && ret >= 0 ? (int64_t)(uint32_t)a[1] : ret;
}

int64_t sys_io_uring_register(struct task *t, const uint64_t a[6])
{
    uint32_t op = (uint32_t)a[1] & ~REGISTER_USE_REGISTERED_RING;
    struct urings *u = &t->process->urings;
    int64_t ret = host_call(SYS_io_uring_register, a[0], a[1], a[2], a[3]);
    bool added = op == IORING_REGISTER_RING_FDS;
    if (ret <= 0 || !(added || op == IORING_UNREGISTER_RING_FDS))
        return ret;
    for (int64_t i = 0; i < ret; i++) {
        struct io_uring_rsrc_update update;
        if (copy_from_guest(t, &update, a[2] + (uint64_t)i * sizeof update, sizeof update))
            break;
        pthread_mutex_lock(&t->process->lock);
        struct uring *r = added ? by_fd(u, (int)update.data) : NULL;
        struct uring_index **old = by_index(u, gettid(), update.offset);
        if (r)
            put_index(u, update.offset, r);
        else if (*old)
            drop_index(old);
        pthread_mutex_unlock(&t->process->lock);
    }
    return ret;
}
