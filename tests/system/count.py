#!/usr/bin/env python3
"""Counted time: count.py METIC-SYSTEM PROGRAM [SMP...]. Runs of the program on a bare machine, with one processor and as many as are named, say
the same, and that it is right; what -icount refuses."""

import subprocess
import sys

RUNS = 20
machine, program, *processors = sys.argv[1:]


def run(*options):
    return subprocess.run([machine, "-M", "virt", "-m", "64", "-nographic", "-bios", "none", "-kernel", program, *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)


for smp in ["1", *processors]:
    first = None
    for i in range(RUNS):
        r = run("-icount", "shift=0,sleep=off", "-smp", smp)
        if r.returncode or not r.stdout.endswith("right\n"):
            sys.exit(f"-smp {smp}: exit code {r.returncode}: {r.stdout}{r.stderr}")
        first = first or r.stdout
        if r.stdout != first:
            sys.exit(f"-smp {smp}: run {i} differs:\n{first}\n{r.stdout}")

for options in (["-icount", "auto"], ["-icount", "shift=11"], ["-icount", "shift=1,align=on"]):
    r = run(*options)
    if r.returncode != 1 or "-icount wants shift=N" not in r.stderr or r.stderr.count("\n") != 1:
        sys.exit(f"{options}: exit code {r.returncode}: {r.stderr}")
