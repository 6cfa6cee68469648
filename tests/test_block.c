/* Disk images: raw and qcow2 against a plain array, their layout on disk, damaged images, requests by threads. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/block-image.h"

Test(block, raw_is_an_array, .init = begin, .fini = end)
{
    uint8_t *model = calloc(1, MODEL);
    uint64_t seed = 1;
    make_raw(at(0), MODEL + 100);
    struct block *b = must_open(at(0), (struct block_options){.discard = true, .format = "raw"}, NULL);
    cr_assert(b->size == MODEL && b->format == &block_raw);
    random_operations(b, model, MODEL, 1000, &seed);
    same_content(b, model, MODEL);
    cr_assert_eq(block_write(b, MODEL - 511, model, 512), EINVAL);
    cr_assert_eq(block_read(b, UINT64_MAX, model, 512), EINVAL);
    cr_assert_eq(block_close(b), 0);
    free(model);
}

Test(qcow2, is_an_array_in_every_layout, .init = begin, .fini = end)
{
    static const struct {
        unsigned cluster_bits, version, order;
        bool backing;
    } cases[] = {
        {16, 3, 4, false}, {9, 3, 4, false},  {9, 3, 6, false}, {9, 2, 4, true},
        {12, 3, 0, true},  {16, 2, 4, false}, {14, 3, 3, true}, {21, 3, 5, false},
    };
    uint64_t seed = 2;
    for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
        uint8_t *model = calloc(1, MODEL);
        struct qcow2_layout l = {.size = MODEL,
                                 .cluster_bits = cases[c].cluster_bits,
                                 .version = cases[c].version,
                                 .refcount_order = cases[c].order};
        if (cases[c].backing) { /* shorter than the disk */
            make_raw(at(1), MODEL / 2);
            struct block *b = must_open(at(1), (struct block_options){.format = "raw"}, NULL);
            random_operations(b, model, MODEL / 2, 100, &seed);
            cr_assert_eq(block_close(b), 0);
            l.backing = "1";
            l.backing_format = "raw";
        }
        must_create(at(0), l);
        for (unsigned round = 0; round < 3; round++) {
            struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
            cr_assert(b->format == &block_qcow2 && b->size == MODEL);
            same_content(b, model, MODEL);
            random_operations(b, model, MODEL, 150, &seed);
            cr_assert_eq(block_flush(b), 0);
            expect_sound(b, true);
            cr_assert_eq(block_close(b), 0);
            b = must_open(at(0), (struct block_options){.read_only = true}, NULL);
            expect_sound(b, false);
            cr_assert_eq(block_write(b, 0, model, 512), EROFS);
            cr_assert_eq(block_close(b), 0);
        }
        free(model);
        unlink(at(0));
        unlink(at(1));
    }
}

Test(qcow2, sparse_and_large, .init = begin, .fini = end)
{
    uint8_t sector[512], got[512];
    memset(sector, 0x5a, sizeof sector);
    must_create(at(0), (struct qcow2_layout){.size = UINT64_C(1) << 40, .refcount_order = 4});
    struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
    for (unsigned i = 0; i < 40; i++)
        cr_assert_eq(block_write(b, (UINT64_C(1) << i) & ~511u, sector, 512), 0);
    cr_assert_eq(block_zero(b, 1 << 20, UINT64_C(1) << 39, true), 0);
    cr_assert_eq(block_read(b, UINT64_C(1) << 38, got, 512), 0);
    cr_assert(got[0] == 0 && got[511] == 0);
    cr_assert_eq(block_read(b, 1 << 19, got, 512), 0);
    cr_assert_eq(memcmp(got, sector, 512), 0);
    cr_assert_eq(block_close(b), 0);
    struct stat st;
    cr_assert(!stat(at(0), &st) && st.st_blocks < 16384, "it costs what is used");
    b = must_open(at(0), (struct block_options){0}, NULL);
    expect_sound(b, false);
    cr_assert_eq(block_close(b), 0);
}

/* --- crashes --- */

