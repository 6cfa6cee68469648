/*
 * Processes: fork, vfork, posix_spawn, clone with shared memory, execve of programs and scripts, waiting, exit codes,
 * descriptors and signal state across execve. The program executes itself: argv[1] names the part to play.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

extern char **environ;
static char self[4096];

/* -- parts of the executed program */

static bool is_blocked(int signo)
{
    sigset_t s;
    sigprocmask(SIG_BLOCK, NULL, &s);
    return sigismember(&s, signo);
}

static int play(int argc, char **argv)
{
    struct sigaction a;
    if (!strcmp(argv[1], "exit"))
        return atoi(argv[2]);
    if (!strcmp(argv[1], "args")) { /* args name variable count */
        const char *v = getenv("METIC_TEST");
        return !strcmp(argv[0], argv[2]) && v && !strcmp(v, argv[3]) && argc == atoi(argv[4]) ? 21 : 1;
    }
    if (!strcmp(argv[1], "signals")) { /* USR1 ignored, USR2 was caught, TERM and SEGV blocked, SIGBUS ignored */
        int bad = 0;
        sigaction(SIGUSR1, NULL, &a);
        bad |= a.sa_handler != SIG_IGN;
        sigaction(SIGUSR2, NULL, &a);
        bad |= (a.sa_handler != SIG_DFL) << 1;
        sigaction(SIGBUS, NULL, &a);
        bad |= (a.sa_handler != SIG_IGN) << 2;
        bad |= (!is_blocked(SIGTERM) || !is_blocked(SIGSEGV)) << 3;
        bad |= is_blocked(SIGUSR1) << 4;
        sigset_t p;
        sigpending(&p);
        bad |= !sigismember(&p, SIGTERM) << 5;
        return bad;
    }
    if (!strcmp(argv[1], "files")) /* open and closed descriptor */
        return fcntl(atoi(argv[2]), F_GETFD) >= 0 && fcntl(atoi(argv[3]), F_GETFD) < 0 ? 22 : 1;
    if (!strcmp(argv[1], "script")) /* script options script-name args */
        return argc >= 4 && strstr(argv[2], "script-") && !strcmp(argv[argc - 1], "last") ? 23 : 1;
    if (!strcmp(argv[1], "die")) {
        signal(atoi(argv[2]), SIG_DFL);
        raise(atoi(argv[2]));
    }
    if (!strcmp(argv[1], "count"))
        return argc == atoi(argv[2]) ? 24 : 1;
    return 99;
}

static int status_of(pid_t pid)
{
    int status = -1;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

static int code_of(pid_t pid)
{
    int status = status_of(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* -- fork */

static void forks(void)
{
    int value = 1, p[2];
    char buf[8];
    CHECK(pipe(p) == 0);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        value = 2;
        bool ok = getppid() == parent && write(p[1], "child", 6) == 6;
        _exit(ok ? 5 : 1);
    }
    CHECK(code_of(pid) == 5 && value == 1 && read(p[0], buf, 8) == 6 && !strcmp(buf, "child"));
    close(p[0]);
    close(p[1]);
    for (int code = 0; code < 256; code += 51) {
        pid = fork();
        if (pid == 0)
            _exit(code);
        CHECK(code_of(pid) == code);
    }
    /* Stopped and continued. */
    pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(9);
    }
    int status;
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    kill(pid, SIGCONT);
    CHECK(code_of(pid) == 9);
    /* waitid and its siginfo. */
    siginfo_t info;
    pid = fork();
    if (pid == 0)
        _exit(12);
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0 && info.si_status == 12 && info.si_code == CLD_EXITED);
    CHECK(info.si_pid == pid && code_of(pid) == 12);
    FAILS(waitpid(pid, NULL, 0), ECHILD);
    /* Children of children. */
    pid = fork();
    if (pid == 0) {
        pid_t inner = fork();
        if (inner == 0)
            _exit(40);
        _exit(code_of(inner) + 1);
    }
    CHECK(code_of(pid) == 41);
}

static volatile int chld;
static void on_chld(int signo, siginfo_t *info, void *uc) { chld = info->si_status; }

