/* -sandbox: what its text may be, and what a process inside can and cannot do. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "system/sandbox.h"

static struct sandbox must_read(const char *text)
{
    struct sandbox s;
    char *error = sandbox_read(&s, text);
    cr_assert_null(error, "%s", error);
    return s;
}

Test(sandbox, options)
{
    static const struct {
        const char *text, *line;
    } wrong[] = {
        {"maybe", "-sandbox wants on or off, not 'maybe'"},
        {"spawn=deny", "-sandbox wants on or off, not 'spawn=deny'"},
        {"on,spawn=never", "-sandbox: spawn is allow or deny, not 'never'"},
        {"on,elevateprivileges=1", "-sandbox: elevateprivileges is allow, children or deny, not '1'"},
        {"on,obsolete=children", "-sandbox: obsolete is allow or deny, not 'children'"},
        {"on,net=deny", "-sandbox has no part net; there are obsolete, elevateprivileges, spawn and resourcecontrol"},
    };
    struct sandbox s = must_read("on");
    cr_assert(s.on && !s.obsolete && !s.elevateprivileges && !s.spawn && !s.resourcecontrol);
    cr_assert(!must_read("off").on);
    s = must_read("enable=on,obsolete=allow,elevateprivileges=children,spawn=allow,resourcecontrol=allow");
    cr_assert(s.on && s.obsolete && s.elevateprivileges == SANDBOX_CHILDREN && s.spawn && s.resourcecontrol);
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        char *error = sandbox_read(&s, wrong[i].text);
        cr_assert_str_eq(error, wrong[i].line);
        free(error);
    }
}

/* How a process ends that closes the sandbox and calls fn(): its exit code, or less the signal. */
static int result(const char *text, int (*fn)(void))
{
    struct sandbox s = must_read(text);
    pid_t child = fork();
    if (!child) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        char *error = sandbox_close(&s);
        syscall(SYS_exit_group, error ? 99 : fn());
    }
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void *add_one(void *p)
{
    ++*(int *)p;
    return NULL;
}

/* What disks, networks and the code generator do. */
static int work(void)
{
    int pair[2], n = 0;
    pthread_t thread;
    char c = 'x', got = 0;
    if (pthread_create(&thread, NULL, add_one, &n) || pthread_join(thread, NULL) || n != 1)
        return 1;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || write(fd, &c, 1) != 1 || close(fd) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return 2;
    if (write(pair[0], &c, 1) != 1 || read(pair[1], &got, 1) != 1 || got != c)
        return 3;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_EXEC) || madvise(p, 4096, MADV_DONTNEED) || munmap(p, 4096))
        return 4;
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) ? 5 : 0;
}

static int run_program(void)
{
    char *argv[] = {(char *)"true", NULL};
    execv("/bin/true", argv);
    return 7;
}

static int fork_one(void)
{
    pid_t child = fork();
    if (!child)
        _exit(0);
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : 8;
}

static int change_user(void) { return setuid(getuid()) ? errno : 0; }
static int trace(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? 9 : 10; }
static int old_call(void) { return syscall(SYS_ustat, 0, NULL) && errno == EFAULT ? 0 : errno; }
static int signal_parent(void) { return kill(getppid(), 0) ? errno : 0; }
static int limit_files(void) { return setrlimit(RLIMIT_NOFILE, &(struct rlimit){16, 16}) ? errno : 0; }

static int set_affinity(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) || sched_setaffinity(0, sizeof set, &set) ? errno : 0;
}

Test(sandbox, what_is_denied)
{
    cr_assert_eq(result("on", work), 0);
    cr_assert_eq(result("on", run_program), -SIGSYS);
    cr_assert_eq(result("on", fork_one), -SIGSYS);
    cr_assert_eq(result("on", change_user), -SIGSYS);
    cr_assert_eq(result("on", trace), -SIGSYS);
    cr_assert_eq(result("on", old_call), -SIGSYS);
    cr_assert_eq(result("on", signal_parent), ENOSYS);
    cr_assert_eq(result("on", set_affinity), EPERM);
    cr_assert_neq(result("on", limit_files), 0);
}

Test(sandbox, what_can_be_allowed)
{
    cr_assert_eq(result("on,spawn=allow", work), 0);
    cr_assert_eq(result("on,spawn=allow", run_program), 0);
    cr_assert_eq(result("on,spawn=allow", fork_one), 0);
    cr_assert_eq(result("on,spawn=allow", change_user), -SIGSYS);
    cr_assert_eq(result("on,elevateprivileges=allow", change_user), 0);
    cr_assert_eq(result("on,elevateprivileges=children", change_user), 0);
    cr_assert_eq(result("on,elevateprivileges=allow", run_program), -SIGSYS);
    cr_assert_neq(result("on,obsolete=allow", old_call), -SIGSYS);
    cr_assert_eq(result("on,resourcecontrol=allow", set_affinity), 0);
    cr_assert_eq(result("on,resourcecontrol=allow", limit_files), 0);
    cr_assert_eq(result("on,obsolete=allow,elevateprivileges=allow,spawn=allow,resourcecontrol=allow", trace), -SIGSYS);
}
