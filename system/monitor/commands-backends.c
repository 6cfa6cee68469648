/* Commands about what the host gives devices: disks, networks, character devices. See qmp.schema. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qmp-schema.h"
#include "softmmu/chardev-open.h"
#include "softmmu/net.h"
#include "system/blockdev.h"
#include "system/monitor/monitor.h"

/* --- disks --- */

static struct json *image(const struct block *b)
{
    struct json *v = json_put_string(json_object(), "filename", b->path);
    json_put_string(v, "format", b->format->name);
    json_put(v, "virtual-size", json_uint(b->size));
    if (b->format != &block_raw)
        json_put_int(v, "cluster-size", b->granularity);
    if (block_snapshot_at(b, 0))
        json_put(v, "snapshots", monitor_snapshots(b));
    if (b->backing) {
        json_put_string(v, "backing-filename", b->backing->path);
        json_put(v, "backing-image", image(b->backing));
    }
    return v;
}

static struct json *node(const char *name, const struct block *b)
{
    static const char *const limits[] = {"bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr", "write_threshold"};
    int depth = 0;
    for (const struct block *below = b->backing; below; below = below->backing)
        depth++;
    struct json *v = json_put_string(json_object(), "file", b->path);
    json_put_string(v, "node-name", name);
    json_put_bool(v, "ro", b->read_only);
    json_put_string(v, "drv", b->format->name);
    if (b->backing)
        json_put_string(v, "backing_file", b->backing->path);
    json_put_int(v, "backing_file_depth", depth);
    json_put_bool(v, "encrypted", false);
    json_put_string(v, "detect_zeroes", "off");
    for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++)
        json_put_int(v, limits[i], 0);
    json_put(v, "image", image(b));
    struct json *cache = json_put_bool(json_object(), "writeback", !b->write_through);
    json_put_bool(cache, "direct", false);
    json_put_bool(cache, "no-flush", b->no_flush);
    return json_put(v, "cache", cache);
}

/* An element for each disk, by rising id. */
static struct json *each_drive(struct monitor *m,
                               struct json *(*describe)(struct monitor *m, const char *id, const struct block *b))
{
    struct json *list = json_array();
    GList *ids = g_list_sort(g_hash_table_get_keys(m->backends->drives), (GCompareFunc)strcmp);
    for (GList *at = ids; at; at = at->next)
        json_add(list, describe(m, at->data, g_hash_table_lookup(m->backends->drives, at->data)));
    g_list_free(ids);
    return list;
}

static void put_user(struct monitor *m, struct json *v, const struct block *b)
{
    struct device *user = monitor_user_of(m, b);
    g_autofree char *path = user ? monitor_device_path(m, user) : NULL;
    if (path)
        json_put_string(v, "qdev", path);
}

static struct json *disk(struct monitor *m, const char *id, const struct block *b)
{
    struct json *v = json_put_string(json_object(), "device", id);
    put_user(m, v, b);
    json_put_string(v, "type", "unknown");
    json_put_bool(v, "removable", false);
    json_put_bool(v, "locked", false);
    return json_put(v, "inserted", node(id, b));
}

static struct json *named_node(struct monitor *m, const char *id, const struct block *b) { return node(id, b); }

static struct json *statistics(struct monitor *m, const char *id, const struct block *b)
{
    static const struct {
        const char *word;
        enum block_op op;
    } kinds[] = {{"rd", BLOCK_READ}, {"wr", BLOCK_WRITE}, {"flush", BLOCK_FLUSH}, {"unmap", BLOCK_DISCARD}};
    struct json *s = json_object();
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const struct block_count *c = &b->count[kinds[i].op];
        const struct {
            const char *name;
            uint64_t value;
        } members[] = {{"%s_operations", c->requests}, {"%s_total_time_ns", c->ns}, {"failed_%s_operations", c->failed},
                       {"invalid_%s_operations", 0},   {"%s_bytes", c->bytes},      {"%s_merged", 0}};
        for (unsigned k = 0; k < G_N_ELEMENTS(members) - (kinds[i].op == BLOCK_FLUSH ? 2 : 0); k++) {
            g_autoptr(GString) name = g_string_new(members[k].name);
            g_string_replace(name, "%s", kinds[i].word, 0);
            json_put_int(s, name->str, (int64_t)members[k].value);
        }
    }
    json_put_int(s, "wr_highest_offset", (int64_t)b->highest);
    json_put_bool(s, "account_invalid", false);
    json_put_bool(s, "account_failed", true);
    json_put(s, "timed_stats", json_array());
    struct json *v = json_put_string(json_object(), "device", id);
    json_put_string(v, "node-name", id);
    put_user(m, v, b);
    return json_put(v, "stats", s);
}

struct json *qmp_query_block(struct monitor *m, const struct qmp_query_block_args *a, struct qmp_error *e)
{
    return each_drive(m, disk);
}

