/*
 * execve in detail: limits on memory that the next program inherits, the names a program and a script are given, and
 * what is refused before the old program is gone. The program executes itself: argv[1] names the part to play.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

extern char **environ;
static char self[4096];

static bool limit_is(int resource, rlim_t cur, rlim_t max)
{
    struct rlimit l;
    return getrlimit(resource, &l) == 0 && l.rlim_cur == cur && l.rlim_max == max;
}

static bool comm_is(const char *name)
{
    char comm[17] = "";
    return prctl(PR_GET_NAME, comm) == 0 && !strncmp(comm, name, 15);
}

enum { MB = 1 << 20, AS = 700 * MB, DATA = 300 * MB, STACK = 3 * MB };

static int play(int argc, char **argv)
{
    if (!strcmp(argv[1], "limits"))
        return limit_is(RLIMIT_AS, AS, AS + MB) && limit_is(RLIMIT_DATA, DATA, DATA) &&
                       limit_is(RLIMIT_STACK, STACK, 2 * STACK) && !malloc(AS) && !malloc(DATA)
                   ? 21
                   : 1;
    if (!strcmp(argv[1], "wait") ||
        !strcmp(argv[1], "wait-forked")) { /* tells 9 that it runs, waits for standard input */
        char byte;
        return (!argv[1][4] || !fork()) && (write(9, "r", 1) != 1 || read(0, &byte, 1) != 1);
    }
    if (!strcmp(argv[1], "again")) /* through one more program */
        execl(argv[0], argv[0], "limits", NULL);
    if (!strcmp(argv[1], "native")) /* another architecture's shell under metic */
        execl("/bin/sh", "sh", "-c", "[ $(ulimit -S -s) = 3072 ] && [ $(ulimit -S -v) = 716800 ] && exit 21", NULL);
    if (!strcmp(argv[1], "names")) { /* names … script-file */
        char *given = argv[argc - 1], *execfn = (char *)getauxval(AT_EXECFN);
        return (comm_is(basename(given)) ? 0 : 1) | (!strcmp(execfn, given) ? 0 : 2) | 20;
    }
    if (!strcmp(argv[1], "denied") || !strcmp(argv[1], "free")) {
        void *p = mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return (p == MAP_FAILED && errno == EACCES) == (argv[1][0] == 'd') ? 21 : 1;
    }
    if (!strcmp(argv[1], "once more")) /* the emulator's second program has to find it, too */
        execl(argv[0], argv[0], "last", NULL);
    if (!strcmp(argv[1], "last"))
        return 20;
    return 99;
}

static void limits(void)
{
    static const char *const parts[] = {"limits", "again", "native"};
    for (unsigned i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            setrlimit(RLIMIT_DATA, &(struct rlimit){DATA, DATA});
            setrlimit(RLIMIT_AS, &(struct rlimit){AS, AS + MB});
            setrlimit(RLIMIT_STACK, &(struct rlimit){STACK, 2 * STACK});
            FAILS(setrlimit(RLIMIT_AS, &(struct rlimit){AS + 2 * MB, AS}), EINVAL);
            execl("/nowhere/at/all", "x", NULL);
            execl(self, self, parts[i], NULL);
            _exit(100);
        }
        CHECK(code_of(pid) == 21);
    }
    /* A child that shares memory has limits of its own. */
    rlim_t before, after;
    struct rlimit l;
    getrlimit(RLIMIT_AS, &l);
    before = l.rlim_cur;
    pid_t pid = vfork();
    if (pid == 0) {
        setrlimit(RLIMIT_AS, &(struct rlimit){64 * MB, l.rlim_max});
        _exit(0);
    }
    CHECK(code_of(pid) == 0);
    getrlimit(RLIMIT_AS, &l);
    after = l.rlim_cur;
    void *p = malloc(200 * MB);
    CHECK(before == after && p);
    free(p);
}

