/* `metic binfmt`: registration of metic with the kernel, and its reverse. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "binfmt/persist.h"
#include "binfmt/register.h"
#include "cmd/command.h"
#include "exec/target.h"
#include "linux-user/abi.h"

enum { MAX_ARCHES = 32 };

/* X(NAME, word, argument, help) */
#define OPTIONS(X)                                                                                                     \
    X(PERSIST, "--persist", "[=systemd|debian]", "install: register again at every start of the machine")              \
    X(CREDENTIALS, "--credentials", NULL, "install, print: set-user-ID programs get their rights (flag C); metic is then as trusted as they are") \
    X(TAKEOVER, "--takeover", NULL, "install: come before another interpreter of the same programs, replace an entry of the same name") \
    X(INTERPRETER, "--interpreter", "file", "install, print: what to register instead of this executable")             \
    X(NAME, "--name", "prefix", "all: entries are called prefix + architecture; metic- if not given")                  \
    X(INSTALL, "--install", "arch[,arch...]|all", "the same as install arch..., as container images that register spell it") \
    X(UNINSTALL, "--uninstall", "arch[,arch...]|all", "the same as remove arch...")                                    \
    X(KERNEL, "--kernel", NULL, "print: lines for " BINFMT_FOLDER "/register")                                         \
    X(SYSTEMD, "--systemd", NULL, "print: files for binfmt.d(5)")                                                      \
    X(DEBIAN, "--debian", NULL, "print: files for update-binfmts(8)")

enum option {
    OPTIONS(OPTION_NUMBER)
    OPT_HELP,
    OPTION_COUNT,
};

static const struct option_row rows[] = {
    OPTIONS(OPTION_ROW)
    HELP_ROW,
};

struct request {
    unsigned narches;
    const struct target *arch[MAX_ARCHES];
    const char *action, *prefix, *interpreter;
    bool credentials, takeover, persist;
    enum binfmt_form form; /* print: what; install with persist: where */
    char folder[BINFMT_PATH]; /* where the kernel's table is */
    struct binfmt_table *table;
};

/* --- what to register --- */

/* Flag P reaches the interpreter, as a bit of AT_FLAGS, since Linux 5.12. */
static bool kernel_tells_p(void)
{
    struct utsname u;
    unsigned major = 0, minor = 0;
    return !uname(&u) && sscanf(u.release, "%u.%u", &major, &minor) == 2 && (major > 5 || (major == 5 && minor >= 12));
}

/*
 * F: the kernel keeps metic open, so that it is there in every root and container. O: metic is given the program open,
 * which may be one that may only be executed. P: it is told argv[0].
 */
static void make_entry(const struct request *r, const struct target *t, struct binfmt_entry *e)
{
    memset(e, 0, sizeof *e);
    snprintf(e->name, sizeof e->name, "%s%s", r->prefix, t->name);
    snprintf(e->interpreter, sizeof e->interpreter, "%s", r->interpreter);
    snprintf(e->flags, sizeof e->flags, "%sO%sF", kernel_tells_p() ? "P" : "", r->credentials ? "C" : "");
    e->enabled = true;
    binfmt_magic(t, e);
}

static bool same_entry(const struct binfmt_entry *a, const struct binfmt_entry *b)
{
    for (const char *flag = "POCF"; *flag; flag++)
        if (!strchr(a->flags, *flag) != !strchr(b->flags, *flag))
            return false;
    return a->enabled == b->enabled && a->nmagic == b->nmagic && a->offset == b->offset &&
           !memcmp(a->magic, b->magic, a->nmagic) && !memcmp(a->mask, b->mask, a->nmagic) &&
           !strcmp(a->interpreter, b->interpreter);
}

static const struct binfmt_entry *by_name(const struct binfmt_table *t, const char *name)
{
    for (unsigned i = 0; i < t->n; i++)
        if (!strcmp(t->entry[i].name, name))
            return &t->entry[i];
    return NULL;
}

/* --- the kernel's table --- */

static int fail(const char *what, enum binfmt_step step, int e)
{
    report_error("%s: %s", what, binfmt_explain(step, e));
    return COMMAND_FAILED;
}

/* True in a user namespace, whose processes have no rights over a table that they inherited. */
static bool in_user_namespace(void)
{
    unsigned long inside, outside, count;
    FILE *f = fopen("/proc/self/uid_map", "re");
    bool initial =
        f && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3 && !inside && !outside && count == UINT32_MAX;
    if (f)
        fclose(f);
    return f && !initial;
}

