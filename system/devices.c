/* See devices.h. */
#include "system/devices.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "softmmu/chardev-open.h"
#include "softmmu/net.h"
#include "system/blockdev.h"

enum { BLOCK_THREADS = 4 };

static gboolean dispatch_pool(gint fd, GIOCondition condition, gpointer pool)
{
    block_pool_dispatch(pool);
    return G_SOURCE_CONTINUE;
}

static void close_chardev(gpointer p) { chardev_close(p); }
static void close_net(gpointer p) { net_close(p); }
static void close_drive(gpointer p)
{
    struct block *drive = p;
    g_autofree char *path = g_strdup(drive->path);
    int error = block_close(drive);
    if (error)
        report_error("closing %s: %s; its last changes may be lost", path, strerror(error));
}

void backends_init(struct backends *b, GMainContext *context)
{
    *b = (struct backends){
        .context = context,
        .chardevs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_chardev),
        .drives = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_drive),
        .files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, blockdev_free_file),
        .netdevs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_net),
        .free_drives = g_ptr_array_new_with_free_func(g_free),
    };
}

void backends_free(struct backends *b)
{
    g_hash_table_destroy(b->netdevs);
    g_hash_table_destroy(b->drives);
    g_hash_table_destroy(b->files);
    g_hash_table_destroy(b->chardevs);
    g_ptr_array_unref(b->free_drives);
    if (b->pool_source) {
        g_source_destroy(b->pool_source);
        g_source_unref(b->pool_source);
        block_pool_free(b->pool);
    }
}

/* The id that the options give, or a new one. NULL: the line says why. g_free(). */
static char *take_id(GHashTable *table, struct options *o, const char *kind, bool wanted, char **line)
{
    const char *id = options_get(o, "id");
    if (!id && wanted) {
        *line = device_error("a %s wants an id: -%s …,id=NAME", kind, kind);
        return NULL;
    }
    char *own = id ? g_strdup(id) : NULL;
    for (unsigned i = g_hash_table_size(table); !own; i++) {
        own = g_strdup_printf("%s%u", kind, i);
        if (g_hash_table_contains(table, own))
            g_clear_pointer(&own, g_free);
    }
    if (!g_hash_table_contains(table, own))
        return own;
    *line = device_error("there is a %s with the id %s already", kind, own);
    g_free(own);
    return NULL;
}

char *backends_add_chardev(struct backends *b, const char *text)
{
    struct options o;
    struct chardev *made;
    char *line = options_parse(&o, text, "backend");
    char *id = line ? NULL : take_id(b->chardevs, &o, "chardev", true, &line);
    if (!line)
        line = chardev_open(&o, b->context, &made);
    if (!line)
        g_hash_table_insert(b->chardevs, g_steal_pointer(&id), made);
    g_free(id);
    options_free(&o);
    return line;
}

char *backends_add_netdev(struct backends *b, const char *text)
{
    struct options o;
    struct net *made;
    char *line = options_parse(&o, text, "type");
    char *id = line ? NULL : take_id(b->netdevs, &o, "netdev", true, &line);
    if (!line)
        line = net_open(&o, b->context, &made);
    if (!line)
        g_hash_table_insert(b->netdevs, g_steal_pointer(&id), made);
    g_free(id);
    options_free(&o);
    return line;
}

static struct block_pool *pool(struct backends *b)
{
    if (!b->pool) {
        b->pool = block_pool_new(BLOCK_THREADS);
        CHECK(b->pool);
        b->pool_source = g_unix_fd_source_new(block_pool_fd(b->pool), G_IO_IN);
        g_source_set_can_recurse(b->pool_source, TRUE); /* else each dispatch wakes the loop once more */
        g_source_set_callback(b->pool_source, G_SOURCE_FUNC(dispatch_pool), b->pool, NULL);
        g_source_attach(b->pool_source, b->context);
    }
    return b->pool;
}

/* if=pflash,unit=N: the first bank that is free, or the one that is named. */
static char *take_bank(struct backends *b, struct options *o, unsigned *bank)
{
    uint64_t unit, first = 0;
    while (first < BOARD_MAX_FLASH && b->flash[first])
        first++;
    if (!options_number(o, "unit", first, &unit) || unit >= BOARD_MAX_FLASH || b->flash[unit])
        return device_error("-drive if=pflash: unit is 0 or 1, and a drive of its own each");
    *bank = (unsigned)unit;
    return NULL;
}

/* What cache= may be. The host's cache is always used: what goes past it elsewhere is as safe with it. */
static const struct cache_mode {
    const char *name;
    bool write_through, no_flush;
} cache_modes[] = {
    {"writeback", false, false}, {"none", false, false}, {"writethrough", true, false}, {"directsync", true, false}, {"unsafe", false, true},
};

