"""Debian roots made by debootstrap, for tests that need the whole of one."""

import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tools"))
import roots  # noqa: E402

DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
           "console": (5, 1), "ptmx": (5, 2)}


def fetch_root_module():
    loader = importlib.machinery.SourceFileLoader("fetch_root", str(TOP / "tools/fetch-root"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch_root", loader))
    loader.exec_module(module)
    return module


def debootstrap(root, arch, *options):
    """Makes the root where there is none, with devices, which a user namespace may not make; answers the mirror."""
    fetch = fetch_root_module()
    if not root.is_dir():
        subprocess.run(["debootstrap", f"--arch={arch}", f"--keyring={fetch.KEYRING}", *options, roots.SUITE, root, fetch.mirror()],
                       check=True, stdout=subprocess.DEVNULL)
    for name, (major, minor) in DEVICES.items():
        path = root / "dev" / name
        if not path.exists():
            os.mknod(path, 0o20666, os.makedev(major, minor))
            os.chmod(path, 0o666)
    return fetch.mirror()


def configure(root, mirror):
    """What debootstrap leaves to the administrator."""
    (root / "etc/apt/sources.list").write_text("".join(f"{kind} {mirror} {roots.SUITE} main\n" for kind in ("deb", "deb-src")))
    for path in sorted(pathlib.Path("/etc/apt/apt.conf.d").glob("*")):
        if "Acquire" in path.read_text(errors="replace"):
            shutil.copy(path, root / "etc/apt/apt.conf.d")
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)


def bind_proc(root):
    subprocess.run(["mount", "--rbind", "/proc", root / "proc"], check=True)


def command(root, script, *env):
    """Words that run the script in the root."""
    # container=lxc: debootstrap takes the devices that are there.
    return ["env", "-i", "container=lxc", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", *env,
            "chroot", root, "/bin/sh", "-ec", script]
