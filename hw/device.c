/*
 * Devices by their descriptors: making, setting, resetting, saving. Register access is in device-regs.c. See device.h.
 */
#define _GNU_SOURCE
#include "hw/device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/log.h"
#include "hw/device-regs.h"

char *device_error(const char *fmt, ...)
{
    char *line = NULL;
    va_list args;
    va_start(args, fmt);
    CHECK(vasprintf(&line, fmt, args) >= 0);
    va_end(args);
    return line;
}

const struct device_class *device_class_by_name(const char *name)
{
    for (const struct device_class *const *c = device_classes; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

static void *member(const struct device *d, uint32_t offset)
{
    return (char *)d + offset;
}

/* --- properties --- */

static const char *const prop_words[PROP_TYPES] = {
    "on or off", "a 32-bit number", "a 64-bit number", "a size such as 64M", "text", "the id of a chardev", "the id of a drive",
    "the id of a netdev",
};

static bool is_backend(const struct device_prop *p)
{
    return p->type == PROP_CHARDEV || p->type == PROP_DRIVE || p->type == PROP_NETDEV;
}

static bool parse_bool(const char *text, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"on", true}, {"true", true}, {"yes", true}, {"off", false}, {"false", false}, {"no", false}};
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        if (!strcmp(words[i].word, text)) {
            *out = words[i].value;
            return true;
        }
    return false;
}

/* A decimal, octal or hexadecimal number; `suffixes`: with K, M, G or T behind it. */
static bool parse_number(const char *text, bool suffixes, uint64_t max, uint64_t *out)
{
    static const char letters[] = "KMGT";
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    uint64_t n = strtoull(text, &end, 0);
    unsigned shift = 0;
    if (suffixes && *end) {
        const char *letter = strchr(letters, *end & ~0x20);
        if (!letter)
            return false;
        shift = 10 * (unsigned)(letter - letters + 1);
        end++;
    }
    if (errno || *end || n > max >> shift)
        return false;
    *out = n << shift;
    return true;
}

static bool parse(const struct device_prop *p, void *to, const char *text)
{
    uint64_t n;
    switch (p->type) {
    case PROP_BOOL: return parse_bool(text, to);
    case PROP_U32:
        if (!parse_number(text, false, UINT32_MAX, &n))
            return false;
        *(uint32_t *)to = (uint32_t)n;
        return true;
    case PROP_U64:
    case PROP_SIZE: return parse_number(text, p->type == PROP_SIZE, UINT64_MAX, to);
    case PROP_STRING:
        free(*(char **)to);
        *(char **)to = strdup(text);
        return true;
    default: return false;
    }
}

static const struct device_prop *find_prop(const struct device_class *c, const char *name)
{
    for (unsigned i = 0; i < c->nprops; i++)
        if (!strcmp(c->props[i].name, name))
            return &c->props[i];
    return NULL;
}

char *device_set(struct device *d, const char *name, const char *text)
{
    const struct device_prop *p = find_prop(d->class, name);
    if (!p && d->part && find_prop(d->part->class, name))
        return device_set(d->part, name, text);
    if (!p)
        return device_error("device %s has no property %s; -device %s,help lists them", d->class->name, name,
                            d->class->name);
    if (d->realized)
        return device_error("property %s of device %s cannot change any more", name, d->class->name);
    if (!parse(p, member(d, p->offset), text))
        return device_error("property %s of device %s wants %s, not '%s'", name, d->class->name, prop_words[p->type],
                            text);
    return NULL;
}

void device_set_backend(struct device *d, const char *name, void *backend)
{
    const struct device_prop *p = find_prop(d->class, name);
    if (!p && d->part) {
        device_set_backend(d->part, name, backend);
        return;
    }
    CHECK(p && is_backend(p));
    *(void **)member(d, p->offset) = backend;
}

void *device_backend(const struct device *d, const char *name)
{
    const struct device_prop *p = find_prop(d->class, name);
    if (!p)
        return d->part ? device_backend(d->part, name) : NULL;
    return is_backend(p) ? *(void *const *)member(d, p->offset) : NULL;
}

