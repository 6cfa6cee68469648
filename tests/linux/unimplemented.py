#!/usr/bin/env python3
"""The log of what is not implemented tells of each ioctl command once, with the reason of those that are refused; without the log
nothing is said. ioctl.c asks each three times.

    unimplemented.py METIC GUEST
"""
import re
import subprocess
import sys

metic, guest = sys.argv[1:]
quiet, told = (subprocess.run([metic, *options, guest], capture_output=True, text=True, timeout=60) for options in ([], ["-d", "unimp"]))
lines = re.findall(r"ioctl (0x[0-9a-f]+): (.*)", told.stderr)
failed = []
if quiet.returncode or quiet.stderr:
    failed.append(f"without the log: {quiet.returncode} {quiet.stderr!r}")
if told.returncode:
    failed.append(f"with the log: {told.returncode}")
for command, why in (("0xdead0001", "not described"), ("0xae01", "KVM runs code of the host's processor")):
    if [w for c, w in lines if c == command] != [why]:
        failed.append(f"{command}: expected once {why!r}, got {lines}")
if len({c for c, _ in lines}) != len(lines):
    failed.append(f"a command twice: {lines}")
print("\n".join(failed))
sys.exit(bool(failed))
