/* See blockdev.h. */
#include "system/blockdev.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "softmmu/options.h"

struct file_node {
    char *path;
    bool read_only, unmap, keeps_room, no_flush; /* as of struct node */
    char *user; /* id of the disk that is in it; NULL: none */
};

void blockdev_free_file(void *file)
{
    struct file_node *f = file;
    g_free(f->path);
    g_free(f->user);
    g_free(f);
}

bool blockdev_is(const struct backends *b, const char *id)
{
    return g_hash_table_contains(b->drives, id) || g_hash_table_contains(b->files, id);
}

/* ",key=value", commas in the value doubled. */
static void append(GString *text, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *whole = g_strjoinv(",,", parts);
    g_string_append_printf(text, ",%s=%s", key, whole);
}

/* What the parts of a node say that are not about its file. */
struct node {
    const char *driver, *name;
    bool read_only, auto_read_only; /* the latter: if it cannot be written */
    bool unmap, keeps_room;         /* discard=unmap, discard=ignore was said */
    bool no_flush;
};

/* Reads the parts that every node may have. */
static char *read_node(struct options *o, const char *prefix, struct node *n)
{
    static const char *const keys[] = {"driver", "node-name", "discard"};
    static const char *const truths[] = {"read-only", "auto-read-only", "cache.direct", "cache.no-flush"};
    const char *text[G_N_ELEMENTS(keys)];
    bool truth[G_N_ELEMENTS(truths)];
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *key = g_strconcat(prefix, keys[i], NULL);
        text[i] = options_get(o, key);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(truths); i++) {
        g_autofree char *key = g_strconcat(prefix, truths[i], NULL);
        if (!options_bool(o, key, false, &truth[i]))
            return device_error("-blockdev: %s is on or off", key);
    }
    const char *discard = text[2];
    bool unmap = discard && (!strcmp(discard, "unmap") || !strcmp(discard, "on"));
    if (discard && !unmap && strcmp(discard, "ignore") && strcmp(discard, "off"))
        return device_error("-blockdev: %sdiscard is unmap or ignore", prefix);
    /* cache.direct: the host's page cache is always used. */
    *n = (struct node){text[0], text[1], truth[0], truth[1], unmap, discard && !unmap, truth[3]};
    return NULL;
}

