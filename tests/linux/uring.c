/*
 * io_uring by its three system calls alone, and Linux aio: rings mapped by the kernel, requests of each kind that need
 * translation and some that don't, polling threads, registered rings, bad arguments.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

struct ring {
    int fd;
    struct io_uring_params p;
    char *sq, *cq;
    struct io_uring_sqe *sqes;
};

static uint32_t *word(char *ring, uint32_t offset) { return (uint32_t *)(void *)(ring + offset); }

static bool ring_open(struct ring *r, unsigned entries, uint32_t setup)
{
    *r = (struct ring){.p.flags = setup, .p.sq_thread_idle = 50};
    r->fd = (int)syscall(SYS_io_uring_setup, entries, &r->p);
    if (r->fd < 0)
        return false;
    CHECK(r->p.features & IORING_FEAT_SINGLE_MMAP && r->p.flags == setup && r->p.sq_entries >= entries);
    size_t sq = r->p.sq_off.array + r->p.sq_entries * 4, cq = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
    r->sq = r->cq = mmap(NULL, sq > cq ? sq : cq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
    r->sqes = mmap(NULL, r->p.sq_entries * sizeof *r->sqes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
                   IORING_OFF_SQES);
    CHECK(r->sq != MAP_FAILED && r->sqes != MAP_FAILED);
    return true;
}

static void ring_close(struct ring *r)
{
    munmap(r->sqes, r->p.sq_entries * sizeof *r->sqes);
    close(r->fd);
}

static struct io_uring_sqe *put(struct ring *r, uint8_t opcode, int fd, const void *addr, uint32_t len, uint64_t off, uint64_t tag)
{
    uint32_t *tail = word(r->sq, r->p.sq_off.tail), at = *tail & *word(r->sq, r->p.sq_off.ring_mask);
    struct io_uring_sqe *e = &r->sqes[at];
    memset(e, 0, sizeof *e);
    e->opcode = opcode;
    e->fd = fd;
    e->addr = (uintptr_t)addr;
    e->len = len;
    e->off = off;
    e->user_data = tag;
    word(r->sq, r->p.sq_off.array)[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    return e;
}

/* The kernel is entered as a library would: only when the polling thread sleeps. */
static int submit(struct ring *r, unsigned n, unsigned wait)
{
    unsigned flags = wait ? IORING_ENTER_GETEVENTS : 0;
    if (r->p.flags & IORING_SETUP_SQPOLL) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (*(volatile uint32_t *)word(r->sq, r->p.sq_off.flags) & IORING_SQ_NEED_WAKEUP)
            flags |= IORING_ENTER_SQ_WAKEUP;
    }
    return (int)syscall(SYS_io_uring_enter, r->fd, n, wait, flags, NULL, 0);
}

/* The next completion's result; its tag must be the one given. */
static int result(struct ring *r, uint64_t tag)
{
    uint32_t *head = word(r->cq, r->p.cq_off.head), *tail = word(r->cq, r->p.cq_off.tail);
    for (int i = 0; __atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head && i < 1000; i++)
        syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    struct io_uring_cqe *c = (struct io_uring_cqe *)(void *)(r->cq + r->p.cq_off.cqes) + (*head & *word(r->cq, r->p.cq_off.ring_mask));
    int res = c->res;
    CHECK(c->user_data == tag);
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return res;
}

static int one(struct ring *r, uint64_t tag)
{
    CHECK(submit(r, 1, 1) == 1);
    return result(r, tag);
}

