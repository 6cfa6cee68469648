/*
 * Writes records that are to survive a power loss, and finds those of the time before it: powerloss FOLDER.
 *
 * Record n lies in three places: appended to a file (fdatasync), written over an older one in a ring of places (fsync),
 * and, for some, in a file of its own that replaces another (write, fsync, rename, fsync of the folder). First it says
 * what is there ("found A B C"), where every record must be whole; then "safe KIND n" after each flush.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = 1200, PLACES = 64, EACH = 7 };

static void fill(uint64_t *r, uint64_t n)
{
    for (unsigned i = 0; i < WORDS; i++)
        r[i] = (n << 16 ^ i) * UINT64_C(0x9e3779b97f4a7c15);
    r[0] = n;
}

static void die(const char *what)
{
    perror(what);
    printf("failed: %s\n", what);
    exit(1);
}

static int must(int r, const char *what)
{
    if (r < 0)
        die(what);
    return r;
}

/* The number of the record at the offset; 0: none that is whole. */
static uint64_t number_at(int fd, off_t offset)
{
    uint64_t r[WORDS], want[WORDS];
    if (pread(fd, r, sizeof r, offset) != sizeof r)
        return 0;
    fill(want, r[0]);
    return memcmp(r, want, sizeof r) ? 0 : r[0];
}

static void put(int fd, off_t offset, uint64_t n)
{
    uint64_t r[WORDS];
    fill(r, n);
    if (pwrite(fd, r, sizeof r, offset) != sizeof r)
        die("pwrite");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(chdir(argc > 1 ? argv[1] : "."), "chdir");
    int folder = must(open(".", O_RDONLY | O_DIRECTORY), "open"), log = must(open("log", O_RDWR | O_CREAT, 0644), "open"),
        ring = must(open("ring", O_RDWR | O_CREAT, 0644), "open"), one = open("one", O_RDONLY);
    uint64_t last = 0, newest = 0, replaced = one < 0 ? 0 : number_at(one, 0);
    while (number_at(log, (off_t)(last * sizeof(uint64_t[WORDS]))) == last + 1)
        last++;
    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t n = number_at(ring, (off_t)i * sizeof(uint64_t[WORDS]));
        newest = n > newest ? n : newest;
    }
    printf("found %llu %llu %llu\n", (unsigned long long)last, (unsigned long long)newest, (unsigned long long)replaced);
    fflush(stdout);
    uint64_t n = last > newest ? last : newest;
    while (last < n) /* the log is whole up to where all begin again */
        put(log, (off_t)(last * sizeof(uint64_t[WORDS])), last + 1), last++;
    for (n++;; n++) {
        put(log, (off_t)((n - 1) * sizeof(uint64_t[WORDS])), n);
        must(fdatasync(log), "fdatasync");
        printf("safe log %llu\n", (unsigned long long)n);
        put(ring, (off_t)(n % PLACES * sizeof(uint64_t[WORDS])), n);
        must(fsync(ring), "fsync");
        printf("safe ring %llu\n", (unsigned long long)n);
        if (n % EACH)
            continue;
        int next = must(open("next", O_RDWR | O_CREAT | O_TRUNC, 0644), "open");
        put(next, 0, n);
        must(fsync(next), "fsync");
        must(rename("next", "one"), "rename");
        must(fsync(folder), "fsync");
        close(next);
        printf("safe one %llu\n", (unsigned long long)n);
        if (n % (8 * EACH) == 0) { /* room comes and goes */
            int junk = must(open("junk", O_RDWR | O_CREAT | O_TRUNC, 0644), "open");
            for (unsigned i = 0; i < 100; i++)
                put(junk, (off_t)(i * sizeof(uint64_t[WORDS])), i);
            close(junk);
        }
    }
}