static void write_script(const char *name, const char *text)
{
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void names(void)
{
    char folder[] = "/tmp/metic-exec-XXXXXX", script[64], nested[64], link[64], text[sizeof self + 40];
    CHECK(mkdtemp(folder));
    snprintf(script, sizeof script, "%s/a-script", folder);
    snprintf(nested, sizeof nested, "%s/nested-script-with-a-long-name", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    CHECK(snprintf(text, sizeof text, "#!%s names\n", self) < 255);
    write_script(script, text);
    pid_t pid = fork();
    if (pid == 0) {
        execl(script, "zero", NULL);
        _exit(100);
    }
    CHECK(code_of(pid) == 20);
    /* By a name with a folder, and by a link. */
    CHECK(symlink(self, link) == 0);
    pid = fork();
    if (pid == 0) {
        execl(link, "zero", "names", link, NULL);
        _exit(100);
    }
    CHECK(code_of(pid) == 20);
    /* The outermost script names the process. */
    snprintf(text, sizeof text, "#!%s\n", script);
    write_script(nested, text);
    pid = fork();
    if (pid == 0) {
        execl(nested, "zero", NULL);
        _exit(100);
    }
    CHECK(code_of(pid) == 20);
    unlink(link);
    unlink(nested);
    unlink(script);
    rmdir(folder);
}

/* A program of our own machine whose loader is missing, or that is no program: execve says so and returns. */
static void refused(void)
{
    struct {
        Elf64_Ehdr e;
        Elf64_Phdr p[2];
        char interp[32];
    } f = {0};
    char name[] = "/tmp/metic-exec-XXXXXX";
    int fd = open(self, O_RDONLY);
    CHECK(fd >= 0 && read(fd, &f.e, sizeof f.e) == sizeof f.e && close(fd) == 0);
    f.e.e_type = ET_DYN;
    f.e.e_phoff = sizeof f.e;
    f.e.e_phnum = 2;
    f.e.e_shnum = f.e.e_shoff = 0;
    f.e.e_entry = sizeof f;
    f.p[0] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = sizeof f.e + sizeof f.p, .p_align = 1};
    f.p[1] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof f, .p_memsz = sizeof f, .p_align = 0x1000};
    strcpy(f.interp, "/nowhere/ld.so");
    f.p[0].p_filesz = f.p[0].p_memsz = strlen(f.interp) + 1;
    fd = mkstemp(name);
    CHECK(write(fd, &f, sizeof f) == sizeof f && fchmod(fd, 0755) == 0 && close(fd) == 0);
    FAILS(execl(name, name, NULL), ENOENT);
    /* A loader that is no ELF file of the kind. */
    int other = open("/tmp/metic-exec-loader", O_CREAT | O_WRONLY | O_TRUNC, 0755);
    char zeros[4096] = "no loader";
    CHECK(write(other, zeros, sizeof zeros) == sizeof zeros && close(other) == 0);
    strcpy(f.interp, "/tmp/metic-exec-loader");
    f.p[0].p_filesz = f.p[0].p_memsz = strlen(f.interp) + 1;
    fd = open(name, O_WRONLY);
    CHECK(write(fd, &f, sizeof f) == sizeof f && close(fd) == 0);
    FAILS(execl(name, name, NULL), ELIBBAD);
    unlink("/tmp/metic-exec-loader");
    /* Without a name for the descriptor's program. */
    fd = open(name, O_WRONLY);
    f.e.e_phnum = 0;
    CHECK(write(fd, &f, sizeof f) == sizeof f && close(fd) == 0);
    FAILS(execl(name, name, NULL), ENOEXEC);
    unlink(name);
}

/* The descriptor of the copy, which is open for writing. */
static int copy_self(char name[])
{
    static char bytes[1 << 16];
    ssize_t n;
    int from = open(self, O_RDONLY), to = mkstemp(name);
    while ((n = read(from, bytes, sizeof bytes)) > 0)
        CHECK(write(to, bytes, (size_t)n) == n);
    CHECK(close(from) == 0 && fchmod(to, 0755) == 0);
    return to;
}

