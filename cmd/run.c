/* `metic run`: a command inside a root of another architecture, without privileges and without registration. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "binfmt/plan.h"
#include "cmd/command.h"
#include "cmd/namespaces.h"
#include "exec/disk.h"
#include "exec/target.h"
#include "linux-user/abi.h"
#include "linux-user/load.h"

enum { MAX_ENV = 256, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

#define OPTIONS(X)                                                                                                     \
    X(ROOT, "--root", "folder", "the folder that becomes /; it is needed")                                             \
    X(ARCH, "--arch", "arch", "refuse a command of another architecture")                                              \
    X(BIND, "--bind", "source[:target[:ro]]", "a file or folder of the host that is seen in the root")                 \
    X(ENV, "--env", "name[=value]", "a variable of the command's environment; without a value, the host's")            \
    X(CHDIR, "--chdir", "folder", "where the command starts, in the root; / if not given")                             \
    X(USER, "--user", "uid[:gid]", "whom the command runs as; 0 if not given")                                         \
    X(NATIVE, "--native", "tool=path", "a program of the host in place of the root's tool, at native speed")           \
    X(HOST_PIDS, "--host-pids", NULL, "share the host's process numbers and /proc")

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
    struct place place;
    const struct target *arch; /* NULL: any */
    const char *folder;
    uid_t uid;
    gid_t gid;
    char *env[MAX_ENV + 1];
    unsigned nenv;
    char **command;
    bool cached; /* the translation cache is at PLACE_CACHE */
};

static bool refuse(const char *option, const char *value, const char *why)
{
    report_error("run: %s %s: %s", option, value, why);
    return false;
}

/* --- the command line --- */

static void set_env(struct request *r, char *assignment)
{
    size_t n = strcspn(assignment, "=") + 1;
    for (unsigned i = 0; i < r->nenv; i++)
        if (!strncmp(r->env[i], assignment, n)) {
            r->env[i] = assignment;
            return;
        }
    if (r->nenv < MAX_ENV)
        r->env[r->nenv++] = assignment;
}

static bool add_env(struct request *r, const char *word)
{
    const char *value = strchr(word, '=') ? NULL : getenv(word);
    char *assignment = NULL;
    if (word[0] == '=' || !word[0])
        return refuse("--env", word, "not name=value");
    if (!strchr(word, '=') && !value)
        return true;
    CHECK(asprintf(&assignment, value ? "%s=%s" : "%s", word, value) > 0);
    set_env(r, assignment);
    return true;
}

static struct bind *new_bind(struct request *r, const char *source)
{
    if (r->place.nbinds == MAX_BINDS) {
        report_error("run: more than %d files and folders to bind", MAX_BINDS);
        return NULL;
    }
    struct bind *b = &r->place.bind[r->place.nbinds];
    if (!realpath(source, b->source)) {
        report_error("run: %s: %s", source, strerror(errno));
        return NULL;
    }
    strcpy(b->target, b->source);
    b->tree = -1;
    r->place.nbinds++;
    return b;
}

static bool add_bind(struct request *r, const char *word)
{
    char source[PATH_MAX];
    size_t n = strcspn(word, ":"), m = word[n] ? strcspn(word + n + 1, ":") : 0;
    const char *target = word + n + 1, *mode = word[n] && target[m] ? target + m + 1 : "";
    if (n >= sizeof source || m >= PATH_MAX)
        return refuse("--bind", word, strerror(ENAMETOOLONG));
    if ((word[n] && target[0] != '/') || (*mode && strcmp(mode, "ro")))
        return refuse("--bind", word, "not source, source:/target or source:/target:ro");
    snprintf(source, sizeof source, "%.*s", (int)n, word);
    struct bind *b = new_bind(r, source);
    if (!b)
        return false;
    if (word[n])
        snprintf(b->target, sizeof b->target, "%.*s", (int)m, target);
    b->read_only = *mode;
    return true;
}

/* The folders that a program of the host takes its libraries from, for those of the root that lack them. */
static bool add_host_libraries(struct request *r, const char *loader)
{
    char own[PATH_MAX];
    snprintf(own, sizeof own, "%s", loader);
    *strrchr(own, '/') = 0;
    const char *const folders[] = {own, "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"};
    for (unsigned i = 0; i < ARRAY_SIZE(folders); i++) {
        char inside[2 * PATH_MAX];
        snprintf(inside, sizeof inside, "%s%s", r->place.root, folders[i]);
        bool known = false;
        for (unsigned j = 0; j < r->place.nbinds; j++)
            known = known || !strcmp(r->place.bind[j].target, folders[i]);
        if (known || access(folders[i], F_OK) || !access(inside, F_OK))
            continue;
        struct bind *b = new_bind(r, folders[i]);
        if (!b)
            return false;
        strcpy(b->target, folders[i]);
        b->read_only = true;
    }
    return true;
}

