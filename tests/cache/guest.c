/* A guest for the tests of the translation cache: many functions, an answer that depends on all of them. */
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

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, v[sizeof functions / sizeof *functions], x = 1;
    for (unsigned r = 0; r < rounds; r++)
        for (unsigned i = 0; i < sizeof v / sizeof *v; i++)
            x = v[i] = functions[i](x);
    qsort(v, sizeof v / sizeof *v, sizeof *v, compare);
    printf("%s %08x %08x %.3f\n", greeting, x, v[7], x / 7.0);
    fflush(stdout);
    if (argc > 2 && !strcmp(argv[2], "wait"))
        while (read(0, &x, 1) > 0)
            ;
    return 0;
}
