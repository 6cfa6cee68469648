#!/usr/bin/env python3
"""strace and gdb of Debian's arm64 and riscv64 under metic, on a guest program (programs/debugged.c).

usage: debug.py GUEST
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import roots  # noqa: E402

guest = sys.argv[1]
where = roots.root(guest, "debug", "bash dash coreutils libc-bin strace gdb".split())
failures = 0

GDB = """set pagination off
set confirm off
break look_up
run
backtrace
print i
finish
stepi
delete
break in_thread
continue
info threads
set var table[3] = 140
delete
continue
"""


def run(folder, *command):
    r = subprocess.run(["setsid", roots.metic(), "-L", where, "-E", "TERM=dumb", "-E", "DEBUGINFOD_URLS=", *command],
                       cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       timeout=600)
    return r.returncode, r.stdout


def check(what, text, *patterns):
    global failures
    at = 0
    for p in patterns:
        m = re.compile(p, re.M).search(text, at)
        if not m:
            print(f"{what}: no `{p}` behind byte {at} of\n{text}")
            failures += 1
            return
        at = m.end()


with tempfile.TemporaryDirectory() as folder:
    program = f"{folder}/debugged"
    subprocess.run([roots.GUESTS[guest][1], "-g", "-O1", "-pthread", HERE / "programs/debugged.c", "-o", program], check=True)
    code, out = run(folder, where / "usr/bin/strace", "-f", "-o", f"{folder}/log", program, "fork")
    log = pathlib.Path(f"{folder}/log").read_text()
    check("strace: the program's output", f"{code} {out}", "0 sum 100 thread 30")
    check("strace", log, r'execve\(".*debugged", \[.*"fork"\], .* = 0$', r"openat\(AT_FDCWD, .*libc.so.6",
          r'write\(1, "sum 100 thread 30\\n", 18\) = 18', r"^\d+ +.*clone.* = \d+$", r"^\d+ +exit_group\(7(\) += \?| <unfinished \.\.\.>)$",
          r"--- SIGCHLD \{.*si_code=CLD_EXITED.*si_status=7", r"^\d+ +exit_group\(0\) += \?$", r"\+\+\+ exited with 0 \+\+\+")
    pathlib.Path(f"{folder}/script").write_text(GDB)
    code, out = run(folder, where / "usr/bin/gdb", "-nx", "-batch", "-iex", f"set sysroot {where}", "-x", f"{folder}/script", program)
    check("gdb", out, r"^Breakpoint 1, look_up \(i=", r"^#0 +look_up", r"^#1 .* in main", r"^\$1 = 0", r"^Value returned is \$2 = 10",
          r"hit Breakpoint 2, in_thread", r"^\* 2 +.*in_thread", r"sum 100 thread 30", r"exited normally\]")
sys.exit(failures != 0)
