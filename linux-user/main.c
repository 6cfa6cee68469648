/* User mode from the command line to the first guest instruction. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/binfmts.h>

#include "base/bits.h"
#include "base/own-fds.h"
#include "base/late.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/namespaces.h"
#include "exec/disk.h"
#include "exec/exec.h"
#include "exec/target.h"
#include "linux-user/inherit.h"
#include "linux-user/load.h"
#include "linux-user/mm.h"
#include "linux-user/options.h"
#include "linux-user/self-file.h"
#include "linux-user/sysroot.h"
#include "linux-user/task.h"
#include "linux-user/text-busy.h"
#include "linux-user/trace.h"

enum {
    EXIT_USAGE = 1,
    EXIT_CANNOT_RUN = 126, /* as shells: found, but not executable */
    EXIT_NOT_FOUND = 127,
    MAX_SCRIPTS = 5,     /* interpreters of interpreters that Linux follows */
    HEAP_STEP = 1 << 20, /* translations are many small allocations */
    SMALLEST_STACK = 1 << 20,
    FIRST_STACK = 8 << 20,
};

/* Names of the machines a user is likely to have a file of. */
static const struct {
    uint16_t machine;
    const char *name;
} machines[] = {
    {EM_386, "i386"},       {EM_X86_64, "x86-64"}, {EM_ARM, "arm"},         {EM_AARCH64, "aarch64"},
    {EM_RISCV, "riscv"},    {EM_PPC, "ppc"},       {EM_PPC64, "ppc64"},     {EM_S390, "s390x"},
    {EM_MIPS, "mips"},      {EM_SPARC, "sparc"},   {EM_SPARCV9, "sparc64"}, {EM_68K, "m68k"},
    {EM_LOONGARCH, "loongarch"}, {EM_ALPHA, "alpha"}, {EM_PARISC, "hppa"}, {EM_SH, "sh4"},
};

static const char *machine_name(uint16_t machine, char buf[32])
{
    for (unsigned i = 0; i < ARRAY_SIZE(machines); i++)
        if (machines[i].machine == machine)
            return machines[i].name;
    snprintf(buf, 32, "ELF machine %u", machine);
    return buf;
}

/* What metic is called: as qemu-aarch64 or metic-aarch64 it runs that guest alone. False: there is no such guest. */
static bool target_of_name(const char *argv0, const struct target **only)
{
    const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
    bool as_qemu = !strncmp(name, "qemu-", 5), as_metic = !strncmp(name, "metic-", 6);
    *only = NULL;
    if (!as_qemu && !as_metic)
        return true;
    char arch[32];
    const char *word = strchr(name, '-') + 1;
    snprintf(arch, sizeof arch, "%.*s", (int)strcspn(word, "-"), word); /* qemu-aarch64-static */
    *only = target_by_name(arch);
    if (!*only && as_qemu)
        report_error("called as %s: no front end for %s", name, arch);
    return *only || as_metic; /* metic-0.1 is just metic */
}

/*
 * How the kernel's binfmt_misc started metic. Flag P: argv is metic, the program's path, its argv[0] and the rest;
 * without it argv[0] is missing. Flag O: the program is open already. Started by anybody else, both are unset.
 */
struct kernel_start {
    bool argv0;
    int fd; /* -1: none */
};

static struct kernel_start kernel_start(void)
{
    errno = 0;
    unsigned long fd = getauxval(AT_EXECFD);
    return (struct kernel_start){
        .argv0 = getauxval(AT_FLAGS) & AT_FLAGS_PRESERVE_ARGV0,
        .fd = errno ? -1 : (int)fd,
    };
}

static int refuse(int code, const char *path, const char *why)
{
    report_error("%s: %s", path, why);
    return code;
}

static int refuse_open(const char *path, int error)
{
    return refuse(error == -ENOENT || error == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, path, strerror(-error));
}

/* --- which program: scripts and the guest --- */