/* A process that dies between two steps: what was flushed is there, and the image is sound but for lost room. */
Test(qcow2, killed_writer_loses_nothing_flushed, .init = begin, .fini = end)
{
    for (unsigned round = 0; round < 12; round++) {
        uint64_t seed = round + 77;
        uint8_t *model = calloc(1, MODEL);
        must_create(at(0), (struct qcow2_layout){.size = MODEL, .cluster_bits = 9 + round % 4, .refcount_order = 4});
        pid_t child = fork();
        if (!child) {
            struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
            random_operations(b, model, MODEL, 60, &seed);
            block_flush(b);
            /* More, that does not touch what was flushed but for zeroing it to the same. */
            uint8_t block[4096];
            memset(block, 1, sizeof block);
            for (unsigned k = 0; k < 40; k++) {
                uint64_t offset = chance(&seed) % (MODEL - 4096) & ~511u;
                bool empty = true;
                for (unsigned i = 0; i < 4096; i++)
                    empty &= !model[offset + i];
                if (empty)
                    block_write(b, offset, block, sizeof block);
            }
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        cr_assert_eq(status, 0);
        struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
        expect_sound(b, true);
        /* the same operations again tell what must be there */
        seed = round + 77;
        make_raw(at(1), MODEL);
        struct block *raw = must_open(at(1), (struct block_options){.format = "raw", .discard = true}, NULL);
        random_operations(raw, model, MODEL, 60, &seed);
        uint8_t *got = malloc(MODEL);
        cr_assert_eq(block_read(b, 0, got, MODEL), 0);
        for (unsigned i = 0; i < MODEL; i++)
            if (model[i] && got[i] != model[i])
                cr_assert_fail("byte %u is lost", i);
        block_close(raw);
        block_close(b);
        free(got);
        free(model);
        unlink(at(0));
        unlink(at(1));
    }
}

/* --- compressed clusters, dirty images --- */

static void patch(const char *path, uint64_t offset, const void *bytes, size_t n)
{
    int fd = open(path, O_RDWR);
    cr_assert(fd >= 0 && pwrite(fd, bytes, n, (off_t)offset) == (ssize_t)n);
    close(fd);
}

/* Puts two compressed clusters behind each other into an image made by hand, with the reference counts they need. */
static void add_compressed(const char *path, const uint8_t *content)
{
    uint8_t packed[2][70000];
    uint64_t where = 5 << 16, entries[2];
    for (unsigned i = 0; i < 2; i++) {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)(content + 65536 * i),
                      .avail_in = 65536,
                      .next_out = packed[i],
                      .avail_out = sizeof packed[i]};
        cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY), Z_OK);
        cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
        cr_assert(z.total_out < 32768);
        patch(path, where, packed[i], z.total_out);
        uint64_t sectors = (where % 512 + z.total_out - 1) / 512;
        entries[i] = htobe64(QCOW2_COMPRESSED | sectors << 54 | where);
        where += z.total_out;
        deflateEnd(&z);
    }
    uint64_t l2 = htobe64(UINT64_C(4) << 16 | QCOW2_COPIED);
    uint8_t counts[] = {0, 1, 0, 2}, end = 0;
    patch(path, 3 << 16, &l2, 8);             /* L1: the L2 table in cluster 4 */
    patch(path, 4 << 16, entries, 16);
    patch(path, (2 << 16) + 8, counts, 4);    /* clusters 4 and 5 */
    patch(path, (6 << 16) - 1, &end, 1);
}

Test(qcow2, compressed_clusters, .init = begin, .fini = end)
{
    uint8_t *model = calloc(1, 1 << 20);
    for (unsigned i = 0; i < 131072; i++)
        model[i] = (uint8_t)(i >> 9 ^ i % 7);
    must_create(at(0), (struct qcow2_layout){.size = 1 << 20, .refcount_order = 4});
    add_compressed(at(0), model);
    struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
    expect_sound(b, false);
    same_content(b, model, 1 << 20);
    uint64_t seed = 5;
    random_operations(b, model, 1 << 20, 50, &seed);
    same_content(b, model, 1 << 20);
    cr_assert_eq(block_close(b), 0);
    b = must_open(at(0), (struct block_options){0}, NULL);
    expect_sound(b, false);
    cr_assert_eq(block_close(b), 0);
    free(model);
}

Test(qcow2, dirty_image_is_repaired, .init = begin, .fini = end)
{
    uint8_t *model = calloc(1, MODEL);
    uint64_t seed = 9, dirty = htobe64(QCOW2_DIRTY), none = 0;
    must_create(at(0), (struct qcow2_layout){.size = MODEL, .refcount_order = 4});
    struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
    random_operations(b, model, MODEL, 50, &seed);
    block_close(b);
    patch(at(0), 72, &dirty, 8);
    patch(at(0), (2 << 16) + 10, &none, 8); /* counts that were not kept up */
    b = must_open(at(0), (struct block_options){.read_only = true}, NULL);
    struct qcow2_check c;
    cr_assert(!qcow2_check(b, &c) && c.errors > 0);
    block_close(b);
    b = must_open(at(0), (struct block_options){0}, NULL);
    expect_sound(b, false);
    same_content(b, model, MODEL);
    block_close(b);
    free(model);
}

/* --- mistakes and damage --- */

static void expect_error(const char *path, struct block_options o, const char *line)
{
    char *error = NULL;
    cr_assert_null(block_open(path, &o, NULL, &error));
    cr_assert(strstr(error, line), "%s", error);
    free(error);
}

Test(block, mistakes, .init = begin, .fini = end)
{
    expect_error(at(0), (struct block_options){0}, ": No such file or directory");
    make_raw(at(0), 4096);
    expect_error(at(0), (struct block_options){.format = "vmdk"}, "format 'vmdk' is not known; there are raw and qcow2");
    expect_error(at(0), (struct block_options){.format = "qcow2"}, "is not a qcow2 image");
    struct block *b = must_open(at(0), (struct block_options){0}, NULL);
    expect_error(at(0), (struct block_options){.read_only = true}, "is in use by another machine");
    uint8_t header[512] = "QFI\xfb";
    cr_assert_eq(block_write(b, 0, header, 512), EPERM, "a guest must not make an image of its raw disk");
    cr_assert_eq(block_write(b, 512, header, 512), 0);
    block_close(b);
    must_create(at(1), (struct qcow2_layout){.size = 4096, .refcount_order = 4, .backing = "1"});
    expect_error(at(1), (struct block_options){.read_only = true}, "more than 32 backing files");
    char *error = qcow2_create(at(1), &(struct qcow2_layout){.size = 4096, .refcount_order = 4});
    cr_assert(strstr(error, "File exists"));
    free(error);
}

