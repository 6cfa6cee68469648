/* The kernel's table of interpreters: see register.h. */
#include "binfmt/register.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "base/bits.h"
#include "exec/target.h"

/* --- entries --- */

/* A 16-bit field of the header in the guest's byte order. */
static void put16(uint8_t *at, uint8_t elf_data, uint16_t v)
{
    bool big = elf_data == ELFDATA2MSB;
    at[big ? 1 : 0] = (uint8_t)v;
    at[big ? 0 : 1] = (uint8_t)(v >> 8);
}

void binfmt_magic(const struct target *t, struct binfmt_entry *e)
{
    static const uint8_t ident[] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3};
    /* ELFOSABI_NONE and ELFOSABI_LINUX and what is between them; the rest of e_ident is for the loader to judge. */
    enum { OSABI_MASK = 0xfc, TYPE_MASK = 0xfffe };
    _Static_assert((ELFOSABI_LINUX & OSABI_MASK) == ELFOSABI_NONE && (ET_DYN & TYPE_MASK) == ET_EXEC, "masks");
    e->offset = 0;
    e->nmagic = BINFMT_HEAD;
    memset(e->magic, 0, BINFMT_HEAD);
    memset(e->mask, 0, BINFMT_HEAD);
    memcpy(e->magic, ident, sizeof ident);
    e->magic[EI_CLASS] = t->elf_class;
    e->magic[EI_DATA] = t->elf_data;
    e->magic[EI_VERSION] = EV_CURRENT;
    memset(e->mask, 0xff, EI_OSABI);
    e->mask[EI_OSABI] = OSABI_MASK;
    put16(e->magic + offsetof(Elf64_Ehdr, e_type), t->elf_data, ET_EXEC);
    put16(e->mask + offsetof(Elf64_Ehdr, e_type), t->elf_data, TYPE_MASK);
    put16(e->magic + offsetof(Elf64_Ehdr, e_machine), t->elf_data, t->elf_machine);
    put16(e->mask + offsetof(Elf64_Ehdr, e_machine), t->elf_data, 0xffff);
}

/* An ordinary program of the guest differs from the magic in nothing but its type. */
bool binfmt_matches(const struct binfmt_entry *e, const struct target *t)
{
    struct binfmt_entry own;
    binfmt_magic(t, &own);
    if (!e->nmagic || e->offset + e->nmagic > BINFMT_HEAD)
        return false;
    for (uint16_t type = ET_EXEC; type <= ET_DYN; type++) {
        bool same = true;
        put16(own.magic + offsetof(Elf64_Ehdr, e_type), t->elf_data, type);
        for (unsigned i = 0; i < e->nmagic; i++)
            same = same && !((e->magic[i] ^ own.magic[e->offset + i]) & e->mask[i]);
        if (same)
            return true;
    }
    return false;
}

const struct binfmt_entry *binfmt_in_charge(const struct binfmt_table *t, const struct target *guest)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->entry[i].enabled && binfmt_matches(&t->entry[i], guest))
            return &t->entry[i];
    return NULL;
}

bool binfmt_is_metic(const struct binfmt_entry *e)
{
    const char *slash = strrchr(e->interpreter, '/');
    return !strncmp(slash ? slash + 1 : e->interpreter, "metic", 5);
}

bool binfmt_is_stale(const struct binfmt_entry *e)
{
    struct stat st;
    return !stat(e->interpreter, &st) &&
           (st.st_ctim.tv_sec > e->since.tv_sec ||
            (st.st_ctim.tv_sec == e->since.tv_sec && st.st_ctim.tv_nsec > e->since.tv_nsec));
}

void binfmt_escape(const uint8_t *bytes, unsigned n, char *out)
{
    for (unsigned i = 0; i < n; i++)
        sprintf(out + 4 * i, "\\x%02x", bytes[i]);
}

bool binfmt_line(const struct binfmt_entry *e, char out[BINFMT_LINE])
{
    char magic[4 * BINFMT_MAX_MAGIC + 1] = "", mask[4 * BINFMT_MAX_MAGIC + 1] = "";
    binfmt_escape(e->magic, e->nmagic, magic);
    binfmt_escape(e->mask, e->nmagic, mask);
    static const char delimiters[] = ":|;,#%!^";
    const char *delimiter_at = delimiters; /* the kernel takes any that is in none of the fields */
    while (delimiter_at[1] && (strchr(e->interpreter, *delimiter_at) || strchr(e->name, *delimiter_at)))
        delimiter_at++;
    const char delimiter = *delimiter_at;
    int n = snprintf(out, BINFMT_LINE, "%c%s%cM%c%u%c%s%c%s%c%s%c%s", delimiter, e->name, delimiter, delimiter,
                     e->offset, delimiter, magic, delimiter, mask, delimiter, e->interpreter, delimiter, e->flags);
    return n < BINFMT_LINE;
}

static unsigned parse_hex(const char *p, uint8_t *out)
{
    unsigned n = 0, byte;
    for (; n < BINFMT_MAX_MAGIC && sscanf(p, "%2x", &byte) == 1; p += 2)
        out[n++] = (uint8_t)byte;
    return n;
}

