/* Commands about devices: plugging, and the objects and types by which clients look at them. See qmp.schema. */
#include <stdlib.h>
#include <string.h>

#include "hw/boards/board.h"
#include "qmp-schema.h"
#include "system/monitor/monitor.h"

/* --- options out of objects --- */

static void append_value(GString *text, const char *key, const char *value)
{
    g_string_append_printf(text, "%s%s=", text->len ? "," : "", key);
    for (; *value; value++) {
        if (*value == ',')
            g_string_append_c(text, ',');
        g_string_append_c(text, *value);
    }
}

static void append_member(GString *text, const char *key, const struct json *v)
{
    GString *number = g_string_new(NULL);
    switch (v->type) {
    case JSON_NULL: append_value(text, key, ""); break;
    case JSON_STRING: append_value(text, key, v->text); break;
    case JSON_BOOL: append_value(text, key, v->truth ? "on" : "off"); break;
    case JSON_INT:
    case JSON_NUMBER:
        json_write(number, v, false);
        append_value(text, key, number->str);
        break;
    case JSON_ARRAY: /* the key repeats; of objects there is one kind in a list: String */
        for (unsigned i = 0; i < v->n; i++)
            append_member(text, key,
                          v->item[i]->type == JSON_OBJECT && v->item[i]->n == 1 ? v->item[i]->item[0] : v->item[i]);
        break;
    case JSON_OBJECT: /* file.filename */
        for (unsigned i = 0; i < v->n; i++) {
            g_autofree char *whole = g_strconcat(key, ".", v->key[i], NULL);
            append_member(text, whole, v->item[i]);
        }
        break;
    }
    g_string_free(number, TRUE);
}

char *monitor_option_text(const struct json *object, const char *but)
{
    GString *text = g_string_new(NULL);
    for (unsigned i = 0; i < object->n; i++)
        if (!but || strcmp(object->key[i], but))
            append_member(text, object->key[i], object->item[i]);
    return g_string_free(text, FALSE);
}

/* --- plugging --- */

char *monitor_device_path(const struct monitor *m, const struct device *d)
{
    char *path = board_device_path(m->board, d), *own = g_strdup(path);
    free(path);
    return own;
}

struct device *monitor_user_of(const struct monitor *m, const void *backend)
{
    return devices_user_of(m->board, backend);
}

struct json *qmp_device_add(struct monitor *m, const struct qmp_device_add_args *a, struct qmp_error *e)
{
    for (unsigned i = 0; i < a->json->n; i++)
        if (a->json->item[i]->type > JSON_STRING || a->json->item[i]->type == JSON_NULL ||
            strpbrk(a->json->key[i], ",=")) {
            qmp_fail(e, "Property '%s' of a device is a string, a number or a truth", a->json->key[i]);
            return NULL;
        }
    g_autofree char *text = monitor_option_text(a->json, NULL);
    qmp_fail_line(e, devices_add(m->backends, m->board, text));
    return NULL;
}

/* By id, or by path as QMP clients may. */
static struct device *find_device(const struct monitor *m, const char *name)
{
    for (unsigned i = 0; i < m->board->ndevices; i++) {
        struct device *d = m->board->device[i];
        g_autofree char *path = monitor_device_path(m, d);
        if ((d->id && !strcmp(d->id, name)) || !strcmp(path, name))
            return d;
    }
    return NULL;
}

struct json *qmp_device_del(struct monitor *m, const struct qmp_device_del_args *a, struct qmp_error *e)
{
    struct device *d = find_device(m, a->id);
    if (d)
        qmp_fail_line(e, board_eject(m->board, d));
    else
        qmp_fail_class(e, "DeviceNotFound", "Device '%s' not found", a->id);
    return NULL;
}

struct json *qmp_object_add(struct monitor *m, const struct qmp_object_add_args *a, struct qmp_error *e)
{
    qmp_fail(e, "there are no objects of type '%s' that can be made; devices are made by device_add", a->qom_type);
    return NULL;
}

struct json *qmp_object_del(struct monitor *m, const struct qmp_object_del_args *a, struct qmp_error *e)
{
    qmp_fail(e, "object '%s' not found: objects cannot be made or removed", a->id);
    return NULL;
}

/* --- types --- */

/* What the kinds of object are called; devices' own types are kinds of "device". */
static const struct {
    const char *name, *parent;
} base_types[] = {
    {"object", NULL}, {"container", "object"}, {"machine", "object"}, {"device", "object"}, {"cpu", "device"}};

static void add_type(struct json *list, const struct qmp_qom_list_types_args *a, const char *name, const char *parent,
                     bool abstract)
{
    if (abstract && !a->abstract)
        return;
    const char *wanted = a->implements, *at = name;
    bool ok = !wanted || !strcmp(wanted, name);
    for (at = parent; at && !ok;) {
        ok = !strcmp(at, wanted);
        const char *above = NULL;
        for (unsigned i = 0; i < G_N_ELEMENTS(base_types); i++)
            if (!strcmp(base_types[i].name, at))
                above = base_types[i].parent;
        at = above;
    }
    if (!ok)
        return;
    struct json *v = json_put_string(json_object(), "name", name);
    if (abstract)
        json_put_bool(v, "abstract", true);
    if (parent)
        json_put_string(v, "parent", parent);
    json_add(list, v);
}

