"""Prints a C file with as many functions as asked for."""
import random
import sys

count, rng = int(sys.argv[1]), random.Random(1)
for i in range(count):
    print(f"unsigned f{i}(unsigned x)\n{{\n    for (unsigned i = 0; i < {rng.randrange(2, 9)}; i++)")
    print(f"        x = (x << {rng.randrange(1, 9)} ^ x >> {rng.randrange(1, 9)}) + {rng.randrange(1 << 30)}u % (x | 1);")
    print(f"    switch (x % {rng.randrange(5, 12)}) {{")
    for case in range(5):
        print(f"    case {case}: x {rng.choice(['+=', '^=', '*=', '-='])} {rng.randrange(1, 1 << 20)}u; break;")
    print("    default: x = ~x;\n    }\n    return x;\n}")
print("unsigned all(unsigned x)\n{")
for i in range(count):
    print(f"    x = f{i}(x);")
print("    return x;\n}")