/*
 * Reads the table. To write, mounts it first where it is missing, or where a user namespace needs one of its own.
 * Others look at one that is mounted elsewhere, as the host's is from a container, without leaving a mount.
 */
static int open_table(struct request *r, bool to_write)
{
    bool mounted = binfmt_mounted(BINFMT_FOLDER);
    bool own = to_write && mounted && in_user_namespace() && access(BINFMT_FOLDER "/register", W_OK) && errno == EACCES;
    int e = to_write && (!mounted || own) ? binfmt_mount(BINFMT_FOLDER) : 0;
    if (e && mounted)
        return fail("binfmt", BINFMT_STEP_ADD, -EACCES);
    if (e)
        return fail("can't mount " BINFMT_FOLDER, BINFMT_STEP_MOUNT, e);
    if (to_write && (!mounted || own))
        printf(BINFMT_FOLDER " is mounted now; entries last as long as it is\n"); /* since Linux 6.7, with its last mount */
    r->table = calloc(1, sizeof *r->table);
    CHECK(r->table);
    snprintf(r->folder, sizeof r->folder, BINFMT_FOLDER);
    if (!to_write && !mounted && binfmt_look(r->folder) < 0)
        return 0; /* an empty one */
    e = binfmt_list(r->folder, r->table);
    return e ? fail("can't read " BINFMT_FOLDER, BINFMT_STEP_LIST, e) : 0;
}

/* Registers the entry in place of `old` (NULL: none), which comes back if that fails. */
static int add_entry(const struct request *r, const struct binfmt_entry *e, const struct binfmt_entry *old)
{
    char line[BINFMT_LINE], old_line[BINFMT_LINE];
    if (!binfmt_line(e, line)) {
        report_error("%s: the interpreter's name is too long for the kernel", e->interpreter);
        return COMMAND_FAILED;
    }
    int error = old ? binfmt_remove(r->folder, old->name) : 0;
    if (error)
        return fail(old->name, BINFMT_STEP_REMOVE, error);
    error = binfmt_add(r->folder, line);
    if (!error)
        return 0;
    if (old && binfmt_line(old, old_line) && binfmt_add(r->folder, old_line))
        report_error("%s: the entry that was there could not be put back", old->name);
    return fail(e->name, BINFMT_STEP_ADD, error);
}

/* --- install --- */

static int persist(const struct request *r, const struct binfmt_entry *e)
{
    char where[PATH_MAX];
    int error = persist_add(r->form, e, where);
    if (error) {
        report_error("%s: %s", where,
                     error == -EIO ? "update-binfmts failed: see what it says when run by hand"
                     : error == -ENOENT && r->form == BINFMT_DEBIAN
                         ? "update-binfmts is missing: install binfmt-support"
                         : strerror(-error));
        return COMMAND_FAILED;
    }
    printf("%s: registered at every start by %s\n", e->name, where);
    return 0;
}

static int install_one(const struct request *r, const struct target *t)
{
    struct binfmt_entry e;
    make_entry(r, t, &e);
    const struct binfmt_entry *old = by_name(r->table, e.name), *front = binfmt_in_charge(r->table, t);
    if (front && front != old && !r->takeover) {
        report_error(
            "%s programs are run by %s already (entry %s): put metic before it with --takeover, or remove the entry",
            t->name, front->interpreter, front->name);
        return COMMAND_FAILED;
    }
    if (old && !binfmt_is_metic(old) && strcmp(old->interpreter, e.interpreter) && !r->takeover) {
        report_error("entry %s belongs to %s: replace it with --takeover, or choose another --name", old->name,
                     old->interpreter);
        return COMMAND_FAILED;
    }
    if (old && (!front || front == old) && same_entry(old, &e) && !binfmt_is_stale(old)) {
        printf("%s: already registered\n", e.name);
    } else {
        int error = add_entry(r, &e, old);
        if (error)
            return error;
        printf("%s: %s programs are run by %s%s%s\n", e.name, t->name, e.interpreter,
               front && front != old ? ", no longer by " : "", front && front != old ? front->interpreter : "");
    }
    return r->persist ? persist(r, &e) : 0;
}