static void child_signal(void)
{
    struct sigaction a = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART}, old;
    sigaction(SIGCHLD, &a, &old);
    pid_t pid = fork();
    if (pid == 0)
        _exit(66);
    CHECK(code_of(pid) == 66 && chld == 66);
    a = (struct sigaction){.sa_handler = SIG_IGN};
    sigaction(SIGCHLD, &a, NULL);
    pid = fork();
    if (pid == 0)
        _exit(1);
    FAILS(waitpid(pid, NULL, 0), ECHILD); /* reaped by itself */
    sigaction(SIGCHLD, &old, NULL);
}

/* -- children that share memory */

static volatile int shared;
static char child_stack[64 << 10] __attribute__((aligned(16)));

static int share(void *arg)
{
    shared += (int)(intptr_t)arg;
    return 17;
}

static int share_and_crash(void *arg)
{
    shared += 1;
    *(volatile int *)bad_pointer = 1;
    return 0;
}

static int share_and_exec(void *arg)
{
    shared += 2;
    execl(self, self, "exit", "18", NULL);
    return 1;
}

static void sharing(void)
{
    shared = 0;
    for (int i = 0; i < 10; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            shared += 1;
            _exit(3);
        }
        CHECK(shared == i + 1 && code_of(pid) == 3);
    }
    pid_t pid = vfork();
    if (pid == 0) {
        execl(self, self, "exit", "4", NULL);
        _exit(1);
    }
    CHECK(code_of(pid) == 4);
    pid = vfork();
    if (pid == 0) {
        execl("/nonexistent", "x", NULL);
        _exit(errno);
    }
    CHECK(code_of(pid) == ENOENT);

    void *top = child_stack + sizeof child_stack;
    shared = 0;
    CHECK(code_of(clone(share, top, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)5)) == 17 && shared == 5);
    CHECK(code_of(clone(share, top, CLONE_VM | SIGCHLD, (void *)6)) == 17 && shared == 11);
    int status = status_of(clone(share_and_crash, top, CLONE_VM | SIGCHLD, NULL));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && shared == 12);
    status = status_of(clone(share_and_crash, top, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && shared == 13);
    CHECK(code_of(clone(share_and_exec, top, CLONE_VM | SIGCHLD, NULL)) == 18 && shared == 15);
    /* A copy of the memory, on a stack of its own. */
    CHECK(code_of(clone(share, top, SIGCHLD, (void *)6)) == 17 && shared == 15);
    /* No signal at the end: only waited for with __WCLONE or __WALL. */
    pid = clone(share, top, CLONE_VM | CLONE_VFORK, (void *)1);
    CHECK(waitpid(pid, &status, __WALL) == pid && WEXITSTATUS(status) == 17);
}

static void nothing(int signo) { }

static void spawning(void)
{
    pid_t pid;
    char *argv[] = {"name of its own", "args", "name of its own", "value", "5", NULL};
    char *envp[] = {"METIC_TEST=value", NULL};
    for (int i = 0; i < 20; i++) {
        CHECK(posix_spawn(&pid, self, NULL, NULL, argv, envp) == 0);
        CHECK(code_of(pid) == 21);
    }
    CHECK(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, envp) == ENOENT);
    /* Actions and attributes: a descriptor moved, signals set to default. */
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t s;
    char number[16];
    int p[2];
    CHECK(pipe2(p, O_CLOEXEC) == 0);
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, p[1], 50);
    snprintf(number, sizeof number, "%d", p[0]);
    char *files[] = {self, "files", "50", number, NULL};
    CHECK(posix_spawn(&pid, self, &fa, NULL, files, environ) == 0 && code_of(pid) == 22);
    posix_spawn_file_actions_destroy(&fa);
    signal(SIGTERM, SIG_IGN);
    signal(SIGUSR1, nothing);
    posix_spawnattr_init(&at);
    sigemptyset(&s);
    sigaddset(&s, SIGTERM);
    posix_spawnattr_setsigdefault(&at, &s);
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF);
    char *die[] = {self, "die", "15", NULL};
    CHECK(posix_spawn(&pid, self, NULL, &at, die, environ) == 0);
    int status = status_of(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    posix_spawnattr_destroy(&at);
    signal(SIGTERM, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    close(p[0]);
    close(p[1]);
    CHECK(WEXITSTATUS(system("exit 6")) == 6);
}

/* -- execve */

static pid_t run(char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        execv(self, argv);
        _exit(100);
    }
    return pid;
}

