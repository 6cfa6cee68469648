#!/usr/bin/env python3
"""Counted time: count.py METIC-SYSTEM PROGRAM. Twenty runs of the program on a bare machine say the same, and that it is right; what -icount refuses."""

import subprocess
import sys

machine, program = sys.argv[1:]


def run(*options):
    return subprocess.run([machine, "-M", "virt", "-m", "64", "-nographic", "-bios", "none", "-kernel", program, *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)


first = None
for i in range(20):
    r = run("-icount", "shift=0,sleep=off")
    if r.returncode or not r.stdout.endswith("right\n"):
        sys.exit(f"exit code {r.returncode}: {r.stdout}{r.stderr}")
    first = first or r.stdout
    if r.stdout != first:
        sys.exit(f"run {i} differs:\n{first}\n{r.stdout}")

for options, says in ((["-icount", "auto"], "-icount wants shift=N"), (["-icount", "shift=11"], "-icount wants shift=N"),
                      (["-icount", "shift=1,align=on"], "-icount wants shift=N"), (["-icount", "1", "-smp", "2"], "one processor")):
    r = run(*options)
    if r.returncode != 1 or says not in r.stderr or r.stderr.count("\n") != 1:
        sys.exit(f"{options}: exit code {r.returncode}: {r.stderr}")
