#!/usr/bin/env python3
"""Compares the options of all kinds of sockets, as sockets.c lists them, of a guest with the same program run natively.

    sockopts.py METIC NATIVE GUEST
"""
import subprocess
import sys

metic, native, guest = sys.argv[1:]
want, got = (subprocess.run(words + ["list"], capture_output=True, text=True, check=True).stdout.splitlines()
             for words in ([native], [metic, guest]))
different = [(a, b) for a, b in zip(want, got) if a != b]
for a, b in different[:20]:
    print(f"native: {a}\nguest:  {b}")
print(f"{len(want)} options natively, {len(got)} of the guest, {len(different)} different")
sys.exit(len(want) < 50 or len(want) != len(got) or bool(different))
