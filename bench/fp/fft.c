/* Radix-2 Fourier transforms of 2^14 points and back: additions and products with strides of powers of two. */
#include <math.h>

#include "../bench.h"

enum { BITS = 14, N = 1 << BITS };
struct complex {
    double re, im;
};
static struct complex a[N], w[N / 2];

static void transform(int back)
{
    for (unsigned i = 0, j = 0; i < N; i++) {
        if (i < j) {
            struct complex t = a[i];
            a[i] = a[j];
            a[j] = t;
        }
        unsigned bit = N >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
    }
    for (int half = 1; half < N; half *= 2)
        for (int start = 0; start < N; start += 2 * half)
            for (int k = 0; k < half; k++) {
                struct complex f = w[k * (N / 2 / half)], *p = &a[start + k], *q = p + half, t;
                if (back)
                    f.im = -f.im;
                t.re = f.re * q->re - f.im * q->im;
                t.im = f.re * q->im + f.im * q->re;
                q->re = p->re - t.re;
                q->im = p->im - t.im;
                p->re += t.re;
                p->im += t.im;
            }
}

int main(void)
{
    /* The roots of unity by halving angles: square roots only. */
    w[0] = (struct complex){1, 0};
    struct complex half = {-1, 0};
    for (int step = N / 2; step > 0; step /= 2) {
        if (step < N / 2)
            for (int i = 0; i < N / 2; i += 2 * step) {
                struct complex b = w[i];
                w[i + step] = (struct complex){b.re * half.re - b.im * half.im, b.re * half.im + b.im * half.re};
            }
        half = (struct complex){sqrt((1 + half.re) / 2), -sqrt((1 - half.re) / 2)};
    }
    for (int i = 0; i < N; i++)
        a[i] = (struct complex){rnd_unit(), rnd_unit()};
    for (int round = 0; round < 560; round++) {
        transform(0);
        for (int i = 0; i < N; i++)
            a[i].re *= 1.0 / 128, a[i].im *= 1.0 / 128;
        transform(1);
        for (int i = 0; i < N; i++)
            a[i].re *= 1.0 / 128, a[i].im *= 1.0 / 128;
    }
    uint64_t sum = 0;
    for (int i = 0; i < N; i += 7)
        sum = mix_double(mix_double(sum, a[i].re), a[i].im);
    return report(sum);
}
