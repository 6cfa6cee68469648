/* The largest singular value of the matrix 1 / ((i + j)(i + j + 1) / 2 + i + 1) by power iteration: divisions. */
#include <math.h>

#include "../bench.h"

enum { N = 1000 };
static double u[N], v[N], t[N];

static double entry(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void multiply(const double *in, double *out, int transposed)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++)
            sum += (transposed ? entry(j, i) : entry(i, j)) * in[j];
        out[i] = sum;
    }
}

int main(void)
{
    for (int i = 0; i < N; i++)
        u[i] = 1;
    for (int round = 0; round < 80; round++) {
        multiply(u, t, 0);
        multiply(t, v, 1);
        multiply(v, t, 0);
        multiply(t, u, 1);
    }
    double uv = 0, vv = 0;
    for (int i = 0; i < N; i++) {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    return report(mix_double(0, sqrt(uv / vv)));
}
