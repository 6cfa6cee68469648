#!/usr/bin/env python3
"""metic by the names and with the options that scripts use for qemu-user: names.py METIC ARCH OTHER-ARCH'S-PROGRAM PROGRAM"""

import os
import re
import subprocess
import sys
import tempfile

METIC, ARCH, OTHER, PROGRAM = os.path.abspath(sys.argv[1]), sys.argv[2], os.path.abspath(sys.argv[3]), os.path.abspath(sys.argv[4])
failures = []


def run(*words, **env):
    r = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **env})
    return r.returncode, r.stdout.strip()


def expect(what, got, code, pattern):
    if got[0] != code or not re.search(pattern, got[1]):
        failures.append(what)
        print(f"{what}: expected {code} and {pattern}, got {got}")


with tempfile.TemporaryDirectory() as folder:
    for name in (f"qemu-{ARCH}", f"qemu-{ARCH}-static", f"metic-{ARCH}"):
        link = os.path.join(folder, name)
        os.symlink(METIC, link)
        expect(name, run(link, PROGRAM, "1"), 0, "program 1 execfn")
        expect(f"{name}, another's program", run(link, OTHER), 126, f"not for {ARCH}")
        expect(f"{name} starts another's", run(link, PROGRAM, "exec", OTHER, "other", "1"), 0, "^other 1 execfn")
        expect(f"{name} has no commands", run(link, "doctor"), 127, "No such file")
    qemu = os.path.join(folder, f"qemu-{ARCH}-static")
    expect("version", run(qemu, "--version"), 0, rf"^qemu-{ARCH} version \d+\.\d+\.\d+ ")
    expect("own version", run(METIC, "-version"), 0, r"^metic \d+\.\d+")
    for option in (["-B", "0x10000"], ["-R", "0"], ["-tb-size", "32"], ["-p", "4096"], ["-singlestep"], ["-one-insn-per-tb"],
                   ["-E", "A=1"], ["-U", "A"], ["-s", "1M"], ["-cpu", "max"], ["-r", "5.10"], ["-L", "/nonexistent"], ["-d", "unimp"]):
        expect(" ".join(option), run(qemu, *option, PROGRAM, "1"), 0, "program 1 execfn")
    expect("-0", run(qemu, "-0", "called", PROGRAM, "1"), 0, "^called 1 execfn")
    expect("-seed", run(qemu, "-seed", "7", PROGRAM, "random"), 0, run(qemu, PROGRAM, "random", QEMU_RAND_SEED="7")[1])
    if run(qemu, "-seed", "7", PROGRAM, "random") == run(qemu, "-seed", "8", PROGRAM, "random"):
        failures.append("seeds")
    expect("bad seed", run(qemu, "-seed", "x", PROGRAM), 1, "not a number")
    stranger = os.path.join(folder, "qemu-vax")
    os.symlink(METIC, stranger)
    expect("no such guest", run(stranger, PROGRAM), 1, "no front end for vax")
script = run(METIC, "-completion")[1]
words = subprocess.run(["bash", "-c", script + "\nCOMP_WORDS=(metic binfmt --per) COMP_CWORD=2; _metic; echo ${COMPREPLY[@]}"],
                       stdout=subprocess.PIPE, text=True).stdout
expect("completion", (0, words), 0, "^--persist$")
sys.exit(len(failures) > 0)
