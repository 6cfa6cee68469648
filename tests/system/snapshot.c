/*
 * Saves and loads a machine while it works: snapshot PROGRAM [counted]. Whatever it said after a state was saved is
 * taken back when the state is loaded; in the end it must have said what it says without any of this. States go to a
 * file, into a disk, and to another machine; states that are damaged, or of another machine, change nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "hw/boards/snapshot.h"
#include "softmmu/main-loop.h"

enum { ROOM = 8192, STEP_MS = 7, LOADS = 20 };

/* A slow terminal that keeps what was said. */
struct terminal {
    struct chardev chardev;
    char said[ROOM];
    size_t n;
    unsigned budget; /* bytes until the next step */
};

static size_t terminal_write(struct chardev *c, const uint8_t *bytes, size_t n)
{
    struct terminal *t = (struct terminal *)c;
    if (n > t->budget)
        n = t->budget;
    CHECK(t->n + n < ROOM);
    memcpy(t->said + t->n, bytes, n);
    t->n += n;
    t->budget -= (unsigned)n;
    return n;
}

struct test {
    const char *program;
    bool counted;
    char folder[64], file[96], image[96], second[96];
    struct terminal terminal;
    struct main_loop loop;
    struct board *board;
    struct block *disk; /* NULL: files are used */
    struct block_pool *pool;
    size_t saved_at;
    bool saved;
    unsigned loads, wanted, step;
    uint64_t seed;
};

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

static void must(char *error)
{
    if (error)
        fail("failed", error);
}

static void must_fail(char *error, const char *with)
{
    if (!error)
        fail("no error where there must be", with);
    if (!strstr(error, with) || strchr(error, '\n'))
        fail("another error", error);
    free(error);
}

static uint64_t chance(struct test *t)
{
    t->seed ^= t->seed << 13;
    t->seed ^= t->seed >> 7;
    t->seed ^= t->seed << 17;
    return t->seed;
}

static struct board *new_board(struct test *t, unsigned processors, uint64_t ram)
{
    struct board *b;
    struct board_options o = {.processors = processors,
                              .ram_size = ram << 20,
                              .firmware = "none",
                              .kernel = t->program,
                              .exec = {.background = true, .counted = t->counted},
                              .icount_shift = 3};
    o.serial[0] = &t->terminal.chardev;
    must(board_new(board_class_by_name("virt"), &o, &b));
    if (t->disk) {
        struct device *d = device_new(device_class_by_name("virtio-blk-pci"), "disk", &b->host);
        device_set_backend(d, "drive", t->disk);
        machine_lock(&b->machine);
        must(board_add(b, d));
        machine_unlock(&b->machine);
    }
    return b;
}

static struct snapshot_drives drives(struct test *t) { return (struct snapshot_drives){&t->disk, t->disk != NULL}; }

static char *save(struct test *t)
{
    struct snapshot_drives d = drives(t);
    return t->disk ? snapshot_save(t->board, &d, "now") : snapshot_save_file(t->board, &d, t->file);
}

static char *load(struct test *t, struct board *b)
{
    struct snapshot_drives d = drives(t);
    return t->disk ? snapshot_load(b, &d, "now") : snapshot_load_file(b, &d, t->file);
}

/* The file with a few bytes changed, or its end missing: always an error, and the machine goes on as if nothing was. */
static void try_damaged(struct test *t)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s.bad", t->file);
    int from = open(t->file, O_RDONLY), to = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(from >= 0 && to >= 0 && !fstat(from, &st));
    uint8_t *bytes = malloc((size_t)st.st_size);
    CHECK(read(from, bytes, (size_t)st.st_size) == st.st_size && write(to, bytes, (size_t)st.st_size) == st.st_size);
    for (unsigned k = 0; k < 8; k++) {
        off_t at = (off_t)(chance(t) % (uint64_t)(k % 2 ? 2000 : st.st_size));
        uint8_t other = (uint8_t)(bytes[at] ^ (1 + chance(t) % 255));
        if (k == 7)
            CHECK(!ftruncate(to, at));
        else
            CHECK(pwrite(to, &other, 1, at) == 1);
        must_fail(snapshot_load_file(t->board, &(struct snapshot_drives){0}, path), path);
        CHECK(k == 7 || pwrite(to, bytes + at, 1, at) == 1);
    }
    free(bytes);
    close(from);
    close(to);
    unlink(path);
}

