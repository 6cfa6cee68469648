/* Snapshots inside qcow2 images: each is an array that stays, whatever is done to the disk; sound images, killed
 * writers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/block-image.h"

enum { MOST = 6 };

/* An independent judge, where it is installed. */
static void judge(const char *path)
{
    char command[256];
    if (system("command -v qemu-img >/dev/null 2>&1"))
        return;
    snprintf(command, sizeof command, "qemu-img check -q -f qcow2 %s && qemu-img snapshot -l %s >/dev/null", path,
             path);
    cr_assert_eq(system(command), 0, "%s", command);
}

static void must_snapshot(struct block *b, const char *name, uint64_t state_size)
{
    struct block_snapshot s = {.name = (char *)name, .seconds = 1700000000, .clock = 12345, .state_size = state_size};
    int error = block_snapshot_create(b, &s);
    cr_assert_eq(error, 0, "%s", strerror(error));
}

static void fill_state(uint8_t *p, uint64_t n, uint64_t seed)
{
    for (uint64_t i = 0; i < n; i++)
        p[i] = (uint8_t)(chance(&seed) & 3 ? chance(&seed) : 0);
}

static uint64_t state_size_of(unsigned name) { return name % 3 ? 1 + name * 7919 % 700000 : 0; }

static void check_state(struct block *b, unsigned at, unsigned name)
{
    uint64_t n = state_size_of(name);
    uint8_t *wanted = malloc(n + 1), *got = malloc(n + 1);
    fill_state(wanted, n, name);
    cr_assert_eq(block_snapshot_at(b, at)->state_size, n);
    for (uint64_t from = 0; from < n; from += 100000) {
        uint64_t part = n - from < 100000 ? n - from : 100000;
        cr_assert_eq(block_state_read(b, at, from, got + from, part), 0);
    }
    cr_assert_eq(memcmp(got, wanted, n), 0);
    cr_assert_eq(block_state_read(b, at, n, got, 1), EINVAL);
    free(wanted);
    free(got);
}

static void take(struct block *b, unsigned name)
{
    char text[16];
    uint64_t n = state_size_of(name);
    uint8_t *state = malloc(n + 1);
    fill_state(state, n, name);
    for (uint64_t from = 0; from < n; from += 65536)
        cr_assert_eq(block_state_write(b, from, state + from, n - from < 65536 ? n - from : 65536), 0);
    snprintf(text, sizeof text, "s%u", name);
    must_snapshot(b, text, n);
    free(state);
}

static void random_snapshots(unsigned bits, unsigned version, unsigned order, bool backing, uint64_t *seed)
{
    uint8_t *model = calloc(1, MODEL), *saved[MOST];
    unsigned names[MOST], n = 0, next = 1;
    struct qcow2_layout l = {.size = MODEL, .cluster_bits = bits, .version = version, .refcount_order = order};
    if (backing) {
        make_raw(at(1), MODEL / 2);
        struct block *b = must_open(at(1), (struct block_options){.format = "raw"}, NULL);
        random_operations(b, model, MODEL / 2, 60, seed);
        block_close(b);
        l.backing = "1";
        l.backing_format = "raw";
    }
    must_create(at(0), l);
    for (unsigned round = 0; round < 3; round++) {
        struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
        for (unsigned step = 0; step < 8; step++) {
            random_operations(b, model, MODEL, 25, seed);
            unsigned which = n ? (unsigned)(chance(seed) % n) : 0;
            switch (chance(seed) % 4) {
            case 0:
                if (n) {
                    cr_assert_eq(block_snapshot_delete(b, which), 0);
                    free(saved[which]);
                    n--;
                    memmove(saved + which, saved + which + 1, (n - which) * sizeof saved[0]);
                    memmove(names + which, names + which + 1, (n - which) * sizeof names[0]);
                }
                break;
            case 1:
                if (n) {
                    cr_assert_eq(block_snapshot_apply(b, which), 0);
                    memcpy(model, saved[which], MODEL);
                }
                break;
            default:
                if (n < MOST) {
                    names[n] = next++;
                    take(b, names[n]);
                    saved[n] = malloc(MODEL);
                    memcpy(saved[n++], model, MODEL);
                }
            }
            same_content(b, model, MODEL);
            for (unsigned i = 0; i < n; i++) {
                char text[16];
                snprintf(text, sizeof text, "s%u", names[i]);
                cr_assert_eq(block_snapshot_find(b, text), (int)i);
                check_state(b, i, names[i]);
            }
            cr_assert_null(block_snapshot_at(b, n));
        }
        expect_sound(b, true);
        cr_assert_eq(block_close(b), 0);
        judge(at(0));
        b = must_open(at(0), (struct block_options){.read_only = true}, NULL);
        expect_sound(b, false);
        cr_assert_eq(block_snapshot_create(b, &(struct block_snapshot){.name = (char *)"x"}), EROFS);
        block_close(b);
    }
    for (unsigned i = 0; i < n; i++)
        free(saved[i]);
    free(model);
    unlink(at(0));
    unlink(at(1));
}

