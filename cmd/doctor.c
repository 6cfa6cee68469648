/* `metic doctor`: what on this machine keeps foreign programs from running, and the cure. proc(5), sysfs, prctl(2). */
#include "cmd/doctor.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "binfmt/register.h"
#include "cmd/command.h"
#include "exec/disk.h"
#include "exec/target.h"
#include "tcg/host.h"

#define OPTIONS(X) X(JSON, "--json", NULL, "findings as JSON: an array of objects with check, level, message, fix")

enum option {
    OPTIONS(OPTION_NUMBER)
    OPT_HELP,
    OPTION_COUNT,
};

static const struct option_row rows[] = {
    OPTIONS(OPTION_ROW)
    HELP_ROW,
};

/* --- findings --- */

static const char *const levels[] = {"ok", "note", "problem"};

static void print_json(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        if ((unsigned char)*s < ' ')
            printf("\\u%04x", *s);
        else
            putchar(*s);
    }
    putchar('"');
}

void finding(struct doctor *d, enum finding_level level, const char *check, const char *fix, const char *fmt, ...)
{
    char message[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    d->nbad += level == FINDING_BAD;
    if (!d->json) {
        printf("%-8s%s%s%s\n", levels[level], message, *fix ? "\n        -> " : "", fix);
    } else {
        const char *const member[] = {"check", "level", "message", "fix"}, *const value[] = {check, levels[level],
                                                                                             message, fix};
        printf("%s", d->nfindings ? ",\n" : "[\n");
        for (unsigned i = 0; i < ARRAY_SIZE(member); i++) {
            printf("%s\"%s\": ", i ? ", " : " {", member[i]);
            print_json(value[i]);
        }
        printf("}");
    }
    d->nfindings++;
}

/* --- the machine --- */

/* A number in a file of /proc; `none` if there is no such file. */
static long long number_in(const char *path, long long none)
{
    FILE *f = fopen(path, "re");
    long long v;
    if (!f || fscanf(f, "%lld", &v) != 1)
        v = none;
    if (f)
        fclose(f);
    return v;
}

/* The rest of the file's first line that begins with the words; false: there is none. */
static bool line_in(const char *path, const char *words, char *rest, size_t size)
{
    FILE *f = fopen(path, "re");
    char line[512];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        found = !strncmp(line, words, strlen(words));
    }
    if (f)
        fclose(f);
    if (found)
        snprintf(rest, size, "%s", line + strlen(words));
    return found;
}

static void check_proc(struct doctor *d)
{
    if (access("/proc/self/exe", F_OK))
        finding(d, FINDING_BAD, "proc", "mount -t proc proc /proc",
                "/proc is not mounted: programs can't start others, unless they are registered with the kernel");
    else
        finding(d, FINDING_GOOD, "proc", "", "/proc is mounted");
}

static bool check_binfmt_file_system(struct doctor *d)
{
    char rest[64];
    if (!binfmt_mounted(BINFMT_FOLDER) && !line_in("/proc/filesystems", "nodev\tbinfmt_misc", rest, sizeof rest)) {
        finding(d, FINDING_NOTE, "binfmt-kernel",
                "modprobe binfmt_misc, or a kernel with CONFIG_BINFMT_MISC; `metic run` works without",
                "the kernel has no binfmt_misc now: it does not start programs of other processors itself");
        return false;
    }
    finding(d, FINDING_GOOD, "binfmt-kernel", "", "the kernel has binfmt_misc");
    if (!binfmt_mounted(BINFMT_FOLDER)) {
        finding(d, FINDING_NOTE, "binfmt-mounted", "metic binfmt install",
                "binfmt_misc is not mounted here: what is registered can't be seen, but works");
        return false;
    }
    if (line_in(BINFMT_FOLDER "/status", "disabled", rest, sizeof rest))
        finding(d, FINDING_BAD, "binfmt-enabled", "echo 1 > " BINFMT_FOLDER "/status",
                "binfmt_misc is switched off altogether");
    return true;
}

