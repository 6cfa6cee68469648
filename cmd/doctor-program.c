/* `metic doctor`: a program or a root. Libraries are looked for as ld.so(8) does, without its cache. */
#include "cmd/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "binfmt/needed.h"
#include "binfmt/plan.h"
#include "exec/target.h"
#include "linux-user/load.h"
#include "linux-user/sysroot.h"

enum { MAX_LIBRARIES = 512 };

/* The program's libraries so far, so that each is looked at once. */
struct search {
    struct doctor *d;
    const struct linux_abi *abi;
    const char *root; /* NULL: / */
    unsigned n, missing;
    char *seen[MAX_LIBRARIES];
};

static void check_mount(struct doctor *d, const char *path, mode_t mode)
{
    struct statvfs st;
    if (statvfs(path, &st))
        return;
    if (st.f_flag & ST_NOEXEC)
        finding(d, FINDING_BAD, "noexec", "mount -o remount,exec",
                "%s is on a file system mounted noexec: nothing on it can be executed", path);
    if (st.f_flag & ST_NOSUID && (S_ISDIR(mode) || mode & (S_ISUID | S_ISGID)))
        finding(d, S_ISDIR(mode) ? FINDING_NOTE : FINDING_BAD, "nosuid", "mount -o remount,suid",
                "%s is on a file system mounted nosuid: sudo and su get no rights", path);
}

static bool find_library(const struct search *s, const char *name, const char *runpath, const char *origin,
                         char out[PATH_MAX])
{
    char folders[2 * PATH_MAX], path[2 * PATH_MAX], inside[PATH_MAX];
    if (strchr(name, '/')) {
        snprintf(out, PATH_MAX, "%s", sysroot_choose(s->root, name, inside));
        return !access(out, F_OK);
    }
    snprintf(folders, sizeof folders,
             "%s:/usr/local/lib/%s:/usr/local/lib:/lib/%s:/usr/lib/%s:/lib:/usr/lib:/lib64:/usr/lib64", runpath,
             s->abi->triple, s->abi->triple, s->abi->triple);
    for (const char *p = folders; *p;) {
        size_t n = strcspn(p, ":");
        bool from_origin = n >= 7 && !strncmp(p, "$ORIGIN", 7);
        snprintf(path, sizeof path, "%s%.*s/%s", from_origin ? origin : "", (int)(from_origin ? n - 7 : n),
                 from_origin ? p + 7 : p, name);
        p += n + (p[n] == ':');
        if (!n || strlen(path) >= PATH_MAX)
            continue;
        snprintf(out, PATH_MAX, "%s", from_origin ? path : sysroot_choose(s->root, path, inside));
        if (!access(out, F_OK))
            return true;
    }
    return false;
}

static bool add_seen(struct search *s, const char *name)
{
    for (unsigned i = 0; i < s->n; i++)
        if (!strcmp(s->seen[i], name))
            return false;
    if (s->n == MAX_LIBRARIES)
        return false;
    s->seen[s->n] = strdup(name);
    CHECK(s->seen[s->n++]);
    return true;
}

/* What the file asks for, and what that asks for. */
static void find_libraries(struct search *s, const char *path, const struct program_file *f)
{
    struct elf_needed *needed = malloc(sizeof *needed);
    struct program_file *library = malloc(sizeof *library);
    char origin[PATH_MAX], found[PATH_MAX];
    CHECK(needed && library);
    snprintf(origin, sizeof origin, "%s", path);
    char *slash = strrchr(origin, '/');
    if (slash)
        *slash = 0;
    if (!elf_needed(f->bytes, f->size, needed))
        finding(s->d, FINDING_BAD, "dynamic", "a file that is not damaged",
                "%s: its list of libraries leads out of the file", path);
    for (unsigned i = 0; i < needed->n; i++) {
        if (!add_seen(s, needed->name[i]))
            continue;
        if (!find_library(s, needed->name[i], needed->runpath, slash ? origin : ".", found)) {
            finding(s->d, FINDING_BAD, "library",
                    "install the package of that architecture, or name the folder that has it with -L",
                    "%s needs %s, which is not there", path, needed->name[i]);
            s->missing++;
        } else if (!program_open(library, found)) {
            const char *why = program_plan(s->abi, library);
            if (why)
                finding(s->d, FINDING_BAD, "library", "a file for this architecture", "%s: %s", found, why);
            else
                find_libraries(s, found, library);
            program_close(library);
        }
    }
    free(needed);
    free(library);
}

