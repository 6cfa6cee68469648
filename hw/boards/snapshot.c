/* Saving and loading whole machines: see snapshot.h. */
#define _GNU_SOURCE
#include "hw/boards/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "hw/pci/pci.h"
#include "hw/virtio/mmio.h"
#include "softmmu/state.h"

/* --- what a machine consists of --- */

/* Calls visit() for every device with the name that it has in a saved state; NULL, or the first line that it returned.
 */
static char *each_device(struct board *b, char *(*visit)(void *opaque, struct device *d, const char *path),
                         void *opaque)
{
    char *error = NULL;
    for (unsigned k = 0; k < b->nchips + b->ndevices && !error; k++) {
        bool user = k >= b->nchips;
        struct device *d = user ? b->device[k - b->nchips] : b->chip[k];
        struct device **list = user ? b->device : b->chip;
        unsigned same = 0;
        for (unsigned i = 0; list[i] != d; i++) /* the number among those of its class */
            same += list[i]->class == d->class;
        char *path = d->id ? device_error("device/%s", d->id)
                           : device_error("%s/%s.%u", user ? "device" : "board", d->class->name, same);
        error = strlen(path) > STATE_MAX_NAME / 2 ? device_error("device id %.40s... is too long for a snapshot", path)
                                                  : visit(opaque, d, path);
        free(path);
    }
    return error;
}

/* Where the user's device sits: what it is reached by must be the same when it is loaded. */
static uint32_t place_of(const struct board *b, const struct device *d)
{
    if (d->class->bus == BUS_PCI) {
        const struct pci_function *f = (const struct pci_function *)d;
        return f->devfn | (f->bus && f->bus->bridge ? 1u + f->bus->bridge->devfn : 0) << 8;
    }
    for (unsigned i = 0; i < b->nchips; i++)
        if (!strcmp(b->chip[i]->class->name, "virtio-mmio") && (struct device *)virtio_mmio_device(b->chip[i]) == d)
            return i;
    return 0;
}

/* Calls visit() for every region of RAM and ROM that is part of the map. */
static char *each_memory(struct mem_region *r, char *(*visit)(void *opaque, struct mem_region *r, const char *name),
                         void *opaque)
{
    char *error = NULL;
    if (r->kind == MEM_RAM || r->kind == MEM_ROM) {
        char *name = device_error("%s@%llx", r->name, (unsigned long long)r->at); /* two flashes have one name */
        error = visit(opaque, r, name);
        free(name);
    }
    for (struct mem_region *child = r->first_child; child && !error; child = child->next)
        error = each_memory(child, visit, opaque);
    return error;
}

/* A processor as a device of the stream. */
static void cpu_path(char *path, size_t room, unsigned i) { snprintf(path, room, "cpu/%u", i); }

static const char of_machine[] = "machine", of_memory[] = "memory", size_item[] = "size", place_item[] = "place",
                  halted_item[] = "halted";

/* --- saving --- */

static void put_item(void *opaque, const char *device, const char *name, const void *bytes, size_t n)
{
    state_put(opaque, device, name, bytes, n);
}

static char *put_device(void *opaque, struct device *d, const char *path)
{
    void *const *of = opaque; /* board, writer */
    uint32_t place = place_of(of[0], d);
    state_put(of[1], path, "class", d->class->name, strlen(d->class->name));
    state_put(of[1], path, place_item, &place, sizeof place);
    device_save(d, path, &(struct state_sink){put_item, of[1]});
    return NULL;
}

static char *put_memory(void *opaque, struct mem_region *r, const char *name)
{
    state_put(opaque, name, size_item, &r->size, sizeof r->size);
    state_put_memory(opaque, of_memory, name, r->host, r->size);
    return NULL;
}

/* What kind of machine it is: text, compared as a whole. */
static char *shape(const struct board *b)
{
    return device_error("%s, %u processors, %llu MiB", b->class->name, b->machine.nprocessors,
                        (unsigned long long)(b->options.ram_size >> 20));
}

