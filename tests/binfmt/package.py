#!/usr/bin/env python3
"""The Debian packages in a Debian: package.py [--root ROOT] [--packages FOLDER] PROGRAM...

Each of the three ways in which Debian machines register: metic itself, binfmt-support, systemd-binfmt. Installation registers,
programs run, the machine's next start registers again, removal leaves nothing; the same of `metic binfmt install --persist`.
PROGRAMs are tests/binfmt/program.c of the guests. ROOT is an amd64 root (debootstrap makes one if not given), which stays as
it is; FOLDER has the packages (`make deb` makes them). Needs root.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import bootstrap  # noqa: E402
import namespace  # noqa: E402

GUESTS = ("aarch64", "riscv64")
# What the packages' managers write about what they did.
ACCOUNTS = ("var/lib/dpkg/", "var/log/", "var/cache/", "var/lib/apt/", "proc", "dev", "tmp/", "packages", "etc/mtab", "root/")
failures = []


def expect(what, got, code, *texts):
    if got[0] != code or any(t not in got[1] for t in texts):
        failures.append(what)
        print(f"{what}: expected {code} and {texts}, got {got}")


class Machine:
    """A Debian root whose kernel has a table of its own."""

    def __init__(self, root, programs):
        self.root, self.programs = root, programs

    def run(self, script):
        r = subprocess.run(bootstrap.command(self.root, script), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors="replace")
        return r.returncode, r.stdout.strip()

    def expect(self, what, script, *texts, code=0):
        expect(what, self.run(script), code, *texts)

    def entries(self):
        return sorted(f.name for f in namespace.FOLDER.iterdir() if f.name not in ("register", "status"))

    def restart(self):
        """The kernel forgets."""
        for name in self.entries():
            (namespace.FOLDER / name).write_text("-1")

    def expect_registered(self, what, yes=True):
        want = [f"metic-{g}" for g in GUESTS] if yes else []
        if self.entries() != want:
            failures.append(what)
            print(f"{what}: {want} expected, there are {self.entries()}")
        for guest in GUESTS if yes else ():
            self.expect(f"{what}: {guest}", f"/tmp/program-{guest} a b", "a b execfn")
            self.expect(f"{what}: status of {guest}", f"metic binfmt status {guest}", "/usr/bin/metic (entry metic-" + guest)

    def files(self):
        top = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if not (pathlib.Path(folder) / f).is_mount()]
            top += (str((pathlib.Path(folder) / n).relative_to(self.root)) for n in names + folders)
        return {p for p in top if not p.startswith(ACCOUNTS)}


def check_use(m):
    m.expect("manual page", "man -P cat metic | col -b", "NAME", "metic binfmt", "--credentials")
    m.expect("completion", "bash -c '. /usr/share/bash-completion/completions/metic; COMP_WORDS=(metic binfmt ins); COMP_CWORD=2; _metic; echo ${COMPREPLY[@]}'",
             "install")
    m.expect("doctor", "metic doctor; metic doctor /tmp/program-aarch64", "aarch64 programs are run by /usr/bin/metic", "static program for aarch64")
    m.expect("qemu's names", "qemu-aarch64-static /tmp/program-aarch64 x; qemu-riscv64 /tmp/program-riscv64 y; metic-riscv64 /tmp/program-riscv64 z",
             "x execfn", "y execfn", "z execfn")


def install(m, *names):
    m.expect(f"dpkg -i {names}", "dpkg -i " + " ".join(f"/packages/{n}_*.deb" for n in names))


def check_alone(m):
    before = m.files()
    install(m, "metic", "metic-binfmt", "metic-qemu")
    m.expect_registered("installed")
    check_use(m)
    install(m, "metic", "metic-binfmt")
    m.expect_registered("installed again")
    m.expect("not older than the file", "metic binfmt status | grep -c older || true", "0")
    m.expect("dpkg -r", "dpkg -r metic-binfmt")
    m.expect_registered("removed", False)
    m.expect("dpkg -P", "dpkg -P metic metic-binfmt metic-qemu")
    left = m.files() ^ before
    expect("purged", (len(left), str(sorted(left)[:10])), 0)


def check_manager(m, package, start, persist, record, ask=None):
    """binfmt-support or systemd: `start` is what the machine's start runs, `record` what `install --persist` writes."""
    m.expect(f"apt-get install {package}", f"apt-get -qy --no-install-recommends install {package}")
    before = m.files()
    install(m, "metic", "metic-binfmt")
    m.expect_registered(f"{package}: installed")
    if ask:
        m.expect(f"{package} knows", ask, "/usr/bin/metic")
    m.restart()
    m.expect(f"{package}: the machine's start", start)
    m.expect_registered(f"{package}: started")
    m.expect(f"{package}: dpkg -P", "dpkg -P metic-binfmt")
    m.expect_registered(f"{package}: purged", False)
    m.expect(f"{package}: the start after", start)
    m.expect_registered(f"{package}: after its start", False)

    m.expect(f"{package}: --persist", f"metic binfmt install --persist={persist}", "registered at every start by")
    m.expect(f"{package}: --persist twice", f"metic binfmt install --persist={persist}", "already registered")
    m.expect_registered(f"{package}: persistent")
    m.expect(f"{package}: record", " && ".join(f"test -s {record.format(g)}" for g in GUESTS))
    m.restart()
    m.expect(f"{package}: start", start)
    m.expect_registered(f"{package}: persistent, started")
    m.expect(f"{package}: remove", "metic binfmt remove", "removed, with")
    m.expect_registered(f"{package}: removed", False)
    m.expect(f"{package}: no record", " && ".join(f"test ! -e {record.format(g)}" for g in GUESTS))
    m.expect(f"{package}: start again", start)
    m.expect_registered(f"{package}: removed, started", False)
    m.expect(f"{package}: metic goes", "dpkg -P metic")
    left = {p for p in m.files() ^ before if p != "etc/binfmt.d"}
    expect(f"{package}: nothing is left", (len(left), str(sorted(left)[:10])), 0)
    m.expect(f"apt-get purge {package}", f"apt-get -qy purge {package}")


