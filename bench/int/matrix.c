/* Products of matrices of 32-bit integers, and a transposition between: multiply-accumulate with strided loads. */
#include "../bench.h"

enum { N = 200 };
static uint32_t a[N][N], b[N][N], c[N][N];

int main(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = rnd();
            b[i][j] = rnd();
        }
    uint64_t sum = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                uint32_t t = 0;
                for (int k = 0; k < N; k++)
                    t += a[i][k] * b[k][j];
                c[i][j] = t;
            }
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                a[j][i] = c[i][j] ^ b[i][j] >> 3;
        sum = mix(sum, c[round][N - 1 - round]);
    }
    return report(sum);
}
