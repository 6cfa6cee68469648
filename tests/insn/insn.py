#!/usr/bin/env python3
"""Executes every instruction of a guest on random operands and compares what it does with recorded or live results.

usage: insn.py record  ARCH --judge P --peer CMD [--per-pattern N]           makes ARCH/results.xz
       insn.py check   ARCH --judge P --emulator CMD [--emulator CMD...]      judges emulators by ARCH/results.xz
       insn.py compare ARCH --judge P --emulator CMD --peer CMD [--per-pattern N] [--sets N] [--seed N] [--only REGEX]
       insn.py show    ARCH --emulator CMD [--peer CMD] [--sets N] WORD...        registers before and after
       insn.py reduce  ARCH --emulator CMD --peer CMD CASE...      what is left of a case (as `compare` prints it) that differs

Instances of every pattern of the decoder tables, made harmless by ARCH/rules.py, become a static guest program
(harness.h) that prints a hash of registers and memory per instance. The results recorded in the tree come from another
emulator, run as a program: data, not code. `check` also fails when a pattern has no recorded instance.
"""

import argparse
import collections
import dataclasses
import importlib.util
import lzma
import pathlib
import random
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True
import decodegen  # noqa: E402

SETS = 8          # sets of operands behind a recorded hash
SEQUENCE = 8      # instructions of a sequence
SEVERAL = ("sequence", "fault", "loop")
PLAIN, MEMORY, JUMP, FAULT, LOOP = 0, 1, 2, 3, 4
ALIGNED, SIGNED, COMPARE, WORDS = 1, 2, 4, 8
NO_REGISTER = 255


@dataclasses.dataclass
class Case:
    """One instance of a pattern, what is executed before it, and how its operands are chosen (struct insn_case)."""
    pattern: str
    word: int
    prefix: list = dataclasses.field(default_factory=list)
    kind: int = PLAIN
    base: int = NO_REGISTER
    index: int = NO_REGISTER
    flags: int = 0
    adjust: int = 0

    def text(self):
        words = ",".join(f"{w:x}" for w in [*self.prefix, self.word])
        return f"{self.pattern} {words} {self.kind} {self.base} {self.index} {self.flags} {self.adjust}"

    @staticmethod
    def parse(line):
        name, words, *rest = line.split()
        *prefix, word = (int(w, 16) for w in words.split(","))
        return Case(name, word, prefix, *map(int, rest[:5])), *rest[5:]


class Word:
    """An instruction word whose fields have names; constants of the pattern are fields that can't be set."""

    def __init__(self, pattern, word):
        self.pattern, self.word = pattern, word

    def __contains__(self, name):
        return name in self.pattern.args

    def __getitem__(self, name):
        a = self.pattern.args[name]
        if isinstance(a, decodegen.Constant):
            return a.value
        v = 0
        for pos, n in a.segments:
            v = v << n | self.word >> pos & (1 << n) - 1
        return v

    def number(self, name):
        """The argument as the decoder gives it, but for signs."""
        a = self.pattern.args[name]
        return a.value if isinstance(a, decodegen.Constant) else self[name] * a.scale + a.bias

    def ignored(self):
        """Bits that are neither fixed nor in a field."""
        fields = 0
        for a in self.pattern.args.values():
            fields |= a.mask()
        return self.pattern.covered & ~self.pattern.mask & ~fields

    def __setitem__(self, name, value):
        """Sets the bits of a field; a negative value as two's complement."""
        a = self.pattern.args[name]
        if not isinstance(a, decodegen.Constant):
            self.word = self.word & ~a.mask() | a.place(value & (1 << a.width()) - 1)
            assert self.word & self.pattern.mask == self.pattern.value


def load_rules(arch):
    spec = importlib.util.spec_from_file_location("rules", HERE / arch / "rules.py")
    rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    return rules


def load_patterns(rules):
    """[(width, pattern)] of the guest's decoder tables."""
    found = []
    for width, tables in rules.TABLES:
        parser = decodegen.Parser(width)
        for path in tables:
            parser.read(str(ROOT / path))
        found += [(width, p) for p in parser.patterns]
    return found