static void examine_elf(struct doctor *d, const char *path, struct program_file *f, const char *wanted_root)
{
    uint8_t elf_class, elf_data;
    uint16_t machine;
    char root[PATH_MAX], buf[PATH_MAX];
    const struct target *t = NULL;
    if (elf_identify(f->bytes, f->size, &elf_class, &elf_data, &machine))
        t = target_by_elf(machine, elf_class, elf_data);
    const struct linux_abi *abi = t ? linux_abi_of(t) : NULL;
    if (!abi) {
        finding(d, FINDING_BAD, "guest", "one of the guests that `metic binfmt status` lists",
                "%s is no program of a guest that metic has", path);
        return;
    }
    const char *why = program_plan(abi, f);
    if (why) {
        finding(d, FINDING_BAD, "program", "a file that is not damaged, for Linux", "%s: %s", path, why);
        return;
    }
    struct search s = {.d = d, .abi = abi};
    const char *loader = program_loader(abi, f, wanted_root, &s.root, root, buf);
    if (!*loader) {
        finding(d, FINDING_GOOD, "program", "", "%s is a static program for %s", path, t->name);
        return;
    }
    if (access(loader, F_OK)) {
        char fix[256];
        snprintf(fix, sizeof fix, "name the folder of the %s libraries with -L, or install libc6-%s-cross", t->name,
                 abi->debian);
        finding(d, FINDING_BAD, "loader", fix, "%s needs its loader %s, which is not there", path, f->plan.interp);
        return;
    }
    find_libraries(&s, path, f);
    if (!s.missing)
        finding(d, FINDING_GOOD, "program", "", "%s is a program for %s; its loader is %s, its %u libraries are there",
                path, t->name, loader, s.n);
    while (s.n)
        free(s.seen[--s.n]);
}

static void examine_program(struct doctor *d, const char *path, const char *root)
{
    struct program_file *f = malloc(sizeof *f);
    struct script_plan script;
    struct stat st;
    CHECK(f);
    int e = program_open(f, path);
    if (e) {
        finding(d, FINDING_BAD, "program", "the name of a file or folder that may be read", "%s: %s", path,
                strerror(-e));
    } else if (!stat(path, &st)) {
        check_mount(d, path, st.st_mode);
        if (access(path, X_OK))
            finding(d, FINDING_BAD, "mode", "chmod +x", "%s may not be executed", path);
        if (script_plan(f->bytes, f->size, &script) == SCRIPT_YES) {
            char inside[PATH_MAX];
            finding(d, FINDING_GOOD, "script", "", "%s is a script for %s", path, script.interp);
            examine_program(d, sysroot_choose(root, script.interp, inside), root);
        } else {
            examine_elf(d, path, f, root);
        }
        program_close(f);
    }
    free(f);
}

static void examine_root(struct doctor *d, const char *root, mode_t mode)
{
    static const char *const shells[] = {"/bin/sh", "/bin/bash", "/usr/bin/env", "/sbin/init"};
    char absolute[PATH_MAX], path[PATH_MAX];
    if (!realpath(root, absolute))
        return;
    check_mount(d, absolute, mode);
    for (unsigned i = 0; i < ARRAY_SIZE(shells); i++) {
        if (!sysroot_join(absolute, shells[i], LAST_FOLLOWED, path) || access(path, F_OK))
            continue;
        examine_program(d, path, absolute);
        return;
    }
    finding(d, FINDING_NOTE, "root", "", "%s has no shell: it may be the root of a single program", root);
}

void examine_path(struct doctor *d, const char *path)
{
    struct stat st;
    if (stat(path, &st))
        finding(d, FINDING_BAD, "program", "the name of a file or folder that may be read", "%s: %s", path,
                strerror(errno));
    else if (S_ISDIR(st.st_mode))
        examine_root(d, path, st.st_mode);
    else
        examine_program(d, path, getenv("METIC_SYSROOT") ? getenv("METIC_SYSROOT") : getenv("QEMU_LD_PREFIX"));
}
