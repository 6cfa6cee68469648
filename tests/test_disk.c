/*
 * The translation cache on disk, with a guest of no architecture whose code is a file's bytes: translations are found
 * again and do the same; a damaged file, or one that somebody else could have written, is never used.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/disk-internal.h"
#include "tests/x86-units.h"

enum { FILE_AT = 0x100000, FILE_BYTES = 4096, INSNS = 1000, DAMAGES = 10000 };

/* Instruction i of the file adds its byte to x0; every fourth goes on elsewhere, the last stops. */
static uint8_t guest_file[FILE_BYTES];
static uint64_t mapping = 1;

static uint64_t pc_of(unsigned i) { return FILE_AT + 4 * i; }

static void translate(struct ir_builder *b, const struct code_reader *code, unsigned max_insns)
{
    struct ir_unit *u = b->u;
    unsigned i = (u->pc - FILE_AT) / 4;
    for (unsigned n = 0;; n++, i++) {
        b_insn(b, pc_of(i), 0);
        u->ninsns = n + 1;
        u->bytes = 4 * u->ninsns;
        if (i == INSNS) {
            b_trap(b, EXIT_BREAKPOINT, pc_of(i), 0);
            return;
        }
        size_t avail;
        const uint8_t *byte = code->window(code->opaque, pc_of(i), &avail);
        b_put(b, SLOT_X, b_add(b, IR_I64, b_get(b, SLOT_X), b_i64(b, *byte)));
        if (i % 4 == 3) {
            b_goto(b, pc_of(i + 1));
            return;
        }
    }
}

static const uint8_t *window(void *opaque, uint64_t pc, size_t *avail)
{
    if (pc < FILE_AT || pc >= FILE_AT + FILE_BYTES)
        return NULL;
    *avail = FILE_AT + FILE_BYTES - pc;
    return guest_file + (pc - FILE_AT);
}

static bool file_at(void *opaque, uint64_t pc, struct code_file *f)
{
    *f = (struct code_file){FILE_AT, FILE_AT + FILE_BYTES, FILE_AT, mapping,
                            {.size = FILE_BYTES, .mtime = 1, .ctime = 2, .ino = 3, .head = guest_file[0]}};
    return pc >= FILE_AT && pc < FILE_AT + FILE_BYTES;
}

static uint32_t no_mode(const struct cpu *cpu) { return 0; }
static void no_reset(struct cpu *cpu) {}

struct process {
    struct ir_guest guest;
    struct target target;
    struct exec *exec;
    struct test_cpu *cpu;
};

static const char *new_folder(void)
{
    static char folder[64];
    strcpy(folder, "/tmp/metic-test-disk-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    return folder;
}

static void remove_folder(const char *folder)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_expect_eq(system(command), 0);
}

static struct disk *open_disk(const char *folder)
{
    const struct disk_options o = {.folder = folder, .system = "/nonexistent"};
    return disk_new(&o);
}

static void start(struct process *p, const struct disk *d)
{
    static const struct code_reader reader = {NULL, window, file_at};
    const struct exec_options o = {.engine = ENGINE_JIT, .cache_bytes = 2 << 20, .disk = d};
    static const struct ir_slot *slots;
    if (!slots)
        slots = test_slots(9);
    p->guest = (struct ir_guest){slots, NSLOTS, test_helpers, ARRAY_SIZE(test_helpers), &fp_rules_arm};
    p->target = (struct target){
        .name = "test", .address_bits = 48, .page_size = 4096, .state_size = sizeof(struct test_cpu), .ir = &p->guest,
        .reset = no_reset, .mode = no_mode, .translate = translate,
    };
    p->exec = exec_new(&p->target, &reader, &o);
    cr_assert_not_null(p->exec);
    p->cpu = (struct test_cpu *)cpu_new(p->exec);
    cr_assert_not_null(p->cpu);
}

static uint64_t run(struct process *p)
{
    p->cpu->x[0] = 0;
    p->cpu->cpu.pc = pc_of(0);
    enum cpu_exit reason;
    do
        reason = cpu_run(&p->cpu->cpu);
    while (reason == EXIT_INTERRUPT); /* code was dropped */
    cr_assert_eq(reason, EXIT_BREAKPOINT);
    cr_assert_eq(p->cpu->cpu.pc, pc_of(INSNS));
    return p->cpu->x[0];
}

static void stop(struct process *p)
{
    cpu_free(&p->cpu->cpu);
    exec_free(p->exec);
}

static uint64_t want(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < INSNS; i++)
        sum += guest_file[4 * i];
    return sum;
}

static void fill_guest_file(void)
{
    for (unsigned i = 0; i < FILE_BYTES; i++)
        guest_file[i] = 37 * i + i / 100 + 1;
}

/* Runs the file once and stores what was translated. */
static void store(const struct disk *d)
{
    struct process p;
    start(&p, d);
    cr_expect_eq(run(&p), want());
    p.exec->disk.at_once = true; /* else only that there is the file */
    exec_save(p.exec, true);
    stop(&p);
}