/* A program that is being written can't be executed, neither can a script. */
static void busy(void)
{
    char program[] = "/tmp/metic-exec-XXXXXX", script[] = "/tmp/metic-exec-XXXXXX";
    int to = copy_self(program), line = mkstemp(script);
    CHECK(fchmod(line, 0755) == 0);
    FAILS(execl(program, program, NULL), ETXTBSY);
    dprintf(line, "#!%s\n", program);
    FAILS(execl(script, script, NULL), ETXTBSY);
    close(line);
    FAILS(execl(script, script, NULL), ETXTBSY); /* its interpreter is */
    close(to);
    unlink(program);
    unlink(script);
}

static bool can_be_written(const char *path)
{
    int fd = open(path, O_RDWR);
    return fd >= 0 && close(fd) == 0;
}

static void refused_while_running(const char *program, const char *linked)
{
    struct flock lock = {.l_type = F_RDLCK};
    struct stat st;
    FAILS(open(program, O_WRONLY), ETXTBSY);
    FAILS(open(linked, O_RDWR | O_TRUNC), ETXTBSY);
    FAILS(open(program, O_WRONLY | O_CREAT, 0755), ETXTBSY);
    FAILS(open(program, O_RDONLY | O_TRUNC), ETXTBSY);
    FAILS(open(program, O_WRONLY | O_CREAT | O_EXCL, 0755), EEXIST);
    FAILS(open(program, O_WRONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open(linked, O_WRONLY | O_TRUNC | O_NOFOLLOW), ELOOP);
    FAILS(truncate(linked, 0), ETXTBSY);
    FAILS(truncate(program, -1), EINVAL);
    CHECK(stat(program, &st) == 0 && st.st_size > 4096);
    int fd = open(program, O_RDONLY);
    CHECK(fcntl(fd, F_SETLK, &lock) == 0 && close(fd) == 0);
}

/* When it runs no more, and as those see it who watch the file: it is opened once. */
static void emptied(const char *program)
{
    char events[4096];
    struct stat st;
    uint32_t seen = 0;
    int watch = inotify_init1(IN_NONBLOCK), fd;
    CHECK(inotify_add_watch(watch, program, IN_OPEN | IN_MODIFY | IN_CLOSE) >= 0);
    CHECK((fd = open(program, O_WRONLY | O_TRUNC)) >= 0 && fstat(fd, &st) == 0 && st.st_size == 0 && st.st_mode & 0100);
    CHECK(write(fd, "x", 1) == 1 && lseek(fd, 0, SEEK_CUR) == 1 && close(fd) == 0);
    ssize_t n = read(watch, events, sizeof events);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(events + at);
        CHECK(!(seen & e->mask & (IN_OPEN | IN_CLOSE)));
        seen |= e->mask;
        at += (ssize_t)(sizeof *e + e->len);
    }
    CHECK(seen == (IN_OPEN | IN_MODIFY | IN_CLOSE_WRITE) && close(watch) == 0);
    CHECK((fd = open(program, O_RDONLY | O_TRUNC)) >= 0 && fstat(fd, &st) == 0 && st.st_size == 0 && close(fd) == 0);
}

/* Of the kernel: major << 16 | minor. */
static unsigned kernel(void)
{
    struct utsname u;
    unsigned major = 0, minor = 0;
    return uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2 ? 0 : major << 16 | minor;
}

