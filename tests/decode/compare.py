#!/usr/bin/env python3
"""Compares the decoders of a guest with LLVM's disassembler.

usage: compare.py --judge PROGRAM --llvm-mc PROGRAM [--per-pattern N] [--random N] [--seed N] [--show N] ARCH

Words are taken from every pattern of our tables (free bits at random), next to every pattern (one fixed bit changed) and
at random. Of each word decode-judge says whether the translator takes it, llvm-mc whether it disassembles it, and both
name it. They must agree but for what ARCH.exceptions lists. A difference is printed with the number of words like it.

ARCH.exceptions, line by line (`#`: the reason; a line without one is refused):
    ours PICTURE            we take words of the picture (`.`: any bit; spaces ignored), LLVM does not
    llvm PICTURE|OPCODE     LLVM takes words of the picture, or of the opcodes (a regular expression), and we do not
    name PATTERN OPCODE     words of our patterns have these names at LLVM (regular expressions); without a line LLVM's
                            name starts with that of the pattern up to its first underscore
"""

import argparse
import collections
import pathlib
import random
import re
import subprocess
import sys
import tempfile

# The target as llvm-mc has to be asked for it.
LLVM = {
    "aarch64": ["--triple=aarch64",
                "-mattr=+v8.2a,+aes,+sha2,+fullfp16,+dotprod,+complxnum,+jsconv,+rcpc,+flagm,+pauth,+sb"],
    "riscv64": ["--triple=riscv64", "-mattr=+m,+a,+f,+d,+c,+zfh,+zba,+zbb,+zbs,+zbc,+zbkb,+zbkc,+zbkx,+zknd,+zkne,+zknh"],
}


class Exceptions:
    def __init__(self, path, width=32):
        self.ours, self.llvm_words, self.llvm_names, self.names = [], [], [], []
        self.used = collections.Counter()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text, _, reason = line.partition("#")
            words = text.split()
            if not words:
                continue
            if not reason.strip() and words[0] != "name":
                sys.exit(f"{path}:{number}: no reason given")
            rest = "".join(words[1:])
            if words[0] == "name" and len(words) == 3:
                self.names.append((re.compile(words[1]), re.compile(words[2])))
            elif words[0] in ("ours", "llvm") and re.fullmatch(r"[01.]+", rest):
                if len(rest) not in (16, 32):
                    sys.exit(f"{path}:{number}: {len(rest)} bits")
                mask = int(re.sub("[01]", "1", rest).replace(".", "0"), 2)
                value = int(rest.replace(".", "0"), 2)
                (self.ours if words[0] == "ours" else self.llvm_words).append((mask, value, len(rest), number))
            elif words[0] == "llvm" and len(words) == 2:
                self.llvm_names.append((re.compile(words[1]), number))
            else:
                sys.exit(f"{path}:{number}: what is this?")

    def word_listed(self, rows, word, width):
        for mask, value, w, number in rows:
            if w == width and word & mask == value:
                self.used[number] += 1
                return True
        return False

    def ours_only(self, word, width):
        return self.word_listed(self.ours, word, width)

    def llvm_only(self, word, width, opcode):
        for name, number in self.llvm_names:
            if name.fullmatch(opcode):
                self.used[number] += 1
                return True
        return self.word_listed(self.llvm_words, word, width)

    def same_name(self, pattern, opcode):
        rows = [opcodes for patterns, opcodes in self.names if patterns.fullmatch(pattern)]
        if rows:
            return any(opcodes.fullmatch(opcode) for opcodes in rows)
        return opcode.lower().replace("_", "").startswith(pattern.split("_")[0].lower())


def width_of(arch, word):
    return 16 if arch == "riscv64" and word & 3 != 3 else 32


def sample(arch, patterns, per_pattern, count, rng):
    """Distinct words in random order."""
    words = set()
    for line in patterns:
        _, width, _, mask, value, *_ = line.split()
        width, mask, value = int(width), int(mask, 0), int(value, 0)
        free, fixed = ~mask & ((1 << width) - 1), [i for i in range(width) if mask >> i & 1]
        for _ in range(per_pattern):
            # Free bits sparse, dense or even: reserved values of fields often are all zeros or all ones.
            bits = rng.getrandbits(32)
            bits = rng.choice((bits, bits, bits & rng.getrandbits(32), bits | rng.getrandbits(32)))
            words.add(value | bits & free)
            words.add((value | rng.getrandbits(32) & free) ^ 1 << rng.choice(fixed))
    words.update(rng.getrandbits(32) for _ in range(count))
    return sorted({w & (1 << width_of(arch, w)) - 1 for w in words})


