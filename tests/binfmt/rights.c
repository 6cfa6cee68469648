/* Tells of its rights, for rights.py; `under WORDS…` executes the words without new privileges. */
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char line[256];
    unsigned long caps = 0;
    FILE *f;
    if (argc > 2 && !strcmp(argv[1], "under")) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        execv(argv[2], argv + 2);
        return 1;
    }
    f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "CapEff: %lx", &caps);
    printf("uid %d euid %d gid %d egid %d secure %lu auxeuid %lu raw %lu %s\n", getuid(), geteuid(), getgid(), getegid(), getauxval(AT_SECURE), getauxval(AT_EUID), caps >> 13 & 1,
           argc > 1 ? argv[1] : "");
    return 0;
}
