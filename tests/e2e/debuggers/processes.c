/* For debuggers: children of every kind. The arguments name them in their order; each is waited for. */
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *self;

static void in_child(int code)
{
    _exit(code);
}

static void report(const char *what, pid_t pid)
{
    int status = 0;
    if (pid > 0)
        waitpid(pid, &status, __WALL);
    printf("%s: %d %d\n", what, pid > 0, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    fflush(stdout);
}

static void by_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        in_child(7);
    report("fork", pid);
}

static void by_vfork(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl(self, self, "exit", "9", (char *)NULL);
        _exit(127);
    }
    report("vfork", pid);
}

static void by_clone3(void)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        in_child(11);
    report("clone3", pid);
}

static void *executes(void *arg)
{
    (void)arg;
    execl(self, self, "exit", "13", (char *)NULL);
    return NULL;
}

static void by_thread(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        pthread_create(&t, NULL, executes, NULL);
        pause();
    }
    report("exec of a thread", pid);
}

static void by_signal(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGTERM);
        _exit(1);
    }
    report("signal", pid);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*make)(void);
    } kinds[] = {
        {"fork", by_fork}, {"vfork", by_vfork}, {"clone3", by_clone3}, {"thread", by_thread}, {"signal", by_signal}};
    self = argv[0];
    if (argc > 2 && !strcmp(argv[1], "exit"))
        return atoi(argv[2]);
    for (int i = 1; i < argc; i++)
        for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (!strcmp(argv[i], kinds[k].name))
                kinds[k].make();
    return 0;
}