static int install(struct request *r)
{
    if (r->persist && r->form == BINFMT_FORM_COUNT && (r->form = persist_form()) == BINFMT_FORM_COUNT) {
        report_error("--persist: neither systemd nor update-binfmts is here: run `metic binfmt install` from what "
                     "starts this machine");
        return COMMAND_FAILED;
    }
    if (access(r->interpreter, X_OK)) {
        report_error("%s: %s: name metic's executable with --interpreter", r->interpreter, strerror(errno));
        return COMMAND_FAILED;
    }
    int e = open_table(r, true);
    if (e)
        return e;
    if (r->credentials)
        report_error(
            "warning: with --credentials set-user-ID programs of the guests run with their owner's rights under metic");
    for (unsigned i = 0; i < r->narches; i++)
        e |= install_one(r, r->arch[i]);
    return e;
}

/* --- status, remove, print --- */

static int status(struct request *r)
{
    int e = open_table(r, false);
    if (e)
        return e;
    if (!binfmt_mounted(BINFMT_FOLDER))
        printf("binfmt_misc is not mounted here\n");
    for (unsigned i = 0; i < r->narches; i++) {
        char name[NAME_MAX + 1];
        snprintf(name, sizeof name, "%s%s", r->prefix, r->arch[i]->name);
        const struct binfmt_entry *own = by_name(r->table, name), *front = binfmt_in_charge(r->table, r->arch[i]);
        if (!front)
            printf("%s: %s\n", r->arch[i]->name, own ? "registered, but switched off" : "not registered");
        else
            printf("%s: %s (entry %s, flags %s)%s%s\n", r->arch[i]->name, front->interpreter, front->name, front->flags,
                   binfmt_is_metic(front) && binfmt_is_stale(front) ? ", older than this file: install again" : "",
                   own && own != front ? "; metic's entry comes behind it" : "");
        e |= front && front == own ? 0 : COMMAND_FAILED;
    }
    return e;
}

static int remove_one(const struct request *r, const struct target *t)
{
    char name[NAME_MAX + 1], where[PATH_MAX];
    snprintf(name, sizeof name, "%s%s", r->prefix, t->name);
    const struct binfmt_entry *old = by_name(r->table, name);
    if (old && !binfmt_is_metic(old) && strcmp(old->interpreter, r->interpreter)) {
        report_error("entry %s belongs to %s: it stays", name, old->interpreter);
        return COMMAND_FAILED;
    }
    int persistent = persist_remove(name, where);
    if (persistent < 0) {
        report_error("%s: %s", where, strerror(-persistent));
        return COMMAND_FAILED;
    }
    int e = old ? binfmt_remove(r->folder, name) : 0;
    if (e && e != -ENOENT) /* update-binfmts removes it itself */
        return fail(name, BINFMT_STEP_REMOVE, e);
    printf("%s: %s%s%s\n", name, old || persistent ? "removed" : "not registered", persistent ? ", with " : "",
           persistent ? where : "");
    return 0;
}

static int remove_all(struct request *r)
{
    int e = open_table(r, false);
    for (unsigned i = 0; !e && i < r->narches; i++)
        e |= remove_one(r, r->arch[i]);
    return e;
}

static int print(struct request *r)
{
    for (unsigned i = 0; i < r->narches; i++) {
        struct binfmt_entry e;
        make_entry(r, r->arch[i], &e);
        if (r->form == BINFMT_DEBIAN && r->narches > 1)
            printf("%s# %s\n", i ? "\n" : "", e.name);
        persist_print(r->form == BINFMT_FORM_COUNT ? BINFMT_KERNEL : r->form, &e, stdout);
    }
    return 0;
}

/* For a container that stands for the registration: as long as it runs, it holds. */
static int hold(struct request *r)
{
    sigset_t ends;
    int sig;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int e = install(r);
    fflush(stdout);
    if (e)
        return e;
    sigwait(&ends, &sig);
    free(r->table);
    return remove_all(r);
}

static const struct {
    const char *word;
    int (*run)(struct request *r);
} actions[] = {{"install", install}, {"status", status}, {"remove", remove_all}, {"print", print}, {"hold", hold}};

/* --- the command line --- */

static bool add_arch(struct request *r, const char *word)
{
    const struct target *t = command_arch(word);
    if (!t) {
        report_error("binfmt: there is no guest %s (-help lists them)", word);
        return false;
    }
    if (r->narches < MAX_ARCHES)
        r->arch[r->narches++] = t;
    return true;
}

/* "all", or architectures with commas between them, with or without the prefix of the entries. */
static bool add_list(struct request *r, const char *list)
{
    char word[64];
    for (size_t n; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", (int)n, list);
        if (strcmp(word, "all") &&
            !add_arch(r, strncmp(word, r->prefix, strlen(r->prefix)) ? word : word + strlen(r->prefix)))
            return false;
    }
    return true;
}

