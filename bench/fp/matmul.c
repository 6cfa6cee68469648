/* Products of double matrices, rows times rows: multiply-accumulate that compilers make vectors of. */
#include "../bench.h"

enum { N = 256 };
static double a[N][N], b[N][N], c[N][N];

__attribute__((noinline, optimize("O3"))) static void multiply(void)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            c[i][j] = 0;
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                c[i][j] += a[i][k] * b[k][j];
    }
}

int main(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = rnd_unit() - 0.5;
            b[i][j] = rnd_unit() - 0.5;
        }
    uint64_t sum = 0;
    for (int round = 0; round < 160; round++) {
        multiply();
        for (int i = 0; i < N; i++)
            a[i][(i * 7 + round) % N] = c[i][i] * 0.125;
        sum = mix_double(sum, c[round % N][(N - 1 - round) & (N - 1)]);
    }
    return report(sum);
}