bool binfmt_parse(const char *text, struct binfmt_entry *e)
{
    bool known = false;
    e->enabled = false;
    e->offset = e->nmagic = 0;
    e->flags[0] = e->interpreter[0] = 0;
    memset(e->mask, 0xff, sizeof e->mask);
    while (*text) {
        size_t n = strcspn(text, "\n");
        char line[PATH_MAX + 32];
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        text += n + (text[n] == '\n');
        if (!strcmp(line, "enabled"))
            e->enabled = true;
        else if (!strncmp(line, "interpreter ", 12))
            known = snprintf(e->interpreter, sizeof e->interpreter, "%.*s", PATH_MAX - 1, line + 12) > 0;
        else if (!strncmp(line, "flags: ", 7))
            snprintf(e->flags, sizeof e->flags, "%.7s", line + 7);
        else if (!strncmp(line, "offset ", 7))
            e->offset = (unsigned)strtoul(line + 7, NULL, 10);
        else if (!strncmp(line, "magic ", 6))
            e->nmagic = parse_hex(line + 6, e->magic);
        else if (!strncmp(line, "mask ", 5))
            parse_hex(line + 5, e->mask);
    }
    return known;
}

/* --- the kernel's interface --- */

bool binfmt_mounted(const char *folder)
{
    struct statfs st;
    return !statfs(folder, &st) && st.f_type == BINFMTFS_MAGIC;
}

int binfmt_mount(const char *folder)
{
    return mount("binfmt_misc", folder, "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ? -errno : 0;
}

int binfmt_look(char folder[BINFMT_PATH])
{
    int fs = fsopen("binfmt_misc", FSOPEN_CLOEXEC), fd = -1;
    if (fs >= 0 && !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
        fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    int e = fd < 0 ? -errno : fd;
    if (fs >= 0)
        close(fs);
    snprintf(folder, BINFMT_PATH, "/proc/self/fd/%d", fd);
    return e;
}

static int newer_first(const void *a, const void *b)
{
    const struct timespec *x = &((const struct binfmt_entry *)a)->since, *y = &((const struct binfmt_entry *)b)->since;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? 1 : -1;
    return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

/* One file of the folder; false: it is no entry. */
static bool read_entry(int folder, const char *name, struct binfmt_entry *e)
{
    char text[PATH_MAX + 8 * BINFMT_MAX_MAGIC];
    struct stat st;
    if (name[0] == '.' || !strcmp(name, "register") || !strcmp(name, "status"))
        return false;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    bool ok = n > 0 && !fstat(fd, &st);
    close(fd);
    if (!ok)
        return false;
    text[n] = 0;
    snprintf(e->name, sizeof e->name, "%s", name);
    e->since = st.st_ctim;
    return binfmt_parse(text, e);
}

int binfmt_list(const char *folder, struct binfmt_table *t)
{
    t->n = 0;
    DIR *d = opendir(folder);
    if (!d)
        return -errno;
    for (struct dirent *f; t->n < BINFMT_MAX_ENTRIES && (f = readdir(d));)
        t->n += read_entry(dirfd(d), f->d_name, &t->entry[t->n]);
    closedir(d);
    qsort(t->entry, t->n, sizeof t->entry[0], newer_first);
    return 0;
}

static int write_file(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int e = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return e;
}

int binfmt_add(const char *folder, const char *line)
{
    return write_file(folder, "register", line);
}

int binfmt_remove(const char *folder, const char *name)
{
    return write_file(folder, name, "-1");
}

/* --- what can go wrong --- */

static const struct {
    enum binfmt_step step;
    int error;
    const char *meaning;
} explanations[] = {
    {BINFMT_STEP_MOUNT, ENODEV, "the kernel has no binfmt_misc: load its module (modprobe binfmt_misc) or use a kernel with CONFIG_BINFMT_MISC"},
    {BINFMT_STEP_MOUNT, EPERM, "only root may mount binfmt_misc: run it with sudo, or in a container started with --privileged"},
    {BINFMT_STEP_MOUNT, EACCES, "mounting is forbidden here: in a container, start it with --privileged"},
    {BINFMT_STEP_MOUNT, ENOENT, "/proc is not mounted: mount -t proc proc /proc"},
    {BINFMT_STEP_MOUNT, EBUSY, "binfmt_misc is being mounted by another process: try again"},
    {BINFMT_STEP_LIST, ENOENT, "binfmt_misc is not mounted: mount -t binfmt_misc binfmt_misc " BINFMT_FOLDER},
    {BINFMT_STEP_ADD, EPERM, "the kernel does not let this user register: run it with sudo, or in a container started with --privileged"},
    {BINFMT_STEP_ADD, EACCES, "only root may register, with an interpreter that may be executed: run it with sudo, or in a container started with --privileged"},
    {BINFMT_STEP_ADD, EEXIST, "an entry of this name is there already: remove it first, or choose another name with --name"},
    {BINFMT_STEP_ADD, EINVAL, "the kernel does not understand the entry: it may be too old for one of its flags (F needs Linux 4.8)"},
    {BINFMT_STEP_ADD, ENOENT, "the interpreter is missing, or binfmt_misc is not mounted: name an existing file with --interpreter"},
    {BINFMT_STEP_ADD, EROFS, "binfmt_misc is mounted read-only: mount -o remount,rw " BINFMT_FOLDER},
    {BINFMT_STEP_ADD, ENOEXEC, "the interpreter can't be executed: name metic's executable with --interpreter"},
    {BINFMT_STEP_REMOVE, EPERM, "the kernel does not let this user remove it: run it with sudo, or in a container started with --privileged"},
    {BINFMT_STEP_REMOVE, EACCES, "only root may remove it: run it with sudo, or in a container started with --privileged"},
    {BINFMT_STEP_REMOVE, EROFS, "binfmt_misc is mounted read-only: mount -o remount,rw " BINFMT_FOLDER},
};

const char *binfmt_explain(enum binfmt_step step, int error)
{
    for (unsigned i = 0; i < ARRAY_SIZE(explanations); i++)
        if (explanations[i].step == step && explanations[i].error == -error)
            return explanations[i].meaning;
    return strerror(-error);
}