static bool read_options(struct request *r, struct option_reader *o, int *exit_code)
{
    int option;
    while ((option = option_next(o)) != OPTION_END) {
        switch (option) {
        case OPT_PERSIST:
            r->persist = true;
            r->form = o->value ? binfmt_form(o->value) : BINFMT_FORM_COUNT;
            if (o->value && (r->form == BINFMT_FORM_COUNT || r->form == BINFMT_KERNEL)) {
                report_error("--persist=%s: neither systemd nor debian", o->value);
                option = OPTION_BAD;
            }
            break;
        case OPT_CREDENTIALS: r->credentials = true; break;
        case OPT_TAKEOVER: r->takeover = true; break;
        case OPT_INTERPRETER: r->interpreter = o->value; break;
        case OPT_NAME:
            r->prefix = o->value;
            if (strlen(o->value) > NAME_MAX / 2 || strchr(o->value, '/')) {
                report_error("--name %s: not the beginning of a file name", o->value);
                option = OPTION_BAD;
            }
            break;
        case OPT_INSTALL:
        case OPT_UNINSTALL:
            r->action = option == OPT_INSTALL ? "install" : "remove";
            if (!add_list(r, o->value))
                option = OPTION_BAD;
            break;
        case OPT_KERNEL:
        case OPT_SYSTEMD:
        case OPT_DEBIAN: r->form = (enum binfmt_form)(BINFMT_KERNEL + (option - OPT_KERNEL)); break;
        case OPT_HELP:
            command_print_help(&command_binfmt);
            *exit_code = COMMAND_OK;
            return false;
        }
        if (option == OPTION_BAD) {
            *exit_code = COMMAND_USAGE;
            return false;
        }
    }
    return true;
}

static bool read_arches(struct request *r, char **words)
{
    for (; *words; words++)
        if (!add_arch(r, *words))
            return false;
    if (r->narches)
        return true;
    for (const struct linux_abi *const *abi = linux_abis; *abi && r->narches < MAX_ARCHES; abi++)
        r->arch[r->narches++] = (*abi)->target;
    return true;
}

static int run(int argc, char **argv)
{
    struct option_reader o = {.rows = rows, .nrows = OPTION_COUNT, .argv = argv, .at = 1};
    struct request r = {.prefix = "metic-", .form = BINFMT_FORM_COUNT};
    char self[PATH_MAX];
    int exit_code;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = 0;
    r.interpreter = self;
    /* Options may stand before the action, behind it and behind the architectures. */
    char **words = argv;
    int nwords = 0;
    for (;;) {
        if (!read_options(&r, &o, &exit_code))
            return exit_code;
        if (!argv[o.at])
            break;
        if (!r.action)
            r.action = argv[o.at];
        else
            words[nwords++] = argv[o.at];
        o.at++;
    }
    words[nwords] = NULL;
    if (!r.action) {
        report_error("binfmt: say install, status, remove, print or hold (metic binfmt -help tells more)");
        return COMMAND_USAGE;
    }
    if (!read_arches(&r, words))
        return COMMAND_USAGE;
    for (unsigned i = 0; i < ARRAY_SIZE(actions); i++)
        if (!strcmp(actions[i].word, r.action)) {
            exit_code = actions[i].run(&r);
            free(r.table);
            return exit_code;
        }
    report_error("binfmt: there is no action %s: say install, status, remove, print or hold", r.action);
    return COMMAND_USAGE;
}

const struct command command_binfmt = {
    .name = "binfmt",
    .synopsis = "install|status|remove|print|hold [option...] [arch...]",
    .words = "install status remove print hold",
    .summary = "Lets the kernel start programs of other processors by metic, through binfmt_misc.",
    .description =
        "Without an architecture, all guests are meant. install registers metic, and mounts the kernel's table where it is missing; "
        "doing it again changes nothing. status says who runs the programs of each guest and is successful when it is metic. "
        "remove takes the entries away. print writes them for those who make packages. hold "
        "installs, waits for SIGTERM and removes: for a service or a container that stands for the registration.\n"
        "The entries have the flags F (metic is there in every chroot and container), O (programs that may only be executed), "
        "P (argv[0] is what the caller gave), and C where asked. In a user namespace, Linux 6.7 and later keep a table of its own.",
    .options = rows,
    .noptions = OPTION_COUNT,
    .run = run,
};
