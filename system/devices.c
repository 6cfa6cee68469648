/* See devices.h. */
#include "system/devices.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "softmmu/chardev-open.h"
#include "softmmu/net.h"

enum { BLOCK_THREADS = 4 };

/* Reports the line and frees it. */
static bool failed(char *error)
{
    if (error)
        report_error("%s", error);
    free(error);
    return error;
}

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
        .netdevs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_net),
        .free_drives = g_ptr_array_new_with_free_func(g_free),
    };
}

void backends_free(struct backends *b)
{
    g_hash_table_destroy(b->netdevs);
    g_hash_table_destroy(b->drives);
    g_hash_table_destroy(b->chardevs);
    g_ptr_array_unref(b->free_drives);
    if (b->pool_source) {
        g_source_destroy(b->pool_source);
        g_source_unref(b->pool_source);
        block_pool_free(b->pool);
    }
}

/* The id that the options give, or a new one. NULL, reported: it is taken. */
static char *take_id(GHashTable *table, struct options *o, const char *kind, bool wanted)
{
    const char *id = options_get(o, "id");
    if (!id && wanted) {
        report_error("-%s wants an id: -%s …,id=NAME", kind, kind);
        return NULL;
    }
    char *own = id ? g_strdup(id) : g_strdup_printf("%s%u", kind, g_hash_table_size(table));
    if (!g_hash_table_contains(table, own))
        return own;
    report_error("there are two %ss with the id %s", kind, own);
    g_free(own);
    return NULL;
}

static bool no_unknown(struct options *o, const char *kind)
{
    const char *key = options_unknown(o);
    if (key)
        report_error("-%s has no part %s", kind, key);
    return !key;
}

bool backends_add_chardev(struct backends *b, const char *text)
{
    struct options o;
    struct chardev *c;
    bool ok = !failed(options_parse(&o, text, "backend"));
    char *id = ok ? take_id(b->chardevs, &o, "chardev", true) : NULL;
    ok = id && !failed(chardev_open(&o, b->context, &c));
    if (ok)
        g_hash_table_insert(b->chardevs, id, c);
    else
        g_free(id);
    options_free(&o);
    return ok;
}

bool backends_add_netdev(struct backends *b, const char *text)
{
    struct options o;
    struct net *n;
    bool ok = !failed(options_parse(&o, text, "type"));
    char *id = ok ? take_id(b->netdevs, &o, "netdev", true) : NULL;
    ok = id && !failed(net_open(&o, b->context, &n));
    if (ok)
        g_hash_table_insert(b->netdevs, id, n);
    else
        g_free(id);
    options_free(&o);
    return ok;
}

static struct block_pool *pool(struct backends *b)
{
    if (!b->pool) {
        b->pool = block_pool_new(BLOCK_THREADS);
        CHECK(b->pool);
        b->pool_source = g_unix_fd_source_new(block_pool_fd(b->pool), G_IO_IN);
        g_source_set_callback(b->pool_source, G_SOURCE_FUNC(dispatch_pool), b->pool, NULL);
        g_source_attach(b->pool_source, b->context);
    }
    return b->pool;
}

/* Parts: file, format, readonly, discard=unmap|ignore, if=none|virtio, id. */
static bool open_drive(struct backends *b, struct options *o, const char *id)
{
    const char *file = options_get(o, "file"), *where = options_get(o, "if"), *discard = options_get(o, "discard");
    struct block_options how = {.format = options_get(o, "format"), .discard = discard && !strcmp(discard, "unmap")};
    bool read_only;
    if (!options_bool(o, "readonly", false, &read_only) || (discard && !how.discard && strcmp(discard, "ignore")) ||
        (where && strcmp(where, "none") && strcmp(where, "virtio"))) {
        report_error("-drive: readonly is on or off, discard unmap or ignore, if none or virtio");
        return false;
    }
    if (!file) {
        report_error("-drive wants a file: -drive file=PATH,…");
        return false;
    }
    how.read_only = read_only;
    if (!no_unknown(o, "drive"))
        return false;
    char *error = NULL;
    struct block *drive = block_open(file, &how, pool(b), &error);
    if (!drive) {
        failed(error);
        return false;
    }
    g_hash_table_insert(b->drives, g_strdup(id), drive);
    if (!where || !strcmp(where, "virtio"))
        g_ptr_array_add(b->free_drives, g_strdup(id));
    return true;
}

bool backends_add_drive(struct backends *b, const char *text)
{
    struct options o;
    bool ok = !failed(options_parse(&o, text, "file"));
    g_autofree char *id = ok ? take_id(b->drives, &o, "drive", false) : NULL;
    ok = id && open_drive(b, &o, id);
    options_free(&o);
    return ok;
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

static bool set_property(struct backends *b, struct device *d, const char *key, const char *value)
{
    GHashTable *table = table_of(b, d->class, key);
    if (!table)
        return !failed(device_set(d, key, value));
    void *backend = g_hash_table_lookup(table, value);
    if (!backend) {
        report_error("device %s: there is no %s with the id %s", d->class->name, key, value);
        return false;
    }
    device_set_backend(d, key, backend);
    for (guint i = 0; table == b->drives && i < b->free_drives->len; i++)
        if (!strcmp(g_ptr_array_index(b->free_drives, i), value)) {
            g_ptr_array_remove_index(b->free_drives, i);
            break;
        }
    return true;
}

static bool make_device(struct backends *b, struct board *board, struct options *o)
{
    const char *name = options_get(o, "driver");
    const struct device_class *class = name ? device_class_by_name(name) : NULL;
    if (!class || class->only_board) {
        report_error("there is no device %s for -device; -device help lists them", name ? name : "without a name");
        return false;
    }
    struct device *d = device_new(class, options_get(o, "id"), &board->host);
    CHECK(d);
    for (unsigned i = 0; i < o->n; i++) {
        const struct option_part *p = &o->part[i];
        if (strcmp(p->key, "driver") && strcmp(p->key, "id") && !set_property(b, d, p->key, p->value)) {
            device_free(d);
            return false;
        }
    }
    return !failed(board_add(board, d));
}

bool devices_add(struct backends *b, struct board *board, const char *text)
{
    struct options o;
    bool ok = !failed(options_parse(&o, text, "driver")) && make_device(b, board, &o);
    options_free(&o);
    return ok;
}

bool devices_add_drives(struct backends *b, struct board *board)
{
    while (b->free_drives->len) {
        g_autofree char *text = g_strdup_printf("virtio-blk-pci,drive=%s", (char *)g_ptr_array_index(b->free_drives, 0));
        if (!devices_add(b, board, text))
            return false;
    }
    return true;
}
