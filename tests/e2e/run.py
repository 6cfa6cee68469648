#!/usr/bin/env python3
"""Runs programs of Debian's arm64 and riscv64 under metic and compares what they print with what they should.

The cases are text files: small/*.txt need a small root (quick), full/*.txt a large one,
real/*.txt one with compilers, virtual machines and servers. A case is

    === NAME[; OPTION [VALUE]]...
    a shell script, run by the root's bash in an empty folder (or what `shell` says)
    ---
    the expected output, standard error included

Options: `exit N` (default 0; -N: death by signal N), `timeout S` (default 300), `guest ARCH...` (only those),
`shell WORDS` (instead of bash -c; `shell direct`: the script's words are the program and its arguments), `regex` (the
expected output is a regular expression for the whole), `native` (expected: what the host's bash prints, exit code
included), `sort` (compare sorted lines). `$P` is the folder of the programs of programs/*.c, compiled for the guest by
a cross compiler, and of its scripts.

How the root is reached: `L`: option -L; `env`: METIC_SYSROOT and QEMU_LD_PREFIX; `chroot`: emulator and work folder
inside the root, /proc and /dev mounted there. `--guest amd64` tries the cases natively, in a chroot of an amd64 root.
"""

import argparse
import atexit
import concurrent.futures
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import roots  # noqa: E402

SETS = {
    "small": "busybox bash dash coreutils grep sed gawk perl-base python3-minimal libc-bin".split(),
    "full": """busybox bash dash coreutils grep sed gawk mawk findutils tar gzip xz-utils zstd bzip2 openssl perl
               python3 lua5.4 sqlite3 git file gcc libc6-dev make libc-bin bsdutils util-linux procps hostname
               libpython3.13-testsuite luajit""".split(),
    "real": """busybox bash dash coreutils grep sed gawk libc-bin procps util-linux golang-go nodejs npm openjdk-21-jdk-headless
               openjdk-25-jdk-headless rustc cargo ruby gcc g++ libc6-dev make git redis-server redis-tools""".split(),
    "stress": "bash coreutils libc-bin mount procps stress-ng util-linux".split(),
}
ONLY = {"arm64": {"full": ["nodejs"]}}
OPTIONS = {"exit": int, "timeout": float, "guest": str, "shell": str, "regex": None, "native": None, "sort": None}
NATIVE = "amd64"
CHROOT = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), "sh", "-c",
          'mkdir -p "$0/dev" "$0/proc" && mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"']


class Case:
    def __init__(self, head, script, want, where):
        name, *options = [part.strip() for part in head.split(";")]
        self.name, self.script, self.want, self.where = name, script, want, where
        self.exit, self.timeout, self.guest, self.shell = 0, 300.0, None, None
        self.regex = self.native = self.sort = False
        for o in options:
            key, _, value = o.partition(" ")
            if key not in OPTIONS or (OPTIONS[key] is None) != (value == ""):
                sys.exit(f"{where}: {name}: no option `{o}`")
            setattr(self, key, OPTIONS[key](value) if value else True)


def read_cases(path):
    cases, head, script, want, into = [], None, [], [], None

    def finish():
        if head is not None:
            cases.append(Case(head, "".join(script), "".join(want), path))

    for line in path.read_text().splitlines(keepends=True):
        if line.startswith("=== "):
            finish()
            head, script, want = line[4:], [], []
            into = script
        elif line.rstrip() == "---" and into is script and head is not None:
            into = want
        elif into is not None:
            into.append(line)
    finish()
    for c in cases:
        if c.want == "\n" or c.want.endswith("\n\n"):  # the empty line before the next case
            c.want = c.want[:-1]
    return cases


def update(path, changes):
    """Writes {name: output} as the expected outputs of the file's cases."""
    text = path.read_text()
    for name, output in changes.items():
        case = re.compile(rf"(^=== {re.escape(name)}(?:;.*)?\n(?:.*\n)*?---\n)(?:.*\n)*?(?=\n=== |\Z)", re.M)
        text = case.sub(lambda m: m[1] + output, text, count=1)
    path.write_text(text)


