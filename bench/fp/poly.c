/* exp, log and sine from polynomials of our own, conversions between integer and floating point: scalar doubles. */
#include "../bench.h"

/* e^x: x = n ln 2 + r, a series in r, and n into the exponent. */
static double exp_of(double x)
{
    int64_t n = (int64_t)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
    double r = x - (double)n * 0.6931471805599453, term = 1, sum = 1;
    for (int i = 1; i < 12; i++) {
        term *= r / i;
        sum += term;
    }
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

/* ln x: the exponent apart, 2 atanh((m - 1) / (m + 1)) of the fraction. */
static double log_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffff) | (uint64_t)1023 << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    double z = (m - 1) / (m + 1), zz = z * z, sum = 0;
    for (int i = 15; i > 0; i -= 2)
        sum = sum * zz + 1.0 / i;
    return 2 * z * sum + e * 0.6931471805599453;
}

static double sin_of(double x)
{
    int64_t turns = (int64_t)(x * 0.15915494309189535);
    x -= (double)turns * 6.283185307179586;
    if (x > 3.141592653589793)
        x -= 6.283185307179586;
    double xx = x * x;
    return x * (1 + xx * (-1.0 / 6 + xx * (1.0 / 120 + xx * (-1.0 / 5040 + xx * (1.0 / 362880 + xx * (-1.0 / 39916800))))));
}

int main(void)
{
    double sum = 0;
    for (int i = 0; i < 48000000; i++) {
        double x = (i & 0xffff) * (1.0 / 4096) + 0.001;
        switch (i % 3) {
        case 0: sum += exp_of(x - 8); break;
        case 1: sum += log_of(x); break;
        case 2: sum += sin_of(x * 3); break;
        }
    }
    return report(mix_double(0, sum));
}
