/* `metic cache`: what the folders of translations hold, making them smaller, and filling one ahead. */
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "cmd/command.h"
#include "exec/disk.h"
#include "linux-user/warm.h"

/* X(NAME, word, argument, environment, help) */
#define OPTIONS(X)                                                                                                        \
    X(FOLDER, "-code-cache", "folder", "METIC_CODE_CACHE", "the user's folder, if it is not ~/.cache/metic/code")         \
    X(SIZE, "-code-cache-size", "size", "METIC_CODE_CACHE_SIZE", "prune: what may be left in bytes, or with K, M, G")     \
    X(SYSTEM, "--system", NULL, NULL, "warm: fill the folder so that it serves all users, also in copies of the files; "  \
                                      "/var/cache/metic if none is named")                                                \
    X(VERBOSE, "--verbose", NULL, NULL, "warm: a line for each file")

enum option {
    OPTIONS(OPTION_NUMBER)
    OPT_HELP,
    OPTION_COUNT,
};

static const struct option_row rows[] = {
#define X(NAME, word, argument, environment, help) {word, argument, environment, help},
    OPTIONS(X)
#undef X
        HELP_ROW,
};

enum { MAX_OPEN_FOLDERS = 32 };
static const uint64_t max_size = UINT64_C(1) << 40;

/* What nftw()'s callback, which gets no argument, needs to know. */
static struct {
    const struct disk *disk;
    bool verbose;
    uint64_t files, units;
} warming;

/* In a child: it maps the program where it will be, and what it makes of it is not needed afterwards. */
static uint64_t warm_apart(const char *path)
{
    int result[2];
    uint64_t units = 0;
    if (pipe(result))
        return 0;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        units = warm_file(warming.disk, path);
        _exit(write(result[1], &units, sizeof units) != sizeof units);
    }
    close(result[1]);
    if (child < 0 || read(result[0], &units, sizeof units) != sizeof units)
        units = 0;
    close(result[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return units;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)where;
    if (type != FTW_F || !S_ISREG(st->st_mode) || (!(st->st_mode & 0111) && !strstr(path, ".so")))
        return 0;
    uint64_t units = warm_apart(path);
    warming.files += units != 0;
    warming.units += units;
    if (warming.verbose && units)
        printf("%s: %llu units\n", path, (unsigned long long)units);
    return 0;
}

static int warm(const struct disk *d, char **roots, bool verbose)
{
    warming.disk = d;
    warming.verbose = verbose;
    for (; *roots; roots++) {
        char root[PATH_MAX];
        if (!realpath(*roots, root) || nftw(root, visit, MAX_OPEN_FOLDERS, FTW_PHYS | FTW_MOUNT)) {
            report_error("cache warm: %s: can't be read", *roots);
            return COMMAND_FAILED;
        }
    }
    printf("translated %llu files, %llu units\n", (unsigned long long)warming.files, (unsigned long long)warming.units);
    return COMMAND_OK;
}

struct request {
    const char *folder, *size; /* NULL: not said */
    bool for_others, verbose, help;
};

/* Options from where the reader is; false: a mistake, reported. */
static bool read_options(struct option_reader *o, struct request *r)
{
    int option;
    while ((option = option_next(o)) >= 0)
        switch ((enum option)option) {
        case OPT_FOLDER: r->folder = o->value; break;
        case OPT_SIZE: r->size = o->value; break;
        case OPT_SYSTEM: r->for_others = true; break;
        case OPT_VERBOSE: r->verbose = true; break;
        case OPT_HELP:
        case OPTION_COUNT: r->help = true; break;
        }
    return option != OPTION_BAD;
}

static int run(int argc, char **argv)
{
    struct option_reader o = {.rows = rows, .nrows = OPTION_COUNT, .argv = argv, .at = 1};
    struct request r = {.folder = getenv("METIC_CODE_CACHE"), .size = getenv("METIC_CODE_CACHE_SIZE")};
    (void)argc;
    if (!read_options(&o, &r))
        return COMMAND_USAGE;
    const char *what = argv[o.at];
    o.at += what != NULL;
    if (what && !read_options(&o, &r))
        return COMMAND_USAGE;
    if (r.help) {
        command_print_help(&command_cache);
        return COMMAND_OK;
    }
    if (!what || (strcmp(what, "status") && strcmp(what, "prune") && (strcmp(what, "warm") || !argv[o.at]))) {
        report_error("cache: say status, prune or warm and what to translate (metic cache -help tells more)");
        return COMMAND_USAGE;
    }
    struct disk_options d = {.for_others = r.for_others};
    if (r.size && *r.size && !option_read_size(r.size, max_size, &d.max_bytes)) {
        report_error("cache: %s: not a size up to 1024G", r.size);
        return COMMAND_USAGE;
    }
    d.folder = r.folder && *r.folder ? r.folder : d.for_others ? DISK_SYSTEM_FOLDER : NULL;
    if (d.for_others)
        d.system = ""; /* its own secret counts */
    struct disk *disk = d.folder && !strcmp(d.folder, "off") ? NULL : disk_new(&d);
    if (!disk) {
        report_error(
            "cache: no folder that is safe to use: name one of yours that others can't write with -code-cache");
        return COMMAND_FAILED;
    }
    int code = COMMAND_OK;
    if (!strcmp(what, "warm"))
        code = warm(disk, argv + o.at, r.verbose);
    else if (!strcmp(what, "status"))
        disk_status(disk, stdout);
    else if (!disk_prune(disk, stdout))
        code = COMMAND_FAILED;
    disk_free(disk);
    return code;
}

const struct command command_cache = {
    .name = "cache",
    .synopsis = "status|prune|warm [option...] [root|program...]",
    .summary = "Shows, shrinks or fills the cache of translations.",
    .description =
        "Translations of program files are kept in a folder of the user's, bounded, and found again by later processes. status says how much "
        "there is; prune removes what was not used for longest until the size (512M) is kept; warm translates programs and libraries below "
        "the folders or files that are named, without running anything. With --system the folder can be shipped in an image: owned by root, "
        "writable by nobody else, as /var/cache/metic.",
    .options = rows,
    .noptions = OPTION_COUNT,
    .run = run,
};
