/* Memory: mmap and its relatives, their errors, protection, brk, shared memory, what /proc/self/maps says about it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static void *map(void *at, size_t pages, int prot, int flags)
{
    return mmap(at, pages * PAGE, prot, flags, -1, 0);
}

/* --- faults --- */

static sigjmp_buf back;
static volatile int fault_signo, fault_code;
static void *volatile fault_at;

static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)context;
    fault_signo = signo;
    fault_code = info->si_code;
    fault_at = info->si_addr;
    siglongjmp(back, 1);
}

/* True if reading (or writing) the byte raises the signal with this code and address. */
static bool faults(volatile char *p, bool write, int signo, int code)
{
    fault_signo = 0;
    if (!sigsetjmp(back, 1)) {
        if (write)
            *p = 1;
        else
            (void)*p;
    }
    return fault_signo == signo && fault_code == code && fault_at == p;
}

static void protection(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    char *p = map(NULL, 3, RW, ANON);
    CHECK(p != MAP_FAILED);
    memset(p, 1, 3 * PAGE);
    CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
    CHECK(faults(p + PAGE, true, SIGSEGV, SEGV_ACCERR) && p[PAGE] == 1);
    CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
    CHECK(faults(p + PAGE + 17, false, SIGSEGV, SEGV_ACCERR));
    CHECK(munmap(p + PAGE, PAGE) == 0);
    CHECK(faults(p + PAGE, false, SIGSEGV, SEGV_MAPERR));
    CHECK(faults((char *)BAD_POINTER, true, SIGSEGV, SEGV_MAPERR));
    FAILS(mprotect(p, 3 * PAGE, PROT_READ), ENOMEM);
    CHECK(faults(p, true, SIGSEGV, SEGV_ACCERR)); /* what lies before the hole has changed */
    p[2 * PAGE] = 2;
    FAILS(mprotect(p + 1, PAGE, RW), EINVAL);
    FAILS(mprotect(p, PAGE, 0x1000), EINVAL);
    CHECK(mprotect(p, 0, RW) == 0);
    CHECK(munmap(p, 3 * PAGE) == 0);

    /* Behind the end of a file. */
    int fd = memfd_create("short", 0);
    CHECK(ftruncate(fd, 100) == 0);
    p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && p[PAGE - 1] == 0);
    CHECK(faults(p + PAGE, false, SIGBUS, BUS_ADRERR));
    CHECK(faults(p + PAGE + 8, true, SIGBUS, BUS_ADRERR));
    FAILS(write(fd, p + PAGE, 1), EFAULT);
    munmap(p, 2 * PAGE);
    close(fd);
}

/*
 * mlockall, for a process that has a limit: what it maps later counts, and fails, until munlockall; nothing of it is
 * inherited.
 */
static void lock_all(void)
{
    enum { MANY = 64 };
    pid_t pid = fork();
    if (!pid) {
        struct rlimit little = {MANY / 2 * PAGE, MANY / 2 * PAGE};
        if (setrlimit(RLIMIT_MEMLOCK, &little) || (!getuid() && setuid(65534)))
            _exit(1);
        errno = 0;
        if (mlockall(0) != -1 || errno != EINVAL || mlockall(MCL_CURRENT) != -1 || errno != ENOMEM || mlockall(MCL_FUTURE))
            _exit(2);
        char *p = map(NULL, MANY / 4, RW, ANON);
        unsigned char in[MANY / 4];
        if (p == MAP_FAILED || mincore(p, MANY / 4 * PAGE, in) || !(in[MANY / 4 - 1] & 1))
            _exit(3);
        if (map(NULL, MANY, RW, ANON) != MAP_FAILED || errno != EAGAIN)
            _exit(4);
        if (!fork())
            _exit(map(NULL, MANY, RW, ANON) == MAP_FAILED);
        int status;
        if (wait(&status) < 0 || status)
            _exit(5);
        _exit(munlockall() || map(NULL, MANY, RW, ANON) == MAP_FAILED ? 6 : 41);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 41);
}

/* --- mmap --- */

