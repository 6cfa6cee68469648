/*
 * Calls on memory beyond mmap's own: seals, advice (also for another process), pages in memory, memory of other
 * processes, secret memory, faults handled by the program itself, locks. A call that the kernel lacks is left out.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS, SYS_MSEAL = 462 };
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static char *map(unsigned pages, int prot)
{
    char *p = mmap(NULL, pages * PAGE, prot, ANON, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

static void seals(void)
{
    char *p = map(8, RW);
    if (syscall(SYS_MSEAL, p, 0, 0) < 0 && errno == ENOSYS)
        return;
    FAILS(syscall(SYS_MSEAL, p, PAGE, 1), EINVAL);
    CHECK(munmap(p + 5 * PAGE, PAGE) == 0);
    CHECK(syscall(SYS_MSEAL, p + 2 * PAGE, 2 * PAGE - 100, 0) == 0 && syscall(SYS_MSEAL, p + 2 * PAGE, PAGE, 0) == 0);
    FAILS(syscall(SYS_MSEAL, p + 1, PAGE, 0), EINVAL);
    FAILS(syscall(SYS_MSEAL, p + 4 * PAGE, 4 * PAGE, 0), ENOMEM);
    FAILS(syscall(SYS_MSEAL, p, -1UL, 0), EINVAL);
    CHECK(syscall(SYS_MSEAL, p, 0, 0) == 0);
    FAILS(munmap(p, 4 * PAGE), EPERM);
    p[0] = p[2 * PAGE] = 5; /* nothing of it has gone */
    FAILS(mprotect(p + PAGE, 2 * PAGE, PROT_READ), EPERM);
    FAILS((intptr_t)mmap(p + 3 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), EPERM);
    FAILS((intptr_t)mremap(p + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EPERM);
    FAILS((intptr_t)mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 3 * PAGE), EPERM);
    CHECK(madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED) == 0); /* what may be written may be dropped */
    CHECK(p[2 * PAGE] == 0 && munmap(p, 2 * PAGE) == 0 && munmap(p + 6 * PAGE, 2 * PAGE) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        FAILS(munmap(p + 2 * PAGE, PAGE), EPERM);
        _exit(failures != 0);
    }
    CHECK(code_of(pid) == 0);
}

static void advice(void)
{
    char *p = map(6, RW);
    unsigned char in[6];
    memset(p, 7, 6 * PAGE);
    CHECK(mincore(p, 6 * PAGE, in) == 0 && in[0] & 1 && in[5] & 1);
    FAILS(mincore(p + 1, PAGE, in), EINVAL);
    FAILS(mincore(p, PAGE, BAD_POINTER), EFAULT);
    FAILS(mincore(p, -4096UL, in), ENOMEM);
    CHECK(mincore(p, 0, in) == 0);
    /* A child without a page, with an empty one. */
    CHECK(madvise(p + PAGE, PAGE, MADV_DONTFORK) == 0 && madvise(p + 2 * PAGE, PAGE, MADV_WIPEONFORK) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        FAILS(mincore(p + PAGE, PAGE, in), ENOMEM);
        CHECK(p[0] == 7 && p[2 * PAGE] == 0 && p[3 * PAGE] == 7);
        CHECK(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + PAGE);
        _exit(failures != 0);
    }
    CHECK(code_of(pid) == 0);
    CHECK(madvise(p + PAGE, PAGE, MADV_DOFORK) == 0 && madvise(p + 2 * PAGE, PAGE, MADV_KEEPONFORK) == 0);
    pid = fork();
    if (pid == 0)
        _exit(p[PAGE] == 7 && p[2 * PAGE] == 7 ? 3 : 1);
    CHECK(code_of(pid) == 3);
    CHECK(madvise(p, 3 * PAGE, MADV_DONTNEED) == 0 && p[0] == 0 && p[3 * PAGE] == 7);
    FAILS(madvise(p, PAGE, 12345), EINVAL);
    FAILS(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK(madvise(p, 0, MADV_DONTNEED) == 0);
    if (madvise(p, PAGE, MADV_POPULATE_WRITE) == 0)
        CHECK(mincore(p, PAGE, in) == 0 && in[0] & 1);
    /* Advice by descriptor: for oneself and for a child. */
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    struct iovec v[2] = {{p, PAGE}, {p + 3 * PAGE, 2 * PAGE}};
    if (fd >= 0 && syscall(SYS_process_madvise, fd, v, 2, MADV_COLD, 0) >= 0) {
        CHECK(syscall(SYS_process_madvise, fd, v, 2, MADV_COLD, 0) == 3 * PAGE && p[3 * PAGE] == 7);
        FAILS(syscall(SYS_process_madvise, fd, v, 2, MADV_COLD, 1), EINVAL);
        FAILS(syscall(SYS_process_madvise, fd, v, 2, 12345, 0), EINVAL);
        FAILS(syscall(SYS_process_madvise, fd, BAD_POINTER, 2, MADV_COLD, 0), EFAULT);
        FAILS(syscall(SYS_process_madvise, -1, v, 2, MADV_COLD, 0), EBADF);
    }
    close(fd);
    CHECK(mlock(p, PAGE) == 0 && munlock(p, PAGE) == 0 && syscall(SYS_mlock2, p, PAGE, 1) == 0);
    FAILS(syscall(SYS_mlock2, p, PAGE, 2), EINVAL);
    munmap(p, 6 * PAGE);
    FAILS(mlock(p, PAGE), ENOMEM);
    FAILS(madvise(p, PAGE, MADV_DONTNEED), ENOMEM);
}

static void other_memory(void)
{
    static char text[32] = "in the parent";
    char got[32] = "";
    int ready[2], done[2];
    CHECK(pipe(ready) == 0 && pipe(done) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        strcpy(text, "in the child");
        CHECK(write(ready[1], "x", 1) == 1 && read(done[0], &c, 1) == 1);
        _exit(strcmp(text, "from outside") != 0);
    }
    char c;
    CHECK(read(ready[0], &c, 1) == 1);
    struct iovec here = {got, sizeof got}, there = {text, sizeof text}, bad = {BAD_POINTER, 8};
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof text) { /* else it is forbidden */
        CHECK(!strcmp(got, "in the child") && !strcmp(text, "in the parent"));
        strcpy(got, "from outside");
        CHECK(process_vm_writev(pid, &here, 1, &there, 1, 0) == sizeof text);
        FAILS(process_vm_readv(pid, &here, 1, &bad, 1, 0), EFAULT);
        FAILS(process_vm_readv(pid, &here, 1, &there, 1, 1), EINVAL);
        struct iovec two[2] = {{text, 8}, bad};
        CHECK(process_vm_readv(pid, &here, 1, two, 2, 0) == 8); /* as far as it went */
    } else {
        strcpy(got, "from outside");
        kill(pid, SIGKILL);
    }
    CHECK(write(done[1], "x", 1) == 1);
    code_of(pid);
    FAILS(process_vm_readv(pid, &here, 1, &there, 1, 0), ESRCH);
    close(ready[0]);
    close(ready[1]);
    close(done[0]);
    close(done[1]);
}