struct json *qmp_qom_list_types(struct monitor *m, const struct qmp_qom_list_types_args *a, struct qmp_error *e)
{
    struct json *list = json_array();
    for (unsigned i = 0; i < G_N_ELEMENTS(base_types); i++)
        add_type(list, a, base_types[i].name, base_types[i].parent, true);
    for (const struct device_class *const *c = device_classes; *c; c++)
        add_type(list, a, (*c)->name, "device", false);
    for (const struct board_class *const *c = board_classes; *c; c++) {
        g_autofree char *name = g_strdup_printf("%s-machine", (*c)->name);
        add_type(list, a, name, "machine", false);
    }
    for (unsigned i = 0; system_cpu_models[i]; i++) {
        g_autofree char *name = g_strdup_printf("%s-%s-cpu", system_cpu_models[i], m->board->class->target->name);
        add_type(list, a, name, "cpu", false);
    }
    return list;
}

static const char *const prop_types[PROP_TYPES] = {"bool", "uint32", "uint64", "size", "str", "str", "str", "str"};

static struct json *describe(const struct device_prop *p)
{
    struct json *v = json_put_string(json_object(), "name", p->name);
    json_put_string(v, "type", prop_types[p->type]);
    return json_put_string(v, "description", p->doc);
}

struct json *qmp_device_list_properties(struct monitor *m, const struct qmp_device_list_properties_args *a,
                                        struct qmp_error *e)
{
    const struct device_class *c = device_class_by_name(a->typename);
    if (!c) {
        qmp_fail_class(e, "DeviceNotFound", "Device '%s' not found", a->typename);
        return NULL;
    }
    struct json *list = json_array();
    for (; c; c = c->part)
        for (unsigned i = 0; i < c->nprops; i++) {
            struct json *v = describe(&c->props[i]);
            if (c->props[i].initial)
                json_put_string(v, "default-value", c->props[i].initial);
            json_add(list, v);
        }
    return list;
}

struct json *qmp_qom_list_properties(struct monitor *m, const struct qmp_qom_list_properties_args *a,
                                     struct qmp_error *e)
{
    const struct qmp_device_list_properties_args args = {a->json, a->typename};
    return qmp_device_list_properties(m, &args, e);
}

/* --- objects --- */

/*
 * The tree that clients see:
 *
 *   /machine                       type, ram-size, processors
 *     peripheral/ID                devices with an id, peripheral-anon/device[N] those without
 *     unattached/cpu[N]            processors
 */
enum object_kind {
    OBJECT_NONE,
    OBJECT_ROOT,
    OBJECT_MACHINE,
    OBJECT_PERIPHERAL,
    OBJECT_ANONYMOUS,
    OBJECT_UNATTACHED,
    OBJECT_DEVICE,
    OBJECT_CPU
};

struct object {
    enum object_kind kind;
    struct device *device;
    unsigned cpu;
};

static struct object find_object(const struct monitor *m, const char *path)
{
    static const struct {
        const char *path;
        enum object_kind kind;
    } fixed[] = {{"", OBJECT_ROOT},
                 {"/machine", OBJECT_MACHINE},
                 {"/machine/peripheral", OBJECT_PERIPHERAL},
                 {"/machine/peripheral-anon", OBJECT_ANONYMOUS},
                 {"/machine/unattached", OBJECT_UNATTACHED}};
    g_autofree char *own = g_strdup(path);
    while (*own && own[strlen(own) - 1] == '/')
        own[strlen(own) - 1] = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(fixed); i++)
        if (!strcmp(fixed[i].path, own))
            return (struct object){.kind = fixed[i].kind};
    struct device *d = find_device(m, own);
    if (d)
        return (struct object){OBJECT_DEVICE, d, 0};
    for (unsigned i = 0; i < m->board->machine.nprocessors; i++) {
        g_autofree char *cpu = g_strdup_printf("/machine/unattached/cpu[%u]", i);
        if (!strcmp(cpu, own))
            return (struct object){OBJECT_CPU, NULL, i};
    }
    return (struct object){0};
}

static const char *type_of(const struct monitor *m, const struct object *o)
{
    return o->kind == OBJECT_DEVICE    ? o->device->class->name
           : o->kind == OBJECT_MACHINE ? "machine"
           : o->kind == OBJECT_CPU     ? "cpu"
                                       : "container";
}

static void add_property(struct json *list, const char *name, const char *type)
{
    json_add(list, json_put_string(json_put_string(json_object(), "name", name), "type", type));
}

static void add_devices(const struct monitor *m, struct json *list, bool named)
{
    for (unsigned i = 0; i < m->board->ndevices; i++) {
        const struct device *d = m->board->device[i];
        if (!d->id == named)
            continue;
        g_autofree char *path = monitor_device_path(m, d);
        g_autofree char *type = g_strdup_printf("child<%s>", d->class->name);
        add_property(list, strrchr(path, '/') + 1, type);
    }
}

