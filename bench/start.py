#!/usr/bin/env python3
"""Times the start of programs: a static hello, bash, python3; natively, under metic and under a peer, in turn.

metic four times: with an empty cache folder (cold), with one that has only been told of the program by its first run (second: what is
translated is stored), without one (off), and with the translations of earlier runs (warm). Wall time is the smallest of many runs, from the launcher's fork to the end of the
program; beside it the largest resident size. Natively bash and python3 are this machine's own.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]
import roots  # noqa: E402
from run import compile_all, compile_one, run  # noqa: E402

PACKAGES = ["bash", "coreutils", "libc-bin", "python3"]
PROGRAMS = {"hello": [], "bash -c true": ["usr/bin/bash", "-c", "true"], "python3 -S -c 1": ["usr/bin/python3", "-S", "-c", "1"]}
SETTLED = 2.2  # seconds until the cache takes a new file for one that does not change
COLUMNS = ["native", "cold", "second", "off", "warm", "peer"]


def commands(guest, words, launch, hello, metic, peer, caches):
    """{column: command}: the words of a program in the guest's root, or the hello."""
    if words:
        root = roots.root(guest, "start", PACKAGES)
        native, program = ["/" + words[0], *words[1:]], ["-L", root, root / words[0], *words[1:]]
    else:
        native, program = [hello / "native/hello"], [hello / guest / "hello"]
    found = {"native": [launch, *native]}
    for column, folder in caches.items():
        found[column] = [launch, metic, "-code-cache", folder, *program]
    if peer:
        found["peer"] = [launch, roots.emulator_for(peer, guest), *program]
    return found


# Where packages are only unpacked, as in these roots, nobody has compiled the modules that python3 begins with.
COMPILE = """
import py_compile, sys
for path in [m.__file__ for m in sys.modules.values() if getattr(m, "__file__", "").endswith(".py")]:
    py_compile.compile(path)
"""


def compile_modules(guest, metic):
    root = roots.root(guest, "start", PACKAGES)
    subprocess.run([metic, "-L", root, root / "usr/bin/python3", "-S", "-c", COMPILE], check=True)


def measure(variants, count, cold):
    """{column: (smallest wall time in seconds, smallest resident size in KiB)}"""
    best = {}
    for _ in range(count):
        for column, command in variants.items():
            if column == "cold":
                shutil.rmtree(cold)
                cold.mkdir(mode=0o700)
            (wall, _, size), _ = run(command)
            best[column] = tuple(map(min, (wall, size), best.get(column, (wall, size))))
    return best


def markdown(results):
    lines = ["| guest | program | " + " | ".join(f"{c}, ms" for c in COLUMNS) + " | " + " | ".join(f"{c}, MiB" for c in COLUMNS) + " |",
             "|---" * (2 + 2 * len(COLUMNS)) + "|"]
    for guest, rows in results.items():
        for program, row in rows.items():
            cells = [f"{row[c][0] * 1e3:.2f}" if c in row else "" for c in COLUMNS] + [f"{row[c][1] / 1024:.1f}" if c in row else "" for c in COLUMNS]
            lines.append(f"| {guest} | {program} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--guest", action="append", choices=list(roots.GUESTS), help="may be repeated; default: all")
    p.add_argument("--runs", type=int, default=40, help="runs of each, of which the fastest counts (default 40)")
    p.add_argument("--metic", metavar="PATH", help="the metic to time; default: the one built")
    p.add_argument("--peer", metavar="PATTERN", help="path of the peer, {cpu} in it for the processor; default: fetched. none: leave it out")
    p.add_argument("--md", metavar="FILE", help="write the table there too")
    p.add_argument("--json", metavar="FILE", help="write the numbers there")
    args = p.parse_args()
    metic = args.metic or roots.metic()
    peer = None if args.peer == "none" else args.peer or roots.peer()
    guests = args.guest or list(roots.GUESTS)
    hello = compile_all({"native": "gcc"} | {g: roots.GUESTS[g][1] for g in guests}, {"hello": HERE / "hello.c"})
    made = max((hello / g / "hello").stat().st_ctime for g in guests)
    time.sleep(max(0, made + SETTLED - time.time()))
    launch = hello / "native/launch"
    compile_one(HERE / "launch.c", "gcc", launch)
    results = {}
    with tempfile.TemporaryDirectory(prefix="start-") as folder:
        cold = pathlib.Path(folder, "cold")
        caches = {"cold": cold, "second": cold, "off": "off", "warm": pathlib.Path(folder, "warm")}
        for column in ("cold", "warm"):
            caches[column].mkdir(mode=0o700)
        for guest in guests:
            compile_modules(guest, metic)
            results[guest] = {program: measure(commands(guest, words, launch, hello, metic, peer, caches), args.runs, caches["cold"])
                              for program, words in PROGRAMS.items()}
    text = markdown(results)
    print(text)
    if args.md:
        pathlib.Path(args.md).write_text(text + "\n")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
