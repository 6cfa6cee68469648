/* Merge sort and heap sort of 32-bit integers: unpredictable compares, loads and stores. */
#include "../bench.h"

enum { N = 500000 };
static uint32_t a[N], b[N];

static void merge_sort(uint32_t *v, uint32_t *space, int n)
{
    if (n < 2)
        return;
    int half = n / 2;
    merge_sort(v, space, half);
    merge_sort(v + half, space, n - half);
    memcpy(space, v, half * sizeof *v);
    int i = 0, j = half, k = 0;
    while (i < half && j < n)
        v[k++] = v[j] < space[i] ? v[j++] : space[i++];
    while (i < half)
        v[k++] = space[i++];
}

static void sift(uint32_t *v, int root, int n)
{
    uint32_t x = v[root];
    for (int child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && v[child + 1] > v[child])
            child++;
        if (v[child] <= x)
            break;
        v[root] = v[child];
    }
    v[root] = x;
}

static void heap_sort(uint32_t *v, int n)
{
    for (int i = n / 2; i-- > 0;)
        sift(v, i, n);
    while (n-- > 1) {
        uint32_t t = v[0];
        v[0] = v[n];
        v[n] = t;
        sift(v, 0, n);
    }
}

int main(void)
{
    uint64_t sum = 0;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++)
            a[i] = b[i] = rnd() >> 32;
        heap_sort(b, N);
        uint32_t middle = b[N / 2];
        merge_sort(a, b, N);
        if (a[N / 2] != middle)
            return 1;
        for (int i = 0; i < N; i += 101)
            sum = mix(sum, a[i]);
    }
    return report(sum);
}