/* read-only=on, or what auto-read-only=on makes of it. */
static bool is_read_only(const struct node *n, const char *path)
{
    if (n->read_only || !n->auto_read_only)
        return n->read_only;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static char *add_file(struct backends *b, const struct node *n, const char *path)
{
    bool read_only = is_read_only(n, path);
    if (access(path, read_only ? R_OK : R_OK | W_OK))
        return device_error("cannot open disk image %s: %s", path, strerror(errno));
    struct file_node *f = g_new0(struct file_node, 1);
    *f = (struct file_node){g_strdup(path), read_only, n->unmap, n->keeps_room, n->no_flush, NULL};
    g_hash_table_insert(b->files, g_strdup(n->name), f);
    return NULL;
}

/* The node is a disk, in a file of which it does not discard what that keeps. */
static char *add_disk(struct backends *b, const struct node *n, const char *format, const struct file_node *f)
{
    g_autoptr(GString) text = g_string_new("if=none,snapshot=off");
    append(text, "id", n->name);
    append(text, "file", f->path);
    append(text, "format", format);
    append(text, "readonly", n->read_only ? "on" : "off");
    append(text, "discard", n->unmap && !f->keeps_room ? "unmap" : "ignore");
    append(text, "cache", n->no_flush || f->no_flush ? "unsafe" : "writeback");
    return backends_add_drive(b, text->str);
}

/* The disk has no backing file: `backing` is null, which elsewhere makes an image show zeros instead. */
static char *refuse_backing(struct backends *b, const char *id)
{
    const struct block *drive = g_hash_table_lookup(b->drives, id);
    if (!drive->backing)
        return NULL;
    char *line = device_error("-blockdev: %s has the backing file %s, and backing is null; leave backing out",
                              drive->path, drive->backing->path);
    g_hash_table_remove(b->drives, id);
    return line;
}

/* A format: over a file that it describes itself, or over a node. */
static char *add_format(struct backends *b, struct options *o, const struct node *n)
{
    struct node below;
    const char *reference = options_get(o, "file"), *path = options_get(o, "file.filename");
    const char *backing = options_get(o, "backing");
    char *line = read_node(o, "file.", &below);
    struct file_node *f = reference ? g_hash_table_lookup(b->files, reference) : NULL;
    if (line)
        return line;
    if (reference && (!f || f->user))
        return device_error(f ? "the node %s is in use"
                              : "Cannot find device='' nor node-name='%s': file= names a node with driver=file",
                            reference);
    if (!f == !path || (below.driver && strcmp(below.driver, "file")))
        return device_error("-blockdev: a format lies in a file: file=NODE, or file.driver=file,file.filename=PATH");
    const struct file_node own = {
        (char *)path, path && is_read_only(&below, path), below.unmap, below.keeps_room, below.no_flush, NULL};
    const struct file_node *in = f ? f : &own;
    if (in->read_only && !n->read_only && !n->auto_read_only)
        return device_error("-blockdev: the node %s lies in a file that is read-only; it needs read-only=on, too",
                            n->name);
    if (options_unknown(o))
        return device_error("-blockdev has no part %s", options_unknown(o));
    if (backing && *backing)
        return device_error("-blockdev: backing files are those that the images name; leave backing=%s out", backing);
    struct node over = *n;
    over.read_only |= in->read_only || is_read_only(n, in->path);
    if ((line = add_disk(b, &over, n->driver, in)) || (backing && (line = refuse_backing(b, n->name))) || !f)
        return line;
    f->user = g_strdup(n->name);
    return NULL;
}

static char *add(struct backends *b, struct options *o)
{
    struct node n;
    char *line = read_node(o, "", &n);
    if (line)
        return line;
    bool is_file = n.driver && !strcmp(n.driver, "file");
    if (!n.driver || (!is_file && strcmp(n.driver, "raw") && strcmp(n.driver, "qcow2")))
        return device_error("-blockdev wants driver=file, raw or qcow2");
    if (!n.name)
        return device_error("'node-name' must be specified for the root node: -blockdev …,node-name=NAME");
    if (blockdev_is(b, n.name))
        return device_error("there is a drive with the id %s already", n.name);
    if (!is_file)
        return add_format(b, o, &n);
    const char *path = options_get(o, "filename");
    if (!path || options_unknown(o))
        return path ? device_error("-blockdev has no part %s", options_unknown(o))
                    : device_error("-blockdev driver=file wants filename=PATH");
    return add_file(b, &n, path);
}

char *blockdev_add(struct backends *b, const char *text)
{
    struct options o;
    char *line = options_parse(&o, text, "driver");
    if (!line)
        line = add(b, &o);
    options_free(&o);
    return line;
}

char *blockdev_open(struct backends *b, const char *id)
{
    struct file_node *f = g_hash_table_lookup(b->files, id);
    if (!f || g_hash_table_contains(b->drives, id))
        return NULL;
    if (f->user)
        return device_error("the node %s is in use", id);
    const struct node n = {.name = id, .read_only = f->read_only, .unmap = f->unmap};
    char *line = add_disk(b, &n, "raw", f);
    if (!line)
        f->user = g_strdup(id);
    return line;
}

char *blockdev_remove(struct backends *b, struct board *board, const char *id)
{
    struct file_node *f = g_hash_table_lookup(b->files, id);
    if (f && f->user && strcmp(f->user, id))
        return device_error("%s is in use by the node %s", id, f->user);
    char *line = g_hash_table_contains(b->drives, id) ? backends_remove(b->drives, board, id) : NULL;
    if (line)
        return line;
    g_hash_table_remove(b->files, id);
    GHashTableIter i;
    g_hash_table_iter_init(&i, b->files);
    while (g_hash_table_iter_next(&i, NULL, (void **)&f))
        if (!g_strcmp0(f->user, id))
            g_clear_pointer(&f->user, g_free);
    return NULL;
}