/* The caller's translation cache, outside of the root: what is made for one root serves the next. */
static void add_cache(struct request *r)
{
    const char *wanted = getenv("METIC_CODE_CACHE");
    char *folder = wanted ? strdup(wanted) : disk_default_folder();
    struct disk *d = folder && strcmp(folder, "off") ? disk_new(&(struct disk_options){.folder = folder}) : NULL; /* makes it */
    disk_free(d);
    struct bind *b = d && !access(folder, W_OK) ? new_bind(r, folder) : NULL;
    if (b)
        strcpy(b->target, PLACE_CACHE);
    r->cached = b;
    free(folder);
}

/* Where the tool is in the root: an absolute name as it is, others along the usual folders. */
static void tool_path(const struct request *r, const char *tool, size_t n, char out[PATH_MAX])
{
    static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"};
    char inside[2 * PATH_MAX];
    struct stat st;
    snprintf(out, PATH_MAX, "%.*s", (int)n, tool);
    for (unsigned i = 0; tool[0] != '/' && i < ARRAY_SIZE(folders); i++) {
        snprintf(out, PATH_MAX, "%s/%.*s", folders[i], (int)n, tool);
        snprintf(inside, sizeof inside, "%s%s", r->place.root, out);
        if (!lstat(inside, &st))
            return;
    }
    if (tool[0] != '/')
        snprintf(out, PATH_MAX, "/usr/bin/%.*s", (int)n, tool);
}

static bool add_native(struct request *r, const char *word)
{
    static struct program_file f; /* its plan is large */
    const char *equals = strchr(word, '=');
    char interp[PLAN_MAX_INTERP];
    if (!equals || equals == word || equals - word >= NAME_MAX)
        return refuse("--native", word, "not tool=path");
    struct bind *b = new_bind(r, equals + 1);
    if (!b)
        return false;
    tool_path(r, word, (size_t)(equals - word), b->target);
    b->read_only = true;
    int e = program_open(&f, b->source);
    if (e)
        return refuse("--native", b->source, strerror(-e));
    bool ok = !elf_plan(f.bytes, f.size, 4096, UINT64_C(1) << 47, &f.plan) && f.plan.machine == EM_X86_64;
    strcpy(interp, f.plan.interp);
    program_close(&f);
    if (!ok)
        return refuse("--native", b->source, "no program of this machine");
    return !strchr(interp, '/') || add_host_libraries(r, interp);
}

static bool set_user(struct request *r, const char *word)
{
    char *end;
    unsigned long uid = strtoul(word, &end, 10), gid = uid;
    if (end != word && *end == ':')
        gid = strtoul(end + 1, &end, 10);
    if (end == word || *end || uid > UINT32_MAX || gid > UINT32_MAX)
        return refuse("--user", word, "not numbers, uid or uid:gid");
    r->uid = (uid_t)uid;
    r->gid = (gid_t)gid;
    return true;
}

static bool apply(struct request *r, enum option option, const char *value)
{
    switch (option) {
    case OPT_ROOT: return true; /* was read first */
    case OPT_ARCH:
        r->arch = command_arch(value);
        return r->arch || refuse("--arch", value, "there is no such guest");
    case OPT_BIND: return add_bind(r, value);
    case OPT_ENV: return add_env(r, value);
    case OPT_CHDIR: r->folder = value; return true;
    case OPT_USER: return set_user(r, value);
    case OPT_NATIVE: return add_native(r, value);
    case OPT_HOST_PIDS: r->place.host_pids = true; return true;
    case OPT_HELP:
    case OPTION_COUNT: break;
    }
    return false;
}

/* Twice over the words: what other options mean depends on the root. */
static int read_words(struct request *r, char **argv)
{
    static char root[PATH_MAX];
    struct option_reader o;
    int option;
    for (int pass = 0; pass < 2; pass++) {
        o = (struct option_reader){.rows = rows, .nrows = OPTION_COUNT, .argv = argv, .at = 1};
        while ((option = option_next(&o)) >= 0) {
            if (option == OPT_HELP) {
                command_print_help(&command_run);
                return COMMAND_OK;
            }
            if (!pass && option == OPT_ROOT) {
                if (!realpath(o.value, root)) {
                    refuse("--root", o.value, strerror(errno));
                    return COMMAND_USAGE;
                }
                r->place.root = root;
            }
            if (pass && !apply(r, (enum option)option, o.value))
                return COMMAND_USAGE;
        }
        if (option == OPTION_BAD)
            return COMMAND_USAGE;
        if (!r->place.root || !argv[o.at]) {
            report_error("run: %s (metic run -help tells more)",
                         r->place.root ? "no command given" : "name a folder with --root");
            return COMMAND_USAGE;
        }
    }
    r->command = argv + o.at;
    return -1;
}

/* --- the command --- */

/* The command's file, found along PATH in the new root. */
static bool find_command(const char *name, char out[PATH_MAX])
{
    if (strchr(name, '/')) {
        snprintf(out, PATH_MAX, "%s", name);
        return !access(out, F_OK);
    }
    for (const char *p = getenv("PATH"); p && *p;) {
        size_t n = strcspn(p, ":");
        snprintf(out, PATH_MAX, "%.*s/%s", (int)n, p, name);
        if (!access(out, X_OK))
            return true;
        p += n + (p[n] == ':');
    }
    return false;
}