struct json *qmp_query_named_block_nodes(struct monitor *m, const struct qmp_query_named_block_nodes_args *a,
                                         struct qmp_error *e)
{
    return each_drive(m, named_node);
}

struct json *qmp_query_blockstats(struct monitor *m, const struct qmp_query_blockstats_args *a, struct qmp_error *e)
{
    return each_drive(m, statistics);
}

struct json *qmp_blockdev_add(struct monitor *m, const struct qmp_blockdev_add_args *a, struct qmp_error *e)
{
    g_autofree char *text = monitor_option_text(a->json, NULL);
    qmp_fail_line(e, blockdev_add(m->backends, text));
    return NULL;
}

struct json *qmp_block_resize(struct monitor *m, const struct qmp_block_resize_args *a, struct qmp_error *e)
{
    const char *id = a->device ? a->device : a->node_name;
    struct block *b = id ? g_hash_table_lookup(m->backends->drives, id) : NULL;
    if (!b) {
        qmp_fail(e, "Cannot find device='%s' nor node-name='%s'", a->device ? a->device : "",
                 a->node_name ? a->node_name : "");
        return NULL;
    }
    if (monitor_user_of(m, b) && !b->resized) {
        qmp_fail(e, "the device that uses '%s' cannot change its size", id);
        return NULL;
    }
    block_drain(b);
    int error = a->size < 0 ? EINVAL : block_resize(b, (uint64_t)a->size);
    if (error == EINVAL)
        qmp_fail(e, "a size is whole sectors of 512 bytes, and not none");
    else if (error)
        qmp_fail(e, "cannot resize '%s': %s", id, strerror(error));
    else if (b->resized)
        b->resized(b->resized_opaque);
    return NULL;
}

struct json *qmp_query_block_jobs(struct monitor *m, const struct qmp_query_block_jobs_args *a, struct qmp_error *e)
{
    return json_array();
}

void monitor_drive_failed(void *monitor, struct block *b, const struct block_request *r, int error)
{
    struct monitor *m = monitor;
    struct device *user = m->board ? monitor_user_of(m, b) : NULL;
    if (!user) /* the machine is being made or taken apart */
        return;
    g_autofree char *path = monitor_device_path(m, user);
    const char *id = monitor_backend_id(m, b);
    struct json *data = json_put_string(json_object(), "qom-path", path);
    json_put_string(data, "device", id);
    json_put_string(data, "node-name", id);
    json_put_string(data, "operation", r->op == BLOCK_READ ? "read" : "write");
    json_put_string(data, "action", "report");
    json_put_bool(data, "nospace", error == ENOSPC);
    json_put_string(data, "reason", strerror(error));
    monitor_event(m, "BLOCK_IO_ERROR", data);
}

static void remove_backend(struct monitor *m, GHashTable *table, const char *id, const char *kind, struct qmp_error *e)
{
    if (!g_hash_table_contains(table, id))
        qmp_fail_class(e, "DeviceNotFound", "%s '%s' not found", kind, id);
    else
        qmp_fail_line(e, backends_remove(table, m->board, id));
}

struct json *qmp_blockdev_del(struct monitor *m, const struct qmp_blockdev_del_args *a, struct qmp_error *e)
{
    if (!blockdev_is(m->backends, a->node_name))
        qmp_fail(e, "Failed to find node with node-name='%s'", a->node_name);
    else
        qmp_fail_line(e, blockdev_remove(m->backends, m->board, a->node_name));
    return NULL;
}

/* --- networks --- */

struct json *qmp_netdev_add(struct monitor *m, const struct qmp_netdev_add_args *a, struct qmp_error *e)
{
    g_autofree char *text = monitor_option_text(a->json, NULL);
    qmp_fail_line(e, backends_add_netdev(m->backends, text));
    return NULL;
}

struct json *qmp_netdev_del(struct monitor *m, const struct qmp_netdev_del_args *a, struct qmp_error *e)
{
    remove_backend(m, m->backends->netdevs, a->id, "Device", e);
    return NULL;
}

struct json *qmp_set_link(struct monitor *m, const struct qmp_set_link_args *a, struct qmp_error *e)
{
    struct net *n = g_hash_table_lookup(m->backends->netdevs, a->name);
    struct device *d = n ? NULL : board_device(m->board, a->name);
    if (d)
        n = device_backend(d, "netdev");
    if (n)
        net_set_link(n, a->up);
    else
        qmp_fail_class(e, "DeviceNotFound", "Device '%s' not found", a->name);
    return NULL;
}

/* --- character devices --- */

static struct json *describe_chardev(const char *id, const struct chardev *c)
{
    struct json *v = json_put_string(json_object(), "label", id);
    json_put(v, "filename", c->address ? json_printf("%s:%s", c->kind, c->address) : json_string(c->kind));
    return json_put_bool(v, "frontend-open", c->front.receive);
}

