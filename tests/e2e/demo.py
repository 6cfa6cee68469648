#!/usr/bin/env python3
"""make demo: real programs of Debian's arm64 and riscv64, run by metic on this machine, then a table of times.

The roots come from Debian's mirror into a cache folder (METIC_CACHE, else ~/.cache/metic) and stay there.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import roots  # noqa: E402

PACKAGES = "bash coreutils openssl perl-base python3-minimal xz-utils".split()

PYTHON = """\
import sys, os
digits, k, a, b, a1, b1 = [], 2, 4, 1, 12, 4
while len(digits) < 400:
    p, q, k = k * k, 2 * k + 1, k + 1
    a, b, a1, b1 = a1, b1, p * a + q * a1, p * b + q * b1
    while a // b == a1 // b1 and len(digits) < 400:
        digits.append(str(a // b)); a, a1 = 10 * (a % b), 10 * (a1 % b1)
print("Python", sys.version.split()[0], "on", os.uname().machine + ":", "pi =", digits[0] + "." + "".join(digits[1:40]) + "...")
"""
PERL = """\
my %n; $n{length join "", map { chr 97 + ($_ * 7919 + $_[0]) % 26 } 1 .. $_ % 50}++ for 1 .. 4000;
my @p = (1) x 100000; for my $i (2 .. 316) { next unless $p[$i]; for (my $j = $i * $i; $j < 100000; $j += $i) { $p[$j] = 0 } }
printf "Perl %vd: %d primes below 100000\n", $^V, scalar grep { $p[$_] } 2 .. 99999;
"""
BASH = 'f() { (( $1 < 2 )) && r=$1 || { f $(($1-1)); local a=$r; f $(($1-2)); r=$((a+r)); }; }; f 16; echo "bash $BASH_VERSION on $MACHTYPE: fib(16) = $r"'

# What is shown and timed: title, program, arguments. The last two read the file `data`.
SHOW = [
    ("uname", ["uname", "-srm"]),
    ("bash", ["bash", "-c", BASH]),
    ("python3", ["python3", "-c", PYTHON]),
    ("perl", ["perl", "-e", PERL]),
    ("xz -T2", ["xz", "-T2", "--block-size=1MiB", "-3kfv", "data"]),
    ("openssl", ["openssl", "dgst", "-sha512", "data"]),
]


def timed(command, work, env):
    start = time.monotonic()
    p = subprocess.Popen(command, cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in p.stdout:
        lines.append(line)
        yield line
    code = p.wait()
    yield code, time.monotonic() - start


def run(command, work, env, show):
    """Seconds the command took; its output goes to the screen as it comes. None: it failed."""
    for out in timed(list(map(str, command)), work, env):
        if isinstance(out, str):
            if show:
                print("    " + out, end="", flush=True)
        else:
            code, seconds = out
            if code:
                print(f"    failed: exit code {code}")
            return None if code else seconds
    return None


def main():
    metic = roots.metic()
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/"}
    times = {title: {} for title, _ in SHOW}
    work = pathlib.Path(tempfile.mkdtemp(prefix="metic-demo-"))
    try:
        (work / "data").write_text("".join(f"{i * i % 1000003:x} {i}\n" for i in range(250000)))
        for guest, (cpu, _) in roots.GUESTS.items():
            root = roots.root(guest, "demo", PACKAGES)
            print(f"\n{guest}, Debian {roots.SUITE}, by metic -L {root}", flush=True)
            for title, (program, *arguments) in SHOW:
                command = [metic, "-L", root, root / "usr/bin" / program, *arguments]
                words = " ".join([program, *arguments])
                print(f"  $ {words if len(words) < 60 else words.splitlines()[0][:56] + '...'}", flush=True)
                times[title][guest] = run(command, work, env, True)
        print("\nnatively, for comparison", flush=True)
        for title, (program, *arguments) in SHOW:
            times[title]["native"] = run([program, *arguments], work, env, False) if shutil.which(program) else None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    names = ["native", *roots.GUESTS]
    print("\n" + f"{'seconds':12}" + "".join(f"{n:>10}" for n in names))
    for title, t in times.items():
        print(f"{title:12}" + "".join(f"{t[n]:10.3f}" if t.get(n) is not None else f"{'-':>10}" for n in names))
    sys.exit(any(t[g] is None for t in times.values() for g in roots.GUESTS))


if __name__ == "__main__":
    main()
