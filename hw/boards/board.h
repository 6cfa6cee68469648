/*
 * A board: which chips a machine has, where they lie and how they are wired. One constant descriptor per machine type,
 * in the list of boards.c.
 */
#ifndef HW_BOARDS_BOARD_H
#define HW_BOARDS_BOARD_H

#include "hw/device.h"
#include "softmmu/chardev.h"
#include "softmmu/machine.h"

enum { BOARD_MAX_SERIAL = 4, BOARD_MAX_FLASH = 2, BOARD_MAX_PROPS = 4, BOARD_MAX_DEVICES = 64, BOARD_MAX_CHIPS = 64 };

/* What the user wants of it. Texts are NULL where nothing was said. */
struct board_options {
    uint64_t ram_size; /* bytes; 0: the board's own */
    unsigned processors; /* 0: the board's own */
    const char *firmware; /* file; "none": none; NULL: the board's own */
    const char *kernel, *initrd, *append, *dtb;
    struct chardev *serial[BOARD_MAX_SERIAL]; /* NULL: not connected */
    struct block *flash[BOARD_MAX_FLASH];     /* content of flash banks; NULL: erased */
    char *const *files;           /* for firmware and kernel, as -fw_cfg has them; NULL-terminated; NULL: none */
    uint8_t prop[BOARD_MAX_PROPS]; /* of each of the class's properties: the number of its value */
    struct {
        bool is_virtual; /* it goes on as the machine's virtual time does, not the host's date */
        int64_t ahead;   /* of that clock when the machine is made, ns */
    } date; /* what the clock chip shows */
    bool ram_not_dumped;           /* the host's core dumps are without the RAM */
    struct exec_options exec;
    unsigned icount_shift; /* exec.counted: an instruction takes 1 << icount_shift ns of virtual time */
    bool idle_skips;       /* likewise: machine.idle_skips */
};

struct board {
    const struct board_class *class;
    struct machine machine;
    struct board_options options;
    struct device_host host; /* what its devices are given */
    struct device *chip[BOARD_MAX_CHIPS]; /* its own, by board_chip(), in the order they are saved in */
    unsigned nchips;
    struct device *device[BOARD_MAX_DEVICES]; /* the user's, plugged in */
    unsigned ndevices;
    struct pci_bus *pci; /* of its host bridge; NULL: it has none */
};

/* A property of a machine, `-M NAME,PROPERTY=VALUE`: one of a few words, the first where nothing is said. */
struct board_prop {
    const char *name;
    const char *const *values; /* NULL-terminated */
    const char *doc;           /* one line */
};

struct board_class {
    const char *name, *doc; /* doc: one line */
    const struct target *target;
    uint64_t default_ram;
    unsigned default_processors, max_processors;
    unsigned flash_banks; /* at most BOARD_MAX_FLASH */
    const struct board_prop *props;
    unsigned nprops; /* at most BOARD_MAX_PROPS */
    size_t state_size; /* of the board's own struct, which begins with struct board */
    /* Puts chips into the machine, which is stopped and locked. Returns NULL, or one line to be freed. */
    char *(*build)(struct board *b);
    /*
     * State as after power-on, with what the user wants started in memory. Stopped and locked. Returns as build() does.
     */
    char *(*reset)(struct board *b);
    void (*take_apart)(struct board *b); /* also after a build() that failed */
    /* Plugs a realized device into the bus of its kind, and out again. Locked. NULL, or one line to be freed. */
    char *(*plug)(struct board *b, struct device *d);
    void (*unplug)(struct board *b, struct device *d);
    void (*loaded)(struct board *b); /* a saved state is in place; NULL: nothing beside its chips wants to know */
};

/* Every board of this executable, NULL-terminated. */
extern const struct board_class *const board_classes[];
const struct board_class *board_class_by_name(const char *name);

/* Sets a property in the options. NULL, or one line to be freed. */
char *board_set(const struct board_class *class, struct board_options *o, const char *name, const char *value);
/* `-M help` (class NULL) and `-M NAME,help`. */
void board_print_help(FILE *f, const struct board_class *class);

/* A machine on its board, at reset and stopped. *out NULL where the text says why. */
char *board_new(const struct board_class *class, const struct board_options *o, struct board **out);
char *board_reset(struct board *b);
/* Makes a chip of the board's, by the name of its class; for build(). */
struct device *board_chip(struct board *b, const char *class);
/* Gives the user's files to the board's fw_cfg device, which is realized. NULL, or one line to be freed. */
char *board_add_files(struct board *b, struct device *fw_cfg);
/* The user's device of the id; NULL: none. */
struct device *board_device(const struct board *b, const char *id);
/* What it is called among the machine's objects; to be freed. */
char *board_device_path(const struct board *b, const struct device *d);
/* Presses the power button: every device that has one is told. */
void board_powerdown(struct board *b);
/* Unplugs a device of the user's and frees it; who listens to the machine is told. */
void board_remove(struct board *b, struct device *d);
/*
 * Asks the guest to let it go, after which it is removed; at once where nobody can mind. NULL, or one line to be freed.
 */
char *board_eject(struct board *b, struct device *d);
/*
 * Realizes a device of the user's (made with b->host) and plugs it in; it is the board's then, or freed where the text
 * says why not. Locked.
 */
char *board_add(struct board *b, struct device *d);
void board_free(struct board *b);

#endif