static void put_processors(struct machine *m, struct state_writer *w)
{
    const struct target_system *t = m->processor[0]->cpu->target->system;
    for (unsigned i = 0; i < m->nprocessors; i++) {
        struct processor *p = m->processor[i];
        uint8_t halted = p->halted;
        char path[32];
        cpu_path(path, sizeof path, i);
        t->saving(p->cpu);
        for (unsigned k = 0; k < t->nsaved; k++)
            state_put(w, path, t->saved[k].name, (char *)p->cpu + t->saved[k].offset, t->saved[k].size);
        state_put(w, path, halted_item, &halted, 1);
    }
}

/* The machine is stopped. */
static void save(struct board *b, struct state_writer *w)
{
    struct machine *m = &b->machine;
    void *of[] = {b, w};
    char *what = shape(b);
    int64_t now = clock_now(&m->clocks, CLOCK_VIRTUAL);
    state_put(w, of_machine, "shape", what, strlen(what));
    state_put(w, of_machine, "clock", &now, sizeof now);
    free(what);
    put_processors(m, w);
    free(each_device(b, put_device, of));
    free(each_memory(m->memory.root, put_memory, w));
}

/* --- loading --- */

static bool get_item(void *opaque, const char *device, const char *name, void *bytes, size_t n)
{
    return state_get(opaque, device, name, bytes, n);
}

/* An item that is text; to be freed, NULL: it is not there. */
static char *get_text(struct state_reader *r, const char *device, const char *name)
{
    enum { LONGEST = 1000 };
    uint64_t n = state_size(r, device, name);
    char *text = n <= LONGEST ? calloc(1, n + 1) : NULL;
    if (text && !state_get(r, device, name, text, n)) {
        free(text);
        text = NULL;
    }
    return text;
}

static char *check_device(void *opaque, struct device *d, const char *path)
{
    void *const *of = opaque;
    uint32_t place;
    char *class = get_text(of[1], path, "class");
    if (class && strcmp(class, d->class->name)) {
        char *error =
            device_error("the saved state has a %s where this machine has a %s (%s)", class, d->class->name, path);
        free(class);
        return error;
    }
    if (!class)
        return device_error("the saved state has no device %s (%s); start without it", path, d->class->name);
    free(class);
    if (!state_get(of[1], path, place_item, &place, sizeof place) || place != place_of(of[0], d))
        return device_error("device %s (%s) is not where the saved state has it; give -device in the same order", path,
                            d->class->name);
    return device_load_check(d, path, &(struct state_source){get_item, of[1]});
}

static char *check_memory(void *opaque, struct mem_region *r, const char *name)
{
    uint64_t size;
    if (!state_get(opaque, name, size_item, &size, sizeof size) || size != r->size ||
        !state_memory_fits(opaque, of_memory, name, size))
        return device_error("the saved state has no memory %s of this size", name);
    return NULL;
}

static char *check_processors(struct machine *m, struct state_reader *r)
{
    const struct target_system *t = m->processor[0]->cpu->target->system;
    for (unsigned i = 0; i < m->nprocessors; i++) {
        char path[32];
        cpu_path(path, sizeof path, i);
        for (unsigned k = 0; k < t->nsaved; k++)
            if (!state_get(r, path, t->saved[k].name, NULL, t->saved[k].size))
                return device_error("the saved state of %s lacks %s", path, t->saved[k].name);
        if (!state_get(r, path, halted_item, NULL, 1))
            return device_error("the saved state of %s lacks %s", path, halted_item);
    }
    return NULL;
}

/* Is it the state of a machine like this one, and complete? */
static char *check(struct board *b, struct state_reader *r)
{
    void *of[] = {b, r};
    char *own = shape(b), *saved = get_text(r, of_machine, "shape"), *error = NULL;
    if (!saved || strcmp(own, saved))
        error =
            device_error("the saved state is of another machine: %s; this one is %s", saved ? saved : "unknown", own);
    free(own);
    free(saved);
    if (!error && !state_get(r, of_machine, "clock", NULL, sizeof(int64_t)))
        error = device_error("the saved state of the machine lacks clock");
    if (!error)
        error = check_processors(&b->machine, r);
    if (!error)
        error = each_device(b, check_device, of);
    if (!error)
        error = each_memory(b->machine.memory.root, check_memory, r);
    if (!error && state_unused(r))
        error = device_error("the saved state has %s, which this machine has not", state_unused(r));
    return error;
}