Test(qcow2, damaged_images_do_no_harm, .init = begin, .fini = end, .timeout = 120)
{
    uint8_t *model = calloc(1, MODEL), buf[8192];
    uint64_t seed = 1234;
    must_create(at(2), (struct qcow2_layout){.size = MODEL, .cluster_bits = 10, .refcount_order = 4});
    struct block *b = must_open(at(2), (struct block_options){.discard = true}, NULL);
    random_operations(b, model, MODEL, 60, &seed);
    block_close(b);
    int fd = open(at(2), O_RDONLY);
    struct stat st;
    cr_assert(!fstat(fd, &st));
    uint8_t *image = malloc((size_t)st.st_size);
    cr_assert_eq(read(fd, image, (size_t)st.st_size), st.st_size);
    close(fd);
    unsigned opened = 0;
    for (unsigned round = 0; round < 250; round++) {
        fd = open(at(0), O_RDWR | O_CREAT | O_TRUNC, 0666);
        cr_assert_eq(write(fd, image, (size_t)st.st_size), st.st_size);
        for (unsigned k = 0; k < 1 + round % 8; k++) {
            uint64_t v = chance(&seed) >> chance(&seed) % 64;
            uint64_t where = chance(&seed) % 3 ? 8 + chance(&seed) % 100 : chance(&seed) % 16384;
            cr_assert(pwrite(fd, &v, 1 + chance(&seed) % 8, (off_t)where) > 0);
        }
        if (round % 10 == 0)
            cr_assert(!ftruncate(fd, (off_t)(chance(&seed) % (uint64_t)st.st_size)));
        close(fd);
        char *error = NULL;
        b = block_open(at(0), &(struct block_options){.format = "qcow2", .discard = true}, NULL, &error);
        free(error);
        if (!b)
            continue;
        opened++;
        for (unsigned k = 0; k < 30; k++) {
            uint64_t offset = chance(&seed) % (b->size ? b->size : 1);
            uint64_t n = b->size - offset < sizeof buf ? b->size - offset : sizeof buf;
            switch (k % 4) {
            case 0: block_write(b, offset, buf, n); break;
            case 1: block_discard(b, offset, n); break;
            case 2: block_zero(b, offset, n, k % 8 < 4); break;
            default: block_read(b, offset, buf, n);
            }
        }
        block_flush(b);
        struct qcow2_check c;
        if (b->size < 64 << 20)
            qcow2_check(b, &c);
        block_close(b);
        unlink(at(0));
    }
    cr_assert(opened > 25, "only %u", opened);
    free(image);
    free(model);
}

/* --- requests --- */

static unsigned ended, failed;
static void count_done(struct block_request *r, int error)
{
    ended++;
    failed += error != 0;
}

Test(block, requests_by_threads, .init = begin, .fini = end)
{
    enum { N = 64, SIZE = 8192 };
    static uint8_t content[N][SIZE], back[N][SIZE];
    struct block_request r[N];
    must_create(at(0), (struct qcow2_layout){.size = N * SIZE, .cluster_bits = 12, .refcount_order = 4});
    struct block_pool *pool = block_pool_new(4);
    struct block *b = must_open(at(0), (struct block_options){0}, pool);
    for (unsigned i = 0; i < N; i++) {
        memset(content[i], (int)i + 1, SIZE);
        r[i] = (struct block_request){
            .op = BLOCK_WRITE, .offset = i * SIZE, .n = SIZE, .buf = content[i], .done = count_done};
        block_submit(b, &r[i]);
    }
    while (ended < N) {
        struct pollfd p = {block_pool_fd(pool), POLLIN, 0};
        cr_assert_eq(poll(&p, 1, 5000), 1);
        block_pool_dispatch(pool);
    }
    struct block_request flush = {.op = BLOCK_FLUSH, .done = count_done};
    block_submit(b, &flush);
    block_drain(b);
    cr_assert_eq(ended, N + 1);
    for (unsigned i = 0; i < N; i++) {
        r[i] = (struct block_request){.op = BLOCK_READ, .offset = i * SIZE, .n = SIZE, .buf = back[i], .done = count_done};
        block_submit(b, &r[i]);
    }
    block_drain(b);
    cr_assert_eq(failed, 0);
    cr_assert_eq(memcmp(content, back, sizeof content), 0);
    struct block_request wrong = {.op = BLOCK_READ, .offset = N * SIZE, .n = 512, .buf = back, .done = count_done};
    block_submit(b, &wrong);
    block_drain(b);
    cr_assert_eq(failed, 1);
    expect_sound(b, false);
    block_close(b);
    block_pool_free(pool);
}