static void secret(void)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd >= 0) {
        CHECK(ftruncate(fd, 2 * PAGE) == 0);
        char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
        CHECK(p != MAP_FAILED);
        strcpy(p + PAGE, "secret");
        int pipes[2];
        CHECK(!strcmp(p + PAGE, "secret") && pipe(pipes) == 0 && write(pipes[1], p + PAGE, 7) == 7);
        close(pipes[0]);
        close(pipes[1]);
        munmap(p, 2 * PAGE);
        close(fd);
    }
    FAILS(syscall(SYS_memfd_secret, 0x40), errno == ENOSYS ? ENOSYS : EINVAL);
    fd = memfd_create("metic", MFD_ALLOW_SEALING);
    CHECK(fd >= 0 && ftruncate(fd, PAGE) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE) == 0);
    FAILS(ftruncate(fd, 0), EPERM);
    FAILS((intptr_t)mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && munmap(p, PAGE) == 0);
    close(fd);
    FAILS(memfd_create("metic", 0x10000), EINVAL);
}

/* Pages that a thread of the program fills when they are first touched, by its code and by the kernel for it. */
struct filler {
    int fd;
    char *start;
    int n;
};

static void *fill(void *arg)
{
    struct filler *f = arg;
    static char page[PAGE] __attribute__((aligned(4096)));
    for (int i = 0; i < f->n; i++) {
        struct uffd_msg m;
        if (read(f->fd, &m, sizeof m) != sizeof m || m.event != UFFD_EVENT_PAGEFAULT)
            break;
        uint64_t at = m.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
        memset(page, (int)('a' + (at - (uintptr_t)f->start) / PAGE), PAGE);
        struct uffdio_copy c = {.dst = at, .src = (uintptr_t)page, .len = PAGE};
        CHECK(ioctl(f->fd, UFFDIO_COPY, &c) == 0 && c.copy == PAGE);
    }
    return NULL;
}

