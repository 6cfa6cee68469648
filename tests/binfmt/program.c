/* What the kernel and metic hand to a program: its arguments, its name, its rights; then maybe another program. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "exec")) {
        execv(argv[2], argv + 3);
        printf("%s\n", strerror(errno));
        return 1;
    }
    if (argc > 2 && !strcmp(argv[1], "chroot")) {
        if (chroot(argv[2]) || chdir("/"))
            return 2;
        execv(argv[3], argv + 4);
        printf("%s\n", strerror(errno));
        return 1;
    }
    if (argc == 2 && !strcmp(argv[1], "random")) {
        const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
        for (int i = 0; i < 16; i++)
            printf("%02x", random[i]);
        printf("\n");
        return 0;
    }
    for (int i = 0; i < argc; i++)
        printf("%s ", argv[i]);
    printf("execfn %s uid %d euid %d secure %lu\n", (const char *)getauxval(AT_EXECFN), (int)getuid(), (int)geteuid(),
           getauxval(AT_SECURE));
    return 0;
}