Test(snapshot, each_is_an_array, .init = begin, .fini = end, .timeout = 100)
{
    uint64_t seed = 4;
    random_snapshots(16, 3, 4, false, &seed);
    random_snapshots(9, 3, 6, false, &seed);
    random_snapshots(9, 2, 4, true, &seed);
    random_snapshots(12, 3, 3, true, &seed);
    random_snapshots(21, 3, 5, false, &seed);
}

/* Tables of many clusters: an L1 of a large disk with small ones. */
Test(snapshot, large_tables, .init = begin, .fini = end)
{
    uint8_t sector[512], got[512];
    must_create(at(0), (struct qcow2_layout){.size = UINT64_C(2) << 30, .cluster_bits = 9, .refcount_order = 4});
    struct block *b = must_open(at(0), (struct block_options){0}, NULL);
    for (unsigned k = 0; k < 4; k++) {
        memset(sector, (int)k + 1, sizeof sector);
        for (unsigned i = 9; i < 31; i++)
            cr_assert_eq(block_write(b, UINT64_C(1) << i, sector, 512), 0);
        take(b, k + 4);
    }
    for (unsigned k = 0; k < 4; k++) {
        cr_assert_eq(block_snapshot_apply(b, k), 0);
        cr_assert_eq(block_read(b, 1 << 30, got, 512), 0);
        cr_assert_eq(got[7], k + 1);
    }
    block_close(b);
    judge(at(0));
    b = must_open(at(0), (struct block_options){0}, NULL);
    expect_sound(b, false);
    while (block_snapshot_at(b, 0))
        cr_assert_eq(block_snapshot_delete(b, 0), 0);
    block_close(b);
    judge(at(0));
}

Test(snapshot, mistakes, .init = begin, .fini = end)
{
    uint8_t sector[512] = {1};
    make_raw(at(1), 4096);
    struct block *b = must_open(at(1), (struct block_options){.format = "raw"}, NULL);
    cr_assert(!block_can_snapshot(b));
    cr_assert_eq(block_snapshot_create(b, &(struct block_snapshot){.name = (char *)"x"}), ENOTSUP);
    cr_assert_null(block_snapshot_at(b, 0));
    block_close(b);
    /* Counts of one bit: a cluster cannot be shared; nothing happens to the image. */
    must_create(at(0), (struct qcow2_layout){.size = MODEL, .cluster_bits = 12, .refcount_order = 0});
    b = must_open(at(0), (struct block_options){0}, NULL);
    for (unsigned i = 0; i < 64; i++)
        cr_assert_eq(block_write(b, i * 8192, sector, 512), 0);
    cr_assert_eq(block_snapshot_create(b, &(struct block_snapshot){.name = (char *)"x"}), EOVERFLOW);
    cr_assert_eq(block_snapshot_apply(b, 0), ENOENT);
    block_close(b);
    b = must_open(at(0), (struct block_options){0}, NULL);
    expect_sound(b, true);
    cr_assert_null(block_snapshot_at(b, 0));
    block_close(b);
}

/* A process that dies at any of its writes to the file: the snapshots made before are whole, and so is the image. */
static unsigned deadline;
ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    static ssize_t (*host)(int, const void *, size_t, off_t);
    if (!host)
        host = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    if (deadline && !--deadline)
        _exit(7);
    return host(fd, buf, n, offset);
}

static void work_until_killed(unsigned writes, uint8_t *model)
{
    uint64_t seed = writes;
    struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
    deadline = writes;
    cr_assert_eq(block_snapshot_apply(b, 0), 0);
    take(b, 2);
    random_operations(b, model, MODEL, 20, &seed);
    take(b, 5);
    cr_assert_eq(block_snapshot_delete(b, 1), 0);
    cr_assert_eq(block_snapshot_apply(b, 0), 0);
    _exit(0);
}