void device_place(struct device *d, const char *bus, const char *addr)
{
    d->bus = bus ? strdup(bus) : NULL;
    d->addr = addr ? strdup(addr) : NULL;
}

char *device_get(const struct device *d, const char *name)
{
    const struct device_prop *p = find_prop(d->class, name);
    if (!p)
        return d->part ? device_get(d->part, name) : NULL;
    const void *at = member(d, p->offset);
    switch (p->type) {
    case PROP_BOOL: return strdup(*(const bool *)at ? "true" : "false");
    case PROP_U32: return device_error("%u", *(const uint32_t *)at);
    case PROP_U64:
    case PROP_SIZE: return device_error("%llu", (unsigned long long)*(const uint64_t *)at);
    case PROP_STRING: return strdup(*(char *const *)at ? *(char *const *)at : "");
    default: return strdup(*(void *const *)at ? "set" : "");
    }
}

/* --- life --- */

struct device *device_new(const struct device_class *class, const char *id, const struct device_host *host)
{
    CHECK(class->nwindows <= DEVICE_MAX_WINDOWS);
    struct device *d = calloc(1, class->state_size);
    unsigned lines = class->nirqs * (class->irq_sets ? class->irq_sets : 1);
    struct irq *irq = calloc(lines ? lines : 1, sizeof *irq);
    struct device *part = class->part ? device_new(class->part, NULL, host) : NULL;
    if (!d || !irq || (class->part && !part)) {
        if (part)
            device_free(part);
        free(irq);
        free(d);
        return NULL;
    }
    d->irq = irq;
    d->part = part;
    d->class = class;
    d->id = id ? strdup(id) : NULL;
    d->host = host;
    for (unsigned i = 0; i < class->nprops; i++)
        if (class->props[i].initial)
            CHECK(parse(&class->props[i], member(d, class->props[i].offset), class->props[i].initial));
    return d;
}

char *device_realize(struct device *d)
{
    const struct device_class *c = d->class;
    char *line = d->part ? device_realize(d->part) : NULL;
    if (line)
        return line;
    for (unsigned i = 0; i < c->nwindows; i++) {
        const struct device_window *w = &c->windows[i];
        struct device_view *v = &d->view[i];
        mem_init_io(&v->region, w->name, w->size, w->ops ? w->ops : &device_reg_ops, w->ops ? (void *)d : v);
        v->device = d;
        v->window = w;
    }
    line = c->realize ? c->realize(d) : NULL;
    if (line)
        return line;
    d->realized = true;
    device_reset(d);
    return NULL;
}

void device_powerdown(struct device *d)
{
    if (d->part)
        device_powerdown(d->part);
    if (d->class->powerdown)
        d->class->powerdown(d);
}

void device_reset(struct device *d)
{
    const struct device_class *c = d->class;
    if (d->part)
        device_reset(d->part);
    for (unsigned i = 0; i < c->nwindows; i++)
        device_reset_regs(d, &c->windows[i]);
    if (c->reset)
        c->reset(d);
}

void device_free(struct device *d)
{
    const struct device_class *c = d->class;
    if (d->realized && c->unrealize)
        c->unrealize(d);
    if (d->part)
        device_free(d->part);
    for (unsigned i = 0; i < c->nprops; i++)
        if (c->props[i].type == PROP_STRING)
            free(*(char **)member(d, c->props[i].offset));
    free(d->irq);
    free(d->bus);
    free(d->addr);
    free(d->id);
    free(d);
}

static void set_input(void *receiver, unsigned input, bool level)
{
    struct device *d = receiver;
    d->class->input(d, input, level);
}

struct irq device_input(struct device *d, unsigned n)
{
    CHECK(d->class->input && n < d->class->ninputs);
    return (struct irq){set_input, d, n};
}

/* --- saved state --- */