def in_namespace(m):
    namespace.enter()
    namespace.mount()
    bootstrap.bind_proc(m.root)
    check_alone(m)
    check_manager(m, "binfmt-support", "update-binfmts --enable", "debian", "/var/lib/binfmts/metic-{}", "update-binfmts --display metic-aarch64")
    check_manager(m, "systemd", "/usr/lib/systemd/systemd-binfmt", "systemd", "/etc/binfmt.d/zz-metic-{}.conf")
    print(*failures, sep="\n")
    return len(failures) > 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--packages", type=pathlib.Path)
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    if os.geteuid():
        print("debootstrap needs root")
        return namespace.SKIP
    if not args.packages:
        build = os.environ.get("BUILD", str(bootstrap.TOP / "build"))
        subprocess.run(["make", "-C", bootstrap.TOP, "deb", f"BUILD={build}"], check=True, stdout=subprocess.DEVNULL)
        args.packages = pathlib.Path(f"{build}-deb/packages")
    with tempfile.TemporaryDirectory(prefix="metic-package-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        os.chmod(folder, 0o755)
        root = pathlib.Path(folder) / "root"
        if args.root:
            subprocess.run(["cp", "-a", args.root, root], check=True)
        bootstrap.configure(root, bootstrap.debootstrap(root, "amd64", "--variant=minbase", "--include=man-db,bash-completion,bsdextrautils"))
        shutil.copytree(args.packages, root / "packages")
        for guest, program in zip(GUESTS, args.programs):
            shutil.copy(program, root / f"tmp/program-{guest}")
        subprocess.run(["chroot", root, "apt-get", "-q", "update"], check=True, stdout=subprocess.DEVNULL)
        return namespace.in_child(in_namespace, Machine(root, args.programs))


sys.exit(main())