/* Nor can one that runs be written, until the last process that runs it has ended. */
static void running(void)
{
    char program[] = "/tmp/metic-exec-XXXXXX", linked[sizeof program + 5], byte;
    int status, told[2], fd = copy_self(program);
    CHECK(close(fd) == 0 && pipe(told) == 0 && dup2(told[1], 9) == 9 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    snprintf(linked, sizeof linked, "%s-link", program);
    CHECK(symlink(program, linked) == 0);
    /* Linux 6.11 let it be written, which was taken back in 6.13 and its stable kernels. */
    bool allowed = kernel() >= (6 << 16 | 11) && kernel() <= (6 << 16 | 12) && can_be_written("/proc/self/exe");
    if (!allowed)
        FAILS(open("/proc/self/exe", O_WRONLY), ETXTBSY);
    for (unsigned i = 0; i < 60; i++) {
        int hold[2];
        CHECK(pipe2(hold, O_CLOEXEC) == 0 && can_be_written(program));
        pid_t child = fork();
        if (!child) {
            dup2(hold[0], 0);
            execl(program, program, i % 3 ? "wait" : "wait-forked", NULL);
            _exit(1);
        }
        CHECK(read(told[0], &byte, 1) == 1); /* it runs */
        if (i % 3 == 0)
            CHECK(waitpid(child, &status, 0) == child && status == 0); /* its child goes on */
        if (!allowed)
            refused_while_running(program, linked);
        CHECK(i % 3 == 1 ? kill(child, SIGKILL) == 0 : write(hold[1], "x", 1) == 1);
        CHECK(waitpid(-1, &status, 0) > 0 && status == (i % 3 == 1 ? SIGKILL : 0) && can_be_written(program));
        close(hold[0]);
        close(hold[1]);
    }
    emptied(program);
    close(9);
    close(told[0]);
    close(told[1]);
    unlink(linked);
    unlink(program);
}

/* Who watches the file is told that it is executed. Natively the kernel does that; under an emulator it needs Linux 6.14. */
static void watched(void)
{
    struct fanotify_event_metadata event = {0};
    if (kernel() < (6 << 16 | 14))
        return;
    int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY);
    if (fan < 0)
        return; /* without the right to */
    CHECK(fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN_EXEC, AT_FDCWD, self) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl(self, self, "nothing", NULL);
        _exit(1);
    }
    CHECK(code_of(pid) == 99);
    fcntl(fan, F_SETFL, O_NONBLOCK);
    CHECK(read(fan, &event, sizeof event) == sizeof event && event.mask == FAN_OPEN_EXEC && event.pid == pid);
    close(event.fd);
    close(fan);
}

/* Interpreters open a script by the name they get, which is of a descriptor that they may not have. */
static void closed_script(void)
{
    char name[] = "/tmp/metic-exec-XXXXXX", *argv[] = {"script", NULL};
    int made = mkstemp(name);
    CHECK(made >= 0 && close(made) == 0);
    write_script(name, "#!/bin/sh\nexit 23\n");
    CHECK(chmod(name, 0755) == 0);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    FAILS(syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH), ENOENT);
    CHECK(fcntl(fd, F_SETFD, 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
        _exit(100);
    }
    CHECK(code_of(pid) == 23);
    close(fd);
    unlink(name);
}

enum { SET_MDWE = 65, GET_MDWE = 66, REFUSE_EXEC_GAIN = 1, NO_INHERIT = 2 }; /* PR_… */

/* No memory becomes executable that was writable, in the next programs, too: Linux 6.6. */
static void execute_or_write(void)
{
    for (int bits = REFUSE_EXEC_GAIN; bits <= (REFUSE_EXEC_GAIN | NO_INHERIT); bits += NO_INHERIT) {
        pid_t pid = fork();
        if (pid == 0) {
            if (prctl(SET_MDWE, bits, 0, 0, 0))
                _exit(errno == EINVAL ? 21 : 101);
            FAILS(prctl(SET_MDWE, 0, 0, 0, 0), EPERM);
            execl(self, self, bits & NO_INHERIT ? "free" : "denied", NULL);
            _exit(100);
        }
        CHECK(code_of(pid) == 21);
    }
}

/* Rules that allow the execution of one file, and nothing of what runs it. */
static void only_one_file(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
        struct landlock_path_beneath_attr file = {.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE, .parent_fd = open(self, O_PATH)};
        int set = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
        if (set < 0)
            _exit(20); /* the kernel has no landlock */
        CHECK(syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &file, 0) == 0);
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, set, 0) == 0);
        FAILS(execl("/bin/sh", "sh", "-c", "exit 22", NULL), EACCES);
        execl(self, self, "once more", NULL);
        _exit(100);
    }
    CHECK(code_of(pid) == 20);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return play(argc, argv);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    limits();
    names();
    refused();
    busy();
    running();
    watched();
    closed_script();
    execute_or_write();
    only_one_file();
    DONE();
}
