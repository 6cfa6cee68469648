/*
 * How a program starts: its stack, auxiliary vector, vDSO and files of /proc. It executes itself to look at the
 * arguments.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

extern char **environ;

static int thread_data __attribute__((aligned(64))) = 42;
static __thread int tls_data = 43;
static __thread char tls_zeros[100];
static char bss[3 * 4096];

static size_t slurp(const char *path, char *buf, size_t room)
{
    int fd = open(path, O_RDONLY);
    size_t n = 0;
    ssize_t r;
    while (n < room && (r = read(fd, buf + n, room - n)) > 0)
        n += (size_t)r;
    close(fd);
    return n;
}

static void image(void)
{
    CHECK(thread_data == 42 && ((uintptr_t)&thread_data & 63) == 0);
    CHECK(tls_data == 43);
    for (size_t i = 0; i < sizeof tls_zeros; i++)
        CHECK(tls_zeros[i] == 0);
    for (size_t i = 0; i < sizeof bss; i++)
        if (bss[i])
            CHECK(!"bss is zero");
}

static void vector(char **argv)
{
    const ElfW(Phdr) *ph = (void *)getauxval(AT_PHDR);
    CHECK(ph && getauxval(AT_PHENT) == sizeof *ph);
    bool load = false;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
        load |= ph[i].p_type == PT_LOAD;
    CHECK(load && getauxval(AT_ENTRY) && getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100);
    CHECK(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid() && getauxval(AT_SECURE) == 0);
    const uint64_t *random = (void *)getauxval(AT_RANDOM);
    CHECK(random && (random[0] || random[1]));
    CHECK(getauxval(AT_HWCAP) != 0);
    const char *name = (void *)getauxval(AT_EXECFN);
    CHECK(name && !access(name, X_OK));
#if defined __aarch64__
    CHECK(!strcmp((char *)getauxval(AT_PLATFORM), "aarch64"));
#endif
    /* The strings lie one behind the other, after them the environment's. */
    char line[4096];
    size_t n = slurp("/proc/self/cmdline", line, sizeof line);
    CHECK(n == strlen(argv[0]) + 1 && !strcmp(line, argv[0]));
    CHECK(!environ[0] || environ[0] == argv[0] + strlen(argv[0]) + 1);
    static ElfW(auxv_t) aux[64];
    n = slurp("/proc/self/auxv", (char *)aux, sizeof aux);
    bool same = false;
    for (size_t i = 0; i < n / sizeof aux[0]; i++)
        same |= aux[i].a_type == AT_RANDOM && aux[i].a_un.a_val == (uintptr_t)random;
    CHECK(same);
    char exe[PATH_MAX] = {0};
    struct stat a, b;
    CHECK(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0 && !stat(exe, &a) && !stat(name, &b));
    CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    CHECK(((uintptr_t)(argv - 1) & 15) == 0);
}

/* A function of the vDSO by its name. */
static void *vdso_symbol(const char *name)
{
    const char *base = (void *)getauxval(AT_SYSINFO_EHDR);
    if (!base)
        return NULL;
    const ElfW(Ehdr) *e = (void *)base;
    const ElfW(Phdr) *ph = (void *)(base + e->e_phoff);
    const char *bias = NULL, *strings = NULL;
    const ElfW(Sym) *symbols = NULL;
    const uint32_t *hash = NULL;
    CHECK(!memcmp(e->e_ident, ELFMAG, SELFMAG) && e->e_type == ET_DYN);
    for (int i = 0; i < e->e_phnum; i++)
        if (ph[i].p_type == PT_LOAD && !bias)
            bias = base + ph[i].p_offset - ph[i].p_vaddr;
    for (int i = 0; i < e->e_phnum; i++) {
        if (ph[i].p_type != PT_DYNAMIC)
            continue;
        for (const ElfW(Dyn) *d = (void *)(bias + ph[i].p_vaddr); d->d_tag != DT_NULL; d++) {
            const void *p = bias + d->d_un.d_ptr;
            symbols = d->d_tag == DT_SYMTAB ? p : symbols;
            strings = d->d_tag == DT_STRTAB ? p : strings;
            hash = d->d_tag == DT_HASH ? p : hash;
        }
    }
    if (!symbols || !strings || !hash)
        return NULL;
    for (uint32_t i = 1; i < hash[1]; i++)
        if (symbols[i].st_shndx && !strcmp(strings + symbols[i].st_name, name))
            return (void *)(bias + symbols[i].st_value);
    return NULL;
}

static void vdso(void)
{
#if defined __riscv
    static const char name[] = "__vdso_clock_gettime";
#elif defined __aarch64__
    static const char name[] = "__kernel_clock_gettime";
#else
    static const char name[] = "clock_gettime";
    if (!vdso_symbol(name))
        return; /* newer kernels of this machine have DT_GNU_HASH alone */
#endif
    int (*get)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))vdso_symbol(name);
    struct timespec a, b, c;
    CHECK(get);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0 && get(CLOCK_MONOTONIC, &b) == 0 && clock_gettime(CLOCK_MONOTONIC, &c) == 0);
    double ta = (double)a.tv_sec + (double)a.tv_nsec / 1e9, tb = (double)b.tv_sec + (double)b.tv_nsec / 1e9;
    double tc = (double)c.tv_sec + (double)c.tv_nsec / 1e9;
    CHECK(ta <= tb && tb <= tc);
}

/* Runs itself with odd arguments and environments. */
static int child(int argc, char **argv)
{
    CHECK(argc == 6 && !strcmp(argv[0], "odd name") && !strcmp(argv[2], "") && !strcmp(argv[3], "a b") && !argv[6]);
    CHECK(strlen(argv[4]) == 100000 && argv[4][99999] == 'x');
    CHECK(!strcmp(argv[5], "-h")); /* an option of nobody's */
    CHECK(!strcmp(environ[0], "FIRST=1") && !strcmp(environ[1], "EMPTY=") && !strcmp(environ[2], "strange") && !environ[3]);
    DONE();
}

static int run(char *const argv[], char *const envp[])
{
    char self[PATH_MAX] = {0};
    int status = -1;
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    pid_t pid = fork();
    if (!pid) {
        execve(self, argv, envp);
        _exit(errno);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void arguments(void)
{
    static char big[100001], huge[200000];
    memset(big, 'x', 100000);
    memset(huge, 'y', sizeof huge - 1);
    char *argv[] = {"odd name", "child", "", "a b", big, "-h", NULL};
    char *envp[] = {"FIRST=1", "EMPTY=", "strange", NULL};
    CHECK(run(argv, envp) == 0);
    argv[3] = huge; /* one string of more than 128 KiB */
    CHECK(run(argv, envp) == E2BIG);
}

int main(int argc, char **argv)
{
    image();
    if (argc > 1 && !strcmp(argv[1], "child"))
        return child(argc, argv);
    vector(argv);
    vdso();
    arguments();
    DONE();
}