/* Units of a run's code that came from the cache. */
static uint64_t found(const struct disk *d)
{
    struct process p;
    start(&p, d);
    cr_expect_eq(run(&p), want());
    uint64_t n = p.exec->stats.disk_files ? p.exec->stats.disk_units : 0;
    cr_expect_eq(p.exec->stats.units == 0, n != 0, "all or nothing");
    stop(&p);
    return n;
}

/* The cache's one file. */
static void name_of_file(const char *folder, char path[128])
{
    char command[128];
    snprintf(command, sizeof command, "ls -d %s/????????????????????????????????", folder);
    FILE *f = popen(command, "r");
    cr_assert(f && fgets(path, 128, f));
    path[strcspn(path, "\n")] = 0;
    pclose(f);
}

Test(disk, found_again, .timeout = 60)
{
    const char *folder = new_folder();
    fill_guest_file();
    struct disk *d = open_disk(folder);
    cr_assert_not_null(d);
    cr_expect_eq(found(d), 0);
    store(d);
    cr_expect_neq(found(d), 0);
    guest_file[0]++; /* another file */
    cr_expect_eq(found(d), 0);
    disk_free(d);
    remove_folder(folder);
}

/* Two mappings where the code wants to be and next to it: it runs elsewhere. */
Test(disk, moved, .timeout = 60)
{
    const char *folder = new_folder();
    struct process p;
    fill_guest_file();
    struct disk *d = open_disk(folder);
    store(d);
    start(&p, d);
    cr_expect_eq(run(&p), want());
    const struct image *im = p.exec->disk.image[0];
    uint64_t centre = im->map.h->centre;
    cr_expect_eq((uintptr_t)im->map.code, centre);
    size_t size = im->map.size;
    void *at = im->map.at;
    stop(&p);
    cr_assert_eq(mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), at);
    start(&p, d);
    cr_expect_eq(run(&p), want());
    cr_expect_eq(p.exec->stats.units, 0);
    cr_expect_neq((uintptr_t)p.exec->disk.image[0]->map.code, centre);
    stop(&p);
    munmap(at, size);
    disk_free(d);
    remove_folder(folder);
}

/* What the guest changes is not taken from the file, and not stored in it. */
Test(disk, changed_code, .timeout = 60)
{
    const char *folder = new_folder();
    struct process p;
    fill_guest_file();
    struct disk *d = open_disk(folder);
    store(d);
    start(&p, d);
    cr_expect_eq(run(&p), want());
    cr_expect_neq(p.exec->stats.disk_units, 0);
    guest_file[4 * 500]++;
    exec_invalidate(p.exec, pc_of(500), pc_of(501));
    cr_expect_eq(run(&p), want());
    exec_save(p.exec, true);
    cr_expect_eq(p.exec->stats.disk_stored, 0);
    mapping++; /* the file again, over what was changed */
    guest_file[4 * 500]--;
    exec_invalidate(p.exec, FILE_AT, FILE_AT + FILE_BYTES);
    uint64_t before = p.exec->stats.units;
    cr_expect_eq(run(&p), want());
    cr_expect_eq(p.exec->stats.units, before);
    stop(&p);
    disk_free(d);
    remove_folder(folder);
}

/* --- damage --- */

static void damage(uint8_t *bytes, size_t *size, size_t room)
{
    size_t at = below(*size), n = 1 + below(64);
    if (n > *size - at)
        n = *size - at;
    switch (below(8)) {
    case 0: bytes[at] ^= 1 << below(8); return;
    case 1: bytes[below(sizeof(struct disk_header))] ^= 1 << below(8); return;
    case 2:
        for (size_t i = 0; i < n; i++)
            bytes[at + i] = rnd();
        return;
    case 3: memset(bytes + at, 0, n); return;
    case 4: memset(bytes + ALIGN_DOWN(at, (size_t)DISK_PAGE), 0, DISK_PAGE); return; /* a page that was never written */
    case 5: *size = at; return; /* torn */
    case 6:
        *size += 1 + below(room - *size);
        return;
    default: { /* two words in each other's place */
        uint64_t a, b;
        size_t x = ALIGN_DOWN(at, (size_t)8), y = ALIGN_DOWN((size_t)below(*size), (size_t)8);
        memcpy(&a, bytes + x, 8);
        memcpy(&b, bytes + y, 8);
        memcpy(bytes + x, &b, 8);
        memcpy(bytes + y, &a, 8);
    }
    }
}