static bool read_cache(const char *text, struct block_options *how)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cache_modes); i++)
        if (!text || !strcmp(text, cache_modes[i].name)) {
            how->write_through = cache_modes[i].write_through;
            how->no_flush = cache_modes[i].no_flush;
            return true;
        }
    return false;
}

/* A new image over the file, which is only read: it has no name any more when it is open. */
static struct block *open_temporary(struct backends *b, const char *file, const struct block_options *how, char **line)
{
    struct block_options under = *how, over = *how;
    under.read_only = true;
    over.format = "qcow2";
    over.no_flush = true;
    struct block *base = block_open(file, &under, pool(b), line), *drive = NULL;
    if (!base)
        return NULL;
    g_autofree char *backing = g_canonicalize_filename(file, NULL),
                    *folder = g_strdup_printf("%s/metic-snapshot-XXXXXX", g_get_tmp_dir());
    if (!g_mkdtemp(folder)) {
        *line = device_error("cannot make a folder in %s for the disk's changes: %s", g_get_tmp_dir(), strerror(errno));
        block_close(base);
        return NULL;
    }
    g_autofree char *path = g_strdup_printf("%s/changes", folder);
    struct qcow2_layout layout = {.size = base->size,
                                  .refcount_order = UINT32_MAX,
                                  .backing = backing,
                                  .backing_format = base->format->name};
    block_close(base);
    *line = qcow2_create(path, &layout);
    if (!*line)
        drive = block_open(path, &over, pool(b), line);
    unlink(path);
    rmdir(folder);
    return drive;
}

/* Parts: file, format, readonly, discard=unmap|ignore, cache, snapshot, if=none|virtio|pflash, unit (of pflash), id. */
static char *open_drive(struct backends *b, struct options *o, const char *id)
{
    const char *file = options_get(o, "file"), *where = options_get(o, "if"), *discard = options_get(o, "discard");
    struct block_options how = {.format = options_get(o, "format"), .discard = discard && !strcmp(discard, "unmap")};
    bool read_only, temporary, flash = where && !strcmp(where, "pflash");
    unsigned bank = 0;
    if (!options_bool(o, "readonly", false, &read_only) || (discard && !how.discard && strcmp(discard, "ignore")) ||
        (where && !flash && strcmp(where, "none") && strcmp(where, "virtio")))
        return device_error("-drive: readonly is on or off, discard unmap or ignore, if none, virtio or pflash");
    if (!read_cache(options_get(o, "cache"), &how) || !options_bool(o, "snapshot", b->temporary, &temporary))
        return device_error("-drive: cache is writeback, none, writethrough, directsync or unsafe, snapshot on or off");
    if (!file)
        return device_error("-drive wants a file: -drive file=PATH,…");
    how.read_only = read_only;
    char *line = flash ? take_bank(b, o, &bank) : NULL;
    if (line)
        return line;
    if (options_unknown(o))
        return device_error("-drive has no part %s", options_unknown(o));
    struct block *drive =
        temporary && !read_only ? open_temporary(b, file, &how, &line) : block_open(file, &how, pool(b), &line);
    if (!drive)
        return line;
    drive->failed = b->drive_failed;
    drive->failed_opaque = b->drive_failed_opaque;
    g_hash_table_insert(b->drives, g_strdup(id), drive);
    if (flash)
        b->flash[bank] = drive;
    else if (!where || !strcmp(where, "virtio"))
        g_ptr_array_add(b->free_drives, g_strdup(id));
    return NULL;
}

char *backends_add_drive(struct backends *b, const char *text)
{
    struct options o;
    char *line = options_parse(&o, text, "file");
    g_autofree char *id = line ? NULL : take_id(b->drives, &o, "drive", false, &line);
    if (!line)
        line = open_drive(b, &o, id);
    options_free(&o);
    return line;
}

char *backends_remove(GHashTable *table, struct board *board, const char *id)
{
    void *backend = g_hash_table_lookup(table, id);
    if (!backend)
        return device_error("there is nothing with the id %s", id);
    struct device *user = devices_user_of(board, backend);
    if (user)
        return device_error("%s is in use by the device %s", id, user->id ? user->id : user->class->name);
    g_hash_table_remove(table, id);
    return NULL;
}