static void requests(uint32_t setup)
{
    struct ring r;
    char folder[] = "/tmp/metic-uring-XXXXXX", path[64], buf[64] = "";
    if (!ring_open(&r, 8, setup))
        return;
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);

    put(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
    CHECK(one(&r, 1) == 0);
    /* O_ values that differ between architectures. */
    put(&r, IORING_OP_OPENAT, AT_FDCWD, folder, 0, 0, 2)->open_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int dir = one(&r, 2);
    CHECK(dir >= 0);
    put(&r, IORING_OP_OPENAT, dir, "file", 0600, 0, 3)->open_flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    int fd = one(&r, 3);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    put(&r, IORING_OP_OPENAT, dir, "file", 0, 0, 4)->open_flags = O_RDONLY | O_DIRECTORY;
    CHECK(one(&r, 4) == -ENOTDIR);
    CHECK(symlinkat("file", dir, "link") == 0);
    put(&r, IORING_OP_OPENAT, dir, "link", 0, 0, 5)->open_flags = O_RDONLY | O_NOFOLLOW;
    CHECK(one(&r, 5) == -ELOOP);
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_RDONLY | O_DIRECTORY, 0, 0};
    put(&r, IORING_OP_OPENAT2, dir, "file", sizeof how, (uintptr_t)&how, 6);
    CHECK(one(&r, 6) == -ENOTDIR);
    /* Reading and writing, several at once. */
    struct iovec v[2] = {{"ab", 2}, {"cdef", 4}};
    put(&r, IORING_OP_WRITEV, fd, v, 2, 0, 7);
    CHECK(one(&r, 7) == 6);
    put(&r, IORING_OP_WRITE, fd, "ghi", 3, 6, 8);
    CHECK(one(&r, 8) == 3);
    put(&r, IORING_OP_READ, fd, buf, sizeof buf, 0, 9);
    CHECK(one(&r, 9) == 9 && !strcmp(buf, "abcdefghi"));
    put(&r, IORING_OP_READ, fd, BAD_POINTER, 8, 0, 10);
    CHECK(one(&r, 10) == -EFAULT);
    struct statx sx = {0};
    put(&r, IORING_OP_STATX, AT_FDCWD, path, STATX_SIZE, (uintptr_t)&sx, 11);
    CHECK(one(&r, 11) == 0 && sx.stx_size == 9);
    /* epoll's event has another layout on x86-64. */
    int epfd = epoll_create1(EPOLL_CLOEXEC), efd = eventfd(1, EFD_CLOEXEC);
    struct epoll_event event = {EPOLLIN, {.u64 = 0x1122334455667788}}, got = {0};
    put(&r, IORING_OP_EPOLL_CTL, epfd, &event, EPOLL_CTL_ADD, (uint64_t)efd, 12);
    CHECK(one(&r, 12) == 0 && epoll_wait(epfd, &got, 1, 0) == 1 && got.data.u64 == event.data.u64 && got.events == EPOLLIN);
    put(&r, IORING_OP_EPOLL_CTL, epfd, NULL, EPOLL_CTL_DEL, (uint64_t)efd, 13);
    CHECK(one(&r, 13) == 0 && epoll_wait(epfd, &got, 1, 0) == 0);
    put(&r, IORING_OP_EPOLL_CTL, epfd, BAD_POINTER, EPOLL_CTL_ADD, (uint64_t)efd, 14);
    CHECK(one(&r, 14) == -EFAULT);
    /* Waiting: a poll that another request makes ready, a time-out, sockets. */
    int s[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    put(&r, IORING_OP_RECV, s[0], buf, sizeof buf, 0, 15);
    put(&r, IORING_OP_SEND, s[1], "hello", 6, 0, 16);
    CHECK(submit(&r, 2, 2) == 2);
    uint64_t a = 16, b = 15;
    struct io_uring_cqe *first = (struct io_uring_cqe *)(void *)(r.cq + r.p.cq_off.cqes) +
                                 (*word(r.cq, r.p.cq_off.head) & *word(r.cq, r.p.cq_off.ring_mask));
    if (first->user_data == 15)
        a = 15, b = 16;
    CHECK(result(&r, a) == 6 && result(&r, b) == 6 && !strcmp(buf, "hello"));
    struct {
        int64_t sec, nsec;
    } ts = {0, 2000000};
    put(&r, IORING_OP_TIMEOUT, -1, &ts, 1, 0, 17);
    CHECK(one(&r, 17) == -ETIME);
    put(&r, 255, -1, NULL, 0, 0, 18);
    CHECK(one(&r, 18) == -EINVAL);
    put(&r, IORING_OP_CLOSE, fd, NULL, 0, 0, 19);
    CHECK(one(&r, 19) == 0);
    FAILS(close(fd), EBADF);

    /* A ring by its registered number. */
    struct io_uring_rsrc_update update = {.offset = ~0u, .data = (uint64_t)r.fd};
    CHECK(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_RING_FDS, &update, 1) == 1);
    put(&r, IORING_OP_OPENAT, AT_FDCWD, folder, 0, 0, 20)->open_flags = O_RDONLY | O_DIRECTORY;
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING;
    if (setup & IORING_SETUP_SQPOLL)
        flags |= IORING_ENTER_SQ_WAKEUP;
    CHECK(syscall(SYS_io_uring_enter, update.offset, 1, 1, flags, NULL, 0) == 1);
    int again = result(&r, 20);
    CHECK(again >= 0 && close(again) == 0);
    update.data = 0;
    CHECK(syscall(SYS_io_uring_register, r.fd, IORING_UNREGISTER_RING_FDS, &update, 1) == 1);
    CHECK(syscall(SYS_io_uring_enter, update.offset, 0, 1, flags, NULL, 0) < 0); /* EBADF, on older kernels EINVAL */

    unlinkat(dir, "file", 0);
    unlinkat(dir, "link", 0);
    rmdir(folder);
    close(dir);
    close(epfd);
    close(efd);
    close(s[0]);
    close(s[1]);
    ring_close(&r);
}