static void executing(void)
{
    setenv("METIC_TEST", "some value", 1);
    CHECK(code_of(run((char *[]){"", "args", "", "some value", "5", NULL})) == 21);
    CHECK(code_of(run((char *[]){"-name", "args", "-name", "some value", "5", NULL})) == 21);
    CHECK(code_of(run((char *[]){"a", "exit", "200", NULL})) == 200);
    for (int signo = 1; signo < 32; signo++) {
        if (signo == SIGCHLD || signo == SIGCONT || signo == SIGURG || signo == SIGWINCH || signo == SIGSTOP ||
            signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU)
            continue;
        char number[8];
        snprintf(number, sizeof number, "%d", signo);
        int status = status_of(run((char *[]){"a", "die", number, NULL}));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signo);
    }
    /* Signal state: ignored stays, caught goes, the mask and what is pending stay. */
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t s;
        signal(SIGUSR1, SIG_IGN);
        signal(SIGBUS, SIG_IGN);
        signal(SIGUSR2, nothing);
        sigemptyset(&s);
        sigaddset(&s, SIGTERM);
        sigaddset(&s, SIGSEGV);
        sigprocmask(SIG_BLOCK, &s, NULL);
        kill(getpid(), SIGTERM);
        execl(self, self, "signals", NULL);
    }
    CHECK(code_of(pid) == 0);
    /* Descriptors, and the forms of execveat. */
    int open_fd = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char a[16], b[16];
    snprintf(a, sizeof a, "%d", open_fd);
    snprintf(b, sizeof b, "%d", closed);
    CHECK(code_of(run((char *[]){"a", "files", a, b, NULL})) == 22);
    pid = fork();
    if (pid == 0) {
        int fd = open(self, O_PATH | O_CLOEXEC);
        syscall(SYS_execveat, fd, "", (char *[]){"a", "exit", "31", NULL}, environ, AT_EMPTY_PATH);
        _exit(100);
    }
    CHECK(code_of(pid) == 31);
    pid = fork();
    if (pid == 0) {
        char folder[sizeof self], *name;
        strcpy(folder, self);
        name = strrchr(folder, '/');
        *name = 0;
        int fd = open(folder, O_PATH | O_CLOEXEC | O_DIRECTORY);
        if (chdir("/"))
            _exit(101);
        syscall(SYS_execveat, fd, name + 1, (char *[]){"a", "exit", "32", NULL}, environ, 0);
        _exit(100);
    }
    CHECK(code_of(pid) == 32);
    close(open_fd);
    close(closed);
    /* Many and long arguments. */
    enum { MANY = 5000 };
    static char *many[MANY + 4], text[100];
    memset(text, 'x', sizeof text - 1);
    many[0] = "a", many[1] = "count", many[2] = "5003";
    for (int i = 0; i < MANY; i++)
        many[3 + i] = text;
    CHECK(code_of(run(many)) == 24);
    pid = fork();
    if (pid == 0) {
        size_t size = 8 << 20;
        char *huge = memset(malloc(size), 'y', size);
        huge[size - 1] = 0;
        execl(self, self, huge, NULL);
        _exit(errno == E2BIG ? 51 : 52);
    }
    CHECK(code_of(pid) == 51);
}

static void refused(void)
{
    char *argv[] = {"x", NULL};
    char text[] = "/tmp/metic-process-XXXXXX";
    int fd = mkstemp(text);
    FAILS(execv("/nonexistent", argv), ENOENT);
    FAILS(execv("/", argv), EACCES);
    FAILS(execv("/dev/null", argv), EACCES);
    FAILS(execv("/dev/null/x", argv), ENOTDIR);
    FAILS(execv("", argv), ENOENT);
    FAILS(execv(BAD_POINTER, argv), EFAULT);
    FAILS(execv(self, (char **)BAD_POINTER), EFAULT);
    FAILS(execv(text, argv), EACCES); /* not executable */
    CHECK(write(fd, "no program", 10) == 10 && fchmod(fd, 0755) == 0 && close(fd) == 0);
    FAILS(execv(text, argv), ENOEXEC);
    Elf64_Ehdr header; /* this program's, of a file that is to be linked */
    int from = open(self, O_RDONLY);
    CHECK(read(from, &header, sizeof header) == sizeof header && close(from) == 0);
    header.e_type = ET_REL;
    fd = open(text, O_WRONLY | O_TRUNC);
    CHECK(write(fd, &header, sizeof header) == sizeof header && close(fd) == 0);
    FAILS(execv(text, argv), ENOEXEC);
    unlink(text);
}