struct json *qmp_query_chardev(struct monitor *m, const struct qmp_query_chardev_args *a, struct qmp_error *e)
{
    struct json *list = json_array();
    GList *ids = g_list_sort(g_hash_table_get_keys(m->backends->chardevs), (GCompareFunc)strcmp);
    for (GList *at = ids; at; at = at->next)
        json_add(list, describe_chardev(at->data, g_hash_table_lookup(m->backends->chardevs, at->data)));
    g_list_free(ids);
    return list;
}

struct json *qmp_query_chardev_backends(struct monitor *m, const struct qmp_query_chardev_backends_args *a,
                                        struct qmp_error *e)
{
    static const char *const kinds[] = {"file", "socket", "pty", "null", "stdio", "ringbuf"};
    struct json *list = json_array();
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        json_add(list, json_put_string(json_object(), "name", kinds[i]));
    return list;
}

/* The options a backend's "data" stands for: a socket's address is one level further down, a file's path is called
 * "out". */
static struct json *chardev_options(const char *id, const struct json *backend, struct qmp_error *e)
{
    const struct json *data = json_get(backend, "data"), *addr = json_get(data, "addr");
    const char *type = json_get_string(backend, "type");
    struct json *v = json_put_string(json_object(), "backend", type);
    json_put_string(v, "id", id);
    if (addr)
        json_put_bool(v, "server", true);
    for (unsigned i = 0; i < data->n; i++) {
        const char *key = data->key[i];
        if (!strcmp(key, "logfile") || !strcmp(key, "logappend"))
            qmp_fail(e, "character devices have no log files");
        else if (strcmp(key, "addr"))
            json_put(v, strcmp(key, "out") ? key : "path", json_copy(data->item[i]));
    }
    const struct json *where = json_get(addr, "data");
    for (unsigned i = 0; where && i < where->n; i++)
        json_put(v, where->key[i], json_copy(where->item[i]));
    bool server = addr && json_get(v, "server")->truth;
    if (server && !json_get(v, "wait"))
        json_put_bool(v, "wait", false);
    if (server && json_get(v, "wait")->truth)
        qmp_fail(e, "a running machine cannot wait for a client: wait must be false");
    return v;
}

struct json *qmp_chardev_add(struct monitor *m, const struct qmp_chardev_add_args *a, struct qmp_error *e)
{
    AUTO_JSON options = chardev_options(a->id, a->backend, e);
    if (e->class)
        return NULL;
    g_autofree char *text = monitor_option_text(options, NULL);
    if (qmp_fail_line(e, backends_add_chardev(m->backends, text)))
        return NULL;
    const struct chardev *c = g_hash_table_lookup(m->backends->chardevs, a->id);
    struct json *v = json_object();
    return !strcmp(c->kind, "pty") ? json_put_string(v, "pty", c->address) : v;
}

struct json *qmp_chardev_remove(struct monitor *m, const struct qmp_chardev_remove_args *a, struct qmp_error *e)
{
    const struct chardev *c = g_hash_table_lookup(m->backends->chardevs, a->id);
    if (c && c->front.receive)
        qmp_fail(e, "Chardev '%s' is busy", a->id);
    else
        remove_backend(m, m->backends->chardevs, a->id, "Chardev", e);
    return NULL;
}

static struct chardev *find_chardev(struct monitor *m, const char *id, struct qmp_error *e)
{
    struct chardev *c = g_hash_table_lookup(m->backends->chardevs, id);
    if (!c)
        qmp_fail_class(e, "DeviceNotFound", "Device '%s' not found", id);
    return c;
}

struct json *qmp_ringbuf_read(struct monitor *m, const struct qmp_ringbuf_read_args *a, struct qmp_error *e)
{
    struct chardev *c = find_chardev(m, a->device, e);
    size_t n = a->size > 0 && a->size < JSON_MAX_TEXT ? (size_t)a->size : 0;
    if (!c)
        return NULL;
    if (!n) {
        qmp_fail(e, "size must be greater than zero");
        return NULL;
    }
    g_autofree uint8_t *bytes = g_malloc0(n + 1);
    if (!chardev_ringbuf_read(c, bytes, &n)) {
        qmp_fail(e, "%s is not a ringbuf device", a->device);
        return NULL;
    }
    if (a->has_format && a->format == QMP_DATA_FORMAT_BASE64) {
        g_autofree char *text = g_base64_encode(bytes, n);
        return json_string(text);
    }
    bytes[n] = 0;
    return json_string((const char *)bytes);
}

struct json *qmp_ringbuf_write(struct monitor *m, const struct qmp_ringbuf_write_args *a, struct qmp_error *e)
{
    struct chardev *c = find_chardev(m, a->device, e);
    gsize n = strlen(a->data);
    bool encoded = a->has_format && a->format == QMP_DATA_FORMAT_BASE64;
    g_autofree guchar *decoded = encoded ? g_base64_decode(a->data, &n) : NULL;
    if (c && !chardev_ringbuf_write(c, encoded ? decoded : (const uint8_t *)a->data, n))
        qmp_fail(e, "%s is not a ringbuf device", a->device);
    return NULL;
}
