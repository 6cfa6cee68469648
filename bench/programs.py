#!/usr/bin/env python3
"""Times real programs of Debian: this machine's own, the guests' under metic and under the peer, in turn.

The same command runs by chroot in a root of each architecture, with the emulator registered in a binfmt_misc of this
run's own, so that whatever a program starts is emulated too. Time is processor time of everything that was started
(of `openssl speed`: the inverse of what it prints); metic's is the third run's, with translations kept (the first
notes the programs, the second stores), and the first one's is shown beside. Outputs must be the same everywhere. Needs
root, or user namespaces with binfmt_misc (Linux 6.7).
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools"), str(HERE.parent / "tests/binfmt")]
import namespace  # noqa: E402
import roots  # noqa: E402
from run import compile_one, geomean, run  # noqa: E402

NATIVE = "amd64"
PACKAGES = """bash dash coreutils diffutils grep sed mawk file gcc libc6-dev make xz-utils openssl python3 sqlite3 libc-bin
              binutils-source""".split()
CACHE = "/var/cache/metic"

# What is timed, run in an empty folder by the root's bash: its standard output must be the same on every machine.
# {rate}: the regular expression that finds what `openssl speed -mr` tells.
PROGRAMS = {
    "configure": "ln -s /usr/bin/mawk awk && PATH=$PWD:$PATH && mkdir o && cd o && /mnt/binutils/bfd/configure --disable-nls >log && grep -c '^checking' log >/dev/null && grep -c HAVE_ config.h",
    "gcc": "gcc -O2 -c /mnt/big.c -o big.o && nm big.o | grep -c ' T '",
    "xz": "xz -9 -T1 -c </mnt/text | sha256sum",
    "python nbody": "python3 /mnt/programs/nbody.py",
    "python fannkuch": "python3 /mnt/programs/fannkuch.py",
    "python text": "python3 /mnt/programs/text.py",
    "python objects": "python3 /mnt/programs/objects.py",
    "sqlite3": "sqlite3 base.db </mnt/programs/queries.sql",
    "bash -c true": "bash -c true",
    "python3 -S -c 1": "python3 -S -c 1",
}
SPEED = {
    "AES-256-GCM": ("-bytes 8192 -evp aes-256-gcm", r"\+F:\d+:AES-256-GCM:([\d.]+)"),
    "SHA-256": ("-bytes 8192 -evp sha256", r"\+F:\d+:sha256:([\d.]+)"),
    "RSA-2048 sign": ("rsa2048", r"\+F2:\d+:2048:([\d.e-]+):"),
}
# Of these the resident size counts, too.
RESIDENT = {"bash -c true", "python3 -S -c 1"}


def prepare(folder, source):
    """What the programs work on: a source tree, a large C file, text."""
    (folder / "binutils").mkdir()
    subprocess.run(["tar", "-xJf", source, "--strip-components=1", "--exclude=*/testsuite/*", "-C", folder / "binutils"], check=True)
    (folder / "big.c").write_text(subprocess.run([sys.executable, HERE / "container/generate.py", "400"], check=True,
                                                 stdout=subprocess.PIPE, text=True).stdout)
    text = b"".join(f.read_bytes() for f in sorted((folder / "binutils/bfd").glob("*.c")))
    (folder / "text").write_bytes(text[:6 << 20])
    (folder / "programs").mkdir()
    for f in (HERE / "programs").iterdir():
        (folder / "programs" / f.name).write_bytes(f.read_bytes())


def mount(root, data, cache):
    for name in ("proc", "dev", "mnt", "tmp", CACHE[1:]):
        (root / name).mkdir(parents=True, exist_ok=True)
    for source, name in (("/proc", "proc"), ("/dev", "dev"), (data, "mnt"), (cache, CACHE[1:])):
        namespace.call("mount", str(source).encode(), str(root / name).encode(), None, 4096 | namespace.MS_REC, None)
    namespace.call("mount", b"none", str(root / "tmp").encode(), b"tmpfs", 0, None)


def register(metic, interpreter, cpu):
    for f in namespace.FOLDER.iterdir():
        if f.name not in ("register", "status"):
            f.write_text("-1")
    if interpreter:
        line = subprocess.run([metic, "binfmt", "print", "--interpreter", interpreter, cpu], check=True, stdout=subprocess.PIPE, text=True)
        (namespace.FOLDER / "register").write_text(line.stdout.strip())


def once(launch, root, script):
    """((wall, processor seconds, KiB), output) of one run."""
    words = script.split() if script in RESIDENT else ["bash", "-c", f"d=$(mktemp -d) && cd $d && {{ {script}; }}; r=$?; rm -rf $d; exit $r"]
    return run([launch, "/usr/sbin/chroot", root, "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin", "HOME=/tmp", "LC_ALL=C.UTF-8",
                f"METIC_CODE_CACHE={CACHE}", *words])


def speed(launch, root, what):
    """Seconds for one unit of openssl speed's work."""
    options, pattern = SPEED[what]
    _, out = once(launch, root, f"openssl speed -mr -seconds 2 {options} 2>/dev/null")
    return 1 / float(re.search(pattern, out)[1])