/* The script's interpreter is this program. */
static void scripts(void)
{
    char name[] = "/tmp/metic-script-XXXXXX", line[sizeof self + 40], second[] = "/tmp/metic-script-XXXXXX";
    int fd = mkstemp(name), n = snprintf(line, sizeof line, "#! %s  script\nanything\n", self);
    if (n >= 255) { /* longer than the kernel reads */
        close(fd);
        unlink(name);
        return;
    }
    CHECK(write(fd, line, (size_t)n) == n && fchmod(fd, 0755) == 0 && close(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl(name, "ignored", "one", "last", NULL);
        _exit(100);
    }
    CHECK(code_of(pid) == 23);
    fd = mkstemp(second);
    n = snprintf(line, sizeof line, "#!%s\n", name);
    CHECK(write(fd, line, (size_t)n) == n && fchmod(fd, 0755) == 0 && close(fd) == 0);
    pid = fork();
    if (pid == 0) {
        execl(second, second, "last", NULL);
        _exit(100);
    }
    CHECK(code_of(pid) == 23);
    fd = open(second, O_WRONLY | O_TRUNC);
    CHECK(write(fd, "#!/nonexistent\n", 15) == 15 && close(fd) == 0);
    FAILS(execl(second, second, NULL), ENOENT);
    fd = open(second, O_WRONLY | O_TRUNC);
    n = snprintf(line, sizeof line, "#!%s\n", second);
    CHECK(write(fd, line, (size_t)n) == n && close(fd) == 0);
    FAILS(execl(second, second, NULL), ELOOP);
    unlink(name);
    unlink(second);
}

/* -- many at once */

static void storm(void)
{
    enum { ROUNDS = 20, AT_ONCE = 10 };
    for (int i = 0; i < ROUNDS; i++) {
        int p[2], ok = 0;
        CHECK(pipe(p) == 0);
        for (int k = 0; k < AT_ONCE; k++) {
            pid_t pid = fork();
            CHECK(pid >= 0);
            if (pid == 0) {
                char c = (char)('a' + k);
                _exit(write(p[1], &c, 1) == 1 ? k : 255);
            }
        }
        close(p[1]);
        char seen[AT_ONCE + 1];
        int n = 0, sum = 0;
        for (ssize_t r; (r = read(p[0], seen, sizeof seen)) > 0; n += (int)r)
            ;
        for (int k = 0, status; k < AT_ONCE && wait(&status) > 0; k++) {
            ok += WIFEXITED(status);
            sum += WEXITSTATUS(status);
        }
        CHECK(n == AT_ONCE && ok == AT_ONCE && sum == AT_ONCE * (AT_ONCE - 1) / 2);
        close(p[0]);
    }
}

/* No descriptor is free: new code runs, in new processes and threads of control, and other programs. */
static void without_descriptors(void)
{
    pid_t pid = fork();
    if (!pid) {
        struct rlimit few = {64, 64};
        char *argv[] = {self, "exit", "31", NULL};
        setrlimit(RLIMIT_NOFILE, &few);
        while (dup(0) >= 0)
            ;
        if (errno != EMFILE)
            _exit(1);
        for (int i = 0; i < 3; i++) {
            pid_t child = fork();
            if (!child) {
                if (i == 2)
                    execve(self, argv, environ);
                char text[64];
                snprintf(text, sizeof text, "%.3f %d", strtod("30.0e0", NULL), i);
                _exit(!strncmp(text, "30.000", 6) ? 31 : 1);
            }
            if (child < 0 || code_of(child) != 31)
                _exit(2 + i);
        }
        _exit(31);
    }
    CHECK(code_of(pid) == 31);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return play(argc, argv);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    forks();
    child_signal();
    sharing();
    spawning();
    executing();
    refused();
    scripts();
    without_descriptors();
    storm();
    DONE();
}
