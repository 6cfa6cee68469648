/* Bodies under their mutual gravity, leapfrog steps: subtractions, products, one square root and division a pair. */
#include <math.h>

#include "../bench.h"

enum { BODIES = 5 };
struct body {
    double x[3], v[3], mass;
};

int main(void)
{
    struct body body[BODIES];
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++) {
            body[i].x[k] = 10 * (rnd_unit() - 0.5) * (i + 1);
            body[i].v[k] = rnd_unit() - 0.5;
        }
        body[i].mass = i ? 0.01 * rnd_unit() : 40;
    }
    const double dt = 0.0005;
    for (int step = 0; step < 6000000; step++) {
        for (int i = 0; i < BODIES; i++)
            for (int j = i + 1; j < BODIES; j++) {
                double d[3], square = 1e-9;
                for (int k = 0; k < 3; k++) {
                    d[k] = body[i].x[k] - body[j].x[k];
                    square += d[k] * d[k];
                }
                double pull = dt / (square * sqrt(square));
                for (int k = 0; k < 3; k++) {
                    body[i].v[k] -= d[k] * body[j].mass * pull;
                    body[j].v[k] += d[k] * body[i].mass * pull;
                }
            }
        for (int i = 0; i < BODIES; i++)
            for (int k = 0; k < 3; k++)
                body[i].x[k] += dt * body[i].v[k];
    }
    uint64_t sum = 0;
    for (int i = 0; i < BODIES; i++)
        sum = mix_double(mix_double(sum, body[i].x[0]), body[i].v[2]);
    return report(sum);
}