Test(disk, damaged_files_are_not_used, .timeout = 300)
{
    const char *folder = new_folder();
    char path[128];
    static uint8_t good[1 << 20], bad[1 << 20];
    fill_guest_file();
    struct disk *d = open_disk(folder);
    store(d);
    name_of_file(folder, path);
    int fd = open(path, O_RDWR);
    ssize_t size = read(fd, good, sizeof good);
    cr_assert(size > 0 && (size_t)size < sizeof good - 4 * DISK_PAGE);
    const struct disk_key key = ((struct disk_header *)good)->key;
    struct disk_map map;
    cr_assert(disk_map_open(&map, fd, &key, true, false));
    disk_map_close(&map);
    rng_state = 12345;
    unsigned used = 0, same = 0;
    for (unsigned i = 0; i < DAMAGES; i++) {
        size_t n = size;
        memcpy(bad, good, sizeof bad);
        for (unsigned k = 1 + below(3); k > 0 && n; k--)
            damage(bad, &n, sizeof bad);
        if (n == (size_t)size && !memcmp(bad, good, n)) {
            same++;
            continue;
        }
        cr_assert(pwrite(fd, bad, n, 0) == (ssize_t)n && ftruncate(fd, n) == 0);
        bool ok = disk_map_open(&map, fd, &key, true, false);
        used += ok;
        if (ok)
            disk_map_close(&map);
        if (i % 500 == 0)
            cr_expect_eq(found(d), 0);
    }
    cr_expect_eq(used, 0);
    cr_expect_lt(same, DAMAGES / 10);
    close(fd);
    disk_free(d);
    remove_folder(folder);
}

/* --- who may have written it --- */

Test(disk, unsafe_files_are_not_used, .timeout = 60)
{
    const char *folder = new_folder();
    char path[128], moved[160];
    fill_guest_file();
    struct disk *d = open_disk(folder);
    store(d);
    name_of_file(folder, path);
    cr_expect_neq(found(d), 0);
    cr_expect_eq(chmod(path, 0664), 0);
    cr_expect_eq(found(d), 0, "writable by a group");
    cr_expect_eq(chmod(path, 0602), 0);
    cr_expect_eq(found(d), 0, "writable by others");
    cr_expect_eq(chmod(path, 0400), 0);
    cr_expect_neq(found(d), 0);
    snprintf(moved, sizeof moved, "%s.moved", path);
    cr_expect_eq(rename(path, moved), 0);
    cr_expect_eq(symlink(moved, path), 0);
    cr_expect_eq(found(d), 0, "a symbolic link");
    cr_expect_eq(unlink(path), 0);
    cr_expect_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(found(d), 0, "a pipe");
    cr_expect_eq(unlink(path), 0);
    cr_expect_eq(mkdir(path, 0700), 0);
    cr_expect_eq(found(d), 0, "a folder");
    cr_expect_eq(rmdir(path), 0);
    cr_expect_eq(rename(moved, path), 0);
    cr_expect_neq(found(d), 0);
    if (geteuid() == 0) {
        cr_expect_eq(chown(path, 12345, 0), 0);
        cr_expect_eq(found(d), 0, "of another user");
    }
    disk_free(d);
    cr_expect_eq(chmod(folder, 0777), 0);
    d = open_disk(folder);
    cr_expect_null(d, "a folder that everybody can write");
    cr_expect_eq(chmod(folder, 0700), 0);
    if (geteuid() == 0) {
        cr_expect_eq(chown(folder, 12345, 0), 0);
        cr_expect_null(open_disk(folder), "a folder of another user");
    }
    remove_folder(folder);
}

Test(disk, bounded, .timeout = 60)
{
    const char *folder = new_folder();
    fill_guest_file();
    const struct disk_options o = {.folder = folder, .system = "/nonexistent", .max_bytes = 256 << 10};
    struct disk *d = disk_new(&o);
    for (unsigned i = 0; i < 40; i++) {
        guest_file[0] = i;
        store(d);
        cr_expect_neq(found(d), 0, "the newest stays");
    }
    char command[100];
    unsigned long kib = 0;
    snprintf(command, sizeof command, "du -sk %s", folder);
    FILE *f = popen(command, "r");
    cr_assert(f && fscanf(f, "%lu", &kib) == 1);
    pclose(f);
    cr_expect_leq(kib, 300);
    cr_expect_geq(kib, 100);
    disk_free(d);
    remove_folder(folder);
}

/* A writer that was stopped for good is in the way for a minute, no more. */
Test(disk, stale_unfinished_file, .timeout = 60)
{
    const char *folder = new_folder();
    char path[128], unfinished[160];
    fill_guest_file();
    struct disk *d = open_disk(folder);
    store(d);
    name_of_file(folder, path);
    snprintf(unfinished, sizeof unfinished, "%s.new", path);
    cr_assert_eq(unlink(path), 0);
    int fd = open(unfinished, O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(write(fd, "part", 4), 4);
    store(d);
    cr_expect_eq(found(d), 0, "somebody else is writing it");
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    cr_expect_eq(futimens(fd, old), 0);
    close(fd);
    store(d);
    store(d);
    cr_expect_neq(found(d), 0);
    disk_free(d);
    remove_folder(folder);
}