/* While the file is a script: its interpreter becomes the program. Arguments grow at the front. */
static int follow_scripts(const char *sysroot, struct program *prog)
{
    const char *name = prog->name; /* of the script, for its interpreter */
    for (unsigned depth = 0;; depth++) {
        struct script_plan s;
        char inside[PATH_MAX];
        enum script_result r = script_plan(prog->file.bytes, prog->file.size, &s);
        if (r == SCRIPT_NO)
            return 0;
        if (r == SCRIPT_BAD || depth == MAX_SCRIPTS)
            return refuse(EXIT_CANNOT_RUN, prog->path, "its interpreter line can't be used");
        size_t n = 0, extra = s.arg[0] ? 2 : 1;
        while (prog->argv[n])
            n++;
        const char **argv = calloc(n + extra + 2, sizeof *argv);
        CHECK(argv);
        argv[0] = strdup(s.interp);
        if (s.arg[0])
            argv[1] = strdup(s.arg);
        argv[extra] = strdup(name);
        CHECK(argv[0] && argv[extra - 1] && argv[extra]);
        for (size_t i = 1; i < n; i++)
            argv[extra + i] = prog->argv[i];
        prog->argv = argv;
        name = argv[0];
        strcpy(prog->path, sysroot_choose(sysroot, s.interp, inside));
        program_close(&prog->file);
        int e = program_open(&prog->file, prog->path);
        if (e)
            return refuse_open(prog->path, e);
    }
}

/* The ABI that runs the file; reports when there is none. */
static const struct linux_abi *choose_abi(const struct program *prog, const struct target *only)
{
    uint8_t elf_class, elf_data;
    uint16_t machine;
    char buf[32];
    if (!elf_identify(prog->file.bytes, prog->file.size, &elf_class, &elf_data, &machine)) {
        report_error("%s: neither an ELF file nor a script", prog->path);
        return NULL;
    }
    const struct target *target = target_by_elf(machine, elf_class, elf_data);
    const struct linux_abi *abi = target ? linux_abi_of(target) : NULL;
    if (!abi)
        report_error("%s: no front end for machine %s (%s-bit, %s-endian)", prog->path, machine_name(machine, buf),
                     elf_class == ELFCLASS32 ? "32" : "64", elf_data == ELFDATA2MSB ? "big" : "little");
    else if (only && only != target) {
        report_error("%s: made for %s, not for %s", prog->path, target->name, only->name);
        abi = NULL;
    }
    return abi;
}

static int find_loader(struct process *p, struct program *prog, const char *wanted)
{
    static char root[PATH_MAX]; /* p->sysroot points to it for the life of the process */
    char path[PATH_MAX];
    const char *use = program_loader(p->abi, &prog->file, wanted, &p->sysroot, root, path), *why;
    prog->loader.fd = -1;
    if (!*use)
        return 0;
    int e = program_open(&prog->loader, use);
    if (e == -ENOENT) {
        report_error(
            "%s: its loader %s is missing: name the folder of the %s libraries with -L, or install libc6-%s-cross",
            prog->path, prog->file.plan.interp, p->abi->target->name, p->abi->debian);
        return EXIT_NOT_FOUND;
    }
    if (e)
        return refuse_open(use, e);
    why = program_plan(p->abi, &prog->loader);
    return why ? refuse(EXIT_CANNOT_RUN, use, why) : 0;
}

/* --- the process --- */

/*
 * The absolute name without links that the kernel knows an open file by, from its link below /proc; owned by the
 * caller. NULL: there is no /proc, or the file has no name any more. (One call instead of realpath()'s for each
 * folder.)
 */
static char *name_of(const char *link)
{
    static const char deleted[] = " (deleted)";
    char name[PATH_MAX];
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (n <= 0 || name[0] != '/')
        return NULL;
    name[n] = '\0';
    bool gone = (size_t)n >= strlen(deleted) && !strcmp(name + n - strlen(deleted), deleted);
    return gone ? NULL : strdup(name);
}

static char *program_name(const struct program *prog)
{
    char link[32];
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", prog->file.fd);
    char *name = name_of(link);
    return name ? name : realpath(prog->path, NULL);
}

/*
 * metic's own file by a name that is good in this root; owned by the caller. NULL: it has none, as in a container that
 * the kernel brought it into. Without /proc it is the name it was executed by, or the program's if the kernel did that.
 */
