/* The boards of this executable, and what they share. See board.h. */
#include "hw/boards/board.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "hw/boards/load.h"
#include "hw/misc/fw-cfg.h"
#include "hw/pci/pci.h"
#include "softmmu/options.h"

extern const struct board_class board_riscv_virt;

const struct board_class *const board_classes[] = {
    &board_riscv_virt,
    NULL,
};

const struct board_class *board_class_by_name(const char *name)
{
    for (const struct board_class *const *c = board_classes; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

char *board_set(const struct board_class *class, struct board_options *o, const char *name, const char *value)
{
    for (unsigned i = 0; i < class->nprops; i++) {
        const struct board_prop *p = &class->props[i];
        if (strcmp(p->name, name))
            continue;
        for (unsigned k = 0; p->values[k]; k++)
            if (!strcmp(p->values[k], value)) {
                o->prop[i] = (uint8_t)k;
                return NULL;
            }
        return device_error("property %s of machine %s cannot be '%s'; -M %s,help lists its values", name, class->name,
                            value, class->name);
    }
    return device_error("machine %s has no property %s; -M %s,help lists them", class->name, name, class->name);
}

void board_print_help(FILE *f, const struct board_class *class)
{
    if (!class) {
        for (const struct board_class *const *c = board_classes; *c; c++)
            fprintf(f, "%-12s %s\n", (*c)->name, (*c)->doc);
        return;
    }
    fprintf(f, "%s: %s\n", class->name, class->doc);
    for (unsigned i = 0; i < class->nprops; i++) {
        const struct board_prop *p = &class->props[i];
        fprintf(f, "  %s=", p->name);
        for (unsigned k = 0; p->values[k]; k++)
            fprintf(f, "%s%s", k ? "|" : "", p->values[k]);
        fprintf(f, "  %s (%s)\n", p->doc, p->values[0]);
    }
}

/* [name=]NAME,file=PATH or ,string=TEXT */
static char *add_file(struct board *b, struct device *fw_cfg, const char *text)
{
    enum { MAX_FILE = 64 << 20 };
    struct options parts;
    struct image im = {NULL, 0};
    char *error = options_parse(&parts, text, "name");
    const char *name = error ? NULL : options_get(&parts, "name"), *path = error ? NULL : options_get(&parts, "file");
    const char *content = error ? NULL : options_get(&parts, "string");
    if (!error && (!name || !path == !content || options_unknown(&parts)))
        error = device_error("-fw_cfg wants NAME,file=PATH or NAME,string=TEXT, not '%s'", text);
    if (!error && path)
        error = image_read(path, IMAGE_AS_IT_IS, MAX_FILE, &im);
    if (!error && !fw_cfg_add_file(fw_cfg, name, path ? im.bytes : (const void *)content,
                                   (uint32_t)(path ? im.size : strlen(content))))
        error = device_error("-fw_cfg: the name %s is too long or there already, or there are more than %d files", name,
                             FW_CFG_MAX_FILES);
    free(im.bytes);
    options_free(&parts);
    return error;
}

char *board_add_files(struct board *b, struct device *fw_cfg)
{
    char *error = NULL;
    for (char *const *text = b->options.files; text && *text && !error; text++)
        error = add_file(b, fw_cfg, *text);
    return error;
}

static void left(void *opaque, struct device *d) { board_remove(opaque, d); }

char *board_new(const struct board_class *class, const struct board_options *o, struct board **out)
{
    *out = NULL;
    struct board *b = calloc(1, class->state_size);
    if (!b)
        return device_error("no memory for a machine");
    b->class = class;
    b->options = *o;
    if (!b->options.ram_size)
        b->options.ram_size = class->default_ram;
    if (!b->options.processors)
        b->options.processors = class->default_processors;
    char *error = NULL;
    if (b->options.processors > class->max_processors)
        error = device_error("machine %s has at most %u processors; -smp asks for %u", class->name,
                             class->max_processors, b->options.processors);
    for (unsigned i = class->flash_banks; i < BOARD_MAX_FLASH && !error; i++)
        if (o->flash[i])
            error = device_error("machine %s has no flash bank %u", class->name, i);
    if (!error && !machine_init(&b->machine, class->target, b->options.processors, &o->exec))
        error = device_error("can't make a machine: %s", strerror(errno));
    if (error) {
        free(b);
        return error;
    }
    if (o->exec.counted) {
        clocks_use_icount(&b->machine.clocks, o->icount_shift);
        b->machine.idle_skips = o->idle_skips;
    }
    b->host = (struct device_host){&b->machine.clocks, &b->machine.memory, left, b};
    machine_lock(&b->machine);
    error = class->build(b);
    if (!error)
        error = board_reset(b);
    machine_unlock(&b->machine);
    if (error)
        board_free(b);
    else
        *out = b;
    return error;
}

char *board_reset(struct board *b)
{
    machine_reset_processors(&b->machine);
    for (unsigned i = b->ndevices; i-- > 0;) /* nobody is left who could mind */
        if (b->device[i]->leaving)
            board_remove(b, b->device[i]);
    for (unsigned i = 0; i < b->ndevices; i++)
        device_reset(b->device[i]);
    return b->class->reset(b);
}

struct device *board_chip(struct board *b, const char *class)
{
    struct device *d = device_new(device_class_by_name(class), NULL, &b->host);
    CHECK(d && b->nchips < BOARD_MAX_CHIPS);
    return b->chip[b->nchips++] = d;
}

void board_powerdown(struct board *b)
{
    for (unsigned i = 0; i < b->nchips; i++)
        device_powerdown(b->chip[i]);
    for (unsigned i = 0; i < b->ndevices; i++)
        device_powerdown(b->device[i]);
}

struct device *board_device(const struct board *b, const char *id)
{
    for (unsigned i = 0; i < b->ndevices; i++)
        if (b->device[i]->id && !strcmp(b->device[i]->id, id))
            return b->device[i];
    return NULL;
}

char *board_device_path(const struct board *b, const struct device *d)
{
    unsigned i = 0;
    if (d->id)
        return device_error("/machine/peripheral/%s", d->id);
    for (unsigned k = 0; k < b->nchips; k++)
        if (b->chip[k] == d)
            return device_error("/machine/unattached/device[%u]", k);
    while (i < b->ndevices && b->device[i] != d)
        i++;
    return device_error("/machine/peripheral-anon/device[%u]", i);
}

void board_remove(struct board *b, struct device *d)
{
    char *path = board_device_path(b, d);
    unsigned i = 0;
    while (b->device[i] != d)
        i++;
    memmove(&b->device[i], &b->device[i + 1], (--b->ndevices - i) * sizeof b->device[0]);
    b->class->unplug(b, d);
    machine_tell_event(&b->machine,
                       &(struct machine_event){.kind = MACHINE_DEVICE_DELETED, .device = d->id, .path = path});
    device_free(d);
    free(path);
}

/* Has no guest seen the devices yet? */
static bool untouched(const struct board *b) { return b->machine.state == RUN_STATE_PRELAUNCH; }

char *board_eject(struct board *b, struct device *d)
{
    if (d->class->bus == BUS_PCI && pci_has_devices_behind(d))
        return device_error("there is a device behind %s: remove that one first", d->id ? d->id : d->class->name);
    if (untouched(b)) {
        board_remove(b, d);
        return NULL;
    }
    if (d->class->bus != BUS_PCI)
        return device_error("device %s does not support hotplugging: it is in a virtio-mmio slot",
                            d->id ? d->id : d->class->name);
    return pci_eject(d);
}

char *board_add(struct board *b, struct device *d)
{
    char *error = NULL;
    if (!untouched(b) && d->class->bus != BUS_PCI)
        error = device_error("device %s can't be plugged into a running machine; use its -pci form", d->class->name);
    d->hot = !untouched(b);
    if (!error && b->ndevices == BOARD_MAX_DEVICES)
        error = device_error("a machine has at most %d devices of the user's", BOARD_MAX_DEVICES);
    if (!error)
        error = device_realize(d);
    if (!error)
        error = b->class->plug(b, d);
    if (error)
        device_free(d);
    else
        b->device[b->ndevices++] = d;
    return error;
}

void board_free(struct board *b)
{
    while (b->ndevices) {
        struct device *d = b->device[--b->ndevices];
        b->class->unplug(b, d);
        device_free(d);
    }
    b->class->take_apart(b);
    machine_free(&b->machine);
    free(b);
}