def ask_judge(judge, arch, words):
    """[(verdict, pattern names)] in the order of the words."""
    r = subprocess.run([judge, arch], input="".join(f"{w:x}\n" for w in words), capture_output=True, text=True)
    answers = [line.split(" ") for line in r.stdout.splitlines()]
    if r.returncode or len(answers) != len(words):
        sys.exit(f"{judge} {arch} ended with {r.returncode} after {len(answers)} words"
                 + (f", at {words[len(answers)]:#x}" if len(answers) < len(words) else "") + f"\n{r.stderr}")
    return [(a[0], a[1:]) for a in answers]


def ask_llvm(llvm_mc, arch, words):
    """[opcode name or None] in the order of the words."""
    lines = []
    for w in words:
        lines.append(" ".join(f"{b:#04x}" for b in w.to_bytes(width_of(arch, w) // 8, "little")))
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("\n".join(lines) + "\n")
        f.flush()
        r = subprocess.run([llvm_mc, "--disassemble", "--show-inst", *LLVM[arch], f.name], capture_output=True, text=True)
    invalid = {int(n) for n in re.findall(r":(\d+):\d+: warning: invalid instruction encoding", r.stderr)}
    opcodes = iter(re.findall(r"<MCInst #\d+ (\w+)", r.stdout))
    found = [None if i in invalid else next(opcodes, "") for i in range(1, len(words) + 1)]
    if "" in found or next(opcodes, None):
        sys.exit(f"{llvm_mc}: the answers do not fit the questions\n{r.stderr[:1000]}")
    return found


def compare(arch, words, ours, llvm, exceptions):
    """Differences: {description: [words]}."""
    differences = collections.defaultdict(list)
    for word, (verdict, patterns), opcode in zip(words, ours, llvm):
        width = width_of(arch, word)
        if verdict == "broken":
            differences["broken: " + " ".join(patterns)].append(word)
        elif verdict == "ok" and opcode is None:
            if not exceptions.ours_only(word, width):
                differences[f"only ours: {' '.join(patterns)}"].append(word)
        elif verdict == "undefined" and opcode is not None:
            if not exceptions.llvm_only(word, width, opcode):
                differences[f"only LLVM: {opcode}" + (f" (ours would be {' '.join(patterns)})" if patterns else "")].append(word)
        elif verdict == "ok" and not any(exceptions.same_name(p, opcode) for p in patterns):
            differences[f"names differ: {' '.join(patterns)}, LLVM {opcode}"].append(word)
    return differences


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--judge", required=True)
    ap.add_argument("--llvm-mc", required=True)
    ap.add_argument("--per-pattern", type=int, default=40)
    ap.add_argument("--random", type=int, default=20000)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--show", type=int, default=3, help="words to print of each difference")
    ap.add_argument("--unused", action="store_true", help="name the exceptions that no word needed")
    ap.add_argument("arch", choices=LLVM)
    o = ap.parse_args()
    path = pathlib.Path(__file__).with_name(f"{o.arch}.exceptions")
    exceptions = Exceptions(path)
    patterns = subprocess.run([o.judge, o.arch, "--patterns"], capture_output=True, text=True, check=True).stdout.splitlines()
    words = sample(o.arch, patterns, o.per_pattern, o.random, random.Random(o.seed))
    total, taken, differences = len(words), 0, collections.defaultdict(list)
    for start in range(0, total, 200000):
        part = words[start:start + 200000]
        ours, llvm = ask_judge(o.judge, o.arch, part), ask_llvm(o.llvm_mc, o.arch, part)
        taken += sum(verdict == "ok" for verdict, _ in ours)
        for what, found in compare(o.arch, part, ours, llvm, exceptions).items():
            differences[what] += found
    for what, found in sorted(differences.items()):
        print(f"{what}: {len(found)} words, as " + " ".join(f"{w:0{width_of(o.arch, w) // 4}x}" for w in found[:o.show]))
    if o.unused:
        for kind in (exceptions.ours, exceptions.llvm_words, exceptions.llvm_names):
            for row in kind:
                if row[-1] not in exceptions.used:
                    print(f"{path.name}:{row[-1]}: no word needed this exception")
    print(f"{len(patterns)} patterns, {total} words, {taken} of them instructions; "
          f"{sum(exceptions.used.values())} listed exceptions, {sum(map(len, differences.values()))} differences")
    sys.exit(bool(differences))


if __name__ == "__main__":
    main()
