/*
 * What a device is: one constant descriptor with its registers, properties, lines and saved state. Creating it from
 * `-device` options, reset, register access, save and load, `-device help`, introspection and the reference pages all
 * read the descriptor; the device's own code is what its hardware does.
 *
 * A device sees offsets into its windows, never addresses; gets its lines, its view of memory and its back ends from
 * outside; and never sees a processor. All its functions are called under the machine's lock.
 *
 * The descriptor is also the interface of modules that are built apart: it begins with its version and size, fields are
 * only ever added at the end, and what an older module does not have reads as zero.
 */
#ifndef HW_DEVICE_H
#define HW_DEVICE_H

#include <stdio.h>

#include "softmmu/clock.h"
#include "softmmu/irq.h"
#include "softmmu/memory.h"

enum { DEVICE_ABI = 1 };
enum { DEVICE_MAX_WINDOWS = 6 };

struct device;

/* --- registers --- */

enum reg_access {
    REG_RW,
    REG_RO,   /* writes are ignored */
    REG_WO,   /* reads as zero */
    REG_W1C,  /* ones written clear bits */
};

struct device_field {
    const char *name;
    uint8_t pos, len;
    const char *doc;
};

/*
 * A register, or an array of them. Its value is an integer of `size` bytes in the device's state; reading and writing
 * it by the access rule is done by the table, `read` replaces the first and `write` the second.
 */
struct device_reg {
    const char *name;
    uint32_t offset; /* in the window */
    uint8_t size;    /* bytes */
    uint8_t access;  /* enum reg_access */
    uint16_t count;  /* elements of an array; 0: one register */
    uint32_t stride; /* bytes from one element to the next; 0: size */
    uint32_t state;  /* offset in the device's state, or 0: it has no value of its own */
    uint64_t reset;
    uint64_t fixed;  /* bits that software cannot change */
    uint64_t (*read)(struct device *d, const struct device_reg *r, unsigned index);
    void (*write)(struct device *d, const struct device_reg *r, unsigned index, uint64_t value);
    const char *doc;
    const struct device_field *fields;
    unsigned nfields;
};

/* A range of addresses the device answers: by its registers or, where that does not fit, by functions of its own. */
struct device_window {
    const char *name;
    uint64_t size;
    const struct device_reg *regs;
    unsigned nregs;
    const struct mem_ops *ops; /* called with the device; NULL: regs */
};

/* --- properties --- */

enum prop_type {
    PROP_BOOL,
    PROP_U32,
    PROP_U64,
    PROP_SIZE,
    PROP_STRING,
    PROP_CHARDEV,
    PROP_DRIVE,
    PROP_NETDEV,
    PROP_TYPES
};

struct device_prop {
    const char *name;
    uint8_t type;        /* enum prop_type */
    uint32_t offset;     /* in the device's state: bool, uint32_t, uint64_t, uint64_t, char *, back end * */
    const char *initial; /* as on the command line; NULL: zero */
    const char *doc;
};

/* --- saved state, beside the registers' --- */

struct device_saved {
    const char *name;
    uint32_t offset; /* in the device's state */
    uint32_t size;   /* of an element, bytes: 1, 2, 4, 8, or any with raw bytes */
    uint32_t count;  /* elements */
};

/* --- the descriptor --- */

enum device_bus { BUS_SYSTEM, BUS_PCI, BUS_VIRTIO, BUS_TYPES };

struct device_class {
    uint32_t abi;  /* DEVICE_ABI */
    uint32_t size; /* of this struct, as the device was built */
    const char *name;
    const char *doc; /* one line */
    uint32_t bus;    /* enum device_bus */
    uint32_t state_size; /* of the device's own struct, which begins with struct device */
    uint32_t state_version; /* of its saved state; one that differs is not loaded */
    const struct device_window *windows;
    unsigned nwindows;
    const char *const *irqs; /* names of the lines it drives */
    unsigned nirqs;
    unsigned ninputs; /* lines it receives: input() */
    const struct device_prop *props;
    unsigned nprops;
    const struct device_saved *saved;
    unsigned nsaved;
    /*
     * After properties have been set. An error, one line saying what to do, is the return value (to be freed); NULL:
     * done.
     */
    char *(*realize)(struct device *d);
    void (*unrealize)(struct device *d);
    void (*reset)(struct device *d);  /* beyond the registers' reset values */
    void (*input)(struct device *d, unsigned input, bool level);
    void (*loaded)(struct device *d); /* saved state has been put in place */
    bool only_board; /* boards wire it; not for -device */
    unsigned irq_sets; /* the lines repeat as often, for each hart say: line i of set k is irq[k * nirqs + i]; 0: once */
    /* A device inside: its properties show as this one's own, it is reset, saved and freed with it. NULL: none. */
    const struct device_class *part;
    const void *bus_class; /* what its bus wants to know: struct pci_class, struct virtio_class */
    void (*powerdown)(struct device *d); /* the user presses the machine's power button */
};

