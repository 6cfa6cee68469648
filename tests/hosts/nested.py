#!/usr/bin/env python3
"""metic built for other hosts, run as a guest: of the metic that was built, and of the peer as a judge of its own.

usage: nested.py PROGRAMS    (the folder of tests/linux as built)

Builds metic for arm64 and riscv64 with the cross files of cross/ into BUILD/hosts and lets each run programs of both: hello,
those of tests/linux, bash of a Debian root with pipes and children; and from inside a root through `metic run`. 77 (skipped)
without cross compilers.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tools"))
import roots  # noqa: E402

SMALL = "busybox bash dash coreutils grep sed gawk perl-base python3-minimal libc-bin".split()  # the root of tests/e2e
CPUS = [cpu for cpu, _ in roots.GUESTS.values()]
# Not in these lists: hot, whose loops are too long for an interpreter; clone, which counts on ids that the outer metic's compiling thread
# may take; seccomp, for which metic needs the kernel's own. Of ptrace what a tracer does with a child it has started.
UNDER_METIC = ("code exec fenv fs info io ipc mapping memory net proc process sched signals start storm threads time uring "
               "watch").split()
TRACED = ["calls", "registers", "signals", "queued signals", "fault", "breakpoints", "breakpoints by file", "exec", "seccomp"]
UNDER_PEER = "code fenv info io ipc".split()  # the peer has no robust lists, process_vm_readv, io_uring
SHELL = "echo $(uname -m) | tr a-z A-Z; for i in 3 1 2; do echo $i; done | sort | tail -1; seq 100 | awk '{s += $1} END {print s}'"

failed = 0


def build(cpu):
    """The path of the metic that runs on the processor."""
    folder = roots.build_folder() / "hosts" / cpu
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", "--cross-file", TOP / f"cross/{cpu}.ini", folder, TOP], check=True, capture_output=True)
    subprocess.run(["ninja", "-C", folder, "metic"], check=True, capture_output=True)
    return folder / "metic"


def expect(name, command, out=None, timeout=300):
    """The command ends with 0, having printed `out` (None: anything)."""
    global failed
    try:
        p = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        good = p.returncode == 0 and out in (None, p.stdout)
        said = f"exit {p.returncode}\n{p.stdout}{p.stderr}"
    except subprocess.TimeoutExpired:
        good, said = False, f"nothing after {timeout} s"
    print(f"{'ok' if good else 'FAILED'}: {name}" + ("" if good else f": {said}"), flush=True)
    failed += not good


def hello(work, cpu):
    source, program = work / "hello.c", work / f"hello-{cpu}"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    subprocess.run([f"{cpu}-linux-gnu-gcc", "-static", "-o", program, source], check=True)
    return program


def main():
    programs = pathlib.Path(sys.argv[1])
    if not all(shutil.which(f"{cpu}-linux-gnu-gcc") for cpu in CPUS):
        print("no cross compilers here: tests/install-deps installs them")
        sys.exit(77)
    os.environ["METIC_CODE_CACHE"] = "off"
    peer = roots.peer()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for guest, (cpu, _) in roots.GUESTS.items():
            metic = build(cpu)
            for program in CPUS:
                expect(f"{cpu} metic, {program} hello", [roots.metic(), metic, hello(work, program)], "hello\n")
                expect(f"{cpu} metic, {program} hello, peer", [peer.format(cpu=cpu), metic, work / f"hello-{program}"], "hello\n")
            if cpu == "riscv64":  # as on a machine with Sv39
                expect("riscv64 metic, 38 bits of addresses, peer",
                       [peer.format(cpu=cpu), "-R", "0x4000000000", metic, work / "hello-aarch64"], "hello\n")
            for other_guest, (other, _) in roots.GUESTS.items():
                if other == cpu:
                    continue
                for name in UNDER_METIC:
                    expect(f"{cpu} metic, {other} {name}", [roots.metic(), metic, programs / f"{other}-{name}"])
                for part in TRACED if cpu == "aarch64" else []:
                    expect(f"{cpu} metic, {other} ptrace, {part}", [roots.metic(), metic, programs / f"{other}-ptrace", part])
                for name in UNDER_PEER:
                    expect(f"{cpu} metic, {other} {name}, peer", [peer.format(cpu=cpu), metic, programs / f"{other}-{name}"])
                foreign = roots.root(other_guest, "small", SMALL)
                machine = other.upper()
                expect(f"{cpu} metic, bash of {other}", [roots.metic(), metic, "-L", foreign, foreign / "bin/bash", "-c", SHELL],
                       f"{machine}\n3\n5050\n")
                own = roots.root(guest, "small", SMALL)
                expect(f"{cpu} metic in a root of {cpu}",
                       [roots.metic(), "run", "--root", own, "--bind", f"{metic.parent}:/mnt", "--bind", f"{work}:/tmp", "--",
                        "/mnt/metic", f"/tmp/hello-{other}"], "hello\n")
    sys.exit(failed != 0)


main()
