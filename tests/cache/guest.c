/* A guest for the tests of the translation cache: many functions, an answer that depends on all of them. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
