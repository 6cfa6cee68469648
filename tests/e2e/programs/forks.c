/*
 * forks N: N processes, three kinds in turn: fork, vfork with exec of this program, fork of a pipeline of two. Each
 * sends what was asked through a pipe; sums and exit codes must come out right.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const char *what)
{
    perror(what);
    exit(2);
}

static void finish(pid_t pid, int code)
{
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != code) {
        fprintf(stderr, "child ended with status 0x%x, wanted exit code %d\n", status, code);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    if (argc > 2) { /* the child that was executed */
        int v = atoi(argv[2]);
        if (write(1, &v, sizeof v) != sizeof v)
            return 99;
        return v & 63;
    }
    int n = argc > 1 ? atoi(argv[1]) : 100;
    long sum = 0, want = 0;
    for (int i = 0; i < n; i++) {
        int fd[2], v = 0;
        pid_t pid;
        if (pipe(fd))
            failed("pipe");
        if (i % 3 == 0) {
            if ((pid = fork()) < 0)
                failed("fork");
            if (!pid)
                _exit(write(fd[1], &i, sizeof i) == sizeof i ? i & 63 : 99);
        } else if (i % 3 == 1) {
            char number[16];
            snprintf(number, sizeof number, "%d", i);
            if ((pid = vfork()) < 0)
                failed("vfork");
            if (!pid) {
                dup2(fd[1], 1);
                execl("/proc/self/exe", argv[0], "child", number, NULL);
                execl(argv[0], argv[0], "child", number, NULL);
                _exit(98);
            }
        } else {
            if ((pid = fork()) < 0)
                failed("fork");
            if (!pid) {
                int inner[2];
                if (pipe(inner))
                    failed("pipe");
                pid_t second = fork();
                if (second < 0)
                    failed("fork");
                if (!second)
                    _exit(write(inner[1], &i, sizeof i) == sizeof i ? 7 : 99);
                if (read(inner[0], &v, sizeof v) != sizeof v)
                    failed("read");
                finish(second, 7);
                _exit(write(fd[1], &v, sizeof v) == sizeof v ? i & 63 : 99);
            }
        }
        close(fd[1]);
        if (read(fd[0], &v, sizeof v) != sizeof v)
            failed("read");
        close(fd[0]);
        finish(pid, i & 63);
        sum += v;
        want += i;
    }
    printf("%d processes, sum %s\n", n, sum == want ? "right" : "wrong");
    return sum != want;
}
