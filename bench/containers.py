#!/usr/bin/env python3
"""Builds a container image of another architecture by buildah, with metic and with the peer registered in turn.

usage: containers.py [--file FILE] [--md FILE] [--json FILE] [--driver overlay|vfs] [--who metic,peer,run] METIC ARCH=ROOT...

ROOT is a folder with a Debian of the architecture (as tests/binfmt/distribution.py --keep leaves it); it becomes the base
image. All happens in a user namespace with a binfmt_misc of its own; but for `run`: the same steps in a copy of ROOT by
`metic run`, without registration, as an ordinary user. Prints wall and processor time of each step, for metic also of a
second build (its translations are kept), and the files in which the results differ. Needs root and buildah.
"""

import argparse
import hashlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tools"), str(HERE.parent / "tests/binfmt")]
import namespace  # noqa: E402
import roots  # noqa: E402

CACHE = "/var/cache/metic"
# Files that hold the time, or an order that no build promises.
VARYING = ("var/log/", "var/cache/", "var/lib/apt/lists/", "tmp/", "run/", "etc/ld.so.cache", "etc/resolv.conf", "etc/hosts", "etc/hostname",
           "var/lib/dpkg/status-old", "proc/", "sys/", "dev/", "root/.cache")
KEPT = ("metic", "run")  # those whose translations are kept


def buildah(storage, *words, **options):
    env = dict(os.environ, _CONTAINERS_USERNS_CONFIGURED="1", BUILDAH_ISOLATION="chroot", HOME="/root",
               CONTAINERS_STORAGE_CONF=str(storage / "storage.conf"))
    return ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), *map(str, words)], env


def run(storage, *words):
    command, env = buildah(storage, *words)
    return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def processor_time(pid):
    """Seconds of a process and of its children that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def build(storage, base, tag, volumes, file):
    """[(step, seconds, of the processor)] of one build, and its wall time."""
    command, env = buildah(storage, "bud", "--layers=false", "--network", "host", "--build-arg", f"BASE={base}", "-t", tag, *volumes,
                           "-f", HERE / "container" / file, HERE / "container")
    start, steps, log = time.monotonic(), [], []
    p = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in p.stdout:
        log.append(line)
        now = time.monotonic()
        if line.startswith(("STEP", "COMMIT")):
            steps.append((line.split(":", 1)[-1].strip() if line.startswith("STEP") else "commit", now, processor_time(p.pid)))
    if p.wait():
        sys.exit("".join(log[-40:]) + f"{tag}: the build failed")
    return ([(name, next_wall - wall, next_cpu - cpu) for (name, wall, cpu), (_, next_wall, next_cpu) in zip(steps, steps[1:])],
            time.monotonic() - start)


def digests(top):
    """{path: digest} of the files of a root."""
    files = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = pathlib.Path(folder) / name
            key = str(path.relative_to(top))
            if not key.startswith(VARYING):
                files[key] = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return files


def contents(storage, tag):
    container = run(storage, "from", tag)
    files = digests(pathlib.Path(run(storage, "mount", container)))
    run(storage, "umount", container)
    run(storage, "rm", container)
    return files


def build_in(root, metic, file, who):
    """The RUN and COPY lines of a Containerfile in a root that belongs to the ordinary user, by metic run: as build() answers."""
    steps, start = [], time.monotonic()
    for line in (HERE / "container" / file).read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "COPY":
            shutil.copytree(HERE / "container", root / "src")
            namespace.give_to_user(root / "src")
        elif word == "RUN":
            before, then = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            r = subprocess.run([metic, "run", "--root", root, "--", "/bin/sh", "-c", rest], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", **who)
            if r.returncode:
                sys.exit(f"{r.stdout[-3000:]}\n{line}: exit code {r.returncode}")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            steps.append((line, time.monotonic() - then, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return steps, time.monotonic() - start


def measure_run(args, folder, root):
    """[steps, wall time] of two builds, and the files of the last; in this process's own mounts."""
    namespace.private_mounts()
    user = namespace.ordinary_user()
    home, metic = folder / "home", shutil.copy(args.metic, folder / "metic")
    home.mkdir()
    os.chown(home, namespace.USER_ID, namespace.USER_ID)
    who = {**user, "cwd": "/", "env": {"PATH": os.environ["PATH"], "HOME": str(home)}}
    builds = []
    for _ in range(2):
        copy = folder / "copy"  # not buildah's
        subprocess.run(["cp", "-a", root, copy], check=True)
        namespace.give_to_user(copy)
        builds.append(build_in(copy, metic, args.file, who))
        files = digests(copy)
        shutil.rmtree(copy)
    return builds, files


