/*
 * The kernel's table of interpreters, /proc/sys/fs/binfmt_misc. Documentation:
 * Documentation/admin-guide/binfmt-misc.rst; elf(5) for the header that is recognised.
 */
#ifndef BINFMT_REGISTER_H
#define BINFMT_REGISTER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct target;

#define BINFMT_FOLDER "/proc/sys/fs/binfmt_misc"

enum {
    BINFMT_HEAD = 20,       /* bytes of an ELF file up to e_machine */
    BINFMT_MAX_MAGIC = 256, /* the kernel's BINPRM_BUF_SIZE */
    BINFMT_MAX_ENTRIES = 256,
    BINFMT_LINE = 1920,     /* what the kernel takes at most */
    BINFMT_PATH = 64,       /* the folder's name */
};

struct binfmt_entry {
    char name[NAME_MAX + 1];
    char interpreter[PATH_MAX];
    char flags[8];           /* of "POCF" */
    bool enabled;
    unsigned offset, nmagic; /* nmagic 0: recognised by file name extension */
    uint8_t magic[BINFMT_MAX_MAGIC], mask[BINFMT_MAX_MAGIC];
    struct timespec since;   /* when it was registered: the latest of two that match wins */
};

struct binfmt_table {
    unsigned n;
    struct binfmt_entry entry[BINFMT_MAX_ENTRIES];
};

/* --- entries --- */

/* Fills magic and mask: programs and shared objects of the guest, of the ABIs System V to Linux, any ABI version. */
void binfmt_magic(const struct target *t, struct binfmt_entry *e);
/* Would the kernel give programs of this guest to the entry (if it is enabled)? */
bool binfmt_matches(const struct binfmt_entry *e, const struct target *t);
/* The first enabled entry that matches: what the kernel gives the guest's programs to. NULL: none. */
const struct binfmt_entry *binfmt_in_charge(const struct binfmt_table *t, const struct target *guest);
/* Is the interpreter a metic, by its file's name? */
bool binfmt_is_metic(const struct binfmt_entry *e);
/* Has the interpreter's file changed since the kernel opened it? */
bool binfmt_is_stale(const struct binfmt_entry *e);
/* Bytes as \xNN; out has 4 * n + 1 bytes. */
void binfmt_escape(const uint8_t *bytes, unsigned n, char *out);
/* The line that is written to `register`, without a newline. False: longer than the kernel takes. */
bool binfmt_line(const struct binfmt_entry *e, char out[BINFMT_LINE]);
/* Reads the text of an entry's file (NUL-terminated) into everything but name and since. False: not understood. */
bool binfmt_parse(const char *text, struct binfmt_entry *e);

/* --- the kernel's interface: `folder` is BINFMT_FOLDER but in tests. 0 or -errno --- */

/* Is a binfmt_misc file system there? */
bool binfmt_mounted(const char *folder);
int binfmt_mount(const char *folder);
/*
 * Makes the table visible to this process alone, where nothing is mounted: its folder as a path. The descriptor that
 * keeps it, or -errno.
 */
int binfmt_look(char folder[BINFMT_PATH]);
/* All entries in the order in which the kernel tries them. */
int binfmt_list(const char *folder, struct binfmt_table *t);
int binfmt_add(const char *folder, const char *line);
int binfmt_remove(const char *folder, const char *name);

enum binfmt_step { BINFMT_STEP_MOUNT, BINFMT_STEP_LIST, BINFMT_STEP_ADD, BINFMT_STEP_REMOVE };
/* What -error means in this step and what to do about it: a sentence of two clauses. */
const char *binfmt_explain(enum binfmt_step step, int error);

#endif
