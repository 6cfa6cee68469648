/*
 * Libraries with different code, opened and closed by turns, mostly at the same address: their functions get hot each
 * time, and are called by the C library's and call it. Built as a library, VERSION says which; as a program, its
 * arguments are the libraries.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>

#ifdef VERSION
enum { COUNT = 64 };

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return VERSION & 1 ? (x > y) - (x < y) : (y > x) - (y < x);
}

static __attribute__((noinline)) unsigned step(unsigned x) { return x * (4 * VERSION + 5) + VERSION; }

/* Sorts one way or the other, by calls from another mapping and back; and a loop of calls inside. */
unsigned work(unsigned seed)
{
    int v[COUNT];
    for (int i = 0; i < COUNT; i++)
        v[i] = (int)((seed = step(seed)) >> 20);
    qsort(v, COUNT, sizeof v[0], compare);
    for (int i = 1; i < COUNT; i++)
        if (VERSION & 1 ? v[i - 1] > v[i] : v[i - 1] < v[i])
            return 0;
    return VERSION * 1000 + 1;
}
#else
#include <dlfcn.h>
#include <unistd.h>

#include "check.h"

int main(int argc, char **argv)
{
    enum { ROUNDS = 60, CALLS = 150 };
    uintptr_t last = 0;
    int again = 0;
    for (int n = 0; n < ROUNDS; n++) {
        int which = n % 3 % (argc - 1);
        void *library = dlopen(argv[1 + which], RTLD_NOW);
        CHECK(library);
        if (!library)
            return 1;
        unsigned (*work)(unsigned) = (unsigned (*)(unsigned))(uintptr_t)dlsym(library, "work");
        CHECK(work);
        again += (uintptr_t)work == last;
        last = (uintptr_t)work;
        for (int i = 0; i < CALLS; i++)
            CHECK(work(i) == (which + 1) * 1000u + 1);
        if (n % 8 == 7)
            usleep(2000); /* what is made hot may be ready */
        CHECK(dlclose(library) == 0);
    }
    CHECK(again > 0);
    DONE();
}
#endif
