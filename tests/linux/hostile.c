/*
 * System calls with random and hostile arguments, from their descriptions (syscall-tables/): pointers at a page's end,
 * to pages that another thread takes away, to nowhere; lengths that are too long; flags nobody knows. Each round runs
 * in a child that may die of it; whoever runs this program looks for complaints of metic's own. To be run in a
 * sandbox (hostile.py): the calls are meant.
 *
 *     hostile SEED ROUNDS CALLS [CALL-NAME]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Made from the tables: enum kind, struct call, calls[], ncalls. */
#include "hostile-calls.h"

static uint64_t state;

static uint64_t rnd(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? state % n : state;
}

/* -- memory to point at */

enum { PAGE = 4096, PAGES = 32 };
static char *arena; /* every fourth page is missing, some may only be read, some come and go */

static void *flapper(void *arg)
{
    uint64_t own = 88172645463325252u ^ (uintptr_t)arg;
    for (;;) {
        own ^= own << 13;
        own ^= own >> 7;
        own ^= own << 17;
        char *p = arena + (1 + 4 * (own % (PAGES / 4))) * PAGE;
        mmap(p, PAGE, own & 64 ? PROT_READ | PROT_WRITE : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (own & 128)
            munmap(p, PAGE);
    }
    return NULL;
}

static void make_arena(void)
{
    arena = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < PAGES; i++) {
        for (int k = 0; k < PAGE; k += 8) {
            uint64_t v = rnd(4) ? rnd(0) : rnd(3) ? rnd(70) : (uintptr_t)arena + rnd(PAGES * PAGE);
            memcpy(arena + i * PAGE + k, &v, 8);
        }
        if (i % 8 == 6)
            mprotect(arena + i * PAGE, PAGE, PROT_READ);
    }
    for (int i = 3; i < PAGES; i += 4)
        munmap(arena + i * PAGE, PAGE);
}

static uint64_t pointer(void)
{
    static const uint64_t nowhere[] = {0, 1, 8, 0xffff, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0xffff800000000000,
                                       0xfffffffffffff000, ~0ull, 0x1000000000000, 1ull << 38, (1ull << 47) - 4096};
    char *page = arena + rnd(PAGES) * PAGE;
    switch (rnd(8)) {
    case 0:
        return nowhere[rnd(sizeof nowhere / sizeof nowhere[0])];
    case 1:
        return (uintptr_t)page;
    case 2:
    case 3: /* the last bytes before a hole */
        return (uintptr_t)arena + (3 + 4 * rnd(PAGES / 4)) * PAGE - rnd(140);
    case 4: /* pages that come and go */
        return (uintptr_t)arena + (1 + 4 * rnd(PAGES / 4)) * PAGE + rnd(PAGE);
    default:
        return (uintptr_t)page + (rnd(PAGE) & ~7ull);
    }
}

static uint64_t number(void)
{
    static const uint64_t edges[] = {0, 1, 2, 3, 7, 8, 16, 64, 127, 128, 255, 4095, 4096, 4097, 65536, 0x7fffffff, 0x80000000,
                                     0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, ~0ull - 4095};
    switch (rnd(4)) {
    case 0:
        return rnd(0) >> rnd(64);
    case 1:
        return 1ull << rnd(64);
    default:
        return edges[rnd(sizeof edges / sizeof edges[0])];
    }
}

static uint64_t length(void) { return rnd(3) ? rnd(300) : number(); }

/* In the arena, now and then right before a hole, with or without its end. */
static uint64_t path(void)
{
    static const char *const names[] = {"", ".", "..", "/", "file", "folder", "folder/../file", "link", "loop", "/proc/self/exe",
                                        "/proc/self/maps", "/proc/self/fd/3", "/proc/cpuinfo", "/dev/null", "no/such", "file/x"};
    if (!rnd(4))
        return pointer();
    char text[5000];
    size_t n;
    if (rnd(8)) {
        n = strlen(strcpy(text, names[rnd(sizeof names / sizeof names[0])]));
    } else {
        n = rnd(2) ? 4095 : rnd(sizeof text - 1);
        for (size_t i = 0; i < n; i++)
            text[i] = i % 200 ? 'a' : '/';
        text[n] = 0;
    }
    n += rnd(6) != 0; /* its end */
    char *at = arena + 3 * PAGE - n;
    if (n > 3 * PAGE || mprotect(arena, 3 * PAGE, PROT_READ | PROT_WRITE))
        return pointer();
    memcpy(at, text, n);
    return (uintptr_t)at;
}

/* -- descriptors: never the standard ones, by which the complaints come */

static int fds[32];
static unsigned nfds;

static void keep(int fd)
{
    if (fd >= 3)
        fds[nfds < 32 ? nfds++ : rnd(32)] = fd;
}