/* A wait that ends by a signal, under a mask of its own, or by its time. */
static volatile int caught;
static void on_signal(int signo) { caught++; }

static void waiting(void)
{
    struct ring r;
    if (!ring_open(&r, 4, 0))
        return;
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGALRM, &sa, NULL);
    timer_t timer;
    struct itimerspec soon = {.it_value = {0, 20000000}};
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0);
    FAILS(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0), EINTR);
    CHECK(caught == 1);
    /* Blocked, but not during the wait. */
    sigset_t block, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    CHECK(sigprocmask(SIG_BLOCK, &block, NULL) == 0 && timer_settime(timer, 0, &soon, NULL) == 0);
    FAILS(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS, &none, 8), EINTR);
    CHECK(caught == 2);
    struct {
        uint64_t sigmask;
        uint32_t size, pad;
        uint64_t ts;
    } arg = {(uintptr_t)&none, 8, 0, 0};
    CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
    FAILS(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof arg), EINTR);
    CHECK(caught == 3);
    struct timespec ts = {0, 3000000};
    arg.sigmask = 0;
    arg.ts = (uintptr_t)&ts;
    FAILS(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof arg), ETIME);
    FAILS(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS, &none, 4), EINVAL);
    FAILS(syscall(SYS_io_uring_enter, r.fd, 0, 0, 0x80000000, NULL, 0), EINVAL);
    FAILS(syscall(SYS_io_uring_enter, 0, 0, 0, 0, NULL, 0), EOPNOTSUPP);
    FAILS(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0), EBADF);
    FAILS(syscall(SYS_io_uring_setup, 4, BAD_POINTER), EFAULT);
    struct io_uring_params p = {.flags = IORING_SETUP_SQ_AFF};
    FAILS(syscall(SYS_io_uring_setup, 4, &p), EINVAL);
    p.flags = 0;
    FAILS(syscall(SYS_io_uring_setup, 0, &p), EINVAL);
    FAILS(syscall(SYS_io_uring_register, r.fd, 0x7fff, NULL, 0), EINVAL);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    timer_delete(timer);
    ring_close(&r);
}

/* Many requests from one thread while another takes the completions; fixed buffers. */
enum { ROUNDS = 2000 };

static void *taker(void *arg)
{
    struct ring *r = arg;
    uint64_t sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t *head = word(r->cq, r->p.cq_off.head), *tail = word(r->cq, r->p.cq_off.tail);
        while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head)
            syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        struct io_uring_cqe *c = (struct io_uring_cqe *)(void *)(r->cq + r->p.cq_off.cqes) +
                                 (*head & *word(r->cq, r->p.cq_off.ring_mask));
        sum += c->user_data + (uint64_t)c->res;
        __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    }
    return (void *)(uintptr_t)sum;
}