def one_guest(args, guest, places, launch, names):
    """{program: {who: seconds}}, {program: {who: KiB}} of a guest; `metic, first` is the run that fills the cache."""
    interpreters = {"native": None, "metic": args.metic, "peer": args.peer.format(cpu=roots.GUESTS[guest][0])}
    times, sizes = {n: {} for n in names}, {n: {} for n in names}
    for name in names:
        want = None
        for turn in range(args.runs):
            for who in ("native", "metic", "metic", "metic", "peer") if turn == 0 else ("native", "metic", "peer"):
                register(args.metic, interpreters[who], roots.GUESTS[guest][0])
                root = places[NATIVE if who == "native" else guest]
                fresh = [run for run in ("metic, first", "metic, second") if who == "metic" and run not in times[name]]
                key = fresh[0] if fresh else who
                try:
                    if name in SPEED:
                        seconds, size = speed(launch, root, name), 0
                    else:
                        (_, seconds, size), out = once(launch, root, PROGRAMS[name])
                        out = re.sub(r"\d+", "", out) if name == "configure" else out
                        want = out if want is None else want
                        if out != want:
                            raise RuntimeError(f"printed {out[:60]!r}, wanted {want[:60]!r}")
                except RuntimeError as e:
                    sys.exit(f"{guest} {name}, {who}: {e}")
                times[name][key] = min(seconds, times[name].get(key, seconds))
                sizes[name][key] = max(size, sizes[name].get(key, size))
        t = times[name]
        print(f"{guest} {name}: native {t['native']:.3g} s, metic {t['metic'] / t['native']:.2f}x (first {t['metic, first'] / t['native']:.2f}x), "
              f"peer {t['peer'] / t['native']:.2f}x" + (f"; KiB {sizes[name]}" if name in RESIDENT else ""), flush=True)
    return times, sizes


def table(guest, times, sizes):
    lines = [f"## {guest}", "", "| program | native | metic | metic, first run | peer | peer / metic |", "|---" * 6 + "|"]
    for name, t in times.items():
        lines.append(f"| {name} | {t['native']:.3g} s | " + " | ".join(f"{t[w] / t['native']:.2f}x" for w in ("metic", "metic, first", "peer")) +
                     f" | {t['peer'] / t['metic']:.2f} |")
    mean = [geomean([t[w] / t["native"] for t in times.values()]) for w in ("metic", "metic, first", "peer")]
    lines.append("| **geometric mean** | | " + " | ".join(f"{m:.2f}x" for m in mean) + f" | {mean[2] / mean[0]:.2f} |")
    lines += ["", "| resident | native | metic | metic, first run | peer |", "|---" * 5 + "|"]
    for name in RESIDENT & times.keys():
        lines.append(f"| {name} | " + " | ".join(f"{sizes[name][w] / 1024:.1f} MiB" for w in ("native", "metic", "metic, first", "peer")) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guest", action="append", choices=list(roots.GUESTS), help="may be repeated; default: all")
    parser.add_argument("--program", action="append", choices=[*PROGRAMS, *SPEED], help="may be repeated; default: all")
    parser.add_argument("--runs", type=int, default=2, help="runs of each, of which the fastest counts (default 2)")
    parser.add_argument("--metic", default=roots.metic(), type=os.path.abspath)
    parser.add_argument("--peer", help="path of the peer, {cpu} in it for the processor; default: fetched")
    parser.add_argument("--md", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    args.peer = args.peer or roots.peer()
    guests, names = args.guest or list(roots.GUESTS), args.program or [*PROGRAMS, *SPEED]
    places = {g: roots.root(g, "bench", PACKAGES) for g in [NATIVE, *guests]}
    launch = roots.build_folder() / "bench/native/launch"
    compile_one(HERE / "launch.c", "gcc", launch)
    with tempfile.TemporaryDirectory(prefix="metic-programs-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        folder = pathlib.Path(folder)
        os.chmod(folder, 0o755)
        prepare(folder, next((places[NATIVE] / "usr/src/binutils").glob("binutils-*.tar.xz")))
        (folder / "cache").mkdir()
        pid = os.fork()
        if pid == 0:
            namespace.enter()
            namespace.mount()
            for place in places.values():
                mount(place, folder, folder / "cache")
            results, text = {}, ""
            for guest in guests:
                times, sizes = one_guest(args, guest, places, launch, names)
                results[guest] = {"seconds": times, "KiB": sizes}
                text += table(guest, times, sizes) + "\n"
            print(text)
            for path, content in ((args.json, json.dumps(results, indent=1)), (args.md, text)):
                if path:
                    path.write_text(content)
            sys.stdout.flush()
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(code)


if __name__ == "__main__":
    main()