/* Is the file a program of the host itself? */
static bool is_native(const char *path)
{
    uint8_t head[SCRIPT_HEAD], elf_class, elf_data;
    uint16_t machine;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head);
    if (fd >= 0)
        close(fd);
    return n > 0 && elf_identify(head, (size_t)n, &elf_class, &elf_data, &machine) && machine == EM_X86_64;
}

/* Becomes the command: metic with it, or itself if it is the host's. Answers the exit code on failure. */
static int start(const struct request *r)
{
    char path[PATH_MAX], called[64] = "metic";
    size_t n = 0;
    clearenv();
    for (unsigned i = 0; i < r->nenv; i++)
        putenv(r->env[i]);
    if (chdir(r->folder) || !find_command(r->command[0], path)) {
        report_error("run: %s: %s", strchr(r->folder, '/') && errno != ENOENT ? r->folder : r->command[0],
                     strerror(errno));
        return EXIT_NOT_FOUND;
    }
    if ((r->uid || r->gid) &&
        (setgroups(0, NULL) || setresgid(r->gid, r->gid, r->gid) || setresuid(r->uid, r->uid, r->uid))) {
        report_error("run: can't become user %u: %s (a range in /etc/subuid is needed)", (unsigned)r->uid,
                     strerror(errno));
        return EXIT_CANNOT_RUN;
    }
    if (is_native(path)) {
        execv(path, r->command);
    } else {
        while (r->command[n])
            n++;
        const char **argv = calloc(n + 7, sizeof *argv);
        CHECK(argv);
        if (r->arch)
            snprintf(called, sizeof called, "metic-%s", r->arch->name);
        const char *const front[] = {called, "-code-cache", r->cached ? PLACE_CACHE : "off", "-0", r->command[0],
                                     "--",   path};
        memcpy(argv, front, sizeof front);
        memcpy(argv + ARRAY_SIZE(front), r->command + 1, n * sizeof *argv);
        execv(PLACE_METIC, (char *const *)argv);
    }
    report_error("run: %s: %s", path, strerror(errno));
    return EXIT_CANNOT_RUN;
}

/* The first process of the new namespaces: its exit status says nothing, the command's wait status goes to `out`. */
static void init(struct request *r, int out, const sigset_t *before)
{
    int status = COMMAND_FAILED << 8;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (place_enter(&r->place)) {
        pid_t child = fork();
        if (!child) {
            sigprocmask(SIG_SETMASK, before, NULL);
            _exit(start(r));
        }
        if (child > 0)
            status = place_wait(child);
    }
    place_leave(&r->place);
    _exit(write(out, &status, sizeof status) == sizeof status ? 0 : 1);
}

static int run(int argc, char **argv)
{
    struct request *r = calloc(1, sizeof *r); /* as long as the process */
    static char *const defaults[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                                     "USER=root"};
    int result[2], status = COMMAND_FAILED << 8;
    sigset_t all, before;
    (void)argc;
    if (!r) {
        report_error("run: not enough memory");
        return COMMAND_FAILED;
    }
    r->folder = "/";
    for (unsigned i = 0; i < ARRAY_SIZE(defaults); i++)
        set_env(r, defaults[i]);
    add_env(r, "TERM");
    int code = read_words(r, argv);
    if (code >= 0)
        return code;
    if (access("/proc/self/exe", F_OK) || pipe2(result, O_CLOEXEC)) {
        report_error("run: /proc is needed: mount -t proc proc /proc");
        return COMMAND_FAILED;
    }
    add_cache(r);
    if (!place_unshare(&r->place))
        return COMMAND_FAILED;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (!child)
        init(r, result[1], &before);
    close(result[1]);
    if (child > 0)
        place_wait(child);
    if (child < 0 || read(result[0], &status, sizeof status) != sizeof status)
        return COMMAND_FAILED;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    /* As the command died, without a second core dump. */
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(status), SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

const struct command command_run = {
    .name = "run",
    .synopsis = "--root folder [option...] [--] command [argument...]",
    .words = "",
    .summary = "Runs a command inside a root of another architecture, with no privileges and no registration.",
    .description =
        "The command sees the folder as /, with /proc, /dev and /sys, in mount and pid namespaces of its own; it shares the network. "
        "Called by root, ids stay as they are. Called by others, the command is root in a user namespace; further ids are there "
        "if newuidmap(1) is installed and /etc/subuid and /etc/subgid have a range for the caller, which package managers need. "
        "All programs that the command starts run under metic, or natively if they are the host's.\n"
        "--native puts a program of the host in the place of one of the root's, with the host's libraries where the root has none of "
        "that architecture. Programs that the native one starts must be native, too. Set-user-ID programs get no other rights.\n"
        "The exit status is the command's; 126 and 127 as in metic itself.",
    .options = rows,
    .noptions = OPTION_COUNT,
    .run = run,
};