static void list_properties(const struct monitor *m, const struct object *o, struct json *list)
{
    switch (o->kind) {
    case OBJECT_ROOT: add_property(list, "machine", "child<machine>"); break;
    case OBJECT_MACHINE:
        add_property(list, "peripheral", "child<container>");
        add_property(list, "peripheral-anon", "child<container>");
        add_property(list, "unattached", "child<container>");
        add_property(list, "ram-size", "size");
        add_property(list, "processors", "uint32");
        break;
    case OBJECT_PERIPHERAL: add_devices(m, list, true); break;
    case OBJECT_ANONYMOUS: add_devices(m, list, false); break;
    case OBJECT_UNATTACHED:
        for (unsigned i = 0; i < m->board->machine.nprocessors; i++) {
            g_autofree char *name = g_strdup_printf("cpu[%u]", i);
            add_property(list, name, "child<cpu>");
        }
        break;
    case OBJECT_DEVICE:
        add_property(list, "realized", "bool");
        for (const struct device_class *c = o->device->class; c; c = c->part)
            for (unsigned i = 0; i < c->nprops; i++)
                json_add(list, describe(&c->props[i]));
        break;
    default: break;
    }
}

static bool lookup(const struct monitor *m, const char *path, struct object *o, struct qmp_error *e)
{
    *o = find_object(m, path);
    if (o->kind == OBJECT_NONE)
        qmp_fail_class(e, "DeviceNotFound", "Device '%s' not found", path);
    return o->kind != OBJECT_NONE;
}

struct json *qmp_qom_list(struct monitor *m, const struct qmp_qom_list_args *a, struct qmp_error *e)
{
    struct object o;
    if (!lookup(m, a->path, &o, e))
        return NULL;
    struct json *list = json_array();
    add_property(list, "type", "string");
    list_properties(m, &o, list);
    return list;
}

const char *monitor_backend_id(const struct monitor *m, const void *backend)
{
    GHashTable *const tables[] = {m->backends->chardevs, m->backends->drives, m->backends->netdevs};
    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        GHashTableIter at;
        gpointer id, value;
        g_hash_table_iter_init(&at, tables[i]);
        while (g_hash_table_iter_next(&at, &id, &value))
            if (value == backend)
                return id;
    }
    return "";
}

static struct json *device_value(const struct monitor *m, const struct device *d, const char *name)
{
    for (const struct device_class *c = d->class; c; c = c->part)
        for (unsigned i = 0; i < c->nprops; i++) {
            if (strcmp(c->props[i].name, name))
                continue;
            char *text = device_get(d, name);
            struct json *v;
            switch (c->props[i].type) {
            case PROP_BOOL: v = json_bool(!strcmp(text, "true")); break;
            case PROP_U32:
            case PROP_U64:
            case PROP_SIZE: v = json_uint(strtoull(text, NULL, 10)); break;
            case PROP_STRING: v = json_string(text); break;
            default: v = json_string(monitor_backend_id(m, device_backend(d, name))); break;
            }
            free(text);
            return v;
        }
    return !strcmp(name, "realized") ? json_bool(d->realized) : NULL;
}

static struct json *object_value(const struct monitor *m, const struct object *o, const char *path, const char *name)
{
    if (!strcmp(name, "type"))
        return json_string(type_of(m, o));
    if (o->kind == OBJECT_DEVICE)
        return device_value(m, o->device, name);
    if (o->kind == OBJECT_MACHINE && !strcmp(name, "ram-size"))
        return json_uint(m->board->options.ram_size);
    if (o->kind == OBJECT_MACHINE && !strcmp(name, "processors"))
        return json_int(m->board->machine.nprocessors);
    AUTO_JSON list = json_array();
    list_properties(m, o, list);
    for (unsigned i = 0; i < list->n; i++)
        if (!strcmp(json_get_string(list->item[i], "name"), name)) /* a child: where it is */
            return json_printf("%s/%s", path, name);
    return NULL;
}

struct json *qmp_qom_get(struct monitor *m, const struct qmp_qom_get_args *a, struct qmp_error *e)
{
    struct object o;
    if (!lookup(m, a->path, &o, e))
        return NULL;
    struct json *v = object_value(m, &o, a->path, a->property);
    if (!v)
        qmp_fail(e, "Property '%s.%s' not found", type_of(m, &o), a->property);
    return v;
}

struct json *qmp_qom_set(struct monitor *m, const struct qmp_qom_set_args *a, struct qmp_error *e)
{
    struct object o;
    if (!lookup(m, a->path, &o, e))
        return NULL;
    AUTO_JSON v = object_value(m, &o, a->path, a->property);
    if (!v)
        qmp_fail(e, "Property '%s.%s' not found", type_of(m, &o), a->property);
    else
        qmp_fail(e, "Property '%s.%s' cannot be changed any more", type_of(m, &o), a->property);
    return NULL;
}