/* Calls visit() for every item: registers with a value first, then what the descriptor lists. Stops when it says so. */
static bool each_item(const struct device *d, bool (*visit)(void *opaque, const char *name, void *bytes, size_t size),
                      void *opaque)
{
    const struct device_class *c = d->class;
    for (unsigned w = 0; w < c->nwindows; w++)
        for (unsigned i = 0; i < c->windows[w].nregs; i++) {
            const struct device_reg *r = &c->windows[w].regs[i];
            if (r->state && !visit(opaque, r->name, member(d, r->state), (size_t)r->size * (r->count ? r->count : 1)))
                return false;
        }
    for (unsigned i = 0; i < c->nsaved; i++) {
        const struct device_saved *s = &c->saved[i];
        if (!visit(opaque, s->name, member(d, s->offset), (size_t)s->size * s->count))
            return false;
    }
    return true;
}

/* Where the device inside the one at `path` has its state; to be freed. */
static char *part_path(const char *path)
{
    return device_error("%s/part", path);
}

static const char version_item[] = "version";

struct saving {
    const struct state_sink *to;
    const char *path;
};

static bool save_item(void *opaque, const char *name, void *bytes, size_t size)
{
    struct saving *s = opaque;
    s->to->item(s->to->opaque, s->path, name, bytes, size);
    return true;
}

void device_save(const struct device *d, const char *path, const struct state_sink *to)
{
    struct saving s = {to, path};
    uint32_t version = d->class->state_version;
    save_item(&s, version_item, &version, sizeof version);
    each_item(d, save_item, &s);
    char *inner = d->part ? part_path(path) : NULL;
    if (inner)
        device_save(d->part, inner, to);
    free(inner);
}

struct loading {
    const struct state_source *from;
    const char *path, *missing;
};

static bool check_item(void *opaque, const char *name, void *bytes, size_t size)
{
    struct loading *l = opaque;
    if (l->from->item(l->from->opaque, l->path, name, NULL, size))
        return true;
    l->missing = name;
    return false;
}

static bool load_item(void *opaque, const char *name, void *bytes, size_t size)
{
    struct loading *l = opaque;
    return l->from->item(l->from->opaque, l->path, name, bytes, size);
}

char *device_load_check(struct device *d, const char *path, const struct state_source *from)
{
    struct loading l = {from, path, NULL};
    uint32_t version;
    if (!from->item(from->opaque, path, version_item, &version, sizeof version))
        return device_error("the saved state has no device %s (%s)", path, d->class->name);
    if (version != d->class->state_version)
        return device_error("the saved state of %s is of version %u; this metic has version %u", path, version,
                            d->class->state_version);
    if (!each_item(d, check_item, &l))
        return device_error("the saved state of %s lacks %s", path, l.missing);
    char *inner = d->part ? part_path(path) : NULL, *line = inner ? device_load_check(d->part, inner, from) : NULL;
    free(inner);
    return line;
}

void device_load_state(struct device *d, const char *path, const struct state_source *from)
{
    struct loading l = {from, path, NULL};
    each_item(d, load_item, &l);
    char *inner = d->part ? part_path(path) : NULL;
    if (inner)
        device_load_state(d->part, inner, from);
    free(inner);
}

/* The outer one first: it is how the inner one's interrupts leave. */
void device_loaded(struct device *d)
{
    if (d->class->loaded)
        d->class->loaded(d);
    if (d->part)
        device_loaded(d->part);
}

char *device_load(struct device *d, const char *path, const struct state_source *from)
{
    char *line = device_load_check(d, path, from);
    if (line)
        return line;
    device_reset(d); /* its timers are cancelled */
    device_load_state(d, path, from);
    device_loaded(d);
    return NULL;
}

/* --- documentation --- */

void device_print_classes(FILE *f)
{
    for (const struct device_class *const *c = device_classes; *c; c++)
        if (!(*c)->only_board)
            fprintf(f, "%-20s %s\n", (*c)->name, (*c)->doc);
}

static void print_props(FILE *f, const struct device_class *class)
{
    for (unsigned i = 0; i < class->nprops; i++) {
        const struct device_prop *p = &class->props[i];
        fprintf(f, "  %-20s %s (%s%s%s)\n", p->name, p->doc, prop_words[p->type], p->initial ? "; initially " : "",
                p->initial ? p->initial : "");
    }
}

void device_print_help(FILE *f, const struct device_class *class)
{
    fprintf(f, "%s: %s\n", class->name, class->doc);
    for (; class; class = class->part)
        print_props(f, class);
}
