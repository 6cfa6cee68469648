/* Iterations of z * z + c over a grid: a dependent chain of products and a compare a step. */
#include "../bench.h"

int main(void)
{
    uint64_t sum = 0;
    for (int y = 0; y < 480; y++)
        for (int x = 0; x < 640; x++) {
            double cr = x * (3.0 / 640) - 2.25, ci = y * (2.5 / 480) - 1.25, zr = 0, zi = 0;
            int n = 0;
            for (; n < 3000; n++) {
                double rr = zr * zr, ii = zi * zi;
                if (rr + ii > 4)
                    break;
                zi = 2 * zr * zi + ci;
                zr = rr - ii + cr;
            }
            sum = mix(sum, n);
        }
    return report(sum);
}
