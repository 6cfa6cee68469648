/*
 * Counted loops over memory, which hot code runs as loops of vectors: signals that arrive in the middle, memory that
 * ends or is made accessible by the handler of the fault, pages that may be read only, rows that overlap at every
 * distance.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

enum { N = 4096, WARM = 6000 };
#if __has_attribute(optimize)
#define LOOP __attribute__((noinline, optimize("O2", "no-tree-vectorize", "no-tree-loop-distribute-patterns", "no-unroll-loops")))
#else /* natively only: the guests' compilers have it */
#define LOOP __attribute__((noinline))
#endif

static uint8_t from[2 * N], to[2 * N];

LOOP static void brighten(uint8_t *d, const uint8_t *s, long n)
{
    for (long i = 0; i < n; i++)
        d[i] = (s[i] * 3 + 7) >> 1;
}

LOOP static uint32_t sum(const uint8_t *s, long n)
{
    uint32_t t = 0;
    for (long i = 0; i < n; i++)
        t += s[i] ^ 0x55;
    return t;
}

LOOP static int32_t dot(const int32_t *a, const int32_t *b, long n, long step)
{
    uint32_t t = 0;
    for (long i = 0; i < n; i++, b += step)
        t += (uint32_t)a[i] * (uint32_t)*b;
    return t;
}

LOOP static void pairs(uint16_t *d, const uint16_t *s, long n)
{
    for (long i = 0; i < n; i++) {
        d[2 * i] = s[2 * i + 1];
        d[2 * i + 1] = s[2 * i] + 1;
    }
}

LOOP static void clamp(int16_t *d, const int16_t *s, int low, int high, long n)
{
    for (long i = 0; i < n; i++) {
        int v = s[i] - 100;
        v = v < low ? low : v;
        if (v > high)
            v = high;
        d[i] = v;
    }
}

/* The same without loops that could be found. */
static uint8_t bright(uint8_t v) { return (v * 3 + 7) >> 1; }

static void warm_up(void)
{
    for (int i = 0; i < 2 * N; i++)
        from[i] = i * 77 + (i >> 3);
    for (int i = 0; i < WARM; i++) {
        brighten(to, from, 40);
        sum(from, 40);
        dot((int32_t *)from, (int32_t *)from, 20, 3);
        pairs((uint16_t *)to, (uint16_t *)from, 20);
        clamp((int16_t *)to, (int16_t *)from, -5000, 5000, 20);
    }
    usleep(50000); /* hot code is made in the background */
    for (int i = 0; i < WARM; i++) {
        brighten(to, from, 40);
        sum(from, 40);
        dot((int32_t *)from, (int32_t *)from, 20, 3);
        pairs((uint16_t *)to, (uint16_t *)from, 20);
        clamp((int16_t *)to, (int16_t *)from, -5000, 5000, 20);
    }
}

static void results(void)
{
    for (long n = 1; n < 200; n += 7) {
        memset(to, 0, N);
        brighten(to, from + n, n);
        uint32_t want = 0, product = 0;
        for (long i = 0; i < n; i++) {
            volatile uint8_t v = from[n + i];
            want += v ^ 0x55;
            product += (uint32_t)((int32_t *)from)[i] * (uint32_t)((int32_t *)from)[5 * i];
            CHECK(to[i] == bright(v));
        }
        CHECK(to[n] == 0);
        CHECK(sum(from + n, n) == want);
        CHECK((uint32_t)dot((int32_t *)from, (int32_t *)from, n, 5) == product);
        pairs((uint16_t *)to, (uint16_t *)from, n);
        for (long i = 0; i < n; i++) {
            volatile uint16_t a = ((uint16_t *)from)[2 * i], b = ((uint16_t *)from)[2 * i + 1];
            CHECK(((uint16_t *)to)[2 * i] == b && ((uint16_t *)to)[2 * i + 1] == (uint16_t)(a + 1));
        }
        clamp((int16_t *)to, (int16_t *)from, -5000, 5000, n);
        for (long i = 0; i < n; i++) {
            volatile int v = ((int16_t *)from)[i] - 100;
            CHECK(((int16_t *)to)[i] == (v < -5000 ? -5000 : v > 5000 ? 5000 : v));
        }
    }
}

/* What was stored a few rounds ago is read again. */
static void overlaps(void)
{
    for (int ahead = -40; ahead <= 40; ahead++) {
        uint8_t got[512], want[512];
        for (int i = 0; i < 512; i++)
            got[i] = want[i] = i * 31;
        brighten(got + 100 + ahead, got + 100, 300);
        for (int i = 0; i < 300; i++) {
            volatile uint8_t v = want[100 + i];
            want[100 + ahead + i] = bright(v);
        }
        CHECK(!memcmp(got, want, sizeof got));
    }
}

/* --- faults --- */

static uint8_t *area;
static size_t page;
static volatile int faults;
static uint8_t *volatile fault_at;

static void make_accessible(int signo, siginfo_t *info, void *context)
{
    faults++;
    fault_at = info->si_addr;
    mprotect((void *)((uintptr_t)info->si_addr & ~(page - 1)), page, PROT_READ | PROT_WRITE);
}

/* Each page becomes accessible when its first byte is touched, and what is in front of it has been stored by then. */
static void faults_in_loops(void)
{
    page = sysconf(_SC_PAGESIZE);
    area = mmap(NULL, 16 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    struct sigaction action = {.sa_sigaction = make_accessible, .sa_flags = SA_SIGINFO}, old;
    sigaction(SIGSEGV, &action, &old);
    for (int shift = 0; shift < 24; shift++) {
        long n = 4 * page - shift;
        uint8_t *d = area + shift, *s = area + 8 * page + 3;
        for (long i = 0; i < n; i++)
            s[i] = i * 13 + shift;
        memset(area, 0, 4 * page);
        mprotect(area + page, 2 * page, PROT_READ);
        mprotect(area + 9 * page, page, PROT_NONE);
        faults = 0;
        brighten(d, s, n);
        CHECK(faults == 3);
        for (long i = 0; i < n; i++) {
            volatile uint8_t v = s[i];
            CHECK(d[i] == bright(v));
        }
        mprotect(area + 9 * page, page, PROT_NONE);
        faults = 0;
        uint32_t got = sum(s, n), want = 0;
        CHECK(faults == 1 && fault_at == area + 9 * page);
        for (long i = 0; i < n; i++) {
            volatile uint8_t v = s[i];
            want += v ^ 0x55;
        }
        CHECK(got == want);
    }
    sigaction(SIGSEGV, &old, NULL);
    munmap(area, 16 * page);
}

/* --- signals --- */

static volatile sig_atomic_t ticks;

static void tick(int signo) { ticks++; }

static void interrupted(void)
{
    struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    uint32_t want = sum(from, 2 * N);
    brighten(to, from, 2 * N);
    uint8_t last = to[2 * N - 1];
    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 200000 && ticks < 200; i++) {
        CHECK(sum(from, 2 * N) == want);
        to[2 * N - 1] = 0;
        brighten(to, from, 2 * N);
        CHECK(to[2 * N - 1] == last);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK(ticks >= 200);
}

int main(void)
{
    warm_up();
    results();
    overlaps();
    faults_in_loops();
    interrupted();
    DONE();
}
