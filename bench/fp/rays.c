/* Rays against spheres with one bounce: scalar single precision with square roots, divisions and branches. */
#include <math.h>

#include "../bench.h"

enum { SPHERES = 8 };
struct vec {
    float x, y, z;
};
static struct {
    struct vec at;
    float square; /* of the radius */
} sphere[SPHERES];

static struct vec plus(struct vec a, struct vec b, float f)
{
    return (struct vec){a.x + b.x * f, a.y + b.y * f, a.z + b.z * f};
}
static float dot(struct vec a, struct vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static struct vec unit(struct vec a) { return plus((struct vec){0, 0, 0}, a, 1 / sqrtf(dot(a, a))); }

/* The nearest sphere that the ray meets, with the distance; -1: none. */
static int hit(struct vec from, struct vec to, float *distance)
{
    int best = -1;
    *distance = 1e30f;
    for (int i = 0; i < SPHERES; i++) {
        struct vec d = plus(sphere[i].at, from, -1);
        float along = dot(d, to), under = along * along - dot(d, d) + sphere[i].square;
        if (under < 0)
            continue;
        float t = along - sqrtf(under);
        if (t > 1e-3f && t < *distance) {
            *distance = t;
            best = i;
        }
    }
    return best;
}

int main(void)
{
    const struct vec light = unit((struct vec){1, 2, -1});
    double sum = 0;
    for (int i = 0; i < SPHERES; i++) {
        sphere[i].at = (struct vec){rnd_unit() * 4 - 2, rnd_unit() * 4 - 2, rnd_unit() * 4 + 3};
        sphere[i].square = 0.2f + rnd_unit();
    }
    for (int y = 0; y < 3000; y++)
        for (int x = 0; x < 3000; x++) {
            struct vec from = {0, 0, -2}, to = unit((struct vec){x / 1500.0f - 1, y / 1500.0f - 1, 1.5f});
            float shade = 0, weight = 1, t;
            for (int bounce = 0; bounce < 3; bounce++, weight *= 0.5f) {
                int s = hit(from, to, &t);
                if (s < 0) {
                    shade += weight * (0.5f + 0.5f * to.y);
                    break;
                }
                from = plus(from, to, t);
                struct vec normal = unit(plus(from, sphere[s].at, -1));
                float lit = dot(normal, light);
                shade += weight * (lit > 0 ? lit : 0.05f);
                to = plus(to, normal, -2 * dot(to, normal));
            }
            sum += shade;
        }
    return report(mix_double(0, sum));
}