static void check_entry(struct doctor *d, const struct target *t, const struct binfmt_entry *e)
{
    if (!e) {
        finding(d, FINDING_NOTE, "registered", "metic binfmt install", "%s programs are not registered with the kernel",
                t->name);
        return;
    }
    if (!binfmt_is_metic(e)) {
        finding(d, FINDING_NOTE, "registered", "metic binfmt install --takeover",
                "%s programs are run by %s (entry %s), not by metic", t->name, e->interpreter, e->name);
        return;
    }
    finding(d, FINDING_GOOD, "registered", "", "%s programs are run by %s (entry %s, flags %s)", t->name,
            e->interpreter, e->name, e->flags);
    if (!strchr(e->flags, 'F'))
        finding(d, FINDING_BAD, "flag-f", "metic binfmt install",
                "entry %s has no flag F: metic is missing in every chroot and container", e->name);
    if (!strchr(e->flags, 'P'))
        finding(d, FINDING_NOTE, "flag-p", "metic binfmt install (with Linux 5.12 or newer)",
                "entry %s has no flag P: programs do not see the argv[0] that they were given", e->name);
    if (!strchr(e->flags, 'C'))
        finding(d, FINDING_NOTE, "flag-c",
                "metic binfmt install --credentials, if you trust the programs in those roots",
                "entry %s has no flag C: sudo, su and ping of a foreign root do not get their rights", e->name);
    if (binfmt_is_stale(e))
        finding(d, FINDING_NOTE, "registered-file", "metic binfmt install",
                "entry %s runs the metic from before the last update", e->name);
}

static void check_binfmt(struct doctor *d)
{
    struct binfmt_table *table = calloc(1, sizeof *table);
    CHECK(table);
    if (check_binfmt_file_system(d) && !binfmt_list(BINFMT_FOLDER, table))
        for (const struct target *const *t = targets; *t; t++)
            check_entry(d, *t, binfmt_in_charge(table, *t));
    free(table);
}

static void check_page_size(struct doctor *d)
{
    long page = sysconf(_SC_PAGESIZE);
    for (const struct target *const *t = targets; *t; t++)
        if ((uint32_t)page != (*t)->page_size)
            finding(d, FINDING_BAD, "page-size", "a host kernel with pages of that size",
                    "pages of this machine have %ld bytes, those of %s %u", page, (*t)->name, (*t)->page_size);
}

static void check_memory(struct doctor *d)
{
    struct rlimit limit;
    if (number_in("/proc/sys/vm/mmap_min_addr", 0) > 0x10000)
        finding(d, FINDING_NOTE, "mmap-min-addr", "sysctl vm.mmap_min_addr=65536",
                "programs linked to addresses below vm.mmap_min_addr=%lld can't be loaded", number_in("/proc/sys/vm/mmap_min_addr", 0));
    if (number_in("/proc/sys/vm/overcommit_memory", 0) == 2)
        finding(d, FINDING_BAD, "overcommit", "sysctl vm.overcommit_memory=0",
                "vm.overcommit_memory=2: programs that reserve address space, like Go's, Java's and sanitized ones, fail");
    if (number_in("/proc/sys/vm/max_map_count", 65530) < 65530)
        finding(d, FINDING_NOTE, "max-map-count", "sysctl vm.max_map_count=65530",
                "vm.max_map_count is lower than usual: large programs may fail");
    if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY)
        finding(d, FINDING_NOTE, "limit-as", "ulimit -v unlimited",
                "address space is limited to %llu MiB, for the program alone",
                (unsigned long long)limit.rlim_cur >> 20);
}

/* Code is made as exec/code.c does: a memory file mapped twice. */
static bool can_execute(int *error)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    int fd = memfd_create("metic-doctor", MFD_CLOEXEC);
    void *p = MAP_FAILED;
    if (fd >= 0 && !ftruncate(fd, (off_t)size))
        p = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    *error = errno;
    if (p != MAP_FAILED)
        munmap(p, size);
    if (fd >= 0)
        close(fd);
    return p != MAP_FAILED;
}

static void check_code(struct doctor *d)
{
    int error;
    const struct tcg_host *host = tcg_host_native();
    if (!host) {
        finding(d, FINDING_NOTE, "engine", "",
                "no code is generated for this processor: programs are interpreted, many times slower");
        return;
    }
    bool enforcing = number_in("/sys/fs/selinux/enforce", 0) == 1;
    if (can_execute(&error))
        finding(d, FINDING_GOOD, "executable-memory", "", "code can be generated for %s", host->name);
    else
        finding(d, FINDING_BAD, "executable-memory",
                enforcing ? "setsebool -P deny_execmem 0, or run the programs with --interp"
                          : "lift the limit of the service or container (MemoryDenyWriteExecute=, a noexec memfd "
                            "sysctl vm.memfd_noexec), or run the programs with --interp",
                "code can't be generated: %s%s", strerror(error), enforcing ? " (SELinux is enforcing)" : "");
}