def exempt(rules, name):
    return next((reason for regex, reason in rules.EXEMPT.items() if re.fullmatch(regex, name)), None)


def accepted(judge, arch, words):
    """Of each word the patterns by which the translator takes it."""
    r = subprocess.run([judge, arch], input="".join(f"{w:x}\n" for w in words), capture_output=True, text=True, check=True)
    answers = [line.split() for line in r.stdout.splitlines()]
    assert len(answers) == len(words)
    return [a[1:] if a[0] == "ok" else [] for a in answers]


def random_bits(rng, width, fields):
    """Bits that are even, sparse or dense, in which register fields are often equal or all ones."""
    bits = rng.getrandbits(width)
    bits = rng.choice((bits, bits, bits & rng.getrandbits(width), bits | rng.getrandbits(width)))
    for _ in range(rng.choice((0, 0, 1, 2))):
        to, other = rng.sample(fields, 2)
        bits = bits & ~(31 << to) | (rng.choice((bits >> other, 31)) & 31) << to
    return bits


def make_cases(arch, rules, judge, per_pattern, seed, only=None):
    """Cases in the order of the tables; each pattern's own choice does not depend on the others."""
    cases = []
    for i, (width, p) in enumerate(load_patterns(rules)):
        if exempt(rules, p.name) or (only and not re.fullmatch(only, p.name)):
            continue
        rng = random.Random(f"{seed} {p.name} {p.mask:x} {p.value:x}")
        tried, chosen = set(), []
        for _ in range(per_pattern * 20):
            word = Word(p, p.value | random_bits(rng, width, rules.REGISTER_FIELDS) & ~p.mask & (1 << width) - 1)
            case = rules.make(word, Case(p.name, 0), rng)
            if case and word.word not in tried and not any(word.word & m == v for m, v in p.exclusions):
                tried.add(word.word)
                case.word = word.word
                chosen.append(case)
            if len(chosen) == per_pattern * 3:
                break
        answers = accepted(judge, arch, [c.word for c in chosen])
        cases += [c for c, names in zip(chosen, answers) if names and names[0] == p.name or
                  p.name in names and p.group is not None][:per_pattern]
    return cases


