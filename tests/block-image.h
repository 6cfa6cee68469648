/* What tests of disk images share: files that go away, and random operations whose result an array has, too. */
#ifndef TESTS_BLOCK_IMAGE_H
#define TESTS_BLOCK_IMAGE_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "softmmu/block-qcow2.h"

static char folder[64];
static char path_of[4][80];

static const char *at(unsigned i) { return path_of[i]; }

static void begin(void)
{
    /* in memory where possible: these tests flush a lot */
    snprintf(folder, sizeof folder, "%s/metic-block-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    cr_assert(mkdtemp(folder));
    for (unsigned i = 0; i < ARRAY_SIZE(path_of); i++)
        snprintf(path_of[i], sizeof path_of[i], "%s/%u", folder, i);
}

static void end(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(path_of); i++)
        unlink(path_of[i]);
    cr_assert_eq(rmdir(folder), 0);
}

static uint64_t chance(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static struct block *must_open(const char *path, struct block_options o, struct block_pool *pool)
{
    char *error = NULL;
    struct block *b = block_open(path, &o, pool, &error);
    cr_assert(b, "%s", error);
    return b;
}

static void must_create(const char *path, struct qcow2_layout l)
{
    char *error = qcow2_create(path, &l);
    cr_assert_null(error, "%s", error);
}

static void make_raw(const char *path, uint64_t size)
{
    int fd = open(path, O_RDWR | O_CREAT, 0666);
    cr_assert(fd >= 0 && !ftruncate(fd, (off_t)size));
    close(fd);
}

static void expect_sound(struct block *b, bool leaks)
{
    struct qcow2_check c;
    cr_assert_eq(qcow2_check(b, &c), 0);
    cr_assert_eq(c.errors, 0);
    cr_assert(leaks || !c.leaks, "%llu clusters lost", (unsigned long long)c.leaks);
}

/* --- any sequence of operations leaves what an array has --- */

enum { MODEL = 2 << 20 };

static void same_content(struct block *b, const uint8_t *model, uint64_t n)
{
    uint8_t *got = malloc(n);
    cr_assert_eq(block_read(b, 0, got, n), 0);
    bool same = !memcmp(got, model, n);
    for (uint64_t i = 0; i < n && !same; i++)
        cr_assert_eq(got[i], model[i], "byte %llu", (unsigned long long)i);
    free(got);
}

static void random_operations(struct block *b, uint8_t *model, uint64_t n, unsigned steps, uint64_t *seed)
{
    static uint8_t buf[200000];
    for (unsigned k = 0; k < steps; k++) {
        uint64_t length = 1 + chance(seed) % (chance(seed) % 4 ? 5000 : sizeof buf), offset = chance(seed) % (n - length);
        if (chance(seed) % 2) { /* whole sectors, as guests do */
            offset &= ~511u;
            length = length > 512 ? length & ~511u : 512;
        }
        switch (chance(seed) % 16) {
        case 0:
            cr_assert_eq(block_flush(b), 0);
            break;
        case 1:
        case 2:
            cr_assert_eq(block_zero(b, offset, length, chance(seed) % 2), 0);
            memset(model + offset, 0, length);
            break;
        case 3: /* what was discarded reads as it likes: it is written again */
            cr_assert_eq(block_discard(b, offset, length), 0);
            memset(buf, (int)k, length);
            cr_assert_eq(block_write(b, offset, buf, length), 0);
            memcpy(model + offset, buf, length);
            break;
        case 4:
        case 5:
        case 6:
            cr_assert_eq(block_read(b, offset, buf, length), 0);
            cr_assert_eq(memcmp(buf, model + offset, length), 0);
            break;
        default:
            for (uint64_t i = 0; i < length; i++)
                buf[i] = (uint8_t)chance(seed);
            cr_assert_eq(block_write(b, offset, buf, length), 0);
            memcpy(model + offset, buf, length);
        }
    }
}

#endif