static char *reset_device(void *opaque, struct device *d, const char *path)
{
    device_reset(d);
    return NULL;
}

static char *load_device(void *opaque, struct device *d, const char *path)
{
    device_load_state(d, path, &(struct state_source){get_item, opaque});
    return NULL;
}

static char *device_goes_on(void *opaque, struct device *d, const char *path)
{
    device_loaded(d);
    return NULL;
}

struct loading_memory {
    struct state_reader *r;
    struct mem_space *s;
};

static char *load_memory(void *opaque, struct mem_region *to, const char *name)
{
    struct loading_memory *l = opaque;
    int error = state_get_memory(l->r, of_memory, name, l->s, to);
    return error ? device_error("can't read memory %s of the saved state: %s", name, strerror(error)) : NULL;
}

static void load_processors(struct machine *m, struct state_reader *r)
{
    const struct target_system *t = m->processor[0]->cpu->target->system;
    for (unsigned i = 0; i < m->nprocessors; i++) {
        struct processor *p = m->processor[i];
        uint8_t halted = 0;
        char path[32];
        cpu_path(path, sizeof path, i);
        for (unsigned k = 0; k < t->nsaved; k++)
            state_get(r, path, t->saved[k].name, (char *)p->cpu + t->saved[k].offset, t->saved[k].size);
        state_get(r, path, halted_item, &halted, 1);
        p->halted = halted;
        t->loaded(p->cpu);
        tlb_flush(p);
    }
}

/* What check() has found right. The machine is stopped; devices see memory, processors and each other as they were
 * saved. */
static char *load(struct board *b, struct state_reader *r)
{
    struct machine *m = &b->machine;
    struct loading_memory memory = {r, &m->memory};
    int64_t now = 0;
    mem_begin(&m->memory);
    free(each_device(b, reset_device, NULL));
    char *error = each_memory(m->memory.root, load_memory, &memory);
    state_get(r, of_machine, "clock", &now, sizeof now);
    clocks_set_virtual(&m->clocks, now < 0 ? 0 : now);
    free(each_device(b, load_device, r));
    load_processors(m, r);
    free(each_device(b, device_goes_on, NULL));
    if (b->class->loaded)
        b->class->loaded(b);
    mem_end(&m->memory);
    return error;
}

/* --- the disks --- */

struct block *snapshot_drive(const struct snapshot_drives *d, char **error)
{
    struct block *first = NULL;
    for (unsigned i = 0; i < d->n; i++) {
        if (!d->drive[i]->read_only && !block_can_snapshot(d->drive[i])) {
            *error = device_error("disk %s (%s) can't have snapshots; use a qcow2 image, or readonly=on",
                                  d->drive[i]->path, d->drive[i]->format->name);
            return NULL;
        }
        if (!first && block_can_snapshot(d->drive[i]))
            first = d->drive[i];
    }
    if (!first)
        *error = device_error("no disk of this machine can have snapshots; add one with -drive file=IMAGE.qcow2");
    return first;
}

/* Nothing is under way: the machine stands still, and what was asked of the disks is done. */
static enum run_state halt(struct board *b, const struct snapshot_drives *d, enum run_state state)
{
    enum run_state before = b->machine.state;
    machine_pause(&b->machine, state);
    for (unsigned i = 0; i < d->n; i++)
        block_drain(d->drive[i]);
    return before;
}

/* Removes it from the disks [0, n) that have it. */
static char *delete_from(const struct snapshot_drives *d, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++) {
        int at;
        while (block_can_snapshot(d->drive[i]) && (at = block_snapshot_find(d->drive[i], name)) >= 0) {
            int error = block_snapshot_delete(d->drive[i], (unsigned)at);
            if (error)
                return device_error("can't delete snapshot %s on disk %s: %s", name, d->drive[i]->path,
                                    strerror(error));
        }
    }
    return NULL;
}

