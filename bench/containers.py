#!/usr/bin/env python3
"""Builds a container image of another architecture by buildah, with metic and with the peer registered in turn.

usage: containers.py [--file FILE] [--md FILE] [--json FILE] [--who metic,peer,...] METIC ARCH=ROOT...

ROOT is a folder with a Debian of the architecture (as tests/binfmt/distribution.py --keep leaves it); it becomes the base
image. All happens in a user namespace with a binfmt_misc of its own. Prints wall and processor time of each step, for metic
also of a second build (its translations are kept), and the files in which the images differ. Needs root and buildah.
"""

import argparse
import hashlib
import json
import os
import pathlib
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
VARYING = ("var/log/", "var/cache/", "var/lib/apt/lists/", "tmp/", "run/", "etc/ld.so.cache", "etc/resolv.conf", "etc/hosts",
           "var/lib/dpkg/status-old", "proc/", "sys/", "dev/", "root/.cache")


def buildah(storage, *words, **options):
    env = dict(os.environ, _CONTAINERS_USERNS_CONFIGURED="1", BUILDAH_ISOLATION="chroot", HOME="/root",
               CONTAINERS_STORAGE_CONF=str(storage / "storage.conf"))
    return ["buildah", "--storage-driver", "vfs", "--root", str(storage / "root"), "--runroot", str(storage / "run"), *map(str, words)], env


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


def contents(storage, tag):
    """{path: digest} of the image's files."""
    container = run(storage, "from", tag)
    top = pathlib.Path(run(storage, "mount", container))
    files = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = pathlib.Path(folder) / name
            key = str(path.relative_to(top))
            if not key.startswith(VARYING):
                files[key] = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    run(storage, "umount", container)
    run(storage, "rm", container)
    return files


def register(args, who, cpu):
    for f in namespace.FOLDER.iterdir():
        if f.name not in ("register", "status"):
            f.write_text("-1")
    interpreter = args.metic if who == "metic" else roots.peer().format(cpu=cpu)
    line = subprocess.run([args.metic, "binfmt", "print", "--interpreter", interpreter, cpu], check=True, stdout=subprocess.PIPE, text=True)
    (namespace.FOLDER / "register").write_text(line.stdout.strip())


def measure(args, storage, arch, root):
    """{who: steps of its build}, the number of files, and which differ."""
    cpu, results, images = roots.GUESTS[arch][0], {}, {}
    base = f"localhost/base-{arch}"
    container = run(storage, "from", "--arch", arch, "scratch")
    run(storage, "copy", "-q", container, f"{root}/", "/")
    run(storage, "commit", "-q", container, base)
    run(storage, "rm", container)
    cache = storage / "cache"
    cache.mkdir(exist_ok=True, mode=0o755)
    for who in args.who:
        register(args, who, cpu)
        volumes = ["-v", f"{cache}:{CACHE}"] if who == "metic" else []
        for warm in ([False, True] if who == "metic" else [True]):
            steps, total = build(storage, base, f"localhost/{who}-{arch}", volumes, args.file)
            results[who if warm else f"{who} (cache empty)"] = steps
            print(f"{arch} {who}{'' if warm else ' (cache empty)'}: {total:.1f} s", flush=True)
            for name, wall, used in steps:
                print(f"    {wall:7.1f} s {used:7.1f} s  {name[:100]}", flush=True)
        images[who] = contents(storage, f"localhost/{who}-{arch}")
    a, b = (images[who] for who in args.who[:2]) if len(args.who) > 1 else ({}, {})
    differs = sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
    print(f"{arch}: {len(a)} files, {len(differs)} differ: {' '.join(differs[:10])}", flush=True)
    return results, len(a), differs


def table(arch, results):
    names = list(results)
    lines = [f"| {arch} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for i, (step, *_) in enumerate(results[names[0]]):
        if step.startswith("RUN"):
            lines.append(f"| ``{step[4:64]}`` | " + " | ".join(f"{results[n][i][1]:.1f} / {results[n][i][2]:.1f}" for n in names) + " |")
    total = [[sum(step[k] for step in results[n] if step[0].startswith("RUN")) for k in (1, 2)] for n in names]
    lines.append("| all | " + " | ".join(f"{wall:.1f} / {cpu:.1f}" for wall, cpu in total) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--md", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--who", type=lambda s: s.split(","), default=["metic", "peer"])
    parser.add_argument("--file", default="Containerfile", help="one of bench/container")
    parser.add_argument("metic", type=os.path.abspath)
    parser.add_argument("roots", nargs="+", metavar="ARCH=ROOT")
    args = parser.parse_args()
    if not shutil.which("buildah"):
        sys.exit("buildah is missing: install it")
    roots.peer()  # fetched from outside
    with tempfile.TemporaryDirectory(prefix="metic-containers-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        storage = pathlib.Path(folder)
        (storage / "storage.conf").write_text('[storage]\ndriver = "vfs"\n')
        pid = os.fork()
        if pid == 0:
            namespace.enter()
            namespace.mount()
            everything, text = {}, ""
            for word in args.roots:
                arch, _, root = word.partition("=")
                results, files, differs = measure(args, storage, arch, os.path.abspath(root))
                everything[arch] = {"steps": results, "files": files, "differ": differs}
                text += table(arch, results) + f"\n{files} files, {len(differs)} differ.\n\n"
            for path, content in ((args.json, json.dumps(everything, indent=1)), (args.md, text)):
                if path:
                    path.write_text(content)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(code)


main()
