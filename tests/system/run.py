#!/usr/bin/env python3
"""Runs a test program on a bare machine: run.py METIC-SYSTEM PROGRAM [OPTION...]. It must say "right" and power off with code 0."""

import subprocess
import sys

machine, program, *options = sys.argv[1:]
r = subprocess.run([machine, "-M", "virt", "-m", "64", "-nographic", "-bios", "none", "-kernel", program, *options],
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
sys.stdout.buffer.write(r.stdout + r.stderr)
if r.returncode or r.stdout.replace(b"\r", b"") != b"right\n":
    sys.exit(f"{program}: exit code {r.returncode}")