static void make_descriptors(void)
{
    int p[2];
    keep(open("file", O_RDWR | O_CREAT, 0600));
    keep(open(".", O_RDONLY | O_DIRECTORY));
    keep(open("/proc/self/maps", O_RDONLY));
    if (!pipe(p)) {
        keep(p[0]);
        keep(p[1]);
    }
    if (!socketpair(AF_UNIX, SOCK_STREAM, 0, p)) {
        keep(p[0]);
        keep(p[1]);
    }
    keep(socket(AF_INET, SOCK_DGRAM, 0));
    keep(eventfd(3, 0));
    keep(epoll_create1(0));
    keep(timerfd_create(CLOCK_MONOTONIC, 0));
    keep(inotify_init1(IN_NONBLOCK));
    keep(memfd_create("hostile", MFD_ALLOW_SEALING));
    keep((int)syscall(SYS_pidfd_open, getpid(), 0));
}

static uint64_t descriptor(void)
{
    static const int wrong[] = {-1, -100, 9999, 0x7fffffff};
    return rnd(6) && nfds ? (uint64_t)fds[rnd(nfds)] : (uint64_t)(int64_t)wrong[rnd(4)];
}

/* -- one call */

static uint64_t argument(const struct call *c, unsigned i)
{
    uint64_t v = 0;
    switch (c->kind[i]) {
    case K_FD:
        return descriptor();
    case K_PATH:
        return path();
    case K_POINTER:
        return pointer();
    case K_LENGTH:
        return length();
    case K_PID:
        return rnd(3) ? (uint64_t)getpid() : rnd(2) ? 0 : 999999;
    case K_VALUES:
        for (uint64_t n = rnd(4); n > 0; n--)
            v |= c->values[i][rnd(c->nvalues[i])];
        return rnd(12) ? v : v | number();
    case K_VALUE:
        return rnd(12) ? c->values[i][rnd(c->nvalues[i])] : number();
    default:
        return number();
    }
}

static uint64_t *done; /* calls made, of all rounds */

static void on_alarm(int signo) { }

static void round_of(const char *only, unsigned count)
{
    const pid_t self = getpid();
    pthread_t t;
    struct sigaction sa = {.sa_handler = on_alarm};
    setpgid(0, 0);
    make_arena();
    make_descriptors();
    symlink("loop", "loop");
    symlink("file", "link");
    mkdir("folder", 0700);
    if (rnd(2))
        pthread_create(&t, NULL, flapper, (void *)(uintptr_t)rnd(1000));
    for (unsigned i = 0; i < count; i++) {
        const struct call *c = &calls[rnd(ncalls)];
        if (only && strcmp(c->name, only))
            continue;
        uint64_t a[6];
        for (unsigned k = 0; k < 6; k++)
            a[k] = k < c->nargs ? argument(c, k) : rnd(0);
        struct itimerval soon = {.it_value = {0, 3000}};
        sigaction(SIGALRM, &sa, NULL);
        setitimer(ITIMER_REAL, &soon, NULL);
        long ret = syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (syscall(SYS_getpid) != self)
            syscall(SYS_exit_group, 0);
        if (syscall(SYS_gettid) != self)
            syscall(SYS_exit, 0);
        ++*done;
        if (c->makes_fd && ret >= 3)
            keep((int)ret);
    }
    syscall(SYS_exit_group, 0);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: hostile SEED ROUNDS CALLS [CALL-NAME]\n");
        return 2;
    }
    uint64_t seed = strtoull(argv[1], NULL, 0);
    unsigned rounds = (unsigned)atoi(argv[2]), count = (unsigned)atoi(argv[3]), killed = 0;
    done = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned r = 0; r < rounds; r++) {
        state = (seed + r + 1) * 0x9e3779b97f4a7c15u | 1;
        pid_t pid = fork();
        if (pid == 0)
            round_of(argc > 4 ? argv[4] : NULL, count);
        int status;
        bool ended = false;
        for (int i = 0; i < 1500 && !ended; i++) {
            struct timespec ts = {0, 1000000};
            nanosleep(&ts, NULL);
            ended = waitpid(pid, &status, WNOHANG | __WALL) == pid && (WIFEXITED(status) || WIFSIGNALED(status));
        }
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        if (!ended)
            killed++;
        while (waitpid(-1, &status, __WALL | WNOHANG) > 0 || (!ended && waitpid(pid, &status, __WALL) != pid && errno == EINTR))
            ended = true;
    }
    printf("%u rounds from seed %llu, %u ended by time, %llu calls\n", rounds, (unsigned long long)seed, killed,
           (unsigned long long)*done);
    return *done < rounds;
}