static void own_faults(void)
{
    struct filler f = {.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC), .n = 4};
    if (f.fd < 0)
        return;
    struct uffdio_api api = {.api = UFFD_API};
    CHECK(ioctl(f.fd, UFFDIO_API, &api) == 0 && api.ioctls);
    f.start = map(6, RW);
    struct uffdio_register r = {.range = {(uintptr_t)f.start, 4 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    CHECK(ioctl(f.fd, UFFDIO_REGISTER, &r) == 0);
    pthread_t t;
    int p[2];
    char buf[8];
    CHECK(pthread_create(&t, NULL, fill, &f) == 0 && pipe(p) == 0);
    CHECK(f.start[0] == 'a');
    f.start[PAGE] = 'x';
    CHECK(f.start[PAGE] == 'x' && f.start[PAGE + 1] == 'b');
    CHECK(write(p[1], f.start + 2 * PAGE, 4) == 4 && read(p[0], buf, 4) == 4 && !memcmp(buf, "cccc", 4));
    /* A path in it, which metic itself reads. */
    f.start[3 * PAGE - 1] = '/';
    CHECK(access(f.start + 3 * PAGE - 1, F_OK) < 0);
    CHECK(f.start[3 * PAGE] == 'd' && f.start[4 * PAGE] == 0);
    pthread_join(t, NULL);
    close(p[0]);
    close(p[1]);
    close(f.fd);
    munmap(f.start, 6 * PAGE);
}

static void moving(void)
{
    char *p = map(4, RW), *q = map(8, PROT_NONE);
    memset(p, 1, 4 * PAGE);
    FAILS((intptr_t)mremap(p, PAGE, 2 * PAGE, 0), ENOMEM);
    FAILS((intptr_t)mremap(p + 1, PAGE, PAGE, 0), EINVAL);
    FAILS((intptr_t)mremap(p, PAGE, 0, 0), EINVAL);
    FAILS((intptr_t)mremap(p, PAGE, PAGE, 8), EINVAL);
    FAILS((intptr_t)mremap(p, PAGE, PAGE, MREMAP_FIXED, q), EINVAL);
    FAILS((intptr_t)mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL);
    char *r = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE);
    CHECK(r == q + PAGE && r[0] == 1 && r[2 * PAGE - 1] == 1);
    unsigned char in[1];
    FAILS(mincore(p, PAGE, in), ENOMEM);
    CHECK(mincore(q, PAGE, in) == 0 && mincore(q + 3 * PAGE, PAGE, in) == 0);
    FAILS((intptr_t)mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
    munmap(p, 4 * PAGE);
    munmap(q, 8 * PAGE);
}

/* Pages of a file in another order. */
static void reordered(void)
{
    int fd = memfd_create("metic", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0), *own = map(1, RW);
    CHECK(p != MAP_FAILED);
    for (int i = 0; i < 4; i++)
        p[i * PAGE] = (char)('a' + i);
    if (syscall(SYS_remap_file_pages, p, PAGE, 0, 3, 0) == 0 || errno != ENOSYS) {
        CHECK(p[0] == 'd' && p[PAGE] == 'b' && p[3 * PAGE] == 'd');
        p[0] = 'x';
        CHECK(p[3 * PAGE] == 'x');
        FAILS(syscall(SYS_remap_file_pages, p, PAGE, PROT_READ, 0, 0), EINVAL);
        FAILS(syscall(SYS_remap_file_pages, own, PAGE, 0, 0, 0), EINVAL);
        FAILS(syscall(SYS_remap_file_pages, p, 0, 0, 0, 0), EINVAL);
    }
    munmap(p, 4 * PAGE);
    munmap(own, PAGE);
    close(fd);
}

/* As processors with Sv39 have it, which some programs take for granted. */
static void address_space(void)
{
#if __riscv_xlen == 64
    const uint64_t end = UINT64_C(1) << 38;
    int local;
    char *p = map(1, PROT_READ);
    CHECK((uintptr_t)p < end && (uintptr_t)&local < end);
    munmap(p, PAGE);
    p = mmap((void *)(uintptr_t)end, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && (uintptr_t)p < end);
    munmap(p, PAGE);
    FAILS((intptr_t)mmap((void *)(uintptr_t)end, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
    FAILS((intptr_t)mmap(NULL, end, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), ENOMEM);
#endif
}

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* As many mappings as the kernel allows, by dividing one. The program goes on, with code that has not run before, too. */
static void all_there_are(void)
{
    enum { MOST = 80000 };
    size_t n = 0;
    int numbers[100], status;
    unsigned long allowed = 0;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
    bool known = f && fscanf(f, "%lu", &allowed) == 1;
    if (f)
        fclose(f);
    if (!known || allowed > MOST)
        return;
    char *p = mmap(NULL, MOST * (size_t)PAGE * 2, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED);
    while (n < MOST && !mprotect(p + 2 * n * PAGE, PAGE, PROT_READ))
        n++;
    const int error = errno;
    CHECK(error == ENOMEM && n > allowed / 2 - 1000 && n < MOST);
    FAILS(munmap(p + (2 * n + 2) * PAGE, PAGE), ENOMEM); /* would divide */
    for (int i = 0; i < 100; i++)
        numbers[i] = i * 37 % 100;
    qsort(numbers, 100, sizeof numbers[0], by_value);
    CHECK(numbers[0] == 0 && numbers[99] == 99);
    pid_t pid = fork();
    if (pid == 0)
        _exit(strtol("42", NULL, 10) == 42 && snprintf((char *)numbers, sizeof numbers, "%a %g", 0.1, 1e300) > 0 ? 5 : 1);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 5);
    CHECK(munmap(p + 2 * PAGE, 1000 * PAGE) == 0);
    char *q = mmap(NULL, PAGE, RW, ANON, -1, 0);
    CHECK(q != MAP_FAILED && (*q = 1) && munmap(q, PAGE) == 0 && munmap(p, MOST * (size_t)PAGE * 2) == 0);
}

int main(void)
{
    address_space();
    all_there_are();
    reordered();
    seals();
    advice();
    other_memory();
    secret();
    own_faults();
    moving();
    DONE();
}
