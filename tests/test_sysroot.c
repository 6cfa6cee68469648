/* Paths inside a sysroot, the vDSO's image, and copies from guest memory that fault. */
#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "exec/exec.h"
#include "linux-user/aarch64/vdso.h"
#include "linux-user/riscv64/vdso.h"
#include "linux-user/sysroot.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/vdso.h"

/* Nothing is executed here. */
void exec_invalidate(struct exec *x, uint64_t start, uint64_t end)
{
}

/* --- sysroot --- */

static char root[] = "/tmp/metic-sysroot-XXXXXX";

static void make(const char *path, const char *link)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", root, path);
    if (link)
        cr_assert_eq(symlink(link, full), 0);
    else if (full[strlen(full) - 1] == '/')
        cr_assert_eq(mkdir(full, 0755), 0);
    else
        fclose(fopen(full, "w"));
}

static void make_tree(void)
{
    cr_assert(mkdtemp(root));
    make("/usr/", NULL);
    make("/usr/lib/", NULL);
    make("/usr/lib/ld.so", NULL);
    make("/etc/", NULL);
    make("/etc/alternatives/", NULL);
    make("/etc/alternatives/awk", "/usr/lib/ld.so");
    make("/lib", "usr/lib");
    make("/abs", "/usr/lib");
    make("/up", "../../../../usr");
    make("/loop", "/loop2");
    make("/loop2", "/loop");
    make("/awk", "/etc/alternatives/awk");
    make("/rel", "usr/lib/ld.so");
    make("/dangling", "/nowhere");
    make("/tmp/", NULL);
    make("/tmp/x", NULL);
}

