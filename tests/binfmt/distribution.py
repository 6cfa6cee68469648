#!/usr/bin/env python3
"""A Debian of another architecture is installed, and builds a package, through programs that the kernel hands to metic.

usage: distribution.py [--how registered|run|peer] [--keep DIR] [--env NAME=VALUE]... METIC ARCH

The first stage of debootstrap runs as root of this machine; all else in a user namespace with a binfmt_misc of its own:
the second stage, apt-get install build-essential, dpkg-buildpackage of a source package, its result, and sudo. `run`: by
`metic run --root` without registration (and without sudo), as an ordinary user that newuidmap serves, who exists for this
test alone; `peer`: with the peer registered. Prints a line of time for each step.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]
import bootstrap  # noqa: E402
import namespace  # noqa: E402
import roots  # noqa: E402

SOURCE, ANSWER = "figlet", "figlet -I 1 && uname -m"

parser = argparse.ArgumentParser()
parser.add_argument("--how", choices=["registered", "run", "peer"], default="registered")
parser.add_argument("--keep", type=pathlib.Path, help="folder of the root, which stays; what it has is used")
parser.add_argument("--env", action="append", default=[], help="a variable of all commands: name=value")
parser.add_argument("metic")
parser.add_argument("arch", choices=sorted(roots.GUESTS))
args = parser.parse_args()
args.metic = os.path.abspath(args.metic)
cpu = roots.GUESTS[args.arch][0]


class Steps:
    def __init__(self, root, who):
        self.root, self.failed, self.log, self.who = root, False, root.parent / "log", who

    def command(self, script):
        if args.how == "run":
            return [args.metic, "run", "--root", self.root, "--env", "DEBIAN_FRONTEND=noninteractive", "--env", "LC_ALL=C", "--env", "container=lxc",
                    *(word for env in args.env for word in ("--env", env)), "--", "/bin/sh", "-ec", script]
        return bootstrap.command(self.root, script, *args.env)

    def step(self, name, script, want=None):
        if self.failed:
            return
        start = time.monotonic()
        r = subprocess.run(self.command(script), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors="replace", **self.who)
        with open(self.log, "a") as log:
            log.write(f"=== {name}\n{r.stdout}")
        self.failed = r.returncode != 0 or (want is not None and want not in r.stdout)
        print(f"{args.arch} {args.how} {name}: {time.monotonic() - start:.1f} s{' FAILED' if self.failed else ''}", flush=True)
        if self.failed:
            print(r.stdout[-3000:])


def user(root):
    """Words for subprocess.run: the ordinary user, to whom the root belongs, with a metic and a home that it may use."""
    who = namespace.ordinary_user()
    if os.lstat(root).st_uid == 0:
        namespace.give_to_user(root)
    args.metic = shutil.copy(args.metic, root.parent / "metic")
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    os.chown(home, namespace.USER_ID, namespace.USER_ID)
    return {**who, "cwd": "/", "env": {"PATH": os.environ["PATH"], "HOME": str(home)}}


def main(root):
    if os.geteuid():
        print("debootstrap's first stage needs root")
        sys.exit(namespace.SKIP)
    mirror = bootstrap.debootstrap(root, args.arch, "--foreign")
    who = {}
    if args.how == "run":
        namespace.private_mounts()
        who = user(root)
    else:
        namespace.enter()
    if args.how != "run":
        namespace.mount()
        if args.how == "registered":
            subprocess.run([args.metic, "binfmt", "install", "--credentials", cpu], check=True)
        else:
            line = subprocess.run([args.metic, "binfmt", "print", "--credentials", "--interpreter", roots.peer().format(cpu=cpu), cpu],
                                  check=True, stdout=subprocess.PIPE, text=True).stdout
            (namespace.FOLDER / "register").write_text(line.strip())
        bootstrap.bind_proc(root)
    steps = Steps(root, who)
    if (root / "debootstrap").is_dir():
        steps.step("second stage", "/debootstrap/debootstrap --second-stage", "Base system installed successfully")
    if not steps.failed:
        bootstrap.configure(root, mirror)
    if args.how != "run" and not os.path.exists(root / "proc/self"):  # the second stage unmounts it
        bootstrap.bind_proc(root)
    steps.step("apt-get install build-essential", "apt-get -q update && apt-get -qy install build-essential sudo")
    steps.step("source package", f"mkdir -p /build && cd /build && apt-get -qy build-dep {SOURCE} && apt-get -q source {SOURCE}")
    steps.step("dpkg-buildpackage", f"cd /build/{SOURCE}-* && dpkg-buildpackage -b -us -uc")
    steps.step("its result", f"apt-get -qy install /build/{SOURCE}_*.deb && {ANSWER}", f"\n{cpu}\n")
    if args.how != "run":
        steps.step("sudo", "useradd -m someone && echo 'someone ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/someone && "
                           "su someone -c 'id -u; sudo id -u; sudo -u nobody id -un'", "\n0\nnobody")
    return steps.failed


if args.keep:
    sys.exit(main(args.keep.absolute()))
with tempfile.TemporaryDirectory(prefix="metic-distribution-") as folder:
    os.chmod(folder, 0o755)
    code = namespace.in_child(main, pathlib.Path(folder) / "root")  # the namespace's root may not remove everything
sys.exit(code)