/* Every few milliseconds, under the lock. */
static gboolean step(gpointer opaque)
{
    struct test *t = opaque;
    struct chardev *c = &t->terminal.chardev;
    t->terminal.budget = 1 + (unsigned)(chance(t) % 40);
    if (c->front.writable)
        c->front.writable(c->front.opaque);
    if (t->loads == t->wanted)
        return G_SOURCE_CONTINUE;
    switch (t->step++ % 6) {
    case 1:
        must(save(t));
        t->saved = true;
        t->saved_at = t->terminal.n;
        if (!t->disk && t->loads % 5 == 0)
            try_damaged(t);
        break;
    case 3:
        if (t->saved) {
            machine_pause(&t->board->machine, RUN_STATE_PAUSED);
            t->terminal.n = t->saved_at; /* what the UART had not sent it may send at once */
            must(load(t, t->board));
            CHECK(machine_resume(&t->board->machine));
            t->loads++;
        }
        break;
    }
    return G_SOURCE_CONTINUE;
}

static void no_reset(void *opaque) {}

/* Runs the machine to its end, or until it has been loaded as often. */
static void run(struct test *t, unsigned loads)
{
    struct machine *m = &t->board->machine;
    GMainContext *context = g_main_context_new();
    GSource *source = g_timeout_source_new(STEP_MS);
    t->wanted = loads;
    main_loop_init(&t->loop, m, context, no_reset, t);
    g_source_set_callback(source, step, t, NULL);
    g_source_attach(source, context);
    machine_lock(m);
    machine_resume(m);
    machine_unlock(m);
    if (main_loop_run(&t->loop))
        fail("the program failed", t->terminal.said);
    g_source_destroy(source);
    g_source_unref(source);
    main_loop_free(&t->loop);
    g_main_context_unref(context);
    t->terminal.said[t->terminal.n] = 0;
}

static void same(struct test *t, const char *reference)
{
    size_t at = 0;
    while (reference[at] && t->terminal.said[at] == reference[at])
        at++;
    if (t->terminal.said[at] != reference[at])
        fail("not what it says without snapshots, from here on", t->terminal.said + at);
    if (t->loads != t->wanted)
        fail("too few loads", "it ended before");
    printf("%u loads: the same\n", t->loads);
    t->terminal.n = t->loads = t->step = 0;
    t->saved = false;
}

/* The state that was saved last goes on in a machine that is made anew. */
static void run_elsewhere(struct test *t, const char *reference)
{
    memcpy(t->terminal.said, reference, t->saved_at); /* what was said before */
    t->terminal.n = t->saved_at;
    t->board = new_board(t, 2, 64);
    machine_lock(&t->board->machine);
    must(load(t, t->board));
    machine_unlock(&t->board->machine);
    run(t, 0);
    same(t, reference);
    board_free(t->board);
}

static void expect(struct test *t, unsigned processors, uint64_t ram, const char *device, const char *line)
{
    struct board *b = new_board(t, processors, ram);
    machine_lock(&b->machine);
    if (device)
        must(board_add(b, device_new(device_class_by_name(device), "other", &b->host)));
    must_fail(load(t, b), line);
    machine_unlock(&b->machine);
    board_free(b);
}

static struct block *open_second(struct test *t, unsigned refcount_order)
{
    char *error = NULL;
    unlink(t->second);
    must(qcow2_create(t->second, &(struct qcow2_layout){.size = 1 << 20, .refcount_order = refcount_order}));
    struct block *b = block_open(t->second, &(struct block_options){0}, t->pool, &error);
    must(error);
    return b;
}