def in_child(function, *words):
    """What the function answers, in a process with mounts of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, json.dumps(function(*words)).encode())
        os._exit(0)
    os.close(write)
    with open(read) as f:
        text = f.read()
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(1)
    return json.loads(text)


def register(args, who, cpu):
    for f in namespace.FOLDER.iterdir():
        if f.name not in ("register", "status"):
            f.write_text("-1")
    interpreter = args.metic if who == "metic" else roots.peer().format(cpu=cpu)
    line = subprocess.run([args.metic, "binfmt", "print", "--interpreter", interpreter, cpu], check=True, stdout=subprocess.PIPE, text=True)
    (namespace.FOLDER / "register").write_text(line.stdout.strip())


def print_build(arch, who, steps, total):
    print(f"{arch} {who}: {total:.1f} s", flush=True)
    for name, wall, used in steps:
        print(f"    {wall:7.1f} s {used:7.1f} s  {name[:100]}", flush=True)


def measure(args, storage, arch, root):
    """({who: steps of its build}, {who: files of its image}) of those who are registered."""
    cpu, results, images = roots.GUESTS[arch][0], {}, {}
    base = f"localhost/base-{arch}"
    container = run(storage, "from", "--arch", arch, "scratch")
    run(storage, "copy", "-q", container, f"{root}/", "/")
    run(storage, "commit", "-q", container, base)
    run(storage, "rm", container)
    cache = storage / "cache"
    cache.mkdir(exist_ok=True, mode=0o755)
    for who in args.who:
        if who == "run":
            continue
        register(args, who, cpu)
        volumes = ["-v", f"{cache}:{CACHE}"] if who in KEPT else []
        for warm in ([False, True] if who in KEPT else [True]):
            name = who if warm else f"{who} (cache empty)"
            results[name], total = build(storage, base, f"localhost/{who}-{arch}", volumes, args.file)
            print_build(arch, name, results[name], total)
        images[who] = contents(storage, f"localhost/{who}-{arch}")
    return results, images


def compare(arch, images):
    """{who: paths in which its files are not those of the first}."""
    (first, files), *others = images.items()
    differs = {who: sorted(k for k in files.keys() | its.keys() if files.get(k) != its.get(k)) for who, its in others}
    for who, paths in differs.items():
        print(f"{arch}: {first} and {who}: {len(files)} files, {len(paths)} differ: {' '.join(paths[:10])}", flush=True)
    return differs


def table(arch, results):
    runs = {who: [step for step in steps if step[0].startswith("RUN")] for who, steps in results.items()}
    lines = [f"| {arch} | {' | '.join(runs)} |", "|---" * (len(runs) + 1) + "|"]
    for same in zip(*runs.values()):
        lines.append(f"| ``{same[0][0][4:64]}`` | " + " | ".join(f"{wall:.1f} / {used:.1f}" for _, wall, used in same) + " |")
    total = [[sum(step[k] for step in steps) for k in (1, 2)] for steps in runs.values()]
    lines.append("| all | " + " | ".join(f"{wall:.1f} / {used:.1f}" for wall, used in total) + " |")
    return "\n".join(lines) + "\n"


def build_all(args, storage, arch, root):
    (storage / "storage.conf").write_text(f'[storage]\ndriver = "{args.driver}"\n')
    namespace.enter()
    namespace.mount()
    return measure(args, storage, arch, root)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--md", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--who", type=lambda s: s.split(","), default=["metic", "peer"])
    parser.add_argument("--driver", default="overlay", help="of buildah's storage: overlay, vfs")
    parser.add_argument("--file", default="Containerfile", help="one of bench/container")
    parser.add_argument("metic", type=os.path.abspath)
    parser.add_argument("roots", nargs="+", metavar="ARCH=ROOT")
    args = parser.parse_args()
    if not shutil.which("buildah"):
        sys.exit("buildah is missing: install it")
    roots.peer()  # fetched from outside
    everything, text = {}, ""
    with tempfile.TemporaryDirectory(prefix="metic-containers-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        for arch, root in (word.split("=", 1) for word in args.roots):
            storage = pathlib.Path(folder) / arch
            storage.mkdir()
            storage.parent.chmod(0o755)
            results, images = in_child(build_all, args, storage, arch, os.path.abspath(root))
            if "run" in args.who:
                builds, images["run"] = in_child(measure_run, args, storage, os.path.abspath(root))
                for name, (steps, total) in zip(("run (cache empty)", "run"), builds):
                    results[name] = steps
                    print_build(arch, name, steps, total)
            differs = compare(arch, images)
            everything[arch] = {"steps": results, "differ": differs}
            text += table(arch, results) + "\n"
            shutil.rmtree(storage)
    for path, content in ((args.json, json.dumps(everything, indent=1)), (args.md, text)):
        if path:
            path.write_text(content)


main()