static void remove_tree(void)
{
    char command[PATH_MAX];
    snprintf(command, sizeof command, "rm -rf %s", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(sysroot, .init = make_tree, .fini = remove_tree);

/* expected: path below the root, NULL: not found there. */
static const struct {
    const char *path, *expected;
} lookups[] = {
    {"/usr/lib/ld.so", "/usr/lib/ld.so"},
    {"/lib/ld.so", "/lib/ld.so"},          /* a relative link inside is the kernel's business, or resolved */
    {"/abs/ld.so", "/usr/lib/ld.so"},      /* an absolute one is not the host's */
    {"/awk", "/usr/lib/ld.so"},
    {"/rel", "/rel"},
    {"//usr/./lib//ld.so", "/usr/lib/ld.so"},
    {"/usr/../usr/lib/ld.so", "/usr/lib/ld.so"},
    {"/../../usr/lib/ld.so", "/usr/lib/ld.so"},
    {"/up/lib/ld.so", "/usr/lib/ld.so"},   /* .. stops at the sysroot */
    {"/usr/lib/missing", NULL},
    {"/usr/lib/ld.so/x", NULL},
    {"/loop", NULL},
    {"/dangling", NULL},
    {"/", NULL},
    {"/tmp/x", NULL},                      /* the user's own */
    {"usr/lib/ld.so", NULL},               /* only absolute paths */
};

Test(sysroot, lookups)
{
    struct process p = {.sysroot = root};
    char out[PATH_MAX], expected[PATH_MAX], real_out[PATH_MAX], real_expected[PATH_MAX];
    for (unsigned i = 0; i < ARRAY_SIZE(lookups); i++) {
        bool found = sysroot_lookup(&p, lookups[i].path, LAST_FOLLOWED, out);
        cr_expect_eq(found, lookups[i].expected != NULL, "%s", lookups[i].path);
        if (!found || !lookups[i].expected)
            continue;
        cr_expect(!strncmp(out, root, strlen(root)), "%s -> %s", lookups[i].path, out);
        snprintf(expected, sizeof expected, "%s%s", root, lookups[i].expected);
        cr_assert(realpath(out, real_out) && realpath(expected, real_expected));
        cr_expect_str_eq(real_out, real_expected, "%s", lookups[i].path);
    }
    p.sysroot = NULL;
    cr_expect(!sysroot_lookup(&p, "/usr/lib/ld.so", LAST_FOLLOWED, out));
}

/* A link at the end that is meant itself; a link to nowhere is a file then, too. */
Test(sysroot, links_themselves)
{
    static const char *const links[] = {"/awk", "/etc/alternatives/awk", "/rel", "/dangling", "/loop"};
    struct process p = {.sysroot = root};
    char out[PATH_MAX], expected[PATH_MAX];
    for (unsigned i = 0; i < ARRAY_SIZE(links); i++) {
        snprintf(expected, sizeof expected, "%s%s", root, links[i]);
        cr_expect(sysroot_lookup(&p, links[i], LAST_ITSELF, out) && !strcmp(out, expected), "%s", links[i]);
    }
    /* Behind a slash it is followed all the same. */
    cr_expect(sysroot_lookup(&p, "/abs/", LAST_ITSELF, out));
    snprintf(expected, sizeof expected, "%s/usr/lib", root);
    cr_expect_str_eq(out, expected);
}

Test(sysroot, relative_paths)
{
    struct process p = {.sysroot = root};
    char out[PATH_MAX], usr[PATH_MAX];
    snprintf(usr, sizeof usr, "%s/usr", root);
    int fd = open(usr, O_RDONLY | O_DIRECTORY), host = open("/usr", O_RDONLY | O_DIRECTORY);
    cr_assert(fd >= 0 && host >= 0);
    cr_expect(sysroot_absolute(&p, fd, "lib/../x", out));
    cr_expect_str_eq(out, "/usr/lib/../x", "a folder of the sysroot's is the guest's");
    cr_expect(sysroot_absolute(&p, host, "lib/ld.so", out));
    cr_expect_str_eq(out, "/usr/lib/ld.so");
    cr_assert_eq(chdir("/usr"), 0);
    cr_expect(sysroot_absolute(&p, AT_FDCWD, "lib", out));
    cr_expect_str_eq(out, "/usr/lib");
    cr_assert_eq(chdir(root), 0);
    cr_expect(sysroot_absolute(&p, AT_FDCWD, "awk", out));
    cr_expect_str_eq(out, "/awk");
    char long_name[PATH_MAX];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    cr_expect(!sysroot_absolute(&p, fd, long_name, out));
    cr_expect(!sysroot_absolute(&p, 1000, "x", out));
    p.sysroot = NULL;
    cr_expect(!sysroot_absolute(&p, fd, "x", out));
    close(fd);
    close(host);
}

Test(sysroot, found_without_an_option)
{
    char out[PATH_MAX], own[PATH_MAX];
    snprintf(own, sizeof own, "%s/usr/lib/ld.so", root);
    cr_expect_str_eq(sysroot_find("/given", "x-linux-gnu", "/lib/ld.so", out), "/given");
    cr_expect_null(sysroot_find(NULL, "x-linux-gnu", own, out), "the loader is at its native path");
    cr_expect_null(sysroot_find(NULL, "no-such-triple", "/lib/no-such-loader", out));
    cr_expect_null(sysroot_find(NULL, "x-linux-gnu", NULL, out));
}

Test(sysroot, long_paths)
{
    char path[PATH_MAX + 100], out[PATH_MAX];
    for (size_t n = PATH_MAX - 60; n < sizeof path - 1; n++) {
        memset(path, '/', n);
        memcpy(path + n - 3, "usr", 4);
        bool found = sysroot_join(root, path, LAST_FOLLOWED, out);
        cr_expect_eq(found, n < PATH_MAX);
        memset(path, 'a', n);
        path[0] = '/';
        path[n] = 0;
        cr_expect(!sysroot_join(root, path, LAST_FOLLOWED, out));
    }
}

/* --- the vDSO, read as a dynamic loader does --- */

static const void *dynamic(const uint8_t *image, int64_t tag)
{
    const Elf64_Ehdr *e = (const void *)image;
    const Elf64_Phdr *p = (const void *)(image + e->e_phoff);
    for (unsigned i = 0; i < e->e_phnum; i++) {
        if (p[i].p_type != PT_DYNAMIC)
            continue;
        for (const Elf64_Dyn *d = (const void *)(image + p[i].p_offset); d->d_tag != DT_NULL; d++)
            if (d->d_tag == tag)
                return image + d->d_un.d_ptr;
    }
    return NULL;
}

static uint32_t sysv_hash(const char *name)
{
    uint32_t h = 0, high;
    while (*name) {
        h = (h << 4) + (uint8_t)*name++;
        high = h & 0xf0000000;
        h = (h ^ high >> 24) & ~high;
    }
    return h;
}

/* Through the hash table; NULL: not there. The symbol's version must be the wanted one. */
static const Elf64_Sym *find_symbol(const uint8_t *image, const char *name, const char *version)
{
    const uint32_t *hash = dynamic(image, DT_HASH);
    const Elf64_Sym *symbols = dynamic(image, DT_SYMTAB);
    const char *strings = dynamic(image, DT_STRTAB);
    const Elf64_Half *versions = dynamic(image, DT_VERSYM);
    const uint8_t *defs = dynamic(image, DT_VERDEF);
    for (uint32_t i = hash[2 + sysv_hash(name) % hash[0]]; i; i = hash[2 + hash[0] + i]) {
        if (strcmp(strings + symbols[i].st_name, name))
            continue;
        for (const Elf64_Verdef *d = (const void *)defs;; d = (const void *)((const uint8_t *)d + d->vd_next)) {
            const Elf64_Verdaux *aux = (const void *)((const uint8_t *)d + d->vd_aux);
            if (d->vd_ndx == versions[i])
                return d->vd_hash == sysv_hash(version) && !strcmp(strings + aux->vda_name, version) ? &symbols[i] : NULL;
            if (!d->vd_next)
                return NULL;
        }
    }
    return NULL;
}

Test(vdso, every_symbol_is_found)
{
    static const struct {
        const struct vdso_desc *desc;
        uint16_t machine;
    } vdsos[] = {{&a64_vdso, EM_AARCH64}, {&rv64_vdso, EM_RISCV}};
    _Alignas(16) static uint8_t image[VDSO_BYTES];
    for (unsigned v = 0; v < ARRAY_SIZE(vdsos); v++) {
        const struct vdso_desc *d = vdsos[v].desc;
        uint32_t sigreturn = vdso_build(d, vdsos[v].machine, image);
        cr_expect_eq(((Elf64_Ehdr *)image)->e_machine, vdsos[v].machine);
        cr_expect(!memcmp(image + sigreturn, d->code, 8));
        for (unsigned i = 0; i < d->nsymbols; i++) {
            const Elf64_Sym *s = find_symbol(image, d->symbols[i].name, d->version);
            cr_assert(s, "%s", d->symbols[i].name);
            cr_expect_eq(s->st_size, d->symbols[i].nwords * 4);
            cr_expect_neq(s->st_shndx, SHN_UNDEF);
            cr_assert(s->st_value + s->st_size <= VDSO_BYTES);
            cr_expect(!memcmp(image + s->st_value, d->code + d->symbols[i].word, s->st_size));
        }
        cr_expect_null(find_symbol(image, "no_such_function", d->version));
        cr_expect_null(find_symbol(image, d->symbols[0].name, "LINUX_0.0"));
    }
}

/* --- copies --- */

static void on_fault(int signo, siginfo_t *info, void *context)
{
    if (!uaccess_host_fault(context)) {
        signal(signo, SIG_DFL);
        raise(signo);
    }
}

Test(uaccess, faults_and_limits)
{
    enum { PAGE = 4096 };
    static const struct target target = {.address_bits = 47};
    static const struct linux_abi abi = {.target = &target};
    struct task t = {.abi = &abi};
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &sa, NULL);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), buf[600];
    cr_assert(p != MAP_FAILED && munmap(p + PAGE, PAGE) == 0);
    uint64_t at = (uintptr_t)p, end = at + PAGE;

    memset(p, 'a', PAGE);
    cr_expect_eq(copy_from_guest(&t, buf, at + 1, 500), 0);
    cr_expect(buf[0] == 'a' && buf[499] == 'a');
    cr_expect_eq(copy_from_guest(&t, buf, end - 4, 8), -EFAULT);
    cr_expect_eq(copy_to_guest(&t, end - 4, buf, 8), -EFAULT);
    cr_expect_eq(copy_to_guest(&t, end - 4, buf, 4), 0);
    cr_expect_eq(copy_from_guest(&t, buf, end, 0), 0);
    cr_expect_eq(copy_from_guest(&t, buf, 0, 1), -EFAULT);
    cr_expect_eq(copy_from_guest(&t, buf, UINT64_C(1) << 47, 1), -EFAULT);
    cr_expect_eq(copy_from_guest(&t, buf, ~UINT64_C(0), 8), -EFAULT);
    cr_expect_eq(copy_from_guest(&t, buf, at, ~(size_t)0), -EFAULT);

    cr_expect_eq(strncpy_from_guest(&t, buf, at, sizeof buf), -ENAMETOOLONG);
    cr_expect_eq(strncpy_from_guest(&t, buf, end - 4, sizeof buf), -EFAULT, "no NUL before the end of memory");
    p[PAGE - 1] = 0;
    cr_expect_eq(strncpy_from_guest(&t, buf, end - 4, sizeof buf), 3);
    cr_expect_str_eq(buf, "aaa");
    cr_expect_eq(strncpy_from_guest(&t, buf, end - 4, 4), 3);
    cr_expect_eq(strncpy_from_guest(&t, buf, end - 4, 3), -ENAMETOOLONG);
    cr_expect_eq(strncpy_from_guest(&t, buf, end - 300, sizeof buf), 299);
    cr_expect_eq(strncpy_from_guest(&t, buf, 0, sizeof buf), -EFAULT);
}