static char *create_on(const struct snapshot_drives *d, const struct block *home, struct block_snapshot *s)
{
    uint64_t state_size = s->state_size;
    for (unsigned i = 0; i < d->n; i++) {
        if (!block_can_snapshot(d->drive[i]))
            continue;
        s->state_size = d->drive[i] == home ? state_size : 0;
        int error = block_snapshot_create(d->drive[i], s);
        if (!error)
            continue;
        free(delete_from(d, i, s->name));
        return device_error("can't make snapshot %s on disk %s: %s", s->name, d->drive[i]->path,
                            error == EOVERFLOW ? "the image's reference counts are too narrow" : strerror(error));
    }
    return NULL;
}

struct disk_stream {
    struct block *disk;
    unsigned index;
    uint64_t at;
};

static int write_disk(void *opaque, const void *bytes, size_t n)
{
    struct disk_stream *s = opaque;
    int error = block_state_write(s->disk, s->at, bytes, n);
    s->at += n;
    return error;
}

static int read_disk(void *opaque, uint64_t at, void *bytes, uint64_t n)
{
    const struct disk_stream *s = opaque;
    return block_state_read(s->disk, s->index, at, bytes, n);
}

char *snapshot_save(struct board *b, const struct snapshot_drives *d, const char *name)
{
    char *error = NULL, made[32];
    struct disk_stream stream = {.disk = snapshot_drive(d, &error)};
    if (!stream.disk)
        return error;
    if (name && (!*name || strlen(name) > STATE_MAX_NAME))
        return device_error("a snapshot's name has 1 to %d characters", STATE_MAX_NAME);
    struct timespec now;
    struct tm date;
    clock_gettime(CLOCK_REALTIME, &now);
    strftime(made, sizeof made, "vm-%Y%m%d%H%M%S", localtime_r(&now.tv_sec, &date));
    enum run_state before = halt(b, d, RUN_STATE_SAVE_VM);
    struct block_snapshot s = {
        .name = (char *)(name ? name : made),
        .seconds = (uint64_t)now.tv_sec,
        .nanoseconds = (uint32_t)now.tv_nsec,
        .clock = (uint64_t)clock_now(&b->machine.clocks, CLOCK_VIRTUAL),
    };
    error = delete_from(d, d->n, s.name);
    struct state_writer *w = error ? NULL : state_writer_new(write_disk, &stream);
    if (!error && !w)
        error = device_error("no memory for a snapshot");
    if (!error) {
        save(b, w);
        int failed = state_writer_end(w, &s.state_size);
        error = failed ? device_error("can't write the state to disk %s: %s", stream.disk->path, strerror(failed))
                       : create_on(d, stream.disk, &s);
    }
    machine_restore(&b->machine, before);
    return error;
}

/* The place of the snapshot on each disk that will be changed; an error: one lacks it. */
static char *find_on_disks(const struct snapshot_drives *d, const struct block *home, const char *name)
{
    for (unsigned i = 0; i < d->n; i++) {
        int at = block_can_snapshot(d->drive[i]) ? block_snapshot_find(d->drive[i], name) : 0;
        if (at < 0)
            return device_error("there is no snapshot %s on disk %s; info snapshots lists them", name,
                                d->drive[i]->path);
        const struct block_snapshot *s = block_snapshot_at(d->drive[i], (unsigned)at);
        if (block_can_snapshot(d->drive[i]) && s->disk_size != d->drive[i]->size)
            return device_error("disk %s had another size when snapshot %s was made", d->drive[i]->path, name);
        if (d->drive[i] == home && !s->state_size)
            return device_error("snapshot %s has the disk's content only, no machine", name);
    }
    return NULL;
}

static char *apply_on_disks(const struct snapshot_drives *d, const char *name)
{
    for (unsigned i = 0; i < d->n; i++) {
        int error = block_can_snapshot(d->drive[i])
                        ? block_snapshot_apply(d->drive[i], (unsigned)block_snapshot_find(d->drive[i], name))
                        : 0;
        if (error)
            return device_error("can't apply snapshot %s to disk %s: %s", name, d->drive[i]->path, strerror(error));
    }
    return NULL;
}

