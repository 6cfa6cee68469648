/* Registrations that come back after a restart: see persist.h. */
#include "binfmt/persist.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"

/*
 * Files are read in the order of their names and the last entry that matches wins: ours comes behind those of others.
 */
#define SYSTEMD_FOLDER "/etc/binfmt.d"
#define SYSTEMD_FILE   SYSTEMD_FOLDER "/zz-%s.conf"
#define DEBIAN_FOLDER  "/var/lib/binfmts"
#define DEBIAN_FILE    DEBIAN_FOLDER "/%s"

extern char **environ;

static const char *const forms[] = {
#define X(NAME, word, help) word,
    BINFMT_FORMS(X)
#undef X
};

enum binfmt_form binfmt_form(const char *word)
{
    unsigned i;
    for (i = 0; i < BINFMT_FORM_COUNT; i++)
        if (!strcmp(forms[i], word))
            break;
    return (enum binfmt_form)i;
}

enum binfmt_form persist_form(void)
{
    if (!access("/run/systemd/system", F_OK))
        return BINFMT_SYSTEMD;
    if (!access(DEBIAN_FOLDER, F_OK))
        return BINFMT_DEBIAN;
    /* Without a running systemd: an image that is being made, perhaps. */
    return access("/usr/lib/systemd/systemd-binfmt", X_OK) ? BINFMT_FORM_COUNT : BINFMT_SYSTEMD;
}

static const char *yes_no(const struct binfmt_entry *e, char flag)
{
    return strchr(e->flags, flag) ? "yes" : "no";
}

void persist_print(enum binfmt_form form, const struct binfmt_entry *e, FILE *out)
{
    char line[BINFMT_LINE], magic[4 * BINFMT_MAX_MAGIC + 1], mask[4 * BINFMT_MAX_MAGIC + 1];
    if (form != BINFMT_DEBIAN) {
        if (form == BINFMT_SYSTEMD)
            fprintf(out, "# Written by metic binfmt; see binfmt.d(5).\n");
        if (binfmt_line(e, line))
            fprintf(out, "%s\n", line);
        return;
    }
    binfmt_escape(e->magic, e->nmagic, magic);
    binfmt_escape(e->mask, e->nmagic, mask);
    fprintf(out,
            "package metic\ninterpreter %s\nmagic %s\noffset %u\nmask %s\ncredentials %s\npreserve %s\nfix_binary %s\n",
            e->interpreter, magic, e->offset, mask, yes_no(e, 'C'), yes_no(e, 'P'), yes_no(e, 'F'));
}

/* Runs a command without its messages; 0, or -errno: -EIO when it ran and failed. */
static int run(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    if (posix_spawn_file_actions_init(&actions))
        return -ENOMEM;
    int e = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!e)
        e = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (e)
        return -e;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static int write_conf(const struct binfmt_entry *e, const char *path)
{
    if (mkdir(SYSTEMD_FOLDER, 0755) && errno != EEXIST)
        return -errno;
    FILE *f = fopen(path, "we");
    if (!f)
        return -errno;
    persist_print(BINFMT_SYSTEMD, e, f);
    if (!fclose(f))
        return 0;
    int error = -errno;
    unlink(path);
    return error;
}

static int install_format(const struct binfmt_entry *e)
{
    char magic[4 * BINFMT_MAX_MAGIC + 1], mask[4 * BINFMT_MAX_MAGIC + 1];
    binfmt_escape(e->magic, e->nmagic, magic);
    binfmt_escape(e->mask, e->nmagic, mask);
    const char *const command[] = {
        "update-binfmts", "--package", "metic", "--install", e->name, e->interpreter, "--magic", magic, "--mask", mask,
        "--offset", "0", "--credentials", yes_no(e, 'C'), "--preserve", yes_no(e, 'P'), "--fix-binary", yes_no(e, 'F'),
        NULL,
    };
    return run(command);
}

int persist_add(enum binfmt_form form, const struct binfmt_entry *e, char where[PATH_MAX])
{
    snprintf(where, PATH_MAX, form == BINFMT_SYSTEMD ? SYSTEMD_FILE : DEBIAN_FILE, e->name);
    return form == BINFMT_SYSTEMD ? write_conf(e, where) : install_format(e);
}

/* The interpreter of one of update-binfmts' records: its sixth line. */
static bool recorded_interpreter(const char *path, char out[PATH_MAX])
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    unsigned line = 0;
    while (line < 6 && fgets(out, PATH_MAX, f))
        line++;
    fclose(f);
    out[strcspn(out, "\n")] = 0;
    return line == 6;
}

int persist_remove(const char *name, char where[PATH_MAX])
{
    char interpreter[PATH_MAX];
    snprintf(where, PATH_MAX, SYSTEMD_FILE, name);
    if (!unlink(where))
        return 1;
    if (errno != ENOENT && errno != ENOTDIR)
        return -errno;
    snprintf(where, PATH_MAX, DEBIAN_FILE, name);
    if (!recorded_interpreter(where, interpreter))
        return 0;
    const char *const command[] = {"update-binfmts", "--package", "metic", "--remove", name, interpreter, NULL};
    int e = run(command);
    return e ? e : 1;
}