static void many(void)
{
    struct ring r;
    static char buf[4096];
    if (!ring_open(&r, 16, 0))
        return;
    struct iovec fixed = {buf, sizeof buf};
    CHECK(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, &fixed, 1) == 0);
    int zero = open("/dev/zero", O_RDONLY);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, taker, &r) == 0);
    uint64_t expected = 0;
    for (unsigned i = 0; i < ROUNDS;) {
        unsigned n = 0;
        for (; n < 8 && i < ROUNDS; n++, i++) {
            put(&r, i % 2 ? IORING_OP_READ_FIXED : IORING_OP_READ, zero, buf, 100 + i % 10, 0, i);
            expected += i + 100 + i % 10;
        }
        CHECK(submit(&r, n, 0) == (int)n);
        while (*word(r.cq, r.p.cq_off.tail) - *(volatile uint32_t *)word(r.cq, r.p.cq_off.head) > 8)
            sched_yield();
    }
    void *sum;
    CHECK(pthread_join(t, &sum) == 0 && (uintptr_t)sum == expected);
    close(zero);
    ring_close(&r);
}

/* A ring shared with a child. */
static void inherited(void)
{
    struct ring r;
    if (!ring_open(&r, 4, 0))
        return;
    pid_t pid = fork();
    if (pid == 0) {
        put(&r, IORING_OP_OPENAT, AT_FDCWD, "/", 0, 0, 1)->open_flags = O_RDONLY | O_DIRECTORY;
        int fd = one(&r, 1);
        _exit(fd < 0 || failures);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    ring_close(&r);
}

static void aio(void)
{
    aio_context_t ctx = 0;
    if (syscall(SYS_io_setup, 8, &ctx) < 0) {
        CHECK(errno == ENOSYS);
        return;
    }
    char name[] = "/tmp/metic-aio-XXXXXX", buf[16] = "";
    int fd = mkstemp(name), efd = eventfd(0, 0);
    struct iocb w = {.aio_data = 7, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)"written",
                     .aio_nbytes = 8, .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = (uint32_t)efd};
    struct iocb rd = {.aio_data = 8, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)buf,
                      .aio_nbytes = 16}, *list[2] = {&w, &rd};
    struct io_event e[4];
    uint64_t count;
    CHECK(fd >= 0 && syscall(SYS_io_submit, ctx, 1, list) == 1);
    CHECK(syscall(SYS_io_getevents, ctx, 1, 4, e, NULL) == 1 && e[0].data == 7 && e[0].res == 8 && e[0].obj == (uintptr_t)&w);
    CHECK(read(efd, &count, 8) == 8 && count == 1);
    /* The context is a ring that libraries look at without a call. */
    struct {
        unsigned id, nr, head, tail, magic;
    } *ring = (void *)ctx;
    CHECK(ring->magic == 0xa10a10a1 && ring->head == ring->tail);
    CHECK(syscall(SYS_io_submit, ctx, 1, list + 1) == 1);
    struct timespec ts = {5, 0};
    sigset_t none;
    sigemptyset(&none);
    struct {
        const sigset_t *set;
        size_t size;
    } mask = {&none, 8};
    CHECK(syscall(SYS_io_pgetevents, ctx, 1, 4, e, &ts, &mask) == 1 && e[0].data == 8 && e[0].res == 8 && !strcmp(buf, "written"));
    ts = (struct timespec){0, 1000000};
    CHECK(syscall(SYS_io_getevents, ctx, 1, 1, e, &ts) == 0);
    FAILS(syscall(SYS_io_submit, ctx, 1, BAD_POINTER), EFAULT);
    FAILS(syscall(SYS_io_submit, ctx + 4096 * 100, 1, list), EINVAL);
    CHECK(syscall(SYS_io_destroy, ctx) == 0);
    FAILS(syscall(SYS_io_destroy, ctx), EINVAL);
    close(fd);
    close(efd);
    unlink(name);
}

int main(void)
{
    struct io_uring_params p = {0};
    int fd = (int)syscall(SYS_io_uring_setup, 4, &p);
    if (fd >= 0) { /* else the system forbids it */
        close(fd);
        requests(0);
        requests(IORING_SETUP_SQPOLL);
        waiting();
        many();
        inherited();
    }
    aio();
    DONE();
}