char *snapshot_load(struct board *b, const struct snapshot_drives *d, const char *name)
{
    char *error = NULL;
    struct disk_stream stream = {.disk = snapshot_drive(d, &error)};
    if (!error)
        error = find_on_disks(d, stream.disk, name);
    if (error)
        return error;
    enum run_state before = halt(b, d, RUN_STATE_RESTORE_VM);
    stream.index = (unsigned)block_snapshot_find(stream.disk, name);
    char *what = device_error("snapshot %s", name);
    struct state_reader *r =
        state_reader_new(what, block_snapshot_at(stream.disk, stream.index)->state_size, read_disk, &stream, &error);
    free(what);
    if (r && !(error = check(b, r))) {
        if ((error = apply_on_disks(d, name)) || (error = load(b, r)))
            before = RUN_STATE_PAUSED;
        else
            machine_tell(&b->machine, MACHINE_RESET, CAUSE_SNAPSHOT_LOAD);
    }
    if (r)
        state_reader_free(r);
    machine_restore(&b->machine, before);
    return error;
}

char *snapshot_delete(struct board *b, const struct snapshot_drives *d, const char *name)
{
    bool there = false;
    for (unsigned i = 0; i < d->n; i++)
        there |= block_snapshot_find(d->drive[i], name) >= 0;
    if (!there)
        return device_error("there is no snapshot %s; info snapshots lists them", name);
    enum run_state before = halt(b, d, RUN_STATE_SAVE_VM);
    char *error = delete_from(d, d->n, name);
    machine_restore(&b->machine, before);
    return error;
}

/* --- files --- */

static int write_file(void *opaque, const void *bytes, size_t n)
{
    for (const char *p = bytes; n;) {
        ssize_t k = write(*(int *)opaque, p, n);
        if (k < 0 && errno != EINTR)
            return errno;
        p += k < 0 ? 0 : k;
        n -= k < 0 ? 0 : (size_t)k;
    }
    return 0;
}

static int read_file(void *opaque, uint64_t at, void *bytes, uint64_t n)
{
    for (char *p = bytes; n;) {
        ssize_t k = pread(*(int *)opaque, p, n, (off_t)at);
        if (!k)
            return ENODATA; /* it has become shorter */
        if (k < 0 && errno != EINTR)
            return errno;
        p += k < 0 ? 0 : k;
        at += k < 0 ? 0 : (uint64_t)k;
        n -= k < 0 ? 0 : (uint64_t)k;
    }
    return 0;
}

char *snapshot_save_file(struct board *b, const struct snapshot_drives *d, const char *path)
{
    char *new = device_error("%s.new", path), *error = NULL; /* who reads `path` finds a whole state */
    int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), failed = fd < 0 ? errno : 0;
    uint64_t length;
    enum run_state before = halt(b, d, RUN_STATE_SAVE_VM);
    for (unsigned i = 0; i < d->n && !failed; i++)
        failed = block_flush(d->drive[i]);
    struct state_writer *w = failed ? NULL : state_writer_new(write_file, &fd);
    if (!failed && !w)
        failed = ENOMEM;
    if (w) {
        save(b, w);
        failed = state_writer_end(w, &length);
    }
    if (!failed && fsync(fd))
        failed = errno;
    if (fd >= 0 && close(fd) && !failed)
        failed = errno;
    if (!failed && rename(new, path))
        failed = errno;
    if (failed) {
        unlink(new);
        error = device_error("can't write the machine's state to %s: %s", path, strerror(failed));
    }
    free(new);
    machine_restore(&b->machine, before);
    return error;
}

char *snapshot_load_file(struct board *b, const struct snapshot_drives *d, const char *path)
{
    struct stat st;
    char *error = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        error = device_error("can't read the machine's state from %s: %s", path,
                             fd < 0 ? strerror(errno) : "it is no file");
        if (fd >= 0)
            close(fd);
        return error;
    }
    enum run_state before = halt(b, d, RUN_STATE_RESTORE_VM);
    struct state_reader *r = state_reader_new(path, (uint64_t)st.st_size, read_file, &fd, &error);
    if (r && !(error = check(b, r))) {
        if ((error = load(b, r)))
            before = RUN_STATE_PAUSED;
        else
            machine_tell(&b->machine, MACHINE_RESET, CAUSE_SNAPSHOT_LOAD);
    }
    if (r)
        state_reader_free(r);
    close(fd);
    machine_restore(&b->machine, before);
    return error;
}
