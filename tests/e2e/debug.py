#!/usr/bin/env python3
"""gdb and strace of Debian's arm64 and riscv64 under metic, on guest programs: what they print is compared with what
amd64's print natively about the same programs.

usage: debug.py GUEST [-v] [CASE...]     (as root: it uses chroot)

The cases are those of debuggers/*.txt, scripts of bash in the form of run.py without expected outputs; the programs are
debuggers/*.c. `debug WORDS` is gdb with commands from its input. What may differ stands in debuggers/differences.txt,
whose form is that of tests/linux/strace-differences.txt.
"""
import difflib
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "tools"), str(HERE.parent / "linux")]
import roots  # noqa: E402
import run  # noqa: E402
import strace  # noqa: E402

TIMEOUT = 100  # seconds
PACKAGES = "bash dash coreutils libc-bin sed grep strace gdb gdbserver".split()
FOLDER = "debugged"  # in the roots
PRELUDE = """debug() {
    cat >script
    gdb -nx -batch -iex 'set pagination off' -iex 'set confirm off' -iex 'set width 0' -x script "$@" 2>&1 </dev/null
}
"""


def compiler(guest):
    return "gcc" if guest == run.NATIVE else roots.GUESTS[guest][1]


class Place:
    """A root with the programs in it, and how a script is run there."""

    def __init__(self, guest):
        self.guest = guest
        self.root = roots.root(guest, "debuggers", PACKAGES)
        self.folder = self.root / FOLDER
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for source in sorted((HERE / "debuggers").glob("*.c")):
            shutil.copy(source, self.folder)
            subprocess.run([compiler(guest), "-g", "-O0", "-fno-stack-protector", "-pthread", "-Wall", "-Wextra", source.name, "-o", source.stem],
                           cwd=self.folder, check=True)
        self.emulator = []
        if guest != run.NATIVE:
            shutil.copy(roots.metic(), self.folder / "emulator")
            self.emulator = [f"/{FOLDER}/emulator"]

    def run(self, case):
        command = [*run.CHROOT, self.root, *self.emulator, "/usr/bin/env", "-C", f"/{FOLDER}", "bash", "-c", PRELUDE + case.script]
        env = {"PATH": f"/usr/bin:/usr/sbin:/{FOLDER}", "HOME": f"/{FOLDER}", "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb"}
        return run.run(command, case, self.folder, env)

    def close(self):
        shutil.rmtree(self.folder)


def normalise(side, output, rules):
    lines = (" ".join(line.split()) for line in output.splitlines())  # columns are as wide as the longest number
    return [line for line in (strace.ruled(side, line, rules) for line in lines) if line is not None]


def main():
    guest, *names = sys.argv[1:]
    verbose = "-v" in names
    names = [n for n in names if n != "-v"]
    if os.geteuid():
        print("skipped: this needs root")
        return 77
    rules = strace.read_rules(HERE / "debuggers/differences.txt")
    places = [Place(run.NATIVE), Place(guest)]
    cases = [c for f in sorted((HERE / "debuggers").glob("*.txt")) if f.name != "differences.txt" for c in run.read_cases(f)]
    bad = 0
    for case in cases:
        if names and not any(case.name.startswith(n) for n in names):
            continue
        if case.guest and guest not in case.guest.split():
            continue
        case.timeout = min(case.timeout, TIMEOUT)
        start = time.monotonic()
        (code, native), (got_code, got) = (p.run(case) for p in places)
        expected, lines = (normalise(side, text, rules) for side, text in (("native", native), ("guest", got)))
        if case.sort:
            expected, lines = sorted(expected), sorted(lines)
        difference = list(difflib.unified_diff(expected, lines, "native", guest, lineterm="", n=1))
        good = code == got_code == case.exit and not difference
        bad += not good
        print(f"{case.name}: {len(expected)} lines, {time.monotonic() - start:.1f} s, {'ok' if good else f'DIFFERENT ({code}, {got_code})'}", *difference, sep="\n", flush=True)
        if verbose:
            print(native, "-" * 40, got, sep="\n")
    for p in places:
        p.close()
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