#define DEVICE_CLASS .abi = DEVICE_ABI, .size = sizeof(struct device_class)
/* A table of the descriptor and its number of rows. */
#define DEVICE_WINDOWS(table) .windows = table, .nwindows = ARRAY_SIZE(table)
#define DEVICE_IRQS(table)    .irqs = table, .nirqs = ARRAY_SIZE(table)
#define DEVICE_PROPS(table)   .props = table, .nprops = ARRAY_SIZE(table)
#define DEVICE_SAVES(table)   .saved = table, .nsaved = ARRAY_SIZE(table)
#define DEVICE_STATE(type, member) .state = offsetof(type, member)
#define DEVICE_SAVED(type, member) \
    {#member, offsetof(type, member), sizeof(((type *)0)->member), 1}
#define DEVICE_SAVED_ARRAY(type, member) \
    {#member, offsetof(type, member), sizeof(((type *)0)->member[0]), ARRAY_SIZE(((type *)0)->member)}

/* What a device is given by its machine. */
struct device_host {
    struct clocks *clocks;
    struct mem_space *memory; /* what its DMA sees; NULL: it has none */
    /* The guest has let go of a device that is `leaving`: unplugs and frees it. NULL: devices stay. */
    void (*left)(void *opaque, struct device *d);
    void *opaque;
};

/* A window of one device. */
struct device_view {
    struct mem_region region; /* what the board puts into the map */
    struct device *device;
    const struct device_window *window;
};

struct device {
    const struct device_class *class;
    char *id; /* NULL: none */
    const struct device_host *host;
    struct device_view view[DEVICE_MAX_WINDOWS];
    struct irq *irq; /* wired by the board */
    bool realized;
    void *owner; /* its bus's or transport's */
    struct device *part; /* the device inside */
    char *bus, *addr; /* where the user wants it plugged in, as `bus=` and `addr=` say; NULL: anywhere */
    bool hot;         /* plugged in while the machine runs: only where software expects that */
    bool leaving;     /* the guest has been asked to let it go */
};

/* Every class of this executable, NULL-terminated: hw/devices.c. */
extern const struct device_class *const device_classes[];
const struct device_class *device_class_by_name(const char *name);

/* A device with its properties as they are initially. `id` is copied. NULL without memory. */
struct device *device_new(const struct device_class *class, const char *id, const struct device_host *host);
/* Sets a property from its text. Returns NULL, or one line to be freed. */
char *device_set(struct device *d, const char *name, const char *text);
/* Sets the pointer of a property that names a back end. */
void device_set_backend(struct device *d, const char *name, void *backend);
/* The pointer itself, or NULL. */
void *device_backend(const struct device *d, const char *name);
/* Where it is to be plugged in; NULL: anywhere. */
void device_place(struct device *d, const char *bus, const char *addr);
/* The property's text; to be freed. NULL: no such property. */
char *device_get(const struct device *d, const char *name);
/* Makes the windows and resets the device; its part first. Returns NULL, or one line to be freed. */
char *device_realize(struct device *d);
void device_reset(struct device *d);
/* Tells it, and the devices inside, of the power button. */
void device_powerdown(struct device *d);
/* Unrealizes and frees it; its windows have been removed from the map. */
void device_free(struct device *d);
/* The input line `n` of the device, for whoever drives it. */
struct irq device_input(struct device *d, unsigned n);

/* One line of text as printf() makes it, to be freed: what realize() and the like return. */
char *device_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- saved state --- */

/* Where state is written to and read from: names and bytes, so that a missing or a changed item is told by name. */
struct state_sink {
    void (*item)(void *opaque, const char *device, const char *name, const void *bytes, size_t size);
    void *opaque;
};
struct state_source {
    /* Fills bytes, if there are any; false: no item of this name and size. */
    bool (*item)(void *opaque, const char *device, const char *name, void *bytes, size_t size);
    void *opaque;
};
void device_save(const struct device *d, const char *path, const struct state_sink *to);
/*
 * Loading, in steps that all devices take together, so that none sees another one half loaded: is everything there, of
 * the right version (NULL, or one line to be freed); then, after a reset, state is put in place; then the devices go on
 * with it. `source->item()` with bytes NULL only says whether the item is there.
 */
char *device_load_check(struct device *d, const char *path, const struct state_source *from);
void device_load_state(struct device *d, const char *path, const struct state_source *from);
void device_loaded(struct device *d);
/* All of them for one device. */
char *device_load(struct device *d, const char *path, const struct state_source *from);

/* --- documentation --- */

/* `-device help` (class NULL) and `-device NAME,help`. */
void device_print_classes(FILE *f);
void device_print_help(FILE *f, const struct device_class *class);

#endif
