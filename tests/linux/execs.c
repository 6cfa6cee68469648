/*
 * execve in more detail: programs named by descriptors and memory files, scripts' first lines, arguments at the limits, no arguments at
 * all, what a program keeps (signals, timers, masks, descriptors) and what it loses, threads that end, deleted programs, errors of names and
 * places, native programs. The program executes itself: argv[1] names the part to play, and its code says what was found.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

extern char **environ;
static char self[4096], folder[] = "/tmp/metic-execs-XXXXXX";

enum { GOOD = 33 };

/* -- parts */

static bool ended_by(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static int kept(char **argv)
{
    sigset_t mask, pending;
    struct itimerval t;
    struct sigaction sa;
    int name = 0, open_fd = atoi(argv[2]), closed_fd = atoi(argv[3]);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2));
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
    CHECK(sigaction(SIGUSR2, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN);
    CHECK(sigaction(SIGHUP, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
    CHECK(getitimer(ITIMER_REAL, &t) == 0 && t.it_value.tv_sec > 1000);
    CHECK(timer_delete((timer_t)0) == -1 && errno == EINVAL);
    CHECK(umask(0) == 0712 && getpriority(PRIO_PROCESS, 0) == 5);
    CHECK(fcntl(open_fd, F_GETFD) == 0 && fcntl(closed_fd, F_GETFD) == -1);
    stack_t alt;
    CHECK(sigaltstack(NULL, &alt) == 0 && alt.ss_flags & SS_DISABLE);
    CHECK(prctl(PR_GET_PDEATHSIG, &name) == 0 && name == SIGTERM && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    char comm[17] = "";
    CHECK(prctl(PR_GET_NAME, comm) == 0 && strcmp(comm, "forgotten") != 0);
    CHECK(prctl(PR_GET_DUMPABLE) == 1 && prctl(PR_GET_KEEPCAPS) == 0 && prctl(PR_GET_TIMERSLACK) == 77777);
    CHECK(getpid() == atoi(argv[4]) && syscall(SYS_gettid) == getpid());
    unsigned char present;
    CHECK(mincore((void *)(strtoul(argv[5], NULL, 0) & ~4095ul), 4096, &present) == -1 && errno == ENOMEM);
    char cwd[64];
    CHECK(getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/"));
    return failures ? 1 : GOOD;
}

static int play(int argc, char **argv)
{
    if (argc == 1 && !argv[0][0] && getenv("METIC_EMPTY")) /* no arguments were given: the kernel gives an empty one */
        return GOOD;
    const char *part = argv[1], *execfn = (char *)getauxval(AT_EXECFN);
    if (!strcmp(part, "good"))
        return GOOD;
    if (!strcmp(part, "execfn"))
        return ended_by(execfn, argv[2]) && (argc < 4 || !strncmp(execfn, argv[3], strlen(argv[3]))) ? GOOD : 1;
    if (!strcmp(part, "kept"))
        return kept(argv);
    if (!strcmp(part, "count")) { /* so many arguments, the last of so many bytes */
        return argc == atoi(argv[2]) && strlen(argv[argc - 1]) == strtoul(argv[3], NULL, 10) ? GOOD : 1;
    }
    if (!strcmp(part, "environment"))
        return getenv("LONG") && strlen(getenv("LONG")) == strtoul(argv[2], NULL, 10) ? GOOD : 1;
    if (!strcmp(part, "secure"))
        return getauxval(AT_SECURE) == 0 && getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid() && getauxval(AT_GID) == getgid() ? GOOD : 1;
    if (!strcmp(part, "script one two")) /* the rest of a script's first line is one argument */
        return argc == 4 && ended_by(argv[2], "/script") && !strcmp(argv[3], "given") ? GOOD : 1;
    if (!strcmp(part, "deleted")) {
        char exe[4096] = "";
        CHECK(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
        return ended_by(exe, argv[2]) ? GOOD : 1;
    }
    if (!strcmp(part, "pages")) { /* the program is there, though nobody can find it */
        struct stat st;
        int fd = open("/proc/self/exe", O_RDONLY);
        char magic[4];
        return fd >= 0 && fstat(fd, &st) == 0 && read(fd, magic, 4) == 4 && !memcmp(magic, "\177ELF", 4) ? GOOD : 1;
    }
    if (!strcmp(part, "again")) {
        execl("/proc/self/exe", "another", "good", NULL);
        return 98;
    }
    return 99;
}

/* -- how they are started */

#define IN_CHILD(...)                     \
    __extension__({                       \
        pid_t child_pid = fork();         \
        if (child_pid == 0) {             \
            __VA_ARGS__;                  \
            _exit(errno ? errno : 200);   \
        }                                 \
        code_of(child_pid);               \
    })

static const char *in_folder(const char *name)
{
    static char path[4][128];
    static unsigned n;
    char *p = path[n++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void copy_self(const char *to, mode_t mode)
{
    static char bytes[1 << 16];
    ssize_t n;
    int in = open(self, O_RDONLY | O_CLOEXEC), out = open(to, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
    while ((n = read(in, bytes, sizeof bytes)) > 0)
        CHECK(write(out, bytes, (size_t)n) == n);
    CHECK(close(in) == 0 && fchmod(out, mode) == 0 && close(out) == 0);
}

static void write_file(const char *to, const char *text, mode_t mode)
{
    int fd = open(to, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static void descriptors(void)
{
    int fd = open(self, O_RDONLY | O_CLOEXEC), path = open(self, O_PATH | O_CLOEXEC), d = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char number[20], script[32];
    snprintf(number, sizeof number, "/dev/fd/%d", fd);
    CHECK(IN_CHILD(fexecve(fd, (char *[]){"x", "good", NULL}, environ)) == GOOD);
    CHECK(IN_CHILD(syscall(SYS_execveat, fd, "", (char *[]){"x", "execfn", number, "/dev/fd/", NULL}, environ, AT_EMPTY_PATH)) == GOOD);
    CHECK(IN_CHILD(syscall(SYS_execveat, path, "", (char *[]){"x", "good", NULL}, environ, AT_EMPTY_PATH)) == GOOD);
    CHECK(IN_CHILD(syscall(SYS_execveat, fd, "", (char *[]){"x", "good", NULL}, environ, 0)) == ENOENT);
    copy_self(in_folder("copy"), 0700);
    CHECK(symlink("copy", in_folder("link")) == 0);
    CHECK(IN_CHILD(syscall(SYS_execveat, d, "copy", (char *[]){"x", "execfn", "/copy", "/dev/fd/", NULL}, environ, 0)) == GOOD);
    CHECK(IN_CHILD(syscall(SYS_execveat, d, "link", (char *[]){"x", "good", NULL}, environ, 0)) == GOOD);
    CHECK(IN_CHILD(syscall(SYS_execveat, d, "link", (char *[]){"x", "good", NULL}, environ, AT_SYMLINK_NOFOLLOW)) == ELOOP);
    CHECK(IN_CHILD(syscall(SYS_execveat, d, "copy", (char *[]){"x", "good", NULL}, environ, AT_SYMLINK_NOFOLLOW)) == GOOD);
    CHECK(IN_CHILD(syscall(SYS_execveat, d, "copy", (char *[]){"x", "good", NULL}, environ, 0x8000)) == EINVAL);
    CHECK(IN_CHILD(syscall(SYS_execveat, -1, "copy", (char *[]){"x", "good", NULL}, environ, 0)) == EBADF);
    CHECK(IN_CHILD(syscall(SYS_execveat, fd, "copy", (char *[]){"x", "good", NULL}, environ, 0)) == ENOTDIR);
    CHECK(IN_CHILD(syscall(SYS_execveat, d, "", (char *[]){"x", "good", NULL}, environ, AT_EMPTY_PATH)) == EACCES);
    /* a script can't be found behind a descriptor that is closed by then */
    char line[sizeof self + 16];
    CHECK(snprintf(line, sizeof line, "#!%s good\n", self) < 255);
    write_file(in_folder("script"), line, 0700);
    int s = open(in_folder("script"), O_RDONLY | O_CLOEXEC), kept_open = open(in_folder("script"), O_RDONLY);
    CHECK(IN_CHILD(syscall(SYS_execveat, s, "", (char *[]){"x", NULL}, environ, AT_EMPTY_PATH)) == ENOENT);
    CHECK(IN_CHILD(syscall(SYS_execveat, kept_open, "", (char *[]){"x", NULL}, environ, AT_EMPTY_PATH)) == GOOD);
    snprintf(script, sizeof script, "/proc/self/fd/%d", kept_open);
    CHECK(IN_CHILD(execl(script, script, NULL)) == GOOD);
    close(s);
    close(kept_open);
    /* memory */
    int m = memfd_create("a program", MFD_CLOEXEC), in = open(self, O_RDONLY | O_CLOEXEC);
    static char bytes[1 << 16];
    for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;)
        CHECK(write(m, bytes, (size_t)n) == n);
    CHECK(IN_CHILD(fexecve(m, (char *[]){"x", "good", NULL}, environ)) == GOOD);
    CHECK(IN_CHILD(fexecve(m, (char *[]){"x", "again", NULL}, environ)) == GOOD);
    close(in);
    close(m);
    /* a program that is deleted while its descriptor is open, or after it runs */
    int gone = open(in_folder("copy"), O_RDONLY | O_CLOEXEC);
    CHECK(unlink(in_folder("link")) == 0 && unlink(in_folder("copy")) == 0 && unlink(in_folder("script")) == 0);
    CHECK(IN_CHILD(fexecve(gone, (char *[]){"x", "deleted", "/copy (deleted)", NULL}, environ)) == GOOD);
    CHECK(IN_CHILD(fexecve(gone, (char *[]){"x", "pages", NULL}, environ)) == GOOD);
    CHECK(IN_CHILD(fexecve(gone, (char *[]){"x", "again", NULL}, environ)) == GOOD);
    close(gone);
    close(fd);
    close(path);
    close(d);
}

static void scripts(void)
{
    char line[sizeof self + 400], name[160];
    const char *script = in_folder("script");
    snprintf(name, sizeof name, "%s", script);
    CHECK(snprintf(line, sizeof line, "#!%s script one two\n", self) < 255);
    write_file(name, line, 0700);
    CHECK(IN_CHILD(execl(name, "zero", "given", NULL)) == GOOD);
    snprintf(line, sizeof line, "#!  \t %s   script one two  \t \nmore\n", self);
    write_file(name, line, 0700);
    CHECK(IN_CHILD(execl(name, "zero", "given", NULL)) == GOOD);
    CHECK(snprintf(line, sizeof line, "#!%s good", self) < 255); /* no end of the line */
    write_file(name, line, 0700);
    CHECK(IN_CHILD(execl(name, "zero", NULL)) == GOOD);
    /* What is longer than 256 bytes is cut where an argument has begun, and refused where the name hasn't ended. */
    snprintf(line, sizeof line, "#!%s good%*s tail\n", self, 300, "");
    write_file(name, line, 0700);
    CHECK(IN_CHILD(execl(name, "zero", NULL)) == GOOD);
    snprintf(line, sizeof line, "#!/%0300d\n", 0);
    write_file(name, line, 0700);
    CHECK(IN_CHILD(execl(name, "zero", NULL)) == ENOEXEC);
    static const struct {
        const char *script;
        int error;
    } refused[] = {{"#!\n", ENOEXEC}, {"#! \t \n", ENOEXEC}, {"#!/nowhere/at/all\n", ENOENT},
                   {"#!/\n", EACCES}, {"words\n", ENOEXEC},  {"", ENOEXEC}};
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        write_file(name, refused[i].script, 0700);
        CHECK(IN_CHILD(execl(name, "zero", NULL)) == refused[i].error);
    }
    unlink(name);
    /* scripts of scripts, as deep as the kernel goes, and one deeper */
    CHECK(snprintf(line, sizeof line, "#!%s good\n", self) < 255);
    write_file(in_folder("s0"), line, 0700);
    for (int i = 1; i < 7; i++) {
        snprintf(line, sizeof line, "#!%s/s%d\n", folder, i - 1);
        snprintf(name, sizeof name, "%s/s%d", folder, i);
        write_file(name, line, 0700);
    }
    int deep[7];
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "%s/s%d", folder, i);
        deep[i] = IN_CHILD(execl(name, "zero", NULL));
    }
    CHECK(deep[0] == GOOD && deep[3] == GOOD && deep[4] == GOOD && deep[6] == ELOOP && (deep[5] == ELOOP || deep[5] == GOOD));
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "%s/s%d", folder, i);
        unlink(name);
    }
}

static void arguments(void)
{
    enum { LONGEST = 131072 }; /* MAX_ARG_STRLEN, with its end */
    char *big = malloc(LONGEST + 2), size[20], count[20];
    memset(big, 'a', LONGEST + 1);
    big[LONGEST - 1] = 0;
    snprintf(size, sizeof size, "%d", LONGEST - 1);
    CHECK(IN_CHILD(execl(self, self, "count", "5", size, big, NULL)) == GOOD);
    memcpy(big, "LONG=", 5);
    snprintf(size, sizeof size, "%d", LONGEST - 1 - 5);
    CHECK(IN_CHILD(execve(self, (char *[]){self, "environment", size, NULL}, (char *[]){big, NULL})) == GOOD);
    big[LONGEST - 1] = 'a';
    big[LONGEST] = 0;
    CHECK(IN_CHILD(execl(self, self, "good", big, NULL)) == E2BIG);
    CHECK(IN_CHILD(execve(self, (char *[]){self, "good", NULL}, (char *[]){big, NULL})) == E2BIG);
    CHECK(IN_CHILD(execl("/bin/sh", "sh", "-c", ":", big, NULL)) == E2BIG);
    free(big);
    /* many small ones, and more than a quarter of the stack's limit lets through */
    enum { MANY = 40000, TOO_MANY = 600000 };
    char **v = malloc((TOO_MANY + 1) * sizeof *v);
    v[0] = self, v[1] = "count", v[2] = count, v[3] = "3";
    for (int i = 4; i < TOO_MANY; i++)
        v[i] = "abc";
    v[MANY] = NULL;
    snprintf(count, sizeof count, "%d", MANY);
    CHECK(IN_CHILD(execv(self, v)) == GOOD);
    v[MANY] = "abc";
    v[TOO_MANY] = NULL;
    CHECK(IN_CHILD(execv(self, v)) == E2BIG);
    free(v);
    setenv("METIC_EMPTY", "1", 1);
    CHECK(IN_CHILD(execve(self, (char *[]){NULL}, environ)) == GOOD);
    CHECK(IN_CHILD(syscall(SYS_execve, self, NULL, environ)) == GOOD);
    unsetenv("METIC_EMPTY");
    CHECK(IN_CHILD(execve(self, (char *[]){"", "good", NULL}, NULL)) == GOOD);
    CHECK(IN_CHILD(execve(self, BAD_POINTER, environ)) == EFAULT);
    CHECK(IN_CHILD(execve(self, (char *[]){"x", "good", NULL}, BAD_POINTER)) == EFAULT);
    CHECK(IN_CHILD(execve(self, (char *[]){"x", BAD_POINTER, NULL}, environ)) == EFAULT);
    CHECK(IN_CHILD(execve(BAD_POINTER, (char *[]){"x", NULL}, environ)) == EFAULT);
    CHECK(IN_CHILD(execl(self, "a name with\nlines and -dashes", "execfn", strrchr(self, '/'), NULL)) == GOOD);
    CHECK(IN_CHILD(execl(self, "-strace", "good", NULL)) == GOOD);
    CHECK(IN_CHILD(execl(self, self, "secure", NULL)) == GOOD);
}

static void names(void)
{
    char name[5000];
    copy_self(in_folder("plain"), 0600);
    CHECK(IN_CHILD(execl(in_folder("plain"), "x", "good", NULL)) == EACCES);
    CHECK(IN_CHILD(execl(folder, "x", "good", NULL)) == EACCES);
    CHECK(IN_CHILD(execl("", "x", "good", NULL)) == ENOENT);
    snprintf(name, sizeof name, "%s/good", in_folder("plain"));
    CHECK(IN_CHILD(execl(name, "x", "good", NULL)) == ENOTDIR);
    memset(name, 'n', sizeof name);
    name[4998] = 0;
    CHECK(IN_CHILD(execl(name, "x", "good", NULL)) == ENAMETOOLONG);
    CHECK(symlink("loop", in_folder("loop")) == 0);
    CHECK(IN_CHILD(execl(in_folder("loop"), "x", "good", NULL)) == ELOOP);
    CHECK(chmod(in_folder("plain"), 0700) == 0);
    CHECK(IN_CHILD(if (chdir(folder) == 0) execl("plain", "x", "execfn", "plain", "plain", NULL)) == GOOD);
    CHECK(IN_CHILD(if (chdir(folder) == 0) execl("./plain", "x", "execfn", "plain", "./plain", NULL)) == GOOD);
    CHECK(rename(in_folder("plain"), in_folder("-d")) == 0);
    CHECK(IN_CHILD(if (chdir(folder) == 0) execl("-d", "x", "execfn", "-d", NULL)) == GOOD);
    CHECK(IN_CHILD(if (chdir(folder) == 0 && setenv("PATH", folder, 1) == 0) execlp("-d", "x", "good", NULL)) == GOOD);
    /* places that nothing is executed at, and where rights don't count; root's to make */
    CHECK(IN_CHILD(if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("x", folder, "tmpfs", MS_NOEXEC, NULL)) _exit(GOOD);
                   copy_self(in_folder("at"), 0755); errno = 0; execl(in_folder("at"), "x", "good", NULL); _exit(errno == EACCES ? GOOD : 1)) == GOOD);
    CHECK(IN_CHILD(if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("x", folder, "tmpfs", MS_NOSUID, NULL)) _exit(GOOD);
                   copy_self(in_folder("at"), 04755); if (chown(in_folder("at"), 1, 1) || chmod(in_folder("at"), 04755)) _exit(2); execl(in_folder("at"), "x", "secure", NULL)) == GOOD);
    unlink(in_folder("-d"));
    unlink(in_folder("loop"));
}

static void handler(int signo) { }

static void what_stays(void)
{
    CHECK(IN_CHILD(
        char numbers[4][30]; sigset_t set; timer_t timer; static char stack[1 << 16];
        int fd = open("/dev/null", O_RDONLY); int closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
        sigemptyset(&set); sigaddset(&set, SIGUSR1); sigprocmask(SIG_BLOCK, &set, NULL); raise(SIGUSR1);
        signal(SIGUSR2, SIG_IGN); signal(SIGHUP, handler);
        struct itimerval real = {.it_value = {5000, 0}}; setitimer(ITIMER_REAL, &real, NULL); timer_create(CLOCK_MONOTONIC, NULL, &timer);
        stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack}; sigaltstack(&alt, NULL);
        umask(0712); setpriority(PRIO_PROCESS, 0, 5); prctl(PR_SET_PDEATHSIG, SIGTERM); prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        prctl(PR_SET_NAME, "forgotten"); prctl(PR_SET_DUMPABLE, 0); prctl(PR_SET_KEEPCAPS, 1); prctl(PR_SET_TIMERSLACK, 77777);
        void *lost = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        snprintf(numbers[0], 30, "%d", fd); snprintf(numbers[1], 30, "%d", closed); snprintf(numbers[2], 30, "%d", getpid()); snprintf(numbers[3], 30, "%p", lost);
        if (chdir("/")) _exit(97);
        execl(self, self, "kept", numbers[0], numbers[1], numbers[2], numbers[3], NULL)) == GOOD);
}

static void *execute(void *arg)
{
    execl(self, self, arg, NULL);
    return NULL;
}

/* When the first thread has ended, by a name, and a file without a name. */
static void *execute_late(void *arg)
{
    usleep(50000);
    return execute(arg);
}

static void *execute_memory(void *arg)
{
    static char bytes[1 << 16];
    int m = memfd_create("late", MFD_CLOEXEC), in = open(self, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;)
        CHECK(write(m, bytes, (size_t)n) == n);
    usleep(50000);
    fexecve(m, (char *[]){"x", arg, NULL}, environ);
    return NULL;
}

static void *wait_long(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void *compute(void *arg)
{
    for (volatile unsigned i = 0;; i++)
        continue;
    return arg;
}

/* A thread executes: the others end, and the process keeps its number. */
static void threads(void)
{
    for (int i = 0; i < 4; i++)
        CHECK(IN_CHILD(pthread_t t; pthread_create(&t, NULL, wait_long, NULL); pthread_create(&t, NULL, compute, NULL);
                       pthread_create(&t, NULL, execute, "good"); if (i & 1) pthread_exit(NULL); wait_long(NULL)) == GOOD);
    CHECK(IN_CHILD(pthread_t t; pthread_create(&t, NULL, execute_late, "good"); pthread_exit(NULL)) == GOOD);
    CHECK(IN_CHILD(pthread_t t; pthread_create(&t, NULL, execute_memory, "good"); pthread_exit(NULL)) == GOOD);
    pid_t pid = vfork();
    if (pid == 0) {
        execl(self, self, "good", NULL);
        _exit(1);
    }
    CHECK(code_of(pid) == GOOD);
}

/* Our own machine's programs run as they are, with what they are given. */
static void native(void)
{
    int p[2], closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char script[400], got[64] = "";
    CHECK(pipe(p) == 0);
    snprintf(script, sizeof script, "test \"$KEPT\" = value && test \"$1\" = 'an argument' && test ! -e /proc/self/fd/%d && trap '' TERM && printf done >&%d", closed, p[1]);
    CHECK(IN_CHILD(execve("/bin/sh", (char *[]){"another name", "-c", script, "zero", "an argument", NULL}, (char *[]){"KEPT=value", "PATH=/bin:/usr/bin", NULL})) == 0);
    CHECK(read(p[0], got, sizeof got) == 4 && !strcmp(got, "done"));
    snprintf(script, sizeof script, "test \"$0\" = zero && grep -q '^SigIgn:.*2$' /proc/self/status && ulimit -S -n");
    CHECK(IN_CHILD(for (int i = 1; i < 65; i++) signal(i, i == SIGINT ? SIG_IGN : SIG_DFL);
                   setrlimit(RLIMIT_NOFILE, &(struct rlimit){77, 100}); dup2(p[1], 1);
                   execl("/bin/sh", "sh", "-c", script, "zero", NULL)) == 0);
    memset(got, 0, sizeof got);
    CHECK(read(p[0], got, sizeof got) == 3 && !strcmp(got, "77\n"));
    close(p[0]);
    close(p[1]);
    close(closed);
}

int main(int argc, char **argv)
{
    if (argc > 1 || !argv[0] || !argv[0][0])
        return play(argc, argv);
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0 && mkdtemp(folder));
    alarm(100);
    descriptors();
    scripts();
    arguments();
    names();
    what_stays();
    threads();
    native();
    rmdir(folder);
    DONE();
}
