/*
 * Children made by several threads at once, by fork, vfork and posix_spawn in turn, while another thread allocates and
 * computes. Each child writes a byte to its pipe and ends with a known code. argv: children per thread, threads.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { CODE = 3, MAX_THREADS = 64 };
extern char **environ;
static char self[4096];
static int children = 30, nthreads = 4;
static bool stop;

static void *allocate(void *arg)
{
    unsigned seed = 1;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        free(memset(malloc((unsigned)rand_r(&seed) % 3000 + 1), 1, 1));
    return NULL;
}

static pid_t spawn(int out)
{
    char *argv[] = {self, "child", NULL};
    posix_spawn_file_actions_t fa;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, out, 1);
    CHECK(posix_spawn(&pid, self, &fa, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&fa);
    return pid;
}

static void one_child(unsigned kind)
{
    int p[2], status = -1;
    char c = 0;
    pid_t pid;
    CHECK(pipe2(p, O_CLOEXEC) == 0);
    switch (kind) {
    case 0:
        pid = fork();
        if (pid == 0)
            _exit(write(p[1], "f", 1) == 1 ? CODE : 1);
        break;
    case 1:
        pid = vfork();
        if (pid == 0)
            _exit(write(p[1], "v", 1) == 1 ? CODE : 1);
        break;
    default:
        pid = spawn(p[1]);
    }
    close(p[1]);
    CHECK(pid > 0 && read(p[0], &c, 1) == 1 && c == "fvs"[kind]);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == CODE);
    close(p[0]);
}

static void *make_children(void *arg)
{
    for (unsigned i = 0; i < (unsigned)children; i++)
        one_child((i + (unsigned)(uintptr_t)arg) % 3);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t t[MAX_THREADS], allocator;
    if (argc == 2 && !strcmp(argv[1], "child"))
        return write(1, "s", 1) == 1 ? CODE : 1;
    if (argc == 3) {
        children = atoi(argv[1]);
        nthreads = atoi(argv[2]) < MAX_THREADS ? atoi(argv[2]) : MAX_THREADS;
    }
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    CHECK(pthread_create(&allocator, NULL, allocate, NULL) == 0);
    for (int i = 0; i < nthreads; i++)
        CHECK(pthread_create(&t[i], NULL, make_children, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < nthreads; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    CHECK(pthread_join(allocator, NULL) == 0);
    DONE();
}