def make_sequences(rules, cases, count, seed):
    """Cases of several instructions: one that uses memory first, a jump last, between them those that do neither; and
    loops of such instructions; and sequences that end with a memory fault."""
    rng = random.Random(f"{seed} sequences")
    alone = [c for c in cases if not c.prefix]
    memory = [c for c in alone if c.kind == MEMORY]
    plain = [c for c in alone if c.kind == PLAIN and not rules.is_jump(c)]
    jumps = [c for c in alone if rules.is_jump(c) and c.kind == PLAIN]
    found = []
    for _ in range(count if plain else 0):
        first = rng.choice(memory if memory and rng.randrange(2) else plain)
        middle = rng.choices(plain, k=SEQUENCE - 2)
        last = rng.choice(jumps if jumps and rng.randrange(3) == 0 else plain)
        found.append(dataclasses.replace(first, pattern="sequence", word=last.word,
                                         prefix=[c.word for c in [first, *middle]]))
    faulting = [c for c in memory if c.index == NO_REGISTER and not rules.harmless(c)]
    for _ in range(count // 2 if faulting else 0):
        case = dataclasses.replace(rng.choice(faulting), pattern="fault", kind=FAULT)
        case.prefix = [c.word for c in rng.choices(plain, k=SEQUENCE - 1)]
        if not any(rules.touches(w, case.base) for w in case.prefix):
            found.append(case)
    counter = rules.COUNTER
    plain = [c for c in plain if not rules.touches(c.word, counter)]
    memory = [c for c in memory if c.index == NO_REGISTER and not c.flags and not rules.touches(c.word, counter)
              and not rules.writes_base(c)]
    for _ in range(count if plain else 0):
        case = dataclasses.replace(rng.choice(memory if memory and rng.randrange(2) else plain), pattern="loop")
        body = [case.word] + [c.word for c in rng.choices(plain, k=SEQUENCE - 3)]
        if case.kind == MEMORY and any(rules.touches(w, case.base) for w in body[1:]):
            continue
        *case.prefix, case.word = [*body, *rules.loop_end(len(body), rng)]
        case.kind, case.index = LOOP, counter
        found.append(case)
    return found


def build(arch, rules, cases, folder):
    """The guest program of the cases; all have room for the longest prefix."""
    prefix = max(len(c.prefix) for c in cases)
    with open(folder / "cases.inc", "w") as f:
        for c in cases:
            for word in [rules.NOP] * (prefix - len(c.prefix)) + c.prefix:
                f.write(f"        case_prefix {word:#x}\n")
            f.write(f"        case_last {c.word:#x}\n")
    with open(folder / "cases.c", "w") as f:
        f.write('#include "harness.h"\nconst struct insn_case cases[] = {\n')
        for c in cases:
            f.write(f"    {{{c.word:#x}, {c.kind}, {c.base}, {c.index}, {c.flags}, {c.adjust}}},\n")
        f.write(f"}};\nconst uint32_t ncases = {len(cases)};\n")
    program = folder / "insn"
    subprocess.run([f"{rules.COMPILER}-gcc", *rules.CFLAGS, "-O2", "-Wall", "-Wextra", "-static", "-nostdlib", "-ffreestanding", "-fno-pie",
                    "-no-pie", "-fno-stack-protector", "-fno-tree-loop-distribute-patterns", f"-DSTUB_PREFIX={prefix}",
                    f"-I{folder}", f"-I{HERE}", f"-I{HERE / arch}", "-Wl,--section-start=.jumps=0x1fff000", "-Wl,--section-start=.stubs=0x2000000",
                    "-Wl,--section-start=.scratch=0x4000000", "-Wl,--no-warn-rwx-segments", "-Wl,--build-id=none",
                    "-o", program, HERE / "harness.c", HERE / arch / "arch.c", HERE / arch / "start.S", folder / "cases.c"],
                   check=True)
    return program


def execute(command, program, count, sets):
    """Hashes of all cases; a case that kills the emulator has how it died instead."""
    found = []
    while len(found) < count:
        try:
            r = subprocess.run([*command, program, "run", str(sets), str(len(found))], capture_output=True, text=True,
                               timeout=60 + count * sets / 100)
            how, output = f"died({r.returncode})", r.stdout
            errors = r.stderr.strip().splitlines()
        except subprocess.TimeoutExpired as e:
            how, output, errors = "hung", (e.stdout or b"").decode(), []
        found += output.split()
        if len(found) < count:
            found.append(how)
            if len([f for f in found if len(f) != 8]) > 50:
                sys.exit(f"{shlex.join(command)}: died 50 times; gave up. {errors[-1:]}")
    return found[:count]


def disassemble(rules, word):
    for tool in ("llvm-mc", *(f"llvm-mc-{n}" for n in range(20, 13, -1))):
        try:
            octets = " ".join(f"{b:#04x}" for b in word.to_bytes(rules.width_of(word) // 8, "little"))
            r = subprocess.run([tool, "--disassemble", *rules.LLVM], input=octets, capture_output=True, text=True)
        except FileNotFoundError:
            continue
        lines = [" ".join(line.split()) for line in r.stdout.splitlines() if line.strip() and ".text" not in line]
        return lines[0] if lines else "?"
    return ""


def state(command, program, number, which):
    """{register: value} before and after; after holds only what changed."""
    r = subprocess.run([*command, program, "show", str(number), str(which)], capture_output=True, text=True, timeout=60)
    rows = [line.split() for line in r.stdout.splitlines()]
    return {w[1]: w[2] for w in rows if len(w) == 3}, {w[0]: w[1] for w in rows if len(w) == 2}


def describe(rules, case):
    print(f"  {case.text()}")
    for word in [*case.prefix, case.word]:
        print(f"{word:08x}  {disassemble(rules, word)}")


def end_of(after):
    """How a case ended (harness.h), in words."""
    where = int(after.get("where", "0"), 16)
    if where < 16:
        return ("next", "jump")[where]
    return f"signal {(where & 255) - 16} code {where >> 8 & 255} pc+{where >> 32:#x} address {after.get('address')}"


def explain(rules, program, case, number, commands, sets):
    """Registers that differ in the first set of operands where the emulators do; of one emulator: what it changed."""
    describe(rules, case)
    for which in range(sets):
        seen = [state(c, program, number, which) for c in commands]
        if len(seen) == 2 and seen[0] == seen[1]:
            continue
        before = seen[0][0]
        print(f"  operands of set {which}: " + " ".join(f"{k}={v}" for k, v in before.items() if interesting(rules, k, case)))
        ends = [end_of(after) for _, after in seen]
        if len(set(ends)) > 1:
            print("  ended by     " + ", ".join(ends))
            return
        names = sorted(set().union(*(after for _, after in seen)), key=lambda n: list(before).index(n) if n in before else 99)
        for name in names:
            values = [after.get(name, before.get(name, "unchanged")) for _, after in seen]
            if len(set(values)) > 1 or len(seen) == 1:
                print(f"  {name:12} " + " ".join(values))
        return


def interesting(rules, name, case):
    """Registers whose number stands in a register field of the word, and the special ones."""
    m = re.match(r"[xvf](\d+)", name)
    return not m or int(m[1]) in {w >> pos & 31 for w in [*case.prefix, case.word] for pos in rules.REGISTER_FIELDS}


def compare_runs(rules, program, cases, expected, got, commands, sets, limit):
    wrong = collections.defaultdict(list)
    for i, (c, e, g) in enumerate(zip(cases, expected, got)):
        if e != g:
            wrong[c.pattern].append(i)
    shown = 0
    for pattern, numbers in wrong.items():
        ends = {got[i] for i in numbers if len(got[i]) != 8}
        print(f"--- {pattern}: {len(numbers)} of {sum(c.pattern == pattern for c in cases)} differ {' '.join(sorted(ends))}")
        if shown < limit:
            shown += 1
            number = next((i for i in numbers if len(got[i]) == 8), None)
            if number is not None:
                explain(rules, program, cases[number], number, commands, sets)
            else:
                describe(rules, cases[numbers[0]])
    return sum(map(len, wrong.values()))


def results_path(arch):
    return HERE / arch / "results.xz"


def parts(cases):
    """Single instructions and the others: each a program, as stubs have one size."""
    several = [c for c in cases if c.pattern in SEVERAL]
    return [part for part in ([c for c in cases if c.pattern not in SEVERAL], several) if part]


def judge(arch, rules, cases, expected, emulators, reference, sets, limit, folder):
    """Runs the cases under each emulator; the number of differences from the expected hashes ({case text: hash})."""
    failed = 0
    for part in parts(cases):
        program = build(arch, rules, part, folder)
        want = [expected[c.text()] for c in part] if expected else execute(reference, program, len(part), sets)
        for command in emulators:
            got = execute(command, program, len(part), sets)
            wrong = compare_runs(rules, program, part, want, got, [command, reference] if reference else [command],
                                 sets if reference else 1, limit)
            kinds = collections.Counter(c.pattern for c in part)
            what = (", ".join(f"{kinds[k]} {k}s" for k in SEVERAL) if part[0].pattern in SEVERAL else
                    f"{len(kinds)} patterns, {len(part)} instances")
            print(f"{what}, {sets} sets of operands: {wrong} differ", flush=True)
            failed += wrong
    return failed


def all_cases(o, rules):
    cases = make_cases(o.arch, rules, o.judge, o.per_pattern, o.seed, o.only)
    return cases + make_sequences(rules, cases, o.sequences, o.seed)


def record(o, rules, folder):
    text = ""
    cases = all_cases(o, rules)
    for part in parts(cases):
        hashes = execute(shlex.split(o.peer), build(o.arch, rules, part, folder), len(part), SETS)
        bad = [c.text() for c, h in zip(part, hashes) if len(h) != 8]
        if bad:
            sys.exit("the peer did not survive:\n" + "\n".join(bad))
        text += "".join(f"{c.text()} {h}\n" for c, h in zip(part, hashes))
    results_path(o.arch).write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(cases)} cases recorded, {results_path(o.arch).stat().st_size} bytes")
    return 0


def check(o, rules, folder):
    rows = [Case.parse(line) for line in lzma.decompress(results_path(o.arch).read_bytes()).decode().splitlines()]
    cases, expected = [r[0] for r in rows], {r[0].text(): r[1] for r in rows}
    known = {c.pattern for c in cases}
    missing = sorted({p.name for _, p in load_patterns(rules) if p.name not in known and not exempt(rules, p.name)})
    if missing:
        print("no results are recorded of: " + " ".join(missing))
    emulators = [shlex.split(e) for e in o.emulator]
    return judge(o.arch, rules, cases, expected, emulators, None, SETS, o.show, folder) + len(missing) != 0


def compare(o, rules, folder):
    emulators = [shlex.split(e) for e in o.emulator]
    return judge(o.arch, rules, all_cases(o, rules), None, emulators, shlex.split(o.peer), o.sets, o.show, folder) != 0


def show(o, rules, folder):
    patterns = load_patterns(rules)
    for text in o.word:
        value = int(text, 16)
        for width, p in patterns:
            if width == rules.width_of(value) and value & p.mask == p.value:
                word = Word(p, value)
                case = rules.make(word, Case(p.name, 0), random.Random(1))
                if not case:
                    sys.exit(f"{text} ({p.name}) is not executed: {exempt(rules, p.name) or 'by its operands'}")
                case.word = word.word
                program = build(o.arch, rules, [case], folder)
                explain(rules, program, case, 0, [shlex.split(c) for c in [*o.emulator, *([o.peer] if o.peer else [])]], o.sets)
                break
    return 0


def reduce_case(o, rules, folder):
    """Replaces what the difference does not need by nothing, or by no-operations."""
    commands = [shlex.split(o.emulator[0]), shlex.split(o.peer)]

    def differs(case):
        program = build(o.arch, rules, [case], folder)
        return execute(commands[0], program, 1, o.sets) != execute(commands[1], program, 1, o.sets)

    for text in o.word:
        case = Case.parse(text)[0]
        if not differs(case):
            print(f"no difference: {text}")
            continue
        for i in range(len(case.prefix) - 1, -1, -1):
            left, right = case.prefix[:i], case.prefix[i + 1:]
            for prefix in ([*left, *right], [*left, rules.NOP, *right]):
                shorter = dataclasses.replace(case, prefix=prefix)
                if (case.kind != LOOP or len(prefix) == len(case.prefix)) and differs(shorter):
                    case = shorter
                    break
        explain(rules, build(o.arch, rules, [case], folder), case, 0, commands, o.sets)
    return 0


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("command", choices=("record", "check", "compare", "show", "reduce"))
    ap.add_argument("arch", choices=("aarch64", "riscv64"))
    ap.add_argument("word", nargs="*", help="hexadecimal word; case")
    ap.add_argument("--judge", help="decode-judge: says which words the translator takes")
    ap.add_argument("--emulator", action="append", default=[], help="command that runs a guest program")
    ap.add_argument("--peer", help="the same of the emulator that is believed")
    ap.add_argument("--per-pattern", type=int, default=12)
    ap.add_argument("--sequences", type=int, default=600, help="sequences, and loops")
    ap.add_argument("--sets", type=int, default=SETS)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--only", help="regular expression of pattern names")
    ap.add_argument("--show", type=int, default=10, help="patterns to explain")
    ap.add_argument("--fetch-peer", metavar="FOLDER", help="take the peer from Debian's package qemu-user, unpacked here")
    o = ap.parse_intermixed_args()
    rules = load_rules(o.arch)
    if o.fetch_peer:
        subprocess.run([sys.executable, ROOT / "tools/fetch-root", "--extract", "amd64", "sid", o.fetch_peer, "qemu-user"],
                       check=True)
        o.peer = f"{o.fetch_peer}/usr/bin/qemu-{o.arch}"
    if o.peer:
        o.peer += " " + rules.PEER_OPTIONS
    with tempfile.TemporaryDirectory() as folder:
        run = {"record": record, "check": check, "compare": compare, "show": show, "reduce": reduce_case}[o.command]
        sys.exit(run(o, rules, pathlib.Path(folder)))


if __name__ == "__main__":
    main()