def compile_programs(guest):
    """programs/*.c for the guest, statically, and the scripts beside them; the folder."""
    where = roots.build_folder() / "tests/e2e" / guest
    where.mkdir(parents=True, exist_ok=True)
    for source in sorted((HERE / "programs").iterdir()):
        to = where / (source.stem if source.suffix == ".c" else source.name)
        if to.exists() and to.stat().st_mtime > source.stat().st_mtime:
            continue
        if source.suffix == ".c":
            compiler = "gcc" if guest == NATIVE else roots.GUESTS[guest][1]
            subprocess.run([compiler, "-O1", "-g", "-static", "-pthread", "-Wall", "-Wextra", source, "-o", to],
                           check=True)
        else:
            shutil.copy(source, to)
    return where


class Place:
    """One guest's root, how it is entered, and the programs."""

    def __init__(self, args, guest, kind):
        self.guest, self.mode = guest, args.mode if guest != NATIVE else "chroot"
        self.emulator = guest != NATIVE and roots.emulator_for(args.emulator or roots.metic(), guest)
        self.emulator_options = args.emulator_options.split()
        given = args.root and pathlib.Path(args.root.replace("{guest}", guest))
        self.root = given or roots.root(guest, kind, SETS[kind] + ONLY.get(guest, {}).get(kind, []))
        self.programs = compile_programs(guest)
        self.work = self.root / "tmp" if self.mode == "chroot" else None
        if self.mode == "chroot" and self.emulator:
            self.copy = self.root / f"emulator-{os.getpid()}"
            shutil.copy(self.emulator, self.copy)
            atexit.register(self.copy.unlink)

    def find(self, program):
        """Path in the root of a program given by name."""
        if "/" in program:
            return program
        for folder in ("usr/bin", "usr/sbin"):
            if (self.root / folder / program).exists():
                return f"/{folder}/{program}"
        return program

    def command(self, words, work, env):
        program, *rest = words
        program = self.find(program)
        if self.mode == "chroot":
            inside = "/" + str(work.relative_to(self.root))
            emulator = ["/" + self.copy.name, *self.emulator_options] if self.emulator else []
            return [*CHROOT, self.root, *emulator, "/usr/bin/env", "-C", inside, program, *rest]
        in_root = self.root / program.lstrip("/")
        path = in_root if program.startswith("/") and in_root.exists() else program
        prefix = ["-L", self.root] if self.mode == "L" else []
        if self.mode == "env":
            env["METIC_SYSROOT"] = env["QEMU_LD_PREFIX"] = str(self.root)
        return [self.emulator, *self.emulator_options, *prefix, path, *rest]


def shell_words(case, work):
    if case.shell == "direct":
        return [w.replace("$P", str(work / "programs")) for w in shlex.split(case.script)]
    *shell, last = shlex.split(case.shell or "bash -c")
    return [*shell, last, case.script, (shell or [last])[0]]


def environment(work, inside):
    """What a guest program sees, and how metic is to make code where the caller has said so."""
    code = {name: os.environ[name] for name in ("METIC_TIER", "METIC_HOT_AFTER", "METIC_CODE_CACHE") if name in os.environ}
    return code | {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": inside, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TMPDIR": inside,
            "P": inside + "/programs", "USER": "guest", "TERM": "dumb"}


def keep_nice(pid):
    """A session is a group of its own to the scheduler, at nice 0; a run started at low priority stays there."""
    try:
        nice = pathlib.Path("/proc/self/autogroup").read_text().split()[-1]
        pathlib.Path(f"/proc/{pid}/autogroup").write_text(nice)
    except OSError:
        pass  # a kernel without such groups, or the process has ended


