/* The C library's qsort and bsearch with comparison functions: indirect calls. */
#include "../bench.h"

enum { N = 200000 };
struct item {
    uint32_t key;
    char name[12];
};
static struct item items[N];

static int by_key(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static int by_name(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int c = memcmp(x->name, y->name, sizeof x->name);
    return c ? c : by_key(a, b);
}

int main(void)
{
    uint64_t sum = 0;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++) {
            items[i].key = rnd() >> 40;
            for (unsigned k = 0; k < sizeof items->name; k++)
                items[i].name[k] = 'a' + (rnd() >> 20) % 4;
        }
        qsort(items, N, sizeof *items, by_name);
        sum = mix(sum, items[N / 3].key);
        qsort(items, N, sizeof *items, by_key);
        for (int i = 0; i < N; i++) {
            struct item want = {.key = rnd() >> 40};
            sum += bsearch(&want, items, N, sizeof *items, by_key) != NULL;
        }
        sum = mix(sum, items[N / 2].key);
    }
    return report(sum);
}