/* Calls that metic itself needs and that a narrow filter refuses. */
static void check_seccomp(struct doctor *d)
{
    char mode[16] = "0";
    if (!line_in("/proc/self/status", "Seccomp:\t", mode, sizeof mode) || mode[0] == '0')
        return;
    bool personality = syscall(SYS_personality, 0xffffffff) >= 0;
    finding(d, personality ? FINDING_NOTE : FINDING_BAD, "seccomp",
            personality ? "" : "a wider filter: docker run --security-opt seccomp=unconfined",
            "a seccomp filter is in force: what it refuses, foreign programs can't do either%s",
            personality ? "" : "; it refuses personality");
}

static void check_namespaces(struct doctor *d)
{
    static const struct {
        const char *path;
        long long none, wrong;
        const char *fix;
    } settings[] = {
        {"/proc/sys/user/max_user_namespaces", 1, 0, "sysctl user.max_user_namespaces=15000"},
        {"/proc/sys/kernel/unprivileged_userns_clone", 1, 0, "sysctl kernel.unprivileged_userns_clone=1"},
        {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0, 1, "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
    };
    bool allowed = true;
    for (unsigned i = 0; i < ARRAY_SIZE(settings); i++)
        if (number_in(settings[i].path, settings[i].none) == settings[i].wrong) {
            finding(d, FINDING_NOTE, "user-namespaces", settings[i].fix,
                    "users may not make namespaces: `metic run` is for root alone");
            allowed = false;
        }
    if (access("/proc/self/ns/user", F_OK))
        finding(d, FINDING_NOTE, "user-namespaces", "a kernel with CONFIG_USER_NS",
                "the kernel has no user namespaces: `metic run` is for root alone");
    else if (allowed)
        finding(d, FINDING_GOOD, "user-namespaces", "", "users may make namespaces");
    if (access("/usr/bin/newuidmap", X_OK))
        finding(d, FINDING_NOTE, "newuidmap", "install uidmap and give the user a range in /etc/subuid and /etc/subgid",
                "newuidmap is missing: in `metic run` a user has one id alone, which is not enough for apt and dpkg");
}

static void check_cache(struct doctor *d)
{
    if (!tcg_host_native())
        return;
    const char *wanted = getenv("METIC_CODE_CACHE");
    char *folder = wanted ? strdup(wanted) : disk_default_folder();
    if (wanted && !strcmp(wanted, "off")) {
        finding(d, FINDING_NOTE, "cache", "unset METIC_CODE_CACHE",
                "translations are not kept: METIC_CODE_CACHE is off");
    } else {
        struct disk *disk = disk_new(&(struct disk_options){.folder = folder});
        if (disk)
            finding(d, FINDING_GOOD, "cache", "", "translations are kept in %s", folder ? folder : DISK_SYSTEM_FOLDER);
        else
            finding(d, FINDING_NOTE, "cache",
                    "name a folder of your own that nobody else may write with METIC_CODE_CACHE",
                    "translations are not kept: %s can't be used, and every program is translated again",
                    folder ? folder : "a home folder");
        disk_free(disk);
    }
    free(folder);
}

static void (*const checks[])(struct doctor *d) = {
    check_proc, check_binfmt, check_page_size, check_memory, check_code, check_seccomp, check_namespaces, check_cache,
};

static int run(int argc, char **argv)
{
    struct option_reader o = {.rows = rows, .nrows = OPTION_COUNT, .argv = argv, .at = 1};
    struct doctor d = {0};
    int option;
    (void)argc;
    while ((option = option_next(&o)) >= 0) {
        if (option == OPT_HELP) {
            command_print_help(&command_doctor);
            return COMMAND_OK;
        }
        d.json = true;
    }
    if (option == OPTION_BAD)
        return COMMAND_USAGE;
    for (unsigned i = 0; i < ARRAY_SIZE(checks); i++)
        checks[i](&d);
    for (char **path = argv + o.at; *path; path++)
        examine_path(&d, *path);
    if (d.json)
        printf("%s]\n", d.nfindings ? "\n" : "[");
    return d.nbad ? COMMAND_FAILED : COMMAND_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .synopsis = "[--json] [root|program...]",
    .words = "",
    .summary = "Says what on this machine keeps programs of other processors from running, and the cure.",
    .description =
        "Looks at the kernel's support and registrations, limits on memory, executable memory and namespaces; of a folder that is to be a "
        "root, at its mount and its shell; of a program, at its loader and all libraries. Each finding is ok, a note (something will not "
        "work that you may not need) or a problem, with what to do about it. The exit status is 1 if there is a problem.",
    .options = rows,
    .noptions = OPTION_COUNT,
    .run = run,
};