def run(command, case, work, env):
    """(exit code or -signal, output) of the command; None for the code: it took too long."""
    with open(work / ".output", "w+b") as out:
        p = subprocess.Popen(list(map(str, command)), cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.STDOUT, start_new_session=True)
        keep_nice(p.pid)
        try:
            code = p.wait(case.timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.wait()
        out.seek(0)
        return code, out.read().decode(errors="replace")


def judge(case, code, output, want_code, want):
    if code is None:
        return f"no end after {case.timeout:g} s"
    if code != want_code:
        return f"exit code {code}, wanted {want_code}"
    if case.regex:
        return None if re.fullmatch(want, output) else "output does not match"
    if case.sort:
        output, want = sorted(output.splitlines()), sorted(want.splitlines())
    return None if output == want else "output differs"


def run_case(case, place):
    """(why it failed or None, output, expected, seconds)"""
    work = pathlib.Path(tempfile.mkdtemp(prefix="e2e-", dir=place.work))
    work.chmod(0o755)
    try:
        (work / "empty").mkdir()
        home = work / "empty"
        if place.mode == "chroot":
            shutil.copytree(place.programs, home / "programs")
            inside = "/" + str(home.relative_to(place.root))
        else:
            inside = str(home)
            (home / "programs").symlink_to(place.programs)
        env = environment(work, inside)
        want_code, want = case.exit, case.want
        if case.native:
            native = dict(env)
            want_code, want = run(["bash", "-c", case.script], case, home, native)
            for path in home.iterdir():
                if path.name != "programs":
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        command = place.command(shell_words(case, pathlib.Path(inside)), home, env)
        start = time.monotonic()
        code, output = run(command, case, home, env)
        return judge(case, code, output, want_code, want), output, want, time.monotonic() - start
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", work], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--set", choices=list(SETS), default="small")
    p.add_argument("--guest", action="append", choices=[*roots.GUESTS, NATIVE],
                   help="may be repeated; default: arm64 and riscv64")
    p.add_argument("--mode", choices=["L", "env", "chroot"], default="L")
    p.add_argument("--emulator", metavar="PATTERN", help="{cpu} in it is the processor; default: the metic built")
    p.add_argument("--emulator-options", default="", help="separated by spaces")
    p.add_argument("--root", metavar="PATTERN", help="a root that is there, {guest} in it; default: fetched to the cache")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--fetch-only", action="store_true", help="fetch the roots, run nothing")
    p.add_argument("--update", action="store_true",
                   help="write what the cases print as what they should (with --guest amd64; look at the difference)")
    p.add_argument("-v", "--verbose", action="store_true", help="print the passing ones too")
    p.add_argument("case", nargs="*", help="only cases whose name, or file, starts so")
    args = p.parse_args()

    guests = args.guest or list(roots.GUESTS)
    if args.fetch_only:
        for g in guests:
            roots.root(g, args.set, SETS[args.set] + ONLY.get(g, {}).get(args.set, []))
        return
    cases = [c for f in sorted((HERE / args.set).glob("*.txt")) for c in read_cases(f)]
    if args.case:
        cases = [c for c in cases if any(c.name.startswith(s) or c.where.stem == s for s in args.case)]
    places = [Place(args, g, args.set) for g in guests]
    jobs = [(c, place) for place in places for c in cases if not c.guest or place.guest in c.guest.split()]
    lock, changes = threading.Lock(), {}

    def one(job):
        case, place = job
        why, output, want, seconds = run_case(case, place)
        with lock:
            if args.update and why and why.startswith("output") and not (case.regex or case.native):
                changes.setdefault(case.where, {})[case.name] = output
            elif why:
                print(f"FAIL {place.guest} {case.where.stem}/{case.name} ({seconds:.1f} s): {why}")
                print("".join(f"    | {line}\n" for line in output.splitlines()[-30:]), end="")
                if why.startswith("output"):
                    print("  wanted\n" + "".join(f"    | {line}\n" for line in want.splitlines()[:30]), end="")
            elif args.verbose:
                print(f"ok   {place.guest} {case.where.stem}/{case.name} ({seconds:.1f} s)")
            sys.stdout.flush()
        return bool(why)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        failed = sum(pool.map(one, jobs))
    for path, outputs in changes.items():
        update(path, outputs)
    print(f"{len(jobs) - failed} passed, {failed} failed")
    sys.exit(failed > 0 or not jobs)


if __name__ == "__main__":
    main()
