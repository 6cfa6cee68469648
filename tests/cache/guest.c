/* A guest for the tests of the translation cache: many functions, an answer that depends on all of them. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The last byte of the text is changed by a test. */
static const char greeting[] = "the answer is A";

#define F(n)                                                        \
    static __attribute__((noinline)) unsigned f##n(unsigned x)      \
    {                                                               \
        for (unsigned i = 0; i < 3 + x % 5; i++)                    \
            x = x % (n + 7) ? x * (2 * n + 3) ^ x >> 3 : x + n + i; \
        return x;                                                   \
    }
#define TEN(F, n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
TEN(F, 1) TEN(F, 2) TEN(F, 3) TEN(F, 4) TEN(F, 5)

#define NAME(n) f##n,
static unsigned (*const functions[])(unsigned) = {TEN(NAME, 1) TEN(NAME, 2) TEN(NAME, 3) TEN(NAME, 4) TEN(NAME, 5)};

static int compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

#ifdef LIBRARIES
/* Libraries that come and go while other threads run code of the same kind. */
static _Atomic int done;

static void *compute(void *arg)
{
    unsigned x = *(unsigned *)arg;
    while (!done)
        for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++)
            x = functions[i](x);
    return NULL;
}

static int load_and_unload(unsigned rounds)
{
    pthread_t thread[2];
    unsigned seed[2] = {1, 2};
    double sum = 0;
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; r == rounds / 2 && i < 2; i++) /* alone at first */
            if (pthread_create(&thread[i], NULL, compute, &seed[i]))
                return 1;
        void *lib = dlopen("libm.so.6", RTLD_NOW);
        double (*f)(double) = lib ? (double (*)(double))dlsym(lib, r % 2 ? "tgamma" : "cbrt") : NULL;
        if (!f)
            return 2;
        sum += f(1 + r % 7);
        if (dlclose(lib))
            return 3;
    }
    done = 1;
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    printf("%.6f\n", sum);
    return 0;
}

#endif

/*
 * Three pages of functions: each of the first and of the third goes on in the second, which gives 1; then another
 * second page, which gives 2.
 */
#if defined __aarch64__
#define GO(to)  "b " to "\n"
#define GIVE(n) "mov w0, #" n "\n ret\n"
#define PLAIN
#else
#define GO(to)  "j " to "\n"
#define GIVE(n) "li a0, " n "\n ret\n"
#define PLAIN   ".option push\n.option norvc\n.option norelax\n"
#endif
#define FUNCTIONS(code) ".rept 64\n1: " code ".balign 64\n.endr\n"
__asm__(".pushsection .rodata\n" PLAIN ".balign 4096\npages:\n" FUNCTIONS(GO("1b + 4096")) FUNCTIONS(GIVE("1")) FUNCTIONS(GO("1b - 4096"))
        FUNCTIONS(GIVE("2"))
#if defined __riscv
        ".option pop\n"
#endif
        ".popsection\n");
extern const char pages[];
enum { PAGE = 4096, STEP = 64 };

/*
 * What the functions of the first and third page give, which are mapped from the file; its second page may be replaced
 * beforehand, or overwritten as debuggers do it.
 */
static int jump_into(const char *file, const char *how)
{
    int fd = open(file, O_RDWR | O_CREAT, 0600), own = open("/proc/self/exe", O_RDONLY), sum[2] = {0, 0};
    char head[PAGE]; /* only ELF files have stored code */
    if (lseek(fd, 0, SEEK_END) == 0 &&
        (read(own, head, PAGE) != PAGE || write(fd, head, PAGE) != PAGE || write(fd, pages, 3 * PAGE) != 3 * PAGE))
        return 1;
    /* where a linker might have put it: the same for each process */
    char *p = mmap((void *)0x10000000, 3 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, PAGE), *second = p + PAGE;
    if (p == MAP_FAILED)
        return 2;
    if (!strcmp(how, "replace")) {
        if (mmap(second, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != second)
            return 3;
        memcpy(second, pages + 3 * PAGE, PAGE);
        if (mprotect(second, PAGE, PROT_READ | PROT_EXEC))
            return 4;
        __builtin___clear_cache(second, second + PAGE);
    }
    if (!strcmp(how, "overwrite") && pwrite(open("/proc/self/mem", O_RDWR), pages + 3 * PAGE, PAGE, (off_t)(long)second) != PAGE)
        return 5;
    for (int third = 0; third < 2; third++)
        for (int at = 0; at < PAGE; at += STEP)
            for (int round = 0; round < 3; round++)
                sum[third] += ((int (*)(void))(p + third * 2 * PAGE + at))();
    printf("%d %d\n", sum[0], sum[1]);
    return 0;
}

static void *sleep_on(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void execute_beside_a_thread(char **argv)
{
    pthread_t thread;
    if (!pthread_create(&thread, NULL, sleep_on, NULL))
        execv(argv[0], (char *[]){argv[0], NULL});
    _exit(3);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, v[sizeof functions / sizeof *functions], x = 1;
#ifdef LIBRARIES
    if (argc > 2 && !strcmp(argv[2], "libraries"))
        return load_and_unload(rounds);
#endif
    if (argc > 3)
        return jump_into(argv[3], argv[2]);
    for (unsigned r = 0; r < rounds; r++)
        for (unsigned i = 0; i < sizeof v / sizeof *v; i++)
            x = v[i] = functions[i](x);
    qsort(v, sizeof v / sizeof *v, sizeof *v, compare);
    printf("%s %08x %08x %.3f\n", greeting, x, v[7], x / 7.0);
    fflush(stdout);
    if (argc > 2 && !strcmp(argv[2], "wait"))
        while (read(0, &x, 1) > 0)
            ;
    if (argc > 2 && !strcmp(argv[2], "abort"))
        abort();
    if (argc > 2 && !strcmp(argv[2], "execute"))
        execute_beside_a_thread(argv);
    return 0;
}