static char *own_name(bool by_kernel)
{
    const char *executed = (const char *)getauxval(AT_EXECFN);
    struct stat own, found;
    bool proc = !stat(self_exe, &own);
    char *name = proc ? name_of(self_exe) : executed && !by_kernel ? realpath(executed, NULL) : NULL;
    if (name && proc && (stat(name, &found) || found.st_dev != own.st_dev || found.st_ino != own.st_ino)) {
        free(name);
        name = NULL;
    }
    return name;
}

/*
 * How a program that this one executes is started: metic itself with the same options. Its file is /proc/self/exe,
 * which is right wherever the guest goes and whoever started metic; self[0] is its name, for where there is no /proc
 * any more. With neither, NULL: the kernel that started metic will do it again.
 */
static const char *const *self_command(const struct options *o, const char *name)
{
    if (!name && !o->self_fd && access(self_exe, F_OK))
        return NULL;
    size_t n = 0;
    while (o->again[n])
        n++;
    const char **self = calloc(n + 2, sizeof *self);
    CHECK(self);
    self[0] = name ? name : self_exe;
    memcpy(self + 1, o->again, n * sizeof *self);
    return self;
}

static uint64_t stack_size(struct options *o)
{
    uint64_t limit = limit_kept(&o->limits, RLIMIT_STACK)->cur;
    if (o->stack_size)
        return o->stack_size;
    return limit < SMALLEST_STACK ? SMALLEST_STACK : limit < FIRST_STACK ? limit : FIRST_STACK;
}

static uint64_t random_seed(const struct process *p, const struct options *o)
{
    uint64_t seed = 0;
    if (o->has_seed)
        seed = o->seed;
    else if (!(p->personality & ADDR_NO_RANDOMIZE) && getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint64_t)getpid();
    return seed;
}

/*
 * The translation cache, and with it addresses that files keep. In a root that metic itself is not in, a container's or
 * an image's, nothing is written to the home folder, which is the image's; a system folder that was put there is used.
 * Such roots, and those of metic run, are copied for every build, and what one has left serves the next.
 */
static struct disk *open_cache(const struct process *p, const struct options *o)
{
    const bool at_home = o->code_cache || (p->self && p->self[0] != self_exe);
    const bool in_place = o->code_cache && !strcmp(o->code_cache, PLACE_CACHE);
    const struct disk_options d = {.folder = at_home ? o->code_cache : DISK_SYSTEM_FOLDER,
                                   .max_bytes = o->code_cache_size,
                                   .for_copies = !at_home || in_place};
    if (!at_home && access(DISK_SYSTEM_FOLDER, F_OK))
        return NULL;
    if ((o->code_cache && !strcmp(o->code_cache, "off")) || o->engine != ENGINE_JIT || !tcg_host_native())
        return NULL;
    struct disk *disk = disk_new(&d);
    if (disk)
        mm_set_secret(p->mm, disk_secret(disk));
    return disk;
}

static void first_thread(void *process) { signals_retake(process); }