struct snapshot_drives backends_snapshot_drives(const struct backends *b)
{
    GList *ids = g_list_sort(g_hash_table_get_keys(b->drives), (GCompareFunc)strcmp);
    struct snapshot_drives d = {.drive = g_new(struct block *, g_hash_table_size(b->drives) + 1)};
    for (const GList *id = ids; id; id = id->next)
        d.drive[d.n++] = g_hash_table_lookup(b->drives, id->data);
    g_list_free(ids);
    return d;
}

/* --- devices --- */

bool devices_help(const char *text)
{
    if (!strcmp(text, "help")) {
        device_print_classes(stdout);
        return true;
    }
    const char *comma = strchr(text, ',');
    if (!comma || strcmp(comma, ",help"))
        return false;
    g_autofree char *name = g_strndup(text, comma - text);
    const struct device_class *class = device_class_by_name(name);
    if (class)
        device_print_help(stdout, class);
    else
        report_error("there is no device %s; -device help lists them", name);
    return true;
}

static bool is_backend(const struct device_prop *p)
{
    return p->type == PROP_CHARDEV || p->type == PROP_DRIVE || p->type == PROP_NETDEV;
}

struct device *devices_user_of(const struct board *board, const void *backend)
{
    for (unsigned i = 0; i < board->nchips + board->ndevices; i++) {
        struct device *outer = i < board->nchips ? board->chip[i] : board->device[i - board->nchips];
        for (struct device *d = outer; d; d = d->part)
            for (unsigned k = 0; k < d->class->nprops; k++)
                if (is_backend(&d->class->props[k]) && device_backend(d, d->class->props[k].name) == backend)
                    return outer;
    }
    return NULL;
}

/* The table of a property that names a back end; NULL: it is plain. */
static GHashTable *table_of(struct backends *b, const struct device_class *class, const char *property)
{
    for (; class; class = class->part)
        for (unsigned i = 0; i < class->nprops; i++) {
            if (strcmp(class->props[i].name, property))
                continue;
            switch (class->props[i].type) {
            case PROP_CHARDEV: return b->chardevs;
            case PROP_DRIVE: return b->drives;
            case PROP_NETDEV: return b->netdevs;
            default: return NULL;
            }
        }
    return NULL;
}

static char *set_property(struct backends *b, const struct board *board, struct device *d, const char *key,
                          const char *value)
{
    GHashTable *table = table_of(b, d->class, key);
    if (!table)
        return device_set(d, key, value);
    char *line = table == b->drives ? blockdev_open(b, value) : NULL;
    if (line)
        return line;
    void *backend = g_hash_table_lookup(table, value);
    if (!backend)
        return device_error("device %s: there is no %s with the id %s", d->class->name, key, value);
    if (devices_user_of(board, backend) || (table == b->chardevs && ((struct chardev *)backend)->front.receive))
        return device_error("device %s: %s %s is in use", d->class->name, key, value);
    device_set_backend(d, key, backend);
    for (guint i = 0; table == b->drives && i < b->free_drives->len; i++)
        if (!strcmp(g_ptr_array_index(b->free_drives, i), value)) {
            g_ptr_array_remove_index(b->free_drives, i);
            break;
        }
    return NULL;
}

static char *make_device(struct backends *b, struct board *board, struct options *o)
{
    const char *name = options_get(o, "driver"), *id = options_get(o, "id");
    const struct device_class *class = name ? device_class_by_name(name) : NULL;
    if (!class || class->only_board)
        return device_error("there is no device %s for -device; -device help lists them",
                            name ? name : "without a name");
    if (id && board_device(board, id))
        return device_error("there is a device with the id %s already", id);
    struct device *d = device_new(class, id, &board->host);
    CHECK(d);
    device_place(d, options_get(o, "bus"), options_get(o, "addr"));
    bool several;
    char *line = NULL;
    if (!options_bool(o, "multifunction", false, &several)) /* a slot with several functions says so anyway */
        line = device_error("device %s: multifunction is on or off", class->name);
    for (unsigned i = 0; i < o->n && !line; i++)
        if (!o->part[i].taken)
            line = set_property(b, board, d, o->part[i].key, o->part[i].value);
    if (!line)
        return board_add(board, d);
    device_free(d);
    return line;
}

char *devices_add(struct backends *b, struct board *board, const char *text)
{
    struct options o;
    char *line = options_parse(&o, text, "driver");
    if (!line)
        line = make_device(b, board, &o);
    options_free(&o);
    return line;
}

char *devices_add_drives(struct backends *b, struct board *board)
{
    char *line = NULL;
    while (b->free_drives->len && !line) {
        g_autofree char *text =
            g_strdup_printf("virtio-blk-pci,drive=%s", (char *)g_ptr_array_index(b->free_drives, 0));
        line = devices_add(b, board, text);
    }
    return line;
}
