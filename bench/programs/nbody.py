"""Floating point and attribute access: the energy of five bodies after some thousand steps."""
import math


class Body:
    def __init__(self, position, velocity, mass):
        self.position, self.velocity, self.mass = position, velocity, mass


def energy(bodies):
    total = 0.0
    for i, a in enumerate(bodies):
        total += a.mass * sum(v * v for v in a.velocity) / 2
        for b in bodies[i + 1:]:
            total -= a.mass * b.mass / math.dist(a.position, b.position)
    return total


def step(bodies, dt):
    for i, a in enumerate(bodies):
        for b in bodies[i + 1:]:
            d = [p - q for p, q in zip(a.position, b.position)]
            scale = dt / (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) ** 1.5
            for k in range(3):
                a.velocity[k] -= d[k] * b.mass * scale
                b.velocity[k] += d[k] * a.mass * scale
    for a in bodies:
        for k in range(3):
            a.position[k] += dt * a.velocity[k]


bodies = [Body([i * 4.0, i * 1.5 - 3, 0.25 * i], [0.1 * i, 1.0 / (i + 1), 0.05], 40.0 / (1 + i * i * 9)) for i in range(5)]
for _ in range(20000):
    step(bodies, 0.001)
print(f"{energy(bodies):.9f}")