Test(snapshot, killed_writer_loses_none, .init = begin, .fini = end, .timeout = 100)
{
    bool finished = false;
    for (unsigned writes = 1; !finished && writes < 4000; writes += 1 + writes / 25) {
        uint8_t *model = calloc(1, MODEL), *first = malloc(MODEL);
        uint64_t seed = 3;
        must_create(at(0), (struct qcow2_layout){.size = MODEL, .cluster_bits = 14, .refcount_order = 4});
        struct block *b = must_open(at(0), (struct block_options){.discard = true}, NULL);
        random_operations(b, model, MODEL, 20, &seed);
        memcpy(first, model, MODEL);
        take(b, 1);
        random_operations(b, model, MODEL, 10, &seed);
        block_close(b);
        pid_t child = fork();
        if (!child)
            work_until_killed(writes, first);
        int status;
        waitpid(child, &status, 0);
        cr_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 7 || !WEXITSTATUS(status)));
        finished = !WEXITSTATUS(status);
        b = must_open(at(0), (struct block_options){.discard = true}, NULL);
        expect_sound(b, true);
        cr_assert_eq(block_snapshot_find(b, "s1"), 0);
        check_state(b, 0, 1);
        cr_assert_eq(block_snapshot_apply(b, 0), 0);
        same_content(b, first, MODEL);
        expect_sound(b, true);
        block_close(b);
        free(model);
        free(first);
        unlink(at(0));
    }
    cr_assert(finished);
}

Test(snapshot, damaged_images_do_no_harm, .init = begin, .fini = end, .timeout = 100)
{
    uint8_t *model = calloc(1, MODEL), buf[8192];
    uint64_t seed = 4321;
    must_create(at(2), (struct qcow2_layout){.size = MODEL, .cluster_bits = 10, .refcount_order = 4});
    struct block *b = must_open(at(2), (struct block_options){.discard = true}, NULL);
    for (unsigned i = 1; i < 5; i++) {
        random_operations(b, model, MODEL, 15, &seed);
        take(b, i);
    }
    uint64_t tables[] = {72, qcow2(b)->snapshots_offset, qcow2(b)->snapshot[1].l1_offset, qcow2(b)->l1_offset};
    block_close(b);
    int fd = open(at(2), O_RDONLY);
    struct stat st;
    cr_assert(!fstat(fd, &st));
    uint8_t *image = malloc((size_t)st.st_size);
    cr_assert_eq(read(fd, image, (size_t)st.st_size), st.st_size);
    close(fd);
    unsigned opened = 0;
    for (unsigned round = 0; round < 200; round++) {
        fd = open(at(0), O_RDWR | O_CREAT | O_TRUNC, 0666);
        cr_assert_eq(write(fd, image, (size_t)st.st_size), st.st_size);
        for (unsigned k = 0; k < 1 + round % 4; k++) {
            uint64_t v = chance(&seed) >> chance(&seed) % 64, where = tables[chance(&seed) % 4] + chance(&seed) % 400;
            if (where >= 72 + 400 || where < 72)
                cr_assert(pwrite(fd, &v, 1 + chance(&seed) % 8, (off_t)where) > 0);
            else
                cr_assert(pwrite(fd, &v, 4, 60 + (off_t)(chance(&seed) % 12)) >
                          0); /* of the header: the table's place */
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
        for (unsigned k = 0; k < 12; k++) {
            const struct block_snapshot *s = block_snapshot_at(b, k % 5);
            uint64_t offset = chance(&seed) % (b->size - sizeof buf);
            if (s)
                block_state_read(b, k % 5, 0, buf, s->state_size < sizeof buf ? s->state_size : sizeof buf);
            switch (k % 4) {
            case 0: block_snapshot_create(b, &(struct block_snapshot){.name = (char *)"new"}); break;
            case 1: block_snapshot_apply(b, (unsigned)(chance(&seed) % 5)); break;
            case 2: block_snapshot_delete(b, (unsigned)(chance(&seed) % 5)); break;
            default: block_write(b, offset, buf, sizeof buf);
            }
        }
        struct qcow2_check c;
        qcow2_check(b, &c);
        block_close(b);
        unlink(at(0));
    }
    cr_assert(opened > 40);
    free(image);
    free(model);
}