/* All disks have a snapshot, or none has; they go back together. */
static void try_two_disks(struct test *t, struct block *first)
{
    uint8_t sector[512] = {1}, got[512];
    struct block *both[] = {first, open_second(t, 0)};
    struct snapshot_drives d = {both, 2};
    struct machine *m = &t->board->machine;
    machine_lock(m);
    CHECK(!block_write(both[1], 0, sector, sizeof sector));
    must_fail(snapshot_save(t->board, &d, "two"), "the image's reference counts are too narrow");
    CHECK(block_snapshot_find(first, "two") < 0);
    block_close(both[1]);
    both[1] = open_second(t, 4);
    CHECK(!block_write(both[1], 0, sector, sizeof sector));
    must_fail(snapshot_load(t->board, &d, "now"), "there is no snapshot now on disk");
    for (unsigned round = 0; round < 2; round++) /* the second replaces the first */
        must(snapshot_save(t->board, &d, "two"));
    CHECK(!block_snapshot_at(both[1], 0)->state_size && !block_snapshot_at(both[1], 1));
    sector[0] = 2;
    CHECK(!block_write(both[1], 0, sector, sizeof sector));
    must(snapshot_load(t->board, &d, "two"));
    CHECK(!block_read(both[1], 0, got, sizeof got) && got[0] == 1);
    must(snapshot_save(t->board, &d, NULL));
    must(snapshot_delete(t->board, &d, "two"));
    must_fail(snapshot_load(t->board, &d, "two"), "there is no snapshot two");
    must_fail(snapshot_save(t->board, &d, ""), "a snapshot's name has 1 to 255 characters");
    must(block_snapshot_create(first, &(struct block_snapshot){.name = (char *)"disk only"}) ? device_error("not made")
                                                                                             : NULL);
    must_fail(snapshot_load(t->board, &(struct snapshot_drives){both, 1}, "disk only"), "has the disk's content only");
    CHECK(!block_snapshot_delete(first, (unsigned)block_snapshot_find(first, "disk only")));
    machine_unlock(m);
    CHECK(!block_close(both[1]));
    unlink(t->second);
}

int main(int argc, char **argv)
{
    static struct test t = {.terminal = {.chardev.write = terminal_write, .budget = 0}, .seed = 99};
    static char reference[ROOM];
    t.counted = argc == 3 && !strcmp(argv[2], "counted");
    CHECK(argc == 2 + t.counted);
    t.program = argv[1];
    snprintf(t.folder, sizeof t.folder, "%s/metic-snapshot-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    CHECK(mkdtemp(t.folder));
    snprintf(t.file, sizeof t.file, "%s/state", t.folder);
    snprintf(t.image, sizeof t.image, "%s/image", t.folder);
    snprintf(t.second, sizeof t.second, "%s/second", t.folder);

    t.board = new_board(&t, 2, 64);
    run(&t, 0);
    board_free(t.board);
    memcpy(reference, t.terminal.said, t.terminal.n);
    CHECK(strstr(reference, "right\n"));
    t.terminal.n = t.step = 0;

    t.board = new_board(&t, 2, 64);
    run(&t, LOADS);
    same(&t, reference);
    board_free(t.board);
    run_elsewhere(&t, reference);
    expect(&t, 1, 64, NULL,
           "is of another machine: virt, 2 processors, 64 MiB; this one is virt, 1 processors, 64 MiB");
    expect(&t, 2, 128, NULL, "is of another machine");
    expect(&t, 2, 64, "virtio-rng-pci", "has no device device/other (virtio-rng-pci)");
    unlink(t.file);
    must_fail(snapshot_load_file(NULL, &(struct snapshot_drives){0}, t.file), "No such file");

    must(qcow2_create(t.image, &(struct qcow2_layout){.size = 64 << 20, .refcount_order = 4}));
    char *error = NULL;
    t.pool = block_pool_new(2);
    CHECK((t.disk = block_open(t.image, &(struct block_options){0}, t.pool, &error)));
    t.board = new_board(&t, 2, 64);
    struct snapshot_drives d = drives(&t);
    must_fail(snapshot_load(t.board, &d, "now"), "there is no snapshot now");
    run(&t, LOADS);
    same(&t, reference);
    board_free(t.board);
    run_elsewhere(&t, reference);
    struct block *disk = t.disk;
    struct qcow2_check check;
    t.disk = NULL;
    t.board = new_board(&t, 2, 64);
    machine_lock(&t.board->machine);
    must_fail(snapshot_load(t.board, &(struct snapshot_drives){&disk, 1}, "now"),
              "has device/disk, which this machine has not");
    must(snapshot_delete(t.board, &(struct snapshot_drives){&disk, 1}, "now"));
    must_fail(snapshot_delete(t.board, &(struct snapshot_drives){&disk, 1}, "now"), "there is no snapshot now");
    machine_unlock(&t.board->machine);
    try_two_disks(&t, disk);
    board_free(t.board);
    CHECK(!qcow2_check(disk, &check) && !check.errors);
    CHECK(!block_close(disk));
    block_pool_free(t.pool);
    unlink(t.image);
    rmdir(t.folder);
    return 0;
}