static void mappings(void)
{
    FAILS((intptr_t)map(NULL, 0, RW, ANON), EINVAL);
    FAILS((intptr_t)map((void *)1, 1, RW, ANON | MAP_FIXED), EINVAL);
    FAILS((intptr_t)map(NULL, SIZE_MAX / PAGE, RW, ANON), ENOMEM);
    FAILS((intptr_t)mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
    FAILS((intptr_t)mmap(NULL, PAGE, RW, 0, -1, 0), EBADF);
    FAILS((intptr_t)mmap(NULL, 0, RW, MAP_PRIVATE, -1, 0), EBADF);
    FAILS((intptr_t)mmap(NULL, -8 * PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
    FAILS((intptr_t)mmap(NULL, -8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    FAILS((intptr_t)mmap(NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    FAILS(msync((void *)-1, PAGE, MS_SYNC), EINVAL);
    FAILS(msync((void *)-PAGE, 2 * PAGE, 99), EINVAL);
    FAILS((intptr_t)mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
    FAILS((intptr_t)syscall(SYS_mmap, 0, PAGE, RW, ANON, -1, 5), EINVAL);
    FAILS(munmap((void *)1, PAGE), EINVAL);

    char *p = map(NULL, 8, PROT_NONE, ANON | MAP_NORESERVE);
    CHECK(p != MAP_FAILED && ((uintptr_t)p & (PAGE - 1)) == 0);
    CHECK(munmap(p + 2 * PAGE, 2 * PAGE) == 0);
    CHECK(munmap(p + 2 * PAGE, 2 * PAGE) == 0); /* nothing there any more */
    CHECK(map(p + 2 * PAGE, 2, RW, ANON) == p + 2 * PAGE); /* a hint that is free */
    char *other = map(p, 1, RW, ANON);
    CHECK(other != p && other != MAP_FAILED);
    FAILS((intptr_t)map(p, 1, RW, ANON | MAP_FIXED_NOREPLACE), EEXIST);
    p[2 * PAGE] = 3;
    CHECK(map(p, 8, RW, ANON | MAP_FIXED) == p && p[2 * PAGE] == 0);
    memset(p, 7, 8 * PAGE);
    CHECK(madvise(p + PAGE, PAGE, MADV_DONTNEED) == 0 && p[PAGE] == 0 && p[0] == 7);
    FAILS(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    FAILS(madvise(p, PAGE, 12345), EINVAL);
    CHECK(mlock(p, PAGE) == 0 && munlock(p, PAGE) == 0);
    lock_all();
    unsigned char in_core[8] = {0};
    CHECK(mincore(p, 8 * PAGE, in_core) == 0 && (in_core[0] & 1));
    CHECK(msync(p, PAGE, MS_ASYNC) == 0);
    FAILS(msync(p, PAGE, MS_ASYNC | MS_SYNC), EINVAL);
    CHECK(munmap(p, 8 * PAGE) == 0 && munmap(other, PAGE) == 0);
    FAILS(mincore(p, PAGE, in_core), ENOMEM);
    FAILS(msync(p, PAGE, MS_ASYNC), ENOMEM);
    FAILS(madvise(p, PAGE, MADV_DONTNEED), ENOMEM);
    FAILS(mlock(p, PAGE), ENOMEM);

    /* Files: private copies, shared ones, an offset. */
    int fd = memfd_create("file", 0);
    CHECK(ftruncate(fd, 3 * PAGE) == 0 && pwrite(fd, "abc", 3, PAGE) == 3);
    char *private = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, PAGE), *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, PAGE);
    CHECK(!memcmp(private, "abc", 3) && !memcmp(shared, "abc", 3));
    private[0] = 'x';
    shared[1] = 'y';
    char now[3];
    CHECK(pread(fd, now, 3, PAGE) == 3 && !memcmp(now, "ayc", 3) && private[0] == 'x');
    CHECK(munmap(private, PAGE) == 0 && munmap(shared, 2 * PAGE) == 0);
    close(fd);

    fd = open("/dev/null", O_RDONLY);
    FAILS((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
    close(fd);
}

static void remapping(void)
{
    char *p = map(NULL, 4, RW, ANON);
    for (int i = 0; i < 4; i++)
        p[i * PAGE] = (char)('a' + i);
    CHECK(mremap(p, 4 * PAGE, 2 * PAGE, 0) == p);
    CHECK(mremap(p, 2 * PAGE, 4 * PAGE, 0) == p && p[PAGE] == 'b' && p[2 * PAGE] == 0);
    CHECK(map(p + 3 * PAGE, 1, PROT_READ, ANON | MAP_FIXED) == p + 3 * PAGE);
    FAILS((intptr_t)mremap(p, 2 * PAGE, 4 * PAGE, 0), ENOMEM);
    char *q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED && q != p && q[0] == 'a' && q[PAGE] == 'b' && q[63 * PAGE] == 0);
    char *to = map(NULL, 70, PROT_NONE, ANON);
    CHECK(mremap(q, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE);
    CHECK(to[PAGE] == 'a');
    FAILS((intptr_t)mremap(to + PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 2 * PAGE), EINVAL);
    FAILS((intptr_t)mremap(q, PAGE, PAGE, MREMAP_MAYMOVE), EFAULT);
    FAILS((intptr_t)mremap(to + PAGE, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
    FAILS((intptr_t)mremap(to + PAGE, PAGE, PAGE, 0x100), EINVAL);
    munmap(to, 70 * PAGE);
    munmap(p, 4 * PAGE);
}

static void heap(void)
{
    char *start = sbrk(0);
    CHECK(sbrk(5 * PAGE) == start);
    memset(start, 9, 5 * PAGE);
    CHECK(sbrk(-4 * PAGE) == start + 5 * PAGE && sbrk(4 * PAGE) == start + PAGE);
    CHECK(start[0] == 9 && start[2 * PAGE] == 0);
    CHECK((char *)syscall(SYS_brk, 0) == start + 5 * PAGE);
    CHECK((char *)syscall(SYS_brk, 1) == start + 5 * PAGE);
    /* Much room, whatever has been mapped meanwhile. */
    for (int i = 0; i < 50; i++)
        CHECK(map(NULL, 1 << 10, PROT_NONE, ANON | MAP_NORESERVE) != MAP_FAILED);
    CHECK(sbrk(256 << 20) == start + 5 * PAGE);
    start[200 << 20] = 1;
    CHECK(brk(start) == 0 && sbrk(0) == start);
}

/* RLIMIT_AS, in a child of its own. */
static void limit(void)
{
    pid_t child = fork();
    if (!child) {
        struct rlimit l = {1 << 30, 1 << 30};
        CHECK(setrlimit(RLIMIT_AS, &l) == 0);
        FAILS((intptr_t)map(NULL, (1025 << 20) / PAGE, RW, ANON), ENOMEM);
        char *p = map(NULL, (16 << 20) / PAGE, RW, ANON);
        CHECK(p != MAP_FAILED);
        FAILS((intptr_t)mremap(p, 16 << 20, 1025 << 20, MREMAP_MAYMOVE), ENOMEM);
        FAILS(brk((char *)sbrk(0) + (1025 << 20)), ENOMEM);
        CHECK(map(p, (16 << 20) / PAGE, RW, ANON | MAP_FIXED) == p);
        _exit(failures != 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* RLIMIT_DATA: writable memory of one's own counts, other memory does not. */
static void data_limit(void)
{
    pid_t child = fork();
    if (!child) {
        enum { LIMIT = 256 << 20 };
        CHECK(setrlimit(RLIMIT_DATA, &(struct rlimit){LIMIT, LIMIT}) == 0);
        FAILS((intptr_t)map(NULL, LIMIT / PAGE, RW, ANON), ENOMEM);
        char *p = map(NULL, LIMIT / PAGE, PROT_READ, ANON),
             *q = map(NULL, LIMIT / PAGE, RW, MAP_SHARED | MAP_ANONYMOUS);
        CHECK(p != MAP_FAILED && q != MAP_FAILED);
        FAILS(mprotect(p, LIMIT, RW), ENOMEM);
        CHECK(mprotect(p, LIMIT / 2, RW) == 0 && mprotect(p, LIMIT / 2, PROT_READ) == 0);
        FAILS(brk((char *)sbrk(0) + LIMIT), ENOMEM);
        _exit(failures != 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* The stack pointer's own way down: no page may be left out by the compiler. */
static __attribute__((noinline)) int descend(int depth)
{
    volatile char page[PAGE];
    page[0] = (char)depth;
    return depth ? descend(depth - 1) + page[0] : page[0];
}

/* MAP_GROWSDOWN: touched by the program and by the kernel for it; mapped over, unmapped; the first stack's limit
 * raised. */
static void growing(void)
{
    char *room = map(NULL, 4096, PROT_NONE, ANON | MAP_NORESERVE), *top = room + 4090 * PAGE;
    CHECK(munmap(room, 4096 * PAGE) == 0);
    CHECK(map(top, 1, RW, ANON | MAP_FIXED | MAP_GROWSDOWN) == top);
    for (int i = 0; i < 300; i++)
        top[-i * PAGE] = (char)(i + 1);
    int p[2];
    CHECK(pipe(p) == 0 && write(p[1], "kernel", 6) == 6 && read(p[0], top - 301 * PAGE, 6) == 6);
    CHECK(!memcmp(top - 301 * PAGE, "kernel", 6) && top[-299 * PAGE] == (char)300);
    close(p[0]);
    close(p[1]);
    /* What has grown is a mapping as any other. */
    FAILS((intptr_t)map(top - 290 * PAGE, 1, RW, ANON | MAP_FIXED_NOREPLACE), EEXIST);
    CHECK(map(top - 5 * PAGE, 1, RW, ANON | MAP_FIXED) == top - 5 * PAGE && top[-5 * PAGE] == 0 && top[-6 * PAGE] == 7);
    CHECK(mprotect(top - 200 * PAGE, 3 * PAGE, PROT_READ) == 0 && top[-199 * PAGE] == (char)200);
    unsigned char resident[4];
    CHECK(mincore(top - 100 * PAGE, 4 * PAGE, resident) == 0 && resident[3] & 1);
    CHECK(munmap(top - 301 * PAGE, 302 * PAGE) == 0);
    FAILS(mincore(top - 100 * PAGE, PAGE, resident), ENOMEM);

    pid_t child = fork();
    if (!child) {
        struct rlimit l;
        CHECK(getrlimit(RLIMIT_STACK, &l) == 0);
        if (l.rlim_max >= 40 << 20) {
            l.rlim_cur = 40 << 20;
            CHECK(setrlimit(RLIMIT_STACK, &l) == 0);
            descend(6000);
        }
        _exit(failures != 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void shared_memory(void)
{
    int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
    char *a = shmat(id, NULL, 0), *hole = map(NULL, 4, PROT_NONE, ANON);
    CHECK(id >= 0 && a != (void *)-1);
    FAILS((intptr_t)shmat(id, hole, 0), EINVAL);
    FAILS((intptr_t)shmat(id, hole + 1, 0), EINVAL);
    char *b = shmat(id, hole + 5, SHM_RND | SHM_REMAP | SHM_RDONLY);
    CHECK(b == hole);
    a[PAGE] = 5;
    CHECK(b[PAGE] == 5 && faults(b, true, SIGSEGV, SEGV_ACCERR));
    pid_t child = fork();
    if (!child) {
        a[0] = 6;
        _exit(shmdt(a) || shmdt(b));
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0 && b[0] == 6);
    CHECK(shmdt(a) == 0 && shmdt(b) == 0);
    FAILS(shmdt(a), EINVAL);
    CHECK(faults(a, false, SIGSEGV, SEGV_MAPERR));
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    FAILS((intptr_t)shmat(id, NULL, 0), EINVAL);
}

/* --- /proc/self/maps --- */

/* The permissions and name of the line that holds the address. */
static bool maps_line(const void *at, char perms[5], char name[200])
{
    char line[400];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "r");
    while (!found && fgets(line, sizeof line, f)) {
        unsigned long start, end;
        name[0] = 0;
        found = sscanf(line, "%lx-%lx %4s %*s %*s %*s %199[^\n]", &start, &end, perms, name) >= 3 &&
                (uintptr_t)at >= start && (uintptr_t)at < end;
    }
    fclose(f);
    return found;
}

static void maps(void)
{
    char perms[5], name[200], self[200] = {0};
    int local;
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    CHECK(maps_line((void *)maps, perms, name) && !strcmp(perms, "r-xp") && !strcmp(name, self));
    CHECK(maps_line(&local, perms, name) && !strncmp(perms, "rw", 2) && !strcmp(name, "[stack]"));
    char *start = sbrk(PAGE);
    CHECK(maps_line(start, perms, name) && !strcmp(perms, "rw-p") && !strcmp(name, "[heap]"));
    char *p = map(NULL, 3, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS);
    mprotect(p + PAGE, PAGE, PROT_NONE);
    CHECK(maps_line(p, perms, name) && !strcmp(perms, "r-xs"));
    CHECK(maps_line(p + PAGE, perms, name) && !strcmp(perms, "---s"));
    munmap(p + PAGE, PAGE);
    CHECK(!maps_line(p + PAGE, perms, name) && maps_line(p + 2 * PAGE, perms, name));
    munmap(p, 3 * PAGE);
}

/* --- many threads, one address space --- */

static void *worker(void *arg)
{
    unsigned char tag = (unsigned char)(uintptr_t)arg;
    for (int i = 0; i < 100; i++) {
        size_t n = (size_t)(1 + i % 13) * PAGE;
        unsigned char *p = mmap(NULL, n, RW, ANON, -1, 0);
        CHECK(p != MAP_FAILED);
        memset(p, tag, n);
        p = mremap(p, n, 2 * n, MREMAP_MAYMOVE);
        CHECK(p != MAP_FAILED && p[0] == tag && p[n - 1] == tag && p[n] == 0);
        CHECK(mprotect(p, n, PROT_READ) == 0 && munmap(p, 2 * n) == 0);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t t[8];
    for (uintptr_t i = 0; i < 8; i++)
        CHECK(pthread_create(&t[i], NULL, worker, (void *)(i + 1)) == 0);
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
}

int main(void)
{
    protection();
    mappings();
    remapping();
    heap();
    limit();
    data_limit();
    growing();
    shared_memory();
    maps();
    threads();
    DONE();
}