static int run(struct process *p, struct program *prog, const struct options *o)
{
    p->personality = (uint32_t)syscall(SYS_personality, 0xffffffff);
    p->mm = mm_new(p->abi->target->address_bits, random_seed(p, o), tracer_attend);
    struct cpu *cpu = NULL;
    if (p->mm) {
        const struct code_reader code = mm_code_reader(p->mm);
        const struct exec_options eo = {.engine = o->engine,
                                        .one_insn = o->one_insn,
                                        .tier = o->tier,
                                        .background = true,
                                        .interprets_first = true,
                                        .first_thread = first_thread,
                                        .first_thread_opaque = p,
                                        .waiting = tracer_attend,
                                        .hot_after = o->hot_after,
                                        .disk = open_cache(p, o)};
        p->exec = exec_new(p->abi->target, &code, &eo);
        late_rest(); /* the ELF header has been looked at */
    }
    if (p->exec) {
        mm_set_exec(p->mm, p->exec);
        cpu = cpu_new(p->exec);
    }
    struct task *t = cpu ? task_new(p, cpu) : NULL;
    if (!t)
        return refuse(EXIT_CANNOT_RUN, prog->path, "not enough memory");
    current_task = t;
    p->limits = o->limits;
    limits_start(p);
    if (o->inherit && !inherit_restore(t, o->inherit))
        return refuse(EXIT_CANNOT_RUN, prog->path, "-inherit names a descriptor that is not what metic wrote");
    if (o->gdb && !debug_open(p, o->gdb))
        return EXIT_USAGE;
    signals_start(p);
    if (!task_signals_start(t))
        return refuse(EXIT_CANNOT_RUN, prog->path, "not enough memory");
    int e = program_load(p, cpu, prog);
    if (e)
        return refuse(EXIT_CANNOT_RUN, prog->path,
                      e == -ENOMEM ? "its addresses can't be had, or memory is short" : strerror(-e));
    mm_set_mdwe(p->mm, p->inherited_mdwe);
    text_hold(prog->file.fd);
    program_close(&prog->file);
    program_close(&prog->loader);
    if (log_on(LOG_STRACE))
        trace_started(t);
    tracee_started(t);
    debug_start(t);
    task_run(t);
    /* The first thread has ended by exit(2): other threads may go on, the process keeps this one's exit code. */
    syscall(SYS_exit, t->exit_code);
    return 0;
}

int main(int argc, char **argv, char **envp)
{
    static struct options options; /* both live as long as the process */
    static struct process process;
    static struct program prog; /* large: only what is used of it is touched */
    const struct target *only;
    const struct kernel_start start = kernel_start();
    const bool by_kernel = start.argv0 || start.fd >= 0;
    int at = 1;
    prog.file.fd = prog.loader.fd = -1;
    mallopt(M_TOP_PAD, HEAP_STEP);
    if (!target_of_name(argv[0], &only))
        return EXIT_USAGE;
    const struct command *command = !only && !by_kernel && argc > 1 ? command_find(argv[1]) : NULL;
    if (command)
        return command->run(argc - 1, argv + 1);
    switch (options_read(&options, argv[0], by_kernel ? NULL : argv, envp, &at)) {
    case OPTIONS_DONE:
        return 0;
    case OPTIONS_BAD:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    if (argc <= at + start.argv0)
        return refuse(EXIT_USAGE, argv[0], "started without a program");
    prog.name = argv[at];
    at += start.argv0;
    if (options.argv0)
        argv[at] = (char *)options.argv0;
    prog.argv = (const char *const *)argv + at;
    prog.envp = (const char *const *)options.env;
    prog.stack_size = stack_size(&options);
    if (strlen(prog.name) >= sizeof prog.path)
        return refuse(EXIT_NOT_FOUND, prog.name, strerror(ENAMETOOLONG));
    strcpy(prog.path, prog.name);

    int e = start.fd < 0 ? program_open(&prog.file, prog.path) : program_take(&prog.file, start.fd);
    if (e)
        return refuse_open(prog.path, e);
    e = follow_scripts(options.sysroot, &prog);
    if (e)
        return e;
    process.abi = choose_abi(&prog, only);
    if (!process.abi)
        return EXIT_CANNOT_RUN;
    const char *why = program_plan(process.abi, &prog.file);
    e = why ? refuse(EXIT_CANNOT_RUN, prog.path, why) : find_loader(&process, &prog, options.sysroot);
    if (e)
        return e;
    if (options.execfn)
        prog.name = options.execfn;
    const char *slash = strrchr(prog.name, '/');
    prctl(PR_SET_NAME, slash ? slash + 1 : prog.name); /* as execve does; metic may have been started by another name */
    process.options = &options;
    process.self = self_command(&options, own_name(by_kernel));
    process.self_fd = options.self_fd ? fd_hide(options.self_fd) : -1;
    process.uname_release = options.release;
    char *absolute = program_name(&prog);
    process.exe_path = absolute ? absolute : prog.path;
    pthread_mutex_init(&process.lock, NULL);
    return run(&process, &prog, &options);
}
