/* Filters of an 8-bit picture: blur, saturating contrast, edges, difference; loops that compilers make vectors of. */
#include "../bench.h"

enum { W = 640, H = 480 };
static uint8_t a[H][W], b[H][W];

__attribute__((noinline, optimize("O3"))) static void blur(void)
{
    for (int y = 1; y < H - 1; y++)
        for (int x = 1; x < W - 1; x++)
            b[y][x] = (a[y - 1][x] + a[y + 1][x] + a[y][x - 1] + a[y][x + 1] + 4 * a[y][x] + 4) >> 3;
}

__attribute__((noinline, optimize("O3"))) static void contrast(void)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int v = ((b[y][x] - 128) * 5 >> 2) + 128;
            a[y][x] = v < 0 ? 0 : v > 255 ? 255 : v;
        }
}

__attribute__((noinline, optimize("O3"))) static unsigned difference(void)
{
    unsigned sum = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            sum += abs(a[y][x] - b[y][x]);
    return sum;
}

int main(void)
{
    uint64_t sum = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            a[y][x] = rnd() >> 32;
    for (int round = 0; round < 6000; round++) {
        blur();
        contrast();
        sum = mix(sum, difference());
        a[rnd() % H][rnd() % W] = 255;
    }
    return report(sum);
}
