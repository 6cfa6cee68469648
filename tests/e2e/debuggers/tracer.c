/* For debuggers: a program that traces a child of its own, call by call. */
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int status, stops = 0;
    pid_t pid = fork();
    if (pid == 0) {
        long ret = ptrace(PTRACE_TRACEME, 0, 0, 0);
        if (ret)
            _exit(2);
        raise(SIGSTOP);
        getppid();
        _exit(5);
    }
    waitpid(pid, &status, 0);
    printf("first %d %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    fflush(stdout);
    if (WIFEXITED(status))
        return 1;
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    for (;;) {
        ptrace(PTRACE_SYSCALL, pid, 0, 0);
        if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            break;
        stops += WSTOPSIG(status) == (SIGTRAP | 0x80);
    }
    printf("stops %d exit %d\n", stops, WEXITSTATUS(status));
    return 0;
}
