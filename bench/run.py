#!/usr/bin/env python3
"""Times the kernels of bench/ natively, under metic and under a peer, in turn, and prints the ratios to native.

Each kernel is one C file, compiled here for this machine and for the guests by the same compiler's cross versions. Every
run's checksum must be the native one. A kernel's time is the smallest processor time of several runs, which other work on
the machine disturbs less than wall time; the ratios are of those, and the mean of ratios is geometric. Start-up is the wall
time that a static hello takes above native, and the largest resident size.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import roots  # noqa: E402

KINDS = {"int": "integer", "fp": "floating point"}
FLAGS = ["-O2", "-static", "-Wall", "-Wextra", "-ffp-contract=off", "-fno-math-errno"]


def kernels():
    """{kernel: kind} in the order of the files' names."""
    return {f.stem: kind for kind in KINDS for f in sorted((HERE / kind).glob("*.c"))}


def compile_one(source, compiler, where):
    header = HERE / "bench.h"
    if where.exists() and where.stat().st_mtime > max(source.stat().st_mtime, header.stat().st_mtime):
        return
    where.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([compiler, *FLAGS, source, "-o", where, "-lm"], check=True)


def compile_all(machines, names):
    """machines: {name: compiler}. Programs land in <build>/bench/<machine>/<kernel>."""
    folder = roots.build_folder() / "bench"
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(compile_one, source, compiler, folder / machine / name)
                for machine, compiler in machines.items() for name, source in names.items()]
        for job in jobs:
            job.result()
    return folder


def run(command):
    """((wall, processor seconds, KiB resident), output) of one run through the launcher, the command's first word."""
    r = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    *err, last = r.stderr.splitlines() or [""]
    if r.returncode:
        raise RuntimeError(f"exit code {r.returncode}: {' '.join(err)[-200:]}")
    wall, cpu, size = last.split()
    return (float(wall), float(cpu), int(size)), r.stdout


def measure(variants, count):
    """Runs each of {name: command} `count` times in turn; {name: (smallest wall, cpu, KiB)}, failures left out."""
    best, want = {}, None
    for name in list(variants) * count:
        if name in best and best[name] is None:
            continue
        try:
            numbers, out = run(variants[name])
            want = out if want is None else want
            if out != want:
                raise RuntimeError(f"printed {out[:40]!r}, wanted {want[:40]!r}")
        except RuntimeError as e:
            print(f"{name}: {variants[name][-1]}: {e}", file=sys.stderr)
            best[name] = None
            continue
        best[name] = tuple(map(min, numbers, best.get(name, numbers)))
    return {name: b for name, b in best.items() if b}


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def markdown(results, emulators):
    lines = []
    for guest, rows in results.items():
        lines += [f"## {guest}", "", "| kernel | native | " + " | ".join(emulators) +
                  (" | " + " / ".join(reversed(emulators)) if len(emulators) == 2 else "") + " |",
                  "|---" * (2 + len(emulators) + (len(emulators) == 2)) + "|"]
        for kind, title in KINDS.items():
            of_kind = [r for r in rows["kernels"].values() if r["kind"] == kind]
            for name, r in rows["kernels"].items():
                if r["kind"] == kind:
                    lines.append(row(name, f"{r['native']:.3f} s", [r["ratio"].get(e) for e in emulators]))
            means = [geomean([r["ratio"][e] for r in of_kind if e in r["ratio"]]) for e in emulators]
            if of_kind:
                lines.append(row(f"**{title}**, geometric mean", "", means))
        lines += ["", "| static hello | native | " + " | ".join(emulators) + " |", "|---" * (2 + len(emulators)) + "|"]
        hello = rows["hello"]
        for title, form in (("wall time", lambda h: f"{h[0] * 1e3:.2f} ms"),
                            ("above native", lambda h: f"{(h[0] - hello['native'][0]) * 1e3:.2f} ms"),
                            ("resident", lambda h: f"{h[2]} KiB")):
            cells = [form(hello[n]) if n in hello else "failed" for n in ["native", *emulators]]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def row(name, native, ratios):
    cells = [f"{r:.2f}x" if r and not math.isnan(r) else "failed" for r in ratios]
    if len(ratios) == 2:
        cells.append(f"{ratios[1] / ratios[0]:.2f}" if all(r and not math.isnan(r) for r in ratios) else "")
    return f"| {name} | {native} | " + " | ".join(cells) + " |"


def main():
    names = kernels()
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--guest", action="append", choices=list(roots.GUESTS), help="may be repeated; default: all")
    p.add_argument("--kernel", action="append", choices=list(names), metavar="NAME",
                   help="may be repeated; default: all of " + " ".join(names))
    p.add_argument("--kind", choices=list(KINDS), help="only the kernels of one kind")
    p.add_argument("--runs", type=int, default=3, help="runs of each, of which the fastest counts (default 3)")
    p.add_argument("--metic", metavar="PATH", help="the metic to time; default: the one built. none: leave it out")
    p.add_argument("--metic-options", default="", help="options for metic, separated by spaces")
    p.add_argument("--peer", metavar="PATTERN",
                   help="path of the peer, {cpu} in it for the processor; default: fetched. none: leave it out")
    p.add_argument("--md", metavar="FILE", help="write the tables there too")
    p.add_argument("--json", metavar="FILE", help="write the numbers there")
    args = p.parse_args()

    emulators = {}
    if args.metic != "none":
        emulators["metic"] = args.metic or roots.metic()
    if args.peer != "none":
        emulators["peer"] = args.peer or roots.peer()
    guests = args.guest or list(roots.GUESTS)
    chosen = [n for n, kind in names.items() if (not args.kernel or n in args.kernel) and args.kind in (None, kind)]
    sources = {n: HERE / names[n] / f"{n}.c" for n in chosen} | {"hello": HERE / "hello.c"}
    folder = compile_all({"native": "gcc"} | {g: roots.GUESTS[g][1] for g in guests}, sources)
    launch = folder / "native/launch"
    compile_one(HERE / "launch.c", "gcc", launch)

    def commands(guest, name):
        found = {"native": [launch, folder / "native" / name]}
        for e, pattern in emulators.items():
            options = args.metic_options.split() if e == "metic" else []
            found[e] = [launch, roots.emulator_for(pattern, guest), *options, folder / guest / name]
        return found

    results, failed = {}, False
    for guest in guests:
        results[guest] = {"kernels": {}}
        for name in chosen:
            times = measure(commands(guest, name), args.runs)
            failed |= len(times) < 1 + len(emulators)
            native = times["native"][1]
            ratio = {e: times[e][1] / native for e in emulators if e in times}
            results[guest]["kernels"][name] = {"kind": names[name], "native": native, "ratio": ratio}
            print(f"{guest} {name}: native {native:.3f} s, " + ", ".join(f"{e} {r:.2f}x" for e, r in ratio.items()),
                  file=sys.stderr)
        results[guest]["hello"] = measure(commands(guest, "hello"), max(10, 5 * args.runs))
        failed |= len(results[guest]["hello"]) < 1 + len(emulators)
    text = markdown(results, list(emulators))
    print(text)
    if args.md:
        pathlib.Path(args.md).write_text(text)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1))
    sys.exit(failed)


if __name__ == "__main__":
    main()
