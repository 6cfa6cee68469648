/* y = a * x + y on arrays of float and double, sums and largest values: vector loops. */
#include "../bench.h"

enum { N = 8192 };
static float xf[N], yf[N];
static double xd[N], yd[N];

#define VECTOR __attribute__((noinline, optimize("O3")))

VECTOR static void axpy_float(float a)
{
    for (int i = 0; i < N; i++)
        yf[i] = a * xf[i] + yf[i];
}

VECTOR static void axpy_double(double a)
{
    for (int i = 0; i < N; i++)
        yd[i] = a * xd[i] + yd[i];
}

VECTOR static double largest(void)
{
    double m = yd[0], sum = 0;
    for (int i = 0; i < N; i++) {
        m = yd[i] > m ? yd[i] : m;
        sum += yd[i];
    }
    return m + sum;
}

int main(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) {
        xf[i] = xd[i] = (float)rnd_unit() - 0.5f;
        yf[i] = yd[i] = (float)rnd_unit();
    }
    for (int round = 0; round < 50000; round++) {
        axpy_float(round & 1 ? 0.5f : -0.4999f);
        axpy_double(round & 1 ? 0.25 : -0.2499);
        sum = mix_double(sum, largest() + yf[round % N]);
    }
    return report(sum);
}
